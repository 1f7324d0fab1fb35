"""Frames out: forecasts, and the rows of X they need, as the kind of table that came in."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import positive_integer
from forecast.data import backends
from forecast.data.covariates import of_future
from forecast.data.keys import id_columns, keyed_index
from forecast.data.panel import Layout, Panel, ranges


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
        NaN. A frame of another library than pandas has the times in a column.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
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
        frame = pd.DataFrame(block[:, :, 0].T, index=index, columns=columns)
        return restore_times(frame, layout)
    future = panel.future(horizon)
    names = layout.names if name is None else (name,) * panel.n_series
    series = [
        pd.Series(row, index=future.of(i, horizon), name=own)
        for i, (row, own) in enumerate(zip(values, names, strict=True))
    ]
    return series if layout.kind == "list" else restore_times(series[0], layout)


def values_of(panel: Panel, table: Any) -> np.ndarray:
    """Return the numbers of a table that `restore` made of a history, (n, H) float64.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}))
    >>> values_of(panel, restore(panel, np.array([[5.0], [6.0]])))
    array([[5.],
           [6.]])
    """
    return columns_of(panel, table)[..., 0]


def columns_of(panel: Panel, table: Any) -> np.ndarray:
    """Return the numbers of a table that `restore_columns` made of a history, (n, H, C) float64.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames(pd.Series([1.0, 2.0]))
    >>> columns_of(panel, restore_columns(panel, np.array([[[5.0, 6.0]]]), ["lower", "upper"]))
    array([[[5., 6.]]])
    """
    layout, n = panel.layout, panel.n_series
    if layout.kind == "list":
        return np.stack([one.to_numpy(np.float64).reshape(len(one), -1) for one in table])
    table = backends.pandas_table(table, list(layout.id_cols), str(layout.time_col))
    if layout.kind == "long":
        table = table.drop(columns=layout.keys)
    values = table.to_numpy(np.float64)
    if layout.kind == "wide":
        return values.reshape(len(values), n, -1).transpose(1, 0, 2)
    return values.reshape(n, len(values) // n, -1)


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
        (series, label). Long: the id, the time, then the labels. MultiIndex: the labels. A frame of
        another library than pandas: the time, then the labels, or "series_label" if it is wide.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames(pd.Series([1.0, 2.0]))
    >>> restore_columns(panel, np.array([[[1.0, 4.0]]]), ["lower", "upper"])
       lower  upper
    2    1.0    4.0
    """
    layout, (n, horizon, _) = panel.layout, values.shape
    labels = pd.Index(list(columns))
    if layout.kind == "wide":
        index, block = _side_by_side(panel, values)
        both = pd.MultiIndex.from_product([panel.ids, labels], names=[layout.names[0], None])
        frame = pd.DataFrame(block.transpose(1, 0, 2).reshape(len(index), -1), index, both)
        return restore_times(frame, layout)
    future = panel.future(horizon)
    if layout.kind in ("long", "multi"):
        frame = pd.DataFrame(values.reshape(n * horizon, -1), columns=labels)
        ids, times = panel.ids.repeat(horizon), future.times[future.places(horizon).ravel()]
        return _with_keys(frame, ids, times, layout)
    frames = [
        pd.DataFrame(block, index=future.of(i, horizon), columns=labels)
        for i, block in enumerate(values)
    ]
    return frames if layout.kind == "list" else restore_times(frames[0], layout)


def complete(panel: Panel) -> Any:
    """Return the history itself as a pandas table of its kind, with a row for every step.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> complete(read_frames(pd.Series([1.0, 3.0], index=[1, 3]), freq=1))
    1    1.0
    2    NaN
    3    3.0
    dtype: float64
    """
    layout, n = replace(panel.layout, backend="pandas"), panel.n_series
    if layout.kind in ("long", "multi"):
        frame = pd.DataFrame({layout.target_col: panel.values})
        times = panel.grid[ranges(panel.starts, panel.lengths)]
        keyed = _with_keys(frame, panel.ids.repeat(panel.lengths), times, layout)
        single = layout.kind == "multi" and not layout.as_frame
        return keyed[layout.target_col] if single else keyed
    if layout.kind == "wide":
        block = np.full((n, len(panel.grid)), np.nan, dtype=panel.values.dtype)
        series = np.repeat(np.arange(n), panel.lengths)
        block[series, ranges(panel.starts, panel.lengths)] = panel.values
        return pd.DataFrame(block.T, panel.grid, panel.ids.rename(layout.names[0]))
    each = [
        pd.Series(panel.series(i), panel.times(i), name=name) for i, name in enumerate(layout.names)
    ]
    return each if layout.kind == "list" else each[0]


def covariates_of(panel: Panel) -> pd.DataFrame | None:
    """Return the covariates of a history as a pandas table of its kind, or None without any.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> y, X = pd.Series([1.0, 2.0]), pd.DataFrame({"price": [3.0, 4.0]})
    >>> covariates_of(read_frames(y, X))
       price
    0    3.0
    1    4.0
    """
    parts = [part for part in (panel.X, panel.past) if part is not None]
    if not parts:
        return None
    names, places = [*panel.X_names, *panel.past_names], ranges(panel.starts, panel.lengths)
    frame = pd.DataFrame(np.hstack(parts), columns=names)
    if panel.layout.kind in ("long", "multi"):
        layout = replace(panel.layout, backend="pandas")
        return _with_keys(frame, panel.ids.repeat(panel.lengths), panel.grid[places], layout)
    _, first = np.unique(places, return_index=True)  # the same rows serve all series
    return frame.iloc[first].set_axis(panel.grid[np.unique(places)], axis=0)


def future_frame(panel: Panel, horizon: int) -> Any:
    """Return the rows of X that a forecast needs, for the user to fill in.

    Parameters
    ----------
    panel
        The history, read with X.
    horizon
        The number of steps, H.

    Returns
    -------
    DataFrame
        A column of NaN per known covariate. Series, list, wide: a row per time. Long: the id, the
        time, then the covariates. MultiIndex: a row per (series, time).

    Raises
    ------
    ValueError
        If the history has no covariate whose future is needed.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> y, X = pd.Series([1.0, 2.0]), pd.DataFrame({"price": [3.0, 4.0]})
    >>> future_frame(read_frames(y, X), 2)
       price
    2    NaN
    3    NaN
    """
    horizon = positive_integer("horizon", horizon)
    if panel.X is None:
        raise ValueError(
            "no covariate needs a future: `fit` had none besides those in `past_only`. Forecast "
            "without `X`."
        )
    places = of_future(panel, horizon)
    layout, names, times = panel.layout, list(panel.X_names), places.grid[places.positions]
    if places.keyed:
        frame = pd.DataFrame(np.nan, index=range(len(times)), columns=names)
        return _with_keys(frame, panel.ids.repeat(horizon), times, layout)
    times = places.grid[np.unique(places.positions)]
    frame = pd.DataFrame(np.nan, index=times, columns=names)
    return restore_times(frame, layout)


def restore_rows(table: pd.Series | pd.DataFrame, layout: Layout) -> Any:
    """Return a table indexed by (id, time) as the library of the history has it.

    A pandas table stays as it is; another gets the id and the time as its first columns.

    Examples
    --------
    >>> keys = pd.MultiIndex.from_tuples([("a", 1), ("b", 1)])
    >>> parts = pd.DataFrame({"price": [0.5, 1.5]}, keys)
    >>> restore_rows(parts, Layout("long", backend="pyarrow")).to_pydict()
    {'unique_id': ['a', 'b'], 'ds': [1, 1], 'price': [0.5, 1.5]}
    """
    if layout.backend == "pandas":
        return table
    ids, times = (table.index.get_level_values(level) for level in (0, 1))
    keys = pd.MultiIndex.from_arrays([*id_columns(ids, layout), times], names=layout.keys)
    return backends.from_pandas(table.set_axis(keys, axis=0), layout.backend, dates=layout.dates)


def restore_times(table: pd.Series | pd.DataFrame, layout: Layout) -> Any:
    """Return a table indexed by time as the library of the history has it.

    Examples
    --------
    >>> restore_times(
    ...     pd.Series([0.5], [7], name="y"), Layout("series", backend="pyarrow")
    ... ).to_pydict()
    {'ds': [7], 'y': [0.5]}
    """
    if layout.backend == "pandas":
        return table
    timed = table.set_axis(table.index.rename(layout.time_col), axis=0)
    return backends.from_pandas(timed, layout.backend, dates=layout.dates)


def _side_by_side(panel: Panel, values: np.ndarray) -> tuple[pd.Index, np.ndarray]:
    """Return the future times of all series together, and (n, times, C) values, NaN-padded."""
    n, horizon, width = values.shape
    future = panel.future(horizon)
    block = np.full((n, len(future.times), width), np.nan, dtype=values.dtype)
    block[np.arange(n)[:, None], future.places(horizon)] = values
    return future.times, block


def _with_keys(frame: pd.DataFrame, ids: pd.Index, times: pd.Index, layout: Layout) -> Any:
    if layout.kind == "multi":
        return frame.set_axis(keyed_index(ids, times, layout), axis=0)
    for place, (name, column) in enumerate(
        zip(layout.id_cols, id_columns(ids, layout), strict=True)
    ):
        frame.insert(place, name, column)
    frame.insert(len(layout.id_cols), layout.time_col, times)
    return backends.from_pandas(frame, layout.backend, dates=layout.dates)
