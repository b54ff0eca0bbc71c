"""The chapter on images: the control has a scale, few images are copied, and anyone's images run through it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hcg_lib.depth_order import order_of_depths
from hcg_lib.image_controls import measure_shuffled
from hcg_lib.image_learning import learn_images
from hcg_lib.packing import unpack_array
from tools import execute

RESULTS = Path(__file__).parents[2] / "book" / "results"


@pytest.fixture(scope="module")
def value(executed):
    return executed("images")[1]


def test_smoke_run_has_every_number_of_the_page(value):
    assert value["images_P"] == 512
    assert value["images_depths"] == 8
    assert 0 <= value["images_copied_most"] < 0.2
    assert value["images_loss_most"] < 1
    assert value["images_real_inside"] >= 7


def test_depth_measures_scale_even_with_untrained_weights(value):
    assert value["images_scale_polynomial"] > 0 or value["images_scale_gaussian"] > 0


def test_second_set_is_judged_with_and_without_mean_colors(value):
    assert value["images_second_steps"] == 8
    for measure in ("bounded", "centered"):
        assert "by chance" in value[f"images_{measure}_half"]


# ---- images of the user's own ----------------------------------------------------------------------------------


def drawings(number, size=16):
    """Disks of random place and color: images that anyone could make."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:size, :size]
    made = np.full((number, size, size, 3), 30, np.uint8)
    for image in made:
        cy, cx, r = rng.uniform([4, 4, 2], [size - 4, size - 4, 5])
        image[(y - cy) ** 2 + (x - cx) ** 2 < r**2] = rng.integers(80, 255, 3)
    return made


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_images_of_the_users_own(kind, tmp_path):
    made = drawings(60)
    if kind == "npz":
        source = tmp_path / "mine.npz"
        np.savez(source, images=made)
    else:
        source = tmp_path / "mine"
        source.mkdir()
        for number, image in enumerate(made):
            Image.fromarray(image).save(source / f"{number}.png")
    small = {"steps": 8, "size_steps": 8, "first": 8, "sizes": "8", "samples": 8, "sampling_steps": 2, "enlarged": 32}
    small["second"] = ""
    run = execute.plan("images", "smoke", {"source": str(source), "size": 16, **small}, tmp_path / "out.ipynb")
    found = execute.glued(execute.execute(run))
    assert found["images_P"] == 48
    assert found["images_side"] == 16
    assert found["images_centered_tenth"] == "not measured"


def test_images_that_cannot_be_used_stop_the_chapter_with_a_sentence(tmp_path):
    np.savez(tmp_path / "flat.npz", images=np.full((40, 16, 16), 7, np.uint8))
    run = execute.plan("images", "smoke", {"source": str(tmp_path / "flat.npz"), "size": 16}, tmp_path / "out.ipynb")
    with pytest.raises(Exception, match="images of more than one color, got 40 of 40"):
        execute.execute(run)


# ---- stored points ---------------------------------------------------------------------------------------------


def points(name):
    return [json.loads(line) for line in (RESULTS / f"{name}.jsonl").read_text("utf8").splitlines()]


def cheapest(name):
    (point,) = [point for point in points(name) if point["config"]["source"] == "fashion-slice"]
    return point


def test_stored_control_is_found_again():
    point = cheapest("images_shuffled")
    again = measure_shuffled(**point["config"])
    assert unpack_array(again["images"]).tolist() == unpack_array(point["result"]["images"]).tolist()
    for name in ("mmd", "bounded"):
        np.testing.assert_allclose(again[name], point["result"][name], rtol=1e-2, atol=1e-3)


def test_stored_training_is_found_again():
    """Rounding differs between processors and grows with training, so the bands are wide."""
    point = cheapest("images")
    again, wanted = learn_images(**point["config"]), point["result"]
    assert again["digest"] == wanted["digest"]
    assert again["stage"] == wanted["stage"]
    np.testing.assert_allclose(again["trace_validation"], wanted["trace_validation"], rtol=0.02)
    np.testing.assert_allclose(again["mmd"][0], wanted["mmd"][0], rtol=0.05)
    np.testing.assert_allclose(again["mmd_real"], wanted["mmd_real"], rtol=0.02, atol=1e-3)


def published(name, **config):
    """The stored point with this config and no other fields."""
    (point,) = [point["result"] for point in points(name) if point["config"] == config]
    return point


def test_published_control_grows_with_depth_from_the_first_block_on():
    """What the page says of scale, asserted on the points that it is drawn from."""
    point = published("images_shuffled", source="fashion-mnist", seed=0)
    for kernel in ("mmd", "bounded"):
        order = order_of_depths(point["block"], point[kernel], unpack_array(point[f"{kernel}_resampled"]))
        assert (np.diff(order.time[1:]) > 0).all()
        assert order.correlation_low > 0
        assert order.time[0] > order.time[1]  # the stem is the exception
        real = np.array([point[f"{kernel}_low"][-1], point[f"{kernel}_high"][-1]])
        assert (real[0] < 0).sum() >= 7
        assert (real[1] > 0).all()


def test_published_run_learns_at_all_depths_and_the_middle_is_last():
    point = published("images", source="fashion-mnist", P=0, seed=0, finer=50)
    left = np.array(point["bounded"][-1]) / np.array(point["bounded"][0])
    assert left.max() < 0.35
    half = order_of_depths(point["stage"], point["bounded"], unpack_array(point["bounded_resampled"]), 0.5)
    assert point["names"][int(half.time.argmax())] == "block 5"
    assert half.chance > 0.2  # no order over all depths
    assert all(low < 0 < high for low, high in zip(point["mmd_low_real"], point["mmd_high_real"], strict=True))
    assert (np.array(point["mmd_finer"]) < point["mmd"][-1]).all()
    assert np.diff(point["trace_validation"]).max() < 0


def test_published_run_on_few_images_copies_them_and_loses_the_others():
    few = published("images", source="fashion-mnist", P=32, seed=0, steps=2048, first=2048)
    many = published("images", source="fashion-mnist", P=0, seed=0, finer=50)
    assert few["copied"][-1] > 0.2 > few["chance"] * 2 > many["copied"][-1]
    assert few["pixel_copied"][-1] > 0.5
    assert few["ratio"][-1] < 1 < many["ratio"][-1]
    assert few["trace_validation"][-1] > 3 * many["trace_validation"][-2]


def test_published_photographs_order_depths_once_their_mean_colors_are_gone():
    for seed in (0, 1):
        point = published("images", source="photos", P=0, seed=seed, center=True, shown=6)
        half = {
            measure: order_of_depths(point["stage"], point[measure], unpack_array(point[f"{measure}_resampled"]), 0.5)
            for measure in ("bounded", "centered")
        }
        assert half["centered"].correlation_low > 0.5
        assert half["centered"].chance < 0.05
        assert half["bounded"].correlation_high < 0.5
        assert np.isfinite(half["centered"].time).all()
