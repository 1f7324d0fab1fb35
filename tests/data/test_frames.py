from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from forecast.data.frames import (
    Panel,
    extend_grid,
    future_known,
    missing,
    read_frames,
    restore,
    restore_columns,
    tell_strays,
)

KINDS = ("series", "list", "wide", "long", "multi", "multi frame")
AXES = {
    "days": pd.date_range("2024-01-01", periods=10, freq="D"),
    "hours": pd.date_range("2024-03-30 20:00", periods=10, freq="h", tz="Europe/Paris"),
    "local days": pd.date_range("2024-03-28", periods=10, freq="D", tz="Europe/Paris"),
    "month ends": pd.date_range("2024-01-31", periods=10, freq="ME"),
    "business days": pd.bdate_range("2024-01-04", periods=10),
    "periods": pd.period_range("2024-01", periods=10, freq="M"),
    "numbers": pd.RangeIndex(5, 35, 3),
}


def table(kind: str, index: pd.Index, values: np.ndarray) -> object:
    """Return (n, T) values as one kind of table; the obvious way, a loop over the series."""
    names = [f"s{i}" for i in range(len(values))]
    if kind == "series":
        return pd.Series(values[0], index=index, name="s0")
    series = [pd.Series(row, index=index, name=n) for n, row in zip(names, values, strict=True)]
    if kind == "list":
        return series
    if kind == "wide":
        return pd.concat(series, axis=1)
    parts = [
        pd.DataFrame({"unique_id": one.name, "ds": index, "y": one.to_numpy()}) for one in series
    ]
    long = pd.concat(parts, ignore_index=True)
    if kind == "long":
        return long
    multi = long.set_index(["unique_id", "ds"])
    return multi if kind == "multi frame" else multi["y"]


def assert_same(left: object, right: object) -> None:
    if isinstance(left, list):
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    elif isinstance(left, pd.Series):
        pd.testing.assert_series_equal(left, right, check_freq=False)
    else:
        pd.testing.assert_frame_equal(left, right, check_freq=False)


def rows_of(y: object, kind: str, part: slice) -> object:
    if kind == "list":
        return [one.iloc[part] for one in y]
    if kind in ("long", "multi", "multi frame"):
        parts = [group.iloc[part] for _, group in y.groupby("unique_id", sort=False)]
        rows = pd.concat(parts)
        return rows.reset_index(drop=True) if kind == "long" else rows
    return y.iloc[part]


# --- windows and indexes from frames are tested with the windows; here the frames themselves


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.mission("M01")
def test_what_goes_in_comes_out(kind: str, axis: str) -> None:
    values = np.arange(30.0).reshape(3, 10) + 0.5
    y = table(kind, AXES[axis], values)
    past, future = rows_of(y, kind, slice(0, 7)), rows_of(y, kind, slice(7, 10))
    panel = read_frames(past)
    assert_same(restore(panel, values[: panel.n_series, 7:]), future)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.mission("M01")
def test_forecast_index_continues_the_history(kind: str) -> None:
    index = pd.date_range("2024-01-31", periods=4, freq="ME")
    panel = read_frames(table(kind, index, np.ones((2, 4))))
    future = extend_grid(panel.grid, 3)[panel.ends[0] :]
    pd.testing.assert_index_equal(
        future, pd.date_range("2024-05-31", periods=3, freq="ME"), exact="equiv", check_names=False
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.mission("M01")
def test_shuffled_rows_are_sorted_and_the_input_is_left_alone(kind: str) -> None:
    y = table(kind, AXES["days"], np.arange(30.0).reshape(3, 10))
    order = np.random.default_rng(0).permutation(10)
    if kind == "list":
        shuffled = [one.iloc[order] for one in y]
        copies = [one.copy() for one in shuffled]
    else:
        shuffled = y.sample(frac=1, random_state=0)
        copies = shuffled.copy()
    panel, sorted_panel = read_frames(shuffled), read_frames(y)
    assert_same(shuffled, copies)
    for i, name in enumerate(panel.ids):
        twin = list(sorted_panel.ids).index(name)
        np.testing.assert_array_equal(panel.series(i), sorted_panel.series(twin))


@given(
    values=hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(3, 10)),
        elements=st.one_of(st.floats(-1e9, 1e9), st.just(np.nan)),
    ),
    kind=st.sampled_from(KINDS),
    axis=st.sampled_from(sorted(AXES)),
    holes=st.sets(st.integers(3, 9)),
)
def test_round_trip(values: np.ndarray, kind: str, axis: str, holes: set[int]) -> None:
    """Read, cut and restore any table: the values, the index and the kind are as they were."""
    values[:, 0], values[:, -1] = 1.0, 2.0
    if kind == "series":
        values = values[:1]
    length = values.shape[1]
    index = AXES[axis][:length]
    kept = [t for t in range(length) if t not in holes or t == length - 1]
    panel = read_frames(rows_of(table(kind, index, values), kind, kept), freq=step_of(index))
    full = values.copy()
    full[:, [t for t in range(length) if t not in kept]] = np.nan
    np.testing.assert_array_equal(panel.values.reshape(full.shape), full)
    past = panel.head(np.ones(panel.n_series, dtype=int))
    expected = rows_of(table(kind, index, full), kind, slice(1, None))
    assert_same(restore(past, full[:, 1:]), expected)


def step_of(index: pd.Index) -> object:
    return index.step if isinstance(index, pd.RangeIndex) else index.freqstr


def test_a_large_long_frame_is_read_in_seconds_and_equals_the_loop() -> None:
    """The vectorised path against its slow, obvious twin, with gaps, ragged ends and NaN."""
    rng = np.random.default_rng(1)
    days = pd.date_range("2023-01-01", periods=40, freq="D")
    parts = []
    for i in range(200):
        first, last = rng.integers(0, 15), rng.integers(25, 40)
        kept = rng.random(last - first + 1) < 0.9
        kept[[0, 1, -1]] = True
        y = rng.normal(size=last - first + 1)
        y[rng.random(len(y)) < 0.2] = np.nan
        y[len(y) // 2] = 1.0
        frame = pd.DataFrame({"unique_id": f"s{i}", "ds": days[first : last + 1], "y": y})
        parts.append(frame[kept | (np.arange(len(y)) == len(y) // 2)])
    long = pd.concat(parts).sample(frac=1, random_state=0)
    panel = read_frames(long)
    for i, name in enumerate(panel.ids):
        own = long[long["unique_id"] == name].set_index("ds")["y"].sort_index().asfreq("D")
        own = own.loc[own.first_valid_index() :]
        np.testing.assert_array_equal(panel.series(i), own.to_numpy())
        assert list(panel.times(i)) == list(own.index)


@pytest.mark.slow
def test_twenty_million_rows_are_read_in_seconds() -> None:
    import time

    n, length = 200_000, 100
    ids = pd.Categorical.from_codes(np.repeat(np.arange(n), length), [f"s{i}" for i in range(n)])
    days = pd.date_range("2024-01-01", periods=length, freq="D")
    long = pd.DataFrame({"unique_id": ids, "ds": np.tile(days, n), "y": np.ones(n * length)})
    start = time.perf_counter()
    panel = read_frames(long)
    assert time.perf_counter() - start < 20
    assert panel.n_series == n and len(panel.values) == n * length


# --- values


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([1, 2], dtype=np.int8), np.float64),
        (np.array([True, False]), np.float64),
        (np.array([1, 2], dtype=np.float32), np.float32),
        (pd.array([1, None], dtype="Int64"), np.float64),
        (pd.array([1.5, None], dtype="Float64"), np.float64),
        (pd.array([True, None], dtype="boolean"), np.float64),
        (pd.array([True, None], dtype="bool[pyarrow]"), np.float64),
    ],
)
def test_numbers_become_floats(values: object, dtype: type) -> None:
    panel = read_frames(pd.Series(values))
    assert panel.values.dtype == dtype
    assert panel.values[0] == float(values[0])


def test_values_of_a_clean_float_series_are_the_same_numbers() -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=50) + 1e6)
    np.testing.assert_array_equal(read_frames(y).values, y.to_numpy())


def test_leading_nan_is_cut_and_trailing_nan_kept() -> None:
    wide = pd.DataFrame({"a": [np.nan, 1.0, 2.0, np.nan], "b": [1.0, 2.0, 3.0, 4.0]})
    panel = read_frames(wide)
    np.testing.assert_array_equal(panel.series(0), [1.0, 2.0, np.nan])
    assert panel.starts.tolist() == [1, 0]
    assert panel.ends.tolist() == [4, 4]


def test_gaps_become_nan() -> None:
    days = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-05"])
    panel = read_frames(pd.Series([1.0, 2.0, 5.0], index=days))
    np.testing.assert_array_equal(panel.values, [1, 2, np.nan, np.nan, 5])
    assert panel.freq == "D"


def test_series_of_one_panel_may_live_at_different_times() -> None:
    long = pd.DataFrame({"unique_id": [7, 7, 3, 3], "ds": [1, 2, 5, 6], "y": [1.0, 2.0, 3.0, 4.0]})
    panel = read_frames(long)
    assert panel.ids.tolist() == [3, 7]
    assert panel.starts.tolist() == [4, 0]
    future = restore(panel, np.array([[5.0], [3.0]]))
    assert future["ds"].tolist() == [7, 3]


# --- giving back


def test_restore_wide_with_different_ends_pads_with_nan() -> None:
    panel = read_frames(pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]}))
    future = restore(panel.head(np.array([2, 3])), np.array([[3.0, 4.0], [7.0, 8.0]]))
    expected = pd.DataFrame({"a": [3.0, 4.0, np.nan], "b": [np.nan, 7, 8]}, index=[2, 3, 4])
    pd.testing.assert_frame_equal(future, expected, check_index_type=False)


@pytest.mark.parametrize("kind", KINDS)
def test_restore_columns(kind: str) -> None:
    panel = read_frames(table(kind, AXES["days"], np.ones((2, 10))))
    n = panel.n_series
    values = np.arange(n * 6.0).reshape(n, 3, 2)
    result = restore_columns(panel, values, ["lower", "upper"])
    last = result[-1] if kind == "list" else result
    if kind == "wide":
        assert list(last.columns) == [("s0", "lower"), ("s0", "upper"), ("s1", "lower"),
                                      ("s1", "upper")]  # fmt: skip
        assert last[("s1", "upper")].tolist() == [7.0, 9.0, 11.0]
    elif kind == "long":
        assert list(last.columns) == ["unique_id", "ds", "lower", "upper"]
        assert last["upper"].tolist() == [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]
    else:
        assert list(last.columns) == ["lower", "upper"]
        assert last["upper"].tolist()[-1] == values[-1, -1, -1]


def test_restore_takes_a_name() -> None:
    panel = read_frames(pd.Series([1.0, 2.0], name="a"))
    assert restore(panel, np.ones((1, 2))).name == "a"
    assert restore(panel, np.ones((1, 2)), name="b").name == "b"


def test_names_of_columns_and_index_survive() -> None:
    wide = pd.DataFrame({"a": [1.0, 2.0]}, index=pd.RangeIndex(2, name="step")).rename_axis(
        columns="shop"
    )
    future = restore(read_frames(wide), np.ones((1, 1)))
    assert (future.index.name, future.columns.name) == ("step", "shop")


def test_other_column_names() -> None:
    long = pd.DataFrame({"shop": ["a", "a"], "day": [1, 2], "sales": [3.0, 4.0]})
    panel = read_frames(long, id_col="shop", time_col="day", target_col="sales")
    assert list(restore(panel, np.ones((1, 1))).columns) == ["shop", "day", "sales"]


def test_a_list_without_names_comes_back_without_names() -> None:
    panel = read_frames([pd.Series([1.0, 2.0]), pd.Series([3.0])])
    assert panel.ids.tolist() == [0, 1]
    future = restore(panel, np.ones((2, 2)))
    assert [one.name for one in future] == [None, None]
    assert [one.index.tolist() for one in future] == [[2, 3], [1, 2]]


def test_categorical_ids_stay_categorical() -> None:
    long = pd.DataFrame({"unique_id": pd.Categorical(["a", "a"]), "ds": [1, 2], "y": [1.0, 2.0]})
    assert restore(read_frames(long), np.ones((1, 1)))["unique_id"].dtype == "category"


# --- covariates


def price(index: pd.Index, kind: str) -> pd.DataFrame:
    X = pd.DataFrame({"price": np.arange(len(index), dtype=float), "promo": False}, index=index)
    if kind not in ("long", "multi"):
        return X
    parts = [X.assign(unique_id=name, ds=index) for name in ("s0", "s1")]
    long = pd.concat(parts, ignore_index=True)
    long["price"] += 100 * (long["unique_id"] == "s1")
    return long if kind == "long" else long.set_index(["unique_id", "ds"])


@pytest.mark.parametrize("kind", ["series", "list", "wide", "long", "multi"])
def test_covariates_are_aligned_by_key_and_not_by_row(kind: str) -> None:
    days = AXES["days"]
    y, X = table(kind, days[:7], np.ones((2, 7))), price(days, kind).sample(frac=1, random_state=0)
    panel = read_frames(y, X)
    extra = 100 if kind in ("long", "multi") else 0
    assert panel.X_names == ("price", "promo")
    assert panel.X[:7, 0].tolist() == list(range(7))
    known = future_known(panel, X[X.columns[::-1]], 3)
    assert known.shape == (panel.n_series, 3, 2)
    for i in range(panel.n_series):
        assert known[i, :, 0].tolist() == [7 + extra * i, 8 + extra * i, 9 + extra * i]


def test_no_covariates_at_all() -> None:
    assert future_known(read_frames(pd.Series([1.0, 2.0])), None, 3) is None


# --- the panel


def test_head_is_the_past_and_shares_memory_of_one_series() -> None:
    panel = read_frames(pd.Series(range(5), dtype=float))
    past = panel.head(np.array([3]))
    assert past.values.tolist() == [0, 1, 2]
    assert np.shares_memory(past.values, panel.values)
    two = read_frames(pd.DataFrame({"a": [1.0, 2, 3], "b": [4.0, 5, 6]})).head(np.array([1, 2]))
    assert [two.series(0).tolist(), two.series(1).tolist()] == [[1], [4, 5]]


@pytest.mark.parametrize("length", [0, 6])
def test_head_names_the_series_and_the_lengths(length: int) -> None:
    panel = read_frames(pd.Series(range(5), name="a"))
    with pytest.raises(ValueError, match=f"'a' has 5 values, got {length}"):
        panel.head(np.array([length]))


@pytest.mark.parametrize("wrong", ["1900-01-10", "2042-01-10"])
def test_a_mistyped_year_is_told(wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    days = pd.date_range("2024-01-01", periods=20)
    y = pd.Series(1.0, days.where(days != "2024-01-10", pd.Timestamp(wrong))).sort_index()
    tell_strays(read_frames(pd.Series(1.0, days)))
    tell_strays(read_frames(y.iloc[[0, -2, -1] if wrong < "2" else [0, 1, -1]]))  # too few to tell
    assert not caplog.text
    tell_strays(read_frames(pd.DataFrame({"a": y, "b": 1.0})))
    assert f"series 'a' has a lone value at {wrong}" in caplog.text


def test_missing_reports_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    wide = pd.DataFrame({"a": [1.0, np.nan, np.nan, 2.0], "b": [1.0, 2.0, 3.0, 4.0]})
    with caplog.at_level(logging.INFO, logger="forecast"):
        report = missing(read_frames(wide))
    assert report.to_dict("records") == [{"id": "a", "n_missing": 2, "first": 1, "last": 2}]
    assert "2 values of 1 series are missing" in caplog.text
    assert missing(read_frames(wide[["b"]])).empty


def test_a_panel_has_its_own_shape() -> None:
    panel = read_frames(pd.Series([1.0, 2.0], index=AXES["days"][:2]))
    assert isinstance(panel, Panel)
    assert (panel.n_series, panel.lengths.tolist(), panel.freq) == (1, [2], "D")
    assert list(panel.times(0)) == list(AXES["days"][:2])
