"""Strings a second at (v, m, s, L) = (16, 4, 2, 4): sampling, ranking, parsing, accuracy."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.machine import rate
from hcg_lib.grammar import RandomHierarchyModel
from tests.oracles import reference_grammar as reference

AUTHORS = "authors' code: {}"


def benchmarks(quick: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one row a measurement."""
    g = RandomHierarchyModel.random(16, 4, 2, 4, seed=0)
    P = 1 << (18 if quick else 20)
    rules = [level.tolist() for level in g.rules]
    x = g.sample(P, seed=1)
    noisy = np.random.default_rng(0).integers(g.v, size=x.shape, dtype=x.dtype)
    few, draw = x[:300].tolist(), random.Random(0)
    one = {"memory": 8 + g.d, "random": 1}  # an index and a string; one random word

    def by_hand() -> None:
        for _ in few:
            reference.expand(rules, draw.randrange(16), draw.randrange)

    plain = rate(by_hand, len(few))
    yield {
        "name": "sample with replacement",
        "value": rate(lambda: g.sample(P, seed=1), P),
        "target": 15e6,
        "reference": plain,
        "uses": one,
        "bound": "integer divisions of the decoder; " + AUTHORS.format("3.4 M"),
    }
    yield {
        "name": "sample without replacement",
        "value": rate(lambda: g.sample(P, seed=1, unique=True), P),
        "target": 8e6,
        "reference": plain,
        "uses": one,
        "bound": "shuffle and sort of the indices; " + AUTHORS.format("0.77 M"),
    }
    parse_plain = rate(lambda: reference.level_accuracy(rules, few), len(few))
    for name, strings in (("grammatical", x), ("random", noisy)):
        yield {
            "name": f"level accuracy, {name} strings",
            "value": rate(lambda strings=strings: g.level_accuracy(strings), P),  # type: ignore[misc]
            "target": 2.5e6,
            "reference": parse_plain,
            "uses": {"memory": g.d},
            "bound": "table look-ups, one after another up the tree; " + AUTHORS.format("0.12 M"),
        }
    yield {"name": "parse, all levels", "value": rate(lambda: g.parse(x), P), "reference": parse_plain,
           "bound": "allocating the levels"}  # fmt: skip
    yield {"name": "rank", "value": rate(lambda: g.rank(x), P), "bound": "64-bit products of whole levels"}
    index = g.rank(x)
    yield {"name": "unrank", "value": rate(lambda: g.unrank(index), P), "uses": one,
           "bound": "integer divisions of the decoder"}  # fmt: skip
