"""Rows of a table that are one too many: copies, and those after the last value."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence

import pandas as pd

from forecast._checks import ForecastWarning, short
from forecast.data.naming import FEW_COPIES
from forecast.data.placing import by_local_clock
from forecast.data.time_columns import telling


def each_row_once(
    table: pd.DataFrame, given: Sequence[str], taken: Collection[str]
) -> pd.DataFrame:
    """Drop the rows that are copies of others; where no column tells the time, none is."""
    twice = table.duplicated()
    if not twice.any() or not (given or telling(table[~twice], taken)):
        return table
    warn(f"{_rows(int(twice.sum()))} left out: copies of other rows.")
    return table[~twice]


def each_time_once(rows: pd.DataFrame, ids: list[str], names: list[str]) -> pd.DataFrame:
    """Return rows of which each series has one per time.

    A few rows that differ in unused columns only are copies; many tell that one of these is a name.
    """
    keys = list(rows.columns[: len(ids) + 1])
    twice = rows.duplicated(keys)
    if twice.mean() > FEW_COPIES or (twice & ~rows.duplicated()).any():
        raise ValueError(_not_once(rows, keys, names))
    if twice.any():
        warn(f"{_rows(int(twice.sum()))} left out: same times and values as others.")
    return rows[~twice].reset_index(drop=True)


def cut_empty_end(rows: pd.DataFrame, ids: list[str], targets: list[str]) -> pd.DataFrame:
    """Drop the rows after the last value of each series: the future, kept open for covariates."""
    backwards = rows[targets].notna().any(axis=1)[::-1]
    series = rows.groupby(ids).ngroup() if ids else pd.Series(0, rows.index)
    keep = backwards.groupby(series[::-1]).cummax()[::-1]
    if not keep.any():
        raise ValueError(f"column {short(targets[0])} must hold a value, got empty cells only.")
    if not keep.all():
        warn(f"{_rows(int((~keep).sum()))} left out: without a value, at the end.")
    return rows[keep].reset_index(drop=True)


def _not_once(rows: pd.DataFrame, keys: list[str], names: list[str]) -> str:
    """Say which two rows contradict each other."""
    again = rows[rows.duplicated(keys, keep=False)]
    same = (again[keys] == again[keys].iloc[0]).all(axis=1)
    first, second = again[same].iloc[0], again[same].iloc[1]
    name = next((name for name in names if first[name] != second[name]), names[0])
    time = first[keys[-1]]
    zoned = "write the times with their offset from UTC, such as 2024-10-27T02:00+01:00."
    of = f" of series {', '.join(repr(first[key]) for key in keys[:-1])}" if len(keys) > 1 else ""
    return (
        f"column {short(name)} must have one value per time{of}, got {first[name]:.10g} and "
        f"{second[name]:.10g} at {str(time).removesuffix(' 00:00:00')} ({rows.index.name} "
        f"{first.name} and {second.name}). Keep one or aggregate them; if columns name the series "
        "of a long table, or tell the time together, say which: id_col, time_col."
        f"{by_local_clock(time, zoned)}"
    )


def _rows(count: int) -> str:
    return f"{count} row{'s are' if count > 1 else ' is'}"


def warn(message: str) -> None:
    """Say what was done to a table."""
    warnings.warn(message, ForecastWarning, stacklevel=3)
