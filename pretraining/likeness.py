"""Compare the prior with real series: how wrong templates were, real and generated.

    FORECAST_DATA=folder python -m pretraining.likeness m3_monthly m4_yearly

A template that says well of real series what it says badly of generated ones shows what the prior
gets wrong: too few generated months lay about one level, so their mean was told to be a bad
template. Of every set the values before the test part are read. A line per template: the logarithm
of its mean error, of one step and of a season ahead, less that of the last value; quantiles
.2, .5 and .8 over series.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from forecast.generated.frequencies import Seasons
from forecast.generated.series import draw_series
from forecast.pretrained.extent import CONTEXT
from forecast.pretrained.reader import look_back, read
from pretraining.validate import TASKS, Floats, Task, held_out

SHOWN = {  # places among the templates
    "along the slope": 3,
    "a season ago": 4,
    "mean": 8,
    "level and shape": 9,
    "recent": 14,
    "last, along the season": 15,
    "recent, along the season": 16,
}
SERIES, QUANTILES = 400, (0.2, 0.5, 0.8)


def errors(values: Floats, task: Task) -> Floats:
    """Return the errors of templates beside those of the last value, (B, 2, J)."""
    season, second = (torch.full((len(values),), m) for m in (task.season, task.second))
    *_, wrong = look_back(read(torch.tensor(values), season, second), 1)
    both = torch.stack([wrong.near[:, -1], wrong.far[:, -1]], 1)
    beside: Floats = (both - both[..., :1]).numpy()
    return beside


def real(task: Task, folder: Path) -> tuple[Floats, int]:
    """Return the errors of real series, and their usual length."""
    held = held_out(task, folder)
    chosen = np.random.default_rng(0).permutation(len(held))[:SERIES]
    pasts = [held[k].past[np.isfinite(held[k].past).argmax() :][-CONTEXT:] for k in chosen]
    found = np.concatenate([errors(past[None], task) for past in pasts])
    return found, int(np.median([len(past) for past in pasts]))


def generated(task: Task, length: int) -> Floats:
    """Return the errors of generated series of the same season and length."""
    season, second = (np.full(SERIES, m) for m in (task.season, task.second))
    return errors(draw_series(1, SERIES, length, Seasons(season, second), gaps=False).values, task)


def table(task: Task, folder: Path) -> pd.DataFrame:
    """Return a line per template, quantiles of both kinds side by side."""
    found, length = real(task, folder)
    kinds = {"real": found, "generated": generated(task, length)}
    columns = {
        (ahead, kind, q): np.quantile(values[:, k], q, axis=0)[list(SHOWN.values())]
        for k, ahead in enumerate(("one step", "a season"))
        for kind, values in kinds.items()
        for q in QUANTILES
    }
    return pd.DataFrame(columns, list(SHOWN)).rename_axis(f"{task.name}, {length} values")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", choices=[task.name for task in TASKS])
    asked = parser.parse_args()
    for one in TASKS:
        if one.name in asked.sets:
            print(table(one, Path(os.environ["FORECAST_DATA"])).round(2).to_string(), end="\n\n")
