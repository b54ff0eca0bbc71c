"""Checks of arguments: every bad input ends here, in a sentence that names it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

LONGEST = 1 << 20  # tokens in a string
DEEPEST = LONGEST.bit_length() - 1  # levels of rules: tuples have at least two symbols
MOST_SYMBOLS = 1 << 31  # symbols of a vocabulary, and rules of a symbol
MOST_STRINGS = 1 << 40


def shown(value: Any) -> str:
    """Return the value as it is written, on one line and not too long."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of thousands of digits
        text = f"an integer of {value.bit_length()} bits"
    return text if len(text) <= 80 else f"{text[:77]}…"


def check_integer(name: str, value: Any, low: int, high: int | None = None, limit: int | None = None) -> int:
    """Return `value` as an int, or raise a ValueError that names it.

    A `limit` is a bound that no sensible value comes near; it is spoken of only where it is passed.

    >>> check_integer("m", 4, 1, 16)
    4
    """
    if isinstance(value, Integral) and not isinstance(value, (bool, np.bool_)):
        number = int(value)
        if limit is not None and number > limit:
            high = limit
        if number >= low and (high is None or number <= high):
            return number
    allowed = f"an integer >= {low}" if high is None else f"an integer from {low} to {high}"
    raise ValueError(f"{name} must be {allowed}, got {shown(value)}")


def _bounds(low: float, high: float, strict: bool) -> str:
    if high == np.inf:
        return "" if low == -np.inf else f" {'>' if strict else '>='} {low:g}"
    return f" in ({low:g}, {high:g})" if strict else f" in [{low:g}, {high:g}]"


def check_flag(name: str, value: Any) -> bool:
    """Return `value` if it is True or False, or raise a ValueError.

    >>> check_flag("pooled", True)
    True
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def check_text(name: str, value: Any) -> str:
    """Return `value` if it is a string, or raise a ValueError.

    >>> check_text("title", "steps")
    'steps'
    """
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, got {shown(value)}")
    return value


def check_instance(name: str, value: Any, kind: type) -> None:
    """Raise a ValueError unless `value` is a `kind`."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")


def check_real(name: str, value: Any, low: float = -np.inf, high: float = np.inf, strict: bool = False) -> float:
    """Return `value` as a finite float in [low, high] (in (low, high) if `strict`), or raise a ValueError.

    >>> check_real("eps", 0.5, 0, 1)
    0.5
    """
    if isinstance(value, Real) and not isinstance(value, (bool, np.bool_)):
        try:
            number = float(value)
        except OverflowError:  # an integer beyond any float
            number = math.inf
        if math.isfinite(number) and (low < number < high if strict else low <= number <= high):
            return number
    raise ValueError(f"{name} must be a finite number{_bounds(low, high, strict)}, got {shown(value)}")


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return `value` if it is one of `allowed`, or raise a ValueError that lists them.

    >>> check_choice("targets", "tokens", ("tokens", "latents"))
    'tokens'
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {shown(value)}")
    return value


def as_array(name: str, value: Any) -> np.ndarray:
    """Return `value` as an array, or raise a ValueError if it is ragged or no array can be made of it.

    >>> as_array("x", [[0, 1], [2, 3]]).shape
    (2, 2)
    """
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError):  # ragged lists; tensors that numpy cannot see
        raise ValueError(f"{name} must be an array with rows of one length, got {shown(value)}") from None


def iterate(name: str, value: Any, what: str) -> Iterator[Any]:
    """Return an iterator over `value`, or raise a ValueError that says what it must be.

    >>> next(iterate("strings", [1, 2], "a list"))
    1
    """
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        raise ValueError(f"{name} must be {what}, got {shown(value)}")
    return iter(value)


def check_list(name: str, value: Any, what: str) -> list[Any]:
    """Return the items of `value`, or raise a ValueError that says of `what` there must be a list.

    >>> check_list("choices", (1, 2), "of arrays")
    [1, 2]
    """
    return list(iterate(name, value, f"a list {what}"))


def check_numbers(
    name: str,
    value: Any,
    low: float = -np.inf,
    high: float = np.inf,
    strict: bool = False,
    ndim: int | None = None,
    gaps: bool = False,
) -> np.ndarray:
    """Return `value` as finite floats in [low, high] (in (low, high) if `strict`) with `ndim` axes, or raise.

    With `gaps` NaN passes too.

    >>> check_numbers("P", [10, 100], 0, strict=True)
    array([ 10., 100.])
    """
    values = as_array(name, value)
    real = values.dtype.kind in "iuf" or all(isinstance(item, Real) for item in values.flat)
    if not real or values.dtype.kind == "b":
        raise ValueError(f"{name} must hold real numbers, got {shown(value)}")
    if ndim is not None and values.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} {'axis' if ndim == 1 else 'axes'}, got shape {values.shape}")
    try:
        numbers = values.astype(float)
    except OverflowError:  # integers beyond any float
        numbers = np.full(values.shape, np.inf)
    inside = (numbers > low) & (numbers < high) if strict else (numbers >= low) & (numbers <= high)
    if not (inside & np.isfinite(numbers) | (gaps & np.isnan(numbers))).all():
        raise ValueError(f"{name} must hold finite numbers{_bounds(low, high, strict)}, got {shown(value)}")
    return numbers


def check_shape(v: Any, m: Any, s: Any) -> tuple[int, int, int]:
    """Return vocabulary v, rules a symbol m <= v**(s-1) and branching s as ints, or raise a ValueError.

    >>> check_shape(16, 4, 2)
    (16, 4, 2)
    """
    v, s = check_integer("v", v, 2, limit=MOST_SYMBOLS), check_integer("s", s, 2, limit=LONGEST)
    most = min(v ** (s - 1), MOST_SYMBOLS) if s < 32 else MOST_SYMBOLS
    return v, check_integer("m", m, 1, most), s


def check_counts(name: str, value: Any, low: int) -> np.ndarray:
    """Return a non-empty list of integers >= low as int64, or raise a ValueError.

    >>> check_counts("positions", [0, 2], 0)
    array([0, 2])
    """
    values = as_array(name, value)
    if values.ndim != 1 or not values.size or values.dtype.kind not in "iu" or values.min() < low:
        raise ValueError(f"{name} must be a non-empty list of integers >= {low}, got {shown(value)}")
    return values.astype(np.int64)


def check_symbols(
    name: str, array: Any, v: int, width: int | None = None, ndim: int | None = 2, missing: bool = False
) -> np.ndarray:
    """Return `array` as integers below `v` (and >= 0, or >= -1 if `missing`) of the wanted shape, or raise.

    `ndim` None admits any number of axes but none.

    >>> check_symbols("x", [[0, 1], [1, 1]], v=2, width=2).shape
    (2, 2)
    """
    values = as_array(name, array)
    axes = max(values.ndim, 1) if ndim is None else ndim
    wanted = {1: "(P,)", 2: f"(P, {'d' if width is None else width})"}.get(axes, f"{axes} axes")
    if values.ndim != axes or (width is not None and values.shape[-1] != width):
        raise ValueError(f"{name} must have shape {wanted}, got {values.shape}")
    if values.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold integers, got dtype {values.dtype}")
    low = -1 if missing else 0
    if values.size and (values.min() < low or values.max() >= v):
        bad = values.min() if values.min() < low else values.max()
        raise ValueError(f"{name} must hold symbols from {low} to {v - 1}, got {int(bad)}")
    return values
