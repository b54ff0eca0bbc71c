"""Strings read bottom-up: the rules of a grammar turned round, once, into tables that the kernels walk."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int32, Int64, UInt

from hcg_lib import _kernels
from hcg_lib._parallel import map_slices
from hcg_lib.rules import build_trie

Array = np.ndarray


class Reader:
    """Tries of all levels in one array (L, prefixes, v), and the symbol that owns each rule y*m + r."""

    def __init__(self, rules: tuple[Array, ...]):
        v, m, self.s = rules[0].shape
        tries = [build_trie(level) for level in rules]
        self.tries = np.full((len(rules), max(map(len, tries)), v), -1, np.int32)
        for trie, padded in zip(tries, self.tries, strict=True):
            padded[: len(trie)] = trie
        self.owner = np.repeat(np.arange(v), m)

    def read(self, x: UInt[Array, "P d"]) -> list[Int32[Array, "P nodes"]]:
        """Return the rule number y*m + r of every node, or -1: L arrays, level l = 1 … L of shape (P, s**(L-l))."""
        widths = self.s ** np.arange(len(self.tries) - 1, -1, -1)
        out = np.empty((len(x), widths.sum()), np.int32)
        map_slices(lambda part: _kernels.read_rules(x[part], self.tries, self.owner, self.s, out[part]), len(x))
        return np.split(out, np.cumsum(widths)[:-1], axis=1)

    def count_valid(self, x: UInt[Array, "P d"]) -> Int64[Array, "L 2"]:
        """Count, per level, the valid nodes and the nodes whose children are all valid."""
        parts = map_slices(lambda part: _kernels.count_valid(x[part], self.tries, self.owner, self.s), len(x))
        return np.sum(parts, axis=0)
