from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from pandas.tseries.holiday import USFederalHolidayCalendar

from forecast.data.frames import append, extend_grid, read_frames, restore
from forecast.data.frequency import extend_grid_to, freq_of, locate


def panel_of(index: pd.Index, freq: object = None) -> object:
    return read_frames(pd.Series(np.arange(1.0, len(index) + 1), index=index), freq=freq)


@pytest.mark.parametrize(
    "freq",
    ["s", "15min", "30min", "h", "6h", "D", "2D", "B", "W-SUN", "W-MON", "2W-FRI", "MS", "ME",
     "BMS", "BME", "2MS", "QS-JAN", "QS-FEB", "QE-DEC", "QE-NOV", "YS-JAN",
     "YE-JUN", "YE-DEC", "2YS-JAN", "SMS", "SME"],
)  # fmt: skip
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("tz", [None, "Europe/Paris"])
def test_the_frequency_is_found_again(freq: str, gaps: bool, tz: str | None) -> None:
    full = pd.date_range("2023-01-31", periods=24, freq=freq, tz=tz)
    rows = [t for t in range(24) if not gaps or t not in (4, 5, 13)]
    panel = panel_of(full[rows]._with_freq(None))
    assert panel.freq == full.freqstr
    pd.testing.assert_index_equal(panel.grid, full)
    assert np.isnan(panel.values).sum() == (3 if gaps else 0)
    future = extend_grid(panel.grid, 5)
    pd.testing.assert_index_equal(future, pd.date_range(full[0], periods=29, freq=freq))
    assert future[24:].freqstr == full.freqstr


def test_business_days_with_holidays() -> None:
    days = pd.bdate_range("2024-12-20", periods=12)
    panel = panel_of(days[[d not in ("2024-12-25", "2025-01-01") for d in days.astype(str)]])
    assert panel.freq == "B"
    assert np.isnan(panel.values).sum() == 2


CALENDARS = {
    "days": pd.offsets.CustomBusinessDay(holidays=["2024-12-25", "2025-01-01"]),
    "US": pd.offsets.CustomBusinessDay(calendar=USFederalHolidayCalendar()),
    "Sunday to Thursday": pd.offsets.CustomBusinessDay(weekmask="Sun Mon Tue Wed Thu"),
    "month ends": pd.offsets.CustomBusinessMonthEnd(holidays=["2025-01-31"]),
    "hours": pd.offsets.CustomBusinessHour(start="10:00", holidays=["2024-12-25"]),
}


@pytest.mark.parametrize("name", CALENDARS)
@pytest.mark.parametrize("tz", [None, "Europe/Paris"])
@pytest.mark.parametrize("said", ["by the index", "as its alias", "by freq"])
def test_a_business_calendar_goes_on(name: str, tz: str | None, said: str) -> None:
    step = CALENDARS[name]
    full = pd.date_range("2024-12-18", periods=40, freq=step, tz=tz)
    gaps = said == "by freq" and [*range(9), *range(12, 20)]
    past = full[gaps] if gaps else full[:20]
    panel = panel_of(past, {"as its alias": step.freqstr, "by freq": step}.get(said))
    assert panel.freq == step and np.isnan(panel.values).sum() == (3 if gaps else 0)
    future = restore(panel, np.ones((1, 20))).index
    pd.testing.assert_index_equal(future, full[20:])
    later = append(panel, panel_of(full[20:30], panel.freq))
    pd.testing.assert_index_equal(later.grid, full[:30])


def test_a_value_on_a_free_day_is_named() -> None:
    days = pd.bdate_range("2024-12-20", periods=8)
    with pytest.raises(ValueError, match=r"2024-12-25 .* is not on it. The data fit freq='B'"):
        panel_of(days, CALENDARS["days"])


def test_a_calendar_that_the_index_has_lost_is_business_days_with_gaps() -> None:
    days = pd.date_range("2024-12-20", periods=8, freq=CALENDARS["days"])
    panel = panel_of(days._with_freq(None))
    assert panel.freq == "B" and np.isnan(panel.values).sum() == 2


def test_an_offset_without_an_alias_is_read_from_its_steps() -> None:
    months = pd.date_range("2024-01-01", periods=5, freq=pd.DateOffset(months=1))
    assert panel_of(months).freq == "MS"


def test_five_days_of_one_week_are_days_unless_the_index_knows_better() -> None:
    week = pd.bdate_range("2024-01-01", periods=5)
    assert panel_of(week).freq == "B"
    assert panel_of(week._with_freq(None)).freq == "D"


@pytest.mark.parametrize("start", ["2024-03-30 20:00", "2024-10-26 20:00"])
def test_hours_count_absolute_time_where_clocks_change(start: str) -> None:
    hours = pd.date_range(start, periods=12, freq="h", tz="Europe/Paris")
    panel = panel_of(hours[[0, 1, 2, 3, 8]]._with_freq(None))
    assert panel.lengths.tolist() == [9]
    future = restore(panel, np.ones((1, 3)))
    pd.testing.assert_index_equal(future.index, hours[9:])


def test_days_count_the_wall_clock_where_clocks_change() -> None:
    days = pd.date_range("2024-03-29", periods=6, freq="D", tz="Europe/Paris")
    panel = panel_of(days[:4]._with_freq(None))
    assert panel.freq == "D"
    pd.testing.assert_index_equal(restore(panel, np.ones((1, 2))).index, days[4:])


def test_a_day_without_midnight() -> None:
    wall = pd.date_range("2018-11-01", periods=8, freq="D")
    days = wall.tz_localize("America/Sao_Paulo", nonexistent="shift_forward")
    assert days[3].hour == 1
    panel = panel_of(days)
    assert (panel.freq, panel.lengths.tolist()) == ("D", [8])
    before = panel_of(days[:3])
    pd.testing.assert_index_equal(
        restore(before, np.ones((1, 3))).index, days[3:6], check_names=False
    )
    pd.testing.assert_index_equal(extend_grid(panel.grid, 1)[:8], days)


def test_a_naive_local_clock_loses_an_hour_in_spring() -> None:
    hours = pd.date_range("2024-03-30 22:00", periods=8, freq="h", tz="Europe/Paris")
    assert np.isnan(panel_of(hours.tz_localize(None)).values).sum() == 1


def test_numbers() -> None:
    panel = panel_of(pd.Index([10, 15, 30, 20]))
    assert (panel.freq, panel.grid.tolist()) == (5, [10, 15, 20, 25, 30])
    assert restore(panel, np.ones((1, 2))).index.tolist() == [35, 40]
    assert panel_of(pd.Index([4])).freq == 1
    assert panel_of(pd.Index([0, 2, 6]), freq=2).lengths.tolist() == [4]
    nullable = pd.Index(pd.array([1, 2], dtype="Int64"))
    assert panel_of(nullable).grid.tolist() == [1, 2]


@pytest.mark.parametrize("freq", ["M", "Q-DEC", "Y-DEC", "h", "D", "W-SUN"])
def test_periods(freq: str) -> None:
    full = pd.period_range("2024-01-01", periods=9, freq=freq)
    panel = panel_of(full[[0, 1, 2, 5, 6]])
    assert panel.freq == freq
    assert np.isnan(panel.values).sum() == 2
    pd.testing.assert_index_equal(restore(panel, np.ones((1, 2))).index, full[7:])
    assert read_frames(restore(panel, np.ones((1, 2))), freq=panel.freq).freq == freq


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_resolution_of_timestamps_is_kept(unit: str) -> None:
    for freq in ("h", "MS"):
        index = pd.date_range("2024-01-01", periods=4, freq=freq).as_unit(unit)
        panel = panel_of(index)
        assert panel.grid.dtype == index.dtype
        assert restore(panel, np.ones((1, 2))).index.dtype == index.dtype


def test_arrow_timestamps() -> None:
    pytest.importorskip("pyarrow")
    days = pd.date_range("2024-01-01", periods=3, freq="D")
    long = pd.DataFrame({"unique_id": "a", "ds": days, "y": 1.0})
    long["ds"] = long["ds"].astype("timestamp[us][pyarrow]")
    assert read_frames(long).freq == "D"


def test_extend_grid_to_stops_at_the_last_step() -> None:
    months = pd.date_range("2024-01-31", periods=2, freq="ME")
    assert list(extend_grid_to(months, pd.Timestamp("2024-04-30"))[2:]) == [
        pd.Timestamp("2024-03-31"), pd.Timestamp("2024-04-30")]  # fmt: skip
    hours = pd.date_range("2024-01-01", periods=2, freq="h")
    assert len(extend_grid_to(hours, hours[1] + pd.Timedelta(minutes=90))) == 3
    assert len(extend_grid_to(hours, hours[0])) == 2
    periods = pd.period_range("2024-01", periods=2, freq="M")
    assert len(extend_grid_to(periods, pd.Period("2024-05", "M"))) == 5


def test_locate_and_freq_of() -> None:
    grid = pd.RangeIndex(0, 10, 2)
    assert locate(grid, pd.Index([4, 5])).tolist() == [2, -1]
    assert freq_of(grid) == 2


@pytest.mark.parametrize("last", range(1, 8))
def test_a_grid_goes_on_from_a_day_without_midnight(last: int) -> None:
    wall = pd.date_range("2018-11-01", periods=8, freq="D")
    days = wall.tz_localize("America/Sao_Paulo", nonexistent="shift_forward")
    grid = panel_of(days[: last + 1]).grid
    pd.testing.assert_index_equal(extend_grid(grid, 7 - last), days)
    pd.testing.assert_index_equal(extend_grid_to(grid, days[7]), days)


def test_a_single_new_step_keeps_the_frequency() -> None:
    for index in (pd.date_range("2024-03-29", periods=9, freq="D", tz="Europe/Paris"),
                  pd.date_range("2024-01-07", periods=9, freq="2W"),
                  pd.period_range("2024-01", periods=9, freq="M")):  # fmt: skip
        grid = panel_of(index[:2]).grid
        for _ in range(7):
            grid = extend_grid(grid, 1)
        pd.testing.assert_index_equal(grid, index)
        assert freq_of(grid) == index.freqstr
    steps = extend_grid(extend_grid(pd.RangeIndex(0, 4, 2), 1), 1)
    assert isinstance(steps, pd.RangeIndex)
    assert steps.tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize("freq", ["YS", "ME", "W", "D", "B", "h"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_times_that_nanoseconds_cannot_hold_are_named(freq: str, zone: str | None) -> None:
    grid = pd.date_range("2240-01-01", periods=9, freq=freq, tz=zone).as_unit("ns")
    steps = 200_000
    with pytest.raises(ValueError, match=f"{steps} steps of '{freq}.*' after 22.*as_unit"):
        extend_grid(grid, steps)
    if freq != "YS" or pd.__version__ >= "3":  # pandas 2 counts years in nanoseconds
        assert len(extend_grid(grid.as_unit("s"), 200)) == 209


@pytest.mark.parametrize(
    ("times", "alias"),
    [
        (["2020-01-01", "2020-04-01", "2020-09-01"], "MS"),
        (["2020-01-05", "2020-01-19", "2020-02-02", "2020-02-09"], "W-SUN"),
    ],
)
def test_missing_steps_are_told_from_irregular_ones(times: list[str], alias: str) -> None:
    y = pd.Series(np.arange(float(len(times))), pd.DatetimeIndex(times))
    with pytest.raises(ValueError, match=re.escape(f"y.asfreq({alias!r})")):
        read_frames(y)
    assert read_frames(y.asfreq(alias)).freq.startswith(alias)


def test_quarters_that_begin_in_different_months_become_quarters() -> None:
    grids = [pd.date_range("2015", periods=9, freq=freq) for freq in ("QS-JAN", "QS-FEB")]
    y = [pd.Series(range(9), grid) for grid in grids]
    with pytest.raises(ValueError, match=re.escape(".to_period('Q')")):
        read_frames(y)
    assert read_frames([one.to_period("Q") for one in y]).freq == "Q-DEC"
