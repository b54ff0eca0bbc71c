"""A control that knows its scale: real images whose blocks were put into random order."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import UInt8

from hcg_lib._random import generator
from hcg_lib._validate import check_counts, check_integer
from hcg_lib.features import feature_network, pooled_features
from hcg_lib.image_learning import KERNELS
from hcg_lib.images import check_images, cut, load_images
from hcg_lib.mmd import Reference
from hcg_lib.packing import pack_array

Array = np.ndarray


def shuffle_blocks(images: Any, block: int, seed: Any = 0) -> UInt8[Array, "N H W C"]:
    """Return images whose square blocks are in random order, another one for each image.

    Inside a block nothing changes; across its borders nothing fits; and what is in an image, but not where, is kept.

    Parameters
    ----------
    images
        (N, H, W, C) uint8.
    block
        Pixels a side, a divisor of H and W.
    seed
        Integer or numpy Generator of the orders.

    Examples
    --------
    >>> images = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    >>> shuffle_blocks(images, 2, seed=0)[0, :, :, 0].tolist()
    [[8, 9, 0, 1], [12, 13, 4, 5], [2, 3, 10, 11], [6, 7, 14, 15]]
    """
    images, rng = check_images("images", images), generator(seed)
    H, W, C = images.shape[1:]
    block = check_integer("block", block, 1, min(H, W))
    if H % block or W % block:
        raise ValueError(f"block must divide the images' sides {H} and {W}, got {block}")
    shuffled = np.empty_like(images)
    for place, image in zip(shuffled, images, strict=True):
        blocks = cut(image, block)[rng.permutation(H * W // block**2)]
        rows = blocks.reshape(H // block, W // block, block, block, C).swapaxes(1, 2)
        place[...] = rows.reshape(H, W, C)
    return shuffled


def measure_shuffled(
    source: str,
    blocks: Any = None,
    seed: int = 0,
    size: int = 32,
    samples: int = 1024,
    reference: int = 2048,
    network: str = "efficientnet-lite0",
    enlarged: int = 128,
    resamples: int = 100,
    shown: int = 6,
) -> dict[str, Any]:
    """Compare held-out images with shuffled blocks to other held-out images, by depth and size of the blocks.

    Parameters are those of :func:`~hcg_lib.image_learning.learn_images`, and `blocks`: divisors of `size` below it,
    by default all powers of two that do.

    Returns
    -------
    names, receptive_field: of the depths; block: sizes (B,), the last one the whole image; mmd, mmd_low, mmd_high:
    (B, D); mmd_resampled: packed (B, R, D); bounded, …: the same with the Gaussian kernel; images: packed
    (B, shown, H, W, C).

    Examples
    --------
    >>> point = measure_shuffled("fashion-slice", (4,), network="random", enlarged=32, samples=64, reference=64)
    >>> point["block"], point["mmd"][0][3] > point["mmd"][1][3]
    ([4, 32], True)
    """
    images = load_images(source, size, seed)
    powers = [2**k for k in range(10) if size % 2**k == 0 and 2**k < size]
    blocks = [*check_counts("blocks", powers if blocks is None else blocks, 1).tolist(), size]
    if any(size % block for block in blocks) or (np.diff(blocks) <= 0).any():
        raise ValueError(f"blocks must increase, be below {size} and divide it, got {blocks[:-1]}")
    half = min(check_integer("reference", reference, 2), len(images.held_out) // 2)
    eyes = feature_network(network, enlarged)
    seen = pooled_features(eyes, images.held_out[:half])
    others = images.held_out[half:][: check_integer("samples", samples, 2)]
    made = [shuffle_blocks(others, block, np.random.default_rng([seed, block])) for block in blocks]
    features = [pooled_features(eyes, pictures) for pictures in made]
    result: dict[str, Any] = {}
    for name, kernel in KERNELS.items():
        judge = Reference(seen, resamples, seed, kernel)
        found = [judge.compare(part) for part in features]
        result[name] = [score.squared.tolist() for score in found]
        result[f"{name}_low"] = [score.low.tolist() for score in found]
        result[f"{name}_high"] = [score.high.tolist() for score in found]
        result[f"{name}_resampled"] = pack_array(np.stack([score.resampled for score in found]).astype(np.float32))
    return {
        "names": list(eyes.names),
        "receptive_field": [field * size / enlarged for field in eyes.receptive_fields()],
        "block": blocks,
        **result,
        "images": pack_array(np.stack([pictures[:shown] for pictures in made])),
    }
