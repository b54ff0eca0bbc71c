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


def joint_squares(counts: Array) -> tuple[float, float]:
    """Raw mean square of C(t, z) and its delta-method floor: Var of (1_t - p_t)(1_z - p_z), over N."""
    N = np.maximum(counts.sum((0, 3), keepdims=True), 1)
    p = counts / N
    t, z = p.sum(3, keepdims=True), p.sum(0, keepdims=True)
    c2 = (p - t * z) ** 2
    moment = p * (1 - 2 * t) * (1 - 2 * z) + t * z**2 * (1 - 2 * t) + z * t**2 * (1 - 2 * z) + t**2 * z**2
    return float(c2.mean()), float(((moment - c2) / N).mean())


def conditional_squares(counts: Array) -> tuple[float, float]:
    """Raw mean square of p(z|t) - p(z), tuples weighted by counts, and its floor: Var(1_z | t) (1/n_t - 1/N)."""
    n = counts.sum(3, keepdims=True)
    N = np.maximum(n.sum(0, keepdims=True), 1)
    p, z = conditional(counts), conditional(counts.sum(0, keepdims=True))
    spread = np.where(n > 1, p * (1 - p) * n / np.maximum(n - 1, 1), z * (1 - z))
    weight = n / N / np.prod(counts.shape[1:])
    return float((weight * (p - z) ** 2).sum()), float((weight * spread * (1 / np.maximum(n, 1) - 1 / N)).sum())
