r"""Forward processes: how tokens are corrupted, and what that implies about the step before.

A process is given a shared :class:`Schedule` and knows four things: how to corrupt (`corrupt`), where it ends
(`prior`), what a corrupted token says about the clean one (`likelihood`), and the way back (`reverse`). Samplers,
losses and denoisers ask for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from hcg_lib._random import generator
from hcg_lib._validate import LONGEST, MOST_STRINGS, MOST_SYMBOLS, check_instance, check_integer, shown
from hcg_lib.diffusion.schedules import Schedule
from hcg_lib.evidence import check_tokens, uniform_noise


@runtime_checkable
class Process(Protocol):
    """What a forward process must know; tokens are int64 tensors (B, d), probabilities (B, d, v)."""

    @property
    def v(self) -> int: ...

    @property
    def schedule(self) -> Schedule: ...

    def prior(self, B: int, d: int, seed: Any) -> Tensor: ...

    def corrupt(self, x0: Tensor, t: Any, seed: Any) -> Tensor: ...

    def likelihood(self, x: Tensor, t: Any) -> Tensor: ...

    def reverse(self, x: Tensor, cavity: Tensor, t: Any, earlier: Any = None) -> Tensor: ...


@dataclass(frozen=True)
class UniformProcess:
    r"""D3PM with uniform noise (Austin et al. 2021).

    $$ q(x_t \mid x_0) = \bar\alpha_t\,\delta_{x_t x_0} + (1-\bar\alpha_t)/v , $$

    independently for each token; a step from u to t does the same with $\bar\alpha_t/\bar\alpha_u$. Steps t are
    integers 0 … T: one for all strings, or (B,) one a string.

    Parameters
    ----------
    schedule
        The shared schedule.
    v
        Vocabulary, >= 2.

    Examples
    --------
    >>> process = UniformProcess(Schedule([1.0, 0.5]), v=2)
    >>> x = torch.tensor([[0, 1]])
    >>> process.marginal(x, t=1).tolist()
    [[[0.75, 0.25], [0.25, 0.75]]]
    >>> process.reverse(x, torch.tensor([[[0.5, 0.5], [0.5, 0.5]]]), t=1).tolist()
    [[[0.75, 0.25], [0.25, 0.75]]]
    """

    schedule: Schedule
    v: int

    def __post_init__(self) -> None:
        check_integer("v", self.v, 2, limit=MOST_SYMBOLS)
        check_instance("schedule", self.schedule, Schedule)

    def prior(self, B: int, d: int, seed: Any) -> Tensor:
        """Draw x_T: uniform tokens (B, d)."""
        d = check_integer("d", d, 1, limit=LONGEST)
        B = check_integer("B", B, 0, limit=MOST_STRINGS // d)
        return torch.from_numpy(generator(seed).integers(self.v, size=(B, d)))

    def marginal(self, x0: Tensor, t: Any) -> Tensor:
        """Return q(x_t | x_0): (B, d, v)."""
        return self.likelihood(check_tokens("x0", x0, self.v), t)  # the matrix of the process is symmetric

    def corrupt(self, x0: Tensor, t: Any, seed: Any) -> Tensor:
        """Draw x_t from q(x_t | x_0): (B, d)."""
        x0, rng = check_tokens("x0", x0, self.v), generator(seed)
        kept = np.reshape(self.schedule.kept(t), (-1, 1))
        if len(kept) not in (1, len(x0)):
            raise ValueError(f"t must be one step or one a string ({len(x0)}), got {len(kept)}")
        fate, noise = rng.random(x0.shape) >= kept, rng.integers(self.v, size=x0.shape)
        return torch.where(torch.from_numpy(fate).to(x0.device), torch.from_numpy(noise).to(x0.device), x0)

    def likelihood(self, x: Tensor, t: Any) -> Tensor:
        """Return q(x_t = x | x_0 = a) for every a: the evidence (B, d, v) of :mod:`hcg_lib.inference`."""
        return uniform_noise(x, self.schedule.kept(t), self.v)

    def reverse(self, x: Tensor, cavity: Tensor, t: Any, earlier: Any = None) -> Tensor:
        r"""Return $p(x_u \mid x_t)$ of the reverse step from t to u, `earlier` (t-1 by default): (B, d, v).

        $$ p(x_u = a \mid x_t) \propto q(x_t \mid x_u = a)\,
        \big[ \bar\alpha_u\, \hat x(a) + (1-\bar\alpha_u)/v \big] $$

        It is exact, token by token, when $\hat x$ is the *cavity*, the distribution of the clean token given all the
        other ones; the posterior mean would count the token's own evidence twice (derived; the chapter on inference).
        With $\hat x$ = one-hot of $x_0$ it is $q(x_u \mid x_t, x_0)$.

        Parameters
        ----------
        x
            (B, d) tokens at step t >= 1.
        cavity
            (B, d, v) probabilities, rows sum to 1.
        t, earlier
            Steps, 0 <= earlier < t <= T.
        """
        x = check_tokens("x", x, self.v)
        check_cavity(cavity, (*x.shape, self.v))
        u = self.schedule.steps("t", t, first=1) - 1 if earlier is None else earlier
        step = uniform_noise(x, self.schedule.kept(t, u), self.v)
        abar = torch.as_tensor(self.schedule.kept(u), dtype=cavity.dtype).reshape(-1, 1, 1).to(cavity.device)
        joint = step.to(cavity.dtype) * (abar * cavity + (1 - abar) / self.v)
        return joint / joint.sum(-1, keepdim=True)


def check_cavity(cavity: Any, shape: tuple[int, ...]) -> Tensor:
    """Return `cavity` if it is a real tensor of this shape, or raise; its values are left alone, NaN stays NaN."""
    if not isinstance(cavity, Tensor) or cavity.shape != shape or not cavity.is_floating_point():
        raise ValueError(f"cavity must be a tensor of probabilities (B, d, v) = {shape}, got {shown(cavity)}")
    return cavity
