"""More zeros than a head of counts gives: a wrapper around it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.special import log_ndtr, ndtri

from forecast.networks.heads.counts import CountHead


class ZeroInflatedHead(CountHead):
    """Zero with probability p = 1 - q, else what a head of counts says (Lambert, 1992).

    Its parameters are those of the head, then the logit of p less 2.

    Examples
    --------
    >>> from forecast.networks.heads.negative_binomial import NegativeBinomialHead
    >>> head, level, spread = ZeroInflatedHead(NegativeBinomialHead()), *torch.tensor([5.0, 1.0])
    >>> round(5 + head.mean(head.attach_scale(torch.zeros(1, 3), level, spread)).item(), 2)
    4.4
    """

    def __init__(self, base: CountHead) -> None:
        super().__init__()
        self.base, self.n_params = base, base.n_params + 1

    def loss(self, params: Tensor, z: Tensor) -> Tensor:
        """Return -log(p [y = 0] + q P(y)), of z: log(spread) less."""
        own, q, level, spread = _split(params)
        counted = q.log() - self.base.loss(own, z.double())
        zero = torch.logaddexp((1 - q).log() + spread.log(), counted)
        return -torch.where(level + spread * z < 0.5, zero, counted).to(params)

    def mean(self, params: Tensor) -> Tensor:
        """Return q times the mean of the counts."""
        own, q, level, spread = _split(params)
        return (q * (level / spread + self.base.mean(own)) - level / spread).to(params)

    def icdf(self, params: Tensor, score: Tensor) -> Tensor:
        """Return the quantiles; their slope, for gradients, is that of the mean."""
        (own, q, level, spread), tail = _split(params), log_ndtr(-score.double()).exp()
        above = q * log_ndtr(-self.base.normal_score(own, (0.5 - level) / spread)).exp()
        zero = ((1 - tail) / (1 - above) - 0.5 - level) / spread
        counted = self.base.icdf(own, -ndtri((tail / q).clamp(max=1 - 1e-9)))
        z, mean = torch.where(tail > above, zero, counted).to(params), self.mean(params)
        return z.detach() + mean - mean.detach()

    def normal_score(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the normal scores: an additional zero lies evenly within (-1/2, 1/2)."""
        own, q, level, spread = _split(params)
        counted = q * log_ndtr(-self.base.normal_score(own, z.double())).exp()
        return -ndtri(counted + (1 - q) * (0.5 - level - spread * z).clamp(0, 1)).to(params)


def _split(params: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    *own, logit, level, spread = params.double().unbind(-1)
    q = (2 - logit).clamp(-30, 30).sigmoid()
    return torch.stack([*own, level, spread], -1), q, level, spread
