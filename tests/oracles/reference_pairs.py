"""Token pairs by the definition: loops a reader can check, used as oracles of hcg_lib.correlations."""

from itertools import permutations

import numpy as np


def pair_counts(documents, v, t):
    """Counts (v, v) of (x_i, x_{i+t}) inside each document."""
    counts = np.zeros((v, v), int)
    for document in documents:
        for i in range(len(document) - t):
            counts[document[i], document[i + t]] += 1
    return counts


def covariance(counts):
    """P - p q^T from counts."""
    P = counts / counts.sum()
    return P - np.outer(P.sum(1), P.sum(0))


def unbiased_square(groups, weights=None):
    """Σ over four distinct groups of m_i m_j m_k m_l ⟨P_i - a_i b_j, P_k - a_k b_l⟩, normalized."""
    weights = np.ones(len(groups)) if weights is None else weights
    P = [counts / max(counts.sum(), 1) for counts in groups]
    mass = [w * counts.sum() for w, counts in zip(weights, groups, strict=True)]
    total = norm = 0.0
    for i, j, k, l in permutations(range(len(groups)), 4):
        m = mass[i] * mass[j] * mass[k] * mass[l]
        left = P[i] - np.outer(P[i].sum(1), P[j].sum(0))
        right = P[k] - np.outer(P[k].sum(1), P[l].sum(0))
        total += m * np.sum(left * right)
        norm += m
    return total / norm


def lca(i, j, s):
    """Level of the lowest common ancestor, climbing one parent at a time."""
    level = 0
    while i != j:
        i, j, level = i // s, j // s, level + 1
    return level
