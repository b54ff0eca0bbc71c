"""Pictures of the grammar: derivation tree, table of rules, posterior on the tree; drawn, never computed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import FancyBboxPatch, Rectangle

from hcg_lib._validate import MOST_SYMBOLS, as_array, check_integer, check_list, check_numbers, check_symbols

from .style import INK, WIDTH, axes, fading_map, level_style

NODE = 9.0  # radius of a node in points
HALF = 0.36  # half the side of a ladder, in units of the leaf spacing


def _columns(n_nodes: int, d: int) -> np.ndarray:
    """Horizontal positions of the nodes of one level: the middle of the leaves below each."""
    span = d / n_nodes
    return (np.arange(n_nodes) + 0.5) * span - 0.5


def _as_levels(name: str, levels: Sequence[Any], ndim: int) -> list[np.ndarray]:
    """Check that `levels` is a pyramid: each level has 1/s of the nodes of the one below, up to one root."""
    arrays = [as_array(name, level) for level in check_list(name, levels, "of arrays, one a level")]
    for l, array in enumerate(arrays):
        if array.ndim != ndim:
            raise ValueError(f"{name}[{l}] must have {ndim} axes (one string), got shape {array.shape}")
    counts = [len(array) for array in arrays]
    ratios = {a / b for a, b in pairwise(counts) if b}
    if len(arrays) < 2 or 0 in counts or counts[-1] != 1 or len(ratios) != 1 or min(ratios) < 2 or min(ratios) % 1:
        raise ValueError(f"{name} must hold levels of s**L, …, s, 1 nodes with s >= 2, got {counts} nodes")
    return arrays


def _bare(ax: Axes, d: int, L: int, pad: float = 0.45) -> None:
    """A frame without axes; the levels are named on the left."""
    ax.set(xlim=(-0.6, d - 0.4), ylim=(-pad, L + pad), xticks=[])
    names = ["tokens", *[f"level {l}" for l in range(1, L)], "root"]
    ax.set_yticks(range(L + 1), names)
    ax.tick_params(axis="y", length=0)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    for l, label in enumerate(ax.get_yticklabels()):
        label.set_color(level_style(l)["color"])


def _edges(ax: Axes, arrays: list[np.ndarray], lit: list[np.ndarray], shrink: float) -> None:
    d = len(arrays[0])
    for l in range(1, len(arrays)):
        above, below = _columns(len(arrays[l]), d), _columns(len(arrays[l - 1]), d)
        s = len(below) // len(above)
        for child, x in enumerate(below):
            alive = bool(lit[l][child // s])
            line = {
                "arrowstyle": "-",
                "shrinkA": shrink,
                "shrinkB": shrink,
                "color": level_style(l)["color"] if alive else INK,
                "lw": 1.5 if alive else 1.0,
                "ls": "-" if alive else ":",
                "alpha": 0.9 if alive else 0.6,
            }
            ax.annotate("", (x, l - 1), (above[child // s], l), arrowprops=line)


def draw_tree(levels: Sequence[Any], valid: Sequence[Any] | None = None, ax: Axes | None = None) -> Axes:
    """Draw the derivation tree of one string; nodes that do not parse are dimmed, dotted and marked ×.

    Parameters
    ----------
    levels : sequence of L+1 integer arrays, shape (s**(L-l),)
        Symbols of level l = 0 … L, as one row of `RandomHierarchyModel.parse`; −1 where nothing parses.
    valid : sequence of L+1 bool arrays, optional
        Which nodes are lit; by default those with a symbol >= 0.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        One text per node, leaf-most level first, left to right.

    Raises
    ------
    ValueError
        If the level sizes are not s**L, …, s, 1.

    Examples
    --------
    >>> ax = draw_tree([[0, 3, 1, 1], [2, -1], [-1]])
    >>> [text.get_text() for text in ax.texts if text.get_text()]
    ['0', '3', '1', '1', '2', '×', '×']
    """
    arrays = [check_symbols("levels", a, MOST_SYMBOLS, ndim=1, missing=True) for a in _as_levels("levels", levels, 1)]
    lit = [a >= 0 for a in arrays]
    if valid is not None:
        lit = [as_array("valid", a).astype(bool) for a in check_list("valid", valid, "of arrays, one a level")]
    if [a.shape for a in lit] != [a.shape for a in arrays]:
        raise ValueError(f"valid must have the shapes of levels, got {[a.shape for a in lit]}")
    d, L = len(arrays[0]), len(arrays) - 1
    ax = axes(ax, WIDTH, 0.75 + 0.68 * L)
    _bare(ax, d, L)
    _edges(ax, arrays, lit, NODE)
    for l, symbols in enumerate(arrays):
        for x, symbol, alive in zip(_columns(len(symbols), d), symbols, lit[l], strict=True):
            color = level_style(l)["color"] if alive else INK
            ring: dict[str, Any] = {
                "s": (2 * NODE) ** 2,
                "facecolor": to_rgba(color, 0.16 if alive else 0.0),
                "edgecolor": to_rgba(color, 1.0 if alive else 0.7),
                "linestyle": "-" if alive else ":",
            }
            ax.scatter(x, l, marker="o", linewidth=1.5, zorder=3, **ring)
            text = str(int(symbol)) if symbol >= 0 else "×"
            ax.text(x, l, text, ha="center", va="center_baseline", size=10, color=INK if not alive else color,
                    weight="bold" if alive else "normal", zorder=4)  # fmt: skip
    return ax


def draw_rules(rules: Any, level: int = 1, symbols: Sequence[int] | None = None, ax: Axes | None = None) -> Axes:
    """Draw the rules of one level as a table: a row per symbol, a box per synonymous tuple.

    Parameters
    ----------
    rules : integer array, shape (v, m, s)
        `rules[y, r]` is the r-th tuple that symbol y may become.
    level : int
        Level of the left-hand symbols, 1 … L; it sets the colors.
    symbols : sequence of int, optional
        Rows to show; all by default.
    ax : Axes, optional

    Returns
    -------
    Axes
        Texts: for each row the symbol, then its m tuples.

    Raises
    ------
    ValueError
        If `rules` does not have three axes or a symbol is out of range.

    Examples
    --------
    >>> ax = draw_rules([[[0, 1], [1, 1]], [[1, 0], [0, 0]]])
    >>> [text.get_text() for text in ax.texts]
    ['0', '0 1', '1 1', '1', '1 0', '0 0']
    """
    table = as_array("rules", rules)
    check_integer("level", level, 1)
    if table.ndim != 3 or table.dtype.kind not in "iu":
        raise ValueError(f"rules must be integers of shape (v, m, s), got {table.dtype} of shape {table.shape}")
    v, m, s = table.shape
    rows = range(v) if symbols is None else check_symbols("symbols", symbols, v, ndim=1).tolist()
    if not len(rows):
        raise ValueError("symbols must hold at least one symbol, got none")
    parent, child = level_style(level)["color"], level_style(level - 1)["color"]
    ax = axes(ax, min(WIDTH, 1.2 + 0.36 * m * s), 0.35 + 0.34 * len(rows))
    ax.set(xlim=(-0.7, m + 0.5), ylim=(len(rows) - 0.4, -0.6), xticks=[], yticks=[])
    ax.set_axis_off()
    for row, y in enumerate(rows):
        ax.scatter(0, row, s=(2 * NODE) ** 2, facecolor=to_rgba(parent, 0.16), edgecolor=parent, linewidth=1.5)
        ax.text(0, row, str(y), ha="center", va="center_baseline", color=parent, weight="bold", size=10)
        for r in range(m):
            look: dict[str, Any] = {"facecolor": to_rgba(child, 0.1), "edgecolor": child, "lw": 1}
            rounded = "round,pad=0,rounding_size=0.12"
            box = FancyBboxPatch((r + 0.6, row - 0.3), 0.8, 0.6, boxstyle=rounded, **look)
            ax.add_patch(box)
            word = " ".join(str(int(a)) for a in table[y, r])
            ax.text(r + 1, row, word, ha="center", va="center_baseline", color=INK, size=10)
    return ax


def draw_posterior(marginals: Sequence[Any], truth: Sequence[Any] | None = None, ax: Axes | None = None) -> Axes:
    """Draw the marginals of every node of the tree: a ladder of v cells per node, as dark as its probability.

    Parameters
    ----------
    marginals : sequence of L+1 arrays, shape (s**(L-l), v)
        One string of `belief_propagation(...).marginals`; rows sum to 1.
    truth : sequence of L+1 integer arrays, shape (s**(L-l),), optional
        True symbols; their cells get a frame.
    ax : Axes, optional

    Returns
    -------
    Axes
        One PatchCollection per level, leaf-most first; its array holds the probabilities, node by node.

    Raises
    ------
    ValueError
        If the levels are not s**L, …, s, 1 nodes or a value lies outside [0, 1].

    Examples
    --------
    >>> ax = draw_posterior([[[1.0, 0.0], [0.5, 0.5]], [[0.75, 0.25]]])
    >>> ax.collections[1].get_array().tolist()
    [0.75, 0.25]
    """
    arrays = _as_levels("marginals", marginals, 2)
    arrays = [check_numbers(f"marginals[{l}]", array, 0, 1 + 1e-6) for l, array in enumerate(arrays)]
    d, L, v = len(arrays[0]), len(arrays) - 1, arrays[0].shape[1]
    if v < 1 or any(array.shape[1] != v for array in arrays):
        raise ValueError(f"marginals must hold as many symbols at every level, got {[a.shape for a in arrays]}")
    known = None if truth is None else [check_symbols("truth", a, v, ndim=1) for a in _as_levels("truth", truth, 1)]
    if known is not None and [len(a) for a in known] != [len(a) for a in arrays]:
        raise ValueError(f"truth must hold a symbol for every node of marginals, got {[len(a) for a in known]} nodes")
    ax = axes(ax, WIDTH, 0.9 + 0.95 * L)
    _bare(ax, d, L, pad=0.5)
    for l, array in enumerate(arrays):
        columns = _columns(len(array), d)
        if l:
            _stems(ax, columns, _columns(len(arrays[l - 1]), d), l)
        _ladders(ax, columns, array, l)
        if known is not None:
            for x, symbol in zip(columns, known[l], strict=True):
                ax.add_patch(Rectangle(_cell(x, l, symbol, v), 2 * HALF, 2 * HALF / v, fill=False, ec=INK, lw=1.4))
    return ax


def _cell(x: float, l: int, symbol: int, v: int) -> tuple[float, float]:
    """Lower left corner of the cell of `symbol` in the ladder at x; symbol 0 is on top."""
    return x - HALF, l + HALF - (symbol + 1) * 2 * HALF / v


def _stems(ax: Axes, above: np.ndarray, below: np.ndarray, l: int) -> None:
    s = len(below) // len(above)
    for child, x in enumerate(below):
        ax.plot([above[child // s], x], [l - HALF, l - 1 + HALF], color=INK, lw=0.9, alpha=0.6, marker="")


def _ladders(ax: Axes, columns: np.ndarray, probability: np.ndarray, l: int) -> None:
    v, color = probability.shape[1], level_style(l)["color"]
    cells = [Rectangle(_cell(x, l, y, v), 2 * HALF, 2 * HALF / v) for x in columns for y in range(v)]
    ladder = PatchCollection(cells, cmap=fading_map(color), edgecolors="none")
    ladder.set_array(probability.ravel())
    ladder.set_clim(0, 1)
    ax.add_collection(ladder)
    for x in columns:
        ax.add_patch(Rectangle((x - HALF, l - HALF), 2 * HALF, 2 * HALF, fill=False, ec=color, lw=0.8, alpha=0.7))
