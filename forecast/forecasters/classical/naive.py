"""The forecasts that every other one must beat: naive rules."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from forecast._checks import one_of
from forecast.data.frames import Panel
from forecast.forecasters.growth import Past
from forecast.forecasters.history import (
    differences,
    errors_told,
    fill_gaps,
    series_numbers,
    shaped,
    tails,
)
from forecast.forecasters.parameters import Common
from forecast.forecasters.residuals import Residuals
from forecast.forecasters.sampling import Noise, ResidualForecaster

STRATEGIES = ("last", "seasonal", "drift")


class NaiveForecaster(ResidualForecaster):
    """Repeat the past: the last value, the last season, or the mean change.

    Missing values: the last observed value counts, for "seasonal" that of the same season. Paths
    are random walks whose steps are past errors; those of a season are drawn as they followed each
    other, so that a month that is above the last year's has neighbours that are, too. Paths are
    as wide as past errors were so many steps ahead, where the past tells, and as errors of late
    where these became larger or smaller.

    Parameters
    ----------
    strategy
        "last" repeats the last value; "seasonal" the last season; "drift" continues the line from
        the first to the last value.

    Attributes
    ----------
    season_
        (n, m), the values that are repeated; m is 1 but for "seasonal".
    slope_
        (n,), change per step; 0 but for "drift".
    residuals_
        Past errors, as large as those of late, to draw from.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.Series([1.5, 5.5, 2.5, 6.5])
    >>> NaiveForecaster(strategy="seasonal", season_length=2).fit(y).predict(3).tolist()
    [2.5, 6.5, 2.5]
    >>> NaiveForecaster(strategy="drift").fit(y).predict(2).round(2).tolist()
    [8.17, 9.83]
    """

    def __init__(self, strategy: str = "last", **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.strategy = strategy

    def _fit(self, panel: Panel) -> None:
        one_of("strategy", self.strategy, STRATEGIES)
        self.seen_ = panel
        m = self.season_length_ if self.strategy == "seasonal" else 1
        season = tails(fill_gaps(panel, m), panel, m)  # (n, m)
        unborn = np.arange(m) < m - panel.lengths[:, None]
        self.season_ = np.where(unborn, season[:, -1:], season)
        self.slope_ = np.zeros(panel.n_series)
        if self.strategy == "drift":
            last = _last_observed(panel)
            rise = self.season_[:, 0] - panel.values[panel.offsets[:-1]]
            self.slope_ = rise / np.maximum(last, 1)
            # The line has gone on since, through values that were missed.
            self.season_ = self.season_ + (self.slope_ * (panel.lengths - 1 - last))[:, None]
        self.residuals_ = self._residuals(panel, m)

    def _residuals(self, panel: Panel, m: int) -> Residuals:
        errors, series = errors_told(panel, *differences(panel, m))
        errors = errors - self.slope_[series]
        # Up and down are alike but for a drift: a growing series has erred on one side only.
        symmetric = self.strategy != "drift"
        return Residuals.gather(errors, series, panel.n_series, symmetric=symmetric)

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        # The rule is the model: it keeps nothing of the old history that the new one does not tell.
        self._fit(panel)

    def _apply(self, panel: Panel) -> None:
        self._fit(panel)

    def _run(self, horizon: int, known: np.ndarray | None, noise: Noise) -> np.ndarray:
        season, slope = self.season_[noise.series], self.slope_[noise.series]
        m, steps = season.shape[1], np.arange(horizon)
        point = season[:, steps % m] + slope[:, None] * (steps + 1)  # (n, H)
        if noise.rng is None:
            return point[:, None]
        walk = noise.stretches(m, -(-horizon // m)).cumsum(axis=0)  # (cycles, m, n, S)
        walk = walk.reshape(-1, *walk.shape[2:])[:horizon]  # (H, n, S)
        return point[:, None] + walk.transpose(1, 2, 0)

    def _past(self) -> Past:
        """Return errors over gaps, too: from the last value of the past one, they are known."""
        panel, m = self.seen_, self.season_.shape[1]
        seen = ~np.isnan(panel.values)
        if seen.all():
            return super()._past()
        place = np.arange(len(seen)) - np.repeat(panel.offsets[:-1], panel.lengths) - m
        later, owners = place >= 0, series_numbers(panel)
        filled = fill_gaps(panel, m)
        errors = filled - np.r_[filled[:m], filled[:-m]] - self.slope_[owners]
        begins = np.r_[seen[:m], seen[:-m]]
        errors *= self.residuals_.recent[owners]
        return Past(*(part[later] for part in (errors, owners, place, seen, begins)))

    def _echo(self, horizon: int) -> np.ndarray:
        n, m = self.season_.shape
        return np.tile(np.arange(horizon) % m == 0, (n, 1)).astype(np.float64)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        arrays = {"season": self.season_, "slope": self.slope_}
        return {}, arrays | self.residuals_.arrays()

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.seen_ = panel
        m = self.season_length_ if self.strategy == "seasonal" else 1
        self.season_ = shaped(arrays, "season", panel.n_series, m)
        self.slope_ = shaped(arrays, "slope", panel.n_series)
        self.residuals_ = Residuals.from_arrays(arrays, symmetric=self.strategy != "drift")


def _last_observed(panel: Panel) -> np.ndarray:
    """Return where in each series its last observed value is, (n,)."""
    position = np.arange(len(panel.values)) - np.repeat(panel.offsets[:-1], panel.lengths)
    return np.maximum.reduceat(np.where(np.isnan(panel.values), 0, position), panel.offsets[:-1])
