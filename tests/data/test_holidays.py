"""Holidays by country: flags of days and hours, counts of weeks, months and quarters."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from forecast.data.calendar import calendar_features
from forecast.data.holidays import check_countries


def flags(index: pd.Index, freq: str, countries: object) -> pd.DataFrame:
    features, names = calendar_features(index, freq, countries)
    frame = pd.DataFrame(features, index=index, columns=list(names))
    return frame.loc[:, frame.columns.str.startswith("holiday")]


def test_days_are_flagged_with_their_neighbours() -> None:
    days = pd.date_range("2023-12-20", periods=16, freq="D")
    found = flags(days, "D", "DE")
    held = [datetime.date(2023, 12, 25), datetime.date(2023, 12, 26), datetime.date(2024, 1, 1)]
    one = datetime.timedelta(days=1)
    for time, row in found.iterrows():
        day = time.date()
        assert row.tolist() == [day in held, day + one in held, day - one in held]


def test_a_subdivision_has_holidays_of_its_own() -> None:
    day = pd.DatetimeIndex(["2024-11-01"])  # All Saints': in Bavaria, not in Berlin
    assert flags(day, "D", "DE-BY")["holiday"].item() == 1
    assert flags(day, "D", "DE-BE")["holiday"].item() == 0
    assert flags(day, "D", ["DE-BE", "FR"])["holiday"].item() == 1


def test_exchanges_close_on_days_of_their_own() -> None:
    day = pd.DatetimeIndex(["2024-03-29"])  # Good Friday: no federal holiday, but no trade
    assert flags(day, "B", "US")["holiday"].item() == 0
    assert flags(day, "B", "XNYS")["holiday"].item() == 1


def test_hours_follow_the_local_clock() -> None:
    hours = pd.date_range("2024-12-24 21:00", periods=30, freq="h", tz="UTC")
    local = hours.tz_convert("Europe/Berlin")
    expected = [time.date() in (datetime.date(2024, 12, 25), datetime.date(2024, 12, 26))
                for time in local]  # fmt: skip
    assert flags(local, "h", "DE")["holiday"].tolist() == expected
    assert sum(expected) == 30 - 2


@pytest.mark.parametrize(
    ("index", "freq"),
    [
        (pd.date_range("2024-01-07", periods=60, freq="W-SUN"), "W-SUN"),
        (pd.date_range("2024-01-31", periods=24, freq="ME"), "ME"),
        (pd.date_range("2024-01-01", periods=24, freq="MS"), "MS"),
        (pd.date_range("2024-02-01", periods=8, freq="QS-FEB"), "QS-FEB"),
        (pd.date_range("2024-02-29", periods=8, freq="QE-FEB"), "QE-FEB"),
        (pd.date_range("2024-01-03", periods=24, freq="2D"), "2D"),
        (pd.date_range("2024-01-07", periods=24, freq="2W-SUN"), "2W-SUN"),
        (pd.period_range("2024-01", periods=24, freq="M"), "M"),
        (pd.period_range("2024-01-03", periods=24, freq="W-WED"), "W-WED"),
        (pd.period_range("2024Q1", periods=8, freq="Q-NOV"), "Q-NOV"),
    ],
)
def test_longer_steps_count_their_holidays_on_weekdays(index: pd.Index, freq: str) -> None:
    import holidays

    known = holidays.country_holidays("DE", years=range(2022, 2028))
    if isinstance(index, pd.PeriodIndex):
        spans = [(period.start_time, period.end_time) for period in index]
    elif freq in ("MS", "QS-FEB", "2D"):
        spans = [(time, time + index.freq - pd.Timedelta(days=1)) for time in index]
    else:
        spans = [(time - index.freq + pd.Timedelta(days=1), time) for time in index]
    for (first, last), found in zip(spans, flags(index, freq, "DE")["holidays"], strict=True):
        held = [day for day in pd.date_range(first, last, freq="D")
                if day.date() in known and day.day_of_week < 5]  # fmt: skip
        assert found == pytest.approx(min(len(held) / 5, 1))


def test_the_flags_of_a_time_do_not_depend_on_the_others() -> None:
    days = pd.date_range("2019-01-01", periods=1500, freq="D")
    whole = flags(days, "D", "US-CA").to_numpy()
    np.testing.assert_array_equal(flags(days[700:730], "D", "US-CA"), whole[700:730])
    assert flags(days[:0], "D", "DE").shape == (0, 3)


@pytest.mark.parametrize(
    ("countries", "error", "message"),
    [
        ("XX", ValueError, r"got 'XX'\. Use an ISO code such as 'DE'"),
        ("US-ZZ", ValueError, r"got 'US-ZZ'\. Its subdivisions are \['AK'"),
        ("", ValueError, "got ''"),
        ([], ValueError, "at least one country"),
        (True, TypeError, "a country such as 'DE'"),
        ([1], TypeError, "a country such as 'DE'"),
    ],
)
def test_unknown_countries_are_refused(
    countries: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        check_countries(countries)


def test_steps_without_days_are_refused() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        calendar_features(pd.RangeIndex(3), 1, "DE")
    for freq in ("YE", "2QE", "SME"):
        with pytest.raises(ValueError, match="at most a quarter"):
            calendar_features(pd.date_range("2024-01-01", periods=3, freq=freq), freq, "DE")
