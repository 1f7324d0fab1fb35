"""One distribution per forecast: the point inside every band, and values that the series can take.

Training is cut to a few steps: nothing here asks whether a forecast is good.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer

from forecast import (
    ARIMAForecaster,
    ETSForecaster,
    MarkovForecaster,
    NaiveForecaster,
    ThetaForecaster,
)
from forecast.forecasters.bounds import Bounds
from forecast.forecasters.registry import CONTESTANTS
from tests.checks import ForecasterCase, forecaster_cases, slow_variants

pytestmark = pytest.mark.filterwarnings("ignore::forecast._checks.ForecastWarning")
CASES = forecaster_cases()
every_forecaster = pytest.mark.parametrize(
    "case", slow_variants(CASES, ("RNNForecaster", "Seq2SeqForecaster"))
)
QUICK = [
    NaiveForecaster(), NaiveForecaster("seasonal"), NaiveForecaster("drift"), MarkovForecaster(),
    ThetaForecaster(),
]  # fmt: skip
SLOW = [pytest.param(one, marks=pytest.mark.slow) for one in (ETSForecaster(), ARIMAForecaster())]
LEVELS = (0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 0.975)
SIZE = 48


def kinds(seed: int = 0) -> pd.DataFrame:
    """Return a panel of series of every kind that has put a point outside its band."""
    rng, t = np.random.default_rng(seed), np.arange(SIZE)
    rare = rng.random(SIZE) < 0.1
    noise = rng.normal(size=SIZE)
    return pd.DataFrame(
        {
            "trend": 100 + 2 * t + 3 * noise,
            "spikes": 100.5 + noise + 200 * rare,
            "rare demand": (rng.poisson(3, SIZE) * rare).astype(float),
            "counts": rng.poisson(4, SIZE).astype(float),
            "falling": np.maximum(60.5 - 1.3 * t + noise, 0.5),
            "growing": 10.3 * 1.1**t,
            "night": np.maximum(np.sin(2 * np.pi * t / 4), 0.0) * (50 + noise),
            "below": -40.2 + 5 * noise,
            "walk": noise.cumsum(),
            "flat": np.full(SIZE, 3700.0),
            "empty": np.zeros(SIZE),
        }
    )


def check(model: Any, y: pd.DataFrame, horizon: int = 9) -> None:
    """Assert what every distribution owes."""
    quantiles = model.predict_quantiles(horizon, levels=LEVELS)
    points, paths = model.predict(horizon), model.sample(horizon, n_samples=20, random_state=0)
    for name in y:
        band, point = quantiles[name].to_numpy(), points[name].to_numpy()[:, None]
        assert (np.diff(band, axis=1) >= 0).all(), name
        if not model.point_is_mean:
            assert (band[:, :6] <= point).all() and (point <= band[:, 5:]).all(), name
            np.testing.assert_array_equal(band[:, [5]], point, str(name))
        drawn = paths[name].to_numpy()
        assert np.isfinite(drawn.sum(0)).all(), name
        if (y[name] >= 0).all():
            assert min(band.min(), point.min(), drawn.min()) >= 0, name
        if (y[name] % 1 == 0).all():
            assert (band % 1 == 0).all() and (drawn % 1 == 0).all(), name


@functools.cache
def fitted(name: str) -> Any:
    case = next(case for case in CASES if str(case) == name)
    return case.build(horizon=6, season_length=4).fit(kinds())


@every_forecaster
@pytest.mark.usefixtures("little_effort")
def test_the_point_lies_inside_every_band_and_nothing_is_forecast_that_cannot_be(
    case: ForecasterCase,
) -> None:
    check(fitted(str(case)), kinds())


@pytest.mark.parametrize("model", QUICK + SLOW, ids=repr)
def test_a_flat_series_is_forecast_as_it_is_and_moves_no_other(model: Any) -> None:
    model = clone(model).set_params(horizon=6, season_length=4)
    beside = kinds()[["trend", "flat", "spikes", "empty", "counts"]]
    found = model.fit(beside).predict_quantiles(9, levels=LEVELS)
    assert (found["flat"] == 3700).all(axis=None) and (found["empty"] == 0).all(axis=None)
    others = kinds()[["trend", "spikes", "counts"]]
    expected = model.fit(others).predict_quantiles(9, levels=LEVELS)
    pd.testing.assert_frame_equal(found[list(others)], expected, rtol=1e-9)


@pytest.mark.parametrize("model", QUICK + SLOW, ids=repr)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000), size=st.integers(2, 40), season=st.sampled_from([1, 4]))
def test_short_series_too(model: Any, seed: int, size: int, season: int) -> None:
    y = kinds(seed)[:size]
    check(model.set_params(season_length=season).fit(y), y, horizon=5)


def test_who_passes_a_transformer_sets_the_bounds() -> None:
    line = pd.Series(np.arange(30.0, 0.0, -1.0))
    drift = NaiveForecaster("drift")
    assert drift.fit(line).predict(5).tolist() == [0.0] * 5
    free = NaiveForecaster("drift", target_transform=FunctionTransformer()).fit(line)
    assert free.predict(3).tolist() == [0.0, -1.0, -2.0]


def test_bounds_are_lost_when_a_value_passes_them() -> None:
    y = pd.DataFrame({"a": [3.0, 2.0, 1.0], "b": [3.0, 2.0, 1.0]})
    model = NaiveForecaster("drift").fit(y)
    assert model.predict(3).to_numpy().tolist() == [[0.0, 0.0]] * 3
    model.update(pd.DataFrame({"a": [-1.5], "b": [0.0]}, index=[3]))
    assert model.bounds_.positive.tolist() == [False, True]
    assert model.bounds_.whole.tolist() == [False, True]
    assert model.predict(1)["a"].item() == pytest.approx(-3.0)


def test_bounds_hold_values_of_any_shape() -> None:
    bounds = Bounds(np.array([True, False]), np.array([True, False]))
    values = np.full((2, 3, 4), -0.7)
    assert bounds.hold(values).tolist() == [np.zeros((3, 4)).tolist(), values[1].tolist()]
    assert bounds.hold(values + 2, mean=True)[0, 0, 0] == pytest.approx(1.3)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("model", [*QUICK, ETSForecaster(), ARIMAForecaster()], ids=repr)
def test_a_few_values_that_vary_have_a_band_around_the_point(model: Any, size: int) -> None:
    y = pd.Series([100.5, 112.5, 105.5][:size])
    model = model.set_params(season_length=1)
    band = model.fit(y).predict_interval(1, coverage=0.8).iloc[0]
    assert band["lower"] <= model.predict(1).item() <= band["upper"]
    drift = getattr(model, "strategy", None) == "drift" and size == 2  # a line goes through both
    assert band["upper"] > band["lower"] or drift


@pytest.mark.parametrize("label", [one.label for one in CONTESTANTS if "LSTM" not in one.label])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_band_of_few_values_has_a_width_or_it_is_told(label: str, count: int) -> None:
    if label in ("MLP", "RNN", "Seq2Seq"):
        pytest.skip("networks train for longer than a quick test")
    model = next(one for one in CONTESTANTS if one.label == label).build(random_state=0)
    y = pd.Series([5.0, 9.0, 6.0][:count], pd.date_range("2024", periods=count), name="y")
    if label == "Markov" and count == 1:
        with pytest.raises(ValueError, match="`order` must be smaller"):
            model.set_params(freq="D").fit(y)
        return
    fitted = model.set_params(freq="D", season_length=1).fit(y)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        band = fitted.predict_interval(3, coverage=0.8)
    said = any("the first 'y', have too few values" in str(one.message) for one in told)
    assert said == bool((band["lower"] == band["upper"]).all())
    assert said == (count == 1 or (label, count) == ("drift", 2))


def test_a_constant_series_is_sure() -> None:
    fitted = NaiveForecaster().fit(pd.Series([5.0] * 9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (fitted.predict_interval(3) == 5.0).all().all()
