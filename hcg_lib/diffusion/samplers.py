"""Samplers: from noise back to strings, with any denoiser that returns cavity probabilities."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt
from torch import Tensor

from hcg_lib._random import generator
from hcg_lib._validate import LONGEST, MOST_STRINGS, check_instance, check_integer, check_list, shown
from hcg_lib.diffusion.discrete import AbsorbingProcess
from hcg_lib.diffusion.draws import categorical
from hcg_lib.diffusion.processes import Process
from hcg_lib.rules import symbol_dtype

Denoiser = Callable[[Tensor, Any], Tensor]
Array = np.ndarray


def ancestral_sample(
    process: Process,
    denoiser: Denoiser,
    P: int,
    d: int,
    seed: Any,
    times: Sequence[int] | None = None,
    batch: int = 4096,
    device: str = "cpu",
) -> UInt[Array, " {P} {d}"]:
    """Draw P strings: start from the prior and, step after step, let the process draw every token independently.

    Parameters
    ----------
    process
        The forward process to undo.
    denoiser
        Called with tokens (B, d) and the step t, an integer; returns the cavity (B, d, v), rows sum to 1.
    P, d
        Strings and their length.
    seed
        Integer or numpy Generator.
    times
        Decreasing steps from T to 0; all of them by default.
    batch
        Strings treated at once.
    device
        Where the tokens live.

    Returns
    -------
    (P, d) symbols of the smallest dtype that holds them.

    Raises
    ------
    ValueError
        If `times` is not decreasing from T to 0, or the denoiser's output is not (B, d, v) finite numbers >= 0.

    Examples
    --------
    >>> from hcg_lib.diffusion import ExactDenoiser, UniformProcess, linear_beta
    >>> from hcg_lib.grammar import RandomHierarchyModel
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> process = UniformProcess(linear_beta(500), v=4)
    >>> x = ancestral_sample(process, ExactDenoiser(g, process), P=50, d=4, seed=0)
    >>> bool(g.level_accuracy(x).min() > 0.9)
    True
    """
    check_parts(process, denoiser)
    d, batch = check_integer("d", d, 1, limit=LONGEST), check_integer("batch", batch, 1)
    P, where = check_integer("P", P, 0, limit=MOST_STRINGS // d), _check_device(device)
    steps = check_times(times, process.schedule.T)
    rng = generator(seed)
    out = np.empty((P, d), symbol_dtype(process.v))
    for start in range(0, P, batch):
        x = process.prior(min(batch, P - start), d, rng).to(where)
        for t, earlier in itertools.pairwise(steps):
            cavity = _check_output(denoiser(x, t), (*x.shape[:2], process.v), t)
            x = process.step(x, cavity, t, rng, earlier)
        out[start : start + batch] = process.tokens(x).cpu().numpy()
    return out


def reveal_sample(
    process: AbsorbingProcess,
    denoiser: Denoiser,
    P: int,
    d: int,
    seed: Any,
    steps: int | None = None,
    batch: int = 4096,
    device: str = "cpu",
) -> UInt[Array, " {P} {d}"]:
    """Draw P strings from masks by revealing tokens in random order, the same number in each of `steps` steps.

    The way back of masking, told by the number of visible tokens instead of the time. Where tokens are revealed one by
    one (steps = d, the default) nothing is drawn independently that is not: with the exact denoiser the strings have
    exactly the grammar's distribution, after d calls (derived: the chain rule, in random order).

    Parameters
    ----------
    process
        The masking process.
    denoiser, P, d, seed, batch, device
        As in :func:`ancestral_sample`; the denoiser is told the step whose share of visible tokens is nearest.
    steps
        1 … d.

    Returns
    -------
    (P, d) symbols of the smallest dtype that holds them.

    Examples
    --------
    >>> from hcg_lib.diffusion import AbsorbingProcess, ExactDenoiser, linear_alpha
    >>> from hcg_lib.grammar import RandomHierarchyModel
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> process = AbsorbingProcess(linear_alpha(100), v=4)
    >>> g.level_accuracy(reveal_sample(process, ExactDenoiser(g, process), P=50, d=4, seed=0)).tolist()
    [1.0, 1.0]
    """
    check_instance("process", process, AbsorbingProcess)
    check_parts(process, denoiser)
    d, batch = check_integer("d", d, 1, limit=LONGEST), check_integer("batch", batch, 1)
    P, where = check_integer("P", P, 0, limit=MOST_STRINGS // d), _check_device(device)
    steps = d if steps is None else check_integer("steps", steps, 1, d)
    ends, rng = np.arange(steps + 1) * d // steps, generator(seed)
    out = np.empty((P, d), symbol_dtype(process.v))
    for start in range(0, P, batch):
        x = process.prior(min(batch, P - start), d, rng).to(where)
        turn = torch.from_numpy(rng.permuted(np.tile(np.arange(d), (len(x), 1)), axis=1)).to(where)
        for first, last in itertools.pairwise(ends):
            t = 1 + int(np.abs(process.schedule.abar[1:] - first / d).argmin())
            cavity = _check_output(denoiser(x, t), (*x.shape, process.v), t)
            shown_now = (turn >= int(first)) & (turn < int(last))
            x = torch.where(shown_now, categorical(cavity, rng), x)
        out[start : start + batch] = x.cpu().numpy()
    return out


def check_times(times: Sequence[int] | None, T: int) -> list[int]:
    """Return the steps a sampler stands at, T … 0, every one by default; or raise a ValueError."""
    if times is None:
        return list(range(T, -1, -1))
    steps = [check_integer("times", t, 0, T) for t in check_list("times", times, "of steps")]
    if steps[:1] != [T] or steps[-1] != 0 or any(a <= b for a, b in itertools.pairwise(steps)):
        raise ValueError(f"times must decrease from T = {T} to 0, got {shown(times)}")
    return steps


def check_parts(process: Any, *denoisers: Any) -> None:
    """Raise a ValueError unless `process` is a forward process and the denoisers can be called."""
    if not isinstance(process, Process):
        raise ValueError(f"process must be a forward process such as UniformProcess, got {shown(process)}")
    for denoiser in denoisers:
        if not callable(denoiser):
            raise ValueError(f"denoiser must be a function of tokens and step, got {shown(denoiser)}")


def _check_device(device: Any) -> torch.device:
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, TypeError, AssertionError, ValueError):
        raise ValueError(f"device must name a device of this machine, got {shown(device)}") from None


def _check_output(cavity: Any, shape: tuple[int, ...], t: int) -> Tensor:
    if not isinstance(cavity, Tensor):
        raise ValueError(f"denoiser must return a tensor, got {type(cavity).__name__} at step {t}")
    if cavity.shape != shape:
        raise ValueError(f"denoiser must return shape {shape}, got {tuple(cavity.shape)} at step {t}")
    if cavity.numel() and not (float(cavity.min()) >= 0 and float(cavity.max()) < torch.inf):
        raise ValueError(f"denoiser must return finite probabilities >= 0, got others at step {t}")
    return cavity
