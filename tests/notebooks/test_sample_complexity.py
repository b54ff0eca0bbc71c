"""The chapter on sample complexity: thresholds in order, verdicts that follow intervals, stored points that hold."""

import json
from pathlib import Path

import pytest

from hcg_lib.learning import learn

STORE = Path(__file__).parents[2] / "book/results/learning.jsonl"


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


def test_the_cheapest_stored_points_are_what_the_code_computes():
    points = [json.loads(line) for line in STORE.read_text().splitlines()]
    plain = [point for point in points if set(point["config"]) == {"v", "m", "s", "L", "P", "grammar"}]
    point = min(plain, key=lambda point: point["provenance"]["seconds"])
    again = learn(**point["config"])
    stored = point["result"]
    assert again["steps_best"] == pytest.approx(stored["steps_best"], rel=0.5)
    assert again["accuracy"] == pytest.approx(stored["accuracy"], abs=0.05)  # rounding differs between processors
    assert again["gap"] == pytest.approx(stored["gap"], abs=0.01)
