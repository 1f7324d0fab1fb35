"""Fit a forecaster with what a file says, and see whether it works."""

from __future__ import annotations

from typing import Any

import numpy as np

from forecast._checks import positive_integer
from forecast.data.frames import restore
from forecast.data.panel import Panel
from forecast.forecasters.bounds import Bounds
from forecast.forecasters.calibration import Calibration
from forecast.forecasters.encoding import decode
from forecast.forecasters.outliers import Outliers
from forecast.forecasters.panel_state import panel_from_state

MOST_STEPS = 100_000  # of a default horizon, or as many as the history has
MOST_TRIED = 1_000, 20_000  # steps, and values, that are forecast to see whether the model works
LARGEST = (
    1e200  # of what was learned, in units of the largest value; sums of a few are still finite
)


def rebuild(forecaster: Any, about: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Fit an unfitted forecaster of values with what a file says.

    It has then forecast its horizon, or the first part of it.

    Raises
    ------
    Exception
        Of any kind, if the file says what no fit leads to.
    """
    panel = panel_from_state(about["panel"], under("panel/", arrays))
    forecaster.panel_, forecaster.freq_ = panel, panel.freq
    forecaster.target_transform_ = None
    forecaster.outliers_ = Outliers.restore(about.get("outliers", [[], []]), panel)
    seen = forecaster.outliers_.hide(panel)
    forecaster.bounds_ = Bounds.unknown(panel.n_series).after(seen, panel.lengths)
    forecaster.calibration_ = Calibration.from_state(about.get("calibration"), panel.n_series)
    forecaster.unit_ = None if about.get("unit") is None else str(about["unit"])
    forecaster.season_length_ = positive_integer("season_length", about["season_length"])
    forecaster.horizon_ = steps_in(about, len(panel.grid))
    if panel.X is not None:
        forecaster.n_features_in_ = panel.X.shape[1]
    learned = under("learned/", arrays)
    _check_sizes(learned, panel)
    forecaster._restore(seen, decode(about["learned"]), learned)
    restore(panel, _tried(forecaster))


def _check_sizes(learned: dict[str, np.ndarray], panel: Panel) -> None:
    """Refuse numbers that no fit finds, and that overflow a few steps ahead."""
    with np.errstate(all="ignore"):
        limit = LARGEST * max(1.0, float(np.nanmax(np.abs(panel.values.astype(np.float64)))))
    for name, array in learned.items():
        if array.dtype.kind == "f" and array.size and max(array.max(), -array.min()) > limit:
            raise ValueError(f"{name!r} has numbers that no history leads to")


def _tried(forecaster: Any) -> np.ndarray:
    """Return the forecast of the horizon (n, H), or of what can be had quickly of it."""
    panel = forecaster.panel_
    n, (steps, values) = panel.n_series, MOST_TRIED
    steps = max(min(forecaster.horizon_, steps, values // n), 1)
    known = None if panel.X is None else np.zeros((n, steps, panel.X.shape[1]))
    forecast = forecaster._predict(steps, known)
    paths = forecaster._sample(steps, 1, known, np.random.default_rng(0))
    fits = forecast.shape == (n, steps) and paths.shape == (n, 1, steps)
    if not (fits and np.isfinite(forecast).all() and np.isfinite(paths).all()):
        raise ValueError("what was learned gives no forecast of this history")
    return forecast


def steps_in(about: dict[str, Any], longest: int) -> int:
    """Return the default horizon that a file names, where a history has so many steps."""
    horizon = positive_integer("horizon", about["horizon"])
    if horizon > max(MOST_STEPS, longest):
        raise ValueError(f"a horizon of {horizon} steps is none that anybody forecasts")
    return horizon


def under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays whose names begin so, without that beginning."""
    start = len(prefix)
    return {name[start:]: array for name, array in arrays.items() if name.startswith(prefix)}
