"""Diffusion as one would write it first: matrices over tokens, then over all strings. Slow, and obviously right."""

import itertools

import numpy as np
from oracles.reference_inference import all_strings


def one_step(kind, alpha, v):
    """Transition matrix of one token, rows before, columns after: a token is redrawn, or hidden for good."""
    if kind == "uniform":
        return alpha * np.eye(v) + (1 - alpha) * np.ones((v, v)) / v
    matrix = np.zeros((v + 1, v + 1))
    for a in range(v):
        matrix[a, a], matrix[a, v] = alpha, 1 - alpha
    matrix[v, v] = 1
    return matrix


def steps(kind, abar, v, t, u=0):
    """The product of the one-step matrices from step u to step t."""
    out = np.eye(v if kind == "uniform" else v + 1)
    for step in range(u + 1, t + 1):
        out = out @ one_step(kind, abar[step] / abar[step - 1], v)
    return out


def token_posterior(kind, abar, v, t, u, x, weights):
    """q(x_u | x_t = x), the clean token having probabilities `weights`, by Bayes' rule; None where x is impossible."""
    start, step = steps(kind, abar, v, u), steps(kind, abar, v, t, u)
    joint = np.array([sum(weights[a] * start[a, b] for a in range(v)) * step[b, x] for b in range(len(step))])
    return joint / joint.sum() if joint.sum() > 0 else None


def cavities(g, kind, abar, t, x):
    """p(x_0,i | all tokens of x_t but the i-th), by summing over all strings; uniform where that is impossible."""
    levels, prior = all_strings(g)
    whole = steps(kind, abar, g.v, t)
    factors = whole[levels[0], np.array(x)]  # (n, d)
    out = np.zeros((g.d, g.v))
    for i in range(g.d):
        others = prior * np.delete(factors, i, 1).prod(1)
        for string, weight in zip(levels[0], others, strict=True):
            out[i, string[i]] += weight
        out[i] = out[i] / out[i].sum() if out[i].sum() > 0 else 1 / g.v
    return out


def chain_law(g, kind, abar):
    """The law of the strings that the exact denoiser writes in T steps, by a matrix over all states for each step."""
    K, T = (g.v if kind == "uniform" else g.v + 1), len(abar) - 1
    states = list(itertools.product(range(K), repeat=g.d))
    end = np.full(K, 1 / K) if kind == "uniform" else np.eye(K)[-1]
    law = np.array([np.prod([end[a] for a in state]) for state in states])
    for t in range(T, 0, -1):
        matrix = np.zeros((len(states), len(states)))
        for row, x in enumerate(states):
            if law[row] == 0:
                continue
            hat = cavities(g, kind, abar, t, x)
            back = [token_posterior(kind, abar, g.v, t, t - 1, x[i], hat[i]) for i in range(g.d)]
            back = [np.eye(K)[a] if p is None else p for a, p in zip(x, back, strict=True)]  # a visible token stays
            product = back[0]
            for other in back[1:]:
                product = np.kron(product, other)
            matrix[row] = product
        law = law @ matrix
    return law
