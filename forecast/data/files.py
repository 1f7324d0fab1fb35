"""Files in and out: a CSV or parquet file becomes a frame that forecasters read.

How a CSV file is written is told by the data: `fields` finds the separator and the header,
`cells` reads numbers and times; here columns become times, series and names.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import IO

import pandas as pd

from forecast._checks import one_of, short
from forecast.data.cells import is_text, looks_like_a_number, read_values, symbols_of, usual_decimal
from forecast.data.dates import looks_like_a_time
from forecast.data.fields import MISSING, read_fields
from forecast.data.naming import naming, tell_names
from forecast.data.rows import cut_empty_end, each_row_once, each_time_once, warn
from forecast.data.time_columns import find_times, is_numbering, only_tells_time, telling
from forecast.data.unfolding import unfolded
from forecast.data.writing import replace_file

PARQUET = (".parquet", ".pq")


def read_file(
    path: str | PathLike[str],
    *,
    id_col: str | Sequence[str] | None = None,
    time_col: str | Sequence[str] | None = None,
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
        The column that names the series of a long table, or several that do so together. Default:
        "unique_id" if there is one, else the fewest columns that tell apart the rows of one time.
    time_col
        The column of times, or several: a date and a time of day; a year, its month, day, hour.
        Dates have their months as numbers or in English. Default: the first column of dates, with
        one of times of day; else years and what is finer; else a column of whole numbers in regular
        steps; else rows are counted. A column for each month of a year, or each hour of a day,
        becomes rows, unless the times are named here.
    target_col
        Default: all columns of numbers; in a long table "y", or the only one; where there is none,
        the only column of text whose words come again, which becomes categories.
    day_first
        Whether 01/02/2024 is in February. Default: what the dates allow; if they allow both, what
        makes them regular.
    decimal
        "," or ".". Default: what the numbers allow.

    Returns
    -------
    Series or DataFrame
        One column of values: a Series. Several: a wide frame. Long: a Series with an (id, time)
        MultiIndex, with a level for each column that names the series. Times are datetimes; periods
        where the file has years, quarters or months; or whole numbers. Rows without a value at the
        end are left out.

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
    ids, given = _listed(id_col), _listed(time_col)
    _check_columns(table, id_col=ids, time_col=given, target_col=_listed(target_col))
    table = _without_empty(table, keep={*ids, *given, *_listed(target_col)})
    decimal = _decimal(table, decimal)
    ids = ids or [name for name in ("unique_id",) if name in table]
    taken = {*ids, *_listed(target_col)}
    table, given = (table, given) if given else unfolded(table, ids, decimal)
    table = _without_numbering(table, given, taken)
    table = each_row_once(table, given, taken)
    times, keys = find_times(table, given, day_first, taken)
    numbers, texts = _sort_out(table, {*ids, *keys, target_col}, decimal)
    targets = [] if target_col is None else [target_col]
    if not ids and (ids := naming(table, texts, numbers, times)):
        texts, numbers = ([name for name in some if name not in ids] for some in (texts, numbers))
        tell_names(ids)
    if not targets:
        numbers = _without_repeats(table, numbers, times)
        targets = [_one_target(numbers)] if ids and numbers else numbers or symbols_of(table, texts)
        texts = [name for name in texts if name not in targets]
    _report_unused(texts, [name for name in numbers if name not in targets])
    if not targets:
        raise ValueError(
            f"a table must have a column of numbers beside the time, got {short(list(table))}. "
            "Mend the column that is meant, or name it with target_col."
        )
    if len(targets) > 1:
        warn(f"{len(targets)} series are read, a column each; target_col picks one.")
    rows = _join(table, ids, times, targets, decimal)
    rows = cut_empty_end(each_time_once(rows, ids, targets), ids, targets)
    frame = _indexed(rows, ids)
    return frame[targets[0]] if len(targets) == 1 else frame


def read_covariates(
    path: str | PathLike[str],
    like: pd.Series | pd.DataFrame,
    *,
    time_col: str | Sequence[str] | None = None,
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
    *ids, own = [str(name) for name in like.index.names]
    given = _listed(time_col) or [own]
    given = given if set(given) <= set(table) else []
    targets = [str(name) for name in ([like.name] if isinstance(like, pd.Series) else like)]
    for name in ids:
        if name not in table:
            raise ValueError(
                f"covariates must have the column {name!r}, which names the series, as the data "
                f"have, got {short(list(table))}. What all series share takes a row for each."
            )
    table = _without_empty(table, keep={*ids, *given})
    decimal = _decimal(table, decimal)
    if not given:
        table = _without_numbering(table, given, {*ids, *targets})
    table = each_row_once(table, given, {*ids, *targets})
    times, keys = find_times(table, given, day_first, {*ids, *targets})
    numbers, texts = _sort_out(table, {*ids, *keys, *targets}, decimal)
    _report_unused(texts, [])
    if not numbers:
        raise ValueError(
            "covariates must have a column of numbers beside the time, got "
            f"{short(list(table))}. Write the kinds of a text as columns of 0 and 1."
        )
    rows = _join(table, ids, times, numbers, decimal)
    return _indexed(each_time_once(rows, ids, numbers), ids)


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
    if not path.exists() or path.is_dir():  # a pipe is read, too
        raise FileNotFoundError(f"there is no file {str(path)!r}.")
    if path.suffix not in PARQUET:
        return read_fields(path)
    _needs_pyarrow(path.name)
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # what it says of itself can go wrong in any way
        raise ValueError(f"{path.name!r} is no parquet file, or it is damaged.") from error
    if not isinstance(table.index, pd.RangeIndex):
        depth = table.index.nlevels
        usual = (
            ["unique_id", "ds"] if depth == 2 else ["ds", *map("level {}".format, range(1, depth))]
        )
        names = [name or other for name, other in zip(table.index.names, usual, strict=True)]
        taken = [name for name in names if name in table or names.count(name) > 1]
        if taken:
            raise ValueError(
                f"{path.name!r} must name each column once: {short(taken[0])} occurs twice."
            )
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


def _listed(names: str | Sequence[str] | None) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else list(names)


def _check_columns(table: pd.DataFrame, **names: list[str]) -> None:
    times = [name for name in table.columns if _is_a_time(name)]
    if len(times) > len(table.columns) / 2:
        raise ValueError(
            f"times must run down the rows, got them as columns: {short(times)}. Transpose the "
            "table, a row for each time and a column for each series."
        )
    for argument, wanted in names.items():
        for name in wanted:
            if name not in table:
                raise ValueError(
                    f"`{argument}` must be a column of the table, got {short(name)}; its columns "
                    f"are {short(list(table))}."
                )


def _is_a_time(name: str) -> bool:
    year = name.isdecimal() and len(name) == 4
    return year or looks_like_a_time(pd.Series([name], dtype=object))


def _without_empty(table: pd.DataFrame, keep: set[str]) -> pd.DataFrame:
    """Drop the columns without any cell, unless they are asked for or one other is left."""
    empty = [name for name in table.columns if table[name].isna().all() and name not in keep]
    if not empty or len(empty) > table.shape[1] - 2:
        return table
    _tell_left_out(empty, "no cell is filled")
    return table.drop(columns=empty)


def _without_numbering(table: pd.DataFrame, given: list[str], taken: set[str]) -> pd.DataFrame:
    """Drop the columns that number the rows, as `to_csv` does, where others tell the time."""
    taken = {*taken, *given}
    numbering = [name for name in table.columns if name not in taken and is_numbering(table[name])]
    rest = table.drop(columns=numbering)
    if not numbering or not (given or telling(rest, taken)):
        return table
    _tell_left_out(numbering, "the numbers of the rows")
    return rest


def _without_repeats(table: pd.DataFrame, numbers: list[str], times: pd.Series) -> list[str]:
    """Return the columns of numbers that say more than the times do."""
    repeats = [name for name in numbers if only_tells_time(table[name], times)]
    if not repeats or len(repeats) == len(numbers):
        return numbers
    _tell_left_out(repeats, "the time says it too")
    return [name for name in numbers if name not in repeats]


def _decimal(table: pd.DataFrame, given: str | None) -> str:
    return usual_decimal(table) if given is None else str(one_of("decimal", given, (",", ".")))


def _sort_out(
    table: pd.DataFrame, keys: set[str | None], decimal: str
) -> tuple[list[str], list[str]]:
    """Return the columns of numbers and those of text, without the given ones."""
    names = [name for name in table.columns if name not in keys]
    numbers = [name for name in names if looks_like_a_number(table[name], decimal)]
    return numbers, [name for name in names if name not in numbers]


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
            warn(f"column{s} {listed} ({kind}) {'are' if s else 'is'} not used.")


def _tell_left_out(names: list[str], why: str) -> None:
    listed, s = ", ".join(map(repr, names)), "s" if len(names) > 1 else ""
    warn(f"column{s} {listed} left out: {why}.")


def _join(
    table: pd.DataFrame, ids: list[str], times: pd.Series, names: list[str], decimal: str
) -> pd.DataFrame:
    """Return ids, times and values, in order of time."""
    for name in ids:
        if (absent := table.index[table[name].isna()]).size:
            raise ValueError(
                f"each row must name its series: column {short(name)} is empty in "
                f"{table.index.name} {absent[0]} ({len(absent)} such rows). Fill or remove it."
            )
    keys = {name: table[name] for name in ids} | {str(times.name): times}
    values = {name: read_values(table[name], decimal) for name in names}
    rows = pd.DataFrame({**keys, **values})
    return rows.sort_values(str(times.name), kind="stable")


def _indexed(rows: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    if ids:
        return rows.set_index(list(rows.columns[: len(ids) + 1]))
    time_col = str(rows.columns[0])
    return rows.set_index(time_col).rename_axis(index=time_col or None)
