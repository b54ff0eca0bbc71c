"""Inference as one would write it first: sum over all strings, or pass messages in loops. Slow, and obviously right."""

import numpy as np


def all_strings(g):
    """Every grammatical string, the levels of its tree, and its probability."""
    x = g.unrank(np.arange(g.n_strings))
    return g.parse(x), np.exp(g.log_probability(x))


def enumerate_beliefs(g, likelihood):
    """Marginals of every level, cavity and evidence of one string, by summing over all grammatical strings."""
    levels, prior = all_strings(g)
    factors = likelihood[np.arange(g.d), levels[0]]  # (n, d)
    weight = prior * factors.prod(1)
    marginals = [_histogram(level, weight, g.v) for level in levels]
    others = np.stack([prior * np.delete(factors, i, 1).prod(1) for i in range(g.d)], 1)
    cavity = np.stack([np.bincount(levels[0][:, i], others[:, i], g.v) for i in range(g.d)])
    total = cavity.sum(1, keepdims=True)
    cavity = np.divide(cavity, total, out=np.full_like(cavity, 1 / g.v), where=total > 0)
    return [a / weight.sum() for a in marginals] if weight.sum() else None, cavity, weight.sum()


def _histogram(level, weight, v):
    return np.stack([np.bincount(level[:, i], weight, v) for i in range(level.shape[1])])


def loop_beliefs(rules, likelihood):
    """Marginals of the tokens of one string by belief propagation in plain loops; uniform rules, float lists."""
    v, m, s = len(rules[0]), len(rules[0][0]), len(rules[0][0][0])
    ups = [[_normalized(list(leaf)) for leaf in likelihood]]
    for level in rules:
        below, nodes = ups[-1], []
        for i in range(0, len(below), s):
            message = [0.0] * v
            for y in range(v):
                for t in level[y]:
                    product = 1.0
                    for j in range(s):
                        product *= below[i + j][t[j]]
                    message[y] += product
            nodes.append(_normalized(message))
        ups.append(nodes)
    down = [[1 / v] * v]
    for l in range(len(rules) - 1, -1, -1):
        below, nodes = ups[l], []
        for i, above in enumerate(down):
            messages = [[0.0] * v for _ in range(s)]
            for y in range(v):
                for r in range(m):
                    t = rules[l][y][r]
                    for j in range(s):
                        product = above[y]
                        for k in range(s):
                            if k != j:
                                product *= below[i * s + k][t[k]]
                        messages[j][t[j]] += product
            nodes += [_normalized(message) for message in messages]
        down = nodes
    return [_normalized([a * b for a, b in zip(u, d, strict=True)]) for u, d in zip(ups[0], down, strict=True)]


def loop_sample(rules, likelihood, uniform):
    """One posterior sample of one string, messages in plain loops; `uniform()` gives the random numbers."""
    v, s = len(rules[0]), len(rules[0][0][0])
    ups = [[list(leaf) for leaf in likelihood]]
    for level in rules:
        below = ups[-1]
        ups.append([
            _normalized([sum(_product(below[i + j][t[j]] for j in range(s)) for t in level[y]) for y in range(v)])
            for i in range(0, len(below), s)
        ])  # fmt: skip
    symbols = [_pick(ups[-1][0], uniform())]
    for l in range(len(rules) - 1, -1, -1):
        written = []
        for i, y in enumerate(symbols):
            mass = [_product(ups[l][i * s + j][t[j]] for j in range(s)) for t in rules[l][y]]
            written += rules[l][y][_pick(mass, uniform())]
        symbols = written
    return symbols


def _product(factors):
    product = 1.0
    for factor in factors:
        product *= factor
    return product


def _pick(mass, u):
    level, running = u * sum(mass), 0.0
    for index, weight in enumerate(mass):
        running += weight
        if running > level:
            return index
    return len(mass) - 1


def _normalized(values):
    total = sum(values)
    return [a / total for a in values]
