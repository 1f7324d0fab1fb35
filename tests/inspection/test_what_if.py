"""Plans are compared with the same noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import (
    ARIMAForecaster,
    ConformalForecaster,
    MarkovForecaster,
    MLPForecaster,
    NaiveForecaster,
    PretrainedForecaster,
    what_if,
)

pytestmark = pytest.mark.filterwarnings("default::forecast._checks.ForecastWarning")

DAYS = pd.date_range("2024-01-01", periods=160, freq="D")
RNG = np.random.default_rng(0)
X = pd.DataFrame({"price": RNG.uniform(1, 2, 160)}, DAYS)
NOISE = RNG.normal(0, 1, (160, 2))
Y = pd.DataFrame(20 - 3 * X[["price"]].to_numpy() + NOISE, DAYS, ["a", "b"])
PAST, PLAN = Y[:150], X[150:].assign(price=1.5)
CUT = PLAN.assign(price=1.0)

MODELS: dict[str, Any] = {
    "Markov": MarkovForecaster(order=2),
    "ARIMA": ARIMAForecaster(order=(1, 0, 0), seasonal_order=(0, 0, 0)),
    "conformal": ConformalForecaster(MarkovForecaster(order=2)),
    "pre-trained": PretrainedForecaster(),
    "MLP": MLPForecaster(max_epochs=1, n_estimators=1, random_state=0),
}


@pytest.mark.parametrize("name", MODELS)
def test_noise_is_the_same_under_every_plan(name):
    model = MODELS[name].set_params(horizon=4).fit(PAST, X)
    plans = {"base": PLAN, "same": PLAN, "cut": CUT}
    found = what_if(model, plans, 4, n_samples=200, random_state=None)
    assert (found.differences["same"] == 0).all(axis=None)
    width = found.differences["cut"]["upper"] - found.differences["cut"]["lower"]
    apart = found.bands["cut"]["upper"] - found.bands["cut"]["lower"]
    assert width.max() < 0.5 * apart.min()
    medians = model.predict(4, CUT)
    np.testing.assert_allclose(found.forecasts["cut"].loc["b"], medians["b"], rtol=1e-6)


def test_streams_that_paths_spawn_are_the_same_under_every_plan(monkeypatch):
    draw = MarkovForecaster._sample
    monkeypatch.setattr(
        MarkovForecaster, "_sample", lambda *given: draw(*given[:-1], given[-1].spawn(1)[0])
    )
    plans = {"base": PLAN, "same": PLAN}
    found = what_if(MODELS["Markov"].fit(PAST, X), plans, 3, n_samples=50)
    assert (found.differences["same"] == 0).all(axis=None)


def test_a_cut_of_the_price_adds_its_effect():
    found = what_if(MODELS["Markov"].fit(PAST, X), {"base": PLAN, "cut": CUT}, 3)
    assert found.differences["cut"]["difference"].iloc[0] == pytest.approx(1.5, abs=0.4)
    assert found.differences.columns.get_level_values(0).unique().tolist() == ["cut"]


def test_one_plan_or_a_model_without_covariates_is_refused():
    model = MODELS["Markov"].fit(PAST, X)
    with pytest.raises(ValueError, match="`scenarios` must be at least two frames"):
        what_if(model, {"base": PLAN})
    with pytest.raises(ValueError, match="`forecaster` must read X, got NaiveForecaster"):
        what_if(NaiveForecaster().fit(PAST, X), {"base": PLAN, "cut": CUT})


def test_the_picture_shows_every_plan_and_every_difference():
    found = what_if(MODELS["Markov"].fit(PAST, X), {"base": PLAN, "cut": CUT}, 3)
    above, below = found.plot("b")
    assert [text.get_text() for text in above.get_legend().get_texts()] == ["base", "cut"]
    assert len(below.collections) == 1
    with pytest.raises(ValueError, match="`series` must be one of"):
        found.plot("moon")
