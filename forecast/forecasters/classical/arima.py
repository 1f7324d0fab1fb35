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
from forecast.forecasters.classical.averaging import averaged, mixed, weighed
from forecast.forecasters.classical.nearby import Nearby
from forecast.forecasters.classical.statespace import Fit, Motion, Triple, filter_series
from forecast.forecasters.classical.stationarity import strong_season
from forecast.forecasters.history import RECENT, SHORT, fill_gaps
from forecast.forecasters.occlusion import Occluded
from forecast.forecasters.parameters import Common
from forecast.forecasters.residuals import Residuals, inflation
from forecast.forecasters.sampling import Noise, ResidualForecaster

# Longer seasons have too many states; sines and cosines find them with few coefficients.
LONGEST_SEASON = 24
# Twice the fourth harmonic of a day in a week of hours.
MOST_HARMONICS = 28


class ARIMAForecaster(ResidualForecaster):
    """Difference until stationary, then a linear model of past values and past errors.

    Every series is fitted on its own, on its last 1,000 values (10 seasons, if that is more). A
    seasonal difference is taken if the season is strong. The best models with and without a plain
    one, their other orders found step by step, by AICc, are averaged by how well they explain the
    series (criterion of Schwarz); noise around a line has a moving average that undoes the
    difference. A season longer than 24 is made of sines and
    cosines, their number chosen by AICc too. X enters linearly: a regression with ARIMA errors.
    Missing values are filled for the choice of the orders; the Kalman filter does without them. A
    series of fewer than 8 values, after the differences asked for, keeps its last one. Paths draw
    past errors through the models, whose coefficients are as far off as the series leaves them, and
    a slope that was left out, in doubt.

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
        The models of every series: orders, parameters and weights, the likeliest first.
    motions_
        Where each of them stands.
    nearby_
        Where models stand whose parameters are a little off.
    residuals_
        Past errors, as large as those of late, in target units.

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
            rows, y, X = _since(panel, i, start)
            fits = _fit_series(y, filled[rows], X, m, order, seasonal)
            self.fits_.append([fit._replace(start=start) for fit in fits])
        self._follow(panel)

    def _follow(self, panel: Panel) -> None:
        """Filter all series: where they stand, and how far off the forecasts have been."""
        filled, errors, phases = fill_gaps(panel, self.season_length_), [], []
        self.motions_, self.nearby_ = [], []
        for i, fits in enumerate(self.fits_):
            start, length = fits[0].start, int(panel.lengths[i])
            rows, y, X = _since(panel, i, start)
            motions, missed = zip(*(filter_series(fit, y, X) for fit in fits), strict=True)
            self.motions_.append(list(motions))
            known = np.where(np.isfinite(filled[rows]), filled[rows], fits[0].centre)
            self.nearby_.append([Nearby.after(fit, known, X) for fit in fits])
            errors.append(averaged(fits, missed))
            phases.append(np.arange(start, length) % self.season_length_)
        self.residuals_ = Residuals.of_each(errors, phases)

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
        for i in series.tolist():
            fits, future = self.fits_[i], None if known is None else known[i]
            parts = [
                _one_model(*model, horizon, future)
                for model in zip(fits, self.motions_[i], self.nearby_[i], strict=True)
            ]
            answers.append(mixed(np.array([fit.weight for fit in fits]), parts))
        return answers

    def _run(self, horizon: int, known: np.ndarray | None, noise: Noise) -> np.ndarray:
        from scipy.linalg import toeplitz

        answers = self._respond(horizon, known, noise.series)
        doubts = [steps.shape[1] - 1 for _, steps in answers]
        normals = noise.normals_of_each(max(doubts))  # (n or 1, R, S)
        errors = np.stack([noise.errors() for _ in range(horizon)])  # (H, n, S)
        paths = np.empty((len(answers), noise.n_samples, horizon))
        for i, (point, steps) in enumerate(answers):
            echo = toeplitz(steps[:, 0], np.zeros(horizon))  # (H, H): an error lasts
            off = steps[:, 1:] @ normals[min(i, len(normals) - 1), : doubts[i]]
            paths[i] = point + (echo @ errors[:, i] + off).T
        return paths

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        fits = [(i, *fit) for i, models in enumerate(self.fits_) for fit in models]
        return {"fits": [fit[1:] for fit in fits], "owners": [fit[0] for fit in fits]}, {}

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        fits = [Fit(*fit) for fit in values["fits"]]
        # files from before models were averaged hold one of each series
        owners = values.get("owners", range(panel.n_series))
        self.fits_ = [[] for _ in range(panel.n_series)]
        for owner, fit in zip(owners, fits, strict=True):
            self.fits_[owner].append(fit)
            (p, _, q), (P, _, Q) = fit.order, fit.seasonal_order
            size = p + q + P + Q + 2 * fit.harmonics
            if size > len(fit.params) or fit.reach > panel.lengths[owner]:
                raise ValueError(f"{fit.order}, {fit.seasonal_order} are no orders of this history")
            if len(fit.doubt) % 2 or any(len(row) != len(fit.params) - 1 for row in fit.doubt):
                raise ValueError("what is in doubt of an ARIMA are its parameters, down and up")
        if not all(self.fits_):
            raise ValueError("every series has a model")
        self._follow(panel)


def _since(panel: Panel, i: int, start: int) -> tuple[slice, np.ndarray, np.ndarray | None]:
    """Return the rows of series i from one of its values on, with values and covariates there."""
    rows = slice(int(panel.offsets[i]) + start, int(panel.offsets[i + 1]))
    X = None if panel.X is None else panel.X[rows].astype(np.float64)
    return rows, panel.values[rows].astype(np.float64), X


def _one_model(
    fit: Fit, motion: Motion, nearby: Nearby, horizon: int, known: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the forecast (H,), what an error of one does to it, and all doubts (H, r)."""
    Z = fit.regressors(motion.time + np.arange(horizon), known)
    steps, (off, louder) = motion.respond(horizon), nearby.spread(fit, Z)
    point = steps[:, 0] + fit.spread * (Z @ np.array(fit.params[: Z.shape[1]])) + fit.centre
    # the mean square of an echo that is in doubt
    echo = np.copysign(np.hypot(steps[:, 1], np.linalg.norm(louder, axis=1)), steps[:, 1])
    return point, echo, np.column_stack([steps[:, 2:], fit.spread * off])


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
) -> list[Fit]:
    """Choose and fit the models of one series; `filled` are its values without gaps."""
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
        return [fit]
    y = (filled - fit.centre) / fit.spread
    # A season that was never seen can neither be differenced nor be smoothed.
    whole = len(y) >= 2 * m + SHORT and all(seen[phase::m].any() for phase in range(m))
    if m == 1 or (seasonal is None and (m > LONGEST_SEASON or not whole)):
        seasonal = (0, 0, 0)
    if m > LONGEST_SEASON and whole and not any(seasonal or ()):
        fit = fit._replace(harmonics=min(MOST_HARMONICS, m // 2, len(y) // 8))
    D = _seasonal_differences(fit, y, X, seasonal)
    # Never two plain ones: on held-out months of M3 that made the errors 7 % larger.
    degrees = (0, 1) if order is None else (order[1],)
    found = []
    for d in degrees:
        one = fit._replace(order=(0, d, 0), seasonal_order=(0, D, 0), constant=d + D < 2)
        found.append(_fit_orders(one, y, X, order, seasonal, degrees[-1] - d))
    fits = weighed(*zip(*found, strict=True))
    return fits if seen.all() else [_fit_around_gaps(fit, values, X) for fit in fits]


def _fit_orders(
    fit: Fit, y: np.ndarray, X: np.ndarray | None, order: Triple | None, seasonal: Triple | None,
    skip: int,
) -> tuple[Fit, float]:  # fmt: skip
    """Choose the other orders and fit them; return what speaks against the model, too."""
    if fit.harmonics:
        fit = _choose_harmonics(fit, y, X)
    sample = _sample(fit, y, X)
    arma = sample.search(*_candidates(fit, len(sample.columns), order, seasonal))
    against = sample.evidence(arma, skip)
    if fit.order[1] == 1 and fit.constant and not arma.orders.constant:
        # a slope too small to be told from none is in doubt nevertheless
        arma = arma._replace(orders=arma.orders._replace(constant=True), beta=np.r_[0.0, arma.beta])
    doubt = tuple(map(tuple, sample.doubt(arma).tolist()))
    return _with_parameters(fit, arma, len(sample.columns))._replace(doubt=doubt), against


def _seasonal_differences(
    fit: Fit, y: np.ndarray, X: np.ndarray | None, seasonal: Triple | None
) -> int:
    """Difference at the season what the regressors leave if it is strong, or as the user says."""
    if seasonal is not None:
        return seasonal[1]
    Z = np.column_stack([np.ones(len(y)), fit.regressors(np.arange(len(y)), X)])
    rest = y - Z @ np.linalg.lstsq(Z, y, rcond=None)[0]
    return int(strong_season(rest, fit.season_length) is not None)


def _sample(fit: Fit, y: np.ndarray, X: np.ndarray | None) -> Sample:
    """Return the differenced values and regressors, that of the constant first."""
    Z = fit._replace(constant=True).regressors(np.arange(len(y)), X)
    invertible = not fit.order[1]
    return Sample(fit.difference(y), fit.difference(Z), fit.season_length, invertible=invertible)


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
