r"""How far a generated text is like real text: the share of its correlations at each distance, and one length.

Let $C(t)$ be the covariance of two tokens t apart (`hcg_lib.correlations`) in real text and $C'(t)$ in generated text.
Their overlap

$$ ρ(t) = \frac{⟨C'(t), C(t)⟩}{‖C(t)‖^2} $$

is 1 for text that is right at this distance, 0 for text whose tokens do not know of each other, and it is linear in C':
pairs of a generated string count as much as the real correlation says they should, so that noise of one direction
remains where $‖C'‖$ sums that of $v^2$. The coherence length ξ is the distance at which ρ, followed outward from t = 1,
falls below one half (ours; the paper's definition is not known to us).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from hcg_lib._random import generator
from hcg_lib._validate import check_counts, check_integer, check_list, check_numbers, check_real, check_symbols
from hcg_lib.correlations import CorrelationCurve, TokenCorrelations

Array = np.ndarray
GROUPS = 64  # of generated strings, the units of the bootstrap
MOST_RESAMPLES = 1 << 20
DENSE = 1 << 22  # up to here all v**2 cells are counted


def coherence_length(distances: Any, overlap: Any, threshold: float = 0.5) -> Array:
    """Return the distance where the overlap first falls below the threshold, interpolated in the logarithm of t.

    Parameters
    ----------
    distances
        (T,) increasing, from 1 on.
    overlap
        (…, T) curves.
    threshold
        In (0, 1).

    Returns
    -------
    (…) lengths: 0 where the overlap starts below, the last distance where it never falls below.

    Examples
    --------
    >>> coherence_length([1, 2, 4, 8], [[1, 0.75, 0.25, 0.6], [0.4, 1, 1, 1], [1, 1, 1, 1]]).round(3).tolist()
    [2.828, 0.0, 8.0]
    """
    t, curves = check_counts("distances", distances, 1), check_numbers("overlap", overlap)
    threshold = check_real("threshold", threshold, 0, 1, strict=True)
    if (np.diff(t) <= 0).any() or curves.shape[-1:] != t.shape:
        raise ValueError(f"overlap must have one value for each of {len(t)} increasing distances, got {curves.shape}")
    x, below = np.log(t), curves < threshold
    fallen = below.any(-1)
    at = np.maximum(below.argmax(-1), 1)
    if len(t) == 1:
        return np.where(fallen, 0.0, float(t[0]))
    high, low = (np.take_along_axis(curves, np.expand_dims(i, -1), -1)[..., 0] for i in (at - 1, at))
    share = np.divide(high - threshold, high - low, out=np.zeros_like(high), where=fallen & ~below[..., 0])
    length = np.exp(x[at - 1] + share * (x[at] - x[at - 1]))
    return np.where(below[..., 0], 0.0, np.where(fallen, length, float(t[-1])))


@dataclass(frozen=True, eq=False)
class Overlap:
    """Overlap with real text against distance: `values` (T,), and `replicates` (R, T) of the bootstrap."""

    distances: Array
    values: Array
    replicates: Array
    confidence: float = 0.95

    @property
    def interval(self) -> Array:
        """Lower and upper ends (2, T)."""
        return np.quantile(self.replicates, self._ends, axis=0)

    @property
    def length(self) -> float:
        """The coherence length ξ."""
        return float(coherence_length(self.distances, self.values))

    @property
    def lengths(self) -> Array:
        """ξ of every replicate (R,)."""
        return coherence_length(self.distances, self.replicates)

    @property
    def length_interval(self) -> Array:
        """Lower and upper end of ξ (2,)."""
        return np.quantile(self.lengths, self._ends)

    @property
    def _ends(self) -> list[float]:
        return [(1 - self.confidence) / 2, (1 + self.confidence) / 2]


class Reference:
    """The covariances of real text, against which other text is measured.

    Memory is that of the pairs that occur, whatever the vocabulary.

    Parameters
    ----------
    documents
        Vectors of ids below v: at every distance at least 5 must be longer.
    v
        Vocabulary.
    distances
        Increasing integers >= 1.

    Raises
    ------
    ValueError
        Also if the documents show no correlation at the first distance: there is nothing to measure against.

    Attributes
    ----------
    distances
        Those asked for, up to the first at which the documents show no correlation above their own noise.
    curve
        The CorrelationCurve of the documents, unbiased, one group a document where there are no more than 64.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> chains = [np.cumsum(rng.random((40, 500)) < 0.1, axis=1) % 2 for _ in range(2)]
    >>> reference = Reference(list(chains[0]), v=2, distances=[1, 2, 4, 8])
    >>> same, noise = reference.overlap(chains[1]), reference.overlap(rng.integers(2, size=(40, 500)))
    >>> bool(same.length > 4), noise.length
    (True, 0.0)
    """

    def __init__(self, documents: Sequence[Array], v: int, distances: Any):
        self.v, self.distances = check_integer("v", v, 1), check_counts("distances", distances, 1)
        ids = [
            check_symbols("documents", document, self.v, ndim=1).astype(np.int64)
            for document in check_list("documents", documents, "of vectors of ids")
        ]
        groups = int(np.clip(len(ids), 5, GROUPS))
        self.curve: CorrelationCurve = TokenCorrelations(self.v, self.distances, groups).update(ids).estimate()
        reach = int(np.argmin(np.append(self.curve.squared > 0, False)))
        if not reach:
            raise ValueError(f"documents must show a correlation of tokens {self.distances[0]} apart, these show none")
        if reach < len(self.distances):
            self.distances = self.distances[:reach]
            self.curve = TokenCorrelations(self.v, self.distances, groups).update(ids).estimate()
        self.pairs = [_pairs(ids, self.v, int(t)) for t in self.distances]
        self.margins = [(_sums(P, 1), _sums(P, 0)) for P in self.pairs]

    def overlap(self, strings: Any, groups: Any = None, resamples: int = 400, seed: Any = 0) -> Overlap:
        """Return the overlap of strings (N, d) with this text.

        Parameters
        ----------
        strings
            Ids below v; d must exceed the largest distance.
        groups
            (N,) labels of strings that are not independent of each other; by default all are, and are dealt into 64.
        resamples, seed
            Of the bootstrap over groups. The noise of the reference itself is not in the interval.
        """
        x = check_symbols("strings", strings, self.v)
        if x.shape[1] <= self.distances[-1]:
            raise ValueError(f"strings must be longer than the largest distance, {self.distances[-1]}, got {x.shape}")
        labels = np.arange(len(x)) % GROUPS if groups is None else check_counts("groups", groups, 0)
        if labels.shape != (len(x),):
            raise ValueError(f"groups must hold one label for each of {len(x)} strings, got {labels.shape}")
        labels = np.unique(labels, return_inverse=True)[1]
        number = int(labels.max()) + 1
        resamples, rng = check_integer("resamples", resamples, 2, limit=MOST_RESAMPLES), generator(seed)
        weights = np.vstack([np.ones(number), rng.multinomial(number, np.full(number, 1 / number), size=resamples)])
        columns = [self._overlap(i, x, labels, weights) for i in range(len(self.distances))]
        values = np.stack(columns, axis=1)
        return Overlap(self.distances, values[0], values[1:])

    def _overlap(self, i: int, x: Array, labels: Array, weights: Array) -> Array:
        """One distance, for every row of group weights."""
        t, P, (a, b) = int(self.distances[i]), self.pairs[i], self.margins[i]
        left, right = x[:, :-t], x[:, t:]
        known = np.asarray(P[left.ravel(), right.ravel()]).reshape(left.shape) - a[left] * b[right]
        number = weights.shape[1]
        sums = np.bincount(labels, known.sum(1), number)
        pairs = np.bincount(labels, minlength=number) * left.shape[1]
        first, second = (_margins(part, labels, number, self.v) for part in (left, right))
        crossed = np.asarray((first @ P @ second.T).todense()) - np.outer(first @ a, second @ b)
        total = weights @ pairs
        found = weights @ sums / total - np.einsum("rg,gh,rh->r", weights, crossed, weights) / total**2
        return found / float(self.curve.squared[i])


def _pairs(documents: list[Array], v: int, t: int) -> Any:
    """Frequencies of pairs t apart: sparse (v, v)."""
    keys = np.concatenate([d[:-t] * v + d[t:] for d in documents if len(d) > t])
    if v * v <= DENSE:
        count = np.bincount(keys, minlength=v * v)
        found = np.flatnonzero(count)
        count = count[found]
    else:
        found, count = np.unique(keys, return_counts=True)
    return sparse.coo_array((count / len(keys), (found // v, found % v)), shape=(v, v)).tocsr()


def _sums(matrix: Any, axis: int) -> Array:
    return np.asarray(matrix.sum(axis=axis)).ravel()


def _margins(tokens: Array, labels: Array, groups: int, v: int) -> Any:
    """Counts of tokens by group: sparse (groups, v)."""
    rows = np.repeat(labels, tokens.shape[1])
    return sparse.coo_array((np.ones(tokens.size), (rows, tokens.ravel())), shape=(groups, v)).tocsr()
