"""The arithmetic of reconciliation: covariances of errors, and the projection that they weigh."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from scipy import linalg, sparse

from forecast.evaluation.table import Array

LEAST = 1e-6  # of the shrinkage, and of a variance as a share of the largest: nothing is certain


class Covariance(NamedTuple):
    """A covariance of N nodes as diag(d) + F F': never laid out.

    Attributes
    ----------
    diagonal : array (N,)
        d.
    factor : array (N, r)
        F.
    """

    diagonal: Array
    factor: Array

    @classmethod
    def of(cls, diagonal: Array) -> Self:
        """Return a covariance of independent errors."""
        return cls(diagonal, np.empty((len(diagonal), 0)))

    @classmethod
    def shrunken(cls, errors: Array) -> Self:
        """Estimate it from errors (T, N), shrunk to its diagonal.

        V = a diag(s) + (1 - a) E' E / T, s the mean squares, where, of the correlations r_ij of
        errors x_ti of unit size,

            a = sum_{i != j} Var(r_ij) / sum_{i != j} r_ij^2,
            Var(r_ij) = (sum_t (x_ti x_tj)^2 - T r_ij^2) / (T (T - 1)),

        as Schaefer and Strimmer, 2005, with errors about zero, as in Wickramasuriya et al., 2019.

        Examples
        --------
        >>> together = np.random.default_rng(0).normal(size=(500, 1)) * [1.0, 2.0]
        >>> V = Covariance.shrunken(together)
        >>> (np.diag(V.diagonal) + V.factor @ V.factor.T).round(1)
        array([[1. , 2. ],
               [2. , 4.1]])
        """
        squares = mean_squares(errors)
        share = shrinkage(errors / np.sqrt(squares))
        return cls(share * squares, np.sqrt((1 - share) / len(errors)) * errors.T)

    @property
    def variances(self) -> Array:
        """The variance of every node, (N,)."""
        found: Array = self.diagonal + np.square(self.factor).sum(1)
        return found


def mean_squares(errors: Array) -> Array:
    """Return the mean square of the errors (T, N) of each node, (N,), none of which is zero."""
    squares: Array = np.square(errors).mean(0)
    return np.maximum(squares, LEAST * squares.max()) if squares.any() else np.ones_like(squares)


def shrinkage(errors: Array) -> float:
    """Return the share of the diagonal, in (0, 1], for errors (T, N) of unit size.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> shrinkage(x) > 0.5, shrinkage(x[:, :1].repeat(3, 1)) < 0.05
    (True, True)
    """
    # sums over all pairs of nodes are sums over all pairs of times, of which there are fewer
    T, N = errors.shape
    squares = np.square(errors)
    products = np.square(squares.sum(1)).sum() - np.square(squares).sum()
    r = (np.square(errors @ errors.T).sum() - np.square(squares.sum(0)).sum()) / T**2
    if T < 2 or N < 2 or r <= 0:
        return 1.0
    doubt = (products - T * r) / (T * (T - 1))
    return float(np.clip(doubt / r, LEAST, 1.0))


class Projection:
    """Move base forecasts of N nodes to the nearest that add up; see `reconciliation`.

    Parameters
    ----------
    sums
        A, (s, b).
    weights
        W: how far each node may be moved.
    """

    def __init__(self, sums: sparse.csr_array, weights: Covariance) -> None:
        self.sums, n = sums, sums.shape[0]
        self.own, self.shared = weights.diagonal[n:, None], weights.factor[n:]  # of the parts
        self.apart = weights.factor[:n] - sums @ self.shared  # C F
        between = (sums.multiply(self.own.T) @ sums.T).toarray()
        between += np.diag(weights.diagonal[:n]) + self.apart @ self.apart.T  # C W C'
        self.solver = linalg.cho_factor(between)

    def parts(self, base: Array) -> Array:
        """Return G y^ (b, M) of base forecasts (N, M)."""
        n = self.sums.shape[0]
        above, parts = base[:n], base[n:]
        pull = linalg.cho_solve(self.solver, above - self.sums @ parts)
        moved: Array = parts + self.own * (self.sums.T @ pull) - self.shared @ (self.apart.T @ pull)
        return moved

    def whole(self, parts: Array) -> Array:
        """Return the sums of parts, and the parts, (N, M)."""
        return np.vstack([self.sums @ parts, parts])

    def spreads(self, errors: Array) -> Array:
        """Return by what factor the spread of each node changes, (N,), for past errors (T, N)."""
        before = np.square(errors).mean(0)
        after = np.square(self.whole(self.parts(errors.T))).mean(1)
        spreads: Array = np.sqrt(after / np.where(before > 0, before, 1.0))
        return spreads
