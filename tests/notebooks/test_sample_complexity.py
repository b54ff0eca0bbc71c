"""The chapter on sample complexity: thresholds in order, verdicts that follow intervals."""

import pytest


@pytest.fixture(scope="module")
def value(executed):
    return executed("sample_complexity")[1]


def test_levels_need_more_strings_the_higher_they_are(value):
    found = [value[f"sample_complexity_first_threshold_{l}"] for l in (1, 2, 3)]
    assert found[0] < found[1] <= found[2]
    assert value["sample_complexity_first_pooled_1"] / 10 < found[0] < value["sample_complexity_first_pooled_1"] * 30


@pytest.mark.parametrize("l", [2, 3])
def test_verdicts_follow_the_intervals(value, l):
    held = value[f"sample_complexity_exponent_{l}_low"] <= l + 1 <= value[f"sample_complexity_exponent_{l}_high"]
    assert (value[f"sample_complexity_exponent_verdict_{l}"] == "holds") == held


def test_the_verdict_on_v_counts_the_levels_whose_interval_holds_one(value):
    held = [
        value[f"sample_complexity_exponent_v_{l}_low"] <= 1 <= value[f"sample_complexity_exponent_v_{l}_high"]
        for l in (2, 3)
    ]
    assert (value["sample_complexity_exponent_v_verdict"] == "holds") == all(held)


def test_the_verdict_on_the_collapse_follows_its_interval(value):
    held = value["sample_complexity_collapse_3_low"] <= 4 <= value["sample_complexity_collapse_3_high"]
    assert (value["sample_complexity_collapse_verdict"] == "holds") == held


def test_whole_siblings_are_enough_at_their_law_in_every_shape(value):
    assert 0.7 < value["sample_complexity_spectral_least"] <= value["sample_complexity_spectral_most"] < 2


def test_what_is_said_of_laws_is_what_was_compared(value):
    assert 0 <= value["sample_complexity_law_excluded"] < value["sample_complexity_law_candidates"]
    assert value["sample_complexity_law_best_rms"] <= value["sample_complexity_law_paper_rms"]
