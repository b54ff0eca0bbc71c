"""What a training run remembers: weights, optimizers, average, best weights and history, saved whole or not at all."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from hcg_lib import checkpoints
from hcg_lib._training_config import Config
from hcg_lib.muon import optimizers

FACTS = ("source", "step", "seconds", "history", "best", "total", "count")  # the state that is not tensors


class Diverged(FloatingPointError):
    """The loss is no longer finite; names the step, the config and the last good checkpoint."""


class State:
    """A network in training; `step` steps are done."""

    def __init__(self, network: nn.Module, config: Config, fabric: Fabric):
        self.config, self.fabric, self.network = config, fabric, network
        self.optimizers = optimizers(network, config.optimizer, config.learning_rate, config.weight_decay)
        self.model, *self.steppers = fabric.setup(network, *self.optimizers)
        self.average = AveragedModel(network, avg_fn=self._forget) if config.ema else None
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {}
        self.kept: dict[str, Tensor] = {}
        self.losses: list[Tensor] = []  # of the last steps, not looked at yet
        self.total, self.count = 0.0, 0  # of the losses since the last evaluation
        self.saved = "none"
        self.source = ""  # fingerprint of all that is trained on

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated and kept: the average, if there is one."""
        return self.network if self.average is None else self.average.module

    def keep(self, entry: dict[str, Any]) -> None:
        """Remember the present weights as the best."""
        self.best = entry
        self.kept = {name: value.detach().clone() for name, value in self.evaluated.state_dict().items()}

    def collect(self) -> None:
        """Look at the losses since the last look, of all processes.

        Raises
        ------
        Diverged
            If one is not finite: nothing was saved since.
        """
        if not self.losses:
            return
        losses: Any = self.fabric.all_reduce(torch.stack(self.losses).double(), reduce_op="mean")
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad):
            raise self.diverged(self.step - len(losses) + 1 + int(bad[0]), float(losses[bad[0]]))
        self.total, self.count = self.total + float(losses.sum()), self.count + len(losses)
        self.losses.clear()

    def diverged(self, step: int, loss: float) -> Diverged:
        return Diverged(f"loss is {loss} at step {self._where(step)}")

    def _where(self, step: int | None = None) -> str:
        return f"{self.step if step is None else step}; last good checkpoint: {self.saved}; {self.config}"

    def save(self, path: str | Path) -> None:
        """Write the checkpoint, from one process.

        Raises
        ------
        Diverged
            If a loss or, after a finite loss, a weight is not finite: the old checkpoint is the last good one.
        """
        self.collect()
        if not all(weight.isfinite().all() for weight in self.network.parameters()):
            raise Diverged(f"weights are not finite after step {self._where()}")
        facts = {name: getattr(self, name) for name in FACTS}
        if self.fabric.is_global_zero:
            tensors = checkpoints.pack(
                network=self.network.state_dict(),
                average={} if self.average is None else self.average.state_dict(),
                best=self.kept,
                optimizer=checkpoints.optimizer_state(self.optimizers),
            )
            checkpoints.write_checkpoint(path, tensors, {"config": dataclasses.asdict(self.config), **facts})
        self.saved = f"{path}, step {self.step}"

    def restore(self, path: str | Path) -> None:
        """Continue from a checkpoint.

        Raises
        ------
        ValueError
            If it belongs to another config, other strings, another process or another network.
        """
        tensors, facts = checkpoints.read_checkpoint(path)
        mine = dataclasses.asdict(self.config)
        if facts["config"] != mine:
            differ = [name for name in mine if facts["config"].get(name) != mine[name]]
            raise ValueError(f"config must be that of the checkpoint {path}, which differs in {', '.join(differ)}")
        if facts["source"] != self.source:
            raise ValueError(f"data, validation and process must be those of the checkpoint {path}, got others")
        try:
            self.network.load_state_dict(checkpoints.part(tensors, "network"))
        except RuntimeError as error:
            raise ValueError(f"network must be that of the checkpoint {path}: {error}") from error
        if self.average is not None:
            self.average.load_state_dict(checkpoints.part(tensors, "average"))
        checkpoints.restore_optimizers(self.optimizers, checkpoints.part(tensors, "optimizer"))
        self.kept = checkpoints.part(tensors, "best")
        for name in FACTS:
            setattr(self, name, facts[name])
        self.saved = f"{path}, step {self.step}"

    def _forget(self, average: Tensor, weight: Tensor, _: Tensor | int) -> Tensor:
        count = self.step - 1  # of the weights averaged so far; as a tensor on a GPU it would have to be waited for
        decay = min(self.config.ema, (1 + count) / (10 + count))
        return average.lerp(weight, 1 - decay)
