"""Series without a history: forecast from what is known of them, until their values come."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

import forecast
from forecast.engine import training
from forecast.engine.stream import read
from forecast.engine.validation import Validation
from forecast.forecasters.neural.base import NeuralForecaster
from forecast.forecasters.neural.recurrent import LSTMForecaster, RNNForecaster
from forecast.forecasters.neural.seq2seq import Seq2SeqForecaster
from forecast.networks.conditioned import WAYS

pytestmark = pytest.mark.filterwarnings("ignore::forecast._checks.ForecastWarning")
each_way = pytest.mark.parametrize("way", WAYS)
SMALL = {"hidden_size": 8, "n_estimators": 1, "max_epochs": 1, "random_state": 0}


def shops(n: int = 12, days: int = 40) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return sales that depend on the size of a shop, and sizes of as many shops more."""
    rng = np.random.default_rng(0)
    ids = [f"shop{i:02d}" for i in range(2 * n)]
    about = pd.DataFrame({"size": rng.uniform(1, 9, 2 * n), "town": ["Ulm", "Bonn"] * n}, ids)
    times = pd.date_range("2024-01-01", periods=days, name="ds")
    week = 3 + np.sin(np.arange(days) * 2 * np.pi / 7)[:, None]
    y = pd.DataFrame(about["size"].to_numpy() * week + rng.random((days, 2 * n)), times, ids)
    return y, about


def without_history(y: pd.DataFrame) -> pd.DataFrame:
    """Return one row of missing values for every series, the day before its first."""
    return pd.DataFrame(np.nan, y.index[:1] - pd.Timedelta(days=1), y.columns)


FORMS = {
    "recurrent": RNNForecaster(cell="gru"),
    "encoder-decoder": Seq2SeqForecaster(cell="gru"),
    "attention": Seq2SeqForecaster(cell="gru", attention=True),
    "context": Seq2SeqForecaster(cell="gru", context="all", context_to="every_step"),
}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((form, way), id=f"{form}-{way}", marks=[pytest.mark.slow] * (way != WAYS[0]))
        for form in FORMS
        for way in WAYS
    ],
)
def fitted(request: pytest.FixtureRequest) -> NeuralForecaster:
    form, way = request.param
    y, about = shops()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STEPS_PER_EPOCH", 5)
        model = clone(FORMS[form]).set_params(horizon=10, static=about, static_to=way, **SMALL)
        return model.fit(y.iloc[:, :12])


def test_before_its_first_value_a_series_is_judged_as_it_will_be_forecast(
    fitted: NeuralForecaster,
) -> None:
    y, _ = shops()
    live = fitted.apply(without_history(y.iloc[:, 12:]))
    windows, nothing = live._windows(live.panel_), torch.zeros(12, dtype=torch.long)
    judge = Validation(live.model_, windows, nothing, 10, 1)
    assert (judge.origins == 0).all() and live.stream_.features.abs().max() > 0
    torch.testing.assert_close(read(live.model_, *judge.shown).features, live.stream_.features)


@pytest.mark.parametrize("way", WAYS)
def test_in_patches_too_values_that_come_are_read_as_if_they_had_been_there(way: str) -> None:
    t = np.arange(96)[:, None]
    about = pd.DataFrame({"size": np.linspace(1, 3, 8)}, [f"place{i}" for i in range(8)])
    waves = about["size"].to_numpy() * (4 + np.sin(t * 2 * np.pi / 24))
    y = pd.DataFrame(waves, pd.date_range("2024-01-01", periods=96, freq="h"), about.index)
    options = {"static": about, "static_to": way, "season_length": 24, "horizon": 24, **SMALL}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STEPS_PER_EPOCH", 5)
        model = LSTMForecaster(**options).fit(y.iloc[:, :6])
    assert model.recipe_.patch > 1
    nothing = without_history(y.iloc[:, 6:]).set_axis(y.index[:1] - pd.Timedelta(hours=1))
    anew = pd.concat([nothing, y.iloc[:30, 6:]])
    live = model.apply(nothing).update(y.iloc[:7, 6:]).update(y.iloc[7:30, 6:])
    pd.testing.assert_frame_equal(live.predict(24), model.apply(anew).predict(24), rtol=1e-5)


@pytest.mark.mission("M30")
def test_a_new_series_is_forecast_from_what_is_known_of_it(fitted: NeuralForecaster) -> None:
    y, about = shops()
    new = y.iloc[:, 12:]
    curves = fitted.apply(without_history(new)).predict(40)
    assert curves.index.equals(new.index) and curves.columns.equals(new.columns)
    assert np.isfinite(curves).all(axis=None) and curves.iloc[0].nunique() > 6
    twins = copy.copy(fitted).set_params(static=about.assign(size=2.0, town="Ulm"))
    alike = twins.apply(without_history(new)).predict(40)
    np.testing.assert_allclose(alike, alike.iloc[:, [0] * 12], rtol=1e-4)


@pytest.mark.mission("M30")
def test_values_that_come_are_read_as_if_they_had_been_there(fitted: NeuralForecaster) -> None:
    y, _ = shops()
    new = y.iloc[:9, 12:]
    live = fitted.apply(without_history(new))
    for day in range(9):
        live.update(new.iloc[[day]])
        at_once = fitted.apply(pd.concat([without_history(new), new.iloc[: day + 1]]))
        pd.testing.assert_frame_equal(live.predict(10), at_once.predict(10), rtol=1e-4)


def test_a_long_frame_mixes_old_and_new_series(fitted: NeuralForecaster, tmp_path: Path) -> None:
    y, _ = shops()
    old = y.iloc[:, :2].melt(ignore_index=False, var_name="unique_id", value_name="y").reset_index()
    new = pd.DataFrame({"unique_id": "shop20", "ds": y.index[-1], "y": [np.nan]})
    model = fitted.apply(pd.concat([old, new]))
    table = model.predict(3).pivot_table(index="ds", columns="unique_id", values="y")
    assert table.shape == (3, 3) and table.notna().all(axis=None)
    pd.testing.assert_series_equal(
        table["shop20"],
        fitted.apply(pd.DataFrame({"shop20": [np.nan]}, y.index[-1:])).predict(3)["shop20"],
        check_index=False,
        check_freq=False,
        check_names=False,
        rtol=1e-5,
    )
    model.save(tmp_path / "shops.model")
    pd.testing.assert_frame_equal(
        forecast.load(tmp_path / "shops.model").predict(3), model.predict(3)
    )


def test_a_series_without_values_has_the_bounds_of_all_others(fitted: NeuralForecaster) -> None:
    y, _ = shops()
    live = fitted.apply(without_history(y))
    assert live.bounds_.positive.all() and not live.bounds_.whole.any()
    live.update(-y.iloc[[0]])
    assert not live.bounds_.positive.any()


def test_patches_begin_before_a_series_too() -> None:
    hours = pd.date_range("2024-01-01", periods=96, freq="h")
    rng = np.random.default_rng(0)
    y = pd.DataFrame(rng.random((96, 4)) + np.sin(np.arange(96) / 4)[:, None], hours, list("abcd"))
    static = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0, 4.0]}, list("abcde"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STEPS_PER_EPOCH", 2)
        model = LSTMForecaster(horizon=24, static=static, static_to="every_step", **SMALL).fit(y)
    assert model.recipe_.patch == 24
    empty = pd.DataFrame({"e": [np.nan]}, hours[:1])
    live = model.apply(empty)
    values = pd.DataFrame({"e": rng.random(30)}, hours[1:31])
    for hour in range(30):
        live.update(values.iloc[[hour]])
    at_once = model.apply(pd.concat([empty, values]))
    pd.testing.assert_frame_equal(live.predict(24), at_once.predict(24), rtol=1e-4)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"static_to": "h0"}, r"`static_to` must be one of .*got 'h0'"),
        ({"static_to": "every_step"}, r"got 'every_step' and static=None. Give `static` a frame"),
    ],
)
def test_wrong_options_are_named(wrong: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        RNNForecaster(**wrong).fit(shops()[0])


def test_who_reads_static_features_at_the_end_alone_needs_a_history() -> None:
    y, about = shops(3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STEPS_PER_EPOCH", 1)
        model = RNNForecaster(static=about, **SMALL).fit(y)
    with pytest.raises(ValueError, match="must have at least one observed value"):
        model.apply(without_history(y))
