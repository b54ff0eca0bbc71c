r"""How far two sets of images are apart, seen through features: the squared maximum mean discrepancy, unbiased.

With the kernel $k(x, y) = (x·y/D + 1)^3$ of D features (Bińkowski et al. 2018; its unbiased estimate on the features of
an Inception network is the "kernel Inception distance"),

$$ \mathrm{MMD}^2 = \mathbb{E}\,k(x, x') + \mathbb{E}\,k(y, y') - 2\,\mathbb{E}\,k(x, y), $$

where x, x' and y, y' are independent draws of either set. It compares all moments of up to three features, and is 0 if
they agree. The means over pairs of *different* images are unbiased, so the estimate may be negative.

That kernel knows no bounds: images far from all real ones weigh with the sixth power of how far. Beside it stands the
Gaussian kernel $k(x, y) = e^{-|x-y|^2 / 2w^2}$, w the median distance of two real images, for which MMD² is below 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from hcg_lib._random import generator
from hcg_lib._validate import as_array, check_choice, check_integer, check_list, check_numbers, check_real, shown

Array = np.ndarray
Kernel = Callable[[Array, Array], Array]
ROWS = 1024  # of the kernel matrix at once
FAINTEST = 0.01  # scale of a feature, at least, in units of the median scale


@dataclass(frozen=True)
class Discrepancy:
    """MMD² at each depth, and its resamples: squared (D,), low (D,), high (D,), resampled (R, D)."""

    squared: Array
    low: Array
    high: Array
    resampled: Array


class Reference:
    r"""Features of real images that others are compared with.

    Features are standardized with the mean and the standard deviation of the reference; where that is below a hundredth
    of the median one, with the latter: a feature that gray images never excite must not decide.

    Parameters
    ----------
    features
        One (M, channels) array a depth, M >= 2, as :func:`hcg_lib.features.pooled_features` returns them.
    resamples
        Bootstrap resamples, at least 2; those of the reference are the same for all that is compared with it.
    seed
        Of the resamples.
    kernel
        "polynomial" or "gaussian".

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> reference = Reference([rng.normal(size=(500, 4))])
    >>> near, far = (reference.compare([rng.normal(size=(500, 4)) + shift]) for shift in (0, 1))
    >>> bool(near.low[0] < 0 < near.high[0]), bool(far.low[0] > 1)
    (True, True)
    """

    def __init__(self, features: Sequence[Any], resamples: int = 100, seed: Any = 0, kernel: str = "polynomial"):
        check_choice("kernel", kernel, ("polynomial", "gaussian"))
        arrays = [check_features("features", part) for part in check_list("features", features, "of arrays")]
        if not arrays or len({len(part) for part in arrays}) != 1:
            raise ValueError(f"features must be arrays of the same images, got shapes {[a.shape for a in arrays]}")
        self.M = len(arrays[0])
        self.resamples = check_integer("resamples", resamples, 2, 100_000)
        self.means = [part.mean(0) for part in arrays]
        scales = [part.std(0) for part in arrays]
        self.scales = [np.maximum(scale, FAINTEST * np.median(scale)) for scale in scales]
        if any((scale == 0).any() for scale in self.scales):
            raise ValueError(f"features must differ between images, got {self.M} equal rows")
        self.features = self.standardized(arrays)
        self.weights = _weights(self.M, self.resamples, generator(seed))
        self.kernels = [gaussian_kernel(part) if kernel == "gaussian" else polynomial_kernel for part in self.features]
        self.own = [_own(x, self.weights, k) for x, k in zip(self.features, self.kernels, strict=True)]

    def standardized(self, features: Sequence[Any]) -> list[Array]:
        """Return features in units of the reference."""
        features = check_list("features", features, "of arrays")
        if len(features) != len(self.means):
            raise ValueError(f"features must be {len(self.means)} arrays, one a depth, got {len(features)}")
        found = []
        for part, mean, scale in zip(features, self.means, self.scales, strict=True):
            array = check_features("features", part)
            if array.shape[1] != len(mean):
                raise ValueError(f"features must have the reference's {len(mean)} channels, got {array.shape[1]}")
            found.append((array - mean) / scale)
        return found

    def compare(self, features: Sequence[Any], seed: Any = 1, confidence: float = 0.95) -> Discrepancy:
        """Return the discrepancy of other images, with normal intervals from resampling both sets.

        Resampled pairs of an image with itself are left out, which keeps the resamples centered. Where the true value
        is 0 the intervals are too wide rather than too narrow.

        Parameters
        ----------
        features
            One (N, channels) array a depth, N >= 2.
        seed
            Of the resamples of these images.
        """
        others = self.standardized(features)
        confidence = check_real("confidence", confidence, 0, 1, strict=True)
        weights = _weights(len(others[0]), self.resamples, generator(seed))
        values = np.stack(
            [
                own + _own(x, weights, kernel) - 2 * _crossed(x, y, weights, self.weights, kernel)
                for x, y, own, kernel in zip(others, self.features, self.own, self.kernels, strict=True)
            ],
            axis=1,
        )
        squared, resampled = values[0], values[1:]
        half = stats.norm.ppf((1 + confidence) / 2) * resampled.std(0, ddof=1)
        return Discrepancy(squared, squared - half, squared + half, resampled)


def check_features(name: str, features: Any) -> Float[Array, "N channels"]:
    """Return features as finite floats (N, channels), N >= 2, or raise a ValueError."""
    array = check_numbers(name, as_array(name, features), ndim=2)
    if len(array) < 2 or not array.shape[1]:
        raise ValueError(f"{name} must have shape (N, channels) with N >= 2, got {array.shape}")
    return array


def polynomial_kernel(x: Array, y: Array) -> Array:
    """Return (x·y/D + 1)³ for all pairs of rows (N, D) and (M, D): shape (N, M).

    >>> polynomial_kernel(np.ones((1, 4)), np.ones((2, 4))).tolist()
    [[8.0, 8.0]]
    """
    return (x @ y.T / x.shape[1] + 1) ** 3


def gaussian_kernel(features: Array) -> Kernel:
    """Return the kernel exp(-‖x-y‖²/2w²) of rows, its width w the median distance between rows of `features`.

    >>> kernel = gaussian_kernel(np.array([[0.0], [1.0]]))
    >>> kernel(np.array([[0.0]]), np.array([[0.0], [1.0]])).round(4).tolist()
    [[1.0, 0.6065]]
    """
    some = features[:ROWS]
    squares = _squared_distances(some, some)[np.triu_indices(len(some), 1)]
    width = max(float(np.median(squares)), np.finfo(float).tiny)
    return lambda x, y: np.exp(-_squared_distances(x, y) / (2 * width))


def _squared_distances(x: Array, y: Array) -> Array:
    return np.maximum(np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * x @ y.T, 0.0)


def squared_mmd(x: Any, y: Any, kernel: Kernel = polynomial_kernel) -> float:
    """Return the unbiased MMD² of two sets of features (N, D) and (M, D), as they are.

    >>> squared_mmd([[1.0], [2.0]], [[0.0], [0.0]])
    26.0
    """
    x, y = check_features("x", x), check_features("y", y)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"y must have the {x.shape[1]} channels of x, got {y.shape[1]}")
    one, other = np.ones((1, len(x))), np.ones((1, len(y)))
    return float((_own(x, one, kernel) + _own(y, other, kernel) - 2 * _crossed(x, y, one, other, kernel))[0])


def time_to_fraction(steps: Any, curve: Any, fraction: float = 0.1) -> float:
    r"""Return the step from which on a curve stays below a fraction of its first value: log-log interpolation.

    Parameters
    ----------
    steps
        (S,) increasing; the first is the start of training, 0.
    curve
        (S,) values, the first positive.
    fraction
        Of the first value, in (0, 1).

    Returns
    -------
    The step; the first one after the start if the curve is below by then; NaN if it is not below at the end.

    Examples
    --------
    >>> round(time_to_fraction([0, 1, 100], [1.0, 1.0, 0.01]), 6)
    10.0
    """
    steps, curve = check_numbers("steps", steps, 0, ndim=1), check_numbers("curve", curve, ndim=1)
    fraction = check_real("fraction", fraction, 0, 1, strict=True)
    if len(steps) != len(curve) or len(steps) < 2 or (np.diff(steps) <= 0).any() or curve[0] <= 0:
        raise ValueError(f"steps must increase, one a value of the curve, which starts above 0, got {shown(steps)}")
    above = np.flatnonzero(curve > fraction * curve[0])
    last = int(above[-1])
    if last == len(curve) - 1:
        return float("nan")
    if last == 0:
        return float(steps[1])
    before, after = curve[last] / curve[0], max(curve[last + 1] / curve[0], 1e-6)
    part = np.log(before / fraction) / np.log(before / after)
    return float(np.exp(np.log(steps[last]) * (1 - part) + np.log(steps[last + 1]) * part))


def _weights(N: int, resamples: int, rng: np.random.Generator) -> Array:
    """How often each of N images is drawn: (1 + resamples, N), the first row all ones."""
    drawn = rng.multinomial(N, np.full(N, 1 / N), size=resamples)
    while (single := (drawn > 0).sum(1) < 2).any():  # no pair of different images
        drawn[single] = rng.multinomial(N, np.full(N, 1 / N), size=int(single.sum()))
    return np.vstack([np.ones(N), drawn])


def _own(x: Array, weights: Array, kernel: Kernel) -> Array:
    """Weighted means of k over pairs of different rows of x: one a row of weights (R, N)."""
    total, itself = np.zeros(len(weights)), np.empty(len(x))
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        block = kernel(x[rows], x)
        total += ((weights[:, rows] @ block) * weights).sum(1)
        itself[rows] = np.diagonal(block, start)
    return (total - weights**2 @ itself) / (weights.sum(1) ** 2 - (weights**2).sum(1))


def _crossed(x: Array, y: Array, left: Array, right: Array, kernel: Kernel) -> Array:
    """Weighted means of k over pairs of rows of x and y."""
    total = np.zeros(len(left))
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        total += ((left[:, rows] @ kernel(x[rows], y)) * right).sum(1)
    return total / (left.sum(1) * right.sum(1))
