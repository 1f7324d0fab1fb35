"""Times of day that never occur are no steps: neither learned from nor forecast."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import load
from forecast.data.calendar import calendar_features, season_lengths
from forecast.data.frames import read_frames
from forecast.data.frequency import extend_grid
from forecast.data.opening import OpeningHours
from forecast.evaluation.backtest import backtest
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.encoding import decode, encode
from forecast.forecasters.window.markov import MarkovForecaster

EXCHANGE: dict[str, Any] = {"minutes": 5, "start": ["09:30"], "end": ["16:00"]}
LUNCH: dict[str, Any] = {"minutes": 15, "start": ["09:00", "12:30"], "end": ["11:30", "15:00"]}
LATE: dict[str, Any] = {"minutes": 30, "start": ["18:00"], "end": ["00:00"]}
LATE |= {"weekmask": "Tue Thu Fri Sat"}
HOURS = {"exchange": EXCHANGE, "lunch": LUNCH, "late": LATE}


def all_steps(hours: dict[str, Any], tz: str | None = None, weeks: int = 8) -> pd.DatetimeIndex:
    """Return every step of some weeks, picked from all times of day; clocks change meanwhile."""
    step = f"{hours['minutes']}min"
    times = pd.date_range("2024-02-05", periods=weeks * 7 * 24 * 60 // hours["minutes"], freq=step)
    clock = times.strftime("%H:%M")
    spans = zip(hours["start"], hours["end"], strict=True)
    is_open = np.any([(clock >= s) & (clock < e.replace("00:00", "24:00")) for s, e in spans], 0)
    days = hours.get("weekmask", "Mon Tue Wed Thu Fri").split()
    return times[is_open & times.day_name().str[:3].isin(days)].tz_localize(tz)


@pytest.mark.parametrize("tz", [None, "America/New_York"])
@pytest.mark.parametrize("name", HOURS)
def test_opening_hours_are_found_and_go_on(
    name: str, tz: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    steps, opened = all_steps(HOURS[name], tz), OpeningHours(**HOURS[name])
    past = len(steps) * 5 // 8
    y = pd.Series(np.arange(past, dtype=float), steps[:past], name="y")
    panel = read_frames(y)
    assert panel.freq == opened and panel.values.tolist() == y.tolist()
    assert f"freq='{opened.minutes}min'" in caplog.text and "are no steps" in caplog.text
    assert opened.start[0] in caplog.text and opened.weekmask in caplog.text
    per_day = len(steps) // (8 * len(opened.weekmask.split()))
    assert season_lengths(panel.freq) == (per_day, per_day * len(opened.weekmask.split()))
    model = NaiveForecaster("seasonal", horizon=len(steps) - past).fit(y)
    assert model.predict().index.equals(steps[past:])
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").freq_ == opened
    for k in range(past, past + 3):
        model.update(pd.Series([1.0], steps[[k]], name="y"))
        assert model.predict(100).index.equals(steps[k + 1 : k + 101])
    kept = y.drop(y.index[[20, 21, 150]])
    assert np.isnan(read_frames(kept).values).sum() == 3
    assert read_frames(y, freq=f"{opened.minutes}min").freq == f"{opened.minutes}min"


@pytest.mark.parametrize("name", HOURS)
def test_steps_are_counted_as_one_by_one(name: str) -> None:
    steps, opened = all_steps(HOURS[name]), OpeningHours(**HOURS[name])
    assert pd.date_range(steps[0], steps[-1], freq=opened).equals(steps)
    rng = np.random.default_rng(0)
    for _ in range(50):
        i, j = rng.integers(1, len(steps) - 1, size=2)
        if i != j:
            assert steps[i] + (j - i) * opened == steps[j]
        assert steps[i] - opened == steps[i - 1] and opened.is_on_offset(steps[i])
        between = steps[i] + (steps[i + 1] - steps[i]) / 3
        assert between + opened == steps[i + 1] and between - opened == steps[i]
        assert not opened.is_on_offset(between)
    grid = pd.date_range(steps[0], periods=9, freq=opened)
    assert extend_grid(grid, 300).equals(steps[:309])
    assert grid[:3].append(grid[3:]).freq == opened


def test_a_step_is_copied_and_written_whole() -> None:
    opened = OpeningHours(2, **LUNCH)
    for again in (copy.deepcopy(opened), pickle.loads(pickle.dumps(opened)),
                  decode(encode(opened, "a step"))):  # fmt: skip
        assert again == opened and hash(again) == hash(opened) and repr(again) == repr(opened)
    assert opened != OpeningHours(2, **LUNCH | {"minutes": 10})


@pytest.mark.parametrize(
    "change",
    [{"minutes": 0}, {"minutes": 400}, {"start": ["17:00"]}, {"start": ["x"]}, {"end": ["25:00"]},
     {"start": ["09:30", "10:00"]}, {"weekmask": "Mo"}, {"weekmask": ""}],
    ids=str,
)  # fmt: skip
def test_hours_without_a_step_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="."):
        OpeningHours(**EXCHANGE | change)


def test_what_is_no_opening_hours_is_left() -> None:
    def found(times: pd.DatetimeIndex) -> Any:
        return read_frames(pd.Series(1.0, times)).freq

    bars = all_steps(EXCHANGE)
    assert found(bars[:500]) == "5min"  # two weeks do not tell
    rare = np.random.default_rng(0).random(len(bars)) < 0.4
    assert found(bars[rare]) == "5min"  # most steps are gaps
    assert found(pd.date_range("2024", periods=2000, freq="15min")) == "15min"
    night = pd.date_range("2024", periods=4000, freq="15min", tz="Europe/Berlin")
    night = night[(night.hour < 3) | (night.hour > 4)]
    assert found(night) == "15min"  # some of these steps do not exist when clocks change
    assert found(night.tz_localize(None).tz_localize("UTC")) == "15min"  # around midnight


def test_holidays_and_hours_of_open_steps() -> None:
    opened = OpeningHours(**EXCHANGE)
    bars = pd.date_range("2024-03-28 15:50", periods=4, freq=opened)
    features, names = calendar_features(bars, opened, holidays="XNYS")
    assert names[:2] == ("hour_sin", "hour_cos") and "weekday_sin" in names
    assert features[:, names.index("holiday")].tolist() == [0, 0, 1, 1]  # Good Friday
    hours = pd.offsets.CustomBusinessHour(start="09:00", end="17:00")
    assert "holiday" in calendar_features(bars[:2], hours, holidays="XNYS")[1]


def test_a_regression_on_bars_beats_the_last_day() -> None:
    steps, rng = all_steps(EXCHANGE), np.random.default_rng(0)
    shape = 5 * np.cos(2 * np.pi * np.arange(len(steps)) / 78)
    noise = rng.normal(size=len(steps))
    for k in range(1, len(noise)):
        noise[k] += 0.9 * noise[k - 1]
    y = pd.Series(100 + shape + noise, steps, name="y")
    errors = {}
    for model in (MarkovForecaster(), NaiveForecaster("seasonal")):
        table = backtest(model, y, 39, n_windows=4)
        errors[type(model)] = float((table["y"] - table["y_hat"]).abs().mean())
        assert table["ds"].isin(steps).all()
    assert errors[MarkovForecaster] < 0.9 * errors[NaiveForecaster]
