"""Which values validate: the last part of each series in time, or whole series."""

from __future__ import annotations

import numpy as np

from forecast._checks import number_between, positive_integer
from forecast.data.panel import Panel

MANY, MOST = 100, 512  # series of which a part validates; how many series validate
LONG = 2000  # values of a series alone, of which one block tells enough


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


def blocks_in_turn(panel: Panel, first: int, count: int, fewest: int) -> np.ndarray | None:
    """Return where the blocks of so many members begin and end, (count, 2): the newest first.

    They are as long as the values from `first` on. None where one such block must do: there are
    several series or `LONG` values, of which one block tells enough, or too few for `count` blocks
    after the `fewest` values, or a block in which no value counts.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames([pd.Series(range(60))])
    >>> blocks_in_turn(panel, 48, 3, fewest=12).tolist(), blocks_in_turn(panel, 30, 3, fewest=12)
    ([[48, 60], [36, 48], [24, 36]], None)
    """
    length = int(panel.lengths[0])
    width = length - first
    if panel.n_series > 1 or length >= LONG or length - count * width < max(fewest, width):
        return None
    begins = length - width * np.arange(1, count + 1)
    counts = ~np.isnan(panel.values) if panel.weights is None else panel.weights > 0
    if not np.logical_or.reduceat(counts, begins[::-1]).all():
        return None
    return np.stack([begins, begins + width], 1)


def held_out_series(panel: Panel, fraction: float) -> np.ndarray:
    """Return how many values of each series are for training: none of some, spread evenly.

    A forecaster of series without a history is judged by series that it never saw.

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
