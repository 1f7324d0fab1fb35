"""A window is all a Markov model sees; the linear one is the textbook autoregression."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from statsmodels.api import OLS, add_constant
from statsmodels.tsa.ar_model import AutoReg

from forecast.forecasters.window.markov import MarkovForecaster
from forecast.forecasters.window.scales import spread

LATER = functools.partial(pytest.param, marks=pytest.mark.slow)


def ar2(size: int, seed: int = 0) -> pd.Series:
    rng = np.random.default_rng(seed)
    values = np.zeros(size)
    for t in range(2, size):
        values[t] = 0.6 * values[t - 1] + 0.3 * values[t - 2] + rng.normal()
    return pd.Series(5 + values, name="y")


@pytest.mark.parametrize("order", [1, 2, 5, 13])
@pytest.mark.parametrize(("level", "unit"), [(0, 1), (1e4, 1), (0, 1e9), (0, 1e-9)])
@pytest.mark.mission("M02")
def test_linear_equals_autoreg(order: int, level: float, unit: float) -> None:
    y = level + unit * ar2(300)
    ours = MarkovForecaster(order=order, season_length=1).fit(y)
    theirs = AutoReg((y - level) / unit, lags=order).fit()
    np.testing.assert_allclose(ours.coef_, theirs.params.iloc[1:], atol=1e-8)
    constant = theirs.params.iloc[0] * unit + level * (1 - ours.coef_.sum())
    np.testing.assert_allclose(ours.intercept_, [constant], rtol=1e-8)
    expected = level + unit * theirs.predict(300, 311)
    np.testing.assert_allclose(ours.predict(12), expected, rtol=1e-8, atol=1e-8 * unit)


@pytest.mark.mission("M02")
def test_covariates_equal_autoreg_with_exog() -> None:
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(260, 2)) * [1, 50] + [0, 100], columns=["a", "b"])
    y = ar2(260) + X["a"] - 0.2 * X["b"]
    ours = MarkovForecaster(order=3, season_length=1).fit(y[:250], X[:250])
    theirs = AutoReg(y[:250], lags=3, exog=X[:250]).fit()
    np.testing.assert_allclose(ours.coef_, theirs.params.iloc[1:4], atol=1e-8)
    np.testing.assert_allclose(ours.intercept_[0], theirs.params.iloc[0], atol=1e-6)
    expected = theirs.predict(250, 259, exog_oos=X[250:])
    np.testing.assert_allclose(ours.predict(10, X), expected, atol=1e-8)


@pytest.mark.parametrize("regressor", [None, KNeighborsRegressor()])
@pytest.mark.parametrize("order", [1, 4])
@pytest.mark.mission("M02")
def test_nothing_beyond_the_order_matters(order: int, regressor: Any) -> None:
    y, rng = ar2(200), np.random.default_rng(0)
    forecasts = []
    for far in rng.normal(size=(5, 6)):
        recent = [5.0, 6.0, 4.0, 5.5][:order]
        new = pd.Series([*far, *recent], np.arange(200, 206 + order))
        model = MarkovForecaster(order=order, regressor=regressor, season_length=1)
        forecasts.append(model.fit(y).update(new).predict(10).to_numpy())
    for other in forecasts[1:]:
        np.testing.assert_array_equal(other, forecasts[0])


def test_every_lag_within_the_order_matters() -> None:
    y = ar2(200)
    base = pd.Series([5.0, 6.0, 4.0], np.arange(200, 203))
    model = MarkovForecaster(order=3, season_length=1).fit(y)
    start = float(model.fit(y).update(base).predict(1).iloc[0])
    for lag in (1, 2, 3):
        bumped = base.copy()
        bumped.iloc[-lag] += 1e-3
        moved = float(model.fit(y).update(bumped).predict(1).iloc[0])
        assert (moved - start) / 1e-3 == pytest.approx(model.coef_[lag - 1], rel=1e-6)


@pytest.mark.parametrize(
    ("n", "mse"),
    [
        (2, 1.2155),
        *(LATER(n, mse) for n, mse in [(1, 1.3625), (4, 1.1017), (8, 1.0336)]),
    ],
)
@pytest.mark.mission("M02")
def test_moving_average_costs_what_theory_says(n: int, mse: float) -> None:
    theta, size = 0.9, 400_000
    noise = np.random.default_rng(n).normal(size=2 * size + 1)
    x = noise[1:] + theta * noise[:-1]
    model = MarkovForecaster(order=n, season_length=1).fit(pd.Series(x[:size]))
    windows = sliding_window_view(x[size:], n + 1)
    errors = windows[:, -1] - windows[:, -2::-1] @ model.coef_ - model.intercept_
    parts = np.array([np.mean(part**2) for part in np.array_split(errors, 100)])
    exact = (1 - theta ** (2 * (n + 2))) / (1 - theta ** (2 * (n + 1)))
    assert exact == pytest.approx(mse, abs=5e-5)
    assert abs(parts.mean() - exact) < 3 * parts.std(ddof=1) / 10


@pytest.mark.parametrize("regressor", [None, Ridge(0.1)])
@pytest.mark.mission("M37")
def test_forecast_is_one_step_again_and_again(regressor: Any) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=140)})
    frame = pd.DataFrame({"A": ar2(120), "B": 100 + 7 * ar2(120, 1)})
    model = MarkovForecaster(order=4, regressor=regressor, season_length=1).fit(frame, X[:120])
    whole = model.predict(20, X)
    for step in range(20):
        one = model.predict(1, X)
        np.testing.assert_allclose(one, whole.iloc[[step]], rtol=1e-10)
        model.update(one, X)


def test_forecast_of_fewer_steps_is_a_prefix() -> None:
    model = MarkovForecaster(order=3).fit(pd.DataFrame({"A": ar2(90), "B": ar2(90, 1)}))
    pd.testing.assert_frame_equal(model.predict(5), model.predict(12)[:5])
    short, long = (model.sample(h, n_samples=6, random_state=1) for h in (5, 12))
    pd.testing.assert_frame_equal(short, long[:5])


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.arange(1.0, 41), np.arange(41.0, 47)),
        (1e9 + np.arange(40.0), 1e9 + np.arange(40.0, 46)),
        (1e-9 * np.arange(1.0, 41), 1e-9 * np.arange(41.0, 47)),
        (np.full(40, 7.0), np.full(6, 7.0)),
        (np.zeros(40), np.zeros(6)),
        (np.arange(1.0, 5), np.arange(5.0, 11)),
        (np.tile([1.0, 5.0, 2.0, 8.0], 9), [1.0, 5.0, 2.0, 8.0, 1.0, 5.0]),
    ],
)
def test_exact_patterns_go_on(y: np.ndarray, expected: np.ndarray) -> None:
    model = MarkovForecaster(season_length=4).fit(pd.Series(y))
    np.testing.assert_allclose(model.predict(6), expected, rtol=1e-9)


def test_short_histories_never_explode() -> None:
    rng = np.random.default_rng(0)
    for size in [*range(2, 20), 30, 40]:
        for season_length in (1, 12):
            y = pd.Series(rng.normal(size=size).cumsum())
            model = MarkovForecaster(season_length=season_length).fit(y)
            spread = max(float(np.ptp(y)), model.scale_[0])
            paths = model.sample(24, n_samples=20, random_state=0)
            reach = spread * (1 + 24 / size) * (1 + 1e-9)
            for forecast in (model.predict(24), paths):
                assert (forecast.to_numpy() >= y.min() - reach).all()
                assert (forecast.to_numpy() <= y.max() + reach).all()


@pytest.mark.parametrize(
    ("size", "season_length", "order"),
    [(120, 12, 13), (400, 12, 13), (40, 12, 9), (20, 1, 2), (300, 1, 8), (40, 4, 5), (3, 1, 1)],
)
def test_default_order(size: int, season_length: int, order: int) -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=size))
    assert MarkovForecaster(season_length=season_length).fit(y).order_ == order


def test_bad_order_and_regressor() -> None:
    y = ar2(40)
    with pytest.raises(
        ValueError, match="order=48, the longest has 40 .series 'y'.. Use a smaller"
    ):
        MarkovForecaster(order=48).fit(y)
    with pytest.raises(ValueError, match="order=1, the longest has 1"):
        MarkovForecaster().fit(y[:1])
    with pytest.raises(ValueError, match="`order` must be a positive integer, got 0"):
        MarkovForecaster(order=0).fit(y)
    with pytest.raises(TypeError, match="`order` must be a positive integer, got 2.5"):
        MarkovForecaster(order=2.5).fit(y)  # type: ignore[arg-type]
    for wrong in ("ridge", Ridge):
        with pytest.raises(TypeError, match="`regressor` must be a scikit-learn regressor such as"):
            MarkovForecaster(regressor=wrong).fit(y)


def test_gaps_are_left_out_of_the_fit() -> None:
    y = ar2(200)
    y[[50, 51, 120]] = np.nan
    model = MarkovForecaster(order=2, season_length=1).fit(y)
    rows = sliding_window_view(y.to_numpy(), 3)
    rows = rows[~np.isnan(rows).any(axis=1)]
    design = np.column_stack([np.ones(len(rows)), rows[:, 1], rows[:, 0]])
    expected = np.linalg.lstsq(design, rows[:, 2], rcond=None)[0]
    np.testing.assert_allclose([model.intercept_[0], *model.coef_], expected, atol=1e-8)


def test_gap_in_the_last_window_is_filled_by_the_season() -> None:
    season = np.tile([1.0, 5.0, 2.0, 8.0], 10)
    y = pd.Series(season).mask(np.arange(40) >= 38)
    forecast = MarkovForecaster(season_length=4).fit(y).predict(4)
    np.testing.assert_allclose(forecast, season[:4], rtol=1e-9)


def test_one_model_for_many_series_of_any_size_and_length() -> None:
    parts = [ar2(60).rename("a"), (1e6 * ar2(90, 1)).rename("b"), ar2(3, 2).rename("c")]
    model = MarkovForecaster(order=4, season_length=1).fit(parts)
    forecasts = model.predict(5)
    assert [part.name for part in forecasts] == ["a", "b", "c"]
    scaled = [ar2(60).rename("a"), ar2(90, 1).rename("b"), ar2(3, 2).rename("c")]
    same = MarkovForecaster(order=4, season_length=1).fit(scaled).predict(5)
    np.testing.assert_allclose(forecasts[0], same[0], rtol=1e-9)
    np.testing.assert_allclose(forecasts[1], 1e6 * same[1], rtol=1e-9)
    assert np.isfinite(forecasts[2]).all()
    assert float(np.ptp(model.sample(2, n_samples=50, random_state=0)[2].iloc[0])) > 0


def test_a_series_that_ended_stays_where_it_is() -> None:
    y = pd.DataFrame({name: 9 + ar2(80, seed) for seed, name in enumerate("abcd")})
    y.loc[50:, "b"] = 0.0
    y.loc[50:, "d"] = 7.0  # a rate may move again
    y.loc[50:, "c"] = np.where(np.arange(50, 80) == 55, 0.0, np.nan)  # missing is not still
    model = MarkovForecaster(order=2, season_length=1).fit(y)
    assert model.still_.tolist() == [False, True, False, False]
    assert (model.predict(40)["b"] == 0).all()
    woken = MarkovForecaster(order=2, season_length=1).fit(y, y[["a"]])
    assert not woken.still_.any()


@pytest.mark.usefixtures("equal_sizes")
def test_paths_spread_as_theory_says() -> None:
    rng = np.random.default_rng(0)
    values = np.zeros(5000)
    for t in range(1, 5000):
        values[t] = 0.8 * values[t - 1] + rng.normal()
    model = MarkovForecaster(order=1, season_length=1).fit(pd.Series(values))
    paths = model.sample(10, n_samples=20_000, random_state=0).to_numpy()
    for k in (1, 2, 5, 10):
        exact = (1 - 0.8 ** (2 * k)) / (1 - 0.8**2)
        assert paths[k - 1].var() == pytest.approx(exact, rel=0.1)


@pytest.mark.usefixtures("equal_sizes")
def test_the_weights_are_in_doubt_as_in_a_textbook_prediction_interval() -> None:
    y = ar2(40)
    y.iloc[-1] += 6  # what follows an unusual value is known least
    lags = add_constant(np.column_stack([y[1:-1], y[:-2]]))
    theirs = OLS(y[2:].to_numpy(), lags).fit().get_prediction([1.0, y.iloc[-1], y.iloc[-2]])
    assert theirs.se_mean > 0.3 * theirs.se_obs
    model = MarkovForecaster(order=2, season_length=1).fit(y)
    paths = model.sample(1, n_samples=20_000, random_state=0).to_numpy()
    student = stats.t.ppf(0.9, 38 - 3) / stats.norm.ppf(0.9)
    assert paths.std() / student == pytest.approx(theirs.se_obs.item(), rel=0.02)


def test_many_rows_leave_no_weight_in_doubt_and_a_regressor_of_the_user_tells_none() -> None:
    y = ar2(700)
    assert MarkovForecaster(order=2, season_length=1).fit(y[:300]).doubt_.shape == (3, 2)
    assert MarkovForecaster(order=2, season_length=1).fit(y).doubt_.shape == (3, 0)
    assert MarkovForecaster(order=2, regressor=Ridge()).fit(y[:300]).doubt_.shape == (3, 0)


def test_a_covariate_of_equal_tenths_has_a_spread_of_one() -> None:
    assert spread(np.full((3, 1), 0.1)).tolist() == [1.0]
