"""Tables with a column for each month of a year, or each part of a day, become rows of times."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection

import pandas as pd

from forecast._checks import ForecastWarning, short
from forecast.data.cells import looks_like_a_number, whole_numbers
from forecast.data.time_columns import telling
from forecast.data.time_parts import MONTHS

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::00)?")
_PARTS_OF_A_DAY = (48, 96, 144, 288)
_HOUR = re.compile(r"(?:h|hour|hr|he)?[ _]?(\d{1,2})(?::00)?")


def unfolded(
    table: pd.DataFrame, ids: Collection[str] = (), decimal: str = "."
) -> tuple[pd.DataFrame, list[str]]:
    """Return a table with a row per month, quarter or part of a day, if it has a column for each.

    Other tables stay as they are. Numbers beside these columns, such as a yearly mean, are left
    out; text is kept, for it may name series, and so are whole numbers where text names too few.

    Parameters
    ----------
    table
        Columns of text.
    ids
        Columns that name series.
    decimal
        The decimal mark of the numbers.

    Returns
    -------
    table, columns
        The columns are those that tell the time together, [] of a table that stays as it is.

    Examples
    --------
    >>> months = {f"{name}.": [str(k), str(k + 1)] for k, name in enumerate(MONTHS)}
    >>> with warnings.catch_warnings(action="ignore"):
    ...     rows, _ = unfolded(pd.DataFrame({"Year": ["2023", "2024"]} | months, dtype=object))
    >>> rows.shape, rows.iloc[12].tolist()
    ((24, 3), ['2024', '1', '1'])
    """
    for kind, columns in (
        ("month", _months(table)),
        ("quarter", _quarters(table)),
        ("slot", _clocks(table)),
        ("hour", _hours(table)),
    ):
        others = [name for name in table.columns if name not in columns]
        times = _unit_of(table, others, kind) if columns else None
        if times is not None:
            keys = _keys(table, times, others, ids, decimal)
            _tell(columns, times, [name for name in others if name not in keys], kind)
            return _rows(table, keys, columns, kind), [times, kind]
    return table, []


def _months(table: pd.DataFrame) -> dict[str, int]:
    """Return the columns of the twelve months by their number, {} without them."""
    by_name = {
        name: MONTHS.index(name.lower()[:3]) + 1
        for name in table.columns
        if re.fullmatch(r"[a-z]{3,9}\.?", name.lower()) and name.lower()[:3] in MONTHS
    }
    by_number = {name: int(name) for name in table.columns if re.fullmatch(r"0?\d|1[0-2]", name)}
    found = [one for one in (by_name, by_number) if sorted(one.values()) == list(range(1, 13))]
    return found[0] if found else {}


def _quarters(table: pd.DataFrame) -> dict[str, int]:
    """Return the columns of the four quarters by their number, {} without them."""
    # all that are numbered so: with a fifth one they are questions
    quarters = {name: int(name[1:]) for name in table.columns if re.fullmatch(r"[qQ]\d+", name)}
    return quarters if sorted(quarters.values()) == [1, 2, 3, 4] else {}


def _clocks(table: pd.DataFrame) -> dict[str, int]:
    """Return the columns of the parts of a day, finer than hours, counted; {} without them."""
    matches = {name: _CLOCK.fullmatch(name) for name in table.columns}
    minutes = {name: 60 * int(m[1]) + int(m[2]) for name, m in matches.items() if m}
    count, first = len(minutes), min(minutes.values(), default=0)
    if count not in _PARTS_OF_A_DAY or first not in (0, 1440 // count):
        return {}
    places = {name: (minute - first) // (1440 // count) for name, minute in minutes.items()}
    return places if sorted(places.values()) == list(range(count)) else {}


def _hours(table: pd.DataFrame) -> dict[str, int]:
    """Return the columns of the 24 hours by how many came before, {} without them."""
    matches = {name: _HOUR.fullmatch(name.lower()) for name in table.columns}
    hours = {name: int(match[1]) for name, match in matches.items() if match}
    first = min(hours.values(), default=0)
    counted = sorted(hours.values()) == list(range(first, first + 24)) and first in (0, 1)
    return {name: hour - first for name, hour in hours.items()} if counted else {}


def _unit_of(table: pd.DataFrame, others: list[str], kind: str) -> str | None:
    """Return the column of the years of months, or of the days of their parts."""
    if kind in ("hour", "slot"):
        return next(iter(telling(table[others])), None) if others else None
    for name in others:
        years = whole_numbers(table[name])
        if years is not None and years.between(1500, 2200).all():
            return name
    return None


def _keys(
    table: pd.DataFrame, times: str, others: list[str], ids: Collection[str], decimal: str
) -> list[str]:
    """Return the columns that tell apart the rows: the times, and what may name series."""
    told = {times, *ids}
    keys = [
        name for name in others if name in told or not looks_like_a_number(table[name], decimal)
    ]
    if not table.drop_duplicates().duplicated(keys).any():  # a row that came twice is no series
        return keys
    return [name for name in others if name in keys or whole_numbers(table[name]) is not None]


def _tell(columns: dict[str, int], times: str, left_out: list[str], kind: str) -> None:
    besides = f"; {', '.join(map(repr, left_out))} left out" if left_out else ""
    warnings.warn(
        f"the columns {short(next(iter(columns)))} to {short(list(columns)[-1])} are read as the "
        f"{kind}s of column {short(times)}{besides}.",
        ForecastWarning,
        stacklevel=4,
    )


def _rows(table: pd.DataFrame, keys: list[str], columns: dict[str, int], kind: str) -> pd.DataFrame:
    long = table.rename(columns={name: str(number) for name, number in columns.items()}).melt(
        keys, [str(number) for number in columns.values()], kind, "value", ignore_index=False
    )
    return long.astype({kind: object}).sort_index(kind="stable")
