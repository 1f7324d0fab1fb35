"""Write one small file per family in today's format, and what it forecasts.

Run once when FORMAT_VERSION rises, and commit: `.venv/bin/python tests/forecasters/saved/write.py`.
Of a new kind of model write the one file: `write.py NAME`. The files that are there stay as they
are; `test_kept_files.py` reads all of them.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import forecast
from forecast.forecasters.classical.arima import ARIMAForecaster
from forecast.forecasters.classical.theta import ThetaForecaster
from forecast.forecasters.saving import FORMAT_VERSION

HERE = Path(__file__).parent
MONTHS = pd.date_range("2020-01-31", periods=102, freq="ME", name="month")
STEPS = np.arange(102)
VALUES = 100 + STEPS + 10 * np.sin(STEPS * 2 * np.pi / 12) + np.cos(STEPS**2)
SALES = pd.Series(VALUES, MONTHS, name="sales")
TINY: Any = {"hidden_size": 2, "max_epochs": 1, "horizon": 6, "random_state": 0}


def models() -> dict[str, Any]:
    """Return an unfitted forecaster of every family."""
    return {
        "naive": forecast.NaiveForecaster("seasonal"),
        "ets": forecast.ETSForecaster(),
        "theta": ThetaForecaster(),
        "arima": ARIMAForecaster(),
        "markov": forecast.MarkovForecaster(order=3),
        "mlp": forecast.MLPForecaster(**TINY),
        "gru": forecast.RNNForecaster(cell="gru", **TINY),
        "lstm": forecast.LSTMForecaster(**TINY),
        "seq2seq": forecast.Seq2SeqForecaster(attention=True, **TINY),
        "mean": forecast.LSTMForecaster(season_length=1, **TINY),  # templates: trend and mean
    }


def series(name: str) -> pd.Series:
    """Return what a model learns from and what comes after: without dates there is no season."""
    return SALES.reset_index(drop=True) if name == "mean" else SALES


def forecasts(model: Any, y: pd.Series) -> pd.DataFrame:
    """Return what a model forecasts before and after it is given two values more."""
    n = len(model.panel_.values)
    before = {"point": model.predict(6), "upper": model.predict_interval(6)["upper"]}
    after = {"updated": model.update(y[n : n + 2]).predict(6)}
    columns = {name: values.to_numpy() for name, values in (before | after).items()}
    return pd.DataFrame(columns, index=pd.RangeIndex(1, 7, name="step"))


def main() -> None:
    """Write the files that were named, or all, and their forecasts."""
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    for name in sys.argv[1:] or models():
        y = series(name)
        model = models()[name].fit(y[: 100 if name == "mean" else 48])
        stem = f"v{FORMAT_VERSION}-{name}"
        model.save(HERE / f"{stem}.model")
        forecasts(model, y).round(6).to_csv(HERE / f"{stem}.csv")


if __name__ == "__main__":
    main()
