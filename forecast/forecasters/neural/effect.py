"""The linear effect of known covariates, taken out of a history and put back into a forecast."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from forecast.data.panel import Panel
from forecast.data.spreads import spread_or_one
from forecast.engine.batches import typical_spreads
from forecast.forecasters.history import series_numbers

PENALTIES = np.logspace(-2, 4, 13)
LAST_PART = 0.25  # of every history judges
# An effect must explain so much of the changes that it was not fitted to.
WORTHWHILE = 0.02


class Effect(NamedTuple):
    """What a covariate adds: beta x in the unit of each series' scale.

    Attributes
    ----------
    coef : array (K,)
        beta, per unit of each covariate.
    center : array (K,)
        The covariates' means: at them there is no effect.
    scale : array (n,)
        The spread of every series.
    """

    coef: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, panel: Panel, X: np.ndarray, season_length: int) -> Self:
        """Regress changes of y on changes of X (N, K) by ridge, all series together.

        Changes over one step, or over a season, whichever foretells more of the last quarter of
        the histories: a level, a trend and a season are then no effect of X. If neither foretells
        anything the effect is zero.

        Hoerl and Kennard, 1970, "Ridge regression": min |dy - dX b|^2 + a |b|^2, with a by
        generalised cross-validation.
        """
        center, scale = X.mean(0), spreads(panel)
        spread = spread_or_one(X.std(0), center, len(X))
        lags = sorted({1, season_length})
        found = [_regress(panel, (X - center) / spread, scale, lag) for lag in lags]
        gain, coef = max(found, key=lambda pair: pair[0])
        return cls(coef / spread * (gain > WORTHWHILE), center, scale)

    def of(self, X: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Return the effect (...) of covariates (..., K) on series with the scales (...)."""
        return (X - self.center) @ self.coef * scale


def spreads(panel: Panel) -> np.ndarray:
    """Return the standard deviation of every series, (n,), 1 for a constant."""
    found = typical_spreads(panel, panel.lengths)
    return np.where(found > 0, found, 1.0)


def _regress(panel: Panel, X: np.ndarray, scale: np.ndarray, lag: int) -> tuple[float, np.ndarray]:
    """Return the share of the last changes that the first ones explain, and the coefficients."""
    # it brings all of scikit-learn's metrics, a fifth of a second for those who have no X
    from sklearn.linear_model import RidgeCV

    series = series_numbers(panel)
    place = np.arange(len(series)) - panel.offsets[series]
    late = place >= (1 - LAST_PART) * panel.lengths[series]
    y = panel.values / scale[series]
    dy, dX = y[lag:] - y[:-lag], X[lag:] - X[:-lag]
    kept = np.isfinite(dy) & np.isfinite(dX).all(1) & (series[lag:] == series[:-lag])
    first, last = kept & ~late[lag:], kept & late[lag:]
    if first.sum() < 3 * (X.shape[1] + 1) or not last.any():
        return 0.0, np.zeros(X.shape[1])
    ridge = RidgeCV(PENALTIES, fit_intercept=True).fit(dX[first], dy[first])
    error, plain = dy[last] - ridge.predict(dX[last]), dy[last] - dy[first].mean()
    gain = 1 - np.square(error).sum() / max(np.square(plain).sum(), 1e-300)
    return float(gain), RidgeCV(PENALTIES, fit_intercept=True).fit(dX[kept], dy[kept]).coef_
