"""The manners all forecasters share: frames in, checks, the same kind of frames out (room 5).

An author writes `_fit` and `_predict`, and where there is more to say `_sample`,
`_predict_quantiles`, `_update`, `_state` and `_restore`; users call the public methods, which read
and check everything first.
"""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, TypedDict

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from forecast._checks import number_between, positive_integer, short
from forecast.data.calendar import infer_season_length
from forecast.data.frames import (
    Panel,
    append,
    extend_grid,
    future_frame,
    future_known,
    missing,
    read_frames,
    restore,
    restore_columns,
)
from forecast.forecasters.transform import backward, fit_transformer, forward

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from narwhals.typing import IntoDataFrame

Frame = pd.Series | pd.DataFrame | list[pd.Series]
DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Common(TypedDict, total=False):
    """The parameters of every forecaster, for the signature of a subclass that has its own.

    `def __init__(self, *, own=1, **common: Unpack[Common])` shows all of them to type checkers;
    scikit-learn and `help` see them too.
    """

    horizon: int | None
    season_length: int | None
    freq: Any
    past_only: Sequence[str] | None
    target_transform: Any
    id_col: str
    time_col: str
    target_col: str


class BaseForecaster(BaseEstimator, ABC):
    """Forecast one series or many; the parent of every forecaster.

    Parameters
    ----------
    horizon
        Steps to train and validate for, and what `predict()` gives when not told otherwise. None:
        one season, at least 8 steps, at most half of the longest series. Every horizon can be
        asked for later.
    season_length
        Steps per season. None: from the frequency, or from the data if the index is of integers.
    freq
        A pandas frequency, where the index does not tell it.
    past_only
        Columns of X whose future is not known: they may have missing values, and `predict` does
        without them. All others must be known for the steps to forecast.
    target_transform
        An increasing scikit-learn transformer with an inverse, such as
        `PowerTransformer("box-cox")`; a clone is fitted to all values of `y`. The model learns the
        transformed values; what it returns is transformed back, so a median stays a median. None:
        the values as they are.
    id_col, time_col, target_col
        Column names of long frames.

    Attributes
    ----------
    panel_
        The history, as arrays, in the units of `y`.
    target_transform_
        The fitted transformer, or None.
    freq_
        Frequency of the history.
    season_length_, horizon_
        The values in use.
    missing_
        A frame with one row per series that has missing values.
    n_features_in_
        Number of columns of X; only if `fit` had X.
    """

    panel_: Panel
    freq_: Any
    season_length_: int
    horizon_: int
    missing_: pd.DataFrame

    def __init__(
        self,
        *,
        horizon: int | None = None,
        season_length: int | None = None,
        freq: Any = None,
        past_only: Sequence[str] | None = None,
        target_transform: Any = None,
        id_col: str = "unique_id",
        time_col: str = "ds",
        target_col: str = "y",
    ) -> None:
        self.horizon = horizon
        self.season_length = season_length
        self.freq = freq
        self.past_only = past_only
        self.target_transform = target_transform
        self.id_col = id_col
        self.time_col = time_col
        self.target_col = target_col

    def __init_subclass__(cls, **options: Any) -> None:
        """Put the parent's parameters in place of `**common`: scikit-learn reads them there."""
        super().__init_subclass__(**options)
        init = cls.__dict__.get("__init__")
        own = inspect.signature(init).parameters if init else {}
        if any(one.kind is one.VAR_KEYWORD for one in own.values()):
            named = own | inspect.signature(super(cls, cls).__init__).parameters
            kept = [one for one in named.values() if one.kind is not one.VAR_KEYWORD]
            init.__signature__ = inspect.Signature(kept)  # type: ignore[union-attr]

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that the first argument is the target itself, and may have gaps."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.target_tags.one_d_labels = False
        tags.input_tags.one_d_array = True
        tags.input_tags.allow_nan = True
        return tags

    # What users call

    def fit(self, y: Frame | IntoDataFrame, X: IntoDataFrame | None = None) -> Self:
        """Learn from a history.

        If anything fails, or is interrupted, the forecaster stays what it was before.

        Parameters
        ----------
        y
            A Series, a wide frame (a column is a series), a long frame, a frame with a
            (series, time) MultiIndex, or a list of Series; of pandas, polars or pyarrow, where the
            last two have their times in the column `time_col`. NaN is a missing value.
        X
            Covariates, aligned with `y` by index or by keys. Their future must be known, but for
            the columns in `past_only`.

        Returns
        -------
        The forecaster itself.
        """
        horizon, season_length = self._optional("horizon"), self._optional("season_length")
        learner = copy.copy(self)
        learner.__dict__ = {
            name: value for name, value in vars(self).items() if not name.endswith("_")
        }
        panel = self._read(y, X, self.freq)
        learner.panel_ = panel
        learner.freq_ = panel.freq
        learner.missing_ = missing(panel)
        learner.season_length_ = season_length or infer_season_length(panel)
        learner.horizon_ = horizon or _default_horizon(panel, learner.season_length_)
        if X is not None:
            learner.n_features_in_ = len(panel.X_names) + len(panel.past_names)
        learner.target_transform_, seen = fit_transformer(self.target_transform, panel)
        learner._fit(seen)
        self.__dict__ = learner.__dict__
        return self

    def predict(self, horizon: int | None = None, X: IntoDataFrame | None = None) -> Frame:
        """Forecast the next `horizon` values of every series.

        Parameters
        ----------
        horizon
            Steps ahead; any positive number. None: `horizon_`.
        X
            The covariates of these steps, if `fit` had X.

        Returns
        -------
        The kind of frame that `fit` was given, with `horizon` rows per series.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        steps, known = self._ahead(horizon, X)
        return restore(self.panel_, self._backward(self._predict(steps, known)))

    def predict_quantiles(
        self,
        horizon: int | None = None,
        X: IntoDataFrame | None = None,
        *,
        levels: Sequence[float] = DECILES,
    ) -> pd.DataFrame:
        """Forecast quantiles of every step.

        Parameters
        ----------
        horizon, X
            As in `predict`.
        levels
            Increasing probabilities between 0 and 1.

        Returns
        -------
        A frame with a column per level: 0.1, ... (a long frame: "q0.1", ...).
        """
        steps, known = self._ahead(horizon, X)
        wanted = _levels(levels)
        quantiles = self._backward(self._predict_quantiles(steps, wanted, known))  # (n, H, Q)
        return restore_columns(self.panel_, quantiles, self._labels("q", wanted))

    def predict_interval(
        self,
        horizon: int | None = None,
        X: IntoDataFrame | None = None,
        *,
        coverage: float = 0.9,
    ) -> pd.DataFrame:
        """Forecast a central interval of every step.

        Parameters
        ----------
        horizon, X
            As in `predict`.
        coverage
            Probability that a value falls inside.

        Returns
        -------
        A frame with the columns "lower" and "upper".
        """
        steps, known = self._ahead(horizon, X)
        return restore_columns(
            self.panel_, self._interval(coverage, steps, known), ["lower", "upper"]
        )

    def sample(
        self,
        horizon: int | None = None,
        X: IntoDataFrame | None = None,
        *,
        n_samples: int = 100,
        random_state: int | np.random.Generator | None = None,
    ) -> pd.DataFrame:
        """Draw whole futures: the steps of a path belong together.

        Parameters
        ----------
        horizon, X
            As in `predict`.
        n_samples
            Number of paths.
        random_state
            A seed or generator; None draws differently every time.

        Returns
        -------
        A frame with a column per path: 0, 1, ... (a long frame: "path0", ...).
        """
        steps, known = self._ahead(horizon, X)
        count = positive_integer("n_samples", n_samples)
        paths = self._sample(steps, count, known, np.random.default_rng(random_state))
        paths = self._backward(paths)  # (n, S, H)
        return restore_columns(
            self.panel_, paths.transpose(0, 2, 1), self._labels("path", range(count))
        )

    def update(self, y: Frame | IntoDataFrame, X: IntoDataFrame | None = None) -> Self:
        """Absorb the values that came after the history; what `fit` learned stays.

        Parameters
        ----------
        y
            New values of the same kind and the same series as in `fit`.
        X
            Their covariates, if `fit` had X.

        Returns
        -------
        The forecaster itself; unchanged if anything fails.
        """
        check_is_fitted(self)
        panel = append(self.panel_, self._read(y, X, self.freq_, allow_unobserved=True))
        learner = self._continued(panel)
        learner.missing_ = missing(panel)
        self.__dict__ = learner.__dict__
        return self

    def apply(self, y: Frame | IntoDataFrame, X: IntoDataFrame | None = None) -> Self:
        """Return a forecaster that has learned what this one has, and has another history.

        For series that were not there in `fit`: nothing is learned from them, and this forecaster
        stays as it is.

        Parameters
        ----------
        y
            The other history, of the same frequency; of any kind and any number of series.
        X
            Its covariates, the same columns as in `fit`.

        Returns
        -------
        Another forecaster.

        Raises
        ------
        TypeError
            If the forecaster learns each series on its own, as ETS does: fit a new one.
        """
        check_is_fitted(self)
        panel = self._read(y, X, self.freq_)
        for kind in ("X_names", "past_names"):
            if getattr(panel, kind) != getattr(self.panel_, kind):
                raise ValueError(
                    f"`X` must have the columns of `fit`, {short(list(getattr(self.panel_, kind)))}"
                    f", got {short(list(getattr(panel, kind)))}."
                )
        other = copy.copy(self)
        other.panel_ = panel
        other.missing_ = missing(panel)
        other._apply(forward(self.target_transform_, panel))
        return other

    def future_frame(self, horizon: int | None = None) -> pd.DataFrame:
        """Return the X that a forecast needs, still empty: its rows and columns, filled with NaN.

        Parameters
        ----------
        horizon
            Steps ahead. None: `horizon_`.

        Returns
        -------
        A frame like the X of `fit`, with the columns whose future must be known.
        """
        check_is_fitted(self)
        steps = self.horizon_ if horizon is None else positive_integer("horizon", horizon)
        return future_frame(self.panel_, steps)

    def score(self, y: Frame | IntoDataFrame, X: IntoDataFrame | None = None) -> float:
        """Compare the forecast with what came: the negative MASE, so greater is better.

        The steps are matched by time, so `y` need not start right after the history. The errors
        of every series are divided by its in-sample seasonal naive error.

        Parameters
        ----------
        y
            Values after the history, of the same kind and the same series as in `fit`.
        X
            Covariates of all steps from the end of the history on, if `fit` had X.

        Returns
        -------
        -MASE, averaged over the series.
        """
        from forecast.evaluation.metrics import scorer

        check_is_fitted(self)
        return scorer("mase")(self, y, X)

    def plot(
        self,
        horizon: int | None = None,
        X: IntoDataFrame | None = None,
        *,
        coverage: float = 0.9,
        series: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the end of a history, its forecast and its interval.

        Parameters
        ----------
        horizon, X, coverage
            As in `predict_interval`.
        series
            Which one, by its id; None: the first.
        ax
            Axes to draw on; None makes a new figure.

        Returns
        -------
        The Axes.
        """
        from forecast.evaluation.plots import plot_forecast

        steps, known = self._ahead(horizon, X)
        panel = self.panel_
        i = 0 if series is None else place_of(panel, series)
        tail = (1 - number_between("coverage", coverage, 0, 1)) / 2
        bounds = self._backward(self._predict_quantiles(steps, (tail, 1 - tail), known))[
            i
        ]  # (H, 2)
        times = extend_grid(panel.grid, steps)[panel.ends[i] : panel.ends[i] + steps]
        return plot_forecast(
            pd.Series(panel.series(i), panel.times(i), name=panel.ids[i]),
            pd.Series(self._backward(self._predict(steps, known))[i], times),
            pd.DataFrame(bounds, times, [round((1 + s * coverage) / 2, 9) for s in (-1, 1)]),
            ax=ax,
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted forecaster to one file, which `forecast.load` reads."""
        from forecast.forecasters.saving import save

        save(self, path)

    # What authors write: all of it in the units of the model, that is after `target_transform`

    @abstractmethod
    def _fit(self, panel: Panel) -> None:
        """Learn from the history; set attributes that end in an underscore.

        `season_length_` and `horizon_` are set, and `panel_`, whose values are in the units of the
        user: keep what a forecast needs of the values of `panel`. This runs on a copy of the
        forecaster that replaces it on success, so nothing learned before needs to be restored.
        """

    @abstractmethod
    def _predict(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        """Return the forecast (n, H); `known` is the future of X, (n, H, K) float64, or None."""

    @abstractmethod
    def _sample(
        self, horizon: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        """Return paths (n, S, H); those of a shorter horizon must be a prefix, seed for seed."""

    def _predict_quantiles(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> np.ndarray:
        """Return quantiles (n, H, Q); by default those of 1,000 paths, fewer for large panels."""
        # The paths of a large panel must fit into memory: 2e7 float64 values are 160 MB.
        affordable = 20_000_000 // (self.panel_.n_series * horizon)
        count = int(np.clip(affordable, 100, 1000))
        paths = self._sample(horizon, count, known, np.random.default_rng(0))  # (n, S, H)
        return np.moveaxis(np.quantile(paths, levels, axis=1), 0, -1)  # (n, H, Q)

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        """Absorb the last `added[i]` values of every series of the grown history.

        Between the old history and the new values there may be a gap of NaN; it counts as added.
        By default there is nothing to do. Learned attributes must be replaced, never changed in
        place: a failure keeps the old ones.
        """

    def _apply(self, panel: Panel) -> None:
        """Take another history, of other series; by default there is no such thing."""
        raise TypeError(
            f"{type(self).__name__} learns each series on its own, so it knows nothing of others. "
            "Fit a new one."
        )

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what `_fit` learned: values that JSON can hold, and arrays by name."""
        raise NotImplementedError(f"{type(self).__name__} cannot be saved: it has no `_state`.")

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Take over what `_state` returned; the rest is set as in `_fit`."""
        raise NotImplementedError(f"{type(self).__name__} cannot be loaded: it has no `_restore`.")

    # Between the two

    def _read(
        self,
        y: Frame | IntoDataFrame,
        X: IntoDataFrame | None,
        freq: Any,
        *,
        allow_unobserved: bool = False,
    ) -> Panel:
        return read_frames(
            y,
            X,
            freq=freq,
            id_col=self.id_col,
            time_col=self.time_col,
            target_col=self.target_col,
            past_only=self.past_only or (),
            allow_unobserved=allow_unobserved,
        )

    def _continued(self, panel: Panel) -> Self:
        """Return a copy that has absorbed what a history has beyond its own."""
        learner = copy.copy(self)
        learner.panel_ = panel
        learner._update(forward(self.target_transform_, panel), panel.lengths - self.panel_.lengths)
        return learner

    def _backward(self, values: np.ndarray) -> np.ndarray:
        """Return what the model forecast, (n, ...), in the units of the user."""
        return backward(self.target_transform_, values, self.panel_.ids)

    def _interval(self, coverage: float, steps: int, known: np.ndarray | None) -> np.ndarray:
        tail = (1 - number_between("coverage", coverage, 0, 1)) / 2
        return self._backward(self._predict_quantiles(steps, (tail, 1 - tail), known))  # (n, H, 2)

    def _optional(self, name: str) -> int | None:
        value = getattr(self, name)
        return None if value is None else positive_integer(name, value)

    def _labels(self, prefix: str, entries: Iterable[float]) -> list[Any]:
        """Name the columns of a long frame; a column of its own needs a name that is a word."""
        words = self.panel_.layout.kind == "multi" or not self.panel_.layout.indexed
        return [f"{prefix}{entry}" for entry in entries] if words else list(entries)

    def _ahead(self, horizon: Any, X: Any) -> tuple[int, np.ndarray | None]:
        check_is_fitted(self)
        if isinstance(horizon, pd.Series | pd.DataFrame | np.ndarray | list):
            raise TypeError(
                f"`horizon` must be a positive integer, got {short(horizon)}. A `scoring=` string "
                "of scikit-learn calls predict(y_test), which a forecaster cannot answer: leave "
                "`scoring` out (`score` is -MASE) or pass "
                "scoring=forecast.evaluation.metrics.scorer(metric)."
            )
        if np.isscalar(X):
            raise TypeError(
                f"`X` must be a frame of covariates, got {X!r}. What follows it is passed by name: "
                "coverage=, levels=, n_samples=."
            )
        steps = self.horizon_ if horizon is None else positive_integer("horizon", horizon)
        return steps, future_known(self.panel_, X, steps)


def _default_horizon(panel: Panel, season_length: int) -> int:
    return max(1, min(max(season_length, 8), int(panel.lengths.max()) // 2))


def place_of(panel: Panel, series: Any) -> int:
    """Return the place of a series in a panel, by its id."""
    ids = panel.ids.tolist()
    if series not in ids:
        raise ValueError(f"`series` must be one of {short(ids)}, got {short(series)}.")
    return ids.index(series)


def _levels(levels: Sequence[float]) -> tuple[float, ...]:
    if isinstance(levels, str) or not np.iterable(levels):
        raise TypeError(f"`levels` must be a sequence of numbers in (0, 1), got {short(levels)}.")
    numbers = tuple(number_between("levels", level, 0, 1) for level in levels)
    if not numbers or any(low >= high for low, high in zip(numbers, numbers[1:], strict=False)):
        raise ValueError(f"`levels` must be increasing and not empty, got {short(levels)}.")
    return numbers
