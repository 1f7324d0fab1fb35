"""Past origins at which members are tried: what they forecast there, and what came."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from forecast.data.panel import Panel
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.calibration import LEVELS, ahead, origins

# Evenly spread series that members are tried on: more tell hardly more of what all have in common.
SERIES = 50
# A series is tried if it is at least so many times as long as what is held back. Where only the
# longest were (three times), what they told of M3's quarters and others did not hold for the rest.
LONG = 2
# Origins, at most; fewer where the horizon is long, for it is their product that costs.
MOST_ORIGINS, FEWEST_ORIGINS, STEPS = 12, 4, 300
TRIED = (LEVELS[0], 0.5, LEVELS[1])  # levels of the quantiles


class Trial(NamedTuple):
    """Past origins of some series of a panel.

    Attributes
    ----------
    rows
        (t,), the series that are tried.
    panel
        These series.
    ends
        (K, t), how many values of each are known at each origin.
    truth
        (t, K, h), what came then; NaN: not known.
    known
        (K, t, h, C), its covariates, or None.
    apart
        Steps from one origin to the next.
    """

    rows: np.ndarray
    panel: Panel
    ends: np.ndarray
    truth: np.ndarray
    known: np.ndarray | None
    apart: int

    @classmethod
    def of(cls, panel: Panel, horizon: int) -> Trial | None:
        """Return the trial of a panel; None if all its series are too short."""
        n_origins, steps, _ = origins(panel.lengths, horizon)
        if n_origins == 0:
            return None
        held = n_origins + steps - 1
        able = np.flatnonzero(panel.lengths >= LONG * held)
        spread = np.linspace(0, len(able) - 1, min(len(able), SERIES))
        rows = able[spread.round().astype(np.int64)]
        some = panel.take(rows)
        first = some.lengths - held
        most = int(np.clip(STEPS // steps, FEWEST_ORIGINS, MOST_ORIGINS))
        apart = -(-n_origins // most)
        later = np.arange((n_origins - 1) % apart, n_origins, apart)  # the newest among them
        ends = np.minimum(first + later[:, None], some.lengths)
        truth, known = zip(*(ahead(some, one, steps) for one in ends), strict=True)
        told = None if known[0] is None else np.stack(known)
        return cls(rows, some, ends, np.stack(truth, 1), told, apart)

    @property
    def steps(self) -> int:
        """How far is forecast."""
        return self.truth.shape[2]

    @property
    def independent(self) -> np.ndarray:
        """As how many independent origins those of each series count, (t,)."""
        count = np.isfinite(self.truth).any(2).sum(1)
        # neighbouring forecasts share what comes to pass
        shared = max((self.steps + 1) / 2 / self.apart, 1.0)
        worth: np.ndarray = count / shared
        return worth

    def quantiles(self, member: BaseForecaster) -> np.ndarray:
        """Return what a member that knows the values up to the first origin forecasts.

        (t, K, h, Q) at `TRIED`; the values up to each later origin it absorbs.
        """
        found = member._from_origins(self.panel, self.ends, self.steps, TRIED, self.known)[1]
        return found.swapaxes(0, 1)

    def errors(self, quantiles: np.ndarray) -> np.ndarray:
        """Return the mean absolute errors of medians, (t, K), NaN where nothing is known."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of an origin without any value
            mean: np.ndarray = np.nanmean(np.abs(self.truth - quantiles[..., 1]), axis=2)
        return mean

    def relative(self, quantiles: np.ndarray) -> np.ndarray:
        """Return errors as multiples of the half width of the band, (t, K, h)."""
        low, median, high = np.moveaxis(quantiles, -1, 0)
        missed = self.truth - median
        half = np.where(missed < 0, median - low, high - median)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores: np.ndarray = missed / half  # a band without width says nothing
        return scores
