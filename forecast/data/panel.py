"""The panel: many series in one flat array, and what is needed to give them back as they came."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data.frequency import following, freq_of, has_moved_midnight

VALUES_AT_ONCE = 200_000  # by `Panel.blocks`


@dataclass(frozen=True)
class Layout:
    """The kind of table that came in, and the names needed to give the same kind back.

    Parameters
    ----------
    kind
        "series", "list" (of Series), "wide" (a column is a series), "long" (id, time and target
        columns) or "multi" ((id, time) MultiIndex).
    id_col, time_col, target_col
        Column names of a long frame; for "multi" the names of the levels and of the target. A tuple
        `id_col` holds several names, and the ids of the series are tuples too.
    names
        The name of a Series, the names of each Series of a list, the name of the columns of a wide
        frame: whatever the kind needs beyond the ids.
    as_frame
        Whether a "multi" table was a frame of one column rather than a Series.
    backend
        The library of the frame, as narwhals calls it. One without indexes has its times in the
        column `time_col`.
    dates
        Whether these times are dates without a time of day.
    time_level
        For "multi" the place of the times among the levels.
    """

    kind: str
    id_col: Hashable = "unique_id"
    time_col: Hashable = "ds"
    target_col: Hashable = "y"
    names: tuple[Hashable, ...] = ()
    as_frame: bool = False
    backend: str = "pandas"
    dates: bool = False
    time_level: int = 1

    @property
    def id_cols(self) -> tuple[Hashable, ...]:
        """The columns or levels that name the series: most often one."""
        return self.id_col if isinstance(self.id_col, tuple) else (self.id_col,)

    @property
    def keys(self) -> list[Hashable]:
        """The columns of a long frame, or levels, that name series and time."""
        return [*self.id_cols, self.time_col]

    @property
    def indexed(self) -> bool:
        """Whether times are in the index; else they are in the column `time_col`."""
        return self.kind != "long" and self.backend == "pandas"

    def labels(self, prefix: str, entries: Iterable[Any]) -> list[Any]:
        """Return what columns of forecasts are called: words, where they stand beside the keys.

        Examples
        --------
        >>> Layout("long").labels("q", [0.1, 0.9]), Layout("series").labels("q", [0.1, 0.9])
        (['q0.1', 'q0.9'], [0.1, 0.9])
        """
        words = self.kind == "multi" or not self.indexed
        return [f"{prefix}{entry}" for entry in entries] if words else list(entries)


class Future(NamedTuple):
    """Hold the times of the next H steps of every series.

    `times` begin after the series that ends first; `first` (n,) says where each series' own begin.
    """

    times: pd.Index
    first: np.ndarray

    def places(self, horizon: int) -> np.ndarray:
        """Return where in `times` each step of each series is, (n, H)."""
        return self.first[:, None] + np.arange(horizon)

    def of(self, i: int, horizon: int) -> pd.Index:
        """Return the times of series i; one that ends with all others has them all."""
        first = self.first[i]
        return self.times if len(self.times) == horizon else self.times[first : first + horizon]


class Parts(NamedTuple):
    """Hold values and the covariates beside them, known and past-only, or None.

    They are flat, (N,), (N, K) and (N, C), or the last T steps: (n, T), (n, T, K) and (n, T, C).
    """

    values: np.ndarray
    X: np.ndarray | None
    past: np.ndarray | None

    def map(self, function: Callable[..., np.ndarray], *others: Parts) -> Parts:
        """Apply a function to the arrays at each place of several; to none where one is not."""
        places = zip(self, *others, strict=True)
        return Parts(*(None if any(one is None for one in place) else function(*place)
                       for place in places))  # type: ignore[arg-type]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Panel:
    """Hold n series of unequal length, each on its own stretch of one regular time axis.

    Parameters
    ----------
    values
        All series one after the other, shape (N,), float32 or float64; NaN is unobserved. A series
        starts at its first observed value; gaps in time are filled with NaN.
    offsets
        Series i is `values[offsets[i]:offsets[i + 1]]`, shape (n + 1,), int64.
    starts
        Position in `grid` of the first value of each series, shape (n,), int64.
    grid
        One regular time axis that covers all series: DatetimeIndex, PeriodIndex or RangeIndex.
    ids
        The names of the series, shape (n,).
    X
        Known covariates aligned with `values`, shape (N, K), or None.
    X_names
        The names of the K covariates.
    layout
        The kind of table that came in.
    past
        Covariates whose future is not known, aligned with `values`, shape (N, C), float64, NaN
        where unobserved, or None.
    past_names
        The names of the C covariates.
    weights
        How much each value counts when a model learns, shape (N,), or None: all alike.
    """

    values: np.ndarray
    offsets: np.ndarray
    starts: np.ndarray
    grid: pd.Index
    ids: pd.Index
    X: np.ndarray | None
    X_names: tuple[str, ...]
    layout: Layout
    past: np.ndarray | None = None
    past_names: tuple[str, ...] = ()
    weights: np.ndarray | None = None

    @property
    def n_series(self) -> int:
        """The number of series, n."""
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """The number of values of each series, shape (n,)."""
        return self.offsets[1:] - self.offsets[:-1]

    @property
    def ends(self) -> np.ndarray:
        """Position in `grid` of the first step after each series, shape (n,)."""
        return self.starts + self.lengths

    @property
    def parts(self) -> Parts:
        """All values and the covariates beside them, as they are."""
        return Parts(self.values, self.X, self.past)

    @property
    def dtype(self) -> np.dtype:
        """The type of the values, float32 or float64."""
        return self.values.dtype

    @property
    def last_time(self) -> Any:
        """The last time of the grid."""
        return self.grid[-1]

    @property
    def in_step(self) -> bool:
        """Whether all series end together, where the grid ends, so that they can grow together."""
        together = bool((self.ends == len(self.grid)).all())
        return together and not has_moved_midnight(self.grid)

    @property
    def freq(self) -> Any:
        """The frequency of the grid: a pandas alias or offset, or the step of whole numbers."""
        return freq_of(self.grid)

    def series(self, i: int) -> np.ndarray:
        """Return the values of series i, a view."""
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    def times(self, i: int) -> pd.Index:
        """Return the times of series i."""
        return self.grid[self.starts[i] : self.ends[i]]

    def future(self, horizon: int) -> Future:
        """Return the times of the next `horizon` steps of every series.

        Examples
        --------
        >>> from forecast.data.frames import read_frames
        >>> panel = read_frames([pd.Series([1.0, 2.0]), pd.Series([1.0, 2.0, 3.0])])
        >>> times, first = panel.future(2)
        >>> times.tolist(), first.tolist()
        ([2, 3, 4], [0, 1])
        """
        low = int(self.ends.min())
        return Future(self.times_at(low, int(self.ends.max()) + horizon), self.ends - low)

    def times_at(self, first: int, stop: int) -> pd.Index:
        """Return the times at positions of the grid, which goes on beyond its end."""
        known, beyond = self.grid[first:stop], stop - len(self.grid)
        if beyond <= 0:
            return known
        times = following(self.grid, beyond)
        return known.append(times) if len(known) else times

    def blocks(self) -> Iterator[slice]:
        """Yield some series after the others: what is computed of each needs little memory.

        Computed for all values of a large panel at once it would take many times that of the panel.

        Examples
        --------
        >>> from forecast.data.frames import read_frames
        >>> long = pd.DataFrame(np.ones((150_000, 3)))
        >>> list(read_frames(long).blocks())
        [slice(0, 2, None), slice(2, 3, None)]
        """
        cuts = np.searchsorted(self.offsets, np.arange(0, self.offsets[-1], VALUES_AT_ONCE))
        borders = np.unique(np.append(cuts, self.n_series)).tolist()
        for low, high in pairwise(borders):
            yield slice(low, high)

    def newest(self, count: int) -> Parts:
        """Return the last `count` steps of every series; none may be shorter."""
        rows = self.offsets[1:, None] + np.arange(-count, 0)
        return self.parts.map(lambda part: part[rows])

    def head(self, lengths: np.ndarray) -> Panel:
        """Return the first values of each series: the past as it was at an earlier time.

        Parameters
        ----------
        lengths
            How many values of each series to keep, shape (n,), between 1 and its length.

        Returns
        -------
        Panel
            On the same grid. Memory is shared where the kept values are contiguous.

        Raises
        ------
        ValueError
            If a length is not between 1 and the length of its series.
        """
        lengths = np.asarray(lengths, dtype=np.int64)
        wrong = np.flatnonzero((lengths < 1) | (lengths > self.lengths))
        if len(wrong):
            i = wrong[0]
            raise ValueError(
                f"`lengths` must lie between 1 and the length of each series: series "
                f"{short(self.ids[i])} has {self.lengths[i]} values, got {lengths[i]}."
            )
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        rows: slice | np.ndarray = slice(0, int(offsets[-1]))
        if (self.offsets[:-1] != offsets[:-1]).any():
            rows = ranges(self.offsets[:-1], lengths)
        parts = self.parts.map(lambda part: part[rows])
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, offsets=offsets, weights=weights, **parts._asdict())

    def take(self, rows: np.ndarray) -> Panel:
        """Return some of the series, (k,) places, on the same grid; one may be taken several times.

        Examples
        --------
        >>> from forecast.data.frames import read_frames
        >>> panel = read_frames([pd.Series([1.0, 2.0]), pd.Series([3.0, 4.0, 5.0])])
        >>> panel.take(np.array([1])).values
        array([3., 4., 5.])
        """
        lengths = self.lengths[rows]
        places = ranges(self.offsets[:-1][rows], lengths)
        parts = self.parts.map(lambda part: part[places])
        names = self.layout.names
        if self.layout.kind == "list":
            names = tuple(names[row] for row in rows)
        return replace(
            self,
            offsets=np.concatenate(([0], np.cumsum(lengths))),
            starts=self.starts[rows],
            ids=self.ids[rows],
            layout=replace(self.layout, names=names),
            weights=None if self.weights is None else self.weights[places],
            **parts._asdict(),
        )


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return start, start + 1, ... of each range, one range after the other.

    Examples
    --------
    >>> ranges(np.array([5, 20]), np.array([2, 3])).tolist()
    [5, 6, 20, 21, 22]
    """
    before = np.cumsum(lengths) - lengths
    return np.arange(np.sum(lengths)) + np.repeat(starts - before, lengths)


def last_observed(panel: Panel) -> np.ndarray:
    """Return the last observed value of each series, (n,).

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> last_observed(read_frames(pd.Series([1.0, 2.0, np.nan])))
    array([2.])
    """
    places = np.where(np.isnan(panel.values), 0, np.arange(len(panel.values)))
    return panel.values[np.maximum.reduceat(places, panel.offsets[:-1])].astype(np.float64)


def last_steps(panel: Panel, counts: np.ndarray) -> np.ndarray:
    """Return the last `counts` (n,) values of each series, (n, T), then NaN where others have more.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames([pd.Series([1.0, 2.0, 3.0]), pd.Series([4.0, 5.0])])
    >>> last_steps(panel, np.array([2, 1]))
    array([[ 2.,  3.],
           [ 5., nan]])
    """
    most = int(counts.max())
    if (counts == most).all():
        return panel.newest(most).values.astype(np.float64)
    steps = np.full((panel.n_series, most), np.nan)
    for i, count in enumerate(counts):
        steps[i, :count] = panel.series(i)[panel.lengths[i] - count :]
    return steps


def forward_filled(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return values (N, ...) with every gap filled by the last one observed in its series.

    `offsets` (n + 1,) say where series begin and end; gaps before the first value stay.

    Examples
    --------
    >>> forward_filled(np.array([1.0, np.nan, np.nan, 2.0]), np.array([0, 2, 4])).tolist()
    [1.0, 1.0, nan, 2.0]
    """
    each = (-1, *(1,) * (values.ndim - 1))
    place = np.where(np.isnan(values), 0, np.arange(len(values)).reshape(each))
    first = np.repeat(offsets[:-1], np.diff(offsets)).reshape(each)
    seen = np.maximum(np.maximum.accumulate(place), first)
    filled: np.ndarray = np.take_along_axis(values, seen, 0)
    return filled
