from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from forecast import NaiveForecaster, stream, watch
from forecast.evaluation.backtest import backtest

DAYS = pd.date_range("2024-01-01", periods=60, freq="D")
RNG = np.random.default_rng(0)
WIDE = pd.DataFrame(RNG.normal(size=(60, 2)).cumsum(0), DAYS, ["a", "b"])


def long(wide: pd.DataFrame) -> pd.DataFrame:
    return wide.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")


KINDS: dict[str, Any] = {
    "series": lambda wide: wide["a"],
    "wide": lambda wide: wide,
    "list": lambda wide: [wide["a"], wide["b"]],
    "long": long,
    "multi": lambda wide: long(wide).set_index(["unique_id", "ds"])["y"],
}


def parts(kind: str, *stops: int) -> Any:
    return (KINDS[kind](WIDE[a:b]) for a, b in zip((40, *stops), stops, strict=False))


@pytest.mark.parametrize("kind", KINDS)
def test_the_scores_are_those_of_a_backtest(kind: str) -> None:
    model = NaiveForecaster(strategy="drift")
    table = backtest(model, KINDS[kind](WIDE), 1, n_windows=20)
    errors = (table["y"] - table["y_hat"]).abs().groupby(table["cutoff"], sort=True).mean()
    steps = list(stream(model.fit(KINDS[kind](WIDE[:40])), parts(kind, *range(41, 61)), window=5))
    np.testing.assert_allclose([step.error for step in steps], errors)
    np.testing.assert_allclose([step.mae for step in steps], errors.expanding().mean())
    np.testing.assert_allclose(steps[-1].recent_mae, errors[-5:].mean())
    assert [step.time for step in steps] == list(DAYS[40:])


def test_the_naive_forecast_has_no_skill_against_itself() -> None:
    for step in stream(NaiveForecaster().fit(WIDE[:40]), parts("wide", 41, 43, 44)):
        assert step.recent_skill == 0


def test_skill_falls_where_the_world_changes() -> None:
    rising = pd.Series(np.r_[np.arange(50.0), np.arange(49.0, -1, -1)])
    model = NaiveForecaster(strategy="drift").fit(rising[:30])
    steps = list(stream(model, (rising[k : k + 1] for k in range(30, 100)), window=10))
    assert steps[15].recent_skill == pytest.approx(1)
    assert steps[35].recent_skill < 0


def test_what_is_missing_is_not_scored() -> None:
    y = WIDE["a"].copy()
    y.iloc[41] = np.nan
    steps = list(stream(NaiveForecaster().fit(y[:40]), (y[k : k + 1] for k in range(40, 43))))
    assert np.isnan(steps[1].error)
    assert steps[1].mae == steps[0].mae
    assert steps[2].error == pytest.approx(abs(y.iloc[42] - y.iloc[40]))


def test_series_may_get_different_numbers_of_values() -> None:
    model = NaiveForecaster().fit([WIDE["a"][:40], WIDE["b"][:42]])
    (step,) = stream(model, [[WIDE["a"][40:43], WIDE["b"][42:43]]])
    a, b = WIDE["a"].to_numpy(), WIDE["b"].to_numpy()
    expected = [*(np.abs(a[40:43] - a[39])), abs(b[42] - b[41])]
    assert step.error == pytest.approx(np.mean(expected))


def test_between_two_items_the_model_may_be_asked() -> None:
    model = NaiveForecaster().fit(WIDE[:40])
    for step in stream(model, parts("wide", 41, 42)):
        assert model.predict(3).index[0] == step.time + pd.Timedelta(days=1)


def test_covariates_come_in_step() -> None:
    X = pd.DataFrame({"x": np.arange(60.0)}, DAYS)
    model = NaiveForecaster().fit(WIDE[:40], X[:40])
    whole = list(stream(deepcopy(model), parts("wide", 41, 42), X))  # matched by time
    steps = list(stream(model, parts("wide", 41, 42), (X[k : k + 1] for k in (40, 41))))
    assert [one.error for one in whole] == [one.error for one in steps]
    assert len(steps) == 2
    assert model.panel_.X[-1] == 41
    with pytest.raises(ValueError, match="shorter"):
        list(stream(model, [WIDE[42:43], WIDE[43:44]], [X[42:43]]))


def test_the_window_is_a_positive_number() -> None:
    with pytest.raises(ValueError, match="`window` must be"):
        next(stream(NaiveForecaster().fit(WIDE), [], window=0))


@pytest.mark.parametrize("verb", [stream, watch])
def test_a_source_is_no_single_table_and_the_model_is_fitted(verb: Any) -> None:
    with pytest.raises(TypeError, match=r"`source` must hold tables .* Cut it into steps"):
        next(verb(NaiveForecaster().fit(WIDE[:40]), WIDE[40:]))
    with pytest.raises(NotFittedError):
        next(verb(NaiveForecaster(), [WIDE[40:]]))
