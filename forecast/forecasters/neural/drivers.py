"""What drives a series and is known ahead: its covariates, and the public holidays of a country."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import pandas as pd

from forecast.data.calendar import CalendarAhead, calendar_features
from forecast.data.panel import Panel
from forecast.forecasters.history import series_numbers


class Drivers:
    """The covariates of a panel, and behind them what `calendar_features` says of holidays.

    Parameters
    ----------
    panel
        A history: its frequency, and its kind of times.
    holidays
        As in `calendar_features`; None: the covariates are all.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> days = pd.date_range("2024-12-25", periods=2, freq="D")
    >>> panel = read_frames(pd.Series([1.0, 2.0], days), None)
    >>> Drivers(panel, "US").of(panel).tolist()  # a holiday, the day before one, the day after
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """

    def __init__(self, panel: Panel, holidays: Any) -> None:
        self.holidays = holidays
        self.calendar = CalendarAhead(panel.freq, holidays)
        names = calendar_features(panel.grid[:1], panel.freq, holidays)[1]
        self.count = sum(name.startswith("holiday") for name in names)
        self.usual: tuple[np.ndarray, np.ndarray] | None = None

    def hidden(self, rows: np.ndarray, center: np.ndarray) -> Self:
        """Return those of other series, of which some (n,) hear of means (K,) instead of days."""
        other = copy.copy(self)
        other.usual = rows, center
        return other

    def of(self, panel: Panel) -> np.ndarray | None:
        """Return those of all values, (N, K); None where there are none."""
        if self.holidays is None:
            return panel.X
        series = series_numbers(panel)
        return self.at(panel, panel.starts[series] + _steps(panel, series), panel.X)

    def at(self, panel: Panel, places: np.ndarray, X: np.ndarray | None) -> np.ndarray | None:
        """Return those of places (...) of the grid, whose covariates are X (..., C)."""
        if self.holidays is None:
            return X
        low, stop = int(places.min()), int(places.max()) + 1
        return _joined(X, self._days(panel.times_at(low, stop))[places - low])

    def ahead(self, panel: Panel, horizon: int, known: np.ndarray | None) -> np.ndarray | None:
        """Return those of the next steps of every series, (n, H, K)."""
        if self.holidays is None:
            return known
        future = panel.future(horizon)
        days = self._days(future.times)[future.places(horizon)]
        if self.usual is not None:
            rows, center = self.usual
            days[rows] = center[-self.count :]
        return _joined(known, days)

    def _days(self, times: pd.Index) -> np.ndarray:
        """Return what holidays say of times (G,), (G, 3) or (G, 1)."""
        return self.calendar.features(times)[:, -self.count :]


def _steps(panel: Panel, series: np.ndarray) -> np.ndarray:
    """Return which step of its series each value is, (N,)."""
    return np.arange(len(series)) - panel.offsets[series]


def _joined(X: np.ndarray | None, days: np.ndarray) -> np.ndarray:
    return days if X is None else np.concatenate([X, days], -1)
