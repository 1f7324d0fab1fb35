"""Means over blocks move a forecast as by hand, and only where they say something."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from forecast.pretrained.blocks import (
    FEWEST,
    MEDIAN,
    SHARE,
    means,
    moved,
    moves,
    near,
    needed,
    steps_for,
)
from forecast.pretrained.sweep import View, begin, quantiles
from forecast.pretrained.weights import load_network


@pytest.fixture(scope="module")
def network():
    return load_network().double()


@pytest.fixture(scope="module")
def months():
    """Return 125 months of two series that grow, one with gaps."""
    rng, t = np.random.default_rng(0), np.arange(125)
    y = rng.normal(size=(2, 125)).cumsum(1) + 0.2 * t + 5 * np.sin(2 * np.pi * t / 12)
    y[1, [40, 41, 90]] = np.nan
    return y


def tables(network, y, view, horizon):
    """Return the forecast by a view, and that by the network alone."""
    y, one = torch.from_numpy(y), torch.ones(len(y), dtype=torch.long)
    with torch.inference_mode():
        live = begin(network, y, (view,))
        alone = network.quantiles(y, view.season * one, view.second * one, horizon)
        return quantiles(network, y, (view,), live, horizon)[:, 0].numpy(), alone.numpy()


def test_means_are_those_of_the_newest_seasons(months):
    y = pd.DataFrame(months.T)
    y = y.groupby(y.index % 12).ffill()  # every month from the year before
    years = y.iloc[5:].groupby(np.arange(120) // 12).mean()
    np.testing.assert_allclose(means(months, 12, 12), years.T)


def test_a_season_that_no_year_shows_is_not_there(months):
    y = np.where(np.arange(125) % 12 == 3, np.nan, months)
    assert np.isnan(means(y, 12, 12)).all()


def test_who_learned_from_steps_moves_by_what_blocks_change(network, months, monkeypatch):
    monkeypatch.setattr("forecast.pretrained.blocks.SHARE", 9.0)
    tuned = copy.deepcopy(network)
    tuned.tuned = True
    free, found = (np.subtract(*tables(one, months, View(12), 18)) for one in (network, tuned))
    most = np.abs(np.diff(means(months, 12, 12))).mean(1)[:, None, None]
    assert (np.abs(free) > 1.5 * most).any()
    np.testing.assert_allclose(found, free.clip(-most, most), atol=1e-9)


@pytest.mark.parametrize(("view", "length", "within"), [
    (View(12), 12, 1), (View(4), 2, 2), (View(1), 2, 1), (View(5, 35), 5, 7),
])  # fmt: skip
def test_forecasts_move_towards_what_is_said_of_blocks(network, months, view, length, within):
    horizon = 2 * length
    found, alone = tables(network, months, view, horizon)
    long = tables(network, months, view, 3 * length)[1][..., MEDIAN]
    one = torch.ones(2, dtype=torch.long)
    blocks = torch.from_numpy(means(months, view.season, length))
    said = network.quantiles(blocks, within * one, 0 * one, 3)[..., MEDIAN].numpy()
    away = said - long.reshape(2, 3, length).mean(2)
    middles = [1, *(length * b + (length + 1) / 2 for b in range(3))]
    for row in range(2):
        by = np.interp(np.arange(1, horizon + 1), middles, [0, *away[row]])
        np.testing.assert_allclose(found[row], alone[row] + SHARE * by[:, None], rtol=1e-6)


def test_few_blocks_and_rare_demand_say_nothing(network, months):
    short = months[:1, -(12 * FEWEST - 1) :]
    rare = np.where(np.arange(125) % 3 == 0, np.abs(months), 0.0)
    for y in (short, rare, np.full((1, 125), 7.0)):
        found, alone = tables(network, y, View(12), 18)
        np.testing.assert_allclose(found, alone)
    begins_late = np.concatenate([np.full((1, 60), np.nan), months[:1, 60:]], 1)
    found, alone = tables(network, np.concatenate([begins_late, months[1:]]), View(12), 18)
    np.testing.assert_allclose(found[0], alone[0])
    assert np.abs(found[1] - alone[1]).max() > 0.01


def test_a_longer_forecast_begins_as_a_shorter_one(network, months):
    whole = tables(network, months, View(12), 40)[0]
    for horizon in (1, 2, 7, 18, 19):
        part = tables(network, months, View(12), horizon)[0]
        np.testing.assert_allclose(part, whole[:, :horizon], rtol=1e-6)


def test_forecasts_follow_scale_and_shift(network, months):
    found, other = (tables(network, y, View(12), 24)[0] for y in (months, 3 * months + 50))
    np.testing.assert_allclose(other, 3 * found + 50, rtol=1e-6)


@given(st.integers(1, 200), st.integers(2, 60))
def test_as_many_blocks_as_a_horizon_needs(horizon, length):
    count = needed(horizon, length)
    middles = [1, *(length * b + (length + 1) / 2 for b in range(count))]
    assert middles[-1] >= horizon
    assert count == 0 or middles[-2] < horizon


def test_steps_beyond_the_last_middle_are_not_asked_for():
    y = np.zeros((1, steps_for(12, 0, 19, n_values=200)))
    assert moved(y, np.ones((1, 3)), 19)[0, 6:].tolist() == [1.0] * 13
    assert moves(None, y, 12, 0, y, 1).tolist() == [[0.0]]  # a step ahead asks nobody


def test_farther_than_training_asks_a_forecast_moves_as_there(network, months):
    found, alone = tables(network, months, View(1), 300)
    away = (found - alone)[..., MEDIAN]
    last = near(1, 0, 300) + 2  # the middle of the last block lies behind it
    np.testing.assert_allclose(away[:, last:], away[:, [last - 1]] * np.ones(300 - last))
    assert np.ptp(away[:, :last], 1).min() > 0.01


def test_no_step_is_forecast_for_blocks_that_cannot_be():
    assert steps_for(1440, 10080, 2, n_values=1799) == 2
