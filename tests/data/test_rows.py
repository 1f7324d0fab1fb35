"""Rows that are one too many: which of them contradict each other, and why there may be two."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from forecast.data.files import read_file


def test_the_hour_that_local_clocks_show_twice_is_named(tmp_path: Path) -> None:
    hours = pd.date_range("2024-10-26", "2024-10-28", freq="h", tz="Europe/Berlin")
    load = pd.DataFrame({"time": hours, "load": range(len(hours))})
    load.assign(time=hours.tz_localize(None)).to_csv(tmp_path / "local.csv", index=False)
    with pytest.raises(ValueError, match="27 02:00:00 .* when summer time ends: .* offset from"):
        read_file(tmp_path / "local.csv")
    load.to_csv(tmp_path / "zoned.csv", index=False)
    with pytest.warns(match=r"\+01:00, \+02:00 to UTC"):
        assert len(read_file(tmp_path / "zoned.csv")) == 50
