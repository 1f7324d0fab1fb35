"""The inputs of a network other than the values: covariates, calendar, static features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from forecast._checks import short
from forecast.data.calendar import CalendarAhead, calendar_features
from forecast.data.panel import Panel, Parts
from forecast.data.spreads import spread_or_one
from forecast.data.static import StaticReader
from forecast.engine.batches import Windows


@dataclass(frozen=True, eq=False)
class Features:
    """Turn the covariates of a panel into numbers of ordinary size.

    Parameters
    ----------
    mean, spread
        Of every covariate, (C,): those whose future is known come first.
    freq
        The frequency of the calendar; None: no calendar features.
    holidays
        The country whose holidays belong to it.
    static
        A frame with a row per series; "id" for a category of its own for every series; or None.
    reader
        What reads `static`.
    """

    mean: np.ndarray
    spread: np.ndarray
    freq: Any
    holidays: Any
    static: Any
    reader: StaticReader | None

    @classmethod
    def fit(cls, panel: Panel, freq: Any, holidays: Any, static: Any, id_col: Any) -> Self:
        """Learn means, spreads and categories of a history."""
        if isinstance(static, str) and static != "id":
            raise ValueError(
                f"`static` must be a frame with a row per series, or 'id', got {short(static)}."
            )
        drivers = _drivers(panel)
        count = np.maximum((~np.isnan(drivers)).sum(0), 1)
        mean = np.nansum(drivers, 0) / count
        spread = np.sqrt(np.nansum((drivers - mean) ** 2, 0) / count)
        features = cls(mean, spread_or_one(spread, mean, count), freq, holidays, static, None)
        if static is None:
            return features
        return replace(
            features, reader=StaticReader.fit(features._frame(panel.ids), panel.ids, id_col)
        )

    def sizes(self, panel: Panel) -> dict[str, Any]:
        """Return the sizes of what is known of the future, by the names a readout has for them."""
        return {
            "known_size": self._calendar(panel.grid[:1]).shape[1] + len(panel.X_names),
            "plan_size": len(panel.X_names),
        }

    def calendar_names(self, panel: Panel) -> tuple[str, ...]:
        """Return what the columns are called that the calendar has before the covariates."""
        if self.freq is None:
            return ()
        return calendar_features(panel.grid[:1], self.freq, self.holidays)[1]

    def static_sizes(self) -> dict[str, Any]:
        """Return the sizes of static features, by the names that networks have for them."""
        return {
            "static_size": 0 if self.reader is None else len(self.reader.means),
            "categories": () if self.reader is None else self.reader.sizes,
        }

    def windows(
        self,
        panel: Panel,
        spreads: np.ndarray,
        device: torch.device,
        error_scales: np.ndarray | None = None,
    ) -> Windows:
        """Return the windows of a panel."""
        return Windows(
            panel,
            self._calendar(panel.grid),
            spreads,
            device,
            error_scales=error_scales,
            drivers=self._scaled(_drivers(panel)),
            n_known=len(panel.X_names),
            static=self.encode_static(panel.ids),
        )

    def beside(self, newest: Parts) -> np.ndarray:
        """Return the covariates beside the last T values of every series, (n, T, C)."""
        values, *covariates = newest
        parts = [part for part in covariates if part is not None]
        return self._scaled(np.concatenate(parts, -1) if parts else np.empty((*values.shape, 0)))

    def ahead(self, panel: Panel, horizon: int, known: np.ndarray | None) -> np.ndarray:
        """Return what is known of the next steps of every series, (n, H, K)."""
        future = panel.future(horizon)  # a time's features need no other time
        return self._beside(self._ahead(future.times)[future.places(horizon)], known)

    def rolling(
        self, panel: Panel, origins: np.ndarray, horizon: int, known: np.ndarray | None
    ) -> np.ndarray:
        """Return what was known of the next steps at O origins, (O, n, H, K)."""
        first = panel.starts + origins  # (O, n)
        low, high = int(first.min()), int(first.max()) + horizon
        calendar = self._calendar(panel.times_at(low, high))
        return self._beside(calendar[first[..., None] - low + np.arange(horizon)], known)

    def _beside(self, calendar: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        return calendar if known is None else np.concatenate([calendar, self._scaled(known)], -1)

    def usual_calendar(self, panel: Panel) -> np.ndarray:
        """Return the mean of the calendar features of a history."""
        mean: np.ndarray = self._calendar(panel.grid).mean(0)
        return mean

    def encode_static(self, ids: pd.Index) -> np.ndarray | None:
        """Return the static features of series as numbers, (n, A): reals, then codes."""
        if self.reader is None:
            return None
        real, codes = self.reader.read(self._frame(ids), ids)
        return np.concatenate([real, codes.astype(np.float32)], 1)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was learned, for `restore`."""
        reader = None if self.reader is None else self.reader.state()
        return {"static": reader}, {"X_mean": self.mean, "X_spread": self.spread}

    @classmethod
    def restore(
        cls,
        values: dict[str, Any],
        arrays: dict[str, np.ndarray],
        freq: Any,
        holidays: Any,
        static: Any,
    ) -> Self:
        """Return the features from a state, and the options in use."""
        reader = None if values["static"] is None else StaticReader(**values["static"])
        return cls(arrays["X_mean"], arrays["X_spread"], freq, holidays, static, reader)

    def _frame(self, ids: pd.Index) -> Any:
        if not isinstance(self.static, str):
            return self.static
        ids = ids.unique()
        return pd.DataFrame({"id": ids.astype(str)}, index=ids)

    @cached_property
    def _coming(self) -> CalendarAhead:
        return CalendarAhead(self.freq, self.holidays)

    def _ahead(self, times: pd.Index) -> np.ndarray:
        return self._calendar(times) if self.freq is None else self._coming.features(times)

    def _calendar(self, grid: pd.Index) -> np.ndarray:
        if self.freq is None:
            return np.zeros((len(grid), 0), np.float32)
        return calendar_features(grid, self.freq, self.holidays)[0]

    def _scaled(self, drivers: np.ndarray) -> np.ndarray:
        """Standardise covariates (..., C), or the first of them, whose future is known."""
        width = drivers.shape[-1]
        return ((drivers - self.mean[:width]) / self.spread[:width]).astype(np.float32)


def _drivers(panel: Panel) -> np.ndarray:
    """Return the covariates beside the values, (N, C): those known in the future come first."""
    parts = [part for part in (panel.X, panel.past) if part is not None]
    return np.concatenate(parts, 1) if parts else np.empty((len(panel.values), 0))
