"""Several distributions as one: the mean, or the median, of their quantile functions.

Vincent, "The functions of the vibrissae in the behavior of the white rat", 1912; compared with the
mixture of distributions, which is always wider: Lichtendahl, Grushka-Cockayne and Winkler, "Is it
better to average probabilities or quantiles?", 2013. Letters: M members, n series, Q levels.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from forecast.pretrained.calibration import icdf, normal_scores
from forecast.pretrained.network import LEVELS

WAYS = ("mean", "median")
MEDIAN = LEVELS.index(0.5)
EDGES = np.array([0.0, *LEVELS, 1.0])
# A path is read no further out in the joint distribution than at this normal score.
FARTHEST = 6.0


def blend(parts: np.ndarray, shares: np.ndarray, way: str) -> np.ndarray:
    """Average the members' points or quantiles at the same level.

    Parameters
    ----------
    parts
        (M, n, ...).
    shares
        (n, M), the weight of each member in each series; they add up to 1.
    way
        "mean", or "median": half of the weight lies on either side.

    Returns
    -------
    (n, ...)

    Examples
    --------
    >>> parts, shares = np.array([[[1.0]], [[2.0]], [[9.0]]]), np.full((1, 3), 1 / 3)
    >>> blend(parts, shares, "mean").item(), blend(parts, shares, "median").item()
    (4.0, 2.0)
    """
    weights = shares.T.reshape(*parts.shape[:2], *(1,) * (parts.ndim - 2))  # (M, n, ...)
    if way == "mean":
        mean: np.ndarray = (weights * parts).sum(0)
        return mean
    return _weighted_median(parts, np.broadcast_to(weights, parts.shape))


def _weighted_median(parts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the middle of the values with half of the weight on either side: mostly one value."""
    order = parts.argsort(axis=0, kind="stable")
    parts, weights = (np.take_along_axis(one, order, axis=0) for one in (parts, weights))
    # rounded, or two halves would not always meet in the middle
    total = np.round(weights.cumsum(axis=0), 12)
    ends = ((total < 0.5).sum(axis=0), (total <= 0.5).sum(axis=0).clip(max=len(parts) - 1))
    low, high = (np.take_along_axis(parts, at[None], axis=0)[0] for at in ends)
    median: np.ndarray = (low + high) / 2
    return median


def carried(
    paths: np.ndarray, own: np.ndarray, joint: np.ndarray, uniforms: np.ndarray
) -> np.ndarray:
    """Carry the paths of a member over to the joint distribution, each at its own level.

    So they keep how their steps belong together (their copula) and have the joint quantiles.

    Parameters
    ----------
    paths
        (n, H, S), drawn by the member.
    own, joint
        (n, H, Q), the quantiles of the member and those of all, at `LEVELS`.
    uniforms
        (n, H, S) in [0, 1): where several levels share a value, as the zeros of a rare demand do,
        the level is drawn.

    Returns
    -------
    (n, H, S)

    Examples
    --------
    >>> own, joint = ndtri(LEVELS)[None, None], 10 + 2 * ndtri(LEVELS)[None, None]
    >>> carried(np.array([[[0.0, 1.0]]]), own, joint, np.zeros((1, 1, 2))).round(6).tolist()
    [[[10.0, 12.0]]]
    """
    own = own[:, :, None]  # (n, H, 1, Q)
    below, within = (one.sum(-1) for one in (own < paths[..., None], own <= paths[..., None]))
    low = np.where(below > 0, EDGES[np.minimum(below + 1, len(LEVELS))], 0.0)
    high = np.where(within < len(LEVELS), EDGES[within], 1.0)
    with np.errstate(divide="ignore", over="ignore"):  # the ends, and quantiles that are all alike
        drawn = ndtri(low + uniforms * (high - low))
        scores = np.where(within > below, drawn, normal_scores(own, paths))
    read: np.ndarray = icdf(joint, np.clip(scores, -FARTHEST, FARTHEST))
    return read
