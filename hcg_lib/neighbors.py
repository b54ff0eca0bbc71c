"""Copies among generated images: are they nearer to the training images than fresh real ones are?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hcg_lib._validate import as_array, check_real, shown

Array = np.ndarray
ROWS = 512  # compared at once


@dataclass(frozen=True)
class Memory:
    """What nearest training images say of generated ones.

    ratio: median distance of a generated image to its nearest training image, over that of held-out ones; 0 for copies,
    1 for fresh images. copied: share of generated images that are nearer to a training image than all but `chance` of
    the held-out ones; without copying it is `chance`.
    """

    ratio: float
    copied: float
    chance: float


def nearest(x: Any, training: Any) -> tuple[Float[Array, " N"], Int[Array, " N"]]:
    """Return the Euclidean distance to, and the row of, the nearest training item of each row of x (N, D).

    >>> [part.tolist() for part in nearest([[0.0], [4.0]], [[1.0], [3.5]])]
    [[1.0, 0.5], [0, 1]]
    """
    x, training = _rows("x", x), _rows("training", training)
    if x.shape[1] != training.shape[1]:
        raise ValueError(f"training must have the {x.shape[1]} channels of x, got {training.shape[1]}")
    norms = np.einsum("ij,ij->i", training, training)
    found = np.empty(len(x), np.int64)
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        found[rows] = (norms - 2 * x[rows] @ training.T).argmin(1)
    return np.linalg.norm(x - training[found], axis=1), found


def memory(generated: Any, held_out: Any, training: Any, chance: float = 0.01) -> Memory:
    """Compare the distances of generated and of held-out items (N, D) to the training items (P, D).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> training, held_out = rng.normal(size=(50, 3)), rng.normal(size=(1000, 3))
    >>> copies = memory(training, held_out, training)
    >>> copies.ratio, copies.copied
    (0.0, 1.0)
    """
    chance = check_real("chance", chance, 0, 1, strict=True)
    mine, theirs = nearest(generated, training)[0], nearest(held_out, training)[0]
    if np.median(theirs) == 0:
        raise ValueError("held_out must differ from training, got copies of more than half")
    border = np.quantile(theirs, chance)
    return Memory(float(np.median(mine) / np.median(theirs)), float((mine < border).mean()), chance)


def _rows(name: str, value: Any) -> Array:
    """Rows of finite numbers, in single precision if they come so: pixels of a whole data set are many."""
    array = as_array(name, value)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError(f"{name} must hold rows (N, D) of finite numbers, got {shown(value)}")
    return array if array.dtype == np.float32 else array.astype(float)
