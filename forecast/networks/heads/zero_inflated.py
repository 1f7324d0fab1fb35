"""More zeros than a family of counts gives: a wrapper around its head."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch.special import ndtr, ndtri

from forecast.networks.heads.base import Head

START = -2.0  # the logit that the share of additional zeros starts from


class ZeroInflatedHead(Head):
    """Zero with probability p, else what a head of counts says (Lambert, 1992).

    Members are merged as the wrapped head merges them, with the mean of their p.

    Parameters
    ----------
    base : Head
        Of counts.

    Examples
    --------
    >>> from forecast.networks.heads.negative_binomial import NegativeBinomialHead
    >>> head = ZeroInflatedHead(NegativeBinomialHead())
    >>> params = head.attach_scale(torch.zeros(1, 3), torch.tensor(5.0), torch.tensor(1.0))
    >>> round(head.mean(params).item() + 5, 2)  # 5 (1 - p)
    4.4
    """

    counts = True

    def __init__(self, base: Head) -> None:
        super().__init__()
        self.base, self.n_params = base, base.n_params + 1

    def attach_scale(self, params: Tensor, level: Tensor, spread: Tensor) -> Tensor:
        """Append to what the wrapped head takes: level, spread and the logit of p."""
        own = self.base.attach_scale(params[..., :-1], level, spread)
        logit = params[..., -1] + START
        return torch.cat([own, torch.stack(torch.broadcast_tensors(level, spread, logit), -1)], -1)

    def merge(self, params: Tensor) -> Tensor:
        """Merge the wrapped head's members; p is averaged."""
        if params.shape[-3] == 1:
            return params.squeeze(-3)
        scale, logit = params[..., 0, :, -3:-1], params[..., -1:].sigmoid().mean(-3).logit(1e-12)
        return torch.cat([self.base.merge(params[..., :-3]), scale, logit], -1)

    def loss(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the negative log-likelihood."""
        level, spread, logit = params[..., -3:].unbind(-1)
        counted = logsigmoid(-logit) - self.base.loss(params[..., :-3], z)
        zero = torch.logaddexp(logsigmoid(logit) + spread.log(), counted)
        return -torch.where(level + spread * z < 0.5, zero, counted)

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean."""
        level, spread, logit = params[..., -3:].unbind(-1)
        zero = -level / spread
        return zero + logit.neg().sigmoid() * (self.base.mean(params[..., :-3]) - zero)

    def icdf(self, params: Tensor, score: Tensor) -> Tensor:
        """Return the quantiles: linear up to 1/2, then those of the wrapped head, further up."""
        own, level, spread, p, above = self._split(params)
        u, q, score = ndtr(score.double()), ndtr(-score.double()), score.double()
        counted = torch.where(score < 0, ndtri((u - p) / (1 - p)), -ndtri(q / (1 - p)))
        beyond = self.base.icdf(own, counted.nan_to_num(0.0, 0.0, 0.0))
        return torch.where(q < above, beyond, (u / (1 - above) - 0.5 - level) / spread).to(params)

    def normal_score(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the normal scores of counts, or of numbers between them."""
        own, level, spread, p, above = self._split(params)
        y, counted = level + spread * z, self.base.normal_score(own, z.double())
        u = torch.where(y < 0.5, (y + 0.5) * (1 - above), p + (1 - p) * ndtr(counted))
        q = torch.where(y < 0.5, above + (0.5 - y) * (1 - above), (1 - p) * ndtr(-counted))
        return torch.where(u < 0.5, ndtri(u), -ndtri(q)).to(params)

    def calibrate(self, params: Tensor, z: Tensor, observed_mask: Tensor) -> None:
        """Teach the wrapped head what it wants to learn."""
        self.base.calibrate(params[..., :-3], z, observed_mask)

    def jitter(self, params: Tensor, z: Tensor) -> Tensor:
        """Spread the counts as the wrapped head does."""
        return self.base.jitter(params[..., :-3], z)

    def _split(self, params: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the wrapped head's parameters, level, spread, p and P(Y > 0), in float64."""
        own = params[..., :-3].double()
        level, spread, logit = params[..., -3:].detach().double().unbind(-1)
        p = logit.sigmoid()
        edge = self.base.normal_score(own.detach(), (0.5 - level) / spread)
        return own, level, spread, p, (1 - p) * ndtr(-edge)
