"""Intervals cover as often as they say."""

import numpy as np
import pytest
from scipy import stats

from hcg_lib.intervals import bootstrap, mean_interval


def test_intervals_cover_the_mean_as_often_as_promised():
    values = np.random.default_rng(0).normal(3.0, 2.0, size=(4, 20_000))
    interval = mean_interval(values, confidence=0.9)
    covered = int(((interval.low <= 3.0) & (interval.high >= 3.0)).sum())
    assert stats.binomtest(covered, 20_000, 0.9).pvalue > 1e-4


@pytest.mark.parametrize("values", [[1.0], [], 3.0, [1.0, np.nan]])
def test_too_few_or_undefined_values_are_refused(values):
    with pytest.raises(ValueError, match=r"values must hold (at least 2 )?finite numbers"):
        mean_interval(values)


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_the_bootstrap_of_a_mean_is_students_interval(n):
    values = np.random.default_rng(n).normal(size=(n, 4))
    expected = mean_interval(values, 0.9)
    found = bootstrap(lambda groups: groups[0].mean(0), [values], resamples=4000, confidence=0.9)
    exact = {} if n < 7 else {"rel": 0.1}  # 24,310 multisets of nine: drawn at random
    assert found.mean == pytest.approx(expected.mean)
    assert found.high - found.mean == pytest.approx(expected.high - expected.mean, **exact)


def test_the_bootstrap_of_a_difference_is_welchs_interval():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 3, 4), rng.normal(0, 1, 3)
    found = bootstrap(lambda groups: groups[0].mean() - groups[1].mean(), [one, other])
    welch = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high))


def test_bootstrap_intervals_cover_what_is_not_linear():
    """Where the mean of three curves crosses 1/2, and how that moves from one shape to the next."""
    rng, P = np.random.default_rng(0), np.arange(20.0)

    def slope(groups):
        return np.diff([np.interp(0.5, group.mean(0), P) for group in groups])[0]

    def curves(center):
        return 1 / (1 + np.exp(-(P - center - rng.normal(0, 1, (3, 1)))))

    hits = sum(4.0 in bootstrap(slope, [curves(7), curves(11)], confidence=0.9) for _ in range(400))
    assert stats.binomtest(hits, 400, 0.9).pvalue > 1e-3


def test_same_seed_same_bootstrap_and_gaps_pass_to_the_statistic():
    values = np.random.default_rng(0).normal(size=(12, 3))
    values[3, 1] = np.nan
    one, two, other = (bootstrap(lambda g: np.nanmean(g[0]), [values], 50, seed) for seed in (1, 1, 2))
    assert one == two != other


BAD = [
    (lambda: bootstrap(np.mean, []), "groups must hold arrays of at least 2 grammars each"),
    (lambda: bootstrap(np.mean, [[1.0]]), "groups must hold arrays of at least 2 grammars each"),
    (lambda: bootstrap(np.mean, 3), "groups must be a list of arrays"),
    (lambda: bootstrap(np.mean, [[1.0, 2.0]], resamples=1), "resamples must be an integer >= 2"),
    (lambda: bootstrap(np.mean, [[1.0, 2.0]], confidence=1), "confidence must be a finite number in"),
    (lambda: bootstrap(lambda groups: np.nan, [[1.0, 2.0]]), "what statistic returns must hold finite numbers"),
    (lambda: bootstrap("mean", [[1.0, 2.0]]), "statistic must be a function"),
]


@pytest.mark.parametrize("call, message", BAD)
def test_bad_input_of_the_bootstrap(call, message):
    with pytest.raises(ValueError, match=message):
        call()
