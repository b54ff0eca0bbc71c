"""A network's strings shared out over threads: a few large parts, where PyTorch would split every small operation."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from threading import Barrier
from typing import TypeVar

import torch

Result = TypeVar("Result")


def equal_parts(size: int, most: int) -> list[slice]:
    """Return the fewest slices of range(size) that are at most `most` long, of equal length up to one.

    >>> [part.stop - part.start for part in equal_parts(10, most=4)]
    [3, 3, 4]
    """
    count = max(1, -(-size // most))
    return [slice(a, b) for a, b in pairwise([size * i // count for i in range(count + 1)])]


def in_threads(function: Callable[[slice], Result], parts: Sequence[slice]) -> list[Result]:
    """Return `function` of every part, in order; the threads PyTorch may use take one part each, alone on it.

    What is computed does not depend on how many threads there are, only on the parts.

    >>> in_threads(lambda part: part.stop, equal_parts(10, most=4))
    [3, 6, 10]
    """
    threads = torch.get_num_threads()
    if min(threads, len(parts)) == 1:
        return [function(part) for part in parts]
    return list(_pool(threads).map(function, parts))


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    """Threads that stay, for their memory is warm; in each PyTorch uses no others."""
    pool, together = ThreadPoolExecutor(count, initializer=_alone), Barrier(count)
    for started in [pool.submit(together.wait) for _ in range(count)]:
        started.result()
    torch.set_num_threads(count)  # what they set is also what threads to come would begin with
    return pool


def _alone() -> None:
    torch.get_num_threads()  # a thread takes over the common number when it first asks, which must not come later
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
