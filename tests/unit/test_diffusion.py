"""Diffusion: closed forms against products of matrices, the reverse step against enumeration, ceilings, bad input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import reference_inference as reference

from hcg_lib import theory
from hcg_lib.diffusion import (
    ExactDenoiser,
    Schedule,
    UniformProcess,
    ancestral_sample,
    categorical,
    linear_beta,
    stratified_times,
    variational_loss,
)
from hcg_lib.grammar import RandomHierarchyModel

g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
small = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=1)

schedules = st.lists(st.floats(0.05, 0.99), min_size=1, max_size=6).map(
    lambda alphas: Schedule(np.concatenate([[1.0], np.cumprod(alphas)]))
)


def step_matrix(schedule, v, t, u):
    """The transition matrix from step u to step t as a product of one-step matrices."""
    out = np.eye(v)
    for step in range(u + 1, t + 1):
        alpha = schedule.abar[step] / schedule.abar[step - 1]
        out = out @ (alpha * np.eye(v) + (1 - alpha) * np.ones((v, v)) / v)
    return out


def probabilities(rng, *shape):
    p = rng.random(shape)
    return torch.from_numpy(p / p.sum(-1, keepdims=True))


# ---- schedules ----------------------------------------------------------------------------------------------


def test_linear_beta_is_the_product_of_its_steps():
    betas = [0.001 + (0.1 - 0.001) * u / 200 for u in range(201)]
    assert np.allclose(linear_beta(200).abar, np.cumprod([1, *(1 - np.array(betas[1:]))]))
    assert np.allclose(linear_beta(200, authors=True).abar, np.cumprod(1 - np.array(betas)))


def test_values_quoted_for_the_two_released_settings():
    """The authors' two schedules, multiplied out by hand: abar_T = 2.7e-5 and 4.0e-5, abar at T/2 .071 and .078."""
    ours, network = linear_beta(200, authors=True), linear_beta(1000, 1e-4, 0.02, authors=True)
    assert ours.abar[[100, 200]] == pytest.approx([0.071, 2.7e-5], rel=0.02)
    assert network.abar[[500, 1000]] == pytest.approx([0.078, 4.0e-5], rel=0.02)


@pytest.mark.parametrize("T", [1, 2, 20, 1000])
def test_every_length_starts_clean_and_ends_in_noise(T):
    abar = linear_beta(T).abar
    assert abar[0] == 1
    assert 0 < abar[-1] < 2e-3
    assert (np.diff(abar) < 0).all()


def test_there_is_no_step_minus_one():
    schedule = linear_beta(10)
    for call in (lambda: schedule.kept(-1), lambda: schedule.kept(0, -1), lambda: schedule.kept(np.array([3, 11]))):
        with pytest.raises(ValueError, match=r"must hold integers from 0 to T = 10"):
            call()


# ---- the uniform process ------------------------------------------------------------------------------------


@given(schedule=schedules, v=st.integers(2, 5), data=st.data())
@settings(max_examples=25)
def test_marginal_is_the_product_of_transition_matrices(schedule, v, data):
    t = data.draw(st.integers(0, schedule.T))
    found = UniformProcess(schedule, v).marginal(torch.arange(v)[None], t)[0].double()
    assert np.allclose(found, step_matrix(schedule, v, t, 0), atol=1e-6)


@given(schedule=schedules, v=st.integers(2, 5), seed=st.integers(0, 99), data=st.data())
@settings(max_examples=25)
def test_reverse_is_bayes_rule_with_explicit_matrices(schedule, v, seed, data):
    """q(x_u | x_t, x_0) from q(x_t | x_u) q(x_u | x_0), and its mixture over the cavity."""
    t = data.draw(st.integers(1, schedule.T))
    u = data.draw(st.integers(0, t - 1))
    process, x = UniformProcess(schedule, v), torch.arange(v)[None]
    step, start = step_matrix(schedule, v, t, u), step_matrix(schedule, v, u, 0)
    for x0 in range(v):
        clean = torch.eye(v, dtype=torch.float64)[x0].expand(1, v, v)
        expected = step.T * start[x0]  # rows x_t, columns x_u
        total = expected.sum(1, keepdims=True)
        assert np.allclose(process.reverse(x, clean, t, u)[0], expected / total, atol=1e-6)
    cavity = probabilities(np.random.default_rng(seed), 1, v, v)
    joint = step.T * (cavity[0].numpy() @ start)
    assert np.allclose(process.reverse(x, cavity, t, u)[0], joint / joint.sum(1, keepdims=True), atol=1e-6)


@given(schedule=schedules, seed=st.integers(0, 99))
@settings(max_examples=15)
def test_cavity_kernel_is_the_sum_over_clean_tokens(schedule, seed):
    """Standard D3PM sums q(x_u | x_t, x_0) over the posterior of x_0; if that is cavity x evidence, it is (K)."""
    v, rng = 4, np.random.default_rng(seed)
    process, x, t = UniformProcess(schedule, v), torch.arange(v)[None], schedule.T
    cavity = probabilities(rng, 1, v, v)
    posterior = cavity * process.likelihood(x, t)
    posterior = posterior / posterior.sum(-1, keepdim=True)
    total = sum(
        posterior[..., a, None] * process.reverse(x, torch.eye(v, dtype=torch.float64)[a].expand(1, v, v), t)
        for a in range(v)
    )
    assert np.allclose(total, process.reverse(x, cavity, t), atol=1e-6)


def test_exact_reverse_step_is_that_of_enumeration():
    """p(x_u | x_t) of each token, by summing over all clean strings: no inference code involved."""
    process, t = UniformProcess(linear_beta(10), small.v), 6
    levels, prior = reference.all_strings(small)
    x = torch.tensor([[0, 2, 1, 0], [1, 1, 0, 2]])
    found = process.reverse(x, ExactDenoiser(small, process)(x, t), t)
    start, step = step_matrix(process.schedule, 3, t - 1, 0), step_matrix(process.schedule, 3, t, t - 1)
    whole = start @ step
    for b, noisy in enumerate(x.tolist()):
        for i in range(4):
            others = np.prod([whole[levels[0][:, j], noisy[j]] for j in range(4) if j != i], 0)
            joint = [(prior * others * start[levels[0][:, i], a]).sum() * step[a, noisy[i]] for a in range(3)]
            assert np.allclose(found[b, i], np.array(joint) / np.sum(joint), atol=1e-6)


def test_corrupted_tokens_have_the_frequencies_of_the_marginal():
    process = UniformProcess(linear_beta(20), 4)
    steps = np.repeat([0, 5, 12, 20], 5000)
    x = process.corrupt(torch.full((20_000, 8), 2), steps, seed=0)
    kept = (x == 2).double().mean(1).reshape(4, 5000).mean(1)
    abar = process.schedule.abar[[0, 5, 12, 20]]
    assert np.allclose(kept, abar + (1 - abar) / 4, atol=0.01)
    assert torch.equal(x[:5000], torch.full((5000, 8), 2))


def test_seeds_are_obeyed():
    process = UniformProcess(linear_beta(20), 8)
    denoiser = ExactDenoiser(g, process)
    one, same, other = (ancestral_sample(process, denoiser, 50, 8, seed) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert torch.equal(process.prior(5, 8, 0), process.prior(5, 8, 0))


# ---- sampling -----------------------------------------------------------------------------------------------


def test_categorical_has_the_right_frequencies_and_never_the_impossible():
    p = torch.tensor([0.0, 0.2, 0.0, 0.5, 0.3, 0.0]).expand(100_000, 6)
    counts = torch.bincount(categorical(p, seed=0), minlength=6) / 100_000
    assert np.allclose(counts, p[0], atol=0.006)
    assert (counts[p[0] == 0] == 0).all()


@pytest.mark.parametrize(
    "T, authors, ceiling", [(20, True, 0.68), (50, True, 0.92), (100, True, 0.97), (200, True, 0.988)]
)
def test_ceilings_of_the_exact_denoiser(T, authors, ceiling):
    """A_3 measured with the released convention abar_0 = 1 - beta_1, (8,3,2,3), within sampling error."""
    process = UniformProcess(linear_beta(T, authors=authors), 8)
    top = g.level_accuracy(ancestral_sample(process, ExactDenoiser(g, process), 4096, 8, seed=1))[-1]
    assert top == pytest.approx(ceiling, abs=0.005 + 3 * np.sqrt(ceiling * (1 - ceiling) / 4096))


def test_a_clean_end_lifts_the_ceiling():
    process = UniformProcess(linear_beta(200), 8)
    assert g.level_accuracy(ancestral_sample(process, ExactDenoiser(g, process), 4096, 8, seed=1))[-1] > 0.99


def test_the_posterior_mean_in_place_of_the_cavity_is_a_trap():
    """Measured once, with other code for exact inference: A = (.73, .41, .17) instead of (.998, .996, .988)."""
    process = UniformProcess(linear_beta(200, authors=True), 8)
    accuracy = g.level_accuracy(ancestral_sample(process, ExactDenoiser(g, process, output="mean"), 4096, 8, seed=1))
    assert accuracy == pytest.approx([0.73, 0.41, 0.17], abs=0.04)


def test_steps_may_be_skipped():
    process = UniformProcess(linear_beta(200), 8)
    denoiser = ExactDenoiser(g, process)
    few = ancestral_sample(process, denoiser, 2000, 8, seed=0, times=[200, 150, 100, 80, 60, 40, 20, 10, 0])
    assert 0.3 < g.level_accuracy(few)[-1] < 0.99


# ---- loss ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", range(4))
def test_loss_of_a_truncated_model_sits_on_its_plateau(k):
    """Measured once, with other code: T * loss = 2.073 1.593 1.356 1.234 at T = 200, just above H_k."""
    process, x0 = UniformProcess(linear_beta(200, authors=True), 8), torch.from_numpy(g.sample(20_000, seed=2)).long()
    terms = 200 * variational_loss(process, ExactDenoiser(g, process, levels=k), x0, seed=0)
    error = 3 * float(terms.std()) / np.sqrt(len(x0))
    assert float(terms.mean()) == pytest.approx([2.073, 1.593, 1.356, 1.234][k], abs=error + 0.005)
    assert float(terms.mean()) == pytest.approx(theory.loss_plateaus(8, 3, 2, 3)[k], abs=0.03 + error)


def test_the_cavity_beats_the_mean_and_every_truncation():
    process, x0 = UniformProcess(linear_beta(50), 8), torch.from_numpy(g.sample(4000, seed=2)).long()
    best, *worse = (
        float(variational_loss(process, ExactDenoiser(g, process, **options), x0, seed=0).mean())
        for options in ({}, {"output": "mean"}, {"levels": 2}, {"levels": 0})
    )
    assert best < min(worse)


def test_times_cover_every_part():
    steps = stratified_times(10, 1000, seed=0)
    assert (np.bincount(steps, minlength=11)[1:] == 100).all()


# ---- bad input ----------------------------------------------------------------------------------------------

process = UniformProcess(linear_beta(10), 8)
exact = ExactDenoiser(g, process)
x = torch.zeros(3, 8, dtype=torch.int64)
CASES = [
    (lambda: Schedule([1.0]), r"abar must be at least two decreasing numbers in \(0, 1\]"),
    (lambda: Schedule([0.5, 0.9]), r"abar must be at least two decreasing"),
    (lambda: Schedule([1.0, 0.0, 0.0]), r"abar must be at least two decreasing"),
    (lambda: Schedule([1.0, np.nan]), r"abar must hold finite numbers, got \[1\.0, nan\]"),
    (lambda: linear_beta(0), r"T must be an integer >= 1, got 0"),
    (lambda: linear_beta(10, first=0.5, last=0.1), r"first must not exceed last, got 0\.5 > 0\.1"),
    (lambda: linear_beta(10, last=1.0), r"last must be a finite number in \(0, 1\), got 1\.0"),
    (lambda: linear_beta(10).kept(2, earlier=3), r"earlier must not exceed t, got 3 > 2"),
    (lambda: linear_beta(10).kept(0.5), r"t must hold integers from 0 to T = 10, got 0\.5"),
    (lambda: UniformProcess(linear_beta(10), 1), r"v must be an integer >= 2, got 1"),
    (lambda: UniformProcess([1.0, 0.5], 4), r"schedule must be a Schedule, got list"),
    (lambda: process.likelihood(x + 8, 3), r"x must hold symbols from 0 to 7, got 8"),
    (lambda: process.reverse(x, torch.ones(3, 8, 8), 0), r"t must hold integers from 1 to T = 10, got 0"),
    (lambda: process.prior(3, 8, seed=None), r"seed must be an integer >= 0"),
    (lambda: ExactDenoiser(g, UniformProcess(linear_beta(10), 4)), r"process must have the grammar's v = 8, got 4"),
    (lambda: ExactDenoiser(g, process, levels=4), r"levels must be an integer from 0 to 3, got 4"),
    (lambda: ExactDenoiser(g, process, output="x0"), r"output must be one of 'cavity', 'mean', got 'x0'"),
    (lambda: ancestral_sample(process, exact, -1, 8, 0), r"P must be an integer >= 0, got -1"),
    (lambda: ancestral_sample(process, exact, 5, 8, 0, times=[5, 0]), r"times must .* T = 10 to 0, got \[5, 0\]"),
    (lambda: ancestral_sample(process, exact, 5, 8, 0, times=[10, 3, 3, 0]), r"times must decrease"),
    (lambda: ancestral_sample(process, exact, 5, 8, 0, times=[]), r"times must decrease"),
    (lambda: ancestral_sample(process, lambda x, t: torch.ones(2), 5, 8, 0),
     r"denoiser must return shape \(5, 8, 8\), got \(2,\)"),
    (lambda: ancestral_sample(process, lambda x, t: torch.full((5, 8, 8), torch.nan), 5, 8, 0),
     r"denoiser must return finite probabilities >= 0, got others at step 10"),
    (lambda: variational_loss(process, exact, x, 0, t=0), r"t must hold integers from 1 to T = 10, got 0"),
]  # fmt: skip


@pytest.mark.parametrize("call, message", CASES, ids=range(len(CASES)))
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
