"""Early warning of pumps never seen, by a state, a window, the age and the mean life: five seeds.

A seed draws both which pumps are learned from and the network's start. A claim holds if it holds
for at least four of the five.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, root_mean_squared_error
from sklearn.model_selection import GroupShuffleSplit
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from forecast import load_dataset
from forecast.evaluation.alarms import alarm_threshold, lead_times
from forecast.sequences.classifier import SequenceClassifier
from forecast.sequences.regressor import SequenceRegressor
from tests.experiments.test_memory import holds, over_seeds

WITHIN = 30  # days in which a pump fails
SENSORS = ["y", "load", "temperature"]
pytestmark = pytest.mark.experiment


def parts(table: pd.DataFrame, share: float, seed: int) -> list[pd.DataFrame]:
    """Return the rows of the pumps to learn from, and those of the others."""
    split = GroupShuffleSplit(1, test_size=share, random_state=seed)
    return [table.iloc[rows] for rows in next(split.split(table, groups=table["unique_id"]))]


@pytest.mark.mission("M48")
def test_pumps_are_warned_of_and_their_life_is_told() -> None:
    pumps = load_dataset("pump_failures")
    left = pumps.groupby("unique_id").cumcount(ascending=False).astype(float)
    late = left < WITHIN
    own = pumps.groupby("unique_id")[SENSORS]
    window = pd.concat([own.shift(k).add_suffix(f"-{k}") for k in range(10)], axis=1)

    def run(seed: int) -> list[dict[str, Any]]:
        rest, test = parts(pumps, 0.3, seed)
        train, other = parts(rest, 0.25, seed)
        ids = [set(part["unique_id"]) for part in (train, other, test)]
        assert len(set.union(*ids)) == sum(map(len, ids))
        network = {"each_step": True, "max_epochs": 8, "learning_rate": 0.01}
        model = SequenceClassifier(**network, random_state=seed).fit(train, late[train.index])
        risk = model.predict_proba(test)[True]
        threshold = alarm_threshold(
            late[other.index], model.predict_proba(other)[True], false_alarm_rate=0.02
        )
        alarms = lead_times(late[test.index], risk, test["unique_id"], threshold=threshold)
        rivals = {
            "window": (MLPClassifier(32, max_iter=100, tol=1e-3, random_state=seed), window),
            "age": (LogisticRegression(), pumps[["ds"]]),
        }
        precision = {"state": average_precision_score(late[test.index], risk)}
        for name, (rival, X) in rivals.items():
            rival = make_pipeline(SimpleImputer(), StandardScaler(), rival)
            rival.fit(X.loc[train.index], late[train.index])
            told = rival.predict_proba(X.loc[test.index])[:, 1]
            precision[name] = average_precision_score(late[test.index], told)
        life = SequenceRegressor(**network, random_state=seed).fit(rest, left[rest.index])
        by_mean = (rest.groupby("unique_id").size().mean() - test["ds"]).clip(lower=0)
        errors = [
            root_mean_squared_error(left[test.index], days)
            for days in (life.predict(test), by_mean)
        ]
        return [
            {
                "warned": alarms["lead"].notna().mean(),
                "lead": alarms["lead"].median(),
                "false_alarms": alarms["false_alarms"].mean(),
                **{f"precision_{name}": one for name, one in precision.items()},
                "rmse_state": errors[0],
                "rmse_mean_life": errors[1],
            }
        ]

    table = over_seeds("pumps", run)
    assert holds((table["warned"] >= 0.8) & (table["lead"] >= 20), table["seed"])
    assert holds(table["false_alarms"] < 0.05, table["seed"])
    assert holds(table["precision_state"] > table["precision_age"] + 0.2, table["seed"])
    assert holds(table["rmse_state"] < 0.9 * table["rmse_mean_life"], table["seed"])
    assert np.isfinite(table.to_numpy(float)).all()
