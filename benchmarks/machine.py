"""What this machine can do, measured in the same run as the benchmarks it is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from hcg_lib.networks._parts import product

SECONDS = 0.2  # least time of one measurement


def rate(work: Callable[[], object], items: float, seconds: float = SECONDS, repeats: int = 3) -> float:
    """Items a second of `work`, which handles `items` at a call: the best of several measurements."""
    work()  # compiles, allocates, fills caches
    best = 0.0
    for _ in range(repeats):
        calls, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds or not calls:
            work()
            calls += 1
        best = max(best, calls * items / elapsed)
    return best


def limits() -> dict[str, float]:
    """Bytes copied, 64-bit random integers drawn and operations of matrix products, all a second.

    Products on the CPU: of float32 as PyTorch computes them ("arithmetic") and in oneDNN, and of bfloat16.
    """
    source = np.ones(1 << 23)  # 64 MiB, larger than the caches
    target = np.empty_like(source)
    rng = np.random.default_rng(0)
    a = torch.ones(1024, 1024)
    half, flops = a.bfloat16(), 2 * 1024**3
    return {
        "memory": rate(lambda: np.copyto(target, source), 2 * source.nbytes),
        "random": rate(lambda: rng.integers(1 << 34, size=1 << 18), 1 << 18),
        "arithmetic": rate(lambda: a @ a, flops),
        "oneDNN arithmetic": rate(lambda: product(a, a), flops),
        "bfloat16 arithmetic": rate(lambda: half @ half, flops),
    }
