"""Of the pre-trained network too, looks inside show what it read: gates, states, memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import PretrainedForecaster
from forecast.inspection.diagnostics import (
    forecast_gradients,
    gates,
    hidden_states,
    state_gradients,
)
from forecast.inspection.memory import effective_memory
from forecast.networks.recurrent import Recurrent


def monthly(length=60, seed=0):
    t = np.arange(length)
    noise = np.random.default_rng(seed).standard_normal(length)
    index = pd.date_range("2018-01-01", periods=length, freq="MS")
    return pd.Series(100 + 10 * np.sin(2 * np.pi * t / 12) + noise, index, name="sales")


@pytest.fixture(scope="module")
def model():
    late = monthly(seed=1).where(np.arange(60) >= 9)  # begins later
    return PretrainedForecaster(horizon=6).fit(pd.DataFrame({"A": monthly(), "B": late}))


def test_gates_and_states_are_those_that_made_the_features(model):
    width = model.network_.shape["width"]
    top = model.network_.shape["depth"] - 1
    for place, (series, length) in enumerate({"A": 60, "B": 51}.items()):
        found, hidden = gates(model, top, series), hidden_states(model, series)
        assert len(found) == length and found.index[-1] == monthly().index[-1]
        assert found["forget"].shape == (length, width)
        assert ((found["input"] > 0) & (found["input"] < 1)).all(axis=None)
        np.testing.assert_allclose(found["hidden"], hidden[top])
        h = model.live_.state[0][place, 0].numpy()  # what fit left
        last = hidden.iloc[-1].to_numpy().reshape(h.shape)
        np.testing.assert_allclose(last, h, rtol=1e-3, atol=1e-4)


def test_the_view_that_is_believed_most_is_shown():
    index = pd.date_range("2024-01-01", periods=400, freq="h")
    y = pd.Series(np.random.default_rng(0).normal(size=400), index)
    model = PretrainedForecaster(horizon=6).fit(y)
    for place, view in enumerate(model.views_):
        model.weights_ = np.eye(len(model.views_))[[place]]
        h = model.live_.state[0][0, place].numpy()
        shown = hidden_states(model).iloc[-1].to_numpy().reshape(h.shape)
        np.testing.assert_allclose(shown, h, rtol=1e-3, atol=1e-4, err_msg=str(view))


def test_its_forecast_gradients_are_the_slopes_of_its_forecast():
    y = monthly(120)
    model = PretrainedForecaster(horizon=12).fit(y)
    model.widths_[:] = 1
    found = forecast_gradients(model, (1, 12), lags=60)
    for lag in (1, 2, 12, 13, 40):
        up, down = y.copy(), y.copy()
        up.iloc[-lag] += 0.01
        down.iloc[-lag] -= 0.01
        ends = [PretrainedForecaster(horizon=12).fit(part) for part in (up, down)]
        for end in ends:
            end.weights_ = model.weights_  # they are held
        slope = (ends[0].predict() - ends[1].predict()).to_numpy() / 0.02
        expected = slope[[0, 11]]
        assert found.loc[lag].to_numpy() == pytest.approx(expected, abs=0.01)
    with pytest.raises(ValueError, match="lags=400, the series has 120"):
        forecast_gradients(model, lags=400)


def test_moved_histories_are_absorbed_as_far_as_the_forecast_is(monkeypatch):
    model = PretrainedForecaster(horizon=6).fit(monthly(620))
    absorbed: list[int] = []
    absorb = Recurrent.absorb

    def counting(self, inputs, *rest):
        absorbed.append(inputs.shape[1])
        return absorb(self, inputs, *rest)

    monkeypatch.setattr(Recurrent, "absorb", counting)
    forecast_gradients(model, lags=1)
    assert set(absorbed) == {model._absorbed().item()} == {420}


def test_what_a_panel_has_of_late_does_not_move_with_a_value_of_one_series():
    rng = np.random.default_rng(0)
    y = pd.DataFrame(rng.poisson(0.3, (48, 24)).astype(float)).add_prefix("s")
    model = PretrainedForecaster(horizon=6).fit(y)
    share = float(model.shares_[0])
    assert 0.1 < share < 0.9
    found = forecast_gradients(model, lags=3)
    model.shares_ = 0 * model.shares_
    alone = forecast_gradients(model, lags=3)
    np.testing.assert_allclose(found, (1 - share) * alone, rtol=1e-6)


def test_the_last_state_depends_on_itself_alone_at_lag_zero(model):
    found = state_gradients(PretrainedForecaster(horizon=6).fit(monthly(8)))
    assert found["norm"].iloc[0] == 1 and len(found) == 9
    assert found["bound"].isna().all() and (found["norm"].iloc[1:] > 0).all()


def test_its_memory_is_measured_like_any_other():
    y = monthly(90)
    model = PretrainedForecaster(horizon=6).fit(y[:60])
    found = effective_memory({"pre-trained": model}, y[60:])
    assert 1 <= found.table.loc["pre-trained", "memory"] <= 29
    assert found.responses.loc[1, "pre-trained"] > 0
