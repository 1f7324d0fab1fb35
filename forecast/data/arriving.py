"""The next steps of all series as they arrive, read without a look at anything else.

What is not exactly that, or might be wrong in any way, is left to `reading`, which knows all kinds
of tables and all errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from forecast.data.panel import Panel

# the times (T,) that all series share, and their values (T, n)
Found: TypeAlias = tuple[pd.Index, np.ndarray] | None


def next_steps(panel: Panel, y: Any) -> Panel | None:
    """Return the steps right after a history in which all series end together; None if it is else.

    Parameters
    ----------
    panel
        The history.
    y
        A table of pandas of the kind that the history came from, numbers in it, the same series.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames(pd.Series([1.0, 2.0]))
    >>> next_steps(panel, pd.Series([3.0], index=[2])).values.tolist()
    [3.0]
    >>> next_steps(panel, pd.Series([3.0], index=[3]))  # a step is missing
    """
    readable = panel.layout.backend == "pandas" and panel.in_step
    found = _READ[panel.layout.kind](panel, y) if readable else None
    if found is None or not len(found[0]):
        return None
    (times, values), n = found, panel.n_series
    expected = panel.future(len(times)).times
    if times.dtype.kind != expected.dtype.kind or not times.equals(expected):
        return None
    if values.dtype.kind not in "iuf" or np.isinf(values).any():
        return None
    dtype = np.float32 if values.dtype == np.float32 else np.float64
    return Panel(
        values=values.T.astype(dtype).ravel(),
        offsets=len(times) * np.arange(n + 1),
        starts=np.zeros(n, dtype=np.int64),
        grid=expected,
        ids=panel.ids,
        X=None,
        X_names=(),
        layout=panel.layout,
    )


def _series(panel: Panel, y: Any) -> Found:
    return (y.index, y.to_numpy()[:, None]) if isinstance(y, pd.Series) else None


def _list(panel: Panel, y: Any) -> Found:
    if not isinstance(y, list | tuple) or not all(isinstance(one, pd.Series) for one in y):
        return None
    index = y[0].index if y else pd.RangeIndex(0)
    same = tuple(one.name for one in y) == panel.layout.names
    if not same or not all(one.index.equals(index) for one in y):
        return None
    return index, np.stack([one.to_numpy() for one in y], 1)


def _wide(panel: Panel, y: Any) -> Found:
    same = isinstance(y, pd.DataFrame) and y.columns.equals(panel.ids)
    return (y.index, y.to_numpy()) if same else None


def _long(panel: Panel, y: Any) -> Found:
    layout = panel.layout
    names = [layout.id_col, layout.time_col, layout.target_col]
    if not isinstance(y, pd.DataFrame) or sorted(y.columns, key=str) != sorted(names, key=str):
        return None
    keys, times, values = (y[name] for name in names)
    return _one_step(panel, pd.Index(keys), pd.Index(times), values.to_numpy())


def _multi(panel: Panel, y: Any) -> Found:
    known = isinstance(y, pd.Series | pd.DataFrame) and y.index.nlevels == 2 and y.size == len(y)
    if not known:
        return None
    keys, times = (y.index.get_level_values(level) for level in (0, 1))
    return _one_step(panel, keys, times, y.to_numpy().ravel())


def _one_step(panel: Panel, keys: pd.Index, times: pd.Index, values: np.ndarray) -> Found:
    """Return one row per series at one time, in the order of the history."""
    complete = len(keys) == panel.n_series and keys.dtype == panel.ids.dtype and keys.is_unique
    if not complete or not (times == times[0]).all():
        return None
    rows = keys.get_indexer(panel.ids)
    return None if (rows < 0).any() else (times[:1], values[rows][None])


_READ: dict[str, Callable[[Panel, Any], Found]] = {
    "series": _series, "list": _list, "wide": _wide, "long": _long, "multi": _multi,
}  # fmt: skip
