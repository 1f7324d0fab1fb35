"""The one gather against slow loops: which value, of which series, at which step."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from forecast.data import panel as panels
from forecast.data.panel import Layout, Panel
from forecast.engine.batches import Windows, seasonal_changes, typical_spreads
from forecast.engine.reader import Reader
from tests import naive

LENGTHS = np.array([30, 7, 1, 55, 12])
STARTS = np.array([0, 20, 3, 5, 48])
OFFSETS = np.concatenate([[0], LENGTHS.cumsum()])
GRID = 70  # steps of the calendar: ten beyond the last series
READERS = [
    Reader(patch=1, window=1, block=1, scale_window=4),
    Reader(patch=1, window=6, block=5, scale_window=8, drift=False),
    Reader(patch=3, window=3, block=7, scale_window=8, lags=(6,)),
    Reader(patch=4, window=4, block=4, scale_window=12),
]
every_reader = pytest.mark.parametrize("reader", READERS, ids=str)


def windows(calendar=True, covariates=True, values=None) -> Windows:
    """Return windows whose values, calendar and covariates tell their own positions."""
    N = int(OFFSETS[-1])
    values = np.arange(N, dtype=float) if values is None else values
    clock = np.stack([np.arange(GRID), -np.arange(GRID)], 1) if calendar else np.zeros((GRID, 0))
    own = 1000.0 + np.arange(N)[:, None] if covariates else None
    panel = Panel(
        values, OFFSETS, STARTS, pd.RangeIndex(GRID), pd.RangeIndex(5), None, (), Layout("list")
    )
    return Windows(
        panel,
        clock.astype(np.float32),
        np.full(panel.n_series, np.nan),
        torch.device("cpu"),
        drivers=own,
        n_known=int(covariates),
    )


ALL = windows()


@pytest.mark.parametrize("width", [1, 4, 80])
def test_take_equals_its_slow_twin(width):
    generator = np.random.default_rng(0)
    series = generator.integers(0, 5, 300)
    first = generator.integers(-20, 60, 300)
    ends = generator.integers(0, LENGTHS[series] + 1)
    taken = ALL.take(*map(torch.as_tensor, (series, first)), width, torch.as_tensor(ends))
    assert taken.shape == (300, width)
    for row in range(300):
        expected = naive.take(
            np.arange(OFFSETS[-1]), OFFSETS, series[row], first[row], width, ends[row]
        )
        assert np.array_equal(taken[row].numpy(), expected, equal_nan=True)


def test_take_keeps_gaps_and_precision():
    values = np.arange(OFFSETS[-1], dtype=float) + 2.0**40  # float32 would round it
    values[33] = np.nan
    taken = windows(values=values).take(torch.tensor([1]), torch.tensor([0]), 7, torch.tensor([7]))
    assert np.array_equal(taken[0].numpy(), values[30:37], equal_nan=True)


@pytest.mark.parametrize(("calendar", "covariates"), [(1, 1), (1, 0), (0, 1), (0, 0)])
def test_known_equals_its_slow_twin(calendar, covariates):
    generator = np.random.default_rng(0)
    series = generator.integers(0, 5, 100)
    first = generator.integers(0, LENGTHS[series])
    own = windows(calendar, covariates)
    known = own.known(torch.as_tensor(series), torch.as_tensor(first), 6)
    assert known.shape == (100, 6, 2 * calendar + covariates)
    for row, i in enumerate(series):
        for step, t in enumerate(range(first[row], first[row] + 6)):
            expected = [STARTS[i] + t, -(STARTS[i] + t)] if calendar else []
            if covariates and t < LENGTHS[i]:  # the user's own end with the series
                expected = [*expected, 1000 + OFFSETS[i] + t]
            assert known[row, step, : len(expected)].tolist() == expected


@every_reader
@pytest.mark.parametrize("n_steps", [1, 4])
def test_batch_equals_its_slow_twin(reader, n_steps):
    P, R, M = reader.patch, reader.block, reader.n_values
    generator = np.random.default_rng(0)
    series = generator.integers(0, 5, 60)
    first = generator.integers(1 - P, 40, 60)
    ends = generator.integers(1, LENGTHS[series] + 1)
    batch = ALL.batch(*map(torch.as_tensor, (series, first, ends)), n_steps=n_steps, reader=reader)
    assert batch.past.values.shape == (60, M + n_steps * P)
    assert batch.targets.shape == (60, n_steps, R)
    assert batch.known.shape == (60, n_steps, R, 3)
    for row, i in enumerate(series):
        for k in range(n_steps):
            newest = first[row] + (k + 1) * P - 1  # the step that is read, in the series' own time
            column = batch.steps[k]
            patch = batch.past.values[row, column - P + 1 : column + 1].numpy()
            arguments = np.arange(OFFSETS[-1]), OFFSETS, i
            expected = naive.take(*arguments, newest - P + 1, P, ends[row])
            assert np.array_equal(patch, expected, equal_nan=True)
            expected = naive.take(*arguments, newest + 1, R, ends[row])
            assert np.array_equal(batch.targets[row, k].numpy(), expected, equal_nan=True)
            for j in range(R):
                t = newest + 1 + j
                clock = min(STARTS[i] + t, GRID - 1)
                assert batch.known[row, k, j, :2].tolist() == [clock, -clock]
                if t < ends[row]:
                    assert batch.known[row, k, j, 2] == 1000 + OFFSETS[i] + t


@every_reader
def test_the_memory_before_a_window_is_the_series_own_past(reader):
    M = reader.n_values
    batch = ALL.batch(
        torch.tensor([3, 1]), torch.tensor([40, 0]), torch.tensor([55, 7]), n_steps=1, reader=reader
    )
    before = naive.take(np.arange(OFFSETS[-1]), OFFSETS, 3, 40 - M, M, 55)
    assert batch.past.fallback_spread.isnan().all()  # these series have none
    assert batch.past.last[0] == OFFSETS[3] + 40 - M - 1 and batch.past.last[1].isnan()
    assert np.array_equal(batch.past.values[0, :M].numpy(), before, equal_nan=True)
    assert batch.past.values[1, :M].isnan().all()


def test_a_window_carries_what_the_memory_would_lose():
    values = np.arange(int(OFFSETS[-1]), dtype=float)
    values[OFFSETS[3] + 10 : OFFSETS[3] + 30] = np.nan
    own = windows(values=values)
    own.spreads[:] = torch.arange(5)
    assert READERS[0].n_values == 4
    read = own.read(
        torch.tensor([3, 3]), torch.tensor([26, 6]), 0, torch.tensor([55, 55]), READERS[0]
    )
    assert read.fallback_spread.tolist() == [3, 3]
    assert read.last.tolist() == [values[OFFSETS[3] + 9], values[OFFSETS[3] + 1]]
    assert read.values[0].isnan().all()
    assert np.array_equal(read.values[1], values[OFFSETS[3] + 2 : OFFSETS[3] + 6])


@pytest.mark.parametrize("stretch", [1, 100, 500_000])
def test_the_mean_so_far_equals_numpys(stretch, monkeypatch):
    monkeypatch.setattr(panels, "VALUES_AT_ONCE", stretch)
    lengths = [200, 64, 63, 1, 130, 128]
    panel = some_panel(lengths, np.random.default_rng(stretch))
    own = Windows(panel, np.zeros((200, 0)), np.ones(6), torch.device("cpu"))
    for row, length in enumerate(lengths):
        for end in {0, 1, 63, 64, 65, 128, length} & set(range(length + 1)):
            seen = panel.series(row)[:end]
            seen = seen[~np.isnan(seen)]
            mean, count = own.so_far(torch.tensor([row]), torch.tensor([end]))[0].tolist()
            assert count == len(seen)
            assert mean == pytest.approx(seen.mean() if len(seen) else 0, rel=1e-12)


def test_typical_spreads_equal_numpys(monkeypatch):
    values = np.r_[np.arange(9.0), np.nan, np.full(5, 1e9 + 0.1), 3.0]
    offsets, places = np.array([0, 10, 15, 16]), np.zeros(3, int)
    panel = Panel(
        values, offsets, places, pd.RangeIndex(10), pd.RangeIndex(3), None, (), Layout("list")
    )
    whole = typical_spreads(panel, panel.lengths)
    assert np.allclose(whole, [np.arange(9).std(), 0, 0], rtol=1e-12, atol=0)
    monkeypatch.setattr(panels, "VALUES_AT_ONCE", 4)
    first = typical_spreads(panel, np.array([5, 5, 1]))
    assert np.allclose(first, [np.arange(5).std(), 0, 0], rtol=1e-12, atol=0)


def some_panel(lengths, rng) -> Panel:
    """Return series of these lengths with gaps, the last of them all missing."""
    values = 10.0 ** rng.integers(-3, 6) + rng.normal(size=sum(lengths)).cumsum()
    values[rng.random(len(values)) < 0.2] = np.nan
    values[len(values) - lengths[-1] :] = np.nan
    offsets, places = np.cumsum([0, *lengths]), np.zeros(len(lengths), int)
    grid, ids = pd.RangeIndex(max(lengths)), pd.RangeIndex(len(lengths))
    return Panel(values, offsets, places, grid, ids, None, (), Layout("list"))


@pytest.mark.parametrize("stretch", [1, 7, 500_000])
@pytest.mark.parametrize("season", [1, 4, 12])
@pytest.mark.parametrize("seed", range(5))
def test_changes_and_spreads_equal_their_slow_twins(stretch, season, seed, monkeypatch):
    monkeypatch.setattr(panels, "VALUES_AT_ONCE", stretch)
    rng = np.random.default_rng(seed)
    panel = some_panel([1, *rng.integers(1, 40, 12), 3], rng)
    looked_at = rng.integers(1, panel.lengths + 1)
    changes, spreads = [], []
    for i in range(panel.n_series):
        y = panel.series(i)[: looked_at[i]]
        pairs = [abs(y[t] - y[t - season]) for t in range(season, len(y))]
        pairs = [pair for pair in pairs if not np.isnan(pair)]
        seen = y[~np.isnan(y)]
        changes.append(np.mean(pairs) if pairs else np.nan)
        spreads.append(seen.std() if len(seen) else 0.0)
    found = seasonal_changes(panel, looked_at, season)
    assert np.isnan(changes).any() and not np.isnan(changes).all()
    assert np.allclose(found, changes, rtol=1e-9, atol=0, equal_nan=True)
    assert np.allclose(typical_spreads(panel, looked_at), spreads, rtol=1e-7, atol=1e-9)


def test_a_batch_has_the_units_of_its_series():
    own = windows()
    assert own.error_scales is own.spreads  # where nothing else is given
    own.error_scales = torch.arange(5, dtype=torch.float64)
    series, zero = torch.tensor([3, 1, 3]), torch.zeros(3, dtype=torch.long)
    batch = own.batch(series, zero, own.lengths[series], n_steps=1, reader=READERS[0])
    assert torch.equal(batch.error_scale, series.double())
