"""What never passes zero is forecast so, and counts are forecast as counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from forecast import LSTMForecaster, MLPForecaster, load
from forecast.engine.support import Support
from tests.checks import numbers_of, same_frames

pytestmark = [
    pytest.mark.filterwarnings("ignore::forecast.ForecastWarning"),
    pytest.mark.usefixtures("few_steps"),
]
SMALL: dict[str, Any] = {
    "hidden_size": 8, "max_epochs": 1, "n_estimators": 2, "random_state": 0, "season_length": 1,
    "horizon": 6,
}  # fmt: skip
LEVELS = (0.01, 0.1, 0.33, 0.5, 0.9, 0.99)
both = pytest.mark.parametrize("kind", [MLPForecaster, LSTMForecaster])


def counts() -> pd.Series:
    """Return demand of now and then, from no unit to six."""
    return pd.Series(np.random.default_rng(0).poisson(1.2, 200), dtype=float)


def answers(model: Any, horizon: int = 20) -> list[np.ndarray]:
    """Return points, quantiles and paths, beyond the first block."""
    return [
        numbers_of(model.predict(horizon)),
        numbers_of(model.predict_quantiles(horizon, levels=LEVELS)),
        numbers_of(model.sample(horizon, n_samples=301, random_state=0)),
    ]


@both
@pytest.mark.parametrize("head", ["quantile", "normal", "mae"])
def test_counts_are_forecast_as_whole_numbers(kind: Any, head: str) -> None:
    model = kind(head=head, **SMALL).fit(counts())
    assert model.support_ == Support(bounded=True, counts=True)
    for found in answers(model):
        assert (found >= 0).all() and (found == found.round()).all()
    assert (np.diff(model.predict_quantiles(20, levels=LEVELS), axis=1) >= 0).all()
    paths = numbers_of(model.sample(20, n_samples=301, random_state=0))
    assert len(set(paths.tolist())) > 2


@both
def test_a_mean_of_counts_has_decimals(kind: Any) -> None:
    mean = kind(point="mean", **SMALL).fit(counts()).predict(20)
    assert (mean >= 0).all() and (mean != mean.round()).all()


@both
def test_amounts_are_bounded_but_not_rounded(kind: Any) -> None:
    model = kind(**SMALL).fit(1.5 * counts())
    assert model.support_ == Support(bounded=True, counts=False)
    for found in answers(model)[1:]:
        assert found.min() == 0  # the bound is reached
        assert (found != found.round()).mean() > 0.2


@both
def test_one_series_below_zero_unbinds_the_panel(kind: Any) -> None:
    frame = pd.DataFrame({"counts": counts(), "balance": counts() - 3})
    model = kind(**SMALL).fit(frame)
    assert model.support_ == Support()
    assert min(found.min() for found in answers(model)) < 0


def test_a_falling_line_stops_at_zero_unless_told_otherwise() -> None:
    line = pd.Series(np.arange(120.0, 0, -1))
    model = LSTMForecaster(**SMALL).fit(line)
    assert min(found.min() for found in answers(model)) == 0
    free = LSTMForecaster(target_transform=FunctionTransformer(), **SMALL).fit(line)
    assert min(found.min() for found in answers(free)) < 0


def test_a_transformation_has_bounds_of_its_own() -> None:
    # what it makes of counts is below zero, or no whole number; the inverse knows the bounds
    for shift in (0.0, 100.0):
        model = LSTMForecaster(target_transform=StandardScaler(), **SMALL).fit(counts() + shift)
        assert model.support_ == Support()
        points = model.predict(20)
        assert (points != points.round()).any()


def test_what_is_known_of_the_values_is_saved_and_kept(tmp_path: Path) -> None:
    model = LSTMForecaster(**SMALL).fit(counts())
    model.save(tmp_path / "counts.model")
    again = load(tmp_path / "counts.model")
    assert again.support_ == again.model_.support == model.support_
    same_frames(again.predict_quantiles(20), model.predict_quantiles(20))
    grown = again.update(pd.Series([0.0, 2.0], index=[200, 201]))
    other = model.apply(pd.Series(np.ones(50)))
    for found in (*answers(grown), *answers(other)):
        assert (found >= 0).all() and (found == found.round()).all()
