"""Three processes behind one interface: shapes, ends, traps, fast schedules, bad input."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hcg_lib.diffusion import (
    AbsorbingProcess,
    ExactDenoiser,
    GaussianProcess,
    Process,
    Schedule,
    UniformProcess,
    ancestral_sample,
    bayes_gap,
    corrupted_law,
    cosine,
    cross_entropy_term,
    grammar_law,
    law_point,
    linear_alpha,
    linear_beta,
    make_process,
    power_signal,
    prior_term,
    process_point,
    reveal_sample,
    sampler_law,
    total_variation,
    variation_floor,
    variational_loss,
    variational_term,
)
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.networks import LearnedDenoiser, MessagePassing
from hcg_lib.training import Config, train

g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
small = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
KINDS = [UniformProcess, AbsorbingProcess, GaussianProcess]
every = pytest.mark.parametrize("kind", KINDS)


# ---- schedules


def test_cosine_is_the_published_formula():
    f = [np.cos((t / 10 + 0.008) / 1.008 * np.pi / 2) ** 2 for t in range(10)]
    assert np.allclose(cosine(10).abar, [*(np.array(f) / f[0]), 0.0])


def test_linear_alpha_is_power_signal_of_power_one():
    assert np.allclose(linear_alpha(50).abar, power_signal(50, 1.0, empty=True).abar)
    assert np.allclose(linear_alpha(50).abar, 1 - np.arange(51) / 50)
    assert np.allclose(power_signal(49, 1.0).abar, linear_alpha(50).abar[:-1])  # the same, one step from the end


@pytest.mark.parametrize("make", [linear_alpha, cosine, lambda T: power_signal(T, 3, empty=True)])
@pytest.mark.parametrize("T", [1, 2, 7, 1000])
def test_every_length_starts_clean_and_ends_empty(make, T):
    abar = make(T).abar
    assert (abar[0], abar[-1], len(abar)) == (1, 0, T + 1)
    assert (np.diff(abar) < 0).all()


def test_an_empty_end_keeps_what_it_is_given():
    schedule = Schedule([1.0, 0.5, 0.0])
    assert schedule.kept(2, earlier=2) == 1
    assert schedule.kept(2, earlier=1) == 0
    assert schedule.kept([1, 2], earlier=[1, 2]).tolist() == [1, 1]


# ---- one interface


@every
@given(v=st.integers(2, 6), T=st.integers(1, 9), power=st.floats(0.3, 5), seed=st.integers(0, 99), data=st.data())
@settings(max_examples=20)
def test_corrupt_guess_and_step_back(kind, v, T, power, seed, data):
    process, rng = kind(power_signal(T, power, empty=True), v), np.random.default_rng(seed)
    assert isinstance(process, Process)
    x0 = torch.from_numpy(rng.integers(v, size=(5, 3)))
    t = rng.integers(1, T + 1, size=5)
    earlier = np.array([data.draw(st.integers(0, int(a) - 1)) for a in t])
    cavity = torch.from_numpy(rng.dirichlet(np.ones(v), (5, 3))).float()
    x = process.corrupt(x0, t, seed)
    evidence = process.likelihood(x, t)
    assert evidence.shape == (5, 3, v)
    assert bool((evidence >= 0).all() and torch.isfinite(evidence).all())
    assert process.step(x, cavity, t, seed, earlier).shape == x.shape == process.prior(5, 3, seed).shape
    end = process.tokens(process.step(x, cavity, t, seed, np.zeros_like(t)))
    assert end.shape == (5, 3)
    assert bool((end >= 0).all() and (end < v).all())
    for loss in (variational_term, cross_entropy_term):
        value = loss(process, cavity, x0, x, t)
        assert value.shape == (5,)
        assert bool(torch.isfinite(value).all() and (value >= -1e-5).all())
    assert torch.allclose(prior_term(process, x0), torch.zeros(5), atol=1e-6)


@every
def test_nothing_happens_to_a_string_at_step_0(kind):
    process, x0 = kind(cosine(5), 8), torch.from_numpy(g.sample(50, seed=0)).long()
    assert torch.equal(process.tokens(process.corrupt(x0, 0, seed=0)), x0)


@every
def test_seeds_are_obeyed(kind):
    process = kind(cosine(10), 8)
    one, same, other = (ancestral_sample(process, ExactDenoiser(g, process), 60, 8, seed) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@every
def test_steps_between_equal_signals_are_equal(kind):
    """What counts is the signal: a schedule with steps skipped is the schedule of the steps that are left."""
    fine, coarse = kind(linear_alpha(100), 8), kind(linear_alpha(10), 8)
    times = list(range(100, -1, -10))
    skipped = ancestral_sample(fine, ExactDenoiser(g, fine), 300, 8, seed=0, times=times)
    assert np.array_equal(skipped, ancestral_sample(coarse, ExactDenoiser(g, coarse), 300, 8, seed=0))


@every
def test_any_process_trains_a_network(kind):
    process = kind(power_signal(50, 2, empty=True), 4)
    network = MessagePassing(v=4, s=2, L=2, width=16, hidden=32, seed=0)
    run = train(network, process, small.unrank(range(32)), small.sample(200, seed=1), Config(steps=150, batch=64),
                progress=False)  # fmt: skip
    assert run.best["validation"] < 0.8 * run.history[0]["validation"]
    x0 = torch.from_numpy(small.sample(500, seed=2)).long()
    learned, exact = LearnedDenoiser(run.network, process), ExactDenoiser(small, process)
    gap, ignorant = (
        float(bayes_gap(process, d, exact, x0, seed=0).mean())
        for d in (learned, ExactDenoiser(small, process, levels=0))
    )
    assert 0 <= gap < 0.5 * ignorant
    assert small.level_accuracy(ancestral_sample(process, learned, 300, 4, seed=0))[-1] > 0.4  # chance .125


# ---- trap: cavity versus mean


@pytest.mark.parametrize("kind", [UniformProcess, GaussianProcess])
def test_the_posterior_mean_counts_evidence_twice(kind):
    process = kind(power_signal(50, 3, empty=True), 8)
    right, wrong = (
        ancestral_sample(process, ExactDenoiser(g, process, output=output), 1000, 8, seed=0)
        for output in ("cavity", "mean")
    )
    assert g.level_accuracy(right)[-1] > 0.995
    assert g.level_accuracy(wrong)[-1] < 0.95
    x0 = torch.from_numpy(g.sample(2000, seed=1)).long()
    best, worse = (
        float(variational_loss(process, ExactDenoiser(g, process, output=output), x0, seed=0).mean())
        for output in ("cavity", "mean")
    )
    assert worse > 1.1 * best


def test_under_masks_the_posterior_mean_is_the_cavity():
    process = AbsorbingProcess(linear_alpha(20), 8)
    cavity, mean = (ExactDenoiser(g, process, output=output) for output in ("cavity", "mean"))
    x = process.corrupt(torch.from_numpy(g.sample(200, seed=0)).long(), 12, seed=1)
    hidden = x == 8
    assert torch.allclose(cavity(x, 12)[hidden], mean(x, 12)[hidden], atol=1e-6)
    assert torch.equal(process.reverse(x, cavity(x, 12), 12)[~hidden], process.reverse(x, mean(x, 12), 12)[~hidden])
    one, other = (ancestral_sample(process, denoiser, 200, 8, seed=2) for denoiser in (cavity, mean))
    assert np.array_equal(one, other)


# ---- trap: the step before t = 0


@every
@pytest.mark.parametrize("t", [0, -1, 11, [1, 0]])
def test_there_is_no_step_before_0_and_none_after_T(kind, t):
    process, x0, cavity = kind(linear_alpha(10), 4), torch.zeros(2, 4, dtype=torch.long), torch.full((2, 4, 4), 0.25)
    x = process.corrupt(x0, 5, seed=0)
    for call in (
        lambda: process.step(x, cavity, t, seed=0),
        lambda: variational_term(process, cavity, x0, x, t),
        lambda: variational_loss(process, lambda x, t: cavity, x0, seed=0, t=t),
    ):
        with pytest.raises(ValueError, match="t must hold integers from 1 to T = 10"):
            call()


@every
def test_times_of_the_loss_are_1_to_T(kind):
    seen = []

    def denoiser(x, t):
        seen.extend(t.tolist())
        return torch.full((len(x), 4, 4), 0.25)

    variational_loss(kind(linear_alpha(7), 4), denoiser, torch.zeros(700, 4, dtype=torch.long), seed=0)
    assert np.bincount(seen).tolist() == [0, *[100] * 7]


# ---- trap: abar_0


def test_noise_left_at_step_0_stays_in_the_strings():
    """The released product starts one factor early: each token is redrawn with probability beta_1 after all is done."""
    last = 0.2
    dirty = Schedule(0.8 * power_signal(50, 3).abar)
    process = UniformProcess(dirty, 8)
    x = ancestral_sample(process, ExactDenoiser(g, process), 4000, 8, seed=0)
    assert g.level_accuracy(x)[-1] < (1 - last) ** 8 + 0.1
    clean = UniformProcess(power_signal(50, 3), 8)
    assert g.level_accuracy(ancestral_sample(clean, ExactDenoiser(g, clean), 4000, 8, seed=0))[-1] > 0.999


MASKING, GAUSSIAN = (
    "schedule must go from abar_0 = 1 to abar_T = 0 for masking",
    "schedule must have abar_0 = 1 > abar_1",
)


@pytest.mark.parametrize("kind, schedule, words", [
    (AbsorbingProcess, Schedule([0.999, 0.5, 0.0]), rf"{MASKING}, got 0\.999 to 0"),
    (AbsorbingProcess, linear_beta(200), rf"{MASKING}, got 1 to 2\.\d+e-05"),
    (GaussianProcess, linear_beta(10, authors=True), rf"{GAUSSIAN} for Gaussian noise, got 0\.98"),
    (GaussianProcess, Schedule([1.0, 1.0, 0.5]), rf"{GAUSSIAN} for Gaussian noise, got 1\.0 and 1\.0"),
])  # fmt: skip
def test_processes_that_need_a_clean_end_say_so(kind, schedule, words):
    with pytest.raises(ValueError, match=words):
        kind(schedule, 8)


# ---- trap: the schedule in the network's input


@pytest.mark.parametrize("kind", [UniformProcess, GaussianProcess])
def test_a_denoiser_told_another_schedule_is_worse(kind):
    """Evidence must be computed with the noise that was added: one schedule object for both."""
    process, other = kind(power_signal(50, 3, empty=True), 8), kind(cosine(50), 8)
    x0 = torch.from_numpy(g.sample(3000, seed=1)).long()
    right, wrong = ExactDenoiser(g, process), ExactDenoiser(g, other)
    matched, mismatched = (float(variational_loss(process, d, x0, seed=0).mean()) for d in (right, wrong))
    assert mismatched > 1.02 * matched


@every
def test_networks_see_the_signal_and_not_the_name_of_the_step(kind):
    fine, coarse = kind(linear_alpha(100), 8), kind(linear_alpha(10), 8)
    network = MessagePassing(v=8, s=2, L=3, width=8, hidden=16, seed=0)
    x = fine.corrupt(torch.from_numpy(g.sample(20, seed=0)).long(), 70, seed=0)
    one, other = LearnedDenoiser(network, fine)(x, 70), LearnedDenoiser(network, coarse)(x, 7)
    assert torch.allclose(one, other, atol=1e-6)
    if kind is not AbsorbingProcess:  # masks say themselves how many they are
        assert not torch.allclose(one, LearnedDenoiser(network, coarse)(x, 5), atol=1e-3)


# ---- fast schedules, valid strings, right frequencies


def test_few_steps_of_the_right_schedule_reach_the_accuracy_of_many():
    """(16, 4, 2, 3): within .002 of 1 in 50 steps of uniform noise and in 20 of Gaussian noise; linear beta is not."""
    G = RandomHierarchyModel.random(16, 4, 2, 3, seed=0)

    def top(process, P=2000):
        return G.level_accuracy(ancestral_sample(process, ExactDenoiser(G, process), P, 8, seed=1))[-1]

    assert top(UniformProcess(power_signal(50, 3, empty=True), 16)) > 0.998
    assert top(GaussianProcess(power_signal(20, 2, empty=True), 16)) > 0.998
    assert 0.92 < top(UniformProcess(linear_beta(50), 16)) < 0.96


def test_masks_revealed_one_by_one_are_exact_and_at_the_floor():
    process, N = AbsorbingProcess(linear_alpha(10), 8), 3000
    x = reveal_sample(process, ExactDenoiser(g, process), N, 8, seed=0)
    assert g.is_grammatical(x).all()
    process = AbsorbingProcess(linear_alpha(10), 4)
    x = reveal_sample(process, ExactDenoiser(small, process), 20_000, 4, seed=0)
    assert total_variation(small, x) < 1.3 * variation_floor(small, 20_000)


def test_revealing_more_at_once_costs_accuracy():
    process = AbsorbingProcess(linear_alpha(10), 8)
    denoiser = ExactDenoiser(g, process)
    tops = [g.level_accuracy(reveal_sample(process, denoiser, 2000, 8, 0, steps))[-1] for steps in (1, 4, 8)]
    assert tops[0] < 0.05 < tops[1] < 0.95 < tops[2] == 1


def test_valid_strings_are_not_yet_the_right_frequencies():
    """A_L = .9999, and yet some strings come a tenth too often; the error goes like 1/T."""
    coarse, fine = (law_point(3, 2, 2, 2, "uniform", "power", T, grammar=0, power=4.0) for T in (50, 100))
    assert coarse["accuracy"] > 0.9999
    assert 0.004 < coarse["variation"] < 0.03
    assert 1.8 < coarse["variation"] / fine["variation"] < 2.2
    assert coarse["unlikeliest"] < 0.98 < 1.02 < coarse["likeliest"]


def test_signal_left_at_the_end_is_an_error_of_its_own_and_small():
    point = law_point(3, 2, 2, 2, "uniform", "power", 50, grammar=0, power=4.0, empty=False)
    process = UniformProcess(power_signal(50, 4), 3)
    tiny = RandomHierarchyModel.random(3, 2, 2, 2, seed=0)
    end = corrupted_law(process, grammar_law(tiny), 4, 50)
    assert point["start"] == pytest.approx(np.abs(end - 3.0**-4).sum() / 2)
    denoiser = ExactDenoiser(tiny, process)
    difference = np.abs(sampler_law(process, denoiser, 4) - sampler_law(process, denoiser, 4, start=end)).sum() / 2
    assert 0 < difference <= point["start"]  # a step brings laws closer, never apart


@pytest.mark.parametrize("kind, times", [("uniform", None), ("uniform", (6, 4, 1, 0)), ("masking", None)])
def test_the_law_of_a_sampler_is_a_product_of_explicit_matrices(kind, times):
    """Every matrix over all sequences, written entry by entry."""
    tiny = RandomHierarchyModel.random(3, 2, 2, 1, seed=1)
    process = make_process(kind, "cosine", 6, 3)
    denoiser, states = ExactDenoiser(tiny, process), list(itertools.product(range(process.states), repeat=2))
    law = np.array([float(process.end[a] * process.end[b]) for a, b in states])
    for t, earlier in itertools.pairwise(times or range(6, -1, -1)):
        x = torch.tensor(states)
        back = process.reverse(x, denoiser(x, t), t, earlier).double().numpy()
        matrix = [[back[i, 0, a] * back[i, 1, b] for a, b in states] for i in range(len(states))]
        law = law @ np.array(matrix)
    found = sampler_law(process, denoiser, 2, times=times)
    assert found == pytest.approx(law, abs=1e-6)
    assert found.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("kind", ["uniform", "masking"])
def test_strings_are_drawn_with_the_law_of_the_sampler(kind):
    """In four steps, far from the grammar's own law: chi-squared of all sequences expected five times and more."""
    tiny, N = RandomHierarchyModel.random(3, 2, 2, 2, seed=0), 40_000
    process = make_process(kind, "power", 4, 3, power=2.0)
    denoiser = ExactDenoiser(tiny, process)
    law = sampler_law(process, denoiser, 4).reshape((process.states,) * 4)[:3, :3, :3, :3].ravel()
    assert law.sum() == pytest.approx(1)
    assert np.abs(law - grammar_law(tiny)).sum() / 2 > 0.05
    x = ancestral_sample(process, denoiser, N, 4, seed=0)
    counts = np.bincount(np.ravel_multi_index(tuple(x.T.astype(int)), (3,) * 4), minlength=81)
    often = law * N >= 5
    chi = ((counts - N * law)[often] ** 2 / (N * law)[often]).sum()
    assert often.sum() > 20
    assert stats.chi2.sf(chi, often.sum() - 1) > 1e-3
    assert counts[law == 0].sum() == 0


def test_the_floor_is_what_perfect_samples_have():
    N = 2000
    draws = [total_variation(small, small.sample(N, seed=seed)) for seed in range(200)]
    assert np.mean(draws) == pytest.approx(variation_floor(small, N), rel=0.03)
    zipf = RandomHierarchyModel.random(4, 2, 2, 2, seed=0, zipf_exponent=1.0)
    draws = [total_variation(zipf, zipf.sample(N, seed=seed)) for seed in range(200)]
    assert np.mean(draws) == pytest.approx(variation_floor(zipf, N), rel=0.03)


def test_points_are_repeatable_and_know_their_parts():
    options = {"process": "uniform", "schedule": "power", "T": 20, "P": 500, "grammar": 3}
    one, same = (process_point(4, 2, 2, 2, **options) for _ in range(2))
    assert one == same
    process = make_process("uniform", "power", 20, 4, power=2.0, empty=False)
    assert np.allclose(process.schedule.abar, power_signal(20).abar)
    revealed = process_point(4, 2, 2, 2, "masking", "cosine", 5, 500, 0, sampler="reveal")
    assert revealed["accuracy"] == [1, 1]
    assert process_point(16, 4, 2, 3, "masking", "cosine", 2, 10, 0)["variation"] is None


# ---- bad input

masks, normal = AbsorbingProcess(linear_alpha(10), 8), GaussianProcess(linear_alpha(10), 8)
x = torch.zeros(3, 8, dtype=torch.int64)
flat = torch.full((3, 8, 8), 1 / 8)
CASES = [
    (lambda: Schedule([1.0, 0.0, 0.0]),
     r"abar must be at least two decreasing numbers in \(0, 1\], 0 at most in the end"),
    (lambda: cosine(0), r"T must be an integer >= 1, got 0"),
    (lambda: cosine(5, offset=-1), r"offset must be a finite number in \[0, 1\], got -1"),
    (lambda: linear_alpha(2.5), r"T must be an integer >= 1, got 2\.5"),
    (lambda: power_signal(5, empty="yes"), r"empty must be True or False, got 'yes'"),
    (lambda: AbsorbingProcess(linear_alpha(10), 1), r"v must be an integer >= 2, got 1"),
    (lambda: GaussianProcess([1.0, 0.5], 4), r"schedule must be a Schedule, got list"),
    (lambda: masks.likelihood(x + 9, 3), r"x must hold symbols from 0 to 7, got 9"),
    (lambda: masks.likelihood(x, 11), r"t must hold integers from 0 to T = 10, got 11"),
    (lambda: masks.reverse(x + 9, flat, 3), r"x must hold symbols from 0 to 8, got 9"),
    (lambda: masks.reverse(x, flat[..., :4], 3), r"cavity must be a tensor of probabilities \(B, d, v\) = \(3, 8, 8\)"),
    (lambda: masks.corrupt(x + 8, 3, 0), r"x0 must hold symbols from 0 to 7, got 8"),
    (lambda: masks.corrupt(x, [1, 2], 0), r"t must be one step or one a string \(3\), got 2"),
    (lambda: masks.prior(3, 0, 0), r"d must be an integer >= 1, got 0"),
    (lambda: masks.prior(3, 8, None), r"seed must be an integer >= 0"),
    (lambda: normal.prior(-1, 8, 0), r"B must be an integer >= 0, got -1"),
    (lambda: normal.corrupt(x, [1, 2], 0), r"t must be one step or one a string \(3\), got 2"),
    (lambda: normal.likelihood(flat, 0), r"t must hold integers from 1 to T = 10, got 0"),
    (lambda: normal.likelihood(x, 3), r"x must be real with shape \(B, d, v\)"),
    (lambda: normal.step(flat, flat[..., :4], 3, 0), r"cavity must be a tensor of probabilities"),
    (lambda: reveal_sample(normal, ExactDenoiser(g, normal), 5, 8, 0),
     r"process must be a AbsorbingProcess, got GaussianProcess"),
    (lambda: reveal_sample(masks, ExactDenoiser(g, masks), 5, 8, 0, steps=9),
     r"steps must be an integer from 1 to 8, got 9"),
    (lambda: sampler_law(normal, ExactDenoiser(g, normal), 8),
     r"process must be a DiscreteProcess, got GaussianProcess"),
    (lambda: sampler_law(masks, ExactDenoiser(g, masks), 8),
     r"states\*\*d must be at most 131072 to list them, got 9\*\*8"),
    (lambda: corrupted_law(UniformProcess(cosine(3), 2), [0.5, 0.4], 1, 1),
     r"law must hold 2\*\*1 probabilities that sum to 1"),
    (lambda: total_variation(g, np.empty((0, 8), int)), r"number of strings in x must be an integer >= 1, got 0"),
    (lambda: variation_floor(RandomHierarchyModel.random(16, 4, 2, 3, seed=0), 5),
     r"g must have at most 131072 strings"),
    (lambda: make_process("mask", "cosine", 5, 4),
     r"process must be one of 'uniform', 'masking', 'gaussian', got 'mask'"),
    (lambda: make_process("masking", "sine", 5, 4), r"schedule must be one of 'linear_beta', .* got 'sine'"),
    (lambda: process_point(4, 2, 2, 2, "uniform", "cosine", 5, 0, 0), r"P must be an integer >= 1, got 0"),
]  # fmt: skip


@pytest.mark.parametrize("call, message", CASES, ids=range(len(CASES)))
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
