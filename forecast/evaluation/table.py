"""The forecast table: one long frame with a row per model, series, cutoff and step.

Its columns are `unique_id, cutoff, ds, step, model, y, y_hat`, then one per quantile, `q0.1` ...,
and one per path, `path0` ... Fitted models fill it here; `metrics` scores it and `plots` draws it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast._checks import short
from forecast.data.backends import pandas_table
from forecast.data.frames import append, extend_grid, read_frames
from forecast.data.frequency import locate
from forecast.data.keys import owners, row_keys
from forecast.data.panel import Layout, Panel

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_QUANTILE = re.compile(r"q(0?\.\d+)")
_PATH = re.compile(r"path\d+")
_KINDS: dict[str, tuple[type, ...]] = {
    "series": (pd.Series,),
    "list": (list, tuple),
    "wide": (pd.DataFrame,),
    "long": (pd.DataFrame,),
    "multi": (pd.Series, pd.DataFrame),
}
_COLUMNS = ("freq", "id_col", "time_col", "target_col")


def quantile_columns(table: pd.DataFrame) -> dict[float, str]:
    """Return the quantile columns of a table by level, in rising order.

    Examples
    --------
    >>> quantile_columns(pd.DataFrame(columns=["y_hat", "q0.9", "q0.1"]))
    {0.1: 'q0.1', 0.9: 'q0.9'}
    """
    names = (name for name in table.columns if isinstance(name, str))
    matches = [match for name in names if (match := _QUANTILE.fullmatch(name))]
    return dict(sorted((float(match[1]), match[0]) for match in matches))


def pandas_rows(table: Any) -> pd.DataFrame:
    """Return a forecast table of any library as one of pandas.

    Raises
    ------
    TypeError
        If it is no table, but for example the history, which comes second.
    """
    rows = pandas_table(table, ["unique_id", "model"], "ds")
    if not isinstance(rows, pd.DataFrame):
        raise TypeError(
            f"`table` must be a forecast table, as `backtest` returns it, got {short(table)}."
        )
    return rows


def check_columns(table: pd.DataFrame, wanted: list[str]) -> None:
    """Refuse a table without some columns; `backtest` makes them all."""
    absent = [name for name in dict.fromkeys(wanted) if name not in table.columns]
    if absent:
        raise ValueError(
            f"the forecast table must have the columns {list(dict.fromkeys(wanted))}, it lacks "
            f"{absent}."
        )


def path_columns(table: pd.DataFrame) -> list[str]:
    """Return the path columns of a table, in its order.

    Examples
    --------
    >>> path_columns(pd.DataFrame(columns=["y_hat", "q0.9", "path0", "path1"]))
    ['path0', 'path1']
    """
    return [name for name in table.columns if isinstance(name, str) and _PATH.fullmatch(name)]


def central_intervals(levels: Iterable[float]) -> dict[float, tuple[float, float]]:
    """Return the lower and upper level of each central interval by its coverage, widest first.

    Examples
    --------
    >>> central_intervals([0.1, 0.25, 0.5, 0.9])
    {0.8: (0.1, 0.9)}
    """
    mirrored = {round(1 - level, 10): level for level in levels if level > 0.5}
    pairs = {level: mirrored[level] for level in sorted(levels) if level in mirrored}
    return {round(high - low, 10): (low, high) for low, high in pairs.items()}


def forecast_ahead(
    model: Any,
    y: Any,
    X: pd.DataFrame | None = None,
    *,
    levels: Sequence[float] = (),
    n_paths: int = 0,
) -> pd.DataFrame:
    """Let a fitted forecaster forecast up to the end of new values, and set both side by side.

    Parameters
    ----------
    model
        A fitted forecaster; its history is `panel_`.
    y
        What came after the history, the same kind of table; a gap in between is skipped over.
    X
        Known covariates of every step after the history.
    levels
        Levels to ask of `predict_quantiles`.
    n_paths
        Paths to ask of `sample`.

    Returns
    -------
    DataFrame
        Forecast table of one window; `y` is NaN where `y` has no value.
    """
    model = copy.copy(model)
    model.panel_ = replace(model.panel_, layout=replace(model.panel_.layout, backend="pandas"))
    history = replace(model.panel_, X=None, X_names=(), past=None, past_names=())
    options = read_options(model) | {"freq": history.freq}
    new = read_frames(y, allow_unobserved=True, sparse=True, **options)
    panel = append(history, new)
    horizon = int((panel.lengths - history.lengths).max())
    return tabulate(model, panel, history.lengths, horizon, 0, X, tuple(levels), n_paths)


def tabulate(
    model: Any,
    panel: Panel,
    lengths: Places,
    horizon: int,
    gap: int,
    X: pd.DataFrame | None,
    levels: tuple[float, ...],
    n_paths: int = 0,
) -> pd.DataFrame:
    """Ask a fitted model for its forecasts and set them beside the values of the panel.

    Parameters
    ----------
    model
        A fitted model, whose history ends where `lengths` says.
    panel
        All values, those to score included; n series.
    lengths
        How many values of each series the model has seen, (n,).
    horizon, gap
        Steps to score, and steps between the last value seen and the first scored one.
    X
        Known covariates of the gap + horizon steps, or None.
    levels
        Quantile levels to ask for.
    n_paths
        Paths to ask for, drawn otherwise at every origin.

    Returns
    -------
    DataFrame
        n x horizon rows; `y` is NaN where the panel has no value.
    """
    total = gap + horizon
    grid, places = _scored_places(panel, lengths[None], horizon, gap)
    columns = {"y_hat": _align(model.predict(total, **given(X)), panel, grid, places[0])}
    if levels:
        frame = model.predict_quantiles(total, **given(X), levels=levels)
        for level in levels:
            column = _one_column(frame, "q", level, panel.layout)
            columns[f"q{level:g}"] = _align(column, panel, grid, places[0])
    if n_paths:
        seed = int(lengths.max())  # the same draws at all origins would not average out
        frame = model.sample(total, **given(X), n_samples=n_paths, random_state=seed)
        for path in range(n_paths):
            column = _one_column(frame, "path", path, panel.layout)
            columns[f"path{path}"] = _align(column, panel, grid, places[0])
    return scored(type(model).__name__, panel, lengths[None], horizon, gap, columns)


def scored(
    name: str, panel: Panel, origins: Places, horizon: int, gap: int, columns: dict[str, Array]
) -> pd.DataFrame:
    """Return the forecast table of O origins: forecasts beside the values of the panel.

    Parameters
    ----------
    name
        That of the model.
    panel, horizon, gap
        As in `tabulate`.
    origins
        How many values of each series were seen at each origin, (O, n).
    columns
        Forecasts of the scored steps by the name of their column, (O, n, H) each.
    """
    grid, places = _scored_places(panel, origins, horizon, gap)
    row = places - panel.starts[:, None]  # (O, n, H), counted inside each series
    inside = row < panel.lengths[:, None]
    flat = np.where(inside, panel.offsets[:-1, None] + row, 0)
    repeated = np.repeat(np.arange(panel.n_series), horizon)
    cutoffs = np.repeat((panel.starts + origins - 1).ravel(), horizon)
    return pd.DataFrame(
        {
            "unique_id": panel.ids.take(np.tile(repeated, len(origins))),
            "cutoff": panel.grid[cutoffs],
            "ds": grid[places.ravel()],
            "step": np.tile(np.arange(gap + 1, gap + horizon + 1), origins.size),
            "model": name,
            "y": np.where(inside, panel.values[flat].astype(np.float64), np.nan).ravel(),
        }
        | {column: np.ravel(values) for column, values in columns.items()}
    )


def _scored_places(
    panel: Panel, origins: Places, horizon: int, gap: int
) -> tuple[pd.Index, Places]:
    """Return the axis that reaches to the last step, and the place of each on it, (O, n, H)."""
    places = (panel.starts + origins)[..., None] + np.arange(gap, gap + horizon)
    beyond = int(places.max()) + 1 - len(panel.grid)
    return extend_grid(panel.grid, beyond) if beyond > 0 else panel.grid, places


def _align(forecast: Any, panel: Panel, grid: pd.Index, places: Places) -> Array:
    """Return a model's forecasts at the wanted places of the grid, (n, H)."""
    _check_kind(forecast, panel.layout)
    owner, place, values = _flatten(forecast, panel, grid)
    step = place - places[owner, 0]
    wanted = (owner >= 0) & (place >= 0) & (step >= 0) & (step < places.shape[1])
    aligned = np.full(places.shape, np.nan)
    seen = np.zeros(places.shape, dtype=bool)
    aligned[owner[wanted], step[wanted]] = values[wanted]
    seen[owner[wanted], step[wanted]] = True
    if not seen.all():
        i, j = np.argwhere(~seen)[0]
        raise ValueError(
            f"the model must forecast every step of every series: {(~seen).sum()} of {seen.size} "
            f"are missing, the first for series {short(panel.ids[i])} at {grid[places[i, j]]}. "
            "Check the index of what `predict` returns."
        )
    return aligned


def _check_kind(forecast: Any, layout: Layout) -> None:
    if not isinstance(forecast, _KINDS[layout.kind]):
        raise TypeError(
            f"`predict` must return the kind of table that `fit` got ({layout.kind}), "
            f"got {short(forecast)}."
        )


def _flatten(forecast: Any, panel: Panel, grid: pd.Index) -> tuple[Places, Places, Array]:
    """Return the number of the series, the place in the grid and the value of every forecast."""
    layout = panel.layout
    if layout.kind == "list":
        owner = np.repeat(np.arange(len(forecast)), [len(one) for one in forecast])
        place = np.concatenate([locate(grid, one.index) for one in forecast])
        values = np.concatenate([one.to_numpy(np.float64) for one in forecast])
    elif layout.kind in ("long", "multi"):
        ids, times = row_keys(forecast, layout)
        owner, place = owners(ids, panel.ids), locate(grid, times)
        values = _values(forecast, layout)
    else:
        frame = forecast.to_frame(panel.ids[0]) if layout.kind == "series" else forecast
        owner = np.repeat(locate(panel.ids, frame.columns), len(frame))
        place = np.tile(locate(grid, frame.index), frame.shape[1])
        values = frame.to_numpy(np.float64).T.ravel()
    return owner, place, values


def _values(forecast: pd.Series | pd.DataFrame, layout: Layout) -> Array:
    if isinstance(forecast, pd.DataFrame):
        forecast = forecast.drop(columns=layout.keys, errors="ignore")
        if forecast.shape[1] != 1:
            raise ValueError(
                f"the model must return one column of forecasts, got {list(forecast.columns)}."
            )
    return forecast.to_numpy(np.float64).ravel()


def _one_column(frame: Any, prefix: str, entry: float, layout: Layout) -> Any:
    """Return one quantile or path, in the kind of table that point forecasts have."""
    if layout.kind == "list":
        return [one[entry] for one in frame]
    if layout.kind == "wide":
        return frame.xs(entry, axis=1, level=-1)
    if layout.kind == "series":
        return frame[entry]
    name = f"{prefix}{entry}" if f"{prefix}{entry}" in frame.columns else entry
    keys = layout.keys if layout.kind == "long" else []
    return frame[[*keys, name]]


def read_options(model: Any) -> dict[str, Any]:
    """Return how a forecaster reads its frames, as keywords of `read_frames`."""
    return {name: getattr(model, name) for name in _COLUMNS if hasattr(model, name)}


def read_columns(model: Any) -> dict[str, Any]:
    """Return which columns mean what to a forecaster, as keywords of `read_update`."""
    options = read_options(model) | {"past_only": getattr(model, "past_only", None) or ()}
    return {name: value for name, value in options.items() if name != "freq"}


def given(X: Any) -> dict[str, Any]:
    """Return X as a keyword, none without X: a model of another house may not know it."""
    return {} if X is None else {"X": X}
