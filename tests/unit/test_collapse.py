"""Curves made to collapse do, at the exponent they were made with and at no other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hcg_lib.collapse import collapse_exponent, collapse_spread

P = 2.0 ** np.arange(3, 18)
M = np.array([3, 4, 6, 8])


def rise(ratio):
    return 1 / (1 + ratio**-1.5)


def scan(rng, exponent=4.0, noise=0.2, grammars=3):
    return [rise(P / (m**exponent * np.exp(rng.normal(0, noise, (grammars, 1))))) for m in M]


@given(st.floats(0.5, 100), st.lists(st.floats(0.5, 200), min_size=2, max_size=5))
def test_one_curve_lies_on_itself_whatever_the_unit(unit, scales):
    straight = [np.log2(P)] * len(scales)  # linear in log P, so that interpolation is exact
    assert collapse_spread([P * c for c in scales], straight, unit * np.array(scales)) < 1e-20


def test_the_spread_of_two_straight_lines_is_known_in_closed_form():
    """y = log x and y = log x - δ over a window of length w: δ²/4 over w²/12 (and a grid's correction) + δ²/4."""
    size = np.exp(np.linspace(0, 6, 13))
    w, step, delta = 6.0, 6.0 / 64, 0.5
    variance = (w**2 + 2 * w * step) / 12 + delta**2 / 4
    assert collapse_spread([size, size], [np.log(size), np.log(size) - delta], [1, 1]) == pytest.approx(
        delta**2 / 4 / variance
    )


@pytest.mark.parametrize("values", [[np.zeros(15), np.ones(15)], [np.ones(15), np.ones(15)]])
def test_curves_that_size_does_not_explain_have_spread_one(values):
    assert collapse_spread([P, P], values, [1, 1]) == 1


def test_curves_that_never_meet_have_spread_one_and_one_pair_of_three_a_third():
    y = np.log2(P)
    assert collapse_spread([P, P], [y, y], [1, 1e9]) == 1
    assert collapse_spread([P, P, P], [y, y, y], [1, 1, 1e9]) == pytest.approx(2 / 3)


def test_gaps_are_left_out_and_grammars_averaged():
    y = np.array([np.log2(P) - 1, np.log2(P) + 1])
    y[:, 0] = np.nan
    assert collapse_spread([P, 2 * P], [y, np.log2(P)], [1, 2]) < 1e-20


def test_the_best_exponent_is_the_one_the_curves_were_made_with():
    exact = collapse_exponent([P] * 4, scan(np.random.default_rng(0), noise=0), M)
    assert exact.exponent.mean == pytest.approx(4, abs=0.01)
    assert exact.spread.mean < 1e-3
    rival = collapse_spread([P] * 4, scan(np.random.default_rng(0), noise=0), M**5.0)
    assert rival > 0.01


def test_intervals_of_the_best_exponent_cover_as_often_as_promised():
    rng, three = np.random.default_rng(1), M[:3]
    hits = sum(
        4.0 in collapse_exponent([P] * 3, scan(rng)[:3], three, bounds=(3, 5), confidence=0.8).exponent
        for _ in range(16)
    )
    assert stats.binomtest(hits, 16, 0.8).pvalue > 1e-3


GOOD = [np.log2(P)] * 2
BAD = [
    (lambda: collapse_spread([P], [GOOD[0]], [1]), "sizes and values must hold at least 2 curves each, got 1 and 1"),
    (lambda: collapse_spread([P, P[::-1]], GOOD, [1, 1]), "sizes must increase along every curve"),
    (lambda: collapse_spread([P, P], [GOOD[0], GOOD[0][1:]], [1, 1]), "values must be .* n = 15"),
    (lambda: collapse_spread([P, P], [GOOD[0], GOOD[0] * np.nan], [1, 1]), "values must be .* not all NaN"),
    (lambda: collapse_spread([P, P], GOOD, [1, 0]), "scales must hold finite numbers > 0"),
    (lambda: collapse_spread([P, P], GOOD, [1]), "scales must hold one number for each of 2 curves, got 1"),
    (lambda: collapse_exponent([P, P], GOOD, [2, 2]), "x must hold 2 values, one a curve and not all equal"),
    (lambda: collapse_exponent([P, P], GOOD, [1, 2], bounds=(3, 1)), "bounds must be two increasing numbers"),
    (lambda: collapse_exponent([P, P], [[y] for y in GOOD], [1, 2]), "groups must hold arrays of at least 2 grammars"),
]


@pytest.mark.parametrize("call, message", BAD)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
