r"""Discrete processes: every token stays, is redrawn (uniform noise) or is hidden (masking).

Both are Markov chains on single tokens (D3PM, Austin et al. 2021): the signal kept from step u to t is
$\bar\alpha_t / \bar\alpha_u$. Steps t are integers 0 … T: one for all strings, or (B,) one a string.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from hcg_lib._devices import send
from hcg_lib._random import generator
from hcg_lib._validate import LONGEST, MOST_STRINGS, check_integer
from hcg_lib.diffusion.draws import categorical
from hcg_lib.diffusion.processes import before, check_cavity, check_process, per_string
from hcg_lib.diffusion.schedules import Schedule
from hcg_lib.evidence import check_tokens, masking, uniform_noise, vouch


class DiscreteProcess:
    """What discrete processes share: a step back is a draw from `reverse`, and costs the divergence of two of them."""

    v: int
    schedule: Schedule

    @property
    def states(self) -> int:
        """How many values a corrupted token can have."""
        raise NotImplementedError

    @property
    def end(self) -> Tensor:
        """What a token of the prior is: probabilities (states,), float64."""
        raise NotImplementedError

    def marginal(self, x0: Tensor, t: Any) -> Tensor:
        """Return q(x_t | x_0): (B, d, states)."""
        raise NotImplementedError

    def reverse(self, x: Tensor, cavity: Tensor, t: Any, earlier: Any = None) -> Tensor:
        """Return p(x_u | x_t) of the step back from t to u, `earlier` (t-1 by default): (B, d, states)."""
        raise NotImplementedError

    def step(self, x: Tensor, cavity: Tensor, t: Any, seed: Any, earlier: Any = None) -> Tensor:
        """Draw x_u from `reverse`, every token independently: (B, d)."""
        return vouch(categorical(self.reverse(x, cavity, t, earlier), seed), self.states)

    def tokens(self, x: Tensor) -> Tensor:
        """Return the tokens of states at step 0: the states."""
        return x

    def divergence(self, x: Tensor, x0: Tensor, cavity: Tensor, t: Any) -> Tensor:
        """Return KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) in nats, mean over tokens: (B,)."""
        clean = one_hot(check_tokens("x0", x0, self.v), self.v).to(cavity)
        true, model = self.reverse(x, clean, t), self.reverse(x, cavity, t)
        model = model.clamp_min(torch.finfo(model.dtype).tiny)
        return (torch.xlogy(true, true) - torch.xlogy(true, model)).sum(-1).mean(-1)

    def _fates(self, x0: Tensor, t: Any, rng: np.random.Generator) -> Tensor:
        """Which tokens are corrupted at step t: bool (B, d)."""
        kept = np.reshape(self.schedule.kept(t), (-1, 1))
        if len(kept) not in (1, len(x0)):
            raise ValueError(f"t must be one step or one a string ({len(x0)}), got {len(kept)}")
        return send(torch.from_numpy(rng.random(x0.shape) >= kept), x0.device)


def _check_size(B: Any, d: Any) -> tuple[int, int]:
    d = check_integer("d", d, 1, limit=LONGEST)
    return check_integer("B", B, 0, limit=MOST_STRINGS // d), d


@dataclass(frozen=True)
class UniformProcess(DiscreteProcess):
    r"""D3PM with uniform noise (Austin et al. 2021).

    $$ q(x_t \mid x_0) = \bar\alpha_t\,\delta_{x_t x_0} + (1-\bar\alpha_t)/v , $$

    independently for each token; a step from u to t does the same with $\bar\alpha_t/\bar\alpha_u$.

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
        check_process(self.v, self.schedule)

    @property
    def states(self) -> int:
        """How many values a corrupted token can have: v."""
        return self.v

    @property
    def end(self) -> Tensor:
        """What a token of the prior is: anything, probabilities 1/v (v,), float64."""
        return torch.full((self.v,), 1 / self.v, dtype=torch.float64)

    def prior(self, B: int, d: int, seed: Any) -> Tensor:
        """Draw x_T: uniform tokens (B, d)."""
        B, d = _check_size(B, d)
        return torch.from_numpy(generator(seed).integers(self.v, size=(B, d)))

    def prior_divergence(self, x0: Tensor) -> Tensor:
        """Return KL(q(x_T | x_0) || prior) in nats a token: what the signal left at step T is worth, (B,)."""
        end = self.marginal(x0, self.schedule.T).double()
        return torch.xlogy(end, end * self.v).sum(-1).mean(-1).to(torch.get_default_dtype())

    def marginal(self, x0: Tensor, t: Any) -> Tensor:
        """Return q(x_t | x_0): (B, d, v)."""
        return self.likelihood(check_tokens("x0", x0, self.v), t)  # the matrix of the process is symmetric

    def corrupt(self, x0: Tensor, t: Any, seed: Any) -> Tensor:
        """Draw x_t from q(x_t | x_0): (B, d)."""
        x0, rng = check_tokens("x0", x0, self.v), generator(seed)
        fate, noise = self._fates(x0, t, rng), rng.integers(self.v, size=x0.shape)
        return vouch(torch.where(fate, send(torch.from_numpy(noise), x0.device), x0), self.v)

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
        x, u = check_tokens("x", x, self.v), before(self.schedule, t, earlier)
        step = uniform_noise(x, self.schedule.kept(t, u), self.v)
        abar = per_string(self.schedule.kept(u), check_cavity(cavity, (*x.shape, self.v)))
        joint = step.to(cavity.dtype) * (abar * cavity + (1 - abar) / self.v)
        return joint / joint.sum(-1, keepdim=True)


@dataclass(frozen=True)
class AbsorbingProcess(DiscreteProcess):
    r"""D3PM with an absorbing state, masked diffusion (Austin et al. 2021): a hidden token is written v.

    $$ q(x_t \mid x_0) = \bar\alpha_t\,\delta_{x_t x_0} + (1-\bar\alpha_t)\,\delta_{x_t v} $$

    A masked token says nothing about itself, so its cavity is its posterior; a visible one is what it was.

    Parameters
    ----------
    schedule
        The shared schedule. It must begin clean and end empty, abar_0 = 1 and abar_T = 0: no later step of the way
        back removes a mask left at 0 or corrects a token left visible at T.
    v
        Vocabulary, >= 2.

    Examples
    --------
    >>> process = AbsorbingProcess(Schedule([1.0, 0.5, 0.0]), v=2)
    >>> x = torch.tensor([[0, 2]])  # the second token is hidden
    >>> process.likelihood(x, t=1).tolist()
    [[[1.0, 0.0], [1.0, 1.0]]]
    >>> process.reverse(x, torch.tensor([[[0.5, 0.5], [0.75, 0.25]]]), t=2).tolist()
    [[[1.0, 0.0, 0.0], [0.375, 0.125, 0.5]]]
    """

    schedule: Schedule
    v: int

    def __post_init__(self) -> None:
        check_process(self.v, self.schedule)
        first, last = self.schedule.abar[[0, -1]].tolist()
        if (first, last) != (1, 0):
            raise ValueError(f"schedule must go from abar_0 = 1 to abar_T = 0 for masking, got {first:g} to {last:g}")

    @property
    def states(self) -> int:
        """How many values a corrupted token can have: v + 1, the last is the mask."""
        return self.v + 1

    @property
    def end(self) -> Tensor:
        """What a token of the prior is: the mask, probabilities (v + 1,), float64."""
        return one_hot(torch.tensor(self.v), self.states).double()

    def prior(self, B: int, d: int, seed: Any) -> Tensor:
        """Return x_T: masks (B, d). There is nothing to draw."""
        generator(seed)
        return torch.full(_check_size(B, d), self.v)

    def prior_divergence(self, x0: Tensor) -> Tensor:
        """Return KL(q(x_T | x_0) || prior): zeros (B,), for nothing is left."""
        return torch.zeros(len(check_tokens("x0", x0, self.v)))

    def marginal(self, x0: Tensor, t: Any) -> Tensor:
        """Return q(x_t | x_0): (B, d, v + 1)."""
        clean = one_hot(check_tokens("x0", x0, self.v), self.states).to(torch.get_default_dtype())
        abar = per_string(self.schedule.kept(t), clean)
        return abar * clean + (1 - abar) * self.end.to(clean)

    def corrupt(self, x0: Tensor, t: Any, seed: Any) -> Tensor:
        """Draw x_t from q(x_t | x_0): (B, d), v where hidden."""
        x0 = check_tokens("x0", x0, self.v)
        return vouch(x0.masked_fill(self._fates(x0, t, generator(seed)), self.v), self.states)

    def likelihood(self, x: Tensor, t: Any) -> Tensor:
        """Return the evidence (B, d, v): one-hot where visible, 1 where hidden, whatever the step."""
        self.schedule.steps("t", t)
        return masking(x, self.v, mask=self.v)

    def reverse(self, x: Tensor, cavity: Tensor, t: Any, earlier: Any = None) -> Tensor:
        r"""Return $p(x_u \mid x_t)$ of the reverse step from t to u, `earlier` (t-1 by default): (B, d, v + 1).

        A visible token stays; a hidden one is revealed with probability
        $(\bar\alpha_u - \bar\alpha_t) / (1 - \bar\alpha_t)$, and then drawn from the cavity. Arguments as in
        :meth:`UniformProcess.reverse`; x may hold v, the mask.
        """
        x, u = check_tokens("x", x, self.states), before(self.schedule, t, earlier)
        check_cavity(cavity, (*x.shape, self.v))
        late, early = (per_string(self.schedule.kept(step), cavity) for step in (t, u))
        shown = (early - late) / (1 - late).clamp_min(torch.finfo(cavity.dtype).tiny)
        back = torch.cat([shown * cavity, (1 - shown).expand(*x.shape, 1)], -1)
        back = back / back.sum(-1, keepdim=True)
        return torch.where((x == self.v)[..., None], back, one_hot(x, self.states).to(cavity))
