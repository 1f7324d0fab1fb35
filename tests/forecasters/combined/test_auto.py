"""Members that data and time allow, weighed, calibrated, and reported."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import AutoForecaster, NaiveForecaster
from forecast.forecasters.calibration import origins
from forecast.forecasters.combined import auto
from forecast.forecasters.combined.planning import CANDIDATES, Fit, Size, planned, priors
from forecast.forecasters.combined.trial import Trial
from forecast.forecasters.loading import load
from forecast.forecasters.neural import pretrained
from forecast.pretrained import tuning


def seasonal(length: int, seed: int = 0, noise: float = 1.0) -> pd.Series:
    t = np.arange(length)
    values = 0.1 * t + 5 * np.sin(2 * np.pi * t / 12) + 20
    values += noise * np.random.default_rng(seed).normal(size=length)
    return pd.Series(values, pd.date_range("2000", periods=length, freq="MS"))


def test_the_table_tells_what_became_of_every_candidate() -> None:
    model = AutoForecaster(budget=1).fit(seasonal(96))
    table = model.table_
    assert set(table.index) == {one.label for one in CANDIDATES}
    members = table.loc[list(model.members_)]
    assert (members["note"] == "").all() and members["weight"].sum() == pytest.approx(1)
    assert members.loc["seasonal naive", "error"] == 1
    rest = table.drop(index=list(model.members_))
    assert rest["note"].str.contains("beyond the budget|values on|series on").all()
    assert (rest["weight"] == 0).all()
    np.testing.assert_allclose(model.weights_.sum(axis=1), 1)


def test_more_time_and_more_values_bring_more_members() -> None:
    found = [
        list(AutoForecaster(budget=budget).fit(seasonal(length)).members_)
        for budget, length in ((0.01, 96), (5, 20), (10, 96))
    ]
    assert found[0] == ["seasonal naive"]
    assert set(found[1]) == {"seasonal naive", "drift", "pre-trained", "Theta"}
    assert set(found[2]) == {*found[1], "Markov", "ETS", "ARIMA"}


def test_the_budget_is_kept() -> None:
    AutoForecaster(budget=1).fit(seasonal(48))  # what is imported only once
    y = many(40, 96)
    for budget in (0.5, 1.0):
        began = time.thread_time()
        AutoForecaster(budget=budget, horizon=12).fit(y)
        assert time.thread_time() - began < 1.1 * budget


def many(n: int, length: int) -> pd.DataFrame:
    return pd.DataFrame({f"s{k}": seasonal(length, k) for k in range(n)})


def test_large_panels_teach_the_network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "STEPS_PER_EPOCH", 1)
    taught: list[int] = []

    def taught_by(network: Any, histories: Any, epochs: int) -> Any:
        taught.append(len(histories.lengths))
        return tuning.fine_tune(network, histories, epochs)

    monkeypatch.setattr(pretrained, "fine_tune", taught_by)
    model = AutoForecaster(budget=5, horizon=6).fit(many(100, 81))
    assert "fine-tuned" in model.members_ and "pre-trained" not in model.members_
    assert model.table_.loc["pre-trained", "note"] == "fine-tuned instead"
    assert model.table_.loc["fine-tuned", "weight"] > 0.3
    assert taught == [100]  # a trial without a training of its own
    note = planned(model.panel_, Size.of(model.panel_, None, 12), 12, budget=2)["fine-tuned"].note
    assert "beyond the budget" in str(note)


def test_the_network_as_it_is_stands_in_where_teaching_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise FloatingPointError("diverged")

    monkeypatch.setattr(pretrained, "fine_tune", fail)
    model = AutoForecaster(budget=5, horizon=6).fit(many(100, 81))
    assert model.table_.loc["fine-tuned", "note"] == "failed: FloatingPointError: diverged"
    assert model.table_.loc["pre-trained", "weight"] > 0.3


@pytest.mark.slow
def test_the_network_as_it_is_stands_in_where_there_is_no_time_to_teach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(_: Any, seconds: float) -> str | None:
        return "no time left" if seconds > 3 else None

    monkeypatch.setattr(auto.Clock, "refuses", refuses)
    model = AutoForecaster(budget=5, horizon=6).fit(many(100, 81))
    assert model.table_.loc["fine-tuned", "note"] == "no time left"
    assert model.table_.loc["pre-trained", "weight"] > 0.3


def test_fine_tuning_holds_back_what_members_are_tried_on() -> None:
    for lengths, horizon in (((90, 40, 70), 6), ((30, 29), 12), ((200,), 24)):
        parts = [seasonal(n, n).rename(str(n)) for n in lengths]
        panel = NaiveForecaster().fit(parts).panel_
        trial = Trial.of(panel, horizon)
        assert trial is not None
        n_origins, steps, _ = origins(panel.lengths, horizon)
        held = n_origins + steps - 1  # as PretrainedForecaster has it
        assert (trial.ends[0] >= panel.lengths[trial.rows] - held).all()


def test_a_slow_machine_has_fewer_members(monkeypatch: pytest.MonkeyPatch) -> None:
    original, late = time.thread_time, [0.0]

    def slow() -> float:
        late[0] += 2.0
        return original() + late[0]

    monkeypatch.setattr(auto.time, "thread_time", slow)
    model = AutoForecaster(budget=5).fit(seasonal(96))
    assert "seasonal naive" in model.members_ and len(model.members_) < 4
    assert model.table_["note"].str.contains("slower than planned").any()


def test_a_member_that_fails_does_not_cost_the_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    from forecast.forecasters.classical.theta import ThetaForecaster

    def fail(*_: Any) -> None:
        raise FloatingPointError("diverged")

    monkeypatch.setattr(ThetaForecaster, "_fit_series", fail)
    model = AutoForecaster(budget=1).fit(seasonal(96))
    assert model.table_.loc["Theta", "note"] == "failed: FloatingPointError: diverged"
    assert "Theta" not in model.members_ and len(model.predict(6)) == 6


def test_members_that_erred_less_weigh_more() -> None:
    table = AutoForecaster(budget=1).fit(seasonal(120, noise=0.3)).table_
    known = table[table["weight"] > 0]
    ranks = (known["weight"] / priors(known.index, n_series=1)).rank(ascending=False)
    pd.testing.assert_series_equal(ranks, known["error"].rank(), check_names=False)


@pytest.mark.slow
def test_it_beats_the_naive_forecast_of_a_season() -> None:
    ratios = []
    for seed in range(3):
        y = seasonal(108, seed)
        naive = NaiveForecaster("seasonal")
        errors = [
            np.abs(one.fit(y[:96]).predict(12) - y[96:]).mean()
            for one in (AutoForecaster(budget=1), naive)
        ]
        ratios.append(errors[0] / errors[1])
    assert np.exp(np.mean(np.log(ratios))) < 0.85


@pytest.mark.slow
def test_bands_hold_what_they_say() -> None:
    inside = []
    for seed in range(5):
        y = seasonal(156, seed)
        band = AutoForecaster(budget=1, horizon=12).fit(y[:-12]).predict_interval(coverage=0.8)
        inside.append(y[-12:].between(band["lower"], band["upper"]).mean())
    assert 0.65 < np.mean(inside) < 0.95


def test_series_that_are_not_tried_have_the_common_weights() -> None:
    y = many(90, 40)
    model = AutoForecaster(budget=3, horizon=6).fit(y)
    trial = Trial.of(model.panel_, 6)
    assert trial is not None and len(trial.rows) < 90
    rest = np.setdiff1d(np.arange(90), trial.rows)
    np.testing.assert_allclose(model.shares_[rest], model.common_[None].repeat(len(rest), 0))
    assert (model.width_.scale[rest] == model.width_.scale[rest[0]]).all()


def test_it_is_saved_with_its_table(tmp_path: Path) -> None:
    model = AutoForecaster(budget=1).fit(seasonal(96))
    model.save(tmp_path / "a.model")
    twin = load(tmp_path / "a.model")
    pd.testing.assert_frame_equal(twin.table_, model.table_)
    pd.testing.assert_frame_equal(twin.weights_, model.weights_)


def test_seconds_grow_with_the_work() -> None:
    small, large = (
        Size(Fit(n, 100 * n), Fit(n, 90 * n), 12, 3, 12, 1000 * n, 100 * n, 12) for n in (1, 100)
    )
    for one in CANDIDATES:
        assert one.seconds(small) < one.seconds(large)
        assert one.trying(large) + one.fitting(large.whole, large) == one.seconds(large)


def test_a_trial_that_took_too_long_spares_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(auto.time, "thread_time", lambda: now[0])
    one = next(one for one in CANDIDATES if one.label == "LSTM")
    size = Size(Fit(100, 10_000), Fit(50, 4000), 12, 2, 12, 40_000, 6000, 12)
    clock = auto.Clock(one.seconds(size))
    now[0] = one.trying(size)
    assert clock.is_late(one, size) is None
    now[0] = 1.5 * one.trying(size)
    assert "slower than planned" in str(clock.is_late(one, size))


@pytest.mark.parametrize(("n", "freq", "views"), [(1, "MS", 3), (1, 1, 8), (20, 1, 2)])
def test_seasons_to_look_for_cost_time(n: int, freq: Any, views: int) -> None:
    index = pd.date_range("2000", periods=60, freq="MS") if freq == "MS" else range(60)
    wide = pd.DataFrame({f"s{k}": seasonal(60, k).to_numpy() for k in range(n)}, index)
    panel = NaiveForecaster(season_length=12).fit(wide).panel_
    assert Size.of(panel, None, 12).views == views
    assert Size.of(panel, None, 7).views == views + 2 * (freq == 1)  # a week has a year


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="`budget` must be a number in"):
        AutoForecaster(budget=0).fit(seasonal(40))
