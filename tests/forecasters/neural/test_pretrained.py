"""The pre-trained forecaster continues what is known, in any unit; it knows its errors."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from forecast import PretrainedForecaster, load
from forecast._checks import ForecastWarning
from forecast.forecasters.neural import pretrained
from forecast.pretrained import extent
from forecast.pretrained.network import LEVELS, PretrainedNetwork
from forecast.pretrained.tuning import Histories, held_out_losses, studied

MONTHS = pd.date_range("2015-01", periods=132, freq="MS")
PHASE = np.random.default_rng(0).normal(size=24)
KNOWN: dict[str, Any] = {
    "constant": lambda t, m: np.full(len(t), -3e3),
    "ramp": lambda t, m: 7 + 0.5 * t,
    "fall": lambda t, m: 900 - 0.5 * t,
    "sine": lambda t, m: np.sin(2 * np.pi * t / m + 0.3),
    "season": lambda t, m: np.resize(PHASE[:m], len(t)),
}


def sales(n: int = 120, seed: int = 1) -> pd.Series:
    """Return a walk with a season of twelve months."""
    t = np.arange(n)
    steps = np.random.default_rng(seed).normal(size=n).cumsum()
    return pd.Series(50 + 0.2 * steps + 3 * np.sin(2 * np.pi * t / 12), MONTHS[:n], name="sales")


@pytest.fixture(scope="module")
def model() -> PretrainedForecaster:
    return PretrainedForecaster(horizon=12).fit(sales())


@pytest.mark.parametrize("season_length", [4, 12])
@pytest.mark.parametrize("kind", KNOWN)
def test_what_is_known_goes_on(kind: str, season_length: int) -> None:
    t = np.arange(120 + season_length)
    y = pd.Series(KNOWN[kind](t, season_length))
    found = PretrainedForecaster(season_length=season_length).fit(y[:120]).predict(season_length)
    assert (found - y[120:]).abs().max() <= 0.02 * np.ptp(y)


@pytest.mark.parametrize("season_length", [7, 12])
def test_a_season_that_nobody_told_goes_on(season_length: int) -> None:
    y = pd.Series(KNOWN["season"](np.arange(120 + season_length), season_length))
    found = PretrainedForecaster().fit(y[:120]).predict(season_length)
    assert (found - y[120:]).abs().max() <= 0.02 * np.ptp(y)


@pytest.mark.parametrize(("a", "b"), [(3.5, 4.0), (1e-100, 0.0), (1.0, -70.0), (2.0, 1e4)])
def test_another_unit_gives_the_same_forecast(
    model: PretrainedForecaster, a: float, b: float
) -> None:
    other = PretrainedForecaster(horizon=12).fit(a * sales() + b)
    unit = np.ptp(sales())
    for ask in (lambda m: m.predict(24), lambda m: m.predict_quantiles(24, levels=[0.05, 0.8])):
        np.testing.assert_allclose((ask(other) - b) / a / unit, ask(model) / unit, atol=1e-5)


def test_nothing_is_left_to_chance(model: PretrainedForecaster) -> None:
    torch.manual_seed(5)
    again = PretrainedForecaster(horizon=12).fit(sales())
    assert again.predict(30).equals(model.predict(30))
    assert "random_state" not in model.get_params()


def test_fine_tuning_leaves_the_shipped_weights_as_they_are(
    model: PretrainedForecaster, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecast.pretrained.tuning.STEPS_PER_EPOCH", 1)
    monkeypatch.setattr("forecast.pretrained.tuning.change", lambda *_: (-1.0, 0.0))
    before = {name: weight.clone() for name, weight in model.network_.state_dict().items()}
    both = pd.concat([sales(), sales() + 1], axis=1, keys=["a", "b"])
    tuned = PretrainedForecaster(horizon=12, fine_tune=1).fit(both)
    tuned.save(tmp_path / "m.model")
    again = load(tmp_path / "m.model")
    assert again.network_.tuned and not model.network_.tuned
    pd.testing.assert_frame_equal(again.predict(), tuned.predict(), rtol=1e-9)
    for name, weight in model.network_.state_dict().items():
        assert torch.equal(weight, before[name])


def test_long_horizons_leave_as_much_to_learn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extent, "CONTEXT", 40)
    monkeypatch.setattr(extent, "LATTICE", 10)
    kept: list[Histories] = []

    def keep(network: PretrainedNetwork, histories: Histories, _: int) -> PretrainedNetwork:
        kept.append(histories)
        return network

    monkeypatch.setattr(pretrained, "fine_tune", keep)
    y = pd.DataFrame(np.random.default_rng(0).normal(size=(203, 4)))
    model = PretrainedForecaster(horizon=30, fine_tune=1).fit(y)
    rows, histories = torch.arange(4), kept[0]
    learned, judged = (histories.newest(rows, back) for back in (histories.held, 0))
    assert histories.held > 50 > learned.shape[1] >= 40
    assert (histories.lengths == learned.shape[1] + histories.held).all()
    torch.testing.assert_close(judged[:, : -histories.held], learned, rtol=0, atol=0)
    assert len(histories.teaching) == 4
    lessons = studied(model.network_, histories)
    assert np.isfinite(held_out_losses(model.network_, lessons, histories)).all()


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_plan_moves_the_forecast_to_its_side(sign: int) -> None:
    promotion = pd.Series(np.random.default_rng(2).random(132) < 0.2, MONTHS).astype(float)
    X = pd.DataFrame({"promotion": promotion})
    y = sales() + sign * 4 * promotion[:120]
    model = PretrainedForecaster(horizon=12).fit(y, X[:120])
    with_it, without = (
        model.predict(12, X[120:].assign(promotion=float(planned))) for planned in (1, 0)
    )
    np.testing.assert_allclose(with_it - without, 4 * sign, rtol=0.25)


@pytest.mark.parametrize("seed", range(3))
def test_what_has_no_effect_hardly_changes_anything(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=132)
    X = pd.DataFrame({"noise": noise}, MONTHS)
    found = PretrainedForecaster(horizon=12).fit(sales(), X[:120]).predict(12, X[120:])
    plain = PretrainedForecaster(horizon=12).fit(sales()).predict(12)
    assert (found - plain).abs().max() < 0.2 * sales().std()


def test_bands_follow_past_errors() -> None:
    def width(noise: float) -> float:
        late = noise * np.random.default_rng(4).standard_t(3, 24)
        y = sales().to_numpy() + np.r_[np.zeros(96), late]
        model = PretrainedForecaster(horizon=12).fit(pd.Series(y, MONTHS[:120]))
        return float(model.widths_[0])

    assert width(0.0) < width(2.0) < width(20.0)


def test_a_series_that_was_forecast_badly_gets_the_wider_band() -> None:
    calm, shaken = sales(), sales(seed=7)
    shaken.iloc[-20:] += 30 * np.random.default_rng(5).choice([-1, 1], 20)
    model = PretrainedForecaster(horizon=12).fit(pd.DataFrame({"calm": calm, "shaken": shaken}))
    assert model.widths_[0] < model.common_width_ < model.widths_[1]


@pytest.mark.parametrize(
    ("freq", "n", "views"),
    [
        ("MS", 60, [(12, 0)]),
        ("QS", 60, [(4, 0)]),
        ("YS", 60, [(1, 0)]),
        ("h", 100, [(24, 0)]),
        ("h", 400, [(24, 168), (24, 0), (168, 0)]),
        ("D", 100, [(7, 0)]),
        ("D", 800, [(7, 365), (7, 0), (365, 0)]),
        ("B", 521, [(5, 0)]),
        ("B", 600, [(5, 261), (5, 0), (261, 0)]),
        (pd.offsets.CustomBusinessDay(weekmask="1111110"), 700, [(6, 313), (6, 0), (313, 0)]),
        ("2MS", 640, [(6, 0)]),  # six steps of a year are no open days of a week
        ("10min", 4_100, [(144, 0)]),  # two weeks are more than is read
    ],
)
def test_an_index_tells_the_views(freq: Any, n: int, views: list[tuple[int, int]]) -> None:
    values = np.random.default_rng(0).normal(size=n)
    y = pd.Series(values, pd.date_range("2020-01-06", periods=n, freq=freq))
    model = PretrainedForecaster().fit(y)
    assert [(view.season, view.second) for view in model.views_] == views
    np.testing.assert_allclose(model.weights_.sum(1), 1)


def test_whole_numbers_tell_no_season_and_the_past_weighs_all() -> None:
    y = pd.Series(KNOWN["season"](np.arange(140), 7))
    model = PretrainedForecaster().fit(y)
    seasons = [view.season for view in model.views_]
    assert {1, 4, 7, 12, 24} <= set(seasons)
    assert model.weights_[0, seasons.index(7)] > 0.5


def test_seven_whole_numbers_are_a_week_of_a_year() -> None:
    y = pd.Series(KNOWN["season"](np.arange(740), 7))
    views = PretrainedForecaster().fit(y).views_
    assert [view[:2] for view in views[:4]] == [(7, 365), (7, 0), (365, 0), (1, 0)]


@pytest.mark.parametrize("m", [5, 7])
def test_a_season_that_is_no_week_of_the_index_has_no_year(m: int) -> None:
    index = pd.RangeIndex(740) if m == 5 else pd.date_range("2020-01-06", periods=740, freq="B")
    y = pd.Series(KNOWN["season"](np.arange(740), m), index)
    views = PretrainedForecaster(season_length=m).fit(y).views_
    assert [view[:2] for view in views] == [(m, 0)]


def test_a_saved_file_holds_its_own_weights(
    model: PretrainedForecaster, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.save(tmp_path / "m.model")
    torch.manual_seed(0)
    other = PretrainedNetwork(**model.network_.shape).eval()
    monkeypatch.setattr("forecast.forecasters.neural.pretrained.shipped_network", lambda: other)
    again = load(tmp_path / "m.model")
    pd.testing.assert_series_equal(again.predict(12), model.predict(12))
    assert not PretrainedForecaster(horizon=12).fit(sales()).predict(12).equals(model.predict(12))


def test_counts_stay_counts_and_what_is_positive_stays_so() -> None:
    rng = np.random.default_rng(6)
    counts = pd.Series(rng.poisson(0.4, 120), MONTHS[:120])
    quantiles = (
        PretrainedForecaster(horizon=12).fit(counts).predict_quantiles(12, levels=[0.1, 0.9])
    )
    assert (quantiles >= 0).all(axis=None) and (quantiles == quantiles.round()).all(axis=None)
    falling = pd.Series(np.exp(-0.05 * np.arange(120)), MONTHS[:120])
    paths = PretrainedForecaster(horizon=12).fit(falling).sample(40, n_samples=20, random_state=0)
    assert (paths >= 0).all(axis=None)


def rare(n_series: int = 30) -> pd.DataFrame:
    """Return short series of one rare demand: none alone knows how rare it is."""
    counts = np.random.default_rng(0).poisson(0.3, (36, n_series))
    return pd.DataFrame(counts, MONTHS[:36]).astype(float)


def test_many_short_series_hear_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    y = rare()
    model = PretrainedForecaster(horizon=6).fit(y[:30])
    assert model.shares_.mean() > 0.2
    levels = [0.5, 0.8, 0.9]

    def loss(one: PretrainedForecaster) -> float:
        found = one.predict_quantiles(6, levels=levels).to_numpy().reshape(6, 30, 3)
        error = y[30:].to_numpy()[..., None] - found
        return float(np.maximum(levels * error, (np.array(levels) - 1) * error).mean())

    few = PretrainedForecaster(horizon=6).fit(y.iloc[:30, :10])
    assert few.pooled_ is None and (few.shares_ == 0).all()
    monkeypatch.setattr(pretrained, "MANY", 31)
    alone = PretrainedForecaster(horizon=6).fit(y[:30])
    assert loss(model) < loss(alone)


def test_series_of_different_sizes_do_not_hear_of_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    y = rare() * 3.0 ** np.arange(30)
    model = PretrainedForecaster(horizon=6).fit(y)
    found = model.predict_quantiles(6)
    assert model.pooled_ is not None
    monkeypatch.setattr(pretrained, "MANY", 31)
    alone = PretrainedForecaster(horizon=6).fit(y).predict_quantiles(6)
    np.testing.assert_allclose(found, alone, rtol=1e-9)


@pytest.mark.parametrize("steps", [1, 13, 40])
def test_a_panel_that_falls_silent_keeps_what_it_had(steps: int) -> None:
    y = rare()
    silence = pd.DataFrame(np.nan, MONTHS[36 : 36 + steps], y.columns)
    model = PretrainedForecaster(horizon=6).fit(y).update(silence)
    assert np.isfinite(model.pooled_).all() and np.isfinite(model.predict(3)).all(axis=None)
    anew = (
        PretrainedForecaster(horizon=6)
        .fit(pd.concat([y, silence]))
        .update(pd.DataFrame(np.nan, MONTHS[[36 + steps]], y.columns))
    )
    assert np.isfinite(anew.predict(3)).all(axis=None)


def test_a_panel_that_counts_nothing_is_read_series_by_series() -> None:
    y = pd.DataFrame(np.random.default_rng(3).normal(50, 1, (60, 24)))
    model = PretrainedForecaster(horizon=6).fit(y)
    assert model.pooled_ is None
    model.update(pd.DataFrame(58.0, range(60, 65), y.columns))  # all jump at once
    assert (model.predict(1).to_numpy() > 55).all()


def test_what_a_panel_has_of_late_is_kept_in_files_and_brought_up_to_date(tmp_path: Any) -> None:
    y = rare()
    model = PretrainedForecaster(horizon=6).fit(y[:30])
    model.save(tmp_path / "m.model")
    again = load(tmp_path / "m.model")
    pd.testing.assert_frame_equal(again.predict_quantiles(3), model.predict_quantiles(3))
    model.update(y[30:31])
    np.testing.assert_array_equal(model.pooled_, np.quantile(y[19:31], LEVELS))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_shortest_histories_are_forecast(n: int) -> None:
    model = PretrainedForecaster(horizon=12).fit(sales(n))
    told = pytest.warns(ForecastWarning, match="too few values") if n == 1 else nullcontext()
    with told:
        band = model.predict_interval(12, coverage=0.8)
    low, high = band["lower"], band["upper"]
    assert np.isfinite(low).all() and (low <= model.predict(12)).all()
    assert (high >= model.predict(12)).all()


def test_only_the_newest_values_are_read() -> None:
    y = np.random.default_rng(8).normal(size=1700)
    other = np.r_[y[:100] + 100, y[100:]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("forecast.pretrained.extent.CONTEXT", 600)
        found, same = (
            PretrainedForecaster(season_length=7).fit(pd.Series(one)).predict(7)
            for one in (y, other)
        )
    np.testing.assert_allclose(found, same)


def test_the_recurrence_absorbs_only_the_newest_of_what_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts: list[int] = []
    absorb = PretrainedNetwork._absorb

    def counted(self: Any, inputs: torch.Tensor, lead: torch.Tensor) -> Any:
        counts.append(inputs.shape[1])
        return absorb(self, inputs, lead)

    monkeypatch.setattr(PretrainedNetwork, "_absorb", counted)
    y = pd.Series(np.random.default_rng(8).normal(size=1010))
    model = PretrainedForecaster(season_length=7).fit(y[:1000])
    model.update(y[1000:])
    assert counts == [400, 410]


@pytest.mark.parametrize("begun", [0, 33])
def test_a_long_stream_knows_what_one_update_knows_and_rarely_reads_anew(
    begun: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, steps in (("CONTEXT", 60), ("LATTICE", 20), ("WARM_UP", 10)):
        monkeypatch.setattr(extent, name, steps)
    y = pd.DataFrame(np.random.default_rng(9).normal(size=(160, 2)).cumsum(0), columns=list("ab"))
    y.loc[y.index < begun, "b"] = np.nan
    model = PretrainedForecaster(season_length=7).fit(y[:50])
    at_once = {
        end: copy.deepcopy(model).update(y[50:end]).predict_quantiles(5)
        for end in (79, 80, 81, 110, 160)
    }
    begin, reads = pretrained.begin, []
    monkeypatch.setattr(pretrained, "begin", lambda *given: reads.append(1) or begin(*given))
    for end in range(51, 161):
        model.update(y[end - 1 : end])
        if end in at_once:
            np.testing.assert_allclose(model.predict_quantiles(5), at_once[end], atol=1e-5)
    assert len(reads) == 6  # 60, 80 ... 160: both series together
