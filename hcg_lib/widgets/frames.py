"""A slider over pictures drawn beforehand, for every figure that wants to move."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets as t
from matplotlib.figure import Figure

from hcg_lib._validate import check_integer, check_list, check_text

from ._bundle import bundle, style

PNG = b"\x89PNG\r\n\x1a\n"


class FramesSlider(anywidget.AnyWidget):
    """The piece itself; make one with `frames_slider`. `index` is the frame shown; `jslink` it to anything."""

    _esm = bundle("frames.mjs")
    _css = style()
    index = t.Int(0).tag(sync=True)
    frames: t.List = t.List().tag(sync=True)
    labels: t.List = t.List().tag(sync=True)
    descriptions: t.List = t.List().tag(sync=True)
    texts: t.List = t.List().tag(sync=True)
    title = t.Unicode("frame").tag(sync=True)


def _png(frame: Any, dpi: int) -> str:
    """A figure, or the bytes of a PNG, as base64."""
    if isinstance(frame, Figure):
        buffer = io.BytesIO()
        frame.savefig(buffer, format="png", dpi=dpi, transparent=True, bbox_inches=None)
        frame = buffer.getvalue()
    if not isinstance(frame, bytes) or not frame.startswith(PNG):
        raise ValueError(f"frames must hold matplotlib figures or PNG bytes, got {type(frame).__name__}")
    return base64.b64encode(frame).decode("ascii")


def frames_slider(
    frames: Sequence[Figure | bytes],
    labels: Sequence[str],
    descriptions: Sequence[str] | None = None,
    title: str = "frame",
    index: int = 0,
    dpi: int = 144,
    texts: Sequence[Sequence[str]] | None = None,
) -> FramesSlider:
    """A slider that shows one of several pictures of equal size, and passages of text with each; it needs no kernel.

    Parameters
    ----------
    frames : sequence of Figure or PNG bytes
    labels : sequence of str
        What the slider reads at each frame.
    descriptions : sequence of str, optional
        Text alternative of each frame; by default "title: label".
    title : str
        Name of the slider.
    index : int
        Frame shown first.
    dpi : int
        Resolution of figures.
    texts : sequence of sequences of str, optional
        Passages shown below each frame, as text that can be selected.

    Returns
    -------
    FramesSlider

    Raises
    ------
    ValueError
        If there is no frame, a frame is no picture, or the lengths differ.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figures = [plt.figure(figsize=(2, 1)) for _ in range(3)]
    >>> frames_slider(figures, ["1", "2", "4"], title="steps").descriptions[2]
    'steps: 4'
    >>> plt.close("all")
    """
    frames, labels = check_list("frames", frames, "of pictures"), check_list("labels", labels, "of texts")
    if descriptions is not None:
        descriptions = check_list("descriptions", descriptions, "of texts")
    if len(frames) == 0:
        raise ValueError("frames must hold at least one picture, got none")
    if texts is not None:
        texts = [check_list("texts", passages, "of passages") for passages in check_list("texts", texts, "of lists")]
    for name, words in (("labels", labels), ("descriptions", descriptions), ("texts", texts)):
        if words is not None and len(words) != len(frames):
            raise ValueError(f"{name} must hold {len(frames)} texts, got {len(words)}")
    dpi, title = check_integer("dpi", dpi, 36, 600), check_text("title", title)
    spoken = descriptions or [f"{title}: {label}" for label in labels]
    return FramesSlider(
        index=check_integer("index", index, 0, len(frames) - 1),
        frames=[_png(frame, dpi) for frame in frames],
        labels=[str(label) for label in labels],
        descriptions=[str(text) for text in spoken],
        texts=[[str(passage) for passage in passages] for passages in texts or []],
        title=title,
    )
