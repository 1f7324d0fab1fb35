"""The default recipe: how patch, block, window, scale and context follow from the data.

Everything is decided by the season, the horizon and the lengths of the series, never by the
name of a data set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from forecast.data.panel import Panel
from forecast.data.spreads import spread_or_one

SHORT = 500  # a single series of fewer values is learned in a few epochs, of small batches


@dataclass(frozen=True)
class Recipe:
    """Sizes of a model and its training windows, in steps of the series."""

    patch: int  # P, values between two steps of the network
    block: int  # R, steps per readout
    stride: int  # forecast steps written before they are read again
    window: int  # values shown at a step of the network
    scale_window: int  # W, values that make level and spread
    lags: tuple[int, ...]  # seasons offered as templates
    n_steps: int  # patches per training window: the length of backpropagation through time
    drift: bool  # whether the network sees the scale move
    batch_size: int
    hidden_size: int
    num_layers: int
    min_observed: int  # fewest observed values in a scale whose targets count
    driver_window: int  # V, newest values whose covariates are shown at a step
    n_estimators: int  # E, networks trained side by side
    every: int = 1  # steps of a training window between two origins, which have a loss
    n_iter_no_change: int = 10  # epochs without a better one after which training stops
    trend: int = 0  # K, newest values whose two halves tell the trend; 0: no template follows it
    mean: bool = False  # whether the mean of all values so far is a template
    prior: tuple[float, float] | None = None  # level and spread before the first value


def usable_seasons(seasons: tuple[int, ...], lengths: np.ndarray, horizon: int) -> tuple[int, ...]:
    """Return the seasons that half of the series hold twice besides the horizon.

    Examples
    --------
    >>> usable_seasons((24, 168), np.array([700, 960]), 48)
    (24, 168)
    >>> usable_seasons((12,), np.array([20, 30]), 8)
    ()
    """
    return tuple(s for s in seasons if 1 < s <= (np.median(lengths) - horizon) / 2)


def template_lags(seasons: tuple[int, ...], reach: float) -> tuple[int, ...]:
    """Return the lags to offer as templates: each season, and up to four cycles of the longest.

    The mean of several cycles is a better season than the last one alone; the readout learns
    the weights.

    Examples
    --------
    >>> template_lags((24, 168), 400), template_lags((12,), 100)
    ((24, 168, 336), (12, 24, 36, 48))
    """
    cycles = [k * seasons[-1] for k in (2, 3, 4)] if seasons else []
    return tuple(lag for lag in (*seasons, *cycles) if lag <= reach)


def trend_window(seasons: tuple[int, ...], reach: int) -> int:
    """Return how many of `reach` values tell the trend: an even number of the longest season.

    Examples
    --------
    >>> trend_window((24, 168), 400), trend_window((), 9), trend_window((12,), 20)
    (336, 8, 0)
    """
    pair = 2 * seasons[-1] if seasons else 2
    return reach // pair * pair


def mean_tells(seasons: tuple[int, ...], lengths: np.ndarray, scale_window: int) -> bool:
    """Tell whether the mean of all values is worth a template.

    It is where a stationary series returns to. Without a season nothing else tells that, and ten
    times the values of a scale are needed to know it. With one, the last cycles do, better.

    Examples
    --------
    >>> long, short = np.array([3000]), np.array([60])
    >>> mean_tells((), long, 8), mean_tells((), short, 8), mean_tells((7,), long, 14)
    (True, False, False)
    """
    return not seasons and bool(np.median(lengths) >= 10 * scale_window)


def largest_divisor(number: int, at_most: int) -> int:
    """Return the largest divisor of a number up to a bound.

    Examples
    --------
    >>> largest_divisor(24, 8), largest_divisor(52, 30)
    (8, 26)
    """
    return max(d for d in range(1, min(number, at_most) + 1) if number % d == 0)


def batch_size(lengths: np.ndarray, block: int, n_steps: int) -> int:
    """Return windows per optimiser step: as many targets as a quarter of all values.

    Between 4,096 and 49,152 targets, at least 4 windows. Small data in large batches would be seen
    whole at every step, and learned by heart.

    Examples
    --------
    >>> batch_size(np.array([732]), 12, 48), batch_size(np.full(414, 850), 48, 28)
    (7, 36)
    """
    targets = np.clip(int(lengths.sum()) // 4, 4096, 49152)
    return max(int(targets) // (block * n_steps), 4)


def window_batch_size(lengths: np.ndarray, block: int) -> int:
    """Return windows per optimiser step of a model that reads each on its own.

    The targets of `batch_size` would show a short series alone several times at every step: it is
    shown 64 windows.

    Examples
    --------
    >>> window_batch_size(np.array([150]), 12), window_batch_size(np.array([150, 150]), 12)
    (64, 341)
    """
    windows = batch_size(lengths, block, 1)
    return min(windows, 64) if is_short(lengths) else windows


def origins_apart(patch: int, block: int, n_steps: int) -> int:
    """Return how many steps of a training window one origin lies after another.

    Where blocks overlap, neighbouring origins forecast almost the same values and teach almost the
    same. A quarter of them is enough, as long as each value is still forecast from one.

    Examples
    --------
    >>> origins_apart(1, 18, 48), origins_apart(24, 48, 28), origins_apart(1, 1, 32)
    (4, 2, 1)
    """
    return max(min(4, block // patch, n_steps), 1)


def hidden_size(lengths: np.ndarray) -> int:
    """Return the width of a layer: 32 units for a single series' worth of values, 64 for more."""
    return 32 if lengths.sum() < 10_000 else 64


def n_estimators(lengths: np.ndarray) -> int:
    """Return how many networks are trained side by side: three, whatever the data."""
    return 3


def is_short(lengths: np.ndarray) -> bool:
    """Tell whether there is a single series, of fewer than `SHORT` values."""
    return len(lengths) == 1 and int(lengths[0]) < SHORT


def patience(lengths: np.ndarray) -> int:
    """Return after how many epochs without a better one training stops.

    A short series alone is known after a few: half the patience kept the same weights in seven of
    eight fits, and forecasts of the others were no worse.

    Examples
    --------
    >>> patience(np.array([200])), patience(np.array([200, 200])), patience(np.array([5000]))
    (5, 10, 10)
    """
    return 5 if is_short(lengths) else 10


def min_observed(lengths: np.ndarray, scale_window: int) -> int:
    """Return how many values a scale must hold before its targets count: 8, fewer if short."""
    return min(scale_window, 8, max(int(np.median(lengths)) // 6, 1))


def longest_block(lengths: np.ndarray, horizon: int) -> int:
    """Return R: the horizon, but at most a third of a typical series.

    Steps that reach past most training windows would never be taught; the rollout writes them.
    """
    return min(horizon, max(int(np.median(lengths)) // 3, 1))


def window_recipe(
    seasons: tuple[int, ...], lengths: np.ndarray, horizon: int, context_length: int | None
) -> Recipe:
    """Choose the sizes of a model that reads a fixed window of `context_length` values.

    The window holds four short seasons or two long ones, at least 8 values, and at most half of
    a typical series.
    """
    block = longest_block(lengths, horizon)
    wanted = max(4 * seasons[0], 2 * seasons[-1]) if seasons else max(block, 8)
    half = max(int(np.median(lengths) - horizon) // 2, 2)
    window = context_length or min(wanted, half)
    return Recipe(
        patch=1,
        block=block,
        stride=block,
        window=window,
        scale_window=window,
        lags=template_lags(seasons, window),
        n_steps=1,
        drift=False,
        batch_size=window_batch_size(lengths, block),
        hidden_size=hidden_size(lengths),
        num_layers=1,
        min_observed=min_observed(lengths, window),
        driver_window=window,
        n_estimators=n_estimators(lengths),
        n_iter_no_change=patience(lengths),
        trend=trend_window(seasons, window),
        mean=mean_tells(seasons, lengths, window),
    )


def recurrent_recipe(
    seasons: tuple[int, ...], lengths: np.ndarray, horizon: int, context_length: int | None
) -> Recipe:
    """Choose the sizes of a model that carries a state.

    Short seasons (up to 12) are read value by value through a window of one season; long ones in
    patches, the largest divisor of the season that fits into the horizon, so that a season is
    few recurrent steps: then two layers, because a patch tells much at once. The scale holds two
    short seasons or a long one.
    """
    season, longest = (seasons[0], seasons[-1]) if seasons else (1, 8)
    block = longest_block(lengths, horizon)
    patch = largest_divisor(season, block) if season > 12 else 1
    typical = int(np.median(lengths))
    wanted = context_length or max(4 * longest, 32)
    n_steps = max(min(wanted, typical) // patch, 2)
    scale = longest if longest >= 24 else max(2 * season, 8)
    lags = template_lags(seasons, (typical - horizon) / 2)
    return Recipe(
        patch=patch,
        block=block,
        stride=block // patch * patch,
        window=max(season, patch) if seasons else 4,
        scale_window=scale,
        lags=lags,
        n_steps=n_steps,
        drift=True,
        batch_size=batch_size(lengths, block, n_steps),
        hidden_size=hidden_size(lengths),
        num_layers=2 if patch > 1 else 1,
        min_observed=min_observed(lengths, scale),
        driver_window=patch,
        n_estimators=n_estimators(lengths),
        every=origins_apart(patch, block, n_steps),
        n_iter_no_change=patience(lengths),
        trend=trend_window(seasons, max([scale, *lags])),
        mean=mean_tells(seasons, lengths, scale),
    )


def cold_recipe(recipe: Recipe, panel: Panel, horizon: int) -> Recipe:
    """Return a recipe by which series are forecast before their first value, too.

    The block may be as long as a typical series, because every window that begins with a series
    teaches all of it. Batches have 32 windows at least, and every step has a loss: only the first
    steps of such windows teach it.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames([pd.Series([1.0, 5.0] * 20)] * 2)
    >>> recipe = recurrent_recipe((), panel.lengths, 30, None)
    >>> cold = cold_recipe(recipe, panel, 30)
    >>> recipe.block, cold.block, cold.prior
    (13, 30, (3.0, 2.0))
    """
    block, mean = min(horizon, int(np.median(panel.lengths))), float(np.nanmean(panel.values))
    return replace(
        recipe,
        block=block,
        stride=block // recipe.patch * recipe.patch,
        batch_size=max(recipe.batch_size, 32),
        every=1,
        min_observed=0,
        prior=(mean, float(spread_or_one(np.nanstd(panel.values), mean, panel.values.size))),
    )


def seq2seq_recipe(
    seasons: tuple[int, ...], lengths: np.ndarray, horizon: int, context_length: int | None
) -> Recipe:
    """Choose the sizes of a model whose future is written by a decoder, in two halves.

    Errors grow with every block that is read back, and so does the time: a long horizon is not
    written value by value.

    Examples
    --------
    >>> [seq2seq_recipe((s,), np.array([2000]), 18, None).block for s in (7, 12, 24)]
    [9, 9, 12]
    """
    recipe = in_two_halves(recurrent_recipe(seasons, lengths, horizon, context_length))
    return replace(recipe, every=origins_apart(recipe.patch, recipe.block, recipe.n_steps))


def in_two_halves(recipe: Recipe) -> Recipe:
    """Return a recipe whose block is half as long, in whole patches: a decoder writes the rest.

    Examples
    --------
    >>> recipe = recurrent_recipe((), np.array([2000]), 15, None)
    >>> recipe.block, in_two_halves(recipe).block
    (15, 8)
    """
    half = math.ceil(recipe.block / (2 * recipe.patch)) * recipe.patch
    return replace(recipe, block=half, stride=half)
