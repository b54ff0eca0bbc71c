r"""Muon: steepest descent for matrices, measured in the spectral norm (Jordan et al. 2024).

The momentum $M = U S V^{\mathsf T}$ of a matrix is replaced by $U V^{\mathsf T}$, nearly: five steps of an odd
polynomial, $X \leftarrow a X + (b\,X X^{\mathsf T} + c\,(X X^{\mathsf T})^2) X$, push every singular value towards 1.
Rare directions then move as fast as frequent ones, which matters where rules are learned from few examples each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from hcg_lib._validate import check_integer, check_real

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # published; singular values end between 0.7 and 1.2
RMS = 0.2  # of an update at learning rate 1, which is Adam's; so both share one learning rate


def orthogonalize(matrices: Tensor, steps: int = 5) -> Tensor:
    """Return the nearest orthogonal matrices, roughly: (…, a, b), singular values about 1.

    Examples
    --------
    >>> singular = torch.linalg.svdvals(orthogonalize(torch.tensor([[3.0, 1.0], [0.0, 0.1]])))
    >>> bool(((singular > 0.6) & (singular < 1.3)).all())
    True
    """
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.mT
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    x = x.bfloat16() if x.shape[-2] >= 32 else x
    a, b, c = COEFFICIENTS
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return (x if wide else x.mT).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, for parameters (…, a, b); leading axes are separate matrices.

    Parameters
    ----------
    params
        Parameters with two axes or more.
    lr, momentum, weight_decay
        Learning rate, momentum in [0, 1), decoupled weight decay.

    Examples
    --------
    >>> weight = nn.Parameter(torch.zeros(4, 8))
    >>> optimizer = Muon([weight], lr=0.1)
    >>> weight.grad = torch.ones(4, 8)
    >>> optimizer.step()
    >>> bool((weight < 0).all())
    True
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, momentum: float = 0.95, weight_decay: float = 0.0):
        check_real("momentum", momentum, 0, 1 - 1e-9)
        defaults = {
            "lr": check_real("lr", lr, 0),
            "momentum": momentum,
            "weight_decay": check_real("weight_decay", weight_decay, 0),
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for weight in group["params"]:
                check_integer("number of axes of every parameter", weight.ndim, 2)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Move every parameter that has a gradient; matrices of one shape are treated together."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            shapes = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    shapes[tuple(sorted(weight.shape[-2:]))].append(weight)
            for (a, b), weights in shapes.items():
                stack = torch.cat(
                    [_flat(self._momentum(weight, weight.grad, group["momentum"]), a) for weight in weights]
                )
                scale = group["lr"] * RMS * b**0.5
                for weight, update in zip(
                    weights, orthogonalize(stack).split([_count(w) for w in weights]), strict=True
                ):
                    turned = update if weight.shape[-2] == a else update.mT
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.sub_(turned.reshape(weight.shape), alpha=scale)
        return loss

    def _momentum(self, weight: Tensor, gradient: Any, decay: float) -> Tensor:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        return gradient.lerp(state["momentum"].lerp_(gradient, 1 - decay), decay)


def _flat(matrices: Tensor, short: int) -> Tensor:
    """Matrices (k, a, b) with a the shorter side."""
    flat = matrices.reshape(-1, *matrices.shape[-2:])
    return flat if flat.shape[-2] == short else flat.mT


def _count(weight: Tensor) -> int:
    return weight[..., 0, 0].numel()


def optimizers(network: nn.Module, name: str, lr: float, weight_decay: float) -> list[torch.optim.Optimizer]:
    """Return the optimizers of a network: AdamW for all, or Muon for matrices between hidden layers and AdamW else.

    Parameters
    ----------
    network
        Its parameters called embedding… and readout… touch tokens: they are never Muon's.
    name
        "muon" or "adamw".
    """
    hidden = [
        parameter
        for label, parameter in network.named_parameters()
        if name == "muon" and parameter.ndim >= 2 and not label.startswith(("embedding", "readout"))
    ]
    chosen = {id(parameter) for parameter in hidden}
    others = [parameter for parameter in network.parameters() if id(parameter) not in chosen]
    made: list[torch.optim.Optimizer] = [Muon(hidden, lr=lr, weight_decay=weight_decay)] if hidden else []
    return [*made, torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True)]
