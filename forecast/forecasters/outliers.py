"""Values that are nothing like the others of their series: an error of entry, a code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from forecast._checks import short
from forecast.data.panel import Panel

# A value is an outlier if it lies so many times as far from the median as any that is none, ...
FARTHER = 20
# ... if at most one value in so many is one, and if the series has so many values.
ONE_IN, ENOUGH = 50, 12

HIDDEN = (
    "it is taken for missing. If it is real, pass a `target_transform`, even "
    "FunctionTransformer(), which changes nothing."
)
GONE_ON_FROM = "forecasts go on from it. If it is an error, write NaN in its place."


class Outliers(NamedTuple):
    """Where outliers are; the models see missing values there.

    One in fifty values of a series, or one of fewer, may be outliers: those that lie twenty times
    as far from the median as all others. Peaks that come back, such as Christmas or rare large
    orders, are none, nor is what no other value came after: it may be a new level.

    Attributes
    ----------
    series, places
        (k,), the series of each, and its place there.
    """

    series: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, found: Iterable[tuple[int, int]] = ()) -> Outliers:
        """Return those that are named by series and place; by default none."""
        return cls(*np.array(list(found), dtype=np.int64).reshape(-1, 2).T)

    @classmethod
    def find(cls, panel: Panel) -> tuple[Outliers, Outliers]:
        """Look at every series of a panel, in the units of the user.

        Returns
        -------
        The outliers, and what is as far off at the end of a series: an error, or a new level.

        Examples
        --------
        >>> import pandas as pd
        >>> from forecast.data.frames import read_frames
        >>> wild = pd.Series([3.0, 4.0, 5.0, 4.0, 3.0, -999.0, 4.0, 3.0, 5.0, 4.0, 3.0, 5.0])
        >>> late = pd.Series([3.0, 4.0, 5.0, 4.0, 3.0, 4.0, 4.0, 3.0, 5.0, 4.0, 3.0, 1e9])
        >>> for found in Outliers.find(read_frames([wild, late])):
        ...     print(found)
        Outliers(series=array([0]), places=array([5]))
        Outliers(series=array([1]), places=array([11]))
        """
        inside, newest = [], []
        for i in np.flatnonzero(_suspicious(panel)).tolist():
            far, usual = _far_places(panel.series(i).astype(np.float64))
            inside += [(i, place) for place in far if usual[0] < place < usual[-1]]
            newest += [(i, place) for place in far if place > usual[-1]]
        return cls.of(inside), cls.of(newest)

    @classmethod
    def restore(cls, saved: list[list[int]], panel: Panel) -> Outliers:
        """Return what a file names, if the panel has these values."""
        series, places = (np.array(part, dtype=np.int64) for part in saved)
        if ((series < 0) | (series >= panel.n_series) | (places < 0)).any() or (
            places >= panel.lengths[series]
        ).any():
            raise ValueError("the outliers are not in the history")
        return cls(series, places)

    def hide(self, panel: Panel) -> Panel:
        """Return a panel, at least as long, in which they are missing."""
        if not len(self.series):
            return panel
        values = panel.values.copy()
        values[panel.offsets[self.series] + self.places] = np.nan
        return replace(panel, values=values)

    def describe(self, panel: Panel, consequence: str) -> str:
        """Say what was found, what follows from it, and what to do."""
        i, place = int(self.series[0]), int(self.places[0])
        more = f" ({len(self.series) - 1} more values are like it)" if len(self.series) > 1 else ""
        return (
            f"series {short(panel.ids[i])} has {panel.series(i)[place]:g} at "
            f"{panel.times(i)[place]}, {FARTHER} times as far from its median as all "
            f"others, or more{more}: {consequence}"
        )


def _suspicious(panel: Panel) -> np.ndarray:
    """Tell, at little cost, which series may have outliers, (n,) bool."""
    return np.concatenate([_suspicious_of(panel, some) for some in panel.blocks()])


def _suspicious_of(panel: Panel, some: slice) -> np.ndarray:
    begin, own = panel.offsets[some.start], panel.lengths[some]
    values, first = panel.values[begin : panel.offsets[some.stop]], panel.offsets[some] - begin
    seen = ~np.isnan(values)
    count = np.add.reduceat(seen.astype(np.int64), first)
    values = np.where(seen, values, 0.0).astype(np.float64)
    mean = np.repeat(np.add.reduceat(values, first) / np.maximum(count, 1), own)
    away = np.where(seen, np.abs(values - mean), 0.0)
    most, total = np.maximum.reduceat(away, first), np.add.reduceat(away, first)
    # k outliers take a good part of the sum of all deviations
    suspected: np.ndarray = (count >= ENOUGH) & (most * (1 + count // ONE_IN) > total / 4)
    return suspected


def _far_places(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the far and of the ordinary values of one series."""
    away = np.abs(values - np.nanmedian(values))
    seen = np.flatnonzero(~np.isnan(away))
    allowed = max(1, len(seen) // ONE_IN)
    ordinary = np.partition(away[seen], -allowed - 1)[-allowed - 1]
    if ordinary == 0:  # a single sale among none is no outlier
        return seen[:0], seen
    far = away[seen] > FARTHER * ordinary
    return seen[far], seen[~far]
