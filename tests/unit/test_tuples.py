"""Counts of tuples and their contexts: against a plain loop, additivity, floors, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.tuples import TupleStatistics, level_statistics


def plain_counts(symbols, targets, s, distance, family):
    """{(tuple, slot, position, target): count}, by loops over nested lists."""
    slots, found = s**distance, {}
    nodes = symbols.shape[1] // s
    span = targets.shape[1] // nodes
    for row, context in zip(symbols.tolist(), targets.tolist(), strict=True):
        for number in range(nodes // slots):
            if family is not None and number != family:
                continue
            for slot in range(slots):
                node = number * slots + slot
                tuple_ = tuple(row[node * s : node * s + s])
                child = slot // (slots // s)
                others = [
                    z
                    for other in range(slots)
                    if other // (slots // s) != child
                    for z in context[(number * slots + other) * span : (number * slots + other + 1) * span]
                ]
                for q, z in enumerate(others):
                    if min(tuple_) >= 0 and z >= 0:
                        found[tuple_, slot, q, z] = found.get((tuple_, slot, q, z), 0) + 1
    return found


def as_dictionary(statistics):
    return {
        (tuple(statistics.tuples[t].tolist()), slot, q, z): int(statistics.counts[t, slot, q, z])
        for t, slot, q, z in np.argwhere(statistics.counts)
    }


@given(
    seed=st.integers(0, 10**6),
    s=st.integers(2, 3),
    distance=st.integers(1, 2),
    families=st.integers(1, 2),
    span=st.integers(1, 3),
    pooled=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_counts_equal_a_plain_loop(seed, s, distance, families, span, pooled):
    rng = np.random.default_rng(seed)
    nodes = families * s**distance
    symbols = rng.integers(-1, 3, (7, nodes * s))
    targets = rng.integers(-1, 4, (7, nodes * span))
    family = None if pooled else families - 1
    statistics = TupleStatistics(3, s, 4, distance=distance, family=family)
    statistics.update(symbols, targets)
    assert as_dictionary(statistics) == plain_counts(symbols, targets, s, distance, family)


def test_batches_add_up_in_any_order():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, (300, 8))
    whole, parts = TupleStatistics(5, 2, 5), TupleStatistics(5, 2, 5)
    whole.update(x, x)
    for batch in np.array_split(x[::-1], 7):
        parts.update(batch, batch)
    assert (whole.tuples == parts.tuples).all()
    assert (whole.counts == parts.counts).all()
    assert parts.n_strings == 300


def test_rows_are_sorted_and_counts_complete():
    x = np.array([[3, 1, 0, 0], [0, 0, 2, 2]])
    statistics = TupleStatistics(4, 2, 4)
    statistics.update(x, x)
    assert statistics.tuples.tolist() == [[0, 0], [2, 2], [3, 1]]
    assert statistics.occurrences.tolist() == [2.0, 1.0, 1.0]
    assert statistics.counts.sum() == 2 * 2 * 2


def test_counts_of_given_tuples_are_zero_where_unseen():
    x = np.array([[3, 1, 0, 0], [0, 0, 2, 2]])
    statistics = TupleStatistics(4, 2, 4)
    statistics.update(x, x)
    found = statistics.counts_of([[[2, 2], [1, 1]]])
    assert found.shape == (1, 2, 2, 2, 4)
    assert (found[0, 0] == statistics.counts[1]).all()
    assert not found[0, 1].any()
    with pytest.raises(ValueError, match="tuples must hold symbols from 0 to 3, got 4"):
        statistics.counts_of([[4, 0]])


def test_selected_positions_are_a_slice_of_all():
    x = np.random.default_rng(1).integers(0, 4, (50, 8))
    every, some = TupleStatistics(4, 2, 4, distance=2), TupleStatistics(4, 2, 4, distance=2, positions=[3, 1])
    every.update(x, x)
    some.update(x, x)
    assert (some.counts == every.counts[:, :, [3, 1]]).all()


def test_synonyms_share_their_context_and_others_do_not():
    """Context vectors converge to the parent's: distances within a class vanish, between classes they stay."""
    g = RandomHierarchyModel.random(v=8, m=4, s=2, L=2, seed=0)
    found = level_statistics(g, g.sample_batches(400_000, seed=1))[1].context()
    parent = g.parse(np.tile(found.tuples, (1, 2)))[1][:, 0]
    distance = ((found.vectors[:, None] - found.vectors[None]) ** 2).sum(-1)
    same = parent[:, None] == parent[None]
    np.fill_diagonal(distance, np.nan)
    assert np.nanmax(distance[same]) < 0.2 * np.nanmin(distance[~same])


def test_context_averages_to_zero_over_occurrences():
    g = RandomHierarchyModel.random(v=6, m=2, s=2, L=3, seed=0)
    statistics = level_statistics(g, g.sample(2000, seed=0), family=0)[1]
    vectors = statistics.context(slots="together").vectors
    count = statistics.counts.sum((1, 2, 3))
    assert np.abs((vectors * count[:, None]).sum(0)).max() < 1e-9 * count.sum()


@pytest.mark.parametrize("form", ["joint", "conditional"])
def test_floor_is_the_whole_signal_of_independent_symbols(form):
    """Uniform strings have no correlations: raw equals floor within 4 standard errors over 30 repetitions."""
    values, floors = [], []
    for seed in range(30):
        x = np.random.default_rng(seed).integers(0, 6, (1500, 4))
        statistics = TupleStatistics(6, 2, 6)
        statistics.update(x, x)
        measured = statistics.mean_square(form)
        values.append(measured.value)
        floors.append(measured.floor)
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert error < 0.02 * np.mean(floors)


def test_floor_has_the_size_of_the_closed_form():
    """Joint floor 1/(v^2 m N), up to (1-1/v)(1-1/(v m))."""
    g = RandomHierarchyModel.random(v=8, m=8, s=2, L=2, seed=0)  # f = 1: independent tokens
    P = 20_000
    floor = level_statistics(g, g.sample(P, seed=0))[1].mean_square().floor
    assert floor == pytest.approx((1 - 1 / 8) * (1 - 1 / 64) / (8 * 8 * 8 * P), rel=0.01)


def test_unpooled_counts_see_one_family():
    g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=0)
    x = g.sample(100, seed=0)
    pooled, plain = (level_statistics(g, x, [1], family=family)[1].counts.sum() for family in (None, 1))
    assert pooled == 2 * plain == 2 * 100 * 2 * 2


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"v": 2, "s": 1, "n_targets": 2}, "s must be an integer >= 2, got 1"),
        ({"v": 2, "s": 2, "n_targets": 0}, "n_targets must be"),
        ({"v": 2, "s": 2, "n_targets": 2, "distance": 0}, "distance must be"),
        ({"v": 2**15, "s": 2, "n_targets": 2}, "v must keep"),
    ],
)
def test_bad_construction_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TupleStatistics(**arguments)


@pytest.mark.parametrize(
    "symbols, targets, options, message",
    [
        ([[0, 1, 0]], [[0, 1, 0]], {}, "symbols must have a width that is a multiple of s"),
        ([[0, 1, 0, 1]], [[0, 1, 0]], {}, "targets must have a width that is a multiple of 2 tuples, got 3"),
        ([[0, 1, 0, 1]], [[0, 1], [0, 1]], {}, "targets must have 1 rows"),
        ([[0, 1, 0, 5]], [[0, 1]], {}, "symbols must hold symbols from -1 to 1, got 5"),
        ([[0, 1, 0, 1]], [[0, 2]], {}, "targets must hold symbols from -1 to 1, got 2"),
        ([[0, 1, 0, 1]], [[0, 1]], {"family": 1}, "family must be below the 1 families"),
        ([[0, 1, 0, 1]], [[0, 1]], {"positions": [1]}, "positions must be below the 1 context positions, got 1"),
        ([[0, 1, 0, 1]], [[0, 1]], {"positions": []}, "positions must be a non-empty list"),
    ],
)
def test_bad_batches_are_refused(symbols, targets, options, message):
    with pytest.raises(ValueError, match=message):
        TupleStatistics(2, 2, 2, **options).update(symbols, targets)


def test_later_batches_must_have_the_same_span():
    statistics = TupleStatistics(2, 2, 2)
    statistics.update([[0, 1, 0, 1]], [[0, 1]])
    with pytest.raises(ValueError, match="1 symbols a tuple"):
        statistics.update([[0, 1, 0, 1]], [[0, 1, 0, 1]])


def test_empty_statistics_refuse_to_speak():
    with pytest.raises(ValueError, match="got none"):
        TupleStatistics(2, 2, 2).mean_square()
