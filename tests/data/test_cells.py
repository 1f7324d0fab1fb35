"""Numbers are read with the signs around them, or refused with a remedy that works."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest

from forecast._checks import ForecastWarning
from forecast.data.cells import read_numbers, usual_decimal
from forecast.data.files import read_file


def cells(*texts: str | None) -> pd.Series:
    return pd.Series(list(texts), name="y", dtype=object)


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["$1,234", "$5"], [1234, 5]),
        (["12.5%", "3 %"], [12.5, 3]),
        (["EUR 5", "EUR 1,250.50"], [5, 1250.5]),
        (["5 €", "-7 €"], [5, -7]),
        (["5-", "3"], [-5, 3]),
        (["(1,250)", "20"], [-1250, 20]),
        (["-$3", "$-4"], [-3, -4]),
        (["US$7", "US$8"], [7, 8]),
    ],
)
def test_signs_around_numbers(texts: list[str], numbers: list[float]) -> None:
    with pytest.warns(ForecastWarning, match=r"cells such as .* are read as"):
        assert read_numbers(cells(*texts), ".").tolist() == numbers


def test_a_decimal_comma_is_seen_below_a_sign() -> None:
    column = cells("1.234,50 €", "7,25 €")
    assert usual_decimal(column.to_frame()) == ","
    with pytest.warns(ForecastWarning):
        assert read_numbers(column, ",").tolist() == [1234.5, 7.25]


@pytest.mark.parametrize(
    ("texts", "decimal", "told"),
    [
        (["1.234.567", "5"], ",", ""),
        (["42.810", "64", "1.250"], ",", "point is a decimal one, say so: decimal='.'"),
        (["142", "1.251", "977"], ",", "point is a decimal one, say so: decimal='.'"),
        (["142", "1.251"], ".", "point separates thousands, say so: decimal=','"),
        (["1.255", "1.315", "15", "16"], ".", "point separates thousands, say so: decimal=','"),
        (["4.667", "4", "5"], ".", "point separates thousands, say so: decimal=','"),
        (["9.757", "3.140"], ".", "point separates thousands, say so: decimal=','"),
        (["9.757", "3.14"], ".", ""),
        (["0.757", "3.140"], ".", ""),
        (["9.757", "64"], ".", "point separates thousands, say so: decimal=','"),
    ],
)
def test_points_before_three_digits(texts: list[str], decimal: str, told: str) -> None:
    days = [f"{k + 1:02d}.03.2024" for k in range(len(texts))]
    table = pd.DataFrame({"day": days, "y": texts, "store": ["7"] * len(texts)}, dtype=object)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert usual_decimal(table) == decimal
    notes = [str(one.message) for one in caught]
    assert (told in notes[0]) if told else not notes


@pytest.mark.parametrize("texts", [["5%", "0.05"], ["$5", "€5"], ["EUR 5", "USD 5"]])
def test_two_units_in_a_column_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="in one unit, got .* in row 0 and .* in row 1"):
        read_numbers(cells(*texts), ".")
    alike = [text.strip("%$€EURSD ") for text in texts]
    assert len(read_numbers(cells(*alike), ".")) == 2


@pytest.mark.parametrize("text", ["5 apples", "A5", "1.2.3", "(5", "5)", "--5", "%"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="must hold numbers, got .* in row 1"):
        read_numbers(cells("1", text), ".")


@pytest.mark.parametrize("place", ["ds", "y"])
def test_a_long_cell_is_quoted_by_its_beginning(place: str, tmp_path: Path) -> None:
    cells = {"ds": "2024-01-02", "y": "5"} | {place: "x" * 9_000}
    path = tmp_path / "a.csv"
    path.write_text(f"ds,y\n2024-01-01,4\n{cells['ds']},{cells['y']}\n2024-01-03,6\n")
    with pytest.raises(ValueError, match=r"'xxx.*\.\.\. in line 3") as caught:
        read_file(path)
    assert len(str(caught.value)) < 300
