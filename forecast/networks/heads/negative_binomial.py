"""The negative binomial distribution per step: counts that vary more than a Poisson's."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import nbinom
from torch import Tensor
from torch.nn.functional import softplus

from forecast.networks.heads.counts import DiscreteHead


class NegativeBinomialHead(DiscreteHead):
    """Counts with mean m and variance m + w^2 (Salinas et al., 2020); w -> 0 is the Poisson's.

    m is level + spread * location, kept above zero, and w = spread * softplus of the second
    parameter, so both begin where a naive forecast does. The mean of quantile functions is no
    negative binomial; members are merged into the one with the mean location and the mean w.

    Examples
    --------
    >>> import torch
    >>> head, level, spread = NegativeBinomialHead(), torch.tensor([[3.0]]), torch.tensor([[2.0]])
    >>> params = head.attach_scale(torch.tensor([[[0.0, -30.0]]]), level, spread)
    >>> z = (torch.tensor([[0.0]]) - level) / spread
    >>> round((head.loss(params, z).neg().exp() / spread).item(), 3)  # exp(-3), as Poisson's
    0.05
    """

    n_params = 2

    def domain_map(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean m, and n = m^2 / w^2, the size of scipy's `nbinom`."""
        loc, width, level, spread = params.double().unbind(-1)
        mean = spread * softplus(level / spread + loc, beta=4) + 1e-6
        size = (mean / (spread * softplus(width) + 1e-9)).square()
        return mean, size.clamp(1e-6, 1e8)

    def log_prob(self, y: Tensor, mean: Tensor, *shapes: Tensor) -> Tensor:
        """Return log of Gamma(y + n) / (Gamma(n) y!) (m / (n + m))^y (n / (n + m))^n."""
        (shape,) = shapes
        ways = (y + shape).lgamma() - shape.lgamma() - (y + 1).lgamma()
        return ways + (y * (mean.log() - (shape + mean).log()) - shape * (mean / shape).log1p())

    def distribution(self, mean: np.ndarray, *shapes: np.ndarray) -> Any:
        """Return `nbinom(n, n / (n + m))`."""
        return nbinom(*shapes, shapes[0] / (shapes[0] + mean))
