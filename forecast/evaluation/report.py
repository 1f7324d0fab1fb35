"""The report of a contest: one HTML file with table, figures and settings, and no other file.

Frames in, text out. What is drawn comes from `plots`; the page is `report.html`, whose
values jinja2 escapes, since the name of a series may be anything; control characters are shown.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast._checks import printable
from forecast.data.panel import Panel
from forecast.evaluation.canvas import (
    BLACK,
    BLUE,
    GREY,
    axes_for,
    axis_label,
    cadence,
    draw_bands,
    draw_line,
    draw_past,
    dress,
    legend_above,
    time_label,
    time_ticks,
    with_unit,
)
from forecast.evaluation.metrics import evaluate
from forecast.evaluation.plots import plot_comparison, plot_error_by_step
from forecast.evaluation.registry import Column, column_named, metric_named
from forecast.evaluation.reliability import plot_pit, plot_reliability
from forecast.evaluation.table import central_intervals, quantile_columns

_SMALL = (6.2, 4.2)  # inches of a figure that shares its row with another


def render_report(
    table: pd.DataFrame,
    forecasts: pd.DataFrame,
    history: Panel,
    *,
    title: str,
    verdict: str,
    metric: str,
    season_length: int,
    naive: Sequence[str] = (),
    unit: str | None = None,
    settings: Mapping[str, Any] | None = None,
    models: Mapping[str, str] | None = None,
    failures: Mapping[str, str] | None = None,
    explanation: Any = None,
) -> str:
    """Return the report of a contest as an HTML page that loads nothing.

    Parameters
    ----------
    table
        One row per model, the best first, as in `Comparison`.
    forecasts
        The forecast table of all models.
    history
        The data; n series.

    title, verdict
        The heading and the sentence below it.
    metric
        The column of `table` that ranks.
    season_length
        Steps in a season.
    naive
        Which models are naive forecasts.
    unit
        The unit of the values.
    settings, models, failures
        What else is told: names with values, models with their parameters, models with what kept
        them from forecasting.
    explanation
        What `explain` returned: its `plot()` is drawn.

    Returns
    -------
    str
    """
    from jinja2 import Environment, StrictUndefined

    source = resources.files("forecast.evaluation").joinpath("report.html").read_text("utf-8")
    page = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if isinstance(value, str) else value,
    ).from_string(source)
    if history.n_series > 1:
        table = _with_wins(table, forecasts, history, metric, season_length)
    columns = {name: found for name in map(str, table) if (found := column_named(name))}
    return page.render(
        title=title,
        subtitle=_subtitle(history, unit),
        verdict=verdict,
        columns=columns.values(),
        rows=list(_rows(table, columns, naive)),
        figures=[
            *_figures(table, forecasts, history, metric, season_length, naive, unit),
            *_why(explanation),
        ],
        settings=settings or {},
        models=models or {},
        failures=failures or {},
    )


def _subtitle(history: Panel, unit: str | None) -> str:
    n, adverb = history.n_series, cadence(history.grid)[1]
    series = f"{n:,} series" if n > 1 else f"One series, {with_unit(str(history.ids[0]), unit)}"
    first, last = (str(time).removesuffix(" 00:00:00") for time in history.grid[[0, -1]])
    often = f", {adverb}" if adverb else ""
    return f"{series}: {len(history.values):,} values{often}, {first} to {last}."


def _rows(
    table: pd.DataFrame, columns: Mapping[str, Column], naive: Sequence[str]
) -> Iterator[dict[str, Any]]:
    best_naive = next((name for name in table.index if name in naive), None)
    for place, (model, scores) in enumerate(table[list(columns)].iterrows()):
        tag = "best" if place == 0 else "best naive" if model == best_naive else ""
        cells = [
            {
                "text": columns[str(name)].format.format(value).replace("-", "\u2212")
                if np.isfinite(value)
                else "–",
                # Half of the bar's width to each side: a skill of -100 % and worse fills the left.
                "bar": 50 * max(value, -1) if name == "skill" and np.isfinite(value) else None,
            }
            for name, value in scores.items()
        ]
        kind = "best" if place == 0 else "naive" if model in naive else ""
        yield {"model": str(model), "kind": kind, "tag": tag, "cells": cells}


def _with_wins(
    table: pd.DataFrame, forecasts: pd.DataFrame, history: Panel, metric: str, season_length: int
) -> pd.DataFrame:
    """Add how many series each model forecast best."""
    by = ("unique_id", "model")
    scores = evaluate(forecasts, history, season_length, by=by, metrics=[metric])[metric]
    losses = metric_named(metric).loss(scores.dropna())
    best = losses.groupby("unique_id").idxmin().str[1]
    return table.assign(won=best.value_counts().reindex(table.index, fill_value=0).astype(float))


def _figures(
    table: pd.DataFrame,
    forecasts: pd.DataFrame,
    history: Panel,
    metric: str,
    season_length: int,
    naive: Sequence[str],
    unit: str | None,
) -> Iterator[dict[str, Any]]:
    rank = {model: place for place, model in enumerate(table.index)}
    forecasts = forecasts.sort_values("model", key=lambda names: names.map(rank), kind="stable")
    winner, first = table.index[0], history.ids[0]
    of = f" of {first}" if history.n_series > 1 else ""
    axes = plot_comparison(forecasts, table, history, metric=metric, naive=naive, unit=unit)
    yield _picture(
        axes[0],
        f"Left: the best forecasts{of} from the last origin, and what came. Right: the error of "
        "every model; the dashed line is the best naive forecast.",
        wide=True,
    )
    ax = _every_origin(forecasts[forecasts["model"] == winner], history, str(winner), unit)
    caption = f"What {winner} forecast{of} from every origin, and what came."
    yield _picture(ax, caption, wide=True)
    best = [name for name in table.index if name not in naive][:5]
    if forecasts["step"].max() > forecasts["step"].min():
        line = [name for name in table.index if name in naive][:1]
        shown = forecasts[forecasts["model"].isin(best + line)]
        ax = plot_error_by_step(
            shown,
            metric,
            history=history,
            season_length=season_length,
            naive=naive,
            unit=unit,
            ax=axes_for(None, _SMALL),
        )
        yield _picture(
            ax, "How the error of the best models grows with the steps ahead. Naive is grey."
        )
    levels = quantile_columns(forecasts)
    known = forecasts.dropna(subset=["y", *levels.values()])
    if levels and len(known):
        shown = known[known["model"].isin(best)]
        yield from _word_kept(known if shown.empty else shown)


def _word_kept(forecasts: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Draw whether quantiles and bands hold what they say."""
    ax = plot_reliability(forecasts, ax=axes_for(None, _SMALL))
    yield _picture(
        ax,
        "How often the actual value was below each quantile. On the diagonal a forecast keeps "
        "its promise; flatter than it, bands are too narrow.",
    )
    yield _picture(
        plot_pit(forecasts, ax=axes_for(None, _SMALL)),
        "How many actual values fell between neighbouring quantiles, over how many should. At 1 "
        "a forecast keeps its promise; high at both ends, bands are too narrow.",
    )
    bands = central_intervals(quantile_columns(forecasts))
    if forecasts["step"].max() > forecasts["step"].min() and bands:
        ax = plot_error_by_step(forecasts, "coverage", ax=axes_for(None, _SMALL))
        ax.axhline(max(bands), color=GREY, lw=1, ls=(0, (4, 3)), zorder=0)
        yield _picture(
            ax,
            "What share of the values the widest band held, by the steps ahead. The dashed line is "
            "what it should hold.",
        )


def _why(explanation: Any) -> Iterator[dict[str, Any]]:
    if explanation is not None:
        yield _picture(
            explanation.plot()[0],
            "Why: what each part of the past and of the plan adds to the next forecast. Left: the "
            "mean size; right: step by step.",
            wide=True,
        )


def _every_origin(forecasts: pd.DataFrame, history: Panel, model: str, unit: str | None) -> Axes:
    """Draw the forecasts of the first series from all origins over its values."""
    ax = axes_for(None, (11, 3.8))
    rows = forecasts[forecasts["unique_id"] == history.ids[0]].set_index("ds")
    values = pd.Series(history.series(0), history.times(0), dtype=float)
    span = int((values.index > rows["cutoff"].min()).sum())
    past = values.iloc[-span - max(span, 20) :]
    draw_line(ax, past, BLACK, "actual")
    band: dict[str, Any] = {}
    for number, (cutoff, part) in enumerate(rows.groupby("cutoff")):
        label = model if number == 0 else f"_{number}"
        before = values.loc[:cutoff].dropna()
        draw_line(ax, part["y_hat"], BLUE, label, after=before, lw=2.0)
        band = draw_bands(ax, part, BLUE)
        draw_past(ax, before.iloc[-1:].rename("_past"), None)
    dress(ax, time_label(values.index), axis_label(str(history.ids[0]), unit))
    time_ticks(ax, past.index)
    legend_above(ax, band, only=("actual", model))
    return ax


def _picture(ax: Axes, caption: str, *, wide: bool = False) -> dict[str, Any]:
    """Return a figure as a vector image inside the page."""
    file, figure = io.BytesIO(), ax.figure
    assert isinstance(figure, Figure)  # and no part of one
    with plt.rc_context({"svg.hashsalt": "forecast"}):  # the same figure, the same bytes
        figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
    source = "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
    return {"source": source, "caption": caption, "wide": wide}
