"""Closed forms: identities between them, the table of parameter sets, agreement with the grammar, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hcg_lib import theory
from hcg_lib.grammar import RandomHierarchyModel

sizes = st.tuples(st.integers(2, 12), st.integers(2, 3)).flatmap(
    lambda vs: st.tuples(st.just(vs[0]), st.integers(1, vs[0] ** (vs[1] - 1)), st.just(vs[1]), st.integers(1, 4))
)


@pytest.mark.parametrize(
    "v, m, L, n, plain, pooled",
    [  # parameter sets of the paper's regime, computed by hand from v m**(l+1) / (1 - m/v)
        (8, 3, 3, 17496, [38, 346, 1037], [10, 173, 1037]),
        (8, 4, 3, 131072, [64, 1024, 4096], [16, 512, 4096]),
        (16, 3, 3, 34992, [59, 532, 1595], [15, 266, 1595]),
        (16, 6, 3, 4478976, [154, 5530, 33178], [38, 2765, 33178]),
        (16, 4, 4, 17179869184, [85, 1365, 5461, 21845], [11, 341, 2731, 21845]),
    ],
)
def test_table_of_thresholds(v, m, L, n, plain, pooled):
    assert theory.string_count(v, m, 2, L) == n
    levels = range(1, L + 1)
    assert [round(theory.rule_threshold(v, m, 2, L, l)) for l in levels] == plain
    assert [round(theory.rule_threshold(v, m, 2, L, l, pooled=True)) for l in levels] == pooled


@given(sizes)
def test_agrees_with_the_grammar(size):
    v, m, s, L = size
    g = RandomHierarchyModel.random(v, m, s, L, seed=0)
    assert theory.string_count(v, m, s, L) == g.n_strings
    assert theory.entropy(v, m, s, L) == pytest.approx(g.entropy())
    assert theory.valid_fraction(v, m, s) == g.f


@given(sizes)
def test_excess_is_the_height_of_the_plateau(size):
    v, m, s, L = size
    H = theory.loss_plateaus(v, m, s, L)
    assert H[0] == pytest.approx(math.log(v))
    for k in range(L + 1):
        assert theory.excess_nats(v, m, s, L, k) == pytest.approx(s**L * (H[k] - H[L]), abs=1e-9)


def test_uniform_strings_have_chance_accuracy():
    g = RandomHierarchyModel.random(8, 3, 2, 3, seed=0)
    x = np.random.default_rng(0).integers(0, 8, (40_000, 8))
    assert g.level_accuracy(x) == pytest.approx(theory.level_accuracy(8, 3, 2, 3), abs=0.003)


@given(sizes.filter(lambda size: size[1] < size[0] ** (size[2] - 1)), st.integers(1, 3), st.integers(1, 3))
def test_thresholds_are_where_signal_meets_floor(size, l, steps):
    """Token pairs and tuples: variance of the signal at the threshold equals variance of the noise."""
    v, m, s, _ = size
    k = l + steps
    P = theory.token_threshold(v, m, s, k)
    assert theory.token_correlation(v, m, s, k) == pytest.approx(float(theory.token_floor(v, P)))
    P = theory.tuple_threshold(v, m, s, l, k)
    assert theory.tuple_correlation(v, m, s, l, k) == pytest.approx(float(theory.tuple_floor(v, m, P)))


def test_the_same_quantity_from_two_sides():
    v, m, s, L = 16, 4, 2, 4
    for l in range(1, L):
        assert theory.latent_threshold(v, m, s, L, l) == theory.tuple_threshold(v, m, s, l)
        assert theory.rule_threshold(v, m, s, L, l + 1) == theory.latent_threshold(v, m, s, L, l)
        assert theory.rule_threshold(v, m, s, L, l + 1, pooled=True) == theory.latent_threshold(
            v, m, s, L, l, pooled=True
        )
    assert theory.context_variance(v, m, s, 0, 3) == pytest.approx(v**2 * theory.token_correlation(v, m, s, 3) ** 2)
    assert theory.rule_threshold(v, m, s, L, 1) == theory.token_threshold(v, m, s, 1)


def test_full_grammar_has_nothing_to_learn():
    assert theory.token_correlation(4, 4, 2, 1) == 0
    assert theory.rule_threshold(4, 4, 2, 3, 2) == math.inf
    assert theory.level_accuracy(4, 4, 2, 3).tolist() == [1, 1, 1]
    assert np.ptp(theory.loss_plateaus(4, 4, 2, 3)) < 1e-12


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: theory.valid_fraction(1, 1, 2), "v must be an integer >= 2, got 1"),
        (lambda: theory.valid_fraction(4, 5, 2), "m must be an integer from 1 to 4, got 5"),
        (lambda: theory.token_correlation(4, 2, 2, 0), "k must be an integer >= 1, got 0"),
        (lambda: theory.context_variance(4, 2, 2, 2, 2), "k must be an integer >= 3, got 2"),
        (lambda: theory.latent_threshold(4, 2, 2, 3, 3), "l must be an integer from 1 to 2, got 3"),
        (lambda: theory.token_floor(4, [10, 0]), r"P must hold finite numbers > 0, got \[10, 0\]"),
        (lambda: theory.synonym_sensitivity(-1.0), r"ratio must hold finite numbers > 0, got -1\.0"),
        (lambda: theory.coherence_length(4, 1, 2, 10), "m must be an integer >= 2, got 1"),
        (lambda: theory.level_accuracy(4, 2, 2, 3, 4), "k must be an integer from 0 to 3, got 4"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_powers_of_m():
    """Exponents, read off by doubling m at fixed (1-f)."""
    ratios = {
        k: theory.token_threshold(64, 8, 2, k) / theory.token_threshold(64, 4, 2, k) * (1 - 8 / 64) / (1 - 4 / 64)
        for k in (1, 2, 3)
    }
    assert ratios == pytest.approx({1: 2, 2: 8, 3: 32})
    for l, k in itertools.combinations((1, 2, 3, 4), 2):
        ratio = theory.tuple_threshold(64, 8, 2, l, k) / theory.tuple_threshold(64, 4, 2, l, k)
        assert ratio * (1 - 8 / 64) / (1 - 4 / 64) == pytest.approx(2.0 ** (2 * k - l))
