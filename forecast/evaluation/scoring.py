"""Average errors over the rows of a forecast table, group by group, all groups at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.distance import pdist

from forecast._checks import ForecastWarning, positive_integer
from forecast.data.frames import read_frames
from forecast.data.panel import Panel
from forecast.evaluation.table import (
    Array,
    central_intervals,
    check_columns,
    path_columns,
    quantile_columns,
)

Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Scored:
    """Hold the rows of a table whose actual value is known, and average over them."""

    y: Array  # (N,)
    y_hat: Array  # (N,)
    quantiles: dict[float, Array]  # (N,) each
    paths: Array  # (N, S)
    groups: Codes  # (N,) 0 .. G-1
    series: Codes  # (N,) 0 .. n-1
    windows: Codes  # (N,) 0 .. W-1: what one model said of one series at one origin, if any paths
    scales: Callable[[], tuple[Array, Array]]  # (N,) each

    @cached_property
    def _scales(self) -> tuple[Array, Array]:
        return self.scales()

    @property
    def scale(self) -> Array:
        """The mean absolute error of the seasonal naive forecast inside the history, (N,)."""
        return self._scales[0]

    @property
    def squared_scale(self) -> Array:
        """The mean squared error of the seasonal naive forecast inside the history, (N,)."""
        return self._scales[1]

    @property
    def size(self) -> Array:
        """The mean of |y| in each group, (G,); not a number where all values are 0."""
        size = self.mean(np.abs(self.y))
        return np.where(size > 0, size, np.nan)

    @cached_property
    def intervals(self) -> dict[float, tuple[float, float]]:
        """The lower and upper level of each central interval by its coverage, widest first."""
        return central_intervals(self.quantiles)

    def interval(self, level: float) -> tuple[Array, Array]:
        """Return the ends of the central interval of a nominal coverage, (N,) each."""
        low, high = self.intervals[level]
        return self.quantiles[low], self.quantiles[high]

    def mean(self, values: Array) -> Array:
        """Average over all rows of a group, (N,) -> (G,)."""
        return _mean(values, self.groups)

    def mean_of_series(
        self, values: Array, root: Callable[[Array], Array] = lambda means: means
    ) -> Array:
        """Average over each series of a group, then over the series with a mean, (N,) -> (G,).

        `root` is applied to the mean of each series, before these are averaged.
        """
        n_series = int(self.series.max()) + 1
        cells, keys = pd.factorize(self.groups * n_series + self.series)
        means, groups = root(_mean(values, cells)), keys // n_series
        known = ~np.isnan(means)
        sums = np.bincount(groups[known], means[known], minlength=int(self.groups.max()) + 1)
        counts = np.bincount(groups[known], minlength=len(sums))
        return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)

    def mean_of_windows(self, score: Callable[[Array, Array], float]) -> Array:
        """Score the rows of each window, (h,) and paths (S, h), and average over them, (G,)."""
        order = np.argsort(self.windows, kind="stable")
        first = np.flatnonzero(np.diff(self.windows[order], prepend=-1))
        parts = np.split(order, first[1:])
        scores = np.array([score(self.y[rows], self.paths[rows].T) for rows in parts])
        return _mean(scores, self.groups[order[first]])


def energy_score(y: Array, paths: Array) -> float:
    """Return how far paths lie from what came, less half of how far they lie from each other.

    ES = E ||X - y|| - E ||X - X'|| / 2 (Gneiting and Raftery 2007, equation 22), X and X' two paths
    drawn independently: a proper score of whole paths, in the unit of the values. Of one step it is
    the continuous ranked probability score. The second mean is over pairs of different paths, so
    that the number of paths does not matter but by chance.

    Parameters
    ----------
    y
        What came, (h,).
    paths
        What was drawn, (S, h), S at least 2.

    Examples
    --------
    >>> paths = np.array([[0.0, 0.0], [3.0, 0.0]])
    >>> energy_score(np.array([3.0, 4.0]), paths)  # (5 + 4) / 2 - 3 / 2
    3.0
    """
    return float(np.linalg.norm(paths - y, axis=1).mean() - pdist(paths).mean() / 2)


def _mean(values: Array, codes: Codes) -> Array:
    return np.bincount(codes, values) / np.bincount(codes)


def scored_rows(
    table: pd.DataFrame, keys: list[str], history: Any, season_length: int | None
) -> tuple[Scored, pd.Index]:
    """Return the rows of `known_rows` as arrays, and the labels of their groups.

    Parameters
    ----------
    table
        Forecast table of N rows.
    keys
        The columns that make the groups.
    history, season_length
        What the error scale is computed from once a metric asks for it, as in `naive_scales`.

    Returns
    -------
    rows, labels
        Arrays of N values in G groups, and an index of G labels in order of appearance.
    """
    paths = path_columns(table)
    groups = _codes(table, keys)
    window = list(dict.fromkeys([*keys, "model", "unique_id", "cutoff"]))
    rows = Scored(
        y=table["y"].to_numpy(np.float64),
        y_hat=table["y_hat"].to_numpy(np.float64),
        quantiles={
            level: table[name].to_numpy(np.float64)
            for level, name in quantile_columns(table).items()
        },
        paths=table[paths].to_numpy(np.float64),
        groups=groups,
        series=pd.factorize(table["unique_id"])[0],
        windows=_codes(table, window) if paths else groups,
        scales=partial(naive_scales, table, history, season_length),
    )
    labels = table[keys].drop_duplicates()
    one = len(keys) == 1
    return rows, pd.Index(labels[keys[0]]) if one else pd.MultiIndex.from_frame(labels)


def _codes(table: pd.DataFrame, keys: list[str]) -> Codes:
    """Return the number of the group of each row, (N,)."""
    check_columns(table, keys)
    groups = table.groupby(keys, sort=False, dropna=False, observed=True).ngroup()
    return np.asarray(groups, dtype=np.intp)


def known_rows(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the rows with an actual value, once every one of them has a forecast.

    Raises
    ------
    ValueError
        If a column is absent, no actual value is known, or a forecast is missing.
    """
    if not keys:
        raise ValueError("`by` must name at least one column of the table, for example by='model'.")
    check_columns(table, ["unique_id", "model", "y", "y_hat", *keys])
    known = table[table["y"].notna()]
    if known.empty:
        raise ValueError(f"none of the {len(table)} rows of the table has an actual value `y`.")
    silent = known["y_hat"].isna().to_numpy()
    if silent.any():
        row = known[silent].iloc[0]
        raise ValueError(
            f"`y_hat` must be given wherever `y` is: {silent.sum()} of {len(known)} are missing, "
            f"the first from model {row['model']!r} for series {row['unique_id']!r}. Leave out a "
            "model that cannot forecast every step."
        )
    return known


def naive_scales(
    table: pd.DataFrame, history: Any, season_length: int | None
) -> tuple[Array, Array]:
    """Return the error scales of each row: how wrong seasonal naive was before its cutoff.

    Parameters
    ----------
    table
        Forecast table of N rows.
    history
        A frame or a `Panel`; values after a cutoff are not looked at.
    season_length
        Steps in a season.

    Returns
    -------
    absolute, squared
        The mean absolute and the mean squared error, (N,) each, NaN where no two values differ by a
        season; a `ForecastWarning` names the first.

    Raises
    ------
    ValueError
        If `history` or `season_length` is None.
    """
    if history is None or season_length is None:
        missing = "history" if history is None else "season_length"
        raise ValueError(
            f"the error scale needs `{missing}`: it is the error of the seasonal naive forecast "
            "inside the history. Call evaluate(table, history, season_length)."
        )
    m = positive_integer("season_length", season_length)
    panel = history if isinstance(history, Panel) else read_frames(history)
    codes, windows = _windows(table, panel)
    change = np.full(len(panel.values) + 1, np.nan)  # one more: reduceat needs its ends inside
    change[m:-1] = np.abs(panel.values[m:] - panel.values[:-m].astype(np.float64))
    position = np.arange(len(panel.values)) - np.repeat(panel.offsets[:-1], panel.lengths)
    change[:-1][position < m] = np.nan  # these would reach back into the series before
    absolute, squared = _window_means(change, windows), _window_means(change**2, windows)
    if np.isnan(absolute).any():
        row = table.iloc[int(np.argmax(np.isnan(absolute)[codes]))]
        warn_no_scale(f"series {row['unique_id']!r}", int(np.isnan(absolute).sum()), stacklevel=8)
    return absolute[codes], squared[codes]


def _window_means(values: Array, windows: Codes) -> Array:
    """Return the mean of the known values of each window, (W,); NaN where it is not above 0."""
    known = ~np.isnan(values)
    # Sums inside segments: differences of one long running sum would lose the small series.
    sums = np.add.reduceat(np.where(known, values, 0.0), windows.ravel())[::2]
    counts = np.add.reduceat(known.astype(np.float64), windows.ravel())[::2]
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=sums > 0)


def warn_no_scale(where: str, count: int = 1, *, stacklevel: int = 3) -> None:
    """Warn that a history without change gives scaled errors no unit."""
    warnings.warn(
        "there is no error scale where no two values a season apart differ: "
        f"{where} before its cutoff, {count} such case(s) in all, left out of scaled errors. "
        "Judge them by unscaled ones.",
        ForecastWarning,
        stacklevel=stacklevel,
    )


def _windows(table: pd.DataFrame, panel: Panel) -> tuple[Codes, Codes]:
    """Return each row's window code, (N,), and the windows' [start, stop) in the panel, (W, 2)."""
    check_columns(table, ["unique_id", "cutoff"])
    series = _positions("unique_id", table["unique_id"], panel.ids)
    cutoff = _positions("cutoff", table["cutoff"], panel.grid)
    codes, keys = pd.factorize(series * len(panel.grid) + cutoff)
    series, cutoff = np.divmod(keys, len(panel.grid))
    start = panel.offsets[series]
    stop = start + cutoff - panel.starts[series] + 1
    return codes, np.stack([start, np.clip(stop, start + 1, panel.offsets[series + 1])], axis=1)


def _positions(name: str, column: pd.Series, index: pd.Index) -> Codes:
    codes, labels = pd.factorize(column)
    at = index.get_indexer(pd.Index(labels))
    if (at < 0).any():
        raise ValueError(
            f"`history` must hold every {name} of the table, it lacks "
            f"{labels[int(np.argmin(at))]!r}. Pass the frame that the models were trained on."
        )
    return at[codes]
