"""ARIMA with regressors: orders by tests and AICc, forecasts by the Kalman filter.

Box and Jenkins, 1970. The steps are those of Hyndman and Khandakar, "Automatic Time Series
Forecasting", 2008; the filter is that of statsmodels.
"""

from __future__ import annotations

import copy
from typing import Any, Unpack

import numpy as np

from forecast._checks import short
from forecast.data.frames import Panel
from forecast.forecasters.arrays import ForecasterTags
from forecast.forecasters.classical.arma import (
    LEAST_VARIANCE,
    MOST_LAGS,
    MOST_SEASONS,
    Arma,
    Orders,
    Sample,
)
from forecast.forecasters.classical.statespace import Fit, Triple, filter_series
from forecast.forecasters.classical.stationarity import difference, strong_season, wanders
from forecast.forecasters.drawing import Noise, ResidualForecaster
from forecast.forecasters.history import RECENT, SHORT, fill_gaps
from forecast.forecasters.occlusion import Occluded
from forecast.forecasters.parameters import Common
from forecast.forecasters.residuals import Residuals, inflation

# Longer seasons have too many states; sines and cosines find them with few coefficients.
LONGEST_SEASON = 24
# Twice the fourth harmonic of a day in a week of hours.
MOST_HARMONICS = 28


class ARIMAForecaster(ResidualForecaster):
    """Difference until stationary, then a linear model of past values and past errors.

    Every series is fitted on its own, on its last 1,000 values (10 seasons, if that is more). A
    seasonal difference is taken if the season is strong, a plain one if the KPSS test asks for it;
    the other orders are found step by step, by AICc. A season longer than 24 is made of sines and
    cosines, their number chosen by AICc too. X enters linearly: a regression with ARIMA errors.
    Missing values are filled for the choice of the orders; the Kalman filter does without them. A
    series of fewer than 8 values, after the differences asked for, keeps its last one. Paths draw
    past errors through the model.

    `update` filters the history anew; the parameters stay. For counts or prices, which stay
    positive and swing the more the higher they are, pass a logarithm as `target_transform`.

    Parameters
    ----------
    order
        (p, d, q): past values, differences, past errors. None: chosen.
    seasonal_order
        (P, D, Q), the same in steps of a season. None: chosen; (0, 0, 0) for seasons longer than
        24, which sines and cosines follow.

    Attributes
    ----------
    fits_
        The orders and parameters of every series.
    motions_
        Where every series stands.
    residuals_
        Past errors, in target units.

    Examples
    --------
    >>> import pandas as pd
    >>> model = ARIMAForecaster().fit(pd.Series(range(20)))
    >>> model.predict(3).round(2).tolist()
    [20.0, 21.0, 22.0]
    """

    tags = ForecasterTags(covariates=True)

    def __init__(
        self,
        *,
        order: tuple[int, int, int] | None = None,
        seasonal_order: tuple[int, int, int] | None = None,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.order = order
        self.seasonal_order = seasonal_order

    def _fit(self, panel: Panel) -> None:
        m = self.season_length_
        order = _whole_numbers("order", "(p, d, q)", self.order)
        seasonal = _whole_numbers("seasonal_order", "(P, D, Q)", self.seasonal_order)
        if m == 1 or (seasonal is None and m > LONGEST_SEASON):
            seasonal = (0, 0, 0)
        _refuse_shared_lags(order, seasonal, m)
        filled = fill_gaps(panel, m)
        self.fits_ = []
        for i in range(panel.n_series):
            start = max(0, int(panel.lengths[i]) - max(RECENT, 10 * m))
            rows = slice(int(panel.offsets[i]) + start, int(panel.offsets[i + 1]))
            X = None if panel.X is None else panel.X[rows].astype(np.float64)
            y = panel.values[rows].astype(np.float64)
            fit = _fit_series(y, filled[rows], X, m, order, seasonal)
            self.fits_.append(fit._replace(start=start))
        self._follow(panel)

    def _follow(self, panel: Panel) -> None:
        """Filter all series: where they stand, and how far off the forecasts have been."""
        self.motions_, errors = [], []
        for i, fit in enumerate(self.fits_):
            rows = slice(int(panel.offsets[i]) + fit.start, int(panel.offsets[i + 1]))
            X = None if panel.X is None else panel.X[rows].astype(np.float64)
            motion, missed = filter_series(fit, panel.values[rows].astype(np.float64), X)
            self.motions_.append(motion)
            errors.append(missed)
        owners = np.repeat(np.arange(panel.n_series), [len(part) for part in errors])
        self.residuals_ = Residuals.gather(np.concatenate(errors), owners, panel.n_series)

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        self._follow(panel)

    def _answer(self, asked: Occluded, horizon: int) -> np.ndarray:
        other = copy.copy(self)
        other.panel_, other.fits_ = asked.panel, [self.fits_[i] for i in asked.owners]
        other._follow(asked.panel)
        other.residuals_ = self.residuals_.take(asked.owners)
        return other._predict(horizon, asked.known)

    def _respond(
        self, horizon: int, known: np.ndarray | None, series: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return of each series the forecast (H,), and what errors and doubts do to it."""
        answers = []
        for i in series:
            fit, motion = self.fits_[i], self.motions_[i]
            time = motion.time + np.arange(horizon)
            Z = fit.regressors(time, None if known is None else known[i])
            steps = motion.respond(horizon)
            explained = Z @ np.array(fit.params[: Z.shape[1]])
            answers.append((steps[:, 0] + fit.spread * explained + fit.centre, steps[:, 1:]))
        return answers

    def _run(self, horizon: int, known: np.ndarray | None, noise: Noise) -> np.ndarray:
        from scipy.linalg import toeplitz

        answers = self._respond(horizon, known, noise.series)
        normals = [noise.normals(steps.shape[1] - 1) for _, steps in answers]
        errors = np.stack([noise.errors() for _ in range(horizon)])  # (H, n, S)
        paths = np.empty((len(answers), noise.n_samples, horizon))
        for i, (point, steps) in enumerate(answers):
            echo = toeplitz(steps[:, 0], np.zeros(horizon))  # (H, H): an error lasts
            paths[i] = point + (echo @ errors[:, i] + steps[:, 1:] @ normals[i]).T
        return paths

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"fits": [tuple(fit) for fit in self.fits_]}, {}

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.fits_ = [Fit(*fit) for fit in values["fits"]]
        for fit, length in zip(self.fits_, panel.lengths, strict=True):
            (p, d, q), (P, D, Q) = fit.order, fit.seasonal_order
            reach = max(d, max(P, D, Q) * fit.season_length)
            if p + q + P + Q + 2 * fit.harmonics > len(fit.params) or reach > length:
                raise ValueError(f"{fit.order}, {fit.seasonal_order} are no orders of this history")
        self._follow(panel)


def _whole_numbers(name: str, meaning: str, value: Any) -> Triple | None:
    if value is None:
        return None
    numbers = tuple(value) if isinstance(value, tuple | list) else ()
    if len(numbers) != 3 or not all(isinstance(k, int | np.integer) and k >= 0 for k in numbers):
        raise ValueError(
            f"`{name}` must be None or three whole numbers {meaning}, got {short(value)}."
        )
    return (int(numbers[0]), int(numbers[1]), int(numbers[2]))


def _refuse_shared_lags(order: Triple | None, seasonal: Triple | None, m: int) -> None:
    """Refuse orders in which a plain lag is a seasonal one, too."""
    if order and seasonal and any(order[k] >= m and seasonal[k] for k in (0, 2)):
        raise ValueError(
            f"`order` must have p and q below the season of {m} where `seasonal_order` has P or Q, "
            f"got {order} and {seasonal}. Lower p and q, or set P and Q to 0."
        )


def _fit_series(
    values: np.ndarray,
    filled: np.ndarray,
    X: np.ndarray | None,
    m: int,
    order: Triple | None,
    seasonal: Triple | None,
) -> Fit:
    """Choose and fit the model of one series; `filled` are its values without gaps."""
    seen = np.isfinite(values)
    centre, spread = _standard(filled[:, None])
    X_centre, X_spread = _standard(np.zeros((1, 0)) if X is None else X)
    fit = Fit(
        order=(0, 1, 0), seasonal_order=(0, 0, 0), season_length=m, constant=False, harmonics=0,
        params=(0.0,) * len(X_centre) + (1.0,), centre=centre[0], spread=spread[0],
        X_centre=X_centre, X_spread=X_spread,
    )  # fmt: skip
    lost = (order[1] if order else 0) + (seasonal[1] * m if seasonal else 0)  # in differencing
    if not fit.spread or seen.sum() < SHORT + lost:
        return fit
    y = (filled - fit.centre) / fit.spread
    # A season that was never seen can neither be differenced nor be smoothed.
    whole = len(y) >= 2 * m + SHORT and all(seen[phase::m].any() for phase in range(m))
    if m == 1 or (seasonal is None and (m > LONGEST_SEASON or not whole)):
        seasonal = (0, 0, 0)
    if m > LONGEST_SEASON and whole and not any(seasonal or ()):
        fit = fit._replace(harmonics=min(MOST_HARMONICS, m // 2, len(y) // 8))
    fit = _choose_differences(fit, y, X, order, seasonal)
    if fit.harmonics:
        fit = _choose_harmonics(fit, y, X)
    sample = _sample(fit, y, X)
    arma = sample.search(*_candidates(fit, len(sample.columns), order, seasonal))
    fit = _with_parameters(fit, arma, len(sample.columns))
    return fit if seen.all() else _fit_around_gaps(fit, values, X)


def _choose_differences(
    fit: Fit, y: np.ndarray, X: np.ndarray | None, order: Triple | None, seasonal: Triple | None
) -> Fit:
    """Difference what the regressors leave, unless the user has said how often."""
    m = fit.season_length
    Z = np.column_stack([np.ones(len(y)), fit.regressors(np.arange(len(y)), X)])
    rest = y - Z @ np.linalg.lstsq(Z, y, rcond=None)[0]
    D = int(strong_season(rest, m) is not None) if seasonal is None else seasonal[1]
    # Never twice: on held-out months of M3 that made the errors 7 % larger.
    d = int(wanders(difference(rest, 0, D, m))) if order is None else order[1]
    return fit._replace(order=(0, d, 0), seasonal_order=(0, D, 0), constant=d + D < 2)


def _sample(fit: Fit, y: np.ndarray, X: np.ndarray | None) -> Sample:
    """Return the differenced values and regressors, that of the constant first."""
    (_, d, _), (_, D, _) = fit.order, fit.seasonal_order
    Z = fit._replace(constant=True).regressors(np.arange(len(y)), X)
    m = fit.season_length
    return Sample(difference(y, d, D, m), difference(Z, d, D, m), m)


def _choose_harmonics(fit: Fit, y: np.ndarray, X: np.ndarray | None) -> Fit:
    """Keep as many pairs of waves as the AICc says, with the errors of a small model."""
    sample = _sample(fit, y, X)
    errors = sample.sketch(Orders(2, 1, constant=fit.constant))
    fewest = sample.columns.shape[1] - 1 - 2 * fit.harmonics
    sizes = [fewest + 2 * k for k in range(fit.harmonics + 1)]
    return fit._replace(harmonics=int(np.argmin(sample.nested(errors, sizes))))


def _candidates(
    fit: Fit, size: int, order: Triple | None, seasonal: Triple | None
) -> tuple[list[Orders], Orders]:
    """Return where the search of orders starts, and how far it may go; -1: not at all."""
    integrated, season = fit.order[1] + fit.seasonal_order[1], max(fit.season_length, 1)
    lags = min(MOST_LAGS, size // 3) if order is None else -1
    seasons = min(MOST_SEASONS, size // (3 * season)) if seasonal is None else -1
    if season > 1 and (seasons > 0 or (seasonal and (seasonal[0] or seasonal[2]))):
        lags = min(lags, season - 1)  # a plain lag must not be a seasonal one, too
    if order is not None and max(order[0], order[2]) >= season:
        seasons = min(seasons, 0)
    free = Orders(lags, lags, seasons, seasons, integrated == 1)
    first = [Orders(2, 2, 1, 1), Orders(0, 0), Orders(1, 0, 1, 0), Orders(0, 1, 0, 1)]
    fixed: dict[str, Any] = {}
    if order is not None:
        fixed |= {"p": order[0], "q": order[2]}
    if seasonal is not None:
        fixed |= {"P": seasonal[0], "Q": seasonal[2]}
    first = [
        Orders(min(p, lags), min(q, lags), min(P, seasons), min(Q, seasons))._replace(**fixed)
        for p, q, P, Q, _ in first
    ]
    constants = [True, False][integrated >= 2 :][: 1 + (integrated == 1)]
    return [o._replace(constant=c) for o in dict.fromkeys(first) for c in constants], free


def _with_parameters(fit: Fit, arma: Arma, size: int) -> Fit:
    p, q, P, Q, constant = arma.orders
    params = (*arma.beta.tolist(), *arma.coefficients.tolist(), arma.variance)
    # statsmodels has the moving average before the seasons, as here.
    return fit._replace(
        order=(p, fit.order[1], q),
        seasonal_order=(P, fit.seasonal_order[1], Q),
        constant=constant,
        params=params,
        aicc=arma.aicc,
        inflation=inflation(size, len(params)),
    )


def _fit_around_gaps(fit: Fit, values: np.ndarray, X: np.ndarray | None) -> Fit:
    """Maximise the likelihood of what is there: filled values tell of too little noise."""
    Z = fit.regressors(np.arange(len(values)), X)
    explained, start = np.split(np.array(fit.params), [Z.shape[1]])
    model = fit.model((values - fit.centre) / fit.spread - Z @ explained)
    try:
        with np.errstate(all="ignore"):  # the optimiser tries parameters that overflow
            params = model.fit(
                start, disp=False, maxiter=8, return_params=True, warn_convergence=False
            )
    except np.linalg.LinAlgError:
        return fit
    params[-1] = max(params[-1], LEAST_VARIANCE)
    better = np.isfinite(params).all() and model.loglike(params) > model.loglike(start)
    return fit._replace(params=(*explained.tolist(), *params.tolist())) if better else fit


def _standard(columns: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of every column; no deviation if it is only rounding."""
    centre, spread = columns.mean(axis=0), columns.std(axis=0)
    flat = spread <= 1e-12 * np.abs(columns).max(axis=0, initial=0.0)
    return tuple(centre.tolist()), tuple(np.where(flat, 0.0, spread).tolist())
