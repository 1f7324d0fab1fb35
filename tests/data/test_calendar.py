from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from forecast.data.calendar import (
    CalendarAhead,
    calendar_features,
    infer_season_length,
    season_lengths,
)
from forecast.data.frames import append, read_frames, restore, warn_of_changed_clocks


@pytest.mark.parametrize(
    ("freq", "expected"),
    [
        *[("h", (24, 168)), ("H", (24, 168)), ("30min", (48, 336)), ("15T", (96, 672))],
        *[("min", (1440, 10080)), ("s", (60, 3600)), ("100ms", (10, 600)), ("6h", (4, 28))],
        *[
            ("7h", (24,)),
            ("D", (7,)),
            ("7D", (52,)),
            ("28D", (13,)),
            ("B", (5,)),
            ("C", (5,)),
            ("W", (52,)),
        ],
        *[("W-MON", (52,)), ("2W", (26,)), ("MS", (12,)), ("M", (12,)), ("BME", (12,))],
        *[("SMS", (24,)), ("3MS", (4,)), ("Q", (4,)), ("QS-FEB", (4,)), ("BQE", (4,))],
        *[("WOM-3THU", (12,)), ("YE", (1,)), ("A", (1,)), (1, (1,)), (5, (1,))],
    ],
)
def test_season_lengths(freq: object, expected: tuple[int, ...]) -> None:
    assert season_lengths(freq) == expected


def test_an_unknown_frequency() -> None:
    with pytest.raises(ValueError, match="`freq` must be a pandas frequency"):
        season_lengths("fortnight")


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (pd.date_range("2024-01-01", periods=30, freq="h"), 24),
        (pd.period_range("2024-01", periods=30, freq="M"), 12),
        (pd.period_range("2024", periods=30, freq="Y"), 1),
        (pd.bdate_range("2024-01-01", periods=30), 5),
    ],
)
def test_the_calendar_gives_the_season_of_dates(index: pd.Index, expected: int) -> None:
    assert infer_season_length(read_frames(pd.Series(np.ones(30), index=index))) == expected


@pytest.mark.parametrize("m", [4, 7, 12, 24, 48, 52, 96])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_data_give_the_season_of_numbers(m: int, noise: float) -> None:
    rng = np.random.default_rng(m)
    pattern = rng.normal(size=m)
    panel = read_frames(
        [
            pd.Series(np.resize(pattern, 8 * m) + noise * rng.normal(size=8 * m) + 0.1 * i)
            for i in range(5)
        ]
    )
    assert infer_season_length(panel) == m


def test_a_chance_peak_at_a_multiple_is_not_taken_for_the_season() -> None:
    def found(seed: int) -> int:
        rng = np.random.default_rng(seed)
        months = (
            np.resize(rng.normal(size=12), 100) * 0.6 + rng.normal(size=100) for _ in range(6)
        )
        return infer_season_length(read_frames([pd.Series(y) for y in months]))

    assert sum(found(seed) == 12 for seed in range(40)) >= 35


@pytest.mark.parametrize(("m", "size", "swing"), [(4, 50, 0.5), (12, 110, 0.6)])
def test_the_usual_seasons_are_found_in_one_short_series(m: int, size: int, swing: float) -> None:
    def found(seed: int, swing: float) -> int:
        rng = np.random.default_rng(seed)
        level = 0.3 * rng.normal(size=size).cumsum() + rng.normal(size=size)
        y = level + swing * np.resize(rng.permutation(np.linspace(-2, 2, m)), size)
        return infer_season_length(read_frames(pd.Series(y)))

    assert sum(found(seed, swing) == m for seed in range(40)) >= 26
    assert sum(found(seed, 0.0) != 1 for seed in range(100)) <= 3


def test_a_pattern_that_resembles_itself_sooner_is_as_long_as_it_is() -> None:
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = np.resize(3 * rng.normal(size=10), 300) + rng.normal(size=300)
        found.append(infer_season_length(read_frames(pd.Series(y))))
    assert found.count(10) >= 18


@pytest.mark.parametrize(("half", "seed"), [(5, 7), (6, 9)])
def test_a_season_whose_halves_are_alike_is_whole(half: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    swing = np.tile(3 * rng.normal(size=half), 2) + 1.2 * rng.normal(size=2 * half)
    y = np.resize(swing, 300) + 0.2 * rng.normal(size=300)
    assert infer_season_length(read_frames(pd.Series(y))) == 2 * half


@pytest.mark.parametrize("m", [5, 10, 30, 288])
def test_a_sharp_season_of_any_length_is_found(m: int) -> None:
    """Weekdays, four-hour steps, five minutes: a climb and a fall that come back."""
    noise = np.random.default_rng(m).normal(size=6 * m)
    y = pd.Series(np.resize(np.arange(float(m)), 6 * m) + 0.02 * m * noise)
    assert infer_season_length(read_frames(y)) == m
    assert infer_season_length(read_frames([y, y, y[:3]])) == m


@pytest.mark.parametrize("period", [9, 11, 30, 100, 628])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_a_smooth_cycle_of_another_length_is_no_season(period: int, noise: float) -> None:
    steps = np.arange(1000)
    y = np.sin(2 * np.pi * steps / period) + noise * np.random.default_rng(0).normal(size=1000)
    assert infer_season_length(read_frames(pd.Series(y))) == 1


def test_random_walks_and_constants_have_no_season() -> None:
    found = [
        infer_season_length(
            read_frames(pd.Series(np.random.default_rng(s).normal(size=200).cumsum()))
        )
        for s in range(40)
    ]
    assert found.count(1) >= 39
    assert infer_season_length(read_frames(pd.Series(np.ones(100)))) == 1
    assert infer_season_length(read_frames(pd.Series([1.0]))) == 1


@pytest.mark.parametrize("size", [9, 10, 12, 16])
def test_few_values_of_noise_have_no_sharp_season(size: int) -> None:
    rng = np.random.default_rng(size)
    found = [infer_season_length(read_frames(pd.Series(rng.normal(size=size)))) for _ in range(200)]
    assert found.count(1) + found.count(4) == 200


@pytest.mark.parametrize(("n_long", "expected"), [(0, 1), (3, 1), (29, 1), (30, 12), (60, 12)])
def test_a_few_long_series_do_not_speak_for_the_others(n_long: int, expected: int) -> None:
    # yearly series of a competition: most have some twenty values, some have centuries
    rng = np.random.default_rng(0)
    cycle = np.resize(rng.normal(size=12), 300)
    series = [pd.Series(cycle + 0.1 * rng.normal(size=300)) for _ in range(n_long)]
    series += [pd.Series(rng.normal(size=20).cumsum()) for _ in range(60 - n_long)]
    assert infer_season_length(read_frames(series)) == expected


def test_gaps_do_not_hide_the_season() -> None:
    y = np.resize([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0], 210)
    y[::13] = np.nan
    assert infer_season_length(read_frames(pd.Series(y))) == 7


def test_a_series_without_neighbours_says_nothing_of_the_season() -> None:
    full = np.resize([3.0, 1.0, 4.0, 1.0], 60)
    frame = pd.DataFrame({"a": full, "b": np.where(np.arange(60) % 4, np.nan, np.arange(60.0))})
    assert infer_season_length(read_frames(frame)) == 4


@pytest.mark.parametrize(
    ("freq", "expected"),
    [
        (
            "h",
            [
                "hour_sin",
                "hour_cos",
                "weekday_sin",
                "weekday_cos",
                "weekend",
                "year_sin",
                "year_cos",
            ],
        ),
        ("24h", ["weekday_sin", "weekday_cos", "weekend", "year_sin", "year_cos"]),
        ("D", ["weekday_sin", "weekday_cos", "weekend", "year_sin", "year_cos"]),
        ("7D", ["year_sin", "year_cos"]),
        ("B", ["weekday_sin", "weekday_cos", "year_sin", "year_cos"]),
        ("W-SUN", ["year_sin", "year_cos"]),
        ("MS", ["year_sin", "year_cos"]),
        ("QE-DEC", ["year_sin", "year_cos"]),
        ("12MS", []),
        ("YE-DEC", []),
    ],
)
def test_features_vary_at_the_frequency(freq: str, expected: list[str]) -> None:
    index = pd.date_range("2023-01-02", periods=200, freq=freq)
    features, names = calendar_features(index, freq)
    assert list(names) == expected
    assert features.shape == (200, len(expected))
    assert features.dtype == np.float32
    assert (np.abs(features) <= 1).all()
    assert all(len(np.unique(column)) > 1 for column in features.T)


def test_features_read_the_local_clock() -> None:
    local = pd.date_range("2024-03-30", periods=48, freq="h", tz="Europe/Paris")
    here, _ = calendar_features(local, "h")
    naive, _ = calendar_features(local.tz_localize(None), "h")
    utc, _ = calendar_features(local.tz_convert("UTC"), "h")
    np.testing.assert_array_equal(here, naive)
    assert not np.array_equal(here, utc)


@pytest.mark.parametrize(("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25)])
def test_days_of_23_and_25_hours_are_whole_days(day: str, hours: int) -> None:
    grid = pd.date_range(day, periods=hours + 1, freq="h", tz="Europe/Berlin")
    assert grid[-1].normalize() != grid[0].normalize() == grid[-2].normalize()
    y = pd.Series(np.arange(hours + 1.0), grid)
    panel = read_frames(y.sample(frac=1, random_state=0))
    np.testing.assert_array_equal(panel.values, y)
    features, names = calendar_features(panel.grid, "h", "DE")
    np.testing.assert_allclose(features[-1, names.index("hour_cos")], 1)
    # On the clock three in the morning comes after 2 or after 4 hours.
    three = list(grid.hour).index(3)
    np.testing.assert_allclose(
        features[three, names.index("hour_sin")], np.sin(np.pi / 4), rtol=1e-6
    )
    assert three == (2 if hours == 23 else 4)


def test_leap_days_have_a_place_of_their_own() -> None:
    leap = pd.date_range("2024-02-28", periods=3, freq="D")
    features, names = calendar_features(leap, "D")
    year = np.arctan2(features[:, names.index("year_sin")], features[:, names.index("year_cos")])
    np.testing.assert_allclose(year / (2 * np.pi) * 12, [1 + 27 / 29, 1 + 28 / 29, 2], rtol=1e-6)
    daily = pd.Series(np.arange(800.0), pd.date_range("2023-12-01", periods=800, freq="D"))
    kept = daily.drop(pd.Timestamp("2024-02-29"))
    assert np.flatnonzero(np.isnan(read_frames(kept).values)).tolist() == [90]


def test_business_days_of_an_own_calendar() -> None:
    offset = pd.offsets.CustomBusinessDay(holidays=["2024-05-01", "2024-05-09"])
    days = pd.date_range("2024-04-25", periods=9, freq=offset)
    y = pd.Series(np.arange(9.0), days)
    panel = read_frames(y.iloc[:6], freq=offset)
    assert panel.grid.tolist() == days[:6].tolist()
    future = restore(panel, np.ones((1, 5)))
    assert pd.Timestamp("2024-05-09") not in future.index
    assert future.index.tolist() == pd.date_range(days[6], periods=5, freq=offset).tolist()
    longer = append(panel, read_frames(y.iloc[6:], freq=panel.freq))
    assert longer.grid.tolist() == days.tolist()
    np.testing.assert_array_equal(longer.values, y)


def test_features_of_a_day() -> None:
    index = pd.DatetimeIndex(["2024-01-01 00:00", "2024-01-01 06:00", "2024-07-01 12:00"])
    features, names = calendar_features(index, "6h")
    named = dict(zip(names, features.T, strict=True))
    np.testing.assert_allclose(named["hour_sin"], [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(named["hour_cos"], [1, 0, -1], atol=1e-6)
    np.testing.assert_allclose(named["year_cos"], [1, 1, -1], atol=1e-6)
    np.testing.assert_allclose(named["weekday_cos"], [1, 1, 1], atol=1e-6)


def test_periods_have_features_and_numbers_have_none() -> None:
    periods = pd.period_range("2024-01", periods=5, freq="M")
    dates = pd.date_range("2024-01-01", periods=5, freq="MS")
    np.testing.assert_array_equal(
        calendar_features(periods, "M")[0], calendar_features(dates, "MS")[0]
    )
    features, names = calendar_features(pd.RangeIndex(5), 1)
    assert (features.shape, names) == ((5, 0), ())


def test_features_of_the_future_continue_those_of_the_past() -> None:
    index = pd.date_range("2024-01-01", periods=50, freq="D")
    whole, _ = calendar_features(index, "D")
    np.testing.assert_array_equal(whole[30:], calendar_features(index[30:], "D")[0])


@pytest.mark.parametrize("holidays", [None, "DE"])
@pytest.mark.parametrize(
    "axis",
    [
        pd.date_range("2024-03-20", periods=300, freq="h", tz="Europe/Berlin"),
        pd.date_range("2024-03-20", periods=300, freq="D"),
        pd.period_range("2000-01", periods=300, freq="M"),
    ],
    ids=["hours", "days", "months"],
)
def test_the_calendar_ahead_is_that_of_each_time(axis: pd.Index, holidays: str | None) -> None:
    ahead = CalendarAhead(axis.freqstr, holidays)
    whole, _ = calendar_features(axis, axis.freqstr, holidays)
    for first, stop in ((0, 1), (1, 2), (60, 66), (250, 300), (3, 5), (64, 65)):
        np.testing.assert_array_equal(ahead.features(axis[first:stop]), whole[first:stop])


@pytest.mark.parametrize(
    ("first", "freq", "zone", "change"),
    [
        ("2024-03-28", "h", "Europe/Berlin", "2024-03-31 03:00"),  # within the next day
        ("2024-03-21", "30min", "Europe/Berlin", None),
        ("2024-10-25", "30min", "Europe/Berlin", "2024-10-27 02:00"),  # within the last three days
        ("2024-03-28", "h", "Asia/Tokyo", None),
        ("2024-03-28", "D", "Europe/Berlin", None),  # a day is a step, whatever its hours
        ("2024-03-28", "h", None, None),
    ],
)
def test_a_change_of_clocks_near_the_end_is_told(
    first: str, freq: str, zone: str | None, change: str | None
) -> None:
    steps = pd.date_range(first, pd.Timestamp(first) + pd.Timedelta(days=3), freq=freq, tz=zone)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warn_of_changed_clocks(read_frames(pd.Series(1.0, steps)), horizon=24)
    assert [f"change at {change}" in str(one.message) for one in told] == [True] * (
        change is not None
    )
