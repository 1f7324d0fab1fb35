"""Is this value odd? Hold each new value against the errors that the model has made before.

A value's score is its distance to the forecast, in half widths of the model's 80 % band on its
side, steadied: as wide as the geometric mean of its own width and the median of those before it, so
that a single odd value widens it less and a lasting change is followed. Its p-value is conformal:
the share of past scores that are as large, this one included (Vovk, Gammerman and Shafer,
"Algorithmic learning in a random world", 2005; for anomalies: Laxhammar and Falkman, "Conformal
prediction for distribution-independent anomaly detection in streaming vessel data", 2010). So
whatever the model promised, an alarm at p <= a is false in a share a of the values, as long as
errors stay as they were. The largest scores are few: where they are reached, p is read from the
distribution that the tails of most others approach (Pickands, "Statistical inference using extreme
order statistics", 1975; for streams: Siffer et al., "Anomaly detection in streams with extreme
value theory", 2017), fitted by L-moments (Hosking and Wallis, "Parameter and quantile estimation
for the generalized Pareto distribution", 1987).
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from forecast._checks import number_between, positive_integer
from forecast.data.restoring import columns_of, complete, covariates_of
from forecast.evaluation.backtest import backtest
from forecast.evaluation.streaming import Item, followed
from forecast.evaluation.table import Array, given

LEVELS = (0.1, 0.5, 0.9)
PAST = 200  # origins of the history whose errors count
KEPT = 1000  # scores that are remembered of each series
# Of so many bands before, at the same place of the season, the median width is usual; of fewer than
# FEW nothing is known.
BANDS, FEW = 20, 3


@dataclass(frozen=True)
class Watched:
    """One value of a stream, and how odd it is.

    Parameters
    ----------
    time, series : Any
        Which value it is.
    value, forecast : float
        What came, and the median that was forecast.
    lower, upper : float
        The band outside of which a value raises an alarm. It does not reach below zero where no
        value was there before.
    p_value : float
        The share of past errors that were as large, relative to their bands.
    alarm : bool
        Whether the p-value is at most `false_alarms`, or a first value lies below zero.
    drift : float
        How far the mean of the last p-values lies below one half, in standard errors: above 3 the
        errors as a whole have grown, although none may have raised an alarm: fit again.
    """

    time: Any
    series: Any
    value: float
    forecast: float
    lower: float
    upper: float
    p_value: float
    alarm: bool
    drift: float


def watch(
    model: Any,
    source: Iterable[Any],
    X: Iterable[Any] | None = None,
    *,
    false_alarms: float = 0.01,
    window: int = 100,
) -> Iterator[Watched]:
    """Forecast each new value, say how odd it is, and absorb it.

    What errors are usual is learned from the history: a clone of the model is fitted to the first
    part and forecasts the last 200 values (half of them, if there are fewer), one step ahead. Each
    new score joins them. Scores are compared within a series; beyond most of the n scores, all but
    the largest 2 sqrt(n), the p-value is that of a generalised Pareto distribution.

    Parameters
    ----------
    model
        A fitted forecaster; it is updated.
    source
        Tables of new values as `update` takes them; best one step each.
    X
        The covariates of each item, or of all in one frame, if `fit` had X.
    false_alarms
        Share of usual values that may raise an alarm.
    window
        Values over which `drift` is taken.

    Yields
    ------
    Watched
        For each value that is observed, series after series.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast import NaiveForecaster
    >>> y = pd.Series(np.random.default_rng(0).normal(size=302).cumsum())
    >>> y.iloc[301] += 8
    >>> for seen in watch(NaiveForecaster().fit(y[:300]), (y[k : k + 1] for k in (300, 301))):
    ...     print(seen.time, round(seen.p_value, 3), seen.alarm)
    300 0.238 False
    301 0.0 True
    """
    check_is_fitted(model)
    share = number_between("false_alarms", false_alarms, 0, 1)
    usual = _past_scores(model, positive_integer("window", window))

    def ask(steps: int, x: Any) -> Any:
        return model.predict_quantiles(steps, **x, levels=LEVELS)

    least = _least(model)
    for item in followed(model, source, X, ask):
        bands = columns_of(item.before, item.forecast)
        for i, (truth, own) in enumerate(zip(item.truth, usual, strict=True)):
            steps = np.flatnonzero(~np.isnan(truth)).tolist()
            steady = own.steady.of(bands[i], int(item.before.ends[i])) if steps else bands[i]
            for step in steps:
                yield _watched(item, i, step, steady[step], own, share, least[i])
        least = _least(model)


def _least(model: Any) -> list[float]:
    """Return the least value that each series can take, as far as it is known."""
    known = model.bounds_.positive & (model.target_transform is None)
    return np.where(known, 0.0, -np.inf).tolist()


def _watched(
    item: Item, i: int, step: int, band: Array, usual: _Usual, share: float, least: float
) -> Watched:
    value, (low, median, high) = float(item.truth[i, step]), band.tolist()
    p_value, reach = usual.p_value(_score(value, band)), usual.radius(share)
    usual.add(_score(value, band), p_value)
    return Watched(
        time=item.after.grid[item.before.ends[i] + step],
        series=item.before.ids[i],
        value=value,
        forecast=median,
        lower=max(median - reach * (median - low), least),
        upper=median + reach * (high - median),
        p_value=p_value,
        alarm=p_value <= share or value < least,
        drift=usual.drift,
    )


def _score(value: Any, bands: Array) -> Any:
    """Return the distance of values (...) to the median of bands (..., 3) in half widths."""
    low, median, high = np.moveaxis(bands, -1, 0)
    away = value - median
    width = np.where(away > 0, high - median, median - low)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(away == 0, 0.0, np.abs(away) / width)


class Tail(NamedTuple):
    """The largest scores as a generalised Pareto distribution.

    P(score > u + x) = share (1 + shape x / scale)^(-1 / shape), share e^(-x / scale) for shape 0.

    Attributes
    ----------
    start, share
        u, and the share of scores beyond.
    shape, scale
        From 0, an exponential tail, to 1/2, from which on the variance is infinite; and its unit.
    """

    start: float
    share: float
    shape: float
    scale: float

    @classmethod
    def of(cls, scores: Array) -> Self:
        """Fit it to the largest 2 sqrt(n) of n rising scores by L-moments (Hosking and Wallis).

        Examples
        --------
        >>> tail = Tail.of(np.sort(np.random.default_rng(0).exponential(3.0, 10_000)))
        >>> print(round(tail.quantile(0.001) / (3 * np.log(1000)), 1))
        1.0
        """
        n = len(scores)
        if n == 0:
            return cls(math.inf, 1.0, 0.0, 0.0)
        k = min(math.ceil(2 * math.sqrt(n)), n)
        start = float(scores[-k - 1]) if k < n else 0.0
        beyond = scores[n - k :] - start
        places = (np.arange(1, k + 1) - 0.35) / k
        mean = float(beyond.mean())
        half_spread = float(2 * (places * beyond).mean() - mean)  # the second L-moment
        shape = min(max(2 - mean / half_spread, 0.0), 0.5) if half_spread > 0 else 0.0
        return cls(start, k / (n + 1), shape, (1 - shape) * mean)

    def survival(self, score: float) -> float:
        """Return the probability of a score as large."""
        away = (score - self.start) / self.scale if self.scale > 0 else math.inf
        if self.shape == 0:
            return self.share * math.exp(-away)
        return float(self.share * (1 + self.shape * away) ** (-1 / self.shape))

    def quantile(self, share: float) -> float:
        """Return the score of which so large a share lies beyond."""
        ratio = self.share / share
        far = math.log(ratio) if self.shape == 0 else (ratio**self.shape - 1) / self.shape
        return self.start + self.scale * far


class Steady:
    """Bands of one series that a single odd value widens little.

    A model that draws errors as large as those of late widens its bands after an outlier, and the
    next one would pass.

    Parameters
    ----------
    season
        Steps per season: widths are compared at the same place.

    Examples
    --------
    >>> steady = Steady(1)
    >>> bands = [np.array([[-half, 0.0, half]]) for half in (1.0, 1.0, 1.0, 4.0)]
    >>> [steady.of(band, place).tolist() for place, band in enumerate(bands)][-1]
    [[-2.0, 0.0, 2.0]]
    """

    def __init__(self, season: int) -> None:
        self.season = season
        self.widths: dict[int, deque[float]] = {}

    def of(self, bands: Array, place: int) -> Array:
        """Return the bands (T, 3) of steps from a place on, of one origin.

        The first is as wide as the geometric mean of its width and the usual one; those farther
        ahead are wider by themselves, so they change by the same factor.
        """
        before = self.widths.setdefault(place % self.season, deque(maxlen=BANDS))
        width = float(bands[0, 2] - bands[0, 0])
        usual = statistics.median(before) if len(before) >= FEW else 0.0
        before.append(width)
        if not (0 < usual < math.inf and 0 < width < math.inf):
            return bands
        middle = bands[:, 1:2]
        return middle + (bands - middle) * math.sqrt(usual / width)


class _Usual:
    """The scores of one series so far, its steady bands, and its newest p-values.

    Parameters
    ----------
    truth, bands
        The values (C,) before the place `end` of the grid, and what was forecast of each, (C, 3).
    """

    def __init__(self, truth: Array, bands: Array, end: int, season: int, window: int) -> None:
        self.steady = Steady(season)
        places = range(end - len(bands), end)
        steady = [self.steady.of(band[None], at)[0] for at, band in zip(places, bands, strict=True)]
        scores = _score(truth, np.reshape(steady, (-1, 3)))
        self.scores = deque(scores[np.isfinite(scores)].tolist(), maxlen=KEPT)
        self.recent: deque[float] = deque(maxlen=window)
        self._learn()

    def _learn(self) -> None:
        self.rising = np.sort(self.scores)
        self.tail = Tail.of(self.rising)

    def p_value(self, score: float) -> float:
        """Return the share of scores that are as large, this one included."""
        if score > self.tail.start:
            return self.tail.survival(score)
        count = len(self.rising) - self.rising.searchsorted(score)
        return float((1 + count) / (len(self.rising) + 1))

    def radius(self, share: float) -> float:
        """Return the score whose p-value is `share`."""
        if share <= self.tail.share:
            return self.tail.quantile(share)
        return float(self.rising[-int(share * (len(self.rising) + 1) + 1e-9)])

    def add(self, score: float, p_value: float) -> None:
        """Remember a score, of which a band without width tells only that it is large."""
        self.scores.append(score if np.isfinite(score) else float(self.rising.max(initial=1.0)))
        self.recent.append(p_value)
        self._learn()

    @property
    def drift(self) -> float:
        """How far the mean p-value lies below one half, in its standard errors."""
        count, known = len(self.recent), len(self.scores) - len(self.recent)
        variance = (1 / count + 1 / max(known, 1)) / 12  # what is usual is not known for certain
        return float((0.5 - np.mean(self.recent)) / np.sqrt(variance))


def _past_scores(model: Any, window: int) -> list[_Usual]:
    """Return what the errors of the history have been, series by series."""
    panel, season = model.panel_, model.season_length_
    count = min(PAST, int(panel.lengths.min()) // 2)
    if count == 0:
        return [_Usual(np.empty(0), np.empty((0, 3)), 0, season, window) for _ in panel.ids]
    table = backtest(
        model, complete(panel), 1, **given(covariates_of(panel)), n_windows=count, quantiles=LEVELS
    )
    columns = [f"q{level:g}" for level in LEVELS]
    truth = table["y"].to_numpy(np.float64).reshape(count, -1)
    bands = table[columns].to_numpy(np.float64).reshape(count, -1, len(LEVELS))
    each = zip(truth.T, bands.swapaxes(0, 1), panel.ends.tolist(), strict=True)
    return [_Usual(*own, season, window) for own in each]
