"""The manners all forecasters share: frames in, checks, the same kind of frames out.

Users call the methods of `BaseForecaster`, which read and check everything first; what they hand
on, an author writes: `arrays` says what. The constructor stands in `parameters`.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from forecast._checks import positive_integer
from forecast.data.frames import (
    future_frame,
    restore,
    restore_columns,
    tell_open_ends,
    tell_strays,
    warn_of_changed_clocks,
    warn_of_fewer_values,
)
from forecast.evaluation.registry import DECILES
from forecast.forecasters import arguments
from forecast.forecasters.framed import FramedForecaster
from forecast.forecasters.saving import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from narwhals.typing import IntoDataFrame

# What goes in comes out; the frames of other libraries are seen through narwhals.
Frame: TypeAlias = "pd.Series | pd.DataFrame | list[pd.Series] | IntoDataFrame"
# The same where a series has several columns: quantiles, bounds, paths.
Table: TypeAlias = "pd.DataFrame | list[pd.DataFrame] | IntoDataFrame"


class BaseForecaster(FramedForecaster):
    """Forecast one series or many; the parent of every forecaster.

    Its parameters are those of `Parameters`.

    Attributes
    ----------
    panel_
        The history, as arrays, in the units of `y`.
    target_transform_
        The fitted transformer, or None.
    calibration_
        How much bands and paths are stretched, or None.
    bounds_
        What each series can be: at least zero, whole.
    outliers_
        Values that are taken for missing: see `forecast.forecasters.outliers`.
    freq_
        Frequency of the history.
    season_length_, horizon_
        The values in use.
    n_features_in_
        Number of columns of X; only if `fit` had X.
    unit_
        The unit of the values, `y.attrs["unit"]`, for the axis of `plot`; or None.

    Examples
    --------
    >>> from forecast import NaiveForecaster
    >>> y = pd.Series([1.0, 4.0, 2.0, 5.0, 4.0, 6.0], pd.date_range("2024-01-01", periods=6))
    >>> model = NaiveForecaster("drift", horizon=2).fit(y[:4])
    >>> model.predict().tolist()
    [6.0, 8.0]
    >>> model.predict_interval(2, coverage=0.8).to_numpy().tolist()
    [[3.0, 10.0], [5.0, 11.0]]
    >>> model.sample(2, n_samples=3, random_state=0).shape
    (2, 3)
    >>> round(model.score(y[4:]), 2)
    -0.75
    >>> model.apply(y + 10).predict(1).tolist(), model.update(y[4:]).predict(1).tolist()
    ([17.0], [7.0])
    """

    unit_: str | None

    def fit(self, y: Frame, X: IntoDataFrame | None = None, sample_weight: Any = None) -> Self:
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
        sample_weight
            How much each value counts as one to be forecast, at least 0: a mapping from each series
            to its weight, or a table like `y` with weights in place of values. A value of weight 2
            counts as two; one of weight 0 is not learned from, but still read as the past of
            others. Weights matter in proportion. Networks and `MarkovForecaster` take them; others
            raise a TypeError. None: all count alike.

        Returns
        -------
        The forecaster itself.
        """
        horizon = arguments.optional("horizon", self.horizon)
        season_length = arguments.optional("season_length", self.season_length)
        panel = self._weighed(self._read(y, X, self.freq), sample_weight)
        tell_open_ends(panel)
        tell_strays(panel)
        learner = self._fitted_to(panel, horizon, season_length)
        warn_of_changed_clocks(panel, learner.horizon_)
        learner.unit_ = arguments.unit_of(y)
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
        The kind of frame that `fit` was given, with `horizon` rows per series. Whatever the order
        of its rows, the series of a long frame or a MultiIndex are in rising order of their ids
        (categories of pandas: in that of the categories); others stay in the given order.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        steps, known = self._ahead(horizon, X)
        return restore(self.panel_, self._point(steps, known))

    def predict_quantiles(
        self,
        horizon: int | None = None,
        X: IntoDataFrame | None = None,
        *,
        levels: Sequence[float] = DECILES,
    ) -> Table:
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
        wanted = arguments.probabilities(levels)
        quantiles = self._quantiles(steps, wanted, known)  # (n, H, Q)
        return restore_columns(self.panel_, quantiles, self.panel_.layout.labels("q", wanted))

    def predict_interval(
        self,
        horizon: int | None = None,
        X: IntoDataFrame | None = None,
        *,
        coverage: float = 0.9,
    ) -> Table:
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
        bounds = self._quantiles(steps, arguments.bounds_of(coverage), known)  # (n, H, 2)
        return restore_columns(self.panel_, bounds, ["lower", "upper"])

    def sample(
        self,
        horizon: int | None = None,
        X: IntoDataFrame | None = None,
        *,
        n_samples: int = 100,
        random_state: int | np.random.Generator | np.random.RandomState | None = None,
    ) -> Table:
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
        if isinstance(random_state, np.random.RandomState):  # of old: nothing can be split off it
            random_state = int(random_state.randint(2**31))
        paths = self._paths(steps, count, known, np.random.default_rng(random_state))  # (n, H, S)
        return restore_columns(self.panel_, paths, self.panel_.layout.labels("path", range(count)))

    def update(self, y: Frame, X: IntoDataFrame | None = None) -> Self:
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
        self.__dict__ = self._after(y, X).__dict__
        return self

    def predict_at(
        self,
        y: Frame,
        X: IntoDataFrame | None = None,
        *,
        origins: np.ndarray,
        horizon: int,
        levels: Sequence[float] = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        """Forecast from several moments, as if `update` had been called up to each.

        This forecaster stays as it is; `backtest` makes a table of what it returns.

        Parameters
        ----------
        y
            The history and what came after it; with X, all steps to forecast.
        X
            Its covariates.
        origins
            How many values of each series are known at each moment, rising, (O, n).
        horizon, levels
            As in `predict_quantiles`.

        Returns
        -------
        Forecasts (O, n, H) and quantiles (O, n, H, Q), the series in the order of `panel_.ids`.
        """
        check_is_fitted(self)
        whole = arguments.same_columns(self._read(y, X, self.freq_, sparse=True), self.panel_)
        known = arguments.known_at(whole, origins, horizon)
        self._tell_far_plans(whole, origins, known)
        history = whole.head(origins[-1])
        return self._from_origins(history, origins, horizon, tuple(levels), known)

    def apply(self, y: Frame, X: IntoDataFrame | None = None) -> Self:
        """Return a forecaster that has learned what this one has, and has another history.

        For series that were not there in `fit`: nothing is learned from them, and this forecaster
        stays as it is.

        Parameters
        ----------
        y
            The other history, of the same frequency; of any kind and any number of series. A
            ForecastWarning tells of values that come less often. If the forecaster `starts_cold`, a
            series may have no value at all, but rows.
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
        panel = self._read(y, X, self.freq_, sparse=True, allow_empty=self.starts_cold)
        panel = arguments.same_columns(panel, self.panel_)
        warn_of_fewer_values(panel)
        other = self._with_history(panel)
        other.unit_ = arguments.unit_of(y)
        return other

    def future_frame(self, horizon: int | None = None) -> pd.DataFrame | IntoDataFrame:
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
        return future_frame(self.panel_, arguments.steps_ahead(horizon, self.horizon_))

    def score(self, y: Frame, X: IntoDataFrame | None = None) -> float:
        """Compare the forecast with what came: the negative MASE, so greater is better.

        The steps are matched by time, so `y` need not start right after the history. The errors
        of every series are divided by its in-sample seasonal naive error, the season being that of
        the calendar or the values whatever `season_length` is. scikit-learn's tools use it when
        `scoring` is left out. A string such as "r2" compares arrays without their times and
        fails: pass `forecast.evaluation.metrics.scorer(metric)`.

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
        panel, i = self.panel_, arguments.place_of(series, self.panel_)
        point, bounds = self._median_and_quantiles(steps, arguments.bounds_of(coverage), known)
        if self.point_is_mean:
            point = self._point(steps, known)
        future = panel.future(steps)
        times = future.times[future.first[i] : future.first[i] + steps]
        levels = [round((1 + s * coverage) / 2, 9) for s in (-1, 1)]
        return plot_forecast(
            pd.Series(panel.series(i), panel.times(i), name=panel.ids[i]),
            pd.Series(point[i], times),
            pd.DataFrame(bounds[i], times, levels),
            unit=self.unit_,
            ax=ax,
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted forecaster to one file, which `forecast.load` reads."""
        save(self, path)
