"""The negative binomial distribution per step: counts that vary more than a Poisson's."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from scipy.stats import nbinom
from torch import Tensor
from torch.nn.functional import softplus

from forecast.networks.heads.base import Head, by_numpy


class NegativeBinomialHead(Head):
    """Counts with mean m and variance m + w^2 (Salinas et al., 2020); w -> 0 is the Poisson's.

    m is level + spread * location, kept above zero, and w = spread * softplus of the second
    parameter, so both begin where a naive forecast does. The mean of quantile functions is no
    negative binomial; members are merged into the one with the mean location and the mean w.

    Examples
    --------
    >>> head = NegativeBinomialHead()
    >>> level, spread = torch.tensor([[3.0]]), torch.tensor([[2.0]])
    >>> params = head.attach_scale(torch.tensor([[[0.0, -30.0]]]), level, spread)
    >>> z = (torch.tensor([[0.0]]) - level) / spread
    >>> round((head.loss(params, z).neg().exp() / spread).item(), 3)  # exp(-3), as Poisson's
    0.05
    """

    n_params = 2
    counts = True

    def attach_scale(self, params: Tensor, level: Tensor, spread: Tensor) -> Tensor:
        """Append level and spread, (..., r, 4)."""
        scale = torch.broadcast_tensors(level, spread, params[..., 0])[:2]
        return torch.cat([params, torch.stack(scale, -1)], -1)

    def merge(self, params: Tensor) -> Tensor:
        """Average location and w; level and spread are the same for all members."""
        return torch.cat([super().merge(params[..., :2]), params[..., 0, :, 2:]], -1)

    def loss(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the negative log-likelihood, of z: log(spread) less than that of y."""
        mean, size, level, spread = domain_map(params)
        y = (level + spread * z).round().clamp(min=0)
        ways = (y + size).lgamma() - size.lgamma() - (y + 1).lgamma()
        shares = y * (mean.log() - (size + mean).log()) - size * (mean / size).log1p()
        return -(ways + shares + spread.log()).to(params)

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean."""
        mean, _, level, spread = domain_map(params)
        return ((mean - level) / spread).to(params)

    def icdf(self, params: Tensor, score: Tensor) -> Tensor:
        """Return the quantiles; their slope, for gradients, is taken to be that of the mean."""
        mean, size, level, spread = domain_map(params)
        y = by_numpy(_quantile, score.expand(mean.shape).double(), size, mean)
        return ((y - level + mean - mean.detach()) / spread).to(params)

    def normal_score(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the normal scores of counts, or of numbers between them."""
        mean, size, level, spread = domain_map(params)
        return by_numpy(_score, level + spread * z, size, mean).to(params)

    def jitter(self, params: Tensor, z: Tensor) -> Tensor:
        """Return y + U - 1/2, whose scores are normal if the head is right (Dunn, Smyth, 1996)."""
        _, _, level, spread = domain_map(params)
        noise = torch.rand(z.shape, generator=torch.Generator().manual_seed(0)).to(spread)
        return (((level + spread * z).round() + noise - 0.5 - level) / spread).to(z)


def domain_map(params: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return mean, size (n of scipy's `nbinom`), level and spread, (..., r), in float64."""
    loc, width, level, spread = params.double().unbind(-1)
    mean = spread * softplus(level / spread + loc, beta=4) + 1e-6
    size = (mean / (spread * softplus(width) + 1e-9)).square()
    return mean, size.clamp(1e-6, 1e8), level, spread


def _quantile(score: np.ndarray, size: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return Y + U - 1/2 at a level; far up it is read from the upper tail, to lose no digits."""
    tail, upper, family = ndtr(-np.abs(score)), score > 0, nbinom(size, size / (size + mean))
    k = np.where(upper, family.isf(tail), family.ppf(tail))
    share = np.where(upper, family.sf(k - 1) - tail, tail - family.cdf(k - 1)) / family.pmf(k)
    return np.asarray(k - 0.5 + share.clip(0, 1))


def _score(y: np.ndarray, size: np.ndarray, mean: np.ndarray) -> np.ndarray:
    k, family = np.floor(y + 0.5), nbinom(size, size / (size + mean))
    share = (y + 0.5 - k) * family.pmf(k)
    below, above = family.cdf(k - 1) + share, family.sf(k - 1) - share
    return np.where(below < 0.5, ndtri(below), -ndtri(above))
