"""What stands between the frames of users and the arrays of authors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from forecast.data.covariates import of_future, of_history
from forecast.data.frames import append, future_known, missing, read_frames, read_update
from forecast.data.panel import Panel
from forecast.data.weights import weights_of
from forecast.forecasters import arguments
from forecast.forecasters.distribution import DistributionForecaster
from forecast.forecasters.parameters import Parameters


class FramedForecaster(Parameters, DistributionForecaster):
    """Read and check what users give."""

    def __sklearn_is_fitted__(self) -> bool:
        # looking through all attributes, as scikit-learn does, takes a stream longer than a network
        return "panel_" in self.__dict__

    @property
    def missing_(self) -> pd.DataFrame:
        """A frame with one row per series that has missing values."""
        check_is_fitted(self)
        return missing(self.panel_)

    def _read(self, y: Any, X: Any, freq: Any, **options: Any) -> Panel:
        return read_frames(y, X, freq=freq, **self._named_columns(), **options)

    def _weighed(self, panel: Panel, sample_weight: Any) -> Panel:
        """Return a panel with its weights."""
        if sample_weight is None:
            return panel
        if not self.tags.sample_weight:
            raise TypeError(
                f"`sample_weight` must be None for {type(self).__name__}, which learns from all "
                "values of a series alike. Use a network or MarkovForecaster, or leave the series "
                "out."
            )
        weights = weights_of(panel, sample_weight, lambda table: self._read(table, None, self.freq))
        return replace(panel, weights=weights)

    def _named_columns(self) -> dict[str, Any]:
        names = ("id_col", "time_col", "target_col")
        return {name: getattr(self, name) for name in names} | {"past_only": self.past_only or ()}

    def _ahead(self, horizon: Any, X: Any) -> tuple[int, np.ndarray | None]:
        """Return the steps to forecast, and what is known of them, (n, H, K)."""
        check_is_fitted(self)
        steps = arguments.steps_ahead(horizon, self.horizon_)
        known = future_known(self.panel_, arguments.covariates(X), steps)
        if known is not None and self.reach_ is not None and self.reads_covariates:
            self.reach_.tell(known, self.panel_.X_names, of_future(self.panel_, steps))
        return steps, known

    def _after(self, y: Any, X: Any) -> Self:
        """Return a copy that has absorbed new values."""
        check_is_fitted(self)
        new = read_update(self.panel_, y, X, **self._named_columns())
        grown = append(self.panel_, new)
        new = arguments.same_columns(new, self.panel_)
        if new.X is not None and self.reach_ is not None and self.reads_covariates:
            self.reach_.tell(new.X, new.X_names, of_history(new))
        return self._continued(grown)

    def _tell_far_plans(self, whole: Panel, origins: np.ndarray, known: np.ndarray | None) -> None:
        """Warn of covariates (O, n, H, K) far outside of what was seen up to each origin (O, n)."""
        reach, before = self.reach_, self.panel_.lengths
        if known is None or reach is None or not self.reads_covariates or not reach.far(known):
            return
        for lengths, plan in zip(origins, known, strict=True):
            past = whole.head(lengths)
            reach, before = reach.after(past, lengths - before), lengths
            reach.tell(plan, whole.X_names, of_future(past, plan.shape[1]))
