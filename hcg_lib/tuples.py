r"""What the context says about a tuple: streaming counts of (tuple, context symbol), and the noise in them.

A *family* is the set of $s^{δ}$ neighboring s-tuples below one node, $δ$ levels above their parents; $δ = 1$ means
siblings. The context of a tuple is every target symbol below the *other* children of that node, so that tuple and
context meet (LCA) at that node. Counted is, for every tuple t, every slot of the family it can stand in, every
context position q and every symbol z,

$$ n(t, q, z), \qquad \hat p(z|t) = n(t,q,z) / n(t,q), \qquad r_t = \hat p(x_q = z | t) - \hat p(x_q = z) $$

(derived). The counts are additive, so strings may come in batches of any number and need not be kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hcg_lib._parallel import map_slices
from hcg_lib._tuple_kernels import count_contexts, mark_tuples
from hcg_lib._tuple_moments import MeanSquare, conditional, conditional_squares, covariance, joint_squares
from hcg_lib._validate import DEEPEST, check_choice, check_counts, check_instance, check_integer, check_symbols, iterate
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.rules import decode_tuples

Array = np.ndarray
CHUNK = 1 << 16  # strings counted at once
MOST_TUPLES = 1 << 28  # entries of the table code -> row
MOST_COUNTS = 1 << 28  # counters, 8 bytes each


@dataclass(frozen=True)
class Context:
    """Context vectors of the observed tuples: `tuples` (T, s), `vectors` (T, D) and `weights` (T,), their counts."""

    tuples: Array
    vectors: Array
    weights: Array


def check_tuples(v: int, s: int) -> int:
    """Return v**s, or raise a ValueError if a table of so many tuples is more than memory holds.

    >>> check_tuples(16, 2)
    256
    """
    if s * math.log2(v) > math.log2(MOST_TUPLES):
        raise ValueError(f"v must keep v**s <= {MOST_TUPLES} tuples, got v={v} with s={s}")
    return v**s


class TupleStatistics:
    """Additive counts of s-tuples of symbols against target symbols in their context.

    Parameters
    ----------
    v, s
        Symbols below `v` (-1: unknown, left out), read in tuples of `s`.
    n_targets
        Target symbols lie below this number (-1: unknown, left out).
    distance
        Levels from the parent of a tuple up to the node where tuple and context meet; 1 means siblings.
    family
        None pools all families of a string (weight sharing); a number counts that family only.
    positions
        Which context positions to count, as numbers below `(s-1) * s**(distance-1) * span`, where `span` is the
        number of targets below one tuple; None counts all.

    Examples
    --------
    >>> counts = TupleStatistics(v=2, s=2, n_targets=2)
    >>> counts.update([[0, 0, 1, 1], [0, 1, 1, 0]], [[0, 0, 1, 1], [0, 1, 1, 0]])
    >>> counts.tuples.tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> counts.context().vectors.shape  # 2 slots x 2 positions x 2 symbols
    (4, 8)
    """

    def __init__(
        self,
        v: int,
        s: int,
        n_targets: int,
        distance: int = 1,
        family: int | None = None,
        positions: Sequence[int] | None = None,
    ):
        self.v, self.s = check_integer("v", v, 1), check_integer("s", s, 2)
        self.n_targets = check_integer("n_targets", n_targets, 1, limit=MOST_COUNTS)
        self.distance = check_integer("distance", distance, 1, limit=DEEPEST)
        self.family = None if family is None else check_integer("family", family, 0)
        self.positions = None if positions is None else check_counts("positions", positions, 0)
        tuples = check_tuples(self.v, self.s)
        self.n_strings = 0
        self.counts = np.zeros((0, 0, 0, self.n_targets), np.int64)
        self._codes = np.empty(0, np.int64)  # sorted; row of `counts` = place in this list
        self._row = np.full(tuples, -1, np.int32)

    # ---- counting -------------------------------------------------------------------------------------------

    def update(self, symbols: Any, targets: Any) -> None:
        """Count one batch.

        Parameters
        ----------
        symbols
            (B, width) integers; width a multiple of s**(distance+1).
        targets
            (B, nodes * span) integers for the nodes = width / s tuples of a row: targets [i*span : (i+1)*span]
            lie below tuple i. Tokens, or the symbols themselves.

        Raises
        ------
        ValueError
            If shapes do not fit each other or an earlier batch, or symbols are out of range.
        """
        symbols = check_symbols("symbols", symbols, self.v, missing=True)
        targets = check_symbols("targets", targets, self.n_targets, missing=True)
        span = self._span_of(symbols, targets)
        slots = self.s**self.distance
        if self.family is not None:
            symbols = symbols[:, self.family * slots * self.s : (self.family + 1) * slots * self.s]
            targets = targets[:, self.family * slots * span : (self.family + 1) * slots * span]
        self._prepare(slots, span)
        for start in range(0, len(symbols), CHUNK):
            part = np.ascontiguousarray(symbols[start : start + CHUNK], np.int32)
            context = np.ascontiguousarray(targets[start : start + CHUNK], np.int32)
            self._grow(part)
            self._count(part, context, span)
        self.n_strings += len(symbols)

    def _span_of(self, symbols: Array, targets: Array) -> int:
        if len(symbols) != len(targets):
            raise ValueError(f"targets must have {len(symbols)} rows like symbols, got {len(targets)}")
        nodes, rest = divmod(symbols.shape[1], self.s)
        families, more = divmod(nodes, self.s**self.distance)
        if rest or more or not families:
            raise ValueError(
                f"symbols must have a width that is a multiple of s**(distance+1) = {self.s ** (self.distance + 1)}, "
                f"got {symbols.shape[1]}"
            )
        if self.family is not None and self.family >= families:
            raise ValueError(f"family must be below the {families} families of a string, got {self.family}")
        span, rest = divmod(targets.shape[1], nodes)
        if rest or not span:
            raise ValueError(f"targets must have a width that is a multiple of {nodes} tuples, got {targets.shape[1]}")
        return span

    def _prepare(self, slots: int, span: int) -> None:
        """Fix the shape of the counts at the first batch."""
        every = (slots - slots // self.s) * span
        if self.positions is None:
            self.positions = np.arange(every)
        if self.positions.max() >= every:
            raise ValueError(f"positions must be below the {every} context positions, got {self.positions.max()}")
        shape = (slots, len(self.positions), self.n_targets)
        if not self.counts.size and not len(self._codes):
            self._span = span
            self.counts = np.zeros((0, *shape), np.int64)
        elif span != self._span:
            raise ValueError(f"targets must have {self._span} symbols a tuple as in earlier batches, got {span}")

    def _grow(self, symbols: Array) -> None:
        """Give new tuples a row, keeping rows in the order of the tuples' codes."""
        seen = np.zeros(len(self._row), np.bool_)
        map_slices(lambda part: mark_tuples(symbols[part], self.v, self.s, seen), len(symbols))
        codes = np.flatnonzero(seen & (self._row < 0))
        if not len(codes):
            return
        merged = np.union1d(self._codes, codes)
        if len(merged) * int(np.prod(self.counts.shape[1:])) > MOST_COUNTS:
            raise ValueError(
                f"positions must be fewer: {len(merged)} tuples x {self.counts.shape[1:]} counters exceed {MOST_COUNTS}"
            )
        counts = np.zeros((len(merged), *self.counts.shape[1:]), np.int64)
        counts[np.searchsorted(merged, self._codes)] = self.counts
        self.counts, self._codes = counts, merged
        self._row[merged] = np.arange(len(merged))

    def _count(self, symbols: Array, targets: Array, span: int) -> None:
        slots, arguments = self.s**self.distance, (self._row, self.v, self.s, span, self.positions)
        if self.counts.size > symbols.size:  # private copies would cost more than they save
            count_contexts(symbols, targets, *arguments, slots, self.counts)
            return

        def work(part: slice) -> Array:
            out = np.zeros_like(self.counts)
            count_contexts(symbols[part], targets[part], *arguments, slots, out)
            return out

        for part in map_slices(work, len(symbols)):
            self.counts += part

    # ---- reading --------------------------------------------------------------------------------------------

    @property
    def tuples(self) -> Array:
        """The observed tuples in lexicographic order: (T, s)."""
        return decode_tuples(self._codes, self.v, self.s)

    @property
    def occurrences(self) -> Array:
        """How often each tuple was seen with a known context symbol, averaged over positions: float (T,)."""
        return self.counts.sum((1, 3)).mean(1)

    def counts_of(self, tuples: Any) -> Array:
        """Return the counts of the given tuples (…, s), 0 for those never seen: (…, slots, q, n_targets)."""
        tuples = check_symbols("tuples", tuples, self.v, self.s, ndim=None).astype(np.int64)
        row = self._row[tuples @ self.v ** np.arange(self.s - 1, -1, -1)]
        padded = np.concatenate([self.counts, np.zeros((1, *self.counts.shape[1:]), np.int64)])
        return padded[row]

    def context(self, slots: str = "separate") -> Context:
        r"""Return $r_t = \hat p(x_q=z|t) - \hat p(x_q=z)$ for every observed tuple, flattened.

        Parameters
        ----------
        slots
            "separate" keeps one block of the vector for every place in the family (what follows a tuple is not
            what precedes it); "together" sums the counts of all places first. A tuple never seen in a place has a
            zero block there.
        """
        check_choice("slots", slots, ("separate", "together"))
        counts = self.counts if slots == "separate" else self.counts.sum(1, keepdims=True)
        r = conditional(counts) - conditional(counts.sum(0, keepdims=True))
        r[counts.sum(-1) == 0] = 0
        return Context(self.tuples, r.reshape(len(r), int(np.prod(r.shape[1:]))), self.occurrences)

    def covariance(self) -> Array:
        r"""Return $\hat C(t,z) = \hat p(t, x_q=z) - \hat p(t) \hat p(x_q=z)$ by slot and position: (T, slots, q, z)."""
        return covariance(self.counts)

    def mean_square(self, form: str = "joint") -> MeanSquare:
        r"""Return the mean square correlation with its sampling floor (derived).

        Parameters
        ----------
        form
            "joint": mean of $\hat C(t,z)^2$ over observed tuples; the floor is the delta-method variance of
            $\hat C$, about $1/(v^2 m N)$ for N families read. "conditional": mean of $r_t^2$, tuples weighted by
            their counts; the floor is $\hat p(z|t)(1-\hat p(z|t)) (1/n_t - 1/N)$.

        Raises
        ------
        ValueError
            If nothing was counted.
        """
        check_choice("form", form, ("joint", "conditional"))
        if not self.counts.size:
            raise ValueError("strings must be counted before mean_square is asked for, got none")
        raw, floor = (joint_squares if form == "joint" else conditional_squares)(self.counts)
        return MeanSquare(raw, floor)


def level_statistics(
    grammar: RandomHierarchyModel,
    strings: Any,
    levels: Sequence[int] | None = None,
    targets: str = "tokens",
    **options: Any,
) -> dict[int, TupleStatistics]:
    r"""Count tuple contexts at every level of parsed strings: {l: statistics of the level-l tuples}.

    Parameters
    ----------
    grammar
        Parses the strings; a level-l tuple holds s symbols of level l-1 and its parent, if any, has level l.
    strings
        (P, d) array, or an iterable of such batches.
    levels
        Which l; default 1 … L - distance, all that have a context.
    targets
        "tokens": leaves below the siblings; "latents": symbols of level l-1 there.
    **options
        Of `TupleStatistics`: distance, family, positions.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=0)
    >>> {l: len(c.tuples) for l, c in level_statistics(g, g.sample(500, seed=0)).items()}
    {1: 8, 2: 8}
    """
    check_instance("grammar", grammar, RandomHierarchyModel)
    check_choice("targets", targets, ("tokens", "latents"))
    highest = grammar.L - check_integer("distance", options.get("distance", 1), 1, grammar.L - 1)
    wanted = range(1, highest + 1) if levels is None else iterate("levels", levels, "a list of levels")
    levels = [check_integer("levels", l, 1, highest) for l in wanted]
    found = {l: TupleStatistics(grammar.v, grammar.s, grammar.v, **options) for l in levels}
    batches = [strings] if isinstance(strings, np.ndarray) else strings
    for batch in iterate("strings", batches, "an array (P, d) or an iterable of batches"):
        batch = check_symbols("strings", batch, grammar.v, grammar.d)
        for start in range(0, len(batch), CHUNK):
            parsed = grammar.parse(batch[start : start + CHUNK])
            for l, counts in found.items():
                counts.update(parsed[l - 1], parsed[0 if targets == "tokens" else l - 1])
    return found
