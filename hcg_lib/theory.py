r"""Closed forms of the Random Hierarchy Model: counts, plateaus, correlations, floors and thresholds.

Nothing here is simulated. Arguments come in the order v, m, s, L, then levels l and k, then P. Levels run from 0
(tokens) to L (root); a level-l tuple holds s symbols of level l-1. $f = m / v^{s-1}$ is the fraction of tuples that are
grammatical; with f = 1 there is no signal, variances are 0 and thresholds infinite.

Moments are averages over random grammars, to leading order in 1/v and 1/m (derived; two tokens as in arXiv 2406.00048).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hcg_lib._validate import DEEPEST, LONGEST, MOST_SYMBOLS, check_flag, check_integer, check_numbers, check_shape

Array = np.ndarray


def _shape(v: int, m: int, s: int) -> float:
    """Check v, m, s and return f."""
    v, m, s = check_shape(v, m, s)
    return m / v ** (s - 1) if s < 1100 else 0.0


def _depth(s: int, L: int) -> int:
    """Check L: s**L tokens are as many as the library takes, or fewer."""
    return check_integer("L", L, 1, limit=int(math.log(LONGEST, s) + 1e-9))


def _nodes(s: int, levels: int) -> int:
    """1 + s + … + s**(levels-1)."""
    return (s**levels - 1) // (s - 1)


def _power(v: int, i: int, m: int, j: int) -> float:
    """v**i m**j, infinite where no float is large enough."""
    try:
        return float(v**i * m**j)
    except OverflowError:
        return math.inf


def _level(name: str, value: int, low: int) -> int:
    return check_integer(name, value, low, limit=DEEPEST)


# ---- counting -------------------------------------------------------------------------------------------------


def valid_fraction(v: int, m: int, s: int) -> float:
    """Fraction of all s-tuples that are grammatical, f = m / v**(s-1).

    >>> valid_fraction(8, 3, 2)
    0.375
    """
    return _shape(v, m, s)


def string_count(v: int, m: int, s: int, L: int) -> int:
    """Number of grammatical strings, n = v m**((s**L-1)/(s-1)), an exact integer.

    >>> string_count(8, 3, 2, 3), string_count(16, 4, 2, 3)
    (17496, 262144)
    """
    _shape(v, m, s)
    return v * m ** _nodes(s, _depth(s, L))


def entropy(v: int, m: int, s: int, L: int) -> float:
    """Entropy of a string in nats, log v + (s**L-1)/(s-1) log m.

    >>> round(entropy(8, 3, 2, 3) / 8, 3)
    1.221
    """
    return float(loss_plateaus(v, m, s, L)[L] * s**L)


# ---- what a model that knows the rules of levels <= k achieves ------------------------------------------------


def level_accuracy(v: int, m: int, s: int, L: int, k: int = 0) -> Array:
    """A_1 … A_L of a model that knows exactly the rules of levels <= k: 1, then f**((s**(l-k)-1)/(s-1)) (derived).

    k = 0 is chance.

    >>> level_accuracy(8, 3, 2, 3).round(5).tolist()
    [0.375, 0.05273, 0.00104]
    >>> level_accuracy(8, 3, 2, 3, k=2).tolist()
    [1.0, 1.0, 0.375]
    """
    f = _shape(v, m, s)
    check_integer("k", k, 0, _depth(s, L))
    return np.array([f ** _nodes(s, max(l - k, 0)) for l in range(1, L + 1)])


def loss_plateaus(v: int, m: int, s: int, L: int) -> Array:
    r"""Cross-entropy a token in nats of models that know the rules <= k, for k = 0 … L (derived).

    $H_k = s^{-k} [\log v + \frac{s^k-1}{s-1} \log m]$: log v for nothing, the entropy a token for everything.

    >>> loss_plateaus(8, 3, 2, 3).round(3).tolist()
    [2.079, 1.589, 1.344, 1.221]
    """
    _shape(v, m, s)
    levels = range(_depth(s, L) + 1)
    return np.array([(math.log(v) + _nodes(s, k) * math.log(m)) / s**k for k in levels])


def excess_nats(v: int, m: int, s: int, L: int, k: int) -> float:
    """KL divergence a string from the data to a model of the rules <= k, (s**(L-k)-1)/(s-1) log(1/f) (derived).

    >>> H = loss_plateaus(8, 3, 2, 3)
    >>> bool(np.isclose(excess_nats(8, 3, 2, 3, k=1), 8 * (H[1] - H[3])))
    True
    """
    _shape(v, m, s)
    check_integer("k", k, 0, _depth(s, L))
    return _nodes(s, L - k) * ((s - 1) * math.log(v) - math.log(m))


# ---- correlations over random grammars ------------------------------------------------------------------------


def correlation_exponent(m: int, s: int) -> float:
    r"""$β = \ln m / \ln s$: correlations fall as distance to the power -β (arXiv 2406.00048).

    >>> correlation_exponent(4, 2)
    2.0
    """
    return math.log(check_integer("m", m, 1, limit=MOST_SYMBOLS)) / math.log(check_integer("s", s, 2, limit=LONGEST))


def token_correlation(v: int, m: int, s: int, k: int) -> float:
    r"""Root mean square of C(a, b) of two tokens with LCA level k, $\sqrt{(1-f)/(v^3 m^{2k-1})}$ (arXiv 2406.00048).

    >>> [round(1e4 * token_correlation(16, 4, 2, k), 1) for k in (1, 2, 3)]
    [67.7, 16.9, 4.2]
    """
    f = _shape(v, m, s)
    return math.sqrt((1 - f) / _power(v, 3, m, 2 * _level("k", k, 1) - 1))


def finite_size(v: int, m: int, s: int, L: int, k: int) -> float:
    r"""Factor by which v < ∞ and unequal symbol frequencies change $⟨C^2⟩$ of `token_correlation` (derived).

    $\frac{(v-1)^2 v^{s-2}}{v^s-1} (1-\frac1v)^{2k-2} (1+\frac{u_k}{1-f})$ with $u_L = 0$,
    $u_{l-1} = (1-f+u_l)(1-\frac1v)/m$. The first two factors are degrees of freedom lost because rows and columns of C
    sum to 0, at the LCA and at every step down; the last is gained because symbols below the root are not equally
    frequent.

    >>> [round(math.sqrt(finite_size(16, 4, 2, 4, k)), 2) for k in (1, 2, 3, 4)]
    [1.07, 1.0, 0.92, 0.77]
    """
    f = _shape(v, m, s)
    check_integer("k", k, 1, _depth(s, L))
    unequal = 0.0
    for _ in range(L, k, -1):
        unequal = (1 - f + unequal) * (1 - 1 / v) / m
    free = (v - 1) ** 2 * v ** (s - 2) / (v**s - 1) * (1 - 1 / v) ** (2 * k - 2)
    return free * (1 + unequal / (1 - f)) if f < 1 else free


def context_variance(v: int, m: int, s: int, l: int, k: int | None = None) -> float:
    r"""Variance of p(z|a) for a symbol (or tuple with parent) a of level l and a token, LCA level k (derived).

    $(1-f) / (v\, m^{2k-l-1})$; the nearest context k = l+1, the default, gives $(1-f)/(v m^{l+1})$. At l = 0 it is
    $v^2$ times the square of `token_correlation`.

    >>> context_variance(16, 4, 2, l=1) == 0.75 / (16 * 4**2)
    True
    """
    f = _shape(v, m, s)
    l, k = _levels(l, k)
    return (1 - f) / _power(v, 1, m, 2 * k - l - 1)


def tuple_correlation(v: int, m: int, s: int, l: int, k: int | None = None) -> float:
    r"""Root mean square of C(t, z) of one level-l tuple and a token, $\sqrt{(1-f)/(v^3 m^{2k-l+1})}$ (derived).

    >>> tuple_correlation(16, 4, 2, l=1) == math.sqrt(0.75 / (16**3 * 4**4))
    True
    """
    _level("l", l, 1)
    return math.sqrt(context_variance(v, m, s, l, k)) / (v * m)


def _levels(l: int, k: int | None) -> tuple[int, int]:
    l = _level("l", l, 0)
    return l, l + 1 if k is None else _level("k", k, l + 1)


# ---- sampling floors ------------------------------------------------------------------------------------------


def token_floor(v: int, P: Any) -> Any:
    """What P strings add to a token-token correlation, (v**2 P)**(-1/2) (derived). P may be an array.

    >>> round(1e4 * float(token_floor(16, 2e5)), 1)
    1.4
    """
    return 1 / (check_integer("v", v, 2, limit=MOST_SYMBOLS) * np.sqrt(check_numbers("P", P, 0, strict=True)))


def tuple_floor(v: int, m: int, P: Any) -> Any:
    """What P strings add to a tuple-token correlation, (v**2 m P)**(-1/2) (derived). P may be an array.

    >>> bool(np.isclose(tuple_floor(16, 4, 100) * 2, token_floor(16, 100)))
    True
    """
    return token_floor(v, P) / math.sqrt(check_integer("m", m, 1, limit=MOST_SYMBOLS))


# ---- thresholds: strings needed until signal variance = noise variance ----------------------------------------


def _threshold(v: int, m: int, s: int, power: int, families: int = 1) -> float:
    f = _shape(v, m, s)
    return _power(v, 1, m, power) / ((1 - f) * families) if f < 1 else math.inf


def token_threshold(v: int, m: int, s: int, k: int) -> float:
    """P_k = v m**(2k-1) / (1-f): a pair of tokens with LCA level k is resolved (arXiv 2406.00048).

    >>> round(token_threshold(16, 4, 2, k=2))
    1365
    """
    return _threshold(v, m, s, 2 * _level("k", k, 1) - 1)


def tuple_threshold(v: int, m: int, s: int, l: int, k: int | None = None) -> float:
    """P(l,k) = v m**(2k-l) / (1-f): a level-l tuple with a token at LCA level k, default l+1 (derived).

    >>> tuple_threshold(8, 4, 2, l=1, k=3) == 16 * tuple_threshold(8, 4, 2, l=1)
    True
    """
    l, k = _levels(_level("l", l, 1), k)
    return _threshold(v, m, s, 2 * k - l)


def latent_threshold(v: int, m: int, s: int, L: int, l: int, pooled: bool = False) -> float:
    """P_latent(l) = v m**(l+2) / (1-f): level-l symbols can be told apart from their context (derived).

    `pooled` divides by the s**(L-l-1) families of a string that share their rules.

    >>> round(latent_threshold(16, 4, 2, 3, l=1)), round(latent_threshold(16, 4, 2, 3, l=1, pooled=True))
    (1365, 683)
    """
    _shape(v, m, s)
    check_integer("l", l, 1, _depth(s, check_integer("L", L, 2)) - 1)
    return _threshold(v, m, s, l + 2, s ** (L - l - 1) if check_flag("pooled", pooled) else 1)


def rule_threshold(v: int, m: int, s: int, L: int, l: int, pooled: bool = False) -> float:
    """P*_l: strings needed to learn the rules of level l (the power of m: Favero et al. 2025; its prefactor derived).

    P*_1 = v m / (1-f), one occurrence of every tuple; P*_l = P_latent(l-1) = v m**(l+1) / (1-f) for l >= 2. `pooled`
    divides by s**(L-l), the nodes of that level.

    >>> [round(rule_threshold(16, 4, 2, 3, l)) for l in (1, 2, 3)]
    [85, 1365, 5461]
    >>> [round(rule_threshold(8, 3, 2, 3, l, pooled=True)) for l in (1, 2, 3)]
    [10, 173, 1037]
    """
    _shape(v, m, s)
    check_integer("l", l, 1, _depth(s, L))
    return _threshold(v, m, s, l + 1 if l > 1 else 1, s ** (L - l) if check_flag("pooled", pooled) else 1)


def latent_target_threshold(v: int, m: int, s: int, joint: bool = False) -> float:
    """v m**3 / (1-f): level-l symbols from neighbors of the same level, equal at every level (arXiv 2605.27734).

    `joint`: from all symbols of the sibling read as one, s = 2: v m**2 / (1-f) (derived; chapter on sample complexity).

    >>> [round(latent_target_threshold(16, 4, 2, joint=joint)) for joint in (False, True)]
    [1365, 341]
    """
    power = 2 if check_flag("joint", joint) and check_integer("s", s, 2, 2) else 3
    return _threshold(v, m, s, power)


def coherence_length(v: int, m: int, s: int, P: Any) -> Any:
    r"""Length over which P strings make diffusion coherent, $(P / (v m))^{1/β}$ (derived). P may be an array.

    >>> float(coherence_length(16, 4, 2, 16 * 4**4))
    8.0
    """
    _shape(v, check_integer("m", m, 2), s)
    return (check_numbers("P", P, 0, strict=True) / (v * m)) ** (1 / correlation_exponent(m, s))


def synonym_sensitivity(ratio: Any) -> Any:
    """S = 1 / (1 + P/P(l,k)) of the features one gradient step makes; `ratio` = P/P(l,k) (derived).

    >>> synonym_sensitivity([0.1, 1, 10]).round(3).tolist()
    [0.909, 0.5, 0.091]
    """
    return 1 / (1 + check_numbers("ratio", ratio, 0, strict=True))
