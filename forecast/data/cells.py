"""Cells of text become numbers: decimal marks, thousands, signs of money."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import ForecastWarning, short

# A number of more digits is a name.
WHOLE = r"-?\d{1,18}(?:\.0+)?"
# A comma that can not separate thousands: not before three digits, or after a zero, four digits, or
# groups of three made by points.
_DECIMAL_COMMA = r"[-+]?(?:(?:0|\d{4,}|\d{1,3}(?:\.\d{3})+)?,\d+|\d*,(?:\d{0,2}|\d{4,}))"
# One that can not be a decimal mark: there are several, or a decimal point after it.
_THOUSANDS_COMMA = r"[-+]?\d{1,3}(?:(?:,\d{3}){2,}|(?:,\d{3})+\.\d*)"
# Days and months with points in them, which are no numbers.
_DOTTED_TIME = r"\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})?|(?:0[1-9]|1[0-2])\.(?:19|20)\d{2}"
# Points that may separate thousands: no number begins with a zero but 0 itself.
_THOUSANDS_POINT = r"[-+]?[1-9]\d{0,2}(?:\.\d{3})+"
_MONEY = (
    r"(?:[A-Z]{0,2}\$|[€£¥₹₽₩]|AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HUF|INR|JPY|KRW|MXN|NOK|NZD|PLN"
    r"|SEK|TRY|USD|ZAR)"
)
# A number with the sign of its unit, or with its minus behind it or written as brackets.
_DRESSED = (
    rf"(?P<opened>\()?(?P<sign>[-+])?(?P<before>{_MONEY})?\s*(?P<minus>-)?"
    rf"(?P<digits>[.,]?\d[\d.,]*)\s*(?P<after>%|{_MONEY})?(?P<trailing>-)?(?P<closed>\))?"
)


def is_numeric(dtype: Any) -> bool:
    """Tell whether a column of this type holds numbers; pandas says no of the booleans of pyarrow.

    Examples
    --------
    >>> is_numeric(pd.BooleanDtype()), is_numeric(np.dtype("M8[s]"))
    (True, False)
    """
    return pd.api.types.is_numeric_dtype(dtype) or dtype.kind == "b"


def is_text(column: pd.Series) -> bool:
    """Tell whether a column holds text, as all columns of a CSV file do."""
    return not (
        is_numeric(column.dtype)
        or pd.api.types.is_datetime64_any_dtype(column.dtype)
        or isinstance(column.dtype, pd.PeriodDtype)
    )


def usual_decimal(table: pd.DataFrame) -> str:
    """Return the decimal mark of a table: a comma where that is the only way to read a cell.

    A `ForecastWarning` tells what is assumed where cells can be read both ways.

    Examples
    --------
    >>> usual_decimal(pd.DataFrame({"a": ["1.234,5", "7"]}, dtype=object))
    ','
    """
    cells = [table[name].dropna() for name in table.columns if is_text(table[name])]
    cells = [one for one in cells if not (len(one) and all_match(one, _DOTTED_TIME))]
    marked = pd.concat([one[one.str.contains("[,.]")] for one in cells] or [pd.Series()])
    if not len(marked):
        return "."
    plain = _bare(marked.astype(object))
    if plain.str.fullmatch(_DECIMAL_COMMA).any():
        return ","
    unclear = plain[plain.str.fullmatch(r"[-+]?\d{1,3},\d{3}")]
    if not plain.str.contains(",", regex=False).any():
        return _meaning_of_points(cells, plain)
    if len(unclear) and not plain.str.fullmatch(_THOUSANDS_COMMA).any():
        cell = unclear.iloc[0]
        _tell_mark(cell, cell.replace(",", ""), "comma is a decimal one", ",")
    return "."


def _meaning_of_points(cells: list[pd.Series], marked: pd.Series) -> str:
    """Return the decimal mark where there are points and no commas.

    All points before three digits may separate thousands. Numbers as they are have no zero at their
    end, and rounded ones all have a point: where neither holds, thousands are meant. So they are
    where the numbers without a point are the large ones.
    """
    points = marked[marked.str.fullmatch(r"[-+]?[\d.]+")]
    if not len(points) or not points.str.fullmatch(_THOUSANDS_POINT).all():
        return "."
    cell, plain = points.iloc[0], _beside_points(cells)
    several = points.str.count(r"\.").max() > 1
    if several or (len(plain) and points.str.endswith("0").any()) or _are_large(plain, points):
        if not several:
            _tell_mark(cell, cell.replace(".", ""), "point is a decimal one", ".")
        return ","
    _tell_mark(cell, cell, "point separates thousands", ",")
    return "."


def _beside_points(cells: list[pd.Series]) -> pd.Series:
    """Return the numbers of up to three digits in the columns that have points."""
    columns = [_bare(one) for one in cells if one.str.contains(".", regex=False).any()]
    together = pd.concat(columns)
    return together[together.str.fullmatch(r"-?\d{1,3}")]


def _are_large(plain: pd.Series, points: pd.Series) -> bool:
    """Tell whether numbers without a point are nearer to those with one if it means thousands."""
    size, decimal = (one.astype(np.float64).abs().median() for one in (plain, points))
    return len(plain) > 1 and bool(size > math.sqrt(1000) * decimal)


def _tell_mark(cell: str, number: str, otherwise: str, mark: str) -> None:
    warnings.warn(
        f"{short(cell)} is read as {number}; if its {otherwise}, say so: decimal={mark!r}.",
        ForecastWarning,
        stacklevel=4,
    )


def looks_like_a_number(column: pd.Series, marks: str = ",.") -> bool:
    """Tell whether at least half of the cells of a column are numbers; so is an empty column.

    Parameters
    ----------
    column
        Of any type.
    marks
        The decimal marks that they may have, one in all of them.

    Examples
    --------
    >>> prices = pd.Series(["1,5", "2,50", "?"], dtype=object)
    >>> looks_like_a_number(prices), looks_like_a_number(prices, ".")
    (True, False)
    """
    if not is_text(column):
        return pd.api.types.is_numeric_dtype(column.dtype)
    cells = some(column)
    return not len(cells) or any(_numbers(cells, mark).notna().mean() >= 0.5 for mark in marks)


def symbols_of(table: pd.DataFrame, texts: list[str]) -> list[str]:
    """Return the only one of some columns of text in which a word occurs twice on average.

    None where a column seems to hold numbers in another notation: it is what is meant.

    Examples
    --------
    >>> events = pd.DataFrame({"what": list("abab"), "who": list("vwxy")})
    >>> symbols_of(events, ["what", "who"])
    ['what']
    """
    again = [name for name in texts if _come_again(table[name])]
    meant = any(looks_like_a_number(table[name]) for name in texts)
    return again if len(again) == 1 and not meant else []


def _come_again(column: pd.Series) -> bool:
    return bool(2 * column.nunique() <= column.count())


def read_values(column: pd.Series, decimal: str) -> pd.Series:
    """Return a column as floats, or if it holds words that come again, as categories.

    Examples
    --------
    >>> words = pd.Series(["on", "off", None, "on", "off"], dtype=object)
    >>> read_values(words, ".").cat.categories.tolist()
    ['off', 'on']
    """
    words = is_text(column) and not _numbers(some(column), decimal).notna().any()
    if words and _come_again(column):
        return column.astype("category")
    return read_numbers(column, decimal)


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
        If a cell is no number, or some are in another unit; the message names the line.

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
            f"column {short(column.name)} must hold numbers, got {short(wrong.iloc[0])} in "
            f"{where(wrong)} ({len(wrong)} such cells). Mend it, or leave the cell empty."
        )
    _tell_dress(column, numbers)
    return numbers


def whole_numbers(column: pd.Series) -> pd.Series | None:
    """Return a column as whole numbers, None if a cell is none.

    Examples
    --------
    >>> whole_numbers(pd.Series(["3", "4.0"], dtype=object)).tolist()
    [3, 4]
    """
    if not is_text(column):
        whole = pd.api.types.is_numeric_dtype(column.dtype) and (column % 1 == 0).all()
        return column.astype(np.int64) if whole else None
    if column.isna().any() or not all_match(column, WHOLE):
        return None
    return column.str.replace(r"\.0+$", "", regex=True).astype(np.int64)


def some(column: pd.Series) -> pd.Series:
    """Return up to two thousand cells from all over a column."""
    cells = column.dropna()
    return cells.iloc[:: max(len(cells) // 1000, 1)]


def all_match(column: pd.Series, form: str) -> bool:
    """Tell whether all cells of a column have a form."""
    # Most columns differ in the first cell already.
    return all(part.str.fullmatch(form).all() for part in (column.iloc[:1], column))


def where(cells: pd.Series) -> str:
    """Return where the first of some cells stands: "line 7"."""
    return f"{cells.index.name or 'row'} {cells.index[0]}"


def _numbers(cells: pd.Series, decimal: str) -> pd.Series:
    """Return text as floats, NaN where it is no number; undressed only where that is needed."""
    numbers = _plain_numbers(_without_spaces(cells), decimal)
    dressed = numbers.isna() & cells.notna()
    if dressed.any():
        numbers = numbers.where(~dressed, _plain_numbers(_bare(cells.where(dressed)), decimal))
    return numbers


def _plain_numbers(text: pd.Series, decimal: str) -> pd.Series:
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


def _dress(cells: pd.Series) -> pd.DataFrame:
    """Return the parts of numbers with signs around them; rows of None where there is no number."""
    parts = _without_spaces(cells).str.extract(rf"^{_DRESSED}$").astype(object)
    alone = parts["opened"].notna() != parts["closed"].notna()
    signs = parts[["sign", "minus", "trailing", "closed"]].notna().sum(axis=1)
    return parts.mask(alone | (signs > 1))


def _bare(cells: pd.Series) -> pd.Series:
    """Return numbers with a plain minus and without the signs around them; others as they are.

    >>> _bare(pd.Series(["$1,234", "(5)", "12.5%", "5-", "-EUR 5", "x"], dtype=object)).tolist()
    ['1,234', '-5', '12.5', '-5', '-5', 'x']
    """
    parts = _dress(cells)
    minus = parts[["minus", "trailing", "closed"]].notna().any(axis=1) | parts["sign"].eq("-")
    numbers = parts["digits"].where(~minus, "-" + parts["digits"].astype(object))
    return numbers.where(numbers.notna(), _without_spaces(cells))


def _tell_dress(column: pd.Series, numbers: pd.Series) -> None:
    """Say how numbers with signs around them are read; refuse those in several units."""
    if not column.str.contains(r"[$%()€£¥₹₽₩A-Z]|\d-$", regex=True).any():
        return
    parts = _dress(column)
    units = parts["before"].where(parts["before"].notna(), parts["after"])
    _check_one_unit(column, units)
    is_dressed = units.notna() | parts[["closed", "trailing"]].notna().any(axis=1)
    dressed = column[is_dressed]
    if len(dressed):
        number = numbers.iloc[int(is_dressed.argmax())]
        warnings.warn(
            f"column {short(column.name)}: cells such as {short(dressed.iloc[0])} are read as "
            f"{number:g}.",
            ForecastWarning,
            stacklevel=4,
        )


def _check_one_unit(column: pd.Series, units: pd.Series) -> None:
    """Refuse two units, and percent beside plain numbers."""
    signed = units.dropna()
    if not len(signed):
        return
    other = column.notna() & units.ne(signed.iloc[0])
    others = column[other]
    if len(others) and (signed.iloc[0] == "%" or units[other].notna().any()):
        cell = column[units.notna()].iloc[0]
        raise ValueError(
            f"column {short(column.name)} must have its numbers in one unit, got {short(cell)} in "
            f"{where(signed)} and {short(others.iloc[0])} in {where(others)}. Write all of them "
            "alike."
        )
