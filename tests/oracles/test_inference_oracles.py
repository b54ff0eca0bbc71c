"""Belief propagation against enumeration, plain loops, variable elimination (pgmpy) and parsers (nltk)."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import reference_inference as reference
from scipy import stats

from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.inference import Beliefs, belief_propagation, log_evidence, sample_posterior, uniform_noise

SHAPES = st.sampled_from([
    (2, 1, 2, 3), (3, 2, 2, 2), (3, 2, 3, 1), (2, 2, 3, 2), (2, 1, 4, 2), (5, 2, 2, 2), (4, 2, 2, 3), (3, 3, 2, 1),
])  # fmt: skip


ANY = st.sampled_from([0.0, 1.5])


def grammars(zipf=ANY):
    return st.builds(
        lambda shape, seed, a: RandomHierarchyModel.random(*shape, seed=seed, zipf_exponent=a),
        SHAPES, st.integers(0, 99), zipf,
    )  # fmt: skip


def random_evidence(g, B, seed, zeros=0.2):
    """Numbers of very different sizes, some of them zero, but never all of a token's."""
    rng = np.random.default_rng(seed)
    phi = np.exp(3 * rng.normal(size=(B, g.d, g.v))) * (rng.random((B, g.d, g.v)) >= zeros)
    return np.where(phi.sum(-1, keepdims=True) > 0, phi, 1.0)


def logarithms(g, phi):
    """The other route: a tensor that wants gradients is never given to the compiled kernels."""
    bp = belief_propagation(g, torch.from_numpy(phi).requires_grad_())
    values = (bp.posterior, bp.cavity, bp.marginals, bp.log_evidence, bp.contradictory)
    return Beliefs(*(tuple(a.detach() for a in v) if isinstance(v, tuple) else v.detach() for v in values))


@pytest.mark.parametrize("route", [belief_propagation, logarithms])
@given(g=grammars(), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_beliefs_are_those_of_enumeration(route, g, seed):
    phi = random_evidence(g, 3, seed)
    bp = route(g, phi)
    for b in range(len(phi)):
        marginals, cavity, evidence = reference.enumerate_beliefs(g, phi[b])
        assert bool(bp.contradictory[b]) == (evidence == 0)
        assert np.allclose(bp.cavity[b], cavity, atol=1e-9, rtol=1e-9)
        if evidence:
            assert float(bp.log_evidence[b]) == pytest.approx(np.log(evidence), abs=1e-10)
            for found, expected in zip(bp.marginals, marginals, strict=True):
                assert np.allclose(found[b], expected, atol=1e-9)


@given(g=grammars(st.just(0.0)), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_posterior_is_that_of_plain_loops(g, seed):
    phi = random_evidence(g, 1, seed, zeros=0.0)
    expected = reference.loop_beliefs([level.tolist() for level in g.rules], phi[0].tolist())
    assert np.allclose(belief_propagation(g, phi).posterior[0], expected, atol=1e-12)


# ---- evidence that all but contradicts the grammar ----------------------------------------------------------


@pytest.mark.parametrize("shape, noise", [((4, 2, 4, 2), 1e-12), ((3, 2, 6, 2), 1e-9), ((4, 2, 2, 3), 1e-30)])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_nearly_contradictory_evidence_is_exact_in_single_precision(shape, noise, kind):
    """Random tokens with leaf noise far below single precision: products of it underflow, the answer must not."""
    g = RandomHierarchyModel.random(*shape, seed=1)
    x = np.random.default_rng(0).integers(g.v, size=(200, g.d))
    phi = np.where(np.eye(g.v)[x] > 0, 1, noise).astype(kind)
    bp = belief_propagation(g, phi)
    everything = g.unrank(np.arange(g.n_strings))
    wrong = (everything[None] != x[:, None]).sum(2)  # (200, n): a string costs one factor per wrong token
    logs = wrong * np.log(float(phi.min()))
    weight = np.exp(logs - logs.max(1, keepdims=True))
    weight /= weight.sum(1, keepdims=True)
    expected = np.einsum("bn,nda->bda", weight, np.eye(g.v)[everything])
    tolerance = 1e-9 if kind is np.float64 else 2e-6
    assert np.abs(bp.posterior - expected).max() < tolerance
    assert not bp.contradictory.any()
    total = np.log(np.exp(logs - logs.max(1, keepdims=True)).mean(1)) + logs.max(1)
    assert np.allclose(bp.log_evidence, total, rtol=1e-6)
    if g.n_strings > 5000:
        return
    drawn = sample_posterior(g, np.repeat(phi[:20], 300, 0), seed=0)
    chosen = (drawn[:, None] == np.repeat(x[:20], 300, 0)[:, None]).sum(2).reshape(20, 300)
    assert (g.d - chosen == wrong[:20].min(1)[:, None]).all()  # any other string is a billion times less likely


# ---- second opinions ----------------------------------------------------------------------------------------


def pgmpy_network(g, likelihood):
    """The tree as a Bayesian network; soft evidence is a binary child that is seen to be 1."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    network, tables = DiscreteBayesianNetwork(), []
    tables.append(TabularCPD(f"x{g.L}_0", g.v, np.full((g.v, 1), 1 / g.v)))
    network.add_node(f"x{g.L}_0")
    for l in range(g.L, 0, -1):
        for i in range(g.s ** (g.L - l)):
            parent, rule = f"x{l}_{i}", f"r{l}_{i}"
            network.add_edge(parent, rule)
            tables.append(TabularCPD(rule, g.m, g.level_probabilities(l).T, [parent], [g.v]))
            for j in range(g.s):
                child = f"x{l - 1}_{i * g.s + j}"
                network.add_edges_from([(parent, child), (rule, child)])
                made = np.eye(g.v)[g.rules[l - 1][:, :, j].ravel()].T
                tables.append(TabularCPD(child, g.v, made, [parent, rule], [g.v, g.m]))
    for i, phi in enumerate(likelihood / likelihood.max()):
        network.add_edge(f"x0_{i}", f"seen{i}")
        tables.append(TabularCPD(f"seen{i}", 2, np.stack([1 - phi, phi]), [f"x0_{i}"], [g.v]))
    network.add_cpds(*tables)
    return network


def test_marginals_are_those_of_variable_elimination():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pgmpy.inference import VariableElimination

        for shape, zipf in [((3, 2, 2, 2), 0.0), ((3, 3, 3, 1), 1.0)]:
            g = RandomHierarchyModel.random(*shape, seed=3, zipf_exponent=zipf)
            phi = random_evidence(g, 1, seed=5)
            engine = VariableElimination(pgmpy_network(g, phi[0]))
            bp = belief_propagation(g, phi)
            seen = {f"seen{i}": 1 for i in range(g.d)}
            for l in range(g.L + 1):
                for i in range(g.s ** (g.L - l)):
                    found = engine.query([f"x{l}_{i}"], evidence=seen, show_progress=False).values
                    assert np.allclose(found, bp.marginals[l][0, i], atol=1e-9)


def nltk_grammar(g):
    """The grammar in the notation of nltk: a symbol of level l is a nonterminal, a token a word."""
    from nltk import PCFG, Nonterminal, ProbabilisticProduction

    def name(l, y):
        return Nonterminal(f"N{l}_{y}") if l else str(y)

    start = Nonterminal("S")
    rules = [ProbabilisticProduction(start, [name(g.L, y)], prob=1 / g.v) for y in range(g.v)]
    for l in range(1, g.L + 1):
        p = g.level_probabilities(l)
        rules += [
            ProbabilisticProduction(name(l, y), [name(l - 1, int(a)) for a in g.rules[l - 1][y, r]], prob=p[y, r])
            for y in range(g.v) for r in range(g.m)
        ]  # fmt: skip
    return PCFG(start, rules)


def test_probability_of_a_string_is_that_of_nltk():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nltk.parse import InsideChartParser, ViterbiParser

        g = RandomHierarchyModel.random(v=3, m=2, s=2, L=2, seed=2, zipf_exponent=0.7)
        x = np.concatenate([g.sample(6, seed=0), np.random.default_rng(0).integers(3, size=(10, 4), dtype=np.uint8)])
        logs = log_evidence(g, uniform_noise(x, 1.0, g.v))
        assert np.isinf(logs).any()
        assert np.isfinite(logs).sum() >= 6
        for parser in (InsideChartParser(nltk_grammar(g)), ViterbiParser(nltk_grammar(g))):
            for string, log in zip(x, logs, strict=True):
                trees = list(parser.parse([str(a) for a in string]))
                assert len(trees) == int(np.isfinite(log))
                if trees:
                    assert np.log(trees[0].prob()) == pytest.approx(log, abs=1e-9)


# ---- sampling -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape, zipf", [((4, 2, 2, 2), 0.0), ((3, 2, 3, 1), 1.0)])
def test_samples_have_the_frequencies_of_the_posterior(shape, zipf):
    g = RandomHierarchyModel.random(*shape, seed=4, zipf_exponent=zipf)
    likelihood = random_evidence(g, 1, seed=1, zeros=0)[0] ** 0.3
    x = g.unrank(np.arange(g.n_strings))
    weight = np.exp(g.log_probability(x)) * likelihood[np.arange(g.d), x].prod(1)
    expected = weight / weight.sum()
    drawn = sample_posterior(g, np.broadcast_to(likelihood, (40_000, g.d, g.v)), seed=0)
    counts = np.bincount(g.rank(drawn), minlength=g.n_strings)
    common = expected * len(drawn) >= 5
    observed = np.append(counts[common], counts[~common].sum())
    wanted = np.append(expected[common], expected[~common].sum()) * len(drawn)
    kept = wanted > 0
    assert stats.chisquare(observed[kept], wanted[kept]).pvalue > 1e-3


@given(g=grammars(), seed=st.integers(0, 99))
@settings(max_examples=10)
def test_both_routes_draw_the_same_strings(g, seed):
    from hcg_lib import _compiled, _logspace
    from hcg_lib._tree import Tree

    tree = Tree(g, g.L)
    phi = torch.from_numpy(random_evidence(g, 20, seed))
    uniform = torch.from_numpy(np.random.default_rng(seed).random((20, 1 + tree.inner)))
    assert torch.equal(_compiled.draw(tree, phi, uniform), _logspace.draw(tree, phi, uniform))
