"""How errors grow with the steps ahead, measured where a model would have erred before.

A recursion says how an error goes on, and so how wide its bands become, if its errors do not depend
on each other. Of a series for which the model is wrong they do: the changes of white noise take
each other back, and a random walk through it claims far too much.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from forecast.forecasters.calibration import BORROWED, wider


class Past(NamedTuple):
    """Past one-step errors of all series, to be summed; series after series, in the order of time.

    Attributes
    ----------
    errors
        (E,); that of a missing value is zero, and the next one has it all.
    owners
        (E,), the series of each.
    place
        (E,), how many errors came just before it.
    ends, begins
        (E,), whether a forecast for the value, or from the one before it, can be measured: neither
        may be missing.
    """

    errors: np.ndarray
    owners: np.ndarray
    place: np.ndarray
    ends: np.ndarray
    begins: np.ndarray

    @classmethod
    def of(cls, errors: np.ndarray, owners: np.ndarray, follows: np.ndarray) -> Past:
        """Take errors of observed values; those on both sides of a gap are not summed.

        `follows` tells whether each is the error of the step after that of the one before it.
        """
        all_of_them = np.ones(len(errors), dtype=bool)
        return cls(errors, owners, _run(follows), all_of_them, all_of_them)

    def reach(self, horizon: int) -> int:
        """Return how many steps ahead errors of the longest series can tell of, at most H."""
        return min(horizon, max(int(np.bincount(self.owners, minlength=1).max()), 1))


def growth(past: Past, claimed: np.ndarray, echo: np.ndarray) -> np.ndarray:
    """Return by which factor errors j steps ahead were larger than independent ones would be.

    With the echo psi, a forecast for T made j steps before was off by E_j(T) = sum_{i < j} psi_i
    e_{T - i}. If errors with the mean m and the variance s^2 are independent, its mean square is
    s^2 sum_{i < j} psi_i^2 + (m sum_{i < j} psi_i)^2; the ratio of both is the variance ratio of Lo
    and MacKinlay, "Stock market prices do not follow random walks", 1988. That of step j is known
    from T / j errors that share none, and leans on that of the step before.

    Parameters
    ----------
    past
        One-step errors; a series of which they are NaN tells nothing.
    claimed
        (n, H), the mean square if they are independent, of `independent_squares`.
    echo
        (n, H), what an error of one adds to its own step and to those after it.

    Returns
    -------
    (n, H), 1 at the first step, and where a series owns no errors.

    Examples
    --------
    >>> ups_and_downs, echo = np.tile([1.0, -1.0], 50), np.ones((1, 4))
    >>> past = Past.of(ups_and_downs, np.zeros(100, dtype=int), np.arange(100) > 0)
    >>> growth(past, independent_squares(ups_and_downs, np.array([0, 100]), echo), echo).round(
    ...     2
    ... ).tolist()
    [[1.0, 0.27, 0.56, 0.21]]
    """
    n, horizon = echo.shape
    owners, ratio, reach = past.owners, np.ones((n, horizon)), past.reach(horizon)
    for j, missed, known in _ahead(past, echo[:, :reach]):
        ratio[:, j] = ratio[:, j - 1]
        if not echo[:, j].any():  # errors so far ahead are those of the step before
            continue
        left = np.bincount(owners[known], minlength=n)
        square = np.bincount(owners[known], np.square(missed[known]), n)
        with np.errstate(divide="ignore", invalid="ignore"):
            measured = square / left / claimed[:, j]
        told = (left > 0) & (echo[:, j] != 0) & np.isfinite(measured)
        new = left / (j + 1)
        # errors that share some steps are partly new: twice the degrees of freedom
        measured *= np.square(wider(2 * (new + BORROWED)))
        leaning = (new * measured + BORROWED * ratio[:, j]) / (new + BORROWED)
        ratio[told, j] = leaning[told]
    ratio[:, reach:] = ratio[:, [reach - 1]]
    return np.sqrt(ratio)


def decorrelation(
    past: Past, variance: np.ndarray, echo: np.ndarray, factors: np.ndarray
) -> np.ndarray:
    """Return by which share correlations of steps are lower than in the recursion, (n,).

    If errors take each other back, a path is narrower than the recursion says, and so are sums over
    its steps: even narrower, for what is off at one step is not at the next. The share w is the one
    by which all correlations must be lower so that sums over all steps are as wide as they were at
    past origins. That is known from T / H errors, and leans on the recursion.

    Parameters
    ----------
    past, echo
        As of `growth`.
    variance
        (n,), of the errors of one step.
    factors
        (n, H), by how much the steps of paths are wider than in the recursion.

    Examples
    --------
    >>> noise, echo = np.random.default_rng(0).normal(size=2_000), np.ones((1, 4))
    >>> changes = np.diff(noise)
    >>> past = Past.of(changes, np.zeros(1_999, dtype=int), np.arange(1_999) > 0)
    >>> same = np.array([[1.0, 0.5, 0.33, 0.25]]) ** 0.5
    >>> decorrelation(past, np.array([2.0]), echo, same).round(1).tolist()
    [0.3]
    """
    n, horizon = echo.shape
    if past.reach(horizon) < horizon:
        return np.zeros(n)
    total, whole = past.errors.copy(), past.ends.copy()
    for j, missed, known in _ahead(past, echo):
        total[:-j] += missed[j:]
        whole[:-j] &= known[j:]
        whole[-j:] = False
    left = np.bincount(past.owners[whole], minlength=n)
    square = np.bincount(past.owners[whole], np.square(total[whole]), n)
    lasts = [(factors[:, i:] * echo[:, : horizon - i]).sum(1) for i in range(horizon)]
    claimed = variance * np.square(lasts).sum(0)  # of sums, and without any correlation
    alone = variance * (np.square(factors) * np.cumsum(np.square(echo), axis=1)).sum(1)
    new = left / horizon
    measured = square / np.maximum(left, 1) * np.square(wider(2 * (new + BORROWED)))
    leaning = (new * measured + BORROWED * claimed) / (new + BORROWED)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (claimed - leaning) / (claimed - alone)
    return np.where(claimed > alone, np.clip(share, 0.0, 1.0), 0.0)


def _ahead(past: Past, echo: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield j = 1, ..., H - 1, the errors j + 1 steps ahead, at their ends, and which are known."""
    missed, owners = past.errors.copy(), past.owners
    for j in range(1, echo.shape[1]):
        missed[j:] += echo[owners[j:], j] * past.errors[: len(missed) - j]
        known = past.ends & (past.place >= j)
        known[j:] &= past.begins[: len(missed) - j]
        yield j, missed, known


def _run(follows: np.ndarray) -> np.ndarray:
    """Return how many errors without a gap between them came just before each."""
    place = np.arange(len(follows))
    return place - np.maximum.accumulate(np.where(follows, 0, place))


def independent_squares(values: np.ndarray, offsets: np.ndarray, echo: np.ndarray) -> np.ndarray:
    """Return the mean square of errors (n, H) if those of one step are independent.

    Series i draws from values[offsets[i]:offsets[i + 1]].
    """
    counts = np.diff(offsets)
    values, owners = values[: offsets[-1]], np.repeat(np.arange(len(counts)), counts)
    size = np.maximum(counts, 1)[:, None]
    mean = np.bincount(owners, values, len(counts))[:, None] / size
    square = np.bincount(owners, np.square(values), len(counts))[:, None] / size
    variance = np.maximum(square - mean**2, 0.0)
    return variance * np.cumsum(echo**2, axis=1) + (mean * np.cumsum(echo, axis=1)) ** 2
