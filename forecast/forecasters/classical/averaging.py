"""Several ARIMA models of a series as one: their weights, and how far they are apart."""

from __future__ import annotations

import numpy as np

from forecast.forecasters.classical.statespace import Fit

NEGLIGIBLE = 0.01  # the weight of a model that is left out


def weighed(fits: tuple[Fit, ...], against: tuple[float, ...]) -> list[Fit]:
    """Return the models that count, the likeliest first, with weights that add up to one.

    `against` are criteria of Schwarz, so that weights are about the probabilities of the models.
    """
    gap = np.nan_to_num(np.array(against), nan=1e9, posinf=1e9)
    weights = np.exp((gap.min() - gap) / 2)
    weights = np.where(weights < NEGLIGIBLE * weights.sum(), 0.0, weights)
    weights = weights / weights.sum()
    order = [i for i in np.argsort(-weights, kind="stable").tolist() if weights[i]]
    return [fits[i]._replace(weight=float(weights[i])) for i in order]


def averaged(fits: list[Fit], errors: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the errors (T,) of forecasts by several models; a zero if there are none."""
    weights = np.array([fit.weight for fit in fits])
    found: np.ndarray = weights @ np.stack(errors)
    if not np.isfinite(found).any():
        found[-1:] = 0.0
    return found


def mixed(
    weights: np.ndarray, models: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the forecast (H,) of several models, and what an error and all doubts do to it.

    The variance is that of Buckland, Burnham and Augustin, "Model selection: an integral part of
    inference", 1997: how far the models are from each other is one doubt more.
    """
    points, echoes, doubts = zip(*models, strict=True)
    point, share = weights @ np.stack(points), np.sqrt(weights)
    mean = weights @ np.stack(echoes)
    echo = np.copysign(np.sqrt(weights @ np.square(echoes)), mean)
    apart = (np.stack(points) - point).T * share  # (H, models)
    own = [part * doubt for part, doubt in zip(share, doubts, strict=True)]
    return point, np.column_stack([echo, apart, *own])
