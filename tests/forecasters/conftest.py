"""Series that several files of this folder forecast, and saved models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.engine import training
from forecast.forecasters import residuals
from forecast.forecasters.classical import arima
from tests.forecasters.forgery import save_all


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for five steps an epoch, where it does not matter how well."""
    monkeypatch.setattr(training, "STEPS_PER_EPOCH", 5)


@pytest.fixture
def equal_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take errors for as large of late as ever, where theory says how wide bands are."""
    monkeypatch.setattr(residuals, "recent_size", lambda errors, series, n, m=1: np.ones(n))


@pytest.fixture
def little_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for two steps an epoch, and look for an ARIMA of one lag: any forecast will do."""
    monkeypatch.setattr(training, "STEPS_PER_EPOCH", 2)
    monkeypatch.setattr(arima, "MOST_LAGS", 1)
    monkeypatch.setattr(arima, "MOST_SEASONS", 0)


@pytest.fixture
def monthly() -> pd.Series:
    t = np.arange(96)
    rng = np.random.default_rng(1)
    values = 50 + 10 * np.sin(2 * np.pi * t / 12) + rng.normal(size=96)
    return pd.Series(values, pd.date_range("2015-01-01", periods=96, freq="MS"), name="sales")


@pytest.fixture
def wide(monthly: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"A": monthly, "B": 3 * monthly + 7})


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a model of every family; return the files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STEPS_PER_EPOCH", 2)
        return save_all(tmp_path_factory.mktemp("saved"))
