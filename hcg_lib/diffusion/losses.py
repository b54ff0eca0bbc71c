r"""What a denoiser is asked to minimise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hcg_lib._random import generator
from hcg_lib._validate import MOST_STRINGS, check_integer
from hcg_lib.diffusion.processes import Process, check_cavity
from hcg_lib.diffusion.samplers import Denoiser, check_parts
from hcg_lib.diffusion.schedules import MOST_STEPS
from hcg_lib.evidence import check_tokens


def variational_loss(process: Process, denoiser: Denoiser, x0: Tensor, seed: Any, t: Any = None) -> Tensor:
    r"""Return the variational term of every string in nats per token: (B,).

    $$ \mathrm{KL}\big( q(x_{t-1} \mid x_t, x_0) \,\|\, p(x_{t-1} \mid x_t) \big) \quad\text{averaged over tokens} $$

    (derived; the loss of the authors' released code).

    T times its mean over t = 1 … T, and :func:`prior_term`, bound the negative log-likelihood per token; with many
    steps a model that knows the rules of levels <= k sits at H_k (`hcg_lib.theory.loss_plateaus`), whatever the
    process (for Gaussian noise derived from the identity of mutual information and least squares).

    Parameters
    ----------
    process, denoiser
        As in :func:`hcg_lib.diffusion.samplers.ancestral_sample`.
    x0
        (B, d) clean tokens, int64.
    seed
        Integer or numpy Generator: draws the times and the noise.
    t
        Steps in 1 … T: one, or (B,) one a string. By default one a string, stratified: string b draws from the
        b-th of B equal parts of 1 … T, which spreads a batch over all times.

    Examples
    --------
    >>> from hcg_lib.diffusion import ExactDenoiser, UniformProcess, linear_beta
    >>> from hcg_lib.grammar import RandomHierarchyModel
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> process = UniformProcess(linear_beta(100), v=4)
    >>> x0 = torch.from_numpy(g.sample(2000, seed=0)).long()
    >>> bound = 100 * float(variational_loss(process, ExactDenoiser(g, process), x0, seed=0).mean())
    >>> abs(bound - g.entropy() / g.d) < 0.1
    True
    """
    x0, rng = _check(process, x0, denoiser), generator(seed)
    steps = _steps(process, t, len(x0), rng)
    x = process.corrupt(x0, steps, rng)
    return variational_term(process, denoiser(x, steps), x0, x, steps)


def variational_term(process: Process, cavity: Tensor, x0: Tensor, x: Tensor, t: Any) -> Tensor:
    """Return the KL of :func:`variational_loss` for strings x0 that are x at step t, from a cavity (B, d, v): (B,)."""
    x0 = _check(process, x0)
    return process.divergence(x, x0, check_cavity(cavity, (*x0.shape, process.v)), t)


def prior_term(process: Process, x0: Tensor) -> Tensor:
    r"""Return $\mathrm{KL}(q(x_T \mid x_0) \,\|\, \text{prior})$ in nats per token: what the noise at T has left, (B,).

    It belongs to the bound of :func:`variational_loss`, needs no network, and is 0 if the schedule ends at 0.

    >>> from hcg_lib.diffusion import UniformProcess, linear_alpha, power_signal
    >>> x0 = torch.tensor([[0, 1]])
    >>> [round(float(prior_term(UniformProcess(s, v=4), x0)), 4) for s in (power_signal(50, 4), linear_alpha(50))]
    [0.0083, 0.0]
    """
    return process.prior_divergence(_check(process, x0))


def cross_entropy_term(process: Process, cavity: Tensor, x0: Tensor, x: Tensor, t: Any) -> Tensor:
    r"""Return $-\log p(x_0 \mid x_t)$ in nats per token, where $p \propto$ cavity × evidence, token by token: (B,).

    Its minimiser is the cavity too (derived): the evidence is known, what is left to learn is the context.
    Arguments as in :func:`variational_term`.

    Examples
    --------
    >>> from hcg_lib.diffusion import Schedule, UniformProcess
    >>> process, x = UniformProcess(Schedule([1.0, 0.5]), v=2), torch.tensor([[0, 1]])
    >>> uniform = torch.full((1, 2, 2), 0.5)
    >>> cross_entropy_term(process, uniform, x, x, 1).exp().mul(3).round(decimals=4).tolist()  # 3/4 were right
    [4.0]
    """
    own = _check(process, x0)[..., None]
    check_cavity(cavity, (*x0.shape, process.v))
    evidence = process.likelihood(x, t).to(cavity)
    tiny = torch.finfo(cavity.dtype).tiny
    weight = (cavity * evidence).sum(-1).clamp_min(tiny)
    found = cavity.gather(-1, own).clamp_min(tiny).log() + evidence.gather(-1, own).clamp_min(tiny).log()
    return (weight.log() - found[..., 0]).mean(-1)


def bayes_gap(process: Process, denoiser: Denoiser, exact: Denoiser, x0: Tensor, seed: Any, t: Any = None) -> Tensor:
    r"""Return $\mathrm{KL}(p \,\|\, p_\theta)$ of the posteriors of the clean token, nats per token, a string: (B,).

    In the mean this is the cross-entropy of the denoiser less that of the exact one, with far less noise than the
    difference of two estimates. Arguments as in :func:`variational_loss`; `exact` is an `ExactDenoiser`.

    Examples
    --------
    >>> from hcg_lib.diffusion import ExactDenoiser, UniformProcess, linear_beta
    >>> from hcg_lib.grammar import RandomHierarchyModel
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> process, x0 = UniformProcess(linear_beta(100), v=4), torch.from_numpy(g.sample(50, seed=0)).long()
    >>> exact, ignorant = ExactDenoiser(g, process), ExactDenoiser(g, process, levels=0)
    >>> bool((bayes_gap(process, exact, exact, x0, seed=0) == 0).all())
    True
    >>> bool(bayes_gap(process, ignorant, exact, x0, seed=0).mean() > 0.1)
    True
    """
    x0, rng = _check(process, x0, denoiser, exact), generator(seed)
    steps = _steps(process, t, len(x0), rng)
    x = process.corrupt(x0, steps, rng)
    evidence, least = process.likelihood(x, steps).double(), torch.finfo(torch.float32).tiny
    true, model = (evidence * d(x, steps).double().clamp_min(least) for d in (exact, denoiser))
    true, model = true / true.sum(-1, keepdim=True), model / model.sum(-1, keepdim=True)
    model = model.clamp_min(torch.finfo(model.dtype).tiny)
    return (torch.xlogy(true, true) - torch.xlogy(true, model)).sum(-1).mean(-1)


def stratified_times(T: int, B: int, seed: Any) -> np.ndarray:
    """Draw B steps in 1 … T, the b-th from the b-th of B equal parts: int64 (B,), each uniform over a batch.

    >>> stratified_times(4, 4, seed=0).tolist()
    [1, 2, 3, 4]
    """
    T, B = check_integer("T", T, 1, limit=MOST_STEPS), check_integer("B", B, 0, limit=MOST_STRINGS)
    place = (np.arange(B) + generator(seed).random(B)) / max(B, 1)
    return 1 + np.minimum((place * T).astype(np.int64), T - 1)


def _check(process: Process, x0: Any, *denoisers: Any) -> Tensor:
    check_parts(process, *denoisers)
    return check_tokens("x0", x0, process.v)


def _steps(process: Process, t: Any, B: int, rng: np.random.Generator) -> np.ndarray:
    """The given steps, one a string, or stratified ones."""
    if t is None:
        return stratified_times(process.schedule.T, B, rng)
    steps = process.schedule.steps("t", t, first=1)
    if steps.shape not in ((), (B,)):
        raise ValueError(f"t must be one step or one a string ({B}), got shape {steps.shape}")
    return np.broadcast_to(steps, (B,))
