"""Exponential smoothing: level, trend and season as a recursion driven by its own errors (room 5).

Hyndman, Koehler, Ord and Snyder, "Forecasting with Exponential Smoothing", 2008. statsmodels fits
the parameters; forecasting, sampling and updating run the recursion for all series at once.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from forecast.data.frames import Panel
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.history import Residuals, fill_gaps

# Up to here a season is smoothed; longer ones have too many starting values, STL finds them.
LONGEST_SMOOTHED_SEASON = 24
# Seasonal strength from which STL's season is used, as in Wang, Smith and Hyndman 2006.
STRONG_SEASON = 0.64
# Smoothing forgets: older values change the fit little and only cost time.
RECENT = 1000
# After so many seasons a smoothed season has forgotten its starting values (.9^30 = 4 %).
FORGETFUL = 30
# Fewer values than this cannot tell one form from another.
SHORT = 8


class Form(NamedTuple):
    """A member of the family: error, trend, damped?, season, as statsmodels spells them."""

    error: str
    trend: str | None
    damped: bool
    seasonal: str | None

    def n_parameters(self, season_length: int) -> int:
        """Count smoothing parameters, starting values and the variance."""
        return (
            3
            + 2 * (self.trend is not None)
            + self.damped
            + (self.seasonal is not None) * season_length
        )


PLAIN = (
    Form("add", None, False, None),
    Form("add", "add", False, None),
    Form("add", "add", True, None),
)
SEASONAL = (
    Form("add", None, False, "add"),
    Form("add", "add", False, "add"),
    Form("add", "add", True, "add"),
)
PROPORTIONAL = (Form("mul", None, False, "mul"), Form("mul", "add", True, "mul"))


class Smoothing(NamedTuple):
    """The recursions of all series and their states, as arrays."""

    level: np.ndarray  # (n,)
    trend: np.ndarray  # (n,)
    season: np.ndarray  # (n, m), the next step's first
    gains: np.ndarray  # (n, 3): how much an error moves level, trend and season
    damping: np.ndarray  # (n,)
    proportional: np.ndarray  # (n,) bool: season and errors are factors


class Fitted(NamedTuple):
    """What was learned from one series."""

    aicc: float
    smoothing: Smoothing  # without the axis of series
    errors: np.ndarray  # (T,)


class ETSForecaster(BaseForecaster):
    """Smooth exponentially; of each series the form with the smallest AICc.

    Every series is fitted on its own, by statsmodels, on its last 1,000 values (10 seasons, if
    that is more): about a second for a long series with a season of 24. A season longer than 24
    is found by STL and kept, if it is strong. A series of fewer than 8 values or with no variation
    is smoothed with a fixed gain. Missing values are filled by the last of the same season for the
    fit, and their errors are left out. Paths draw past errors through the recursion.

    `update` runs the recursion over the new values; the parameters stay.

    Parameters
    ----------
    horizon, season_length, freq, id_col, time_col, target_col
        As in every forecaster.

    Attributes
    ----------
    smoothing_
        Parameters and states of all series.
    residuals_
        Past errors, in target units or, where the form is proportional, as fractions.

    Examples
    --------
    >>> import pandas as pd
    >>> ETSForecaster().fit(pd.Series([5.0] * 20)).predict(2).tolist()
    [5.0, 5.0]
    """

    def _fit(self, panel: Panel) -> None:
        m = self.season_length_
        values, observed = fill_gaps(panel, m), ~np.isnan(panel.values)
        keep = max(RECENT, 10 * m)
        fits, errors = [], []
        for start, end in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
            recent = slice(max(start, end - keep), end)
            fits.append(_fit_series(values[recent], m))
            errors.append(np.where(observed[recent], fits[-1].errors, np.nan))
        self.smoothing_ = Smoothing(*map(np.stack, zip(*(f.smoothing for f in fits), strict=True)))
        owners = np.repeat(np.arange(panel.n_series), [len(part) for part in errors])
        self.residuals_ = Residuals.gather(np.concatenate(errors), owners, panel.n_series)

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        recursion = _Recursion(self.smoothing_, 1)
        first = panel.offsets[1:] - added
        for step in range(int(added.max())):
            live = step < added
            values = panel.values[np.where(live, first + step, 0)].astype(np.float64)
            recursion.absorb(values[:, None], live[:, None])
        self.smoothing_ = recursion.smoothing()

    def _predict(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        recursion = _Recursion(self.smoothing_, 1)
        return np.concatenate([recursion.emit(np.zeros(1)) for _ in range(horizon)], axis=1)

    def _sample(
        self, horizon: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        recursion = _Recursion(self.smoothing_, n_samples)
        draws = (self.residuals_.draw(rng, n_samples) for _ in range(horizon))
        return np.stack([recursion.emit(errors) for errors in draws], axis=2)  # (n, S, H)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, self.smoothing_._asdict() | self.residuals_.arrays()

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.smoothing_ = Smoothing(*(arrays[name] for name in Smoothing._fields))
        self.residuals_ = Residuals.from_arrays(arrays)


class _Recursion:
    """Run the recursions of all series side by side, S copies of each; arrays are (n, S)."""

    def __init__(self, start: Smoothing, copies: int) -> None:
        self.start = start
        self.level = np.repeat(start.level[:, None], copies, axis=1)
        self.trend = np.repeat(start.trend[:, None], copies, axis=1)
        self.season = np.repeat(start.season[:, :, None], copies, axis=2)  # (n, m, S)
        self.phase = np.zeros(len(start.level), dtype=np.int64)

    def emit(self, errors: np.ndarray) -> np.ndarray:
        """Return the next value with these errors, and move on."""
        mean, unit = self._expect()
        self._move(errors, np.ones((len(mean), 1), dtype=bool))
        return mean + unit * errors

    def absorb(self, values: np.ndarray, live: np.ndarray) -> None:
        """Move the live series on with observed values; a missing one counts as expected."""
        mean, unit = self._expect()
        self._move(np.nan_to_num((values - mean) / unit), live)

    def smoothing(self) -> Smoothing:
        """Return where the first copy stands, to start from again."""
        m = self.season.shape[1]
        order = (self.phase[:, None] + np.arange(m)) % m
        season = np.take_along_axis(self.season[:, :, 0], order, axis=1)
        return self.start._replace(level=self.level[:, 0], trend=self.trend[:, 0], season=season)

    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        damped = self.start.damping[:, None] * self.trend
        return self.level + damped, damped, self.season[np.arange(len(self.phase)), self.phase]

    def _expect(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of the next value and the unit of its error."""
        proportional = self.start.proportional[:, None]
        level, _, season = self._parts()
        mean = np.where(proportional, level * season, level + season)
        return mean, np.where(proportional & (mean != 0), mean, 1.0)

    def _move(self, errors: np.ndarray, live: np.ndarray) -> None:
        proportional = self.start.proportional[:, None]
        gains = self.start.gains.T[:, :, None]  # (3, n, 1)
        level, trend, season = self._parts()
        shift = np.where(proportional, level * errors, errors)
        turn = np.where(proportional, season * errors, errors)
        self.level = np.where(live, level + gains[0] * shift, self.level)
        self.trend = np.where(live, trend + gains[1] * shift, self.trend)
        season = np.where(live, season + gains[2] * turn, season)
        self.season[np.arange(len(self.phase)), self.phase] = season
        self.phase = (self.phase + live[:, 0]) % self.season.shape[1]


def _fit_series(values: np.ndarray, m: int) -> Fitted:
    """Fit one series without gaps."""
    size, spread, centre = len(values), float(np.std(values)), float(np.mean(values))
    # A spread as small as the rounding error of the level is no variation.
    if size < SHORT or spread <= 1e-12 * float(np.abs(values).max()):
        return _fixed_gain(values, m)
    scaled = (values - centre) / spread
    if m > LONGEST_SMOOTHED_SEASON:
        best = _around_stl(scaled, m) if size >= 2 * m else _choose(scaled, PLAIN, m)
        return _rescale(best, centre, spread)
    seasonal = m > 1 and size >= max(2 * m, 10 + m)
    best = _rescale(_choose(scaled, PLAIN + SEASONAL * seasonal, m), centre, spread)
    # Factors need values away from zero, where a relative error means nothing.
    if seasonal and values.min() > 0.1 * centre > 0:
        rival = _choose(values / spread, PROPORTIONAL, m)
        best = min(best, _rescale(rival, 0.0, spread), key=lambda fitted: fitted.aicc)
    return best


def _fixed_gain(values: np.ndarray, m: int) -> Fitted:
    """Smooth the level of a series too short or too flat to fit."""
    gain, level, errors = 0.5, values[0], np.zeros(len(values))
    for t, value in enumerate(values):
        errors[t] = value - level
        level += gain * errors[t]
    return Fitted(math.inf, _smoothing(level, 0.0, np.zeros(m), (gain, 0.0, 0.0)), errors)


def _around_stl(values: np.ndarray, m: int) -> Fitted:
    """Fit what STL leaves without the season, and add the season of its last cycle."""
    from statsmodels.tsa.seasonal import STL

    # As good as the mean over all cycles: a narrower window takes noise for season.
    cycles = len(values) // m
    parts = STL(values, period=m, seasonal=10 * cycles + 1, seasonal_deg=0).fit()
    strength = 1 - np.var(parts.resid) / np.var(parts.resid + parts.seasonal)
    if strength < STRONG_SEASON:
        return _choose(values, PLAIN, m)
    best = _choose(values - parts.seasonal, PLAIN, m)
    season = np.asarray(parts.seasonal[-m:])
    return best._replace(smoothing=best.smoothing._replace(season=season))


def _choose(values: np.ndarray, forms: tuple[Form, ...], m: int) -> Fitted:
    """Compare the forms with rough starting values, and fit those of the best one where they count.

    statsmodels needs 10 values for the rough ones.
    """
    affordable = [form for form in forms if len(values) > form.n_parameters(m) + 1] or [forms[0]]
    rough = "heuristic" if len(values) >= 10 else "estimated"
    fits = {form: _fit_form(values, form, m, rough) for form in affordable}
    best = min(fits, key=lambda form: fits[form].aicc)
    if best.seasonal and len(values) > FORGETFUL * m:
        return fits[best]
    return min(fits[best], _fit_form(values, best, m, "estimated"), key=lambda fit: fit.aicc)


def _fit_form(values: np.ndarray, form: Form, m: int, initialization: str) -> Fitted:
    """Fit one form with statsmodels."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    model = ETSModel(
        values,
        error=form.error,
        trend=form.trend,
        damped_trend=form.damped,
        seasonal=form.seasonal,
        seasonal_periods=m if form.seasonal else None,
        initialization_method=initialization,
    )
    with np.errstate(all="ignore"):  # the optimiser tries parameters that overflow
        result = model.fit(disp=False, maxiter=100, warn_convergence=False)
    size, k = len(values), form.n_parameters(m)
    aicc = 2 * k * size / max(size - k - 1, 1) - 2 * result.llf
    neutral = np.full(m, float(form.error == "mul"))
    smoothing = _smoothing(
        level=result.level[-1],
        trend=result.slope[-1] if form.trend else 0.0,
        season=result.season[-m:] if form.seasonal else neutral,
        gains=(
            result.alpha,
            result.beta if form.trend else 0.0,
            result.gamma if form.seasonal else 0.0,
        ),
        damping=result.phi if form.damped else 1.0,
        proportional=form.error == "mul",
    )
    # In-sample errors are too small by the parameters that were fitted to them.
    errors = np.asarray(result.resid) * math.sqrt(size / max(size - k, 1))
    return Fitted(aicc if np.isfinite(errors).all() else math.inf, smoothing, errors)


def _smoothing(
    level: float,
    trend: float,
    season: np.ndarray,
    gains: tuple[float, float, float],
    damping: float = 1.0,
    proportional: bool = False,
) -> Smoothing:
    return Smoothing(
        np.array(level, dtype=np.float64),
        np.array(trend, dtype=np.float64),
        np.array(season, dtype=np.float64),
        np.array(gains),
        np.array(damping),
        np.array(proportional),
    )


def _rescale(fitted: Fitted, centre: float, unit: float) -> Fitted:
    """Return what was learned from (values - centre) / unit in the units of the values."""
    state = fitted.smoothing
    factors = bool(state.proportional)
    moved = state._replace(
        level=state.level * unit + centre,
        trend=state.trend * unit,
        season=state.season * (1.0 if factors else unit),
    )
    return fitted._replace(
        smoothing=moved, errors=fitted.errors if factors else fitted.errors * unit
    )
