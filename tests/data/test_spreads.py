"""Rounding is no deviation, whatever the unit."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.data.spreads import spread_or_one


@pytest.mark.parametrize("unit", [1e-30, -1.0, 1e30])
def test_a_deviation_counts_in_any_unit_and_rounding_in_none(unit: float) -> None:
    columns = unit * np.array([[0.1, 1.0, 0.0], [0.1, 3.0, 0.0], [0.1, 5.0, 0.0]])
    found = spread_or_one(columns.std(0), columns.mean(0), 3)
    assert found == pytest.approx([1.0, abs(unit) * np.sqrt(8 / 3), 1.0])


def test_the_mean_of_many_equal_values_rounds_once_per_value() -> None:
    tenths = np.full((100_000, 2), 0.1)  # summed row by row
    assert tenths.std(0)[0] > 1e-12 * 0.1
    assert spread_or_one(tenths.std(0), tenths.mean(0), len(tenths)).tolist() == [1.0, 1.0]
