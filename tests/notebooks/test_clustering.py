"""The clustering chapter: thresholds where the theory puts them, shared and plain, tokens and latents."""

import pytest

VARIANTS = [f"clustering_{targets}_{sharing}" for targets in ("tokens", "latents") for sharing in ("plain", "shared")]


@pytest.fixture(scope="module")
def value(executed):
    return executed("clustering")[1]


def test_each_level_costs_one_power_of_m_and_not_two(value):
    assert 0.6 < value["clustering_exponent_ml"] < 1.4


def test_the_vocabulary_enters_about_linearly(value):
    assert 0.5 < value["clustering_exponent_v"] < 1.7  # a factor 2 in v, two grammars


@pytest.mark.parametrize("name", VARIANTS)
def test_the_constant_is_of_order_one(value, name):
    assert 0.3 < value[f"{name}_cross"] < 1.5
    assert 0.65 < value[f"{name}_at_one"] < 1


def test_accuracy_goes_from_chance_to_perfect(value):
    assert value["clustering_tokens_plain_bottom"] < 0.55
    assert value["clustering_tokens_plain_top"] > 0.95


def test_levels_arrive_in_order_with_tokens_and_together_with_latents(value):
    tokens = [value[f"clustering_end_tokens_{l}"] for l in (1, 2, 3)]
    latents = [value[f"clustering_end_latents_{l}"] for l in (1, 2, 3)]
    assert tokens == sorted(tokens, reverse=True)
    assert tokens[2] < 0.85 < latents[2]


def test_sharing_saves_what_it_pools(value):
    assert value["clustering_sharing_gain"] == pytest.approx(4, abs=1.2)


def test_more_target_tokens_help_but_less_than_in_proportion(value):
    single = [value[f"clustering_one_target_{l}"] for l in (1, 2, 3)]
    assert min(single) > 0.7
    assert max(single) < 8
    assert single[0] < single[2]
