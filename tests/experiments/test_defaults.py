"""What the default settings are worth: measured over several seeds, recorded as CSV.

`make experiments` runs these; the figures go to `experiments/` and are committed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pandas as pd
import pytest

from forecast.contest.compare import compare
from forecast.data.datasets import load_dataset
from forecast.data.synthetic import random_walk
from forecast.evaluation.metrics import evaluate, owa
from forecast.forecasters.neural.recurrent import LSTMForecaster

RESULTS = Path(__file__).parents[2] / "experiments"
pytestmark = pytest.mark.experiment


def record(name: str, table: pd.DataFrame) -> None:
    RESULTS.mkdir(exist_ok=True)
    table.round(4).to_csv(RESULTS / f"{name}.csv", index=False)


def test_defaults_are_no_worse_than_naive_on_the_bundled_series():
    rows = []
    for name in ("elnino", "co2", "sunspots"):
        for seed in range(3):
            y = load_dataset(name)
            table = compare(y, n_windows=6, random_state=seed).table
            rows.append(table.reset_index(names="model").assign(series=name, seed=seed))
    runs = pd.concat(rows)
    columns = ["mase", "skill", "smape", "wql", "coverage0.8", "seconds"]
    table = runs.groupby(["series", "model"], sort=False)[columns].mean()
    spread = runs.groupby(["series", "model"])["skill"].agg(["min", "max"])
    table = table.join(spread.rename(columns=lambda end: f"skill_{end}"))
    record("defaults", table.reset_index())
    assert (table["skill"].xs("LSTM", level="model") >= 0).all()


@pytest.mark.mission("M46")
def test_nothing_beats_naive_on_random_walks():
    rows = []
    for seed in range(10):
        walk = random_walk(400, seed=seed)
        contest = compare(walk, horizon=1, n_windows=100, season_length=1, random_state=seed)
        error = evaluate(contest.forecasts, metrics=["rmse"])["rmse"]
        ratio = error / error["naive"]
        rows.append(ratio.rename("rmse_ratio").reset_index().assign(seed=seed))
    runs = pd.concat(rows)
    table = runs.groupby("model", sort=False)["rmse_ratio"].agg(["mean", "min", "max"])
    record("random_walks", table.reset_index())
    assert (table["mean"].drop("naive") >= 0.97).all()


@pytest.mark.skipif("FORECAST_DATA" not in os.environ, reason="needs the M4 Hourly data")
def test_m4_hourly_at_defaults():
    train, test = load_dataset("m4_hourly", "train"), load_dataset("m4_hourly", "test")
    began = time.perf_counter()
    forecast = LSTMForecaster(horizon=48, random_state=0).fit(train).predict(48)
    seconds = time.perf_counter() - began
    table = test.merge(forecast.rename(columns={"y": "y_hat"}), on=["unique_id", "ds"])
    cutoffs = train.groupby("unique_id")["ds"].max()
    table = table.assign(cutoff=table["unique_id"].map(cutoffs), model="LSTM")
    table["step"] = table["ds"] - table["cutoff"]
    scores = evaluate(table, train, 24, metrics=["smape", "mase"]).loc["LSTM"]
    # Naive2's official scores on this set
    score = owa(scores["smape"], scores["mase"], 18.383, 2.395)
    row = {"model": "LSTM", "seed": 0, **scores, "owa": score, "seconds": seconds}
    record("m4_hourly", pd.DataFrame([row]))
    assert score < 0.60
