"""Calibration: from errors of past origins to the width that bands should have had."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression

import forecast
from forecast import (
    ETSForecaster,
    LSTMForecaster,
    MarkovForecaster,
    MLPForecaster,
    NaiveForecaster,
)
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.calibration import (
    CLAIMED,
    Calibration,
    origins,
    own_widths,
    pool,
    step_sizes,
    wider,
)
from forecast.forecasters.neural import fitting
from forecast.networks.heads.quantile import QuantileHead


def errors(scale: Any, shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Return errors as multiples of the half width of 80 % bands that are `scale` too narrow."""
    return np.random.default_rng(seed).normal(size=shape) * scale / 1.2816


def factors(calibration: Calibration, horizon: int) -> np.ndarray:
    ones = np.ones((len(calibration.scale), horizon))
    return calibration.stretch(ones, np.zeros_like(ones))


def test_bands_of_the_right_width_stay_and_narrow_ones_grow() -> None:
    for scale in (0.5, 1.0, 3.0):
        found = factors(pool(errors(scale, (100, 12, 6))), 6)
        np.testing.assert_allclose(found, scale, rtol=0.25)
        assert found.mean() == pytest.approx(scale, rel=0.05)


def test_growth_with_the_horizon_is_found_and_goes_on() -> None:
    grown = errors(1.0, (200, 12, 8)) * np.arange(1, 9) ** 0.5
    calibration = pool(grown)
    assert calibration.growth == pytest.approx(0.5, abs=0.05)
    assert factors(calibration, 16)[:, 15].mean() == pytest.approx(4.0, rel=0.1)
    assert pool(errors(1.0, (200, 12, 8)) / np.arange(1, 9)).growth == 0.0


def test_a_series_that_errs_more_has_wider_bands_and_few_errors_lean_on_all() -> None:
    scale = np.r_[np.ones(50), np.full(50, 4.0)][:, None, None]
    many = factors(pool(errors(scale, (100, 60, 4))), 1)
    assert many[50:].mean() / many[:50].mean() == pytest.approx(4.0, rel=0.25)
    few = factors(pool(errors(scale, (100, 2, 4))), 1)
    assert few[50:].mean() / few[:50].mean() < 3
    unseen = errors(scale, (100, 12, 4))
    unseen[0] = np.nan
    assert 1 < factors(pool(unseen), 1)[0] < 4


def test_the_sides_differ_where_errors_are_many_and_skewed() -> None:
    skewed = np.random.default_rng(0).exponential(size=(100, 20, 2)) - np.log(2)
    calibration = pool(skewed)
    assert calibration.independent > 200
    assert calibration.sides[1] > 2 * calibration.sides[0]
    few = pool(skewed[:2])
    assert few.sides[0] == few.sides[1]


def test_few_windows_say_little_against_the_width_that_is_claimed() -> None:
    drawn = errors(3.0, (1, 12, 12))
    once, often = pool(drawn), pool(np.repeat(drawn, 40, axis=0))
    assert once.independent == pytest.approx(12 * sum(1 / j for j in range(1, 13)) / 12)
    assert factors(often, 1).mean() > 2.5 > factors(once, 1).mean() > 1.4  # claims are believed


def test_nothing_seen_teaches_nothing() -> None:
    assert pool(np.full((2, 3, 4), np.nan)) is None
    flat = pool(np.zeros((2, 3, 4)))
    assert np.isfinite(factors(flat, 5)).all()


def test_origins_leave_enough_to_learn_from() -> None:
    for length in range(1, 200):
        for horizon in (1, 6, 24):
            count, steps, first = origins(np.array([length]), horizon)
            if count:
                assert count + steps - 1 == length - first[0] <= length / 3
                assert 1 <= steps <= horizon and count >= steps
            else:
                assert length < 3
    assert origins(np.array([100, 5]), 12)[2].tolist() == [77, 5]


class TooSure(BaseForecaster):
    """The last value, with a band of a tenth of its right width."""

    fits: list[int] = []

    def _fit(self, panel: Any) -> None:
        self.fits.append(len(panel.values))
        self._update(panel, panel.lengths)

    def _update(self, panel: Any, added: Any) -> None:
        self.last_ = panel.values[panel.offsets[1:] - 1]

    def _predict(self, horizon: int, known: Any) -> np.ndarray:
        return np.repeat(self.last_[:, None], horizon, 1)

    def _sample(self, horizon: int, n_samples: int, known: Any, rng: Any) -> np.ndarray:
        steps = rng.normal(size=(len(self.last_), n_samples, horizon)) / 10
        return self.last_[:, None, None] + steps.cumsum(2)


def test_a_forecaster_that_is_too_sure_learns_how_wide_its_bands_should_be() -> None:
    y = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 60)).cumsum(0))
    TooSure.fits.clear()
    plain, model = TooSure(horizon=6), TooSure(horizon=6, calibration=True)
    plain.fit(y[:290])
    model.fit(y[:290])
    assert TooSure.fits == [290 * 60, 290 * 60, (290 - 17) * 60]
    pd.testing.assert_frame_equal(model.predict(6), plain.predict(6))
    for one, least, most in ((plain, 0.0, 0.2), (model, 0.72, 0.88)):
        band = one.predict_interval(6, coverage=0.8)
        inside = [y[k][290:296].between(*band[k].to_numpy().T).mean() for k in y]
        assert least < np.mean(inside) < most
    paths = model.sample(6, n_samples=2000, random_state=0)[7].to_numpy()
    band = model.predict_interval(6, coverage=0.8)[7].to_numpy()
    width = (band[:, 1] - band[:, 0])[:, None]
    assert np.abs((np.quantile(paths, [0.1, 0.9], axis=1).T - band) / width).max() < 0.1


def test_markov_calibrates_itself_on_several_short_series() -> None:
    y = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 3)).cumsum(0)).add_prefix("s")
    for one, calibrated in ((y[:60], True), (y["s0"][:60], False), (y, False)):
        assert (MarkovForecaster(horizon=2).fit(one).calibration_ is not None) == calibrated
    many = pd.concat([y[:60].add_prefix(f"{k} ") for k in range(60)], axis=1)
    assert MarkovForecaster(horizon=2).fit(many).calibration_ is None
    assert MarkovForecaster(horizon=2, calibration=False).fit(y[:60]).calibration_ is None
    assert MarkovForecaster(2, LinearRegression(), horizon=2).fit(y[:60]).calibration_ is None


def test_where_a_shorter_history_is_too_short_markov_goes_uncalibrated_unless_asked() -> None:
    y = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)).cumsum(0))
    assert MarkovForecaster(order=30).fit(y).calibration_ is None
    with pytest.raises(ValueError, match="`order` must be smaller"):
        MarkovForecaster(order=30, calibration=True).fit(y)


def test_bands_of_markov_hold_on_short_walks() -> None:
    walks = np.random.default_rng(0).normal(size=(72, 200)).cumsum(0)
    y = pd.DataFrame(walks).add_prefix("s")
    held = {}
    for calibration in (None, False):
        bands = []
        for first in range(0, 200, 40):
            part = y.iloc[:60, first : first + 40]
            model = MarkovForecaster(horizon=12, calibration=calibration).fit(part)
            bands.append(model.predict_interval(12, coverage=0.8).to_numpy().reshape(12, -1, 2))
        low, high = np.moveaxis(np.concatenate(bands, 1), 2, 0)
        held[calibration] = ((low <= walks[60:]) & (walks[60:] <= high)).mean()
    assert held[False] < 0.7 and 0.74 < held[None] < 0.88


def test_few_held_out_errors_widen_the_bands_of_networks(monkeypatch: Any) -> None:
    def spreads(length: int) -> np.ndarray:
        y = pd.Series(np.random.default_rng(0).normal(size=length))
        model = MLPForecaster(horizon=6, max_epochs=1, n_estimators=1, random_state=0).fit(y)
        return np.linalg.norm(model.model_.noise_factor.numpy(), axis=1)

    lengths = (40, 400)

    def plain(model: Any, judge: Any, *, by_series: bool) -> None:
        fitting.shrink(model, judge)
        judge.calibrate(model)

    monkeypatch.setattr(fitting, "usual_growth", lambda errors, independent: 0.3)
    calibrated = [spreads(length) for length in lengths]
    monkeypatch.setattr(fitting, "calibrate", plain)
    found = [spreads(length) for length in lengths]
    for held_out, before, after in zip((6, 40), found, calibrated, strict=True):
        errors = np.mean([(held_out - step + 1) / step**0.6 for step in range(1, 7)])
        believed = np.where(before < 1, before ** (errors / (errors + CLAIMED)), before)
        np.testing.assert_allclose(after, wider(errors + 1) * believed, rtol=1e-5)
    few, many = (after / before for before, after in zip(found, calibrated, strict=True))
    assert few.min() > 1.1 and 1 < many.max() < 1.1


def test_sizes_of_steps_grow_as_errors_did_and_lean_on_what_is_usual() -> None:
    drawn = np.random.default_rng(0).normal(size=(4000, 9)) * np.arange(1, 10) ** 0.5
    usual = np.full(9, 10.0)
    many, none = step_sizes(drawn, usual, 1e9), step_sizes(drawn, usual, 0.0)
    np.testing.assert_allclose(many, np.arange(1, 10) ** 0.5, rtol=0.05)
    np.testing.assert_allclose(none, usual)
    assert (np.diff(step_sizes(drawn[:, ::-1], 0 * usual, 5.0)) >= 0).all()  # never falls
    drawn[:, 4] = usual[7] = np.nan
    assert np.isfinite(step_sizes(drawn, usual, 5.0)).all()
    assert (step_sizes(np.full((3, 9), np.nan), np.ones(9), 0.0) == 1).all()


def test_what_is_usual_of_growing_errors_leans_on_a_walk() -> None:
    noise = torch.randn(4000, 12, generator=torch.Generator().manual_seed(0))
    for known, found in ((0.0, 0.5), (fitting.GROWS_LIKE_WALK, 0.25), (1e9, 0.0)):
        assert fitting.usual_growth(noise, known) == pytest.approx(found, abs=0.01)
    assert fitting.usual_growth(noise.cumsum(1), 1e9) == pytest.approx(0.5, abs=0.03)
    assert fitting.usual_growth(torch.full((3, 12), torch.nan), 0.0) == 0.5


def test_a_network_is_trusted_half_with_sixty_independent_errors() -> None:
    judge: Any = SimpleNamespace(training_size=60.0)
    assert fitting.network_trust(judge) == 0.5


@pytest.mark.slow
def test_paths_of_a_network_on_one_short_series_belong_together_as_past_naive_errors_did() -> None:
    near: dict[str, list[float]] = {"walk": [], "season": []}
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(size=60)
        for name, y in {"walk": noise.cumsum(), "season": 9 * np.arange(60) % 12 + noise}.items():
            model = MLPForecaster(horizon=6, season_length=12, max_epochs=1, random_state=seed)
            factor = model.fit(pd.Series(y)).model_.noise_factor.numpy()
            unit = factor / np.linalg.norm(factor, axis=1, keepdims=True)
            near[name].append(np.diag(unit @ unit.T, 1).mean())
    assert min(near["walk"]) > 0.65 > 0.5 > max(near["season"])


def test_a_network_that_claims_no_width_has_bands_of_the_size_of_its_errors(
    monkeypatch: Any,
) -> None:
    claimed = QuantileHead._offsets
    monkeypatch.setattr(QuantileHead, "_offsets", lambda self, w: claimed(self, w) * 1e-3)
    y = pd.Series(np.random.default_rng(0).normal(size=40))
    widths = {}
    for sure in (0.0, 20.0):
        monkeypatch.setattr(fitting, "HALF_TRUST", sure)
        model = MLPForecaster(horizon=6, max_epochs=1, random_state=0).fit(y)
        band = model.predict_interval(6, coverage=0.8).to_numpy()
        widths[sure] = (band[:, 1] - band[:, 0]).mean()
    assert widths[0.0] < 0.1 and 1.5 < widths[20.0] < 4.5  # 2.6 is right


@pytest.mark.slow
def test_bands_of_a_network_widen_with_the_step_on_short_walks() -> None:
    walks = np.random.default_rng(0).normal(size=(60, 4)).cumsum(0)
    ratio = []
    for seed, walk in enumerate(walks.T):
        model = MLPForecaster(horizon=12, max_epochs=2, random_state=seed).fit(pd.Series(walk))
        band = model.predict_interval(12, coverage=0.8).to_numpy()
        width = band[:, 1] - band[:, 0]
        ratio.append(width[8:].mean() / width[:4].mean())
    assert min(ratio) > 1.2  # the root of the step would be 2


@pytest.mark.slow
def test_bands_of_an_lstm_hold_more_on_single_weekly_series_for_their_held_out_errors() -> None:
    held: dict[str, list[float]] = {"both": [], "own": []}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        walk = rng.normal(size=104).cumsum()
        future = walk[-1] + rng.normal(size=(8, 400)).cumsum(0)
        y = pd.Series(walk, pd.date_range("2022-01-02", periods=104, freq="W"))
        model = LSTMForecaster(horizon=8, n_iter_no_change=4, random_state=seed).fit(y)
        for name, found in held.items():
            if name == "own":  # as the head alone would have it
                model.model_.own_share.fill_(1.0)
            low, high = model.predict_interval(8, coverage=0.8).to_numpy().T
            found.append(((low[:, None] <= future) & (future <= high[:, None])).mean())
    assert np.mean(held["both"]) > max(np.mean(held["own"]), 0.55)


def test_series_lean_on_their_own_errors_where_they_differ_and_not_by_chance() -> None:
    series, rng = np.repeat(np.arange(30), 8), np.random.default_rng(0)
    alike = [own_widths(rng.normal(size=(240, 3)) / 1.28, series, 30, 240.0) for _ in range(40)]
    assert sum(found is not None for found in alike) <= 4
    truth = np.exp(rng.normal(size=30))
    errors = rng.normal(size=(240, 3)) / 1.28 * np.clip(truth, 0.1, 3.0)[series][:, None]
    found = own_widths(errors, series, 32, 240.0).scale
    assert np.corrcoef(np.log(found[:30]), np.log(truth))[0, 1] > 0.9
    assert (found[30:] == 1).all()
    few = own_widths(errors, series, 30, 40.0).scale  # which tell less
    assert np.log(few).std() < np.log(found[:30]).std()
    assert own_widths(errors[:16], series[:16], 2, 16.0) is None
    assert own_widths(errors, series, 60, 240.0) is None  # most are not told of


def panel_ruled_by_giants() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return 24 seasonal series, futures (H, n, F), and which are smooth giants."""
    rng, giant, t = np.random.default_rng(0), np.arange(24) < 4, np.arange(120)[:, None]
    size, noise = np.where(giant, 1000.0, 1.0), np.where(giant, 0.1, 1.0)
    mean = 10 + 2 * np.sin(2 * np.pi * t / 12 + rng.uniform(0, 6, 24))
    y = size * (mean + noise * rng.normal(size=mean.shape))
    future = mean[108:, :, None] + noise[:, None] * rng.normal(size=(12, 24, 100))
    return pd.DataFrame(y[:108]).add_prefix("s"), size[:, None] * future, giant


@pytest.mark.slow
def test_bands_of_giants_are_no_wider_than_their_errors_say() -> None:
    y, future, giant = panel_ruled_by_giants()
    model = MLPForecaster(horizon=12, season_length=12, max_epochs=3, random_state=0).fit(y)
    common = copy.copy(model)
    common.calibration_ = None
    score, held = {}, {}
    for each in (model, common):
        band = each.predict_interval(12, coverage=0.8).to_numpy().reshape(12, 24, 2)
        low, high = band[..., :1], band[..., 1:]
        beyond = np.maximum(low - future, 0) + np.maximum(future - high, 0)
        score[each] = (high - low + 10 * beyond).mean((0, 2))
        held[each] = ((low <= future) & (future <= high)).mean((0, 2))
    assert score[model][giant].sum() < 0.6 * score[common][giant].sum()
    assert abs(held[model][~giant].mean() - 0.8) < 0.06
    alone = MLPForecaster(horizon=12, max_epochs=1, calibration=False, random_state=0).fit(y)
    assert alone.calibration_ is None


def test_calibration_is_saved_and_lent_to_new_series(tmp_path: Any) -> None:
    y = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 3)).cumsum(0)).add_prefix("s")
    model = MarkovForecaster(horizon=4, calibration=True).fit(y)
    model.save(tmp_path / "a.model")
    again = forecast.load(tmp_path / "a.model")
    pd.testing.assert_frame_equal(again.predict_interval(6), model.predict_interval(6))
    other = model.apply(y[["s0", "s1"]].add_prefix("new "))
    assert other.calibration_.scale == pytest.approx(
        np.exp(np.log(model.calibration_.scale).mean())
    )
    assert np.isfinite(other.predict_interval(6).to_numpy()).all()


def test_what_comes_later_calibrates_nothing_and_short_series_go_without() -> None:
    assert NaiveForecaster(calibration=True).fit(pd.Series([1.0, 2.0])).calibration_ is None
    y = pd.Series(np.random.default_rng(0).normal(size=60).cumsum())
    X = pd.DataFrame({"x": np.arange(70.0)})
    model = MarkovForecaster(horizon=3, calibration=True).fit(y, X)
    assert np.isfinite(model.predict_interval(3, X).to_numpy()).all()
    with pytest.raises(TypeError, match="`calibration` must be True or False"):
        ETSForecaster(calibration="yes").fit(y)
