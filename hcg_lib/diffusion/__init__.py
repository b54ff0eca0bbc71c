"""Diffusion on strings: processes, schedules, losses and samplers, with the exact denoiser as a drop-in."""

from .ceilings import exact_denoiser
from .exact import ExactDenoiser
from .losses import bayes_gap, cross_entropy_term, stratified_times, variational_loss, variational_term
from .processes import Process, UniformProcess
from .samplers import Denoiser, ancestral_sample, categorical
from .schedules import Schedule, linear_beta, power_signal

__all__ = [
    "Denoiser",
    "ExactDenoiser",
    "Process",
    "Schedule",
    "UniformProcess",
    "ancestral_sample",
    "bayes_gap",
    "categorical",
    "cross_entropy_term",
    "exact_denoiser",
    "linear_beta",
    "power_signal",
    "stratified_times",
    "variational_loss",
    "variational_term",
]
