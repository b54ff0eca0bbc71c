"""Exact population values: consistency, closed forms on average, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcg_lib import theory
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.population import Population, sample_truncated

grammars = st.builds(
    lambda v, m, s, L, seed, zipf: RandomHierarchyModel.random(v, min(m, v ** (s - 1)), s, L, seed, zipf),
    st.integers(2, 5), st.integers(1, 4), st.integers(2, 3), st.integers(1, 3), st.integers(0, 99),
    st.sampled_from([0.0, 1.0]),
)  # fmt: skip


@given(grammars, st.data())
@settings(max_examples=60, deadline=None)
def test_joints_are_consistent(g, data):
    exact = Population(g)
    nodes = st.integers(0, g.L).flatmap(lambda l: st.tuples(st.just(l), st.integers(0, g.s ** (g.L - l) - 1)))
    one, other = data.draw(nodes), data.draw(nodes)
    joint = exact.joint(one, other)
    assert (joint >= 0).all()
    assert joint.sum(1) == pytest.approx(exact.marginal(one))
    assert joint.sum(0) == pytest.approx(exact.marginal(other))
    assert joint == pytest.approx(exact.joint(other, one).T)
    rows = exact.conditional(other, one).sum(1)
    assert ((np.abs(rows - 1) < 1e-9) | (rows == 0)).all()
    assert np.abs(exact.covariance(one, other).sum()) < 1e-12


@given(grammars)
@settings(max_examples=30, deadline=None)
def test_synonyms_have_one_context(g):
    if g.L == 1:
        return
    joint = Population(g).tuple_context(1)
    given_tuple = joint / np.maximum(joint.sum(4, keepdims=True), 1e-300)
    seen = joint.sum(4) > 0
    assert np.ptp(np.where(seen[..., None], given_tuple, np.nan), axis=1)[seen.all(1)] == pytest.approx(0, abs=1e-9)


def test_the_ancestor_hides_everything_else():
    """Data processing: more steps, less correlation; pooled joints are means over families."""
    g = RandomHierarchyModel.random(v=8, m=4, s=2, L=3, seed=0)
    exact = Population(g)
    families = [exact.context(1, family=n) for n in range(2)]
    assert exact.context(1) == pytest.approx(np.mean(families, axis=0))
    assert exact.context_variance(1, 2) > exact.context_variance(1, 3) > exact.context_variance(0, 3)


def test_distance_joint_is_the_mean_over_positions():
    g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    exact = Population(g)
    assert exact.distance_joint(2) == pytest.approx((exact.joint((0, 0), (0, 2)) + exact.joint((0, 1), (0, 3))) / 2)


def test_full_grammar_has_no_correlations():
    g = RandomHierarchyModel.random(v=5, m=5, s=2, L=3, seed=0)
    assert Population(g).token_correlations() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("v, m, s, L", [(16, 4, 2, 3), (32, 8, 2, 3), (16, 16, 3, 2)])
def test_finite_size_formula_averaged_over_grammars(v, m, s, L):
    """Mean C^2 of 60 grammars against closed form times finite-size factor, within 10 % and 4 standard errors."""
    squares = [Population(RandomHierarchyModel.random(v, m, s, L, seed=i)).token_correlations() ** 2 for i in range(60)]
    for k in range(1, L + 1):
        predicted = theory.token_correlation(v, m, s, k) ** 2 * theory.finite_size(v, m, s, L, k)
        ratio = np.array([c[k - 1] for c in squares]) / predicted
        assert abs(ratio.mean() - 1) < min(0.1, 4 * ratio.std() / np.sqrt(60) + 0.02)


def test_truncated_strings_are_grammatical_up_to_their_level():
    g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
    for known in range(4):
        x = sample_truncated(g, known, 5000, seed=1)
        assert x.shape == (5000, 8)
        assert g.level_accuracy(x) == pytest.approx(theory.level_accuracy(8, 3, 2, 3, known), abs=0.025)
    assert (sample_truncated(g, 2, 50, seed=1) == sample_truncated(g, 2, 50, seed=1)).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda p: p.joint((4, 0), (0, 0)), "level of one must be an integer from 0 to 3, got 4"),
        (lambda p: p.joint((1, 0), (2, 2)), "number of other must be an integer from 0 to 1, got 2"),
        (lambda p: p.transition((1, 0), (0, 5)), "ancestor must lie above"),
        (lambda p: p.context(3), "l must be an integer from 0 to 2, got 3"),
        (lambda p: p.context(1, 1), "k must be an integer from 2 to 3, got 1"),
        (lambda p: p.context(1, 2, family=2), "family must be an integer from 0 to 1, got 2"),
        (lambda p: p.tuple_context(0), "l must be an integer from 1 to 2, got 0"),
        (lambda p: p.distance_joint(8), "t must be an integer from 1 to 7, got 8"),
        (lambda p: sample_truncated(p.grammar, 4, 10, 0), "known must be an integer from 0 to 3, got 4"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(Population(RandomHierarchyModel.random(4, 2, 2, 3, seed=0)))
