"""Files in and out: a CSV or parquet file becomes a frame that forecasters read.

How a CSV file is written is told by the data: `fields` finds the separator and the header,
`cells` reads numbers and times; here columns become times, series and names.
"""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from forecast._checks import ForecastWarning, one_of, short
from forecast.data.cells import (
    has_foreign_months,
    is_text,
    looks_like_a_number,
    looks_like_a_time,
    read_numbers,
    read_times,
    usual_decimal,
    whole_numbers,
)
from forecast.data.fields import MISSING, read_fields
from forecast.data.writing import replace_file

PARQUET = (".parquet", ".pq")
# What a column of whole numbers must be called to be the time though it is not in order.
_TIMES = ("", "ds", "date", "day", "index", "month", "period", "step", "t", "time", "week", "year")


def read_file(
    path: str | PathLike[str],
    *,
    id_col: str | None = None,
    time_col: str | None = None,
    target_col: str | None = None,
    day_first: bool | None = None,
    decimal: str | None = None,
) -> pd.Series | pd.DataFrame:
    r"""Read a table of times and values, whatever way it is written.

    Rows need no order. Separator, decimal mark, thousands separators, encoding, header and the form
    of the times are told by the data. What is left out or assumed is told by a `ForecastWarning`.

    Parameters
    ----------
    path
        A CSV file, or by its ending a parquet file.
    id_col
        The column that names the series of a long table. Default: "unique_id" if there is one, else
        a column of text that tells apart the rows of one time.
    time_col
        Dates have their months as numbers or in English. Default: the first column of dates, else a
        column of whole numbers in regular steps, else rows are counted.
    target_col
        Default: all columns of numbers; in a long table "y", or the only one.
    day_first
        Whether 01/02/2024 is in February. Default: what the dates allow; if they allow both, what
        makes them regular.
    decimal
        "," or ".". Default: what the numbers allow.

    Returns
    -------
    Series or DataFrame
        One column of values: a Series. Several: a wide frame. Long: a Series with an (id, time)
        MultiIndex. Times are datetimes; periods where the file has years, quarters or months; or
        whole numbers. Rows without a value at the end are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds no such table; the message names the column and the line.
    ImportError
        If a parquet file is to be read and pyarrow is not installed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "load.csv"
    ...     _ = file.write_text("day;load\n30.01.2024;1.250,5\n31.01.2024;1.300\n")
    ...     read_file(file)
    day
    2024-01-30    1250.5
    2024-01-31    1300.0
    Name: load, dtype: float64
    """
    table = _open(Path(path))
    _check_columns(table, id_col=id_col, time_col=time_col, target_col=target_col)
    decimal = _decimal(table, decimal)
    id_col = "unique_id" if id_col is None and "unique_id" in table else id_col
    time_col = _time_column(table, {id_col, target_col}) if time_col is None else time_col
    times = _times(table, time_col, day_first)
    numbers, texts = _sort_out(table, {id_col, time_col, target_col}, decimal)
    if id_col is None and (id_col := _naming(table, texts, times)) is not None:
        texts.remove(id_col)
        _warn(f"column {id_col!r} names the series.")
    targets = numbers if target_col is None else [target_col]
    if id_col is not None:
        targets = [_one_target(targets)]
    _report_unused(texts, [name for name in numbers if name not in targets])
    if not targets:
        raise ValueError(
            f"a table must have a column of numbers beside the time, got {short(list(table))}. "
            "Mend the column that is meant, or name it with target_col."
        )
    rows = _cut_empty_end(_join(table, id_col, times, targets, decimal), id_col, targets)
    frame = _indexed(rows, id_col)
    return frame[targets[0]] if len(targets) == 1 else frame


def read_covariates(
    path: str | PathLike[str],
    like: pd.Series | pd.DataFrame,
    *,
    time_col: str | None = None,
    day_first: bool | None = None,
    decimal: str | None = None,
) -> pd.DataFrame:
    """Read the covariates of a target: the columns of numbers, matched to it by time.

    Parameters
    ----------
    path
        As in `read_file`; it may be the file of the target itself, whose columns are skipped.
    like
        The target, as `read_file` returned it.
    time_col, day_first, decimal
        As in `read_file`.

    Returns
    -------
    DataFrame
        Indexed by time, or as a long target by id and time.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        As in `read_file`.
    """
    table = _open(Path(path))
    names = [None if name is None else str(name) for name in like.index.names]
    id_col, own = names if len(names) == 2 else (None, names[0])
    time_col = next((name for name in (time_col, own) if name in table), None)
    targets = [str(name) for name in ([like.name] if isinstance(like, pd.Series) else like)]
    _check_columns(table, id_col=id_col)
    time_col = _time_column(table, {id_col, *targets}) if time_col is None else time_col
    decimal = _decimal(table, decimal)
    times = _times(table, time_col, day_first)
    numbers, texts = _sort_out(table, {id_col, time_col, *targets}, decimal)
    _report_unused(texts, [])
    if not numbers:
        raise ValueError(
            f"covariates must have a column of numbers beside the time, got {short(list(table))}."
        )
    return _indexed(_join(table, id_col, times, numbers, decimal), id_col)


def write_file(table: pd.DataFrame, path: str | PathLike[str] | IO[str]) -> None:
    """Write a table as CSV, or by the ending of its name as parquet; the index is left out.

    Parameters
    ----------
    table
        What to write.
    path
        A file, replaced as a whole, or an open text stream.

    Raises
    ------
    OSError
        If the file cannot be written.
    ImportError
        If a parquet file is to be written and pyarrow is not installed.
    """
    if isinstance(path, str | PathLike) and Path(path).suffix in PARQUET:
        _needs_pyarrow(Path(path).name)
        replace_file(path, table.to_parquet(index=False))
        return
    # Ten digits: more than any forecast is worth, and none of the noise of binary fractions.
    text = table.to_csv(index=False, float_format="%.10g", lineterminator="\n")
    if isinstance(path, str | PathLike):
        replace_file(path, text.encode(errors="backslashreplace"))
    else:
        path.write(text)


def _open(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}.")
    if path.suffix not in PARQUET:
        return read_fields(path)
    _needs_pyarrow(path.name)
    try:
        table = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path.name!r} is no parquet file, or it is damaged.") from error
    if not isinstance(table.index, pd.RangeIndex):
        names = [name or "ds" for name in table.index.names]
        table = table.reset_index(names=names)
    if not len(table):
        raise ValueError(f"{path.name!r} must hold rows of times and values, got none.")
    for name in table.columns[[is_text(table[name]) for name in table.columns]]:
        cells = table[name].astype(object)
        cells = cells.where(cells.isna(), cells.map(str).str.strip())
        table[name] = cells.mask(cells.str.lower().isin(MISSING)).astype(object)
    table.index.name = "row"
    return table.rename(columns=str)


def _needs_pyarrow(name: str) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{name!r} needs pyarrow: pip install 'forecast[parquet]', or use CSV."
        ) from error


def _check_columns(table: pd.DataFrame, **names: str | None) -> None:
    years = [name for name in table.columns if name.isdecimal() and len(name) == 4]
    if len(years) > len(table.columns) / 2:
        raise ValueError(
            f"times must run down the rows, got them as columns: {short(years)}. Transpose the "
            "table, a row for each time and a column for each series."
        )
    for argument, name in names.items():
        if name is not None and name not in table:
            raise ValueError(
                f"`{argument}` must be a column of the table, got {name!r}; its columns are "
                f"{short(list(table))}."
            )


def _decimal(table: pd.DataFrame, given: str | None) -> str:
    return usual_decimal(table) if given is None else str(one_of("decimal", given, (",", ".")))


def _time_column(table: pd.DataFrame, taken: set[str | None]) -> str | None:
    """Return the first column of dates, else one of whole numbers that count, else None."""
    names = [name for name in table.columns if name not in taken]
    if "ds" in names:
        return "ds"
    dates = [name for name in names if looks_like_a_time(table[name])]
    if dates or len(names) + len(taken - {None}) < 2:
        return dates[0] if dates else None
    for name in names:
        if has_foreign_months(table[name]):
            raise ValueError(
                f"column {name!r} must have months as numbers or in English to be the time, got "
                f"{table[name].iloc[0]!r}. Write 2024-01-31; or, if it names the series, say so: "
                "id_col."
            )
        whole = whole_numbers(table[name])
        if whole is not None:
            steps = np.diff(whole)
            counts = (steps > 0).all() and 2 * (steps == np.median(steps)).sum() > len(steps) > 0
            return name if counts or name.lower() in _TIMES else None
        if looks_like_a_number(table[name], "."):
            return None
    return None


def _times(table: pd.DataFrame, time_col: str | None, day_first: bool | None) -> pd.Series:
    if time_col is not None:
        return read_times(table[time_col], day_first)
    _warn("no column holds times: rows are counted 0, 1, 2, ...")
    return pd.Series(np.arange(len(table)), table.index, name="ds")


def _sort_out(
    table: pd.DataFrame, keys: set[str | None], decimal: str
) -> tuple[list[str], list[str]]:
    """Return the columns of numbers and those of text, without the given ones."""
    names = [name for name in table.columns if name not in keys]
    numbers = [name for name in names if looks_like_a_number(table[name], decimal)]
    return numbers, [name for name in names if name not in numbers]


def _naming(table: pd.DataFrame, texts: list[str], times: pd.Series) -> str | None:
    """Return the column of text that tells apart the rows of one time, if times repeat."""
    distinct = ~table.duplicated()
    if not times[distinct].duplicated().any():
        return None
    for name in texts:
        keys = pd.DataFrame({"id": table[name], "time": times})[distinct]
        if keys["id"].notna().all() and not keys.duplicated().any():
            return name
    return None


def _one_target(candidates: list[str]) -> str:
    if len(candidates) == 1 or "y" in candidates:
        return "y" if "y" in candidates else candidates[0]
    raise ValueError(
        f"a long table must have one column of values, got {short(candidates)}. Name it with "
        "target_col."
    )


def _report_unused(texts: list[str], numbers: list[str]) -> None:
    for names, kind in ((texts, "text"), (numbers, "numbers")):
        if names:
            listed, s = ", ".join(map(repr, names)), "s" if len(names) > 1 else ""
            _warn(f"column{s} {listed} ({kind}) {'are' if s else 'is'} not used.")


def _join(
    table: pd.DataFrame, id_col: str | None, times: pd.Series, names: list[str], decimal: str
) -> pd.DataFrame:
    """Return ids, times and values, in order of time, every time once."""
    keys = {} if id_col is None else {id_col: table[id_col]}
    keys[str(times.name)] = times
    if id_col is not None and (absent := table.index[table[id_col].isna()]).size:
        raise ValueError(
            f"each row must name its series: column {id_col!r} is empty in "
            f"{table.index.name} {absent[0]}."
        )
    values = {name: read_numbers(table[name], decimal) for name in names}
    rows = pd.DataFrame({**keys, **values})
    twice = rows.duplicated()
    if twice.any():
        _warn(f"{_rows(int(twice.sum()))} left out: copies of other rows.")
        rows = rows[~twice]
    _check_once(rows, list(keys), names)
    return rows.sort_values(str(times.name), kind="stable").reset_index(drop=True)


def _check_once(rows: pd.DataFrame, keys: list[str], names: list[str]) -> None:
    again = rows[rows.duplicated(keys, keep=False)]
    if not len(again):
        return
    same = (again[keys] == again[keys].iloc[0]).all(axis=1)
    first, second = again[same].iloc[0], again[same].iloc[1]
    name = next(name for name in names if first[name] != second[name])
    time = str(first[keys[-1]]).removesuffix(" 00:00:00")
    of = f" of series {first[keys[0]]!r}" if len(keys) > 1 else ""
    raise ValueError(
        f"column {name!r} must have one value per time{of}, got {first[name]:.10g} and "
        f"{second[name]:.10g} at {time} ({rows.index.name} {first.name} and "
        f"{second.name}). Keep one or aggregate them; if a column names the series of a long "
        "table, say which: id_col."
    )


def _cut_empty_end(rows: pd.DataFrame, id_col: str | None, targets: list[str]) -> pd.DataFrame:
    """Drop the rows after the last value of each series: the future, kept open for covariates."""
    backwards = rows[targets].notna().any(axis=1)[::-1]
    ids = pd.Series(0, rows.index) if id_col is None else rows[id_col]
    keep = backwards.groupby(ids[::-1]).cummax()[::-1]
    if not keep.any():
        raise ValueError(f"column {targets[0]!r} must hold a value, got empty cells only.")
    if not keep.all():
        _warn(f"{_rows(int((~keep).sum()))} left out: without a value, at the end.")
    return rows[keep].reset_index(drop=True)


def _indexed(rows: pd.DataFrame, id_col: str | None) -> pd.DataFrame:
    if id_col is not None:
        return rows.set_index(list(rows.columns[:2]))
    time_col = str(rows.columns[0])
    return rows.set_index(time_col).rename_axis(index=time_col or None)


def _rows(count: int) -> str:
    return f"{count} row{'s are' if count > 1 else ' is'}"


def _warn(message: str) -> None:
    warnings.warn(message, ForecastWarning, stacklevel=3)
