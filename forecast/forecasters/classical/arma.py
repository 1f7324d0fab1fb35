"""Stationary ARMA with regressors: exact likelihood, and a stepwise search of the orders.

Box and Jenkins, 1970. Brockwell and Davis, "Time Series: Theory and Methods", 1991, 8.7: the
innovations algorithm whitens values and regressors alike, and least squares does the rest. The
search is that of Hyndman and Khandakar, "Automatic Time Series Forecasting", 2008.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.optimize import leastsq
from scipy.signal import lfilter

# Largest orders, as in Hyndman and Khandakar; a search seldom comes near them.
MOST_LAGS, MOST_SEASONS = 5, 2
# A root this close to the unit circle says that a difference is missing, or one too many.
LARGEST_ROOT = 1 / 1.01
# A standardised series forecast without error: the Kalman filter needs more than the rounding error
# of the 1e6 it starts from.
LEAST_VARIANCE = 1e-8
# How far off coefficients, before they are bounded, and those of regressors may be where a history
# tells nothing of them; values are standardised. STEP is that of finite differences.
FREE, BETA, STEP = 1.0, 2.0, 1e-4


Whitener = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, float]]


class Orders(NamedTuple):
    """Count the coefficients of past values and past errors, then those in steps of a season.

    The constant multiplies the first regressor.
    """

    p: int
    q: int
    P: int = 0
    Q: int = 0
    constant: bool = False


class Arma(NamedTuple):
    """A fitted model.

    Attributes
    ----------
    coefficients
        Of `p`, `q`, `P`, `Q`, in this order.
    beta
        Of the regressors.
    variance
        Of the errors.
    """

    orders: Orders
    coefficients: np.ndarray
    beta: np.ndarray
    variance: float
    aicc: float
    free: np.ndarray  # where the optimiser stopped, to start a neighbour from


class Sample:
    """A differenced series with its differenced regressors, and all models fitted to it so far.

    Parameters
    ----------
    values
        (n,), without gaps.
    regressors
        (n, K); the first one is the constant's.
    season_length
        Steps per season.
    invertible
        Whether plain roots of past errors must keep away from the unit circle. The differences of
        noise around a line have one on it.
    """

    def __init__(
        self,
        values: np.ndarray,
        regressors: np.ndarray,
        season_length: int,
        *,
        invertible: bool = True,
    ) -> None:
        self.columns = np.column_stack([values, regressors])
        self.season_length, self.invertible = season_length, invertible
        self.seen: dict[Orders, Arma] = {}

    def fit(self, orders: Orders) -> Arma:
        """Return the model of these orders with the largest likelihood."""
        near = [self.seen[orders]] if orders in self.seen else []
        near += [self._solve(orders, start, _filter) for start in _starts(orders)]
        best = min(near, key=lambda fit: fit.aicc)
        return min(best, self._solve(orders, best.free, _whiten), key=lambda fit: fit.aicc)

    def sketch(self, orders: Orders, near: Arma | None = None) -> Arma:
        """Return a model close to that: its sum of squares starts from zeros, which is faster.

        Its AICc is exact: that of the coefficients it has.
        """
        if orders not in self.seen:
            starts = _starts(orders) if near is None else [_resized(near, orders)]
            fits = [self._solve(orders, start, _filter) for start in starts]
            self.seen[orders] = min(fits, key=lambda fit: fit.aicc)
        return self.seen[orders]

    def search(self, first: list[Orders], free: Orders) -> Arma:
        """Walk to better neighbours from the best of the first orders, by AICc.

        Parameters
        ----------
        first
            Where to start.
        free
            The largest order of those that may be varied; the others must be as in `first`.
        """
        best = min((self.sketch(orders) for orders in first), key=self._score)
        while True:
            for orders in _neighbours(best.orders, free):
                rival = self.sketch(orders, best)
                if self._score(rival) < self._score(best):
                    best = rival
                    break
            else:
                break
        # The exact likelihood may lead to the unit circle after all: then the next has its turn.
        ranked = sorted(self.seen.values(), key=self._score)
        polished = (self.fit(fit.orders) for fit in ranked if math.isfinite(self._score(fit)))
        sound = (fit for fit in polished if math.isfinite(self._score(fit)))
        best = next(sound, None) or self.fit(min(first, key=lambda one: self.seen[one].aicc))
        if math.isfinite(best.aicc):
            return best
        return self.fit(Orders(0, 0, 0, 0, best.orders.constant))

    def nested(self, fit: Arma, sizes: list[int]) -> np.ndarray:
        """Return the AICc of the first 1, 2, ... regressors, with the coefficients of a fit.

        Parameters
        ----------
        fit
            A model of all regressors.
        sizes
            Numbers of regressors, that of the constant included.
        """
        columns = self._columns(fit.orders)
        white, level = _whiten(columns, *_polynomials(fit.free, fit.orders, self.season_length))
        axes = np.linalg.qr(white[:, 1:])[0]
        explained = np.r_[0.0, np.cumsum((axes.T @ white[:, 0]) ** 2)]
        left = level * (white[:, 0] @ white[:, 0] - explained)
        kept = np.array(sizes) - (not fit.orders.constant)
        # Beside these, the coefficients and the variance were fitted.
        return np.array([_aicc(left[k], len(white), len(fit.free) + k + 1) for k in kept])

    def evidence(self, fit: Arma, skip: int) -> float:
        """Return the criterion of Schwarz, 1978, for all values but the first ones, given these.

        It is -2 log L + k log n. A series without its first value and its differences hold the same
        values, so that models of both can be compared.
        """
        if not math.isfinite(fit.aicc):
            return math.inf
        columns = self._columns(fit.orders)
        white = columns[:, :1] - columns[:, 1:] @ fit.beta[:, None]
        errors, variances = _innovations(
            white, *_polynomials(fit.free, fit.orders, self.season_length)
        )
        n, k = len(errors) - skip, len(fit.free) + len(fit.beta) + 1
        total, spread = np.square(errors[skip:, 0]) / variances[skip:], variances[skip:]
        variance = max(float(total.sum()) / n, LEAST_VARIANCE)
        return n * math.log(variance) + float(np.log(spread).sum()) + k * math.log(n)

    def doubt(self, fit: Arma) -> np.ndarray:
        """Return beta and coefficients that are one standard deviation off, (2 r, K + k).

        Row after row, down and up along each axis of a normal distribution about those of the fit.
        Its precision is J'J / sigma^2, J the derivatives of the errors, as for least squares, and a
        little of its own, for what no value tells of.
        """
        columns, k = self._columns(fit.orders), len(fit.free)

        def errors(numbers: np.ndarray) -> np.ndarray:
            polynomials = _polynomials(numbers[:k], fit.orders, self.season_length)
            white, _ = _whiten(columns, *polynomials)
            return white[:, 0] - white[:, 1:] @ numbers[k:]

        numbers = np.concatenate([fit.free, fit.beta])
        try:
            axes = _axes(errors, numbers, np.r_[np.full(k, FREE), np.full(len(fit.beta), BETA)])
        except (ValueError, np.linalg.LinAlgError):  # too close to the edge of stationarity
            return np.empty((0, len(numbers)))
        rows = [numbers + sign * axis for axis in axes for sign in (-1, 1)]
        moved = [np.concatenate([row[k:], *_bounded(row[:k], fit.orders)]) for row in rows]
        return np.array(moved).reshape(len(moved), len(numbers))

    def _score(self, fit: Arma) -> float:
        parts = _split(fit.coefficients, fit.orders)
        if not self.invertible:
            parts[1] = np.zeros(0)
        return fit.aicc if _largest_root(parts) < LARGEST_ROOT else math.inf

    def _columns(self, orders: Orders) -> np.ndarray:
        return np.delete(self.columns, [] if orders.constant else 1, axis=1)

    def _solve(self, orders: Orders, free: np.ndarray, whiten: Whitener) -> Arma:
        """Start from `free`, minimise the squares of white columns, weigh by the likelihood."""
        columns = self._columns(orders)
        n, k = len(columns), len(free) + columns.shape[1]  # the variance in place of the values

        def errors(free: np.ndarray, whiten: Whitener) -> tuple[np.ndarray, np.ndarray, float]:
            white, level = whiten(columns, *_polynomials(free, orders, self.season_length))
            scaled, beta = white[:, 0], np.zeros(0)
            if white.shape[1] > 1:
                beta = np.linalg.lstsq(white[:, 1:], scaled, rcond=None)[0]
                scaled = scaled - white[:, 1:] @ beta
            # The sum of squares of these is least where the likelihood is largest.
            return scaled * math.sqrt(level), beta, level

        try:
            with np.errstate(all="ignore"):  # the optimiser tries parameters that overflow
                if len(free) and n > k + 1:
                    free = _least_squares(lambda x: errors(x, whiten)[0], free, whiten is _filter)
                scaled, beta, level = errors(free, _whiten)
        except (ValueError, np.linalg.LinAlgError):  # too close to the edge of stationarity
            return Arma(orders, np.zeros(len(free)), np.zeros(k), 1.0, math.inf, 0 * free)
        total = float(scaled @ scaled)
        variance = max(total / n / level, LEAST_VARIANCE)
        coefficients = np.concatenate(_bounded(free, orders))
        return Arma(orders, coefficients, beta, variance, _aicc(total, n, k), free)


def _least_squares(
    errors: Callable[[np.ndarray], np.ndarray], start: np.ndarray, rough: bool
) -> np.ndarray:
    budget = 20 * (len(start) + 1)
    found = leastsq(
        errors,
        start,
        ftol=1e-4 if rough else 1e-8,
        xtol=1e-3 if rough else 1e-6,
        maxfev=budget,
        full_output=True,  # or it would warn when the budget is spent
    )
    return found[0]


def _aicc(squares: float, n: int, k: int) -> float:
    """Weigh a sum of squares of n errors by the k parameters it took."""
    variance = max(squares / n, LEAST_VARIANCE)
    if n <= k + 1:
        return math.inf
    return n * (math.log(2 * math.pi * variance) + 1) + 2 * k * n / (n - k - 1)


def _axes(
    errors: Callable[[np.ndarray], np.ndarray], numbers: np.ndarray, widths: np.ndarray
) -> np.ndarray:
    """Return how far off numbers (k,) that made errors small may be, an axis a row, (r, k)."""
    least = errors(numbers)
    off = [errors(numbers + step) for step in STEP * np.eye(len(numbers))]
    effect = (np.reshape(off, (-1, len(least))) - least) / STEP  # (k, n)
    variance = float(least @ least) / max(len(least) - len(numbers), 1)
    if not variance or not np.isfinite(effect).all():
        return np.empty((0, len(numbers)))
    size, axes = np.linalg.eigh(effect @ effect.T / variance + np.diag(widths**-2))
    found: np.ndarray = (axes / np.sqrt(size)).T
    return found


def _whiten(columns: np.ndarray, ar: np.ndarray, ma: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the standardised one-step errors of all columns, and their mean variance before.

    The mean is the geometric one.
    """
    if not len(ar) and not len(ma):
        return columns, 1.0
    errors, variances = _innovations(columns, ar, ma)
    return errors / np.sqrt(variances)[:, None], math.exp(np.log(variances).mean())


def _innovations(
    columns: np.ndarray, ar: np.ndarray, ma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the one-step errors of all columns, and their variances (n,)."""
    from statsmodels.tsa.innovations.arma_innovations import arma_innovations

    if not len(ar) and not len(ma):
        return columns, np.ones(len(columns))
    errors, variances = arma_innovations(columns, ar_params=ar, ma_params=ma)
    return errors, variances


def _filter(columns: np.ndarray, ar: np.ndarray, ma: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the errors of all columns, as if zeros had come before."""
    return lfilter(np.r_[1.0, -ar], np.r_[1.0, ma], columns, axis=0), 1.0


def _polynomials(free: np.ndarray, orders: Orders, m: int) -> tuple[np.ndarray, np.ndarray]:
    return all_lags(np.concatenate(_bounded(free, orders)), orders, m)


def all_lags(coefficients: np.ndarray, orders: Orders, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Multiply the plain and the seasonal polynomials; return past values' and past errors'."""
    ar, ma, seasonal_ar, seasonal_ma = _split(coefficients, orders)
    return -_product(-ar, -seasonal_ar, m), _product(ma, seasonal_ma, m)


def _product(plain: np.ndarray, seasonal: np.ndarray, m: int) -> np.ndarray:
    if not len(seasonal):
        return plain
    spread, first = np.zeros(len(seasonal) * m + 1), np.ones(len(plain) + 1)
    spread[0], spread[m::m], first[1:] = 1.0, seasonal, plain
    return np.convolve(first, spread)[1:]


def _split(coefficients: np.ndarray, orders: Orders) -> list[np.ndarray]:
    p, q, P = np.cumsum(orders[:3]).tolist()
    return [coefficients[:p], coefficients[p:q], coefficients[q:P], coefficients[P:]]


def _bounded(free: np.ndarray, orders: Orders) -> list[np.ndarray]:
    """Map real numbers to the coefficients of stationary and invertible polynomials."""
    ar, ma, seasonal_ar, seasonal_ma = _split(free, orders)
    return [_stationary(ar), -_stationary(ma), _stationary(seasonal_ar), -_stationary(seasonal_ma)]


def _stationary(free: np.ndarray) -> np.ndarray:
    """Read the numbers as partial autocorrelations, after Monahan 1984."""
    coefficients: list[float] = []
    for number in free.tolist():
        # Up to .9998: at 1 the likelihood has no value.
        bounded = min(max(number, -50.0), 50.0)
        last = bounded / math.sqrt(1 + bounded * bounded)
        pairs = zip(coefficients, coefficients[::-1], strict=True)
        coefficients = [a - last * b for a, b in pairs] + [last]
    return np.array(coefficients)


def _starts(orders: Orders) -> list[np.ndarray]:
    """Begin with small correlations; if some may cancel, with large ones of both signs."""
    mixed = orders.p and orders.q or orders.P and orders.Q
    starts = []
    for first in (0.5, -0.5) if mixed else (0.1,):
        parts = [np.zeros(k) for k in orders[:4]]
        parts[0][:1] = parts[2][:1] = first
        starts.append(np.concatenate(parts))
    return starts


def _resized(near: Arma, orders: Orders) -> np.ndarray:
    """Begin where a neighbour stopped; what is new is near zero."""
    parts = [np.full(k, 0.05) for k in orders[:4]]
    for part, known in zip(parts, _split(near.free, near.orders), strict=True):
        shared = min(len(part), len(known))
        part[:shared] = np.clip(known[:shared], -3, 3)
    return np.concatenate(parts)


def _largest_root(parts: list[np.ndarray]) -> float:
    roots = [
        np.abs(np.roots(np.r_[1.0, sign * part]))
        for sign, part in zip((-1, 1, -1, 1), parts, strict=True)
    ]
    return float(np.concatenate([*roots, [0.0]]).max())


def _neighbours(orders: Orders, free: Orders) -> Iterator[Orders]:
    """Yield the orders one step away: each of them, p and q together, P and Q together."""
    steps = [
        (0, 0, -1, 0), (0, 0, 0, -1), (0, 0, 1, 0), (0, 0, 0, 1), (0, 0, -1, -1), (0, 0, 1, 1),
        (0, 0, -1, 1), (0, 0, 1, -1), (-1, 0, 0, 0), (0, -1, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0),
        (-1, -1, 0, 0), (1, 1, 0, 0), (-1, 1, 0, 0), (1, -1, 0, 0),
    ]  # fmt: skip
    for step in steps:
        moved = [order + change for order, change in zip(orders[:4], step, strict=True)]
        allowed = (
            change == 0 or 0 <= order <= most
            for order, change, most in zip(moved, step, free[:4], strict=True)
        )
        if all(allowed):
            p, q, P, Q = moved
            yield Orders(p, q, P, Q, orders.constant)
    if free.constant:
        yield orders._replace(constant=not orders.constant)
