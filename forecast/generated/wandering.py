"""Walks without a memory of where they were, and regimes that pull them back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.generated.recursion import autoregress

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def draw_walks(
    rng: np.random.Generator, innovations: Floats, season: Numbers, profile: Floats
) -> Floats:
    """Draw random walks, with drift or none, and a weak season in a third of them.

    Prices and exchange rates: nothing beats the last value there, and a network that never saw
    them finds trends in them.

    Examples
    --------
    >>> e = np.ones((1, 4))
    >>> walk = draw_walks(np.random.default_rng(1), e, np.ones(1, int), np.zeros((1, 1)))
    >>> walk.shape
    (1, 4)
    """
    size, length = innovations.shape
    # over a long time even a small drift would outgrow the walk: what is observed a thousand times
    # (days, hours) has less of it than what is observed forty times (years)
    drift = rng.normal(0.03, 0.1, (size, 1)) * (rng.random((size, 1)) < 0.5)
    far = np.where(season == 1, 4.0, np.where(season <= 12, 2.0, 1.0))[:, None]
    drift = drift * far * min(1.0, 40 / length)
    walk = np.cumsum(innovations + drift, 1)
    width = np.exp(rng.normal(0, 1, (size, 1))) * (rng.random((size, 1)) < 0.33)
    wave = np.take_along_axis(profile, np.arange(length) % season[:, None], 1)
    observed = rng.standard_normal((size, length)) * 0.5 * (rng.random((size, 1)) < 0.2)
    return walk + width * wave * (season > 1)[:, None] + observed


def draw_regimes(
    rng: np.random.Generator, innovations: Floats, season: Numbers, profile: Floats
) -> Floats:
    """Draw Ornstein-Uhlenbeck processes whose mean, pull and spread change now and then.

    x_t - mu = a (x_{t-1} - mu) + sigma e_t, with (mu, sigma) of a regime that lasts for a
    geometric time (Uhlenbeck and Ornstein, 1930; Hamilton, 1989, for the switching). The a
    is shared by the regimes of a series.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = draw_regimes(rng, rng.standard_normal((3, 80)), np.ones(3, int), np.zeros((3, 1)))
    >>> y.shape
    (3, 80)
    """
    size, length = innovations.shape
    lasts = np.exp(rng.uniform(np.log(20), np.log(4 * length + 20), (size, 1)))
    change = rng.random((size, length)) < 1 / lasts
    regime = np.cumsum(change, 1) % 6
    mean = rng.normal(0, 1, (size, 6)) * np.exp(rng.normal(0.7, 0.8, (size, 1)))
    spread = np.exp(rng.normal(0, 0.4, (size, 6)))
    stay = 1 - np.exp(rng.uniform(np.log(0.01), 0, (size, 1)))
    mu = np.take_along_axis(mean, regime, 1)
    sigma = np.take_along_axis(spread, regime, 1)
    shocks = (1 - stay) * mu + sigma * innovations
    shocks[:, 0] = mu[:, 0] + innovations[:, 0]
    width = np.exp(rng.normal(0.5, 1, (size, 1))) * (rng.random((size, 1)) < 0.6)
    wave = np.take_along_axis(profile, np.arange(length) % season[:, None], 1)
    return autoregress(shocks, stay) + width * wave * (season > 1)[:, None]
