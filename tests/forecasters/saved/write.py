"""Write one small file per forecaster in today's format, and what it forecasts.

Run before a release, and commit: `.venv/bin/python tests/forecasters/saved/write.py` writes those
that are not there yet, of new forecasters or of a raised FORMAT_VERSION. The others stay as they
are; `test_kept_files.py` reads all of them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import forecast
from forecast.forecasters.registry import HOMES, forecaster_class
from forecast.forecasters.saving import FORMAT_VERSION

HERE = Path(__file__).parent
MONTHS = pd.date_range("2020-01-31", periods=102, freq="ME", name="month")
STEPS = np.arange(102)
VALUES = 100 + STEPS + 10 * np.sin(STEPS * 2 * np.pi / 12) + np.cos(STEPS**2)
SALES = pd.Series(VALUES, MONTHS, name="sales")
TINY: Any = {"hidden_size": 2, "max_epochs": 1, "horizon": 6, "random_state": 0}
# Where the defaults would leave out a part of what is saved.
OPTIONS: dict[str, dict[str, Any]] = {
    "NaiveForecaster": {"strategy": "seasonal"},
    "MarkovForecaster": {"order": 3},
    "RNNForecaster": {"cell": "gru"},
    "Seq2SeqForecaster": {"attention": True},
}


def models() -> dict[str, Any]:
    """Return every forecaster of the registry, unfitted, and a network without a season."""
    named = {name.removesuffix("Forecaster").lower(): small(name) for name in HOMES}
    mean = small("LSTMForecaster").set_params(season_length=1)  # templates: trend and mean
    return named | {"mean": mean}


def small(name: str) -> Any:
    """Return a forecaster that is trained at once."""
    model = forecaster_class(name)(**OPTIONS.get(name, {}))
    return model.set_params(**TINY) if "max_epochs" in model.get_params() else model


def series(name: str) -> pd.Series:
    """Return what a model learns from and what comes after: without dates there is no season."""
    if name in ("symbol", "ngram"):
        return pd.cut(SALES.diff().fillna(0), 4, labels=list("abcd")).astype(str)
    return SALES.reset_index(drop=True) if name == "mean" else SALES


def forecasts(model: Any, y: pd.Series) -> pd.DataFrame:
    """Return what a model forecasts before and after it is given two values more."""
    n = len(model.panel_.values)
    if hasattr(model, "predict_proba"):  # a row for each symbol
        chances = [model.predict_proba(), model.update(y[n : n + 2]).predict_proba()]
        columns = dict(zip(("before", "updated"), np.concatenate(chances), strict=True))
        return pd.DataFrame(columns, index=pd.RangeIndex(1, chances[0].shape[1] + 1, name="step"))
    before = {"point": model.predict(6), "upper": model.predict_interval(6)["upper"]}
    after = {"updated": model.update(y[n : n + 2]).predict(6)}
    columns = {name: values.to_numpy() for name, values in (before | after).items()}
    return pd.DataFrame(columns, index=pd.RangeIndex(1, 7, name="step"))


def main() -> None:
    """Write the files that are not there yet, and their forecasts."""
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    for name, model in models().items():
        stem = f"v{FORMAT_VERSION}-{name}"
        if (HERE / f"{stem}.model").exists():
            continue
        y = series(name)
        model.fit(y[: 100 if name == "mean" else 48])
        model.save(HERE / f"{stem}.model")
        forecasts(model, y).round(6).to_csv(HERE / f"{stem}.csv")


if __name__ == "__main__":
    main()
