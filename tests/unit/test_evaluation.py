"""What generated strings are counted as: copies, novelties, rules; and one point of a sweep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hcg_lib.evaluation import (
    contains,
    copied_blocks,
    novelty,
    order_parameters,
    rule_distance,
    rule_frequencies,
    wilson_interval,
)
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.learning import learn

g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)


@given(
    st.lists(st.tuples(*[st.integers(0, 300)] * 3), max_size=20),
    st.lists(st.tuples(*[st.integers(0, 300)] * 3), min_size=1),
)
def test_membership_is_that_of_sets(strings, x):
    known = np.array(strings, int).reshape(-1, 3)
    assert contains(known, np.array(x)).tolist() == [row in set(strings) for row in x]


def test_copies_count_once_however_often_a_string_was_trained_on():
    x = g.sample(50, seed=1, unique=True)
    found = novelty(g, x, np.concatenate([x[:10], x[:10], x[:10]]))
    assert found.copies == 0.2
    assert found.novel_valid == 0.8
    assert found.chance == pytest.approx(10 / g.n_strings)


def test_a_perfect_sampler_copies_as_often_as_chance_says():
    training = g.sample(g.n_strings // 3, seed=1, unique=True)
    found = novelty(g, g.sample(20_000, seed=2), training)
    low, high = wilson_interval(round(found.copies * 20_000), 20_000, z=4)
    assert low < found.chance < high


def test_invalid_strings_are_neither_valid_nor_novel():
    broken = g.sample(100, seed=1)
    broken[:, 0] = (broken[:, 0] + 1) % g.v
    found = novelty(g, broken, broken[:50])
    assert found.novel_valid == pytest.approx((g.is_grammatical(broken[50:])).mean() / 2)
    assert found.copies >= 0.5


def test_blocks_are_compared_at_their_own_place():
    x = g.sample(40, seed=1)
    moved = np.roll(x, g.s, axis=1)
    assert copied_blocks(g, x, x).tolist() == [1, 1, 1]
    expected = [
        np.mean(
            [
                tuple(row[i : i + w]) in {tuple(r[i : i + w]) for r in moved.tolist()}
                for row in x.tolist()
                for i in range(0, 8, w)
            ]
        )
        for w in (2, 4, 8)
    ]
    assert copied_blocks(g, x, moved) == pytest.approx(expected)


def test_rule_frequencies_are_uniform_for_data_and_zero_where_nothing_is_valid():
    counts = [
        level * n for level, n in zip(rule_frequencies(g, g.sample(3000, seed=0)), (12_000, 6000, 3000), strict=True)
    ]
    assert all(stats.chisquare(level.ravel()[level.ravel() > 0]).pvalue > 1e-5 for level in counts[2:])
    skewed = RandomHierarchyModel(g.rules, [[0.6, 0.3, 0.1]] * 3)
    distance = rule_distance(g, skewed.sample(3000, seed=0), g.sample(3000, seed=1))
    assert distance == pytest.approx([0.27, 0.27, 0.27], abs=0.06)
    broken = g.sample(10, seed=0)
    broken[:, ::2] = 0
    broken[:, 1::2] = next(b for b in range(8) if (g.rules[0] != [0, b]).any(-1).all())
    assert all((level == 0).all() for level in rule_frequencies(g, broken))


@pytest.mark.parametrize("p", [0.02, 0.5])
def test_wilson_intervals_cover(p):
    k = np.random.default_rng(0).binomial(200, p, size=5000)
    low, high = wilson_interval(k, 200)
    assert 0.93 < ((low < p) & (p < high)).mean() < 0.98


def test_a_point_is_reproducible_and_better_than_chance():
    options = {"steps": 120, "batch": 64, "width": 16, "samples": 500, "traced": 20}
    point = learn(4, 2, 2, 3, P=128, grammar=1, **options)  # a quarter of all strings
    again = learn(4, 2, 2, 3, P=128, grammar=1, **options)
    assert point["accuracy"].tolist() == again["accuracy"].tolist()
    assert point["trace_validation"] == again["trace_validation"]
    assert point["accuracy"][0] > 0.7  # chance is 0.5
    assert len(point["trace_accuracy"]) == len(point["trace_step"])
    assert min(point["trace_validation"]) < point["trace_validation"][0]


BAD = [
    (lambda: novelty(g, np.zeros((3, 7), int), g.sample(3, 0)), r"x must have shape \(P, 8\)"),
    (lambda: novelty(g, g.sample(3, 0), g.sample(0, 0)), "number of strings in training must be an integer >= 1"),
    (lambda: contains(np.zeros((2, 3), int), np.zeros((2, 4), int)), "x must have the width of strings, 3, got 4"),
    (lambda: contains(np.zeros(3), np.zeros((2, 4), int)), "strings must be integers"),
    (lambda: wilson_interval(3, 2), "successes must lie between 0 and trials"),
    (lambda: learn(8, 3, 2, 3, P=0, grammar=0), "P must be an integer from 1 to 17495, got 0"),
    (lambda: learn(8, 3, 2, 3, P=10, grammar=0, network="gpt"), "network must be one of 'messages', 'unet'"),
]


@pytest.mark.parametrize("call, message", BAD)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_order_parameters_of_counts_are_those_of_the_strings():
    x = np.random.default_rng(0).integers(8, size=(3000, 8)).astype(g.dtype)
    valid, complete = g.count_valid(x).T
    assert order_parameters(valid, complete, least=1) == pytest.approx(g.order_parameter(x), nan_ok=True)
    assert np.isnan(order_parameters([9, 49], [9, 49])).all()
    with pytest.raises(ValueError, match="valid must lie between 0 and complete"):
        order_parameters([3], [2])
