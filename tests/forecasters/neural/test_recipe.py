"""The sizes follow from season, horizon and lengths, and always fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.data.frames import read_frames
from forecast.data.synthetic import noisy_sine
from forecast.forecasters.loading import load
from forecast.forecasters.neural import recipe
from forecast.forecasters.neural.recipe import (
    batch_size,
    cold_recipe,
    hidden_size,
    largest_divisor,
    recurrent_recipe,
    seq2seq_recipe,
    template_lags,
    usable_seasons,
    window_recipe,
)
from forecast.forecasters.neural.recurrent import LSTMForecaster
from forecast.forecasters.neural.seq2seq import Seq2SeqForecaster
from forecast.forecasters.window.mlp import MLPForecaster

RECIPES = [window_recipe, recurrent_recipe]


def lengths(*sizes: int) -> np.ndarray:
    return np.array(sizes)


@pytest.mark.parametrize("choose", RECIPES)
@given(
    season=st.integers(1, 400),
    horizon=st.integers(1, 60),
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=5),
    context_length=st.none() | st.integers(1, 500),
)
def test_any_data_make_legal_sizes(
    choose: Any, season: int, horizon: int, sizes: list[int], context_length: int | None
) -> None:
    seasons = usable_seasons((season, 7 * season), np.array(sizes), horizon)
    chosen = choose(seasons, np.array(sizes), horizon, context_length)
    assert chosen.patch <= chosen.stride <= chosen.block <= horizon
    # what most training windows cannot teach is left to the rollout
    assert chosen.block == min(horizon, max(int(np.median(sizes)) // 3, 1))
    assert chosen.stride % chosen.patch == 0
    # every value is forecast from an origin of its window
    assert 1 <= chosen.every <= max(min(chosen.n_steps, chosen.block // chosen.patch), 1)
    assert chosen.window >= chosen.patch
    assert min(chosen.n_steps, chosen.batch_size, chosen.scale_window, chosen.min_observed) >= 1
    assert chosen.min_observed <= chosen.scale_window
    assert all(1 < lag for lag in chosen.lags) and len(set(chosen.lags)) == len(chosen.lags)


@pytest.mark.parametrize(
    ("season", "horizon", "patch", "stride"),
    [
        (1, 8, 1, 8),
        (12, 18, 1, 18),
        (24, 48, 24, 48),
        (24, 6, 6, 6),
        (24, 7, 6, 6),
        (52, 30, 26, 26),
    ],
)
def test_a_long_season_is_read_in_patches(
    season: int, horizon: int, patch: int, stride: int
) -> None:
    seasons = usable_seasons((season,), lengths(2000), horizon)
    chosen = recurrent_recipe(seasons, lengths(2000), horizon, None)
    assert (chosen.patch, chosen.stride, chosen.block) == (patch, stride, horizon)
    assert chosen.window == max(season, patch) if seasons else 4


@pytest.mark.parametrize("order", [1, 5, 30])
def test_context_length_is_the_order_of_a_window(order: int) -> None:
    chosen = window_recipe((12,), lengths(200), 12, order)
    assert chosen.window == chosen.scale_window == order
    assert all(lag <= order for lag in chosen.lags)  # nothing older is seen, templates included
    assert (chosen.patch, chosen.n_steps, chosen.drift) == (1, 1, False)


def test_context_length_is_the_training_window_of_a_state() -> None:
    chosen = recurrent_recipe((24,), lengths(2000), 24, 240)
    assert chosen.n_steps * chosen.patch == 240
    short = recurrent_recipe((), lengths(40), 8, 500)
    assert short.n_steps == 40  # no longer than a typical series


def test_seasons_that_the_data_do_not_hold_twice_are_left_out() -> None:
    assert usable_seasons((24, 168), lengths(300), 24) == (24,)
    assert usable_seasons((24, 168), lengths(360), 24) == (24, 168)
    assert usable_seasons((24,), lengths(71), 24) == ()
    assert usable_seasons((1,), lengths(1000), 8) == ()
    assert usable_seasons((12,), lengths(10, 60, 60), 12) == (12,)  # the median counts


def test_templates_reach_back_no_further_than_asked() -> None:
    assert template_lags((), 100) == ()
    assert template_lags((12,), 11) == ()
    assert template_lags((12,), 30) == (12, 24)
    assert template_lags((24, 168), 10_000) == (24, 168, 336, 504, 672)


def test_small_data_are_not_learned_by_heart() -> None:
    assert batch_size(lengths(100), 8, 1) == 4096 // 8  # targets a step at least
    assert batch_size(lengths(40_000, 40_000), 8, 5) == 20_000 // 40  # a quarter of all values
    assert batch_size(lengths(10**7), 24, 8) == 49_152 // 192  # at most
    assert batch_size(lengths(10), 60, 500) == 4  # windows at least
    assert (hidden_size(lengths(9999)), hidden_size(lengths(5000, 5000))) == (32, 64)


def test_half_the_patience_is_for_a_short_series_alone() -> None:
    found = [
        make((12,), own, 12, None).n_iter_no_change
        for make in (recurrent_recipe, seq2seq_recipe, window_recipe)
        for own in (lengths(499), lengths(500), lengths(200, 200))
    ]
    assert found == [5, 10, 10] * 3


def test_rounding_is_no_spread_before_the_first_value() -> None:
    flat = read_frames([pd.Series(np.full(30, 0.1))] * 2)
    own = recurrent_recipe((), flat.lengths, 6, None)
    assert cold_recipe(own, flat, 6).prior == pytest.approx((0.1, 1.0))


def test_a_short_series_alone_is_not_shown_several_times_at_a_step() -> None:
    shown = (lengths(499), lengths(500), lengths(200, 200))
    assert [window_recipe((12,), own, 12, None).batch_size for own in shown] == [64, 341, 341]


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_largest_divisor(number: int, at_most: int) -> None:
    found = largest_divisor(number, at_most)
    assert number % found == 0 and found <= at_most
    assert not any(number % d == 0 for d in range(found + 1, min(number, at_most) + 1))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:On the validation part")
def test_the_recipe_owns_the_number_of_networks(tmp_path, monkeypatch) -> None:
    sizes: Any = {"hidden_size": 4, "max_epochs": 1, "horizon": 6, "random_state": 0}
    monkeypatch.setattr(recipe, "n_estimators", lambda lengths: 2 if lengths.sum() < 100 else 3)
    y = noisy_sine(120, seed=0)
    for kind in (MLPForecaster, LSTMForecaster, Seq2SeqForecaster):
        short = kind(**sizes).fit(y[:80])
        assert len(short.model_.network.members) == short.recipe_.n_estimators == 2
        assert kind(n_estimators=1, **sizes).fit(y[:80]).recipe_.n_estimators == 1
        short.save(tmp_path / "model")
        with monkeypatch.context() as later:  # the rule of today is not that of the file
            later.setattr(recipe, "n_estimators", lambda lengths: 5)
            kept = load(tmp_path / "model")
        assert kept.n_estimators is None and kept.recipe_.n_estimators == 2
        assert np.array_equal(kept.predict(6), short.predict(6))
        assert kept.update(y[80:]).predict(6).notna().all()
    assert MLPForecaster(**sizes).fit(y).recipe_.n_estimators == 3


def test_files_from_before_that_rule_hold_the_number_as_a_parameter() -> None:
    kept = load(Path(__file__).parents[1] / "saved" / "v1-lstm.model")
    assert kept.n_estimators == kept.recipe_.n_estimators == len(kept.model_.network.members) == 3
