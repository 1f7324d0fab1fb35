"""The error after so many seconds: the pre-trained network, fine-tuned, and an LSTM from scratch.

    python benchmarks/fine_tuning.py --part test
    python benchmarks/fine_tuning.py --back 2 3 4 5 6 --suites m4_hourly
    python benchmarks/fine_tuning.py --draw

Seconds are those of the processor, of one core, from the frame to the forecast frame. A network is
trained anew for each number of steps, with the schedule that belongs to it; 0 steps are the shipped
weights as they are. Rows are added to `results/fine_tuning.csv`, and those that are there are not
run again. One origin misleads, so `--back` cuts so many horizons off the end (1: the test part),
each a validation part of its own. The figure of `docs/pretrained.md` has rows of `time_to_error.py`
beside.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from dataclasses import replace
from pathlib import Path

import accuracy_m3
import accuracy_m4
import matplotlib as mpl
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from suites import Suite, record
from time_to_error import RESULTS as OTHER_RESULTS

from forecast import ForecastWarning, LSTMForecaster, PretrainedForecaster
from forecast.evaluation.canvas import COLOURS, MEDIUM
from forecast.pretrained.tuning import STEPS_PER_EPOCH

Place = tuple[tuple[int, int], str, str]  # offset in points, alignment
TITLES = {"m4_hourly": "M4 Hourly, 48 hours", "m3_monthly": "M3 monthly, 18 months"}
SUITES = [suite for suite in (*accuracy_m4.SUITES, *accuracy_m3.SUITES) if suite.name in TITLES]
STEPS = {
    "pre-trained": (0, 200, 800, 1600, 3200),
    "LSTM, three networks": (150, 600, 3000),  # of which the last is our default
}
OTHERS = ("LSTM, one network", "neuralforecast LSTM", "neuralforecast NHITS")
TICKS, ERRORS = (3, 10, 30, 100, 300, 1000), {"m4_hourly": (0.75, 1, 1.5, 2, 3, 4)}
# Where a name stands beside the last point, so that no line crosses it.
RIGHT, BELOW = ((8, 0), "left", "center"), ((0, -14), "center", "top")
PLACES = {"pre-trained": BELOW, "LSTM, one network": ((-42, 52), "center", "bottom")}
RESULTS = Path(__file__).parent / "results" / "fine_tuning.csv"
IMAGE = Path(__file__).parents[1] / "docs" / "images" / "fine-tuning.svg"


def build(name: str, steps: int, horizon: int) -> PretrainedForecaster | LSTMForecaster:
    """Return a model that will take so many steps."""
    if name == "pre-trained":
        return PretrainedForecaster(horizon=horizon, fine_tune=steps // STEPS_PER_EPOCH)
    return LSTMForecaster(horizon=horizon, max_epochs=steps // 50, random_state=0)


def measure(suite: Suite, part: str, name: str, steps: int, back: int = 1) -> None:
    """Add the row of a model after so many steps, if it is not there."""
    label = part if part == "test" or back == 1 else f"{part} {back}"
    key = {"suite": suite.name, "part": label, "model": name, "steps": steps}
    rows = pd.read_csv(RESULTS) if RESULTS.exists() else pd.DataFrame(columns=list(key))
    if (rows[list(key)] == pd.Series(key)).all(axis=1).any():
        return
    suite = replace(suite, test=back * suite.horizon)
    found = suite.score(build(name, steps, suite.horizon), part)
    kept = {score: found[score] for score in ("mase", "wql", "coverage0.8")}
    row = key | {"seconds": found["cpu_seconds"]} | kept
    record(RESULTS, row | {"measured": time.strftime("%Y-%m-%d")})


def draw(rows: pd.DataFrame, others: pd.DataFrame) -> None:
    """Draw a line a model, and a panel a set."""
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "forecast"  # the same picture must give the same file
    others = others[others["model"].isin(OTHERS)]
    rows = pd.concat([rows, others.assign(suite="m4_hourly")])
    figure, panels = plt.subplots(1, len(TITLES), figsize=(11, 4.5), layout="constrained")
    for ax, (suite, title) in zip(panels, TITLES.items(), strict=True):
        for k, (name, own) in enumerate(rows[rows["suite"] == suite].groupby("model", sort=False)):
            place = PLACES.get(str(name), RIGHT)
            line(ax, own.sort_values("steps"), str(name), COLOURS[k % len(COLOURS)], place)
        ax.set_title(title, size=MEDIUM, loc="left")
        ax.margins(y=0.3)  # names stand below the last points
        ax.set_xscale("log")
        ax.set_xlim(2, 6000)
        if suite in ERRORS:
            ax.set_yscale("log")
            ax.set_yticks(ERRORS[suite], map(str, ERRORS[suite]))
            ax.yaxis.minorticks_off()
        ax.set_xticks(TICKS, map(str, TICKS))
        ax.xaxis.minorticks_off()
        ax.set_xlabel("seconds, fit and forecast, one core", size=MEDIUM)
        ax.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("MASE", size=MEDIUM)
    figure.savefig(IMAGE, metadata={"Date": None})


def line(ax: Axes, own: pd.DataFrame, name: str, colour: str, place: Place) -> None:
    """Draw the errors of a model, named at its last point."""
    ax.plot(own["seconds"], own["mase"], marker="o", color=colour)
    last, (offset, ha, va) = own.iloc[-1], place
    ax.annotate(
        f"{name} {last['mase']:.3f}".replace(" ", "\n", 1),
        (last["seconds"], last["mase"]),
        xytext=offset,
        textcoords="offset points",
        ha=ha,
        va=va,
        color=colour,
        size=MEDIUM,
    )


def main() -> None:
    """Add the rows that were asked for, or draw those of a part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("validation", "test"), default="validation")
    parser.add_argument("--back", nargs="+", type=int, default=[1], help="horizons cut off the end")
    parser.add_argument("--suites", nargs="+", choices=TITLES, default=list(TITLES))
    parser.add_argument("--models", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--draw", action="store_true", help="draw the rows that are there")
    asked = parser.parse_args()
    if asked.draw:
        rows = pd.read_csv(RESULTS)
        draw(rows[rows["part"] == asked.part], pd.read_csv(OTHER_RESULTS))
        return
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ForecastWarning)
    chosen = [suite for suite in SUITES if suite.name in asked.suites]
    for suite, back, name in itertools.product(chosen, asked.back, asked.models):
        for steps in STEPS[name]:
            measure(suite, asked.part, name, steps, back)


if __name__ == "__main__":
    main()
