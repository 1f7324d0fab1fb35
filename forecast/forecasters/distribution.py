"""One distribution per forecast, in the units of the user.

What an author's `_predict`, `_centered` and `_sample` return is calibrated, transformed
back and held within the bounds of the series, by the same increasing map for all three: the median
stays inside every band, and paths have the quantiles that were told.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import clone

from forecast._checks import ForecastWarning, boolean, short
from forecast.data.calendar import infer_season_length
from forecast.data.panel import Panel
from forecast.forecasters.arrays import ArrayForecaster
from forecast.forecasters.bounds import Bounds
from forecast.forecasters.calibration import Calibration, calibrate
from forecast.forecasters.occlusion import Occluded
from forecast.forecasters.outliers import GONE_ON_FROM, HIDDEN, Outliers
from forecast.forecasters.reach import Reach
from forecast.forecasters.transform import backward, fit_transformer, forward

# Equal values from which on a series is thought to be constant.
_VALUES_TO_TELL = 3
_LONG = 100  # steps of a series in which so many are taken for granted


class DistributionForecaster(ArrayForecaster):
    """Between the arrays of an author and the frames of a user."""

    calibration: bool | None
    season_length: int | None
    target_transform: Any
    calibration_: Calibration | None
    bounds_: Bounds
    outliers_: Outliers
    target_transform_: Any
    reach_: Reach | None
    freq_: Any
    unit_: str | None
    n_features_in_: int

    def _fitted_to(self, panel: Panel, horizon: int | None, season_length: int | None) -> Self:
        """Return a copy that has learned from a panel in the units of the user."""
        learner = self._unfitted(panel, horizon, season_length)
        learner.target_transform_, seen = fit_transformer(self.target_transform, panel)
        seen, newest = learner._without_outliers(seen)
        for found, consequence in ((learner.outliers_, HIDDEN), (newest, GONE_ON_FROM)):
            if len(found.series):
                warnings.warn(found.describe(panel, consequence), ForecastWarning, stacklevel=3)
        untrained, asked = learner._untrained(), self.calibration
        wanted = learner._calibrates(seen) if asked is None else boolean("calibration", asked)
        learner.calibration_ = None
        learner._fit(seen)
        try:
            if wanted:
                learner.calibration_ = calibrate(untrained, panel, seen)
        except ValueError:  # the history without its last values is too short for the model
            if asked:
                raise
        return learner

    def _fitted(self, model: Any, panel: Panel) -> Any:
        """Return another forecaster, fitted to what this one sees; the rest is said as here."""
        other = clone(model)
        if other.season_length is None:
            other.season_length = self.season_length
        if self.target_transform_ is not None and other.target_transform is None:
            from sklearn.preprocessing import FunctionTransformer

            other.target_transform = FunctionTransformer()  # no outliers or bounds for it, either
        season_length = other.season_length or self.season_length_
        return other._fitted_to(panel, other.horizon or self.horizon_, season_length)

    def _unfitted(self, panel: Panel, horizon: int | None, season_length: int | None) -> Self:
        """Return a copy that has learned nothing of a panel but its kind."""
        learner = copy.copy(self)
        learner.__dict__ = {
            name: value for name, value in vars(self).items() if not name.endswith("_")
        }
        # weights are for learning; what comes later has none
        learner.panel_ = panel if panel.weights is None else replace(panel, weights=None)
        learner.freq_, learner.unit_, learner.reach_ = panel.freq, None, Reach.of(panel.X)
        learner.season_length_ = season_length or infer_season_length(panel)
        learner.horizon_ = horizon or _default_horizon(panel, learner.season_length_)
        if panel.X_names or panel.past_names:
            learner.n_features_in_ = len(panel.X_names) + len(panel.past_names)
        return learner

    def _calibrates(self, panel: Panel) -> bool:
        """Tell whether bands are to be calibrated if the user does not say: never by default."""
        return False

    def _untrained(self) -> Self:
        """Return a copy to be fitted to less, by which bands are calibrated."""
        return copy.copy(self)

    def _continued(self, panel: Panel) -> Self:
        """Return a copy that has absorbed what a history has beyond its own."""
        learner = copy.copy(self)
        added = panel.lengths - self.panel_.lengths
        learner.panel_ = panel
        seen = self._seen(panel)
        learner.bounds_ = self.bounds_.after(seen, added)
        learner.reach_ = None if self.reach_ is None else self.reach_.after(panel, added)
        learner._update(seen, added)
        return learner

    def _with_history(self, panel: Panel) -> Self:
        """Return a copy that has the history of other series."""
        other = copy.copy(self)
        other.panel_ = panel
        seen, _ = other._without_outliers(forward(self.target_transform_, panel))
        other.bounds_ = other.bounds_.or_of(self.bounds_, seen)
        if self.calibration_ is not None:
            other.calibration_ = self.calibration_.borrowed(panel.n_series)
        other._apply(seen)
        return other

    def _without_outliers(self, seen: Panel) -> tuple[Panel, Outliers]:
        """Return a history as the model learns from it, and which newest values are far off.

        Keep what it tells of other values.
        """
        # who transforms the values knows them
        plain = self.target_transform_ is None
        self.outliers_, newest = Outliers.find(seen) if plain else (Outliers.of(), Outliers.of())
        seen = self.outliers_.hide(seen)
        self.bounds_ = Bounds.unknown(seen.n_series).after(seen, seen.lengths)
        return seen, newest

    def _seen(self, panel: Panel) -> Panel:
        """Return a longer history as the model sees it: transformed, without outliers."""
        return self.outliers_.hide(forward(self.target_transform_, panel))

    def _answered(self, asked: Occluded, steps: int) -> np.ndarray:
        """Return the forecasts (N, H) of other histories, both in the units of the user."""
        seen = forward(self.target_transform_, asked.panel)
        answers = self._answer(asked._replace(panel=seen), steps)
        return backward(self.target_transform_, answers, seen.ids)

    def _point(self, steps: int, known: np.ndarray | None) -> np.ndarray:
        """Return the forecast (n, H)."""
        point = self._in_shape("_predict", self._predict(steps, known), steps)
        return self._finished(point, mean=self.point_is_mean)

    def _quantiles(
        self, steps: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> np.ndarray:
        """Return quantiles (n, H, Q)."""
        quantiles = self._median_and_quantiles(steps, levels, known)[1]
        self._tell_no_width(quantiles)
        return quantiles

    def _tell_no_width(self, quantiles: np.ndarray) -> None:
        """Warn of bands (n, H, Q) without width that are no certainty, but too little history."""
        panel, narrow = self.panel_, np.ptp(quantiles, axis=-1).max(axis=-1) == 0
        unsure = np.flatnonzero(narrow & (panel.lengths < _LONG)).tolist()
        few = [i for i in unsure if np.count_nonzero(~np.isnan(panel.series(i))) < _VALUES_TO_TELL]
        if few and quantiles.shape[-1] > 1:
            warnings.warn(
                f"{len(few)} of {panel.n_series} series, the first {short(panel.ids[few[0]])}, "
                "have too few values to tell how wrong a forecast is: their bands have no width. "
                "Give them a longer history.",
                ForecastWarning,
                stacklevel=4,
            )

    def _median_and_quantiles(
        self, steps: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return median (n, H) and quantiles (n, H, Q)."""
        median, quantiles = self._centered(steps, levels, known)
        return self._finished(median), self._around(median, quantiles, levels)

    def _around(
        self, median: np.ndarray, quantiles: np.ndarray, levels: tuple[float, ...]
    ) -> np.ndarray:
        """Return quantiles (n, H, Q) that lie on their side of the median (n, H)."""
        # quantiles of paths are sampled: those near the median may come to lie beyond it
        side = np.sign(np.array(levels) - 0.5)
        away = np.maximum((quantiles - median[..., None]) * side, 0.0) * side
        return self._finished(self._stretched(median[..., None] + away, median))

    def _from_origins(
        self,
        panel: Panel,
        origins: np.ndarray,
        steps: int,
        levels: tuple[float, ...],
        known: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return forecasts (O, n, H) and quantiles (O, n, H, Q), as after updates."""
        seen, then, before = self._seen(panel), copy.copy(self), self.panel_.lengths
        points, quantiles = [], []
        for lengths, point, median, levelled in zip(
            origins, *self._predict_at(seen, origins, steps, levels, known), strict=True
        ):
            then.bounds_ = then.bounds_.after(seen.head(lengths), lengths - before)
            before = lengths
            points.append(then._finished(point, mean=self.point_is_mean))
            quantiles.append(then._around(median, levelled, levels))
        return np.stack(points), np.stack(quantiles)

    def _paths(
        self, steps: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        """Return paths (n, H, S)."""
        paths = self._sample(steps, n_samples, known, rng)
        paths = self._in_shape("_sample", paths, n_samples, steps).transpose(0, 2, 1)
        if self.calibration_ is not None:
            paths = self._stretched(paths, self._centered(steps, (0.5,), known)[0])
        return self._finished(paths)

    def _stretched(self, values: np.ndarray, median: np.ndarray) -> np.ndarray:
        """Return quantiles or paths (n, H, ...) as wide as calibration has taught."""
        if self.calibration_ is None:
            return values
        return self.calibration_.stretch(values, median)

    def _finished(self, values: np.ndarray, *, mean: bool = False) -> np.ndarray:
        """Return what the model forecast, (n, ...), in the units of the user and within bounds."""
        values = backward(self.target_transform_, values, self.panel_.ids)
        # transformed values are bounded by the inverse, if at all
        return (
            values if self.target_transform_ is not None else self.bounds_.hold(values, mean=mean)
        )


def _default_horizon(panel: Panel, season_length: int) -> int:
    return max(1, min(max(season_length, 8), int(panel.lengths.max()) // 2))
