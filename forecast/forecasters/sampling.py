"""Forecasters whose paths are made of past errors, and what chooses among these."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import final
from weakref import WeakKeyDictionary

import numpy as np

from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.growth import Past, decorrelation, growth, independent_squares
from forecast.forecasters.residuals import Residuals

# Beside the forecasters, whose attributes are what fit learned: `follows` of their errors, which
# stays while an update changes the sizes of all alike, and `_decorrelation`, which does not see it.
_KEPT: WeakKeyDictionary[ResidualForecaster, tuple[np.ndarray, np.ndarray]] = WeakKeyDictionary()

AT_ONCE = 2**18  # values of paths


class Noise:
    """The random numbers of S paths of every series, step by step.

    Parameters
    ----------
    residuals
        What errors are drawn from.
    n_samples
        S.
    rng
        None: every number is zero.
    even
        Draw for quantiles: the numbers of a step are spread evenly, the second half of the paths
        mirrors the first, and all series see the same numbers, so that the quantiles of a series
        do not depend on those beside it.
    phases
        The place in the season of the first step, of each series that `residuals` knows.
    series
        (n,), those of them that are drawn for; None: all.
    """

    def __init__(
        self,
        residuals: Residuals,
        n_samples: int = 1,
        rng: np.random.Generator | None = None,
        *,
        even: bool = False,
        phases: np.ndarray | None = None,
        series: np.ndarray | None = None,
    ) -> None:
        self.values, self.n_samples, self.rng, self.even = residuals.values, n_samples, rng, even
        self.series = np.arange(len(residuals.mirrored)) if series is None else series
        self.mirrored, self.rhythm = residuals.mirrored[self.series], residuals.rhythm[self.series]
        self.firsts, self.counts = residuals.firsts[self.series], residuals.counts[self.series]
        self.phases = self.series * 0 if phases is None else phases[self.series]

    def errors(self) -> np.ndarray:
        """Return the errors (n, S) of the next step."""
        n = len(self.series)
        if self.rng is None:
            return np.zeros((n, self.n_samples))
        places, signs = self._locate(self.uniforms(n))
        size = self.rhythm[np.arange(n), self.phases % self.rhythm.shape[1]]
        self.phases = self.phases + 1
        return self._at(places) * signs * size[:, None]

    def stretches(self, length: int, count: int) -> np.ndarray:
        """Return stretches of errors that followed each other, (count, length, n, S).

        All of a path have one sign.
        """
        levels = (self.uniforms(len(self.series)) for _ in range(count))
        located = [self._locate(level) for level in levels]
        steps = np.arange(length)[:, None, None]
        return np.stack([self._at(places + steps) for places, _ in located]) * located[0][1]

    def _locate(self, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which error each level (n, S) in [0, 1) stands for, counted in its series.

        The level u + 1/2 has the error of u with the other sign where errors are mirrored: the
        second array holds signs.
        """
        place = (levels * self.counts * (1 + self.mirrored[:, None])).astype(np.int64)  # (n, S)
        return place, np.where(place >= self.counts, -1.0, 1.0)

    def _at(self, places: np.ndarray) -> np.ndarray:
        """Return errors by their places (..., n, S); after the last of a series comes its first.

        Where no series has an error, they are zero.
        """
        if not len(self.values):
            return np.zeros(places.shape)
        drawn: np.ndarray = self.values[self.firsts + places % self.counts]
        return drawn

    def uniforms(self, n_series: int) -> np.ndarray:
        """Return levels in [0, 1), (n, S), or (1, S) that all series share."""
        assert self.rng is not None
        if not self.even:
            return self.rng.random((n_series, self.n_samples))
        half = self.n_samples // 2
        levels = (self.rng.permutation(half) + self.rng.random(half)) / half
        return np.concatenate([levels, (levels + 0.5) % 1.0])[None]

    def normals(self, size: int) -> np.ndarray:
        """Return standard normal numbers (size, S)."""
        if self.rng is None:
            return np.zeros((size, self.n_samples))
        if not self.even:
            return self.rng.standard_normal((size, self.n_samples))
        return _even_normals(self.rng, size, self.n_samples)

    def normals_of_each(self, size: int) -> np.ndarray:
        """Return standard normal numbers (n, size, S), or (1, size, S) that all series share.

        Those come from a generator of their own, and fewer are a prefix of more: neither they nor
        the errors of a series depend on what another one asks for.
        """
        if self.even:
            return _even_normals(np.random.default_rng(1), size, self.n_samples)[None]
        n = len(self.series)
        return self.normals(n * size).reshape(n, size, self.n_samples)


class ResidualForecaster(BaseForecaster):
    """A forecaster whose paths draw past errors (abstract); `_run` must be written.

    The forecast is the median of the paths: the path without errors where they are mirrored, as in
    a linear model; where they are skewed, the median of paths that are drawn evenly.
    """

    residuals_: Residuals

    @abstractmethod
    def _run(self, horizon: int, known: np.ndarray | None, noise: Noise) -> np.ndarray:
        """Return paths (n, S, H) of `noise.series` with these errors.

        Those of a shorter horizon are a prefix. `known` is the future of X of all series.
        """

    def _echo(self, horizon: int) -> np.ndarray:
        """Return what an error of one adds to its own step and to those after it, (n, H).

        Zeros: it is not known, and paths are as wide as the model says.
        """
        return np.zeros((self.panel_.n_series, horizon))

    @final  # quantiles and paths are read from `_run`, too: they would not hear of another median
    def _predict(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        expected = self._expected(horizon, known)
        skewed = np.flatnonzero(~self.residuals_.mirrored)
        for some, drawn in self._drawn_evenly(horizon, known, skewed):
            expected[some] = np.median(drawn, axis=1)
        return expected

    def _expected(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        """Return the path (n, H) without errors."""
        return self._run(horizon, known, Noise(self.residuals_))[:, 0]

    def _sample(
        self, horizon: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        noise = Noise(self.residuals_, n_samples, rng, phases=self.panel_.lengths)
        factors = self._growth(horizon)
        if factors is None:
            return self._run(horizon, known, noise)
        (own,) = rng.spawn(1)
        paths = self._run(horizon, known, noise)
        paths = _stretched(paths, self._predict(horizon, known), factors)
        return _decorrelated(paths, self._kept_decorrelation(), own)

    def _centered(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        median, factors = self._expected(horizon, known), self._growth(horizon)
        quantiles = np.empty((*median.shape, len(levels)))
        skewed = ~self.residuals_.mirrored
        for some, drawn in self._drawn_evenly(horizon, known, np.arange(len(median))):
            uneven = skewed[some]
            median[some[uneven]] = np.median(drawn[uneven], axis=1)
            if factors is not None:
                drawn = _stretched(drawn, median[some], factors[some])
            quantiles[some] = np.moveaxis(np.quantile(drawn, levels, axis=1), 0, -1)
        return median, quantiles

    def _growth(self, horizon: int) -> np.ndarray | None:
        """Return how much wider paths are than the model says, (n, H); None: as it says."""
        echo = self._echo(horizon)
        if not echo.any():
            return None
        known = self.residuals_
        return growth(self._past(), independent_squares(known.values, known.offsets, echo), echo)

    def _kept_decorrelation(self) -> np.ndarray:
        """Return `_decorrelation` of these errors: measured once for all paths."""
        measured, errors = _KEPT.get(self), self.residuals_.follows
        if measured is None or measured[0] is not errors:
            measured = _KEPT[self] = errors, self._decorrelation()
        return measured[1]

    def _decorrelation(self) -> np.ndarray:
        """Return by which share (n,) correlations along a path are lower than in `_run`."""
        horizon, values, offsets = self.horizon_, self.residuals_.values, self.residuals_.offsets
        echo, factors = self._echo(horizon), self._growth(horizon)
        if factors is None:
            return np.zeros(len(echo))
        return decorrelation(
            self._past(), independent_squares(values, offsets, echo[:, :1])[:, 0], echo, factors
        )

    def _past(self) -> Past:
        """Return the errors of the past as they were, with their mean."""
        values, offsets, _, _, means, follows, _ = self.residuals_
        owners = np.repeat(np.arange(len(means)), np.diff(offsets))
        own = slice(len(owners))  # none if all series draw from all errors
        return Past.of(values[own] + means[owners], owners, follows[own])

    def _drawn_evenly(
        self, horizon: int, known: np.ndarray | None, series: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield some of the series, and what quantiles of them are read from, until all had a turn.

        These are the values of paths (n, S, H), in order at each step. Those of one series do not
        depend on the series beside it.
        """
        n_samples = self._n_paths(horizon)
        for block in blocks(len(series), n_samples * horizon):
            noise = Noise(
                self.residuals_, n_samples, np.random.default_rng(0), even=True,
                phases=self.panel_.lengths, series=series[block],
            )  # fmt: skip
            paths = self._run(horizon, known, noise)
            paths.sort(axis=1)
            yield noise.series, paths


def _even_normals(rng: np.random.Generator, size: int, n_samples: int) -> np.ndarray:
    """Return normal numbers (size, S), the second half of which mirrors the first."""
    half = rng.standard_normal((size, n_samples // 2))
    return np.concatenate([half, -half], axis=1)


def blocks(n: int, size: int) -> Iterator[slice]:
    """Divide n series of so many values into blocks that fit into the cache of a processor.

    Examples
    --------
    >>> list(blocks(3, AT_ONCE // 2))
    [slice(0, 2, None), slice(2, 4, None)]
    """
    step = max(AT_ONCE // size, 1)
    return (slice(first, first + step) for first in range(0, n, step))


def _stretched(paths: np.ndarray, median: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return paths (n, S, H), changed in place, so many times (n, H) as far from their median."""
    paths -= median[:, None]
    paths *= factors[:, None]
    paths += median[:, None]
    return paths


def _decorrelated(paths: np.ndarray, share: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the same values (n, S, H) at each step, but correlations lower by a share (n,).

    They change places: each goes where a mixture of itself and of noise has its rank (Iman and
    Conover, "A distribution-free approach to inducing rank correlation among input variables",
    1982).
    """
    for path, w, own in zip(paths, share, rng.spawn(len(paths)), strict=True):
        if w:
            noise = path.std(0) * own.standard_normal(path.T.shape).T  # fewer steps are a prefix
            mixture = np.sqrt(1 - w) * (path - path.mean(0)) + np.sqrt(w) * noise
            ranks = mixture.argsort(0).argsort(0)
            path[:] = np.take_along_axis(np.sort(path, axis=0), ranks, axis=0)
    return paths
