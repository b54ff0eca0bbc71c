"""Compiled inner loops of the grammar: expand a subtree index, read tuples bottom-up."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def expand(symbol, index, level, sizes, rules, table, table_level, out):  # pragma: no cover
    """Write the string number `index[p]` below the level-`level` symbol `symbol[p]` into `out[p]`.

    A subtree index is written in mixed radix: rule choice first, then the s children's own indices in base
    `sizes[level - 1]`. Levels <= `table_level` are read off `table` (v, sizes[table_level], s**table_level).
    """
    s = rules.shape[3]
    block = table.shape[2]
    width = out.shape[1] // block
    node = np.empty(width, np.int64)
    rest = np.empty(width, np.uint64)
    for p in range(out.shape[0]):
        node[0] = symbol[p]
        rest[0] = index[p]
        count = 1
        for k in range(level, table_level, -1):
            size = np.uint64(sizes[k - 1])
            for i in range(count - 1, -1, -1):
                y = node[i]
                r = rest[i]
                for j in range(s - 1, -1, -1):
                    q = r // size
                    rest[i * s + j] = r - q * size
                    r = q
                for j in range(s):
                    node[i * s + j] = rules[k - 1, y, np.int64(r), j]
            count *= s
        for i in range(width):
            y = node[i]
            r = np.int64(rest[i])
            for j in range(block):
                out[p, i * block + j] = table[y, r, j]


@njit(cache=True, nogil=True, inline="always")
def _read(trie, node, start, s):  # pragma: no cover
    """Follow the tuple node[start:start+s] through a trie; return its rule number y*m + r, or -1."""
    row = np.int64(0)
    for j in range(s):
        symbol = node[start + j]
        if symbol < 0:
            return np.int64(-1)
        row = trie[row, symbol]
        if row < 0:
            return np.int64(-1)
    return row


@njit(cache=True, nogil=True)
def read_rules(x, tries, owner, s, out):  # pragma: no cover
    """Write, for every node of every string, the number of the rule read there (-1 where none), leaf-most first."""
    d = x.shape[1]
    node = np.empty(d, np.int64)
    for p in range(x.shape[0]):
        for i in range(d):
            node[i] = x[p, i]
        width, column = d, 0
        for k in range(tries.shape[0]):
            width //= s
            for i in range(width):
                rule = _read(tries[k], node, i * s, s)
                out[p, column + i] = rule
                node[i] = owner[rule] if rule >= 0 else -1
            column += width


@njit(cache=True, nogil=True)
def count_valid(x, tries, owner, s):  # pragma: no cover
    """Count, per level, the valid nodes and the nodes whose children are all valid: int64 (L, 2)."""
    d = x.shape[1]
    L = tries.shape[0]
    node = np.empty(d, np.int64)
    counts = np.zeros((L, 2), np.int64)
    for p in range(x.shape[0]):
        for i in range(d):
            node[i] = x[p, i]
        width = d
        for k in range(L):
            width //= s
            for i in range(width):
                complete = True
                for j in range(s):
                    complete &= node[i * s + j] >= 0
                rule = _read(tries[k], node, i * s, s)
                node[i] = owner[rule] if rule >= 0 else -1
                counts[k, 0] += rule >= 0
                counts[k, 1] += complete
    return counts
