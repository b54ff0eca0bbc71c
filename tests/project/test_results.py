"""Stored results are evidence: the present code computes the cheapest point of every experiment again."""

import json
from pathlib import Path

import numpy as np
import pytest

from hcg_lib.clustering import clustering_accuracy, end_to_end_accuracy
from hcg_lib.embedding import embedding_point
from hcg_lib.gradient import sensitivity_over_grammars
from hcg_lib.learning import learn
from hcg_lib.text_learning import learn_text

RESULTS = Path(__file__).parents[2] / "book" / "results"
EXPERIMENTS = {  # function, and how near: what is trained rounds differently on other processors
    "clustering": (clustering_accuracy, 1e-6),
    "clustering_end_to_end": (end_to_end_accuracy, 1e-6),
    "synonym_sensitivity": (sensitivity_over_grammars, 1e-6),
    "learning": (learn, 0.05),
    "representations_embedding": (embedding_point, 0.05),
    "representations_unet": (learn, 0.05),
    "text_learning": (learn_text, 0.05),
}
# these, and diffusion, are computed again with their chapters, in tests/notebooks
ELSEWHERE = {"inference_exact", "text_correlations", "images", "images_shuffled"}
FIELDS = {  # what is compared, if not all: not what depends on the clock or on the choice of one of equal minima
    "learning": ["accuracy", "order", "gap", "bound", "novel_valid", "copies"],
    "representations_unet": ["accuracy", "order", "gap", "bound", "novel_valid", "copies"],
    "text_learning": ["train_tokens", "entropy", "norm", "control", "stage_bound", "stage_bound_train", "stage_spans"],
    "representations_embedding": ["sensitivity", "accuracy"],
}


def points(name):
    return [json.loads(line) for line in (RESULTS / f"{name}.jsonl").read_text("utf8").splitlines()]


def test_every_store_is_tested():
    found = {path.stem for path in RESULTS.glob("*.jsonl")}
    assert {name for name in found if not name.startswith("diffusion_")} <= EXPERIMENTS.keys() | ELSEWHERE


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_cheapest_point_is_computed_again(name):
    function, near = EXPERIMENTS[name]
    point = min(points(name), key=lambda point: point["provenance"]["seconds"])
    again = function(**point["config"])
    for field in FIELDS.get(name, point["result"]):
        close = min(near, 0.02) if field in ("gap", "bound") else near
        found, wanted = (np.array(values[field], float) for values in (again, point["result"]))
        assert found == pytest.approx(wanted, abs=close, nan_ok=True), (field, point["config"])


def test_no_point_is_there_twice_and_every_one_says_where_it_comes_from():
    for path in RESULTS.glob("*.jsonl"):
        keys = [json.dumps([point["version"], point["config"]], sort_keys=True) for point in points(path.stem)]
        assert len(keys) == len(set(keys)), path.name
        for point in points(path.stem):
            assert {"commit", "torch", "numpy", "seconds", "date", "cores"} <= point["provenance"].keys()
