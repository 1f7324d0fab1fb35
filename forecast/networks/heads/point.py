"""A point per step, with the residuals of the validation part around it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from forecast.networks.heads.base import Head, interpolate, normal_scores


class PointHead(Head):
    """One number per step; its residuals on the validation part stand for the distribution.

    Parameters
    ----------
    criterion : {"mae", "mse", "huber"}
        Absolute, squared or Huber's loss (quadratic below one spread, linear beyond).
    block : int
        R, steps per readout: each step has a residual distribution of its own.

    Examples
    --------
    >>> head, params = PointHead(), torch.zeros(200, 1, 1)
    >>> residuals = torch.linspace(-2, 2, 200)[:, None]
    >>> head.calibrate(params, residuals, torch.ones(200, 1, dtype=torch.bool))
    >>> [round(head.quantile(params[0], level).item(), 2) for level in (0.25, 0.5, 0.75)]
    [-1.0, 0.0, 1.0]
    """

    n_params = 1
    criteria = ("mae", "mse", "huber")
    levels = tuple(round(0.05 * k, 2) for k in range(1, 20))
    residuals: Tensor
    scores: Tensor

    def __init__(self, criterion: str = "mae", block: int = 1) -> None:
        super().__init__()
        self.criterion = criterion
        scores = normal_scores(self.levels).float()
        self.register_buffer("scores", scores, persistent=False)
        self.register_buffer("residuals", scores.repeat(block, 1))  # (R, 19)

    def loss(self, params: Tensor, z: Tensor) -> Tensor:
        """Return |e|, e^2 or Huber's loss of e = z - location."""
        error = z - params[..., 0]
        if self.criterion == "huber":
            return huber_loss(error, torch.zeros_like(error), reduction="none")
        return error.abs() if self.criterion == "mae" else error.square()

    def mean(self, params: Tensor) -> Tensor:
        """Return the location."""
        return params[..., 0]

    def icdf(self, params: Tensor, score: Tensor) -> Tensor:
        """Return the location plus the residual quantile at the level Phi(score)."""
        knots = self.residuals[: params.shape[-2]].to(params)
        return params[..., 0] + interpolate(score, self.scores.to(params), knots)

    def normal_score(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the normal score of the residual."""
        knots = self.residuals[: params.shape[-2]].to(params)
        return interpolate(z - params[..., 0], knots, self.scores.to(params))

    def calibrate(self, params: Tensor, z: Tensor, observed_mask: Tensor) -> None:
        """Learn the residual quantiles of every step; params (N, R, 1), z and observed_mask (N, R).

        Steps with few residuals lean on those of all steps.
        """
        if not observed_mask.any():
            return
        error = torch.where(observed_mask, z - params[..., 0], torch.nan)
        levels = torch.tensor(self.levels).to(error)
        pooled = error.flatten().nanquantile(levels)  # (19,)
        knots = error.nanquantile(levels, dim=0).T  # (R, 19)
        count = observed_mask.sum(0)[:, None]
        trust = count / (count + 50)
        mixed = trust * torch.where(knots.isnan(), pooled, knots) + (1 - trust) * pooled
        # equal residuals would make the inverse a division by zero
        self.residuals.copy_(mixed + 1e-4 * self.scores)
