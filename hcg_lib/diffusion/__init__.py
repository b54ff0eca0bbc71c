"""Diffusion on strings: processes, schedules, losses and samplers, with the exact denoiser as a drop-in."""

from .ceilings import exact_denoiser
from .exact import ExactDenoiser
from .losses import stratified_times, variational_loss
from .processes import Process, UniformProcess
from .samplers import Denoiser, ancestral_sample, categorical
from .schedules import Schedule, linear_beta

__all__ = [
    "Denoiser",
    "ExactDenoiser",
    "Process",
    "Schedule",
    "UniformProcess",
    "ancestral_sample",
    "categorical",
    "exact_denoiser",
    "linear_beta",
    "stratified_times",
    "variational_loss",
]
