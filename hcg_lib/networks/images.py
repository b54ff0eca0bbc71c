"""The U-Net of diffusers, with weights from a seed."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from hcg_lib._validate import check_counts, check_integer
from hcg_lib.networks._parts import Weights

GROUPS = 8  # of channels that are normalised together


class ImageUNet(nn.Module):
    """Noisy images (B, C, H, W) and steps (B,) in, images (B, C, H, W) out: what diffusers calls UNet2DModel.

    The last convolution of every residual block and of the network starts at zero, so that an untrained network says 0,
    as in the U-Net of the paper (improved-diffusion).

    Parameters
    ----------
    channels
        Of the images: 1 or 3.
    widths
        Channels at each resolution, multiples of 8; the resolution halves from each to the next.
    depth
        Residual blocks at each resolution, at least 1.
    attended
        Resolutions (0 is the finest) with self-attention after each block.
    seed
        Integer or numpy Generator of the weights.

    Examples
    --------
    >>> network = ImageUNet(1, widths=(8, 16), seed=0)
    >>> network(torch.ones(2, 1, 8, 8), torch.tensor([1, 2])).abs().max().item()
    0.0
    """

    unet: Any

    def __init__(
        self, channels: int, widths: Any = (32, 48, 64, 64), depth: int = 1, attended: Any = (), seed: Any = 0
    ):
        super().__init__()
        from diffusers import UNet2DModel

        widths = check_counts("widths", widths, GROUPS).tolist()
        if any(width % GROUPS for width in widths):
            raise ValueError(f"widths must be multiples of {GROUPS}, got {widths}")
        levels = range(len(widths))
        down = [f"{'Attn' if level in attended else ''}DownBlock2D" for level in levels]
        up = [f"{'Attn' if level in attended else ''}UpBlock2D" for level in reversed(levels)]
        channels = check_integer("channels", channels, 1)
        with torch.device("meta"):  # no draw from the global random state
            self.unet = UNet2DModel(
                in_channels=channels,
                out_channels=channels,
                layers_per_block=check_integer("depth", depth, 1),
                block_out_channels=tuple(widths),
                down_block_types=tuple(down),
                up_block_types=tuple(up),
                norm_num_groups=GROUPS,
                attention_head_dim=GROUPS,
                add_attention=bool(len(attended)),
            )
        self.unet.to_empty(device="cpu")
        _initialize(self.unet, Weights(seed))

    @property
    def factor(self) -> int:
        """What the sides of images must be multiples of."""
        return 2 ** (len(self.unet.config["block_out_channels"]) - 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[2] % self.factor or x.shape[3] % self.factor:
            raise ValueError(f"x must have shape (B, C, H, W), sides multiples of {self.factor}, got {tuple(x.shape)}")
        return self.unet(x, t, return_dict=False)[0]


@torch.no_grad()
def _initialize(network: nn.Module, weights: Weights) -> None:
    """Weights uniform with variance 1 / (3 fan-in), biases 0, norms 1; zero where a block ends."""
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            bound = 1 / math.sqrt(module.weight[0].numel())
            module.weight.uniform_(-bound, bound, generator=weights.generator)
            if name.endswith(("conv2", "conv_out", "to_out.0")):
                module.weight.zero_()
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.GroupNorm):
            module.weight.fill_(1.0)
            module.bias.zero_()
        elif next(module.parameters(recurse=False), None) is not None:
            raise TypeError(f"no rule for the weights of {type(module).__name__}")
