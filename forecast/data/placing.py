"""Rows become a panel: each value is put where its series and its time say, in any order of rows.

A long table is read in stretches of rows, a wide one in stretches of columns, so that besides the
panel itself a row costs a few bytes only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data.frequency import Step, regular_grid
from forecast.data.numbered_times import refuse_dates
from forecast.data.panel import Layout, Panel
from forecast.data.settling import settled

# A stray date (1970, 2099) would fill memory with gaps: more steps a row than this are a mistake.
_STEPS_PER_ROW, _STEPS_ALWAYS_FINE = 100, 10_000_000
# Values that are placed in one go: all at once would take many times their memory.
_VALUES_AT_ONCE = 250_000
# The rows whose steps are shown to the inference of the frequency.
_ROWS_LOOKED_AT = 200_000
# The square of a larger value may overflow; a float64, so that float32 values are compared as such.
LARGEST = np.float64(1e150)

# Rows from which on equal gaps of a series are its frequency, and no chance.
_ROWS_TO_TELL = 8

Read = Callable[[int, int], np.ndarray]
Unobserved: TypeAlias = Literal["keep", "keep_one", "refuse"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Hold one row per (series, time), in any order.

    Parameters
    ----------
    ids
        The series, shape (n,).
    times
        The distinct times of all rows in rising order, shape (T,).
    series, slots
        For each row the number of its series and the position of its time in `times`, (rows,).
    read
        Returns the values of rows from one to another, NaN where there is none.
    dtype
        float32 or float64.
    layout
        The kind of table the rows came from.
    freq
        The frequency that the index of the table carries, or None.
    """

    ids: pd.Index
    times: pd.Index
    series: np.ndarray
    slots: np.ndarray
    read: Read
    dtype: np.dtype
    layout: Layout
    freq: Any = None


@dataclass(frozen=True, eq=False)
class Columns:
    """Hold series that share their times: a column each, in any order of rows.

    Parameters
    ----------
    ids, times, slots, dtype, layout, freq
        As in `Rows`; `slots` has an entry per row of the table, for all its columns.
    read
        Returns the values (rows, columns) of columns from one to another.
    """

    ids: pd.Index
    times: pd.Index
    slots: np.ndarray
    read: Read
    dtype: np.dtype
    layout: Layout
    freq: Any = None


def place(table: Rows | Columns, freq: Any, *, unobserved: Unobserved, sparse: bool) -> Panel:
    """Return the panel that holds the values of a table.

    Parameters
    ----------
    table
        The rows or columns.
    freq
        What the user said, or None to read the frequency from the times.
    unobserved
        Whether to keep the rows before the first value of a series, or the last of them; else a
        series without any value is refused.
    sparse
        Whether all rows of a series may be more than a step apart, and numbers may look like
        dates: they go on with a history.

    Raises
    ------
    ValueError
        If a time occurs twice in a series, a value is infinite, a series has no observed value, or
        the times are not regular.
    """
    if not sparse:
        refuse_dates(table.times)
    own = getattr(table.freq, "freqstr", None)
    if freq is None or (isinstance(freq, str) and freq == own):
        freq = table.freq  # which may have holidays of its own, where pandas shows a mere "C"
    if isinstance(table, Rows):
        return _place_rows(table, freq, unobserved, sparse)
    return _place_columns(table, freq, unobserved, sparse)


def _place_rows(rows: Rows, freq: Any, unobserved: Unobserved, sparse: bool) -> Panel:
    series, before, after = _neighbours(rows)
    try:
        times, step, places = settled(rows.times, freq, before, after, sparse=sparse)
    except ValueError:
        _refuse_twice(rows)
        raise
    if not sparse:
        _check_one_frequency(rows, series, places[after] - places[before], step)
    lows, starts, ends = _spans(rows, places)
    starts = _begun(rows.ids, lows, starts, ends, unobserved)
    offsets, spans = _offsets(ends + 1 - starts), _offsets(ends + 1 - lows)
    i = int(np.argmax(ends - lows))
    own = np.searchsorted(places, [lows[i], ends[i]])
    _check_stray(rows, int(spans[-1]), len(rows.slots), i, rows.times[own])
    values = np.full(offsets[-1], np.nan, dtype=rows.dtype)
    filled = np.zeros(spans[-1], dtype=bool)
    to_value, to_span = offsets[:-1] - starts, spans[:-1] - lows
    for part in _stretches(len(rows.slots), _VALUES_AT_ONCE):
        series, position = rows.series[part], places[rows.slots[part]]
        filled[to_span[series] + position] = True
        inside = position >= starts[series]
        values[(to_value[series] + position)[inside]] = rows.read(part.start, part.stop)[inside]
    if np.count_nonzero(filled) < len(rows.slots):
        _refuse_twice(rows)
    return _panel(rows, times, values, offsets, starts, step, places)


def _place_columns(table: Columns, freq: Any, unobserved: Unobserved, sparse: bool) -> Panel:
    n, T = len(table.ids), len(table.times)
    if T < len(table.slots):
        twice = pd.Series(table.slots).duplicated().to_numpy()
        first = int(table.slots[twice].min())
        raise ValueError(_twice(table.ids[0], table.times[first], n * int(twice.sum())))
    before, after = np.arange(T - 1), np.arange(1, T)
    times, step, places = settled(table.times, freq, before, after, sparse=sparse)
    positions, length = places[table.slots], int(places[-1]) + 1
    _check_stray(table, n * length, n * T, 0, table.times[[0, -1]])
    stretches = list(_stretches(n, max(1, _VALUES_AT_ONCE // length)))
    starts = np.zeros(n, dtype=np.int64)
    for part in stretches:
        values = table.read(part.start, part.stop)
        for row, k in np.argwhere(np.abs(values) > LARGEST)[:1]:
            time = table.times[table.slots[row]]
            raise ValueError(_infinite(table.ids[part.start + k], values[row, k], time))
        never = np.where(np.isnan(values), length, positions[:, None])
        starts[part] = never.min(axis=0)
    starts = _begun(table.ids, starts * 0, starts, np.full(n, length - 1), unobserved)
    offsets = _offsets(length - starts)
    flat = np.empty(offsets[-1], dtype=table.dtype)
    for part in stretches:
        full = np.full((part.stop - part.start, length), np.nan, dtype=table.dtype)
        full[:, positions] = table.read(part.start, part.stop).T
        inside = np.arange(length) >= starts[part, None]
        flat[offsets[part.start] : offsets[part.stop]] = full[inside]
    return _panel(table, times, flat, offsets, starts, step, places)


def _spans(rows: Rows, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first, the first observed and the last position of each series, (n,) each."""
    lows = np.full(len(rows.ids), places[-1] + 1)
    starts, ends = lows.copy(), np.full(len(rows.ids), -1)
    for part in _stretches(len(rows.slots), _VALUES_AT_ONCE):
        series, position = rows.series[part], places[rows.slots[part]]
        values = rows.read(part.start, part.stop)
        for row in np.flatnonzero(np.abs(values) > LARGEST)[:1]:
            time = rows.times[rows.slots[part][row]]
            raise ValueError(_infinite(rows.ids[series[row]], values[row], time))
        observed = ~np.isnan(values)
        np.minimum.at(lows, series, position)
        np.maximum.at(ends, series, position)
        np.minimum.at(starts, series[observed], position[observed])
    return lows, starts, ends


def _begun(
    ids: pd.Index,
    lows: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    unobserved: Unobserved,
) -> np.ndarray:
    """Return where series begin, of their first, first observed and last positions, (n,) each."""
    if unobserved == "keep":
        return lows
    if unobserved == "keep_one":
        return np.clip(starts - 1, lows, ends)
    empty = np.flatnonzero(starts > ends)
    if len(empty):
        more = f" ({len(empty)} such series)" if len(empty) > 1 else ""
        raise ValueError(
            f"series {short(ids[empty[0]])} must have at least one observed value, got none{more}. "
            "Drop it."
        )
    return starts


def _panel(
    table: Rows | Columns,
    times: pd.Index,
    values: np.ndarray,
    offsets: np.ndarray,
    starts: np.ndarray,
    step: Step,
    places: np.ndarray,
) -> Panel:
    return Panel(
        values=values,
        offsets=offsets,
        starts=starts,
        grid=regular_grid(times, int(places[-1]) + 1, step),
        ids=table.ids,
        X=None,
        X_names=(),
        layout=table.layout,
    )


def _stretches(length: int, step: int) -> Iterator[slice]:
    return (slice(first, min(first + step, length)) for first in range(0, length, step))


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(lengths)))


def _check_one_frequency(rows: Rows, series: np.ndarray, gaps: np.ndarray, step: Step) -> None:
    """Refuse a series that always takes several steps where another takes each."""
    each = pd.Series(gaps).groupby(series).agg(["min", "max", "median", "size"])
    coarse = each[
        (each["min"] > 1) & (each["min"] == each["max"]) & (each["size"] >= _ROWS_TO_TELL)
    ]
    fine = each[each["median"] == 1]
    if len(coarse) and len(fine):
        one, other = (short(rows.ids[int(part.index[0])]) for part in (coarse, fine))
        more = f" (so do {len(coarse) - 1} others)" if len(coarse) > 1 else ""
        raise ValueError(
            f"series of one table must share their frequency: series {one} has a row at every "
            f"{coarse['min'].iloc[0]}th step of {getattr(step, 'freqstr', step)!r}{more}, series "
            f"{other} at each. Fit them apart, or give all the coarser frequency."
        )


def _neighbours(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the series and the slots of neighbours in one series, for the first series."""
    counts = np.zeros(len(rows.ids), dtype=np.int64)
    for part in _stretches(len(rows.series), _VALUES_AT_ONCE):
        counts += np.bincount(rows.series[part], minlength=len(counts))
    enough = int(np.searchsorted(np.cumsum(counts), _ROWS_LOOKED_AT)) + 1
    few = np.flatnonzero(rows.series < enough)
    series, slots = rows.series[few], rows.slots[few]
    order = np.lexsort((slots, series))
    series, slots = series[order], slots[order]
    inside = np.flatnonzero((series[1:] == series[:-1]) & (slots[1:] > slots[:-1]))
    return series[inside], slots[inside], slots[inside + 1]


def too_sparse(steps: int, rows: int) -> bool:
    """Tell whether there are so many steps for so few rows that one of their times is a stray.

    Examples
    --------
    >>> too_sparse(600_000, 2_000), too_sparse(60_000_000, 2_000)
    (False, True)
    """
    return steps > _STEPS_ALWAYS_FINE + _STEPS_PER_ROW * rows


def _check_stray(table: Rows | Columns, steps: int, rows: int, i: int, limits: pd.Index) -> None:
    if too_sparse(steps, rows):
        own = np.count_nonzero(table.series == i) if isinstance(table, Rows) else len(table.slots)
        raise ValueError(
            f"series {short(table.ids[i])} has {own} rows but spans far more steps, {limits[0]} to "
            f"{limits[1]}. Look for a stray time, or resample."
        )


def limit(value: float) -> str:
    """Return what a value beyond `LARGEST` should be."""
    return f"at most {LARGEST:g} in size" if np.isfinite(value) else "finite"


def _infinite(series: Any, value: Any, time: Any) -> str:
    return (
        f"series {short(series)} must be {limit(value)}, got {value} at {time}. Replace it, "
        "or mark it as missing with NaN."
    )


def _refuse_twice(rows: Rows) -> None:
    """Refuse a time that occurs twice in a series, if there is one."""
    key = np.sort(rows.series.astype(np.int64) * len(rows.times) + rows.slots)
    twice = key[1:][key[1:] == key[:-1]]
    if len(twice):
        series, slot = divmod(int(twice[0]), len(rows.times))
        raise ValueError(_twice(rows.ids[series], rows.times[slot], len(twice)))


def _twice(series: Any, time: Any, count: int) -> str:
    zoned = "give the times their time zone, tz_localize(tz='Europe/Berlin', ambiguous='infer')."
    return (
        f"series {short(series)} has more than one row at {time} ({count} such rows in all). "
        f"Aggregate them first, for example with groupby(...).mean().{by_local_clock(time, zoned)}"
    )


def by_local_clock(time: Any, remedy: str) -> str:
    """Return why a time of day without a time zone may occur twice, and a remedy; else "".

    Examples
    --------
    >>> by_local_clock(pd.Timestamp("2024-10-27"), "say which.")
    ''
    >>> by_local_clock(pd.Timestamp("2024-10-27T02:00Z"), "say which.")
    ''
    """
    if not isinstance(time, pd.Timestamp) or time.tz is not None or time == time.normalize():
        return ""
    return f" If this is local clock time, an hour occurs twice when summer time ends: {remedy}"
