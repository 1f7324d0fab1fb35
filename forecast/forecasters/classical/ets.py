"""Exponential smoothing: statsmodels fits its forms, AICc chooses among them.

Hyndman, Koehler, Ord and Snyder, "Forecasting with Exponential Smoothing", 2008.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from forecast.forecasters.classical.recursion import Smoothing, learned, smoothing
from forecast.forecasters.classical.smoothing import Fitted, SmoothingForecaster
from forecast.forecasters.classical.stationarity import strong_season
from forecast.forecasters.residuals import inflation

# Up to here a season is smoothed; longer ones have too many starting values, STL finds them.
LONGEST_SMOOTHED_SEASON = 24
# After so many seasons a smoothed season has forgotten its starting values (.9^30 = 4 %).
FORGETFUL = 30
ENOUGH = 10  # values, for statsmodels to have rough starting ones
# What statsmodels calls the gains of level, trend and season.
GAINS = ("smoothing_level", "smoothing_trend", "smoothing_seasonal")


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
ALL = PLAIN + SEASONAL + PROPORTIONAL


class ETSForecaster(SmoothingForecaster):
    """Smooth exponentially; of each series the form with the smallest AICc.

    Every series is fitted on its own, by statsmodels, on its last 1,000 values (10 seasons, if that
    is more): some .05 seconds with a season of 12, .15 with one of 24. A season longer than 24 is
    found by STL and kept, if it is strong. A series of fewer than 8 values or with no variation is
    smoothed with a fixed gain. Missing values are filled by the last of the same season for the
    fit, and their errors are left out. A trend that would carry a series without negative values
    below zero within the horizon is damped, or left out. Paths draw past errors through the
    recursion, gains and states as far off as the series leaves them in doubt, and are as wide as
    errors were so many steps ahead.

    `update` runs the recursion over the new values; the parameters stay.

    Attributes
    ----------
    smoothing_
        Parameters and states of all series.
    doubt_
        (n, 6 + m, r), how far off the numbers of a recursion are, times r standard normal ones.
    residuals_
        Past errors, as large as those of late, in target units or, where the form is proportional,
        as fractions.

    Examples
    --------
    >>> import pandas as pd
    >>> ETSForecaster().fit(pd.Series([5.0] * 20)).predict(2).tolist()
    [5.0, 5.0]
    """

    def _fit_series(self, values: np.ndarray, season_length: int) -> Fitted:
        bent = tuple(form for form in ALL if form.damped or form.trend is None)
        flat = tuple(form for form in ALL if form.trend is None)
        for forms in (ALL, bent, flat):
            best = _best(values, season_length, forms)
            # a trend that goes where the series cannot is none that it follows
            if values.min() < 0 or _ahead(best.smoothing, self.horizon_) >= 0:
                break
        return best

    def _decorrelation(self) -> np.ndarray:
        # Of errors to which gains and a trend were fitted, sums are narrower than of later ones.
        return np.zeros(self.panel_.n_series)


def _ahead(state: Smoothing, horizon: int) -> float:
    """Return the level without its season so many steps ahead."""
    return float(state.level + state.trend * np.sum(state.damping ** np.arange(1, horizon + 1)))


def _best(values: np.ndarray, m: int, forms: tuple[Form, ...]) -> Fitted:
    """Fit those of the forms that a series is long enough for; return the best."""
    size, spread, centre = len(values), float(np.std(values)), float(np.mean(values))
    scaled = (values - centre) / spread
    plain = tuple(form for form in forms if not form.seasonal)
    if m > LONGEST_SMOOTHED_SEASON:
        best = _around_stl(scaled, plain, m) if size >= 2 * m else _choose(scaled, plain, m)
        return _rescale(best, centre, spread)
    seasonal = m > 1 and size >= max(2 * m, 10 + m)
    added = tuple(form for form in forms if form.error == "add") if seasonal else plain
    best = _rescale(_choose(scaled, added, m), centre, spread)
    # Factors need values away from zero, where a relative error means nothing.
    if seasonal and values.min() > 0.1 * centre > 0:
        factors = tuple(form for form in forms if form.error == "mul")
        rival = _choose(values / spread, factors, m)
        best = min(best, _rescale(rival, 0.0, spread), key=lambda fitted: fitted.aicc)
    return best


def _around_stl(values: np.ndarray, forms: tuple[Form, ...], m: int) -> Fitted:
    """Fit what STL leaves without the season, and add the season of its last cycle."""
    season = strong_season(values, m)
    if season is None:
        return _choose(values, forms, m)
    best = _choose(values - season, forms, m)
    return best._replace(
        smoothing=best.smoothing._replace(season=season[-m:]),
        start=best.start._replace(season=season[:m]),
    )


def _choose(values: np.ndarray, forms: tuple[Form, ...], m: int) -> Fitted:
    """Compare the forms with rough starting values, and fit those of the best one where they count.

    Of fewer than 10 values statsmodels has no rough ones: they are fitted at once.
    """
    affordable = [form for form in forms if len(values) > form.n_parameters(m) + 1] or [forms[0]]
    fits = {form: _fit_form(values, form, m) for form in affordable}
    best = min(fits, key=lambda form: fits[form].aicc)
    if len(values) < ENOUGH or best.seasonal and len(values) > FORGETFUL * m:
        return fits[best]
    return min(fits[best], _fit_form(values, best, m, fits[best]), key=lambda fit: fit.aicc)


def _fit_form(values: np.ndarray, form: Form, m: int, rough: Fitted | None = None) -> Fitted:
    """Fit one form with statsmodels; after a rough fit, its starting values, too."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    at_once = rough is not None or len(values) < ENOUGH
    model = ETSModel(
        values,
        error=form.error,
        trend=form.trend,
        damped_trend=form.damped,
        seasonal=form.seasonal,
        seasonal_periods=m if form.seasonal else None,
        initialization_method="estimated" if at_once else "heuristic",
    )
    # A season takes longest to find. Without one, forecasts from the rough gains were no better.
    near = _parameters(rough.start, model.param_names) if rough and form.seasonal else None
    with np.errstate(all="ignore"):  # the optimiser tries parameters that overflow
        params = model.fit(
            near, disp=False, maxiter=100, warn_convergence=False, return_params=True
        )
        # not as results, whose covariance takes as long as the fit
        expected, states = model.smooth(params, return_raw=True)
        errors = (values - expected) / (expected if form.error == "mul" else 1.0)
        size, k = len(values), form.n_parameters(m)
        aicc = 2 * k * size / max(size - k - 1, 1) - 2 * model.loglike(params)
    start = _start(model, params, m)
    end = start._replace(
        level=states[-1, 0],
        trend=states[-1, 1] if form.trend else start.trend,
        season=states[-m:, -1] if form.seasonal else start.season,
    )
    told = learned(
        m, trend=form.trend is not None, season=form.seasonal is not None,
        damping=form.damped, gains=True,
    )  # fmt: skip
    aicc = aicc if np.isfinite(errors).all() else math.inf
    return Fitted(end, errors * inflation(size, k), start, told, aicc)


def _parameters(start: Smoothing, names: list[str]) -> np.ndarray:
    """Return what statsmodels calls by these names: the season backwards, its first one neutral."""
    level, trend, season = start.level, start.trend, start.season
    if start.proportional:
        level, trend, season = level * season[0], trend * season[0], season / season[0]
    else:
        level, season = level + season[0], season - season[0]
    numbers = dict(zip(GAINS, start.gains, strict=True))
    numbers |= {"damping_trend": start.damping, "initial_level": level, "initial_trend": trend}
    numbers |= {f"initial_seasonal.{k}": one for k, one in enumerate(season[::-1])}
    return np.array([numbers[name] for name in names])


def _start(model: Any, params: np.ndarray, m: int) -> Smoothing:
    """Return the recursion before the first value that statsmodels has fitted."""
    rough = {"initial_level": model.initial_level, "initial_trend": model.initial_trend}
    found = rough | dict(zip(model.param_names, params.tolist(), strict=True))
    backwards = [found[name] for name in found if name.startswith("initial_seasonal")]
    alpha, beta, gamma = (found.get(name, 0.0) for name in GAINS)
    return smoothing(
        level=found["initial_level"],
        trend=found["initial_trend"],
        season=np.zeros(m) + (backwards[::-1] or model.initial_seasonal),
        gains=(alpha, beta, gamma),
        damping=found.get("damping_trend", 1.0),
        proportional=model.seasonal == "mul",
    )


def _rescale(fitted: Fitted, centre: float, unit: float) -> Fitted:
    """Return what was learned from (values - centre) / unit in the units of the values."""
    factors = bool(fitted.smoothing.proportional)

    def moved(state: Smoothing) -> Smoothing:
        return state._replace(
            level=state.level * unit + centre,
            trend=state.trend * unit,
            season=state.season * (1.0 if factors else unit),
        )

    return fitted._replace(
        smoothing=moved(fitted.smoothing),
        start=moved(fitted.start),
        errors=fitted.errors if factors else fitted.errors * unit,
    )
