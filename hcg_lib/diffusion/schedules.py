r"""How much signal is left at each step: one object, shared by process, network and sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hcg_lib._validate import as_array, check_flag, check_integer, check_numbers, check_real, shown

Array = np.ndarray
MOST_STEPS = 1 << 24


@dataclass(frozen=True, eq=False)
class Schedule:
    r"""The cumulative signal $\bar\alpha_0 \ge \bar\alpha_1 \ge \dots \ge \bar\alpha_T$ of a forward process.

    Parameters
    ----------
    abar
        (T+1,) numbers in (0, 1], decreasing, T >= 1. The first is 1 unless a released model must be matched.

    Raises
    ------
    ValueError
        If they are not.

    Examples
    --------
    >>> schedule = Schedule([1.0, 0.5, 0.1])
    >>> schedule.T, float(schedule.kept(2)), float(schedule.kept(2, earlier=1))
    (2, 0.1, 0.2)
    """

    abar: Array

    def __post_init__(self) -> None:
        abar = check_numbers("abar", self.abar)
        good = abar.ndim == 1 and len(abar) >= 2
        if not (good and abar[0] <= 1 and abar[-1] > 0 and (np.diff(abar) <= 0).all()):
            raise ValueError(f"abar must be at least two decreasing numbers in (0, 1], got {shown(self.abar)}")
        abar.setflags(write=False)
        object.__setattr__(self, "abar", abar)

    @property
    def T(self) -> int:
        """Number of steps."""
        return len(self.abar) - 1

    def kept(self, t: Any, earlier: Any = None) -> Any:
        """Return the signal kept from step `earlier` (the start by default) to step t: abar_t / abar_earlier.

        Raises
        ------
        ValueError
            If a step lies outside 0 … T or `earlier` is later than t: there is no step -1.
        """
        late = self.steps("t", t)
        if earlier is None:
            return self.abar[late]
        early = self.steps("earlier", earlier)
        if early.ndim and late.ndim and early.shape != late.shape:
            raise ValueError(f"earlier must have the shape of t, {late.shape}, got {early.shape}")
        if (early > late).any():
            raise ValueError(f"earlier must not exceed t, got {earlier} > {t}")
        return self.abar[late] / self.abar[early]

    def steps(self, name: str, t: Any, first: int = 0) -> Array:
        """Return `t` as an array of steps, checked to lie in `first` … T."""
        steps = as_array(name, t)
        if steps.dtype.kind not in "iu" or (steps.size and not (steps.min() >= first and steps.max() <= self.T)):
            raise ValueError(f"{name} must hold integers from {first} to T = {self.T}, got {shown(t)}")
        return steps


def linear_beta(T: int, first: float | None = None, last: float | None = None, authors: bool = False) -> Schedule:
    r"""Return the schedule whose noise grows linearly, as in the authors' released code.

    $$ \bar\alpha_t = \prod_{u=1}^{t} (1-\beta_u), \qquad \beta_u = \beta_1 + (\beta_2-\beta_1)\,u/T $$

    Parameters
    ----------
    T
        Steps, >= 1.
    first, last
        $\beta_1 < \beta_2$ in (0, 1). By default 0.2/T and 20/T, cut at 0.999: the authors' 0.001 and 0.1 at T = 200,
        and the same curve in t/T at any other T.
    authors
        Start the product at u = 0, as the released code does: then abar_0 = 1 - beta_1, not 1.

    Examples
    --------
    >>> schedule = linear_beta(200)
    >>> schedule.T, float(schedule.abar[0]), float(schedule.abar[200].round(6))
    (200, 1.0, 2.7e-05)
    >>> float(linear_beta(200, authors=True).abar[0])
    0.999
    """
    T = check_integer("T", T, 1, limit=MOST_STEPS)
    first = min(0.2 / T, 0.999) if first is None else check_real("first", first, 0, 1, strict=True)
    last = min(20 / T, 0.999) if last is None else check_real("last", last, 0, 1, strict=True)
    if first > last:
        raise ValueError(f"first must not exceed last, got {first} > {last}")
    alpha = 1 - (first + (last - first) * np.arange(T + 1) / T)
    if not check_flag("authors", authors):
        alpha[0] = 1
    return Schedule(np.cumprod(alpha))


def power_signal(T: int, power: float = 2.0) -> Schedule:
    r"""Return the schedule $\bar\alpha_t = 1 - (t/(T+1))^{p}$: linear-alpha at p = 1, more of little noise above.

    Parameters
    ----------
    T
        Steps, >= 1.
    power
        p > 0. At p = 2 a uniform step spends its time where a grammar is decided (measured: most of the excess of the
        variational bound of a trained network lies at signals above 0.5).

    Examples
    --------
    >>> power_signal(3).abar.tolist()
    [1.0, 0.9375, 0.75, 0.4375]
    """
    T, power = check_integer("T", T, 1, limit=MOST_STEPS), check_real("power", power, 0, strict=True)
    return Schedule(1 - (np.arange(T + 1) / (T + 1)) ** power)
