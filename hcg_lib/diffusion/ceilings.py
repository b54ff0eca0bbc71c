"""How good a denoiser can be: accuracy of the exact one, whole, truncated or misused. One point of a sweep a call."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from hcg_lib._validate import MOST_STRINGS, check_integer
from hcg_lib.diffusion.discrete import UniformProcess
from hcg_lib.diffusion.exact import ExactDenoiser
from hcg_lib.diffusion.losses import variational_loss
from hcg_lib.diffusion.samplers import ancestral_sample
from hcg_lib.diffusion.schedules import linear_beta
from hcg_lib.grammar import RandomHierarchyModel

BATCH = 4096


def exact_denoiser(
    v: int,
    m: int,
    s: int,
    L: int,
    T: int,
    P: int,
    grammar: int,
    levels: int | None = None,
    output: str = "cavity",
    authors: bool = False,
) -> dict[str, Any]:
    """Sample P strings with the exact denoiser of one grammar, and bound the likelihood of P strings of data.

    Parameters
    ----------
    v, m, s, L
        Shape of the grammar.
    T
        Steps of `linear_beta(T, authors=authors)`, all of them taken.
    P
        Strings generated, and strings of data in the loss.
    grammar
        Seed of the rules; samples and noise are seeded by it too.
    levels, output
        As in :class:`ExactDenoiser`.

    Returns
    -------
    accuracy: A_1 … A_L of the generated strings; bound: T times the mean variational loss, nats a token;
    bound_error: its standard error.

    Examples
    --------
    >>> point = exact_denoiser(4, 2, 2, 2, T=50, P=100, grammar=0)
    >>> min(point["accuracy"]) > 0.8, 0 < point["bound"] < 1.39
    (True, True)
    """
    P, grammar = check_integer("P", P, 2, limit=MOST_STRINGS), check_integer("grammar", grammar, 0)
    g = RandomHierarchyModel.random(v, m, s, L, seed=grammar)
    process = UniformProcess(linear_beta(T, authors=authors), v)
    denoiser = ExactDenoiser(g, process, levels, output)
    sampling, data, noise = np.random.SeedSequence(grammar).spawn(3)
    generated = ancestral_sample(process, denoiser, P, g.d, np.random.default_rng(sampling))
    clean = torch.from_numpy(g.sample(P, np.random.default_rng(data))).long()
    rng = np.random.default_rng(noise)
    terms = T * torch.cat([variational_loss(process, denoiser, part, rng) for part in clean.split(BATCH)]).double()
    return {
        "accuracy": g.level_accuracy(generated).tolist(),
        "bound": float(terms.mean()),
        "bound_error": float(terms.std()) / np.sqrt(P).item(),
    }
