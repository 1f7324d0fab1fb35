"""Draw forecasts of symbols: how probable each one is at each of the next steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from forecast._checks import positive_integer
from forecast.evaluation.canvas import (
    BLACK,
    GREY,
    MEDIUM,
    VERMILLION,
    axes_for,
    drawn,
    dress,
    legend_above,
    placed,
    time_label,
    time_ticks,
)


def plot_symbols(
    history: pd.Series,
    chances: pd.DataFrame,
    path: pd.Series | None = None,
    *,
    tail: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the symbols of one sequence, and the probabilities of the next ones as shades.

    Parameters
    ----------
    history
        The symbols that were.
    chances
        A row per step ahead, a column per symbol.
    path
        Symbols to mark among them: those that came, or those that were written.
    tail
        How many symbols of the history to show; by default 3 H, at least 20.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Examples
    --------
    >>> days = pd.date_range("2024", periods=4)
    >>> chances = pd.DataFrame({"off": [0.9, 0.6], "on": [0.1, 0.4]}, days[2:])
    >>> ax = plot_symbols(pd.Series(["on", "off"], days[:2]), chances)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['off', 'on']
    """
    ax = axes_for(ax, (8, 3.6))
    shown = max(3 * len(chances), 20) if tail is None else positive_integer("tail", tail)
    past, rows = history.iloc[-shown:].dropna(), list(chances.columns)
    times = placed(past.index.append(chances.index))
    known = past[past.isin(rows)]
    ax.step(placed(known.index), _heights(known, rows), where="mid", color=GREY, lw=0.8, zorder=1)
    ax.plot(placed(known.index), _heights(known, rows), "o", color=BLACK, ms=4, label="history")
    half = (times[-1] - times[-2]) / 2
    edges = np.append(placed(chances.index) - half, times[-1] + half)
    shades = ax.pcolormesh(
        edges, np.arange(len(rows) + 1) - 0.5, chances.to_numpy(np.float64).T, cmap="Blues",
        vmin=0, vmax=1, zorder=0,
    )  # fmt: skip
    if path is not None:
        marked = path[path.isin(rows)]
        style: dict[str, Any] = {"mfc": "none", "mec": VERMILLION, "mew": 1.6, "ls": "none"}
        x, heights = placed(marked.index), _heights(marked, rows)
        ax.plot(x, heights, "o", label="most probable", ms=7, **style)
    name = "symbol" if history.name is None else str(history.name)
    dress(ax, time_label(history.index), drawn(name))
    ax.set_yticks(range(len(rows)), [drawn(row) for row in rows])
    time_ticks(ax, history.index)
    bar = ax.get_figure().colorbar(shades, ax=ax, pad=0.02)  # type: ignore[union-attr]
    bar.set_label("probability", fontsize=MEDIUM)
    legend_above(ax, {})
    return ax


def _heights(symbols: pd.Series, rows: Sequence[Any]) -> np.ndarray:
    return pd.Index(rows).get_indexer(pd.Index(symbols))
