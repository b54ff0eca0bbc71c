"""Strings below a symbol, numbered: mixed-radix index <-> subtree, and sampling built on it."""

from __future__ import annotations

from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from hcg_lib import _kernels
from hcg_lib._parallel import map_slices
from hcg_lib._random import INT64, distinct_integers
from hcg_lib._validate import as_array, shown

if TYPE_CHECKING:
    from hcg_lib.grammar import RandomHierarchyModel

Array = np.ndarray
TABLE_BYTES = 1 << 15  # subtrees listed in full stay in the first-level cache
BATCH = 1 << 16  # strings held at once where memory grows with m


class Subtrees:
    """The strings below every symbol of a grammar, in order.

    String number i below a level-l symbol reads, in mixed radix: the symbol's rule (most significant), then the
    children's own numbers from left to right, in base `size(l - 1)`.
    """

    def __init__(self, rules: tuple[Array, ...]):
        self.rules = np.stack(rules)
        self.L, self.v, self.m, self.s = self.rules.shape

    def size(self, level: int) -> int:
        """Number of strings below one symbol of `level`: m**((s**level - 1)/(s - 1)), an exact integer."""
        return self.m ** ((self.s**level - 1) // (self.s - 1))

    @cached_property
    def n_strings(self) -> int:
        """Number of strings below all v roots."""
        return self.v * self.size(self.L)

    def check_index(self, index: Any) -> Array:
        """Return numbers of strings as an array of words or of Python integers, or raise a ValueError."""
        number = as_array("index", index)
        whole = number.dtype.kind in "iu" or all(isinstance(i, Integral) for i in number.flat)
        if number.ndim != 1 or not whole:
            raise ValueError(f"index must be a list of integers, got {shown(index)}")
        if number.size and not (number.min() >= 0 and number.max() < self.n_strings):
            bad = number.min() if number.min() < 0 else number.max()
            allowed = f"from 0 to n_strings - 1 = {shown(self.n_strings - 1)}"
            raise ValueError(f"index must hold integers {allowed}, got {shown(int(bad))}")
        return number

    @cached_property
    def word_level(self) -> int:
        """The highest level whose strings, over all v symbols, one signed word can count."""
        return max(k for k in range(self.L + 1) if self.v * self.size(k) < INT64)

    @cached_property
    def table(self) -> tuple[int, Array]:
        """The highest level whose subtrees fit TABLE_BYTES, and all of them: (v, strings, s**level)."""
        rules = self.rules
        level, table = 0, np.arange(self.v, dtype=rules.dtype).reshape(self.v, 1, 1)
        while level < self.word_level:
            size = table.shape[1]
            below = size**self.s
            if self.v * self.m * below * self.s ** (level + 1) * rules.itemsize > TABLE_BYTES:
                break
            child = np.arange(below)[:, None] // size ** np.arange(self.s - 1, -1, -1) % size
            table = table[rules[level][:, :, None, :], child].reshape(self.v, self.m * below, -1)
            level += 1
        return level, np.ascontiguousarray(table)

    def expand(self, symbol: Array, index: Array, level: int) -> Array:
        """Return string number `index[p]` below the level-`level` symbol `symbol[p]`: (P, s**level)."""
        table_level, table = self.table
        sizes = np.array([self.size(k) for k in range(level + 1)], np.int64)
        out = np.empty((len(symbol), self.s**level), self.rules.dtype)

        def work(part: slice) -> None:
            _kernels.expand(symbol[part], index[part], level, sizes, self.rules, table, table_level, out[part])

        map_slices(work, len(symbol))
        return out

    def unrank(self, number: Array) -> Array:
        """Return strings by number below all roots, in words where one is enough, else in Python integers."""
        size = self.size(self.L)
        if self.word_level == self.L:
            root, index = np.divmod(number.astype(np.int64), size)
            return self.expand(root, index, self.L)
        rest = number.astype(object)[:, None]
        symbol, rest = (rest // size).astype(np.int64), rest % size
        for level in range(self.L, 0, -1):
            below = self.size(level - 1)
            digits = np.empty((*rest.shape, self.s), object)
            for j in range(self.s - 1, -1, -1):
                rest, digits[..., j] = rest // below, rest % below
            symbol = self.rules[level - 1][symbol, rest.astype(np.int64)].reshape(len(number), -1)
            rest = digits.reshape(len(number), -1)
        return symbol

    def rank(self, read: list[Array]) -> Array:
        """Return the numbers of strings whose rule numbers y*m + r were `read`, level 1 first."""
        kind = np.int64 if self.word_level == self.L else object
        below = np.zeros((len(read[0]), self.s**self.L), kind)
        for level, rule in enumerate(read, start=1):
            size = self.size(level - 1)
            number = (rule % self.m).astype(kind)
            for j in range(self.s):
                number = number * size + below[:, j :: self.s]
            below = number
        return ((read[-1] // self.m).astype(kind) * self.size(self.L) + below)[:, 0]


def sample_strings(g: RandomHierarchyModel, subtrees: Subtrees, P: int, rng: np.random.Generator) -> Array:
    """Draw P strings with replacement."""
    return sample_uniform(subtrees, P, rng) if g.probabilities is None else sample_weighted(g, P, rng)


def sample_uniform(subtrees: Subtrees, P: int, rng: np.random.Generator) -> Array:
    """Draw P strings with uniform rules: symbols of the word level, then one subtree index a node."""
    top = subtrees.word_level
    if top == subtrees.L:
        return subtrees.unrank(rng.integers(subtrees.v * subtrees.size(top), size=P))
    symbol = rng.integers(subtrees.v, size=(P, 1))
    for level in range(subtrees.L, top, -1):
        choice = rng.integers(subtrees.m, size=symbol.shape)
        symbol = subtrees.rules[level - 1][symbol, choice].reshape(P, -1)
    index = rng.integers(subtrees.size(top), size=symbol.size)
    return subtrees.expand(symbol.ravel(), index, top).reshape(P, -1)


def sample_weighted(g: RandomHierarchyModel, P: int, rng: np.random.Generator) -> Array:
    """Draw P strings level by level with the grammar's rule probabilities, in bounded memory."""
    parts = [np.empty((0, g.d), g.dtype)]
    for start in range(0, P, BATCH):
        count = min(BATCH, P - start)
        symbol = rng.integers(g.v, size=(count, 1))
        for level in range(g.L, 0, -1):
            edges = np.cumsum(g.level_probabilities(level), axis=1)[:, :-1]
            choice = (rng.random(symbol.shape)[..., None] >= edges[symbol]).sum(-1)
            symbol = g.rules[level - 1][symbol, choice].reshape(count, -1)
        parts.append(symbol.astype(g.dtype, copy=False))
    return np.concatenate(parts)


def sample_distinct(g: RandomHierarchyModel, subtrees: Subtrees, P: int, rng: np.random.Generator) -> Array:
    """Draw P distinct strings one after another, each among those not drawn yet, with the grammar's weights."""
    if g.probabilities is None and g.n_strings < INT64:
        return subtrees.unrank(distinct_integers(g.n_strings, P, rng))
    if g.n_strings <= 1 << 20:  # few enough to list: the P largest of log p + Gumbel noise
        everything = g.unrank(np.arange(g.n_strings))
        key = g.log_probability(everything) + rng.gumbel(size=g.n_strings)
        return everything[np.argsort(-key)[:P]]
    drawn = np.empty((0, g.d), g.dtype)
    while len(drawn) < P:  # a repeat is rejected, in order of appearance
        drawn = np.concatenate([drawn, g.sample(P - len(drawn), rng)])
        row = np.ascontiguousarray(drawn).view(np.dtype((np.void, drawn.itemsize * g.d)))[:, 0]
        drawn = drawn[np.sort(np.unique(row, return_index=True)[1])]
    return drawn
