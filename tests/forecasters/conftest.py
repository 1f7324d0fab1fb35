"""Series that several files of this folder forecast, and saved models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.forecasters.forgery import save_all


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
    return save_all(tmp_path_factory.mktemp("saved"))
