"""M4 Hourly: the error of the last 48 hours after so many seconds of training.

    python benchmarks/time_to_error.py
    PYTHONPATH=. PEER/bin/python benchmarks/time_to_error.py --models "neuralforecast NHITS"
    python benchmarks/time_to_error.py --draw

Each model is trained anew for each number of steps, from the frame to the forecast frame, with the
schedule that belongs to this number. Seconds are those of the processor, on one thread. Peers keep
environments of their own, in which this package need not be installed. Rows are added to
`results/time_to_error.csv`; `--draw` draws the figure of `docs/performance.md` from it.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from forecast import ForecastWarning, LSTMForecaster, evaluate, load_dataset

HORIZON, SEASON = 48, 24
STEPS = (150, 300, 600, 1250, 3000)  # of which 3,000 are our default
RESULTS = Path(__file__).parent / "results" / "time_to_error.csv"
IMAGE = Path(__file__).parents[1] / "docs" / "images" / "time-to-error.svg"
LONG = ["unique_id", "ds"]
WORST = 5.0  # largest error that is drawn


def ours(y: pd.DataFrame, steps: int, n_estimators: int) -> pd.DataFrame:
    """Return the forecast of an `LSTMForecaster` after so many steps."""
    model = LSTMForecaster(
        horizon=HORIZON, max_epochs=steps // 50, n_estimators=n_estimators, random_state=0
    )
    return model.fit(y).predict()


def neuralforecast(y: pd.DataFrame, steps: int, name: str) -> pd.DataFrame:
    """Return the forecast of a model of neuralforecast that reads a week, else at its defaults."""
    import neuralforecast as package
    from neuralforecast import models

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    make = getattr(models, name)
    model = make(h=HORIZON, input_size=168, max_steps=steps, enable_checkpointing=False, **quiet)
    frame = package.NeuralForecast([model], freq=1)
    frame.fit(y)
    return frame.predict()[[*LONG, name]]


def darts(y: pd.DataFrame, steps: int, name: str) -> pd.DataFrame:
    """Return the forecast of a model of darts that reads a week, else at its defaults.

    Its networks do not scale, so each series is standardised, as its guides do.
    """
    from darts import TimeSeries, models
    from darts.dataprocessing.transformers import Scaler
    from sklearn.preprocessing import StandardScaler

    trainer = {"max_steps": steps, "logger": False, "enable_progress_bar": False}
    options = {"model": "LSTM"} if name == "BlockRNNModel" else {}
    options |= {"n_epochs": 10_000, "random_state": 0, "pl_trainer_kwargs": trainer}
    model = getattr(models, name)(168, HORIZON, **options)
    ids, parts = zip(*y.groupby("unique_id"), strict=True)
    series = [TimeSeries.from_times_and_values(pd.RangeIndex(len(p)), p["y"]) for p in parts]
    scaler = Scaler(StandardScaler())
    model.fit(scaled := scaler.fit_transform(series), verbose=False)
    found = scaler.inverse_transform(model.predict(HORIZON, series=scaled, verbose=False))
    tables = [
        pd.DataFrame({"unique_id": id_, "ds": one.time_index, name: one.values()[:, 0]})
        for id_, one in zip(ids, found, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


MODELS: dict[str, Callable[[pd.DataFrame, int], pd.DataFrame]] = {
    "LSTM, one network": lambda y, steps: ours(y, steps, 1),
    "LSTM, three networks": lambda y, steps: ours(y, steps, 3),
    "neuralforecast LSTM": lambda y, steps: neuralforecast(y, steps, "LSTM"),
    "neuralforecast NHITS": lambda y, steps: neuralforecast(y, steps, "NHITS"),
    "neuralforecast DeepAR": lambda y, steps: neuralforecast(y, steps, "DeepAR"),
    "darts LSTM": lambda y, steps: darts(y, steps, "BlockRNNModel"),
    "darts NHiTS": lambda y, steps: darts(y, steps, "NHiTSModel"),
}


def measure(name: str, steps: int) -> dict[str, Any]:
    """Return the seconds and the error of a model after so many steps."""
    y = load_dataset("m4_hourly")
    y["ds"] = y.groupby("unique_id").cumcount()  # peers want one number a step
    last = y.groupby("unique_id").cumcount(ascending=False) < HORIZON
    began = time.process_time()
    found = MODELS[name](y[~last].reset_index(drop=True), steps)
    seconds = time.process_time() - began
    found = found.set_axis([*LONG, "y_hat"], axis=1)
    table = y[last].merge(found, on=LONG, validate="one_to_one")
    table = table.assign(model=name, cutoff=table.groupby("unique_id")["ds"].transform("min") - 1)
    table["step"] = table["ds"] - table["cutoff"]
    error = evaluate(table, y, SEASON, metrics=["mase"]).iloc[0]["mase"]
    return {"model": name, "steps": steps, "seconds": round(seconds, 1), "mase": round(error, 4)}


def draw(rows: pd.DataFrame) -> None:
    """Draw a line a model, named at its last point; errors beyond `WORST` are told beside."""
    import matplotlib as mpl  # here, as peers' environments need not have it
    from matplotlib import pyplot as plt

    from forecast.evaluation.canvas import COLOURS, MEDIUM

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "forecast"  # the same picture must give the same file
    figure, ax = plt.subplots(figsize=(9.5, 5), layout="constrained")
    beyond, rows = rows[rows["mase"] > WORST], rows[rows["mase"] <= WORST]
    for k, (name, own) in enumerate(rows.groupby("model", sort=False)):
        own, colour = own.sort_values("steps"), COLOURS[k % len(COLOURS)]
        ax.plot(own["seconds"], own["mase"], marker="o", color=colour)
        last, falls = own.iloc[-1], own["mase"].diff().iloc[-1] < 0
        ax.annotate(
            f"{name} {last['mase']:.2f}",
            (last["seconds"], last["mase"]),
            xytext=(4, -6),
            textcoords="offset points",
            ha="right" if falls else "left",  # below its own line, where no other line comes
            va="top",
            color=colour,
            size=MEDIUM,
        )
    told = [f"{r.model}: {r.mase:.0f} after {r.seconds:.0f} s" for r in beyond.itertuples()]
    ax.set_title("; ".join(told), loc="right", size=MEDIUM, color="0.4")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:,g}")
    ax.set_xlim(3, 6000)
    ax.set_ylim(0, WORST)
    ax.set_xlabel("seconds, fit and forecast, one core", size=MEDIUM)
    ax.set_ylabel("MASE of the last 48 hours", size=MEDIUM)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(IMAGE, metadata={"Date": None})


def main() -> None:
    """Add a row for each model and number of steps that were asked for, or draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[next(iter(MODELS))])
    parser.add_argument("--steps", nargs="+", type=int, default=STEPS)
    parser.add_argument("--draw", action="store_true", help="draw the rows that are there")
    asked = parser.parse_args()
    if asked.draw:
        draw(pd.read_csv(RESULTS))
        return
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ForecastWarning)
    for name in asked.models:
        for steps in asked.steps:
            row = pd.DataFrame([measure(name, steps) | {"measured": time.strftime("%Y-%m-%d")}])
            print(row.to_string(index=False, header=False), flush=True)
            row.to_csv(RESULTS, mode="a", index=False, header=not RESULTS.exists())


if __name__ == "__main__":
    main()
