"""The parts of times: what columns of years, months, hours are called, which values they hold."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data.cells import all_match, is_text, where, whole_numbers

# What the parts of a time are called, from the coarsest to the finest, and their values.
PARTS = {
    "year": ("year|yr|yyyy|jahr|annee|ano", (1500, 2200)),
    "quarter": ("quarter|qtr|q|quartal", (1, 4)),
    "month": ("month|mon|mo|mm|mn|mnth|monat", (1, 12)),
    "week": ("week|wk|isoweek|weekofyear|weeknumber|kw|woche|kalenderwoche", (1, 53)),
    "day": ("day|dd|dy|dayofmonth|tag", (1, 31)),
    "hour": ("hour|hr|hh|stunde", (0, 24)),
    "minute": ("minute|min", (0, 59)),
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
CLOCK = r"(?i)(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))? ?([ap]m)?"
_MINUTES = 1440  # of a day
NEARLY_ALL = 0.9  # of the cells of a part: a footer or a word is named later


# A day counted in its parts, such as the 48 half hours of settlement periods.
_SLOT = re.compile(r"period|interval|slot")
_SLOTS = (24, 48, 96, 144, 288)


def plain_word(name: object) -> str:
    """Return the letters of a name.

    Examples
    --------
    >>> plain_word("Day_of_week")
    'dayofweek'
    """
    return re.sub(r"[^a-z#]", "", str(name).lower())


def part_of(name: object) -> str | None:
    """Return which part of a time a column is called, if any.

    Examples
    --------
    >>> part_of("KW"), part_of("store")
    ('week', None)
    """
    word = plain_word(name)
    return next((part for part, (form, _) in PARTS.items() if re.fullmatch(form, word)), None)


def counts_a_day(column: pd.Series) -> bool:
    """Tell whether a column counts the parts of days, such as SETTLEMENT_PERIOD from 1 to 48."""
    whole = whole_numbers(column)
    if whole is None or not _SLOT.search(str(column.name).lower()):
        return False
    return bool(whole.min() in (0, 1) and np.ptp(whole) + 1 in _SLOTS)


def is_a_part(column: pd.Series) -> bool:
    """Tell whether a column holds parts of times, by its name and its cells.

    Examples
    --------
    >>> (
    ...     is_a_part(pd.Series(["1", "2"], name="Period")),
    ...     is_a_part(pd.Series(["peak"], name="Period")),
    ... )
    (True, False)
    """
    called = part_of(column.name) is not None or "period" in str(column.name).lower()
    return called and bool(column.astype(str).str.contains(r"\d").all())


def is_within(column: pd.Series, part: str) -> bool:
    """Tell whether nearly all cells of a column can be a part of a time: a year, a month, ..."""
    return bool(part_numbers(column, part).notna().mean() > NEARLY_ALL)


def part_numbers(column: pd.Series, part: str) -> pd.Series:
    """Return a part of times as numbers, NaN where a cell is none of its values."""
    if is_text(column):
        text = column.astype(object).str.removeprefix("Q" if part == "quarter" else "")
        if part == "month":
            numbers: dict[Any, str] = {name: str(k + 1) for k, name in enumerate(MONTHS)}
            text = text.str.lower().str[:3].replace(numbers)
        column = pd.to_numeric(text, errors="coerce")
    low, high = PARTS[part][1]
    return column.where(column.between(low, high) & (column % 1 == 0))


def within_the_day(column: pd.Series) -> pd.Series:
    """Return how long after midnight cells are: a clock, hours, or parts of a day counted.

    Raises
    ------
    ValueError
        If they are none of these, or no whole minutes.

    Examples
    --------
    >>> within_the_day(pd.Series(range(1, 49)))[[0, 47]].astype(str).tolist()
    ['0 days 00:00:00', '0 days 23:30:00']
    """
    if is_text(column) and all_match(column, CLOCK):
        hour, minute, second, half = (part for _, part in column.str.extract(CLOCK).items())
        hours = hour.astype(int) % 12 if half.notna().all() else hour.astype(int)
        hours = hours + 12 * half.str.lower().eq("pm").astype(int)
        seconds = 3600 * hours + 60 * minute.astype(int) + second.fillna("0").astype(float)
        return pd.to_timedelta(seconds, unit="s")
    whole = whole_numbers(column)
    if whole is None or whole.min() not in (0, 1):
        wrong = column[pd.to_numeric(column, errors="coerce").isna()]
        cell = wrong if len(wrong) else column
        raise ValueError(
            f"column {short(column.name)} must hold times of day such as 13:30, or the hours or "
            f"parts of a day counted, got {short(cell.iloc[0])} in {where(cell)}. Mend it, or name "
            "another time_col."
        )
    if part_of(column.name) == "hour":
        return whole * pd.Timedelta(hours=1)
    count = int(whole.max() - whole.min() + 1)
    if _MINUTES % count:
        raise ValueError(
            f"column {short(column.name)} must count equal parts of a day, got {count}: minutes do "
            "not divide so. A day on which clocks change has others; write times of day."
        )
    return (whole - whole.min()) * pd.Timedelta(minutes=_MINUTES // count)


def part_number(column: pd.Series, part: str) -> pd.Series:
    """Return a part of times as whole numbers.

    Raises
    ------
    ValueError
        If a cell is none; the message names the line.
    """
    numbers = part_numbers(column, part)
    wrong = column[numbers.isna()]
    if len(wrong):
        cell = "an empty cell" if wrong.isna().iloc[0] else repr(wrong.iloc[0])
        low, high = PARTS[part][1]
        raise ValueError(
            f"column {short(column.name)} must hold a {part} from {low} to {high}, got {cell} in "
            f"{where(wrong)} ({len(wrong)} such cells). Mend or remove the row, or name another "
            "time_col."
        )
    return numbers.astype(np.int64)
