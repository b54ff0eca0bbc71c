"""Checkpoints: tensors and JSON in one safetensors file that is replaced at once; a kill leaves the old or the new."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

Tensors = dict[str, Tensor]


def write_checkpoint(path: str | Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able facts to `path`, atomically: whole, flushed to disk, then renamed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_checkpoint(folder + "/c.safetensors", {"weight": torch.ones(2)}, {"step": 3})
    ...     read_checkpoint(folder + "/c.safetensors")
    ({'weight': tensor([1., 1.])}, {'step': 3})
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = {"json": json.dumps(meta, allow_nan=False)}
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, text)
    partial = path.with_name(f".{path.name}.partial")  # what a kill leaves behind, the next write replaces
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the renaming too
    finally:
        os.close(folder)


def read_checkpoint(path: str | Path) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors and the facts of a checkpoint; nothing in it is executed.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is not one of ours.
    """
    data = Path(path).read_bytes()  # at once: another process may replace the file meanwhile
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return load(data), json.loads(header["__metadata__"]["json"])
    except Exception as error:
        raise ValueError(f"path must be a checkpoint of this library, got {path} ({error})") from error


def part(tensors: Mapping[str, Tensor], name: str) -> Tensors:
    """Return the tensors whose names start with `name.`, without it.

    >>> list(part({"network.weight": torch.ones(1), "average.weight": torch.ones(1)}, "network"))
    ['weight']
    """
    return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def pack(**parts: Mapping[str, Tensor]) -> Tensors:
    """Return the union of named parts, `{"name.key": tensor}`, the inverse of `part`."""
    return {f"{name}.{key}": tensor for name, tensors in parts.items() for key, tensor in tensors.items()}


def optimizer_state(optimizers: Sequence[torch.optim.Optimizer]) -> Tensors:
    """Return all that optimizers remember, as named tensors; learning rates are the schedule's business."""
    return {
        f"{number}.{index}.{key}": value
        for number, optimizer in enumerate(optimizers)
        for index, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }


def restore_optimizers(optimizers: Sequence[torch.optim.Optimizer], state: Mapping[str, Tensor]) -> None:
    """Give back what `optimizer_state` returned."""
    for number, optimizer in enumerate(optimizers):
        found: dict[int, Tensors] = {}
        for name, value in part(state, str(number)).items():
            index, key = name.split(".", 1)
            found.setdefault(int(index), {})[key] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": found, "param_groups": groups})
