"""The target on another scale: any increasing scikit-learn transformer with an inverse."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from forecast._checks import short
from forecast.data.panel import Panel

# So many values, evenly over the sorted history, are taken there and back.
PROBES = 1000
# As a share of the range: a transformer that bins or rounds is no invertible one.
ROUND_TRIP = 1e-3


def fit_transformer(transformer: Any, panel: Panel) -> tuple[Any, Panel]:
    """Fit a clone to all observed values, and see that it is increasing and has an inverse.

    Parameters
    ----------
    transformer
        A scikit-learn transformer, or None.
    panel
        The history; all series share one transformer.

    Returns
    -------
    The fitted clone, or None, and the history as the model sees it.

    Raises
    ------
    TypeError
        If it lacks `fit`, `transform` or `inverse_transform`.
    ValueError
        If it refuses the values, gives one that is not finite, decreases, or has no inverse.
    """
    if transformer is None:
        return None, panel
    needed = ("fit", "transform", "inverse_transform")
    if isinstance(transformer, type) or not all(hasattr(transformer, verb) for verb in needed):
        raise TypeError(
            "`target_transform` must be a scikit-learn transformer with an inverse, such as "
            f'PowerTransformer("box-cox"), got {short(transformer)}.'
        )
    observed = panel.values[~np.isnan(panel.values)].astype(np.float64)
    try:
        fitted = clone(transformer).fit(observed[:, None])
    except ValueError as error:
        raise ValueError(f"`target_transform` could not be fitted to `y`: {error}") from error
    seen = forward(fitted, panel)
    _check_invertible(fitted, observed)
    return fitted, seen


def _check_invertible(transformer: Any, observed: np.ndarray) -> None:
    places = np.linspace(0, len(observed) - 1, min(PROBES, len(observed))).astype(np.int64)
    probes = np.sort(observed)[places]
    there = _column(transformer.transform, probes)
    if (np.diff(there) < 0).any():
        raise ValueError(
            "`target_transform` must be increasing, or the .1 quantile would come back as the .9 "
            f"one; {short(transformer)} decreases on the values of `y`."
        )
    missed = np.abs(_column(transformer.inverse_transform, there) - probes).max()
    if not missed <= ROUND_TRIP * max(np.ptp(probes), np.abs(probes).max() * ROUND_TRIP):
        raise ValueError(
            f"`target_transform` must have an inverse: {short(transformer)} brings values of `y` "
            f"back up to {missed:.3g} away. A FunctionTransformer needs its inverse_func."
        )


def forward(transformer: Any, panel: Panel) -> Panel:
    """Return the history as the model sees it; the same object where there is no transformer.

    Raises
    ------
    ValueError
        If a value has no finite image; the series and the time are named.
    """
    if transformer is None:
        return panel
    values = panel.values.copy()
    seen = np.flatnonzero(~np.isnan(values))
    values[seen] = _column(transformer.transform, values[seen].astype(np.float64))
    bad = seen[~np.isfinite(values[seen])]
    if len(bad):
        i = int(np.searchsorted(panel.offsets, bad[0], side="right")) - 1
        time = panel.times(i)[bad[0] - panel.offsets[i]]
        raise ValueError(
            f"`target_transform` gives {values[bad[0]]} for {panel.values[bad[0]]:g} (series "
            f"{short(panel.ids[i])}, {time}): it must give a finite number for every value of `y`."
        )
    return replace(panel, values=values)


def backward(transformer: Any, values: np.ndarray, ids: pd.Index) -> np.ndarray:
    """Return forecasts (n, ...) in the units of the user.

    Raises
    ------
    ValueError
        If a forecast lies where the transformer has no inverse; the series is named.
    """
    if transformer is None:
        return values
    original = _column(transformer.inverse_transform, values.ravel()).reshape(values.shape)
    lost = ~np.isfinite(original)
    if lost.any():
        first = tuple(np.argwhere(lost)[0])
        raise ValueError(
            f"`target_transform` has no finite inverse for {values[first]:.6g}, a forecast of "
            f"series {short(ids[first[0]])}: {short(transformer)} bends too strongly here. Use a "
            "milder one, such as a logarithm."
        )
    return original


def _column(function: Any, values: np.ndarray) -> np.ndarray:
    """Apply a transformer to flat values, which it takes as a column; they may leave its domain."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        given = function(values[:, None])
    column = np.asarray(given)  # a frame, where scikit-learn's `set_output` asks for one
    if column.shape != (len(values), 1):
        raise ValueError(
            "`target_transform` must give one number for every value, got "
            f"{type(given).__name__} of shape {np.shape(given)} for {len(values)} values."
        )
    return column.astype(np.float64).ravel()
