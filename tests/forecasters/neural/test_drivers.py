"""Holidays act as columns of X would that a user builds, and their future is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from forecast import PretrainedForecaster, load
from forecast.data.calendar import calendar_features
from forecast.inspection.explaining import explain
from forecast.inspection.what_if import what_if

DAYS = pd.date_range("2022-01-15", periods=720, freq="D")
HISTORY = 700  # Christmas is ahead


def told() -> pd.DataFrame:
    """Return the columns that a user would build."""
    features, names = calendar_features(DAYS, "D", "US")
    return pd.DataFrame(features[:, -3:].astype(np.float64), DAYS, list(names[-3:]))


def rides(seed: int = 0) -> pd.Series:
    """Return days of people who stay at home on holidays."""
    rng, week = np.random.default_rng(seed), np.resize([9, 10, 10, 10, 10, 5, 4], len(DAYS))
    return pd.Series(week + rng.normal(0, 0.5, len(DAYS)) - 4 * told()["holiday"], DAYS, name="y")


@pytest.fixture(scope="module")
def model() -> PretrainedForecaster:
    return PretrainedForecaster(horizon=7, holidays="US").fit(rides()[:HISTORY])


def test_it_is_what_columns_of_x_say(model: PretrainedForecaster) -> None:
    y, X = rides(), told()
    by_hand = PretrainedForecaster(horizon=7).fit(y[:HISTORY], X[:HISTORY])
    found, expected = model.predict(20), by_hand.predict(20, X[HISTORY:])
    pd.testing.assert_series_equal(found, expected, rtol=1e-6)
    assert model.effect_ is not None
    assert model.effect_.coef[0] * model.effect_.scale[0] == pytest.approx(-4, abs=0.4)
    assert found[told()["holiday"][HISTORY:] == 1].max() < found.median() - 2


def test_new_values_are_absorbed_without_their_holidays(model: PretrainedForecaster) -> None:
    y, X = rides(), told()
    by_hand = PretrainedForecaster(horizon=7).fit(y[:HISTORY], X[:HISTORY])
    other = clone(model).fit(y[:HISTORY])
    for day in range(HISTORY, HISTORY + 12):
        new = slice(day, day + 1)
        other.update(y[new])
        by_hand.update(y[new], X[new])
    expected = by_hand.predict(5, X[HISTORY + 12 : HISTORY + 17])
    pd.testing.assert_series_equal(other.predict(5), expected, rtol=1e-6)


def test_series_of_several_lengths_and_covariates_beside_them() -> None:
    X = told().assign(price=np.random.default_rng(1).normal(size=len(DAYS)))
    table = X.rename_axis("ds").reset_index()
    parts = [
        table.assign(unique_id=seed, y=rides(seed).to_numpy() + table["price"])[start:end]
        for seed, start, end in ((0, 150, 690), (1, 0, 700))
    ]
    y, X = pd.concat(parts)[["unique_id", "ds", "y"]], pd.concat(parts).drop(columns="y")
    ahead = pd.concat([table[690:699].assign(unique_id=0), table[700:709].assign(unique_id=1)])
    keys = ["unique_id", "ds", "price"]
    by_hand = PretrainedForecaster(horizon=7).fit(y, X).predict(9, ahead)
    found = PretrainedForecaster(horizon=7, holidays=["US"]).fit(y, X[keys]).predict(9, ahead[keys])
    pd.testing.assert_frame_equal(found, by_hand, rtol=1e-5)


def test_files_explanations_and_plans_know_them(model: PretrainedForecaster, tmp_path: Any) -> None:
    model.save(tmp_path / "rides")
    twin = load(tmp_path / "rides")
    assert twin.holidays == "US"
    pd.testing.assert_series_equal(twin.predict(20), model.predict(20), rtol=1e-3)
    calendar = explain(model, 20).parts["calendar"].to_numpy()
    off = told()["holiday"][HISTORY:].to_numpy() == 1
    assert calendar[off].max() < -3 and np.abs(calendar[~off]).max() < 1
    X = pd.DataFrame({"price": np.sin(np.arange(720.0))}, DAYS)
    priced = clone(model).fit((rides() + X["price"])[:HISTORY], X[:HISTORY])
    plans = what_if(priced, {"as ever": X[HISTORY:], "dear": X[HISTORY:] + 1}, 20)
    assert np.mean(plans.differences["dear"]) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(
    ("index", "holidays", "message"),
    [
        (DAYS, "Utopia", "`holidays` must be a country of the `holidays` library, got 'Utopia'"),
        (DAYS, 49, "`holidays` must be a country such as 'DE'"),
        (pd.RangeIndex(720), "US", "`holidays` needs dates as times, got whole numbers"),
        (pd.date_range("1300", periods=720, freq="YS", unit="s"), "US", "at most a quarter"),
    ],
)
def test_what_are_no_holidays_is_told(index: pd.Index, holidays: Any, message: str) -> None:
    y = pd.Series(rides().to_numpy(), index)
    with pytest.raises((TypeError, ValueError), match=message):
        PretrainedForecaster(holidays=holidays).fit(y)
