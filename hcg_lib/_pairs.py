"""Counts of token pairs, dense or sparse, kept apart by group of documents; compiled inner loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from hcg_lib._parallel import map_slices
from hcg_lib._validate import as_array, iterate

Array = np.ndarray
BUFFER = 1 << 20  # tokens a group gathers before its sparse pairs are sorted


@dataclass(frozen=True)
class Products:
    """Inner products of the pair counts $N_g$ of G groups and of their marginals $A_g$ (first), $B_g$ (second).

    `pair[g, h]` $= ⟨N_g, N_h⟩$, `triple[g, h, k]` $= A_h^⊤ N_g B_k$, `first[g, h]` $= ⟨A_g, A_h⟩$,
    `second[g, h]` $= ⟨B_g, B_h⟩$. They are all that a squared norm of a covariance, unbiased, needs.
    """

    pair: Array
    triple: Array
    first: Array
    second: Array


class DensePairs:
    """Pair counts of F families and G groups in one array (F, G, v, v)."""

    def __init__(self, families: int, groups: int, v: int):
        self.counts = np.zeros((families, groups, v, v), np.int64)

    def add(self, tokens: Array, offsets: Array, first: int, distances: Array) -> None:
        """Count the pairs at each distance inside documents `tokens[offsets[i]:offsets[i+1]]`."""
        map_slices(
            lambda part: _count_distances(tokens, offsets, first, distances[part], self.counts[part]),
            len(distances),
            least=1,
        )

    def add_positions(self, strings: Array, first: int, left: Array, right: Array) -> None:
        """Count the pairs (x_i, x_j) of strings of one length, family f holding i = left[f], j = right[f]."""
        groups = self.counts.shape[1]
        for group in range(groups):
            columns = np.ascontiguousarray(strings[(group - first) % groups :: groups].T)
            counts = self.counts[:, group]
            map_slices(
                lambda part, columns=columns, counts=counts: _count_columns(  # type: ignore[misc]
                    columns, left[part], right[part], counts[part]
                ),
                len(left),
                least=8,
            )

    def merge(self, other: DensePairs, factor: int) -> None:
        """Add `factor` times the counts of `other`."""
        self.counts += factor * other.counts

    def products(self, family: int, margins: bool) -> Products:
        """Return the inner products of one family's groups."""
        counts = self.counts[family].astype(np.float64)
        flat = counts.reshape(len(counts), -1)
        first, second = counts.sum(2), counts.sum(1)
        triple = first @ counts @ second.T if margins else np.zeros((len(counts),) * 3)
        return Products(flat @ flat.T, triple, first @ first.T, second @ second.T)


class SparsePairs:
    """Pair counts of F families and G groups as sorted keys a v + b, only pairs that occur.

    Memory: the tokens still buffered, and 12 to 16 bytes for every distinct (family, group, pair).
    """

    def __init__(self, families: int, groups: int, v: int):
        self.v, self.groups = v, groups
        self.dtype = np.uint32 if v <= 1 << 16 else np.uint64
        empty = np.empty(0, self.dtype), np.empty(0, np.int64)
        self.lists = [[empty] * groups for _ in range(families)]
        self.waiting: list[list[Array]] = [[] for _ in range(groups)]
        self.buffered = [0] * groups
        self.distances = np.empty(0, np.int64)

    def add(self, tokens: Array, offsets: Array, first: int, distances: Array) -> None:
        """Take the documents `tokens[offsets[i]:offsets[i+1]]`; their pairs are counted when enough have come."""
        self.distances = distances
        for i in range(len(offsets) - 1):
            group = (first + i) % self.groups
            self.waiting[group].append(tokens[offsets[i] : offsets[i + 1]].copy())
            self.buffered[group] += int(offsets[i + 1] - offsets[i])
            if self.buffered[group] >= BUFFER:
                self.flush(group)

    def flush(self, group: int) -> None:
        """Count the pairs of a group's waiting documents."""
        documents, self.waiting[group] = self.waiting[group], []
        self.buffered[group] = 0
        if not documents:
            return
        tokens = np.concatenate(documents)
        offsets = np.cumsum([0, *map(len, documents)])

        def count(part: slice) -> None:
            room = np.empty(len(tokens), self.dtype)
            for family in range(part.start, part.stop):
                size = _pair_keys(tokens, offsets, self.distances[family], self.v, room)
                found = _run_lengths(np.sort(room[:size]))
                self.lists[family][group] = _merge(*self.lists[family][group], *found, 1)

        map_slices(count, len(self.distances), least=1)

    def merge(self, other: SparsePairs, factor: int) -> None:
        """Add `factor` times the counts of `other`."""
        for group in range(self.groups):
            self.flush(group)
            other.flush(group)
        for mine, theirs in zip(self.lists, other.lists, strict=True):
            for group in range(self.groups):
                mine[group] = _merge(*mine[group], *theirs[group], factor)

    def products(self, family: int, margins: bool) -> Products:
        """Return the inner products of one family's groups."""
        for group in range(self.groups):
            self.flush(group)
        lists = self.lists[family]
        keys = np.concatenate([keys for keys, _ in lists])
        counts = np.concatenate([counts for _, counts in lists]).astype(np.float64)
        starts = np.cumsum([0, *(len(keys) for keys, _ in lists)])
        first, second = (np.zeros((self.v, self.groups)) for _ in range(2))
        _margins(keys, counts, starts, self.v, first, second)
        pair, triple = _sparse_products(keys, counts, starts, self.v, first, second, margins)
        return Products(pair, triple, first.T @ first, second.T @ second)


def pack(batch: Any) -> Iterator[tuple[Array, Array]]:
    """Yield documents end to end, about BUFFER tokens at a time, with the offsets of their borders.

    `batch` is one document (1-D), documents of one length (2-D), or an iterable of these.
    """
    waiting: list[Array] = []
    size = 0
    documents = "one document (1-D), a batch (B, d) or an iterable of these"
    for part in [batch] if isinstance(batch, np.ndarray) else iterate("tokens", batch, documents):
        array = as_array("tokens", part)
        if array.ndim == 2:
            yield array.reshape(-1), np.arange(len(array) + 1) * array.shape[1]
        elif array.ndim == 1:
            waiting.append(array)
            size += len(array)
        else:
            raise ValueError(f"tokens must be {documents}, got shape {array.shape}")
        if size >= BUFFER:
            yield np.concatenate(waiting), np.cumsum([0, *map(len, waiting)])
            waiting, size = [], 0
    if waiting:
        yield np.concatenate(waiting), np.cumsum([0, *map(len, waiting)])


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return njit(cache=True, nogil=True)(function)


@_compiled
def _count_distances(tokens, offsets, first, distances, counts):  # pragma: no cover
    groups = counts.shape[1]
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        for f in range(len(distances)):
            table = counts[f, (first + i) % groups]
            for j in range(start, stop - distances[f]):
                table[tokens[j], tokens[j + distances[f]]] += 1


@_compiled
def _count_columns(columns, left, right, counts):  # pragma: no cover
    """Count pairs of positions, one table at a time, along contiguous columns (d, P)."""
    for f in range(len(left)):
        table, one, other = counts[f], columns[left[f]], columns[right[f]]
        for p in range(columns.shape[1]):
            table[one[p], other[p]] += 1


@_compiled
def _pair_keys(tokens, offsets, distance, v, out):  # pragma: no cover
    """Write a v + b for every pair at `distance` inside a document; return how many there are."""
    size = 0
    for i in range(len(offsets) - 1):
        for j in range(offsets[i], offsets[i + 1] - distance):
            out[size] = np.int64(tokens[j]) * v + np.int64(tokens[j + distance])
            size += 1
    return size


@_compiled
def _run_lengths(ordered):  # pragma: no cover
    """Return the distinct values of a sorted array and how often each occurs."""
    keys = np.empty_like(ordered)
    counts = np.empty(len(ordered), np.int64)
    size = 0
    for i in range(len(ordered)):
        if size and keys[size - 1] == ordered[i]:
            counts[size - 1] += 1
        else:
            keys[size] = ordered[i]
            counts[size] = 1
            size += 1
    return keys[:size].copy(), counts[:size].copy()


@_compiled
def _merge(keys, counts, other, amounts, factor):  # pragma: no cover
    """Merge two sorted lists of keys; counts of equal keys add."""
    out = np.empty(len(keys) + len(other), keys.dtype)
    total = np.empty(len(out), np.int64)
    i = j = size = 0
    while i < len(keys) or j < len(other):
        from_mine = j == len(other) or (i < len(keys) and keys[i] <= other[j])
        from_other = i == len(keys) or (j < len(other) and other[j] <= keys[i])
        out[size] = keys[i] if from_mine else other[j]
        total[size] = (counts[i] if from_mine else 0) + (factor * amounts[j] if from_other else 0)
        i += from_mine
        j += from_other
        size += 1
    return out[:size].copy(), total[:size].copy()


@_compiled
def _margins(keys, counts, starts, v, first, second):  # pragma: no cover
    for g in range(len(starts) - 1):
        for i in range(starts[g], starts[g + 1]):
            a = np.int64(keys[i]) // v
            first[a, g] += counts[i]
            second[np.int64(keys[i]) - a * v, g] += counts[i]


@_compiled
def _sparse_products(keys, counts, starts, v, first, second, margins):  # pragma: no cover
    """Walk the rows a = 0 … v-1 of all groups together; one row is held dense at a time."""
    groups = len(starts) - 1
    pair = np.zeros((groups, groups))
    triple = np.zeros((groups, groups, groups))
    row = np.zeros((v, groups))
    pushed = np.zeros((groups, groups))  # N_g[a] B, one row a group
    seen = np.full(v, -1, np.int64)
    touched = np.empty(v, np.int64)
    here = starts[:-1].copy()
    present = np.empty(groups, np.int64)
    for a in range(v):
        size = 0
        for g in range(groups):
            pushed[g] = 0.0
            began = here[g]
            while here[g] < starts[g + 1] and np.int64(keys[here[g]]) < (a + 1) * v:
                b = np.int64(keys[here[g]]) - a * v
                count = counts[here[g]]
                row[b, g] = count
                if seen[b] != a:
                    seen[b] = a
                    touched[size] = b
                    size += 1
                if margins:
                    for k in range(groups):
                        pushed[g, k] += count * second[b, k]
                here[g] += 1
            if margins and here[g] > began:
                for h in range(groups):
                    for k in range(groups):
                        triple[g, h, k] += first[a, h] * pushed[g, k]
        for i in range(size):
            b = touched[i]
            many = 0
            for g in range(groups):
                if row[b, g] != 0.0:
                    present[many] = g
                    many += 1
            for x in range(many):
                for y in range(many):
                    pair[present[x], present[y]] += row[b, present[x]] * row[b, present[y]]
            for x in range(many):
                row[b, present[x]] = 0.0
    return pair, triple
