r"""Exact inference on the derivation tree: what noisy tokens say about every symbol of it.

Evidence is a likelihood $\phi_i(a)$, one vector per token (:mod:`hcg_lib.evidence`). Belief propagation is exact on
a tree (Favero et al. 2025 use it as the reference denoiser; derived here). Upwards, from the leaves $U_i = \phi_i$,

$$ U_n(y) \propto \sum_r w(r|y) \prod_j U_{n_j}(R[y,r]_j) , $$

downwards, from the root $D = 1/v$,

$$ D_{n_j}(x) \propto \sum_{(y,r):\,R[y,r]_j = x} D_n(y)\, w(r|y) \prod_{k\ne j} U_{n_k}(R[y,r]_k) . $$

Any node has marginal $U \cdot D$; at a leaf $D$ alone is the *cavity* $p(x_{0,i} \mid \text{all tokens but the i-th})$.
Cost $O(d\,v\,m\,s)$ per string. Compiled kernels work in the linear domain and bound what underflow may have
cost; strings where that exceeds rounding, tensors elsewhere than on the CPU, and strings of very many tokens take the
route of logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hcg_lib import _compiled, _logspace
from hcg_lib._parallel import map_slices
from hcg_lib._random import generator
from hcg_lib._tree import Tree
from hcg_lib._validate import as_array, check_instance, check_integer
from hcg_lib.evidence import gaussian_noise, masking, uniform_noise
from hcg_lib.grammar import RandomHierarchyModel

__all__ = ["Beliefs", "belief_propagation", "gaussian_noise", "log_evidence", "masking", "sample_posterior",
           "uniform_noise"]  # fmt: skip

Array = np.ndarray
CHUNK = 1 << 13  # strings that share a stream of random numbers


@dataclass(frozen=True)
class Beliefs:
    """What the evidence says: arrays of the kind and dtype of the likelihood.

    posterior, cavity: (B, d, v), rows sum to 1. marginals: levels l = 0 … L, each (B, s**(L-l), v). log_evidence:
    (B,) nats, log p(evidence). contradictory: (B,) bool, True where no string is possible: there log_evidence is
    -inf, marginals are uniform, and a cavity is uniform unless the other tokens alone are possible.
    """

    posterior: Any
    cavity: Any
    marginals: Sequence[Any]
    log_evidence: Any
    contradictory: Any


def belief_propagation(g: RandomHierarchyModel, likelihood: Any, levels: int | None = None) -> Beliefs:
    r"""Return posterior, cavity, the marginals of every node and the log-evidence, exactly.

    Parameters
    ----------
    g
        The grammar, with its rule probabilities.
    likelihood
        (B, d, v) numbers >= 0, float32 or float64, NumPy or a tensor on any device.
    levels
        How many levels of rules are known, 0 … L (all by default). With k known levels the string falls into
        $s^{L-k}$ independent blocks whose roots are uniform, and `marginals` ends at level k.

    Returns
    -------
    Beliefs
        A tensor that requires gradients gets them; NumPy arrays and tensors on the CPU take the fastest route.

    Raises
    ------
    ValueError
        If the likelihood has another shape or dtype, or a negative or non-finite entry.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> x = g.sample(3, seed=0)
    >>> bp = belief_propagation(g, uniform_noise(x, abar=1.0, v=4))
    >>> bool((bp.posterior.argmax(-1) == x).all()), [a.shape for a in bp.marginals]
    (True, [(3, 4, 4), (3, 2, 4), (3, 1, 4)])
    >>> bool(np.allclose(bp.log_evidence, -np.log(g.n_strings)))
    True
    """
    tree, blocks = _prepare(g, likelihood, levels)
    marginals, cavity, total = _route(tree, blocks).beliefs(tree, blocks)
    total = _per_string(tree, g, total)
    parts = [marginals[:, a:b].reshape(len(total), (b - a) * g.d // tree.d, g.v) for a, b in _spans(tree)]
    cavity = cavity.reshape(len(total), g.d, g.v)
    contradictory = total == -torch.inf
    values = [_like(likelihood, a) for a in (parts[0], cavity, total, contradictory)]
    rest = tuple(_like(likelihood, a) for a in parts[1:])
    return Beliefs(values[0], values[1], (values[0], *rest), values[2], values[3])


def log_evidence(g: RandomHierarchyModel, likelihood: Any, levels: int | None = None) -> Any:
    r"""Return $\log \sum_x p(x) \prod_i \phi_i(x_i)$ in nats, the upward pass alone: (B,).

    Parameters, errors and `levels` as in :func:`belief_propagation`; -inf where no string is possible. With the
    likelihood of clean tokens it is the log-probability of the string.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> x = g.sample(3, seed=0)
    >>> bool(np.allclose(log_evidence(g, masking(x, v=4)), g.log_probability(x)))
    True
    """
    tree, blocks = _prepare(g, likelihood, levels)
    total = _route(tree, blocks).evidence(tree, blocks)
    return _like(likelihood, _per_string(tree, g, total))


def sample_posterior(g: RandomHierarchyModel, likelihood: Any, seed: Any, levels: int | None = None) -> Any:
    """Draw one string from the posterior of each row, exactly: top-down, every rule given the evidence below it.

    Parameters
    ----------
    g, likelihood, levels
        As in :func:`belief_propagation`.
    seed
        Integer or numpy Generator. The same seed gives the same strings on any number of threads and any device,
        up to ties within rounding.

    Returns
    -------
    (B, d) symbols: the grammar's dtype, or int64 for a tensor.

    Raises
    ------
    ValueError
        As :func:`belief_propagation`; also where a row's evidence contradicts the grammar: there is nothing to draw.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    >>> nothing = np.ones((5, 4, 4))
    >>> bool(g.is_grammatical(sample_posterior(g, nothing, seed=0)).all())
    True
    """
    tree, blocks = _prepare(g, likelihood, levels)
    blocks = blocks.detach()
    route, starts = _route(tree, blocks), range(0, len(blocks), CHUNK)
    streams = generator(seed).spawn(len(starts))
    strings = torch.empty(blocks.shape[:2], dtype=torch.int64, device=blocks.device)

    def work(part: slice) -> None:
        for start, rng in zip(starts[part], streams[part], strict=True):
            rows = blocks[start : start + CHUNK]
            uniform = torch.from_numpy(rng.random((len(rows), 1 + tree.inner)))
            strings[start : start + CHUNK] = route.draw(tree, rows, uniform)

    map_slices(work, len(starts), least=1 if route is _compiled else max(1, len(starts)))
    strings = strings.reshape(len(blocks) * tree.d // g.d, g.d)
    lost = (strings < 0).any(1)
    if bool(lost.any()):
        raise ValueError(
            f"likelihood must leave a string possible in every row, got a contradiction with the grammar in "
            f"{int(lost.sum())} rows, first in row {int(lost.to(torch.uint8).argmax())}"
        )
    return strings if isinstance(likelihood, Tensor) else strings.numpy().astype(g.dtype)


# ---- input and output ---------------------------------------------------------------------------------------


def _prepare(g: RandomHierarchyModel, likelihood: Any, levels: int | None) -> tuple[Tree, Tensor]:
    """The tree of the known levels and the likelihood in blocks: (B * s**(L-k), s**k, v)."""
    check_instance("g", g, RandomHierarchyModel)
    k = g.L if levels is None else check_integer("levels", levels, 0, g.L)
    phi = likelihood if isinstance(likelihood, Tensor) else _from_numpy(likelihood)
    if phi.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"likelihood must be float32 or float64, got {str(phi.dtype).removeprefix('torch.')}")
    if phi.ndim != 3 or phi.shape[1:] != (g.d, g.v):
        raise ValueError(f"likelihood must have shape (B, d, v) = (B, {g.d}, {g.v}), got {tuple(phi.shape)}")
    entries = phi.detach()
    if phi.numel() and not (float(entries.min()) >= 0 and float(entries.max()) < torch.inf):  # NaN fails the first
        raise ValueError("likelihood must be finite and >= 0, got a negative, infinite or NaN entry")
    tree = Tree(g, k)
    return tree, phi.reshape(len(phi) * g.d // tree.d, tree.d, g.v)


def _per_string(tree: Tree, g: RandomHierarchyModel, total: Tensor) -> Tensor:
    """The log-evidence of strings from that of their blocks."""
    return total.unflatten(0, (-1, g.d // tree.d)).sum(1) if len(total) else total


def _from_numpy(likelihood: Any) -> Tensor:
    values = as_array("likelihood", likelihood)
    if values.dtype not in (np.float32, np.float64):
        raise ValueError(f"likelihood must be float32 or float64, got {values.dtype}")
    values = np.ascontiguousarray(values)
    return torch.from_numpy(values if values.flags.writeable else values.copy())


def _like(original: Any, value: Tensor) -> Any:
    return value if isinstance(original, Tensor) else value.numpy()


def _route(tree: Tree, phi: Tensor) -> Any:
    """The module that does the work: both have `beliefs`, `evidence` and `draw`."""
    compiled = phi.device.type == "cpu" and not phi.requires_grad and _compiled.fits(tree, phi)
    return _compiled if compiled else _logspace


def _spans(tree: Tree) -> list[tuple[int, int]]:
    ends = [*tree.first.tolist(), int(tree.first[-1]) + 1]
    return [(ends[l], ends[l + 1]) for l in range(tree.L + 1)]
