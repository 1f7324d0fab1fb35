"""Draw the errors of models against their seconds, from the rows of `accuracy_pretrained.py`.

    python benchmarks/figure_pretrained.py --part test

A small point is a set, a large one the geometric mean over the sets that all models forecast.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from accuracy_pretrained import MODEL, RIVALS, TOLD, geometric, relative
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from suites import RESULTS, newest

from forecast.evaluation.canvas import COLOURS, GREY, MEDIUM, SMALL

IMAGE = Path(__file__).parents[1] / "docs" / "images" / "error-against-seconds.svg"
FEWEST = 5  # sets that a model must have forecast


def points(rows: pd.DataFrame) -> pd.DataFrame:
    """Return error and seconds a series of every set and model, the sets that all models share.

    Seconds are of the CPU where they were recorded, else those of the clock.
    """
    rows = rows.assign(seconds=rows["cpu_seconds"].fillna(rows["seconds"]))
    series = rows["n_series"].groupby(level="set").transform("max")
    rows = rows.assign(seconds=rows["seconds"] / rows["n_series"].fillna(series))
    names = [MODEL, MODEL + TOLD, *RIVALS, *(name + TOLD for name in RIVALS)]
    rows = rows[rows.index.get_level_values("model").isin(names)]
    rows = rows[rows["relative_mase"].groupby(level="model").transform("size") >= FEWEST]
    models = rows.index.get_level_values("model").nunique()
    shared = rows["relative_mase"].groupby(level="set").transform("size") == models
    return rows.loc[shared, ["relative_mase", "seconds"]]


def draw(rows: pd.DataFrame) -> Figure:
    """Draw the points, one colour a model, named beside its mean."""
    figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    means = rows.groupby("model").agg(geometric).sort_values("seconds")
    for k, (model, (error, seconds)) in enumerate(means.iterrows()):
        own, colour = rows.xs(model, level="model"), COLOURS[k % len(COLOURS)]
        ax.scatter(own["seconds"], own["relative_mase"], s=16, color=colour, alpha=0.4, lw=0)
        ax.scatter(seconds, error, s=110, color=colour, zorder=3)
        ax.annotate(
            f"{model.replace(', ', chr(10))} {error:.2f}",
            (seconds, error),
            xytext=(0, (12, -12)[k % 2]),  # neighbours' names on different sides
            textcoords="offset points",
            ha="center",
            va=("bottom", "top")[k % 2],
            color=colour,
            size=MEDIUM,
        )
    ax.margins(x=0.12)
    ax.axhline(1, color=GREY, lw=1, ls="--")
    ax.annotate(
        "seasonal naive", (1, 1), xycoords=("axes fraction", "data"), ha="right", va="bottom",
        color=GREY, size=SMALL,
    )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlabel("seconds a series, fit and forecast, one core", size=MEDIUM)
    ax.set_ylabel("MASE, seasonal naive = 1", size=MEDIUM)
    ax.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    asked = parser.parse_args()
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "forecast"  # the same picture must give the same file
    found = points(relative(newest(RESULTS, asked.part)))
    print(found.round(4).to_string())
    draw(found).savefig(IMAGE, metadata={"Date": None})
