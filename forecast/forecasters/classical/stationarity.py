"""How strong the season is, and differences."""

from __future__ import annotations

import numpy as np

# The share of the variance that a season must explain: Wang, Smith and Hyndman 2006.
STRONG_SEASON = 0.64


def difference(columns: np.ndarray, d: int, D: int, season_length: int) -> np.ndarray:
    """Difference d times, and D times at the lag of the season, along the first axis.

    Examples
    --------
    >>> difference(np.array([1.0, 4.0, 9.0, 16.0]), 2, 0, 1).tolist()
    [2.0, 2.0]
    """
    for lag in (1,) * d + (season_length,) * D:
        columns = columns[lag:] - columns[:-lag]
    return columns


def strong_season(values: np.ndarray, season_length: int) -> np.ndarray | None:
    """Return the season that STL finds, (T,); None if it explains little of what is not trend.

    `values` must hold two seasons.
    """
    from statsmodels.tsa.seasonal import STL

    # As good as the mean over all cycles: a narrower window takes noise for season.
    cycles = len(values) // season_length
    window = 10 * cycles + 1
    parts = STL(values, period=season_length, seasonal=window, seasonal_deg=0).fit()
    detrended = np.var(parts.resid + parts.seasonal)
    strong = np.var(parts.resid) < (1 - STRONG_SEASON) * detrended
    return np.asarray(parts.seasonal) if strong else None
