"""Windows as index arithmetic: where each starts, and which part in time is for validation."""

from __future__ import annotations

import numpy as np

from forecast._checks import number_between, positive_integer
from forecast.data.panel import Panel, ranges

MANY, MOST = 100, 512  # series of which a part validates; how many series validate


def window_origins(
    panel: Panel, context_length: int, horizon: int, stride: int = 1, *, complete: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return every window that lies inside one series, as two integers each.

    Parameters
    ----------
    panel
        The series.
    context_length
        Values before and at the origin, n.
    horizon
        Values after it, H.
    stride
        Steps between the origins of neighbouring windows of a series; the first is the earliest.
    complete
        Whether to drop windows with an unobserved value.

    Returns
    -------
    series, origins
        For each of K windows the number of its series and the flat position in `panel.values` of
        its last context value, (K,) each. A series of T values has T - n - H + 1 at stride 1, none
        if it is too short.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames(pd.Series(range(10)))
    >>> window_origins(panel, 3, 2)[1].tolist()
    [2, 3, 4, 5, 6, 7]
    """
    context_length = positive_integer("context_length", context_length)
    horizon = positive_integer("horizon", horizon)
    stride = positive_integer("stride", stride)
    room = np.maximum(panel.lengths - context_length - horizon + 1, 0)
    counts = -(-room // stride)
    series = np.repeat(np.arange(panel.n_series), counts)
    steps = ranges(np.zeros_like(counts), counts)
    origins = panel.offsets[series] + context_length - 1 + steps * stride
    if complete:
        missing_before = np.concatenate(([0], np.cumsum(np.isnan(panel.values))))
        first, last = origins - context_length + 1, origins + horizon
        keep = missing_before[last + 1] == missing_before[first]
        series, origins = series[keep], origins[keep]
    return series, origins


def gather(
    values: np.ndarray, origins: np.ndarray, context_length: int, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of windows: one gather, no loop.

    Parameters
    ----------
    values
        A flat array, such as `panel.values` (N,) or `panel.X` (N, K).
    origins
        Flat positions of the last context values, (windows,).
    context_length, horizon
        Values up to the origin, n, and after it, H.

    Returns
    -------
    inputs, targets
        Shapes (windows, n, ...) and (windows, H, ...).

    Examples
    --------
    >>> inputs, targets = gather(np.arange(10), np.array([2, 5]), 3, 2)
    >>> inputs.tolist(), targets.tolist()
    ([[0, 1, 2], [3, 4, 5]], [[3, 4], [6, 7]])
    """
    steps = np.arange(1 - context_length, horizon + 1)
    windows = values[origins[:, None] + steps]
    return windows[:, :context_length], windows[:, context_length:]


def validation_lengths(panel: Panel, fraction: float, horizon: int) -> np.ndarray:
    """Return how many first values of each series are for training; the rest validates.

    The last `fraction` of a series in time validates: at least one horizon, at most half of the
    series, so a series too short for both is trained on with what it has. Of `MANY` series and more
    every fourth validates, at most `MOST` of them, evenly spread: the others are trained on to
    their ends, because what came last tells most about what comes next.

    Parameters
    ----------
    panel
        The series.
    fraction
        Wanted part for validation, in (0, 1).
    horizon
        The steps ahead that validation looks at, H.

    Returns
    -------
    numpy.ndarray
        int64 of shape (n,), at least 1 each.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames([pd.Series(range(100)), pd.Series(range(30)), pd.Series(range(9))])
    >>> validation_lengths(panel, 0.1, 8).tolist()
    [90, 22, 5]
    """
    fraction = number_between("validation_fraction", fraction, 0, 1)
    horizon = positive_integer("horizon", horizon)
    wanted = np.maximum(np.round(fraction * panel.lengths).astype(np.int64), horizon)
    held_out = np.minimum(wanted, panel.lengths // 2)
    if panel.n_series >= MANY:
        count = min(panel.n_series // 4, MOST)
        judged = np.linspace(0, panel.n_series - 1, count).astype(np.int64)
        held_out[np.setdiff1d(np.arange(panel.n_series), judged)] = 0
    return np.asarray(panel.lengths - held_out)


def held_out_series(panel: Panel, fraction: float) -> np.ndarray:
    """Return how many values of each series are for training: none of some, spread evenly.

    Who forecasts series without a history is judged by series never seen.

    Parameters
    ----------
    panel
        The series, two at least.
    fraction
        Wanted share of them for validation, in (0, 1); at least one series, at most `MOST`.

    Returns
    -------
    numpy.ndarray
        int64 of shape (n,): 0 or the length.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames([pd.Series(range(9))] * 5)
    >>> held_out_series(panel, 0.4).tolist()
    [9, 0, 9, 0, 9]
    """
    fraction = number_between("validation_fraction", fraction, 0, 1)
    count = int(np.clip(round(fraction * panel.n_series), 1, min(MOST, panel.n_series - 1)))
    lengths = panel.lengths.copy()
    lengths[((np.arange(count) + 0.5) * panel.n_series / count).astype(np.int64)] = 0
    return lengths
