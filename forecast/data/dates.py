"""Cells become times: forms of dates, order of day and month, numbers that stand for times."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import ForecastWarning, short
from forecast.data.cells import WHOLE, all_match, is_text, some, where, whole_numbers
from forecast.data.frequency import regular_positions
from forecast.data.numbered_times import calendar_name, from_numbers, iso_days

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_YEAR_FIRST = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[ T].*)?|\d{8}(?:[ T]\d.*)?)"
_NUMERIC_DATE = r"(\d{1,2})[./-](\d{1,2})[./-](?:\d{4}|\d{2})(?:[ ,T].*)?"
_DATE = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[ T].*)?"  # the year first
    r"|(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:T\d{2}.*)?"
    rf"|(?:\d{{1,2}}[-. ]+)?{_MONTH}\.?[-,' ]+(?:\d{{1,2}},?[- ]+)?\d{{2,4}}(?:[ ,T].*)?"
    rf"|(?:19|20)\d{{2}}[- ]+{_MONTH}\.?"  # as R writes months
    rf"|{_NUMERIC_DATE}"
)
# What a time of each kind of period looks like, and how pandas wants it written.
_PERIODS = {
    "Y": {r"(1[5-9]\d{2}|2[01]\d{2})(?:\.0+)?": r"\1", r"FY[- ]?((?:19|20)\d{2})": r"\1"},
    "Q": {
        r"(\d{4})[-/ ]?Q([1-4])": r"\1Q\2",
        r"Q([1-4])[-/ ]?(\d{4})": r"\2Q\1",
        r"([1-4])Q[-/ ]?(\d{4})": r"\2Q\1",
    },
    "M": {
        r"(\d{4})(?:[-/]| ?M)(\d{1,2})": r"\1-\2",
        r"(\d{1,2})[-/](\d{4})": r"\2-\1",
        r"(0[1-9]|1[0-2])\.((?:19|20)\d{2})": r"\2-\1",
        r"((?:19|20)\d{2})(0[1-9]|1[0-2])": r"\1-\2",
    },
}
# A month that is named in another language, with its year.
_FOREIGN_DATE = (
    r"(?:\d{1,2}\.?[- ]+(?:de )?)?[^\W\d_]{3,}\.?[- ]+(?:de )?(?:19|20)\d{2}"
    r"|(?:19|20)\d{2}[- ]+[^\W\d_]{3,}\.?(?:[- ]+\d{1,2})?"
)
# A week, and maybe a day of it; Germans call it KW.
_WEEK = (
    r"(?P<year>\d{4})[-/ ]?(?:W|KW)[ ]?(?P<week>\d{1,2})(?:-(?P<day>[1-7]))?"
    r"|(?:W|KW|week)[ ]?(?P<first>\d{1,2})[-/, ]+(?P<later>\d{4})"
)
_WEEKDAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*|mo|di|mi|do|fr|sa|so"
# 31012024 is a day, where no reading as 20240131 is.
_DAY_DIGITS = r"(\d{2})(\d{2})((?:19|20)\d{2})"
_SPAN = rf"(?i)({_DATE}) +[-–] +\d.*"
_MIDNIGHT = r"(?<=[ T])24:00(?::00)?$"  # the end of a day, as power grids write it
_OFFSET = r"(?:Z|[+-]\d{2}:?\d{2})$"


def looks_like_a_time(column: pd.Series) -> bool:
    """Tell whether most cells of a column are dates, months or quarters.

    Of whole numbers only days of eight digits are, for these are seldom anything else.
    """
    if not is_text(column):
        return not pd.api.types.is_numeric_dtype(column.dtype)
    cells = _without_weekdays(some(column))
    forms = "|".join(
        [_DATE, _WEEK, *list(_PERIODS["Y"])[1:], *_PERIODS["Q"], *list(_PERIODS["M"])[:3]]
    )
    dates = cells.str.fullmatch(f"(?i)(?:{forms})")
    if not len(cells) or dates.mean() < 0.5:
        return False
    days = len(cells) > 2 and cells.str.len().eq(8).all()
    return bool((days and dates.all()) or not cells.str.fullmatch(WHOLE).all())


def has_foreign_months(column: pd.Series) -> bool:
    """Tell whether all cells of a column seem to be dates with months named in other languages.

    Examples
    --------
    >>> has_foreign_months(pd.Series(["15 mars 2024", "16 mars 2024"], dtype=object))
    True
    """
    return is_text(column) and bool(column.notna().all()) and all_match(column, _FOREIGN_DATE)


def read_times(column: pd.Series, day_first: bool | None = None) -> pd.Series:
    """Return a column as times: datetimes, periods (years, quarters, months) or whole numbers.

    Parameters
    ----------
    column
        Text, or times already. Seconds since 1970 are told by their size; days since 1900, as
        spreadsheets count them, and years with decimals also by the name of the column.
    day_first
        Whether 01/02/2024 is in February; a cell that begins with the year is never meant. None:
        what the cells allow; if they allow both, what makes the times regular.

    Raises
    ------
    ValueError
        If a cell is missing or no time, or day and month can not be told apart, or only some cells
        say their time zone.

    Examples
    --------
    >>> read_times(pd.Series(["31.1.24", "1.2.24"], dtype=object)).dt.month.tolist()
    [1, 2]
    >>> read_times(pd.Series(["Q1 2024", "Q2 2024"], dtype=object)).astype(str).tolist()
    ['2024Q1', '2024Q2']
    """
    missing = column[column.isna()]
    if len(missing):
        raise ValueError(
            f"each row must have a time: column {short(column.name)} is empty in {where(missing)} "
            f"({len(missing)} such rows). Fill or remove it."
        )
    if not is_text(column):
        if not pd.api.types.is_numeric_dtype(column.dtype):
            return column
        years = _years(whole) if (whole := whole_numbers(column)) is not None else None
        return from_numbers(column) if years is None else years
    column = _digits_apart(_beginnings(_without_weekdays(column)))
    if (periods := _as_periods(column)) is not None:
        return periods
    if all_match(column, f"(?i){_WEEK}"):
        return _weeks(column)
    dates = column.str.fullmatch(f"(?i){_DATE}")
    if not dates.any() and (whole := whole_numbers(column)) is not None:
        return from_numbers(whole)
    if calendar_name(column.name) and all_match(column, r"\d{1,5}(?:[.,]\d+)?"):
        return from_numbers(column.str.replace(",", ".").astype(np.float64))
    _refuse_exceptions(column, float(dates.mean()))
    return _read_dates(column, dates, day_first)


def _as_periods(column: pd.Series) -> pd.Series | None:
    """Return years, quarters or months, None if a cell is in another form."""
    for freq, forms in _PERIODS.items():
        for form, spelling in forms.items():
            if all_match(column, f"(?i){form}"):
                text = column.str.upper().str.replace(form, spelling, regex=True)
                if (periods := _periods(text, freq)) is not None:
                    return periods
    return None


def _refuse_exceptions(column: pd.Series, dates: float) -> None:
    """Name the cells that are no months or numbers, where most are, and fewer are dates."""
    for form in (WHOLE, *_PERIODS["M"]):
        usual = column.str.fullmatch(f"(?i){form}")
        if max(0.5, dates) < usual.mean() < 1:
            _without_faults(column.where(usual), column)


def _weeks(column: pd.Series) -> pd.Series:
    """Return the Mondays of weeks, or the days of them that are told."""
    parts = column.str.extract(f"(?i)^(?:{_WEEK})$").astype(object)
    year, week = parts["year"].fillna(parts["later"]), parts["week"].fillna(parts["first"])
    days = iso_days(year, week, parts["day"].fillna("1"))
    return _without_faults(pd.Series(days, name=column.name), column)


def _without_weekdays(cells: pd.Series) -> pd.Series:
    """Return cells without the name of a weekday before a date."""
    form = rf"(?i)^(?:{_WEEKDAY})[.,]*\s+(?=\d|{_MONTH})"
    if not cells.iloc[:1].str.contains(form).any():
        return cells
    return cells.str.replace(form, "", regex=True)


def _beginnings(cells: pd.Series) -> pd.Series:
    """Return the first times of spans such as "01.01.2024 00:00 - 01.01.2024 01:00"."""
    if not all_match(cells, _SPAN):
        return cells
    warnings.warn(
        f"column {short(cells.name)} holds spans such as {short(cells.iloc[0])}: their beginnings "
        "are the times.",
        ForecastWarning,
        stacklevel=4,
    )
    return cells.str.replace(_SPAN, r"\1", regex=True)


def _digits_apart(column: pd.Series) -> pd.Series:
    """Return 31012024 as 31-01-2024, if all cells are such days; a zero may miss at their front."""
    text = column.str.zfill(8)
    forms = ("%d%m%Y", "%m%d%Y")
    if not all_match(text, _DAY_DIGITS) or all(
        pd.to_datetime(text, format=form, errors="coerce").isna().any() for form in forms
    ):
        return column
    return text.str.replace(_DAY_DIGITS, r"\1-\2-\3", regex=True)


def _years(whole: pd.Series) -> pd.Series | None:
    text = whole.astype(str).astype(object)
    if not text.str.fullmatch(next(iter(_PERIODS["Y"]))).all():
        return None
    return _periods(text, "Y")


def _periods(text: pd.Series, freq: str) -> pd.Series | None:
    """Return periods; timestamps where all lie further apart; None if there is no such period."""
    try:
        periods = pd.PeriodIndex(text, freq=freq)
    except ValueError:
        return None
    steps = np.diff(np.unique(periods.asi8))
    apart = len(steps) > 0 and not (steps == 1).any()
    return pd.Series(periods.to_timestamp() if apart else periods, text.index, name=text.name)


def _read_dates(column: pd.Series, dates: pd.Series, day_first: bool | None) -> pd.Series:
    numeric = column.str.extract(f"^{_NUMERIC_DATE}$").dropna().astype(int)
    if len(numeric):
        day_first = _day_first(column, numeric, day_first)
    return _without_faults(_parse(column.where(dates), bool(day_first)), column)


def _without_faults(times: pd.Series, column: pd.Series) -> pd.Series:
    wrong = column[times.isna()]
    if len(wrong):
        raise ValueError(
            f"column {short(column.name)} must hold times such as 2024-01-31, with months as "
            f"numbers or in English, got {short(wrong.iloc[0])} in {where(wrong)} ({len(wrong)} "
            "such cells). Mend or remove the row, or name another time_col."
        )
    return times


def _day_first(column: pd.Series, numeric: pd.DataFrame, given: bool | None) -> bool:
    """Decide whether day or month comes first, from their numbers or from the steps of time."""
    day_leads, day_follows = (numeric[part] > 12 for part in numeric.columns)
    must = {leads for leads, seen in ((True, day_leads), (False, day_follows)) if seen.any()}
    if len(must | ({given} - {None})) > 1:
        cells = [
            column[numeric.index][seen].iloc[0] for seen in (day_leads, day_follows) if seen.any()
        ]
        raise ValueError(
            f"column {short(column.name)} must have the day first, or the month first, throughout: "
            f"got {' and '.join(map(short, cells))}. Mend the dates"
            + ("." if given is None else f", or leave out day_first={given}.")
        )
    if must or given is not None:
        return must.pop() if must else bool(given)
    regular = {leads: _regularity(_parse(column, leads)) for leads in (True, False)}
    cell = column[numeric.index[0]]
    # Of equals, dots mean the day first: nobody writes the month first with them.
    if regular[True] == regular[False] and "." not in cell:
        raise ValueError(
            f"column {short(column.name)} must tell the day from the month, {short(cell)} can be "
            "read both ways. Say which: day_first=True or day_first=False."
        )
    found = regular[True] >= regular[False]
    warnings.warn(
        f"dates such as {short(cell)} are read with the {'day' if found else 'month'} first "
        f"(otherwise: day_first={not found}).",
        ForecastWarning,
        stacklevel=4,
    )
    return found


def _regularity(times: pd.Series) -> float:
    """Return the share of neighbouring times that are one step apart; 0 if they fit no grid."""
    distinct = pd.DatetimeIndex(times.dropna().drop_duplicates().sort_values())
    rows = np.arange(len(distinct))
    try:
        _, places = regular_positions(distinct, None, rows[:-1], rows[1:])
    except ValueError:
        return 0.0
    return float((np.diff(places) == 1).mean()) if len(places) > 1 else 0.0


def _parse(text: pd.Series, day_first: bool) -> pd.Series:
    last = text.str.contains(_MIDNIGHT).eq(True)
    if last.any():
        begun = _parse(text.str.replace(_MIDNIGHT, "00:00", regex=True), day_first)
        return begun + pd.to_timedelta(last.astype(int), unit="D")
    # pandas takes "Jan-20" for the year 20.
    text = text.str.replace(rf"(?i)^({_MONTH})\.?[-' ]+(\d{{2}})$", r"\1 20\2", regex=True)
    how = {"utc": _is_zoned(text)}
    year_first = text.str.fullmatch(_YEAR_FIRST).eq(True)
    if not year_first.any() or year_first.all():
        return _to_datetime(text, day_first and not year_first.any(), how)
    # The first cell of each form sets the pace, which is fast.
    parts = [
        _to_datetime(text[year_first], False, how),
        _to_datetime(text[~year_first], day_first, how),
    ]
    return pd.concat(parts).loc[text.index]


def _is_zoned(text: pd.Series) -> bool:
    """Tell whether the cells say their offset from UTC, which then must be all of them."""
    clock = text[text.str.contains(":").eq(True)]
    offsets = clock.str.extract(f"({_OFFSET})")[0]
    if offsets.isna().all():
        return False
    if offsets.isna().any():
        plain, zoned = clock[offsets.isna()], clock[offsets.notna()]
        raise ValueError(
            f"column {short(text.name)} must have an offset from UTC in all cells or in none, got "
            f"{short(zoned.iloc[0])} in {where(zoned)} and {short(plain.iloc[0])} in "
            f"{where(plain)}. Write it everywhere, such as 2024-01-31T12:00Z, or nowhere."
        )
    abroad = sorted(set(offsets) - {"Z", "+00:00", "+0000"})
    if abroad:
        warnings.warn(
            f"times are taken from {', '.join(abroad)} to UTC.", ForecastWarning, stacklevel=2
        )
    return True


def _to_datetime(text: pd.Series, day_first: bool, how: dict[str, Any]) -> pd.Series:
    how = how | {"dayfirst": day_first, "errors": "coerce"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an ISO date is not day first, which pandas points out
        times = pd.to_datetime(text, **how)  # all in the form of the first, which is fast
        others = text[times.isna() & text.notna()]
        if len(others):
            times = times.fillna(pd.to_datetime(others, format="mixed", **how))
    return times
