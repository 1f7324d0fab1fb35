"""Rows of any kind of table: which series, which time, which value; sorted, checked, vectorised."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data.frequency import as_times
from forecast.data.panel import Layout

_KINDS = (
    "a pandas Series, a list of Series, a wide DataFrame (a column is a series), or a long "
    "DataFrame with the columns {id_col!r}, {time_col!r}, {target_col!r}"
)


@dataclass(eq=False)
class Rows:
    """Hold one row per (series, time), sorted by series and then by time, none twice.

    Parameters
    ----------
    ids
        The series, shape (n,).
    times
        The distinct times of all rows in rising order, shape (T,).
    series, slots
        For each row the number of its series and the position of its time in `times`, (rows,).
    values
        The value of each row, NaN where there is none, shape (rows,).
    layout
        The kind of table the rows came from.
    freq
        The frequency that the index of the table carries, or None.
    """

    ids: pd.Index
    times: pd.Index
    series: np.ndarray
    slots: np.ndarray
    values: np.ndarray
    layout: Layout
    freq: Any = None


def read_rows(y: Any, *, id_col: str, time_col: str, target_col: str) -> Rows:
    """Return the rows of a table of any kind that users hold.

    Raises
    ------
    TypeError
        If `y` is no such table, or its values are not numbers.
    ValueError
        If there are no rows, a time occurs twice in a series, or a value is infinite.
    """
    columns = {"id_col": id_col, "time_col": time_col, "target_col": target_col}
    if isinstance(y, pd.Series | pd.DataFrame) and isinstance(y.index, pd.MultiIndex):
        rows = _read_multi(y, target_col)
    elif isinstance(y, pd.Series):
        rows = _read_series(y)
    elif isinstance(y, list | tuple) and all(isinstance(one, pd.Series) for one in y):
        rows = _read_list(list(y))
    elif isinstance(y, pd.DataFrame) and (id_col in y.columns or time_col in y.columns):
        rows = _read_long(y, **columns)
    elif isinstance(y, pd.DataFrame):
        rows = _read_wide(y)
    else:
        raise TypeError(_not_a_table(y, **columns))
    _check_finite(rows)
    return rows


def numbers(column: pd.Series | pd.DataFrame, what: str) -> np.ndarray:
    """Return numeric columns as floats, NaN where missing; float32 stays, all else is float64.

    Raises
    ------
    TypeError
        If a column does not hold real numbers.
    """
    frame = column.to_frame() if isinstance(column, pd.Series) else column
    for dtype in frame.dtypes.unique():
        if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_complex_dtype(dtype):
            name = frame.columns[np.flatnonzero(frame.dtypes == dtype)[0]]
            remedy = (
                "make it the index: .set_index(...)."
                if pd.api.types.is_datetime64_any_dtype(dtype)
                else "convert it with pd.to_numeric, or, if it names the series of a long frame, "
                "pass id_col=, time_col= and target_col=."
            )
            raise TypeError(f"{what.format(name)} must hold real numbers, got {dtype}; {remedy}")
    single = all(dtype == np.float32 for dtype in frame.dtypes.unique())
    return column.to_numpy(dtype=np.float32 if single else np.float64, na_value=np.nan)


def _read_series(y: pd.Series) -> Rows:
    name = "y" if y.name is None else y.name
    rows = _read_columns(y.to_frame(), pd.Index([name]), f"series {name!r}")
    rows.layout = Layout("series", names=(y.name,))
    return rows


def _read_wide(y: pd.DataFrame) -> Rows:
    if isinstance(y.columns, pd.MultiIndex):
        raise TypeError(
            "`y` must have one level of columns, got "
            f"{y.columns.nlevels}. Join them: y.columns = y.columns.map('_'.join)."
        )
    if not y.shape[1]:
        raise ValueError(f"`y` must have at least one column, got {short(y)}.")
    if y.columns.has_duplicates:
        name = y.columns[y.columns.duplicated()][0]
        raise ValueError(f"`y` must name each series once: column {name!r} occurs twice.")
    rows = _read_columns(y, y.columns.rename(None), "series {0!r}")
    rows.layout = Layout("wide", names=(y.columns.name,))
    return rows


def _read_columns(y: pd.DataFrame, ids: pd.Index, what: str) -> Rows:
    """Read columns that share one index of times."""
    values = numbers(y, what).T.ravel()
    slots, times = _distinct(as_times(y.index, "the index of `y`"))
    series = np.repeat(np.arange(len(ids)), len(slots))
    return _sorted(
        Rows(
            ids=ids,
            times=times,
            series=series,
            slots=np.tile(slots, len(ids)),
            values=values,
            layout=Layout("wide"),
            freq=_own_freq(y.index),
        )
    )


def _read_list(y: list[pd.Series]) -> Rows:
    if not y:
        raise ValueError("`y` must hold at least one series, got an empty list.")
    names = tuple(one.name for one in y)
    unique = None not in names and len(set(names)) == len(names)
    ids = pd.Index(list(names)) if unique else pd.RangeIndex(len(y))
    for name, one in zip(ids, y, strict=True):
        if not len(one):
            raise ValueError(f"series {name!r} must have at least one row, got none.")
    indexes = [
        as_times(one.index, f"the index of series {name!r}")
        for name, one in zip(ids, y, strict=True)
    ]
    for name, index in zip(ids, indexes, strict=True):
        if _kind(index) != _kind(indexes[0]):
            raise TypeError(
                f"all series must have the same kind of index: series {ids[0]!r} has "
                f"{_kind(indexes[0])}, series {name!r} has {_kind(index)}."
            )
    parts = [numbers(one, f"series {name!r}") for name, one in zip(ids, y, strict=True)]
    slots, times = _distinct(indexes[0].append(indexes[1:]))
    freqs = {_own_freq(one.index) for one in y}
    return _sorted(
        Rows(
            ids=ids,
            times=times.rename(y[0].index.name),
            series=np.repeat(np.arange(len(y)), [len(one) for one in y]),
            slots=slots,
            values=np.concatenate(parts),
            layout=Layout("list", names=names),
            freq=freqs.pop() if len(freqs) == 1 else None,
        )
    )


def _read_long(y: pd.DataFrame, *, id_col: str, time_col: str, target_col: str) -> Rows:
    needed = {"id_col": id_col, "time_col": time_col, "target_col": target_col}
    for argument, column in needed.items():
        if column not in y.columns:
            raise ValueError(
                f"a long frame must have the column {column!r} (`{argument}`), got "
                f"{short(list(y.columns))}. For one series pass a Series with times as its index."
            )
    _no_further_columns(y.columns.drop([id_col, time_col, target_col]))
    values = numbers(y[target_col], f"column {target_col!r}")
    keys, times = pd.Index(y[id_col]), pd.Index(y[time_col])
    layout = Layout("long", id_col, time_col, target_col)
    return _read_keys(keys, times, values, layout, f"column {time_col!r}")


def _read_multi(y: pd.Series | pd.DataFrame, target_col: str) -> Rows:
    index = y.index
    if index.nlevels != 2:
        raise ValueError(f"a MultiIndex must have the levels (series, time), got {index.nlevels}.")
    as_frame = isinstance(y, pd.DataFrame)
    if isinstance(y, pd.DataFrame):
        target = y.columns[0] if y.shape[1] == 1 else target_col
        if target not in y.columns:
            raise ValueError(f"`y` must have the column {target!r}, got {short(list(y.columns))}.")
        _no_further_columns(y.columns.drop(target))
        y = y[target]
    values = numbers(y, f"column {y.name!r}")
    layout = Layout("multi", index.names[0], index.names[1], y.name, as_frame=as_frame)
    keys, times = index.get_level_values(0), index.get_level_values(1)
    return _read_keys(keys, times, values, layout, "the second level of the index")


def _read_keys(
    keys: pd.Index, times: pd.Index, values: np.ndarray, layout: Layout, where: str
) -> Rows:
    """Read rows that each name their series and their time."""
    if not len(keys):
        raise ValueError("`y` must have at least one row, got an empty table.")
    series, ids = pd.factorize(keys)
    if (series < 0).any():
        row = int(np.flatnonzero(series < 0)[0])
        raise ValueError(f"each row must name its series: row {row} has no {layout.id_col!r}.")
    slots, distinct = _distinct(as_times(times, where))
    return _sorted(
        Rows(
            ids=pd.Index(ids).rename(None),
            times=distinct.rename(None),
            series=series.astype(np.int64),
            slots=slots,
            values=values,
            layout=layout,
        )
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
        return np.arange(len(times)), times
    slots, distinct = pd.factorize(times, sort=True)
    return slots.astype(np.int64), pd.Index(distinct).rename(times.name)


def _sorted(rows: Rows) -> Rows:
    """Sort rows by series and time, and refuse a time that occurs twice in a series."""
    key = rows.series * len(rows.times) + rows.slots
    if not (key[1:] > key[:-1]).all():
        order = np.argsort(key)
        key = key[order]
        rows.series, rows.slots = rows.series[order], rows.slots[order]
        rows.values = rows.values[order]
    twice = np.flatnonzero(key[1:] == key[:-1])
    if len(twice):
        raise ValueError(_duplicate_message(rows, int(twice[0]), len(twice)))
    return rows


def _duplicate_message(rows: Rows, row: int, count: int) -> str:
    time = rows.times[rows.slots[row]]
    message = (
        f"series {rows.ids[rows.series[row]]!r} has more than one row at {time} "
        f"({count} such rows in all). Aggregate them first, for example with groupby(...).mean()."
    )
    naive = isinstance(rows.times, pd.DatetimeIndex) and rows.times.tz is None
    if naive and (time != time.normalize()):
        message += (
            " If this is local clock time, an hour occurs twice when summer time ends: give the "
            "times their time zone (tz_localize(tz, ambiguous='infer'))."
        )
    return message


def _check_finite(rows: Rows) -> None:
    infinite = np.flatnonzero(np.isinf(rows.values))
    if len(infinite):
        row = infinite[0]
        raise ValueError(
            f"series {rows.ids[rows.series[row]]!r} must be finite, got {rows.values[row]} at "
            f"{rows.times[rows.slots[row]]}. Replace it, or mark it as missing with NaN."
        )


def _own_freq(index: pd.Index) -> Any:
    """Return the frequency that an index carries, if a new index can be made from its alias."""
    freq = getattr(index, "freq", None) if isinstance(index, pd.DatetimeIndex) else None
    try:
        survives = freq is not None and pd.tseries.frequencies.to_offset(freq.freqstr) == freq
    except ValueError:
        survives = False
    return freq if survives else None


def _kind(index: pd.Index) -> str:
    zone = f" in {index.tz}" if isinstance(index, pd.DatetimeIndex) and index.tz else ""
    freq = f" of {index.freqstr}" if isinstance(index, pd.PeriodIndex) else ""
    return f"{type(index).__name__}{zone}{freq}"


def _not_a_table(y: Any, **columns: Hashable) -> str:
    module = type(y).__module__.split(".")[0]
    remedy = {
        "numpy": "Give it an index: pd.Series(y), or pd.DataFrame(y) for several series.",
        "polars": "Convert it: y.to_pandas().",
        "pyarrow": "Convert it: y.to_pandas().",
    }.get(module, "Convert it: pd.Series(y).")
    return f"`y` must be {_KINDS.format(**columns)}, got {short(y)}. {remedy}"
