"""How far covariates reached in the history, and a warning of plans that lie far outside."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple, Self

import numpy as np

from forecast._checks import ForecastWarning, short
from forecast.data.covariates import Places
from forecast.data.panel import Panel

# A value is far outside if it lies so many ranges beyond the range seen. Columns that grow on, and
# new records, stay within; another unit (cents for dollars) does not: see docs/decisions.md.
FAR = 5.0
ROUNDING = 1e-9  # relative size of what sums and means of equal numbers differ by
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
        """Return that of covariates (..., K); None without any."""
        if X is None:
            return None
        rows = X.reshape(-1, X.shape[-1])
        return cls(rows.min(0), rows.max(0))

    @classmethod
    def restore(cls, told: Any, X: np.ndarray | None) -> Self | None:
        """Return what a file tells of covariates (N, K), or theirs where it is too old to tell."""
        if told is None:
            return cls.of(X)
        if X is None:
            raise ValueError("it tells of covariates, and its history has none")
        low, high = (np.array(part, np.float64).reshape(X.shape[1]) for part in told)
        return cls(low, high)

    def after(self, panel: Panel, added: np.ndarray) -> Self:
        """Return it when the last `added` (n,) steps of each series are seen, too."""
        count = int(added.max())
        if count == 0:
            return self
        new = self.of(panel.newest(count).X if count <= FEW else panel.X)
        if new is None:
            return self
        return type(self)(np.minimum(self.low, new.low), np.maximum(self.high, new.high))

    def beyond(self, known: np.ndarray) -> np.ndarray:
        """Return how many ranges covariates (..., K) lie beyond those seen, 0 inside.

        The range of a column that never changed, but for rounding, is its size, at least 1.
        """
        size, width = np.maximum(np.abs(self.low), np.abs(self.high)), self.high - self.low
        width = np.where(width > ROUNDING * size, width, np.maximum(size, 1.0))
        outside = np.maximum(self.low - known, known - self.high)
        found: np.ndarray = np.maximum(outside, 0.0) / width
        return found

    def far(self, known: np.ndarray) -> bool:
        """Tell whether any covariate (..., K) lies far outside."""
        return bool((self.beyond(known) > FAR).any())

    def tell(self, X: np.ndarray, names: tuple[str, ...], places: Places) -> None:
        """Warn of covariates (..., K) of some places that lie far outside: of the worst."""
        if not self.far(X):
            return
        rows = X.reshape(-1, X.shape[-1])
        beyond = self.beyond(rows)
        i, k = np.unravel_index(beyond.argmax(), beyond.shape)
        warnings.warn(
            f"covariate {short(names[k])} is far outside of what was seen, {self.low[k]:g} to "
            f"{self.high[k]:g}: got {rows[i, k]:g} at {places.name(int(i))}; "
            f"{np.count_nonzero(beyond > FAR)} of {beyond.size} numbers of `X` are. Nothing tells "
            "what happens there. Check its unit, or fit with such values.",
            ForecastWarning,
            stacklevel=4,
        )
