r"""Sum-product on the tree in logarithms: any device, any evidence, differentiable.

Messages are tensors (v, nodes, B) in float64 with maximum 0 per node; $-\infty$ is an impossible symbol. The
compiled kernels of :mod:`hcg_lib._messages` compute the same things faster where logarithms are not needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hcg_lib._tree import Tree

BYTES = {"cpu": 1 << 25, "cuda": 1 << 29}  # of the largest temporary


def beliefs(tree: Tree, likelihood: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Marginals of all nodes (B, N, v), cavity (B, d, v), log-evidence (B,)."""
    parts = [_beliefs(tree, part) for part in _chunks(tree, likelihood)]
    marginals, cavity, total = (torch.cat(values).to(likelihood.dtype) for values in zip(*parts, strict=True))
    return marginals, cavity, total


def _beliefs(tree: Tree, likelihood: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    ups, total = upward(tree, likelihood)
    downs = downward(tree, ups)
    possible = torch.where(total > -torch.inf, 0.0, -torch.inf)  # of a contradictory row every marginal is void
    marginals = [normalize(up + down + possible) for up, down in zip(ups, downs, strict=True)]
    return torch.cat(marginals, 1), normalize(downs[0]), total


def evidence(tree: Tree, likelihood: Tensor) -> Tensor:
    """Log-evidence (B,)."""
    return torch.cat([upward(tree, part)[1] for part in _chunks(tree, likelihood)]).to(likelihood.dtype)


def draw(tree: Tree, likelihood: Tensor, uniform: Tensor) -> Tensor:
    """Strings (B, d) for the given random numbers (B, 1 + inner nodes), -1 where the evidence is contradictory."""
    drawn, parts = [], _chunks(tree, likelihood)
    for part, numbers in zip(parts, uniform.to(likelihood.device).split(len(parts[0])), strict=True):
        ups, total = upward(tree, part)
        drawn.append(torch.where((total > -torch.inf)[:, None], choose(tree, ups, numbers), -1))
    return torch.cat(drawn)


def _chunks(tree: Tree, likelihood: Tensor) -> Sequence[Tensor]:
    """The batch in parts of bounded memory."""
    widest = 8 * max(tree.rules.shape[1] * tree.d // tree.s, tree.v * tree.d)
    return likelihood.split(max(1, BYTES.get(likelihood.device.type, BYTES["cpu"]) // widest))


def _center(messages: Tensor) -> tuple[Tensor, Tensor]:
    """Subtract the maximum over symbols; return messages and what was subtracted, 0 where all is impossible."""
    top = messages.amax(0)
    top = torch.where(torch.isfinite(top), top, torch.zeros_like(top)).detach()
    return messages - top, top


def _families(messages: Tensor, s: int) -> Sequence[Tensor]:
    """Split the nodes (v, n*s, B) into first, second, … children: s tensors (v, n, B)."""
    return messages.unflatten(1, (-1, s)).unbind(2)


def _rule_terms(children: Sequence[Tensor], rules: Tensor, skip: int = -1) -> Tensor:
    """sum_j log U_j(R_j) of every rule, without child `skip`: (v*m, n, B)."""
    return sum(child[rules[:, j]] for j, child in enumerate(children) if j != skip)  # type: ignore[return-value]


def upward(tree: Tree, likelihood: Tensor) -> tuple[list[Tensor], Tensor]:
    """Messages U of every level, and the log-evidence (B,), from the likelihood (B, d, v)."""
    message, taken = _center(likelihood.double().log().permute(2, 1, 0))
    messages, total = [message], taken.sum(0)
    for level in range(tree.L):
        rules, weights = tree.tensors(level, likelihood.device)
        terms = _rule_terms(_families(messages[-1], tree.s), rules) + weights
        message, taken = _center(terms.unflatten(0, (tree.v, -1)).logsumexp(1))
        messages.append(message)
        total = total + taken.sum(0)
    root = messages[-1].logsumexp(0) - math.log(tree.v)
    return messages, total + root.sum(0)


def downward(tree: Tree, ups: Sequence[Tensor]) -> list[Tensor]:
    """Messages D of every level from the messages U."""
    messages = [torch.zeros_like(ups[-1])]
    for level in range(tree.L - 1, -1, -1):
        rules, weights = tree.tensors(level, ups[0].device)
        children = _families(ups[level], tree.s)
        above = messages[-1].repeat_interleave(tree.m, 0) + weights
        out = []
        for j in range(tree.s):
            terms = above + _rule_terms(children, rules, skip=j)
            nothing = torch.full_like(terms[:1], -torch.inf)
            makers = tree.makers(level, j, ups[0].device)  # (v, K): the rules that put a symbol at position j
            out.append(torch.cat([terms, nothing])[makers].logsumexp(1))
        messages.append(_center(torch.stack(out, 2).flatten(1, 2))[0])
    return messages[::-1]


def normalize(messages: Tensor) -> Tensor:
    """Probabilities (B, nodes, v) from logarithms (v, nodes, B); uniform where everything is impossible."""
    possible = messages.amax(0) > -torch.inf
    safe = torch.where(possible, messages, torch.zeros_like(messages))
    return safe.softmax(0).permute(2, 1, 0)


def choose(tree: Tree, ups: Sequence[Tensor], uniform: Tensor) -> Tensor:
    """Strings (B, d) that the numbers uniform (B, 1 + inner nodes) pick from the posterior by inverse CDF."""
    symbols = _inverse_cdf(ups[-1].permute(2, 1, 0), uniform[:, :1])  # (B, 1)
    rows, column = torch.arange(len(uniform), device=uniform.device)[:, None], uniform.shape[1]
    for level in range(tree.L - 1, -1, -1):
        rules, weights = tree.tensors(level, uniform.device)
        column_end = column
        column -= symbols.shape[1]
        options = rules.unflatten(0, (tree.v, -1))[symbols]  # (B, n, m, s)
        terms = weights.view(tree.v, tree.m)[symbols]
        nodes = torch.arange(symbols.shape[1], device=uniform.device)[None, :, None]
        for j in range(tree.s):
            terms = terms + ups[level][options[..., j], nodes * tree.s + j, rows[..., None]]
        choice = _inverse_cdf(terms, uniform[:, column:column_end])
        symbols = torch.take_along_dim(options, choice[..., None, None], 2).flatten(1)
    return symbols


def _inverse_cdf(logs: Tensor, uniform: Tensor) -> Tensor:
    """The first index along the last axis whose cumulative mass exceeds uniform times the total."""
    mass = (logs - logs.amax(-1, keepdim=True)).exp()
    running = mass.cumsum(-1)
    above = (running > uniform[..., None] * running[..., -1:]) & (mass > 0)
    return above.to(torch.uint8).argmax(-1)
