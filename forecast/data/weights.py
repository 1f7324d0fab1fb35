"""How much each value of a panel counts when a model learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from forecast._checks import short
from forecast.data.panel import Panel


def weights_of(panel: Panel, given: Any, read: Callable[[Any], Panel]) -> np.ndarray:
    """Return the weight of every value of a panel, (N,), 1 on average; 0 where there is no value.

    Parameters
    ----------
    panel
        The history.
    given
        A mapping from each series to a weight, or a table like that of the history.
    read
        Makes a panel of such a table.

    Raises
    ------
    ValueError
        If a series or a value lacks its weight, if one is negative or not finite, or if all are 0.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}))
    >>> weights_of(panel, {"a": 1, "b": 3}, read_frames).tolist()
    [0.5, 0.5, 1.5, 1.5]
    """
    if isinstance(given, Mapping):
        weights = np.repeat(_by_series(panel, given), panel.lengths)
    else:
        weights = _by_value(panel, given, read)
    seen = ~np.isnan(panel.values)
    wrong = seen & ~((weights >= 0) & np.isfinite(weights))
    if wrong.any():
        place, said = int(wrong.argmax()), "a weight of at least 0 for every value of `y`"
        i = int(np.searchsorted(panel.offsets, place, side="right")) - 1
        time = panel.times(i)[place - panel.offsets[i]]
        got = "none" if np.isnan(weights[place]) else f"{weights[place]:g}"
        raise ValueError(
            f"`sample_weight` must have {said}, got {got} for series {short(panel.ids[i])} at "
            f"{time}. Use 0 for what is not to be learned from."
        )
    weights = np.where(seen, weights, 0.0)
    if not weights.any():
        raise ValueError("`sample_weight` must be above 0 for some value of `y`, got 0 for all.")
    return weights / weights[seen].mean()


def has_weight(panel: Panel) -> np.ndarray:
    """Tell which series have a value that counts, (n,) bool."""
    if panel.weights is None:
        return np.ones(panel.n_series, dtype=bool)
    heaviest: np.ndarray = np.maximum.reduceat(panel.weights, panel.offsets[:-1])
    return heaviest > 0


def _by_series(panel: Panel, given: Mapping[Any, float]) -> np.ndarray:
    """Return the weight of every series, (n,); NaN where it has none."""
    unknown = [name for name in given if name not in panel.ids]
    if unknown:
        raise ValueError(
            f"`sample_weight` must name series of `y`, got {short(unknown[0])}. Leave it out."
        )
    return np.array([given.get(name, np.nan) for name in panel.ids], dtype=np.float64)


def _by_value(panel: Panel, given: Any, read: Callable[[Any], Panel]) -> np.ndarray:
    """Return the weight of every value, (N,); NaN where it has none."""
    try:
        other = read(given)
    except (TypeError, ValueError) as error:
        raise type(error)(
            "`sample_weight` must be a mapping from series to weights, or a table like `y` with "
            f"weights in place of values; as such it cannot be read: {error}"
        ) from error
    weights = np.full(len(panel.values), np.nan)
    # a Series of weights is seldom named as the Series whose values it weighs
    alone = panel.layout.kind == other.layout.kind == "series"
    ids = panel.ids if alone else other.ids
    for i, j in enumerate(ids.get_indexer(panel.ids).tolist()):
        if j >= 0:
            places = other.times(j).get_indexer(panel.times(i))
            own = np.where(places < 0, np.nan, other.series(j)[places])
            weights[panel.offsets[i] : panel.offsets[i + 1]] = own
    return weights
