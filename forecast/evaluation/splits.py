"""Rolling origins as a cross-validator: scikit-learn's searches split a panel with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator

from forecast._checks import positive_integer, short
from forecast.data.backends import pandas_table
from forecast.data.keys import row_keys
from forecast.data.panel import Layout
from forecast.evaluation.backtest import rolling_origins, rows_between
from forecast.evaluation.table import Places


class RollingOrigin(BaseCrossValidator):
    """Split every series at past origins, each as if it were today; the `cv` of a search.

    As scikit-learn's TimeSeriesSplit, but for panels: rows may be long and in any order, series
    unequally long, and the last window ends where each series ends.

    Parameters
    ----------
    n_windows
        The number of origins.
    horizon
        Steps in a test window.
    step
        Steps from one origin to the next; by default `horizon`, so that windows do not overlap.
    gap
        Steps between an origin and its test window.
    freq, id_col, time_col, target_col
        How the table is read, as in the forecaster.

    Examples
    --------
    >>> y = pd.DataFrame({"unique_id": list("abab"), "ds": [1, 1, 2, 2], "y": [1.0, 2.0, 3.0, 4.0]})
    >>> [(train.tolist(), test.tolist()) for train, test in RollingOrigin(1).split(y)]
    [([0, 1], [2, 3])]
    """

    def __init__(
        self,
        n_windows: int = 4,
        *,
        horizon: int = 1,
        step: int | None = None,
        gap: int = 0,
        freq: Any = None,
        id_col: str | Sequence[str] = "unique_id",
        time_col: str = "ds",
        target_col: str = "y",
    ) -> None:
        self.n_windows = n_windows
        self.horizon = horizon
        self.step = step
        self.gap = gap
        self.freq = freq
        self.id_col = id_col
        self.time_col = time_col
        self.target_col = target_col

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Places, Places]]:
        """Yield the row positions of each origin's history and of its test window.

        The names of the arguments are scikit-learn's, which passes the first two of `fit` on.

        Parameters
        ----------
        X
            The target: a Series, a wide or long frame, or a table with an (id, time) MultiIndex.
        y
            Covariates, if the forecaster gets some: the same rows in the same order.
        groups
            Ignored.

        Yields
        ------
        train, test
            Positions of rows in rising order, int64.

        Raises
        ------
        TypeError
            If the target is a list.
        ValueError
            If a series is too short, or the covariates have other rows than the target.

        Examples
        --------
        >>> y = pd.Series([1.0, 4.0, 2.0, 5.0, 4.0, 6.0])
        >>> for train, test in RollingOrigin(horizon=1, n_windows=2).split(y):
        ...     print(train.tolist(), test.tolist())
        [0, 1, 2, 3] [4]
        [0, 1, 2, 3, 4] [5]
        """
        if isinstance(X, list | tuple):
            raise TypeError(
                f"RollingOrigin splits one table, got {short(X)}. Join the series to a long frame."
            )
        table = pandas_table(X, self.id_col, self.time_col)
        origins = rolling_origins(
            table,
            self.horizon,
            n_windows=self.n_windows,
            step=self.step,
            gap=self.gap,
            freq=self.freq,
            id_col=self.id_col,
            time_col=self.time_col,
            target_col=self.target_col,
        )
        for origin in origins:
            if origin.number == 0 and y is not None:
                covariates = pandas_table(y, self.id_col, self.time_col)
                _check_same_rows(table, covariates, origin.panel.layout)
            first = origin.lengths + self.gap
            train = rows_between(table, origin.panel, None, origin.lengths)
            test = rows_between(table, origin.panel, first, first + self.horizon)
            yield np.flatnonzero(train), np.flatnonzero(test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of origins; the arguments are ignored."""
        return positive_integer("n_windows", self.n_windows)


def _check_same_rows(table: Any, covariates: Any, layout: Layout) -> None:
    pairs = zip(_names(table, layout), _names(covariates, layout), strict=True)
    if not all(one.equals(other) for one, other in pairs):
        raise ValueError(
            "`X` must have the rows of `y`, in the same order: scikit-learn takes the same "
            "positions of both. Use X.loc[y.index], or merge both and split the columns."
        )


def _names(table: Any, layout: Layout) -> tuple[pd.Index, ...]:
    if layout.kind not in ("long", "multi"):
        return (table.index,)
    ids, times = row_keys(table, layout)
    return (*ids, times)
