"""Frames of polars and pyarrow: read like their pandas twin, and given back as what came in."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from forecast import (
    Hierarchy,
    MarkovForecaster,
    NaiveForecaster,
    Partitioned,
    compare,
    evaluate,
    explain,
    reconcile,
    stream,
    watch,
    what_if,
)
from forecast.data.frames import future_frame, future_known, read_frames, restore, restore_columns
from forecast.evaluation.backtest import backtest
from forecast.evaluation.plots import plot_error_by_step, plot_steps
from forecast.evaluation.reliability import pit_histogram, plot_pit, plot_reliability, reliability
from forecast.evaluation.splits import RollingOrigin

DAYS = pd.date_range("2024-01-01", periods=12, freq="D")
LIBRARIES = ("polars", "pyarrow")


def native(frame: pd.DataFrame, library: str) -> pl.DataFrame | pa.Table:
    """Return a pandas frame as one of another library, value by value."""
    columns = {
        name: [
            value.to_pydatetime() if isinstance(value, pd.Timestamp)
            else None if value != value else value
            for value in frame[name].tolist()
        ]
        for name in frame
    }  # fmt: skip
    return pl.DataFrame(columns) if library == "polars" else pa.table(columns)


def same(left: object, right: object) -> bool:
    return type(left) is type(right) and left.equals(right)


def long_frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({"shop": name, "day": DAYS[low:high], "sales": rng.normal(size=high - low)})
        for name, low, high in (("Ulm", 0, 12), ("Bonn", 2, 11))
    ]
    frame = pd.concat(parts).sample(frac=1, random_state=0).reset_index(drop=True)
    return frame.drop(index=[3]).reset_index(drop=True)


COLUMNS = {"id_col": "shop", "time_col": "day", "target_col": "sales"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_long_frame_is_read_like_its_twin_and_given_back(library: str) -> None:
    frame = long_frame()
    panel, twin = read_frames(native(frame, library), **COLUMNS), read_frames(frame, **COLUMNS)
    np.testing.assert_array_equal(panel.values, twin.values)
    np.testing.assert_array_equal(panel.offsets, twin.offsets)
    assert panel.ids.tolist() == twin.ids.tolist() == ["Bonn", "Ulm"]
    assert panel.freq == "D"
    values = np.arange(4.0).reshape(2, 2)
    expected = native(restore(twin, values), library)
    assert same(restore(panel, values), expected)
    several = native(restore_columns(twin, values[:, :, None] + [0, 1], ["q0.1", "q0.9"]), library)
    assert same(restore_columns(panel, values[:, :, None] + [0, 1], ["q0.1", "q0.9"]), several)


@pytest.mark.parametrize("library", LIBRARIES)
def test_one_column_beside_the_time_is_a_series(library: str) -> None:
    y = native(pd.DataFrame({"ds": DAYS, "load": range(12)}), library)
    panel = read_frames(y)
    assert panel.values.tolist() == list(range(12))
    future = [datetime.datetime(2024, 1, 13), datetime.datetime(2024, 1, 14)]
    expected = native(pd.DataFrame({"ds": future, "load": [1.0, 2.0]}), library)
    assert same(restore(panel, np.array([[1.0, 2.0]])), expected)
    bounds = restore_columns(panel, np.array([[[0.0, 1.0]]]), ["lower", "upper"])
    one = native(pd.DataFrame({"ds": future[:1], "lower": [0.0], "upper": [1.0]}), library)
    assert same(bounds, one)


@pytest.mark.parametrize("library", LIBRARIES)
def test_several_columns_beside_the_time_are_a_wide_frame(library: str) -> None:
    wide = pd.DataFrame({"t": range(5), "a": [np.nan, 1, 2, 3, 4.0], "b": range(5)})
    panel = read_frames(native(wide, library), time_col="t")
    twin = read_frames(wide.set_index("t"))
    np.testing.assert_array_equal(panel.values, twin.values)
    assert panel.starts.tolist() == [1, 0]
    values = np.array([[[1.0, 2.0]], [[3.0, 4.0]]])
    expected = pd.DataFrame({"t": [5], "a": [1.0], "b": [3.0]})
    assert same(restore(panel, values[:, :, 0]), native(expected, library))
    flat = pd.DataFrame({"t": [5], "a_q0.1": [1.0], "a_q0.9": [2.0], "b_q0.1": [3.0],
                         "b_q0.9": [4.0]})  # fmt: skip
    assert same(restore_columns(panel, values, ["q0.1", "q0.9"]), native(flat, library))


def test_types_of_times_come_back() -> None:
    dates = pl.DataFrame({"ds": DAYS.date.tolist(), "y": range(12)})
    assert restore(read_frames(dates), np.ones((1, 2)))["ds"].to_list() == [
        datetime.date(2024, 1, 13), datetime.date(2024, 1, 14)]  # fmt: skip
    local = pd.date_range("2024-03-30 22:00", periods=5, freq="h", tz="Europe/Paris")
    hours = pl.DataFrame(
        {"ds": local.tz_convert("UTC").tz_localize(None).to_numpy(), "y": range(5)}
    )
    hours = hours.with_columns(
        pl.col("ds").dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Paris")
    )
    panel = read_frames(hours)
    assert panel.grid.tolist() == local.tolist()
    future = restore(panel, np.ones((1, 2)))
    assert future.schema["ds"] == hours.schema["ds"]
    expected = pd.date_range(local[-1], periods=3, freq="h")[1:]
    assert future["ds"].to_list() == expected.to_pydatetime().tolist()


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64, pl.Int16, pl.UInt8, pl.Boolean])
def test_numbers_of_any_type_may_be_null(dtype: pl.DataType) -> None:
    y = pl.DataFrame({"ds": range(6), "y": pl.Series([1, 0, None, 1, None, 1]).cast(dtype)})
    long = y.with_columns(unique_id=pl.lit("a"))
    for frame in (y, long, y.to_arrow(), y.with_columns(z=pl.col("y"))):
        panel = read_frames(frame)
        assert panel.values.dtype == (np.float32 if dtype == pl.Float32 else np.float64)
        np.testing.assert_array_equal(panel.series(0), [1, 0, np.nan, 1, np.nan, 1])


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["z", "b", "a"]), pl.Int32])
def test_series_may_be_named_by_text_or_numbers(dtype: pl.DataType) -> None:
    names = [1, 1, 2, 2] if dtype == pl.Int32 else ["b", "b", "a", "a"]
    y = pl.DataFrame(
        {"unique_id": pl.Series(names, dtype=dtype), "ds": [1, 2, 1, 2], "y": range(4)}
    )
    for frame in (y, y.to_arrow()):
        panel = read_frames(frame)
        assert panel.ids.tolist() == sorted(set(names))
        restored = restore(panel, np.ones((2, 1)))["unique_id"]
        assert (restored.to_list() if frame is y else restored.to_pylist()) == sorted(set(names))


@pytest.mark.parametrize("library", LIBRARIES)
def test_covariates_are_matched_by_their_columns(library: str) -> None:
    frame = long_frame()
    days = pd.date_range("2024-01-01", periods=20)
    parts = [pd.DataFrame({"shop": name, "day": days, "price": len(name) + np.arange(20.0)})
             for name in ("Ulm", "Bonn")]  # fmt: skip
    X = pd.concat(parts)
    X["rain"] = X["price"].where(X["price"] % 3 > 0)
    panel = read_frames(native(frame, library), native(X, library), past_only=["rain"], **COLUMNS)
    twin = read_frames(frame, X, past_only=["rain"], **COLUMNS)
    np.testing.assert_array_equal(panel.X, twin.X)
    np.testing.assert_array_equal(panel.past, twin.past)
    for other in (X, native(X, library)):
        np.testing.assert_array_equal(future_known(panel, other, 3), future_known(twin, X, 3))
    skeleton = future_frame(panel, 2)
    assert same(skeleton.drop_columns("price") if library == "pyarrow" else skeleton.drop("price"),
                native(future_frame(twin, 2)[["shop", "day"]], library))  # fmt: skip


@pytest.mark.parametrize("library", LIBRARIES)
def test_one_series_has_covariates_beside_a_column_of_times(library: str) -> None:
    y = native(pd.DataFrame({"ds": DAYS, "load": range(12)}), library)
    X = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=14), "price": range(14)})
    for table in (X, native(X, library)):
        panel = read_frames(y, table)
        np.testing.assert_array_equal(panel.X[:, 0], range(12))
        np.testing.assert_array_equal(future_known(panel, table, 2), [[[12], [13]]])
    assert future_frame(panel, 2).shape == (2, 2)
    with pytest.raises(ValueError, match="must have the column 'ds'"):
        read_frames(y, X.set_index("ds"))


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (pl.Series([1.0, 2.0]), TypeError, r"Give it its times: pl\.DataFrame"),
        (pl.DataFrame({"ds": [1, 2], "y": [1, 2]}).lazy(), TypeError, "collect"),
        (pl.DataFrame({"t": [1, 2], "y": [1, 2]}), ValueError, r"column 'ds', got.*time_col="),
        (pl.DataFrame({"ds": [1, 2]}), ValueError, "a column of values beside 'ds'"),
        (pl.DataFrame({"ds": [1, 2], "y": ["a", "b"]}), TypeError, "'y' must hold real numbers"),
        (pl.DataFrame({"ds": [1, None], "y": [1.0, 2.0]}), ValueError, "time in every row"),
        (pl.DataFrame({"ds": [DAYS[0], None], "y": [1.0, 2.0]}), ValueError, "time in every row"),
        (pl.DataFrame({"ds": [1, 1], "y": [1.0, 2.0]}), ValueError, "more than one row at 1"),
        (
            pl.DataFrame({"unique_id": ["a", None], "ds": [1, 2], "y": [1.0, 2.0]}),
            ValueError,
            "row 1 has no 'unique_id'",
        ),
        (
            pl.DataFrame({"unique_id": ["a", "a"], "ds": [1, 2], "y": [1.0, 2.0], "z": [1, 2]}),
            ValueError,
            r"got \['z'\] besides",
        ),
    ],
)
def test_what_is_refused(y: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_frames(y)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_forecaster_takes_and_gives_them(library: str) -> None:
    frame = long_frame()
    early = frame["day"] <= DAYS[8]
    model = MarkovForecaster(2, season_length=1, **COLUMNS).fit(native(frame[early], library))
    twin = MarkovForecaster(2, season_length=1, **COLUMNS).fit(frame[early])
    assert same(model.predict(3), native(twin.predict(3), library))
    assert model.score(native(frame[~early], library)) == twin.score(frame[~early])
    model.update(native(frame[~early], library))
    assert same(model.predict(3), native(twin.update(frame[~early]).predict(3), library))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", ["series", "wide", "long"])
def test_backtests_and_splits_are_those_of_the_twin(library: str, kind: str) -> None:
    if kind == "long":
        names = {
            column: name
            for name, column in zip(("unique_id", "ds", "y"), COLUMNS.values(), strict=True)
        }
        frame = twin = long_frame().rename(columns=names)
    else:
        frame = pd.DataFrame({"ds": DAYS, "y": np.arange(12.0) ** 2})
        frame = frame.assign(z=1.0) if kind == "wide" else frame
        twin = frame.set_index("ds")
        twin = twin["y"] if kind == "series" else twin
    y = native(frame, library)
    table = backtest(NaiveForecaster(), y, 2, n_windows=2, quantiles=[0.1, 0.9])
    expected = backtest(NaiveForecaster(), twin, 2, n_windows=2, quantiles=[0.1, 0.9])
    assert same(table, native(expected, library))
    for one, other in zip(RollingOrigin(2).split(y), RollingOrigin(2).split(twin), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    model = NaiveForecaster().fit(y)
    assert type(model.predict(2)) is type(y)


def test_a_stream_reads_forecasts_of_series_that_two_columns_name() -> None:
    keys = {"town": ["Ulm", "Ulm"], "shop": ["a", "b"]}
    past, new = (pl.DataFrame(keys | {"ds": [t, t], "y": [1.0 * t, 3.0 * t]}) for t in (1, 2))
    model = NaiveForecaster(id_col=["town", "shop"], season_length=1).fit(past)
    assert [scored.error for scored in stream(model, [new])] == [2.0]


def test_types_of_arrow_in_pandas_give_plain_floats_and_times() -> None:
    days = pd.date_range("2024", periods=3, unit="ns")
    rows = pd.DataFrame({"unique_id": "a", "ds": days, "y": [1.0, 2.0, 4.0]})
    held = rows.convert_dtypes(dtype_backend="pyarrow").astype({"ds": "timestamp[ns][pyarrow]"})
    found = NaiveForecaster(season_length=1).fit(held).predict(1)
    assert [str(kind) for kind in found.dtypes[["ds", "y"]]] == ["datetime64[ns]", "float64"]
    assert found["unique_id"].dtype == held["unique_id"].dtype


def flat(table: Any) -> pd.DataFrame:
    """Return a pandas table with its keys as columns, and names of one level."""
    frame = table.to_frame() if isinstance(table, pd.Series) else table.copy()
    if frame.columns.nlevels > 1:
        frame.columns = ["_".join(map(str, name)) for name in frame.columns]
    if set(frame.index.names) == {None} and not isinstance(frame.index, pd.RangeIndex):
        frame.index.names = ["unique_id", "ds"][-frame.index.nlevels :]
    frame.columns = frame.columns.map(str).rename(None)
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()


def stores(days: pd.DatetimeIndex = DAYS) -> pd.DataFrame:
    values = np.random.default_rng(1).normal(5, 1, (2, len(days)))
    each = [
        pd.DataFrame({"unique_id": k, "ds": days, "y": v})
        for k, v in zip("AB", values, strict=True)
    ]
    return pd.concat(each, ignore_index=True)


def prices() -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=14, freq="D")
    return stores(days).rename(columns={"y": "price"})


def _explained(y: Any, X: Any) -> Iterable[Any]:
    found = explain(MarkovForecaster(order=1).fit(y, X), 2, X, blocks=[1])
    yield from (found.parts, found.forecast, found.of("B"))


def _planned(y: Any, X: Any) -> Iterable[Any]:
    plans = what_if(MarkovForecaster(order=1).fit(y, X), {"a": X, "b": X}, 2, n_samples=5)
    yield from (plans.forecasts, plans.bands, plans.differences)


def _backtested(y: Any, X: Any) -> Iterable[Any]:
    table = backtest(NaiveForecaster(), y, 2, n_windows=2, quantiles=[0.1, 0.9])
    yield from (table, evaluate(table, y, 1), evaluate(table, by=["cutoff", "unique_id"]))
    yield from (reliability(table), pit_histogram(table))
    yield Partitioned(NaiveForecaster(horizon=2)).backtest(y)


def _compared(y: Any, X: Any) -> Iterable[Any]:
    contest = compare(y, 2, X=X, models={"Markov": MarkovForecaster(order=1)}, n_windows=2)
    assert "Markov" in repr(contest)
    assert contest.best_naive in contest._repr_html_()
    yield from (contest.forecasts, nw.from_native(contest.table).drop("seconds").to_native())


def _summed(y: Any, X: Any) -> Iterable[Any]:
    hierarchy = Hierarchy.of(y, ["unique_id"])
    nodes = hierarchy.add_up(y)
    model = NaiveForecaster(horizon=2)
    errors = backtest(model, nodes, 1, n_windows=4)
    points = model.fit(nodes).predict()
    yield from (nodes, reconcile(points, hierarchy, "ols"), reconcile(errors, hierarchy, "ols"))


ANSWERS: dict[str, Callable[[Any, Any], Iterable[Any]]] = {
    "explain and its parts": _explained,
    "what_if": _planned,
    "backtest, evaluate and Partitioned": _backtested,
    "compare": _compared,
    "Hierarchy and reconcile": _summed,
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
def test_what_goes_in_comes_out_everywhere(library: str, answers: Any) -> None:
    y, X = stores(), prices()
    ours = list(answers(native(y, library), native(X, library)))
    for table, twin in zip(ours, answers(y, X), strict=True):
        expected = native(flat(twin), library)
        assert table.equals(expected), (table, expected)


def test_hours_stay_hours_beside_a_column_of_dates() -> None:
    hours = list(pd.date_range("2024-01-01", periods=30, freq="h").to_pydatetime())
    table = pl.DataFrame(
        {"unique_id": "A", "model": "naive", "cutoff": hours, "y": 1.0, "y_hat": 2.0}
    )
    table = table.with_columns(opened=pl.lit(datetime.date(2020, 1, 1)))
    scores = evaluate(table, by=["cutoff"], metrics=["mae"])
    assert scores["cutoff"].to_list() == hours


@pytest.mark.parametrize("library", LIBRARIES)
def test_quantiles_of_a_hierarchy_are_found_by_their_joined_names(library: str) -> None:
    twins, found = (_quantiles_of_sums(one) for one in (stores(), native(stores(), library)))
    assert nw.from_native(found).columns[1] == "total_q0.1"
    values = nw.from_native(found).drop("ds").to_numpy()
    np.testing.assert_array_equal(values, twins.to_numpy())


def _quantiles_of_sums(y: Any) -> Any:
    hierarchy = Hierarchy.of(y, ["unique_id"])
    nodes, model = hierarchy.add_up(y), NaiveForecaster(horizon=2)
    errors = backtest(model, nodes, 1, n_windows=4)
    quantiles = model.fit(nodes).predict_quantiles(levels=[0.1, 0.5])
    return reconcile(quantiles, hierarchy, "wls", errors=errors)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_verbs_that_draw_or_follow_take_them(library: str) -> None:
    y = native(stores(), library)
    table = backtest(NaiveForecaster(), y, 2, n_windows=3, step=1, quantiles=[0.1, 0.5, 0.9])
    for draw in (plot_error_by_step, plot_reliability, plot_pit):
        assert draw(table).lines
    assert plot_steps(table, steps=[1, 2]).lines
    late = stores()["ds"] > DAYS[8]
    past, new = native(stores()[~late], library), native(stores()[late], library)
    (scored,) = stream(NaiveForecaster().fit(past), [new])
    assert type(scored.forecast) is type(y)
    seen = list(watch(NaiveForecaster().fit(past), [new]))
    twins = list(watch(NaiveForecaster().fit(stores()[~late]), [stores()[late]]))
    assert seen == twins


def test_a_series_that_several_columns_name_is_a_struct() -> None:
    y = stores().rename(columns={"unique_id": "shop"}).assign(item=7)
    model = NaiveForecaster(id_col=["shop", "item"])
    table = backtest(model, pl.DataFrame(y), 2, n_windows=2)
    assert table["unique_id"][0] == {"field_0": "A", "field_1": 7}
    scores = evaluate(table, by="unique_id")
    assert scores["unique_id"].to_list() == [{"field_0": k, "field_1": 7} for k in "AB"]
    expected = evaluate(backtest(model, y, 2, n_windows=2), by="unique_id")
    assert scores["mae"].to_list() == expected["mae"].tolist()
    parts = explain(MarkovForecaster(order=1, id_col=["shop", "item"]).fit(pl.DataFrame(y)), 1)
    assert parts.parts.columns[:3] == ["shop", "item", "ds"]
