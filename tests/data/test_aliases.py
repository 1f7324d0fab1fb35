from __future__ import annotations

import pandas as pd
import pytest

from forecast.data.aliases import aliases_of_step, parse_freq


@pytest.mark.parametrize(
    ("old", "new"),
    [("M", "ME"), ("H", "h"), ("3H", "3h"), ("T", "min"), ("15T", "15min"), ("Q", "QE-DEC"),
     ("Q-NOV", "QE-NOV"), ("A", "YE-DEC"), ("Y", "YE-DEC"), ("AS", "YS-JAN"), ("BM", "BME"),
     ("S", "s"), ("d", "D"), ("W", "W-SUN"), ("MS", "MS"), ("ME", "ME"), ("QE", "QE-DEC")],
)  # fmt: skip
def test_old_and_new_aliases(old: str, new: str) -> None:
    assert parse_freq(old).freqstr == new


@pytest.mark.parametrize(
    ("alias", "period"), [("M", "M"), ("ME", "M"), ("QE", "Q-DEC"), ("A", "Y-DEC"), ("H", "h")]
)
def test_aliases_of_periods(alias: str, period: str) -> None:
    assert parse_freq(alias, period=True) == pd.PeriodDtype(period).freq


@pytest.mark.parametrize(
    ("first", "days", "aliases"),
    [
        ("2024-01-01", 1, ["D"]),
        ("2024-01-01", 7, ["W-MON", "7D"]),
        ("2024-01-01", 28, ["MS", "ME", "BMS", "BME", "4W-MON", "28D"]),
        ("2024-05-31", 91, ["QS-FEB", "QE-NOV", "BQS-FEB", "BQE-NOV", "13W-FRI", "91D"]),
        ("2024-06-30", 366, ["YS-JUN", "YE-JUN", "BYS-JUN", "BYE-JUN", "366D"]),
        ("2024-01-01", 10, ["10D"]),
    ],
)
def test_aliases_of_a_step(first: str, days: int, aliases: list[str]) -> None:
    assert aliases_of_step(pd.DatetimeIndex([first]), days) == aliases


def test_an_unknown_frequency_is_said() -> None:
    with pytest.raises(ValueError, match="`freq` must be a pandas frequency.*'fortnight'"):
        parse_freq("fortnight")
