"""Rare demand: how much at a time, and how often.

Croston, "Forecasting and stock control for intermittent demands", 1972; its bias and the remedy:
Syntetos and Boylan, "The accuracy of intermittent demand estimates", 2005; demand that ends:
Teunter, Syntetos and Babai, "Intermittent demand: linking forecasting to inventory obsolescence",
2011.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from forecast._checks import number_between, one_of
from forecast.data.panel import Panel
from forecast.forecasters.arrays import ForecasterTags
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.history import shaped
from forecast.forecasters.parameters import Common

VARIANTS = ("croston", "sba", "tsb")


class CrostonForecaster(BaseForecaster):
    """Smooth the sizes of rare demands and how often they come: for values that mostly are zero.

    With z the smoothed size and q the smoothed interval between demands, the mean demand per step
    is z / q; SBA takes off Croston's bias, (1 - alpha / 2) z / q; TSB smooths the probability p of
    a demand at every step, p z, and so forgets what is no longer asked for. Both start at their
    means over the history. `predict` gives this mean. The distribution is that of a demand which
    comes with probability mean / z and is as large as past ones were, in units of z.

    A demand is a value that is not zero. Missing values take no part.

    Parameters
    ----------
    variant
        "croston", "sba" or "tsb".
    alpha
        The weight of the newest size, interval or probability, between 0 and 1.

    Attributes
    ----------
    size_ : array (n,)
        z, the absolute size of a demand; 0 where there was none.
    probability_ : array (n,)
        That a step has a demand.
    ratios_ : array
        Past demands as multiples of their mean absolute size, rising in each series.
    offsets_ : array (n + 1,)
        Series i owns ratios_[offsets_[i]:offsets_[i + 1]].

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.Series([0.0, 0.0, 3.0, 0.0, 0.0, 3.0])
    >>> CrostonForecaster().fit(y).predict(2).tolist()
    [1.0, 1.0]
    >>> CrostonForecaster("sba").fit(y).predict(1).tolist()
    [0.95]
    """

    tags = ForecasterTags(shift_equivariant=False)  # zero means that there is no demand

    def __init__(
        self, variant: str = "croston", *, alpha: float = 0.1, **common: Unpack[Common]
    ) -> None:
        super().__init__(**common)
        self.variant = variant
        self.alpha = alpha

    @property
    def point_is_mean(self) -> bool:
        """The forecast is a mean: the median of rare demand is zero."""
        return True

    def _fit(self, panel: Panel) -> None:
        one_of("variant", self.variant, VARIANTS)
        number_between("alpha", self.alpha, 0, 1)
        series = [panel.series(i).astype(np.float64) for i in range(panel.n_series)]
        observed = [one[~np.isnan(one)] for one in series]
        demands = [one[one != 0] for one in observed]
        self.size_ = np.array([self._smoothed(np.abs(one)) for one in demands])
        self.probability_ = np.array([self._probability(one != 0) for one in observed])
        ratios = [np.sort(one) / np.abs(one).mean() for one in demands if len(one)]
        self.ratios_ = np.concatenate([*ratios, np.empty(0)])
        self.offsets_ = np.concatenate(([0], np.cumsum([len(one) for one in demands])))

    def _smoothed(self, values: np.ndarray) -> float:
        """Return where simple smoothing ends that starts at the mean; 0 without any value."""
        if not len(values):
            return 0.0
        left = (1 - self.alpha) ** np.arange(len(values) - 1, -1, -1)  # of each value at the end
        return float((1 - self.alpha) * left[0] * values.mean() + self.alpha * left @ values)

    def _probability(self, asked: np.ndarray) -> float:
        """Return how likely a step has a demand, from which steps had one, (T,) bool."""
        if self.variant == "tsb":
            return self._smoothed(asked.astype(np.float64))
        intervals = np.diff(np.flatnonzero(asked), prepend=-1)
        if not len(intervals):
            return 0.0
        unbiased = 1 - self.alpha / 2 if self.variant == "sba" else 1.0
        return unbiased / self._smoothed(intervals.astype(np.float64))

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        self._fit(panel)

    def _apply(self, panel: Panel) -> None:
        self._fit(panel)

    def _predict(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        mean = np.bincount(self._owners, self.ratios_, len(self.size_)) / self._counts
        return np.repeat((self.probability_ * self.size_ * mean)[:, None], horizon, axis=1)

    @property
    def _owners(self) -> np.ndarray:
        """The series of each ratio."""
        return np.repeat(np.arange(len(self.size_)), np.diff(self.offsets_))

    @property
    def _counts(self) -> np.ndarray:
        """How many demands each series had, or 1, (n,)."""
        return np.maximum(np.diff(self.offsets_), 1)

    def _centered(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return median and quantiles: all steps are alike."""
        asked = np.tile([0.5, *levels], (len(self.size_), 1))
        quantiles = np.repeat(self._icdf(asked)[:, None], horizon, axis=1)  # (n, H, 1 + Q)
        return quantiles[..., 0], quantiles[..., 1:]

    def _sample(
        self, horizon: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        steps = [self._icdf(rng.random((len(self.size_), n_samples))) for _ in range(horizon)]
        return np.stack(steps, axis=2)

    def _icdf(self, levels: np.ndarray) -> np.ndarray:
        """Return the values at levels (n, S): one of the past sizes, or zero, which lies between.

        Sizes below zero, as of returned goods, have the lowest levels.
        """
        n, p, counts = len(self.size_), self.probability_[:, None], self._counts[:, None]
        below = np.bincount(self._owners[self.ratios_ < 0], minlength=n)[:, None] * p / counts
        zero = (levels >= below) & (levels < below + 1 - p) | (p == 0)
        asked = np.where(levels < below, levels, levels - (1 - p)) / np.where(p > 0, p, 1.0)
        rank = np.clip((asked * counts).astype(np.int64), 0, counts - 1)
        ratios = np.append(self.ratios_, 0.0)[self.offsets_[:-1, None] + rank]
        return np.where(zero, 0.0, self.size_[:, None] * ratios)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        names = ("size", "probability", "ratios", "offsets")
        return {}, {name: getattr(self, f"{name}_") for name in names}

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        n = panel.n_series
        self.size_, self.probability_ = shaped(arrays, "size", n), shaped(arrays, "probability", n)
        self.ratios_, self.offsets_ = arrays["ratios"], shaped(arrays, "offsets", n + 1)
        ends = np.r_[0, self.offsets_, len(self.ratios_)]
        if self.offsets_[0] != 0 or (np.diff(ends) < 0).any():
            raise ValueError("the sizes do not belong to the series")
