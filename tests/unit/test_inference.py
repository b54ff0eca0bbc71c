"""Inference: kinds in and out, identities, truncation, contradiction, bad input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hcg_lib import theory
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.inference import (
    belief_propagation,
    gaussian_noise,
    log_evidence,
    masking,
    sample_posterior,
    uniform_noise,
)

g = RandomHierarchyModel.random(v=4, m=2, s=2, L=3, seed=0)
x = g.sample(40, seed=1)
noisy = uniform_noise(x, 0.6, g.v)


def shapes():
    """(v, m, s, L) with m <= v**(s-1) and few tokens."""
    return st.tuples(st.integers(2, 6), st.integers(1, 4), st.integers(2, 4), st.integers(1, 3)).filter(
        lambda a: a[1] <= a[0] ** (a[2] - 1) and a[2] ** a[3] <= 27
    )


# ---- kinds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_and_torch_give_the_same_in_their_own_kind(dtype):
    array = noisy.astype(dtype)
    one, other = belief_propagation(g, array), belief_propagation(g, torch.from_numpy(array))
    for a, b in [(one.posterior, other.posterior), (one.cavity, other.cavity), (one.log_evidence, other.log_evidence)]:
        assert isinstance(a, np.ndarray)
        assert a.dtype == dtype
        assert isinstance(b, torch.Tensor)
        assert np.array_equal(a, b.numpy())
    assert one.contradictory.dtype == bool
    drawn = sample_posterior(g, array, seed=0)
    assert drawn.dtype == g.dtype
    assert np.array_equal(drawn, sample_posterior(g, torch.from_numpy(array), seed=0).numpy())


def test_shapes_of_every_level():
    bp = belief_propagation(g, noisy)
    assert [a.shape for a in bp.marginals] == [(40, 2 ** (3 - l), 4) for l in range(4)]
    assert bp.posterior is bp.marginals[0]
    assert bp.cavity.shape == noisy.shape
    assert bp.log_evidence.shape == bp.contradictory.shape == (40,)


@pytest.mark.parametrize("levels", [None, 2, 0])
def test_no_strings_in_no_strings_out(levels):
    bp = belief_propagation(g, noisy[:0], levels=levels)
    assert bp.posterior.shape == bp.cavity.shape == (0, 8, 4)
    assert len(log_evidence(g, noisy[:0], levels=levels)) == len(sample_posterior(g, noisy[:0], 0, levels)) == 0


def test_layout_of_the_input_does_not_matter():
    turned = np.asfortranarray(noisy)
    turned.setflags(write=False)
    assert np.array_equal(belief_propagation(g, turned).posterior, belief_propagation(g, noisy).posterior)


@pytest.mark.parametrize("B", [1, 63, 64, 65, 200])
def test_a_row_does_not_depend_on_the_batch_it_is_in(B):
    phi = np.random.default_rng(0).random((200, 8, 4))
    bp, part = belief_propagation(g, phi), belief_propagation(g, phi[:B])
    assert np.array_equal(bp.marginals[2][:B], part.marginals[2])
    assert np.array_equal(bp.log_evidence[:B], part.log_evidence)


def test_threads_do_not_change_a_thing(monkeypatch):
    phi = np.random.default_rng(0).random((20_000, 8, 4)).astype(np.float32)
    one = belief_propagation(g, phi), sample_posterior(g, phi, seed=3)
    monkeypatch.setattr("hcg_lib._parallel.thread_count", lambda: 3)
    more = belief_propagation(g, phi), sample_posterior(g, phi, seed=3)
    assert np.array_equal(one[0].posterior, more[0].posterior)
    assert np.array_equal(one[1], more[1])


def test_the_same_seed_gives_the_same_strings():
    assert np.array_equal(sample_posterior(g, noisy, seed=5), sample_posterior(g, noisy, seed=5))
    assert not np.array_equal(sample_posterior(g, noisy, seed=5), sample_posterior(g, noisy, seed=6))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_what_the_cpu_gives():
    tensor = torch.from_numpy(noisy)
    one, other = belief_propagation(g, tensor), belief_propagation(g, tensor.cuda())
    assert other.posterior.is_cuda
    assert torch.allclose(one.posterior, other.posterior.cpu(), atol=1e-12)
    assert torch.equal(sample_posterior(g, tensor, 0), sample_posterior(g, tensor.cuda(), 0).cpu())


# ---- identities ---------------------------------------------------------------------------------------------


@given(shape=shapes(), zipf=st.sampled_from([0.0, 1.0]), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_posterior_is_cavity_times_evidence(shape, zipf, seed):
    grammar = RandomHierarchyModel.random(*shape, seed=seed, zipf_exponent=zipf)
    phi = np.random.default_rng(seed).random((5, grammar.d, grammar.v)) + 1e-3
    bp = belief_propagation(grammar, phi)
    product = bp.cavity * phi
    assert np.allclose(bp.posterior, product / product.sum(-1, keepdims=True), atol=1e-12)
    assert all(np.allclose(a.sum(-1), 1) for a in (*bp.marginals, bp.cavity))


@given(shape=shapes(), zipf=st.sampled_from([0.0, 1.0]), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_posterior_is_the_gradient_of_the_log_evidence(shape, zipf, seed):
    """d log Z / d log phi_i(a) = p(x_i = a | evidence): automatic differentiation needs no downward pass."""
    grammar = RandomHierarchyModel.random(*shape, seed=seed, zipf_exponent=zipf)
    rng = np.random.default_rng(seed)
    logs = torch.tensor(rng.normal(size=(3, grammar.d, grammar.v)), requires_grad=True)
    total = log_evidence(grammar, logs.exp())
    (slope,) = torch.autograd.grad(total.sum(), logs)
    bp = belief_propagation(grammar, logs.detach().exp())
    assert torch.allclose(slope, bp.posterior, atol=1e-10)
    assert torch.allclose(total.detach(), bp.log_evidence, atol=1e-10)


@given(shape=shapes(), zipf=st.sampled_from([0.0, 1.0]), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_clean_tokens_are_parsed_and_weighed(shape, zipf, seed):
    grammar = RandomHierarchyModel.random(*shape, seed=seed, zipf_exponent=zipf)
    clean = grammar.sample(5, seed=seed)
    bp = belief_propagation(grammar, masking(clean, grammar.v))
    assert np.allclose(bp.log_evidence, grammar.log_probability(clean))
    for marginal, level in zip(bp.marginals, grammar.parse(clean), strict=True):
        assert np.array_equal(marginal.argmax(-1), level)
        assert np.allclose(marginal.max(-1), 1)


@given(shape=shapes(), seed=st.integers(0, 99), power=st.integers(-30, 30))
@settings(max_examples=15)
def test_the_scale_of_the_likelihood_moves_the_evidence_only(shape, seed, power):
    grammar = RandomHierarchyModel.random(*shape, seed=seed)
    phi = np.random.default_rng(seed).random((4, grammar.d, grammar.v))
    one, other = belief_propagation(grammar, phi), belief_propagation(grammar, phi * 10.0**power)
    assert np.allclose(one.posterior, other.posterior, atol=1e-12)
    assert np.allclose(other.log_evidence - one.log_evidence, grammar.d * power * np.log(10))


@pytest.mark.parametrize("scale", [1e38, 1e-38, 3e-42])
def test_numbers_at_the_ends_of_single_precision(scale):
    phi = (noisy * scale).astype(np.float32)
    bp = belief_propagation(g, phi)
    assert np.allclose(bp.posterior, belief_propagation(g, phi.astype(float)).posterior, atol=1e-5)
    assert np.isfinite(bp.log_evidence).all()


def test_mean_surprise_of_clean_strings_is_the_entropy():
    """-log Z averages to the entropy of the grammar, exactly so when all strings are equally likely."""
    weighted = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0, zipf_exponent=1.0)
    everything = weighted.unrank(np.arange(weighted.n_strings))
    logs = log_evidence(weighted, masking(everything, 4))
    assert -(np.exp(logs) * logs).sum() == pytest.approx(weighted.entropy(), rel=1e-12)


def test_without_evidence_the_prior_comes_back():
    marginals = belief_propagation(g, np.ones((1, 8, 4))).marginals
    everything = g.unrank(np.arange(g.n_strings))
    assert np.allclose(marginals[0][0, 3], np.bincount(everything[:, 3], minlength=4) / g.n_strings)
    assert np.allclose(marginals[3], 0.25)


def test_a_long_string_does_not_underflow():
    long = RandomHierarchyModel.random(v=8, m=4, s=2, L=9, seed=0)
    clean = long.sample(3, seed=0)
    for kind in (np.float32, np.float64):
        bp = belief_propagation(long, uniform_noise(clean, 0.9, 8).astype(kind))
        assert np.isfinite(bp.log_evidence).all()
        assert (bp.posterior.argmax(-1) == clean).mean() > 0.99


def test_a_very_long_string_needs_no_tile_of_them():
    long = RandomHierarchyModel.random(v=4, m=2, s=2, L=16, seed=0)
    clean = long.sample(1, seed=0)
    assert np.allclose(log_evidence(long, masking(clean, 4)), long.log_probability(clean), rtol=1e-12)
    assert np.array_equal(sample_posterior(long, masking(clean, 4), seed=0), clean)
    drawn = sample_posterior(long, masking(np.where(np.arange(long.d) % 8 < 3, -1, clean.astype(int)), 4), seed=0)
    assert long.is_grammatical(drawn).all()


# ---- truncation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", range(4))
def test_truncation_is_independent_blocks(k):
    bp = belief_propagation(g, noisy, levels=k)
    assert len(bp.marginals) == k + 1
    width = 2**k
    if k:
        block = RandomHierarchyModel(g.rules[:k])
        parts = [belief_propagation(block, np.ascontiguousarray(noisy[:, i : i + width])) for i in range(0, 8, width)]
        assert np.allclose(bp.cavity, np.concatenate([p.cavity for p in parts], 1))
        assert np.allclose(bp.log_evidence, sum(p.log_evidence for p in parts))
    else:
        assert np.allclose(bp.cavity, 0.25)
        assert np.allclose(bp.posterior, noisy)


@pytest.mark.parametrize("k", range(4))
def test_evidence_of_a_truncated_model_is_the_plateau(k):
    """A model of the rules <= k gives every grammatical string exactly d H_k nats (derived)."""
    logs = log_evidence(g, masking(x, g.v), levels=k)
    assert np.allclose(-logs / g.d, theory.loss_plateaus(4, 2, 2, 3)[k])


@pytest.mark.parametrize("k", range(4))
def test_samples_of_a_truncated_model_know_the_levels_it_knows(k):
    drawn = sample_posterior(g, np.ones((4000, 8, 4)), seed=0, levels=k)
    assert np.allclose(g.level_accuracy(drawn), theory.level_accuracy(4, 2, 2, 3, k), atol=0.03)


# ---- contradiction ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_contradiction_is_flagged_and_never_nan(kind):
    tokens = np.random.default_rng(0).integers(4, size=(300, 8))
    valid = g.is_grammatical(tokens)
    tokens[:5] = g.sample(5, 0)
    valid[:5] = True
    bp = belief_propagation(g, masking(tokens, 4).astype(kind))
    assert np.array_equal(bp.contradictory, ~valid)
    assert np.array_equal(np.isneginf(bp.log_evidence), ~valid)
    for a in (*bp.marginals, bp.cavity):
        assert np.isfinite(a).all()
        assert np.allclose(a.sum(-1), 1, atol=1e-6)
    assert np.allclose(bp.marginals[3][~valid], 0.25)


def test_the_cavity_of_a_single_wrong_token_is_still_right():
    broken = x[:1].copy()
    options = [a for a in range(4) if not g.is_grammatical(np.where(np.arange(8) == 2, a, broken))[0]]
    broken[0, 2] = options[0]
    bp = belief_propagation(g, masking(broken, 4))
    assert bp.contradictory[0]
    possible = [g.is_grammatical(np.where(np.arange(8) == 2, a, broken))[0] for a in range(4)]
    assert np.allclose(bp.cavity[0, 2], np.array(possible) / sum(possible))


def test_a_token_that_nothing_explains_is_a_contradiction():
    phi = noisy.copy()
    phi[3, 5] = 0
    assert belief_propagation(g, phi).contradictory.tolist() == [b == 3 for b in range(40)]
    assert belief_propagation(g, phi, levels=0).contradictory[3]


# ---- evidence -----------------------------------------------------------------------------------------------


def test_uniform_noise_is_the_channel():
    phi = uniform_noise(x, np.linspace(0, 1, 40), g.v)
    assert np.allclose(phi.sum(-1), 1)
    assert np.allclose(phi[0], 0.25)
    assert np.array_equal(phi[-1], np.eye(4)[x[-1]])
    assert torch.equal(uniform_noise(torch.from_numpy(x), 0.5, 4), torch.tensor(uniform_noise(x, 0.5, 4)).float())


def test_masked_tokens_say_nothing():
    hidden = x.astype(int)
    hidden[:, ::2] = 4
    phi = masking(hidden, 4, mask=4)
    assert (phi[:, ::2] == 1).all()
    assert np.array_equal(phi[:, 1::2], np.eye(4)[x[:, 1::2]])
    bp = belief_propagation(g, phi)
    assert np.allclose(bp.posterior[:, ::2], bp.cavity[:, ::2])  # they coincide where nothing is seen


def test_gaussian_noise_is_the_density_ratio():
    rng, abar = np.random.default_rng(0), 0.3
    z = np.sqrt(abar) * np.eye(4)[x] + np.sqrt(1 - abar) * rng.normal(size=(40, 8, 4))
    square = ((z[:, :, None] - np.sqrt(abar) * np.eye(4)) ** 2).sum(-1)  # to each clean token
    density = np.exp(-square / (2 * (1 - abar)))
    assert np.allclose(gaussian_noise(z, abar), density / density.sum(-1, keepdims=True))


def test_gaussian_noise_excludes_nothing():
    z = np.eye(4)[np.random.default_rng(0).integers(4, size=(40, 8))].astype(np.float32)
    bp = belief_propagation(g, gaussian_noise(z, 0.9999))
    assert not bp.contradictory.any()
    assert np.isfinite(bp.log_evidence).all()


# ---- bad input ----------------------------------------------------------------------------------------------

ones = np.ones((2, 8, 4))
CASES = [
    (lambda: belief_propagation("g", ones), r"g must be a RandomHierarchyModel, got str"),
    (lambda: belief_propagation(g, ones[:, :7]), r"shape \(B, d, v\) = \(B, 8, 4\), got \(2, 7, 4\)"),
    (lambda: belief_propagation(g, ones[0]), r"likelihood must have shape .* got \(8, 4\)"),
    (lambda: belief_propagation(g, ones.astype(int)), r"likelihood must be float32 or float64, got int64"),
    (lambda: belief_propagation(g, torch.ones(2, 8, 4).half()), r"likelihood must be float32 or float64, got float16"),
    (lambda: belief_propagation(g, -ones), r"likelihood must be finite and >= 0, got a negative"),
    (lambda: belief_propagation(g, ones * np.nan), r"likelihood must be finite and >= 0"),
    (lambda: belief_propagation(g, ones * np.inf), r"likelihood must be finite and >= 0"),
    (lambda: belief_propagation(g, "text"), r"likelihood must be float32 or float64, got <U4"),
    (lambda: belief_propagation(g, ones, levels=4), r"levels must be an integer from 0 to 3, got 4"),
    (lambda: belief_propagation(g, ones, levels=1.0), r"levels must be an integer from 0 to 3, got 1\.0"),
    (lambda: log_evidence(g, ones[:, :, :3]), r"likelihood must have shape .* got \(2, 8, 3\)"),
    (lambda: log_evidence(g, ones, levels=-1), r"levels must be an integer from 0 to 3, got -1"),
    (lambda: sample_posterior(g, ones, seed=None), r"seed must be an integer >= 0 or a numpy\.random\.Generator"),
    (lambda: sample_posterior(g, ones * 0.0, seed=0), r"contradiction with the grammar in 2 rows, first in row 0"),
    (lambda: sample_posterior(g, -ones, seed=0), r"likelihood must be finite and >= 0"),
    (lambda: uniform_noise(x, 1.5, 4), r"abar must lie in \[0, 1\], got 1\.5"),
    (lambda: uniform_noise(x, np.ones(3), 4), r"abar must be one number or one a string \(40\), got shape \(3,\)"),
    (lambda: uniform_noise(x, np.nan, 4), r"abar must lie in \[0, 1\], got nan"),
    (lambda: uniform_noise(x, 0.5, 3), r"x must hold symbols from 0 to 2, got 3"),
    (lambda: uniform_noise(x[0], 0.5, 4), r"x must have shape \(B, d\), got \(8,\)"),
    (lambda: uniform_noise(x.astype(float), 0.5, 4), r"x must hold integers, got dtype float64"),
    (lambda: uniform_noise(3, 0.5, 4), r"x must have shape \(B, d\), got \(\)"),
    (lambda: uniform_noise(x, "a", 4), r"abar must be a number or an array of numbers, got 'a'"),
    (lambda: uniform_noise(x, 0.5, 1), r"v must be an integer >= 2, got 1"),
    (lambda: masking([[0, -2]], 4), r"x must hold symbols from 0 to 3, got -2"),
    (lambda: masking([[0, 1]], 4, mask=3), r"mask must not be one of the symbols 0 … 3, got 3"),
    (lambda: gaussian_noise(x, 0.5), r"x must be real with shape \(B, d, v\)"),
    (lambda: gaussian_noise(ones, 1.0), r"abar must be below 1 for Gaussian noise"),
    (lambda: gaussian_noise(ones * np.nan, 0.5), r"x must be finite"),
]  # fmt: skip


@pytest.mark.parametrize("call, message", CASES, ids=range(len(CASES)))
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
