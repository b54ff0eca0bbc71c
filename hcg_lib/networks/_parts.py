"""Weights from explicit seeds, and checks of what enters a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hcg_lib._random import generator


class Weights:
    """Draws parameters N(0, std²) one after the other; the global random state is not touched."""

    def __init__(self, seed: Any):
        word = int(generator(seed).integers(2**63))
        self.generator = torch.Generator().manual_seed(word)

    def normal(self, *shape: int, std: float = 1.0) -> nn.Parameter:
        return nn.Parameter(torch.randn(shape, generator=self.generator) * std)

    def linear(self, width_in: int, width_out: int) -> nn.Linear:
        """An affine layer, weights N(0, 1 / (3 width_in)), bias 0."""
        layer = nn.Linear(width_in, width_out, device="meta")  # no draw from the global random state
        layer.weight = self.normal(width_out, width_in, std=(3 * width_in) ** -0.5)
        layer.bias = nn.Parameter(torch.zeros(width_out))
        return layer


def check_evidence(evidence: Tensor, d: int, v: int) -> Tensor:
    """Return the evidence with rows that sum to 1, or raise a ValueError that names what is wrong."""
    if not isinstance(evidence, Tensor) or evidence.ndim != 3 or evidence.shape[1:] != (d, v):
        shape = tuple(evidence.shape) if isinstance(evidence, Tensor) else type(evidence).__name__
        raise ValueError(f"evidence must be a tensor (B, d, v) = (B, {d}, {v}), got {shape}")
    return evidence / evidence.sum(-1, keepdim=True).clamp_min(torch.finfo(evidence.dtype).tiny)
