"""A column for each month or quarter: what stands beside them may name the series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast._checks import ForecastWarning
from forecast.data.files import read_file
from forecast.data.time_parts import MONTHS
from forecast.data.unfolding import unfolded

STORES = pd.DataFrame({"store": [1, 1, 2, 2], "year": [2023, 2024] * 2}).join(
    pd.DataFrame(np.arange(48).reshape(4, 12), columns=list(MONTHS))
)


@pytest.mark.parametrize(("options", "beside"), [({}, 5.5), ({"id_col": "store"}, 66)])
def test_stores_that_are_numbers_name_the_series(
    options: dict[str, Any], beside: float, tmp_path: Path
) -> None:
    STORES.assign(beside=beside).to_csv(tmp_path / "stores.csv", index=False)
    with pytest.warns(ForecastWarning, match="'year'; 'beside' left out|'store' names"):
        data = read_file(tmp_path / "stores.csv", **options)
    assert data.index.names == ["store", "year month"]
    assert data.xs("2").tolist() == list(range(24, 48))


def test_a_mean_with_a_decimal_comma_is_left_out(tmp_path: Path) -> None:
    one = STORES.iloc[:2, 1:].assign(mean=[5.5, 17.5])
    one.to_csv(tmp_path / "mean.csv", index=False, sep=";", decimal=",")
    with pytest.warns(ForecastWarning, match="'mean' left out"):
        assert read_file(tmp_path / "mean.csv").tolist() == list(range(24))


def test_a_row_that_came_twice_makes_no_series_of_a_total(tmp_path: Path) -> None:
    one = STORES.iloc[[0, 1, 1], 1:].assign(total=[66, 210, 210])
    one.to_csv(tmp_path / "twice.csv", index=False)
    with pytest.warns(ForecastWarning, match="'total' left out|copies of other rows"):
        assert read_file(tmp_path / "twice.csv").tolist() == list(range(24))


def test_five_questions_are_no_quarters() -> None:
    cells = {"year": ["2023", "2024"]} | {f"Q{k}": ["1", "2"] for k in range(1, 6)}
    answers = pd.DataFrame(cells, dtype=object)
    table, columns = unfolded(answers)
    assert table.equals(answers) and not columns
