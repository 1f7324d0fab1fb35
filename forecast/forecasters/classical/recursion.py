"""Level, trend and season as a recursion driven by its own errors.

Hyndman, Koehler, Ord and Snyder, "Forecasting with Exponential Smoothing", 2008.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Smoothing(NamedTuple):
    """The recursions of all series and their states, as arrays."""

    level: np.ndarray  # (n,)
    trend: np.ndarray  # (n,)
    season: np.ndarray  # (n, m), the next step's first
    gains: np.ndarray  # (n, 3): how much an error moves level, trend and season
    damping: np.ndarray  # (n,)
    proportional: np.ndarray  # (n,) bool: the season is a factor
    relative: np.ndarray  # (n,) bool: an error is a share of the value, else of the season alone

    def numbers(self) -> np.ndarray:
        """Return level, trend, damping, gains and season side by side, (n, 6 + m)."""
        return np.column_stack([self.level, self.trend, self.damping, self.gains, self.season])

    def rows(self, numbers: np.ndarray) -> Smoothing:
        """Return recursions of each series with other numbers (n, R, 6 + m), as n R series."""
        n, count, width = numbers.shape
        numbers = numbers.reshape(n * count, width)
        level, trend, damping = numbers[:, :3].T
        return Smoothing(*(np.repeat(part, count, axis=0) for part in self))._replace(
            level=level,
            trend=trend,
            damping=np.clip(damping, 0.0, 1.0),
            gains=np.maximum(numbers[:, 3:6], 0.0),
            season=numbers[:, 6:],
        )


def learned(
    season_length: int, *, trend: bool, season: bool, damping: bool = False, gains: bool = False
) -> np.ndarray:
    """Tell which numbers of a recursion are learned beside its level and that one's gain.

    Parameters
    ----------
    season_length
        m.
    trend, season
        Whether there is such a thing.
    damping
        Whether the trend is damped.
    gains
        Whether an error moves trend and season, too.

    Returns
    -------
    (6 + m,) bool, in the order of `Smoothing.numbers`.
    """
    first = [True, trend, damping, True, gains and trend, gains and season]
    return np.array(first + [season] * season_length)


Parts = tuple[np.ndarray, np.ndarray, np.ndarray]


class Recursion:
    """Run the recursions of all series side by side; arrays are (n,)."""

    def __init__(self, start: Smoothing) -> None:
        self.start = start
        self.level, self.trend, self.season = start.level, start.trend, start.season.copy()
        self.phase = np.zeros(len(start.level), dtype=np.int64)
        self.rows = np.arange(len(self.phase))

    def emit(self, errors: np.ndarray) -> np.ndarray:
        """Return the next value with these errors, and move on."""
        parts = self._parts()
        mean, unit = self._expect(parts)
        self._move(parts, errors, np.ones(len(mean), dtype=bool))
        return mean + unit * errors

    def absorb(self, values: np.ndarray, live: np.ndarray) -> np.ndarray:
        """Move the live series on with observed values, and return the errors.

        A missing value counts as expected.
        """
        parts = self._parts()
        mean, unit = self._expect(parts)
        errors = (values - mean) / unit
        errors[np.isnan(errors)] = 0.0
        self._move(parts, errors, live)
        return errors

    def smoothing(self) -> Smoothing:
        """Return where the recursions stand, to start from again."""
        season = turned(self.season, self.phase)
        return self.start._replace(level=self.level, trend=self.trend, season=season)

    def _parts(self) -> Parts:
        """Return level, trend and season of the next step, (n,) each, if it has no error."""
        damped = self.start.damping * self.trend
        return self.level + damped, damped, self.season[self.rows, self.phase]

    def _expect(self, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of the next value and the unit of its error."""
        level, _, season = parts
        mean = np.where(self.start.proportional, level * season, level + season)
        plain = np.where(self.start.proportional, season, 1.0)
        unit = np.where(self.start.relative, mean, plain)
        return mean, np.where(unit != 0, unit, 1.0)

    def _move(self, parts: Parts, errors: np.ndarray, live: np.ndarray) -> None:
        level, trend, season = parts
        gains, relative = self.start.gains.T, self.start.relative
        shift = np.where(relative, level * errors, errors)
        turn = np.where(relative, season * errors, errors)
        self.level = np.where(live, level + gains[0] * shift, self.level)
        self.trend = np.where(live, trend + gains[1] * shift, self.trend)
        season = np.where(live, season + gains[2] * turn, season)
        self.season[self.rows, self.phase] = season
        self.phase = (self.phase + live) % self.season.shape[1]


def turned(season: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return what each place of a season has, (n, m, ...), so many steps (n,) later.

    Examples
    --------
    >>> turned(np.array([[1.0, 2.0, 3.0]]), np.array([4])).tolist()
    [[2.0, 3.0, 1.0]]
    """
    m = season.shape[1]
    order = (steps[:, None] + np.arange(m)) % m
    later: np.ndarray = season[np.arange(len(season))[:, None], order]
    return later


def smoothing(
    level: float,
    trend: float,
    season: np.ndarray,
    gains: tuple[float, float, float],
    damping: float = 1.0,
    proportional: bool = False,
    relative: bool | None = None,
) -> Smoothing:
    """Return the recursion of one series; errors are relative where the season is a factor."""
    return Smoothing(
        np.array(level, dtype=np.float64),
        np.array(trend, dtype=np.float64),
        np.array(season, dtype=np.float64),
        np.array(gains),
        np.array(damping),
        np.array(proportional),
        np.array(proportional if relative is None else relative),
    )
