"""How many of the last values a Markov model looks at."""

from __future__ import annotations

import numpy as np

from forecast._checks import positive_integer, short
from forecast.data.panel import Panel
from forecast.forecasters.window.least_squares import Stretches

# The rows that every column needs, and those that a lag needs where no season asks for it: four
# lags on twenty values forecast the yearly series of M3 a twentieth worse than two.
ROWS_PER_COLUMN, ROWS_PER_LAG = 3, 10


def order_for(
    asked: int | None, panel: Panel, stretches: Stretches, season_length: int, width: int
) -> int:
    """Return the order in use: the one asked for, or the largest that the data allow."""
    order = 1 if asked is None else positive_integer("order", asked)
    lengths = stretches.lengths
    longest = int(lengths.max())
    if longest <= order:
        place = stretches.starts[lengths.argmax()]
        owner = panel.ids[np.searchsorted(panel.offsets, place, side="right") - 1]
        raise ValueError(
            f"`order` must be smaller than the longest stretch of observed values: order={order}, "
            f"the longest has {longest} (series {short(owner)}). Use a smaller order, fill the "
            "gaps, or give more data."
        )
    if asked is not None:
        return order
    pairs = int((lengths - 1).sum())
    ladder = np.arange(1, max(season_length + 1, min(8, pairs // ROWS_PER_LAG)) + 1)
    carried = ladder[stretches.n_rows(ladder) >= ROWS_PER_COLUMN * (ladder + 1 + width)]
    return int(carried.max(initial=1))
