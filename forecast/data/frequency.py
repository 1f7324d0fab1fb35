"""The time axis: which frequency timestamps have, and where each lies on the regular grid."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset, Day, Tick

from forecast._checks import is_integer
from forecast.data.aliases import aliases_of_step, parse_freq
from forecast.data.opening import open_days, open_hours

# Inference looks at the first steps inside the series; more would not change the most common one.
_STEPS_LOOKED_AT = 100_000
Step = BaseOffset | int


def regular_positions(
    times: pd.Index, freq: Any, before: np.ndarray, after: np.ndarray, *, sparse: bool = False
) -> tuple[Step, np.ndarray]:
    """Return the step of the regular axis that holds all times, and where each lies on it.

    Parameters
    ----------
    times
        Distinct times in rising order, of all series together, shape (T,).
    freq
        What the user said, or None to read the frequency from the steps inside the series.
    before, after
        Positions in `times` of neighbours in one series: (steps,) each.
    sparse
        Whether all neighbours may be more than a step apart; else `freq` is taken for a mistake.

    Returns
    -------
    step, positions
        An offset or a whole number, and how many steps each time is after the first, (T,) int64.

    Raises
    ------
    ValueError
        If a time is not on the axis; the message names the first such time.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2024-01-30", "2024-01-31", "2024-02-02"])
    >>> step, positions = regular_positions(days, None, np.array([0, 1]), np.array([1, 2]))
    >>> step, positions.tolist()
    (<Day>, [0, 1, 3])
    """
    before, after = before[:_STEPS_LOOKED_AT], after[:_STEPS_LOOKED_AT]
    step = _given_step(times, freq)
    if step is None:
        step = _usual_step(times, before, after)
    positions = _positions(times, step)
    off_grid = np.flatnonzero(positions < 0)
    if len(off_grid):
        raise ValueError(_off_grid_message(times, int(off_grid[0]), freq, step, before, after))
    gaps = positions[after] - positions[before]
    if freq is not None and not sparse and len(times) > 2 and not (gaps == 1).any():
        raise ValueError(
            f"`freq`={_name(step)!r} is finer than the data: no two neighbouring rows are one "
            f"step apart, the first times are {times[0]} and {times[1]}. Leave `freq` out."
        )
    return step, positions


def regular_grid(times: pd.Index, length: int, step: Step) -> pd.Index:
    """Return the regular axis of a given length that starts at the first time.

    Examples
    --------
    >>> regular_grid(pd.Index([3, 7]), 4, 2).tolist()
    [3, 5, 7, 9]
    """
    first, name = times[0], times.name
    if isinstance(step, int):
        return pd.RangeIndex(int(first), int(first) + length * step, step, name=name)
    if isinstance(times, pd.PeriodIndex):
        return pd.period_range(first, periods=length, freq=step, name=name)
    assert isinstance(times, pd.DatetimeIndex)
    if _is_duration(step):
        grid = pd.date_range(first, periods=length, freq=step, name=name)
        return grid.as_unit(times.unit)
    return _calendar_grid(times, step, periods=length)


def extend_grid(grid: pd.Index, steps: int) -> pd.Index:
    """Return a regular axis continued by some steps into the future.

    Raises
    ------
    ValueError
        If its last times are later than its unit can hold: with nanoseconds, than April 2262.

    Examples
    --------
    >>> extend_grid(pd.RangeIndex(0, 6, 2), 2).tolist()
    [0, 2, 4, 6, 8]
    """
    return grid.append(following(grid, steps))


def following(grid: pd.Index, steps: int) -> pd.Index:
    """Return the times of the next steps after a regular axis.

    Raises
    ------
    ValueError
        If pandas cannot hold them in the unit of the axis.

    Examples
    --------
    >>> following(pd.RangeIndex(0, 6, 2), 2).tolist()
    [6, 8]
    """
    step = _step_of(grid)
    # pandas makes calendar steps one by one: make the new ones only, an update is often one step.
    known = grid if has_moved_midnight(grid) else grid[-1:]
    try:
        return regular_grid(known, len(known) + steps, step)[len(known) :]
    except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta, OverflowError) as error:
        raise ValueError(
            f"{steps} steps of {_name(step)!r} after {grid[-1]} must be times that pandas can "
            f"hold in {getattr(grid, 'unit', 'whole numbers')!r}, got later ones. Take fewer "
            "steps, or a coarser unit: y.index.as_unit('s')."
        ) from error


def extend_grid_to(grid: pd.Index, last: Any) -> pd.Index:
    """Return a regular axis continued up to a time, if that is later than its end.

    Examples
    --------
    >>> extend_grid_to(pd.RangeIndex(0, 6, 2), 9).tolist()
    [0, 2, 4, 6, 8]
    """
    if last <= grid[-1]:
        return grid
    step = _step_of(grid)
    known = grid if has_moved_midnight(grid) else grid[-1:]
    if isinstance(known, pd.DatetimeIndex) and not _is_duration(step):
        reached = _calendar_grid(known, step, end=last).searchsorted(last, side="right")
        return extend_grid(grid, int(reached) - len(known))
    ends = known.append(pd.Index([last], dtype=grid.dtype))
    return extend_grid(grid, int(_steps(ends, step)[0][-1]))


def freq_of(grid: pd.Index) -> Any:
    """Return the frequency of a regular axis: an alias, or the step of a whole-number axis.

    An offset that its alias does not tell all of, such as business days with holidays of their own,
    is returned as it is.

    Examples
    --------
    >>> freq_of(pd.date_range("2024-01-01", periods=3, freq="MS")), freq_of(pd.RangeIndex(1, 9))
    ('MS', 1)
    """
    # Periods spell their frequency as periods do ("M", not "ME").
    if isinstance(grid, pd.PeriodIndex):
        return str(grid.freqstr)
    step = _step_of(grid)
    return _name(step) if isinstance(step, int) or _is_told_by_alias(step) else step


def _is_told_by_alias(step: BaseOffset) -> bool:
    try:
        return parse_freq(step.freqstr) == step
    except ValueError:  # pd.DateOffset(months=1, day=15)
        return False


def locate(grid: pd.Index, times: pd.Index) -> np.ndarray:
    """Return the position of each time on an axis, -1 where it has none."""
    return grid.get_indexer(times).astype(np.int64)


def same_clock(grid: pd.Index, times: pd.Index, where: str) -> None:
    """Check that times are of the kind of an axis: datetimes in the same zone, periods, numbers.

    Raises
    ------
    TypeError
        If they are not, so no row could ever match.
    """
    if _clock(grid) != _clock(times):
        raise TypeError(
            f"{where} must hold the same kind of time as `y`: y has {_clock(grid)}, "
            f"got {_clock(times)}."
        )


def _clock(times: pd.Index) -> str:
    if isinstance(times, pd.DatetimeIndex):
        return "datetimes without a time zone" if times.tz is None else f"datetimes in {times.tz}"
    if isinstance(times, pd.PeriodIndex):
        return f"periods of frequency {times.freqstr}"
    return "whole numbers"


def _given_step(times: pd.Index, freq: Any) -> Step | None:
    """Return the step that the user or the index itself states, or None."""
    if isinstance(times, pd.DatetimeIndex):
        if is_integer(freq):
            raise ValueError(f"`freq` must be an alias such as 'D' for datetimes, got {freq}.")
        return None if freq is None else parse_freq(freq)
    if isinstance(times, pd.PeriodIndex):
        own = times.freq
        if freq is not None and (is_integer(freq) or parse_freq(freq, period=True) != own):
            raise ValueError(
                f"`freq`={freq!r} differs from the frequency of the periods, {times.freqstr!r}. "
                "Leave `freq` out, or convert with .asfreq."
            )
        return own
    if freq is None:
        return None
    if not is_integer(freq) or freq < 1:
        raise ValueError(
            "`freq` must be a positive whole number of steps where time is whole numbers, "
            f"got {freq!r}."
        )
    return int(freq)


def _usual_step(times: pd.Index, before: np.ndarray, after: np.ndarray) -> Step:
    """Return the most common step inside the series; of calendar steps the first that fits all."""
    if not isinstance(times, pd.DatetimeIndex):
        if not len(before):
            return 1
        values = times.to_numpy()
        return int(_mode(values[after] - values[before]))
    if not len(before):
        raise ValueError(
            f"the frequency cannot be read from single timestamps (first {times[0]}): give it, "
            "for example freq='D'."
        )
    wall = times.tz_localize(None).to_numpy()
    usual = _mode(wall[after] - wall[before])
    days = usual / np.timedelta64(1, "D")
    if days < 1 or days != int(days):
        absolute = _absolute(times)
        length = pd.Timedelta(_mode(absolute[after] - absolute[before]))
        opened = open_hours(times, length) if days < 1 else None
        if opened is not None and (_positions(times, opened) >= 0).all():
            return opened
        return parse_freq(length)
    candidates = [parse_freq(alias) for alias in aliases_of_step(times, int(days))]
    if days < 7 and (opened := open_days(times)) is not None:
        candidates.insert(0, opened)
    fitting = (step for step in candidates if (_positions(times, step) >= 0).all())
    return next(fitting, candidates[-1])


def _mode(steps: np.ndarray) -> Any:
    """Return the most common step, the smallest of equals."""
    values, counts = np.unique(steps, return_counts=True)
    return values[np.argmax(counts)]


def _is_duration(step: Any) -> TypeGuard[Tick]:
    """Tell whether a step is a fixed time on every clock; a day is not, where clocks change."""
    return isinstance(step, Tick) and not isinstance(step, Day)


def _absolute(times: pd.DatetimeIndex) -> np.ndarray:
    utc = times if times.tz is None else times.tz_convert("UTC").tz_localize(None)
    return utc.to_numpy()


def _positions(times: pd.Index, step: Step) -> np.ndarray:
    """Return the whole number of steps from the first time to each, -1 where it is not whole."""
    if isinstance(times, pd.DatetimeIndex) and not _is_duration(step):
        return locate(_calendar_grid(times, step, end=times[-1]), times)
    positions, rest = _steps(times, step)
    return np.where(rest.astype(np.int64) == 0, positions, -1).astype(np.int64)


def _steps(times: pd.Index, step: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return how many whole steps of equal length each time is after the first, and the rest."""
    unit: Any
    if isinstance(step, int):
        values, unit = times.to_numpy(), step
    elif isinstance(times, pd.PeriodIndex):
        values, unit = times.asi8, step.n
    else:
        assert isinstance(times, pd.DatetimeIndex)
        values, unit = _absolute(times), pd.Timedelta(step).to_timedelta64()
    return np.divmod(values - values[0], unit)


def _calendar_grid(times: pd.DatetimeIndex, step: Any, **limit: Any) -> pd.DatetimeIndex:
    """Return the axis of a calendar step (day, week, month, ...), counted on the wall clock."""
    wall = times[:1].tz_localize(None)
    if "end" in limit:
        # The last wall clock time may have been moved by an hour; a day more finds its step.
        limit["end"] = limit["end"].tz_localize(None) + pd.Timedelta(hours=23)
    grid = pd.date_range(wall[0], freq=step, name=times.name, **limit).as_unit(times.unit)
    if times.tz is None:
        return grid
    # Midnight does not exist on some days of summer time: such a day starts an hour later.
    local = grid.tz_localize(
        times.tz, nonexistent="shift_forward", ambiguous=np.ones(len(grid), dtype=bool)
    )
    if (local.tz_localize(None) == grid).all():
        return pd.DatetimeIndex(local, freq=step)
    return local


def has_moved_midnight(grid: pd.Index) -> bool:
    """Tell whether a day of the axis starts late: pandas gives such an axis no freq of its own."""
    return isinstance(grid, pd.DatetimeIndex) and grid.freq is None


def _step_of(grid: pd.Index) -> Step:
    if isinstance(grid, pd.RangeIndex):
        return int(grid.step)
    freq = getattr(grid, "freq", None)
    if isinstance(freq, BaseOffset):
        return freq
    rows = np.arange(len(grid))
    return _usual_step(grid, rows[:-1], rows[1:])


def _name(step: Step) -> str | int:
    return step if isinstance(step, int) else str(step.freqstr)


def _off_grid_message(
    times: pd.Index, row: int, freq: Any, step: Step, before: np.ndarray, after: np.ndarray
) -> str:
    if freq is None:
        return (
            f"the index must be regular: its usual step is {_name(step)!r} from {times[0]}, but "
            f"{times[row]} is not on that grid. {_regular_remedy(times, before, after)}"
        )
    try:
        usual = _usual_step(times, before, after)
        fits = bool((_positions(times, usual) >= 0).all())
    except ValueError:
        fits = False
    remedy = (
        f"The data fit freq={_name(usual)!r}." if fits else _shared_months(times, before, after)
    )
    return (
        f"`freq`={_name(step)!r} does not fit the index: {times[row]} is not on it. "
        f"{remedy or 'Resample the data to it first.'}"
    )


def _shared_months(times: pd.Index, before: np.ndarray, after: np.ndarray) -> str:
    """Return what gives one axis to series of quarters or years that begin in different months."""
    if not isinstance(times, pd.DatetimeIndex) or not 0 < len(before) < len(times) - 1:
        return ""  # a single series, or none of two rows
    days = pd.Timedelta(np.median((times[after] - times[before]).asi8), times.unit).days
    period = {89: "Q", 90: "Q", 91: "Q", 92: "Q", 365: "Y"}.get(days)
    give = f"give all .to_period({period!r})."
    return f"The series begin in different months: {give}" if period else ""


def _regular_remedy(times: pd.Index, before: np.ndarray, after: np.ndarray) -> str:
    """Return what makes irregular times regular: missing rows, or means of whole days, minutes."""
    if not isinstance(times, pd.DatetimeIndex):
        return f"Give freq={int(np.gcd.reduce(np.diff(times)))}, or number the rows."
    clock = times.as_unit("ns").asi8
    usual = pd.Timedelta(np.median(clock[after] - clock[before]), unit="ns")
    if remedy := _shared_months(times, before, after):
        return remedy
    for alias in (*aliases_of_step(times, 30)[:-1], *aliases_of_step(times, 7)[:-1]):
        if (_positions(times, parse_freq(alias)) >= 0).all():
            return f"If steps between them are missing, say so: y.asfreq({alias!r})."
    if usual.days and ((times.day == 1) | (times.day == times.days_in_month)).all():
        return "Some begin a month and some end one: make months of all with .to_period('M')."
    units = {alias: pd.Timedelta(1, unit=alias) for alias in ("us", "ms", "s", "min", "D")}
    alias = max((one for one in units if units[one] <= usual), key=units.__getitem__, default="us")
    freq = f"{round(usual / units[alias])}{alias}"
    if freq == "7D" and len(before) < len(times) - 1:  # several series
        freq = "W"
    return f"Resample the data: y.resample({freq!r}).mean(), or give `freq`."
