"""Regimes that switch unseen, and the exact filter that nobody can beat.

Hamilton, 1989, "A new approach to the economic analysis of nonstationary time series and the
business cycle". The regime z_t is a Markov chain, the series is autoregressive in each regime:

    x_t = mu_z + phi_z x_{t-1} + sigma_z e_t,  z = z_t
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from forecast._checks import positive_integer


class Switching(NamedTuple):
    """Two regimes: the probability that one stays for another step, and what each does."""

    stay: float = 0.98
    mu: tuple[float, float] = (0.0, 0.0)
    phi: tuple[float, float] = (0.9, -0.6)
    sigma: tuple[float, float] = (0.3, 1.0)


CALM_AND_WILD = Switching()


def regime_switching(
    length: int = 1000, *, model: Switching = CALM_AND_WILD, seed: int
) -> pd.DataFrame:
    """Make a series whose regime, 0 or 1, switches unseen; columns x and regime.

    Its floor is what `hamilton_filter` reaches on the same values.

    Examples
    --------
    >>> y = regime_switching(2000, seed=0)
    >>> y.groupby("regime")["x"].std().round(1).tolist()
    [0.7, 1.2]
    """
    length = positive_integer("length", length)
    rng = np.random.default_rng(seed)
    switched = rng.random(length) > model.stay
    regime = (rng.integers(2) + switched.cumsum()) % 2
    shocks = rng.standard_normal(length) * np.take(model.sigma, regime)
    x = np.empty(length)
    last = 0.0
    for t, z in enumerate(regime):
        last = x[t] = model.mu[z] + model.phi[z] * last + shocks[t]
    return pd.DataFrame({"x": x, "regime": regime}, index=pd.RangeIndex(1, length + 1))


def hamilton_filter(values: npt.ArrayLike, *, model: Switching = CALM_AND_WILD) -> pd.DataFrame:
    """Return the best one-step forecasts of a switching series whose parameters are known.

    Parameters
    ----------
    values : array (T,)
        x_1 ... x_T.
    model : Switching
        The two regimes.

    Returns
    -------
    pandas.DataFrame
        A row for each of x_2 ... x_T: `mean`, the forecast; `log_density`, log p(x_t | past);
        `probability`, that of regime 1 once x_t is known.

    Examples
    --------
    >>> y = regime_switching(2000, seed=0)
    >>> found = hamilton_filter(y["x"])
    >>> float(((found["probability"] > 0.5) == y["regime"][1:].to_numpy()).mean().round(2))
    0.97
    """
    x = np.asarray(values, dtype=float)
    mu, phi, sigma = (np.array(part) for part in model[1:])
    means = mu + phi * x[:-1, None]  # (T - 1, 2), one for each regime
    densities = norm.pdf(x[1:, None], means, sigma)
    stays = np.array([[model.stay, 1 - model.stay], [1 - model.stay, model.stay]])
    probability, rows = np.array([0.5, 0.5]), []
    for mean, density in zip(means, densities, strict=True):
        prior = stays @ probability  # p(z_t | x_1 ... x_{t-1})
        joint = prior * density  # p(z_t, x_t | x_1 ... x_{t-1})
        probability = joint / joint.sum()  # p(z_t | x_1 ... x_t)
        rows.append((prior @ mean, np.log(joint.sum()), probability[1]))
    return pd.DataFrame(rows, columns=["mean", "log_density", "probability"])
