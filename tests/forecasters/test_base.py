"""The manners that all forecasters share."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.text import Text
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from forecast._checks import ForecastWarning
from forecast.engine.model import Model
from forecast.evaluation.backtest import backtest
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.neural.recurrent import LSTMForecaster
from forecast.forecasters.window.markov import MarkovForecaster


class Mean(BaseForecaster):
    """Forecast the mean; break on request."""

    def _fit(self, panel: Any) -> None:
        self.mean_ = np.array([np.nanmean(panel.series(i)) for i in range(panel.n_series)])
        if panel.values[-1] == 666:
            raise RuntimeError("broken")

    def _update(self, panel: Any, added: Any) -> None:
        self.added_ = added
        self._fit(panel)

    def _predict(self, horizon: int, known: Any) -> np.ndarray:
        return np.repeat(self.mean_[:, None], horizon, axis=1)

    def _sample(self, horizon: int, n_samples: int, known: Any, rng: Any) -> np.ndarray:
        noise = rng.normal(size=(horizon, len(self.mean_), n_samples))
        return self.mean_[:, None, None] + noise.transpose(1, 2, 0)


@pytest.mark.parametrize(
    ("horizon", "message"),
    [
        (0, "`horizon` must be a positive integer, got 0."),
        (-3, "`horizon` must be a positive integer, got -3."),
        (2.5, "`horizon` must be a positive integer, got 2.5."),
        (True, "`horizon` must be a positive integer, got True."),
        ("12", "`horizon` must be a positive integer, got '12'."),
    ],
)
@pytest.mark.parametrize("verb", ["predict", "predict_quantiles", "predict_interval", "sample"])
def test_bad_horizon(monthly: pd.Series, verb: str, horizon: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        getattr(Mean().fit(monthly), verb)(horizon)
    assert str(caught.value) == message
    with pytest.raises((ValueError, TypeError)) as caught:
        Mean(horizon=horizon).fit(monthly)
    assert str(caught.value) == message


class OneStep(Mean):
    """Forget the axis of the steps."""

    def _predict(self, horizon: int, known: Any) -> np.ndarray:
        return self.mean_[:, None]

    def _sample(self, horizon: int, n_samples: int, known: Any, rng: Any) -> np.ndarray:
        return super()._sample(horizon, n_samples, known, rng)[0]


def test_an_author_hears_of_a_wrong_shape(monthly: pd.Series) -> None:
    model = OneStep(horizon=3).fit(monthly)
    for ask in (model.predict, model.predict_interval):
        with pytest.raises(
            ValueError, match=r"`_predict` of OneStep .* shape \(1, 3\), got \(1, 1\)"
        ):
            ask()
    with pytest.raises(ValueError, match=r"`_sample` .* shape \(1, 5, 3\), got \(5, 3\)"):
        model.sample(n_samples=5)


class Lost(Mean):
    """Know nothing of the second step."""

    def _predict(self, horizon: int, known: Any) -> np.ndarray:
        return np.where(np.arange(horizon) == 1, np.nan, super()._predict(horizon, known))


def test_an_author_hears_of_numbers_that_are_none(monthly: pd.Series) -> None:
    model = Lost(horizon=3).fit(monthly)
    for ask in (model.predict, model.predict_interval, lambda: backtest(model, monthly, horizon=3)):
        with pytest.raises(
            ValueError, match="`_predict` of Lost must .* got nan for series .* at step 2"
        ):
            ask()


def test_not_fitted(monthly: pd.Series, tmp_path: Any) -> None:
    model = Mean()
    calls = [
        lambda: model.predict(3),
        lambda: model.update(monthly),
        lambda: model.score(monthly),
        lambda: model.sample(3),
        lambda: model.plot(3),
        lambda: model.save(tmp_path / "x"),
    ]
    for call in calls:
        with pytest.raises(NotFittedError, match="This Mean instance is not fitted yet"):
            call()


@pytest.mark.parametrize("kind", ["series", "frame", "array"])
def test_predict_of_test_data_points_to_score(monthly: pd.Series, kind: str) -> None:
    y = {"series": monthly, "frame": monthly.to_frame(), "array": monthly.to_numpy()}[kind]
    with pytest.raises(TypeError) as caught:
        Mean().fit(monthly).predict(y)
    assert "must be a positive integer" in str(caught.value)
    assert "scoring=forecast.evaluation.metrics.scorer(metric)" in str(caught.value)


def test_bad_options(monthly: pd.Series) -> None:
    model = Mean().fit(monthly)
    with pytest.raises(ValueError, match=r"`coverage` must be a number in \(0, 1\), got 90"):
        model.predict_interval(3, coverage=90)
    with pytest.raises(ValueError, match=r"`levels` must be a number in \(0, 1\), got 1.5"):
        model.predict_quantiles(3, levels=[0.5, 1.5])
    with pytest.raises(ValueError, match=r"`levels` must be increasing and not empty"):
        model.predict_quantiles(3, levels=[0.9, 0.5])
    with pytest.raises(TypeError, match="`levels` must be a sequence"):
        model.predict_quantiles(3, levels=0.9)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="`X` must be a frame of covariates, got 0.8. .* coverage="):
        model.predict_interval(3, 0.8)
    with pytest.raises(ValueError, match="`n_samples` must be a positive integer, got 0"):
        model.sample(3, n_samples=0)
    with pytest.raises(ValueError, match="`season_length` must be a positive integer, got 0"):
        Mean(season_length=0).fit(monthly)
    with pytest.raises(ValueError, match="`series` must be one of .'sales'., got 'x'"):
        model.plot(3, series="x")


def test_forecasts_come_back_as_the_kind_that_came_in(
    monthly: pd.Series, wide: pd.DataFrame
) -> None:
    future = pd.date_range("2023-01-01", periods=3, freq="MS")
    one = Mean().fit(monthly)
    assert one.predict(3).index.equals(future) and one.predict(3).name == "sales"
    assert one.predict_quantiles(3, levels=(0.1, 0.5)).columns.tolist() == [0.1, 0.5]
    assert one.predict_interval(3).columns.tolist() == ["lower", "upper"]
    assert one.sample(3, n_samples=4).columns.tolist() == [0, 1, 2, 3]
    many = Mean().fit(wide)
    assert many.predict(3).columns.tolist() == ["A", "B"]
    assert many.predict_interval(3).columns.tolist()[1] == ("A", "upper")
    long = wide.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
    tall = Mean().fit(long)
    assert tall.predict(3).columns.tolist() == ["unique_id", "ds", "y"]
    levels = tall.predict_quantiles(3, levels=(0.1, 0.5))
    assert levels.columns.tolist() == ["unique_id", "ds", "q0.1", "q0.5"]
    assert tall.sample(2, n_samples=2).columns.tolist()[2:] == ["path0", "path1"]
    np.testing.assert_allclose(
        tall.predict(3)["y"], many.predict(3).to_numpy().T.ravel(), rtol=1e-12
    )


ORDERS: dict[str, tuple[Any, list[Any]]] = {
    "text": (["b", "C", "a"], ["C", "a", "b"]),
    "numbers": ([10, 9, -1], [-1, 9, 10]),
    "categories": (pd.Categorical(["L", "S", "M"], ["S", "M", "L", "XL"]), ["S", "M", "L"]),
    "both, as text": (["2", 10, "b"], [10, "2", "b"]),
}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        *[(kind, names) for kind in ("long", "multi") for names in ORDERS],
        ("polars", "text"),
        ("polars", "numbers"),
    ],
)
def test_series_of_a_long_frame_come_back_in_rising_order(kind: str, names: str) -> None:
    ids, rising = ORDERS[names]
    days = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=4)})
    y: Any = pd.DataFrame({"y": [1.0, 2.0, 3.0], "unique_id": ids}).merge(days, "cross")
    if kind == "multi":
        y = y.set_index(["unique_id", "ds"])["y"]
    if kind == "polars":
        y = pl.DataFrame({name: y[name].to_list() for name in y})
    model = Mean().fit(y)
    for found in (model.predict(2), model.predict_interval(2), model.sample(2)):
        owners = found.index.get_level_values(0) if kind == "multi" else found["unique_id"]
        assert list(owners) == [one for one in rising for _ in range(2)]


def test_new_values_may_all_lie_apart(monthly: pd.Series) -> None:
    model = NaiveForecaster().fit(monthly[:80])
    apart = monthly[80:].iloc[[1, 4, 9]]
    assert np.isfinite(model.score(apart))
    assert model.apply(apart).predict(1).index[0] == monthly.index[90]
    updated = model.update(apart)
    assert updated.predict(1).index[0] == monthly.index[90] and len(updated.panel_.values) == 90
    with pytest.raises(ValueError, match="finer than the data"):
        NaiveForecaster(freq="MS").fit(apart)
    with pytest.warns(ForecastWarning, match="come every 3 steps of 'MS', the frequency of `fit`"):
        model.apply(monthly[::3])
    model.apply(monthly.iloc[[0, 2, 5, 7, 11]])  # in no order: few observations


def test_series_of_wide_frames_and_lists_keep_their_order(wide: pd.DataFrame) -> None:
    swapped = wide[["B", "A"]]
    assert Mean().fit(swapped).predict(2).columns.tolist() == ["B", "A"]
    parts = [swapped[name] for name in swapped]
    assert [one.name for one in Mean().fit(parts).predict(2)] == ["B", "A"]


def test_default_horizon_is_a_season_capped_by_the_data(monthly: pd.Series) -> None:
    assert Mean().fit(monthly).horizon_ == 12
    assert len(Mean().fit(monthly).predict()) == 12
    assert Mean(season_length=1).fit(monthly).horizon_ == 8
    assert Mean().fit(monthly[:9]).horizon_ == 4
    assert Mean().fit(monthly[:1]).horizon_ == 1
    assert Mean(horizon=30).fit(monthly).horizon_ == 30


def test_learned_attributes(monthly: pd.Series) -> None:
    gap = monthly.drop(monthly.index[[5, 6]])
    model = Mean().fit(gap)
    assert (model.freq_, model.season_length_) == ("MS", 12)
    assert model.missing_["n_missing"].tolist() == [2]
    assert not hasattr(model, "n_features_in_")
    X = pd.DataFrame({"x": 1.0}, monthly.index)
    model.fit(monthly, X)
    assert model.n_features_in_ == 1 and model.missing_.empty
    assert not hasattr(model.fit(monthly), "n_features_in_")


def test_missing_covariates_are_asked_for(monthly: pd.Series) -> None:
    X = pd.DataFrame({"price": np.arange(96.0)}, monthly.index)
    model = MarkovForecaster(order=2).fit(monthly[:90], X[:90])
    with pytest.raises(ValueError, match="`X` must be given to forecast: .*'price'.*next 3 steps"):
        model.predict(3)
    with pytest.raises(ValueError, match="1 missing, the first at 2023-01-01"):
        model.predict(7, X)
    with pytest.raises(ValueError, match="`X` was given to forecast, but `fit` had none"):
        model.fit(monthly[:90]).predict(3, X)
    for wrong in (5, [0.1, 0.9]):
        with pytest.raises(TypeError, match="What follows it is passed by name: coverage="):
            model.predict_quantiles(3, wrong)


def test_fit_and_update_are_atomic(monthly: pd.Series) -> None:
    model = Mean().fit(monthly[:60])
    before, kept = model.predict(5), set(vars(model))
    bad = monthly[60:70].copy()
    bad.iloc[-1] = 666
    for attempt in (model.fit, model.update):
        with pytest.raises(RuntimeError, match="broken"):
            attempt(bad)
        pd.testing.assert_series_equal(model.predict(5), before)
        assert set(vars(model)) == kept
    with pytest.raises(ValueError, match="ends at 2019-12-01"):
        model.update(monthly[55:70])
    pd.testing.assert_series_equal(model.predict(5), before)


def test_update_tells_how_much_is_new(wide: pd.DataFrame) -> None:
    model = Mean().fit(wide[:60])
    assert model.update(wide[62:63]) is model
    assert model.added_.tolist() == [3, 3]
    assert model.predict(1).index[0] == wide.index[63]


def test_inputs_are_not_changed(wide: pd.DataFrame) -> None:
    shuffled = wide.sample(frac=1, random_state=0)
    kept = shuffled.copy()
    model = Mean().fit(shuffled)
    model.predict(3)
    pd.testing.assert_frame_equal(shuffled, kept)
    pd.testing.assert_frame_equal(model.predict(3), Mean().fit(wide).predict(3))


def test_same_seed_same_paths(monthly: pd.Series) -> None:
    model = Mean().fit(monthly)
    first, again = (model.sample(4, n_samples=7, random_state=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(model.sample(4, n_samples=7, random_state=4))
    pd.testing.assert_frame_equal(model.predict_interval(4), model.predict_interval(4))


def test_quantiles_of_many_series_stay_in_memory(wide: pd.DataFrame) -> None:
    model = Mean().fit(wide)
    seen = []
    model._sample = lambda h, s, known, rng: seen.append(s) or np.zeros((2, s, h))  # type: ignore
    model._quantiles_of_paths(10, (0.5,), None)
    model._quantiles_of_paths(100_000, (0.5,), None)
    assert seen == [1000, 100]


def test_clone_repr_pickle_deepcopy(monthly: pd.Series) -> None:
    model = NaiveForecaster(strategy="seasonal", horizon=6)
    assert repr(model) == "NaiveForecaster(horizon=6, strategy='seasonal')"
    fitted = clone(model).fit(monthly)
    assert clone(fitted).get_params() == model.get_params()
    assert not hasattr(clone(fitted), "panel_")
    for twin in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        pd.testing.assert_series_equal(twin.predict(9), fitted.predict(9))
    assert model.set_params(strategy="drift").strategy == "drift"


def test_score_is_negative_mase_matched_by_time() -> None:
    y = pd.Series([1.0, 2.0, 4.0, 7.0], pd.period_range("2020", periods=4, freq="Y"))
    later = pd.Series([8.0, 11.0, 15.0], pd.period_range("2025", periods=3, freq="Y"))
    model = NaiveForecaster().fit(y)
    assert model.score(later) == pytest.approx(-np.mean([1, 4, 8]) / 2)
    frame = pd.DataFrame({"A": y, "B": 10 * y})
    both = NaiveForecaster().fit(frame)
    assert both.score(pd.DataFrame({"A": later, "B": 10 * later})) == pytest.approx(-13 / 6)


def test_plot_draws_one_series(wide: pd.DataFrame) -> None:
    ax = NaiveForecaster("seasonal").fit(wide).plot(12, series="B")
    assert ax.get_ylabel().startswith("B")
    lines = [line.get_ydata()[-12:] for line in ax.get_lines()]
    assert any(np.allclose(line, wide["B"][-12:]) for line in lines if len(line) == 12)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.mission("M53")
def test_the_band_in_the_plot_is_the_interval(monthly: pd.Series, coverage: float) -> None:
    model = NaiveForecaster("seasonal").fit(monthly)
    ax = model.plot(12, coverage=coverage)
    bounds = model.predict_interval(12, coverage=coverage).to_numpy()
    (band,) = ax.collections
    drawn = band.get_paths()[0].vertices[:, 1]
    assert drawn.min() == bounds.min() and drawn.max() == bounds.max()
    assert f"{coverage:.0%}".replace("%", " %") in str(
        [text.get_text() for text in ax.get_figure().findobj(Text)]
    )


def test_the_plot_names_the_unit_of_the_history(monthly: pd.Series, wide: pd.DataFrame) -> None:
    monthly.attrs["unit"] = "MW"
    model = NaiveForecaster().fit(monthly)
    assert model.plot(3).get_ylabel() == "sales (MW)"
    model.update(pd.Series([1.0], monthly.index[-1:].shift(1), name="sales"))
    assert model.plot(3).get_ylabel() == "sales (MW)"
    wide.attrs["unit"] = "kg"
    assert model.apply(wide).plot(3).get_ylabel() == "A (kg)"
    assert NaiveForecaster().fit([monthly, wide["B"]]).unit_ is None  # two units, no common one
    assert NaiveForecaster().fit([monthly, 2 * monthly.rename("more")]).unit_ == "MW"


@pytest.mark.filterwarnings("ignore::forecast.ForecastWarning")
@pytest.mark.parametrize(("point", "runs"), [("median", 1), ("mean", 2)])
def test_the_plot_runs_the_network_once_for_median_and_band(
    monthly: pd.Series, point: str, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LSTMForecaster(
        horizon=12, hidden_size=4, max_epochs=1, n_estimators=1, random_state=0, point=point
    ).fit(monthly)
    expected = model.predict(), model.predict_interval()
    passes: list[int] = []
    read_out = Model.read_out

    def counted(self: Any, *given: Any) -> Any:
        passes.append(1)
        return read_out(self, *given)

    monkeypatch.setattr(Model, "read_out", counted)
    ax = model.plot()
    assert len(passes) == runs
    drawn = [line.get_ydata()[-12:] for line in ax.get_lines()]
    assert any(len(line) == 12 and np.allclose(line, expected[0]) for line in drawn)
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    bounds = expected[1].to_numpy()
    assert heights.min() == bounds.min() and heights.max() == bounds.max()
    model.plot(13)  # a second block: the point forecast is written, and paths for the band
    assert len(passes) == runs + 2 * runs + 1 + 2
