"""The processes, each against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.generated.arima import draw_arima, pole_pairs
from forecast.generated.augmentation import flip_falling, mix
from forecast.generated.events import add_events, lose_values
from forecast.generated.kernels import draw_kernels
from forecast.generated.outcomes import count, sample_otherwise, saturate
from forecast.generated.patterns import (
    business,
    draw_day_types,
    draw_growth,
    draw_profiles,
    draw_trading_days,
)
from forecast.generated.recursion import autoregress, moving_average
from forecast.generated.smoothing import States, draw_states, smooth
from forecast.generated.wandering import draw_regimes, draw_walks


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_recursions_follow_their_sums(rng):
    e, c, lag = rng.standard_normal((3, 30)), rng.uniform(-0.4, 0.4, (3, 2)), np.array([1, 4, 7])
    x, y = autoregress(e, c, lag), moving_average(e, c, lag)
    for i in range(3):
        for t in range(30):
            past = [t - (k + 1) * lag[i] for k in range(2)]
            told = sum(c[i, k] * x[i, p] for k, p in enumerate(past) if p >= 0)
            heard = sum(c[i, k] * e[i, p] for k, p in enumerate(past) if p >= 0)
            assert x[i, t] == pytest.approx(e[i, t] + told)
            assert y[i, t] == pytest.approx(e[i, t] + heard)


def test_poles_lie_inside_the_unit_circle(rng):
    radius = [np.abs(np.roots([1, -a, -b])).max() for a, b in pole_pairs(rng, 2000)]
    assert max(radius) < 1
    assert np.mean(np.array(radius) > 0.8) > 0.2


@pytest.mark.parametrize("multiplied", [False, True])
def test_smoothing_follows_its_recursion(rng, multiplied):
    m, n = 4, 25
    profile = np.array([[0.1, -0.2, 0.3, -0.2]])
    parts = [np.array([v]) for v in (0.3, 0.1, 0.2, 0.95, 0.4)]
    states = States(np.array([9.0]), np.array([0.1]), profile, *parts, np.array([multiplied]))
    noise = rng.standard_normal((1, n)) * 0.5
    level, slope, error, seasons = 9.0, 0.1, 0.0, profile[0].copy()
    for t, y in enumerate(smooth(states, noise, np.array([m]))[0]):
        base, s = level + 0.95 * slope, seasons[t % m]
        error = 0.4 * error + noise[0, t]
        factor = 1 + s if multiplied else 1.0
        mean = base * factor if multiplied else base + s
        e = mean / 9.0 * error if multiplied else error
        assert y == pytest.approx(mean + e)
        level, slope = base + 0.3 * e / factor, 0.95 * slope + 0.1 * e / factor
        seasons[t % m] = s + 0.2 * e / (base if multiplied else 1)


def test_smoothing_parameters_keep_their_region(rng):
    s = draw_states(rng, np.zeros((500, 24)), np.repeat([1, 24], 250))
    assert (s.beta <= s.alpha).all()
    assert (s.gamma + s.alpha <= 1 + 1e-9).all()
    assert s.multiplied.any()
    assert not s.multiplied.all()


@pytest.mark.parametrize("process", [draw_arima, draw_kernels, draw_walks, draw_regimes])
@pytest.mark.parametrize("length", [5, 300])
def test_processes_are_finite(rng, process, length):
    season = np.array([1, 4, 24, 366] * 5)
    y = process(rng, rng.standard_normal((20, length)), season, draw_profiles(rng, season))
    assert y.shape == (20, length)
    assert np.isfinite(y).all()


def test_profiles_are_standard_over_their_own_season(rng):
    season = np.array([2, 7, 24, 1])
    profile = draw_profiles(rng, season)
    for row, m in zip(profile, season, strict=True):
        assert row[:m].mean() == pytest.approx(0, abs=1e-9)
        assert row[:m].std() == pytest.approx(float(m > 1), abs=1e-6)
        assert (row[m:] == 0).all()


def test_day_types_repeat_with_the_second_season(rng):
    season, second = np.array([24, 24]), np.array([168, 0])
    added = draw_day_types(rng, draw_profiles(rng, season), season, second, 400)
    np.testing.assert_allclose(added[0, 168:], added[0, :-168])
    assert added[0].std() > 0
    assert (added[1] == 0).all()


def test_trading_days_know_the_lengths_of_months(rng):
    effect = draw_trading_days(rng, 200, 48)
    lag = (effect[:, 12:] * effect[:, :-12]).mean()
    assert lag > 0.1  # February is short every year
    assert effect.std() == pytest.approx(1, abs=0.01)


def test_growth_persists_and_years_have_most_of_it(rng):
    change = np.diff(draw_growth(rng, np.repeat([1, 24], 500), 40))
    away = change - change.mean(1, keepdims=True)
    lasting = (away[:, 1:] * away[:, :-1]).sum(1) / (away**2).sum(1)
    assert np.median(lasting) > 0.2
    years, hours = change[:500], change[500:]
    assert (years.mean(1) > 0).mean() > 0.75
    assert np.median(np.abs(years)) > 5 * np.median(np.abs(hours))


def test_a_day_moves_from_hour_to_hour_more_slowly_than_a_year_from_month_to_month(rng):
    def lasting(season):
        p = draw_profiles(rng, np.full(400, season))
        return np.median((p * np.roll(p, 1, 1)).mean(1))

    assert lasting(24) > lasting(12) + 0.2


def test_most_business_series_grow(rng):
    walks = np.cumsum(rng.standard_normal((2000, 20)), 1)
    turned = flip_falling(rng, walks, np.arange(2000) < 1000)
    up = turned[:, -1] > turned[:, 0]
    assert up[:1000].mean() > 0.7
    assert 0.4 < up[1000:].mean() < 0.6


def test_counts_are_whole_and_from_dense_to_rare(rng):
    y = count(rng, rng.standard_normal((300, 100)))
    np.testing.assert_array_equal(y, y.round())
    empty = (y == 0).mean(1)
    assert (empty > 0.7).any()
    assert (empty < 0.05).any()


def test_counts_are_introduced_and_run_out(rng):
    y = count(rng, rng.standard_normal((1000, 90)))
    sold = y.sum(1) > 20
    first, last = (y[sold][:, part].mean(1) for part in (slice(30), slice(60, 90)))
    ended, new = last < 0.2 * first, first < 0.2 * last
    assert 0.05 < ended.mean() < 0.35
    assert 0.05 < new.mean() < 0.35


def test_more_befalls_a_year_than_an_hour(rng):
    season = np.repeat([1, 24], 1000)
    y = add_events(rng, np.zeros((2000, 40)), np.ones((2000, 1)), season)
    years, hours = (y != 0).any(1).reshape(2, 1000).mean(1)
    assert years > 2 * hours > 0


def test_few_yearly_figures_are_longer_than_a_hundred():
    season = np.array([1, 4, 12])
    assert business(season, 40).tolist() == [True, True, False]
    assert business(season, 400).tolist() == [False, True, False]


def test_saturated_series_touch_their_bound(rng):
    y = saturate(rng, rng.standard_normal((200, 100)))
    touched = ((y == y.min(1, keepdims=True)) | (y == y.max(1, keepdims=True))).sum(1) > 3
    assert touched.mean() > 0.5


def test_coarse_sampling_stays_near_the_series(rng):
    y = np.cumsum(rng.standard_normal((100, 80)), 1)
    seen = sample_otherwise(rng, y)
    assert np.corrcoef(seen.ravel(), y.ravel())[0, 1] > 0.9


def test_mixing_keeps_seasons_apart(rng):
    y = np.where(np.arange(100)[:, None] < 50, 1.0, 0.0) * np.sin(np.arange(30.0))
    mixed = mix(rng, y, np.arange(100) // 50)
    np.testing.assert_allclose(mixed[50:], 0, atol=1e-12)
    assert mix(rng, rng.random((1, 5)), np.ones(1, int)).shape == (1, 5)


def test_the_last_value_is_never_lost(rng):
    assert not np.isnan(lose_values(rng, np.zeros((500, 20)))[:, -1]).any()
