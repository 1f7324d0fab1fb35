"""Which seasons a series has: the prior over frequencies.

A table of the frequencies that people forecast, each with the lengths it usually comes in. The
shares follow what public collections hold (the M competitions, Makridakis et al., 2020; the
Monash archive, Godahewa et al., 2021): months and quarters often, hours with a week above the
day, the others to keep every season length from 1 to 366 known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
LONGEST_SEASON = 366


class Frequency(NamedTuple):
    """Steps of one season and of a second, longer one (0 = none), share, longest usual length."""

    season: int
    second: int
    share: float
    longest: int


# A season of 0 stands for one drawn anew. Where a second season is named the network is told so;
# a further, slower one is drawn among the cycles of `patterns.py`.
FREQUENCIES = (
    Frequency(1, 0, 0.18, 200),  # years
    Frequency(1, 0, 0.04, 2000),  # all else that has no season: prices, rates
    Frequency(4, 0, 0.14, 260),  # quarters
    Frequency(12, 0, 0.22, 700),  # months
    Frequency(52, 0, 0.06, 900),  # weeks
    Frequency(7, 0, 0.09, 2000),  # days
    Frequency(7, 365, 0.02, 2000),  # days with a year
    Frequency(5, 0, 0.02, 2000),  # business days
    Frequency(24, 0, 0.05, 2000),  # hours
    Frequency(24, 168, 0.09, 2000),  # hours with a week
    Frequency(48, 336, 0.03, 2000),  # half-hours with a week
    Frequency(96, 0, 0.01, 2000),  # quarter-hours
    Frequency(365, 0, 0.01, 2000),  # days of which only the year matters
    Frequency(0, 0, 0.06, 1000),  # anything
)


class Seasons(NamedTuple):
    """Season lengths of every series, (B,) each; a second season of 0 is none."""

    season: Numbers
    second: Numbers


def draw_seasons(rng: np.random.Generator, size: int, length: int) -> Seasons:
    """Draw the seasons of `size` series of `length` values.

    A frequency is drawn only where the length is usual for it and shows its season once: years
    are rarely 400 long. Below that every frequency keeps its share; days are drawn at any length,
    so that none is left without.

    Examples
    --------
    >>> seasons = draw_seasons(np.random.default_rng(0), 6, 40)
    >>> seasons.season.tolist(), seasons.second.tolist()
    ([12, 4, 1, 1, 24, 24], [0, 0, 0, 0, 0, 0])
    """
    share = np.array([f.share for f in FREQUENCIES])
    shown = [f.season + 4 <= length <= f.longest or f.season == 7 for f in FREQUENCIES]
    share = share * shown
    kind = rng.choice(len(FREQUENCIES), size, p=share / share.sum())
    season = np.array([f.season for f in FREQUENCIES])[kind]
    second = np.array([f.second for f in FREQUENCIES])[kind]
    top = min(LONGEST_SEASON, max(length // 2, 3))
    anything = np.exp(rng.uniform(np.log(2), np.log(top + 1), size)).astype(np.int64)
    season = np.where(season == 0, anything, season)
    # a second season that is never seen twice is as good as none
    second = np.where(length < 1.3 * second, 0, second)
    return Seasons(season, second)
