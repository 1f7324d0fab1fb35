"""Draw whole batches of generated series: the prior that a pre-trained network believes.

A series is a process (exponential smoothing, seasonal ARIMA, kernels, walks, regimes) with
patterns laid over it, events that befall it, and a way in which it is observed. Every part is
drawn independently, so rare combinations occur as often as they should. The same seed gives the
same series; only generated values are ever shown to a network that is taught by them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecast.generated import arima, kernels, smoothing, wandering
from forecast.generated.augmentation import flip_falling, flip_sign, flip_time, mix, modulate
from forecast.generated.events import add_events, hold_constant, lose_values
from forecast.generated.frequencies import Seasons, draw_seasons
from forecast.generated.noise import draw_innovations
from forecast.generated.outcomes import count, exponentiate, sample_otherwise, saturate
from forecast.generated.patterns import (
    business,
    draw_cycles,
    draw_day_types,
    draw_growth,
    draw_holidays,
    draw_profiles,
    draw_trading_days,
)

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Process = Callable[[np.random.Generator, Floats, Numbers, Floats], Floats]

VERSION = 10  # raised whenever the same seed gives other series


class Generated(NamedTuple):
    """Generated series: values (B, N) with NaN where unobserved, and their seasons (B,)."""

    values: Floats
    season: Numbers
    second: Numbers


def _smoothed(
    rng: np.random.Generator, innovations: Floats, season: Numbers, profile: Floats
) -> Floats:
    states = smoothing.draw_states(rng, profile, season)
    return smoothing.smooth(states, innovations, season)


# Smoothing has half: it forecasts best what people keep in tables. The rest is there for what it
# cannot express: short cycles, smooth curves, walks with nothing to learn, sudden regimes.
PROCESSES: tuple[tuple[Process, float], ...] = (
    (_smoothed, 0.57),
    (arima.draw_arima, 0.15),
    (kernels.draw_kernels, 0.09),
    (wandering.draw_walks, 0.11),
    (wandering.draw_regimes, 0.08),
)


def draw_series(
    seed: int | list[int],
    size: int,
    length: int,
    seasons: Seasons | None = None,
    *,
    gaps: bool = True,
) -> Generated:
    """Draw series that a forecaster may meet.

    Parameters
    ----------
    seed : int or list of int
        Decides everything; a list such as [seed, step] gives independent batches.
    size : int
        B, number of series.
    length : int
        N, 5 to 2,000 values.
    seasons : Seasons, optional
        Season and second season of every series; drawn by the length if not given.
    gaps : bool
        Whether values may be missing.

    Examples
    --------
    >>> drawn = draw_series(0, 8, 60)
    >>> drawn.values.shape, drawn.season.shape
    ((8, 60), (8,))
    >>> bool(np.array_equal(drawn.values, draw_series(0, 8, 60).values, equal_nan=True))
    True
    """
    rng = np.random.default_rng(seed)
    season, second = draw_seasons(rng, size, length) if seasons is None else seasons
    profile = draw_profiles(rng, season)
    innovations = draw_innovations(rng, length, season)
    values = _draw_processes(rng, innovations, season, profile)
    values = values + _draw_patterns(rng, values, season, second, profile)
    noise = _noise_of(values)
    values = mix(rng, values, season * 1000 + second)
    values = modulate(rng, np.where(season[:, None] > 4, flip_time(rng, values), values), season)
    turned = np.select([business(season, length), season == 12], [0.75, 0.5], 0.0)
    values = flip_falling(rng, values, turned)
    late = rng.random((size, 1)) < 0.5  # an event in the logarithm, or in what is observed
    values = np.where(late, values, add_events(rng, values, noise, season))
    values, additive = _observe(rng, values, season)
    values = np.where(late, add_events(rng, values, _noise_of(values), season), values)
    values = np.where(additive[:, None] | ~late, values, np.maximum(values, 0.0))
    # years and months are hardly ever turned: that they grow is most of what is known of them
    values = flip_sign(rng, hold_constant(rng, values), additive & (turned == 0))
    values = values * np.exp(rng.normal(2, 3, (size, 1)))  # any unit
    return Generated(lose_values(rng, values) if gaps else values, season, second)


def _draw_processes(
    rng: np.random.Generator, innovations: Floats, season: Numbers, profile: Floats
) -> Floats:
    """Give every series a process of its own, in the unit of its innovations."""
    values = np.empty_like(innovations)
    kind = rng.choice(len(PROCESSES), len(season), p=[share for _, share in PROCESSES])
    # years are sums of what shorter steps do: most have a trend, few jump between regimes
    names = [p for p, _ in PROCESSES]
    smoothed, walks = names.index(_smoothed), names.index(wandering.draw_walks)
    trending = (season == 1) & (innovations.shape[1] <= 200) & (rng.random(len(season)) < 0.4)
    kind = np.where(trending, smoothed, kind)
    # a month's level moves by steps that say nothing of the next ones, a year's along its trend,
    # more often than either follows a smooth curve or returns to a mean
    share = np.where(np.isin(season, (1, 4, 12)), 0.5, 0.0)
    share = np.where(kind == smoothed, 0.25 * (season == 12), share)
    plain = rng.random(len(season)) < share
    kind = np.where(plain, np.where(season == 12, walks, smoothed), kind)
    # what has no season and was observed for long is most often a price,
    # and many a price is told the week or the year of its calendar without having either
    share = np.select([season == 1, (season == 5) | (season == 7), season == 52], [0.65, 0.25, 0.1])
    price = (innovations.shape[1] > 100) & (rng.random(len(season)) < share)
    kind = np.where(price, walks, kind)
    for which, (process, _) in enumerate(PROCESSES):
        rows = np.flatnonzero(kind == which)
        if len(rows):
            values[rows] = process(rng, innovations[rows], season[rows], profile[rows])
    return values


def _draw_patterns(
    rng: np.random.Generator, values: Floats, season: Numbers, second: Numbers, profile: Floats
) -> Floats:
    """Draw what is laid over the process: days and weeks, growth, slow cycles, the calendar."""
    size, length = values.shape
    added = _draw_days(rng, values, season, second, profile)
    growing = np.select(
        [season == 1, season == 4, season == 12],
        [0.75 if length <= 200 else 0.15, 0.65, 0.15],
        0.12,
    )
    noise, daily = _noise_of(values), np.isin(season, (5, 7, 24, 48))

    def grow(rows: Numbers) -> Floats:
        return noise[rows] * draw_growth(rng, season[rows], length)

    # chance of each series, law of the height's logarithm, what is laid over it; the calendar acts
    # on whole days, so its height is a share of the seasonal spread
    for chance, law, draw in (
        (growing, (0.2, 1.0), grow),
        (
            np.select([season == 1, season == 12], [0.2, 0.12], 0.3),
            (0.3, 1.0),
            lambda rows: draw_cycles(rng, season[rows], length),
        ),
        (
            0.25 * (season == 12),
            (0.0, 0.6),
            lambda rows: draw_trading_days(rng, len(rows), length),
        ),
        (0.2 * daily, (0.5, 0.7), lambda rows: draw_holidays(rng, season[rows], length)),
    ):
        rows = np.flatnonzero(rng.random(size) < chance)
        height = np.exp(rng.normal(*law, (len(rows), 1)))
        added[rows] += height * draw(rows)
    return added


def _draw_days(
    rng: np.random.Generator, values: Floats, season: Numbers, second: Numbers, profile: Floats
) -> Floats:
    """Draw a week over the days, and for half of the hours a day that is most of what there is."""
    size, length = values.shape
    wave = np.take_along_axis(profile, np.arange(length) % season[:, None], 1)
    # days differ by as much as the hours of a day do: the width that the season has already
    moved = ((values - values.mean(1, keepdims=True)) * wave).sum(1, keepdims=True)
    width = moved / ((wave**2).sum(1, keepdims=True) + 1e-9)
    # people keep weeks, the weather does not: a quarter has no day types though a week is told
    weekly = rng.random((size, 1)) < 0.75
    # load, traffic, visitors; of hours that no week is told of, fewer are of what people do
    often = np.where(second > 0, 0.5, 0.2)[:, None]
    calm = (season > 20)[:, None] & (rng.random((size, 1)) < often)
    more = calm * values.std(1, keepdims=True) * np.exp(rng.normal(1, 1, (size, 1)))
    added = draw_day_types(rng, profile, season, second, length) * (width + more) * weekly
    return added + more * wave


def _noise_of(values: Floats) -> Floats:
    """Return a robust width of the changes from step to step, (B, 1)."""
    change = np.abs(np.diff(values, axis=1))
    return np.median(change, 1, keepdims=True) + 0.1 * change.mean(1, keepdims=True) + 1e-9


def _observe(
    rng: np.random.Generator, values: Floats, season: Numbers
) -> tuple[Floats, NDArray[np.bool_]]:
    """Turn processes into observations; return also which are additive still.

    Figures without a season, yearly ones above all, are sums over so long a time that few are
    small counts; and growth over years is by a share of what is there, so more are logarithms.
    """
    kind = rng.random(len(values))
    kind = np.where((season == 1) & (kind > 0.45) & (kind < 0.53), kind - 0.3, kind)
    kind = np.where((season == 1) & (kind > 0.75) & (kind < 0.95), kind - 0.6, kind)
    additive = kind >= 0.53
    y = values.copy()
    for rows, observe in (
        (np.flatnonzero(kind < 0.41), exponentiate),
        (np.flatnonzero((kind >= 0.41) & (kind < 0.53)), count),
        (np.flatnonzero((kind > 0.96) | (kind < 0.015)), saturate),
        (np.flatnonzero(rng.random(len(values)) < 0.10), sample_otherwise),
    ):
        y[rows] = observe(rng, y[rows])
    return y, additive
