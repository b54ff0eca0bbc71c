"""The authors' tree U-Net in plain words: channels first, strided and transposed convolutions, explicit fan-ins."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hcg_lib.networks import TreeUNet


def by_convolutions(network: TreeUNet, evidence: Tensor) -> Tensor:
    """The function of a network, from its weights."""
    W, s, v = network.width, network.s, network.v
    norm = lambda x, layer: F.layer_norm(x.mT, (W,), layer.weight, layer.bias).mT  # noqa: E731
    x = ((evidence / evidence.sum(-1, keepdim=True) - network.mean) / network.deviation).mT
    x = F.gelu(F.conv1d(x, network.embedding[:, :, None]) / v**0.5)
    skips = [x]
    for weight, layer in zip(network.encoder, network.encoder_norms, strict=True):
        kernel = weight.reshape(W, s, W).permute(0, 2, 1)  # out, in, position
        x = F.gelu(norm(F.conv1d(x, kernel, stride=s) / (s * W) ** 0.5, layer))
        skips.append(x)
    for weight, layer in zip(network.decoder, network.decoder_norms, strict=True):
        kernel = weight.reshape(s, W, 2 * W).permute(2, 1, 0)  # in, out, position
        x = torch.cat([x, skips.pop()], 1)
        x = F.gelu(norm(F.conv_transpose1d(x, kernel, stride=s) / (s * 2 * W) ** 0.5, layer))
    x = torch.cat([x, skips.pop()], 1)
    return (F.conv1d(x, network.readout[:, :, None]) / (2 * W)).mT
