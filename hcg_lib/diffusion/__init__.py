"""Diffusion on strings: processes, schedules, losses and samplers, with the exact denoiser as a drop-in."""

from .ceilings import exact_denoiser
from .discrete import AbsorbingProcess, DiscreteProcess, UniformProcess
from .draws import categorical
from .exact import ExactDenoiser
from .gaussian import GaussianProcess
from .laws import corrupted_law, grammar_law, sampler_law, total_variation, variation_floor
from .losses import bayes_gap, cross_entropy_term, prior_term, stratified_times, variational_loss, variational_term
from .points import law_point, make_process, process_point
from .processes import Process
from .samplers import Denoiser, ancestral_sample, reveal_sample
from .schedules import Schedule, cosine, linear_alpha, linear_beta, power_signal

__all__ = [
    "AbsorbingProcess",
    "Denoiser",
    "DiscreteProcess",
    "ExactDenoiser",
    "GaussianProcess",
    "Process",
    "Schedule",
    "UniformProcess",
    "ancestral_sample",
    "bayes_gap",
    "categorical",
    "corrupted_law",
    "cosine",
    "cross_entropy_term",
    "exact_denoiser",
    "grammar_law",
    "law_point",
    "linear_alpha",
    "linear_beta",
    "make_process",
    "power_signal",
    "prior_term",
    "process_point",
    "reveal_sample",
    "sampler_law",
    "stratified_times",
    "total_variation",
    "variation_floor",
    "variational_loss",
    "variational_term",
]
