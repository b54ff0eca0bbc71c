"""Points of sweeps: what a process with a schedule of T steps reaches with the exact denoiser. One point a call."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from hcg_lib._validate import MOST_STRINGS, check_choice, check_integer
from hcg_lib.diffusion.discrete import AbsorbingProcess, UniformProcess
from hcg_lib.diffusion.exact import ExactDenoiser
from hcg_lib.diffusion.gaussian import GaussianProcess
from hcg_lib.diffusion.laws import corrupted_law, grammar_law, sampler_law, total_variation, variation_floor
from hcg_lib.diffusion.losses import prior_term, variational_loss
from hcg_lib.diffusion.processes import Process
from hcg_lib.diffusion.samplers import ancestral_sample, reveal_sample
from hcg_lib.diffusion.schedules import Schedule, cosine, linear_alpha, linear_beta, power_signal
from hcg_lib.grammar import RandomHierarchyModel

PROCESSES: dict[str, Any] = {"uniform": UniformProcess, "masking": AbsorbingProcess, "gaussian": GaussianProcess}
SCHEDULES: dict[str, Any] = {"linear_beta": linear_beta, "linear_alpha": linear_alpha, "cosine": cosine}
SAMPLERS = ("ancestral", "reveal")
BATCH = 4096
FEW = 4096  # strings of a grammar that are counted one by one


def make_process(process: str, schedule: str, T: int, v: int, power: float = 3.0, empty: bool = True) -> Process:
    """Return a process by the names of its parts.

    Parameters
    ----------
    process
        "uniform", "masking" or "gaussian".
    schedule
        "linear_beta", "linear_alpha", "cosine" or "power".
    T, v
        Steps and vocabulary.
    power, empty
        Of :func:`power_signal`; the other schedules have none.

    Examples
    --------
    >>> make_process("masking", "cosine", T=10, v=4).schedule.T
    10
    """
    kind = PROCESSES[check_choice("process", process, tuple(PROCESSES))]
    name = check_choice("schedule", schedule, (*SCHEDULES, "power"))
    made: Schedule = power_signal(T, power, empty) if name == "power" else SCHEDULES[name](T)
    built: Process = kind(made, v)
    return built


def process_point(
    v: int,
    m: int,
    s: int,
    L: int,
    process: str,
    schedule: str,
    T: int,
    P: int,
    grammar: int,
    power: float = 3.0,
    empty: bool = True,
    sampler: str = "ancestral",
    levels: int | None = None,
    output: str = "cavity",
    data: int = 4096,
) -> dict[str, Any]:
    """Sample P strings with the exact denoiser of one grammar, and bound the likelihood of strings of data.

    Parameters
    ----------
    v, m, s, L, grammar
        Shape of the grammar and seed of its rules, of samples and of noise.
    process, schedule, T, power, empty
        As in :func:`make_process`.
    P, data
        Strings generated, and strings of data in the loss.
    sampler
        "ancestral", T steps, or "reveal", masks revealed one by one.
    levels, output
        As in :class:`ExactDenoiser`.

    Returns
    -------
    accuracy: A_1 … A_L of the generated strings; bound: T times the mean variational loss and the prior's term, nats a
    token; bound_error: its standard error; variation, floor: distance of the frequencies of strings from the
    grammar's, and what P strings of the grammar itself have (None if it has more than 4096 strings).

    Examples
    --------
    >>> point = process_point(4, 2, 2, 2, "gaussian", "power", T=20, P=400, grammar=0)
    >>> min(point["accuracy"]) > 0.99, 0 < point["bound"] < 1.39, point["variation"] < 2 * point["floor"]
    (True, True, True)
    """
    P, data = check_integer("P", P, 1, limit=MOST_STRINGS), check_integer("data", data, 2, limit=MOST_STRINGS)
    grammar = check_integer("grammar", grammar, 0)
    check_choice("sampler", sampler, SAMPLERS)
    g = RandomHierarchyModel.random(v, m, s, L, seed=grammar)
    made = make_process(process, schedule, T, v, power, empty)
    denoiser = ExactDenoiser(g, made, levels, output)
    sampling, clean_seed, noise = (np.random.default_rng(seed) for seed in np.random.SeedSequence(grammar).spawn(3))
    draw: Any = reveal_sample if sampler == "reveal" else ancestral_sample
    generated = draw(made, denoiser, P, g.d, sampling)
    clean = torch.from_numpy(g.sample(data, clean_seed)).long()
    terms = T * torch.cat([variational_loss(made, denoiser, part, noise) for part in clean.split(BATCH)]).double()
    few = g.n_strings <= FEW
    return {
        "accuracy": g.level_accuracy(generated).tolist(),
        "bound": float(terms.mean()) + float(prior_term(made, clean[:1])),
        "bound_error": float(terms.std()) / np.sqrt(data).item(),
        "variation": total_variation(g, generated) if few else None,
        "floor": variation_floor(g, P) if few else None,
    }


def law_point(
    v: int,
    m: int,
    s: int,
    L: int,
    process: str,
    schedule: str,
    T: int,
    grammar: int,
    power: float = 3.0,
    empty: bool = True,
) -> dict[str, Any]:
    """Compute the law of the strings that the exact denoiser writes in T steps; nothing is sampled.

    Parameters
    ----------
    v, m, s, L, grammar, process, schedule, T, power, empty
        As in :func:`process_point`; the process is discrete, and all its sequences can be listed.

    Returns
    -------
    accuracy: A_L, the probability of all grammatical strings; variation: total variation from the grammar's law;
    nats: KL(grammar || sampler), nats a string; start: total variation of the prior from the law of x_T;
    variation_true_start: `variation` if x_T had its true law, so that only the steps err (not computed again where
    `start` < 1e-4, which no step can enlarge); likeliest, unlikeliest: greatest and least probability of a grammatical
    string, times n.

    Examples
    --------
    >>> point = law_point(3, 2, 2, 2, "uniform", "power", T=20, grammar=0)
    >>> point["accuracy"] > 0.999, point["variation"] < 0.05, point["start"] < 1e-6
    (True, True, True)
    """
    g = RandomHierarchyModel.random(v, m, s, L, seed=check_integer("grammar", grammar, 0))
    made: Any = make_process(process, schedule, T, v, power, empty)
    denoiser = ExactDenoiser(g, made)
    law = sampler_law(made, denoiser, g.d)
    truth = grammar_law(g, made.states)
    end = corrupted_law(made, truth, g.d, T)
    prior = np.ones(1)
    for _ in range(g.d):
        prior = np.outer(prior, made.end.numpy()).ravel()
    valid = truth > 0
    wrong_start = float(np.abs(end - prior).sum() / 2)
    from_truth = law if wrong_start < 1e-4 else sampler_law(made, denoiser, g.d, start=end)
    with np.errstate(divide="ignore"):
        nats = float((truth[valid] * np.log(truth[valid] / law[valid])).sum())
    return {
        "accuracy": float(law[valid].sum()),
        "variation": float(np.abs(law - truth).sum() / 2),
        "nats": nats,
        "start": wrong_start,
        "variation_true_start": float(np.abs(from_truth - truth).sum() / 2),
        "likeliest": float((law[valid] / truth[valid]).max()),
        "unlikeliest": float((law[valid] / truth[valid]).min()),
    }
