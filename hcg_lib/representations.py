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
from hcg_lib._validate import MOST_STRINGS, check_instance, check_integer, check_real, check_symbols, shown
from hcg_lib.diffusion.processes import Process
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.inference import belief_propagation

Array = np.ndarray


def replace_synonyms(g: RandomHierarchyModel, x: ArrayLike, level: int, seed: Any) -> Array:
    """Return grammatical strings with the symbols of x from level `level` up, other rules there, and new choices below.

    Raises
    ------
    ValueError
        If a string is not grammatical, a level is not one of 1 … L, or m = 1: no symbol has a synonym then.

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
    check_instance("g", g, RandomHierarchyModel)
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


class ExactEncoder(nn.Module):
    """Exact inference in the place of an encoder: layer k is the posterior of level-k symbols given the tokens below.

    What a layer that knows all rules up to its own level would hold, and no more: S_kl = 0 for l <= k up to noise.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=0)
    >>> [layer.shape[1:] for layer in ExactEncoder(g).encode(torch.ones(5, 8, 4))]
    [torch.Size([4, 4]), torch.Size([2, 4]), torch.Size([1, 4])]
    """

    def __init__(self, g: RandomHierarchyModel):
        check_instance("g", g, RandomHierarchyModel)
        super().__init__()
        self.g = g

    def encode(self, evidence: torch.Tensor) -> list[torch.Tensor]:
        """The posteriors of the nodes of level 1 … L: arrays (B, nodes, v)."""
        return [belief_propagation(self.g, evidence, levels=k).marginals[k] for k in range(1, self.g.L + 1)]


@torch.no_grad()
def encode_strings(
    network: nn.Module, g: RandomHierarchyModel, process: Process, x: ArrayLike, signal: float = 0.9
) -> list[torch.Tensor]:
    """Return what every layer of the encoder makes of strings (P, d): K tensors (P, nodes, width), leaf-most first.

    Parameters
    ----------
    network
        With a method `encode`: evidence (B, d, v) in, K arrays (B, nodes, width) out.
    process
        What the network was trained on. It is shown the clean strings, with the evidence of the step whose signal is
        nearest to `signal`, in (0, 1).

    Raises
    ------
    ValueError
        If the network has no encoder, or vocabularies or lengths do not fit.

    Examples
    --------
    >>> from hcg_lib.diffusion import UniformProcess, power_signal
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> layers = encode_strings(ExactEncoder(g), g, UniformProcess(power_signal(100), v=4), g.sample(5, seed=1))
    >>> [layer.shape for layer in layers]
    [torch.Size([5, 2, 4]), torch.Size([5, 1, 4])]
    """
    check_instance("g", g, RandomHierarchyModel)
    if not isinstance(network, nn.Module) or not callable(getattr(network, "encode", None)):
        raise ValueError(f"network must be a torch module with a method encode, got {shown(network)}")
    if not isinstance(process, Process) or process.v != g.v:
        raise ValueError(f"process must be a Process of v = {g.v} symbols, got {shown(process)}")
    signal = check_real("signal", signal, 0, 1, strict=True)
    t = 1 + int(np.abs(np.asarray(process.schedule.abar[1:]) - signal).argmin())
    device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
    tokens = torch.from_numpy(check_symbols("x", x, g.v, g.d).astype(np.int64)).to(device)
    return network.encode(process.likelihood(tokens, t))  # type: ignore[operator]


def layer_sensitivity(
    network: nn.Module, g: RandomHierarchyModel, process: Process, seed: Any, pairs: int = 1024, signal: float = 0.9
) -> Float[Array, " K {g.L}"]:
    """Return S_kl of every layer k of the encoder and every level l = 1 … L: (K, L).

    Parameters
    ----------
    network, process, signal
        As in :func:`encode_strings`.
    pairs
        Strings, at least 2; as many independent ones to compare with.

    Raises
    ------
    ValueError
        If m = 1, a layer is the same for all strings, or as in :func:`encode_strings`.

    Examples
    --------
    >>> from hcg_lib.diffusion import UniformProcess, power_signal
    >>> from hcg_lib.networks import MessagePassing
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=0)
    >>> process = UniformProcess(power_signal(100), v=4)
    >>> layer_sensitivity(MessagePassing(v=4, s=2, L=3, seed=0), g, process, seed=0).round(1).shape
    (2, 3)
    """
    check_instance("g", g, RandomHierarchyModel)
    pairs, rng = check_integer("pairs", pairs, 2, limit=MOST_STRINGS // g.d), generator(seed)

    def distance(y: Array) -> Array:
        """Mean square of what changes in each layer from x to y."""
        there = encode_strings(network, g, process, y, signal)
        return np.array([float((a - b).square().sum(-1).double().mean()) for a, b in zip(here, there, strict=True)])

    x = g.sample(pairs, rng)
    here = encode_strings(network, g, process, x, signal)
    apart = distance(g.sample(pairs, rng))
    if not (apart > 0).all():
        raise ValueError(f"network must tell strings apart, got a layer {1 + int(apart.argmin())} equal for all")
    synonyms = [distance(replace_synonyms(g, x, level, rng)) for level in range(1, g.L + 1)]
    return np.stack(synonyms, -1) / apart[:, None]
