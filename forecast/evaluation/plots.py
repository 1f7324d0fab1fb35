"""Draw forecasts and their errors.

Every function takes frames, draws on the Axes it is given or makes its own, and returns
them; none opens a window or changes matplotlib's settings. Colours: Okabe and Ito 2008, which the
colour-blind tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from forecast._checks import one_of, positive_integer, short
from forecast.data.frames import read_frames
from forecast.data.panel import Panel
from forecast.evaluation.canvas import (
    BLACK,
    BLUE,
    COLOURS,
    MEDIUM,
    PALE,
    SKY,
    axes_for,
    axis_label,
    cadence,
    draw_bands,
    draw_line,
    draw_past,
    draw_scores,
    drawn,
    dress,
    label_ends,
    legend_above,
    line_styles,
    metric_label,
    time_label,
    time_ticks,
    whole_numbers,
)
from forecast.evaluation.metrics import evaluate
from forecast.evaluation.registry import Metric, column_named, metric_named
from forecast.evaluation.table import pandas_rows


def plot_forecast(
    history: pd.Series,
    forecast: pd.Series,
    bands: pd.DataFrame | None = None,
    actual: pd.Series | None = None,
    *,
    paths: pd.DataFrame | None = None,
    tail: int | None = None,
    unit: str | None = None,
    label: str = "forecast",
    ax: Axes | None = None,
) -> Axes:
    """Draw the forecast of one series behind the end of its history.

    Parameters
    ----------
    history
        The known values.
    forecast
        The values to come, H steps.
    bands
        A column per quantile level (0.1 ... or `q0.1` ...), or the columns `lower` and `upper`.
        Each central interval becomes a band.
    actual
        What really came.
    paths
        Sampled futures, a column each; drawn as thin lines.
    tail
        How many values of the history to show; by default 3 H, at least 40.
    unit
        The unit of the values; by default `history.attrs["unit"]`, if it has one.
    label
        The name of the forecast.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError
        If `history` or `forecast` is not one Series.
    """
    for name, series in (("history", history), ("forecast", forecast)):
        if not isinstance(series, pd.Series):
            raise TypeError(
                f"`{name}` must be one Series, got a {type(series).__name__}. "
                f"Draw one series at a time, for example {name}['A']."
            )
    ax = axes_for(ax)
    shown = max(3 * len(forecast), 40) if tail is None else positive_integer("tail", tail)
    past = history.iloc[-shown:]
    draw_past(ax, past, actual)
    for number, (_, path) in enumerate(() if paths is None else paths.items()):
        draw_line(ax, path, SKY, "_path" if number else "paths", lw=0.8, alpha=0.5, zorder=1.5)
    draw_line(ax, forecast, BLUE, label, after=past, lw=2.4)
    band = {} if bands is None else draw_bands(ax, bands, BLUE)
    unit = history.attrs.get("unit") if unit is None else unit
    name = "value" if history.name is None else str(history.name)
    dress(ax, time_label(history.index), axis_label(name, unit))
    time_ticks(ax, history.index)
    legend_above(ax, band)
    return ax


def plot_error_by_step(
    table: pd.DataFrame,
    metric: str = "mae",
    *,
    history: Any = None,
    season_length: int | None = None,
    naive: Sequence[str] = (),
    unit: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how the error grows with the number of steps ahead, a line per model that has one.

    Parameters
    ----------
    table
        Forecast table.
    metric
        Any of `evaluate`; of those that judge intervals, the widest one is drawn, unless the name
        says which: `coverage0.5`.

    history, season_length
        Needed by scaled errors, as in `evaluate`.
    naive
        Which models are naive forecasts; they are drawn thin and grey.
    unit
        The unit of the target.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If no model has a score.
    """
    metric_named(metric)
    table = pandas_rows(table)
    frame = evaluate(table, history, season_length, by=("model", "step"), metrics=[metric])
    record, scores = metric_named(frame.columns[0]), frame.iloc[:, 0]
    if scores.isna().all():
        raise ValueError(
            f"`metric` must be one that some model has, got {metric!r}, which is missing for all: "
            "so are actual values, or the quantiles or paths that it needs. Ask `backtest` for "
            "`quantiles` or `n_paths`."
        )
    ax = axes_for(ax)
    ends = {}
    for model, style in line_styles(scores.index.unique("model"), naive).items():
        curve = scores.xs(model, level="model").sort_index().dropna()
        if len(curve):
            marker = "o" if len(curve) <= 12 else None
            ax.plot(curve.index, curve.to_numpy(), marker=marker, **style)
            ends[str(model)] = (curve.index[-1], float(curve.iloc[-1]), style["color"])
    plural = cadence(pd.Index(table["ds"].unique()))[0]
    dress(ax, f"{plural} ahead", metric_label(record, unit))
    ax.xaxis.set_major_locator(whole_numbers())
    if record.best == 0 and not (scores < 0).any():
        ax.set_ylim(bottom=0)
    label_ends(ax, ends)
    return ax


def plot_steps(
    table: pd.DataFrame,
    steps: Sequence[int] = (1, 4, 16, 64),
    *,
    model: Any = None,
    series: Any = None,
    unit: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what a model said k steps before, for several k, over what came.

    Parameters
    ----------
    table
        Forecast table with origins close to each other, as `backtest(..., step=1)` returns.
    steps
        The k to draw; a line each.
    model, series
        Which ones, by name and id; by default the first.
    unit
        The unit of the values.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the table has no such model, series or step.
    """
    rows = pandas_rows(table)
    for argument, column, wanted in (("model", "model", model), ("series", "unique_id", series)):
        known = rows[column].unique().tolist()
        chosen = known[0] if wanted is None else one_of(argument, wanted, known)
        rows = rows[rows[column] == chosen]
    ax = axes_for(ax)
    came = rows.drop_duplicates("ds").set_index("ds")["y"].sort_index()
    draw_line(ax, came, PALE, "actual")
    for step, colour in zip(steps, cycle(COLOURS), strict=False):
        one_of("steps", step, rows["step"].unique().tolist())
        curve = rows[rows["step"] == step].set_index("ds")["y_hat"].sort_index()
        draw_line(ax, curve, colour, f"{step} before", lw=1.8)
    dress(ax, time_label(came.index), axis_label(str(rows["unique_id"].iloc[0]), unit))
    time_ticks(ax, came.index)
    legend_above(ax, {})
    return ax


def plot_comparison(
    table: pd.DataFrame,
    scores: pd.DataFrame,
    history: Any,
    *,
    metric: str = "mase",
    naive: Sequence[str] = (),
    best: int = 3,
    series: Any = None,
    unit: str | None = None,
) -> npt.NDArray[np.object_]:
    """Draw a contest: the best forecasts of the last window, and the score of every model.

    Parameters
    ----------
    table
        Forecast table of several models.
    scores
        One row per model, as `evaluate` returns.
    history
        What the models were trained on, as a frame or a `Panel`.

    metric
        The column of `scores` to rank by.
    naive
        Which models are naive forecasts; the best of them is the line to beat.
    best
        How many models to draw the forecasts of; the winner gets its bands.
    series
        The id of the series to draw; by default the first.
    unit
        The unit of the target.

    Returns
    -------
    array of two Axes
        The forecasts and the scores.
    """
    table, scores = pandas_rows(table), pandas_rows(scores)
    if "model" in scores:  # frames of other libraries have no index
        scores = scores.set_index("model")
    one_of("metric", metric, [one for one in scores if isinstance(column_named(str(one)), Metric)])
    record = metric_named(metric)
    ranked = scores[metric].dropna().sort_values(key=record.loss)
    colours = dict(zip(ranked.index[:best], COLOURS, strict=False))
    size, ratio = (11, 4.2), (1.75, 1)
    axes = plt.subplots(1, 2, figsize=size, width_ratios=ratio, layout="constrained")[1]
    _last_window(axes[0], table, history, colours, series, unit)
    draw_scores(axes[1], ranked, colours, naive)
    axes[1].set_xlabel(metric_label(record, unit), fontsize=MEDIUM)
    return np.asarray(axes)


def _last_window(
    ax: Axes, table: pd.DataFrame, history: Any, colours: dict[Any, str], series: Any, unit: Any
) -> None:
    panel = history if isinstance(history, Panel) else read_frames(history)
    chosen = table["unique_id"].iloc[0] if series is None else series
    if chosen not in panel.ids:
        raise ValueError(
            f"`series` must be one of {short(panel.ids.tolist())}, got {short(chosen)}."
        )
    rows = table[table["unique_id"] == chosen]
    rows = rows[rows["cutoff"] == rows["cutoff"].max()].set_index("ds")
    i = panel.ids.tolist().index(chosen)
    past = pd.Series(panel.series(i), index=panel.times(i)).loc[: rows["cutoff"].iloc[0]]
    forecasts = {model: rows[rows["model"] == model].sort_index() for model in colours}
    winner, first = next(iter(forecasts.items()))
    past = past.iloc[-max(2 * len(first), 40) :]
    draw_past(ax, past, first["y"])
    for model, part in reversed(forecasts.items()):
        draw_line(ax, part["y_hat"], colours[model], str(model), after=past, lw=2.2)
    band = draw_bands(ax, first, colours[winner])
    dress(ax, time_label(past.index), axis_label(str(chosen), unit))
    time_ticks(ax, past.index)
    legend_above(
        ax, {f"{winner}, {text}": patches for text, patches in band.items()}, only=("actual",)
    )


def plot_training(history: pd.DataFrame, clip_norm: float | None = None) -> np.ndarray:
    """Draw how a network was trained: its losses, and how long the gradient was.

    Parameters
    ----------
    history
        The `history_` of a network.
    clip_norm
        The bound on the gradient's norm, drawn as a line.

    Returns
    -------
    array of two Axes
        Losses in spreads, with a ring at the epoch that was kept, and the largest norm of each
        epoch before clipping.
    """
    epochs = history.set_index("epoch")
    losses, norms = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")[1]
    draw_line(losses, epochs["training_loss"], BLACK, "training")
    judged = epochs["validation_loss"].dropna()
    if len(judged):
        draw_line(losses, judged, BLUE, "validation", lw=2.2)
        losses.plot(judged.idxmin(), judged.min(), "o", ms=9, mfc="none", mec=BLUE, label="kept")
    dress(losses, "epoch", "loss (spreads)")
    legend_above(losses, {})
    draw_line(norms, epochs["gradient_norm"], BLACK, "gradient norm")
    if clip_norm is not None:
        norms.axhline(clip_norm, color=COLOURS[1], lw=1.2, ls=(0, (4, 3)), label="clipped above")
    if epochs["gradient_norm"].max() > 30 * epochs["gradient_norm"].min():
        norms.set_yscale("log")
    else:
        norms.set_ylim(bottom=0)
    dress(norms, "epoch", "largest gradient norm")
    legend_above(norms, {})
    for ax in (losses, norms):
        ax.xaxis.set_major_locator(whole_numbers())
    return np.asarray([losses, norms])


def plot_weights(weights: pd.DataFrame, label: str = "weight", *, ax: Axes | None = None) -> Axes:
    """Draw numbers between 0 and 1 as a map: gates of units over time, or what attention looks at.

    Parameters
    ----------
    weights
        A row per unit or output step, a column per time or input step, in [0, 1].
    label
        What the numbers are, such as "forget gate" or "attention".
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If a number is not between 0 and 1.
    """
    shown = weights.to_numpy(np.float64)
    if not ((shown >= 0) & (shown <= 1)).all():
        raise ValueError(
            f"`weights` must lie between 0 and 1, got {np.nanmin(shown):.3g} to "
            f"{np.nanmax(shown):.3g}. Draw gates and attention, which do; or scale them."
        )
    ax = axes_for(ax, (8, 3.4))
    image = ax.imshow(shown, cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    dress(ax, drawn(weights.columns.name or "step"), drawn(weights.index.name or "unit"))
    ax.grid(visible=False)
    for axis, names in ((ax.xaxis, weights.columns), (ax.yaxis, weights.index)):
        places = range(0, len(names), -(-len(names) // 8) or 1)  # evenly, at most eight
        axis.set_ticks(places, [drawn(names[place]) for place in places])
    bar = ax.get_figure().colorbar(image, ax=ax, pad=0.02)  # type: ignore[union-attr]
    bar.set_label(drawn(label), fontsize=MEDIUM)
    return ax
