"""Masked diffusion of text: the bound against exact conditionals, the sampler against its closed form, learning."""

import itertools
import math

import numpy as np
import pytest
import torch

from hcg_lib._training_state import State
from hcg_lib.diffusion import AbsorbingProcess, ancestral_sample, cosine, linear_alpha
from hcg_lib.masked_text import MaskedTokens, bound, generate, hidden_loss, span_loss
from hcg_lib.networks.transformer import TokenTransformer
from hcg_lib.training import Config, train


class Exact:
    """The exact conditionals of a joint distribution (v, …, v), in the place of a network."""

    def __init__(self, joint):
        self.joint, self.v = torch.from_numpy(joint), joint.shape[0]
        self.states = []

    def __call__(self, x, where):
        self.states.append(x.clone())
        different, back = torch.unique(x, dim=0, return_inverse=True)
        out = torch.zeros(*different.shape, self.v, dtype=torch.float64)
        for row, tokens in enumerate(different.tolist()):
            seen = self.joint[tuple(slice(None) if a == self.v else slice(a, a + 1) for a in tokens)]
            for i in range(len(tokens)):
                conditional = seen.sum([j for j in range(seen.ndim) if j != i])
                out[row, i, : len(conditional)] = (conditional / conditional.sum()).log()
        return out[back][where]


def ignorant(x, where):
    return torch.zeros(int(where.sum()), 5)


def test_the_bound_is_tight_for_exact_conditionals():
    """Over all numbers and sets of hidden tokens, each with its probability: -log p(x), to rounding."""
    d, v = 4, 3
    joint = np.random.default_rng(0).dirichlet(np.full(v**d, 0.3)).reshape([v] * d)
    network, x0 = Exact(joint), torch.tensor([[0, 2, 1, 1], [2, 2, 0, 1]])
    total = torch.zeros(2, dtype=torch.float64)
    for k in range(1, d + 1):
        sets = list(itertools.combinations(range(d), k))
        for hidden in sets:
            x = x0.clone()
            x[:, list(hidden)] = v
            total += hidden_loss(network, x0, x, v).double() / (d * len(sets))
    exact = [-math.log(joint[tuple(row)]) for row in x0.tolist()]
    np.testing.assert_allclose(d * total.numpy(), exact, rtol=1e-5)


@pytest.mark.parametrize("k, d", [(1, 5), (3, 5), (5, 5), (2, 40)])
def test_time_integrates_to_one_over_the_number_of_hidden_tokens(k, d):
    t = (np.arange(200_000) + 0.5) / 200_000
    weight = math.comb(d, k) * t ** (k - 1) * (1 - t) ** (d - k)
    assert weight.mean() == pytest.approx(1 / k, rel=1e-4)


def test_ignorance_costs_log_v():
    strings = np.random.default_rng(0).integers(5, size=(70, 9))
    np.testing.assert_allclose(bound(ignorant, strings, 5, seed=1), math.log(5), rtol=1e-6)
    for n in (1, 4, 9):
        np.testing.assert_allclose(span_loss(ignorant, strings, 5, n, seed=1), math.log(5), rtol=1e-6)
    untrained = TokenTransformer(5, width=16, layers=1, context=9, seed=0)
    np.testing.assert_allclose(bound(untrained, strings, 5, seed=1), math.log(5), rtol=1e-6)


def test_numbers_of_hidden_tokens_are_stratified_and_sets_uniform():
    objective, B, d = MaskedTokens(4), 6000, 6
    x0, x, k = objective.corrupt(torch.zeros(B, d, dtype=torch.uint8), np.random.default_rng(0))
    hidden = (x == 4).numpy()
    assert (np.bincount(k.numpy(), minlength=d + 1)[1:] == B // d).all()
    np.testing.assert_array_equal(hidden.sum(1), k)
    assert (x0 == 0).all()
    places = hidden[k.numpy() == 1].sum(0)
    assert ((places - 1000 / d) ** 2 / (1000 / d)).sum() < 20.5  # chi-square, 5 degrees, 1 in 1000


def test_spans_are_consecutive_and_everything_else_is_visible():
    seen = []

    def network(x, where):
        seen.append(x.clone())
        return ignorant(x, where)

    span_loss(network, np.ones((50, 9), int), 5, 3, seed=0)
    hidden = (torch.cat(seen) == 5).numpy()
    assert (hidden.sum(1) == 3).all()
    first = hidden.argmax(1)
    assert all(row[i : i + 3].all() for row, i in zip(hidden, first, strict=True))
    assert set(first) == set(range(7))


def test_masked_tokens_become_tokens_once_and_context_is_kept():
    joint = np.random.default_rng(1).dirichlet(np.ones(3**5)).reshape([3] * 5)
    network = Exact(joint)
    fixed = np.array([3, 1, 3, 3, 2])
    out = generate(network, 40, 5, 3, schedule=4, fixed=fixed, part=40, seed=0)
    for earlier, later in itertools.pairwise([*network.states, torch.from_numpy(out)]):
        shown = earlier != 3
        assert (later[shown] == earlier[shown]).all()
    assert (out[:, [1, 4]] == [1, 2]).all()
    assert out.min() >= 0
    assert out.max() <= 2
    each = np.where(np.arange(5) < np.arange(40)[:, None] % 6, out, 3)  # another context for each string
    again = generate(network, 40, 5, 3, schedule=4, fixed=each, seed=1)
    assert (again[each < 3] == each[each < 3]).all()


@pytest.mark.parametrize("schedule", [linear_alpha(2), cosine(3)])
def test_the_only_error_is_that_of_tokens_shown_together(schedule):
    """Two tokens: with probability Σ (Δabar)² they are drawn independently, otherwise from the joint distribution."""
    joint = np.array([[0.45, 0.05], [0.1, 0.4]])
    together = float((np.diff(schedule.abar) ** 2).sum())
    expected = (1 - together) * joint + together * np.outer(joint.sum(1), joint.sum(0))
    count = 20_000
    out = generate(Exact(joint), count, 2, 2, schedule, part=count, seed=3)
    found = np.bincount(out[:, 0] * 2 + out[:, 1], minlength=4)
    assert ((found - count * expected.ravel()) ** 2 / (count * expected.ravel())).sum() < 16.3  # 3 degrees, 1 in 1000


def test_it_is_the_ancestral_sampler_of_the_masking_process():
    joint = np.array([[0.45, 0.05], [0.1, 0.4]])
    process, exact, count = AbsorbingProcess(linear_alpha(3), v=2), Exact(joint), 20_000

    def denoiser(x, t):
        return exact(x, torch.ones_like(x, dtype=torch.bool)).exp().reshape(*x.shape, 2)

    mine = generate(exact, count, 2, 2, schedule=3, part=count, seed=0)
    theirs = ancestral_sample(process, denoiser, count, 2, seed=1)
    tables = np.stack([np.bincount(np.asarray(x) @ [2, 1], minlength=4) for x in (mine, theirs)])
    mean = tables.mean(0)
    assert ((tables - mean) ** 2 / mean).sum() < 16.3


def test_same_seed_same_text_and_other_seed_another():
    network = TokenTransformer(5, width=16, layers=1, context=12, seed=0)
    a, b, c = (generate(network, 6, 12, 5, 4, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


# ---- the network


def test_weights_come_from_the_seed_and_leave_the_global_state_alone():
    before = torch.random.get_rng_state()
    a, b, c = (TokenTransformer(7, width=16, layers=2, context=8, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    same, other = (dict(network.named_parameters()) for network in (b, c))
    for name, weight in a.named_parameters():
        assert torch.equal(weight, same[name])
        if weight.ndim > 1 and not name.startswith("readout"):
            assert not torch.equal(weight, other[name])


def test_every_position_sees_every_other_in_both_directions():
    network = TokenTransformer(7, width=16, layers=1, context=8, seed=0)
    torch.nn.init.ones_(network.readout.weight[:1].detach())
    x = torch.full((1, 8), 7)
    for changed, read in [(0, 7), (7, 0)]:
        other = x.clone()
        other[0, changed] = 3
        with torch.no_grad():
            network.readout.weight.copy_(torch.arange(112.0).reshape(7, 16).sin())
            assert not torch.allclose(network(x)[0, read], network(other)[0, read])


def test_positions_matter():
    """Rotary positions: the same context in another order gives another answer."""
    network = TokenTransformer(7, width=16, layers=1, context=8, seed=0)
    with torch.no_grad():
        network.readout.weight.copy_(torch.arange(112.0).reshape(7, 16).sin())
        a, b = (network(torch.tensor([[7, *order]]))[0, 0] for order in ([1, 2, 3], [3, 2, 1]))
    assert not torch.allclose(a, b)


def test_only_the_wanted_positions_are_read_out():
    network = TokenTransformer(7, width=16, layers=1, context=8, seed=0)
    with torch.no_grad():
        network.readout.weight.copy_(torch.arange(112.0).reshape(7, 16).sin())
    x = torch.tensor([[0, 7, 2, 7], [7, 1, 1, 1]])
    torch.testing.assert_close(network(x, x == 7), network(x)[x == 7])


def test_vocabularies_of_gpt2_fit():
    v = 50_257
    network = TokenTransformer(v, width=16, layers=1, context=8, seed=0)
    strings = MaskedTokens(v).prepare("data", np.array([[0, 50_256, 17, 4]] * 2))
    assert strings.dtype == torch.int32
    assert bound(network, strings.numpy(), v, seed=0).mean() == pytest.approx(math.log(v), rel=1e-5)
    assert generate(network, 2, 8, v, 2, seed=0).max() < v


# ---- learning


def test_a_tiny_network_learns_and_writes_what_it_learned():
    """All tokens of a string are the same: only the first that is shown costs anything, log 4 in 16 tokens."""
    strings = np.repeat(np.random.default_rng(0).integers(4, size=(600, 1)), 16, axis=1)
    network = TokenTransformer(4, width=32, layers=1, heads=2, context=16, seed=0)
    config = Config(steps=120, batch=32, learning_rate=2e-2, ema=0.95, warmup=10)
    run = train(network, MaskedTokens(4, draws=256), strings[:500], strings[500:], config, progress=False)
    assert run.history[0]["validation"] == pytest.approx(math.log(4), rel=1e-5)
    assert 0.9 * math.log(4) / 16 < run.history[-1]["validation"] < 1.5 * math.log(4) / 16
    written = generate(run.network, 100, 16, 4, 64, seed=0)
    assert (written == written[:, :1]).mean() > 0.95
    assert np.bincount(written[:, 0], minlength=4).min() > 10


def test_the_average_of_weights_forgets_the_start_which_a_plain_one_does_not():
    """The paper's fork averages with 0.9999 from the first step: its early checkpoints are the untrained network."""
    decay, step = 0.9999, 64
    plain = decay**step
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(network.weight)

    class Fabricated:
        def setup(self, network, *optimizers):
            return network, *optimizers

    state = State(network, Config(ema=decay, optimizer="adamw"), Fabricated())
    with torch.no_grad():
        network.weight.zero_()  # all later weights are 0: what is left is the share of the start
    for _ in range(step):
        state.average.update_parameters(network)
    ours = float(state.evaluated.weight.detach())
    assert plain > 0.99
    assert 0 <= ours < 1e-6


BAD = [
    (lambda: TokenTransformer(1), "v must be an integer >= 2, got 1"),
    (lambda: TokenTransformer(4, width=10, heads=4), "heads must divide width = 10 into even parts, got 4"),
    (lambda: TokenTransformer(4, layers=0), "layers must be an integer >= 1, got 0"),
    (lambda: TokenTransformer(4, half=1), "half must be True or False, got 1"),
    (lambda: TokenTransformer(4, 16, 1, context=4)(torch.zeros(1, 5, dtype=torch.int64)), "with d at most 4"),
    (lambda: TokenTransformer(4, 16, 1, context=4)(torch.zeros(1, 4)), r"x must hold tokens \(B, d\)"),
    (lambda: MaskedTokens(4, draws=0), "draws must be an integer >= 1, got 0"),
    (lambda: MaskedTokens(4).prepare("data", [[4]]), "data must hold symbols from 0 to 3, got 4"),
    (lambda: bound(ignorant, [[0.5]], 5), "strings must hold integers, got dtype float64"),
    (lambda: span_loss(ignorant, [[0, 1]], 5, 3), "n must be an integer from 1 to 2, got 3"),
    (lambda: generate(ignorant, 0, 4, 5), "count must be an integer >= 1, got 0"),
    (lambda: generate(ignorant, 1, 4, 5, schedule=0), "schedule must be an integer >= 1, got 0"),
    (lambda: generate(ignorant, 1, 2, 5, fixed=[0, 6]), "fixed must hold symbols from 0 to 5, got 6"),
    (lambda: generate(ignorant, 1, 2, 5, fixed=[0]), r"fixed must have shape"),
    (lambda: generate(ignorant, 3, 2, 5, fixed=[[0, 1], [0, 1]]), "fixed must have one row for each of 3 strings"),
]


@pytest.mark.parametrize("call, message", BAD)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
