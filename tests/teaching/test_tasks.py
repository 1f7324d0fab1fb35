"""Tasks that ask for memory: shapes, answers, and what is possible without memory."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from forecast.teaching import tasks

MAKERS = {
    "adding": (lambda rng: tasks.adding(5, 12, rng), (5, 12, 2), (5, 12, 1)),
    "recall": (lambda rng: tasks.recall(5, 12, rng), (5, 12, 2), (5, 12, 1)),
    "cue": (lambda rng: tasks.cue(5, 12, rng), (5, 13, 1), (5, 13, 1)),
    "latch": (lambda rng: tasks.latch(5, 12, rng), (5, 12, 1), (5, 12, 1)),
    "copy": (lambda rng: tasks.copy_memory(5, 12, rng), (5, 32, 10), (5, 32, 10)),
    "logistic": (lambda rng: tasks.logistic(5, 3, rng), (5, 1, 1), (5, 1, 1)),
}


@pytest.mark.parametrize(("make", "inputs", "targets"), MAKERS.values(), ids=MAKERS)
def test_shapes_and_fresh_batches(make: object, inputs: tuple, targets: tuple) -> None:
    rng = np.random.default_rng(0)
    first, second = make(rng), make(rng)
    assert first.inputs.shape == inputs and first.targets.shape == targets
    assert not np.array_equal(first.inputs, second.inputs)
    assert np.array_equal(first.inputs, make(np.random.default_rng(0)).inputs)
    assert np.isfinite(first.inputs).all()


@pytest.mark.parametrize(
    ("make", "variance"), [(tasks.adding, 1 / 6), (tasks.recall, 1 / 3), (tasks.cue, 1.0)]
)
@pytest.mark.mission("M26")
def test_without_memory_the_mean_is_best(make: object, variance: float) -> None:
    task = make(100_000, 20, np.random.default_rng(0))
    answer = task.targets[:, -1, 0]
    assert np.isnan(task.targets[:, :-1]).all()
    assert np.var(answer) == pytest.approx(variance, rel=0.02)
    late = task.inputs[:, 10:, 0]  # what a window of the second half sees
    if make is not tasks.adding:
        assert abs(np.corrcoef(late.T, answer)[-1, :-1]).max() < 0.02


def test_adding_marks_one_value_in_each_half() -> None:
    for length in (7, 20):
        values, markers = np.moveaxis(
            tasks.adding(500, length, np.random.default_rng(0)).inputs, 2, 0
        )
        assert (markers[:, : length // 2].sum(1) == 1).all()
        assert (markers[:, length // 2 :].sum(1) == 1).all()
        assert (markers.sum(0) > 0).all() and ((values >= 0) & (values < 1)).all()


@pytest.mark.parametrize("n", [10, 20, 50])
@pytest.mark.mission("M03")
def test_a_window_reaches_the_floor_of_the_latch(n: int) -> None:
    rate = 0.05
    task = tasks.latch(400, 1000, np.random.default_rng(n), rate=rate)
    u, wanted = task.inputs[..., 0], task.targets[..., 0]
    windows = sliding_window_view(u, n, axis=1)[:, 500:]
    places = np.where(windows != 0, np.arange(1, n + 1), 0).max(-1)  # 0: no pulse was seen
    last = np.take_along_axis(windows, np.maximum(places - 1, 0)[..., None], -1)[..., 0]
    guess = np.where(places > 0, last, 1.0)
    accuracy = (guess == wanted[:, n - 1 + 500 :]).mean()
    assert accuracy == pytest.approx(tasks.latch_floor(rate, n), abs=0.02)


@pytest.mark.mission("M03")
def test_one_unit_of_state_latches_for_ever() -> None:
    task = tasks.latch(20, 2000, np.random.default_rng(0), rate=0.05)
    state = np.zeros(20)
    for t in range(2000):
        state = np.tanh(3 * state + 10 * task.inputs[:, t, 0])
        assert np.array_equal(np.sign(state), task.targets[:, t, 0])


def test_copy_floor_is_the_loss_of_who_guesses_the_symbols() -> None:
    task = tasks.copy_memory(2000, 30, np.random.default_rng(0))
    guess = np.zeros((50, 10))
    guess[:40, 8], guess[40:, :8] = 1, 1 / 8
    with np.errstate(divide="ignore"):
        loss = -np.log((guess * task.targets).sum(-1)).mean()
    assert loss == pytest.approx(tasks.copy_floor(30), rel=1e-9)
    symbols = task.targets[:, -10:].argmax(-1)
    assert np.array_equal(symbols, task.inputs[:, :10].argmax(-1))
    assert np.bincount(symbols.ravel(), minlength=8).min() > 2200
    assert (task.inputs[:, 40].argmax(-1) == 9).all()


@pytest.mark.parametrize("step", [1, 3, 5])
def test_the_logistic_map_has_so_many_humps(step: int) -> None:
    task = tasks.logistic(100_000, step, np.random.default_rng(0))
    order = task.inputs.ravel().argsort()
    rises = np.sign(np.diff(task.targets.ravel()[order]))
    assert (np.diff(rises) < 0).sum() == 2 ** (step - 1)
