"""Do quantiles keep their word? What share of the values fell below each, as numbers and a picture.

Gneiting, Balabdaoui and Raftery, "Probabilistic forecasts, calibration and sharpness", 2007.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from forecast.data.backends import like
from forecast.evaluation.canvas import PALE, axes_for, dress, label_ends, line_styles
from forecast.evaluation.table import pandas_rows, quantile_columns


def reliability(table: pd.DataFrame, by: str = "model") -> pd.DataFrame:
    """Return the share of values at or below each quantile.

    Parameters
    ----------
    table
        Forecast table with at least one quantile.
    by
        A column: "model", or "step" and "unique_id" to see where a model is too sure.

    Returns
    -------
    A row for each value of `by`, in the order of the table, and a column for each level: the share,
    which should be the level. NaN for a model without quantiles among others that have them.

    Raises
    ------
    ValueError
        If the table has no quantiles.

    Examples
    --------
    >>> table = pd.DataFrame({"model": "m", "y": [1.0, 2.0, 3.0, 4.0], "q0.1": 1.5, "q0.9": 3.5})
    >>> reliability(table).loc["m"].tolist()
    [0.25, 0.75]
    """
    seen, columns = _judged(pandas_rows(table))
    quantiles = seen[list(columns.values())].set_axis(list(columns), axis=1)
    below = quantiles.ge(seen["y"], axis=0).astype(float).where(quantiles.notna())
    return like(below.groupby(seen[by], sort=False).mean(), table)


def pit_histogram(table: pd.DataFrame, by: str = "model") -> pd.DataFrame:
    """Compare how many values fell between neighbouring quantiles with how many should.

    This is the histogram of the probability integral transform, F(y), as far as quantiles tell it:
    1 everywhere if forecasts are calibrated, high at both ends if they are too sure, high in the
    middle if they are not sure enough, aslant if they are biased.

    Parameters
    ----------
    table, by
        As in `reliability`.

    Returns
    -------
    A row for each value of `by`, a column for each bin, named by its upper level.

    Examples
    --------
    >>> table = pd.DataFrame({"model": "m", "y": [1.0, 2.0, 3.0, 4.0], "q0.25": 1.5, "q0.75": 3.5})
    >>> pit_histogram(table).loc["m"].tolist()
    [1.0, 1.0, 1.0]
    """
    shares = reliability(pandas_rows(table), by)
    edges = np.array([0.0, *shares.columns, 1.0])
    ends = shares.assign(**{"first": 0.0, "last": 1.0})[["first", *shares.columns, "last"]]
    heights = np.diff(ends.to_numpy(), axis=1) / np.diff(edges)
    return like(pd.DataFrame(heights, shares.index, edges[1:].tolist()), table)


def plot_reliability(
    table: pd.DataFrame, *, naive: Sequence[str] = (), ax: Axes | None = None
) -> Axes:
    """Draw the share of values below each quantile over its level, a line per model.

    On the diagonal a model keeps its word. Flatter than it: bands are too narrow.

    Parameters
    ----------
    table
        Forecast table with quantiles.
    naive
        Which models are naive forecasts; they are drawn thin and grey.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
    """
    ax = axes_for(ax, (5, 5))
    shares = reliability(pandas_rows(table))
    ax.plot([0, 1], [0, 1], color=PALE, linewidth=1, zorder=0)
    ends = {}
    for model, style in line_styles(shares.index, naive).items():
        curve = shares.loc[model].dropna()
        if len(curve):
            ax.plot(curve.index, curve.to_numpy(), marker="o", **style)
            ends[str(model)] = (curve.index[-1], float(curve.iloc[-1]), style["color"])
    dress(ax, "level of the quantile", "share of values below it")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    label_ends(ax, ends)
    return ax


def plot_pit(table: pd.DataFrame, *, naive: Sequence[str] = (), ax: Axes | None = None) -> Axes:
    """Draw how many values fell between neighbouring quantiles over how many should.

    Parameters
    ----------
    table, naive, ax
        As in `plot_reliability`.

    Returns
    -------
    Axes
    """
    ax = axes_for(ax, (5, 5))
    shares = pit_histogram(pandas_rows(table))
    edges = np.array([0.0, *shares.columns])
    ax.axhline(1, color=PALE, linewidth=1, zorder=0)
    ends = {}
    for model, style in line_styles(shares.index, naive).items():
        heights = shares.loc[model].to_numpy()
        if np.isfinite(heights).all():
            ax.step(edges, np.r_[heights[0], heights], where="pre", **style)
            ends[str(model)] = (1.0, float(heights[-1]), style["color"])
    dress(ax, "level of the quantile", "values, over those expected")
    ax.set_xlim(0, 1)
    ax.set_ylim(bottom=0)
    label_ends(ax, ends)
    return ax


def _judged(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[float, str]]:
    """Return the rows with a value, and the quantile columns by their levels."""
    columns = quantile_columns(table)
    if table[list(columns.values())].isna().all(axis=None):
        raise ValueError(
            "`table` must have quantiles, such as a column 'q0.9': pass quantiles= to backtest."
        )
    return table[table["y"].notna()], dict(sorted(columns.items()))
