"""How the steps of a forecast belong together, and how wide each must be."""

from __future__ import annotations

import torch
from scipy.optimize import brentq
from torch import Tensor

from forecast.networks.heads.base import NORMAL


def noise_factor(
    scores: Tensor, observed_mask: Tensor, independent: float = 0.0, usual: float = 0.0
) -> Tensor:
    """Return the Cholesky factor (R, R) of the covariance between the steps of a block.

    Parameters
    ----------
    scores : Tensor (N, R)
        Normal scores of the targets of the validation part (probability integral transforms, as
        quantiles of the standard normal). Were the head right, each would have variance 1; more
        widens its quantiles and paths, less narrows them.
    observed_mask : Tensor (N, R)
        Which targets were observed.
    independent : float
        How many scores of a step are.
    usual : float
        What correlation of two steps is usual, on average over all pairs of them.

    Notes
    -----
    A few wild series would widen the bands of all, so where many scores are independent, the width
    is that of the band that holds four of five of them. With few blocks the variances are shrunk
    towards their mean and the correlations towards `walk_like` ones. How much steps have in common
    is then believed of `usual`: few scores of one short time share a level, which is off and tells
    nothing of how it is off elsewhere.
    """
    steps = scores.shape[1]
    # clipped at 5 standard deviations: one outlier must not widen every interval
    scores = torch.where(observed_mask, scores, 0.0).clamp(-5, 5).double()
    together = observed_mask.double().T @ observed_mask.double()  # pairs of steps both observed
    count = together.diagonal()
    pooled = (scores.square().sum() + 1) / (count.sum() + 1)  # without any scores: 1
    own = scores.square().sum(0) / count.clamp(min=1)
    many = independent / (independent + 50)
    if many:
        size = torch.where(observed_mask, scores.abs(), torch.nan)
        pooled = pooled.lerp(_held(size.flatten()), many)
        own = own.lerp(torch.where(count > 0, _held(size), pooled), many)
    trust = count / (count + 50)
    variance = trust * own + (1 - trust) * pooled
    size = variance.clamp(1e-4, 9.0).sqrt()  # (R,)
    scores = scores / size
    sample = scores.T @ scores / together.clamp(min=1)
    told = pairs(sample)[pairs(together) > 0]
    found = told.mean().item() if len(told) else usual
    smooth = walk_like(usual + many * (found - usual), steps).to(sample)
    weight = together / (together + 4 * steps)
    mixed = weight * sample + (1 - weight) * smooth
    mixed.fill_diagonal_(1.0)
    # with gaps each pair has its own sample, so the mixture may have a negative eigenvalue
    values, vectors = torch.linalg.eigh(mixed)
    mixed = vectors @ torch.diag(values.clamp(min=1e-4)) @ vectors.T
    to_scores = size * mixed.diagonal().rsqrt()
    return torch.linalg.cholesky(to_scores[:, None] * mixed * to_scores)


def walk_like(mean: float, steps: int) -> Tensor:
    """Return correlations (R, R), (j / k)^a between steps j <= k, which are `mean` on average.

    The mean is over all pairs of steps: it tells how wide sums over the steps are. With a = 1/2
    they are those of a random walk. What is off at one step lasts: far steps have more in common
    than those of an autoregression.

    Examples
    --------
    >>> [[round(each, 2) for each in row] for row in walk_like(0.7, 3).tolist()]
    [[1.0, 0.71, 0.58], [0.71, 1.0, 0.82], [0.58, 0.82, 1.0]]
    """
    if steps == 1 or mean < 0.01:
        return torch.eye(steps, dtype=torch.float64)
    ratio, mean = step_ratios(steps), min(mean, 0.99)
    above = pairs(ratio)
    power: float = brentq(lambda a: (above**a).mean().item() - mean, 0.0, 1e6)
    return ratio**power


def step_ratios(steps: int) -> Tensor:
    """Return j / k of the steps j <= k, (R, R)."""
    step = torch.arange(1, steps + 1, dtype=torch.float64)
    return torch.minimum(step[:, None], step) / torch.maximum(step[:, None], step)


def pairs(matrix: Tensor) -> Tensor:
    """Return what a matrix (R, R) says of each pair of steps: what stands above its diagonal."""
    return matrix[torch.ones_like(matrix, dtype=torch.bool).triu(1)]


def _held(size: Tensor) -> Tensor:
    """Return the variance of a normal variable whose 80 % band holds 80 % of sizes (N, ...)."""
    return (size.nanquantile(0.8, dim=0) / NORMAL.inv_cdf(0.9)).square()
