"""Long horizons by the protocol of the LTSF papers: every window of the test part, channels apart.

    python benchmarks/accuracy_ett.py --part test
    python benchmarks/accuracy_ett.py --part test --models LSTM --sets etth1 --seeds 0 1 2

Every channel is standardised by the mean and standard deviation of its training part. MSE and MAE
are means over all windows, channels and steps, none left out (Zeng et al., 2023, "Are Transformers
Effective for Time Series Forecasting?", whose loader drops the last ones).
For each horizon a model is fitted once, on all values before the part that is scored, then takes
one value at a time by `update`. The pre-trained network, whose fit trains nothing, reads each
channel in stretches of a week and forecasts from every step of one pass over them. The validation
part is the one between training and test part. Results: `results/ltsf.csv`.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from suites import KEYS, MODELS, NETWORKS, commit_of, known, newest, record

import forecast
from forecast.forecasters.neural.pretrained import VALUES
from forecast.pretrained import calibration
from forecast.pretrained.blocks import (
    MEDIAN,
    SHARE,
    count_of,
    length_of,
    means,
    moved,
    season_of,
    steps_for,
)
from forecast.pretrained.extent import CONTEXT
from forecast.pretrained.network import PretrainedNetwork, Reading
from forecast.pretrained.sweep import View, look, mix

RESULTS = Path(__file__).parent / "results" / "ltsf.csv"
HORIZONS = (96, 192, 336, 720)
LEVELS = (0.1, 0.5, 0.9)
STRETCH = 168  # values read on before the seasons are weighed anew


class Split(NamedTuple):
    """Rows of the three parts, and the season of the calendar."""

    train: int
    validation: int
    test: int
    season_length: int

    def standardised(self, y: pd.DataFrame, part: str) -> tuple[pd.DataFrame, int]:
        """Return all rows up to the end of a part, in units of the training part, and its size."""
        seen, end = y.iloc[: self.train], self.train + self.validation
        size = self.validation
        if part == "test":
            size, end = self.test, end + self.test
        return ((y - seen.mean()) / seen.std(ddof=0)).iloc[:end], size


SETS = {
    "etth1": Split(8640, 2880, 2880, 24),
    "etth2": Split(8640, 2880, 2880, 24),
    "exchange_rate": Split(5311, 760, 1517, 1),
}


def origins(y: pd.DataFrame, horizon: int, size: int) -> range:
    """Return after how many rows the windows begin that lie in the last `size` rows."""
    return range(len(y) - size, len(y) - horizon + 1)


def updated(model: Any, y: pd.DataFrame, horizon: int, size: int) -> Iterator[np.ndarray]:
    """Yield bounds about the forecast (n, H, 3) from every origin, value after value."""
    for end in origins(y, horizon, size):
        if end == len(y) - size:
            model.fit(y.iloc[:end])
        else:
            model.update(y.iloc[end - 1 : end])
        bounds = model.predict_quantiles(horizon, levels=LEVELS[::2])
        low, high = (bounds.xs(level, axis=1, level=-1) for level in LEVELS[::2])
        yield np.stack([low, model.predict(horizon), high], -1).swapaxes(0, 1)


def swept(model: Any, y: pd.DataFrame, horizon: int, size: int) -> Iterator[np.ndarray]:
    """Yield the same of the pre-trained forecaster: stretch by stretch, one pass each.

    What the past says of seasons and bands is that of a stretch's first origin. There the forecast
    is that of the forecaster; further on it is that after `update`, but for histories longer than
    the forecaster reads.
    """
    every, scores = origins(y, horizon, size), calibration.ndtri(np.array(LEVELS))
    some = max(VALUES // (horizon * y.shape[1]), 1)
    for begin in every[::STRETCH]:
        model.fit(y.iloc[:begin])
        first, last = max(begin - CONTEXT, 0), min(begin + STRETCH, every.stop)
        values = torch.from_numpy(y.iloc[first : last - 1].to_numpy().T.copy())
        weights = torch.from_numpy(model.weights_)
        newest = torch.from_numpy(model._absorbed() + last - 1 - begin)
        with torch.inference_mode():
            readings = [look(model.network_, values, view, newest) for view in model.views_]
            for ends in torch.arange(begin - 1, last - 1).split(some):
                tables = [
                    from_ends(model.network_, values, one, view, ends - first, horizon)
                    for one, view in zip(readings, model.views_, strict=True)
                ]
                wide = model.widths_[:, None, None, None] * scores
                found = calibration.icdf(mix(weights, tables).numpy(), wide)
                yield from model.bounds_.hold(found).swapaxes(0, 1)


def from_ends(
    network: PretrainedNetwork,
    values: torch.Tensor,
    reading: Reading,
    view: View,
    ends: torch.Tensor,
    horizon: int,
) -> torch.Tensor:
    """Return what a view says (B, E, horizon, Q) after each of the ends of values (B, N)."""
    fewest = int(ends[0]) + 1
    count = count_of(*view[:2], horizon, fewest)
    steps = torch.arange(1, steps_for(*view[:2], horizon, fewest) + 1)
    table = network.forecast(reading, ends, steps)
    medians, away = table[..., MEDIAN].numpy(), np.zeros((*table.shape[:2], horizon))
    length = length_of(view.season)
    for end in ends[-length:] if count else []:  # blocks that end there, or at ends before it
        alike = np.flatnonzero((end - ends) % length == 0)
        said = of_blocks(network, values, view, ends[alike], count)
        moving = medians[:, alike, : count * length]
        for row in range(len(values)):
            away[row, alike] = SHARE * moved(moving[row], said[row], horizon)
    return table[:, :, :horizon] + torch.from_numpy(away)[..., None]


def of_blocks(
    network: PretrainedNetwork, values: torch.Tensor, view: View, ends: torch.Tensor, count: int
) -> np.ndarray:
    """Return medians (B, E, count) of the blocks after ends that lie whole blocks apart."""
    length, none = length_of(view.season), torch.zeros(len(values), dtype=torch.long)
    blocks = torch.from_numpy(means(values[:, : int(ends[-1]) + 1].numpy(), view.season, length))
    reading = network.read(blocks, none + season_of(*view[:2]), none)
    newest = blocks.shape[1] - 1 - (ends[-1] - ends) // length
    steps = torch.arange(1, count + 1)
    return np.asarray(network.forecast(reading, newest, steps)[..., MEDIAN])


def score(model: Any, y: pd.DataFrame, horizon: int, size: int) -> dict[str, float]:
    """Return means over all windows, steps and channels."""
    forecasts = swept if isinstance(model, forecast.PretrainedForecaster) else updated
    values, parts = y.to_numpy().T, []
    windows = origins(y, horizon, size)
    for end, table in zip(windows, forecasts(model, y, horizon, size), strict=True):
        low, middle, high = np.moveaxis(table, -1, 0)
        truth = values[:, end : end + horizon]
        error, inside = middle - truth, (low <= truth) & (truth <= high)
        parts.append((np.square(error).mean(), np.abs(error).mean(), inside.mean()))
    means = np.mean(parts, 0).round(4)
    return dict(zip(("mse", "mae", "coverage0.8"), means, strict=True)) | {"windows": len(parts)}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--part", choices=("validation", "test"), default="validation")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["pre-trained"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--horizons", nargs="+", type=int, default=list(HORIZONS))
    return parser.parse_args()


def main() -> None:
    """Score what the command line asks for and is not yet in the CSV; print the table."""
    asked, commit = arguments(), commit_of()
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    torch.set_num_threads(1)
    for name, horizon, label in itertools.product(asked.sets, asked.horizons, asked.models):
        y, size = SETS[name].standardised(forecast.load_dataset(name), asked.part)
        for seed in asked.seeds if label in NETWORKS else [0]:
            values = (f"{name}_{horizon}", asked.part, label, seed, commit)
            key = dict(zip(KEYS, values, strict=True))
            if horizon > size or known(RESULTS, key):
                continue
            options = {"random_state": seed} if label in NETWORKS else {}
            season = SETS[name].season_length
            model = MODELS[label](horizon=horizon, season_length=season, **options)
            began, cpu_began = time.perf_counter(), time.process_time()
            row = key | score(model, y, horizon, size)
            row["seconds"] = round(time.perf_counter() - began, 1)
            row["cpu_seconds"] = round(time.process_time() - cpu_began, 1)
            record(RESULTS, row)
    print(newest(RESULTS, asked.part).drop(columns=["part", "commit"]).to_string(index=False))


if __name__ == "__main__":
    main()
