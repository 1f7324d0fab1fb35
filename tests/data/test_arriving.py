from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.data.appending import append
from forecast.data.arriving import next_steps
from forecast.data.frames import read_frames, read_update

DAYS = pd.date_range("2024-01-01", periods=12, freq="D")
WIDE = pd.DataFrame(np.arange(24.0).reshape(12, 2), DAYS, ["b", "a"])


def long(wide: pd.DataFrame) -> pd.DataFrame:
    frame = wide.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
    return frame[["unique_id", "ds", "y"]].iloc[::-1]


KINDS = {
    "series": lambda wide: wide["a"],
    "wide": lambda wide: wide,
    "list": lambda wide: [wide["a"], wide["b"]],
    "long": long,
    "categories": lambda wide: long(wide).astype({"unique_id": pd.CategoricalDtype(["a", "b"])}),
    "multi": lambda wide: long(wide).set_index(["unique_id", "ds"])["y"],
    "multi frame": lambda wide: long(wide).set_index(["unique_id", "ds"]),
}
INDEXES = [
    DAYS,
    DAYS.tz_localize("Europe/Berlin"),
    pd.period_range("2024-01", periods=12, freq="M"),
    pd.RangeIndex(3, 39, 3),
    pd.date_range("2024-01-31", periods=12, freq="ME"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", INDEXES, ids=[type(index).__name__ for index in INDEXES])
def test_the_next_step_is_read_as_any_table_is(kind: str, index: pd.Index) -> None:
    wide = WIDE.set_axis(index)
    history, new = KINDS[kind](wide[:8]), KINDS[kind](wide[8:9])
    panel = read_frames(history)
    short = next_steps(panel, new)
    assert short is not None
    usual = read_frames(new, freq=panel.freq, allow_unobserved=True, sparse=True)
    for name in ("values", "offsets", "starts"):
        np.testing.assert_array_equal(getattr(short, name), getattr(usual, name))
    assert short.ids.tolist() == usual.ids.tolist()
    pd.testing.assert_index_equal(short.grid, usual.grid, exact="equiv", check_names=False)
    whole = read_frames(KINDS[kind](wide[:9]))
    np.testing.assert_array_equal(append(panel, short).values, whole.values)


@pytest.mark.parametrize("kind", ["series", "wide", "list"])
def test_so_are_several_steps_and_missing_values(kind: str) -> None:
    wide = WIDE.copy()
    wide.iloc[8:10, 0] = np.nan
    panel = read_frames(KINDS[kind](wide[:8]))
    short = next_steps(panel, KINDS[kind](wide[8:]))
    assert short is not None
    whole = append(panel, short)
    np.testing.assert_array_equal(whole.values, read_frames(KINDS[kind](wide)).values)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("series", lambda new: new.shift(1, freq="D")),
        ("series", lambda new: new.set_axis(new.index.tz_localize("UTC"))),
        ("series", lambda new: new.astype(str)),
        ("series", lambda new: new > 0),
        ("series", lambda new: new / 0),
        ("series", lambda new: new[:0]),
        ("series", lambda new: new.to_list()),
        ("wide", lambda new: new[["b"]]),
        ("wide", lambda new: new.assign(c=1.0)),
        ("list", lambda new: new[:1]),
        ("list", lambda new: [new[0], new[1].shift(1, freq="D")]),
        ("long", lambda new: new.iloc[[0, 0]]),
        ("long", lambda new: new.assign(ds=new["ds"] + pd.to_timedelta([0, 1], "D"))),
        ("long", lambda new: new.assign(price=1.0)),
        ("multi", lambda new: new.rename({"a": "c"})),
    ],
)
def test_whatever_else_it_may_be_is_left_to_the_readers(kind: str, change: Any) -> None:
    panel, new = read_frames(KINDS[kind](WIDE[:8])), KINDS[kind](WIDE[8:9])
    assert next_steps(panel, new) is not None
    assert next_steps(panel, change(new)) is None


def test_whole_numbers_are_not_met_by_floats() -> None:
    panel = read_frames(pd.Series([1.0, 2.0]))
    assert next_steps(panel, pd.Series([1.0], index=[2])) is not None
    assert next_steps(panel, pd.Series([1.0], index=[2.0])) is None


def test_columns_may_have_another_order() -> None:
    panel = read_frames(WIDE[:8])
    new = read_update(panel, WIDE[["a", "b"]][8:9])
    np.testing.assert_array_equal(append(panel, new).values, read_frames(WIDE[:9]).values)


@pytest.mark.parametrize("kind", ["series", "wide", "long"])
def test_covariates_come_along(kind: str) -> None:
    X = pd.DataFrame({"price": np.arange(12.0), "rain": -np.arange(12.0)}, DAYS)
    if kind == "long":
        X = pd.concat({"a": X, "b": 2 * X}, names=["unique_id", "ds"]).reset_index()
    rows = slice(None) if kind == "long" else slice(8, 9)
    past = {"past_only": ["rain"]}
    panel = read_frames(KINDS[kind](WIDE[:8]), X, **past)
    grown = append(panel, read_update(panel, KINDS[kind](WIDE[8:9]), X[rows], **past))
    whole = read_frames(KINDS[kind](WIDE[:9]), X, **past)
    np.testing.assert_array_equal(grown.X, whole.X)
    np.testing.assert_array_equal(grown.past, whole.past)
