r"""The law of what a sampler writes: its probability for every string, exactly, where all strings can be listed.

A step back draws tokens independently, so it moves a law by a product of small matrices, one a state: nothing is
sampled, and what a schedule gets wrong is known to rounding. Laws are float64 arrays (states**d,); the first token is
the most significant digit of the index.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from hcg_lib._validate import check_instance, check_integer, check_numbers, check_symbols
from hcg_lib.diffusion.discrete import DiscreteProcess
from hcg_lib.diffusion.samplers import Denoiser, check_parts, check_times
from hcg_lib.grammar import RandomHierarchyModel

Array = np.ndarray
MOST_STATES = 1 << 17
CHUNK = 1 << 12


def grammar_law(g: RandomHierarchyModel, states: int | None = None) -> Array:
    """Return the probability of every sequence under the grammar: (states**d,), with v states by default.

    >>> g = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=0)
    >>> law = grammar_law(g)
    >>> law.shape, int((law > 0).sum()) == g.n_strings, bool(np.isclose(law.sum(), 1))
    ((81,), True, True)
    """
    check_instance("g", g, RandomHierarchyModel)
    states = g.v if states is None else check_integer("states", states, g.v)
    law = np.zeros(_size(states, g.d))
    x = g.unrank(np.arange(g.n_strings))
    law[np.ravel_multi_index(tuple(x.T), (states,) * g.d)] = np.exp(g.log_probability(x))
    return law


def corrupted_law(process: DiscreteProcess, law: Any, d: int, t: int) -> Array:
    """Return the law of x_t, given that of the clean strings x_0.

    Parameters
    ----------
    process
        A discrete process.
    law
        (states**d,) probabilities of clean strings.
    d, t
        Tokens and step.

    Examples
    --------
    >>> from hcg_lib.diffusion import Schedule, UniformProcess
    >>> corrupted_law(UniformProcess(Schedule([1.0, 0.5]), v=2), [0.0, 1.0, 0.0, 0.0], d=2, t=1).tolist()
    [0.1875, 0.5625, 0.0625, 0.1875]
    """
    out = _check_law("law", law, process, d).reshape((process.states,) * d)
    clean = torch.arange(process.v)[None]
    matrix = process.marginal(clean, t)[0].double().numpy()  # rows x_0, columns x_t
    matrix = np.vstack([matrix, np.zeros((process.states - process.v, process.states))])  # a clean token is no mask
    for _ in range(d):  # each product takes the first axis and puts the result last
        out = np.tensordot(out, matrix, (0, 0))
    return out.ravel()


def sampler_law(
    process: DiscreteProcess, denoiser: Denoiser, d: int, times: Sequence[int] | None = None, start: Any = None
) -> Array:
    """Return the law of the strings that :func:`ancestral_sample` draws.

    Parameters
    ----------
    process, denoiser, times
        As there; the process is a discrete one.
    d
        Tokens; states**d <= 131072.
    start
        Law of x_T; the prior of the process by default.

    Examples
    --------
    >>> from hcg_lib.diffusion import ExactDenoiser, UniformProcess, linear_beta
    >>> g = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=0)
    >>> processes = [UniformProcess(linear_beta(T), v=3) for T in (50, 100)]
    >>> laws = [sampler_law(process, ExactDenoiser(g, process), g.d) for process in processes]
    >>> coarse, fine = (0.5 * np.abs(law - grammar_law(g)).sum() for law in laws)
    >>> bool(fine < coarse < 0.1)
    True
    """
    check_instance("process", process, DiscreteProcess)
    check_parts(process, denoiser)
    size, steps = _size(process.states, d), check_times(times, process.schedule.T)
    states = torch.from_numpy(np.indices((process.states,) * d, np.int64).reshape(d, size).T.copy())
    if start is None:
        law = _product(process.end.expand(1, d, -1))[0]
    else:
        law = torch.from_numpy(_check_law("start", start, process, d))
    for t, earlier in itertools.pairwise(steps):
        reached = torch.zeros(process.states ** (d // 2), process.states ** (d - d // 2), dtype=torch.float64)
        live = law.nonzero()[:, 0]  # with masks, many states are never reached
        for part in live.split(CHUNK):
            x = states[part]
            back = process.reverse(x, denoiser(x, t).double(), t, earlier)  # rows sum to 1 in float64
            left, right = _product(back[:, : d // 2]), _product(back[:, d // 2 :])
            reached += (law[part, None] * left).T @ right
        law = reached.flatten()
    return law.numpy()


def total_variation(g: RandomHierarchyModel, x: Any) -> float:
    """Return the total variation between the frequencies of the strings x and the law of the grammar, in [0, 1].

    Never 0, however good the strings: compare with :func:`variation_floor`.

    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> total_variation(g, g.unrank(range(32))), total_variation(g, g.unrank(range(16)))
    (0.0, 0.5)
    """
    check_instance("g", g, RandomHierarchyModel)
    x = check_symbols("x", x, g.v, g.d)
    N = check_integer("number of strings in x", len(x), 1)
    valid = x[g.is_grammatical(x)]
    counts = np.bincount(g.rank(valid).astype(np.int64), minlength=_count(g))
    return float((np.abs(counts / N - _probabilities(g)).sum() + 1 - len(valid) / N) / 2)


def variation_floor(g: RandomHierarchyModel, N: int) -> float:
    r"""Return the mean of :func:`total_variation` for N strings of the grammar itself.

    $\frac12 \sum_x \mathbb{E}|k_x/N - p_x|$ with binomial $k_x$ (de Moivre's mean deviation).

    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> round(variation_floor(g, 1), 5), round(variation_floor(g, 20_000), 4)
    (0.96875, 0.0157)
    """
    check_instance("g", g, RandomHierarchyModel)
    N = check_integer("N", N, 1)
    _count(g)
    p = _probabilities(g)
    k = np.floor(N * p) + 1
    return float((k / N * (1 - p) * stats.binom.pmf(k, N, p)).sum())


def _probabilities(g: RandomHierarchyModel) -> Array:
    return np.exp(g.log_probability(g.unrank(np.arange(_count(g)))))


def _count(g: RandomHierarchyModel) -> int:
    if g.n_strings > MOST_STATES:
        raise ValueError(f"g must have at most {MOST_STATES} strings to count them one by one, got {g.n_strings}")
    return int(g.n_strings)


def _size(states: int, d: int) -> int:
    d = check_integer("d", d, 1, MOST_STATES.bit_length())
    if states**d > MOST_STATES:
        raise ValueError(f"states**d must be at most {MOST_STATES} to list them, got {states}**{d}")
    return states**d


def _check_law(name: str, law: Any, process: Any, d: int) -> Array:
    check_instance("process", process, DiscreteProcess)
    values = check_numbers(name, law, 0, 1 + 1e-9, ndim=1)
    if len(values) != _size(process.states, d) or not np.isclose(values.sum(), 1):
        raise ValueError(f"{name} must hold {process.states}**{d} probabilities that sum to 1, got {len(values)}")
    return values


def _product(p: Tensor) -> Tensor:
    """Probabilities of all sequences from those of their tokens: (B, d, K) -> (B, K**d)."""
    out = p[:, :0].new_ones(len(p), 1)
    for token in p.unbind(1):
        out = (out[:, :, None] * token[:, None, :]).flatten(1)
    return out
