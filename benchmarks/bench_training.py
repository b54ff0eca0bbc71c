"""Training and sampling: strings a second through a step of both networks, seconds to a grammar that is learned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import rate
from hcg_lib.diffusion import UniformProcess, ancestral_sample, linear_beta, power_signal
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.networks import LearnedDenoiser, MessagePassing, TreeUNet
from hcg_lib.training import Config, Loop, train
from tests.oracles.reference_networks import by_convolutions


class Convolutions(nn.Module):
    """The authors' network as convolutions: the mathematics of TreeUNet, the plain way."""

    def __init__(self, network: TreeUNet):
        super().__init__()
        self.network = network

    def forward(self, evidence: Tensor) -> Tensor:
        return by_convolutions(self.network, evidence)


def fabric(precision: str = "32-true") -> Fabric:
    """One device: the GPU if there is one."""
    return Fabric(accelerator="cuda" if torch.cuda.is_available() else "cpu", devices=1, precision=precision)  # type: ignore[arg-type]


def stepper(
    network: nn.Module, grammar: RandomHierarchyModel, config: Config, precision: str = "32-true"
) -> Callable[[], None]:
    """A training step, all of it: strings, noise, loss, gradient, optimizer, and the look at the loss."""
    strings, process = grammar.sample(1 << 14, seed=1), UniformProcess(power_signal(1000), grammar.v)
    loop = Loop(network, process, strings, strings[:1], config, fabric(precision))

    def step() -> None:
        loop.advance()
        loop.collect()

    return step


def operations(network: nn.Module, v: int, d: int) -> float:
    """Floating-point operations of the matrix products of a step, a string: forward and backward."""
    with FlopCounterMode(display=False) as counter:
        network(torch.ones(1, d, v)).sum().backward()
    network.zero_grad()
    return counter.get_total_flops()


def steps_of_ours() -> Iterator[dict[str, Any]]:
    """Our network at its default size."""
    g = RandomHierarchyModel.random(16, 4, 2, 3, seed=0)
    for precision, note in [("32-true", ""), ("bf16-mixed", "bfloat16, share of the float32 rate; ")]:
        network = MessagePassing(g.v, g.s, g.L, seed=0)
        yield {
            "name": f"step, message passing, (16,4,2,3), batch 512, {precision}",
            "value": rate(stepper(network, g, Config(), precision), 512, seconds=1),
            "uses": {"arithmetic": operations(MessagePassing(g.v, g.s, g.L, seed=0), g.v, g.d)},
            "bound": note + "products 64 and 128 wide, and what stands between them",
        }


def steps_of_the_authors() -> Iterator[dict[str, Any]]:
    """The authors' network and batch, from them and as plain convolutions."""
    g, config = RandomHierarchyModel.random(16, 4, 2, 4, seed=0), Config(batch=64, optimizer="adamw")
    make = lambda: TreeUNet(g.v, g.s, g.L, width=256, schedule=power_signal(1000), seed=0)  # noqa: E731
    yield {
        "name": "step, authors' tree U-Net, (16,4,2,4), width 256, batch 64",
        "value": rate(stepper(make(), g, config), 64, seconds=1),
        "target": 2 * 64 / 0.063,
        "reference": rate(stepper(Convolutions(make()), g, config), 64, seconds=1),
        "uses": {"arithmetic": operations(make(), g.v, g.d)},
        "bound": "Adam reads and writes 1.6 M weights a step; authors' code: 1.0 k",
    }


def benchmarks(quick: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one row a measurement."""
    yield from steps_of_ours()
    yield from steps_of_the_authors()

    g = RandomHierarchyModel.random(16, 4, 2, 3, seed=0)
    P, process = 2000 if quick else 10_000, UniformProcess(linear_beta(100), g.v)
    network, device = MessagePassing(g.v, g.s, g.L, seed=0), str(fabric().device)
    if not quick:
        data = g.sample(21_845 + 4096, seed=1, unique=True)
        noisy = UniformProcess(power_signal(1000), g.v)
        run = train(network, noisy, data[:21_845], data[21_845:], Config(steps=1500), fabric=fabric("bf16-mixed"))
        fine = UniformProcess(linear_beta(200), g.v)
        strings = ancestral_sample(fine, LearnedDenoiser(network.to(device), fine), 4096, g.d, 0, device=device)
        accuracy = g.level_accuracy(strings)[-1]
        yield {
            "name": "train to A_3 >= 0.9, (16,4,2,3), P = 21,845",
            "value": run.history[-1]["seconds"] if accuracy >= 0.9 else float("inf"),
            "unit": "s",
            "target": 150,
            "bound": f"A_3 = {accuracy:.3f} after 1500 steps of 512, bfloat16",
        }
    network = network.to(device)
    for half, precision in [(False, "float32"), (True, "bfloat16")]:
        denoiser, start = LearnedDenoiser(network, process, half), time.perf_counter()
        ancestral_sample(process, denoiser, P, g.d, seed=0, device=device)
        yield {
            "name": f"sample {P:,} strings in 100 steps, {precision}",
            "value": time.perf_counter() - start,
            "unit": "s",
            "target": P / 1000,
            "bound": "the network; the target is for two threads",
        }
