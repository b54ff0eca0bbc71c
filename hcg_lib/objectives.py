"""What training minimises: which data it takes, what noise does to them, and what a network pays for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from hcg_lib._validate import check_choice, check_instance, check_symbols
from hcg_lib.diffusion.losses import cross_entropy_term, stratified_times, variational_term
from hcg_lib.diffusion.processes import Process
from hcg_lib.evidence import vouch
from hcg_lib.networks.denoiser import cavity

LOSSES = {"cross_entropy": cross_entropy_term, "variational": variational_term}


@runtime_checkable
class Objective(Protocol):
    """What :func:`hcg_lib.training.train` must know of the data and of the loss.

    draws: least number of corrupted items a validation loss is the mean of: fewer choose weights by luck. chunk: items
    validated at once. identity: bytes that differ where the loss does; a checkpoint of another is refused.
    """

    @property
    def draws(self) -> int: ...

    @property
    def chunk(self) -> int: ...

    @property
    def identity(self) -> bytes: ...

    def prepare(self, name: str, data: Any) -> Tensor:
        """Check `data`, called `name` in errors, and return them as a tensor (N, …) on the CPU."""

    def corrupt(self, x0: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Any]:
        """Return clean items, what noise made of them, and when; one of each a row of x0."""

    def loss(self, network: nn.Module, x0: Tensor, x: Tensor, t: Any) -> Tensor:
        """Return the loss of each item (B,), with gradients."""


@dataclass(frozen=True)
class TokenDenoising:
    """To tell clean tokens from corrupted ones: evidence (B, d, v) in, cavity logits (B, d, v) out.

    Parameters
    ----------
    process
        Corrupts the strings; its schedule decides how much time is spent at which noise.
    kind
        "cross_entropy" of the clean token, or the authors' "variational" term.

    Examples
    --------
    >>> from hcg_lib.diffusion import UniformProcess, power_signal
    >>> objective = TokenDenoising(UniformProcess(power_signal(10), v=4))
    >>> x0, x, t = objective.corrupt(objective.prepare("data", [[0, 1], [2, 3]]), np.random.default_rng(0))
    >>> x0.tolist(), x.shape, t.tolist()
    ([[0, 1], [2, 3]], torch.Size([2, 2]), [4, 7])
    """

    process: Process
    kind: str = "cross_entropy"

    draws = 2048
    chunk = 4096

    def __post_init__(self) -> None:
        check_instance("process", self.process, Process)
        check_choice("kind", self.kind, tuple(LOSSES))

    @property
    def identity(self) -> bytes:
        return type(self.process).__name__.encode() + self.process.schedule.abar.tobytes()

    def prepare(self, name: str, data: Any) -> Tensor:
        """Return (P, d) symbols as int64."""
        return torch.from_numpy(check_symbols(name, data, self.process.v).astype(np.int64))

    def corrupt(self, x0: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, np.ndarray]:
        """Return the strings, what noise made of them, and at which steps: times are stratified over the batch."""
        x0 = vouch(x0, self.process.v)  # checked when it was prepared
        t = stratified_times(self.process.schedule.T, len(x0), rng)
        return x0, self.process.corrupt(x0, t, rng), t

    def loss(self, network: nn.Module, x0: Tensor, x: Tensor, t: Any) -> Tensor:
        """Return nats a token, a string."""
        return LOSSES[self.kind](self.process, cavity(network, self.process, x, t), x0, x, t)
