"""The diffusion chapter: closed forms, plateaus, schedules, the law of the strings, the traps."""

import pytest

from hcg_lib.diffusion import law_point, process_point
from hcg_lib.experiments import read_points
from tools.execute import ROOT

COLUMNS = ("linear_beta", "cosine", "power_3", "power_4_left")
POINTS = {"ceiling": process_point, "count": process_point, "law": law_point, "plateaus": process_point}


@pytest.fixture(scope="module")
def value(executed):
    return executed("diffusion")[1]


def test_closed_forms_are_products_of_matrices(value):
    assert value["diffusion_matrix_error"] < 1e-6


def test_ignorance_costs_log_v_in_three_steps(value):
    assert value["diffusion_three_steps"] == pytest.approx(
        value["diffusion_log_v"], abs=4 * value["diffusion_three_steps_error"]
    )
    assert value["diffusion_signal_left_3"] > 0.5


@pytest.mark.parametrize("process", ["uniform", "masking", "gaussian"])
def test_plateaus_are_those_of_the_grammar(value, process):
    assert value[f"diffusion_plateau_error_{process}"] < 0.05
    assert value[f"diffusion_plateau_gap_{process}"] < 0.03 + 3 * value[f"diffusion_plateau_error_{process}"]


@pytest.mark.parametrize("name", COLUMNS)
def test_more_steps_are_more_grammatical_and_nearer_to_the_law(value, name):
    tops = [float(value[f"diffusion_top_{T}_{name}"]) for T in (10, 20, 50)]
    wrong = [float(value[f"diffusion_variation_{T}_{name}"]) for T in (10, 20, 50)]
    assert tops == sorted(tops)
    assert wrong == sorted(wrong, reverse=True)


def test_the_schedule_decides_how_many_steps_are_needed(value):
    assert value["diffusion_fast_top"] > 0.99
    assert 0.9 < value["diffusion_slow_top_50"] < 0.97
    assert value["diffusion_gaussian_20"] > 0.99
    assert 0.85 < value["diffusion_masking_50"] < 0.96


def test_valid_strings_are_not_yet_the_right_frequencies(value):
    assert value["diffusion_ten_accuracy"] > 0.99
    assert value["diffusion_ten_unlikeliest"] < 0.95 < 1.05 < value["diffusion_ten_likeliest"]
    assert value["diffusion_fast_valid"] > 0.999
    assert 0.004 < value["diffusion_fast_variation"] < 0.02
    assert value["diffusion_variation_slope"] == pytest.approx(-1, abs=0.15)


def test_signal_left_at_the_end_is_forgiven(value):
    assert value["diffusion_left_signal"] == pytest.approx(0.076, abs=0.001)
    assert value["diffusion_left_variation"] < 0.5 * value["diffusion_left_start"]
    assert value["diffusion_left_variation"] < value["diffusion_left_true_start"]
    assert 0 < value["diffusion_left_nats"] < 0.5 * value["diffusion_left_price"]


def test_errors_of_steps_and_of_the_start_favor_opposite_strings(value):
    assert value["diffusion_steps_favor"] > 0.7
    assert value["diffusion_start_favors"] < -0.9


def test_fifty_steps_are_enough_one_level_deeper(value):
    assert float(value["diffusion_deep"].split()[0]) > 0.99
    assert value["diffusion_deep_d"] == 16


def test_fewest_steps(value):
    assert value["diffusion_fewest_uniform"] <= 50
    assert value["diffusion_fewest_gaussian"] <= 20
    assert value["diffusion_fewest_masking"] == "none of those tried"
    assert value["diffusion_masking_slope"] == pytest.approx(-1, abs=0.25)


def test_the_more_masks_at_once_the_worse(value):
    tops = [float(value[f"diffusion_reveal_{k}"]) for k in (1, 2, 4, 6)]
    assert tops == sorted(tops)
    assert tops[0] < 0.01 < 0.8 > tops[-1]


def test_masks_one_by_one_are_exact(value):
    assert value["diffusion_reveal"] == 1
    assert value["diffusion_count_reveal"] == pytest.approx(value["diffusion_floor"], rel=0.18)


def test_counting_sees_linear_beta_above_the_floor(value):
    assert value["diffusion_count_uniform_linear_beta"] > 1.4 * value["diffusion_floor"]
    for name in ("uniform_power_3", "uniform_power_4_left", "gaussian_power_2"):
        assert value[f"diffusion_count_{name}"] < 1.4 * value["diffusion_floor"]


def test_traps_cost_what_the_page_says(value):
    assert value["diffusion_trap_uniform_mean"] < 0.4 < 0.98 < value["diffusion_trap_uniform_cavity"]
    assert value["diffusion_trap_gaussian_mean"] < 0.9 < 0.98 < value["diffusion_trap_gaussian_cavity"]
    assert value["diffusion_trap_masking_mean"] == value["diffusion_trap_masking_cavity"]
    assert value["diffusion_soiled"] == pytest.approx(value["diffusion_soiled_expected"], abs=0.06)
    assert value["diffusion_told_another"] > 1.05 * value["diffusion_told"]
    assert abs(value["diffusion_mistaken"] - value["diffusion_matched"]) < 0.01


@pytest.mark.parametrize(
    "claim, verdict",
    [
        ("matrices", "holds"),
        ("plateaus", "undecided"),  # few strings
        ("deep", "holds"),
        ("fewest", "partly: for uniform and gaussian noise"),
        ("reveal", "holds"),
        ("left", "undecided"),  # two grammars
        ("fast", "not tested"),
        ("frequencies", "not tested"),
    ],
)
def test_verdicts_of_the_smoke_run(value, claim, verdict):
    assert value[f"diffusion_verdict_{claim}"] == verdict


def test_masks_in_parallel_are_short_of_the_goal(value):
    assert value["diffusion_verdict_masking"].startswith("does not hold: 0.")


def stored(name):
    return read_points(ROOT / "book" / "results" / f"diffusion_{name}.jsonl", version=1).values()


@pytest.mark.parametrize("name", POINTS)
def test_stored_points_are_what_the_present_code_computes(name):
    cheapest = sorted(stored(name), key=lambda point: point["provenance"]["seconds"])[: 1 if name == "count" else 2]
    near = 1e-6 if name == "law" else 2e-3  # of samples: draws within rounding of a tie
    for point in cheapest:
        again = POINTS[name](**point["config"])
        for field, value in point["result"].items():
            assert again[field] == pytest.approx(value, abs=near), (field, point["config"])


def mean(name, field, **wanted):
    found = [p["result"][field] for p in stored(name) if wanted.items() <= p["config"].items()]
    assert len(found) == 4
    return sum(x[-1] if isinstance(x, list) else x for x in found) / len(found)


FAST = {"process": "uniform", "schedule": "power", "power": 3.0, "T": 50}
SLOW = {"process": "uniform", "schedule": "linear_beta", "T": 1000}
LEFT = {"process": "uniform", "schedule": "power", "power": 4.0, "T": 50, "empty": False}


def test_stored_strings_of_fifty_steps_are_as_grammatical_as_of_a_thousand():
    slow = mean("ceiling", "accuracy", L=3, **SLOW)
    assert mean("ceiling", "accuracy", L=3, **FAST) > slow - 0.001
    assert mean("ceiling", "accuracy", L=4, **FAST) > 0.999
    assert mean("ceiling", "accuracy", process="masking", schedule="linear_alpha", T=50) < slow - 0.05


def test_stored_laws_of_fifty_steps_are_further_from_the_grammar_than_of_a_thousand():
    assert mean("law", "variation", **FAST) > 4 * mean("law", "variation", **SLOW)


def test_stored_laws_are_laws_and_nearer_from_the_prior_than_from_the_true_start():
    results = [point["result"] for point in stored("law")]
    assert all(r["accuracy"] < 1 + 1e-6 and r["nats"] > -1e-6 for r in results)
    assert mean("law", "variation", **LEFT) < 0.95 * mean("law", "variation_true_start", **LEFT)
    assert mean("law", "start", **LEFT) > 2 * mean("law", "variation", **LEFT)
