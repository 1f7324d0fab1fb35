"""Forecast from past origins, as if each were today, and put every forecast beside what came.

`rolling_origins` walks through time and hands out what was known at each origin; `backtest`
lets a model forecast there and returns the forecast table. Any object with `fit` and `predict` will
do. Rolling origins: Tashman 2000.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.tseries.offsets import BaseOffset
from sklearn.base import clone

from forecast._checks import number_between, positive_integer, short, told_once
from forecast.data.backends import like, pandas_table
from forecast.data.frames import read_frames
from forecast.data.frequency import locate
from forecast.data.keys import owners, row_keys
from forecast.data.panel import Panel
from forecast.data.restoring import complete
from forecast.data.settling import on_grid
from forecast.evaluation.table import Places, given, read_options, scored, tabulate

_KEYS = {"id_col": "unique_id", "time_col": "ds"}


@dataclass(frozen=True, eq=False)
class Origin:
    """Hold one moment to forecast from.

    Parameters
    ----------
    number
        0 for the earliest origin.
    y, X
        The whole target, its gaps as rows without a value, and the covariates.
    panel
        The whole target; n series.
    lengths
        How many values of each series are known here, (n,).
    before
        How many were known at the origin before this one, (n,); None at the first.
    horizon
        How many steps are scored.
    gap
        How many steps lie between the origin and the first scored one.
    """

    number: int
    y: Any
    X: Any
    panel: Panel
    lengths: Places
    before: Places | None
    horizon: int
    gap: int

    @property
    def cutoffs(self) -> pd.Index:
        """The last known time of each series, (n,)."""
        return self.panel.grid[self.panel.starts + self.lengths - 1]

    @property
    def history(self) -> Any:
        """The target up to the origin, the same kind of table as `y`."""
        return _between(self.y, self.panel, None, self.lengths)

    @property
    def new(self) -> Any:
        """The part of the target that became known since the origin before; at first all of it."""
        return _between(self.y, self.panel, self.before, self.lengths)

    @property
    def X_history(self) -> Any:
        """The covariates up to the origin, or None."""
        return None if self.X is None else _between(self.X, self.panel, None, self.lengths)

    @property
    def X_new(self) -> Any:
        """The covariates of `new`, or None."""
        return None if self.X is None else _between(self.X, self.panel, self.before, self.lengths)

    @property
    def X_future(self) -> Any:
        """The covariates of the steps to forecast, the gap included, or None."""
        if self.X is None:
            return None
        return _between(self.X, self.panel, self.lengths, self.lengths + self.gap + self.horizon)


def rolling_origins(
    y: Any,
    horizon: int,
    *,
    X: Any = None,
    n_windows: int = 1,
    step: int | None = None,
    gap: int = 0,
    **columns: Any,
) -> Iterator[Origin]:
    """Yield past origins in order of time; the last window ends where each series ends.

    Parameters
    ----------
    y
        A Series, a wide or long frame, ... whatever `read_frames` reads. Frames of other libraries
        than pandas are handed out as pandas.
    horizon
        Steps to score after each origin.
    X
        Covariates.
    n_windows
        The number of origins.
    step
        Steps from one origin to the next; by default `horizon`, so that windows do not overlap.
    gap
        Steps between an origin and its first scored step.
    **columns
        `freq, id_col, time_col, target_col` of `read_frames`.

    Yields
    ------
    Origin

    Raises
    ------
    ValueError
        If a series is too short to leave a value before its first window.

    Examples
    --------
    >>> y = pd.Series([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> [list(origin.history) for origin in rolling_origins(y, 1, n_windows=2)]
    [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]]
    """
    horizon = positive_integer("horizon", horizon)
    n_windows = positive_integer("n_windows", n_windows)
    step = horizon if step is None else positive_integer("step", step)
    gap = positive_integer("gap", gap, minimum=0)
    keys = {name: columns.get(name, default) for name, default in _KEYS.items()}
    y, X = pandas_table(y, **keys), pandas_table(X, **keys)
    panel = read_frames(y, **columns)
    if np.isnan(panel.values).any() or not _lies_on(y, panel):
        y = complete(panel)  # a history whose last row is left out would end too early
    needed = gap + horizon + (n_windows - 1) * step
    if (panel.lengths <= needed).any():
        most = (int(panel.lengths.min()) - 1 - gap - horizon) // step + 1
        fewer = f"at most n_windows={most} or " if most > 0 else ""
        raise ValueError(
            f"`n_windows`={n_windows} windows of horizon={horizon}, step={step}, gap={gap} need "
            f"more than {needed} values, {_shortest(panel, needed)}. Use {fewer}a shorter horizon, "
            "or drop the series."
        )
    before = None
    for number in range(n_windows):
        lengths = panel.lengths - needed + number * step
        yield Origin(number, y, X, panel, lengths, before, horizon, gap)
        before = lengths


def backtest(
    model: Any,
    y: Any,
    horizon: int,
    *,
    X: Any = None,
    n_windows: int = 1,
    step: int | None = None,
    gap: int = 0,
    refit: bool | int = False,
    quantiles: Iterable[float] = (),
    n_paths: int = 0,
) -> Any:
    """Forecast from rolling origins and return the forecast table.

    The model is cloned first and never sees a value after the origin that it forecasts from.

    Parameters
    ----------
    model
        Anything with `fit(y)` and `predict(horizon)` that returns the same kind of table as `y`.
    y
        A Series, a list of Series, a wide or long frame, or a table with an (id, time) MultiIndex.
    horizon
        Steps to score after each origin.
    X
        Known covariates; to fit the model is given those up to the origin, to forecast those after.
    n_windows, step, gap
        Number of origins, steps between them (by default `horizon`), steps left out after each.
    refit
        False: fit once, then `update` with the values between two origins. True: fit at every
        origin. An integer k: fit at every k-th, update at the others. A model without `update` is
        always fitted.
    quantiles
        Levels to ask of `predict_quantiles`, each a column `q0.1` ...
    n_paths
        Paths to ask of `sample`, each a column `path0` ..., as the energy score needs them.

    Returns
    -------
    DataFrame
        `unique_id, cutoff, ds, step, model, y, y_hat`, quantiles and paths; n_windows x n x horizon
        rows. `step` counts from the origin, so the first scored one is `gap` + 1. Of a frame of
        another library than pandas a frame of that.

    Examples
    --------
    >>> class Last:
    ...     def fit(self, y):
    ...         self.y = y
    ...
    ...     def predict(self, horizon):
    ...         index = range(self.y.index[-1] + 1, self.y.index[-1] + 1 + horizon)
    ...         return pd.Series(self.y.iloc[-1], index=index)
    >>> table = backtest(Last(), pd.Series([1.0, 2.0, 4.0, 8.0]), horizon=1, n_windows=2)
    >>> table[["cutoff", "ds", "step", "model", "y", "y_hat"]]
       cutoff  ds  step model    y  y_hat
    0       1   2     1  Last  4.0    2.0
    1       2   3     1  Last  8.0    4.0
    """
    n_windows = positive_integer("n_windows", n_windows)
    every = _refit_every(model, refit, n_windows)
    levels = tuple(number_between("quantiles", level, 0, 1) for level in quantiles)
    n_paths = positive_integer("n_paths", n_paths, minimum=0)
    options = read_options(model)
    origins = list(
        rolling_origins(y, horizon, X=X, n_windows=n_windows, step=step, gap=gap, **options)
    )
    tables = []
    with told_once():
        for first in range(0, n_windows, every):
            learner = _unfitted(model, origins[first].panel)
            learner.fit(origins[first].history, **given(origins[first].X_history))
            followed = origins[first : first + every]
            if hasattr(learner, "predict_at") and not n_paths:
                tables.append(_at_once(learner, followed, levels))
            else:
                tables += _one_by_one(learner, followed, levels, n_paths)
    return like(pd.concat(tables, ignore_index=True), y)


def _one_by_one(
    learner: Any, origins: list[Origin], levels: tuple[float, ...], n_paths: int
) -> list[pd.DataFrame]:
    """Let a model that was fitted at the first origin forecast and update, one by one."""
    tables = []
    for at in origins:
        if at.number > origins[0].number:
            learner.update(at.new, **given(at.X_new))
        place = (at.panel, at.lengths, at.horizon, at.gap)
        tables.append(tabulate(learner, *place, at.X_future, levels, n_paths))
    return tables


def _at_once(learner: Any, origins: list[Origin], levels: tuple[float, ...]) -> pd.DataFrame:
    """Let a forecaster of this package do the same at once."""
    at, lengths = origins[0], np.stack([origin.lengths for origin in origins])
    ahead = at.gap + at.horizon
    points, quantiles = learner.predict_at(at.y, **given(at.X), origins=lengths, horizon=ahead,
                                     levels=levels)  # fmt: skip
    columns = {"y_hat": points} | {f"q{q:g}": quantiles[..., k] for k, q in enumerate(levels)}
    columns = {name: values[..., at.gap :] for name, values in columns.items()}
    name = type(learner).__name__
    return scored(name, at.panel, lengths, at.horizon, at.gap, columns)


def _lies_on(y: Any, panel: Panel) -> bool:
    """Tell whether all times of a table are on the axis of its panel: some may have been moved."""
    if panel.layout.kind == "list":
        return all((locate(panel.grid, one.index) >= 0).all() for one in y)
    keyed = panel.layout.kind in ("long", "multi")
    times = row_keys(y, panel.layout)[1] if keyed else y.index
    return bool((locate(panel.grid, times) >= 0).all())


def _shortest(panel: Panel, needed: int) -> str:
    """Name the shortest series, and say how many are as short as to have no more than needed."""
    few = np.flatnonzero(panel.lengths <= needed)
    few = few[np.argsort(panel.lengths[few], kind="stable")]
    named = ", ".join(f"series {short(panel.ids[i])} has {panel.lengths[i]}" for i in few[:3])
    return named if len(few) == 1 else f"{len(few)} of {panel.n_series} series have fewer: {named}"


def _refit_every(model: Any, refit: bool | int, n_windows: int) -> int:
    if isinstance(refit, bool):
        every = 1 if refit else n_windows
    else:
        every = positive_integer("refit", refit)
    return every if hasattr(model, "update") else 1


def _unfitted(model: Any, panel: Panel) -> Any:
    learner = clone(model) if hasattr(model, "get_params") else copy.deepcopy(model)
    # A short history might not show which days never occur.
    if getattr(learner, "freq", False) is None and isinstance(panel.freq, BaseOffset):
        learner.freq = panel.freq
    return learner


def _between(data: Any, panel: Panel, first: Places | None, stop: Places) -> Any:
    """Return the rows from step `first` of each series up to, not including, step `stop`."""
    if isinstance(data, list | tuple):
        after = None if first is None else panel.starts + first - 1
        until = panel.starts + stop - 1
        return [
            one[_inside(one.index, panel.grid, None if after is None else after[i], until[i])]
            for i, one in enumerate(data)
        ]
    return data[rows_between(data, panel, first, stop)]


def rows_between(
    data: Any, panel: Panel, first: Places | None, stop: Places
) -> npt.NDArray[np.bool_]:
    """Tell which rows of a table are of step `first` of their series up to before step `stop`.

    Parameters
    ----------
    data
        A Series, a frame, or a table with an (id, time) MultiIndex.
    panel
        The target; its layout says how rows are named.
    first, stop
        Numbers of steps of each series, (n,); None: from the beginning.
    """
    after = None if first is None else panel.starts + first - 1
    until = panel.starts + stop - 1
    if panel.layout.kind in ("long", "multi"):
        ids, times = row_keys(data, panel.layout)
        owner = owners(ids, panel.ids)
        lower = None if after is None else after[owner]
        return _inside(times, panel.grid, lower, until[owner]) & (owner >= 0)
    # Series that share an index: those of a wide frame end together, a list may share one X.
    return _inside(data.index, panel.grid, None if after is None else after.min(), until.max())


def _inside(times: pd.Index, grid: pd.Index, after: Any, until: Any) -> npt.NDArray[np.bool_]:
    times = on_grid(grid, times)
    inside = np.asarray(times <= grid[until])
    return inside if after is None else inside & np.asarray(times > grid[after])
