"""The contract of heads: from the numbers of a step to a distribution, its loss and quantiles.

A head works in scaled units: z = (y - level) / spread. `params[..., 0]` is the location of every
head (the readout adds its template there). Quantile functions are read at standard normal scores
instead of probabilities, u = Phi(score), which keeps the tails exact and lets one matrix make the
steps of a block dependent.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

NORMAL = NormalDist()


def normal_scores(levels: Sequence[float]) -> Tensor:
    """Return the standard normal quantiles at the levels, float64."""
    return torch.tensor([NORMAL.inv_cdf(level) for level in levels], dtype=torch.float64)


class Head(nn.Module, abc.ABC):
    """Distribution of one scaled value, given its unconstrained parameters (..., r, n_params).

    What is learned where:

    - What changes from step to step comes from the readout, in `params`.
    - What all steps and all members of an ensemble share is an `nn.Parameter` of the head (such as
      degrees of freedom): trained, clipped, averaged and saved like all weights.
    - What training cannot teach is learned by `calibrate` from the residuals of the held-out part,
      and kept in a buffer.

    `merge` makes one distribution of an ensemble's. The mean of quantile functions stays in the
    family where `params` hold a location and widths alone; so shape parameters belong to the head,
    or `merge` says how it merges them. A head answers row by row and step by step, and the first r
    steps of a block alone as it would among all.

    Attributes
    ----------
    n_params : int
        Numbers that a step is given by the readout.
    softplus_shift : float
        What is taken off an unconstrained width before the softplus makes it positive.
    counts : bool
        The values are whole numbers from zero on: `icdf` is that of Y + U - 1/2 with U uniform in
        (0, 1), which gives Y when it is rounded, and the location cannot be shifted at will.
    traceable : bool
        Whether `icdf` is arithmetic of torch alone, so that a graph can hold it (`export`).
    """

    n_params: int
    softplus_shift = 0.0
    counts = False
    traceable = True

    @abc.abstractmethod
    def loss(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the loss (..., r) of values z (..., r); of a likelihood, -log density of z."""

    @abc.abstractmethod
    def icdf(self, params: Tensor, score: Tensor) -> Tensor:
        """Return the quantiles (..., r) at the levels Phi(score); (..., r) each, and broadcast."""

    @abc.abstractmethod
    def normal_score(self, params: Tensor, z: Tensor) -> Tensor:
        """Return Phi^-1(F(z)), (..., r): the inverse of `icdf`."""

    def attach_scale(self, params: Tensor, level: Tensor, spread: Tensor) -> Tensor:
        """Return the parameters as all other methods take them, (..., r, n_params + any).

        A family that lives on the scale of y appends what it must know of level and spread, which
        broadcast against (..., r); by default nothing.
        """
        return params

    def merge(self, params: Tensor) -> Tensor:
        """Average the members of an ensemble, (..., E, r, n_params) into (..., r, n_params).

        Quantile functions are averaged (Vincent, 1912): the location, and the widths that the
        softplus makes of the other parameters. The average is a distribution of the same family.
        """
        if params.shape[-3] == 1:
            return params.squeeze(-3)
        location = params[..., :1].mean(-3)
        widths = softplus(params[..., 1:] - self.softplus_shift).mean(-3)
        inverse = widths + (-torch.expm1(-widths)).log() + self.softplus_shift
        return torch.cat([location, inverse], -1)

    def quantile(self, params: Tensor, level: float) -> Tensor:
        """Return the quantile (..., r) at one level."""
        score = NORMAL.inv_cdf(level)
        return self.icdf(params, torch.full(params.shape[:-1], score).to(params))

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean (..., r), here by the midpoint rule over 99 quantiles."""
        levels = [(k + 0.5) / 99 for k in range(99)]
        return torch.stack([self.quantile(params, level) for level in levels]).mean(0)

    def calibrate(self, params: Tensor, z: Tensor, observed_mask: Tensor) -> None:
        """Learn buffers from validation residuals, (N, R, n_params), (N, R) and (N, R).

        By default nothing. How wide and how dependent the steps should be is learned after it, from
        normal scores, for every head.
        """

    def jitter(self, params: Tensor, z: Tensor) -> Tensor:
        """Return values, those of counts with noise within which they are rounded alike."""
        return z


def by_numpy(function: Callable[..., Any], *inputs: Tensor) -> Tensor:
    """Return what a function of float64 arrays, such as scipy's, makes of tensors; no gradient."""
    arrays = [each.detach().cpu().double().numpy() for each in inputs]
    return torch.as_tensor(function(*arrays)).to(inputs[0])


def loc_scale(params: Tensor) -> tuple[Tensor, Tensor]:
    """Return location and positive scale, both (..., r): the domain map of such families.

    Examples
    --------
    >>> loc, scale = loc_scale(torch.tensor([[0.5, 0.0]]))
    >>> round(loc.item(), 3), round(scale.item(), 3)
    (0.5, 0.694)
    """
    return params[..., 0], softplus(params[..., 1]) + 1e-3


def interpolate(at: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Read the piecewise linear function through the knots (x, y) (..., Q) at `at` (...).

    Beyond the outer knots the outer pieces go on. Leading axes broadcast.

    Examples
    --------
    >>> x, y = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.0, 1.0, 3.0])
    >>> interpolate(torch.tensor([-1.0, 0.5, 3.0]), x, y).tolist()
    [-1.0, 0.5, 5.0]
    """
    at, *_ = torch.broadcast_tensors(at, x[..., 0], y[..., 0])
    # counting knots is faster than a search for as few as heads have
    right = (x < at[..., None]).sum(-1, keepdim=True).clamp(1, x.shape[-1] - 1)
    x, y = x.expand(*at.shape, -1), y.expand(*at.shape, -1)
    x0, x1 = x.gather(-1, right - 1), x.gather(-1, right)
    y0, y1 = y.gather(-1, right - 1), y.gather(-1, right)
    return (y0 + (at[..., None] - x0) * (y1 - y0) / (x1 - x0))[..., 0]
