"""One's own forecasters, averaged: weights, members, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import (
    CombinedForecaster,
    ConformalForecaster,
    ETSForecaster,
    ForecastWarning,
    MarkovForecaster,
    NaiveForecaster,
    ThetaForecaster,
)
from forecast.forecasters.loading import load
from tests.forecasters.forgery import forged, taken_apart

LEVELS = [0.1, 0.5, 0.9]
PAIR = [NaiveForecaster("drift"), ThetaForecaster()]


def test_the_forecast_is_the_weighted_mean_of_the_members_quantiles(wide: pd.DataFrame) -> None:
    model = CombinedForecaster(PAIR, weights=[1, 3], horizon=6).fit(wide)
    drift, theta = (one.set_params(horizon=6).fit(wide) for one in map(forecast_of, PAIR))
    expected = 0.25 * drift.predict() + 0.75 * theta.predict()
    pd.testing.assert_frame_equal(model.predict(), expected)
    parts = [one.predict_quantiles(levels=LEVELS) for one in (drift, theta)]
    pd.testing.assert_frame_equal(
        model.predict_quantiles(levels=LEVELS), 0.25 * parts[0] + 0.75 * parts[1]
    )
    assert model.weights_.to_dict("index") == {
        "A": {"Naive": 0.25, "Theta": 0.75},
        "B": {"Naive": 0.25, "Theta": 0.75},
    }


def forecast_of(model: Any) -> Any:
    return type(model)(**model.get_params())


def test_it_cancels_errors_that_the_members_do_not_share() -> None:
    rng = np.random.default_rng(0)
    won = 0
    for _ in range(20):
        y = pd.Series(rng.normal(size=40).cumsum() + 0.1 * np.arange(40))
        past, future = y[:32], y[32:]
        errors = [
            np.abs(one.fit(past).predict(8) - future).mean()
            for one in (CombinedForecaster(PAIR), *map(forecast_of, PAIR))
        ]
        won += errors[0] <= np.mean(errors[1:]) + 1e-9
    assert won == 20  # never worse than its members are on average


def test_members_take_horizon_and_season_from_it(monthly: pd.Series) -> None:
    own = [ThetaForecaster(season_length=6), NaiveForecaster("seasonal")]
    model = CombinedForecaster(own, horizon=7, season_length=4).fit(monthly)
    assert [one.season_length_ for one in model.members_.values()] == [6, 4]
    assert {one.horizon_ for one in model.members_.values()} == {7}
    assert not hasattr(own[0], "members_") and own[1].season_length is None


def test_paths_keep_how_steps_belong_together() -> None:
    """In a random walk the correlation of the steps 1 and 4 is 1/2; independent draws have none."""
    walk = pd.Series(np.random.default_rng(0).normal(size=200).cumsum())
    model = CombinedForecaster([NaiveForecaster("last"), ThetaForecaster()], horizon=4).fit(walk)
    paths = model.sample(n_samples=4000, random_state=0).to_numpy()
    assert np.corrcoef(paths)[0, 3] == pytest.approx(0.5, abs=0.1)


def test_apply_refits_those_that_learn_each_series_alone(wide: pd.DataFrame) -> None:
    model = CombinedForecaster([MarkovForecaster(), ThetaForecaster()], horizon=6).fit(wide)
    other = model.apply(2 * wide["A"].rename("C"))
    theta = ThetaForecaster(horizon=6).fit(2 * wide["A"].rename("C"))
    pd.testing.assert_series_equal(other.members_["Theta"].predict(), theta.predict())
    assert list(other.weights_.index) == ["C"]


def test_it_is_saved_with_all_its_members(wide: pd.DataFrame, tmp_path: Path) -> None:
    members = [NaiveForecaster("drift"), ThetaForecaster(), ETSForecaster(), MarkovForecaster()]
    model = CombinedForecaster(members, weights=(1, 2, 3, 4), horizon=6, combine="median")
    model.fit(wide[:90]).save(tmp_path / "a.model")
    twin = load(tmp_path / "a.model")
    assert repr(twin) == repr(model)
    for one in (model, twin):
        one.update(wide[90:])
    pd.testing.assert_frame_equal(twin.predict(), model.predict())
    left, right = (one.sample(random_state=0) for one in (twin, model))
    pd.testing.assert_frame_equal(left, right)


def test_a_class_of_ones_own_is_left_to_joblib(wide: pd.DataFrame, tmp_path: Path) -> None:
    class Own(NaiveForecaster):
        """Not of the package."""

    model = CombinedForecaster([Own()]).fit(wide)
    with pytest.raises(ValueError, match="parameter `forecasters` must be .*joblib.dump"):
        model.save(tmp_path / "a.model")


@pytest.mark.parametrize("forge", ["shares", "class", "members"])
def test_a_forged_file_is_refused(wide: pd.DataFrame, tmp_path: Path, forge: str) -> None:
    CombinedForecaster(PAIR).fit(wide).save(tmp_path / "a.model")
    about, arrays = taken_apart(tmp_path / "a.model")
    told = about["learned"]["dict"]["members"]["dict"]
    if forge == "shares":
        arrays["learned/shares"] = arrays["learned/shares"] + 1
    elif forge == "class":
        told["Theta"]["dict"]["class"] = "os.system"
    else:
        del told["Theta"]
    forged(tmp_path / "a.model", about, arrays)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path / "a.model")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"forecasters": [ThetaForecaster]}, TypeError, "`forecasters` must be a list of"),
        ({"forecasters": []}, ValueError, "at least one"),
        ({"forecasters": PAIR, "weights": [1]}, ValueError, "`weights` must be 2 numbers"),
        ({"forecasters": PAIR, "weights": [1, -1]}, ValueError, "not negative"),
        ({"forecasters": PAIR, "weights": [0, 0]}, ValueError, "not all be zero"),
        ({"combine": "mode"}, ValueError, "`combine` must be one of"),
    ],
)
def test_what_cannot_be_combined_is_named(
    monthly: pd.Series, options: dict[str, Any], error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        CombinedForecaster(**options).fit(monthly)


def test_members_that_read_no_covariates_are_named(monthly: pd.Series) -> None:
    X = pd.DataFrame({"x": np.random.default_rng(0).normal(size=len(monthly))}, monthly.index)
    y, blind, seeing = monthly, ThetaForecaster(), MarkovForecaster()
    with pytest.warns(ForecastWarning, match="read by Theta: .* to 25% only") as told:
        model = CombinedForecaster([blind, seeing], weights=[3, 1]).fit(y, X)
    assert told[0].filename == __file__
    CombinedForecaster([blind, seeing], weights=[0, 1]).fit(y, X)  # whose share is none
    assert model.reads_covariates
    assert not CombinedForecaster([blind]).fit(y, X).reads_covariates
    for model in (CombinedForecaster([seeing]), ConformalForecaster(seeing, horizon=2)):
        assert model.fit(y, X).reads_covariates


def test_it_is_found_by_name_and_not_invited_to_every_contest() -> None:
    from forecast.forecasters.registry import SPELLINGS, default_models

    assert isinstance(SPELLINGS["combined"].build(), forecast.CombinedForecaster)
    assert "combined" not in default_models(12)
