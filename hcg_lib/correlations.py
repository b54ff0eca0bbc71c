r"""Token–token correlations against distance, with their sampling floor.

For two tokens X, Y of one document, $t$ apart, the covariance matrix is

$$ C_{ab}(t) = P(X=a, Y=b) - P(X=a)\,P(Y=b), \qquad ‖C‖ = \Big(\sum_{ab} C_{ab}^2\Big)^{1/2}, \qquad \tilde C = ‖C‖/v $$

(by analogy with arXiv 2406.00048, Eq. 6). Frequencies in place of probabilities give a norm that never falls
below a sampling floor: its square is too large by the variance of the estimate. Here documents are dealt into
groups and a product of frequencies only ever takes factors of *different* groups, so the square is unbiased
whatever the dependence inside a document (derived; `hcg_lib._unbiased.squared_norm`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hcg_lib._estimator import MOST_GROUPS, CorrelationCurve, Estimator
from hcg_lib._pairs import DensePairs, pack
from hcg_lib._unbiased import LEAST
from hcg_lib._validate import (
    LONGEST,
    MOST_SYMBOLS,
    as_array,
    check_choice,
    check_counts,
    check_integer,
    check_symbols,
    iterate,
    shown,
)
from hcg_lib.rules import check_length

__all__ = ["CorrelationCurve", "LevelCorrelations", "TokenCorrelations", "default_distances", "lca_level"]

Array = np.ndarray
DENSE_BYTES = 1 << 27  # up to here all v**2 cells are counted, above only the pairs that occur
LEVEL_BYTES = 1 << 30
MOST_DISTANCES = 1 << 20


def default_distances(longest: int, number: int = 24) -> Array:
    """Return at most `number` distinct integers from 1 to `longest`, evenly spaced in the logarithm.

    >>> default_distances(16, 5).tolist()
    [1, 2, 4, 8, 16]
    """
    longest = check_integer("longest", longest, 1, limit=MOST_DISTANCES**2)
    number = check_integer("number", number, 1, limit=MOST_DISTANCES)
    return np.unique(np.rint(np.geomspace(1, longest, number)).astype(np.int64))


def lca_level(i: Any, j: Any, s: int) -> Any:
    """Return the level of the lowest common ancestor of leaves i and j: 0 if i = j, 1 for siblings, …

    Works elementwise on integer arrays. Leaf i sits under node i // s**k of level k.

    >>> lca_level(0, 1, 2), lca_level(1, 2, 2), lca_level(0, 7, 2)
    (1, 2, 3)
    """
    s = check_integer("s", s, 2, limit=LONGEST)
    one, other = as_array("i", i), as_array("j", j)
    for name, value in (("i", one), ("j", other)):
        if value.dtype.kind not in "iu" or (value.size and value.min() < 0):
            raise ValueError(f"{name} must hold integers >= 0, got {shown(value)}")
    try:
        shape = np.broadcast_shapes(one.shape, other.shape)
    except ValueError:
        raise ValueError(f"j must have a shape that fits that of i, {one.shape}, got {other.shape}") from None
    level = np.zeros(shape, np.int64)
    while np.any(one != other):
        level += one != other
        one, other = one // s, other // s
    return int(level) if level.ndim == 0 else level


class TokenCorrelations(Estimator):
    r"""Covariance of two tokens t apart, pooled over positions, streaming over documents.

    Pairs never cross the border of a document. Documents are dealt in turn into `groups`; shuffle them first if
    their order means something. Memory does not grow with the data for a small vocabulary; a large one keeps
    12 to 16 bytes for every distinct (distance, group, pair).

    Parameters
    ----------
    v
        Vocabulary size, up to 2**31; tokens are integers below it.
    distances
        Increasing integers >= 1; 24 of them up to 4096, evenly spaced in the logarithm, if None.
    groups
        Number of groups, >= 5: the units of the bootstrap.

    Raises
    ------
    ValueError
        On tokens outside 0 … v-1, distances below 1 or not increasing, fewer than 5 groups.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.repeat(rng.integers(2, size=(4000, 20)), 2, axis=1)   # every token written twice
    >>> curve = TokenCorrelations(2, distances=[1, 2]).update(x).estimate()
    >>> curve.resolved.tolist(), round(float(curve.norm[0]), 1)
    ([True, False], 0.3)

    Two parts of a corpus can be counted apart and added:

    >>> left = TokenCorrelations(2, distances=[1, 2]).update(x[:2016])
    >>> right = TokenCorrelations(2, distances=[1, 2]).update(x[2016:])
    >>> bool(np.allclose((left + right).estimate().squared, curve.squared))
    True

    `a - b` estimates the norm of the *difference* of two pair distributions, for instance of a text and of the
    same text with the order of its tokens shuffled inside each document.
    """

    def __init__(self, v: int, distances: Sequence[int] | Array | None = None, groups: int = 32):
        self.distances = default_distances(4096) if distances is None else check_counts("distances", distances, 1)
        if np.any(np.diff(self.distances) <= 0):
            raise ValueError(f"distances must be increasing integers >= 1, got {shown(distances)}")
        super().__init__(v, len(self.distances), groups, DENSE_BYTES)

    def __repr__(self) -> str:
        return f"TokenCorrelations(v={self.v}, distances={self.distances.tolist()}, groups={self.groups})"

    def _signature(self) -> tuple[Any, ...]:
        return (*super()._signature(), tuple(self.distances))

    def _empty(self) -> TokenCorrelations:
        return TokenCorrelations(self.v, self.distances, self.groups)

    def update(self, batch: Array | Iterable[Array]) -> TokenCorrelations:
        """Take one document (1-D), a batch of documents of one length (B, d), or an iterable of these."""
        for tokens, offsets in pack(batch):
            check_symbols("tokens", tokens, self.v, ndim=1)
            size = len(offsets) - 1
            group = (self.documents + np.arange(size)) % self.groups
            for family, distance in enumerate(self.distances):
                found = np.maximum(np.diff(offsets) - distance, 0)
                self.pairs[family] += np.bincount(group, found, self.groups).astype(np.int64)
            self.counts.add(tokens, offsets, self.documents, self.distances)
            self.documents += size
        return self

    def estimate(self, confidence: float = 0.95, resamples: int = 400, seed: Any = 0) -> CorrelationCurve:
        """Return the curve; intervals come from `resamples` bootstrap replicates over groups."""
        labels = np.array([f"distance {t}" for t in self.distances])
        confidence, values = self._values(confidence, resamples, seed, labels)
        return CorrelationCurve(self.distances, self.v, self.pairs.sum(1), **values, confidence=confidence)


class LevelCorrelations(Estimator):
    r"""Covariance of two tokens of a grammar string, for every pair of positions, averaged in square.

    Pooling positions before squaring, as for text, would cancel matrices of random sign. Here each pair of
    positions (i, j) keeps its own matrix and the squares are averaged over the pairs of one LCA level (or of one
    distance). A string is a document.

    Parameters
    ----------
    v, s, L
        Vocabulary, branching factor and depth; strings have d = s**L tokens.
    groups
        Number of groups of strings, >= 5.

    Examples
    --------
    >>> from hcg_lib.grammar import RandomHierarchyModel
    >>> g = RandomHierarchyModel.random(v=8, m=2, s=2, L=3, seed=0)
    >>> curve = LevelCorrelations(v=8, s=2, L=3).update(g.sample(20000, seed=1)).estimate()
    >>> curve.levels.tolist(), bool(np.all(np.diff(curve.norm) < 0))
    ([1, 2, 3], True)
    """

    def __init__(self, v: int, s: int, L: int, groups: int = 16):
        check_length(s, L)
        self.s, self.L, d = int(s), int(L), s**L
        groups = check_integer("groups", groups, LEAST, MOST_GROUPS)
        size = d * (d - 1) // 2 * groups * check_integer("v", v, 1, limit=MOST_SYMBOLS) ** 2 * 8
        if size > LEVEL_BYTES:
            raise ValueError(
                f"s**L = {d} positions and v = {v} need {size / 2**30:.0f} GiB of counts; the limit is 1 GiB"
            )
        self.left, self.right = np.triu_indices(d, 1)
        self.level = lca_level(self.left, self.right, self.s)
        super().__init__(v, len(self.left), groups, LEVEL_BYTES)

    def __repr__(self) -> str:
        return f"LevelCorrelations(v={self.v}, s={self.s}, L={self.L}, groups={self.groups})"

    def _empty(self) -> LevelCorrelations:
        return LevelCorrelations(self.v, self.s, self.L, self.groups)

    def update(self, batch: Array | Iterable[Array]) -> LevelCorrelations:
        """Take strings (P, s**L), or an iterable of such batches."""
        if not isinstance(batch, np.ndarray):
            for part in iterate("strings", batch, "a batch (P, s**L) or an iterable of these"):
                self.update(as_array("strings", part))
            return self
        strings = check_symbols("strings", batch, self.v, self.s**self.L)
        group = (self.documents + np.arange(len(strings))) % self.groups
        self.pairs += np.bincount(group, minlength=self.groups)
        assert isinstance(self.counts, DensePairs)
        self.counts.add_positions(strings, self.documents, self.left, self.right)
        self.documents += len(strings)
        return self

    def estimate(
        self, by: str = "level", confidence: float = 0.95, resamples: int = 400, seed: Any = 0
    ) -> CorrelationCurve:
        """Return the root-mean-square curve `by` "level" (L points) or "distance" (d - 1 points)."""
        check_choice("by", by, ("level", "distance"))
        apart = self.right - self.left
        labels = np.array([f"positions {i}, {j}" for i, j in zip(self.left, self.right, strict=True)])
        confidence, values = self._values(confidence, resamples, seed, labels)
        key = self.level if by == "level" else apart
        share = (key == np.unique(key)[:, None]) / np.bincount(key)[np.unique(key)][:, None]
        mean = {name: value @ share.T for name, value in values.items() if name != "independent"}
        floor = np.sqrt(share @ values["independent"] ** 2)
        return CorrelationCurve(
            distances=share @ apart if by == "level" else np.unique(key),
            v=self.v,
            pairs=np.full(len(share), self.documents),
            **mean,
            independent=floor,
            confidence=confidence,
            levels=np.unique(key) if by == "level" else None,
        )
