"""Training and sampling: strings a second through a step of both networks, seconds to a grammar that is learned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import limits, rate
from hcg_lib.diffusion import UniformProcess, ancestral_sample, linear_beta, power_signal
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.networks import LearnedDenoiser, MessagePassing, TreeUNet
from hcg_lib.training import Config, Loop, train
from tests.oracles.reference_networks import Convolutions


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
    """Our network at its default size: strings a second, and what that is of the rate of matrix products alone."""
    g, machine = RandomHierarchyModel.random(16, 4, 2, 3, seed=0), limits()
    flops = operations(MessagePassing(g.v, g.s, g.L, seed=0), g.v, g.d)
    for precision, own in [("32-true", "arithmetic"), ("bf16-mixed", "bfloat16 arithmetic")]:
        value = rate(stepper(MessagePassing(g.v, g.s, g.L, seed=0), g, Config(), precision), 512, seconds=1)
        yield {"name": f"step, message passing, (16,4,2,3), batch 512, {precision}", "value": value}
        yield {
            "name": f"share of the rate of matrix products alone, {precision}",
            "value": 100 * value * flops / machine[own],
            "unit": "%",
            "target": 60,
            "bound": f"products 64 and 128 wide, what stands between them, the optimizer; "
            f"{value * flops / machine['arithmetic']:.2f} of the rate of float32",
        }


def step_of_the_authors() -> Iterator[dict[str, Any]]:
    """The authors' network and batch, against convolutions in the same loop."""
    g, config = RandomHierarchyModel.random(16, 4, 2, 4, seed=0), Config(batch=64, optimizer="adamw")
    make = lambda: TreeUNet(g.v, g.s, g.L, width=256, schedule=power_signal(1000), seed=0)  # noqa: E731
    ours, plain = (rate(stepper(network, g, config), 64, seconds=2) for network in (make(), Convolutions(make())))
    yield {
        "name": "step, authors' tree U-Net, (16,4,2,4), width 256, batch 64",
        "value": 64e3 / ours,
        "unit": "ms",
        "target": 63 / 2,
        "reference": 64e3 / plain,
        "bound": "products; Adam reads and writes 1.6 M weights a step; authors' code: 63 ms on one core",
    }
    yield {
        "name": "the same as strings",
        "value": ours,
        "reference": plain,
        "uses": {"oneDNN arithmetic": operations(Convolutions(make()), g.v, g.d)},
    }


def a_grammar_learned() -> Iterator[dict[str, Any]]:
    """From random weights to strings that are right at every level."""
    g = RandomHierarchyModel.random(16, 4, 2, 3, seed=0)
    data = g.sample(21_845 + 4096, seed=1, unique=True)
    network, noisy = MessagePassing(g.v, g.s, g.L, seed=0), UniformProcess(power_signal(1000), g.v)
    run = train(network, noisy, data[:21_845], data[21_845:], Config(steps=1500), fabric=fabric("bf16-mixed"))
    fine, device = UniformProcess(linear_beta(200), g.v), str(fabric().device)
    strings = ancestral_sample(fine, LearnedDenoiser(network.to(device), fine), 4096, g.d, 0, device=device)
    accuracy = g.level_accuracy(strings)[-1]
    yield {
        "name": "train to A_3 >= 0.9, (16,4,2,3), P = 21,845",
        "value": run.history[-1]["seconds"] if accuracy >= 0.9 else float("inf"),
        "unit": "s",
        "target": 150,
        "bound": f"A_3 = {accuracy:.3f} after 1500 steps of 512, bfloat16",
    }


def strings_generated(P: int) -> Iterator[dict[str, Any]]:
    """How long P strings take; what is in the weights does not matter for that."""
    g, device = RandomHierarchyModel.random(16, 4, 2, 3, seed=0), str(fabric().device)
    network, process = MessagePassing(g.v, g.s, g.L, seed=0).to(device), UniformProcess(linear_beta(100), g.v)
    for half, precision in [(False, "float32"), (True, "bfloat16")]:
        denoiser = LearnedDenoiser(network, process, half)
        ancestral_sample(process, denoiser, 64, g.d, seed=0, device=device)
        start = time.perf_counter()
        ancestral_sample(process, denoiser, P, g.d, seed=0, device=device)
        yield {
            "name": f"sample {P:,} strings in 100 steps, {precision}",
            "value": time.perf_counter() - start,
            "unit": "s",
            "target": P / 1000,
            "bound": "the network; the target is for two threads",
        }


def benchmarks(quick: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one row a measurement."""
    yield from steps_of_ours()
    yield from step_of_the_authors()
    if not quick:
        yield from a_grammar_learned()
    yield from strings_generated(2000 if quick else 10_000)
