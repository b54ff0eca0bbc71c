r"""The authors' tree U-Net: one encoder and one decoder block a level of the tree.

Its function is that of their released code (github.com/AntonioScl/minimal_diffusion_rhm). Its input is the evidence
itself, standardised by one constant mean and deviation, which is how it learns the time.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hcg_lib._validate import check_integer
from hcg_lib.diffusion.schedules import Schedule
from hcg_lib.networks._parts import Weights, check_evidence, product

EPSILON = 1e-5  # of a LayerNorm, PyTorch's default


class TreeUNet(nn.Module):
    r"""The authors' "bpUnet": strided convolutions up the tree, transposed ones down, skips between them.

    Embedding: v → W, GELU. Encoder, L blocks: s neighbors of W channels → W, LayerNorm, GELU. Decoder, L blocks:
    2W (itself and the encoder's output of the same resolution; at the top, the latter twice) → s neighbors of W
    channels, LayerNorm, GELU. Readout: 2W (itself and the embedding) → v. No biases outside the LayerNorms. Weights
    are N(0, 1); a matrix product is scaled by its fan-in to the power -1/2, the readout's by its inverse, and a
    decoder's fan-in counts 2 s W. A kernel of width s and stride s is a matrix on s concatenated neighbors, and that
    is how it is computed here. A LayerNorm undoes the scale before it but for its
    epsilon, which is scaled instead.

    The evidence enters as $(\phi - \mu)/\sigma$ with averages over the steps of a schedule,

    $$ \mu = \langle \bar\alpha + (1-\bar\alpha)/v \rangle, \qquad
    \sigma^2 = \langle \bar\alpha + (1-\bar\alpha)/v^2 \rangle - \mu^2 . $$

    The released code always takes them over beta from 1e-4 to 0.02, T = 1000; here the schedule is an argument.

    Its output may depend on a token's own evidence: that a cavity must not is left to the loss.

    Parameters
    ----------
    v, s, L
        Vocabulary, branching and depth: strings have s**L tokens.
    width
        Channels W.
    schedule
        That of the process it will denoise.
    seed
        Integer or numpy Generator of the weights.

    Examples
    --------
    >>> from hcg_lib.diffusion import linear_beta
    >>> network = TreeUNet(v=4, s=2, L=3, width=8, schedule=linear_beta(10), seed=0)
    >>> network(torch.ones(5, 8, 4)).shape
    torch.Size([5, 8, 4])
    >>> W, v, s, L = 8, 4, 2, 3
    >>> sum(p.numel() for p in network.parameters()) == 3 * v * W + 3 * L * s * W**2 + 4 * L * W
    True
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, v: int, s: int, L: int, *, schedule: Schedule, width: int = 1024, seed: Any = 0):
        super().__init__()
        self.v, self.s, self.L = check_integer("v", v, 2), check_integer("s", s, 2), check_integer("L", L, 1)
        self.width, self.d = check_integer("width", width, 1), s**L
        W, weights = self.width, Weights(seed)
        abar = torch.tensor(schedule.abar)
        mean = (abar + (1 - abar) / v).mean()
        variance = (abar + (1 - abar) / v**2).mean() - mean**2
        self.register_buffer("mean", mean.float())
        self.register_buffer("deviation", variance.sqrt().float())
        self.embedding = weights.normal(W, v)
        self.encoder = nn.ParameterList(weights.normal(W, s * W) for _ in range(L))
        self.encoder_norms = nn.ModuleList(nn.LayerNorm(W, EPSILON * s * W) for _ in range(L))
        self.decoder = nn.ParameterList(weights.normal(s * W, 2 * W) for _ in range(L))
        self.decoder_norms = nn.ModuleList(nn.LayerNorm(W, EPSILON * 2 * s * W) for _ in range(L))
        self.readout = weights.normal(v, 2 * W)

    def forward(self, evidence: Tensor) -> Float[Tensor, "B d v"]:
        """Return logits (B, d, v) from evidence (B, d, v)."""
        skips = self._downsample(evidence)
        x = skips[-1]
        for weight, norm in zip(self.decoder, self.decoder_norms, strict=True):
            x = product(torch.cat([x, skips.pop()], -1), weight)
            x = F.gelu(norm(x.reshape(len(evidence), -1, self.width)))
        return product(torch.cat([x, skips.pop()], -1), self.readout) / (2 * self.width)

    def encode(self, evidence: Tensor) -> list[Tensor]:
        """The outputs of the L blocks of the encoder: arrays (B, nodes, W) of level 1 … L."""
        return self._downsample(evidence)[1:]

    def _downsample(self, evidence: Tensor) -> list[Tensor]:
        """The embedding (B, d, W) and the outputs of the encoder's blocks."""
        x = (check_evidence(evidence, self.d, self.v) - self.mean) / (self.deviation * self.v**0.5)
        outputs = [F.gelu(product(x, self.embedding))]
        for weight, norm in zip(self.encoder, self.encoder_norms, strict=True):
            x = outputs[-1].reshape(len(evidence), -1, self.s * self.width)
            outputs.append(F.gelu(norm(product(x, weight))))
        return outputs
