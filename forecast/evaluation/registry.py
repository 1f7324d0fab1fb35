"""Every metric, listed once: a record says how it is computed, what it is called, what is best.

`evaluate`, `scorer`, `compare`, the command line, the report and the figures read it. A new metric
is a record in `METRICS`, and nothing elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast._checks import one_of
from forecast.evaluation.scoring import energy_score

if TYPE_CHECKING:
    from forecast.evaluation.scoring import Scored
    from forecast.evaluation.table import Array

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_NAME = re.compile(r"(.*?)(0?\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class Column:
    """Describe a column in a table of scores.

    Attributes
    ----------
    short : str
        Its heading.
    format : str
        How its numbers are written, as in `str.format`.
    help : str
        What it says, in a sentence or two.
    """

    short: str
    format: str = "{:.3f}"
    help: str


@dataclass(frozen=True, kw_only=True)
class Metric(Column):
    """Describe a metric: a column that `evaluate` computes.

    Attributes
    ----------
    function : callable
        Takes the scored rows, returns a score per group, (G,). With `interval` it takes the nominal
        coverage too, between 0 and 1.
    label : str
        What an axis is called.
    best : float or None
        The score of a perfect forecast; the nearer, the better. None: the nominal coverage.
    levels : tuple of float
        The quantile levels that a model is asked for if nobody says which; empty if none is needed.
    n_paths : int
        The paths that a model is asked for if nobody says how many; 0 if none is needed.
    history : bool
        Whether it needs the values before the forecast: it reads `rows.scale` or
        `rows.squared_scale`.
    target_units : bool
        Whether it is in the unit of the target.
    interval : bool
        Whether it judges a central interval; then it is a column for each: `coverage0.8` and so on.
        `{level}` in its texts is the nominal coverage.
    """

    function: Callable[..., Array]
    label: str
    best: float | None = 0.0
    levels: tuple[float, ...] = ()
    n_paths: int = 0
    history: bool = False
    target_units: bool = False
    interval: bool = False

    def loss(self, scores: Any) -> Any:
        """Return how far scores are from the best one, of any shape.

        Examples
        --------
        >>> METRICS["r2"].loss(0.75), METRICS["bias"].loss(-2.0)
        (0.25, 2.0)
        """
        return abs(scores - self.best)

    def of_interval(self, level: float) -> Metric:
        """Return the record for the central interval of one nominal coverage.

        Examples
        --------
        >>> METRICS["coverage"].of_interval(0.8).short
        'in 80% band'
        """
        tail = round((1 - level) / 2, 10)
        return replace(
            self,
            function=partial(self.function, level=level),
            **{
                name: getattr(self, name).format(level=level) for name in ("short", "label", "help")
            },
            best=level if self.best is None else self.best,
            levels=(tail, round(1 - tail, 10)),
        )


def metric_named(name: str, argument: str = "metric") -> Metric:
    """Return the record of a metric, or of a column such as `coverage0.8`.

    Raises
    ------
    ValueError
        If there is no such metric.

    Examples
    --------
    >>> metric_named("mase").short, metric_named("coverage0.8").best
    ('MASE', 0.8)
    """
    stem, level = _parts(name) if isinstance(name, str) else (name, None)
    one_of(argument, stem, METRICS)
    return METRICS[stem] if level is None else METRICS[stem].of_interval(level)


def column_named(name: str) -> Column | None:
    """Return the record of a column of scores, or None for a column that is nothing of ours."""
    if name in COLUMNS:
        return COLUMNS[name]
    return metric_named(name) if _parts(name)[0] in METRICS else None


def columns_of(names: Iterable[str], intervals: Iterable[float]) -> list[str]:
    """Return the columns in which metrics are told, for a table with some central intervals.

    Parameters
    ----------
    names
        Metrics; `coverage` stands for that of every interval, `coverage0.8` for one.
    intervals
        The nominal coverages of the table's intervals.

    Raises
    ------
    ValueError
        If a name is no metric, or the table lacks its interval.

    Examples
    --------
    >>> columns_of(["mae", "coverage"], [0.8, 0.5])
    ['mae', 'coverage0.8', 'coverage0.5']
    """
    there = list(intervals)
    columns: list[str] = []
    for name in names:
        levels = metric_named(name, "metrics").levels
        stem, level = _parts(name)
        if not METRICS[stem].interval:
            columns.append(name)
            continue
        if not there if level is None else level not in there:
            raise ValueError(
                f"`{name}` needs quantile columns on both sides, such as "
                f"{' and '.join(f'q{one:g}' for one in (levels[0], levels[-1]))}; "
                f"the central intervals of the table are {there}."
            )
        columns += [f"{stem}{one}" for one in (there if level is None else [level])]
    return columns


def n_paths_of(names: Iterable[str]) -> int:
    """Return how many paths the metrics need.

    Examples
    --------
    >>> n_paths_of(["mae", "energy_score"]), n_paths_of(["mae"])
    (100, 0)
    """
    return max((metric_named(name, "metrics").n_paths for name in names), default=0)


def _parts(name: str) -> tuple[str, float | None]:
    """Split `coverage0.8` into metric and nominal coverage; all other names stay whole."""
    found = _NAME.fullmatch(name)
    if found and found[2] and found[1] in METRICS and METRICS[found[1]].interval:
        return found[1], float(found[2])
    return name, None


# Errors of single rows.


def symmetric_percentage(y: Array, y_hat: Array) -> Array:
    """Return the errors that sMAPE averages, between 0 and 200."""
    size = np.abs(y) + np.abs(y_hat)
    # 0 forecast as 0 is no error; the formula alone says 0 / 0.
    return 200 * np.abs(y - y_hat) / np.where(size == 0, 1.0, size)


def quantile_loss(y: Array, y_hat: Array, level: float) -> Array:
    """Return the errors that the pinball loss averages."""
    return np.maximum(level * (y - y_hat), (level - 1) * (y - y_hat))


def _percentage(y: Array, y_hat: Array) -> Array:
    return np.abs(y - y_hat) / np.maximum(np.abs(y), np.finfo(np.float64).eps)


# Scores of groups of rows.


def _r2(rows: Scored) -> Array:
    error = rows.mean((rows.y - rows.y_hat) ** 2)
    variance = rows.mean((rows.y - rows.mean(rows.y)[rows.groups]) ** 2)
    # scikit-learn's rule where the actual values do not vary: 1 if perfect, else 0.
    constant = np.where(error == 0, 1.0, 0.0)
    score = np.where(variance == 0, constant, 1 - error / np.where(variance == 0, 1.0, variance))
    return np.where(np.bincount(rows.groups) < 2, np.nan, score)


def _pinball(rows: Scored) -> Array:
    losses = [rows.mean(quantile_loss(rows.y, q, level)) for level, q in rows.quantiles.items()]
    return np.asarray(np.mean(losses, axis=0))


def _coverage(rows: Scored, level: float) -> Array:
    lower, upper = rows.interval(level)
    inside = np.where(np.isnan(lower + upper), np.nan, (lower <= rows.y) & (rows.y <= upper))
    return rows.mean(inside)


def _interval_score(rows: Scored, level: float) -> Array:
    lower, upper = rows.interval(level)
    outside = np.maximum(lower - rows.y, 0) + np.maximum(rows.y - upper, 0)
    return rows.mean(upper - lower + 2 / (1 - level) * outside)


METRICS: dict[str, Metric] = {
    "mae": Metric(
        function=lambda rows: rows.mean(np.abs(rows.y - rows.y_hat)),
        short="MAE",
        label="mean absolute error",
        format="{:#.4g}",
        target_units=True,
        help="The mean absolute error, in the unit of the values. A typical forecast is wrong by "
        "this much.",
    ),
    "mse": Metric(
        function=lambda rows: rows.mean((rows.y - rows.y_hat) ** 2),
        short="MSE",
        label="mean squared error",
        format="{:#.4g}",
        help="The mean squared error, in the squared unit of the values.",
    ),
    "rmse": Metric(
        function=lambda rows: np.sqrt(rows.mean((rows.y - rows.y_hat) ** 2)),
        short="RMSE",
        label="root mean squared error",
        format="{:#.4g}",
        target_units=True,
        help="The root of the mean squared error, in the unit of the values. Few large errors "
        "count more than many small ones.",
    ),
    "bias": Metric(
        function=lambda rows: rows.mean(rows.y_hat - rows.y),
        short="bias",
        label="mean signed error",
        format="{:+#.4g}",
        target_units=True,
        help="The mean of forecast minus actual value, in the unit of the values. Above 0 the "
        "forecasts are too high.",
    ),
    "mape": Metric(
        function=lambda rows: rows.mean(_percentage(rows.y, rows.y_hat)),
        short="MAPE",
        label="mean absolute error (fraction)",
        help="The mean absolute error as a fraction of the actual value. Values near zero swamp "
        "it.",
    ),
    "smape": Metric(
        function=lambda rows: rows.mean_of_series(symmetric_percentage(rows.y, rows.y_hat)),
        short="sMAPE",
        label="sMAPE (%)",
        format="{:.2f}%",
        help="The absolute error in percent of the mean of forecast and actual value, between 0 "
        "and 200. It is the same for all units, but means little where values are near zero.",
    ),
    "mase": Metric(
        function=lambda rows: rows.mean_of_series(np.abs(rows.y - rows.y_hat) / rows.scale),
        short="MASE",
        label="MASE (in-sample naive = 1)",
        history=True,
        help="The mean absolute error, divided by that of the seasonal naive forecast inside the "
        "history. Below 1 is better than that; series of any size can be averaged.",
    ),
    "rmsse": Metric(  # M5: Makridakis, Spiliotis and Assimakopoulos 2022, with season_length=1
        function=lambda rows: rows.mean_of_series(
            (rows.y - rows.y_hat) ** 2 / rows.squared_scale, np.sqrt
        ),
        short="RMSSE",
        label="RMSSE (in-sample naive = 1)",
        history=True,
        help="The root mean squared error of each series, divided by that of the seasonal naive "
        "forecast inside its history. Made for series with many zeros: the mean is aimed at.",
    ),
    "r2": Metric(
        function=_r2,
        short="R²",
        label="R² (1 = perfect)",
        best=1.0,
        help="The share of the variance of the actual values that the forecast explains.",
    ),
    "pinball": Metric(
        function=_pinball,
        short="pinball loss",
        label="mean pinball loss",
        format="{:#.4g}",
        levels=DECILES,
        target_units=True,
        help="The quantile loss, averaged over all levels, in the unit of the values.",
    ),
    "wql": Metric(  # as in GluonTS; the mean over the levels of 2 sum(loss) / sum(|y|)
        function=lambda rows: 2 * _pinball(rows) / rows.size,
        short="wQL",
        label="weighted quantile loss",
        levels=DECILES,
        help="Twice the sum of the quantile losses over the sum of |y|, averaged over the levels. "
        "It rewards bands that are narrow and yet hold what they promise; of zeros there is none.",
    ),
    "crps": Metric(
        function=lambda rows: 2 * _pinball(rows),
        short="CRPS",
        label="CRPS, from quantiles",
        format="{:#.4g}",
        levels=DECILES,
        target_units=True,
        help="The continuous ranked probability score, in the unit of the values: approximately, "
        "as twice the mean quantile loss over the levels, which should be evenly spaced.",
    ),
    "energy_score": Metric(
        function=lambda rows: rows.mean_of_windows(energy_score),
        short="energy score",
        label="energy score of paths",
        format="{:#.4g}",
        n_paths=100,
        target_units=True,
        help="How far whole paths lie from what came, less half of how far they lie from each "
        "other, over all steps at once. It rewards paths whose steps belong together.",
    ),
    "coverage": Metric(
        function=_coverage,
        short="in {level:.0%} band",
        label="share of values in the {level:.0%} band",
        format="{:.0%}",
        best=None,
        levels=DECILES,
        interval=True,
        help="The share of actual values that fell inside the {level:.0%} band. Much less is "
        "overconfident, much more is vague.",
    ),
    "interval_score": Metric(  # Gneiting and Raftery 2007, equation 43
        function=_interval_score,
        short="score of {level:.0%} band",
        label="interval score of the {level:.0%} band",
        format="{:#.4g}",
        levels=DECILES,
        target_units=True,
        interval=True,
        help="The width of the {level:.0%} band, plus a fine for each value outside: its distance, "
        "times 2 over the share that may lie outside. In the unit of the values.",
    ),
}

COLUMNS: dict[str, Column] = {
    "skill": Column(
        short="skill",
        format="{:+.1%}",
        help="How much smaller the error is than that of the best naive forecast. 100% is perfect, "
        "0% is worth nothing, and a negative skill does harm.",
    ),
    "won": Column(
        short="series won",
        format="{:.0f}",
        help="The number of series that the model forecast best. A model may be best on average "
        "and yet seldom be the best.",
    ),
    "seconds": Column(
        short="seconds",
        format="{:.1f}",
        help="The time to fit and to forecast from all origins. It depends on the computer.",
    ),
}
