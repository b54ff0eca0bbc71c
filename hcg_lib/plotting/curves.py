"""Pictures of measurements: curves, thresholds, collapses, matrices, intervals; drawn, never computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from hcg_lib._validate import (
    check_choice,
    check_flag,
    check_instance,
    check_integer,
    check_list,
    check_numbers,
    check_real,
    check_text,
)

from .style import INK, LEVEL_COLORS, WIDTH, axes, fading_map, level_style, verdict_color


def _vector(name: str, values: Any, size: int | None = None) -> np.ndarray:
    array = check_numbers(name, values, gaps=True)
    if array.ndim != 1 or array.size == 0 or (size is not None and array.size != size):
        wanted = "a non-empty vector" if size is None else f"a vector of {size} values"
        raise ValueError(f"{name} must be {wanted}, got shape {array.shape}")
    return array


def draw_curve(
    ax: Axes | None,
    x: Any,
    y: Any,
    low: Any = None,
    high: Any = None,
    level: int | None = None,
    label: str | None = None,
    log: str = "x",
    **line: Any,
) -> Axes:
    """Draw y against x with a band from `low` to `high`, in the color and marker of `level`.

    Parameters
    ----------
    ax : Axes or None
        None makes a new figure.
    x, y : array, shape (n,)
        On a logarithmic axis values that are not positive are left out, as gaps.
    low, high : array, shape (n,), optional
        Interval of each point.
    level : int, optional
        Level 0 … L whose style is used; otherwise the next of the cycle.
    label : str, optional
        Name in the legend.
    log : {"", "x", "y", "xy"}
        Which axes are logarithmic.
    **line
        Passed to `Axes.plot`.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If lengths differ or `log` is unknown.

    Examples
    --------
    >>> ax = draw_curve(None, [1, 10, 100], [1.0, 0.1, 0.0], level=2, log="xy")
    >>> ax.lines[0].get_ydata().tolist()
    [1.0, 0.1, nan]
    """
    log = check_choice("log", log, ("", "x", "y", "xy"))
    label = label if label is None else check_text("label", label)
    x = _vector("x", x)
    y = _vector("y", y, x.size)
    ax = axes(ax)
    if "x" in log:
        ax.set_xscale("log")
        x = np.where(x > 0, x, np.nan)
    if "y" in log:
        ax.set_yscale("log")
        y = np.where(y > 0, y, np.nan)
    look = {} if level is None else level_style(level)
    (drawn,) = ax.plot(x, y, label=label, **{**look, **line})
    if low is not None and high is not None:
        low, high = _vector("low", low, x.size), _vector("high", high, x.size)
        if "y" in log:
            low = np.maximum(low, np.nanmin(y) * 1e-3) if np.isfinite(y).any() else low
        ax.fill_between(x, low, high, color=drawn.get_color(), alpha=0.18, lw=0)
    return ax


def mark_threshold(ax: Axes, x: float, label: str = "", level: int | None = None, row: int = 0) -> Axes:
    """Draw a predicted threshold: a dashed vertical line at `x`, named above the frame, `row` lines up.

    Raises
    ------
    ValueError
        If `x` is not a finite number.

    Examples
    --------
    >>> ax = mark_threshold(axes(None), 85.0, "P*", level=1)
    >>> ax.texts[0].get_text()
    'P*'
    """
    x, ax, label = check_real("x", x), axes(ax), check_text("label", label)
    row = check_integer("row", row, 0)
    color = INK if level is None else level_style(level)["color"]
    ax.axvline(x, color=color, lw=1.2, ls=(0, (4, 3)), alpha=0.9, marker="", zorder=1.5)
    if label:
        ax.annotate(label, (x, 1.0), (0, 3 + 12 * row), xycoords=("data", "axes fraction"), color=color,
                    textcoords="offset points", ha="center", va="bottom", size=9.5)  # fmt: skip
    return ax


def mark_power_law(ax: Axes, x: Any, y: float, exponent: float, label: str = "", color: str = INK) -> Axes:
    """Draw y (x / x₀)^exponent over the range of `x`, a straight line on log–log axes; x₀ is the first x.

    Examples
    --------
    >>> ax = mark_power_law(axes(None), [1, 100], 1.0, -0.5)
    >>> ax.lines[0].get_ydata().round(12).tolist()
    [1.0, 0.1]
    """
    x, ax, label = _vector("x", x), axes(ax), check_text("label", label)
    y, exponent = check_real("y", y), check_real("exponent", exponent, -100, 100)
    span = np.array([x[0], x[-1]])
    ax.plot(
        span,
        y * (span / x[0]) ** exponent,
        color=color,
        lw=1.2,
        ls=(0, (1, 1.6)),
        marker="",
        label=label or None,
    )
    return ax


@dataclass(frozen=True)
class Curve:
    """One curve of a collapse: y against x, and the scale by which x is divided in the second panel."""

    x: Any
    y: Any
    scale: float
    label: str
    level: int | None = None
    style: dict[str, Any] | None = None


def draw_collapse(
    curves: Sequence[Curve],
    xlabels: tuple[str, str],
    ylabel: str,
    log: str = "x",
    panels: Sequence[Axes] | None = None,
) -> np.ndarray:
    """Draw curves twice: against x, and below it against x / scale, where they should coincide.

    Parameters
    ----------
    curves : sequence of Curve
    xlabels : (str, str)
        Names of x and of x / scale.
    ylabel : str
    log : {"", "x", "y", "xy"}
    panels : two Axes, optional

    Returns
    -------
    ndarray of two Axes
        Line i of each panel is curve i.

    Raises
    ------
    ValueError
        If there is no curve or a scale is not positive.

    Examples
    --------
    >>> raw, scaled = draw_collapse([Curve([2, 4], [0, 1], 2.0, "a")], ("P", "P / P*"), "accuracy")
    >>> scaled.lines[0].get_xdata().tolist()
    [1.0, 2.0]
    """
    curves = check_list("curves", curves, "of Curve")
    if not curves:
        raise ValueError("curves must hold at least one Curve, got none")
    for curve in curves:
        check_instance("curves", curve, Curve)
    below = [check_text("xlabels", name) for name in check_list("xlabels", xlabels, "of two names")]
    if panels is None:
        panels = plt.subplots(2, 1, figsize=(WIDTH, 5.6), layout="constrained", sharey=True)[1]
    pair = [axes(panel) for panel in check_list("panels", panels, "of two Axes")]
    if len(pair) != 2 or len(below) != 2:
        raise ValueError(f"panels and xlabels must be two each, got {len(pair)} and {len(below)}")
    raw, scaled = pair
    for curve in curves:
        scale = check_real("scale", curve.scale, 0, strict=True)
        style = curve.style or {}
        draw_curve(raw, curve.x, curve.y, level=curve.level, label=curve.label, log=log, **style)
        draw_curve(scaled, np.asarray(curve.x, float) / scale, curve.y, level=curve.level, log=log, **style)
    raw.set(xlabel=below[0], ylabel=check_text("ylabel", ylabel))
    scaled.set(xlabel=below[1], ylabel=ylabel)
    raw.legend(ncols=2 if len(curves) > 4 else 1)
    return np.array([raw, scaled], dtype=object)


def draw_matrix(
    matrix: Any, label: str = "", signed: bool = False, ax: Axes | None = None, limit: float | None = None
) -> Axes:
    """Draw a matrix as cells that fade to the page at zero; `signed` uses one color for each sign.

    Raises
    ------
    ValueError
        If `matrix` does not have two axes or holds values that are not finite.

    Examples
    --------
    >>> draw_matrix([[0.0, 1.0], [1.0, 0.0]]).images[0].get_clim()
    (0.0, 1.0)
    """
    values, signed = check_numbers("matrix", matrix, gaps=True), check_flag("signed", signed)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"matrix must be finite with two axes, got shape {values.shape}")
    ax = axes(ax, WIDTH, 4.2)
    top = float(np.abs(values).max() or 1.0) if limit is None else check_real("limit", limit, 0, strict=True)
    cmap = fading_map(LEVEL_COLORS[1], LEVEL_COLORS[4] if signed else None)
    image = ax.imshow(values, cmap=cmap, vmin=-top if signed else 0.0, vmax=top, interpolation="nearest")
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.85)
    return ax


def draw_intervals(
    names: Sequence[str],
    estimates: Any,
    low: Any,
    high: Any,
    predicted: Any = None,
    verdicts: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw estimates with their intervals, one row a name, top first; predictions as open diamonds.

    Raises
    ------
    ValueError
        If lengths differ or a verdict is unknown.

    Examples
    --------
    >>> ax = draw_intervals(["slope"], [3.1], [2.9], [3.3], predicted=[3.0], verdicts=["holds"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['slope']
    """
    names = [check_text("names", name) for name in check_list("names", names, "of names")]
    n = len(names)
    middle, low, high = (_vector(k, a, n) for k, a in (("estimates", estimates), ("low", low), ("high", high)))
    colors = [LEVEL_COLORS[1]] * n
    if verdicts is not None:
        colors = [verdict_color(verdict) for verdict in check_list("verdicts", verdicts, "of verdicts")]
    if len(colors) != n:
        raise ValueError(f"verdicts must hold {n} verdicts, got {len(colors)}")
    ax = axes(ax, WIDTH, 0.9 + 0.34 * n)
    for row in range(n):
        ax.plot([low[row], high[row]], [row, row], color=colors[row], lw=2.5, marker="", solid_capstyle="round")
        ax.plot(middle[row], row, color=colors[row], marker="o", ms=6, ls="")
    if predicted is not None:
        ax.plot(_vector("predicted", predicted, n), range(n), ls="", marker="D", ms=7, mfc="none", mec=INK,
                label="predicted")  # fmt: skip
        ax.legend()
    ax.set_yticks(range(n), list(names))
    ax.set_ylim(n - 0.5, -0.5)
    return ax
