"""The text chapter: the estimator is exact, the grammar is met below the floor, text falls with the known slope."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hcg_lib.fetch import fetched
from hcg_lib.text_correlations import measure_text
from tools import execute

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


# ---- the model that writes --------------------------------------------------------------------------------------


def test_a_short_run_learns_frequencies_and_no_more(value):
    assert value["text_run_ignorance"] < 1e-5
    assert value["text_run_bound_last"] < value["text_run_bound_first"] - 0.5
    assert value["text_run_bound_last"] > value["text_run_entropy"] - 0.3
    assert value["text_length_first_verdict"] == "holds"
    assert value["text_length_last"] < 2


def test_real_text_passes_for_real_and_made_text_for_new(value):
    held_out = float(value["text_length_control"].split(" ")[0])
    assert held_out > 5
    assert value["text_copied_mean"] < value["text_copied_chance"]
    assert value["text_recited_last"] == 0


def test_averages_of_weights(value):
    assert value["text_trap_plain"] > 0.99
    assert value["text_trap_ours"] < 1e-6


def test_verdicts_are_words_of_the_numbers(value):
    assert (value["text_length_fallen"] == 0 and value["text_length_risen"] >= 2) == (
        value["text_length_verdict"] == "holds"
    )
    words = [value[f"text_{name}_verdict"] for name in ("learned", "length_first", "arrival", "size", "recited")]
    assert all(word.startswith(("holds", "does not hold")) for word in words)


def test_a_folder_of_the_users_own(tmp_path):
    rng = np.random.default_rng(0)
    own = tmp_path / "own"
    own.mkdir()
    for i in range(8):
        words = ["".join(rng.choice(list("abcdefgh"), rng.integers(2, 6))) for _ in range(50)]
        (own / f"{i}.txt").write_text(" ".join(rng.choice(words, 1000)), "utf8")
    given = {
        "corpora": str(own), "entries": str(own), "learned": str(own), "bpe": 300, "strings": 2000, "L": 3, "width": 16,
        "steps": 8, "first": 4, "amounts": "640 0", "size_steps": 4, "grammar_P": "6", "grammar_steps": 4,
        "longest": 32, "longest_tokens": 16, "number": 5,
    }  # fmt: skip
    found = execute.glued(execute.execute(execute.plan("text", "smoke", given, tmp_path / "out.ipynb")))
    assert found["text_run_corpus"] == str(own)
    assert found["text_size_number"] == 2


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


def test_stored_runs_grow_from_short_distance_outward():
    """What the published page says of the model that writes."""
    points = [json.loads(line) for line in STORE.with_name("text_learning.jsonl").read_text("utf8").splitlines()]
    result = next(p["result"] for p in points if p["config"]["steps"] == 16384)
    assert len(result["stage_step"]) >= 9
    length, draws = np.array(result["stage_length"]), np.array(result["stage_length_draws"])
    assert length[0] == 0
    assert length[-1] > 4
    assert not any(np.quantile(b - a, 0.975) < 0 for a, b in pairwise(draws))
    assert result["stage_bound"][-1] < 0.75 * result["entropy"]
    overlap = np.array(result["stage_overlap"])
    assert overlap[-1, 0] > 0.85
    assert all(row[0] >= row[4] for row in overlap[2:])
    assert max(result["stage_recited"]) < 0.1
    brief = sorted(
        (p["result"] for p in points if p["config"]["steps"] == 1024 and p["config"]["corpus"] == "gcide"),
        key=lambda r: r["train_tokens"],
    )
    assert len(brief) >= 4
    gaps = [r["stage_bound"][-1] - r["stage_bound_train"][-1] for r in brief]
    assert gaps[0] > max(gaps[1:])  # the fewer strings, the better it knows them
