"""Nonsense for every argument of every function: a ValueError of our own that is a sentence, or a finite answer."""

import math
import traceback
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import hcg_lib
from hcg_lib import (
    authors,
    clustering,
    coherence,
    collapse,
    copying,
    correlations,
    depth_order,
    evaluation,
    evidence,
    gradient,
    image_controls,
    images,
    inference,
    intervals,
    laws,
    masked_text,
    mmd,
    neighbors,
    packing,
    plotting,
    population,
    representations,
    rules,
    scaling,
    spectral,
    text,
    theory,
    tokenization,
    tuples,
    widgets,
)
from hcg_lib.diffusion import UniformProcess, power_signal
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.networks import MessagePassing
from hcg_lib.networks.transformer import TokenTransformer

HERE = Path(hcg_lib.__file__).parent
NONSENSE = [
    None, True, -1, 0, 2.5, 10**30, math.nan, -math.inf, "word", b"bytes", {"a": 1}, object(), 1j, [], [[1], [2, 3]],
    [None, None], ["a", "b"], np.array(3), np.full((6, 4), np.nan), np.zeros((2, 3, 4)), np.full((6, 4), -1),
]  # fmt: skip

g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
x = g.sample(200, seed=0)
phi = np.ones((6, 4, 4))
exact = population.Population(g)
statistics = tuples.level_statistics(g, x, [1])[1]
curve = correlations.TokenCorrelations(4, [1, 2]).update(x)
reference = coherence.Reference(list(x), 4, [1, 2])
shape = {"v": 4, "m": 2, "s": 2}


def ignorant(tokens, where):
    return torch.zeros(int(where.sum()), 4)


pictures = np.random.default_rng(0).integers(256, size=(3, 4, 4, 1), dtype=np.uint8)

CALLS = {
    "grammar.random": (RandomHierarchyModel.random, {**shape, "L": 2, "seed": 0, "zipf_exponent": 0.5}),
    "grammar": (RandomHierarchyModel, {"rules": list(g.rules), "probabilities": [[0.5, 0.5]] * 2}),
    "grammar.sample": (g.sample, {"P": 3, "seed": 0, "unique": False}),
    "grammar.unrank": (g.unrank, {"index": [1, 2]}),
    "grammar.rank": (g.rank, {"x": x}),
    "grammar.log_probability": (g.log_probability, {"x": x}),
    "grammar.parse": (g.parse, {"x": x}),
    "grammar.derive": (g.derive, {"root": [0], "choices": [[[0, 0]], [[0]]]}),
    "grammar.level_accuracy": (g.level_accuracy, {"x": x}),
    "grammar.level_probabilities": (g.level_probabilities, {"level": 1}),
    "rules.draw_rules": (rules.draw_rules, {**shape, "rng": 0}),
    "rules.decode_tuples": (rules.decode_tuples, {"code": [3], "v": 4, "s": 2}),
    "rules.build_trie": (rules.build_trie, {"level": g.rules[0]}),
    "rules.zipf_probabilities": (rules.zipf_probabilities, {"m": 2, "L": 2, "exponent": 1.0}),
    "authors.from_rules": (authors.from_rules, {"rules": authors.to_rules(g)}),
    "authors.to_rules": (authors.to_rules, {"g": g}),
    "authors.from_seed": (authors.from_seed, {**shape, "L": 2, "seed": 0}),
    "evidence.uniform_noise": (evidence.uniform_noise, {"x": x, "abar": 0.5, "v": 4}),
    "evidence.masking": (evidence.masking, {"x": x, "v": 4, "mask": -1}),
    "evidence.gaussian_noise": (evidence.gaussian_noise, {"x": phi, "abar": 0.5}),
    "inference.belief_propagation": (inference.belief_propagation, {"g": g, "likelihood": phi, "levels": 1}),
    "inference.sample_posterior": (inference.sample_posterior, {"g": g, "likelihood": phi, "seed": 0, "levels": 1}),
    "theory.level_accuracy": (theory.level_accuracy, {**shape, "L": 2, "k": 1}),
    "theory.excess_nats": (theory.excess_nats, {**shape, "L": 2, "k": 1}),
    "theory.finite_size": (theory.finite_size, {**shape, "L": 2, "k": 1}),
    "theory.tuple_correlation": (theory.tuple_correlation, {**shape, "l": 1, "k": 2}),
    "theory.tuple_floor": (theory.tuple_floor, {"v": 4, "m": 2, "P": 10}),
    "theory.rule_threshold": (theory.rule_threshold, {**shape, "L": 3, "l": 1, "pooled": False}),
    "theory.coherence_length": (theory.coherence_length, {**shape, "P": 10}),
    "images.load_images": (images.load_images, {"source": "fashion-slice", "size": 32, "seed": 0}),
    "images.check_images": (images.check_images, {"name": "images", "images": pictures}),
    "image_controls.shuffle_blocks": (image_controls.shuffle_blocks, {"images": pictures, "block": 2, "seed": 0}),
    "mmd.squared_mmd": (mmd.squared_mmd, {"x": x[:9], "y": x[9:20]}),
    "mmd.Reference": (mmd.Reference, {"features": [x[:9]], "resamples": 3, "seed": 0, "kernel": "gaussian"}),
    "mmd.compare": (mmd.Reference([x[:9]]).compare, {"features": [x[9:20]], "seed": 1, "confidence": 0.9}),
    "mmd.time_to_fraction": (mmd.time_to_fraction, {"steps": [0, 1], "curve": [1.0, 0.01], "fraction": 0.1}),
    "depth_order.order_of_depths": (
        depth_order.order_of_depths,
        {
            "steps": [0, 1],
            "squared": [[1.0, 1.0], [0.05, 0.01]],
            "resampled": np.ones((2, 3, 2)),
            "fraction": 0.1,
            "confidence": 0.9,
        },
    ),
    "neighbors.nearest": (neighbors.nearest, {"x": x[:3], "training": x[3:9]}),
    "neighbors.memory": (
        neighbors.memory,
        {"generated": x[:3], "held_out": x[3:9] + 5, "training": x[9:20], "chance": 0.01},
    ),
    "packing.unpack_array": (packing.unpack_array, {"text": packing.pack_array(x)}),
    "plotting.draw_images": (plotting.draw_images, {"rows": pictures[None], "labels": ["one"]}),
    "population.Population": (population.Population, {"grammar": g}),
    "population.joint": (exact.joint, {"one": (0, 0), "other": (0, 3)}),
    "population.conditional": (exact.conditional, {"node": (0, 0), "given": (0, 3)}),
    "population.transition": (exact.transition, {"ancestor": (2, 0), "node": (0, 0)}),
    "population.tuple_correlation": (exact.tuple_correlation, {"l": 1, "k": 2, "target": 0}),
    "population.sample_truncated": (population.sample_truncated, {"grammar": g, "known": 1, "P": 3, "seed": 0}),
    "correlations.default_distances": (correlations.default_distances, {"longest": 10, "number": 4}),
    "correlations.lca_level": (correlations.lca_level, {"i": 0, "j": 1, "s": 2}),
    "correlations.TokenCorrelations": (correlations.TokenCorrelations, {"v": 4, "distances": [1], "groups": 5}),
    "correlations.LevelCorrelations": (correlations.LevelCorrelations, {"v": 4, "s": 2, "L": 2, "groups": 5}),
    "correlations.estimate": (curve.estimate, {"confidence": 0.9, "resamples": 5, "seed": 0}),
    "coherence.coherence_length": (
        coherence.coherence_length,
        {"distances": [1, 2], "overlap": [1.0, 0.0], "threshold": 0.5},
    ),
    "coherence.Reference": (coherence.Reference, {"documents": list(x), "v": 4, "distances": [1, 2]}),
    "coherence.overlap": (reference.overlap, {"strings": x, "groups": np.arange(200), "resamples": 5, "seed": 0}),
    "copying.longest_copied": (copying.longest_copied, {"strings": x, "documents": list(x)}),
    "masked_text.MaskedTokens": (masked_text.MaskedTokens, {"v": 4, "draws": 8}),
    "masked_text.bound": (partial(masked_text.bound, ignorant), {"strings": x, "v": 4, "seed": 0}),
    "masked_text.span_loss": (partial(masked_text.span_loss, ignorant), {"strings": x, "v": 4, "n": 2, "seed": 0}),
    "masked_text.generate": (
        partial(masked_text.generate, ignorant),
        {"count": 2, "d": 4, "v": 4, "schedule": 2, "fixed": [4, 1, 4, 4], "part": 2, "seed": 0},
    ),
    "networks.TokenTransformer": (
        TokenTransformer,
        {"v": 4, "width": 8, "layers": 1, "heads": 1, "context": 4, "half": False, "seed": 0},
    ),
    "tuples.TupleStatistics": (
        tuples.TupleStatistics,
        {"v": 4, "s": 2, "n_targets": 4, "distance": 1, "family": 0, "positions": [0]},
    ),
    "tuples.counts_of": (statistics.counts_of, {"tuples": [[0, 1]]}),
    "tuples.level_statistics": (
        tuples.level_statistics,
        {"grammar": g, "strings": x, "levels": [1], "targets": "tokens", "distance": 1, "family": 0},
    ),
    "clustering.cluster_tuples": (
        clustering.cluster_tuples,
        {"context": statistics.context(), "k": 2, "seed": 0, "restarts": 1},
    ),
    "clustering.cluster_levels": (
        clustering.cluster_levels,
        {"strings": x, "v": 4, "s": 2, "targets": "tokens", "sharing": True, "seed": 0, "restarts": 1},
    ),
    "clustering.matched_accuracy": (
        clustering.matched_accuracy,
        {"inferred": [0, 1], "true": [1, 0], "weights": [1, 2]},
    ),
    "clustering.look_up": (clustering.look_up, {"table": np.zeros((4, 4), int), "symbols": x}),
    "spectral.sibling_statistics": (spectral.sibling_statistics, {"symbols": x, "v": 4, "s": 2}),
    "spectral.spectral_context": (
        spectral.spectral_context,
        {"statistics": spectral.sibling_statistics(x, 4, 2), "k": 3},
    ),
    "clustering.parent_table": (clustering.parent_table, {"g": g, "level": 1}),
    "gradient.one_step_features": (
        gradient.one_step_features,
        {"joint": [[2, 0], [0, 2]], "readout": [[1.0, -1.0]], "rate": 1.0, "start": "uniform"},
    ),
    "gradient.TupleNetwork": (gradient.TupleNetwork, {"n_tuples": 2, "readout": np.ones((3, 2)), "bias": [0.0, 0.0]}),
    "gradient.sensitivity": (gradient.sensitivity, {"features": [[[0.0], [0.5]], [[1.0], [1.5]]]}),
    "gradient.expected_sensitivity": (gradient.expected_sensitivity, {"joint": exact.tuple_context(1), "P": 10}),
    "gradient.measure_sensitivity": (
        gradient.measure_sensitivity,
        {**shape, "l": 1, "k": 2, "ratio": 1.0, "grammar": 0, "sample": 0, "H": 0},
    ),
    "intervals.mean_interval": (intervals.mean_interval, {"values": [1.0, 2.0], "confidence": 0.9}),
    "intervals.bootstrap": (
        intervals.bootstrap,
        {"statistic": lambda groups: groups[0].mean(), "groups": [[1.0, 2.0]], "resamples": 5, "seed": 0},
    ),
    "scaling.exponents": (
        scaling.exponents,
        {"x": [1, 2, 4], "thresholds": [[8.0, 9.0], [60.0, 66.0], [500.0, 510.0]], "largest": [1e3, 1e3, 1e3]},
    ),
    "collapse.collapse_spread": (
        collapse.collapse_spread,
        {"sizes": [[1, 2], [1, 3]], "values": [[0.0, 1.0], [0.0, 1.0]], "scales": [1, 1.5]},
    ),
    "collapse.collapse_exponent": (
        collapse.collapse_exponent,
        {"sizes": [[1, 2], [1, 3]], "values": [[[0.0, 1.0]] * 2] * 2, "x": [1, 2], "bounds": (0, 1), "resamples": 2},
    ),
    "laws.compare_laws": (
        laws.compare_laws,
        {
            "shapes": [(4, 2, 2, 2)],
            "thresholds": [[[1.0], [2.0]]],
            "laws": laws.CANDIDATES,
            "levels": [[2]],
            "largest": [10],
            "constant": "level",
            "resamples": 5,
        },
    ),
    "scaling.level_thresholds": (
        scaling.level_thresholds,
        {"P": [1, 2], "order": [[0.2, 0.2], [1.0, 1.0]], "chance": 0.2},
    ),
    "evaluation.order_parameters": (
        evaluation.order_parameters,
        {"valid": [1, 2], "complete": [3, 4], "least": 2},
    ),
    "scaling.log_slope": (scaling.log_slope, {"x": [1, 2, 3], "y": [1, 2, 4], "confidence": 0.9}),
    "representations.replace_synonyms": (
        representations.replace_synonyms,
        {"g": g, "x": x, "level": 1, "seed": 0},
    ),
    "representations.layer_sensitivity": (
        representations.layer_sensitivity,
        {
            "network": MessagePassing(v=4, s=2, L=2, width=4, hidden=8, seed=0),
            "g": g,
            "process": UniformProcess(power_signal(10), v=4),
            "seed": 0,
            "pairs": 8,
            "signal": 0.9,
        },
    ),
    "text.load_corpus": (text.load_corpus, {"name": "sotu-slice", "download": False}),
    "tokenization.CharacterTokenizer": (tokenization.CharacterTokenizer, {"alphabet": " ab"}),
    "tokenization.encode": (tokenization.encode, {"documents": ["ab"], "tokenizer": text.CharacterTokenizer()}),
    "plotting.draw_curve": (plotting.draw_curve, {"ax": None, "x": [1, 2], "y": [1.0, 2.0], "level": 1, "log": "x"}),
    "plotting.draw_tree": (plotting.draw_tree, {"levels": [[0, 1], [0]], "valid": [[True, True], [True]], "ax": None}),
    "plotting.draw_matrix": (plotting.draw_matrix, {"matrix": [[0.0, 1.0]], "signed": False, "ax": None}),
    "plotting.draw_intervals": (
        plotting.draw_intervals,
        {"names": ["a"], "estimates": [1], "low": [0], "high": [2], "verdicts": ["holds"]},
    ),
    "plotting.fading_map": (plotting.fading_map, {"color": "#0B78BD", "opposite": "#CD8013"}),
    "widgets.tree_explorer": (widgets.tree_explorer, {"grammar": g, "seed": 0, "shown": 1}),
    "widgets.noise_frames": (widgets.noise_frames, {"grammar": g, "noise": [0.0, 1.0], "strings": 2, "seed": 0}),
    "widgets.context_clusters": (
        widgets.context_clusters,
        {
            "frames": [[[0, 0], [1, 1]]],
            "labels": [0, 1],
            "P": [10],
            "accuracy": [0.5],
            "threshold": 4.0,
            "index": 0,
            "title": "",
        },
    ),
}


def is_undefined(value):
    """Whether a number that came back is NaN."""
    if isinstance(value, (tuple, list)):
        return any(map(is_undefined, value))
    real = isinstance(value, (float, np.ndarray)) and np.asarray(value).dtype.kind == "f"
    return real and bool(np.isnan(value).any())


def complaint(function, arguments):
    """What is wrong with how `function` takes these: None if it refuses them itself, or answers with numbers."""
    try:
        return "gave NaN" if is_undefined(function(**arguments)) else None
    except ValueError as error:
        raised = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        return None if HERE in raised.parents else f"{error}, from {raised.name}"
    except Exception as error:
        return repr(error)
    finally:
        plt.close("all")


@pytest.mark.parametrize("name", CALLS)
def test_nonsense_gets_a_sentence(name):
    function, good = CALLS[name]
    function(**good)
    found = {f"{name} = {bad!r}": complaint(function, {**good, name: bad}) for name in good for bad in NONSENSE}
    assert not {case: words for case, words in found.items() if words}
