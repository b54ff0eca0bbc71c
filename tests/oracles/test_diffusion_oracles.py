"""Processes against explicit transition matrices, densities and quadrature; laws against matrices over all strings."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import reference_diffusion as reference
from scipy import stats

from hcg_lib import theory
from hcg_lib.diffusion import (
    AbsorbingProcess,
    ExactDenoiser,
    GaussianProcess,
    Schedule,
    UniformProcess,
    ancestral_sample,
    corrupted_law,
    cosine,
    grammar_law,
    linear_alpha,
    linear_beta,
    power_signal,
    prior_term,
    reveal_sample,
    sampler_law,
    variational_loss,
    variational_term,
)
from hcg_lib.grammar import RandomHierarchyModel

KINDS = {"uniform": UniformProcess, "masking": AbsorbingProcess}
G = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=0)
CLEAN = torch.from_numpy(G.unrank(np.arange(G.n_strings))).long()  # every string of the grammar, equally likely

alphas = st.lists(st.floats(0.05, 0.99), min_size=1, max_size=6)
full = alphas.map(lambda a: Schedule(np.concatenate([[1.0], np.cumprod(a), [0.0]])))  # ends without signal
partial = alphas.map(lambda a: Schedule(np.concatenate([[1.0], np.cumprod(a)])))
processes = st.one_of(st.tuples(st.just("uniform"), st.one_of(full, partial)), st.tuples(st.just("masking"), full))


# ---- discrete processes are their matrices


@given(processes, st.integers(2, 5), st.data())
def test_marginal_is_the_product_of_transition_matrices(process, v, data):
    kind, schedule = process
    t = data.draw(st.integers(0, schedule.T))
    found = KINDS[kind](schedule, v).marginal(torch.arange(v)[None], t)[0]
    assert np.allclose(found, reference.steps(kind, schedule.abar, v, t)[:v], atol=1e-6)


@given(processes, st.integers(2, 5), st.integers(0, 99), st.data())
def test_reverse_is_bayes_rule_with_explicit_matrices(process, v, seed, data):
    """q(x_u | x_t, x_0) for every x_0 and x_t, and its mixture over any cavity; steps may be skipped."""
    kind, schedule = process
    t = data.draw(st.integers(1, schedule.T))
    u = data.draw(st.integers(0, t - 1))
    built = KINDS[kind](schedule, v)
    x = torch.arange(built.states)[None]
    weights = [*np.eye(v), np.random.default_rng(seed).dirichlet(np.ones(v))]
    for hat in weights:
        found = built.reverse(x, torch.from_numpy(hat).expand(1, built.states, v), t, u)[0]
        for a in range(built.states):
            expected = reference.token_posterior(kind, schedule.abar, v, t, u, a, hat)
            possible = expected is not None and (kind == "uniform" or a == v or np.isclose(hat.max(), 1))
            if possible:
                assert np.allclose(found[a], expected, atol=1e-6)
            elif kind == "masking":  # a visible token stays what it is, whatever the others say
                assert found[a].tolist() == np.eye(v + 1)[a].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_exact_reverse_step_is_that_of_enumeration(kind):
    schedule, t = linear_alpha(6), 4
    process = KINDS[kind](schedule, G.v)
    x = process.corrupt(CLEAN, t, seed=1)
    found = process.reverse(x, ExactDenoiser(G, process)(x, t), t)
    for row in range(len(x)):
        hat = reference.cavities(G, kind, schedule.abar, t, x[row].tolist())
        for i in range(G.d):
            expected = reference.token_posterior(kind, schedule.abar, G.v, t, t - 1, int(x[row, i]), hat[i])
            assert np.allclose(found[row, i], expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_corrupted_tokens_have_the_frequencies_of_the_marginal(kind):
    process = KINDS[kind](linear_alpha(4), 3)
    x = process.corrupt(torch.full((20_000, 8), 1), np.repeat([0, 1, 3, 4], 5000), seed=0)
    for i, t in enumerate((0, 1, 3, 4)):
        counts = np.bincount(x[5000 * i : 5000 * (i + 1)].flatten(), minlength=process.states) / 40_000
        assert np.allclose(counts, process.marginal(torch.tensor([[1]]), t)[0, 0], atol=0.01)


# ---- Gaussian noise is its densities


@given(partial, st.integers(2, 4), st.integers(0, 99), st.data())
def test_bridge_is_bayes_rule_with_explicit_densities(schedule, v, seed, data):
    """log q(x_u | x_t, x_0) = log q(x_t | x_u) + log q(x_u | x_0) - log q(x_t | x_0) at any three points."""
    t = data.draw(st.integers(2, schedule.T)) if schedule.T > 1 else None
    if t is None:
        return
    u, rng = data.draw(st.integers(1, t - 1)), np.random.default_rng(seed)
    late, early = schedule.abar[[t, u]]
    if not late < early:
        return
    alpha, clean = late / early, np.eye(v)[0]
    xt, xu = rng.normal(size=(2, v))
    mean, variance = GaussianProcess(schedule, v).bridge(torch.from_numpy(xt)[None, None], torch.tensor([[0]]), t, u)

    def log(x, middle, spread):
        return stats.norm.logpdf(x, middle, np.sqrt(spread)).sum()

    expected = log(xt, alpha**0.5 * xu, 1 - alpha) + log(xu, early**0.5 * clean, 1 - early)
    expected -= log(xt, late**0.5 * clean, 1 - late)
    assert log(xu, mean[0, 0].numpy(), variance.item()) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_corrupted_states_have_the_moments_of_the_marginal():
    process = GaussianProcess(linear_alpha(4), 3)
    x = process.corrupt(torch.full((30_000, 2), 1), np.repeat([0, 1, 4], 10_000), seed=0)
    for i, abar in enumerate((1.0, 0.75, 0.0)):
        part = x[10_000 * i : 10_000 * (i + 1)]
        assert np.allclose(part.mean((0, 1)), abar**0.5 * np.eye(3)[1], atol=0.02)
        assert np.allclose(part.std((0, 1)), (1 - abar) ** 0.5, atol=0.02)


def test_step_back_has_the_law_of_the_mixture():
    """From a fixed x_t, x_u has mean sum_a p(a) mean_a; and the way back from q(x_t) ends in q(x_u)."""
    process, t, u = GaussianProcess(linear_alpha(10), 3), 6, 3
    x = torch.tensor([0.3, -0.2, 0.9]).expand(100_000, 1, 3)
    cavity = torch.tensor([0.5, 0.3, 0.2]).expand(100_000, 1, 3)
    weight = (cavity * process.likelihood(x, t))[0, 0]
    weight = weight / weight.sum()
    means, variance = process.bridge(x[:3], torch.arange(3)[:, None], t, u)
    back = process.step(x, cavity, t, 0, u)[:, 0]
    middle = (weight[:, None] * means[:, 0]).sum(0)
    spread = (weight[:, None] * (means[:, 0] - middle) ** 2).sum(0) + variance.item()
    assert np.allclose(back.mean(0), middle, atol=0.01)
    assert np.allclose(back.var(0), spread, atol=0.01)
    x0 = torch.from_numpy(np.random.default_rng(0).choice(3, p=[0.5, 0.3, 0.2], size=(200_000, 1)))
    prior = torch.tensor([0.5, 0.3, 0.2]).expand(200_000, 1, 3)
    for late, early in ((6, 3), (10, 2), (4, 0)):
        found = process.step(process.corrupt(x0, late, 1), prior, late, 2, early)[:, 0]
        expected = process.corrupt(x0, early, 3)[:, 0]
        assert np.allclose(found.mean(0), expected.mean(0), atol=0.01)
        assert np.allclose(np.cov(found.T), np.cov(expected.T), atol=0.01)


# ---- losses


def exact_bound(process, levels):
    """The bound of the whole chain, summed over all strings, all corruptions and all steps: nats a token."""
    noisy = torch.tensor(list(itertools.product(range(process.states), repeat=G.d)))
    denoiser = ExactDenoiser(G, process, levels=levels)
    total = float(prior_term(process, CLEAN).mean())
    for t in range(1, process.schedule.T + 1):
        cavity = denoiser(noisy, t).double()
        for x0 in CLEAN:
            weight = process.marginal(x0[None], t)[0].double()  # (d, states)
            weight = weight[torch.arange(G.d), noisy].prod(1)
            term = variational_term(process, cavity, x0.expand(len(noisy), -1), noisy, t)
            total += float((weight * term)[weight > 0].sum()) / len(CLEAN)
    return total


@pytest.mark.parametrize("process", [
    UniformProcess(power_signal(3, 4), 3), UniformProcess(cosine(2), 3), UniformProcess(linear_beta(4), 3),
    AbsorbingProcess(linear_alpha(1), 3), AbsorbingProcess(cosine(4), 3), AbsorbingProcess(power_signal(3, 3, True), 3),
])  # fmt: skip
def test_ignorance_costs_log_v_with_any_schedule_of_any_length(process):
    """Nothing is approximated where tokens are independent, so the bound, with the prior's term, is exact."""
    assert exact_bound(process, 0) == pytest.approx(np.log(3), abs=1e-5)


@pytest.mark.parametrize("k", range(G.L + 1))
def test_bound_of_a_truncated_model_under_masks_tends_to_its_plateau(k):
    coarse, fine = (exact_bound(AbsorbingProcess(linear_alpha(T), G.v), k) for T in (12, 24))
    plateau = theory.loss_plateaus(G.v, G.m, G.s, G.L)[k]
    assert 2 * fine - coarse == pytest.approx(plateau, abs=3e-4)
    assert fine - plateau > (1e-3 if k else -1e-5)


def test_bound_under_gaussian_noise_tends_to_the_entropy_by_quadrature():
    """Two symbols, one token: the state matters through one number, and Gauss-Hermite nodes give exact means."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    eps = torch.from_numpy(np.stack([nodes, -nodes], 1) / np.sqrt(2))[:, None]
    clean, weight = torch.tensor([[1.0, 0.0]]).double(), torch.from_numpy(weights / weights.sum())

    def bound(T):
        process = GaussianProcess(power_signal(T, 2, empty=True), 2)
        total = float(prior_term(process, torch.tensor([[0]]))[0])
        for t in range(1, T + 1):
            abar = float(process.schedule.abar[t])
            x = abar**0.5 * clean + (1 - abar) ** 0.5 * eps
            half = torch.full((len(x), 1, 2), 0.5, dtype=torch.float64)
            total += float(weight @ process.divergence(x, torch.zeros(len(x), 1, dtype=torch.long), half, t))
        return total

    coarse, fine = bound(100), bound(200)
    assert coarse > fine > np.log(2)
    assert 2 * fine - coarse == pytest.approx(np.log(2), abs=2e-3)


@pytest.mark.parametrize("kind", [AbsorbingProcess, GaussianProcess])
@pytest.mark.parametrize("shape", [(8, 3, 2, 3), (4, 2, 2, 3)])
def test_sampled_losses_sit_on_the_plateaus(kind, shape):
    g, T = RandomHierarchyModel.random(*shape, seed=1), 300
    process, x0 = kind(power_signal(T, 2, empty=True), g.v), torch.from_numpy(g.sample(6000, seed=2)).long()
    for k, plateau in enumerate(theory.loss_plateaus(*shape)):
        terms = T * variational_loss(process, ExactDenoiser(g, process, levels=k), x0, seed=3)
        error = float(terms.std()) / len(x0) ** 0.5
        assert float(terms.mean()) == pytest.approx(plateau, abs=0.03 + 4 * error)


# ---- laws


@pytest.mark.parametrize(
    "kind, shape", [("uniform", (3, 2, 2, 2)), ("masking", (2, 1, 2, 2)), ("masking", (3, 2, 3, 1))]
)
def test_law_of_the_sampler_is_that_of_matrices_over_all_strings(kind, shape):
    g = RandomHierarchyModel.random(*shape, seed=2)
    process = KINDS[kind](linear_alpha(4), g.v)
    found = sampler_law(process, ExactDenoiser(g, process), g.d)
    assert np.allclose(found, reference.chain_law(g, kind, process.schedule.abar), atol=1e-6)


@given(processes, st.data())
@settings(max_examples=20)
def test_corrupted_law_is_that_of_matrices_over_all_strings(process, data):
    kind, schedule = process
    built, t = KINDS[kind](schedule, G.v), data.draw(st.integers(0, schedule.T))
    token, matrix = reference.steps(kind, schedule.abar, G.v, t), np.eye(1)
    for _ in range(G.d):
        matrix = np.kron(matrix, token)
    law = grammar_law(G, built.states)
    assert np.allclose(corrupted_law(built, law, G.d, t), law @ matrix, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_sampled_strings_have_the_law(kind):
    process, N = KINDS[kind](power_signal(6, 2, empty=True), G.v), 40_000
    denoiser = ExactDenoiser(G, process)
    x = ancestral_sample(process, denoiser, N, G.d, seed=0, batch=N)
    law = sampler_law(process, denoiser, G.d).reshape((process.states,) * G.d)[(slice(G.v),) * G.d].ravel()
    assert law.sum() == pytest.approx(1, abs=1e-6)
    counts = np.bincount(np.ravel_multi_index(tuple(x.T.astype(int)), (G.v,) * G.d), minlength=G.v**G.d)
    common = N * law >= 5
    observed, expected = (np.append(a[common], a[~common].sum()) for a in (counts, N * law))
    assert counts[law == 0].sum() == 0
    observed, expected = observed[expected > 0], expected[expected > 0]
    assert stats.chisquare(observed, expected * N / expected.sum()).pvalue > 1e-3


def test_masks_revealed_one_by_one_give_exactly_the_grammar():
    process, N = AbsorbingProcess(linear_alpha(9), G.v), 40_000
    denoiser = ExactDenoiser(G, process)
    x = reveal_sample(process, denoiser, N, G.d, seed=0)
    assert G.is_grammatical(x).all()
    assert stats.chisquare(np.bincount(G.rank(x), minlength=G.n_strings)).pvalue > 1e-3
    two = reveal_sample(process, denoiser, N, G.d, seed=0, steps=2)
    assert 0.5 < G.is_grammatical(two).mean() < 0.99  # tokens revealed together are drawn independently


@pytest.mark.parametrize("process", [
    UniformProcess(power_signal(10, 3), 3), UniformProcess(linear_beta(20), 3), AbsorbingProcess(cosine(10), 3),
])  # fmt: skip
def test_the_bound_holds_and_bounds_the_distance_of_the_law(process):
    """Excess of the bound over the entropy >= KL(data || sampler) >= 2 TV^2 (Pinsker)."""
    law, truth = sampler_law(process, ExactDenoiser(G, process), G.d), grammar_law(G, process.states)
    inside = truth > 0
    nats = float((truth[inside] * np.log(truth[inside] / law[inside])).sum())
    variation = np.abs(law - truth).sum() / 2
    assert G.d * exact_bound(process, None) - G.entropy() > nats - 1e-6
    assert nats > 2 * variation**2 > 0
