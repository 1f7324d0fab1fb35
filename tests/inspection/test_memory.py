from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import PowerTransformer

from forecast import (
    ETSForecaster,
    ForecastWarning,
    LSTMForecaster,
    MarkovForecaster,
    MLPForecaster,
    NaiveForecaster,
    RNNForecaster,
)
from forecast.data.synthetic import ar1
from forecast.inspection import memory as top
from forecast.inspection.memory import effective_memory

# networks of one epoch may do worse than a naive forecast, and say so
pytestmark = pytest.mark.filterwarnings("ignore:On the validation part")

QUICK = {
    "max_epochs": 1,
    "hidden_size": 4,
    "horizon": 4,
    "batch_size": 8,
    "n_estimators": 1,
    "random_state": 0,
}


def hourly(length=400, seed=0):
    t = np.arange(length)
    noise = np.random.default_rng(seed).standard_normal(length)
    index = pd.date_range("2024-01-01", periods=length, freq="h")
    return pd.Series(10 + 3 * np.sin(2 * np.pi * t / 24) + noise, index, name="load")


def one_by_one(model, y, horizon, lag):
    """Return the response to a lag, by the public methods alone."""
    history = pd.concat([pd.Series(model.panel_.series(0), model.panel_.times(0)), y])
    moved, spread = y.copy(), history.std(ddof=0)
    moved.iloc[-lag] += spread if y.iloc[-lag] < history.mean() else -spread
    before, after = (
        model.apply(history[: len(history) - len(y)]).update(new).predict(horizon)
        for new in (y, moved)
    )
    return (after - before).abs().max() / spread


@pytest.mark.parametrize("order", [1, 2, 7, 24, 30])
@pytest.mark.parametrize("regressor", [None, Ridge()], ids=str)
@pytest.mark.mission("M02")
def test_markov_remembers_exactly_its_order(order, regressor):
    y = hourly()
    model = MarkovForecaster(order=order, regressor=regressor, horizon=3).fit(y[:300])
    table = effective_memory(model, y[300:]).table
    assert table["reach"].tolist() == [order]
    # 1 % of the largest response may be less, if the last coefficient is small
    assert table["memory"].iloc[0] <= order


def test_markov_of_an_ar_process_that_uses_its_last_lag():
    rng, values = np.random.default_rng(0), np.zeros(600)
    for t in range(5, 600):
        values[t] = 0.4 * values[t - 1] + 0.5 * values[t - 5] + rng.standard_normal()
    y = pd.Series(values)
    table = effective_memory(MarkovForecaster(order=5, season_length=1).fit(y[:500]), y[500:]).table
    assert table.loc["Markov"].tolist() == [5, 5, "5 steps"]


@pytest.mark.parametrize("context", [9, 24])
@pytest.mark.mission("M02")
def test_mlp_remembers_exactly_its_context(context):
    y = hourly()
    model = MLPForecaster(context_length=context, **QUICK).fit(y[:300])
    assert effective_memory([model], y[300:]).table["reach"].tolist() == [context]


def test_naive_forecasts_remember_what_they_repeat():
    y = hourly(300)
    last, season = NaiveForecaster(strategy="last"), NaiveForecaster(strategy="seasonal")
    found = effective_memory(
        {"last": last.fit(y[:200]), "season": season.fit(y[:200])}, y[200:], horizon=5
    )
    assert found.table.loc["last"].tolist() == [1, 1, "1 step (1 hour)"]
    assert found.table.loc["season"].tolist() == [24, 24, "24 steps (1 day)"]
    # five steps ahead of a season of 24: the values 24 ... 20 steps back are repeated
    assert found.responses["season"].to_numpy().nonzero()[0].tolist() == [19, 20, 21, 22, 23]
    assert found.responses["last"][1] == pytest.approx(1)


def test_exponential_smoothing_forgets_geometrically():
    rng = np.random.default_rng(0)
    y = pd.Series(np.cumsum(0.5 * rng.standard_normal(300)) + rng.standard_normal(300))
    model = ETSForecaster(season_length=1, horizon=4).fit(y[:250])
    alpha, trend, _ = model.smoothing_.gains[0]
    assert trend == 0 and 0.1 < alpha < 0.9  # the local level, which made the series
    found = effective_memory(model, y[250:])
    lags = found.responses.index
    expected = alpha * (1 - alpha) ** (lags - 1)
    np.testing.assert_allclose(found.responses["ETS"], expected, rtol=1e-9, atol=1e-14)
    # (1 - alpha)^(lag - 1) >= 1 %
    assert found.table["memory"].item() == int(np.log(0.01) / np.log(1 - alpha)) + 1


@pytest.mark.parametrize(
    "kind",
    [pytest.param(RNNForecaster, marks=pytest.mark.slow), LSTMForecaster, MLPForecaster],
)
def test_copies_read_together_respond_as_one_by_one(kind, monkeypatch):
    y = hourly(320)
    model = kind(**QUICK).fit(y[:290])
    found = effective_memory(model, y[290:])
    monkeypatch.setattr(top, "VALUES_AT_ONCE", 100)  # a few copies at a time
    few = effective_memory(model, y[290:])
    np.testing.assert_allclose(found.responses, few.responses, rtol=1e-4, atol=1e-6)
    responses = found.responses.iloc[:, 0]
    for lag in (1, 2, 5, 24, 29):
        assert responses[lag] == pytest.approx(
            one_by_one(model, y[290:], 4, lag), rel=1e-4, abs=1e-6
        )
    assert responses.max() > 0.01


@pytest.mark.parametrize("ends", [(230, 230), (230, 215)])
def test_copies_of_several_series_keep_what_is_known_of_each(ends, monkeypatch):
    y = [hourly(end, seed).rename(f"{seed}") for seed, end in enumerate(ends)]
    y[1] = (100 * y[1]).round() - 5000  # of whole numbers, below zero too
    y[0].iloc[[50, 197]] = 1e9  # outliers, of which nothing is said here
    with pytest.warns(ForecastWarning, match="1e\\+09"):
        model = LSTMForecaster(**QUICK).fit([one[:200] for one in y])
    found = effective_memory(model, [one[200:] for one in y])
    monkeypatch.setattr(top, "VALUES_AT_ONCE", 1)  # one copy at a time
    alone = effective_memory(model, [one[200:] for one in y])
    np.testing.assert_allclose(found.responses, alone.responses, rtol=1e-4, atol=1e-6)


def test_series_of_a_panel_are_averaged():
    y = pd.DataFrame({"A": hourly(200, seed=1), "B": 100 * hourly(200, seed=2)})
    together = effective_memory(NaiveForecaster(strategy="last").fit(y[:150]), y[150:], horizon=1)
    assert together.responses["Naive"][1] == pytest.approx(1)  # each in its own spreads
    model = MarkovForecaster(order=3, horizon=2).fit(y[:150])
    both = effective_memory(model, y[150:]).responses["Markov"]
    alone = [
        effective_memory(model.apply(y[[name]][:150]), y[[name]][150:]).responses["Markov"]
        for name in "AB"
    ]
    # a series alone is standardised by itself, in apply as in fit
    np.testing.assert_allclose(both, (alone[0] + alone[1]) / 2, rtol=1e-9, atol=1e-12)


def test_covariates_and_transforms_are_held():
    y = hourly(260)
    X = pd.DataFrame({"u": np.random.default_rng(3).standard_normal(260)}, y.index)
    model = MarkovForecaster(order=4, horizon=3).fit(y[:200], X[:200])
    assert effective_memory(model, y[200:], X[200:]).table["reach"].item() == 4
    boxed = MarkovForecaster(order=4, horizon=3, target_transform=PowerTransformer("box-cox"))
    assert effective_memory(boxed.fit(y[:200]), y[200:]).table["reach"].item() == 4


def test_a_missing_value_has_no_response():
    y = hourly(200)
    model = MarkovForecaster(order=3, horizon=2).fit(y[:150])
    y.iloc[-2] = np.nan
    responses = effective_memory(model, y[150:]).responses["Markov"]
    assert np.isnan(responses[2]) and responses[1] > 0


def test_an_outlier_is_no_part_of_the_spread_that_values_move_by():
    wild, missing = hourly(), hourly()
    wild.iloc[100], missing.iloc[100] = 1e9, np.nan
    with pytest.warns(ForecastWarning, match="1e\\+09"):
        model = MarkovForecaster(order=3, horizon=2).fit(wild[:350])
    without = MarkovForecaster(order=3, horizon=2).fit(missing[:350])
    found = effective_memory([model, without], wild[350:])
    assert found.responses["Markov"].equals(found.responses["Markov 2"])


def test_a_flat_series_has_no_response():
    y = pd.DataFrame({"a": ar1(200, seed=0), "flat": 3.7})
    model = MarkovForecaster(order=3).fit(y[:150])
    expected = effective_memory([MarkovForecaster(order=3).fit(y[["a"]][:150])], y[["a"]][150:])
    found = effective_memory([model], y[150:])
    pd.testing.assert_frame_equal(found.responses, expected.responses)


def test_the_forecaster_stays_as_it_was():
    y = hourly(300)
    model = LSTMForecaster(**QUICK).fit(y[:280])
    before = model.predict()
    effective_memory(model, y[280:])
    pd.testing.assert_series_equal(model.predict(), before, check_exact=True)
    assert len(model.stream_.phases) == 1


def test_names_and_the_table():
    y = ar1(200, seed=0)
    models = [MarkovForecaster(order=k).fit(y[:150]) for k in (1, 2)]
    found = effective_memory(models, y[150:])
    assert found.table.index.tolist() == ["Markov", "Markov 2"]
    assert repr(found) == f"{found.table}\n\nLags up to 49 steps were tried."
    assert "<table" in found._repr_html_() and "49 steps" in found._repr_html_()
    long = effective_memory(models[0], y[150:], threshold=1e-12).table
    assert long["time"].tolist() == ["1 step"]


def test_memory_as_long_as_the_data_is_a_lower_bound():
    y = hourly(120)
    season = NaiveForecaster(strategy="seasonal").fit(y[:95])
    assert effective_memory(season, y[95:], horizon=24).table["time"].tolist() == [
        "at least 24 steps (1 day)"
    ]


def test_wrong_arguments():
    y = hourly(120)
    model = NaiveForecaster(strategy="seasonal").fit(y[:90])
    with pytest.raises(ValueError, match="`y` must hold at least 2 values of every series, got 1"):
        effective_memory(model, y[90:91])
    with pytest.raises(ValueError, match="depends on none of the last 9 values"):
        effective_memory(model, y[90:100], horizon=2)
    with pytest.raises(ValueError, match="`threshold` must be a number in"):
        effective_memory(model, y[90:], threshold=2)
    with pytest.raises(Exception, match="not fitted"):
        effective_memory(NaiveForecaster(), y)


def test_plot_shows_the_shares():
    y = hourly(200)
    models = [MarkovForecaster(order=k, horizon=2).fit(y[:150]) for k in (2, 5)]
    found = effective_memory(models, y[150:])
    axes = found.plot()
    assert [ax.get_title(loc="left") for ax in axes] == [
        "Markov: 2 steps (2 hours)",
        "Markov 2: 5 steps (5 hours)",
    ]
    assert axes[-1].get_xlabel() == "hours back"
    for ax, (_, share) in zip(axes, found.relative.items(), strict=True):
        (area,) = ax.collections
        assert area.get_paths()[0].vertices[:, 1].max() == share.max() == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_an_lstm_that_uses_the_week_shows_it(seed):
    t = np.arange(24 * 7 * 14)
    noise = 0.2 * np.random.default_rng(seed).standard_normal(len(t))
    values = np.sin(2 * np.pi * t / 24) + 1.5 * ((t // 24) % 7 < 5) + noise
    y = pd.Series(values, pd.date_range("2024-01-01", periods=len(t), freq="h"))
    past, later = y[: -24 * 17], y[-24 * 17 :]
    model = LSTMForecaster(calendar=False, max_epochs=15, random_state=seed).fit(past)
    # it uses the week: a day ahead, who repeats yesterday errs twice as much
    ahead, yesterday = [], []
    for day in range(7, 14):
        seen, truth = later[: 24 * day], later[24 * day : 24 * (day + 1)]
        ahead.append((model.apply(pd.concat([past, seen])).predict(24) - truth).abs().mean())
        yesterday.append(np.abs(seen[-24:].to_numpy() - truth.to_numpy()).mean())
    assert np.mean(ahead) < 0.6 * np.mean(yesterday)
    found = effective_memory(model, later)
    share = found.relative["LSTM"]
    week, between = share.loc[145:168], share.loc[60:140]  # 24 steps ahead: lags 168 - 23 ... 168
    assert week.min() > 0.3 and week.min() > 5 * between.max()
    assert found.table["memory"].item() >= 168
    assert "days)" in found.table["time"].item()
