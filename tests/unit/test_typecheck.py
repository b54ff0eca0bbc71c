"""The shape checks of a test run do check."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from hcg_lib.grammar import RandomHierarchyModel


def test_a_broken_promise_of_shape_is_caught(monkeypatch):
    g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    monkeypatch.setattr(RandomHierarchyModel, "_read_rules", lambda self, x: [np.zeros((len(x) + 1, 1))])
    with pytest.raises(TypeCheckError, match="return value"):
        g.is_grammatical(g.sample(3, seed=0))
