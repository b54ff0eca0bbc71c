"""Nonsense in, a sentence out: every bad input raises a ValueError that names the argument and what is allowed."""

import numpy as np
import pytest

from hcg_lib.authors import from_rules, from_seed, to_rules
from hcg_lib.clustering import (
    cluster_levels,
    cluster_tuples,
    clustering_accuracy,
    end_to_end_accuracy,
    look_up,
    matched_accuracy,
    parent_table,
)
from hcg_lib.experiments import run
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.population import Population
from hcg_lib.tuples import Context, TupleStatistics, level_statistics

random = RandomHierarchyModel.random
g = random(v=4, m=2, s=2, L=2, seed=0)
good = [[[[0, 1]], [[1, 1]]]]


def batches():
    yield g.sample(4, seed=0)


CASES = [
    (lambda: random(v=1, m=1, s=2, L=1), r"v must be an integer >= 2, got 1"),
    (lambda: random(v=4.0, m=1, s=2, L=1), r"v must be an integer >= 2, got 4\.0"),
    (lambda: random(v=True, m=1, s=2, L=1), r"v must be an integer >= 2, got True"),
    (lambda: random(v=4, m=5, s=2, L=1), r"m must be an integer from 1 to 4, got 5"),
    (lambda: random(v=4, m=0, s=2, L=1), r"m must be an integer from 1 to 4, got 0"),
    (lambda: random(v=4, m=2, s=1, L=1), r"s must be an integer >= 2, got 1"),
    (lambda: random(v=4, m=2, s=2, L=0), r"L must be an integer >= 1, got 0"),
    (lambda: random(v=4, m=2, s=2, L=10**9), r"L must keep s\*\*L <= 1048576 tokens, got L=1000000000"),
    (
        lambda: random(v=4, m=2, s=2, L=2, seed=-1),
        r"seed must be an integer >= 0 or a numpy\.random\.Generator, got -1",
    ),
    (lambda: random(v=4, m=2, s=2, L=2, seed="a"), r"seed must be an integer >= 0 .* got 'a'"),
    (
        lambda: random(v=4, m=2, s=2, L=2, zipf_exponent=-1),
        r"zipf_exponent must hold finite numbers >= 0, got -1",
    ),
    (
        lambda: random(v=4, m=2, s=2, L=2, zipf_exponent=[1, 2, 3]),
        r"zipf_exponent must be a number or one a level \(2\)",
    ),
    (
        lambda: random(v=4, m=2, s=2, L=2, zipf_exponent=float("nan")),
        r"zipf_exponent must hold finite numbers .* got nan",
    ),
    (lambda: random(v=4, m=2, s=10**30, L=1), r"s must be an integer from 2 to 1048576, got 10000"),
    (lambda: random(v=10**30, m=1, s=2, L=1), r"v must be an integer from 2 to 2147483648, got 10000"),
    (lambda: random(v=1 << 20, m=1 << 20, s=2, L=1), r"m must keep v\*m\*s <= 1073741824 symbols in rules"),
    (lambda: RandomHierarchyModel(7), r"rules must be a list of arrays \(v, m, s\), one a level, got 7"),
    (lambda: RandomHierarchyModel([[[[0, 1]], [[1]]]]), r"rules must be an array with rows of one length"),
    (lambda: RandomHierarchyModel([]), r"rules must hold at least one level"),
    (lambda: RandomHierarchyModel([[[[0, 1]], [[0, 1]]]]), r"rules of level 1 .* \(0, 1\) is produced 2 times"),
    (lambda: RandomHierarchyModel([[[[0, 2]], [[0, 1]]]]), r"rules of level 1 must hold symbols from 0 to 1, got 2"),
    (lambda: RandomHierarchyModel([*good, [[[0, 1]]]]), r"rules of level 2 must have shape \(v, m, s\)"),
    (lambda: RandomHierarchyModel([[[[0.0, 1]], [[1, 1]]]]), r"rules of level 1 must hold integers, got dtype float64"),
    (lambda: RandomHierarchyModel(good, [[0.5, 0.5]]), r"probabilities of level 1 must have shape \(m,\) = \(1,\)"),
    (
        lambda: RandomHierarchyModel(g.rules, [[0.5, 0.6]] * 2),
        r"probabilities of level 1 must be positive and sum to 1",
    ),
    (lambda: RandomHierarchyModel(g.rules, [[1.0, 0.0]] * 2), r"probabilities of level 1 must be positive"),
    (lambda: RandomHierarchyModel(g.rules, [[0.5, 0.5]]), r"probabilities must hold one array a level \(2\), got 1"),
    (lambda: g.sample(-1, seed=0), r"P must be an integer >= 0, got -1"),
    (lambda: g.sample(2**63, seed=0), r"P must be an integer from 0 to 274877906944, got 9223372036854775808"),
    (lambda: g.sample(1, seed=0, unique=3), r"unique must be True or False, got 3"),
    (lambda: g.level_probabilities(0), r"level must be an integer from 1 to 2, got 0"),
    (lambda: g.sample(2.5, seed=0), r"P must be an integer >= 0, got 2\.5"),
    (lambda: g.sample(10**6, seed=0, unique=True), r"P must be at most the 32 distinct strings when unique=True"),
    (lambda: g.sample(5, seed=None), r"seed must be an integer >= 0"),
    (lambda: g.sample_batches(5, seed=0, batch=0), r"batch must be an integer >= 1, got 0"),
    (lambda: g.unrank([32]), r"index must hold integers from 0 to n_strings - 1 = 31, got 32"),
    (lambda: g.unrank([-1]), r"index must hold integers from 0 .* got -1"),
    (lambda: g.unrank([0.5]), r"index must be a list of integers"),
    (lambda: g.rank([[0, 0, 0, 9]]), r"x must hold symbols from 0 to 3, got 9"),
    (lambda: g.rank(g.unrank(range(32))[:, ::-1]), r"x must hold grammatical strings, got string \d+ that is not"),
    (lambda: g.level_accuracy(np.zeros((3, 5), int)), r"x must have shape \(P, 4\), got \(3, 5\)"),
    (lambda: g.level_accuracy(np.zeros((3, 4))), r"x must hold integers, got dtype float64"),
    (lambda: g.level_accuracy(np.zeros((0, 4), int)), r"x must hold at least one string"),
    (lambda: g.parse([[0, 1, 2, -1]]), r"x must hold symbols from 0 to 3, got -1"),
    (lambda: g.parse("text"), r"x must have shape \(P, 4\), got \(\)"),
    (lambda: g.unrank([None]), r"index must be a list of integers, got \[None\]"),
    (lambda: g.derive([0], 5), r"choices must be a list of arrays, one a level, got 5"),
    (lambda: g.derive([0], [[[0, 0]]]), r"choices must hold one array a level \(2\), got 1"),
    (lambda: g.derive([0], [[[0, 0]], [[7]]]), r"choices of level 2 must hold symbols from 0 to 1, got 7"),
    (lambda: g.derive([0], [[[0, 0]], [[0], [0]]]), r"choices of level 2 must have 1 rows, got 2"),
    (lambda: from_rules({1: good[0]}), r"rules must be a dict with keys 0 \(root\) to L-1 \(leaves\), got \[1\]"),
    (lambda: from_rules({"a": good[0], 1: good[0]}), r"rules must be a dict with keys 0"),
    (lambda: to_rules(None), r"g must be a RandomHierarchyModel, got NoneType"),
    (lambda: from_rules(good), r"rules must be a dict .* got list"),
    (lambda: from_seed(64, 8, 12, 1, seed=0), r"v and s must keep v\*\*s < 2\*\*63"),
    (lambda: from_seed(8, 3, 2, 3, seed=np.random.default_rng(0)), r"seed must be an integer >= 0, got Generator"),
    (lambda: cluster_levels(batches(), v=4, s=2), r"strings must be readable once a level"),
    (
        lambda: cluster_levels(np.zeros((5, 6), int), v=4, s=2),
        r"strings must have s\*\*L tokens with s = 2 and L >= 2, got 6",
    ),
    (lambda: cluster_levels([], v=4, s=2), r"strings must hold at least one \(P, d\) batch, got none"),
    (lambda: cluster_levels(g.sample(9, 0), v=4, s=2, targets="words"), r"targets must be one of 'tokens', 'latents'"),
    (lambda: cluster_levels(g.sample(9, 0), v=2, s=2), r"strings must hold symbols from 0 to 1, got 3"),
    (lambda: cluster_tuples(Context(*np.zeros((3, 1, 2))), 0, 0), r"k must be an integer >= 1, got 0"),
    (lambda: cluster_levels([1, 2], v=4, s=2), r"strings must hold \(P, d\) batches, got one of shape \(\)"),
    (lambda: cluster_levels(g.sample(9, 0), v=4, s=2, sharing="no"), r"sharing must be True or False, got 'no'"),
    (lambda: cluster_tuples([1], 2, 0), r"context must be a Context, got list"),
    (lambda: matched_accuracy([0.5], [1]), r"inferred must hold integers, got \[0\.5\]"),
    (lambda: matched_accuracy([0], [1], weights=[-1]), r"weights must hold finite numbers >= 0, got \[-1\]"),
    (lambda: look_up(np.zeros((2, 3), int), [[0, 1]]), r"table must hold integers of shape \(v,\)\*s"),
    (lambda: clustering_accuracy(4, 2, 2, 2, 1, 0, "tokens", True, grammar=0), r"P must be an integer >= 1, got 0"),
    (
        lambda: clustering_accuracy(4, 2, 2, 2, 1, 9, "tokens", True, grammar=-1),
        r"grammar must be an integer >= 0",
    ),
    (lambda: end_to_end_accuracy(4, 2, 2, 2, 9, "tokens", 0, tested=0), r"tested must be an integer >= 1, got 0"),
    (lambda: Population(3), r"grammar must be a RandomHierarchyModel, got int"),
    (lambda: Population(g).marginal(3), r"node must be a pair \(level, number from the left\), got 3"),
    (lambda: Population(g).tuple_correlation(1, "2"), r"k must be an integer from 2 to 2, got '2'"),
    (lambda: level_statistics(g, 3), r"strings must be an array \(P, d\) or an iterable of batches, got 3"),
    (lambda: level_statistics(g, g.sample(5, 0), distance=2), r"distance must be an integer from 1 to 1, got 2"),
    (lambda: TupleStatistics(4, 2, 4, positions=[0.5]), r"positions must be a non-empty list of integers >= 0"),
    (lambda: matched_accuracy(np.array([1]), np.array([1, 2])), r"inferred must have as many labels as true \(2"),
    (lambda: parent_table(g, 3), r"level must be an integer from 1 to 2, got 3"),
    (
        lambda: run(lambda x: {"x": 1}, [{"x": 2}], path=None),
        r"points of '<lambda>' failed.*results must not share names",
    ),
    (lambda: run(dict, [3], path=None), r"configs must be dicts or dataclasses, got 3"),
    (lambda: run(dict, [{"a": object()}], path=None), r"a must be a finite number, a string"),
]


@pytest.mark.parametrize("call, message", CASES, ids=range(len(CASES)))
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        call()
