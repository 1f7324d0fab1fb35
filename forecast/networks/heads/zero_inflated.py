"""More zeros than a family of counts gives: a wrapper around its head."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch.special import ndtr, ndtri

from forecast.networks.heads.counts import CountHead, level_spread

START = -2.0  # the logit that the share of additional zeros starts from


class ZeroInflatedHead(CountHead):
    """Zero with probability p, else what a head of counts says (Lambert, 1992).

    Its parameters are those of the head, then the logit of p, which members of an ensemble average.

    Examples
    --------
    >>> from forecast.networks.heads.negative_binomial import NegativeBinomialHead
    >>> head = ZeroInflatedHead(NegativeBinomialHead())
    >>> params = head.attach_scale(torch.zeros(1, 3), torch.tensor(5.0), torch.tensor(1.0))
    >>> round(head.mean(params).item() + 5, 2)  # 5 (1 - p)
    4.4
    """

    def __init__(self, base: CountHead) -> None:
        super().__init__()
        self.base, self.n_params = base, base.n_params + 1

    def attach_scale(self, params: Tensor, level: Tensor, spread: Tensor) -> Tensor:
        """Append level and spread, after the logit of p, which starts low."""
        logit = params[..., -1:] + START
        return super().attach_scale(torch.cat([params[..., :-1], logit], -1), level, spread)

    def merge(self, params: Tensor) -> Tensor:
        """Merge the parameters of the members as the wrapped head does; p is averaged."""
        if params.shape[-3] == 1:
            return params.squeeze(-3)
        own, logit = _split(params)
        merged, p = self.base.merge(own), logit.sigmoid().mean(-2)
        return torch.cat([merged[..., :-2], p.logit(1e-12)[..., None], merged[..., -2:]], -1)

    def loss(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the negative log-likelihood."""
        (own, logit), (level, spread) = _split(params), params[..., -2:].unbind(-1)
        counted = logsigmoid(-logit) - self.base.loss(own, z)
        zero = torch.logaddexp(logsigmoid(logit) + spread.log(), counted)
        return -torch.where(level + spread * z < 0.5, zero, counted)

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean."""
        (own, logit), (level, spread) = _split(params), params[..., -2:].unbind(-1)
        zero = -level / spread
        return zero + logit.neg().sigmoid() * (self.base.mean(own) - zero)

    def icdf(self, params: Tensor, score: Tensor) -> Tensor:
        """Return the quantiles: linear up to 1/2, then those of the wrapped head, further up."""
        (own, level, spread, p, above), score = self._mixture(params), score.double()
        u, q = ndtr(score), ndtr(-score)
        counted = torch.where(score < 0, ndtri((u - p) / (1 - p)), -ndtri(q / (1 - p)))
        beyond = self.base.icdf(own, counted.nan_to_num(0.0, 0.0, 0.0))
        return torch.where(q < above, beyond, (u / (1 - above) - 0.5 - level) / spread).to(params)

    def normal_score(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the normal scores of counts, or of numbers between them."""
        own, level, spread, p, above = self._mixture(params)
        y, counted = level + spread * z, self.base.normal_score(own, z.double())
        u = torch.where(y < 0.5, (y + 0.5) * (1 - above), p + (1 - p) * ndtr(counted))
        q = torch.where(y < 0.5, above + (0.5 - y) * (1 - above), (1 - p) * ndtr(-counted))
        return torch.where(u < 0.5, ndtri(u), -ndtri(q)).to(params)

    def calibrate(self, params: Tensor, z: Tensor, observed_mask: Tensor) -> None:
        """Calibrate the wrapped head."""
        self.base.calibrate(_split(params)[0], z, observed_mask)

    def _mixture(self, params: Tensor) -> tuple[Tensor, ...]:
        """Return the wrapped head's parameters, level, spread, p and P(Y > 0), in float64."""
        own, logit = _split(params.double())
        (level, spread), p = level_spread(params.detach()), logit.detach().sigmoid()
        edge = self.base.normal_score(own.detach(), (0.5 - level) / spread)
        return own, level, spread, p, (1 - p) * ndtr(-edge)


def _split(params: Tensor) -> tuple[Tensor, Tensor]:
    """Return the parameters of the wrapped head, and the logit of p."""
    return torch.cat([params[..., :-3], params[..., -2:]], -1), params[..., -3]
