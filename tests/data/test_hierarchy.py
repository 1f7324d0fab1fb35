"""Series that add up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import Hierarchy

DAYS = pd.date_range("2024-01-01", periods=4, freq="D")
PARTS = [("north", 1, "tea"), ("north", 1, "milk"), ("north", 2, "tea"), ("south", 3, "tea")]
COLUMNS = ["region", "store", "item"]


def sales() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [(*part, day, rng.integers(1, 9)) for part in PARTS for day in DAYS]
    return pd.DataFrame(rows, columns=[*COLUMNS, "ds", "y"])


def test_every_node_is_the_sum_of_the_rows_that_it_names():
    frame = sales()
    hierarchy = Hierarchy.of(frame, COLUMNS)
    whole = hierarchy.add_up(frame)
    assert whole["total"].tolist() == frame.groupby("ds")["y"].sum().tolist()
    for k in (1, 2, 3):
        for key, rows in frame.groupby(COLUMNS[:k]):
            node = whole["/".join(map(str, key))]
            assert node.tolist() == rows.groupby("ds")["y"].sum().tolist()


def test_nodes_go_from_coarse_to_fine():
    levels = Hierarchy.of(sales(), COLUMNS).levels
    assert levels.index[0] == "total"
    assert levels.tolist() == ["total", *["region"] * 2, *["store"] * 3, *["item"] * 4]


def test_the_order_of_rows_does_not_matter():
    frame = sales()
    hierarchy = Hierarchy.of(frame, COLUMNS)
    mixed = hierarchy.add_up(frame.sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(mixed, hierarchy.add_up(frame))


def test_a_part_counts_from_its_first_value_on():
    frame = sales()
    late = frame[~((frame["region"] == "south") & (frame["ds"] < DAYS[2]))]
    whole = Hierarchy.of(late, COLUMNS).add_up(late)
    assert whole["south"].tolist() == [0, 0, *frame["y"].tail(2)]
    assert whole["south/3/tea"].isna().tolist() == [True, True, False, False]


def test_a_sum_is_missing_where_a_part_is():
    frame = sales().astype({"y": float})
    frame.loc[(frame["item"] == "milk") & (frame["ds"] == DAYS[1]), "y"] = np.nan
    whole = Hierarchy.of(frame, COLUMNS).add_up(frame)
    missing = whole.columns[whole.isna().any()]
    assert missing.tolist() == ["total", "north", "north/1", "north/1/milk"]
    assert whole.isna().sum().sum() == 4


def test_two_nodes_of_one_name_are_refused():
    frame = sales().replace({"region": {"north": "total"}})
    with pytest.raises(ValueError, match="`columns` must give every node a name of its own"):
        Hierarchy.of(frame, COLUMNS)


def test_parts_that_are_not_in_the_hierarchy_are_refused():
    frame = sales()
    hierarchy = Hierarchy.of(frame, COLUMNS)
    with pytest.raises(ValueError, match="`y` must have the parts of the hierarchy.*milk"):
        hierarchy.add_up(frame[frame["item"] != "milk"])


def test_one_column_must_be_a_list():
    with pytest.raises(TypeError, match="`columns` must be a list of columns"):
        Hierarchy.of(sales(), "region")
