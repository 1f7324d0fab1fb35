"""A value that is nothing like the others moves no forecast, and is named."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer

import forecast
from forecast import ForecastWarning, MarkovForecaster, NaiveForecaster
from forecast.data.frames import read_frames
from forecast.engine import training
from forecast.forecasters.outliers import Outliers
from forecast.forecasters.registry import CONTESTANTS

MONTHS = pd.date_range("2015-01-31", periods=96, freq="ME")


def series(wild: dict[int, float] | None = None) -> pd.Series:
    t = np.arange(96)
    values = 100 + 5 * np.sin(t * np.pi / 6) + np.random.default_rng(0).normal(size=96)
    y = pd.Series(values, MONTHS, name="sales")
    for place, value in (wild or {}).items():
        y.iloc[place] = value
    return y


def places(y: pd.Series) -> list[int]:
    return Outliers.find(read_frames(y))[0].places.tolist()


def contestants() -> dict[str, Any]:
    """Return all forecasters; networks are trained for a few steps."""
    models = {one.label: one.build(random_state=0) for one in CONTESTANTS}
    for model in models.values():
        known = {"max_epochs": 1, "horizon": 12, "hidden_size": 4, "n_estimators": 1}
        model.set_params(**{k: v for k, v in known.items() if k in model.get_params()})
    return models


QUICK = {"ETS", "Theta", "Markov", "pre-trained", "seasonal naive", "TSB"}


@pytest.mark.parametrize("wild", [{60: 10_000.0}, {30: -999.0}, {5: 1e9}], ids=str)
@pytest.mark.parametrize(
    ("label", "model"),
    [pytest.param(label, model, id=label, marks=[] if label in QUICK else pytest.mark.slow)
     for label, model in contestants().items()],
)  # fmt: skip
def test_an_outlier_is_named_and_moves_no_forecast(
    label: str, model: Any, wild: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STEPS_PER_EPOCH", 2)
    ((place, value),) = wild.items()
    with pytest.warns(ForecastWarning, match=re.escape(f"has {value:g} at")) as caught:
        found = model.fit(series(wild)).predict(12)
    assert any(str(MONTHS[place]) in str(one.message) for one in caught)
    assert found.between(80, 120).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ForecastWarning)
        expected = model.fit(series({place: np.nan})).predict(12)
    pd.testing.assert_series_equal(found, expected)


def test_few_are_outliers_and_only_inside() -> None:
    y = np.r_[series(), series(), series()[:8]]
    for wild in ([50], [50, 51, 120], [50, 51, 120, 150]):
        y[wild] = -9999
        assert places(pd.Series(y)) == wild
    y[[0, -1]] = -9999  # so many are a kind of their own
    assert places(pd.Series(y)) == []
    assert places(series({95: 1e6})) == [] and places(series({0: 1e6})) == []


def test_what_comes_back_or_is_rare_by_nature_is_no_outlier() -> None:
    rng = np.random.default_rng(0)
    christmas = series()
    christmas.iloc[11::12] += 1000
    rare = pd.Series(np.where(np.arange(96) == 40, 50.0, 0.0))
    demand = pd.Series(rng.poisson(20, 96) * (rng.random(96) < 0.1), dtype=float)
    for y in (christmas, rare, demand, pd.Series(rng.standard_t(2, 96)), series()):
        assert places(y) == []


def test_a_wild_last_value_is_named_and_believed() -> None:
    """It may be a new level; what follows from it should not come as a surprise."""
    y = series({95: 1e6})
    with pytest.warns(ForecastWarning, match=re.escape("has 1e+06 at 2022-12-31")) as caught:
        assert NaiveForecaster().fit(y).predict(1).item() == 1e6
    assert "write NaN in its place" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NaiveForecaster().fit(series({0: 1e6}))
        NaiveForecaster(target_transform=FunctionTransformer()).fit(y)


def test_who_passes_a_transformer_keeps_it() -> None:
    logs = FunctionTransformer(np.log, np.exp)
    model = NaiveForecaster(target_transform=logs).fit(series({60: 10_000.0}))
    assert not len(model.outliers_.series)


@pytest.mark.filterwarnings("ignore::forecast.ForecastWarning")
def test_a_loaded_model_sees_the_same(tmp_path: Any) -> None:
    y = series({60: 10_000.0})
    model = MarkovForecaster().fit(y[:90])
    model.save(tmp_path / "a.model")
    again = forecast.load(tmp_path / "a.model")
    for one in (model, again):
        one.update(y[90:])
    pd.testing.assert_series_equal(again.predict(9), model.predict(9))
    assert again.bounds_.positive.all() and again.range_.max() < 10
