"""Coherence: lengths of curves that are known, overlaps of Markov chains in closed form, copies against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcg_lib.coherence import Overlap, Reference, coherence_length
from hcg_lib.copying import longest_copied
from hcg_lib.correlations import TokenCorrelations

T = np.array([1, 2, 4, 8, 16, 32])


def chain(count, d, flip, seed):
    """Symmetric two-state chains, stationary: the entries of C(t) are ±(1 - 2 flip)^t / 4, so ‖C(t)‖ is twice that."""
    rng = np.random.default_rng(seed)
    moves = rng.random((count, d)) < flip
    moves[:, 0] = rng.random(count) < 0.5
    return np.cumsum(moves, axis=1) % 2


@pytest.mark.parametrize(
    "curve, length",
    [
        (np.exp2(-T / 10), None),
        (np.ones(6), 32.0),
        (np.zeros(6), 0.0),
        ([0.49, 1, 1, 1, 1, 1], 0.0),
        ([1, 1, 1, 0, 1, 1], np.exp((np.log(4) + np.log(8)) / 2)),  # halfway in the logarithm
        ([1, 1, 0.5, 0.5, 0.5, 0.25], 16.0),  # not below one half until it is
    ],
)
def test_length_of_known_curves(curve, length):
    found = float(coherence_length(T, curve))
    if length is None:  # 2**(-t/10) passes one half at 10, on a coarse grid nearly
        length = 10
        assert found == pytest.approx(length, rel=0.05)
    else:
        assert found == pytest.approx(length)


@given(st.lists(st.floats(-1, 2), min_size=6, max_size=6), st.floats(0.05, 0.45), st.floats(0.5, 0.95))
@settings(max_examples=60, deadline=None)
def test_a_lower_threshold_reaches_further_and_rows_are_independent(curve, low, high):
    one, other = (float(coherence_length(T, curve, threshold)) for threshold in (low, high))
    assert one >= other >= 0
    assert one <= 32
    both = coherence_length(T, [curve, np.ones(6)], low)
    np.testing.assert_allclose(both, [one, 32])


def test_correlations_of_a_chain_are_the_closed_form():
    reference = Reference(list(chain(60, 4000, 0.05, 0)), 2, T)
    np.testing.assert_allclose(reference.curve.norm[:5], 0.9 ** T[:5] / 2, rtol=0.08)


@pytest.mark.parametrize("flip", [0.05, 0.1])
def test_overlap_of_two_chains_is_the_closed_form(flip):
    """⟨C', C⟩ / ‖C‖² = ((1 - 2 flip') / (1 - 2 flip))^t."""
    reference = Reference(list(chain(200, 4000, 0.05, 1)), 2, T)
    found = reference.overlap(chain(1500, 64, flip, 2))
    expected = ((1 - 2 * flip) / 0.9) ** T
    low, high = found.interval
    assert ((low - 0.04 < expected) & (expected < high + 0.04)).all()
    np.testing.assert_allclose(found.values[:4], expected[:4], atol=0.04)
    if flip == 0.1:
        assert found.length == pytest.approx(np.log(2) / np.log(0.9 / 0.8), rel=0.2)
        assert found.length_interval[0] <= found.length <= found.length_interval[1]
    else:
        assert found.length > 15


def test_independent_tokens_overlap_with_nothing():
    reference = Reference(list(chain(100, 2000, 0.05, 1)), 2, T)
    found = reference.overlap(np.random.default_rng(0).integers(2, size=(800, 64)))
    assert found.length == 0
    assert (np.abs(found.values) < 4 * found.replicates.std(0)).all()


def test_a_large_vocabulary_is_counted_sparsely_to_the_same_result():
    documents, strings = chain(40, 600, 0.1, 3), chain(80, 40, 0.2, 4)
    small = Reference(list(documents), 2, T).overlap(strings)
    large = Reference(list(documents * 4000), 4001, T).overlap(strings * 4000)
    np.testing.assert_allclose(small.values, large.values, rtol=1e-9)
    np.testing.assert_allclose(small.replicates, large.replicates, rtol=1e-9)


def test_strings_that_repeat_each_other_have_wider_intervals_when_it_is_said():
    reference = Reference(list(chain(60, 2000, 0.1, 5)), 2, T)
    few = np.repeat(chain(20, 64, 0.1, 6), 16, axis=0)
    naive, honest = reference.overlap(few), reference.overlap(few, groups=np.repeat(np.arange(20), 16))
    widths = [np.diff(found.interval, axis=0)[0] for found in (naive, honest)]
    assert (widths[1][:3] > 1.2 * widths[0][:3]).all()


def test_intervals_cover():
    """The overlap of a chain with itself is 1; nominal 95 % intervals contain it in most of 40 draws."""
    reference = Reference(list(chain(400, 4000, 0.1, 7)), 2, [1, 4])
    hits = []
    for seed in range(40):
        low, high = reference.overlap(chain(128, 32, 0.1, 100 + seed), resamples=200).interval
        hits.append((low < 1) & (high > 1))
    assert np.mean(hits) > 0.85


def test_distances_end_where_the_real_text_shows_nothing():
    """Beyond the memory of a short text there is nothing to divide by: the overlap stays a number of order 1."""
    documents = list(chain(12, 60, 0.3, 8))
    asked = np.arange(1, 50)
    squared = TokenCorrelations(2, asked, groups=12).update(documents).estimate().squared
    reach = int(np.argmin(squared > 0))
    assert 2 < reach < len(asked)
    reference = Reference(documents, 2, asked)
    assert reference.distances.tolist() == reference.curve.distances.tolist() == asked[:reach].tolist()
    assert (reference.curve.squared > 0).all()
    found = reference.overlap(chain(64, 60, 0.3, 9))
    assert found.values.shape == (reach,)
    assert found.length <= reach


def test_overlap_interval_is_of_its_replicates():
    found = Overlap(T, np.ones(6), np.vstack([np.zeros(6), np.ones(6)]), confidence=0.5)
    np.testing.assert_allclose(found.interval, [[0.25] * 6, [0.75] * 6])
    assert found.lengths.tolist() == [0, 32]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: coherence_length([1, 2], [1.0]), "overlap must have one value for each of 2"),
        (lambda: coherence_length([2, 1], [1.0, 1.0]), "increasing distances"),
        (lambda: coherence_length([1, 2], [1.0, np.nan]), "overlap must hold finite numbers"),
        (lambda: coherence_length([1], [1.0], threshold=1.0), "threshold must be a finite number"),
        (lambda: Reference([[1] * 9] * 6, 2, [2, 3]), "documents must show a correlation of tokens 2 apart"),
        (lambda: Reference([], 2, [1]), "needs pairs in at least 5 documents"),
        (lambda: Reference(list(chain(9, 20, 0.1, 0)), 2, [1]).overlap([[0, 3]]), "strings must hold symbols"),
        (lambda: Reference(list(chain(9, 20, 0.1, 0)), 2, [4]).overlap([[0, 1]]), "longer than the largest distance"),
        (lambda: Reference(list(chain(9, 20, 0.1, 0)), 2, [1]).overlap([[0, 1]], groups=[0, 1]), "one label for each"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- copies


def spans(string):
    return {tuple(string[i:j]) for i in range(len(string)) for j in range(i + 1, len(string) + 1)}


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=7, max_size=7), min_size=1, max_size=3),
    st.lists(st.lists(st.integers(0, 2), max_size=25), max_size=4),
)
@settings(max_examples=80, deadline=None)
def test_longest_span_is_that_of_brute_force(strings, documents):
    known = set().union(*(spans(document) for document in documents))
    expected = [max((len(span) for span in spans(string) if span in known), default=0) for string in strings]
    assert longest_copied(strings, [np.array(d, int) for d in documents]).tolist() == expected


def test_a_planted_copy_is_found_among_a_million_tokens_and_borders_stop_it():
    rng = np.random.default_rng(0)
    text, strings = rng.integers(60_000, size=1_000_000), rng.integers(60_000, size=(3, 200))
    strings[1, 30:130] = text[500_000:500_100]
    assert longest_copied(strings, [text])[1] == 100
    assert longest_copied(strings, [text[:500_040], text[500_040:]])[1] == 60
    assert (longest_copied(strings, [text])[[0, 2]] <= 2).all()
    assert longest_copied(strings, list(strings)).tolist() == [200] * 3


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: longest_copied([0, 1], [[0]]), r"strings must have shape \(P, d\)"),
        (lambda: longest_copied([[0, 1]], [[[0]]]), r"documents must have shape \(P,\)"),
        (lambda: longest_copied([[0.5]], [[0]]), "strings must hold integers"),
        (lambda: longest_copied([[0]], "text"), "documents must be a list of vectors of ids, got 'text'"),
    ],
)
def test_bad_copies_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
