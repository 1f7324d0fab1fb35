from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.evaluation.table import central_intervals, forecast_ahead, quantile_columns
from tests.evaluation.toys import Last, table

DAYS = pd.date_range("2024-01-01", periods=12)
WIDE = pd.DataFrame({"a": np.arange(12.0), "b": np.arange(12.0) * 2}, index=DAYS)


def test_quantile_columns_are_told_from_others():
    frame = table().assign(q=1, q1=2, quality=3)
    assert list(quantile_columns(frame.iloc[:, ::-1])) == [0.1, 0.5, 0.9]


def test_central_intervals_of_many_levels():
    levels = np.arange(1, 20) / 20
    assert list(central_intervals(levels)) == [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    assert central_intervals([0.1, 0.5]) == {}


def test_forecast_ahead_puts_forecasts_beside_the_truth():
    got = forecast_ahead(Last().fit(WIDE[:8]), WIDE[8:], levels=(0.1, 0.9))
    assert got["step"].tolist() == [1, 2, 3, 4] * 2
    assert got["y"].tolist() == [8, 9, 10, 11, 16, 18, 20, 22]
    assert got["y_hat"].tolist() == [7] * 4 + [14] * 4
    assert (got["cutoff"] == DAYS[7]).all()
    assert (got["q0.9"] - got["q0.1"]).to_numpy() == pytest.approx(8)


def test_forecast_ahead_skips_a_gap_and_series_may_end_apart():
    long = pd.DataFrame({"unique_id": ["a"] * 4 + ["b"] * 2, "ds": [1, 2, 3, 4, 1, 2], "y": 1.0})
    new = pd.DataFrame({"unique_id": ["a", "b", "b"], "ds": [6, 4, 5], "y": 2.0})
    got = forecast_ahead(Last().fit(long), new)
    assert got["ds"].tolist() == [5, 6, 7, 3, 4, 5]
    assert got["y"].isna().tolist() == [True, False, True, True, False, False]
