"""Heads: how many raw numbers, how to squash them, the loss, quantiles, samples.

A head works in scaled units: z = (y - level) / spread. `raw[..., 0]` is the location of every
head (the readout adds its template there); noise and probability-integral transforms are
standard normal scores, so that the steps of a block can be made dependent by one matrix.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from statistics import NormalDist

import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss, softplus

NORMAL = NormalDist()
LEVELS = tuple(round(0.1 * k, 1) for k in range(1, 10))


def normal_scores(levels: Sequence[float]) -> Tensor:
    """Return the standard normal quantiles at the levels, float64."""
    return torch.tensor([NORMAL.inv_cdf(level) for level in levels], dtype=torch.float64)


class Head(nn.Module, abc.ABC):
    """Distribution of one scaled value given `raw` (..., r, raw_size) numbers per step.

    Attributes
    ----------
    raw_size : int
        Raw numbers per step.
    narrow : float
        What is taken off a raw width before the softplus.
    """

    raw_size: int
    narrow = 0.0

    @abc.abstractmethod
    def loss(self, raw: Tensor, z: Tensor) -> Tensor:
        """Return the loss of every value: raw (..., r, raw_size) and z (..., r) give (..., r)."""

    @abc.abstractmethod
    def sample(self, raw: Tensor, noise: Tensor) -> Tensor:
        """Turn standard normal noise (..., r) into values (..., r): the quantile function."""

    @abc.abstractmethod
    def pit(self, raw: Tensor, z: Tensor) -> Tensor:
        """Turn values into standard normal scores (..., r): the inverse of `sample`."""

    def merge(self, raw: Tensor) -> Tensor:
        """Average the members of an ensemble, (..., E, r, raw_size) into (..., r, raw_size).

        Quantile functions are averaged (Vincent, 1912): the location, and the widths that the
        softplus makes of the other raw numbers. The average is a distribution of the same family.
        """
        if raw.shape[-3] == 1:
            return raw.squeeze(-3)
        location, widths = raw[..., :1].mean(-3), softplus(raw[..., 1:] - self.narrow).mean(-3)
        return torch.cat([location, widths + (-torch.expm1(-widths)).log() + self.narrow], -1)

    def quantile(self, raw: Tensor, level: float) -> Tensor:
        """Return the quantile (..., r) at one level."""
        score = NORMAL.inv_cdf(level)
        return self.sample(raw, torch.full(raw.shape[:-1], score).to(raw))

    def mean(self, raw: Tensor) -> Tensor:
        """Return the mean (..., r), here by the midpoint rule over 99 quantiles."""
        levels = [(k + 0.5) / 99 for k in range(99)]
        return torch.stack([self.quantile(raw, level) for level in levels]).mean(0)

    def calibrate(self, raw: Tensor, z: Tensor, observed: Tensor) -> None:
        """Learn from validation residuals what training did not teach; by default nothing."""


class NormalHead(Head):
    """Normal distribution: location and standard deviation, negative log-likelihood."""

    raw_size = 2

    @staticmethod
    def split(raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, both (..., r)."""
        return raw[..., 0], softplus(raw[..., 1]) + 1e-3

    def loss(self, raw: Tensor, z: Tensor) -> Tensor:
        """Return -log N(z; m, s) = log s + (z - m)^2 / (2 s^2) + log(2 pi) / 2."""
        m, s = self.split(raw)
        return s.log() + 0.5 * ((z - m) / s).square() + 0.9189385332046727

    def mean(self, raw: Tensor) -> Tensor:
        """Return the location."""
        return raw[..., 0]

    def sample(self, raw: Tensor, noise: Tensor) -> Tensor:
        """Return m + s * noise."""
        m, s = self.split(raw)
        return m + s * noise

    def pit(self, raw: Tensor, z: Tensor) -> Tensor:
        """Return (z - m) / s."""
        m, s = self.split(raw)
        return (z - m) / s


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
    >>> raw = torch.zeros(1, 3)
    >>> [round(head.quantile(raw, level).item(), 3) for level in (0.1, 0.5, 0.9, 0.99)]
    [-0.313, 0.0, 0.313, 0.569]
    """

    narrow = (
        1.0  # softplus(-1) = .31 between levels .1 apart is about the width of a standard normal
    )
    levels: Tensor
    scores: Tensor
    ladder: Tensor  # (Q - 1, Q)

    def __init__(self, levels: Sequence[float] = LEVELS) -> None:
        super().__init__()
        self.raw_size = len(levels)
        self.middle = min(range(len(levels)), key=lambda q: abs(levels[q] - 0.5))
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.register_buffer("scores", normal_scores(levels).float(), persistent=False)
        # quantile q is the location plus or minus the steps between it and the middle
        order = torch.arange(len(levels))[:, None]  # (Q, 1) against (1, Q - 1)
        step = torch.arange(len(levels) - 1)
        up = (step >= self.middle) & (step < order)
        down = (step < self.middle) & (step >= order)
        self.register_buffer("ladder", (up.float() - down.float()).T, persistent=False)

    def quantiles(self, raw: Tensor) -> Tensor:
        """Return the increasing quantiles (..., r, Q) at the head's own levels."""
        steps = softplus(raw[..., 1:] - self.narrow) + 1e-4
        return raw[..., :1] + steps @ self.ladder.to(steps)

    def loss(self, raw: Tensor, z: Tensor) -> Tensor:
        """Return 2 max(a e, (a - 1) e) = |e| + (2 a - 1) e, e = z - q_a, averaged over levels a."""
        error = z[..., None] - self.quantiles(raw)  # (..., r, Q)
        slope = (2 * self.levels - 1).to(error)
        return (error.abs() + slope * error).mean(-1)

    def sample(self, raw: Tensor, noise: Tensor) -> Tensor:
        """Read the quantile function at the noise's normal scores."""
        return interpolate(noise, self.scores.to(raw), self.quantiles(raw))

    def pit(self, raw: Tensor, z: Tensor) -> Tensor:
        """Return the normal score whose quantile is z."""
        return interpolate(z, self.quantiles(raw), self.scores.to(raw))


class PointHead(Head):
    """One number per step; its residuals on the validation part stand for the distribution.

    Parameters
    ----------
    criterion : {"mae", "mse", "huber"}
        Absolute, squared or Huber's loss (quadratic below one spread, linear beyond).
    block : int
        R, steps per readout: each step has a residual distribution of its own.
    """

    raw_size = 1
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

    def loss(self, raw: Tensor, z: Tensor) -> Tensor:
        """Return |e|, e^2 or Huber's loss of e = z - location."""
        error = z - raw[..., 0]
        if self.criterion == "huber":
            return huber_loss(error, torch.zeros_like(error), reduction="none")
        return error.abs() if self.criterion == "mae" else error.square()

    def mean(self, raw: Tensor) -> Tensor:
        """Return the location."""
        return raw[..., 0]

    def sample(self, raw: Tensor, noise: Tensor) -> Tensor:
        """Add the residual whose normal score is the noise."""
        knots = self.residuals[: raw.shape[-2]].to(raw)
        return raw[..., 0] + interpolate(noise, self.scores.to(raw), knots)

    def pit(self, raw: Tensor, z: Tensor) -> Tensor:
        """Return the normal score of the residual."""
        knots = self.residuals[: raw.shape[-2]].to(raw)
        return interpolate(z - raw[..., 0], knots, self.scores.to(raw))

    def calibrate(self, raw: Tensor, z: Tensor, observed: Tensor) -> None:
        """Learn the residual quantiles of every step; raw (N, R, 1), z and observed (N, R).

        Steps with few residuals lean on those of all steps.
        """
        if not observed.any():
            return
        error = torch.where(observed, z - raw[..., 0], torch.nan)
        levels = torch.tensor(self.levels).to(error)
        pooled = error.flatten().nanquantile(levels)  # (19,)
        knots = error.nanquantile(levels, dim=0).T  # (R, 19)
        count = observed.sum(0)[:, None]
        trust = count / (count + 50)
        mixed = trust * torch.where(knots.isnan(), pooled, knots) + (1 - trust) * pooled
        # equal residuals would make the inverse a division by zero
        self.residuals.copy_(mixed + 1e-4 * self.scores)


def interpolate(at: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Read the piecewise linear function through the knots (x, y) (..., Q) at `at` (...).

    Beyond the outer knots the outer pieces go on.
    """
    shape = at.shape
    x, y = x.expand(*shape, x.shape[-1]), y.expand(*shape, y.shape[-1])
    right = torch.searchsorted(x.contiguous(), at[..., None].contiguous())
    right = right.clamp(1, x.shape[-1] - 1)
    x0, x1 = x.gather(-1, right - 1), x.gather(-1, right)
    y0, y1 = y.gather(-1, right - 1), y.gather(-1, right)
    return (y0 + (at[..., None] - x0) * (y1 - y0) / (x1 - x0))[..., 0]
