"""The contest: the default list of models on one data set, one table, one verdict."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.base import clone

from forecast._checks import ForecastWarning, positive_integer
from forecast.data.calendar import infer_season_length
from forecast.data.frames import read_frames
from forecast.data.panel import Panel
from forecast.evaluation.backtest import backtest
from forecast.evaluation.metrics import evaluate

if TYPE_CHECKING:
    import numpy as np

NAIVE = ("naive", "seasonal naive", "drift")
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
MARGIN = 0.01  # a skill below one percent is a tie


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What came out of a contest; its representation is the table and the verdict.

    Attributes
    ----------
    table : DataFrame
        One row per model, best first: `mase`, `skill` (against the best naive forecast, 1 is
        perfect and 0 no better), `smape` (percent), `mae` (the target's unit), `mql`,
        `coverage0.8`, and `seconds` for fitting and forecasting.
    forecasts : DataFrame
        The forecast table of all models: `unique_id, cutoff, ds, step, model, y, y_hat, q0.1` ...
    metric : str
        What ranks the models: MASE, or MAE where a constant history has no MASE.
    """

    table: pd.DataFrame
    forecasts: pd.DataFrame
    metric: str
    panel: Panel
    season_length: int
    unit: str | None = None

    @property
    def winner(self) -> str:
        """The model with the smallest error."""
        return str(self.table.index[0])

    @property
    def best_naive(self) -> str:
        """The best of the naive, seasonal naive and drift forecasts."""
        return str(next(model for model in self.table.index if model in NAIVE))

    @property
    def verdict(self) -> str:
        """One sentence: who wins, by how much, and whether anybody beats naive at all."""
        horizon = self.forecasts["step"].max() - self.forecasts["step"].min() + 1
        origins = self.forecasts["cutoff"].nunique()
        errors, naive = self.table[self.metric], self.best_naive
        where = f"{horizon} steps ahead, {origins} origin{'s' if origins > 1 else ''}"
        name = self.metric.upper()
        if self.winner in NAIVE or self.table["skill"].iloc[0] < MARGIN:
            return (
                f"Nobody beats the {naive} forecast by more than {MARGIN:.0%} here "
                f"({name} {errors[naive]:.3g}; {where})."
            )
        return (
            f"{self.winner} wins with a {name} of {errors.iloc[0]:.3g}, "
            f"{self.table['skill'].iloc[0]:.0%} below the best naive forecast "
            f"({naive}, {errors[naive]:.3g}; {where})."
        )

    def plot(self, *, best: int = 3, series: Any = None) -> np.ndarray:
        """Draw the best forecasts of the last origin and the error of every model.

        Parameters
        ----------
        best : int
            Models whose forecasts are drawn.
        series
            The id of the series to draw; by default the first.

        Returns
        -------
        array of two Axes
        """
        from forecast.evaluation.plots import plot_comparison

        naive = [name for name in NAIVE if name in self.table.index]
        return plot_comparison(
            self.forecasts,
            self.table,
            self.panel,
            metric=self.metric,
            naive=naive,
            best=best,
            series=series,
            unit=self.unit,
        )

    def __repr__(self) -> str:
        return f"{self.table.to_string(float_format='{:.3f}'.format)}\n\n{self.verdict}"

    def _repr_html_(self) -> str:
        return f"{self.table.to_html(float_format='{:.3f}'.format)}<p>{self.verdict}</p>"


def default_models(season_length: int, random_state: int | None = None) -> dict[str, Any]:
    """Return the contestants by the name they have in the table.

    Parameters
    ----------
    season_length : int
        Without a season there is no seasonal naive forecast.
    random_state : int, optional
        Seed of the networks.
    """
    from forecast.forecasters.baselines import NaiveForecaster
    from forecast.forecasters.ets import ETSForecaster
    from forecast.forecasters.markov import MarkovForecaster
    from forecast.forecasters.neural import LSTMForecaster, MLPForecaster, RNNForecaster

    models = {
        "naive": NaiveForecaster(strategy="last"),
        "seasonal naive": NaiveForecaster(strategy="seasonal"),
        "drift": NaiveForecaster(strategy="drift"),
        "ETS": ETSForecaster(),
        "Markov": MarkovForecaster(),
        "MLP": MLPForecaster(random_state=random_state),
        "RNN": RNNForecaster(random_state=random_state),
        "LSTM": LSTMForecaster(random_state=random_state),
        "deep LSTM": LSTMForecaster(num_layers=2, residual=True, random_state=random_state),
    }
    if season_length == 1:
        del models["seasonal naive"]
    return models


def compare(
    y: Any,
    horizon: int | None = None,
    *,
    X: pd.DataFrame | None = None,
    models: Mapping[str, Any] | None = None,
    n_windows: int = 4,
    step: int | None = None,
    gap: int = 0,
    refit: bool | int = False,
    season_length: int | None = None,
    freq: Any = None,
    random_state: int | None = 0,
    verbose: int = 0,
) -> Comparison:
    """Hold the contest: fit every model, forecast from rolling origins, score, rank.

    Naive forecasts always take part: whoever cannot beat them is not worth its cost.

    Parameters
    ----------
    y
        A Series, list of Series, wide or long frame, or one with an (id, time) MultiIndex.
    horizon : int, optional
        Steps to score after each origin. Default: one season, at least 8, capped by the data.
    X : DataFrame, optional
        Known covariates, aligned with `y`.
    models : mapping of str to forecaster, optional
        The contestants beside the naive forecasts. Default: ETS, Markov, MLP, RNN, LSTM and a
        deep LSTM.
    n_windows, step, gap, refit
        As in `backtest`: origins, steps between them, steps left out, and whether to fit again.
    season_length, freq
        Where the index does not tell them.
    random_state : int, optional
        Seed of the default networks.
    verbose : int
        1 shows a progress bar.

    Returns
    -------
    Comparison

    Examples
    --------
    >>> import pandas as pd
    >>> ramp = pd.Series(range(60), name="ramp")
    >>> comparison = compare(ramp, horizon=4, models={})
    >>> comparison.winner
    'drift'
    """
    panel = read_frames(y, freq=freq)
    season = season_length or infer_season_length(panel)
    # the shortest series must hold all origins and as much again to learn from
    longest = max(int(panel.lengths.min()) // (2 * n_windows), 1)
    default = min(max(season, 8), longest)
    steps = positive_integer("horizon", default if horizon is None else horizon)
    defaults = default_models(season, random_state)
    naive = {name: model for name, model in defaults.items() if name in NAIVE}
    if models is not None and (taken := sorted(set(models) & set(naive))):
        raise ValueError(f"`models` must not use the names of the naive forecasts, got {taken}.")
    contestants = defaults if models is None else naive | dict(models)
    tables, seconds = [], {}
    for name, model in _watched(contestants, verbose):
        began = time.perf_counter()
        known = model.get_params() if hasattr(model, "get_params") else {}
        asked = {"horizon": steps, "season_length": season_length, "freq": freq}
        missing = {k: v for k, v in asked.items() if k in known and known[k] is None}
        if missing:
            model = clone(model).set_params(**missing)
        with warnings.catch_warnings():  # the verdict says what these warnings would
            warnings.simplefilter("ignore", ForecastWarning)
            levels = LEVELS if hasattr(model, "predict_quantiles") else ()
            table = backtest(
                model, y, steps, X=X, n_windows=n_windows, step=step, gap=gap, refit=refit,
                quantiles=levels,
            )  # fmt: skip
        tables.append(table.assign(model=name))
        seconds[name] = time.perf_counter() - began
    forecasts = pd.concat(tables, ignore_index=True)
    scores, metric = _scores(forecasts, panel, season)
    best = scores.loc[list(naive), metric].min()
    scores.insert(1, "skill", 1 - scores[metric] / best if best else float("nan"))
    scores["seconds"] = pd.Series(seconds)
    unit = getattr(y, "attrs", {}).get("unit")
    return Comparison(
        scores.sort_values(metric, kind="stable"), forecasts, metric, panel, season, unit
    )


def _scores(forecasts: pd.DataFrame, panel: Panel, season: int) -> tuple[pd.DataFrame, str]:
    """Return the scores and the metric that ranks them, which comes first."""
    names = ["mase", "smape", "mae", "mql", "coverage"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ForecastWarning)
        scores = evaluate(forecasts, panel, season, metrics=names)
    if scores["mase"].isna().all():
        return scores.drop(columns="mase")[["mae", "smape", "mql", "coverage0.8"]], "mae"
    return scores[["mase", "smape", "mae", "mql", "coverage0.8"]], "mase"


def _watched(contestants: dict[str, Any], verbose: int) -> Any:
    """Yield the contestants, with a progress bar if asked for one."""
    if not verbose:
        yield from contestants.items()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn()) as bar:
        task = bar.add_task("", total=len(contestants))
        for name, model in contestants.items():
            bar.update(task, description=name)
            yield name, model
            bar.advance(task)
        bar.update(task, description="done")
