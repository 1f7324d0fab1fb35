"""Past errors, how they are drawn, and the forecasts in the middle of what is drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import MarkovForecaster, NaiveForecaster, ThetaForecaster
from forecast.forecasters import sampling
from forecast.forecasters.residuals import Residuals, recent_size
from forecast.forecasters.sampling import Noise, ResidualForecaster

NORMAL = np.random.default_rng(0).normal(size=60)
SKEWED = np.r_[np.full(55, -1.0), np.full(5, 11.0)] + 0.01 * NORMAL


def pool(*errors: np.ndarray) -> Residuals:
    owners = np.repeat(np.arange(len(errors)), [len(own) for own in errors])
    return Residuals.gather(np.concatenate(errors), owners, len(errors))


def test_errors_are_drawn_from_the_own_series() -> None:
    residuals = Residuals.gather(np.array([1.0, 1.0, 9.0, np.nan]), np.array([0, 0, 2, 2]), 3)
    drawn = Noise(residuals, 200, np.random.default_rng(0)).errors()
    one, none, other = (set(part.round(6)) for part in drawn)
    assert one == {-1.0, 1.0} and other == {-9.0, 9.0}
    assert none == one | other  # it has none of its own


def test_where_no_series_has_an_error_none_is_drawn() -> None:
    residuals = pool(np.array([np.nan, np.nan]))
    assert not Noise(residuals, 5, np.random.default_rng(0)).errors().any()


@pytest.mark.usefixtures("equal_sizes")
def test_only_skewed_errors_keep_their_sign() -> None:
    residuals = pool(NORMAL + 5, SKEWED)
    assert residuals.mirrored.tolist() == [True, False]
    drawn = Noise(residuals, 4000, np.random.default_rng(0)).errors()
    assert abs(drawn[0].mean()) < 0.1  # and the trend of 5 a step is not the paths'
    assert drawn[1].min() > -2 and drawn[1].max() == pytest.approx(11, abs=0.1)
    assert np.median(drawn[1]) == pytest.approx(np.median(SKEWED - SKEWED.mean()), abs=0.01)


@pytest.mark.usefixtures("equal_sizes")
def test_symmetric_rules_mirror_all_errors() -> None:
    owners = np.zeros(60, dtype=int)
    residuals = Residuals.gather(SKEWED + 5, owners, 1, symmetric=True)
    assert residuals.mirrored.all() and residuals.values.tolist() == (SKEWED + 5).tolist()


def test_even_noise_is_its_own_mirror_image_and_the_same_for_every_series() -> None:
    alone, beside = pool(NORMAL), pool(SKEWED, NORMAL, NORMAL[:7])
    first, second = (
        Noise(residuals, 100, np.random.default_rng(0), even=True) for residuals in (alone, beside)
    )
    for _ in range(3):
        drawn = first.errors()
        np.testing.assert_array_equal(drawn[:, :50], -drawn[:, 50:])
        np.testing.assert_array_equal(second.errors()[1], drawn[0])
    normals = first.normals(4)
    np.testing.assert_array_equal(normals[:, :50], -normals[:, 50:])


def test_noise_of_some_series_is_theirs_among_all() -> None:
    residuals = pool(NORMAL, SKEWED, np.array([np.nan]))  # the last one draws from all
    series, phases = np.array([2, 1]), np.zeros(3, dtype=int)
    every, some = (
        Noise(residuals, 100, np.random.default_rng(0), even=True, phases=phases, series=own)
        for own in (None, series)
    )
    np.testing.assert_array_equal(some.errors(), every.errors()[series])


@pytest.mark.usefixtures("equal_sizes")
def test_stretches_follow_each_other() -> None:
    residuals = Residuals.gather(np.arange(1.0, 8.0), np.zeros(7, dtype=int), 1, symmetric=True)
    drawn = Noise(residuals, 50, np.random.default_rng(0)).stretches(3, 2)  # (2, 3, 1, S)
    later = np.abs(drawn[:, 1:]) - np.abs(drawn[:, :-1])
    assert set(np.unique(later)) == {1.0, -6.0}  # the first comes after the last
    assert (np.sign(drawn) == np.sign(drawn[:1, :1])).all()


def test_without_a_generator_there_is_no_noise() -> None:
    still = Noise(pool(NORMAL, SKEWED))
    assert not still.errors().any() and not still.normals(3).any()


def test_pooled_errors_serve_any_number_of_series() -> None:
    residuals = pool(NORMAL, SKEWED).pooled(5)
    assert residuals.mirrored.shape == (5,)
    drawn = Noise(residuals, 1000, np.random.default_rng(0)).errors()
    assert drawn.shape == (5, 1000) and drawn.max() > 5


def seasonal(m: int, cycles: int, wild: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return errors that are `wild` times as large at the last place of a season, and places."""
    phases = np.arange(m * cycles) % m
    errors = np.random.default_rng(seed).normal(size=m * cycles)
    return np.where(phases == m - 1, wild * errors, errors), phases


def test_errors_are_drawn_with_the_size_of_their_place_in_the_season() -> None:
    errors, phases = seasonal(4, 30, 5.0)
    calm, _ = seasonal(4, 30, 1.0)
    owners = np.repeat([0, 1], 120)
    both = np.concatenate([errors, calm])
    residuals = Residuals.gather(both, owners, 2, phases=np.tile(phases, 2))
    assert (residuals.rhythm[1] == 1).all()
    noise = Noise(residuals, 4000, np.random.default_rng(0), phases=np.array([2, 2]))
    spread = np.array([noise.errors()[0].std() for _ in range(4)])
    np.testing.assert_allclose(spread, [1, 5, 1, 1], rtol=0.35)
    assert Residuals.gather(*(both, owners, 2)).rhythm.tolist() == [[1.0], [1.0]]


def test_equal_sizes_are_seldom_told_apart_and_few_cycles_never() -> None:
    found = [
        Residuals.gather(errors, np.zeros(len(errors), dtype=int), 1, phases=phases)
        for errors, phases in (seasonal(12, 10, 1.0, seed) for seed in range(100))
    ]
    assert sum((residuals.rhythm != 1).any() for residuals in found) <= 1
    errors, phases = seasonal(12, 3, 50.0)
    few = Residuals.gather(errors, np.zeros(36, dtype=int), 1, phases=phases)
    assert (few.rhythm == 1).all()


def test_errors_follow_each_other_but_for_gaps_and_borders() -> None:
    errors = np.array([1.0, 2.0, np.nan, 3.0, 4.0, 5.0])
    residuals = Residuals.gather(errors, np.array([0, 0, 0, 0, 0, 1]), 2)
    assert residuals.follows.tolist() == [False, True, False, True, False]
    assert residuals.take(np.array([1, 0])).follows.tolist() == [False, False, True, False, True]
    again = Residuals.from_arrays(residuals.arrays())
    np.testing.assert_array_equal(again.follows, residuals.follows)
    arrays = residuals.arrays()
    del arrays["residual_follows"]
    assert np.isnan(Residuals.from_arrays(arrays).means).all()  # nothing is told of far steps


def test_quantiles_take_the_median_of_their_own_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    model = NaiveForecaster(strategy="drift").fit(pd.Series(np.cumsum(SKEWED)))
    point, run, runs = model.predict(3), model._run, []
    monkeypatch.setattr(model, "_run", lambda *args: runs.append(args) or run(*args))
    _, middle = model._centered(3, (0.5,), None)
    np.testing.assert_allclose(middle[0, :, 0], point)
    assert len(runs) == 2  # without errors, and with even ones


def test_quantiles_of_many_series_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = pd.DataFrame({"skewed": np.cumsum(SKEWED), "even": np.cumsum(NORMAL)})
    model = NaiveForecaster(strategy="drift").fit(wide)
    at_once, point = model.predict_quantiles(3), model.predict(3)
    runs, run = [], model._run
    monkeypatch.setattr(sampling, "AT_ONCE", 1)
    monkeypatch.setattr(model, "_run", lambda h, x, noise: runs.append(noise) or run(h, x, noise))
    pd.testing.assert_frame_equal(model.predict_quantiles(3), at_once)
    assert [noise.series.tolist() for noise in runs] == [[0, 1], [0], [1]]
    pd.testing.assert_frame_equal(model.predict(3), point)
    assert runs[-1].series.tolist() == [0]  # paths only where errors are skewed


def test_errors_are_as_large_as_those_of_late() -> None:
    rng, ramp = np.random.default_rng(0), np.linspace(0.2, 1.8, 90)
    errors, owners = rng.normal(size=(3, 90)), np.repeat(np.arange(4), [90, 90, 90, 9])
    flat = np.concatenate([errors[0], ramp * errors[1], ramp[::-1] * errors[2], np.ones(9)])
    found = recent_size(flat, owners, 5)
    assert 0.8 < found[0] < 1.3 < found[1] < 1.9 and 0.3 < found[2] < 0.7
    assert found[3:].tolist() == pytest.approx([1, 1])  # all alike; none
    np.testing.assert_array_equal(recent_size(flat[90:180], owners[:90], 1), found[[1]])


def test_one_outlier_among_thousands_leaves_sizes_known() -> None:
    errors = np.r_[200.0, np.random.default_rng(0).normal(size=4999)]
    assert 0.5 < recent_size(errors, np.zeros(5000, dtype=int), 1)[0] < 1


def test_a_longer_season_forgets_more_slowly() -> None:
    calm, owners = np.tile(np.r_[np.full(36, 3.0), np.ones(12)], 2), np.zeros(96, dtype=int)
    by_errors, by_season = (recent_size(calm, owners, 1, m)[0] for m in (1, 48))
    assert by_errors < 0.85 < by_season


def test_errors_of_late_become_long_ago() -> None:
    grown = np.random.default_rng(0).normal(size=60) * np.arange(60)
    then = Residuals.gather(grown, np.zeros(60, dtype=int), 1)
    twice = then.later(np.array([3])).later(np.array([5]))
    for one, other in zip(twice, then.later(np.array([8])), strict=True):
        np.testing.assert_allclose(one, other)
    assert then.pooled(2).later(np.array([0, 8])).recent.tolist() == [1, 1]


def test_of_a_season_late_is_as_long_as_it() -> None:
    grown, none = np.random.default_rng(0).normal(size=96) * np.arange(96), np.zeros(96, dtype=int)
    steps, season = (Residuals.gather(grown, none, 1, phases=np.arange(96) % m) for m in (1, 48))
    assert steps.recent > season.recent > 1
    np.testing.assert_allclose(season.later(np.array([48])).recent ** 2, season.recent)
    assert season.take(np.array([0, 0])).recent.tolist() == [*season.recent, *season.recent]
    with pytest.raises(ValueError, match="of late have no size"):
        Residuals.from_arrays(season.arrays() | {"residual_recent": np.zeros(1)})


@pytest.mark.parametrize("forecaster", [ThetaForecaster, MarkovForecaster])
def test_an_update_makes_errors_of_late_long_ago(forecaster: type[ResidualForecaster]) -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=90) * np.arange(90))
    model = forecaster().fit(y[:80])
    then = model.residuals_
    now = model.update(y[80:]).residuals_
    assert 1 < now.recent[0] < then.recent[0]
    np.testing.assert_allclose(now.values, then.later(np.array([10])).values)


def test_errors_without_size_stay() -> None:
    assert recent_size(np.zeros(60), np.zeros(60, dtype=int), 1).tolist() == [1]
