"""Known covariates that tell what is to be forecast: copies of the target, or of its future."""

from __future__ import annotations

import warnings

import numpy as np

from forecast._checks import ForecastWarning, short
from forecast.data.panel import Panel

# Steps by which a column may run ahead of the target, the pairs that are compared and needed.
_LEADS, _PAIRS, _ENOUGH = 12, 100_000, 12
_ALIKE = 1e-9
_FINE = 100  # numbers that span so many of their last places are measured, not told apart


def warn_of_leaks(panel: Panel, known: np.ndarray, names: tuple[str, ...]) -> None:
    """Warn of a known covariate that is the target, now or some steps later, up to its unit.

    If it were known ahead, there would be nothing to forecast; most often it is known afterwards
    only, and belongs to `past_only`.

    Parameters
    ----------
    panel
        The target; a straight line is no evidence, for any other is its copy.
    known, names
        The known covariates, (N, K), aligned with its values, and their names.
    """
    y = panel.values[:_PAIRS].astype(np.float64)
    ends = np.repeat(panel.offsets[1:], panel.lengths)[: len(y)]
    for k, name in enumerate(names):
        for lead in range(_LEADS + 1):
            later = np.flatnonzero(np.arange(len(y)) + lead < np.minimum(ends, len(y)))
            if _is_copy(known[later, k], y[later + lead]):
                ahead = f" {lead} step{'s' if lead > 1 else ''} later" if lead else ""
                warnings.warn(
                    f"covariate {short(name)} is the target{ahead}: with it forecasts are no "
                    "forecasts. If it is not known in advance, name it in past_only, or leave it "
                    "out.",
                    ForecastWarning,
                    stacklevel=6,
                )
                break


def _is_copy(x: np.ndarray, y: np.ndarray) -> bool:
    """Tell whether x = a + b y but for rounding, for some a and b, where y is no straight line.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=20)
    >>> _is_copy(3 - 2 * y, y), _is_copy((3 - 2 * y).round(2), y), _is_copy(y**2, y)
    (True, True, False)
    """
    x, y = (part[np.isfinite(y)] for part in (x, y))
    if len(y) < _ENOUGH or not (np.ptp(x) and np.ptp(y)):
        return False
    rounding = _rounding(x) + _rounding(y)
    x, y = ((part - part.mean()) / part.std() for part in (x, y))
    b = float(x @ y) / len(y)
    steps = np.arange(len(y))
    line = np.polyval(np.polyfit(steps, y, 1), steps)
    alike = abs(x - b * y).max() < _ALIKE + rounding
    return bool(alike and abs(y - line).max() > 1e-6 + rounding)


def _rounding(x: np.ndarray) -> float:
    """Return half the last decimal place of numbers in standard deviations, 0 if that is coarse."""
    for digits in range(7):
        if np.abs(x - x.round(digits)).max() < 1e-9:
            place = 10.0**-digits
            return 0.55 * place / float(x.std()) if np.ptp(x) > _FINE * place else 0.0
    return 0.0
