"""Many strings at a glance, each with the blocks of every level that are right; drawn, never computed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import FancyBboxPatch

from hcg_lib._validate import MOST_SYMBOLS, as_array, check_integer, check_list, check_symbols, check_text

from .style import INK, WIDTH, level_style

ROW = 0.21  # inches a level
GAP = 1.0  # between columns of strings, in tokens
PAD = 0.07  # between blocks


def draw_strings(
    levels: Sequence[Any], notes: Sequence[str] | None = None, columns: int = 2, ax: Axes | None = None
) -> Axes:
    """Draw strings as tokens under bars, one bar a block of s**l tokens: filled where it parses, dotted where not.

    Parameters
    ----------
    levels : sequence of L+1 integer arrays, shape (B, s**(L-l))
        Symbols of level l = 0 … L, as `RandomHierarchyModel.parse` returns them; −1 where nothing parses.
    notes : sequence of B str, optional
        Written above each string.
    columns : int
        Strings side by side; they fill rows from left to right.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        Its texts are, string by string, the note if there is one, and one text a node, tokens first.

    Raises
    ------
    ValueError
        If the levels do not have B rows of s**L, …, s, 1 nodes, or notes are not B.

    Examples
    --------
    >>> ax = draw_strings([[[0, 3, 1, 1]], [[2, -1]], [[-1]]], notes=["level 1, half"])
    >>> [text.get_text() for text in ax.texts]
    ['level 1, half', '0', '3', '1', '1', '2', '×', '×']
    """
    arrays = [
        check_symbols("levels", level, MOST_SYMBOLS, missing=True)
        for level in check_list("levels", levels, "of arrays, one a level")
    ]
    count, width = _checked(arrays)
    columns = min(check_integer("columns", columns, 1), count)
    words = [""] * count if notes is None else [check_text("notes", n) for n in check_list("notes", notes, "of texts")]
    if len(words) != count:
        raise ValueError(f"notes must hold {count} texts, one a string, got {len(words)}")
    rows, tall = -(-count // columns), len(arrays) + 1.4
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, ROW * tall * rows), layout="constrained")
    ax.set(xlim=(-0.1, columns * (width + GAP) - GAP + 0.1), ylim=(-tall * rows + 0.3, 0.3), xticks=[], yticks=[])
    ax.set_axis_off()
    for i, note in enumerate(words):
        left, top = (i % columns) * (width + GAP), -(i // columns) * tall
        if note:
            ax.text(left, top - 0.1, note, va="top", size=9.5, color=INK)
        for l, symbols in enumerate(arrays):
            span = width // symbols.shape[1]
            for j, symbol in enumerate(symbols[i].tolist()):
                _block(ax, left + j * span, top - tall + 0.7 + l, span, symbol, l)
    return ax


def _block(ax: Axes, x: float, y: float, span: int, symbol: int, level: int) -> None:
    """One node: its symbol in a bar over its tokens; tokens have no bar."""
    right = symbol >= 0
    color = level_style(level)["color"] if right else INK
    if level:
        box = FancyBboxPatch(
            (x + PAD, y + PAD),
            span - 2 * PAD,
            1 - 2 * PAD,
            boxstyle="round,pad=0,rounding_size=0.15",
            facecolor=to_rgba(color, 0.22 if right else 0.0),
            edgecolor=to_rgba(color, 1.0 if right else 0.6),
            linestyle="-" if right else ":",
            linewidth=1.1,
        )
        ax.add_patch(box)
    text = str(symbol) if right else "×"
    weight = "bold" if right and level else "normal"
    ax.text(x + span / 2, y + 0.5, text, ha="center", va="center_baseline", size=8.5, color=color, weight=weight)


def _checked(arrays: list[np.ndarray]) -> tuple[int, int]:
    """Numbers of strings and of tokens."""
    shapes = [as_array("levels", a).shape for a in arrays]
    counts = [shape[1] for shape in shapes]
    ratios = {a / b for a, b in pairwise(counts) if b}
    pyramid = len(counts) > 1 and counts[-1] == 1 and len(ratios) == 1 and min(ratios) >= 2 and min(ratios) % 1 == 0
    if not pyramid or len({shape[0] for shape in shapes}) != 1 or not shapes[0][0]:
        raise ValueError(f"levels must hold B >= 1 rows of s**L, …, s, 1 nodes with s >= 2, got shapes {shapes}")
    return shapes[0]
