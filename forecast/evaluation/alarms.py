"""Alarms: the threshold for a rate of false alarms, and how long before the end they come.

A score says how likely a unit is to be near its end; a label, 0 or 1, whether it is. An alarm is a
score of at least the threshold: true where the label is 1, false elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_curve
from sklearn.utils import check_consistent_length

from forecast._checks import number_between


def alarm_threshold(
    labels: npt.ArrayLike, scores: npt.ArrayLike, *, false_alarm_rate: float = 0.01
) -> float:
    """Return the lowest threshold at which at most a share of the healthy steps gives alarm.

    Take scores of units that were not learned from, and other ones than those to be judged.

    Parameters
    ----------
    labels, scores
        Of every step of some units.
    false_alarm_rate
        The share, between 0 and 1.

    Raises
    ------
    ValueError
        If no step is healthy, or none is not.

    Examples
    --------
    >>> float(alarm_threshold([0, 0, 0, 1, 1], [0.1, 0.2, 0.4, 0.3, 0.9], false_alarm_rate=0.4))
    0.3
    """
    rate = number_between("false_alarm_rate", false_alarm_rate, 0, 1, ends="both")
    if len(np.unique(np.asarray(labels))) != 2:
        raise ValueError("`labels` must hold both 0 and 1. Take more units.")
    false, _, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    return float(thresholds[false <= rate][-1])


def lead_times(
    labels: npt.ArrayLike, scores: npt.ArrayLike, units: npt.ArrayLike, *, threshold: float
) -> pd.DataFrame:
    """Return how long before its end each unit gives its first true alarm.

    Parameters
    ----------
    labels, scores, units
        Of every step, the steps of each unit in order of time; its last step is the end.
    threshold
        The least score of an alarm.

    Returns
    -------
    DataFrame
        A row per unit: `lead`, the steps from the first true alarm to the end, NaN if there is
        none; `false_alarms`, the share of healthy steps with an alarm.

    Examples
    --------
    >>> table = lead_times([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], ["a"] * 4, threshold=0.5)
    >>> table.loc["a"].to_dict()
    {'lead': 0.0, 'false_alarms': 0.5}
    """
    check_consistent_length(labels, scores, units)
    label, alarm = np.asarray(labels, dtype=bool), np.asarray(scores) >= threshold
    table = pd.DataFrame({"unit": np.asarray(units), "healthy": ~label, "alarm": alarm})
    left = table.groupby("unit").cumcount(ascending=False)
    table["lead"] = left.where(label & alarm).astype(float)
    table["false"] = table["alarm"].where(~label).astype(float)
    by_unit: Any = table.groupby("unit")
    return pd.DataFrame({"lead": by_unit["lead"].max(), "false_alarms": by_unit["false"].mean()})
