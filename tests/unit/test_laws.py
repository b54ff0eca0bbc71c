"""Thresholds made by a law exclude the others and never that one; what was not reached counts one way only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hcg_lib.laws import CANDIDATES, compare_laws

SCAN = [(16, m, 2, 3) for m in (3, 4, 6, 8)] + [(8, 3, 2, 3), (8, 3, 2, 4)]


def made_by(law, rng, factor=1.7, noise=0.2, grammars=3):
    return [
        np.array([[factor * law(*shape, l) for l in range(1, shape[3] + 1)]] * grammars)
        * np.exp(rng.normal(0, noise, (grammars, shape[3])))
        for shape in SCAN
    ]


def test_candidates_are_the_laws_they_say():
    values = {name: [round(float(law(16, 4, 2, 3, l) * 0.75)) for l in (1, 2, 3)] for name, law in CANDIDATES.items()}
    assert values == {
        "context, no pooling": [64, 1024, 4096],
        "context, pooling": [16, 512, 4096],
        "far tokens": [64, 1024, 16384],
        "one step for all levels": [1024, 1024, 1024],
        "symbols, pooling": [256, 512, 1024],
        "siblings, pooling": [64, 128, 256],
        "memorizing": [48, 768, 196608],
    }


@pytest.mark.parametrize("name", CANDIDATES)
def test_the_law_that_made_the_thresholds_wins_and_all_others_are_excluded(name):
    found = compare_laws(SCAN, made_by(CANDIDATES[name], np.random.default_rng(0)), CANDIDATES)
    assert found.best == name
    assert set(found.excluded) == set(CANDIDATES) - {name}
    assert 1.7 in found.constants[name]
    assert found.rms[name].mean == pytest.approx(0.2, rel=0.3)
    assert found.floor <= found.rms[name].mean


def test_the_true_law_is_seldom_excluded():
    rng, law, rival = np.random.default_rng(1), CANDIDATES["far tokens"], CANDIDATES["context, no pooling"]
    close = {"true": law, "close": lambda *shape: law(*shape) ** 0.99 * rival(*shape) ** 0.01}
    wrong = sum("true" in compare_laws(SCAN, made_by(law, rng), close).excluded for _ in range(60))
    assert wrong <= 6


def test_one_constant_a_level_hides_what_depends_on_the_level_alone():
    three = [shape for shape in SCAN if shape[3] == 3]
    rng = np.random.default_rng(2)
    thresholds = [
        row for shape, row in zip(SCAN, made_by(CANDIDATES["context, pooling"], rng), strict=True) if shape[3] == 3
    ]
    found = compare_laws(three, thresholds, CANDIDATES, constant="level")
    plain, pooled = found.rms["context, no pooling"].mean, found.rms["context, pooling"].mean
    assert plain == pytest.approx(pooled)
    ratio = found.constants["context, pooling"].mean / found.constants["context, no pooling"].mean
    assert ratio == pytest.approx([4, 2, 1])
    assert "far tokens" in found.excluded


def test_root_mean_squares_are_those_of_the_formula():
    thresholds = [[[2.0], [8.0]], [[3.0], [3.0]]]
    found = compare_laws([(4, 2, 2, 1), (4, 2, 2, 1)], thresholds, {"flat": lambda *_: 1.0, "same": lambda *_: 5.0})
    logs = np.log([2, 8, 3, 3])
    assert found.rms["flat"].mean == found.rms["same"].mean == pytest.approx(logs.std())
    assert found.constants["flat"].mean == pytest.approx(np.exp(logs.mean()))
    assert found.floor == pytest.approx(np.sqrt(2 * np.log(2) ** 2 / 4))
    assert found.differences["flat", "same"].mean == pytest.approx(0)


@given(st.floats(0.1, 10))
def test_thresholds_not_reached_count_only_against_laws_that_put_them_within_reach(end):
    """Reached at 1 and 1, not at `end`: a law that says 1 fits if end <= 1, and compromises if not."""
    found = compare_laws(
        [(4, 2, 2, 1), (4, 2, 2, 1)], [[[1.0], [1.0]], [[np.nan], [np.nan]]], {"flat": lambda *_: 1.0}, largest=[1, end]
    )
    least = max(np.log(end), 0)
    assert found.rms["flat"].mean == pytest.approx(least / 2, abs=1e-6)
    assert found.constants["flat"].mean == pytest.approx(np.exp(least / 2), rel=1e-6)
    assert found.censored == 2


ONE, LAWS = [(4, 2, 2, 2)], {"flat": lambda *_: 1.0}
BAD = [
    (lambda: compare_laws([(4, 2, 2)], [[[1.0]]], LAWS), r"shapes must hold tuples \(v, m, s, L\)"),
    (lambda: compare_laws([(4, 9, 2, 2)], [[[1.0]]], LAWS), "m must be an integer from 1 to 4"),
    (lambda: compare_laws(ONE, [], LAWS), r"thresholds must hold one array, not all NaN, a shape \(1\)"),
    (lambda: compare_laws(ONE, [[[np.nan], [np.nan]]], LAWS, largest=[1]), "not all NaN"),
    (lambda: compare_laws(ONE, [[[np.nan], [1.0]]], LAWS), "largest must be given where thresholds are NaN"),
    (lambda: compare_laws(ONE, [[[1.0] * 3] * 2], LAWS), "levels must not exceed L = 2"),
    (
        lambda: compare_laws(ONE, [[[1.0]] * 2], LAWS, levels=[(1, 2)]),
        r"levels must name the columns of thresholds, \[1\]",
    ),
    (lambda: compare_laws(ONE, [[[1.0]] * 2], {}), "laws must map names to functions"),
    (lambda: compare_laws(ONE, [[[1.0]] * 2], {"a": 3}), "laws must be functions"),
    (lambda: compare_laws(ONE, [[[1.0]] * 2], {"a": lambda *_: 0.0}), "law 'a' must hold finite numbers > 0"),
    (lambda: compare_laws(ONE, [[[1.0]] * 2], LAWS, constant="none"), "constant must be one of 'common', 'level'"),
]


@pytest.mark.parametrize("call, message", BAD)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
