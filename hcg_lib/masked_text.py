r"""Masked diffusion of natural text: what a network pays, a bound on the likelihood, and generation.

The absorbing process with $\bar α = 1 - t$ hides each token by time t with probability t. Its bound of the negative
log-likelihood in continuous time weighs the cross entropies of hidden tokens by 1/t (MD4: Shi et al. 2024). How many of
d tokens are hidden decides everything, and time can be integrated out:

$$ \int_0^1 \frac{dt}{t} \binom{d}{k} t^k (1-t)^{d-k} = \frac1k , \qquad
   -\log p(x) \le \sum_{k=1}^{d} \frac1k \Big\langle \sum_{i \in M} -\log p(x_i \mid x_{\bar M}) \Big\rangle_{|M|=k} $$

with M uniform among the sets of k positions (derived; the same bound as that of a random order). So we draw k uniformly
from 1 … d, hide k tokens, and pay their mean cross entropy: nats a token, without weights that blow up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hcg_lib._random import generator
from hcg_lib._validate import (
    LONGEST,
    MOST_STRINGS,
    MOST_SYMBOLS,
    as_array,
    check_instance,
    check_integer,
    check_symbols,
)
from hcg_lib.diffusion.schedules import Schedule, linear_alpha

Array = np.ndarray
PART = 32  # strings at once: the products of attention stay in the caches of a CPU


@dataclass(frozen=True)
class MaskedTokens:
    """The objective of :func:`hcg_lib.training.train` for strings with hidden tokens; networks as `TokenTransformer`.

    Parameters
    ----------
    v
        Vocabulary; v itself is the mask.
    draws
        Masked strings that a validation loss is the mean of, at least.

    Examples
    --------
    >>> objective = MaskedTokens(v=4)
    >>> x0, x, k = objective.corrupt(objective.prepare("data", [[0, 1, 2], [3, 3, 3]]), np.random.default_rng(0))
    >>> k.tolist(), (x == 4).sum(1).tolist()
    ([1, 2], [1, 2])
    """

    v: int
    draws: int = 1024

    chunk = PART

    def __post_init__(self) -> None:
        check_integer("v", self.v, 2, limit=MOST_SYMBOLS - 1)
        check_integer("draws", self.draws, 1)

    @property
    def identity(self) -> bytes:
        return f"MaskedTokens {self.v}".encode()

    def prepare(self, name: str, data: Any) -> Tensor:
        """Return strings (N, d) in the smallest type that holds them."""
        strings = check_symbols(name, data, self.v)
        return torch.from_numpy(strings.astype(np.uint8 if self.v <= 256 else np.int32))

    def corrupt(self, x0: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return strings, the same with v where hidden, and how many are hidden: stratified over the batch."""
        B, d = x0.shape
        k = torch.from_numpy(1 + np.floor(d * (rng.permutation(B) + rng.random(B)) / B).astype(np.int64))
        hidden = torch.from_numpy(rng.random((B, d), np.float32)).argsort(1).argsort(1) < k[:, None]
        x0 = x0.long()
        return x0, x0.masked_fill(hidden.to(x0.device), self.v), k.to(x0.device)

    def loss(self, network: nn.Module, x0: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return the mean cross entropy of the hidden tokens, a string; its mean bounds nats a token."""
        return hidden_loss(network, x0, x, self.v)


def hidden_loss(network: nn.Module, x0: Tensor, x: Tensor, v: int) -> Tensor:
    """Mean cross entropy in nats of the tokens (B, d) that are v in x, a string: (B,).

    >>> x0 = torch.tensor([[0, 1, 1]])
    >>> ignorant = lambda x, where: torch.zeros(int(where.sum()), 2)
    >>> hidden_loss(ignorant, x0, torch.tensor([[2, 1, 2]]), v=2).exp().round().tolist()
    [2.0]
    """
    hidden = x == v
    paid = F.cross_entropy(network(x, hidden).float(), x0[hidden], reduction="none")
    total = paid.new_zeros(len(x)).index_add(0, hidden.nonzero()[:, 0], paid)
    return total / hidden.sum(1)


@torch.no_grad()
def bound(network: nn.Module, strings: Any, v: int, seed: Any = 0) -> Array:
    """Return one draw of the likelihood bound for each string (N, d), nats a token: (N,).

    Examples
    --------
    >>> ignorant = lambda x, where: torch.zeros(int(where.sum()), 4)
    >>> float(np.exp(bound(ignorant, [[0, 1, 2], [3, 3, 3]], v=4).mean()).round(5))
    4.0
    """
    objective = MaskedTokens(v)
    x0, x, _k = objective.corrupt(objective.prepare("strings", strings), generator(seed))
    return _parts(network, x0, x, v)


@torch.no_grad()
def span_loss(network: nn.Module, strings: Any, v: int, n: int, seed: Any = 0) -> Array:
    """Return the mean cross entropy of n consecutive hidden tokens, all else visible, a string: nats a token (N,).

    Spans lie uniformly within each string.

    Examples
    --------
    >>> ignorant = lambda x, where: torch.zeros(int(where.sum()), 4)
    >>> span_loss(ignorant, [[0, 1, 2], [3, 3, 3]], v=4, n=2).round(3).tolist()
    [1.386, 1.386]
    """
    x0 = MaskedTokens(v).prepare("strings", strings).long()
    n = check_integer("n", n, 1, x0.shape[1])
    start = torch.from_numpy(generator(seed).integers(x0.shape[1] - n + 1, size=(len(x0), 1)))
    place = torch.arange(x0.shape[1])
    return _parts(network, x0, x0.masked_fill((place >= start) & (place < start + n), v), v)


def _parts(network: nn.Module, x0: Tensor, x: Tensor, v: int) -> Array:
    device, out = device_of(network), []
    for clean, masked in zip(x0.split(PART), x.split(PART), strict=True):
        out.append(hidden_loss(network, clean.to(device), masked.to(device), v).cpu())
    return torch.cat(out).double().numpy()


def device_of(network: Any) -> torch.device:
    """The device that a network computes on; the CPU for functions without parameters."""
    parameters = network.parameters() if isinstance(network, nn.Module) else iter(())
    return next((parameter.device for parameter in parameters), torch.device("cpu"))


@torch.no_grad()
def generate(
    network: nn.Module,
    count: int,
    d: int,
    v: int,
    schedule: Schedule | int = 64,
    fixed: Any = None,
    part: int = PART,
    seed: Any = 0,
) -> Array:
    """Draw strings from a network by the reverse of the absorbing process.

    When a token is shown depends on nothing but chance, so the step of each is drawn beforehand; in a step the network
    is asked only for the tokens that it shows. This is the ancestral sampler of `hcg_lib.diffusion.AbsorbingProcess`,
    exactly. Tokens shown in one step are drawn independently of each other: the only error, which vanishes with many
    steps.

    Parameters
    ----------
    network
        As `TokenTransformer`.
    count, d, v
        Strings, their length, the vocabulary.
    schedule
        From all tokens shown to none; an integer T stands for `linear_alpha(T)`.
    fixed
        (d,) or (count, d) tokens that are kept, v where there is nothing to keep.
    part
        Strings generated together. Results depend on it, but not in distribution.
    seed
        Integer or numpy Generator.

    Returns
    -------
    (count, d) integers below v.

    Examples
    --------
    >>> ignorant = lambda x, where: torch.zeros(int(where.sum()), 4)
    >>> generate(ignorant, count=2, d=3, v=4, schedule=2, fixed=[4, 1, 4], seed=0)[:, 1].tolist()
    [1, 1]
    """
    d = check_integer("d", d, 1, limit=LONGEST)
    count = check_integer("count", count, 1, limit=MOST_STRINGS // d)
    v, part, rng = check_integer("v", v, 2, limit=MOST_SYMBOLS - 1), check_integer("part", part, 1), generator(seed)
    schedule = schedule if isinstance(schedule, Schedule) else linear_alpha(check_integer("schedule", schedule, 1))
    check_instance("schedule", schedule, Schedule)
    if schedule.abar[0] != 1 or schedule.abar[-1] != 0:
        raise ValueError(f"schedule must go from 1 to 0, got {schedule.abar[0]:g} to {schedule.abar[-1]:g}")
    start = np.full((count, d), v)
    if fixed is not None:
        kept = as_array("fixed", fixed)
        kept = check_symbols("fixed", kept, v + 1, width=d, ndim=1 if kept.ndim == 1 else 2)
        if kept.ndim == 2 and len(kept) != count:
            raise ValueError(f"fixed must have one row for each of {count} strings, got {len(kept)}")
        start[:] = kept
    device = device_of(network)
    strings = [_draw(network, x, v, schedule, rng, device) for x in np.split(start, range(part, count, part))]
    return np.concatenate(strings)


def _draw(network: nn.Module, x: Array, v: int, schedule: Schedule, rng: np.random.Generator, device: Any) -> Array:
    """Show every hidden token of one batch; abar falls, so a uniform number says the step at which it passes."""
    passed = np.searchsorted(-schedule.abar, -rng.random(x.shape, np.float32), side="left")
    when = torch.from_numpy(np.where(x == v, passed, 0)).to(device)
    state = torch.from_numpy(x).to(device)
    for step in range(schedule.T, 0, -1):
        shown = when == step
        number = int(shown.sum())
        if number:
            belief = network(state, shown).float().softmax(-1).double().cumsum(-1)
            level = torch.from_numpy(rng.random((number, 1))).to(device) * belief[:, -1:]
            state[shown] = (belief[:, :-1] <= level).sum(-1)
    return state.cpu().numpy()
