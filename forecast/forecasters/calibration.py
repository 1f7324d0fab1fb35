"""How wide the bands should have been, learned from forecasts of the last values.

A forecaster that was fitted without the last values is asked for them from many origins. Its
errors there, each as a multiple of its own half width, are pooled (`pool`) and say by how much to
stretch what it forecasts. A band is stretched as a whole, around its median, and so is every path:
quantiles and paths still tell of one distribution. The pooling does not ask where errors come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from scipy.special import ndtri, stdtrit

from forecast._checks import unsaid
from forecast.data.panel import Panel

# Errors are multiples of the half width of the band of this coverage, which is then right.
COVERAGE = 0.8
LEVELS = ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2)
# Origins, at least, and the share of a series that may be held back for them.
ORIGINS, SHARE = 12, 3
# Fewer independent errors than this say little about a band.
FEW = 3
# From so many independent errors on, those above and below the median are told apart.
MANY = 200
# What is borrowed for the size of errors (from all series, all places of a season, the step before)
# weighs as much as so many independent ones of its own.
BORROWED = 4.0
# The width that a forecast claims is believed as so many independent errors would be. With none as
# much is covered (.80, .73, .83, .79 after 72 values of an AR(1), a random walk, a season and a
# trend, Markov, 80 series each), but the interval score is 2 to 8 % worse than with three.
CLAIMED = 3.0
# No band is stretched or shrunk by more: errors that are nearly zero say nothing.
MOST = 20.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """How much to stretch the band of each series at each step.

    Parameters
    ----------
    scale
        (n,), the factor of each series at the first step.
    growth
        b: at step j the factor is j ** b times as large.
    sides
        Factors below and above the median; they differ where there are many errors.
    independent
        How many independent errors stand behind it.

    Examples
    --------
    >>> twice = Calibration(np.array([2.0]), growth=0.0, sides=(1.0, 1.0), independent=12.0)
    >>> twice.stretch(np.array([[9.0, 10.5]]), center=np.array([[10.0, 10.0]])).tolist()
    [[8.0, 11.0]]
    """

    scale: np.ndarray
    growth: float
    sides: tuple[float, float]
    independent: float

    def stretch(self, values: np.ndarray, center: np.ndarray) -> np.ndarray:
        """Move values (n, H, ...) away from the median (n, H), or towards it."""
        steps = np.arange(1, center.shape[1] + 1, dtype=np.float64)
        factor = self.scale[:, None] * steps**self.growth  # (n, H)
        factor, center = (
            part.reshape(*part.shape, *(1,) * (values.ndim - 2)) for part in (factor, center)
        )
        away = values - center
        stretched: np.ndarray = center + away * factor * np.where(away < 0, *self.sides)
        return stretched

    def state(self) -> dict[str, Any]:
        """Return it as text can hold it, for `from_state`."""
        return {**vars(self), "scale": self.scale.tolist(), "sides": list(self.sides)}

    @classmethod
    def from_state(cls, state: dict[str, Any] | None, n_series: int) -> Self | None:
        """Return what `state` told of so many series, if there was a calibration."""
        if state is None:
            return None
        low, high = map(float, state["sides"])
        scale, growth = np.array(state["scale"], dtype=np.float64), float(state["growth"])
        if scale.shape != (n_series,) or not 0 <= growth <= 1:
            raise ValueError("the calibration is none of these series")
        if not all(
            (0 <= part).all() and (part <= MOST).all() for part in (scale, np.array([low, high]))
        ):
            raise ValueError("the calibration stretches beyond all measure")
        return cls(scale, growth, (low, high), float(state["independent"]))

    def borrowed(self, n_series: int) -> Self:
        """Return what these series tell of others."""
        typical = np.exp(np.log(self.scale).mean(keepdims=True))
        return type(self)(typical.repeat(n_series), self.growth, self.sides, self.independent)


def pool(errors: np.ndarray, apart: int = 1) -> Calibration | None:
    """Learn how wide bands should have been from errors of past forecasts.

    With r_kj the error of origin k at step j, as a multiple of the half width of the forecast's own
    80 % band: the root mean square over origins is fitted as a j^b with b in [0, 1]; the scale of
    a series leans on that of all; and the ceil((N + 1) .8)-th of the N pooled |r| / (a j^b) is what
    80 % do not pass (split conformal prediction, Vovk, Gammerman and Shafer, 2005), read between
    two scores by interpolation. Errors of step j from origins nearer than j are not independent:
    every j-th counts. Where these are few, the factor grows by the ratio of the quantiles of
    Student's t and the normal distribution; and all of it leans on 1, the width that the forecast
    claims.

    Parameters
    ----------
    errors
        (n, K, H): series, origins, steps; NaN where nothing was observed.
    apart
        Steps from one origin to the next.

    Returns
    -------
    The calibration; None if there is no error at all.

    Examples
    --------
    >>> errors = 2.0 * np.random.default_rng(0).standard_normal((500, 12, 8)) / 1.28
    >>> calibration = pool(errors)
    >>> print(f"{calibration.scale.mean() * calibration.sides[0]:.1f}, {calibration.growth:.1f}")
    2.0, 0.0
    """
    errors = np.where(np.isfinite(errors), errors, np.nan)
    seen = np.isfinite(errors)
    if not seen.any():
        return None
    steps = np.arange(1, errors.shape[2] + 1, dtype=np.float64)
    growth = growth_of(errors)
    relative = errors / steps**growth
    # step j of neighbouring origins shares j - 1 shocks: every j-th is new
    shared = np.maximum(steps / apart, 1.0)
    independent = (seen.sum(1) / shared).sum(1) / np.maximum(seen.any(1).sum(1), 1)  # (n,)
    scale = _scales(relative, seen, independent)
    total = float(independent.sum())
    widening = student(total)
    scores = relative / scale[:, None, None]
    if total >= MANY:
        sides = tuple(_conformal(side[side > 0]) for side in (-scores[seen], scores[seen]))
    else:
        sides = (_conformal(np.abs(scores[seen])),) * 2
    # what the forecast itself says of its width counts as a few errors, too
    told = seen.any((1, 2))  # a series without errors, a flat one, tells nothing
    trust, typical = total / (total + CLAIMED), np.exp(np.log(scale[told]).mean())
    low, high = (
        float((np.clip(widening * side * typical, 1 / MOST, MOST)) ** trust / typical)
        for side in sides
    )
    return Calibration(scale, growth, (low, high), total)


def growth_of(errors: np.ndarray) -> float:
    """Return b in [0, 1] of the size a j^b of errors (n, K, H), least squares in logarithms."""
    steps, count = np.arange(1, errors.shape[2] + 1), np.isfinite(errors).sum((0, 1))
    square = np.nansum(np.square(errors), axis=(0, 1)) / np.maximum(count, 1)
    told = (count > 0) & (square > 0)
    if told.sum() < 2:
        return 0.0
    log_step, log_size = np.log(steps[told]), 0.5 * np.log(square[told])
    weight = count[told] / steps[told]  # independent errors
    log_step = log_step - np.average(log_step, weights=weight)
    slope = (weight * log_step) @ log_size / ((weight * log_step) @ log_step)
    return float(np.clip(slope, 0.0, 1.0))


def own_widths(
    errors: np.ndarray, series: np.ndarray, n_series: int, independent: float
) -> Calibration | None:
    """Learn which series err more than their bands say and which less, if they do differ.

    The logarithm of the size of n independent errors has a variance of about 1 / (2 n), and lies as
    much too low. What the logarithms vary beyond that is the variance between series, towards which
    each leans as far as its errors tell (empirical Bayes: Efron and Morris, 1973).

    Parameters
    ----------
    errors
        (N, H): origins, steps, as multiples of the half width of the forecast's own 80 % band; NaN
        where nothing was observed.
    series
        (N,), the series of each origin.
    n_series
        How many series there are.
    independent
        How many of the errors of a step are.

    Returns
    -------
    The calibration; None where chance alone would make sizes differ as much, within two standard
    errors, or half of the series have no errors, or but `FEW` have any.

    Examples
    --------
    >>> errors = np.random.default_rng(0).normal(size=(40, 1)) / 1.28
    >>> series = np.repeat([0, 1, 2, 3], 10)
    >>> errors[series == 0] /= 10
    >>> own_widths(errors, series, 5, independent=40.0).scale.round(1).tolist()
    [0.1, 1.0, 0.7, 0.7, 1.0]
    """
    scores = np.clip(errors * ndtri(LEVELS[1]), -5.0, 5.0)
    count = np.bincount(series, np.isfinite(scores).sum(1), n_series)
    square = np.bincount(series, np.nansum(np.square(scores), 1), n_series)
    told = count > 0
    if told.sum() <= max(FEW, n_series / 2) or not independent:
        return None
    noise = count.sum() / (2 * independent * count[told])
    size = 0.5 * np.log(np.maximum(square[told] / count[told], MOST**-2)) + noise
    between = np.square(size).mean() - noise.mean()
    if between <= 2 * np.sqrt(2 / told.sum()) * noise.mean():
        return None
    scale = np.ones(n_series)
    scale[told] = np.exp(size * between / (between + noise))
    # a band of all holds what it should, again
    relative = np.abs(scores) / scale[series][:, None]
    side = _conformal(relative[np.isfinite(relative)]) / ndtri(LEVELS[1])
    scale[told] *= side ** (independent / (independent + CLAIMED))
    return Calibration(np.clip(scale, 1 / MOST, MOST), 0.0, (1.0, 1.0), independent)


def step_sizes(errors: np.ndarray, usual: np.ndarray, independent: float) -> np.ndarray:
    """Return how large errors are at each step, as a j^b, leaning on what is usual.

    Parameters
    ----------
    errors
        (K, H): origins, steps; NaN where nothing was observed.
    usual
        (H,): sizes that count as `BORROWED` independent errors; NaN where they are unknown.
    independent
        How many of the errors of a step are.

    Returns
    -------
    The root mean square at each step, (H,).

    Examples
    --------
    >>> errors = np.array([[1.0, -2.0, 3.0], [-1.0, 2.0, -3.0]])
    >>> step_sizes(errors, np.array([1.0, 1.0, np.nan]), independent=4.0).round(2).tolist()
    [1.0, 1.58, 3.0]
    """
    steps = np.arange(1, errors.shape[1] + 1, dtype=np.float64)
    seen = np.isfinite(errors)
    if not seen.any():
        return np.nan_to_num(usual)
    shape = steps ** growth_of(errors[None])
    own = np.nanmean(np.square(np.where(seen, errors, np.nan) / shape)) * shape**2
    shrunk = (independent * own + BORROWED * np.square(usual)) / (independent + BORROWED)
    return np.sqrt(np.where(np.isfinite(shrunk), shrunk, own))


def _scales(relative: np.ndarray, seen: np.ndarray, independent: np.ndarray) -> np.ndarray:
    """Return the root mean square of each series, (n,), shrunk to what all have in common."""
    count = seen.sum((1, 2))
    own = np.nansum(np.square(relative), axis=(1, 2)) / np.maximum(count, 1)
    told = (count > 0) & (own > 0)
    common = np.exp(np.log(own[told]).mean()) if told.any() else 1.0
    shrunk = (independent * own + BORROWED * common) / (independent + BORROWED)
    scale: np.ndarray = np.sqrt(np.clip(shrunk, MOST**-2, MOST**2))
    return scale


def _conformal(scores: np.ndarray) -> float:
    """Return what the share `COVERAGE` of exchangeable scores will not pass."""
    return float(np.quantile(scores, COVERAGE, method="weibull"))


def student(independent: float) -> float:
    """Return how much wider a band is whose width was learned from few errors.

    Errors of one origin at different steps are partly new, so there are twice the degrees of
    freedom: where nothing else is believed, bands then cover .79 to .83 after 12 to 24 origins, be
    the series white noise, an AR(1) or a random walk.
    """
    return float(wider(max(2 * independent, 1.0)))


def wider(df: np.ndarray | float) -> np.ndarray:
    """Return how much wider a band of `COVERAGE` is by Student's t than by a normal distribution.

    Examples
    --------
    >>> wider(np.array([2, 10, 1000])).round(2).tolist()
    [1.47, 1.07, 1.0]
    """
    return np.asarray(stdtrit(df, LEVELS[1]) / ndtri(LEVELS[1]))


class Continued(Protocol):
    """A fitted forecaster that can absorb what a history has beyond its own."""

    def _continued(self, panel: Panel) -> Self: ...


F = TypeVar("F", bound=Continued)


class Forecaster(Continued, Protocol):
    """What calibration must know of a forecaster."""

    panel_: Panel
    horizon_: int

    def _fit(self, panel: Panel) -> None: ...

    def _centered(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]: ...


def calibrate(untrained: Forecaster, panel: Panel, seen: Panel) -> Calibration | None:
    """Fit without the last values, forecast them from many origins, pool the errors.

    Nothing is learned from the values that are forecast: the parameters are those of the shorter
    history at all origins, and the weights that forecast later are never asked.

    Parameters
    ----------
    untrained
        The forecaster as it is before `_fit`; it is changed.
    panel
        The history, in the units of the user.
    seen
        The same as the model sees it.

    Returns
    -------
    The calibration; None if all series are too short.
    """
    n_origins, horizon, first = origins(panel.lengths, untrained.horizon_)
    if n_origins == 0:
        return None
    untrained.panel_ = panel.head(first)
    with unsaid():  # the fit to all values says it
        untrained._fit(seen.head(first))
    errors = []
    for forecaster, ends in roll(untrained, panel, first, n_origins):
        truth, known = ahead(seen, ends, horizon)
        median, bounds = forecaster._centered(horizon, LEVELS, known)
        missed = truth - median
        half = np.where(missed < 0, median - bounds[..., 0], bounds[..., 1] - median)
        with np.errstate(divide="ignore", invalid="ignore"):
            errors.append(missed / half)  # a band without width says nothing
    return pool(np.stack(errors, 1))


def origins(lengths: np.ndarray, horizon: int) -> tuple[int, int, np.ndarray]:
    """Return how many origins to forecast from, how far, and the first of each series, (n,).

    There are max(12, H) origins, and at most a third of the longest series is held back for them
    and their targets: else origins and steps are fewer. A shorter series keeps all its values and
    has no targets.

    Examples
    --------
    >>> origins(np.array([100, 20]), horizon=12)
    (12, 12, array([77, 20]))
    >>> origins(np.array([30, 20]), horizon=12)
    (6, 5, array([20, 20]))
    """
    span = min(horizon + max(ORIGINS, horizon) - 1, int(lengths.max()) // SHARE)
    steps = min(horizon, (span + 1) // 2)
    enough = lengths >= SHARE * span
    return (span - steps + 1 if steps else 0), steps, np.where(enough, lengths - span, lengths)


def roll(
    forecaster: F, panel: Panel, first: np.ndarray, n_origins: int
) -> Iterator[tuple[F, np.ndarray]]:
    """Yield a forecaster at each origin, and how many values of each series it has seen, (n,).

    It was fitted to the `first` values of each series, and absorbs one more from origin to origin.
    """
    for k in range(n_origins):
        ends = np.minimum(first + k, panel.lengths)
        forecaster = forecaster._continued(panel.head(ends)) if k else forecaster
        yield forecaster, ends


def ahead(panel: Panel, ends: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what came after `ends`, (n, H) with NaN behind the history, and its X (n, H, K)."""
    steps = ends[:, None] + np.arange(horizon)
    rows = np.minimum(panel.offsets[:-1, None] + steps, panel.offsets[1:, None] - 1)  # (n, H)
    truth = np.where(steps < panel.lengths[:, None], panel.values[rows].astype(np.float64), np.nan)
    return truth, None if panel.X is None else panel.X[rows].astype(np.float64)
