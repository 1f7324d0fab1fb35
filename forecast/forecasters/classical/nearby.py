"""What a history leaves open of the coefficients of an ARIMA: models that do nearly as well."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from forecast.forecasters.classical.arma import Orders, all_lags
from forecast.forecasters.classical.statespace import Fit


class Nearby(NamedTuple):
    """Where models stand that are one standard deviation off, down and up along each axis.

    Attributes
    ----------
    behind
        (reach, K), the regressors of the newest values, as many as differencing takes.
    rows
        Of each model: what multiplies the differenced regressors (K,), the polynomials of past
        errors and of past values, and the state of the filter that they are.
    """

    behind: np.ndarray
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]

    @classmethod
    def after(cls, fit: Fit, values: np.ndarray, X: np.ndarray | None) -> Nearby:
        """Read the history of a fit, (T,) without gaps, from errors of zero before it on."""
        Z = fit.regressors(np.arange(len(values)), X)
        y, columns = fit.difference((values - fit.centre) / (fit.spread or 1.0)), fit.difference(Z)
        rows = []
        for row in fit.doubt:
            beta, coefficients = np.split(np.array(row), [Z.shape[1]])
            ar, ma = all_lags(coefficients, _orders(fit), fit.season_length)
            past = np.r_[1.0, -ar, 0.0]
            missed = np.r_[1.0, ma, 0.0]
            errors = lfilter(past, missed, y - columns @ beta)
            order = max(len(past), len(missed)) - 1
            rows.append((beta, missed, past, lfilter(missed, past, errors, zi=np.zeros(order))[1]))
        return cls(Z[len(Z) - fit.reach :], rows)

    def spread(self, fit: Fit, regressors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how far off forecasts, and what an error of one adds later, may be, (H, r) each.

        `regressors` are the future ones, (H, K); forecasts are those of standardised values.
        """
        horizon = len(regressors)
        if not self.rows:  # nothing is left open, or it was not asked
            return np.zeros((horizon, 0)), np.zeros((horizon, 0))
        columns = fit.difference(np.concatenate([self.behind, regressors]))
        sums = fit.difference(np.r_[np.zeros(fit.reach), 1.0, np.zeros(fit.reach)])
        none, one = np.zeros(horizon), np.r_[1.0, np.zeros(horizon - 1)]
        ahead = np.zeros((len(self.rows), horizon, 2))
        for k, (beta, missed, past, state) in enumerate(self.rows):
            plain = lfilter(missed, past, none, zi=state)[0] + columns @ beta
            ahead[k] = np.column_stack([plain, lfilter(missed, past, one)])
        ahead = lfilter([1.0], sums, ahead, axis=1)
        points, echoes = (ahead[1::2] - ahead[::2]).transpose(2, 1, 0) / 2
        return points, echoes


def _orders(fit: Fit) -> Orders:
    return Orders(fit.order[0], fit.order[2], fit.seasonal_order[0], fit.seasonal_order[2])
