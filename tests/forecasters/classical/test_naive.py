"""The naive rules on series where they are exact, with gaps, and in their spread."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer

from forecast import backtest
from forecast.forecasters.classical.naive import NaiveForecaster


@pytest.mark.parametrize("strategy", ["last", "seasonal", "drift"])
@pytest.mark.parametrize("value", [0.0, 5.0, 1e9, -1e-9])
@pytest.mark.mission("M45")
def test_constant_series_has_no_error(strategy: str, value: float) -> None:
    model = NaiveForecaster(strategy, season_length=4).fit(pd.Series(np.full(20, value)))
    assert (model.predict(9) == value).all()
    assert (model.predict_interval(9).to_numpy() == value).all()


@pytest.mark.mission("M45")
def test_seasonal_is_exact_on_a_periodic_series() -> None:
    y = pd.Series(np.tile([3.0, 1.0, 4.0, 1.5, 9.0], 6))
    model = NaiveForecaster("seasonal", season_length=5).fit(y[:23])
    np.testing.assert_array_equal(model.predict(7), y[23:])


def test_drift_is_exact_on_a_line() -> None:
    y = pd.Series(2.0 + 3.0 * np.arange(30))
    np.testing.assert_allclose(NaiveForecaster("drift").fit(y[:20]).predict(10), y[20:])
    band = NaiveForecaster("drift").fit(y[:20]).predict_interval(10)
    np.testing.assert_allclose(band, np.c_[y[20:], y[20:]])  # a line has told of no error
    gaps = y[:20].mask(np.isin(np.arange(20), [4, 5, 18, 19]))
    np.testing.assert_allclose(NaiveForecaster("drift").fit(gaps).predict(10), y[20:])


def test_gaps_are_filled_by_what_was_last_observed() -> None:
    y = pd.Series([1.0, 10.0, 2.0, 20.0, np.nan, 30.0, np.nan, np.nan])
    assert NaiveForecaster().fit(y).predict(2).tolist() == [30.0, 30.0]
    seasonal = NaiveForecaster("seasonal", season_length=2).fit(y)
    assert seasonal.predict(3).tolist() == [2.0, 30.0, 2.0]


def test_seasons_never_observed_repeat_the_last_value() -> None:
    young = NaiveForecaster("seasonal", season_length=4).fit(pd.Series([1.0, 2.0]))
    assert young.predict(5).tolist() == [2.0, 2.0, 1.0, 2.0, 2.0]
    never = pd.Series([1.0, np.nan, 3.0, np.nan])
    seasonal = NaiveForecaster("seasonal", season_length=2).fit(never)
    assert seasonal.predict(4).tolist() == [3.0] * 4


@pytest.mark.parametrize("strategy", ["last", "seasonal", "drift"])
def test_one_value_is_enough(strategy: str) -> None:
    model = NaiveForecaster(strategy, season_length=7).fit(pd.Series([3.0]))
    assert model.predict(3).tolist() == [3.0] * 3
    assert model.sample(3, n_samples=2, random_state=0).to_numpy().tolist() == [[3.0] * 2] * 3


@pytest.mark.parametrize("strategy", ["last", "seasonal", "drift"])
def test_many_series_are_each_forecast_as_alone(strategy: str) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 300)).cumsum(axis=0))
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    model = NaiveForecaster(strategy, season_length=7)
    together = model.fit(frame).predict(10)
    for name in (0, 17, 299):
        alone = model.fit(frame[name]).predict(10)
        np.testing.assert_allclose(together[name], alone, rtol=1e-12)


def test_thousands_of_series_take_no_loop() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3000)))
    start = time.perf_counter()
    NaiveForecaster("seasonal", season_length=7).fit(frame).predict(1000)
    assert time.perf_counter() - start < 3


@pytest.mark.usefixtures("equal_sizes")
def test_paths_of_a_random_walk_spread_like_it() -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=4000).cumsum())
    paths = NaiveForecaster().fit(y).sample(16, n_samples=20_000, random_state=0).to_numpy()
    for k in (1, 4, 16):
        assert paths[k - 1].var() == pytest.approx(k, rel=0.1)
        assert paths[k - 1].mean() == pytest.approx(y.iloc[-1], abs=0.15)


@pytest.mark.usefixtures("equal_sizes")
def test_seasonal_paths_move_season_by_season() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1000, 4)).cumsum(axis=0)
    y = pd.Series(noise.ravel())
    model = NaiveForecaster("seasonal", season_length=4).fit(y)
    paths = model.sample(12, n_samples=20_000, random_state=0).to_numpy()
    assert paths[:4].var(axis=1) == pytest.approx(np.ones(4), rel=0.1)
    assert paths[8:].var(axis=1) == pytest.approx(np.full(4, 3.0), rel=0.1)
    assert abs(np.corrcoef(paths[0], paths[1])[0, 1]) < 0.05
    assert np.corrcoef(paths[0], paths[4])[0, 1] > 0.6


def test_interval_of_a_growing_series_reaches_its_future() -> None:
    y = pd.Series(np.arange(100.0))
    upper = NaiveForecaster().fit(y[:80]).predict_interval(20)["upper"]
    np.testing.assert_allclose(upper, y[80:], rtol=0.02)
    assert (upper >= y[80:]).all()


@pytest.mark.parametrize("strategy", ["last", "seasonal", "drift"])
def test_prefix_and_update(strategy: str) -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=80).cumsum())
    model = NaiveForecaster(strategy, season_length=7).fit(y[:70])
    short, long = (model.sample(h, n_samples=6, random_state=1) for h in (5, 30))
    pd.testing.assert_frame_equal(short, long[:5])
    pd.testing.assert_series_equal(model.predict(5), model.predict(30)[:5])
    grown = model.update(y[70:]).predict(9)
    anew = NaiveForecaster(strategy, season_length=7).fit(y).predict(9)
    pd.testing.assert_series_equal(grown, anew)


def test_unknown_strategy() -> None:
    with pytest.raises(ValueError, match="`strategy` must be one of 'last', 'seasonal', 'drift'"):
        NaiveForecaster("mean").fit(pd.Series([1.0, 2.0]))


def test_errors_over_gaps_are_as_large_as_those_that_are_drawn() -> None:
    y = pd.Series((np.random.default_rng(0).normal(size=80) * np.arange(80)).cumsum())
    y[20] = np.nan
    model = NaiveForecaster().fit(y)
    assert model.residuals_.recent > 1.1
    assert np.abs(model._past().errors).max() == np.abs(model.residuals_.values).max()


def test_past_origins_transform_the_values_once() -> None:
    rng = np.random.default_rng(0)
    y = pd.Series(rng.lognormal(0, 1, 60)).mask(np.arange(60) % 9 == 4)
    logarithm = FunctionTransformer(np.log, np.exp, check_inverse=False)
    model = NaiveForecaster(target_transform=logarithm).fit(y[:50])
    levels = (0.1, 0.5, 0.9)
    at_once = backtest(model, y, 1, n_windows=1, quantiles=levels, refit=False)
    later = NaiveForecaster(target_transform=logarithm).fit(y[:59])
    expected = later.predict_quantiles(1, levels=levels)
    np.testing.assert_allclose(at_once[["q0.1", "q0.5", "q0.9"]], expected, rtol=1e-9)
