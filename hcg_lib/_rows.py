"""Loops over one row of WIDTH strings, and over the rows of one node: what the sum-product kernels are made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

WIDTH = 64  # strings a tile: four 512-bit registers of float32, and a family's messages stay in the first cache
OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
INLINE: dict[str, Any] = {**OPTIONS, "forceinline": True}  # the loops below are shorter than a call


@njit(**INLINE)
def multiply(out, a, c):  # pragma: no cover
    """Set out = a * c."""
    for b in range(WIDTH):
        out[b] = a[b] * c[b]


@njit(**INLINE)
def add(out, a):  # pragma: no cover
    """Add a to out."""
    for b in range(WIDTH):
        out[b] += a[b]


@njit(**INLINE)
def add_product(out, w, a, c):  # pragma: no cover
    """Add w * a * c to out, w a number."""
    for b in range(WIDTH):
        out[b] += w * a[b] * c[b]


@njit(**INLINE)
def add_pair(left, right, w, above, a, c):  # pragma: no cover
    """Both messages of a family of two: each sees the parent and the other child."""
    for b in range(WIDTH):
        message = w * above[b]
        left[b] += message * c[b]
        right[b] += message * a[b]


@njit(**INLINE)
def invert(out, a, tiny):  # pragma: no cover
    """Set out = 1 / a, 0 where a < tiny."""
    for b in range(WIDTH):
        out[b] = 1 / a[b] if a[b] >= tiny else 0


@njit(**INLINE)
def rescale(rows, top, inverse, tiny):  # pragma: no cover
    """Divide the rows by their maximum over symbols; leave the maximum in `top`."""
    top[:] = 0
    for x in range(rows.shape[0]):
        row = rows[x]
        for b in range(WIDTH):
            top[b] = row[b] if row[b] > top[b] else top[b]
    invert(inverse, top, tiny)
    for x in range(rows.shape[0]):
        multiply(rows[x], rows[x], inverse)


@njit(**INLINE)
def collect(top, product, total):  # pragma: no cover
    """Multiply the running product by `top`, moving it to the logarithm `total` before it underflows."""
    for b in range(WIDTH):
        product[b] *= top[b]
    for b in range(WIDTH):
        if product[b] < 1e-100:
            total[b] += math.log(product[b]) if product[b] > 0 else -np.inf
            product[b] = 1


@njit(**INLINE)
def load(likelihood, start, rows):  # pragma: no cover
    """Transpose strings start … start+WIDTH of likelihood (B, v); past the end the last one is repeated."""
    last = likelihood.shape[0] - 1
    for b in range(WIDTH):
        source = likelihood[min(start + b, last)]
        for x in range(rows.shape[0]):
            rows[x, b] = source[x]


@njit(**INLINE)
def store(out, rows, factor):  # pragma: no cover
    """Transpose back rows * factor: out (at most WIDTH, v)."""
    for b in range(out.shape[0]):
        target, scale = out[b], factor[b]
        for x in range(rows.shape[0]):
            target[x] = rows[x, b] * scale


@njit(**INLINE)
def sum_rows(rows, top):  # pragma: no cover
    """Leave the sum of the rows in `top`."""
    top[:] = 0
    for x in range(rows.shape[0]):
        add(top, rows[x])


@njit(**INLINE)
def raise_doubt(worst, up_doubt, down_doubt, inverse, v):  # pragma: no cover
    """Raise `worst` to the doubt of a product of messages whose total is 1 / inverse (0: nothing is left)."""
    for b in range(WIDTH):
        doubt = v * (up_doubt[b] + down_doubt[b]) * inverse[b] if inverse[b] > 0 else np.inf
        worst[b] = doubt if doubt > worst[b] else worst[b]
