"""Weights find their values, whatever the table, and say what is wrong with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

from forecast.data.frames import read_frames
from forecast.data.weights import weights_of

WIDE = pd.DataFrame({"a": [1.0, 2.0, np.nan, 4.0], "b": [np.nan, 3.0, 5.0, 6.0]})
GIVEN = pd.DataFrame({"b": [9.0, 2.0, 3.0, 4.0], "a": [1.0, 0.0, 9.0, 5.0]})


def test_a_table_gives_each_value_its_weight_and_gaps_none():
    weights = weights_of(read_frames(WIDE), GIVEN, read_frames)
    expected = np.array([1, 0, 0, 5, 2, 3, 4])  # of a; of b, which begins one step later
    np.testing.assert_allclose(weights, expected / expected[[0, 1, 3, 4, 5, 6]].mean())


def test_a_long_frame_of_polars_needs_no_order():
    rows = {"unique_id": ["b", "a", "a"], "ds": [1, 2, 1]}
    panel = read_frames(pl.DataFrame(rows | {"y": [5.0, 6.0, 7.0]}))
    weights = weights_of(panel, pl.DataFrame(rows | {"y": [1.0, 2.0, 3.0]}), read_frames)
    np.testing.assert_allclose(weights, np.array([3, 2, 1]) / 2)


def test_one_series_is_weighed_by_another_of_any_name():
    y, given = pd.Series([5.0, 6.0], name="sales"), pd.Series([1.0, 3.0])
    assert weights_of(read_frames(y), given, read_frames).tolist() == [0.5, 1.5]


def test_the_past_keeps_the_weights_of_its_values():
    panel = read_frames(WIDE[["a"]])
    weighed = replace(panel, weights=np.array([1.0, 2.0, 0.0, 3.0]))
    assert weighed.head(np.array([2])).weights.tolist() == [1.0, 2.0]
    assert weighed.take(np.array([0, 0])).weights.tolist() == [1.0, 2.0, 0.0, 3.0] * 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"a": 1.0}, "got none for series 'b' at 1"),
        ({"a": 1.0, "b": -2.0}, "got -2 for series 'b'"),
        ({"a": 1.0, "b": np.inf}, "got inf"),
        ({"a": 0, "b": 0}, "got 0 for all"),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, "name series of `y`, got 'c'"),
        (GIVEN[["a"]], "got none for series 'b'"),
        (GIVEN[:3], "got none for series 'a' at 3"),
        (np.ones(4), "a mapping from series to weights, or a table"),
    ],
)
def test_what_is_wrong_is_named(given, said):
    with pytest.raises((TypeError, ValueError), match=said):
        weights_of(read_frames(WIDE), given, read_frames)
