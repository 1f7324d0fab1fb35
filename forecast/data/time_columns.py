"""Which columns of a table tell the time: one, or several together such as a date and an hour."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from forecast._checks import ForecastWarning, short
from forecast.data.cells import (
    WHOLE,
    all_match,
    is_text,
    looks_like_a_number,
    some,
    whole_numbers,
)
from forecast.data.dates import has_foreign_months, looks_like_a_time, read_times
from forecast.data.numbered_times import calendar_name
from forecast.data.time_parts import (
    CLOCK,
    NEARLY_ALL,
    PARTS,
    counts_a_day,
    is_within,
    part_number,
    part_numbers,
    part_of,
    plain_word,
    within_the_day,
)

# What a column of whole numbers must be called to be the time though it is not in order.
_BARE = ("ds", "step", "t")
_TIMES = ("", "index", "period", "time", "date_time", *_BARE)
# Which parts tell a time together.
_SHAPES = (
    ("year", "month", "day", "hour", "minute"),
    ("year", "month", "day", "hour"),
    ("year", "month", "day"),
    ("year", "week"),
    ("year", "month"),
    ("year", "quarter"),
)
# How names end that are those of times: "Order date", "timestamp_utc", but not "timezone".
_CALLED = re.compile(
    r"(?:date|datum|day|time|month|week|year|stamp|epoch|unix|period)"
    r"(?:of[a-z]+|no|nr|num|number|utc|cet|gmt|local)?$"
)
_ENOUGH_TO_SORT = 12  # rows from which on numbers that count may be in any order


def find_times(
    table: pd.DataFrame,
    given: Sequence[str],
    day_first: bool | None,
    taken: Collection[str],
) -> tuple[pd.Series, list[str]]:
    """Return the times of all rows, and the columns that tell them.

    Parameters
    ----------
    table
        Columns of text or of times, with the lines as index.
    given
        The columns that the user named, or none.
    day_first
        Whether 01/02/2024 is in February.
    taken
        Columns that hold something else.

    Raises
    ------
    ValueError
        If a cell is no time, or columns do not tell a time together.

    Examples
    --------
    >>> table = pd.DataFrame({"Day": ["31/1/2024"] * 2, "Hour": ["0", "1"]}, dtype=object)
    >>> times, columns = find_times(table, ["Day", "Hour"], None, [])
    >>> times.astype(str).tolist(), times.name
    (['2024-01-31 00:00:00', '2024-01-31 01:00:00'], 'Day Hour')
    """
    names = list(given) or telling(table, taken)
    if not names:
        _warn("no column holds times: rows are counted 0, 1, 2, ...; if some do: time_col.")
        return pd.Series(np.arange(len(table)), table.index, name="ds"), []
    if len(names) == 1:
        return read_times(table[names[0]], day_first), names
    if not given:
        _warn(f"columns {', '.join(map(repr, names))} together tell the time.")
    times = _together(table[names], day_first)
    return times.rename(" ".join(names)), names


def telling(table: pd.DataFrame, taken: Collection[str] = ()) -> list[str]:
    """Return the columns that tell the time, none if there are none.

    These are a column "ds"; the first column of dates, with one of times of day if the dates have
    none; a year with its month, day and hour; or a column of whole numbers that count.

    Raises
    ------
    ValueError
        If none is, and text that is called like a time cannot be read as one.
    """
    names = [name for name in table.columns if name not in taken]
    if "ds" in names:
        return ["ds"]
    for name in names:
        if looks_like_a_time(table[name]):
            return [name, *_time_of_day(table, name, names)]
    parts = _parts(table, names)
    if len(parts) > 1:
        return parts
    counting = _counting(table, names) if len(names) + len(taken) > 1 else []
    if not any(map(_called_like_a_time, counting)):
        for name in names:
            _refuse_unread(table[name])
    return counting


def _called_like_a_time(name: object) -> bool:
    """Tell whether a column is called like a time or a part of one, not only after it."""
    word = plain_word(name)
    return part_of(name) is not None or word in _BARE or bool(_CALLED.search(word))


def is_numbering(column: pd.Series) -> bool:
    """Tell whether a column numbers the rows, as `to_csv` does; it need not be complete."""
    whole = whole_numbers(column)
    named = re.fullmatch(
        r"|unnamed: ?\d+|index|no\.?|nr\.?|#|row|rownames|row_?number|instant|id",
        str(column.name).lower(),
    )
    if named is None or whole is None or not whole.is_unique:
        return False
    return bool(whole.is_monotonic_increasing) if str(column.name) else True


def only_tells_time(column: pd.Series, times: pd.Series) -> bool:
    """Tell whether a column of numbers repeats what the times say: the year, the weekday, ...

    Examples
    --------
    >>> times = pd.Series(pd.date_range("2024-01-30", periods=4))
    >>> only_tells_time(pd.Series(["1", "1", "2", "2"], name="mnth", dtype=object), times)
    True
    """
    at = times.dt.to_timestamp() if isinstance(times.dtype, pd.PeriodDtype) else times
    if not pd.api.types.is_datetime64_any_dtype(at.dtype):
        return False
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any():
        return False
    year = (numbers - at.dt.year - (at.dt.day_of_year - 1) / 365.25).abs().max()
    if year < 0.09 and (numbers % 1 != 0).any():
        return True
    weekday = plain_word(column.name) in ("weekday", "dow", "dayofweek", "wday")
    part = "weekday" if weekday else part_of(column.name)
    if part is None:
        return False
    part = "day_of_week" if part == "weekday" else part
    stands = at.dt.isocalendar().week if part == "week" else getattr(at.dt, part)
    shift = np.unique((numbers - stands.astype(float)) % (7 if part == "day_of_week" else np.inf))
    return len(shift) == 1


def _time_of_day(table: pd.DataFrame, date: str, names: list[str]) -> list[str]:
    """Return the column that holds the times of day of a column of dates, if one does."""
    dates = table[date]
    if not is_text(dates) or some(dates).str.contains(":").any() or dates.is_unique:
        return []
    for name in names:
        if is_text(table[name]) and all_match(table[name], CLOCK):
            return [name]
    hours = [n for n in names if _holds(table, n, "hour") or counts_a_day(table[n])]
    # An hour that does not tell apart the rows of a day is something else.
    return [name for name in hours if not table[[date, name]].isna().any(axis=None)][:1]


def _parts(table: pd.DataFrame, names: list[str]) -> list[str]:
    """Return the columns of a year and what is finer, in order, by their names or their values."""
    held = {part: name for name in reversed(names) for part in PARTS if _holds(table, name, part)}
    for shape in _SHAPES:
        if held.keys() >= set(shape):
            return [held[part] for part in shape]
    return _headless_parts(table, names)


def _headless_parts(table: pd.DataFrame, names: list[str]) -> list[str]:
    """Return year, month and maybe day, if they lead a table without a header."""
    leading = [name for name in names[:3] if re.fullmatch(r"column \d+", name)]
    parts = [
        name
        for name, part in zip(leading, ("year", "month", "day"), strict=False)
        if is_within(table[name], part)
    ]
    if parts != leading[: len(parts)] or len(parts) < 2:
        return []
    for count in (2, 3):
        if len(parts) >= count and not table.duplicated(parts[:count]).any():
            return parts[:count]
    return []


def _holds(table: pd.DataFrame, name: str, part: str) -> bool:
    # Cells below the first of a year may be empty, as merged ones are: these are named later.
    return part_of(name) == part and is_within(table[name].dropna(), part)


def _counting(table: pd.DataFrame, names: list[str]) -> list[str]:
    """Return a column of whole numbers in regular steps, or one called like a time."""
    for name in names:
        column = table[name]
        if has_foreign_months(column):
            raise ValueError(
                f"column {short(name)} must have months as numbers or in English to be the time, "
                f"got {short(column.iloc[0])}. Write 2024-01-31; or, if it names the series, say "
                "so: id_col."
            )
        called = calendar_name(name) or name.lower() in _TIMES
        if called and _are_nearly_whole(column):
            return [name]
        whole = whole_numbers(column)
        if whole is not None:
            return [name] if called or _counts(whole) else []
        if looks_like_a_number(column):
            return [name] if called and _are_decimal_times(column) else []
    return []


def _refuse_unread(column: pd.Series) -> None:
    """Refuse text that seems to be the time in an unknown form; "Week 7" and clocks only count."""
    if not is_text(column) or column.isna().any() or not _called_like_a_time(column.name):
        return
    cells = some(column)
    if all_match(cells, CLOCK):
        return
    if cells.str.contains(r"\d").all() and not cells.str.fullmatch(r"\D*\d+(?:[.,]\d+)?").any():
        raise ValueError(
            f"column {short(column.name)} must hold times such as 2024-01-31, 2024-W05 or 2024Q1 "
            f"to be the time, got {short(column.iloc[0])}. Write it so, or leave the column out "
            "where rows are to be counted; or, if it names the series, say so: id_col."
        )


def _counts(whole: pd.Series) -> bool:
    """Tell whether numbers are distinct and mostly one step apart; a few also in order of rows."""
    if len(whole) < _ENOUGH_TO_SORT and not whole.is_monotonic_increasing:
        return False
    steps = np.diff(np.sort(whole))
    return bool((steps > 0).all()) and 2 * (steps == np.median(steps)).sum() > len(steps) > 0


def _are_nearly_whole(column: pd.Series) -> bool:
    """Tell whether few cells are missing or words among whole numbers: these are named later."""
    return is_text(column) and bool(
        some(column.fillna("")).str.fullmatch(WHOLE).mean() > NEARLY_ALL
    )


def _are_decimal_times(column: pd.Series) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ForecastWarning)
            read_times(column)
    except ValueError:
        return False
    return True


def _together(table: pd.DataFrame, day_first: bool | None) -> pd.Series:
    """Return the times that several columns tell together."""
    first, *rest = table.columns
    if is_within(table[first], "year"):
        return _from_year(table)
    days = read_times(table[first], day_first)
    if pd.api.types.is_datetime64_any_dtype(days.dtype) and len(rest) == 1:
        return days + within_the_day(table[rest[0]])
    raise ValueError(
        "columns together tell the time if they are a date and a time of day, or a year and its "
        f"month, day and hour, got {short(list(table.columns))}. Name one, or these, as time_col."
    )


def _from_year(table: pd.DataFrame) -> pd.Series:
    """Return periods of a year and its month or quarter; with anything finer, datetimes."""
    kinds = ["year", *(_kind(table[name], place) for place, name in enumerate(table.columns[1:]))]
    if len(kinds) == 2 and part_of(table.columns[1]) is None and _are_quarters(table):
        kinds[1] = "quarter"
    numbers = {
        kind: part_number(table[name], kind)
        for kind, name in zip(kinds, table.columns, strict=True)
    }
    year = numbers["year"].astype(str)
    if kinds == ["year", "month"]:
        return read_times(year + "-" + numbers["month"].astype(str))
    if kinds == ["year", "quarter"]:
        return read_times(year + "Q" + numbers["quarter"].astype(str))
    if kinds == ["year", "week"]:
        return read_times(year + "-W" + numbers["week"].astype(str).str.zfill(2))
    if kinds[1:3] != ["month", "day"]:
        raise ValueError(
            "columns together tell the time if they are a year and its month, quarter or week, or "
            f"its month, day, hour and minute, got {list(table.columns)}. Name such as time_col."
        )
    text = year + "-" + numbers["month"].astype(str) + "-" + numbers["day"].astype(str)
    times = read_times(text.rename(" ".join(table.columns[:3])))
    for kind in kinds[3:]:
        times = times + numbers[kind] * pd.Timedelta(1, unit="h" if kind == "hour" else "min")
    return times


def _kind(column: pd.Series, place: int) -> str:
    """Return the part of a time that a column holds: by its name, else by its place after years."""
    return part_of(column.name) or ("month", "day", "hour", "minute")[min(place, 3)]


def _are_quarters(table: pd.DataFrame) -> bool:
    """Tell whether what stands beside several years ends at four."""
    years, parts = (part_numbers(table[name], part) for name, part in
                    zip(table.columns, ("year", "month"), strict=True))  # fmt: skip
    return bool(parts.max() <= 4 and years.min() < years.max())


def _warn(message: str) -> None:
    warnings.warn(message, ForecastWarning, stacklevel=4)
