"""All levels clustered from 10 million strings: seconds and peak memory of a process of its own."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from hcg_lib.clustering import cluster_levels, matched_accuracy
from hcg_lib.grammar import RandomHierarchyModel


def measure(P: int) -> tuple[float, float, float]:
    """Seconds, peak megabytes of the process and the worst accuracy of a level."""
    g = RandomHierarchyModel.random(16, 4, 2, 4, seed=0)
    cluster_levels(g.sample(1000, seed=0), 16, 2)  # compiles
    start = time.perf_counter()
    result = cluster_levels(lambda: g.sample_batches(P, 1), 16, 2)
    seconds = time.perf_counter() - start
    x = g.sample(10_000, seed=7)
    pairs = zip(result.encode(x)[1:], g.parse(x)[1:4], strict=True)
    worst = min(matched_accuracy(inferred, true) for inferred, true in pairs)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, worst


def benchmarks(quick: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one row a measurement."""
    P = 10**6 if quick else 10**7
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        seconds, megabytes, worst = pool.submit(measure, P).result()
    name = f"cluster all levels of {P:.0e} strings at (16,4,2,4)"
    yield {"name": name, "value": seconds, "unit": "s", "target": 60, "bound": f"counting; worst accuracy {worst:.3f}"}
    yield {"name": "the same, peak memory", "value": megabytes, "unit": "MB", "target": 2000, "bound": "the libraries"}
