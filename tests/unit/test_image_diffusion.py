"""Gaussian diffusion of images against closed forms, and its training against itself."""

import numpy as np
import pytest
import torch

from hcg_lib.image_diffusion import NoiseGuessing, generate_images, noise_schedule, sample
from hcg_lib.images import load_images
from hcg_lib.networks.images import ImageUNet
from hcg_lib.training import Config, train


def cosine(T):
    """Nichol and Dhariwal (2021), Eq. 17, with their largest step of 0.999."""
    f = np.cos((np.arange(T + 1) / T + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.cumprod(1 - np.minimum(1 - f[1:] / f[:-1], 0.999))


def linear(T):
    return np.cumprod(1 - np.linspace(1e-4, 0.02, T))


@pytest.mark.parametrize("name, law", [("cosine", cosine), ("linear", linear)])
@pytest.mark.parametrize("T", [10, 1000])
def test_schedules_are_the_published_ones(name, law, T):
    np.testing.assert_allclose(noise_schedule(name, T).alphas_cumprod.numpy(), law(T), rtol=1e-3, atol=1e-7)


def test_corruption_is_the_closed_form_of_many_steps():
    """Mean and variance of x_t given x_0 after t single steps x → √(1-β) x + √β ε."""
    objective, B = NoiseGuessing(noise_schedule("cosine", 5)), 20_000
    pixels = np.array([[0, 255], [51, 204]], np.uint8)
    images = objective.prepare("data", np.repeat(pixels[None, :, :, None], B, 0))
    x0, x, t = objective.corrupt(images, np.random.default_rng(0))
    rng, chain = np.random.default_rng(1), x0.numpy().copy()
    for step, beta in enumerate(noise_schedule("cosine", 5).betas.numpy()):
        chain = np.sqrt(1 - beta) * chain + np.sqrt(beta) * rng.standard_normal(chain.shape)
        at = x[t == step].numpy()
        error = np.sqrt(at.var(0) / len(at) + chain.var(0) / B)
        assert (np.abs(at.mean(0) - chain.mean(0)) < 4.5 * error).all()
        assert at.var(0) == pytest.approx(chain.var(0), rel=0.1)


def test_times_are_stratified_and_noise_is_recovered():
    objective = NoiseGuessing(noise_schedule("linear", 100))
    images = objective.prepare("data", load_images("fashion-slice").train[:50])
    x0, x, t = objective.corrupt(images, np.random.default_rng(0))
    assert (np.diff(t.numpy()) >= 0).all()
    assert t.numpy() // 2 == pytest.approx(np.arange(50))
    abar = torch.from_numpy(linear(100))[t].float().view(-1, 1, 1, 1)
    noise = (x - abar.sqrt() * x0) / (1 - abar).sqrt()
    assert objective.loss(lambda x, t: noise, x0, x, t).max() < 1e-6
    nothing = objective.loss(lambda x, t: torch.zeros_like(x), x0, x, t)
    assert nothing.mean().item() == pytest.approx(1, abs=4 * np.sqrt(2 / noise.numel()))


def test_ddim_with_the_exact_denoiser_of_a_gaussian_ends_in_that_gaussian():
    """Of pixels N(μ, σ²) E[ε | x] = √(1-ᾱ) (x - √ᾱ μ) / (ᾱσ² + 1 - ᾱ), derived; DDIM then maps noise affinely."""
    mu, sigma, scheduler = 0.3, 0.5, noise_schedule("cosine", 1000)
    abar = scheduler.alphas_cumprod

    def exact(x, t):
        a = abar[t].view(-1, 1, 1, 1)
        return (1 - a).sqrt() * (x - a.sqrt() * mu) / (a * sigma**2 + 1 - a)

    noise = torch.randn(64, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    x = sample(exact, scheduler, noise, steps=500, clip=False)
    slope = (x.std() / noise.std()).item()
    assert slope == pytest.approx(sigma, rel=0.01)
    torch.testing.assert_close(x, mu + slope * noise, rtol=0, atol=0.01)
    coarse = sample(exact, scheduler, noise, steps=10, clip=False)
    assert abs(coarse.std() / noise.std() - sigma) > abs(slope - sigma)


def test_images_follow_from_the_seed_and_not_from_the_batch():
    network, scheduler = ImageUNet(3, widths=(8, 8), seed=0), noise_schedule("cosine", 20)
    with torch.no_grad():
        network.unet.conv_out.weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(1))
    before = torch.get_rng_state()
    one, same, other = (generate_images(network, scheduler, 5, (8, 8, 3), 4, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert torch.equal(before, torch.get_rng_state())  # the global random state is not ours
    parts = generate_images(network, scheduler, 5, (8, 8, 3), 4, seed=1, batch=2)
    assert np.abs(one.astype(int) - parts).max() <= 1
    assert one.std() > 10


def test_weights_follow_from_the_seed_and_an_untrained_network_says_zero():
    one, same, other = (ImageUNet(1, widths=(8, 16), attended=(1,), seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert all(value.isfinite().all() for value in one.values())
    x = torch.ones(2, 1, 8, 8)
    assert ImageUNet(1, widths=(8, 16), seed=0)(x, torch.tensor([0, 5])).abs().max() == 0


def test_every_weight_is_trained():
    """After two steps no parameter is without a gradient: the zeros at the ends of blocks do not shut anything off."""
    network, x = ImageUNet(1, widths=(8, 8), attended=(1,), seed=0), torch.ones(2, 1, 8, 8)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        (network(x, torch.tensor([0, 5])) - 1).square().mean().backward()
        optimizer.step()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert sum(parameter.grad.abs().sum() > 0 for parameter in network.parameters()) > 0.8 * len(
        list(network.parameters())
    )


class Killed(Exception):
    pass


def test_training_learns_and_a_killed_run_goes_on_bit_by_bit(tmp_path):
    images = load_images("fashion-slice")
    config = Config(steps=12, batch=8, learning_rate=3e-3, warmup=2, optimizer="adamw", ema=0.9, checkpoint_every=4)

    def run(path=None, evaluate=None):
        network = ImageUNet(1, widths=(8, 8), seed=0)
        objective = NoiseGuessing(noise_schedule("cosine", 50), draws=64)
        data = images.train[:64, ::2, ::2], images.held_out[:64, ::2, ::2]
        return network, train(network, objective, *data, config, path=path, evaluate=evaluate, progress=False)

    def fails(network, step):
        if step == 11:
            raise Killed
        return {}

    straight, history = run()
    assert history.history[-1]["validation"] < history.history[0]["validation"] - 0.01
    with pytest.raises(Killed):
        run(tmp_path / "c.safetensors", fails)
    resumed, again = run(tmp_path / "c.safetensors")
    assert [e["validation"] for e in again.history] == [e["validation"] for e in history.history]
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: noise_schedule("square"), "name must be one of 'cosine', 'linear', got 'square'"),
        (lambda: noise_schedule("cosine", 1), "T must be an integer from 2"),
        (lambda: ImageUNet(1, widths=(12,)), "widths must be multiples of 8, got \\[12\\]"),
        (lambda: ImageUNet(1, widths=()), "widths must be a non-empty list"),
        (lambda: ImageUNet(1, widths=(8, 8, 8))(torch.ones(1, 1, 6, 8), torch.tensor([0])), "multiples of 4, got"),
        (lambda: NoiseGuessing().prepare("data", np.ones((2, 8, 8, 1))), "data must hold integers of dtype uint8"),
        (lambda: NoiseGuessing().prepare("data", np.ones((2, 8, 8, 1), np.uint8)), "data must hold images of more"),
        (lambda: generate_images(lambda x, t: x, noise_schedule(), 0, (8, 8, 1)), "number must be an integer >= 1"),
        (lambda: generate_images(lambda x, t: x, noise_schedule(T=10), 1, (8, 8, 1), 11), "steps must be an integer"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
