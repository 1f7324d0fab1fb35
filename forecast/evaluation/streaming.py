"""Forecast, score, absorb: follow a source of new values and watch whether the model keeps up.

Each item is forecast before it is absorbed (test-then-train; Gama, Sebastião and Rodrigues, 2009,
"Issues in evaluation of stream learning algorithms", who also ask for moving windows).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from forecast._checks import positive_integer, short
from forecast.data.frames import append, read_update
from forecast.data.panel import Panel, last_observed, last_steps
from forecast.data.restoring import values_of
from forecast.evaluation.table import Array, given, read_columns


@dataclass(frozen=True)
class Scored:
    """One item of a stream, after it was absorbed.

    Parameters
    ----------
    time : Any
        The last time of the item.
    forecast : Any
        What the model had forecast for its steps, as `predict` returns it.
    error : float
        Mean absolute error of the item; NaN if none of its values was observed.
    mae : float
        Mean absolute error of all items so far.
    recent_mae : float
        That of the values of the last `window` steps.
    recent_skill : float
        1 - recent_mae / that of the naive forecast, the last observed value: above 0 the model is
        the better. If it falls, the world has changed: fit again.
    """

    time: Any
    forecast: Any
    error: float
    mae: float
    recent_mae: float
    recent_skill: float


def stream(
    model: Any,
    source: Iterable[Any],
    X: Iterable[Any] | None = None,
    *,
    window: int = 100,
) -> Iterator[Scored]:
    """Forecast each item of a source, score the forecast, and absorb the item.

    Between two items the model may be asked for anything, as for a longer forecast.

    Parameters
    ----------
    model
        A fitted forecaster; it is updated.
    source
        Tables of new values as `update` takes them, one step or several each.
    X
        The covariates of each item, or of all in one frame, if `fit` had X.
    window
        Steps over which `recent_mae` and `recent_skill` are taken.

    Yields
    ------
    Scored

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast import NaiveForecaster
    >>> y = pd.Series([1.5, 2.5, 4.5, 7.5])
    >>> model = NaiveForecaster(strategy="drift").fit(y[:2])  # a value rises by 1
    >>> for step in stream(model, (y[k : k + 1] for k in (2, 3))):
    ...     print(step.time, step.error, step.mae, step.recent_skill)
    2 1.0 1.0 0.5
    3 1.5 1.25 0.5
    """
    check_is_fitted(model)
    scores = _Scores(last_observed(model.panel_), positive_integer("window", window))
    for item in followed(model, source, X, lambda steps, x: model.predict(steps, **x)):
        error = scores.add(item.truth, values_of(item.before, item.forecast))
        yield Scored(item.after.last_time, item.forecast, error, scores.mae, *scores.recent())


class Item(NamedTuple):
    """What came, and what had been forecast of it.

    Attributes
    ----------
    before, after : Panel
        The history without and with the item.
    truth : array (n, T)
        The values of its steps, NaN where there is none.
    forecast
        As the model returned it.
    """

    before: Panel
    after: Panel
    truth: Array
    forecast: Any


def followed(
    model: Any, source: Iterable[Any], X: Iterable[Any] | None, ask: Callable[[int, Any], Any]
) -> Iterator[Item]:
    """Yield each item of a source beside its forecast, `ask(steps, {"X": ...})`; absorb it."""
    if hasattr(source, "shape"):
        raise TypeError(
            f"`source` must hold tables of new values, one after the other, got {short(source)}. "
            "Cut it into steps: (y[k : k + 1] for k in range(len(y)))."
        )
    columns = read_columns(model)
    # one frame serves all: its rows are matched by time
    each = repeat(X) if X is None or hasattr(X, "shape") else X
    for y, x in zip(source, each, strict=each is X):
        before = model.panel_
        after = append(before, read_update(before, y, x, **columns))
        added = after.lengths - before.lengths
        forecast = ask(int(added.max()), given(x))
        model.update(y, **given(x))
        yield Item(before, after, last_steps(after, added), forecast)


class _Scores:
    """Sums of absolute errors: of the model, of the naive forecast, and how many there are."""

    def __init__(self, last: Array, window: int) -> None:
        self.last = last  # (n,), what the naive forecast says
        self.total = np.zeros(3)
        self.steps: deque[Array] = deque(maxlen=window)  # (3,) each

    def add(self, truth: Array, forecast: Array) -> float:
        """Count steps (n, T) and return their mean absolute error."""
        ours, naive = np.abs(truth - forecast), np.abs(truth - self.last[:, None])
        counted = ~np.isnan(ours + naive)
        sums = np.stack([(part * 1.0).sum(0, where=counted) for part in (ours, naive, counted)], 1)
        self.steps.extend(sums)
        self.total = self.total + sums.sum(0)
        for values in truth.T:
            self.last = np.where(np.isnan(values), self.last, values)
        return _ratio(*sums.sum(0)[[0, 2]])

    @property
    def mae(self) -> float:
        """That of all steps so far."""
        return _ratio(*self.total[[0, 2]])

    def recent(self) -> tuple[float, float]:
        """Return the mean absolute error in the window, and the skill."""
        ours, naive, count = np.sum(self.steps, axis=0)
        return _ratio(ours, count), 1 - _ratio(ours, naive)


def _ratio(total: float, count: float) -> float:
    return float(total / count) if count else float("nan")
