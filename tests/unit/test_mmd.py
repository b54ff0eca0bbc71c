"""The discrepancy against closed forms, by enumeration, and against another library; its intervals; order in time."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.stats import spearmanr
from torchmetrics.image.kid import poly_mmd

from hcg_lib import mmd
from hcg_lib.depth_order import order_of_depths
from hcg_lib.mmd import Reference, gaussian_kernel, polynomial_kernel, squared_mmd, time_to_fraction
from hcg_lib.neighbors import memory, nearest


def gaussian_moments(mean, covariance):
    """E x, E x xᵀ, E x ⊗ x ⊗ x."""
    second = covariance + np.multiply.outer(mean, mean)
    third = np.multiply.outer(np.multiply.outer(mean, mean), mean)
    for axes in ("i,jk->ijk", "j,ik->ijk", "k,ij->ijk"):
        third = third + np.einsum(axes, mean, covariance)
    return mean, second, third


def mean_kernel(one, other):
    """E (x·y/D + 1)³ for independent x and y, from their moments."""
    D = len(one[0])
    return 1 + sum(c * np.sum(a * b) / D**k for k, c, a, b in zip((1, 2, 3), (3, 3, 1), one, other, strict=True))


def gaussians(D, rng):
    root = rng.normal(size=(2, D, D)) / np.sqrt(D)
    means, covariances = rng.normal(size=(2, D)) * 0.5, root @ root.swapaxes(1, 2)
    return means, covariances, [gaussian_moments(m, c) for m, c in zip(means, covariances, strict=True)]


@pytest.mark.parametrize("D", [1, 2, 5])
def test_mean_over_many_samples_is_the_closed_form_of_two_gaussians(D):
    rng = np.random.default_rng(D)
    means, covariances, (p, q) = gaussians(D, rng)
    truth = mean_kernel(p, p) + mean_kernel(q, q) - 2 * mean_kernel(p, q)
    found = [
        squared_mmd(
            *(rng.multivariate_normal(m, c, size) for m, c, size in zip(means, covariances, (30, 40), strict=True))
        )
        for _ in range(1500)
    ]
    assert truth > 0
    assert np.mean(found) == pytest.approx(truth, abs=4.5 * np.std(found) / np.sqrt(len(found)))


def test_gaussian_kernel_has_its_closed_form_too():
    """E exp(-|x-y|²/2w²) for Gaussian x - y ~ N(μ, Σ) is det(1 + Σ/w²)^-½ exp(-½ μᵀ(w² + Σ)⁻¹μ)."""
    rng, D = np.random.default_rng(0), 3
    means, covariances, _ = gaussians(D, rng)
    square = float(np.median([((a - b) ** 2).sum() for a, b in product(rng.normal(size=(20, D)), repeat=2)]))

    def mean_of(i, j):
        mu, sigma = means[i] - means[j], covariances[i] + covariances[j]
        scale = np.linalg.det(np.eye(D) + sigma / square) ** -0.5
        return scale * np.exp(-0.5 * mu @ np.linalg.solve(square * np.eye(D) + sigma, mu))

    def kernel(x, y):
        return np.exp(-((x[:, None] - y[None]) ** 2).sum(-1) / (2 * square))

    truth = mean_of(0, 0) + mean_of(1, 1) - 2 * mean_of(0, 1)
    found = [
        squared_mmd(*(rng.multivariate_normal(m, c, 30) for m, c in zip(means, covariances, strict=True)), kernel)
        for _ in range(1500)
    ]
    assert np.mean(found) == pytest.approx(truth, abs=4.5 * np.std(found) / np.sqrt(len(found)))
    x = rng.normal(size=(40, D))
    ours, width = gaussian_kernel(x), np.median(pdist(x, "sqeuclidean"))
    np.testing.assert_allclose(ours(x[:3], x), np.exp(-cdist(x[:3], x, "sqeuclidean") / (2 * width)))


def test_bounded_kernel_is_bounded_and_unbiased():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(100, 4))
    reference = Reference([y], kernel="gaussian")
    far = reference.compare([1e6 * rng.normal(size=(50, 4))])
    assert 0 < far.squared[0] < 2
    assert abs(Reference([y]).compare([1e6 * rng.normal(size=(50, 4))]).squared[0]) > 1e20
    near = [
        Reference([rng.normal(size=(30, 4))], 2, 0, "gaussian").compare([rng.normal(size=(30, 4))]) for _ in range(300)
    ]
    values = np.array([found.squared[0] for found in near])
    assert abs(values.mean()) < 4.5 * values.std() / np.sqrt(300)


def test_unbiased_by_enumeration():
    """All samples of two values each, weighted by their probabilities."""
    values, p, q = (
        np.array([[-1.0, 0.5], [2.0, 1.0], [0.0, -1.0]]),
        np.array([0.5, 0.3, 0.2]),
        np.array([0.1, 0.2, 0.7]),
    )
    kernel = polynomial_kernel(values, values)
    truth = p @ kernel @ p + q @ kernel @ q - 2 * p @ kernel @ q
    mean = sum(
        p[a] * p[b] * q[c] * q[d] * squared_mmd(values[[a, b]], values[[c, d]])
        for a, b, c, d in product(range(3), repeat=4)
    )
    assert mean == pytest.approx(truth, rel=1e-12)


def test_agrees_with_the_kernel_inception_distance_of_torchmetrics():
    import torch

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 7)), rng.normal(size=(50, 7)) + 0.3
    wanted = poly_mmd(torch.from_numpy(x), torch.from_numpy(y), degree=3, gamma=None, coef=1.0)
    assert squared_mmd(x, y) == pytest.approx(wanted.item(), rel=1e-12)
    reference = Reference([y])
    standard = [torch.from_numpy((part - y.mean(0)) / y.std(0)) for part in (x, y)]
    assert reference.compare([x]).squared[0] == pytest.approx(poly_mmd(*standard, 3, None, 1.0).item(), rel=1e-12)


def test_does_not_depend_on_blocks_order_shift_or_scale(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(33, 4)), rng.normal(size=(45, 4)) * 2
    wanted = Reference([y]).compare([x])
    monkeypatch.setattr(mmd, "ROWS", 7)
    again = Reference([5 * y - 3]).compare([5 * x - 3])
    np.testing.assert_allclose(again.squared, wanted.squared)
    np.testing.assert_allclose(again.resampled, wanted.resampled)
    assert Reference([y]).compare([x[::-1]]).squared == pytest.approx(wanted.squared)
    assert squared_mmd(x, y) == pytest.approx(squared_mmd(y, x))


def test_resamples_are_sets_drawn_again():
    """A resample is the unbiased estimate of the distinct pairs that the drawn images form."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 2)), rng.normal(size=(5, 2))
    found = Reference([y], resamples=3, seed=4).compare([x], seed=5)
    standard = [(part - y.mean(0)) / y.std(0) for part in (x, y)]
    weights = [np.random.default_rng(s).multinomial(len(p), [1 / len(p)] * len(p), size=3) for s, p in ((5, x), (4, y))]
    for r in range(3):
        rows = [np.repeat(np.arange(len(p)), w[r]) for p, w in zip(standard, weights, strict=True)]
        inside = []
        for part, row in zip(standard, rows, strict=True):
            apart = row[:, None] != row[None]
            inside.append(polynomial_kernel(part[row], part[row])[apart].mean())
        across = polynomial_kernel(standard[0][rows[0]], standard[1][rows[1]]).mean()
        assert found.resampled[r, 0] == pytest.approx(inside[0] + inside[1] - 2 * across)


def test_intervals_cover():
    """Far apart: about as often as they say. Equal: never less often (they are too wide there, which is told)."""
    rng = np.random.default_rng(0)
    covered = {}
    for shift in (0.0, 0.7):
        p, q = (gaussian_moments(np.full(3, at), np.eye(3)) for at in (0.0, shift))
        truth = mean_kernel(p, p) + mean_kernel(q, q) - 2 * mean_kernel(p, q)
        inside = 0
        for _ in range(200):
            reference = Reference([rng.normal(size=(80, 3))], resamples=60, seed=rng)
            reference.means, reference.scales = [np.zeros(3)], [np.ones(3)]  # of the truth, so that it is known
            found = reference.compare([rng.normal(size=(60, 3)) + shift], seed=rng)
            inside += bool(found.low[0] <= truth <= found.high[0])
        covered[shift] = inside / 200
    assert covered[0.0] > 0.93
    assert 0.86 < covered[0.7] <= 1


def test_a_feature_that_hardly_varies_does_not_decide():
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(200, 5)), rng.normal(size=(200, 5))
    y[:, 0], x[:, 0] = 1e-9 * y[:, 0], 1e-3 + 1e-9 * x[:, 0]
    assert abs(Reference([y]).compare([x]).squared[0]) < 0.5


# ---- order in time ---------------------------------------------------------------------------------------------


def test_time_to_a_tenth_of_power_laws():
    steps = 2.0 ** np.arange(12)
    for exponent in (0.5, 1.0, 2.0):
        curve = (1 + steps) ** -exponent
        wanted = 10 ** (1 / exponent) * 1 - 1
        found = time_to_fraction([0, *steps], [1, *curve], 0.1)
        assert found == pytest.approx(wanted, rel=0.1) if wanted < steps[-1] else np.isnan(found)
    assert time_to_fraction([0, 4, 8], [1, 0.01, 0.001]) == 4
    assert np.isnan(time_to_fraction([0, 4, 8], [1, 0.01, 0.2]))  # for good, it says
    assert time_to_fraction([0, 4, 8, 16], [1, 0.01, 0.2, -0.001]) > 8


def test_order_of_depths_tells_order_from_its_absence():
    rng, steps = np.random.default_rng(0), np.array([0, *2.0 ** np.arange(10)])
    noise = np.exp(0.05 * rng.normal(size=(len(steps), 100, 4)))
    later = 1 / (1 + (steps[:, None] / np.array([2, 4, 8, 16])) ** 2)
    found = order_of_depths(steps, later, later[:, None] * noise)
    assert found.correlation == 1
    assert found.increasing > 0.99
    assert ((found.low <= found.time) & (found.time <= found.high)).all()
    np.testing.assert_allclose(found.time / found.time[0], [1, 2, 4, 8], rtol=0.05)
    same = later[:, :1].repeat(4, 1)
    none = order_of_depths(steps, same, same[:, None] * noise)
    assert none.correlation_low < 0 < none.correlation_high
    assert none.increasing < 0.3
    backwards = order_of_depths(steps, later[:, ::-1], later[:, None, ::-1] * noise)
    assert backwards.correlation_high < 0


@pytest.mark.parametrize("D", [3, 5, 9])
def test_chance_of_an_order_is_the_permutation_test(D):
    times = np.random.default_rng(D).permutation(D) + 1.0
    curves = np.exp(-np.arange(40)[:, None] / times)
    found = order_of_depths(np.arange(40), curves, curves[:, None].repeat(2, 1))
    wanted = spearmanr(np.arange(D), times)
    assert found.correlation == pytest.approx(wanted.statistic)
    if D <= 5:
        exact = [spearmanr(np.arange(D), order).statistic >= wanted.statistic - 1e-9 for order in permutations(times)]
        assert found.chance == pytest.approx(np.mean(exact))
    else:
        assert found.chance == pytest.approx(spearmanr(np.arange(D), times, alternative="greater").pvalue, abs=0.03)


def test_depths_that_never_arrive_are_last_and_infinite():
    curves = np.array([[1.0, 1.0], [0.01, 0.9]])
    found = order_of_depths([0, 10], curves, curves[:, None].repeat(3, 1))
    assert found.time.tolist() == [10, np.inf]
    assert found.correlation == pytest.approx(1)


# ---- nearest neighbors -----------------------------------------------------------------------------------------


def test_nearest_is_brute_force(monkeypatch):
    from hcg_lib import neighbors

    monkeypatch.setattr(neighbors, "ROWS", 3)
    rng = np.random.default_rng(0)
    x, training = rng.normal(size=(10, 4)).astype(np.float32), rng.normal(size=(20, 4)).astype(np.float32)
    distances = np.linalg.norm(x[:, None] - training[None], axis=-1)
    found, rows = nearest(x, training)
    np.testing.assert_allclose(found, distances.min(1), rtol=1e-5)
    assert rows.tolist() == distances.argmin(1).tolist()


def test_memory_of_copies_of_strangers_and_of_a_mixture():
    rng = np.random.default_rng(0)
    training, held_out, fresh = (rng.normal(size=(size, 8)) for size in (100, 1000, 1000))
    strangers = memory(fresh, held_out, training)
    assert strangers.ratio == pytest.approx(1, abs=0.05)
    assert strangers.copied == pytest.approx(0.01, abs=0.012)
    mixed = memory(np.concatenate([fresh[:700], training.repeat(3, 0) + 1e-3]), held_out, training)
    assert mixed.copied == pytest.approx(0.307, abs=0.015)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: squared_mmd([[1.0]], [[1.0], [2.0]]), r"x must have shape \(N, channels\) with N >= 2, got \(1, 1\)"),
        (lambda: squared_mmd([[1.0], [np.nan]], [[1.0], [2.0]]), "x must hold finite numbers"),
        (lambda: squared_mmd(np.ones((2, 3)), np.ones((2, 2))), "y must have the 3 channels of x, got 2"),
        (lambda: Reference([]), "features must be arrays of the same images"),
        (lambda: Reference([np.ones((3, 2))]), "features must differ between images, got 3 equal rows"),
        (lambda: Reference([np.eye(3), np.eye(4)]), "features must be arrays of the same images"),
        (lambda: Reference([np.eye(3)]).compare([np.eye(4)]), "features must have the reference's 3 channels, got 4"),
        (lambda: Reference([np.eye(3)]).compare([]), "features must be 1 arrays, one a depth, got 0"),
        (lambda: time_to_fraction([0, 1], [0.0, 1.0]), "starts above 0"),
        (lambda: time_to_fraction([1, 0], [1.0, 1.0]), "steps must increase"),
        (lambda: order_of_depths([0, 1], np.ones((2, 3)), np.ones((2, 5, 4))), "resampled must have shape"),
        (lambda: nearest(np.ones((2, 3)), np.ones((2, 4))), "training must have the 3 channels of x, got 4"),
        (lambda: memory(np.eye(3), np.eye(3), np.eye(3)), "held_out must differ from training"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
