"""How errors grow with the steps ahead, measured where a model would have erred before.

A recursion says how an error goes on, and so how wide its bands become, if its errors do not depend
on each other. Of a series for which the model is wrong they do: the changes of white noise take
each other back, and a random walk through it claims far too much.
"""

from __future__ import annotations

import numpy as np

from forecast.forecasters.calibration import BORROWED, wider


def growth(
    values: np.ndarray,
    means: np.ndarray,
    offsets: np.ndarray,
    follows: np.ndarray,
    echo: np.ndarray,
) -> np.ndarray:
    """Return by which factor errors j steps ahead were larger than independent ones would be.

    With the echo psi, a forecast for T made j steps before was off by E_j(T) = sum_{i < j} psi_i
    e_{T - i}. If errors with the mean m and the variance s^2 are independent, its mean square is
    s^2 sum_{i < j} psi_i^2 + (m sum_{i < j} psi_i)^2; the ratio of both is the variance ratio of Lo
    and MacKinlay, "Stock market prices do not follow random walks", 1988. That of step j is known
    from T / j errors that share none, and leans on that of the step before. Those
    on both sides of a gap are not summed.

    Parameters
    ----------
    values
        One-step errors as paths draw them, series after series, each in the order of time.
    means
        (n,), what was taken off the errors of each series; NaN: it is not known, nothing is told.
    offsets
        (n + 1,); series i owns values[offsets[i]:offsets[i + 1]].
    follows
        Whether each of `values` is the error of the step after that of the one before it.
    echo
        (n, H), what an error of one adds to its own step and to those after it.

    Returns
    -------
    (n, H), 1 at the first step, and where a series owns no errors.

    Examples
    --------
    >>> ups_and_downs = np.tile([1.0, -1.0], 50)
    >>> offsets, follows = np.array([0, 100]), np.arange(100) > 0
    >>> growth(ups_and_downs, np.zeros(1), offsets, follows, np.ones((1, 4))).round(2).tolist()
    [[1.0, 0.27, 0.56, 0.21]]
    """
    n, horizon = echo.shape
    counts = np.diff(offsets)
    owners = np.repeat(np.arange(n), counts)
    place = _run(follows[: len(owners)])
    drawn = values[: len(owners)]
    claimed = _independent(drawn, owners, counts, echo)
    errors = drawn + means[owners]
    missed = errors.copy()  # E_j, at T
    ratio, reach = np.ones((n, horizon)), min(horizon, max(counts.max(initial=1), 1))
    for j in range(1, reach):
        ratio[:, j] = ratio[:, j - 1]
        if not echo[:, j].any():  # errors so far ahead are those of the step before
            continue
        missed[j:] += echo[owners[j:], j] * errors[: len(missed) - j]
        known = place >= j
        left = np.bincount(owners[known], minlength=n)
        square = np.bincount(owners[known], np.square(missed[known]), n)
        with np.errstate(divide="ignore", invalid="ignore"):
            measured = square / left / claimed[:, j]
        told = (left > 0) & (echo[:, j] != 0) & np.isfinite(measured)
        independent = left / (j + 1)
        # errors that share some steps are partly new: twice the degrees of freedom
        measured *= np.square(wider(2 * (independent + BORROWED)))
        leaning = (independent * measured + BORROWED * ratio[:, j]) / (independent + BORROWED)
        ratio[told, j] = leaning[told]
    ratio[:, reach:] = ratio[:, [reach - 1]]
    return np.sqrt(ratio)


def _run(follows: np.ndarray) -> np.ndarray:
    """Return how many errors without a gap between them came just before each."""
    place = np.arange(len(follows))
    return place - np.maximum.accumulate(np.where(follows, 0, place))


def _independent(
    values: np.ndarray, owners: np.ndarray, counts: np.ndarray, echo: np.ndarray
) -> np.ndarray:
    """Return the mean square of errors (n, H) if those of one step are independent."""
    size = np.maximum(counts, 1)[:, None]
    mean = np.bincount(owners, values, len(counts))[:, None] / size
    square = np.bincount(owners, np.square(values), len(counts))[:, None] / size
    variance = np.maximum(square - mean**2, 0.0)
    return variance * np.cumsum(echo**2, axis=1) + (mean * np.cumsum(echo, axis=1)) ** 2
