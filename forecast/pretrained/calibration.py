"""What past errors say of a distribution: how wide it should be, how its steps belong together.

An error is known by its normal score: the score s whose quantile of the forecast the value was. If
a forecast tells the truth, its scores are standard normal, whatever its unit, step or shape.
Letters: n series, K past origins, h steps, Q levels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from forecast.pretrained.network import LEVELS

Floats = NDArray[np.float64]
SCORES = ndtri(np.array(LEVELS))  # (Q,)
FAR = 1e3  # gaps between levels: a score is not read further beyond them
LARGEST = 3.0  # scores count no more than this: one outlier must not widen all bands
# The mean square of a standard normal score that is cut there.
CUT_SQUARE = 0.9950
# Independent errors that an assumption is worth: that a series is like its panel, and that a
# network is as wide as it should be.
LIKE_PANEL, LIKE_NETWORK = 32.0, 32.0
LIKE_WALK = 10.0  # origins
NEARLY_ONE, ROUNDING = 0.999, 1e-9


def icdf(table: Floats, score: Floats) -> Floats:
    """Read quantiles at normal scores: linear in the score between and beyond the levels.

    Parameters
    ----------
    table : array (..., Q)
        Quantiles at `LEVELS`.
    score : array (..., S)
        Normal scores.

    Returns
    -------
    array (..., S)

    Examples
    --------
    >>> icdf(3 + 2 * SCORES, np.array([0.0, 1.0, -4.0])).round(6).tolist()
    [3.0, 5.0, -5.0]
    """
    right = np.searchsorted(SCORES, score).clip(1, len(SCORES) - 1)
    shape = (*table.shape[:-1], score.shape[-1])
    right, table = np.broadcast_to(right, shape), np.broadcast_to(table, (*shape[:-1], len(SCORES)))
    low, high = (np.take_along_axis(table, right - back, -1) for back in (1, 0))
    share = (score - SCORES[right - 1]) / (SCORES[right] - SCORES[right - 1])
    return low + share * (high - low)


def normal_scores(table: Floats, values: Floats) -> Floats:
    """Return the normal scores of values (...) in the quantiles (..., Q); the inverse of `icdf`.

    A value on which several quantiles lie, such as the zero of a rare demand, has the score among
    theirs that is nearest to 0.

    Examples
    --------
    >>> normal_scores(3 + 2 * SCORES, np.array(5.0)).round(6).item()
    1.0
    >>> normal_scores(np.maximum(SCORES, 0.0), np.array(0.0)).item()
    0.0
    """
    below = (table < values[..., None]).sum(-1)
    within = (table <= values[..., None]).sum(-1)
    right = below.clip(1, len(SCORES) - 1)
    low, high = (
        np.take_along_axis(table, (right - back)[..., None], -1)[..., 0] for back in (1, 0)
    )
    gap = np.maximum(high - low, np.finfo(float).eps * (abs(values) + np.finfo(float).tiny))
    with np.errstate(over="ignore"):  # where there is no gap: cut off, whatever comes out
        share = np.clip((values - low) / gap, -FAR, FAR)
    between = SCORES[right - 1] + share * (SCORES[right] - SCORES[right - 1])
    first, last = SCORES[below.clip(max=len(SCORES) - 1)], SCORES[(within - 1).clip(min=0)]
    return np.where(within > below, np.clip(0.0, first, np.maximum(first, last)), between)


def squares_of(scores: Floats) -> tuple[Floats, Floats]:
    """Return the mean squares of scores (n, K, h), 1 for standard normal ones, and their worth.

    The errors of one origin belong together, and so do those of neighbouring origins: they are
    worth as many independent ones as there are origins. NaN is unknown.
    """
    known = ~np.isnan(scores)
    squares = np.where(known, np.clip(scores, -LARGEST, LARGEST) ** 2, 0.0).sum((1, 2))
    count = known.sum((1, 2))
    return squares / np.maximum(count, 1) / CUT_SQUARE, count / scores.shape[2]


def common_width(scores: Floats) -> float:
    """Return by how much the forecasts of a panel should be wider, from its scores (n, K, h).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> round(common_width(2 * rng.normal(size=(1000, 10, 1))), 1)
    1.8
    """
    squares, worth = squares_of(scores)
    return float(np.sqrt((worth @ squares + LIKE_NETWORK) / (worth.sum() + LIKE_NETWORK)))


def own_widths(scores: Floats, common: float) -> Floats:
    """Return the width of every series, (n,): its own errors, shrunken towards the panel's.

    Examples
    --------
    >>> own_widths(np.full((1, 32, 1), 2.0), common=1.0).round(2).tolist()
    [1.58]
    """
    squares, worth = squares_of(scores)
    found: Floats = np.sqrt((worth * squares + LIKE_PANEL * common**2) / (worth + LIKE_PANEL))
    return found


def dependence(scores: Floats, steps: NDArray[np.int64]) -> tuple[Floats, float]:
    """Return how the scores of a path belong together.

    Each is sqrt(c) of one that stays the same along the path, as where the level is in doubt, and
    sqrt(1 - c) of a chain (`chained`). Correlations are measured over all series and origins
    between the `steps` (h,) at hand, and shrunken towards sqrt(j / k), that of a random walk
    between its steps j < k. Those of neighbours are kept, and their mean over all pairs, so that
    sums over the steps are as wide as they were: the larger c, the more correlated are far steps.

    Returns
    -------
    correlation, lasting
        Of the chain between a step and the next, for the steps 1, 2, ...; and c.

    Examples
    --------
    >>> rng, steps = np.random.default_rng(0), np.arange(1, 7)
    >>> walk = rng.normal(size=(500, 8, 6)).cumsum(2) / np.sqrt(steps)
    >>> correlation, lasting = dependence(walk, steps)
    >>> correlation.round(1).tolist(), round(lasting, 1)
    ([0.7, 0.8, 0.9, 0.9, 0.9], 0.0)
    >>> level = (rng.normal(size=(500, 8, 1)) + rng.normal(size=(500, 8, 6))) / np.sqrt(2)
    >>> round(dependence(level, steps)[1], 1)
    0.5
    """
    z = np.clip(scores, -LARGEST, LARGEST).reshape(-1, len(steps))
    known = ~np.isnan(z)
    z = np.where(known, z, 0.0)
    squares = np.square(z).T @ known  # of a step, where the other one is known
    worth = (squares + squares.T) / 2
    walk = np.sqrt(np.minimum.outer(steps, steps) / np.maximum.outer(steps, steps))
    found = (z.T @ z + LIKE_WALK * walk) / (worth + LIKE_WALK)
    near = np.clip(found.diagonal(1), 0.0, NEARLY_ONE)

    def excess(lasting: float) -> float:
        return float((_between(near, lasting) - found).mean())

    most = near.min(initial=NEARLY_ONE)
    if len(steps) < 3 or excess(0.0) >= -ROUNDING:  # two steps are neighbours: nothing is far
        lasting = 0.0
    else:
        lasting = most if excess(most) <= 0 else brentq(excess, 0.0, most)
    gaps = np.diff(steps)
    return np.repeat(_chain(near, lasting) ** (1 / gaps), gaps), float(lasting)


def _chain(near: Floats, lasting: float) -> Floats:
    """Return the correlations that a chain has if those of neighbours are `near` (h - 1,)."""
    return (near - lasting) / (1 - lasting)


def _between(near: Floats, lasting: float) -> Floats:
    """Return the correlations (h, h) between all steps."""
    far = np.r_[0.0, np.log(np.maximum(_chain(near, lasting), 1e-9)).cumsum()]
    return lasting + (1 - lasting) * np.exp(-np.abs(np.subtract.outer(far, far)))


def chained(draws: Iterable[Floats], correlation: Floats, lasting: float) -> Iterator[Floats]:
    """Turn independent scores (n, S) into those of paths: first one that lasts, then one a step.

    c_1 = e_1, c_j+1 = r_j c_j + sqrt(1 - r_j^2) e_j+1; beyond the last r_j (h,) it holds on.
    """
    draws = iter(draws)
    common, before = np.sqrt(lasting) * next(draws), np.zeros(())
    for j, noise in enumerate(draws):
        r = correlation[min(j, len(correlation)) - 1] if j and len(correlation) else 0.0
        before = np.asarray(r * before + np.sqrt(1 - r**2) * noise)
        yield common + np.sqrt(1 - lasting) * before
