"""From a network to a denoiser: evidence in, cavity probabilities out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hcg_lib.diffusion.processes import Process
from hcg_lib.networks._threads import equal_parts, in_threads

PART = 1024  # strings at once on a CPU: activations stay in its caches


def cavity(network: nn.Module, process: Process, x: Tensor, t: Any) -> Float[Tensor, "B d v"]:
    """Return what a network believes of every clean token from all the others: probabilities, with gradients.

    Parameters
    ----------
    network
        Evidence (B, d, v) in, cavity logits (B, d, v) out. Time enters through the evidence alone.
    process
        What corrupted the tokens.
    x, t
        (B, d) tokens at step t (one, or (B,) one a string).
    """
    return network(process.likelihood(x, t)).float().softmax(-1)


@dataclass(frozen=True)
class LearnedDenoiser:
    """A network in the place of the exact denoiser: called as (x, t), it returns (B, d, v) without gradients.

    On a CPU strings are treated in parts of about a thousand, one a thread; the result does not depend on the threads.

    Parameters
    ----------
    network, process
        As in :func:`cavity`.
    half
        Matrix products in bfloat16, as when training in mixed precision: three times as fast where the hardware has it.

    Examples
    --------
    >>> from hcg_lib.diffusion import UniformProcess, ancestral_sample, linear_beta
    >>> from hcg_lib.networks import MessagePassing
    >>> process = UniformProcess(linear_beta(10), v=4)
    >>> denoiser = LearnedDenoiser(MessagePassing(v=4, s=2, L=2, seed=0), process)
    >>> ancestral_sample(process, denoiser, P=3, d=4, seed=0).shape
    (3, 4)
    """

    network: nn.Module
    process: Process
    half: bool = False

    def __call__(self, x: Tensor, t: Any) -> Tensor:
        each = np.ndim(t) > 0  # a step a string
        if x.device.type != "cpu" or len(x) <= PART or (each and len(t) != len(x)):
            return self._believe(x, t)
        parts = equal_parts(len(x), PART)
        return torch.cat(in_threads(lambda part: self._believe(x[part], t[part] if each else t), parts))

    @torch.no_grad()
    def _believe(self, x: Tensor, t: Any) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.half):
            return cavity(self.network, self.process, x, t)
