"""Arrays as text, for stores of JSON lines: base64 of zlib of numpy's own format, nothing executable."""

from __future__ import annotations

import base64
import binascii
import io
import zlib
from typing import Any

import numpy as np

from hcg_lib._validate import check_text, shown


def pack_array(array: Any) -> str:
    """Return an array of numbers as text.

    >>> unpack_array(pack_array(np.arange(3, dtype=np.uint8)))
    array([0, 1, 2], dtype=uint8)
    """
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return base64.b64encode(zlib.compress(buffer.getvalue(), 9)).decode("ascii")


def unpack_array(text: str) -> np.ndarray:
    """Return the array that `pack_array` made text of.

    Raises
    ------
    ValueError
        If it is no such text.
    """
    try:
        return np.load(io.BytesIO(zlib.decompress(base64.b64decode(check_text("text", text)))), allow_pickle=False)
    except (binascii.Error, zlib.error, EOFError, ValueError) as error:
        raise ValueError(f"text must be an array packed by pack_array, got {shown(text)}") from error
