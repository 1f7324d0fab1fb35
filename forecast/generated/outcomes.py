"""How a process is observed: on a log scale, as counts, saturated, rounded, smoothed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.generated.recursion import autoregress

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def standard(values: Floats) -> Floats:
    """Return values (B, N) less their mean, over their deviation.

    Examples
    --------
    >>> standard(np.array([[1.0, 3.0]])).tolist()
    [[-1.0, 1.0]]
    """
    centred = values - values.mean(1, keepdims=True)
    return centred / np.maximum(values.std(1, keepdims=True), 1e-9)


def exponentiate(rng: np.random.Generator, values: Floats) -> Floats:
    """Read series as logarithms: trends become exponential, seasons and noise multiplicative.

    The deviation of the logarithm has a median of .3, as in business series, and rarely passes 1.

    Examples
    --------
    >>> y = exponentiate(np.random.default_rng(0), np.random.default_rng(1).random((5, 30)))
    >>> bool((y > 0).all())
    True
    """
    strength = np.exp(rng.normal(-1.2, 0.7, (len(values), 1)))
    return np.exp(np.clip(standard(values) * strength, -4, 4)) * 10


def count(rng: np.random.Generator, values: Floats) -> Floats:
    """Draw counts (B, N) whose rate follows the series, from dense to intermittent.

    Poisson, for a third overdispersed by a gamma (negative binomial: demand varies more than its
    mean), and for a third intermittent: most steps have no demand, the rest a size (Croston,
    1972; Syntetos and Boylan, 2005, for the shares of the four kinds of demand).

    Examples
    --------
    >>> y = count(np.random.default_rng(0), np.random.default_rng(1).random((40, 60)))
    >>> bool((y == y.round()).all()), bool((y >= 0).all())
    (True, True)
    """
    size, length = values.shape
    kind = rng.random((size, 1))
    rare = kind > 0.62
    swing = np.exp(np.where(rare, -1.6, -0.9) + rng.normal(0, 0.6, (size, 1)))
    centre = np.exp(np.where(rare, rng.normal(0, 0.9, (size, 1)), rng.normal(0.5, 1.6, (size, 1))))
    rate = np.exp(np.clip(standard(values) * swing, -4, 1.5)) * centre * _life(rng, size, length)
    shape = np.exp(rng.uniform(-1, 2, (size, 1)))
    spread = rng.gamma(np.broadcast_to(shape, (size, length))) / shape
    # who buys now and then buys one or two, now and then many, for a while
    factor = np.where(rare, 0.5 * spread * _bursts(rng, size, length), 1.0)
    rate = rate * np.where(kind < 0.33, spread, factor)
    sold = rng.poisson(np.minimum(rate, 1e5)).astype(float)
    often = rng.beta(1, 2.5, (size, 1))
    arrives = rng.random((size, length)) < np.clip(often * np.sqrt(rate / centre), 0, 1)
    lot = np.where(rng.random((size, 1)) < 0.2, np.ceil(centre), 1.0)
    return np.where(rare, arrives * (sold + 1) * lot, sold)


def _bursts(rng: np.random.Generator, size: int, length: int) -> Floats:
    """Return factors (B, N) about one that stay high for some steps, then fall back."""
    stay = rng.uniform(0.5, 0.95, (size, 1))
    width = rng.uniform(0.3, 1.2, (size, 1))
    shocks = rng.standard_normal((size, length)) * width * np.sqrt(1 - stay**2)
    return np.exp(autoregress(shocks, stay) - width**2 / 2)


def _life(rng: np.random.Generator, size: int, length: int) -> Floats:
    """Return factors (B, N) of a rate: for some all one, else a product's rise and fall.

    Parts are introduced and run out: of those of a car maker, a quarter had nine times the
    demand in the last third of their history that they had in the first, another a third of it.
    """
    age = np.arange(length) / length - rng.uniform(-0.25, 1.15, (size, 1))
    width = np.exp(rng.uniform(np.log(0.12), 0, (size, 1)))
    curve = np.exp(-0.5 * (age / width) ** 2)
    curve /= curve.max(1, keepdims=True)
    return np.where(rng.random((size, 1)) < 0.6, 1.0, curve)


def saturate(rng: np.random.Generator, values: Floats) -> Floats:
    """Cut series at a floor or a ceiling, or bend them towards both.

    Capacities, percentages, rain, sunshine: the bound lies at a quantile of the series, so that
    it is reached often. A floor is as often zero as not, which a scaled series cannot tell.

    Examples
    --------
    >>> y = saturate(np.random.default_rng(0), np.random.default_rng(1).random((40, 60)))
    >>> y.shape
    (40, 60)
    """
    size = len(values)
    kind = rng.random((size, 1))
    low = _row_quantile(values, rng.beta(1, 2.5, (size, 1)) * 0.9)
    high = _row_quantile(values, 1 - rng.beta(1, 3, (size, 1)) * 0.7)
    bent = np.tanh(standard(values) * rng.uniform(0.5, 2, (size, 1)))
    cut = np.where(kind < 0.5, np.maximum(values, low), np.minimum(values, high))
    return np.where(kind > 0.8, bent, cut)


def sample_otherwise(rng: np.random.Generator, values: Floats) -> Floats:
    """Observe series through a coarse instrument.

    Rounded to a grid, averaged over a few steps, read only every few steps and held or joined by
    lines in between (yearly figures in monthly tables).

    Examples
    --------
    >>> sample_otherwise(np.random.default_rng(0), np.ones((8, 20))).shape
    (8, 20)
    """
    size, length = values.shape
    kind = rng.random((size, 1))
    grid = values.std(1, keepdims=True) * np.exp(rng.uniform(-3.5, 0.3, (size, 1))) + 1e-9
    rounded = np.round(values / grid) * grid
    every = rng.integers(2, 7, (size, 1))
    step = np.arange(length)
    before = step - step % every
    after = np.minimum(before + every, length - 1)
    held = np.take_along_axis(values, before, 1)
    reached = np.take_along_axis(values, after, 1)
    joined = held + (reached - held) * (step % every) / every
    total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), 1)
    begin = np.maximum(step + 1 - every, 0)
    mean = (total[:, 1:] - np.take_along_axis(total, begin, 1)) / (step + 1 - begin)
    picked = np.where(kind < 0.55, rounded, np.where(kind < 0.75, mean, held))
    return np.where(kind > 0.88, joined, picked)


def _row_quantile(values: Floats, level: Floats) -> Floats:
    """Return each row's own quantile, (B, 1) for levels (B, 1)."""
    at = (level * (values.shape[1] - 1)).astype(np.int64)
    return np.take_along_axis(np.sort(values, 1), at, 1)
