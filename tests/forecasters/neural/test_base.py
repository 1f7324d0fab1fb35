"""What only forecasters with a network promise: levels and trends, constant cost, warnings."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.signal import lfilter
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from forecast._checks import ForecastWarning
from forecast.data.synthetic import ar1, noisy_sine, random_walk
from forecast.engine.reader import Reader
from forecast.engine.validation import Validation
from forecast.evaluation.backtest import backtest
from forecast.forecasters.loading import load
from forecast.forecasters.neural import fitting
from forecast.forecasters.neural.recurrent import LSTMForecaster, RNNForecaster
from forecast.forecasters.window.markov import MarkovForecaster
from forecast.forecasters.window.mlp import MLPForecaster
from tests.checks import ForecasterCase, forecaster_cases, reads, same_frames

FAMILY = [MLPForecaster, RNNForecaster, LSTMForecaster]
QUICK = {"hidden_size": 8, "max_epochs": 1, "n_estimators": 1, "random_state": 0}
quiet = pytest.mark.filterwarnings("ignore::forecast._checks.ForecastWarning")
every_kind = pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)


def monthly(length: int = 120) -> pd.Series:
    t = np.arange(length)
    values = 50 + 10 * np.sin(2 * np.pi * t / 12) + np.random.default_rng(1).normal(size=length)
    return pd.Series(values, pd.date_range("2015-01", periods=length, freq="MS"), name="sales")


# Levels and trends (peers: an LSTM cannot forecast 1, 2, 3, 4, 5 ...)

STRAIGHT = np.arange(1.0, 209)
WAVE = np.sin(2 * np.pi * np.arange(132) / 12)


SERIES = {
    "1 ... 60": STRAIGHT[:68],
    "1 ... 200": STRAIGHT,
    "constant": np.full(68, 7.0),
    "large": 1e9 + WAVE,
    "small": 1e-9 * WAVE,
}
# In steps of the straight lines, amplitudes of the waves, the constant itself
TOLERANCES = {"1 ... 60": 0.05, "1 ... 200": 0.05, "constant": 5e-3, "large": 0.02, "small": 0.02}
UNITS = {"constant": 7.0, "small": 1e-9}
every_series = pytest.mark.parametrize("name", SERIES)


def error(kind: Any, name: str, **options: Any) -> float:
    """Return the largest error of the next 8 steps, in units of the series."""
    y = SERIES[name]
    model = kind(random_state=0, season_length=12 if name in ("large", "small") else 1, **options)
    forecast = model.fit(pd.Series(y[:-8])).predict(8)
    return float(abs(forecast - y[-8:]).max() / UNITS.get(name, 1.0))


@pytest.mark.slow
@quiet
@pytest.mark.parametrize(
    "name",
    ["constant", *(pytest.param(n, marks=pytest.mark.slow) for n in SERIES if n != "constant")],
)
def test_an_lstm_goes_on_with_levels_and_trends_after_a_short_training(name: str) -> None:
    # the averaged weights follow those of the steps by about an epoch
    assert error(LSTMForecaster, name, max_epochs=8, learning_rate=5e-3) < TOLERANCES[name]


@pytest.mark.slow
@quiet
@every_kind
@every_series
def test_levels_and_trends_go_on_at_the_default_settings(kind: Any, name: str) -> None:
    assert error(kind, name) < TOLERANCES[name]


# Parameters


@quiet
@pytest.mark.mission("M13")
def test_a_window_costs_weights_and_a_state_does_not(few_steps: None) -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=600))
    counts = {}
    for kind in FAMILY:
        for length in (10, 11, 30, 60):
            model = kind(context_length=length, season_length=1, horizon=5, **QUICK).fit(y)
            counts[kind, length] = model.n_parameters_
            assert model.n_parameters_ == sum(p.numel() for p in model.model_.parameters() if
                                              p.requires_grad)  # fmt: skip
    per_value = 2 * 8  # a value and its observed flag, to every hidden unit
    for length in (11, 30, 60):
        grown = counts[MLPForecaster, length] - counts[MLPForecaster, 10]
        assert grown == (length - 10) * per_value
        for kind in (RNNForecaster, LSTMForecaster):
            assert counts[kind, length] == counts[kind, 10]
    # m inputs, n units, torch's two biases; the readout writes q numbers from n features:
    # nine quantiles, the weights of last value, it along the trend, mean so far, and level
    m, n, q = 2 * 4 + 2, 8, 5 * (9 + 3 + 1)
    cell = n * m + n * n + 2 * n
    assert counts[RNNForecaster, 10] == cell + n * q + q
    assert counts[LSTMForecaster, 10] == 4 * cell + n * q + q


@quiet
@every_kind
@pytest.mark.mission("M13")
def test_trained_with_thirty_values_it_predicts_three_hundred_steps(
    kind: Any, few_steps: None
) -> None:
    y = noisy_sine(400, period=20, sigma=0.1, seed=0)
    model = kind(context_length=30, season_length=20, horizon=10, **QUICK).fit(y)
    before = model.n_parameters_
    far = model.predict(300)
    assert np.isfinite(far).all() and abs(far).max() < 3
    assert model.n_parameters_ == before


# One step again and again


@quiet
@every_kind
@pytest.mark.parametrize("horizon", [pytest.param(1, marks=pytest.mark.slow), 6])
@pytest.mark.mission("M37")
def test_forecast_is_block_after_block_with_the_forecast_fed_back(
    kind: Any, horizon: int, few_steps: None
) -> None:
    X = pd.DataFrame({"x": np.random.default_rng(0).normal(size=160)}, monthly(160).index)
    model = kind(horizon=horizon, **QUICK).fit(monthly(), X)
    whole = model.predict(4 * horizon, X)
    hold_spread(model)
    for block in range(4):
        part = model.predict(horizon, X)
        same_frames(part, whole[block * horizon : (block + 1) * horizon], 1e-5)
        model.update(part, X)


def hold_spread(model: Any) -> None:
    """Let a forecaster read in the spread of now for ever, as a rollout does by design."""
    scale = model.model_.reader.newest(model.stream_.memory).scale

    class Held(Reader):
        def _scales(self, memory: Any, columns: Any, spread: Any = None) -> Any:
            return super()._scales(memory, columns, scale.spread)

    reader = model.model_.reader
    options = {field.name: getattr(reader, field.name) for field in dataclasses.fields(reader)}
    model.model_.reader = Held(**options)


@pytest.mark.parametrize("order", [1, 5])
@pytest.mark.mission("M37")
def test_markov_to_the_last_digits(order: int) -> None:
    model = MarkovForecaster(order=order).fit(monthly())
    whole = model.predict(30)
    for step in range(30):
        same_frames(model.predict(1), whole[step : step + 1], 1e-10)
        model.update(whole[step : step + 1])


# Updates


@quiet
@pytest.mark.parametrize("kind", [RNNForecaster, LSTMForecaster])
@pytest.mark.parametrize("length", [60, 900])
@pytest.mark.mission("M22")
def test_an_update_is_one_cell_call_whatever_the_history(
    kind: Any, length: int, few_steps: None
) -> None:
    hours = pd.date_range("2024", periods=length + 3, freq="h")
    y = pd.Series(np.sin(np.arange(length + 3) * np.pi / 12), hours)
    model = kind(horizon=6, num_layers=2, **QUICK).fit(y[:length])
    model.update(y[length : length + 1])  # reads the other phases once
    seen = [reads(layer) for layer in model.model_.network.members[0].layers]
    sizes = [part.shape for part in (*model.stream_.memory, model.stream_.features)]
    for step in (1, 2):
        model.update(y[length + step : length + step + 1])
    assert seen == [[(1, 1)] * 2] * 2  # two layers, two values
    assert [part.shape for part in (*model.stream_.memory, model.stream_.features)] == sizes
    assert len(model.stream_.phases) == model.recipe_.patch == 6


@quiet
def test_a_new_value_moves_the_very_next_forecast(few_steps: None) -> None:
    # peers whose forecast reads old outputs of a causal network miss the newest values
    for kind in FAMILY:
        model = kind(horizon=8, **QUICK).fit(monthly())
        later = monthly(121)[120:]
        moved = [model.predict(8)]
        for shock in (0.0, 5.0):
            twin = kind(horizon=8, **QUICK).fit(monthly()).update(later + shock)
            moved.append(twin.predict(8))
        assert (abs(moved[2] - moved[1]) > 1e-3).all()


@quiet
def test_the_history_is_read_once_for_all_paths(few_steps: None) -> None:
    # peers tile the inputs and read the same history once per path
    model = LSTMForecaster(horizon=6, **QUICK).fit(monthly())
    rows: list[tuple[int, ...]] = []
    for layer in model.model_.network.members[0].layers:
        layer.register_forward_hook(lambda module, given, out: rows.append(given[0].shape[:2]))
    model.sample(6, n_samples=50)
    assert rows == []  # the state of the origin is all a first block needs
    model.sample(12, n_samples=50)
    assert [tuple(shape) for shape in rows] == [(50, 6)]  # fed back, nothing more


@quiet
@every_kind
def test_an_all_zero_context_does_not_explode(kind: Any, few_steps: None) -> None:
    demand = np.zeros(200)
    demand[np.random.default_rng(0).choice(150, 20, replace=False)] = 4.0
    model = kind(horizon=6, season_length=1, **QUICK).fit(pd.Series(demand))
    for forecast in (model.predict(30), model.sample(30, n_samples=50, random_state=0)):
        assert np.isfinite(forecast).all(axis=None) and abs(forecast).max(axis=None) < 40
    awake = model.update(pd.Series([3.0, 5.0], index=[200, 201])).predict(6)
    assert abs(awake).max() < 40


@quiet
@pytest.mark.mission("M43")
@pytest.mark.slow
def test_grid_search_finds_the_planted_context() -> None:
    # two noisy values do not tell where in the cycle they are
    search = GridSearchCV(
        MLPForecaster(horizon=8, season_length=1, max_epochs=3, random_state=0),
        {"context_length": [2, 16]},
        cv=TimeSeriesSplit(2, test_size=16),
    ).fit(noisy_sine(250, period=8, sigma=0.3, seed=0))
    assert search.best_params_ == {"context_length": 16}
    spread = search.cv_results_["mean_test_score"]
    assert spread[1] > spread[0] + 0.1
    assert len(search.predict(4)) == 4


# Training on


@quiet
def test_training_on_absorbs_new_values_and_learns_from_all(few_steps: None) -> None:
    y = monthly(121)
    before = RNNForecaster(**QUICK).fit(y[:120])
    model, updated = copy.deepcopy(before), copy.deepcopy(before).update(y[120:])
    assert model.partial_fit(y[120:]) is model
    assert np.array_equal(model.panel_.values, y) and model.bounds_ == updated.bounds_
    assert model.history_["epoch"].tolist() == [1, 2]
    for old, new in zip(before.model_.parameters(), model.model_.parameters(), strict=True):
        assert not torch.equal(old, new) or not new.requires_grad
    stays = before.model_.noise_factor, updated.model_.noise_factor  # the width of bands
    assert all(torch.equal(factor, model.model_.noise_factor) for factor in stays)
    anew = copy.deepcopy(model).apply(y)  # the state is that of the new weights
    same_frames(model.predict(3), anew.predict(3), 1e-5)
    same_frames(copy.deepcopy(before).partial_fit(y[120:]).predict(), model.predict())
    same_frames(before.partial_fit().update(y[120:]).predict(3), before.predict(3))
    assert before.history_["epoch"].tolist() == [1, 2]


@quiet
def test_before_fit_training_on_is_fit_and_a_failure_changes_nothing(few_steps: None) -> None:
    y = monthly()
    with pytest.raises(NotFittedError):
        RNNForecaster(**QUICK).partial_fit()
    model = RNNForecaster(**QUICK).partial_fit(y)
    same_frames(model.predict(), RNNForecaster(**QUICK).fit(y).predict())
    state = copy.deepcopy(model.model_.state_dict())
    with pytest.raises(FloatingPointError):
        model.set_params(learning_rate=1e30).partial_fit()
    assert all(torch.equal(part, state[name]) for name, part in model.model_.state_dict().items())
    with pytest.raises(ValueError, match="must start after the history"):
        model.partial_fit(y)


# Records, silence, warnings


@quiet
def test_history_records_every_epoch(few_steps: None) -> None:
    model = LSTMForecaster(hidden_size=8, max_epochs=4, n_iter_no_change=9, random_state=0).fit(
        monthly()
    )
    history = model.history_
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history.columns.tolist() == [
        "epoch", "training_loss", "validation_loss", "learning_rate", "gradient_norm", "seconds",
    ]  # fmt: skip
    assert np.isfinite(history).all(axis=None)
    assert history["seconds"].is_monotonic_increasing


@quiet
def test_without_early_stopping_all_epochs_run_on_all_data(few_steps: None) -> None:
    options = {"max_epochs": 9, "n_iter_no_change": 1, "random_state": 0}
    stopped = LSTMForecaster(hidden_size=4, learning_rate=1e-12, **options)  # nothing improves
    assert len(stopped.fit(random_walk(90, seed=0)).history_) == 2
    ran = stopped.set_params(early_stopping=False).fit(random_walk(90, seed=0))
    assert len(ran.history_) == 9


@pytest.mark.filterwarnings("ignore::forecast.ForecastWarning")
def test_series_differ_in_width_only_by_values_that_were_held_out(few_steps: None) -> None:
    rng, t = np.random.default_rng(0), np.arange(96)
    waves = {f"wave{k}": np.sin(2 * np.pi * (t + k) / 12) for k in range(6)}
    y = pd.DataFrame(waves | {f"noise{k}": rng.normal(size=96) for k in range(6)})
    model = MLPForecaster(horizon=2, season_length=12, max_epochs=1, random_state=0)
    for early_stopping in (True, False):
        model.set_params(early_stopping=early_stopping).fit(y)
        assert (model.calibration_ is not None) == early_stopping


@pytest.mark.parametrize("calibration", [False, True])
def test_a_checkpoint_holds_the_best_weights_of_a_training_that_was_interrupted(
    calibration: bool, tmp_path: Any, few_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([2.0, 1.0, 3.0, 4.0, *[1.0] * 4])  # four epochs; then those of the calibration
    monkeypatch.setattr(Validation, "loss", lambda judge, model: next(losses, 1.0))
    options = QUICK | {"max_epochs": 4, "horizon": 6, "calibration": calibration}
    model = LSTMForecaster(checkpoint=str(tmp_path / "best"), **options).fit(monthly())
    kept = load(tmp_path / "best")
    assert kept.history_["validation_loss"].tolist() == [2.0, 1.0]
    same_frames(kept.predict(), model.predict())
    assert list(tmp_path.iterdir()) == [tmp_path / "best"]


@quiet
def test_what_is_fitted_in_a_search_or_a_backtest_leaves_the_checkpoint_alone(
    tmp_path: Any, few_steps: None
) -> None:
    y, options = monthly(), QUICK | {"horizon": 6}
    model = LSTMForecaster(checkpoint=str(tmp_path / "best"), **options)
    backtest(model, y, 6)
    GridSearchCV(model, {"hidden_size": [4, 8]}, cv=TimeSeriesSplit(2)).fit(y)
    assert list(tmp_path.iterdir()) == []
    assert clone(model).get_params() == LSTMForecaster(**options).get_params()


@quiet
def test_where_all_that_is_held_out_weighs_nothing_it_judges_as_without_weights(
    few_steps: None,
) -> None:
    y = monthly()
    weights = pd.Series(1.0, y.index)
    weights[-24:] = 0.0
    model, even = (
        LSTMForecaster(horizon=6, **QUICK | {"max_epochs": 4, "n_iter_no_change": 1}).fit(*given)
        for given in ((y, None, weights), (y,))
    )
    assert np.isfinite(model.history_["validation_loss"]).all()
    assert np.isfinite(model.predict_quantiles()).all(axis=None)
    assert not model.predict().equals(even.predict())


@quiet
def test_nothing_is_printed_unless_asked(
    few_steps: None, capfd: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    model = LSTMForecaster(**QUICK).fit(monthly())
    model.update(monthly(121)[120:]).predict(5)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
    LSTMForecaster(verbose=1, **QUICK).fit(monthly())
    assert "LSTMForecaster" in capfd.readouterr().err


def test_a_warning_says_when_naive_would_be_better(few_steps: None) -> None:
    walk = random_walk(300, seed=0)
    bad = LSTMForecaster(hidden_size=4, max_epochs=1, random_state=0)
    message = r"trained LSTMForecaster errs by \d\.\d+ spreads, a naive forecast by \d\.\d+: Naive"
    with pytest.warns(ForecastWarning, match=message) as caught:
        bad.fit(walk)
    assert caught[0].filename == __file__  # the line of the user


@pytest.mark.slow
def test_no_warning_where_the_network_is_better() -> None:
    model = MLPForecaster(max_epochs=6, random_state=0, horizon=4, season_length=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(noisy_sine(400, period=17.3, sigma=0.05, seed=0))


@quiet
def test_training_sees_nothing_of_the_validation_part(few_steps: None) -> None:
    y = monthly()
    other = y.copy()
    other.iloc[-12:] = 1e3 * np.random.default_rng(0).normal(size=12)
    options = QUICK | {"max_epochs": 3, "n_iter_no_change": 9, "horizon": 12}
    losses = [LSTMForecaster(**options).fit(data).history_ for data in (y, other)]
    assert losses[0]["training_loss"].equals(losses[1]["training_loss"])
    assert not losses[0]["validation_loss"].equals(losses[1]["validation_loss"])


# Point, head and other parameters


@quiet
@pytest.mark.parametrize("head", ["quantile", "normal", "mae", "mse", "huber"])
def test_predict_is_the_median_by_default_and_the_mean_on_request(
    head: str, few_steps: None
) -> None:
    assert LSTMForecaster().point == "median" and LSTMForecaster().head == "quantile"
    median = LSTMForecaster(head=head, horizon=12, **QUICK).fit(monthly())
    same_frames(
        median.predict(12), median.predict_quantiles(12, levels=(0.5,))[0.5].rename("sales"), 1e-6
    )
    mean = LSTMForecaster(head=head, point="mean", horizon=12, **QUICK).fit(monthly())
    paths = mean.sample(12, n_samples=4000, random_state=0)
    spread = paths.std(axis=1)
    if head in ("quantile", "normal"):
        assert (abs(paths.mean(axis=1) - mean.predict(12)) < 0.1 * spread).all()
    same_frames(mean.predict_quantiles(12), median.predict_quantiles(12))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"hidden_size": 0}, ValueError, "`hidden_size` must be a positive integer, got 0"),
        ({"num_layers": 1.5}, TypeError, "`num_layers` must be a positive integer, got 1.5"),
        ({"context_length": -2}, ValueError, "`context_length` must be a positive integer, got -2"),
        ({"dropout": 1.0}, ValueError, r"`dropout` must be a number in \[0, 1\), got 1.0"),
        (
            {"learning_rate": 0},
            ValueError,
            r"`learning_rate` must be a number in \(0, inf\), got 0",
        ),
        (
            {"validation_fraction": 1},
            ValueError,
            r"`validation_fraction` must be a number in \(0, 1",
        ),
        ({"head": "gauss"}, ValueError, "`head` must be one of 'quantile', 'normal'"),
        ({"point": "mode"}, ValueError, "`point` must be one of 'median', 'mean', got 'mode'"),
        ({"clip_norm": -1.0}, ValueError, "`clip_norm` must be a number"),
        ({"early_stopping": "no"}, TypeError, "`early_stopping` must be True or False, got 'no'"),
        ({"calendar": 1}, TypeError, "`calendar` must be True or False, got 1"),
        ({"verbose": -1}, ValueError, "`verbose` must be"),
        ({"device": "gpu"}, ValueError, "`device` must be"),
    ],
)
def test_bad_parameters_are_named(options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        LSTMForecaster(**options).fit(monthly())


@quiet
def test_training_is_in_single_precision(few_steps: None) -> None:
    model = LSTMForecaster(**QUICK).fit(monthly())
    assert {p.dtype for p in model.model_.parameters()} == {torch.float32}


@quiet
def test_calendar_and_covariates_reach_the_readout(few_steps: None) -> None:
    X = pd.DataFrame({"x": np.random.default_rng(0).normal(size=150)}, monthly(150).index)
    plain = LSTMForecaster(calendar=False, **QUICK).fit(monthly())
    assert plain.model_.readout.members[0].known_size == 0
    assert LSTMForecaster(**QUICK).fit(monthly()).model_.readout.members[0].known_size > 0
    model = LSTMForecaster(calendar=False, **QUICK).fit(monthly(), X)
    assert model.model_.readout.members[0].known_size == 1
    other = model.predict(5, X + 3)
    assert (abs(other - model.predict(5, X)) > 1e-6).all()


@pytest.mark.slow
@quiet
@every_kind
@pytest.mark.parametrize("lead", [0, 1], ids=["same row", "row before"])
@pytest.mark.mission("M49")
def test_a_changed_plan_is_answered_exactly(kind: Any, lead: int) -> None:
    """Linear plants, y_t = .9 y_{t-1} + .5 u_{t-lead} + e_t, each under two plans."""
    errors = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        u, values = rng.normal(size=1012), np.zeros(1012)
        for t in range(1, 1012):
            values[t] = 0.9 * values[t - 1] + 0.5 * u[t - lead] + 0.1 * rng.normal()
        y, X = pd.Series(values[:1000]), pd.DataFrame({"u": u})
        model = kind(horizon=12, season_length=1, random_state=seed).fit(y, X)
        # all of what two plans differ by, the response of all steps: 5 % of its norm
        other = X.copy()
        other.loc[1000:, "u"] = rng.normal(size=12)
        answer = (model.predict(12, other) - model.predict(12, X)).to_numpy()
        change = np.r_[np.zeros(lead), (other - X).loc[1000 : 1011 - lead, "u"]]
        exact = 0.5 * lfilter([1.0], [1.0, -0.9], change)
        errors.append(np.linalg.norm(answer - exact) / np.linalg.norm(exact))
    # measured: .029 to .042; of single plants .013 to .074
    assert np.mean(errors) < 0.05


def one_step_error(y: pd.Series, X: pd.DataFrame | None) -> float:
    model = LSTMForecaster(horizon=1, season_length=1, learning_rate=3e-3, random_state=0)
    table = backtest(model, y, 1, X=X, n_windows=300)
    return float(((table["y"] - table["y_hat"]) ** 2).mean())


@pytest.mark.slow
@quiet
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.mission("M51")
def test_irregular_time_is_told_by_the_time_that_passed(seed: int) -> None:
    """sin(.3 t) at random times: the covariate is the time since the last value."""
    rng = np.random.default_rng(seed)
    for gap in (rng.exponential(size=2500), np.ones(2500)):
        y = pd.Series(np.sin(0.3 * gap.cumsum()) + 0.1 * rng.normal(size=2500))
        told, untold = (one_step_error(y, X) for X in (pd.DataFrame({"dt": gap}), None))
        if gap.std():
            assert told < 0.5 * untold
        else:
            # two trainings differ by up to a tenth: .0114 and .0127 where the noise alone is .01
            assert told == pytest.approx(untold, rel=0.15)


# The canary: where nothing can be known, nobody may know it


def canary(case: ForecasterCase) -> Any:
    return case.build(horizon=1, season_length=1, **({"max_epochs": 4} if case.neural else {}))


SEEDS = range(10)
ONE_EACH = {case.kind: case for case in reversed(forecaster_cases())}.values()


@pytest.mark.slow
@quiet
@pytest.mark.parametrize("case", ONE_EACH, ids=str)
@pytest.mark.mission("M46")
def test_nobody_beats_naive_on_random_walks(case: ForecasterCase) -> None:
    errors, naive = [], []
    for seed in SEEDS:
        walk = random_walk(400, seed=seed)
        table = backtest(canary(case), walk, 1, n_windows=100)
        errors.append(np.sqrt(np.mean((table["y"] - table["y_hat"]) ** 2)))
        naive.append(np.sqrt(np.mean(walk.diff().iloc[-100:] ** 2)))
    assert np.mean(errors) >= 0.97 * np.mean(naive)


@pytest.mark.slow
@quiet
@pytest.mark.parametrize("case", ONE_EACH, ids=str)
@pytest.mark.mission("M46")
def test_a_shuffled_series_explains_nothing(case: ForecasterCase) -> None:
    scores = []
    for seed in SEEDS:
        y = ar1(500, phi=0.95, seed=seed)
        shuffled = pd.Series(np.random.default_rng(seed).permutation(y.to_numpy()))
        table = backtest(canary(case), shuffled, 1, n_windows=150)
        residual = np.mean((table["y"] - table["y_hat"]) ** 2)
        scores.append(1 - residual / np.var(table["y"]))
    assert np.mean(scores) <= 0.02


# Gaps and intermittent series: a scale that finds nothing to measure


@quiet
@every_kind
def test_a_long_gap_leaves_level_and_width(kind: type, few_steps: None) -> None:
    y = 1000 + monthly().sub(50)
    model = kind(horizon=12, **QUICK).fit(y)
    before = model.predict_interval(12)
    index = pd.date_range(y.index[-1], periods=51, freq="MS")[1:]
    model.update(pd.Series(np.nan, index, name="sales"))
    after = model.predict_interval(12)
    width = [(band["upper"] - band["lower"]).mean() for band in (before, after)]
    assert abs(after.mean().mean() - 1000) < 40
    assert 0.2 * width[0] < width[1] < 5 * width[0]


@quiet
@every_kind
@pytest.mark.parametrize("unit", [1e-6, pytest.param(1e6, marks=pytest.mark.slow)])
def test_intermittent_amounts_are_forecast_in_any_unit(
    kind: type, unit: float, few_steps: None
) -> None:
    rng = np.random.default_rng(0)
    # not counts: those are rounded, in the unit they have
    amounts = pd.Series((rng.random(400) < 0.05) * rng.uniform(1, 5, 400))
    plain = kind(horizon=8, **QUICK).fit(amounts).predict_quantiles(8)
    scaled = kind(horizon=8, **QUICK).fit(amounts * unit).predict_quantiles(8) / unit
    assert np.abs(plain.to_numpy()).max() < 10
    assert np.allclose(plain, scaled, atol=1e-3)


def test_float32_at_a_high_level_is_no_constant() -> None:
    rng = np.random.default_rng(0)
    y = pd.Series(1e6 + 5 * rng.normal(size=200))
    widths = [
        LSTMForecaster(horizon=8, **QUICK)
        .fit(data)
        .predict_interval(8)
        .diff(axis=1)["upper"]
        .mean()
        for data in (y, y.astype(np.float32))
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)


@pytest.mark.parametrize("seed", [1.5, -1, "a", np.random.RandomState(0)])  # noqa: NPY002
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="`random_state` must be an integer"):
        LSTMForecaster(random_state=seed).fit(monthly())


def test_holidays_without_the_calendar_are_refused():
    model = MLPForecaster(**QUICK, calendar=False, holidays="DE")
    with pytest.raises(ValueError, match="`holidays` belong to the calendar"):
        model.fit(monthly())


def test_what_diverged_is_refused_and_a_short_part_judges_nothing() -> None:
    with pytest.raises(FloatingPointError, match=r"LSTM errs by 2e\+04 spreads.*Lower `learning_r"):
        list(fitting.naive_is_better(2e4, 1.0, 2.0, "LSTM"))
    assert not list(fitting.naive_is_better(3.0, 1.0, 2.0, "LSTM"))
    assert "3 horizons in all" in next(fitting.naive_is_better(3.0, 1.0, 3.0, "LSTM"))
