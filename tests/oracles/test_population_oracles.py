"""Exact population values against brute force over all strings, and against large samples."""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest

from hcg_lib.correlations import LevelCorrelations
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.population import Population, sample_truncated
from hcg_lib.tuples import level_statistics

GRAMMARS = [
    {"v": 3, "m": 2, "s": 2, "L": 3, "seed": 0},
    {"v": 4, "m": 2, "s": 2, "L": 3, "seed": 1, "zipf_exponent": 1.2},
    {"v": 2, "m": 3, "s": 3, "L": 2, "seed": 2, "zipf_exponent": [0.0, 0.7]},
]


def derivations(grammar):
    """Every derivation with its probability: [(probability, [level 0 symbols, …, level L symbols])], by recursion."""
    s, v, L = grammar.s, grammar.v, grammar.L
    uniform = [np.full((v, grammar.m), 1 / grammar.m)] * L
    weight = grammar.probabilities or uniform

    def expand(l, y):
        if l == 0:
            return [(1.0, [[y]])]
        found = []
        for r in range(grammar.m):
            children = [int(a) for a in grammar.rules[l - 1][y, r]]
            for parts in itertools.product(*(expand(l - 1, a) for a in children)):
                p = weight[l - 1][y, r]
                levels = [[] for _ in range(l)]
                for q, below in parts:
                    p *= q
                    for level, symbols in zip(levels, below, strict=True):
                        level += symbols
                found.append((p, [*levels, [y]]))
        return found

    assert s**L <= 9
    return [(p / v, levels) for y in range(v) for p, levels in expand(L, y)]


@pytest.fixture(scope="module", params=GRAMMARS, ids=lambda p: f"v{p['v']}m{p['m']}s{p['s']}L{p['L']}")
def grammar(request):
    return RandomHierarchyModel.random(**request.param)


def all_nodes(g):
    return [(l, n) for l in range(g.L + 1) for n in range(g.s ** (g.L - l))]


def test_marginals_and_joints_of_all_pairs_of_nodes(grammar):
    exact, known = Population(grammar), derivations(grammar)
    nodes = all_nodes(grammar)
    weight = np.array([p for p, _ in known])
    symbol = {node: np.array([levels[node[0]][node[1]] for _, levels in known]) for node in nodes}
    assert weight.sum() == pytest.approx(1)
    v = grammar.v
    for one in nodes:
        assert exact.marginal(one) == pytest.approx(np.bincount(symbol[one], weight, v), abs=1e-12)
        for other in nodes:
            table = np.bincount(symbol[one] * v + symbol[other], weight, v * v).reshape(v, v)
            assert np.abs(exact.joint(one, other) - table).max() < 1e-12, (one, other)


def test_token_correlations_by_level(grammar):
    by_level = defaultdict(list)
    for i, j in itertools.combinations(range(grammar.d), 2):
        joint = Population(grammar).joint((0, i), (0, j))  # equal to brute force, see above
        k = next(k for k in range(grammar.L + 1) if i // grammar.s**k == j // grammar.s**k)
        by_level[k].append(((joint - np.outer(joint.sum(1), joint.sum(0))) ** 2).mean())
    expected = [np.sqrt(np.mean(by_level[k])) for k in range(1, grammar.L + 1)]
    assert Population(grammar).token_correlations() == pytest.approx(expected, abs=1e-12)


def test_context_of_one_family_is_a_table_of_joints(grammar):
    exact, s = Population(grammar), grammar.s
    for l in range(grammar.L):
        for k in range(l + 1, grammar.L + 1):
            for target in range(k):
                found = exact.context(l, k, target, family=0)
                slots, wide = s ** (k - l), s ** (k - target)
                for slot in range(slots):
                    child = slot // s ** (k - 1 - l)
                    others = [z for z in range(wide) if z // s ** (k - 1 - target) != child]
                    for q, z in enumerate(others):
                        joint = exact.joint((l, slot), (target, z))
                        assert np.abs(found[:, slot, q] - joint).max() < 1e-12


def test_tuple_contexts_by_enumeration(grammar):
    """p(tuple, token) of the first family of level-1 tuples, tuple read off the string itself."""
    exact = Population(grammar).tuple_context(1, family=0)
    expected = np.zeros_like(exact)
    number = {tuple(int(a) for a in grammar.rules[0][y, r]): (y, r) for y in range(grammar.v) for r in range(grammar.m)}
    s = grammar.s
    for p, (tokens, *_) in derivations(grammar):
        for slot in range(s):
            context = [tokens[i] for i in range(s * s) if i // s != slot]
            for q, z in enumerate(context):
                expected[(*number[tuple(tokens[slot * s : slot * s + s])], slot, q, z)] += p
    assert np.abs(exact - expected).max() < 1e-12


@pytest.mark.parametrize("targets, target", [("tokens", 0), ("latents", 1)])
@pytest.mark.parametrize("zipf", [0.0, 1.0])
def test_pooled_tuple_counts_converge_to_the_population(targets, target, zipf):
    """Each of the frequencies of 4e5 strings lies within 5.5 standard deviations of the exact probability."""
    g = RandomHierarchyModel.random(v=6, m=3, s=2, L=3, seed=0, zipf_exponent=zipf)
    P = 400_000
    statistics = level_statistics(g, g.sample_batches(P, seed=1), [2], targets)[2]
    exact = Population(g).tuple_context(2, target=target).reshape(-1, *statistics.counts.shape[1:])
    order = np.lexsort(g.rules[1].reshape(-1, 2).T[::-1])
    assert (g.rules[1].reshape(-1, 2)[order] == statistics.tuples).all()
    p = exact[order]
    spread = np.sqrt(p * (1 - p) / P)
    assert (np.abs(statistics.counts / P - p) <= 5.5 * spread + 1e-15).all()


def test_mean_square_estimates_agree_with_the_population():
    """Floor-subtracted estimates from few strings are unbiased: mean of 40 samples within 4 standard errors."""
    g = RandomHierarchyModel.random(v=8, m=4, s=2, L=3, seed=3)
    joint = Population(g).tuple_context(1, family=0)
    p = joint.reshape(-1, *joint.shape[2:])
    exact = ((p - p.sum(3, keepdims=True) * p.sum(0, keepdims=True)) ** 2).mean()
    samples = [level_statistics(g, g.sample(600, seed=seed), [1], family=0)[1] for seed in range(40)]
    found = [sample.mean_square().value for sample in samples]
    assert abs(np.mean(found) - exact) < 4 * np.std(found) / np.sqrt(40)


def test_tuple_correlation_is_the_root_mean_square_over_families():
    g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=3)
    exact, squares = Population(g), []
    for family in range(2):
        joint = exact.tuple_context(1, family=family)
        for (y, r, slot, q), row in np.ndenumerate(joint.sum(4)):
            squares += [((joint[y, r, slot, q, z] - row * joint[:, :, slot, q, z].sum()) ** 2) for z in range(4)]
    assert exact.tuple_correlation(1) == pytest.approx(np.sqrt(np.mean(squares)))


def test_estimated_token_correlations_agree_with_the_population():
    g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
    curve = LevelCorrelations(8, 2, 3).update(g.sample(40_000, seed=1)).estimate(confidence=0.999)
    exact = Population(g).token_correlations() * g.v
    assert ((curve.low <= exact) & (exact <= curve.high)).all()


def test_truncated_strings_keep_short_correlations_and_lose_the_rest():
    g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
    curve = LevelCorrelations(8, 2, 3).update(sample_truncated(g, 1, 40_000, seed=1)).estimate(confidence=0.999)
    level_one = RandomHierarchyModel(g.rules[:1])
    assert curve.low[0] <= Population(level_one).token_correlations()[0] * 8 <= curve.high[0]
    assert not curve.resolved[1:].any()
