"""Updates: a history continued by new values, on the same grid."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data.frequency import extend_grid, extend_grid_to, locate, same_clock
from forecast.data.growing import Growing, lengthen
from forecast.data.panel import Panel, Parts, ranges
from forecast.data.placing import too_sparse
from forecast.data.settling import on_grid, tell_moved

_log = logging.getLogger("forecast")


def append(panel: Panel, new: Panel) -> Panel:
    """Return a history continued by new values; a gap between the two is unobserved.

    Parameters
    ----------
    panel
        The history.
    new
        The same series, read with `freq=panel.freq`, in any order, each after its history's end.

    Raises
    ------
    ValueError
        If series are unknown or missing, new values overlap the history, or their times are not on
        the grid of the history.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> old, new = pd.Series([1.0, 2.0]), pd.Series([5.0], index=[4])
    >>> append(read_frames(old), read_frames(new)).values.tolist()
    [1.0, 2.0, nan, nan, 5.0]
    """
    order, known = _matching_series(panel, new), _matching_columns(panel, new)
    if _in_step(panel, new):
        steps = new.newest(len(new.grid)).map(lambda part: part[order])
        return Growing.after(panel, _with_columns(steps, known), new.grid)
    grid, shift = _common_grid(panel, new)
    starts, lengths = new.starts[order] + shift, new.lengths[order]
    _check_no_overlap(panel, grid, starts)
    _check_leaps(panel, grid, starts)
    if panel.X is not None:
        _check_no_gap(panel, starts)
    source = ranges(new.offsets[order], lengths)
    rows = _with_columns(new.parts.map(lambda part: part[source]), known)
    return lengthen(panel, starts + lengths - panel.starts, rows, lengths, grid)


def _in_step(panel: Panel, new: Panel) -> bool:
    """Tell whether all series go on by as many steps, right after the end that they share."""
    together = panel.in_step and bool((new.lengths == len(new.grid)).all())
    if not together or np.result_type(panel.dtype, new.dtype) != panel.dtype:
        return False
    return panel.future(len(new.grid)).times.equals(new.grid)


def _with_columns(new: Parts, known: list[int]) -> Parts:
    """Return steps with their known covariates in the order of the history's."""
    return new if new.X is None else new._replace(X=new.X[..., known])


def _matching_series(panel: Panel, new: Panel) -> np.ndarray:
    """Return where each series of the history is among the new ones."""
    if new.ids is panel.ids:
        return np.arange(panel.n_series)
    if panel.layout.kind == "series" == new.layout.kind:
        return np.zeros(1, dtype=np.int64)
    unknown = new.ids.difference(panel.ids, sort=False)
    absent = panel.ids.difference(new.ids, sort=False)
    if len(unknown) or len(absent):
        raise ValueError(
            "new values must be of the series of the history: "
            f"unknown {unknown[:5].tolist()} ({len(unknown)}), missing {absent[:5].tolist()} "
            f"({len(absent)}). Give NaN where a series has no value, and fit again to add or drop "
            "series."
        )
    return locate(new.ids, panel.ids)


def _common_grid(panel: Panel, new: Panel) -> tuple[pd.Index, int]:
    """Return the history's grid up to the last new time, and where the new grid starts in it."""
    same_clock(panel.grid, new.grid, "new values")
    if new.grid[0] < panel.grid[0]:
        early = new.ids[int(np.argmin(new.starts))]
        raise ValueError(
            f"new values must start after the history: series {short(early)} has new values from "
            f"{new.grid[0]}, before the first time of all, {panel.grid[0]}."
        )
    grid = extend_grid_to(panel.grid, new.grid[-1])
    if (locate(grid, new.grid) < 0).any():  # one step alone lies beside no step
        times = on_grid(extend_grid(grid, 1), new.grid, days=False)
        tell_moved(new.grid, times)
        grid = extend_grid_to(panel.grid, times[-1])
    else:
        times = new.grid
    places = locate(grid, times)
    wrong = np.flatnonzero((places < 0) | (np.diff(places, prepend=places[0] - 1) != 1))
    if len(wrong):
        raise ValueError(
            f"new values must follow the frequency of the history, {panel.freq!r}, on its grid "
            f"from {grid[0]}: {new.grid[wrong[0]]} does not."
        )
    return grid, int(places[0])


def _check_no_overlap(panel: Panel, grid: pd.Index, starts: np.ndarray) -> None:
    overlapping = np.flatnonzero(starts < panel.ends)
    if len(overlapping):
        i = overlapping[0]
        raise ValueError(
            f"new values must start after the history: series {short(panel.ids[i])} ends at "
            f"{grid[panel.ends[i] - 1]}, the new values start at {grid[starts[i]]}."
        )


def _check_leaps(panel: Panel, grid: pd.Index, starts: np.ndarray) -> None:
    """Refuse values so far ahead that a time must be mistyped; log those further than a history."""
    leaps = starts - panel.ends
    i = int(np.argmax(leaps))
    told = (panel.ids[i], int(leaps[i]), grid[starts[i]])
    if too_sparse(leaps[i], panel.lengths[i]):
        raise ValueError(
            "new values must go on where the history ends: series {!r} has a value {} steps after "
            "it, at {}. Mend the time, or fit to what comes from there.".format(*told)
        )
    if leaps[i] > panel.lengths[i]:
        _log.warning(
            "series %r goes on %d steps after its end, at %s: more than it is long; if the time is "
            "mistyped, forecasts start there all the same", *told,
        )  # fmt: skip


def _matching_columns(panel: Panel, new: Panel) -> list[int]:
    """Return where each known covariate of the history is among the new ones."""
    if sorted(panel.X_names) != sorted(new.X_names) or panel.past_names != new.past_names:
        raise ValueError(
            f"`X` must have the columns of the history, {list(panel.X_names + panel.past_names)}, "
            f"got {list(new.X_names + new.past_names)}."
        )
    return [new.X_names.index(name) for name in panel.X_names]


def _check_no_gap(panel: Panel, starts: np.ndarray) -> None:
    late = np.flatnonzero(starts > panel.ends)
    if len(late):
        i = late[0]
        raise ValueError(
            f"`X` must have a row for every time since the history: series {short(panel.ids[i])} "
            f"ends at {panel.grid[panel.ends[i] - 1]}, but the new rows start "
            f"{starts[i] - panel.ends[i]} steps late. Give these steps too, with NaN as value."
        )
