"""Tables of symbols: each symbol becomes its number, so that `frames` reads it as a value.

What is no table, a list of sequences, has no times: `is_bare` tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data import backends
from forecast.data.keys import one_or_several
from forecast.data.panel import Layout
from forecast.data.reading import not_a_table
from forecast.data.vocabulary import MISSING, Vocabulary


def is_bare(y: Any) -> bool:
    """Tell whether y is a list of sequences without times.

    Raises
    ------
    TypeError
        If it is a list of something else.

    Examples
    --------
    >>> is_bare([["a", "b"], ["b"]]), is_bare(pd.Series(["a", "b"]))
    (True, False)
    """
    if not isinstance(y, list | tuple) or (y and all(isinstance(one, pd.Series) for one in y)):
        return False
    for one in y:
        if not isinstance(one, Sequence | np.ndarray) or isinstance(one, str):
            raise TypeError(
                f"a list must hold sequences, such as [['a', 'b'], ['b']], or Series, got "
                f"{short(one)} in it. Put a single sequence into a list: [y]; cut a text into "
                "its letters: list(text)."
            )
    return True


def symbols_in(y: Any, **names: Any) -> pd.Series:
    """Return all symbols of a table, or of a list of sequences, one after the other.

    Parameters
    ----------
    y
        A table as `read_frames` takes it, with symbols for values.
    **names
        `id_col, time_col, target_col` of `read_frames`.

    Examples
    --------
    >>> symbols_in(pd.DataFrame({"a": ["on", "off"], "b": ["off", "on"]})).tolist()
    ['on', 'off', 'off', 'on']
    """
    if is_bare(y):
        return pd.Series([symbol for sequence in y for symbol in sequence])
    columns = list(_columns(y, **names).values())
    return pd.concat(columns, ignore_index=True) if columns else pd.Series(dtype=object)


def coded(y: Any, vocabulary: Vocabulary, **names: Any) -> Any:
    """Return a table with the number of each symbol in its place, NaN where it is missing.

    Examples
    --------
    >>> coded(pd.Series(["on", None, "off"]), Vocabulary(["off", "on"])).tolist()
    [4.0, nan, 3.0]
    """
    columns = {
        name: pd.Series(as_floats(vocabulary.encode(column.array)), column.index, name=column.name)
        for name, column in _columns(y, **names).items()
    }
    if isinstance(y, pd.Series):
        return columns[0]
    if isinstance(y, list | tuple):
        return list(columns.values())
    if isinstance(y, pd.DataFrame):
        whole = {i: columns.get(i, y.iloc[:, i]) for i in range(y.shape[1])}
        return pd.DataFrame(whole, y.index).set_axis(y.columns, axis=1)
    return backends.with_columns(y, columns)


def as_floats(numbers: np.ndarray) -> np.ndarray:
    """Return numbers of symbols as a panel holds them, NaN where one is missing.

    Examples
    --------
    >>> as_floats(np.array([3, -1])).tolist()
    [3.0, nan]
    """
    return np.where(numbers == MISSING, np.nan, numbers)


def as_numbers(values: np.ndarray) -> np.ndarray:
    """Return what `as_floats` was given, int64.

    Examples
    --------
    >>> as_numbers(np.array([3.0, np.nan])).tolist()
    [3, -1]
    """
    return np.where(np.isnan(values), MISSING, values).astype(np.int64)


def _columns(
    y: Any, *, id_col: Any = "unique_id", time_col: Any = "ds", target_col: Any = "y"
) -> dict[Any, pd.Series]:
    """Return the columns of a table that hold symbols, by their places; others' by their names.

    Raises
    ------
    TypeError
        If y is no table.
    """
    if isinstance(y, pd.Series):
        return {0: y}
    if isinstance(y, list | tuple):
        return dict(enumerate(y))
    layout = Layout("long", one_or_several(id_col), time_col, target_col)
    frame: Any = y if isinstance(y, pd.DataFrame) else backends.foreign(y)
    if frame is None:
        raise TypeError(not_a_table(y, layout))
    names, pandas = list(frame.columns), isinstance(y, pd.DataFrame)
    long = any(key in names for key in (layout.keys if pandas else layout.id_cols))
    places = [
        i for i, name in enumerate(names) if (name == target_col if long else name != time_col)
    ]
    if pandas:
        return {i: y.iloc[:, i] for i in places}
    return dict(backends.to_pandas(frame, [names[i] for i in places]).items())
