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
        (T+1,) numbers in (0, 1], decreasing, T >= 1; the last may be 0. The first is 1 unless a released model must be
        matched.

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
        if not (good and abar[0] <= 1 and abar[-2] > 0 and abar[-1] >= 0 and (np.diff(abar) <= 0).all()):
            raise ValueError(
                f"abar must be at least two decreasing numbers in (0, 1], 0 at most in the end, got {shown(self.abar)}"
            )
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
        before = self.abar[early]  # 0 only at T, whence nothing leads on
        return np.where(before > 0, self.abar[late] / np.where(before > 0, before, 1), 1.0)[()]

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


def power_signal(T: int, power: float = 2.0, empty: bool = False) -> Schedule:
    r"""Return the schedule $\bar\alpha_t = 1 - (t/(T+1))^{p}$: more steps at little noise, the larger p.

    Parameters
    ----------
    T
        Steps, >= 1.
    power
        p > 0. At p = 2 or 3 equal steps spend their time where a grammar is decided (chapter on diffusion).
    empty
        End without any signal: t/T in place of t/(T+1).

    Examples
    --------
    >>> power_signal(3).abar.tolist()
    [1.0, 0.9375, 0.75, 0.4375]
    >>> power_signal(2, empty=True).abar.tolist()
    [1.0, 0.75, 0.0]
    """
    T, power = check_integer("T", T, 1, limit=MOST_STEPS), check_real("power", power, 0, strict=True)
    return Schedule(1 - (np.arange(T + 1) / (T if check_flag("empty", empty) else T + 1)) ** power)


def linear_alpha(T: int) -> Schedule:
    r"""Return $\bar\alpha_t = 1 - t/T$, in which each step hides an equal share of the tokens: `power_signal` at p = 1.

    >>> linear_alpha(4).abar.tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    return power_signal(T, 1.0, empty=True)


def cosine(T: int, offset: float = 0.008) -> Schedule:
    r"""Return the schedule of Nichol and Dhariwal (2021), with nothing left at T.

    $$ \bar\alpha_t = f(t)/f(0), \qquad f(t) = \cos^2\Big(\frac{t/T + o}{1 + o}\,\frac{\pi}{2}\Big) $$

    Parameters
    ----------
    T
        Steps, >= 1.
    offset
        o >= 0: keeps the first steps from being too small.

    Examples
    --------
    >>> cosine(2, offset=0).abar.round(6).tolist()
    [1.0, 0.5, 0.0]
    """
    T, offset = check_integer("T", T, 1, limit=MOST_STEPS), check_real("offset", offset, 0, 1)
    wave = np.cos((np.arange(T) / T + offset) / (1 + offset) * np.pi / 2) ** 2
    return Schedule(np.append(wave / wave[0], 0.0))
