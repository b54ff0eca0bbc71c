"""One gradient step: closed form against autograd, sensitivity against its law, refusals."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hcg_lib import gradient, theory
from hcg_lib.experiments import read_points
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.population import Population
from hcg_lib.tuples import level_statistics


def pairs(seed=0, T=6, v=4, B=200):
    rng = np.random.default_rng(seed)
    t = rng.integers(0, T, B)
    z = (t + rng.integers(0, 2, B)) % v
    counts = np.zeros((T, v), int)
    np.add.at(counts, (t, z), 1)
    return t, z, counts


@pytest.mark.parametrize("start", ["frequency", "uniform"])
@given(seed=st.integers(0, 1000), H=st.integers(1, 30), rate=st.floats(0.1, 10))
def test_closed_form_equals_autograd_of_the_network(start, seed, H, rate):
    t, z, counts = pairs(seed)
    readout = gradient.gaussian_readout(H, 4, seed)
    bias = np.log(counts.sum(0) / counts.sum()) if start == "frequency" else None
    network = gradient.TupleNetwork(6, readout, bias)
    step = network.step(t, z, rate)
    assert step == pytest.approx(gradient.one_step_features(counts, readout, rate, start), abs=1e-13)
    assert pytest.approx(step) == network.hidden.detach().numpy().T


def test_several_contexts_are_several_networks():
    counts = np.stack([pairs(seed)[2] for seed in (0, 1)], axis=1)
    readout = gradient.gaussian_readout(5, 4, 0)
    both = gradient.one_step_features(counts, readout)
    for q in range(2):
        assert both[:, q] == pytest.approx(gradient.one_step_features(counts[:, q], readout))


def test_counts_of_strings_feed_the_network_of_strings():
    """From strings to features: pairs read off the strings themselves, tuple at slot 0, first token of its sibling."""
    g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    x = g.sample(300, seed=1)
    counts = level_statistics(g, x)[1].counts_of(g.rules[0].reshape(-1, 2))[:, 0, 0]
    number = {tuple(r): i for i, r in enumerate(g.rules[0].reshape(-1, 2).tolist())}
    t = np.array([number[tuple(row[:2])] for row in x.tolist()])
    readout = gradient.gaussian_readout(7, 4, 0)
    step = gradient.TupleNetwork(8, readout).step(t, x[:, 2])
    assert step == pytest.approx(gradient.one_step_features(counts, readout, start="uniform"), abs=1e-13)


def test_first_step_of_skip_gram_with_negative_sampling():
    """Word vectors at 0, one negative sample from p(z): the gradient is half the same covariance, projected."""
    _, _, counts = pairs()
    p = torch.tensor(counts / counts.sum())
    context = torch.as_tensor(gradient.gaussian_readout(5, 4, 0)).T  # one vector a context token
    words = torch.zeros(6, 5, dtype=torch.float64, requires_grad=True)
    score = words @ context.T
    noise = p.sum(1, keepdim=True) * p.sum(0, keepdim=True)
    loss = -(p * torch.nn.functional.logsigmoid(score) + noise * torch.nn.functional.logsigmoid(-score)).sum()
    loss.backward()
    assert -words.grad.numpy() == pytest.approx(gradient.correlation(counts) @ context.numpy() / 2, abs=1e-13)


def test_sensitivity_equals_a_loop_over_pairs():
    x = np.random.default_rng(0).normal(size=(4, 3, 5))
    rows = [(y, x[y, r]) for y in range(4) for r in range(3)]
    distance = {True: [], False: []}
    for (y, a), (y2, b) in itertools.combinations(rows, 2):
        distance[y == y2].append(((a - b) ** 2).sum())
    expected = np.mean(distance[True]) / np.mean(distance[True] + distance[False])
    assert gradient.sensitivity(x) == pytest.approx(expected)


def test_sensitivity_of_noise_and_of_parents():
    rng = np.random.default_rng(0)
    assert gradient.sensitivity(rng.normal(size=(50, 10, 40))) == pytest.approx(1, abs=0.02)
    assert gradient.sensitivity(np.repeat(rng.normal(size=(5, 1, 3)), 4, axis=1)) == pytest.approx(0, abs=1e-12)


def test_expectation_is_the_mean_over_samples():
    """Mean of 30 measured S within 4 standard errors of the exact expectation of that grammar."""
    for ratio in (0.3, 3.0):
        found = [gradient.measure_sensitivity(8, 3, 2, 1, 2, ratio, grammar=0, sample=n) for n in range(30)]
        S = np.array([point["S"] for point in found])
        assert abs(S.mean() - found[0]["S_expected"]) < 4 * S.std() / np.sqrt(30) + 0.005


@pytest.mark.parametrize("v, m, l, k", [(16, 4, 1, 2), (16, 4, 2, 3), (16, 4, 1, 3), (32, 8, 1, 2)])
def test_law_within_seven_hundredths(v, m, l, k):
    """The exact expectation, averaged over 20 grammars, against 1 / (1 + P/P(l,k)) for v >= 16."""
    threshold = theory.tuple_threshold(v, m, 2, l, k)
    contexts = [Population(RandomHierarchyModel.random(v, m, 2, k, seed=n)).tuple_context(l, k) for n in range(20)]
    for ratio in (0.1, 0.3, 1, 3, 10):
        S = np.mean([gradient.expected_sensitivity(p, ratio * threshold) for p in contexts])
        assert abs(S - theory.synonym_sensitivity(ratio)) < 0.07


def test_a_finite_width_changes_nothing_on_average():
    few, limit = (
        np.mean([gradient.measure_sensitivity(16, 4, 2, 1, 2, 1.0, n, 0, H=H)["S"] for n in range(6)]) for H in (256, 0)
    )
    assert few == pytest.approx(limit, abs=0.03)


def test_unequal_synonyms_keep_some_sensitivity():
    """With Zipf rules C(t, z) is proportional to p(t), so S has a floor however many strings there are."""
    even, zipf = (RandomHierarchyModel.random(8, 4, 2, 2, seed=0, zipf_exponent=a) for a in (0, 1))
    S = [gradient.expected_sensitivity(Population(g).tuple_context(1), 1e12) for g in (even, zipf)]
    assert S[0] < 1e-6 < 0.1 < S[1]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: gradient.correlation([1, 2]), "joint must hold counts"),
        (lambda: gradient.correlation([[0, 0], [0, 0]]), "not all 0"),
        (lambda: gradient.correlation([[1]], start="zero"), "start must be one of 'frequency', 'uniform', got 'zero'"),
        (lambda: gradient.one_step_features([[1, 2]], [[1.0]]), r"readout must have shape \(H, 2\), got \(1, 1\)"),
        (lambda: gradient.sensitivity(np.zeros((2, 1, 3))), r"features must have shape \(v, m, …\)"),
        (lambda: gradient.sensitivity(np.zeros((2, 2, 3))), "features must differ"),
        (lambda: gradient.measure_sensitivity(8, 2, 2, 2, 2, 1.0, 0, 0), "k must be an integer >= 3, got 2"),
        (lambda: gradient.TupleNetwork(2, np.ones(3)), "readout must have shape"),
        (lambda: gradient.TupleNetwork(2, np.ones((3, 2))).step([0, 2], [0, 1]), "t must hold symbols"),
        (lambda: gradient.TupleNetwork(2, np.ones((3, 2))).step([0, 1], [0]), "each of the 2 >= 1 tuples, got 1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_stored_point_is_the_list_of_its_grammars():
    point = gradient.sensitivity_over_grammars(8, 3, 2, 1, 2, ratio=0.5, grammars=2)
    second = gradient.measure_sensitivity(8, 3, 2, 1, 2, ratio=0.5, grammar=1, sample=0)
    assert point["S"][1] == second["S"]
    assert point["P"] == second["P"] == round(theory.tuple_threshold(8, 3, 2, 1) / 2)


def test_stored_points_are_what_this_code_computes():
    store = Path(__file__).resolve().parents[2] / "book" / "results" / "synonym_sensitivity.jsonl"
    points = sorted(read_points(store, 1).values(), key=lambda point: point["result"]["P"])
    assert len(points) >= 42
    for point in points[:2]:
        assert gradient.sensitivity_over_grammars(**point["config"])["S"] == pytest.approx(point["result"]["S"])
