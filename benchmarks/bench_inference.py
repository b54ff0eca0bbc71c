"""Strings a second of exact inference: belief propagation, evidence and posterior samples, at two grammars."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.machine import rate
from hcg_lib import _logspace
from hcg_lib._tree import Tree
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.inference import belief_propagation, log_evidence, sample_posterior, uniform_noise
from tests.oracles import reference_inference as reference


def work_of(g: RandomHierarchyModel, passes: int) -> dict[str, float]:
    """Operations and bytes a string of an upward pass (and a downward one): 2 s per rule and node, and s+1 more."""
    rules = g.v * g.m * (g.d - 1) / (g.s - 1)
    leaves, nodes = g.d * g.v * 4, (g.d * g.s - 1) / (g.s - 1) * g.v * 4
    if passes == 1:
        return {"arithmetic": rules * (g.s + 1), "memory": leaves}
    return {"arithmetic": rules * (3 * g.s + 2), "memory": 2 * leaves + nodes}


def benchmarks(quick: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one row a measurement; float32, NumPy in and out."""
    for (v, m, s, L), target, authors in [((16, 4, 2, 4), 130e3, "9.7 k"), ((32, 8, 2, 4), 20e3, "1.2 k")]:
        g = RandomHierarchyModel.random(v, m, s, L, seed=0)
        B = (1 << 14 if quick else 1 << 16) * 16 // v
        phi = uniform_noise(g.sample(B, seed=1), 0.7, v).astype(np.float32)
        rules = [level.tolist() for level in g.rules]
        one, draw = phi[0].tolist(), random.Random(0)
        name = f"({v},{m},{s},{L})"
        yield {
            "name": f"beliefs {name}",
            "value": rate(lambda g=g, phi=phi: belief_propagation(g, phi), B),  # type: ignore[misc]
            "target": target,
            "reference": rate(lambda rules=rules, one=one: reference.loop_beliefs(rules, one), 1),  # type: ignore[misc]
            "uses": work_of(g, 2),
            "bound": f"loads and stores of 64-string rows, two a product; authors' code: {authors}",
        }
        yield {
            "name": f"log-evidence {name}",
            "value": rate(lambda g=g, phi=phi: log_evidence(g, phi), B),  # type: ignore[misc]
            "uses": work_of(g, 1),
            "bound": "as beliefs, upward pass alone",
        }
        yield {
            "name": f"posterior samples {name}",
            "value": rate(lambda g=g, phi=phi: sample_posterior(g, phi, seed=0), B),  # type: ignore[misc]
            "target": 300e3 if v == 16 else None,
            "reference": rate(
                lambda rules=rules, one=one, draw=draw: reference.loop_sample(rules, one, draw.random),  # type: ignore[misc]
                1,
            ),
            "uses": {**work_of(g, 1), "random": 1 + (g.d - 1) / (s - 1)},
            "bound": "the upward pass, then scattered loads down the tree; authors' code: 29 k at v = 16",
        }
        few = torch.from_numpy(phi[: 1 << 11])
        tree = Tree(g, L)
        yield {
            "name": f"beliefs by logarithms {name}",
            "value": rate(lambda tree=tree, few=few: _logspace.beliefs(tree, few), len(few)),  # type: ignore[misc]
            "bound": "exponentials; the route of other devices, gradients and rows that underflow",
        }
