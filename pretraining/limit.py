"""Ask how much real series would teach: what generated ones leave to be learned.

    FORECAST_DATA=folder python -m pretraining.limit --apart m3_yearly nn3

The shipped network goes on learning from the sets themselves, as far as `validate.py` lets it read
them, beside generated series; then both are scored. Sets that are kept `--apart` are scored only.
The weights are thrown away: only generated series teach the network that is shipped.
"""

from __future__ import annotations

import argparse
import math
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecast.pretrained.loss import rolling_loss
from forecast.pretrained.network import PretrainedNetwork
from forecast.pretrained.weights import load_network
from pretraining.train import AHEAD, ORIGINS, draw_batch, loss_of, read_half
from pretraining.validate import TASKS, Floats, Task, held_out, table

PEAK, WARMUP = 5e-4, 20
LONGEST, VALUES = 700, 8000  # values of a series and of a batch
REST = 3  # of so many steps, one is joined by generated series, so that nothing is forgotten


def train_parts(task: Task, folder: Path) -> list[Floats]:
    """Return what comes before every held-out origin of a set."""
    after = (task.origins - 1) * task.horizon
    found = [held.past for held in held_out(task._replace(origins=1), folder)]
    return [past[: len(past) - after] for past in found]


def loss_on(
    network: PretrainedNetwork, task: Task, parts: list[Floats], rng: np.random.Generator
) -> Tensor:
    """Return the loss of some origins of some series, as pre-training draws them."""
    longest = min(LONGEST, int(np.quantile([len(part) for part in parts], 0.9)))
    size = int(np.clip(VALUES // longest, 8, 100))
    values = np.full((size, longest), np.nan)
    for row, k in zip(values, rng.choice(len(parts), size), strict=True):
        end = rng.integers(min(longest, len(parts[k])), len(parts[k]) + 1)
        part = parts[k][max(end - longest, 0) : end]
        row[longest - len(part) :] = part
    y = torch.from_numpy(values)
    season, second = torch.full((size,), task.season), torch.full((size,), task.second)
    origins = np.unique(rng.integers(longest // 3, longest - 1, ORIGINS))
    ahead = np.unique(np.exp(rng.uniform(0, math.log(task.horizon + 1), AHEAD)).astype(int))
    reading = read_half(network, y[:, :-1], season, second)
    return rolling_loss(network, reading, y, torch.from_numpy(origins), torch.from_numpy(ahead))


def teach(
    network: PretrainedNetwork, folder: Path, apart: list[str], steps: int, seed: int
) -> None:
    """Go on learning from all sets in turn but those kept apart."""
    sets = [(task, train_parts(task, folder)) for task in TASKS if task.name not in apart]
    optimiser = torch.optim.AdamW(network.parameters(), PEAK)
    rng = np.random.default_rng(seed)
    for step in range(steps):
        loss = loss_on(network, *sets[step % len(sets)], rng)
        if step % REST == 0:
            loss = loss + loss_of(network, draw_batch(seed + 1, step))
        share = 0.5 + 0.5 * math.cos(math.pi * step / steps)
        optimiser.param_groups[0]["lr"] = PEAK * share * min(1, (step + 1) / WARMUP)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apart", nargs="*", default=[])
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    data = Path(os.environ["FORECAST_DATA"])
    before = table(load_network(), data)
    network = load_network().train().requires_grad_(True)
    teach(network, data, arguments.apart, arguments.steps, arguments.seed)
    after = table(network.eval().requires_grad_(False), data)
    scores = {"generated": before, "and real": after}
    print(
        pd.concat({k: v[["MASE", "ratio", "wQL", "80%"]] for k, v in scores.items()}, axis=1)
        .round(4)
        .to_string()
    )
