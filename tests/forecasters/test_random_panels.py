"""Whatever panel comes, a forecast has the right shape and index and no NaN, or fails in words.

And it fails only where nothing can be forecast; covariates are those of its own steps; neither the
order of rows nor anything after the origin moves a bit.
"""

from __future__ import annotations

import functools
import traceback
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer

from forecast import (
    LSTMForecaster,
    MarkovForecaster,
    MLPForecaster,
    NaiveForecaster,
    RNNForecaster,
    Seq2SeqForecaster,
)
from forecast._checks import ForecastWarning
from forecast.engine import training
from forecast.evaluation.backtest import backtest
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.registry import CONTESTANTS

pytestmark = pytest.mark.filterwarnings("ignore:the clocks of")

NETWORKS = (MLPForecaster, RNNForecaster, LSTMForecaster, Seq2SeqForecaster)
KINDS = ("series", "list", "wide", "long", "multi", "polars long", "polars wide")
DTYPES = ("float64", "float32", "int64", "int16", "Int64", "Float32", "bool")
OPEN = pd.offsets.CustomBusinessDay(holidays=["2024-03-01", "2024-03-29", "2024-04-01"])
AXES: dict[str, Any] = {
    "days": ("D", {"freq": "D"}),
    "hours over the change of clocks": ("h", {"freq": "h", "tz": "Europe/Paris"}),
    "local days": ("D", {"freq": "D", "tz": "Europe/Paris"}),
    "month ends": ("ME", {"freq": "ME"}),
    "hours in autumn": ("h", {"freq": "h", "tz": "America/New_York"}),
    "business days": ("B", {"freq": "B"}),
    "open days": (OPEN, {"freq": OPEN}),
    "weeks": ("W-WED", {"freq": "W-WED"}),
    "periods": ("Q-NOV", None),
    "numbers": (3, None),
}


def axis(name: str, length: int) -> pd.Index:
    if name == "numbers":
        return pd.RangeIndex(5, 5 + 3 * length, 3)
    if name == "periods":
        return pd.period_range("2019Q3", periods=length, freq="Q-NOV")
    start = {"hours over": "2024-03-30 12:00", "hours in a": "2024-11-02 12:00"}
    return pd.date_range(start.get(name[:10], "2024-02-27"), periods=length, **AXES[name][1])


@st.composite
def panels(draw: st.DrawFn) -> dict[str, Any]:
    """Draw series of unequal length with gaps and NaN, and how they are written down."""
    n = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    kind = draw(st.sampled_from(KINDS))
    axes = set(AXES) - ({"periods"} if kind.startswith("polars") else set())
    times = draw(st.sampled_from(sorted(axes)))
    dtype = draw(st.sampled_from(DTYPES))
    longest = draw(st.integers(1, 40))
    series = {}
    for i in range(1 if kind == "series" else n):
        low = draw(st.integers(0, longest - 1))
        keep = rng.random(longest - low) >= draw(st.sampled_from([0.0, 0.3, 0.9]))
        if draw(st.booleans()) or not (series or kind == "list"):
            keep[-1] = True
        where = low + np.flatnonzero(keep)
        values = 50 + 20 * np.sin(where / 2) + rng.normal(0, 3, len(where))
        one = pd.Series(values, axis(times, longest)[where], name=f"s{(7 * i) % 4}")
        if dtype == "bool":
            one = one > 50
        elif dtype.lower().startswith("int"):
            one = one.round()
        one = one.astype(dtype)
        if dtype in ("float64", "float32", "Int64", "Float32"):
            one[rng.random(len(one)) < draw(st.sampled_from([0.0, 0.2]))] = np.nan
        if len(one) or kind == "list":
            series[one.name] = one.sample(frac=1, random_state=int(rng.integers(99)))
    return {"kind": kind, "axis": times, "series": series, "rng": rng}


def written(case: dict[str, Any]) -> Any:
    """Return the drawn series as the drawn kind of table."""
    kind, series, rng = case["kind"], list(case["series"].values()), case["rng"]
    if kind == "series":
        return series[0]
    if kind == "list":
        return series
    if kind.endswith("wide"):
        if series[0].dtype == bool:  # with holes between, pandas would make objects of them
            series = [one.astype("boolean") for one in series]
        wide = pd.concat([one.sort_index() for one in series], axis=1, sort=True)
        wide = wide.iloc[rng.permutation(len(wide)), rng.permutation(wide.shape[1])]
        return polars(wide.rename_axis("ds").reset_index()) if kind == "polars wide" else wide
    parts = [pd.DataFrame({"unique_id": one.name, "ds": one.index, "y": one.array})
             for one in series]  # fmt: skip
    long = pd.concat(parts)
    long = long.iloc[rng.permutation(len(long)), rng.permutation(3)].reset_index(drop=True)
    if kind == "multi":
        return long.set_index(["unique_id", "ds"])["y"]
    return polars(long) if kind == "polars long" else long


def polars(frame: pd.DataFrame) -> pl.DataFrame:
    columns = {}
    for name, column in frame.items():
        index = pd.Index(column)
        if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
            utc = index.tz_convert("UTC").tz_localize(None)
            times = pl.Series(utc.as_unit("us").to_numpy())
            columns[name] = times.dt.replace_time_zone("UTC").dt.convert_time_zone(str(index.tz))
        elif isinstance(index, pd.DatetimeIndex):
            columns[name] = pl.Series(index.as_unit("us").to_numpy())
        else:
            columns[name] = [
                None if value is pd.NA or value != value else value for value in column
            ]
    return pl.DataFrame(columns, strict=False)


def expected_steps(case: dict[str, Any], horizon: int) -> dict[str, list[Any]]:
    """Return the future times of each series: those after its own end, in a wide frame the last."""
    ends = {name: one.index.max() for name, one in case["series"].items()}
    if case["kind"].endswith("wide"):
        ends = dict.fromkeys(ends, max(ends.values()))
    step, _ = AXES[case["axis"]]
    steps = {}
    for name, end in ends.items():
        if isinstance(end, pd.Timestamp):
            steps[name] = pd.date_range(end, periods=horizon + 1, freq=step)[1:].tolist()
        else:
            size = step if case["axis"] == "numbers" else 1
            steps[name] = [end + size * (j + 1) for j in range(horizon)]
    return steps


def read_back(case: dict[str, Any], forecast: Any, horizon: int) -> dict[str, pd.Series]:
    """Return the forecast of each series with its times, whatever kind of table it is."""
    kind, names = case["kind"], list(case["series"])
    if kind == "series":
        assert isinstance(forecast, pd.Series)
        return {names[0]: forecast}
    if kind == "list":
        return dict(zip(names, forecast, strict=True))
    if kind.startswith("polars"):
        assert isinstance(forecast, pl.DataFrame)
        columns = {name: pd.Index(forecast[name].to_list()) for name in forecast.columns}
        forecast = pd.DataFrame(columns)
    if kind.endswith("wide"):
        forecast = forecast.set_index("ds") if kind.startswith("polars") else forecast
        return {name: forecast[name] for name in forecast.columns}
    if kind == "multi":
        forecast = forecast.reset_index()
    return {name: rows.set_index("ds")["y"] for name, rows in forecast.groupby("unique_id")}


def is_ours(error: Exception) -> bool:
    """Tell whether this package raised an error, and says what to do."""
    frames = traceback.extract_tb(error.__traceback__)
    return "/forecast/" in frames[-1].filename and len(str(error)) > 40


def last_values(case: dict[str, Any]) -> dict[str, float | None]:
    """Return the last observed value of each series, None where there is none."""
    seen = {name: one.sort_index().dropna() for name, one in case["series"].items()}
    return {name: float(one.iloc[-1]) if len(one) else None for name, one in seen.items()}


@functools.cache
def trained(network: Any, times: str) -> Any:
    """Return a network that has hardly trained on one kind of time; it reads other histories."""
    y = pd.Series(np.sin(np.arange(60.0)), axis(times, 60))
    model = clone(network).set_params(horizon=4, season_length=1, hidden_size=4, max_epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STEPS_PER_EPOCH", 2)
        return model.set_params(freq=AXES[times][0]).fit(y)


def fitted(model: Any, case: dict[str, Any]) -> Any:
    """Return a forecaster with a drawn panel as its history."""
    if isinstance(model, NETWORKS):
        return trained(model, case["axis"]).apply(written(case))
    return clone(model).set_params(freq=AXES[case["axis"]][0]).fit(written(case))


def all_apart(case: dict[str, Any]) -> bool:
    """Tell whether no two rows are a step apart, so that `freq` must look like a mistake."""
    grid = axis(case["axis"], 40)
    rows = [np.sort(grid.get_indexer(one.index)) for one in case["series"].values()]
    if case["kind"].endswith("wide"):
        rows = [np.unique(np.concatenate(rows))]
    return not any((np.diff(own) == 1).any() for own in rows)


def check(model: Any, case: dict[str, Any], horizon: int, excuse: bool) -> None:
    """Assert that a panel is forecast, or refused in words: it may be where `excuse` holds."""
    last = last_values(case)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ForecastWarning)
            forecast = fitted(model, case).predict(horizon)
    except (TypeError, ValueError) as error:
        event(str(error)[:40])
        assert is_ours(error), error
        assert excuse or None in last.values(), error
        return
    event("a forecast")
    assert None not in last.values()
    found = read_back(case, forecast, horizon)
    assert set(found) == set(case["series"])
    for name, steps in expected_steps(case, horizon).items():
        values = found[name].to_numpy(dtype=float)
        assert len(values) == horizon and np.isfinite(values).all()
        assert found[name].index.tolist() == steps
        if isinstance(model, NaiveForecaster) and model.strategy == "last":
            np.testing.assert_array_equal(values, last[name])


any_panel = given(case=panels(), horizon=st.integers(1, 5))


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@any_panel
def test_any_panel_gives_its_last_values_or_a_clear_error(
    case: dict[str, Any], horizon: int
) -> None:
    check(NaiveForecaster(), case, horizon, excuse=all_apart(case))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@any_panel
def test_any_panel_gives_a_regression_or_a_clear_error(case: dict[str, Any], horizon: int) -> None:
    pairs = [
        (np.diff(np.sort(axis(case["axis"], 40).get_indexer(one.dropna().index))) == 1).sum()
        for one in case["series"].values()
    ]
    check(MarkovForecaster(1, season_length=1), case, horizon, excuse=sum(pairs) < 2)


@pytest.mark.slow
@pytest.mark.parametrize("network", [kind(random_state=0) for kind in NETWORKS], ids=repr)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@any_panel
def test_any_panel_is_read_by_a_network(network: Any, case: dict[str, Any], horizon: int) -> None:
    check(network, case, horizon, excuse=False)


@functools.cache
def contestant(label: str) -> Any:
    """Return a forecaster of the registry, the same one each time: networks are trained once."""
    return next(one for one in CONTESTANTS if one.label == label).build(random_state=0)


@pytest.mark.slow
@pytest.mark.parametrize("label", [one.label for one in CONTESTANTS])
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@any_panel
def test_any_panel_is_forecast_by_every_model_or_a_clear_error(
    label: str, case: dict[str, Any], horizon: int
) -> None:
    check(contestant(label), case, horizon, excuse=True)


class Echo(BaseForecaster):
    """Forecast the first covariate of each step."""

    def _fit(self, panel: Any) -> None:
        self.seen_ = panel.X

    def _predict(self, horizon: int, known: Any) -> np.ndarray:
        return known[..., 0]

    def _sample(self, horizon: int, n_samples: int, known: Any, rng: Any) -> np.ndarray:
        return np.repeat(known[:, None, :, 0], n_samples, 1)


def covariates(case: dict[str, Any], reach: int) -> tuple[Any, Any]:
    """Return X on the whole axis in the drawn kind of table, and what it says of (series, time)."""
    rng, kind, names = case["rng"], case["kind"], list(case["series"])
    keyed = "long" in kind or kind == "multi"
    times = axis(case["axis"], reach)
    truth = {name: pd.Series(rng.normal(size=reach), times) for name in names}
    if not keyed:
        truth = dict.fromkeys(names, truth[names[0]])
    parts = [
        pd.DataFrame({"unique_id": name, "ds": times, "other": 0.0, "wanted": truth[name].array})
        for name in (names if keyed else names[:1])
    ]
    X = pd.concat(parts).drop(columns=[] if keyed else "unique_id")
    X = X.iloc[rng.permutation(len(X))].reset_index(drop=True)
    if kind.startswith("polars"):
        return polars(X), truth
    if kind == "long":
        return X, truth
    return X.set_index(["unique_id", "ds"] if keyed else "ds"), truth


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@any_panel
def test_any_panel_is_forecast_with_the_covariates_of_its_own_steps(
    case: dict[str, Any], horizon: int
) -> None:
    if None in last_values(case).values() or all_apart(case):
        return
    X, truth = covariates(case, 45)
    wanted = [name for name in X.columns if name not in ("unique_id", "ds", "other")]
    keys = [name for name in X.columns if name in ("unique_id", "ds")]
    # a transformer that changes nothing: the series may be positive, the covariates are not
    model = Echo(freq=AXES[case["axis"]][0], target_transform=FunctionTransformer())
    model.fit(written(case), X[keys + wanted])
    forecast = read_back(case, model.predict(horizon, X[wanted + keys]), horizon)
    for name, steps in expected_steps(case, horizon).items():
        np.testing.assert_array_equal(forecast[name], truth[name][steps])


def long_panel(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = []
    for i in rng.permutation(3):
        days = axis("days", 40)[rng.integers(0, 15) :]
        y = pd.DataFrame({"unique_id": f"s{i}", "ds": days, "y": rng.normal(size=len(days))})
        parts.append(y[(rng.random(len(y)) > 0.2) | (y.index == len(y) - 1) | (y.index == 0)])
    return pd.concat(parts, ignore_index=True)


@pytest.mark.slow
@pytest.mark.parametrize("model", [NaiveForecaster(), MarkovForecaster(1, season_length=1)])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_rows_changes_no_bit_of_a_forecast(model: Any, seed: int) -> None:
    y = long_panel(seed)
    shuffled = y.sample(frac=1, random_state=seed)
    expected = clone(model).fit(y).predict_quantiles(3)
    pd.testing.assert_frame_equal(clone(model).fit(shuffled).predict_quantiles(3), expected,
                                  check_exact=True)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("model", [NaiveForecaster(), MarkovForecaster(1, season_length=1)])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), gap=st.integers(0, 2))
def test_what_comes_after_an_origin_changes_no_bit_of_its_forecast(
    model: Any, seed: int, gap: int
) -> None:
    y = long_panel(seed)
    windows: dict[str, Any] = {"n_windows": 2, "gap": gap, "quantiles": [0.1, 0.9]}
    before = backtest(model, y, 3, **windows)
    origins = before.groupby("unique_id")["cutoff"].min()
    later = y["ds"] > y["unique_id"].map(origins)
    changed = y.assign(y=y["y"].mask(later, np.random.default_rng(seed).normal(size=len(y)) * 1e6))
    after = backtest(model, changed, 3, **windows)
    first = before["cutoff"] == before["unique_id"].map(origins)
    columns = ["unique_id", "cutoff", "ds", "y_hat", "q0.1", "q0.9"]
    pd.testing.assert_frame_equal(
        after.loc[first, columns], before.loc[first, columns], check_exact=True
    )
