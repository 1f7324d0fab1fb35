"""The pieces that figures share: lines, bands, legends, axes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import cycle, product
from typing import Any

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.legend_handler import HandlerTuple
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from sklearn.isotonic import isotonic_regression

from forecast._checks import printable
from forecast.data.aliases import cycle_of
from forecast.evaluation.registry import Metric
from forecast.evaluation.table import central_intervals, quantile_columns

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#222222", "#8C8C8C"
PALE = "#C8C8C8"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
SMALL, MEDIUM = 11, 12.5  # points: still readable when the figure is halved

_CADENCES = {
    "s": ("seconds", "by the second"),
    "min": ("minutes", "by the minute"),
    "h": ("hours", "hourly"),
    "D": ("days", "daily"),
    "B": ("business days", "business days"),
    "W": ("weeks", "weekly"),
    "M": ("months", "monthly"),
    "Q": ("quarters", "quarterly"),
    "Y": ("years", "yearly"),
}
_LARGER = {
    "seconds": (60, "minutes"),
    "minutes": (60, "hours"),
    "hours": (24, "days"),
    "months": (12, "years"),
    "quarters": (4, "years"),
}


def drawn(text: Any) -> str:
    r"""Return a text that matplotlib draws as it is: no formula, no control character.

    Examples
    --------
    >>> drawn("$a$")
    '\\$a\\$'
    """
    return printable(str(text)).replace("$", r"\$")


def axes_for(ax: Axes | None, size: tuple[float, float] = (8, 4)) -> Axes:
    """Return the Axes to draw on: those given, else those of a new figure of so many inches."""
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def draw_line(
    ax: Axes, values: pd.Series, colour: str, label: str, *, after: Any = None, **style: Any
) -> None:
    """Draw values; with `after`, bridge the step from the last value before them.

    A value between missing ones is a dot: a line through it alone would not be seen.
    """
    style = {"color": colour, "lw": 1.6, **style}
    x, y = placed(values.index), values.to_numpy(np.float64)
    few = after is not None and len(values) <= 12
    marked = np.arange(len(y)) if few else _alone(y)
    marker = "o" if len(marked) else None
    ax.plot(x, y, label=label, marker=marker, markevery=marked.tolist(), ms=4.5, **style)
    if after is not None:
        last = placed(after.index[-1:])
        ax.plot([last[0], x[0]], [after.iloc[-1], y[0]], **style)


def _alone(y: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return the places of values that have no neighbour.

    >>> _alone(np.array([1.0, np.nan, 2.0, 3.0, np.nan, 4.0])).tolist()
    [0, 5]
    """
    missing = np.pad(np.isnan(y), 1, constant_values=True)
    return np.flatnonzero(~missing[1:-1] & missing[:-2] & missing[2:])


def draw_past(ax: Axes, past: pd.Series, actual: pd.Series | None) -> None:
    """Draw the history, what came after it if that is known, and the border between the two."""
    draw_line(ax, past, BLACK, "history" if actual is None else "actual")
    if actual is not None:
        draw_line(ax, actual, BLACK, "_actual", after=past, zorder=3)
    ax.axvline(placed(past.index[-1:])[0], color=GREY, lw=1, ls=(0, (2, 3)), zorder=0)


def draw_bands(ax: Axes, frame: pd.DataFrame, colour: str) -> dict[str, tuple[Patch, ...]]:
    """Fill every central interval, the inner on the outer ones; return the entry of the legend."""
    frame = frame.dropna(axis=1, how="all")  # a model without quantiles among others with
    named: dict[float, Any] = dict(quantile_columns(frame))
    if not named:
        named = {level: level for level in frame.columns if isinstance(level, float)}  # type: ignore[misc]
    intervals = [(named[a], named[b]) for a, b in central_intervals(named).values()]
    if {"lower", "upper"} <= set(frame.columns):
        intervals = [("lower", "upper")]
    alpha = 0.3 / max(len(intervals), 1) ** 0.6
    for low, high in intervals:
        ax.fill_between(
            placed(frame.index), frame[low], frame[high], color=colour, alpha=alpha, lw=0, zorder=1
        )
    # A swatch lies alone where its band lies on all the outer ones: it needs their alpha together.
    together = [1 - (1 - alpha) ** (k + 1) for k in range(len(intervals))]
    patches = tuple(Patch(color=colour, alpha=one, lw=0) for one in together)
    percents = ", ".join(f"{100 * nominal:g}" for nominal in central_intervals(named))
    return {f"{percents} % band" if percents else "interval": patches} if patches else {}


def draw_scores(ax: Axes, ranked: pd.Series, colours: dict[Any, str], naive: Sequence[str]) -> None:
    """Draw a score of every model as a bar, the best on top; the best naive one is a line."""
    places = np.arange(len(ranked))
    values = ranked.to_numpy(np.float64)
    beaten = [score for model, score in ranked.items() if model in naive][:1]
    # One hopeless model must not press all others against the axis.
    sizes = np.abs(values)
    usual = max(float(np.median(sizes)), *np.abs(beaten), 1e-12)
    limit = min(max(sizes.max(), 1e-12), 4 * usual)
    shown = np.clip(values, -limit, limit)
    shades = [colours.get(model, PALE) for model in ranked.index]
    ax.barh(places, shown, color=shades, height=0.68)
    for score in beaten:
        ax.axvline(score, color=BLACK, lw=1.2, ls=(0, (4, 3)), zorder=1.5)
        ax.annotate(
            "best naive",
            (score, 1.01),
            xycoords=("data", "axes fraction"),
            ha="center",
            fontsize=SMALL,
        )
    for place, value, end in zip(places, values, shown, strict=True):
        arrow = " →" if value > end else " ←" if value < end else ""
        ax.annotate(
            f"{value:#.3g}{arrow}",
            (float(end), float(place)),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            bbox={"color": "white", "pad": 1},
        )
    dress(ax, "", "")
    ax.set_yticks(places, [drawn(model) for model in ranked.index], fontsize=SMALL)
    ax.set_xlim(min(0.0, shown.min()), max(shown.max(), 0.1 * limit) * 1.18)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(4))


def label_ends(ax: Axes, ends: dict[str, tuple[Any, float, str]]) -> None:
    """Write each line's name at its end, moved apart where they would overlap."""
    low, high = ax.get_ylim()
    names = sorted(ends, key=lambda name: ends[name][1])
    # Closest places in the same order with room for a line of text between them.
    room = 0.065 * (high - low) * np.arange(len(names))
    spots = isotonic_regression(np.array([ends[name][1] for name in names]) - room) + room
    for spot, name in zip(spots, names, strict=True):
        x, y, colour = ends[name]
        ax.annotate(
            drawn(name),
            (x, y),
            xytext=(1.02, (spot - low) / (high - low)),
            textcoords="axes fraction",
            color=colour,
            fontsize=SMALL,
            va="center",
            fontweight="bold",
        )


def dress(ax: Axes, xlabel: str, ylabel: str) -> None:
    """Label the axes and quieten everything that is no data; `drawn` what users have named."""
    ax.set_xlabel(xlabel, fontsize=MEDIUM)
    ax.set_ylabel(ylabel, fontsize=MEDIUM)
    ax.tick_params(labelsize=SMALL, color=GREY)
    ax.grid(visible=True, color="#E4E4E4", lw=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(GREY)


def legend_above(
    ax: Axes, bands: dict[str, tuple[Patch, ...]], only: Sequence[str] | None = None
) -> None:
    """Put the legend above the data, where it covers none."""
    handles, labels = ax.get_legend_handles_labels()
    entries: dict[str, Any] = dict(zip(labels, handles, strict=True))
    # matplotlib hides what begins with an underscore; so may the name of a model
    shown = [name for name in (labels if only is None else only) if name in entries]
    entries = {name: entries[name] for name in shown} | bands
    ax.legend(
        entries.values(),
        [drawn(name) for name in entries],
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0)},
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=len(entries),
        frameon=False,
        fontsize=SMALL,
        borderaxespad=0.2,
        columnspacing=1.4,
    )


def line_styles(models: pd.Index, naive: Sequence[str]) -> dict[Any, dict[str, Any]]:
    """Return how the line of each model looks: a colour each, the naive ones grey."""
    greys = cycle([(0, (1, 1)), (0, (4, 2)), (0, (6, 2, 1, 2))])
    looks = cycle(product(("-", (0, (5, 1.5)), (0, (1, 1))), COLOURS))
    styles = {}
    for model in models:
        line, colour = (next(greys), GREY) if model in naive else next(looks)
        styles[model] = {"color": colour, "ls": line, "lw": 1.6 if model in naive else 2.2}
    return styles


def metric_label(metric: Metric, unit: str | None) -> str:
    """Return what an axis of a metric is called."""
    return axis_label(metric.label, unit if metric.target_units else None)


def axis_label(name: str, unit: str | None) -> str:
    """Return a name with its unit, as matplotlib draws it as it is."""
    return drawn(with_unit(name, unit))


def with_unit(name: str, unit: str | None) -> str:
    """Return a name with its unit, if it has one."""
    return f"{name} ({unit})" if unit else name


def placed(index: pd.Index) -> npt.NDArray[Any]:
    """Return times that matplotlib can place; periods are drawn at their start."""
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.DatetimeIndex):
        # The wall clock of the zone is what readers of a figure know.
        return index.tz_localize(None).to_numpy()
    return index.to_numpy()


def time_ticks(ax: Axes, index: pd.Index) -> None:
    """Place ticks at round dates, or at whole numbers."""
    if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        # 4 and 9: with fewer there are spans that none of its intervals fits, and it warns.
        locator = mdates.AutoDateLocator(minticks=4, maxticks=9)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
        ax.xaxis.get_offset_text().set_fontsize(SMALL)
    else:
        ax.xaxis.set_major_locator(whole_numbers())


def whole_numbers() -> MaxNLocator:
    """Return a locator of round whole numbers."""
    return MaxNLocator(8, integer=True, steps=[1, 2, 5, 10])


def time_label(index: pd.Index) -> str:
    """Return what a time axis is called."""
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        return "step"
    adverb = cadence(index)[1]
    return f"time ({adverb})" if adverb else "time"


def cadence(index: pd.Index) -> tuple[str, str]:
    """Return what one step is called, in the plural, and how often there is one, "" if unknown.

    Examples
    --------
    >>> cadence(pd.date_range("2024-01-01", periods=9, freq="h"))
    ('hours', 'hourly')
    >>> cadence(pd.RangeIndex(9)) == cadence(pd.date_range("2024", periods=9, freq="WOM-3THU"))
    True
    """
    freq = getattr(index, "freqstr", None)
    if isinstance(index, pd.DatetimeIndex) and type(index.freq) is pd.DateOffset:
        freq = cycle_of(index.freq).freqstr
    if freq is None and isinstance(index, pd.DatetimeIndex) and len(index) >= 3:
        freq = pd.DatetimeIndex(index.sort_values(), freq="infer").freqstr
    match = re.match(r"(\d*)(?:B?(min|W(?!OM)|[shDMQY])|(B)$)", freq or "")
    if match is None:
        return "steps", ""
    plural, adverb = _CADENCES[match[2] or match[3]]
    if not match[1]:
        return plural, adverb
    return f"steps of {match[1]} {plural}", f"every {match[1]} {plural}"


def span(steps: int, index: pd.Index) -> str:
    """Return a number of steps in words, with the time they take if the index tells it.

    Examples
    --------
    >>> span(168, pd.date_range("2024-01-01", periods=9, freq="h"))
    '168 steps (7 days)'
    >>> span(10, pd.date_range("2024-01-01", periods=9, freq="15min"))
    '10 steps (2.5 hours)'
    >>> span(1, pd.RangeIndex(9))
    '1 step'
    """
    text = "1 step" if steps == 1 else f"{steps} steps"
    number, unit = re.fullmatch(r"(?:steps of (\d+) )?(.+)", cadence(index)[0]).groups()  # type: ignore[union-attr]
    if unit == "steps":
        return text
    time = steps * float(number or 1)
    while unit in _LARGER and time >= _LARGER[unit][0]:
        size, unit = _LARGER[unit]
        time /= size
    return f"{text} ({time:.3g} {unit if time != 1 else unit[:-1]})"
