"""Messages of tuples: those of exact inference are their parents; pictures are turned and not deformed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcg_lib.diffusion import UniformProcess, linear_beta
from hcg_lib.embedding import align, embedding_point, tuple_messages
from hcg_lib.gradient import sensitivity
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.networks import MessagePassing, TreeUNet
from hcg_lib.representations import ExactEncoder

g = RandomHierarchyModel.random(v=5, m=3, s=2, L=3, seed=0)
clean = UniformProcess(linear_beta(1000), v=5)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_exact_inference_says_the_parent(level):
    messages = tuple_messages(ExactEncoder(g), g, clean, level, seed=0, signal=0.999)
    assert messages.shape == (5, 3, 5)
    assert (messages.argmax(-1) == np.arange(5)[:, None]).all()
    assert sensitivity(messages) < 1e-3


def test_a_tuple_is_what_the_layer_says_of_it_in_a_string():
    """In any string, at any place: layers know their own block only."""
    network = MessagePassing(5, 2, 3, width=8, hidden=16, seed=0)
    messages = tuple_messages(network, g, clean, 1, seed=0, signal=0.9)
    x = g.sample(1, seed=1)
    symbols, rules = g.parse(x)[1][0], g.rule_choices(x)[0][0]
    from hcg_lib.representations import encode_strings

    layer = encode_strings(network, g, clean, x)[0][0].detach().numpy()
    assert np.allclose(layer, messages[symbols, rules], atol=1e-5)


def test_tuples_of_higher_levels_are_written_anew_and_averaged():
    network = MessagePassing(5, 2, 3, width=8, hidden=16, seed=0)
    one, other, many, more = (
        tuple_messages(network, g, clean, 2, seed=seed, writings=n)
        for seed, n in ((0, 1), (1, 1), (0, 2000), (1, 2000))
    )
    assert np.abs(one - other).max() > 0.1
    assert np.abs(many - more).max() < 0.2 * np.abs(one - other).max()


@given(st.integers(0, 99), st.integers(2, 6))
@settings(max_examples=20)
def test_alignment_turns_pictures_and_finds_them_again(seed, n):
    rng = np.random.default_rng(seed)
    last = rng.normal(size=(n, 2))
    turns = [np.linalg.qr(rng.normal(size=(2, 2)))[0] for _ in range(3)]
    frames = align([*(last @ turn + rng.normal(size=2) for turn in turns), last])
    assert np.allclose(frames, last - last.mean(0))
    other = rng.normal(size=(n, 2))
    moved = align([other, last])[0]
    before, after = (np.linalg.norm(a[:, None] - a[None], axis=-1) for a in (other, moved))
    assert np.allclose(before, after)


def test_synonyms_merge_as_strings_grow():
    """P_latent(1), pooled, is 36: a fifth of it, and fifteen times as much."""
    few, many = (
        embedding_point(6, 2, 2, 3, P=P, grammar=0, width=24, steps=200, batch=64, patience=None) for P in (7, 540)
    )
    assert np.shape(few["points"]) == (2, 12, 2)
    assert 0.3 < few["explained"][0] <= 1
    assert many["sensitivity"][0] < 0.5 < few["sensitivity"][0]
    assert many["accuracy"][0] > few["accuracy"][0]


def test_same_seed_same_picture():
    first, again = (embedding_point(4, 2, 2, 2, P=10, grammar=0, width=8, steps=5, batch=8) for _ in range(2))
    assert np.array_equal(first.pop("points"), again.pop("points"))
    assert first == again


BAD = [({"level": 3}, "level must be an integer from 1 to 2, got 3"), ({"level": 0}, "level must be"),
       ({"g": None}, "g must be a RandomHierarchyModel"), ({"writings": 0, "level": 2}, "writings must be"),
       ({"signal": 1.0}, "signal must be"), ({"process": None}, "process must be")]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BAD)
def test_a_bad_argument_is_named(change, message):
    good = {"network": MessagePassing(5, 2, 3, seed=0), "g": g, "process": clean, "level": 1, "seed": 0}
    with pytest.raises(ValueError, match=message):
        tuple_messages(**{**good, **change})


@pytest.mark.parametrize("change", [{"L": 1}, {"P": 0}, {"P": 10**9}, {"m": 7}])
def test_a_bad_point_is_refused(change):
    with pytest.raises(ValueError, match="must be an integer"):
        embedding_point(**{**{"v": 4, "m": 2, "s": 2, "L": 2, "P": 10, "grammar": 0, "steps": 2}, **change})


@pytest.mark.parametrize("frames", [[], [[0, 1]], np.full((2, 3, 2), np.nan), np.zeros((2, 3, 3))])
def test_pictures_have_two_finite_coordinates(frames):
    with pytest.raises(ValueError, match="frames must be finite with shape"):
        align(frames)


def test_layers_of_the_authors_network_reach_the_root():
    network = TreeUNet(5, 2, 3, width=8, schedule=clean.schedule, seed=0)
    assert tuple_messages(network, g, clean, 3, seed=0, writings=2).shape == (5, 3, 8)
