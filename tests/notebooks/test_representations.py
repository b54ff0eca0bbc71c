"""What layers know: nothing above their level is lost, levels go in order, strings follow."""

import pytest


@pytest.fixture(scope="module")
def value(executed):
    return executed("representations")[1]


def test_exact_inference_and_random_weights_are_the_two_extremes(value):
    assert value["representations_exact_merged"] < 0.01
    assert value["representations_exact_kept"] > 0.8
    assert 0.85 < value["representations_random_low"] <= value["representations_random_high"] < 1.15


def test_little_data_teaches_no_synonyms(value):
    assert 0.85 < value["representations_start_low"] <= value["representations_start_high"] < 1.3


def test_layers_keep_what_lies_above_them(value):
    assert value["representations_kept_low"] > 0.85
    assert value["representations_kept_verdict"] == "holds"


def test_the_first_level_merges_and_before_the_second(value):
    assert value["representations_merged_2_1"] < value["representations_merged_2_2"]
    assert value["representations_merged_2_1"] < 512 == int(value["representations_P_largest"])
    assert value["representations_ordered_verdict"] == "holds"


def test_the_last_layer_has_lost_more_of_the_first_level_than_the_first_layer(value):
    assert value["representations_merged_2_1"] < 1.2 * value["representations_merged_1_1"]


def test_messages_gather_around_their_parents(value):
    assert value["representations_cloud_first_1"] < 0.75 < value["representations_cloud_last_1"]
    assert 8 < value["representations_cloud_1"] < 512


def test_rules_are_obeyed_before_synonyms_have_merged(value):
    assert value["representations_lag_low"] >= 1


def test_the_authors_layers_keep_their_own_level(value):
    assert value["representations_unet_kept"] > 0.8


def test_strings_of_unknown_levels_are_uncorrelated_and_of_known_ones_nearly_as_the_grammar(value):
    assert abs(value["representations_spectrum_last_1"] - 1) < 0.4
    assert value["representations_spectrum_first_1"] < 0.6
    assert abs(value["representations_spectrum_first_3"]) < 0.3
    assert value["representations_spectrum_first_1"] < value["representations_spectrum_last_1"]


def test_exercises_have_the_sign_that_they_explain(value):
    assert value["representations_same"] > value["representations_uniform_same"]
    exact = [value[f"representations_exact_{name}"] for name in ("clear", "half", "dark")]
    assert exact == sorted(exact)
