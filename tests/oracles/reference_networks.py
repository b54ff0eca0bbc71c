"""The authors' tree U-Net in plain words: channels first, strided and transposed convolutions, explicit fan-ins."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hcg_lib.networks import TreeUNet


def by_convolutions(network: TreeUNet, evidence: Tensor) -> Tensor:
    """The function of a network, from its weights."""
    return convolve(network, kernels(network), evidence)


def kernels(network: TreeUNet) -> dict[str, list[Tensor]]:
    """A network's weights in the layout of convolutions: the position last; out, in, or in, out where transposed."""
    W, s = network.width, network.s
    return {
        "ends": [network.embedding[:, :, None], network.readout[:, :, None]],
        "encoder": [weight.reshape(W, s, W).permute(0, 2, 1) for weight in network.encoder],
        "decoder": [weight.reshape(s, W, 2 * W).permute(2, 1, 0) for weight in network.decoder],
    }


def convolve(network: TreeUNet, kernels: dict[str, list[Tensor]], evidence: Tensor) -> Tensor:
    W, s, v = network.width, network.s, network.v
    norm = lambda x, layer: F.layer_norm(x.mT, (W,), layer.weight, layer.bias).mT  # noqa: E731
    embedding, readout = kernels["ends"]
    x = ((evidence / evidence.sum(-1, keepdim=True) - network.mean) / network.deviation).mT
    x = F.gelu(F.conv1d(x, embedding) / v**0.5)
    skips = [x]
    for kernel, layer in zip(kernels["encoder"], network.encoder_norms, strict=True):
        x = F.gelu(norm(F.conv1d(x, kernel, stride=s) / (s * W) ** 0.5, layer))
        skips.append(x)
    for kernel, layer in zip(kernels["decoder"], network.decoder_norms, strict=True):
        x = torch.cat([x, skips.pop()], 1)
        x = F.gelu(norm(F.conv_transpose1d(x, kernel, stride=s) / (s * 2 * W) ** 0.5, layer))
    x = torch.cat([x, skips.pop()], 1)
    return (F.conv1d(x, readout) / (2 * W)).mT


class Convolutions(nn.Module):
    """A network of its own that computes as `by_convolutions` does, its kernels stored as convolutions want them."""

    kernels: Any  # an nn.ModuleDict of nn.ParameterList

    def __init__(self, network: TreeUNet):
        super().__init__()
        self.shape = network
        self.kernels = nn.ModuleDict({
            name: nn.ParameterList(nn.Parameter(kernel.detach().contiguous().clone()) for kernel in group)
            for name, group in kernels(network).items()
        })  # fmt: skip
        for weight in [network.embedding, network.readout, *network.encoder, *network.decoder]:
            weight.requires_grad_(False)  # the kernels take their place

    def forward(self, evidence: Tensor) -> Tensor:
        return convolve(self.shape, {name: list(group) for name, group in self.kernels.items()}, evidence)
