"""The values that a series can take, read off its history: none below zero, whole ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from forecast.data.panel import Panel, ranges

FEW = 64  # new values of a series that are looked at alone


class Bounds(NamedTuple):
    """What the values of each series tell of those to come.

    A series that never was negative is not forecast below zero, and one of whole numbers has whole
    quantiles and paths; a mean has decimals. Both are decided series by series. To decide
    otherwise, pass a `target_transform`, even `FunctionTransformer()`, which changes nothing: then
    the bounds are its own.

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
        if (added == added[0]).all() and added[0] <= FEW:  # a stream lays no history out
            wrong = _wrong(panel.newest(int(added[0])).values)
            return self._and(*(np.logical_or.reduce(each, 1) for each in wrong))
        found = zip(*(_broken(panel, added, some) for some in panel.blocks()), strict=True)
        return self._and(*map(np.concatenate, found))

    def _and(self, below: np.ndarray, parts: np.ndarray) -> Bounds:
        return Bounds(self.positive & ~below, self.whole & ~parts)

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


def _broken(panel: Panel, added: np.ndarray, some: slice) -> tuple[np.ndarray, np.ndarray]:
    """Tell of some series whether their last `added` (n,) values hold negative ones, and parts."""
    ends, own = panel.offsets[1:][some], added[some]
    values, owners = panel.values[ranges(ends - own, own)], np.repeat(np.arange(len(own)), own)
    below, parts = (np.bincount(owners[each], minlength=len(own)) > 0 for each in _wrong(values))
    return below, parts


def _wrong(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell which values are below zero, and which are not whole; NaN is neither."""
    return values < 0, values % 1 > 0
