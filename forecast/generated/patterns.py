"""Deterministic patterns: season profiles, day types, slow cycles, the calendar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.generated.recursion import autoregress

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
HARMONICS = 16  # of a profile, at most


def draw_profiles(rng: np.random.Generator, season: Numbers) -> Floats:
    """Draw one cycle of every season, (B, M) with M the longest, of mean 0 and deviation 1.

    Four shapes: a Fourier series whose amplitudes fall by a random power (smooth to sharp; the
    usual form of seasonal components, Harvey, 1989), independent values (months that differ
    without order), a Fourier series through an exponential (a few peaks over a flat floor: sales
    before holidays, rain) and through a steep sigmoid (on and off: opening hours).

    Examples
    --------
    >>> p = draw_profiles(np.random.default_rng(0), np.array([4, 12]))
    >>> p.shape, np.abs(p[1].mean()).round(9).item(), p[0, 4:].tolist()[:2]
    ((2, 12), 0.0, [0.0, 0.0])
    """
    size, longest = len(season), int(season.max())
    k = np.arange(1, min(HARMONICS, max(longest // 2, 1)) + 1)
    top = np.maximum(season // 2, 1)
    used = rng.integers(1, top + 1)
    # what has many steps, as hours of a day and weeks of a year, moves from one to the next slowly
    many = (season > 20)[:, None]
    fall = k ** -rng.uniform(0.5 * many, 1.5 + 0.7 * many) * (k <= used[:, None])
    sin, cos = rng.standard_normal((2, size, len(k))) * fall
    turn = 2 * np.pi * np.arange(longest) / season[:, None]  # (B, M)
    # every harmonic from the first by one complex product each
    first = np.exp(1j * turn)
    wave, profile = np.ones_like(first), np.zeros((size, longest))
    for j in range(len(k)):
        wave = wave * first
        profile += sin[:, j, None] * wave.imag + cos[:, j, None] * wave.real
    kind = rng.random((size, 1))
    rough = np.where(many, 0.06, 0.25)
    profile = np.where(kind < rough, rng.standard_normal((size, longest)), profile)
    profile = _standard(profile, season)
    steep = np.exp(rng.uniform(0, 1.5, (size, 1)))
    peaked = np.exp(np.clip(0.5 * steep * profile, -6, 6))
    profile = np.where((kind >= 0.25) & (kind < 0.40), peaked, profile)
    switched = np.tanh(2 * steep * (profile + rng.normal(0, 0.7, (size, 1))))
    profile = np.where((kind >= 0.40) & (kind < 0.50), switched, profile)
    return _standard(profile, season)


def _standard(profile: Floats, season: Numbers) -> Floats:
    """Return profiles of mean 0 and deviation 1 over their own season, zero after it."""
    inside = np.arange(profile.shape[1]) < season[:, None]
    mean = (profile * inside).sum(1, keepdims=True) / season[:, None]
    away = (profile - mean) * inside
    spread = np.sqrt((away**2).sum(1, keepdims=True) / season[:, None])
    return away / np.maximum(spread, 1e-9)


def draw_day_types(
    rng: np.random.Generator, profile: Floats, season: Numbers, second: Numbers, length: int
) -> Floats:
    """Draw what a second season adds to a first one, (B, N): days of a week that differ.

    Each cycle of the first season within the second has a level of its own and its own share of
    the first's profile, as a Sunday has half of a working day's and has it later. A few neighbours
    are alike, as five working days are. Without a second season nothing is added.

    Examples
    --------
    >>> flat = draw_day_types(
    ...     np.random.default_rng(0), np.ones((1, 24)), np.array([24]), np.array([0]), 50
    ... )
    >>> bool((flat == 0).all())
    True
    """
    size, step = len(season), np.arange(length)
    cycles = np.maximum(-(-second // season), 1)
    widest = int(cycles.max())
    level = rng.standard_normal((size, widest)) * rng.uniform(0, 1.2, (size, 1))
    share = rng.uniform(0, 0.8, (size, widest)) * rng.uniform(0, 1, (size, 1))
    working = (np.arange(widest) < 5) & (rng.random((size, 1)) < 0.6) & (cycles == 7)[:, None]
    level = np.where(working, level[:, :1], level)
    share = np.where(working, 0.0, share)
    # long second seasons (a year over weeks) change slowly from cycle to cycle
    slow = cycles > 12
    turn = 2 * np.pi * np.arange(widest) / cycles[:, None] + rng.uniform(0, 6.3, (size, 1))
    level = np.where(slow[:, None], 1.5 * np.sin(turn) + 0.3 * level, level)
    share = np.where(slow[:, None], 0.0, share)
    within = step % np.maximum(second, 1)[:, None]
    cycle = within // season[:, None]
    rows = np.arange(size)[:, None]
    usual = profile[rows, step % season[:, None]]
    delay = rng.integers(0, season // 8 + 1)[:, None] * (rng.random((size, 1)) < 0.5)
    later = profile[rows, (step - delay) % season[:, None]]
    free = share[rows, cycle] > 0
    added = level[rows, cycle] - share[rows, cycle] * usual + free * (later - usual)
    return np.where((second > 0)[:, None], added, 0.0)


def business(season: Numbers, length: int) -> NDArray[np.bool_]:
    """Return whether series are figures of years or quarters, most of which grow.

    Hardly any are observed for a hundred years: what has no season and is longer is another kind.

    Examples
    --------
    >>> business(np.array([1, 4, 12]), 60).tolist(), business(np.array([1]), 500).tolist()
    ([True, True, False], [False])
    """
    return (season == 4) | ((season == 1) & (length <= 100))


def draw_growth(rng: np.random.Generator, season: Numbers, length: int) -> Floats:
    """Draw trends (B, N) that persist and bend: the sum of a slope that wanders about a mean.

    b_t = mu + a_t with a_t an autoregression, so that changes are followed by changes alike
    (stochastic trends: Harvey, 1989). Most years and quarters grow, by as much a step as the rest
    of the series moves; shorter steps by less, and over a long time none does so all along.

    Examples
    --------
    >>> y = draw_growth(np.random.default_rng(0), np.ones(400, int), 30)
    >>> y.shape, bool(0.7 < (y[:, -1] > y[:, 0]).mean() < 0.9)
    ((400, 30), True)
    """
    size = len(season)
    up = np.select([business(season, length), season == 12], [0.92, 0.8], 0.62)
    sign = np.where(rng.random(size) < up, 1.0, -1.0)[:, None]
    far = np.select([season == 1, season == 4], [1.0, 0.6], 2.0 / season)[:, None]
    far = far * min(1.0, 60 / length)
    mean = sign * np.exp(rng.normal(0, 0.7, (size, 1))) * (rng.random((size, 1)) < 0.85)
    stay = 1 - np.exp(rng.uniform(np.log(0.03), np.log(0.8), (size, 1)))
    width = np.exp(rng.normal(0, 0.8, (size, 1))) * np.sqrt(1 - stay**2)
    shocks = width * rng.standard_normal((size, length))
    shocks[:, 0] /= np.sqrt(1 - stay[:, 0] ** 2)
    return np.cumsum(far * (mean + autoregress(shocks, stay)), 1)


def draw_cycles(rng: np.random.Generator, season: Numbers, length: int) -> Floats:
    """Draw slow cycles (B, N): one to three sines longer than two seasons, each of its own size.

    Periods are log-uniform up to four times the length, so that most are seen in part, as
    business cycles are, and look like a trend that turns.

    Examples
    --------
    >>> draw_cycles(np.random.default_rng(0), np.array([12, 1]), 100).shape
    (2, 100)
    """
    size = len(season)
    shortest = np.log(np.maximum(2 * season, 8))[:, None]
    longest = np.maximum(np.log(4 * length), shortest + 0.5)
    period = np.exp(rng.uniform(shortest, longest, (size, 3)))
    height = rng.standard_normal((size, 3)) * (np.arange(3) < rng.integers(1, 4, (size, 1)))
    phase = rng.uniform(0, 2 * np.pi, (size, 3))
    total = np.zeros((size, length))
    for j in range(3):
        turn = 2 * np.pi * np.arange(length) / period[:, j, None] + phase[:, j, None]
        total += height[:, j, None] * np.sin(turn)
    return total


def draw_trading_days(rng: np.random.Generator, size: int, length: int) -> Floats:
    """Draw the effect of the calendar on months (B, N), about one in deviation.

    Months hold 28 to 31 days and a changing number of each weekday; each weekday has a weight
    (Bell and Hillmer, 1983). A moving feast falls now into one month, now into the next.

    Examples
    --------
    >>> draw_trading_days(np.random.default_rng(0), 2, 36).shape
    (2, 36)
    """
    begin = rng.integers(-1200, 600, size)  # months from 1970 on
    months = begin[:, None] + np.arange(length + 1)
    day = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    first, after = day[:, :-1, None], day[:, 1:, None]
    weekday = np.arange(7)
    count = (after - 1 - weekday) // 7 - (first - 1 - weekday) // 7  # (B, N, 7)
    weight = rng.uniform(0, 0.5, (size, 1, 7)) + (weekday < 5) * rng.uniform(0, 1, (size, 1, 1))
    worked = (count * weight).sum(2)
    feast = (rng.random((size, length)) < 0.4) & (months[:, :-1] % 12 == 2)
    moved = feast.astype(float)
    moved[:, 1:] -= feast[:, :-1]
    effect = worked + moved * rng.normal(0, 1.0, (size, 1))
    spread = effect.std(1, keepdims=True) + 1e-9
    return (effect - effect.mean(1, keepdims=True)) / spread


def draw_holidays(rng: np.random.Generator, season: Numbers, length: int) -> Floats:
    """Draw days of the year that are unlike others, (B, N), for days and shorter steps.

    A handful of days, the same every year, lower or raise all steps of the day, by a few
    deviations. The steps of a day are the season, but for days (season 7 or 5) it is one step.

    Examples
    --------
    >>> draw_holidays(np.random.default_rng(0), np.array([7, 24]), 800).shape
    (2, 800)
    """
    size = len(season)
    steps = np.where(season < 20, 1, season)[:, None]
    year = np.where(season == 5, 260, 365)[:, None]
    date = (np.arange(length) // steps + rng.integers(0, 365, (size, 1))) % year
    effect = np.zeros((size, 366))
    rows = np.arange(size)
    for _ in range(8):
        effect[rows, rng.integers(0, year[:, 0])] = rng.normal(-1, 2, size)
    return np.take_along_axis(effect, date, 1)
