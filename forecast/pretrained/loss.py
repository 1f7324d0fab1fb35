"""What the network learns by: the pinball loss of many origins, each weighed by its own past."""

from __future__ import annotations

import torch
from torch import Tensor

from forecast.pretrained.network import PretrainedNetwork, Reading
from forecast.pretrained.reader import Past

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
    level, spread, unit, seen = (
        part[:, origins, None]
        for part in (
            reading.past.level,
            reading.past.spread,
            seasonal_change(reading.past),
            reading.past.seen,
        )
    )
    z = ((values[:, at.clamp(max=n - 1)] - level) / spread).float()  # (B, n, h)
    counts = ~z.isnan() & (at < n) & (seen >= FEWEST)
    if asked is not None:
        counts = counts & asked
    weight = (spread / unit).clamp(LEAST, MOST).float() * counts
    # what does not count must still be finite: zero times infinity is not zero
    each = network.head.loss(params, z.nan_to_num().clamp(-LARGEST, LARGEST))
    return (each * weight).sum() / (weight.clamp(max=1).sum() + 1)


def seasonal_change(past: Past) -> Tensor:
    """Return the mean absolute change over a season so far, (B, N), four spreads among them.

    So far: a weight that knew the future would be small where the future surprises, and bands
    would learn to be narrow.
    """
    y = past.given
    before = torch.arange(y.shape[1], device=y.device) - past.season
    change = (y - y.gather(1, before.clamp(min=0))).abs()
    there = (before >= 0) & ~change.isnan()
    total = change.where(there, 0.0).cumsum(1)
    return (total + BEFORE * past.spread) / (there.cumsum(1) + BEFORE)
