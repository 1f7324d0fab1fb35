"""What if? One forecast per plan, and what the plans make of each other, with the same noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from forecast._checks import positive_integer, short
from forecast.data.keys import rows_of, steps_index
from forecast.data.panel import Layout
from forecast.data.restoring import restore_rows
from forecast.forecasters import arguments
from forecast.forecasters.base import BaseForecaster


class ScenarioFrames(NamedTuple):
    """What `Scenarios` gives back, indexed by (series, time)."""

    forecasts: pd.DataFrame
    bands: pd.DataFrame
    differences: pd.DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class Scenarios:
    """Forecasts under several plans; its representation is the frame of the medians.

    Attributes
    ----------
    frames : ScenarioFrames
        `forecasts`, `bands` and `differences` as pandas has them, indexed by (series, time).
    layout : Layout
        The kind of table that `fit` was given.
    coverage : float
        Of the bands.
    unit
        The unit of the values, or None.
    """

    frames: ScenarioFrames
    layout: Layout
    coverage: float
    unit: str | None = None

    @property
    def forecasts(self) -> Any:
        """A row per series and time, a column per scenario: medians."""
        return restore_rows(self.frames.forecasts, self.layout)

    @property
    def bands(self) -> Any:
        """The same with two columns each, (scenario, "lower") and (scenario, "upper").

        Where a library has names of one level only, they are joined: "scenario_lower".
        """
        return restore_rows(self.frames.bands, self.layout)

    @property
    def differences(self) -> Any:
        """Of every scenario but the first, what it makes of the first.

        The columns are (scenario, "difference"), (scenario, "lower") and (scenario, "upper"):
        quantiles of differences of paths that were drawn with the same noise.
        """
        return restore_rows(self.frames.differences, self.layout)

    def plot(self, series: Any = None) -> np.ndarray:
        """Draw the forecasts of one series, and below them the differences with their bands.

        Parameters
        ----------
        series
            Which one, by its id; None: the first.

        Returns
        -------
        array of two Axes
        """
        from forecast.inspection.plots import plot_scenarios

        frames = (rows_of(one, series) for one in self.frames)
        return plot_scenarios(*frames, unit=self.unit)

    def __repr__(self) -> str:
        return repr(self.forecasts)

    def _repr_html_(self) -> str:
        return self.frames.forecasts.to_html()


def what_if(
    forecaster: BaseForecaster,
    scenarios: Mapping[str, Any],
    horizon: int | None = None,
    *,
    coverage: float = 0.9,
    n_samples: int = 1000,
    random_state: int | None = 0,
) -> Scenarios:
    """Forecast under several plans, and say by how much they differ.

    Every plan is drawn with the same seed, so that a difference of two paths is what the plan
    makes of one and the same future. Its band tells how much that depends on the noise: where a
    model only adds the effect of X it is a line. It does not tell how well the effect is known.

    Parameters
    ----------
    forecaster
        A fitted forecaster that reads X.
    scenarios
        The X of the steps ahead, as in `predict`, by the name of the plan. The others are compared
        with the first.
    horizon
        As in `predict`.
    coverage
        Of the bands, between 0 and 1.
    n_samples, random_state
        Number of paths, and their seed; None draws a fresh one.

    Returns
    -------
    Scenarios
        With `forecasts`, `bands`, `differences` and `plot(series)`; frames of the library of the
        history, pandas or another.

    Raises
    ------
    ValueError
        If there are less than two scenarios, or X does not move the forecasts.

    Examples
    --------
    >>> from forecast import MarkovForecaster
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"price": rng.uniform(1, 2, 200)})
    >>> y = 10 - 3 * X["price"] + rng.normal(0, 0.1, 200)
    >>> model = MarkovForecaster(order=1).fit(y, X)
    >>> plan = model.future_frame(2).assign(price=1.5)
    >>> plans = what_if(model, {"as now": plan, "cheaper": plan - 0.5}, 2)
    >>> plans.differences["cheaper"].round(1).to_numpy().tolist()
    [[1.5, 1.5, 1.5], [1.5, 1.5, 1.5]]
    """
    check_is_fitted(forecaster)
    if not isinstance(scenarios, Mapping) or len(scenarios) < 2:
        raise ValueError(
            "`scenarios` must be at least two frames of covariates by their names, such as "
            f"{{'base': X0, 'promotion': X1}}, got {short(scenarios)}."
        )
    if not forecaster.reads_covariates:
        raise ValueError(
            f"`forecaster` must read X, got {type(forecaster).__name__}, whose forecasts are the "
            "same under every plan. Take one that does, such as MarkovForecaster."
        )
    levels, count = arguments.bounds_of(coverage), positive_integer("n_samples", n_samples)
    medians, bands, differences = {}, {}, {}
    # one for all, also if it is drawn afresh; the number, for a sequence counts what it has spawned
    seed = np.random.SeedSequence(random_state).entropy
    base: np.ndarray | None = None
    for name, X in scenarios.items():
        steps, known = forecaster._ahead(horizon, X)
        medians[name], bands[name] = forecaster._median_and_quantiles(steps, levels, known)
        paths = forecaster._paths(steps, count, known, np.random.default_rng(seed))
        if base is None:
            base = paths
        else:
            read = np.quantile(paths - base, (0.5, *levels), axis=2)
            differences[name] = np.moveaxis(read, 0, -1)
    index = steps_index(forecaster.panel_, steps)
    frames = ScenarioFrames(
        pd.DataFrame({name: median.ravel() for name, median in medians.items()}, index),
        _side_by_side(bands, ["lower", "upper"], index),
        _side_by_side(differences, ["difference", "lower", "upper"], index),
    )
    return Scenarios(frames, forecaster.panel_.layout, coverage, forecaster.unit_)


def _side_by_side(
    blocks: Mapping[str, np.ndarray], labels: list[str], index: pd.MultiIndex
) -> pd.DataFrame:
    """Return blocks (n, H, C) as the columns (name, label) of one frame."""
    columns = pd.MultiIndex.from_product([list(blocks), labels])
    flat = [block.reshape(-1, len(labels)) for block in blocks.values()]
    return pd.DataFrame(np.hstack(flat), index, columns)
