"""What callers pass to a forecaster's methods, checked; errors name the argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import number_between, positive_integer, short
from forecast.data.panel import Panel


def optional(name: str, value: Any) -> int | None:
    """Return a positive integer, or None where it is left to the forecaster."""
    return None if value is None else positive_integer(name, value)


def steps_ahead(horizon: Any, usual: int) -> int:
    """Return how many steps to forecast; `usual` if it is not said."""
    if isinstance(horizon, pd.Series | pd.DataFrame | np.ndarray | list):
        raise TypeError(
            f"`horizon` must be a positive integer, got {short(horizon)}. A `scoring=` string "
            "of scikit-learn calls predict(y_test), which a forecaster cannot answer: leave "
            "`scoring` out (`score` is -MASE) or pass "
            "scoring=forecast.evaluation.metrics.scorer(metric)."
        )
    return usual if horizon is None else positive_integer("horizon", horizon)


def covariates(X: Any) -> Any:
    """Return X, unless it is a number, or a list of them, that was meant for another argument."""
    if np.isscalar(X) or (isinstance(X, list | tuple) and all(map(np.isscalar, X))):
        raise TypeError(
            f"`X` must be a frame of covariates, got {short(X)}. What follows it is passed by "
            "name: coverage=, levels=, n_samples=."
        )
    return X


def known_at(panel: Panel, origins: np.ndarray, horizon: int) -> np.ndarray | None:
    """Return the covariates of the steps after each origin (O, n), (O, n, H, K); None without X."""
    if panel.X is None:
        return None
    ends = origins.max(axis=0) + horizon
    if (short_of := np.flatnonzero(ends > panel.lengths)).size:
        i = short_of[0]
        raise ValueError(
            f"`y` and `X` must have all steps to forecast, {ends[i]} of series "
            f"{short(panel.ids[i])}, got {panel.lengths[i]}. Use earlier origins or a shorter "
            "horizon."
        )
    known: np.ndarray = panel.X[(panel.offsets[:-1] + origins)[..., None] + np.arange(horizon)]
    return known


def probabilities(levels: Sequence[float]) -> tuple[float, ...]:
    """Return the levels of quantiles: increasing, inside (0, 1)."""
    if isinstance(levels, str) or not np.iterable(levels):
        raise TypeError(f"`levels` must be a sequence of numbers in (0, 1), got {short(levels)}.")
    numbers = tuple(number_between("levels", level, 0, 1) for level in levels)
    if not numbers or any(low >= high for low, high in zip(numbers, numbers[1:], strict=False)):
        raise ValueError(f"`levels` must be increasing and not empty, got {short(levels)}.")
    return numbers


def bounds_of(coverage: float) -> tuple[float, float]:
    """Return the levels between which a central interval of this coverage lies.

    Examples
    --------
    >>> bounds_of(0.5)
    (0.25, 0.75)
    """
    tail = (1 - number_between("coverage", coverage, 0, 1)) / 2
    return tail, 1 - tail


def place_of(series: Any, panel: Panel) -> int:
    """Return the number of a series by its id; the first if none is named."""
    ids = panel.ids.tolist()
    if series is not None and series not in ids:
        raise ValueError(f"`series` must be one of {short(ids)}, got {short(series)}.")
    return 0 if series is None else ids.index(series)


def unit_of(y: Any) -> str | None:
    """Return the unit that a history of pandas names, of a list the one that all its series share.

    Examples
    --------
    >>> y = pd.Series([3.0, 4.0])
    >>> y.attrs["unit"] = "MW"
    >>> unit_of(y)
    'MW'
    """
    parts = y if isinstance(y, list) else [y]
    units = {str(part.attrs["unit"]) for part in parts if getattr(part, "attrs", {}).get("unit")}
    return units.pop() if len(units) == 1 else None


def same_columns(panel: Panel, history: Panel) -> Panel:
    """Return another history with the covariates that were learned from, in their order."""
    # those known before only are in the order of `past_only` in both
    for kind in ("X_names", "past_names"):
        if sorted(getattr(panel, kind)) != sorted(getattr(history, kind)):
            raise ValueError(
                f"`X` must have the columns of `fit`, {short(list(getattr(history, kind)))}, "
                f"got {short(list(getattr(panel, kind)))}."
            )
    if panel.X is None or panel.X_names == history.X_names:
        return panel
    order = [panel.X_names.index(name) for name in history.X_names]
    return replace(panel, X=panel.X[:, order], X_names=history.X_names)
