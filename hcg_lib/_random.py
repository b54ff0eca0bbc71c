"""Seeds and draws without replacement."""

from __future__ import annotations

from typing import Any

import numpy as np

from hcg_lib._validate import check_integer, shown

INT64 = 2**63  # exclusive bound of what one signed word can count


def generator(seed: Any) -> np.random.Generator:
    """Return a numpy Generator for an integer seed >= 0; a Generator passes through.

    >>> int(generator(0).integers(10)) == int(generator(0).integers(10))
    True
    """
    if isinstance(seed, np.random.Generator):
        return seed
    integer = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0
    if not integer and not isinstance(seed, np.random.SeedSequence):
        raise ValueError(f"seed must be an integer >= 0 or a numpy.random.Generator, got {shown(seed)}")
    return np.random.default_rng(seed)


def seeds(**parts: Any) -> np.random.SeedSequence:
    """Return the seed made of several integers >= 0, each checked under its name.

    >>> seeds(grammar=0, sample=1).entropy
    [0, 1]
    """
    return np.random.SeedSequence([check_integer(name, part, 0) for name, part in parts.items()])


def distinct_integers(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `size` distinct integers below `n` < 2**63, uniformly and in random order.

    Dense requests shuffle the whole range. Sparse ones draw with replacement and keep drawing until `size`
    distinct values are there; a random subset of them, in random order, is an exact draw without replacement,
    because the rule "distinct values so far" treats all integers alike.

    >>> sorted(distinct_integers(5, 5, generator(0)).tolist())
    [0, 1, 2, 3, 4]
    """
    if size * 4 >= n:
        return rng.permutation(n)[:size]
    found = np.empty(0, np.int64)
    while len(found) < size:
        drawn = np.concatenate([found, rng.integers(n, size=size - len(found) + 16)])
        drawn.sort()  # np.unique hashes, which is many times slower here
        found = drawn[np.append(True, drawn[1:] != drawn[:-1])]
    rng.shuffle(found)
    return found[:size]
