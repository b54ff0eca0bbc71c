"""The grammar chapter: counting is exact, chance levels are where the theorem puts them."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def value(executed):
    return executed("grammar")[1]


def test_chance_levels_are_those_of_the_theorem(value):
    assert value["grammar_worst_z"] < 4.5  # 12 comparisons
    for l in (1, 2):
        assert value[f"grammar_chance_{l}"] == pytest.approx(value[f"grammar_chance_{l}_predicted"], rel=0.1)


def test_known_levels_are_perfect_and_the_next_starts_from_f(value):
    assert value["grammar_known_levels_exact"] is True
    for name in ("grammar_order_after_1", "grammar_order_after_2", "grammar_one_level_a2"):
        assert value[name] == pytest.approx(value["grammar_f"], abs=0.02)


def test_where_everything_is_grammatical_noise_is_perfect(value):
    assert value["grammar_full_accuracy"] == 1


def test_the_count_is_the_formula(value):
    assert value["grammar_n_strings"] == f"{8 * 3**7:,}"
    assert value["grammar_big_digits"] == int(np.floor(np.log10(32) + 63 * np.log10(8))) + 1
