"""Teach the network by generated series; stop and go on at any time.

    python -m pretraining.train --minutes 60

Every step draws its own series from the seed and the number of the step, so that a run that was
interrupted goes on from its checkpoint as if it had not been. Throughput and loss go to
`log.csv`, the averaged weights in half precision to the file that the package ships.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from forecast.generated.series import VERSION, draw_series
from forecast.pretrained.loss import rolling_loss
from forecast.pretrained.network import FARTHEST, PretrainedNetwork, Reading, usual
from forecast.pretrained.weights import SHIPPED

HERE = Path(__file__).parent
PEAK, WARMUP, DECAY = 2e-3, 200, 1500  # rate, steps until it, steps after which it has fallen
SHARPNESS = 8  # of the average of weights: it spans about the last ninth of the steps
VALUES = 14_000  # values in a batch: a step takes as long whatever the length
SAVE_EVERY = 120.0  # seconds
ORIGINS, AHEAD = 10, 16  # origins per series, steps ahead per origin


class Batch(NamedTuple):
    """Generated series, split at L: the past to read and what comes after it."""

    values: Tensor  # (B, N)
    season: Tensor  # (B,)
    second: Tensor
    length: int  # L
    origins: Tensor  # (n,), below L
    steps: Tensor  # (h,)
    horizon: Tensor  # (B,): steps that count for a series


def draw_batch(seed: int, step: int) -> Batch:
    """Draw the batch of a step: its length log-uniform, its steps ahead too.

    A horizon is two seasons for short seasons, one for long ones, as people ask for; a third of
    the series are asked for up to sixteen times as much, since any horizon may come.
    """
    rng = np.random.default_rng([seed, step, 1])
    # hours need some weeks of history, and weeks some years
    shortest, longest = (150, 1400) if rng.random() < 0.3 else (12, 500)
    length = int(np.exp(rng.uniform(np.log(shortest), np.log(longest))))
    farthest = int(min(FARTHEST if rng.random() < 0.15 else 200, max(8, 0.7 * length)))
    size = int(np.clip(VALUES // (length + farthest // 2), 12, 160))
    drawn = draw_series([seed, step, 0], size, length + farthest)
    season = torch.from_numpy(drawn.season)
    more = np.exp(rng.uniform(0, np.log(16), size) * (rng.random(size) < 0.35))
    horizon = (usual(season) * torch.from_numpy(more)).long().clamp(max=farthest)
    horizon = torch.where(torch.from_numpy(drawn.second) > 0, farthest, horizon)
    ahead = np.exp(rng.uniform(0, np.log(int(horizon.max()) + 1), AHEAD)).astype(int)
    ahead = np.unique(np.append(ahead, 1))
    origins = np.unique(np.append(rng.integers(min(length - 1, 5), length, ORIGINS), length - 1))
    return Batch(
        torch.from_numpy(drawn.values),
        season,
        torch.from_numpy(drawn.second),
        length,
        torch.from_numpy(origins),
        torch.from_numpy(ahead),
        horizon,
    )


def loss_of(network: PretrainedNetwork, batch: Batch) -> Tensor:
    """Return the loss of a batch, of each series up to the horizon that is asked for."""
    reading = read_half(network, batch.values[:, : batch.length], batch.season, batch.second)
    asked = (batch.steps <= batch.horizon[:, None])[:, None]
    return rolling_loss(network, reading, batch.values, batch.origins, batch.steps, asked)


def read_half(
    network: PretrainedNetwork, values: Tensor, season: Tensor, second: Tensor
) -> Reading:
    """Read values (B, N) with the recurrence in half precision, in half the time."""
    with torch.autocast("cpu", torch.bfloat16):
        reading = network.read(values, season, second)
    return reading._replace(features=reading.features.float())


class Course:
    """A network in training: weights, their average, the optimiser, and how far it came."""

    def __init__(self, seed: int = 0, width: int = 128) -> None:
        torch.manual_seed(seed)
        self.seed, self.step, self.seconds, self.commit = seed, 0, 0.0, commit()
        self.network = PretrainedNetwork(width)
        self.average = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(self.network.parameters(), PEAK, weight_decay=1e-2)

    def advance(self, warmth: float = 1.0) -> float:
        """Take one step, at a share `warmth` of the usual rate, and return its loss."""
        rate = warmth * PEAK * min(1, (self.step + 1) / WARMUP) / math.sqrt(1 + self.step / DECAY)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = loss_of(self.network, draw_batch(self.seed, self.step))
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        if norm.isfinite():  # one impossible series must not end a day's run
            self.optimiser.step()
        self.step += 1
        # the average's span grows with the run (Karras et al., 2024, power function averaging)
        keep = (1 - 1 / (self.step + 1)) ** (SHARPNESS + 1)
        for name, now in self.network.state_dict().items():
            self.average[name].lerp_(now, 1 - keep)
        return loss.item()

    def save(self, path: Path) -> None:
        """Write everything that the next step needs; the old file stands until the new is whole."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            for name in ("exp_avg", "exp_avg_sq"):
                tensors[f"optimiser.{index}.{name}"] = moments[name].bfloat16()
        about = {"seed": str(self.seed), "step": str(self.step), "seconds": str(self.seconds)}
        about |= {"width": str(self.network.width), "generator": str(VERSION)}
        save_whole(tensors, path, about)

    @classmethod
    def load(cls, path: Path) -> Course:
        """Go on where a checkpoint stopped."""
        with safe_open(path, "pt") as file:
            about = file.metadata()
        tensors = load_file(path)
        course = cls(int(about["seed"]), int(about["width"]))
        course.step, course.seconds = int(about["step"]), float(about["seconds"])
        course.network.load_state_dict(beneath(tensors, "network."))
        course.average = beneath(tensors, "average.")
        moments = beneath(tensors, "optimiser.")
        state = course.optimiser.state_dict()
        for name, value in moments.items():
            index, part = name.split(".")
            one = state["state"].setdefault(int(index), {"step": torch.tensor(float(course.step))})
            one[part] = value.float()
        course.optimiser.load_state_dict(state)
        return course

    def ship(self, path: Path) -> None:
        """Write the averaged weights in half precision, with where they come from."""
        tensors = {name: value.half() for name, value in self.average.items()}
        digest = hashlib.sha256()
        for name in sorted(tensors):
            digest.update(tensors[name].numpy().tobytes())
        about = {"generator": str(VERSION), "seed": str(self.seed), "commit": self.commit}
        about |= {"steps": str(self.step), "hash": digest.hexdigest()}
        about |= {"shape": json.dumps(self.network.shape)}
        save_whole(tensors, path, about)


def beneath(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def save_whole(tensors: dict[str, Tensor], path: Path, about: dict[str, str]) -> None:
    """Write a file beside its place and move it there, so that there is always a whole one."""
    beside = path.with_suffix(".part")
    save_file({k: v.contiguous() for k, v in tensors.items()}, beside, about)
    os.replace(beside, path)


def commit() -> str:
    """Return the commit of the code that ran, or "unknown"."""
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


def train(
    minutes: float, folder: Path, seed: int, weights: Path = SHIPPED, cool: float = 0.0
) -> Course:
    """Train for so many minutes, from the checkpoint in the folder if there is one.

    Over the last `cool` minutes the rate falls to zero. The checkpoint is the one before that, so
    that a later run goes on as if it had never cooled (Haegele et al., 2024).
    """
    checkpoint = folder / "checkpoint.safetensors"
    course = Course.load(checkpoint) if checkpoint.exists() else Course(seed)
    forget(folder / "log.csv", course.step)
    end, saved, losses = time.time() + 60 * minutes, time.time(), []
    began, last = time.time(), course.step
    while (left := (end - time.time()) / 60) > 0:
        losses.append(course.advance(min(1.0, left / cool) if cool else 1.0))
        if course.step % 100 == 0:
            seconds = time.time() - began
            course.seconds += seconds
            pace = (course.step - last) / seconds
            log(folder / "log.csv", course, float(np.mean(losses)), pace)
            began, last, losses = time.time(), course.step, []
        if time.time() - saved > SAVE_EVERY:
            saved = time.time()
            course.ship(weights)
            if left > cool:
                course.save(checkpoint)
    if not cool:
        course.save(checkpoint)
    course.ship(weights)
    return course


def forget(path: Path, step: int) -> None:
    """Drop the lines of a log that lie after the checkpoint: those steps are taken anew."""
    if path.exists():
        head, *lines = path.read_text().splitlines()
        kept = [line for line in lines if int(line.split(",")[0]) <= step]
        path.write_text("\n".join([head, *kept]) + "\n")


def log(path: Path, course: Course, loss: float, pace: float) -> None:
    """Add a line: step, seconds trained, mean loss since the line before, steps per second."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["step", "seconds", "loss", "steps_per_second"])
        writer.writerow([course.step, round(course.seconds), round(loss, 5), round(pace, 2)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, default=HERE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--cool", type=float, default=0.0, help="minutes of a rate that falls")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    train(arguments.minutes, arguments.folder, arguments.seed, arguments.weights, arguments.cool)
