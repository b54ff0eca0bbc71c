"""Checks of arguments: every bad input ends here, in a sentence that names it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np


def check_integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an int, or raise a ValueError that names it.

    >>> check_integer("m", 4, 1, 16)
    4
    """
    allowed = f"an integer >= {low}" if high is None else f"an integer from {low} to {high}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    value = int(value)
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be {allowed}, got {value}")
    return value


def check_real(name: str, value: Any, low: float = -np.inf, high: float = np.inf, strict: bool = False) -> float:
    """Return `value` as a finite float in [low, high] (in (low, high) if `strict`), or raise a ValueError.

    >>> check_real("eps", 0.5, 0, 1)
    0.5
    """
    bounds = f"({low:g}, {high:g})" if strict else f"[{low:g}, {high:g}]"
    good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    good = good and (low < value < high if strict else low <= value <= high)
    if not good:
        raise ValueError(f"{name} must be a finite number in {bounds}, got {value!r}")
    return float(value)


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return `value` if it is one of `allowed`, or raise a ValueError that lists them.

    >>> check_choice("targets", "tokens", ("tokens", "latents"))
    'tokens'
    """
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def check_symbols(
    name: str, array: Any, v: int, width: int | None = None, ndim: int = 2, missing: bool = False
) -> np.ndarray:
    """Return `array` as integers below `v` (and >= 0, or >= -1 if `missing`) of the wanted shape, or raise.

    >>> check_symbols("x", [[0, 1], [1, 1]], v=2, width=2).shape
    (2, 2)
    """
    values = np.asarray(array)
    wanted = {1: "(P,)", 2: f"(P, {'d' if width is None else width})"}.get(ndim, f"{ndim} axes")
    if values.ndim != ndim or (width is not None and values.shape[-1] != width):
        raise ValueError(f"{name} must have shape {wanted}, got {values.shape}")
    if values.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold integers, got dtype {values.dtype}")
    low = -1 if missing else 0
    if values.size and (values.min() < low or values.max() >= v):
        bad = values.min() if values.min() < low else values.max()
        raise ValueError(f"{name} must hold symbols from {low} to {v - 1}, got {int(bad)}")
    return values
