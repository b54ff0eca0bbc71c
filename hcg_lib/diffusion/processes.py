r"""Forward processes: how tokens are corrupted, and what that implies about the step before.

A process is given a shared :class:`Schedule` and knows how to corrupt (`corrupt`), where it ends (`prior`), what a
corrupted token says about the clean one (`likelihood`), how to draw a step back (`step`) and what a step back that
was guessed costs (`divergence`). Samplers, losses and denoisers ask for nothing else, so every process can be put in
the place of any other. A *state* is what a string looks like at step t: tokens, tokens or masks, or real vectors.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from hcg_lib._devices import send
from hcg_lib._validate import MOST_SYMBOLS, check_instance, check_integer, shown
from hcg_lib.diffusion.schedules import Schedule


@runtime_checkable
class Process(Protocol):
    """What a forward process must know; clean tokens are int64 (B, d), probabilities (B, d, v), losses (B,)."""

    @property
    def v(self) -> int: ...

    @property
    def schedule(self) -> Schedule: ...

    def prior(self, B: int, d: int, seed: Any) -> Tensor: ...

    def corrupt(self, x0: Tensor, t: Any, seed: Any) -> Tensor: ...

    def likelihood(self, x: Tensor, t: Any) -> Tensor: ...

    def step(self, x: Tensor, cavity: Tensor, t: Any, seed: Any, earlier: Any = None) -> Tensor: ...

    def tokens(self, x: Tensor) -> Tensor: ...

    def divergence(self, x: Tensor, x0: Tensor, cavity: Tensor, t: Any) -> Tensor: ...

    def prior_divergence(self, x0: Tensor) -> Tensor: ...


def check_process(v: Any, schedule: Any) -> None:
    """Raise a ValueError unless v is a vocabulary and `schedule` a Schedule."""
    check_integer("v", v, 2, limit=MOST_SYMBOLS)
    check_instance("schedule", schedule, Schedule)


def check_cavity(cavity: Any, shape: tuple[int, ...]) -> Tensor:
    """Return `cavity` if it is a real tensor of this shape, or raise; its values are left alone, NaN stays NaN."""
    if not isinstance(cavity, Tensor) or cavity.shape != shape or not cavity.is_floating_point():
        raise ValueError(f"cavity must be a tensor of probabilities (B, d, v) = {shape}, got {shown(cavity)}")
    return cavity


def per_string(value: Any, like: Tensor) -> Tensor:
    """One number, or one a string, as a tensor that broadcasts against (B, d, v).

    >>> per_string(0.5, torch.ones(2, 3, 4)).shape, per_string([0.5, 1.0], torch.ones(2, 3, 4)).shape
    (torch.Size([1, 1, 1]), torch.Size([2, 1, 1]))
    """
    return send(torch.as_tensor(value, dtype=like.dtype).reshape(-1, 1, 1), like.device)


def before(schedule: Schedule, t: Any, earlier: Any) -> Any:
    """The step to go back to: `earlier`, or the one before t; t itself must be at least 1, for there is no step -1.

    >>> int(before(Schedule([1.0, 0.5]), 1, None))
    0
    """
    steps = schedule.steps("t", t, first=1)
    return steps - 1 if earlier is None else earlier
