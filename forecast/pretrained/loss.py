"""What the network learns by: the pinball loss of many origins, each weighed by its own past."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from forecast.pretrained.network import PretrainedNetwork, Reading
from forecast.pretrained.reader import Floats, Past

FEWEST = 5  # values before an origin that counts
LEAST, MOST = 0.05, 2.0  # weight of an error; free up to five, counts and weeks lost 5 to 10 %
LARGEST = 50.0  # scaled values are cut here; farther ones are mistakes of the scale
BEFORE = 4  # spreads among the changes of a season: few changes say little


def rolling_loss(
    network: PretrainedNetwork,
    reading: Reading,
    values: Tensor,
    origins: Tensor,
    steps: Tensor,
    asked: Tensor | None = None,
) -> Tensor:
    """Return the mean pinball loss in the unit of MASE, the mean change over a season so far.

    Scaled errors alone would let series that their season explains teach the most, though their
    errors are the least that counts in practice.

    Parameters
    ----------
    network : PretrainedNetwork
    reading : Reading
        Of the first values, up to the last origin at least.
    values : Tensor (B, N)
    origins : Tensor (n,)
    steps : Tensor (h,)
        Steps ahead of each origin; those beyond the values do not count.
    asked : Tensor, broadcast to (B, n, h), optional
        What else must hold for a step to count.
    """
    params = network.read_out(reading, origins, steps)
    at, n = origins[:, None] + steps, values.shape[1]
    past = reading.past
    level, spread, unit, seen = (
        torch.from_numpy(part)[:, origins, None]
        for part in (past.level, past.spread, seasonal_change(past), past.seen)
    )
    z = ((values[:, at.clamp(max=n - 1)] - level) / spread).float()  # (B, n, h)
    counts = ~z.isnan() & (at < n) & (seen >= FEWEST)
    if asked is not None:
        counts = counts & asked
    weight = (spread / unit).clamp(LEAST, MOST).float() * counts
    # what does not count must still be finite: zero times infinity is not zero
    each = network.head.loss(params, z.nan_to_num().clamp(-LARGEST, LARGEST))
    return (each * weight).sum() / (weight.clamp(max=1).sum() + 1)


def seasonal_change(past: Past) -> Floats:
    """Return the mean absolute change over a season so far, (B, N), four spreads among them.

    So far: a weight that knew the future would be small where the future surprises, and bands
    would learn to be narrow.
    """
    y, m = past.given, past.season
    before = np.arange(y.shape[1]) - m
    change = np.abs(y - np.take_along_axis(y, before.clip(min=0), 1))
    there = (before >= 0) & ~np.isnan(change)
    total = np.where(there, change, 0.0).cumsum(1)
    unit: Floats = (total + BEFORE * past.spread) / (there.cumsum(1) + BEFORE)
    return unit
