"""An exported network forecasts what the forecaster does, after every value."""

from __future__ import annotations

import copy
import json

import numpy as np
import pandas as pd
import pytest
import torch

from forecast import (
    ETSForecaster,
    LSTMForecaster,
    MLPForecaster,
    RNNForecaster,
    Seq2SeqForecaster,
    export,
    load_dataset,
)
from forecast.forecasters.neural.export import _machine

LEVELS = (0.1, 0.5, 0.8)
NEW = 7  # values that come after the history
BRIEF = {"max_epochs": 1, "random_state": 0, "n_estimators": 2}


def months():
    return load_dataset("elnino")[-200:], None


def driven():
    """Return a panel of days with covariates, one past-only; counts, gaps, negative values."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=120, freq="D")
    y = pd.DataFrame({"counts": rng.poisson(3, 120), "wide": rng.normal(0, 50, 120)}, index=days)
    y.iloc[[40, 115], 1] = np.nan
    X = pd.DataFrame({"price": rng.normal(9, 2, 120), "wind": rng.normal(size=120)}, index=days)
    return y.astype(float), X


def hours():
    rng = np.random.default_rng(1)
    time = pd.date_range("2024-01-01", periods=400, freq="h")
    return pd.Series(
        10 + np.sin(np.arange(400) / 24 * 2 * np.pi) + rng.normal(size=400), time
    ), None


def counted():
    """Return few values, which make points lean on naive ones, at times without a calendar."""
    return months()[0][-60:].reset_index(drop=True), None


CASES = {
    "lstm": (LSTMForecaster(**BRIEF), months),
    "gru-mean": (RNNForecaster(cell="gru", point="mean", **BRIEF), months),
    "mlp-counted": (MLPForecaster(horizon=5, **BRIEF), counted),
    "mlp-covariates": (MLPForecaster(horizon=5, past_only=["wind"], **BRIEF), driven),
    "mgu-covariates": (RNNForecaster(cell="mgu", past_only=["wind"], static="id", **BRIEF), driven),
    "patches-calendar": (RNNForecaster(horizon=30, head="normal", **BRIEF), hours),
    "seq2seq": (Seq2SeqForecaster(horizon=20, head="mae", attention=True, **BRIEF), months),
}


QUICK = {"mlp-counted", "mlp-covariates", "patches-calendar"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in CASES],
)
def fitted(request):
    model, data = CASES[request.param]
    y, X = data()
    return model.fit(y[:-NEW], None if X is None else X[:-NEW]), y[-NEW:], X


@pytest.fixture
def case(fitted):
    """Return a fitted model, what comes after its history, and all covariates."""
    return copy.deepcopy(fitted)


def told(model, X):
    """Return what is known of the steps ahead, (n, H, K), raw: the calendar, then covariates."""
    horizon, panel = model.horizon_, model.panel_
    names = model.features_.calendar_names(panel)
    calendar = model.features_.ahead(panel, horizon, None)[..., : len(names)]
    if X is None:
        return None if not names else calendar.astype(float)
    own = ahead(model, X)[list(panel.X_names)].to_numpy()
    return np.concatenate([calendar, np.broadcast_to(own, (panel.n_series, *own.shape))], -1)


def ahead(model, X):
    """Return covariates of the steps ahead: those after the table are its first ones again."""
    done = model.panel_.lengths[0]
    rows = X.iloc[np.arange(done, done + model.horizon_) % len(X)]
    return rows.set_axis(model.future_frame().index)[list(model.panel_.X_names)]


def follow(model, new, X, state, absorb, forecast):
    """Yield forecasts of both, after each value that comes."""
    for k in range(len(new) + 1):
        future = None if X is None else ahead(model, X)
        r = min(model.recipe_.stride, model.horizon_)
        point = np.asarray(model.predict(X=future)).T.reshape(model.panel_.n_series, -1)
        quantiles = model.predict_quantiles(
            r, None if future is None else future[:r], levels=LEVELS
        )
        yield (
            (point, np.asarray(quantiles).reshape(r, len(point), -1).swapaxes(0, 1)),
            forecast(told(model, X), state),
        )
        if k == len(new):
            return
        rows = slice(k, k + 1)
        beside = None if X is None else X.loc[new.index[rows]]
        model.update(new[rows], beside)
        covariates = None
        if X is not None:
            names = [*model.panel_.X_names, *model.panel_.past_names]
            covariates = np.repeat(beside[names].to_numpy(), len(point), 0)
        state = absorb(np.asarray(new[rows]).ravel(), covariates, state)


def test_step_machine_equals_the_forecaster(case):
    model, new, X = case
    example, absorb, forecast = _machine(model, model.horizon_, LEVELS)

    def tensor(array):
        return None if array is None else torch.tensor(array)

    state = absorb.layout.flat(example)
    with torch.no_grad():
        for ours, theirs in follow(
            model,
            new,
            X,
            state,
            lambda value, beside, state: absorb(tensor(value), tensor(beside), *state),
            lambda known, state: forecast(tensor(known), *state),
        ):
            for own, other in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(own, other.numpy(), rtol=1e-5, atol=1e-5)


def test_onnx_equals_the_forecaster(case, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="`make check-onnx` installs it")
    model, new, X = case
    export(model, tmp_path, levels=LEVELS)
    sessions = {
        name: runtime.InferenceSession(tmp_path / f"{name}.onnx") for name in ("absorb", "forecast")
    }

    def run(name, inputs):
        given = {one: array for one, array in inputs.items() if array is not None}
        assert {one.name for one in sessions[name].get_inputs()} == set(given)
        return sessions[name].run(None, given)

    def absorb(value, covariates, state):
        new = run("absorb", {"value": value, "covariates": covariates} | state)
        return dict(zip(state, new, strict=True))

    for ours, theirs in follow(
        model,
        new,
        X,
        dict(np.load(tmp_path / "state.npz")),
        absorb,
        lambda known, state: run("forecast", {"known": known} | state),
    ):
        for own, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-5)
    about = json.loads((tmp_path / "about.json").read_text())
    assert about["series"] == [str(name) for name in model.panel_.ids]
    assert about["levels"] == list(LEVELS) and about["horizon"] == model.horizon_


@pytest.mark.parametrize(
    ("model", "error", "said"),
    [
        (ETSForecaster(), TypeError, "learns a network"),
        (MLPForecaster(calibration=True, **BRIEF), ValueError, "calibration"),
        (MLPForecaster(head="student_t", **BRIEF), ValueError, "student_t"),
    ],
)
@pytest.mark.usefixtures("few_steps")
def test_what_no_graph_can_hold_is_refused(model, error, said, tmp_path):
    with pytest.raises(error, match=said):
        export(model.fit(months()[0][-60:]), tmp_path)
