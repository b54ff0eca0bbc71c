"""The grammar: sampling, ranking, parsing, counting; invariants over many (v, m, s, L)."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.rules import build_trie, draw_rules


@st.composite
def grammars(draw, weighted=False, longest=32):
    v, s = draw(st.integers(2, 9)), draw(st.integers(2, 4))
    L = draw(st.integers(1, int(math.log(longest, s))))
    m = draw(st.integers(1, min(v ** (s - 1), 12)))
    exponent = draw(st.floats(0, 2)) if weighted else 0.0
    return RandomHierarchyModel.random(v, m, s, L, seed=draw(st.integers(0, 2**32)), zipf_exponent=exponent)


@given(grammars(weighted=True), st.integers(0, 2**32))
def test_samples_are_grammatical_and_survive_every_round_trip(g, seed):
    x = g.sample(20, seed)
    assert x.shape == (20, g.d)
    assert x.dtype == g.dtype
    assert g.is_grammatical(x).all()
    assert (g.level_accuracy(x) == 1).all()
    assert (g.unrank(g.rank(x)) == x).all()
    levels = g.parse(x)
    derived = g.derive(levels[-1][:, 0], g.rule_choices(x))
    assert all((a == b).all() for a, b in zip(levels, derived, strict=True))


@given(grammars(), st.data())
def test_rank_inverts_unrank_and_counts_to_n(g, data):
    index = data.draw(st.lists(st.integers(0, g.n_strings - 1), min_size=1, max_size=8))
    x = g.unrank(np.array(index, dtype=object))
    assert g.rank(x).tolist() == index
    assert g.n_strings == g.v * g.m ** ((g.s**g.L - 1) // (g.s - 1))


@given(grammars(), st.integers(0, 2**32))
def test_accuracy_and_order_parameter_agree_with_the_parse(g, seed):
    x = np.random.default_rng(seed).integers(g.v, size=(40, g.d))
    x[:20] = g.sample(20, seed)
    x[:10, 0] = (x[:10, 0] + 1) % g.v
    levels = g.parse(x)
    valid = [level >= 0 for level in levels]
    assert np.allclose(g.level_accuracy(x), [level.mean() for level in valid[1:]])
    complete = [level.reshape(len(x), -1, g.s).all(-1) for level in valid[:-1]]
    expected = [up[down].mean() if down.any() else np.nan for up, down in zip(valid[1:], complete, strict=True)]
    assert np.allclose(g.order_parameter(x), expected, equal_nan=True)
    assert (g.count_valid(x) == g.count_valid(x[:15]) + g.count_valid(x[15:])).all()


@given(grammars(), st.integers(0, 2**32))
def test_renaming_symbols_of_the_tokens_changes_nothing_above(g, seed):
    rename = np.random.default_rng(seed).permutation(g.v)
    renamed = RandomHierarchyModel([rename[g.rules[0]], *g.rules[1:]])
    x = g.sample(10, seed)
    assert all((a == b).all() for a, b in zip(g.parse(x)[1:], renamed.parse(rename[x])[1:], strict=True))


def test_all_strings_are_distinct_and_are_all_that_is_grammatical():
    g = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=3)
    listed = {tuple(row) for row in g.unrank(np.arange(g.n_strings)).tolist()}
    assert len(listed) == g.n_strings == 24
    every = np.array(np.meshgrid(*[range(3)] * 4)).reshape(4, -1).T
    assert {tuple(row) for row in every[g.is_grammatical(every)].tolist()} == listed


def test_sampling_is_uniform_over_strings():
    g = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=3)
    counts = np.bincount(g.rank(g.sample(24_000, seed=0)), minlength=24)
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("exponent", [0.0, 1.0, [0.0, 2.0]])
def test_weighted_sampling_follows_the_exact_likelihood(exponent):
    g = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=3, zipf_exponent=exponent)
    everything = g.unrank(np.arange(g.n_strings))
    p = np.exp(g.log_probability(everything))
    assert np.isclose(p.sum(), 1)
    assert np.isclose(-(p * np.log(p)).sum(), g.entropy())
    counts = np.bincount(g.rank(g.sample(24_000, seed=0)), minlength=24)
    assert stats.chisquare(counts, 24_000 * p).pvalue > 1e-4


def test_ungrammatical_strings_have_no_likelihood():
    g = RandomHierarchyModel([[[[0, 0]], [[1, 1]]], [[[0, 1]], [[1, 0]]]])
    assert g.log_probability([[0, 0, 1, 1], [0, 1, 1, 1]]).tolist() == [-math.log(2), -math.inf]


@pytest.mark.parametrize("P", [1, 100, 16_000, 17_496])
def test_draws_without_replacement_are_distinct(P):
    g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
    x = g.sample(P, seed=1, unique=True)
    assert len(np.unique(g.rank(x))) == P


def test_draws_without_replacement_are_uniform_and_in_random_order():
    g = RandomHierarchyModel.random(v=2, m=2, s=2, L=1, seed=0)  # four strings
    pairs = Counter(tuple(g.rank(g.sample(2, seed, unique=True)).tolist()) for seed in range(3600))
    assert len(pairs) == 12
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-4


def test_weighted_draws_without_replacement_are_successive_draws():
    g = RandomHierarchyModel([[[[0, 0], [0, 1]], [[1, 0], [1, 1]]]], [[0.8, 0.2]])
    p = np.exp(g.log_probability(g.unrank(range(4))))
    pairs = Counter(tuple(g.rank(g.sample(2, seed, unique=True)).tolist()) for seed in range(4000))
    expected = {(i, j): 4000 * p[i] * p[j] / (1 - p[i]) for i in range(4) for j in range(4) if i != j}
    assert stats.chisquare([pairs[pair] for pair in expected], list(expected.values())).pvalue > 1e-4


def test_more_strings_than_a_word_can_count():
    g = RandomHierarchyModel.random(v=32, m=8, s=2, L=6, seed=0)
    assert g.n_strings == 32 * 8**63 > 2**63
    x = g.sample(2000, seed=1, unique=True)
    number = g.rank(x)
    assert all(isinstance(index, int) for index in number.tolist())
    assert (g.unrank(number) == x).all()
    assert g.unrank([g.n_strings - 1]).shape == (1, 64)
    assert len({tuple(row) for row in x.tolist()}) == 2000
    assert g.is_grammatical(x).all()


def test_unique_rejection_fills_up_after_repeats():
    g = RandomHierarchyModel.random(v=4, m=2, s=2, L=5, seed=0, zipf_exponent=6.0)  # nearly all mass on 4 strings
    x = g.sample(30, seed=0, unique=True)
    assert len(np.unique(x, axis=0)) == 30


def test_rules_are_drawn_uniformly_even_where_tuples_cannot_be_listed():
    rules = draw_rules(64, 8, 12, np.random.default_rng(0))  # 64**12 > 2**63
    assert len(np.unique(rules.reshape(-1, 12), axis=0)) == 512
    assert stats.chisquare(np.bincount(rules.ravel(), minlength=64)).pvalue > 1e-4
    small = Counter(draw_rules(2, 1, 2, np.random.default_rng(seed)).tobytes() for seed in range(2400))
    assert len(small) == 12
    assert stats.chisquare(list(small.values())).pvalue > 1e-4


def test_long_tuples_parse_through_the_trie():
    g = RandomHierarchyModel.random(v=64, m=8, s=12, L=1, seed=0)
    x = g.sample(100, seed=0)
    assert g.is_grammatical(x).all()
    x[:, -1] = (x[:, -1] + 1) % 64
    assert not g.is_grammatical(x).any()
    assert len(build_trie(g.rules[0])) <= 64 * 8 * 11


def test_the_same_seed_gives_the_same_strings_on_any_number_of_threads(monkeypatch):
    g = RandomHierarchyModel.random(v=16, m=4, s=2, L=3, seed=0)
    alone = g.sample(60_000, seed=5), g.count_valid(g.sample(60_000, seed=5))
    monkeypatch.setattr("hcg_lib._parallel.thread_count", lambda: 3)
    assert (g.sample(60_000, seed=5) == alone[0]).all()
    assert (g.count_valid(alone[0]) == alone[1]).all()
    generator = np.random.default_rng(5)
    assert (g.sample(60_000, generator) == alone[0]).all()
    assert not (g.sample(60_000, generator) == alone[0]).all()


def test_streams_have_the_law_of_samples():
    g = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=3)
    batches = list(g.sample_batches(24_000, seed=0, batch=700))
    assert [len(x) for x in batches] == [700] * 34 + [200]
    assert stats.chisquare(np.bincount(g.rank(np.concatenate(batches)), minlength=24)).pvalue > 1e-4


@pytest.mark.parametrize(
    "v, m, s, L, chance",
    [(8, 3, 2, 3, [0.375, 0.0527, 0.00104]), (16, 4, 2, 3, [0.25, 0.0156, 6.1e-5])],
)
def test_uniform_tokens_reach_the_chance_levels(v, m, s, L, chance):
    g = RandomHierarchyModel.random(v, m, s, L, seed=0)
    P = 400_000
    x = np.random.default_rng(1).integers(v, size=(P, g.d), dtype=np.uint8)
    nodes = P * s ** np.arange(L - 1, -1, -1)
    spread = np.sqrt(np.array(chance) / nodes)  # nodes of one level are independent
    assert (abs(g.level_accuracy(x) - chance) < 4.5 * spread + 0.002 * np.array(chance)).all()


def test_every_tuple_grammatical_leaves_nothing_to_learn():
    g = RandomHierarchyModel.random(v=4, m=4, s=2, L=3, seed=0)
    assert g.f == 1
    assert g.n_strings == 4**8
    assert (g.level_accuracy(np.random.default_rng(0).integers(4, size=(500, 8))) == 1).all()
    assert np.isclose(g.entropy(), 8 * math.log(4))


@settings(max_examples=20)
@given(st.integers(2, 70_000))
def test_symbols_take_the_smallest_dtype(v):
    g = RandomHierarchyModel.random(v, 1, 2, 1, seed=0)
    assert g.dtype == (np.uint8 if v <= 256 else np.uint16 if v <= 65536 else np.uint32)
    assert int(g.sample(10, 0).max()) < v


def test_tuples_may_be_so_long_that_their_number_has_thousands_of_digits():
    long = RandomHierarchyModel.random(v=16, m=4, s=4096, L=1, seed=0)  # 16**4096 tuples
    assert long.f == 0
    assert long.is_grammatical(long.sample(3, seed=0)).all()
