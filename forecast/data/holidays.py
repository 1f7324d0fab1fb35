"""Public holidays: which days of a country are, and what they tell of each step of a time axis."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset, Day, Tick

from forecast._checks import short
from forecast.data.opening import OPENINGS

_DAY = np.timedelta64(1, "D")
# A month rarely has more holidays from Monday to Friday.
_MOST = 5


def holiday_features(
    times: pd.DatetimeIndex, offset: BaseOffset, unit: str, countries: Any, *, labelled_start: bool
) -> dict[str, np.ndarray]:
    """Return what the holidays say of each time, by name, in [0, 1], float64 (G,) each.

    Parameters
    ----------
    times
        Times on the local clock, shape (G,).
    offset, unit
        Their frequency, and its calendar unit ("D", "B", "W", "M", "Q", ...).
    countries
        A country, or several, as `check_countries` takes them.
    labelled_start
        Whether a week, a month or a quarter is named by its first day, else by its last one.

    Returns
    -------
    dict
        Steps of at most a day: flags for a holiday, the day before and the day after. Weeks, months
        and quarters: how many of their days from Monday to Friday are holidays, in fifths, at
        most 1.

    Raises
    ------
    ValueError
        If the steps are longer than a quarter, or are half months.
    """
    first, last = _span(times, offset, unit, labelled_start)
    days = _holidays(first, last, countries)
    if (first == last).all():
        names = ("holiday", "holiday_before", "holiday_after")
        # The day before a holiday is the one whose next day is a holiday.
        return {
            name: np.isin(first + shift * _DAY, days).astype(np.float64)
            for name, shift in zip(names, (0, 1, -1), strict=True)
        }
    working = days[np.is_busday(days)]
    count = np.searchsorted(working, last, side="right") - np.searchsorted(working, first)
    return {"holidays": np.minimum(count / _MOST, 1.0)}


def check_countries(countries: Any) -> tuple[str, ...]:
    """Return the countries whose holidays are meant: a code, or a list of codes.

    Parameters
    ----------
    countries
        ISO codes such as "DE", with a subdivision such as "US-CA", or stock exchanges such as
        "XNYS", as the `holidays` library knows them.

    Raises
    ------
    TypeError
        If it is no string and no list of strings.
    ValueError
        If a country, exchange or subdivision is not known, or none is given.

    Examples
    --------
    >>> check_countries("US-CA"), check_countries(["DE", "FR"])
    (('US-CA',), ('DE', 'FR'))
    """
    wanted = (countries,) if isinstance(countries, str) else countries
    listed = isinstance(wanted, Sequence) and all(isinstance(one, str) for one in wanted)
    if not listed:
        raise TypeError(
            "`holidays` must be a country such as 'DE', with a subdivision 'US-CA', or a list of "
            f"them, got {short(countries)}."
        )
    if not wanted:
        raise ValueError("`holidays` must name at least one country, got none. Use None.")
    for one in wanted:
        _days(one, 2024)
    return tuple(wanted)


def _span(
    times: pd.DatetimeIndex, offset: BaseOffset, unit: str, labelled_start: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last day of each step, (G,) each."""
    days = times.to_numpy().astype("M8[D]")
    if unit in ("B", "C") or isinstance(offset, (Tick, *OPENINGS)) and not isinstance(offset, Day):
        return days, days
    if unit == "D":
        return days, days + (offset.n - 1) * _DAY
    if unit == "W":
        length = 7 * offset.n * _DAY
        return (days, days + length - _DAY) if labelled_start else (days - length + _DAY, days)
    months = {"M": 1, "Q": 3}.get(unit, 0) * offset.n
    if not 0 < months <= 3:
        raise ValueError(
            f"`holidays` needs steps of at most a quarter, got {offset.freqstr!r}. Leave it out."
        )
    month = days.astype("M8[M]")
    start = month if labelled_start else month - (months - 1)
    return start.astype("M8[D]"), (start + months).astype("M8[D]") - _DAY


def _holidays(first: np.ndarray, last: np.ndarray, countries: Any) -> np.ndarray:
    """Return the holidays around a stretch of time, in rising order, each once."""
    wanted = check_countries(countries)
    if not len(first):
        return np.array([], dtype="M8[D]")
    years = [int(day.astype("M8[Y]").astype(int)) + 1970 for day in (first.min(), last.max())]
    days = [
        day for one in wanted for year in range(years[0] - 1, years[1] + 2)
        for day in _days(one, year)
    ]  # fmt: skip
    return np.unique(np.array(days, dtype="M8[D]"))


@functools.cache
def _days(country: str, year: int) -> tuple[Any, ...]:
    """Return the holidays of a year; the library is loaded when one is asked for."""
    import holidays

    code, _, subdivision = country.partition("-")
    try:
        return tuple(holidays.country_holidays(code, subdiv=subdivision or None, years=year))
    except (NotImplementedError, TypeError) as error:
        if not subdivision and code in holidays.list_supported_financial():
            return tuple(holidays.financial_holidays(code, years=year))
        known = holidays.list_supported_countries()
        remedy = (
            f"Its subdivisions are {short(known[code])}." if subdivision and code in known
            else "Use an ISO code such as 'DE', 'FR' or 'US-CA'."
        )  # fmt: skip
        raise ValueError(
            f"`holidays` must be a country of the `holidays` library, got {country!r}. {remedy}"
        ) from error
