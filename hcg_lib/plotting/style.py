"""One style for every figure: transparent, mid-toned, so that it reads on white and on dark pages alike.

A mid-tone is forced, not a taste: a color has contrast 3:1 with both white and near-black only if its
relative luminance lies between 0.12 and 0.30 (WCAG 2.2, 1.4.11). The level colors are the Okabe–Ito hues
(Okabe & Ito 2008) moved into that band; markers repeat what the colors say.
"""

from __future__ import annotations

import sys
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, is_color_like, to_rgb

from hcg_lib._validate import check_choice, check_instance, check_integer, check_real, shown

INK = "#757C86"  # text, ticks, axes: 4:1 on white and on #14181e
LEVEL_COLORS = ("#8A9199", "#0B78BD", "#CD8013", "#00A36B", "#C2402A", "#C679BD", "#774AC9")
LEVEL_MARKERS = (".", "o", "s", "^", "D", "v", "P")
VERDICTS = {"holds": "#00A36B", "partly": "#CD8013", "does not hold": "#C2402A", "not tested": "#8A9199"}

WIDTH = 5.2  # inches: half a phone's pixels an inch, so 10.5 pt stays readable there
STYLE: dict[str, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.figsize": (WIDTH, 3.4),
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "savefig.bbox": "tight",
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=LEVEL_COLORS[1:], marker=LEVEL_MARKERS[1:]),
    "grid.color": INK,
    "grid.alpha": 0.22,
    "grid.linewidth": 0.6,
    "font.size": 10.5,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "svg.fonttype": "none",
}


def use() -> Any:
    """Set the style for the session; used as `with use():` it is undone at the end of the block.

    Inside a notebook the figures also become PNGs of two pixels a point (retina).

    Returns
    -------
    context manager
        Leaving it restores the earlier settings; a plain call simply keeps the style.

    Examples
    --------
    >>> with use():
    ...     plt.rcParams["figure.facecolor"]
    'none'
    """
    settings: Any = mpl.rcParams
    context = _Restore(dict(settings))
    settings.update(STYLE)
    if "IPython" in sys.modules:
        _retina()
    return context


class _Restore:
    """Gives the earlier rcParams back when its block is left."""

    def __init__(self, before: dict[str, Any]) -> None:
        self.before = before

    def __enter__(self) -> _Restore:
        return self

    def __exit__(self, *exception: object) -> None:
        settings: Any = mpl.rcParams
        dict.update(settings, self.before)


def _retina() -> None:
    from IPython.core.getipython import get_ipython
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    if get_ipython() is not None:
        set_matplotlib_formats("retina")


def level_style(level: int) -> dict[str, Any]:
    """Color and marker of a level (0 tokens … L root), keywords for `Axes.plot`; repeats after six levels.

    Raises
    ------
    ValueError
        If `level` is not an integer >= 0.

    Examples
    --------
    >>> level_style(1)
    {'color': '#0B78BD', 'marker': 'o'}
    """
    check_integer("level", level, 0)
    slot = level if level < len(LEVEL_COLORS) else 1 + (level - 1) % (len(LEVEL_COLORS) - 1)
    return {"color": LEVEL_COLORS[slot], "marker": LEVEL_MARKERS[slot]}


def verdict_color(verdict: str) -> str:
    """The color of a verdict: "holds", "partly", "does not hold" or "not tested".

    Raises
    ------
    ValueError
        If `verdict` is none of the four.

    Examples
    --------
    >>> verdict_color("holds")
    '#00A36B'
    """
    return VERDICTS[check_choice("verdict", verdict, tuple(VERDICTS))]


def fading_map(color: str, opposite: str | None = None) -> LinearSegmentedColormap:
    """A color map from transparent to `color`, or from `opposite` through transparent to `color`.

    Examples
    --------
    >>> red, green, blue, alpha = fading_map("#0B78BD")(0.0)
    >>> float(alpha)
    0.0
    """
    end, clear = _solid_and_clear("color", color)
    if opposite is None:
        return LinearSegmentedColormap.from_list("fading", [clear, end])
    start, clear_start = _solid_and_clear("opposite", opposite)
    return LinearSegmentedColormap.from_list(
        "fading_both", [(0, start), (0.499, clear_start), (0.501, clear), (1, end)]
    )


def _solid_and_clear(name: str, color: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if not is_color_like(color):
        raise ValueError(f"{name} must be a color, got {shown(color)}")
    return (*to_rgb(color), 1.0), (*to_rgb(color), 0.0)


def axes(ax: Axes | None, width: float = WIDTH, height: float = 3.4) -> Axes:
    """`ax` itself, or the axes of a new figure of this size in inches.

    Raises
    ------
    ValueError
        If `ax` is neither None nor matplotlib Axes.
    """
    if ax is None:
        size = check_real("width", width, 0.1, 100), check_real("height", height, 0.1, 100)
        return plt.subplots(figsize=size, layout="constrained")[1]
    check_instance("ax", ax, Axes)
    return ax
