"""The middle of the last seasons: a floor that one odd season does not move."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Unpack

import numpy as np

from forecast._checks import one_of, positive_integer
from forecast.data.panel import Panel
from forecast.forecasters.history import errors_told, fill_gaps, series_numbers, shaped, tails
from forecast.forecasters.parameters import Common
from forecast.forecasters.residuals import Residuals
from forecast.forecasters.sampling import Noise, ResidualForecaster

STATISTICS: dict[str, Callable[..., Any]] = {"median": np.nanmedian, "mean": np.nanmean}


class MedianForecaster(ResidualForecaster):
    """Repeat the median, or the mean, of each place in the last seasons.

    Without a season it is that of the last values, and every step has the same forecast. Paths draw
    past errors of the same rule, one season after the other as they followed each other.

    Missing values take no part; a place that was never observed has the last value of all.

    Parameters
    ----------
    statistic
        "median" or "mean".
    n_seasons
        How many seasons are looked at; without a season, how many values.

    Attributes
    ----------
    season_ : array (n, m)
        What is repeated, the next step's first.
    residuals_ : Residuals
        Past errors, as large as those of late, to draw from.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.Series([1.0, 5.0, 2.0, 6.0, 9.0, 5.5])
    >>> MedianForecaster(season_length=2).fit(y).predict(3).tolist()
    [2.0, 5.5, 2.0]
    """

    def __init__(
        self, statistic: str = "median", *, n_seasons: int = 5, **common: Unpack[Common]
    ) -> None:
        super().__init__(**common)
        self.statistic = statistic
        self.n_seasons = n_seasons

    def _fit(self, panel: Panel) -> None:
        one_of("statistic", self.statistic, STATISTICS)
        m, k = self.season_length_, positive_integer("n_seasons", self.n_seasons)
        # the season to come is one more, of which nothing is known yet
        earlier = np.stack([_behind(panel, lag * m) for lag in range(k)])  # (k, N)
        last = panel.offsets[1:, None] + np.arange(-m, 0)  # (n, m)
        own = last >= panel.offsets[:-1, None]
        places = np.where(own, last, panel.offsets[1:, None] - 1)
        season = self._middle(np.where(own, earlier[:, places], np.nan))
        self.season_ = np.where(np.isnan(season), tails(fill_gaps(panel, 1), panel, 1), season)
        self.residuals_ = self._residuals(panel, m, k)

    def _middle(self, values: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a place without any value
            middle: np.ndarray = STATISTICS[self.statistic](values, axis=0)
        return middle

    def _residuals(self, panel: Panel, m: int, k: int) -> Residuals:
        before = np.stack([_behind(panel, lag * m) for lag in range(1, k + 1)])
        missed = panel.values - self._middle(before)
        errors, series = errors_told(panel, missed, series_numbers(panel))
        return Residuals.gather(errors, series, panel.n_series, symmetric=True)

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        # The rule is the model: it keeps nothing of the old history that the new one does not tell.
        self._fit(panel)

    def _apply(self, panel: Panel) -> None:
        self._fit(panel)

    def _run(self, horizon: int, known: np.ndarray | None, noise: Noise) -> np.ndarray:
        m = self.season_.shape[1]
        point = self.season_[noise.series][:, np.arange(horizon) % m]  # (n, H)
        if noise.rng is None:
            return point[:, None]
        drawn = noise.stretches(m, -(-horizon // m))  # (cycles, m, n, S)
        drawn = drawn.reshape(-1, *drawn.shape[2:])[:horizon]  # (H, n, S)
        return point[:, None] + drawn.transpose(1, 2, 0)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"season": self.season_} | self.residuals_.arrays()

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.season_ = shaped(arrays, "season", panel.n_series, self.season_length_)
        self.residuals_ = Residuals.from_arrays(arrays, symmetric=True)


def _behind(panel: Panel, lag: int) -> np.ndarray:
    """Return for each value the one `lag` steps earlier in its series, (N,), NaN where none is."""
    values = panel.values.astype(np.float64)
    position = np.arange(len(values)) - panel.offsets[series_numbers(panel)]
    return np.where(position >= lag, values[np.maximum(np.arange(len(values)) - lag, 0)], np.nan)
