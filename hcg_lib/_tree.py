"""The tables that both implementations of inference read: rules, weights and the numbering of nodes."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from hcg_lib.grammar import RandomHierarchyModel

Array = np.ndarray


class Tree:
    """The lowest `levels` levels of a grammar as flat tables; rule y*m + r is the r-th production of symbol y.

    rules (L, v*m, s); weights (L, v*m), the probability of a rule given its symbol; first (L+1,), the number of
    the first node of each level, leaves first; spread (L,), the largest total weight of the rules that put one
    symbol at one position.
    """

    def __init__(self, grammar: RandomHierarchyModel, levels: int):
        self.v, self.m, self.s, self.L = grammar.v, grammar.m, grammar.s, levels
        self.d = self.s**levels
        self.rules = np.array(grammar.rules[:levels], np.int64).reshape(levels, self.v * self.m, self.s)
        probabilities = [grammar.level_probabilities(l) for l in range(1, levels + 1)]
        self.weights = np.array(probabilities, float).reshape(levels, self.v * self.m)
        self.first = np.array([(self.s ** (levels + 1) - self.s ** (levels + 1 - l)) // (self.s - 1)
                               for l in range(levels + 1)])  # fmt: skip

    @property
    def inner(self) -> int:
        """Nodes that choose a rule."""
        return int(self.first[-1]) + 1 - self.d

    @cached_property
    def spread(self) -> Array:
        made = [
            [np.bincount(rules[:, j], weights, minlength=self.v).max() for j in range(self.s)]
            for rules, weights in zip(self.rules, self.weights, strict=True)
        ]
        return np.array(made).reshape(self.L, self.s).max(1)

    def tensors(self, level: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Rules (v*m, s) and log-weights (v*m, 1, 1) of a level, counted from 0."""
        weights = torch.from_numpy(self.weights[level]).to(device).log()
        return torch.from_numpy(self.rules[level]).to(device), weights[:, None, None]

    def makers(self, level: int, j: int, device: torch.device) -> Tensor:
        """Which rules put a symbol at position j: (v, K), padded with v*m."""
        symbol = self.rules[level][:, j]
        order = np.argsort(symbol, kind="stable")
        count = np.bincount(symbol, minlength=self.v)
        rank = np.arange(len(symbol)) - np.repeat(np.cumsum(count) - count, count)
        table = np.full((self.v, count.max()), len(symbol))
        table[symbol[order], rank] = order
        return torch.from_numpy(table).to(device)
