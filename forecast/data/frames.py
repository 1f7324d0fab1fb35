"""Frames in, frames out: every kind of table becomes a Panel, and forecasts go back as they came.

Room 1. The Panel itself lives in `panel`, the time axis in `frequency`, the rows of the different
kinds of table in `reading`, known covariates in `covariates`, updates in `appending`.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import positive_integer
from forecast.data import covariates
from forecast.data.appending import append
from forecast.data.frequency import extend_grid, regular_grid, regular_positions
from forecast.data.panel import Layout, Panel, ranges
from forecast.data.reading import Rows, read_rows

__all__ = [
    "Layout",
    "Panel",
    "append",
    "extend_grid",
    "future_known",
    "missing",
    "read_frames",
    "restore",
    "restore_columns",
]

_log = logging.getLogger("forecast")

# A stray date (1970, 2099) would fill memory with gaps: more steps a row than this are a mistake.
_STEPS_PER_ROW, _STEPS_ALWAYS_FINE = 100, 10_000_000


def read_frames(
    y: Any,
    X: pd.DataFrame | None = None,
    *,
    freq: Any = None,
    id_col: str = "unique_id",
    time_col: str = "ds",
    target_col: str = "y",
    allow_unobserved: bool = False,
) -> Panel:
    """Read any kind of table into a Panel: rows sorted, gaps found, every series on one grid.

    Parameters
    ----------
    y
        A Series; a list of Series; a wide frame (a column is a series); a long frame with the
        columns `id_col`, `time_col`, `target_col`; a Series or frame with an (id, time) MultiIndex.
        Times are datetimes, periods or whole numbers. Never changed.
    X
        Known covariates: a frame matched by its index (Series, list, wide: the same rows serve
        every series) or by the id and time columns or levels (long, MultiIndex). It may hold rows
        beyond those of `y`; they are not used.
    freq
        The frequency of the times, in the old or new spelling of pandas, or the step of whole
        numbers. By default that of the index, else the most common step inside the series.
    id_col, time_col, target_col
        The columns of a long frame.
    allow_unobserved
        Whether a series may be missing at its start or throughout, as in an update.

    Returns
    -------
    Panel
        Series are in order of appearance. Missing values at the start of a series are cut off,
        those at its end are kept: the last row is where forecasts start.

    Raises
    ------
    TypeError
        If `y` or `X` is no such table, or holds something else than numbers and times.
    ValueError
        If `y` is empty, infinite, irregular or has a time twice; if a row of `X` is missing.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-04"])
    >>> panel = read_frames(pd.Series([1.0, 2.0, 4.0], index=days))
    >>> panel.values.tolist(), panel.freq
    ([1.0, 2.0, nan, 4.0], 'D')
    """
    rows = read_rows(y, id_col=id_col, time_col=time_col, target_col=target_col)
    inside = np.flatnonzero(rows.series[1:] == rows.series[:-1])
    freq = rows.freq if freq is None else freq
    before, after = rows.slots[inside], rows.slots[inside + 1]
    step, places = regular_positions(rows.times, freq, before, after)
    panel = _fill_gaps(rows if allow_unobserved else _cut_leading(rows), step, places)
    return panel if X is None else _with_covariates(panel, X)


def future_known(panel: Panel, X: pd.DataFrame | None, horizon: int) -> np.ndarray | None:
    """Return the known covariates of the next steps of every series.

    Parameters
    ----------
    panel
        The history; its own X says which columns are needed.
    X
        A frame like the one that was read with the history, with a row for every future step.
    horizon
        The number of steps, H.

    Returns
    -------
    numpy.ndarray or None
        float64 of shape (n, H, K); None if the history has no covariates.

    Raises
    ------
    ValueError
        If X is given but the history has none, or the reverse; if a column or a row is missing.

    Examples
    --------
    >>> y, X = pd.Series([1.0, 2.0]), pd.DataFrame({"price": [3.0, 4.0, 5.0, 6.0]})
    >>> future_known(read_frames(y, X), X, 2)[0, :, 0].tolist()
    [5.0, 6.0]
    """
    horizon = positive_integer("horizon", horizon)
    if panel.X is None and X is None:
        return None
    if panel.X is None:
        raise ValueError("`X` was given to forecast, but `fit` had none. Fit with `X` to use it.")
    if X is None:
        raise ValueError(
            f"`X` must be given to forecast: `fit` had the covariates {list(panel.X_names)}. "
            f"Pass their values for the next {horizon} steps."
        )
    _check_columns(panel, X)
    series = np.repeat(np.arange(panel.n_series), horizon)
    positions = (panel.ends[:, None] + np.arange(horizon)).ravel()
    grid = extend_grid(panel.grid, horizon)
    known = covariates.align(X, panel.layout, panel.X_names, panel.ids, grid, series, positions)
    return known.reshape(panel.n_series, horizon, len(panel.X_names))


def restore(panel: Panel, values: np.ndarray, name: Hashable = None) -> Any:
    """Return forecasts as the kind of table that came in.

    Parameters
    ----------
    panel
        The history; the forecasts follow each series' end.
    values
        Shape (n, H).
    name
        The name of the Series or of the value column; by default that of the target.

    Returns
    -------
    Series, list of Series, wide frame, long frame, or table with a MultiIndex
        With H rows per series. Series of a wide frame that end at different times are padded with
        NaN.

    Examples
    --------
    >>> y = pd.Series([1.0, 2.0], index=pd.date_range("2024-01-31", periods=2, freq="ME"), name="a")
    >>> restore(read_frames(y), np.array([[3.0, 4.0]]))
    2024-03-31    3.0
    2024-04-30    4.0
    Freq: ME, Name: a, dtype: float64
    """
    layout, horizon = panel.layout, values.shape[1]
    if layout.kind in ("long", "multi"):
        column = layout.target_col if name is None else name
        frame = restore_columns(panel, values[:, :, None], [column])
        return frame[column] if layout.kind == "multi" and not layout.as_frame else frame
    if layout.kind == "wide":
        index, block = _side_by_side(panel, values[:, :, None])
        columns = panel.ids.rename(layout.names[0])
        return pd.DataFrame(block[:, :, 0].T, index=index, columns=columns)
    grid = extend_grid(panel.grid, horizon)
    names = layout.names if name is None else (name,) * panel.n_series
    series = [
        pd.Series(row, index=grid[end : end + horizon], name=own)
        for row, end, own in zip(values, panel.ends, names, strict=True)
    ]
    return series if layout.kind == "list" else series[0]


def restore_columns(panel: Panel, values: np.ndarray, columns: Sequence[Hashable]) -> Any:
    """Return forecasts that have several columns per series: quantiles, bounds, paths.

    Parameters
    ----------
    panel
        The history; the forecasts follow each series' end.
    values
        Shape (n, H, C).
    columns
        The C labels, used as they are.

    Returns
    -------
    DataFrame or list of DataFrames
        Series: H rows, C columns. List: one such frame per series. Wide: columns are a MultiIndex
        (series, label). Long: the id, the time, then the labels. MultiIndex: the labels.

    Examples
    --------
    >>> panel = read_frames(pd.Series([1.0, 2.0]))
    >>> restore_columns(panel, np.array([[[1.0, 4.0]]]), ["lower", "upper"])
       lower  upper
    2    1.0    4.0
    """
    n, horizon, _ = values.shape
    labels = pd.Index(list(columns))
    if panel.layout.kind == "wide":
        index, block = _side_by_side(panel, values)
        both = pd.MultiIndex.from_product([panel.ids, labels], names=[panel.layout.names[0], None])
        return pd.DataFrame(block.transpose(1, 0, 2).reshape(len(index), -1), index, both)
    grid = extend_grid(panel.grid, horizon)
    if panel.layout.kind in ("long", "multi"):
        frame = pd.DataFrame(values.reshape(n * horizon, -1), columns=labels)
        ids = panel.ids.repeat(horizon)
        times = grid[(panel.ends[:, None] + np.arange(horizon)).ravel()]
        return _with_keys(frame, ids, times, panel.layout)
    frames = [
        pd.DataFrame(block, index=grid[end : end + horizon], columns=labels)
        for block, end in zip(values, panel.ends, strict=True)
    ]
    return frames if panel.layout.kind == "list" else frames[0]


def missing(panel: Panel) -> pd.DataFrame:
    """Report the series with unobserved values, and log how many there are.

    Returns
    -------
    DataFrame
        One row per series with missing values: `id`, `n_missing`, and the times of the `first` and
        `last` one.

    Examples
    --------
    >>> missing(read_frames(pd.Series([1.0, 2.0, 4.0], index=[1, 2, 4], name="a")))
      id  n_missing  first  last
    0  a          1      3     3
    """
    holes = np.flatnonzero(np.isnan(panel.values))
    series = np.searchsorted(panel.offsets, holes, side="right") - 1
    times = panel.starts[series] + holes - panel.offsets[series]
    which, first, counts = np.unique(series, return_index=True, return_counts=True)
    if len(holes):
        _log.info("%d values of %d series are missing", len(holes), len(which))
    return pd.DataFrame(
        {
            "id": panel.ids[which],
            "n_missing": counts,
            "first": panel.grid[times[first]],
            "last": panel.grid[times[first + counts - 1]],
        }
    )


def _cut_leading(rows: Rows) -> Rows:
    """Drop the rows of each series before its first observed one."""
    observed = ~np.isnan(rows.values)
    if observed.all():
        return rows
    first = np.flatnonzero(observed)
    seen, which = np.unique(rows.series[first], return_index=True)
    if len(seen) < len(rows.ids):
        empty = np.setdiff1d(np.arange(len(rows.ids)), seen)
        more = f" ({len(empty)} such series)" if len(empty) > 1 else ""
        raise ValueError(
            f"series {rows.ids[empty[0]]!r} must have at least one observed value, got none{more}. "
            "Drop it."
        )
    keep = np.arange(len(observed)) >= first[which][rows.series]
    return replace(rows, series=rows.series[keep], slots=rows.slots[keep], values=rows.values[keep])


def _fill_gaps(rows: Rows, step: Any, places: np.ndarray) -> Panel:
    """Put rows on the grid; a place between the first and the last row of a series is NaN."""
    positions = places[rows.slots]
    borders = np.searchsorted(rows.series, np.arange(len(rows.ids) + 1))
    starts, lasts = positions[borders[:-1]], positions[borders[1:] - 1]
    lengths = lasts - starts + 1
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    if offsets[-1] > _STEPS_ALWAYS_FINE + _STEPS_PER_ROW * len(rows.values):
        i = int(np.argmax(lengths))
        own = rows.times[rows.slots[borders[i] : borders[i + 1]]]
        raise ValueError(
            f"series {rows.ids[i]!r} has {len(own)} rows but spans {lengths[i]} steps, {own[0]} to "
            f"{own[-1]}. Look for a stray time, or resample."
        )
    values = rows.values
    if offsets[-1] > len(values):
        values = np.full(offsets[-1], np.nan, dtype=rows.values.dtype)
        values[positions + (offsets[:-1] - starts)[rows.series]] = rows.values
    return Panel(
        values=values,
        offsets=offsets,
        starts=starts,
        grid=regular_grid(rows.times, int(places[-1]) + 1, step),
        ids=rows.ids,
        X=None,
        X_names=(),
        layout=rows.layout,
    )


def _with_covariates(panel: Panel, X: pd.DataFrame) -> Panel:
    names = covariates.column_names(X, panel.layout)
    series = np.repeat(np.arange(panel.n_series), panel.lengths)
    positions = ranges(panel.starts, panel.lengths)
    values = covariates.align(X, panel.layout, names, panel.ids, panel.grid, series, positions)
    return replace(panel, X=values, X_names=names)


def _check_columns(panel: Panel, X: pd.DataFrame) -> None:
    names = covariates.column_names(X, panel.layout)
    lacking = [name for name in panel.X_names if name not in names]
    extra = [name for name in names if name not in panel.X_names]
    if lacking or extra:
        raise ValueError(
            f"`X` must have the columns of `fit`, {list(panel.X_names)}: missing {lacking}, "
            f"unknown {extra}."
        )


def _side_by_side(panel: Panel, values: np.ndarray) -> tuple[pd.Index, np.ndarray]:
    """Return the future times of all series together, and (n, times, C) values, NaN-padded."""
    n, horizon, width = values.shape
    low, high = panel.ends.min(), panel.ends.max()
    index = extend_grid(panel.grid, horizon)[low : high + horizon]
    block = np.full((n, len(index), width), np.nan, dtype=values.dtype)
    block[np.arange(n)[:, None], (panel.ends - low)[:, None] + np.arange(horizon)] = values
    return index, block


def _with_keys(frame: pd.DataFrame, ids: pd.Index, times: pd.Index, layout: Layout) -> pd.DataFrame:
    if layout.kind == "multi":
        keys = pd.MultiIndex.from_arrays([ids, times], names=[layout.id_col, layout.time_col])
        return frame.set_axis(keys, axis=0)
    frame.insert(0, layout.id_col, ids)
    frame.insert(1, layout.time_col, times)
    return frame
