"""Draw what happens inside forecasters: memory, gradients, gates and states (inspection).

The frames come from `memory.py` and `diagnostics.py` beside this file; manners as in
`forecast.evaluation.plots`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from forecast.evaluation.canvas import (
    BLACK,
    BLUE,
    COLOURS,
    GREY,
    MEDIUM,
    PALE,
    SMALL,
    VERMILLION,
    axes_for,
    axis_label,
    cadence,
    draw_bands,
    draw_line,
    drawn,
    dress,
    legend_above,
    placed,
    time_label,
    time_ticks,
    whole_numbers,
)

LEAST = 1e-6  # of the largest response: below lies the rounding of single precision


def plot_memory(
    relative: pd.DataFrame, table: pd.DataFrame, threshold: float, grid: pd.Index
) -> npt.NDArray[np.object_]:
    """Draw how much forecasts respond to every past value, a panel per forecaster.

    Parameters
    ----------
    relative
        A row per lag, a column per forecaster: shares of the largest response.
    table
        By forecaster `memory`, the last lag that counts, and `time`, the same in words.
    threshold
        The share from which a response counts.
    grid
        The time axis of the series.

    Returns
    -------
    array of Axes
    """
    figure, axes = plt.subplots(
        len(relative.columns),
        1,
        figsize=(8, 1 + 1.25 * len(relative.columns)),
        sharex=True,
        layout="constrained",
        squeeze=False,
    )
    ends = zip(table["memory"], table["time"], strict=True)
    rows = zip(axes[:, 0], relative.items(), ends, cycle(COLOURS), strict=False)
    for ax, (name, share), (end, words), colour in rows:
        ax.set(yscale="log", ylim=(LEAST, 3), xlim=(0, relative.index[-1] + 1))
        ax.fill_between(share.index, LEAST, share.clip(lower=LEAST), color=colour, lw=0, step="mid")
        ax.axhline(threshold, color=GREY, lw=1, ls=(0, (4, 3)))
        ax.axvline(end + 0.5, color=BLACK, lw=1.4)
        dress(ax, "", "")
        ax.set_yticks([1e-6, 1e-3, 1], ["$10^{-6}$", "$10^{-3}$", "1"])
        ax.minorticks_off()
        ax.set_title(drawn(f"{name}: {words}"), loc="left", fontsize=MEDIUM, pad=3)
    axes[-1, 0].set_xlabel(f"{cadence(grid)[0]} back", fontsize=MEDIUM)
    axes[-1, 0].xaxis.set_major_locator(whole_numbers())
    figure.supylabel("response of the forecast (share of the largest)", fontsize=MEDIUM)
    return axes[:, 0]


def plot_state_gradients(
    gradients: Mapping[str, pd.DataFrame], *, least: float = 1e-12, ax: Axes | None = None
) -> Axes:
    """Draw how the gradient between states fades or grows with their distance.

    Parameters
    ----------
    gradients
        By the name of the forecaster, what `diagnostics.state_gradients` returns.
    least
        Where the axis ends: smaller norms are as good as none.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
    """
    ax = axes_for(ax)
    for (name, frame), colour in zip(gradients.items(), cycle(COLOURS), strict=False):
        draw_line(ax, frame["norm"], colour, name, lw=2.2)
        if frame["bound"].notna().all():
            label = rf"{name}, $\gamma^n$ with $\gamma$ = {frame['bound'].iloc[1]:.3g}"
            draw_line(ax, frame["bound"], colour, label, ls=(0, (4, 3)))
    norms = pd.concat([frame["norm"] for frame in gradients.values()])
    ax.set(yscale="log", ylim=(least, 10 * max(norms.max(), 1)))
    ax.set_xlim(0, norms.index[norms >= least].max())
    dress(ax, "steps between the states", r"gradient $\|\partial s_t/\partial s_k\|$")
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
    ax = axes_for(ax)
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
        Indexed by time, columns (part, unit), as `diagnostics.gates` returns; fewer rows
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
    dress(axes[0], "", axis_label("value" if history.name is None else str(history.name), unit))
    kept = gates["forget"].to_numpy().mean(axis=0)
    order = gates["forget"].columns[kept.argsort()]
    for ax, part in zip(axes[1:], ("forget", "input", "output"), strict=True):
        image = ax.pcolormesh(
            placed(gates.index),
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


def plot_states(
    components: pd.DataFrame,
    label: pd.Series,
    *,
    cyclic: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw states in the plane in which they vary most, coloured by what they may know.

    Parameters
    ----------
    components
        A row per time, as `forecast.inspection.diagnostics.principal_components` returns.
    label
        A number for every time, such as the hour of the day; its name is that of the colours.
    cyclic
        Whether the largest label is next to the smallest, as with hours and weekdays.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
    """
    ax = axes_for(ax, (6.4, 5))
    shade = label.reindex(components.index).to_numpy(np.float64)
    first, second = (components.iloc[:, k].to_numpy() for k in (0, 1))
    ax.plot(first, second, color=PALE, lw=0.6, zorder=1)
    colours = "twilight" if cyclic else "cividis"
    points = ax.scatter(
        first, second, c=shade, cmap=colours, s=26, edgecolor=GREY, lw=0.4, zorder=2
    )
    shares = components.attrs["explained"]
    dress(ax, *(f"component {k + 1} ({shares[k]:.0%} of the variance)" for k in (0, 1)))
    bar = ax.get_figure().colorbar(points, ax=ax, pad=0.02)  # type: ignore[union-attr]
    bar.set_label(drawn(label.name or "label"), fontsize=MEDIUM)
    bar.ax.tick_params(labelsize=SMALL)
    return ax


def plot_parts(parts: pd.DataFrame, *, unit: str | None = None) -> npt.NDArray[np.object_]:
    """Draw what contributes to a forecast: bars of mean sizes, and a map of all steps.

    Parameters
    ----------
    parts
        A row per time, a column per part, in the units of the values.
    unit
        Their unit.

    Returns
    -------
    array of two Axes
    """
    names, places = [drawn(name) for name in parts], np.arange(parts.shape[1])
    figure, axes = plt.subplots(
        1,
        2,
        figsize=(10, 1.6 + 0.34 * len(names)),
        sharey=True,
        layout="constrained",
        width_ratios=(1, 1.8),
    )
    means = parts.mean()
    colours = np.where(means < 0, VERMILLION, BLUE)
    axes[0].barh(places, parts.abs().mean(), color=colours, height=0.68)
    dress(axes[0], axis_label("mean size", unit), "")
    axes[0].set_yticks(places, names, fontsize=SMALL)
    axes[0].invert_yaxis()
    axes[0].ticklabel_format(axis="x", scilimits=(-4, 5))  # six digits would meet
    axes[0].grid(visible=False, axis="y")
    most = max(float(parts.abs().max().max()), 1e-12)
    image = axes[1].pcolormesh(
        placed(parts.index),
        places,
        parts.T.to_numpy(),
        cmap="RdBu",
        vmin=-most,
        vmax=most,
        shading="nearest",
    )
    dress(axes[1], time_label(parts.index), "")
    axes[1].grid(visible=False)
    time_ticks(axes[1], parts.index)
    bar = figure.colorbar(image, ax=axes[1], pad=0.02)
    bar.set_label(axis_label("adds to the forecast", unit), fontsize=MEDIUM)
    return axes


def plot_scenarios(
    forecasts: pd.DataFrame,
    bands: pd.DataFrame,
    differences: pd.DataFrame,
    *,
    unit: str | None = None,
) -> npt.NDArray[np.object_]:
    """Draw forecasts under several plans, and below them what each plan makes of the first.

    Parameters
    ----------
    forecasts
        A row per time, a column per plan.
    bands
        The columns (plan, "lower") and (plan, "upper").
    differences
        Of all plans but the first, the same and (plan, "difference").
    unit
        The unit of the values.

    Returns
    -------
    array of two Axes
    """
    axes: npt.NDArray[np.object_]
    figure, axes = plt.subplots(
        2, 1, figsize=(8, 5.6), sharex=True, layout="constrained", height_ratios=(1.6, 1)
    )
    for (name, values), colour in zip(forecasts.items(), cycle((GREY, *COLOURS)), strict=False):
        draw_line(axes[0], values, colour, str(name), lw=2.2)
        draw_bands(axes[0], pd.DataFrame(bands[name]), colour)
        if name in differences.columns.get_level_values(0):
            draw_line(axes[1], differences[name]["difference"], colour, str(name), lw=2.2)
            draw_bands(axes[1], pd.DataFrame(differences[name]), colour)
    axes[1].axhline(0, color=GREY, lw=2.2, zorder=1.2)
    dress(axes[0], "", axis_label("forecast", unit))
    dress(axes[1], time_label(forecasts.index), axis_label("difference", unit))
    time_ticks(axes[1], forecasts.index)
    legend_above(axes[0], {})
    figure.align_ylabels()
    return axes
