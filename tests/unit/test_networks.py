"""Networks: the authors' function from its description, and ours, whose output is a cavity by construction."""

import os
import signal
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from hcg_lib.diffusion import UniformProcess, ancestral_sample, linear_beta, power_signal
from hcg_lib.networks import LearnedDenoiser, MessagePassing, TreeUNet, cavity
from hcg_lib.networks._parts import product
from hcg_lib.networks._threads import equal_parts, in_threads
from tests.oracles.reference_networks import Convolutions, by_convolutions

shapes = st.sampled_from([(2, 2, 1), (3, 2, 3), (5, 2, 2), (3, 3, 2), (2, 4, 1), (4, 3, 1)])


def evidence(B, d, v, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((B, d, v)) + 0.01).float()


# ---- the authors' network


@given(shapes, st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=20)
def test_the_authors_network_is_the_one_of_the_description(shape, width, seed):
    v, s, L = shape
    network = TreeUNet(v, s, L, width=width, schedule=linear_beta(20), seed=seed)
    phi = evidence(3, s**L, v, seed)
    with torch.no_grad():
        assert torch.allclose(network(phi), by_convolutions(network, phi), atol=1e-5)
        assert torch.allclose(network(phi), network(7 * phi), atol=1e-5)
    count = 3 * v * width + 3 * L * s * width**2 + 2 * L * 2 * width  # the last: of the LayerNorms
    assert sum(p.numel() for p in network.parameters()) == count
    plain = Convolutions(network)
    with torch.no_grad():
        assert torch.equal(plain(phi), by_convolutions(network, phi))
    assert sum(p.numel() for p in plain.parameters() if p.requires_grad) == count


@given(shapes, st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=20)
def test_its_gradients_are_those_of_the_convolutions(shape, width, seed):
    v, s, L = shape
    network = TreeUNet(v, s, L, width=width, schedule=linear_beta(20), seed=seed)
    phi = evidence(3, s**L, v, seed).requires_grad_()
    inputs = [phi, *network.parameters()]
    ours, theirs = (
        torch.autograd.grad((y * torch.arange(y.numel()).reshape(y.shape)).sum(), inputs)
        for y in (network(phi), by_convolutions(network, phi))
    )
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).norm() <= 1e-4 * (1 + other.norm())


@given(st.sampled_from([(5,), (3, 4), (2, 3, 4), (0, 4)]), st.integers(1, 40), st.integers(1, 40), st.booleans())
@settings(max_examples=40)
def test_the_product_and_its_gradients_are_those_of_double_precision(rows, k, n, strided):
    rng = np.random.default_rng(k + 100 * n)
    x, weight = (torch.from_numpy(rng.normal(size=shape)) for shape in ((*rows, k), (n, k)))
    x, weight = (x.mT.contiguous().mT, weight.mT.contiguous().mT) if strided else (x, weight)
    results = {}
    for dtype in (torch.float32, torch.float64):
        inputs = [z.to(dtype).requires_grad_() for z in (x, weight)]
        y = product(*inputs)
        results[dtype] = [y, *torch.autograd.grad(y.square().sum(), inputs)]
    for single, double in zip(*results.values(), strict=True):
        assert single.dtype == torch.float32
        assert (single.double() - double).norm() <= 1e-5 * double.norm()


def test_the_product_in_mixed_precision_is_the_one_of_pytorch():
    x, weight = (torch.from_numpy(np.random.default_rng(i).normal(size=(8, 8))).float() for i in range(2))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(product(x, weight), F.linear(x, weight))
        assert product(x, weight).dtype == torch.bfloat16


def test_the_authors_weights_are_standard_normal():
    network = TreeUNet(16, 2, 3, width=128, schedule=linear_beta(20), seed=0)
    for weight in [*network.encoder, *network.decoder]:
        assert abs(weight.mean()) < 5 / weight.numel() ** 0.5
        assert abs(weight.std() - 1) < 5 / weight.numel() ** 0.5


@pytest.mark.parametrize("schedule", [linear_beta(200), power_signal(30)])
def test_the_input_is_standardised_by_the_schedule_of_the_process(schedule):
    """mu and sigma are those of the entries at one token, over all steps: the token seen with probability abar + …"""
    v, x = 5, torch.zeros(1, 1, dtype=torch.long)
    network = TreeUNet(v, 2, 1, width=4, schedule=schedule)
    seen = torch.cat([UniformProcess(schedule, v).likelihood(x, t)[0, 0] for t in range(schedule.T + 1)])
    own = seen.reshape(-1, v)[:, 0].double()  # abar + (1 - abar) / v
    abar = torch.tensor(schedule.abar)
    assert torch.allclose(network.mean.double(), own.mean(), atol=1e-6)
    assert torch.allclose(
        network.deviation.double() ** 2, (abar + (1 - abar) / v**2).mean() - own.mean() ** 2, atol=1e-6
    )


def test_another_schedule_is_another_input():
    phi = evidence(2, 4, 3)
    first, second = (TreeUNet(3, 2, 2, width=8, schedule=schedule) for schedule in (linear_beta(9), power_signal(9)))
    assert not torch.allclose(first(phi), second(phi))


def test_the_authors_network_hears_the_token_itself():
    network = TreeUNet(3, 2, 2, width=8, schedule=linear_beta(9))
    assert (own_influence(network, evidence(4, 4, 3)) > 0).all()


# ---- ours


def own_influence(network, phi):
    """How much the output at each token depends on its own evidence: sum of |derivative|, (d,)."""
    phi = phi.clone().requires_grad_()
    out = network(phi)
    weight = torch.from_numpy(np.random.default_rng(1).normal(size=out.shape)).float()
    return torch.stack([
        torch.autograd.grad((out[:, i] * weight[:, i]).sum(), phi, retain_graph=True)[0][:, i].abs().sum()
        for i in range(phi.shape[1])
    ])  # fmt: skip


def awake(network, seed=0):
    """The network with all its biases and priors drawn, as training leaves them."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.from_numpy(rng.normal(size=parameter.shape)).float() * 0.3)
    return network


@given(shapes, st.integers(0, 99))
@settings(max_examples=20)
def test_no_token_hears_itself_and_every_token_hears_the_others(shape, seed):
    v, s, L = shape
    d = s**L
    network = awake(MessagePassing(v, s, L, width=6, hidden=8, seed=seed))
    phi = evidence(4, d, v, seed)
    assert (own_influence(network, phi) == 0).all()
    with torch.no_grad():
        before = network(phi)
        for i in range(d):
            changed = phi.clone()
            changed[:, i] = changed[:, i].flip(-1) ** 3
            differs = (network(changed) != before).any(-1)
            assert not differs[:, i].any()  # to the bit
            others = torch.arange(d) != i
            assert differs[:, others].float().mean() > 0.9


@given(shapes, st.integers(1, 9), st.integers(1, 5))
@settings(max_examples=20)
def test_shapes_and_parameters(shape, width, units):
    (v, s, L), H = shape, 2 * units
    network = MessagePassing(v, s, L, width=width, hidden=H, seed=0)
    assert network(evidence(3, s**L, v)).shape == (3, s**L, v)
    ends, norms, biases = (2 * v + 1) * width + (width + 1) * v, 2 * width, width
    level = s * H * width + H + norms  # A, b and the normalisation on the way up
    below_the_root = H * width + biases + norms  # C, its bias and the normalisation on the way down
    assert sum(p.numel() for p in network.parameters()) == ends + L * level + (L - 1) * below_the_root


def test_nodes_of_a_level_share_their_weights():
    """Exchanging the two halves of a string exchanges the halves of the output if the root's slots are alike."""
    network = awake(MessagePassing(4, 2, 3, width=8, hidden=16))
    with torch.no_grad():
        for units in network.levels[-1].units:
            units.from_child[1] = units.from_child[0]
        phi = evidence(5, 8, 4)
        assert torch.allclose(network(phi).roll(4, 1), network(phi.roll(4, 1)), atol=1e-5)


def test_positions_among_siblings_are_told_apart():
    network = MessagePassing(4, 2, 2, width=8, hidden=16)
    phi = evidence(5, 4, 4)
    assert not torch.allclose(network(phi).flip(1), network(phi.flip(1)), atol=1e-3)


def test_only_ratios_of_evidence_matter_and_certainty_is_allowed():
    network = MessagePassing(4, 2, 2, width=8, hidden=16)
    phi = evidence(5, 4, 4)
    scale = torch.linspace(0.1, 100, 20).reshape(5, 4, 1)
    with torch.no_grad():
        assert torch.allclose(network(phi), network(phi * scale), atol=1e-4)
        hard = F.one_hot(torch.arange(20).reshape(5, 4) % 4, 4).float()
        assert torch.isfinite(network(hard)).all()


# ---- both


@pytest.mark.parametrize("make", [
    lambda seed: MessagePassing(4, 2, 2, width=8, hidden=16, seed=seed),
    lambda seed: TreeUNet(4, 2, 2, width=8, schedule=linear_beta(9), seed=seed),
])  # fmt: skip
def test_weights_come_from_the_seed_alone(make):
    state = torch.random.get_rng_state()
    weights = [torch.cat([p.flatten() for p in make(seed).parameters()]) for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_network_in_the_place_of_a_denoiser():
    process = UniformProcess(linear_beta(9), v=4)
    network = MessagePassing(4, 2, 2, width=8, hidden=16)
    x, t = torch.from_numpy(np.random.default_rng(0).integers(4, size=(6, 4))), np.arange(1, 7)
    beliefs = LearnedDenoiser(network, process)(x, t)
    assert torch.allclose(beliefs.sum(-1), torch.ones(6, 4))
    assert not beliefs.requires_grad
    assert cavity(network, process, x, t).requires_grad
    changed = x.clone()
    changed[:, 1] = (changed[:, 1] + 1) % 4
    assert torch.equal(LearnedDenoiser(network, process)(changed, t)[:, 1], beliefs[:, 1])  # a cavity


@pytest.fixture
def threads():
    """How many threads PyTorch may use, to be set and set back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("P", [500, 2500])
def test_generated_strings_do_not_depend_on_the_number_of_threads(half, P, threads):
    process = UniformProcess(power_signal(5), v=8)
    denoiser = LearnedDenoiser(awake(MessagePassing(8, 2, 3, width=32, hidden=64)), process, half)
    strings = []
    for count in (1, 2, 3):
        threads(count)
        strings.append(ancestral_sample(process, denoiser, P, 8, seed=0))
        assert torch.get_num_threads() == count
    assert (strings[0] == strings[1]).all()
    assert (strings[0] == strings[2]).all()


@pytest.mark.parametrize("half", [False, True])
def test_parts_of_the_strings_are_what_the_whole_would_be(half):
    process = UniformProcess(power_signal(9), v=8)
    network, rng = awake(MessagePassing(8, 2, 3, width=32, hidden=64)), np.random.default_rng(0)
    x, t = torch.from_numpy(rng.integers(8, size=(2500, 8))), rng.integers(1, 10, size=2500)
    for steps in (4, t, list(t), torch.from_numpy(t)):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            whole = cavity(network, process, x, steps)
        assert torch.allclose(LearnedDenoiser(network, process, half)(x, steps), whole, atol=1e-6)
    with pytest.raises(ValueError, match=r"one a string \(2500\), got shape \(2600,\)"):
        LearnedDenoiser(network, process, half)(x, np.ones(2600, int))


@given(st.integers(0, 100), st.integers(1, 100))
def test_parts_are_few_and_equal(size, most):
    parts = equal_parts(size, most)
    assert [i for part in parts for i in range(size)[part]] == list(range(size))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) <= most
    assert max(lengths) - min(lengths) <= 1
    assert len(parts) == max(1, -(-size // most))


def test_threads_work_at_the_same_time_and_an_error_reaches_the_caller(threads):
    threads(2)
    both = threading.Barrier(2, timeout=10)  # passes only two threads that meet
    assert in_threads(lambda part: (both.wait(), torch.get_num_threads())[1], equal_parts(2, 1)) == [1, 1]
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda part: 1 // part.start, equal_parts(2, 1))
    assert torch.get_num_threads() == 2
    started = []
    new = threading.Thread(target=lambda: started.append(torch.get_num_threads()))
    new.start()
    new.join()
    assert started == [2]  # threads to come begin with what was set


def test_a_forked_process_has_threads_of_its_own(threads):
    threads(2)
    assert in_threads(lambda part: part.start, equal_parts(2, 1)) == [0, 1]
    child = os.fork()
    if not child:  # nothing of pytest may run on here
        os._exit(0 if in_threads(lambda part: part.start, equal_parts(2, 1)) == [0, 1] else 1)
    for _ in range(100):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended
    assert status == 0


def test_half_precision_changes_beliefs_by_its_rounding():
    process = UniformProcess(linear_beta(9), v=4)
    network = MessagePassing(4, 2, 3, width=32, hidden=64)
    x = torch.from_numpy(np.random.default_rng(0).integers(4, size=(200, 8)))
    full, half = (LearnedDenoiser(network, process, half)(x, 3) for half in (False, True))
    assert half.dtype == torch.float32
    assert 0 < (full - half).abs().max() < 0.03
    assert torch.allclose(half.sum(-1), torch.ones(200, 8), atol=1e-5)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: MessagePassing(1, 2, 2), "v must be an integer >= 2, got 1"),
        (lambda: MessagePassing(4, 1, 2), "s must be an integer >= 2, got 1"),
        (lambda: MessagePassing(4, 2, 0), "L must be an integer >= 1, got 0"),
        (lambda: MessagePassing(4, 2, 2, hidden=7), "hidden must be even, got 7"),
        (lambda: MessagePassing(4, 2, 2, seed=-1), "seed must be"),
        (lambda: TreeUNet(4, 2, 2, width=0, schedule=linear_beta(9)), "width must be an integer >= 1, got 0"),
        (
            lambda: MessagePassing(4, 2, 2)(torch.ones(3, 8, 4)),
            r"evidence must be a tensor .* = \(B, 4, 4\), got \(3, 8, 4\)",
        ),
        (lambda: TreeUNet(4, 2, 2, width=8, schedule=linear_beta(9))(torch.ones(3, 4)), "evidence must be a tensor"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
