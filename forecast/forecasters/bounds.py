"""The values that a series can take, read off its history: none below zero, whole ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from forecast.data.panel import Panel, ranges

FEW = 64  # new values of a series that are looked at alone


class Bounds(NamedTuple):
    """What the values of each series tell of those to come.

    A series that never was negative is not forecast below zero, and one of whole numbers has whole
    quantiles and paths; a mean has decimals. Both are decided series by series. Who knows better
    passes a `target_transform`, even `FunctionTransformer()`, which changes nothing: then the
    bounds are its own.

    Attributes
    ----------
    positive
        (n,) bool: nothing below zero was seen.
    whole
        (n,) bool: whole numbers only were seen.

    Examples
    --------
    >>> bounds = Bounds(np.array([True, False]), np.array([False, True]))
    >>> bounds.hold(np.array([[-0.4, 1.6], [-0.4, 1.6]])).tolist()
    [[0.0, 1.6], [0.0, 2.0]]
    """

    positive: np.ndarray
    whole: np.ndarray

    @classmethod
    def unknown(cls, n_series: int) -> Bounds:
        """Return what holds before any value was seen: everything may be true."""
        return cls(np.ones(n_series, dtype=bool), np.ones(n_series, dtype=bool))

    def after(self, panel: Panel, added: np.ndarray) -> Bounds:
        """Return what is left of this when the last `added` (n,) values of each series are seen."""
        owners = np.repeat(np.arange(panel.n_series), added)
        if (added == added[0]).all() and added[0] <= FEW:  # a stream lays no history out
            values = np.ravel(panel.newest(int(added[0])).values)
        else:
            values = panel.values[ranges(panel.offsets[1:] - added, added)]
        below, parts = values < 0, values % 1 > 0  # NaN is neither
        positive, whole = (
            flag & (np.bincount(owners[wrong], minlength=len(flag)) == 0)
            for flag, wrong in zip(self, (below, parts), strict=True)
        )
        return Bounds(positive, whole)

    def or_of(self, others: Bounds, panel: Panel) -> Bounds:
        """Return this, but for series without a value what is true of all the others."""
        pairs = zip(self, others, strict=True)
        return Bounds(*(np.where(observed(panel), own, other.all()) for own, other in pairs))

    def hold(self, values: np.ndarray, *, mean: bool = False) -> np.ndarray:
        """Return the nearest forecasts (n, ...) that the series can take; a mean has decimals."""
        positive, whole = (flag.reshape(-1, *(1,) * (values.ndim - 1)) for flag in self)
        held = values if mean else np.where(whole, np.round(values) + 0.0, values)
        return np.where(positive, np.maximum(held, 0.0), held)


def observed(panel: Panel) -> np.ndarray:
    """Tell which series have a value at all, (n,) bool."""
    seen: np.ndarray = np.logical_or.reduceat(~np.isnan(panel.values), panel.offsets[:-1])
    return seen
