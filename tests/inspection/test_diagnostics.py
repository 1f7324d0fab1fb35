from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from forecast import (
    ForecastWarning,
    LSTMForecaster,
    MarkovForecaster,
    MLPForecaster,
    RNNForecaster,
    Seq2SeqForecaster,
)
from forecast.engine import training
from forecast.evaluation.plots import plot_weights
from forecast.inspection.diagnostics import (
    attention,
    forecast_gradients,
    gates,
    hidden_states,
    principal_components,
    probe,
    state_gradients,
)

# networks of one epoch may do worse than a naive forecast, and say so
pytestmark = pytest.mark.filterwarnings("ignore:On the validation part")

QUICK = {
    "max_epochs": 1,
    "hidden_size": 4,
    "horizon": 24,
    "batch_size": 8,
    "n_estimators": 1,
    "random_state": 0,
}


def hourly(length=401, seed=0):
    t = np.arange(length)
    noise = np.random.default_rng(seed).standard_normal(length)
    index = pd.date_range("2024-01-01", periods=length, freq="h")
    return pd.Series(10 + 3 * np.sin(2 * np.pi * t / 24) + noise, index, name="load")


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    """Train for five steps an epoch: nothing here asks whether a forecast is good."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STEPS_PER_EPOCH", 5)
        yield


@pytest.fixture(scope="module")
def attentive():
    return Seq2SeqForecaster(attention=True, **QUICK).fit(hourly())


@pytest.fixture(scope="module")
def lstm():
    return LSTMForecaster(num_layers=2, residual=False, **QUICK).fit(hourly())


@pytest.fixture(scope="module")
def panel():
    frame = pd.DataFrame({"A": hourly(), "B": 100 * hourly(seed=1)})
    return RNNForecaster(season_length=12, **(QUICK | {"horizon": 6})).fit(frame)


@pytest.mark.mission("M15")
def test_state_gradients_of_a_fitted_network_keep_the_bound(panel):
    assert panel.recipe_.patch == 1
    found = state_gradients(panel)
    assert found.index.tolist() == list(range(402))
    assert (found["norm"] <= found["bound"] * (1 + 1e-9)).all()
    W = panel.model_.network.members[0].layers[0].weight_hh_l0.detach().double()
    gamma = torch.linalg.matrix_norm(W, 2).item()
    np.testing.assert_allclose(found["bound"][:50], gamma ** np.arange(50.0), rtol=1e-6)
    other = state_gradients(panel, "B")
    assert (other["norm"][1:20] != found["norm"][1:20]).all()


def test_lags_of_states_are_in_steps_of_the_series(lstm):
    found, patch = state_gradients(lstm), lstm.recipe_.patch
    assert patch == 24
    assert found.index.tolist() == list(range(0, 24 * 18, 24))  # 401 values are 17 patches
    assert found["norm"].iloc[0] == 1 and found["bound"].isna().all()


KINDS = [LSTMForecaster, RNNForecaster, MLPForecaster, partial(Seq2SeqForecaster, attention=True)]


@pytest.mark.parametrize(
    "kind",
    [KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])],
    ids=["LSTM", "RNN", "MLP", "Seq2Seq"],
)
def test_forecast_gradients_are_the_slopes_of_predict(kind):
    y = hourly()
    model = kind(**(QUICK | {"calendar": False})).fit(y)
    found = forecast_gradients(model, (1, 24))
    assert found.columns.tolist() == [1, 24] and found.index[0] == 1
    largest = found.abs().max(axis=None)
    for lag in (1, 3, 24, 25, 48):
        up, down = y.copy(), y.copy()
        up.iloc[-lag] += 0.05
        down.iloc[-lag] -= 0.05
        slope = (model.apply(up).predict(24) - model.apply(down).predict(24)).to_numpy() / 0.1
        for step in (1, 24):
            assert found.loc[lag, step] == pytest.approx(slope[step - 1], abs=0.01 * largest)


def test_of_an_encoder_and_a_decoder_the_encoder_is_looked_into(attentive):
    assert state_gradients(attentive)["norm"].iloc[0] == 1
    found = gates(attentive)
    assert found.columns.unique("part").size == 6


@pytest.mark.mission("M02")
def test_gradients_end_with_the_window():
    model = MLPForecaster(context_length=30, **QUICK).fit(hourly())
    found = forecast_gradients(model, (1, 5, 24), lags=100)
    # beyond the window the scale's own arithmetic cancels to rounding
    assert (found.loc[31:].abs() == 0).all(axis=None)
    assert (found.loc[[30]].abs() > 1e-4).all(axis=None)


def test_gradients_where_there_are_none():
    y = hourly()
    boxed = MLPForecaster(target_transform=StandardScaler(), **QUICK).fit(y)
    with pytest.raises(ValueError, match="`target_transform` must be None"):
        forecast_gradients(boxed)
    gappy = y.copy()
    gappy.iloc[-5] = np.nan
    model = MLPForecaster(**QUICK).fit(gappy)
    with pytest.raises(ValueError, match=r"no derivative .* last 50 values of 'load': there is a"):
        forecast_gradients(model, lags=50)
    with pytest.raises(ValueError, match="leave [0-9]+ values .* lags=400, the series has"):
        forecast_gradients(model, lags=400)


@pytest.mark.mission("M24")
def test_gates_of_a_fitted_lstm_are_open_intervals(lstm):
    y = hourly()
    for layer in (0, 1):
        found = gates(lstm, layer)
        parts = ["forget", "input", "candidate", "output", "cell", "hidden"]
        assert found.columns.unique("part").tolist() == parts
        assert found.index[-1] == y.index[-1] and len(found) == 17
        assert (found.index[1:] - found.index[:-1]).unique().tolist() == [pd.Timedelta("24h")]
        for gate in ("forget", "input", "output"):
            assert ((found[gate] > 0) & (found[gate] < 1)).all(axis=None)
        # C_t = f_t C_{t-1} + i_t C~_t, and h_t = o_t tanh(C_t)
        kept = found["forget"] * found["cell"].shift(fill_value=0.0)
        np.testing.assert_allclose(found["cell"], kept + found["input"] * found["candidate"])
        np.testing.assert_allclose(found["hidden"], found["output"] * np.tanh(found["cell"]))
        np.testing.assert_allclose(found["hidden"], hidden_states(lstm)[layer])
    # what fit left in the stream is the last of them
    np.testing.assert_allclose(
        found["hidden"].iloc[-1], lstm.stream_.features[0].cpu().numpy(), rtol=1e-4, atol=1e-6
    )


def test_only_an_lstm_has_gates(panel, lstm):
    with pytest.raises(TypeError, match="must be an LSTM to have gates, got RNNForecaster"):
        gates(panel)
    with pytest.raises(ValueError, match="`layer` must be below 2 layers, got 2"):
        gates(lstm, layer=2)
    with pytest.raises(ValueError, match="`layer` must be an integer of at least 0, got -1"):
        gates(lstm, layer=-1)


def test_an_outlier_is_as_unread_as_the_network_found_it():
    wild, missing = hourly(), hourly()
    wild.iloc[200], missing.iloc[200] = 1e9, np.nan
    with pytest.warns(ForecastWarning, match="1e\\+09"):
        model = LSTMForecaster(**QUICK).fit(wild)
    without = LSTMForecaster(**QUICK).fit(missing)
    pd.testing.assert_frame_equal(hidden_states(model), hidden_states(without))


def test_only_networks_with_a_state_have_states():
    y = hourly(200)
    with pytest.raises(TypeError, match="must be a network to look inside, got MarkovForecaster"):
        hidden_states(MarkovForecaster().fit(y))
    with pytest.raises(TypeError, match=r"must carry a state, got MLPForecaster"):
        state_gradients(MLPForecaster(**QUICK).fit(y))
    with pytest.raises(Exception, match="not fitted"):
        hidden_states(LSTMForecaster())


def test_a_series_is_chosen_by_its_id(panel):
    assert not hidden_states(panel, "A").equals(hidden_states(panel, "B"))
    assert hidden_states(panel).equals(hidden_states(panel, "A"))
    with pytest.raises(ValueError, match=r"`series` must be one of \['A', 'B'\], got 'C'"):
        hidden_states(panel, "C")


def cloud(n=400, seed=0):
    rng = np.random.default_rng(seed)
    times = pd.date_range("2024-01-01", periods=n, freq="h")
    return pd.DataFrame(rng.standard_normal((n, 6)) * [5, 3, 1, 1, 1, 1], times), rng


def test_principal_components_are_those_of_the_covariance():
    hidden, _ = cloud()
    found = principal_components(hidden, 3)
    values = np.linalg.eigvalsh(np.cov(hidden.T))[::-1]
    np.testing.assert_allclose(found.var(), values[:3])
    np.testing.assert_allclose(found.attrs["explained"], values[:3] / values.sum())
    assert found.index.equals(hidden.index) and found.columns.tolist() == [1, 2, 3]


@pytest.mark.parametrize("seed", range(3))
def test_a_probe_finds_what_is_there_and_nothing_else(seed):
    hidden, rng = cloud(seed=seed)
    plane = hidden[0] / 5 + hidden[2]
    sides = pd.Series(np.where(plane > 0, "up", "down"), hidden.index)
    found = probe(hidden, sides)
    assert found["score"].mean() > 0.9 > 0.7 > found["chance"].mean()
    line = probe(hidden, 3 * plane + 1)
    assert line["score"].min() > 0.999 and line["chance"].max() <= 0
    coins = pd.Series(rng.integers(2, size=len(hidden)), hidden.index)
    blind = probe(hidden, coins)
    assert abs(blind["score"].mean() - 0.5) < 0.15  # 5 folds of 66: three standard errors are .08
    noise = pd.Series(rng.standard_normal(len(hidden)), hidden.index)
    assert probe(hidden, noise)["score"].mean() < 0.05


def test_a_probe_needs_a_label_everywhere():
    hidden, _ = cloud(50)
    label = pd.Series(1.0, hidden.index[:-1])
    with pytest.raises(ValueError, match=r"got none at 2024-01-03 01:00:00"):
        probe(hidden, label)
    with pytest.raises(ValueError, match="two classes in the first fold, at 10 times, got 'on' al"):
        probe(hidden, pd.Series("on", hidden.index))
    assert (probe(hidden, pd.Series(0.5, hidden.index)) == 1).all(axis=None)  # no class: a level


@pytest.mark.mission("M34", "M52")
def test_attention_is_told_for_every_block_and_drawn(panel, attentive):
    weights = attention(attentive, horizon=72)
    assert weights.index.tolist() == [1, 25, 49] and weights.index.name == "step ahead"
    assert weights.columns[-1] == hourly().index[-1]
    assert (np.diff(weights.columns) == pd.Timedelta(hours=24)).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    ax = plot_weights(weights, "attention")
    np.testing.assert_array_equal(ax.images[0].get_array(), weights)
    with pytest.raises(TypeError, match=r"must attend, got RNNForecaster"):
        attention(panel)
