"""One point of the sweep: the same twice, goes on after a kill, and says what is wrong with its arguments."""

import numpy as np
import pytest

from hcg_lib import image_learning
from hcg_lib.checkpoints import read_checkpoint
from hcg_lib.features import EfficientNetLite
from hcg_lib.image_learning import learn_images
from hcg_lib.images import center_colors, load_images
from hcg_lib.packing import unpack_array

QUICK = {
    "source": "fashion-slice", "P": 32, "widths": [8], "steps": 4, "batch": 8, "T": 50, "first": 2, "samples": 8,
    "sampling_steps": 2, "reference": 32, "network": "random", "enlarged": 32, "resamples": 10, "shown": 2, "draws": 32,
}  # fmt: skip
CLOCK = {"trace_seconds"}


def same(one, other):
    return {name for name in one if one[name] != other[name]} <= CLOCK


@pytest.fixture(scope="module")
def point():
    return learn_images(**QUICK)


def test_a_point_has_the_shapes_it_says(point):
    S, D = len(point["stage"]), len(point["names"])
    assert point["stage"] == [0, 2, 4]
    for kernel in ("mmd", "bounded"):
        assert np.shape(point[kernel]) == np.shape(point[f"{kernel}_low"]) == (S, D)
        assert unpack_array(point[f"{kernel}_resampled"]).shape == (S, 10, D)
        assert len(point[f"{kernel}_real"]) == D
        assert point[f"{kernel}_finer"] == []
    assert unpack_array(point["images"]).shape == (S, 2, 32, 32, 1)
    assert unpack_array(point["neighbors"]).shape == (2, 32, 32, 1)
    assert len(point["copied"]) == len(point["pixel_ratio"]) == S
    assert np.max(point["bounded"]) < 2


def test_centered_images_are_measured_beside_the_others(point):
    """One more measure, and nothing else changes; moving the mean color away makes a cast of color invisible."""
    both = learn_images(**QUICK, center=True)
    assert same({name: both[name] for name in point}, point)
    S, D = len(both["stage"]), len(both["names"])
    assert unpack_array(both["centered_resampled"]).shape == (S, 10, D)
    assert np.shape(both["centered_high"]) == (S, D)
    assert len(both["centered_real"]) == D
    images = load_images("fashion-slice", 32, 0)
    judge = image_learning.Judge(EfficientNetLite("random", 32), images, 32, 64, 5, 0, 2, center=True)
    dim = center_colors(images.held_out[64:128]) // 2 + 32
    assert (center_colors(np.full((1, 4, 4, 3), 9, np.uint8)) == 128).all()  # models do paint images of one color
    cast = judge.scores(dim + np.uint8(60))
    plain = judge.scores(dim)
    assert np.max(np.abs(np.subtract(cast["centered"], plain["centered"]))) < 1e-3
    assert np.max(np.abs(np.subtract(cast["bounded"], plain["bounded"]))) > 0.1


def test_same_seed_same_point_and_another_seed_another(point):
    assert same(point, learn_images(**QUICK))
    assert not same(point, learn_images(**QUICK, seed=1))


def test_a_killed_point_goes_on(point, tmp_path, monkeypatch):
    real, calls = image_learning.generate_images, []

    def dies(*args, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **options)

    class Often(image_learning.Config):
        checkpoint_every = 1

    monkeypatch.setattr(image_learning, "Config", lambda *a, **k: Often(*a, **{**k, "checkpoint_every": 1}))
    monkeypatch.setattr(image_learning, "generate_images", dies)
    with pytest.raises(KeyboardInterrupt):
        learn_images(**QUICK, checkpoints=tmp_path)
    assert same(point, learn_images(**QUICK, checkpoints=tmp_path))
    assert 3 < len(calls) < 6  # what was done was not done again, but for the stage that was under way
    (stage,) = tmp_path.glob("*/stage-4.safetensors")
    assert read_checkpoint(stage)[1] == {"step": 4}


def test_copies_are_seen():
    """Generated images that are training images, by construction."""
    images = load_images("fashion-slice")
    judge = image_learning.Judge(EfficientNetLite("random", 32), images, 32, 64, 5, 0, 2)
    copies, fresh = judge(images.train[:32]), judge(images.train[200:300])
    assert copies["ratio"] == copies["pixel_ratio"] == 0
    assert copies["copied"] == copies["pixel_copied"] == 1
    assert fresh["ratio"] == pytest.approx(1, abs=0.25)
    assert fresh["copied"] < 0.2
    assert unpack_array(copies["neighbors"]).tolist() == images.train[:2].tolist()


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"P": 513}, "P must be an integer from 0 to 512, got 513"),
        ({"first": 5}, "first must be an integer from 1 to 4, got 5"),
        ({"source": "nowhere"}, "source must be one of"),
        ({"network": "vgg"}, "name must be one of 'efficientnet-lite0', 'random'"),
        ({"schedule": "square"}, "name must be one of 'cosine', 'linear'"),
        ({"samples": 0}, "number must be an integer >= 1"),
        ({"center": "no"}, "center must be True or False"),
        ({"reference": 1}, "reference must be an integer >= 2"),
        ({"widths": [8, 12]}, "widths must be multiples of 8"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(wrong, message):
    with pytest.raises(ValueError, match=message):
        learn_images(**{**QUICK, **wrong})
