"""The grammar against the plain reference, string by string."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracles import reference_grammar as reference

from hcg_lib.grammar import RandomHierarchyModel

SHAPES = st.sampled_from([(2, 1, 2, 3), (3, 2, 2, 2), (2, 2, 3, 1), (3, 3, 3, 1), (4, 2, 2, 2), (2, 3, 3, 2)])


@given(SHAPES, st.integers(0, 1000))
def test_listing_and_likelihood_are_those_of_the_plain_enumeration(shape, seed):
    g = RandomHierarchyModel.random(*shape, seed=seed)
    listed = dict(reference.all_strings([level.tolist() for level in g.rules]))
    assert g.n_strings == len(listed)
    x = g.unrank(np.arange(min(g.n_strings, 500)))
    expected = [listed[tuple(string)] for string in x.tolist()]
    assert np.allclose(np.exp(g.log_probability(x)), expected)


@given(SHAPES, st.integers(0, 1000))
def test_parsing_and_accuracy_are_those_of_the_plain_parser(shape, seed):
    g = RandomHierarchyModel.random(*shape, seed=seed)
    x = np.random.default_rng(seed).integers(g.v, size=(30, g.d))
    x[:10] = g.sample(10, seed)
    rules = [level.tolist() for level in g.rules]
    expected = [reference.parse(rules, string) for string in x.tolist()]
    for l, level in enumerate(g.parse(x)):
        assert level.tolist() == [[-1 if y is None else y for y in levels[l]] for levels in expected]
    assert np.allclose(g.level_accuracy(x), reference.level_accuracy(rules, x.tolist()))


def test_derivations_follow_the_same_choices():
    g = RandomHierarchyModel.random(v=5, m=3, s=2, L=3, seed=0)
    rng = random.Random(0)
    picks = []

    def choose(m):
        picks.append(rng.randrange(m))
        return picks[-1]

    string = reference.expand([level.tolist() for level in g.rules], 2, choose)
    top_down = np.split(np.array(picks), np.cumsum([1, 2]))  # 1, 2 and 4 nodes
    assert g.derive([2], [choices[None] for choices in reversed(top_down)])[0][0].tolist() == string
