"""Tables changed at random are forecast, or refused in one sentence, soon and without much memory.

A seed makes the same tables again: `mutants(seed)`.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forecast.data.files import PARQUET, read_file
from forecast.forecasters.classical.naive import NaiveForecaster

pytestmark = pytest.mark.filterwarnings("ignore")

DAYS = pd.date_range("2024-01-28", periods=12)
LONG = "\n".join(f"{name};{day:%d.%m.%Y};{k},5" for k, day in enumerate(DAYS) for name in "ab")
TABLES = [
    "day,load,temp\n" + "\n".join(f"{day:%Y-%m-%d},{k},{-k / 2}" for k, day in enumerate(DAYS)),
    "unique_id;ds;y\n" + LONG,
    "Datum\tWert\n" + "\n".join(f"{day:%d/%m/%Y %H:%M}\t1.{k:03},00" for k, day in enumerate(DAYS)),
    "year,sales\n" + "\n".join(f"{1990 + k},{k}" for k in range(12)),
    "week|x\n" + "\n".join(f"2024-W{k + 1:02}|{k}" for k in range(12)),
    "month,a,b\n" + "\n".join(f"2024-{k + 1:02},{k}e3,n/a" for k in range(12)),
]
CELLS = ["", "0", "-1", "1e999", "9" * 20, "9" * 400, "NaN", "inf", "1.234,5", "2024-W53", "24:00"]
CELLS += ["2024-02-30", "0001-01-01", "99999-01-01", "12/31/2024", "=1+1", "$5", "50%", "\x1b[31m"]
CELLS += ["\x00", "\ud7ff", "é" * 9, '"', "'", '"a\nb"', "a" * 140_000, "1;2,3", "\u202e", "−5"]
BYTES = [
    b"\xff\xfe",
    b"\xfe\xff\x00",
    b"\xef\xbb\xbf",
    b"\x00",
    b"PK\x03\x04",
    b"\x80",
    b"\r",
    b"\n",
]
BYTES += [b",", b";" * 1000, b'"', b"PAR1", b"\x1f\x8b", b"\x85", b"\x1c"]


def mutants(seed: int) -> Iterator[bytes]:
    """Yield the content of changed tables without end."""
    rng = np.random.default_rng(seed)
    while True:
        rows = TABLES[rng.integers(len(TABLES))].split("\n")
        for _ in range(rng.integers(1, 4)):
            line = int(rng.integers(len(rows)))
            kind = rng.integers(5)
            if kind == 0:
                rows[line] = rows[int(rng.integers(len(rows)))]
            elif kind == 1:
                del rows[line:][: int(rng.integers(1, 4))]
                rows = rows or ["x"]
            else:
                mark = next((one for one in ";\t|," if one in rows[line]), ",")
                cells = rows[line].split(mark)
                place, cell = int(rng.integers(len(cells))), CELLS[rng.integers(len(CELLS))]
                cells[place : place + int(rng.integers(2))] = [cell]
                rows[line] = mark.join(cells)
        encoding = rng.choice(["utf-8", "utf-16", "latin-1"], p=[0.8, 0.1, 0.1])
        content = "\n".join(rows).encode(encoding, errors="replace")
        if rng.random() < 0.4:
            start = int(rng.integers(len(content) + 1))
            part = BYTES[rng.integers(len(BYTES))]
            content = content[:start] + part + content[start + int(rng.integers(9)) :]
        yield content


def check(folder: Path, seed: int, count: int) -> None:
    before, read = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for number, content in zip(range(count), mutants(seed), strict=False):
        path = folder / "a.csv"
        path.write_bytes(content)
        began = time.process_time()
        try:
            y = read_file(path)
            read += 1
            NaiveForecaster(horizon=3).fit(y).predict()
        except (ValueError, TypeError) as error:
            said = str(error)
            assert said.endswith(".") and len(said) < 1_000, f"table {number} of {seed}: {said}"
        except Exception as error:
            error.add_note(f"table {number} of seed {seed}")
            raise
        assert time.process_time() - began < 3, f"table {number} of seed {seed}"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert 0.1 * count < read < count and grown < 300_000  # kB


def test_mutated_tables_are_forecast_or_refused(tmp_path: Path) -> None:
    check(tmp_path, seed=0, count=50)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_many_mutated_tables_are_forecast_or_refused(seed: int, tmp_path: Path) -> None:
    check(tmp_path, seed, count=500)


@pytest.mark.parametrize("seed", range(3))
def test_mutated_parquet_is_read_or_refused(seed: int, tmp_path: Path) -> None:
    rng, path = np.random.default_rng(seed), tmp_path / f"a{PARQUET[0]}"
    pd.DataFrame({"ds": DAYS, "y": np.arange(12.0)}).to_parquet(path)
    whole = path.read_bytes()
    for _ in range(60):
        content, start = bytearray(whole), int(rng.integers(len(whole)))
        content[start : start + 4] = rng.bytes(int(rng.integers(9)))
        path.write_bytes(content)
        try:
            read_file(path)
        except (ValueError, TypeError) as error:
            assert str(error).endswith(".")


RANGE = {"kind": "range", "start": 0, "stop": 10**18, "step": 1, "name": None}
LIES = [{"index_columns": ["none"]}, {"index_columns": [RANGE]}, [], {}, None, "x", 9]
LIES += [{"columns": [{"name": "y", "pandas_type": "evil", "numpy_type": "evil", "metadata": 1}]}]


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_what_a_parquet_file_says_of_itself_is_not_believed(lie: object, tmp_path: Path) -> None:
    if isinstance(lie, dict):
        lie = {"index_columns": [], "columns": [], "column_indexes": []} | lie
    table = pa.table({"ds": DAYS, "y": np.arange(12.0)})
    text = json.dumps(lie).encode()
    path = tmp_path / "a.parquet"
    pq.write_table(table.replace_schema_metadata({b"pandas": text}), path)
    try:
        assert read_file(path).tolist() == list(range(12))
    except ValueError as error:
        assert str(error) == "'a.parquet' is no parquet file, or it is damaged."


def test_an_index_without_names_is_that_of_series_and_times(tmp_path: Path) -> None:
    keys = pd.MultiIndex.from_product([["a", "b"], DAYS])
    path = tmp_path / "a.parquet"
    pd.DataFrame({"y": np.arange(24.0)}, keys).to_parquet(path)
    assert read_file(path).loc["b"].tolist() == list(range(12, 24))
    pd.DataFrame({"ds": 1.0, "y": np.arange(24.0)}, keys).to_parquet(path)
    with pytest.raises(ValueError, match="must name each column once: 'ds' occurs twice"):
        read_file(path)
