"""When each depth of a network is satisfied, and whether the shallow ones are first."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from scipy import stats

from hcg_lib._validate import check_numbers, check_real
from hcg_lib.mmd import time_to_fraction

Array = np.ndarray


@dataclass(frozen=True)
class DepthOrder:
    """Times to reach a fraction of the first value, a depth: time, low, high (D,); inf where it is not reached, or
    where the first value is not positive.

    correlation, with its interval: Spearman's, of depth and time; 1 if every depth is later than the one before.
    increasing: share of resamples in which that is so. chance: share of all orders of the times with at least that
    correlation, the one-sided p-value of an order; the interval knows only of the images drawn.
    """

    time: Array
    low: Array
    high: Array
    correlation: float
    correlation_low: float
    correlation_high: float
    increasing: float
    chance: float


def order_of_depths(
    steps: Any, squared: Any, resampled: Any, fraction: float = 0.1, confidence: float = 0.95
) -> DepthOrder:
    """Return when discrepancies fall below a fraction of their first value for good, with percentile intervals.

    Parameters
    ----------
    steps
        (S,) stages, the first the start.
    squared, resampled
        (S, D) discrepancies and (S, R, D) resamples, the same resample of images at all stages and depths.
    fraction
        Of the value at the start, in (0, 1).

    Examples
    --------
    >>> curves = np.array([[1.0, 1.0], [0.05, 0.5], [0.01, 0.05]])
    >>> found = order_of_depths([0, 10, 100], curves, curves[:, None].repeat(5, 1))
    >>> found.time.round(1).tolist(), round(found.correlation, 6), found.increasing, found.chance
    ([10.0, 50.0], 1.0, 1.0, 0.5)
    """
    squared, resampled = check_numbers("squared", squared, ndim=2), check_numbers("resampled", resampled, ndim=3)
    if resampled.shape[::2] != squared.shape:
        raise ValueError(f"resampled must have shape (S, R, D) with (S, D) = {squared.shape}, got {resampled.shape}")
    tail = (1 - check_real("confidence", confidence, 0, 1, strict=True)) / 2
    time = _times(steps, squared, fraction)
    times = np.array([_times(steps, resampled[:, r], fraction) for r in range(resampled.shape[1])])
    low, high = np.quantile(times, [tail, 1 - tail], axis=0, method="nearest")
    ranks = np.array([_rank_correlation(row) for row in times])
    below, above = np.quantile(ranks, [tail, 1 - tail], method="nearest")
    increasing = float((times[:, 1:] > times[:, :-1]).all(1).mean())  # two that are never reached do not count
    correlation = _rank_correlation(time)
    return DepthOrder(time, low, high, correlation, float(below), float(above), increasing, _chance(time, correlation))


def _times(steps: Any, curves: Array, fraction: float) -> Array:
    times = np.array([time_to_fraction(steps, c, fraction) if c[0] > 0 else np.nan for c in curves.T])
    return np.where(np.isnan(times), np.inf, times)


def _rank_correlation(times: Array) -> float:
    """Spearman's correlation of place and time; 0 if all times are equal."""
    ranks = stats.rankdata(times)
    if np.ptp(ranks) == 0:
        return 0.0
    return float(np.corrcoef(np.arange(len(times)), ranks)[0, 1])


def _chance(times: Array, correlation: float) -> float:
    """The share of orders that correlate as much: of all orders, or of many random ones where there are too many."""
    ranks = stats.rankdata(times)
    if np.ptp(ranks) == 0:
        return 1.0
    if len(ranks) <= 8:
        orders = np.array(list(permutations(ranks)))
    else:
        orders = np.random.default_rng(0).permuted(np.tile(ranks, (50_000, 1)), axis=1)
    place = np.arange(len(ranks)) - (len(ranks) - 1) / 2
    found = (orders - ranks.mean()) @ place / (np.linalg.norm(ranks - ranks.mean()) * np.linalg.norm(place))
    return float((found >= correlation - 1e-9).mean())
