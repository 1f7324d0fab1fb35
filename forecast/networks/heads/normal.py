"""A normal distribution per step."""

from __future__ import annotations

from torch import Tensor

from forecast.networks.heads.base import Head, loc_scale


class NormalHead(Head):
    """Normal distribution: location and standard deviation, negative log-likelihood."""

    n_params = 2

    def loss(self, params: Tensor, z: Tensor) -> Tensor:
        """Return -log N(z) = log scale + ((z - loc) / scale)^2 / 2 + log(2 pi) / 2."""
        loc, scale = loc_scale(params)
        return scale.log() + 0.5 * ((z - loc) / scale).square() + 0.9189385332046727

    def mean(self, params: Tensor) -> Tensor:
        """Return the location."""
        return params[..., 0]

    def icdf(self, params: Tensor, score: Tensor) -> Tensor:
        """Return loc + scale * score."""
        loc, scale = loc_scale(params)
        return loc + scale * score

    def normal_score(self, params: Tensor, z: Tensor) -> Tensor:
        """Return (z - loc) / scale."""
        loc, scale = loc_scale(params)
        return (z - loc) / scale
