"""Histories of which parts are occluded: what `explain` asks forecasters about."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from forecast.data.panel import Panel


class Occluded(NamedTuple):
    """N questions to a fitted forecaster, each about one of its n series.

    Attributes
    ----------
    panel : Panel
        N histories, parts of which are replaced by what is usual.
    owners : array (N,)
        Which of the forecaster's series each is.
    known : array (N, H, K) or None
        The future of X.
    calendar, static : array (N,) of bool
        Whether the calendar ahead, or the static features, are occluded too.
    """

    panel: Panel
    owners: np.ndarray
    known: np.ndarray | None
    calendar: np.ndarray
    static: np.ndarray
