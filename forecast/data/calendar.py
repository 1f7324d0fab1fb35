"""The calendar: how long a season is at a frequency, and features of the time of day and year."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset, Day, Tick
from scipy.special import fdtrc

from forecast._checks import is_integer
from forecast.data.aliases import cycle_of, parse_freq
from forecast.data.frequency import extend_grid
from forecast.data.holidays import holiday_features
from forecast.data.opening import OPENINGS, steps_per_day
from forecast.data.panel import Panel

AHEAD = 64  # times beyond those asked for whose features are made with them

# Steps per season of the calendar frequencies: a week of days, a year of everything longer.
_SEASONS = {"D": 7, "B": 5, "W": 52, "SM": 24, "M": 12, "Q": 4, "Y": 1}
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}

# Season lengths tried where time is whole numbers: quarters, weekdays, months, hours, half hours,
# weeks, quarter hours.
CANDIDATES = (4, 7, 12, 24, 48, 52, 96)
_SERIES_LOOKED_AT, _VALUES_LOOKED_AT = 200, 2_000
# An autocorrelation counts from three standard errors of white noise; a large panel makes these
# tiny, so it must also be worth a seasonal model.
_STANDARD_ERRORS, _SMALLEST = 3.0, 0.1
# Of quarters and months, which most numbered times are, two standard errors do if the means of the
# places differ, too, more than chance makes them do in one of a thousand cases (F test).
_USUAL, _FEWER, _CHANCE = (4, 12), 2.0, 1e-3
# A season of 4 shows at 12, 24, ... as well: the shortest that is nearly as strong is meant.
_NEARLY = 0.8
# A season of any other length must leave no doubt: so long at most, the correlation after one, two
# and three of them so high, and by so much above those a step beside, as no smooth cycle has it.
_LONGEST, _EXACT, _SHARP, _FEW_SERIES = 366, 0.6, 0.25, 20


def season_lengths(freq: Any) -> tuple[int, ...]:
    """Return the usual season lengths of a frequency in steps, the main one first.

    Parameters
    ----------
    freq
        A pandas alias or offset, old or new; a whole number has no calendar and gives (1,).

    Examples
    --------
    >>> season_lengths("h"), season_lengths("15min"), season_lengths("D"), season_lengths("MS")
    ((24, 168), (96, 672), (7,), (12,))
    >>> season_lengths(pd.offsets.BusinessHour(start="09:00", end="17:00"))
    (8, 40)
    >>> season_lengths("B"), season_lengths("W-SUN"), season_lengths("28D"), season_lengths("2Q")
    ((5,), (52,), (13,), (2,))
    """
    if is_integer(freq):
        return (1,)
    offset = cycle_of(parse_freq(freq))
    if isinstance(offset, Tick) and not isinstance(offset, Day):
        step = _seconds(offset)
        cycles = ("day", "week") if step >= 60 else ("minute", "hour")
        if step < 1:
            cycles = ("second", "minute")
        seasons = [_SECONDS[cycle] / step for cycle in cycles]
    elif isinstance(offset, OPENINGS):
        day = steps_per_day(offset)
        seasons = [day, day * _open_days(offset)]
    else:
        seasons = [_steps_per_cycle(offset) / offset.n]
    whole = tuple(round(season) for season in seasons if abs(season - round(season)) < 1e-9)
    return tuple(season for season in whole if season > 1) or (1,)


def longer_seasons(season_length: int, freq: Any) -> tuple[int, ...]:
    """Return the seasons that hold several of `season_length`: the week beside the day.

    Where time is whole numbers, 24, 48 and 96 steps are taken for a day.

    Examples
    --------
    >>> longer_seasons(24, "h"), longer_seasons(48, 1), longer_seasons(12, "MS")
    ((168,), (336,), ())
    """
    whole_numbers = (7 * season_length,) if season_length in (24, 48, 96) else ()
    seasons = whole_numbers if is_integer(freq) else season_lengths(freq)
    return tuple(season for season in seasons if season > season_length)


def infer_season_length(panel: Panel) -> int:
    """Return the main season length of a panel, by its calendar or else by its values.

    Where time is whole numbers, the season is the candidate m in 4, 7, 12, 24, 48, 52, 96 whose
    autocorrelation r(m) of the differenced values, averaged over at most 200 series, is a peak
    (above r(m - 1) and r(m + 1)) and above max(0.1, 3 / sqrt(number of values)). For 4 and 12, two
    take the place of three if the means of the places in the season differ as well. Of several, it
    is the shortest with at least 0.8 of the highest r. Without any, or where its r is above that of
    all candidates by as much, it is the shortest m up to 366, seen four times, that repeats
    sharply: the autocorrelation without the factor for the overlap is at least 0.6 and
    3 / sqrt(number of pairs) at m, 2m and 3m, at m 0.25 above its neighbours and 0.8 of that at 2m.
    Else it is 1.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> infer_season_length(read_frames(pd.Series([3.0, 1.0, 4.0, 1.0] * 10)))
    4
    >>> infer_season_length(read_frames(pd.Series([3.0, 1.0, 4.0, 1.0, 5.0] * 10)))
    5
    """
    if not isinstance(panel.grid, pd.RangeIndex):
        return season_lengths(panel.freq)[0]
    sample = np.linspace(0, panel.n_series - 1, min(panel.n_series, _SERIES_LOOKED_AT)).astype(int)
    changes = [np.diff(panel.series(i)[-_VALUES_LOOKED_AT:].astype(np.float64)) for i in sample]
    strengths = {m: _strength(changes, m) for m in CANDIDATES}
    highest = max(strengths.values())
    sharp = _sharp_season(changes)  # a pattern of ten resembles itself after four or seven, too
    if highest <= 0 or (sharp > 1 and highest < _NEARLY * _strength(changes, sharp)):
        return sharp
    return next(m for m, strength in strengths.items() if strength >= _NEARLY * highest)


def calendar_features(
    index: pd.Index, freq: Any, holidays: Any = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return what the calendar says of each time, for the cycles that vary at the frequency.

    Parameters
    ----------
    index
        Times, shape (G,): datetimes (read on the local clock of their zone), periods (their
        start), or whole numbers.
    freq
        Their frequency; it alone decides which features there are.
    holidays
        A country such as "DE", with a subdivision such as "US-CA", or a list of them.

    Returns
    -------
    features, names
        float32 of shape (G, C) in [-1, 1], and C names: sine and cosine of the time of day, of the
        weekday and of the time of year, and a flag for the weekend. C is 0 for whole numbers and
        years. With `holidays` flags for a holiday, the day before and the day after; for weeks,
        months and quarters how many of their days from Monday to Friday are holidays, in fifths.

    Raises
    ------
    ValueError
        If a country is not known, time is whole numbers, or a step is longer than a quarter.

    Examples
    --------
    >>> days = pd.date_range("2024-01-05", periods=2, freq="D")
    >>> features, names = calendar_features(days, "D")
    >>> names
    ('weekday_sin', 'weekday_cos', 'weekend', 'year_sin', 'year_cos')
    >>> features[:, 2].tolist()
    [0.0, 1.0]
    >>> features, names = calendar_features(days, "D", holidays=["AT", "US-CA"])
    >>> names[5:], features[:, 5:].tolist()
    (('holiday', 'holiday_before', 'holiday_after'), [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    """
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        if holidays is not None:
            raise ValueError("`holidays` needs dates as times, got whole numbers. Leave it out.")
        return np.empty((len(index), 0), dtype=np.float32), ()
    local = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index.tz_localize(None)
    offset = cycle_of(parse_freq(freq))
    clock = local.to_numpy()
    phases = {name: _phase(clock, name) for name in _cycles(offset)}
    columns: dict[str, np.ndarray] = {}
    for name, phase in phases.items():
        if name == "weekend":
            columns[name] = phase
        else:
            columns[f"{name}_sin"] = np.sin(2 * np.pi * phase)
            columns[f"{name}_cos"] = np.cos(2 * np.pi * phase)
    if holidays is not None:
        unit = "" if isinstance(offset, Tick) and not isinstance(offset, Day) else _unit(offset)
        start = isinstance(index, pd.PeriodIndex) or offset.freqstr.split("-")[0].endswith("S")
        columns |= holiday_features(local, offset, unit, holidays, labelled_start=start)
    features = np.empty((len(index), len(columns)), dtype=np.float32)
    for k, column in enumerate(columns.values()):
        features[:, k] = column
    return features, tuple(columns)


class CalendarAhead:
    """Calendar features of times to come: made a stretch at a time, for a stream asks again.

    Parameters
    ----------
    freq, holidays
        As in `calendar_features`.

    Examples
    --------
    >>> days = pd.date_range("2024-01-05", periods=2, freq="D")
    >>> CalendarAhead("D").features(days)[:, 2].tolist()  # weekend
    [0.0, 1.0]
    """

    def __init__(self, freq: Any, holidays: Any = None) -> None:
        self.freq = freq
        self.holidays = holidays
        self._stretch: tuple[Any, np.ndarray] | None = None

    def features(self, times: Any) -> np.ndarray:
        """Return the features (G, C) of times that follow each other."""
        if getattr(times, "freq", None) is None or not len(times):  # not told where it goes on
            return calendar_features(times, self.freq, self.holidays)[0]
        known, rows = self._stretch or (times[:0], np.empty((0, 0), np.float32))
        place = _place(known, times)
        if place is None:
            known, place = _stretch(times), 0
            rows = calendar_features(known, self.freq, self.holidays)[0]
            self._stretch = known, rows
        return rows[place : place + len(times)]


def clock_change(grid: pd.Index, behind: int, ahead: int) -> pd.Timestamp | None:
    """Return the first time by changed clocks, so many steps behind or ahead of an axis' end.

    None where clocks do not change, or steps are not shorter than a day: then none is longer.

    Examples
    --------
    >>> hours = pd.date_range("2024-03-30", periods=24, freq="h", tz="Europe/Berlin")
    >>> clock_change(hours, 24, ahead=24)
    Timestamp('2024-03-31 03:00:00+0200', tz='Europe/Berlin')
    """
    step = getattr(grid, "freq", None)
    if getattr(grid, "tz", None) is None or not isinstance(step, Tick) or isinstance(step, Day):
        return None
    near = _stretch(grid[-behind - 1 :], ahead)
    offsets = near.tz_localize(None) - near.tz_convert("UTC").tz_localize(None)
    changes = np.flatnonzero(offsets[1:] != offsets[:-1])
    return near[changes[0] + 1] if len(changes) else None


def _place(known: Any, times: Any) -> int | None:
    """Return where times stand among others that follow each other; None if they do not."""
    if known.dtype != times.dtype:
        return None
    numbers, wanted = known.asi8, times.asi8
    place = int(np.searchsorted(numbers, wanted[0]))
    return place if np.array_equal(numbers[place : place + len(wanted)], wanted) else None


def _stretch(times: pd.Index, steps: int = AHEAD) -> Any:
    try:
        return extend_grid(times, steps)
    except ValueError:  # the end of time is near
        return times


def _seconds(offset: Tick) -> float:
    step: Any = offset
    return pd.Timedelta(step).total_seconds()


def _unit(offset: BaseOffset) -> str:
    """Return the unit of a calendar frequency, without its anchor or the side it is counted from.

    >>> _unit(parse_freq("2QE-NOV")), _unit(parse_freq("BMS")), _unit(parse_freq("B"))
    ('Q', 'M', 'B')
    """
    match = re.search(r"SM|W(?!OM)|[DMQY]|[BC]$", offset.freqstr.split("-")[0])
    return match.group() if match else ""


def _steps_per_cycle(offset: BaseOffset) -> int:
    """Return how many steps a week of days has, or a year of anything longer, as of seven days."""
    if isinstance(offset, pd.offsets.CustomBusinessDay):
        return _open_days(offset)
    if isinstance(offset, Day) and offset.n % 7 == 0:
        return 7 * _SEASONS["W"]
    return _SEASONS.get(_unit(offset), 1)


def _open_days(offset: Any) -> int:
    return int(np.busdaycalendar(getattr(offset, "weekmask", None) or "1111100").weekmask.sum())


def _cycles(offset: BaseOffset) -> list[str]:
    """Return the cycles that differ from one step to the next at a frequency."""
    if isinstance(offset, Tick) and not isinstance(offset, Day):
        days = _seconds(offset) / _SECONDS["day"]
        names = ["hour"] if days % 1 else []
        return names + (["weekday", "weekend"] if days % 7 else []) + ["year"]
    if isinstance(offset, OPENINGS):
        return ["hour", "weekday", "year"]
    unit = _unit(offset)
    if unit == "D":
        return ["weekday", "weekend", "year"] if offset.n % 7 else ["year"]
    if unit in ("B", "C"):
        return ["weekday", "year"]
    return ["year"] if offset.n % _SEASONS.get(unit, 1) else []


def _phase(times: np.ndarray, name: str) -> np.ndarray:
    """Return how much of a cycle has passed at each time, in [0, 1)."""
    day = times.astype("M8[D]")
    if name == "hour":
        return (times - day) / np.timedelta64(1, "D")
    if name in ("weekday", "weekend"):
        weekday = (day.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
        return weekday >= 5 if name == "weekend" else weekday / 7
    month = day.astype("M8[M]")
    first, after = month.astype("M8[D]"), (month + 1).astype("M8[D]")
    return (month.astype(np.int64) % 12 + (day - first) / (after - first)) / 12


def _strength(changes: list[np.ndarray], m: int) -> float:
    """Return the mean autocorrelation at lag m, 0 unless most series have the peak."""
    long_enough = [change for change in changes if len(change) >= 2 * m]
    if 2 * len(long_enough) < len(changes):  # a few long series do not speak for the others
        return 0.0
    below, at, above = (
        float(np.mean([_autocorrelation(change, lag) for change in long_enough]))
        for lag in (m - 1, m, m + 1)
    )
    n = sum(np.count_nonzero(~np.isnan(change)) for change in long_enough)
    sure = m in _USUAL and at * np.sqrt(n) > _FEWER and _means_alike(long_enough, m) < _CHANCE
    floor = max(_SMALLEST, (_FEWER if sure else _STANDARD_ERRORS) / np.sqrt(max(n, 1)))
    return at if at > floor and at > max(below, above) else 0.0


def _sharp_season(changes: list[np.ndarray]) -> int:
    """Return the shortest season of any length that repeats sharply, 1 if none does.

    Lags by the hundred are looked at, so of some series only.
    """
    typical = int(np.median([len(change) for change in changes]))
    for m in range(2, min(typical // 4, _LONGEST) + 1):
        long_enough = [change for change in changes if len(change) >= 4 * m]
        some = long_enough[:: len(long_enough) // _FEW_SERIES + 1]
        r = partial(_mean_correlation, some)
        if (
            all(_is_exact(some, k * m) for k in (1, 2, 3))
            and r(m) - max(r(m - 1), r(m + 1)) >= _SHARP
            and r(m) >= _NEARLY * r(2 * m)
        ):
            return m
    return 1


def _is_exact(changes: list[np.ndarray], lag: int) -> bool:
    """Return whether the correlation is high, and higher than chance makes that of few pairs."""
    r = _mean_correlation(changes, lag)
    if r < _EXACT:
        return False
    pairs = sum(np.isfinite(change[lag:] * change[:-lag]).sum() for change in changes)
    return bool(r * np.sqrt(pairs) >= _STANDARD_ERRORS)


def _mean_correlation(changes: list[np.ndarray], lag: int) -> float:
    return float(np.mean([_correlation(change, lag) for change in changes]))


def _means_alike(changes: list[np.ndarray], m: int) -> float:
    """Return how often chance alone makes the means of m places differ so much: the F test."""
    between = within = free = groups = 0.0
    for values in (one for one in changes if not np.isnan(one).all()):
        seen = ~np.isnan(values)
        place, centred = np.flatnonzero(seen) % m, values[seen] - values[seen].mean()
        count = np.maximum(np.bincount(place, minlength=m), 1)
        explained = float(np.sum(np.bincount(place, centred, m) ** 2 / count))
        between, within = between + explained, within + float(centred @ centred) - explained
        free, groups = free + len(centred) - m, groups + m - 1
    if within <= 0 or free <= 0:
        return float(within > 0)
    return float(fdtrc(groups, free, between / groups / (within / free)))


def _autocorrelation(values: np.ndarray, lag: int) -> float:
    """Return the autocorrelation of a series, as much of it as the series overlaps with itself.

    At long lags few pairs tell, and a chance peak there must not win over the season that it is a
    multiple of.
    """
    return (1 - lag / len(values)) * _correlation(values, lag)


def _correlation(values: np.ndarray, lag: int) -> float:
    """Return the autocorrelation of a series over its observed pairs, 0 for a constant one."""
    observed = ~np.isnan(values)
    if not observed.any():
        return 0.0
    centred = np.where(observed, values - values[observed].mean(), 0.0)
    pairs = np.count_nonzero(observed[lag:] & observed[:-lag])
    variance = float(np.mean(centred[observed] ** 2))
    if not pairs or variance == 0:
        return 0.0
    return float(centred[lag:] @ centred[:-lag]) / pairs / variance
