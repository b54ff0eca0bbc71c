"""The clustering chapter: thresholds where the theory puts them, shared and plain, tokens and latents."""

import pytest

VARIANTS = [f"clustering_{targets}_{sharing}" for targets in ("tokens", "latents") for sharing in ("plain", "shared")]


@pytest.fixture(scope="module")
def value(executed):
    return executed("clustering")[1]


def test_crossings_move_as_the_predicted_threshold(value):
    assert 0.7 < value["clustering_slope"] < 1.3  # four sets over a factor 16; the alternative m^(2l+1) would give > 1.5


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
