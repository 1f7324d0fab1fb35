"""Time of fit and predict against the number of values: linear, in series and in length.

Training draws a fixed number of windows, so an epoch costs the same for every panel. What grows is
the rest: reading the frame, looking for gaps and spreads, encoding each history to its end, and
forecasting. Both are measured; the slopes are those of the rest, bars the range of five runs (one
run above a million values). Results: README.md, results/.
"""

from __future__ import annotations

import itertools
import time
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from forecast import ForecastWarning, LSTMForecaster, MLPForecaster
from forecast.evaluation.canvas import BLUE, GREY, MEDIUM, SMALL, VERMILLION

RESULTS = Path(__file__).parent / "results"
SIZES = [round(10**power) for power in (4, 4.5, 5, 5.5, 6, 6.5, 7)]
LENGTH, SERIES = 500, 20  # what stays, while the other grows
GROWTHS = {"more series": f"{LENGTH} values each", "longer series": f"{SERIES} series"}
MODELS = {
    "LSTM": (LSTMForecaster, VERMILLION, "o"),
    "MLP": (MLPForecaster, BLUE, "s"),
}
# P = 1: each value is a step of the network, the dearest case
OPTIONS: dict[str, Any] = {"horizon": 24, "season_length": 1, "max_epochs": 1, "random_state": 0}
OPTIONS |= {"hidden_size": 32, "batch_size": 32}


def walks(n_series: int, length: int) -> pd.DataFrame:
    """Return random walks as a wide float32 frame."""
    steps = np.random.default_rng(0).standard_normal((length, n_series), dtype=np.float32)
    return pd.DataFrame(np.cumsum(steps, axis=0, out=steps), copy=False)


def measure(kind: type[Any], y: pd.DataFrame) -> tuple[float, float]:
    """Return the seconds of the epoch of training, and of the rest of fit and predict."""
    began = time.perf_counter()
    model = kind(**OPTIONS).fit(y)
    model.predict()
    total, training = time.perf_counter() - began, model.history_["seconds"].iloc[-1]
    return training, total - training


def rows() -> pd.DataFrame:
    """Measure everything; panels up to a million values five times, of which the median counts."""
    found = []
    print("growth         model     values   epoch    rest     min     max  s")
    for growth, size in itertools.product(GROWTHS, SIZES):
        shape = (size // LENGTH, LENGTH) if growth == "more series" else (SERIES, size // SERIES)
        y = walks(*shape)
        for name, (kind, *_) in MODELS.items():
            runs = np.array([measure(kind, y) for _ in range(5 if size <= 10**6 else 1)])
            training, rest = np.median(runs, axis=0)
            low, high = runs[:, 1].min(), runs[:, 1].max()
            found.append((growth, name, y.size, training, rest, low, high))
            print(f"{growth:14} {name:5}{y.size:11,}", *(f"{x:7.2f}" for x in found[-1][3:]))
    return pd.DataFrame(
        found, columns=["growth", "model", "values", "training", "rest", "rest_min", "rest_max"]
    )


def slope(part: pd.DataFrame) -> float:
    """Return the slope of log seconds over log values, from a million values on."""
    large = part[part["values"] >= 10**6]
    return float(np.polyfit(np.log(large["values"]), np.log(large["rest"]), 1)[0])


def draw(ax: Axes, table: pd.DataFrame, growth: str) -> None:
    """Draw both models with more series, or with longer ones."""
    for name, (_, colour, marker) in MODELS.items():
        part = table[(table["growth"] == growth) & (table["model"] == name)]
        label = f"{name}, all but the epoch (slope {slope(part):.2f})"
        noise = abs(part[["rest_min", "rest_max"]].T - part["rest"])
        ax.plot(part["values"], part["rest"], color=colour, marker=marker, ms=5, lw=2, label=label)
        ax.errorbar(part["values"], part["rest"], noise, fmt="none", ecolor=colour, capsize=2.5)
        ax.plot(part["values"], part["training"], color=colour, ls=(0, (2, 2)), lw=1.5,
                label=f"{name}, the epoch of training")  # fmt: skip
    ends = np.array([3e5, 1e7])
    ax.plot(ends, ends * 1e-6, color=GREY, lw=1, label="slope 1: a microsecond a value")
    ax.set(xscale="log", yscale="log", ylim=(5e-3, 1e2))
    ax.set_title(f"{growth}, {GROWTHS[growth]}", loc="left", fontsize=MEDIUM)
    ax.set_xlabel("values in the panel", fontsize=SMALL)
    ax.tick_params(labelsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=SMALL - 1.5, frameon=False, loc="upper left")


def main() -> None:
    """Measure, write the table and the figure, print the slopes."""
    torch.set_num_threads(1)
    mpl.use("Agg")
    warnings.simplefilter("ignore", ForecastWarning)  # random walks: of course naive is as good
    for kind, *_ in MODELS.values():  # what is loaded on first use is no cost of the data
        measure(kind, walks(2, 200))
    table = rows()
    table.round(4).to_csv(RESULTS / "linear_time.csv", index=False)
    figure, axes = plt.subplots(1, 2, figsize=(12, 5.2), sharey=True, layout="constrained")
    for ax, growth in zip(axes, GROWTHS, strict=True):
        draw(ax, table, growth)
    axes[0].set_ylabel("seconds, one thread", fontsize=SMALL)
    figure.savefig(RESULTS / "linear_time.png", dpi=110)
    for (growth, name), part in table.groupby(["growth", "model"], sort=False):
        print(f"{growth}, {name}: slope {slope(part):.2f} from 10^6 to 10^7 values")


if __name__ == "__main__":
    main()
