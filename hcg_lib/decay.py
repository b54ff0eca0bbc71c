r"""Does a correlation fall as a power of the distance? A fit over the resolved range, with its curvature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hcg_lib._validate import check_instance, check_real
from hcg_lib.correlations import CorrelationCurve


@dataclass(frozen=True)
class PowerLaw:
    r"""$‖C(t)‖ ≈ A\, t^{-β}$ between two distances, and how far from straight the points are.

    `curvature` is the coefficient c of $\log ‖C‖ = a - β \log t + c \log^2 t$ (t in units of the middle of the range):
    0 for a power law, positive for a curve that flattens. Intervals are those of the curve's bootstrap.
    """

    beta: float
    beta_low: float
    beta_high: float
    amplitude: float
    shortest: float
    longest: float
    points: int
    curvature: float
    curvature_low: float
    curvature_high: float


def fit_power_law(curve: CorrelationCurve, shortest: float = 1, longest: float = np.inf) -> PowerLaw:
    """Fit a straight line to log ‖C‖ against log t, every point with equal weight.

    The range starts at `shortest` and ends at `longest` or before the first distance that is not resolved.
    Resamples enter to first order, log ‖C*‖ = log ‖C‖ + (‖C*‖² - ‖C‖²) / (2 ‖C‖²), so that a resample below zero
    does no harm.

    Raises
    ------
    ValueError
        If fewer than 3 distances of the range are resolved.

    Examples
    --------
    >>> t = np.array([1, 2, 4, 8])
    >>> square = 0.01 * t**-3.0
    >>> noise = 1 + 0.01 * np.random.default_rng(0).normal(size=(200, 4))
    >>> curve = CorrelationCurve(t, 2, t, square, square, 0 * square, square * noise)
    >>> fit = fit_power_law(curve)
    >>> round(fit.beta, 6), fit.beta_low < 1.5 < fit.beta_high, fit.points
    (1.5, True, 4)
    """
    check_instance("curve", curve, CorrelationCurve)
    shortest = check_real("shortest", shortest, 0)
    longest = longest if isinstance(longest, float) and longest == np.inf else check_real("longest", longest, 0)
    t = np.asarray(curve.distances, float)
    inside = np.flatnonzero((t >= shortest) & (t <= longest))
    broken = np.flatnonzero(~curve.resolved[inside])
    inside = inside[: broken[0]] if len(broken) else inside
    if len(inside) < 3:
        raise ValueError(f"a fit needs 3 resolved distances from {shortest:g} to {longest:g}, got {len(inside)}")
    square = curve.squared[inside]
    logs = 0.5 * np.log(square) + np.vstack([np.zeros(len(inside)), curve.replicates[:, inside] / square - 1]) / 2
    x = np.log(t[inside])
    middle = x.mean()
    slopes, levels = np.polyfit(x - middle, logs.T, 1)
    bends = np.polyfit(x - middle, logs.T, 2)[0]
    tails = np.array([(1 - curve.confidence) / 2, (1 + curve.confidence) / 2])
    beta, curvature = (np.quantile(values[1:], tails) for values in (-slopes, bends))
    return PowerLaw(
        beta=float(-slopes[0]),
        beta_low=float(beta[0]),
        beta_high=float(beta[1]),
        amplitude=float(np.exp(levels[0] - slopes[0] * middle)),
        shortest=float(t[inside[0]]),
        longest=float(t[inside[-1]]),
        points=len(inside),
        curvature=float(bends[0]),
        curvature_low=float(curvature[0]),
        curvature_high=float(curvature[1]),
    )
