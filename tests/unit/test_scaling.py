"""Crossings and exponents recover what they were made from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hcg_lib.scaling import crossing, log_slope

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


BAD = [
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
