r"""Gaussian noise on one-hot tokens: the diffusion of images, on the same strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from hcg_lib._random import generator
from hcg_lib._validate import LONGEST, MOST_STRINGS, check_integer
from hcg_lib.diffusion.draws import categorical
from hcg_lib.diffusion.processes import before, check_cavity, check_process, per_string
from hcg_lib.diffusion.schedules import Schedule
from hcg_lib.evidence import check_tokens, gaussian_noise


@dataclass(frozen=True)
class GaussianProcess:
    r"""Gaussian diffusion (Ho et al. 2020) of one-hot tokens; a state is real, (B, d, v).

    $$ x_t = \sqrt{\bar\alpha_t}\,\mathrm{onehot}(x_0) + \sqrt{1-\bar\alpha_t}\;\varepsilon $$

    Parameters
    ----------
    schedule
        The shared schedule. It must begin clean, abar_0 = 1 > abar_1: the state at 0 is a token.
    v
        Vocabulary, >= 2.

    Examples
    --------
    >>> process = GaussianProcess(Schedule([1.0, 0.5, 0.0]), v=2)
    >>> x = process.corrupt(torch.tensor([[0, 1]]), t=1, seed=0)
    >>> x.shape, process.likelihood(x, t=1).shape
    (torch.Size([1, 2, 2]), torch.Size([1, 2, 2]))
    >>> mean, variance = process.bridge(x, torch.tensor([[0, 1]]), t=2)  # from an empty state all news is of x_0
    >>> mean[0].square().round(decimals=4).tolist(), variance.item()
    ([[0.5, 0.0], [0.0, 0.5]], 0.5)
    """

    schedule: Schedule
    v: int

    def __post_init__(self) -> None:
        check_process(self.v, self.schedule)
        first, second = self.schedule.abar[:2].tolist()
        if not first == 1 > second:
            raise ValueError(f"schedule must have abar_0 = 1 > abar_1 for Gaussian noise, got {first} and {second}")

    def prior(self, B: int, d: int, seed: Any) -> Tensor:
        """Draw x_T: standard normal numbers (B, d, v)."""
        d = check_integer("d", d, 1, limit=LONGEST)
        B = check_integer("B", B, 0, limit=MOST_STRINGS // d)
        return torch.from_numpy(generator(seed).standard_normal((B, d, self.v))).to(torch.get_default_dtype())

    def prior_divergence(self, x0: Tensor) -> Tensor:
        r"""Return KL(q(x_T | x_0) || prior), $[\,\bar\alpha_T (1-v) - v \log(1-\bar\alpha_T)]/2$ a token: (B,)."""
        abar = torch.tensor(self.schedule.abar[-1])
        cost = (abar * (1 - self.v) - self.v * torch.log1p(-abar)) / 2
        return cost.expand(len(check_tokens("x0", x0, self.v))).to(torch.get_default_dtype())

    def corrupt(self, x0: Tensor, t: Any, seed: Any) -> Tensor:
        """Draw x_t from q(x_t | x_0): (B, d, v)."""
        clean = self._clean(x0, torch.get_default_dtype())
        abar = per_string(self.schedule.kept(t), clean.double())
        if len(abar) not in (1, len(clean)):
            raise ValueError(f"t must be one step or one a string ({len(clean)}), got {len(abar)}")
        return abar.sqrt().to(clean) * clean + (1 - abar).sqrt().to(clean) * _normal(clean, seed)

    def likelihood(self, x: Tensor, t: Any) -> Tensor:
        """Return q(x_t = x | x_0 = a) for every a, up to a factor: the evidence (B, d, v); t >= 1."""
        self.schedule.steps("t", t, first=1)
        return gaussian_noise(x, self.schedule.kept(t))

    def bridge(self, x: Tensor, x0: Tensor, t: Any, earlier: Any = None) -> tuple[Tensor, Tensor]:
        r"""Return mean (B, d, v) and variance of $q(x_u \mid x_t, x_0)$, u = `earlier` (t-1 by default).

        With $\alpha = \bar\alpha_t/\bar\alpha_u$ (Ho et al. 2020, Eq. 7)

        $$ \text{mean} = \frac{\sqrt{\bar\alpha_u}\,(1-\alpha)\,\mathrm{onehot}(x_0) + \sqrt{\alpha}\,(1-\bar\alpha_u)\,
        x_t}{1-\bar\alpha_t}, \qquad \text{variance} = \frac{(1-\bar\alpha_u)(1-\alpha)}{1-\bar\alpha_t} . $$
        """
        u = before(self.schedule, t, earlier)
        wide = torch.empty(0, dtype=torch.float64, device=x.device)  # 1 - abar may be below the rounding of float32
        kept = self.schedule.kept
        late, early, alpha = (per_string(value, wide) for value in (kept(t), kept(u), kept(t, u)))
        news, memory = early.sqrt() * (1 - alpha) / (1 - late), alpha.sqrt() * (1 - early) / (1 - late)
        mean = news.to(x) * self._clean(x0, x.dtype) + memory.to(x) * x
        return mean, ((1 - early) * (1 - alpha) / (1 - late)).to(x)

    def step(self, x: Tensor, cavity: Tensor, t: Any, seed: Any, earlier: Any = None) -> Tensor:
        """Draw x_u: a clean value of every token from cavity x evidence, then the bridge to it: (B, d, v).

        Exact token by token: the step's distribution is a mixture of v Gaussians.
        """
        rng = generator(seed)
        guess = categorical(self._posterior(x, cavity, t), rng)
        mean, variance = self.bridge(x, guess, t, earlier)
        return mean + variance.sqrt() * _normal(mean, rng)

    def tokens(self, x: Tensor) -> Tensor:
        """Return the tokens of states at step 0, which are one-hot: (B, d)."""
        return x.argmax(-1)

    def divergence(self, x: Tensor, x0: Tensor, cavity: Tensor, t: Any) -> Tensor:
        r"""Return what the step from t to t-1 costs in nats, mean over tokens: (B,).

        $$ \tfrac12 \big[\mathrm{snr}(t-1) - \mathrm{snr}(t)\big]\; \|\mathrm{onehot}(x_0) - \hat\mu\|^2 ,
        \qquad \mathrm{snr} = \bar\alpha/(1-\bar\alpha) , $$

        with the posterior mean $\hat\mu$, the divergence of two Gaussians of equal variance (Ho et al. 2020); in the
        mean the mixture of `step` costs no more. The last step, t = 1, costs $-\log p(x_0 \mid x_1)$.
        """
        steps = self.schedule.steps("t", t, first=1)
        posterior = self._posterior(x, cavity, t)
        clean = self._clean(x0, posterior.dtype)
        abar = per_string(self.schedule.kept(steps - 1), posterior), per_string(self.schedule.kept(steps), posterior)
        early, late = (a / (1 - a) for a in abar)
        price = torch.where(early.isfinite(), (early - late) / 2, 0.0) * (clean - posterior).square()
        own = (posterior * clean).sum(-1, keepdim=True).clamp_min(torch.finfo(posterior.dtype).tiny)
        last = -own.log() * clean
        return torch.where(early.isfinite(), price, last).sum(-1).mean(-1).to(cavity.dtype)

    def _posterior(self, x: Tensor, cavity: Tensor, t: Any) -> Tensor:
        joint = check_cavity(cavity, (*x.shape[:2], self.v)).double() * self.likelihood(x, t).double()
        return joint / joint.sum(-1, keepdim=True)

    def _clean(self, x0: Tensor, dtype: torch.dtype) -> Tensor:
        return one_hot(check_tokens("x0", x0, self.v), self.v).to(dtype)


def _normal(like: Tensor, seed: Any) -> Tensor:
    return torch.from_numpy(generator(seed).standard_normal(like.shape)).to(like)
