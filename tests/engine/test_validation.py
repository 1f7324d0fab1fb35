"""Validation against slow loops: origins, naive forecasts, rollouts one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from forecast.engine import validation
from forecast.engine.rollout import greedy, rollout
from forecast.engine.validation import (
    Validation,
    line_forecast,
    naive_forecasts,
    spread_origins,
    usual_correlation,
)
from forecast.networks.recurrent import Recurrent
from tests.checks import NetworkCase, as_windows, build_model, encode_last, gappy_data

X, KNOWN = gappy_data(T=220)
GRU = NetworkCase(Recurrent, {"cell": "gru"})


def slow_origins(held_out, lengths, most):
    """Return the pairs one by one."""
    n = len(lengths)
    chosen = range(n)
    if n > most:
        chosen = [int(k * (n - 1) / (most - 1)) for k in range(most)]
    each = max(most // len(chosen), 1)
    return sorted(
        {
            (i, held_out[i] + int(k / each * max(lengths[i] - held_out[i], 1)))
            for i in chosen
            for k in range(each)
        }
    )


@pytest.mark.parametrize("most", [2, 7, 64, 512])
@pytest.mark.parametrize("n", [1, 3, 64, 600])
def test_origins_equal_their_slow_twin(n, most):
    generator = np.random.default_rng(0)
    lengths = generator.integers(2, 150, n)
    held_out = lengths - generator.integers(1, lengths)
    series, origins = spread_origins(torch.as_tensor(held_out), torch.as_tensor(lengths), most)
    pairs = list(zip(series.tolist(), origins.tolist(), strict=True))
    if n <= most:
        assert pairs == slow_origins(held_out, lengths, most)
    assert len(pairs) == len(set(pairs)) <= most
    assert len(set(series.tolist())) == min(n, most)
    assert (origins.numpy() >= held_out[series]).all()
    assert (origins.numpy() < lengths[series]).all()


def test_origins_are_spread_evenly_over_time_and_series():
    held_out, lengths = torch.tensor([100] * 4), torch.tensor([500] * 4)
    series, origins = spread_origins(held_out, lengths, 40)
    assert torch.equal(series.bincount(), torch.tensor([10] * 4))
    assert torch.equal(origins[series == 2], 100 + 40 * torch.arange(10))
    series, _ = spread_origins(torch.full((1000,), 5), torch.full((1000,), 9), 10)
    assert (series.diff() == 111).all()


def test_a_series_that_is_all_held_out_in_one_step():
    series, origins = spread_origins(torch.tensor([3, 8]), torch.tensor([4, 9]), 512)
    assert series.tolist() == [0, 1]
    assert origins.tolist() == [3, 8]


@pytest.mark.parametrize("apart", [1, 3])
def test_independent_errors_share_no_step(apart):
    held_out, horizon = 24, 6
    targets = torch.zeros(held_out // apart, horizon)
    for row in range(len(targets)):  # what would come after the end is not known
        targets[row, held_out - apart * row :] = torch.nan
    alone = []
    for step in range(1, horizon + 1):
        known = range(0, held_out - step + 1, apart)  # origins with this step inside
        alone.append(len(known) / max(step / apart, 1))  # of step / apart neighbours one is new
    found, most = (validation.independent(targets, float(apart), growth) for growth in (0.5, 0.0))
    assert found == pytest.approx(sum(alone) / horizon, rel=1e-6)
    assert most == (~targets.isnan()).sum() / horizon  # where errors do not grow each is new
    assert found == validation.independent(targets, float(apart), growth=1.0)
    assert validation.independent(torch.full((3, 2), torch.nan), 1.0) == 0


def test_what_training_could_learn_from_is_counted_as_what_is_held_out_is():
    model, windows = build_model(GRU, (1, 6, 6)), as_windows(X, KNOWN)
    judge = Validation(model, windows, torch.full((5,), 190), 6, 24)
    there = int((~X[:, :190].isnan()).sum())
    assert there < 5 * 190
    sweep = torch.zeros(there, 6)  # an origin before each value
    assert judge.training_size == pytest.approx(validation.independent(sweep, 1.0))
    windows.weights = torch.ones(5 * 220)
    windows.weights[:180] = 0  # the first series has no gap
    judge = Validation(model, windows, torch.full((5,), 190), 6, 24)
    assert judge.training_size == pytest.approx(validation.independent(sweep[180:], 1.0))


def test_naive_errors_have_the_sizes_of_their_slow_twins():
    windows, model = as_windows(X), build_model(GRU, (1, 6, 6), scale_window=48)
    windows.spreads = torch.from_numpy(np.linspace(0.5, 2, 5) * np.nanstd(X.numpy(), 1))
    judge = Validation(model, windows, torch.full((5,), 190), 6, 24)
    missed = {"last": [], "season": [], "drift": []}
    for row, typical in zip(X.numpy(), windows.spreads.numpy(), strict=True):
        for t in range(48, 220, 2):  # 512 origins of five series: not every one
            window = row[:t][~np.isnan(row[:t])][-48:]
            ahead = np.append(row[t : t + 6], np.full(max(t + 6 - 220, 0), np.nan))
            scale, steps = np.nanstd(window) ** 0.25 * typical**0.75, np.arange(6)
            missed["last"].append((ahead - row[t - 1]) / scale)
            missed["season"].append((ahead - row[t - 24 + steps]) / scale)
            missed["drift"].append(
                (ahead - row[t - 1] - (steps + 1) * (row[t - 1] - row[0]) / (t - 1)) / scale
            )
    sizes = {name: np.nanmedian(np.abs(e), 0) / 0.6745 for name, e in missed.items()}
    best = min(sizes, key=lambda name: sizes[name].mean())
    assert best == "season"
    found, _, independent = judge.naive_errors(model)
    np.testing.assert_allclose(validation.sizes(found), sizes[best], rtol=0.1)
    # of 172 origins of each series every j-th is new at step j, where both values are there
    there = (~X.isnan()).double().mean().item() ** 2
    assert independent == pytest.approx(5 * 172 * there * np.mean(1 / np.arange(1, 7)), rel=0.2)


def test_a_line_equals_its_slow_twin(monkeypatch):
    monkeypatch.setattr(validation, "LINE", 50)
    series, origins = torch.tensor([0, 0, 1, 2, 3]), torch.tensor([1, 9, 35, 110, 200])
    found = line_forecast(as_windows(X), series, origins, 6)
    assert found[0].isnan().all()  # one value
    for line, i, t in zip(
        found[1:].numpy(), series[1:].tolist(), origins[1:].tolist(), strict=True
    ):
        places = np.arange(max(t - 50, 0), t)
        past = X[i, places].numpy()
        there = ~np.isnan(past)
        slope, level = np.polyfit(places[there], past[there], 1)
        np.testing.assert_allclose(line, level + slope * np.arange(t, t + 6), rtol=1e-9)


def test_a_line_is_the_best_naive_forecast_of_noise_around_one():
    noise = np.random.default_rng(0).normal(size=(1, 600))
    windows = as_windows(torch.as_tensor(noise + 0.2 * np.arange(600)))
    model = build_model(GRU, (1, 6, 6), scale_window=48)
    judge = Validation(model, windows, torch.tensor([500]), 6, 24)
    last, line = (validation.sizes(errors) for errors in judge.naive_errors(model)[:2])
    assert (last / line).mean().item() == pytest.approx(2**0.5, rel=0.1)


@pytest.mark.parametrize("steps", [2, 12, 48])
def test_what_two_steps_usually_have_in_common_leans_on_a_walk(steps):
    generator, step = torch.Generator().manual_seed(0), range(1, steps + 1)
    noise = torch.randn(4000, steps, generator=generator)
    walk = np.mean([(j / k) ** 0.5 for k in step for j in range(1, k)])
    found = (usual_correlation(noise, known) for known in (1e9, validation.LIKE_WALK, 0.0))
    assert list(found) == pytest.approx([0, walk / 2, walk], abs=0.03)
    walks = noise.cumsum(1)
    noise[0] = 1e4  # one outlier tells little
    assert usual_correlation(noise, 1e9) == pytest.approx(0, abs=0.04)
    assert usual_correlation(walks, 1e9) == pytest.approx(walk, abs=0.03)
    walks[torch.rand(walks.shape, generator=generator) < 0.3] = torch.nan
    assert usual_correlation(walks, 1e9) == pytest.approx(walk, abs=0.05)


@pytest.mark.parametrize("errors", [torch.zeros(5, 3), torch.full((5, 3), torch.nan)])
def test_where_naive_errors_tell_nothing_a_walk_is_usual(errors):
    assert usual_correlation(errors, 5.0) == usual_correlation(torch.ones(5, 3), 0.0)


def test_a_block_of_one_step_has_no_pairs():
    assert usual_correlation(torch.ones(5, 1), 5.0) == 0.0


@pytest.mark.parametrize("season", [1, 4, 24])
@pytest.mark.parametrize("horizon", [1, 6, 30])
def test_naive_forecasts_equal_their_slow_twins(season, horizon):
    windows = as_windows(X)
    series = torch.tensor([0, 0, 1, 1, 2, 3, 4])
    origins = torch.tensor([1, 219, 35, 60, 9, 110, 200])
    fast = naive_forecasts(windows, series, origins, horizon, season)
    for row, (i, t) in enumerate(zip(series.tolist(), origins.tolist(), strict=True)):
        past = X[i, :t].numpy()
        for j in range(horizon):
            place = t - season + j % season
            expected = [
                past[-1],
                past[place] if place >= 0 else math.nan,
                past[-1] + (j + 1) * (past[-1] - past[0]) / max(t - 1, 1),
            ]
            found = [forecast[row, j].item() for forecast in fast]
            assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("context", [0, 150])  # patches
@pytest.mark.parametrize("sizes", [(1, 6, 6), (4, 12, 8)], ids=str)
def test_the_loss_equals_rollouts_one_by_one(sizes, context, monkeypatch):
    monkeypatch.setattr(validation, "MAX_ORIGINS", 20)
    model, windows = build_model(GRU, sizes), as_windows(X, KNOWN)
    judge = Validation(model, windows, torch.full((5,), 190), 10, 24, context)
    assert len(judge.series) == 20
    errors = {"model": [], "last": [], "season": [], "drift": []}
    for i, t in zip(judge.series, judge.origins, strict=True):
        i, t = i[None], t[None]
        with torch.no_grad():
            live = encode_last(model, windows, i, t, context or 64)
            ahead = KNOWN[i, t : t + 10]
            ahead = torch.cat([ahead, ahead[:, -1:].expand(-1, 10 - ahead.shape[1], -1)], 1)
            forecasts = [rollout(model, live, ahead, greedy(model))]
            spread = model.reader.newest(live.memory).scale.spread
        forecasts += naive_forecasts(windows, i, t, 10, 24)
        truth = X[i, t : t + 10]
        for name, forecast in zip(errors, forecasts, strict=True):
            error = (forecast[:, : truth.shape[1]] - truth).abs() / spread
            errors[name] += error[~error.isnan()].tolist()
    assert judge.loss(model) == pytest.approx(np.mean(errors.pop("model")))
    assert judge.naive_loss == pytest.approx(min(map(np.mean, errors.values())))


def test_the_loss_sees_no_value_after_an_origin():
    model = build_model(GRU, (4, 12, 8))
    changed = X.clone()
    changed[:, 205:] = 1e6
    before, after = (
        Validation(model, as_windows(x, KNOWN), torch.full((5,), 190), 12, 24) for x in (X, changed)
    )
    early = before.origins <= 205
    assert early.any()
    with torch.no_grad():
        forecasts = []
        for judge in (before, after):
            live = encode_last(
                model, judge.windows, judge.series, judge.origins, validation.CONTEXT
            )
            forecasts.append(rollout(model, live, judge.known, greedy(model)))
    assert torch.equal(forecasts[0][early], forecasts[1][early])
    assert torch.equal(before.spread[early], after.spread[early])


def test_judging_changes_nothing_in_the_model():
    model = build_model(GRU, (4, 12, 8))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    judge = Validation(model, as_windows(X, KNOWN), torch.full((5,), 190), 12, 24)
    assert judge.loss(model) == judge.loss(model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("head", ["normal", "mse"])
def test_calibrate_learns_the_dependence_of_a_blocks_steps(head):
    # forecasts that miss a shared level miss all steps of a block alike
    generator = torch.Generator().manual_seed(0)
    walk = torch.randn(40, 300, generator=generator, dtype=torch.float64).cumsum(1)
    model = build_model(
        GRU, (1, 8, 8), head=head, known_size=0, lags=(), scale_window=24, mean=False
    )
    with torch.no_grad():
        for parameter in model.readout.parameters():
            parameter.zero_()
        bias = model.readout.members[0].direct.bias.unflatten(0, (8, -1))
        bias[:, -2] = 20.0  # all weight on the last value
    judge = Validation(model, as_windows(walk), torch.full((40,), 150), 8, 1)
    judge.calibrate(model)
    factor = model.noise_factor
    assert torch.equal(factor, factor.tril())
    unit = factor / factor.norm(dim=1, keepdim=True)
    found = unit @ unit.T
    steps = torch.arange(1.0, 9.0).double()
    expected = torch.minimum(steps[:, None], steps).div((steps[:, None] * steps).sqrt())
    assert (found - expected).abs().max() < 0.12
    if head == "mse":  # the spread of a random walk grows with the root of the step
        spread = model.head.residuals.std(1)
        assert torch.allclose(spread / spread[0], steps.sqrt(), rtol=0.15)
