"""What the commands share: reading data, making a model, setting forecasts side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer

from forecast._checks import short
from forecast.cli.options import Choice, Reading, columns, frequency, settings
from forecast.cli.screen import note, working
from forecast.cli.sequences import of_sequences
from forecast.data.calendar import infer_season_length
from forecast.data.datasets import catalogue, load_dataset
from forecast.data.files import read_covariates, read_file
from forecast.data.frames import Panel, read_frames, restore
from forecast.data.keys import id_columns, owners, row_keys
from forecast.data.restoring import complete
from forecast.evaluation.backtest import backtest
from forecast.evaluation.registry import METRICS, Metric, column_named
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.loading import load
from forecast.forecasters.registry import SPELLINGS
from forecast.forecasters.symbols.base import BaseSymbolForecaster
from forecast.partitions.partitioned import Partitioned

Target = pd.Series | pd.DataFrame


def read(data: str, how: Reading, *, symbols: bool = False) -> tuple[Target, pd.DataFrame | None]:
    """Read a file, or else a data set by its name, and the covariates.

    Without `symbols` words become series of numbers.
    """
    source = Path("/dev/stdin" if data == "-" else data)
    if source.suffix or (source.exists() and not source.is_dir()):
        y = read_file(source, id_col=columns(how.id_col), target_col=how.target_col, **how.form)
    elif data in (known := catalogue().index):
        y = load_dataset(data)
        if "unique_id" in y:
            y = y.set_index(["unique_id", "ds"])["y"]
    else:
        raise typer.BadParameter(
            f"there is no file {data!r}, and no data set of that name; known are "
            f"{', '.join(known)}.",
            param_hint="DATA",
        )
    words = isinstance(y, pd.Series) and isinstance(y.dtype, pd.CategoricalDtype)
    if words and how.target_col is not None and not symbols:
        raise ValueError(
            f"{how.target_col!r} must hold numbers, got {short(y.dropna().iloc[0])}. "
            "--model symbols forecasts words."
        )
    if words and y.index.nlevels == 1 and not symbols:
        note(
            f"{data} holds words: each is a series, 1 where it occurs and 0 elsewhere; "
            "forecasts are medians of these. --model symbols forecasts the words."
        )
        y = pd.get_dummies(y, dtype=float).rename(columns=str)
    return y, None if how.X is None else read_covariates(how.X, y, **how.form)


def of_symbols(model: Any) -> bool:
    """Tell whether a model forecasts symbols."""
    return isinstance(model, BaseSymbolForecaster)


def make(choice: Choice, how: Reading, **usual: Any) -> BaseForecaster:
    """Return the chosen model; `usual` counts where it has such a parameter."""
    model = SPELLINGS[choice.model].build()
    known, own = model.get_params(), settings(choice.set)
    unknown = [parameter for parameter in own if parameter not in known]
    if unknown:
        raise typer.BadParameter(
            f"{choice.model} has no parameter {unknown[0]!r}; it has {', '.join(known)}.",
            param_hint="--set",
        )
    usual = {"season_length": how.season_length, "freq": frequency(how.freq), "verbose": 1} | usual
    given = {key: value for key, value in usual.items() if key in known and value is not None}
    return model.set_params(**given | own)


def fitted(model: BaseForecaster, y: Target, X: pd.DataFrame | None) -> BaseForecaster:
    """Fit a model; show that something happens where it does not show its own progress."""
    if "verbose" in model.get_params():
        return model.fit(y, X).set_params(verbose=0)
    with working(f"fitting {type(model).__name__}"):
        return model.fit(y, X)


def made_for_parts(
    model_file: Path | None, choice: Choice, how: Reading, random_state: int
) -> BaseForecaster:
    """Return the model of a file, or else the chosen one, not fitted."""
    if model_file is not None:
        return saved_forecaster(model_file)
    named = {"id_col": columns(how.id_col), "time_col": how.time_col, "target_col": how.target_col}
    return make(choice, how, random_state=random_state, verbose=0, **named)


def saved_forecaster(path: Path) -> BaseForecaster:
    """Return the forecaster of a file.

    Raises
    ------
    ValueError
        If it holds an estimator of sequences.
    """
    model = load(path)
    if of_sequences(model):
        raise ValueError(
            f"{str(path)!r} holds a {type(model).__name__}, which continues no series. Give "
            "`forecast predict` one file of units, not a folder."
        )
    return model


def forecast_folder(
    model: BaseForecaster,
    data: Path,
    horizon: int | None,
    levels: list[float],
    output: Path | None,
    jobs: int,
) -> None:
    """Forecast a folder of parquet files, part by part, into another folder."""
    if output is None:
        raise typer.BadParameter("say into which folder the forecasts go.", param_hint="--output")
    parts = Partitioned(model, n_jobs=jobs, verbose=1)
    parts.predict(data, horizon, levels=levels, output=output)
    note(f"the forecasts are in {output}.")


def updated(
    model: BaseForecaster, data: str | None, how: Reading
) -> tuple[BaseForecaster, pd.DataFrame | None]:
    """Let a model absorb what is newer than its history; a file may hold all of it."""
    model.panel_ = panel = as_of_a_file(model.panel_)
    if data is None:
        like = restore(panel, np.zeros((panel.n_series, 1)))  # it has the names of the history
        X = None if how.X is None else read_covariates(how.X, like, **how.form)
        return model, _with_ids(X, panel)
    y, X = read(data, how, symbols=of_symbols(model))
    y, X = _with_ids(y, panel), _with_ids(X, panel)
    if isinstance(y, pd.DataFrame):
        y = y.rename(columns=_ids(panel))
    ends = panel.grid[panel.ends - 1]
    if y.index.nlevels > 1:
        named, times = row_keys(y, panel.layout)
        owner = owners(named, panel.ids)
        known = (owner >= 0) & np.asarray(times <= ends[owner])
    else:
        known = np.asarray(y.index <= ends.max())
    if known.any():
        note(f"{known.sum()} of {len(y)} rows are part of the model's history.")
        if not of_symbols(model):
            _tell_corrections(y.loc[known], panel)
    return (model if known.all() else model.update(y.loc[~known], X)), X


def _tell_corrections(y: Target, panel: Panel) -> None:
    """Say how many values of a file are not those that the model was fitted to."""
    before, now = (pd.DataFrame(table) for table in (complete(panel), y))
    if before.index.nlevels != now.index.nlevels:  # series that are named on one side alone
        return
    if before.shape[1] == now.shape[1] == 1:
        now.columns = before.columns
    shared = now.columns.intersection(before.columns)
    now = now[shared]
    same = np.isclose(now, before[shared].reindex(now.index), rtol=1e-6)
    if count := int((now.notna() & ~same).to_numpy().sum()):
        note(f"{count} of their values are others than there, and not used: fit again to use them.")


def as_of_a_file(panel: Panel) -> Panel:
    """Return a history as if `read_file` had read it: a pandas table with its times as the index.

    Raises
    ------
    ValueError
        If it is a list of Series, which no file is.
    """
    layout = panel.layout
    if layout.kind == "list":
        raise ValueError("the model was fitted to a list of Series: fit it to a file or a frame.")
    grid = panel.grid if layout.indexed else panel.grid.rename(layout.time_col)
    kind = "multi" if layout.kind == "long" else layout.kind
    layout = replace(layout, kind=kind, backend="pandas", time_level=len(layout.id_cols))
    return replace(panel, grid=grid, layout=layout)


def _ids(panel: Panel) -> dict[str, Any]:
    """Return the ids of a history by the text that stands for them in a file."""
    return {str(one): one for one in panel.ids}


def _with_ids(table: Any, panel: Panel) -> Any:
    """Return rows that name their series by text with the ids of a history."""
    if table is None or table.index.nlevels < 2:
        return table
    for level, values in enumerate(id_columns(panel.ids, panel.layout)):
        table = table.rename(index={str(value): value for value in values}, level=level)
    return table


def backtested(
    model: BaseForecaster,
    y: Target,
    X: pd.DataFrame | None,
    horizon: int | None,
    origins: dict[str, Any],
    **wanted: Any,
) -> tuple[pd.DataFrame, Panel, int]:
    """Return the forecast table of a model, the data, and the steps of a season."""
    from forecast.contest.compare import default_horizon

    panel = read_frames(y, freq=model.freq)
    season = model.season_length or infer_season_length(panel)
    steps = default_horizon(panel, season, origins["n_windows"]) if horizon is None else horizon
    with working(f"forecasting from {origins['n_windows']} origins"):
        model = model.set_params(horizon=steps)
        table = backtest(model, y, steps, X=X, **origins, **wanted)
    return table, panel, season


def scores_by_origin(
    table: pd.DataFrame, panel: Panel, season: int, metrics: list[str]
) -> pd.DataFrame:
    """Return the scores at each origin and in all: those asked for, or else the usual ones."""
    from forecast.evaluation.metrics import evaluate

    parts = [(str(cutoff), part) for cutoff, part in table.groupby("cutoff")]
    scores = [
        evaluate(part.assign(origin=name), panel, season, by="origin", metrics=metrics or None)
        for name, part in [*parts, ("all", table)]
    ]
    return pd.concat(scores)


def formats(scores: pd.DataFrame) -> dict[str, str]:
    """Return how the numbers of each column of a table of scores are written."""
    columns = {name: column_named(name) for name in scores.columns}
    return {name: column.format for name, column in columns.items() if column}


def listed_metrics() -> pd.DataFrame:
    """Return every metric: its name, the best score, what it needs and what it says."""
    rows = {
        name: {
            "best": "nominal" if one.best is None else f"{one.best:g}",
            "needs": _needs(one),
            "what": one.help.replace("{level:.0%}", "central"),
        }
        for name, one in METRICS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def _needs(metric: Metric) -> str:
    if metric.history:
        return "history"
    return "quantiles" if metric.levels else "paths" if metric.n_paths else ""


def tabulate(
    model: BaseForecaster,
    horizon: int | None,
    X: pd.DataFrame | None,
    *,
    quantiles: list[float],
    coverage: float | None,
    paths: int,
    random_state: int,
) -> pd.DataFrame:
    """Return all forecasts of the next steps: time (and id), the median, and what was asked for."""
    kind = model.panel_.layout.kind
    parts = [_named(model.predict(horizon, X), kind)]
    if of_symbols(model):
        _no_quantiles(quantiles, coverage)
        parts.append(_probabilities(model, horizon, random_state))
    if quantiles:
        parts.append(_named(model.predict_quantiles(horizon, X, levels=quantiles), kind, "q"))
    if coverage is not None:
        parts.append(_named(model.predict_interval(horizon, X, coverage=coverage), kind))
    if paths:
        sampled = model.sample(horizon, X, n_samples=paths, random_state=random_state)
        parts.append(_named(sampled, kind, "path"))
    table = pd.concat(parts, axis=1)
    if kind == "wide":  # what belongs to a series side by side
        pairs: list[Any] = list(table.columns)
        order = {str(one): place for place, one in enumerate(model.panel_.ids)}
        pairs.sort(key=lambda pair: order[pair[0]])
        table = table[pairs].set_axis([" ".join(filter(None, pair)) for pair in pairs], axis=1)
    usual = [*["unique_id"] * (table.index.nlevels - 1), "ds"]
    names = [str(name or other) for name, other in zip(table.index.names, usual, strict=True)]
    return table.rename_axis(index=names).reset_index()


def _probabilities(model: Any, horizon: int | None, random_state: int) -> pd.DataFrame:
    """Return the probability of each symbol, in columns named p_ and the symbol."""
    steps = model.horizon_ if horizon is None else horizon
    chances = model.predict_proba(steps, random_state=random_state)
    kind = model.panel_.layout.kind
    level = {"level": -1} if kind == "wide" else {}
    return _named(chances.rename(columns=lambda symbol: f"p_{symbol}", **level), kind)


def _no_quantiles(quantiles: list[float], coverage: float | None) -> None:
    if quantiles or coverage is not None:
        raise typer.BadParameter(
            "symbols have no quantiles; how probable each one is stands in the table in any case.",
            param_hint="--coverage" if coverage is not None else "--quantiles",
        )


def _named(forecast: Any, kind: str, prefix: str = "") -> pd.DataFrame:
    """Return forecasts indexed by time, or by id and time, with words for column names."""
    if isinstance(forecast, pd.Series):
        forecast = forecast.to_frame("y" if forecast.name is None else forecast.name)
    if kind == "wide":
        pairs = [one if isinstance(one, tuple) else (one, "") for one in forecast.columns]
        return forecast.set_axis([(str(one), _word(label, prefix)) for one, label in pairs], axis=1)
    return forecast.set_axis([_word(label, prefix) for label in forecast.columns], axis=1)


def _word(label: Any, prefix: str) -> str:
    return str(label) if isinstance(label, str) else f"{prefix}{label}"
