"""Any kind of table as rows or columns of numbers: which series, which time, which value."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data import backends
from forecast.data.aliases import parse_freq
from forecast.data.cells import is_numeric
from forecast.data.keys import as_times, distinct_ids, one_or_several, row_keys, time_level
from forecast.data.panel import Layout
from forecast.data.placing import Columns, Rows

if TYPE_CHECKING:
    import narwhals as nw

_KINDS = (
    "a pandas Series, a list of Series, a wide DataFrame (a column is a series), or a long "
    "DataFrame with the columns {id_col!r}, {time_col!r}, {target_col!r}"
)
_MADE = "pd.Series(y), or pd.DataFrame(y) for several series."
_FILE = "Read the file: forecast.read_file(path)."
_DATE = re.compile(r"\d{4}-\d\d|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
# Times that are looked up in one go: all at once would take many times their memory.
_TIMES_AT_ONCE = 250_000


def read_table(y: Any, *, id_col: Hashable, time_col: str, target_col: str) -> Rows | Columns:
    """Return the rows or columns of a table of any kind that users hold.

    Raises
    ------
    TypeError
        If `y` is no such table, or its values are not numbers.
    ValueError
        If there are no rows.
    """
    layout = Layout("long", one_or_several(id_col), time_col, target_col)
    if isinstance(y, pd.Series | pd.DataFrame) and isinstance(y.index, pd.MultiIndex):
        return _read_multi(y, layout)
    if isinstance(y, pd.Series):
        return _read_series(y)
    if isinstance(y, list | tuple) and all(isinstance(one, pd.Series) for one in y):
        return _read_list(list(y))
    if isinstance(y, pd.DataFrame) and any(key in y.columns for key in layout.keys):
        return _read_long(y, layout)
    if isinstance(y, pd.DataFrame):
        return _read_wide(y)
    frame = backends.foreign(y)
    if frame is None:
        raise TypeError(not_a_table(y, layout))
    return _read_foreign(frame, layout)


def numbers(column: pd.Series | pd.DataFrame, what: str) -> np.ndarray:
    """Return numeric columns as floats, NaN where missing; float32 stays, all else is float64.

    The result may share memory with the columns.

    Raises
    ------
    TypeError
        If a column does not hold real numbers.
    """
    return _floats(column, _float_type(column, what))


def _float_type(column: pd.Series | pd.DataFrame, what: str) -> np.dtype:
    frame = column.to_frame() if isinstance(column, pd.Series) else column
    kinds = frame.dtypes.unique()
    for dtype in kinds:
        if not is_numeric(dtype) or pd.api.types.is_complex_dtype(dtype):
            name = frame.columns[np.flatnonzero(frame.dtypes == dtype)[0]]
            raise TypeError(
                f"{what.format(name)} must hold real numbers, got {dtype}; {_remedy(frame[name])}"
            )
    single = all(dtype == np.float32 for dtype in kinds)
    return np.dtype(np.float32 if single else np.float64)


def _remedy(column: pd.Series) -> str:
    """Return what makes numbers of a column that holds none."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "make it the index: .set_index(...)."
    if isinstance(column.dtype, pd.CategoricalDtype):
        word = column.cat.categories[:1].tolist()
        return (
            "forecast the words themselves with SymbolForecaster; or how often each occurs: "
            "pd.get_dummies(y), or for one of them "
            f"(y == {short(word[0] if word else '')}).astype(float)."
        )
    if len(column) and _DATE.match(str(column.iloc[0])):
        name = short(column.name)
        return (
            f"if it tells the times, make them the index: y[{name}] = pd.to_datetime(y[{name}]); "
            f"y = y.set_index({name})."
        )
    return (
        "convert it with pd.to_numeric, or, if it names the series of a long frame, pass id_col=, "
        "time_col= and target_col=."
    )


def _floats(column: pd.Series | pd.DataFrame, dtype: np.dtype) -> np.ndarray:
    kinds = [column.dtype] if isinstance(column, pd.Series) else column.dtypes.unique()
    if all(isinstance(kind, np.dtype) for kind in kinds):
        return column.to_numpy(dtype=dtype)
    # Giving `na_value` makes a copy, which types without missing values do not need.
    return column.to_numpy(dtype=dtype, na_value=np.nan)


def _read_series(y: pd.Series) -> Columns:
    name = "y" if y.name is None else y.name
    layout = Layout("series", names=(y.name,))
    return _read_columns(y.to_frame(), pd.Index([name]), layout, f"series {short(name)}")


def _read_wide(y: pd.DataFrame) -> Columns:
    if isinstance(y.columns, pd.MultiIndex):
        raise TypeError(
            "`y` must have one level of columns, got "
            f"{y.columns.nlevels}. Join them: "
            "y.columns = ['_'.join(map(str, name)) for name in y.columns]."
        )
    if not y.shape[1]:
        raise ValueError(f"`y` must have at least one column, got {short(y)}.")
    if y.columns.has_duplicates:
        name = y.columns[y.columns.duplicated()][0]
        raise ValueError(f"`y` must name each series once: column {short(name)} occurs twice.")
    layout = Layout("wide", names=(y.columns.name,))
    return _read_columns(y, y.columns.rename(None), layout, "series {0!r}")


def _read_columns(y: pd.DataFrame, ids: pd.Index, layout: Layout, what: str) -> Columns:
    """Read columns that share one index of times."""
    dtype = _float_type(y, what)
    slots, times = _distinct(as_times(y.index, "the index of `y`"))
    return Columns(
        ids=ids,
        times=times,
        slots=slots,
        read=lambda first, stop: _floats(y.iloc[:, first:stop], dtype),
        dtype=dtype,
        layout=layout,
        freq=_own_freq(y.index),
    )


def _read_list(y: list[pd.Series]) -> Rows:
    if not y:
        raise ValueError("`y` must hold at least one series, got an empty list.")
    names = tuple(one.name for one in y)
    unique = None not in names and len(set(names)) == len(names)
    ids = pd.Index(list(names)) if unique else pd.RangeIndex(len(y))
    for name, one in zip(ids, y, strict=True):
        if not len(one):
            raise ValueError(f"series {short(name)} must have at least one row, got none.")
    indexes = [
        as_times(one.index, f"the index of series {short(name)}")
        for name, one in zip(ids, y, strict=True)
    ]
    for name, index in zip(ids, indexes, strict=True):
        if _kind(index) != _kind(indexes[0]):
            raise TypeError(
                f"all series must have the same kind of index: series {short(ids[0])} has "
                f"{_kind(indexes[0])}, series {short(name)} has {_kind(index)}."
            )
    values = np.concatenate(
        [numbers(one, f"series {short(name)}") for name, one in zip(ids, y, strict=True)]
    )
    slots, times = _distinct(indexes[0].append(indexes[1:]))
    freqs = {_own_freq(one.index) for one in y}
    return Rows(
        ids=ids,
        times=times.rename(y[0].index.name),
        series=np.repeat(np.arange(len(y), dtype=np.int32), [len(one) for one in y]),
        slots=slots,
        read=lambda first, stop: values[first:stop],
        dtype=values.dtype,
        layout=Layout("list", names=names),
        freq=freqs.pop() if len(freqs) == 1 else None,
    )


def _read_long(y: pd.DataFrame, layout: Layout) -> Rows:
    time_col, target_col = layout.time_col, layout.target_col
    needed = [("id_col", name) for name in layout.id_cols]
    for argument, column in [*needed, ("time_col", time_col), ("target_col", target_col)]:
        if column not in y.columns:
            remedy = "For one series pass a Series with times as its index."
            if argument == "id_col" and time_col in y.columns:
                remedy = f"Where a column is a series, write y.set_index({time_col!r})."
            raise ValueError(
                f"a long frame must have the column {column!r} (`{argument}`), got "
                f"{short(list(y.columns))}. {remedy}"
            )
    _no_further_columns(y.columns.drop([*layout.keys, target_col]))
    where, what = f"column {short(time_col)}", f"column {short(target_col)}"
    return _read_keys(*row_keys(y, layout), y[target_col], layout, where, what)


def _read_multi(y: pd.Series | pd.DataFrame, columns: Layout) -> Rows:
    as_frame = isinstance(y, pd.DataFrame)
    if isinstance(y, pd.DataFrame):
        target = y.columns[0] if y.shape[1] == 1 else columns.target_col
        if target not in y.columns:
            raise ValueError(f"`y` must have the column {target!r}, got {short(list(y.columns))}.")
        _no_further_columns(y.columns.drop([target]))
        y = y[target]
    assert isinstance(y.index, pd.MultiIndex)
    names, level = list(y.index.names), time_level(y.index, columns.time_col)
    time_col = names.pop(level)
    if not names:
        raise ValueError("a MultiIndex must have the levels (series, time), got one level.")
    layout = Layout(
        "multi", one_or_several(names), time_col, y.name, as_frame=as_frame, time_level=level
    )
    where = f"the level {short(time_col)} of the index"
    return _read_keys(*row_keys(y, layout), y, layout, where, f"column {short(y.name)}")


def _read_keys(
    keys: list[pd.Index],
    times: pd.Index,
    target: pd.Series,
    layout: Layout,
    where: str,
    what: str,
) -> Rows:
    """Read rows that each name their series and their time."""
    dtype = _float_type(target, what)
    if not len(times):
        raise ValueError("`y` must have at least one row, got an empty table.")
    series, ids = _series(keys, layout)
    slots, distinct = _distinct(as_times(times, where))
    return Rows(
        ids=ids,
        times=distinct.rename(None),
        series=series,
        slots=slots,
        read=lambda first, stop: _floats(target.iloc[first:stop], dtype),
        dtype=dtype,
        layout=layout,
    )


def _series(keys: list[pd.Index], layout: Layout) -> tuple[np.ndarray, pd.Index]:
    """Return the number of each row's series, and the ids in rising order."""
    codes, ids = distinct_ids(keys)
    if isinstance(keys[0], pd.CategoricalIndex) and len(keys) == 1:
        ids = pd.CategoricalIndex(ids, dtype=keys[0].dtype)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        raise ValueError(f"each row must name its series: row {row} has no {short(layout.id_col)}.")
    used = np.zeros(len(ids), dtype=bool)
    used[codes] = True
    try:
        order = ids.argsort()
    except TypeError:  # numbers and text
        order = ids.map(str).argsort()
    order = order[used[order]]
    rank = np.empty(len(ids), dtype=np.int32)
    rank[order] = np.arange(len(order))
    ids = ids[order]
    # Categories are only how text of another library is carried here.
    plain = layout.backend != "pandas" and isinstance(ids, pd.CategoricalIndex)
    return rank[codes], pd.Index(ids.tolist()) if plain else ids


def _read_foreign(frame: nw.DataFrame[Any], columns: Layout) -> Rows | Columns:
    """Read a frame without an index: long, or one series, or several beside a column of times."""
    backend, time_col = backends.backend_of(frame), str(columns.time_col)
    if time_col not in frame.columns:
        raise ValueError(
            f"a {backend} frame must have its times in the column {short(time_col)}, got "
            f"{short(frame.columns)}. Say which column they are in: time_col=."
        )
    dates = backends.holds_dates(frame, time_col)
    if any(name in frame.columns for name in columns.id_cols):
        layout = replace(columns, backend=backend, dates=dates)
        return _read_long(backends.to_pandas(frame, frame.columns), layout)
    names = [name for name in frame.columns if name != time_col]
    if not names:
        raise ValueError(f"`y` must have a column of values beside {short(time_col)}, got none.")
    one = len(names) == 1
    layout = Layout(
        "series" if one else "wide",
        time_col=time_col,
        target_col=names[0] if one else columns.target_col,
        names=(names[0] if one else None,),
        backend=backend,
        dates=dates,
    )
    dtype = backends.float_type(frame, names)
    index = pd.Index(backends.to_pandas(frame, [time_col])[time_col])
    slots, times = _distinct(as_times(index, f"column {short(time_col)}"))
    return Columns(
        ids=pd.Index(names),
        times=times.rename(None),
        slots=slots,
        read=lambda first, stop: backends.values(frame, names[first:stop], dtype),
        dtype=dtype,
        layout=layout,
    )


def _no_further_columns(extra: pd.Index) -> None:
    if len(extra):
        raise ValueError(
            f"a long frame must hold the series, the time and the target only, got {list(extra)} "
            "besides. Pass covariates as `X` (same id and time columns), or drop them."
        )


def _distinct(times: pd.Index) -> tuple[np.ndarray, pd.Index]:
    """Return the position of each time among the distinct ones, and these in rising order."""
    if not len(times):
        raise ValueError("`y` must have at least one row, got an empty table.")
    if times.is_monotonic_increasing and times.is_unique:
        return np.arange(len(times), dtype=np.int32), times
    # The unique() of an index first builds a table of all its rows.
    distinct = pd.Index(times.array.unique(), name=times.name).sort_values()
    slots = np.empty(len(times), dtype=np.int32)
    for first in range(0, len(times), _TIMES_AT_ONCE):
        part = slice(first, first + _TIMES_AT_ONCE)
        slots[part] = distinct.get_indexer(times[part])
    return slots, distinct


def _own_freq(index: pd.Index) -> Any:
    """Return the frequency that an index carries, if it is of a kind that has an alias."""
    freq = getattr(index, "freq", None) if isinstance(index, pd.DatetimeIndex) else None
    try:
        return None if freq is None else parse_freq(freq.freqstr) and freq
    except ValueError:  # pd.DateOffset(months=1): its steps will tell
        return None


def _kind(index: pd.Index) -> str:
    zone = f" in {index.tz}" if isinstance(index, pd.DatetimeIndex) and index.tz else ""
    freq = f" of {index.freqstr}" if isinstance(index, pd.PeriodIndex) else ""
    return f"{type(index).__name__}{zone}{freq}"


def not_a_table(y: Any, layout: Layout) -> str:
    """Return what to say of something that is no table."""
    module = type(y).__module__.split(".")[0]
    remedy = {
        "pathlib": _FILE,
        "numpy": f"Give it an index: {_MADE}",
        "polars": "Give it its times: pl.DataFrame({'ds': times, 'y': y}); .collect() a lazy one.",
        "pyarrow": "Give it its times: pa.table({'ds': times, 'y': y}).",
    }.get(module, _FILE if isinstance(y, str) else "Convert it: " + _MADE)
    return f"`y` must be {_KINDS.format(**vars(layout))}, got {short(y)}. {remedy}"
