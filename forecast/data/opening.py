"""Opening hours: the days and the times of day that occur, as a step that leaves out all others."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset, CustomBusinessHour

from forecast.data.aliases import DAYS

_WEEKS_TO_TELL = 4
# More times a day at which something opens are no opening hours.
_MOST_SPANS = 3
_DAY = 24 * 60  # in minutes, as all clocks here
_MINUTE = timedelta(minutes=1)
# Clocks are changed at night, some at midnight.
_NIGHT_ENDS = 4 * 60


class OpeningHours(BaseOffset):
    """Steps of some minutes from each opening to its closing; pandas has such of whole hours only.

    Parameters
    ----------
    n
        How many steps it goes on.
    minutes
        How long a step is.
    start, end
        When something opens and closes, such as "09:30", once or several times a day, in order.
    weekmask
        The days on which it does, as of `pandas.offsets.CustomBusinessHour`.

    Raises
    ------
    ValueError
        If hours end before a first step does, or go on over midnight.

    Examples
    --------
    >>> bars = OpeningHours(minutes=5, start=("09:30",), end=("16:00",))
    >>> [f"{t:%a %H:%M}" for t in pd.date_range("2024-01-05 15:50", periods=3, freq=bars)]
    ['Fri 15:50', 'Fri 15:55', 'Mon 09:30']
    """

    _attributes = ("n", "normalize", "minutes", "start", "end", "weekmask")

    def __init__(
        self,
        n: int = 1,
        normalize: bool = False,
        *,
        minutes: int,
        start: Sequence[str],
        end: Sequence[str],
        weekmask: str = "Mon Tue Wed Thu Fri",
    ) -> None:
        super().__init__(n, normalize)
        self.minutes, self.start, self.end = minutes, tuple(start), tuple(end)
        self.weekmask = weekmask
        spans = _spans(self)
        lengths = np.diff([0, *chain.from_iterable(spans), _DAY])
        if minutes < 1 or (lengths < 0).any() or (lengths[1::2] < minutes).any():
            raise ValueError(f"opening hours must be in order and hold a step each, got {self!r}.")
        self._days_open = np.busdaycalendar(weekmask).weekmask.tolist()
        steps = (range(start, end - minutes + 1, minutes) for start, end in spans)
        self._clocks = tuple(chain.from_iterable(steps))

    def __repr__(self) -> str:
        """Return the step, its hours and its days."""
        times = f"{self.n} * " if self.n != 1 else ""
        return f"<{times}OpeningHours: {self.minutes} min, {told(self)[0]}>"

    def __reduce__(self) -> Any:
        """Copy and pickle by the parameters."""
        return partial(OpeningHours, self.n, **self.kwds), ()

    @property
    def _prefix(self) -> str:
        return f"open{self.minutes}min"

    def __add__(self, other: Any) -> Any:
        """Return the beginning of the `n`-th step after a time, or before it."""
        return self._apply(other) if isinstance(other, datetime) else NotImplemented

    __radd__ = __add__

    def is_on_offset(self, dt: Any) -> bool:
        """Tell whether a step begins at a time."""
        day = dt.replace(hour=0, minute=0, second=0, microsecond=0)
        return self._days_open[dt.weekday()] and (dt - day) / _MINUTE in self._clocks

    def _apply(self, other: Any) -> pd.Timestamp:
        wall = pd.Timestamp(other).tz_localize(None)
        day, clocks, count = wall.normalize(), self._clocks, len(self._clocks)
        is_open, minute = self._days_open[wall.weekday()], (wall - day) / pd.Timedelta(_MINUTE)
        if self.n > 0:
            place = bisect_right(clocks, minute) - 1 if is_open else count - 1
        else:
            place = bisect_left(clocks, minute) if is_open else 0
        days, place = divmod(place + self.n, count)
        if days or not is_open:
            day += _days_to(np.datetime64(day.date()), days, self)
        return (day + timedelta(minutes=clocks[place])).tz_localize(other.tzinfo)

    _add_datetime = _apply  # its name since pandas 3.1


def _days_to(date: np.datetime64, days: int, hours: OpeningHours) -> timedelta:
    """Return how far it is from a date to some open days after or before it."""
    roll: Any = "backward" if hours.n > 0 else "forward"  # so that a closed day is none of them
    opened = np.busday_offset(date, days, roll, hours.weekmask)
    return timedelta(int((opened - date).astype(int)))


# Steps that leave out closed hours.
OPENINGS = (pd.offsets.BusinessHour, OpeningHours)


def open_days(times: pd.DatetimeIndex) -> BaseOffset | None:
    """Return the step of the days of the week that occur, if some never do; None if all do.

    It takes four weeks to tell that a day never occurs, and most of the others must; the days from
    Monday to Friday have an alias of their own.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=60)
    >>> open_days(days[days.day_of_week < 6]).weekmask
    'Mon Tue Wed Thu Fri Sat'
    """
    seen = np.bincount(times.day_of_week, minlength=7)
    weeks = (times[-1] - times[0]).days / 7
    is_open = seen > 0
    if weeks < _WEEKS_TO_TELL or is_open.all() or 2 * seen.sum() < weeks * is_open.sum():
        return None
    if is_open.tolist() == [True] * 5 + [False] * 2:
        return None
    return pd.offsets.CustomBusinessDay(weekmask=_weekmask(is_open))


def open_hours(times: pd.DatetimeIndex, length: pd.Timedelta) -> BaseOffset | None:
    """Return the step of the times of day that occur on open days, if others never do.

    As `open_days` it takes four weeks, and most of the steps that may occur must.

    Parameters
    ----------
    times
        In rising order.
    length
        The usual step, less than a day.

    Returns
    -------
    step
        None if all times of day occur, or what occurs are no opening hours.

    Examples
    --------
    >>> hours = pd.date_range("2024-01-01", periods=1000, freq="h")
    >>> shop = hours[(hours.hour >= 7) & (hours.hour < 18) & (hours.day_of_week < 6)]
    >>> open_hours(shop, pd.Timedelta("1h"))
    <CustomBusinessHour: cbh=07:00-18:00>
    """
    wall = times.tz_localize(None)
    clocks, rest = np.divmod(np.unique(wall - wall.normalize()), np.timedelta64(1, "m"))
    step = length // pd.Timedelta(minutes=1)
    if rest.any() or pd.Timedelta(minutes=step) != length:
        return None
    is_open = np.bincount(wall.day_of_week, minlength=7) > 0
    weeks = (wall[-1] - wall[0]).days / 7
    if weeks < _WEEKS_TO_TELL or 2 * len(wall) < weeks * is_open.sum() * len(clocks):
        return None
    breaks = np.flatnonzero(np.diff(clocks) != step)
    starts, ends = clocks[[0, *breaks + 1]], clocks[[*breaks, -1]] + step
    apart = len(starts) <= _MOST_SPANS and bool((starts[1:] > ends[:-1]).all())
    across = ends[-1] > _DAY or ends[-1] - starts[0] == _DAY  # pandas has no hours around midnight
    if not apart or across or (starts[0] < _NIGHT_ENDS and _changes_clocks(times)):
        return None
    hours: dict[str, Any] = {"start": [*map(_text, starts)], "end": [*map(_text, ends)]}
    hours["weekmask"] = _weekmask(is_open)
    return CustomBusinessHour(**hours) if step == 60 else OpeningHours(minutes=step, **hours)


def steps_per_day(offset: Any) -> float:
    """Return how many steps a day of opening hours has.

    Examples
    --------
    >>> spans = pd.offsets.CustomBusinessHour(start=["08:00", "14:00"], end=["12:00", "17:30"])
    >>> bars = OpeningHours(minutes=5, start=["09:30"], end=["16:00"])
    >>> steps_per_day(spans), steps_per_day(bars)
    (7.5, 78.0)
    """
    minutes = sum((end - start) % _DAY or _DAY for start, end in _spans(offset))
    return minutes / offset.n / getattr(offset, "minutes", 60)


def told(offset: Any) -> tuple[str, str]:
    """Return days and hours as text, and the frequency of which closed hours are steps too.

    Examples
    --------
    >>> told(OpeningHours(minutes=5, start=["09:30", "13:00"], end=["11:30", "15:00"]))
    ('Mon Tue Wed Thu Fri, 09:30 to 11:30 and 13:00 to 15:00', '5min')
    """
    days = getattr(offset, "weekmask", "Mon Tue Wed Thu Fri")
    hours = " and ".join(f"{_text(start)} to {_text(end)}" for start, end in _spans(offset))
    return f"{days}, {hours}", f"{offset.minutes}min" if isinstance(offset, OpeningHours) else "h"


def _weekmask(is_open: np.ndarray) -> str:
    return " ".join(day.capitalize() for day, here in zip(DAYS, is_open, strict=True) if here)


def _changes_clocks(times: pd.DatetimeIndex) -> bool:
    """Tell whether the clocks of a zone change, from the first time to a year after the last."""
    if times.tz is None:
        return False
    months = pd.date_range(times[0], times[-1] + pd.Timedelta(days=366), freq="MS")
    return len({month.utcoffset() for month in months}) > 1


def _text(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def _spans(offset: Any) -> list[tuple[int, int]]:
    """Return the first and the last minute of each span; midnight ends a day."""
    clocks = ([_minute(clock) for clock in part] for part in (offset.start, offset.end))
    return [(start, end or _DAY) for start, end in zip(*clocks, strict=True)]


def _minute(clock: Any) -> int:
    """Return the minute of the day of a time or of its text."""
    hour, minute = str(clock).split(":")[:2]
    return 60 * int(hour) + int(minute)
