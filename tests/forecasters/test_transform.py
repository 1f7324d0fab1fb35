"""`target_transform`: the model sees another scale, the user never does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.combined.combined import CombinedForecaster
from forecast.forecasters.conformal import ConformalForecaster
from forecast.forecasters.neural.recurrent import LSTMForecaster
from forecast.forecasters.window.markov import MarkovForecaster

LOG = FunctionTransformer(np.log, np.exp, check_inverse=False)
TRANSFORMERS = [
    LOG,
    FunctionTransformer(np.log1p, np.expm1, check_inverse=False),
    PowerTransformer("box-cox"),
    PowerTransformer("yeo-johnson", standardize=False),
    StandardScaler(),
    MinMaxScaler(),
    QuantileTransformer(n_quantiles=50, output_distribution="normal"),
]


@pytest.fixture
def sales() -> pd.Series:
    """Grow by two percent a step, with a season that grows along and a gap."""
    t = np.arange(120)
    values = np.exp(0.02 * t + 0.5 * np.sin(2 * np.pi * t / 12))
    values[40:43] = np.nan
    return pd.Series(values, pd.date_range("2010-01-01", periods=120, freq="MS"), name="sales")


class Seen(BaseForecaster):
    """Remember the history it was given, forecast its last value; paths around it."""

    def _fit(self, panel: Any) -> None:
        self.seen_, self.last_ = panel.values, panel.values[panel.offsets[1:] - 1]

    def _update(self, panel: Any, added: Any) -> None:
        self._fit(panel)

    def _predict(self, horizon: int, known: Any) -> np.ndarray:
        return np.repeat(self.last_[:, None], horizon, 1)

    def _sample(self, horizon: int, n_samples: int, known: Any, rng: Any) -> np.ndarray:
        noise = rng.normal(size=(len(self.last_), n_samples, horizon))
        return self.last_[:, None, None] + noise


def test_the_model_sees_the_transformed_history(sales: pd.Series) -> None:
    model = Seen(target_transform=LOG).fit(sales[:100])
    np.testing.assert_array_equal(model.seen_, np.log(sales[:100]))
    np.testing.assert_array_equal(model.panel_.values, sales[:100])
    model.update(sales[100:])
    np.testing.assert_array_equal(model.seen_, np.log(sales))
    np.testing.assert_array_equal(model.panel_.values, sales)
    np.testing.assert_allclose(model.predict(3), sales.iloc[-1], rtol=1e-12)


def test_every_answer_comes_back_in_the_units_of_y(sales: pd.Series) -> None:
    plain, logs = Seen().fit(np.log(sales)), Seen(target_transform=LOG).fit(sales)
    ask = [
        lambda model: model.predict(5),
        lambda model: model.predict_quantiles(5),
        lambda model: model.predict_interval(5, coverage=0.8),
        lambda model: model.sample(5, n_samples=3, random_state=1),
    ]
    for question in ask:
        np.testing.assert_allclose(question(logs), np.exp(question(plain)), rtol=1e-12)
    drawn = [line.get_ydata()[-5:] for line in logs.plot(5).get_lines()]
    assert any(np.allclose(line, logs.predict(5)) for line in drawn if len(line) == 5)


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("model", [NaiveForecaster("seasonal"), MarkovForecaster()])
@pytest.mark.mission("M43")
def test_any_invertible_transformer(
    sales: pd.Series, model: BaseForecaster, transformer: Any
) -> None:
    model.set_params(target_transform=transformer).fit(sales)
    assert model.target_transform_ is not transformer  # a clone
    forecast = model.predict(12)
    assert forecast.notna().all()
    # steps that match the season within the growth of a year and more
    assert (np.abs(np.log(forecast.to_numpy() / sales[-12:].to_numpy())) < 0.4).all()
    low, high = model.predict_interval(12, coverage=0.8).to_numpy().T
    assert (low <= high).all()


def test_a_transformer_may_answer_with_frames(sales: pd.Series) -> None:
    plain, framed = (
        MarkovForecaster(target_transform=one).fit(sales).predict(3)
        for one in (StandardScaler(), StandardScaler().set_output(transform="pandas"))
    )
    pd.testing.assert_series_equal(plain, framed)


def test_a_logarithm_makes_growth_a_line() -> None:
    y = pd.Series(3 * 1.1 ** np.arange(20))
    drift = NaiveForecaster("drift", target_transform=LOG).fit(y)
    np.testing.assert_allclose(drift.predict(5), 3 * 1.1 ** np.arange(20, 25), rtol=1e-12)
    assert (NaiveForecaster("drift").fit(y).predict(5) < 0.95 * drift.predict(5)).all()


def test_paths_stay_positive_under_a_logarithm() -> None:
    y = pd.Series(np.random.default_rng(0).lognormal(size=60))
    assert (NaiveForecaster().fit(y).sample(20, random_state=0) == 0).any(axis=None)
    logs = NaiveForecaster(target_transform=LOG).fit(y)
    assert (logs.sample(20, random_state=0) > 0).all(axis=None)


@pytest.mark.parametrize("around", [lambda one: CombinedForecaster([one]), ConformalForecaster])
def test_forecasters_of_forecasters_leave_outliers_and_bounds_to_it_too(around: Any) -> None:
    y = pd.Series(np.arange(30.0, 0.0, -1.0))
    y[10] = 1e4
    model = around(NaiveForecaster("drift")).set_params(target_transform=FunctionTransformer())
    assert model.fit(y).predict(2).tolist() == [0.0, -1.0]  # and nothing warns of the large value


@pytest.mark.parametrize("around", [lambda one: CombinedForecaster([one]), ConformalForecaster])
def test_what_a_forecaster_of_another_says_itself_stays(around: Any, sales: pd.Series) -> None:
    def inner(**told: Any) -> Any:
        model = around(NaiveForecaster("drift", **told)).set_params(season_length=4, horizon=5)
        model = model.set_params(target_transform=StandardScaler()).fit(sales)
        return getattr(model, "forecaster_", None) or [*model.members_.values()][0]

    asked = inner()
    assert isinstance(asked.target_transform, FunctionTransformer)
    assert (asked.season_length, asked.horizon_) == (4, 5)
    own = inner(target_transform=MinMaxScaler(), season_length=6, horizon=9)
    assert isinstance(own.target_transform, MinMaxScaler)
    assert (own.season_length, own.season_length_, own.horizon_) == (6, 6, 9)


@pytest.mark.filterwarnings("ignore::forecast.ForecastWarning")
def test_a_network_under_a_transformer_keeps_float32_and_its_answers(sales: pd.Series) -> None:
    small: dict[str, Any] = {
        "hidden_size": 4,
        "max_epochs": 1,
        "n_estimators": 1,
        "random_state": 0,
        "horizon": 6,
    }
    plain = LSTMForecaster(**small).fit(np.log(sales))
    logs = LSTMForecaster(**small, target_transform=LOG).fit(sales)
    np.testing.assert_allclose(logs.predict(9), np.exp(plain.predict(9)), rtol=1e-9)
    single = LSTMForecaster(**small, target_transform=LOG).fit(sales.astype(np.float32))
    np.testing.assert_allclose(single.predict(9), logs.predict(9), rtol=1e-3)


def test_one_transformer_serves_all_series(sales: pd.Series) -> None:
    wide = pd.DataFrame({"A": sales, "B": 3 * sales})
    model = NaiveForecaster(target_transform=PowerTransformer("box-cox")).fit(wide)
    assert model.target_transform_.lambdas_.shape == (1,)
    pd.testing.assert_frame_equal(
        model.predict(2), NaiveForecaster().fit(wide).predict(2), rtol=1e-9
    )
    table = wide.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
    long = NaiveForecaster(target_transform=LOG).fit(table).sample(2, n_samples=2, random_state=0)
    assert (long[["path0", "path1"]] > 0).all(axis=None)


@pytest.mark.parametrize(
    ("transformer", "kind", "message"),
    [
        ("log", TypeError, r"must be a scikit-learn transformer with an inverse, .* got 'log'"),
        (StandardScaler, TypeError, "must be a scikit-learn transformer with an inverse"),
        (Binarizer(), TypeError, "must be a scikit-learn transformer with an inverse"),
        (PowerTransformer("box-cox"), ValueError, "could not be fitted to `y`: .*positive"),
        (LOG, ValueError, r"gives -inf for 0 \(series 'B', 2010-02-01 00:00:00\)"),
        (
            FunctionTransformer(np.negative, np.negative),
            ValueError,
            "must be increasing, or the .1 quantile would come back as the .9 one",
        ),
        (FunctionTransformer(np.cbrt), ValueError, "must have an inverse: .* needs its inverse_fu"),
        (KBinsDiscretizer(3), ValueError, "must give one number for every value, got csr_matrix"),
    ],
)
def test_unfit_transformers_are_refused(transformer: Any, kind: Any, message: str) -> None:
    days = pd.date_range("2010-01-01", periods=4, freq="MS")
    y = pd.DataFrame({"A": [1.0, 2.0, 3.0, 4.0], "B": [5.0, 0.0, 7.0, 8.0]}, days)
    with pytest.raises(kind, match=f"^`target_transform` {message}"):
        NaiveForecaster(target_transform=transformer).fit(y)


def test_an_update_outside_the_domain_keeps_the_old_model(sales: pd.Series) -> None:
    model = NaiveForecaster(target_transform=LOG).fit(sales[:100])
    before = model.predict(3)
    with pytest.raises(ValueError, match=r"gives nan for -1 \(series 'sales', 2018-05-01"):
        model.update(pd.Series([-1.0], sales.index[100:101], name="sales"))
    pd.testing.assert_series_equal(model.predict(3), before)


def test_a_forecast_beyond_the_inverse_names_the_series() -> None:
    y = pd.Series(np.r_[np.ones(30), 1 + np.arange(30.0) ** 6], name="burst")
    model = NaiveForecaster("drift", target_transform=PowerTransformer("box-cox")).fit(y)
    with pytest.raises(ValueError, match="no finite inverse for .* of series 'burst'"):
        model.predict(1000)


def test_nothing_warns_and_nothing_is_shared(sales: pd.Series) -> None:
    model = NaiveForecaster(target_transform=PowerTransformer()).fit(sales)
    again = NaiveForecaster(**model.get_params(deep=False)).fit(2 * sales)
    assert model.target_transform_.lambdas_ is not again.target_transform_.lambdas_
    assert model.get_params()["target_transform__method"] == "yeo-johnson"
