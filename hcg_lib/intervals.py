"""Intervals of what is averaged over grammars: few independent values, so Student's t."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from hcg_lib._random import generator
from hcg_lib._validate import check_integer, check_list, check_numbers, check_real, shown

Array = np.ndarray
MOST_RESAMPLES = 1 << 20


@dataclass(frozen=True)
class Interval:
    """A mean with the two ends of its confidence interval, scalars or arrays of one shape."""

    mean: Any
    low: Any
    high: Any

    def __contains__(self, value: float) -> bool:
        return bool(np.all((self.low <= value) & (value <= self.high)))


def mean_interval(values: Any, confidence: float = 0.95) -> Interval:
    r"""Return the mean over the first axis and its interval, $\bar x \pm t_{N-1} \hat σ / \sqrt N$.

    Parameters
    ----------
    values
        (N, …) independent values, N >= 2, all finite.
    confidence
        Coverage for normal values, in (0, 1).

    Examples
    --------
    >>> interval = mean_interval([1.0, 2.0, 3.0])
    >>> float(interval.mean), float(round(interval.low, 2)), 2.5 in interval
    (2.0, -0.48, True)
    """
    samples: Float[Array, " N ..."] = check_numbers("values", values)
    confidence = check_real("confidence", confidence, 0, 1, strict=True)
    if samples.ndim == 0 or len(samples) < 2:
        raise ValueError(f"values must hold at least 2 finite numbers along the first axis, got {shown(values)}")
    N = len(samples)
    half = stats.t.ppf((1 + confidence) / 2, N - 1) * samples.std(0, ddof=1) / np.sqrt(N)
    return Interval(samples.mean(0), samples.mean(0) - half, samples.mean(0) + half)


def bootstrap(
    statistic: Callable[[list[Array]], Any],
    groups: Sequence[Any],
    resamples: int = 500,
    seed: Any = 0,
    confidence: float = 0.95,
) -> Interval:
    r"""Return a statistic of several groups of grammars with its interval, $\hat θ \pm t_ν \hat σ$.

    The grammars of one group at a time are drawn again with replacement, the other groups stay; groups are independent,
    so their variances add: $\hat σ^2 = \sum_i \frac{N_i}{N_i-1} V_i$. The factor makes up for what few grammars hide,
    and $ν = \hat σ^4 / \sum_i \frac{(N_i V_i)^2}{(N_i-1)^3}$ is Satterthwaite's. Of a plain mean this is
    `mean_interval`, exactly; percentiles of three grammars would cover three times in four at most.

    Parameters
    ----------
    statistic
        Takes the list of groups and returns a number or an array, always of one shape and finite. It must not depend on
        the order of grammars in a group.
    groups
        Arrays (N_i, …) with grammars along the first axis, N_i >= 2; NaN passes to the statistic.
    resamples
        Draws a group, at least 2; where no more resamples than that are different, each is taken once, with its weight.
    seed
        Of the draws.
    confidence
        Coverage for a nearly linear statistic of normal values, in (0, 1).

    Examples
    --------
    >>> ratio = bootstrap(lambda groups: groups[0].mean() / groups[1].mean(), [[3.9, 4.0, 4.1], [2.0, 2.1, 1.9]])
    >>> [round(float(x), 2) for x in (ratio.mean, ratio.low, ratio.high)]
    [2.0, 1.79, 2.21]
    """
    arrays = [check_numbers("groups", group, gaps=True) for group in check_list("groups", groups, "of arrays")]
    if not arrays or any(array.ndim == 0 or len(array) < 2 for array in arrays):
        raise ValueError(f"groups must hold arrays of at least 2 grammars each, got {shown(groups)}")
    resamples = check_integer("resamples", resamples, 2, limit=MOST_RESAMPLES)
    confidence, rng = check_real("confidence", confidence, 0, 1, strict=True), generator(seed)
    if not callable(statistic):
        raise ValueError(f"statistic must be a function of a list of arrays, got {shown(statistic)}")

    def value(sample: list[Array]) -> Array:
        return check_numbers("what statistic returns", statistic(sample))

    estimate, variances, freedom = value(arrays), [], []
    for i, array in enumerate(arrays):
        rows, weights = _resamples(len(array), resamples, rng)
        drawn = np.array([value([*arrays[:i], array[row], *arrays[i + 1 :]]) for row in rows])
        spread = np.tensordot(weights, (drawn - np.tensordot(weights, drawn, 1)) ** 2, 1)
        variances.append(spread * len(array) / (len(array) - 1))
        freedom.append(len(array) - 1)
    total, parts = sum(variances), sum(part**2 / n for part, n in zip(variances, freedom, strict=True))
    degrees = np.divide(total**2, parts, out=np.full_like(total, sum(freedom)), where=parts > 0)
    half = stats.t.ppf((1 + confidence) / 2, degrees) * np.sqrt(total)
    return Interval(estimate[()], (estimate - half)[()], (estimate + half)[()])


def _resamples(n: int, most: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Rows of indices (R, n) and their weights (R,): every multiset of n out of n, or `most` random ones."""
    if math.comb(2 * n - 1, n) > most:
        return rng.integers(n, size=(most, n)), np.full(most, 1 / most)
    rows = list(combinations_with_replacement(range(n), n))
    ways = [math.factorial(n) / math.prod(math.factorial(row.count(i)) for i in set(row)) for row in rows]
    return np.array(rows), np.array(ways) / n**n
