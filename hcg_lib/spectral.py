r"""Synonym classes from whole siblings: the best that pairs of tuples have to offer.

The context vectors of `hcg_lib.clustering` look at one symbol of a sibling at a time. Here the sibling is read as one:
$N_{tu}$ counts how often tuple t was written beside tuple u. Given their parents the two are independent, so the
expected matrix has the rank of the table of parents, and synonyms have proportional rows. Normalized by the
margins, its singular values beyond the first obey

$$ \sum_k \lambda_k^2 = \sum_{ab} \frac{p_{ab}^2}{p_a p_b} - 1 = \frac{v}{m} - 1, \qquad
   \overline{\lambda^2} \approx \frac{1-f}{m} \quad (s = 2) $$

for parents a, b of even margins (derived). They rise out of the noise of a matrix with n counts a row once
$n\,\overline{\lambda^2} > 1$, the bound of Kesten and Stigum, and a tuple of level l is written $P s^{L-l-1}/(vm)$
times beside a sibling:

$$ P \gtrsim \frac{v\, m^2}{1-f} \, s^{-(L-l-1)} , $$

one power of m less than with single symbols of the sibling as targets, at every level.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.metrics import adjusted_rand_score

from hcg_lib._random import seeds
from hcg_lib._validate import check_instance, check_integer, iterate
from hcg_lib.clustering import BATCH, cluster_tuples, look_up, matched_accuracy, parent_table
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.tuples import MOST_TUPLES, Context, TupleStatistics, check_tuples

Array = np.ndarray


def sibling_statistics(symbols: Any, v: int, s: int) -> TupleStatistics:
    """Count s-tuples of symbols against their sibling tuples, each read as one target of v**s.

    Parameters
    ----------
    symbols
        (P, width) symbols of one level, width a multiple of s**2; or an iterable of such batches.

    Examples
    --------
    >>> sibling_statistics(np.array([[0, 1, 1, 1]]), v=2, s=2).counts[:, 0, 0].tolist()  # (0,1) before (1,1)
    [[0, 0, 0, 1], [0, 0, 0, 0]]
    """
    v, s = check_integer("v", v, 2), check_integer("s", s, 2)
    tuples = check_tuples(v, s)
    statistics = TupleStatistics(v, s, tuples)
    codes = np.arange(tuples).reshape((v,) * s)
    for batch in [symbols] if isinstance(symbols, np.ndarray) else iterate("symbols", symbols, "an array or batches"):
        statistics.update(batch, look_up(codes, batch))
    return statistics


def spectral_context(statistics: TupleStatistics, k: int) -> Context:
    r"""Return the tuples as points in which synonyms lie together: the k largest singular directions of their counts.

    For each place among the siblings, $U\Lambda$ of $D_t^{-1/2} N D_u^{-1/2}$ divided by $D_t^{1/2}$, whose rows are
    equal for synonyms when N is exact; the margins D are raised by their mean, which keeps rare tuples from making
    directions of their own (derived; regularized as usual for sparse graphs). Points of all places together have
    length 1, or 0 for a tuple that was never seen beside a sibling.

    Parameters
    ----------
    statistics
        From :func:`sibling_statistics`, with T tuples.
    k
        Directions, such as v; at most the tuples seen.

    Returns
    -------
    A `Context` with vectors (T, s k).

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> context = spectral_context(sibling_statistics(g.sample(2000, seed=0), 4, 2), k=4)
    >>> context.vectors.shape
    (8, 8)
    """
    check_instance("statistics", statistics, TupleStatistics)
    k = check_integer("k", k, 1, limit=MOST_TUPLES)
    counts = statistics.counts
    if not counts.sum():
        raise ValueError("statistics must hold at least one pair of siblings, got none")
    places = [_directions(counts[:, slot].reshape(len(counts), -1), k) for slot in range(counts.shape[1])]
    vectors = np.concatenate(places, 1)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return Context(statistics.tuples, vectors, np.ones(len(counts)))


def cluster_siblings(statistics: TupleStatistics, k: int, seed: Any, restarts: int = 10) -> Int[Array, " T"]:
    """Return a class below k for every tuple: k-means in the space of `spectral_context`, every tuple equally heavy.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=8, m=3, s=2, L=2, seed=0)
    >>> statistics = sibling_statistics(g.sample(2000, seed=1), 8, 2)
    >>> matched_accuracy(cluster_siblings(statistics, 8, seed=0), look_up(parent_table(g, 1), statistics.tuples)[:, 0])
    1.0
    """
    return cluster_tuples(spectral_context(statistics, k), k, seed, restarts)


def sibling_accuracy(
    v: int, m: int, s: int, L: int, level: int, P: int, grammar: int, sample: int = 0
) -> dict[str, float]:
    """Cluster the level-`level` tuples of P strings by their siblings, true symbols fed in.

    The counterpart of `hcg_lib.clustering.clustering_accuracy`; tuples of the grammar that were never seen count as
    wrong.

    Returns
    -------
    "accuracy" (tuples of the grammar, best matching), "ari" (adjusted Rand index of those seen), "tuples" (how many
    were seen).

    Examples
    --------
    >>> sibling_accuracy(8, 4, 2, 2, level=1, P=4000, grammar=0)["accuracy"]
    1.0
    """
    g = RandomHierarchyModel.random(v, m, s, L, seed=grammar)
    level, P = check_integer("level", level, 1, g.L - 1), check_integer("P", P, 1)
    draw, start = (np.random.default_rng(seeds(grammar=grammar, sample=sample, P=use)) for use in (P, 1))
    statistics = sibling_statistics((g.parse(x)[level - 1] for x in g.sample_batches(P, draw, batch=BATCH)), v, s)
    found, table = cluster_siblings(statistics, v, start), np.full((v,) * s, -1)
    table[tuple(statistics.tuples.T)] = found
    parent = parent_table(g, level)
    grammatical = parent >= 0
    return {
        "accuracy": matched_accuracy(table[grammatical], parent[grammatical]),
        "ari": float(adjusted_rand_score(parent[tuple(statistics.tuples.T)], found)),
        "tuples": len(found),
    }


def _directions(counts: Array, k: int) -> Float[Array, "T k"]:
    """Rows of a (T, columns) matrix of counts in its k largest normalized singular directions."""
    rows, columns = counts.sum(1) + 0.0, counts.sum(0) + 0.0
    seen = columns > 0
    if not seen.any():
        return np.zeros((len(counts), k))
    rows, columns = rows + rows.mean(), columns[seen] + columns[seen].mean()
    u, singular, _ = np.linalg.svd(counts[:, seen] / np.sqrt(np.outer(rows, columns)), full_matrices=False)
    points = (u * singular / np.sqrt(rows)[:, None])[:, :k]
    return np.pad(points, ((0, 0), (0, k - points.shape[1])))
