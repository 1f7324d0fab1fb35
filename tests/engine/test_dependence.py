"""How the steps of a block belong together."""

from __future__ import annotations

import math

import pytest
import torch

from forecast.engine.dependence import noise_factor, pairs, walk_like


def ar_scores(rows, steps, phi=0.9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(rows, steps, generator=generator, dtype=torch.float64)
    scores = noise.clone()
    for step in range(1, steps):
        scores[:, step] = phi * scores[:, step - 1] + math.sqrt(1 - phi**2) * noise[:, step]
    return scores


def ar_matrix(steps, phi=0.9):
    lag = torch.arange(steps, dtype=torch.float64)
    return phi ** (lag[:, None] - lag).abs()


def assert_is_a_factor(factor, steps):
    assert factor.shape == (steps, steps)
    assert torch.equal(factor, factor.tril())
    assert (factor.diagonal() > 0).all()
    size = factor.norm(dim=1)
    assert ((size >= 0.5 - 1e-9) & (size <= 3 + 1e-9)).all()


def correlation(factor):
    unit = factor / factor.norm(dim=1, keepdim=True)
    return unit @ unit.T


@pytest.mark.parametrize("size", [0.6, 1.0, 1.5])
def test_dependence_and_width_of_autoregressive_scores_are_recovered(size):
    # a head that is too wide or too narrow has scores of another variance than 1
    scores = size * ar_scores(6000, 24)
    factor = noise_factor(scores, torch.ones(6000, 24, dtype=torch.bool), usual=0.5)
    assert_is_a_factor(factor, 24)
    assert (correlation(factor) - ar_matrix(24)).abs().max() < 0.04
    assert torch.allclose(factor.norm(dim=1) / size, torch.ones(24).double(), atol=0.03)


def test_every_step_has_a_width_of_its_own():
    size = torch.tensor([0.7, 1.0, 1.3, 2.0], dtype=torch.float64)
    factor = noise_factor(size * ar_scores(6000, 4), torch.ones(6000, 4, dtype=torch.bool))
    assert torch.allclose(factor.norm(dim=1), size, rtol=0.05)
    # so few scores say little about one step: the widths are shrunk towards a common one
    few = noise_factor(size * ar_scores(10, 4, 0.0), torch.ones(10, 4, dtype=torch.bool))
    assert few.norm(dim=1).std() < 0.5 * size.std()


@pytest.mark.parametrize(("size", "bound"), [(1e-6, 0.01), (100.0, 3.0)])
def test_widths_stay_within_bounds(size, bound):
    factor = noise_factor(size * ar_scores(6000, 4), torch.ones(6000, 4, dtype=torch.bool))
    assert torch.allclose(factor.norm(dim=1), torch.full((4,), bound).double())


def test_a_few_wild_series_do_not_widen_the_bands_of_many():
    scores, observed = ar_scores(2000, 4, 0.0), torch.ones(2000, 4, dtype=torch.bool)
    scores[::20] *= 10

    def held(independent):
        size = noise_factor(scores, observed, independent).norm(dim=1)
        return (scores.abs() < 1.2816 * size).double().mean()

    assert held(0.0) > 0.87 > held(50.0) > 0.83 > held(1000.0) > 0.79
    few = noise_factor(scores[:10], observed[:10], 1.0)  # of which the variance tells more
    torch.testing.assert_close(few, noise_factor(scores[:10], observed[:10]), rtol=0.05, atol=0.05)


def test_independent_scores_make_independent_steps():
    factor = noise_factor(ar_scores(6000, 12, 0.0), torch.ones(6000, 12, dtype=torch.bool))
    assert (factor - torch.eye(12)).abs().max() < 0.06


@pytest.mark.parametrize("rows", [0, 1, 2, 5, 30])
@pytest.mark.parametrize("steps", [1, 2, 24])
def test_few_rows_make_a_factor(rows, steps):
    for seed in range(5):
        scores = ar_scores(rows, steps, seed=seed)
        factor = noise_factor(scores, torch.ones(rows, steps, dtype=torch.bool))
        assert_is_a_factor(factor, steps)


def walk_matrix(steps):
    step = torch.arange(1.0, steps + 1).double()
    return (torch.minimum(step[:, None], step) / torch.maximum(step[:, None], step)).sqrt()


def walk_scores(rows, steps, seed):
    noise = torch.randn(rows, steps, generator=torch.Generator().manual_seed(seed)).double()
    return noise.cumsum(1) / torch.arange(1, steps + 1).sqrt()


def test_few_rows_lean_on_what_is_usual():
    usual = walk_matrix(24)
    mean, ours, sample = pairs(usual).mean().item(), [], []
    for seed in range(10):
        scores = walk_scores(12, 24, seed)
        observed = torch.ones(12, 24, dtype=torch.bool)
        found = correlation(noise_factor(scores, observed, 3.0, mean))
        ours.append((found - usual).abs().mean().item())
        sample.append((torch.corrcoef(scores.T) - usual).abs().mean().item())
    nothing = (torch.eye(24) - usual).abs().mean().item()
    assert sum(ours) / 10 < 0.15 * nothing
    assert sum(ours) < 0.5 * sum(sample)


def test_many_scores_tell_what_steps_have_in_common_whatever_is_usual():
    scores, observed = walk_scores(60, 24, 0), torch.ones(60, 24, dtype=torch.bool)

    def apart(independent):
        low, high = (noise_factor(scores, observed, independent, usual) for usual in (0.1, 0.9))
        return (correlation(low) - correlation(high)).abs().mean()

    assert apart(1e4) < 0.01 < 0.2 < apart(1.0)


@pytest.mark.parametrize("steps", [2, 3, 24, 720])
@pytest.mark.parametrize("mean", [0.05, 0.5, 0.95])
def test_walk_like_steps_have_in_common_what_was_asked_for(mean, steps):
    found = walk_like(mean, steps)
    assert pairs(found).mean() == pytest.approx(mean, abs=1e-6)
    assert (found.diagonal() == 1).all() and torch.equal(found, found.T)
    assert torch.linalg.eigvalsh(found).min() > -1e-9
    assert torch.equal(walk_like(-mean, steps), torch.eye(steps, dtype=torch.float64))
    assert torch.equal(walk_like(2.0, steps), walk_like(0.99, steps))  # of scores out of range


def test_walk_like_steps_are_those_of_a_walk_that_have_as_much_in_common():
    walk = walk_matrix(12)
    torch.testing.assert_close(walk_like(pairs(walk).mean().item(), 12), walk)


def test_unobserved_steps_do_not_count():
    scores = ar_scores(6000, 12)
    observed = torch.arange(12) < torch.randint(4, 13, (6000, 1))  # ends of series
    observed &= torch.rand(6000, 12) < 0.9
    factor = noise_factor(torch.where(observed, scores, 1e9), observed)
    assert_is_a_factor(factor, 12)
    assert (correlation(factor) - ar_matrix(12)).abs().max() < 0.08
    assert torch.equal(factor, noise_factor(torch.where(observed, scores, torch.nan), observed))


def test_a_step_that_is_never_observed_follows_the_others():
    observed = torch.ones(300, 6, dtype=torch.bool)
    observed[:, 3:] = False
    usual = pairs(ar_matrix(6)).mean().item()
    factor = noise_factor(ar_scores(300, 6), observed, 0.0, usual)
    assert_is_a_factor(factor, 6)
    assert (correlation(factor) - ar_matrix(6)).abs().max() < 0.15
    nothing = noise_factor(ar_scores(300, 6), torch.zeros_like(observed))
    assert torch.equal(nothing, torch.eye(6, dtype=torch.float64))


def test_pairs_that_were_never_seen_tell_nothing():
    observed = torch.ones(300, 6, dtype=torch.bool)
    observed[:, 3:] = False
    near = correlation(noise_factor(ar_scores(300, 6), observed, 1e9))
    assert pairs(near).mean() == pytest.approx(0.9, abs=0.03)  # as of the first three
    alone = torch.eye(6, dtype=torch.bool).repeat(9, 1)
    far = correlation(noise_factor(ar_scores(54, 6), alone, 1e9, 0.5))
    assert pairs(far).mean() == pytest.approx(0.5)


def test_wild_scores_still_make_a_factor():
    scores, observed = ar_scores(50, 8), torch.ones(50, 8, dtype=torch.bool)
    scores[3] = 1e30
    scores[4, 2] = -math.inf
    assert_is_a_factor(noise_factor(scores, observed), 8)
    # perfectly dependent: still positive definite
    assert_is_a_factor(noise_factor(torch.ones(50, 8, dtype=torch.float64), observed), 8)
