"""Fine-tuning: it learns, from what it may read, and is kept only if it helped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from forecast import PretrainedForecaster
from forecast.pretrained import tuning
from forecast.pretrained.network import PretrainedNetwork
from forecast.pretrained.sweep import View
from forecast.pretrained.tuning import (
    Histories,
    change,
    draw_loss,
    fine_tune,
    heard,
    held_out_losses,
    learned,
    studied,
)


def waves(n: int = 6, length: int = 60) -> torch.Tensor:
    t, shift = torch.arange(length).double(), torch.arange(n).double()[:, None]
    return 5 + (2 * torch.pi * (t + shift) / 6).sin() + 0.02 * t


def histories(values: torch.Tensor) -> Histories:
    def newest(rows: torch.Tensor, back: int) -> torch.Tensor:
        return values[rows][:, : values.shape[1] - back]

    n, length = values.shape
    views = View(6), View(1)
    return Histories(newest, np.full(n, length), views, np.array([0.8, 0.2]), 6, 11)


@pytest.fixture
def untaught() -> PretrainedNetwork:
    torch.manual_seed(0)
    return PretrainedNetwork(width=8).eval().requires_grad_(False)


def losses_of(network: PretrainedNetwork, panel: Histories) -> np.ndarray:
    return held_out_losses(network, studied(network, panel), panel)


def test_it_learns_what_it_did_not_know(untaught, monkeypatch):
    monkeypatch.setattr(tuning, "STEPS_PER_EPOCH", 24)
    panel = histories(waves())
    tuned = fine_tune(untaught, panel, 1)
    mean, doubt = change(losses_of(tuned, panel), losses_of(untaught, panel))
    assert mean + doubt < np.log(0.9)
    again = fine_tune(untaught, panel, 1)
    for name, value in tuned.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)
        if not name.startswith("readout"):
            assert torch.equal(value.half(), untaught.state_dict()[name].half())


def test_what_got_no_better_is_not_kept(untaught, monkeypatch):
    monkeypatch.setattr(tuning, "STEPS_PER_EPOCH", 1)
    losses = iter([np.ones(9), np.full(9, 1.1), np.full(9, 1.2)])
    monkeypatch.setattr(tuning, "held_out_losses", lambda *_: next(losses))
    assert fine_tune(untaught, histories(waves()), 2) is untaught


def test_a_panel_that_teaches_nothing_is_forecast_as_without(monkeypatch):
    monkeypatch.setattr(tuning, "STEPS_PER_EPOCH", 1)
    monkeypatch.setattr(tuning, "change", lambda *_: (-0.1, 0.2))
    values = np.random.default_rng(0).normal(size=(40, 3))
    y = pd.DataFrame(values, pd.date_range("2020", periods=40, freq="MS"))
    both = [PretrainedForecaster(horizon=3, fine_tune=k).fit(y).predict_quantiles() for k in (0, 1)]
    pd.testing.assert_frame_equal(*both)


def test_a_tuned_network_reads_by_no_view_that_taught_nothing(monkeypatch):
    monkeypatch.setattr(tuning, "STEPS_PER_EPOCH", 1)
    monkeypatch.setattr(tuning, "UNHEARD", 0.5)
    monkeypatch.setattr(tuning, "change", lambda *_: (-0.1, 0.0))
    season = np.sin(np.pi / 6 * (np.arange(60)[:, None] + np.arange(3)))
    y = pd.DataFrame(season + np.random.default_rng(0).normal(0, 0.1, season.shape))
    as_it_is, tuned = (PretrainedForecaster(horizon=3, fine_tune=k).fit(y) for k in (0, 1))
    assert len(as_it_is.views_) > 1
    assert [view.season for view in tuned.views_] == [12]
    assert tuned.weights_.shape == (3, 1)


def test_the_values_that_judge_teach_nothing(untaught):
    values = waves()
    other = values.clone()
    other[:, -11:] = 1e6
    draws, judged = [], []
    for panel in map(histories, (values, other)):
        lessons = studied(untaught, panel)
        draws.append(draw_loss(untaught, lessons, panel, np.random.default_rng(0)))
        judged.append(held_out_losses(untaught, lessons, panel))
    assert draws[0] == draws[1]
    assert (judged[0] != judged[1]).all()


def test_what_has_little_before_it_teaches_nothing(untaught, monkeypatch):
    panel, asked = histories(waves()), []
    monkeypatch.setattr(tuning, "rolling_loss", lambda *given: asked.append(given[3]))
    monkeypatch.setattr(tuning, "WARM_UP", 5)
    lessons, generator = studied(untaught, panel), np.random.default_rng(0)
    for _ in range(20):
        draw_loss(untaught, lessons, panel, generator)
    origins = torch.cat(asked)
    assert (origins.min(), origins.max()) == (24, 47)  # of the 49 steps before those that judge
    assert {one.features.shape[1] for one in lessons[0].readings} == {60 - 24 + 5}


def test_a_gain_that_chance_could_have_made_is_none():
    rng = np.random.default_rng(0)
    before = rng.lognormal(size=400)
    chance = np.exp(rng.normal(0, 0.2, size=400))
    assert sum(change(before * chance, before)) > 0  # as many better as worse
    assert sum(change(0.95 * before * chance, before)) < 0
    assert change(before[:1] / 2, before[:1]) == (0, 0)  # one series tells nothing
    silent = np.append(before, [0.0, np.nan])
    assert np.isfinite(change(silent, silent)).all()


def test_a_single_series_costs_no_training(untaught, monkeypatch):
    monkeypatch.delattr(tuning, "draw_loss")
    assert fine_tune(untaught, histories(waves(1)), 1) is untaught


@pytest.mark.parametrize(("half", "whole", "way"), [(0.5, 0.6, 0.5), (0.6, 0.5, 1.0)])
def test_the_way_that_is_better_is_gone(half, whole, way, untaught, monkeypatch):
    monkeypatch.setattr(tuning, "STEPS_PER_EPOCH", 2)
    losses = iter([np.ones(9), np.full(9, half), np.full(9, whole)])
    monkeypatch.setattr(tuning, "held_out_losses", lambda *_: next(losses))
    panel = histories(waves())
    goal = learned(untaught, studied(untaught, panel), panel, 2).readout.out.weight
    found = fine_tune(untaught, panel, 1).readout.out.weight
    torch.testing.assert_close(found, way * goal, rtol=1e-2, atol=1e-6)  # from zero


def test_a_view_that_hardly_counts_is_neither_learned_nor_judged(untaught):
    panel = histories(waves())
    views = (*panel.views, View(7))
    whole = panel._replace(views=views, weights=np.array([0.8, 0.199, 0.001]))
    kept = heard(whole)
    assert list(kept.views) == list(panel.views)
    np.testing.assert_allclose(kept.weights, np.array([0.8, 0.199]) / 0.999)
    without = panel._replace(weights=kept.weights)
    kept_losses = losses_of(untaught, kept)
    np.testing.assert_array_equal(kept_losses, losses_of(untaught, without))
    assert (kept_losses != losses_of(untaught, whole)).any()


def test_a_view_that_hardly_counts_stays_for_series_too_short_for_the_others():
    panel = histories(waves())._replace(weights=np.array([1.0, 0.0]))
    assert list(heard(panel).views) == [View(6)]
    panel.lengths[3] = 11  # the season of six was not seen twice
    assert list(heard(panel).views) == list(panel.views)


def test_of_long_series_few_are_read(untaught, monkeypatch):
    monkeypatch.setattr(tuning, "READ", 120)  # values: two series of sixty
    values = waves()
    lessons = studied(untaught, histories(values))
    read = torch.cat([values for values, _ in lessons])
    assert len(read) == 2  # the first and the last
    for row in (0, 5):
        assert (read == values[row]).all(1).any()


@pytest.mark.parametrize("length", [7, 9, 40])
def test_short_and_ragged_series_are_learned_from_without_a_fault(length, monkeypatch):
    monkeypatch.setattr(tuning, "STEPS_PER_EPOCH", 2)
    rng = np.random.default_rng(0)
    panel = [
        pd.Series(rng.normal(size=n), pd.date_range("2020", periods=n, freq="MS"), name=str(k))
        for k, n in enumerate((length, length, 5, 6))
    ]
    model = PretrainedForecaster(horizon=3, fine_tune=1).fit(panel)
    assert all(np.isfinite(one).all() for one in model.predict(4))


def test_a_wrong_number_of_epochs_is_named():
    with pytest.raises(ValueError, match="`fine_tune`"):
        PretrainedForecaster(fine_tune=-1).fit(pd.Series(np.arange(30.0)))
