"""Training: repeatable to the bit, whatever happens to it, and good enough to reach the Bayes loss."""

import json
import multiprocessing
import os
import random
import socket
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hcg_lib.checkpoints import read_checkpoint, write_checkpoint
from hcg_lib.diffusion import (
    AbsorbingProcess,
    ExactDenoiser,
    UniformProcess,
    ancestral_sample,
    bayes_gap,
    linear_alpha,
    linear_beta,
    power_signal,
)
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.muon import Muon, optimizers, orthogonalize
from hcg_lib.networks import LearnedDenoiser, MessagePassing, TreeUNet
from hcg_lib.objectives import TokenDenoising
from hcg_lib.training import Config, Diverged, Loop, train
from tests import training_runs

spawn = multiprocessing.get_context("forkserver")  # imports once, then forks a process in milliseconds
spawn.set_forkserver_preload(["tests.training_runs"])


def same(first, second):
    """Whether two networks' weights agree to the bit."""
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def without_seconds(history):
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in history]


# ---- how well it learns


@pytest.mark.parametrize("loss", ["cross_entropy", "variational"])
def test_a_small_grammar_is_learned_to_its_bayes_loss(loss):
    g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=1)
    process = UniformProcess(power_signal(200), v=4)
    network = MessagePassing(v=4, s=2, L=2, width=32, hidden=64, seed=0)
    strings, validation = g.unrank(np.arange(g.n_strings)), g.sample(2000, seed=2)
    train(network, process, strings, validation, Config(steps=1000, batch=256, loss=loss), progress=False)
    learned, exact = LearnedDenoiser(network, process), ExactDenoiser(g, process)
    x0 = torch.from_numpy(g.sample(4000, seed=3)).long()
    ignorant = bayes_gap(process, ExactDenoiser(g, process, levels=0), exact, x0, seed=4).mean()
    assert bayes_gap(process, learned, exact, x0, seed=4).mean() < 0.015 * ignorant
    other = UniformProcess(linear_beta(200), v=4)  # the network knows the time from the evidence: any schedule will do
    sample = ancestral_sample(other, LearnedDenoiser(network, other), 500, g.d, seed=5)
    assert g.level_accuracy(sample).min() > 0.97


def test_the_weights_of_least_validation_loss_are_kept_and_patience_ends_the_run():
    g = RandomHierarchyModel.random(v=8, m=3, s=2, L=2, seed=0)
    process = UniformProcess(power_signal(50), v=8)
    config = Config(steps=2000, batch=64, decay="constant", per_octave=8, patience=6, loss="cross_entropy")
    network = MessagePassing(v=8, s=2, L=2, width=16, hidden=64, seed=0)
    run = train(network, process, g.sample(12, seed=1), g.sample(500, seed=2), config, progress=False)  # memorised soon
    losses = [entry["validation"] for entry in run.history]
    assert run.best["validation"] == min(losses)
    assert run.history[-1]["step"] < config.steps
    assert len(losses) - 1 - int(np.argmin(losses)) == config.patience
    loop = Loop(run.network, process, g.sample(12, seed=1), g.sample(500, seed=2), config, training_runs.Fabric())
    assert loop.validate() == min(losses)


def test_few_strings_to_validate_on_are_corrupted_often_enough(monkeypatch):
    """The mean over the draws of one string is near that over all noise, so that weights are not chosen by luck."""
    loop, seen, corrupt = loop_of(), [], TokenDenoising.corrupt
    monkeypatch.setattr(TokenDenoising, "corrupt", lambda self, x0, rng: seen.append(len(x0)) or corrupt(self, x0, rng))
    first = loop.validate()
    assert first == loop.validate()  # the same noise
    assert seen == [30 * 69] * 2
    loop._rng = lambda *_: np.random.default_rng(99)
    assert abs(loop.validate() - first) < 0.03 * first


def test_average_of_weights():
    seen = []
    training_runs.run(steps=9, per_octave=8, ema=0.5, evaluate=lambda network, step: seen.append(network) or {})
    average = seen[-1]
    raw = []
    training_runs.run(
        steps=9, per_octave=99, ema=0.0, evaluate=lambda n, k: raw.append((k, n.readout.weight.clone())) or {}
    )
    wanted = raw[1][1]
    for count, (_, weight) in enumerate(raw[2:], start=1):
        decay = min(0.5, (1 + count) / (10 + count))
        wanted = decay * wanted + (1 - decay) * weight
    assert torch.allclose(average.readout.weight, wanted, atol=1e-6)


# ---- batches


def loop_of(rank=0, processes=1, **config):
    """A loop with its share of a batch, without processes."""
    loop = Loop(
        training_runs.network(), training_runs.PROCESS, training_runs.DATA, training_runs.VALIDATION,
        Config(batch=16, **config), training_runs.Fabric(),
    )  # fmt: skip
    loop.fabric = SimpleNamespace(global_rank=rank, world_size=processes)
    return loop


def test_every_epoch_reads_every_string_once():
    loop = loop_of()
    read = torch.cat([loop.batch(step)[0] for step in range(1, 11)])[:80]  # two epochs of 40, 16 a batch
    for epoch in read.split(40):
        assert sorted(epoch.tolist()) == sorted(training_runs.DATA.tolist())
    assert read[:40].tolist() != read[40:].tolist()


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_batch_of_one(processes):
    whole = loop_of().batch(3)
    parts = [loop_of(rank, processes).batch(3) for rank in range(processes)]
    for position in range(3):
        joined = np.concatenate([np.asarray(part[position]) for part in parts])
        assert (joined == np.asarray(whole[position])).all()


def test_times_of_a_batch_are_spread_over_the_schedule():
    _, _, t = loop_of().batch(1)
    assert (np.diff(t) > 0).all()
    assert t[0] <= 4
    assert t[-1] >= 46


@given(st.integers(1, 5000), st.integers(0, 200), st.sampled_from(["linear", "constant"]))
def test_learning_rate_rises_then_falls(steps, warmup, decay):
    config = Config(steps=steps, warmup=warmup, decay=decay, learning_rate=1.0)
    rates = np.array([config.rate(step) for step in (1, *range(1, steps + 1, 7), steps)])
    assert (rates > 0).all()
    assert (rates <= 1).all()
    if decay == "linear":
        assert config.rate(steps) <= 1 / steps + 1e-12


# ---- kills, processes, broken losses


KILLED_STEPS = 250  # so many that the run of a slow machine's late kill has not ended


def step_of(path):
    return read_checkpoint(path)[1]["step"] if path.exists() else 0  # always whole


def kill_after(path, step, delay):
    """Start or continue a run in a process of its own and kill it `delay` seconds after a step: was it alive?"""
    child = spawn.Process(target=training_runs.run, kwargs={"path": path, "steps": KILLED_STEPS})
    child.start()
    while child.is_alive() and step_of(path) < step:
        child.join(timeout=0.001)
    child.join(timeout=delay)
    alive = child.is_alive()
    child.kill()
    child.join()
    child.close()
    return alive


def test_a_run_killed_at_random_moments_ends_with_the_same_bits(tmp_path):
    path, other = tmp_path / "run.safetensors", tmp_path / "whole.safetensors"
    whole = training_runs.run(path=other, steps=KILLED_STEPS)
    draw, found = random.Random(0), [0]
    for _ in range(12):  # each kill at a step of its own, a random time after the checkpoint of the step before
        assert kill_after(path, found[-1] + draw.randint(1, 8), delay=draw.random() * 0.01)
        found.append(step_of(path))
    assert (np.diff(found) > 0).all()
    resumed = training_runs.run(path=path, steps=KILLED_STEPS)
    again = training_runs.run(path=path, steps=KILLED_STEPS)  # nothing left to do: read from the checkpoint
    assert same(resumed.network, whole.network)
    assert same(again.network, whole.network)
    assert without_seconds(again.history) == without_seconds(resumed.history) == without_seconds(whole.history)
    mine, theirs = read_checkpoint(path)[0], read_checkpoint(other)[0]
    assert all(torch.equal(mine[name], theirs[name]) for name in mine.keys() | theirs.keys())
    assert [file.name for file in tmp_path.iterdir() if "partial" in file.name] == []


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_run_stopped_between_steps_ends_with_the_same_bits(tmp_path, optimizer):
    def interrupt(network, step):
        if step == 45:
            raise KeyboardInterrupt
        return {}

    path, options = tmp_path / "run.safetensors", {"optimizer": optimizer, "ema": 0.0, "checkpoint_every": 40}
    with pytest.raises(KeyboardInterrupt):
        training_runs.run(path=path, evaluate=interrupt, **options)
    assert read_checkpoint(path)[1]["step"] == 40
    assert same(training_runs.run(path=path, **options).network, training_runs.run(**options).network)


def test_two_processes_repeat_the_run_of_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = tmp_path / "shared.npz"
    children = [spawn.Process(target=training_runs.share, args=(rank, 2, port, path)) for rank in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(timeout=60)
    assert [child.exitcode for child in children] == [0, 0]
    one, two = training_runs.run(), np.load(path)
    assert np.allclose([entry["validation"] for entry in one.history], two["history"], rtol=1e-4)
    assert np.allclose([entry["train"] for entry in one.history[1:]], two["train"], rtol=1e-4)


class Breaks(nn.Module):
    """A network whose output is not finite from call number `fatal` on."""

    def __init__(self, fatal):
        super().__init__()
        self.inner, self.fatal, self.calls = training_runs.network(), fatal, 0

    def forward(self, evidence):
        self.calls += self.training and torch.is_grad_enabled()
        return self.inner(evidence) * (torch.nan if self.calls >= self.fatal else 1.0)


@pytest.mark.parametrize("fatal", [37, 64, 71])
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path, fatal):
    path = tmp_path / "run.safetensors"
    config = Config(steps=100, batch=16, checkpoint_every=10, per_octave=1)
    with pytest.raises(
        Diverged, match=rf"nan at step {fatal}; .*run.safetensors, step {fatal // 10 * 10 or 'none'}.*seed=0"
    ):
        train(Breaks(fatal), training_runs.PROCESS, training_runs.DATA, training_runs.VALIDATION, config,
              path=path, progress=False)  # fmt: skip
    tensors, facts = read_checkpoint(path)
    assert facts["step"] < fatal
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())


class Explodes(Breaks):
    """A network whose output is finite and whose gradient is not, in call number `fatal`."""

    def forward(self, evidence):
        out = self.inner(evidence)
        self.calls += out.requires_grad
        if self.calls == self.fatal:
            out.register_hook(lambda gradient: gradient / 0)
        return out


def test_weights_that_are_not_finite_after_a_finite_loss_are_not_saved(tmp_path):
    path, config = tmp_path / "run.safetensors", Config(steps=100, batch=16, checkpoint_every=10, per_octave=1)
    with pytest.raises(Diverged, match=r"weights are not finite after step 20; .*run.safetensors, step 10; .*seed=0"):
        train(Explodes(20), training_runs.PROCESS, training_runs.DATA, training_runs.VALIDATION, config,
              path=path, progress=False)  # fmt: skip
    tensors, facts = read_checkpoint(path)
    assert facts["step"] == 10
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())


# ---- checkpoints


def test_a_checkpoint_is_json_and_tensors(tmp_path):
    path = tmp_path / "run.safetensors"
    training_runs.run(path=path, steps=3)
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    facts = json.loads(header["__metadata__"]["json"])
    assert facts["config"]["steps"] == facts["step"] == 3
    assert {name.split(".")[0] for name in header if name != "__metadata__"} == {
        "network",
        "average",
        "best",
        "optimizer",
    }


def test_a_write_that_fails_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "c.safetensors"
    write_checkpoint(path, {"a": torch.ones(1)}, {"step": 1})
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_checkpoint(path, {"a": torch.zeros(1)}, {"step": 2})
    assert read_checkpoint(path)[1] == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["c.safetensors"]


def test_only_a_checkpoint_of_the_same_run_is_continued(tmp_path):
    path = tmp_path / "run.safetensors"
    training_runs.run(path=path, steps=3)
    with pytest.raises(ValueError, match="differs in steps, batch"):
        training_runs.run(path=path, steps=4, batch=8)
    other = MessagePassing(v=4, s=2, L=2, width=8, hidden=32, seed=0)
    config = Config(steps=3, batch=16, warmup=5, ema=0.9, checkpoint_every=1)
    with pytest.raises(ValueError, match="network must be that of the checkpoint"):
        train(other, training_runs.PROCESS, training_runs.DATA, training_runs.VALIDATION, config, path=path)
    training_data = training_runs.DATA.copy()
    training_data[0] = training_data[1]
    for process, data in [
        (training_runs.PROCESS, training_data),
        (UniformProcess(linear_beta(50), 4), training_runs.DATA),
    ]:
        with pytest.raises(ValueError, match="data, validation and process must be those of the checkpoint"):
            train(training_runs.network(), process, data, training_runs.VALIDATION, config, path=path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="path must be a checkpoint"):
        training_runs.run(path=path, steps=3)
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "missing")


# ---- optimizers


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_orthogonalised_matrices_keep_directions_and_forget_lengths(a, b, seed):
    matrix = torch.from_numpy(np.random.default_rng(seed).normal(size=(a, b))).float()
    turned = orthogonalize(matrix, steps=10)
    singular = torch.linalg.svdvals(turned)
    large = torch.linalg.svdvals(matrix) > 0.05 * torch.linalg.svdvals(matrix).max()
    assert ((singular[large] > 0.6) & (singular[large] < 1.3)).all()
    assert (matrix * turned).sum() > 0


def plain_muon(weights, gradients, lr, momentum, decay):
    """The same optimizer in float64, a matrix at a time, in the words of its definition."""
    weights, state = [w.copy() for w in weights], [np.zeros_like(w) for w in weights]
    for step in gradients:
        for i, gradient in enumerate(step):
            state[i] = momentum * state[i] + (1 - momentum) * gradient
            x = momentum * state[i] + (1 - momentum) * gradient  # Nesterov's look ahead
            x = x / np.linalg.norm(x)
            for _ in range(5):
                x = 3.4445 * x - 4.7750 * x @ x.T @ x + 2.0315 * x @ x.T @ x @ x.T @ x
            rms = max(x.shape) ** -0.5  # of a matrix whose singular values are 1
            weights[i] = (1 - lr * decay) * weights[i] - lr * 0.2 * x / rms
    return weights


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (6, 6), (20, 31)])
def test_muon_is_its_definition(shape):
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(2, *shape)), rng.normal(size=(4, 2, *shape))
    wanted = plain_muon(list(start), gradients, lr=0.1, momentum=0.9, decay=0.01)
    weight = nn.Parameter(torch.from_numpy(start).float())
    optimizer = Muon([weight], lr=0.1, momentum=0.9, weight_decay=0.01)
    for gradient in gradients:
        weight.grad = torch.from_numpy(gradient).float()
        optimizer.step()
    moved = np.array(wanted) - start
    assert np.abs(weight.detach().numpy() - start - moved).max() < 1e-4 * np.abs(moved).max()


@pytest.mark.parametrize("shape", [(40, 64), (128, 64)])
def test_half_precision_adds_little_to_what_five_steps_leave(shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    exact, x = u @ vt, matrix / np.linalg.norm(matrix)
    for _ in range(5):
        x = 3.4445 * x - 4.7750 * x @ x.T @ x + 2.0315 * x @ x.T @ x @ x.T @ x
    turned = orthogonalize(torch.from_numpy(matrix).float()).numpy()
    assert np.linalg.norm(turned - x) < 0.25 * np.linalg.norm(x - exact)


def test_matrices_treated_together_move_as_they_would_alone():
    rng = np.random.default_rng(0)
    shapes = [(3, 6, 4), (4, 6), (6, 4), (2, 4, 6), (5, 5)]
    weights = [nn.Parameter(torch.from_numpy(rng.normal(size=shape)).float()) for shape in shapes]
    alone = [nn.Parameter(matrix.detach().clone()) for w in weights for matrix in w.reshape(-1, *w.shape[-2:])]
    together, separate = Muon(weights, lr=0.1), [Muon([w], lr=0.1) for w in alone]
    for _ in range(3):
        for weight in weights:
            weight.grad = torch.from_numpy(rng.normal(size=weight.shape)).float()
        matrices = [matrix for w in weights for matrix in w.grad.reshape(-1, *w.shape[-2:])]
        for weight, gradient in zip(alone, matrices, strict=True):
            weight.grad = gradient.clone()
        for optimizer in [together, *separate]:
            optimizer.step()
    moved = [matrix for w in weights for matrix in w.reshape(-1, *w.shape[-2:])]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(moved, alone, strict=True))


def test_every_parameter_has_one_optimizer_and_tokens_are_not_orthogonalised():
    network = MessagePassing(v=4, s=2, L=3, width=8, hidden=16, seed=0)
    for name, count in [("muon", 2), ("adamw", 1)]:
        made = optimizers(network, name, lr=0.1, weight_decay=0.0)
        assert len(made) == count
        owned = [id(p) for optimizer in made for group in optimizer.param_groups for p in group["params"]]
        assert sorted(owned) == sorted(id(p) for p in network.parameters())
    muon, adam = optimizers(network, "muon", lr=0.1, weight_decay=0.0)
    assert isinstance(muon, Muon)
    assert any(p is network.readout.weight for p in adam.param_groups[0]["params"])
    assert any(p is network.levels[0].units[0].from_child for p in muon.param_groups[0]["params"])


def test_the_authors_network_trains_with_the_same_loop():
    process = training_runs.PROCESS
    network = TreeUNet(v=4, s=2, L=2, width=32, schedule=process.schedule, seed=0)
    config = Config(steps=300, batch=32, learning_rate=0.03, optimizer="adamw", loss="variational")
    run = train(network, process, training_runs.DATA, training_runs.VALIDATION, config, progress=False)
    assert run.best["validation"] < 0.9 * run.history[0]["validation"]


# ---- bad input


@pytest.mark.parametrize(
    "change, message",
    [
        ({"steps": 0}, "steps must be an integer >= 1, got 0"),
        ({"batch": 2.5}, "batch must be an integer >= 1, got 2.5"),
        ({"learning_rate": -1.0}, "learning_rate must be"),
        ({"ema": 1.0}, "ema must be"),
        ({"patience": 0}, "patience must be"),
        ({"loss": "squared"}, "loss must be one of 'cross_entropy', 'variational', got 'squared'"),
        ({"optimizer": "sgd"}, "optimizer must be one of"),
        ({"decay": "cosine"}, "decay must be one of"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_a_bad_config_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Config(**change)


def test_bad_data_is_named():
    network, process, good = training_runs.network(), training_runs.PROCESS, training_runs.DATA
    for data, validation, message in [
        (good + 1, good, "data must hold symbols from 0 to 3"),
        (good, good[:, :2], r"validation must have items of data's shape \(4,\), got \(2,\)"),
        (good[:0], good, "data must hold at least one item"),
        (good, good[0], r"validation must have shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            train(network, process, data, validation, Config(steps=1), progress=False)
    with pytest.raises(ValueError, match="evidence must be a tensor"):
        train(MessagePassing(v=4, s=2, L=3, seed=0), process, good, good, Config(steps=1), progress=False)


# ---- what a GPU would have to wait for


@pytest.mark.parametrize("loss", ["cross_entropy", "variational"])
@pytest.mark.parametrize("process", [UniformProcess(power_signal(9), 4), AbsorbingProcess(linear_alpha(9), 4)])
def test_a_step_of_training_looks_at_no_symbol_where_looking_is_slow(loss, process, monkeypatch):
    strings, networks, looks, least = np.arange(64).reshape(16, 4) % 4, [], [], torch.Tensor.min
    for slow in (False, True):
        monkeypatch.setattr("hcg_lib.evidence._slow_to_look", lambda tokens, slow=slow: slow)
        networks.append(MessagePassing(4, 2, 2, width=8, hidden=8, seed=0))
        loop = Loop(
            networks[-1], process, strings, strings, Config(batch=8, loss=loss, ema=0.9), training_runs.Fabric()
        )
        looks.append(0)

        def look(tensor):
            looks[-1] += tensor.dtype == torch.int64
            return least(tensor)

        with monkeypatch.context() as patch:
            patch.setattr(torch.Tensor, "min", look)
            for _ in range(3):
                loop.advance()
    assert looks[0] >= 9
    assert looks[1] == 0
    assert same(*networks)
