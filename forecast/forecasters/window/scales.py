"""The units in which a regression sees values and covariates."""

from __future__ import annotations

import numpy as np

from forecast.data.panel import Panel, forward_filled
from forecast.data.spreads import ROUNDING, spread_or_one


def standard(panel: Panel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean and deviation of every series; of those that are flat, value and size."""
    own = [part.astype(np.float64) for part in np.split(panel.values, panel.offsets[1:-1])]
    center, scale, first = np.array(
        [(np.nanmean(part), np.nanstd(part), part[0]) for part in own]
    ).T  # a series begins with an observed value
    flat = scale <= ROUNDING * np.abs(first)
    size = np.where(first == 0, 1.0, np.abs(first))
    return np.where(flat, first, center), np.where(flat, size, scale), flat


def past_filled(panel: Panel) -> np.ndarray:
    """Return the past-only covariates (N, C), forward filled; the mean before its first value."""
    past = panel.past
    assert past is not None
    seen = forward_filled(past, panel.offsets)
    count = np.maximum((~np.isnan(past)).sum(0), 1)
    return np.where(np.isnan(seen), np.nansum(past, 0) / count, seen)


def spread(X: np.ndarray) -> np.ndarray:
    """Return the deviation of each column, 1 where it has none."""
    return spread_or_one(X.std(axis=0), X.mean(axis=0), len(X))
