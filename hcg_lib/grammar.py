r"""The Random Hierarchy Model: a random probabilistic context-free grammar on a regular tree.

A root symbol is drawn uniformly among $v$; each symbol of level $l = L, …, 1$ is rewritten by one of its $m$
rules into $s$ symbols of level $l-1$; the $d = s^L$ symbols of level 0 are the string. All $v m$ right-hand
sides of a level are distinct, so a tuple has at most one parent, a string at most one derivation, and there are

$$ n = v\, m^{(s^L-1)/(s-1)} $$

grammatical strings (Favero et al. 2025, §2; the counting is derived).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt
from numpy.typing import ArrayLike

from hcg_lib._random import generator
from hcg_lib._reader import Reader
from hcg_lib._subtrees import Subtrees, sample_distinct, sample_strings
from hcg_lib._validate import MOST_STRINGS, check_flag, check_integer, check_list, check_shape, check_symbols
from hcg_lib.rules import check_length, check_probabilities, check_rules, draw_rules, symbol_dtype, zipf_probabilities
from hcg_lib.theory import valid_fraction

Array = np.ndarray


class RandomHierarchyModel:
    """A hierarchical grammar with explicit rules: sampling, ranking, parsing and counting.

    Parameters
    ----------
    rules
        L integer arrays of shape (v, m, s), leaf-most first: `rules[0]` makes tokens, `rules[-1]` expands the root.
    probabilities
        None for uniform rules, else L arrays (m,) or (v, m) of positive probabilities that sum to 1 over rules.

    Raises
    ------
    ValueError
        If shapes, symbol range or distinctness of the tuples are violated; the message names the tuple.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=0)
    >>> g.d, g.n_strings, g.f
    (8, 512, 0.5)
    >>> x = g.sample(5, seed=1)
    >>> x.shape, bool(g.is_grammatical(x).all())
    ((5, 8), True)
    >>> bool((g.unrank(g.rank(x)) == x).all())
    True
    """

    def __init__(self, rules: Sequence[ArrayLike], probabilities: Sequence[ArrayLike] | None = None):
        self.rules = check_rules(rules)
        self.v, self.m, self.s = self.rules[0].shape
        self.L = len(self.rules)
        check_length(self.s, self.L)
        self.probabilities = (
            None if probabilities is None else check_probabilities(probabilities, self.L, self.v, self.m)
        )

    @classmethod
    def random(
        cls, v: int, m: int, s: int, L: int, seed: Any = 0, zipf_exponent: float | Sequence[float] = 0.0
    ) -> RandomHierarchyModel:
        """Draw a grammar: at every level v*m distinct s-tuples, uniformly, split into v blocks of m.

        Parameters
        ----------
        v, m, s, L
            Vocabulary (>= 2), rules a symbol (1 … v**(s-1)), branching (>= 2), depth (>= 1).
        seed
            Integer or numpy Generator.
        zipf_exponent
            Rule r of a symbol has probability ∝ (r+1)**-exponent; one number, or one a level, leaf-most first.

        Examples
        --------
        >>> RandomHierarchyModel.random(v=16, m=4, s=2, L=3, seed=0)
        RandomHierarchyModel(v=16, m=4, s=2, L=3)
        """
        v, m, s = check_shape(v, m, s)
        check_length(s, L)
        probabilities = zipf_probabilities(m, L, zipf_exponent)
        rng = generator(seed)
        rules = [draw_rules(v, m, s, rng) for _ in range(L)]
        return cls(rules, probabilities)

    def __repr__(self) -> str:
        weighted = "" if self.probabilities is None else ", probabilities=…"
        return f"RandomHierarchyModel(v={self.v}, m={self.m}, s={self.s}, L={self.L}{weighted})"

    # ---- counting

    @property
    def d(self) -> int:
        """Tokens in a string, s**L."""
        return self.s**self.L

    @property
    def f(self) -> float:
        """Fraction of the v**s tuples that are grammatical, m / v**(s-1)."""
        return valid_fraction(self.v, self.m, self.s)

    @property
    def dtype(self) -> np.dtype:
        """The smallest unsigned dtype that holds a symbol."""
        return symbol_dtype(self.v)

    @cached_property
    def n_strings(self) -> int:
        """Number of grammatical strings, an exact integer."""
        return self._subtrees.n_strings

    def entropy(self) -> float:
        """Entropy of a string in nats: log v plus the entropies of the rule choices, exact.

        >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
        >>> bool(np.isclose(g.entropy(), np.log(g.n_strings)))
        True
        """
        symbol = np.full(self.v, 1 / self.v)  # frequency of a level's symbols, averaged over its nodes
        total = np.log(self.v)
        for level in range(self.L, 0, -1):
            p = self.level_probabilities(level)
            total -= self.s ** (self.L - level) * symbol @ (p * np.log(p)).sum(1)
            weight = np.repeat((symbol[:, None] * p).ravel(), self.s) / self.s
            symbol = np.bincount(self.rules[level - 1].ravel(), weights=weight, minlength=self.v)
        return float(total)

    def level_probabilities(self, level: int) -> Float[Array, " {self.v} {self.m}"]:
        """Return the rule probabilities of level `level` = 1 … L: (v, m)."""
        check_integer("level", level, 1, self.L)
        if self.probabilities is None:
            return np.full((self.v, self.m), 1 / self.m)
        return self.probabilities[level - 1]

    # ---- sampling

    def sample(self, P: int, seed: Any, unique: bool = False) -> UInt[Array, " {P} {self.d}"]:
        """Draw P strings; `unique=True` draws without replacement.

        Returns
        -------
        (P, d) array of the grammar's dtype. The same seed gives the same strings on any number of threads.

        Raises
        ------
        ValueError
            If `unique` and P exceeds the number of strings.
        """
        P, rng = check_integer("P", P, 0, limit=MOST_STRINGS // self.d), generator(seed)
        if not check_flag("unique", unique):
            return sample_strings(self, self._subtrees, P, rng)
        if self.n_strings < P:
            raise ValueError(f"P must be at most the {self.n_strings} distinct strings when unique=True, got {P}")
        return sample_distinct(self, self._subtrees, P, rng)

    def sample_batches(self, P: int, seed: Any, batch: int = 1 << 18) -> Iterator[Array]:
        """Yield P strings drawn with replacement, in batches: a stream of any length in bounded memory.

        >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
        >>> [len(x) for x in g.sample_batches(10, seed=0, batch=4)]
        [4, 4, 2]
        """
        P, batch, rng = check_integer("P", P, 0), check_integer("batch", batch, 1, limit=MOST_STRINGS), generator(seed)
        return (self.sample(min(batch, P - start), rng) for start in range(0, P, batch))

    # ---- index <-> string

    def unrank(self, index: Any) -> UInt[Array, " {len(index)} {self.d}"]:
        """Return the strings with the given numbers, 0 <= index < n_strings: (P, d).

        Numbers may exceed 2**63: pass Python integers (a list, or an array of dtype object).
        The number reads, in mixed radix: root symbol, its rule, then the children's subtrees from left to right.
        """
        return self._subtrees.unrank(self._subtrees.check_index(index))

    def rank(self, x: ArrayLike) -> Shaped[Array, " {len(x)}"]:
        """Return the number of every string, the inverse of `unrank`: int64 (P,), Python integers beyond 2**63.

        Raises
        ------
        ValueError
            If a string is not grammatical: it has no number.
        """
        rules = self._read_rules(x)
        if (rules[-1] < 0).any():
            raise ValueError(f"x must hold grammatical strings, got string {int(np.argmax(rules[-1] < 0))} that is not")
        return self._subtrees.rank(rules)

    def log_probability(self, x: ArrayLike) -> Float[Array, " {len(x)}"]:
        """Return the exact log-probability of every string in nats, -inf where it is not grammatical: (P,)."""
        rules = self._read_rules(x)
        valid = rules[-1][:, 0] >= 0
        total = np.full(len(valid), -np.log(self.v))
        for level, rule in enumerate(rules, start=1):
            total += np.log(self.level_probabilities(level)).ravel()[rule].sum(1)
        return np.where(valid, total, -np.inf)

    # ---- parsing

    def parse(self, x: ArrayLike) -> list[Array]:
        """Read strings bottom-up: L+1 arrays, level l of shape (P, s**(L-l)), -1 where nothing parses.

        A level-l node is valid iff its s children are and form a tuple of the level-l rules; it then takes that
        tuple's unique parent.
        """
        x = self._strings(x)
        return [x, *(np.where(rule >= 0, rule // self.m, -1) for rule in self._read_rules(x))]

    def rule_choices(self, x: ArrayLike) -> list[Array]:
        """Return which of the m rules every node used: L arrays, level l = 1 … L, -1 where nothing parses."""
        return [np.where(rule >= 0, rule % self.m, -1) for rule in self._read_rules(x)]

    def derive(self, root: ArrayLike, choices: Sequence[ArrayLike]) -> list[Array]:
        """Apply rule choices to root symbols: the L+1 levels of the derivation, tokens first.

        Parameters
        ----------
        root
            (P,) symbols.
        choices
            L arrays, level l = 1 … L of shape (P, s**(L-l)), with entries below m, as `rule_choices` returns.
        """
        symbol = check_symbols("root", root, self.v, ndim=1)[:, None]
        choices = check_list("choices", choices, "of arrays, one a level")
        if len(choices) != self.L:
            raise ValueError(f"choices must hold one array a level ({self.L}), got {len(choices)}")
        levels = [symbol]
        for level in range(self.L, 0, -1):
            choice = check_symbols(f"choices of level {level}", choices[level - 1], self.m, symbol.shape[1])
            if len(choice) != len(symbol):
                raise ValueError(f"choices of level {level} must have {len(symbol)} rows, got {len(choice)}")
            symbol = self.rules[level - 1][symbol, choice].reshape(len(symbol), symbol.shape[1] * self.s)
            levels.append(symbol)
        return levels[::-1]

    def is_grammatical(self, x: ArrayLike) -> Bool[Array, " {len(x)}"]:
        """Tell which strings the grammar can make: bool (P,)."""
        return self._read_rules(x)[-1][:, 0] >= 0

    def count_valid(self, x: ArrayLike) -> Int[Array, " {self.L} 2"]:
        """Count, per level, valid nodes and nodes whose children are all valid: int64 (L, 2), additive over batches."""
        return self._reader.count_valid(self._strings(x))

    def level_accuracy(self, x: ArrayLike) -> Float[Array, " {self.L}"]:
        """Return A_1 … A_L: the fraction of valid level-l nodes, over strings and nodes: float (L,).

        A_L is the fraction of grammatical strings. Needs at least one string.

        >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=0)
        >>> g.level_accuracy(g.sample(10, seed=0))
        array([1., 1., 1.])
        """
        x = self._strings(x)
        if len(x) == 0:
            raise ValueError("x must hold at least one string, got none")
        nodes = len(x) * self.s ** np.arange(self.L - 1, -1, -1)
        return self.count_valid(x)[:, 0] / nodes

    def order_parameter(self, x: ArrayLike) -> Float[Array, " {self.L}"]:
        """Return a_1 … a_L = P(node valid | all its children valid), NaN at levels no node of which has valid children.

        Chance is f and the ceiling 1 at every level, which makes levels comparable (derived).
        """
        valid, complete = self.count_valid(x).T
        return np.divide(valid, complete, out=np.full(self.L, np.nan), where=complete > 0)

    # ---- tables

    def _strings(self, x: ArrayLike) -> UInt[Array, "P {self.d}"]:
        return np.ascontiguousarray(check_symbols("x", x, self.v, self.d)).astype(self.dtype, copy=False)

    def _read_rules(self, x: ArrayLike) -> list[Array]:
        return self._reader.read(self._strings(x))

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.rules)

    @cached_property
    def _subtrees(self) -> Subtrees:
        return Subtrees(self.rules)
