"""What a short history leaves open of a recursion, against least squares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import ETSForecaster, ThetaForecaster
from forecast.forecasters.classical.doubt import doubts
from forecast.forecasters.classical.recursion import Smoothing, learned, smoothing

SIZE = 40
NOISE = np.random.default_rng(0).normal(size=SIZE)


def line(values: np.ndarray) -> tuple[Smoothing, np.ndarray]:
    """Return the line of least squares without gains, and its covariance at the end."""
    columns = np.column_stack([np.ones(SIZE), np.arange(SIZE) - (SIZE - 1)])
    (level, slope), squares, *_ = np.linalg.lstsq(columns, values, rcond=None)
    start = smoothing(level - slope * SIZE, slope, np.zeros(1), (0.0, 0.0, 0.0))
    return start, squares[0] / (SIZE - 2) * np.linalg.inv(columns.T @ columns)


def test_a_line_is_in_doubt_as_least_squares_says() -> None:
    values = 3.0 + 0.5 * np.arange(SIZE) + NOISE
    start, covariance = line(values)
    told = learned(1, trend=True, season=False)
    told[3] = False  # the gain
    found = doubts([start], [told], [values])[0]
    np.testing.assert_allclose((found @ found.T)[:2, :2], covariance, rtol=0.02)
    assert not found[2:].any()


def test_a_season_is_known_from_its_cycles() -> None:
    values = np.tile([4.0, 1.0, 3.0, 0.0], SIZE // 4) + NOISE
    season = values.reshape(-1, 4).mean(0)
    start = smoothing(0.0, 0.0, season, (0.0, 0.0, 0.0))
    told = np.arange(10) >= 6
    found = doubts([start], [told], [values])[0]
    error = np.std(values - np.tile(season, SIZE // 4), ddof=0) * np.sqrt(SIZE / (SIZE - 4))
    np.testing.assert_allclose(
        np.sqrt((found[6:] ** 2).sum(1)), error / np.sqrt(SIZE / 4), rtol=0.02
    )


@pytest.mark.parametrize("values", [np.full(9, 3.0), np.arange(9.0)])
def test_what_is_forecast_without_error_is_certain(values: np.ndarray) -> None:
    step = values[1] - values[0]
    start = smoothing(values[0] - step, step, np.zeros(1), (0.5, 0.0, 0.0))
    assert not doubts([start], [learned(1, trend=True, season=False)], [values]).any()


def test_the_last_values_tell_nothing_of_where_a_fast_level_began() -> None:
    start = smoothing(NOISE[0], 0.0, np.zeros(1), (0.9, 0.0, 0.0))
    (found,) = doubts([start], [learned(1, trend=False, season=False)], [NOISE])
    assert np.abs(found[0]).max() < 0.2 * NOISE.std()  # the level is the last values
    assert 0.05 < np.linalg.norm(found[3]) < 0.3  # the gain


def test_doubts_of_many_series_are_those_of_each() -> None:
    told = [learned(1, trend=trend, season=False) for trend in (True, False, True)]
    parts = [NOISE, NOISE[:15], 5 + 3 * NOISE[::-1][:25]]
    starts = [smoothing(part[0], 0.1, np.zeros(1), (0.4, 0.0, 0.0)) for part in parts]
    found = doubts(starts, told, parts)
    assert found.shape == (3, 7, 3) and not found[1, :, 2].any()
    for i, size in enumerate((3, 2, 3)):
        alone = doubts(starts[i : i + 1], told[i : i + 1], parts[i : i + 1])
        np.testing.assert_allclose(found[i : i + 1, :, :size], alone, rtol=1e-12)


def test_paths_begin_apart_and_the_forecast_stays() -> None:
    model = ETSForecaster(season_length=1).fit(pd.Series(3.0 + 0.5 * np.arange(SIZE) + NOISE))
    point, wide = model.predict(12), model.predict_interval(12)
    model.doubt_ = np.zeros_like(model.doubt_)
    pd.testing.assert_series_equal(model.predict(12), point)
    narrow = model.predict_interval(12)
    share = (wide["upper"] - wide["lower"]) / (narrow["upper"] - narrow["lower"])
    assert 1.05 < share.iloc[-1] < 1.5


@pytest.mark.parametrize("forecaster", [ETSForecaster, ThetaForecaster])
def test_bands_of_a_series_do_not_depend_on_what_is_in_doubt_beside_it(forecaster: Any) -> None:
    season = 10 * np.sin(np.arange(SIZE) * 2 * np.pi / 12)
    wide = pd.DataFrame({"plain": NOISE.cumsum(), "seasonal": 20 + season + NOISE})
    model = forecaster(season_length=12)
    beside = model.fit(wide).predict_quantiles(3)["plain"]
    alone = model.fit(wide["plain"]).predict_quantiles(3)
    np.testing.assert_allclose(beside, alone, rtol=1e-9)
