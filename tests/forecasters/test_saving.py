"""What is saved is what is loaded; nothing else is ever run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from dateutil.tz import tzoffset
from sklearn.linear_model import Ridge
from sklearn.preprocessing import PowerTransformer

import forecast
from forecast.forecasters.classical.ets import ETSForecaster
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.loading import find_class, load
from forecast.forecasters.neural.recurrent import LSTMForecaster, RNNForecaster
from forecast.forecasters.registry import HOMES
from forecast.forecasters.window.markov import MarkovForecaster
from forecast.forecasters.window.mlp import MLPForecaster

VALUES = 20 + np.random.default_rng(0).normal(size=60).cumsum()
INDEXES = {
    "months": pd.date_range("2020-01-31", periods=60, freq="ME", name="when"),
    "hours": pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin"),
    "offset": pd.date_range("2024-03-30", periods=60, freq="D", tz="UTC+05:30"),
    "business": pd.date_range("2024-01-01", periods=60, freq="B"),
    "holidays": pd.date_range(
        "2024-01-01", periods=60, freq=pd.offsets.CustomBusinessDay(holidays=["2024-04-01"])
    ),
    "seconds": pd.date_range("2024-01-01", periods=60, freq="D").as_unit("s"),
    "periods": pd.period_range("2010Q1", periods=60, freq="Q-DEC"),
    "integers": pd.RangeIndex(5, 185, 3),
}


def series(index: str = "months") -> pd.Series:
    return pd.Series(VALUES, INDEXES[index], name="sales")


def long_frame() -> pd.DataFrame:
    wide = pd.DataFrame({"A": series(), "B": 2 * series()[:50]})
    long = wide.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
    return long.dropna()


KINDS: dict[str, Any] = {
    **{name: series(name) for name in INDEXES},
    "float32": series().astype(np.float32),
    "unnamed": series().rename(None),
    "gaps": series().mask(np.arange(60) % 7 == 3),
    "list": [series(), 3 * series()[:40].rename(7)],
    "wide": pd.DataFrame({"A": series(), 3: series() ** 2}).rename_axis(columns="store"),
    "long": long_frame(),
    "multi": long_frame().set_index(["unique_id", "ds"])["y"],
}
MODELS = [
    NaiveForecaster("seasonal", season_length=4),
    NaiveForecaster("drift", horizon=3),
    ETSForecaster(season_length=4),
    MarkovForecaster(order=3, season_length=4),
]


def same(left: Any, right: Any) -> None:
    if isinstance(left, list):
        for a, b in zip(left, right, strict=True):
            same(a, b)
    elif isinstance(left, pd.Series):
        pd.testing.assert_series_equal(left, right)
    else:
        pd.testing.assert_frame_equal(left, right)


@pytest.mark.filterwarnings("ignore:the clocks of Europe/Berlin")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [MODELS[0], MODELS[3]], ids=lambda m: type(m).__name__)
def test_any_kind_of_history_comes_back(model: Any, kind: str, tmp_path: Path) -> None:
    fitted = model.fit(KINDS[kind])
    fitted.save(tmp_path / "a.model")
    twin = load(tmp_path / "a.model")
    assert type(twin) is type(model)
    assert twin.get_params() == model.get_params()
    same(twin.predict(9), fitted.predict(9))
    same(twin.sample(3, random_state=1), fitted.sample(3, random_state=1))
    assert twin.freq_ == fitted.freq_ and twin.panel_.values.dtype == fitted.panel_.values.dtype
    same(twin.missing_, fitted.missing_)


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.mission("M43")
def test_loaded_model_goes_on_as_the_saved_one(model: Any, tmp_path: Path) -> None:
    y = series()
    fitted = model.fit(y[:50])
    fitted.save(tmp_path / "a.model")
    twin = load(str(tmp_path / "a.model"))
    assert (twin.horizon_, twin.season_length_) == (fitted.horizon_, fitted.season_length_)
    for one in (fitted, twin):
        one.update(y[50:55])
    same(twin.predict(6), fitted.predict(6))
    assert twin.score(y[55:]) == fitted.score(y[55:])
    twin.save(tmp_path / "b.model")
    fitted.save(tmp_path / "a.model")
    assert (tmp_path / "a.model").read_bytes() == (tmp_path / "b.model").read_bytes()


def test_covariates_and_parameters_survive(tmp_path: Path) -> None:
    y = series()
    X = pd.DataFrame({"price": np.cos(np.arange(60)), "rain": 1.0}, y.index)
    model = MarkovForecaster(order=2, freq=pd.offsets.MonthEnd(), horizon=np.int64(4))
    model.fit(y[:50], X[:50]).save(tmp_path / "a.model")
    twin = load(tmp_path / "a.model")
    assert twin.n_features_in_ == 2 and twin.freq == "ME" and twin.horizon == 4
    same(twin.predict(10, X), model.predict(10, X))
    np.testing.assert_allclose(twin.intercept_, model.intercept_, rtol=1e-12)


def test_other_regressors_are_left_to_joblib(tmp_path: Path) -> None:
    model = MarkovForecaster(order=2, regressor=Ridge()).fit(series())
    with pytest.raises(ValueError, match=r"`regressor` must be None .* got Ridge\(\). Use joblib"):
        model.save(tmp_path / "a.model")
    assert list(tmp_path.iterdir()) == []


def test_a_parameter_that_is_no_text_is_named(tmp_path: Path) -> None:
    model = NaiveForecaster().fit(series())
    model.set_params(freq=object())
    with pytest.raises(ValueError, match="parameter `freq` must be numbers and text"):
        model.save(tmp_path / "a.model")


def test_failure_while_writing_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.model"
    model = NaiveForecaster().fit(series())
    model.save(path)
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        model.save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    for path in (tmp_path / "none.model", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"no saved forecaster at {str(path)!r}"):
            load(path)


class Own(NaiveForecaster):
    """A class of the user's own."""


def test_own_classes_load_once_imported(tmp_path: Path) -> None:
    Own().fit(series()).save(tmp_path / "a.model")
    assert type(load(tmp_path / "a.model")) is Own


def test_a_class_of_ones_own_cannot_pass_for_one_of_the_package(tmp_path: Path) -> None:
    namesake = type("ETSForecaster", (NaiveForecaster,), {})
    with pytest.raises(ValueError, match="class ETSForecaster is not the one of this package"):
        namesake().fit(series()).save(tmp_path / "a.model")


def test_of_two_classes_of_a_name_the_later_is_loaded(tmp_path: Path) -> None:
    classes = [type("Again", (NaiveForecaster,), {}) for _ in range(2)]
    classes[0]().fit(series()).save(tmp_path / "a.model")
    assert type(load(tmp_path / "a.model")) is classes[1]


def test_every_forecaster_of_the_package_is_found_by_its_name() -> None:
    for name in HOMES:
        assert find_class(name) is getattr(forecast, name)
        assert find_class(name).__name__ == name


def test_a_time_zone_without_a_name_is_refused(tmp_path: Path) -> None:
    zoned = pd.Series(VALUES, pd.date_range("2024-01-01", periods=60, tz=tzoffset(None, 3600)))
    with pytest.raises(
        ValueError, match=r"time zone tzoffset\(None, 3600\) has no name .*_convert"
    ):
        NaiveForecaster().fit(zoned).save(tmp_path / "a.model")


def test_a_transformer_is_left_to_joblib(tmp_path: Path) -> None:
    model = NaiveForecaster(target_transform=PowerTransformer()).fit(series())
    with pytest.raises(ValueError, match=r"parameter `target_transform` must be .*joblib.dump"):
        model.save(tmp_path / "a.model")


def test_a_saved_file_may_be_read_by_others(tmp_path: Path) -> None:
    NaiveForecaster().fit(series()).save(tmp_path / "a.model")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a.model").stat().st_mode == (tmp_path / "b").stat().st_mode


NETWORKS = [
    LSTMForecaster,
    pytest.param(partial(RNNForecaster, cell="gru", num_layers=2), marks=pytest.mark.slow),
    MLPForecaster,
]


@pytest.mark.filterwarnings("ignore::forecast.ForecastWarning")
@pytest.mark.parametrize("kind", [pytest.param("hours", marks=pytest.mark.slow), "long"])
@pytest.mark.parametrize("network", NETWORKS, ids=["lstm", "gru", "mlp"])
def test_a_network_goes_on_bit_for_bit(network: Any, kind: str, tmp_path: Path) -> None:
    """A patch of one value and (hourly) of several; saved before and between updates."""
    model = network(hidden_size=3, max_epochs=1, random_state=0, horizon=6, season_length=12)
    if kind == "hours":
        model.set_params(season_length=18)
    y = KINDS[kind]
    model.fit(y)
    for _ in range(3):
        model.save(tmp_path / "a.model")
        seed = torch.random.get_rng_state()
        twin = load(tmp_path / "a.model")
        assert torch.equal(torch.random.get_rng_state(), seed)
        same(twin.predict(9), model.predict(9))
        same(twin.predict_quantiles(6), model.predict_quantiles(6))
        same(twin.sample(9, random_state=1), model.sample(9, random_state=1))
        same(twin.history_, model.history_)
        news = model.predict(2)
        model.update(news)
        same(twin.update(news).predict(9), model.predict(9))


@pytest.mark.filterwarnings("ignore::forecast.ForecastWarning")
def test_a_network_from_a_missing_device_is_loaded_to_one_that_is_there(tmp_path: Path) -> None:
    model = MLPForecaster(hidden_size=2, max_epochs=1, random_state=0, horizon=4).fit(series())
    model.set_params(device="cuda:99").save(tmp_path / "a.model")
    with pytest.warns(forecast.ForecastWarning, match="'cuda:99' .* is not here"):
        twin = load(tmp_path / "a.model")
    same(twin.predict(4), model.predict(4))
