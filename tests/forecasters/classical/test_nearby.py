"""Forecasts of models that are a little off, against the filter of statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import ARIMAForecaster
from forecast.forecasters.classical.nearby import Nearby
from forecast.forecasters.classical.statespace import Fit, filter_series


def forecast(fit: Fit, row: tuple[float, ...], y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the forecast with these parameters, standardised, and what an error does to it."""
    moved = fit._replace(params=(*row, fit.params[-1]))
    motion, _ = filter_series(moved, y, None)
    Z = moved.regressors(motion.time + np.arange(24), None)
    steps = motion.respond(24)
    return steps[:, 0] / fit.spread + Z @ np.array(row[: Z.shape[1]]), steps[:, 1]


@pytest.mark.parametrize("order", [(1, 0, 1), (1, 1, 1), (0, 1, 1)])
@pytest.mark.parametrize("m", [1, 4])
def test_they_are_as_far_off_as_the_filter_says(order: tuple[int, int, int], m: int) -> None:
    y = np.random.default_rng(0).normal(size=300).cumsum() + 5 * np.sin(np.arange(300) * np.pi / 2)
    seasonal = (1, 1, 0) if m > 1 else None
    model = ARIMAForecaster(season_length=m, order=order, seasonal_order=seasonal)
    (fit,) = model.fit(pd.Series(y)).fits_[0]
    assert len(fit.doubt) == 2 * (len(fit.params) - 1)
    nearby = Nearby.after(fit, y, None)
    off, louder = nearby.spread(fit, fit.regressors(300 + np.arange(24), None))
    theirs = [forecast(fit, row, y) for row in fit.doubt]
    for found, part in ((off, 0), (louder, 1)):
        values = np.stack([pair[part] for pair in theirs])
        expected = (values[1::2] - values[::2]).T / 2
        np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.01 * np.abs(expected).max())


def test_what_is_certain_is_not_off() -> None:
    (fit,) = ARIMAForecaster(season_length=1, order=(0, 1, 0)).fit(pd.Series([5.0] * 30)).fits_[0]
    off, louder = Nearby.after(fit, np.full(30, 5.0), None).spread(fit, np.zeros((4, 0)))
    assert off.shape == louder.shape == (4, 0)
