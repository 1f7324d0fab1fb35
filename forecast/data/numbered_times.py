"""Numbers that stand for times: seconds since 1970, days of a spreadsheet, digits run together."""

from __future__ import annotations

import re
import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast._checks import ForecastWarning, short

# Seconds since 1970 between 1980 and 2100, in each unit in which they are written.
_EPOCH = pd.Timestamp("1980").timestamp(), pd.Timestamp("2100").timestamp()
_UNITS = {"seconds": 1, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
# Days since 1899-12-30 between 1954 and 2091, as spreadsheets count them.
_SERIALS = 20_000, 70_000
_YEARS = 1500, 2200
_CALENDAR = re.compile(r"date|datum|day|time|month|week|year|stamp|epoch|unix|^ds$|^t$")
# 2024013105 is five o'clock on January 31: digits run together, of which 1970 knows no such second.
_DIGITS = {10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
# 202401 is a month, 20240131 a day and 202452 a week where no number between tells otherwise.
_WEEKS = "%G%V"
_DATES = {"%Y%m": (190001, 209912), "%Y%m%d": (19000101, 20991231), _WEEKS: (190001, 209953)}


def calendar_name(name: object) -> bool:
    """Tell whether a column is called like something that holds times.

    Examples
    --------
    >>> calendar_name("Order Date"), calendar_name("store")
    (True, False)
    """
    return bool(_CALENDAR.search(str(name).lower()))


def date_form(numbers: npt.ArrayLike) -> str | None:
    """Return the form in which whole numbers write months, days or weeks, None if they count steps.

    All must be dates, and of more than one year or month, or reach from the first to the last of
    one: numbers that count steps go on to 202413 or 20240132.

    Examples
    --------
    >>> date_form([202411, 202412, 202501]), date_form([20240131, 20240201])
    ('%Y%m', '%Y%m%d')
    >>> date_form([202351, 202352, 202401])  # weeks: no month has so high a number
    '%G%V'
    >>> date_form(range(202401, 202413)), date_form([202411, 202412]), date_form([202412, 202413])
    ('%Y%m', None, None)
    """
    distinct = np.unique(np.asarray(numbers))
    for form, (first, last) in _DATES.items():
        if len(distinct) and first <= distinct[0] and distinct[-1] <= last:
            told = pd.Series(np.r_[distinct, distinct[-1] + 1]).astype(str)
            dates = _parsed(told, form).notna()
            whole = distinct[0] % 100 == 1 and not dates.iloc[-1]
            if dates[:-1].all() and (distinct[0] // 100 < distinct[-1] // 100 or whole):
                return form
    return None


def refuse_dates(times: pd.Index) -> None:
    """Refuse whole numbers that write dates; asked once, as steps counted later may look so.

    Raises
    ------
    ValueError
        If all numbers are dates, such as 202401.
    """
    form = date_form(times) if pd.api.types.is_integer_dtype(times.dtype) else None
    if form is not None:
        monday = " + '1'" if form == _WEEKS else ""
        raise ValueError(
            f"the times of `y` must count steps where they are whole numbers, got dates such as "
            f"{times[0]}. Make times of them: pd.to_datetime(numbers.astype(str){monday}, format="
            f"{form + '%u' * bool(monday)!r}); if they do count steps, begin at 0: numbers - "
            f"{times[0]}."
        )


def iso_days(year: pd.Series, week: pd.Series, day: pd.Series | str = "1") -> pd.Series:
    """Return the days that years, weeks and weekdays (1 to 7) tell, NaT where there is none.

    Parameters
    ----------
    year, week, day
        Digits as text.

    Examples
    --------
    >>> days = iso_days(pd.Series(["2024", "2024"]), pd.Series(["52", "53"]))
    >>> days.dt.date.tolist()
    [datetime.date(2024, 12, 23), NaT]
    """
    text = year + "-" + week.str.zfill(2) + "-" + day
    days = pd.to_datetime(text, format="%G-%V-%u", errors="coerce")
    # older releases of pandas take a 53rd week that a year does not have for the next one's first
    return days.where(days.dt.strftime("%G") == year)


def _parsed(digits: pd.Series, form: str) -> pd.Series:
    if form == _WEEKS:
        return iso_days(digits.str[:4], digits.str[4:])
    return pd.to_datetime(digits, format=form, errors="coerce")


def from_numbers(column: pd.Series) -> pd.Series:
    """Return the times that a column of numbers stands for; whole numbers that are none stay.

    Parameters
    ----------
    column
        int64 or float64, without missing values.

    Raises
    ------
    ValueError
        If numbers with decimals are no times.

    Examples
    --------
    >>> from_numbers(pd.Series([3, 4])).tolist()
    [3, 4]
    >>> years = pd.Series([1949.0, 1949.083, 1949.167], name="time")
    >>> with warnings.catch_warnings(action="ignore"):
    ...     from_numbers(years).astype(str).tolist()
    ['1949-01', '1949-02', '1949-03']
    """
    found = _digits(column)
    found = _weeks(column) if found is None else found
    found = _since_1970(column) if found is None else found
    if found is None and calendar_name(column.name):
        _refuse_short_years(column)
        found = _days_of_a_spreadsheet(column)
        found = _decimal_years(column) if found is None else found
    if found is not None:
        return found
    if (column % 1 != 0).any():
        raise ValueError(
            f"column {short(column.name)} must hold times such as 2024-01-31, got "
            f"{short(column.iloc[0])}. Write them as dates, or name another time_col."
        )
    return column.astype(np.int64)


def _digits(column: pd.Series) -> pd.Series | None:
    if (column % 1 != 0).any():
        return None
    text = column.astype(np.int64).astype(str)
    form = _DIGITS.get(len(text.iloc[0]))
    if form is None or not text.str.fullmatch(r"(?:19|20)\d{8}(?:\d\d){0,2}").all():
        return None
    times = pd.to_datetime(text, format=form, errors="coerce")
    return None if times.isna().any() else times


def _weeks(column: pd.Series) -> pd.Series | None:
    if (column % 1 != 0).any() or date_form(column) != _WEEKS:
        return None
    _tell(column, "weeks of ISO 8601")
    mondays = _parsed(column.astype(np.int64).astype(str), _WEEKS)
    return pd.Series(mondays, name=column.name)


def _refuse_short_years(column: pd.Series) -> None:
    """Refuse 2312, 2401: months or weeks of more than one year without its first two digits."""
    if (column % 1 != 0).any() or not column.between(1000, 9999).all():
        return
    years = np.unique(column // 100)
    if len(years) > 1 and date_form(column + 200_000) is not None:
        raise ValueError(
            f"column {short(column.name)} must have years of four digits, got "
            f"{column.iloc[0]:.0f}. Write {column.iloc[0] + 200_000:.0f}, or 2024-01, or 2024-W05."
        )


def _since_1970(column: pd.Series) -> pd.Series | None:
    for words, factor in _UNITS.items():
        if column.between(factor * _EPOCH[0], factor * _EPOCH[1]).all():
            nanoseconds = column.astype(np.int64) * round(1e9 / factor)
            if (column % 1 != 0).any():
                nanoseconds = (column * (1e9 / factor)).round().astype(np.int64)
            _tell(column, f"{words} since 1970")
            return pd.Series(pd.to_datetime(nanoseconds), name=column.name)
    return None


def _days_of_a_spreadsheet(column: pd.Series) -> pd.Series | None:
    if not column.between(*_SERIALS).all():
        return None
    seconds = (column * 86_400).round().astype(np.int64)
    times = pd.Timestamp("1899-12-30") + pd.to_timedelta(seconds, unit="s")
    _tell(column, "days of a spreadsheet")
    return pd.Series(times, name=column.name)


def _decimal_years(column: pd.Series) -> pd.Series | None:
    """Return months or quarters, if the decimals of years are such."""
    distinct = np.unique(column)
    if not column.between(*_YEARS).all() or (column % 1 == 0).all() or len(distinct) < 2:
        return None
    per_year = round(1 / float(np.median(np.diff(distinct))))
    if per_year not in (4, 12):
        return None
    years = np.floor(column + 0.001).astype(np.int64)
    # A month may be told by its start or by its middle, with three digits.
    parts = np.floor((column - years) * per_year + 0.05).astype(np.int64).clip(0, per_year - 1)
    freq, mark = ("Q", "Q") if per_year == 4 else ("M", "-")
    periods = pd.PeriodIndex(years.astype(str) + mark + (parts + 1).astype(str), freq=freq)
    if periods.nunique() < len(distinct):
        return None
    _tell(column, f"years with decimals: {'quarters' if freq == 'Q' else 'months'}")
    return pd.Series(periods, column.index, name=column.name)


def _tell(column: pd.Series, what: str) -> None:
    warnings.warn(f"column {short(column.name)} is read as {what}.", ForecastWarning, stacklevel=5)
