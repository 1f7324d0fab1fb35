"""ARIMA: equal to statsmodels, finds what was planted, and at ease with any series."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from statsmodels.tsa.arima.model import ARIMA

from forecast import load
from forecast.forecasters.classical.arima import ARIMAForecaster

LATER = functools.partial(pytest.param, marks=pytest.mark.slow)


def arma(ar: list[float], ma: list[float], size: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=size + 100)
    return lfilter([1, *ma], [1, *(-a for a in ar)], noise)[100:]


def airline(size: int, m: int = 12, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=size)
    seasonal_ma = np.r_[1, np.zeros(m - 1), -0.6]
    changes = lfilter(np.convolve([1, -0.4], seasonal_ma), [1.0], noise)
    changes[:m] += 5 * np.sin(2 * np.pi * np.arange(m) / m)
    return lfilter([1.0], np.convolve([1, -1], np.r_[1, np.zeros(m - 1), -1]), changes)


def by_hand(model: ARIMAForecaster, y: np.ndarray, horizon: int, **X: Any) -> np.ndarray:
    """Return the mean of forecasts by statsmodels with the same orders, parameters, weights."""
    exog, known = X.get("past"), X.get("future")
    forecast = np.zeros(horizon)
    for fit in model.fits_[0]:
        season = (*fit.seasonal_order, fit.season_length) if any(fit.seasonal_order) else None
        trend = "nct"[(1 + fit.order[1] + fit.seasonal_order[1]) * fit.constant]
        theirs = ARIMA(
            (y - fit.centre) / fit.spread, exog, order=fit.order,
            seasonal_order=season or (0, 0, 0, 0), trend=trend,
        ).filter(np.array(fit.params))  # fmt: skip
        one = fit.centre + fit.spread * theirs.forecast(horizon, exog=known)
        forecast += fit.weight * one
    return forecast


GAPS = np.where(np.isin(np.arange(120), [5, 40, 41, 90]), np.nan, 0.0)


@pytest.mark.parametrize(
    ("y", "m", "options"),
    [
        (arma([0.7], [], 80), 1, {}),
        (arma([1.2, -0.5], [0.4], 200), 1, {}),
        (arma([0.5], [], 120).cumsum(), 1, {"order": (1, 1, 1)}),
        (arma([0.5], [], 120).cumsum() + 0.5 * np.arange(120), 1, {"order": (0, 1, 1)}),
        (arma([0.5], [], 120).cumsum() + GAPS, 1, {"order": (1, 1, 0)}),
        (arma([0.2], [], 90).cumsum().cumsum(), 1, {"order": (0, 2, 2)}),
        (airline(120), 12, {}),
        (airline(120) + GAPS, 12, {}),
        (airline(100, 4), 4, {"order": (1, 0, 1), "seasonal_order": (1, 1, 0)}),
        (1e4 + 100 * airline(120), 12, {"order": (0, 1, 1), "seasonal_order": (0, 1, 1)}),
    ],
)
def test_forecasts_are_those_of_statsmodels(y: np.ndarray, m: int, options: Any) -> None:
    model = ARIMAForecaster(season_length=m, **options).fit(pd.Series(y))
    np.testing.assert_allclose(model.predict(30), by_hand(model, y, 30), rtol=1e-8)


def test_covariates_and_waves_are_the_regressors_of_statsmodels() -> None:
    t, rng = np.arange(430), np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(3, 2, size=(430, 2)), columns=["a", "b"])
    y = 10 * np.sin(2 * np.pi * t / 50) + X @ [2.0, -1.0] + arma([0.7], [], 430)
    model = ARIMAForecaster(season_length=50).fit(y[:400], X[:400])
    fit = model.fits_[0][0]
    Z = fit.regressors(t, X.to_numpy())[:, int(fit.constant) :]
    theirs = by_hand(model, y[:400].to_numpy(), 30, past=Z[:400], future=Z[400:])
    np.testing.assert_allclose(model.predict(30, X), theirs, rtol=1e-8)
    assert fit.harmonics in (1, 2) and Z.shape[1] == 2 + 2 * fit.harmonics


def test_planted_orders_and_parameters_are_found() -> None:
    fit = ARIMAForecaster(season_length=1).fit(pd.Series(arma([1.2, -0.5], [], 1000))).fits_[0][0]
    assert fit.order == (2, 0, 0)
    np.testing.assert_allclose(fit.params[1:3], [1.2, -0.5], atol=0.08)
    fit = ARIMAForecaster(season_length=12).fit(pd.Series(airline(600))).fits_[0][0]
    assert (fit.order, fit.seasonal_order) == ((0, 1, 1), (0, 1, 1))
    np.testing.assert_allclose(fit.params[-3:-1], [-0.4, -0.6], atol=0.08)
    assert fit.params[-1] * fit.spread**2 == pytest.approx(1, rel=0.15)


def test_a_trend_is_continued() -> None:
    y = pd.Series(0.5 * np.arange(80) + arma([0.5], [], 80))
    np.testing.assert_allclose(ARIMAForecaster().fit(y).predict(10), np.arange(40, 45, 0.5), atol=2)


@pytest.mark.usefixtures("equal_sizes")
def test_noise_around_a_line_is_no_walk_with_a_slope() -> None:
    noise, line = np.random.default_rng(0).normal(size=(200, 4)), 0.2 * np.arange(212)[:, None]
    model = ARIMAForecaster().fit(pd.DataFrame(line[:200] + noise))
    bounds = model.predict_quantiles(12, levels=(0.1, 0.9)).to_numpy().reshape(12, 4, 2)
    assert np.abs(bounds.mean(2) - line[200:]).mean() < 0.3
    assert np.diff(bounds[-1]) == pytest.approx(2.56, abs=0.5)  # of noise around a known line


@pytest.mark.slow
def test_a_long_season_is_found_in_waves() -> None:
    t = np.arange(1168)
    season = 10 * np.sin(2 * np.pi * t / 168) + 5 * np.cos(2 * np.pi * t / 24)
    y = pd.Series(season + arma([0.6], [], 1168))
    model = ARIMAForecaster(season_length=168).fit(y[:1000])
    assert 7 <= model.fits_[0][0].harmonics <= 10
    assert np.abs(model.predict(168) - y[1000:]).mean() < 1.2
    noise = ARIMAForecaster(season_length=168).fit(pd.Series(arma([0.6], [], 1000)))
    assert noise.fits_[0][0].harmonics <= 1


def test_the_response_to_covariates_is_found() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"plan": rng.normal(size=420)})
    y = pd.Series(0.5 * X["plan"] + arma([0.9], [], 420) * 0.2)
    model = ARIMAForecaster(season_length=1).fit(y[:400], X[:400])
    other = X.assign(plan=X["plan"] + 2.0)
    np.testing.assert_allclose(model.predict(20, other) - model.predict(20, X), 1.0, rtol=0.05)


def test_update_filters_what_came() -> None:
    y = airline(150)
    model = ARIMAForecaster(season_length=12).fit(pd.Series(y[:120]))
    fits = model.fits_
    model.update(pd.Series(y[120:], range(120, 150)))
    assert model.fits_ is fits
    np.testing.assert_allclose(model.predict(24), by_hand(model, y, 24), rtol=1e-8)


def test_paths_have_the_spread_that_statsmodels_gives() -> None:
    y = arma([0.8], [0.3], 500).cumsum()
    y[[200, 498, 499]] = np.nan  # the last values are not known: even the first step is unsure
    model = ARIMAForecaster(season_length=1, order=(1, 1, 1)).fit(pd.Series(y))
    fit = model.fits_[0][0]
    theirs = ARIMA((y - fit.centre) / fit.spread, order=fit.order, trend="t").filter(fit.params)
    expected = fit.spread * theirs.get_forecast(10).se_mean
    model.nearby_ = [[model.nearby_[0][0]._replace(rows=[])]]  # which statsmodels takes for known
    paths = model.sample(10, n_samples=20_000, random_state=0)
    np.testing.assert_allclose(paths.std(axis=1), expected, rtol=0.05)
    np.testing.assert_allclose(paths.mean(axis=1), model.predict(10), atol=0.05 * expected[-1])


@pytest.mark.slow
def test_intervals_cover_what_they_claim() -> None:
    series = {k: arma([0.8], [0.3], 210, seed=k) for k in range(100)}
    y = pd.DataFrame(series)
    model = ARIMAForecaster(season_length=1).fit(y[:200])
    bounds = model.predict_quantiles(10, levels=(0.1, 0.9))
    inside = [y[k][200:].between(bounds[k][0.1], bounds[k][0.9]).mean() for k in series]
    assert 0.72 < np.mean(inside) < 0.86


@pytest.mark.filterwarnings("ignore:.*too few values to tell")
@pytest.mark.parametrize("value", [0.0, 5.0, 1e9, 1e-9])
@pytest.mark.parametrize("size", [1, 2, 4, 30])
def test_constant_series(value: float, size: int) -> None:
    y = pd.Series(np.full(size, value))
    if size > 4:
        y[[3, size - 1]] = np.nan
    model = ARIMAForecaster(season_length=4).fit(y)
    np.testing.assert_allclose(model.predict(5), value, rtol=1e-12)
    np.testing.assert_allclose(model.predict_interval(5), value, rtol=1e-12)


@pytest.mark.parametrize("season_length", [LATER(1), 4, LATER(30)])
def test_any_length_from_one_on(season_length: int) -> None:
    rng = np.random.default_rng(0)
    for size in [1, 2, 7, 8, 9, 12, 20, 68]:
        for y in (rng.normal(size=size).cumsum(), np.arange(size), rng.poisson(0.3, size)):
            forecast = ARIMAForecaster(season_length=season_length).fit(pd.Series(y)).predict(6)
            spread = np.ptp(y) + 1
            assert forecast.between(y.min() - 3 * spread, y.max() + 3 * spread).all()


@pytest.mark.parametrize("size", [1, 7, 8, 12, 20, 40])
def test_orders_asked_for_of_any_length(size: int) -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=size))
    options = {"order": (3, 2, 2), "seasonal_order": (1, 1, 1), "season_length": 6}
    model = ARIMAForecaster(**options).fit(y)
    assert np.isfinite(model.predict(9)).all()
    kept = model.fits_[0][0].order == (3, 2, 2)
    assert kept == (size >= 20)


def test_a_noise_free_cycle_goes_on() -> None:
    y = pd.Series(np.tile([1.0, 5.0, 3.0, 2.0], 8))
    forecast = ARIMAForecaster(season_length=4).fit(y).predict(6)
    np.testing.assert_allclose(forecast, [1, 5, 3, 2, 1, 5], rtol=1e-6)


@pytest.mark.parametrize("name", ["order", "seasonal_order"])
@pytest.mark.parametrize("value", [(1, 0), 3, (1, -1, 0), (1, 0.5, 0)])
def test_other_orders_are_refused_in_words(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be None or three whole numbers"):
        ARIMAForecaster(**{name: value}).fit(pd.Series(range(20)))


def test_plain_lags_stay_below_the_season() -> None:
    e = np.random.default_rng(0).standard_normal(300)
    seasonal = np.convolve([1, -0.4, 0, 0.3, -0.35, 0], [1, 0, 0, 0, -0.5])
    y = pd.Series(lfilter([1], seasonal, e)[100:])
    model = ARIMAForecaster(season_length=4).fit(y)
    assert max(model.fits_[0][0].order) < 4 and np.isfinite(model.predict(8)).all()
    long = ARIMAForecaster(order=(5, 0, 0), season_length=4).fit(y)
    assert long.fits_[0][0].seasonal_order[0] == 0
    with pytest.raises(ValueError, match="`order` must have p and q below the season of 4"):
        ARIMAForecaster(order=(5, 0, 0), seasonal_order=(1, 0, 0), season_length=4).fit(y)


def test_models_with_and_without_a_difference_are_averaged_by_what_they_explain() -> None:
    walk, noise = arma([], [], 60).cumsum(), arma([0.5], [], 150)
    for y, d in ((walk, 1), (noise, 0)):
        (fits,) = ARIMAForecaster(season_length=1).fit(pd.Series(y)).fits_
        weights = [fit.weight for fit in fits]
        assert fits[0].order[1] == d and weights[0] > 0.6 and sum(weights) == pytest.approx(1)


@pytest.mark.usefixtures("equal_sizes")
def test_bands_of_a_short_walk_know_that_its_slope_is_in_doubt() -> None:
    y = pd.Series(arma([], [], 40).cumsum())
    model = ARIMAForecaster(season_length=1, order=(0, 1, 0)).fit(y)
    wide = model.sample(20, n_samples=20_000, random_state=0).std(axis=1)
    model.nearby_ = [[model.nearby_[0][0]._replace(rows=[])]]
    narrow = model.sample(20, n_samples=20_000, random_state=0).std(axis=1)
    # the variance j s^2 becomes j s^2 + j^2 s^2 / 39
    np.testing.assert_allclose(wide / narrow, np.sqrt(1 + np.arange(1, 21) / 39), rtol=0.03)


@pytest.mark.filterwarnings("ignore:covariate 'event' is the target")
def test_a_history_that_a_covariate_tells_whole_leaves_nothing_open() -> None:
    y = pd.Series(np.r_[np.zeros(63), 1.0])
    X = pd.DataFrame({"event": np.r_[y, 0.0, 1.0]})
    model = ARIMAForecaster(horizon=2).fit(y, X[:64])
    np.testing.assert_allclose(model.predict(2, X[64:]), [0, 1], atol=1e-6)


def test_files_that_tell_no_doubt_are_forecast_without(tmp_path: Any) -> None:
    """Older ones hold no models beside the best, of series without differences too."""
    y = pd.Series(np.random.default_rng(0).normal(size=60))
    model = ARIMAForecaster(horizon=4, order=(1, 0, 0)).fit(y)
    model.fits_ = [[fit._replace(doubt=()) for fit in fits] for fits in model.fits_]
    model.save(tmp_path / "m.model")
    again = load(tmp_path / "m.model")
    pd.testing.assert_series_equal(again.predict(), model.predict())


@pytest.mark.parametrize("part", ["row", "number"])
def test_a_file_in_which_a_part_of_the_doubt_is_missing_is_refused(
    part: str, tmp_path: Any
) -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=40).cumsum())
    model = ARIMAForecaster(order=(1, 1, 0)).fit(y)
    [[fit]] = model.fits_
    assert len(fit.doubt) == 4
    doubt = fit.doubt[:-1] if part == "row" else tuple(row[:-1] for row in fit.doubt)
    model.fits_ = [[fit._replace(doubt=doubt)]]
    model.save(tmp_path / "a.model")
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path / "a.model")
