"""Tokens are checked wherever they enter, and once where looking at them is slow."""

import copy

import pytest
import torch

from hcg_lib import evidence
from hcg_lib.evidence import check_tokens, masking, uniform_noise, vouch


@pytest.fixture
def slow(monkeypatch):
    """As on a GPU: tokens that were vouched for are not looked at."""
    monkeypatch.setattr(evidence, "_slow_to_look", lambda tokens: True)


def wrong():
    return torch.tensor([[0, 7]])


def test_on_a_cpu_tokens_are_always_looked_at():
    with pytest.raises(ValueError, match="x must hold symbols from 0 to 3, got 7"):
        check_tokens("x", vouch(wrong(), 4), 4)


@pytest.mark.usefixtures("slow")
def test_elsewhere_whoever_made_them_is_believed():
    assert torch.equal(check_tokens("x", vouch(wrong(), 4), 4), wrong())
    assert torch.equal(masking(vouch(torch.tensor([[0, 4]]), 5), v=4, mask=4)[0, 1], torch.ones(4))


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("change", [
    lambda x: x,  # below 8, but not below 4
    lambda x: vouch(x, 4).clamp_(0, 6),
    lambda x: vouch(x, 4).index_fill_(1, torch.tensor([0]), 5),
    lambda x: copy.deepcopy(vouch(x, 4).add_(0)),
    lambda x: vouch(x, 4)[:, 1:],
    lambda x: vouch(x, 4).clone(),
])  # fmt: skip
def test_nobody_is_believed_about_other_tokens_or_other_symbols(change):
    with pytest.raises(ValueError, match=r"x must hold symbols from 0 to 3, got [5-7]"):
        uniform_noise(change(vouch(wrong(), 8)), 0.5, v=4)


@pytest.mark.usefixtures("slow")
def test_tensors_that_do_not_count_their_changes_are_looked_at():
    with torch.inference_mode(), pytest.raises(ValueError, match="x must hold symbols from 0 to 3, got 7"):
        check_tokens("x", vouch(wrong(), 4), 4)
