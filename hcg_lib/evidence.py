r"""Evidence: what a noisy token says about the clean one, as a likelihood $\phi_i(a) = q(x_{t,i} \mid x_{0,i} = a)$.

Every corruption enters inference through this one interface, an array (B, d, v) of numbers >= 0. NumPy in, NumPy
out; tensors in, tensors out, on the same device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hcg_lib._devices import send
from hcg_lib._validate import MOST_SYMBOLS, as_array, check_integer, shown

Array = np.ndarray
MARK = "_hcg_below"  # an attribute of tensors whose symbols need no check


def uniform_noise(x: Any, abar: Any, v: int) -> Any:
    r"""Return the likelihood of tokens after uniform noise.

    $$ \phi_i(a) = \bar\alpha\, \delta_{a x_i} + (1-\bar\alpha)/v $$

    Parameters
    ----------
    x
        (B, d) symbols.
    abar
        Probability that a token was kept, in [0, 1]: one number, or (B,) one a string.
    v
        Vocabulary.

    Returns
    -------
    (B, d, v): float64 from NumPy, the default dtype from a tensor.

    Raises
    ------
    ValueError
        If a symbol or `abar` is out of range, or shapes disagree.

    Examples
    --------
    >>> uniform_noise([[1, 0]], 0.5, v=2).tolist()
    [[[0.25, 0.75], [0.75, 0.25]]]
    """
    tokens = check_tokens("x", x, check_integer("v", v, 2, limit=MOST_SYMBOLS))
    signal = send(_signal(abar, len(tokens)), tokens.device)
    likelihood = ((1 - signal) / v)[:, None, None].repeat(1, tokens.shape[1], v)
    likelihood.scatter_add_(2, tokens[..., None], signal[:, None, None].expand(*tokens.shape, 1))
    return _like(x, likelihood)


def masking(x: Any, v: int, mask: int = -1) -> Any:
    r"""Return the likelihood of tokens some of which are hidden: $\delta_{a x_i}$ where visible, 1 where masked.

    Parameters
    ----------
    x
        (B, d) symbols, `mask` where hidden.
    v
        Vocabulary.
    mask
        What marks a hidden token: -1, or v for models with a mask token.

    Returns
    -------
    (B, d, v): float64 from NumPy, the default dtype from a tensor.

    Raises
    ------
    ValueError
        If a symbol is neither below v nor `mask`, or `mask` is itself a symbol.

    Examples
    --------
    >>> masking([[1, -1]], v=2).tolist()
    [[[0.0, 1.0], [1.0, 1.0]]]
    """
    v = check_integer("v", v, 2, limit=MOST_SYMBOLS)
    if check_integer("mask", mask, -MOST_SYMBOLS, MOST_SYMBOLS) in range(v):
        raise ValueError(f"mask must not be one of the symbols 0 … {v - 1}, got {mask}")
    raw = _integers("x", x)
    hidden = raw == mask
    tokens = torch.where(hidden, torch.zeros_like(raw), raw)
    tokens = vouch(tokens, v) if mask == v and _vouched(raw, v + 1) else check_tokens("x", tokens, v)
    likelihood = torch.nn.functional.one_hot(tokens, v).double()
    return _like(x, torch.where(hidden[..., None], torch.ones_like(likelihood), likelihood))


def gaussian_noise(x: Any, abar: Any) -> Any:
    r"""Return the likelihood of one-hot tokens after Gaussian noise, up to a factor that does not depend on a.

    With $x_t = \sqrt{\bar\alpha}\,\mathrm{onehot}(x_0) + \sqrt{1-\bar\alpha}\,\varepsilon$,

    $$ \phi_i(a) = \mathrm{softmax}_a\big( x_{t,i,a}\, \sqrt{\bar\alpha} / (1-\bar\alpha) \big) $$

    bounded below by the smallest normal number: Gaussian noise excludes nothing.

    Parameters
    ----------
    x
        (B, d, v) real numbers.
    abar
        Signal in [0, 1): one number, or (B,) one a string.

    Returns
    -------
    (B, d, v), the dtype of `x`; rows sum to 1.

    Raises
    ------
    ValueError
        If `x` is not real, finite and of three axes, or `abar` is out of range.

    Examples
    --------
    >>> gaussian_noise(np.array([[[1.0, 0.0]]]), 0.0).tolist()
    [[[0.5, 0.5]]]
    """
    values = _tensor(x)
    if values.ndim != 3 or not values.is_floating_point():
        raise ValueError(f"x must be real with shape (B, d, v), got {values.dtype} of shape {tuple(values.shape)}")
    if not bool(torch.isfinite(values).all()):
        raise ValueError("x must be finite, got NaN or infinity")
    signal = _signal(abar, len(values)).to(values.device)
    if bool((signal >= 1).any()):
        raise ValueError("abar must be below 1 for Gaussian noise, got 1: without noise use masking")
    scale = (signal.sqrt() / (1 - signal))[:, None, None]
    likelihood = (values.double() * scale).softmax(2).to(values.dtype)
    floor = torch.finfo(values.dtype).tiny
    return _like(x, likelihood.clamp_min(floor), values.dtype)


def check_tokens(name: str, x: Any, v: int) -> Tensor:
    """Return symbols (B, d) below v as an int64 tensor, or raise a ValueError that names the argument.

    >>> check_tokens("x", [[0, 1]], v=2)
    tensor([[0, 1]])
    """
    tokens = _integers(name, x)
    if tokens.numel() and not (_vouched(tokens, v) or (int(tokens.min()) >= 0 and int(tokens.max()) < v)):
        bad = int(tokens.min()) if int(tokens.min()) < 0 else int(tokens.max())
        raise ValueError(f"{name} must hold symbols from 0 to {v - 1}, got {bad}")
    return tokens


def vouch(tokens: Tensor, v: int) -> Tensor:
    """Return tokens that are below v by construction, marked: on a GPU nobody looks again until they are written to.

    Looking makes a GPU finish all that is queued, which a training loop should not ask of it at every step.

    >>> vouch(torch.tensor([[0, 1]]), v=2)
    tensor([[0, 1]])
    """
    if _slow_to_look(tokens) and not tokens.is_inference():  # such tensors do not count what is written to them
        setattr(tokens, MARK, (v, id(tokens), tokens._version))
    return tokens


def _vouched(tokens: Tensor, v: int) -> bool:
    known, *state = getattr(tokens, MARK, (v + 1,))
    return known <= v and state == [id(tokens), tokens._version]


def _slow_to_look(tokens: Tensor) -> bool:
    return tokens.device.type != "cpu"


def _integers(name: str, x: Any) -> Tensor:
    tokens = x if isinstance(x, Tensor) else as_array(name, x)
    shape, kind = tuple(tokens.shape), str(tokens.dtype)
    if len(shape) != 2:
        raise ValueError(f"{name} must have shape (B, d), got {shape}")
    if not (kind.startswith(("int", "uint", "torch.int", "torch.uint"))):
        raise ValueError(f"{name} must hold integers, got dtype {kind}")
    return tokens.long() if isinstance(tokens, Tensor) else torch.from_numpy(tokens.astype(np.int64))


def _tensor(x: Any) -> Tensor:
    try:
        return torch.as_tensor(x)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"x must be an array of real numbers, got {shown(x)}") from None


def _signal(abar: Any, B: int) -> Tensor:
    """`abar` as float64 (B,)."""
    try:
        signal = torch.as_tensor(abar, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"abar must be a number or an array of numbers, got {shown(abar)}") from None
    if signal.shape not in ((), (B,)):
        raise ValueError(f"abar must be one number or one a string ({B}), got shape {tuple(signal.shape)}")
    if not bool(((signal >= 0) & (signal <= 1)).all()):
        raise ValueError(f"abar must lie in [0, 1], got {shown(abar)}")
    return signal.expand(B)


def _like(x: Any, likelihood: Tensor, dtype: torch.dtype | None = None) -> Any:
    if isinstance(x, Tensor):
        return likelihood.to(dtype or torch.get_default_dtype())
    return likelihood.numpy()
