"""A stream of many updates drifts from nothing, and a horizon may be long."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.engine import training
from forecast.forecasters.registry import CONTESTANTS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
FITTED = 400
LABELS = [one.label for one in CONTESTANTS if one.label not in ("deep LSTM", "auto")]


def series(length: int) -> pd.Series:
    rng = np.random.default_rng(0)
    season = 3 * np.sin(2 * np.pi * np.arange(length) / 12)
    noise = rng.normal(size=length)
    for t in range(1, length):
        noise[t] += 0.8 * noise[t - 1]
    return pd.Series(50 + season + noise, name="y")


def fitted(label: str, y: pd.Series) -> Any:
    """Return a contestant that has hardly trained: nothing here asks how good it is."""
    model = next(one for one in CONTESTANTS if one.label == label).build(random_state=0)
    model.set_params(horizon=12, season_length=12)
    if "max_epochs" in model.get_params():
        model.set_params(max_epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STEPS_PER_EPOCH", 2)
        return model.fit(y)


def drift(label: str, updates: int) -> float:
    """Return how far a forecast after so many updates is from that after one, relatively."""
    y = series(FITTED + updates)
    model, fresh = (fitted(label, y[:FITTED]) for _ in range(2))
    fresh.update(y[FITTED:])
    for t in range(FITTED, len(y)):
        model.update(y[t : t + 1])
    streamed, anew = (one.predict_quantiles(12).to_numpy() for one in (model, fresh))
    return float(np.abs(streamed - anew).max() / y.std())


@pytest.mark.parametrize("label", LABELS)
def test_a_long_stream_forecasts_as_one_long_update(label: str) -> None:
    updates = 900 if label == "ARIMA" else 3_000  # statsmodels takes 16 ms to append a value
    assert drift(label, updates) < 1e-5


@pytest.mark.parametrize("label", LABELS)
def test_a_horizon_of_ten_thousand_steps_is_forecast(label: str) -> None:
    y = series(FITTED)
    forecast = fitted(label, y).predict(10_000)
    assert forecast.index.tolist() == list(range(FITTED, FITTED + 10_000))
    assert np.isfinite(forecast).all()
    assert label == "drift" or (abs(forecast - 50) < 50).all()
