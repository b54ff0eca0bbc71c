"""The chapter on correlations: bands on the numbers it prints."""

import pytest


@pytest.fixture(scope="module")
def value(executed):
    return executed("correlations")[1]


def test_enumeration_equals_matrix_products(value):
    assert value["correlations_enumeration_error"] < 1e-14


def test_plateaus_below_the_root(value):
    """Within 15 %."""
    assert value["correlations_grammars"] >= 8
    assert value["correlations_worst_below_root"] < 0.15


def test_the_root_is_where_the_leading_order_fails(value):
    assert 0.7 < value["correlations_root_16"] < 0.85 < value["correlations_root_32"] < 0.95
    assert value["correlations_within_15"] >= 15


def test_finite_size_factor_repairs_it(value):
    assert value["correlations_worst_corrected"] < 0.12


def test_variance_of_the_conditional_form(value):
    """Within 30 % for v >= 16."""
    assert 0.7 < value["correlations_variance_low"] <= value["correlations_variance_high"] < 1.3


def test_sampling_floors(value):
    assert value["correlations_floor_slope"] == pytest.approx(-0.5, abs=0.01)
    assert value["correlations_floor_ratio"] == pytest.approx(value["correlations_floor_exact"], abs=0.01)
    assert value["correlations_tuple_floor_ratio"] == pytest.approx(1, abs=0.08)
    assert value["correlations_last_plateau_error"] < 0.02


def test_two_powers_of_m(value):
    assert value["correlations_slope_pair"] == pytest.approx(5, abs=0.15)
    assert value["correlations_slope_tuple"] == pytest.approx(4, abs=0.1)
    assert value["correlations_slope_tuple_high"] < value["correlations_slope_pair_low"]


def test_half_taught_models(value):
    """The data up to their level, but for unequal symbols; the floor beyond."""
    assert value["correlations_bridge_data_resolved"]
    assert value["correlations_bridge_resolved"]
    assert 0.8 < value["correlations_bridge_inside_low"] <= value["correlations_bridge_inside_high"] < 1.1
    assert value["correlations_bridge_worst"] < 0.12
    assert 0.9 < value["correlations_bridge_floor_low"] <= value["correlations_bridge_floor_high"] < 1.1
