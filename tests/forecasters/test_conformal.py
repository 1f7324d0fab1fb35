"""Bands around any model's points: they cover, follow what changes, and tell what is odd."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from forecast import ConformalForecaster, ForecastWarning, MarkovForecaster, NaiveForecaster

DAYS = pd.date_range("2024-01-01", periods=400, freq="D")


def walks(n: int, length: int = 400, seed: int = 0) -> pd.DataFrame:
    noise = np.random.default_rng(seed).normal(size=(length, n))
    return pd.DataFrame(noise.cumsum(0), DAYS[:length]).add_prefix("w")


class LastMean:
    """A model of another library: the mean of the last three values."""

    def fit(self, y: Any) -> Self:
        self.level = np.asarray(y)[-3:].mean(0)
        return self

    def predict(self, horizon: int) -> np.ndarray:
        return np.repeat(np.atleast_2d(self.level), horizon, axis=0)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
def test_bands_of_many_series_cover_what_they_claim(coverage: float) -> None:
    y = walks(200, seed=1)
    model = ConformalForecaster(NaiveForecaster(), horizon=6, season_length=1).fit(y[:390])
    band = model.predict_interval(6, coverage=coverage)
    inside = [y[name][390:396].between(*band[name].to_numpy().T).mean() for name in y]
    assert np.mean(inside) == pytest.approx(coverage, abs=0.06)  # 200 walks: .02 for .8


def test_sums_of_paths_spread_like_the_sums_of_walks() -> None:
    model = ConformalForecaster(NaiveForecaster(), horizon=6, season_length=1).fit(walks(300))
    paths = model.sample(6, n_samples=200, random_state=0)
    spread = [paths[f"w{i}"].sum().std() for i in range(300)]
    expected = np.sqrt(sum(k**2 for k in range(1, 7)))
    assert np.mean(spread) == pytest.approx(expected, rel=0.2)


def test_paths_have_the_quantiles_that_are_told() -> None:
    model = ConformalForecaster(horizon=6, season_length=7).fit(walks(3))
    levels = (0.1, 0.3, 0.7, 0.9)
    told = model.predict_quantiles(6, levels=levels)["w1"].to_numpy()
    paths = model.sample(6, n_samples=20_000, random_state=0)["w1"].to_numpy()
    width = (told[:, -1] - told[:, 0])[:, None]
    assert np.abs((np.quantile(paths, levels, axis=1).T - told) / width).max() < 0.02


def test_levels_beyond_the_scores_go_on_as_normal_tails() -> None:
    model = ConformalForecaster(NaiveForecaster(), horizon=1).fit(walks(1, 30)["w0"])
    levels = (0.5, 0.9, 0.99, 0.999, 0.9999)
    upper = model.predict_quantiles(1, levels=levels).to_numpy()[0]
    assert (np.diff(upper) > 0).all()
    assert (upper[-1] - upper[0]) / (upper[-2] - upper[0]) == pytest.approx(3.719 / 3.09, rel=1e-3)


@pytest.mark.parametrize(
    "forecaster", [LastMean(), MarkovForecaster(2, Ridge())], ids=["last mean", "Markov"]
)
@pytest.mark.parametrize("n_series", [1, 3])
def test_any_model_with_fit_and_predict_gets_bands(forecaster: Any, n_series: int) -> None:
    y = walks(n_series, 80)
    y = y["w0"] if n_series == 1 else y
    model = ConformalForecaster(forecaster, horizon=4, season_length=1).fit(y[:70])
    points, band = model.predict(4), model.predict_interval(4)
    expected = forecaster.fit(y[:70]).predict(4)
    np.testing.assert_allclose(np.squeeze(points), np.squeeze(expected))
    assert np.isfinite(band.to_numpy()).all() and band.shape == (4, 2 * n_series)
    assert len(model.update(y[70:]).surprise_) == 10 * n_series
    again = np.squeeze(forecaster.fit(y).predict(4))
    np.testing.assert_allclose(np.squeeze(model.predict(4)), again, rtol=0.3)


@pytest.mark.slow
def test_a_band_follows_the_size_of_errors_if_it_is_adaptive() -> None:
    y = walks(40, 200)
    louder = y.iloc[-1] + 3 * walks(40, 100, seed=1)
    louder.index = pd.date_range(DAYS[200], periods=100, freq="D")
    for adaptive, least, most in ((False, 0.25, 0.45), (True, 0.73, 0.87)):
        model = ConformalForecaster(
            NaiveForecaster(), adaptive=adaptive, horizon=1, season_length=1
        ).fit(y)
        late = model.update(louder).surprise_.groupby("unique_id").tail(30)
        widths = model.predict_interval(1, coverage=0.8)
        assert len(late) == 40 * 30
        inside = [
            abs(step) < (widths[name]["upper"] - widths[name]["lower"]).item() / 2
            for name in y
            for step in louder[name].diff().dropna()[-50:]
        ]
        assert least < np.mean(inside) < most


def test_a_value_out_of_line_has_a_small_p_value_and_others_spread_evenly() -> None:
    y = walks(50, 300)
    model = ConformalForecaster(NaiveForecaster(), horizon=1, season_length=1).fit(y[:280])
    assert model.surprise_.empty
    usual = model.update(y[280:299]).surprise_
    assert usual["p_value"].between(0, 1).all()
    assert usual["p_value"].mean() == pytest.approx(0.5, abs=0.05)
    odd = y[299:].copy()
    odd["w7"] += 50
    found = model.update(odd).surprise_.set_index("unique_id")
    assert found["p_value"].idxmin() == "w7" and found.loc["w7", "p_value"] < 0.01
    assert found.loc["w7", "ds"] == DAYS[299]


def test_series_may_be_named_by_several_columns() -> None:
    keys = pd.DataFrame({"store": list("abb"), "item": [1, 1, 2]})
    y = keys.merge(pd.DataFrame({"ds": range(30), "y": walks(1, 30)["w0"].to_numpy()}), "cross")
    model = ConformalForecaster(NaiveForecaster(), season_length=1, id_col=["store", "item"])
    found = model.fit(y[y["ds"] < 28]).update(y[y["ds"] >= 28]).surprise_
    assert found.columns.tolist() == ["store", "item", "ds", "y", "p_value"]
    assert (
        found[found["ds"] == 28][["store", "item"]].to_numpy().tolist() == keys.to_numpy().tolist()
    )


def test_columns_may_be_named_by_numbers() -> None:
    y = pd.DataFrame({0: "a", 1: range(30), 2: walks(1, 30)["w0"].to_numpy()})
    model = ConformalForecaster(NaiveForecaster(), id_col=0, time_col=1, target_col=2)
    found = model.set_params(season_length=1).fit(y[:28]).update(y[28:]).surprise_
    assert found[[0, 1, 2]].to_numpy().tolist() == y[28:].to_numpy().tolist()


@pytest.mark.filterwarnings("ignore:.*too few values to tell")
@pytest.mark.parametrize("size", [1, 2, 4, 9])
def test_short_and_flat_series_have_bands_too(size: int) -> None:
    y = pd.DataFrame({"walk": 0.1 + np.arange(size) % 3, "flat": 5.0})
    band = ConformalForecaster(NaiveForecaster(), season_length=1).fit(y).predict_interval(3)
    assert (band["flat"] == 5).all(axis=None)
    assert ((band["walk"]["upper"] > band["walk"]["lower"]) | (size == 1)).all()


def test_what_a_fit_warns_of_is_warned_of_once() -> None:
    class Wary(LastMean):
        def fit(self, y: Any) -> Self:
            warnings.warn("few", ForecastWarning, stacklevel=2)
            return super().fit(y)

    with pytest.warns(ForecastWarning, match="few") as told:
        ConformalForecaster(Wary(), horizon=2).fit(walks(1, 60))
    assert len(told) == 1


@pytest.mark.parametrize("forecaster", [3, NaiveForecaster, Ridge])
def test_what_is_no_model_is_refused(forecaster: Any) -> None:
    with pytest.raises(TypeError, match="`forecaster` must be a model with fit and predict"):
        ConformalForecaster(forecaster).fit(walks(1, 30))


def test_a_model_that_predicts_another_shape_is_refused() -> None:
    class Wrong(LastMean):
        def predict(self, horizon: int) -> np.ndarray:
            return np.zeros((horizon, 7))

    with pytest.raises(ValueError, match="`forecaster` must predict 2 rows for 1 series"):
        ConformalForecaster(Wrong(), horizon=2).fit(walks(1, 30))
