"""Spectral clustering of whole siblings: exact where nothing is noisy, and where the derived law puts it elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcg_lib import theory
from hcg_lib.clustering import clustering_accuracy, look_up, parent_table
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.scaling import crossing
from hcg_lib.spectral import cluster_siblings, sibling_accuracy, sibling_statistics, spectral_context

SHAPES = [(16, 4), (16, 8), (8, 3), (32, 4)]


def every_string(g):
    return g.unrank(np.arange(g.n_strings))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(4, 2, 2), (6, 3, 2), (5, 2, 2), (3, 2, 3)]))
def test_all_strings_once_tell_all_synonyms_and_only_them(seed, shape):
    """Without noise the points of two tuples coincide where their parents' company does."""
    v, m, s = shape
    g = RandomHierarchyModel.random(v, m, s, 2, seed=seed)
    statistics = sibling_statistics(every_string(g), v, s)
    points = spectral_context(statistics, k=len(statistics.tuples)).vectors
    parent = look_up(parent_table(g, 1), statistics.tuples)[:, 0]
    for symbol in np.unique(parent):
        assert np.ptp(points[parent == symbol], axis=0).max() < 1e-6
    company = [
        tuple(tuple(sorted(map(tuple, np.delete(rules[rules[:, place] == symbol], place, 1)))) for place in range(s))
        for rules in [g.rules[1].reshape(-1, s)]
        for symbol in range(v)
    ]
    for a in np.unique(parent):
        for b in np.unique(parent):
            if a < b and company[a] != company[b]:
                assert np.abs(points[parent == a][0] - points[parent == b][0]).max() > 1e-6


def test_singular_values_of_a_table_of_parents_have_the_derived_mean_square():
    for v, m in SHAPES:
        squares = []
        for seed in range(40):
            joint = np.zeros((v, v))
            joint[tuple(RandomHierarchyModel.random(v, m, 2, 1, seed=seed).rules[0].reshape(-1, 2).T)] = 1 / (v * m)
            margins = np.sqrt(np.outer(joint.sum(1), joint.sum(0)))
            values = np.linalg.svd(np.divide(joint, margins, out=np.zeros_like(joint), where=margins > 0))[1]
            assert values[0] == pytest.approx(1)
            squares.append(np.sum(values[1:] ** 2) / (v - 1))
        f = theory.valid_fraction(v, m, 2)
        assert np.mean(squares) == pytest.approx((1 - f) / m, rel=0.12)


@pytest.mark.parametrize(("v", "m"), SHAPES)
def test_synonyms_are_told_apart_at_the_derived_law(v, m):
    """Three quarters of the tuples are right at 1 to 2 times the law, over a factor 7 of it."""
    law, x = theory.latent_target_threshold(v, m, 2, joint=True) / 2, 2.0 ** np.arange(-1, 5)
    rows = [[sibling_accuracy(v, m, 2, 3, 1, round(law * a), grammar=seed)["accuracy"] for a in x] for seed in range(4)]
    assert 1 < np.exp(np.mean([np.log(crossing(x, row, 0.75)) for row in rows])) < 2
    assert np.mean(rows, 0)[-1] > 0.99


def test_single_symbols_of_the_sibling_need_more_strings():
    law = theory.latent_target_threshold(16, 8, 2, joint=True) / 2
    whole, single = (
        np.mean([function(grammar=seed)["accuracy"] for seed in range(3)])
        for function in (
            lambda grammar: sibling_accuracy(16, 8, 2, 3, 1, round(4 * law), grammar),
            lambda grammar: clustering_accuracy(16, 8, 2, 3, 1, round(4 * law), "latents", True, grammar),
        )
    )
    assert whole > 0.95
    assert single < 0.8


def test_batches_add_up_and_tuples_without_a_sibling_lie_at_the_origin():
    g = RandomHierarchyModel.random(4, 2, 2, 2, seed=0)
    x = g.sample(300, seed=0)
    whole, parts = sibling_statistics(x, 4, 2), sibling_statistics([x[:100], x[100:]], 4, 2)
    assert (whole.counts == parts.counts).all()
    lonely = sibling_statistics(np.array([[0, 1, -1, 2], [0, 2, 0, 2]]), 4, 2)
    assert lonely.tuples.tolist() == [[0, 1], [0, 2]]
    assert not spectral_context(lonely, 2).vectors[0].any()
    assert np.linalg.norm(spectral_context(lonely, 2).vectors[1]) == pytest.approx(1)
    assert (cluster_siblings(whole, 4, seed=1) == cluster_siblings(whole, 4, seed=1)).all()


def test_unseen_tuples_count_as_wrong():
    found = sibling_accuracy(8, 4, 2, 2, level=1, P=3, grammar=0)
    assert found["tuples"] <= 6
    assert found["accuracy"] <= 6 / 32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sibling_statistics(np.zeros((3, 6), int), 4, 2), "symbols must have a width that is a multiple of"),
        (lambda: sibling_statistics(np.full((3, 4), 4), 4, 2), "symbols must hold"),
        (lambda: sibling_statistics(np.zeros((3, 4), int), 10**6, 2), "v must keep v\\*\\*s <="),
        (lambda: spectral_context(sibling_statistics(np.zeros((0, 4), int), 4, 2), 2), "at least one pair of siblings"),
        (lambda: spectral_context(None, 2), "statistics must be"),
        (lambda: cluster_siblings(sibling_statistics(np.zeros((3, 4), int), 4, 2), 0, seed=0), "k must be"),
        (lambda: sibling_accuracy(4, 2, 2, 2, level=2, P=5, grammar=0), "level must be"),
        (lambda: sibling_accuracy(4, 2, 2, 2, level=1, P=0, grammar=0), "P must be an integer >= 1"),
        (lambda: theory.latent_target_threshold(8, 3, 3, joint=True), "s must be"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
