"""Files of every dialect become the same frame, or an error that says what to do."""

from __future__ import annotations

import builtins
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast._checks import ForecastWarning
from forecast.data.files import read_covariates, read_file, write_file
from forecast.data.frames import read_frames

DAYS = pd.date_range("2024-01-30", periods=4, freq="D", name="day")
LOAD = pd.Series([1250.5, 1300.0, np.nan, 950.25], DAYS, name="load")


def read(folder: Path, text: str | bytes, **options: Any) -> Any:
    """Read a text as a file; a notice is an error."""
    path = folder / "file.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_file(path, **options)


def notices(folder: Path, text: str, **options: Any) -> tuple[Any, list[str]]:
    """Read a text as a file; return its notices too."""
    path = folder / "file.csv"
    path.write_text(text)
    with pytest.warns(ForecastWarning) as caught:
        data = read_file(path, **options)
    return data, [str(one.message) for one in caught]


def same(data: pd.Series, expected: pd.Series = LOAD) -> None:
    pd.testing.assert_series_equal(
        data, expected, check_freq=False, check_index_type=False, check_names=True
    )


@pytest.mark.parametrize(
    "text",
    [
        "day,load\n2024-01-30,1250.5\n2024-01-31,1300\n2024-02-01,\n2024-02-02,950.25\n",
        "day;load\n30.01.2024;1.250,5\n31.01.2024;1.300\n01.02.2024;n/a\n02.02.2024;950,25\n",
        "day\tload\n1/30/24\t1,250.5\n1/31/24\t1,300\n2/1/24\t-\n2/2/24\t950.25\n",
        'day,load\n30/01/2024,"1 250,5"\n31/01/2024,1300\n1/2/2024,NA\n2/2/2024,"950,25"\n',
        "day|load\n20240130|1'250.5\n20240131|1300\n20240201|NULL\n20240202|950.25\n",
        "day;load\n30 Jan 2024;1250,5\n31 Jan 2024;1300\n1 Feb 2024;?\n2 Feb 2024;950,25\n",
        " day , load \r\n\r\n2024-01-30 , 1250.5\r\n2024/01/31,1300\r\n,,\r\n"
        "2024-02-01,#N/A\r\n2024-02-02,950.25\r\n\r\n",
        "day,load,\n2024-02-02,950.25,\n2024-02-01,None,\n2024-01-31,1300,\n2024-01-30,1250.5,\n",
        "\n\nday,load\n2024-01-30T00:00,1.2505e3\n2024-01-31T00:00,1300\n2024-02-01T00:00,nan\n"
        "2024-02-02T00:00,950.25",
    ],
    ids=["plain", "german", "us", "french", "swiss", "names", "blanks", "unsorted", "iso"],
)
def test_every_dialect_is_read_alike(tmp_path: Path, text: str) -> None:
    same(read(tmp_path, text))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    data = read(tmp_path, "Zählung;Größe\n2024-01-01;1\n2024-01-02;2\n".encode(encoding))
    assert (data.index.name, data.name) == ("Zählung", "Größe")


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["2024-01", "2024-02", "2024-03"], pd.period_range("2024-01", periods=3, freq="M")),
        (["202401", "202402", "202403"], pd.period_range("2024-01", periods=3, freq="M")),
        (["01.2024", "02.2024", "03.2024"], pd.period_range("2024-01", periods=3, freq="M")),
        (["2024M1", "2024M2", "2024M3"], pd.period_range("2024-01", periods=3, freq="M")),
        (["2024Q3", "2024Q4", "2025Q1"], pd.period_range("2024Q3", periods=3, freq="Q")),
        (["Q3 2024", "Q4 2024", "Q1 2025"], pd.period_range("2024Q3", periods=3, freq="Q")),
        (["1999", "2000", "2001"], pd.period_range("1999", periods=3, freq="Y")),
        (["1999.0", "2000.0", "2001.0"], pd.period_range("1999", periods=3, freq="Y")),
        (["1998", "2000", "2002"], pd.date_range("1998", periods=3, freq="2YS")),
        (["2024-01", "2024-04", "2024-07"], pd.date_range("2024", periods=3, freq="QS")),
        (["2024-W01", "2024-W02", "2024-W03"], pd.date_range("2024-01-01", periods=3, freq="7D")),
        (["Jan-24", "Feb-24", "Mar-24"], pd.date_range("2024", periods=3, freq="MS")),
        (["3", "4", "5"], pd.RangeIndex(3, 6)),
        (["10", "20", "30"], pd.RangeIndex(10, 40, 10)),
        (
            ["31.01.2024 22:00", "31.01.2024 23:00", "01.02.2024 00:00"],
            pd.date_range("2024-01-31 22:00", periods=3, freq="h"),
        ),
        (
            ["1/31/2024 10:00 PM", "1/31/2024 11:00 PM", "2/1/2024 12:00 AM"],
            pd.date_range("2024-01-31 22:00", periods=3, freq="h"),
        ),
        (
            ["2024-01-01T00:00Z", "2024-01-01T01:00Z", "2024-01-01T02:00Z"],
            pd.date_range("2024-01-01", periods=3, freq="h", tz="UTC"),
        ),
    ],
)
def test_forms_of_time(tmp_path: Path, times: list[str], expected: pd.Index) -> None:
    text = "t,y\n" + "".join(f"{time},{k}\n" for k, time in enumerate(times))
    data = read(tmp_path, text)
    assert (data.index == expected).all()
    assert data.index.dtype == expected.dtype
    assert read_frames(data).lengths.tolist() == [3]


def test_offsets_from_utc_are_told(tmp_path: Path) -> None:
    text = "t,y\n2024-03-31T00:00+01:00,1\n2024-04-01T00:00+02:00,2\n"
    data, told = notices(tmp_path, text)
    assert data.index[1] == pd.Timestamp("2024-03-31 22:00", tz="UTC")
    assert told == ["times are taken from +01:00, +02:00 to UTC."]


def test_day_or_month_first_is_told_by_regular_steps(tmp_path: Path) -> None:
    months = "t,y\n" + "".join(f"01/{m:02d}/{y},{m}\n" for y in (2022, 2023) for m in range(1, 13))
    data, told = notices(tmp_path, months)
    assert data.index.equals(pd.date_range("2022", periods=24, freq="MS"))
    assert told == ["dates such as '01/01/2022' are read with the day first "
                    "(otherwise: day_first=False)."]  # fmt: skip
    days = read(tmp_path, "t,y\n01/02/2024,1\n01/03/2024,2\n", day_first=False)
    assert days.index.month.tolist() == [1, 1]
    dots, told = notices(tmp_path, "t,y\n01.02.2024,1\n01.03.2024,2\n")
    assert dots.index.day.tolist() == [1, 1] and "day first" in told[0]


def test_a_comma_before_three_digits_is_told(tmp_path: Path) -> None:
    text = 'day,load\n2024-01-01,"1,250"\n2024-01-02,"1,300"\n'
    data, told = notices(tmp_path, text)
    assert data.tolist() == [1250, 1300] and "decimal=','" in told[0]
    assert read(tmp_path, text, decimal=",").tolist() == [1.25, 1.3]


def test_a_file_without_header_or_times(tmp_path: Path) -> None:
    data, told = notices(tmp_path, "2024-01-01,5\n2024-01-02,6\n")
    assert data.index.name == "column 1" and data.tolist() == [5, 6]
    assert "has no header: its columns are called column 1, column 2" in told[0]
    data, told = notices(tmp_path, "a,b\n3,5\n1,2\n2,2\n")
    assert data.index.tolist() == [0, 1, 2] and data["a"].tolist() == [3, 1, 2]
    assert told == [
        "no column holds times: rows are counted 0, 1, 2, ...; if some do: time_col.",
        "2 series are read, a column each; target_col picks one.",
    ]
    data = read(tmp_path, ",0\n2024-01-01,5\n2024-01-02,6\n")
    assert (data.name, data.index.name) == ("0", None)


def test_lines_above_the_table_are_skipped(tmp_path: Path) -> None:
    text = "Sales of 2024\nin thousands\n\nday,y\n2024-01-01,1\n2024-01-02,2\n"
    data, told = notices(tmp_path, text)
    assert data.tolist() == [1, 2] and told == ["2 lines above the table of file.csv skipped."]


def test_several_columns_are_series_and_text_is_left_out(tmp_path: Path) -> None:
    text = "day,A,note,B\n2024-01-01,1,ok,3\n2024-01-02,2,,4\n"
    data, told = notices(tmp_path, text)
    assert data.to_dict("list") == {"A": [1, 2], "B": [3, 4]}
    assert told == [
        "column 'note' (text) is not used.",
        "2 series are read, a column each; target_col picks one.",
    ]
    one, told = notices(tmp_path, text, target_col="B")
    assert one.tolist() == [3, 4] and one.name == "B"
    assert told == ["column 'note' (text) is not used.", "column 'A' (numbers) is not used."]


def test_long_tables(tmp_path: Path) -> None:
    text = "unique_id,ds,y\nB,2024-01-02,4\nA,2024-01-01,1\nB,2024-01-01,3\nA,2024-01-02,2\n"
    data = read(tmp_path, text)
    assert data.index.names == ["unique_id", "ds"] and data.name == "y"
    assert data.xs("B").tolist() == [3, 4]
    text = text.replace("unique_id,ds,y", "shop,day,sales")
    data, told = notices(tmp_path, text)
    assert data.xs("A").tolist() == [1, 2] and told == ["column 'shop' names the series."]
    pd.testing.assert_series_equal(read(tmp_path, text, id_col="shop"), data)
    numbered = read(tmp_path, "day,shop,y\n1,7,1\n2,7,2\n1,8,3\n2,8,4\n", id_col="shop")
    assert numbered.xs("8").tolist() == [3, 4]
    assert read_frames(data).n_series == 2


def test_a_month_may_follow_its_year(tmp_path: Path) -> None:
    data = read(tmp_path, "Month,y\n1991 Jul,1\n1991 Aug,2\n1991 Sep,3\n")
    assert data.index.equals(pd.date_range("1991-07", periods=3, freq="MS"))


def test_a_row_of_two_times_and_a_value_is_no_header(tmp_path: Path) -> None:
    rows = [f"2024-01-{day:02d},2024-01-{day + 1:02d},{day}.5\n" for day in range(1, 9)]
    data, told = notices(tmp_path, "".join(rows))
    assert data.index[0] == pd.Timestamp("2024-01-01") and len(data) == 8
    assert "has no header" in told[0]


def test_values_without_times_may_come_again(tmp_path: Path) -> None:
    data, told = notices(tmp_path, "sales\n3\n1\n4\n1\n")
    assert data.tolist() == [3, 1, 4, 1]
    assert [one[:23] for one in told] == ["no column holds times: "]


def test_copies_are_dropped_and_contradictions_refused(tmp_path: Path) -> None:
    text = "day,y\n2024-01-01,1\n2024-01-02,2\n2024-01-01,1\n2024-01-01,1\n"
    data, told = notices(tmp_path, text)
    assert data.tolist() == [1, 2] and told == ["2 rows are left out: copies of other rows."]
    message = (
        r"column 'y' must have one value per time, got 1 and 5 at 2024-01-01 \(line 2 and 4\)\. "
        "Keep one or aggregate them; .* id_col"
    )
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text.replace("2024-01-01,1\n2024-01-01,1", "2024-01-01,5"))
    with pytest.raises(ValueError, match=r"per time of series 'A', got 1 and 2"):
        read(tmp_path, "unique_id,ds,y\nA,1,1\nA,1,2\n")


def test_the_open_future_is_left_out(tmp_path: Path) -> None:
    text = "day,y,x\n2024-01-01,1,5\n2024-01-02,2,6\n2024-01-03,,7\n"
    y, told = notices(tmp_path, text, target_col="y")
    assert len(y) == 2 and "1 row is left out: without a value, at the end." in told
    X = read_covariates(tmp_path / "file.csv", y)
    assert X.to_dict("list") == {"x": [5, 6, 7]} and X.index.name == "day"


def test_covariates_of_a_long_table(tmp_path: Path) -> None:
    y = read(tmp_path, "shop,day,y\nA,1,1\nA,2,2\nB,1,3\nB,2,4\n", id_col="shop", target_col="y")
    (tmp_path / "X.csv").write_text("day;shop;x\n1;A;0,5\n2;A;1\n3;A;2\n1;B;5\n2;B;6\n3;B;7\n")
    X = read_covariates(tmp_path / "X.csv", y)
    assert X.index.names == ["shop", "day"] and X.xs("A")["x"].tolist() == [0.5, 1, 2]
    assert read_frames(y, X).X_names == ("x",)
    (tmp_path / "X.csv").write_text("day,x\n1,0\n")
    with pytest.raises(ValueError, match="must have the column 'shop', which names the series"):
        read_covariates(tmp_path / "X.csv", y)
    (tmp_path / "X.csv").write_text("day,shop,kind\n1,A,b\n2,A,c\n")
    with pytest.warns(ForecastWarning), pytest.raises(ValueError, match="a column of numbers"):
        read_covariates(tmp_path / "X.csv", y)


@pytest.mark.filterwarnings("ignore::forecast._checks.ForecastWarning")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold rows of times and values, got an empty file"),
        ("\n \n", "got an empty file"),
        ("# exported\n# on Monday\n", "got an empty file"),
        ("day,y\n", "got a header only"),
        ("day,y\n2024-01-01,\n2024-01-02,-\n", "column 'y' must hold a value, got empty cells"),
        ("day,y\n2024-01-01,a\n2024-01-02,b\n", "must have a column of numbers .*'day', 'y'"),
        ("day,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,x7\n", "numbers, got 'x7' in line 4"),
        ("day,y\n2024-01-01,1\n2024-01-02,2\nTotal,3\n", "hold times .*, got 'Total' in line 4"),
        ("day,y\n2024-01-01,1\n2024-01-02,2\n2024-02-30,3\n", "got '2024-02-30' in line 4"),
        ("day,y\n2024-01-01,1\n,3\n", "must have a time: column 'day' is empty in line 3"),
        ("day,y\n2024-01-01,1,5\n2024-01-02,2,5\n", "line 2 has 3 fields, the header 2"),
        ("day,y\n13/02/2024,1\n02/14/2024,2\n", "got '13/02/2024' and '02/14/2024'"),
        ("day,y\n01/02/2024,1\n01/03/2024,2\n", "'01/02/2024' can be read both ways"),
        ("day,y,y\n2024-01-01,1,2\n", "each column once: 'y' occurs twice"),
        ("country,2001,2002,2003\nA,1,2,3\n", "must run down the rows, got them as columns"),
        ("unique_id,ds,a,b\nA,1,2,3\n", r"must have one column of values, got \['a', 'b'\]"),
        ("unique_id,ds,y\nA,1,2\n,2,3\n", "must name its series: .* empty in line 3"),
        (b"PK\3\4\0\0", "must be a text file .* got binary data. A spreadsheet can be saved"),
        (b"\0\1\2", "got binary data"),
    ],
)
def test_what_can_not_be_read_is_explained(tmp_path: Path, text: Any, message: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        read_file(path)


def test_a_wrong_option_is_explained(tmp_path: Path) -> None:
    text = "day,y\n13/02/2024,1\n14/02/2024,2\n"
    with pytest.raises(ValueError, match=r"`target_col` .* got 'z'; its columns are \['day', 'y'"):
        read(tmp_path, text, target_col="z")
    with pytest.raises(ValueError, match="got '13/02/2024'.* or leave out day_first=False"):
        read(tmp_path, text, day_first=False)
    with pytest.raises(ValueError, match="column 'y' must hold numbers, got 'a' in line 2"):
        read(tmp_path, "day,y\n2024-01-01,a\n2024-01-02,b\n", target_col="y")
    with pytest.raises(ValueError, match="`decimal` must be one of ',', '.', got ';'"):
        read(tmp_path, text, decimal=";")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_file(tmp_path / "none.csv")


def test_parquet_is_read_and_written(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "load.parquet"
    write_file(LOAD.reset_index(), path)
    same(read_file(path), LOAD)
    LOAD.to_frame().to_parquet(path)
    same(read_file(path), LOAD)
    pd.DataFrame({"shop": ["a", "a", "b"], "ds": [1, 2, 1], "y": [1, 2, 3]}).to_parquet(path)
    with pytest.warns(ForecastWarning, match="'shop' names the series"):
        assert read_file(path).xs("a").tolist() == [1, 2]
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match="is no parquet file, or it is damaged"):
        read_file(path)


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pyarrow":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    path = tmp_path / "load.parquet"
    path.touch()
    with pytest.raises(ImportError, match=r"'load.parquet' needs pyarrow: pip install 'forecast\["):
        read_file(path)
    with pytest.raises(ImportError, match="or use CSV"):
        write_file(LOAD.reset_index(), path)


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    write_file(LOAD.reset_index(), tmp_path / "load.csv")
    same(read_file(tmp_path / "load.csv"), LOAD)
    stream = io.StringIO()
    write_file(LOAD.reset_index().head(1), stream)
    assert stream.getvalue() == "day,load\n2024-01-30,1250.5\n"


DIALECTS = st.fixed_dictionaries(
    {
        "separator": st.sampled_from([";", "\t", "|"]),
        "decimal": st.sampled_from([",", "."]),
        "dates": st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y", "%Y%m%d"]),
        "missing": st.sampled_from(["", "NA", "-", "n/a", "NaN", "null"]),
        "newline": st.sampled_from(["\n", "\r\n"]),
        "encoding": st.sampled_from(["utf-8-sig", "utf-16", "latin-1"]),
        "seed": st.integers(0, 99),
    }
)
NUMBERS = st.floats(-1e6, 1e6).map(lambda number: round(number, 2))


@settings(max_examples=12)
@given(
    dialect=DIALECTS,
    columns=st.lists(
        st.lists(NUMBERS | st.none(), min_size=30, max_size=30), min_size=1, max_size=3
    ),
)
def test_a_frame_survives_every_dialect(
    tmp_path_factory: pytest.TempPathFactory, dialect: dict[str, Any], columns: list[list[Any]]
) -> None:
    days = pd.date_range("2024-01-10", periods=30, freq="D", name="day")
    frame = pd.DataFrame({f"ä{k}": values for k, values in enumerate(columns)}, days, dtype=float)
    frame.iloc[-1] = 0.25  # a last row without values is the open future; a mark tells the decimal
    text = frame.rename(index=lambda day: day.strftime(dialect["dates"])).sample(
        frac=1, random_state=dialect["seed"]
    ).to_csv(
        sep=dialect["separator"], decimal=dialect["decimal"], na_rep=dialect["missing"],
        lineterminator=dialect["newline"], index_label="day",
    )  # fmt: skip
    path = tmp_path_factory.mktemp("dialect") / "file.csv"
    path.write_bytes(text.encode(dialect["encoding"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", r"\d series are read")
        read = read_file(path)
    read = read.to_frame() if isinstance(read, pd.Series) else read
    pd.testing.assert_frame_equal(read, frame, check_freq=False, check_index_type=False)


@pytest.mark.parametrize(
    "days",
    [
        ["3. Mai 2024", "4. Mai 2024"],
        ["1. Januar 2024", "1. Februar 2024"],
        ["15 mars 2024", "16 mars 2024"],
        ["janv. 2024", "févr. 2024"],
        ["1 de enero de 2024", "1 de febrero de 2024"],
        ["2024-Okt-01", "2024-Okt-02"],
        ["Jan 2024", "Mär 2024"],
    ],
    ids=str,
)
@pytest.mark.parametrize("named", [{}, {"time_col": "Datum"}])
def test_months_of_other_languages_are_refused_in_words(
    days: list[str], named: dict[str, str], tmp_path: Path
) -> None:
    rows = [f"{day};{value}" for day, value in zip(days, ("7,5", "8,25"), strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["Datum;Wert", *rows, ""]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"column 'Datum' must .* months as numbers or in English"):
        read_file(tmp_path / "a.csv", **named)


def test_text_with_a_year_may_name_the_series(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("car;week;sold\nModel 2024;1;5.5\nModel 2025;1;6.5\n")
    assert read_file(tmp_path / "a.csv", id_col="car").tolist() == [5.5, 6.5]


def test_words_that_come_again_are_read_as_categories(tmp_path: Path) -> None:
    rows = "\n".join(f"2024-01-0{day},{word}" for day, word in enumerate("ababa", 1))
    data = read(tmp_path, f"day,state\n{rows}\n")
    assert isinstance(data.dtype, pd.CategoricalDtype)
    assert data.tolist() == list("ababa") and data.name == "state"


def test_words_beside_numbers_are_read_when_asked_for(tmp_path: Path) -> None:
    text = "machine,day,load,state\n" + "\n".join(
        f"{machine},2024-01-0{day},{day},{word}"
        for machine in ("p", "q")
        for day, word in enumerate("ab-aab", 1)
    )
    data, _ = notices(tmp_path, text, id_col="machine", target_col="state")
    assert data["q"].isna().tolist() == [False, False, True, False, False, False]
    assert data.cat.categories.tolist() == ["a", "b"]
