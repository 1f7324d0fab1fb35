"""Static features: reals in standard deviations, categories as codes, the unknown as zeros."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from forecast.data.static import StaticReader

IDS = pd.Index(["a", "b", "c"])
FRAME = pd.DataFrame(
    {
        "size": [1.0, np.nan, 5.0, 1e9],
        "open": [True, False, True, True],
        "town": ["Ulm", "Bonn", None, "Rome"],
        "level": pd.Categorical([10, 2, 2, 3]),
    },
    index=["a", "b", "c", "other"],
)


def test_reals_are_standardised_over_the_series_of_fit() -> None:
    real, _ = StaticReader.fit(FRAME, IDS).read(FRAME, IDS)
    assert real.dtype == np.float32
    np.testing.assert_allclose(real[:, 0], [-1, 0, 1])
    np.testing.assert_allclose(real[:, 1], np.array([1, -2, 1]) / np.sqrt(2), rtol=1e-6)
    arrow = FRAME.astype({"open": "bool[pyarrow]"})
    np.testing.assert_array_equal(StaticReader.fit(FRAME, IDS).read(arrow, IDS)[0], real)


def test_a_real_that_is_the_same_everywhere_has_a_spread_of_one() -> None:
    rates = pd.DataFrame({"rate": 0.1}, IDS)
    real, _ = StaticReader.fit(rates, IDS).read(2 * rates, IDS)
    np.testing.assert_allclose(real, 0.1, rtol=1e-6)


def test_categories_count_from_one_in_rising_order() -> None:
    reader = StaticReader.fit(FRAME, IDS)
    _, codes = reader.read(FRAME, pd.Index(["a", "b", "c", "other"]))
    assert codes.dtype == np.int64
    assert reader.sizes == (3, 3)
    np.testing.assert_array_equal(codes, [[2, 1], [1, 2], [0, 2], [0, 0]])


def test_a_series_without_a_row_is_an_error_in_fit_and_unknown_later() -> None:
    with pytest.raises(ValueError, match=r"1 missing, the first \['z'\]"):
        StaticReader.fit(FRAME, IDS.append(pd.Index(["z"])))
    real, codes = StaticReader.fit(FRAME, IDS).read(FRAME, pd.Index(["z", "a"]))
    assert not real[0].any()
    assert not codes[0].any()
    assert codes[1].all()


def test_the_ids_may_be_a_column_and_rows_and_columns_have_any_order() -> None:
    reader = StaticReader.fit(FRAME, IDS)
    column = FRAME.rename_axis("unique_id").reset_index().iloc[::-1, ::-1]
    for one, other in zip(reader.read(FRAME, IDS), reader.read(column, IDS), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_frames_of_other_libraries_name_series_in_a_column(library: str) -> None:
    columns = {
        "unique_id": ["c", "a", "b"],
        "size": [5.0, 1.0, None],
        "town": [None, "Ulm", "Bonn"],
    }
    frame = pl.DataFrame(columns) if library == "polars" else pa.table(columns)
    reader = StaticReader.fit(frame, IDS)
    real, codes = reader.read(frame, IDS)
    np.testing.assert_array_equal(real[:, 0], [-1, 0, 1])
    np.testing.assert_array_equal(codes[:, 0], [2, 1, 0])


def test_numbers_name_series_too() -> None:
    frame = pd.DataFrame({"size": [1.0, 2.0]}, index=[7, 8])
    real, codes = StaticReader.fit(frame, pd.Index([8, 7])).read(frame, pd.Index([8, 9]))
    np.testing.assert_array_equal(real, [[1], [0]])
    assert codes.shape == (2, 0)


def test_columns_that_tell_nothing_are_zero() -> None:
    frame = pd.DataFrame({"same": 3.0, "none": np.nan, "text": None}, index=IDS)
    real, codes = StaticReader.fit(frame, IDS).read(frame, IDS)
    assert not real.any()
    assert not codes.any()


def test_the_state_survives_json() -> None:
    reader = StaticReader.fit(FRAME, IDS)
    twin = StaticReader(**json.loads(json.dumps(reader.state())))
    for one, other in zip(reader.read(FRAME, IDS), twin.read(FRAME, IDS), strict=True):
        np.testing.assert_array_equal(one, other)
    assert twin.sizes == reader.sizes


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        ([1, 2], TypeError, "must be a DataFrame with a row per series"),
        (FRAME["size"], TypeError, "must be a DataFrame"),
        (FRAME[[]], ValueError, "at least one column"),
        (pd.concat([FRAME, FRAME]), ValueError, "got two for 'a'"),
        (FRAME.assign(size=np.inf), ValueError, "'size' must be finite, got inf for series 'a'"),
        (FRAME.assign(size=1e300), ValueError, "'size' must be at most 1e.150 in size, got 1e.300"),
        (FRAME.assign(since=pd.Timestamp("2024-01-01")), TypeError, "static column 'since'"),
        (pd.concat([FRAME, FRAME], axis=1), ValueError, "each column once, got 'size' twice"),
    ],
)
def test_what_is_refused(frame: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        StaticReader.fit(frame, IDS)


def test_later_frames_have_the_columns_of_fit() -> None:
    reader = StaticReader.fit(FRAME, IDS)
    with pytest.raises(ValueError, match=r"missing \['town'\], unknown \['city'\]"):
        reader.read(FRAME.rename(columns={"town": "city"}), IDS)
    with pytest.raises(TypeError, match="static column 'size' must hold real numbers"):
        reader.read(FRAME.assign(size="big"), IDS)
