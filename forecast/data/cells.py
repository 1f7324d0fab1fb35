"""Cells of text become numbers and times: decimal marks, order of day and month, forms of dates."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import ForecastWarning
from forecast.data.frequency import regular_positions

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_NUMERIC_DATE = r"(\d{1,2})[./-](\d{1,2})[./-](?:\d{4}|\d{2})(?:[ ,T].*)?"
_DATE = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[ T].*)?"  # the year first
    r"|(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])"
    rf"|(?:\d{{1,2}}[-. ]+)?{_MONTH}\.?[-,' ]+(?:\d{{1,2}},?[- ]+)?\d{{2,4}}(?:[ ,T].*)?"
    rf"|{_NUMERIC_DATE}"
)
# What a time of each kind of period looks like, and how pandas wants it written.
_PERIODS = {
    "Y": {r"(1[5-9]\d{2}|2[01]\d{2})(?:\.0+)?": r"\1"},
    "Q": {r"(\d{4})[-/ ]?Q([1-4])": r"\1Q\2", r"Q([1-4])[-/ ]?(\d{4})": r"\2Q\1"},
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
_WEEK = r"(\d{4})-?W(\d{2})"
_WHOLE = r"-?\d+(?:\.0+)?"
_OFFSET = r"(?:Z|[+-]\d{2}:?\d{2})$"
# A comma that can not separate thousands: not before three digits, or after a zero, four digits, or
# groups of three made by points.
_DECIMAL_COMMA = r"[-+]?(?:(?:0|\d{4,}|\d{1,3}(?:\.\d{3})+)?,\d+|\d*,(?:\d{0,2}|\d{4,}))"
# One that can not be a decimal mark: there are several, or a decimal point after it.
_THOUSANDS_COMMA = r"[-+]?\d{1,3}(?:(?:,\d{3}){2,}|(?:,\d{3})+\.\d*)"


def is_text(column: pd.Series) -> bool:
    """Tell whether a column holds text, as all columns of a CSV file do."""
    return not (
        pd.api.types.is_numeric_dtype(column.dtype)
        or pd.api.types.is_datetime64_any_dtype(column.dtype)
        or isinstance(column.dtype, pd.PeriodDtype)
    )


def usual_decimal(table: pd.DataFrame) -> str:
    """Return the decimal mark of a table: a comma where that is the only way to read a cell.

    Examples
    --------
    >>> usual_decimal(pd.DataFrame({"a": ["1.234,5", "7"]}, dtype=object))
    ','
    """
    cells = [table[name].dropna() for name in table.columns if is_text(table[name])]
    marked = pd.concat([one[one.str.contains(",", regex=False)] for one in cells] or [pd.Series()])
    if not len(marked):
        return "."
    plain = _without_spaces(marked.astype(object))
    if plain.str.fullmatch(_DECIMAL_COMMA).any():
        return ","
    unclear = plain[plain.str.fullmatch(r"[-+]?\d{1,3},\d{3}")]
    if len(unclear) and not plain.str.fullmatch(_THOUSANDS_COMMA).any():
        cell = unclear.iloc[0]
        warnings.warn(
            f"{cell!r} is read as {cell.replace(',', '')}; if its comma is a decimal one, say so: "
            "decimal=','.",
            ForecastWarning,
            stacklevel=3,
        )
    return "."


def looks_like_a_number(column: pd.Series, decimal: str) -> bool:
    """Tell whether at least half of the cells of a column are numbers; so is an empty column."""
    if not is_text(column):
        return pd.api.types.is_numeric_dtype(column.dtype)
    cells = _some(column)
    return bool(_numbers(cells, decimal).notna().mean() >= 0.5) if len(cells) else True


def read_numbers(column: pd.Series, decimal: str) -> pd.Series:
    """Return a column as floats, NaN where a cell is missing.

    Parameters
    ----------
    column
        Text, or numbers already; the name and the index are those of the column and its lines.
    decimal
        "," or "."; the other one separates thousands, as blanks and apostrophes do.

    Raises
    ------
    ValueError
        If a cell is no number; the message names its line.

    Examples
    --------
    >>> read_numbers(pd.Series(["1.250,5", "12 000", None], dtype=object), ",").tolist()
    [1250.5, 12000.0, nan]
    """
    if not is_text(column):
        return column.astype(np.float64)
    numbers = _numbers(column, decimal)
    wrong = column[numbers.isna() & column.notna()]
    if len(wrong):
        raise ValueError(
            f"column {column.name!r} must hold numbers, got {wrong.iloc[0]!r} in "
            f"{_where(wrong)} ({len(wrong)} such cells). Mend it, or leave the cell empty."
        )
    return numbers


def looks_like_a_time(column: pd.Series) -> bool:
    """Tell whether most cells of a column are dates, months or quarters; not so whole numbers."""
    if not is_text(column):
        return not pd.api.types.is_numeric_dtype(column.dtype)
    cells = _some(column)
    forms = "|".join([_DATE, _WEEK, *_PERIODS["Q"], *list(_PERIODS["M"])[:3]])
    dates = cells.str.fullmatch(f"(?i)(?:{forms})")
    return bool(len(cells)) and bool(dates.mean() >= 0.5) and not cells.str.fullmatch(_WHOLE).all()


def has_foreign_months(column: pd.Series) -> bool:
    """Tell whether all cells of a column seem to be dates with months named in other languages.

    Examples
    --------
    >>> has_foreign_months(pd.Series(["15 mars 2024", "16 mars 2024"], dtype=object))
    True
    """
    return is_text(column) and bool(column.notna().all()) and _all_match(column, _FOREIGN_DATE)


def whole_numbers(column: pd.Series) -> pd.Series | None:
    """Return a column as whole numbers, None if a cell is none."""
    if not is_text(column):
        whole = pd.api.types.is_numeric_dtype(column.dtype) and (column % 1 == 0).all()
        return column.astype(np.int64) if whole else None
    if column.isna().any() or not _all_match(column, _WHOLE):
        return None
    return column.str.replace(r"\.0+$", "", regex=True).astype(np.int64)


def read_times(column: pd.Series, day_first: bool | None = None) -> pd.Series:
    """Return a column as times: datetimes, periods (years, quarters, months) or whole numbers.

    Parameters
    ----------
    column
        Text, or times already.
    day_first
        Whether 01/02/2024 is in February. None: what the cells allow; if they allow both, what
        makes the times regular.

    Raises
    ------
    ValueError
        If a cell is missing or no time, or day and month can not be told apart.

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
            f"each row must have a time: column {column.name!r} is empty in {_where(missing)} "
            f"({len(missing)} such rows). Fill or remove it."
        )
    if not is_text(column):
        whole = whole_numbers(column)
        return column if whole is None else _years(whole)
    for freq, forms in _PERIODS.items():
        for form, spelling in forms.items():
            if _all_match(column, f"(?i){form}"):
                text = column.str.upper().str.replace(form, spelling, regex=True)
                if (periods := _periods(text, freq)) is not None:
                    return periods
    if _all_match(column, _WEEK):
        mondays = column.str.replace(_WEEK, r"\1-W\2-1", regex=True)
        return pd.to_datetime(mondays, format="%G-W%V-%u")
    dates = column.str.fullmatch(f"(?i){_DATE}")
    if not dates.any() and (whole := whole_numbers(column)) is not None:
        return whole
    return _read_dates(column, dates, day_first)


def _some(column: pd.Series) -> pd.Series:
    """Return up to two thousand cells from all over a column."""
    cells = column.dropna()
    return cells.iloc[:: max(len(cells) // 1000, 1)]


def _all_match(column: pd.Series, form: str) -> bool:
    # Most columns differ in the first cell already.
    return all(part.str.fullmatch(form).all() for part in (column.iloc[:1], column))


def _numbers(cells: pd.Series, decimal: str) -> pd.Series:
    text = _without_spaces(cells)
    thousands = "," if decimal == "." else "."
    mark, other = (r"\." if one == "." else "," for one in (decimal, thousands))
    grouped = text.str.fullmatch(rf"[-+]?\d{{1,3}}(?:{other}\d{{3}})+(?:{mark}\d+)?").eq(True)
    text = text.where(~grouped, text.str.replace(thousands, "", regex=False))
    if decimal == ",":
        text = text.str.translate(str.maketrans(",.", ".,"))
    return pd.to_numeric(text, errors="coerce").astype(np.float64)


def _without_spaces(cells: pd.Series) -> pd.Series:
    """Return cells with a plain minus, without blanks and apostrophes between digits."""
    return cells.str.replace("\u2212", "-").str.replace(r"(?<=\d)[\s'’](?=\d{3})", "", regex=True)


def _years(whole: pd.Series) -> pd.Series:
    text = whole.astype(str).astype(object)
    years = None
    if text.str.fullmatch(next(iter(_PERIODS["Y"]))).all():
        years = _periods(text, "Y")
    return whole if years is None else years


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
    times = _parse(column.where(dates), bool(day_first))
    wrong = column[times.isna()]
    if len(wrong):
        raise ValueError(
            f"column {column.name!r} must hold times such as 2024-01-31, with months as numbers or "
            f"in English, got {wrong.iloc[0]!r} in {_where(wrong)} ({len(wrong)} such cells). Mend "
            "or remove the row, or name another time_col."
        )
    return times


def _day_first(column: pd.Series, numeric: pd.DataFrame, given: bool | None) -> bool:
    """Decide whether day or month comes first, from their numbers or from the steps of time."""
    day_leads, day_follows = (numeric[part] > 12 for part in numeric.columns)
    must = {leads for leads, seen in ((True, day_leads), (False, day_follows)) if seen.any()}
    if len(must | ({given} - {None})) > 1:
        cells = [column[seen].iloc[0] for seen in (day_leads, day_follows) if seen.any()]
        raise ValueError(
            f"column {column.name!r} must have the day first, or the month first, throughout: got "
            f"{' and '.join(map(repr, cells))}. Mend the dates"
            + ("." if given is None else f", or leave out day_first={given}.")
        )
    if must or given is not None:
        return must.pop() if must else bool(given)
    regular = {leads: _regularity(_parse(column[numeric.index], leads)) for leads in (True, False)}
    cell = column[numeric.index[0]]
    # Of equals, dots mean the day first: nobody writes the month first with them.
    if regular[True] == regular[False] and "." not in cell:
        raise ValueError(
            f"column {column.name!r} must tell the day from the month, {cell!r} can be read both "
            "ways. Say which: day_first=True or day_first=False."
        )
    found = regular[True] >= regular[False]
    warnings.warn(
        f"dates such as {cell!r} are read with the {'day' if found else 'month'} first "
        f"(otherwise: day_first={not found}).",
        ForecastWarning,
        stacklevel=4,
    )
    return found


def _regularity(times: pd.Series) -> float:
    """Return the share of neighbouring times that are one step apart; 0 if they fit no grid."""
    distinct = pd.DatetimeIndex(times.drop_duplicates().sort_values())
    rows = np.arange(len(distinct))
    try:
        _, places = regular_positions(distinct, None, rows[:-1], rows[1:])
    except ValueError:
        return 0.0
    return float((np.diff(places) == 1).mean()) if len(places) > 1 else 0.0


def _parse(text: pd.Series, day_first: bool) -> pd.Series:
    # pandas takes "Jan-20" for the year 20.
    text = text.str.replace(rf"(?i)^({_MONTH})\.?[-' ]+(\d{{2}})$", r"\1 20\2", regex=True)
    offsets = text.str.extract(f"({_OFFSET})")[0][text.str.contains(":").eq(True)].unique()
    abroad = set(offsets) - {np.nan, None, "Z", "+00:00", "+0000"}
    if abroad:
        warnings.warn(
            f"times are taken from {', '.join(map(str, sorted(abroad)))} to UTC.",
            ForecastWarning,
            stacklevel=2,
        )
    zoned = pd.Series(offsets).notna().any()
    how: dict[str, Any] = {"dayfirst": day_first, "errors": "coerce", "utc": bool(zoned)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an ISO date is not day first, which pandas points out
        times = pd.to_datetime(text, **how)  # all in the form of the first, which is fast
        others = text[times.isna() & text.notna()]
        if len(others):
            times = times.fillna(pd.to_datetime(others, format="mixed", **how))
    return times


def _where(cells: pd.Series) -> str:
    return f"{cells.index.name or 'row'} {cells.index[0]}"
