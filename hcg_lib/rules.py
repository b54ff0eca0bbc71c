r"""Production rules: drawing them, checking them, and the trie that reads them backwards.

The rules of level $l$ rewrite one level-$l$ symbol into $s$ symbols of level $l-1$. They are held as one
integer array of shape (v, m, s): entry `[y, r]` is the r-th synonymous production of symbol y. A grammar is a
list of L such arrays, leaf-most first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32, UInt
from numpy.typing import ArrayLike

from hcg_lib._random import INT64, distinct_integers, generator
from hcg_lib._validate import (
    DEEPEST,
    LONGEST,
    MOST_SYMBOLS,
    as_array,
    check_integer,
    check_list,
    check_numbers,
    check_shape,
    check_symbols,
    shown,
)

Array = np.ndarray
MOST_WRITTEN = 1 << 30  # symbols in the rules of a level


def check_length(s: int, L: int) -> None:
    """Raise a ValueError if strings of s**L tokens would be longer than the library handles.

    >>> check_length(2, 20)
    """
    s, L = check_integer("s", s, 2, limit=LONGEST), check_integer("L", L, 1)
    if math.log2(LONGEST) < L or s**L > LONGEST:
        raise ValueError(f"L must keep s**L <= {LONGEST} tokens, got L={L} with s={s}")


def symbol_dtype(v: int) -> np.dtype:
    """Return the smallest unsigned dtype that holds symbols 0 … v-1.

    >>> symbol_dtype(16), symbol_dtype(257)
    (dtype('uint8'), dtype('uint16'))
    """
    return np.min_scalar_type(check_integer("v", v, 1, limit=MOST_SYMBOLS) - 1)


def decode_tuples(code: ArrayLike, v: int, s: int) -> UInt[Array, "... {s}"]:
    """Return the s digits in base v of every code, most significant first: shape (…, s).

    >>> decode_tuples(np.array([6]), v=4, s=2)
    array([[1, 2]], dtype=uint8)
    """
    v, s = check_integer("v", v, 2, limit=MOST_SYMBOLS), check_integer("s", s, 1, limit=LONGEST)
    rest = as_array("code", code)
    if rest.dtype.kind not in "iu" or (rest.size and not (rest.min() >= 0 and (s > 63 or rest.max() < v**s))):
        raise ValueError(f"code must hold integers from 0 to v**s - 1 with v={v}, s={s}, got {shown(code)}")
    digits = np.empty((*rest.shape, s), symbol_dtype(v))
    for j in range(s - 1, -1, -1):
        rest, digits[..., j] = np.divmod(rest, v)
    return digits


def draw_rules(v: int, m: int, s: int, rng: np.random.Generator) -> UInt[Array, " {v} {m} {s}"]:
    """Draw v*m distinct s-tuples uniformly without replacement, in random order: shape (v, m, s).

    The v**s tuples are never listed: codes are drawn while they fit one word, tuples themselves beyond.

    >>> draw_rules(64, 8, 12, np.random.default_rng(0)).shape
    (64, 8, 12)
    """
    v, m, s = check_shape(v, m, s)
    wanted, rng = v * m, generator(rng)
    if wanted * s > MOST_WRITTEN:
        raise ValueError(f"m must keep v*m*s <= {MOST_WRITTEN} symbols in rules, got m={m} with v={v}, s={s}")
    if s < 64 and v**s < INT64:
        tuples = decode_tuples(distinct_integers(v**s, wanted, rng), v, s)
    else:  # more tuples than a word can count: a repeat is all but impossible, and rejected
        tuples = np.empty((0, s), symbol_dtype(v))
        while len(tuples) < wanted:
            drawn = rng.integers(v, size=(wanted - len(tuples), s), dtype=symbol_dtype(v))
            tuples = np.concatenate([tuples, drawn])
            tuples = tuples[np.sort(np.unique(tuples, axis=0, return_index=True)[1])]
    return tuples.reshape(v, m, s)


def check_rules(rules: Sequence[ArrayLike]) -> tuple[Array, ...]:
    """Return the rules as read-only arrays of the smallest dtype, or raise a ValueError that says what is wrong.

    Raises
    ------
    ValueError
        If shapes differ between levels, a symbol lies outside 0 … v-1, or two productions of one level are the
        same tuple (the grammar would be ambiguous).
    """
    levels = [as_array("rules", level) for level in check_list("rules", rules, "of arrays (v, m, s), one a level")]
    if not levels:
        raise ValueError("rules must hold at least one level, got none")
    shape = levels[0].shape
    checked = []
    for number, level in enumerate(levels, start=1):
        if level.ndim != 3 or level.shape != shape or level.size == 0:
            raise ValueError(
                f"rules of level {number} must have shape (v, m, s), the same at every level; "
                f"got {level.shape} where level 1 has {shape}"
            )
        if level.dtype.kind not in "iu":
            raise ValueError(f"rules of level {number} must hold integers, got dtype {level.dtype}")
        v, m, s = shape
        if s < 2 or v < 2:
            raise ValueError(f"rules must have v >= 2 symbols and tuples of s >= 2, got v={v}, s={s}")
        if level.min() < 0 or level.max() >= v:
            bad = np.argwhere((level < 0) | (level >= v))[0]
            raise ValueError(
                f"rules of level {number} must hold symbols from 0 to {v - 1}, got {int(level[tuple(bad)])} "
                f"in rule {bad[1]} of symbol {bad[0]}"
            )
        tuples, count = np.unique(level.reshape(v * m, s), axis=0, return_counts=True)
        if (count > 1).any():
            repeated = tuple(int(a) for a in tuples[count > 1][0])
            raise ValueError(
                f"rules of level {number} must be distinct tuples, but {repeated} is produced {count.max()} times: "
                "the grammar would be ambiguous"
            )
        level = np.ascontiguousarray(level, dtype=symbol_dtype(v))
        level.setflags(write=False)
        checked.append(level)
    return tuple(checked)


def check_probabilities(probabilities: Sequence[ArrayLike], L: int, v: int, m: int) -> tuple[Array, ...]:
    """Return L read-only float arrays (v, m) whose rows sum to one, or raise a ValueError."""
    v, m, L = check_integer("v", v, 2), check_integer("m", m, 1), check_integer("L", L, 1, limit=DEEPEST)
    levels = [
        check_numbers("probabilities", level, 0)
        for level in check_list("probabilities", probabilities, "of arrays, one a level")
    ]
    if len(levels) != L:
        raise ValueError(f"probabilities must hold one array a level ({L}), got {len(levels)}")
    checked = []
    for number, level in enumerate(levels, start=1):
        if level.shape not in ((m,), (v, m)):
            raise ValueError(
                f"probabilities of level {number} must have shape (m,) = ({m},) or (v, m) = ({v}, {m}), "
                f"got {level.shape}"
            )
        if not ((level > 0).all() and np.allclose(level.sum(-1), 1, atol=1e-9)):
            raise ValueError(f"probabilities of level {number} must be positive and sum to 1 over rules, got {level}")
        full = np.array(np.broadcast_to(level, (v, m)))
        full.setflags(write=False)
        checked.append(full)
    return tuple(checked)


def zipf_probabilities(m: int, L: int, exponent: float | Sequence[float]) -> list[Array] | None:
    r"""Return L arrays (m,) of Zipf weights $p_r \propto (r+1)^{-a}$, one exponent a for all levels or one a level.

    None stands for uniform rules, when every exponent is zero.

    >>> zipf_probabilities(2, 1, 1.0)[0].round(3)
    array([0.667, 0.333])
    """
    m, L = check_integer("m", m, 1, limit=MOST_SYMBOLS), check_integer("L", L, 1, limit=DEEPEST)
    exponents = check_numbers("zipf_exponent", exponent, 0)
    if exponents.shape not in ((), (L,)):
        raise ValueError(f"zipf_exponent must be a number or one a level ({L}), got {shown(exponent)}")
    if not exponents.any():
        return None
    weights = [np.arange(1, m + 1) ** -a for a in np.broadcast_to(exponents, L).tolist()]
    if not all(weight[-1] > 0 for weight in weights):
        raise ValueError(f"zipf_exponent must leave every one of the {m} rules a probability, got {shown(exponent)}")
    return [weight / weight.sum() for weight in weights]


def build_trie(level: Array) -> Int32[Array, "prefixes v"]:
    """Return the table that reads tuples of one level symbol by symbol: int32 (prefixes, v).

    Start in row 0; entry [row, symbol] is the next row, and after the s-th symbol the rule number y*m + r.
    -1 marks a dead end. Its size is at most v*m*(s-1) rows whatever v**s, and for s = 2 it is the dense table
    of pairs.

    >>> build_trie(np.array([[[0, 1]], [[1, 1]]]))  # symbol 0 -> (0, 1), symbol 1 -> (1, 1)
    array([[ 1,  2],
           [-1,  0],
           [-1,  1]], dtype=int32)
    """
    level = as_array("level", level)
    if level.ndim != 3 or level.dtype.kind not in "iu" or not level.size:
        raise ValueError(f"level must hold integers of shape (v, m, s), got {level.dtype} of shape {level.shape}")
    v, m, s = level.shape
    tuples = check_symbols("level", level.reshape(v * m, s), v).astype(np.int64)
    row = np.zeros(v * m, np.int64)  # where each rule's prefix stands
    blocks, offset = [], 0
    for j in range(s):
        block = np.full((int(row.max()) + 1 - offset, v), -1, np.int32)
        if j == s - 1:
            block[row - offset, tuples[:, j]] = np.arange(v * m)
        else:
            code, place = np.unique(row * v + tuples[:, j], return_inverse=True)
            start = offset + len(block)
            block[code // v - offset, code % v] = start + np.arange(len(code))
            row, offset = start + place, start
        blocks.append(block)
    return np.concatenate(blocks)
