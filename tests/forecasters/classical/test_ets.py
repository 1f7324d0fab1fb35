"""Exponential smoothing: equal to statsmodels, and it survives whatever a series may be."""

from __future__ import annotations

import functools
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from forecast.forecasters.classical.ets import (
    PLAIN,
    PROPORTIONAL,
    SEASONAL,
    ETSForecaster,
    Form,
    _fit_form,
    _parameters,
)
from forecast.forecasters.classical.recursion import Recursion, Smoothing
from forecast.forecasters.residuals import inflation

LATER = functools.partial(pytest.param, marks=pytest.mark.slow)


def seasonal_series(size: int, m: int, *, noise: float = 1.0, seed: int = 0) -> np.ndarray:
    t, rng = np.arange(size), np.random.default_rng(seed)
    return 50 + 0.1 * t + 10 * np.sin(2 * np.pi * t / m) + noise * rng.normal(size=size)


@pytest.mark.parametrize("form", PLAIN + SEASONAL + PROPORTIONAL, ids=str)
def test_recursion_equals_statsmodels(form: Form) -> None:
    y = seasonal_series(80, 4)
    options = {
        "error": form.error,
        "trend": form.trend,
        "damped_trend": form.damped,
        "seasonal": form.seasonal,
        "seasonal_periods": 4 if form.seasonal else None,
    }
    theirs = ETSModel(y, **options, initialization_method="heuristic").fit(
        disp=False, maxiter=100, warn_convergence=False
    )
    ours = _fit_form(y, form, 4)
    start = Smoothing(*(np.asarray(part)[None] for part in ours.smoothing))
    recursion = Recursion(start)
    steps = np.concatenate([recursion.emit(np.zeros(1)) for _ in range(10)])
    np.testing.assert_allclose(steps, theirs.forecast(10), rtol=1e-10)
    # Statsmodels over 83 values with the same parameters, and the recursion over the last three.
    more = np.r_[y, [60.0, 55.0, 52.0]]
    known = {"initial_level": theirs.initial_level}
    if form.trend:
        known["initial_trend"] = theirs.initial_trend
    if form.seasonal:
        known["initial_seasonal"] = theirs.initial_seasonal
    longer = ETSModel(more, **options, initialization_method="known", **known)
    filtered = longer.smooth(theirs.params[: len(longer.param_names)])
    recursion = Recursion(start)
    for value in more[80:]:
        recursion.absorb(np.array([value]), np.array([True]))
    again = Recursion(recursion.smoothing())
    steps = np.concatenate([again.emit(np.zeros(1)) for _ in range(10)])
    # If the season is a factor, statsmodels updates it by the new level, the book by the old.
    tolerance = 5e-3 if form.seasonal == "mul" else 1e-6
    np.testing.assert_allclose(steps, filtered.forecast(10), rtol=tolerance)


@pytest.mark.parametrize("form", PLAIN + SEASONAL + PROPORTIONAL, ids=str)
def test_starting_values_are_fitted_from_the_rough_ones_on(form: Form, monkeypatch: Any) -> None:
    y = seasonal_series(80, 4)
    rough = _fit_form(y, form, 4)
    model = ETSModel(
        y, form.error, form.trend, form.damped, form.seasonal, 4 if form.seasonal else None
    )
    likelihood = model.loglike(_parameters(rough.start, model.param_names))
    k = form.n_parameters(4)
    assert 2 * k * 80 / (80 - k - 1) - 2 * likelihood == pytest.approx(rough.aicc)
    fit, begins = ETSModel.fit, list[Any]()

    def noted(model: Any, begin: Any, **asked: Any) -> Any:
        begins.append(begin)
        return fit(model, begin, **asked)

    monkeypatch.setattr(ETSModel, "fit", noted)
    found = _fit_form(y, form, 4, rough)
    assert (begins[0] is None) == (form.seasonal is None)
    assert found.aicc < rough.aicc
    begin = Smoothing(*(np.asarray(part)[None] for part in found.start))
    recursion, live = Recursion(begin), np.array([True])
    errors = [recursion.absorb(value, live) for value in y[:, None]]
    np.testing.assert_allclose(
        np.ravel(errors) * inflation(80, k), found.errors, rtol=0.02, atol=1e-3
    )


@pytest.mark.filterwarnings("ignore:.*too few values to tell")
@pytest.mark.parametrize("value", [0.0, 5.0, 1e9, 1e-9])
@pytest.mark.parametrize("size", [1, 2, 4, 30])
def test_constant_series(value: float, size: int) -> None:
    model = ETSForecaster(season_length=4).fit(pd.Series(np.full(size, value)))
    np.testing.assert_allclose(model.predict(5), value, rtol=1e-12)
    np.testing.assert_allclose(model.predict_interval(5), value, rtol=1e-12)


@pytest.mark.parametrize("season_length", [LATER(1), 4, LATER(30)])
def test_any_length_from_one_on(season_length: int) -> None:
    rng = np.random.default_rng(0)
    for size in [1, 2, 3, 7, 8, 9, 10, 11, 13, 14, 20, 60]:
        for y in (rng.normal(size=size).cumsum(), np.arange(size), rng.poisson(0.3, size)):
            forecast = ETSForecaster(season_length=season_length).fit(pd.Series(y)).predict(6)
            spread = np.ptp(y) + 1
            assert forecast.between(y.min() - 5 * spread, y.max() + 5 * spread).all()


@pytest.mark.parametrize(("unit", "level"), [(1e9, 0.0), (1e-9, 0.0), (1.0, 1e9)])
def test_size_and_level_do_not_matter(unit: float, level: float) -> None:
    # A noise that no factors fit better: they would change the form with the level.
    y = seasonal_series(120, 12, noise=3) - 60
    plain = ETSForecaster(season_length=12).fit(pd.Series(y)).predict(12)
    moved = ETSForecaster(season_length=12).fit(pd.Series(level + unit * y)).predict(12)
    np.testing.assert_allclose((moved - level) / unit, plain, atol=0.05)


def test_growing_swings_are_followed() -> None:
    t = np.arange(144)
    rng = np.random.default_rng(0)
    swings = 1 + 0.3 * np.sin(2 * np.pi * t / 12)
    y = pd.Series(100 * 1.01**t * swings * np.exp(0.01 * rng.normal(size=144)))
    model = ETSForecaster(season_length=12).fit(y[:120])
    assert model.smoothing_.proportional[0]
    assert np.mean(np.abs(model.predict(24) / y[120:] - 1)) < 0.05


def test_long_seasons_through_stl() -> None:
    y = pd.Series(seasonal_series(1000, 168))
    model = ETSForecaster(season_length=168).fit(y[:832])
    error = np.abs(model.predict(168) - y[832:]).mean()
    assert error < 2
    noise = pd.Series(np.random.default_rng(0).normal(size=500))
    assert np.ptp(ETSForecaster(season_length=168).fit(noise).predict(168)) < 0.5


def test_gaps() -> None:
    y = pd.Series(seasonal_series(120, 12))
    holes = y.mask(np.isin(np.arange(120), [7, 50, 51, 52, 118, 119]))
    model = ETSForecaster(season_length=12)
    whole, gappy = model.fit(y).predict(12), model.fit(holes).predict(12)
    assert np.abs(whole - gappy).max() < 4
    assert len(model.residuals_.values) == 114


def test_update_goes_on_with_the_recursion() -> None:
    y = pd.DataFrame({"A": seasonal_series(100, 4), "B": 20 * seasonal_series(100, 4, seed=1)})
    model = ETSForecaster(season_length=4).fit(y[:90])
    alone = ETSForecaster(season_length=4).fit(y[:90])
    model.update(y[90:])
    for row in range(90, 100):
        alone.update(y[row : row + 1])
    pd.testing.assert_frame_equal(model.predict(6), alone.predict(6))
    missing = ETSForecaster(season_length=4).fit(y[:90]).update(y[90:93].assign(A=np.nan))
    expected = ETSForecaster(season_length=4).fit(y[:90]).predict(6)["A"][3:]
    np.testing.assert_allclose(missing.predict(3)["A"], expected, rtol=1e-12)


def test_update_of_series_that_end_at_different_times() -> None:
    parts = [pd.Series(seasonal_series(40 + k, 4, seed=k), name=k) for k in (1, 2, 3)]
    model = ETSForecaster(season_length=4).fit([part[:40] for part in parts])
    model.update([part[40:] for part in parts])
    for part, forecast in zip(parts, model.predict(5), strict=True):
        alone = ETSForecaster(season_length=4).fit(part[:40]).update(part[40:])
        np.testing.assert_allclose(forecast, alone.predict(5), rtol=1e-12)
        assert forecast.index[0] == len(part)


def test_paths() -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=1000).cumsum())
    model = ETSForecaster(season_length=1).fit(y)
    short, long = (model.sample(h, n_samples=5, random_state=1) for h in (4, 9))
    pd.testing.assert_frame_equal(short, long[:4])
    paths = model.sample(9, n_samples=5000, random_state=0)
    np.testing.assert_allclose(paths.mean(axis=1), model.predict(9), atol=0.6)
    assert paths.iloc[8].var() == pytest.approx(9, rel=0.25)


def test_warnings_are_left_as_they_were() -> None:
    before = list(warnings.filters)
    ETSForecaster(season_length=4).fit(pd.Series(seasonal_series(40, 4)))
    assert warnings.filters == before


# Imports of other libraries change filters for their own warnings, and the environment.
FIRST_FIT = """
import os, warnings
import numpy, pandas, polars, sklearn.base, statsmodels.tsa.exponential_smoothing.ets, forecast
before = list(warnings.filters), dict(os.environ)
forecast.ETSForecaster().fit(pandas.Series(numpy.arange(24.0) % 5)).predict(2)
assert before == (list(warnings.filters), dict(os.environ))
"""


@pytest.mark.slow
def test_the_first_fit_of_a_process_changes_nothing_of_it() -> None:
    subprocess.run([sys.executable, "-c", FIRST_FIT], check=True)


@pytest.mark.parametrize("season_length", [1, 4, 30])
def test_no_line_goes_on_through_zero(season_length: int) -> None:
    rng, t = np.random.default_rng(3), np.arange(70)
    y = np.where(t < 40, 400.0, 400.0 - 11.5 * (t - 39)) + rng.normal(0, 3, 70)
    assert y.min() > 20
    down = ETSForecaster(season_length=season_length, horizon=12).fit(pd.Series(y))
    assert 0.5 * y[-1] < down.predict(12).iloc[-1] < 1.2 * y[-1]
    below = ETSForecaster(season_length=season_length, horizon=12).fit(pd.Series(y - 500))
    assert below.predict(12).iloc[-1] < y[-1] - 500 - 100  # where nothing forbids it, it goes on
