"""Series made by a known rule, so that the best possible error is known too.

Each generator returns a Series over the whole numbers 1 .. length, or a frame if there are
covariates; `attrs["floor"]` is the mean squared error, in squared units of the series, that no
one-step forecast from the past can beat. Series of symbols are in `symbols.py`, dynamical systems
in `systems.py`, hidden regimes in `regimes.py`, and tasks to train on, batch by batch, in
`tasks.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def sine_mixture(
    length: int = 1000,
    *,
    periods: Sequence[float] = (24, 168),
    amplitudes: Sequence[float] = (1.0, 0.6),
    sigma: float = 0.0,
    seed: int,
) -> pd.Series:
    """Make x_t = sum_j A_j sin(2 pi t / P_j + phase_j) + sigma e_t, with phases from U(0, 2 pi).

    Without noise it obeys a linear recurrence of two lags per sine, so that a window of
    2 len(periods) values is enough.

    Examples
    --------
    >>> y = sine_mixture(100, periods=[12], amplitudes=[1.0], seed=0)
    >>> bool(np.allclose(y[2:], 2 * np.cos(2 * np.pi / 12) * y[1:-1].values - y[:-2].values))
    True
    """
    noise = _noise(length, sigma, seed)
    phases = np.random.default_rng([seed, 1]).uniform(0, 2 * np.pi, len(periods))
    angles = 2 * np.pi * np.arange(1, length + 1)[:, None] / np.asarray(periods) + phases
    return _series("sine_mixture", np.sin(angles) @ np.asarray(amplitudes) + noise, sigma**2)


def irregular_sine(
    length: int = 1000, *, frequency: float = 0.3, sigma: float = 0.1, seed: int
) -> pd.DataFrame:
    """Make x = sin(frequency t) + sigma e at moments t an Exp(1) apart.

    The column `elapsed` is the time since the value before; the floor holds for models that see it.

    Examples
    --------
    >>> y = irregular_sine(3, sigma=0.0, seed=0)
    >>> bool(np.allclose(y["x"], np.sin(0.3 * y["elapsed"].cumsum())))
    True
    """
    noise = _noise(length, sigma, seed)
    elapsed = np.random.default_rng([seed, 1]).exponential(size=length)
    x = _series("x", np.sin(frequency * elapsed.cumsum()) + noise, sigma**2)
    return x.to_frame().assign(elapsed=elapsed)


def echo(length: int = 1000, *, lag: int = 20, sigma: float = 0.5, seed: int) -> pd.DataFrame:
    """Make blocks of lag + 1 steps: a cue of +-1, noise sigma e_t, and the cue once more.

    The column `flag` is 1 where the cue comes back. From fewer than `lag` values nothing is
    known about those steps (a mean squared error of 1), from `lag` values everything (0).

    Examples
    --------
    >>> echo(6, lag=2, sigma=0.0, seed=1)["x"].tolist()
    [1.0, 0.0, 1.0, -1.0, 0.0, -1.0]
    """
    lag = positive_integer("lag", lag)
    x = _noise(length, sigma, seed)
    cues = np.random.default_rng([seed, 1]).choice([-1.0, 1.0], size=length)
    block, place = np.divmod(np.arange(length), lag + 1)
    x = np.where((place == 0) | (place == lag), cues[block], x)
    series = _series("x", x, (1 + (lag - 1) * sigma**2) / (lag + 1))
    return series.to_frame().assign(flag=(place == lag).astype(float))


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


def described_curves(
    n_series: int = 500, length: int = 60, *, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make curves that a few numbers tell whole: y_t = A sin(w t + phase) + b t.

    A ~ U(.5, 2), w ~ U(.1, .4), phase ~ U(0, 2 pi), b ~ U(-.02, .02): nothing is left to chance.

    Returns
    -------
    curves, static
        A column per curve, and a row per curve: A, w, cosine and sine of the phase, b.

    Examples
    --------
    >>> curves, static = described_curves(2, 3, seed=0)
    >>> curves.shape, static.columns.tolist()
    ((3, 2), ['amplitude', 'frequency', 'cosine', 'sine', 'slope'])
    >>> one = static.iloc[0]
    >>> phase = np.arctan2(one.sine, one.cosine)
    >>> y = one.amplitude * np.sin(one.frequency + phase) + one.slope
    >>> bool(np.isclose(y, curves.iloc[0, 0]))
    True
    """
    rng = np.random.default_rng(seed)
    ranges = {"amplitude": (0.5, 2), "frequency": (0.1, 0.4), "slope": (-0.02, 0.02)}
    drawn = {name: rng.uniform(*ends, n_series) for name, ends in ranges.items()}
    phase = rng.uniform(0, 2 * np.pi, n_series)
    t = np.arange(1, length + 1)[:, None]
    waves = drawn["amplitude"] * np.sin(drawn["frequency"] * t + phase)
    names = [f"curve{i}" for i in range(n_series)]
    curves = pd.DataFrame(waves + drawn["slope"] * t, pd.RangeIndex(1, length + 1), names)
    static = pd.DataFrame(drawn | {"cosine": np.cos(phase), "sine": np.sin(phase)}, names)
    return curves, static[["amplitude", "frequency", "cosine", "sine", "slope"]]


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
