"""Plans far outside of what was seen are told; what grows on is not."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import (
    ConformalForecaster,
    ETSForecaster,
    MarkovForecaster,
    MLPForecaster,
    PretrainedForecaster,
    load,
)
from forecast._checks import ForecastWarning
from forecast.forecasters.reach import FAR, Reach
from forecast.inspection.explaining import explain

DAYS = pd.date_range("2024-01-01", periods=80, freq="D")
PAST, LATER = slice(0, 60), slice(60, 65)
MESSAGE = re.escape(
    "covariate 'price' is far outside of what was seen, 2 to 2.5: got 250 at 2024-03-03 00:00:00; "
    "5 of 10 numbers of `X` are. Nothing tells what happens there. Check its unit, or fit with"
)


def plan(**columns: Any) -> pd.DataFrame:
    steps = np.arange(80)
    return pd.DataFrame({"price": 2 + steps % 3 / 4, "day": steps}, DAYS).assign(**columns)


def sales() -> pd.Series:
    return pd.Series(np.random.default_rng(0).normal(9, 1, 80), DAYS)[PAST]


def cents() -> pd.DataFrame:
    return plan(price=lambda frame: 100 * frame["price"])


@pytest.mark.parametrize(
    "model",
    [
        MarkovForecaster(order=2),
        PretrainedForecaster(),
        MLPForecaster(max_epochs=1, random_state=0),
        ConformalForecaster(MarkovForecaster(order=2)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_another_unit_is_told_once(model: Any) -> None:
    model.fit(sales(), plan()[PAST])
    for ask in (model.predict, model.predict_interval, model.sample):
        with pytest.warns(ForecastWarning, match=MESSAGE) as told:
            ask(5, cents()[LATER])
        assert [each.filename for each in told] == [__file__]
        ask(5, plan()[LATER])  # warnings are errors


@pytest.mark.parametrize(("price", "far"), [(4.9, False), (5.1, True), (-0.4, False), (-0.6, True)])
def test_more_than_five_ranges_on_either_side_are_far(price: float, far: bool) -> None:
    reach = Reach.of(plan()[PAST].to_numpy())
    assert reach is not None
    assert (reach.beyond(np.array([price, 7.0])) > FAR).tolist() == [far, False]


def test_backtests_tell_it_too() -> None:
    model = MarkovForecaster(order=2).fit(sales(), plan()[PAST])
    y = pd.Series(9.0, DAYS).where(DAYS > DAYS[59], sales())
    mixed = pd.concat([plan()[PAST], cents()[60:]])
    with pytest.warns(ForecastWarning, match=MESSAGE) as told:
        model.predict_at(y, mixed, origins=np.array([[60], [70]]), horizon=5)
    assert [each.filename for each in told] == [__file__]  # from 70 on, cents were seen


def test_explanations_and_files_tell_it_too(tmp_path: Any) -> None:
    model = MarkovForecaster(order=2).fit(sales(), plan()[PAST])
    model.save(tmp_path / "shop")
    with pytest.warns(ForecastWarning, match=MESSAGE):
        load(tmp_path / "shop").predict(5, cents()[LATER])
    with pytest.warns(ForecastWarning, match=MESSAGE):
        explain(model, 5, cents()[LATER])


def test_files_know_what_was_seen_of_other_series_and_old_ones_take_the_history(
    tmp_path: Any,
) -> None:
    model = MarkovForecaster(order=2).fit(sales(), plan()[PAST])
    model.apply(sales(), plan(price=2.0)[PAST]).save(tmp_path / "flat")
    twin = load(tmp_path / "flat")
    np.testing.assert_array_equal(twin.reach_, [[2, 0], [2.5, 59]])
    with pytest.warns(ForecastWarning, match="2 to 2.5: got 250"):
        twin.predict(5, cents()[LATER])
    np.testing.assert_array_equal(Reach.restore(None, plan().to_numpy()), [[2, 0], [2.5, 79]])


def test_who_reads_no_covariates_says_nothing() -> None:
    model = ETSForecaster().fit(sales(), plan()[PAST])
    model.predict(5, cents()[LATER])
    model.update(pd.Series(9.0, DAYS[LATER]), cents()[LATER])


def test_what_grows_on_and_a_first_event_are_ordinary() -> None:
    X = plan(event=np.r_[np.zeros(62), np.ones(18)], year=2024.0 + np.arange(80) // 61)
    X["rate"] = np.where(X["event"] == 1, 0.4, np.resize([0.3, 0.1 + 0.2], 80))  # but for rounding
    MarkovForecaster(order=2).fit(sales(), X[PAST]).predict(20, X[60:])


def test_what_came_meanwhile_is_seen() -> None:
    X = cents()
    X["price"] = np.where(np.arange(80) < 60, X["price"] / 100, X["price"])
    model = MarkovForecaster(order=2).fit(sales(), X[PAST])
    with pytest.warns(ForecastWarning, match="covariate 'price' is far outside"):
        model.update(pd.Series(9.0, DAYS[LATER]), X[LATER])
    np.testing.assert_array_equal(model.reach_, [[2, 0], [250, 64]])
    assert model.reach_ is not None
    assert model.reach_.after(model.panel_, np.array([0])) is model.reach_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(5, X[65:70])
