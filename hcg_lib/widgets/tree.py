"""Grow a derivation tree in the page: change one rule or one token and see what follows."""

from __future__ import annotations

from typing import Any

import anywidget
import numpy as np
import traitlets as t

from hcg_lib._validate import check_instance, check_integer
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.plotting import LEVEL_COLORS

from ._bundle import bundle, style

MOST_TOKENS = 64
MOST_NUMBERS = 40_000  # of rules; keeps the state of a page below 300 KB


class TreeExplorer(anywidget.AnyWidget):
    """The piece itself; make one with `tree_explorer`. Everything the reader does is in its synced traits."""

    _esm = bundle("tree.mjs")
    _css = style()
    rules: t.List = t.List().tag(sync=True)
    colors: t.List = t.List(list(LEVEL_COLORS)).tag(sync=True)
    seed = t.Int(0).tag(sync=True)
    root = t.Int(0).tag(sync=True)
    choices: t.List = t.List().tag(sync=True)
    tokens: t.List = t.List().tag(sync=True)
    shown = t.Int(0).tag(sync=True)

    def __init__(self, grammar: RandomHierarchyModel, **traits: Any) -> None:
        self.grammar = grammar
        super().__init__(rules=[table.tolist() for table in grammar.rules], **traits)

    @property
    def derivation(self) -> list[np.ndarray]:
        """Symbols of level l = 0 … L written by `root` and `choices`, shape (s**(L-l),)."""
        return expand(self.grammar, self.root, self.choices)

    @property
    def parsed(self) -> list[np.ndarray]:
        """Symbols of level l = 0 … L read from `tokens`, −1 where nothing parses."""
        return [level[0] for level in self.grammar.parse(np.array([self.tokens]))]

    def choose(self, level: int, node: int, rule: int) -> None:
        """Use another rule at one node; the tokens below it are written anew.

        Raises
        ------
        ValueError
            If the level, node or rule does not exist.
        """
        g = self.grammar
        level = check_integer("level", level, 1, g.L)
        node = check_integer("node", node, 0, g.s ** (g.L - level) - 1)
        rule = check_integer("rule", rule, 0, g.m - 1)
        choices = [list(row) for row in self.choices]
        choices[level - 1][node] = rule
        fresh = expand(g, self.root, choices)[0].tolist()
        below = slice(node * g.s**level, (node + 1) * g.s**level)
        tokens = list(self.tokens)
        tokens[below] = fresh[below]
        with self.hold_sync():
            self.choices, self.tokens = choices, tokens


def expand(grammar: RandomHierarchyModel, root: int, choices: list[list[int]]) -> list[np.ndarray]:
    """The derivation tree of `root` with rule `choices[l-1][k]` at node k of level l, leaf-most level first."""
    levels = [np.array([root])]
    for table, rule in zip(reversed(grammar.rules), reversed(choices), strict=True):
        levels.insert(0, table[levels[0], rule].ravel().astype(int))
    return levels


def uniforms(seed: int, n: int) -> list[float]:
    """n numbers in [0, 1) of the 32-bit generator mulberry32, the one the page has too.

    Examples
    --------
    >>> [round(u, 6) for u in uniforms(1, 2)]
    [0.627074, 0.002736]
    """
    mask, state, numbers = 0xFFFFFFFF, seed & 0xFFFFFFFF, []
    for _ in range(n):
        state = (state + 0x6D2B79F5) & mask
        z = ((state ^ (state >> 15)) * (state | 1)) & mask
        z ^= (z + (z ^ (z >> 7)) * (z | 61)) & mask
        numbers.append((z ^ (z >> 14)) / 2**32)
    return numbers


def draw_choices(grammar: RandomHierarchyModel, seed: int) -> tuple[int, list[list[int]]]:
    """Root and rule choices of a random tree, uniform; `seed` gives the same tree in Python and in the page."""
    counts = [grammar.s ** (grammar.L - l) for l in range(grammar.L, 0, -1)]
    stream = iter(uniforms(seed, 1 + sum(counts)))
    root = int(next(stream) * grammar.v)
    rows = [[int(next(stream) * grammar.m) for _ in range(n)] for n in counts]
    return root, rows[::-1]


def tree_explorer(grammar: RandomHierarchyModel, seed: int = 0, shown: int | None = None) -> TreeExplorer:
    """A derivation tree to grow level by level; a click changes one rule, or one token, and the tree answers.

    Parameters
    ----------
    grammar : RandomHierarchyModel
        At most 64 tokens; 8 or 16 read best.
    seed : int
        Of the first tree, 0 … 2³¹ − 1; "New tree" goes on to the next seed.
    shown : int, optional
        Levels of rules already grown, 0 … L; all by default.

    Returns
    -------
    TreeExplorer
        Observe `choices`, `tokens`, `seed` or `shown` in a live notebook; read `.derivation` and `.parsed`.

    Raises
    ------
    ValueError
        If the grammar is too large for a page or an argument is out of range.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
    >>> widget = tree_explorer(g, seed=1)
    >>> widget.choose(level=2, node=0, rule=(widget.choices[1][0] + 1) % g.m)
    >>> bool(g.is_grammatical(np.array([widget.tokens]))[0])
    True
    """
    check_instance("grammar", grammar, RandomHierarchyModel)
    numbers = grammar.L * grammar.v * grammar.m * grammar.s
    if grammar.d > MOST_TOKENS or numbers > MOST_NUMBERS:
        raise ValueError(
            f"grammar must have at most {MOST_TOKENS} tokens a string and {MOST_NUMBERS} numbers in its rules, "
            f"got {grammar.d} and {numbers}"
        )
    seed = check_integer("seed", seed, 0, 2**31 - 1)
    shown = grammar.L if shown is None else check_integer("shown", shown, 0, grammar.L)
    root, choices = draw_choices(grammar, seed)
    tokens = expand(grammar, root, choices)[0].tolist()
    return TreeExplorer(grammar, seed=seed, root=root, choices=choices, tokens=tokens, shown=shown)
