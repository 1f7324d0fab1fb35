from __future__ import annotations

import gzip
import json
import os
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.data import datasets
from forecast.data.calendar import infer_season_length
from forecast.data.datasets import catalogue, fingerprint, load_dataset
from forecast.data.frames import read_frames

ENTRIES = datasets._entries()
FOLDER = Path(__file__).parents[2] / "datasets"
BUNDLED = [n for n, e in ENTRIES.iterrows() if e.kind == "bundled"]
OFFLINE = [n for n, e in ENTRIES.iterrows() if e.kind != "file"]
FILES = [n for n, e in ENTRIES.iterrows() if e.kind == "file"]
needs_folder = pytest.mark.skipif(
    "FORECAST_DATA" not in os.environ, reason="FORECAST_DATA names no folder of parquet files"
)


def test_the_catalogue_is_complete() -> None:
    table = catalogue()
    assert table.index.is_unique and table.index.is_monotonic_increasing
    assert not table.drop(columns=["X", "past_only", "static", "sha256"]).isin([""]).any().any()
    assert (table["sha256"].str.len() == 64).equals(ENTRIES["kind"] != "generated")
    assert (ENTRIES.loc[FILES, "file"] != "").all()
    assert set(ENTRIES["form"]) <= {"", *datasets._PARSERS}


@pytest.mark.parametrize("name", OFFLINE)
def test_sets_that_need_no_network(name: str) -> None:
    y, entry = load_dataset(name), catalogue().loc[name]
    if isinstance(y.dtypes, pd.CategoricalDtype):
        y = y.cat.codes
    columns = ["unique_id", "ds", "y"] if entry.layout == "long" else slice(None)
    panel = read_frames(y if entry.layout == "series" else y.loc[:, columns])
    assert str(panel.freq) == entry.freq
    assert isinstance(y, pd.Series if entry.layout == "series" else pd.DataFrame)
    if isinstance(y.index, pd.DatetimeIndex):
        assert y.index.freqstr == entry.freq


def test_every_bundled_file_is_in_the_catalogue_and_all_are_small() -> None:
    files = list(FOLDER.glob("*.csv"))
    assert sorted(path.stem for path in files) == BUNDLED
    assert sum(path.stat().st_size for path in files) < 1_000_000


def test_the_generator_writes_the_bundled_files(tmp_path: Path) -> None:
    names = runpy.run_path(str(FOLDER / "generate.py"))
    names["write"](tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (FOLDER / path.name).read_bytes(), path.name
    assert {path.stem for path in tmp_path.iterdir()} == set(names["SETS"])


@pytest.mark.parametrize("name", BUNDLED)
def test_covariates_of_a_bundled_set_are_those_the_catalogue_names(name: str) -> None:
    y, entry = load_dataset(name), catalogue().loc[name]
    named = [*entry["X"].split(), *entry["static"].split()]
    if entry.layout == "long":
        assert list(y.columns) == ["unique_id", "ds", "y", *named]
        kinds = y[["unique_id", *entry["static"].split()]].drop_duplicates()
        assert kinds["unique_id"].is_unique
    assert set(entry["past_only"].split()) <= set(entry["X"].split())


def test_known_values_of_shipped_sets() -> None:
    elnino = load_dataset("elnino")
    assert (elnino.iloc[0], elnino["1950-12-01"], elnino["1951-01-01"]) == (23.11, 21.80, 24.19)
    assert load_dataset("co2")["1958-03-29"] == 316.1
    assert load_dataset("sunspots")["1700-01-01"] == 5.0
    assert load_dataset("macrodata").loc["1959-04-01", "realgdp"] == 2778.801


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ValueError, match="`name` must be one of 'air_passengers'.*, got 'm4'"):
        load_dataset("m4")
    with pytest.raises(ValueError, match="`split` must be one of None, 'train', 'test'"):
        load_dataset("co2", "valid")


def test_sets_without_a_standard_split_say_so() -> None:
    with pytest.raises(ValueError, match="'co2' has no standard split"):
        load_dataset("co2", "train")


def test_changed_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        datasets._LOADERS, "statsmodels", lambda entry: pd.Series([1.0, 2.0], name="nile")
    )
    with pytest.raises(ValueError, match="'nile' does not hold the expected values"):
        load_dataset("nile")


def test_a_set_in_r_form_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORECAST_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"FORECAST_DATA.*carparts\.parquet"):
        load_dataset("carparts")


def test_no_network_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pooch = pytest.importorskip("pooch")

    def offline(*args: object, **options: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(pooch, "retrieve", offline)
    monkeypatch.setenv("FORECAST_DATA", str(tmp_path))
    with pytest.raises(OSError, match="Hourly-train.csv could not be downloaded.*FORECAST_DATA"):
        load_dataset("m4_hourly")


def test_no_pyarrow_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(*args: object, **options: object) -> None:
        raise ImportError("pyarrow")

    (tmp_path / "etth1.parquet").touch()
    monkeypatch.setattr(pd, "read_parquet", absent)
    monkeypatch.setenv("FORECAST_DATA", str(tmp_path))
    with pytest.raises(ImportError, match=r"needs pyarrow: pip install 'forecast\[parquet\]'"):
        load_dataset("etth1")


def parse(form: str, name: str, *contents: str | bytes, folder: Path) -> pd.DataFrame:
    paths = []
    for i, content in enumerate(contents):
        paths.append(folder / f"file{i}")
        paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
    return datasets._PARSERS[form](paths, ENTRIES.loc[name])


def test_parse_m4(tmp_path: Path) -> None:
    train = '"V1","V2","V3","V4"\n"H1","605","586","559"\n"H2","3124","2990",\n'
    test = '"V1","V2"\n"H1","500"\n"H2","600"\n'
    rows = parse("m4", "m4_hourly", train, test, folder=tmp_path)
    assert rows["unique_id"].tolist() == ["H1"] * 4 + ["H2"] * 3
    assert rows["ds"].tolist() == [1, 2, 3, 4, 1, 2, 3]
    assert rows["y"].tolist() == [605, 586, 559, 500, 3124, 2990, 600]


def test_parse_m3(tmp_path: Path) -> None:
    one = {"sn": ["N0001"], "period": ["YEARLY"], "h": [1], "x": [940.66, 1084.86], "xx": [1.5]}
    other = one | {"sn": ["N2830"], "period": ["OTHER"]}
    content = json.dumps({"N0001": one, "N2830": other})
    rows = parse("m3", "m3_yearly", content, folder=tmp_path)
    assert rows.to_dict("list") == {
        "unique_id": ["N0001"] * 3, "ds": [1, 2, 3], "y": [940.66, 1084.86, 1.5]}  # fmt: skip


def test_parse_dated(tmp_path: Path) -> None:
    content = "date,HUFL,OT\n2016-07-01 00:00:00,5.8,30.5\n2016-07-01 01:00:00,5.6,27.7\n"
    table = parse("dated", "etth1", content, folder=tmp_path)
    wide = datasets._tidy(table, ENTRIES.loc["etth1"])
    assert wide.index.freqstr == "h"
    assert wide["OT"].tolist() == [30.5, 27.7]


def test_parse_exchange_swaps_the_last_columns(tmp_path: Path) -> None:
    content = gzip.compress(b"0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8\n1,2,3,4,5,6,7,8\n")
    table = parse("exchange", "exchange_rate", content, folder=tmp_path)
    assert list(table.columns) == ["date", "0", "1", "2", "3", "4", "5", "6", "OT"]
    assert table.loc[0, ["6", "OT"]].tolist() == [0.8, 0.7]
    assert table["date"].tolist() == [pd.Timestamp("1990-01-01"), pd.Timestamp("1990-01-02")]


@pytest.mark.parametrize(
    ("name", "content", "first"),
    [
        ("milk", '"Month","Pounds per cow"\n"1962-01",589\n"1962-02",561\n', "1962-01-01"),
        ("wool_yarn", '"Y","date"\n589,1965-01-01\n561,1965-04-01\n', "1965-01-01"),
        ("us_gasoline", "date,value\n02/15/1991,561\n02/8/1991,589\n", "1991-02-08"),
        ("taylor_demand", "x\n589\n561\n", "2000-06-05"),
        ("lynx", "year,lynx\n1821,589\n1822,561\n", "1821-01-01"),
    ],
)
def test_parse_single(tmp_path: Path, name: str, content: str, first: str) -> None:
    table = parse("single", name, content, folder=tmp_path)
    y = datasets._tidy(table, ENTRIES.loc[name])
    assert y.tolist() == [589, 561]
    assert y.index[0] == pd.Timestamp(first)
    assert y.index.freqstr == ENTRIES.loc[name, "freq"]


def test_fingerprint_reads_names_and_values_and_any_nan() -> None:
    y = pd.Series([1.0, np.nan], name="a")
    negative_nan = pd.Series([1.0, -np.float64(np.nan)], name="a")
    assert fingerprint(y) == fingerprint(negative_nan) == fingerprint(y.to_frame())
    assert fingerprint(y) != fingerprint(y.rename("b"))
    assert fingerprint(y) != fingerprint(y.fillna(0))


@needs_folder
@pytest.mark.parametrize("name", FILES)
def test_sets_in_the_folder(name: str) -> None:
    entry = catalogue().loc[name]
    y = load_dataset(name)
    panel = read_frames(y)
    assert str(panel.freq) == entry.freq
    if ENTRIES.loc[name, "test_rows"]:
        train, test = load_dataset(name, "train"), load_dataset(name, "test")
        assert len(train) + len(test) + ENTRIES.loc[name, "unused_rows"] == len(y)
        assert (
            read_frames(test, allow_unobserved=True).lengths.max() == ENTRIES.loc[name, "test_rows"]
        )


@needs_folder
@pytest.mark.parametrize("name", ["m4_hourly", "m3_monthly", "m3_quarterly", "m3_yearly", "nn3"])
def test_the_season_of_a_real_panel_is_found(name: str) -> None:
    panel = read_frames(load_dataset(name, "train"))
    assert infer_season_length(panel) == catalogue().loc[name, "season_length"]


@needs_folder
@pytest.mark.parametrize("name", ["m4_hourly", "carparts"])
def test_the_split_is_the_published_one(name: str) -> None:
    published = pd.read_parquet(Path(os.environ["FORECAST_DATA"]) / f"{name}.parquet")
    for split in ("train", "test"):
        own = published[published["split"] == split]
        np.testing.assert_array_equal(load_dataset(name, split)["y"], own["y"])
