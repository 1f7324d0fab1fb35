"""Which series belong together in a part: buckets of hashed ids, the same on every machine.

A part per series would cost more in calls than in work; parts of a few hundred thousand values
keep every core busy. A hash needs no order of the ids and no table that everybody must know.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def n_parts(n_values: int, part_size: int) -> int:
    """Return how many parts hold about `part_size` values each.

    Raises
    ------
    ValueError
        If there is nothing to divide.

    Examples
    --------
    >>> n_parts(2_500, 1_000)
    3
    """
    if not n_values:
        raise ValueError("`y` must have a row to be divided, got none. Give a history.")
    return -(-n_values // part_size)


def buckets(ids: pd.DataFrame, count: int) -> NDArray[np.int64]:
    """Return the part of every id, (n,), from 0 to `count` - 1.

    Parameters
    ----------
    ids
        A row per id; several columns name a series together. Their text counts.
    count
        How many parts there are.

    Examples
    --------
    >>> buckets(pd.DataFrame({"unique_id": ["a", "b", "c", "a"]}), 2).tolist()
    [0, 1, 0, 0]
    """
    codes, distinct = pd.factorize(_texts(ids))
    hashes = pd.util.hash_array(distinct, categorize=False)
    found: NDArray[np.int64] = (hashes % np.uint64(count)).astype(np.int64)[codes]
    return found


def _texts(ids: pd.DataFrame) -> NDArray[np.object_]:
    """Return a text per row of ids, with a separator that no id is likely to have."""
    first, *others = (ids[name].astype(str).astype(object) for name in ids)
    return np.asarray(sum(("\x1f" + column for column in others), start=first))
