"""What a text has in common with another, word for word: the longest span of each string that the other contains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from hcg_lib._validate import check_list, check_symbols

Array = np.ndarray
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd; hashes are polynomials in it modulo 2**64
BITS = np.uint64(22)  # of the table that sorts out nearly all places at once
START = 12  # every span that is longer starts where one of this length does
MOST = 1 << 31


def longest_copied(strings: Any, documents: Sequence[Any]) -> Array:
    """Return the length of the longest span of each string that occurs in one of the documents.

    A place of the documents where a span of length n + 1 of the strings starts is one where a span of length n does.
    So places are sorted out as the length grows, and few are left after the first reading. Spans are compared by hashes
    of 64 bits, of which two that differ are equal with probability 1e-19 or so.

    Parameters
    ----------
    strings
        (N, d) ids.
    documents
        Vectors of ids.

    Returns
    -------
    (N,) integers from 0 to d.

    Examples
    --------
    >>> longest_copied([[1, 2, 3, 4], [9, 9, 9, 9]], [[0, 2, 3, 4, 5], [1, 1]]).tolist()
    [3, 0]
    """
    x = check_symbols("strings", strings, MOST).astype(np.int64)
    texts = [
        check_symbols("documents", d, MOST, ndim=1) for d in check_list("documents", documents, "of vectors of ids")
    ]
    size = max([int(part.max()) + 1 for part in (x, *texts) if part.size], default=1)
    border = np.full(1, size, np.int32)  # between documents: no string holds it
    text = np.concatenate([part for document in texts for part in (document.astype(np.int32), border)] or [border])
    code = np.random.default_rng(0).integers(2**63, size=size + 1, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    everywhere = np.arange(len(text), dtype=np.int64)
    longest = np.zeros(len(x), np.int64)
    first = min(START, x.shape[1])
    alive, places = _survivors(x, first, code, text, everywhere)
    rows, short = np.flatnonzero(alive), np.flatnonzero(~alive)
    for length in range(first - 1, 0, -1):  # strings of which not even a span of the first length occurs
        if not len(short):
            break
        found, _ = _survivors(x[short], length, code, text, everywhere)
        longest[short[found]] = length
        short = short[~found]
    longest[rows] = first
    for length in range(first + 1, x.shape[1] + 1):
        alive, places = _survivors(x[rows], length, code, text, places)
        rows = rows[alive]
        if not len(rows):
            break
        longest[rows] = length
    return longest


def _survivors(x: Array, length: int, code: Array, text: Array, places: Array) -> tuple[Array, Array]:
    """Which strings have a span of this length in the text, and the places where one starts."""
    hashes = _hashes(x, length, code)
    wanted, where = np.unique(hashes, return_inverse=True)
    table = np.zeros(1 << int(BITS), np.bool_)
    table[wanted >> (np.uint64(64) - BITS)] = True
    found = np.zeros(len(wanted), np.bool_)
    kept = np.empty_like(places)
    number = _scan(text, places, length, code, BASE, table, wanted, found, kept)
    return np.asarray(found[where].reshape(hashes.shape).any(1)), kept[:number].copy()


def _hashes(x: Array, length: int, code: Array) -> Array:
    """Hashes of all spans of one length: (N, d - length + 1)."""
    values, width = code[x], x.shape[1] - length + 1
    total = np.zeros((len(x), width), np.uint64)
    for i in range(length):
        total = total * BASE + values[:, i : i + width]
    return total


@njit(cache=True, nogil=True)
def _scan(text, places, length, code, base, table, wanted, found, kept):  # pragma: no cover
    """Mark the wanted hashes that spans starting at `places`, in order, have; write where, return how many."""
    shift = np.uint64(64) - BITS
    power = np.uint64(1)
    for _ in range(length):
        power = power * base
    value, before, number = np.uint64(0), -2, 0
    for place in places:
        if place + length > len(text):
            break
        if place == before + 1:
            value = value * base + code[text[place + length - 1]] - power * code[text[before]]
        else:
            value = np.uint64(0)
            for i in range(place, place + length):
                value = value * base + code[text[i]]
        before = place
        if table[value >> shift]:
            at = np.searchsorted(wanted, value)
            if at < len(wanted) and wanted[at] == value:
                found[at] = True
                kept[number] = place
                number += 1
    return number
