"""Covariates, static features and other series, through every network and the Markov model."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from forecast import load
from forecast.engine.stream import encode_all
from forecast.evaluation.backtest import backtest
from forecast.forecasters.classical.ets import ETSForecaster
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.neural.recurrent import LSTMForecaster, RNNForecaster
from forecast.forecasters.window.markov import MarkovForecaster
from forecast.forecasters.window.mlp import MLPForecaster

SMALL: dict[str, Any] = {
    "hidden_size": 8,
    "max_epochs": 1,
    "n_estimators": 1,
    "random_state": 0,
    "horizon": 7,
}
quiet = pytest.mark.filterwarnings("ignore::forecast.ForecastWarning")
every_kind = pytest.mark.parametrize(
    "kind",
    [MLPForecaster, pytest.param(RNNForecaster, marks=pytest.mark.slow), LSTMForecaster],
)
DAYS = pd.date_range("2024-01-01", periods=97, freq="D")


def shops(n: int = 4) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return sales, their covariates (price known, weather not), and a frame of the shops."""
    rng = np.random.default_rng(0)
    keys = pd.MultiIndex.from_product(
        [[f"s{i}" for i in range(n)], DAYS], names=["unique_id", "ds"]
    )
    frame = pd.DataFrame(index=keys).reset_index()
    size = 10.0 * (1 + frame["unique_id"].str[1:].astype(int))
    X = frame.assign(price=rng.normal(size=len(frame)), weather=rng.normal(size=len(frame)))
    X.loc[rng.random(len(X)) < 0.1, "weather"] = np.nan
    week = np.sin(2 * np.pi * frame["ds"].dt.day_of_week / 7)
    noise = rng.normal(scale=0.1, size=len(frame))
    y = frame.assign(y=size * (2 + week - 0.3 * X["price"] + noise))
    about = pd.DataFrame({"unique_id": [f"s{i}" for i in range(n)]})
    about = about.assign(town=["Ulm", "Bonn"] * (n // 2), area=np.arange(n) * 50.0)
    return y, X, about


def until(frame: pd.DataFrame, day: int) -> pd.DataFrame:
    return frame[frame["ds"] < DAYS[day]]


def since(frame: pd.DataFrame, day: int) -> pd.DataFrame:
    return frame[frame["ds"] >= DAYS[day]]


@quiet
@every_kind
@pytest.mark.usefixtures("little_effort")
def test_what_comes_after_the_origin_changes_no_bit(kind: Any) -> None:
    y, X, about = shops()
    plan = since(X, 90)[["unique_id", "ds", "price"]]
    first = kind(past_only=["weather"], static=about, **SMALL).fit(until(y, 90), until(X, 90))
    before = first.predict(7, plan)
    wild = X.assign(weather=X["weather"].where(X["ds"] < DAYS[90], 1e6))
    shuffled = until(y, 90).sample(frac=1, random_state=1)
    again = kind(past_only=["weather"], static=about[::-1], **SMALL)
    again.fit(shuffled, wild.sample(frac=1, random_state=2))
    ordered = again.predict(7, since(wild, 90)).sort_values(["unique_id", "ds"])
    pd.testing.assert_frame_equal(before, ordered.reset_index(drop=True), check_exact=True)


@quiet
@pytest.mark.parametrize(
    "kind",
    [
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in (MLPForecaster, RNNForecaster)),
        LSTMForecaster,
        MarkovForecaster,
    ],
)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("little_effort")
def test_nothing_after_an_origin_reaches_its_forecasts(kind: Any, seed: int) -> None:
    """Series that end apart, an origin each; what came after it becomes noise and holes."""
    rng, (y, X, _) = np.random.default_rng(seed), shops()
    ends = dict(zip(y["unique_id"].unique(), rng.integers(70, 97, 4), strict=True))
    y = y[y["ds"] < y["unique_id"].map(lambda name: DAYS[ends[name]])]
    small = SMALL if kind is not MarkovForecaster else {}
    model = kind(past_only=["weather"], freq="D", **small)

    def first_and_last(y: pd.DataFrame, X: pd.DataFrame) -> list[pd.DataFrame]:
        asked: dict[str, Any] = {"n_windows": 2, "quantiles": [0.1, 0.9]}
        table = backtest(model, y, 4, X=X, **asked).drop(columns="y")
        first = table["cutoff"] == table.groupby("unique_id")["cutoff"].transform("min")
        return [table[first], table[~first]]

    def changed(frame: pd.DataFrame, column: str, shift: int) -> pd.DataFrame:
        origin = frame["unique_id"].map(lambda name: DAYS[ends[name] - 1 - 8])
        later = frame["ds"] > origin + pd.Timedelta(days=shift)
        noise = pd.Series(rng.normal(size=len(frame)) * 1e6, frame.index)
        noise[(rng.random(len(frame)) < 0.2) & (column == "weather")] = np.nan
        noise = noise.where(frame["ds"] < frame["ds"].max(), frame[column])
        return frame.assign(**{column: frame[column].where(~later, noise)})

    before, second = first_and_last(y, X)
    after, other = first_and_last(changed(y, "y", 0), changed(X, "weather", 0))
    pd.testing.assert_frame_equal(after, before, check_exact=True)
    assert (other["y_hat"] != second["y_hat"]).all()
    # the value at the origin itself does count, in either column
    for known in ((changed(y, "y", -1), X), (y, changed(X, "weather", -1))):
        assert (first_and_last(*known)[0]["y_hat"] != before["y_hat"]).all()


@quiet
@every_kind
@pytest.mark.parametrize("steps", [[90, 91], [90, 91, 92, 93, 96]])
@pytest.mark.usefixtures("little_effort")
def test_updates_with_covariates_equal_reading_anew(kind: Any, steps: list[int]) -> None:
    y, X, about = shops()
    model = kind(past_only=["weather"], static=about, **SMALL).fit(until(y, 90), until(X, 90))
    for low, high in zip(steps, steps[1:], strict=False):
        model.update(since(until(y, high), low), since(until(X, high), low))
    anew = copy.copy(model)
    anew.stream_ = encode_all(model.model_, model._windows(model.panel_))
    plan = model.future_frame(9).assign(price=0.5)
    left, right = model.predict(9, plan), anew.predict(9, plan)
    pd.testing.assert_frame_equal(left, right, rtol=1e-4)
    pd.testing.assert_frame_equal(model.predict(4, plan), left.groupby("unique_id").head(4)
                                  .reset_index(drop=True), rtol=1e-5)  # fmt: skip


@quiet
@every_kind
def test_past_and_static_features_change_the_forecast(kind: Any) -> None:
    y, X, about = shops()
    model = kind(past_only=["weather"], static=about, **SMALL).fit(until(y, 90), until(X, 90))
    plan = model.future_frame().assign(price=0.0)
    before = model.predict(7, plan)["y"]
    windy = until(X, 90).assign(weather=lambda frame: frame["weather"] + 5)
    assert (model.apply(until(y, 90), windy).predict(7, plan)["y"] != before).any()
    # a network that has trained for one epoch may hardly use them: look at what it reads
    other = model.features_.encode_static(pd.Index(["s1", "unheard of"]))
    assert other.tolist()[1] == [0.0, 0.0] and other[0, 1] == 1  # Bonn comes before Ulm
    assert model.model_.readout.members[0].from_category[0].num_embeddings == 3


@quiet
def test_every_series_may_be_a_category() -> None:
    y, X, _ = shops()
    model = LSTMForecaster(static="id", **SMALL).fit(until(y, 90))
    assert model.features_.encode_static(pd.Index(["s0", "s3", "new"])).ravel().tolist() == [
        1,
        4,
        0,
    ]
    with pytest.raises(ValueError, match="`static` must be a frame with a row per series, or 'id'"):
        LSTMForecaster(static="names", **SMALL).fit(until(y, 90))


@quiet
@pytest.mark.usefixtures("few_steps")
def test_other_series_are_forecast_with_what_was_learned() -> None:
    y, X, about = shops()
    model = MLPForecaster(past_only=["weather"], static=about, **SMALL)
    model.fit(until(y, 90), until(X, 90))
    kept = model.predict(7, model.future_frame().assign(price=0.0))
    y2, X2 = (frame.replace({"unique_id": {"s1": "new"}}) for frame in (y, X))
    y2, X2 = y2[y2["unique_id"] == "new"], X2[X2["unique_id"] == "new"]
    other = model.apply(until(y2, 50), until(X2, 50))
    plan = other.future_frame(3)
    assert plan["ds"].tolist() == list(DAYS[50:53]) and plan.columns.tolist()[2:] == ["price"]
    assert other.predict(3, plan.assign(price=0.0))["unique_id"].tolist() == ["new"] * 3
    again = model.predict(7, model.future_frame().assign(price=0.0))
    pd.testing.assert_frame_equal(kept, again, check_exact=True)
    with pytest.raises(ValueError, match=r"`X` must have the columns of `fit`, \['price'\]"):
        MLPForecaster(**SMALL).fit(y, X[["unique_id", "ds", "price"]]).apply(y)
    with pytest.raises(TypeError, match="ETSForecaster learns each series on its own"):
        ETSForecaster().fit(until(y, 20)).apply(until(y, 30))
    naive = NaiveForecaster().fit(until(y, 90)).apply(until(y2, 50)).predict(1)
    assert naive["y"].item() == until(y2, 50)["y"].iloc[-1]


@quiet
@pytest.mark.usefixtures("little_effort")
def test_covariates_and_static_features_are_saved(tmp_path: Any) -> None:
    y, X, about = shops()
    model = LSTMForecaster(past_only=["weather"], static=about, holidays="DE", **SMALL)
    model.fit(until(y, 90), until(X, 90)).save(tmp_path / "shops")
    twin = load(tmp_path / "shops")
    plan = model.future_frame(9).assign(price=0.0)
    pd.testing.assert_frame_equal(twin.predict(9, plan), model.predict(9, plan), check_exact=True)
    pd.testing.assert_frame_equal(twin.get_params()["static"], about, check_dtype=False)
    new = since(until(y, 93), 90), since(until(X, 93), 90)
    pd.testing.assert_frame_equal(
        twin.update(*new).predict(2, plan[plan["ds"] >= DAYS[93]].assign(price=0.0)),
        model.update(*new).predict(2, plan[plan["ds"] >= DAYS[93]].assign(price=0.0)),
    )


def test_forecasts_from_past_origins_ask_for_all_steps() -> None:
    y = pd.DataFrame({name: np.arange(30.0) for name in "ab"})
    X = pd.DataFrame({"x": np.arange(30.0) % 4})
    model = MarkovForecaster(season_length=1, horizon=2).fit(y[:20], X[:20])
    origins = np.array([[25, 25], [29, 28]])
    with pytest.raises(ValueError, match="must have all steps to forecast, 31 of series 'a', got"):
        model.predict_at(y, X, origins=origins, horizon=2)


@quiet
@every_kind
def test_a_plan_that_leaves_a_constant_is_one_unit_away(kind: Any) -> None:
    y = pd.Series(np.sin(np.arange(60.0)))  # means of equal tenths are rounded
    fixed, plan = (pd.DataFrame({"price": 0.1}, index=range(*ends)) for ends in ((60,), (60, 67)))
    model = kind(**SMALL).fit(y, fixed)
    assert model.predict(7, plan + 0.1).abs().max() < 10


def test_columns_go_by_their_names() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 2)), columns=["price", "promotion"])
    y, turned = X @ [3.0, -1.0], X[["promotion", "price"]]
    model = MarkovForecaster(order=1, horizon=2).fit(y[:30], X)
    origins: dict[str, Any] = {"origins": np.array([[30], [34]]), "horizon": 2}
    np.testing.assert_array_equal(
        model.predict_at(y, turned, **origins)[0], model.predict_at(y, X, **origins)[0]
    )
    new = y[30:34], turned[30:34]  # no column is far from its own
    for other in (model.apply(y[:34], turned), copy.copy(model).update(*new)):
        np.testing.assert_array_equal(other.panel_.X, X[:34])


@quiet
def test_a_missing_column_is_named() -> None:
    y, X, _ = shops()
    with pytest.raises(ValueError, match="`past_only` must name columns of `X`.*'wind'"):
        LSTMForecaster(past_only=["wind"], **SMALL).fit(until(y, 90), until(X, 90))
    with pytest.raises(ValueError, match="covariate 'weather' must be finite, got nan"):
        LSTMForecaster(**SMALL).fit(until(y, 90), until(X, 90))


def test_the_markov_model_shows_what_it_learns_from() -> None:
    y, X, about = shops(2)
    model = MarkovForecaster(order=2, past_only=["weather"], static=about)
    frame = model.training_frame(y, X)
    assert frame.columns.tolist() == [
        *["lag 1", "lag 2", "price", "weather", "area", "town=Bonn", "town=Ulm", "target"]
    ]
    assert len(frame) == 2 * 95 and frame.notna().all(axis=None)
    first = frame.loc["s1"]
    values = y.loc[y["unique_id"] == "s1", "y"].to_numpy()
    z = (values - values.mean()) / values.std()
    np.testing.assert_allclose(first["target"], z[2:])
    np.testing.assert_allclose(first["lag 2"], z[:-2])
    assert first.index[0] == DAYS[2]
    # the regressor is fitted to it
    fitted = model.fit(y, X)
    by_hand = LinearRegression().fit(frame.drop(columns="target"), frame["target"])
    np.testing.assert_allclose(by_hand.coef_[:4], fitted.regressor_.coef_[:4], rtol=1e-8)
    # weather enters with its last observed value, one step back
    weather = X.loc[X["unique_id"] == "s1", "weather"].ffill().to_numpy()[1:-1]
    known = ~np.isnan(weather)
    assert np.corrcoef(first["weather"][known], weather[known])[0, 1] == pytest.approx(1)


@pytest.mark.mission("M01")
def test_the_windows_of_a_panel_by_hand() -> None:
    """Two shuffled series of unequal length, one with gaps: no window crosses a border or a gap."""
    days = DAYS[:10]
    y = pd.DataFrame(
        {
            "unique_id": ["b"] * 10 + ["a"] * 7,
            "ds": [*days, *days[[1, 2, 3, 4, 5, 8, 9]]],
            "y": [*range(10), *range(100, 107)],
        }
    )
    X = pd.DataFrame({"unique_id": ["a"] * 10 + ["b"] * 10, "ds": [*days] * 2, "x": range(20)})
    model = MarkovForecaster(order=3, season_length=1)
    frame = model.training_frame(*(one.sample(frac=1, random_state=0) for one in (y, X)))
    expected = {
        ("a", 4): [103, 102, 101, 100, 4],
        ("a", 5): [104, 103, 102, 101, 5],
        **{("b", t): [t, t - 1, t - 2, t - 3, 10 + t] for t in range(3, 10)},  # T - n of them
    }
    assert frame.index.tolist() == [(name, days[t]) for name, t in expected]
    columns = ["target", "lag 1", "lag 2", "lag 3", "x"]
    wanted = pd.DataFrame(list(expected.values()), frame.index, columns).astype(float)
    for name, values in y.groupby("unique_id")["y"]:
        scaled = (wanted.loc[[name], columns[:4]] - values.mean()) / values.std(ddof=0)
        wanted.loc[[name], columns[:4]] = scaled
    steps = np.r_[1:10, 10:20]  # of the covariate: the history of a series begins with its values
    wanted["x"] = (wanted["x"] - steps.mean()) / steps.std()
    pd.testing.assert_frame_equal(frame[columns], wanted, rtol=1e-12)
    future = model.fit(y, X).future_frame(2)
    assert future["ds"].tolist() == [*pd.date_range("2024-01-11", periods=2)] * 2


@pytest.mark.parametrize("regressor", [None, HistGradientBoostingRegressor(max_iter=5)])
def test_the_markov_model_takes_all_covariates(regressor: Any, tmp_path: Any) -> None:
    y, X, about = shops()
    model = MarkovForecaster(regressor=regressor, past_only=["weather"], static=about)
    model.fit(until(y, 90), until(X, 90))
    plan = since(X, 90)[["unique_id", "ds", "price"]]
    before = model.predict(7, plan)
    truth = since(y, 90)["y"].to_numpy()
    blind = MarkovForecaster(regressor=regressor).fit(until(y, 90)).predict(7)
    errors = [np.abs(forecast["y"].to_numpy() - truth).mean() for forecast in (before, blind)]
    assert errors[0] < (0.8 if regressor is None else 1) * errors[1]
    wild = X.assign(weather=X["weather"].where(X["ds"] < DAYS[90], 1e6))
    pd.testing.assert_frame_equal(model.predict(7, since(wild, 90)), before, check_exact=True)
    new = y.replace({"unique_id": {"s1": "new"}})[y["unique_id"] == "s1"]
    beside = X.replace({"unique_id": {"s1": "new"}})[X["unique_id"] == "s1"]
    other = model.apply(until(new, 90), until(beside, 90))
    unknown_shop = other.predict(
        7, other.future_frame(7).assign(price=plan["price"].to_numpy()[:7])
    )
    assert unknown_shop["unique_id"].unique().tolist() == ["new"]
    if regressor is None:
        model.save(tmp_path / "shops")
        pd.testing.assert_frame_equal(load(tmp_path / "shops").predict(7, plan), before)
