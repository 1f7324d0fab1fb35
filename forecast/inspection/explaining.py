"""Why is this the forecast? What each part of the past and of the plan contributes to each step.

By occlusion (Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014): a
part is replaced by what is usual, and the same fitted forecaster forecasts again, all in one batch.
Of a linear model the changes are additive parts of the forecast; of another, what parts do only
together is told apart. Exponential smoothing tells level, trend and season.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from forecast._checks import positive_integers, short
from forecast.data.keys import rows_of, steps_index
from forecast.data.panel import Layout
from forecast.data.restoring import restore_rows, restore_times
from forecast.forecasters.arguments import place_of
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.conformal import ConformalForecaster
from forecast.inspection.occluding import Group, occluded

BASE, TOGETHER, OLDER = "usual", "together", "older"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What contributes to a forecast; its representation is the frame of the parts.

    Attributes
    ----------
    rows : DataFrame
        `parts` as pandas has them, indexed by (series, time).
    layout : Layout
        The kind of table that `fit` was given.
    unit
        The unit of the values, or None.
    """

    rows: pd.DataFrame
    layout: Layout
    unit: str | None = None

    @property
    def parts(self) -> Any:
        """A row per series and time, in the units of the values, a column per part.

        "usual" is the forecast if all were usual, then what each part adds to it, then "together":
        what they add only together. Their sum is the forecast.
        """
        return restore_rows(self.rows, self.layout)

    @property
    def forecast(self) -> Any:
        """The forecast: the sum of the parts."""
        return restore_rows(self.rows.sum(axis=1).rename("forecast"), self.layout)

    def of(self, series: Any = None) -> Any:
        """Return the parts of one series, a row per time; None: the first."""
        return restore_times(rows_of(self.rows, series), self.layout)

    def plot(self, series: Any = None) -> np.ndarray:
        """Draw the parts of one series: their size as bars, and step by step as a map.

        Parameters
        ----------
        series
            Which one, by its id; None: the first.

        Returns
        -------
        array of two Axes
        """
        from forecast.inspection.plots import plot_parts

        return plot_parts(rows_of(self.rows, series).drop(columns=BASE), unit=self.unit)

    def __repr__(self) -> str:
        return repr(self.parts)

    def _repr_html_(self) -> str:
        return self.rows.to_html()


def explain(
    forecaster: BaseForecaster,
    horizon: int | None = None,
    X: Any = None,
    *,
    blocks: Sequence[int] | None = None,
    series: Sequence[Hashable] | None = None,
) -> Explanation:
    """Tell what each part of the past and of the plan contributes to a forecast.

    A contribution is by how much the forecast changes if the part is as usual: values at the mean
    of their series, a covariate at its mean ("price" after the origin, "price before" before it),
    the calendar at the mean of its features, static features unknown. What was learned stays.

    Parameters
    ----------
    forecaster
        A fitted forecaster.
    horizon, X
        As in `predict`.
    blocks
        The last lags of the blocks of past values, rising: [1, 7, 28] are the last value, the rest
        of the week, the three weeks before; what is older is one more. None: the last value, half
        a season, the season, and two more; without a season 1, 4, 8, 16, 32. Exponential smoothing
        tells level, trend and season, unless there are blocks.
    series
        Which ones, by their ids; None: all.

    Returns
    -------
    Explanation
        With `parts`, `forecast`, `of(series)` and `plot(series)`; frames of the library of the
        history, pandas or another.

    Raises
    ------
    TypeError
        If a `ConformalForecaster` holds a model of another library.

    Examples
    --------
    >>> from forecast import MarkovForecaster
    >>> X = pd.DataFrame({"price": np.random.default_rng(0).uniform(1, 2, 53)})
    >>> y = 10 - 3 * X["price"] + X.index % 2
    >>> model = MarkovForecaster(order=1).fit(y[:50], X)
    >>> explain(model, 3, X, blocks=[1]).of().round(2)[["usual", "price"]]
        usual  price
    50   5.93  -0.80
    51   5.93   1.10
    52   5.93  -1.37
    """
    if isinstance(forecaster, ConformalForecaster):
        forecaster = forecaster.forecaster_
    if not isinstance(forecaster, BaseForecaster):
        raise TypeError(
            f"`forecaster` must be a forecaster of this package, got {short(forecaster)}: one of "
            "another library cannot be asked what it would forecast from another history."
        )
    check_is_fitted(forecaster)
    steps, known = forecaster._ahead(horizon, X)
    ids = forecaster.panel_.ids if series is None else series
    rows = np.array([place_of(one, forecaster.panel_) for one in ids])
    parts = forecaster._additive(steps) if blocks is None else None
    if parts is None:
        groups = _groups(forecaster, blocks)
        parts = _contributions(forecaster, groups, rows, steps, known)
    else:
        parts = {BASE: np.zeros((len(rows), steps))} | {
            name: part[rows] for name, part in parts.items()
        }
    parts[TOGETHER] = forecaster._point(steps, known)[rows] - sum(parts.values())
    index = steps_index(forecaster.panel_, steps, rows)
    frame = pd.DataFrame({name: part.ravel() for name, part in parts.items()}, index)
    return Explanation(frame, forecaster.panel_.layout, forecaster.unit_)


def _groups(forecaster: BaseForecaster, blocks: Sequence[int] | None) -> list[Group]:
    """Return the parts of what a forecaster reads."""
    panel, m = forecaster.panel_, forecaster.season_length_
    usual = sorted({1, max(m // 2, 1), m, 2 * m, 3 * m}) if m > 1 else [1, 4, 8, 16, 32]
    ends = positive_integers("blocks", usual if blocks is None else blocks)
    if any(a >= b for a, b in zip(ends, ends[1:], strict=False)):
        raise ValueError(f"`blocks` must be rising, got {short(list(blocks or ()))}.")
    longest = int(panel.lengths.max())
    ends = [end for end in ends if end < longest]
    groups = []
    for first, last in zip([1, *(end + 1 for end in ends)], [*ends, longest], strict=True):
        name = f"lag {last}" if first == last else f"lags {first}–{last}"
        groups.append(Group(OLDER if last == longest else name, "lags", (first, last)))
    if forecaster.reads_covariates:
        for k, name in enumerate(panel.X_names):
            groups += [Group(name, "plan", k), Group(f"{name} before", "X", k)]
        groups += [Group(f"{name} before", "past", k) for k, name in enumerate(panel.past_names)]
        if _told(forecaster, "calendar") or _told(forecaster, "holidays"):
            groups.append(Group("calendar", "calendar"))
        if _told(forecaster, "static"):
            groups.append(Group("static", "static"))
    return groups


def _told(forecaster: BaseForecaster, parameter: str) -> bool:
    """Tell whether a parameter says something to a forecaster, or to any member of it."""
    value = getattr(forecaster, parameter, None)  # a static feature is a frame, or a name
    members = getattr(forecaster, "members_", {}).values()
    told = value is not None and value is not False
    return told or any(_told(one, parameter) for one in members)


def _contributions(
    forecaster: BaseForecaster,
    groups: list[Group],
    rows: np.ndarray,
    steps: int,
    known: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Return what is usual and what each group adds, (rows, H) each."""
    seen = forecaster.outliers_.hide(forecaster.panel_)
    answers = forecaster._answered(occluded(seen, groups, rows, known), steps)
    whole, *without, usual = answers.reshape(len(rows), -1, steps).swapaxes(0, 1)
    added = {group.name: whole - one for group, one in zip(groups, without, strict=True)}
    return {BASE: usual} | added
