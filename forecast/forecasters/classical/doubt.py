"""What a short history leaves open of a recursion: its gains, and where level and season stand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from forecast.forecasters.classical.recursion import Recursion, Smoothing
from forecast.forecasters.sampling import blocks

# How far off gains and damping may be where a history tells nothing of them: both lie in [0, 1],
# damping near its end.
GAIN, DAMPING = 0.3, 0.1
STEP = 1e-4  # of finite differences, in these widths


def doubts(
    starts: Sequence[Smoothing], learned: Sequence[np.ndarray], values: Sequence[np.ndarray]
) -> np.ndarray:
    """Return how far off the numbers of recursions may be after they have read their series.

    The errors e(x) tell of the numbers x before the first value: with J = de/dx these have about a
    normal distribution of precision J'J / sigma^2 (as for least squares, nonlinear ones too), and
    it is a wide one where no value tells. What they do to the numbers after the last value is taken
    for linear as well.

    Parameters
    ----------
    starts
        The recursion of each series before its first value, without the axis of series.
    learned
        (D,) bool each, which of its `numbers` were learned; r of them.
    values
        (T,) each, without gaps.

    Returns
    -------
    (n, D, R), R the largest r: after the last value the numbers are off by it times R standard
    normal ones.

    Examples
    --------
    A gain that is known makes a level from T values as certain as their mean:

    >>> import math
    >>> from forecast.forecasters.classical.recursion import smoothing
    >>> level = smoothing(0.0, 0.0, np.zeros(1), (0.0, 0.0, 0.0))
    >>> values = np.random.default_rng(0).standard_normal(400)
    >>> off = doubts([level], [np.arange(7) == 0], [values])
    >>> round(float(off[0, 0, 0]) * math.sqrt(400), 1)
    1.0
    """
    told, lengths = np.stack(learned), np.array([len(one) for one in values])
    found = np.zeros((*told.shape, told.sum(1).max()))
    kinds, kind = np.unique(told, axis=0, return_inverse=True)
    for number, columns in enumerate(kinds):
        alike = np.flatnonzero(kind.ravel() == number)
        alike, r = alike[np.argsort(lengths[alike], kind="stable")], columns.sum()
        for block in blocks(len(alike), int(lengths[alike[-1]]) * (r + 1)):
            some = alike[block].tolist()
            parts = [starts[i] for i in some], [values[i] for i in some]
            found[some, :, :r] = _alike(columns, *parts)
    return found


def _alike(learned: np.ndarray, starts: list[Smoothing], values: list[np.ndarray]) -> np.ndarray:
    """Return the doubts (n, D, r) of series of which the same numbers were learned."""
    start = Smoothing(*map(np.stack, zip(*starts, strict=True)))
    widths = [_widths(*one) for one in zip(starts, values, strict=True)]
    off = STEP * np.stack([np.diag(width)[learned] for width in widths])  # (n, r, D)
    off = np.pad(off, [(0, 0), (1, 0), (0, 0)])
    rows, lengths = off.shape[1], np.array([len(one) for one in values])
    recursion = Recursion(start.rows(start.numbers()[:, None] + off))
    errors = []
    for t, newest in enumerate(zip_longest(*values, fillvalue=0.0)):
        errors.append(recursion.absorb(np.repeat(newest, rows), np.repeat(t < lengths, rows)))
    missed = np.stack(errors, axis=1).reshape(len(values), rows, -1)
    ends = recursion.smoothing().numbers().reshape(len(values), rows, -1)
    told = (own[:, :length] for own, length in zip(missed, lengths, strict=True))
    return np.stack([_linear(*one) for one in zip(told, ends, strict=True)])


def _linear(errors: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the doubts (D, r) of a series from errors (1 + r, T) and last numbers (1 + r, D).

    The first are those of what was learned, in each of the others one number is off.
    """
    effect, moved = ((part[1:] - part[0]).T / STEP for part in (errors, ends))  # (T, r), (D, r)
    variance = float(errors[0] @ errors[0]) / max(len(effect) - effect.shape[1], 1)
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
