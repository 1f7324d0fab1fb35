from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsRegressor

from forecast._checks import ForecastWarning
from forecast.data.synthetic import ar1, ar1_floor, noisy_sine
from forecast.evaluation.backtest import backtest, rolling_origins
from forecast.evaluation.metrics import evaluate
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.classical.theta import ThetaForecaster
from forecast.forecasters.neural.seq2seq import Seq2SeqForecaster
from forecast.forecasters.window.markov import MarkovForecaster
from forecast.forecasters.window.mlp import MLPForecaster
from tests.evaluation.toys import Last, Updating

LENGTH = 30
SERIES = pd.Series(
    np.arange(LENGTH, dtype=float),
    pd.date_range("2024-01-01", periods=LENGTH, name="day"),
    name="a",
)
WIDE = pd.DataFrame({"a": SERIES, "b": 100 + SERIES})
LONG = pd.DataFrame(
    {
        "unique_id": ["a"] * LENGTH + ["b"] * (LENGTH - 4),
        "ds": [*SERIES.index, *SERIES.index[:-4]],
        "y": [*SERIES, *(100 + SERIES[:-4])],
    }
)
KINDS: dict[str, Any] = {
    "series": SERIES,
    "wide": WIDE,
    "list": [SERIES, (100 + SERIES.iloc[:-4]).rename("b")],
    "long": LONG,
    "multi": LONG.set_index(["unique_id", "ds"])["y"],
    "multi frame": LONG.set_index(["unique_id", "ds"]),
    "numbers": SERIES.reset_index(drop=True),
    "periods": SERIES.to_period(),
    "time zone": SERIES.tz_localize("Europe/Berlin"),
    "unsorted": SERIES.sample(frac=1, random_state=0),
    "gaps": SERIES.drop(SERIES.index[5:8]),
}
kinds = pytest.mark.parametrize("y", KINDS.values(), ids=KINDS.keys())


@kinds
@pytest.mark.parametrize("model", [Last(), Updating()], ids=["fitted", "updated"])
def test_every_kind_of_table(y, model):
    got = backtest(model, y, 3, n_windows=4, step=2, gap=1, quantiles=(0.1, 0.9))
    assert list(got.columns) == [
        *("unique_id", "cutoff", "ds", "step", "model", "y", "y_hat", "q0.1", "q0.9")
    ]
    n = got["unique_id"].nunique()
    assert len(got) == 4 * n * 3
    assert got["step"].tolist() == [2, 3, 4] * 4 * n
    # On a line of slope 1 the last value errs by the number of steps.
    np.testing.assert_allclose(got["y"] - got["y_hat"], got["step"])
    np.testing.assert_allclose(got["q0.9"] - got["q0.1"], 8)
    last = got.groupby("unique_id")["y"].max()
    assert last.iloc[0] == LENGTH - 1 and (n == 1 or last.iloc[1] in (125, 129))


@kinds
def test_paths_stand_beside_what_came(y):
    got = backtest(Updating(), y, 3, n_windows=2, gap=1, n_paths=40)
    paths = got.filter(regex=r"^path\d+$")
    assert paths.columns.tolist() == [f"path{k}" for k in range(40)]
    spread = paths.sub(got["y_hat"], axis=0)  # standard normal
    assert np.abs(spread.mean(axis=1)).max() < 1 and 0.8 < spread.to_numpy().std() < 1.2
    first, second = (
        spread[got["cutoff"] == cutoff] for cutoff in sorted(got["cutoff"].unique())[-2:]
    )
    assert np.abs(np.corrcoef(first.iloc[0], second.iloc[0])[0, 1]) < 0.5  # drawn anew


def test_who_draws_paths_forecasts_the_same():
    y = noisy_sine(120, seed=0)
    model = MarkovForecaster(order=3)
    plain, drawn = (backtest(model, y, 4, n_windows=3, quantiles=[0.1], n_paths=n) for n in (0, 9))
    pd.testing.assert_frame_equal(drawn[plain.columns], plain)


@kinds
def test_input_is_left_alone(y):
    before = [one.copy() for one in y] if isinstance(y, list) else y.copy()
    backtest(Updating(), y, 2, n_windows=3)
    pairs = zip(y, before, strict=True) if isinstance(y, list) else [(y, before)]
    for now, then in pairs:
        assert now.equals(then) and now.index.equals(then.index)


class Spy(Updating):
    """Check that nothing later than the origin is ever shown."""

    seen: list[Any] = []

    def fit(self, y: Any, X: Any = None) -> Spy:
        super().fit(y, X)
        Spy.seen.append(("fit", y.index[0], y.index[-1], None if X is None else X.index[-1]))
        return self

    def update(self, y: Any, X: Any = None) -> Spy:
        super().update(y, X)
        Spy.seen.append(("update", y.index[0], y.index[-1], None if X is None else X.index[-1]))
        return self

    def predict(self, horizon: int, X: Any = None) -> Any:
        Spy.seen.append(("predict", None if X is None else X.index[0], None, None))
        return super().predict(horizon, X)


@pytest.fixture
def spied():
    Spy.seen = []
    return Spy.seen


@pytest.mark.parametrize(
    ("refit", "verbs"),
    [(False, "fuuuu"), (True, "fffff"), (1, "fffff"), (2, "fufuf"), (3, "fuufu")],
)
def test_refit_and_update(spied, refit, verbs):
    backtest(Spy(), SERIES, 2, n_windows=5, refit=refit)
    assert "".join(call[0][0] for call in spied if call[0] != "predict") == verbs


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("gap", [0, 3])
def test_model_never_sees_past_the_cutoff(spied, refit, gap):
    X = pd.DataFrame({"x": SERIES * 2})
    got = backtest(Spy(), SERIES, 3, X=X, n_windows=3, step=1, gap=gap, refit=refit)
    cutoffs = got["cutoff"].unique()
    shown = [call for call in spied if call[0] != "predict"]
    assert [call[2] for call in shown] == list(cutoffs)
    assert [call[3] for call in shown] == list(cutoffs)
    ahead = [call[1] for call in spied if call[0] == "predict"]
    assert ahead == [cutoff + pd.Timedelta(days=1) for cutoff in cutoffs]
    news = [call for call in spied if call[0] == "update"]
    assert all(call[1] == call[2] == day for call, day in zip(news, cutoffs[1:], strict=False))


def test_values_after_a_cutoff_change_nothing_before():
    changed = SERIES.where(np.arange(LENGTH) < 24, 1e9)
    one, two = (backtest(Updating(), y, 3, n_windows=4) for y in (SERIES, changed))
    early = one["cutoff"] < SERIES.index[24]
    pd.testing.assert_series_equal(one.loc[early, "y_hat"], two.loc[early, "y_hat"])


def test_update_equals_refit():
    kept = backtest(Updating(), WIDE, 3, n_windows=5)
    again = backtest(Updating(), WIDE, 3, n_windows=5, refit=True)
    pd.testing.assert_frame_equal(kept, again)


def test_caller_keeps_an_unfitted_model():
    model = Last(shift=1.0)
    backtest(model, SERIES, 3)
    assert not hasattr(model, "panel_")
    fitted = Last().fit(SERIES[:5])
    backtest(fitted, SERIES, 3)
    assert len(fitted.panel_.values) == 5


def test_names_of_a_long_frame_come_from_the_model():
    renamed = LONG.rename(columns={"unique_id": "shop"})
    got = backtest(Last(id_col="shop"), renamed, 3)
    assert got["unique_id"].unique().tolist() == ["a", "b"]


def test_keyed_covariates_are_cut_by_series(spied):
    X = LONG[["unique_id", "ds"]].assign(x=1.0)
    other = X.assign(unique_id="c")
    origin = next(rolling_origins(LONG, 3, X=pd.concat([X, other]), gap=1))
    spans = origin.X_future.groupby("unique_id")["ds"].agg(["min", "max", "size"])
    assert spans["size"].tolist() == [4, 4]
    assert (spans["max"] - origin.cutoffs == pd.Timedelta(days=4)).all()
    assert (origin.X_history.groupby("unique_id")["ds"].max() == origin.cutoffs).all()


def test_what_every_origin_logs_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    y = pd.DataFrame({"a": np.arange(20.0), "b": [*np.arange(10.0), *[np.nan] * 10]})
    for _ in range(2):
        caplog.clear()
        backtest(ThetaForecaster(), y, 2, n_windows=3, refit=True)
        assert len(caplog.records) == 1


def test_what_every_fit_warns_of_is_warned_of_once() -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=60))
    y[5] = 1e4  # named in every history
    for _ in range(2):
        with pytest.warns(ForecastWarning) as told:
            backtest(NaiveForecaster(), y, 2, n_windows=3, refit=True)
        assert len(told) == 1


def test_windows_end_where_the_series_end():
    origins = list(rolling_origins(SERIES, 4, n_windows=3, step=1, gap=2))
    assert [len(origin.history) for origin in origins] == [22, 23, 24]
    assert [len(origin.new) for origin in origins] == [22, 1, 1]
    assert origins[-1].cutoffs[0] + pd.Timedelta(days=6) == SERIES.index[-1]


def test_table_goes_straight_into_evaluate():
    got = evaluate(backtest(Last(), WIDE, 2, n_windows=3), WIDE, 1, by="step", metrics=["mase"])
    assert got["mase"].to_dict() == {1: 1.0, 2: 2.0}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"horizon": 0}, ValueError, "`horizon` must be a positive integer, got 0"),
        ({"n_windows": 2.5}, TypeError, "`n_windows` must be a positive integer, got 2.5"),
        ({"gap": -1}, ValueError, "`gap` must be an integer of at least 0"),
        ({"refit": 0}, ValueError, "`refit` must be a positive integer, got 0"),
        ({"n_paths": -1}, ValueError, "`n_paths` must be an integer of at least 0"),
        ({"quantiles": [10]}, ValueError, "`quantiles` must be a number"),
        ({"n_windows": 15}, ValueError, "more than 30 values, series 'a' has 30"),
    ],
)
def test_errors_say_what_is_wrong(change, error, message):
    with pytest.raises(error, match=message):
        backtest(Last(), SERIES, **{"horizon": 2} | change)


class Wrong(Last):
    """Forecast the wrong thing on purpose."""

    def predict(self, horizon: int, X: Any = None) -> Any:
        right = super().predict(horizon)
        return {"short": right[:-1], "array": right.to_numpy()}[self.shift]


def test_a_model_that_answers_something_else():
    with pytest.raises(
        ValueError, match="1 of 2 are missing, the first for series 'a' at 2024-01-30"
    ):
        backtest(Wrong("short"), SERIES, 2)
    with pytest.raises(TypeError, match=r"\(series\), got a ndarray of shape \(2,\)"):
        backtest(Wrong("array"), SERIES, 2)


def by_step(model: Any, y: pd.Series, horizon: int, n_windows: int) -> pd.Series:
    table = backtest(model, y, horizon, n_windows=n_windows, step=1)
    return ((table["y"] - table["y_hat"]) ** 2).groupby(table["step"]).mean()


STRATEGIES = {
    "recursive": MarkovForecaster(order=1, horizon=1),
    "direct": MLPForecaster(horizon=64, season_length=1, random_state=0),
    "sequence to sequence": Seq2SeqForecaster(horizon=64, season_length=1, random_state=0),
}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.mission("M38")
def test_errors_of_an_autoregression_grow_as_theory_says(strategy: str) -> None:
    y = ar1(9000, seed=0)
    found = by_step(STRATEGIES[strategy], y, 64, 4000)
    values, origins = y.to_numpy(), np.arange(9000 - 64 - 4000, 9000 - 64)
    for k in (1, 4, 16, 64):
        best = np.mean((values[origins + k] - 0.9**k * values[origins]) ** 2)
        assert found[k] == pytest.approx(best, rel=0.05)


@pytest.mark.slow
@pytest.mark.mission("M38")
def test_the_best_errors_of_an_autoregression_are_the_formulas() -> None:
    # over more series than one, whose origins see the same shocks, the best is the formula's
    many = np.array([ar1(200, seed=seed).to_numpy() for seed in range(1, 4001)])
    for k in (1, 4, 16, 64):
        best = np.mean((many[:, 100 + k] - 0.9**k * many[:, 100]) ** 2)
        assert best == pytest.approx(ar1_floor(0.9, 1.0, k), rel=0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::forecast.ForecastWarning")
@pytest.mark.parametrize(
    "model",
    [
        MLPForecaster(horizon=1, season_length=1, context_length=32, random_state=0),
        MarkovForecaster(order=32, horizon=1),
        Seq2SeqForecaster(horizon=64, season_length=1, random_state=0),
    ],
    ids=["MLP", "Markov", "Seq2Seq"],
)
@pytest.mark.mission("M38")
def test_errors_on_a_noisy_sine_grow_from_the_noise_on(model: Any) -> None:
    y = noisy_sine(6000, seed=0)
    noise = y.to_numpy() - noisy_sine(6000, sigma=0.0, seed=0).to_numpy()
    found = by_step(model, y, 64, 200)[[1, 4, 16, 64]]
    # the targets of two steps are not the same 200 values
    assert (found.diff().dropna() > -0.04 * np.sqrt(2 / 200)).all()
    assert found[64] > 1.5 * found[1]
    # below the noise of the values themselves would be a leak
    assert found[1] > np.mean(noise[-263:-63] ** 2)


@pytest.mark.slow
@pytest.mark.mission("M38")
def test_errors_in_chaos_grow_fourfold_until_nothing_is_known() -> None:
    x = [0.3]
    for _ in range(4299):
        x.append(4 * x[-1] * (1 - x[-1]))  # the logistic map: errors double at every step
    nearest = MarkovForecaster(order=1, horizon=1, regressor=KNeighborsRegressor(3))
    found = by_step(nearest, pd.Series(x[300:]), 12, 400)
    small = found[found < 0.01]
    assert len(small) >= 5
    assert (small.iloc[-1] / small.iloc[0]) ** (1 / (len(small) - 1)) >= 4
    assert found.iloc[-1] > 0.2  # saturated: the variance is .125, of a difference .25
