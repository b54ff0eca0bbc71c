"""Losses: exact sums over every string and every corruption, so that plateaus and minimisers are met without noise."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hcg_lib import theory
from hcg_lib.diffusion import (
    ExactDenoiser,
    UniformProcess,
    bayes_gap,
    cross_entropy_term,
    linear_beta,
    power_signal,
    stratified_times,
    variational_loss,
    variational_term,
)
from hcg_lib.grammar import RandomHierarchyModel

G = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=0)
CLEAN = torch.from_numpy(G.unrank(np.arange(G.n_strings))).long()  # every string of the grammar, equally likely
NOISY = torch.tensor(list(itertools.product(range(G.v), repeat=G.d)))  # every string there is
PAIRS = torch.cartesian_prod(torch.arange(len(CLEAN)), torch.arange(len(NOISY)))
X0, XT = CLEAN[PAIRS[:, 0]], NOISY[PAIRS[:, 1]]


def joint(process, t):
    """p(x0, x_t) of every pair."""
    evidence = process.likelihood(XT, t).double()  # q(x_t | a) of every token
    return evidence.gather(-1, X0[..., None])[..., 0].prod(1) / len(CLEAN)


def mean_loss(term, process, cavity, t):
    """The expectation of a loss over strings and noise, exactly; cavity (all strings, d, v)."""
    return (joint(process, t) * term(process, cavity[PAIRS[:, 1]], X0, XT, t)).sum()


def exact_bound(T, levels):
    """T times the variational loss of a model that knows so many levels, summed over all times."""
    process = UniformProcess(linear_beta(T), G.v)
    denoiser = ExactDenoiser(G, process, levels=levels)
    return float(sum(mean_loss(variational_term, process, denoiser(NOISY, t).double(), t) for t in range(1, T + 1)))


# ---- plateaus


@pytest.mark.parametrize("k", range(G.L + 1))
def test_bound_of_a_truncated_model_tends_to_its_plateau(k):
    """What it exceeds H_k by is the price of finite steps: it halves as T doubles, and log v is paid exactly."""
    coarse, fine = exact_bound(40, k), exact_bound(80, k)
    plateau = theory.loss_plateaus(G.v, G.m, G.s, G.L)[k]
    assert 2 * fine - coarse == pytest.approx(plateau, abs=2e-4)
    assert coarse - fine == pytest.approx(fine - plateau, rel=0.03, abs=1e-5)
    assert fine - plateau > (0.005 if k else -1e-5)


@pytest.mark.parametrize("shape", [(16, 4, 2, 3), (8, 3, 3, 2), (4, 2, 2, 4)])
def test_sampled_losses_sit_on_the_plateaus(shape):
    g = RandomHierarchyModel.random(*shape, seed=1)
    process, x0 = UniformProcess(linear_beta(400), g.v), torch.from_numpy(g.sample(6000, seed=2)).long()
    for k, plateau in enumerate(theory.loss_plateaus(*shape)):
        terms = 400 * variational_loss(process, ExactDenoiser(g, process, levels=k), x0, seed=3)
        error = float(terms.std()) / len(x0) ** 0.5
        assert float(terms.mean()) == pytest.approx(plateau, abs=0.01 + 4 * error)


# ---- minimisers


@pytest.mark.parametrize("term", [variational_term, cross_entropy_term])
@pytest.mark.parametrize("t", [1, 5, 10])
def test_the_cavity_is_the_minimiser_and_the_posterior_is_not(term, t):
    process = UniformProcess(power_signal(10), G.v)

    def slope(output):
        cavity = ExactDenoiser(G, process, output=output)(NOISY, t).double()
        logits = cavity.clamp_min(1e-300).log().requires_grad_()
        mean_loss(term, process, logits.softmax(-1), t).backward()
        return float(logits.grad.abs().max())

    assert slope("cavity") < 1e-9
    assert slope("mean") > 1e4 * slope("cavity")


@pytest.mark.parametrize("levels", [0, 1])
def test_the_bayes_gap_is_the_excess_of_cross_entropy(levels):
    process, t = UniformProcess(linear_beta(10), G.v), 4
    exact, model = ExactDenoiser(G, process), ExactDenoiser(G, process, levels=levels)
    losses = [mean_loss(cross_entropy_term, process, d(NOISY, t).double(), t) for d in (model, exact)]
    probability, gap = joint(process, t).reshape(len(CLEAN), -1).sum(0), torch.zeros(len(NOISY), dtype=torch.double)
    for row, x in enumerate(NOISY):  # the gap of a given corrupted string, from a process that does not corrupt
        gap[row] = bayes_gap(Frozen(process.schedule, G.v), model, exact, x[None], seed=0, t=t)[0]
    assert float((probability * gap).sum()) == pytest.approx(
        float(losses[0] - losses[1]), abs=1e-7
    )  # evidence is float32


class Frozen(UniformProcess):
    """Knows the noise, adds none."""

    def corrupt(self, x0, t, seed):
        return x0


def test_cross_entropy_exceeds_that_of_the_exact_denoiser_by_the_bayes_gap():
    g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
    process = UniformProcess(linear_beta(50), g.v)
    exact, model = ExactDenoiser(g, process), ExactDenoiser(g, process, levels=2)
    x0 = torch.from_numpy(g.sample(10_000, seed=0)).long()
    t = stratified_times(50, len(x0), 1)
    x = process.corrupt(x0, t, 2)
    extra = cross_entropy_term(process, model(x, t), x0, x, t) - cross_entropy_term(process, exact(x, t), x0, x, t)
    gap = bayes_gap(process, model, exact, x0, seed=3, t=t)
    assert float(gap.mean()) == pytest.approx(float(extra.mean()), abs=5 * float(extra.std()) / len(x0) ** 0.5)
    assert gap.std() < 0.6 * extra.std()  # which is why it is the measure
    assert (gap >= -1e-6).all()


# ---- numbers and draws


@pytest.mark.parametrize("term", [variational_term, cross_entropy_term])
def test_certainty_that_is_wrong_costs_much_but_not_everything(term):
    process, x0 = UniformProcess(power_signal(10), 3), torch.zeros(1, 2, dtype=torch.long)
    wrong = torch.tensor([0.0, 1.0, 0.0]).expand(1, 2, 3).clone().requires_grad_()
    loss = term(process, wrong, x0, x0, 3)
    assert torch.isfinite(loss).all()
    assert loss > 2 * term(process, torch.full((1, 2, 3), 1 / 3), x0, x0, 3)
    right = torch.tensor([1.0, 0.0, 0.0]).expand(1, 2, 3)
    assert float(term(process, right, x0, x0, 3)) == pytest.approx(0, abs=1e-6)


def test_times_of_a_batch_are_those_of_its_strings():
    process, x0 = UniformProcess(linear_beta(30), G.v), CLEAN[:6]
    denoiser, rng = ExactDenoiser(G, process), np.random.default_rng(0)
    t = stratified_times(30, len(x0), rng)
    x = process.corrupt(x0, t, rng)
    together = variational_term(process, denoiser(x, t), x0, x, t)
    assert torch.equal(variational_loss(process, denoiser, x0, seed=0), together)  # draws times, then noise
    for term in (variational_term, cross_entropy_term):
        together = term(process, denoiser(x, t), x0, x, t)
        for b in range(len(x0)):
            row, step = slice(b, b + 1), int(t[b])
            alone = term(process, denoiser(x[row], step), x0[row], x[row], step)
            assert torch.allclose(alone, together[row], atol=1e-5)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 99))
def test_a_batch_is_spread_over_all_times(T, B, seed):
    steps = stratified_times(T, B, seed)
    assert steps.min() >= 1
    assert steps.max() <= T
    low, high = np.arange(B) * T / B, (np.arange(B) + 1) * T / B  # part b of 0 … T
    assert (np.floor(low) + 1 <= steps).all()
    assert (steps <= np.ceil(high)).all()
    if B % T == 0:
        assert (np.bincount(steps, minlength=T + 1)[1:] == B // T).all()


def test_every_time_is_drawn_equally_often():
    counts = sum(np.bincount(stratified_times(7, 5, seed), minlength=8) for seed in range(4000))[1:]
    mean = 4000 * 5 / 7
    assert (np.abs(counts - mean) < 5 * mean**0.5).all()


PROCESS, X = UniformProcess(linear_beta(10), 3), torch.zeros(2, 4, dtype=torch.long)


@pytest.mark.parametrize("call, message", [
    (lambda: stratified_times(0, 5, 0), "T must be an integer >= 1, got 0"),
    (lambda: stratified_times(5, -1, 0), "B must be an integer >= 0, got -1"),
    (lambda: stratified_times(5, 5, None), "seed must be"),
    (lambda: variational_loss(PROCESS, ExactDenoiser(G, PROCESS), X, 0, t=0), "t must hold integers from 1 to T = 10"),
    (lambda: variational_loss(PROCESS, ExactDenoiser(G, PROCESS), X, 0, t=11), "t must hold integers .* T = 10"),
    (lambda: variational_loss(PROCESS, ExactDenoiser(G, PROCESS), X + 3, 0), "x0 must hold symbols from 0 to 2"),
    (lambda: bayes_gap(PROCESS, ExactDenoiser(G, PROCESS), ExactDenoiser(G, PROCESS), X, 0, t=-1), "t must hold"),
])  # fmt: skip
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
