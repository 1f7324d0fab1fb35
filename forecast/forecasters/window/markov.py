"""The Markov assumption: the next value depends on the last `order` ones only."""

from __future__ import annotations

import copy
from inspect import signature
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from forecast._checks import positive_integer, short
from forecast.data.frames import Panel
from forecast.data.static import StaticReader
from forecast.data.weights import has_weight
from forecast.forecasters.arrays import ForecasterTags
from forecast.forecasters.base import Frame
from forecast.forecasters.history import fill_gaps, has_ended, series_numbers, shaped, tails
from forecast.forecasters.occlusion import Occluded
from forecast.forecasters.parameters import Common
from forecast.forecasters.residuals import Residuals, inflation
from forecast.forecasters.sampling import Noise, ResidualForecaster
from forecast.forecasters.transform import forward
from forecast.forecasters.window.least_squares import Regression, Stretches
from forecast.forecasters.window.order import order_for
from forecast.forecasters.window.scales import past_filled, spread, standard

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

# With so many rows to a column the weights are known: doubt adds half a per cent to a variance.
KNOWN = 200
# Small panels of shorter series are calibrated, in less than a second: a series is taken to come
# back to the mean of its history (Nickell 1981), and many series only hide the doubt.
CALIBRATED_LENGTH, CALIBRATED_SIZE = 200, 10_000
FLAT = 1e-6  # the range of a standardised series: of any that is not flat it is one at least


class MarkovForecaster(ResidualForecaster):
    """Predict the next value from the last `order` ones, with any regressor; then feed it back.

    One regressor serves all series. Each is standardised by the mean and the standard deviation of
    its history, so series of different size can be learned together. With the default regressor and
    one series this is the autoregression AR(order), fitted by ordinary least squares.

    Windows with a missing value are left out of the fit. In the window a forecast starts from, a
    missing value is replaced by the last one observed in the same season, and a series shorter than
    the window is continued to the left by its first value. A covariate in `past_only` enters with
    its last observed value, which it keeps in the future; a static category as a column for each of
    its values.

    Paths feed back the forecast plus a past one-step error. Without a `regressor` each path has
    weights and a level of its own, as far off as normal errors leave them in doubt; with 200 rows
    to a column the weights are taken for known. A map fitted to little data may explode when it is
    iterated; so no forecast leaves the range of the history by more than that range, and by more
    again than a line through the history could rise by then. Without X a series that was zero for
    the last 12 steps or more, and kept no value for half as many before, stays there.

    Parameters
    ----------
    order
        Number of past values used. None: a season and one more, or up to 8 if there are ten rows to
        each; fewer, if the regression would have less than three rows to a column.
    regressor
        A scikit-learn regressor; a clone is fitted. None: `LinearRegression`.
    static
        Static features: a frame with a row per series, as in `NeuralForecaster`.

    Attributes
    ----------
    order_
        The order in use.
    regressor_
        The fitted regressor; its columns are those of `training_frame`.
    center_, scale_
        (n,), mean and standard deviation of every series.
    window_, range_
        (n, order) and (n, 2): the values a forecast starts from, the newest first; minimum and
        maximum of every history. Standardised.
    coef_, intercept_
        (order,) and (n,): weights of the values 1, 2, ... steps back, and the constant of every
        series in its own units. Only without `regressor`.
    residuals_
        Past one-step errors, as large as those of late, standardised.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.Series([float(t) for t in range(1, 25)])
    >>> MarkovForecaster(order=2).fit(y).predict(3).round(6).tolist()
    [25.0, 26.0, 27.0]
    """

    tags = ForecasterTags(covariates=True, sample_weight=True)

    def __init__(
        self,
        order: int | None = None,
        regressor: Any = None,
        *,
        static: pd.DataFrame | None = None,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.order = order
        self.regressor = regressor
        self.static = static

    def training_frame(self, y: Frame, X: IntoDataFrame | None = None) -> pd.DataFrame:
        """Return what the regressor would learn from: a row per target, as it would see it.

        Parameters
        ----------
        y, X
            As in `fit`.

        Returns
        -------
        A frame indexed by series and time. The columns "lag 1" ... are the values before the target
        and are standardised by series, as is the last one, "target"; those between are the known
        covariates at its time, the past-only ones before it, and the static ones, standardised too.

        Examples
        --------
        >>> y = pd.Series([1.0, 2.0, 3.0, 4.0], name="A")
        >>> MarkovForecaster(order=2).training_frame(y).round(2)  # doctest: +NORMALIZE_WHITESPACE
                     lag 1  lag 2  target
        series time
        A      2     -0.45  -1.34    0.45
               3      0.45  -0.45    1.34
        """
        # the matrix needs the order and the scales, not the regressor
        learner = clone(self).set_params(regressor=DummyRegressor()).fit(y, X)
        panel = forward(learner.target_transform_, learner.panel_)
        rows = Stretches.of(panel).rows(learner.order_)
        columns, target = learner._matrix(panel, rows)
        series = series_numbers(panel)[rows]
        times = panel.grid[panel.starts[series] + rows - panel.offsets[series]]
        keys = pd.MultiIndex.from_arrays([panel.ids[series], times], names=["series", "time"])
        names = [f"lag {k}" for k in range(1, learner.order_ + 1)] + learner._names(panel)
        return pd.DataFrame(columns, keys, names).assign(target=target)

    def _calibrates(self, panel: Panel) -> bool:
        if self.regressor is not None or panel.weights is not None or panel.n_series == 1:
            return False
        return bool(
            np.median(panel.lengths) < CALIBRATED_LENGTH and panel.lengths.sum() < CALIBRATED_SIZE
        )

    def _fit(self, panel: Panel) -> None:
        _check_regressor(self.regressor, weighed=panel.weights is not None)
        self.static_reader_ = None
        if self.static is not None:
            self.static_reader_ = StaticReader.fit(self.static, panel.ids, self.id_col)
        covariates = self._covariates(panel)
        self.X_center_, self.X_scale_ = covariates.mean(axis=0), spread(covariates)
        self.center_, self.scale_, flat = standard(panel)
        stretches = Stretches.of(panel)
        teaches = ~flat & has_weight(panel)  # a flat series has nothing to teach
        if teaches.any():
            stretches = stretches.inside(panel, teaches)
        self.order_ = order_for(
            self.order, panel, stretches, self.season_length_, covariates.shape[1]
        )
        fit = self._fit_linear if self.regressor is None else self._fit_regressor
        errors = fit(panel, stretches, covariates)
        rows = stretches.rows(self.order_)
        if panel.weights is not None:  # what was not learned from tells of no error
            told = panel.weights[rows] > 0
            rows, errors = rows[told], errors[told]
        owners = np.searchsorted(panel.offsets, rows, side="right") - 1
        phases = (rows - panel.offsets[owners]) % self.season_length_
        self.residuals_ = Residuals.gather(errors, owners, panel.n_series, phases=phases)
        self._stand(panel)

    def _fit_linear(self, panel: Panel, stretches: Stretches, covariates: np.ndarray) -> np.ndarray:
        """Fit by least squares without laying out the windows; return the errors (rows,)."""
        scaled = (covariates - self.X_center_) / self.X_scale_
        values = self._standardised(panel)
        regression = Regression(values, scaled, stretches, self.order_, panel.weights)
        weights, constant, doubt = regression.solve()
        self._keep_coefficients(weights, constant)
        errors = regression.errors(weights, constant)[stretches.rows(self.order_)]
        exact = len(errors) <= len(weights) + 1  # the line goes through all of them: no error tells
        if exact:
            errors = regression.target[stretches.rows(self.order_)]
        known = exact or len(errors) > KNOWN * len(weights)
        self.doubt_ = doubt[:, :0] if known else doubt
        return errors * inflation(len(errors), len(weights) + 1)

    def _fit_regressor(
        self, panel: Panel, stretches: Stretches, covariates: np.ndarray
    ) -> np.ndarray:
        """Fit the user's regressor; return the errors (rows,)."""
        rows = stretches.rows(self.order_)
        columns, target = self._matrix(panel, rows)
        told = {} if panel.weights is None else {"sample_weight": panel.weights[rows]}
        self.regressor_ = clone(self.regressor).fit(columns, target, **told)
        self.doubt_ = np.empty((columns.shape[1] + 1, 0))
        return target - self._regress(columns)

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        self._stand(panel)
        self.residuals_ = self.residuals_.later(added)

    def _stand(self, panel: Panel) -> None:
        """Keep the newest window, and how far the history ranges, both standardised."""
        center, scale = self.center_[:, None], self.scale_[:, None]
        newest = tails(fill_gaps(panel, self.season_length_), panel, self.order_)  # (n, order)
        self.window_ = ((newest - center) / scale)[:, ::-1]
        extremes = [end.reduceat(panel.values, panel.offsets[:-1]) for end in (np.fmin, np.fmax)]
        self.range_ = (np.stack(extremes, 1) - center) / scale  # (n, 2)
        ended = has_ended(panel) & (panel.X is None)  # a plan may wake it
        self.still_ = ended | (np.ptp(self.range_, axis=1) < FLAT)
        self.held_ = self._covariates(panel, ahead=1)[panel.offsets[1:] - 1, len(panel.X_names) :]

    def _apply(self, panel: Panel) -> None:
        self.center_, self.scale_, _ = standard(panel)
        self.residuals_ = self.residuals_.pooled(panel.n_series)
        self._stand(panel)
        if self.regressor is None:
            self._keep_coefficients(self.regressor_.coef_, self.regressor_.intercept_)

    def _answer(self, asked: Occluded, horizon: int) -> np.ndarray:
        other = copy.copy(self)
        other.panel_ = asked.panel
        other.center_, other.scale_ = self.center_[asked.owners], self.scale_[asked.owners]
        other.residuals_ = self.residuals_.take(asked.owners)
        other._stand(asked.panel)
        other.range_, other.still_ = self.range_[asked.owners], self.still_[asked.owners]
        if other.static_reader_ is not None:
            before = len(self.panel_.X_names) + len(self.panel_.past_names)
            usual = self.X_center_[before:]
            other.held_[asked.static, -len(usual) :] = usual
        return other._predict(horizon, asked.known)

    def _standardised(self, panel: Panel) -> np.ndarray:
        """Return all values (N,) in the spreads of their series."""
        values = panel.values - np.repeat(self.center_, panel.lengths)
        values /= np.repeat(self.scale_, panel.lengths)
        return values

    def _matrix(self, panel: Panel, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return columns (rows, order + K) and targets (rows,) of these flat places."""
        z = self._standardised(panel)
        windows = sliding_window_view(z, self.order_)[rows - self.order_, ::-1]  # (rows, order)
        return self._columns(windows, self._covariates(panel)[rows]), z[rows]

    def _covariates(self, panel: Panel, ahead: int = 0) -> np.ndarray:
        """Return the covariates of each target (N, K): at its place, or `ahead` steps after it."""
        parts = [] if panel.X is None else [panel.X]
        if panel.past is not None:
            first = panel.offsets[series_numbers(panel)]
            place = np.maximum(np.arange(len(first)) + ahead - 1, first)
            parts.append(past_filled(panel)[place])
        if self.static_reader_ is not None:
            reals, codes = self.static_reader_.read(self.static, panel.ids)
            sizes = zip(codes.T, self.static_reader_.sizes, strict=True)
            flags = [code[:, None] == np.arange(1, size) for code, size in sizes]
            parts.append(np.hstack([reals, *flags])[series_numbers(panel)])
        return np.hstack(parts) if parts else np.empty((len(panel.values), 0))

    def _names(self, panel: Panel) -> list[str]:
        """Return the names of the covariates."""
        names = [*panel.X_names, *panel.past_names]
        if self.static_reader_ is not None:
            names += self.static_reader_.means
            told = self.static_reader_.categories.items()
            names += [f"{column}={value}" for column, values in told for value in values]
        return names

    def _keep_coefficients(self, weights: np.ndarray, constant: float) -> None:
        self.regressor_ = LinearRegression()
        self.regressor_.coef_, self.regressor_.intercept_ = weights, constant
        self.regressor_.n_features_in_ = len(weights)
        self.coef_ = weights[: self.order_]
        if len(weights) > self.order_:
            constant = constant - weights[self.order_ :] @ (self.X_center_ / self.X_scale_)
        self.intercept_ = self.center_ * (1 - self.coef_.sum()) + self.scale_ * constant

    def _columns(self, windows: np.ndarray, covariates: np.ndarray) -> np.ndarray:
        """Join standardised windows (rows, order) and raw covariates (rows, K)."""
        return np.hstack([windows, (covariates - self.X_center_) / self.X_scale_])

    def _regress(self, columns: np.ndarray) -> np.ndarray:
        return np.asarray(self.regressor_.predict(columns), dtype=np.float64).reshape(len(columns))

    def _run(self, horizon: int, known: np.ndarray | None, noise: Noise) -> np.ndarray:
        own = noise.series
        (low, high), window = self.range_[own].T[..., None], self.window_[own]
        held, known = self.held_[own], None if known is None else known[own]
        reach, still = np.maximum(high - low, 1.0), self.still_[own, None]
        weights, constants = self._drawn(noise)
        paths = np.empty((horizon, len(own), noise.n_samples))  # a step is a window's last row
        for step in range(horizon):
            covariates = held if known is None else np.hstack([known[:, step], held])
            drawn = paths[max(step - self.order_, 0) : step]
            past = window[:, : self.order_ - len(drawn)]
            if self.regressor is None:
                z = constants + self._fed(self._columns(past, covariates), drawn, weights)
            else:
                z = self._step(past, drawn, covariates)
            room = reach * (1 + (step + 1) / self.panel_.lengths[own, None])
            z = np.clip(z + noise.errors(), low - room, high + room)
            paths[step] = np.where(still, window[:, :1], z)
        paths *= self.scale_[own, None]
        paths += self.center_[own, None]
        return np.moveaxis(paths, 0, 2)

    def _drawn(self, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (order + K, S) and constants (n, S), as far off as they are in doubt.

        Without errors, or where the weights are known, they have one column for all paths.
        """
        if self.regressor is not None:
            return np.empty((0, 1)), np.zeros((1, 1))
        weights = self.regressor_.coef_[:, None]
        constants = np.full((1, 1), float(self.regressor_.intercept_))
        if noise.rng is None:
            return weights, constants
        if self.doubt_.size:
            size = np.sqrt(np.square(self.residuals_.values).mean())
            off = size * self.doubt_ @ noise.normals(self.doubt_.shape[1])
            weights, constants = weights + off[:-1], constants + off[-1]
        rows = np.minimum(noise.counts, self.panel_.lengths[noise.series, None])
        error = self.residuals_.deviations[noise.series] / np.sqrt(rows)
        return weights, constants + noise.normals(1 if noise.even else len(rows)) * error

    def _fed(self, past: np.ndarray, drawn: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return what follows paths (k, n, S) by weights (order + K, S), but for the constant."""
        k, n, paths = drawn.shape
        fixed = past @ weights[k:]
        fed = weights[:k][::-1]
        if weights.shape[1] == 1:  # no window of a path is laid out
            return fixed + (fed.T @ drawn.reshape(k, n * paths)).reshape(n, paths)
        return fixed + np.einsum("ks,kns->ns", fed, drawn)

    def _step(self, past: np.ndarray, drawn: np.ndarray, covariates: np.ndarray) -> np.ndarray:
        """Return what the regressor says follows paths (k, n, S), each after its history."""
        _, n, paths = drawn.shape
        before = np.repeat(past[:, None], paths, axis=1)
        windows = np.concatenate([np.moveaxis(drawn[::-1], 0, 2), before], axis=2)
        columns = self._columns(
            windows.reshape(n * paths, -1), np.repeat(covariates, paths, axis=0)
        )
        return self._regress(columns).reshape(n, paths)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        if self.regressor is not None:
            raise ValueError(
                "`regressor` must be None (linear) to save a MarkovForecaster to a file that holds "
                f"no code, got {short(self.regressor)}. Use joblib.dump(model, path), and load "
                "only what you trust."
            )
        arrays = {
            "weights": self.regressor_.coef_,
            "constant": np.asarray(self.regressor_.intercept_),
            "center": self.center_,
            "scale": self.scale_,
            "doubt": self.doubt_,
        }
        arrays |= {"X_center": self.X_center_, "X_scale": self.X_scale_}
        reader = None if self.static_reader_ is None else self.static_reader_.state()
        return {"order": self.order_, "static": reader}, arrays | self.residuals_.arrays()

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.order_ = positive_integer("order", values["order"])
        self.static_reader_ = values["static"] and StaticReader(**values["static"])
        width = self._covariates(panel).shape[1]
        self.center_, self.scale_ = (shaped(arrays, k, panel.n_series) for k in ("center", "scale"))
        self.X_center_ = shaped(arrays, "X_center", width)
        self.X_scale_ = shaped(arrays, "X_scale", width)
        weights = shaped(arrays, "weights", self.order_ + width)
        self._keep_coefficients(weights, float(arrays["constant"]))
        # files from before weights were drawn have none in doubt
        doubt = arrays.get("doubt", np.empty((len(weights) + 1, 0)))
        self.doubt_ = shaped({"doubt": doubt}, "doubt", len(weights) + 1, doubt.shape[-1])
        self.residuals_ = Residuals.from_arrays(arrays)
        self._stand(panel)


def _check_regressor(regressor: Any, *, weighed: bool) -> None:
    known = regressor is None or (hasattr(regressor, "fit") and hasattr(regressor, "predict"))
    if not known or isinstance(regressor, type):
        raise TypeError(
            f"`regressor` must be a scikit-learn regressor such as Ridge(), got {short(regressor)}."
        )
    if regressor is None or not weighed:
        return
    taken = signature(regressor.fit).parameters.values()
    # a search hands on whatever it is given
    if not any(one.name == "sample_weight" or one.kind == one.VAR_KEYWORD for one in taken):
        raise TypeError(
            "`sample_weight` must be None for a `regressor` that cannot weigh, got "
            f"{short(regressor)}. Use one that can, such as Ridge()."
        )
