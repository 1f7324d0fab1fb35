"""Linear recursions over a batch of series, each with its own coefficients and lags."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def autoregress(shocks: Floats, coefficients: Floats, lag: Numbers | int = 1) -> Floats:
    """Return x_t = sum_k c_k x_{t - k lag} + e_t, zero before the start.

    Parameters
    ----------
    shocks : ndarray (B, N)
        e.
    coefficients : ndarray (B, p)
        c_1 ... c_p of every series.
    lag : int or ndarray (B,)
        The step of the recursion: 1, or the season of every series.

    Examples
    --------
    >>> autoregress(np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([[0.5]])).tolist()
    [[1.0, 0.5, 0.25, 0.125]]
    >>> autoregress(np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([[0.5]]), 2).tolist()
    [[1.0, 0.0, 0.5, 0.0]]
    """
    size, length = shocks.shape
    order = coefficients.shape[1]
    lags = np.broadcast_to(np.asarray(lag), (size,))
    reach = int(lags.max(initial=1)) * order
    # time first: one step of all series lies together in memory
    x = np.zeros((reach + length, size))
    x[reach:] = shocks.T
    flat, columns = x.reshape(-1), np.arange(size)
    back = [(reach - (k + 1) * lags) * size + columns for k in range(order)]
    weights = [np.ascontiguousarray(coefficients[:, k]) for k in range(order)]
    for t in range(length):
        row = x[reach + t]
        for offset, weight in zip(back, weights, strict=True):
            row += weight * flat[offset + t * size]
    return np.ascontiguousarray(x[reach:].T)


def moving_average(shocks: Floats, coefficients: Floats, lag: Numbers | int = 1) -> Floats:
    """Return x_t = e_t + sum_k c_k e_{t - k lag}, with e zero before the start.

    Examples
    --------
    >>> moving_average(np.array([[1.0, 0.0, 0.0]]), np.array([[0.5]])).tolist()
    [[1.0, 0.5, 0.0]]
    """
    size, length = shocks.shape
    lags = np.broadcast_to(np.asarray(lag), (size,))
    x = shocks.copy()
    for k in range(coefficients.shape[1]):
        at = np.arange(length) - (k + 1) * lags[:, None]
        past = np.take_along_axis(shocks, np.maximum(at, 0), 1) * (at >= 0)
        x += coefficients[:, k : k + 1] * past
    return x
