"""A quantile function per step, linear between learned quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from forecast.networks.heads.base import Head, interpolate, normal_scores

LEVELS = tuple(round(0.1 * k, 1) for k in range(1, 10))


class QuantileHead(Head):
    """Quantiles that cannot cross, trained by the pinball loss (Koenker and Bassett, 1978).

    Between and beyond its levels the quantile function is linear in the normal score, so the
    tails are normal ones.

    Parameters
    ----------
    levels : sequence of float
        Increasing levels; the location is the one nearest to the median.

    Examples
    --------
    >>> head = QuantileHead((0.1, 0.5, 0.9))
    >>> params = torch.zeros(1, 3)
    >>> [round(head.quantile(params, level).item(), 3) for level in (0.1, 0.5, 0.9, 0.99)]
    [-0.313, 0.0, 0.313, 0.569]
    """

    softplus_shift = 1.0  # softplus(-1) = .31 per .1 of level is about a standard normal's width
    levels: Tensor
    scores: Tensor
    ladder: Tensor  # (Q - 1, Q)

    def __init__(self, levels: Sequence[float] = LEVELS) -> None:
        super().__init__()
        self.n_params = len(levels)
        self.middle = min(range(len(levels)), key=lambda q: abs(levels[q] - 0.5))
        self.location = levels[self.middle]
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.register_buffer("scores", normal_scores(levels).float(), persistent=False)
        # quantile q is the location plus or minus the steps between it and the middle
        order = torch.arange(len(levels))[:, None]  # (Q, 1) against (1, Q - 1)
        step = torch.arange(len(levels) - 1)
        up = (step >= self.middle) & (step < order)
        down = (step < self.middle) & (step >= order)
        self.register_buffer("ladder", (up.float() - down.float()).T, persistent=False)

    def quantiles(self, params: Tensor) -> Tensor:
        """Return the increasing quantiles (..., r, Q) at the head's own levels."""
        return params[..., :1] + self._offsets(params[..., 1:])

    def _offsets(self, widths: Tensor) -> Tensor:
        """Return by how much each quantile differs from the location, (..., r, Q)."""
        steps = softplus(widths - self.softplus_shift) + 1e-4
        return steps @ self.ladder.to(steps)

    def loss(self, params: Tensor, z: Tensor) -> Tensor:
        """Return 2 max(a e, (a - 1) e) = |e| + (2 a - 1) e, e = z - q_a, averaged over levels a."""
        location, widths = params.split([1, self.n_params - 1], -1)
        return pinball(self._offsets(widths), z - location[..., 0], self.levels)

    def quantile(self, params: Tensor, level: float) -> Tensor:
        """Return the quantile (..., r) at one level: that of the location is a parameter."""
        return params[..., 0] if level == self.location else super().quantile(params, level)

    def icdf(self, params: Tensor, score: Tensor) -> Tensor:
        """Interpolate the quantiles at the normal score."""
        return interpolate(score, self.scores.to(params), self.quantiles(params))

    def normal_score(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the normal score whose quantile is z."""
        return interpolate(z, self.quantiles(params), self.scores.to(params))


def pinball(quantiles: Tensor, values: Tensor, levels: Tensor) -> Tensor:
    """Return |e| + (2 a - 1) e, e = y - q_a, of quantiles (..., Q), averaged over the levels a.

    Examples
    --------
    >>> levels = torch.tensor([0.1, 0.5])
    >>> pinball(torch.tensor([1.0, 2.0]), torch.tensor(4.0), levels).item()  # (.6 + 2) / 2
    1.2999999523162842
    """
    error = values[..., None] - quantiles
    return (error.abs() + (2 * levels - 1).to(error) * error).mean(-1)
