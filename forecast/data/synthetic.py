"""Series made by a known rule, so that the best possible error is known too.

Each generator returns a Series over the whole numbers 1 .. length; `attrs["floor"]` is the mean
squared error, in squared units of the series, that no one-step forecast from the past can beat.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pandas as pd

from forecast._checks import number_between, positive_integer


def noisy_sine(
    length: int = 1000, *, period: float = 200 * np.pi, sigma: float = 0.2, seed: int
) -> pd.Series:
    """Make x_t = sin(2 pi t / period) + sigma e_t; by default sin(0.01 t) + 0.2 e_t.

    Examples
    --------
    >>> noisy_sine(3, period=4, sigma=0.0, seed=0).round(3).tolist()
    [1.0, 0.0, -1.0]
    """
    noise = _noise(length, sigma, seed)
    steps = np.arange(1, length + 1)
    return _series("noisy_sine", np.sin(2 * np.pi * steps / period) + noise, sigma**2)


def ar1(length: int = 1000, *, phi: float = 0.9, sigma: float = 1.0, seed: int) -> pd.Series:
    """Make x_t = phi x_{t-1} + sigma e_t, started in its stationary distribution; |phi| < 1.

    Examples
    --------
    >>> ar1(500, seed=0).attrs["floor"]
    1.0
    """
    phi = number_between("phi", phi, -1, 1)
    noise = _noise(length, sigma, seed)
    noise[0] /= np.sqrt(1 - phi**2)
    values = accumulate(noise.tolist(), lambda last, shock: phi * last + shock)
    return _series("ar1", np.fromiter(values, dtype=float), sigma**2)


def ma1(length: int = 1000, *, theta: float = 0.9, sigma: float = 1.0, seed: int) -> pd.Series:
    """Make x_t = e_t + theta e_{t-1} with e of standard deviation sigma; |theta| < 1.

    Its floor is met by a latent state (the last shock); a window of n values stays above it, see
    `ma1_floor`.

    Examples
    --------
    >>> ma1(500, seed=0).attrs["floor"]
    1.0
    """
    theta = number_between("theta", theta, -1, 1)
    noise = _noise(positive_integer("length", length) + 1, sigma, seed)
    return _series("ma1", noise[1:] + theta * noise[:-1], sigma**2)


def random_walk(length: int = 1000, *, sigma: float = 1.0, seed: int) -> pd.Series:
    """Make x_t = x_{t-1} + sigma e_t, where nothing beats the last value.

    Its mean squared error k steps ahead is k sigma^2.

    Examples
    --------
    >>> random_walk(500, sigma=2.0, seed=0).attrs["floor"]
    4.0
    """
    return _series("random_walk", np.cumsum(_noise(length, sigma, seed)), sigma**2)


def ar1_floor(phi: float, sigma: float, step: int) -> float:
    """Return the least mean squared error of AR(1) so many steps ahead.

    Examples
    --------
    >>> ar1_floor(0.5, 1.0, 1), ar1_floor(0.5, 1.0, 2)
    (1.0, 1.25)
    """
    return float(sigma**2 * (1 - phi ** (2 * step)) / (1 - phi**2))


def ma1_floor(theta: float, sigma: float, context_length: int) -> float:
    """Return the least one-step mean squared error of MA(1) from a window of values.

    Examples
    --------
    >>> round(ma1_floor(0.9, 1.0, 1), 4), round(ma1_floor(0.9, 1.0, 50), 4)
    (1.3625, 1.0)
    """
    n = context_length
    return float(sigma**2 * (1 - theta ** (2 * (n + 2))) / (1 - theta ** (2 * (n + 1))))


def _noise(length: int, sigma: float, seed: int) -> np.ndarray:
    length = positive_integer("length", length)
    sigma = number_between("sigma", sigma, 0, np.inf, ends="left")
    return sigma * np.random.default_rng(seed).standard_normal(length)


def _series(name: str, values: np.ndarray, floor: float) -> pd.Series:
    series = pd.Series(values, index=pd.RangeIndex(1, len(values) + 1), name=name)
    series.attrs["floor"] = floor
    return series
