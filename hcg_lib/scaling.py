"""Thresholds and laws: where a curve crosses a level, and with which exponent the crossing moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from hcg_lib._validate import check_numbers, check_real, shown
from hcg_lib.intervals import Interval


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
