"""What practitioners do with sequences: early warning, recognition, monitoring, irregular times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, root_mean_squared_error
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from forecast import load_dataset
from forecast.evaluation.alarms import alarm_threshold, lead_times
from forecast.sequences.classifier import SequenceClassifier
from forecast.sequences.regressor import SequenceRegressor
from forecast.teaching.units import load_japanese_vowels, patients, utterances

WITHIN = 30  # days in which a pump fails


@pytest.fixture(scope="module")
def pumps() -> pd.DataFrame:
    """Return the run-to-failure set with the days that are left to each pump."""
    table = load_dataset("pump_failures")
    return table.assign(left=table.groupby("unique_id").cumcount(ascending=False).astype(float))


def sensors(table: pd.DataFrame) -> pd.DataFrame:
    return table[["unique_id", "ds", "y", "load", "temperature"]]


def by_unit(table: pd.DataFrame, test_size: float = 0.25) -> list[pd.DataFrame]:
    """Return the rows of the units to learn from, and those of the others."""
    split = GroupShuffleSplit(1, test_size=test_size, random_state=0)
    parts = next(split.split(table, groups=table["unique_id"]))
    return [table.iloc[rows] for rows in parts]


@pytest.mark.slow
@pytest.mark.mission("M48")
def test_alarms_come_days_before_pumps_fail(pumps: pd.DataFrame) -> None:
    """One split; over five seeds leads were 25 to 29 days, false alarms .6 to 3.6 per cent."""
    train, test = by_unit(pumps)
    train, other = by_unit(train, 0.2)
    ids = [set(part["unique_id"]) for part in (train, other, test)]
    assert ids[0].isdisjoint(ids[1] | ids[2]) and ids[1].isdisjoint(ids[2])
    model = SequenceClassifier(each_step=True, max_epochs=8, learning_rate=0.01, random_state=0)
    model.fit(sensors(train), train["left"] < WITHIN)
    late, risk = test["left"] < WITHIN, model.predict_proba(sensors(test))[True]
    threshold = alarm_threshold(
        other["left"] < WITHIN, model.predict_proba(sensors(other))[True], false_alarm_rate=0.02
    )
    alarms = lead_times(late, risk, test["unique_id"], threshold=threshold)
    assert alarms["lead"].median() >= 20 and alarms["false_alarms"].mean() < 0.05


@pytest.mark.slow
@pytest.mark.mission("M48")
def test_the_risk_of_pumps_never_seen_is_told_by_their_sensors(pumps: pd.DataFrame) -> None:
    late, unit = pumps["left"] < WITHIN, pumps["unique_id"]
    model = SequenceClassifier(each_step=True, max_epochs=8, learning_rate=0.01, random_state=0)
    age = LogisticRegression()
    risks = [
        cross_val_predict(one, X, late, groups=unit, cv=GroupKFold(4), method="predict_proba")
        for one, X in ((model, sensors(pumps)), (age, pumps[["ds"]]))
    ]
    scores = [average_precision_score(late, np.asarray(risk)[:, 1]) for risk in risks]
    assert scores[0] > scores[1] + 0.2, scores


@pytest.mark.slow
@pytest.mark.mission("M31", "M48")
def test_remaining_life_is_told_better_than_by_the_mean_life(pumps: pd.DataFrame) -> None:
    for fold in GroupKFold(2).split(pumps, groups=pumps["unique_id"]):
        train, test = (pumps.iloc[rows] for rows in fold)
        life = train.groupby("unique_id").size().mean()
        by_mean = (life - test["ds"]).clip(lower=0)
        model = SequenceRegressor(each_step=True, max_epochs=8, learning_rate=0.01, random_state=0)
        told = model.fit(sensors(train), train["left"]).predict(sensors(test))
        errors = [root_mean_squared_error(test["left"], one) for one in (told, by_mean)]
        assert errors[0] < 0.9 * errors[1]


@pytest.mark.slow
@pytest.mark.mission("M31", "M50")
def test_speakers_are_recognised_by_utterances_of_any_length() -> None:
    train, test = utterances(30, seed=1), utterances(40, seed=2)
    scores = []
    for seed in range(5):
        model = SequenceClassifier(max_epochs=8, learning_rate=0.01, random_state=seed)
        scores.append(model.fit(*train).score(*test))
    share = np.sort(scores)[1]
    margin = 1.96 * np.sqrt(share * (1 - share) / len(test.y))
    assert share - margin > 0.9, scores  # the class prior gives 1 / 9


@pytest.mark.slow
@pytest.mark.mission("M50")
def test_recorded_speakers_are_recognised_where_the_set_is_at_hand() -> None:
    try:
        train, test = (load_japanese_vowels(split) for split in ("train", "test"))
    except FileNotFoundError as absent:
        pytest.skip(str(absent))
    model = SequenceClassifier(max_epochs=8, learning_rate=0.01, random_state=0)
    assert model.fit(*train).score(*test) >= 0.9


@pytest.mark.slow
@pytest.mark.mission("M32", "M48")
def test_episodes_are_told_by_the_minute_for_patients_never_seen() -> None:
    train, test = (patients(60, seed=seed) for seed in (1, 2))
    X, y = (part.drop(columns="episode") for part in (train, test)), test["episode"]
    model = SequenceClassifier(each_step=True, max_epochs=6, learning_rate=0.01, random_state=0)
    seen, unseen = X
    risk = model.fit(seen, train["episode"]).predict_proba(unseen)[1]
    window = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    window.fit(lagged(seen, 30), train["episode"])
    by_window = window.predict_proba(lagged(unseen, 30))[:, 1]
    assert average_precision_score(y, risk) > average_precision_score(y, by_window) + 0.05


def lagged(table: pd.DataFrame, n: int) -> np.ndarray:
    """Return the last n values of every unit, side by side; NaN before its first."""
    grouped = table[["heart_rate", "saturation"]].groupby(table["unique_id"])
    return np.hstack([grouped.shift(k).to_numpy() for k in range(n)])


@pytest.mark.slow
@pytest.mark.mission("M51")
def test_time_that_passed_is_an_input_like_any_other() -> None:
    """An irregular sine: the next value depends on how far off it is."""
    ratios = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        gaps = rng.exponential(1.0, (150, 41))
        values = np.sin(0.6 * gaps.cumsum(1) + rng.uniform(0, 6.3, (150, 1)))
        told = np.stack([values[:, :-1], gaps[:, 1:]], -1)  # a value, and the time to the next one
        errors = []
        for X in (told, told[..., :1]):
            model = SequenceRegressor(each_step=True, max_epochs=12, learning_rate=0.01)
            model.set_params(random_state=seed).fit(X[:100], values[:100, 1:])
            errors.append(np.mean((model.predict(X[100:]) - values[100:, 1:]) ** 2))
        ratios.append(errors[0] / errors[1])
    assert max(ratios) <= 0.5, ratios
