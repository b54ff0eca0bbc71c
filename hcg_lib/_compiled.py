"""Inference by the compiled kernels, on the CPU; strings they cannot settle take the route of logarithms."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hcg_lib import _logspace, _messages
from hcg_lib._parallel import map_slices
from hcg_lib._rows import WIDTH
from hcg_lib._tree import Tree

Array = np.ndarray
LEAST = 256  # strings worth a thread
BYTES = 1 << 28  # of a thread's messages


def fits(tree: Tree, likelihood: Tensor) -> bool:
    """Whether the messages of one tile of strings are small enough to be held."""
    return 2 * (int(tree.first[-1]) + 1) * tree.v * WIDTH * likelihood.element_size() <= BYTES


def _tables(tree: Tree, dtype: np.dtype) -> tuple[Array, Array, Array, Any]:
    return tree.rules, tree.weights.astype(dtype), tree.first, np.finfo(dtype).tiny


def _doubtful(doubts: Array) -> Array:
    """Rows where underflow may have cost more than rounding."""
    return np.flatnonzero(~(doubts <= np.finfo(doubts.dtype).eps))


def beliefs(tree: Tree, likelihood: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Marginals of all nodes (B, N, v), cavity (B, d, v), log-evidence (B,)."""
    phi = likelihood.numpy()
    rules, weights, first, tiny = _tables(tree, phi.dtype)
    spread = tree.spread.astype(phi.dtype)
    marginals = np.empty((len(phi), first[-1] + 1, tree.v), phi.dtype)
    cavity, total, doubts = np.empty_like(phi), np.empty(len(phi), phi.dtype), np.empty(len(phi), phi.dtype)

    def work(p: slice) -> None:
        out = (marginals[p], cavity[p], total[p], doubts[p])
        _messages.beliefs(phi[p], rules, weights, spread, first, tiny, *out)

    map_slices(work, len(phi), LEAST)
    rows = _doubtful(doubts)
    if len(rows):
        exact = _logspace.beliefs(tree, likelihood[rows])
        for out, value in zip((marginals, cavity, total), exact, strict=True):
            out[rows] = value.numpy()
    return torch.from_numpy(marginals), torch.from_numpy(cavity), torch.from_numpy(total)


def evidence(tree: Tree, likelihood: Tensor) -> Tensor:
    """Log-evidence (B,)."""
    phi = likelihood.numpy()
    tables = _tables(tree, phi.dtype)
    total, doubts = np.empty(len(phi), phi.dtype), np.empty(len(phi), phi.dtype)
    map_slices(lambda p: _messages.evidence(phi[p], *tables, total[p], doubts[p]), len(phi), LEAST)
    rows = _doubtful(doubts)
    if len(rows):
        total[rows] = _logspace.evidence(tree, likelihood[rows]).numpy()
    return torch.from_numpy(total)


def draw(tree: Tree, likelihood: Tensor, uniform: Tensor) -> Tensor:
    """Strings (B, d) for the given random numbers (B, 1 + inner nodes), -1 where the evidence is contradictory."""
    phi = likelihood.numpy()
    strings, doubts = np.empty((len(phi), tree.d), np.int64), np.empty(len(phi), phi.dtype)
    _messages.draws(phi, *_tables(tree, phi.dtype), uniform.numpy(), strings, doubts)
    drawn, rows = torch.from_numpy(strings), _doubtful(doubts)
    if len(rows):
        drawn[rows] = _logspace.draw(tree, likelihood[rows], uniform[rows])
    return drawn
