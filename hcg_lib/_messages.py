"""Compiled sum-product on the tree: linear domain, WIDTH strings at a time, the batch as the contiguous axis.

Messages of one node are a (v, WIDTH) block with maximum 1 per string. Every message carries a `doubt`: a bound
of the error, relative to that maximum, which underflow can have caused anywhere below (upward) or anywhere else
(downward). A string whose doubt exceeds its precision is recomputed in logarithms by the caller.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hcg_lib._rows import (
    INLINE,
    OPTIONS,
    WIDTH,
    add_pair,
    add_product,
    collect,
    invert,
    load,
    multiply,
    raise_doubt,
    rescale,
    store,
    sum_rows,
)

# Arguments shared by the kernels: rules (L, v*m, s), weights (L, v*m) with weights summing to 1 over m,
# spread (L,): the largest total weight of the rules that put one symbol at one position,
# first (L+1,): the number of the first node of a level, counted from the leaves; tiny: smallest normal number.


@njit(**INLINE)
def _up_family(node, children, rules, weights, part):  # pragma: no cover
    """U(y) = sum_r w prod_j U_j(R_j): node (v, WIDTH) from children (s, v, WIDTH)."""
    v, s = node.shape[0], rules.shape[1]
    m = rules.shape[0] // v
    first, last = children[0], children[s - 1]
    node[:] = 0
    for y in range(v):
        out = node[y]
        for q in range(y * m, y * m + m):
            left = first[rules[q, 0]]
            for j in range(1, s - 1):
                multiply(part[0], left, children[j, rules[q, j]])
                left = part[0]
            add_product(out, weights[q], left, last[rules[q, s - 1]])


@njit(**INLINE)
def _down_family(node, children, out, rules, weights, part):  # pragma: no cover
    """D_j(x) = sum over rules with R_j = x of w D(y) prod_{k != j} U_k(R_k): out (s, v, WIDTH)."""
    v, s = node.shape[0], rules.shape[1]
    m = rules.shape[0] // v
    a, c, left, right = children[0], children[1], out[0], out[1]
    out[:] = 0
    for y in range(v):
        for q in range(y * m, y * m + m):
            above, i, k = node[y], rules[q, 0], rules[q, 1]
            if s > 2:  # part[j] = product of the children left of j; above takes in those on its right
                multiply(part[2], a[i], c[k])
                for j in range(3, s):
                    multiply(part[j], part[j - 1], children[j - 1, rules[q, j - 1]])
                for j in range(s - 1, 1, -1):
                    add_product(out[j, rules[q, j]], weights[q], above, part[j])
                    multiply(part[0], above, children[j, rules[q, j]])
                    above = part[0]
            add_pair(left[i], right[k], weights[q], above, a[i], c[k])


@njit(**OPTIONS)
def _upward(likelihood, start, rules, weights, first, tiny, up, doubt, product, total, work):  # pragma: no cover
    """Fill up (N, v, WIDTH) and its doubt (N, WIDTH); product and total hold the evidence without the root."""
    d, s = likelihood.shape[1], rules.shape[2]
    top, inverse, part = work[0], work[1], work[2:]
    product[:] = 1
    total[:] = 0
    for i in range(d):
        load(likelihood[:, i], start, up[i])
        rescale(up[i], top, inverse, tiny)
        collect(top, product, total)
        for b in range(WIDTH):  # the inverse of a huge maximum would be subnormal
            doubt[i, b] = tiny if top[b] * tiny < 0.1 else np.inf
    for l in range(1, len(first)):
        for i in range(d // s**l):
            node, child = first[l] + i, first[l - 1] + i * s
            _up_family(up[node], up[child : child + s], rules[l - 1], weights[l - 1], part)
            rescale(up[node], top, inverse, tiny)
            collect(top, product, total)
            for b in range(WIDTH):
                lost = s * tiny
                for j in range(s):
                    lost += doubt[child + j, b]
                doubt[node, b] = lost / top[b] if top[b] >= tiny else np.inf


@njit(**OPTIONS)
def _downward(rules, weights, spread, first, tiny, up, up_doubt, down, doubt, work):  # pragma: no cover
    """Fill down (N, v, WIDTH) and its doubt from up; the root's message is 1."""
    s, root = rules.shape[2], first[-1]
    top, inverse, part = work[0], work[1], work[2:]
    down[root] = 1
    doubt[root] = 0
    for l in range(len(first) - 1, 0, -1):
        for i in range((first[l] - first[l - 1]) // s):
            node, child = first[l] + i, first[l - 1] + i * s
            end = child + s
            _down_family(down[node], up[child:end], down[child:end], rules[l - 1], weights[l - 1], part)
            for j in range(s):
                rescale(down[child + j], top, inverse, tiny)
                for b in range(WIDTH):
                    lost = doubt[node, b] + s * tiny
                    for k in range(s):
                        if k != j:
                            lost += up_doubt[child + k, b]
                    doubt[child + j, b] = spread[l - 1] * lost / top[b] if top[b] >= tiny else np.inf


@njit(**OPTIONS)
def _finish(up, product, total, log_evidence, doubts):  # pragma: no cover
    """log of sum_y U_root(y) / v, times what normalisation took out; in doubt where that is not finite."""
    for b in range(len(doubts)):
        mass = 0.0
        for y in range(up.shape[1]):
            mass += up[-1, y, b]
        mass *= product[b] / up.shape[1]
        log_evidence[b] = total[b] + math.log(mass) if mass > 0 else -np.inf
        if not abs(log_evidence[b]) < np.inf:
            doubts[b] = np.inf


@njit(**OPTIONS)
def evidence(likelihood, rules, weights, first, tiny, log_evidence, doubts):  # pragma: no cover
    """Upward pass only: log-evidence and doubt of every string."""
    B, _, v = likelihood.shape
    N, s = first[-1] + 1, rules.shape[2]
    up, doubt = np.empty((N, v, WIDTH), likelihood.dtype), np.empty((N, WIDTH), likelihood.dtype)
    work = np.empty((s + 3, WIDTH), likelihood.dtype)
    product, total = np.empty(WIDTH), np.empty(WIDTH)
    for start in range(0, B, WIDTH):
        n = min(WIDTH, B - start)
        _upward(likelihood, start, rules, weights, first, tiny, up, doubt, product, total, work)
        stop = start + n
        doubts[start:stop] = doubt[N - 1, :n]
        _finish(up, product, total, log_evidence[start:stop], doubts[start:stop])


@njit(**OPTIONS)
def beliefs(
    likelihood, rules, weights, spread, first, tiny, marginals, cavity, log_evidence, doubts
):  # pragma: no cover
    """Both passes: marginals (B, N, v) of every node, cavity (B, d, v), log-evidence and doubt (B,)."""
    B, d, v = likelihood.shape
    N, s = first[-1] + 1, rules.shape[2]
    up, down = np.empty((N, v, WIDTH), likelihood.dtype), np.empty((N, v, WIDTH), likelihood.dtype)
    up_doubt, down_doubt = np.empty((N, WIDTH), likelihood.dtype), np.empty((N, WIDTH), likelihood.dtype)
    work = np.empty((s + 3, WIDTH), likelihood.dtype)
    top, inverse, worst = work[0], work[1], np.empty(WIDTH, likelihood.dtype)
    product, total = np.empty(WIDTH), np.empty(WIDTH)
    for start in range(0, B, WIDTH):
        n = min(WIDTH, B - start)
        stop = start + n
        _upward(likelihood, start, rules, weights, first, tiny, up, up_doubt, product, total, work)
        _downward(rules, weights, spread, first, tiny, up, up_doubt, down, down_doubt, work)
        doubts[start:stop] = 0
        _finish(up, product, total, log_evidence[start:stop], doubts[start:stop])
        worst[:n] = doubts[start:stop]
        worst[n:] = 0
        for i in range(N):
            if i < d:
                sum_rows(down[i], top)
                invert(inverse, top, tiny)
                store(cavity[start:stop, i], down[i], inverse)
            for x in range(v):
                multiply(up[i, x], up[i, x], down[i, x])
            sum_rows(up[i], top)
            invert(inverse, top, tiny)
            store(marginals[start:stop, i], up[i], inverse)
            raise_doubt(worst, up_doubt[i], down_doubt[i], inverse, v)
        doubts[start:stop] = worst[:n]


@njit(**OPTIONS)
def draws(likelihood, rules, weights, first, tiny, uniform, strings, doubts):  # pragma: no cover
    """Exact posterior samples by inverse CDF: uniform (B, 1 + N - d) decides the root, then the rule of every node.

    The doubt is that of the choices made: a rare symbol, once chosen, must have been computed to precision too.
    """
    B, d, v = likelihood.shape
    N, s = first[-1] + 1, rules.shape[2]
    m = rules.shape[1] // v
    up, doubt = np.empty((N, v, WIDTH), likelihood.dtype), np.empty((N, WIDTH), likelihood.dtype)
    work = np.empty((s + 3, WIDTH), likelihood.dtype)
    product, total = np.empty(WIDTH), np.empty(WIDTH)
    symbol = np.empty(N, np.int64)
    mass = np.empty(max(m, v))
    for start in range(0, B, WIDTH):
        _upward(likelihood, start, rules, weights, first, tiny, up, doubt, product, total, work)
        for b in range(min(WIDTH, B - start)):
            row = uniform[start + b]
            for y in range(v):
                mass[y] = up[N - 1, y, b]
            symbol[N - 1], sum_ = _choose(mass, v, row[0])
            worst = doubt[N - 1, b] if sum_ > 0 else np.inf
            for l in range(len(first) - 1, 0, -1):
                for i in range(d // s**l):
                    node, child = first[l] + i, first[l - 1] + i * s
                    y, lost = symbol[node], s * tiny
                    for r in range(m):
                        mass[r] = weights[l - 1, y * m + r]
                        for j in range(s):
                            mass[r] *= up[child + j, rules[l - 1, y * m + r, j], b]
                    choice, sum_ = _choose(mass, m, row[1 + node - d])
                    for j in range(s):
                        lost += doubt[child + j, b]
                        symbol[child + j] = rules[l - 1, y * m + choice, j]
                    worst = max(worst, lost / sum_) if sum_ >= tiny else np.inf
            for i in range(d):
                strings[start + b, i] = symbol[i]
            doubts[start + b] = worst


@njit(**OPTIONS)
def _choose(mass, size, u):  # pragma: no cover
    """The first index whose cumulative mass exceeds u times the total, and the total."""
    sum_ = 0.0
    for r in range(size):
        sum_ += mass[r]
    level, last, running = u * sum_, 0, 0.0
    for r in range(size):
        running += mass[r]
        if mass[r] > 0:
            last = r
            if running > level:
                break
    return last, sum_
