"""Student's t distribution per step: heavy tails, which outliers do not widen."""

from __future__ import annotations

import torch
from scipy.special import ndtr, ndtri, stdtr, stdtrit
from torch import Tensor, nn

from forecast.networks.heads.base import Head, by_numpy, loc_scale


class StudentTHead(Head):
    """Location and scale per step, degrees of freedom learned for all (Lange et al., 1989).

    The tails must be common to all steps: with equal degrees of freedom, and only then, the mean of
    quantile functions is a t distribution again. df > 2, so that there is a variance.

    Examples
    --------
    >>> head, params = StudentTHead(), torch.zeros(1, 2)
    >>> round(head.df.item(), 2)
    6.48
    >>> [round(head.quantile(params, level).item(), 2) for level in (0.5, 0.9, 0.999)]
    [0.0, 0.99, 3.46]
    """

    n_params = 2
    traceable = False

    def __init__(self) -> None:
        super().__init__()
        self.log_df = nn.Parameter(torch.tensor(1.5))

    @property
    def df(self) -> Tensor:
        """Degrees of freedom."""
        return 2 + self.log_df.exp()

    def loss(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the negative log-likelihood."""
        density: Tensor = torch.distributions.StudentT(self.df, *loc_scale(params)).log_prob(z)
        return -density

    def mean(self, params: Tensor) -> Tensor:
        """Return the location."""
        return params[..., 0]

    def icdf(self, params: Tensor, score: Tensor) -> Tensor:
        """Return loc + scale * t, where t has the level of the score; both tails are exact."""
        loc, scale = loc_scale(params)
        t = by_numpy(lambda tail, df: stdtrit(df, ndtr(tail)), -score.abs(), self.df)
        return loc - scale * score.sign() * t

    def normal_score(self, params: Tensor, z: Tensor) -> Tensor:
        """Return the normal score of (z - loc) / scale."""
        loc, scale = loc_scale(params)
        t = (z - loc) / scale
        return -t.sign() * by_numpy(lambda tail, df: ndtri(stdtr(df, tail)), -t.abs(), self.df)
