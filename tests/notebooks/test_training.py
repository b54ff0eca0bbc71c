"""The training chapter: levels in order, a loss that ends near the optimum, chance before the first step."""

import pytest


@pytest.fixture(scope="module")
def value(executed):
    return executed("training")[1]


def test_levels_are_learned_in_order_of_height(value):
    steps = [value[f"training_first_step_{l}"] for l in (1, 2, 3)]
    assert steps == sorted(steps)
    assert value["training_ordered"] >= 1


def test_levels_are_learned_where_the_loss_passes_their_plateaus(value):
    assert value["training_between"] >= value["training_cases"] / 2


def test_untrained_networks_write_chance(value):
    assert value["training_first_start_1"] == pytest.approx(value["training_first_chance_1"], abs=0.06)
    assert value["training_first_start_2"] == pytest.approx(value["training_first_chance_2"], abs=0.03)


def test_the_small_network_ends_near_its_optimum(value):
    assert value["training_live_gap_last"] < 0.05 < value["training_live_gap_first"]


def test_no_bound_is_below_the_entropy(value):
    assert value["training_first_floor"] > value["training_first_entropy"] - 0.05
    assert value["training_first_excess"] > 0


def test_verdicts_say_what_was_measured(value):
    assert (value["training_first_gap_verdict"] == "holds") == (value["training_first_gap_high"] <= 0.02)
    assert (value["training_ordered_verdict"] == "holds") == (value["training_ordered"] == value["training_total"])
