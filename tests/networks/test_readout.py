"""The readout: a step from its own features, known covariates and templates alone."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.functional import jacobian

from forecast.networks.readout import Readout

D, R, J, RAW = 7, 5, 3, 4
every_size = pytest.mark.parametrize("known_size", [0, 2])


def build(known_size: int) -> Readout:
    torch.manual_seed(0)
    readout = Readout(D, R, known_size, J, RAW).double()
    for weights in readout.parameters():  # some start at zero, where nothing would matter yet
        torch.nn.init.normal_(weights, std=0.5)
    return readout


def given(known_size: int, *rows: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = (*rows, D), (*rows, R, known_size), (*rows, R, J)
    return tuple(
        3 * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes
    )


@every_size
@pytest.mark.parametrize("r", [1, 2, R])
def test_a_short_block_is_the_beginning_of_a_whole_one(known_size, r):
    readout = build(known_size)
    features, known, templates = given(known_size, 6, 11)  # (B, T, ...), as in training
    whole = readout(features, known, templates)
    assert whole.shape == (6, 11, R, RAW)
    short = readout(features, known[..., :r, :], templates[..., :r, :])
    assert torch.allclose(whole[..., :r, :], short, rtol=1e-12)
    for t in (0, 10):  # (B, ...), as in a rollout
        assert torch.allclose(whole[:, t], readout(features[:, t], known[:, t], templates[:, t]))


@every_size
def test_the_location_is_a_convex_mixture_of_templates_and_level(known_size):
    readout = build(known_size)
    features, known, templates = given(known_size)
    slope = jacobian(lambda t: readout(features, known, t), templates)  # (R, RAW, R, J)
    assert not slope[:, 1:].any()  # templates reach the location alone
    for step in range(R):
        weights = slope[step, 0, step]
        assert (weights >= 0).all()
        assert weights.sum() < 1  # the rest belongs to the level
    # the weights do not depend on the templates: the mixture is linear in them
    correction = readout(features, known, 0 * templates)
    mixed = torch.einsum("asj,sj->a", slope[:, 0], templates)
    assert torch.allclose(readout(features, known, templates)[:, 0], correction[:, 0] + mixed)


def test_a_mixture_without_correction_cannot_explode():
    readout = build(0)
    with torch.no_grad():
        readout.direct.weight.zero_()
        readout.direct.bias.normal_().unflatten(0, (R, -1))[:, 0] = 0  # no correction
    features, known, templates = given(0)
    bound = templates.abs().max()
    for _ in range(1000):
        block = readout(features, known, templates)[:, 0]
        assert block.abs().max() <= bound
        templates = torch.stack([block, block.roll(1), block[-1].expand(R)], -1)


def test_a_step_depends_on_its_own_known_and_templates_alone():
    readout = build(2)
    features, known, templates = given(2)
    by_known = jacobian(lambda k: readout(features, k, templates), known)  # (R, RAW, R, K)
    by_template = jacobian(lambda t: readout(features, known, t), templates)
    for step in range(R):
        for other in range(R):
            own = step == other
            assert by_known[step, :, other].any() == own
            assert by_template[step, :, other].any() == own


@pytest.mark.mission("M49")
def test_a_dose_acts_on_its_own_and_all_later_steps():
    torch.manual_seed(0)
    readout = Readout(D, R, 4, J, RAW, plan_size=2).double()
    for weights in readout.parameters():
        torch.nn.init.normal_(weights, std=0.5)
    features, known, templates = given(4)
    unit = torch.tensor(2.0, dtype=torch.float64)
    by_known = jacobian(lambda k: readout(features, k, templates, unit), known)
    for step in range(R):
        for other in range(R):
            assert by_known[step, 0, other, 2:].all() == (other <= step)
            assert by_known[step, :, other, :2].any() == (other == step)  # the calendar

    # all of it in units of the typical spread
    added = [readout(features, known, templates, u * unit)[:, 0] for u in (0, 1, 2)]
    assert torch.allclose(added[2] - added[1], added[1] - added[0])
    # an integrator for each covariate and decay, step by step: s_j = d s_{j-1} + sqrt(1 - d^2) u_j
    torch.nn.init.zeros_(readout.out.weight)
    state, decay = torch.zeros(2, 1), readout.decay.sigmoid()
    for step in range(R):
        state = decay * state + (1 - decay**2).sqrt() * known[step, 2:, None]
        added = [readout(features, known, templates, u * unit)[step, 0] for u in (1, 0)]
        assert torch.allclose(added[0] - added[1], 2 * (readout.dose * state).sum())


def test_static_features_and_categories_change_the_forecast_of_their_series():
    torch.manual_seed(0)
    readout = Readout(D, R, 0, J, RAW, static_size=2, categories=[4, 2]).double()
    for weights in readout.parameters():
        torch.nn.init.normal_(weights, std=0.5)
    features, known, templates = given(0, 4)
    static = torch.tensor([[0.5, -1, 3, 1], [0.5, -1, 2, 1], [0.5, -1, 0, 0], [0, -1, 3, 1]])
    same = [part[:1].expand_as(part) for part in (features, known, templates)]
    raw = readout.eval()(*same, static=static.double())
    for row in (1, 2, 3):
        assert (raw[0] - raw[row]).abs().max() > 1e-3
    # in training a category is sometimes hidden, so that the unknown one learns a meaning
    readout.train()
    drawn = torch.stack([readout(*same, static=static.double())[0] for _ in range(200)])
    hidden = (drawn - raw[0]).abs().flatten(1).amax(1) > 1e-9
    assert 0 < hidden.double().mean() < 0.3


@every_size
def test_every_step_reads_the_features_in_its_own_way(known_size):
    readout = build(known_size)
    features, known, templates = given(known_size)
    same = known[:1].expand(R, -1), templates[:1].expand(R, -1)
    slope = jacobian(lambda f: readout(f, *same), features)  # (R, RAW, D)
    assert slope.flatten(1).any(1).all()
    assert torch.linalg.matrix_rank(slope[:, 0]) == R


def test_without_covariates_nothing_is_asked_of_them():
    readout = build(0)
    features, known, templates = given(0)
    assert known.shape == (R, 0)
    assert {name.split(".")[0] for name, _ in readout.named_parameters()} == {"direct"}
    assert torch.isfinite(readout(features, known, templates)).all()


@every_size
def test_training_starts_from_a_mixture_of_naive_forecasts(known_size):
    features, known, templates = given(known_size, 6)
    raw = Readout(D, R, known_size, J, RAW).double()(features, known, templates)
    assert not raw[..., 1:].any()
    other = Readout(D, R, known_size, J, RAW).double()(-features, -known, templates)
    assert torch.equal(raw, other)
    offered = torch.cat([templates, 0 * templates[..., :1]], -1)
    assert (raw[..., 0] <= offered.amax(-1)).all()
    assert (raw[..., 0] >= offered.amin(-1)).all()


def test_a_rare_template_starts_from_a_weight_near_zero():
    features, known, templates = given(0, 2)
    readout = Readout(D, R, 0, J, RAW, n_rare=1).double()
    slope = jacobian(lambda t: readout(features, known, t), templates)[0, 0, 0, 0, 0]  # (J,)
    assert slope[-1] == pytest.approx(torch.tensor(-4.0).exp() / (J + torch.tensor(-4.0).exp()))
    assert torch.allclose(slope[:-1], slope[0])
    assert slope[0] == pytest.approx(1 / (J + torch.tensor(-4.0).exp()))
