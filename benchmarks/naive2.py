"""Naive2, the yardstick of the M competitions: the last value, seasonally adjusted.

Makridakis et al., 2020, "The M4 Competition"; the rules are those of its published R code.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.tsa.seasonal import seasonal_decompose
from statsmodels.tsa.stattools import acf

from forecast.evaluation.metrics import mase, smape

Z90 = 1.645  # two-sided 90 %


def is_seasonal(x: np.ndarray, m: int) -> bool:
    """Tell whether the autocorrelation at lag m passes the test at 90 %."""
    if m == 1 or len(x) < 3 * m or m > int(10 * np.log10(len(x))):
        return False
    r = acf(x, nlags=m, fft=False)[1:]
    limit = Z90 * np.sqrt((1 + 2 * np.sum(r[:-1] ** 2)) / len(x))
    return bool(abs(r[-1]) > limit)


def naive2(x: np.ndarray, horizon: int, m: int) -> np.ndarray:
    """Return the forecasts of one series, (H,).

    Examples
    --------
    >>> naive2(np.array([1.0, 2.0, 3.0]), 2, 1).tolist()
    [3.0, 3.0]
    """
    if not is_seasonal(x, m):
        return np.full(horizon, x[-1])
    season = seasonal_decompose(x, model="multiplicative", period=m).seasonal
    ahead = season[(len(x) + np.arange(horizon)) % m]
    return x[-1] / season[-1] * ahead


def naive2_scores(y: pd.DataFrame, horizon: int, m: int) -> tuple[float, float]:
    """Return mean sMAPE and mean MASE over the last steps of every series of a long frame."""
    series = {key: own.to_numpy() for key, own in y.groupby("unique_id")["y"]}
    return _scores(tuple(own.tobytes() for own in series.values()), horizon, m)


@functools.cache
def _scores(series: tuple[bytes, ...], horizon: int, m: int) -> tuple[float, float]:
    scores = []
    for own in series:
        x = np.frombuffer(own)
        past, actual = x[:-horizon], x[-horizon:]
        ahead = naive2(past, horizon, m)
        scores.append((smape(actual, ahead), mase(actual, ahead, past, m)))
    means: Any = np.nanmean(scores, axis=0)
    return float(means[0]), float(means[1])
