"""Covariates: the row of X for every (series, time) that is asked for, or an error."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data import backends
from forecast.data.cells import is_text
from forecast.data.frequency import freq_of, locate, same_clock
from forecast.data.keys import as_times, owners, row_keys
from forecast.data.panel import Layout, Panel, ranges
from forecast.data.placing import LARGEST, limit
from forecast.data.reading import numbers
from forecast.data.settling import on_grid

_log = logging.getLogger("forecast")

# Rows of X that are looked up in one go: all at once would take many times their memory.
_ROWS_OF_X_AT_ONCE = 250_000
_FILL = (
    "Fill it, for example with X.ffill(), or, if its future is not known either, name it in "
    "`past_only`."
)


@dataclass(frozen=True, eq=False)
class Places:
    """Hold the steps whose covariates are wanted: a stretch of each series, series after series.

    Parameters
    ----------
    layout, ids, grid
        Those of the target; the grid may reach into the future.
    starts, lengths
        For each series the position in the grid of the first step, and how many there are, (n,).
    """

    layout: Layout
    ids: pd.Index
    grid: pd.Index
    starts: np.ndarray
    lengths: np.ndarray

    @property
    def keyed(self) -> bool:
        """Whether each series has rows of its own; else the same rows serve all."""
        return self.layout.kind in ("long", "multi")

    @property
    def offsets(self) -> np.ndarray:
        """Where the steps of each series begin among all, and their number, (n + 1,)."""
        return np.concatenate(([0], np.cumsum(self.lengths)))

    @property
    def positions(self) -> np.ndarray:
        """The position of every step in the grid."""
        return ranges(self.starts, self.lengths)

    def name(self, i: int) -> str:
        """Return the time of step i, and its series if it has rows of its own."""
        series = int(np.searchsorted(self.offsets, i, side="right")) - 1
        time = self.grid[self.starts[series] + i - self.offsets[series]]
        return f"{time} of series {short(self.ids[series])}" if self.keyed else f"{time}"


def of_history(panel: Panel) -> Places:
    """Return every step of a panel, in the order of its values."""
    return Places(panel.layout, panel.ids, panel.grid, panel.starts, panel.lengths)


def of_future(panel: Panel, horizon: int) -> Places:
    """Return the next steps of every series of a panel."""
    times, first = panel.future(horizon)
    return Places(panel.layout, panel.ids, times, first, np.full(panel.n_series, horizon))


def as_pandas(X: Any, layout: Layout) -> pd.DataFrame:
    """Return X as a pandas frame whose rows are named like those of the target.

    Raises
    ------
    TypeError
        If X is no frame.
    ValueError
        If a frame without an index lacks the column of times.
    """
    frame = backends.foreign(X)
    if frame is not None:
        X = backends.to_pandas(frame, frame.columns)
    if not isinstance(X, pd.DataFrame):
        remedy = " Use X.to_frame()." if isinstance(X, pd.Series) else ""
        raise TypeError(
            f"`X` must be a pandas DataFrame, or one of polars or pyarrow, got {short(X)}.{remedy}"
        )
    if layout.kind == "long" or (layout.indexed and frame is None):
        return X
    keys = layout.keys if layout.kind == "multi" else [layout.time_col]
    for key in keys:
        if key not in X.columns:
            raise ValueError(f"`X` must have the column {key!r}, got {short(list(X.columns))}.")
    return X.set_index(keys)


def column_names(X: pd.DataFrame, layout: Layout) -> tuple[str, ...]:
    """Return the names of the covariates in X, without the columns that are keys.

    Raises
    ------
    ValueError
        If a key column is missing, or a name occurs twice.
    """
    keys = layout.keys if layout.kind == "long" else []
    for key in keys:
        if key not in X.columns:
            raise ValueError(
                f"`X` must have the key column {key!r} like `y`, got {short(list(X.columns))}."
            )
    levels = len(layout.keys)
    if layout.kind == "multi" and X.index.nlevels != levels:
        raise ValueError(
            "`X` must have a (series, time) MultiIndex like `y`, got "
            f"{'one level' if X.index.nlevels == 1 else X.index.nlevels} instead of {levels}."
        )
    names = X.columns.drop(keys)
    if names.has_duplicates:
        name = names[names.duplicated()][0]
        raise ValueError(f"`X` must name each column once, got {short(name)} twice.")
    if not len(names):
        raise ValueError("`X` must have at least one covariate column, got none.")
    return tuple(str(name) for name in names)


def past_only_names(past_only: Any, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the covariates whose future is not known, all of which X must have.

    Raises
    ------
    TypeError
        If `past_only` is one string.
    ValueError
        If X lacks one of them, or one is named twice.
    """
    if isinstance(past_only, str) or not np.iterable(past_only):
        raise TypeError(
            f"`past_only` must be a list of columns of `X`, got {short(past_only)}. "
            f"Write past_only=[{short(past_only)}]."
        )
    wanted = tuple(str(name) for name in past_only)
    names = list(names)
    lacking = [name for name in wanted if name not in names]
    if lacking or len(set(wanted)) < len(wanted):
        raise ValueError(
            f"`past_only` must name columns of `X`, each once: X has "
            f"{short(names) if names else 'not been given'}, got {short(list(wanted))}"
            f"{f', of which {short(lacking)} are missing' if lacking else ''}."
        )
    return wanted


def find_rows(X: pd.DataFrame, places: Places) -> np.ndarray:
    """Return the row of X for each step, matched by index or by keys; -1 where there is none.

    Raises
    ------
    ValueError
        If a step has two rows.
    """
    times, series = _keys(X, places.layout, places.ids)
    same_clock(places.grid, times, "`X`")
    meant = on_grid(places.grid, times)
    _tell_next_day(times, meant)
    _tell_between(places.grid, meant)
    if places.keyed:
        return _match(places, meant, series)
    one = replace(places, ids=places.ids[:1], starts=np.array([0]),
                  lengths=np.array([len(places.grid)]))  # fmt: skip
    return _match(one, meant, series)[places.positions]


def _tell_next_day(times: pd.Index, meant: pd.Index) -> None:
    """Log that times of day were taken for the next midnight, as midnights elsewhere are."""
    if meant is times:
        return
    hours = pd.TimedeltaIndex(meant - times).total_seconds() / 3600
    late = np.flatnonzero((hours >= 1) & (hours < 24))
    if len(late):
        _log.warning(
            "%d of %d rows of `X` were taken for the midnight after them, the first at %s; where "
            "they belong to the day before it, take its date alone: times.normalize()",
            len(late), len(times), times[late[0]],
        )  # fmt: skip


def _tell_between(grid: pd.Index, times: pd.Index) -> None:
    """Log that most rows of X lie between the steps, as days do between weeks."""
    inside = times[np.asarray((times > grid[0]) & (times < grid[-1]))]
    between = np.count_nonzero(locate(grid, inside) < 0)
    if 2 * between > len(inside):
        freq = freq_of(grid)
        how = f"X.resample({freq!r}).mean()" if isinstance(freq, str) else "X.groupby(...).mean()"
        _log.warning(
            "%d of %d rows of `X` are between the times of `y` and not used; aggregate them first, "
            "of each series: %s, or .sum()", between, len(inside), how,
        )  # fmt: skip


def known_values(
    X: pd.DataFrame, names: tuple[str, ...], places: Places, rows: np.ndarray
) -> np.ndarray:
    """Return known covariates, float64 of shape (rows, K).

    Parameters
    ----------
    X, names
        The covariates, and the names of those wanted, in order.
    places, rows
        The places, and the row of X for each, from `find_rows`.

    Raises
    ------
    ValueError
        If a place has no row, or a value that is missing, infinite or too large.
    """
    absent = np.flatnonzero(rows < 0)
    if len(absent):
        raise ValueError(
            f"`X` must have a row for every time of `y` and of the forecast: {len(absent)} "
            f"missing, the first at {places.name(absent[0])}."
        )
    values = _columns(X, names, rows, places.layout.backend)
    bad = np.argwhere(~(np.abs(values) <= LARGEST))
    if len(bad):
        i, k = bad[0]
        raise ValueError(
            f"covariate {short(names[k])} must be {limit(values[i, k])}, got {values[i, k]} "
            f"at {places.name(i)}. {_FILL if np.isnan(values[i, k]) else 'Replace it.'}"
        )
    return values


def past_values(
    X: pd.DataFrame, names: tuple[str, ...], places: Places, rows: np.ndarray
) -> np.ndarray:
    """Return past-only covariates, float64 of shape (rows, C), NaN where there is no value.

    Raises
    ------
    ValueError
        If a value is infinite or too large.
    """
    values = np.full((len(rows), len(names)), np.nan)
    values[rows >= 0] = _columns(X, names, rows[rows >= 0], places.layout.backend)
    bad = np.argwhere(np.abs(values) > LARGEST)
    if len(bad):
        i, k = bad[0]
        raise ValueError(
            f"past-only covariate {short(names[k])} must be {limit(values[i, k])}, got "
            f"{values[i, k]} at {places.name(i)}. Replace it, or mark it as missing with NaN."
        )
    return values


def _columns(X: pd.DataFrame, names: tuple[str, ...], rows: np.ndarray, backend: str) -> np.ndarray:
    """Return rows of some columns, one column after the other, for most of X is not wanted."""
    keys = {str(column): column for column in X.columns}
    values = np.empty((len(rows), len(names)))
    for k, name in enumerate(names):
        column = X[keys[name]]
        if is_text(column) or isinstance(column.dtype, pd.CategoricalDtype):
            raise TypeError(_no_number(column, backend))
        values[:, k] = numbers(column, f"covariate {short(name)}")[rows]
    return values


def _no_number(column: pd.Series, backend: str) -> str:
    """Return why words are no covariate, and what makes numbers of them."""
    name, some = short(column.name), column.dropna().iloc[:1].tolist()
    if pd.to_numeric(column, errors="coerce").notna().equals(column.notna()):
        remedy = f"convert it: X[{name}] = pd.to_numeric(X[{name}])"
    elif backend == "polars":
        remedy = f"make a column of zeros and ones of each word: X = X.to_dummies({name})"
    else:
        made = f"pd.get_dummies(X, columns=[{name}], dtype=float)"
        remedy = f"make a column of zeros and ones of each word: X = {made}"
    return (
        f"covariate {name} must hold real numbers, got {column.dtype} such as "
        f"{short(some[0] if some else '')}; {remedy}, for the past and the future at once."
    )


def _keys(X: pd.DataFrame, layout: Layout, ids: pd.Index) -> tuple[pd.Index, np.ndarray]:
    """Return the time of each row of X and the number of its series, -1 if it is not known."""
    if layout.kind in ("long", "multi"):
        columns, times = row_keys(X, layout)
        named = f"column {short(layout.time_col)}"
        what = named if layout.kind == "long" else "the times in the index"
        return as_times(times, f"{what} of `X`"), owners(columns, ids)
    return as_times(X.index, "the index of `X`"), np.zeros(len(X), dtype=np.int64)


def _match(places: Places, times: pd.Index, series: np.ndarray) -> np.ndarray:
    """Return the row that has the time and the series of each step, -1 where none does."""
    offsets, stops = places.offsets, places.starts + places.lengths
    rows, matches = np.full(offsets[-1], -1), 0
    for first in range(0, len(times), _ROWS_OF_X_AT_ONCE):
        part = slice(first, first + _ROWS_OF_X_AT_ONCE)
        owner, position = series[part], locate(places.grid, times[part])
        wanted = (owner >= 0) & (position >= places.starts[owner]) & (position < stops[owner])
        step = (offsets[owner] + position - places.starts[owner])[wanted]
        rows[step] = first + np.flatnonzero(wanted)
        matches += len(step)
    if np.count_nonzero(rows >= 0) < matches:
        raise ValueError(f"`X` must have one row per time, got {_twice(places, times, series)}.")
    return rows


def _twice(places: Places, times: pd.Index, series: np.ndarray) -> str:
    """Return the first time, of a series, that has two rows."""
    position = locate(places.grid, times)
    code = np.sort((series * len(places.grid) + position)[(series >= 0) & (position >= 0)])
    owner, place = divmod(int(code[1:][code[1:] == code[:-1]][0]), len(places.grid))
    of = f" of series {short(places.ids[owner])}" if places.keyed else ""
    return f"two at {places.grid[place]}{of}"


def held_plan(panel: Panel, steps: int) -> np.ndarray | None:
    """Return known covariates (n, steps, K) that stay as they are at the end; None without any."""
    if panel.X is None:
        return None
    return np.repeat(panel.X[panel.offsets[1:] - 1][:, None], steps, axis=1)
