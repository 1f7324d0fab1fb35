"""Frames of other libraries (polars, pyarrow, ...), seen through narwhals column by column.

Columns of numbers and times are looked at where they lie; nothing here copies a whole frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast._checks import short

if TYPE_CHECKING:
    import narwhals as nw

_ROWS_AT_ONCE = 1_000_000


def foreign(table: Any) -> nw.DataFrame[Any] | None:
    """Return a frame of another library than pandas as narwhals shows it, else None."""
    if isinstance(table, pd.Series | pd.DataFrame | np.ndarray | list | tuple):
        return None
    import narwhals as nw

    seen = nw.from_native(table, eager_only=True, pass_through=True)
    return seen if isinstance(seen, nw.DataFrame) else None


def backend_of(frame: nw.DataFrame[Any]) -> str:
    """Return the name of the library of a frame, for `build`."""
    return str(frame.implementation.value)


def holds_dates(frame: nw.DataFrame[Any], column: str) -> bool:
    """Tell whether a column holds dates without a time of day."""
    return str(frame.schema[column]) == "Date"


def to_pandas(frame: nw.DataFrame[Any], columns: list[str]) -> pd.DataFrame:
    """Return columns of a frame as a pandas frame; text becomes categories, structs tuples."""
    return pd.DataFrame({name: _column(frame[name]) for name in columns}, copy=False)


def pandas_table(table: Any, id_col: Any, time_col: str) -> Any:
    """Return a table of another library as the pandas table it stands for, any other unchanged.

    Parameters
    ----------
    table
        Long if it has a column of `id_col`; else its times become the index, and if one column is
        left a Series.
    id_col, time_col
        The columns of ids and times.
    """
    frame = foreign(table)
    names = [id_col] if isinstance(id_col, str) else id_col
    if frame is None or not {time_col, *names} & set(frame.columns):
        return table
    rows = to_pandas(frame, frame.columns)
    if ids := [name for name in names if name in rows]:
        return rows.astype({name: str for name in ids if rows[name].dtype == "category"})
    rows = rows.set_index(time_col)
    return rows.iloc[:, 0] if rows.shape[1] == 1 else rows


def float_type(frame: nw.DataFrame[Any], columns: list[str]) -> np.dtype:
    """Return float32 if all columns are, else float64.

    Raises
    ------
    TypeError
        If a column does not hold real numbers.
    """
    import narwhals as nw

    schema = frame.schema
    kinds = {name: schema[name] for name in columns}
    for name, kind in kinds.items():
        if not (kind.is_numeric() or kind == nw.Boolean):
            raise TypeError(
                f"column {short(name)} must hold real numbers, got {kind}; convert it, or, if it "
                "names the series of a long frame, pass id_col=, time_col= and target_col=."
            )
    single = all(kind == nw.Float32 for kind in kinds.values())
    return np.dtype(np.float32 if single else np.float64)


def values(frame: nw.DataFrame[Any], columns: list[str], dtype: np.dtype) -> np.ndarray:
    """Return columns of numbers as one array (rows, columns), NaN where missing."""
    return frame.select(columns).to_numpy().astype(dtype, copy=False)


def with_columns(table: Any, columns: Mapping[Any, pd.Series]) -> Any:
    """Return a table of another library with numbers in place of some of its columns."""
    import narwhals as nw

    frame = nw.from_native(table, eager_only=True)
    backend: Any = backend_of(frame)
    made = [
        nw.new_series(str(name), column.to_numpy(), backend=backend)
        for name, column in columns.items()
    ]
    return frame.with_columns(*made).to_native()


def from_pandas(table: pd.Series | pd.DataFrame, backend: str, *, dates: bool = False) -> Any:
    """Return a pandas table as a frame of a library; the named levels of its index come first.

    Parameters
    ----------
    table
        Columns of two levels become "upper_lower". Tuples, the ids of series that several columns
        name, become structs.
    backend
        The name of the library; "pandas" leaves the table as it is.
    dates
        Whether its times are dates without a time of day.

    Examples
    --------
    >>> scores = pd.DataFrame({"mae": [0.5]}, pd.Index(["naive"], name="model"))
    >>> from_pandas(scores, "pyarrow").to_pydict()
    {'model': ['naive'], 'mae': [0.5]}
    """
    if backend == "pandas":
        return table
    columns: dict[Any, pd.Index] = {
        name: table.index.get_level_values(level)
        for level, name in enumerate(table.index.names)
        if name is not None
    }
    frame = table.to_frame() if isinstance(table, pd.Series) else table
    for place, label in enumerate(frame.columns):
        name = "_".join(map(str, label)) if frame.columns.nlevels > 1 else label
        columns[name] = pd.Index(frame.iloc[:, place])
    made = [_built(str(name), values, backend, dates) for name, values in columns.items()]
    return made[0].to_frame().with_columns(*made[1:]).to_native()


def like(table: pd.DataFrame, given: Any) -> Any:
    """Return a pandas table as a frame of the library of a given one."""
    frame = foreign(given)
    if frame is None:
        return table
    kinds = {str(kind).split("(")[0] for kind in frame.schema.values()}
    # hours stay hours, whatever dates stand beside them
    return from_pandas(table, backend_of(frame), dates="Date" in kinds and "Datetime" not in kinds)


def _built(name: str, values: pd.Index, backend: Any, dates: bool) -> nw.Series[Any]:
    import narwhals as nw

    if isinstance(values, pd.DatetimeIndex):
        column = _times(name, values, backend)
        return column.cast(nw.Date) if dates else column
    array = np.asarray(values)
    listed: Any = array
    if array.dtype == object:
        listed = [_struct(value) if isinstance(value, tuple) else value for value in array.tolist()]
    floats = {"float32": nw.Float32(), "float64": nw.Float64()}
    return nw.new_series(name, listed, dtype=floats.get(str(array.dtype)), backend=backend)


def _struct(key: tuple[Any, ...]) -> dict[str, Any]:
    return {f"field_{place}": value for place, value in enumerate(key)}


def _times(name: str, times: pd.DatetimeIndex, backend: Any) -> nw.Series[Any]:
    import narwhals as nw

    utc = times if times.tz is None else times.tz_convert("UTC").tz_localize(None)
    unit: Any = "ms" if times.unit == "s" else times.unit
    values = utc.as_unit(unit).to_numpy()
    column = nw.new_series(name, values, dtype=nw.Datetime(unit), backend=backend)
    if times.tz is None:
        return column
    return column.dt.replace_time_zone("UTC").dt.convert_time_zone(str(times.tz))


def _column(column: nw.Series[Any]) -> Any:
    import narwhals as nw

    kind = column.dtype
    if kind in (nw.String, nw.Categorical, nw.Enum):
        return _categories(column.cast(nw.String))
    if kind in (nw.Boolean, nw.Decimal) or (kind.is_integer() and column.null_count()):
        return column.cast(nw.Float64).to_numpy()
    if kind == nw.Datetime:
        values = column.to_numpy()
        zone = getattr(kind, "time_zone", None)
        times = pd.DatetimeIndex(values)
        if zone is None:
            return times
        return (times if times.tz else times.tz_localize("UTC")).tz_convert(zone)
    if kind == nw.Date:
        return pd.DatetimeIndex(column.to_numpy())
    if kind == nw.Struct:
        return pd.Series([tuple(key.values()) for key in column.to_list()], dtype=object)
    return column.to_numpy()


def _categories(column: nw.Series[Any]) -> pd.Categorical:
    """Return text as codes: a string per row would take more memory than the frame."""
    import narwhals as nw

    starts = range(0, len(column), _ROWS_AT_ONCE)
    few = [column[first : first + _ROWS_AT_ONCE].unique().to_frame() for first in starts]
    values = nw.concat(few)[column.name].unique().drop_nulls().sort().to_list() if few else []
    codes = np.empty(len(column), dtype=np.int32)
    for first in starts:
        part = column[first : first + _ROWS_AT_ONCE]
        known = part.fill_null(values[0]) if values else part[:0]
        numbered = known.replace_strict(values, list(range(len(values))), return_dtype=nw.Int32)
        empty = part.is_null().to_numpy()
        codes[first : first + len(part)] = np.where(empty, -1, numbered.to_numpy() if values else 0)
    return pd.Categorical.from_codes(codes, categories=pd.Index(values, dtype=object))
