r"""What the layers of a network know: do they still tell synonyms apart?

Replace every level-l tuple of a string by a synonym, another rule of the same symbol, and draw all below it anew. A
layer that has understood level l has lost the difference:

$$ S_{kl} = \frac{\mathbb{E}\,|f_k(x) - f_k(x^{(l)})|^2}{\mathbb{E}\,|f_k(x) - f_k(y)|^2}, $$

with $x^{(l)}$ the string after the replacement, y an independent string and f_k layer k of the encoder, is near 1 in a
random network and 0 where layer k codes symbols of level l and no more (by analogy with arXiv 2307.02129).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import nn

from hcg_lib._random import generator
from hcg_lib._validate import check_integer
from hcg_lib.diffusion.processes import Process
from hcg_lib.grammar import RandomHierarchyModel

Array = np.ndarray


def replace_synonyms(g: RandomHierarchyModel, x: ArrayLike, level: int, seed: Any) -> Array:
    """Return grammatical strings with the symbols of x from level `level` up, other rules there, and new choices below.

    Raises
    ------
    ValueError
        If a string is not grammatical, or if m = 1: no symbol has a synonym then.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=0)
    >>> x = g.sample(100, seed=1)
    >>> y = replace_synonyms(g, x, level=2, seed=2)
    >>> [bool((a == b).all()) for a, b in zip(g.parse(x)[2:], g.parse(y)[2:])]
    [True, True]
    >>> bool((g.rule_choices(x)[1] != g.rule_choices(y)[1]).all())
    True
    """
    level, rng = check_integer("level", level, 1, g.L), generator(seed)
    if g.m == 1:
        raise ValueError("g must have m >= 2 rules a symbol for synonyms to exist, got m = 1")
    choices = g.rule_choices(x)
    if (choices[-1] < 0).any():
        raise ValueError(f"x must hold grammatical strings, got string {int(np.argmax(choices[-1] < 0))} that is not")
    for below in range(level - 1):
        choices[below] = rng.integers(g.m, size=choices[below].shape)
    other = choices[level - 1]
    choices[level - 1] = (other + rng.integers(1, g.m, size=other.shape)) % g.m
    return g.derive(g.parse(x)[-1][:, 0], choices)[0].astype(g.dtype)


@torch.no_grad()
def layer_sensitivity(
    network: nn.Module, g: RandomHierarchyModel, process: Process, seed: Any, pairs: int = 1024, signal: float = 0.9
) -> Float[Array, " K {g.L}"]:
    """Return S_kl of every layer k of the encoder and every level l = 1 … L: (K, L).

    Parameters
    ----------
    network
        With a method `encode`: evidence (B, d, v) in, K arrays (B, nodes, width) out, leaf-most first.
    process
        What the network was trained on. It is shown clean strings, with the evidence of the step whose signal is
        nearest to `signal`.
    pairs
        Strings; as many independent ones to compare with.

    Examples
    --------
    >>> from hcg_lib.diffusion import UniformProcess, power_signal
    >>> from hcg_lib.networks import MessagePassing
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=0)
    >>> process = UniformProcess(power_signal(100), v=4)
    >>> layer_sensitivity(MessagePassing(v=4, s=2, L=3, seed=0), g, process, seed=0).round(1).shape
    (2, 3)
    """
    pairs, rng = check_integer("pairs", pairs, 2), generator(seed)
    t = 1 + int(np.abs(np.asarray(process.schedule.abar[1:]) - signal).argmin())
    device = next(network.parameters()).device

    def layers(x: Array) -> list[torch.Tensor]:
        tokens = torch.from_numpy(x.astype(np.int64)).to(device)
        return network.encode(process.likelihood(tokens, t))  # type: ignore[operator]

    def distance(other: list[torch.Tensor]) -> Array:
        return np.array([float((a - b).square().sum(-1).double().mean()) for a, b in zip(here, other, strict=True)])

    x = g.sample(pairs, rng)
    here, random = layers(x), layers(g.sample(pairs, rng))
    synonyms = [distance(layers(replace_synonyms(g, x, level, rng))) for level in range(1, g.L + 1)]
    return np.stack(synonyms, -1) / distance(random)[:, None]
