"""What decides the result of a training run, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hcg_lib._validate import check_choice, check_integer, check_real


@dataclass(frozen=True)
class Config:
    """What to minimise and how.

    steps, batch: how many, and strings in each. learning_rate: at its largest, after `warmup` steps. decay: "linear" to
    zero, or "constant". optimizer: "muon" or "adamw". loss: "cross_entropy" of the clean token or the authors'
    "variational" term. ema: decay of the average of weights that is evaluated and kept, 0 for none; it forgets the
    start, counting min(ema, (1+k)/(10+k)) at step k. per_octave: evaluations while the step doubles. patience:
    evaluations without a new minimum before stopping, None for never. checkpoint_every: in steps. seed: of batches and
    noise.
    """

    steps: int = 2000
    batch: int = 512
    learning_rate: float = 1e-2
    decay: str = "linear"
    warmup: int = 50
    optimizer: str = "muon"
    weight_decay: float = 0.0
    loss: str = "cross_entropy"
    ema: float = 0.0
    per_octave: int = 2
    patience: int | None = None
    checkpoint_every: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in [("steps", 1), ("batch", 1), ("warmup", 0), ("per_octave", 1), ("checkpoint_every", 1)]:
            check_integer(name, getattr(self, name), low)
        check_integer("seed", self.seed, 0)
        check_integer("patience", 1 if self.patience is None else self.patience, 1)
        check_real("learning_rate", self.learning_rate, 0)
        check_real("weight_decay", self.weight_decay, 0)
        check_real("ema", self.ema, 0, 1 - 1e-9)
        check_choice("decay", self.decay, ("linear", "constant"))
        check_choice("optimizer", self.optimizer, ("muon", "adamw"))
        check_choice("loss", self.loss, ("cross_entropy", "variational"))

    def rate(self, step: int) -> float:
        """The learning rate of step 1 … steps."""
        decay = 1 - (step - 1) / self.steps if self.decay == "linear" else 1.0
        return self.learning_rate * decay * min(1.0, step / max(1, self.warmup))


def evaluation_steps(steps: int, per_octave: int) -> set[int]:
    """Return 0, `steps`, and the log-spaced steps between, `per_octave` a doubling.

    >>> sorted(evaluation_steps(20, per_octave=1))
    [0, 1, 2, 4, 8, 16, 20]
    """
    octaves = np.arange(0, np.log2(steps) + 1e-9, 1 / per_octave)
    return {0, steps, *np.rint(2**octaves).astype(int).tolist()}
