"""Speed of the token correlations: counting, the whole curve, strings of a grammar; beside plain NumPy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hcg_lib.correlations import LevelCorrelations, TokenCorrelations, default_distances
from hcg_lib.grammar import RandomHierarchyModel


def _zipf(v: int, size: int, documents: int, seed: int) -> list[np.ndarray]:
    """Independent tokens with Zipf's frequencies: as many distinct pairs as text has, or more."""
    weights = 1 / np.arange(1, v + 1)
    ids = np.searchsorted(np.cumsum(weights) / weights.sum(), np.random.default_rng(seed).random(size))
    return np.array_split(np.minimum(ids, v - 1).astype(np.uint16), documents)


def _seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def _plain_square(ids: np.ndarray, t: int, v: int) -> float:
    """The same distance by np.unique and whole-array formulas: biased, no groups, no borders, no interval."""
    a, b = ids[:-t].astype(np.int64), ids[t:].astype(np.int64)
    p, q = np.bincount(a, minlength=v) / len(a), np.bincount(b, minlength=v) / len(a)
    pair, count = np.unique(a * v + b, return_counts=True)
    joint = count / len(a)
    return float((joint**2).sum() - 2 * (joint * p[pair // v] * q[pair % v]).sum() + (p @ p) * (q @ q))


def benchmarks(quick: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one result a dict: name, value, unit, target, reference, bound."""
    scale = 20 if quick else 1
    for name, v, size, target, bound in (
        ("curve, BPE ids", 4096, 10_000_000 // scale, 10.0, "sorting 32-bit keys, then gathers of a v x 32 table"),
        ("curve, characters", 48, 28_000_000 // scale, 15.0, "increments of a first-level-cache table"),
    ):
        documents = _zipf(v, size, 280 // scale + 32, seed=0)
        distances = default_distances(4096, 28)[-24:]
        TokenCorrelations(v, [1, 2]).update(documents[:20]).estimate(resamples=2)  # compile

        def curve(v: int = v, documents: list[np.ndarray] = documents, distances: np.ndarray = distances) -> None:
            for distance in distances:  # one at a time, as text_curves does: bounded memory
                TokenCorrelations(v, [distance]).update(documents).estimate()

        seconds = _seconds(curve)
        ids = np.concatenate(documents)
        plain = _seconds(lambda ids=ids, v=v: _plain_square(ids, 8, v)) * len(distances)  # type: ignore[misc]
        yield {
            "name": f"{name}: {size / 1e6:g} M tokens, {len(distances)} distances",
            "value": seconds,
            "unit": "s",
            "target": None if quick else target,
            "reference": plain,
            "bound": bound,
        }
    g = RandomHierarchyModel.random(v=16, m=4, s=2, L=4, seed=0)
    x = g.sample(1_000_000 // scale, seed=1)
    LevelCorrelations(16, 2, 4).update(x[:1000])
    seconds = _seconds(lambda: LevelCorrelations(16, 2, 4).update(x), repeats=3)
    part = x[:20_000]
    plain = _seconds(lambda: [np.bincount(part[:, i] * 16 + part[:, j]) for i in range(16) for j in range(i)])
    yield {
        "name": "all 120 position pairs of (16,4,2,4) strings",
        "value": len(x) / seconds,
        "unit": "strings/s",
        "target": None,
        "reference": len(part) / plain,
        "bound": "increments of a 2 KB table; one transposition",
    }


if __name__ == "__main__":
    for result in benchmarks():
        print(result)
