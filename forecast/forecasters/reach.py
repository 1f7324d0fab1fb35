"""How far covariates reached in the history, and a warning of plans that lie far outside."""

from __future__ import annotations

import warnings
from typing import NamedTuple, Self

import numpy as np

from forecast._checks import ForecastWarning, short
from forecast.data.covariates import of_future
from forecast.data.panel import Panel

# A value is far outside if it lies so many ranges beyond the range seen. Columns that grow on, and
# new records, stay within; another unit (cents for dollars) does not: see docs/decisions.md.
FAR = 5.0
FEW = 64  # new steps that are looked at without laying a history out


class Reach(NamedTuple):
    """The least and the largest known covariates that were seen.

    Attributes
    ----------
    low, high
        (K,), of every column.

    Examples
    --------
    >>> reach = Reach(np.array([2.0, 0.0]), np.array([2.5, 0.0]))
    >>> reach.beyond(np.array([[2.4, 0.0], [4.5, 1.0], [250.0, 0.0]])).tolist()
    [[0.0, 0.0], [4.0, 1.0], [495.0, 0.0]]
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray | None) -> Self | None:
        """Return that of covariates (..., K), of which NaN tells nothing; None without any."""
        if X is None:
            return None
        rows = X.reshape(-1, X.shape[-1])
        return cls(np.fmin.reduce(rows), np.fmax.reduce(rows))

    def after(self, panel: Panel, added: np.ndarray) -> Self:
        """Return it when the last `added` (n,) steps of each series are seen, too."""
        count = int(added.max())
        new = self.of(panel.newest(count).X if count <= FEW else panel.X)
        if new is None or count == 0:
            return self
        return type(self)(np.fmin(self.low, new.low), np.fmax(self.high, new.high))

    def beyond(self, known: np.ndarray) -> np.ndarray:
        """Return how many ranges covariates (..., K) lie beyond those seen, 0 inside.

        The range of a column that never changed is its size, at least 1.
        """
        size = np.maximum(np.maximum(np.abs(self.low), np.abs(self.high)), 1.0)
        width = np.where(self.high > self.low, self.high - self.low, size)
        outside = np.maximum(self.low - known, known - self.high)
        found: np.ndarray = np.maximum(outside, 0.0) / width
        return found

    def tell(self, panel: Panel, known: np.ndarray) -> None:
        """Warn of the plan (n, H, K) of the next steps if it lies far outside: the worst of it."""
        n, horizon, _ = known.shape
        beyond = self.beyond(known)
        if not (beyond > FAR).any():
            return
        i, step, k = np.unravel_index(beyond.argmax(), beyond.shape)
        where = of_future(panel, horizon).name(int(i * horizon + step))
        warnings.warn(
            f"covariate {short(panel.X_names[k])} is far outside of what was seen, "
            f"{self.low[k]:g} to {self.high[k]:g}: got {known[i, step, k]:g} at {where}; "
            f"{np.count_nonzero(beyond > FAR)} of {beyond.size} numbers of `X` are. Nothing tells "
            "what happens there. Check its unit, or fit with such values.",
            ForecastWarning,
            stacklevel=4,
        )
