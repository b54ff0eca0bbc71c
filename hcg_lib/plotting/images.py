"""Many small images side by side; drawn, never computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from hcg_lib._validate import as_array, check_list, check_text

from .style import INK, WIDTH

GAP = 2  # pixels between images
LABELS = 0.95  # inches for the names of rows


def draw_images(rows: Any, labels: Sequence[str] | None = None, ax: Axes | None = None, width: float = WIDTH) -> Axes:
    """Draw rows of images of one size, with the name of each row beside it.

    Parameters
    ----------
    rows : array, shape (R, C, H, W, 1) or (R, C, H, W, 3), uint8
    labels : sequence of R str, optional
    ax : Axes, optional
        Where to draw; a new figure by default, as high as the rows need.
    width : float
        Inches of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the images have another shape or type, or labels are not R.

    Examples
    --------
    >>> ax = draw_images(np.zeros((2, 3, 4, 4, 1), np.uint8), labels=["before", "after"])
    >>> [label.get_text() for label in ax.get_yticklabels()], ax.images[0].get_array().shape
    (['before', 'after'], (10, 16, 4))
    """
    array = as_array("rows", rows)
    if array.ndim != 5 or array.shape[-1] not in (1, 3) or array.dtype != np.uint8 or not array.size:
        raise ValueError(f"rows must be uint8 images (R, C, H, W, 1 or 3), got shape {array.shape} of {array.dtype}")
    R, C, H, W, _ = array.shape
    names = (
        None if labels is None else [check_text("labels", label) for label in check_list("labels", labels, "of texts")]
    )
    if names is not None and len(names) != R:
        raise ValueError(f"labels must hold {R} texts, one a row, got {len(names)}")
    canvas = np.zeros((R, H + GAP, C, W + GAP, 4), np.uint8)  # transparent between images
    canvas[:, :H, :, :W, :3] = array.transpose(0, 2, 1, 3, 4)
    canvas[:, :H, :, :W, 3] = 255
    canvas = canvas.reshape(R * (H + GAP), C * (W + GAP), 4)[:-GAP, :-GAP]
    if ax is None:
        inner = width - (LABELS if names else 0)
        _, ax = plt.subplots(figsize=(width, inner * canvas.shape[0] / canvas.shape[1] + 0.1), layout="constrained")
    ax.imshow(canvas, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([] if names is None else (np.arange(R) * (H + GAP) + H / 2).tolist(), names or [], color=INK)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax
