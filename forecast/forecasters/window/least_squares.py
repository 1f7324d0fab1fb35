"""Least squares on sliding windows that are never laid out.

The columns of such a regression are one series, shifted; so neighbours on a diagonal of the matrix
of its normal equations differ by the products at the ends of the stretches alone. Morf, Dickinson,
Kailath and Vieira, "Efficient solution of covariance equations for linear prediction", 1977.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh

from forecast.data.panel import Panel, ranges

# Eigenvalues below this share of the largest are rounding: the solution of least norm has no part
# of them.
NEGLIGIBLE = 1e-13


class Stretches(NamedTuple):
    """Where values of a panel are observed without a gap, each within one series.

    Attributes
    ----------
    starts, ends
        (R,), the flat place of the first value of each, and of the first one after it.
    """

    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, panel: Panel) -> Stretches:
        """Return the stretches of a panel.

        Examples
        --------
        >>> import pandas as pd
        >>> from forecast.data.frames import read_frames
        >>> Stretches.of(read_frames(pd.Series([1.0, 2.0, np.nan, 4.0])))
        Stretches(starts=array([0, 3]), ends=array([2, 4]))
        """
        observed = ~np.isnan(panel.values)
        border = np.zeros(len(observed) + 1, dtype=bool)  # between two series
        border[panel.offsets] = True
        starts = observed & border[:-1]
        starts[1:] |= observed[1:] & ~observed[:-1]
        ends = observed & border[1:]
        ends[:-1] |= observed[:-1] & ~observed[1:]
        return cls(np.flatnonzero(starts), np.flatnonzero(ends) + 1)

    def inside(self, panel: Panel, chosen: np.ndarray) -> Stretches:
        """Return the stretches of the chosen series, (n,) bool."""
        kept = chosen[np.searchsorted(panel.offsets, self.starts, side="right") - 1]
        return Stretches(self.starts[kept], self.ends[kept])

    @property
    def lengths(self) -> np.ndarray:
        """The number of values of each, (R,)."""
        return self.ends - self.starts

    def n_rows(self, order: np.ndarray) -> np.ndarray:
        """Return how many values have so many observed ones right before them."""
        lengths = np.sort(self.lengths)
        first = np.searchsorted(lengths, order, side="right")
        above = np.r_[np.cumsum(lengths[::-1])[::-1], 0]
        return np.asarray(above[first] - order * (len(lengths) - first))

    def rows(self, order: int) -> np.ndarray:
        """Return the flat places of these values, (rows,)."""
        long = self.lengths > order
        return ranges(self.starts[long] + order, self.lengths[long] - order)


class Regression:
    """Least squares of values on the `order` ones before each, and on what is told beside them.

    Parameters
    ----------
    values
        (N,), NaN where unobserved; becomes 0 there.
    beside
        (N, K), finite.
    stretches
        Of the values.
    order
        Smaller than the longest stretch.
    weights
        (N,), how much each value counts as a target; None: all alike.
    """

    def __init__(
        self,
        values: np.ndarray,
        beside: np.ndarray,
        stretches: Stretches,
        order: int,
        weights: np.ndarray | None = None,
    ) -> None:
        long = stretches.lengths > order
        self.heads, self.tails = stretches.starts[long], stretches.ends[long]
        self.order = order
        self.past = np.nan_to_num(values, copy=False)
        self.chosen = np.zeros(len(values))
        self.chosen[stretches.rows(order)] = 1.0
        self.weighted = weights is not None
        self.weights = self.chosen if weights is None else self.chosen * weights
        self.target = self.past * self.chosen
        self.beside = beside * self.chosen[:, None]

    def solve(self) -> tuple[np.ndarray, float, np.ndarray]:
        """Return the weights (order + K,) of least squares, the constant, and what is in doubt.

        Where columns depend on each other, the weights have the least norm. Errors with a deviation
        of 1 leave weights and constant, in this order, off by D @ normals, with the doubt D of
        shape (order + K + 1, order + K); beside that the constant is off by a mean of such errors.

        Examples
        --------
        >>> y = np.array([1.0, 3.0, 7.0, 15.0, 31.0])
        >>> whole = Stretches(np.array([0]), np.array([5]))
        >>> weights, constant, doubt = Regression(y, np.empty((5, 0)), whole, order=1).solve()
        >>> weights.round(6).tolist(), round(constant, 6)
        ([2.0], 1.0)
        """
        rows, sums = self.weights.sum(), self._against(self.weights)
        matrix = self._products()
        matrix -= np.outer(sums, sums / rows)
        size, axes = eigh(matrix, overwrite_a=True, check_finite=False)
        real = size > NEGLIGIBLE * size.max(initial=0.0)
        inverse = np.divide(1.0, size, out=np.zeros_like(size), where=real)
        total = (self.weights * self.target).sum()
        weights, constant = np.zeros(len(sums)), float(total / rows)
        # The matrix has squared what is nearly dependent; so its solution is refined by its errors.
        for _ in range(3):
            change = self._against(self.weights * self.errors(weights, constant))
            weights = weights + axes @ (inverse * (axes.T @ change))
            constant = float((total - sums @ weights) / rows)
        doubt = axes * np.sqrt(inverse)
        return weights, constant, np.vstack([doubt, -sums / rows @ doubt])

    def errors(self, weights: np.ndarray, constant: float) -> np.ndarray:
        """Return the errors (N,); 0 for values without a whole window."""
        predicted = self.beside @ weights[self.order :] + constant
        predicted[1:] += np.convolve(self.past, weights[: self.order])[: -self.order]
        predicted *= self.chosen
        return np.subtract(self.target, predicted, out=predicted)

    def _against(self, rows: np.ndarray) -> np.ndarray:
        """Return the product of each column (order + K,) with (N,) that is 0 but in the rows."""
        size = len(rows)
        lags = [self.past[: size - k] @ rows[k:] for k in range(1, self.order + 1)]
        return np.r_[lags, rows @ self.beside]

    def _products(self) -> np.ndarray:
        """Return the product of each column with each, (order + K, order + K)."""
        p, width = self.order, self.beside.shape[1]
        products = np.empty((p + width, p + width))
        products[0] = self._against(self._lagged(1) * self.weights)
        if self.weighted:  # a step earlier the same value has another weight
            for k in range(1, p):
                products[k] = self._against(self._lagged(k + 1) * self.weights)
        else:
            self._shift(products)
        for k, column in enumerate(self.beside.T, start=p):
            products[k] = self._against(column * self.weights)
        products[:p, p:] = products[p:, :p].T
        return products

    def _lagged(self, k: int) -> np.ndarray:
        """Return the values k steps before, (N,)."""
        return np.r_[np.zeros(k), self.past[:-k]]

    def _shift(self, products: np.ndarray) -> None:
        """Fill in the products of lags, from those of the first one."""
        p = self.order
        back = np.arange(1, p)
        first = self.past[self.heads[:, None] + p - 1 - back]  # (R, order - 1)
        last = self.past[self.tails[:, None] - 1 - back]
        for k in range(1, p):  # all windows one step earlier: one row comes in, one goes out
            change = first[:, k - 1] @ first - last[:, k - 1] @ last
            products[k, 1:p] = products[k - 1, : p - 1] + change
            products[k, 0] = products[0, k]
