"""Thresholds and laws: where a curve crosses a level, and with which exponent the crossing moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from hcg_lib._validate import check_list, check_numbers, check_real, shown
from hcg_lib.intervals import Interval, bootstrap

Array = np.ndarray


def crossing(P: Any, y: Any, threshold: float) -> float:
    """Return the smallest P at which y reaches `threshold` from below, interpolated linearly in log P.

    NaN if it never does; the first P if y starts above.

    Parameters
    ----------
    P
        (N,) increasing positive sizes.
    y
        (N,) values.

    Examples
    --------
    >>> crossing([10, 100, 1000], [0.0, 0.5, 1.0], 0.75).__round__(2)
    316.23
    """
    size, value = check_numbers("P", P, 0, strict=True, ndim=1), check_numbers("y", y, ndim=1)
    if size.shape != value.shape or not len(size):
        raise ValueError(f"y must have one value for each P {size.shape}, got shape {value.shape}")
    if not (np.diff(size) > 0).all():
        raise ValueError(f"P must be positive and increasing, got {shown(P)}")
    check_real("threshold", threshold)
    above = np.flatnonzero(value >= threshold)
    if not len(above):
        return float("nan")
    i = int(above[0])
    if i == 0:
        return float(size[0])
    weight = (threshold - value[i - 1]) / (value[i] - value[i - 1])
    return float(np.exp(np.log(size[i - 1]) + weight * np.log(size[i] / size[i - 1])))


def level_thresholds(P: Any, order: Any, chance: float) -> Array:
    """Return the P at which order parameters cross halfway from chance to 1: (…, L); NaN where they never do.

    Parameters
    ----------
    P
        (N,) increasing positive sizes, or steps.
    order
        (…, N, L) order parameters of L levels, as `hcg_lib.evaluation.order_parameters` gives them; NaN, no valid
        children yet, counts as not learned.
    chance
        Value f of a level that is not known.

    Examples
    --------
    >>> level_thresholds([1, 10, 100], [[0.2, np.nan], [0.6, 0.2], [1.0, 0.4]], chance=0.2).round(3).tolist()
    [10.0, nan]
    """
    rows = np.nan_to_num(check_numbers("order", order, gaps=True))
    if rows.ndim < 2:
        raise ValueError(f"order must have shape (…, N, L), got {rows.shape}")
    chance = check_real("chance", chance, 0, 1)
    return np.apply_along_axis(lambda row: crossing(P, row, (1 + chance) / 2), -2, rows)


def log_slope(x: Any, y: Any, confidence: float = 0.95) -> Interval:
    """Return the slope of log y against log x by least squares, with its Student interval.

    Needs at least three points; all values must be positive.

    Examples
    --------
    >>> fit = log_slope([1, 2, 4, 8], [3.0, 12.0, 48.0, 192.0])
    >>> float(round(fit.mean, 6))
    2.0
    """
    abscissa, ordinate = (check_numbers(name, a, 0, strict=True, ndim=1) for name, a in (("x", x), ("y", y)))
    if abscissa.shape != ordinate.shape or len(abscissa) < 3:
        raise ValueError(f"x and y must hold at least 3 values each, got shapes {abscissa.shape} and {ordinate.shape}")
    if np.ptp(abscissa) == 0:
        raise ValueError(f"x must hold different values, got only {abscissa[0]}")
    confidence = check_real("confidence", confidence, 0, 1, strict=True)
    fit = stats.linregress(np.log(abscissa), np.log(ordinate))
    half = stats.t.ppf((1 + confidence) / 2, len(abscissa) - 2) * fit.stderr
    return Interval(float(fit.slope), float(fit.slope - half), float(fit.slope + half))


@dataclass(frozen=True)
class PowerLaw:
    """P* = c x**e: `exponent` e (one for every column of x) and `constant` c, both with intervals.

    `spread` is the standard deviation of log P* about the law; `censored` counts thresholds beyond the sizes measured.
    """

    exponent: Interval
    constant: Interval
    spread: float
    censored: int


def exponents(
    x: Any,
    thresholds: Sequence[Any],
    largest: Any = None,
    resamples: int = 500,
    seed: Any = 0,
    confidence: float = 0.95,
) -> PowerLaw:
    """Fit P* = c x**e to the thresholds of several shapes, each measured on several grammars.

    Log P* is taken to be normal about the law. Of a threshold that was not reached it is known that it lies beyond the
    largest size, and its likelihood is the probability of that (Tobin's regression, by expectation and maximization).
    Intervals are those of `bootstrap` over grammars: they do not hold what a wrong law leaves unexplained.

    Parameters
    ----------
    x
        (N,) positive values of what was varied, or (N, K) for K things at once.
    thresholds
        N arrays (grammars_i,), positive; NaN where the curve never crossed, as `crossing` says.
    largest
        (N,) largest sizes measured; needed if a threshold is NaN.
    resamples, seed, confidence
        Of `bootstrap`.

    Raises
    ------
    ValueError
        If the shapes without NaN do not determine the law by themselves.

    Examples
    --------
    >>> law = exponents([2, 4, 8], [[8.0, 8.8], [62.0, 66.0], [510.0, np.nan]], largest=[100, 200, 512])
    >>> round(float(law.exponent.mean), 2), law.censored
    (2.98, 1)
    """
    varied = check_numbers("x", x, 0, strict=True)
    found = log_thresholds(thresholds, ndim=1)
    if varied.ndim not in (1, 2) or len(varied) != len(found):
        raise ValueError(f"x must have shape (N,) or (N, K) with N = {len(found)} shapes, got {varied.shape}")
    bound = log_largest(largest, found)
    design = np.column_stack([np.ones(len(found)), np.log(varied)])
    whole = [bool(np.isfinite(row).all()) for row in found]
    if np.linalg.matrix_rank(design[whole]) < design.shape[1]:
        raise ValueError(
            f"thresholds must be without NaN for enough shapes to determine {design.shape[1]} numbers, got such at "
            f"x = {shown(varied[whole].tolist())}"
        )

    shape = np.repeat(np.arange(len(found)), [len(row) for row in found])

    def fit(groups: list[Array]) -> Array:
        return _censored_regression(design[shape], np.concatenate(groups), bound[shape])

    law = bootstrap(fit, found, resamples, seed, confidence)
    ends = (law.mean, law.low, law.high)
    return PowerLaw(
        exponent=Interval(*(end[1] if varied.ndim == 1 else end[1:-1] for end in ends)),
        constant=Interval(*(float(np.exp(end[0])) for end in ends)),
        spread=float(law.mean[-1]),
        censored=sum(int(np.isnan(row).sum()) for row in found),
    )


def log_thresholds(thresholds: Any, ndim: int) -> list[Array]:
    """Return the logarithms of positive thresholds, one array a shape, NaN where not reached; or raise a ValueError.

    >>> [row.round(2).tolist() for row in log_thresholds([[1.0, 10.0], [np.nan, 1.0]], ndim=1)]
    [[0.0, 2.3], [nan, 0.0]]
    """
    rows = check_list("thresholds", thresholds, "of arrays, one a shape")
    return [np.log(check_numbers("thresholds", row, 0, strict=True, ndim=ndim, gaps=True)) for row in rows]


def log_largest(largest: Any, found: list[Array]) -> Array:
    """Return the logarithm of the largest size of every shape; NaN if none is given and no threshold is missing.

    >>> log_largest(None, [np.zeros(2)]).tolist()
    [nan]
    """
    missing = sum(int(np.isnan(row).sum()) for row in found)
    if largest is None and missing:
        raise ValueError(f"largest must be given where thresholds are NaN, got None with {missing} of them")
    if largest is None:
        return np.full(len(found), np.nan)
    sizes = check_numbers("largest", largest, 0, strict=True, ndim=1)
    if len(sizes) != len(found):
        raise ValueError(f"largest must hold one size for each of {len(found)} shapes, got {len(sizes)}")
    return np.log(sizes)


def _censored_regression(design: Array, y: Array, bound: Array, rounds: int = 1000) -> Array:
    """Coefficients b and spread of y ~ Normal(design b, spread); NaN in y says no more than y > bound."""
    censored = np.isnan(y)
    filled, extra, b = np.where(censored, bound, y), np.zeros(len(y)), np.full(design.shape[1], np.inf)
    for _ in range(rounds):
        previous, b = b, np.linalg.lstsq(design, filled, rcond=None)[0]
        center = design @ b
        spread = np.sqrt(np.mean((filled - center) ** 2 + extra))
        if spread == 0 or not censored.any() or np.abs(b - previous).max() < 1e-9:
            break
        z = np.where(censored, bound - center, 0) / spread
        hazard = np.sqrt(2 / np.pi) / special.erfcx(z / np.sqrt(2))  # E[y | y > bound] = center + spread · hazard
        filled = np.where(censored, center + spread * hazard, y)
        extra = np.where(censored, spread**2 * np.maximum(1 + z * hazard - hazard**2, 0), 0)
    return np.append(b, spread)
