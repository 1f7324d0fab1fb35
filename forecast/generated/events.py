"""What happens to a series once: shifts, breaks, outliers, stretches, gaps.

Chen and Liu, 1993, name the kinds (additive outlier, level shift, temporary change); the shares
are those of series that people call clean: most have none, few have several.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def add_events(rng: np.random.Generator, values: Floats, noise: Floats, season: Numbers) -> Floats:
    """Add shifts, broken trends, passing effects and outliers in the unit of the noise (B, 1).

    More happens to a year than to a month or an hour, which have a third as many.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = add_events(rng, np.zeros((200, 50)), np.ones((200, 1)), np.full(200, 12))
    >>> 0.05 < float((y != 0).any(1).mean()) < 0.6
    True
    """
    size, length = values.shape
    step = np.arange(length)

    chance = np.select([season == 1, season == 4], [1.6, 0.7], 0.5)[:, None]

    def some(share: float) -> NDArray[np.bool_]:
        return rng.random((size, 1)) < share * chance

    def after() -> Floats:
        return (step - rng.integers(1, max(length, 2), (size, 1))).astype(np.float64)

    y = values.copy()
    for share in (0.12, 0.04):  # a shift is rare, a second one rarer
        y += some(share) * (after() >= 0) * rng.normal(0, 4, (size, 1)) * noise
    slope = rng.normal(0, 1, (size, 1)) * np.exp(rng.normal(-1.5, 1, (size, 1))) * noise
    y += some(0.10) * np.maximum(after(), 0) * slope
    since = after()
    life = np.exp(rng.uniform(0, 3, (size, 1)))
    passing = np.exp(-np.maximum(since, 0) / life) * (since >= 0)
    y += some(0.05) * passing * rng.normal(0, 5, (size, 1)) * noise
    often = np.exp(rng.uniform(np.log(0.002), np.log(0.03), (size, 1)))
    hit = (rng.random((size, length)) < often) & some(0.22)
    return y + hit * rng.normal(0, 6, (size, length)) * noise


def hold_constant(rng: np.random.Generator, values: Floats) -> Floats:
    """Let a few series stand still for a while: a broken sensor, a closed shop, a fixed price.

    Examples
    --------
    >>> y = hold_constant(np.random.default_rng(0), np.random.default_rng(1).random((300, 50)))
    >>> 0 < int((np.diff(y) == 0).any(1).sum()) < 60
    True
    """
    size, length = values.shape
    begin = rng.integers(0, length, (size, 1))
    lasts = np.ceil(length * np.exp(rng.uniform(-4, -0.7, (size, 1))))
    step = np.arange(length)
    held = (step >= begin) & (step < begin + lasts) & (rng.random((size, 1)) < 0.04)
    at = np.take_along_axis(values, begin, 1)
    at = np.where(rng.random((size, 1)) < 0.3, values.min(1, keepdims=True), at)
    return np.where(held, at, values)


def lose_values(rng: np.random.Generator, values: Floats) -> Floats:
    """Replace values by NaN: single ones, whole stretches, and the time before a series began.

    A tenth of the series loses single values, a twentieth a stretch, a quarter begins late, so
    that short and long histories stand side by side in one batch. The last value stays.

    Examples
    --------
    >>> y = lose_values(np.random.default_rng(0), np.zeros((100, 60)))
    >>> 10 < int(np.isnan(y).any(1).sum()) < 60, bool(np.isnan(y[:, -1]).any())
    (True, False)
    """
    size, length = values.shape
    step = np.arange(length)
    often = rng.uniform(0.01, 0.2, (size, 1)) * (rng.random((size, 1)) < 0.1)
    lost = rng.random((size, length)) < often
    begin = rng.integers(0, length, (size, 1))
    lasts = np.exp(rng.uniform(0, np.log(0.2 * length + 2), (size, 1)))
    lost |= (step >= begin) & (step < begin + lasts) & (rng.random((size, 1)) < 0.05)
    start = length * rng.uniform(0, 0.7, (size, 1)) * (rng.random((size, 1)) < 0.25)
    lost |= step < start
    lost[:, -1] = False
    return np.where(lost, np.nan, values)
