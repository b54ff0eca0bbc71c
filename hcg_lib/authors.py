"""The authors' format: their rule dictionaries, and their grammars from their seeds.

Their public code (AntonioScl/minimal_diffusion_rhm) keeps rules in a dict, root first: `rules[0]` expands the
root and `rules[L-1]` makes tokens, each of shape (v, m, s). It draws them by `random.seed(seed)` and, root level
first, `random.sample` of v*m of the lexicographically ordered tuples.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from hcg_lib._random import INT64
from hcg_lib._validate import as_array, check_instance, check_integer, check_shape
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.rules import check_length, decode_tuples


def from_rules(rules: Mapping[int, Any]) -> RandomHierarchyModel:
    """Return the grammar of a rule dictionary in the authors' format (root first; arrays or torch tensors).

    Raises
    ------
    ValueError
        If the keys are not 0 … L-1, or the rules are not those of an unambiguous grammar.

    Examples
    --------
    >>> g = from_seed(v=8, m=3, s=2, L=3, seed=42)
    >>> all((a == b).all() for a, b in zip(from_rules(to_rules(g)).rules, g.rules))
    True
    """
    if not isinstance(rules, Mapping) or set(rules) != set(range(len(rules))):
        keys = list(rules) if isinstance(rules, Mapping) else type(rules).__name__
        raise ValueError(f"rules must be a dict with keys 0 (root) to L-1 (leaves), got {keys}")
    return RandomHierarchyModel([as_array("rules", rules[key]) for key in sorted(rules, reverse=True)])


def to_rules(g: RandomHierarchyModel) -> dict[int, np.ndarray]:
    """Return a grammar's rules as a dictionary in the authors' format, int64 arrays, root first."""
    check_instance("g", g, RandomHierarchyModel)
    return {key: level.astype(np.int64) for key, level in enumerate(reversed(g.rules))}


def from_seed(v: int, m: int, s: int, L: int, seed: int) -> RandomHierarchyModel:
    """Return the grammar that the authors' code draws from an integer seed (CPython's Mersenne Twister).

    The tuples are numbered, not listed: `random.sample` depends only on how many there are.

    >>> from_seed(v=8, m=3, s=2, L=3, seed=42).rules[-1][0].tolist()
    [[1, 6], [0, 1], [5, 7]]
    """
    v, m, s = check_shape(v, m, s)
    seed = check_integer("seed", seed, 0)
    check_length(s, L)
    if s > 62 or v**s >= INT64:
        raise ValueError(f"v and s must keep v**s < 2**63, which random.sample can count; got v={v}, s={s}")
    twister = random.Random(seed)
    levels = [decode_tuples(np.array(twister.sample(range(v**s), v * m)), v, s).reshape(v, m, s) for _ in range(L)]
    return RandomHierarchyModel(levels[::-1])
