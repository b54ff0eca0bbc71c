"""Threads for compiled kernels, which release the interpreter: a plain pool is enough. One thread for small work."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

Result = TypeVar("Result")


def thread_count() -> int:
    """Return how many threads to use: the cores this process may run on, capped by OMP_NUM_THREADS.

    >>> thread_count() >= 1
    True
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cap = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(cap) if cap.isdigit() else cores))


def map_slices(function: Callable[[slice], Result], size: int, least: int = 1 << 14) -> list[Result]:
    """Apply `function` to contiguous slices of range(size), one a thread, and return the results in order.

    >>> map_slices(lambda part: part.stop - part.start, 10)
    [10]
    """
    parts = max(1, min(thread_count(), size // least))
    edges = [size * i // parts for i in range(parts + 1)]
    slices = [slice(a, b) for a, b in pairwise(edges)]
    if parts == 1:
        return [function(slices[0])]
    with ThreadPoolExecutor(parts) as pool:
        return list(pool.map(function, slices))


def one_thread() -> AbstractContextManager[Any]:
    """Keep the libraries underneath (BLAS, OpenMP) to one thread within a block.

    >>> with one_thread():
    ...     {pool["num_threads"] for pool in _pools().info()} <= {1}
    True
    """
    return _pools().limit(limits=1)


@cache
def _pools() -> ThreadpoolController:
    """The thread pools of the process; to search for them takes longer than to cluster a small table."""
    return ThreadpoolController()
