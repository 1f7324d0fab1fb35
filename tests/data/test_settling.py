"""Times beside a regular axis are moved to the step that they mean, and it is told."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import load
from forecast.contest.compare import compare
from forecast.data.calendar import calendar_features, season_lengths
from forecast.data.frames import read_frames
from forecast.data.settling import on_grid, settled
from forecast.evaluation.backtest import backtest
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.window.markov import MarkovForecaster

MONTHS = pd.date_range("2020-01-01", periods=60, freq="MS")
DAYS = pd.date_range("2023-01-01", periods=400)


def on_day(day: int) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([month.replace(day=min(day, month.days_in_month)) for month in MONTHS])


def last_trading_days() -> pd.DatetimeIndex:
    days = pd.date_range("2020-01-01", periods=60, freq="BME").to_series()
    return pd.DatetimeIndex(days.mask(days == "2024-03-29", pd.Timestamp("2024-03-28")))


def quarters_of_weeks() -> pd.DatetimeIndex:
    steps = np.tile([28, 35, 28], 20)[:59].cumsum()
    return pd.DatetimeIndex(
        ["2024-02-03", *(pd.Timestamp("2024-02-03") + pd.to_timedelta(steps, "D"))]
    )


def series(times: Any) -> pd.Series:
    return pd.Series(np.arange(len(times)) % 12 + 0.5, pd.DatetimeIndex(times), name="y")


def next_times(y: pd.Series, **options: Any) -> list[str]:
    forecast = NaiveForecaster(horizon=3, **options).fit(y).predict()
    return [str(time.date()) for time in forecast.index]


@pytest.mark.parametrize(
    ("times", "following"),
    [
        (on_day(15), ["2025-01-15", "2025-02-15", "2025-03-15"]),
        (on_day(30), ["2025-01-30", "2025-02-28", "2025-03-30"]),
        (on_day(30)[:50], ["2024-03-30", "2024-04-30", "2024-05-30"]),
        (last_trading_days(), ["2025-01-31", "2025-02-28", "2025-03-31"]),
        (quarters_of_weeks(), ["2029-01-31", "2029-02-28", "2029-03-31"]),
        (on_day(10)[::3], ["2025-01-10", "2025-04-10", "2025-07-10"]),
    ],
    ids=["15th", "30th", "until February", "trading", "4-4-5", "quarters"],
)
def test_one_row_a_month_is_monthly(times: pd.DatetimeIndex, following: list[str]) -> None:
    y = series(times)
    panel = read_frames(y)
    assert panel.values.tolist() == y.tolist()
    assert season_lengths(panel.freq) == ((4,) if len(times) == 20 else (12,))
    assert next_times(y) == following
    assert next_times(y.sample(frac=1, random_state=0)) == following


@pytest.mark.parametrize("freq", ["MS", "M", "ME", pd.DateOffset(months=1), "BME", "2MS"])
@pytest.mark.parametrize(
    "times", [on_day(15), on_day(30), last_trading_days()], ids=["15", "30", "t"]
)
def test_a_monthly_frequency_may_be_said(freq: Any, times: pd.DatetimeIndex) -> None:
    if freq == "2MS":
        with pytest.raises(ValueError, match="does not fit the index"):
            read_frames(series(times), freq=freq)
        return
    if type(freq) is pd.DateOffset and times.equals(last_trading_days()):
        freq = "ME"
    panel = read_frames(series(times), freq=freq)
    assert len(panel.values) == 60 and not np.isnan(panel.values).any()


def test_what_is_exact_is_never_moved(caplog: pytest.LogCaptureFixture) -> None:
    for times in (MONTHS, DAYS, pd.date_range("2020", periods=9, freq="ME"), on_day(15)):
        before, after = np.arange(len(times) - 1), np.arange(1, len(times))
        assert settled(times, None, before, after)[0] is times
    assert not caplog.records


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Auckland"])
@pytest.mark.parametrize("aware", [True, False])
def test_local_midnights_in_utc_are_days(
    zone: str, aware: bool, caplog: pytest.LogCaptureFixture
) -> None:
    utc = DAYS.tz_localize(zone).tz_convert("UTC")
    panel = read_frames(series(utc if aware else utc.tz_localize(None)))
    assert panel.freq == "D" and (panel.grid.tz_localize(None) == DAYS).all()
    assert "400 of 400 times are beside a regular axis and were moved" in caplog.text


@pytest.mark.parametrize(
    ("start", "freq"), [("2024", "min"), ("2024-01-01 00:07", "15min"), ("2024", "D")]
)
def test_jitter_of_a_hundredth_of_a_step_is_rounded(
    start: str, freq: str, caplog: pytest.LogCaptureFixture
) -> None:
    exact = pd.date_range(start, periods=100, freq=freq)
    spread = pd.Timedelta(exact[1] - exact[0]) * 0.005
    noise = np.random.default_rng(0).uniform(-1, 1, 100) * spread
    panel = read_frames(series(exact + noise))
    assert (panel.grid == exact).all() and panel.freq == freq
    assert "were moved" in caplog.text
    with pytest.raises(ValueError, match="must be regular.* Resample") as caught:
        read_frames(series(exact + 30 * noise))
    step = str(caught.value).split("resample('")[1].split("'")[0]
    assert len(series(exact + 30 * noise).resample(step).mean()) > 90


def test_covariates_and_updates_are_moved_alike(caplog: pytest.LogCaptureFixture) -> None:
    y, X = series(on_day(15)), pd.DataFrame({"price": np.random.default_rng(0).normal(size=60)})
    X = X.set_axis(MONTHS, axis=0)
    model = MarkovForecaster(horizon=2, freq="MS").fit(y[:50], X)
    assert model.predict(X=X).index.equals(MONTHS[50:52])
    model.update(y[50:51], X)
    assert model.predict(X=X).index.equals(MONTHS[51:53])
    days = pd.DataFrame({"price": 1.0}, pd.date_range("2020-01-01", "2024-12-01"))
    read_frames(series(MONTHS), days.assign(price=range(len(days))))
    assert "rows of `X` are between the times of `y` and not used" in caplog.text


@pytest.mark.parametrize(
    "times", [on_day(30), last_trading_days(), quarters_of_weeks()], ids=["30", "t", "w"]
)
def test_origins_of_moved_times_are_the_same(times: pd.DatetimeIndex) -> None:
    moved = read_frames(series(times)).grid
    tables = [
        backtest(NaiveForecaster(), series(index), 3, n_windows=3) for index in (times, moved)
    ]
    pd.testing.assert_frame_equal(*tables)
    assert compare(series(times), 3, models={}).table.notna().any(axis=1).all()


def test_days_of_the_month_are_saved(tmp_path: Path) -> None:
    model = NaiveForecaster(horizon=3).fit(series(on_day(30)))
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.freq_ == pd.DateOffset(months=1, day=30)
    pd.testing.assert_series_equal(again.predict(), model.predict())
    assert model.plot(3) is not None
    assert calendar_features(on_day(30), again.freq_)[1] == ("year_sin", "year_cos")


def test_a_grid_without_a_place_for_a_time_leaves_it() -> None:
    grid = pd.date_range("2024-01-01", periods=9, freq="h")
    half = grid[1:] + pd.Timedelta(minutes=30)
    assert on_grid(grid, half) is half


@pytest.mark.parametrize(
    "open_", ["Mon Tue Wed Thu Fri Sat", "Mon Wed Fri", "Tue Wed Thu Fri Sat Sun"]
)
def test_days_that_never_occur_are_no_steps(
    open_: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    days = DAYS[DAYS.day_name().str[:3].isin(open_.split())]
    y = series(days)
    panel = read_frames(y)
    assert panel.values.tolist() == y.tolist()
    assert f"only {open_} occur: other days are no steps; give freq='D'" in caplog.text
    assert season_lengths(panel.freq) == (len(open_.split()),)
    model = NaiveForecaster(horizon=9).fit(y)
    assert set(model.predict().index.day_name().str[:3]) == set(open_.split())
    model.save(tmp_path / "model")
    pd.testing.assert_series_equal(load(tmp_path / "model").predict(), model.predict())
    table = backtest(NaiveForecaster(), y.iloc[:34], 8, n_windows=3)
    assert table["y_hat"].notna().all()
    if open_ != "Mon Wed Fri":  # no two of its rows are a day apart
        assert read_frames(y, freq="D").freq == "D"


@pytest.mark.parametrize("tz", [None, "Europe/Paris"])
def test_hours_that_never_occur_are_no_steps(
    tz: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hours = pd.date_range("2024-02-05 00:30", periods=24 * 7 * 9, freq="h", tz=tz)
    open_ = hours[(hours.hour >= 7) & (hours.hour < 18) & (hours.day_of_week < 6)]
    y = series(open_)
    panel = read_frames(y.iloc[:400])
    assert panel.values.tolist() == y.iloc[:400].tolist()
    assert "only Mon Tue Wed Thu Fri Sat, 07:30 to 18:30, occur" in caplog.text
    assert season_lengths(panel.freq) == (11, 66)
    assert calendar_features(open_, panel.freq)[1][:4] == (
        "hour_sin", "hour_cos", "weekday_sin", "weekday_cos"
    )  # fmt: skip
    model = NaiveForecaster(horizon=100).fit(y.iloc[:400])
    assert model.predict().index.tolist() == open_[400:500].tolist()
    model.save(tmp_path / "model")
    pd.testing.assert_series_equal(load(tmp_path / "model").predict(), model.predict())
    kept = y.drop(y.index[[20, 21, 150]])
    assert np.isnan(read_frames(kept).values).sum() == 3
    assert read_frames(y, freq="h").freq == "h"
    assert read_frames(series(hours[hours.hour != 3][:200])).freq == "h"  # too short to tell


def test_hours_that_never_occur_are_told(caplog: pytest.LogCaptureFixture) -> None:
    bars = pd.date_range("2024-01-01 09:30", periods=6_000, freq="5min")  # three weeks
    bars = bars[(bars.hour < 16) & (bars - bars.normalize() >= "09:30:00") & (bars.day_of_week < 5)]
    read_frames(series(bars))
    assert "78% of the steps" in caplog.text and "from 09:30 to 15:55" in caplog.text
    assert "y.reset_index(drop=True)" in caplog.text
    caplog.clear()
    assert read_frames(series(bars).reset_index(drop=True)).freq == 1
    read_frames(series(pd.date_range("2024", periods=500, freq="5min")))
    assert not caplog.records


def test_series_that_end_without_a_value_are_told(caplog: pytest.LogCaptureFixture) -> None:
    y = series(DAYS[:20])
    y.iloc[-2:] = np.nan
    NaiveForecaster(horizon=1).fit(y)
    assert "1 of 1 series end without a value, the first 'y' at 2023-01-20" in caplog.text
    assert logging.getLogger("forecast").name in caplog.records[0].name
