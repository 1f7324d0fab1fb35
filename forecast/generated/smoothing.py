"""Exponential-smoothing state spaces with all forms of error, trend and season.

Hyndman, Koehler, Ord and Snyder, 2008, "Forecasting with exponential smoothing". Errors and
seasons may be additive or multiplicative, trends absent, linear or damped; multiplicative trends
come with the log scale of `outcomes.py`. They are the most useful prior for short business
series: the method that reads them best was the best single one in the M3 and M4 competitions'
classical field.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


class States(NamedTuple):
    """What the recursion of a batch starts from and is moved by; (B,) unless said otherwise.

    The unit is the standard deviation of the innovations; in multiplicative forms that of the
    innovations at the first level.
    """

    level: Floats
    slope: Floats
    profile: Floats  # (B, M): one cycle, in units, or as shares of the level if multiplicative
    alpha: Floats
    beta: Floats
    gamma: Floats
    damping: Floats
    memory: Floats  # autoregression of the errors
    multiplied: Mask


def draw_states(rng: np.random.Generator, profile: Floats, season: Numbers) -> States:
    """Draw starting values and smoothing parameters.

    Parameters lie in the usual region 0 < beta < alpha < 1, 0 < gamma < 1 - alpha: Beta laws put
    most mass on slow changes, but for years and quarters, whose changes follow one another; a
    tenth of levels never change. A sixth of the series that could have a season have none. Errors
    that are left correlated (of hours seven tenths, of months a fifth) teach what smoothing alone
    cannot express.

    Examples
    --------
    >>> states = draw_states(np.random.default_rng(0), np.zeros((5, 12)), np.full(5, 12))
    >>> bool(np.all(states.beta <= states.alpha)), bool(np.all(states.gamma <= 1 - states.alpha))
    (True, True)
    """
    size = len(season)

    def some(share: float | Floats, values: Floats) -> Floats:
        return np.where(rng.random(size) < share, values, 0.0)

    # years follow their level and their trend, and bend it, more than shorter steps do
    yearly, rare, short, monthly = season == 1, season <= 4, season > 20, season == 12
    alpha = some(0.9, rng.beta(np.where(rare, 1.5, 0.9), np.where(rare, 1.0, 1.6)))
    beta = some(0.6, alpha * rng.beta(1, np.select([yearly, monthly], [2.5, 12], 6)))
    gamma = some(0.6, (1 - alpha) * rng.beta(1, 8, size))
    damping = np.where(
        rng.random(size) < np.where(yearly, 0.9, 0.55), 1.0, rng.uniform(0.8, 0.99, size)
    )
    # the errors of hours are those of the weather: they last for a day
    lasting = 1 - np.exp(rng.uniform(np.log(0.01), np.log(0.7), size))
    often = np.select([short, rare, monthly], [0.7, 0.35, 0.2], 0.4)
    memory = np.where(
        rng.random(size) < often, np.where(short, lasting, rng.uniform(-0.4, 0.95, size)), 0.0
    )
    # a season is a few times as wide as the noise; that of a day often ten times (load, traffic),
    # and often lost in it (temperatures of machines, prices)
    hours = rng.choice([2.8, 1.2, -0.3], size, p=[0.3, 0.4, 0.3])
    wide = np.select([short, monthly], [hours, 0.5], 0.9)
    shown = rng.random(size) < np.where(monthly, 0.75, 0.85)
    width = np.exp(rng.normal(wide, 1.2, size)) * shown * (season > 1)
    # a step of a year moves farther along its trend than that of an hour; most things that are
    # counted over years grow (three quarters of the yearly series of the M competitions do)
    far = np.select([short, yearly, monthly], [0.3, 24.0, 1.5], 4.0)
    grows = np.where(rng.random(size) < np.where(short, 0.5, np.where(yearly, 0.9, 0.72)), 1, -1)
    slope = grows * np.abs(rng.standard_normal(size)) * np.exp(rng.normal(-3, 1, size))
    slope = some(np.where(monthly, 0.5, 0.75), far * slope)
    # short steps change their level less, and so do most months: of those of M3 and NN3 more lie
    # about one level than smoothing with a free alpha would draw
    slow = np.where(
        short | (monthly & (rng.random(size) < 0.65)), np.exp(rng.uniform(-3.5, 0, size)), 1.0
    )
    alpha, beta = alpha * slow, beta * slow
    multiplied = rng.random(size) < 0.2
    # the level where the form is multiplicative: noise of 2 to 30 percent of it
    level = np.where(multiplied, np.exp(rng.uniform(1.2, 4, size)), 5 * rng.standard_normal(size))
    share = np.where(multiplied, np.minimum(width / np.maximum(level, 1e-9), 0.4), width)
    slope = np.where(multiplied, slope * 0.5, slope)
    scaled = profile * share[:, None]
    scaled = np.where(multiplied[:, None], np.maximum(scaled, -0.9), scaled)
    return States(level, slope, scaled, alpha, beta, gamma, damping, memory, multiplied)


def smooth(states: States, innovations: Floats, season: Numbers) -> Floats:
    """Run the recursion forward and return the series (B, N).

    With m_t = (l + phi b) s or (l + phi b) + s, error e_t = (mu_t / l_0) eps_t or eps_t:
    y_t = m_t + e_t, and level, slope and season take their shares alpha, beta, gamma of e_t.

    Examples
    --------
    >>> calm = draw_states(np.random.default_rng(0), np.zeros((1, 1)), np.ones(1, int))
    >>> calm = calm._replace(level=np.ones(1), slope=np.full(1, 0.5), damping=np.ones(1))
    >>> smooth(calm, np.zeros((1, 4)), np.ones(1, int)).tolist()
    [[1.5, 2.0, 2.5, 3.0]]
    """
    size, length = innovations.shape
    longest = states.profile.shape[1]
    profile = states.profile.ravel().copy()
    place = np.arange(size) * longest + np.arange(length)[:, None] % season  # (N, B)
    shocks = np.ascontiguousarray(innovations.T)
    level, slope, error = states.level.copy(), states.slope.copy(), np.zeros(size)
    first, times = np.maximum(states.level, 1e-3), states.multiplied
    any_times = bool(times.any())
    out = np.empty((length, size))
    for t in range(length):
        drift = states.damping * slope
        base, part = level + drift, profile[place[t]]
        error = states.memory * error + shocks[t]
        if any_times:
            base = np.where(times, np.maximum(base, 0.02 * first), base)
            factor = np.where(times, np.maximum(1 + part, 0.05), 1.0)
            mean = base * factor + np.where(times, 0.0, part)
            e = np.where(times, np.clip(mean / first, 0, 50) * error, error)
            level, slope = base + states.alpha * e / factor, drift + states.beta * e / factor
            profile[place[t]] = part + states.gamma * e / np.where(times, base, 1.0)
        else:
            mean, e = base + part, error
            level, slope = base + states.alpha * e, drift + states.beta * e
            profile[place[t]] = part + states.gamma * e
        out[t] = mean + e
    return np.ascontiguousarray(out.T)
