"""Numbers drawn on the CPU, brought to where they are used."""

from __future__ import annotations

import torch
from torch import Tensor


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on another device; a GPU is not made to finish what is queued before.

    >>> send(torch.ones(2), torch.device("cpu")).tolist()
    [1.0, 1.0]
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
