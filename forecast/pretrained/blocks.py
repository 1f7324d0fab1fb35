"""What the same network says of means over blocks: a season, or two steps where there is none.

Months follow one another by small steps that hide where a series is going; its years show it. So a
history is read once more in blocks that end where it ends, and the forecast is moved some of the
way towards what is said of them: temporal aggregation, as in Kourentzes, Petropoulos and Trapero
(2014), "Improving forecasting by estimating time series structural components across multiple
frequencies".
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.pretrained.network import LEVELS, PretrainedNetwork, within_training
from forecast.pretrained.reader import fill

Floats = NDArray[np.float64]
SHARE = 0.4  # how far blocks are believed beside steps
FEWEST = 8  # blocks without which nothing is said of them
MEDIAN = LEVELS.index(0.5)


def length_of(season: int) -> int:
    """Return the steps of a block: a season, two without one, half of a year of quarters.

    Examples
    --------
    >>> [length_of(season) for season in (1, 4, 12, 24)]
    [2, 2, 12, 24]
    """
    return 2 if season in (1, 4) else season


def season_of(season: int, second: int) -> int:
    """Return the season of the blocks: of those of a season, only a second one is left.

    Examples
    --------
    >>> season_of(4, 0), season_of(12, 0), season_of(24, 168)
    (2, 1, 7)
    """
    length = length_of(season)
    return season // length if season > length else max(round(second / length), 1)


def needed(horizon: int, length: int) -> int:
    """Return how many blocks move a forecast: up to the first whose middle is the horizon or later.

    The first step is not moved, so one step ahead needs none.

    Examples
    --------
    >>> [needed(horizon, 12) for horizon in (1, 2, 6, 7, 18, 19)]
    [0, 1, 1, 2, 2, 3]
    """
    return math.ceil((horizon - (length + 1) / 2) / length) + 1 if horizon > 1 else 0


@lru_cache(maxsize=64)  # a stream asks for the same at every value
def near(season: int, second: int, horizon: int) -> int:
    """Return how much of a horizon blocks move one by one: as much as training often asks for.

    Examples
    --------
    >>> near(1, 0, 20), near(1, 0, 720)
    (20, 112)
    """
    steps = torch.arange(1, horizon + 1)
    return int(within_training(torch.tensor([[season]]), torch.tensor([[second]]), steps).max())


def means(values: Floats, season: int, length: int) -> Floats:
    """Return the means (B, N // length) of blocks of values (B, N) that end where these end.

    What is missing is taken from the season before. A mean is NaN where a value still is.

    Examples
    --------
    >>> means(np.array([[9.0, 1.0, 3.0, 2.0, np.nan]]), season=2, length=2).tolist()
    [[2.0, 2.5]]
    """
    values = _filled(values, season)
    count = values.shape[1] // length
    kept = values[:, values.shape[1] - count * length :]
    return np.asarray(kept.reshape(len(values), count, length).mean(2))


def _filled(values: Floats, season: int) -> Floats:
    """Return values (B, N), missing ones as they were the last season that shows them."""
    if not np.isnan(values).any():
        return values
    lead = -values.shape[1] % season
    padded = np.pad(values, ((0, 0), (lead, 0)), constant_values=np.nan)
    phases = (
        padded.reshape(len(values), -1, season).swapaxes(1, 2).reshape(len(values) * season, -1)
    )
    filled = fill(phases[None], ~np.isnan(phases))[0].reshape(len(values), season, -1)
    return filled.swapaxes(1, 2).reshape(len(values), -1)[:, lead:]


def _rare(values: Floats) -> NDArray[np.bool_]:
    """Return whether more than half of the values (B, N) are the lowest one.

    Then medians are that one too, whatever is to be expected of a block.
    """
    ordered = np.sort(values, 1)  # NaN last
    half = (~np.isnan(values)).sum(1) // 2
    return np.asarray(ordered[np.arange(len(values)), half] == ordered[:, 0])


def moved(medians: Floats, said: Floats, horizon: int) -> Floats:
    """Return by how much forecasts should move (B, horizon) to agree with what is said of blocks.

    By the difference of the means in the middle of every block, by nothing at the first step, and
    in a straight line between.

    Parameters
    ----------
    medians : array (B, C * length)
        Forecasts of steps.
    said : array (B, C)
        Forecasts of the means of blocks.
    horizon : int
        Beyond the last block the forecasts move as there.

    Examples
    --------
    >>> moved(np.zeros((1, 6)), np.array([[2.0, 4.0]]), horizon=6).tolist()
    [[0.0, 2.0, 2.666..., 3.333..., 4.0, 4.0]]
    """
    count = said.shape[1]
    length = medians.shape[1] // count
    away = said - medians.reshape(len(said), count, length).mean(2)
    knots = np.concatenate([[1.0], np.arange(count) * length + (length + 1) / 2])
    steps = np.arange(1, horizon + 1)
    right = np.searchsorted(knots, steps).clip(1, count)
    share = np.clip((steps - knots[right - 1]) / (knots[right] - knots[right - 1]), 0, 1)
    ends = np.concatenate([np.zeros((len(said), 1)), away], 1)
    return np.asarray(ends[:, right - 1] + share * (ends[:, right] - ends[:, right - 1]))


def count_of(season: int, second: int, horizon: int, n_values: int) -> int:
    """Return how many blocks move a forecast: none if the values make too few of them.

    Examples
    --------
    >>> count_of(12, 0, 7, n_values=96), count_of(12, 0, 7, n_values=95)
    (2, 0)
    """
    length = length_of(season)
    return needed(near(season, second, horizon), length) if n_values >= FEWEST * length else 0


def steps_for(season: int, second: int, horizon: int, n_values: int) -> int:
    """Return how many steps must be forecast, so that blocks can move a `horizon`.

    Examples
    --------
    >>> steps_for(12, 0, 7, 200), steps_for(12, 0, 1, 200), steps_for(1, 0, 7, 200)
    (24, 1, 8)
    """
    return max(horizon, count_of(season, second, horizon, n_values) * length_of(season))


def moves(
    network: PretrainedNetwork,
    values: Floats,
    season: int,
    second: int,
    medians: Floats,
    horizon: int,
) -> Floats:
    """Return by how much forecasts of what comes after histories are moved, (B, horizon).

    Parameters
    ----------
    network : PretrainedNetwork
        A tuned one moves nothing by more than blocks change.
    values : array (B, N)
        Histories that end together.
    season, second : int
        By which they are read; a second one of 0 is none.
    medians : array (B, R)
        Forecasts of at least as many steps as `steps_for` tells.
    horizon : int
    """
    length, count = length_of(season), count_of(season, second, horizon, values.shape[1])
    found = np.zeros((len(values), horizon))
    if count == 0:
        return found
    blocks = means(values, season, length)
    rows = np.flatnonzero(((~np.isnan(blocks)).sum(1) >= FEWEST) & ~_rare(values))
    if len(rows):
        none = torch.zeros(len(rows), dtype=torch.long)
        seasons = none + season_of(season, second)
        said = network.quantiles(torch.from_numpy(blocks[rows]), seasons, none, count)
        away = moved(medians[rows, : count * length], said[..., MEDIAN].numpy(), horizon)
        found[rows] = limited(SHARE * away, blocks[rows]) if network.tuned else SHARE * away
    return found


def limited(moves: Floats, blocks: Floats) -> Floats:
    """Return moves (B, horizon), none larger than means (B, N) change from block to block.

    Examples
    --------
    >>> limited(np.array([[0.5, -9.0]]), np.array([[np.nan, 3.0, 4.0, 2.0]])).tolist()
    [[0.5, -1.5]]
    """
    most = np.nanmean(np.abs(np.diff(blocks, axis=1)), axis=1, keepdims=True)
    return np.asarray(moves.clip(-most, most))
