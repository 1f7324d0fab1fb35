"""Score weights on real series without touching a test part.

    FORECAST_DATA=folder python -m pretraining.validate

Of every set the values before the test part are taken; their last horizon is held out and
forecast. So the generator and the network may be mended by these figures, and the test parts stay
what they are for. `--references` adds Theta.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from forecast.pretrained import extent
from forecast.pretrained.network import LEVELS, PretrainedNetwork
from forecast.pretrained.sweep import farthest
from forecast.pretrained.weights import SHIPPED, load_network

Floats = NDArray[np.float64]
TENTHS = [LEVELS.index(round(0.1 * k, 1)) for k in range(1, 10)]


class Task(NamedTuple):
    """A set: file, seasons, horizon, how much of its end is the test part, which series."""

    name: str
    season: int
    second: int
    horizon: int
    test: int = 0  # values of every series after which nothing is read; 0: the set has a split
    every: int = 1  # every so many series
    origins: int = 1  # held-out horizons, one before the other


TASKS = (
    Task("m3_yearly", 1, 0, 6),
    Task("m3_quarterly", 4, 0, 8),
    Task("m3_monthly", 12, 0, 18),
    Task("m3_other", 1, 0, 8, 8),
    Task("m4_yearly", 1, 0, 6, 0, 23),
    Task("m4_hourly", 24, 168, 48, 0, 3),
    Task("nn3", 12, 0, 18),
    Task("carparts", 12, 0, 12, 0, 2),
    Task("pedestrian", 24, 168, 24, 672, 1, 10),
    Task("gefcom2012_load", 24, 168, 48, 1344, 1, 4),
    Task("national_illness", 52, 0, 24, 193, 1, 4),
    Task("etth1", 24, 0, 96, 5900, 1, 10),
    Task("etth2", 24, 0, 96, 5900, 1, 10),
    Task("exchange_rate", 1, 0, 30, 1517, 1, 8),
)
# single series have a season each: name -> season, second, horizon; as many more are the test part
CLASSIC = {
    "air_passengers": (12, 0, 24),
    "sunspots_monthly": (12, 0, 96),
    "melbourne_min_temp": (7, 365, 60),
    "aus_beer": (4, 0, 8),
    "wine_industry": (12, 0, 24),
    "wool_yarn": (4, 0, 8),
    "milk": (12, 0, 24),
    "us_gasoline": (52, 0, 52),
    "taxi_new_york": (48, 336, 336),
    "taylor_demand": (48, 336, 336),
    "lynx": (1, 0, 14),
}


class Held(NamedTuple):
    """A history and the values that came after it."""

    past: Floats
    future: Floats
    season: int
    second: int


def histories(task: Task, folder: Path) -> Iterator[Floats]:
    """Yield the values before the test part of every chosen series of a set."""
    frame = pd.read_parquet(folder / f"{task.name}.parquet")
    if "unique_id" not in frame:
        numbers = frame.select_dtypes("number")
        yield from (numbers[c].to_numpy(float)[: -task.test] for c in numbers)
        return
    if "split" in frame:
        frame = frame[frame["split"] == "train"]
        test = 0
    else:
        test = task.test
    groups = [g["y"].to_numpy(float) for _, g in frame.groupby("unique_id", observed=True)]
    yield from (y[: len(y) - test] for y in groups[:: task.every])


def held_out(task: Task, folder: Path) -> list[Held]:
    """Cut histories into what is read and what is forecast."""
    found = []
    for y in histories(task, folder):
        for k in range(task.origins):
            end = len(y) - k * task.horizon
            past, future = y[: end - task.horizon], y[end - task.horizon : end]
            if np.isfinite(past).sum() > 4 and np.isfinite(future).any():
                found.append(Held(past, future, task.season, task.second))
    return found


def classic(folder: Path) -> list[Held]:
    """Return the single series, their last two horizons apart: one held out, one never read."""
    frame = pd.read_parquet(folder / "classic.parquet")
    found = []
    for name, (season, second, horizon) in CLASSIC.items():
        y = frame.loc[frame["unique_id"] == name, "y"].to_numpy(float)[:-horizon]
        found.append(Held(y[:-horizon], y[-horizon:], season, second))
    return found


def forecast(network: PretrainedNetwork, held: list[Held]) -> list[Floats]:
    """Forecast every series: quantiles (h, Q), alike lengths side by side."""
    order = sorted(range(len(held)), key=lambda k: len(held[k].past))
    answers: dict[int, Floats] = {}
    size = 128 if len(held[order[-1]].past) < 400 else 32
    for begin in range(0, len(order), size):
        rows = order[begin : begin + size]
        read = [newest(held[k].past) for k in rows]
        values = np.full((len(rows), max(map(len, read))), np.nan)
        for row, past in enumerate(read):
            values[row, values.shape[1] - len(past) :] = past
        season = torch.tensor([held[k].season for k in rows])
        second = torch.tensor([held[k].second for k in rows])
        horizon = max(len(held[k].future) for k in rows)
        absorbed = torch.tensor([newest_absorbed(held[k]) for k in rows])
        quantiles = network.quantiles(
            torch.from_numpy(values), season, second, horizon, absorbed
        ).numpy()
        for row, k in enumerate(rows):
            # a series that was never negative is not forecast to be
            floor = 0.0 if np.nanmin(held[k].past) >= 0 else -np.inf
            answers[k] = np.maximum(quantiles[row, : len(held[k].future)], floor)
    return [answers[k] for k in range(len(held))]


def newest(past: Floats) -> Floats:
    """Return the part of a history that the forecaster reads."""
    return past[-int(extent.seen(*whole(past))[0]) :]


def newest_absorbed(h: Held) -> int:
    """Return how much of a history the forecaster's recurrence absorbs."""
    return int(extent.absorbed(*whole(h.past), farthest(len(h.future)))[0])


def whole(past: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where a history begins and ends."""
    return np.zeros(1, np.int64), np.array([len(past)])


def repeated(h: Held) -> Floats:
    """Return the seasonal naive forecast."""
    past = pd.Series(h.past).ffill().bfill().to_numpy()
    cycle = past[-h.season :]
    return np.asarray(cycle[np.arange(len(h.future)) % len(cycle)], float)


def unit(h: Held) -> float:
    """Return the mean change over a season of the past: the unit of MASE."""
    change = np.abs(h.past[h.season :] - h.past[: -h.season])
    seen = change[np.isfinite(change)]
    return float(seen.mean()) if len(seen) and seen.mean() > 0 else np.nan


def score(held: list[Held], points: list[Floats]) -> float:
    """Return the mean MASE over series of a point forecast each."""
    scaled = [
        np.nanmean(np.abs(h.future - point)) / unit(h)
        for h, point in zip(held, points, strict=True)
    ]
    return float(np.nanmean(scaled))


def table(network: PretrainedNetwork, folder: Path, references: bool = False) -> pd.DataFrame:
    """Return a line per set: MASE, that of the seasonal naive, weighted quantile loss, coverage."""
    sets = [(t.name, held_out(t, folder)) for t in TASKS] + [("classic", classic(folder))]
    lines = []
    for name, held in sets:
        answers = forecast(network, held)
        mase = score(held, [q[:, LEVELS.index(0.5)] for q in answers])
        naive = score(held, [repeated(h) for h in held])
        line = {"set": name, "n": len(held), "MASE": mase, "naive": naive, "ratio": mase / naive}
        line |= quantile_scores(held, answers)
        if references:
            line["Theta"] = theta(held)
        lines.append(line)
    frame = pd.DataFrame(lines).set_index("set")
    mean = {"ratio": float(np.exp(np.log(frame["ratio"]).mean()))}
    mean |= {c: float(frame[c].mean()) for c in ("50%", "80%", "90%")}
    frame.loc["mean (ratio geometric)"] = pd.Series(mean)
    return frame


def quantile_scores(held: list[Held], answers: list[Floats]) -> dict[str, float]:
    """Return the weighted quantile loss at .1 ... .9 and what the central bands hold."""
    y = np.concatenate([h.future for h in held])
    q = np.concatenate(answers)
    seen = np.isfinite(y)
    y, q = y[seen], q[seen]
    level = np.array(LEVELS)[TENTHS]
    error = y[:, None] - q[:, TENTHS]
    loss = np.maximum(level * error, (level - 1) * error).sum() * 2 / 9
    found = {"wQL": float(loss / np.abs(y).sum())}
    for coverage in (0.5, 0.8, 0.9):
        low = LEVELS.index(round((1 - coverage) / 2, 3))
        inside = (y >= q[:, low]) & (y <= q[:, -1 - low])
        found[f"{coverage:.0%}"] = float(inside.mean())
    return found


def theta(held: list[Held]) -> float:
    """Return the MASE of the package's Theta method, over at most 400 of the series."""
    from forecast.forecasters.classical.theta import ThetaForecaster

    chosen = held[:: max(1, len(held) // 400)]

    def point(h: Held) -> Floats:
        past = pd.Series(h.past[-extent.CONTEXT :]).ffill().bfill()
        model = ThetaForecaster(horizon=len(h.future), season_length=h.season)
        return np.asarray(model.fit(past).predict(len(h.future)), float)

    return score(chosen, [point(h) for h in chosen])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, nargs="?", default=SHIPPED)
    parser.add_argument("--references", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    data = Path(os.environ["FORECAST_DATA"])
    scores = table(load_network(arguments.weights), data, arguments.references)
    print(scores.round(4).to_string())
