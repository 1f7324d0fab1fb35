"""What every forecaster owes its user; a new class is held to it as soon as its file exists.

Training is cut to a few steps: nothing here asks whether a forecast is good.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import io
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import forecast
from forecast.engine import training
from forecast.evaluation.backtest import backtest
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.neural.base import NeuralForecaster
from forecast.forecasters.registry import SYMBOLIC
from tests.checks import ForecasterCase, forecaster_cases, numbers_of, same_frames, slow_variants

pytestmark = [
    pytest.mark.filterwarnings("ignore::forecast._checks.ForecastWarning"),
    pytest.mark.usefixtures("little_effort"),
]
CASES = forecaster_cases()
# an RNN is an LSTM with another cell
ALIKE = ("RNNForecaster",)
every_forecaster = pytest.mark.parametrize("case", slow_variants(CASES, ALIKE))
every_neural = pytest.mark.parametrize("case", slow_variants([c for c in CASES if c.neural], ALIKE))
# one more panel of what the others hold already
LATER = functools.partial(pytest.param, marks=pytest.mark.slow)
LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)


def monthly(length: int = 96) -> pd.Series:
    t = np.arange(length)
    values = 50 + 10 * np.sin(2 * np.pi * t / 12) + np.random.default_rng(1).normal(size=length)
    return pd.Series(values, pd.date_range("2015-01", periods=length, freq="MS"), name="sales")


def hourly(length: int = 200) -> pd.Series:
    """Return days of hours with gaps: recurrent forecasters read them in patches of 12."""
    t = np.arange(length)
    values = 5 + np.cos(2 * np.pi * t / 24) + 0.2 * np.random.default_rng(2).normal(size=length)
    y = pd.Series(values, pd.date_range("2024-03-01", periods=length, freq="h"), name="load")
    return y.mask(np.isin(t, [40, 41, 42, 150, 155, 171]))


def wide(length: int = 96) -> pd.DataFrame:
    return pd.DataFrame({"A": monthly(length), "B": 3 * monthly(length)[::-1].to_numpy() + 7})


def ragged() -> pd.DataFrame:
    """Return three series of unequal starts, ends and sizes, one with a gap, as a long frame."""
    parts = {
        "long": monthly(90),
        "late": 1e4 * monthly(90)[30:].drop(monthly(90).index[[60, 61, 62]]),
        "short": 1e-3 * monthly(90)[70:84],
    }
    frame = pd.concat(parts, names=["unique_id", "ds"]).rename("y")
    return frame.reset_index()


DATA = {"monthly": monthly, "hourly": hourly, "wide": wide, "ragged": ragged}


@functools.cache
def trained(name: str, data: str) -> Any:
    """Return a fitted forecaster that no test may change."""
    case = next(case for case in CASES if str(case) == name)
    return case.build(horizon=12).fit(DATA[data]())


def fitted(case: ForecasterCase, data: str = "monthly") -> Any:
    """Return a fitted forecaster of one's own."""
    return copy.deepcopy(trained(str(case), data))


def answers(model: Any, horizon: int = 15) -> list[Any]:
    """Return everything that a forecaster can be asked."""
    return [
        model.predict(horizon),
        model.predict_quantiles(horizon - 3, levels=LEVELS),
        model.sample(horizon, n_samples=7, random_state=3),
    ]


def same_answers(model: Any, other: Any, rtol: float = 0.0) -> None:
    for left, right in zip(answers(model), answers(other), strict=True):
        same_frames(left, right, rtol)


def test_the_suite_finds_the_forecasters() -> None:
    exported = {name for name in forecast.__all__ if name.endswith("Forecaster")}
    of_words = {one.forecaster for one in SYMBOLIC}  # theirs is in symbols/
    assert {case.kind.__name__ for case in CASES} >= exported - of_words


def test_whoever_learns_a_network_trains_on_and_nobody_else() -> None:
    for case in CASES:
        assert hasattr(case.kind, "partial_fit") == issubclass(case.kind, NeuralForecaster), case


# scikit-learn's manners


@every_forecaster
@pytest.mark.mission("M43")
def test_init_only_stores_and_clone_forgets(case: ForecasterCase) -> None:
    model = case.build(horizon=7, season_length=12)
    assert set(vars(model)) == set(model.get_params(deep=False)) == set(case.kind().get_params())
    assert model.get_params()["horizon"] == 7
    learned = clone(model).fit(monthly())
    twin = clone(learned)
    assert repr(twin) == repr(model) and set(vars(twin)) == set(vars(model))
    for name, value in case.kind().get_params(deep=False).items():
        other = object()
        assert getattr(twin.set_params(**{name: other}), name) is other
        assert twin.set_params(**{name: value}) is twin
    with pytest.raises(ValueError, match="Invalid parameter 'hiden_size'"):
        model.set_params(hiden_size=3)
    with pytest.raises(TypeError, match="hiden_size"):
        case.kind(hiden_size=3)


@every_forecaster
@pytest.mark.mission("M43")
def test_repr_names_what_was_changed_and_nothing_else(case: ForecasterCase) -> None:
    assert repr(case.kind()) == f"{case.kind.__name__}()"
    assert repr(case.kind(horizon=7)) == f"{case.kind.__name__}(horizon=7)"
    assert set(inspect.signature(case.kind).parameters) == set(case.kind().get_params(deep=False))


@every_forecaster
@pytest.mark.mission("M43")
def test_nothing_is_answered_before_fit(case: ForecasterCase, tmp_path: Any) -> None:
    model, y = case.build(), monthly()
    calls = [
        lambda: model.predict(3),
        lambda: model.predict_quantiles(3),
        lambda: model.predict_interval(3),
        lambda: model.sample(3),
        lambda: model.update(y),
        lambda: model.score(y),
        lambda: model.plot(3),
        lambda: model.save(tmp_path / "x"),
    ]
    for call in calls:
        with pytest.raises(NotFittedError, match=f"{case.kind.__name__} instance is not fitted"):
            call()


@every_forecaster
@pytest.mark.mission("M43")
def test_copies_forecast_alike_and_live_apart(case: ForecasterCase) -> None:
    model, new = fitted(case, "hourly"), hourly(210)[200:]
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    before = model.predict(5)
    for twin in (pickle.loads(pickle.dumps(model)), joblib.load(file), copy.copy(model)):
        same_answers(twin, model)
        twin.update(new)
        same_frames(model.predict(5), before)
    unfitted = pickle.loads(pickle.dumps(case.build()))
    assert repr(unfitted) == repr(case.build())


@every_forecaster
@pytest.mark.mission("M43")
def test_saved_and_loaded_it_goes_on(case: ForecasterCase, tmp_path: Any) -> None:
    model = fitted(case, "ragged")
    if not case.savable:
        with pytest.raises(ValueError, match="joblib"):
            model.save(tmp_path / "a.model")
        return
    model.save(tmp_path / "a.model")
    twin = forecast.load(tmp_path / "a.model")
    assert type(twin) is type(model) and twin.get_params() == model.get_params()
    assert set(vars(twin)) == set(vars(model))
    same_answers(twin, model)
    for new in news("ragged"):
        same_frames(twin.update(new).predict(9), model.update(new).predict(9), 1e-5)


@every_forecaster
def test_same_seed_same_bits_and_no_leftovers(case: ForecasterCase) -> None:
    first = case.build(horizon=12).fit(monthly())
    same_answers(first, fitted(case))
    first.fit(hourly(100)).update(hourly(110)[100:])
    first.fit(wide(), pd.DataFrame({"x": np.arange(96.0)}, monthly().index))
    same_answers(first.fit(monthly()), fitted(case))
    assert set(vars(first)) == set(vars(fitted(case)))


@every_neural
def test_another_seed_other_weights(case: ForecasterCase) -> None:
    # peers reseed the global generator, or start a second model from the weights of the first
    other = case.build(horizon=12, random_state=1).fit(monthly())
    assert not np.allclose(other.predict(12), fitted(case).predict(12), rtol=1e-7)
    free = [case.build(random_state=None).fit(monthly()).predict(5) for _ in range(2)]
    assert not free[0].equals(free[1])


def world() -> list[Any]:
    """Return the global settings that a library has no business with."""
    return [
        pickle.dumps(np.random.get_state()),  # noqa: NPY002
        random.getstate(),
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        np.geterr(),
    ]


@every_forecaster
def test_the_world_and_the_inputs_stay_as_they_were(case: ForecasterCase) -> None:
    y, X = wide(100), pd.DataFrame({"x": np.arange(130.0)}, monthly(130).index)
    before, kept = world(), (y.copy(), X.copy())
    model = case.build().fit(y[:90], X)
    model.update(y[90:], X)
    answers_with_X = [model.predict(5, X), model.sample(5, X), model.predict_interval(5, X)]
    assert len(answers_with_X) == 3
    assert world() == before
    for frame, copied in zip((y, X), kept, strict=True):
        pd.testing.assert_frame_equal(frame, copied, check_exact=True)
        assert frame.index.freq == copied.index.freq


@every_forecaster
@pytest.mark.parametrize("data", [LATER("wide"), "hourly"])
def test_asking_changes_nothing_and_threads_agree(case: ForecasterCase, data: str) -> None:
    model = fitted(case, data)
    model.update(wide(100)[96:] if data == "wide" else hourly(203)[200:])
    expected, before = answers(model), joblib.hash(vars(model))
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda _: answers(model), range(2)):
            for left, right in zip(found, expected, strict=True):
                same_frames(left, right)
    assert joblib.hash(vars(model)) == before


# Fit and update


def news(data: str) -> list[Any]:
    """Return values that come after the history: one, several, after a gap; ragged ones too."""
    if data == "ragged":
        month = monthly(110)
        first = {"long": month[90:92], "late": 1e4 * month[90:95], "short": 1e-3 * month[86:90]}
        second = {"long": month[92:97], "late": 1e4 * month[97:98], "short": 1e-3 * month[90:91]}
        frames = [pd.concat(part, names=["unique_id", "ds"]) for part in (first, second)]
        return [frame.rename("y").reset_index() for frame in frames]
    size = len(DATA[data]())
    later = DATA[data](size + 40)[size:]
    return [later[:1], later[1:8], later[10:11], later[11:37], later[37:].mask(later[37:] == 0)]


@every_forecaster
@pytest.mark.parametrize("data", [LATER("monthly"), "hourly", LATER("wide"), LATER("ragged")])
@pytest.mark.mission("M22")
def test_update_equals_reading_everything_anew(
    case: ForecasterCase, data: str, tmp_path: Any
) -> None:
    if not case.savable:
        pytest.skip("a file is how the same weights read the history again")
    model = fitted(case, data)
    for new in news(data):
        model.update(new)
        model.save(tmp_path / "a.model")
        anew = forecast.load(tmp_path / "a.model")
        same_frames(anew.predict(15), model.predict(15), 1e-5)
    same_answers(anew, model, 1e-5)


@every_forecaster
@pytest.mark.parametrize("data", [LATER("monthly"), "hourly", "wide"])
def test_updates_in_parts_equal_one_update(case: ForecasterCase, data: str) -> None:
    size = len(DATA[data]())
    new = DATA[data](size + 30)[size:]
    whole, parts = fitted(case, data).update(new), fitted(case, data)
    for first, last in ((0, 1), (1, 2), (2, 15), (15, 30)):
        parts.update(new[first:last])
    same_answers(whole, parts, 1e-5)


@every_forecaster
@pytest.mark.parametrize(("data", "step"), [LATER("monthly", 1), ("hourly", 5), ("wide", 12)])
def test_forecasts_from_many_origins_equal_those_of_updates(
    case: ForecasterCase, data: str, step: int
) -> None:
    history = DATA[data]()
    size = len(history)
    table = pd.concat([history, DATA[data](size + 40)[size:]])
    moments = size + step * np.arange(3)
    model = fitted(case, data)
    n = model.panel_.n_series
    origins = np.repeat(moments[:, None], n, 1)
    points, quantiles = model.predict_at(table, origins=origins, horizon=12, levels=LEVELS)
    same_answers(model, trained(str(case), data))
    for k, moment in enumerate(moments):
        if k:
            model.update(table[moment - step : moment])
        np.testing.assert_allclose(points[k].T.ravel(), np.ravel(model.predict(12)), rtol=1e-5)
        expected = np.reshape(model.predict_quantiles(12, levels=LEVELS), (12, n, len(LEVELS)))
        np.testing.assert_allclose(quantiles[k].swapaxes(0, 1), expected, rtol=1e-5)


@every_forecaster
def test_an_interrupted_fit_leaves_the_old_model(
    case: ForecasterCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, before = fitted(case), world()
    for verb in ("_fit", "_update"):
        whole = getattr(case.kind, verb)

        def cut(self: Any, *given: Any, whole: Any = whole) -> None:
            whole(self, *given)
            raise KeyboardInterrupt

        monkeypatch.setattr(case.kind, verb, cut)
    for attempt in (lambda: model.fit(hourly()), lambda: model.update(monthly(99)[96:])):
        with pytest.raises(KeyboardInterrupt):
            attempt()
        same_answers(model, trained(str(case), "monthly"))
        assert set(vars(model)) == set(vars(trained(str(case), "monthly")))
    assert world() == before


@every_neural
def test_ctrl_c_inside_training_leaves_the_old_model(
    case: ForecasterCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, before, steps = fitted(case), world(), []

    def clip(*given: Any) -> Any:
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return original(*given)

    original = training.clip
    monkeypatch.setattr(training, "clip", clip)
    with pytest.raises(KeyboardInterrupt):
        model.fit(hourly())
    same_answers(model, trained(str(case), "monthly"))
    assert world() == before
    unfitted = case.build()
    steps.clear()
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(monthly())
    with pytest.raises(NotFittedError):
        unfitted.predict(3)


# Forecasts


@every_forecaster
@pytest.mark.parametrize("data", [LATER("wide"), "hourly"])
def test_a_short_forecast_is_the_beginning_of_a_long_one(case: ForecasterCase, data: str) -> None:
    model = fitted(case, data)
    long, paths = model.predict(40), model.sample(40, n_samples=5, random_state=1)
    for horizon in (1, 11, 12, 13, 25):
        same_frames(model.predict(horizon), long[:horizon], 1e-6)
        same_frames(model.sample(horizon, n_samples=5, random_state=1), paths[:horizon], 1e-6)
    assert np.isfinite(long.to_numpy()).all() and np.isfinite(paths.to_numpy()).all()


@every_forecaster
@pytest.mark.parametrize("data", [LATER("monthly"), "hourly"])
def test_quantiles_increase_and_agree_with_each_other(case: ForecasterCase, data: str) -> None:
    model = fitted(case, data)
    fine = tuple(np.round(np.linspace(0.01, 0.99, 33), 4))
    quantiles = model.predict_quantiles(30, levels=fine)
    assert quantiles.shape == (30, 33) and quantiles.columns.tolist() == list(fine)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (quantiles[fine[-1]] > quantiles[fine[0]]).all()
    interval = model.predict_interval(30, coverage=0.8)
    pair = model.predict_quantiles(30, levels=(0.1, 0.5, 0.9))
    np.testing.assert_allclose(interval, pair[[0.1, 0.9]], rtol=1e-12)
    assert ((interval["lower"] <= pair[0.5]) & (pair[0.5] <= interval["upper"])).all()
    wider = model.predict_interval(30, coverage=0.95)
    assert (wider["lower"] <= interval["lower"]).all()
    assert (wider["upper"] >= interval["upper"]).all()
    paths = model.sample(30, n_samples=11, random_state=0)
    assert paths.shape == (30, 11) and np.isfinite(paths.to_numpy()).all()
    assert not model.sample(30, n_samples=11, random_state=1).equals(paths)


@every_forecaster
def test_paths_and_quantiles_tell_of_one_distribution(case: ForecasterCase) -> None:
    # peers that feed back the mean, or join quantiles along it, fail here beyond the first block
    model = fitted(case)
    paths = model.sample(30, n_samples=2000, random_state=0).to_numpy()
    levels = (0.1, 0.25, 0.5, 0.75, 0.9)
    quantiles = model.predict_quantiles(30, levels=levels).to_numpy()
    width = (quantiles[:, -1] - quantiles[:, 0])[:, None]
    drift = (np.quantile(paths, levels, axis=1).T - quantiles) / width
    assert abs(drift).max() < 0.2  # few past errors to draw from make wide steps


@every_forecaster
@pytest.mark.parametrize(
    ("horizon", "error"),
    [(0, ValueError), (-3, ValueError), (2.5, TypeError), (True, TypeError), ("12", TypeError)],
)
def test_a_bad_horizon_is_named(case: ForecasterCase, horizon: Any, error: Any) -> None:
    model = trained(str(case), "monthly")
    message = f"`horizon` must be a positive integer, got {horizon!r}."
    for verb in ("predict", "predict_quantiles", "predict_interval", "sample", "plot"):
        with pytest.raises(error) as caught:
            getattr(model, verb)(horizon)
        assert str(caught.value) == message
    with pytest.raises(error) as caught:
        case.build(horizon=horizon).fit(monthly())
    assert str(caught.value) == message


def in_double(model: Any) -> Any:
    """Return a forecaster whose network calculates in float64: sums then hide no difference."""
    if hasattr(model, "model_"):
        model.model_.double()
        model.model_.reader = dataclasses.replace(model.model_.reader, dtype=torch.float64)
    if hasattr(model, "network_"):
        model.network_ = copy.deepcopy(model.network_).double()
    if hasattr(model, "members_"):
        model.members_ = {name: in_double(one) for name, one in model.members_.items()}
    return model


@every_forecaster
@pytest.mark.mission("M36")
def test_a_ragged_panel_equals_one_by_one(case: ForecasterCase) -> None:
    """Each series as if alone, and no bit moves when those beside it in memory become 1e9."""
    y = ragged()
    plain = {"calendar": False} if case.neural else {}  # the calendar is float32
    model = in_double(case.build(horizon=12, season_length=12, **plain).fit(y))
    local = type(model)._apply is BaseForecaster._apply

    def forecast(rows: pd.DataFrame) -> pd.Series:
        fresh = clone(model).fit(rows) if local else model.apply(rows)
        return fresh.predict(15).set_index(["unique_id", "ds"])["y"]

    whole = forecast(y)
    for name, own in y.groupby("unique_id"):
        same_frames(whole[[name]], forecast(own), 1e-10)
        if not local:
            loud = y.assign(y=y["y"].where(y["unique_id"] == name, 1e9))
            same_frames(forecast(loud)[[name]], whole[[name]])


# The origin


@every_forecaster
@pytest.mark.mission("M09")
def test_what_comes_later_is_never_read(case: ForecasterCase) -> None:
    y = wide(120)
    X = pd.DataFrame({"x": np.random.default_rng(0).normal(size=120)}, y.index)
    tables = []
    for poisoned in (False, True):
        later, known = y.copy(), X.copy()
        if poisoned:
            later.iloc[84:] = 1e6 * np.random.default_rng(9).normal(size=(36, 2))
            known.iloc[96:] = 1e6
        model = case.build(horizon=12, season_length=12)
        tables.append(backtest(model, later, 12, X=known, n_windows=4, quantiles=(0.1, 0.9)))
    table, other = (table.drop(columns="y") for table in tables)
    early = table["cutoff"] <= y.index[83]
    assert early.sum() == 2 * 2 * 12  # origins, series, steps
    pd.testing.assert_frame_equal(table[early], other[early], check_exact=True)
    assert not table[~early].equals(other[~early])


@every_forecaster
@pytest.mark.mission("M09")
def test_rows_behind_the_origin_in_memory_are_not_read(case: ForecasterCase) -> None:
    # a slice of a frame shares its memory with what comes after it
    whole = monthly(130)
    whole.iloc[96:] = np.nan
    same_answers(case.build(horizon=12).fit(whole[:96]), fitted(case))
    whole.iloc[96:] = 1e300
    same_answers(case.build(horizon=12).fit(whole[:96]), fitted(case))


@every_forecaster
@pytest.mark.mission("M09")
def test_a_series_changes_nothing_once_trained(case: ForecasterCase) -> None:
    model, other = fitted(case, "wide"), fitted(case, "wide")
    new = wide(100)[96:]
    louder = new.assign(B=-100 * new["B"])
    same_frames(model.update(new).predict(9)["A"], other.update(louder).predict(9)["A"], 1e-6)
    assert abs(model.predict(9)["B"] - other.predict(9)["B"]).max() > 0.01


def test_numbers_of_reads_every_kind() -> None:
    assert numbers_of([pd.Series([1.0]), pd.Series([2.0])]).tolist() == [1.0, 2.0]
