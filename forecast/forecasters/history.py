"""What classical models read off a history: filled values, last windows."""

from __future__ import annotations

import numpy as np

from forecast.data.frames import Panel

# Classical models are fitted to so many values, or 10 seasons: older ones change the fit little and
# only cost time.
RECENT = 1000
# Fewer values than this cannot tell one model from another.
SHORT = 8
# A series that is zero for so many steps, and kept no value for half as many before, has ended.
ENDED = 12


def shaped(arrays: dict[str, np.ndarray], name: str, *shape: int) -> np.ndarray:
    """Return the array of a name that was read from a file, if it has this shape.

    Examples
    --------
    >>> shaped({"level": np.zeros(2)}, "level", 3)
    Traceback (most recent call last):
    ...
    ValueError: 'level' must have shape (3,), got (2,).
    """
    if arrays[name].shape != shape:
        raise ValueError(f"{name!r} must have shape {shape}, got {arrays[name].shape}.")
    return arrays[name]


def series_numbers(panel: Panel) -> np.ndarray:
    """Return the series that each flat value belongs to, (N,)."""
    return np.repeat(np.arange(panel.n_series), panel.lengths)


def has_ended(panel: Panel) -> np.ndarray:
    """Tell which series (n,) lived, and are zero since: for long, and as never before.

    Other values, such as a price or a rate, are kept for long and move again.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast.data.frames import read_frames
    >>> has_ended(read_frames([pd.Series([1.0, 2.0] + [0.0] * k) for k in (11, 12)])).tolist()
    [False, True]
    """
    seen = ~np.isnan(panel.values)
    values = panel.values[seen]
    first = np.r_[0, np.cumsum(seen)][panel.offsets[:-1]]  # of each series
    new = np.r_[True, values[1:] != values[:-1]]
    new[first] = True
    starts = np.flatnonzero(new)
    runs, own = np.diff(starts, append=len(values)), np.searchsorted(starts, first)
    last = np.append(own[1:], len(runs)) - 1
    newest, runs[last] = runs[last], 0
    before = np.maximum.reduceat(runs, own)
    zero = values[starts[last]] == 0
    found: np.ndarray = zero & (newest >= ENDED) & (newest > 2 * before) & (before > 0)
    return found


def differences(panel: Panel, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Subtract from each value the one `lag` steps earlier in the same series.

    Returns
    -------
    The differences (E,), NaN where a value is missing, and the series of each (E,).
    """
    values, series = panel.values.astype(np.float64), series_numbers(panel)
    same = series[lag:] == series[:-lag]
    return (values[lag:] - values[:-lag])[same], series[lag:][same]


def errors_told(
    panel: Panel, errors: np.ndarray, owners: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a rule missed, and of a series that is too young for it its changes, or a zero.

    Its changes say how rough it is; one without any change has told nothing.

    Parameters
    ----------
    errors
        (E,), each series' in the order of time; NaN where not known.
    owners
        (E,), the series of each.

    Returns
    -------
    Errors and the series of each, (E',), series after series; each series has one that is known.
    """
    found, series = np.empty(0), np.empty(0, dtype=np.int64)
    zeros = np.zeros(panel.n_series), np.arange(panel.n_series)
    for more, of in ((errors, owners), differences(panel, 1), zeros):
        told = np.isin(of, of[np.isfinite(more)]) & ~np.isin(of, series)
        found, series = np.r_[found, more[told]], np.r_[series, of[told]]
    order = np.argsort(series, kind="stable")
    return found[order], series[order]


def fill_gaps(panel: Panel, season_length: int) -> np.ndarray:
    """Replace every missing value by the last one observed in the same season.

    Where that season was never observed before, and where there is no season (`season_length` of
    1), the last observed value steps in. Only the past is read.

    Returns
    -------
    (N,) float64, without NaN.
    """
    values = panel.values.astype(np.float64)
    if not np.isnan(values).any():
        return values
    series = series_numbers(panel)
    position = np.arange(len(values)) - panel.offsets[series]
    order = np.lexsort((position, position % season_length, series))
    by_season, group = values[order], (series * season_length + position % season_length)[order]
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    filled = np.empty_like(values)
    filled[order] = _forward_fill(by_season, starts)
    return np.where(np.isnan(filled), _forward_fill(values, panel.offsets[:-1]), filled)


def without_empty_seasons(observed: np.ndarray, season_length: int) -> np.ndarray:
    """Tell which steps of a series to fit to: a gap counts for less than two seasons.

    What fills a longer gap repeats one season, which would be learned as if it had come again.
    Whole seasons of it are left out, so that the others stay in their places.

    Parameters
    ----------
    observed
        (T,) bool.
    season_length
        Steps; 1 for no season, of which nothing is left out.

    Examples
    --------
    >>> observed = np.array([True] * 3 + [False] * 7 + [True])
    >>> np.flatnonzero(without_empty_seasons(observed, 3))
    array([ 0,  1,  2,  3,  4,  5,  6, 10])
    >>> bool(without_empty_seasons(observed, 1).all())
    True
    """
    steps, m = np.arange(len(observed)), season_length
    before = np.maximum.accumulate(np.where(observed, steps, -1))
    after = np.minimum.accumulate(np.where(observed, steps, len(steps))[::-1])[::-1]
    gap, place = after - before - 1, steps - before
    kept: np.ndarray = observed | (gap < 2 * m) | (place <= gap % m + m) | (m == 1)
    return kept


def _forward_fill(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Replace gaps by the last observed value of their group; groups begin at `starts`."""
    observed = np.where(np.isnan(values), 0, np.arange(len(values)))
    observed[starts] = starts
    return values[np.maximum.accumulate(observed)]


def tails(values: np.ndarray, panel: Panel, length: int) -> np.ndarray:
    """Return the last `length` values of every series, (n, length).

    A shorter series is continued to the left by its first value.
    """
    back = np.arange(-length, 0)  # (length,)
    return values[np.maximum(panel.offsets[1:, None] + back, panel.offsets[:-1, None])]
