"""Forecasters that smooth: how a series is fitted is their own, one recursion runs them all."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np

from forecast.data.panel import Panel, last_steps
from forecast.forecasters.arrays import ForecasterTags
from forecast.forecasters.classical.doubt import doubts
from forecast.forecasters.classical.recursion import Recursion, Smoothing, smoothing, turned
from forecast.forecasters.history import RECENT, SHORT, fill_gaps, shaped, without_empty_seasons
from forecast.forecasters.occlusion import Occluded
from forecast.forecasters.residuals import Residuals, inflation
from forecast.forecasters.sampling import Noise, ResidualForecaster, blocks


class Fitted(NamedTuple):
    """What was learned from one series; recursions are without the axis of series.

    Attributes
    ----------
    smoothing
        The recursion after the last value.
    errors
        (T,), one step ahead.
    start
        The recursion before the first value.
    learned
        (6 + m,) bool, which of its `numbers` were learned, and are in doubt.
    aicc
        Of the values.
    """

    smoothing: Smoothing
    errors: np.ndarray
    start: Smoothing
    learned: np.ndarray
    aicc: float = math.inf


class SmoothingForecaster(ResidualForecaster):
    """Run one recursion per series; a child fits it to the last 1,000 values (or 10 seasons).

    Missing values are filled by the last of the same season for the fit, and their errors are left
    out; of a gap of two seasons and more, whole ones teach nothing. Paths draw past errors through
    the recursion, gains and states as far off as the series leaves them in doubt, and are as wide
    as errors were so many steps ahead. `update` runs the recursion over the new values; the
    parameters stay.
    """

    tags = ForecasterTags(shift_equivariant=False)  # a season may be a factor

    @abstractmethod
    def _fit_series(self, values: np.ndarray, season_length: int) -> Fitted:
        """Fit one series without gaps, (T,) float64; where it is `featureless`, nobody asks."""

    def _fit(self, panel: Panel) -> None:
        m = self.season_length_
        values, observed = fill_gaps(panel, m), ~np.isnan(panel.values)
        keep = max(RECENT, 10 * m)
        fits, errors, phases, read = [], [], [], []
        for start, end in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
            first = max(start, end - keep)
            rows = first + np.flatnonzero(without_empty_seasons(observed[first:end], m))
            y = values[rows]
            fits.append(_fixed_gain(y, m) if _featureless(y) else self._fit_series(y, m))
            errors.append(np.where(observed[rows], fits[-1].errors, np.nan))
            phases.append((rows - start) % m)
            read.append(y)
        self.smoothing_ = Smoothing(*map(np.stack, zip(*(f.smoothing for f in fits), strict=True)))
        self.doubt_ = doubts([fit.start for fit in fits], [fit.learned for fit in fits], read)
        self.residuals_ = Residuals.of_each(errors, phases)

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        recursion = Recursion(self.smoothing_)
        for step, values in enumerate(last_steps(panel, added).T):
            recursion.absorb(values, step < added)
        self.smoothing_ = recursion.smoothing()
        self.residuals_ = self.residuals_.later(added)
        season = turned(self.doubt_[:, 6:], added)
        self.doubt_ = np.concatenate([self.doubt_[:, :6], season], axis=1)

    def _run(self, horizon: int, known: np.ndarray | None, noise: Noise) -> np.ndarray:
        normals = noise.normals_of_each(self.doubt_.shape[2])
        paths = np.stack([noise.errors() for _ in range(horizon)])  # (H, n, S): errors at first
        for some in blocks(len(noise.series), noise.n_samples * self.doubt_.shape[1]):
            off = normals if len(normals) == 1 else normals[some]
            recursion = Recursion(self._drawn(noise.series[some], off))
            for step in paths:
                step[some] = recursion.emit(step[some].ravel()).reshape(-1, noise.n_samples)
        return np.moveaxis(paths, 0, 2)

    def _drawn(self, series: np.ndarray, normals: np.ndarray) -> Smoothing:
        """Return recursions (n S,) of some series, as far off as their numbers are in doubt.

        `normals` are (n, r, S), or (1, r, S) for all.
        """
        now = Smoothing(*(part[series] for part in self.smoothing_))
        doubt = self.doubt_[series]
        if not (np.ptp(now.season, axis=1).any() or now.gains[:, 2].any() or doubt[:, 6:].any()):
            now, doubt = now._replace(season=now.season[:, :1]), doubt[:, :7]  # no season
        numbers = now.numbers()[:, :, None] + doubt @ normals  # (n, 6 + m, S)
        return now.rows(np.moveaxis(numbers, 2, 1))

    def _echo(self, horizon: int) -> np.ndarray:
        now, ahead = self.smoothing_, np.arange(horizon)
        level, trend, season = now.gains.T[:, :, None]
        grown = np.cumsum(now.damping[:, None] ** ahead, axis=1) - 1
        echo = level + trend * grown + season * (ahead % now.season.shape[1] == 0)
        echo[:, 0] = 1.0
        return echo

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
        now = now._replace(season=turned(now.season, -panel.lengths))  # the first value's first
        recursion, none = Recursion(now), np.zeros(len(owners))
        for step, values in enumerate(last_steps(panel, panel.lengths).T):
            recursion.absorb(values, step < panel.lengths)
        return np.stack([recursion.emit(none) for _ in range(horizon)], axis=1)

    def _additive(self, horizon: int) -> dict[str, np.ndarray]:
        """Return the level that goes on, what the trend adds to it, and what the season does."""
        now, steps = self.smoothing_, np.arange(1, horizon + 1)
        grown = np.cumsum(now.damping[:, None] ** steps, axis=1) * now.trend[:, None]
        level = np.repeat(now.level[:, None], horizon, axis=1)
        forecast = self._expected(horizon, None)
        return {"level": level, "trend": grown, "season": forecast - level - grown}

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        arrays = self.smoothing_._asdict() | {"doubt": self.doubt_}
        return {}, arrays | self.residuals_.arrays()

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        n = panel.n_series
        # files from before errors and seasons were told apart have no `relative`
        arrays = {"relative": arrays["proportional"]} | arrays
        shapes = {"season": (n, self.season_length_), "gains": (n, 3)}
        fields = (shaped(arrays, name, *shapes.get(name, (n,))) for name in Smoothing._fields)
        self.smoothing_ = Smoothing(*fields)
        if not ((self.smoothing_.damping >= 0) & (self.smoothing_.damping <= 1)).all():
            raise ValueError("a trend is damped by a share of 0 to 1")
        # files from before recursions were drawn have none in doubt
        doubt = arrays.get("doubt", np.zeros((n, 6 + self.season_length_, 0)))
        self.doubt_ = shaped({"doubt": doubt}, "doubt", n, 6 + self.season_length_, doubt.shape[-1])
        self.residuals_ = Residuals.from_arrays(arrays)


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
    errors *= inflation(len(values), 1)
    return Fitted(fitted, errors, start=fitted, learned=np.zeros(6 + m, dtype=bool))
