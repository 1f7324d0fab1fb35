"""Every bad input, and what the message says about it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from forecast.data.frames import future_known, read_frames, read_update

DAYS = pd.date_range("2024-01-01", periods=5, freq="D")


def series(values: object, index: pd.Index = DAYS, name: str = "a") -> pd.Series:
    return pd.Series(values, index=index, name=name)


def long(ids: list, times: object, values: list) -> pd.DataFrame:
    return pd.DataFrame({"unique_id": ids, "ds": times, "y": values})


def fails(error: type[Exception], *parts: str, y: object, **options: object) -> None:
    with pytest.raises(error) as caught:
        read_frames(y, **options)
    for part in parts:
        assert part in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    "y",
    [
        pd.Series([], dtype=float),
        pd.DataFrame({"a": []}, dtype=float),
        long([], pd.DatetimeIndex([]), []).astype({"y": float}),
        long([], pd.DatetimeIndex([]), []).astype({"y": float}).set_index(["unique_id", "ds"])["y"],
    ],
)
def test_empty(y: object) -> None:
    fails(ValueError, "`y` must have at least one row, got an empty table", y=y)


def test_empty_list_and_empty_series_in_a_list() -> None:
    fails(ValueError, "at least one series, got an empty list", y=[])
    fails(ValueError, "series 'b' must have at least one row", y=[
        series(np.ones(5)), series([], DAYS[:0], "b").astype(float)])  # fmt: skip


def test_a_frame_without_columns() -> None:
    fails(ValueError, "at least one column", "shape (5, 0)", y=pd.DataFrame(index=DAYS))


def test_all_nan_names_the_series() -> None:
    fails(ValueError, "series 'a' must have at least one observed value", y=series([np.nan] * 5))
    wide = pd.DataFrame({"a": np.ones(5), "b": np.nan, "c": np.nan})
    fails(ValueError, "series 'b'", "(2 such series)", "Drop it", y=wide)
    assert read_frames(wide, allow_unobserved=True).n_series == 3


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinity_names_the_series_and_the_time(bad: float) -> None:
    y = pd.DataFrame({"a": np.ones(5), "b": [1, 2, 3, bad, 5]}, index=DAYS)
    fails(ValueError, "series 'b' must be finite", str(bad), "2024-01-04", "NaN", y=y)


@pytest.mark.parametrize("bad", [1e155, -1e300])
def test_a_value_whose_square_overflows_names_the_series_and_the_time(bad: float) -> None:
    y = pd.DataFrame({"a": np.ones(5), "b": [1, 2, 3, bad, 5]}, index=DAYS)
    fails(ValueError, "series 'b' must be at most 1e+150 in size", str(bad), "2024-01-04", y=y)
    assert read_frames(y.clip(-1e150, 1e150)).n_series == 2
    fails(ValueError, "series 'b' must be finite", y=(y / bad * 1e30).astype("float32") * 1e30)


@pytest.mark.parametrize(
    "values",
    [
        ["1", "2", "3", "4", "5"],
        [1, "x", None, 2, 3],
        np.ones(5) * 1j,
        DAYS,
        pd.to_timedelta(np.arange(5), unit="D"),
        pd.Categorical([1, 2, 3, 4, 5]),
    ],
)
def test_wrong_dtype_names_the_series(values: object) -> None:
    fails(TypeError, "series 'a' must hold real numbers", y=series(values))
    frame = pd.DataFrame({"b": np.ones(5), "a": values}, index=DAYS)
    fails(TypeError, "series 'a' must hold real numbers", y=frame)


def test_a_date_column_says_to_make_it_the_index() -> None:
    y = pd.DataFrame({"date": DAYS, "a": np.ones(5)})
    fails(TypeError, "series 'date'", "datetime64", "set_index", y=y)


def test_duplicated_times_name_the_series_and_the_time() -> None:
    twice = DAYS[[0, 1, 1, 2, 3]]
    fails(
        ValueError,
        "series 'a' has more than one row at 2024-01-02",
        "groupby",
        y=series(1.0, twice),
    )
    y = long(["a", "b", "b", "b"], [1, 1, 2, 2], [1.0, 2.0, 3.0, 4.0])
    fails(ValueError, "series 'b' has more than one row at 2 ", "(1 such rows", y=y)


def test_the_hour_that_comes_twice_mentions_the_time_zone() -> None:
    hours = pd.date_range("2024-10-26 22:00", periods=8, freq="h", tz="Europe/Paris")
    naive = series(np.arange(8.0), hours.tz_localize(None))
    fails(ValueError, "2024-10-27 02:00:00", "time zone", "ambiguous='infer'", y=naive)
    assert read_frames(series(np.arange(8.0), hours)).lengths.tolist() == [8]


@pytest.mark.parametrize(
    "y",
    [np.ones(3), [1.0, 2.0], {"a": 1}, "co2", None, 3.0],
)
def test_no_table_at_all(y: object) -> None:
    fails(TypeError, "`y` must be a pandas Series", "'unique_id', 'ds', 'y'", y=y)


def test_numpy_arrays_get_their_own_remedy() -> None:
    fails(TypeError, "ndarray of shape (3,)", "pd.Series(y)", y=np.ones(3))
    fails(TypeError, "1.0 dtype: float64}", "pd.DataFrame(y)", y={"a": pd.Series([1.0])})


@pytest.mark.parametrize(
    "index",
    [pd.Index(list("abcde")), pd.Index(np.arange(5) / 2), pd.to_timedelta(np.arange(5), unit="h")],
)
def test_an_index_that_is_no_time(index: pd.Index) -> None:
    expected = "the index of `y` must hold datetimes, periods or whole numbers"
    fails(TypeError, expected, str(index.dtype), y=series(np.ones(5), index))
    fails(TypeError, "(first value 1990.0). Convert it with .astype(int)",
          y=series(np.ones(5), np.arange(1990.0, 1995.0)))  # fmt: skip
    fails(TypeError, "(first value 0.0). Count steps, or number the rows.",
          y=series(np.ones(5), np.arange(5) / 2))  # fmt: skip
    quarters = pd.Index(["1998 Q1", "1998 Q2"])
    fails(TypeError, "pd.PeriodIndex(times.str.replace(' ', ''), freq='Q')",
          y=series(np.ones(2), quarters))  # fmt: skip
    fails(TypeError, "Convert it with pd.to_datetime", y=series(np.empty(0), quarters[:0]))


@pytest.mark.parametrize(
    ("form", "times"),
    [
        ("%Y%m", pd.period_range("2023-10", periods=5, freq="M")),
        ("%Y%m", pd.period_range("2024-01", periods=12, freq="M")),
        ("%Y%m%d", pd.period_range("2023-12-29", periods=5, freq="D")),
        ("%Y%m%d", pd.period_range("2023-02-01", periods=28, freq="D")),
    ],
)
def test_numbers_that_write_dates_count_no_steps(form: str, times: pd.PeriodIndex) -> None:
    """After 202312 comes 202401, not 202313."""
    n, numbers = len(times), times.strftime(form).astype(int)
    fails(ValueError, "dates such as", f"format={form!r}", y=series(np.ones(n), numbers))
    fails(ValueError, "dates such as", y=long(["a"] * n, numbers, list(np.ones(n))))
    assert pd.to_datetime(numbers.astype(str), format=form)[-1] == times[-1].to_timestamp()
    weeks = [202351, 202352, 202401]
    fails(ValueError, "such as 202351", "+ '1', format='%G%V%u'", y=series(np.ones(3), weeks))
    assert read_frames(series(np.ones(5), pd.RangeIndex(202398, 202403))).freq == 1


def test_steps_that_were_counted_go_on_through_numbers_that_look_like_dates() -> None:
    begun = read_frames([series([1.0] * n, pd.RangeIndex(200000, 200000 + n)) for n in (1, 2)])
    months = pd.RangeIndex(200001, 200013)
    new = read_update(begun, [series(np.ones(12), months), series(np.ones(11), months[1:])])
    assert new.grid.equals(months) and new.lengths.tolist() == [12, 11]


def test_weeks_on_several_weekdays_are_told_to_become_weeks() -> None:
    weeks = [pd.date_range("2024-01-01", periods=9, freq=f"W-{day}") for day in ("MON", "SUN")]
    y = [series(np.ones(9), times) for times in weeks]
    fails(ValueError, "y.resample('W').mean()", y=y)
    assert read_frames([one.resample("W").mean() for one in y]).freq == "W-SUN"


def test_starts_and_ends_of_months_are_told_to_become_months() -> None:
    starts, ends = (pd.date_range("2024", periods=9, freq=freq) for freq in ("MS", "ME"))
    both = long(["a"] * 9 + ["b"] * 9, starts.append(ends), list(np.ones(18)))
    fails(ValueError, "make months of all with .to_period('M')", y=both)
    both["ds"] = both["ds"].dt.to_period("M")
    assert read_frames(both).lengths.tolist() == [9, 9]


def test_a_column_of_dates_as_text_is_told_how_to_become_the_index() -> None:
    """What pd.read_csv makes of a file of dates and values."""
    y = pd.DataFrame({"day": DAYS.strftime("%Y-%m-%d"), "sales": np.arange(5.0)})
    remedy = "y['day'] = pd.to_datetime(y['day']); y = y.set_index('day')"
    fails(TypeError, "series 'day' must hold real numbers", remedy, y=y)
    names = {"y": y, "pd": pd}
    exec(remedy, names)
    assert read_frames(names["y"]).times(0).tolist() == DAYS.tolist()
    fails(TypeError, "pd.to_numeric", y=y.assign(day=["1.5"] * 5))
    fails(TypeError, "forecast.read_file(path)", y="sales.csv")


def test_times_as_strings_in_a_long_frame() -> None:
    fails(TypeError, "column 'ds'", "pd.to_datetime", y=long(["a"], ["2024-01-01"], [1.0]))


def test_missing_times_and_ids() -> None:
    times = pd.DatetimeIndex(["2024-01-01", None])
    fails(ValueError, "column 'ds' must have a time in every row, got 1 missing",
          y=long(["a", "a"], times, [1.0, 2.0]))  # fmt: skip
    fails(ValueError, "row 1 has no 'unique_id'", y=long(["a", None], DAYS[:2], [1.0, 2.0]))


def test_long_frames_must_have_their_columns_and_no_others() -> None:
    y = long(["a", "a"], [1, 2], [1.0, 2.0])
    fails(ValueError, "column 'ds' (`time_col`)", y=y.drop(columns="ds"))
    wide = y.drop(columns="unique_id")
    fails(ValueError, "column 'unique_id' (`id_col`)", "write y.set_index('ds')", y=wide)
    assert read_frames(wide.set_index("ds")).ids.tolist() == ["y"]
    fails(ValueError, "column 'y' (`target_col`)", y=y.drop(columns="y"))
    fails(ValueError, "['price']", "`X`", y=y.assign(price=1.0))


def test_columns_of_a_wide_frame() -> None:
    twice = pd.DataFrame(np.ones((5, 2)), columns=["a", "a"])
    fails(ValueError, "column 'a' occurs twice", y=twice)
    nested = pd.DataFrame(np.ones((5, 1)), columns=pd.MultiIndex.from_tuples([("a", "b")]))
    fails(TypeError, "one level of columns, got 2", y=nested)
    nested = pd.concat([nested.droplevel(0, axis=1)], axis=1, keys=[2024])
    fails(TypeError, "y.columns = ['_'.join(map(str, name)) for name in y.columns]", y=nested)


def test_multiindex_must_be_series_and_time() -> None:
    index = pd.MultiIndex.from_arrays([[1]], names=["ds"])
    fails(ValueError, "levels (series, time), got one level", y=pd.Series([1.0], index=index))
    index = pd.MultiIndex.from_tuples([(1, "a")], names=["week", "shop"])
    fails(TypeError, "level 'shop' of the index must hold datetimes", y=pd.Series([1.0], index))
    two = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    frame = pd.DataFrame({"p": [1.0, 2.0], "q": 1.0}, index=two)
    fails(ValueError, "must have the column 'y'", y=frame)


def test_series_of_a_list_must_have_one_kind_of_index() -> None:
    other = series(np.ones(5), pd.RangeIndex(5), "b")
    fails(
        TypeError, "series 'a' has DatetimeIndex", "series 'b' has", y=[series(np.ones(5)), other]
    )
    zoned = series(np.ones(5), DAYS.tz_localize("UTC"), "b")
    fails(TypeError, "DatetimeIndex in UTC", y=[series(np.ones(5)), zoned])


# --- frequency


def test_wrong_freq_names_the_first_offending_time_and_what_fits() -> None:
    ends = pd.date_range("2024-01-31", periods=5, freq="ME")
    fails(ValueError, "`freq`='MS' does not fit the index: 2024-01-31", "freq='ME'",
          y=series(np.ones(5), ends), freq="MS")  # fmt: skip
    fails(ValueError, "`freq`='2D' does not fit", "2024-01-02", y=series(np.ones(5)), freq="2D")


def test_too_fine_freq() -> None:
    fails(ValueError, "`freq`='h' is finer than the data", y=series(np.ones(5)), freq="h")


@pytest.mark.parametrize("freq", ["fortnight", "", "-1D", "0D", 3.5, object()])
def test_unknown_freq(freq: object) -> None:
    fails(ValueError, "`freq` must be a pandas frequency", y=series(np.ones(5)), freq=freq)


def test_freq_of_the_wrong_kind() -> None:
    fails(ValueError, "an alias such as 'D' for datetimes, got 2", y=series(np.ones(5)), freq=2)
    whole = series(np.ones(5), pd.RangeIndex(5))
    fails(ValueError, "positive whole number of steps", "'D'", y=whole, freq="D")
    fails(ValueError, "positive whole number of steps", "got 0", y=whole, freq=0)
    months = series(np.ones(5), pd.period_range("2024-01", periods=5, freq="M"))
    fails(ValueError, "differs from the frequency of the periods, 'M'", y=months, freq="Q")
    assert read_frames(months, freq="ME").freq == "M"


def test_an_irregular_index_names_the_time() -> None:
    times = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-03 12:34"])
    fails(ValueError, "must be regular", "'D' from 2024-01-01", "2024-01-03 12:34:00", "Resample",
          y=series(np.ones(4), times))  # fmt: skip
    numbers = series(np.ones(4), pd.Index([0, 2, 4, 5]))
    fails(ValueError, "its usual step is 2 from 0, but 5", y=numbers)


def test_series_on_different_grids() -> None:
    weeks = pd.date_range("2024-01-01", periods=4, freq="7D")
    y = [series(np.ones(4), weeks), series(np.ones(4), weeks + pd.Timedelta(days=2), "b")]
    fails(ValueError, "`freq`='7D' does not fit the index: 2024-01-03", y=y)
    quarters = pd.date_range("2024-01-01", periods=4, freq="3MS")
    y = [series(np.ones(4), quarters), series(np.ones(4), quarters + pd.offsets.MonthBegin(), "b")]
    fails(ValueError, "2024-02-01 00:00:00 is not on it", "to_period('Q')", y=y, freq="3MS")
    late = quarters[:3].append(pd.DatetimeIndex(["2024-11-01"]))
    fails(ValueError, "Resample the data to it first", y=series(np.ones(4), late), freq="3MS")
    years = pd.date_range("2001-01-01", periods=4, freq="YS")
    y = [series(np.ones(4), years), series(np.ones(4), years + pd.offsets.MonthBegin(), "b")]
    fails(ValueError, "begin in different months: give all .to_period('Y')", y=y, freq="YS")


def test_one_timestamp_needs_a_freq() -> None:
    alone = pd.DatetimeIndex(["2024-01-01"])
    fails(ValueError, "cannot be read from single timestamps", "freq='D'", y=series([1.0], alone))
    assert read_frames(series([1.0], alone), freq="D").freq == "D"


def test_a_stray_time_does_not_fill_the_memory() -> None:
    times = pd.DatetimeIndex(["1900-01-01", *pd.date_range("2024-01-01", periods=5, freq="min")])
    fails(
        ValueError,
        "series 'a' has 6 rows but spans",
        "1900-01-01",
        "stray",
        y=series(np.ones(6), times),
    )


# --- covariates


def X_for(index: pd.Index, **columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns or {"price": np.ones(len(index))}, index=index)


def test_x_must_be_a_frame() -> None:
    y = series(np.ones(5))
    fails(TypeError, "`X` must be a pandas DataFrame", "ndarray", y=y, X=np.ones((5, 1)))
    fails(TypeError, "`X` must be a pandas DataFrame", "to_frame()", y=y, X=y)
    fails(ValueError, "at least one covariate", y=y, X=pd.DataFrame(index=DAYS))


def test_missing_rows_of_x_name_the_time() -> None:
    fails(ValueError, "`X` must have a row for every time", "1 missing", "2024-01-03",
          y=series(np.ones(5)), X=X_for(DAYS).drop(DAYS[2]))  # fmt: skip


def test_missing_values_of_x_name_the_column_and_the_time() -> None:
    X = X_for(DAYS, promo=1.0, price=[1.0, np.nan, 3.0, 4.0, 5.0])
    fails(ValueError, "covariate 'price' must be finite, got nan at 2024-01-02", "Fill it",
          y=series(np.ones(5)), X=X)  # fmt: skip
    X["price"] = 1e300  # its square would overflow
    for past_only in ([], ["price"]):
        fails(ValueError, "covariate 'price' must be at most 1e+150 in size, got 1e+300 at 2024",
              "Replace it", y=series(np.ones(5)), X=X, past_only=past_only)  # fmt: skip


def test_x_of_the_wrong_dtype_or_twice() -> None:
    y = series(np.ones(5))
    fails(TypeError, "covariate 'colour' must hold real numbers", y=y, X=X_for(DAYS, colour="red"))
    fails(
        ValueError,
        "one row per time, got two at 2024-01-02",
        y=y,
        X=X_for(DAYS[[0, 1, 1, 2, 3, 4]]),
    )
    same = pd.DataFrame(np.ones((5, 2)), index=DAYS, columns=["p", "p"])
    fails(ValueError, "name each column once, got 'p' twice", y=y, X=same)


def test_x_on_another_clock() -> None:
    y = series(np.ones(5))
    fails(TypeError, "datetimes without a time zone, got datetimes in UTC",
          y=y, X=X_for(DAYS.tz_localize("UTC")))  # fmt: skip
    fails(TypeError, "got whole numbers", y=y, X=X_for(pd.RangeIndex(5)))


def test_x_of_a_long_frame_needs_its_keys() -> None:
    y = long(["a", "a", "b"], [1, 2, 1], [1.0, 2.0, 3.0])
    X = y.rename(columns={"y": "price"})
    fails(ValueError, "key column 'ds'", y=y, X=X.drop(columns="ds"))
    fails(ValueError, "1 missing, the first at 2 of series 'a'", y=y, X=X.drop(1))
    fails(ValueError, "got two at 1 of series 'b'", y=y, X=pd.concat([X, X.tail(1)]))
    multi = y.set_index(["unique_id", "ds"])
    fails(ValueError, "(series, time) MultiIndex", y=multi, X=X_for(pd.RangeIndex(3)))


def known_fails(*parts: str, y: object, X: object, future: object) -> None:
    with pytest.raises(ValueError, match=".*".join(re.escape(part) for part in parts)):
        future_known(read_frames(y, X), future, 2)


def test_future_covariates() -> None:
    y, X = series(np.ones(3), DAYS[:3]), X_for(DAYS)
    known_fails("`X` was given to forecast, but `fit` had none", y=y, X=None, future=X)
    known_fails("`X` must be given to forecast", "['price']", "2 steps", y=y, X=X, future=None)
    known_fails("missing ['price'], unknown ['cost']", y=y, X=X,
                future=X.rename(columns={"price": "cost"}))  # fmt: skip
    known_fails("1 missing, the first at 2024-01-05", y=y, X=X, future=X[:4])


def test_words_have_a_remedy_that_works() -> None:
    words = pd.Series(["a", "b", "a", "a"], dtype="category", name="event")
    with pytest.raises(
        TypeError, match=r"get_dummies\(y\), or .* \(y == 'a'\)\.astype\(float\)\.$"
    ):
        read_frames(words)
    assert read_frames(pd.get_dummies(words)).values.tolist() == [1, 0, 1, 1, 0, 1, 0, 0]
    assert read_frames((words == "a").astype(float)).values.tolist() == [1, 0, 1, 1]


def test_a_weekly_series_beside_a_daily_one_is_named() -> None:
    days, weeks = (
        pd.date_range("2024-01-01", periods=100),
        pd.date_range("2024-01-01", periods=15, freq="7D"),
    )
    both = [long(["day"] * 100, days, np.ones(100)), long(["week"] * 15, weeks, np.ones(15))]
    fails(ValueError, "must share their frequency", "'week' has a row at every 7th step of 'D'",
          "'day' at each. Fit them apart", y=pd.concat(both))  # fmt: skip
    assert [read_frames(one).freq for one in both] == ["D", "W-MON"]
    gappy = long(["gaps"] * 15, days[np.r_[0:14, 30]], np.ones(15))
    assert read_frames(pd.concat([both[0], gappy])).n_series == 2
