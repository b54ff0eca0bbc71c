r"""The best denoiser there is: belief propagation, in the place of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hcg_lib._validate import check_choice, check_instance, check_integer
from hcg_lib.diffusion.processes import Process
from hcg_lib.diffusion.samplers import check_parts
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.inference import belief_propagation


@dataclass(frozen=True)
class ExactDenoiser:
    """The denoiser that knows the grammar; called as (x, t), like any other, it returns (B, d, v) probabilities.

    Parameters
    ----------
    grammar
        What generated the clean strings.
    process
        What corrupted them.
    levels
        How many levels of rules it knows, 0 … L; all by default.
    output
        "cavity", which a reverse step needs, or "mean", the posterior, which misleads it (chapter on inference).

    Examples
    --------
    >>> import torch
    >>> from hcg_lib.diffusion import UniformProcess, linear_beta
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> denoiser = ExactDenoiser(g, UniformProcess(linear_beta(10), v=4))
    >>> denoiser(torch.from_numpy(g.sample(3, seed=0)).long(), t=5).shape
    torch.Size([3, 4, 4])
    """

    grammar: RandomHierarchyModel
    process: Process
    levels: int | None = None
    output: str = "cavity"

    def __post_init__(self) -> None:
        check_instance("grammar", self.grammar, RandomHierarchyModel)
        check_parts(self.process)
        if self.process.v != self.grammar.v:
            raise ValueError(f"process must have the grammar's v = {self.grammar.v}, got {self.process.v}")
        if self.levels is not None:
            check_integer("levels", self.levels, 0, self.grammar.L)
        check_choice("output", self.output, ("cavity", "mean"))

    def __call__(self, x: Tensor, t: Any) -> Tensor:
        bp = belief_propagation(self.grammar, self.process.likelihood(x, t), self.levels)
        return bp.cavity if self.output == "cavity" else bp.posterior
