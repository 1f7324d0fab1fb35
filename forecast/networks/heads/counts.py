"""What heads of counts share: they live on the scale of y, and have normal scores nevertheless.

The quantile function of a count Y jumps, so it has no inverse. Used is that of Y + U - 1/2 with U
uniform in (0, 1), which gives Y when it is rounded: its distribution function is the line between
those of Y halfway between counts (randomised quantile residuals; Dunn and Smyth, 1996).
"""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor

from forecast.networks.heads.base import Head, by_numpy


class CountHead(Head):
    """A distribution of counts y = level + spread * z; its parameters end with level and spread."""

    counts = True

    def attach_scale(self, params: Tensor, level: Tensor, spread: Tensor) -> Tensor:
        """Append level and spread, (..., r, n_params + 2)."""
        scale = torch.broadcast_tensors(level, spread, params[..., 0])[:2]
        return torch.cat([params, torch.stack(scale, -1)], -1)

    def merge(self, params: Tensor) -> Tensor:
        """Average location and widths; level and spread are the same for all members."""
        return torch.cat([super().merge(params[..., :-2]), params[..., 0, :, -2:]], -1)

    def jitter(self, params: Tensor, z: Tensor) -> Tensor:
        """Return y + U - 1/2, scaled: its normal scores are normal if the head is right."""
        level, spread = level_spread(params)
        # the same noise at every call, so that `fit` with a seed is repeatable
        noise = torch.rand(z.shape, generator=torch.Generator().manual_seed(0)).to(spread)
        return (((level + spread * z).round() + noise - 0.5 - level) / spread).to(z)


class DiscreteHead(CountHead):
    """A head that has a discrete distribution of `scipy.stats` per step.

    Its family says how parameters become a mean and shapes in target units, and the log-probability
    of counts, which torch must be able to differentiate.
    """

    @abc.abstractmethod
    def domain_map(self, params: Tensor) -> tuple[Tensor, ...]:
        """Return the mean and the shapes of the family in target units, (..., r), in float64."""

    @abc.abstractmethod
    def log_prob(self, y: Tensor, mean: Tensor, *shapes: Tensor) -> Tensor:
        """Return the log-probability of counts (..., r)."""

    @abc.abstractmethod
    def distribution(self, mean: np.ndarray, *shapes: np.ndarray) -> Any:
        """Return the frozen distribution of scipy."""

    def loss(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the negative log-likelihood, of z: log(spread) less than that of y."""
        level, spread = level_spread(params)
        y = (level + spread * z).round().clamp(min=0)
        return -(self.log_prob(y, *self.domain_map(params)) + spread.log()).to(params)

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean."""
        level, spread = level_spread(params)
        return ((self.domain_map(params)[0] - level) / spread).to(params)

    def icdf(self, params: Tensor, score: Tensor) -> Tensor:
        """Return the quantiles; their slope, for gradients, is taken to be that of the mean."""
        (level, spread), (mean, *shapes) = level_spread(params), self.domain_map(params)
        y = by_numpy(self._quantile, score.double(), mean, *shapes)
        return ((y - level + mean - mean.detach()) / spread).to(params)

    def normal_score(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the normal scores of counts, or of numbers between them."""
        level, spread = level_spread(params)
        return by_numpy(self._score, level + spread * z, *self.domain_map(params)).to(params)

    def _quantile(self, score: np.ndarray, *params: np.ndarray) -> np.ndarray:
        """Return the quantiles of Y + U - 1/2 at the levels Phi(score)."""
        # high levels are read from the upper tail: close to 1 they would lose their digits
        tail, upper, family = ndtr(-np.abs(score)), score > 0, self.distribution(*params)
        k = np.where(upper, family.isf(tail), family.ppf(tail))
        share = np.where(upper, family.sf(k - 1) - tail, tail - family.cdf(k - 1)) / family.pmf(k)
        return np.asarray(k - 0.5 + share.clip(0, 1))

    def _score(self, y: np.ndarray, *params: np.ndarray) -> np.ndarray:
        k, family = np.floor(y + 0.5), self.distribution(*params)
        share = (y + 0.5 - k) * family.pmf(k)
        below, above = family.cdf(k - 1) + share, family.sf(k - 1) - share
        return np.where(below < 0.5, ndtri(below), -ndtri(above))


def level_spread(params: Tensor) -> tuple[Tensor, Tensor]:
    """Return level and spread (..., r), the last two parameters, in float64."""
    level, spread = params[..., -2:].double().unbind(-1)
    return level, spread
