"""Crossings and exponents recover what they were made from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from hcg_lib.scaling import _censored_regression, crossing, exponents, level_thresholds, log_slope

P = np.geomspace(1, 1e6, 25)


@given(st.floats(1.5, 4.5), st.floats(0.1, 0.9))
def test_crossings_of_a_straight_line_in_log_p_are_exact(center, threshold):
    y = np.log10(P) / center * 0.5
    assert np.isclose(np.log10(crossing(P, y, threshold)), center * threshold / 0.5) or threshold > y[-1]


def test_curves_that_start_above_or_never_arrive():
    assert crossing(P, np.ones(25), 0.5) == 1
    assert np.isnan(crossing(P, np.zeros(25), 0.5))


def test_slopes_cover_as_often_as_promised():
    rng = np.random.default_rng(0)
    x = np.geomspace(1, 100, 8)
    hits = sum(2.0 in log_slope(x, 5 * x**2 * np.exp(rng.normal(0, 0.3, 8)), 0.9) for _ in range(1000))
    assert 860 <= hits <= 940


def thresholds_of(rng, x, exponent=3.0, spread=0.3, grammars=3):
    return [5 * float(m) ** exponent * np.exp(rng.normal(0, spread, grammars)) for m in x]


def test_complete_thresholds_are_fitted_by_least_squares():
    x = np.array([3, 4, 6, 8])
    rows = thresholds_of(np.random.default_rng(0), x)
    slope, intercept = np.polyfit(np.log(np.repeat(x, 3)), np.log(np.concatenate(rows)), 1)
    law = exponents(x, rows)
    assert law.exponent.mean == pytest.approx(slope)
    assert law.constant.mean == pytest.approx(np.exp(intercept))
    assert law.censored == 0
    residual = np.log(np.concatenate(rows)) - slope * np.log(np.repeat(x, 3)) - intercept
    assert law.spread == pytest.approx(residual.std())


def test_exact_laws_of_two_variables_are_found_exactly():
    x = np.array([[16, 3], [16, 6], [8, 3], [32, 4]])
    law = exponents(x, [np.full(2, 7.0 * v * m**4.0) for v, m in x])
    assert law.exponent.mean == pytest.approx([1, 4])
    assert law.constant.mean == pytest.approx(7)
    assert law.exponent.high - law.exponent.low == pytest.approx([0, 0], abs=1e-6)


def test_intervals_of_exponents_cover_as_often_as_promised():
    rng, x = np.random.default_rng(1), np.array([3, 4, 6, 8])
    hits = sum(3.0 in exponents(x, thresholds_of(rng, x), confidence=0.9).exponent for _ in range(400))
    assert stats.binomtest(hits, 400, 0.9).pvalue > 1e-3


def test_thresholds_beyond_the_sizes_measured_do_not_bend_the_law():
    """Half of the last shape lies beyond: put at the end they would tilt the law, left out even more."""
    rng, x = np.random.default_rng(2), np.array([3, 4, 6, 8])
    rows = thresholds_of(rng, x, grammars=2000)
    end = 5 * 8**3.0
    whole = exponents(x, rows, resamples=2)
    rows[-1] = np.where(rows[-1] > end, np.nan, rows[-1])
    law = exponents(x, rows, largest=[10 * end] * 3 + [end], resamples=2)
    assert 900 < law.censored < 1100
    assert law.exponent.mean == pytest.approx(whole.exponent.mean, abs=0.01)
    assert law.spread == pytest.approx(0.3, abs=0.01)


def test_censored_regression_maximizes_the_likelihood():
    rng = np.random.default_rng(3)
    design = np.column_stack([np.ones(30), rng.normal(size=30)])
    y = design @ [1.0, 2.0] + rng.normal(0, 0.5, 30)
    bound = np.full(30, 1.5)
    seen = np.where(y > bound, np.nan, y)

    def loss(parameters):
        center, spread = design @ parameters[:2], np.exp(parameters[2])
        known = stats.norm.logpdf(seen, center, spread)
        return -np.where(np.isnan(seen), stats.norm.logsf(bound, center, spread), known).sum()

    best = optimize.minimize(loss, [1.0, 2.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10}).x
    assert np.isnan(seen).sum() > 5
    assert _censored_regression(design, seen, bound) == pytest.approx([*best[:2], np.exp(best[2])], abs=1e-4)


GOOD = [[8.0, 9.0], [60.0, 66.0], [500.0, 510.0]]
BAD = [
    (lambda: exponents([1, 2], GOOD), r"x must have shape \(N,\) or \(N, K\) with N = 3 shapes, got \(2,\)"),
    (lambda: exponents([2, 2, 2], GOOD), "thresholds must be without NaN for enough shapes to determine 2 numbers"),
    (lambda: exponents([1, 2, 0], GOOD), "x must hold finite numbers > 0"),
    (lambda: exponents([1, 2, 4], [*GOOD[:2], [5.0, np.nan]]), "largest must be given where thresholds are NaN"),
    (lambda: exponents([1, 2, 4], GOOD, largest=[1.0]), "largest must hold one size for each of 3 shapes, got 1"),
    (lambda: exponents([1, 2, 4], [*GOOD[:2], [5.0, -1.0]]), "thresholds must hold finite numbers > 0"),
    (lambda: exponents([1, 2, 4], [*GOOD[:2], [5.0]]), "groups must hold arrays of at least 2 grammars each"),
    (
        lambda: exponents([1, 2, 4], [GOOD[0], [5, np.nan], [np.nan, 9]], largest=[9, 9, 9]),
        r"enough shapes to determine 2 numbers, got such at x = \[1.0\]",
    ),
    (lambda: crossing([2, 1], [0, 1], 0.5), "P must be positive and increasing"),
    (lambda: crossing([1, 2], [0], 0.5), "y must have one value for each P"),
    (lambda: crossing([1, 2], [0, 1], np.nan), "threshold must be a finite number"),
    (lambda: log_slope([1, 2], [1, 2]), "x and y must hold at least 3 values"),
    (lambda: log_slope([1, 2, 0], [1, 2, 3]), r"x must hold finite numbers > 0, got \[1, 2, 0\]"),
    (lambda: log_slope([2, 2, 2], [1, 2, 3]), "x must hold different values"),
]


@pytest.mark.parametrize("call, message", BAD)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_thresholds_of_levels_are_crossings_halfway_from_chance():
    P, f = [10, 100, 1000], 0.2
    order = np.array([[[0.2, np.nan], [0.6, 0.2], [1.0, 1.0]], [[0.2, 0.2], [0.2, 0.4], [1.0, np.nan]]])
    found = level_thresholds(P, order, f)
    expected = [[100, crossing(P, [0, 0.2, 1], 0.6)], [crossing(P, [0.2, 0.2, 1], 0.6), np.nan]]
    assert found == pytest.approx(np.array(expected), nan_ok=True)
    with pytest.raises(ValueError, match=r"order must have shape \(…, N, L\), got \(3,\)"):
        level_thresholds(P, [0.1, 0.2, 0.3], f)
