"""Tuple statistics at (v, m, s, L) = (16, 4, 2, 4): strings a second through parsing and counting, and memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.machine import rate
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.population import Population
from hcg_lib.tuples import TupleStatistics, level_statistics


def by_hand(symbols: list[list[int]], targets: list[list[int]]) -> dict[tuple[int, ...], int]:
    """Count (tuple, slot, position, context token) of sibling pairs in a dictionary, one string after another."""
    counts: dict[tuple[int, ...], int] = {}
    for row, context in zip(symbols, targets, strict=True):
        span = 2 * len(context) // len(row)
        for i in range(len(row) // 2):
            other = i + 1 - 2 * (i % 2)
            for q, z in enumerate(context[other * span : (other + 1) * span]):
                key = (row[2 * i], row[2 * i + 1], i % 2, q, z)
                counts[key] = counts.get(key, 0) + 1
    return counts


def benchmarks(quick: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one row a measurement."""
    g = RandomHierarchyModel.random(16, 4, 2, 4, seed=0)
    P = 1 << (17 if quick else 20)
    x = g.sample(P, seed=1)
    few = x[:300].tolist()
    plain = rate(lambda: by_hand(few, few), len(few))

    statistics = TupleStatistics(16, 2, 16)
    yield {
        "name": "count tuples against their context, one level",
        "value": rate(lambda: statistics.update(x, x), P),
        "target": 5e6,
        "reference": plain,
        "uses": {"memory": 2 * g.d},
        "bound": "random additions to 256 kB of counters, one a context token",
    }
    yield {
        "name": "the same, all levels, parsing included",
        "value": rate(lambda: level_statistics(g, x), P),
        "target": 1e6,
        "reference": plain / 3,
        "uses": {"memory": 3 * 2 * g.d},
        "bound": "parsing, then three levels of additions",
    }
    total = 10**6 if quick else 10**7
    start = time.perf_counter()
    level_statistics(g, g.sample_batches(total, seed=2))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield {
        "name": f"sample, parse and count {total:.0e} strings, all levels",
        "value": seconds,
        "unit": "s",
        "target": 60.0 * total / 1e7,
        "bound": f"the process never held more than {peak:.0f} MB",
    }
    exact = Population(g)
    yield {
        "name": "exact correlations of all pairs of tokens",
        "value": rate(lambda: exact.token_correlations(), 1),
        "unit": "grammars/s",
        "target": 20.0,
        "bound": f"{np.prod(exact.joint((0, 0), (0, 1)).shape)} entries for each of {g.d * (g.d - 1) // 2} pairs",
    }
