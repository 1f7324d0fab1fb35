"""What networks remember, how far back, and by which gates: measured over five seeds.

A claim holds if it holds for at least four of the five seeds, at the budget given here: more steps
or another learning rate may rescue what fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import nn

from forecast.networks.initialisation import chrono, orthogonal
from forecast.networks.recurrent import Recurrent
from forecast.networks.window import MLP
from forecast.teaching import symbols, tasks
from forecast.teaching.learner import Learner, accuracy, answers, error, fit_learner
from forecast.teaching.tasks import Task
from forecast.teaching.textbook import LSTM, Stacked
from tests.experiments.test_defaults import record

SEEDS = range(5)
UNITS = 32
pytestmark = pytest.mark.experiment


def over_seeds(name: str, run: Callable[[int], list[dict[str, Any]]]) -> pd.DataFrame:
    """Run once per seed, record the rows, return them."""
    rows = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        rows += [{"seed": seed, **row} for row in run(seed)]
    table = pd.DataFrame(rows)
    record(name, table)
    return table


def holds(claim: pd.Series, seed: pd.Series) -> bool:
    """Tell whether a claim holds for at least four of five seeds."""
    return bool(claim.groupby(seed).all().mean() >= 0.8)


def timed(learner: Learner, make: Any, **options: Any) -> dict[str, Any]:
    """Train; return the steps and the seconds it took."""
    began = time.perf_counter()
    fit_learner(learner, make, **options)
    return {"steps": options["steps"], "seconds": time.perf_counter() - began}


def lstm_with_chrono(input_size: int, longest: int, seed: int, units: int = UNITS) -> Recurrent:
    network = Recurrent(input_size, units, cell="lstm")
    chrono(network, longest, torch.Generator().manual_seed(seed))
    return network


def tanh_orthogonal(input_size: int) -> Recurrent:
    network = Recurrent(input_size, UNITS, cell="tanh")
    orthogonal(network)
    return network


@pytest.mark.mission("M03")
def test_a_state_latches_and_a_window_meets_its_floor():
    rate, length = 0.05, 200

    def seen(n: int, rng: np.random.Generator, batch_size: int = 16) -> Task:
        """Return the latch as a window of n inputs shows it, once all windows are full."""
        task = tasks.latch(batch_size, length + n, rng, rate=rate)
        windows = np.lib.stride_tricks.sliding_window_view(task.inputs[..., 0], n, axis=1)
        return Task(windows.copy(), task.targets[:, n - 1 :])

    def run(seed: int) -> list[dict[str, Any]]:
        rows, fresh = [], np.random.default_rng(1000 + seed)
        for n in (10, 20, 50):
            learner = Learner(MLP(n, 64))
            row = timed(learner, partial(seen, n), steps=1500, seed=seed, learning_rate=2e-3)
            score = accuracy(learner, seen(n, fresh, 2000))  # an error of .004
            rows.append({"model": f"MLP({n})", "accuracy": score, **row})
        learner = Learner(Recurrent(1, UNITS, cell="tanh"))
        row = timed(learner, partial(seen, 1), steps=600, seed=seed)
        return [*rows, {"model": "RNN", "accuracy": accuracy(learner, seen(1, fresh, 200)), **row}]

    table = over_seeds("latch", run)
    floor = {f"MLP({n})": tasks.latch_floor(rate, n) for n in (10, 20, 50)}
    recurrent = table["model"] == "RNN"
    near = (table["accuracy"] - table["model"].map(floor)).abs() <= 0.02
    assert holds(near.where(~recurrent, table["accuracy"] >= 0.99), table["seed"])


@pytest.mark.mission("M18")
def test_a_truncation_shorter_than_the_lag_learns_nothing():
    """Gates that keep the cue untaught would hide it: they forget within 20 steps at first.

    With memories of 40 steps from the start and half the noise, the truncated network reached an
    accuracy of .87, since the state passes from piece to piece and its traces can be read.
    """
    make = partial(tasks.cue, lag=40, sigma=1.0)

    def run(seed: int) -> list[dict[str, Any]]:
        rows = []
        for truncation in (20, 60):
            learner = Learner(lstm_with_chrono(1, 20, seed))
            options = {"steps": 1000, "learning_rate": 1e-2, "truncation": truncation}
            row = timed(learner, lambda rng: make(64, rng=rng), seed=seed, **options)
            score = accuracy(learner, make(4000, rng=np.random.default_rng(1000 + seed)))
            rows.append({"truncation": truncation, "accuracy": score, **row})
        return rows

    table = over_seeds("truncation", run)
    short = table["truncation"] == 20
    claim = table["accuracy"].between(0.45, 0.55).where(short, table["accuracy"] >= 0.95)
    assert holds(claim, table["seed"])


@pytest.mark.mission("M20")
def test_depth_helps_where_a_curve_folds():
    """Three steps of the logistic map at once, from a state of zero: 166 weights against 169.

    One layer is not hopeless: on centred inputs it reached .14 to 1.0 over nine starts, three
    layers .0003 to .015.
    """

    def folded(batch_size: int, seed: int) -> Task:
        x, y = tasks.logistic(batch_size, 3, np.random.default_rng(seed))
        return Task(2 * x - 1, 2 * y - 1)  # centred, as tanh wants it

    def run(seed: int) -> list[dict[str, Any]]:
        fixed, rows = folded(512, seed), []
        for width, depth in [(55, 1), (8, 3)]:
            learner = Learner(Stacked(1, width, num_layers=depth))
            matters = [
                p for name, p in learner.named_parameters() if not name.endswith((".W", "s0"))
            ]
            for weights in matters:
                if weights.dim() == 2:
                    nn.init.xavier_uniform_(weights)
            row = timed(learner, lambda rng: fixed, steps=3000, seed=seed)
            score = error(learner, folded(4096, 1000 + seed))
            size = {"layers": depth, "width": width, "weights": sum(p.numel() for p in matters)}
            rows.append({**size, "error": score, **row})
        return rows

    table = over_seeds("depth", run)
    shallow = table["layers"] == 1
    assert table["weights"].unique().tolist() == [166, 169]
    assert holds((table["error"] >= 0.1).where(shallow, table["error"] <= 0.05), table["seed"])


@pytest.mark.parametrize("task", ["adding", "recall"])
@pytest.mark.mission("M26")
def test_graded_values_are_kept_by_gates_alone(task: str):
    make = partial(getattr(tasks, task), 64, 100)

    def run(seed: int) -> list[dict[str, Any]]:
        rows, fresh = [], getattr(tasks, task)(2000, 100, np.random.default_rng(1000 + seed))
        for name, network, options in [
            ("LSTM, chrono", lstm_with_chrono(2, 100, seed), {"steps": 3000}),
            ("RNN", Recurrent(2, UNITS, cell="tanh"), {"steps": 4000}),
            ("RNN, orthogonal", tanh_orthogonal(2), {"steps": 2300, "learning_rate": 1e-3}),
        ]:
            learner = Learner(network)
            row = timed(learner, make, seed=seed, **options)
            rows.append({"task": task, "model": name, "error": error(learner, fresh), **row})
        return rows

    table = over_seeds(task, run)
    gated = table["model"] == "LSTM, chrono"
    assert holds((table["error"] <= 0.02).where(gated, table["error"] >= 0.9), table["seed"])


@pytest.mark.mission("M26")
def test_one_bit_is_kept_for_three_hundred_steps():
    """Batches of 64 are needed: with 32, one of two seeds stayed at .981."""

    def run(seed: int) -> list[dict[str, Any]]:
        learner = Learner(lstm_with_chrono(1, 300, seed))
        row = timed(learner, partial(tasks.cue, 64, 300), steps=2500, seed=seed)
        fresh = tasks.cue(2000, 300, np.random.default_rng(1000 + seed))
        return [{"model": "LSTM, chrono", "accuracy": accuracy(learner, fresh), **row}]

    table = over_seeds("one_bit", run)
    assert holds(table["accuracy"] >= 0.99, table["seed"])


@torch.no_grad()
def recall_after(learner: Learner, task: Task, erased_at: int | None = None) -> float:
    """Return the error, in variances, of an LSTM whose forget gate is held shut at one step."""
    cell = LSTM.from_torch(learner.network.layers[0])
    inputs, wanted = torch.from_numpy(task.inputs).float(), torch.from_numpy(task.targets[:, -1])
    h, c = cell.initial_state(len(inputs))
    for t, x in enumerate(inputs.unbind(1)):
        gates = cell.gates(x, (h, c))
        if t == erased_at:
            gates = gates._replace(forget=torch.zeros_like(c))
        h, c = cell.move(gates, c)
    return float((learner.output(h) - wanted).square().mean() / wanted.var())


@torch.no_grad()
def gates_of(learner: Learner, task: Task) -> dict[str, float]:
    """Return what the gates do to the unit that carries most of the answer.

    Gates are means: `forget` once every cue has come, what is written (the input gate times the
    size of the candidate) at the cue and at all other steps.
    """
    cell, inputs = LSTM.from_torch(learner.network.layers[0]), torch.from_numpy(task.inputs).float()
    start = cell.initial_state(len(inputs))
    shares = (cell.absorb(inputs, start)[1][0] * learner.output.V[0]).std(0)
    forget, enter, candidate, _ = (g[..., shares.argmax()] for g in cell.trace(inputs, start))
    written, cue = enter * candidate.abs(), inputs[..., 1] == 1
    return {
        "forget": forget[:, 10:].mean().item(),
        "written_at_cue": written[cue].mean().item(),
        "written_at_distractor": written[~cue].mean().item(),
    }


@pytest.mark.mission("M28")
def test_filler_is_refused_by_the_input_gate():
    """Four units, so that one holds the value; 32 spread it, and write it again and again."""

    def run(seed: int) -> list[dict[str, Any]]:
        learner = Learner(lstm_with_chrono(2, 100, seed, units=4))
        make = partial(tasks.recall, 64, 100)
        row = timed(learner, make, steps=2000, seed=seed, learning_rate=1e-2)
        fresh = tasks.recall(2000, 100, np.random.default_rng(1000 + seed))
        errors = {"error": recall_after(learner, fresh), "erased": recall_after(learner, fresh, 50)}
        return [gates_of(learner, fresh) | errors | row]

    table = over_seeds("gates", run)
    refused = table["written_at_distractor"] <= 0.1 * table["written_at_cue"]
    assert holds((table["forget"] >= 0.95) & refused, table["seed"])
    assert holds((table["error"] <= 0.02) & (table["erased"] >= 0.8), table["seed"])


def even_batch(rng: np.random.Generator, batch_size: int = 32, length: int = 100) -> Task:
    """Return the even process: the next symbol is asked at every step."""
    rows = [symbols.even_process(length + 1, seed=rng.integers(2**31)) for _ in range(batch_size)]
    series = np.array(rows, dtype=float)[..., None]
    return Task(series[:, :-1], series[:, 1:])


@pytest.mark.mission("M04", "M52")
def test_a_state_finds_the_two_states_of_the_even_process():
    entropy = nn.functional.binary_cross_entropy_with_logits

    def run(seed: int) -> list[dict[str, Any]]:
        learner = Learner(Recurrent(1, UNITS, cell="tanh"))
        row = timed(learner, even_batch, steps=800, seed=seed, loss=entropy)
        fresh = even_batch(np.random.default_rng(1000 + seed), 200, 300)
        known = np.cumsum(fresh.inputs[..., 0] == 0, axis=1) > 0  # a zero has told the state
        told, wanted = (part.view(200, 300)[known] for part in answers(learner, fresh))
        with torch.no_grad():
            inputs = torch.from_numpy(fresh.inputs).float()
            features, _ = learner.network.absorb(inputs, learner.network.initial_state(200))
        plane = PCA(2).fit_transform(features.numpy()[known])
        half, odd = len(plane) // 2, odd_run(fresh.inputs[..., 0])[known]
        probe = LogisticRegression().fit(plane[:half], odd[:half])
        scores = {
            "log_loss": entropy(told, wanted).item(),
            "probe": probe.score(plane[half:], odd[half:]),
        }
        return [{**scores, **row}]

    table = over_seeds("even_process", run)
    floor = 2 / 3 * np.log(2)
    assert holds((table["log_loss"] - floor).abs() <= 0.01, table["seed"])
    assert holds(table["probe"] >= 0.98, table["seed"])


def odd_run(series: np.ndarray) -> np.ndarray:
    """Tell, at every step of (B, T), whether the ones since the last zero are odd in number."""
    steps = np.arange(series.shape[1])
    last_zero = np.maximum.accumulate(np.where(series == 0, steps, -1), axis=1)
    return (steps - last_zero) % 2 == 1
