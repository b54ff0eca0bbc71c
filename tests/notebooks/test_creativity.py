"""The creativity chapter: rules before copies, copies by chance or by memory, and a price for both mistakes."""

import pytest


@pytest.fixture(scope="module")
def value(executed):
    return executed("creativity")[1]


def test_the_model_at_work_learns_first_invents_then_recites(value):
    best, peak, last = (
        [value[f"creativity_live_{at}_{what}"] for what in ("new", "copies")] for at in ("best", "peak", "last")
    )
    assert value["creativity_live_best_A1"] > 0.8 > value["creativity_live_best_A3"] + 0.2
    assert best[1] < 0.1 < 0.3 < last[1]
    assert best[0] <= peak[0] > last[0]


def test_memory_takes_longer_the_more_there_is_to_remember(value):
    assert 0.1 < value["creativity_tau_exponent_mean"] < 1.3
    assert value["creativity_collapse_exponent_mean"] == pytest.approx(value["creativity_tau_exponent_mean"], abs=0.3)
    assert value["creativity_collapse_spread_best"] < 0.2 * value["creativity_collapse_spread_raw"]


def test_learning_pairs_takes_as_long_whatever_the_size_of_the_training_set(value):
    assert abs(value["creativity_level1_exponent_mean"]) < 0.15
    assert 10 < value["creativity_level1_low"] < value["creativity_level1_high"] < 60


def test_copies_begin_when_the_loss_turns_and_sentences_are_invented_after(value):
    assert 0.5 < value["creativity_onset_ratio"] < 4
    assert value["creativity_new_at_best"] < value["creativity_new_at_peak"]
    assert value["creativity_shallow"] < 0.5


def test_stopped_in_time_copies_are_few_and_near_chance(value):
    assert 0.6 < value["creativity_above_mean"] < 1.8
    assert value["creativity_worth"] > 0.7


def test_what_is_right_is_right_near_the_training_set(value):
    assert value["creativity_favored_2_mean"] > 0.95


def test_the_price_of_levels_not_known_is_the_closed_form(value):
    assert value["creativity_price_error"] < 0.15
    assert value["creativity_price_0"] > value["creativity_price_1"] > value["creativity_price_2"] > 0


def test_reciting_costs_more_than_knowing_nothing(value):
    assert value["creativity_cost_least"] < value["creativity_price_0"] < value["creativity_cost_last"]
    assert value["creativity_cost_compared"] == "more"


def test_verdicts_are_words_of_the_numbers(value):
    assert value["creativity_price_verdict"] == "holds"
    words = [
        text for name, text in value.items() if name.endswith("_verdict") and name != "creativity_favored_2_verdict"
    ]
    assert len(words) == 10
    assert all(text.startswith(("holds", "partly", "does not hold", "not tested")) for text in words)
