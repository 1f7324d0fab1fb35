"""The time is found wherever a table tells it: in one column, in several, in numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast._checks import ForecastWarning
from forecast.data.files import read_covariates, read_file
from forecast.data.frames import read_frames

HOURS = pd.date_range("2011-01-01", periods=100, freq="h")
MONTHS = pd.period_range("1958-03", periods=60, freq="M")
QUARTERS = pd.period_range("2001Q1", periods=9, freq="Q")
WEEKS = pd.date_range("2020-12-14", periods=9, freq="W-MON")
DAYS = pd.date_range("2024-01-05", periods=40)


def table(index: pd.Index, line: Callable[[Any, int], str], header: str = "") -> str:
    """Return a text of one line per time, below a header."""
    lines = [line(time, k) for k, time in enumerate(index)]
    return "\n".join([header, *lines] if header else lines) + "\n"


def read(folder: Path, text: str, **options: Any) -> tuple[Any, str]:
    """Read a text as a file; return its notes in one text, too."""
    path = folder / "file.csv"
    path.write_text(text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ForecastWarning)
        data = read_file(path, **options)
    return data, " ".join(str(one.message) for one in caught)


def test_a_date_and_a_clock_are_joined(tmp_path: Path) -> None:
    minutes = pd.date_range("2006-12-16 17:24", periods=200, freq="min")
    header = "Date;Time;Power;Voltage"
    text = table(
        minutes, lambda t, k: f"{t:%d/%m/%Y;%H:%M:%S};{k}.5;{'?' if k == 7 else 230}", header
    )
    data, told = read(tmp_path, text)
    assert (data.index == minutes).all() and data.index.name == "Date Time"
    assert list(data) == ["Power", "Voltage"] and data["Power"].tolist()[:2] == [0.5, 1.5]
    assert "columns 'Date', 'Time' together tell the time." in told
    assert "2 series are read, a column each; target_col picks one." in told
    assert read_frames(data).freq == "min"
    with pytest.warns(ForecastWarning, match="together tell the time"):
        X = read_covariates(tmp_path / "file.csv", data["Power"])
    assert (X.index == minutes).all() and list(X) == ["Voltage"]


@pytest.mark.parametrize("clock", ["%H:%M", "%I:%M %p", "%H:%M:%S.5"])
def test_forms_of_clocks(clock: str, tmp_path: Path) -> None:
    text = table(HOURS, lambda t, k: f"{t:%Y-%m-%d},{t.strftime(clock)},{k}", "day,at,y")
    data, _ = read(tmp_path, text)
    assert (data.index.floor("s") == HOURS).all()


def test_a_day_and_its_hour_with_what_repeats_them(tmp_path: Path) -> None:
    """The form of the bike-sharing data."""
    header = "instant,dteday,season,yr,mnth,hr,weekday,temp,cnt"
    text = table(
        HOURS,
        lambda t, k: (
            f"{k + 1},{t:%Y-%m-%d},1,{t.year - 2011},{t.month},{t.hour},"
            f"{(t.day_of_week + 1) % 7},0.{k % 24:02d},{10 + k % 24}"
        ),
        header,
    )
    data, told = read(tmp_path, text)
    assert (data.index == HOURS).all() and list(data) == ["season", "temp", "cnt"]
    assert "column 'instant' left out: the numbers of the rows." in told
    assert "columns 'yr', 'mnth', 'weekday' left out: the time says it too." in told
    assert "3 series are read" in told and read_frames(data).freq == "h"


@pytest.mark.parametrize("comments", ["", "# CO2, in ppm\n# of one station\n"])
def test_years_months_and_decimal_dates(comments: str, tmp_path: Path) -> None:
    """The form of the CO2 data."""
    header = "year,month,decimal date,average,trend"
    rows = table(
        MONTHS,
        lambda t, k: f"{t.year},{t.month},{t.year + (t.month - 0.5) / 12:.4f},{k}.5,{k}",
        header,
    )
    data, told = read(tmp_path, comments + rows)
    assert data.index.equals(MONTHS) and list(data) == ["average", "trend"]
    assert "'year', 'month' together" in told and "'decimal date' left out" in told
    assert read_frames(data).freq == "M"


@pytest.mark.parametrize("separator", [";", "   "])
def test_years_and_months_without_a_header(separator: str, tmp_path: Path) -> None:
    """The form of the sunspot data."""
    parts = lambda t, k: (t.year, f"{t.month:02d}", f"{t.year + (t.month - 0.5) / 12:.3f}", k / 2)  # noqa: E731
    text = table(MONTHS, lambda t, k: separator.join(map(str, parts(t, k))))
    data, told = read(tmp_path, text)
    assert data.index.equals(MONTHS) and data.tolist()[:3] == [0, 0.5, 1]
    assert "has no header" in told and "'column 3' left out: the time says it too" in told


def test_years_months_and_days_without_a_header(tmp_path: Path) -> None:
    data, _ = read(tmp_path, table(DAYS, lambda t, k: f"{t.year};{t.month};{t.day};{k / 2}"))
    assert (data.index == DAYS).all() and data.tolist()[:2] == [0, 0.5]


@pytest.mark.parametrize(
    ("header", "form", "index"),
    [
        ("No,year,month,day,hour,pm", "{k},{t.year},{t.month},{t.day},{t.hour},{k}.5", HOURS),
        ("Year,Month,Day,pm", "{t.year},{t:%B},{t.day},{k}.5", DAYS),
        ("YEAR,MO,pm", "{t.year},{t.month},{k}.5", MONTHS),
        ("Month,Year,pm", "{t:%b},{t.year},{k}.5", MONTHS),
        ("Year,Quarter,pm", "{t.year},{t.quarter},{k}.5", QUARTERS),
        ("Year,Qtr,pm", "{t.year},Q{t.quarter},{k}.5", QUARTERS),
        ("year,week,pm", "{t:%G},{t:%V},{k}.5", WEEKS),
    ],
)
def test_parts_of_a_time_are_joined(
    header: str, form: str, index: pd.Index, tmp_path: Path
) -> None:
    stamp = lambda t: t.to_timestamp() if isinstance(t, pd.Period) else t  # noqa: E731
    text = table(index, lambda t, k: form.format(t=stamp(t), k=k), header)
    data, told = read(tmp_path, text)
    assert (data.index == index).all() and "together tell the time" in told
    assert data.tolist() == [k + 0.5 for k in range(len(index))]


def test_parts_that_are_named(tmp_path: Path) -> None:
    halves = pd.date_range("2024-01-01", periods=96, freq="30min")
    text = table(halves, lambda t, k: f"{t:%d.%m.%Y};{k % 48 + 1};{k}", "day;block;load")
    data, _ = read(tmp_path, text, time_col=["day", "block"])
    assert (data.index == halves).all()
    with pytest.raises(ValueError, match=r"time_col") as caught:
        read(tmp_path, text, target_col="load", time_col="day")
    assert "got 0 and 1 at 2024-01-01" in str(caught.value)
    with pytest.raises(ValueError, match="a date and a time of day, or a year and its"):
        read(tmp_path, text, time_col=["load", "block"])


def test_twelve_columns_of_months_become_rows(tmp_path: Path) -> None:
    names = "Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec"
    line = lambda y, k: f"{y},{','.join(str(12 * k + m) for m in range(12))},{k},***"  # noqa: E731
    text = table(pd.RangeIndex(1990, 1996), line, f"Year,{names},Mean,J-D")
    data, told = read(tmp_path, text)
    assert data.index.equals(pd.period_range("1990-01", periods=72, freq="M", name="Year month"))
    assert data.tolist() == list(range(72)) and "'Mean' left out" in told
    assert "'Jan' to 'Dec' are read as the months of column 'Year'" in told


def test_columns_of_hours_become_rows(tmp_path: Path) -> None:
    line = lambda t, k: f"{t:%Y-%m-%d},{','.join(str(24 * k + h) for h in range(24))}"  # noqa: E731
    header = "Date," + ",".join(f"H{h}" for h in range(1, 25))
    data, _ = read(tmp_path, table(DAYS, line, header))
    assert (data.index == pd.date_range(DAYS[0], periods=960, freq="h")).all()
    assert data.tolist() == list(range(960))


@pytest.mark.parametrize(
    ("name", "number", "what"),
    [
        ("when", lambda t: int(t.timestamp()), "seconds since 1970"),
        ("when", lambda t: int(t.timestamp() * 1000), "milliseconds since 1970"),
        ("time", lambda t: f"{t.timestamp():.3f}", "seconds since 1970"),
        ("t", lambda t: f"{t:%Y%m%dT%H%M}", ""),
        ("date", lambda t: (t - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1), "spreadsheet"),
    ],
)
def test_numbers_that_stand_for_times(
    name: str, number: Callable[[Any], Any], what: str, tmp_path: Path
) -> None:
    data, told = read(tmp_path, table(HOURS, lambda t, k: f"{number(t)},{k}", f"{name},y"))
    assert (data.index == HOURS).all() and what in told


def test_days_of_a_spreadsheet_may_have_decimal_commas(tmp_path: Path) -> None:
    text = table(HOURS, lambda t, k: f"{40544 + k / 24:.6f};{k},5".replace(".", ","), "Datum;y")
    data, told = read(tmp_path, text)
    assert (data.index == HOURS).all() and "spreadsheet" in told


def test_days_of_a_spreadsheet_need_a_name_that_says_so(tmp_path: Path) -> None:
    data, told = read(tmp_path, table(DAYS, lambda t, k: f"{45000 + k},{k}", "Date,y"))
    assert (data.index == pd.date_range("2023-03-15", periods=40)).all() and "spreadsheet" in told
    data, told = read(tmp_path, table(DAYS, lambda t, k: f"{45000 + k},{k}", "number,y"))
    assert data.index[0] == 45000 and not told


def test_years_with_decimals_are_months_or_quarters(tmp_path: Path) -> None:
    """The form in which R writes a time series."""
    text = table(
        MONTHS,
        lambda t, k: f'"{k + 1}",{t.year + (t.month - 1) / 12:.10g},{k}',
        '"","time","value"',
    )
    data, told = read(tmp_path, text)
    assert data.index.equals(MONTHS.rename("time")) and "years with decimals: months" in told
    data, _ = read(tmp_path, table(MONTHS, lambda t, k: f"{1990 + k / 4},{k}", "time,y"))
    assert data.index.equals(pd.period_range("1990Q1", periods=60, freq="Q", name="time"))


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_the_numbers_of_rows_are_no_series(name: str, shuffled: bool, tmp_path: Path) -> None:
    frame = pd.DataFrame({"day": DAYS, "y": np.arange(40.0)})
    frame = frame.sample(frac=1, random_state=0) if shuffled and not name else frame
    data, told = read(tmp_path, frame.to_csv(index_label=name))
    assert data.name == "y" and data.tolist() == list(range(40))
    assert told == f"column {name!r} left out: the numbers of the rows."
    long = pd.concat([frame.assign(shop=shop) for shop in "AB"], ignore_index=True)
    data, told = read(tmp_path, long.to_csv(index_label=name))
    assert data.index.names == ["shop", "day"] and "numbers of the rows" in told


def test_the_numbers_of_rows_are_the_time_where_nothing_else_is(tmp_path: Path) -> None:
    data, told = read(tmp_path, pd.Series([5.0, 6.0, 8.0], name="y").to_csv())
    assert data.index.tolist() == [0, 1, 2] and data.tolist() == [5, 6, 8] and not told


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y-%m-%d %H:%M"])
def test_a_cell_that_begins_with_the_year_is_never_swapped(form: str, tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=200)
    data, told = read(
        tmp_path, table(days, lambda t, k: f"{t.strftime(form)},{k}", "day,y"), day_first=True
    )
    assert (data.index == days).all() and not told


@pytest.mark.parametrize("first", [0, 1])
def test_a_mixed_column_is_told_apart_by_cell(first: int, tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=200)
    forms = ("%Y-%m-%d", "%d/%m/%Y")
    text = table(days, lambda t, k: f"{t.strftime(forms[(k + first) % 2])},{k}", "day,y")
    data, _ = read(tmp_path, text)
    assert (data.index == days).all() and data.tolist() == list(range(200))


def test_naive_and_aware_times_are_not_mixed(tmp_path: Path) -> None:
    text = "t,y\n2024-01-01T00:00Z,1\n2024-01-01 01:00,2\n2024-01-01T02:00Z,3\n"
    with pytest.raises(
        ValueError, match=r"in all cells or in none, got '.*Z' in line 2 and '.*' in line 3"
    ):
        read(tmp_path, text)
    for remedy in (text.replace("Z", ""), text.replace("01:00", "01:00Z")):
        assert read_frames(read(tmp_path, remedy)[0]).freq == "h"


def test_a_week_that_its_year_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got '2024-W53' in line 3"):
        read(tmp_path, "week,y\n2024-W52,1\n2024-W53,2\n2025-W01,3\n")


def test_account_numbers_are_no_times(tmp_path: Path) -> None:
    data, _ = read(tmp_path, "account,y\n12345678901234567890,1\n12345678901234567891,2\n")
    assert data.index.tolist() == [0, 1]


@pytest.mark.parametrize(
    "form",
    ["%G-W%V", "%GW%V", "W%V/%G", "KW %V %G", "Week %V, %G", "%G KW%V", "%G-W%V-%u", "%G%V"],
)
def test_forms_of_weeks(form: str, tmp_path: Path) -> None:
    data, told = read(tmp_path, table(WEEKS, lambda t, k: f'"{t.strftime(form)}",{k}', "Woche,y"))
    assert (data.index == WEEKS).all() and data.tolist() == list(range(9))
    assert told == ("column 'Woche' is read as weeks of ISO 8601." if form == "%G%V" else "")


@pytest.mark.parametrize(
    ("name", "form", "index"),
    [
        ("Date", "%A, %d %B %Y", DAYS),
        ("Date", "%a %d.%m.%Y", DAYS),
        ("Date", "%d - %b - %Y", DAYS),  # no span
        ("Date", "%G-W%V-%u", DAYS),
        ("day", "%d%m%Y", DAYS),
        ("day", "%m%d%Y", DAYS),
        ("Quarter", "%qQ%Y", QUARTERS),
        ("Year", "FY%Y", pd.period_range("1999", periods=9, freq="Y")),
    ],
)
def test_rarer_forms_of_times(name: str, form: str, index: pd.Index, tmp_path: Path) -> None:
    data, _ = read(tmp_path, table(index, lambda t, k: f'"{t.strftime(form)}",{k}', f"{name},y"))
    assert (data.index == index).all() and data.tolist() == list(range(len(index)))


def test_a_zero_may_miss_before_digits_and_weekdays_be_german(tmp_path: Path) -> None:
    bare = table(DAYS, lambda t, k: f"{t:%d%m%Y},{k}".lstrip("0"), "day,y")
    names = "Mo Di Mi Do Fr Sa So".split()
    named = table(DAYS, lambda t, k: f"{names[t.weekday()]}. {t:%d.%m.%Y};{k}", "Tag;y")
    assert all((read(tmp_path, text)[0].index == DAYS).all() for text in (bare, named))


def test_spans_begin_at_their_first_time(tmp_path: Path) -> None:
    def line(time: pd.Timestamp, k: int) -> str:
        return f"{time:%d.%m.%Y %H:%M} - {time + HOURS.freq:%d.%m.%Y %H:%M},{k}"

    data, told = read(tmp_path, table(HOURS, line, "MTU,y"), day_first=True)
    assert (data.index == HOURS).all() and "their beginnings are the times" in told


def test_an_hour_24_is_the_next_midnight(tmp_path: Path) -> None:
    def line(time: pd.Timestamp, k: int) -> str:
        begun = time - pd.Timedelta(hours=1)
        return f"{begun:%Y-%m-%d} {begun.hour + 1:02d}:00,{k}"

    data, _ = read(tmp_path, table(HOURS, line, "t,y"))
    assert (data.index == HOURS).all()


@pytest.mark.parametrize("form", ["%y%m", "%g%V"])
def test_years_of_two_digits_count_no_steps(form: str, tmp_path: Path) -> None:
    index = MONTHS if form == "%y%m" else pd.date_range("2023-12-11", periods=9, freq="W-MON")
    with pytest.raises(ValueError, match="column 'Week' must have years of four digits, got"):
        read(tmp_path, table(index, lambda t, k: f"{t.strftime(form)},{k}", "Week,y"))
    data, _ = read(tmp_path, table(pd.RangeIndex(1001, 1100), lambda t, k: f"{t},{k}", "Week,y"))
    assert data.index[0] == 1001


def test_columns_of_quarters_and_of_parts_of_a_day_become_rows(tmp_path: Path) -> None:
    rows = "\n".join(f"{2001 + k},{4 * k},{4 * k + 1},{4 * k + 2},{4 * k + 3}" for k in range(5))
    data, _ = read(tmp_path, f"Year,Q1,Q2,Q3,Q4\n{rows}\n")
    assert data.index.equals(pd.period_range("2001Q1", periods=20, freq="Q", name="Year quarter"))
    assert data.tolist() == list(range(20))
    clocks = pd.date_range("2024-01-01", periods=96, freq="15min").strftime("%H:%M")
    rows = "\n".join(f"2024-01-0{d},{','.join(map(str, range(96)))}" for d in (1, 2, 3))
    data, told = read(tmp_path, f"Date,{','.join(clocks)}\n{rows}\n")
    assert (data.index == pd.date_range("2024-01-01", periods=288, freq="15min")).all()
    assert data.tolist() == [*range(96)] * 3 and "'00:00' to '23:45' are read as" in told
    ends = [*clocks[1:], "24:00"]
    assert read(tmp_path, f"Date,{','.join(ends)}\n{rows}\n")[0].index.equals(data.index)


def test_settlement_periods_are_half_hours(tmp_path: Path) -> None:
    half = pd.date_range("2024-10-25", periods=192, freq="30min")
    header = "SETTLEMENT_DATE,SETTLEMENT_PERIOD,y"

    def line(time: pd.Timestamp, k: int) -> str:
        return f"{time:%Y-%m-%d},{k % 48 + 1},{k}"

    data, _ = read(tmp_path, table(half, line, header))
    assert (data.index == half).all()
    longer = table(half, line, header) + "2024-10-29,49,1\n2024-10-29,50,1\n"
    named = {"time_col": ["SETTLEMENT_DATE", "SETTLEMENT_PERIOD"]}
    with pytest.raises(ValueError, match="equal parts of a day, got 50"):
        read(tmp_path, longer, **named)


def test_a_year_that_is_written_once_is_named(tmp_path: Path) -> None:
    rows = "\n".join(f"{2019 if k == 0 else ''},{k + 1},{k}" for k in range(12))
    with pytest.raises(ValueError, match="column 'Year' is empty in line 3"):
        read(tmp_path, f"Year,Month,y\n{rows}\n")


@pytest.mark.parametrize("cell", ["01-Feb", "2024H1", "1Q09", "FY09 Q1", "2024P05"])
def test_text_that_seems_to_be_the_time_is_not_passed_over(cell: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"column 'Period' must hold times .* got '{cell}'"):
        read(tmp_path, f"Period,y\n{cell},1.5\n{cell},2.5\n")
    data, told = read(tmp_path, "Period,y\nPeriod 1,1.5\nPeriod 2,2.5\n")
    assert data.tolist() == [1.5, 2.5] and "rows are counted" in told


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("timezone", ["UTC+1:00", "UTC+2:00"]),
        ("day_type", ["1-a", "2-b"]),
        ("day", ["busy", "calm"]),
        ("time", ["09:30", "09:40"]),
        ("Age (years)", ["20-24", "25-29"]),
        ("", ["a1-x", "a2-x"]),
    ],
)
def test_not_all_text_that_sounds_like_a_time_is_one(
    name: str, cells: list[str], tmp_path: Path
) -> None:
    data, told = read(tmp_path, f"{name},y\n{cells[0]},1.5\n{cells[1]},2.5\n")
    assert data.tolist() == [1.5, 2.5] and "rows are counted" in told
    data, _ = read(tmp_path, "step,day,y\n3,1-a,1.5\n4,2-b,2.5\n")
    assert data.index.tolist() == [3, 4]


@pytest.mark.parametrize("form", ["%Y-%m", "%b-%y", "%Y"])
def test_times_as_columns_are_refused(form: str, tmp_path: Path) -> None:
    header = ",".join(t.strftime(form) for t in MONTHS[::12])
    with pytest.raises(ValueError, match="times must run down the rows, got them as columns"):
        read(tmp_path, f"Store,{header}\nA,1,2,3,4,5\nB,2,3,4,5,6\n")


def test_the_total_of_a_year_among_months_is_named(tmp_path: Path) -> None:
    rows = "\n".join(f"{month},{k}" for k, month in enumerate(MONTHS))
    with pytest.raises(ValueError, match=r"got '1958' in line 62 \(1 such cells\)"):
        read(tmp_path, f"Month,y\n{rows}\n1958,3\n")
