"""Tuples in the plane of their context statistics, gathering around their parents as the data grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anywidget
import numpy as np
import traitlets as t

from hcg_lib._validate import (
    MOST_SYMBOLS,
    as_array,
    check_integer,
    check_numbers,
    check_real,
    check_symbols,
    check_text,
    shown,
)
from hcg_lib.plotting import LEVEL_COLORS

from ._bundle import bundle, style

MOST_NUMBERS = 30_000  # coordinates; keeps the state of a page below 300 KB


class ContextClusters(anywidget.AnyWidget):
    """The piece itself; make one with `context_clusters`. `index` is the place in `sizes` the reader has chosen."""

    _esm = bundle("contexts.mjs")
    _css = style()
    index = t.Int(0).tag(sync=True)
    points: t.List = t.List().tag(sync=True)
    labels: t.List = t.List().tag(sync=True)
    names: t.List = t.List().tag(sync=True)
    sizes: t.List = t.List().tag(sync=True)
    accuracy: t.List = t.List().tag(sync=True)
    threshold = t.Float(None, allow_none=True).tag(sync=True)
    threshold_label = t.Unicode("").tag(sync=True)
    title = t.Unicode("").tag(sync=True)
    caption = t.Unicode("").tag(sync=True)
    colors: t.List = t.List(list(LEVEL_COLORS)).tag(sync=True)


def project(vectors: Any, reference: Any = None) -> np.ndarray:
    """Context vectors seen along the two directions in which the reference vectors differ most (PCA).

    All frames share the directions, so that points can be followed from frame to frame.

    Parameters
    ----------
    vectors : array, shape (n_P, n, k)
        Context vector of each of n tuples, at each P.
    reference : array, shape (n, k), optional
        Vectors that set the directions, e.g. population values; the last frame by default.

    Returns
    -------
    array, shape (n_P, n, 2)

    Raises
    ------
    ValueError
        If shapes do not fit, values are not finite, or there are fewer than two directions.

    Examples
    --------
    >>> frames = project([[[0.0, 0.0, 1.0], [4.0, 0.0, 1.0], [0.0, 2.0, 1.0]]])
    >>> frames.shape
    (1, 3, 2)
    """
    values = check_numbers("vectors", vectors)
    if values.ndim != 3 or min(values.shape) < 1:
        raise ValueError(f"vectors must be finite with shape (n_P, n, k), got shape {values.shape}")
    basis = values[-1] if reference is None else check_numbers("reference", reference)
    if basis.shape != values.shape[1:]:
        raise ValueError(f"reference must be finite with shape {values.shape[1:]}, got shape {basis.shape}")
    if min(basis.shape) < 2:
        raise ValueError(f"vectors must hold at least two tuples and two directions, got shape {values.shape}")
    directions = np.linalg.svd(basis - basis.mean(0), full_matrices=False)[2][:2]
    largest = np.abs(directions).argmax(1)
    directions = directions * np.sign(directions[[0, 1], largest])[:, None]  # one sign, whatever the platform
    return (values - values.mean(1, keepdims=True)) @ directions.T


def fill_frame(frames: np.ndarray) -> np.ndarray:
    """Each axis of each frame moved and scaled to run from -1000 to 1000, in integers."""
    low, high = frames.min(1, keepdims=True), frames.max(1, keepdims=True)
    half = (high - low) / 2
    return np.rint(1000 * (frames - (low + high) / 2) / np.where(half > 0, half, 1.0)).astype(int)


def context_clusters(
    frames: Any,
    labels: Any,
    P: Any,
    accuracy: Any,
    threshold: float | None = None,
    tuples: Sequence[Sequence[int]] | None = None,
    threshold_label: str = "predicted",
    index: int = 0,
    title: str = "Tuples placed by their context",
) -> ContextClusters:
    """A slider over the number of strings P: tuples, colored by true parent, gather into clusters.

    Parameters
    ----------
    frames : array, shape (n_P, n, 2)
        Positions of n tuples at each P, e.g. from `project`; each frame is scaled to fill the picture, axis by axis.
    labels : integer array, shape (n,)
        True parent of each tuple; at most 18 parents.
    P : array, shape (n_P,)
        Numbers of strings, increasing and positive.
    accuracy : array, shape (n_P,)
        Clustering accuracy in [0, 1] at each P.
    threshold : float, optional
        Predicted P, drawn as a dashed line.
    tuples : n sequences of symbols, optional
        Names of the points.
    threshold_label : str
    index : int
        Frame shown first.
    title : str
        What the picture shows, read to those who cannot see it.

    Returns
    -------
    ContextClusters
        Observe `index` in a live notebook.

    Raises
    ------
    ValueError
        If shapes do not fit or a value is out of range.

    Examples
    --------
    >>> widget = context_clusters([[[0, 0], [1, 1]], [[0, 0], [2, 0]]], [0, 1], [10, 100], [0.5, 1.0], 42.0)
    >>> widget.points[1]
    [[-1000, 0], [1000, 0]]
    """
    positions = check_numbers("frames", frames)
    if positions.ndim != 3 or positions.shape[-1] != 2 or 0 in positions.shape:
        raise ValueError(f"frames must be finite with shape (n_P, n, 2), got shape {positions.shape}")
    if positions.size > MOST_NUMBERS:
        raise ValueError(f"frames must hold at most {MOST_NUMBERS} coordinates, got {positions.size}")
    n_P, n, _ = positions.shape
    parents = as_array("labels", labels)
    if parents.shape != (n,) or parents.dtype.kind not in "iu":
        raise ValueError(f"labels must be {n} integers, got {parents.dtype} of shape {parents.shape}")
    if len(np.unique(parents)) > 18:
        raise ValueError(f"labels must name at most 18 parents, got {len(np.unique(parents))}")
    sizes = check_numbers("P", P)
    if sizes.shape != (n_P,) or sizes[0] <= 0 or (np.diff(sizes) <= 0).any():
        raise ValueError(f"P must be {n_P} increasing positive numbers, got {shown(P)}")
    share = check_numbers("accuracy", accuracy, 0, 1)
    if share.shape != (n_P,):
        raise ValueError(f"accuracy must be {n_P} numbers in [0, 1], got {shown(accuracy)}")
    names = [f"tuple {i}" for i in range(n)]
    if tuples is not None:
        names = [str(tuple(a)) for a in check_symbols("tuples", tuples, MOST_SYMBOLS, missing=True).tolist()]
    if len(names) != n:
        raise ValueError(f"tuples must name {n} points, got {len(names)}")
    return ContextClusters(
        index=check_integer("index", index, 0, n_P - 1),
        points=fill_frame(positions).tolist(),
        labels=parents.tolist(),
        names=names,
        sizes=sizes.tolist(),
        accuracy=share.round(4).tolist(),
        threshold=None if threshold is None else check_real("threshold", threshold, 0, strict=True),
        threshold_label=check_text("threshold_label", threshold_label),
        title=check_text("title", title),
        caption=f"Each of the {n} points is a tuple, its number its parent; threads lead to the mean of synonyms. "
        "Every frame is scaled to fill the picture.",
    )
