"""The feature network is the published one, sees as far as it says, and any other network plugs in."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hcg_lib.features import DEPTHS, EfficientNetLite, feature_network, pooled_features
from hcg_lib.fetch import fetched


def pictures(number, size=32, channels=1):
    return np.random.default_rng(0).integers(256, size=(number, size, size, channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def network():
    return EfficientNetLite("random", size=128)


def test_maps_are_those_of_the_package_for_any_weights(tmp_path):
    """The package's own network, with random weights and statistics, saved and read by ours."""
    from efficientnet_lite_pytorch import EfficientNet

    theirs, generator = EfficientNet.from_name("efficientnet-lite0").eval(), torch.Generator().manual_seed(0)
    for name, value in theirs.state_dict().items():
        if value.is_floating_point():
            fresh = torch.rand(value.shape, generator=generator)
            spread = 0.5 + fresh if name.endswith(("running_var", "weight")) and value.ndim == 1 else fresh - 0.5
            value.copy_(spread if value.ndim == 1 else spread * (12 / value[0].numel()) ** 0.5)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    ours, maps = EfficientNetLite(tmp_path / "weights.pth", size=64), []
    for block in theirs._blocks:
        block.register_forward_hook(lambda module, inputs, out: maps.append(out))
    images = torch.rand(2, 3, 32, 32, generator=generator)
    with torch.no_grad():
        theirs((F.interpolate(images, size=64, mode="bilinear") * 255 - 127) / 128)
    for depth, found in zip(DEPTHS[1:], ours(images)[1:], strict=True):
        torch.testing.assert_close(found, maps[depth - 1], rtol=1e-5, atol=1e-5)
        assert found.std() > 0.01


def test_weights_of_something_else_are_refused(tmp_path):
    torch.save({"weight": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="weights must be those of EfficientNet-Lite0"):
        EfficientNetLite(tmp_path / "other.pth")


def test_receptive_fields_are_where_gradients_end(network):
    network.requires_grad_(True)
    try:
        for index, wanted in enumerate(network.receptive_fields()[:4]):
            x = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)).requires_grad_()
            out = x
            for layer in network.layers[: DEPTHS[index] + 1]:
                out = layer(out)
            out[0, :, out.shape[2] // 2, out.shape[3] // 2].square().sum().backward()
            rows = x.grad.abs().sum((0, 1, 3)).nonzero().ravel()
            assert 1 + int(rows[-1] - rows[0]) <= wanted
            assert 1 + int(rows[-1] - rows[0]) >= 0.8 * wanted  # a ReLU may be off at the rim
    finally:
        network.requires_grad_(False)


def test_random_weights_follow_from_the_seed_and_keep_signals_alive(network):
    same, other = EfficientNetLite("random", size=128), EfficientNetLite("random", size=128, seed=1)
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for mine, again, another in zip(network(images), same(images), other(images), strict=True):
        assert torch.equal(mine, again)
        assert not torch.equal(mine, another)
        assert mine.isfinite().all()
        assert mine.std() > 1e-3


def test_pooled_features_are_means_of_maps_in_any_batches(network):
    images = pictures(5)
    one, parts = pooled_features(network, images), pooled_features(network, images, batch=2)
    maps = network(torch.from_numpy(images).movedim(-1, 1).float().expand(-1, 3, -1, -1) / 255)
    for found, again, wanted in zip(one, parts, maps, strict=True):
        np.testing.assert_allclose(found, again, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found, wanted.mean((2, 3)).numpy(), rtol=1e-4, atol=1e-4)


def test_any_list_of_feature_maps_plugs_in():
    class Two(nn.Module):
        names = ("pixels", "edges")

        def forward(self, images):
            return [images, images[..., 1:] - images[..., :-1]]

    images = pictures(3, 8, 3)
    pixels, edges = pooled_features(Two(), images)
    np.testing.assert_allclose(pixels, images.mean((1, 2)) / 255, rtol=1e-5)
    np.testing.assert_allclose(
        edges, (images[:, :, -1].mean(1) - images[:, :, 0].mean(1).astype(float)) / 255 / 7, atol=1e-5
    )

    class Wrong(Two):
        names = ("one", "two", "three")

    with pytest.raises(ValueError, match="a map for each of 3 names, got 2"):
        pooled_features(Wrong(), images)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: feature_network("resnet18"), "name must be one of 'efficientnet-lite0', 'random', got 'resnet18'"),
        (lambda: EfficientNetLite("random", size=50), "size must be a multiple of 32, got 50"),
        (lambda: pooled_features(EfficientNetLite("random", 32), np.zeros((2, 8, 8))), "images must have shape"),
        (
            lambda: pooled_features(EfficientNetLite("random", 32), pictures(2), batch=0),
            "batch must be an integer >= 1",
        ),
    ],
)
def test_nonsense_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.skipif(fetched("efficientnet-lite0") is None, reason="python -m hcg_lib.fetch efficientnet-lite0")
def test_trained_weights_tell_shapes_from_their_shuffled_pieces_deep_down():
    """What ImageNet taught: at depth, structure beyond the blocks matters more than for untrained weights."""
    from hcg_lib.image_controls import measure_shuffled

    common = {
        "source": "fashion-slice",
        "blocks": (8,),
        "samples": 128,
        "reference": 128,
        "enlarged": 64,
        "resamples": 20,
    }
    trained = measure_shuffled(**common)
    assert trained["mmd_low"][0][-2] > 0
    assert trained["mmd_low"][1][-2] < 0.1
    assert trained["mmd"][0][-2] > 10 * abs(trained["mmd"][1][-2])
