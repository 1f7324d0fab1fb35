"""More zeros than a family of counts gives: a wrapper around its head."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor
from torch.nn.functional import logsigmoid

from forecast.networks.heads.counts import DiscreteHead

START = -2.0  # the logit that the share of additional zeros starts from


class _Inflated(NamedTuple):
    """Counts of a distribution of `scipy.stats` with probability q, else zero."""

    q: np.ndarray
    counted: Any

    def pmf(self, k: np.ndarray) -> np.ndarray:
        return self.q * self.counted.pmf(k) + (1 - self.q) * (k == 0)

    def cdf(self, k: np.ndarray) -> np.ndarray:
        return self.q * self.counted.cdf(k) + (1 - self.q) * (k >= 0)

    def sf(self, k: np.ndarray) -> np.ndarray:
        return self.q * self.counted.sf(k) + (1 - self.q) * (k < 0)

    def ppf(self, level: np.ndarray) -> np.ndarray:
        return self.counted.ppf((1 - (1 - level) / self.q).clip(0)).clip(0)

    def isf(self, tail: np.ndarray) -> np.ndarray:
        return self.counted.isf((tail / self.q).clip(max=1)).clip(0)


class ZeroInflatedHead(DiscreteHead):
    """Zero with probability p, else what a head of counts says (Lambert, 1992).

    Its parameters are those of the head, then the logit of p; members of an ensemble average both.

    Examples
    --------
    >>> from forecast.networks.heads.negative_binomial import NegativeBinomialHead
    >>> head = ZeroInflatedHead(NegativeBinomialHead())
    >>> params = head.attach_scale(torch.zeros(1, 3), torch.tensor(5.0), torch.tensor(1.0))
    >>> round(head.mean(params).item() + 5, 2)  # 5 (1 - p)
    4.4
    """

    def __init__(self, base: DiscreteHead) -> None:
        super().__init__()
        self.base, self.n_params = base, base.n_params + 1

    def merge(self, params: Tensor) -> Tensor:
        """Merge as the wrapped head does, and average the logits."""
        merged, logit = self.base.merge(_own(params)), params[..., -3:-2].mean(-3)
        return torch.cat([merged[..., :-2], logit, merged[..., -2:]], -1)

    def domain_map(self, params: Tensor) -> tuple[Tensor, ...]:
        """Return the mean, the logit of p, and what the wrapped head returns."""
        mean, *shapes = self.base.domain_map(_own(params))
        logit = (params[..., -3].double() + START).clamp(max=30)  # never certain
        return logit.neg().sigmoid() * mean, logit, mean, *shapes

    def log_prob(self, y: Tensor, mean: Tensor, *shapes: Tensor) -> Tensor:
        """Return log(p [y = 0] + (1 - p) P(y))."""
        logit, *own = shapes
        counted = logsigmoid(-logit) + self.base.log_prob(y, *own)
        return torch.where(y < 0.5, torch.logaddexp(logsigmoid(logit), counted), counted)

    def distribution(self, mean: np.ndarray, *shapes: np.ndarray) -> _Inflated:
        """Return the mixture."""
        logit, *own = shapes
        return _Inflated(expit(-logit), self.base.distribution(*own))


def _own(params: Tensor) -> Tensor:
    """Return the parameters of the wrapped head."""
    return torch.cat([params[..., :-3], params[..., -2:]], -1)
