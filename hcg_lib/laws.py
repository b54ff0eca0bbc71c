"""Laws of sample complexity against each other: which of them do measured thresholds exclude?

A law predicts P*_l of every grammar shape up to one constant, common to all shapes and levels (or one a level). After
fitting that constant, what is left is measured by the root mean square of log(measured / predicted).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from hcg_lib import theory
from hcg_lib._validate import (
    DEEPEST,
    check_choice,
    check_counts,
    check_integer,
    check_list,
    check_numbers,
    check_shape,
    shown,
)
from hcg_lib.intervals import Interval, bootstrap
from hcg_lib.scaling import log_largest, log_thresholds

Array = np.ndarray
Law = Callable[[int, int, int, int, int], float]


def _root(v: int, m: int, s: int, L: int, l: int) -> float:
    return theory.rule_threshold(v, m, s, L, L) / m


CANDIDATES: dict[str, Law] = {
    "context, no pooling": theory.rule_threshold,  # v m^(l+1)/(1-f)
    "context, pooling": lambda v, m, s, L, l: theory.rule_threshold(v, m, s, L, l, pooled=True),
    "far tokens": lambda v, m, s, L, l: theory.token_threshold(v, m, s, l),  # v m^(2l-1)/(1-f)
    "one step for all levels": _root,  # v m^L/(1-f)
    "symbols, pooling": lambda v, m, s, L, l: theory.latent_target_threshold(v, m, s) / s ** (L - l),  # v m^3/(1-f)
    "siblings, pooling": lambda v, m, s, L, l: (
        theory.latent_target_threshold(v, m, s, joint=True) / s ** (L - l)  # v m^2/(1-f), for s = 2
    ),
    "memorizing": lambda v, m, s, L, l: theory.string_count(v, m, s, l),  # every subtree seen: exponential in s^l
}
"""Laws (v, m, s, L, l) → P*_l that the sample_complexity chapter compares, by name."""


@dataclass(frozen=True)
class Comparison:
    """How well laws describe thresholds: `rms` of log(measured / law) by name, and `differences` rms[a] - rms[b].

    `constants`: what each law must be multiplied by, one interval (of arrays, if one a level). `floor`: the rms that
    grammars leave about the mean of their own shape and level. `censored`: thresholds not reached.
    """

    rms: dict[str, Interval]
    differences: dict[tuple[str, str], Interval]
    constants: dict[str, Interval]
    floor: float
    censored: int

    @property
    def best(self) -> str:
        """Name of the law of least rms."""
        return min(self.rms, key=lambda name: float(self.rms[name].mean))

    @property
    def excluded(self) -> list[str]:
        """Laws worse than the best by a difference whose interval lies above 0."""
        best = self.best
        return [name for name in self.rms if name != best and self.differences[name, best].low > 0]


def compare_laws(
    shapes: Sequence[tuple[int, int, int, int]],
    thresholds: Sequence[Any],
    laws: Mapping[str, Law],
    levels: Sequence[Sequence[int]] | None = None,
    largest: Any = None,
    constant: str = "common",
    resamples: int = 500,
    seed: Any = 0,
    confidence: float = 0.95,
) -> Comparison:
    """Fit every law's constant to the thresholds and compare what they leave.

    A threshold that was not reached counts against a law by as much as the law falls below the largest size, and not at
    all if the law puts it beyond. Intervals are those of `bootstrap` over grammars; shapes and levels stay.

    Parameters
    ----------
    shapes
        N tuples (v, m, s, L).
    thresholds
        N arrays (grammars_i, levels_i) of P*, NaN where not reached.
    laws
        Name → function (v, m, s, L, l) → P*_l, at least one; see `CANDIDATES`.
    levels
        Which l the columns of each array are; 1, 2, … if None.
    largest
        (N,) largest sizes measured; needed if a threshold is NaN.
    constant
        "common": one free factor a law. "level": one for each level, which tests the dependence on shape alone.
    resamples, seed, confidence
        Of `bootstrap`.

    Examples
    --------
    >>> shapes = [(16, m, 2, 3) for m in (3, 4, 6, 8)]
    >>> law = lambda v, m, s, L, l: v * m ** (l + 1)
    >>> measured = [[[law(*shape, l) * noise for l in (2, 3)] for noise in (0.9, 1.1)] for shape in shapes]
    >>> far = lambda v, m, s, L, l: v * m ** (2 * l - 1)
    >>> found = compare_laws(shapes, measured, {"context": law, "far": far}, levels=[(2, 3)] * 4)
    >>> found.best, found.excluded
    ('context', ['far'])
    """
    known = [_checked_shape(shape) for shape in check_list("shapes", shapes, "of (v, m, s, L)")]
    found = log_thresholds(thresholds, ndim=2)
    if not found or len(found) != len(known) or not any(np.isfinite(row).any() for row in found):
        raise ValueError(
            f"thresholds must hold one array, not all NaN, a shape ({len(known)}), got {shown(thresholds)}"
        )
    bound, columns = log_largest(largest, found), _columns(levels, known, found)
    check_choice("constant", constant, ("common", "level"))
    if not isinstance(laws, Mapping) or not laws:
        raise ValueError(f"laws must map names to functions (v, m, s, L, l), got {shown(laws)}")

    def tile(rows: Sequence[Array]) -> Array:
        return np.concatenate([np.tile(row, len(group)) for row, group in zip(rows, found, strict=True)])

    _, kind = np.unique(tile(columns) * (constant == "level"), return_inverse=True)
    least = tile([np.full(len(column), b) for column, b in zip(columns, bound, strict=True)])
    predicted = [tile(_predict(name, law, known, columns)) for name, law in laws.items()]

    def compare(groups: list[Array]) -> Array:
        y = np.concatenate([group.ravel() for group in groups])
        rms, constants = zip(*(_fit(y, least, law, kind) for law in predicted), strict=True)
        return np.concatenate([rms, [a - b for a, b in permutations(rms, 2)], *constants])

    result = bootstrap(compare, found, resamples, seed, confidence)
    rms, differences, constants = (
        [Interval(*ends) for ends in zip(*parts, strict=True)]
        for parts in zip(*(_parts(end, len(laws)) for end in (result.mean, result.low, result.high)), strict=True)
    )
    return Comparison(
        rms=dict(zip(laws, rms, strict=True)),
        differences=dict(zip(permutations(laws, 2), differences, strict=True)),
        constants=dict(zip(laws, constants, strict=True)),
        floor=_floor(found),
        censored=sum(int(np.isnan(row).sum()) for row in found),
    )


def _parts(values: Array, laws: int) -> tuple[Array, Array, Array]:
    """Undo the concatenation: rms (laws,), differences (pairs,), constants (laws,) or (laws, levels)."""
    rms, differences, constants = np.split(values, np.cumsum([laws, laws * (laws - 1)]))
    return rms, differences, np.exp(constants if len(constants) == laws else constants.reshape(laws, -1))


def _fit(y: Array, least: Array, law: Array, kind: Array, rounds: int = 200) -> tuple[float, Array]:
    """Root mean square of what is left, and log constants, by least squares; NaN in y asks for no less than `least`."""
    censored, count = np.isnan(y), np.bincount(kind)
    filled, constant = np.where(censored, least, y), np.zeros(len(count))
    for _ in range(rounds):
        previous, constant = constant, np.bincount(kind, filled - law) / count
        if not censored.any() or np.abs(constant - previous).max() < 1e-10:
            break
        filled = np.where(censored, np.maximum(least, law + constant[kind]), y)
    return float(np.sqrt(np.mean((filled - law - constant[kind]) ** 2))), constant


def _floor(found: list[Array]) -> float:
    """Root mean square of log thresholds about the mean of their shape and level, of those reached."""
    columns = [column[np.isfinite(column)] for row in found for column in row.T]
    left = np.concatenate([column - column.mean() for column in columns if len(column)])
    return float(np.sqrt(np.mean(left**2)))


def _predict(name: str, law: Law, shapes: list[tuple[int, int, int, int]], columns: list[Array]) -> list[Array]:
    """Log P* of a law, one array (levels,) a shape."""
    if not callable(law):
        raise ValueError(f"laws must be functions (v, m, s, L, l), got {shown(law)} for {name!r}")
    rows = [[law(*shape, int(l)) for l in column] for shape, column in zip(shapes, columns, strict=True)]
    return [np.log(check_numbers(f"law {name!r}", [float(x) for x in row], 0, strict=True)) for row in rows]


def _columns(levels: Any, shapes: list[tuple[int, int, int, int]], found: list[Array]) -> list[Array]:
    """Levels of the columns of every shape, checked."""
    if levels is None:
        levels = [np.arange(1, row.shape[1] + 1) for row in found]
    columns = [check_counts("levels", column, 1) for column in check_list("levels", levels, "of levels, one a shape")]
    widths = [row.shape[1] for row in found]
    if [len(column) for column in columns] != widths:
        raise ValueError(f"levels must name the columns of thresholds, {widths} of them, got {shown(levels)}")
    for column, shape in zip(columns, shapes, strict=True):
        if column.max() > shape[3]:
            raise ValueError(f"levels must not exceed L = {shape[3]} of the shape {shape}, got {column.tolist()}")
    return columns


def _checked_shape(shape: Any) -> tuple[int, int, int, int]:
    numbers = check_list("shapes", shape, "of (v, m, s, L)")
    if len(numbers) != 4:
        raise ValueError(f"shapes must hold tuples (v, m, s, L), got {shown(shape)}")
    return *check_shape(*numbers[:3]), check_integer("L", numbers[3], 1, limit=DEEPEST)
