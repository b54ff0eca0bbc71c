"""A noise slider: how much a noisy string still says about every node of its tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anywidget
import numpy as np
import traitlets as t

from hcg_lib._random import generator
from hcg_lib._validate import MOST_STRINGS, check_instance, check_integer, check_numbers, shown
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.plotting import LEVEL_COLORS

from ._bundle import bundle, style

MOST_NUMBERS = 60_000  # of one string's marginals; keeps the state of a page below 300 KB


class NoiseSlider(anywidget.AnyWidget):
    """The piece itself; make one with `noise_slider`. `index` is the place in `noise` the reader has chosen."""

    _esm = bundle("noise.mjs")
    _css = style()
    index = t.Int(0).tag(sync=True)
    noise: t.List = t.List().tag(sync=True)
    truth: t.List = t.List().tag(sync=True)
    observed: t.List = t.List().tag(sync=True)
    posterior: t.List = t.List().tag(sync=True)
    confidence: t.List = t.List().tag(sync=True)
    caption = t.Unicode("").tag(sync=True)
    colors: t.List = t.List(list(LEVEL_COLORS)).tag(sync=True)


@dataclass(frozen=True)
class NoiseFrames:
    """What the slider shows: one string under n levels of noise, and the mean over many strings.

    noise (n,) in [0, 1]; truth: L+1 arrays (s**(L-l),); observed (n, d); marginals: L+1 arrays
    (n, s**(L-l), v); confidence (L+1, n), the mean probability of the true symbol over `strings` strings.
    """

    noise: np.ndarray
    truth: list[np.ndarray]
    observed: np.ndarray
    marginals: list[np.ndarray]
    confidence: np.ndarray
    strings: int


def noise_frames(grammar: RandomHierarchyModel, noise: Any = None, strings: int = 256, seed: Any = 0) -> NoiseFrames:
    r"""Posteriors of noisy strings by belief propagation, the noise growing along one path.

    At noise $\epsilon = 1 - \bar\alpha$ each token is redrawn uniformly with probability $\epsilon$, so that
    $q(x_i \mid a) = (1-\epsilon)\,\delta_{a x_i} + \epsilon / v$. The same uniform
    numbers serve every level of noise: a token, once redrawn, stays redrawn.

    Parameters
    ----------
    grammar : RandomHierarchyModel
    noise : array, shape (n,), optional
        Increasing, in [0, 1]; 33 equal steps by default.
    strings : int
        Strings in the mean; the first one is the string shown.
    seed : int or Generator

    Returns
    -------
    NoiseFrames

    Raises
    ------
    ValueError
        If `noise` is not increasing in [0, 1] or `strings` is not positive.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
    >>> frames = noise_frames(g, noise=[0.0, 1.0], strings=4)
    >>> frames.confidence[:, 0].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    from hcg_lib.evidence import uniform_noise  # here, because torch takes seconds to load
    from hcg_lib.inference import belief_propagation

    check_instance("grammar", grammar, RandomHierarchyModel)
    epsilon = check_noise(np.linspace(0, 1, 33) if noise is None else noise)
    strings = check_integer("strings", strings, 1, limit=MOST_STRINGS // grammar.d)
    rng = generator(seed)
    clean = grammar.sample(strings, seed=rng)
    levels = [np.asarray(level, np.int64) for level in grammar.parse(clean)]
    fate, redrawn = rng.random(clean.shape), rng.integers(0, grammar.v, clean.shape)
    shown, kept, confidence = [], [], []
    for e in epsilon:
        noisy = np.where(fate < e, redrawn, clean)
        likelihood = uniform_noise(noisy, 1 - e, grammar.v)
        marginals = [np.asarray(a) for a in belief_propagation(grammar, likelihood).marginals]
        shown.append(noisy[0])
        kept.append([a[0] for a in marginals])
        right = [np.take_along_axis(a, k[..., None], -1) for a, k in zip(marginals, levels, strict=True)]
        confidence.append([float(a.mean()) for a in right])
    return NoiseFrames(
        noise=epsilon,
        truth=[level[0] for level in levels],
        observed=np.array(shown),
        marginals=[np.array([frame[l] for frame in kept]) for l in range(grammar.L + 1)],
        confidence=np.array(confidence).T,
        strings=strings,
    )


def check_noise(noise: Any) -> np.ndarray:
    """`noise` as an increasing vector in [0, 1] of at least two values, or a ValueError."""
    epsilon = check_numbers("noise", noise)
    good = epsilon.ndim == 1 and epsilon.size >= 2
    if not (good and epsilon.min() >= 0 and epsilon.max() <= 1 and (np.diff(epsilon) > 0).all()):
        raise ValueError(f"noise must be at least two increasing values in [0, 1], got {shown(noise)}")
    return epsilon


def noise_slider(
    source: RandomHierarchyModel | NoiseFrames,
    noise: Any = None,
    strings: int = 256,
    seed: Any = 0,
    index: int = 0,
) -> NoiseSlider:
    """A slider over noise: each node's ring is the probability of its likeliest symbol; the root melts first.

    Parameters
    ----------
    source : RandomHierarchyModel or NoiseFrames
        A grammar, for which `noise_frames(source, noise, strings, seed)` is computed, or frames at hand.
    noise, strings, seed
        As in `noise_frames`.
    index : int
        Level of noise shown first.

    Returns
    -------
    NoiseSlider
        Observe `index` in a live notebook.

    Raises
    ------
    ValueError
        If an argument is out of range or the marginals are too many for a page.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
    >>> noise_slider(g, strings=4).noise[:2]
    [0.0, 0.03125]
    """
    if isinstance(source, RandomHierarchyModel):
        source = noise_frames(source, noise, strings, seed)
    if not isinstance(source, NoiseFrames):
        raise ValueError(f"source must be a RandomHierarchyModel or NoiseFrames, got {type(source).__name__}")
    numbers = sum(a.size for a in source.marginals)
    if numbers > MOST_NUMBERS:
        raise ValueError(
            f"source must have at most {MOST_NUMBERS} marginal probabilities, got {numbers}: use fewer levels of noise"
        )
    text = (
        f"Probability of the true symbol, mean over the nodes of a level and over {source.strings} strings. "
        "Dotted: chance."
    )
    return NoiseSlider(
        index=check_integer("index", index, 0, len(source.noise) - 1),
        noise=np.asarray(source.noise, float).round(6).tolist(),
        truth=as_lists(source.truth),
        observed=np.asarray(source.observed).tolist(),
        posterior=[per_mille(a).tolist() for a in source.marginals],
        confidence=np.asarray(source.confidence, float).round(4).tolist(),
        caption=text,
    )


def per_mille(probability: Any) -> np.ndarray:
    """Probabilities as integers from 0 to 1000."""
    return np.rint(1000 * np.asarray(probability, float)).astype(int)


def as_lists(levels: Sequence[Any]) -> list[list[int]]:
    """Levels of a tree as lists of plain integers."""
    return [[int(a) for a in level] for level in levels]
