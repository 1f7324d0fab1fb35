"""The Theta method: a share of the trend, and simple exponential smoothing around it.

Assimakopoulos and Nikolopoulos, 2000. It is exponential smoothing with a fixed drift of half the
slope of a line through the history: Hyndman and Billah, "Unmasking the Theta method", 2003. That
the share should be learned, from the lines that were known at the time: Fiorucci, Pellegrini,
Louzada, Petropoulos and Koehler, "Models for optimising the theta method and their relationship to
state space models", 2016.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.signal import lfilter
from scipy.stats import chi2

from forecast.forecasters.classical.recursion import learned, smoothing
from forecast.forecasters.classical.smoothing import Fitted, SmoothingForecaster
from forecast.forecasters.residuals import inflation

# A moving average loses a cycle: with three, every season is still seen twice.
CYCLES = 3
# The share of the trend that goes on: a series' own errors tell, and half, give or take so much, is
# what is believed before them. With .3 to .5, errors on held-out parts of the histories of M3 and
# NN3 are the same within 1.3 %.
HALF, DOUBT = 0.5, 0.4
TINY = 1e-300  # the power of nothing
SMALLEST = 1e-4  # the gain: with less, the first value would be the level for ever
# What a cycle of the season may weigh beside the next one; 1: as the method was published.
KEPT = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)


class ThetaForecaster(SmoothingForecaster):
    """Continue a share of the trend from a smoothed level: the winner of the M3 competition.

    The share is 1 - 1 / theta. Half of the slope goes on (theta = 2, the method as it was
    published) where errors tell nothing else; where past steps followed the slopes of the lines
    through what came before them, more or less of it does.

    Every series is fitted on its own, in all else as by statsmodels' `ThetaModel`, on its last
    1,000 values (10 seasons, if that is more). If three seasons or more are seen and a test finds
    the season, it is taken out first, as factors where all values are positive; where the season
    changes, which its past tells, old cycles count for less. A series of fewer
    than 8 values or with no variation is smoothed with a fixed gain. Missing values are filled by
    the last of the same season for the fit, and their errors are left out. Paths draw past errors
    through the recursion, gains and states as far off as the series leaves them in doubt, and are
    as wide as errors were so many steps ahead.

    `update` runs the recursion over the new values; the parameters stay.

    Attributes
    ----------
    smoothing_
        Parameters and states of all series.
    doubt_
        (n, 6 + m, r), how far off the numbers of a recursion are, times r standard normal ones.
    residuals_
        Past errors, as large as those of late, in target units or, where the season is a factor, in
        units of the season.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.Series([1.1, 3.2, 2.3, 1.9, 2.8, 2.2, 3.9, 2.6, 3.1, 3.4])
    >>> ThetaForecaster().fit(y).predict(3).round(2).tolist()
    [3.25, 3.29, 3.33]
    """

    def _fit_series(self, values: np.ndarray, season_length: int) -> Fitted:
        m, size = season_length, len(values)
        season, factors = _season(values, m)  # the first value's first
        aligned = np.resize(season, size)
        plain = values / aligned if factors else values - aligned
        alpha = _gain(plain)
        drift = _drift(plain, alpha)
        level, errors = _smooth(plain, alpha, drift)
        errors[0] = math.nan  # the first value was the level
        seasonal = bool(np.ptp(season))
        start = smoothing(
            plain[0] - drift, drift, season, (alpha, 0.0, 0.0), proportional=factors, relative=False
        )
        end = start._replace(level=np.array(level), season=np.roll(season, -(size % m)))
        errors = errors * inflation(size, 3 + m * seasonal)
        return Fitted(end, errors, start=start, learned=learned(m, trend=True, season=seasonal))


def _season(values: np.ndarray, m: int) -> tuple[np.ndarray, bool]:
    """Return the season (m,) of a series, and whether it is one of factors; zeros without one."""
    if m == 1 or len(values) < CYCLES * m or not _is_seasonal(values, m):
        return np.zeros(m), False
    level = _level(values, m)
    if values.min() > 0:
        factors = _of_late(values / level, m)
        if factors.min() > 0:
            return factors / factors.mean(), True
    season = _of_late(values - level, m)
    return season - season.mean(), False


def _level(values: np.ndarray, m: int) -> np.ndarray:
    """Return the mean of the cycle around each value (T,), NaN half a cycle from both ends.

    Examples
    --------
    >>> _level(np.array([1.0, 3.0, 2.0, 4.0, 3.0]), 2).tolist()
    [nan, 2.25, 2.75, 3.25, nan]
    """
    weights = np.convolve(np.ones(m), [0.5, 0.5] if m % 2 == 0 else [1.0]) / m
    return np.pad(np.convolve(values, weights, "valid"), m // 2, constant_values=math.nan)


def _of_late(parts: np.ndarray, m: int) -> np.ndarray:
    """Return the mean of each place of the season (m,), old cycles forgotten as fast as has paid.

    A way of forgetting is judged by how far off its means were in the cycle that came next.

    Parameters
    ----------
    parts : (T,)
        How far each value is from the level; NaN where not known.

    Examples
    --------
    >>> _of_late(np.array([1.0, 5.0] * 5 + [5.0, 1.0] * 5), 2).round(2).tolist()
    [4.99, 1.01]
    """
    cycles = np.pad(parts, (0, -len(parts) % m), constant_values=math.nan).reshape(-1, m)
    means = [_running_mean(cycles, kept) for kept in KEPT]
    errors = [np.nansum(np.square(cycles[2:] - mean[1:-1])) for mean in means]
    last: np.ndarray = means[int(np.argmin(errors))][-1]
    return last


def _running_mean(cycles: np.ndarray, kept: float) -> np.ndarray:
    """Return the mean of each place up to each cycle (C, m), the one before weighing less."""
    seen = ~np.isnan(cycles)
    total, weight = (
        lfilter([1.0], [1.0, -kept], part, axis=0) for part in (np.where(seen, cycles, 0.0), seen)
    )
    return np.divide(total, weight, out=np.full(cycles.shape, math.nan), where=weight > 0)


def _is_seasonal(values: np.ndarray, m: int) -> bool:
    """Test the autocorrelation at the season against those before it, at 10 %."""
    from statsmodels.tsa.stattools import acf

    *nearer, seasonal = acf(values, nlags=m)
    return bool(len(values) * seasonal**2 / np.sum(np.square(nearer)) > chi2.ppf(0.9, df=1))


def _gain(values: np.ndarray) -> float:
    """Return the gain of simple smoothing, from the first value on, with the least squared error.

    The errors follow e_t = x_t - x_{t-1} + (1 - alpha) e_{t-1}, e_1 = 0. Their squares may have
    more than one minimum, so the best of a grid is refined.
    """
    steps = np.diff(values)

    def cost(alpha: float) -> float:
        errors = lfilter([1.0], [1.0, alpha - 1.0], steps)
        return float(errors @ errors)

    grid = np.clip(np.linspace(0, 1, 9), SMALLEST, 1 - SMALLEST)
    best = int(np.argmin([cost(alpha) for alpha in grid]))
    between = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    return float(minimize_scalar(cost, bounds=between, options={"xatol": 1e-7}).x)


def _drift(values: np.ndarray, alpha: float) -> float:
    """Return the slope of the line through a series times the share of it that goes on.

    The errors of smoothing with a share w of the slope B_t known at t as its drift follow
    e_t = x_t - x_{t-1} - w B_{t-1} + (1 - alpha) e_{t-1}: they are linear in w, which has a normal
    prior, so this is a ridge regression.
    """
    unit = float(np.ptp(values)) or 1.0  # products of huge values would be infinite
    values = values / unit
    slopes = _slopes(values)
    missed = lfilter([1.0], [1.0, alpha - 1.0], np.diff(values))[1:]
    effect = lfilter([1.0], [1.0, alpha - 1.0], slopes[:-1])
    power = max(float(effect @ effect), TINY)
    rest = missed - effect * (effect @ missed) / power
    prior = max(float(rest @ rest) / (len(rest) - 1), TINY) / DOUBT**2  # in units of `power`
    share = (effect @ missed + HALF * prior) / (power + prior)
    return float(share * slopes[-1]) * unit


def _slopes(values: np.ndarray) -> np.ndarray:
    """Return the slopes of the lines through the first two values, three, and so on, (T - 1,).

    Examples
    --------
    >>> _slopes(np.array([1.0, 3.0, 2.0, 6.0])).tolist()
    [2.0, 0.5, 1.4]
    """
    count, off = np.arange(1.0, len(values) + 1), values - values[0]
    moments = np.cumsum(count * off) - (count + 1) / 2 * np.cumsum(off)
    slopes: np.ndarray = 12 * moments[1:] / (count * (count**2 - 1))[1:]
    return slopes


def _smooth(values: np.ndarray, alpha: float, drift: float) -> tuple[float, np.ndarray]:
    """Return the last level and all errors of simple smoothing with drift; the first error is 0."""
    level, errors = values[0] - drift, np.empty(len(values))
    for t, value in enumerate(values):
        errors[t] = value - level - drift
        level += drift + alpha * errors[t]
    return level, errors
