"""One point of the book's sweeps: a grammar, P of its strings, a network trained on them, and what it then can do."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from hcg_lib._validate import check_choice, check_integer
from hcg_lib.correlations import LevelCorrelations
from hcg_lib.diffusion import (
    ExactDenoiser,
    Process,
    UniformProcess,
    ancestral_sample,
    bayes_gap,
    power_signal,
    prior_term,
    variational_loss,
)
from hcg_lib.evaluation import copied_blocks, novelty, rule_distance
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.networks import LearnedDenoiser, MessagePassing, TreeUNet
from hcg_lib.representations import layer_sensitivity
from hcg_lib.training import Config, Training, train

NETWORKS = {"messages": MessagePassing, "unet": TreeUNet}
HELD_OUT = 4096  # validation strings, at most, and fresh ones to measure on

logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)  # no greeting at every point


def learn(
    v: int,
    m: int,
    s: int,
    L: int,
    P: int,
    grammar: int,
    network: str = "messages",
    width: int = 64,
    steps: int = 3000,
    batch: int = 512,
    learning_rate: float = 1e-2,
    decay: str = "linear",
    ema: float = 0.99,
    patience: int | None = 6,
    precision: str = "bf16-mixed",
    T: int = 100,
    samples: int = 2048,
    traced: int = 0,
    per_octave: int = 4,
) -> dict[str, Any]:
    """Train on P strings, keep the weights of least validation loss, and measure what they generate.

    Parameters
    ----------
    v, m, s, L, grammar
        The grammar and its seed, which also seeds strings, weights and noise.
    P
        Distinct training strings; the held-out ones are drawn from the rest.
    network, width, steps, batch, learning_rate, decay, ema, patience
        "messages" (ours) or "unet" (the authors'), and how it is trained; see `hcg_lib.training.Config`.
    precision
        Of training, as Lightning Fabric names it: "bf16-mixed" or "32-true". Strings are generated in the same.
    T
        Steps of the uniform process, `power_signal(T)`, in training and in sampling.
    samples
        Strings generated for the final measurement, at least 32.
    traced
        Strings generated at every evaluation along the way; 0 for none.
    per_octave
        Evaluations while the step doubles.

    Returns
    -------
    valid, complete: node counts of levels 1 … L among the generated strings (`count_valid`); accuracy, order: A_l and
    a_l; copies, novel_valid, chance: see `novelty`; copied: blocks of every level, and copied_fresh the same of fresh
    strings; rules: distance of rule frequencies from the data's, and rules_fresh that of fresh strings; correlations:
    mean squared norm of token covariances by level of the common ancestor, unbiased; sensitivity: S_kl of the encoder
    (`layer_sensitivity`; none if m = 1); gap: Bayes gap on fresh strings (nats a token); bound, bound_exact:
    variational bound of the negative log-likelihood on fresh strings (nats a token), and that of the exact denoiser on
    the same noise; steps_best, seconds_training; and the history as lists trace_step, trace_seconds, trace_train,
    trace_validation, and if `traced` the same measures of the strings generated on the way, as trace_accuracy,
    trace_valid, trace_complete, trace_copied, trace_copies, trace_novel_valid, trace_bound, trace_sensitivity.

    Examples
    --------
    >>> point = learn(4, 2, 2, 3, P=64, grammar=0, steps=30, batch=64, samples=200)
    >>> len(point["accuracy"]), len(point["trace_step"]) > 5
    (3, True)
    """
    check_choice("network", network, tuple(NETWORKS))
    samples, traced = check_integer("samples", samples, 32), check_integer("traced", traced, 0)
    g = RandomHierarchyModel.random(v, m, s, L, seed=grammar)
    check_integer("P", P, 1, g.n_strings - 1)
    seeds = np.random.SeedSequence([grammar, P, v, m, s, L])
    draw, weights, fresh, noise = (np.random.default_rng(seed) for seed in seeds.spawn(4))
    strings = g.sample(min(P + HELD_OUT, g.n_strings), draw, unique=True)
    data, held_out = strings[:P], strings[P:]
    process = UniformProcess(power_signal(T), v)
    model = _build(network, g, width, process, weights)
    config = Config(
        steps, batch, learning_rate, decay=decay, ema=ema, per_octave=per_octave, patience=patience, seed=grammar
    )
    fabric = Fabric(accelerator="auto", devices=1, precision=precision)  # type: ignore[arg-type]
    denoiser = LearnedDenoiser(model, process, half=precision == "bf16-mixed")
    other, clean = g.sample(samples, fresh), g.sample(HELD_OUT, fresh)

    def look(evaluated: nn.Module, step: int) -> dict[str, Any]:
        x = _generate(replace(denoiser, network=evaluated), traced, g, [grammar, step])
        found, counts = novelty(g, x, data), g.count_valid(x)
        return {
            "accuracy": g.level_accuracy(x).tolist(),
            "valid": counts[:, 0].tolist(),
            "complete": counts[:, 1].tolist(),
            "copied": copied_blocks(g, x, data).tolist(),
            "copies": found.copies,
            "novel_valid": found.novel_valid,
            "bound": _bound(LearnedDenoiser(evaluated, process), clean),
            "sensitivity": layer_sensitivity(evaluated, g, process, 0).tolist() if m > 1 else [],
        }

    run = train(
        model, process, data, held_out, config, fabric=fabric, evaluate=look if traced else None, progress=False
    )
    x = _generate(denoiser, samples, g, [grammar, P])
    found, exact, best = novelty(g, x, data), ExactDenoiser(g, process), LearnedDenoiser(model, process)
    valid, complete = g.count_valid(x).T
    return {
        "valid": valid,
        "complete": complete,
        "accuracy": g.level_accuracy(x),
        "order": g.order_parameter(x),
        "copies": found.copies,
        "novel_valid": found.novel_valid,
        "chance": found.chance,
        "copied": copied_blocks(g, x, data),
        "copied_fresh": copied_blocks(g, other, data),
        "rules": rule_distance(g, x, clean),
        "rules_fresh": rule_distance(g, other, clean),
        "correlations": LevelCorrelations(v, s, L).update(x).estimate(resamples=2).squared,
        "sensitivity": layer_sensitivity(model, g, process, noise).tolist() if m > 1 else [],
        "gap": float(bayes_gap(process, best, exact, _tokens(clean), noise).mean()),
        "bound": _bound(best, clean),
        "bound_exact": _bound(exact, clean),
        "steps_best": run.best["step"],
        "seconds_training": run.history[-1]["seconds"],
        **_trace(run),
    }


def _build(network: str, g: RandomHierarchyModel, width: int, process: Process, seed: Any) -> nn.Module:
    if network == "messages":
        return MessagePassing(g.v, g.s, g.L, width=width, hidden=4 * width, seed=seed)
    return TreeUNet(g.v, g.s, g.L, schedule=process.schedule, width=width, seed=seed)


def _generate(denoiser: LearnedDenoiser, count: int, g: RandomHierarchyModel, seed: list[int]) -> np.ndarray:
    return ancestral_sample(denoiser.process, denoiser, count, g.d, np.random.default_rng(seed))


def _bound(denoiser: LearnedDenoiser | ExactDenoiser, clean: np.ndarray) -> float:
    """Bound of the negative log-likelihood in nats a token, always on the same noise."""
    process, x0 = denoiser.process, _tokens(clean)
    loss = variational_loss(process, denoiser, x0, seed=0)
    return float(process.schedule.T * loss.double().mean() + prior_term(process, x0).mean())


def _tokens(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x.astype(np.int64))


def _trace(run: Training) -> dict[str, list[Any]]:
    return {f"trace_{name}": [entry[name] for entry in run.history] for name in run.history[0]}
