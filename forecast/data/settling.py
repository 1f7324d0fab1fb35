"""Times that lie beside a regular axis but mean it: jitter, days of a month, midnights elsewhere.

What is exact stays as it is; only where no regular axis holds all times is one looked for that they
mean, and what was moved is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset, CustomBusinessDay, Day, Tick

from forecast._checks import is_integer
from forecast.data.aliases import cycle_of, monthly_aliases, parse_freq
from forecast.data.frequency import Step, locate, regular_positions
from forecast.data.opening import OPENINGS, told

# Times, and their step if it is known; None if they mean no regular axis.
_Found: TypeAlias = "tuple[pd.DatetimeIndex, BaseOffset | None] | None"
_log = logging.getLogger("forecast")

# How far a time may lie beside its step, as a share of it.
_JITTER = 0.01
# Rows from which on gaps are thought to be a habit.
_ROWS_TO_TELL = 100
# Steps in which clocks count, in milliseconds.
_CLOCK_STEPS = np.array(
    [k * unit for unit, counts in (
        (1, (1, 2, 5, 10, 20, 50, 100, 200, 250, 500)), (1_000, (1, 2, 5, 10, 15, 20, 30)),
        (60_000, (1, 2, 3, 5, 6, 10, 12, 15, 20, 30)), (3_600_000, (1, 2, 3, 4, 6, 8, 12, 24, 168)),
    ) for k in counts]
)  # fmt: skip
# Local midnight is between 11 and 10 o'clock in UTC, the day before in the east.
_EASTERN = pd.Timedelta(hours=13)


def settled(
    times: pd.Index, freq: Any, before: np.ndarray, after: np.ndarray, *, sparse: bool = False
) -> tuple[pd.Index, Step, np.ndarray]:
    """Return times on the regular axis that they mean, its step, and where each lies on it.

    Parameters
    ----------
    times, freq, before, after, sparse
        As in `regular_positions`.

    Returns
    -------
    times, step, positions
        The times are those given, unless they had to be moved.

    Raises
    ------
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2024-01-30", "2024-02-29", "2024-03-30", "2024-04-30"])
    >>> rows = np.arange(4)
    >>> _, step, positions = settled(days, None, rows[:-1], rows[1:])
    >>> step, positions.tolist()
    (<DateOffset: day=30, months=1>, [0, 1, 2, 3])
    """
    try:
        step, positions = regular_positions(times, freq, before, after, sparse=sparse)
    except ValueError:
        if not isinstance(times, pd.DatetimeIndex) or is_integer(freq):
            raise
        offset = None if freq is None else parse_freq(freq)
        if offset is not None and _is_regular(times, before, after):
            raise  # what is regular is not moved to another frequency
        for moved, meant in _meant(times, offset, times[0]):
            try:
                result = regular_positions(moved, meant, before, after, sparse=sparse)
            except ValueError:
                continue
            tell_moved(times, moved)
            return moved, *result
        raise
    if freq is None and isinstance(times, pd.DatetimeIndex):
        _tell_closed(times, step, positions)
    return times, step, positions


def _is_regular(times: pd.Index, before: np.ndarray, after: np.ndarray) -> bool:
    try:
        return bool(regular_positions(times, None, before, after)[0])
    except ValueError:
        return False


def on_grid(grid: pd.Index, times: pd.Index, *, days: bool = True) -> pd.Index:
    """Return times of which those beside an axis are moved to the step that they mean.

    With `days` any time of day may mean a day, as midnights elsewhere do.

    Examples
    --------
    >>> grid = pd.date_range("2024-01-01", periods=3, freq="h")
    >>> on_grid(grid, grid[1:] + pd.Timedelta(seconds=3)).equals(grid[1:])
    True
    """
    step = getattr(grid, "freq", None)
    if step is None or isinstance(grid, pd.PeriodIndex) or (locate(grid, times) >= 0).all():
        return times
    codes, distinct = pd.factorize(times, sort=True)
    off = locate(grid, distinct) < 0
    inside = off & np.asarray((distinct > grid[0]) & (distinct < grid[-1]))
    for moved, _ in _meant(distinct, step, grid[0], days=days):
        found = locate(grid, moved) >= 0
        if found[inside].all() and found[off].any():
            return distinct.where(~(off & found), moved).take(codes)
    return times


def _meant(
    times: Any, freq: BaseOffset | None, origin: Any, *, days: bool = True
) -> Iterator[tuple[pd.DatetimeIndex, BaseOffset | None]]:
    """Yield the regular times that some may mean, and their step if it is known."""
    for settle in (_on_a_day_of_the_month, _by_month, _by_clock, *([_by_day] if days else [])):
        found = settle(times, freq, origin)
        if found is not None and found[0].is_unique:
            yield found


def _on_a_day_of_the_month(times: pd.DatetimeIndex, freq: BaseOffset | None, origin: Any) -> _Found:
    """Find the day of the month on which all times fall, or on its last where it is shorter."""
    wall = times.tz_localize(None)
    day = int(wall.day.max())
    on_day = wall.day == np.minimum(day, wall.days_in_month)
    count = _months_of(freq) if type(freq) is pd.DateOffset else _usual_months(wall, freq)
    at_one_time = (wall - wall.normalize() == wall[0] - wall[0].normalize()).all()
    if not count or not on_day.all() or not at_one_time:
        return None
    return times, pd.DateOffset(months=count, day=day)


def _by_month(times: pd.DatetimeIndex, freq: BaseOffset | None, origin: Any) -> _Found:
    """Move times to their months: those in which they lie, or else those whose end is nearest."""
    wall = times.tz_localize(None)
    count = _usual_months(wall, freq) if freq is None else _months_of(freq)
    if not count:
        return None
    for shift in (pd.Timedelta(0), pd.Timedelta(days=14)):
        starts = (wall - shift).to_period("M").to_timestamp()
        if starts.is_unique and (np.diff(_month_number(starts)) % count == 0).all():
            step = freq or _usual_alias(wall, starts[0].month, count, late=bool(shift))
            moved = pd.DatetimeIndex([_stamp(start, step) for start in starts], name=times.name)
            return moved.as_unit(times.unit).tz_localize(times.tz), step
    return None


def _by_clock(times: pd.DatetimeIndex, freq: BaseOffset | None, origin: Any) -> _Found:
    """Round times to a step of the clock, if all lie within a hundredth of it."""
    step = _clock_step(times) if freq is None else freq
    if not isinstance(step, Tick | Day):
        return None
    length = (pd.Timedelta(days=step.n) if isinstance(step, Day) else pd.Timedelta(step)).value
    # Steps count from midnight, or else from about the first time.
    for start in (origin.normalize(), *(origin.round(unit) for unit in ("min", "s", "ns"))):
        since = times.as_unit("ns").asi8 - start.as_unit("ns").value
        beside = (since + length // 2) % length - length // 2
        if abs(beside).max(initial=0) <= _JITTER * length:
            return times - pd.to_timedelta(beside, unit="ns"), freq
    return None


def _clock_step(times: pd.DatetimeIndex) -> BaseOffset | None:
    """Return the step of the clock that is nearest to the usual one, if it is near."""
    usual = float(np.median(np.diff(times.as_unit("ns").asi8))) / 1e6 if len(times) > 2 else 0.0
    step = _CLOCK_STEPS[np.argmin(abs(_CLOCK_STEPS - usual))]
    near = abs(step - usual) <= _JITTER * step
    return parse_freq(pd.Timedelta(step, unit="ms")) if near else None


def _by_day(times: pd.DatetimeIndex, freq: BaseOffset | None, origin: Any) -> _Found:
    """Move times that are midnight somewhere, an hour earlier in summer, to the day that begins."""
    clocks = np.unique(times - times.normalize())
    hour = np.timedelta64(1, "h")
    apart = len(clocks) == 2 and clocks[1] - clocks[0] in (hour, 23 * hour)
    daily = freq is None or cycle_of(freq) == Day()
    if not daily or not (apart or (freq is not None and len(clocks) == 1)):
        return None
    return (times + _EASTERN).normalize(), None


def _usual_months(wall: pd.DatetimeIndex, freq: BaseOffset | None) -> int:
    """Return how many months most times are apart, 0 if they are no months apart."""
    if freq is not None or len(wall) < 3:
        return 0
    days = float(np.median(np.diff(wall.as_unit("s").asi8))) / 86_400
    count = round(days / 30.437)
    return count if count and abs(days / count - 30.437) < 3.5 else 0


def _months_of(freq: BaseOffset) -> int:
    cycle = cycle_of(freq)
    unit = cycle.freqstr.split("-")[0].strip("0123456789").lstrip("B")[:1]
    return cycle.n * {"M": 1, "Q": 3, "Y": 12}.get(unit, 0)


def _month_number(times: pd.DatetimeIndex) -> np.ndarray:
    return np.asarray(12 * times.year + times.month)


def _usual_alias(wall: pd.DatetimeIndex, month: int, count: int, *, late: bool) -> BaseOffset:
    """Return the end of months, of their business days, or their start: where most times lie."""
    start, end, _, business_end = monthly_aliases(count, month)
    left = np.asarray(wall.days_in_month - wall.day)
    if not late and left.max() < 7 and (wall.day_of_week < 5).all():
        return parse_freq(business_end)
    return parse_freq(end if late or np.median(left) < 15 else start)


def _stamp(start: pd.Timestamp, step: Any) -> pd.Timestamp:
    """Return the time of a step that stands for a month, given by its first day."""
    if type(step) is pd.DateOffset:
        return start.replace(day=min(step.kwds.get("day", 1), start.days_in_month))
    return step.rollback(start) if "Begin" in type(step).__name__ else step.rollforward(start)


def _tell_closed(times: pd.DatetimeIndex, step: Any, positions: np.ndarray) -> None:
    """Say which days or hours never occur, whether they are left out or are gaps."""
    if isinstance(step, OPENINGS):
        _log.warning("only %s, occur: other times are no steps; give freq=%r if they are",
                     *told(step))  # fmt: skip
    elif isinstance(step, CustomBusinessDay):
        _log.warning(
            "only %s occur: other days are no steps; give freq='D' if they are", step.weekmask
        )
    elif isinstance(step, Tick) and positions[-1] > 2 * len(times) > _ROWS_TO_TELL:
        clocks = times.tz_localize(None) - times.tz_localize(None).normalize()
        _log.warning(
            "%.0f%% of the steps from %s to %s are gaps: times of day are from %s to %s. Where "
            "closed hours are no gaps, number the rows: y.reset_index(drop=True)",
            100 - 100 * len(times) / positions[-1], times[0], times[-1],
            *(str(clock).removeprefix("0 days ")[:5] for clock in (clocks.min(), clocks.max())),
        )  # fmt: skip


def tell_moved(times: pd.Index, moved: pd.Index) -> None:
    """Log how many times were moved, and the first of them."""
    off = np.flatnonzero(times != moved)
    if len(off):
        _log.warning(
            "%d of %d times are beside a regular axis and were moved, the first from %s to %s",
            len(off), len(times), times[off[0]], moved[off[0]],
        )  # fmt: skip
