"""Score forecasts: plain arrays, or a whole forecast table with any number of models and series.

The functions `mae` ... `wql` score plain arrays, through scikit-learn where it has the
metric; `evaluate` scores a forecast table by the records in `registry`.

sMAPE, MASE and OWA are those of the M4 competition (Makridakis, Spiliotis and Assimakopoulos 2020),
the scaled error is due to Hyndman and Koehler 2006, the quantile loss to Koenker and Bassett 1978.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics as sklearn_metrics

from forecast._checks import number_between, positive_integer
from forecast.data.backends import like
from forecast.data.calendar import infer_season_length
from forecast.evaluation.registry import (
    columns_of,
    metric_named,
    quantile_loss,
    symmetric_percentage,
)
from forecast.evaluation.scoring import known_rows, scored_rows, warn_no_scale
from forecast.evaluation.table import (
    Array,
    central_intervals,
    forecast_ahead,
    pandas_rows,
    path_columns,
    quantile_columns,
)

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrameT

# Scores of plain arrays.


def mae(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> float:
    """Average the absolute error, in target units; missing values of `y` do not count.

    Examples
    --------
    >>> mae([3, 5, None], [2, 8, 9])
    2.0
    """
    return float(sklearn_metrics.mean_absolute_error(*_observed(y, y_hat)))


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> float:
    """Average the squared error, in squared target units.

    Examples
    --------
    >>> mse([3, 5], [2, 8])
    5.0
    """
    return float(sklearn_metrics.mean_squared_error(*_observed(y, y_hat)))


def rmse(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> float:
    """Return the root of the mean squared error, in target units.

    Examples
    --------
    >>> rmse([3, 5], [2, 12])
    5.0
    """
    return float(sklearn_metrics.root_mean_squared_error(*_observed(y, y_hat)))


def mape(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> float:
    """Average the absolute error as a fraction of the actual value (0.1 is ten percent).

    Examples
    --------
    >>> mape([100, 200], [110, 180])
    0.1
    """
    return float(sklearn_metrics.mean_absolute_percentage_error(*_observed(y, y_hat)))


def smape(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> float:
    """Average the symmetric percentage error of M4, between 0 and 200.

    Examples
    --------
    >>> smape([100, 0], [300, 0])
    50.0
    """
    return float(np.mean(symmetric_percentage(*_observed(y, y_hat))))


def r2(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> float:
    """Return the share of the variance of `y` that the forecast explains (1 is perfect).

    Examples
    --------
    >>> r2([1, 2, 3], [1, 2, 4])
    0.5
    """
    return float(sklearn_metrics.r2_score(*_observed(y, y_hat)))


def pinball(y: npt.ArrayLike, y_hat: npt.ArrayLike, level: float) -> float:
    """Average the quantile loss of a forecast of one quantile, in target units.

    Examples
    --------
    >>> round(pinball([10, 10], [8, 12], 0.9), 6)  # 2 * .9 below, 2 * .1 above
    1.0
    """
    level = number_between("level", level, 0, 1)
    return float(sklearn_metrics.mean_pinball_loss(*_observed(y, y_hat), alpha=level))


def coverage(y: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike) -> float:
    """Return the share of actual values inside their interval, ends included.

    Examples
    --------
    >>> coverage([1, 2, 3, 4], [0, 0, 0, 0], [3, 3, 3, 3])
    0.75
    """
    actual, low, high = _observed(y, lower, upper)
    return float(np.mean((low <= actual) & (actual <= high)))


def wql(y: npt.ArrayLike, quantiles: npt.ArrayLike, levels: Sequence[float]) -> float:
    """Return the weighted quantile loss: twice the sum of pinball losses over the sum of |y|.

    It is averaged over the levels; not a number where all actual values are 0.

    Parameters
    ----------
    y
        Actual values, (n,).
    quantiles
        Forecast quantiles, (n, Q), a column per level.
    levels
        The Q levels, each between 0 and 1.

    Examples
    --------
    >>> wql([10, 10], [[8, 10], [12, 10]], levels=[0.5, 0.9])
    0.1
    """
    columns = np.asarray(quantiles, dtype=np.float64)
    if columns.ndim != 2 or columns.shape[1] != len(levels):
        raise ValueError(
            f"`quantiles` must have one column per level: {len(levels)} levels, "
            f"got shape {columns.shape}."
        )
    actual, *forecasts = _observed(y, *columns.T)
    losses = [
        quantile_loss(actual, forecast, number_between("levels", level, 0, 1))
        for forecast, level in zip(forecasts, levels, strict=True)
    ]
    return float(2 * np.mean(losses) / (np.mean(np.abs(actual)) or np.nan))


def naive_scale(history: npt.ArrayLike, season_length: int) -> float:
    """Return the mean absolute error of the seasonal naive forecast inside a history.

    It is the unit of MASE. Not a number where no two values are a season apart.

    Examples
    --------
    >>> naive_scale([1, 2, 4, 7], season_length=1)
    2.0
    """
    m = positive_integer("season_length", season_length)
    x = np.asarray(history, dtype=np.float64)
    changes = np.abs(x[m:] - x[:-m])
    changes = changes[~np.isnan(changes)]
    return float(changes.mean()) if len(changes) else float("nan")


def mase(
    y: npt.ArrayLike, y_hat: npt.ArrayLike, history: npt.ArrayLike, season_length: int
) -> float:
    """Return the absolute error of one series in units of its own seasonal naive error.

    Parameters
    ----------
    y, y_hat
        Actual and forecast values, (h,).
    history
        The values before the forecast, (n,), n > season_length.
    season_length
        Steps in a season; 1 where there is none.

    Returns
    -------
    float
        Below 1 is better than the naive forecast inside the history. Not a number, with a
        `ForecastWarning`, where the history never changes from one season to the next.

    Examples
    --------
    >>> mase([11, 14], [7, 7], history=[1, 2, 4, 7], season_length=1)
    2.75
    """
    scale = naive_scale(history, season_length)
    if not scale > 0:
        warn_no_scale("`history`")
        return float("nan")
    return mae(y, y_hat) / scale


def owa(smape: float, mase: float, smape_naive2: float, mase_naive2: float) -> float:
    """Average two ratios of means to Naive2's, M4's overall weighted average.

    Examples
    --------
    >>> round(owa(9.328, 0.893, 18.383, 2.395), 3)  # the M4 winner on the hourly series
    0.44
    """
    return 0.5 * (smape / smape_naive2 + mase / mase_naive2)


def skill(error: float, naive_errors: npt.ArrayLike) -> float:
    """Return the share of the best naive forecast's error that a model saves.

    1 is perfect, 0 as good as the best naive forecast, negative worse.

    Examples
    --------
    >>> skill(0.75, [1.0, 1.5])
    0.25
    """
    best = float(np.min(naive_errors))
    if best == 0:
        return 0.0 if error == 0 else float("-inf")
    return 1 - error / best


def _observed(y: npt.ArrayLike, *forecasts: npt.ArrayLike) -> list[Array]:
    """Return flat arrays of one length without the places where `y` is missing."""
    for forecast in forecasts:
        both = (
            isinstance(y, pd.Series | pd.DataFrame),
            isinstance(forecast, pd.Series | pd.DataFrame),
        )
        if all(both) and not y.index.equals(forecast.index):  # type: ignore[union-attr]
            raise ValueError(
                "`y` and its forecast must have the same index; reindex one to the other."
            )
    arrays = [np.asarray(values, dtype=np.float64) for values in (y, *forecasts)]
    if len({array.shape for array in arrays}) > 1:
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise ValueError(f"`y` and its forecast must have the same shape, got {shapes}.")
    seen = ~np.isnan(arrays[0])
    if not seen.any():
        raise ValueError(f"`y` has no observed value to score: all {arrays[0].size} are missing.")
    return [array[seen] for array in arrays]


# Scores of a forecast table.


def evaluate(
    table: IntoDataFrameT,
    history: Any = None,
    season_length: int | None = None,
    by: str | Sequence[str] = ("model",),
    metrics: Sequence[str] | None = None,
) -> IntoDataFrameT:
    """Score a forecast table, one row per group.

    Rows without an actual value do not count.

    Parameters
    ----------
    table
        Forecast table: `unique_id, cutoff, ds, step, model, y, y_hat`, maybe `q0.1` ... and
        `path0` ...
    history
        What the models were trained on, as a frame or a `Panel`; needed by scaled errors only.
        Values after a cutoff are not looked at, so the whole series may be given.
    season_length
        Steps in a season; needed by scaled errors only. M4 takes 1 for weekly and daily series.
    by
        Columns that make the groups: `model`, `step`, `unique_id`, `cutoff`, or several.
    metrics
        Names in `forecast.evaluation.registry.METRICS`. One that judges intervals is a column for
        each central interval of the table, unless its name says which: `coverage0.8`. By default
        `mae, rmse, smape`, then `mase` if there is a history, then `wql` if there are quantiles and
        `coverage` if they make an interval.

    Returns
    -------
    DataFrame
        Index: the groups in order of appearance. Columns: the metrics, `coverage0.8` and so on.
        Of a table of another library than pandas a frame of that, the groups in its first columns.

    Raises
    ------
    ValueError
        If a forecast is missing where the actual value is known: a model that stays silent on hard
        steps must not score better for it. If a metric is unknown, or lacks what it needs.

    Examples
    --------
    >>> table = pd.DataFrame({"unique_id": "A", "model": "naive", "y": [5, 8], "y_hat": [4, 4]})
    >>> evaluate(table, metrics=["mae", "mse"]).to_dict("index")
    {'naive': {'mae': 2.5, 'mse': 8.5}}
    """
    whole = pandas_rows(table)
    levels = quantile_columns(whole)
    intervals = central_intervals(levels)
    if metrics is None:
        metrics = ["mae", "rmse", "smape", *["mase"] * (history is not None)]
        metrics += ["wql"] * bool(levels) + ["coverage"] * bool(intervals)
    given = {"history": history, "season_length": season_length, "quantiles": levels or None}
    given["paths"] = path_columns(whole)
    for name in metrics:
        _check_needs(name, given)
    columns = columns_of(metrics, intervals)
    keys = [by] if isinstance(by, str) else list(by)
    rows, labels = scored_rows(known_rows(whole, keys), keys, history, season_length)
    scores = pd.DataFrame(index=labels)
    for name in columns:
        scores[name] = metric_named(name).function(rows)
    return like(scores, table)


def _check_needs(name: str, given: dict[str, Any]) -> None:
    metric = metric_named(name, "metrics")
    for needed in ("history", "season_length"):
        if metric.history and given[needed] is None:
            raise ValueError(
                f"`{name}` needs `{needed}`: its unit is the error of the seasonal naive forecast "
                "inside the history. Call evaluate(table, history, season_length)."
            )
    if metric.levels and given["quantiles"] is None:
        raise ValueError(
            f"`{name}` needs quantile columns such as 'q0.1' in the table. "
            "Make it with quantiles, for example backtest(..., quantiles=(0.1, 0.5, 0.9))."
        )
    if metric.n_paths and len(given["paths"]) < 2:
        raise ValueError(
            f"`{name}` needs two path columns at least, such as 'path0', in the table, got "
            f"{given['paths']}. Make it with paths: backtest(..., n_paths={metric.n_paths})."
        )


# Scoring for scikit-learn's searches.


def scorer(metric: str) -> Callable[..., float]:
    """Return a scoring function for `GridSearchCV` or `cross_val_score`; greater is better.

    Parameters
    ----------
    metric
        A name in `METRICS`. Where 0 is best, as of errors, it is returned negative.

    Returns
    -------
    callable
        `(estimator, y_test, X_test=None) -> float`. Forecasts are matched to `y_test` by time, so
        a gap between training and test part is skipped over. The season of scaled errors is that
        of the calendar or the values, 1 where most series have not seen it twice, whatever
        `season_length` the estimator was given: a search over it compares errors in one unit.

    Raises
    ------
    ValueError
        If there is no such metric.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    >>> cv = TimeSeriesSplit(3, test_size=12)
    >>> search = partial(GridSearchCV, cv=cv, scoring=scorer("rmse"))
    """
    metric_named(metric)
    return partial(_score, metric)


def _score(metric: str, estimator: Any, y_test: Any, X_test: Any = None) -> float:
    asked = metric_named(metric)
    table = forecast_ahead(estimator, y_test, X_test, levels=asked.levels, n_paths=asked.n_paths)
    panel = estimator.panel_
    season = infer_season_length(panel)
    season = season if 2 * season <= np.median(panel.lengths) else 1
    scores = evaluate(table, panel, season, metrics=[metric]).iloc[0]
    record = metric_named(str(scores.index[0]))
    # The best value is the greatest: an error of 2 becomes -2, an R² of 0.5 stays 0.5.
    return float((record.best or 0.0) - record.loss(scores.iloc[0]))
