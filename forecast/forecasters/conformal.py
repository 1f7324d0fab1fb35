"""Bands around the point forecasts of any model, from its own past errors.

Split conformal prediction: Vovk, Gammerman and Shafer, "Algorithmic learning in a random world",
2005. Bands that follow a changing series: Gibbs and Candès, "Adaptive conformal inference under
distribution shift", 2021; here the width is tracked, on its logarithm, as in Angelopoulos, Candès
and Tibshirani, "Conformal PID control for time series prediction", 2023.
"""

from __future__ import annotations

import copy
from typing import Any, Self, Unpack

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.base import clone

from forecast._checks import boolean, number_between, short, unsaid
from forecast.data.frames import Panel
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.calibration import COVERAGE, ahead, origins, pool, roll, student
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.history import differences
from forecast.forecasters.parameters import Common

# Pooled scores that are kept: more tell no more of any level in use.
KEPT = 10_000


class ConformalForecaster(BaseForecaster):
    """Put bands around the points of any model with `fit` and `predict`.

    The model is fitted without the last values and forecasts them from up to max(12, horizon)
    origins. Its errors, each divided by the size that errors have at its step, are pooled over
    steps and series; a band reaches as far as the share of them that it must cover, on both sides.
    Then the model is fitted to all values. Paths take their dependence over the steps from whole
    past forecasts (the Schaake shuffle: Clark et al., 2004). It needs no distribution of the model,
    which is asked for points only.

    Parameters
    ----------
    forecaster
        A forecaster of this package, or a model of another library: `fit(y)` gets a Series, or a
        frame with a column per series, and `predict(horizon)` must return that many rows; it is
        fitted anew at each origin. None: the seasonal naive forecast.
    adaptive
        Let the band of each series follow what `update` brings: each value outside the 80 % band
        widens it by `step_size` * .8 of itself, each inside narrows it by `step_size` * .2.
    step_size
        How fast. With .1, 100 updates bring bands to within 5 points of their coverage after the
        errors have become three times as large.

    Attributes
    ----------
    forecaster_
        The fitted model.
    independent_
        How many independent errors stand behind the bands.
    surprise_
        A row for each value of the last `update`: the share of past errors that were as large (the
        conformal p-value): small for an anomaly.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = pd.Series(rng.normal(size=200).cumsum())
    >>> model = ConformalForecaster(NaiveForecaster(), horizon=3).fit(y)
    >>> model.predict_interval(3, coverage=0.8).round(1).to_numpy().tolist()
    [[1.6, 4.5], [1.1, 5.0], [0.7, 5.4]]
    >>> model.update(pd.Series([40.0], index=[200])).surprise_["p_value"].round(2).item()
    0.03
    """

    def __init__(
        self,
        forecaster: Any = None,
        *,
        adaptive: bool = False,
        step_size: float = 0.1,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.forecaster = forecaster
        self.adaptive = adaptive
        self.step_size = step_size

    @property
    def reads_covariates(self) -> bool:
        """Whether those of its model do; a model of another library gets no X."""
        model = self.forecaster_
        return isinstance(model, BaseForecaster) and model.reads_covariates

    def _fit(self, panel: Panel) -> None:
        boolean("adaptive", self.adaptive)
        number_between("step_size", self.step_size, 0, np.inf)
        self._learn_errors(panel)
        self.forecaster_ = self._model(panel)
        self.pace_ = np.ones(panel.n_series)
        self.surprise_ = self._surprises([])

    def _learn_errors(self, panel: Panel) -> None:
        """Learn how large errors are, what is pooled of them, and how they follow each other."""
        self.roughness_ = _roughness(panel)
        errors = self._past_errors(panel)  # (n, K, H)
        with np.errstate(divide="ignore", invalid="ignore"):
            calibration = pool(errors / self.roughness_[:, None, None])
        self.scale_ = self.roughness_.copy()
        self.growth_, self.independent_ = 0.5, 0.0
        if calibration is not None:
            self.scale_ *= calibration.scale
            self.growth_, self.independent_ = calibration.growth, calibration.independent
        steps = np.arange(1, errors.shape[2] + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = errors / (self.scale_[:, None, None] * steps**self.growth_)
        scores = np.sort(np.abs(relative[np.isfinite(relative)]))
        if not len(scores):  # nothing could be forecast: as in a random walk
            scores = ndtri((1 + np.arange(1, 20) / 20) / 2)
        self.scores_ = scores[:: -(-len(scores) // KEPT)] * student(self.independent_)
        both = np.nan_to_num(np.concatenate([relative, -relative], axis=1))  # (n, 2 K, H)
        self.ranks_ = both.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")

    def _past_errors(self, panel: Panel) -> np.ndarray:
        """Return errors (n, K, H) of forecasts of the last values; NaN where there are none."""
        n_origins, horizon, first = origins(panel.lengths, self.horizon_)
        if n_origins == 0:
            return np.full((panel.n_series, 1, 1), np.nan)
        errors = []
        with unsaid():  # the fit to all values says it
            for model, ends in roll(self._model(panel.head(first)), panel, first, n_origins):
                truth, known = ahead(panel, ends, horizon)
                errors.append(truth - model._point(horizon, known))
        return np.stack(errors, 1)

    def _model(self, panel: Panel) -> Any:
        """Return the model, fitted to a panel."""
        model = NaiveForecaster("seasonal") if self.forecaster is None else self.forecaster
        if isinstance(model, BaseForecaster):
            return self._fitted(model, panel)
        return Outsider(model)._fitted_to(panel)

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        """Take in one value of each series after the other, and look at each before it is read."""
        self.pace_ = self.pace_.copy()
        old, rows = panel.lengths - added, []
        for k in range(int(added.max(initial=0))):
            ends = np.minimum(old + k, panel.lengths)
            truth, known = ahead(panel, ends, 1)
            miss = np.abs(truth - self.forecaster_._point(1, known))[:, 0]
            with np.errstate(divide="ignore", invalid="ignore"):
                score = np.nan_to_num(miss / (self.scale_ * self.pace_), nan=0.0)
            live = np.flatnonzero((k < added) & ~np.isnan(truth[:, 0]))
            rows += [(int(i), int(ends[i]), self._p_value(score[i])) for i in live]
            if self.adaptive:
                outside = score[live] > self._radius(np.array(COVERAGE))
                change = np.exp(self.step_size * (outside - (1 - COVERAGE)))
                self.pace_[live] *= change
            grown = panel.head(np.minimum(ends + 1, panel.lengths))
            self.forecaster_ = self.forecaster_._continued(grown)
        self.surprise_ = self._surprises(rows)

    def _p_value(self, score: float) -> float:
        larger = len(self.scores_) - np.searchsorted(self.scores_, score, side="left")
        return float((larger + 1) / (len(self.scores_) + 1))

    def _surprises(self, rows: list[tuple[int, int, float]]) -> pd.DataFrame:
        """Return a frame of (series, place, p-value)."""
        panel, names = self.panel_, self.id_col
        several = isinstance(names, list | tuple)
        found = pd.DataFrame(
            [panel.ids[i] if several else (panel.ids[i],) for i, _, _ in rows],
            columns=list(names) if several else [names],
        )
        found[self.time_col] = [panel.grid[panel.starts[i] + place] for i, place, _ in rows]
        found[self.target_col] = [float(panel.series(i)[place]) for i, place, _ in rows]
        found["p_value"] = [p_value for _, _, p_value in rows]
        return found

    def _predict(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        return np.asarray(self.forecaster_._point(horizon, known))

    def _centered(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        center, away = self._predict(horizon, known), self._deviate(np.array(levels))
        return center, center[..., None] + self._sizes(horizon)[..., None] * away

    def _sample(
        self, horizon: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        n, count, steps = self.ranks_.shape
        origin, within = rng.random((2, n, n_samples))
        step = np.minimum(np.arange(horizon), steps - 1)
        series = np.arange(n)[:, None, None]
        ranks = self.ranks_[series, (origin * count).astype(np.int64)[..., None], step]  # (n, S, H)
        away = self._deviate((ranks + within[..., None]) / count)
        return self._predict(horizon, known)[:, None] + self._sizes(horizon)[:, None] * away

    def _sizes(self, horizon: int) -> np.ndarray:
        """Return the size of the errors of each step, (n, H)."""
        growth = np.arange(1, horizon + 1, dtype=np.float64) ** self.growth_
        sizes: np.ndarray = (self.scale_ * self.pace_)[:, None] * growth
        return sizes

    def _deviate(self, levels: np.ndarray) -> np.ndarray:
        """Return the quantiles at these levels of an error of size 1."""
        side = 2 * levels - 1
        deviate: np.ndarray = np.sign(side) * self._radius(np.abs(side))
        return deviate

    def _radius(self, coverage: np.ndarray) -> np.ndarray:
        """Return what the share `coverage` of the scores does not pass; the tail is normal."""
        scores, count = self.scores_, len(self.scores_)
        seen = np.arange(count + 1) / (count + 1)
        most = count / (count + 1)
        beyond = scores[-1] * ndtri((1 + np.maximum(coverage, most)) / 2) / ndtri((1 + most) / 2)
        inside = np.interp(coverage, seen, np.r_[0.0, scores])
        return np.where(coverage > most, beyond, inside)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        raise ValueError(
            "a ConformalForecaster holds another model, which a file without code can not. Use "
            "joblib.dump(model, path), and load only what you trust."
        )


class Outsider:
    """A model of another library, asked as one of this package: fit and predict of tables."""

    def __init__(self, model: Any) -> None:
        if isinstance(model, type) or not all(hasattr(model, verb) for verb in ("fit", "predict")):
            raise TypeError(
                "`forecaster` must be a model with fit and predict, such as ETSForecaster(), got "
                f"{short(model)}. A scikit-learn regressor needs MarkovForecaster(regressor=...)."
            )
        self.model, self.n_series = model, 0

    def _fitted_to(self, panel: Panel) -> Self:
        if panel.X is not None or panel.past is not None:
            raise ValueError(
                "`X` can not be handed to a model of another library. Leave it out, or take a "
                "forecaster of this package."
            )
        fitted = copy.copy(self)
        fitted.model = clone(self.model, safe=False)
        columns = {
            panel.ids[i]: pd.Series(panel.series(i), panel.times(i)) for i in range(panel.n_series)
        }
        y = pd.DataFrame(columns) if len(columns) > 1 else columns[panel.ids[0]]
        fitted.model.fit(y)
        fitted.n_series = panel.n_series
        return fitted

    def _continued(self, panel: Panel) -> Self:
        return self._fitted_to(panel)

    def _point(self, steps: int, known: np.ndarray | None) -> np.ndarray:
        values = np.asarray(self.model.predict(steps), dtype=np.float64)
        if values.shape not in ((steps, self.n_series), (steps,) * (self.n_series == 1)):
            raise ValueError(
                f"`forecaster` must predict {steps} rows for {self.n_series} series, got shape "
                f"{values.shape} of {type(self.model).__name__}."
            )
        return values.reshape(steps, self.n_series).T


def _roughness(panel: Panel) -> np.ndarray:
    """Return the root mean square change of each series, (n,)."""
    change, series = differences(panel, 1)
    seen = np.isfinite(change)
    count = np.bincount(series[seen], minlength=panel.n_series)
    total = np.bincount(series[seen], np.square(change[seen]), minlength=panel.n_series)
    return np.asarray(np.sqrt(total / np.maximum(count, 1)))
