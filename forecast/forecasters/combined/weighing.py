"""Weights of forecasters from their past errors.

Inverse errors: Bates and Granger, "The combination of forecasts", 1969; that weights must be shrunk
to be better than equal ones: Stock and Watson, "Combination forecasts of output growth in a
seven-country data set", 2004; that the worst are better left out: Granger and Jeon, "Thick
modeling", 2004. Letters: n series, K past origins, M members.
"""

from __future__ import annotations

import numpy as np

# A member that errs by a tenth less has 1.1^10 = 2.6 times the weight.
POWER = 10.0
# What all series have in common counts as so many independent origins of a series' own, and the
# prior as so many of all.
COMMON = 20.0
# A member of a smaller weight is left out: there is little that it can gain, and where it is far
# off even a small share of its error is much.
LEAST = 0.05
# An error counts as at least this share of the largest member's: one that is nearly zero says
# little more than a small one.
SMALLEST = 1e-2


def weigh(
    errors: np.ndarray, independent: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of each series (n, M), and those of a series without errors (M,).

    With r_im the mean error of member m in series i, as a multiple of the geometric mean of all
    members' by their priors, log r_im leans on its mean over the series, and this on 0: a few
    origins of one series say little. The weight is prior_m / r_im^10; those below .05 become 0.

    Parameters
    ----------
    errors
        (n, K, M), mean absolute errors of each origin; NaN: not known.
    independent
        (n,), as how many independent origins those of a series count.
    prior
        (M,), weights where errors tell nothing.

    Examples
    --------
    >>> errors = np.array([[[1.0, 2.0]] * 3])
    >>> shares, _ = weigh(errors, independent=np.array([3.0]), prior=np.ones(2))
    >>> shares.round(2).tolist()
    [[0.84, 0.16]]
    """
    known = ~np.isnan(errors).any(2)  # (n, K)
    count = np.maximum(known.sum(1), 1)[:, None]
    mean = np.where(known[..., None], errors, 0.0).sum(1) / count  # (n, M)
    largest = mean.max(1, keepdims=True)  # (n, 1)
    told = largest > 0
    worth = np.where(told, independent[:, None], 0.0)  # (n, 1)
    size = np.log(np.where(told, np.maximum(mean, SMALLEST * largest), 1.0))
    size -= (size @ prior / prior.sum())[:, None]
    common = (worth * size).sum(0) / (worth.sum() + COMMON)  # (M,)
    own = (worth * size + COMMON * common) / (worth + COMMON)
    return _normed(own, prior), _normed(common, prior)


def _normed(size: np.ndarray, prior: np.ndarray) -> np.ndarray:
    shares = prior * np.exp(-POWER * size)
    shares /= shares.sum(-1, keepdims=True)
    least = np.minimum(LEAST, shares.max(-1, keepdims=True))  # of many alike none has so much
    kept: np.ndarray = np.where(shares < least, 0.0, shares)
    return kept / kept.sum(-1, keepdims=True)
