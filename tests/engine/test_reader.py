"""The reader: causal scale, patches, flags, templates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from forecast.engine.reader import Reader
from forecast.engine.scale import Scale, change_at, scale_at
from tests import naive
from tests.checks import as_windows, gappy_data, same

SIZES = [(1, 1, 1), (1, 12, 6), (4, 4, 12), (24, 24, 48), (4, 30, 10)]  # patch, window, block


def reader(
    patch=1, window=1, block=1, scale_window=48, lags=(24,), drift=True, trend=48, mean=False
):
    own = {"dtype": torch.float64, "trend": trend, "mean": mean}
    return Reader(patch, window, block, scale_window, lags, drift, **own)


def read(machine: Reader, values):
    return machine.absorb(values, machine.initial_state(len(values), torch.float64))


def rolling_scale(x, width, fallback=None):
    """Return the scale at every column, nothing being before the first."""
    padded = torch.nn.functional.pad(x, (width, 0), value=torch.nan)
    return scale_at(padded, range(width, width + x.shape[1]), width, fallback)


@pytest.mark.parametrize("width", [1, 2, 7, 48, 500])
def test_rolling_scale_equals_its_slow_twin(width):
    x = gappy_data()[0][:, :130]
    for fast, slow in zip(rolling_scale(x, width), naive.rolling_scale(x, width), strict=True):
        assert torch.allclose(fast, slow, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("level", [1e6, 1e9, -1e6])
def test_long_series_at_a_high_level_keep_their_spread(level):
    generator = torch.Generator().manual_seed(0)
    x = level + torch.randn(1, 20_000, generator=generator, dtype=torch.float64)
    scale = rolling_scale(x, 48)
    expected = x[:, -2048:].unfold(1, 48, 1).std(-1, correction=0)
    assert torch.allclose(scale.spread[:, -2001:], expected, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 5.0, -1e9, 1e-9])
def test_a_constant_has_the_spread_of_its_level(value):
    scale = rolling_scale(torch.full((1, 60), value, dtype=torch.float64), 12)
    assert torch.allclose(scale.level, torch.tensor(value, dtype=torch.float64), rtol=1e-12)
    assert torch.allclose(scale.spread, torch.tensor(abs(value) or 1.0, dtype=torch.float64))


def test_an_outlier_is_forgotten_after_its_window():
    x = torch.ones(1, 100, dtype=torch.float64) + torch.arange(100) % 2
    x[0, 30] = 1e8
    scale = rolling_scale(x, 10)
    assert scale.spread[0, 35] > 1e6
    assert torch.allclose(scale.spread[0, 50:], torch.tensor(0.5, dtype=torch.float64))


@pytest.mark.parametrize(("patch", "window", "block"), SIZES)
def test_two_pieces_equal_one_pass(patch, window, block):
    x, _ = gappy_data()
    machine = reader(patch, window, block)
    whole, end = read(machine, x)
    first, state = read(machine, x[:, :63])
    second, state = machine.absorb(x[:, 63:], state)
    pairs = zip(tuple(first), tuple(second), strict=True)
    for joined, a_b in zip(tuple(whole), pairs, strict=True):
        if isinstance(joined, torch.Tensor):
            same(joined, torch.cat(a_b, 1))
        else:
            for part, a, b in zip(joined, *a_b, strict=True):
                same(part, torch.cat([a, b], 1))
    assert torch.equal(end.values.nan_to_num(), state.values.nan_to_num())


@pytest.mark.parametrize(("patch", "window", "block"), SIZES)
def test_the_future_changes_no_bit_of_the_past(patch, window, block):
    x, _ = gappy_data()
    changed = x.clone()
    changed[:, 90:] = changed[:, 90:] * 3 + 5
    machine = reader(patch, window, block)
    (before, _), (after, _) = read(machine, x), read(machine, changed)
    assert torch.equal(before.inputs[:, :90], after.inputs[:, :90])
    assert torch.equal(before.templates[:, :90], after.templates[:, :90])
    assert torch.equal(before.scale.level[:, :90], after.scale.level[:, :90])
    assert not torch.equal(before.inputs[:, 90:], after.inputs[:, 90:])


def test_a_patch_is_in_the_scale_of_its_last_step():
    x, _ = gappy_data()
    reading, _ = read(reader(4, 6, 1), x)
    scale, t = reading.scale, 200
    expected = (x[0, t - 5 : t + 1] - scale.level[0, t]) / scale.spread[0, t]
    assert torch.allclose(reading.inputs[0, t, :6], expected)


def test_unobserved_values_are_flagged_and_zero():
    x, _ = gappy_data()
    reading, _ = read(reader(1, 3, 1), x)
    values, flags = reading.inputs[1, 31, :3], reading.inputs[1, 31, 3:6]
    assert flags.tolist() == [1, 0, 0]
    assert values[1:].tolist() == [0, 0]
    assert torch.isfinite(reading.inputs).all()


def test_templates_of_a_periodic_series_are_its_future():
    # alignment tests cannot see a lag that is late on both sides; a noise-free period can
    period = torch.randn(24, dtype=torch.float64)
    x = period.repeat(12)[None]
    machine = reader(1, 1, 55, lags=(24, 48))
    reading, _ = read(machine, x)
    for t in (120, 131, 200):
        future = (x[0, t + 1 : t + 56] - reading.scale.level[0, t]) / reading.scale.spread[0, t]
        same(reading.templates[0, t, :, 1], future)
        same(reading.templates[0, t, :, 2], future)
        last = (x[0, t] - reading.scale.level[0, t]) / reading.scale.spread[0, t]
        same(reading.templates[0, t, :, 0], last.expand(55))


def test_templates_along_the_trend_are_the_future_of_a_season_on_a_slope():
    x = torch.randn(24, dtype=torch.float64).repeat(12)[None] + 0.3 * torch.arange(288).double()
    machine = reader(block=55, lags=(24, 48), trend=96)
    assert machine.n_templates == 5
    reading, _ = read(machine, x)
    last, season = reading.templates[0, 150, :, 3:].unbind(-1)
    future = (x[0, 151:206] - reading.scale.level[0, 150]) / reading.scale.spread[0, 150]
    slope = 0.3 / reading.scale.spread[0, 150]
    now = (x[0, 150] - reading.scale.level[0, 150]) / reading.scale.spread[0, 150]
    steps = torch.arange(1, 56)
    same(season[:48], future[:48])
    # a trend is carried on as far as its halves lie apart, 48 steps
    same(season[48:], future[48:] - slope * 24)  # its season lies 72 steps before
    same(last, now + slope * steps.clamp(max=48))


@pytest.mark.parametrize("width", [2, 6, 48])
def test_change_equals_its_slow_twin(width):
    x, _ = gappy_data()
    padded = torch.nn.functional.pad(x, (width, 0), value=torch.nan)
    found = change_at(padded, range(width, width + x.shape[1]), width)
    for row in range(len(x)):
        for t in range(0, x.shape[1], 3):
            old, new = padded[row, t + 1 : t + 1 + width].reshape(2, -1)
            enough = min((~half.isnan()).double().mean() for half in (old, new)) > 0.75
            change = new[~new.isnan()].mean() - old[~old.isnan()].mean()
            same(found[row, t], change if enough else torch.zeros_like(change))


def test_the_last_template_is_the_mean_of_all_values_so_far():
    x = 1e6 + gappy_data()[0][:, :300].cumsum(1)
    x[4, :9] = torch.nan
    machine = reader(scale_window=12, mean=True)
    state, found = machine.initial_state(5, torch.float64), []
    for piece in x.split([1, 99, 3, 197], 1):
        reading, state = machine.absorb(piece, state)
        found.append(reading.scale.invert(reading.templates)[..., 0, -1])
    expected = pd.DataFrame(x.numpy().T).expanding().mean().to_numpy().T
    seen = ~np.isnan(expected)
    assert np.allclose(torch.cat(found, 1)[seen], expected[seen], rtol=1e-12, atol=0)
    assert machine.n_templates == 5
    # as many values in a stream as in a memory read anew
    windows = as_windows(x)
    rows, ends = torch.arange(5), torch.full((5,), 300)
    again = windows.read(rows, ends, 0, ends, machine)
    torch.testing.assert_close(state.mean, again.mean, rtol=1e-12, atol=0)
    assert torch.equal(state.n_observed, again.n_observed)


@pytest.mark.parametrize("block", [1, 6, 30, 96])
def test_iterating_a_template_along_the_trend_does_not_explode(block):
    machine = reader(scale_window=8, block=block, lags=(), drift=False, trend=8)
    x = torch.randn(40, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    memory = machine.initial_state(40, torch.float64)
    reading, memory = machine.absorb(x, memory)
    sizes = []
    for _ in range(400 // block):
        templates = reading.newest().templates
        scale = Scale(*(part[:, -1:] for part in reading.scale))
        # a different mixture of last value and trend at every step of the block
        share = torch.linspace(1, 0, block, dtype=torch.float64)
        z = share * templates[..., 0] + (1 - share) * templates[..., 1]
        values = scale.invert(z[:, None])[:, 0]
        reading, memory = machine.absorb(values, memory)
        sizes.append(values.abs().max().item())
    assert max(sizes) < 30


def test_every_pth_step_is_read_alone():
    x, _ = gappy_data()
    machine = reader(4, 4, 12)
    whole, _ = read(machine, x)
    some, _ = machine.absorb(x, machine.initial_state(5, torch.float64), every=4)
    same(whole.inputs[:, 3::4], some.inputs)
    same(whole.templates[:, 3::4], some.templates)


def test_drift_tells_how_the_scale_moved():
    x = torch.arange(1.0, 101.0, dtype=torch.float64)[None]  # a ramp: level moves 4 per patch
    reading, _ = read(reader(4, 4, 1, scale_window=10), x)
    spread = torch.arange(10.0).std(correction=0).double()
    assert torch.allclose(reading.inputs[0, -1, -2:], torch.stack([4 / spread, 0 * spread]))


def test_values_keep_their_precision_until_scaled():
    x = 1e9 + torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
    machine = Reader(1, 2, 1, 4)
    reading, _ = machine.absorb(x, machine.initial_state(1, torch.float64))
    assert reading.inputs.dtype == torch.float32
    assert torch.allclose(reading.inputs[0, -1, :2], torch.tensor([0.4472, 1.3416]), atol=1e-4)


def test_a_gap_longer_than_the_memory_leaves_the_level():
    x = torch.cat([torch.tensor([1000.0, 1002.0]), torch.full((300,), torch.nan)]).double()[None]
    machine = reader(scale_window=24)
    assert machine.n_values < 300
    whole, end = read(machine, x)
    live = machine.initial_state(1, torch.float64)
    for t in range(x.shape[1]):
        reading, live = machine.absorb(x[:, t : t + 1], live)
    for scale in (whole.scale, reading.scale):
        assert scale.level[0, -1] == scale.spread[0, -1] == 1002
        assert scale.seen[0, -1] == 0
    assert end.values.isnan().all() and live.values.isnan().all()
    assert end.last.item() == live.last.item() == 1002
    series, first, stop = torch.tensor([[0], [50], [302]])
    remembered = as_windows(x).read(series, first + machine.n_values, 0, stop, machine)
    assert remembered.last.item() == 1002 and remembered.values[:, :7].isnan().all()


def test_a_scale_that_does_not_vary_falls_back_on_the_series_spread():
    x = torch.tensor([[5.0] * 30, [0.0] * 30], dtype=torch.float64)
    fallback = torch.tensor([[2.0], [0.0]], dtype=torch.float64)
    assert rolling_scale(x, 12, fallback).spread[:, -1].tolist() == [2.0, 1.0]
    machine = reader(scale_window=12)
    memory = machine.initial_state(2, torch.float64)
    memory = memory._replace(fallback_spread=fallback[:, 0])
    for t in range(0, 30, 5):  # the fallback stays however long the stream goes on
        reading, memory = machine.absorb(x[:, t : t + 5], memory)
    assert reading.scale.spread[:, -1].tolist() == [2.0, 1.0]


def test_covariates_are_shown_beside_the_newest_values():
    x = torch.arange(12.0, dtype=torch.float64)[None]
    drivers = torch.stack([x, 100 + x], -1).float()  # known, and observed only
    drivers[0, 5, 1] = torch.nan
    machine = Reader(2, 2, 1, 4, drift=False, n_known=1, n_past=1, driver_window=3)
    assert machine.input_size == 2 * 2 + 3 * 2 + 3
    whole, _ = machine.absorb(x, machine.initial_state(1, torch.float64), drivers)
    shown = whole.inputs[0, :, 4:]
    assert shown[6].tolist() == [
        4,
        104,
        1,
        5,
        0,
        0,
        6,
        106,
        1,
    ]  # of V = 3 values: known, observed, flag
    assert shown[0].tolist() == [0, 0, 0, 0, 0, 0, 0, 100, 1]  # before the first there are none
    first, memory = machine.absorb(
        x[:, :7], machine.initial_state(1, torch.float64), drivers[:, :7]
    )
    second, _ = machine.absorb(x[:, 7:], memory, drivers[:, 7:])
    assert torch.equal(whole.inputs, torch.cat([first.inputs, second.inputs], 1))
    blind, _ = machine.absorb(x[:, 7:], memory)  # no covariates given: not observed
    assert blind.inputs[0, -1, 4:].tolist() == [0] * 9


def test_the_typical_spread_is_in_the_scale_of_the_step():
    x = torch.tensor([[0.0, 2.0, 0.0, 2.0, 0.0, 20.0, 0.0, 20.0]], dtype=torch.float64)
    machine = Reader(1, 1, 1, 4)
    memory = machine.initial_state(1, torch.float64)
    assert (machine.absorb(x, memory)[0].typical_spread == 1).all()  # nothing is typical yet
    memory = memory._replace(fallback_spread=torch.tensor([5.0], dtype=torch.float64))
    spread = machine.absorb(x, memory)[0].typical_spread[0]
    assert spread[3].item() == pytest.approx(5.0) and spread[7].item() == pytest.approx(0.5)


@pytest.mark.parametrize("mean", [False, True])
def test_a_memory_comes_back_from_the_table_that_files_hold(mean):
    machine = reader(scale_window=12, mean=mean)
    _, memory = read(machine, gappy_data()[0])
    memory = memory._replace(fallback_spread=torch.arange(5, dtype=torch.float64))
    table = machine.pack(memory)
    assert table.shape == (5, machine.n_values + (4 if mean else 2))
    for mine, its in zip(memory, machine.unpack(table, memory.drivers), strict=True):
        assert torch.equal(mine.nan_to_num(), its.nan_to_num())


def test_a_prior_stands_in_for_values_that_have_not_come():
    """As if so many values of its mean and spread had come before, the oldest leaving first."""
    x = torch.tensor([[3.0, 9.0, 5.0, 7.0, 1.0, 4.0]], dtype=torch.float64)
    stand_in = torch.tensor([[8.0, 12.0] * 2], dtype=torch.float64)  # mean 10, spread 2
    steps = range(3, 10)
    alone = torch.cat([torch.full_like(stand_in, torch.nan), x], 1)
    scale = scale_at(alone, steps, 4, prior=(10.0, 2.0))
    both = scale_at(torch.cat([stand_in, x], 1), steps, 4)
    even = [0, 2, 4, 5, 6]  # an odd number of 8 and 12 has another mean
    torch.testing.assert_close(scale.level[:, even], both.level[:, even])
    torch.testing.assert_close(scale.spread[:, even], both.spread[:, even])
    assert scale.seen.tolist() == [[0, 1, 2, 3, 4, 4, 4]]
    assert 3 < scale.level[0, 1] < 10 and scale.level[0, 1] == (3 * 10 + 3) / 4
    gap = torch.where(x == 9, torch.nan, x)  # after the first value nothing stands in
    torch.testing.assert_close(
        rolling_scale(gap, 4)[0][:, 3:],
        scale_at(torch.cat([stand_in * torch.nan, gap], 1), steps, 4, prior=(10.0, 2.0))[0][:, 4:],
    )
