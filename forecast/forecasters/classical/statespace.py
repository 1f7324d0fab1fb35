"""A fitted ARIMA, where it stands in a series, and how an error goes on.

Durbin and Koopman, "Time Series Analysis by State Space Methods", 2012.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from forecast.forecasters.classical.stationarity import difference
from forecast.forecasters.history import SHORT

Triple = tuple[int, int, int]


class Fit(NamedTuple):
    """What was learned from one series; numbers only, so that it can be saved.

    Attributes
    ----------
    order, seasonal_order
        (p, d, q) and (P, D, Q).
    season_length
        Steps per season.
    constant
        Whether the level (d + D = 0) or the slope (d + D = 1) has a coefficient.
    harmonics
        Number of pairs of sines and cosines.
    params
        Of the standardised values, in the order of statsmodels: of the regressors (constant, X,
        sines and cosines), then p, q, P, Q and the variance.
    centre, spread
        What the values were standardised with.
    X_centre, X_spread
        What X was standardised with.
    aicc
        Of the standardised and differenced values.
    inflation
        In-sample errors are too small by this factor, for the parameters that were fitted to them.
    start
        Place in the series of the first value that was read.
    weight
        Of this model among those of the series.
    doubt
        Rows of the first of `params`, all but the variance, which are one standard deviation off:
        down and up along each axis in which they are in doubt.
    """

    order: Triple
    seasonal_order: Triple
    season_length: int
    constant: bool
    harmonics: int
    params: tuple[float, ...]
    centre: float
    spread: float
    X_centre: tuple[float, ...]
    X_spread: tuple[float, ...]
    aicc: float = math.inf
    inflation: float = 1.0
    start: int = 0
    weight: float = 1.0
    doubt: tuple[tuple[float, ...], ...] = ()

    @property
    def reach(self) -> int:
        """How many values differencing takes."""
        return self.order[1] + self.seasonal_order[1] * self.season_length

    def difference(self, columns: np.ndarray) -> np.ndarray:
        """Difference along the first axis, as often as the orders say."""
        return difference(columns, self.order[1], self.seasonal_order[1], self.season_length)

    def regressors(self, time: np.ndarray, X: np.ndarray | None) -> np.ndarray:
        """Return the regressors at these times, counted from `start`: (T, K)."""
        integrated = self.order[1] + self.seasonal_order[1]
        columns = [time[:, None].astype(np.float64) ** integrated] if self.constant else []
        if X is not None:
            spread = np.array(self.X_spread)
            columns.append((X - np.array(self.X_centre)) / np.where(spread > 0, spread, 1.0))
        angles = 2 * np.pi / self.season_length * np.outer(time, np.arange(1, self.harmonics + 1))
        columns.append(np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(time), -1))
        return np.concatenate(columns, axis=1)

    def model(self, values: np.ndarray) -> Any:
        """Return statsmodels' ARIMA, for what the regressors leave of the standardised values."""
        from statsmodels.tsa.statespace.sarimax import SARIMAX

        seasonal = (*self.seasonal_order, self.season_length) if any(self.seasonal_order) else None
        return SARIMAX(values, order=self.order, seasonal_order=seasonal or (0, 0, 0, 0))


class Motion(NamedTuple):
    """Where one series stands: y = design @ state, state = transition @ (state + impulse * error).

    Attributes
    ----------
    state
        (k,), of the next step, without its error; in target units.
    doubt
        (k, r), what missing values leave open: the state is off by doubt @ normals.
    """

    transition: np.ndarray  # (k, k)
    design: np.ndarray  # (k,)
    impulse: np.ndarray  # (k,)
    state: np.ndarray
    doubt: np.ndarray
    time: int  # of the next step, counted from the start of the fit

    def respond(self, horizon: int) -> np.ndarray:
        """Return the forecast, and what an error and each doubt do to it: (H, 2 + r)."""
        now = np.column_stack([self.state, self.impulse, self.doubt])
        steps = np.empty((horizon, now.shape[1]))
        for step in range(horizon):
            steps[step] = self.design @ now
            now = self.transition @ now
        return steps


def filter_series(fit: Fit, values: np.ndarray, X: np.ndarray | None) -> tuple[Motion, np.ndarray]:
    """Run the Kalman filter of statsmodels over one series.

    Parameters
    ----------
    fit
        What was learned from it.
    values
        (T,) float64, from `fit.start` on; NaN is missing.
    X
        (T, K) float64, or None.

    Returns
    -------
    Where the series stands, and its past one-step errors (T,) in target units, NaN where a value
    is missing or nothing was known of it.
    """
    from statsmodels.tsa.statespace.kalman_filter import MEMORY_CONSERVE, MEMORY_NO_FORECAST_COV

    Z = fit.regressors(np.arange(len(values)), X)
    explained, params = np.split(np.array(fit.params), [Z.shape[1]])
    model = fit.model((values - fit.centre) / (fit.spread or 1.0) - Z @ explained)
    # The matrices of every step, of which only the last are asked for, take most of the time.
    model.ssm.set_conserve_memory(MEMORY_CONSERVE & ~MEMORY_NO_FORECAST_COV)
    found = model.filter(params, return_ssm=True)
    impulse, variance = found.selection[:, 0, -1], params[-1]
    expected = found.forecasts_error_cov[0, 0]
    # The states of differences start with a variance of 1e6: errors before they are known say
    # nothing.
    told = np.isfinite(values) & (0 < expected) & (expected < 1e3)
    errors = np.full(len(values), math.nan)
    errors[told] = found.forecasts_error[0, told] * np.sqrt(variance / expected[told])
    if told.sum() > SHORT:  # or paths would follow a trend that the forecast has not
        errors -= errors[told].mean()
    unsure = found.predicted_state_cov[:, :, -1] - variance * np.outer(impulse, impulse)
    size, direction = np.linalg.eigh((unsure + unsure.T) / 2)
    kept = size > 1e-6 * variance
    motion = Motion(
        transition=found.transition[:, :, -1].copy(),
        design=found.design[0, :, -1].copy(),
        impulse=impulse.copy(),
        state=fit.spread * found.predicted_state[:, -1],
        doubt=fit.spread * direction[:, kept] * np.sqrt(size[kept]),
        time=len(values),
    )
    return motion, fit.spread * fit.inflation * errors
