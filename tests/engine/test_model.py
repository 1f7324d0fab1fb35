"""What joins reader, networks and head: members, and how much each window's errors count."""

from __future__ import annotations

import pytest
import torch

from forecast.engine import stream
from forecast.engine.model import WEIGHT_RANGE, Model
from forecast.engine.scale import at_steps
from forecast.engine.support import Support
from forecast.networks.base import leaves
from forecast.networks.ensemble import Ensemble, EnsembleReadout
from forecast.networks.heads.registry import HEADS
from forecast.networks.recurrent import Recurrent
from forecast.networks.seq2seq import AttentiveSeq2Seq, Seq2Seq
from tests.checks import LOCATION_HEADS, NetworkCase, as_windows, build_model, gappy_data, same

X, KNOWN = gappy_data(T=200)
THREE = NetworkCase(Ensemble, {"cells": ("gru", "lstm", "gru")})
ROWS, START = torch.arange(5), torch.tensor([60, 0, -3, 70, 20])


def batch_of(model, windows=None):
    windows = windows or as_windows(X, KNOWN)
    return windows.batch(ROWS, START, windows.lengths, n_steps=12, reader=model.reader)


def alone(model, k):
    """Return the model of one member, which it shares with the ensemble."""
    parts = (model.network.members[k], model.readout.members[k])
    return Model(model.reader, Ensemble(parts[:1]), EnsembleReadout(parts[1:]), model.head, 4)


@pytest.mark.parametrize("head", HEADS)
def test_losses_and_gradients_of_a_member_are_those_it_has_alone(head):
    model = build_model(THREE, (4, 4, 4), head=head)
    batch = batch_of(model)
    loss, observed, params, z, _ = model.losses(batch, min_observed=1)
    assert (loss.shape, params.shape[:4]) == ((5, 12, 3, 4), (5, 12, 3, 4))
    assert observed.shape == z.shape == (5, 12, 1, 4)
    parts = list(model.parts())
    assert sum(map(len, parts)) == len(list(model.parameters()))
    learned = [[one for one in member if one.requires_grad] for member in parts[:3]]
    total = (loss * observed).sum()
    together = [torch.autograd.grad(total, own, retain_graph=True) for own in learned]
    tolerance = 1e-12 * max(1.0, loss.abs().max().item())
    for k, own in enumerate(learned):
        single, _, its_params, *_ = alone(model, k).losses(batch, min_observed=1)
        same((loss[:, :, k], params[:, :, k]), (single[:, :, 0], its_params[:, :, 0]), tolerance)
        by_itself = torch.autograd.grad((single * observed).sum(), own)
        same(together[k], by_itself, 1e-10 * max(g.abs().max().item() for g in by_itself))
    assert (loss[:, :, 0] - loss[:, :, 2]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", [Recurrent, Seq2Seq])
def test_origins_have_the_losses_that_they_have_among_all_steps(kind):
    model = build_model(NetworkCase(kind, {}), (4, 4, 4))
    origins, windows = range(1, 10, 4), as_windows(X, KNOWN)
    whole = batch_of(model, windows)._replace(takeover=6 if model.network.hands_over else None)
    *every, end = model.losses(whole, min_observed=1)
    *found, state = model.losses(whole.at(origins), min_observed=1)
    same(
        [part.double() for part in found],
        [at_steps(part, origins).double() for part in every],
        1e-12,
    )
    same(leaves(state), leaves(end), 1e-12)


@pytest.mark.parametrize("kind", ["tanh", "lstm"])
@pytest.mark.mission("M18")
def test_a_window_that_goes_on_reads_as_one_and_no_gradient_passes(kind):
    model = build_model(NetworkCase(Recurrent, {"cell": kind}), (4, 4, 4))
    windows = as_windows(X, KNOWN)
    options = {"n_steps": 6, "reader": model.reader}
    whole = batch_of(model)
    first = windows.batch(ROWS, START, windows.lengths, **options)
    second = windows.batch(ROWS, START + 24, windows.lengths, **options)
    _, _, params, _, end = model.losses(whole, min_observed=1)
    *_, state = model.losses(first, min_observed=1)
    apart = second._replace(fresh=torch.tensor([False, False, True, False, False]))
    *_, again, _, carried_end = model.losses(apart, min_observed=1, carried=state)
    on = ~apart.fresh
    same((params[on][:, 6:],), (again[on],), 1e-12)
    same((leaves(end)[0][on],), (leaves(carried_end)[0][on],), 1e-12)
    assert (params[2, 6:] - again[2]).abs().max() > 1e-3  # a fresh window begins without a past
    alone_again, *_ = model.losses(second, min_observed=1)
    afresh, *_ = model.losses(apart, min_observed=1, carried=state)
    same((alone_again[2],), (afresh[2],), 1e-12)


@pytest.mark.parametrize("kind", [Seq2Seq, AttentiveSeq2Seq])
def test_before_its_decoder_takes_over_a_window_is_read_from_the_encoder(kind):
    model = build_model(NetworkCase(kind, {}), (4, 4, 4))
    batch = batch_of(model)
    _, _, encoded, *_ = model.losses(batch, min_observed=1)
    _, observed, params, *_ = model.losses(batch._replace(takeover=7), min_observed=1)
    assert params.shape == encoded.shape and observed[:, :7].any(0).all()
    same(params[:, :7], encoded[:, :7])
    assert (params[:, 8:] - encoded[:, 8:]).abs().amax((2, 3, 4)).min() > 1e-3
    assert ((params[:, 7] == encoded[:, 7]).all()) == (kind is Seq2Seq)  # attention has looked


@pytest.mark.parametrize("head", LOCATION_HEADS)
def test_a_forecast_is_read_from_the_mean_of_the_members_quantiles(head):
    model, levels = build_model(THREE, (4, 4, 4), head=head), (0.02, 0.1, 0.5, 0.73, 0.99)
    windows = as_windows(X, KNOWN)
    with torch.no_grad():
        live = stream.encode(model, windows, ROWS, torch.full((5,), 150))
        reading = model.reader.newest(live.memory)
        given = live.features, KNOWN[:, 150:154], reading, live.static
        merged, each = model.read_out(*given), model.read_each(*given)
        for level in levels:
            asked = [level], reading.typical_spread
            mean = torch.stack([model.quantiles(each[:, k], *asked) for k in range(3)]).mean(0)
            assert (model.quantiles(merged, *asked) - mean).abs().max() < 1e-6


@pytest.mark.parametrize("head", LOCATION_HEADS)
def test_a_forecast_leans_on_a_mixture_of_templates_and_keeps_its_width(head):
    model = build_model(THREE, (4, 4, 4), head=head)
    with torch.no_grad():
        live = stream.encode(model, as_windows(X, KNOWN), ROWS, torch.full((5,), 150))
        reading = model.reader.newest(live.memory)
        given = live.features, KNOWN[:, 150:153], reading, live.static
        own = model.read_out(*given)
        model.lean(torch.tensor([0.5, 0.25, 0, 0, 0]), 0.4)  # the level has the rest
        found = model.read_out(*given)
    templates = reading.templates[:, :3]
    naive = 0.5 * templates[..., 0] + 0.25 * templates[..., 1]
    same((found[..., 0], found[..., 1:]), (0.6 * own[..., 0] + 0.4 * naive, own[..., 1:]), 1e-12)


# How much a window counts


def plain_model():
    return build_model(NetworkCase(Recurrent, {"cell": "gru"}), (1, 4, 4), scale_window=24)


def weights_of(model, batch):
    """Return by how much losses are multiplied, (B, T): in scaled units a loss has no unit."""
    loss, observed, params, z, _ = model.losses(batch, min_observed=8)
    weight = loss / model.head.loss(params, z)
    first = weight[:, :, 0, 0]
    same(weight, first[..., None, None].expand_as(weight))  # one for all steps of a readout
    return first, observed[:, :, 0, 0]


def test_a_window_twice_as_wild_counts_twice_as_much():
    model = plain_model()
    units = X.nan_to_num().std(1)
    calm, wild = as_windows(X, KNOWN), as_windows(2 * X, KNOWN)
    calm.error_scales = wild.error_scales = units
    once, observed = weights_of(model, batch_of(model, calm))
    twice, _ = weights_of(model, batch_of(model, wild))
    # those that stay within the bounds on both sides
    between = observed & (once > WEIGHT_RANGE[0]) & (2 * once < WEIGHT_RANGE[1])
    assert between.sum() > 0.8 * observed.sum()
    same(twice[between], 2 * once[between])


@pytest.mark.parametrize(("size", "bound"), [(1e-9, WEIGHT_RANGE[1]), (1e9, WEIGHT_RANGE[0])])
def test_no_window_counts_for_nothing_or_for_all(size, bound):
    model = plain_model()
    windows = as_windows(X, KNOWN)
    windows.error_scales = size * torch.ones(5, dtype=torch.float64)
    weight, observed = weights_of(model, batch_of(model, windows))
    assert (weight[observed] - bound).abs().max() < 1e-10


def test_errors_count_in_the_unit_of_their_series():
    model = plain_model()
    windows = as_windows(X, KNOWN)
    windows.error_scales = 10.0 ** torch.arange(-2, 3, dtype=torch.float64)
    batch = batch_of(model, windows)
    weight, _ = weights_of(model, batch)
    spread = model.reader.at(batch.past, batch.steps).scale.spread
    same(weight, (spread / windows.error_scales[:, None]).clamp(*WEIGHT_RANGE))


@pytest.mark.parametrize("bounded", [False, True])
def test_values_stay_within_the_support(bounded):
    model = plain_model()
    model.support = Support(bounded=bounded)
    live = stream.encode(model, as_windows(X - 100, KNOWN), ROWS, torch.full((5,), 150))
    scale = model.reader.newest(live.memory).scale
    z = torch.linspace(-9, 9, 4, dtype=torch.float64).expand(5, 4)
    expected = scale.level + scale.spread * z
    same(model.values(scale, z), expected.clamp(min=0) if bounded else expected)
    assert (expected < 0).any()
