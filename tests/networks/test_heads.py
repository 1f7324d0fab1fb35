"""The contract of heads, for every head there is, and what each family promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.metrics import mean_pinball_loss

import forecast.networks
from forecast.networks.heads import (
    LEVELS,
    Head,
    NormalHead,
    PointHead,
    QuantileHead,
    interpolate,
    normal_scores,
)
from tests import naive
from tests.checks import concrete_subclasses

ROWS, BLOCK = 40, 6

# Arguments beyond the defaults; every other head is built without any.
VARIANTS = {
    "QuantileHead": [{}, {"levels": (0.05, 0.25, 0.6, 0.95)}, {"levels": (0.1, 0.9)}],
    "PointHead": [{"criterion": name, "block": BLOCK} for name in PointHead.criteria],
}
KINDS = concrete_subclasses(forecast.networks, Head)
CASES = [
    pytest.param(kind, options, id="-".join([kind.__name__, *map(str, options.values())]))
    for kind in KINDS
    for options in VARIANTS.get(kind.__name__, [{}])
]
every_head = pytest.mark.parametrize(("kind", "options"), CASES)


def build(kind, options) -> Head:
    """Return a head in float64, calibrated on skewed residuals where it learns them."""
    head = kind(**options).double()
    generator = torch.Generator().manual_seed(5)
    error = torch.randn(200, BLOCK, generator=generator, dtype=torch.float64).exp() - 1.5
    zero = torch.zeros(200, BLOCK, head.raw_size, dtype=torch.float64)
    head.calibrate(zero, error, torch.ones_like(error, dtype=torch.bool))
    return head


def numbers(*shape: int, seed: int = 0, size: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_the_suite_finds_the_heads():
    assert {"QuantileHead", "NormalHead", "PointHead"} <= {
        case.values[0].__name__ for case in CASES
    }


@every_head
def test_sample_and_pit_are_inverse(kind, options):
    head = build(kind, options)
    raw = numbers(ROWS, BLOCK, head.raw_size, size=2)
    noise, z = numbers(ROWS, BLOCK, seed=1, size=2), numbers(ROWS, BLOCK, seed=2, size=5)
    drawn = head.sample(raw, noise)
    assert drawn.shape == head.pit(raw, z).shape == (ROWS, BLOCK)
    assert (head.pit(raw, drawn) - noise).abs().max() < 1e-6
    assert (head.sample(raw, head.pit(raw, z)) - z).abs().max() < 1e-6


@every_head
@pytest.mark.parametrize("level", [0.001, 0.07, 0.1, 0.5, 0.83, 0.999])
def test_quantile_and_pit_are_inverse(kind, options, level):
    head = build(kind, options)
    raw = numbers(ROWS, BLOCK, head.raw_size, size=2)
    levels = stats.norm.cdf(head.pit(raw, head.quantile(raw, level)))
    assert np.abs(levels - level).max() < 1e-6


@every_head
@given(
    seed=st.integers(0, 1000),
    size=st.sampled_from([0.0, 1.0, 30.0, 1e4]),
    levels=st.lists(st.floats(1e-4, 1 - 1e-4), min_size=2, max_size=8),
)
@settings(max_examples=25)
def test_quantiles_never_cross(kind, options, seed, size, levels):
    head = build(kind, options)
    raw = numbers(ROWS, BLOCK, head.raw_size, seed=seed, size=size)
    quantiles = torch.stack([head.quantile(raw, level) for level in sorted(levels)], -1)
    assert torch.isfinite(quantiles).all()
    assert (quantiles.diff(dim=-1) >= -1e-12 * (1 + size)).all()


@every_head
def test_samples_have_the_quantiles_that_are_claimed(kind, options):
    head = build(kind, options)
    raw = numbers(1, BLOCK, head.raw_size).expand(20_000, -1, -1)
    drawn = head.sample(raw, numbers(20_000, BLOCK, seed=3))
    for level in (0.1, 0.3, 0.5, 0.9):
        below = (drawn < head.quantile(raw[:1], level)).double().mean(0)
        assert (below - level).abs().max() < 0.015


@every_head
def test_the_location_moves_everything(kind, options):
    # the readout adds its templates to the first raw number, whatever the head
    head = build(kind, options)
    raw, moved = (numbers(ROWS, BLOCK, head.raw_size) for _ in range(2))
    moved[..., 0] += 3
    z = numbers(ROWS, BLOCK, seed=1)
    assert torch.allclose(head.loss(moved, z + 3), head.loss(raw, z))
    assert torch.allclose(head.pit(moved, z + 3), head.pit(raw, z))
    assert torch.allclose(head.mean(moved), head.mean(raw) + 3)
    assert torch.allclose(head.quantile(moved, 0.8), head.quantile(raw, 0.8) + 3)


@every_head
def test_a_step_knows_only_itself(kind, options):
    head = build(kind, options)
    raw, z = numbers(ROWS, BLOCK, head.raw_size), numbers(ROWS, BLOCK, seed=1)
    other = raw.clone()
    other[3, 2] += 1
    changed = torch.zeros(ROWS, BLOCK, dtype=torch.bool)
    changed[3, 2] = True
    for answer in (head.loss, head.pit, head.sample):
        assert torch.equal(answer(raw, z) != answer(other, z), changed)
        # a short last block is the beginning of a whole one
        assert torch.equal(answer(raw, z)[:, :2], answer(raw[:, :2], z[:, :2]))


@every_head
@pytest.mark.parametrize("size", [0.0, 30.0, 1e4, 1e6])
def test_gradients_are_finite_at_extreme_raw_numbers(kind, options, size):
    head = build(kind, options).float()
    sign = numbers(ROWS, BLOCK, head.raw_size).sign().float()
    for z in (0.0, 1.0, -size):
        raw = (size * sign).requires_grad_()
        loss = head.loss(raw, torch.full((ROWS, BLOCK), z))
        assert torch.isfinite(loss).all()
        (gradient,) = torch.autograd.grad(loss.sum(), raw)
        assert torch.isfinite(gradient).all()


@every_head
def test_learning_finds_the_distribution(kind, options):
    # the loss is proper: free raw numbers come to describe the data they are trained on
    head = kind(**options)
    z = 2 + 0.5 * numbers(1000, 1, seed=4).float()
    raw = torch.zeros(1, 1, head.raw_size, requires_grad=True)
    optimizer = torch.optim.Adam([raw], 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        head.loss(raw.expand(len(z), -1, -1), z).mean().backward()
        optimizer.step()
    raw = raw.detach()
    head.calibrate(raw.expand(len(z), -1, -1), z, torch.ones_like(z, dtype=torch.bool))
    assert abs(head.mean(raw).item() - 2) < 0.06
    assert abs(head.quantile(raw, 0.9).item() - (2 + 0.5 * 1.2816)) < 0.08
    assert abs(head.quantile(raw, 0.1).item() - (2 - 0.5 * 1.2816)) < 0.08


def test_pinball_equals_scikit_learn():
    head = QuantileHead().double()
    raw, z = numbers(ROWS, BLOCK, 9), numbers(ROWS, BLOCK, seed=1, size=3)
    quantiles = head.quantiles(raw).flatten(0, 1).numpy()
    ours, truth = head.loss(raw, z).mean().item(), z.flatten().numpy()
    losses = [
        mean_pinball_loss(truth, quantiles[:, q], alpha=level) for q, level in enumerate(LEVELS)
    ]
    assert ours == pytest.approx(2 * np.mean(losses), abs=1e-7)  # at the median: |e|


def test_a_quantile_head_reads_its_own_levels():
    for levels in [LEVELS, (0.05, 0.25, 0.6, 0.95)]:
        head = QuantileHead(levels).double()
        raw = numbers(ROWS, BLOCK, len(levels), size=3)
        own = head.quantiles(raw)
        assert (own.diff(dim=-1) >= 1e-4 * (1 - 1e-9)).all()
        assert torch.equal(own[..., head.middle], raw[..., 0])
        for q, level in enumerate(levels):
            assert (head.quantile(raw, level) - own[..., q]).abs().max() < 1e-6


def test_quantile_tails_are_normal():
    head = QuantileHead().double()
    raw = numbers(ROWS, BLOCK, 9)
    own, scores = head.quantiles(raw), normal_scores(LEVELS)
    slope = (own[..., -1] - own[..., -2]) / (scores[-1] - scores[-2])
    expected = own[..., -1] + slope * (stats.norm.ppf(0.999) - scores[-1])
    assert (head.quantile(raw, 0.999) - expected).abs().max() < 1e-6


def test_mean_of_a_quantile_head_is_the_area_under_its_quantiles():
    head = QuantileHead().double()
    raw = numbers(8, 1, 9, size=2)
    width = head.quantile(raw, 0.9) - head.quantile(raw, 0.1)
    for row in range(8):
        own = raw[row : row + 1]
        area, _ = integrate.quad(
            lambda level, own=own: head.quantile(own, level).item(), 0, 1, points=LEVELS, limit=300
        )
        assert abs(head.mean(own).item() - area) < 0.01 * width[row].item()


def test_normal_likelihood_equals_scipy():
    head = NormalHead().double()
    raw, z = numbers(ROWS, BLOCK, 2, size=3), numbers(ROWS, BLOCK, seed=1, size=5)
    m, s = raw[..., 0].numpy(), np.logaddexp(0, raw[..., 1].numpy()) + 1e-3
    assert np.allclose(head.loss(raw, z).numpy(), -stats.norm.logpdf(z.numpy(), m, s), rtol=1e-12)
    for level in (0.01, 0.5, 0.9):
        expected = stats.norm.ppf(level, m, s)
        assert np.allclose(head.quantile(raw, level).numpy(), expected, atol=1e-12)
    assert torch.equal(head.mean(raw), raw[..., 0])


def test_point_losses_equal_their_formulas():
    raw, z = numbers(ROWS, BLOCK, 1), numbers(ROWS, BLOCK, seed=1, size=2)
    error = (z - raw[..., 0]).abs()
    assert torch.equal(PointHead("mae").loss(raw, z), error)
    assert torch.equal(PointHead("mse").loss(raw, z), error.square())
    huber = torch.where(error < 1, error.square() / 2, error - 0.5)
    assert torch.allclose(PointHead("huber").loss(raw, z), huber)


def test_a_point_head_learns_the_residuals_of_every_step():
    head = PointHead("mae", 3).double()
    raw = numbers(4000, 3, 1)
    error = numbers(4000, 3, seed=1) * torch.tensor([1.0, 2.0, 5.0]) + torch.tensor([0.0, 0.5, -1])
    observed = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) < 0.8
    z = torch.where(observed, raw[..., 0] + error, 1e9)  # what is unobserved must not count
    head.calibrate(raw, z, observed)
    for step in range(3):
        seen = error[:, step][observed[:, step]].numpy()
        trust = len(seen) / (len(seen) + 50)  # few residuals lean on those of all steps
        own, all_steps = (np.quantile(part, head.levels) for part in (seen, error[observed]))
        expected = trust * own + (1 - trust) * all_steps + 1e-4 * stats.norm.ppf(head.levels)
        assert np.allclose(head.residuals[step].numpy(), expected, atol=1e-5)
    drawn = head.sample(raw, numbers(4000, 3, seed=2)) - raw[..., 0]
    assert torch.allclose(drawn.std(0), error.std(0), rtol=0.08)


def test_a_step_without_residuals_takes_those_of_the_others():
    head, fresh = PointHead("mse", 3).double(), PointHead("mse", 3).double()
    z = numbers(50, 3, seed=1)
    observed = torch.ones(50, 3, dtype=torch.bool)
    observed[:, 1] = False
    head.calibrate(torch.zeros(50, 3, 1).double(), z, observed)
    expected = np.quantile(z[:, [0, 2]], head.levels)
    assert np.allclose(head.residuals[1], expected, atol=1e-3)
    fresh.calibrate(torch.zeros(50, 3, 1).double(), z, torch.zeros_like(observed))
    assert torch.allclose(fresh.residuals, fresh.scores.double().expand(3, -1), atol=1e-6)


@pytest.mark.parametrize("rows", [1, 50])
def test_equal_residuals_can_still_be_inverted(rows):
    head = PointHead("mse", 2).double()
    raw = torch.zeros(rows, 2, 1, dtype=torch.float64)
    head.calibrate(raw, torch.full((rows, 2), 0.3), torch.ones(rows, 2, dtype=torch.bool))
    noise = numbers(rows, 2)
    assert (head.pit(raw, head.sample(raw, noise)) - noise).abs().max() < 1e-6
    assert torch.allclose(head.sample(raw, noise), torch.tensor(0.3).double(), atol=1e-3)


@given(
    knots=st.lists(st.floats(-100, 100), min_size=2, max_size=9, unique_by=lambda x: round(x, 2)),
    seed=st.integers(0, 1000),
)
def test_interpolate_equals_its_slow_twin(knots, seed):
    x = torch.tensor(sorted(knots), dtype=torch.float64)
    y = numbers(4, len(knots), seed=seed, size=10).sort(-1).values
    at = torch.cat([x, numbers(12, seed=seed, size=80)])
    for row in range(4):
        expected = naive.interpolate(at.numpy(), x.numpy(), y[row].numpy())
        assert np.allclose(interpolate(at, x, y[row]).numpy(), expected, rtol=1e-9, atol=1e-9)
    # one function per row, as quantile heads need it
    rows = at[-4:]
    each = [naive.interpolate(rows[k : k + 1].numpy(), x.numpy(), y[k].numpy()) for k in range(4)]
    assert np.allclose(interpolate(rows, x, y).numpy(), np.concatenate(each), rtol=1e-9, atol=1e-9)


# Members of an ensemble


@every_head
@pytest.mark.parametrize("level", [0.001, 0.05, 0.1, 0.34, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("size", [1.0, 6.0])
def test_merging_averages_quantile_functions(kind, options, level, size):
    head = build(kind, options)
    raw = numbers(ROWS, 3, BLOCK, head.raw_size, size=size)
    merged = head.merge(raw)
    assert merged.shape == (ROWS, BLOCK, head.raw_size)
    mean = torch.stack([head.quantile(raw[:, k], level) for k in range(3)]).mean(0)
    assert (head.quantile(merged, level) - mean).abs().max() < 1e-6


@every_head
def test_every_member_of_an_ensemble_has_its_own_loss(kind, options):
    head = build(kind, options)
    raw, z = numbers(ROWS, 3, BLOCK, head.raw_size), numbers(ROWS, 1, BLOCK, seed=1)
    loss = head.loss(raw, z)  # the members' targets are one
    assert loss.shape == (ROWS, 3, BLOCK)
    for k in range(3):
        assert torch.equal(loss[:, k], head.loss(raw[:, k], z[:, 0]))


@every_head
@pytest.mark.parametrize("members", [1, 2, 5])
def test_merging_equal_members_gives_the_member(kind, options, members):
    head = build(kind, options)
    raw = numbers(ROWS, BLOCK, head.raw_size, size=3)
    merged = head.merge(raw[:, None].expand(-1, members, -1, -1))
    assert (merged - raw).abs().max() < (1e-9 if members > 1 else 1e-300)


@every_head
def test_merging_asks_nothing_of_the_order_of_members(kind, options):
    head = build(kind, options)
    raw = numbers(ROWS, 3, BLOCK, head.raw_size, size=3)
    assert (head.merge(raw) - head.merge(raw[:, [2, 0, 1]])).abs().max() < 1e-12


@every_head
@pytest.mark.parametrize("size", [-80.0, 80.0])
def test_merging_in_single_precision_survives_the_ends_of_the_softplus(kind, options, size):
    head = kind(**options)
    raw = torch.full((1, 3, BLOCK, head.raw_size), size)
    for level in (0.1, 0.5, 0.9):
        merged, alone = head.quantile(head.merge(raw), level), head.quantile(raw[:, 0], level)
        assert torch.allclose(merged, alone, rtol=1e-5)
