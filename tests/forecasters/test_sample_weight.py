"""A weight of 2 counts as twice, one of 0 as not there, and who cannot weigh says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from forecast import MarkovForecaster, MLPForecaster
from tests.checks import forecaster_cases

RNG = np.random.default_rng(0)
SHAPES = {"a": 0.9, "b": -0.5, "c": 0.2}


def panel():
    """Return three autoregressions that one regression cannot fit alike."""
    columns = {}
    for name, weight in SHAPES.items():
        noise, series = RNG.normal(size=80), [0.0]
        for shock in noise:
            series.append(weight * series[-1] + shock)
        columns[name] = series[1:]
    return pd.DataFrame(columns)


Y = panel()


@pytest.mark.parametrize("regressor", [None, LinearRegression()])
def test_markov_with_whole_weights_learns_from_copies(regressor):
    model = MarkovForecaster(order=3, regressor=regressor)
    weighed = model.fit(Y, sample_weight={"a": 2, "b": 1, "c": 0}).predict(5)
    copies = model.fit(Y[["a", "b"]].assign(again=Y["a"])).predict(5)
    pd.testing.assert_frame_equal(weighed[["a", "b"]], copies[["a", "b"]], rtol=1e-10)
    alike = model.fit(Y[["a", "b"]]).predict(5)
    assert (weighed["b"] - alike["b"]).abs().max() > 1e-3


def test_markov_solves_weighted_least_squares():
    weights = pd.DataFrame(RNG.integers(0, 4, Y.shape), columns=Y.columns)
    X = pd.DataFrame({"x": RNG.normal(size=len(Y))})
    ours = MarkovForecaster(order=4).fit(Y, X, sample_weight=weights)
    frame = MarkovForecaster(order=4).training_frame(Y, X)
    target = frame.pop("target")
    told = [weights.loc[time, series] for series, time in frame.index]
    theirs = LinearRegression().fit(frame.to_numpy(), target, sample_weight=told)
    np.testing.assert_allclose(ours.regressor_.coef_, theirs.coef_, rtol=1e-8, atol=1e-10)


def test_bands_are_of_what_was_learned_from():
    wild = pd.Series(np.r_[RNG.normal(0, 30, 60), RNG.normal(size=60)])
    weights = pd.Series(np.repeat([0.0, 1.0], 60))
    model, asked = MarkovForecaster(order=1), {"levels": [0.1, 0.9]}
    calm = model.fit(wild, sample_weight=weights).predict_quantiles(1, **asked)
    all_of_it = model.fit(wild).predict_quantiles(1, **asked)
    assert np.ptp(calm.to_numpy()) < np.ptp(all_of_it.to_numpy()) / 4


@pytest.mark.slow
def test_weights_that_are_all_alike_change_no_network():
    model = MLPForecaster(max_epochs=1, n_estimators=1, horizon=4, random_state=0)
    alike = model.fit(Y, sample_weight=dict.fromkeys(Y, 3.0)).predict()
    pd.testing.assert_frame_equal(alike, model.fit(Y).predict(), rtol=1e-12)


@pytest.mark.parametrize(
    "case",
    [case for case in forecaster_cases() if not case.kind.tags.sample_weight],
    ids=str,
)
def test_who_cannot_weigh_says_so(case):
    with pytest.raises(TypeError, match=f"None for {case.kind.__name__}"):
        case.build().fit(Y["a"], sample_weight=Y["a"].abs())


def test_a_regressor_that_cannot_weigh_is_refused():
    model = MarkovForecaster(order=3, regressor=KNeighborsRegressor())
    with pytest.raises(TypeError, match=r"cannot weigh, got KNeighborsRegressor\(\)"):
        model.fit(Y, sample_weight={"a": 2, "b": 1, "c": 0})
