"""What calendar and seasonal lags are worth to the default network, on hourly panels."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from forecast.data.datasets import load_dataset
from forecast.evaluation.backtest import backtest
from forecast.evaluation.metrics import evaluate
from forecast.forecasters.neural.recipe import Recipe, recurrent_recipe
from forecast.forecasters.neural.recurrent import LSTMForecaster
from tests.experiments.test_defaults import record

HORIZON, SEASON = 48, 24
# Ten origins, eleven days apart: the last week of one panel is Christmas, and no week of its year.
# The series of M4 are too short for more than three.
ORIGINS = {
    "gefcom2012_load": {"n_windows": 10, "step": 264},
    "pedestrian": {"n_windows": 10, "step": 264},
    "m4_hourly": {"n_windows": 3},
}
pytestmark = [
    pytest.mark.filterwarnings("ignore::forecast.ForecastWarning"),
    pytest.mark.experiment,
    pytest.mark.skipif("FORECAST_DATA" not in os.environ, reason="needs the hourly panels"),
]


class WithoutLags(LSTMForecaster):
    """The default network without seasonal templates."""

    @staticmethod
    def _recipe(*sizes: Any) -> Recipe:
        return replace(recurrent_recipe(*sizes), lags=())


def before_the_test_part(name: str) -> pd.DataFrame | pd.Series:
    """Return a panel without its last horizon, which is for other questions."""
    y = load_dataset(name)
    if "unique_id" not in y:
        return y.iloc[:-HORIZON]
    last = y.groupby("unique_id")["ds"].transform("max")
    step = pd.Timedelta("1h") if y["ds"].dtype.kind == "M" else 1
    return y[y["ds"] <= last - HORIZON * step]


def test_calendar_and_lags_help_on_hourly_panels():
    rows = []
    for name, origins in ORIGINS.items():
        y = before_the_test_part(name)
        for seed in range(3):
            shared: dict[str, Any] = {"horizon": HORIZON, "random_state": seed}
            variants = {
                "calendar and lags": LSTMForecaster(**shared),
                "neither": WithoutLags(calendar=False, **shared),
            }
            for variant, model in variants.items():
                began = time.perf_counter()
                table = backtest(model, y, HORIZON, **origins)
                mase = evaluate(table, y, SEASON, metrics=["mase"])["mase"].iloc[0]
                seconds = time.perf_counter() - began
                rows.append(
                    {"series": name, "model": variant, "seed": seed, "mase": mase}
                    | {"seconds": seconds}
                )
                print(rows[-1], flush=True)
    runs = pd.DataFrame(rows)
    record("calendar", runs)
    means = runs.pivot_table(index="series", columns="model", values="mase")
    assert (means["calendar and lags"] < means["neither"]).all()
