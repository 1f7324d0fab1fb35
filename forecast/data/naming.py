"""Which columns of a long table name its series: one, or several such as a store and an item."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from itertools import combinations

import pandas as pd

from forecast._checks import ForecastWarning
from forecast.data.cells import whole_numbers

# Whole numbers are taken for names of series only if these have so much of the rows that they can.
_FILLED = 0.3
_COLUMNS_LOOKED_AT, _MOST_COLUMNS = 10, 4


def naming(
    table: pd.DataFrame, texts: list[str], numbers: list[str], times: pd.Series
) -> list[str]:
    """Return the fewest columns that tell apart the rows of one time; none if no time repeats.

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
    if not times.duplicated().any():
        return []
    found = _fewest(table, texts, times)
    if not found and len(numbers) > 1:
        counted = [name for name in numbers if whole_numbers(table[name]) is not None]
        found = _fewest(table, [name for name in table if name in (*texts, *counted)], times,
                        filled=_FILLED, leave=numbers)  # fmt: skip
    if len(found) > 1:
        others = [name for name in texts if name not in found and table[name].notna().all()]
        series = len(table[found].drop_duplicates())
        found += [name for name in others if len(table[[*found, name]].drop_duplicates()) == series]
    return [name for name in table.columns if name in found]


def _fewest(
    table: pd.DataFrame,
    names: list[str],
    times: pd.Series,
    filled: float = 0.0,
    leave: Collection[str] = (),
) -> list[str]:
    """Return the columns with the fewest series that tell apart the rows of one time."""
    whole = [name for name in names if table[name].notna().all()][:_COLUMNS_LOOKED_AT]
    # Codes are compared faster than text, and the rows of one time faster than all.
    codes = pd.DataFrame({name: pd.factorize(table[name])[0] for name in whole}, table.index)
    time = pd.Series(pd.factorize(times)[0], table.index, name="time")
    once = time == time.mode()[0]
    found: dict[tuple[str, ...], int] = {}
    for some in (some for n in range(1, _MOST_COLUMNS + 1) for some in combinations(whole, n)):
        keys = codes[list(some)]
        superfluous = any(set(fewer) <= set(some) for fewer in found)
        nothing_left = bool(leave) and set(leave) <= set(some)
        if superfluous or nothing_left or keys[once].duplicated().any():
            continue
        series = len(keys.drop_duplicates())
        enough = filled * series * (time.max() + 1) <= len(table)
        if (
            enough
            and (series < len(table) or once.all())
            and not keys.join(time).duplicated().any()
        ):
            found[some] = series
    best = min(found, key=found.__getitem__, default=())
    return list(best)


def tell_names(names: list[str]) -> None:
    """Say which columns name the series."""
    listed = ", ".join(map(repr, names))
    verb = "columns" if len(names) > 1 else "column"
    warnings.warn(
        f"{verb} {listed} {'name' if len(names) > 1 else 'names'} the series.",
        ForecastWarning,
        stacklevel=3,
    )
