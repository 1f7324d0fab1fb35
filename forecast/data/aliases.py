"""Names of frequencies: the old and the new spelling of pandas, and which ones a step may mean."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pandas as pd
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset

from forecast._checks import short

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")

# pandas renamed its aliases in 2.2 and drops the old ones in 3; users have both in their fingers.
_NEW_ALIASES = {"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns"}
_NEW_ALIASES |= {"d": "D", "b": "B", "w": "W"}
_DATE_ALIASES = _NEW_ALIASES | {"M": "ME", "Q": "QE", "A": "YE", "Y": "YE", "AS": "YS", "SM": "SME"}
_DATE_ALIASES |= {"BM": "BME", "BQ": "BQE", "BA": "BYE", "BY": "BYE", "BAS": "BYS", "BH": "bh"}
_PERIOD_ALIASES = _NEW_ALIASES | {"ME": "M", "QE": "Q", "YE": "Y", "A": "Y"}
_ALIAS = re.compile(r"(\d*)([A-Za-z]+)(-[A-Z]{3})?")

_DAYS_PER_MONTH = 365.2425 / 12


def parse_freq(freq: Any, *, period: bool = False) -> BaseOffset:
    """Return the pandas offset that a frequency means, in the old or the new spelling.

    Parameters
    ----------
    freq
        An alias ("D", "W-MON", "ME" or "M", "h" or "H", ...), a timedelta or a pandas offset.
    period
        Whether the frequency is meant for a PeriodIndex, where months are "M" and not "ME".

    Raises
    ------
    ValueError
        If pandas knows no such frequency, or the step is not positive.

    Examples
    --------
    >>> parse_freq("M").freqstr, parse_freq("15T").freqstr, parse_freq("A-MAR").freqstr
    ('ME', '15min', 'YE-MAR')
    """
    spelling = freq
    if isinstance(freq, str) and (match := _ALIAS.fullmatch(freq)):
        count, alias, anchor = match.groups()
        aliases = _PERIOD_ALIASES if period else _DATE_ALIASES
        spelling = count + aliases.get(alias, alias) + (anchor or "")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            offset = pd.PeriodDtype(spelling).freq if period else to_offset(spelling)
    except (ValueError, TypeError, AttributeError):
        offset = None
    if not isinstance(offset, BaseOffset) or offset.n < 1:
        raise ValueError(
            "`freq` must be a pandas frequency such as 'h', 'D', 'W-SUN', 'MS' or '15min', "
            f"got {short(freq)}."
        )
    return offset


def aliases_of_step(times: pd.DatetimeIndex, days: int) -> list[str]:
    """Return the aliases whose usual step is so many days, the most telling first.

    Parameters
    ----------
    times
        The times that the frequency is for, in rising order; they settle anchors and weekends.
    days
        The most common step.

    Examples
    --------
    >>> aliases_of_step(pd.DatetimeIndex(["2024-01-31", "2024-02-29"]), 31)
    ['MS', 'ME', 'BMS', 'BME', '31D']
    """
    first = times[0]
    months = round(days / _DAYS_PER_MONTH)
    found = []
    if months and abs(days - months * _DAYS_PER_MONTH) <= 3:
        found += monthly_aliases(months, first.month)
    if days % 7 == 0:
        found.append(f"{days // 7 if days > 7 else ''}W-{DAYS[first.day_of_week]}")
    if days in (14, 15, 16):
        found += ["SMS", "SME"]
    weekend = (times.day_of_week >= 5).any()
    spans_weekend = (times[-1] - first).days > 4 - first.day_of_week
    if days == 1 and not weekend and spans_weekend:
        found.append("B")
    return [*found, f"{days if days > 1 else ''}D"]


def cycle_of(offset: BaseOffset) -> BaseOffset:
    """Return the offset with an alias that has the same cycle, for one that has none.

    Examples
    --------
    >>> cycle_of(pd.DateOffset(months=3, day=15)), cycle_of(pd.offsets.Hour(2))
    (<3 * MonthBegins>, <2 * Hours>)
    """
    if type(offset) is not pd.DateOffset:
        return offset
    months = 12 * offset.kwds.get("years", 0) + offset.kwds.get("months", 0)
    days = 7 * offset.kwds.get("weeks", 0) + offset.kwds.get("days", 0)
    return to_offset(f"{months * offset.n}MS" if months else f"{max(days, 1) * offset.n}D")


def monthly_aliases(months: int, month: int) -> list[str]:
    """Return the aliases whose step is so many months and whose grid holds a given month.

    Examples
    --------
    >>> monthly_aliases(1, 5), monthly_aliases(3, 6)
    (['MS', 'ME', 'BMS', 'BME'], ['QS-MAR', 'QE-DEC', 'BQS-MAR', 'BQE-DEC'])
    """
    if months % 12 == 0:
        count, unit, anchors = months // 12, "Y", MONTHS[month - 1 : month] * 2
    elif months % 3 == 0:
        # Quarters by their usual names: starts are anchored at January .. March, ends at
        # October .. December.
        start = (month - 1) % 3
        count, unit, anchors = months // 3, "Q", (MONTHS[start], MONTHS[9 + start])
    else:
        count, unit, anchors = months, "M", ("", "")
    number, suffixes = count if count > 1 else "", [f"-{a}" if a else "" for a in anchors]
    return [
        f"{number}{business}{unit}{end}{suffix}"
        for business in ("", "B")
        for end, suffix in zip("SE", suffixes, strict=True)
    ]
