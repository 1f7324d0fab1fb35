"""Average errors over the rows of a forecast table, group by group, all groups at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast._checks import ForecastWarning, positive_integer
from forecast.data.frames import read_frames
from forecast.data.panel import Panel
from forecast.evaluation.table import Array, central_intervals, quantile_columns

Codes = npt.NDArray[np.intp]


def symmetric_percentage(y: Array, y_hat: Array) -> Array:
    """Return the errors that sMAPE averages, between 0 and 200."""
    size = np.abs(y) + np.abs(y_hat)
    # 0 forecast as 0 is no error; the formula alone says 0 / 0.
    return 200 * np.abs(y - y_hat) / np.where(size == 0, 1.0, size)


def _percentage(y: Array, y_hat: Array) -> Array:
    return np.abs(y - y_hat) / np.maximum(np.abs(y), np.finfo(np.float64).eps)


def quantile_loss(y: Array, y_hat: Array, level: float) -> Array:
    """Return the errors that the pinball loss averages."""
    return np.maximum(level * (y - y_hat), (level - 1) * (y - y_hat))


@dataclass(frozen=True, eq=False)
class Scored:
    """Hold the rows of a table whose actual value is known, and average over them."""

    y: Array  # (N,)
    y_hat: Array  # (N,)
    quantiles: dict[float, Array]  # (N,) each
    scale: Array  # (N,) the unit of MASE; empty if not asked for
    groups: Codes  # (N,) 0 .. G-1
    series: Codes  # (N,) 0 .. n-1

    def mean(self, values: Array) -> Array:
        """Average over all rows of a group, (N,) -> (G,)."""
        return _mean(values, self.groups)

    def mean_of_series(self, values: Array) -> Array:
        """Average over each series of a group, then over the series with a mean, (N,) -> (G,)."""
        n_series = int(self.series.max()) + 1
        cells, keys = pd.factorize(self.groups * n_series + self.series)
        means, groups = _mean(values, cells), keys // n_series
        known = ~np.isnan(means)
        sums = np.bincount(groups[known], means[known], minlength=int(self.groups.max()) + 1)
        counts = np.bincount(groups[known], minlength=len(sums))
        return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def _mean(values: Array, codes: Codes) -> Array:
    return np.bincount(codes, values) / np.bincount(codes)


def scored_rows(table: pd.DataFrame, keys: list[str], scale: Array) -> tuple[Scored, pd.Index]:
    """Return the rows of `known_rows` as arrays, and the labels of their groups.

    Parameters
    ----------
    table
        Forecast table of N rows.
    keys
        The columns that make the groups.
    scale
        The unit of MASE of each row, (N,), or empty.

    Returns
    -------
    rows, labels
        Arrays of N values in G groups, and an index of G labels in order of appearance.
    """
    groups = table.groupby(keys, sort=False, dropna=False, observed=True).ngroup()
    rows = Scored(
        y=table["y"].to_numpy(np.float64),
        y_hat=table["y_hat"].to_numpy(np.float64),
        quantiles={
            level: table[name].to_numpy(np.float64)
            for level, name in quantile_columns(table).items()
        },
        scale=scale,
        groups=np.asarray(groups, dtype=np.intp),
        series=pd.factorize(table["unique_id"])[0],
    )
    labels = table[keys].drop_duplicates()
    one = len(keys) == 1
    return rows, pd.Index(labels[keys[0]]) if one else pd.MultiIndex.from_frame(labels)


def known_rows(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the rows with an actual value, once every one of them has a forecast.

    Raises
    ------
    ValueError
        If a column is absent, no actual value is known, or a forecast is missing.
    """
    wanted = ["unique_id", "model", "y", "y_hat", *keys]
    absent = [name for name in wanted if name not in table.columns]
    if absent or not keys:
        raise ValueError(
            f"the forecast table must have the columns {wanted}, it lacks {absent}."
            if absent
            else "`by` must name at least one column of the table, for example by='model'."
        )
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


def naive_scales(table: pd.DataFrame, history: Any, season_length: int) -> Array:
    """Return the unit of MASE of each row: its series' seasonal naive error up to its cutoff.

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
    array
        Shape (N,), NaN where no two values differ by a season; a `ForecastWarning` names the first.
    """
    m = positive_integer("season_length", season_length)
    panel = history if isinstance(history, Panel) else read_frames(history)
    codes, windows = _windows(table, panel)
    change = np.full(len(panel.values) + 1, np.nan)  # one more: reduceat needs its ends inside
    change[m:-1] = np.abs(panel.values[m:] - panel.values[:-m].astype(np.float64))
    position = np.arange(len(panel.values)) - np.repeat(panel.offsets[:-1], panel.lengths)
    change[:-1][position < m] = np.nan  # these would reach back into the series before
    known = ~np.isnan(change)
    # Sums inside segments: differences of one long running sum would lose the small series.
    sums = np.add.reduceat(np.where(known, change, 0.0), windows.ravel())[::2]
    counts = np.add.reduceat(known.astype(np.float64), windows.ravel())[::2]
    scale = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=sums > 0)
    if np.isnan(scale).any():
        row = table.iloc[int(np.argmax(np.isnan(scale)[codes]))]
        warn_no_scale(f"series {row['unique_id']!r}", int(np.isnan(scale).sum()))
    return scale[codes]


def warn_no_scale(where: str, count: int = 1) -> None:
    """Warn that a history without change gives MASE no unit."""
    warnings.warn(
        f"MASE has no unit where no two values a season apart differ: {where} before its cutoff, "
        f"{count} such case(s) in all, left out of it. Judge them by mae.",
        ForecastWarning,
        stacklevel=4,
    )


def _windows(table: pd.DataFrame, panel: Panel) -> tuple[Codes, Codes]:
    """Return each row's window code, (N,), and the windows' [start, stop) in the panel, (W, 2)."""
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


def _r2(rows: Scored) -> Array:
    error = rows.mean((rows.y - rows.y_hat) ** 2)
    variance = rows.mean((rows.y - rows.mean(rows.y)[rows.groups]) ** 2)
    # scikit-learn's rule where the actual values do not vary: 1 if perfect, else 0.
    constant = np.where(error == 0, 1.0, 0.0)
    score = np.where(variance == 0, constant, 1 - error / np.where(variance == 0, 1.0, variance))
    return np.where(np.bincount(rows.groups) < 2, np.nan, score)


def _pinball(rows: Scored) -> Array:
    losses = [rows.mean(quantile_loss(rows.y, q, level)) for level, q in rows.quantiles.items()]
    return np.asarray(np.mean(losses, axis=0))


def _mql(rows: Scored) -> Array:
    return 2 * _pinball(rows) / rows.mean(np.abs(rows.y))


def coverages(rows: Scored) -> dict[str, Array]:
    """Return the coverage of each central interval, (G,), by its column name."""
    scores = {}
    for nominal, (low, high) in central_intervals(rows.quantiles).items():
        lower, upper = rows.quantiles[low], rows.quantiles[high]
        inside = np.where(np.isnan(lower + upper), np.nan, (lower <= rows.y) & (rows.y <= upper))
        scores[f"coverage{nominal}"] = rows.mean(inside)
    return scores


METRICS: dict[str, Callable[[Scored], Array]] = {
    "mae": lambda rows: rows.mean(np.abs(rows.y - rows.y_hat)),
    "mse": lambda rows: rows.mean((rows.y - rows.y_hat) ** 2),
    "rmse": lambda rows: np.sqrt(rows.mean((rows.y - rows.y_hat) ** 2)),
    "mape": lambda rows: rows.mean(_percentage(rows.y, rows.y_hat)),
    "smape": lambda rows: rows.mean_of_series(symmetric_percentage(rows.y, rows.y_hat)),
    "mase": lambda rows: rows.mean_of_series(np.abs(rows.y - rows.y_hat) / rows.scale),
    "r2": _r2,
    "pinball": _pinball,
    "mql": _mql,
}
