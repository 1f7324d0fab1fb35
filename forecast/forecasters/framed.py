"""What stands between the frames of users and the arrays of authors (room 5)."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from forecast.data.frames import future_known, missing, read_frames
from forecast.data.panel import Panel
from forecast.forecasters import arguments
from forecast.forecasters.arrays import ArrayForecaster
from forecast.forecasters.parameters import Parameters
from forecast.forecasters.transform import backward, forward


class FramedForecaster(Parameters, ArrayForecaster):
    """Read and check what users give, and give back what the model forecast in their units."""

    freq_: Any
    target_transform_: Any

    @property
    def missing_(self) -> pd.DataFrame:
        """A frame with one row per series that has missing values."""
        check_is_fitted(self)
        return missing(self.panel_)

    def _read(self, y: Any, X: Any, freq: Any, **options: Any) -> Panel:
        return read_frames(y, X, freq=freq, **self._named_columns(), **options)

    def _named_columns(self) -> dict[str, Any]:
        names = ("id_col", "time_col", "target_col")
        return {name: getattr(self, name) for name in names} | {"past_only": self.past_only or ()}

    def _ahead(self, horizon: Any, X: Any) -> tuple[int, np.ndarray | None]:
        """Return the steps to forecast, and what is known of them, (n, H, K)."""
        check_is_fitted(self)
        steps = arguments.steps_ahead(horizon, self.horizon_)
        return steps, future_known(self.panel_, arguments.covariates(X), steps)

    def _quantiles(
        self, steps: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> np.ndarray:
        """Return quantiles (n, H, Q) in the units of the user."""
        return self._backward(self._predict_quantiles(steps, levels, known))

    def _continued(self, panel: Panel) -> Self:
        """Return a copy that has absorbed what a history has beyond its own."""
        learner = copy.copy(self)
        learner.panel_ = panel
        learner._update(forward(self.target_transform_, panel), panel.lengths - self.panel_.lengths)
        return learner

    def _backward(self, values: np.ndarray) -> np.ndarray:
        """Return what the model forecast, (n, ...), in the units of the user."""
        return backward(self.target_transform_, values, self.panel_.ids)

    def _labels(self, prefix: str, entries: Iterable[float]) -> list[Any]:
        """Name the columns of a long frame; a column of its own needs a name that is a word."""
        words = self.panel_.layout.kind == "multi" or not self.panel_.layout.indexed
        return [f"{prefix}{entry}" for entry in entries] if words else list(entries)
