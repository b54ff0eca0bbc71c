"""The table of `make bench` says what was measured; the work it times is the work it names."""

import importlib
from pathlib import Path

import pytest

from benchmarks import __main__ as table
from benchmarks.bench_training import operations, stepper
from hcg_lib.diffusion import power_signal
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.networks import MessagePassing, TreeUNet
from hcg_lib.training import Config
from tests.oracles.reference_networks import Convolutions

MACHINE = {"memory": 1e9, "arithmetic": 1e10}


@pytest.mark.parametrize(
    "entry, cells",
    [
        ({"name": "a", "value": 12.0}, ["a", "12 1/s", "", "", "", ""]),
        ({"name": "a", "value": 12.0, "target": 10, "reference": 4.0}, ["a", "12 1/s", "10", "yes", "3.0x", ""]),
        ({"name": "a", "value": 12.0, "target": 10, "unit": "s", "reference": 24.0},
         ["a", "12 s", "10", "NO", "2.0x", ""]),
        ({"name": "a", "value": 50.0, "target": 60, "unit": "%"}, ["a", "50 %", "60", "NO", "", ""]),
        ({"name": "a", "value": 1e6, "uses": {"memory": 100, "arithmetic": 5000}, "bound": "b"},
         ["a", "1e+06 1/s", "", "", "", "50% of arithmetic; b"]),
    ],
)  # fmt: skip
def test_a_line_of_the_table(entry, cells):
    assert table.row(entry, MACHINE) == cells


@pytest.mark.parametrize("room", sorted(path.stem for path in Path(table.__file__).parent.glob("bench_*.py")))
def test_every_room_can_be_measured(room):
    assert callable(importlib.import_module(f"benchmarks.{room}").benchmarks)


@pytest.mark.parametrize("L", [1, 2])
def test_operations_are_counted(L):
    v, s, W = 4, 2, 8
    plain = Convolutions(TreeUNet(v, s, L, width=W, schedule=power_signal(9)))
    nodes = sum(s**l for l in range(L))
    ends, blocks = s**L * (v * W + 2 * W * v), nodes * (s * W * W + s * W * 2 * W)
    # three products a weight, but none into the evidence
    assert operations(plain, v, s**L) == 2 * (3 * (ends + blocks) - s**L * v * W)


@pytest.mark.parametrize("make", [
    lambda: MessagePassing(4, 2, 2, width=8, hidden=8),
    lambda: TreeUNet(4, 2, 2, width=8, schedule=power_signal(9)),
    lambda: Convolutions(TreeUNet(4, 2, 2, width=8, schedule=power_signal(9))),
])  # fmt: skip
def test_a_timed_step_trains(make):
    network = make()
    before = [weight.clone() for weight in network.parameters()]
    step = stepper(network, RandomHierarchyModel.random(4, 2, 2, 2, seed=0), Config(batch=8, optimizer="adamw"))
    for _ in range(2):
        step()
    moved = [bool((old != new).any()) for old, new in zip(before, network.parameters(), strict=True)]
    assert moved == [weight.requires_grad for weight in network.parameters()]
