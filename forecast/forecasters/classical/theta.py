"""The Theta method: half the trend, and simple exponential smoothing around it (room 5).

Assimakopoulos and Nikolopoulos, 2000. It is exponential smoothing with a fixed drift of half the
slope of a line through the history: Hyndman and Billah, "Unmasking the Theta method", 2003.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from forecast.forecasters.classical.smoothing import Fitted, SmoothingForecaster, smoothing

if TYPE_CHECKING:
    from statsmodels.tsa.forecasting.theta import ThetaModelResults

# A moving average loses a cycle: with three, every season is still seen twice.
CYCLES = 3


class ThetaForecaster(SmoothingForecaster):
    """Continue half of the trend from a smoothed level: the winner of the M3 competition.

    Every series is fitted on its own, by statsmodels, on its last 1,000 values (10 seasons, if
    that is more). If three seasons or more are seen and a test finds the season, it is taken out
    first, as factors where all values are positive. A series of fewer than 8 values or with no
    variation is smoothed with a fixed gain. Missing values are filled by the last of the same
    season for the fit, and their errors are left out. Paths draw past errors through the recursion.

    `update` runs the recursion over the new values; the parameters stay.

    Parameters
    ----------
    horizon, season_length, freq, target_transform, id_col, time_col, target_col
        As in every forecaster.

    Attributes
    ----------
    smoothing_
        Parameters and states of all series.
    residuals_
        Past errors, in target units or, where the season is a factor, as fractions.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.Series([1.1, 3.2, 2.3, 1.9, 2.8, 2.2, 3.9, 2.6, 3.1, 3.4])
    >>> ThetaForecaster().fit(y).predict(3).round(2).tolist()
    [3.35, 3.43, 3.51]
    """

    def _fit_series(self, values: np.ndarray, season_length: int) -> Fitted:
        m, size = season_length, len(values)
        result = _fit_theta(values, m)
        season = np.asarray(result.forecast_components(m)["seasonal"])  # the next step's first
        factors = result.model.method.startswith("mul") and bool((season != 1).any())
        additive = result.model.method.startswith("add")
        alpha, drift = float(result.params["alpha"]), float(result.params["b0"]) / 2
        aligned = season[np.arange(-size, 0) % m]
        plain = values - aligned if additive else values / aligned
        level, errors = _smooth(plain, alpha, drift)
        if factors:
            errors /= plain - errors
        # In-sample errors are too small by the parameters that were fitted to them.
        k = 3 + m * bool(np.ptp(season))
        return Fitted(
            smoothing(
                level,
                drift,
                season if additive or factors else np.zeros(m),
                (alpha, 0.0, 0.0),
                proportional=factors,
            ),
            errors * math.sqrt(size / max(size - k, 1)),
        )


def _smooth(values: np.ndarray, alpha: float, drift: float) -> tuple[float, np.ndarray]:
    """Return the last level and all errors of simple smoothing with drift; the first error is 0."""
    level, errors = values[0] - drift, np.empty(len(values))
    for t, value in enumerate(values):
        errors[t] = value - level - drift
        level += drift + alpha * errors[t]
    return level, errors


def _fit_theta(values: np.ndarray, m: int) -> ThetaModelResults:
    from statsmodels.tools.sm_exceptions import ConvergenceWarning
    from statsmodels.tsa.forecasting.theta import ThetaModel

    model = ThetaModel(values, period=m, deseasonalize=m > 1 and len(values) >= CYCLES * m)
    with warnings.catch_warnings():  # one parameter between bounds: it stops close enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit()
