"""The text chapter: the estimator is exact, the grammar is met below the floor, text falls with the known slope."""

import json
from pathlib import Path

import numpy as np
import pytest

from hcg_lib.fetch import fetched
from hcg_lib.text_correlations import measure_text

STORE = Path(__file__).parents[2] / "book" / "results" / "text_correlations.jsonl"


@pytest.fixture(scope="module")
def value(executed):
    return executed("text")[1]


def test_the_square_is_unbiased_over_all_outcomes(value):
    assert value["text_bias_unbiased"] == pytest.approx(1, abs=1e-12)
    assert value["text_bias_plain"] > 2


def test_grammar_is_exact_at_every_level_and_one_lies_below_the_floor(value):
    assert value["text_levels_resolved"] == value["text_levels"]
    assert value["text_grammar_error"] < 0.05
    assert value["text_grammar_spread"] < 0.25
    assert value["text_levels_below"] >= 1
    assert value["text_deepest_over_floor"] < 1


def test_slope_of_text_at_short_distance(value):
    """About 1.4 for characters (recalled), and steeper than a power inside words."""
    low, high = (float(x) for x in value["text_near_characters"].split(" to "))
    assert 1.2 < low <= high < 1.6
    assert value["text_near_bend_characters"] < 0


def test_the_slice_resolves_words_but_no_sentence(value):
    assert 5 <= value["text_reach_characters"] <= 30
    assert 8 <= value["text_reach_tokens"] <= 40


def test_floor_of_independent_pairs_is_optimistic_only_near_by(value):
    assert value["text_floor_ratio_short"] > 1.5
    assert value["text_floor_ratio_long"] == pytest.approx(1, abs=0.1)


# ---- stored measurements are what the present code finds -----------------------------------------------------


def stored(corpus):
    points = [json.loads(line) for line in STORE.read_text("utf8").splitlines()]
    return [point for point in points if point["config"]["corpus"] == corpus]


@pytest.mark.parametrize("corpus", ["sotu-slice", "anarchist_faq"])
def test_stored_points_are_found_again(corpus):
    if corpus != "sotu-slice" and fetched(corpus) is None:
        pytest.skip(f"{corpus} is not in the cache; python -m hcg_lib.fetch {corpus}")
    points = [point for point in stored(corpus) if point["config"]["tokens"] == "characters"]
    assert points
    found = measure_text(**points[0]["config"])
    for name, wanted in points[0]["result"].items():
        if isinstance(wanted, list):
            np.testing.assert_allclose(found[name], wanted, rtol=1e-6, atol=1e-9)
        elif isinstance(wanted, float):
            assert found[name] == pytest.approx(wanted, rel=1e-6)
        else:
            assert found[name] == wanted


def test_stored_corpora_show_plateau_order_and_layout():
    """What the published page says, asserted on the points that it is drawn from."""
    results = {
        (p["config"]["corpus"], p["config"]["tokens"], p["config"]["shuffle_lines"]): p["result"]
        for line in STORE.read_text("utf8").splitlines()
        if (p := json.loads(line))["config"]["longest"] >= 1024
    }
    sotu = results["sotu", "bpe-4096", False]
    assert 0.8 < sotu["shuffled"][-1] / sotu["text"][-1] <= 1.05  # the plateau is composition
    assert sotu["order_low"][-1] == 0 < sotu["text_low"][-1]
    near = [r["near_beta"] for (_, tokens, _), r in results.items() if tokens == "characters"]
    assert 1.25 < min(near) <= max(near) < 1.5
    dictionary, mixed = (results["gcide", "characters", lines] for lines in (False, True))
    assert dictionary["far_longest"] > 4 * mixed["far_longest"]
    assert dictionary["far_beta_high"] < mixed["far_beta_low"]
    whole = [r for (_, _, lines), r in results.items() if not lines]
    assert all(r["whole_curvature_low"] > 0 or r["whole_curvature_high"] < 0 for r in whole)
