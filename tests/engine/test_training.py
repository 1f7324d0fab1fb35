"""The training loop: schedule, clipping, stopping, seeds, and the dependence of a block's steps."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import itertools
import math
import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from forecast.engine import training
from forecast.engine.drawing import Draw
from forecast.engine.model import Model
from forecast.engine.training import (
    FlatGradient,
    Settings,
    clip,
    one_thread,
    schedule,
    seeded,
    train,
)
from forecast.networks.base import leaves, state_map
from forecast.networks.ensemble import Ensemble, EnsembleReadout
from forecast.networks.recurrent import Recurrent
from tests.checks import NetworkCase, as_windows, build_model, gappy_data, reads, same

X, KNOWN = gappy_data(T=200)
SETTINGS = Settings(
    learning_rate=1e-2,
    max_epochs=4,
    n_iter_no_change=None,
    weight_decay=0.0,
    clip_norm=1.0,
    clip_value=None,
    min_observed=8,
)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(training, "STEPS_PER_EPOCH", 3)


def run(seed=0, validate=lambda model: math.nan, on_gradients=None, dropout=0.3, **changes):
    """Train a small model for a few steps; return it and its epochs."""
    options = {"cell": "gru", "num_layers": 2, "dropout": dropout}
    model = build_model(NetworkCase(Recurrent, options), (1, 4, 4), scale_window=24)
    batches = drawing(model, seed)
    settings = dataclasses.replace(SETTINGS, **changes)
    return model, list(train(model, batches, validate, settings, on_gradients))


def drawing(model, seed=0):
    """Return random windows, some of them with gaps."""
    windows = as_windows(X, KNOWN)
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    options = {"n_steps": 10, "reader": model.reader, "generator": generator, "mask_fraction": 0.1}
    return iter(Draw(windows, 8, windows.lengths, **options))


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(left, right):
    return all(torch.equal(left[name], right[name]) for name in left)


def test_a_batch_in_pieces_has_the_gradient_and_the_state_of_the_whole(monkeypatch):
    model = build_model(NetworkCase(Recurrent, {"cell": "lstm"}), (1, 4, 4), scale_window=24)
    batches = drawing(model)
    batch = next(batches)._replace(fresh=torch.tensor([True, False] * 4))
    *_, carried = model.losses(next(batches), min_observed=8)
    carried, found = state_map(torch.Tensor.detach, carried), []
    for at_once in (10**6, 3 * batch.targets[0].numel()):
        monkeypatch.setattr(training, "TARGETS_AT_ONCE", at_once)
        gradient = FlatGradient(model.parts())
        read = reads(model.network)
        means, state = training.backward(model, gradient, batch, 8, carried)
        found.append([means, *leaves(state), gradient.whole])
        assert [rows for rows, _ in read] == ([8] if at_once == 10**6 else [3, 3, 2])
    same(*found, 1e-10)
    loss, observed_mask, *_ = model.losses(batch, min_observed=8, carried=carried)
    mean = (loss * observed_mask).sum((0, 1, 3)) / observed_mask.sum()
    same([found[0][0]], [mean.detach()], 1e-10)


def test_weights_of_two_and_zero_are_rows_twice_and_none():
    model = build_model(NetworkCase(Recurrent, {}), (1, 4, 4), scale_window=24)
    batches = drawing(model)
    batch = next(batches)
    found = []
    weights = torch.tensor([2.0, 0, 1, 1, 0, 2, 1, 1])
    for one in (
        batch._replace(weights=weights[:, None, None].expand_as(batch.targets)),
        batch.rows(torch.arange(8).repeat_interleave(weights.long())),
    ):
        gradient = FlatGradient(model.parts())
        means, _ = training.backward(model, gradient, one, 8, None)
        found.append([means, gradient.whole])
    same(*found, 1e-10)


# The schedule


def test_the_rate_rises_then_falls_without_a_jump():
    shares = [k / 1000 for k in range(1001)]
    rates = [schedule(share) for share in shares]
    assert rates[0] == 0.01
    assert schedule(0.1) == 1.0
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)
    for k, (before, after) in enumerate(itertools.pairwise(rates)):
        assert (after > before) == (shares[k] < 0.1)
        assert abs(after - before) < 0.011


def test_the_rate_in_use_is_the_schedules():
    _, epochs = run(max_epochs=5)
    for epoch in epochs:
        last_step = (3 * epoch.epoch - 1) / 15
        assert epoch.learning_rate == pytest.approx(1e-2 * schedule(last_step))
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4, 5]
    assert all(a.seconds <= b.seconds for a, b in itertools.pairwise(epochs))


# Clipping


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("norm", [0.1, 1.0, 25.0])
@pytest.mark.mission("M17")
def test_clipping_by_norm_bounds_the_norm_and_keeps_the_direction(size, norm):
    before = size * torch.randn(57)
    after = before.clone()
    assert clip(after, norm, None).item() == pytest.approx(before.norm().item(), rel=1e-5)
    assert after.norm() <= norm * (1 + 1e-6)
    assert torch.cosine_similarity(before.double(), after.double(), dim=0) > 1 - 1e-9
    if before.norm() < norm:
        assert torch.equal(before, after)
    else:
        assert after.norm() > 0.999 * norm


@pytest.mark.parametrize("value", [1e-3, 0.5, 100.0])
@pytest.mark.mission("M17")
def test_clipping_by_value_bounds_every_entry(value):
    before = torch.randn(57)
    after = before.clone()
    assert clip(after, None, value).item() == pytest.approx(before.norm().item(), rel=1e-5)
    assert torch.equal(after, before.clamp(-value, value))


@pytest.mark.mission("M17")
def test_clipping_by_value_comes_before_clipping_by_norm():
    before = 10 * torch.randn(57)
    after = before.clone()
    assert clip(after, 1.0, 5.0).item() == pytest.approx(before.norm().item(), rel=1e-5)
    assert torch.cosine_similarity(before.clamp(-5, 5).double(), after.double(), dim=0) > 1 - 1e-9
    assert after.norm() <= 1 + 1e-6


def test_without_bounds_nothing_is_clipped():
    before = 1e4 * torch.randn(57)
    after = before.clone()
    assert clip(after, None, None).item() == pytest.approx(before.norm().item(), rel=1e-5)
    assert torch.equal(after, before)


def test_gradients_are_views_of_one_vector():
    model = build_model(NetworkCase(Recurrent, {"cell": "lstm"}), (1, 4, 4), scale_window=24)
    gradient = FlatGradient(model.parts())
    training.backward(model, gradient, next(drawing(model)), 8, None)
    trained = [one for one in model.parameters() if one.requires_grad]
    assert len(gradient.whole) == sum(one.numel() for one in trained)
    gradient.whole.copy_(torch.arange(len(gradient.whole)))
    # whatever their order, the weights share out all of the vector
    found = torch.cat([one.grad.flatten() for one in trained])
    assert torch.equal(found.sort().values, gradient.whole)
    assert gradient.parts[0].data_ptr() == gradient.whole.data_ptr()
    assert sum(map(len, gradient.parts)) == len(gradient.whole)


def test_weights_that_no_loss_reaches_stay_as_they_are():
    def trained(reached):
        torch.manual_seed(0)
        used, idle = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)
        weights = [*used.parameters(), *idle.parameters()]
        gradient = FlatGradient([weights])
        optimizer = torch.optim.AdamW(weights, 0.1, weight_decay=0.5)
        steps = []
        for step in range(4):
            gradient.whole.zero_()
            loss = used(torch.ones(3)) + (idle(torch.ones(3)) if step in reached else 0)
            loss.backward()
            gradient.gather()
            optimizer.step()
            steps.append(idle.weight.detach().clone())
        return steps

    start, *_, end = trained(())
    assert torch.equal(start, end)
    first, second, third, _ = trained((2,))
    assert torch.equal(first, second) and torch.equal(first, start)
    assert not torch.equal(second, third)


def test_training_records_the_norm_before_clipping():
    seen = []

    def watch(model):
        parts = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        seen.append(torch.cat(parts).norm().item())

    _, epochs = run(on_gradients=watch, clip_norm=1e-3)
    for epoch in epochs:
        steps = seen[3 * epoch.epoch - 3 : 3 * epoch.epoch]
        assert epoch.gradient_norm == pytest.approx(max(steps), rel=1e-6)


@pytest.mark.slow
@pytest.mark.mission("M17")
def test_clipping_rescues_an_exploding_recurrence():
    # tanh, 32 units, recurrent matrix 1.5 times orthogonal, 200 steps, plain gradient descent
    def learn(norm):
        torch.manual_seed(0)
        network = Recurrent(1, 32, cell="tanh")
        torch.nn.init.orthogonal_(network.layers[0].weight_hh_l0, gain=1.5)
        output = torch.nn.Linear(32, 1)
        both = torch.nn.ModuleList([network, output])
        gradient = FlatGradient([list(both.parameters())])
        losses = []
        for _ in range(120):
            x = torch.sin(0.1 * torch.arange(201.0) + 6.3 * torch.rand(8, 1))[..., None]
            x = x + 0.1 * torch.randn_like(x)
            features, _ = network.absorb(x[:, :-1], network.initial_state(8))
            loss = (output(features) - x[:, 1:]).square().mean()
            gradient.whole.zero_()
            loss.backward()
            gradient.gather()
            clip(gradient.whole, norm, None)
            with torch.no_grad():
                for parameter in both.parameters():
                    if parameter.requires_grad:
                        parameter -= 0.3 * parameter.grad
            losses.append(loss.item())
        return losses

    wild, tame = learn(None), learn(0.5)
    assert sorted(tame[-20:])[10] < 0.25 * tame[0]  # single steps are chaotic
    assert not wild[-1] < 0.25 * wild[0]  # diverged, or NaN


# Stopping and the best weights


@pytest.mark.parametrize("losses", [[3, 1, 2, 5], [4, 3, 2, 1], [1, 2, 3, 4], [2, 1, 1, 1]])
def test_the_best_weights_are_restored(losses):
    script, snapshots = iter(losses), []

    def validate(model):
        snapshots.append(weights(model))
        return next(script)

    model, epochs = run(validate=validate)
    assert [epoch.validation_loss for epoch in epochs] == losses
    assert equal(weights(model), snapshots[losses.index(min(losses))])
    assert not equal(snapshots[0], snapshots[-1])


def test_without_a_validation_part_the_last_weights_stay():
    snapshots = []

    def validate(model):
        snapshots.append(weights(model))
        return math.nan

    model, epochs = run(validate=validate)
    assert len(epochs) == 4
    assert equal(weights(model), snapshots[-1])


def test_kept_weights_are_an_exponential_average_of_all_steps():
    model = build_model(NetworkCase(Recurrent, {"cell": "gru"}), (1, 4, 4), scale_window=24)
    batches = drawing(model)
    before_steps, after_epochs, judged = [], [], []

    def watched():
        for batch in batches:
            before_steps.append(weights(model))
            yield batch

    def validate(average):
        judged.append(weights(average))
        return math.nan

    for _ in train(model, watched(), validate, SETTINGS):
        after_epochs.append(weights(model))
    # what the second step of an epoch begins with is what the first one made
    steps = []
    for epoch, after in enumerate(after_epochs):
        steps += [*before_steps[3 * epoch + 1 : 3 * epoch + 3], after]
    average, kept = steps[0], weights(model)
    for number, step in enumerate(steps[1:], 2):
        average = {name: 0.98 * average[name] + 0.02 * step[name] for name in step}
        if number % 3 == 0:
            assert all(
                torch.allclose(average[name], its, rtol=1e-12, atol=1e-15)
                for name, its in judged[number // 3 - 1].items()
            )
    assert len(steps) == 12 and equal(kept, judged[-1])
    assert not torch.allclose(kept["readout.members.0.direct.weight"],
                              steps[-1]["readout.members.0.direct.weight"], rtol=1e-3)  # fmt: skip


# Ensembles


@pytest.mark.parametrize("clip_norm", [None, 0.01])
def test_members_learn_as_if_alone(clip_norm):
    case = NetworkCase(Ensemble, {"cells": ("gru", "lstm", "gru")})
    together = build_model(case, (1, 4, 4), scale_window=24)
    settings = dataclasses.replace(
        SETTINGS, max_epochs=2, clip_norm=clip_norm, weight_decay=0.1, learning_rate=1e-3
    )
    singles = [
        Model(
            together.reader,
            Ensemble([copy.deepcopy(together.network.members[k])]),
            EnsembleReadout([copy.deepcopy(together.readout.members[k])]),
            together.head,
            4,
        )
        for k in range(3)
    ]
    norms, losses = [], []
    for model in (together, *singles):
        batches = drawing(model)
        epochs = list(train(model, batches, lambda model: math.nan, settings))
        norms.append([epoch.gradient_norm for epoch in epochs])
        losses.append([epoch.training_loss for epoch in epochs])
    for k, single in enumerate(singles):
        for name in ("network", "readout"):
            mine = weights(getattr(together, name).members[k])
            its = weights(getattr(single, name).members[0])
            assert all(torch.allclose(mine[key], its[key], rtol=1e-9, atol=1e-12) for key in mine)
    assert norms[0] == pytest.approx(list(map(max, zip(*norms[1:], strict=True))))
    assert losses[0] == pytest.approx([sum(own) / 3 for own in zip(*losses[1:], strict=True)])
    assert min(norms[0]) > 0.01  # the bound binds


@pytest.mark.parametrize(("patience", "stops"), [(1, 4), (2, 5), (3, 8)])
def test_training_stops_after_epochs_without_improvement(patience, stops):
    script = iter([5, 4, 3, 3.5, 3.4, 2.9, 3, 3, 3, 3])
    if patience == 3:
        script = iter([5, 4, 3, 3.5, 2.9, 3, 3, 3, 1])
    _, epochs = run(validate=lambda model: next(script), max_epochs=9, n_iter_no_change=patience)
    assert len(epochs) == stops


def test_validation_sees_the_model_at_rest_and_training_does_not():
    modes = []

    def validate(model):
        modes.append(model.training)
        return 1.0

    model, _ = run(validate=validate, on_gradients=lambda model: modes.append(model.training))
    assert modes == [True, True, True, False] * 4
    assert not model.training


# Seeds and failures


def test_same_seed_same_bits():
    (first, some), (second, same), (third, other) = run(seed=1), run(seed=1), run(seed=2)
    assert equal(weights(first), weights(second))
    assert not equal(weights(first), weights(third))
    for a, b in zip(some, same, strict=True):
        assert (a.training_loss, a.gradient_norm) == (b.training_loss, b.gradient_norm)
    assert some[0].training_loss != other[0].training_loss


def test_training_lowers_the_loss():
    _, epochs = run(max_epochs=30, dropout=0.0)
    first, last = epochs[0].training_loss, epochs[-1].training_loss
    assert last < 0.9 * first


def test_a_loss_that_is_not_finite_names_the_remedy():
    def diverge(model):
        model.readout.members[0].direct.weight.data *= math.inf

    remedy = (
        r"nan in epoch 1: .* Lower `learning_rate` \(now 0.01\) or set `clip_norm` \(now None\)"
    )
    with pytest.raises(FloatingPointError, match=remedy):
        run(on_gradients=diverge, clip_norm=None)


def test_a_batch_without_targets_changes_nothing():
    model = build_model(NetworkCase(Recurrent, {}), (1, 4, 4), scale_window=24)
    windows = as_windows(torch.full_like(X, torch.nan), KNOWN)
    options = {"reader": model.reader, "generator": torch.Generator().manual_seed(0)}
    batches = iter(Draw(windows, 8, windows.lengths, n_steps=10, **options))
    before = weights(model)
    settings = dataclasses.replace(SETTINGS, max_epochs=1)
    (epoch,) = train(model, batches, lambda model: 1.0, settings)
    assert epoch.training_loss == 0
    assert equal(before, weights(model))


def test_threads_that_draw_take_turns():
    def drawn(seed: int) -> torch.Tensor:
        with seeded(seed):
            return torch.stack([torch.rand(()) for _ in range(2_000)])

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(drawn, [0, 1] * 4))
    for k, numbers in enumerate(found):
        torch.testing.assert_close(numbers, found[k % 2], rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_process_forked_while_a_thread_trains_waits_for_none():
    def draw() -> None:
        with seeded(0):
            torch.rand(())

    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as training:
        pool.submit(training.enter_context, seeded()).result()
        child = multiprocessing.get_context("fork").Process(target=draw, daemon=True)
        child.start()
        child.join(10)
        pool.submit(training.close).result()
    assert child.exitcode == 0


def test_one_thread_gives_the_others_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError), one_thread(True):
            assert torch.get_num_threads() == 1
            raise KeyError
        with one_thread(False):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
