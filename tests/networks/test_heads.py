"""The contract of heads, for every head there is, and what each family promises."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.metrics import mean_pinball_loss

from forecast.networks.heads.base import Head, interpolate, normal_scores
from forecast.networks.heads.counts import DiscreteHead
from forecast.networks.heads.negative_binomial import NegativeBinomialHead
from forecast.networks.heads.normal import NormalHead
from forecast.networks.heads.point import PointHead
from forecast.networks.heads.quantile import LEVELS, QuantileHead
from forecast.networks.heads.registry import HEADS
from forecast.networks.heads.student_t import StudentTHead
from forecast.networks.heads.zero_inflated import ZeroInflatedHead
from tests import naive

ROWS, BLOCK = 40, 6
LEVEL, SPREAD = torch.tensor(6.0).double(), torch.tensor(4.0).double()  # of heads that are told

# Every head there is, and some beyond the defaults.
MAKERS: dict[str, Callable[[], Head]] = {
    **{name: partial(make, BLOCK) for name, make in HEADS.items()},
    "quantile, 4 levels": lambda: QuantileHead((0.05, 0.25, 0.6, 0.95)),
    "quantile, 2 levels": lambda: QuantileHead((0.1, 0.9)),
}
every_head = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
LOCATION = {name: make for name, make in MAKERS.items() if not make().counts}
every_location_head = pytest.mark.parametrize("make", LOCATION.values(), ids=LOCATION)
COUNTS = {name: make for name, make in MAKERS.items() if make().counts}
every_head_of_counts = pytest.mark.parametrize("make", COUNTS.values(), ids=COUNTS)


def build(make) -> Head:
    """Return a head in float64, calibrated on skewed residuals where it learns them."""
    head = make().double()
    generator = torch.Generator().manual_seed(5)
    error = torch.randn(200, BLOCK, generator=generator, dtype=torch.float64).exp() - 1.5
    zero = 0 * numbers_for(head, 200, BLOCK)
    head.calibrate(zero, error, torch.ones_like(error, dtype=torch.bool))
    return head


def numbers(*shape: int, seed: int = 0, size: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(*shape, generator=generator, dtype=torch.float64)


def numbers_for(head, *shape: int, **options) -> torch.Tensor:
    """Return parameters for values around `LEVEL`."""
    return head.attach_scale(numbers(*shape, head.n_params, **options), LEVEL, SPREAD)


def values_for(head, *shape: int, **options) -> torch.Tensor:
    """Return scaled values; of counts any from zero on."""
    z = numbers(*shape, **options)
    return (z.abs() * SPREAD - LEVEL) / SPREAD if head.counts else z


def test_the_suite_finds_the_heads():
    assert {"quantile", "normal", "mae", "student_t", "negative_binomial"} <= set(MAKERS)


@every_head
def test_icdf_and_normal_score_are_inverse(make):
    head = build(make)
    params = numbers_for(head, ROWS, BLOCK, size=2)
    noise, z = numbers(ROWS, BLOCK, seed=1, size=2), values_for(head, ROWS, BLOCK, seed=2, size=5)
    drawn, score = head.icdf(params, noise), head.normal_score(params, z)
    assert drawn.shape == score.shape == (ROWS, BLOCK)
    reach = 5 if head.counts else torch.inf  # beyond, neighbouring counts leave too few digits
    assert (head.normal_score(params, drawn) - noise)[noise.abs() < reach].abs().max() < 1e-6
    assert (head.icdf(params, score) - z)[score.abs() < reach].abs().max() < 1e-6


@every_head
def test_scores_broadcast_against_parameters(make):
    head, scores = build(make), numbers(4, BLOCK, seed=1)
    params = numbers_for(head, ROWS, BLOCK, size=2)
    each = torch.stack([head.icdf(params, row.expand(ROWS, BLOCK)) for row in scores], 1)
    torch.testing.assert_close(head.icdf(params[:, None], scores), each, rtol=1e-12, atol=1e-12)


@every_head
@pytest.mark.parametrize("level", [0.001, 0.07, 0.1, 0.5, 0.83, 0.999])
def test_quantile_and_normal_score_are_inverse(make, level):
    head = build(make)
    params = numbers_for(head, ROWS, BLOCK, size=2)
    levels = stats.norm.cdf(head.normal_score(params, head.quantile(params, level)))
    assert np.abs(levels - level).max() < 1e-6


@every_head
@given(
    seed=st.integers(0, 1000),
    size=st.sampled_from([0.0, 1.0, 30.0, 1e4]),
    levels=st.lists(st.floats(1e-4, 1 - 1e-4), min_size=2, max_size=8),
)
@settings(max_examples=12)
def test_quantiles_never_cross(make, seed, size, levels):
    head = build(make)
    params = numbers_for(head, ROWS, BLOCK, seed=seed, size=size)
    quantiles = torch.stack([head.quantile(params, level) for level in sorted(levels)], -1)
    assert torch.isfinite(quantiles).all()
    assert (quantiles.diff(dim=-1) >= -1e-12 * (1 + size)).all()


@every_head
def test_samples_have_the_quantiles_that_are_claimed(make):
    head = build(make)
    params = numbers_for(head, 1, BLOCK).expand(20_000, -1, -1)
    drawn = head.icdf(params, numbers(20_000, BLOCK, seed=3))
    for level in (0.1, 0.3, 0.5, 0.9):
        below = (drawn < head.quantile(params[:1], level)).double().mean(0)
        assert (below - level).abs().max() < 0.015


@every_location_head
def test_the_location_moves_everything(make):
    # the readout adds its templates to the first parameter, whatever the head
    head = build(make)
    params, moved = (numbers_for(head, ROWS, BLOCK) for _ in range(2))
    moved[..., 0] += 3
    z = numbers(ROWS, BLOCK, seed=1)
    assert torch.allclose(head.loss(moved, z + 3), head.loss(params, z))
    assert torch.allclose(head.normal_score(moved, z + 3), head.normal_score(params, z))
    assert torch.allclose(head.mean(moved), head.mean(params) + 3)
    assert torch.allclose(head.quantile(moved, 0.8), head.quantile(params, 0.8) + 3)


@every_head
def test_a_step_knows_only_itself(make):
    head = build(make)
    params, z = numbers_for(head, ROWS, BLOCK), values_for(head, ROWS, BLOCK, seed=1)
    other = params.clone()
    other[3, 2] += 1
    changed = torch.zeros(ROWS, BLOCK, dtype=torch.bool)
    changed[3, 2] = True
    for answer in (head.loss, head.normal_score, head.icdf):
        assert torch.equal(answer(params, z) != answer(other, z), changed)
        # a short last block is the beginning of a whole one
        assert torch.equal(answer(params, z)[:, :2], answer(params[:, :2], z[:, :2]))


@every_head
@pytest.mark.parametrize("size", [0.0, 30.0, 1e4, 1e6])
def test_gradients_are_finite_at_extreme_parameters(make, size):
    head = build(make).float()
    sign = numbers(ROWS, BLOCK, head.n_params).sign().float()
    for z in (0.0, 1.0, -size):
        params = (size * sign).requires_grad_()
        told = head.attach_scale(params, LEVEL.float(), SPREAD.float())
        loss = head.loss(told, torch.full((ROWS, BLOCK), z))
        assert torch.isfinite(loss).all()
        (gradient,) = torch.autograd.grad(loss.sum(), params)
        assert torch.isfinite(gradient).all()


@every_location_head
def test_learning_finds_the_distribution(make):
    # the loss is proper: free parameters come to describe the data they are trained on
    head = make()
    z = 2 + 0.5 * numbers(1000, 1, seed=4).float()
    params = torch.zeros(1, 1, head.n_params, requires_grad=True)
    optimizer = torch.optim.Adam([params], 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        head.loss(params.expand(len(z), -1, -1), z).mean().backward()
        optimizer.step()
    params = params.detach()
    head.calibrate(params.expand(len(z), -1, -1), z, torch.ones_like(z, dtype=torch.bool))
    assert abs(head.mean(params).item() - 2) < 0.06
    assert abs(head.quantile(params, 0.9).item() - (2 + 0.5 * 1.2816)) < 0.08
    assert abs(head.quantile(params, 0.1).item() - (2 - 0.5 * 1.2816)) < 0.08


def test_pinball_equals_scikit_learn():
    head = QuantileHead().double()
    params, z = numbers(ROWS, BLOCK, 9), numbers(ROWS, BLOCK, seed=1, size=3)
    quantiles = head.quantiles(params).flatten(0, 1).numpy()
    ours, truth = head.loss(params, z).mean().item(), z.flatten().numpy()
    losses = [
        mean_pinball_loss(truth, quantiles[:, q], alpha=level) for q, level in enumerate(LEVELS)
    ]
    assert ours == pytest.approx(2 * np.mean(losses), abs=1e-7)  # at the median: |e|


def test_a_quantile_head_reads_its_own_levels():
    for levels in [LEVELS, (0.05, 0.25, 0.6, 0.95)]:
        head = QuantileHead(levels).double()
        params = numbers(ROWS, BLOCK, len(levels), size=3)
        own = head.quantiles(params)
        assert (own.diff(dim=-1) >= 1e-4 * (1 - 1e-9)).all()
        assert torch.equal(own[..., head.middle], params[..., 0])
        for q, level in enumerate(levels):
            assert (head.quantile(params, level) - own[..., q]).abs().max() < 1e-6


def test_quantile_tails_are_normal():
    head = QuantileHead().double()
    params = numbers(ROWS, BLOCK, 9)
    own, scores = head.quantiles(params), normal_scores(LEVELS)
    slope = (own[..., -1] - own[..., -2]) / (scores[-1] - scores[-2])
    expected = own[..., -1] + slope * (stats.norm.ppf(0.999) - scores[-1])
    assert (head.quantile(params, 0.999) - expected).abs().max() < 1e-6


def test_mean_of_a_quantile_head_is_the_area_under_its_quantiles():
    head = QuantileHead().double()
    params = numbers(8, 1, 9, size=2)
    width = head.quantile(params, 0.9) - head.quantile(params, 0.1)
    for row in range(8):
        own = params[row : row + 1]
        area, _ = integrate.quad(
            lambda level, own=own: head.quantile(own, level).item(), 0, 1, points=LEVELS, limit=300
        )
        assert abs(head.mean(own).item() - area) < 0.01 * width[row].item()


def test_normal_likelihood_equals_scipy():
    head = NormalHead().double()
    params, z = numbers(ROWS, BLOCK, 2, size=3), numbers(ROWS, BLOCK, seed=1, size=5)
    m, s = params[..., 0].numpy(), np.logaddexp(0, params[..., 1].numpy()) + 1e-3
    assert np.allclose(
        head.loss(params, z).numpy(), -stats.norm.logpdf(z.numpy(), m, s), rtol=1e-12
    )
    for level in (0.01, 0.5, 0.9):
        expected = stats.norm.ppf(level, m, s)
        assert np.allclose(head.quantile(params, level).numpy(), expected, atol=1e-12)
    assert torch.equal(head.mean(params), params[..., 0])


def test_point_losses_equal_their_formulas():
    params, z = numbers(ROWS, BLOCK, 1), numbers(ROWS, BLOCK, seed=1, size=2)
    error = (z - params[..., 0]).abs()
    assert torch.equal(PointHead("mae").loss(params, z), error)
    assert torch.equal(PointHead("mse").loss(params, z), error.square())
    huber = torch.where(error < 1, error.square() / 2, error - 0.5)
    assert torch.allclose(PointHead("huber").loss(params, z), huber)


def test_a_point_head_learns_the_residuals_of_every_step():
    head = PointHead("mae", 3).double()
    params = numbers(4000, 3, 1)
    error = numbers(4000, 3, seed=1) * torch.tensor([1.0, 2.0, 5.0]) + torch.tensor([0.0, 0.5, -1])
    observed = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) < 0.8
    z = torch.where(observed, params[..., 0] + error, 1e9)  # what is unobserved must not count
    head.calibrate(params, z, observed)
    for step in range(3):
        seen = error[:, step][observed[:, step]].numpy()
        trust = len(seen) / (len(seen) + 50)  # few residuals lean on those of all steps
        own, all_steps = (np.quantile(part, head.levels) for part in (seen, error[observed]))
        expected = trust * own + (1 - trust) * all_steps + 1e-4 * stats.norm.ppf(head.levels)
        assert np.allclose(head.residuals[step].numpy(), expected, atol=1e-5)
    drawn = head.icdf(params, numbers(4000, 3, seed=2)) - params[..., 0]
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
    params = torch.zeros(rows, 2, 1, dtype=torch.float64)
    head.calibrate(params, torch.full((rows, 2), 0.3), torch.ones(rows, 2, dtype=torch.bool))
    noise = numbers(rows, 2)
    assert (head.normal_score(params, head.icdf(params, noise)) - noise).abs().max() < 1e-6
    assert torch.allclose(head.icdf(params, noise), torch.tensor(0.3).double(), atol=1e-3)


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


def test_student_likelihood_equals_scipy():
    head = StudentTHead().double()
    params, z = numbers(ROWS, BLOCK, 2, size=3), numbers(ROWS, BLOCK, seed=1, size=5)
    loc, scale = params[..., 0].numpy(), np.logaddexp(0, params[..., 1].numpy()) + 1e-3
    truth = stats.t(head.df.item(), loc, scale)
    with torch.no_grad():
        assert np.allclose(head.loss(params, z).numpy(), -truth.logpdf(z.numpy()), rtol=1e-10)
        for level in (0.001, 0.5, 0.9):
            assert np.allclose(head.quantile(params, level).numpy(), truth.ppf(level), rtol=1e-5)


@pytest.mark.parametrize(("df", "low", "high"), [(3.0, 2.3, 4.2), (50.0, 9.0, 1e3)])
def test_a_student_head_learns_how_heavy_tails_are(df, low, high):
    head, params = StudentTHead(), torch.zeros(1, 1, 2, requires_grad=True)
    z = torch.tensor(stats.t.rvs(df, size=(4000, 1), random_state=0)).float()
    optimizer = torch.optim.Adam([params, *head.parameters()], 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        head.loss(params.expand(len(z), -1, -1), z).mean().backward()
        optimizer.step()
    assert low < head.df.item() < high


# Counts


def family_of(params):
    """Return scipy's distribution of the counts that the negative binomial's parameters mean."""
    level, spread = params[..., 2].numpy(), params[..., 3].numpy()
    mean = spread * np.logaddexp(0, 4 * (level / spread + params[..., 0].numpy())) / 4
    wider = (spread * np.logaddexp(0, params[..., 1].numpy())) ** 2  # than a Poisson's variance
    return stats.nbinom(mean**2 / wider, mean / (mean + wider))


def scaled(y):
    return (y - LEVEL) / SPREAD


def test_negative_binomial_equals_scipy():
    head = NegativeBinomialHead().double()
    params = numbers_for(head, ROWS, BLOCK)
    truth, y = family_of(params), np.random.default_rng(0).poisson(6, (ROWS, BLOCK))
    loss = head.loss(params, scaled(torch.tensor(y))) + SPREAD.log()
    likely = truth.mean() > 0.1  # means are kept above zero
    assert np.allclose(loss.numpy()[likely], -truth.logpmf(y)[likely], rtol=1e-3)
    assert np.allclose(head.mean(params) * SPREAD + LEVEL, truth.mean(), atol=1e-5)
    for level in (0.001, 0.1, 0.5, 0.9, 0.999):
        counts = (head.quantile(params, level) * SPREAD + LEVEL).round()
        assert (counts.numpy() == truth.ppf(level)).mean() > 0.99


def test_without_more_width_the_negative_binomial_is_poissons():
    head = NegativeBinomialHead().double()
    params = numbers(ROWS, BLOCK, 2)
    params[..., 1] = -40
    params = head.attach_scale(params, LEVEL, SPREAD)
    truth, y = stats.poisson((head.mean(params) * SPREAD + LEVEL).numpy()), np.arange(BLOCK)
    loss = head.loss(params, scaled(torch.tensor(y).expand(ROWS, -1))) + SPREAD.log()
    assert np.allclose(loss.numpy(), -truth.logpmf(y), rtol=1e-4, atol=1e-4)


class PoissonHead(DiscreteHead):
    n_params = 1

    def domain_map(self, params):
        loc, level, spread = params.double().unbind(-1)
        mean = spread * torch.nn.functional.softplus(level / spread + loc)
        return mean, mean

    def log_prob(self, y, mean, shape):
        return y * mean.log() - mean - (y + 1).lgamma()

    def distribution(self, mean, shape):
        return stats.poisson(mean)


def test_three_methods_make_a_family_of_counts_a_head():
    head, y = PoissonHead(), np.arange(BLOCK)
    params, score = numbers_for(head, ROWS, BLOCK), numbers(ROWS, BLOCK, seed=1, size=2)
    truth = stats.poisson((head.mean(params) * SPREAD + LEVEL).numpy())
    loss = head.loss(params, scaled(torch.tensor(y).expand(ROWS, -1))) + SPREAD.log()
    assert np.allclose(loss.numpy(), -truth.logpmf(y))
    counts = (head.icdf(params, score) * SPREAD + LEVEL).round()
    assert (counts.numpy() == truth.ppf(stats.norm.cdf(score))).mean() > 0.99
    assert torch.allclose(head.normal_score(params, head.icdf(params, score)), score, atol=1e-6)


def test_zero_inflation_mixes_zero_in():
    head = ZeroInflatedHead(NegativeBinomialHead()).double()
    params, y = numbers_for(head, ROWS, BLOCK), torch.arange(BLOCK).expand(ROWS, -1)
    own = torch.cat([params[..., :2], params[..., -2:]], -1)
    p = (params[..., 2] - 2).sigmoid().numpy()
    expected = (1 - p) * family_of(own).pmf(y) + p * (y.numpy() == 0)
    found = (-head.loss(params, scaled(y)) - SPREAD.log()).exp().numpy()
    assert np.allclose(found, expected, rtol=1e-3, atol=1e-6)
    mean = (1 - p) * family_of(own).mean()
    assert np.allclose(head.mean(params) * SPREAD + LEVEL, mean, atol=1e-4)


@every_head_of_counts
def test_counts_that_were_drawn_have_normal_scores_once_ties_are_spread(make):
    head = build(make)
    params = numbers_for(head, 1, BLOCK, size=0.5).expand(5000, -1, -1)
    y = (head.icdf(params, numbers(5000, BLOCK, seed=3)) * SPREAD + LEVEL).round()
    scores = head.normal_score(params, head.jitter(params, scaled(y)))
    assert scores.mean(0).abs().max() < 0.06
    assert (scores.std(0) - 1).abs().max() < 0.04


@every_head_of_counts
def test_learning_finds_counts_with_many_zeros(make):
    head, generator = make(), np.random.default_rng(0)
    y = generator.negative_binomial(4, 0.4, 4000) * (generator.random(4000) < 0.8)
    z = scaled(torch.tensor(y[:, None])).float()
    free = torch.zeros(1, 1, head.n_params, requires_grad=True)
    optimizer = torch.optim.Adam([free], 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        params = head.attach_scale(free, LEVEL.float(), SPREAD.float())
        head.loss(params.expand(len(z), -1, -1), z).mean().backward()
        optimizer.step()
    params = params.detach()
    assert abs(head.mean(params).item() * 4 + 6 - y.mean()) < 0.3
    for level in (0.5, 0.9):
        found = head.quantile(params, level).item() * 4 + 6
        assert abs(round(found) - np.quantile(y, level)) <= 1


@every_head_of_counts
def test_members_counts_are_merged_close_to_the_mean_of_their_quantiles(make):
    head = build(make)
    params = numbers_for(head, ROWS, 3, BLOCK, size=0.3)
    merged = head.merge(params)
    for level in (0.1, 0.5, 0.9):
        mean = torch.stack([head.quantile(params[:, k], level) for k in range(3)]).mean(0)
        assert (head.quantile(merged, level) - mean).abs().max() * SPREAD < 1


# Members of an ensemble


@every_location_head
@pytest.mark.parametrize("level", [0.001, 0.05, 0.1, 0.34, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("size", [1.0, 6.0])
def test_merging_averages_quantile_functions(make, level, size):
    head = build(make)
    params = numbers_for(head, ROWS, 3, BLOCK, size=size)
    merged = head.merge(params)
    assert merged.shape == (ROWS, BLOCK, head.n_params)
    mean = torch.stack([head.quantile(params[:, k], level) for k in range(3)]).mean(0)
    assert (head.quantile(merged, level) - mean).abs().max() < 1e-6


@every_head
def test_every_member_of_an_ensemble_has_its_own_loss(make):
    head = build(make)
    params, z = numbers_for(head, ROWS, 3, BLOCK), numbers(ROWS, 1, BLOCK, seed=1)
    loss = head.loss(params, z)  # the members' targets are one
    assert loss.shape == (ROWS, 3, BLOCK)
    for k in range(3):
        assert torch.equal(loss[:, k], head.loss(params[:, k], z[:, 0]))


@every_head
@pytest.mark.parametrize("members", [1, 2, 5])
def test_merging_equal_members_gives_the_member(make, members):
    head = build(make)
    params = numbers_for(head, ROWS, BLOCK, size=3)
    merged = head.merge(params[:, None].expand(-1, members, -1, -1))
    assert (merged - params).abs().max() < (1e-9 if members > 1 else 1e-300)


@every_head
def test_merging_asks_nothing_of_the_order_of_members(make):
    head = build(make)
    params = numbers_for(head, ROWS, 3, BLOCK, size=3)
    assert (head.merge(params) - head.merge(params[:, [2, 0, 1]])).abs().max() < 1e-12


@every_head
@pytest.mark.parametrize("size", [-80.0, 80.0])
def test_merging_in_single_precision_survives_the_ends_of_the_softplus(make, size):
    head = make()
    params = torch.full((1, 3, BLOCK, head.n_params), size)
    params = head.attach_scale(params, LEVEL.float(), SPREAD.float())
    for level in (0.1, 0.5, 0.9):
        merged, alone = head.quantile(head.merge(params), level), head.quantile(params[:, 0], level)
        assert torch.allclose(merged, alone, rtol=1e-5)
