"""Who should win, and who does: train on the synthetic tasks, record, write the page.

`python docs/contrast.py 5` trains five seeds of every contender on every task, as far as
`experiments/contrast.csv` does not hold them yet, and writes `contrast.md` from that file;
`python docs/contrast.py 0` writes the page alone.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import nn

from forecast.data import synthetic
from forecast.networks.base import Network
from forecast.networks.initialisation import chrono
from forecast.networks.recurrent import Recurrent
from forecast.teaching import symbols, systems, tasks
from forecast.teaching.convolution import Convolution
from forecast.teaching.learner import Learner, accuracy, answers, error, fit_learner
from forecast.teaching.tasks import Task
from forecast.teaching.textbook import Stacked

PAGE = Path(__file__).parent / "contrast.md"
RECORD = PAGE.parents[1] / "experiments" / "contrast.csv"
MODELS = ["window", "RNN", "LSTM", "deep"]
UNITS = 32

Draw = Callable[[int, bool, np.random.Generator], Task]  # how many rows, to be judged, from what
Score = Callable[[Learner, Task], float]
Build = Callable[[int], Network]  # from a seed


@dataclass(frozen=True)
class Contest:
    """A task, who takes part, and what was predicted of each: yes, no or ?."""

    what: str
    predicted: str  # a letter per model, y n ?
    draw: Draw
    build: dict[str, Build]
    score: Score
    measure: str
    limit: float  # the score that counts as having reached the best possible
    training: dict[str, object] = field(default_factory=dict)


def contenders(inputs: int, window: int, lag: int) -> dict[str, Build]:
    """Return a window of so many steps, and three states; gates start spread over the lag."""

    def lstm(seed: int, num_layers: int) -> Network:
        network = Recurrent(inputs, UNITS, cell="lstm", num_layers=num_layers)
        chrono(network, lag, torch.Generator().manual_seed(seed))
        return network

    return {
        # one hidden layer over the newest values: a Markov model of that order
        "window": lambda seed: Convolution(inputs, 2 * UNITS, kernel_size=window, num_layers=1),
        "RNN": lambda seed: Recurrent(inputs, UNITS, cell="tanh"),
        "LSTM": partial(lstm, num_layers=1),
        "deep": partial(lstm, num_layers=2),
    }


def folding() -> dict[str, Build]:
    """Return networks for a single step; the shallow and the deep one have as many weights."""

    def stacked(seed: int, width: int, depth: int) -> Network:
        network = Stacked(1, width, num_layers=depth)
        for name, weights in network.named_parameters():
            if name.endswith(".U"):
                nn.init.xavier_uniform_(weights)
        return network

    return contenders(1, 1, 3) | {
        "RNN": partial(stacked, width=55, depth=1),
        "deep": partial(stacked, width=8, depth=3),
    }


def stretches(
    rows: int, judged: bool, rng: np.random.Generator, *, frame: pd.DataFrame, ahead: int = 1
) -> Task:
    """Cut stretches of 80 steps from a frame; the first column is asked for, `ahead` steps on.

    What is judged comes from the last 40 %, and after 20 steps to read.
    """
    border, length = int(0.6 * len(frame)), 80
    low, high = (border, len(frame)) if judged else (0, border)
    first = rng.integers(low, high - length - ahead, size=rows)
    steps = first[:, None] + np.arange(length)
    targets = frame.iloc[:, 0].to_numpy(float)[steps + ahead][..., None]
    targets[:, :20] = np.nan
    return Task(frame.to_numpy(float)[steps], targets)


def centred(series: pd.Series | pd.DataFrame) -> pd.DataFrame:
    """Return a frame in standard deviations from its mean."""
    return pd.DataFrame((series - series.mean()) / series.std())


def fresh(make: Callable[..., Task]) -> Draw:
    """Return a draw that needs no border: every batch is new."""
    return lambda rows, judged, rng: make(rows, rng=rng)


def latch(rows: int, rng: np.random.Generator) -> Task:
    """Return the latch, asked once 20 steps have been read."""
    task = tasks.latch(rows, 100, rng, rate=0.05)
    task.targets[:, :20] = np.nan
    return task


def folded(rows: int, rng: np.random.Generator) -> Task:
    """Return three steps of the logistic map, centred."""
    x, y = tasks.logistic(rows, 3, rng)
    return Task(2 * x - 1, 2 * y - 1)


def over_floor(learner: Learner, task: Task, *, floor: float) -> float:
    """Return the mean squared error as a multiple of the least possible."""
    told, wanted = answers(learner, task)
    return float((told - wanted).square().mean() / floor)


def misses(learner: Learner, task: Task) -> float:
    """Return how often the sign is wrong."""
    return 1 - accuracy(learner, task)


def excess(learner: Learner, task: Task) -> float:
    """Return the log loss above the entropy of the even process, in nats."""
    told, wanted = answers(learner, task)
    return ENTROPY(told, wanted).item() - float(2 / 3 * np.log(2))


ENTROPY = nn.functional.binary_cross_entropy_with_logits
SIGNS = "share of wrong signs"
VARIANCES = "squared error (variances)"


def contests() -> dict[str, Contest]:
    """Return all tasks, by name."""
    sine = synthetic.noisy_sine(1000, seed=0).to_frame()
    ma1 = synthetic.ma1(20_000, seed=0).to_frame()
    even = symbols.even_process(20_000, seed=0).to_frame()
    glass = centred(systems.mackey_glass(3000))
    narma = centred(systems.narma10(10_000, seed=0))
    only_u = narma.assign(target=narma["y"])[["target", "u"]]

    def blind(rows: int, judged: bool, rng: np.random.Generator) -> Task:
        inputs, targets = stretches(rows, judged, rng, frame=only_u)
        return Task(inputs[..., 1:], targets)

    def cut(frame: pd.DataFrame, ahead: int = 1) -> Draw:
        return partial(stretches, frame=frame, ahead=ahead)

    far = {"steps": 1500}
    return {
        "T0 noisy sine, window of 4": Contest(
            "the next value", "yyyy", cut(sine), contenders(1, 4, 20),
            partial(over_floor, floor=0.04), "squared error / floor", 1.25, {"steps": 300},
        ),
        "T10 Mackey-Glass, window of 19": Contest(
            "6 steps on", "yyyy", cut(glass, 6), contenders(1, 19, 20), error, VARIANCES, 0.01,
        ),
        "T11a NARMA, y and u seen, window of 10": Contest(
            "the next y", "yyyy", cut(narma), contenders(2, 10, 20), error, VARIANCES, 0.1,
        ),
        "T11b NARMA, u alone seen, window of 10": Contest(
            "the next y", "nyyy", blind, contenders(1, 10, 20), error, VARIANCES, 0.1,
        ),
        "MA(1), window of 2": Contest(
            "the next value", "nyyy", cut(ma1), contenders(1, 2, 20),
            partial(over_floor, floor=1.0), "squared error / floor", 1.05,
        ),
        "T2 latch, window of 20": Contest(
            "the last sign", "nyyy", fresh(latch), contenders(1, 20, 40), misses, SIGNS, 0.01,
        ),
        "T4 even process, window of 5": Contest(
            "the next symbol", "nyyy", cut(even), contenders(1, 5, 20), excess,
            "log loss over its floor (nats)", 0.01, {"loss": ENTROPY},
        ),
        "T3 one bit, lag 100, window of 50": Contest(
            "the first sign", "nyy?", fresh(partial(tasks.cue, lag=100)),
            contenders(1, 50, 100), misses, SIGNS, 0.02, far,
        ),
        "T3r a real value, lag 100, window of 50": Contest(
            "the marked value", "nny?", fresh(partial(tasks.recall, length=100)),
            contenders(2, 50, 100), error, VARIANCES, 0.05, far,
        ),
        "T1 adding, lag 100, window of 50": Contest(
            "the sum of two", "nny?", fresh(partial(tasks.adding, length=100)),
            contenders(2, 50, 100), error, VARIANCES, 0.05, far,
        ),
        "T9 logistic map, 3 steps at once": Contest(
            "the folded value", "nn?y", fresh(folded), folding(), error, VARIANCES, 0.05,
            {"steps": 2000},
        ),
    }  # fmt: skip


def run(contest: Contest, model: str, seed: int) -> dict[str, float]:
    """Train one contender once and judge it on fresh values."""
    torch.manual_seed(seed)
    learner = Learner(contest.build[model](seed))
    options = {"steps": 600, "learning_rate": 5e-3, **contest.training}
    began = time.process_time()
    fit_learner(learner, lambda rng: contest.draw(32, False, rng), seed=seed, **options)
    judged = contest.draw(1000, True, np.random.default_rng(1000 + seed))
    score = contest.score(learner, judged)
    return {"score": score, "steps": options["steps"], "seconds": time.process_time() - began}


def record(seeds: int) -> None:
    """Run what the record lacks, seed by seed, and write every result at once."""
    torch.set_num_threads(1)
    done = pd.read_csv(RECORD) if RECORD.exists() else pd.DataFrame()
    known = set(zip(*(done.get(name, []) for name in ("task", "model", "seed")), strict=True))
    for seed in range(seeds):
        for task, contest in contests().items():
            for model in MODELS:
                if (task, model, seed) in known:
                    continue
                row = {"task": task, "model": model, "seed": seed, **run(contest, model, seed)}
                done = pd.concat([done, pd.DataFrame([row])], ignore_index=True)
                done.round(5).to_csv(RECORD, index=False)
                print(
                    task, model, seed, f"{row['score']:.4g} in {row['seconds']:.0f} s", flush=True
                )


MARKS = {"y": "✔", "n": "✘", "?": "?"}


def judged(scores: pd.Series, limit: float) -> str:
    """Return the mark of a contender: whether all, none or some of its seeds reached the limit."""
    reached = int((scores <= limit).sum())
    return {len(scores): "✔", 0: "✘"}.get(reached, f"{reached} of {len(scores)}")


def cell(scores: pd.Series, limit: float, predicted: str) -> str:
    """Return what was predicted, what came, the mean and its 95 % interval over the seeds."""
    if scores.empty:
        return f"{MARKS[predicted]} → not run"
    digits = 2 - math.floor(math.log10(limit))
    text = f"{MARKS[predicted]} → {judged(scores, limit)}<br>{scores.mean():.{digits}f}"
    if len(scores) > 1:
        half = stats.t.ppf(0.975, len(scores) - 1) * stats.sem(scores)
        text += f" ± {half:.{digits}f}"
    return text


def lines(done: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each task that was run, then what came otherwise than predicted."""
    yield "| task | asked for | reached if | window | RNN | LSTM | deep |"
    yield "|---|---|---|---|---|---|---|"
    surprises = []
    for task, contest in contests().items():
        own = done[done["task"] == task]
        if own.empty:
            continue
        by_model = {model: own.loc[own["model"] == model, "score"] for model in MODELS}
        cells = [
            cell(by_model[model], contest.limit, predicted)
            for model, predicted in zip(MODELS, contest.predicted, strict=True)
        ]
        reached = f"{contest.measure} ≤ {contest.limit:g}"
        yield f"| {' | '.join([task, contest.what, reached, *cells])} |"
        for model, predicted in zip(MODELS, contest.predicted, strict=True):
            found = judged(by_model[model], contest.limit)
            if len(by_model[model]) and MARKS[predicted] not in ("?", found):
                surprises.append(f"- {task}, {model}: predicted {MARKS[predicted]}, came {found}.")
    yield from ["", "## What came otherwise", "", *(surprises or ["Nothing did."])]


HEAD = """# Who should win, and who does

A window knows the last n values. A state may know anything before. On tasks whose best possible
result is known, each should win where the theory says so. The marks before the arrows were written
down before anything was run; those behind were measured.

- **window**: one hidden layer of 64 units over the newest n values: a Markov model of order n.
- **RNN**: a tanh layer of 32 units, started as usual.
- **LSTM**: 32 units whose gates start spread over the lag (chrono); **deep**: two such layers. For
  T9 **deep** is three tanh layers of 8 units and **RNN** one of 55, which has as many weights.

A contender *reaches* the best possible if its score on fresh values is at most the limit: ✔ with
every seed, ✘ with none. Below the mark stand the mean over {seeds} seeds and its 95 % interval.
All train on batches of 32 by the same loop for as many steps; with more steps, or other rates,
some would go further. Floors are expected values, so a score a little below 1 is the luck of the
sample. `docs/contrast.py` makes this page from `experiments/contrast.csv`.

"""


def write() -> None:
    """Write the page from the record."""
    done = pd.read_csv(RECORD)
    counts = done.groupby(["task", "model"]).size()
    seeds = " to ".join(map(str, sorted({counts.min(), counts.max()})))
    head = HEAD.format(seeds=seeds)
    PAGE.write_text(head + "\n".join(lines(done)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    write()
