"""Mean square correlations of tuple counts (T, slots, q, z), and the part of them that is sampling noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class MeanSquare:
    """A mean square correlation: `raw` as measured, `floor` what sampling alone adds, `value` = raw - floor."""

    raw: float
    floor: float

    @property
    def value(self) -> float:
        """The unbiased estimate, negative when noise wins."""
        return self.raw - self.floor


def conditional(counts: Array) -> Array:
    """p(z|t, q): counts over their sum, zero where nothing was counted."""
    return counts / np.maximum(counts.sum(-1, keepdims=True), 1)


def covariance(counts: Array) -> Array:
    """C(t, z) = p(t, z) - p(t) p(z) from counts or probabilities, for every slot and position."""
    p = counts / np.maximum(counts.sum((0, -1), keepdims=True), 1e-300)
    return p - p.sum(-1, keepdims=True) * p.sum(0, keepdims=True)


def covariance_variance(counts: Array) -> Array:
    """N times the sampling variance of C(t, z): Var of (1_t - p_t)(1_z - p_z) by the delta method."""
    p = counts / np.maximum(counts.sum((0, -1), keepdims=True), 1e-300)
    t, z = p.sum(-1, keepdims=True), p.sum(0, keepdims=True)
    moment = p * (1 - 2 * t) * (1 - 2 * z) + t * z**2 * (1 - 2 * t) + z * t**2 * (1 - 2 * z) + t**2 * z**2
    return moment - (p - t * z) ** 2


def joint_squares(counts: Array) -> tuple[float, float]:
    """Raw mean square of C(t, z), and its sampling floor."""
    N = np.maximum(counts.sum((0, -1), keepdims=True), 1)
    return float((covariance(counts) ** 2).mean()), float((covariance_variance(counts) / N).mean())


def conditional_squares(counts: Array) -> tuple[float, float]:
    """Raw mean square of p(z|t) - p(z), tuples weighted by counts, and its floor: Var(1_z | t) (1/n_t - 1/N)."""
    n = counts.sum(3, keepdims=True)
    N = np.maximum(n.sum(0, keepdims=True), 1)
    p, z = conditional(counts), conditional(counts.sum(0, keepdims=True))
    spread = np.where(n > 1, p * (1 - p) * n / np.maximum(n - 1, 1), z * (1 - z))
    weight = n / N / np.prod(counts.shape[1:])
    return float((weight * (p - z) ** 2).sum()), float((weight * spread * (1 / np.maximum(n, 1) - 1 / N)).sum())
