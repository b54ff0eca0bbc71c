r"""Our network: messages pass once up and once down the tree, and no token hears itself.

The tree is that of the authors' U-Net; what to send is learned. A node of level l with children $u_1 … u_s$ (vectors
of W numbers, layer-normalised) and parent message $D$ activates H hidden units,

$$ \text{up:}\quad h = \sigma(z_1, …, z_s), \qquad \text{down, to child j:}\quad h_j = \sigma(q, z_{k \ne j}), \qquad
z_k = A_k u_k, \quad q = C^{\mathsf T} D + b, $$

and sends $u = C h$ up and $D_j = A_j^{\mathsf T} h_j$ down, up to scales. Half of the hidden units multiply what
arrives, $\prod_k z_k$, half add it and bend, $\mathrm{gelu}(\sum_k z_k)$. Belief propagation has this shape with one
multiplying unit a rule; the network is told neither the rules nor their number.

Child j's message leaves out $z_j$: the message into a leaf is a function of all the other leaves, so that the output
is a cavity by construction (derived: the minimiser of either loss is one).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import add, mul
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hcg_lib._validate import check_integer
from hcg_lib.networks._parts import Weights, check_evidence

FLOOR = 1e-6  # least weight of a symbol in a cavity before normalisation


class Units(nn.Module):
    """Hidden units of one kind at one level, shared by its nodes: A (s, H, W), b (H,) and, below the root, C (W, H)."""

    to_parent: Any  # a parameter, or None at the root

    def __init__(self, kind: str, s: int, width: int, hidden: int, root: bool, weights: Weights):
        super().__init__()
        self.kind, self.scale = kind, (hidden / width) ** 0.5
        self.from_child = weights.normal(s, hidden, width, std=width**-0.5)
        self.to_parent = None if root else weights.normal(width, hidden, std=(6 * hidden) ** -0.5)
        self.prior = nn.Parameter(torch.zeros(hidden))

    def excite(self, u: Tensor) -> tuple[Tensor, ...]:
        """What each of the s children sends to the units: s arrays (N, H) from u (s, N, W)."""
        return torch.bmm(u, self.from_child.mT).unbind(0)

    def up(self, z: Sequence[Tensor]) -> Tensor:
        """The share (N, W) of the message to the parent."""
        return F.linear(self.activate(z), self.to_parent)

    def down(self, D: Tensor | None, z: Sequence[Tensor]) -> Tensor:
        """The share (s, N, W) of the messages to the children, from above (N, W) and from their siblings."""
        q = self.prior.expand_as(z[0])  # all that is known above the root
        if D is not None:
            q = torch.addmm(self.prior, D, self.to_parent, alpha=self.scale)
        h = torch.stack([self.activate([q, *z[:j], *z[j + 1 :]]) for j in range(len(z))])
        return torch.bmm(h, self.from_child)

    def activate(self, z: Sequence[Tensor]) -> Tensor:
        """What the units make of all that arrives: (N, H)."""
        return reduce(mul, z) if self.kind == "product" else F.gelu(reduce(add, z))


class Level(nn.Module):
    """One level of the tree: two kinds of units between layer-normalised messages."""

    units: Any  # an nn.ModuleList of Units
    bias: Any  # a parameter, or None at the root
    down_norm: nn.LayerNorm | None

    def __init__(self, s: int, width: int, hidden: int, root: bool, weights: Weights):
        super().__init__()
        self.units = nn.ModuleList(Units(kind, s, width, hidden // 2, root, weights) for kind in ("product", "sum"))
        self.bias = None if root else nn.Parameter(torch.zeros(width))
        self.up_norm, self.down_norm = nn.LayerNorm(width), None if root else nn.LayerNorm(width)

    def excite(self, u: Tensor) -> list[tuple[Tensor, ...]]:
        """What the children's messages (N, s, W) send to the units, by kind of unit and by child."""
        u = self.up_norm(u).transpose(0, 1)
        return [units.excite(u) for units in self.units]

    def up(self, z: Sequence[tuple[Tensor, ...]]) -> Tensor:
        """The message (N, W) to the parent."""
        return reduce(add, [units.up(part) for units, part in zip(self.units, z, strict=True)], self.bias)

    def down(self, D: Tensor | None, z: Sequence[tuple[Tensor, ...]]) -> Tensor:
        """The messages (N, s, W) to the children, from that of the parent (N, W), None at the root."""
        D = D if D is None or self.down_norm is None else self.down_norm(D)
        return reduce(add, [units.down(D, part) for units, part in zip(self.units, z, strict=True)]).transpose(0, 1)


class MessagePassing(nn.Module):
    """One upward and one downward sweep of learned messages; the output never depends on a token's own evidence.

    Parameters
    ----------
    v, s, L
        Vocabulary, branching and depth: strings have s**L tokens.
    width, hidden
        Numbers in a message and hidden units of a node, even.
    seed
        Integer or numpy Generator of the weights.

    Examples
    --------
    >>> network = MessagePassing(v=4, s=2, L=3, width=8, hidden=16, seed=0)
    >>> evidence = torch.ones(5, 8, 4)
    >>> before = network(evidence)
    >>> evidence[:, 2] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    >>> (network(evidence) != before).any(-1).any(0).tolist()
    [True, True, False, True, True, True, True, True]
    """

    levels: Any  # an nn.ModuleList of Level, leaf-most first

    def __init__(self, v: int, s: int, L: int, *, width: int = 64, hidden: int = 256, seed: Any = 0):
        super().__init__()
        self.v, self.s, self.L = check_integer("v", v, 2), check_integer("s", s, 2), check_integer("L", L, 1)
        self.width, self.hidden, self.d = check_integer("width", width, 1), check_integer("hidden", hidden, 2), s**L
        if hidden % 2:
            raise ValueError(f"hidden must be even, got {hidden}")
        weights = Weights(seed)
        self.embedding = weights.linear(2 * v, width)
        self.levels = nn.ModuleList(Level(s, width, hidden, l == L, weights) for l in range(1, L + 1))
        self.readout = weights.linear(width, v)

    def forward(self, evidence: Tensor) -> Float[Tensor, "B d v"]:
        """Return cavity logits (B, d, v) from evidence (B, d, v)."""
        excited = self._upward(evidence)[1]
        D = None
        for level in reversed(self.levels):
            D = level.down(D, excited.pop()).reshape(-1, self.width)
        symbol = F.softplus(self.readout(D).float())
        return torch.log(symbol + FLOOR).reshape(evidence.shape)

    def encode(self, evidence: Tensor) -> list[Tensor]:
        """What nodes of level 1 … L-1 send up, as their parents hear it: arrays (B, nodes, W)."""
        messages = self._upward(evidence)[0]
        heard = [level.up_norm(u) for u, level in zip(messages, self.levels[1:], strict=True)]
        return [u.reshape(len(evidence), -1, self.width) for u in heard]

    def _upward(self, evidence: Tensor) -> tuple[list[Tensor], list[Any]]:
        """The messages (N, W) of levels 1 … L-1, and what the units of levels 1 … L receive."""
        u = self.embedding(self.features(evidence))
        messages, excited = [], [self.levels[0].excite(u.reshape(-1, self.s, self.width))]
        for below, level in pairwise(self.levels):
            messages.append(below.up(excited[-1]))
            excited.append(level.excite(messages[-1].reshape(-1, self.s, self.width)))
        return messages, excited

    def features(self, evidence: Tensor) -> Tensor:
        """The evidence as centred logarithms and as probabilities: (B, d, 2 v)."""
        p = check_evidence(evidence, self.d, self.v)
        log = torch.log(p + FLOOR**1.5)
        return torch.cat([(log - log.mean(-1, keepdim=True)) / 2, (p - 1 / self.v) * self.v**0.5], -1)
