"""Token correlations: unbiased by enumeration, right on chains and grammars, indifferent to how data arrive."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcg_lib import _estimator, _pairs, theory
from hcg_lib._unbiased import squared_norm
from hcg_lib.correlations import LevelCorrelations, TokenCorrelations, default_distances, lca_level
from hcg_lib.decay import fit_power_law
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.text_correlations import text_curves
from tests.oracles import reference_pairs as reference


def estimate(documents, v, distances, groups=5):
    """The point estimate alone, with as little else as the interface allows."""
    estimator = TokenCorrelations(v, distances, groups).update([np.array(d) for d in documents])
    return estimator.estimate(resamples=2)


def chain(rng, transition, documents, length):
    """Stationary Markov chains (documents, length) and their exact C(t)."""
    values, vectors = np.linalg.eig(transition.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    stationary /= stationary.sum()
    cumulative = np.cumsum(transition, axis=1)
    x = np.empty((documents, length), np.int64)
    x[:, 0] = rng.choice(len(transition), documents, p=stationary)
    for i in range(1, length):
        x[:, i] = (rng.random(documents)[:, None] > cumulative[x[:, i - 1]]).sum(1)

    def exact(t):
        joint = stationary[:, None] * np.linalg.matrix_power(transition, t)
        return joint - np.outer(stationary, stationary)

    return np.minimum(x, len(transition) - 1), exact


# ---- unbiasedness, exactly -----------------------------------------------------------------------------------


def mean_over_outcomes(laws, tables):
    """Exact means of the unbiased and of the plain estimate over all outcomes of four documents.

    `laws[g]` are the probabilities of document g's outcomes, `tables[g]` their pair counts (outcomes, v, v).
    """
    unbiased = plain = 0.0
    for chosen in product(*(range(len(law)) for law in laws)):
        counts = _pairs.DensePairs(1, 4, tables[0].shape[-1])
        counts.counts[0] = [table[c] for table, c in zip(tables, chosen, strict=True)]
        probability = np.prod([law[c] for law, c in zip(laws, chosen, strict=True)])
        pairs = counts.counts[0].sum((1, 2))
        unbiased += probability * squared_norm(counts.products(0, True), pairs, np.ones((1, 4)))[0]
        plain += probability * np.sum(reference.covariance(counts.counts[0].sum(0)) ** 2)
    return unbiased, plain


def all_strings(length):
    strings = np.array(list(product(range(2), repeat=length)))
    return strings, np.array([reference.pair_counts([x], 2, 1) for x in strings])


def test_unbiased_for_any_law_of_documents():
    """Documents of 3 tokens, whose two pairs depend on each other: the mean is ‖C‖² to rounding."""
    _, tables = all_strings(3)
    kept = [0, 1, 3, 6, 7]
    law, tables = np.random.default_rng(3).dirichlet(np.ones(5)), tables[kept]
    truth = np.sum(reference.covariance(np.einsum("x,xab->ab", law, tables)) ** 2)
    unbiased, plain = mean_over_outcomes([law] * 4, [tables] * 4)
    assert unbiased == pytest.approx(truth, abs=1e-13)
    assert plain > 2 * truth  # what the correction is for


def test_unbiased_for_documents_of_different_lengths():
    """Independent tokens with P(1) = .8 in documents of 2, 3, 2 and 3 tokens: the mean is 0 to rounding."""
    drawn = [all_strings(length) for length in (2, 3, 2, 3)]
    laws = [np.prod(np.array([0.2, 0.8])[strings], axis=1) for strings, _ in drawn]
    unbiased, plain = mean_over_outcomes(laws, [tables for _, tables in drawn])
    assert unbiased == pytest.approx(0, abs=1e-13)
    assert plain > 0.01


@given(st.integers(0, 10**6), st.integers(4, 6), st.integers(1, 4))
@settings(max_examples=25)
def test_squared_norm_is_the_sum_over_quadruples(seed, groups, v):
    rng = np.random.default_rng(seed)
    counts = _pairs.DensePairs(1, groups, v)
    counts.counts[0] = rng.integers(0, 5, size=(groups, v, v))
    counts.counts[0, :, 0, 0] += 1  # no group empty
    pairs = counts.counts[0].sum((1, 2))
    weights = rng.exponential(size=(3, groups))
    got = squared_norm(counts.products(0, True), pairs, weights)
    wanted = [reference.unbiased_square(counts.counts[0], w) for w in weights]
    np.testing.assert_allclose(got, wanted, atol=1e-11)


# ---- known answers -------------------------------------------------------------------------------------------


def test_independent_tokens_sit_on_the_floor():
    rng = np.random.default_rng(0)
    x = rng.choice(6, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1], size=(256, 400))
    curve = TokenCorrelations(6, [1, 3, 10, 30], 32).update(x).estimate()
    assert not curve.resolved.any()
    np.testing.assert_allclose(np.sqrt(curve.plugin).mean(), curve.independent.mean(), rtol=0.15)
    np.testing.assert_allclose(curve.floor, curve.independent, rtol=0.2)
    assert curve.independent[0] == pytest.approx((1 - 0.24) / np.sqrt(256 * 399), rel=0.02)


def test_markov_chain_is_measured_and_covered():
    transition = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6]])
    rng, distances = np.random.default_rng(1), np.array([1, 2, 4])
    inside, squares = [], []
    for _ in range(100):
        x, exact = chain(rng, transition, 64, 120)
        curve = TokenCorrelations(3, distances, 32).update(x).estimate(confidence=0.9, resamples=200, seed=rng)
        truth = np.array([np.linalg.norm(exact(t)) for t in distances])
        inside.append((curve.low <= truth) & (truth <= curve.high))
        squares.append(curve.squared)
    spread = np.std(squares, 0) / np.sqrt(100)
    assert np.all(np.abs(np.mean(squares, 0) - truth**2) < 3.5 * spread)
    assert 0.84 <= np.mean(inside) <= 0.96  # nominal 0.9


def test_topics_alone_make_a_plateau_that_shuffling_keeps():
    """Two topics with P(1) = .2 or .8 and no order: ‖C‖ = 2 Var(p) = .18 at every distance."""
    rng = np.random.default_rng(2)
    documents = [(rng.random(400) < rng.choice([0.2, 0.8])).astype(int) for _ in range(200)]
    curves = text_curves(documents, 2, [1, 10, 100])
    assert np.all((curves.text.low < 0.18) & (curves.text.high > 0.18))
    np.testing.assert_allclose(curves.text.norm, curves.shuffled.norm, rtol=0.02)
    assert not curves.order.resolved.any()


def test_order_is_what_is_left_of_a_chain():
    transition = np.array([[0.9, 0.1], [0.3, 0.7]])
    x, exact = chain(np.random.default_rng(3), transition, 128, 2000)
    curves = text_curves(list(x), 2, [1, 3, 200])
    truth = [np.linalg.norm(exact(t)) for t in (1, 3)]
    np.testing.assert_allclose(curves.order.norm[:2], truth, rtol=0.05)
    assert curves.order.resolved.tolist() == [True, True, False]


def test_level_correlations_equal_the_population_of_a_small_grammar():
    g = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=5)
    strings = np.array(list(product(range(3), repeat=4)))
    strings = strings[g.is_grammatical(strings)]
    wanted = {}
    for i in range(4):
        for j in range(i + 1, 4):
            counts = np.zeros((3, 3))
            np.add.at(counts, (strings[:, i], strings[:, j]), 1)  # uniform rules: all strings alike
            wanted.setdefault(reference.lca(i, j, 2), []).append(np.sum(reference.covariance(counts) ** 2))
    curve = LevelCorrelations(3, 2, 2).update(g.sample(200_000, seed=6)).estimate()
    np.testing.assert_allclose(curve.squared, [np.mean(wanted[k]) for k in (1, 2)], rtol=0.03)
    assert curve.levels.tolist() == [1, 2]
    assert curve.distances.tolist() == [1.0, 2.0]


def test_plateaus_of_the_grammar():
    """The root mean square over grammars lies within 15 % of the closed form, below the sampling floor too."""
    squares = []
    for seed in range(12):
        g = RandomHierarchyModel.random(v=32, m=8, s=2, L=3, seed=seed)
        squares.append(LevelCorrelations(32, 2, 3).update(g.sample(50_000, seed=seed)).estimate(resamples=2).squared)
    measured = np.sqrt(np.mean(squares, 0)) / 32
    predicted = [theory.token_correlation(32, 8, 2, k) for k in (1, 2, 3)]
    np.testing.assert_allclose(measured, predicted, rtol=0.15)
    assert measured[-1] < 0.4 * theory.token_floor(32, 50_000)  # the plain estimate would see nothing there


def test_pooling_positions_hides_correlation_of_random_sign():
    g = RandomHierarchyModel.random(v=16, m=4, s=2, L=4, seed=0)
    x = g.sample(50_000, seed=1)
    apart = LevelCorrelations(16, 2, 4).update(x).estimate(by="distance")
    pooled = TokenCorrelations(16, [1, 2], 16).update(x).estimate()
    assert np.all(pooled.norm < 0.8 * apart.norm[:2])


# ---- how the data arrive -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dense", [True, False])
def test_counts_equal_the_definition_and_respect_borders(monkeypatch, dense):
    monkeypatch.setattr("hcg_lib.correlations.DENSE_BYTES", 1 << 27 if dense else 0)
    monkeypatch.setattr(_pairs, "BUFFER", 50)  # flush often
    rng = np.random.default_rng(4)
    documents = [rng.integers(7, size=n) for n in rng.integers(1, 40, size=60)]
    estimator = TokenCorrelations(7, [1, 2, 9], 5).update(documents)
    assert type(estimator.counts) is (_pairs.DensePairs if dense else _pairs.SparsePairs)
    for family, t in enumerate([1, 2, 9]):
        groups = [reference.pair_counts(documents[g::5], 7, t) for g in range(5)]
        products = estimator.counts.products(family, True)
        np.testing.assert_allclose(products.pair, [[np.sum(a * b) for b in groups] for a in groups])
        triple = [[[a.sum(1) @ n @ b.sum(0) for b in groups] for a in groups] for n in groups]
        np.testing.assert_allclose(products.triple, triple)
        np.testing.assert_array_equal(estimator.pairs[family], [a.sum() for a in groups])
    wanted = reference.unbiased_square([reference.pair_counts(documents[g::5], 7, 1) for g in range(5)])
    curve = estimator.estimate(resamples=3)
    assert curve.squared[0] == pytest.approx(wanted, abs=1e-12)
    plain = np.sum(reference.covariance(reference.pair_counts(documents, 7, 1)) ** 2)
    assert curve.plugin[0] == pytest.approx(plain, abs=1e-12)


@pytest.mark.parametrize("v", [3, 50_000, 200_000])
def test_arrays_documents_iterables_and_parts_give_one_answer(v):
    rng = np.random.default_rng(5)
    x = (v - 1) - rng.integers(3, size=(64, 30))  # the largest ids of the vocabulary
    whole = TokenCorrelations(v, [1, 5], 8).update(x).estimate()
    one_by_one = TokenCorrelations(v, [1, 5], 8)
    for row in x:
        one_by_one.update(row)
    batches = TokenCorrelations(v, [1, 5], 8).update(x[i : i + 10] for i in range(0, 64, 10))
    mixed = TokenCorrelations(v, [1, 5], 8).update([x[0], x[1:20], *x[20:]])
    left, right = (TokenCorrelations(v, [1, 5], 8).update(part) for part in (x[:24], x[24:]))
    for other in (one_by_one, batches, left + right, right + left):
        np.testing.assert_allclose(other.estimate().squared, whole.squared, atol=1e-14)
        np.testing.assert_allclose(other.estimate().replicates.std(0), whole.replicates.std(0), rtol=1e-6)
    assert mixed.documents == 64
    assert mixed.pairs.sum() == whole.pairs.sum()
    small = TokenCorrelations(3, [1, 5], 8).update((v - 1) - x).estimate()
    np.testing.assert_allclose(whole.squared, small.squared, atol=1e-14)


def test_same_seed_same_interval_and_another_seed_another():
    x = np.random.default_rng(6).integers(4, size=(40, 50))
    estimator = TokenCorrelations(4, [1], 8).update(x)
    assert np.array_equal(estimator.estimate(seed=1).replicates, estimator.estimate(seed=1).replicates)
    assert not np.array_equal(estimator.estimate(seed=1).replicates, estimator.estimate(seed=2).replicates)


def test_difference_of_a_text_with_itself_is_zero_and_of_two_chains_is_known():
    rng = np.random.default_rng(7)
    one, exact = chain(rng, np.array([[0.9, 0.1], [0.1, 0.9]]), 128, 500)
    two, other = chain(rng, np.array([[0.6, 0.4], [0.4, 0.6]]), 128, 500)
    first, second = (TokenCorrelations(2, [1, 4], 16).update(x) for x in (one, two))
    assert np.all((first - first).estimate().squared == 0)
    truth = [np.linalg.norm(exact(t) - other(t)) for t in (1, 4)]
    np.testing.assert_allclose((first - second).estimate().norm, truth, rtol=0.05)
    thrice = second + second + second
    np.testing.assert_allclose((first - thrice).estimate().squared, (first - second).estimate().squared)


# ---- small pieces --------------------------------------------------------------------------------------------


@given(st.integers(2, 4), st.integers(0, 80), st.integers(0, 80))
def test_lca_level_climbs_the_tree(s, i, j):
    assert lca_level(i, j, s) == lca_level(j, i, s) == reference.lca(i, j, s)
    assert lca_level(np.array([i, i]), np.array([j, i]), s).tolist() == [reference.lca(i, j, s), 0]


def test_default_distances_are_distinct_and_log_spaced():
    t = default_distances(4096, 24)
    assert t[0] == 1
    assert t[-1] == 4096
    assert np.all(np.diff(t) > 0)
    assert len(t) <= 24


def curve_of(t, norm, noise, resolved=None):
    square = norm**2
    rng = np.random.default_rng(0)
    replicates = square + noise * rng.normal(size=(500, len(t)))
    return _estimator.CorrelationCurve(t, 4, t, square, square, square * 0, replicates)


def test_power_law_stops_where_the_curve_is_not_resolved():
    t = np.array([1, 2, 4, 8, 16, 32])
    norm = 0.5 * t**-1.4
    noise = np.array([1e-9] * 4 + [1.0, 1e-9]) * norm**2
    fit = fit_power_law(curve_of(t, norm, noise))
    assert (fit.beta, fit.amplitude) == (pytest.approx(1.4), pytest.approx(0.5))
    assert (fit.shortest, fit.longest, fit.points) == (1, 8, 4)
    assert fit.curvature == pytest.approx(0, abs=1e-9)


def test_curvature_tells_a_flattening_and_a_steepening_curve():
    t = np.array([1, 2, 4, 8, 16])
    noise = 1e-6 * np.ones(5)
    assert fit_power_law(curve_of(t, 1 / t + 0.2, noise)).curvature_low > 0
    assert fit_power_law(curve_of(t, np.exp(-t / 8), noise)).curvature_high < 0


BAD = [
    (lambda: TokenCorrelations(0), "v must be"),
    (lambda: TokenCorrelations(2.5), "v must be"),
    (lambda: TokenCorrelations(4, groups=4), "groups must be"),
    (lambda: TokenCorrelations(4, []), "distances must be a non-empty list of integers >= 1"),
    (lambda: TokenCorrelations(4, [0, 1]), "distances must be a non-empty list of integers >= 1"),
    (lambda: TokenCorrelations(4, [2, 1]), "distances must be increasing"),
    (lambda: TokenCorrelations(4, [1.0]), "distances must be a non-empty list of integers >= 1"),
    (lambda: TokenCorrelations(4).update(np.array([0, 4])), r"tokens must hold symbols from 0 to 3, got 4"),
    (lambda: TokenCorrelations(4).update(np.array([-1])), "got -1"),
    (lambda: TokenCorrelations(4).update(np.array([0.5])), "tokens must hold integers"),
    (lambda: TokenCorrelations(4).update(np.zeros((2, 2, 2), int)), "one document"),
    (lambda: TokenCorrelations(4, [1]).estimate(), "only 0 of 0 documents"),
    (lambda: estimate([[0, 1], [1, 0], [1, 1], [0, 0], [0]], 2, [1]), "distance 1 only 4 of 5 documents"),
    (lambda: TokenCorrelations(4, [1]) + TokenCorrelations(5, [1]), "equal v, groups and distances"),
    (lambda: TokenCorrelations(4, [1]) + TokenCorrelations(4, [2]), "equal v, groups and distances"),
    (lambda: TokenCorrelations(4, [1]) + 1, "equal v, groups and distances"),
    (lambda: TokenCorrelations(4, [1]) - LevelCorrelations(4, 2, 1), "equal v, groups and distances"),
    (lambda: TokenCorrelations(2, [1]) - TokenCorrelations(2, [1]).update(np.zeros(9, int)), "same lengths"),
    (lambda: LevelCorrelations(16, 2, 9), "GiB"),
    (lambda: LevelCorrelations(4, 1, 2), "s must be"),
    (lambda: LevelCorrelations(4, 2, 2).update(np.zeros((3, 5), int)), r"strings must have shape \(P, 4\)"),
    (lambda: LevelCorrelations(4, 2, 2).update(np.zeros((8, 4), int)).estimate(by="sign"), "by must be one of"),
    (lambda: TokenCorrelations(2).estimate(confidence=1), "confidence must be"),
    (lambda: lca_level(-1, 2, 2), "i must hold integers >= 0"),
    (lambda: default_distances(0), "longest must be"),
    (lambda: text_curves([], 4, [1]), "at least one document"),
    (lambda: text_curves([np.zeros(9, int)] * 4, 4, [1], shuffles=0), "shuffles must be"),
    (lambda: fit_power_law(estimate([[0, 0, 1, 1]] * 8, 2, [1, 2])), "3 resolved distances"),
]


@pytest.mark.parametrize("call, message", BAD, ids=[message for _, message in BAD])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
