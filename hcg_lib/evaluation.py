r"""What generated strings are worth: right at which level, new or copied, and with which rules.

Counts come with the numbers they are counts of, so that intervals over samples can be formed and batches added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from hcg_lib._validate import MOST_STRINGS, check_integer, check_numbers, check_symbols, shown
from hcg_lib.grammar import RandomHierarchyModel

Array = np.ndarray


@dataclass(frozen=True)
class Novelty:
    """Fractions of generated strings: `copies` of training strings, `valid`, `novel_valid`, and what chance gives.

    `chance` = A_L P/n is the fraction of copies that a perfect sampler of valid strings, A_L of its output, makes by
    accident from P distinct training strings among n (derived).
    """

    copies: float
    valid: float
    novel_valid: float
    chance: float


def contains(strings: ArrayLike, x: ArrayLike) -> Array:
    """Tell which rows of x stand among `strings`: bool (B,).

    >>> contains([[0, 1], [1, 1]], [[1, 1], [0, 0]]).tolist()
    [True, False]
    """
    known, wanted = _rows(strings), _rows(x)
    if known.dtype != wanted.dtype:
        raise ValueError(
            f"x must have the width of strings, {known.dtype.itemsize // 8}, got {wanted.dtype.itemsize // 8}"
        )
    known = np.unique(known)
    place = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    return known[place] == wanted if len(known) else np.zeros(len(wanted), bool)


def novelty(g: RandomHierarchyModel, x: ArrayLike, training: ArrayLike) -> Novelty:
    """Return how many of the strings x are copies of `training` (membership, not multiplicity), and how many are new.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> everything = g.unrank(range(32))
    >>> novelty(g, everything, everything[:8])
    Novelty(copies=0.25, valid=1.0, novel_valid=0.75, chance=0.25)
    """
    x = _strings(g, "x", x)
    copied, valid = contains(_strings(g, "training", training), x), g.is_grammatical(x)
    distinct = len(np.unique(_rows(training)))
    return Novelty(
        copies=float(copied.mean()),
        valid=float(valid.mean()),
        novel_valid=float((valid & ~copied).mean()),
        chance=float(valid.mean()) * distinct / g.n_strings,
    )


def copied_blocks(g: RandomHierarchyModel, x: ArrayLike, training: ArrayLike) -> Float[Array, " {g.L}"]:
    """Return, for l = 1 … L, the fraction of s**l-blocks of x found at the same place of a training string.

    At level L it is the fraction of copies. Many blocks of a good model are copies by chance: compare with fresh data.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> copied_blocks(g, [[0, 1, 2, 3]], [[0, 1, 0, 0], [1, 1, 2, 3]]).tolist()
    [1.0, 0.0]
    """
    x, training = _strings(g, "x", x), _strings(g, "training", training)
    out = np.empty(g.L)
    for l in range(1, g.L + 1):
        places = [slice(start, start + g.s**l) for start in range(0, g.d, g.s**l)]
        out[l - 1] = np.mean([contains(training[:, place], x[:, place]) for place in places])
    return out


def rule_frequencies(g: RandomHierarchyModel, x: ArrayLike) -> list[Array]:
    """Return how often every rule was used, among the valid nodes of each level: L float arrays (v, m) that sum to 1.

    A level without valid nodes gives zeros.

    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> [level.shape for level in rule_frequencies(g, g.sample(100, seed=0))]
    [(4, 2), (4, 2)]
    """
    x = _strings(g, "x", x)
    levels, choices = g.parse(x)[1:], g.rule_choices(x)
    counts = [
        np.bincount(y[y >= 0] * g.m + r[y >= 0], minlength=g.v * g.m).reshape(g.v, g.m)
        for y, r in zip(levels, choices, strict=True)
    ]
    return [count / max(count.sum(), 1) for count in counts]


def rule_distance(g: RandomHierarchyModel, x: ArrayLike, y: ArrayLike) -> Float[Array, " {g.L}"]:
    """Return the total variation between the rule frequencies of two sets of strings, level 1 … L: 0 equal, 1 disjoint.

    Two samples of one source are not at distance 0: compare with the distance of two samples of data.

    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> x = g.sample(100, seed=0)
    >>> rule_distance(g, x, x).tolist()
    [0.0, 0.0]
    """
    pairs = zip(rule_frequencies(g, x), rule_frequencies(g, y), strict=True)
    return np.array([np.abs(p - q).sum() / 2 for p, q in pairs])


def order_parameters(valid: Any, complete: Any, least: int = 50) -> Array:
    """Return a = valid / complete of node counts, elementwise; NaN where fewer than `least` nodes are complete.

    Parameters
    ----------
    valid, complete
        Valid nodes, and nodes whose children are all valid, as `RandomHierarchyModel.count_valid` gives them.

    Examples
    --------
    >>> order_parameters([30, 2], [60, 4]).tolist()
    [0.5, nan]
    """
    least = check_integer("least", least, 1, limit=MOST_STRINGS)
    k, n = check_numbers("valid", valid, 0), check_numbers("complete", complete, 0)
    if k.shape != n.shape or (k > n).any():
        raise ValueError(f"valid must lie between 0 and complete, elementwise, got {shown(valid)} of {shown(complete)}")
    return np.divide(k, n, out=np.full(n.shape, np.nan), where=n >= least)


def wilson_interval(successes: Any, trials: Any, z: float = 1.96) -> tuple[Any, Any]:
    """Return the Wilson score interval of fractions, for independent trials; elementwise.

    >>> low, high = wilson_interval(0, 100)
    >>> float(low), round(float(high), 3)
    (0.0, 0.037)
    """
    k, n = np.asarray(successes, float), np.asarray(trials, float)
    if not ((n > 0).all() and (k >= 0).all() and (k <= n).all()):
        raise ValueError(f"successes must lie between 0 and trials > 0, got {successes!r} of {trials!r}")
    p, share = k / n, z**2 / n
    middle, half = (p + share / 2) / (1 + share), z * np.sqrt(p * (1 - p) / n + share / (4 * n)) / (1 + share)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def _strings(g: RandomHierarchyModel, name: str, x: ArrayLike) -> Array:
    strings = check_symbols(name, x, g.v, g.d).astype(g.dtype, copy=False)
    check_integer(f"number of strings in {name}", len(strings), 1)
    return strings


def _rows(x: ArrayLike) -> Array:
    """Rows as opaque scalars that compare bytewise: (B,)."""
    array = np.ascontiguousarray(x)
    if array.ndim != 2 or array.dtype.kind not in "iu":
        raise ValueError(f"strings must be integers (B, width), got {array.dtype} of shape {array.shape}")
    return np.ascontiguousarray(array, np.int64).view(np.dtype((np.void, 8 * array.shape[1])))[:, 0]
