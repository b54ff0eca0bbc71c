"""The inference chapter: exactness, the trap, the ceiling, the plateaus, the melting."""

import pytest

from hcg_lib import theory
from hcg_lib.diffusion import exact_denoiser
from hcg_lib.experiments import read_points
from tools.execute import ROOT


@pytest.fixture(scope="module")
def value(executed):
    return executed("inference")[1]


def test_belief_propagation_is_exact(value):
    assert value["inference_enumeration_error"] < 1e-9
    assert value["inference_entropy_error"] < 1e-9
    assert value["inference_total"] == pytest.approx(1, abs=1e-9)


def test_the_sampler_cannot_be_told_from_the_posterior(value):
    assert value["inference_sampler_p"] > 1e-3
    assert value["inference_sampler_cells"] > 100


def test_contradictions_are_found(value):
    assert value["inference_flagged"] > 700  # A_3 of random tokens is 0.001


def test_the_ceiling_rises_with_the_number_of_steps(value):
    means = [value[f"inference_ceiling_{T}_mean"] for T in (20, 50, 100, 200)]
    assert means == sorted(means)
    assert 0.6 < means[0] < 0.8
    assert means[-1] > 0.98
    assert all(value[f"inference_ceiling_{T}_low"] <= value[f"inference_ceiling_{T}_high"] for T in (20, 50, 100, 200))


def test_the_released_schedule_has_a_lower_ceiling(value):
    assert 0.97 < value["inference_released"] < value["inference_ceiling_200_mean"]


def test_the_mean_is_a_trap(value):
    for l, quoted in enumerate((0.73, 0.41, 0.17), start=1):
        assert value[f"inference_mean_{l}"] == pytest.approx(quoted, abs=0.06)
        assert value[f"inference_cavity_{l}"] > 0.98


@pytest.mark.parametrize("k", range(4))
def test_truncated_denoisers_sit_on_their_plateau(value, k):
    plateau = theory.loss_plateaus(8, 3, 2, 3)[k]
    assert value[f"inference_plateau_{k}"] == pytest.approx(plateau)
    assert value[f"inference_bound_{k}"] == pytest.approx(plateau, abs=0.03 + 3 * value[f"inference_bound_error_{k}"])
    assert value[f"inference_bound_error_{k}"] < 0.1


def test_truncated_denoisers_write_what_they_know(value):
    assert value["inference_truncated_known"] > 0.98
    assert max(value[f"inference_truncated_deviation_{k}"] for k in range(3)) < 0.03


def test_the_root_melts_first(value):
    assert value["inference_melts_from_the_root"] is True
    assert value["inference_melting_3"] < 0.25 < value["inference_melting_1"] < 0.45


@pytest.mark.parametrize("claim", ["enumeration", "sampler", "trap", "plateaus", "melting"])
def test_every_claim_tested_in_smoke_holds(value, claim):
    assert value[f"inference_verdict_{claim}"] == "holds"


def test_stored_points_are_what_the_present_code_computes():
    points = read_points(ROOT / "book" / "results" / "inference_exact.jsonl", version=1).values()
    cheap = sorted(points, key=lambda point: point["provenance"]["seconds"])[:3]
    assert len(points) >= 100
    for point in cheap:
        again = exact_denoiser(**point["config"])
        assert again["accuracy"] == pytest.approx(point["result"]["accuracy"], abs=1e-3)  # ties within rounding
        assert again["bound"] == pytest.approx(point["result"]["bound"], abs=1e-3)
