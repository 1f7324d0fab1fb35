"""Known covariates: the row of X for every (series, time) that is asked for, or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data.frequency import as_times, locate, same_clock
from forecast.data.panel import Layout
from forecast.data.reading import numbers


def column_names(X: Any, layout: Layout) -> tuple[str, ...]:
    """Return the names of the covariates in X, without the columns that are keys.

    Raises
    ------
    TypeError
        If X is no DataFrame.
    ValueError
        If a key column is missing, or a name occurs twice.
    """
    if not isinstance(X, pd.DataFrame):
        remedy = " Use X.to_frame()." if isinstance(X, pd.Series) else ""
        raise TypeError(f"`X` must be a pandas DataFrame, got {short(X)}.{remedy}")
    keys = [layout.id_col, layout.time_col] if layout.kind == "long" else []
    for key in keys:
        if key not in X.columns:
            raise ValueError(
                f"`X` must have the key column {key!r} like `y`, got {short(list(X.columns))}."
            )
    if layout.kind == "multi" and X.index.nlevels != 2:
        raise ValueError("`X` must have a (series, time) MultiIndex like `y`, got one level.")
    names = X.columns.drop(keys)
    if names.has_duplicates:
        name = names[names.duplicated()][0]
        raise ValueError(f"`X` must name each column once, got {name!r} twice.")
    if not len(names):
        raise ValueError("`X` must have at least one covariate column, got none.")
    return tuple(str(name) for name in names)


def align(
    X: pd.DataFrame,
    layout: Layout,
    names: tuple[str, ...],
    ids: pd.Index,
    grid: pd.Index,
    series: np.ndarray,
    positions: np.ndarray,
) -> np.ndarray:
    """Return the covariates at given places, matched by index or by keys, never by row order.

    Parameters
    ----------
    X, layout, names
        The covariates, the layout of the target they belong to, and the names in wanted order.
    ids, grid
        What the places count in.
    series, positions
        The places: number of the series and position in the grid, (rows,) each.

    Returns
    -------
    numpy.ndarray
        float64 of shape (rows, K).

    Raises
    ------
    ValueError
        If a place has no row, two rows, or a value that is missing or infinite.
    """
    keyed = layout.kind in ("long", "multi")
    times, owners = _keys(X, layout, ids)
    same_clock(grid, times, "`X`")
    place = locate(grid, times)
    code = owners * len(grid) + place if keyed else place
    code[(place < 0) | (owners < 0)] = -1
    wanted = series * len(grid) + positions if keyed else positions
    row = _lookup(code, wanted, ids if keyed else None, grid)
    absent = np.flatnonzero(row < 0)
    if len(absent):
        first = absent[0]
        of = f" of series {ids[series[first]]!r}" if keyed else ""
        raise ValueError(
            f"`X` must have a row for every time of `y` and of the forecast: {len(absent)} "
            f"missing, the first at {grid[positions[first]]}{of}."
        )
    keys = {str(column): column for column in X.columns}
    columns = X[[keys[name] for name in names]]
    values = numbers(columns, "covariate {0!r}").astype(np.float64)[row]
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        first, k = bad[0]
        raise ValueError(
            f"covariate {names[k]!r} must be a finite number, got {values[first, k]} at "
            f"{grid[positions[first]]}. Fill it, for example with X.ffill()."
        )
    return values


def _keys(X: pd.DataFrame, layout: Layout, ids: pd.Index) -> tuple[pd.Index, np.ndarray]:
    """Return the time of each row of X and the number of its series, -1 if it is not known."""
    if layout.kind == "long":
        times = as_times(pd.Index(X[layout.time_col]), f"column {layout.time_col!r} of `X`")
        return times, locate(ids, pd.Index(X[layout.id_col]))
    if layout.kind == "multi":
        times = as_times(X.index.get_level_values(1), "the second level of the index of `X`")
        return times, locate(ids, X.index.get_level_values(0))
    return as_times(X.index, "the index of `X`"), np.zeros(len(X), dtype=np.int64)


def _lookup(
    code: np.ndarray, wanted: np.ndarray, ids: pd.Index | None, grid: pd.Index
) -> np.ndarray:
    """Return the row that carries each wanted code, -1 where none does."""
    if not len(code):
        return np.full(len(wanted), -1)
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    twice = ordered[1:][(ordered[1:] == ordered[:-1]) & (ordered[1:] >= 0)]
    if len(twice):
        owner, place = divmod(int(twice[0]), len(grid))
        raise ValueError(f"`X` must have one row per time, got two at {grid[place]}"
                         + (f" of series {ids[owner]!r}." if ids is not None else "."))  # fmt: skip
    spot = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return np.where(ordered[spot] == wanted, order[spot], -1)
