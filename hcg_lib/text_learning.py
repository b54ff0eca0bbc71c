"""One point of the book's experiments on text: a corpus, a transformer trained on it, and what it writes on the way."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from torch import nn

from hcg_lib._validate import check_integer
from hcg_lib.coherence import Overlap, Reference
from hcg_lib.copying import longest_copied
from hcg_lib.correlations import TokenCorrelations, default_distances
from hcg_lib.masked_text import MaskedTokens, bound, generate, span_loss
from hcg_lib.networks.transformer import TokenTransformer
from hcg_lib.text_data import TextData, text_data
from hcg_lib.training import Config, train

Array = np.ndarray
JUDGED = 384  # held-out strings of the bound and of spans
PROBES = 256  # strings whose longest copied span is looked for
DISTANCES = 16
CHECKPOINT_EVERY = 256  # steps
CHANCE = 0.95  # quantile of the longest copied span of real text above which a string counts as recited

logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)


def learn_text(
    corpus: str,
    tokens: str = "characters",
    size: int = 0,
    width: int = 128,
    layers: int = 4,
    heads: int = 2,
    context: int = 256,
    steps: int = 4096,
    batch: int = 16,
    learning_rate: float = 1e-2,
    optimizer: str = "muon",
    ema: float = 0.998,
    first: int = 128,
    samples: int = 512,
    T: int = 16,
    grid: tuple[int, ...] | list[int] = (),
    grid_samples: int = 256,
    excerpts: int = 4,
    seed: int = 0,
    *,
    checkpoints: str | Path | None = None,
) -> dict[str, Any]:
    """Train a transformer to fill in masked text, and at log-spaced stages generate and measure text.

    Parameters
    ----------
    corpus, tokens, size, context
        See `text_data`; context is d.
    width, layers, heads
        Of `TokenTransformer`.
    steps, batch, learning_rate, optimizer, ema
        Of `hcg_lib.training.Config`. The average of weights forgets the start: at step k its time constant is k/9 at
        most.
    first
        Text is generated at steps 0, `first` and the powers of two beyond, and the end.
    samples, T
        Strings generated at a stage, at least 64, and steps of generation.
    grid, grid_samples
        Numbers of steps to compare at the end, and strings of each.
    excerpts
        Generated strings kept as text at each stage, of which each is written in as many steps as it has tokens.
    seed
        Of everything.
    checkpoints
        Folder for the checkpoint of this point: an interrupted call continues there if it is repeated.

    Returns
    -------
    parameters, v, batch_tokens, train_tokens, documents, source, data, seconds_training; entropy of single tokens in
    nats; distances, as far as the text shows correlations, and of the whole training part norm, norm_low, norm_high
    (‖C‖); of held-out strings, as many as samples, control, control_low, control_high (overlap) and control_length with
    its interval; chance_longest: mean and 95 % quantile of the longest span that held-out strings share with what is
    trained on; span_lengths.

    For every stage, as lists stage_…: step, seen (tokens), epochs; bound, bound_se (held out, nats a token) and
    bound_train; spans and spans_se (loss of hidden spans, by length); norm, norm_low, norm_high, norm_floor (of
    generated text); overlap, overlap_low, overlap_high; length (ξ), length_low, length_high, length_draws (bootstrap);
    longest (mean copied span), longest_max, recited (share of strings beyond the quantile); text.

    For every number of steps of `grid`: grid_norm, grid_overlap and so on. And trace_step, trace_train,
    trace_validation of training.

    Examples
    --------
    >>> point = learn_text("sotu-slice", width=16, layers=1, context=64, steps=2, samples=64, T=2, first=2, excerpts=1)
    >>> point["stage_step"], len(point["stage_norm"][0]) == len(point["distances"])
    ([0, 2], True)
    """
    given = {name: value for name, value in locals().items() if name != "checkpoints"}
    samples, first = check_integer("samples", samples, 64), check_integer("first", first, 1)
    data = text_data(corpus, tokens, context, size, seed)
    network = TokenTransformer(data.v, width, layers, heads, context, half=True, seed=seed)
    judge = _Judge(data, context, samples, T, first, excerpts, seed)
    config = Config(
        steps,
        batch,
        learning_rate,
        warmup=min(100, steps // 10),
        optimizer=optimizer,
        ema=ema,
        per_octave=1,
        checkpoint_every=CHECKPOINT_EVERY,
        seed=seed,
    )
    fabric = Fabric(accelerator="auto", devices=1)
    objective = MaskedTokens(data.v, draws=JUDGED)
    run = train(
        *(network, objective, data.train, data.held[_some(len(data.held), JUDGED, seed)], config),
        fabric=fabric,
        path=checkpoints and Path(checkpoints) / f"text-{_fingerprint(given)}.safetensors",
        evaluate=judge,
        progress=False,
    )
    stages = [entry for entry in run.history if "length" in entry]
    names = [name for name in stages[0] if name not in ("seconds", "train", "validation")]
    out = judge.facts() | {
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "batch_tokens": batch * context,
        "seconds_training": run.history[-1]["seconds"],
    }
    out |= {f"stage_{name}": [stage[name] for stage in stages] for name in names}
    out["stage_seen"] = [stage["step"] * batch * context for stage in stages]
    out["stage_epochs"] = [seen / data.train.size for seen in out["stage_seen"]]
    out |= {f"trace_{name}": [entry[name] for entry in run.history] for name in ("step", "train", "validation")}
    return out | judge.steps(network, grid, grid_samples)


def _fingerprint(given: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(given, sort_keys=True, default=list).encode()).hexdigest()[:16]


def _some(N: int, most: int, seed: int) -> Array:
    return np.sort(np.random.default_rng([seed, N]).permutation(N)[:most])


class _Judge:
    """What is asked of the evaluated network at every stage."""

    def __init__(self, data: TextData, d: int, samples: int, T: int, first: int, excerpts: int, seed: int):
        self.data, self.d, self.samples, self.T = data, d, samples, check_integer("T", T, 1)
        self.first, self.excerpts, self.seed = first, excerpts, seed
        self.reference = Reference(data.reference, data.v, default_distances(3 * d // 4, DISTANCES))
        self.distances = self.reference.distances
        chosen = _some(len(data.held), samples, seed)
        self.control = self.reference.overlap(data.held[chosen], data.held_label[chosen])
        longest = longest_copied(data.held[_some(len(data.held), PROBES, seed)], data.documents)
        self.chance = [float(longest.mean()), float(np.quantile(longest, CHANCE))]
        self.spans = [4**k for k in range(16) if 4**k <= d]
        self.strings = data.held[_some(len(data.held), JUDGED, seed + 1)]
        self.seen = data.train[_some(len(data.train), JUDGED, seed)]

    def facts(self) -> dict[str, Any]:
        """What does not change from stage to stage."""
        counts = np.bincount(self.data.train.ravel(), minlength=self.data.v)
        shares = counts[counts > 0] / counts.sum()
        curve, control = self.reference.curve, self.control
        return {
            "v": self.data.v,
            "documents": len(self.data.documents),
            "train_tokens": int(self.data.train.size),
            "source": self.data.source,
            "data": self.data.digest,
            "entropy": float(-(shares * np.log(shares)).sum()),
            "distances": self.distances,
            "norm": curve.norm,
            "norm_low": curve.low,
            "norm_high": curve.high,
            **_overlap("control", control),
            "chance_longest": self.chance,
            "span_lengths": self.spans,
        }

    def __call__(self, network: nn.Module, step: int) -> dict[str, Any]:
        if step and step < self.first:
            return {}
        v, seed = self.data.v, np.random.default_rng([self.seed, step])
        held, train_bound = bound(network, self.strings, v, self.seed), bound(network, self.seen, v, self.seed)
        spans = [span_loss(network, self.strings, v, n, self.seed) for n in self.spans]
        x = generate(network, self.samples, self.d, v, self.T if step else 1, seed=seed)  # untrained: all independent
        longest = longest_copied(x[:PROBES], self.data.documents)
        curve = TokenCorrelations(v, self.distances).update(x).estimate()
        found = self.reference.overlap(x)
        result = {
            "bound": float(held.mean()),
            "bound_se": _error(held),
            "bound_train": float(train_bound.mean()),
            "spans": [float(span.mean()) for span in spans],
            "spans_se": [_error(span) for span in spans],
            "norm": curve.norm.tolist(),
            "norm_low": curve.low.tolist(),
            "norm_high": curve.high.tolist(),
            "norm_floor": curve.floor.tolist(),
            "longest": float(longest.mean()),
            "longest_max": int(longest.max()),
            "recited": float((longest > self.chance[1]).mean()),
            "text": [self.data.tokenizer.decode(ids) for ids in self._excerpts(network, seed)],
            **_overlap("overlap", found),
        }
        lengths = {name.removeprefix("overlap_"): result.pop(name) for name in list(result) if "_length" in name}
        return result | lengths | {"length_draws": np.round(found.lengths, 3).tolist()}

    def _excerpts(self, network: nn.Module, rng: np.random.Generator) -> Array:
        d, v = self.d, self.data.v
        return generate(network, self.excerpts, d, v, d, seed=rng) if self.excerpts else np.empty((0, d), int)

    def steps(self, network: nn.Module, grid: Any, samples: int) -> dict[str, Any]:
        """How correlations depend on the number of steps in which a text is generated: lists over `grid`."""
        out: dict[str, list[Any]] = {}
        for T in grid:
            x = generate(
                network, samples, self.d, self.data.v, int(T), seed=np.random.default_rng([self.seed, 0, int(T)])
            )
            entry = _overlap("overlap", self.reference.overlap(x))
            entry["norm"] = TokenCorrelations(self.data.v, self.distances).update(x).estimate().norm.tolist()
            for name, value in entry.items():
                out.setdefault(f"grid_{name}", []).append(value)
        return out


def _overlap(name: str, found: Overlap) -> dict[str, Any]:
    low, high = found.interval
    short, long = found.length_interval
    return {
        name: found.values.tolist(),
        f"{name}_low": low.tolist(),
        f"{name}_high": high.tolist(),
        f"{name}_length": found.length,
        f"{name}_length_low": float(short),
        f"{name}_length_high": float(long),
    }


def _error(values: Array) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
