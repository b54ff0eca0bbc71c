r"""One training loop: a batch, fresh noise, a step; now and then an evaluation and a checkpoint.

Everything random in step k follows from (seed, k): the data are read from a fresh permutation an epoch, times and noise
are drawn for the whole batch. So there is no random state to save, a run resumed after a kill repeats the uninterrupted
one bit by bit, and several processes that share a batch repeat the run of one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm.auto import tqdm

from hcg_lib._devices import send
from hcg_lib._training_config import Config, evaluation_steps
from hcg_lib._training_state import Diverged, State
from hcg_lib.diffusion.processes import Process
from hcg_lib.objectives import Objective, TokenDenoising

__all__ = ["Config", "Diverged", "Training", "train"]

LOOK = 32  # steps between two looks at the losses: each look makes a GPU wait

Evaluation = Callable[[nn.Module, int], Mapping[str, Any]]


@dataclass(frozen=True)
class Training:
    """A run: the network with the weights of least validation loss, the record of those weights, and the history.

    history: one dict an evaluation, JSON-able, with step, seconds (of training), train (mean loss since the evaluation
    before, None at step 0), validation (loss on fixed noise) and what `evaluate` returned. Losses are nats a token.
    """

    network: nn.Module
    best: dict[str, Any]
    history: list[dict[str, Any]]


def train(
    network: nn.Module,
    objective: Objective | Process,
    data: Any,
    validation: Any,
    config: Config = Config(),  # noqa: B008
    *,
    fabric: Fabric | None = None,
    path: str | Path | None = None,
    evaluate: Evaluation | None = None,
    progress: bool | None = None,
) -> Training:
    """Train a network to denoise, and return it with the weights of least validation loss.

    Parameters
    ----------
    network
        What the objective asks for; trained in place.
    objective
        What noise does to the data and what the network pays. A process stands for
        :class:`hcg_lib.objectives.TokenDenoising` of strings with the loss named in `config`: evidence (B, d, v) in,
        cavity logits (B, d, v) out.
    data, validation
        What the objective takes, such as (P, d) symbols. Few items to validate on are corrupted several times each.
    config
        All that decides the result.
    fabric
        Device, precision and processes; by default one process on the CPU in float32. With several, launch it first;
        they share `batch`.
    path
        Checkpoint: written every `checkpoint_every` steps and at the end, continued from if it exists.
    evaluate
        Called with the evaluated network and the step; returns JSON-able results for the history.
    progress
        False hides the bar, True shows it; None shows it on terminals.

    Raises
    ------
    ValueError
        If shapes or symbols are wrong, processes cannot share the batch evenly, or the checkpoint is of another config.
    Diverged
        If a loss or a weight is not finite. It names the step; the last good checkpoint stays.

    Examples
    --------
    >>> from hcg_lib.diffusion import UniformProcess, power_signal
    >>> from hcg_lib.grammar import RandomHierarchyModel
    >>> from hcg_lib.networks import MessagePassing
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> network = MessagePassing(v=4, s=2, L=2, width=8, hidden=16, seed=0)
    >>> process = UniformProcess(power_signal(100), v=4)
    >>> config = Config(steps=50, batch=32, warmup=5)
    >>> run = train(network, process, g.sample(100, seed=1), g.sample(100, seed=2), config, progress=False)
    >>> run.history[-1]["validation"] < run.history[0]["validation"]
    True
    """
    loop = Loop(network, objective, data, validation, config, fabric or Fabric(accelerator="cpu", devices=1))
    if path is not None and Path(path).exists():
        loop.restore(path)
    if not loop.history:
        loop.record(evaluate)
    wanted = evaluation_steps(config.steps, config.per_octave)
    hidden = not loop.fabric.is_global_zero or (None if progress is None else not progress)
    with tqdm(total=config.steps, initial=loop.step, disable=hidden) as bar:
        while not loop.finished:
            loop.advance()
            bar.update()
            if loop.step in wanted:
                loop.record(evaluate)
                bar.set_postfix(validation=loop.history[-1]["validation"])
            if path is not None and (loop.finished or loop.step % config.checkpoint_every == 0):
                loop.save(path)
            if loop.step % LOOK == 0:
                loop.collect()
    network.load_state_dict(loop.kept)
    return Training(network, loop.best, loop.history)


class Loop(State):
    """A run, and what can be done with it: take a step, evaluate, save, restore."""

    def __init__(
        self,
        network: nn.Module,
        objective: Objective | Process,
        data: Any,
        validation: Any,
        config: Config,
        fabric: Fabric,
    ):
        if config.batch % fabric.world_size:
            raise ValueError(f"batch must be shared evenly by {fabric.world_size} processes, got {config.batch}")
        super().__init__(network, config, fabric)
        self.objective = objective if isinstance(objective, Objective) else TokenDenoising(objective, config.loss)
        self.data, self.validation = self._prepared("data", data), self._prepared("validation", validation)
        mine, other = tuple(self.data.shape[1:]), tuple(self.validation.shape[1:])
        if mine != other:
            raise ValueError(f"validation must have items of data's shape {mine}, got {other}")
        self.source = _fingerprint(self.objective, self.data, self.validation)
        self.order: tuple[int, np.ndarray] = (-1, np.empty(0, int))  # of the items in the last epoch that was read

    @property
    def finished(self) -> bool:
        """All steps are done, or validation has found no new minimum for `patience` evaluations."""
        since = sum(entry["step"] > self.best["step"] for entry in self.history)
        return self.step >= self.config.steps or (self.config.patience or np.inf) <= since

    def advance(self) -> None:
        """Take one step."""
        start = time.perf_counter()
        self.step += 1
        x0, x, t = self.batch(self.step)
        loss = self.objective.loss(self.model, x0, x, t).mean()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.config.rate(self.step)
            optimizer.zero_grad()
        self.fabric.backward(loss)
        for stepper in self.steppers:
            stepper.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        self.losses.append(loss.detach())
        self.seconds += time.perf_counter() - start

    def batch(self, step: int) -> tuple[Tensor, Tensor, Any]:
        """Clean and corrupted items of this process in step 1, 2, … and their times: a function of (seed, step)."""
        B, P, rank, processes = self.config.batch, len(self.data), self.fabric.global_rank, self.fabric.world_size
        epoch, place = np.divmod(np.arange((step - 1) * B, step * B), P)
        rows = np.concatenate([self.epoch(int(e))[place[epoch == e]] for e in np.unique(epoch)])
        items = self.data[send(torch.from_numpy(rows), self.data.device)]
        x0, x, t = self.objective.corrupt(items, self._rng(1, step))
        if processes == 1:
            return x0, x, t
        mine = slice(rank * B // processes, (rank + 1) * B // processes)
        return x0[mine], x[mine], t[mine]

    def epoch(self, number: int) -> np.ndarray:
        """The order of the items in an epoch."""
        if self.order[0] != number:
            self.order = number, self._rng(0, number).permutation(len(self.data))
        return self.order[1]

    def record(self, evaluate: Evaluation | None) -> None:
        """Evaluate, add to the history, and keep the weights if they are the best so far."""
        self.collect()
        mean = self.total / self.count if self.count else None
        entry = {"step": self.step, "seconds": self.seconds, "train": mean, "validation": self.validate()}
        if evaluate is not None:
            entry.update(evaluate(self.evaluated, self.step))
        if not self.best or entry["validation"] < self.best["validation"]:
            self.keep(entry)
        self.history.append(entry)
        self.total, self.count = 0.0, 0

    @torch.no_grad()
    def validate(self) -> float:
        """The mean loss of the validation items, with the same noise every time."""
        objective, chunk = self.objective, self.objective.chunk
        times = -(-objective.draws // len(self.validation))
        x0, x, t = objective.corrupt(self.validation.repeat(times, *[1] * (self.validation.ndim - 1)), self._rng(2, 0))
        parts = [slice(start, start + chunk) for start in range(0, len(x0), chunk)]
        loss = float(torch.cat([objective.loss(self.evaluated, x0[p], x[p], t[p]) for p in parts]).double().mean())
        if not np.isfinite(loss):
            raise self.diverged(self.step, loss)
        return loss

    def _rng(self, purpose: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, purpose, number])

    def _prepared(self, name: str, data: Any) -> Tensor:
        items = self.objective.prepare(name, data)
        if not len(items):
            raise ValueError(f"{name} must hold at least one item, got none")
        return items.to(self.fabric.device)


def _fingerprint(objective: Objective, *data: Tensor) -> str:
    parts = [objective.identity, *(tensor.cpu().numpy().tobytes() for tensor in data)]
    return hashlib.sha256(b"".join(parts)).hexdigest()
