"""Messy files are read right, or a note says how, or they are refused with a remedy that works."""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast._checks import ForecastWarning
from forecast.data.files import read_file
from forecast.data.frames import read_frames
from forecast.data.panel import Panel
from tests.data.messy import Mess, draw, render, rewritten, without

pytestmark = pytest.mark.filterwarnings("ignore::forecast._checks.ForecastWarning")
FEW, MANY = range(25), range(1000)
_MOST_REMEDIES = 4


class Reader:
    """Read a mess as a user would: with options, and doing what messages say."""

    def __init__(self, mess: Mess, folder: Path) -> None:
        self.mess, self.path = mess, folder / "file.csv"
        self.options: dict[str, Any] = {}
        self.resample: str | None = None
        self.rows: dict[int, int] = {}
        self.notes: list[str] = []

    def read(self) -> Panel:
        text, self.rows = render(self.mess)
        self.path.write_bytes(text)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ForecastWarning)
            data = read_file(self.path, **self.options)
        self.notes = [str(one.message) for one in caught]
        if self.resample is not None:
            levels = data.index.names[:-1]
            data = data.rename_axis(index=[*levels, "time"]).reset_index()
            data = data.set_index("time").groupby(levels) if levels else data.set_index("time")
            data = data.resample(self.resample).mean(numeric_only=True)
            data = data.iloc[:, 0] if data.shape[1] == 1 else data
        return read_frames(data)

    def obey(self, message: str) -> bool:
        """Do what a message asks for; tell whether it asks for anything."""
        for pattern, remedy in REMEDIES.items():
            match = re.search(pattern, message)
            if match:
                remedy(self, match)
                return True
        return False

    def is_right(self, panel: Panel) -> bool:
        """Tell whether a panel holds the truth, on the axis that is meant."""
        truth = self.mess.truth.drop(index=list(self.mess.removed))
        groups = list(truth.groupby(self.mess.ids)) if self.mess.ids else [((), truth)]
        expected = [
            rows.set_index("time")[name].sort_index()
            for _, rows in groups
            for name in self.mess.values
        ]
        if panel.n_series != len(expected):
            return False
        return all(is_same(panel, i, one, self.mess) for i, one in enumerate(expected))


def is_same(panel: Panel, i: int, expected: pd.Series, mess: Mess) -> bool:
    times = panel.times(i)
    times = times.to_timestamp() if isinstance(times, pd.PeriodIndex) else times.tz_localize(None)
    read = pd.Series(panel.series(i), times).dropna()
    expected = expected.dropna()
    axis = pd.DatetimeIndex(mess.truth["time"].unique())
    steps = axis.get_indexer(expected.index[[0, -1]])
    if mess.freq == "trading":  # moved to the end of the month
        expected = expected.set_axis(expected.index + pd.offsets.BMonthEnd(0))
    same = len(read) == len(expected) and (read.index == expected.index).all()
    regular = panel.lengths[i] == steps[1] - steps[0] + 1
    return bool(same and regular and np.allclose(read, expected, rtol=1e-9, atol=1e-9))


def mend_cell(reader: Reader, match: re.Match[str]) -> None:
    row = reader.rows[int(match[1])]
    if row < 0:
        remove_row(reader, match)
        return
    truth = reader.mess.truth.copy()
    truth.loc[row, reader.mess.values[0]] = np.nan
    reader.mess = replace(rewritten(reader.mess), truth=truth)


def remove_row(reader: Reader, match: re.Match[str]) -> None:
    row = reader.rows[int(match[1])]
    reader.mess = rewritten(reader.mess) if row < 0 else without(rewritten(reader.mess), row)


def keep_one(reader: Reader, match: re.Match[str]) -> None:
    if reader.mess.fault == "twice":
        reader.mess = rewritten(reader.mess)
    else:
        reader.options |= {"id_col": reader.mess.ids} if reader.mess.ids else {}


def choose(**options: Any) -> Callable[[Reader, re.Match[str]], None]:
    def remedy(reader: Reader, match: re.Match[str]) -> None:
        reader.options |= {key: value(reader.mess) for key, value in options.items()}

    return remedy


def write(fault: str | None = None, **style: Any) -> Callable[[Reader, re.Match[str]], None]:
    def remedy(reader: Reader, match: re.Match[str]) -> None:
        reader.mess = rewritten(reader.mess, fault, **style)

    return remedy


def write_dates(reader: Reader, match: re.Match[str]) -> None:
    reader.mess = replace(rewritten(reader.mess), form="%Y-%m-%d")


def resample(reader: Reader, match: re.Match[str]) -> None:
    reader.resample = match[1]


# What messages ask for, and how it is done.
REMEDIES: dict[str, Callable[[Reader, re.Match[str]], None]] = {
    r"must hold numbers, got .* in line (\d+) .* leave the cell empty": mend_cell,
    r"must hold times such as .* in line (\d+) .*Mend or remove the row": remove_row,
    r"in line (\d+) .*Mend or remove the row": remove_row,
    r"must have a time: .* empty in line (\d+) .*Fill or remove it": remove_row,
    r"must name its series: .* empty in line (\d+) .*Fill or remove it": remove_row,
    r"one value per time.* Keep one or .*id_col": keep_one,
    r"Say which: day_first=True or": choose(day_first=lambda mess: mess.form.startswith("%d")),
    r"in one unit, got .* Write all of them alike": write(sign="{}"),
    r"offset from UTC in all cells or in none.* Write": write(),
    r"got them as columns.* Transpose the table": write(),
    r"months as numbers or in English.* Write 2024-01-31": write_dates,
    r"one column of values, .*Name it with target_col": choose(
        target_col=lambda mess: mess.values[0]
    ),
    r"same number of fields in every line.* remove notes": write(),
    r"Resample .*\.resample\('(.+)'\)\.mean\(\)": resample,
}
# Notes of what is assumed, and how it is said otherwise.
DAY_LEADS = choose(day_first=lambda mess: mess.form.startswith("%d"))
UNNAMED = choose(time_col=lambda mess: [f"column {k + 1}" for k in range(len(mess.time_cols))])
OTHERWISE: dict[str, Callable[[Reader, re.Match[str]], None]] = {
    r"if its .*, say so: decimal=": choose(decimal=lambda mess: mess.style["decimal"]),
    r"\(otherwise: day_first=(?:True|False)\)": DAY_LEADS,
    r"no column holds times.* if some do: time_col": UNNAMED,
}


def outcome(mess: Mess, folder: Path) -> str:
    """Return how a mess is read: right, noted, mended, or what is wrong."""
    reader, how = Reader(mess, folder), "right"
    for _ in range(_MOST_REMEDIES):
        try:
            panel = reader.read()
        except (ValueError, TypeError) as error:
            if not reader.obey(str(error)):
                return f"no remedy: {error}"
            how = "mended"
            continue
        if reader.is_right(panel):
            return how
        told = " ".join(reader.notes)
        asked = [remedy for pattern, remedy in OTHERWISE.items() if re.search(pattern, told)]
        if how == "noted" or not asked:
            return f"wrong, {told!r}"
        match = re.search("", "")
        assert match is not None
        for remedy in asked:
            remedy(reader, match)
        how = "noted"
    return "remedies that do not end"


def outcomes(seeds: range, folder: Path) -> dict[int, str]:
    logging.getLogger("forecast").setLevel(logging.ERROR)
    try:
        return {seed: outcome(draw(seed), folder) for seed in seeds}
    finally:
        logging.getLogger("forecast").setLevel(logging.NOTSET)


def check(found: dict[int, str]) -> None:
    bad = {seed: how for seed, how in found.items() if how not in ("right", "noted", "mended")}
    assert not bad, "\n".join(f"{seed}: {how[:300]}" for seed, how in bad.items())


def test_messy_files_are_right_noted_or_mended(tmp_path: Path) -> None:
    check(outcomes(FEW, tmp_path))


@pytest.mark.slow
def test_a_thousand_messy_files_are_right_noted_or_mended(tmp_path: Path) -> None:
    began = time.perf_counter()
    found = outcomes(MANY, tmp_path)
    print(Counter(found.values()), f"{time.perf_counter() - began:.0f} s")
    check(found)


@pytest.mark.parametrize("seed", FEW[::10])
def test_a_mess_is_drawn_again(seed: int) -> None:
    assert render(draw(seed))[0] == render(draw(seed))[0]


def test_a_wrong_value_is_seen(tmp_path: Path) -> None:
    mess = draw(next(seed for seed in FEW if draw(seed).fault is None))
    reader = Reader(mess, tmp_path)
    truth = mess.truth.copy()
    truth.loc[5, mess.values[0]] += 1
    panel = reader.read()
    reader.mess = replace(mess, truth=truth)
    assert not reader.is_right(panel)
