"""Hold the contest: fit every model, forecast from rolling origins, score, rank."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from sklearn.base import clone

from forecast._checks import ForecastWarning, positive_integer, short, told_once, unsaid
from forecast.contest.comparison import Comparison
from forecast.data.backends import pandas_table
from forecast.data.calendar import infer_season_length
from forecast.data.frames import read_frames
from forecast.data.panel import Panel
from forecast.evaluation.backtest import backtest, rolling_origins
from forecast.evaluation.metrics import evaluate
from forecast.evaluation.registry import columns_of, metric_named, n_paths_of
from forecast.evaluation.table import central_intervals
from forecast.forecasters.progress import watched
from forecast.forecasters.registry import NAIVE, default_models

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
SCORES = ("mase", "smape", "mae", "wql", "coverage0.8")  # the first ranks
UNSCALED = "mae"  # ranks where no history has an error scale


def default_horizon(panel: Panel, season_length: int, n_windows: int) -> int:
    """Return a season, at least 8 steps, unless the shortest series is too short for it.

    It must hold all origins and as much again to learn from.
    """
    longest = int(panel.lengths.min()) // (2 * n_windows)
    return max(min(max(season_length, 8), longest), 1)


def compare(
    y: Any,
    horizon: int | None = None,
    *,
    X: Any = None,
    models: Mapping[str, Any] | None = None,
    n_windows: int = 4,
    step: int | None = None,
    gap: int = 0,
    refit: bool | int = False,
    metrics: Sequence[str] = SCORES,
    season_length: int | None = None,
    freq: Any = None,
    id_col: str | Sequence[str] = "unique_id",
    time_col: str = "ds",
    target_col: str = "y",
    random_state: int | None = 0,
    verbose: int = 0,
) -> Comparison:
    """Hold the contest: fit every model, forecast from rolling origins, score, rank.

    Naive forecasts always take part: a model that cannot beat them is not worth its cost. A model
    that fails is left out of the table, with a warning that says why.

    Parameters
    ----------
    y
        A Series, list of Series, wide or long frame, or one with an (id, time) MultiIndex.
    horizon : int, optional
        Steps to score after each origin. Default: one season, at least 8, capped by the data.
    X : DataFrame, optional
        Known covariates, aligned with `y`.
    models : mapping of str to forecaster, optional
        The contestants, to which the naive forecasts are added. Default: those of `default_models`.
    n_windows, step, gap, refit
        As in `backtest`: origins, steps between them, steps left out, and whether to fit again.
    metrics : sequence of str
        The scores of the table, names as in `evaluate`; the first ranks the models. Where it is
        unknown for all of them, as MASE is after a constant history, MAE ranks in its place.
    season_length, freq
        Where the index does not tell them.
    id_col, time_col, target_col : str
        The columns of a long frame.
    random_state : int, optional
        Seed of the default networks.
    verbose : int
        1 shows a progress bar.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError, ValueError
        If the data or an argument is wrong, or every model fails.

    Examples
    --------
    >>> import pandas as pd
    >>> ramp = pd.Series(range(60), name="ramp")
    >>> comparison = compare(ramp, horizon=4, models={})
    >>> comparison.winner
    'drift'
    """
    columns = {"freq": freq, "id_col": id_col, "time_col": time_col, "target_col": target_col}
    panel = replace(read_frames(y, X, **columns), X=None, X_names=())
    y, X = pandas_table(y, id_col, time_col), pandas_table(X, id_col, time_col)
    season = season_length or infer_season_length(panel)
    n_windows = positive_integer("n_windows", n_windows)
    steps = default_horizon(panel, season, n_windows) if horizon is None else horizon
    steps = positive_integer("horizon", steps)
    columns_of(_some(metrics), central_intervals(LEVELS))  # refuses what cannot be scored
    origins: dict[str, Any] = {"n_windows": n_windows, "step": step, "gap": gap}
    next(rolling_origins(y, steps, **origins, **columns))  # refuses what no model could do
    chosen = _contestants(models, season, random_state)
    asked = columns | {"horizon": steps, "season_length": season_length}
    contestants = {name: _prepared(model, asked) for name, model in chosen.items()}
    options = origins | {"X": X, "refit": refit}
    with told_once():
        forecasts, seconds, failures = _held(
            contestants, lambda one: _run(one, y, steps, n_paths_of(metrics), **options), verbose
        )
    scores = _ranked(_scores(forecasts, panel, season, metrics), seconds)
    return Comparison(
        scores,
        forecasts,
        str(scores.columns[0]),
        panel,
        season,
        unit=getattr(y, "attrs", {}).get("unit"),
        models=contestants,
        failures=failures,
        settings={"horizon": steps, **origins, "refit": refit, "random_state": random_state},
    )


def _contestants(
    models: Mapping[str, Any] | None, season: int, random_state: int | None
) -> dict[str, Any]:
    defaults = default_models(season, random_state)
    if models is None:
        return defaults
    naive = {name: model for name, model in defaults.items() if name in NAIVE}
    if not isinstance(models, Mapping):
        raise TypeError(
            f"`models` must map names to forecasters, got {short(models)}. Write "
            'models={"my LSTM": LSTMForecaster()}.'
        )
    if classes := [name for name, model in models.items() if isinstance(model, type)]:
        raise TypeError(
            f"`models` must hold forecasters, got the class {models[classes[0]].__name__} as "
            f"{classes[0]!r}. Call it: {models[classes[0]].__name__}()."
        )
    if taken := sorted(set(models) & set(NAIVE)):
        raise ValueError(f"`models` must not use the names of the naive forecasts, got {taken}.")
    return naive | dict(models)


def _prepared(model: Any, asked: dict[str, Any]) -> Any:
    """Return a model that knows horizon, season and columns, where it does not say otherwise."""
    if not hasattr(model, "get_params"):
        return model
    known = model.get_params()
    usual = {"id_col": "unique_id", "time_col": "ds", "target_col": "y"}
    new = {
        name: value
        for name, value in asked.items()
        if name in known and known[name] in (None, usual.get(name)) and value != known[name]
    }
    return clone(model).set_params(**new)


def _held(
    contestants: dict[str, Any], run: Callable[[Any], pd.DataFrame], verbose: int
) -> tuple[pd.DataFrame, dict[str, float], dict[str, str]]:
    """Return the forecasts of all, how long each took, and why some failed."""
    tables, seconds, failures = [], {}, {}
    for name, model in watched(contestants, verbose):
        began = time.perf_counter()
        try:
            tables.append(run(model).assign(model=name))
            seconds[name] = time.perf_counter() - began
        except Exception as error:  # one contestant must not cost the others their run
            failures[name] = f"{type(error).__name__}: {error}"
    _report_failures(failures, contestants)
    return pd.concat(tables, ignore_index=True), seconds, failures


def _run(model: Any, y: Any, steps: int, n_paths: int, **options: Any) -> pd.DataFrame:
    options["quantiles"] = LEVELS if hasattr(model, "predict_quantiles") else ()
    options["n_paths"] = n_paths if hasattr(model, "sample") else 0
    with unsaid():  # the verdict says it
        table = backtest(model, y, steps, **options)
    silent = table["y_hat"].isna() & table["y"].notna()
    if silent.any():
        raise ValueError(f"the forecast for {table['ds'][silent].iloc[0]} is missing.")
    return table


def _report_failures(failures: dict[str, str], contestants: dict[str, Any]) -> None:
    if len(failures) == len(contestants):
        name, why = next(iter(failures.items()))
        raise ValueError(f"no model could forecast these data; {name}: {why}")
    naive = [name for name in NAIVE if name in contestants]
    if all(name in failures for name in naive):
        raise ValueError(f"no naive forecast could be made: {failures[naive[0]]}")
    for name, why in failures.items():
        warnings.warn(f"{name} is left out of the contest: {why}", ForecastWarning, stacklevel=4)


def _some(metrics: Sequence[str]) -> Sequence[str]:
    if isinstance(metrics, str) or not len(metrics):
        raise ValueError(
            f"`metrics` must hold at least one name, got {short(metrics)}. The first ranks: "
            "write metrics=['mase', 'coverage0.8']."
        )
    return metrics


def _ranked(scores: pd.DataFrame, seconds: dict[str, float]) -> pd.DataFrame:
    """Return the scores with skill and seconds, the best model first."""
    metric = scores.columns[0]
    losses = metric_named(metric).loss(scores[metric])
    best = losses[[name for name in NAIVE if name in losses]].min()
    scores.insert(1, "skill", 1 - losses / best if best else float("nan"))
    scores["seconds"] = pd.Series(seconds)
    return scores.loc[losses.sort_values(kind="stable").index]


def _scores(
    forecasts: pd.DataFrame, panel: Panel, season: int, metrics: Sequence[str]
) -> pd.DataFrame:
    """Return the scores; the metric that ranks comes first."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        scores = evaluate(forecasts, panel, season, metrics=metrics)
        if scores.iloc[:, 0].isna().all():
            rest = [name for name in metrics[1:] if name != UNSCALED]
            scores = evaluate(forecasts, panel, season, metrics=[UNSCALED, *rest])
            told.clear()
    for one in told:
        warnings.warn(one.message, stacklevel=4)
    return scores
