"""Any forecaster of this package as one of sktime's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sktime.forecasting.base import BaseForecaster as SktimeBase

from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.window.markov import MarkovForecaster


class SktimeForecaster(SktimeBase):
    """Forecast with one of our forecasters wherever sktime asks for one of its own.

    Series and hierarchies of series are given to the forecaster as they are: it learns from all
    series of a panel together. The columns of a multivariate series are forecast one by one.
    `update` absorbs new values; what `fit` learned stays, with `update_params` and without.

    Parameters
    ----------
    model
        A forecaster of this package; a clone of it is fitted.

    Attributes
    ----------
    model_
        The fitted forecaster.

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from forecast import NaiveForecaster
    >>> from forecast.adapters.sktime import SktimeForecaster
    >>> forecaster = SktimeForecaster(NaiveForecaster(strategy="seasonal"))
    >>> forecaster.fit(load_airline()).predict(fh=[1, 12]).tolist()
    [417.0, 432.0]
    """

    _tags = {
        "authors": ["the forecast authors"],
        "maintainers": ["the forecast authors"],
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "capability:multivariate": False,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:missing_values": True,
        "capability:non_contiguous_X": False,
        "capability:update": True,
        "capability:categorical_in_X": False,
        "requires-fh-in-fit": False,
    }
    _config = {"remember_data": False}  # the model has its history

    def __init__(self, model: Any) -> None:
        self.model = model
        super().__init__()
        self._y = self._X = None  # as sktime has them, should `remember_data` be set after all
        self.set_tags(**{"capability:exogenous": model.tags.covariates})

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Return the parameters that sktime's checks make instances of."""
        return [{"model": NaiveForecaster()}, {"model": MarkovForecaster()}]

    def _fit(self, y: pd.DataFrame, X: pd.DataFrame | None, fh: Any) -> SktimeForecaster:
        self.model_ = clone(self.model).fit(y, X if self.get_tag("capability:exogenous") else None)
        self._newest = _times(y).max()
        return self

    def _predict(self, fh: Any, X: pd.DataFrame | None) -> pd.DataFrame:
        steps = self._steps(fh)
        forecast = self.model_.predict(int(steps[-1]), self._ahead(steps, X))
        return self._at(steps, forecast)

    def _predict_quantiles(self, fh: Any, X: pd.DataFrame | None, alpha: list[float]) -> Any:
        steps, levels = self._steps(fh), sorted(set(alpha))
        known = self._ahead(steps, X)
        quantiles = self.model_.predict_quantiles(int(steps[-1]), known, levels=levels)
        table = self._at(steps, quantiles).iloc[:, [levels.index(level) for level in alpha]]
        return table.set_axis(pd.MultiIndex.from_product([self._get_varnames(), alpha]), axis=1)

    def _update(
        self, y: pd.DataFrame, X: pd.DataFrame | None = None, update_params: bool = True
    ) -> SktimeForecaster:
        new = y[_times(y) > self._newest]  # the windows of an evaluation overlap
        if len(new):
            known = X if self.get_tag("capability:exogenous") else None
            self.model_.update(new, None if known is None else known.loc[new.index])
            self._newest = _times(new).max()
        return self

    def _steps(self, fh: Any) -> np.ndarray:
        """Return the steps ahead that are asked for, rising."""
        steps: np.ndarray = fh.to_relative(self.cutoff).to_numpy().astype(int)
        return steps

    def _ahead(self, steps: np.ndarray, X: pd.DataFrame | None) -> pd.DataFrame | None:
        """Return the covariates of all steps up to the last one that is asked for."""
        if X is None or not self.model_.panel_.X_names:
            return None
        return X.reindex(self.model_.future_frame(int(steps[-1])).index)

    def _at(self, steps: np.ndarray, forecast: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the steps that are asked for, of each series."""
        asked = np.isin(np.arange(len(forecast)) % steps[-1] + 1, steps)
        return forecast[asked]


def _times(frame: pd.DataFrame) -> pd.Index:
    """Return the time of every row; the columns before it name the series."""
    return frame.index.get_level_values(-1)
