"""Level, trend and season as a recursion driven by its own errors.

Hyndman, Koehler, Ord and Snyder, "Forecasting with Exponential Smoothing", 2008. How a series is
fitted is the models' own; forecasting, sampling and updating run the recursions of all at once.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np

from forecast.data.panel import Panel, last_steps
from forecast.forecasters.arrays import ForecasterTags
from forecast.forecasters.history import RECENT, SHORT, fill_gaps, shaped
from forecast.forecasters.occlusion import Occluded
from forecast.forecasters.residuals import Noise, ResidualForecaster, Residuals, inflation


class Smoothing(NamedTuple):
    """The recursions of all series and their states, as arrays."""

    level: np.ndarray  # (n,)
    trend: np.ndarray  # (n,)
    season: np.ndarray  # (n, m), the next step's first
    gains: np.ndarray  # (n, 3): how much an error moves level, trend and season
    damping: np.ndarray  # (n,)
    proportional: np.ndarray  # (n,) bool: the season is a factor
    relative: np.ndarray  # (n,) bool: an error is a share of the value, else of the season alone


class Fitted(NamedTuple):
    """What was learned from one series."""

    smoothing: Smoothing  # without the axis of series
    errors: np.ndarray  # (T,), one step ahead
    aicc: float = math.inf


class SmoothingForecaster(ResidualForecaster):
    """Run one recursion per series; a child fits it to the last 1,000 values (or 10 seasons).

    Missing values are filled by the last of the same season for the fit, and their errors are left
    out. Paths draw past errors through the recursion. `update` runs the recursion over the new
    values; the parameters stay.
    """

    tags = ForecasterTags(shift_equivariant=False)  # a season may be a factor

    @abstractmethod
    def _fit_series(self, values: np.ndarray, season_length: int) -> Fitted:
        """Fit one series without gaps, (T,) float64; where it is `featureless`, nobody asks."""

    def _fit(self, panel: Panel) -> None:
        m = self.season_length_
        values, observed = fill_gaps(panel, m), ~np.isnan(panel.values)
        keep = max(RECENT, 10 * m)
        fits, errors, phases = [], [], []
        for start, end in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
            recent = slice(max(start, end - keep), end)
            y = values[recent]
            fits.append(_fixed_gain(y, m) if _featureless(y) else self._fit_series(y, m))
            errors.append(np.where(observed[recent], fits[-1].errors, np.nan))
            phases.append(np.arange(recent.start - start, end - start) % m)
        self.smoothing_ = Smoothing(*map(np.stack, zip(*(f.smoothing for f in fits), strict=True)))
        owners = np.repeat(np.arange(panel.n_series), [len(part) for part in errors])
        self.residuals_ = Residuals.gather(
            np.concatenate(errors), owners, panel.n_series, phases=np.concatenate(phases)
        )

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        recursion = Recursion(self.smoothing_, 1)
        for step, values in enumerate(last_steps(panel, added).T):
            recursion.absorb(values[:, None], (step < added)[:, None])
        self.smoothing_ = recursion.smoothing()

    def _run(self, horizon: int, known: np.ndarray | None, noise: Noise) -> np.ndarray:
        recursion = Recursion(self.smoothing_, noise.n_samples)
        return np.stack([recursion.emit(noise.errors()) for _ in range(horizon)], axis=2)

    def _answer(self, asked: Occluded, horizon: int) -> np.ndarray:
        """Return the forecast, and what another history changes.

        Both histories are read from the same state: where trend and season are added, the change
        does not depend on it.
        """
        own = self._seen(self.panel_).take(asked.owners)
        change = self._read_again(asked.panel, asked.owners, horizon)
        change = change - self._read_again(own, asked.owners, horizon)
        return self._predict(horizon, None)[asked.owners] + change

    def _read_again(self, panel: Panel, owners: np.ndarray, horizon: int) -> np.ndarray:
        """Return forecasts (N, H) after histories that are read from where recursions stand."""
        now = Smoothing(*(part[owners] for part in self.smoothing_))
        m = now.season.shape[1]
        first = (np.arange(m) - panel.lengths[:, None]) % m  # the season of the first value
        now = now._replace(season=np.take_along_axis(now.season, first, axis=1))
        recursion, none = Recursion(now, 1), np.zeros((len(owners), 1))
        for step, values in enumerate(last_steps(panel, panel.lengths).T):
            recursion.absorb(values[:, None], (step < panel.lengths)[:, None])
        return np.concatenate([recursion.emit(none) for _ in range(horizon)], axis=1)

    def _additive(self, horizon: int) -> dict[str, np.ndarray]:
        """Return the level that goes on, what the trend adds to it, and what the season does."""
        now, steps = self.smoothing_, np.arange(1, horizon + 1)
        grown = np.cumsum(now.damping[:, None] ** steps, axis=1) * now.trend[:, None]
        level = np.repeat(now.level[:, None], horizon, axis=1)
        forecast = self._run(horizon, None, Noise(self.residuals_))[:, 0]
        return {"level": level, "trend": grown, "season": forecast - level - grown}

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, self.smoothing_._asdict() | self.residuals_.arrays()

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        n = panel.n_series
        # files from before errors and seasons were told apart have no `relative`
        arrays = {"relative": arrays["proportional"]} | arrays
        shapes = {"season": (n, self.season_length_), "gains": (n, 3)}
        fields = (shaped(arrays, name, *shapes.get(name, (n,))) for name in Smoothing._fields)
        self.smoothing_ = Smoothing(*fields)
        self.residuals_ = Residuals.from_arrays(arrays)


class Recursion:
    """Run the recursions of all series side by side, S copies of each; arrays are (n, S)."""

    def __init__(self, start: Smoothing, copies: int) -> None:
        self.start = start
        self.level = np.repeat(start.level[:, None], copies, axis=1)
        self.trend = np.repeat(start.trend[:, None], copies, axis=1)
        self.season = np.repeat(start.season[:, :, None], copies, axis=2)  # (n, m, S)
        self.phase = np.zeros(len(start.level), dtype=np.int64)

    def emit(self, errors: np.ndarray) -> np.ndarray:
        """Return the next value with these errors, and move on."""
        mean, unit = self._expect()
        self._move(errors, np.ones((len(mean), 1), dtype=bool))
        return mean + unit * errors

    def absorb(self, values: np.ndarray, live: np.ndarray) -> None:
        """Move the live series on with observed values; a missing one counts as expected."""
        mean, unit = self._expect()
        self._move(np.nan_to_num((values - mean) / unit), live)

    def smoothing(self) -> Smoothing:
        """Return where the first copy stands, to start from again."""
        m = self.season.shape[1]
        order = (self.phase[:, None] + np.arange(m)) % m
        season = np.take_along_axis(self.season[:, :, 0], order, axis=1)
        return self.start._replace(level=self.level[:, 0], trend=self.trend[:, 0], season=season)

    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        damped = self.start.damping[:, None] * self.trend
        return self.level + damped, damped, self.season[np.arange(len(self.phase)), self.phase]

    def _expect(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of the next value and the unit of its error."""
        proportional, relative = self.start.proportional[:, None], self.start.relative[:, None]
        level, _, season = self._parts()
        mean = np.where(proportional, level * season, level + season)
        unit = np.where(relative, mean, np.where(proportional, season, 1.0))
        return mean, np.where(unit != 0, unit, 1.0)

    def _move(self, errors: np.ndarray, live: np.ndarray) -> None:
        relative = self.start.relative[:, None]
        gains = self.start.gains.T[:, :, None]  # (3, n, 1)
        level, trend, season = self._parts()
        shift = np.where(relative, level * errors, errors)
        turn = np.where(relative, season * errors, errors)
        self.level = np.where(live, level + gains[0] * shift, self.level)
        self.trend = np.where(live, trend + gains[1] * shift, self.trend)
        season = np.where(live, season + gains[2] * turn, season)
        self.season[np.arange(len(self.phase)), self.phase] = season
        self.phase = (self.phase + live[:, 0]) % self.season.shape[1]


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


def _featureless(values: np.ndarray) -> bool:
    """Tell whether a series is too short or too flat to fit."""
    # A spread as small as the rounding error of the level is no variation.
    return len(values) < SHORT or float(np.std(values)) <= 1e-12 * float(np.abs(values).max())


def _fixed_gain(values: np.ndarray, m: int) -> Fitted:
    """Smooth the level of a featureless series."""
    gain, level, errors = 0.5, values[0], np.zeros(len(values))
    for t, value in enumerate(values):
        errors[t] = value - level
        level += gain * errors[t]
    if len(values) > 1:
        errors[0] = math.nan  # the first value was the level
    fitted = smoothing(level, 0.0, np.zeros(m), (gain, 0.0, 0.0))
    return Fitted(fitted, errors * inflation(len(values), 1))
