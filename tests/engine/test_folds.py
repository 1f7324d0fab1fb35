"""A block of time held out for each member: what teaches it, and what judges it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from forecast.engine.drawing import Draw
from forecast.engine.folds import Folds, in_training
from forecast.engine.training import FlatGradient, backward
from forecast.engine.validation import Validation
from forecast.networks.base import leaves
from forecast.networks.ensemble import Ensemble
from tests.checks import NetworkCase, as_windows, build_model, same

BLOCKS = torch.tensor([[48, 60], [36, 48], [24, 36]])
WALK = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 60)).cumsum(1))
THREE = NetworkCase(Ensemble, {"cells": ("gru", "lstm", "gru")})


@pytest.mark.parametrize(("patch", "block"), [(1, 6), (4, 12), (3, 2)])
def test_what_teaches_a_member_equals_its_slow_twin(patch, block):
    first, n_steps = torch.tensor([-1, 7, 20]), 5
    found = in_training(BLOCKS, first, n_steps, patch, block)
    for b, s, e, r in np.ndindex(*found.shape):
        origin = first[b] + patch * (s + 1)  # the values before it are read
        held = range(*BLOCKS[e].tolist())
        assert found[b, s, e, r] == (origin + r not in held and origin not in held)


@pytest.mark.parametrize("at", [range(4), range(1, 4, 2)])
def test_what_is_held_out_of_a_member_teaches_it_nothing_and_the_others(at):
    model = build_model(THREE, (1, 6, 6), scale_window=12, known_size=0)
    options = {"n_steps": 4, "reader": model.reader, "blocks": BLOCKS}
    generator, ends = torch.Generator().manual_seed(0), torch.tensor([60])
    draw = Draw(as_windows(WALK), 50, ends, generator=generator, **options)
    batch = next(iter(draw)).at(at)
    assert batch.in_training.shape == (50, len(at), 3, 6)
    for member, (first, end) in enumerate(BLOCKS.tolist()):
        seen = batch.targets[batch.in_training[:, :, member]]
        assert len(seen) and not torch.isin(seen, WALK[0, first:end]).any()
    hidden = ~batch.in_training[:, :, 0]
    other = batch._replace(targets=batch.targets + 9 * hidden)
    before, after = (
        (loss * mask).nansum((0, 1, 3))
        for loss, mask, *_ in (model.losses(each, min_observed=1) for each in (batch, other))
    )
    assert before[0] == after[0]
    assert (before[1:] != after[1:]).all()


def test_where_all_targets_teach_all_members_the_mean_loss_is_the_same():
    model = build_model(THREE, (1, 6, 6), scale_window=12, known_size=0)
    options = {"n_steps": 4, "reader": model.reader, "generator": torch.Generator().manual_seed(0)}
    batch = next(iter(Draw(as_windows(WALK), 50, torch.tensor([60]), **options)))
    every = torch.ones(50, 4, 3, 6, dtype=torch.bool)
    gradients = FlatGradient(model.parts())
    whole, same = (
        backward(model, gradients, each, 1, None)[0]
        for each in (batch, batch._replace(in_training=every))
    )
    assert torch.equal(whole, same)


def test_each_member_is_judged_alone_by_its_own_block():
    model, windows = build_model(THREE, (1, 6, 6), scale_window=12, known_size=0), as_windows(WALK)
    judge = Folds(model, windows, BLOCKS, 6, 1)
    losses, naive, errors = [], [], []
    for member, (first, end) in enumerate(BLOCKS.tolist()):
        alone = model.alone(member)
        own = Validation(alone, as_windows(WALK[:, :end]), torch.tensor([first]), 6, 1)
        losses.append(own.loss(alone))
        naive.append(own.naive_loss)
        errors.append(own.shrinkage(alone)[0])
    assert judge.loss(model) == pytest.approx(np.mean(losses))
    assert judge.naive_loss == pytest.approx(np.mean(naive))
    assert judge.ends.tolist() == [60]  # the newest values teach all members but one
    assert torch.allclose(judge.shrinkage(model)[0], torch.cat(errors), equal_nan=True)
    newest = Validation(model, windows, torch.tensor([48]), 6, 1)
    assert judge.training_size == newest.training_size
    assert judge.independent == pytest.approx(3 * newest.independent)
    assert judge.independent_if(0.2) == pytest.approx(3 * newest.independent_if(0.2))
    assert len(judge.series) == len(judge.calibrate(model)[0]) == 36


def test_what_points_would_lean_on_is_measured_in_residual_units():
    model, windows = build_model(THREE, (1, 6, 6), scale_window=12, known_size=0), as_windows(WALK)
    windows.spreads = torch.tensor([5.0])  # typical of the series, unlike those of its origins
    judge = Validation(model, windows, torch.tensor([48]), 6, 1)
    _, origins, targets, reading, unit = judge._all_past(model)
    errors = judge.template_errors(model)[..., [0, -1]] * unit[..., None]
    points = torch.stack([WALK[0, origins - 1], reading.scale.level[:, 0]], -1)[:, None]
    same(errors.nan_to_num(), (targets[..., None] - points).nan_to_num(), 1e-12)
    model.lean(torch.eye(model.reader.n_templates)[0], 0.0)
    missed, away = judge.shrinkage(model)
    model.lean(model.naive_weights, 0.3)
    same(judge.shrinkage(model)[0].nan_to_num(), (missed - 0.3 * away).nan_to_num(), 1e-12)


def test_a_member_alone_has_the_weights_of_the_ensemble():
    model = build_model(THREE, (1, 6, 6))
    one = model.alone(1)
    assert one.network.width == model.network.width // 3 and len(model.network.members) == 3
    pairs = zip(one.network.parameters(), model.network.members[1].parameters(), strict=True)
    assert all(own is its for own, its in pairs)
    assert len(leaves(one.network.initial_state(2))) == 2  # of an LSTM
