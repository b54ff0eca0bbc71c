r"""Collapses: do curves of many shapes become one when every P is divided by its scale?

Two curves are compared on a logarithmic grid of sizes where both are known. Their spread

$$ S_{ij} = \frac{\langle (y_i - y_j)^2 \rangle}{4 \operatorname{Var}(y)} $$

is the share of the variance of all values on the grid, of both curves, that size does not explain: 0 if they are one
curve, 1 if size explains nothing. Two curves that never meet, or that do not vary, explain nothing either. The
spread of many curves is the mean over pairs, so that no choice of scales can win by pulling curves apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy import optimize

from hcg_lib._validate import check_list, check_numbers, shown
from hcg_lib.intervals import Interval, bootstrap

Array = np.ndarray
GRID = 65  # sizes at which two curves are compared
STEPS = 32  # of the coarse search for an exponent


@dataclass(frozen=True)
class Collapse:
    """The exponent at which curves collapse best, and their spread there, both with intervals over grammars."""

    exponent: Interval
    spread: Interval


def collapse_spread(sizes: Sequence[Any], values: Sequence[Any], scales: Any) -> float:
    """Return the mean spread of pairs of curves, each against P divided by its scale: 0 perfect, 1 none.

    Parameters
    ----------
    sizes
        N arrays (n_i,), positive and increasing.
    values
        N arrays (n_i,) of what was measured there, or (grammars_i, n_i), of which the mean is taken; NaN is left out.
    scales
        (N,) positive: what P is divided by, such as a predicted threshold.

    Examples
    --------
    >>> P, rise = np.array([1, 10, 100, 1000]), np.array([0.0, 0.2, 0.8, 1.0])
    >>> [round(collapse_spread([P, 50 * P], [rise, rise], scales=[1, c]), 2) for c in (50, 25, 5)]
    [0.0, 0.03, 0.44]
    """
    abscissae, curves = _checked(sizes, values)
    scale = check_numbers("scales", scales, 0, strict=True, ndim=1)
    if len(scale) != len(curves):
        raise ValueError(f"scales must hold one number for each of {len(curves)} curves, got {len(scale)}")
    return _spread([_mean(x, y) for x, y in zip(abscissae, curves, strict=True)], np.log(scale))


def collapse_exponent(
    sizes: Sequence[Any],
    values: Sequence[Any],
    x: Any,
    bounds: tuple[float, float] = (0.0, 8.0),
    resamples: int = 200,
    seed: Any = 0,
    confidence: float = 0.95,
) -> Collapse:
    """Find the exponent e for which curves against P / x**e have the least spread.

    What else is known of the law is divided out of the sizes before. Intervals are those of `bootstrap` over grammars.

    Parameters
    ----------
    sizes, values
        As in `collapse_spread`, with values (grammars_i, n_i), at least 2 grammars each.
    x
        (N,) positive values of what was varied.
    bounds
        Exponents looked at; a result at one of them says that the best lies outside.
    resamples, seed, confidence
        Of `bootstrap`.

    Examples
    --------
    >>> m, P = np.array([3, 4, 6, 8]), 2.0 ** np.arange(4, 16)
    >>> curves = [1 / (1 + (np.array([[0.9], [1.0], [1.1]]) * i**3 / P) ** 2) for i in m]
    >>> best = collapse_exponent([P] * 4, curves, m)
    >>> round(float(best.exponent.mean), 1)
    3.0
    """
    abscissae, curves = _checked(sizes, values)
    varied = check_numbers("x", x, 0, strict=True, ndim=1)
    if len(varied) != len(curves) or np.ptp(varied) == 0:
        raise ValueError(f"x must hold {len(curves)} values, one a curve and not all equal, got {shown(x)}")
    ends = check_numbers("bounds", bounds, ndim=1).tolist()
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise ValueError(f"bounds must be two increasing numbers, got {shown(bounds)}")

    def best(groups: list[Array]) -> Array:
        means = [_mean(x, group) for x, group in zip(abscissae, groups, strict=True)]
        return _least(lambda exponent: _spread(means, exponent * np.log(varied)), (ends[0], ends[1]))

    found = bootstrap(best, curves, resamples, seed, confidence)
    exponent, spread = (Interval(found.mean[i], found.low[i], found.high[i]) for i in (0, 1))
    return Collapse(exponent, spread)


def _least(function: Any, ends: tuple[float, float]) -> Array:
    """Where a function of one number is least, and its value there: a coarse scan, then Brent's search around it."""
    grid = np.linspace(*ends, STEPS + 1)
    at = grid[int(np.argmin([function(point) for point in grid]))]
    step = grid[1] - grid[0]
    around = max(at - step, ends[0]), min(at + step, ends[1])
    fine = optimize.minimize_scalar(function, bounds=around, method="bounded", options={"xatol": 1e-3 * step})
    return np.array([fine.x, fine.fun])


def _spread(curves: list[tuple[Array, Array]], shifts: Array) -> float:
    """Mean spread of pairs of curves (log P, y), curve i moved left by shifts[i]."""
    moved = [(x - shift, y) for (x, y), shift in zip(curves, shifts, strict=True)]
    return float(np.mean([_pair_spread(one, other) for one, other in combinations(moved, 2)]))


def _pair_spread(one: tuple[Array, Array], other: tuple[Array, Array]) -> float:
    first, last = max(one[0][0], other[0][0]), min(one[0][-1], other[0][-1])
    if not first < last:
        return 1.0
    grid = np.linspace(first, last, GRID)
    y = np.array([np.interp(grid, *one), np.interp(grid, *other)])
    variance = y.var()
    return float(np.mean((y[0] - y[1]) ** 2) / (4 * variance)) if variance > 0 else 1.0


def _mean(x: Array, values: Array) -> tuple[Array, Array]:
    """Log sizes and mean over grammars, where at least one grammar has a value."""
    rows = np.atleast_2d(values)
    seen = np.isfinite(rows)
    known = seen.any(0)
    return np.log(x[known]), (np.where(seen, rows, 0).sum(0)[known] / seen.sum(0)[known])


def _checked(sizes: Any, values: Any) -> tuple[list[Array], list[Array]]:
    xs = [check_numbers("sizes", size, 0, strict=True, ndim=1) for size in check_list("sizes", sizes, "of arrays")]
    ys = [check_numbers("values", value, gaps=True) for value in check_list("values", values, "of arrays")]
    if len(xs) < 2 or len(ys) != len(xs):
        raise ValueError(f"sizes and values must hold at least 2 curves each, got {len(xs)} and {len(ys)}")
    for x, y in zip(xs, ys, strict=True):
        if not (np.diff(x) > 0).all():
            raise ValueError(f"sizes must increase along every curve, got {shown(x)}")
        if y.ndim not in (1, 2) or y.shape[-1] != len(x) or not np.isfinite(y).any(-1).all():
            raise ValueError(f"values must be (n,) or (grammars, n), n = {len(x)}, and not all NaN, got {shown(y)}")
    return xs, ys
