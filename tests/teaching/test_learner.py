from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from forecast.networks.recurrent import Recurrent
from forecast.teaching import tasks
from forecast.teaching.learner import Learner, accuracy, answers, as_tensors, error, fit_learner
from forecast.teaching.tasks import Task
from forecast.teaching.textbook import LSTM


def learner(seed=0, cell="tanh"):
    torch.manual_seed(seed)
    return Learner(Recurrent(1, 8, cell=cell))


def test_only_what_is_asked_is_scored():
    task = tasks.cue(5, 3, np.random.default_rng(0))
    told, wanted = answers(learner(), task)
    assert told.shape == (5,) and wanted.tolist() == task.inputs[:, 0, 0].tolist()
    assert as_tensors(task)[2].sum() == 5


def test_scores_by_hand():
    class Echo(Learner):
        def forward(self, inputs, truncation=None):
            return inputs

    targets = np.array([[[1.0], [-1.0], [1.0], [np.nan]]])
    task = Task(np.array([[[0.5], [-1.0], [-2.0], [7.0]]]), targets)
    assert accuracy(Echo(Recurrent(1, 1)), task) == pytest.approx(2 / 3)
    assert error(Echo(Recurrent(1, 1)), task) == pytest.approx(
        (0.25 + 0 + 9) / 3 / np.var([1, -1, 1], ddof=1)
    )


def test_training_repeats_and_a_clipped_step_is_small():
    make = partial(tasks.latch, 16, 20)
    losses = [fit_learner(learner(), make, steps=5, seed=1) for _ in range(2)]
    assert losses[0] == losses[1] and len(losses[0]) == 5
    assert fit_learner(learner(), make, steps=5, seed=2) != losses[0]
    still = learner()
    before = still.output.V.clone()
    fit_learner(still, make, steps=1, seed=1, clip_norm=0.0)
    assert torch.equal(still.output.V, before)


@pytest.mark.parametrize("kind", ["tanh", "lstm", LSTM])
@pytest.mark.mission("M18")
def test_pieces_carry_the_state_and_no_gradient(kind):
    torch.manual_seed(0)
    network = kind(1, 8) if kind is LSTM else Recurrent(1, 8, cell=kind)
    model, inputs = Learner(network), torch.randn(2, 20, 1, requires_grad=True)
    cut = model(inputs, 6)
    assert torch.allclose(cut, model(inputs), atol=1e-6)
    (gradient,) = torch.autograd.grad(cut[:, 16].sum(), inputs)
    assert gradient.abs().sum((0, 2)).nonzero().flatten().tolist() == list(range(12, 17))
