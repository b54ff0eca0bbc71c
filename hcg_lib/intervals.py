"""Intervals of what is averaged over grammars: few independent values, so Student's t."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from hcg_lib._validate import check_numbers, check_real, shown

Array = np.ndarray


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
