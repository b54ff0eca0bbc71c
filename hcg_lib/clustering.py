r"""Synonym classes from context: the mechanism by which a hierarchy can be learned from its strings.

Tuples with the same parent are exchangeable: given the parent, the rest of the string does not care which of the
m synonyms was written. Their context vectors $r_t = \hat p(x_q = z|t) - \hat p(x_q = z)$ agree up to sampling noise,
while those of different parents differ by $2σ^2 = 2(1-f)/(v m^{l+1})$ an entry. k-means with v clusters recovers
the parents once signal exceeds noise,

$$ P \gtrsim P_{latent}(l) = \frac{v\, m^{l+2}}{1-f} $$

(after Favero et al. 2025, §3; constant derived). Replace tuples by their classes, and repeat one level up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Int
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from hcg_lib._parallel import one_thread
from hcg_lib._random import generator, seeds
from hcg_lib._validate import (
    as_array,
    check_choice,
    check_flag,
    check_instance,
    check_integer,
    check_numbers,
    check_symbols,
    iterate,
    shown,
)
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.tuples import MOST_TUPLES, Context, TupleStatistics, level_statistics

Array = np.ndarray
Stream = Array | Iterable[Array] | Callable[[], Iterable[Array]]
BATCH = 1 << 18  # strings encoded at once
MOST_RESTARTS = 1 << 16


@dataclass(frozen=True)
class Clustering:
    """Inferred classes: `levels[l]` (v,)*s maps a tuple of level-l symbols to its class, -1 where it was not seen."""

    levels: tuple[Array, ...]

    def encode(self, x: Array) -> list[Array]:
        """Return the inferred symbols of every level, tokens first: level l has shape (P, s**(L-l)), -1 unknown."""
        v, s = self.levels[0].shape[0], self.levels[0].ndim
        symbols = check_symbols("x", x, v)
        if symbols.shape[1] % s ** len(self.levels):
            raise ValueError(
                f"x must have a width that is a multiple of {s ** len(self.levels)}, got {symbols.shape[1]}"
            )
        encoded = [symbols]
        for table in self.levels:
            encoded.append(look_up(table, encoded[-1]))
        return encoded


def look_up(table: Array, symbols: Array) -> Int[Array, " {len(symbols)} width"]:
    """Replace every s-tuple of symbols by its class: (P, width) -> (P, width / s); -1 in, -1 out.

    >>> look_up(np.array([[-1, 0], [1, 1]]), np.array([[0, 1, 1, 0, -1, 0]]))
    array([[ 0,  1, -1]])
    """
    table = as_array("table", table)
    if not table.ndim or table.dtype.kind not in "iu" or len(set(table.shape)) != 1:
        raise ValueError(f"table must hold integers of shape (v,)*s, got {table.dtype} of shape {table.shape}")
    symbols = check_symbols("symbols", symbols, len(table), missing=True)
    if symbols.shape[1] % table.ndim:
        raise ValueError(f"symbols must have a width that is a multiple of {table.ndim}, got {symbols.shape[1]}")
    parts = [symbols[:, j :: table.ndim] for j in range(table.ndim)]
    known = np.all([part >= 0 for part in parts], axis=0)
    return np.where(known, table[tuple(parts)], -1)


def cluster_tuples(context: Context, k: int, seed: Any, restarts: int = 10) -> Int[Array, " {len(context.vectors)}"]:
    """Return a class below k for every tuple: weighted k-means on context vectors, best of several k-means++ starts.

    Parameters
    ----------
    context
        Vectors (T, D) and their weights (T,), from `TupleStatistics.context`.
    k
        Number of classes; with T <= k tuples each gets its own.
    """
    check_integer("k", k, 1)
    check_instance("context", context, Context)
    restarts = check_integer("restarts", restarts, 1, limit=MOST_RESTARTS)
    if len(context.vectors) <= k:
        return np.arange(len(context.vectors))
    state = int(generator(seed).integers(2**31))
    model = KMeans(k, n_init=restarts, random_state=state)
    with one_thread():  # a few hundred vectors: threads would only wait for each other
        return model.fit_predict(context.vectors, sample_weight=context.weights)


def cluster_levels(
    strings: Stream,
    v: int,
    s: int,
    targets: str = "tokens",
    sharing: bool = True,
    seed: Any = 0,
    restarts: int = 10,
) -> Clustering:
    """Infer the symbols of every level from strings alone, leaf-most level first.

    Parameters
    ----------
    strings
        (P, d) array with d = s**L and L >= 2; or batches of such arrays, read once a level: a list, or a function
        that returns a fresh iterator (`lambda: g.sample_batches(P, seed)`), for more strings than memory holds.
    v, s
        Vocabulary and branching of the grammar.
    targets
        What a tuple's context is made of: "tokens" below its siblings, or "latents", the symbols that its siblings
        are made of.
    sharing
        True pools every equivalent position of a string, as a convolution does; False reads the leftmost family only.
    seed, restarts
        Of k-means.

    Returns
    -------
    A `Clustering` with L - 1 levels: the tuples under the root have no context, and need none.

    Raises
    ------
    ValueError
        If `strings` is an iterator, which can be read only once, or its width is not s**L with L >= 2.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=8, m=4, s=2, L=3, seed=0)
    >>> x = g.sample(30_000, seed=1)
    >>> matched_accuracy(cluster_levels(x, v=8, s=2).encode(x)[1], g.parse(x)[1])
    1.0
    """
    v, s, rng = check_integer("v", v, 2, limit=MOST_TUPLES), check_integer("s", s, 2), generator(seed)
    check_choice("targets", targets, ("tokens", "latents"))
    check_flag("sharing", sharing)
    check_integer("restarts", restarts, 1, limit=MOST_RESTARTS)
    depth = _depth(_batches(strings), s)
    tables: list[Array] = []
    for _ in range(depth - 1):
        statistics = TupleStatistics(v, s, v, family=None if sharing else 0)
        for batch in _batches(strings):
            symbols = Clustering(tuple(tables)).encode(batch)[-1] if tables else check_symbols("strings", batch, v)
            statistics.update(symbols, batch if targets == "tokens" else symbols)
        context = statistics.context()
        table = np.full((v,) * s, -1)
        table[tuple(context.tuples.T)] = cluster_tuples(context, v, rng, restarts)
        tables.append(table)
    return Clustering(tuple(tables))


def matched_accuracy(inferred: Array, true: Array, weights: Array | None = None) -> float:
    """Return the largest fraction of labels that agree under a one-to-one renaming of the inferred classes.

    Negative inferred labels count as wrong.

    Examples
    --------
    >>> matched_accuracy(np.array([2, 2, 0, 0]), np.array([1, 1, 0, 1]))
    0.75
    """
    inferred, true = (_labels(name, label) for name, label in (("inferred", inferred), ("true", true)))
    if inferred.shape != true.shape or not len(true):
        raise ValueError(f"inferred must have as many labels as true ({len(true)}, at least 1), got {len(inferred)}")
    if weights is not None:
        weights = check_numbers("weights", weights, 0).ravel()
        if weights.shape != true.shape or not weights.sum() > 0:
            raise ValueError(f"weights must be {len(true)} numbers >= 0, not all 0, got {len(weights)}")
    symbols, row = np.unique(true, return_inverse=True)
    classes, column = np.unique(inferred, return_inverse=True)
    table = np.bincount(row * len(classes) + column, weights, len(symbols) * len(classes))
    table = table.reshape(len(symbols), len(classes))
    known = table[:, classes >= 0]
    return float(known[linear_sum_assignment(known, maximize=True)].sum() / table.sum())


def clustering_accuracy(
    v: int, m: int, s: int, L: int, level: int, P: int, targets: str, sharing: bool, grammar: int, sample: int = 0
) -> dict[str, float]:
    """Cluster the level-`level` tuples of P strings, true symbols fed in, and compare with the grammar.

    One point of the collapse: `grammar` and `sample` are the seeds of the rules and of the strings.

    Returns
    -------
    "accuracy" (tuples, best matching, unweighted), "ari" (adjusted Rand index), "tuples" (how many were seen).

    Examples
    --------
    >>> clustering_accuracy(8, 4, 2, 2, level=1, P=50_000, targets="tokens", sharing=False, grammar=0)["accuracy"]
    1.0
    """
    strings, start = seeds(grammar=grammar, sample=sample, P=P), seeds(grammar=grammar, sample=sample, use=1)
    g = RandomHierarchyModel.random(v, m, s, L, seed=grammar)
    check_integer("P", P, 1)
    batches = g.sample_batches(P, np.random.default_rng(strings), batch=BATCH)
    family = None if check_flag("sharing", sharing) else 0
    statistics = level_statistics(g, batches, levels=[level], targets=targets, family=family)[level]
    context = statistics.context()
    found = cluster_tuples(context, v, np.random.default_rng(start))
    parent = look_up(parent_table(g, level), context.tuples)[:, 0]
    return {
        "accuracy": matched_accuracy(found, parent),
        "ari": float(adjusted_rand_score(parent, found)),
        "tuples": len(found),
    }


def end_to_end_accuracy(
    v: int, m: int, s: int, L: int, P: int, targets: str, grammar: int, sample: int = 0, tested: int = 10_000
) -> dict[str, list[float]]:
    """Infer every level from P strings, each on the classes of the one below, and compare nodes with the grammar.

    Returns
    -------
    "accuracy": fraction of nodes of `tested` fresh strings with the right symbol (best matching), levels 1 … L-1.

    Examples
    --------
    >>> end_to_end_accuracy(8, 4, 2, 3, P=50_000, targets="latents", grammar=0)["accuracy"]
    [1.0, 1.0]
    """
    strings, start, test = (seeds(grammar=grammar, sample=sample, P=use) for use in (P, 1, 2))
    g = RandomHierarchyModel.random(v, m, s, L, seed=grammar)
    check_integer("P", P, 1)
    stream = partial(g.sample_batches, P, strings)
    found = cluster_levels(stream, v, s, targets, seed=np.random.default_rng(start))
    x = g.sample(check_integer("tested", tested, 1), np.random.default_rng(test))
    pairs = zip(found.encode(x)[1:], g.parse(x)[1:L], strict=True)
    return {"accuracy": [matched_accuracy(inferred, true) for inferred, true in pairs]}


def parent_table(g: RandomHierarchyModel, level: int) -> Int[Array, " ..."]:
    """Return the true classes of the s-tuples under level `level`: (v,)*s, -1 where ungrammatical.

    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=1, seed=0)
    >>> table = parent_table(g, 1)
    >>> [table[tuple(pair)].item() for pair in g.rules[0][3]]
    [3, 3]
    """
    check_instance("g", g, RandomHierarchyModel)
    if g.v**g.s > MOST_TUPLES:
        raise ValueError(f"g must keep v**s <= {MOST_TUPLES} tuples, got v={g.v} with s={g.s}")
    rules = g.rules[check_integer("level", level, 1, g.L) - 1]
    table = np.full((g.v,) * g.s, -1)
    table[tuple(rules.reshape(-1, g.s).T)] = np.repeat(np.arange(g.v), g.m)
    return table


def _labels(name: str, value: Any) -> Array:
    labels = as_array(name, value).ravel()
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold integers, got {shown(value)}")
    return labels


def _batches(strings: Stream) -> Iterator[Array]:
    """Yield the strings in batches of bounded size, from the start."""
    if callable(strings):
        strings = strings()
    elif isinstance(strings, Iterator):
        raise ValueError(
            "strings must be readable once a level: an array, a list of batches or a function that returns an "
            f"iterator, got {type(strings).__name__}, which can be read only once"
        )
    batches = [strings] if isinstance(strings, np.ndarray) else strings
    for batch in iterate("strings", batches, "an array, a list of batches or a function that returns an iterator"):
        batch = as_array("strings", batch)
        if batch.ndim != 2:
            raise ValueError(f"strings must hold (P, d) batches, got one of shape {batch.shape}")
        for start in range(0, len(batch), BATCH):
            yield batch[start : start + BATCH]


def _depth(batches: Iterator[Array], s: int) -> int:
    first = next(batches, None)
    if first is None:
        raise ValueError("strings must hold at least one (P, d) batch, got none")
    width, depth = first.shape[1], 0
    while width % s == 0 and width > 1:
        width, depth = width // s, depth + 1
    if width != 1 or depth < 2:
        raise ValueError(f"strings must have s**L tokens with s = {s} and L >= 2, got {first.shape[1]}")
    return depth
