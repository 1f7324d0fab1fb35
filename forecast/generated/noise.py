"""What drives a series: innovations, normal or not, calm or not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.generated.recursion import autoregress

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def draw_innovations(rng: np.random.Generator, length: int, season: Numbers) -> Floats:
    """Draw innovations (B, N) with a standard deviation of about one.

    Two thirds are normal; the rest have heavy tails (Student's t with 3 to 6 degrees of freedom,
    the range found for returns and for demand) or are skewed (a centred gamma), as demand is.

    Examples
    --------
    >>> e = draw_innovations(np.random.default_rng(0), 500, np.array([12] * 200))
    >>> e.shape, bool(0.8 < e.std() < 1.3)
    ((200, 500), True)
    """
    size = len(season)
    noise = rng.standard_normal((size, length))
    kind = rng.random(size)
    heavy = np.flatnonzero(kind < 0.24)
    freedom = rng.uniform(3, 6, (len(heavy), 1))
    noise[heavy] = rng.standard_t(freedom, (len(heavy), length)) * np.sqrt(1 - 2 / freedom)
    skewed = np.flatnonzero((kind >= 0.24) & (kind < 0.34))
    shape = np.exp(rng.uniform(0, 2, (len(skewed), 1)))
    lean = np.where(rng.random((len(skewed), 1)) < 0.8, 1.0, -1.0)
    gamma = rng.gamma(shape, size=(len(skewed), length))
    noise[skewed] = lean * (gamma - shape) / np.sqrt(shape)
    return noise * _changing_spread(rng, length, season)


def _changing_spread(rng: np.random.Generator, length: int, season: Numbers) -> Floats:
    """Return factors (B, N) of the noise: seasonal, drifting, clustered, or all one.

    Calm and wild stretches follow one another by stochastic volatility, an autoregression of the
    log variance near a unit root (Taylor, 1986); elsewhere the spread follows the season, as that
    of temperatures and sales does, or grows slowly.
    """
    size = len(season)
    factors = np.ones((size, length))
    kind, steps = rng.random(size), np.arange(length)
    rows = np.flatnonzero(kind < 0.14)
    turn = 2 * np.pi * (steps / np.maximum(season[rows, None], 2) + rng.random((len(rows), 1)))
    factors[rows] = np.exp(rng.uniform(0.2, 0.8, (len(rows), 1)) * np.sin(turn))
    rows = np.flatnonzero((kind >= 0.14) & (kind < 0.22))
    change = rng.normal(0, 0.7, (len(rows), 1))
    factors[rows] = np.exp(change * (steps / length - 0.5))
    rows = np.flatnonzero((kind >= 0.22) & (kind < 0.30))
    stay = rng.uniform(0.9, 0.995, (len(rows), 1))
    width = rng.uniform(0.2, 0.7, (len(rows), 1)) * np.sqrt(1 - stay**2)
    shocks = rng.standard_normal((len(rows), length)) * width
    factors[rows] = np.exp(autoregress(shocks, stay))
    return factors
