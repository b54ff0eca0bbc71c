"""Draws from categorical distributions, many short rows at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hcg_lib._random import generator
from hcg_lib._validate import shown


def categorical(probabilities: Tensor, seed: Any) -> Tensor:
    """Draw one index along the last axis of each row, by inverse CDF: int64 of the remaining axes.

    The numbers come from the generator, so that every device draws the same up to rounding; rows need not be
    normalised. Far faster than torch.multinomial on many short rows.

    Examples
    --------
    >>> categorical(torch.tensor([[0.0, 1.0], [2.0, 0.0]]), seed=0).tolist()
    [1, 0]
    """
    if not isinstance(probabilities, Tensor) or not probabilities.is_floating_point() or not probabilities.ndim:
        raise ValueError(f"probabilities must be a tensor of real numbers (…, v), got {shown(probabilities)}")
    running = probabilities.cumsum(-1)
    total = running[..., -1]
    if not bool(((probabilities >= 0).all() & (total > 0) & torch.isfinite(total)).all()):
        raise ValueError("probabilities must be finite and >= 0, not all 0 in a row")
    uniform = torch.from_numpy(generator(seed).random((*running.shape[:-1], 1)))
    level = uniform.to(running) * running[..., -1:]
    return (running[..., :-1] <= level).sum(-1)
