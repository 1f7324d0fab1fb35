"""The recursion that ETS and Theta share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import ETSForecaster, ThetaForecaster
from forecast.forecasters.classical.recursion import Recursion, Smoothing, smoothing
from forecast.forecasters.classical.smoothing import Fitted, SmoothingForecaster
from forecast.forecasters.residuals import inflation


def stacked(*series: Smoothing) -> Smoothing:
    return Smoothing(*map(np.stack, zip(*series, strict=True)))


ADDITIVE = smoothing(10.0, 2.0, np.array([1.0, -1.0]), (0.5, 0.25, 0.125), damping=0.5)
FACTORS = smoothing(10.0, 0.0, np.array([1.5, 0.5]), (0.5, 0.0, 0.5), proportional=True)


def test_forecasts_by_hand() -> None:
    recursion = Recursion(stacked(ADDITIVE, FACTORS))
    steps = np.stack([recursion.emit(np.zeros(2)) for _ in range(3)], axis=1)
    assert steps.tolist() == [[12.0, 10.5, 12.75], [15.0, 5.0, 15.0]]


def test_an_error_moves_level_trend_and_season() -> None:
    recursion = Recursion(stacked(ADDITIVE, FACTORS))
    recursion.absorb(np.array([16.0, 18.0]), np.ones(2, dtype=bool))
    now = recursion.smoothing()
    np.testing.assert_allclose(now.level, [11 + 0.5 * 4, 10 * (1 + 0.5 * 0.2)])
    np.testing.assert_allclose(now.trend, [1 + 0.25 * 4, 0])
    np.testing.assert_allclose(now.season, [[-1, 1 + 0.125 * 4], [0.5, 1.5 * (1 + 0.5 * 0.2)]])


def test_a_missing_value_counts_as_expected_and_a_waiting_series_stays() -> None:
    both = stacked(ADDITIVE, ADDITIVE)
    recursion = Recursion(both)
    recursion.absorb(np.array([np.nan, 5.0]), np.array([True, False]))
    now = recursion.smoothing()
    assert (now.level[0], now.trend[0], now.season[0].tolist()) == (11.0, 1.0, [-1.0, 1.0])
    assert (now.level[1], now.season[1].tolist()) == (10.0, [1.0, -1.0])


class Flat(SmoothingForecaster):
    """Keeps the mean of what it was given."""

    def _fit_series(self, values: np.ndarray, season_length: int) -> Fitted:
        fitted = smoothing(len(values), 0.0, np.zeros(season_length), (0.0, 0.0, 0.0))
        return Fitted(fitted, values - values.mean(), fitted, np.zeros(6 + season_length, bool))


@pytest.mark.usefixtures("equal_sizes")
def test_a_child_is_asked_about_recent_values_of_series_that_have_features() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"long": rng.normal(size=1500), "flat": 3.0})
    assert Flat(season_length=4).fit(frame).predict(1).iloc[0].tolist() == [1000.0, 3.0]
    assert Flat(season_length=120).fit(frame).predict(1).iloc[0, 0] == 1200
    short = Flat(season_length=1).fit(pd.Series([1.5, 2.5, 4.5]))
    assert short.predict(2).tolist() == [3.25, 3.25]
    assert short.residuals_.values.tolist() == pytest.approx(
        [1.0 * inflation(3, 1), 2.5 * inflation(3, 1)]
    )


def test_errors_of_missing_values_are_left_out() -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=40)).mask(np.arange(40) % 4 == 2)
    assert len(Flat(season_length=1).fit(y).residuals_.values) == 30


@pytest.mark.filterwarnings("ignore::forecast.ForecastWarning")
@pytest.mark.parametrize("model", [ETSForecaster(horizon=3), ThetaForecaster(horizon=3)])
def test_a_value_and_gaps_after_it_are_forecast_by_this_value(model: SmoothingForecaster) -> None:
    quantiles = model.fit(pd.Series([29.5, *[np.nan] * 17])).predict_quantiles()
    assert (quantiles == 29.5).all(axis=None)


@pytest.mark.parametrize("model", [ETSForecaster(horizon=7), ThetaForecaster(horizon=7)])
def test_seasons_that_nobody_saw_teach_nothing(model: SmoothingForecaster) -> None:
    """A week that fills half a year would be the season: forecasts were 34 times the largest."""
    rng = np.random.default_rng(372)
    before, after = rng.random(20), rng.random(5)
    short, long = (
        pd.Series(np.r_[before, [np.nan] * gap, after], pd.RangeIndex(25 + gap))
        for gap in (11, 200)
    )
    one, other = (model.set_params(season_length=7).fit(y).predict().array for y in (short, long))
    np.testing.assert_array_equal(one, other)
    assert max(other) < 2
