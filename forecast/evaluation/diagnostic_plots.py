"""Draw what happens inside forecasters: memory, gradients, gates and states (room 4).

The frames come from `forecast.memory` and `forecast.diagnostics`; manners as in `plots.py`.
"""

from __future__ import annotations

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap

from forecast.evaluation.canvas import (
    BLACK,
    COLOURS,
    GREY,
    MEDIUM,
    SMALL,
    VERMILLION,
    cadence,
    draw_line,
    dress,
    legend_above,
    time_label,
    time_ticks,
    whole_numbers,
    with_unit,
)

LEAST = 1e-6  # of the largest response: below lies the rounding of single precision


def plot_memory(
    relative: pd.DataFrame,
    memory: pd.Series,
    threshold: float,
    grid: pd.Index,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw how much a forecast responds to every past value, a line per forecaster.

    Parameters
    ----------
    relative
        A row per lag, a column per forecaster: shares of the largest response.
    memory
        The last lag that counts, by forecaster; marked by a dot.
    threshold
        The share from which a response counts.
    grid
        The time axis of the series.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
    """
    ax = _axes(ax)
    for (name, share), colour in zip(relative.items(), cycle(COLOURS), strict=False):
        draw_line(ax, share.clip(lower=LEAST), colour, f"{name}: {memory[name]}", lw=1.4)
        end = memory[name]
        ax.plot(end, share[end], "o", ms=9, mfc=colour, mec="white", mew=1.5, zorder=4)
    ax.axhline(threshold, color=GREY, lw=1.2, ls=(0, (4, 3)), zorder=1.5)
    ax.annotate(
        f"{threshold:.0%}",
        (1.01, threshold),
        xycoords=("axes fraction", "data"),
        va="center",
        color=GREY,
        fontsize=SMALL,
    )
    ax.set(yscale="log", ylim=(LEAST, 2))
    dress(ax, f"{cadence(grid)[0]} back", "response (share of the largest)")
    ax.xaxis.set_major_locator(whole_numbers())
    legend_above(ax, {})
    return ax


def plot_state_gradients(gradients: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how the gradient between states fades or grows with their distance.

    Parameters
    ----------
    gradients
        Indexed by lag, with the columns `norm` and `bound`.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
    """
    ax = _axes(ax)
    draw_line(ax, gradients["norm"], BLACK, r"$\|\partial s_t/\partial s_k\|$", lw=2.2)
    if gradients["bound"].notna().all():
        rate = (gradients["bound"].iloc[1]) ** (1 / (gradients.index[1] - gradients.index[0]))
        label = rf"$\gamma^{{t-k}}$, $\gamma={gradients['bound'].iloc[1]:.2f}$"
        draw_line(ax, gradients["bound"], VERMILLION, label, ls=(0, (4, 3)), lw=1.6)
        del rate
    ax.set_yscale("log")
    dress(ax, "steps between the states", "norm of the gradient")
    ax.xaxis.set_major_locator(whole_numbers())
    legend_above(ax, {})
    return ax


def plot_forecast_gradients(
    gradients: pd.DataFrame, *, tail: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how much a forecast changes per unit of every past value, a line per step ahead.

    Parameters
    ----------
    gradients
        Indexed by lag, a column per step ahead.
    tail
        How many of the newest values to show; by default all.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
    """
    ax = _axes(ax)
    for (step, column), colour in zip(gradients.items(), cycle(COLOURS), strict=False):
        draw_line(ax, column.iloc[:tail], colour, f"{step} ahead", lw=1.4)
    ax.axhline(0, color=GREY, lw=1, zorder=0)
    dress(ax, "steps back", "change per unit of the value")
    ax.xaxis.set_major_locator(whole_numbers())
    legend_above(ax, {})
    return ax


def plot_gates(
    gates: pd.DataFrame, history: pd.Series, *, unit: str | None = None
) -> npt.NDArray[np.object_]:
    """Draw what the gates of an LSTM do over a series: maps of all units under its values.

    Parameters
    ----------
    gates
        Indexed by time, columns (part, unit), as `forecast.diagnostics.gates` returns; fewer rows
        show a part of the series.
    history
        The values that were read.
    unit
        Their unit.

    Returns
    -------
    array of four Axes
        The values, then forget, input and output gate; units in the order of their mean forget
        gate, so that what keeps lies above what forgets.
    """
    figure, axes = plt.subplots(
        4, 1, figsize=(8, 7), sharex=True, layout="constrained", height_ratios=(1.2, 1, 1, 1)
    )
    shown = history.loc[gates.index[0] : gates.index[-1]]
    draw_line(axes[0], shown, BLACK, "value")
    dress(axes[0], "", with_unit("value" if history.name is None else str(history.name), unit))
    order = gates["forget"].mean().sort_values(ascending=False).index
    x = draw_line_positions(gates.index)
    for ax, part in zip(axes[1:], ("forget", "input", "output"), strict=True):
        image = ax.pcolormesh(
            x,
            np.arange(len(order)),
            gates[part][order].T.to_numpy(),
            cmap="cividis",
            vmin=0,
            vmax=1,
            shading="nearest",
        )
        dress(ax, "", f"{part}\ngate")
        ax.grid(visible=False)
        ax.set_yticks([])
    axes[-1].set_xlabel(time_label(history.index), fontsize=MEDIUM)
    time_ticks(axes[-1], history.index)
    bar = figure.colorbar(image, ax=axes[1:], pad=0.02)
    bar.set_label("closed 0 … 1 open", fontsize=MEDIUM)
    return np.asarray(axes)
