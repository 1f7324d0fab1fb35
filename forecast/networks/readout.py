"""The readout: from features and what is known of the future to the head's raw numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Readout(nn.Module):
    """Read a block of R steps from the features of one step.

    Step j is read from (features, known_{t+j}, templates_{t+j}, j) and nothing else, so a last
    block shorter than R is simply cut and needs nothing beyond the horizon. The location is

        sum_i w_i template_i + correction,   w = softmax over J templates and the level (zero),

    a convex combination: unlike "last season plus a correction", which is a unit root, it
    cannot explode when it is iterated.

    Parameters
    ----------
    width : int
        D, the network's features.
    block : int
        R, steps per readout.
    known_size : int
        K, known covariates per step.
    n_templates : int
        J, templates per step (last value, seasonal lags).
    raw_size : int
        Numbers per step that the head asks for.
    units : int
        Hidden units per step.
    """

    def __init__(
        self,
        width: int,
        block: int,
        known_size: int,
        n_templates: int,
        raw_size: int,
        *,
        units: int = 16,
    ) -> None:
        super().__init__()
        self.block, self.units, self.known_size, self.raw_size = block, units, known_size, raw_size
        self.n_numbers = raw_size + n_templates + 1  # raw numbers and the logits of the mixture
        self.direct = nn.Linear(width, block * self.n_numbers)
        # training starts from the mixture alone, which is a naive forecast
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.direct.bias)
        if known_size:  # what is known meets the features in a hidden layer of every step
            self.from_features = nn.Linear(width, block * units)
            self.from_known = nn.Linear(known_size, units, bias=False)
            self.out = nn.Linear(units, self.n_numbers, bias=False)
            nn.init.zeros_(self.out.weight)

    def forward(self, features: Tensor, known: Tensor, templates: Tensor) -> Tensor:
        """Return raw numbers (..., r, raw_size), r <= R.

        Parameters
        ----------
        features : Tensor (..., D)
        known : Tensor (..., r, K)
        templates : Tensor (..., r, J)
            In scaled units.
        """
        r = templates.shape[-2]
        numbers = self.direct(features).unflatten(-1, (self.block, -1))[..., :r, :]
        if self.known_size:
            meant = self.from_features(features).unflatten(-1, (self.block, -1))[..., :r, :]
            numbers = numbers + self.out((meant + self.from_known(known)).tanh())
        raw, logits = numbers.tensor_split([self.raw_size], -1)
        # over the first axis: a softmax over a short last one is seven times slower
        weights = logits.movedim(-1, 0).softmax(0)[:-1]  # the level, zero in scaled units, is last
        location = (weights * templates.movedim(-1, 0)).sum(0)[..., None]
        return torch.cat([raw[..., :1] + location, raw[..., 1:]], -1)
