"""Compiled inner loops of the tuple statistics."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, inline="always")
def _code(row, start, v, s):  # pragma: no cover
    """Read s symbols as one number in base v; -1 if any is unknown."""
    code = np.int64(0)
    for j in range(s):
        a = np.int64(row[start + j])
        if a < 0:
            return np.int64(-1)
        code = code * v + a
    return code


@njit(cache=True, nogil=True)
def mark_tuples(symbols, v, s, seen):  # pragma: no cover
    """Mark the code of every complete tuple."""
    for p in range(symbols.shape[0]):
        for i in range(symbols.shape[1] // s):
            code = _code(symbols[p], i * s, v, s)
            if code >= 0:
                seen[code] = True


@njit(cache=True, nogil=True)
def count_contexts(symbols, targets, row, v, s, span, positions, slots, out):  # pragma: no cover
    """Add one to out[row of the tuple, slot, q, target] for every tuple and every counted position of its context.

    A family is `slots` tuples below one node; the context of a tuple is what lies below the other children of that
    node, `span` targets a tuple, numbered from left to right.
    """
    branch = slots // s  # tuples below one child of the meeting node
    wide = branch * span
    for p in range(symbols.shape[0]):
        for i in range(symbols.shape[1] // s):
            code = _code(symbols[p], i * s, v, s)
            if code < 0:
                continue
            t = row[code]
            slot = i % slots
            start = (i - slot) * span
            own = slot // branch * wide  # where the tuple's own child of the meeting node begins
            for q in range(positions.shape[0]):
                place = positions[q]
                if place >= own:
                    place += wide
                z = targets[p, start + place]
                if z >= 0:
                    out[t, slot, q, z] += 1
