"""What a short history leaves open of a recursion: its gains, and where level and season stand."""

from __future__ import annotations

import numpy as np

from forecast.forecasters.classical.recursion import Recursion, Smoothing

# How far off gains and damping may be where a history tells nothing of them: both lie in [0, 1],
# damping near its end.
GAIN, DAMPING = 0.3, 0.1
STEP = 1e-4  # of finite differences, in these widths


def doubt(start: Smoothing, learned: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return how far off the numbers of a recursion may be after it has read a series.

    The errors e(x) tell of the numbers x before the first value: with J = de/dx these have about a
    normal distribution of precision J'J / sigma^2 (as for least squares, nonlinear ones too), and
    it is a wide one where no value tells. What they do to the numbers after the last value is taken
    for linear as well.

    Parameters
    ----------
    start
        The recursion of one series before its first value, without the axis of series.
    learned
        (D,) bool, which of its `numbers` were learned; r of them.
    values
        (T,), without gaps.

    Returns
    -------
    (D, r): after the last value the numbers are off by it times r standard normal ones.

    Examples
    --------
    A gain that is known makes a level from T values as certain as their mean:

    >>> import math
    >>> from forecast.forecasters.classical.recursion import smoothing
    >>> level = smoothing(0.0, 0.0, np.zeros(1), (0.0, 0.0, 0.0))
    >>> values = np.random.default_rng(0).standard_normal(400)
    >>> off = doubt(level, np.arange(7) == 0, values)
    >>> round(float(off[0, 0]) * math.sqrt(400), 1)
    1.0
    """
    one = Smoothing(*(np.asarray(part)[None] for part in start))
    off = STEP * np.diag(_widths(start, values))[learned]  # (r, D)
    recursion = Recursion(one.rows(one.numbers() + np.vstack([np.zeros(len(learned)), off])[None]))
    live = np.ones(len(off) + 1, dtype=bool)
    errors = np.stack([recursion.absorb(np.full(1, value), live) for value in values], axis=1)
    ends = recursion.smoothing().numbers()
    effect, moved = ((part[1:] - part[0]).T / STEP for part in (errors, ends))  # (T, r), (D, r)
    variance = float(errors[0] @ errors[0]) / max(len(values) - len(off), 1)
    if not variance or not np.isfinite(effect).all():
        return np.zeros_like(moved)
    size, axes = np.linalg.eigh(effect.T @ effect)
    found: np.ndarray = moved @ axes / np.sqrt(np.maximum(size, 0.0) / variance + 1)
    return found


def _widths(start: Smoothing, values: np.ndarray) -> np.ndarray:
    """Return how far off each number may be at most, (D,)."""
    spread = float(np.std(values))
    season = spread / abs(float(np.mean(values))) if start.proportional else spread
    return np.r_[spread, spread, DAMPING, GAIN, GAIN, GAIN, np.full(len(start.season), season)]


def side_by_side(doubts: list[np.ndarray]) -> np.ndarray:
    """Return the doubts of several series, (D, r) each, as (n, D, R) with zeros at the end."""
    most = max(one.shape[1] for one in doubts)
    return np.stack([np.pad(one, [(0, 0), (0, most - one.shape[1])]) for one in doubts])
