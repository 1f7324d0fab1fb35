"""The classical rivals on the monthly series of the M3 competition; figures in results/."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd

import forecast
from forecast.evaluation.backtest import backtest
from forecast.evaluation.metrics import evaluate
from forecast.forecasters.classical.arima import ARIMAForecaster
from forecast.forecasters.classical.ets import ETSForecaster
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.classical.theta import ThetaForecaster

HORIZON, SEASON = 18, 12
MODELS = {
    "seasonal naive": NaiveForecaster(strategy="seasonal", season_length=SEASON),
    "Theta": ThetaForecaster(season_length=SEASON),
    "ETS": ETSForecaster(season_length=SEASON),
    "ARIMA": ARIMAForecaster(season_length=SEASON),
}
RESULTS = Path(__file__).parent / "results" / "m3_classical.csv"


def main() -> None:
    """Fit each model without the last 18 months, score these, add a row per model to the CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, help="evenly spaced series, so many; default: all")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    y = forecast.load_dataset("m3_monthly")
    ids = y["unique_id"].unique()
    ids = ids[:: -(-len(ids) // (options.limit or len(ids)))]
    y = y[y["unique_id"].isin(ids)]
    rows = []
    for name in options.models:
        began = time.perf_counter()
        table = backtest(MODELS[name], y, HORIZON, quantiles=(0.1, 0.9))
        seconds = time.perf_counter() - began
        metrics = ["mase", "smape", "coverage"]
        scores = evaluate(table, y, SEASON, metrics=metrics).iloc[0].round(4)
        about = {"model": name, "version": forecast.__version__, "n_series": len(ids)}
        rows.append(about | scores.to_dict() | {"seconds": round(seconds, 1)})
        print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(RESULTS, mode="a", header=not RESULTS.exists(), index=False)


if __name__ == "__main__":
    main()
