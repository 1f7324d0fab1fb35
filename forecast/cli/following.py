"""Follow a file to which lines are appended."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast._checks import ForecastWarning
from forecast.cli.options import Reading
from forecast.cli.work import Target, read
from forecast.evaluation.watching import Watched, watch

if TYPE_CHECKING:
    from forecast.forecasters.base import BaseForecaster

POLL = 0.5  # seconds between two looks at a file


def without_last(y: Target, count: int) -> Target:
    """Return a table without its last times, some of which must be left.

    Examples
    --------
    >>> without_last(pd.Series([1, 2, 3]), 2).tolist()
    [1]
    """
    times = _times(y)
    known = times.unique().sort_values()
    if count >= len(known):
        raise ValueError(f"--last must be less than the {len(known)} times there are, got {count}.")
    return y[times < known[-count]] if count else y


def appended(
    data: str, how: Reading, after: Any, wait: float | None
) -> Iterator[tuple[Target, pd.DataFrame | None]]:
    """Yield the rows after a time, one time each, and the covariates; go on while the file grows.

    Parameters
    ----------
    data
        A file, or the name of a data set, which does not grow.
    how
        How to read it.
    after
        The last time that is known.
    wait
        Stop if nothing came for so many seconds; None: never.
    """
    path, seen, idle = Path(data), -1, 0.0
    while True:
        size = _size(path)
        if size != seen and (seen < 0 or _ends_with_a_line(path)):
            seen, idle = size, 0.0
            for rows, X in _read_after(data, how, after):
                yield rows, X
                after = _times(rows)[-1]
        elif not path.is_file() or (wait is not None and idle >= wait):
            return
        else:
            time.sleep(POLL)
            idle += POLL


def watched(
    model: BaseForecaster, items: Iterable[tuple[Target, pd.DataFrame | None]], **options: Any
) -> Iterator[Watched]:
    """Watch rows and their covariates."""
    items, again = tee(items)
    X = None if model.panel_.X is None and model.panel_.past is None else (x for _, x in again)
    return watch(model, (y for y, _ in items), X, **options)


def line(seen: Watched) -> list[str]:
    """Return a value as a row of text."""
    numbers = (seen.value, seen.forecast, seen.lower, seen.upper, seen.p_value, seen.drift)
    value, forecast, lower, upper, p_value, drift = (f"{number:.6g}" for number in numbers)
    when = str(seen.time).removesuffix(" 00:00:00")
    alarm = "alarm" if seen.alarm else ""
    return [when, str(seen.series), value, forecast, lower, upper, p_value, alarm, drift]


def _times(y: Target) -> pd.Index:
    return y.index.get_level_values(-1)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _ends_with_a_line(path: Path) -> bool:
    """Tell whether the last line of a file is whole, and not still being written, or cut off."""
    with path.open("rb") as file:
        file.seek(max(_size(path) - 1, 0))
        return file.read(1) in (b"\r", b"\n")


def _read_after(
    data: str, how: Reading, after: Any
) -> Iterator[tuple[Target, pd.DataFrame | None]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ForecastWarning)  # they were told when it was first read
        y, X = read(data, how)
    new = y[_times(y) > after].sort_index()
    for _, rows in new.groupby(level=-1, sort=True):
        yield rows, X
