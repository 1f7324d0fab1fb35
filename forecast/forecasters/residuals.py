"""Past errors, kept to be drawn from, as large as those of late."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import fdtrc

from forecast.data.panel import ranges
from forecast.forecasters.calibration import BORROWED, wider
from forecast.forecasters.history import SHORT, shaped

# Errors are taken for skewed if their median is this many standard errors from their mean, and if
# there are enough of them. The standard error for normal ones is .756 / sqrt(T) of the deviation:
# Cabilio and Masaro, "A simple test of symmetry about an unknown median", 1996.
SURPRISE, SPREAD_OF_MEDIAN, ENOUGH = 3.0, 0.756, 20
# So many errors later one counts half for how large errors are of late. On real series 5 to 20 are
# alike.
HALF_LIFE = 8
LEAST = 1e-9  # of a kurtosis less one
# Errors are larger at some places of a season if chance does that less often than DOUBT, and each
# was seen in so many cycles.
DOUBT, CYCLES = 1e-3, 4


def inflation(size: int, n_parameters: int) -> float:
    """Return by how much in-sample errors, and bands drawn from them, are too small.

    They are too small by the parameters that were fitted to them, and the fewer there are, the less
    is known of their size: the last factor makes an 80 % band of normal errors one of Student's t.

    Examples
    --------
    >>> round(inflation(1000, 2), 3), round(inflation(10, 2), 3)
    (1.002, 1.219)
    """
    free = max(size - n_parameters, 1)
    return math.sqrt(size / free) * float(wider(free))


class Residuals(NamedTuple):
    """One-step errors of every series, to be drawn from.

    Attributes
    ----------
    values
        All errors, series after series.
    offsets
        (n + 1,); series i owns values[offsets[i]:offsets[i + 1]]. If it owns none, it draws
        from all.
    mirrored
        (n,), whether an error is as likely with the other sign. Then the median of a path is the
        path without errors.
    rhythm
        (n, m), how large errors are at each place of the season, in the unit of `values`; (n, 1)
        ones without a season.
    means
        (n,), what was taken off the errors of each series; NaN where it is not known.
    follows
        Whether each of `values` is the error of the step after that of the one before it.
    recent
        (n,), by how much they are larger than they were, as large as those of late.
    """

    values: np.ndarray
    offsets: np.ndarray
    mirrored: np.ndarray
    rhythm: np.ndarray
    means: np.ndarray
    follows: np.ndarray
    recent: np.ndarray

    @classmethod
    def of_each(cls, errors: Sequence[np.ndarray], phases: Sequence[np.ndarray]) -> Residuals:
        """Keep the finite errors of every series, which are given one by one, with their phases."""
        owners = np.repeat(np.arange(len(errors)), [len(part) for part in errors])
        return cls.gather(
            np.concatenate(errors), owners, len(errors), phases=np.concatenate(phases)
        )

    @classmethod
    def gather(
        cls,
        errors: np.ndarray,
        series: np.ndarray,
        n_series: int,
        *,
        symmetric: bool = False,
        phases: np.ndarray | None = None,
    ) -> Residuals:
        """Keep the finite errors of every series.

        Parameters
        ----------
        errors
            (E,), ordered by series, each in the order of time; NaN is a gap.
        series
            (E,), the series of each.
        n_series
            Their number.
        symmetric
            Up and down are alike, whatever the errors say. Otherwise their mean is taken off, so
            that paths follow no trend that the forecast has not, and where they are skewed their
            signs are kept.
        phases
            (E,), the place of each in its season, from 0 on. Where a test finds that errors are
            larger at some places, they are drawn with the size of the place they are drawn for.

        Examples
        --------
        >>> pool = Residuals.gather(np.array([1.0, np.nan, 3.0]), np.array([0, 0, 2]), 3)
        >>> pool.values.round(2).tolist(), pool.offsets.tolist(), pool.mirrored.tolist()
        ([1.0, 3.0], [0, 1, 1, 2], [True, True, True])
        """
        seen = np.isfinite(errors)
        follows = (seen & np.r_[False, seen[:-1] & (series[1:] == series[:-1])])[seen]
        errors, series = errors[seen], series[seen]
        offsets = np.searchsorted(series, np.arange(n_series + 1))
        rhythm = np.ones((n_series, 1))
        if phases is not None and len(errors):
            rhythm, cycles = _rhythm(errors, series, phases[seen], n_series)
            errors = errors / rhythm[series, phases[seen]]
            # each size is known from the errors of few cycles only
            few = np.maximum(cycles - 1, 1)
            doubt = np.sqrt(1 + 1 / few) * wider(few)
            rhythm = np.where(rhythm == 1, 1.0, rhythm * doubt)
        recent = recent_size(errors, series, n_series, rhythm.shape[1])
        known = cls.of(errors * recent[series], offsets, symmetric=symmetric)
        return known._replace(rhythm=rhythm, follows=follows, recent=recent)

    @classmethod
    def of(cls, values: np.ndarray, offsets: np.ndarray, *, symmetric: bool = False) -> Residuals:
        """Return errors without gaps, with what is known of their signs."""
        n = len(offsets) - 1
        follows = ~np.isin(np.arange(len(values)), offsets)
        plain = cls(
            values, offsets, np.ones(n, bool), np.ones((n, 1)), np.zeros(n), follows, np.ones(n)
        )
        if symmetric or not len(values):
            return plain
        if offsets[-1] == 0:  # all series draw from all errors
            whole = cls.of(values, np.array([0, len(values)]))
            return plain._replace(values=whole.values, mirrored=whole.mirrored.repeat(n))
        count = np.diff(offsets)
        owners = np.repeat(np.arange(len(count)), count)
        size = np.maximum(count, 1)
        mean = np.where(count > SHORT, np.bincount(owners, values, len(count)) / size, 0.0)
        values = values - mean[owners]
        deviation = np.sqrt(np.bincount(owners, np.square(values), len(count)) / size)
        in_order = values[np.lexsort((values, owners))]
        first = np.minimum(offsets[:-1], len(values) - 1)
        middle = (in_order[first + (size - 1) // 2] + in_order[first + size // 2]) / 2
        standard_error = SPREAD_OF_MEDIAN * deviation / np.sqrt(size)
        skewed = (count >= ENOUGH) & (np.abs(middle) > SURPRISE * standard_error)
        return plain._replace(values=values, mirrored=~skewed, means=mean)

    def pooled(self, n_series: int) -> Residuals:
        """Return the errors of all, for each of other series."""
        return self.of(self.values, np.zeros(n_series + 1, dtype=np.int64))

    def take(self, series: np.ndarray) -> Residuals:
        """Return those of some series by their numbers, (N,); one may be taken several times."""
        counts = np.diff(self.offsets)[series]
        rows = ranges(self.offsets[:-1][series], counts)
        offsets = np.concatenate(([0], np.cumsum(counts)))
        own, follows = (part[rows] if len(rows) else part for part in (self.values, self.follows))
        described = (self.mirrored[series], self.rhythm[series], self.means[series])
        return Residuals(own, offsets, *described, follows, self.recent[series])

    def later(self, added: np.ndarray) -> Residuals:
        """Return them so many values (n,) later, of which no error is known: of late is long ago.

        Examples
        --------
        >>> grown = np.tile([1.0, -1.0], 30) * np.arange(1, 61)
        >>> pool = Residuals.gather(grown, np.zeros(60, dtype=int), 1)
        >>> print(pool.values[-1].round(1), pool.later(np.array([1000])).values[-1].round(1))
        -80.3 -59.5
        """
        left = 0.5 ** (added / max(HALF_LIFE, self.rhythm.shape[1]))
        faded = self.recent ** (left - 1)
        own = slice(self.offsets[-1])  # none if all series draw from all errors
        values = self.values.copy()
        values[own] *= np.repeat(faded, np.diff(self.offsets))
        return self._replace(values=values, means=self.means * faded, recent=self.recent**left)

    @property
    def firsts(self) -> np.ndarray:
        """The place in `values` of the first error that each series draws from, (n, 1)."""
        own = np.diff(self.offsets) > 0
        return np.where(own, self.offsets[:-1], 0)[:, None]

    @property
    def counts(self) -> np.ndarray:
        """How many errors each series draws from, (n, 1)."""
        own = np.diff(self.offsets)[:, None]
        return np.where(own > 0, own, len(self.values))

    @property
    def deviations(self) -> np.ndarray:
        """The root mean square of the errors each series draws from, (n, 1)."""
        squares = np.concatenate(([0.0], np.cumsum(np.square(self.values))))
        own = np.diff(squares[self.offsets])[:, None]
        total = np.where(np.diff(self.offsets)[:, None] > 0, own, squares[-1])
        return np.asarray(np.sqrt(np.maximum(total, 0.0) / np.maximum(self.counts, 1)))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the fields by the names they are saved under."""
        values, *others = self._asdict().items()
        return {"residuals": values[1]} | {f"residual_{name}": part for name, part in others}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], *, symmetric: bool = False) -> Residuals:
        """Take what `arrays` returned, if each series owns errors that are there.

        `symmetric` is for files from before signs were told apart.
        """
        values, offsets = arrays["residuals"], arrays["residual_offsets"]
        ends = np.r_[0, offsets, len(values)]
        if offsets[0] != 0 or (np.diff(ends) < 0).any() or not np.isfinite(values).all():
            raise ValueError("the residuals do not belong to the series")
        if "residual_mirrored" not in arrays:
            signed = cls.of(values, offsets, symmetric=symmetric)
            return signed._replace(means=np.full(len(offsets) - 1, np.nan))
        n = len(offsets) - 1
        rhythm = shaped(arrays, "residual_rhythm", n, arrays["residual_rhythm"].shape[-1])
        if not np.isfinite(rhythm).all() or not rhythm.size:
            raise ValueError("the residuals have no size")
        # files from before errors were measured far ahead know neither means nor gaps
        unknown = {"residual_means": np.full(n, np.nan), "residual_follows": np.zeros(len(values))}
        arrays = arrays if "residual_follows" in arrays else arrays | unknown
        means = shaped(arrays, "residual_means", n)
        follows = shaped(arrays, "residual_follows", len(values)).astype(bool)
        mirrored = shaped(arrays, "residual_mirrored", n)
        # files from before errors were as large as those of late
        recent = shaped({"residual_recent": np.ones(n)} | arrays, "residual_recent", n)
        if not (np.isfinite(recent) & (recent > 0)).all():
            raise ValueError("the residuals of late have no size")
        return cls(values, offsets, mirrored, rhythm, means, follows, recent)


def recent_size(
    errors: np.ndarray, series: np.ndarray, n_series: int, season_length: int = 1
) -> np.ndarray:
    """Return how large errors are of late beside all, (n,); one where there are none.

    Their mean square forgets a half in 8 errors, or in a season if that is longer (exponential
    smoothing of variances: J.P. Morgan, "RiskMetrics Technical Document", 1996), and leans on that
    of all as four errors would weigh. That of m errors of kurtosis k is as sure as that of
    2 m / (k - 1) normal ones; Student's t makes up for what is unsure. Its degrees of freedom are
    no fewer than the four errors: one outlier among thousands would make bands boundless.

    Parameters
    ----------
    errors
        (E,), ordered by series, each in the order of time, without gaps.
    series
        (E,), the series of each.
    n_series
        Their number.
    season_length
        Steps per season.

    Examples
    --------
    >>> grown = np.tile([1.0, -1.0], 30) * np.arange(1, 61)
    >>> recent_size(grown, np.zeros(60, dtype=int), 1).round(1).tolist()
    [1.4]
    """

    def total(part: np.ndarray) -> np.ndarray:
        return np.bincount(series, part, n_series).astype(np.float64)

    count = np.bincount(series, minlength=n_series)
    age = np.cumsum(count)[series] - 1 - np.arange(len(errors))
    weight = 0.5 ** (age / max(HALF_LIFE, season_length))
    common, counted = total(np.square(errors)) / np.maximum(count, 1), total(weight) + BORROWED
    with np.errstate(divide="ignore", invalid="ignore"):
        square = np.square(errors / np.sqrt(common)[series])
        ratio = np.sqrt((total(weight * square) + BORROWED) / counted)
        tails = np.maximum(total(np.square(square)) / count - 1, LEAST)  # two of normal errors
        free = 2 * counted**2 / total(np.square(weight)) / tails
        unsure = wider(np.maximum(free, BORROWED))
    return np.where(common > 0, ratio * unsure, 1.0)


def _rhythm(
    errors: np.ndarray, series: np.ndarray, phases: np.ndarray, n_series: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the size of errors by place in the season, (n, m), and how many each is known from.

    They are ones where no place differs.

    The test is that of Brown and Forsythe, "Robust tests for the equality of variances", 1974, here
    around zero; sizes lean on that of all places.
    """
    m = int(phases.max()) + 1
    size = np.abs(errors)
    place = series * m + phases
    count = np.bincount(place, minlength=n_series * m).reshape(n_series, m)
    total = np.bincount(place, size, n_series * m).reshape(n_series, m)
    squares = np.bincount(place, np.square(size), n_series * m).reshape(n_series, m)
    n, mean = count.sum(1), total.sum(1) / np.maximum(count.sum(1), 1)
    means = total / np.maximum(count, 1)
    between = (count * np.square(means - mean[:, None])).sum(1)
    within = squares.sum(1) - (count * np.square(means)).sum(1)
    free = np.maximum(n - m, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        doubt = fdtrc(max(m - 1, 1), free, between / max(m - 1, 1) / (within / free))
    differs = (doubt < DOUBT) & (count.min(1) >= CYCLES)
    common = squares.sum(1) / np.maximum(n, 1)
    shrunk = (squares + BORROWED * common[:, None]) / (count + BORROWED)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.sqrt(shrunk / common[:, None])
    return np.where(differs[:, None], relative, 1.0), count
