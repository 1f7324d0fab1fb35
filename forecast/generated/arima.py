"""Seasonal ARIMA processes, drawn by their poles.

Coefficients drawn freely give unstable processes: of four independent ones, up to half. Poles
drawn inside the unit circle, in conjugate pairs, give stable ones always and cover them all, and
they say what is meant: a radius is a memory, an angle a cycle (Box and Jenkins, 1970).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.generated.recursion import autoregress, moving_average

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def pole_pairs(rng: np.random.Generator, size: int) -> Floats:
    """Draw the two coefficients (B, 2) of a stable second-order recursion.

    Half are conjugate pairs r exp(+-i w): c_1 = 2 r cos w, c_2 = -r^2; half two real poles a, b:
    c_1 = a + b, c_2 = -a b.

    Examples
    --------
    >>> c = pole_pairs(np.random.default_rng(0), 1000)
    >>> roots = [np.abs(np.roots([1, -a, -b])).max() for a, b in c]
    >>> bool(max(roots) < 1)
    True
    """
    radius = np.sqrt(rng.uniform(0, 0.97, size))
    angle = np.pi * rng.beta(1, 2, size)  # slow cycles more than fast ones
    real = rng.uniform(-0.5, 0.97, (2, size)) * (rng.random((2, size)) < 0.7)
    paired = rng.random(size) < 0.5
    first = np.where(paired, 2 * radius * np.cos(angle), real.sum(0))
    last = np.where(paired, -(radius**2), -real.prod(0))
    return np.stack([first, last], 1)


def draw_arima(
    rng: np.random.Generator, innovations: Floats, season: Numbers, profile: Floats
) -> Floats:
    """Filter innovations (B, N) into seasonal ARIMA series of the same shape.

    Orders: one or two second-order factors, a moving average by the same law of its zeros (so
    that it can be inverted), a seasonal factor with a pole near or at one, zero to two
    differences. The result is divided by its spread and, where it is not integrated at the
    season, given a fixed profile, so that both kinds of season are known.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = draw_arima(rng, rng.standard_normal((4, 100)), np.full(4, 12), np.zeros((4, 12)))
    >>> y.shape, bool(np.isfinite(y).all())
    ((4, 100), True)
    """
    size, length = innovations.shape
    lead = np.concatenate([rng.standard_normal((size, 60)), innovations], 1)
    zeros = -pole_pairs(rng, size) * (rng.random((size, 1)) < 0.5)
    y = moving_average(lead, zeros)
    y = autoregress(y, pole_pairs(rng, size))
    more = np.flatnonzero(rng.random(size) < 0.3)
    y[more] = autoregress(y[more], pole_pairs(rng, len(more)))
    seasonal = (season > 1) & (rng.random(size) < 0.5)
    rows = np.flatnonzero(seasonal)
    whole = rng.random(len(rows)) < 0.3
    pole = np.where(whole, 1.0, rng.uniform(0.3, 0.99, len(rows)))
    zero = -np.where(rng.random(len(rows)) < 0.6, rng.uniform(0, 0.9, len(rows)), 0.0)
    y[rows] = moving_average(y[rows], zero[:, None], season[rows])
    y[rows] = autoregress(y[rows], pole[:, None], season[rows])
    y = y[:, 60:]
    y /= y.std(1, keepdims=True) + 1e-9
    differences = rng.choice(3, size, p=[0.4, 0.45, 0.15])
    for d in (1, 2):
        rows = np.flatnonzero(differences >= d)
        drift = rng.normal(0.1, 0.3, (len(rows), 1)) * (rng.random((len(rows), 1)) < 0.5) * (d == 1)
        y[rows] = np.cumsum(y[rows] + drift, 1)
    width = np.exp(rng.normal(0.7, 1, size)) * ((season > 1) & (rng.random(size) < 0.7))
    at = np.arange(length) % season[:, None]
    return y + width[:, None] * np.take_along_axis(profile, at, 1)
