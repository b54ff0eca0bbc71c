"""The chapter on one gradient step: bands on the numbers it prints."""

import pytest


@pytest.fixture(scope="module")
def value(executed):
    return executed("gradient")[1]


def test_closed_form_is_the_gradient(value):
    assert value["gradient_step_error"] < 1e-12


def test_law_for_wide_vocabularies(value):
    """Within .07 for v >= 16."""
    assert value["gradient_grammars"] >= 3
    assert value["gradient_worst_wide"] < 0.07
    assert value["gradient_span"] > 50


def test_a_finite_vocabulary_pushes_upward(value):
    assert value["gradient_mean_bias_wide"] > 0
    assert 0.5 < value["gradient_narrow_at_one"] < 0.7
    assert 0 < value["gradient_bias_64"] < value["gradient_bias_8"] / 4
    assert -1.5 < value["gradient_bias_slope"] < -0.6


def test_exact_expectation_explains_the_deviations(value):
    assert value["gradient_worst_expected"] < 0.03


def test_hidden_units_are_many_enough(value):
    assert value["gradient_finite_width"] < 0.02
