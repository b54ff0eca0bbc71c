"""The pieces hold what Python computed, and their JavaScript computes what Python computes."""

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import entropy

from hcg_lib import plotting
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.widgets import context_clusters, frames_slider, noise_frames, noise_slider, project, tree_explorer
from hcg_lib.widgets._bundle import HERE, bundle, style
from hcg_lib.widgets.contexts import fill_frame
from hcg_lib.widgets.tree import draw_choices, expand, uniforms

ROOT = Path(__file__).parents[2]
SHAPES = [(8, 3, 2, 3), (16, 4, 2, 4), (4, 2, 3, 2), (5, 5, 2, 1), (6, 1, 2, 2)]
PIECES = {"tree.mjs", "noise.mjs", "contexts.mjs", "frames.mjs"}
g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)


# ---- the same in JavaScript


def derive(grammar, level, symbol, choices, node=0):
    """Levels below one node, by recursion: the plain form of `expand`."""
    if level == 0:
        return [[symbol]]
    children = grammar.rules[level - 1][symbol, choices[level - 1][node]]
    below = [derive(grammar, level - 1, int(a), choices, grammar.s * node + j) for j, a in enumerate(children)]
    return [list(itertools.chain(*parts)) for parts in zip(*below, strict=True)] + [[symbol]]


def grammar_case(shape, seed):
    grammar = RandomHierarchyModel.random(*shape, seed=seed)
    rng = np.random.default_rng(seed)
    root, choices = draw_choices(grammar, seed)
    strings = np.vstack([grammar.sample(3, seed=rng), rng.integers(0, grammar.v, (12, grammar.d))]).astype(int)
    strings[3:6] = strings[:3]
    strings[3:6, rng.integers(grammar.d)] = 0
    levels = grammar.parse(strings)
    at = int(rng.integers(grammar.d))
    trial = np.repeat(strings[:1], grammar.v, 0)
    trial[:, at] = range(grammar.v)
    l = int(rng.integers(1, grammar.L + 1))
    k, r = int(rng.integers(grammar.s ** (grammar.L - l))), int(rng.integers(grammar.m))
    widget = tree_explorer(grammar, seed=seed)
    edited = [(a + (i % 3 == 0)) % grammar.v for i, a in enumerate(widget.tokens)]
    widget.tokens = edited
    widget.choose(l, k, r)
    return {
        "rules": [table.tolist() for table in grammar.rules],
        "seed": seed,
        "root": root,
        "choices": choices,
        "levels": derive(grammar, grammar.L, root, choices),
        "strings": strings.tolist(),
        "parsed": [[level[i].tolist() for level in levels] for i in range(len(strings))],
        "accuracy": [grammar.level_accuracy(strings[i : i + 1]).tolist() for i in range(len(strings))],
        "at": at,
        "fits": (grammar.parse(trial)[1][:, at // grammar.s] >= 0).tolist(),
        "rewrite": {"l": l, "k": k, "r": r, "from": edited, "to": widget.tokens},
    }


def picture_cases():
    rng = np.random.default_rng(5)
    weights = [np.rint(1000 * rng.dirichlet(np.full(8, a))).astype(int) for a in (0.05, 0.3, 1, 10)]
    points, labels = rng.integers(-1000, 1000, (12, 2)), rng.integers(0, 3, 12)
    return {
        "beliefs": [
            {"weights": w.tolist(), "bits": float(entropy(w, base=2)), "top": int(w.argmax())} for w in weights
        ],
        "palette": list(plotting.LEVEL_COLORS),
        "colors": [plotting.level_style(l)["color"] for l in range(15)],
        "centers": {
            "points": points.tolist(),
            "labels": labels.tolist(),
            "means": {str(c): points[labels == c].mean(0).tolist() for c in np.unique(labels)},
        },
    }


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_javascript_agrees_with_python(tmp_path):
    cases = {
        "grammar": [grammar_case(shape, seed) for seed, shape in enumerate(SHAPES)],
        "uniforms": [{"seed": seed, "values": uniforms(seed, 20)} for seed in (0, 1, 12345, 2**31 - 1)],
        **picture_cases(),
    }
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    tests = sorted(str(path) for path in (ROOT / "tests/js").glob("*.test.mjs"))
    environment = {**os.environ, "HCG_CASES": str(tmp_path / "cases.json")}
    run = subprocess.run(
        ["node", "--test", *tests], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^# skipped 0$", run.stdout, re.MULTILINE), run.stdout
    assert int(re.search(r"^# pass (\d+)$", run.stdout, re.MULTILINE)[1]) >= 18


# ---- one module, nothing from elsewhere


@pytest.mark.parametrize("name", sorted(PIECES))
def test_bundle_is_one_module(name):
    code = bundle(name)
    assert code.count("export default") == 1
    assert not re.search(r"^(import|export (?!default))", code, re.MULTILINE)
    tops = re.findall(r"^(?:function\*?|const|let|class) (\w+)", code, re.MULTILINE)
    assert len(tops) == len(set(tops))  # joined modules share one scope
    assert set(re.findall(r"https?://[\w./-]+", code + style())) == {"http://www.w3.org/2000/svg"}


def test_every_module_is_used():
    assert {path.name for path in HERE.glob("*.mjs")} == PIECES | {
        needed
        for path in HERE.glob("*.mjs")
        for needed in re.findall(r'from "\./([\w.]+)"', path.read_text(encoding="utf-8"))
    }


# ---- state


def kilobytes(widget):
    return len(json.dumps(widget.get_state())) / 1000


def test_states_are_small():
    big = RandomHierarchyModel.random(v=16, m=4, s=2, L=4, seed=0)
    assert kilobytes(tree_explorer(big)) < 60
    assert kilobytes(noise_slider(big, strings=8)) < 150
    rng = np.random.default_rng(0)
    many = context_clusters(rng.normal(size=(20, 128, 2)), rng.integers(0, 16, 128), 2.0 ** np.arange(20), [0.5] * 20)
    assert kilobytes(many) < 100


def test_the_largest_states_stay_below_300_kilobytes():
    wide = RandomHierarchyModel.random(v=100, m=100, s=2, L=2, seed=0)
    assert kilobytes(tree_explorer(wide)) < 300
    deep = RandomHierarchyModel.random(v=56, m=3, s=2, L=4, seed=0)
    assert kilobytes(noise_slider(deep, strings=2)) < 300
    rng = np.random.default_rng(0)
    cloud = context_clusters(rng.normal(size=(30, 500, 2)), rng.integers(0, 16, 500), 1 + np.arange(30), [0.5] * 30)
    assert kilobytes(cloud) < 300


def test_seed_decides_the_tree():
    a, b, c = (tree_explorer(g, seed=seed) for seed in (4, 4, 5))
    assert (a.root, a.choices, a.tokens) == (b.root, b.choices, b.tokens)
    assert (a.root, a.choices) != (c.root, c.choices)


def test_trees_are_drawn_uniformly():
    tiny = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=0)
    strings = [expand(tiny, *draw_choices(tiny, seed))[0] for seed in range(2400)]
    counts = np.unique(strings, axis=0, return_counts=True)[1]
    assert len(counts) == tiny.n_strings
    assert ((counts - 100) ** 2 / 100).sum() < 49.7  # chi-square, 23 degrees of freedom, p = 0.001


def test_python_follows_the_tree():
    widget = tree_explorer(g, seed=1)
    for derived, parsed in zip(widget.derivation, widget.parsed, strict=True):
        np.testing.assert_array_equal(derived, parsed)
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "tokens")
    before, old = list(widget.tokens), widget.choices[1][1]
    widget.choose(level=2, node=1, rule=(old + 1) % g.m)
    assert seen == [widget.tokens]
    assert widget.tokens[:4] == before[:4]
    assert widget.tokens[4:] != before[4:]
    assert widget.root == int(widget.parsed[3][0])


def brute_force(grammar, likelihood):
    """Posterior marginals of every node by listing every string."""
    strings = grammar.unrank(np.arange(grammar.n_strings))
    weight = np.prod([likelihood[i, strings[:, i]] for i in range(grammar.d)], axis=0)
    weight /= weight.sum()
    return [
        np.array([np.bincount(level[:, k], weight, grammar.v) for k in range(level.shape[1])])
        for level in grammar.parse(strings)
    ]


def test_noise_frames_are_posteriors():
    small = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=2)
    frames = noise_frames(small, noise=[0.1, 0.5, 0.9], strings=3, seed=7)
    for i, e in enumerate(frames.noise):
        likelihood = (1 - e) * np.eye(4)[frames.observed[i]] + e / 4
        for found, true in zip(frames.marginals, brute_force(small, likelihood), strict=True):
            np.testing.assert_allclose(found[i], true, atol=1e-9)


def test_noise_replaces_tokens_for_good_and_melts_the_root_first():
    frames = noise_frames(g, strings=200, seed=3)
    changed = frames.observed != frames.truth[0]
    fate = frames.observed[-1] != frames.truth[0]
    assert (np.diff(changed.astype(int), axis=0) >= 0).all()
    assert not changed[0].any()
    assert (changed[-1] == fate).all()
    np.testing.assert_allclose(frames.confidence[:, 0], 1)
    assert frames.confidence[3, -1] == pytest.approx(1 / g.v)
    assert (np.diff(frames.confidence[:, 5:25], axis=0) < 0).all()


def test_noise_frames_repeat():
    a, b = (noise_frames(g, noise=[0.0, 0.4], strings=5, seed=9) for _ in range(2))
    np.testing.assert_array_equal(a.observed, b.observed)
    np.testing.assert_array_equal(a.marginals[1], b.marginals[1])


def test_slider_holds_probabilities_per_mille():
    frames = noise_frames(g, noise=[0.0, 0.5, 1.0], strings=4)
    widget = noise_slider(frames, index=1)
    for held, exact in zip(widget.posterior, frames.marginals, strict=True):
        np.testing.assert_allclose(np.array(held) / 1000, exact, atol=0.0005)
    assert widget.index == 1


def test_projection_is_the_best_plane():
    rng = np.random.default_rng(1)
    flat = rng.normal(size=(20, 2)) * [3, 1]
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0][:, :2]
    shadow = project((flat @ turn.T)[None] + rng.normal(size=6))[0]
    gram = [points - points.mean(0) for points in (flat, shadow)]
    np.testing.assert_allclose(gram[1] @ gram[1].T, gram[0] @ gram[0].T, atol=1e-9)  # all distances survive
    assert shadow.var(0)[0] > shadow.var(0)[1]


def test_projection_follows_points_from_frame_to_frame():
    rng = np.random.default_rng(2)
    end = rng.normal(size=(9, 5))
    frames = project(np.stack([2 * end, end]))
    np.testing.assert_allclose(frames[0], 2 * frames[1])


def test_frames_fill_the_picture_without_changing_the_order():
    raw = np.random.default_rng(3).normal(size=(4, 30, 2)) * [[[5, 0.1]]]
    filled = fill_frame(raw)
    assert (filled.min(1) == -1000).all()
    assert (filled.max(1) == 1000).all()
    inner = np.sort(raw[0, :, 0])
    np.testing.assert_allclose(np.sort(filled[0, :, 0]), np.interp(inner, inner[[0, -1]], [-1000, 1000]), atol=1)


def test_pictures_are_kept_byte_for_byte():
    figure = plt.figure(figsize=(1, 1))
    first = frames_slider([figure], ["a"])
    png = base64.b64decode(first.frames[0])
    assert frames_slider([png, png], ["a", "b"]).frames == first.frames * 2
    plt.close(figure)


def test_passages_stay_text():
    figure = plt.figure(figsize=(1, 1))
    widget = frames_slider([figure, figure], ["a", "b"], texts=[["<b>one</b>", "two"], ["three"]])
    assert widget.texts == [["<b>one</b>", "two"], ["three"]]
    assert frames_slider([figure], ["a"]).texts == []
    plt.close(figure)


huge = RandomHierarchyModel.random(v=4, m=2, s=2, L=7, seed=0)
dots = [[[0, 0], [1, 1]], [[0, 0], [1, 2]]]
BAD = [
    (lambda: tree_explorer("g"), "grammar must be a RandomHierarchyModel, got str"),
    (lambda: tree_explorer(huge), "grammar must have at most 64 tokens .* got 128 and 112"),
    (lambda: tree_explorer(g, seed=-1), "seed must be an integer from 0 to 2147483647, got -1"),
    (lambda: tree_explorer(g, shown=4), "shown must be an integer from 0 to 3, got 4"),
    (lambda: tree_explorer(g).choose(0, 0, 0), "level must be an integer from 1 to 3, got 0"),
    (lambda: tree_explorer(g).choose(2, 2, 0), "node must be an integer from 0 to 1, got 2"),
    (lambda: tree_explorer(g).choose(2, 1, 3), "rule must be an integer from 0 to 2, got 3"),
    (lambda: noise_slider(g, noise=[0.5, 0.1]), "noise must be at least two increasing values"),
    (lambda: noise_slider(g, noise=[0.0, 1.5]), "noise must be at least two increasing values"),
    (lambda: noise_slider(g, strings=0), "strings must be an integer >= 1, got 0"),
    (lambda: noise_slider(3), "source must be a RandomHierarchyModel or NoiseFrames, got int"),
    (lambda: noise_slider(g, noise=[0, 1], strings=1, index=2), "index must be an integer from 0 to 1, got 2"),
    (
        lambda: noise_slider(huge, noise=np.linspace(0, 1, 65), strings=1),
        "source must have at most 60000 marginal probabilities, got 66300",
    ),
    (lambda: context_clusters(dots[0], [0, 1], [1, 2], [0, 1]), r"frames must be finite .* got shape \(2, 2\)"),
    (lambda: context_clusters(dots, [0], [1, 2], [0, 1]), "labels must be 2 integers"),
    (lambda: context_clusters(dots, [0, 1], [2, 1], [0, 1]), "P must be 2 increasing positive numbers"),
    (lambda: context_clusters(dots, [0, 1], [1, 2], [0, 1.2]), r"accuracy must hold finite numbers in \[0, 1\]"),
    (lambda: context_clusters(dots, [0, 1], [1, 2], [0, 1], threshold=0.0), "threshold must be a finite number"),
    (lambda: context_clusters(dots, [0, 1], [1, 2], [0, 1], tuples=[(0, 1)]), "tuples must name 2 points, got 1"),
    (
        lambda: context_clusters(np.zeros((1, 19, 2)), np.arange(19), [1], [1]),
        "labels must name at most 18 parents, got 19",
    ),
    (lambda: project([[1.0, 2.0]]), r"vectors must be finite with shape \(n_P, n, k\), got shape \(1, 2\)"),
    (lambda: project(np.zeros((1, 3, 1))), "vectors must hold at least two tuples and two directions"),
    (lambda: frames_slider([], []), "frames must hold at least one picture, got none"),
    (lambda: frames_slider([b"GIF89a"], ["a"]), "frames must hold matplotlib figures or PNG bytes, got bytes"),
    (lambda: frames_slider([b""], ["a", "b"]), "labels must hold 1 texts, got 2"),
    (lambda: frames_slider([b""], ["a"], texts=[]), "texts must hold 1 texts, got 0"),
    (lambda: frames_slider([b""], ["a"], texts=["word"]), "texts must be a list of passages, got 'word'"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
