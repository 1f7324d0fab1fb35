"""Training: it learns, stops and goes on, and ships what it learned."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from forecast.pretrained.network import LEVELS, PretrainedNetwork
from forecast.pretrained.weights import load_network
from pretraining import train as training
from pretraining.likeness import SHOWN, errors
from pretraining.limit import train_parts
from pretraining.train import Course, draw_batch
from pretraining.validate import Task, forecast, held_out


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(training, "VALUES", 600)


def test_a_batch_is_decided_by_seed_and_step():
    first, again = draw_batch(0, 3), draw_batch(0, 3)
    assert first.length == again.length
    torch.testing.assert_close(first.values, again.values, equal_nan=True)
    assert draw_batch(0, 4).values.shape != first.values.shape or not torch.equal(
        draw_batch(0, 4).season, first.season
    )


@pytest.mark.parametrize("step", range(8))
def test_no_origin_reads_what_it_forecasts(step):
    batch = draw_batch(1, step)
    assert batch.origins.max() == batch.length - 1
    assert batch.steps.min() == 1
    assert batch.length + batch.steps.max() <= batch.values.shape[1]


def test_a_run_that_was_interrupted_goes_on(tmp_path):
    whole = Course(seed=2, width=8)
    for _ in range(4):
        whole.advance()
    halved = Course(seed=2, width=8)
    for _ in range(2):
        halved.advance()
    halved.save(tmp_path / "checkpoint.safetensors")
    halved = Course.load(tmp_path / "checkpoint.safetensors")
    for _ in range(2):
        halved.advance()
    assert halved.step == whole.step
    for name, value in whole.average.items():
        # the optimiser's moments are kept in bfloat16
        torch.testing.assert_close(halved.average[name], value, atol=2e-5, rtol=1e-3)


def test_shipped_weights_say_where_they_come_from_and_forecast(tmp_path):
    course = Course(seed=3, width=8)
    assert math.isfinite(course.advance())
    course.ship(tmp_path / "weights.safetensors")
    with safe_open(tmp_path / "weights.safetensors", "pt") as file:
        about = file.metadata()
    assert {"generator", "seed", "commit", "steps", "hash", "shape"} <= set(about)
    network = load_network(tmp_path / "weights.safetensors")
    y, one = torch.randn(2, 30), torch.ones(2)
    quantiles = network.quantiles(y, 4 * one, 0 * one, horizon=9)
    assert quantiles.shape == (2, 9, len(LEVELS))
    assert (quantiles.diff(dim=-1) > 0).all()


def test_a_short_forecast_is_the_beginning_of_a_long_one():
    network, one = PretrainedNetwork(width=8), torch.ones(2)
    torch.nn.init.normal_(network.readout.out.weight)
    y = torch.randn(2, 30)
    short, far = (network.quantiles(y, 4 * one, 0 * one, horizon=h) for h in (3, 12))
    torch.testing.assert_close(short, far[:, :3], rtol=1e-5, atol=1e-5)


def test_training_logs_and_saves(tmp_path):
    training.train(0.002, tmp_path, 0, tmp_path / "weights.safetensors")
    assert {"checkpoint.safetensors", "weights.safetensors"} <= {
        path.name for path in tmp_path.iterdir()
    }


def test_a_cold_step_moves_nothing():
    course = Course(seed=4, width=8)
    before = {name: value.clone() for name, value in course.network.state_dict().items()}
    course.advance(warmth=0.0)
    for name, value in course.network.state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_the_checkpoint_is_the_one_before_cooling(tmp_path):
    training.train(0.002, tmp_path, 0, tmp_path / "weights.safetensors", cool=0.01)
    assert (tmp_path / "weights.safetensors").exists()
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_some_horizons_are_far():
    batches = [draw_batch(5, step) for step in range(40)]
    far = [(b.horizon > 4 * b.season.clamp(min=14)).any() for b in batches]
    assert 0.2 < np.mean(far) < 1
    assert max(b.steps.max() for b in batches) > 100


def test_validation_reads_no_test_part(tmp_path):
    rows = [("a", k, float(k), "train" if k < 20 else "test") for k in range(26)]
    frame = pd.DataFrame(rows, columns=["unique_id", "ds", "y", "split"])
    frame.to_parquet(tmp_path / "made.parquet")
    (held,) = held_out(Task("made", 1, 0, 6), tmp_path)
    np.testing.assert_array_equal(held.future, np.arange(14.0, 20))
    np.testing.assert_array_equal(held.past, np.arange(14.0))
    assert forecast(PretrainedNetwork(width=8), [held])[0].shape == (6, len(LEVELS))


@pytest.mark.parametrize("origins", [1, 2, 3])
def test_real_series_teach_nothing_that_is_held_out(tmp_path, origins):
    rows = [("a", k, float(k), "train") for k in range(40)]
    frame = pd.DataFrame(rows, columns=["unique_id", "ds", "y", "split"])
    frame.to_parquet(tmp_path / "made.parquet")
    task = Task("made", 1, 0, 6, origins=origins)
    (part,) = train_parts(task, tmp_path)
    first = min(held.future[0] for held in held_out(task, tmp_path))
    np.testing.assert_array_equal(part, np.arange(first))


def test_a_template_that_is_right_is_told_from_the_last_value():
    """`likeness` compares a prior with real series by the errors of templates."""
    season = np.tile([0.0, 4.0, 1.0, 5.0], 20) + 0.01 * np.random.default_rng(0).normal(size=80)
    found = errors(season[None], Task("any", 4, 0, 4))[0]
    repeated = SHOWN["a season ago"]
    assert found.shape[0] == 2 and (found[:, 0] == 0).all()  # the last value, beside itself
    assert found[0, repeated] < -1  # one step ahead it errs less by far
    assert found[1, repeated] == pytest.approx(0, abs=0.1)  # a season ahead they say the same
