r"""What one gradient step learns: word2vec on tuples, and how it tells synonyms apart from other tuples.

A network reads one tuple t through H hidden units and predicts a token z of its context,

$$ \mathrm{output}_z(t) = b_z + \frac1H \sum_h a_{hz}\, σ(W_{ht}), \qquad W = 0, \quad a_{hz} \sim N(0,1)
\ \text{frozen}, $$

with cross-entropy on all P strings. Its first gradient step is (derived)

$$ ΔW_{ht} = η\,\frac{σ'(0)}{H} \sum_z a_{hz}\, \hat C(t,z), \qquad \hat C(t,z) = \hat p(t,z) - \hat p(t)\, q(z), $$

where q is the prediction at the start: $\hat p(z)$ with the bias $b_z = \log \hat p(z)$, 1/v without a bias. Hidden
features are random projections of rows of the empirical correlation matrix. The synonym sensitivity

$$ S = \frac{E|h(t)-h(t')|^2\ \text{over synonyms}}{E|h(t)-h(t')|^2\ \text{over all pairs}}
 = \frac{1}{1 + P/P(l,k)} $$

goes from 1 (noise) to 0 (features depend on the parent only) where signal meets sampling noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from hcg_lib import theory
from hcg_lib._random import generator, seeds
from hcg_lib._tuple_moments import covariance, covariance_variance
from hcg_lib._validate import MOST_STRINGS, check_choice, check_integer, check_numbers, check_real, check_symbols
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.population import Population
from hcg_lib.tuples import level_statistics

Array = np.ndarray
SLOPE = 0.5  # of GELU at 0
WIDEST = 1 << 24  # hidden units, tuples


def correlation(joint: Any, start: str = "frequency") -> Array:
    r"""Return $\hat C(t,z) = \hat p(t,z) - \hat p(t) q(z)$ from counts or probabilities, of the argument's shape.

    Parameters
    ----------
    joint
        (T, …, z): tuples, any number of separate contexts, context symbols.
    start
        q(z): "frequency" is $\hat p(z)$, "uniform" is 1/v.

    Examples
    --------
    >>> correlation([[2, 0], [0, 2]]).tolist()
    [[0.25, -0.25], [-0.25, 0.25]]
    """
    check_choice("start", start, ("frequency", "uniform"))
    table = check_numbers("joint", joint, 0)
    if table.ndim < 2 or not table.size or not (table.sum((0, -1)) > 0).all():
        raise ValueError(f"joint must hold counts >= 0 of shape (T, …, z), not all 0, got shape {table.shape}")
    if start == "frequency":
        return covariance(table)
    p = table / table.sum((0, -1), keepdims=True)
    return p - p.mean(-1, keepdims=True)


def one_step_features(joint: Any, readout: Any, rate: float = 1.0, start: str = "frequency") -> Array:
    r"""Return the hidden features after one full-batch gradient step, $ΔW_{ht}$ as (…, H), from counts alone.

    Parameters
    ----------
    joint
        Counts or probabilities as in `correlation`.
    readout
        (H, v) frozen output weights a.
    rate
        Learning rate η.

    Examples
    --------
    >>> one_step_features([[2, 0], [0, 2]], [[1.0, -1.0]]).tolist()
    [[0.25], [-0.25]]
    """
    readout, rate = check_numbers("readout", readout), check_real("rate", rate)
    C = correlation(joint, start)
    if readout.ndim != 2 or not len(readout) or readout.shape[1] != C.shape[-1]:
        raise ValueError(f"readout must have shape (H, {C.shape[-1]}), got {readout.shape}")
    return rate * SLOPE / len(readout) * C @ readout.T


def gaussian_readout(H: int, v: int, seed: Any) -> Array:
    """Return H x v independent standard normal output weights.

    >>> gaussian_readout(4, 3, seed=0).shape
    (4, 3)
    """
    H, v = check_integer("H", H, 1, limit=WIDEST), check_integer("v", v, 1, limit=WIDEST)
    return generator(seed).standard_normal((H, v))


class TupleNetwork(nn.Module):
    r"""The network itself: one-hot tuples, H hidden GELU units that start at 0, frozen readout.

    Parameters
    ----------
    n_tuples
        Number of tuples T.
    readout
        (H, v) frozen output weights.
    bias
        (v,) frozen output bias, 0 by default.

    Examples
    --------
    >>> network = TupleNetwork(2, np.ones((3, 2)))
    >>> network(torch.tensor([0, 1])).shape
    torch.Size([2, 2])
    """

    readout: torch.Tensor
    bias: torch.Tensor

    def __init__(self, n_tuples: int, readout: Any, bias: Any = None):
        super().__init__()
        n_tuples = check_integer("n_tuples", n_tuples, 1, limit=WIDEST)
        a = torch.from_numpy(check_numbers("readout", readout))
        if a.ndim != 2 or not a.numel():
            raise ValueError(f"readout must have shape (H, v), got {tuple(a.shape)}")
        b = np.zeros(a.shape[1]) if bias is None else check_numbers("bias", bias)
        if b.shape != a.shape[1:]:
            raise ValueError(f"bias must have shape (v,) = ({a.shape[1]},), got {b.shape}")
        self.hidden = nn.Parameter(torch.zeros(len(a), n_tuples, dtype=a.dtype))
        self.register_buffer("readout", a)
        self.register_buffer("bias", torch.from_numpy(b))

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, v) of the context token for tuples (B,)."""
        return self.bias + nn.functional.gelu(self.hidden[:, t]).T @ self.readout / len(self.readout)

    def step(self, t: Any, z: Any, rate: float = 1.0) -> Array:
        """Take one full-batch gradient step on pairs (tuple, context token) and return ΔW: (T, H)."""
        rate = check_real("rate", rate)
        t = check_symbols("t", t, self.hidden.shape[1], ndim=1)
        z = check_symbols("z", z, self.readout.shape[1], ndim=1)
        if len(t) != len(z) or not len(t):
            raise ValueError(f"z must hold one context token for each of the {len(t)} >= 1 tuples, got {len(z)}")
        pairs = torch.as_tensor(t.astype(np.int64)), torch.as_tensor(z.astype(np.int64))
        (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(self(pairs[0]), pairs[1]), self.hidden)
        with torch.no_grad():
            self.hidden.sub_(rate * gradient)
        return (-rate * gradient).T.numpy()


def sensitivity(features: Any) -> float:
    r"""Return S: mean squared distance of two synonyms over that of two tuples of any kind.

    Parameters
    ----------
    features
        (v, m, …): features of the m synonymous tuples of v symbols; m >= 2.

    Examples
    --------
    >>> sensitivity([[[0.0], [0.0]], [[1.0], [1.0]]])  # features know the parent only
    0.0
    """
    x = check_numbers("features", features)
    if x.ndim < 3 or x.shape[0] < 2 or x.shape[1] < 2:
        raise ValueError(f"features must have shape (v, m, …) with v, m >= 2, got {x.shape}")
    v, m = x.shape[:2]
    squares = (x**2).sum()
    return _ratio(squares, (x.sum(1) ** 2).sum(), (x.sum((0, 1)) ** 2).sum(), v, m)


def expected_sensitivity(joint: Any, P: float) -> float:
    r"""Return S of the features of P strings of one grammar, to first order in 1/P (derived).

    The mean of $\hat C^2$ is $C^2$ plus its sampling variance. Both are exact here, so this is the law without its
    large-v approximation.

    Parameters
    ----------
    joint
        (v, m, slots, q, z) exact probabilities, `Population.tuple_context`.
    P
        Number of strings.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=16, m=4, s=2, L=2, seed=0)
    >>> exact = Population(g).tuple_context(1)
    >>> round(expected_sensitivity(exact, theory.tuple_threshold(16, 4, 2, l=1)), 1)
    0.5
    """
    check_real("P", P, 0, strict=True)
    p = check_numbers("joint", joint, 0)
    if p.ndim != 5 or p.shape[0] < 2 or p.shape[1] < 2 or not (p.sum((0, 1, 4)) > 0).all():
        raise ValueError(f"joint must be probabilities of shape (v, m, slots, q, z) with v, m >= 2, got {p.shape}")
    v, m = p.shape[:2]
    rows, classes = (
        float((covariance(x) ** 2 + covariance_variance(x) / P).sum())
        for x in (p.reshape(v * m, *p.shape[2:]), p.sum(1))
    )
    return _ratio(rows, classes, 0.0, v, m)  # the rows of C sum to 0


def measure_sensitivity(
    v: int, m: int, s: int, l: int, k: int, ratio: float, grammar: int, sample: int, H: int = 0
) -> dict[str, float]:
    """Measure S once: level-l tuples, context tokens at LCA level k = L, P = ratio * P(l,k) strings.

    Parameters
    ----------
    v, m, s, l, k
        Sizes of the grammar, levels of tuple and meeting node.
    ratio
        P / P(l,k).
    grammar, sample
        Seeds of the rules and of the strings.
    H
        Hidden units; 0 for the limit of infinitely many.

    Returns
    -------
    {"P": strings, "S": measured, "S_expected": this grammar's expectation, "S_law": 1 / (1 + ratio)}

    Examples
    --------
    >>> found = measure_sensitivity(8, 3, 2, 1, 2, ratio=1.0, grammar=0, sample=0)
    >>> 0.3 < found["S"] < 0.9, found["S_law"]
    (True, 0.5)
    """
    rng = generator(seeds(grammar=grammar, sample=sample))
    check_integer("m", m, 2)
    g = RandomHierarchyModel.random(v, m, s, check_integer("k", k, 2), seed=grammar)
    if g.f == 1:
        raise ValueError(f"m must be below v**(s-1) = {m}: where every tuple is grammatical there is no signal")
    threshold = theory.tuple_threshold(v, m, s, l, k)
    P = max(1, round(check_real("ratio", ratio, 0, MOST_STRINGS / threshold, strict=True) * threshold))
    H = check_integer("H", H, 0, limit=WIDEST)
    counts = level_statistics(g, g.sample_batches(P, rng), [l], distance=k - l)[l]
    table = counts.counts_of(g.rules[l - 1].reshape(v * m, s))
    features = correlation(table) if H == 0 else one_step_features(table, gaussian_readout(H, v, rng))
    return {
        "P": P,
        "S": sensitivity(features.reshape(v, m, -1)),
        "S_expected": expected_sensitivity(Population(g).tuple_context(l, k), P),
        "S_law": float(theory.synonym_sensitivity(ratio)),
    }


def sensitivity_over_grammars(
    v: int, m: int, s: int, l: int, k: int, ratio: float, grammars: int, H: int = 0
) -> dict[str, Any]:
    """Measure S for grammars 0 … grammars-1, one sample each: one stored point, P and lists of S and its expectation.

    Examples
    --------
    >>> sorted(sensitivity_over_grammars(8, 3, 2, 1, 2, ratio=1.0, grammars=2))
    ['P', 'S', 'S_expected']
    """
    points = [measure_sensitivity(v, m, s, l, k, ratio, i, 0, H) for i in range(check_integer("grammars", grammars, 1))]
    return {"P": points[0]["P"], **{name: [point[name] for point in points] for name in ("S", "S_expected")}}


def _ratio(squares: float, class_squares: float, total_squares: float, v: int, m: int) -> float:
    """Mean squared distance inside classes over that of all pairs, from sums of squares of rows, classes and all."""
    inside = (m * squares - class_squares) / (v * m * (m - 1))
    all_pairs = (v * m * squares - total_squares) / (v * m * (v * m - 1))
    if not all_pairs > 0:
        raise ValueError("features must differ between some tuples, got equal features for all")
    return float(max(inside, 0.0) / all_pairs)
