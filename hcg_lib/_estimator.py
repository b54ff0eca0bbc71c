"""What both correlation estimators share: the curve they return, merging, subtraction, intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hcg_lib._pairs import DensePairs, SparsePairs
from hcg_lib._random import generator
from hcg_lib._unbiased import LEAST, estimate_and_influences, plugin_norm
from hcg_lib._validate import check_integer, check_real, shown

Array = np.ndarray
MOST_GROUPS = 1024
MOST_RESAMPLES = 1 << 20


@dataclass(frozen=True, eq=False)
class CorrelationCurve:
    """A norm of the covariance at each distance, with interval and floor. All arrays have shape (T,).

    `squared` is the unbiased estimate of ‖C‖² (it may be negative), `plugin` the biased one that frequencies give;
    `replicates` (R, T) are bootstrap values of `squared`: normal multipliers, one a group and the same along a row,
    times what leaving the group out changes (multiplier bootstrap of the jackknife).
    `independent` is the floor that independent pairs would have, `levels` the LCA level or None.
    """

    distances: Array
    v: int
    pairs: Array
    squared: Array
    plugin: Array
    independent: Array
    replicates: Array
    confidence: float = 0.95
    levels: Array | None = None

    @property
    def norm(self) -> Array:
        """‖C‖, the root of the unbiased square; 0 where the square is negative."""
        return np.sqrt(np.maximum(self.squared, 0))

    @property
    def low(self) -> Array:
        """Lower end of the interval of ‖C‖ at `confidence`."""
        return self._quantile((1 - self.confidence) / 2)

    @property
    def high(self) -> Array:
        """Upper end of the interval of ‖C‖ at `confidence`."""
        return self._quantile((1 + self.confidence) / 2)

    @property
    def floor(self) -> Array:
        """What the plain estimate would report if C were 0: root of its measured bias, plugin - squared."""
        return np.sqrt(np.maximum(self.plugin - self.squared, 0))

    @property
    def resolved(self) -> Array:
        """True where the estimate is positive and its interval excludes 0."""
        return (self.low > 0) & (self.squared > 0)

    @property
    def normalized(self) -> Array:
        """C~ = ‖C‖ / v."""
        return self.norm / self.v

    def _quantile(self, q: float) -> Array:
        return np.sqrt(np.maximum(np.quantile(self.replicates, q, axis=0), 0))


class Estimator:
    """Families of pair counts kept by group; the estimate, merging and subtraction."""

    counts: DensePairs | SparsePairs

    def __init__(self, v: int, families: int, groups: int, dense_bytes: int):
        self.v = check_integer("v", v, 1, 2**31)
        self.groups = check_integer("groups", groups, LEAST, MOST_GROUPS)
        self.documents = 0
        self.difference = False
        self.pairs = np.zeros((families, self.groups), np.int64)
        dense = families * self.groups * self.v**2 * 8 <= dense_bytes
        self.counts = (DensePairs if dense else SparsePairs)(families, self.groups, self.v)

    def _signature(self) -> tuple[Any, ...]:
        return (self.v, self.groups, self.pairs.shape)

    def _combine(self, other: Any, mine: int, theirs: int) -> Any:
        if type(other) is not type(self) or other._signature() != self._signature():
            raise ValueError(f"both estimators must have equal v, groups and distances, got {self} and {shown(other)}")
        out = self._empty()
        out.counts.merge(self.counts, mine)
        out.counts.merge(other.counts, theirs)
        return out

    def __add__(self, other: Any) -> Any:
        if self.difference or getattr(other, "difference", False):
            raise ValueError("cannot add differences of estimators; subtract after adding")
        out = self._combine(other, 1, 1)
        out.documents, out.pairs = self.documents + other.documents, self.pairs + other.pairs
        return out

    def __sub__(self, other: Any) -> Any:
        if self.difference or getattr(other, "difference", False):
            raise ValueError("cannot subtract differences of estimators")
        ratio = max(1, int(other.pairs.max() // max(self.pairs.max(), 1))) if hasattr(other, "pairs") else 1
        out = self._combine(other, ratio, -1)
        if not np.array_equal(ratio * self.pairs, other.pairs):
            raise ValueError("can only subtract what saw documents of the same lengths in the same order, k times over")
        out.documents, out.pairs, out.difference = self.documents, other.pairs.copy(), True
        return out

    def _empty(self) -> Any:
        raise NotImplementedError

    def _values(self, confidence: float, resamples: int, seed: Any, labels: Array) -> tuple[float, dict[str, Array]]:
        """Return per family the pairs, the squares (plain, unbiased, bootstrap) and the independent floor."""
        confidence = check_real("confidence", confidence, 0, 1, strict=True)
        resamples = check_integer("resamples", resamples, 2, limit=MOST_RESAMPLES)
        filled = (self.pairs > 0).sum(1)
        if filled.min(initial=LEAST) < LEAST:
            where = labels[int(filled.argmin())]
            raise ValueError(
                f"needs pairs in at least {LEAST} documents, but at {where} only {int(filled.min())} of "
                f"{self.documents} documents reach; give more documents or shorter distances"
            )
        multipliers = generator(seed).normal(size=(resamples, self.groups))
        columns: dict[str, list[Any]] = {"squared": [], "plugin": [], "independent": [], "replicates": []}
        for family, pairs in enumerate(self.pairs.astype(np.float64)):
            products = self.counts.products(family, margins=not self.difference)
            total = pairs.sum()
            if self.difference:  # margins agree up to the borders; the product of margins is not subtracted
                independent = 0.0
            else:
                p, q = products.first.sum() / total**2, products.second.sum() / total**2
                independent = np.sqrt(max((1 - p) * (1 - q), 0) / total)
            columns["independent"].append(independent)
            columns["plugin"].append(plugin_norm(products, pairs, self.difference))
            square, influence = estimate_and_influences(products, pairs, self.difference)
            columns["squared"].append(square)
            columns["replicates"].append(square + multipliers @ influence)
        out = {name: np.array(column) for name, column in columns.items()}
        out["replicates"] = out["replicates"].T
        return confidence, out
