"""Which columns of a long table name its series: one, or several such as a store and an item."""

from __future__ import annotations

import warnings
from itertools import combinations

import pandas as pd

from forecast._checks import ForecastWarning
from forecast.data.cells import whole_numbers
from forecast.data.time_parts import is_a_part

# Whole numbers are taken for names of series only if these have so much of the rows that they can:
# quantities that tell apart a few rows of each time by chance do not. Series that begin and end
# when they like have most of their own span, and are long.
_FILLED, _OWN_FILLED, _LONG = 0.5, 0.8, 8
# Rows with the time and the values of another are its copies, if they are so few.
FEW_COPIES = 0.1
_COLUMNS_LOOKED_AT, _MOST_COLUMNS = 10, 4


def naming(
    table: pd.DataFrame, texts: list[str], numbers: list[str], times: pd.Series
) -> list[str]:
    """Return the fewest columns that tell apart the rows of one time; none if no time repeats.

    None either where a part of a time, such as a period of a year, would be one: they have another
    time.

    Parameters
    ----------
    table
        Rows, none twice.
    texts, numbers
        The columns of text, and those of numbers; the latter are asked if text does not suffice.
    times
        The time of each row.

    Returns
    -------
    list of str
        In the order of the table. With several, the columns of text that are constant in each
        series are among them: the region of a state.

    Examples
    --------
    >>> table = pd.DataFrame({"store": list("AABB"), "item": list("xyxy"), "y": list("1234")})
    >>> naming(table, ["store", "item"], ["y"], pd.Series([1, 1, 1, 1]))
    ['store', 'item']
    """
    # Codes are compared faster than text.
    codes = pd.DataFrame({name: pd.factorize(table[name])[0] for name in [*texts, *numbers]})
    codes["the time"] = pd.factorize(times, sort=True)[0]
    if _are_told_apart(codes[["the time"]], codes[numbers]):
        return []
    whole = [name for name in texts if table[name].notna().all()]
    found = _fewest(codes, whole, numbers)
    if not found and len(numbers) > 1:
        whole += [name for name in numbers if whole_numbers(table[name]) is not None]
        found = _fewest(codes, [name for name in table if name in whole], numbers, filled=True)
    if any(is_a_part(table[name]) for name in found):
        return []
    if len(found) > 1:
        others = [name for name in texts if name not in found and table[name].notna().all()]
        series = len(table[found].drop_duplicates())
        found += [name for name in others if len(table[[*found, name]].drop_duplicates()) == series]
    return [name for name in table.columns if name in found]


def _fewest(
    codes: pd.DataFrame, names: list[str], numbers: list[str], *, filled: bool = False
) -> list[str]:
    """Return the columns with the fewest series, `filled` or not, that tell apart the rows."""
    times = codes["the time"]
    found: dict[tuple[str, ...], int] = {}
    names = names[:_COLUMNS_LOOKED_AT]
    for some in (some for n in range(1, _MOST_COLUMNS + 1) for some in combinations(names, n)):
        superfluous = any(set(fewer) <= set(some) for fewer in found)
        if superfluous or set(numbers) <= set(some):
            continue
        series = len(codes[list(some)].drop_duplicates())
        rest = codes[[name for name in numbers if name not in some]]
        enough = series < len(codes) or not times.any()
        enough &= not filled or _are_filled(codes, list(some), series)
        if enough and _are_told_apart(codes[[*some, "the time"]], rest):
            found[some] = series
    best = min(found, key=found.__getitem__, default=())
    return list(best)


def _are_filled(codes: pd.DataFrame, some: list[str], series: int) -> bool:
    """Tell whether these series have half of all times, or are long and have most of their own."""
    if _FILLED * series * (codes["the time"].max() + 1) <= len(codes):
        return True
    if len(codes) < _LONG * series:
        return False
    spans = codes.groupby(some)["the time"].agg(["min", "max"])
    return bool(_OWN_FILLED * (spans["max"] - spans["min"] + 1).sum() <= len(codes))


def _are_told_apart(keys: pd.DataFrame, values: pd.DataFrame) -> bool:
    """Tell whether keys occur once each, but for a few copies of rows with the same values."""
    twice = keys.duplicated()
    copies = not values.empty and twice.mean() <= FEW_COPIES
    return not twice.any() or (copies and not (twice & ~keys.join(values).duplicated()).any())


def tell_names(names: list[str]) -> None:
    """Say which columns name the series."""
    listed = ", ".join(map(repr, names))
    verb = "columns" if len(names) > 1 else "column"
    warnings.warn(
        f"{verb} {listed} {'name' if len(names) > 1 else 'names'} the series.",
        ForecastWarning,
        stacklevel=3,
    )
