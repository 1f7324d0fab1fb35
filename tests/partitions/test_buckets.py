"""Buckets: the same everywhere, and of about the same size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.partitions.buckets import buckets


def ids(n: int) -> pd.DataFrame:
    return pd.DataFrame({"unique_id": [f"series {k}" for k in range(n)]})


def test_buckets_do_not_depend_on_who_else_is_there():
    whole = buckets(ids(1000), 7)
    assert (buckets(ids(1000).iloc[::3], 7) == whole[::3]).all()
    assert (buckets(ids(1000).astype("category"), 7) == whole).all()


def test_buckets_are_about_equal():
    assert abs(np.bincount(buckets(ids(7000), 7)) - 1000).max() < 150


def test_columns_are_kept_apart():
    named = pd.DataFrame({"a": ["x", "xy"] * 50, "b": ["yz", "z"] * 50})
    assert len(set(buckets(named, 1000))) == 2
