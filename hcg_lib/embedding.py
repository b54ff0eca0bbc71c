r"""Where a trained network puts tuples: its messages, seen in two dimensions.

A level-l tuple reaches the rest of the network as one message of layer l. Where synonyms have merged, the v m tuples
of a level lie in v heaps, one a parent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import nn

from hcg_lib._random import generator, seeds
from hcg_lib._validate import check_instance, check_integer
from hcg_lib.clustering import cluster_tuples, matched_accuracy
from hcg_lib.diffusion import Process, UniformProcess, power_signal
from hcg_lib.gradient import sensitivity
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.learning import HELD_OUT
from hcg_lib.networks import MessagePassing
from hcg_lib.representations import encode_strings
from hcg_lib.training import Config, train
from hcg_lib.tuples import Context

Array = np.ndarray


def tuple_messages(
    network: nn.Module,
    g: RandomHierarchyModel,
    process: Process,
    level: int,
    seed: Any,
    writings: int = 16,
    signal: float = 0.9,
) -> Float[Array, " {g.v} {g.m} width"]:
    """Return what layer `level` makes of every valid tuple of that level: (v, m, W), in the order of the rules.

    Parameters
    ----------
    network, process, signal
        As in :func:`hcg_lib.representations.layer_sensitivity`.
    level
        1 … the number of layers the network encodes.
    writings
        A tuple of level 2 or higher is written in tokens in many ways: the mean over so many drawn ones.

    Examples
    --------
    >>> g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=0)
    >>> process = UniformProcess(power_signal(100), v=4)
    >>> tuple_messages(MessagePassing(v=4, s=2, L=3, width=8, seed=0), g, process, level=2, seed=0).shape
    (4, 2, 8)
    """
    check_instance("g", g, RandomHierarchyModel)
    rng, level = generator(seed), check_integer("level", level, 1, g.L)
    writings = 1 if level == 1 else check_integer("writings", writings, 1, limit=1 << 16)
    tokens = np.repeat(g.rules[level - 1].reshape(g.v * g.m, g.s), writings, axis=0)
    for rules in reversed(g.rules[: level - 1]):
        tokens = rules[tokens, rng.integers(g.m, size=tokens.shape)].reshape(len(tokens), -1)
    strings = np.tile(tokens, g.s ** (g.L - level))
    layers = encode_strings(network, g, process, strings, signal)
    layer = layers[check_integer("level", level, 1, len(layers)) - 1]
    return layer[:, 0].float().cpu().numpy().reshape(g.v, g.m, writings, -1).mean(2)


def embedding_point(
    v: int,
    m: int,
    s: int,
    L: int,
    P: int,
    grammar: int,
    width: int = 64,
    steps: int = 3000,
    batch: int = 512,
    learning_rate: float = 1e-2,
    patience: int | None = 6,
    T: int = 100,
) -> dict[str, Any]:
    """Train on P strings as `hcg_lib.learning.learn` does, from the same weights at every P, and look at the messages.

    Returns
    -------
    For every level 1 … L-1, as lists: points, the messages of the v m tuples along their two principal directions;
    explained, the share of the variance in these; sensitivity, |difference|² of synonyms over that of all pairs of
    tuples (`hcg_lib.gradient.sensitivity`); accuracy of k-means with v clusters, best matching with the parents.

    Examples
    --------
    >>> point = embedding_point(4, 2, 2, 3, P=64, grammar=0, width=8, steps=20, batch=32)
    >>> np.shape(point["points"]), len(point["accuracy"])
    ((2, 8, 2), 2)
    """
    g = RandomHierarchyModel.random(v, m, s, check_integer("L", L, 2), seed=grammar)
    check_integer("P", P, 1, g.n_strings - 1)
    strings = g.sample(min(P + HELD_OUT, g.n_strings), np.random.default_rng(seeds(grammar=grammar, P=P)), unique=True)
    process = UniformProcess(power_signal(T), v)
    network = MessagePassing(v, s, L, width=width, hidden=4 * width, seed=grammar)
    config = Config(steps, batch, learning_rate, ema=0.99, per_octave=4, patience=patience, seed=grammar)
    fabric = Fabric(accelerator="auto", devices=1, precision="bf16-mixed")
    train(network, process, strings[:P], strings[P:], config, fabric=fabric, progress=False)
    seen = [_seen(tuple_messages(network, g, process, level, seed=grammar)) for level in range(1, L)]
    return {name: [level[name] for level in seen] for name in seen[0]}


def _seen(messages: Array) -> dict[str, Any]:
    """What one level's messages (v, m, W) look like."""
    v, m, _ = messages.shape
    flat = messages.reshape(v * m, -1).astype(np.float64)
    centered = flat - flat.mean(0)
    values, directions = np.linalg.svd(centered, full_matrices=False)[1:]
    classes = cluster_tuples(Context(np.arange(v * m)[:, None], flat, np.ones(v * m)), v, seed=0)
    return {
        "points": (centered @ directions[:2].T).round(4),
        "explained": float((values[:2] ** 2).sum() / (values**2).sum()),
        "sensitivity": sensitivity(messages),
        "accuracy": matched_accuracy(classes, np.repeat(np.arange(v), m)),
    }


def align(frames: Any) -> Float[Array, " n_P n 2"]:
    """Return pictures (n_P, n, 2) centered and turned so that each is as near as can be to the next (Procrustes).

    Principal directions have no sign, and no order where variances are near: without this points would jump.

    Examples
    --------
    >>> square = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    >>> turned = square @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    >>> bool(np.allclose(*align([turned, square])))
    True
    """
    pictures = np.array(frames, float)
    if pictures.ndim != 3 or pictures.shape[-1] != 2 or not np.isfinite(pictures).all() or not pictures.size:
        raise ValueError(f"frames must be finite with shape (n_P, n, 2), got shape {pictures.shape}")
    pictures -= pictures.mean(1, keepdims=True)
    for i in range(len(pictures) - 2, -1, -1):
        left, _, right = np.linalg.svd(pictures[i].T @ pictures[i + 1])
        pictures[i] = pictures[i] @ left @ right
    return pictures
