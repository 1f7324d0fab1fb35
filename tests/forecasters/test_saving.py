"""What is saved is what is loaded; nothing else is ever run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import Ridge

from forecast.forecasters import saving
from forecast.forecasters.baselines import NaiveForecaster
from forecast.forecasters.ets import ETSForecaster
from forecast.forecasters.markov import MarkovForecaster
from forecast.forecasters.saving import load

VALUES = 20 + np.random.default_rng(0).normal(size=60).cumsum()
INDEXES = {
    "months": pd.date_range("2020-01-31", periods=60, freq="ME", name="when"),
    "hours": pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin"),
    "offset": pd.date_range("2024-03-30", periods=60, freq="D", tz="UTC+05:30"),
    "business": pd.date_range("2024-01-01", periods=60, freq="B"),
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
def test_m43_loaded_model_goes_on_as_the_saved_one(model: Any, tmp_path: Path) -> None:
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


def rewrite(path: Path, **changes: Any) -> None:
    """Change what a file says about itself."""
    import safetensors

    with safetensors.safe_open(path, framework="np") as file:
        about = json.loads(file.metadata()["forecast"])
    arrays = load_file(path) | changes.pop("arrays", {})
    save_file(arrays, path, metadata={"forecast": json.dumps(about | changes)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "format version 2, this version of forecast reads up to 1"),
        ({"format_version": "x"}, "no saved forecaster, or it is damaged"),
        ({"class": "os.system"}, "holds a 'os.system', which is no known forecaster"),
        ({"class": "BaseForecaster"}, "which is no known forecaster"),
        ({"class": ["NaiveForecaster"]}, "is damaged"),
        ({"params": {"evil": 1}}, "is damaged"),
        ({"params": 3}, "is damaged"),
        ({"panel": {}}, "is damaged"),
        ({"arrays": {"panel/values": np.zeros(3)}}, "its parts do not fit together"),
        ({"arrays": {"panel/starts": np.array([5])}}, "its parts do not fit together"),
        ({"arrays": {"panel/offsets": np.array([0, 70])}}, "its parts do not fit together"),
    ],
)
def test_hostile_files_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    NaiveForecaster().fit(series()).save(path)
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=message):
        load(path)


def test_truncated_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    NaiveForecaster().fit(series()).save(path)
    whole = path.read_bytes()
    for size in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="no saved forecaster, or it is damaged"):
            load(path)
    save_file({"a": np.zeros(2)}, path)
    with pytest.raises(ValueError, match="no saved forecaster, or it is damaged"):
        load(path)
    with pytest.raises(FileNotFoundError, match="there is no saved forecaster at"):
        load(tmp_path / "none.model")
    with pytest.raises(FileNotFoundError, match="there is no saved forecaster at"):
        load(tmp_path)


class Own(NaiveForecaster):
    """A class of the user's own."""


def test_own_classes_load_once_imported(tmp_path: Path) -> None:
    Own().fit(series()).save(tmp_path / "a.model")
    assert type(load(tmp_path / "a.model")) is Own


def test_every_home_is_where_it_says() -> None:
    assert saving._find_class("ETSForecaster") is ETSForecaster
