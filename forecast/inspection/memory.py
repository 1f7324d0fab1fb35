"""How far back do fitted forecasters look? Their effective memory, side by side.

Stands above all rooms, as the contest does: it takes forecasters of any kind and draws.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from forecast._checks import number_between, positive_integer
from forecast.data.covariates import held_plan
from forecast.data.frames import append
from forecast.data.panel import Panel
from forecast.evaluation.canvas import span
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.bounds import Bounds
from forecast.forecasters.outliers import Outliers
from forecast.sequences.base import SequenceEstimator
from forecast.sequences.reading import read_array

ROUNDING = 1e-5  # of the largest response: what single precision can do by itself
FLAT = 1e-12  # of the mean: a spread of rounding
VALUES_AT_ONCE = 2**17  # values that are read at once


@dataclass(frozen=True, eq=False, repr=False)
class EffectiveMemory:
    """How far back forecasters look; its representation is the table and the last lag tried.

    Attributes
    ----------
    responses : DataFrame
        A row per lag, a column per forecaster: how much the forecast changes, in spreads of the
        series, when the value `lag` steps before the first forecast step moves by one spread.
    threshold : float
        The share of the largest response below which a change counts as none.
    grid : Index
        The time axis.
    """

    responses: pd.DataFrame
    threshold: float
    grid: pd.Index

    @property
    def relative(self) -> pd.DataFrame:
        """The responses as shares of the largest of each forecaster."""
        return self.responses / self.responses.max()

    @property
    def table(self) -> pd.DataFrame:
        """One row per forecaster.

        `reach` is the last lag that changes the forecast at all, beyond rounding; `memory` the last
        that changes it by the threshold; `time` says the same as a duration. Where that is the
        last lag tried, it is a lower bound; and no lag beyond was tried, such as a farther season.
        """
        seen = self.responses.index[-1]
        rows = {}
        for name, share in self.relative.items():
            reach, memory = (
                int(share.index[share >= least].max()) for least in (ROUNDING, self.threshold)
            )
            text = span(memory, self.grid)
            rows[name] = (reach, memory, f"at least {text}" if memory == seen else text)
        return pd.DataFrame.from_dict(rows, orient="index", columns=["reach", "memory", "time"])

    def plot(self) -> np.ndarray:
        """Draw the response to every lag, and where the memory of each forecaster ends."""
        from forecast.inspection.plots import plot_memory

        return plot_memory(self.relative, self.table, self.threshold, self.grid)

    @property
    def _tried(self) -> str:
        return f"Lags up to {span(int(self.responses.index[-1]), self.grid)} were tried."

    def __repr__(self) -> str:
        return f"{self.table.to_string()}\n\n{self._tried}"

    def _repr_html_(self) -> str:
        return f"{self.table.to_html()}<p>{self._tried}</p>"


def effective_memory(
    forecasters: Mapping[str, Any] | Sequence[Any],
    y: Any,
    X: Any = None,
    *,
    horizon: int | None = None,
    threshold: float = 0.01,
) -> EffectiveMemory:
    """Measure how far back fitted forecasters look: their effective memory.

    Each forecaster absorbs `y` by `update`, so what it learned stays as it is. Then one value of
    `y` is moved by one spread (the standard deviation of its series) towards the mean of its
    series, where the model is at home, and the forecast is made again. The largest change over all
    steps, averaged over the series, is the response to the lag of that value; the memory is the
    last lag whose response is at least `threshold` of the largest. It is the same definition for
    a window and for a state, for a regression and for a network.

    Estimators of sequences are given units in any form of their `fit`; a unit is as much history as
    the shortest has steps. One step is moved, all its features by their spread in `fit`, and the
    answer at the end is looked at: in spreads of what was learned, of a classifier the probability
    that changes most.

    Parameters
    ----------
    forecasters
        Fitted to the same kind of frame, by name; a list is named by the classes.
    y
        Values that come after the history of every forecaster, as for `update`. The farthest lag
        that can be seen is one less than their number: give more than the memory you suspect.
    X
        Their covariates, if `fit` had X. The plan ahead is held at its last row.
    horizon
        Steps of the forecast. Default: `horizon_` of each.
    threshold
        Share of the largest response, between 0 and 1.

    Returns
    -------
    EffectiveMemory
        With `table`, `responses` and `plot()`.

    Raises
    ------
    ValueError
        If `y` holds less than two values of a series, or a forecast depends on none of them.

    Examples
    --------
    >>> from forecast import MarkovForecaster
    >>> from forecast.data.synthetic import ar1
    >>> y = ar1(200, seed=0)
    >>> models = [MarkovForecaster(order=3).fit(y[:150]), MarkovForecaster(order=5).fit(y[:150])]
    >>> effective_memory(models, y[150:])
              reach  memory     time
    Markov        3       3  3 steps
    Markov 2      5       5  5 steps
    <BLANKLINE>
    Lags up to 49 steps were tried.
    """
    threshold = number_between("threshold", threshold, 0, 1)
    responses, grids = {}, []
    for name, forecaster in _named(forecasters).items():
        check_is_fitted(forecaster)
        responses[name], grid = _measured(forecaster, y, X, horizon)
        if not responses[name].max() > 0:
            raise ValueError(
                f"The forecast of {name!r} depends on none of the last {len(responses[name])} "
                "values, so it has no memory to measure. Give a longer `y`."
            )
        grids.append(grid)
    return EffectiveMemory(pd.DataFrame(responses).rename_axis("lag"), threshold, grids[0])


def _measured(forecaster: Any, y: Any, X: Any, horizon: int | None) -> tuple[pd.Series, pd.Index]:
    """Return the response to every lag, and the axis that says how long one is."""
    if isinstance(forecaster, SequenceEstimator):
        responses = _responses_to_steps(forecaster, y)
        return responses, pd.RangeIndex(len(responses))
    panel = append(forecaster.panel_, forecaster._read(y, X, forecaster.freq_))
    steps = forecaster.horizon_ if horizon is None else positive_integer("horizon", horizon)
    return _responses(forecaster, panel, steps), panel.grid


def _named(forecasters: Any) -> dict[str, Any]:
    if isinstance(forecasters, BaseForecaster | SequenceEstimator):
        forecasters = [forecasters]
    if isinstance(forecasters, Mapping):
        return dict(forecasters)
    named: dict[str, Any] = {}
    for forecaster in forecasters:
        name = type(forecaster).__name__.removesuffix("Forecaster")
        same = sum(known.split(" ")[0] == name for known in named)
        named[f"{name} {same + 1}" if same else name] = forecaster
    return named


def _responses(forecaster: BaseForecaster, panel: Panel, horizon: int) -> pd.Series:
    """Return the mean response to every lag; the history is continued up to the end of `panel`."""
    from forecast.forecasters.neural.base import NeuralForecaster

    old, n = forecaster.panel_.lengths, panel.n_series
    lags = int((panel.lengths - old).min()) - 1
    if lags < 1:
        raise ValueError(
            f"`y` must hold at least 2 values of every series, got {lags + 1} of one of them."
        )
    # the first update of a network reads its whole history: it is made once, for all copies
    before = forecaster._continued(panel.head(old + 1))
    usual = _forecast(before._continued(panel), horizon)[:, None]  # (n, 1, H)
    seen = forecaster.outliers_.hide(panel)
    series = [seen.series(i) for i in range(n)]
    mean, spread = (np.array([f(one) for one in series])[:, None] for f in (np.nanmean, np.nanstd))
    unit = np.where(spread > FLAT * np.abs(mean), spread, np.nan)  # a flat series answers nothing
    copies = max(VALUES_AT_ONCE // (lags * n), 1) if isinstance(forecaster, NeuralForecaster) else 1
    changes = []
    for some in np.array_split(np.arange(1, lags + 1), -(-lags // copies)):
        moved = _repeated(panel, len(some))
        places = moved.offsets[1:].reshape(n, -1) - some  # (n, copies)
        values = moved.values[places]
        moved.values[places] = values - np.where(values < mean, -spread, spread)
        start = before if copies == 1 else _tiled(before, len(some))
        forecasts = _forecast(start._continued(moved), horizon).reshape(n, -1, horizon)
        change = np.abs(forecasts - usual).max(-1) / unit  # (n, copies)
        changes.append(np.where(np.isnan(values), np.nan, change))
    return pd.DataFrame(np.hstack(changes), columns=range(1, lags + 1)).mean()


def _responses_to_steps(estimator: SequenceEstimator, X: Any) -> pd.Series:
    """Return the mean response of the last answer to every lag."""
    sequences, reader = estimator._read(X), estimator.model_.reader
    mean, spread = (part.cpu().numpy() for part in (reader.mean, reader.spread))
    lags = np.arange(1, sequences.lengths.min() + 1)
    changes = []
    for unit in np.split(sequences.values, sequences.ends[:-1] + 1):
        usual, parts = _last_answers(estimator, unit[None]), []
        for some in np.array_split(lags, -(-len(lags) * len(unit) // VALUES_AT_ONCE)):
            moved = np.repeat(unit[None], len(some), 0)
            places = np.arange(len(some)), len(unit) - some
            values = moved[places]
            moved[places] = values - np.where(values < mean, -spread, spread)
            parts.append(np.abs(_last_answers(estimator, moved) - usual).max(-1))
        changes.append(np.concatenate(parts))
    return pd.DataFrame(changes, columns=lags).mean()


def _last_answers(estimator: SequenceEstimator, units: np.ndarray) -> np.ndarray:
    """Return probabilities (n, K), or a number in spreads of what was learned, (n, 1)."""
    answers = estimator._answers_of(read_array(units))
    answers = answers.reshape(*units.shape[:2], -1)[:, -1]
    return answers / float(getattr(estimator.model_.head, "spread", 1.0))


def _forecast(forecaster: BaseForecaster, horizon: int) -> np.ndarray:
    """Return the forecast (n, H)."""
    plan = held_plan(forecaster.panel_, horizon)
    return forecaster._point(horizon, plan)


def _repeated(panel: Panel, copies: int) -> Panel:
    """Return a panel that holds every series several times, copies side by side."""
    return panel.take(np.repeat(np.arange(panel.n_series), copies))


def _tiled(forecaster: Any, copies: int) -> Any:
    """Return a network that follows every series several times."""
    from forecast.networks.base import tile

    other = copy.copy(forecaster)
    other.panel_ = _repeated(forecaster.panel_, copies)
    other.stream_ = tile(forecaster.stream_, copies)
    other.spreads_ = forecaster.spreads_.repeat(copies)
    other.bounds_ = Bounds(*(flag.repeat(copies) for flag in forecaster.bounds_))
    series, places = forecaster.outliers_
    owners = (copies * series[:, None] + np.arange(copies)).ravel()
    other.outliers_ = Outliers(owners, places.repeat(copies))
    return other
