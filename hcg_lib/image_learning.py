"""One point of the book's sweeps over images: a network trained on P images, looked at on its way."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from hcg_lib._validate import check_flag, check_integer
from hcg_lib.checkpoints import write_checkpoint
from hcg_lib.features import FeatureMaps, feature_network, pooled_features
from hcg_lib.image_diffusion import NoiseGuessing, generate_images, noise_schedule
from hcg_lib.images import Images, center_colors, load_images
from hcg_lib.mmd import Reference
from hcg_lib.neighbors import memory, nearest
from hcg_lib.networks.images import ImageUNet
from hcg_lib.packing import pack_array, unpack_array
from hcg_lib.training import Config, train

Array = np.ndarray
VALIDATION = 1024  # held-out images that the loss is measured on, at most
NEIGHBORS = 2048  # training images that generated ones are compared with in features, at most
PIXELS = 65536  # the same in pixels, which are at hand
MEMORY = -2  # the depth whose features nearest neighbors are looked for in
CHANCE = 0.01  # share of held-out images that are called copies
KERNELS = {"mmd": "polynomial", "bounded": "gaussian"}  # names of results, and kernels
STAGED = ("ratio", "copied", "pixel_ratio", "pixel_copied")
TRACED = ("step", "seconds", "train", "validation")

logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)


def learn_images(
    source: str,
    P: int,
    seed: int = 0,
    size: int = 32,
    widths: Sequence[int] = (32, 48, 64, 64),
    depth: int = 1,
    attended: Sequence[int] = (),
    steps: int = 4096,
    batch: int = 32,
    learning_rate: float = 2e-3,
    ema: float = 0.999,
    schedule: str = "cosine",
    T: int = 1000,
    precision: str = "bf16-mixed",
    first: int = 8,
    samples: int = 1024,
    sampling_steps: int = 25,
    finer: int = 0,
    reference: int = 2048,
    network: str = "efficientnet-lite0",
    enlarged: int = 128,
    resamples: int = 100,
    shown: int = 12,
    draws: int = VALIDATION,
    center: bool = False,
    checkpoints: str | Path | None = None,
) -> dict[str, Any]:
    """Train on P images at a constant learning rate; at stages generate images and compare them with held-out ones.

    Parameters
    ----------
    source, size
        See `load_images`.
    P
        Training images; 0 for all. The held-out ones do not depend on it.
    seed
        Of the order of images, weights, noise and resamples.
    widths, depth, attended
        Of the network, see `ImageUNet`.
    steps, batch, learning_rate, ema, precision
        Of the training, with AdamW; the average over steps forgets the start (`hcg_lib.training.Config`).
    schedule, T
        Of the noise, see `noise_schedule`.
    first
        Stages are the start, and the powers of two from `first` up to `steps`, which is one of them.
    samples, sampling_steps
        Images generated at each stage, always from the same noise, and calls of the network for each.
    finer
        Calls of the network for a second measurement at the end; 0 for none.
    reference
        Held-out images compared with, at most half of them; as many others give the real-against-real baseline.
    network, enlarged
        Features, see `feature_network`, of images enlarged to so many pixels.
    resamples
        Of the intervals.
    shown
        Images stored at each stage.
    draws
        Noisy images that the validation loss is the mean of, at least.
    center
        Compare also after the mean color of every image was moved to middle gray (`center_colors`).
    checkpoints
        Folder of the checkpoint and of the weights of all stages: a killed run goes on from there.

    Returns
    -------
    names, receptive_field: of the depths, in pixels of the image; stage: steps (S,); mmd, mmd_low, mmd_high: (S, D);
    mmd_resampled: packed (S, R, D); mmd_real, mmd_low_real, mmd_high_real: (D,), of other held-out images; mmd_finer:
    (D,) or empty; bounded, bounded_low, …: all of that with the Gaussian kernel; centered, centered_low, …, if asked
    for: the same, Gaussian, without mean colors; images: packed (S, shown, H, W, C);
    neighbors: packed training images nearest to the last of these; ratio, copied: (S,), see `memory`, in features of
    the last block but one, among the first 2048 training images; pixel_ratio, pixel_copied: the same in pixels, among
    the first 65,536; chance; trace_step, trace_seconds, trace_train, trace_validation; parameters; P_used; digest and
    origin of the images.

    Examples
    --------
    >>> point = learn_images("fashion-slice", 64, widths=(8,), steps=1, batch=8, T=50, first=1, samples=8,
    ...     sampling_steps=2, reference=64, network="random", enlarged=32, resamples=10, shown=2)
    >>> point["stage"], len(point["mmd"]), len(point["mmd"][0])
    ([0, 1], 2, 8)
    """
    fields = {name: value for name, value in locals().items() if name != "checkpoints"}
    images = load_images(source, size, seed)
    P = check_integer("P", P, 0, len(images.train)) or len(images.train)
    check_integer("first", first, 1, check_integer("steps", steps, 1))
    weights, noise = (np.random.default_rng([seed, purpose]) for purpose in (1, 2))
    fabric = Fabric(accelerator="auto", devices=1, precision=precision)  # type: ignore[arg-type]
    eyes = feature_network(network, enlarged).to(fabric.device)
    eyes.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    judge = Judge(eyes, images, P, reference, resamples, seed, shown, center)
    shape, start = images.train.shape[1:], int(noise.integers(2**31))
    model, scheduler = ImageUNet(shape[-1], widths, depth, attended, weights), noise_schedule(schedule, T)

    folder = None if checkpoints is None else Path(checkpoints) / _name(fields, images)

    def make(evaluated: nn.Module, calls: int) -> Array:
        half = precision == "bf16-mixed"
        return generate_images(evaluated, scheduler, samples, shape, calls, start, half=half)

    def look(evaluated: nn.Module, step: int) -> dict[str, Any]:
        if 0 < step < first:
            return {}
        if folder is not None:
            write_checkpoint(folder / f"stage-{step}.safetensors", evaluated.state_dict(), {"step": step})
        last = judge.scores(make(evaluated, finer)) if finer and step == steps else {}
        finest = {f"{name}_finer": last.get(name, []) for name in judge.references}
        return {**judge(make(evaluated, sampling_steps)), **finest}

    config = Config(
        *(steps, batch, learning_rate, "constant", min(50, steps // 4), "adamw"), ema=ema, per_octave=1, seed=seed
    )
    held_out = images.held_out[-judge.spare :][:VALIDATION]
    run = train(
        model,
        NoiseGuessing(scheduler, draws),
        judge.data,
        held_out,
        config,
        fabric=fabric,
        path=None if folder is None else folder / "run.safetensors",
        evaluate=look,
        progress=False,
    )
    stages = [entry for entry in run.history if "mmd" in entry]
    last, measures = stages[-1], tuple(judge.references)
    staged = (*(f"{name}{end}" for name in measures for end in ("", "_low", "_high")), *STAGED)
    arrays = ("images", *(f"{name}_resampled" for name in measures))
    return {
        "names": list(eyes.names),
        "receptive_field": [field * size / enlarged for field in eyes.receptive_fields()],
        "stage": [entry["step"] for entry in stages],
        **{name: [entry[name] for entry in stages] for name in staged},
        **{name: pack_array(np.stack([unpack_array(entry[name]) for entry in stages])) for name in arrays},
        **{name: last[name] for name in ("neighbors", *(f"{measure}_finer" for measure in measures))},
        **{f"{name}_real": value for name, value in judge.real.items() if not name.endswith("resampled")},
        "chance": CHANCE,
        **{f"trace_{name}": [entry[name] for entry in run.history] for name in TRACED},
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "P_used": P,
        "digest": images.digest,
        "origin": images.source,
    }


class Judge:
    """Compares generated images with held-out ones and with the training images.

    Held-out images are parted: those referred to, as many that give the baseline of real against real, and the rest,
    or the baseline's again, for the loss.
    """

    def __init__(
        self,
        eyes: FeatureMaps,
        images: Images,
        P: int,
        reference: int,
        resamples: int,
        seed: int,
        shown: int,
        center: bool = False,
    ):
        self.eyes, self.shown, self.data = eyes, check_integer("shown", shown, 1), images.train[:P]
        size = min(check_integer("reference", reference, 2), len(images.held_out) // 2)
        if size < 2:
            raise ValueError(f"source must hold at least 4 images out, got {len(images.held_out)}")
        self.spare = max(len(images.held_out) - 2 * size, size)
        referred, held = images.held_out[:size], images.held_out[size : 2 * size]
        seen, features = self.see(referred), self.see(held)
        self.references = {name: Reference(seen, resamples, seed, kernel) for name, kernel in KERNELS.items()}
        if check_flag("center", center):
            self.references["centered"] = Reference(self.see(center_colors(referred)), resamples, seed, "gaussian")
        self.real = self.scores(held, features)
        self.near = self.data[:NEIGHBORS]
        self.near_features = self.deep(self.see(self.near))
        self.held_features, self.held = self.deep(features), held

    def see(self, pictures: Array) -> list[Array]:
        return pooled_features(self.eyes, pictures, device=next(self.eyes.parameters()).device)  # type: ignore[attr-defined]

    def deep(self, features: list[Array]) -> Array:
        return self.references["mmd"].standardized(features)[MEMORY]

    def scores(self, pictures: Array, features: list[Array] | None = None) -> dict[str, Any]:
        """Discrepancies of images, whose features are computed if not given, by all measures."""
        found: dict[str, Any] = {}
        plain = self.see(pictures) if features is None else features
        centered = self.see(center_colors(pictures)) if "centered" in self.references else []
        for name, reference in self.references.items():
            score = reference.compare(centered if name == "centered" else plain)
            found |= {
                name: score.squared.tolist(),
                f"{name}_low": score.low.tolist(),
                f"{name}_high": score.high.tolist(),
            }
            found[f"{name}_resampled"] = pack_array(score.resampled.astype(np.float32))
        return found

    def __call__(self, made: Array) -> dict[str, Any]:
        features = self.see(made)
        deep = self.deep(features)
        by_feature = memory(deep, self.held_features, self.near_features, CHANCE)
        by_pixel = memory(_flat(made), _flat(self.held), _flat(self.data[:PIXELS]), CHANCE)
        rows = nearest(deep[: max(2, self.shown)], self.near_features)[1][: self.shown]
        return {
            **self.scores(made, features),
            "ratio": by_feature.ratio,
            "copied": by_feature.copied,
            "pixel_ratio": by_pixel.ratio,
            "pixel_copied": by_pixel.copied,
            "images": pack_array(made[: self.shown]),
            "neighbors": pack_array(self.near[rows]),
        }


def _flat(images: Array) -> Array:
    return images.reshape(len(images), -1).astype(np.float32) / 255


def _name(fields: dict[str, Any], images: Images) -> str:
    return hashlib.sha256((json.dumps(fields, sort_keys=True) + images.digest).encode()).hexdigest()[:16]
