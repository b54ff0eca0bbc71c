"""Clustering by context: recovers parents with enough data, chance without, and needs no strings in memory."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hcg_lib.clustering import (
    Clustering,
    cluster_levels,
    cluster_tuples,
    clustering_accuracy,
    look_up,
    matched_accuracy,
    parent_table,
)
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.tuples import Context


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_matched_accuracy_is_the_best_over_all_renamings(pairs):
    inferred, true = np.array(pairs).T
    best = max(np.mean(np.array(renaming)[inferred] == true) for renaming in itertools.permutations(range(4)))
    assert np.isclose(matched_accuracy(inferred, true), best)


def test_unknown_labels_count_as_wrong_and_weights_weigh():
    assert matched_accuracy(np.array([-1, -1, 0]), np.array([0, 0, 1])) == pytest.approx(1 / 3)
    assert matched_accuracy(np.array([0, 0]), np.array([0, 1]), weights=np.array([3.0, 1.0])) == 0.75


@pytest.mark.parametrize("s", [2, 3])
def test_true_tables_encode_as_the_grammar_parses(s):
    g = RandomHierarchyModel.random(v=5, m=4, s=s, L=3, seed=1)
    x = g.sample(50, seed=0)
    x[0] = 0  # most likely ungrammatical
    truth = Clustering(tuple(parent_table(g, level) for level in (1, 2, 3)))
    assert all((a == b).all() for a, b in zip(truth.encode(x), g.parse(x), strict=True))


@pytest.mark.parametrize("targets", ["tokens", "latents"])
@pytest.mark.parametrize("sharing", [True, False])
@pytest.mark.parametrize("s, L", [(2, 4), (3, 2)])
def test_every_level_is_recovered_from_enough_strings(targets, sharing, s, L):
    g = RandomHierarchyModel.random(v=6, m=3, s=s, L=L, seed=2)
    result = cluster_levels(g.sample(30_000, seed=1), v=6, s=s, targets=targets, sharing=sharing, seed=0)
    held_out = g.sample(2000, seed=9)
    accuracy = [
        matched_accuracy(a, b) for a, b in zip(result.encode(held_out)[1:], g.parse(held_out)[1:], strict=False)
    ]
    assert len(accuracy) == L - 1
    assert min(accuracy) > 0.97


def test_batches_functions_and_arrays_give_one_result():
    g = RandomHierarchyModel.random(v=8, m=4, s=2, L=3, seed=0)
    x = g.sample(5000, seed=1)
    whole = cluster_levels(x, v=8, s=2, seed=3)
    for strings in ([x[:700], x[700:]], lambda: iter(np.array_split(x, 9))):
        other = cluster_levels(strings, v=8, s=2, seed=3)
        assert all((a == b).all() for a, b in zip(whole.levels, other.levels, strict=True))


def test_with_nothing_to_learn_accuracy_is_chance():
    g = RandomHierarchyModel.random(v=8, m=8, s=2, L=2, seed=0)  # f = 1: no correlations
    result = cluster_levels(g.sample(50_000, seed=1), v=8, s=2)
    x = g.sample(5000, seed=2)
    assert matched_accuracy(result.encode(x)[1], g.parse(x)[1]) < 0.4


def test_unseen_tuples_are_unknown():
    g = RandomHierarchyModel.random(v=8, m=4, s=2, L=2, seed=0)
    result = cluster_levels(g.sample(20, seed=1), v=8, s=2)
    assert (result.levels[0] == -1).sum() > 8 * 8 - 40
    assert (result.encode(g.sample(500, seed=2))[1] == -1).any()
    assert (look_up(result.levels[0], np.array([[-1, 0]])) == -1).all()


def test_few_tuples_get_a_class_each_and_many_are_clustered_by_weight():
    points = np.array([[0.0], [0.1], [10.0], [10.1]])
    assert cluster_tuples(Context(np.zeros((2, 2)), points[:2], np.ones(2)), 3, seed=0).tolist() == [0, 1]
    found = cluster_tuples(Context(np.zeros((4, 2)), points, np.ones(4)), 2, seed=0)
    assert found[0] == found[1] != found[2] == found[3]


def test_accuracy_rises_through_the_predicted_threshold():
    predicted = 16 * 4**3 / (1 - 4 / 16)
    low, high = (
        np.mean(
            [clustering_accuracy(16, 4, 2, 2, 1, int(r * predicted), "tokens", False, g)["accuracy"] for g in range(3)]
        )
        for r in (1 / 8, 4)
    )
    assert low < 0.5
    assert high > 0.9


def test_points_do_not_depend_on_the_number_of_threads(monkeypatch):
    point = {"level": 1, "P": 40_000, "targets": "latents", "sharing": True, "grammar": 1}
    alone = clustering_accuracy(8, 4, 2, 3, **point)
    monkeypatch.setattr("hcg_lib._parallel.thread_count", lambda: 3)
    assert clustering_accuracy(8, 4, 2, 3, **point) == alone
