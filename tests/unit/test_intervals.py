"""Intervals cover as often as they say."""

import numpy as np
import pytest
from scipy import stats

from hcg_lib.intervals import mean_interval


def test_intervals_cover_the_mean_as_often_as_promised():
    values = np.random.default_rng(0).normal(3.0, 2.0, size=(4, 20_000))
    interval = mean_interval(values, confidence=0.9)
    covered = int(((interval.low <= 3.0) & (interval.high >= 3.0)).sum())
    assert stats.binomtest(covered, 20_000, 0.9).pvalue > 1e-4


@pytest.mark.parametrize("values", [[1.0], [], 3.0, [1.0, np.nan]])
def test_too_few_or_undefined_values_are_refused(values):
    with pytest.raises(ValueError, match=r"values must hold (at least 2 )?finite numbers"):
        mean_interval(values)
