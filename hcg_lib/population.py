r"""Exact population values of the Random Hierarchy Model: marginals and joint distributions of any two nodes.

Nothing is sampled. Given its ancestor, a symbol is reached by a product of transition matrices

$$ T_{l,j}(x|y) = \sum_r w_l(r|y)\, 1[R_l[y,r]_j = x] , $$

and two nodes that meet at a node of level k (their LCA) are independent given the two children below it, so

$$ p(x_1, x_2) = \sum_{a,b} J(a,b)\, T_1(x_1|a)\, T_2(x_2|b), \qquad J(a,b) = \sum_{y,r} p(y)\, w(r|y)\,
1[R_k[y,r]_c = a]\, 1[R_k[y,r]_{c'} = b] $$

(derived). Everything costs matrix products of size v, whatever the number of strings.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from hcg_lib._random import generator
from hcg_lib._tuple_moments import covariance
from hcg_lib._validate import MOST_STRINGS, check_instance, check_integer, shown
from hcg_lib.grammar import RandomHierarchyModel

Array = np.ndarray
Node = tuple[int, int]  # (level, number from the left)


class Population:
    """Exact distributions of a grammar; a node is a pair (level, number from the left).

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=0)
    >>> exact = Population(g)
    >>> exact.joint((0, 1), (0, 6)).sum().round(12), exact.marginal((3, 0)).tolist()
    (np.float64(1.0), [0.25, 0.25, 0.25, 0.25])
    >>> exact.token_correlations().shape  # one a level, 1 … L
    (3,)
    """

    def __init__(self, grammar: RandomHierarchyModel):
        check_instance("grammar", grammar, RandomHierarchyModel)
        self.grammar = grammar
        self.weights = [grammar.level_probabilities(l) for l in range(1, grammar.L + 1)]
        self.steps = [self._step(l) for l in range(1, grammar.L + 1)]

    # ---- one node -------------------------------------------------------------------------------------------

    @cached_property
    def marginals(self) -> list[Array]:
        """p(symbol) of every node: L+1 arrays (s**(L-l), v), l = 0 … L."""
        levels = [np.full((1, self.grammar.v), 1 / self.grammar.v)]
        for step in reversed(self.steps):
            levels.append(np.einsum("ny,jyx->njx", levels[-1], step).reshape(-1, self.grammar.v))
        return levels[::-1]

    def marginal(self, node: Node) -> Array:
        """p(symbol) of one node: (v,)."""
        level, number = self._node("node", node)
        return self.marginals[level][number]

    def transition(self, ancestor: Node, node: Node) -> Array:
        """p(symbol at `node` | symbol at its `ancestor`): (v, v), rows of the ancestor.

        Raises
        ------
        ValueError
            If `ancestor` does not lie above `node`.
        """
        (top, above), (level, number) = self._node("ancestor", ancestor), self._node("node", node)
        s = self.grammar.s
        if top < level or number // s ** (top - level) != above:
            raise ValueError(f"ancestor must lie above node {node}, got {ancestor}")
        out = np.eye(self.grammar.v)
        for l in range(top, level, -1):
            out = out @ self.steps[l - 1][number // s ** (l - 1 - level) % s]
        return out

    def descents(self, top: int, level: int) -> Array:
        """p(symbol of every level-`level` node | symbol of the level-`top` node above): (s**(top-level), v, v)."""
        check_integer("top", top, 0, self.grammar.L)
        check_integer("level", level, 0, top)
        out = np.eye(self.grammar.v)[None]
        for l in range(top, level, -1):
            out = np.einsum("nyx,jxz->njyz", out, self.steps[l - 1]).reshape(-1, self.grammar.v, self.grammar.v)
        return out

    # ---- two nodes ------------------------------------------------------------------------------------------

    def joint(self, one: Node, other: Node) -> Array:
        """p(symbol at `one`, symbol at `other`) of any two nodes: (v, v).

        >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
        >>> bool(np.allclose(Population(g).joint((1, 0), (0, 3)).sum(0), Population(g).marginal((0, 3))))
        True
        """
        one, other = self._node("one", one), self._node("other", other)
        k, meeting = self._meeting(one, other)
        if (k, meeting) == one:
            return self.marginal(one)[:, None] * self.transition(one, other)
        if (k, meeting) == other:
            return self.transition(other, one).T * self.marginal(other)
        s = self.grammar.s
        child, sibling = (number // s ** (k - 1 - level) for level, number in (one, other))
        middle = self._children(k, self.marginals[k][meeting], child % s, sibling % s)
        return self.transition((k - 1, child), one).T @ middle @ self.transition((k - 1, sibling), other)

    def conditional(self, node: Node, given: Node) -> Array:
        """p(symbol at `node` | symbol at `given`): (v, v), rows of `given`; 0 where that symbol never occurs."""
        joint = self.joint(self._node("given", given), self._node("node", node))
        total = joint.sum(1, keepdims=True)
        return np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)

    def covariance(self, one: Node, other: Node) -> Array:
        """C(a, b) = p(a, b) - p(a) p(b) of any two nodes: (v, v)."""
        return self.joint(one, other) - np.outer(self.marginal(one), self.marginal(other))

    def distance_joint(self, t: int) -> Array:
        """p(x_i = a, x_(i+t) = b) averaged over all positions i, as one measures it in a text: (v, v)."""
        d = self.grammar.d
        check_integer("t", t, 1, d - 1)
        return np.mean([self.joint((0, i), (0, i + t)) for i in range(d - t)], axis=0)

    def token_correlations(self) -> Array:
        r"""Return C~(k), k = 1 … L: the root mean square of C(a, b) over symbols and over pairs with LCA level k."""
        s, v, out = self.grammar.s, self.grammar.v, []
        for k in range(1, self.grammar.L + 1):
            down = self.descents(k - 1, 0)
            leaf = self.marginals[0].reshape(-1, s, len(down), v)  # node, child, leaf of the child, symbol
            total = 0.0
            for node, prior in enumerate(self.marginals[k]):
                for c in range(s):
                    for other in range(c + 1, s):
                        middle = self._children(k, prior, c, other)
                        joint = np.einsum("pax,ab,qby->pxqy", down, middle, down, optimize=True)
                        total += ((joint - np.multiply.outer(leaf[node, c], leaf[node, other])) ** 2).mean()
            out.append(total / (len(self.marginals[k]) * s * (s - 1) / 2))
        return np.sqrt(out)

    # ---- a symbol or a tuple and its context ----------------------------------------------------------------

    def context(self, l: int, k: int | None = None, target: int = 0, family: int | None = None) -> Array:
        """p(level-l symbol a at slot i, level-`target` symbol z at context position q): (v, slots, q, v).

        Parameters
        ----------
        l, k
            Level of the symbol and of the node where it meets its context; k = l+1 (siblings) by default.
        target
            Level of the context symbols: 0 tokens, or any level below k.
        family
            Number of the level-k node; None averages over all of them (shared rules, pooled counts).

        The slots are the level-l nodes below the level-k node, the positions are numbered as in
        `hcg_lib.tuples.TupleStatistics`: the target nodes below the other children, from left to right.
        """
        g, k = self.grammar, self._meeting_level(l, k)
        check_integer("target", target, 0, k - 1)
        prior = self.marginals[k]
        prior = prior.mean(0) if family is None else prior[check_integer("family", family, 0, len(prior) - 1)]
        symbol, targets = self.descents(k - 1, l), self.descents(k - 1, target)
        blocks = [
            [
                np.einsum("iax,ab,qby->xiqy", symbol, self._children(k, prior, c, other), targets, optimize=True)
                for other in range(g.s)
                if other != c
            ]
            for c in range(g.s)
        ]
        return np.concatenate([np.concatenate(row, axis=2) for row in blocks], axis=1)

    def tuple_context(self, l: int, k: int | None = None, target: int = 0, family: int | None = None) -> Array:
        """p(level-l tuple, context symbol) for the v*m tuples `grammar.rules[l-1]`: (v, m, slots, q, v).

        The context knows a tuple only through its parent a: p(t, z) = w(t|a) p(a, z), so synonyms have equal p(z|t).
        """
        check_integer("l", l, 1, self.grammar.L - 1)
        return self.weights[l - 1][:, :, None, None, None] * self.context(l, k, target, family)[:, None]

    def tuple_correlation(self, l: int, k: int | None = None, target: int = 0) -> float:
        r"""Return the root mean square of C(t, z) over tuples, slots, positions, symbols and families.

        Its mean square over grammars is `theory.tuple_correlation` squared.
        """
        families = [self.tuple_context(l, k, target, n) for n in self._families(l, k)]
        tables = [p.reshape(-1, *p.shape[2:]) for p in families]
        return float(np.sqrt(np.mean([covariance(table) ** 2 for table in tables])))

    def context_variance(self, l: int, k: int | None = None, target: int = 0) -> float:
        """Variance of p(z|a) - p(z) over context symbols z and level-l symbols a (with their probability).

        Averaged over slots, positions and families; its mean over grammars is `theory.context_variance`.
        """
        families = [self.context(l, k, target, n) for n in self._families(l, k)]
        return float(np.mean([_conditional_variance(joint) for joint in families]))

    # ---- pieces ---------------------------------------------------------------------------------------------

    def _step(self, l: int) -> Array:
        """p(child j | parent) of level-l rules: (s, v, v)."""
        v, m, s = self.grammar.rules[l - 1].shape
        out = np.zeros((s, v, v))
        parent = np.repeat(np.arange(v), m)
        for j in range(s):
            np.add.at(out[j], (parent, self.grammar.rules[l - 1][..., j].ravel()), self.weights[l - 1].ravel())
        return out

    def _children(self, k: int, prior: Array, c: int, other: int) -> Array:
        """p(child c, child other) below a level-k node of given marginal: (v, v)."""
        rules = self.grammar.rules[k - 1].reshape(-1, self.grammar.s)
        out = np.zeros((self.grammar.v, self.grammar.v))
        np.add.at(out, (rules[:, c], rules[:, other]), (prior[:, None] * self.weights[k - 1]).ravel())
        return out

    def _meeting_level(self, l: int, k: int | None) -> int:
        """k, or l+1 if None, with both checked."""
        check_integer("l", l, 0, self.grammar.L - 1)
        return l + 1 if k is None else check_integer("k", k, l + 1, self.grammar.L)

    def _families(self, l: int, k: int | None) -> range:
        """The numbers of the nodes of the meeting level."""
        return range(self.grammar.s ** (self.grammar.L - self._meeting_level(l, k)))

    def _node(self, name: str, node: Any) -> Node:
        if not isinstance(node, (tuple, list)) or len(node) != 2:
            raise ValueError(f"{name} must be a pair (level, number from the left), got {shown(node)}")
        level, number = node
        level = check_integer(f"level of {name}", level, 0, self.grammar.L)
        return level, check_integer(f"number of {name}", number, 0, self.grammar.s ** (self.grammar.L - level) - 1)

    def _meeting(self, one: Node, other: Node) -> Node:
        """The lowest node that is, or lies above, both."""
        (level, number), (level2, number2), s = one, other, self.grammar.s
        k = max(level, level2)
        a, b = number // s ** (k - level), number2 // s ** (k - level2)
        while a != b:
            a, b, k = a // s, b // s, k + 1
        return k, a


def _conditional_variance(joint: Array) -> float:
    p = joint.sum(3, keepdims=True)
    z = joint.sum(0, keepdims=True)
    given = np.divide(joint, p, out=np.zeros_like(joint), where=p > 0)
    return float((p * (given - z) ** 2).sum(0).mean())


def sample_truncated(grammar: RandomHierarchyModel, known: int, P: int, seed: Any) -> Array:
    """Draw strings of a model that knows exactly the rules of levels <= known: (P, d).

    Blocks of s**known tokens are independent and grammatical, their level-known symbols uniform: what an ideal
    learner half way up would write (derived). known = 0 gives uniform tokens, known = L the grammar itself.

    >>> g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
    >>> g.level_accuracy(sample_truncated(g, 2, 4000, seed=0)).round(1).tolist()
    [1.0, 1.0, 0.4]
    """
    check_instance("grammar", grammar, RandomHierarchyModel)
    check_integer("known", known, 0, grammar.L)
    P = check_integer("P", P, 0, limit=MOST_STRINGS // grammar.d)
    rng = generator(seed)
    if known == 0:
        return rng.integers(grammar.v, size=(P, grammar.d)).astype(grammar.dtype)
    rules, weights = grammar.rules[:known], grammar.probabilities
    block = RandomHierarchyModel(rules, None if weights is None else weights[:known])
    return block.sample(P * grammar.s ** (grammar.L - known), rng).reshape(P, grammar.d)
