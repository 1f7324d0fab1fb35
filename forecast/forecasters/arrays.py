"""What an author writes: a forecaster of arrays.

`BaseForecaster` puts frames, checks and `target_transform` around it, so everything here is in the
units of the model. Letters: n series, H steps, S paths, Q levels, K known covariates.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from forecast._checks import short
from forecast.data.panel import Panel
from forecast.forecasters.occlusion import Occluded


@dataclass(frozen=True)
class ForecasterTags:
    """What holds for every forecast of a class, whatever the history; the conformity tests hold it.

    Parameters
    ----------
    scale_equivariant : bool
        A history in another unit has the same forecast in that unit: f(a y) = a f(y), a > 0.
    shift_equivariant : bool
        What is added to all values is added to the forecast: f(y + b) = f(y) + b. It does not hold
        where zero means something, as for a season that is a factor.
    covariates : bool
        The forecast depends on X. Every forecaster accepts X, so that all take the same call.
    sample_weight : bool
        `fit` takes weights of values; it finds them in `panel.weights`.

    Examples
    --------
    >>> from forecast import ETSForecaster
    >>> ETSForecaster.tags.scale_equivariant, ETSForecaster.tags.shift_equivariant
    (True, False)
    """

    scale_equivariant: bool = True
    shift_equivariant: bool = True
    covariates: bool = False
    sample_weight: bool = False


class ArrayForecaster(ABC):
    """Forecast arrays: `_fit`, `_predict` and `_sample` must be written, the others may be."""

    tags: ClassVar[ForecasterTags] = ForecasterTags()
    panel_: Panel
    season_length_: int
    horizon_: int

    @property
    def point_is_mean(self) -> bool:
        """Whether `_predict` returns a mean, which may lie outside a band and has decimals."""
        return False

    @property
    def starts_cold(self) -> bool:
        """Whether series without a history can be forecast, by `apply`."""
        return False

    @property
    def reads_covariates(self) -> bool:
        """Whether the forecasts of this one, which is fitted, depend on X."""
        return self.tags.covariates

    @abstractmethod
    def _fit(self, panel: Panel) -> None:
        """Learn from the history; set attributes that end in an underscore.

        `season_length_` and `horizon_` are set, and `panel_`, whose values are in the units of the
        user: keep what a forecast needs of the values of `panel`. This runs on a copy of the
        forecaster that replaces it on success, so nothing learned before needs to be restored.
        """

    @abstractmethod
    def _predict(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        """Return the forecast (n, H); `known` is the future of X, (n, H, K) float64, or None.

        It is the median of what `_sample` draws; `point_is_mean` tells of another.
        """

    @abstractmethod
    def _sample(
        self, horizon: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        """Return paths (n, S, H); those of a shorter horizon must be a prefix, seed for seed."""

    def _centered(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return median (n, H) and quantiles (n, H, Q): by default `_predict`, and those of paths.

        Override it where one computation gives both, or gives quantiles without paths.
        """
        median = self._in_shape("_predict", self._predict(horizon, known), horizon)
        return median, self._quantiles_of_paths(horizon, levels, known)

    def _quantiles_of_paths(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> np.ndarray:
        """Return quantiles (n, H, Q) of 1,000 paths, fewer for large panels."""
        count, rng = self._n_paths(horizon), np.random.default_rng(0)
        paths = self._sample(horizon, count, known, rng)
        paths = self._in_shape("_sample", paths, count, horizon)  # (n, S, H)
        return np.moveaxis(np.quantile(paths, levels, axis=1), 0, -1)  # (n, H, Q)

    def _in_shape(self, method: str, answer: np.ndarray, *sizes: int) -> np.ndarray:
        """Return what an author's method answered for the n series: finite, steps the last axis."""
        wanted = (self.panel_.n_series, *sizes)
        if np.shape(answer) != wanted:
            raise ValueError(
                f"`{method}` of {type(self).__name__} must return an array of shape {wanted}, got "
                f"{np.shape(answer)}. Its docstring in BaseForecaster says what the axes are."
            )
        if not np.isfinite(answer).all():
            i, *_, step = np.argwhere(~np.isfinite(answer))[0]
            raise ValueError(
                f"`{method}` of {type(self).__name__} must return finite numbers, got "
                f"{answer[~np.isfinite(answer)][0]} for series {short(self.panel_.ids[i])} at step "
                f"{step + 1}. If its forecasts grow without bounds, ask for fewer steps."
            )
        return answer

    def _n_paths(self, horizon: int) -> int:
        """Return how many paths quantiles are read from: an even number."""
        # The paths of a large panel must fit into memory: 2e7 float64 values are 160 MB.
        affordable = 20_000_000 // (self.panel_.n_series * horizon)
        return int(np.clip(affordable, 100, 1000)) // 2 * 2

    def _predict_at(
        self,
        panel: Panel,
        origins: np.ndarray,
        horizon: int,
        levels: tuple[float, ...],
        known: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return forecasts and medians (O, n, H), quantiles (O, n, H, Q), as after updates.

        By default one after the other. `origins` (O, n), rising from the length of the history on,
        says how many values of each series in `panel` are known; the future of X is (O, n, H, K).
        """
        learner, found = copy.copy(self), []
        for k, lengths in enumerate(origins):
            added = lengths - learner.panel_.lengths
            learner.panel_ = panel.head(lengths)
            if added.any():
                learner._update(learner.panel_, added)
            ahead = None if known is None else known[k]
            found.append(learner._point_and_quantiles(horizon, levels, ahead))
        points, medians, quantiles = (np.stack(part) for part in zip(*found, strict=True))
        return points, medians, quantiles

    def _point_and_quantiles(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return forecast and median (n, H), which are mostly one, and quantiles (n, H, Q)."""
        if levels and not self.point_is_mean:
            median, quantiles = self._centered(horizon, levels, known)
            return median, median, quantiles
        point = self._in_shape("_predict", self._predict(horizon, known), horizon)
        if not levels:
            return point, point, np.empty((*point.shape, 0))
        return point, *self._centered(horizon, levels, known)

    def _update(self, panel: Panel, added: np.ndarray) -> None:  # noqa: B027
        """Absorb the last `added[i]` values of every series of the grown history.

        Between the old history and the new values there may be a gap of NaN; it counts as added.
        `panel.newest(count)` are the last steps of all series; asked for its flat arrays, a panel
        that grew lays out the whole history.
        By default there is nothing to do. Learned attributes must be replaced, never changed in
        place: a failure keeps the old ones.
        """

    def _apply(self, panel: Panel) -> None:
        """Take another history, of other series; by default there is no such thing."""
        raise TypeError(
            f"{type(self).__name__} learns each series on its own, so it knows nothing of others. "
            "Fit a new one."
        )

    def _answer(self, asked: Occluded, horizon: int) -> np.ndarray:
        """Return the forecasts (N, H) that other histories would have; by default learn from them.

        A forecaster with learned parameters keeps them, and only reads the other histories.
        """
        learner = copy.copy(self)
        learner.panel_ = asked.panel
        learner._fit(asked.panel)
        return learner._predict(horizon, asked.known)

    def _additive(self, horizon: int) -> dict[str, np.ndarray] | None:
        """Return parts (n, H) by name whose sum is the forecast; None: `_answer` tells them."""
        return None

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what `_fit` learned: values that JSON can hold, and arrays by name."""
        raise NotImplementedError(f"{type(self).__name__} cannot be saved: it has no `_state`.")

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Take over what `_state` returned; the rest is set as in `_fit`."""
        raise NotImplementedError(f"{type(self).__name__} cannot be loaded: it has no `_restore`.")
