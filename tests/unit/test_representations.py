"""What layers still tell apart: synonyms drawn as they should be, and sensitivities against their exact values."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn
from torch.nn import functional as F

from hcg_lib.diffusion import AbsorbingProcess, UniformProcess, linear_beta, power_signal
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.networks import MessagePassing, TreeUNet
from hcg_lib.population import Population
from hcg_lib.representations import ExactEncoder, layer_sensitivity, replace_synonyms

g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
process = UniformProcess(power_signal(100), v=8)

# 0 -> 00 | 11, 1 -> 01 | 10 at both levels: every string of four tokens is grammatical
TOY = RandomHierarchyModel([[[[0, 0], [1, 1]], [[0, 1], [1, 0]]]] * 2)


# ---- synonyms


def test_the_only_synonym_of_a_pair_is_taken():
    assert replace_synonyms(TOY, [[0, 0, 0, 0], [0, 1, 1, 1]], 1, seed=0).tolist() == [[1, 1, 1, 1], [1, 0, 0, 0]]


def test_below_a_new_rule_all_strings_are_equally_likely():
    """0000 has root 0 by the rule 00; the other rule is 11, and each 1 is written 01 or 10."""
    found = replace_synonyms(TOY, np.zeros((4000, 4), int), 2, seed=0)
    strings, counts = np.unique(found, axis=0, return_counts=True)
    assert strings.tolist() == [[0, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 1, 0]]
    assert stats.chisquare(counts).pvalue > 1e-4


shapes = st.sampled_from([(4, 2, 2, 3), (5, 3, 2, 2), (3, 3, 3, 2), (8, 3, 2, 4), (2, 2, 2, 1)])


@given(shapes, st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=30)
def test_symbols_from_the_level_up_are_kept_and_its_rules_are_others(shape, level, seed):
    grammar = RandomHierarchyModel.random(*shape, seed=seed)
    level = min(level, grammar.L)
    x = grammar.sample(50, seed=seed)
    y = replace_synonyms(grammar, x, level, seed=seed + 1)
    assert y.dtype == grammar.dtype
    assert all((a == b).all() for a, b in zip(grammar.parse(x)[level:], grammar.parse(y)[level:], strict=True))
    assert (grammar.rule_choices(x)[level - 1] != grammar.rule_choices(y)[level - 1]).all()
    above = zip(grammar.rule_choices(x)[level:], grammar.rule_choices(y)[level:], strict=True)
    assert all((a == b).all() for a, b in above)
    assert (replace_synonyms(grammar, x, level, seed=seed + 1) == y).all()


@pytest.mark.parametrize("level", [1, 2, 3])
def test_rules_are_drawn_uniformly_and_without_memory(level):
    x = g.sample(4000, seed=1)
    old, new = g.rule_choices(x), g.rule_choices(replace_synonyms(g, x, level, seed=2))
    shift = (new[level - 1] - old[level - 1]) % g.m
    assert stats.chisquare(np.bincount(shift.ravel(), minlength=g.m)[1:]).pvalue > 1e-4
    for below in range(level - 1):
        pairs = np.bincount((old[below] * g.m + new[below]).ravel(), minlength=g.m**2).reshape(g.m, g.m)
        assert stats.chisquare(pairs, pairs.sum(1, keepdims=True) / g.m * np.ones(g.m), axis=None).pvalue > 1e-4


def test_no_strings_no_synonyms():
    assert replace_synonyms(g, np.zeros((0, 8), int), 1, seed=0).shape == (0, 8)


# ---- layers that are known


class Symbols(nn.Module):
    """An encoder that has understood: layer k is the symbols of level k, one-hot, read off by parsing."""

    def __init__(self, grammar, levels):
        super().__init__()
        self.grammar, self.levels = grammar, levels

    def encode(self, evidence):
        parsed = self.grammar.parse(evidence.argmax(-1).numpy())
        symbols = [torch.from_numpy(parsed[level].astype(np.int64)) for level in self.levels]
        return [F.one_hot(symbol, self.grammar.v).float() for symbol in symbols]


def exact_sensitivity(grammar, k, l):
    """P(a level-k symbol changes with the level-l rules) / P(it differs between two strings), by sums over rules."""
    if k >= l:
        return 0.0
    exact, s, m = Population(grammar), grammar.s, grammar.m
    down = exact.descents(l - 1, k)  # (nodes below a child, v, v)
    same, nodes = 0.0, 0
    for prior in exact.marginals[l]:
        for child in range(s):
            children = grammar.rules[l - 1][..., child]  # (v, m)
            for step in down:
                for y, p in enumerate(prior):
                    pairs = [(a, b) for i, a in enumerate(children[y]) for j, b in enumerate(children[y]) if i != j]
                    same += p * sum(step[a] @ step[b] for a, b in pairs) / (m * (m - 1)) if k < l - 1 else 0.0
                    same += p * sum(a == b for a, b in pairs) / (m * (m - 1)) if k == l - 1 else 0.0
                nodes += 1
    differ = 1 - (exact.marginals[k] ** 2).sum(-1).mean()
    return (1 - same / nodes) / differ


@pytest.mark.parametrize("shape", [(8, 3, 2, 3), (5, 2, 3, 2)])
def test_symbols_of_a_level_are_blind_to_its_synonyms_and_to_no_others(shape):
    grammar = RandomHierarchyModel.random(*shape, seed=1)
    L = grammar.L
    levels = range(L)
    expected = np.array([[exact_sensitivity(grammar, k, l) for l in range(1, L + 1)] for k in levels])
    noise = UniformProcess(power_signal(100), grammar.v)
    found = layer_sensitivity(Symbols(grammar, levels), grammar, noise, seed=0, pairs=8000)
    assert found.shape == (L, L)
    assert (found[expected == 0] == 0).all()
    assert np.abs(found - expected).max() < 0.02


def test_with_many_symbols_the_sensitivity_to_higher_levels_is_about_one():
    values = [
        exact_sensitivity(RandomHierarchyModel.random(16, 4, 2, 3, seed=i), k, 3) for i in (0, 1) for k in (0, 1, 2)
    ]
    assert np.abs(np.array(values) - 1).max() < 0.1


def test_a_layer_of_tokens_and_symbols_weighs_what_it_keeps():
    """Tokens scaled by c beside symbols: distances add up."""

    class Both(Symbols):
        def encode(self, evidence):
            tokens, symbols = super().encode(evidence)
            return [torch.cat([2 * tokens.reshape(len(tokens), 4, -1), symbols], -1)]

    found = layer_sensitivity(Both(g, (0, 1)), g, process, seed=0, pairs=8000)[0, 0]
    exact = Population(g)
    differ = [float(1 - (exact.marginals[k] ** 2).sum(-1).mean()) for k in (0, 1)]
    changed = 8 * differ[0] * exact_sensitivity(g, 0, 1)
    assert found == pytest.approx(changed / (8 * differ[0] + differ[1]), abs=0.02)


def test_a_network_that_learned_nothing_tells_all_synonyms_apart():
    networks = [
        MessagePassing(8, 2, 3, seed=0),
        TreeUNet(8, 2, 3, width=64, schedule=process.schedule, seed=0),
    ]
    for network in networks:
        assert np.abs(layer_sensitivity(network, g, process, seed=0, pairs=4000) - 1).max() < 0.15


def test_exact_inference_keeps_the_symbols_of_its_own_level():
    """With little noise posteriors are the symbols themselves; with more, something of the synonym shines through."""
    clean = UniformProcess(linear_beta(1000), 8)
    found = layer_sensitivity(ExactEncoder(g), g, clean, seed=0, pairs=4000, signal=0.9999)
    expected = np.array([[exact_sensitivity(g, k, l) for l in (1, 2, 3)] for k in (1, 2, 3)])
    assert np.abs(found - expected).max() < 0.03
    noisy = layer_sensitivity(ExactEncoder(g), g, process, seed=0, pairs=4000, signal=0.5)
    assert (noisy[expected == 0] > 10 * found[expected == 0]).all()


def test_posteriors_of_clean_tokens_are_the_parsed_symbols():
    x = g.sample(20, seed=3)
    evidence = F.one_hot(torch.from_numpy(x.astype(np.int64)), 8).double()
    for layer, symbols in zip(ExactEncoder(g).encode(evidence), g.parse(x)[1:], strict=True):
        assert (layer.argmax(-1).numpy() == symbols).all()
        assert layer.max(-1).values.min() > 1 - 1e-9


def test_the_step_shown_is_the_one_with_that_signal():
    seen = []

    class Spy(Symbols):
        def encode(self, evidence):
            seen.append(float(evidence.max()))
            return super().encode(evidence)

    for signal in (0.5, 0.9):
        layer_sensitivity(Spy(g, (1,)), g, process, seed=0, pairs=4, signal=signal)
        nearest = process.schedule.abar[1:][np.abs(process.schedule.abar[1:] - signal).argmin()]
        assert seen[-1] == pytest.approx(nearest + (1 - nearest) / 8, rel=1e-5)


def test_same_seed_same_number():
    network = MessagePassing(8, 2, 3, width=8, hidden=16, seed=0)
    first, again = (layer_sensitivity(network, g, process, seed=5, pairs=100) for _ in range(2))
    assert (first == again).all()


# ---- what the networks say of themselves


def networks(v, s, L):
    return [
        MessagePassing(v, s, L, width=12, hidden=20, seed=1),
        TreeUNet(v, s, L, width=12, schedule=power_signal(20), seed=1),
    ]


@pytest.mark.parametrize("shape", [(4, 2, 3), (3, 3, 2), (5, 2, 1)])
def test_layers_have_a_vector_a_node_which_knows_its_own_block_only(shape):
    v, s, L = shape
    evidence = torch.from_numpy(np.random.default_rng(0).random((3, s**L, v)) + 0.1).float()
    for network, top in zip(networks(*shape), (L - 1, L), strict=True):
        before = network.encode(evidence)
        assert [layer.shape for layer in before] == [(3, s ** (L - k), 12) for k in range(1, top + 1)]
        changed = evidence.clone()
        changed[:, 1] = torch.eye(v)[0]
        for a, b in zip(before, network.encode(changed), strict=True):
            assert (a != b).any(-1).any(0).tolist() == [True] + [False] * (a.shape[1] - 1)


def test_our_output_follows_from_what_is_encoded():
    network = networks(4, 2, 3)[0]
    evidence = torch.from_numpy(np.random.default_rng(1).random((5, 8, 4)) + 0.1).float()
    leaves = network.embedding(network.features(evidence)).reshape(-1, 2, 12)
    heard = [layer.reshape(-1, 2, 12).transpose(0, 1) for layer in network.encode(evidence)]
    excited = [network.levels[0].excite(leaves)]
    excited += [[units.excite(u) for units in level.units] for level, u in zip(network.levels[1:], heard, strict=True)]
    D = None
    for level, z in zip(reversed(network.levels), reversed(excited), strict=True):
        D = level.down(D, z).reshape(-1, 12)
    expected = torch.log(F.softplus(network.readout(D)) + 1e-6).reshape(5, 8, 4)
    assert torch.allclose(network(evidence), expected, atol=1e-5)


def test_their_output_follows_from_what_is_encoded():
    network = networks(4, 2, 3)[1]
    evidence = torch.from_numpy(np.random.default_rng(1).random((5, 8, 4)) + 0.1).float()
    normal = evidence / evidence.sum(-1, keepdim=True)
    tokens = F.gelu((normal - network.mean) / network.deviation @ network.embedding.T / 4**0.5)
    skips = [tokens, *network.encode(evidence)]
    x = skips[-1]
    for weight, norm in zip(network.decoder, network.decoder_norms, strict=True):
        x = torch.cat([x, skips.pop()], -1) @ weight.T / (2 * 2 * 12) ** 0.5
        x = F.gelu(F.layer_norm(x.reshape(5, -1, 12), (12,), norm.weight, norm.bias))
    expected = torch.cat([x, tokens], -1) @ network.readout.T / (2 * 12)
    assert torch.allclose(network(evidence), expected, atol=1e-5)


# ---- bad input


def test_strings_must_be_grammatical():
    x = g.sample(5, seed=0)
    x[3, 0] = next(a for a in range(8) if (g.rules[0] != [a, x[3, 1]]).any(-1).all())
    with pytest.raises(ValueError, match="x must hold grammatical strings, got string 3 that is not"):
        replace_synonyms(g, x, 1, seed=0)


def test_a_grammar_without_synonyms_is_refused():
    bare = RandomHierarchyModel.random(v=4, m=1, s=2, L=2, seed=0)
    with pytest.raises(ValueError, match="m >= 2"):
        replace_synonyms(bare, bare.sample(3, seed=0), 1, seed=0)
    with pytest.raises(ValueError, match="m >= 2"):
        layer_sensitivity(MessagePassing(4, 2, 2, seed=0), bare, UniformProcess(power_signal(9), 4), seed=0)


@pytest.mark.parametrize("level", [0, 4, -1, 1.0, True])
def test_the_level_is_one_of_the_grammar(level):
    with pytest.raises(ValueError, match="level must be an integer from 1 to 3"):
        replace_synonyms(g, g.sample(3, seed=0), level, seed=0)


class Constant(nn.Module):
    def encode(self, evidence):
        return [evidence, torch.ones(len(evidence), 4, 2)]


BAD = [
    ({"signal": 0.0}, "signal must be a finite number in \\(0, 1\\), got 0.0"),
    ({"signal": 1.0}, "signal must be"),
    ({"signal": float("nan")}, "signal must be"),
    ({"signal": "high"}, "signal must be"),
    ({"pairs": 1}, "pairs must be an integer >= 2, got 1"),
    ({"pairs": 10**30}, "pairs must be"),
    ({"seed": -1}, "seed must be"),
    ({"g": "grammar"}, "g must be a RandomHierarchyModel"),
    ({"network": nn.Linear(2, 2)}, "network must be a torch module with a method encode"),
    ({"network": None}, "network must be"),
    ({"network": Constant()}, "network must tell strings apart, got a layer 2 equal for all"),
    ({"network": MessagePassing(4, 2, 3, seed=0)}, "evidence must be a tensor"),
    ({"process": None}, "process must be a Process of v = 8"),
    ({"process": UniformProcess(power_signal(9), v=5)}, "process must be a Process of v = 8"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_a_bad_argument_is_named(change, message):
    good = {"network": MessagePassing(8, 2, 3, seed=0), "g": g, "process": process, "seed": 0, "pairs": 4}
    with pytest.raises(ValueError, match=message):
        layer_sensitivity(**{**good, **change})


def test_masks_have_a_signal_too():
    masking = AbsorbingProcess(power_signal(20, empty=True), 8)
    found = layer_sensitivity(Symbols(g, (1, 2)), g, masking, seed=0, pairs=200)
    assert (found[0, 0], found[1, 0], found[1, 1]) == (0, 0, 0)
