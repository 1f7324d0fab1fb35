"""Rows find their place in the panel whatever their order; memory and calls grow as promised."""

from __future__ import annotations

import sys
import tracemalloc
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.data.frames import Panel, read_frames

DAYS = pd.date_range("2024-01-01", periods=30, freq="D")


def same(left: Panel, right: Panel) -> bool:
    """Tell whether two panels are the same to the last bit."""
    arrays = ((getattr(left, name), getattr(right, name))
              for name in ("values", "offsets", "starts", "X", "past"))  # fmt: skip
    return (
        all(a is b if a is None else a.tobytes() == b.tobytes() for a, b in arrays)
        and left.grid.equals(right.grid)
        and left.ids.equals(right.ids)
        and left.layout == right.layout
    )


def frames(seed: int, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return series with holes of two kinds, rows left out and NaN, and covariates of all days."""
    rng = np.random.default_rng(seed)
    parts = []
    for i in rng.permutation(n):
        kept = np.sort(rng.choice(30, size=rng.integers(16, 30), replace=False))
        values = np.where(rng.random(len(kept)) < 0.2, np.nan, rng.normal(size=len(kept)))
        values[rng.integers(len(kept))] = 1.0
        parts.append(pd.DataFrame({"unique_id": f"s{i}", "ds": DAYS[kept], "y": values}))
    X = pd.concat([pd.DataFrame({"unique_id": f"s{i}", "ds": DAYS, "price": rng.normal(size=30),
                                 "rain": rng.normal(size=30)}) for i in range(n)])  # fmt: skip
    X.loc[X["rain"] > 1, "rain"] = np.nan
    return pd.concat(parts, ignore_index=True), X.reset_index(drop=True)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 5))
def test_every_value_is_where_its_series_and_time_say(seed: int, n: int) -> None:
    long, _ = frames(seed, n)
    panel = read_frames(long.sample(frac=1, random_state=seed), freq="D")
    assert panel.ids.tolist() == sorted(long["unique_id"].unique())
    for i, name in enumerate(panel.ids):
        own = long[long["unique_id"] == name].set_index("ds")["y"]
        first = own.first_valid_index()
        expected = own.reindex(pd.date_range(first, own.index.max(), freq="D"))
        np.testing.assert_array_equal(panel.series(i), expected)
        assert panel.times(i).tolist() == expected.index.tolist()


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), n=st.integers(1, 5), multi=st.booleans())
def test_shuffling_rows_and_columns_changes_no_bit(seed: int, n: int, multi: bool) -> None:
    y, X = frames(seed, n)
    rng = np.random.default_rng(seed)
    y2 = y.iloc[rng.permutation(len(y)), rng.permutation(3)]
    X2 = X.iloc[rng.permutation(len(X))]
    if multi:
        keys = ["unique_id", "ds"]
        y, X, y2, X2 = (one.set_index(keys) for one in (y, X, y2, X2))
    options: dict[str, Any] = {"freq": "D", "past_only": ["rain"]}
    assert same(read_frames(y, X, **options), read_frames(y2, X2, **options))


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), cut=st.integers(12, 28))
def test_what_comes_after_the_origin_changes_no_bit_before(seed: int, cut: int) -> None:
    y, X = frames(seed, 3)
    rng, origin = np.random.default_rng(seed), DAYS[cut]
    early = pd.DataFrame({"unique_id": ["s0", "s1", "s2"], "ds": DAYS[0], "y": 1.0})
    y = pd.concat([early, y[y["ds"] > DAYS[0]]], ignore_index=True)
    changed, noisy = y.copy(), X.copy()
    changed.loc[changed["ds"] > origin, "y"] = rng.normal(size=(changed["ds"] > origin).sum()) * 1e9
    noisy.loc[noisy["ds"] > origin, "rain"] = rng.normal(size=(noisy["ds"] > origin).sum()) * 1e9
    options: dict[str, Any] = {"freq": "D", "past_only": ["rain"]}
    known = read_frames(y[y["ds"] <= origin], X[X["ds"] <= origin], **options)
    for later in (read_frames(y, X, **options), read_frames(changed, noisy, **options)):
        cut_off = later.head(known.lengths)
        assert same(cut_off, replace(known, grid=later.grid))


def regular(n: int, length: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(n), length),
            "ds": np.tile(pd.date_range("2020-01-01", periods=length, freq="D"), n),
            "y": np.random.default_rng(0).normal(size=n * length),
        }
    )


@pytest.mark.parametrize("shuffled", [pytest.param(False, marks=pytest.mark.slow), True])
def test_reading_a_long_frame_takes_less_than_its_own_size(shuffled: bool) -> None:
    long = regular(3_000, 1_000)
    if shuffled:
        long = long.sample(frac=1, random_state=0, ignore_index=True)
    tracemalloc.start()
    read_frames(long, freq="D")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < long.memory_usage().sum()


def calls(table: Any) -> int:
    """Count the calls of Python functions while a table is read."""
    count = 0

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(watch)
    try:
        read_frames(table, freq="D")
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", ["long", "wide", "polars"])
def test_no_python_runs_once_per_series(kind: str) -> None:
    tables = []
    for n in (20, 20, 2_000):
        long = regular(n, 10)
        wide = pd.DataFrame(long["y"].to_numpy().reshape(n, 10).T, index=DAYS[:10])
        columns = {name: long[name].to_numpy() for name in long}
        tables.append({"long": long, "wide": wide, "polars": pl.DataFrame(columns)}[kind])
    first, few, many = (calls(table) for table in tables)
    assert many <= max(first, few) + 100


def test_a_local_clock_without_its_zone_is_told_how_to_name_it() -> None:
    zoned = pd.date_range("2024-10-26 22:00", periods=8, freq="h", tz="Europe/Berlin")
    y = pd.Series(np.arange(8.0), zoned.tz_localize(None))
    with pytest.raises(ValueError, match=r"2024-10-27 02:00:00.*tz_localize\(tz='Europe/Berlin'"):
        read_frames(y)
    named = y.tz_localize(tz="Europe/Berlin", ambiguous="infer")
    assert read_frames(named).grid.tolist() == zoned.tolist()
    long = pd.DataFrame({"unique_id": "a", "ds": y.index, "y": y.to_numpy()})
    with pytest.raises(ValueError, match="tz="):
        read_frames(long)
