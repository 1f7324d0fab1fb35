"""The keys of rows: which columns or levels name the series and the time, in and out again.

A series that several columns name together has a tuple of their values as its id.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data.panel import Layout, Panel


def one_or_several(names: Hashable | Sequence[Hashable]) -> Hashable:
    """Return one name as it is, several as a tuple.

    Examples
    --------
    >>> one_or_several("store"), one_or_several(["store"]), one_or_several(["store", "item"])
    ('store', 'store', ('store', 'item'))
    """
    if not isinstance(names, list):
        return names
    return names[0] if len(names) == 1 else tuple(names)


def time_level(index: pd.MultiIndex, time_col: Hashable) -> int:
    """Return which level of an index holds the times: by its name, its type, or as the last.

    Examples
    --------
    >>> days = pd.date_range("2024", periods=2)
    >>> time_level(pd.MultiIndex.from_product([days, ["a", "b"]]), "ds")
    0
    """
    if time_col in index.names:
        return index.names.index(time_col)
    dated = [place for place, level in enumerate(index.levels) if _is_dated(level)]
    return dated[0] if len(dated) == 1 else index.nlevels - 1


def as_times(index: pd.Index, where: str) -> pd.Index:
    """Return an index as the time axis it stands for: datetimes, periods or whole numbers.

    Parameters
    ----------
    index
        Any.
    where
        What it is called in messages.

    Raises
    ------
    TypeError
        If the index holds anything else, such as strings or floats.
    ValueError
        If a time is missing.

    Examples
    --------
    >>> as_times(pd.Index([3, 4], dtype="int32"), "the index of `y`").dtype
    dtype('int64')
    >>> as_times(pd.CategoricalIndex([3, 4]), "the index of `y`").tolist()
    [3, 4]
    """
    if index.hasnans:
        raise ValueError(
            f"{where} must have a time in every row, got "
            f"{np.count_nonzero(index.isna())} missing. Drop these rows: they cannot be placed."
        )
    if isinstance(index, pd.CategoricalIndex):  # as which text of other libraries comes
        index = index.astype(index.categories.dtype)
    if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        return index
    if pd.api.types.is_datetime64_any_dtype(index.dtype):
        return pd.DatetimeIndex(index)
    if pd.api.types.is_integer_dtype(index.dtype):
        return pd.Index(index.to_numpy(dtype=np.int64), name=index.name)
    first = f" (first value {short(index[0])})" if len(index) else ""
    raise TypeError(
        f"{where} must hold datetimes, periods or whole numbers, got {index.dtype}{first}. "
        f"{_made_times(index)}, or number the rows."
    )


def _made_times(index: pd.Index) -> str:
    """Return how the times are made that an index of floats or text stands for."""
    if pd.api.types.is_float_dtype(index.dtype):
        whole = bool((index % 1 == 0).all())
        return "Convert it with .astype(int)" if whole else "Count steps"
    if len(index) and index.astype(str).str.fullmatch(r"\d{4} ?Q[1-4]").all():
        return "Make quarters of it: pd.PeriodIndex(times.str.replace(' ', ''), freq='Q')"
    return "Convert it with pd.to_datetime, in polars with .str.to_datetime()"


def row_keys(table: Any, layout: Layout) -> tuple[list[pd.Index], pd.Index]:
    """Return the columns that name the series of each row, and its time.

    Parameters
    ----------
    table
        A long frame, or one with a MultiIndex.
    layout
        How the target is keyed; the levels of an index may be in another order.
    """
    if layout.kind == "long":
        return [pd.Index(table[name]) for name in layout.id_cols], pd.Index(table[layout.time_col])
    levels = list(range(table.index.nlevels))
    time = levels.pop(time_level(table.index, layout.time_col))
    return [table.index.get_level_values(level) for level in levels], (
        table.index.get_level_values(time)
    )


def distinct_ids(columns: list[pd.Index]) -> tuple[np.ndarray, pd.Index]:
    """Return the number of the series of each row, -1 without one, and the distinct ids.

    Examples
    --------
    >>> codes, ids = distinct_ids([pd.Index(["a", "b", "a"]), pd.Index([1, 1, 1])])
    >>> codes.tolist(), ids.tolist()
    ([0, 1, 0], [('a', 1), ('b', 1)])
    """
    if len(columns) == 1:
        (column,) = columns
        if isinstance(column, pd.CategoricalIndex):
            return np.asarray(column.codes), column.categories.rename(None)
        codes, found = pd.factorize(column)
        return codes, pd.Index(found).rename(None)
    frame = pd.DataFrame(dict(enumerate(columns)))
    numbers = frame.groupby(list(frame), sort=False, observed=True).ngroup()
    ids = list(frame.drop_duplicates().dropna().itertuples(index=False, name=None))
    return numbers.fillna(-1).to_numpy(np.int64), flat_index(ids)


def flat_index(ids: list[Any]) -> pd.Index:
    """Return ids as an index of one level, tuples too."""
    return pd.Index(ids, tupleize_cols=False)


def owners(columns: list[pd.Index], ids: pd.Index) -> np.ndarray:
    """Return the number of each row's series among some, -1 where it is none of them.

    Examples
    --------
    >>> owners([pd.Index(["a", "c", "b"])], pd.Index(["b", "a"])).tolist()
    [1, -1, 0]
    """
    codes, found = distinct_ids(columns)
    return np.append(ids.get_indexer(found), -1)[codes].astype(np.int64)


def id_columns(ids: pd.Index, layout: Layout) -> list[pd.Index]:
    """Return the columns that name series, in the order of `layout.id_cols`.

    Examples
    --------
    >>> layout = Layout("long", ("store", "item"))
    >>> [column.tolist() for column in id_columns(flat_index([("a", 1), ("a", 2)]), layout)]
    [['a', 'a'], [1, 2]]
    """
    if len(layout.id_cols) == 1:
        return [ids]
    return [pd.Index(column) for column in zip(*ids, strict=True)]


def keyed_index(ids: pd.Index, times: pd.Index, layout: Layout) -> pd.MultiIndex:
    """Return the MultiIndex of rows, its levels in the order in which they came."""
    arrays, names = id_columns(ids, layout), list(layout.id_cols)
    arrays.insert(layout.time_level, times)
    names.insert(layout.time_level, layout.time_col)
    return pd.MultiIndex.from_arrays(arrays, names=names)


def _is_dated(level: pd.Index) -> bool:
    return isinstance(level, pd.PeriodIndex) or pd.api.types.is_datetime64_any_dtype(level.dtype)


def steps_index(panel: Panel, steps: int, series: Any = slice(None)) -> pd.MultiIndex:
    """Return the index (id, time) of the steps ahead, of all series or of the numbered ones.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> steps_index(read_frames(pd.Series([1.0, 2.0], name="a")), 2).tolist()
    [('a', 2), ('a', 3)]
    """
    future = panel.future(steps)
    times = future.times[future.places(steps)[series].ravel()]
    return pd.MultiIndex.from_arrays([panel.ids[series].repeat(steps), times])


def rows_of(table: pd.DataFrame, series: Any) -> pd.DataFrame:
    """Return the rows of one series of a table indexed by (id, time), by time; None: the first.

    Raises
    ------
    ValueError
        If there is no such series.

    Examples
    --------
    >>> keys = pd.MultiIndex.from_tuples([("a", 1), ("b", 1)])
    >>> rows_of(pd.DataFrame({"y": [0.5, 1.5]}, keys), "b")["y"].to_dict()
    {1: 1.5}
    """
    index: Any = table.index
    ids = index.get_level_values(0)
    if series is not None and series not in ids:
        raise ValueError(
            f"`series` must be one of {short(list(ids.unique()))}, got {short(series)}."
        )
    # an id that is a tuple would be read by `loc` as a key of several levels
    one = index.levels[0].get_loc(ids[0] if series is None else series)
    return table[index.codes[0] == one].droplevel(0)
