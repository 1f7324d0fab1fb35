"""Whole generated series: the same from a seed, of any length, of every kind."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.generated.frequencies import FREQUENCIES, LONGEST_SEASON, Seasons, draw_seasons
from forecast.generated.series import PROCESSES, draw_series


def test_a_seed_decides_everything():
    first, again, other = (draw_series(seed, 20, 80) for seed in (1, 1, 2))
    for left, right in zip(first, again, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(first.values, other.values, equal_nan=True)


@pytest.mark.parametrize("length", [5, 6, 13, 60, 2000])
def test_every_length_gives_finite_series(length):
    drawn = draw_series([3, length], 60, length)
    values = drawn.values
    assert values.shape == (60, length)
    assert np.isfinite(values[~np.isnan(values)]).all()
    assert not np.isnan(values[:, -1]).any()
    assert ((drawn.season >= 1) & (drawn.season <= LONGEST_SEASON)).all()


@pytest.mark.parametrize("season", [1, 2, 7, 53, 366])
def test_every_season_can_be_asked_for(season):
    seasons = Seasons(np.full(40, season), np.zeros(40, int))
    drawn = draw_series(4, 40, 100, seasons, gaps=False)
    assert np.isfinite(drawn.values).all()


def test_seasons_may_differ_in_a_batch_and_be_double():
    seasons = Seasons(np.array([1, 12, 24, 48] * 10), np.array([0, 0, 168, 336] * 10))
    assert np.isfinite(draw_series(5, 40, 700, seasons, gaps=False).values).all()


def test_shares_sum_to_one():
    assert sum(share for _, share in PROCESSES) == pytest.approx(1)
    assert all(f.share > 0 for f in FREQUENCIES)  # relative: the length decides who may come


def test_a_second_season_is_told_only_where_it_is_seen():
    seasons = draw_seasons(np.random.default_rng(0), 500, 200)
    assert not (seasons.second == 365).any()
    assert not (seasons.second == 168).any()
    assert (draw_seasons(np.random.default_rng(0), 500, 800).second == 168).any()


def test_all_kinds_of_observation_occur():
    values = draw_series(6, 600, 100, gaps=False).values
    whole = np.abs(values) / np.abs(np.where(values, values, np.inf)).min(1, keepdims=True)
    counts = (np.abs(whole - whole.round()) < 1e-9).all(1)
    assert 0.05 < counts.mean() < 0.25
    assert 0.2 < (values > 0).all(1).mean() < 0.8
    assert (values < 0).any(1).mean() > 0.1
    ties = (np.diff(values) == 0).mean(1)
    assert 0.03 < (ties > 0.5).mean() < 0.2


def test_gaps_occur_and_can_be_refused():
    assert 0.2 < np.isnan(draw_series(7, 300, 60).values).any(1).mean() < 0.6
    assert not np.isnan(draw_series(7, 300, 60, gaps=False).values).any()


def test_a_told_season_is_usually_there():
    seasons = Seasons(np.full(300, 12), np.zeros(300, int))
    values = draw_series(8, 300, 120, seasons, gaps=False).values
    z = np.diff(values, axis=1)
    z = z - z.mean(1, keepdims=True)
    at_season = (z[:, 12:] * z[:, :-12]).sum(1) / ((z**2).sum(1) + 1e-12)
    assert 0.3 < (at_season > 0.3).mean() < 0.9
