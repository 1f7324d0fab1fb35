"""Frames in, frames out: every kind of table becomes a Panel, and forecasts go back as they came.

The Panel itself lives in `panel`, the time axis in `frequency`, the kinds of table in
`reading`, frames of other libraries than pandas in `backends`, the way from rows to a Panel in
`placing`, covariates in `covariates`, updates in `appending`, the way back in `restoring`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import ForecastWarning, positive_integer
from forecast.data import covariates, leaks
from forecast.data.appending import append
from forecast.data.arriving import next_steps
from forecast.data.calendar import clock_change, season_lengths
from forecast.data.frequency import extend_grid
from forecast.data.panel import Layout, Panel
from forecast.data.placing import Unobserved, place
from forecast.data.reading import read_table
from forecast.data.restoring import future_frame, restore, restore_columns

__all__ = [
    "Layout",
    "Panel",
    "append",
    "extend_grid",
    "future_frame",
    "future_known",
    "missing",
    "read_frames",
    "read_update",
    "restore",
    "restore_columns",
]

_log = logging.getLogger("forecast")
_FEW = 8  # values of which none is called a stray


def read_frames(
    y: Any,
    X: Any = None,
    *,
    freq: Any = None,
    id_col: str | Sequence[str] = "unique_id",
    time_col: str = "ds",
    target_col: str = "y",
    past_only: Sequence[str] = (),
    allow_unobserved: bool = False,
    allow_empty: bool = False,
    sparse: bool = False,
) -> Panel:
    """Read any kind of table into a Panel: rows sorted, gaps found, every series on one grid.

    Parameters
    ----------
    y
        A Series; a list of Series; a wide frame (a column is a series); a long frame with the
        columns `id_col`, `time_col`, `target_col`; a Series or frame with an (id, time) MultiIndex.
        Times are datetimes, periods or whole numbers. Never changed. A frame of polars, pyarrow, or
        another library that narwhals knows, is long, or has its times in `time_col` beside a column
        per series.
    X
        Covariates: a frame matched by its index (Series, list, wide: the same rows serve every
        series) or by the id and time columns or levels (long, MultiIndex); one of polars or pyarrow
        by its columns. It may hold rows beyond those of `y`; they are not used.
    freq
        The frequency of the times: an alias in the old or new spelling of pandas, an offset such as
        `pd.offsets.CustomBusinessDay(holidays=...)`, or the step of whole numbers. By default that
        of the index, else the most common step inside the series. Times beside the axis that they
        mean (`settling`) are moved to it, which is logged.
    id_col, time_col, target_col
        The columns of a long frame; `time_col` also of other frames that have no index. `id_col`
        may be a list of columns that name a series together.
    past_only
        The columns of X whose future is not known. They may have missing values and rows.
    allow_unobserved
        Whether a series may be missing at its start or throughout, as in an update.
    allow_empty
        Whether a series may be missing throughout. One row before its first value is kept.
    sparse
        Whether all rows of a series may be more than a step apart, `freq` being that of a history.
        Else such a frequency is taken for a mistake.

    Returns
    -------
    Panel
        Series are in order of their names if each row names its series, else in the given order.
        Missing values at the start of a series are cut off, those at its end are kept: the last row
        is where forecasts start.

    Raises
    ------
    TypeError
        If `y` or `X` is no such table, or holds something else than numbers and times.
    ValueError
        If `y` is empty, infinite, irregular or has a time twice; if a row or a value of a known
        covariate is missing; if X lacks a column of `past_only`.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-04"])
    >>> panel = read_frames(pd.Series([1.0, 2.0, 4.0], index=days))
    >>> panel.values.tolist(), panel.freq
    ([1.0, 2.0, nan, 4.0], 'D')
    """
    table = read_table(y, id_col=id_col, time_col=time_col, target_col=target_col)
    unobserved: Unobserved = "keep_one" if allow_empty else "refuse"
    unobserved = "keep" if allow_unobserved else unobserved
    panel = place(table, freq, unobserved=unobserved, sparse=sparse)
    return _with_covariates(panel, X, past_only)


def read_update(panel: Panel, y: Any, X: Any = None, **options: Any) -> Panel:
    """Read what came after a history: the next steps of all series at once, or whatever it is.

    Parameters
    ----------
    panel
        The history.
    y, X
        The same kinds of table.
    **options
        `id_col, time_col, target_col, past_only` of `read_frames`.

    Examples
    --------
    >>> panel = read_frames(pd.Series([1.0, 2.0]))
    >>> read_update(panel, pd.Series([5.0], index=[2])).values.tolist()
    [5.0]
    """
    new = next_steps(panel, y)
    if new is not None:
        return _with_covariates(new, X, options.get("past_only", ()))
    return read_frames(y, X, freq=panel.freq, allow_unobserved=True, sparse=True, **options)


def future_known(panel: Panel, X: Any, horizon: int) -> np.ndarray | None:
    """Return the known covariates of the next steps of every series.

    Parameters
    ----------
    panel
        The history; its own X says which columns are needed.
    X
        A frame like the one that was read with the history, with a row for every future step.
        Past-only columns are not needed, and not looked at.
    horizon
        The number of steps, H.

    Returns
    -------
    numpy.ndarray or None
        float64 of shape (n, H, K); None if the history has no known covariates.

    Raises
    ------
    ValueError
        If X is given but the history has none, or the reverse; if a column or a row is missing.

    Examples
    --------
    >>> y, X = pd.Series([1.0, 2.0]), pd.DataFrame({"price": [3.0, 4.0, 5.0, 6.0]})
    >>> future_known(read_frames(y, X), X, 2)[0, :, 0].tolist()
    [5.0, 6.0]
    """
    horizon = positive_integer("horizon", horizon)
    if X is None and panel.X is not None:
        raise ValueError(
            f"`X` must be given to forecast: `fit` had the covariates {list(panel.X_names)}. "
            f"Pass their values for the next {horizon} steps."
        )
    if X is not None and panel.X is None and panel.past is None:
        raise ValueError("`X` was given to forecast, but `fit` had none. Fit with `X` to use it.")
    if X is None:
        return None
    X = covariates.as_pandas(X, panel.layout)
    _check_columns(panel, X)
    if panel.X is None:
        return None
    places = covariates.of_future(panel, horizon)
    rows = covariates.find_rows(X, places)
    known = covariates.known_values(X, panel.X_names, places, rows)
    return known.reshape(panel.n_series, horizon, len(panel.X_names))


def missing(panel: Panel) -> pd.DataFrame:
    """Report the series with unobserved values, and log how many there are.

    Returns
    -------
    DataFrame
        One row per series with missing values: `id`, `n_missing`, and the times of the `first` and
        `last` one.

    Examples
    --------
    >>> missing(read_frames(pd.Series([1.0, 2.0, 4.0], index=[1, 2, 4], name="a")))
      id  n_missing  first  last
    0  a          1      3     3
    """
    holes = np.flatnonzero(np.isnan(panel.values))
    series = np.searchsorted(panel.offsets, holes, side="right") - 1
    times = panel.starts[series] + holes - panel.offsets[series]
    which, first, counts = np.unique(series, return_index=True, return_counts=True)
    if len(holes):
        _log.info("%d values of %d series are missing", len(holes), len(which))
    return pd.DataFrame(
        {
            "id": panel.ids[which],
            "n_missing": counts,
            "first": panel.grid[times[first]],
            "last": panel.grid[times[first + counts - 1]],
        }
    )


def tell_open_ends(panel: Panel) -> None:
    """Log which series end with missing values: forecasts start after these."""
    ends = np.flatnonzero(np.isnan(panel.values[panel.offsets[1:] - 1]))
    if len(ends):
        last = panel.grid[panel.ends[ends[0]] - 1]
        _log.warning(
            "%d of %d series end without a value, the first %r at %s: forecasts start after these",
            len(ends), panel.n_series, panel.ids[ends[0]], last,
        )  # fmt: skip


def tell_strays(panel: Panel) -> None:
    """Log which series has a lone value further from its others than these reach: a wrong year."""
    at = np.flatnonzero(~np.isnan(panel.values))
    bounds = np.searchsorted(at, panel.offsets)
    long = np.flatnonzero(np.diff(bounds) > _FEW)
    (first, second), (last, late) = at[bounds[long] + [[0], [1]]], at[bounds[long + 1] - [[1], [2]]]
    for stray, near, far in ((last, late, first), (first, second, last)):
        found = np.flatnonzero(np.abs(stray - near) > np.abs(near - far))
        if len(found):
            series, k = long[found[0]], found[0]
            time = panel.grid[panel.starts[series] + stray[k] - panel.offsets[series]]
            _log.warning(
                "series %r has a lone value at %s, %d steps from its others: if the time is "
                "mistyped, mend it or leave the value out",
                panel.ids[series], time, abs(stray[k] - near[k]),
            )  # fmt: skip


def warn_of_changed_clocks(panel: Panel, horizon: int) -> None:
    """Warn if clocks change in the last season or the next steps: a day has 23 or 25 hours."""
    change = clock_change(panel.grid, season_lengths(panel.freq)[-1], horizon)
    if change is not None:
        warnings.warn(
            f"the clocks of {change.tz} change at {change.tz_localize(None)}: steps are counted in "
            "hours that passed, so what follows the clock is an hour off after it. To forecast by "
            "the clock, give local times without a zone: "
            "y.tz_localize(None).groupby(level=0).mean().",
            ForecastWarning,
            stacklevel=3,
        )


def warn_of_fewer_values(panel: Panel) -> None:
    """Warn if values come regularly, but more than a step apart: once a day where steps are hours.

    Values that lie apart without such an order are few observations, as `update` takes them too.
    """
    observed = np.flatnonzero(~np.isnan(panel.values))
    series = np.searchsorted(panel.offsets, observed, side="right")
    gaps = np.diff(observed)[np.diff(series) == 0]
    if len(gaps) > 2 and 1 < np.median(gaps) < 1.2 * gaps.min():  # months have 28 to 31 days
        warnings.warn(
            f"the values of `y` come every {np.median(gaps):.0f} steps of {panel.freq!r}, the "
            "frequency of `fit`: what lies between is taken for missing. Resample them to "
            f"{panel.freq!r}, or fit a model to their own frequency.",
            ForecastWarning,
            stacklevel=3,
        )


def _with_covariates(panel: Panel, X: Any, past_only: Sequence[str]) -> Panel:
    X = None if X is None else covariates.as_pandas(X, panel.layout)
    names = () if X is None else covariates.column_names(X, panel.layout)
    past_names = covariates.past_only_names(past_only, names)
    if X is None:
        return panel
    X_names = tuple(name for name in names if name not in past_names)
    places = covariates.of_history(panel)
    rows = covariates.find_rows(X, places)
    known = past = None
    if X_names:
        known = covariates.known_values(X, X_names, places, rows)
        leaks.warn_of_leaks(panel, known, X_names)
    if past_names:
        past = covariates.past_values(X, past_names, places, rows)
    return replace(panel, X=known, X_names=X_names, past=past, past_names=past_names)


def _check_columns(panel: Panel, X: pd.DataFrame) -> None:
    names = covariates.column_names(X, panel.layout)
    lacking = [name for name in panel.X_names if name not in names]
    extra = [name for name in names if name not in panel.X_names + panel.past_names]
    if lacking or extra:
        raise ValueError(
            f"`X` must have the columns of `fit`, {list(panel.X_names)}: missing {lacking}, "
            f"unknown {extra}."
        )
