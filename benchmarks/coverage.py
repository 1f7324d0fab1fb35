"""What share of the true futures lies inside the bands: simulated processes, single series, panels.

    python benchmarks/coverage.py --models Markov Theta
    python benchmarks/coverage.py --models MLP --layouts single --series 40
    python benchmarks/coverage.py --table

The future of a simulated series can be drawn as often as one likes, so that what a band covers is
counted without the luck of one future. A value on the border of a band counts half: of whole
numbers, no band covers just 80 %. A single series is fitted alone, a panel as one; a season is
told. Networks learn one panel of 800 series, of which a fourth are held out and tell how wide bands
are: were they fewer, chance would move all bands. Standard errors are over fits, of one panel over
its series. Results: `results/coverage.csv`.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from suites import NETWORKS, commit_of, record

import forecast

RESULTS = Path(__file__).parent / "results" / "coverage.csv"
KEYS = ["process", "layout", "model", "commit"]
BANDS = (0.5, 0.8, 0.9, 0.95)
HORIZON, FUTURES, PATHS, SEASON, BEFORE = 12, 200, 500, 12, 50
SERIES = 200
PANELS = {"Markov": (5, 40), "pre-trained": (5, 40)}  # panels, series of each
PANEL_OF_NETWORKS = (1, 800)
SIZES = (60, 150, 400)  # values of a series
MODELS: dict[str, Callable[..., Any]] = {
    "naive": forecast.NaiveForecaster,
    "seasonal naive": lambda **options: forecast.NaiveForecaster("seasonal", **options),
    "Theta": forecast.ThetaForecaster,
    "ETS": forecast.ETSForecaster,
    "ARIMA": forecast.ARIMAForecaster,
    "Markov": forecast.MarkovForecaster,
    "pre-trained": forecast.PretrainedForecaster,
    "MLP": forecast.MLPForecaster,
    "LSTM": forecast.LSTMForecaster,
    "RNN": forecast.RNNForecaster,
    "Seq2Seq": forecast.Seq2SeqForecaster,
}
GLOBAL = ("Markov", "pre-trained", *NETWORKS)  # the other models fit a panel series by series

# What follows the state (n, S) at time t: the new state, and the value.
Step = Callable[[np.ndarray, int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def around(
    mean: Callable[[int], float],
    persistence: float = 0.0,
    deviation: Callable[[int], float] = lambda t: 1.0,
) -> Step:
    """Return an autoregression around a mean that is known."""

    def step(state: np.ndarray, t: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        state = persistence * state + rng.standard_normal(state.shape)
        return state, mean(t) + deviation(t) * state

    return step


def local_level(
    state: np.ndarray, t: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a level that moves by three tenths of each error, and the value around it."""
    error = rng.standard_normal(state.shape)
    return state + 0.3 * error, state + error


def counts(state: np.ndarray, t: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return whole numbers around a mean of ten, which wanders and comes back."""
    state = 0.8 * state + 0.2 * rng.standard_normal(state.shape)
    return state, rng.poisson(10 * np.exp(state)).astype(np.float64)


def wave(t: int) -> float:
    """Return the season, between -1 and 1."""
    return float(np.sin(2 * np.pi * t / SEASON))


PROCESSES: dict[str, Step] = {
    "AR(1)": around(lambda t: 0.0, 0.7),
    "random walk": around(lambda t: 0.0, 1.0),
    "local level": local_level,
    "season": around(lambda t: 4 * wave(t), 0.5),
    "trend": around(lambda t: 0.2 * t),
    "seasonal variance": around(lambda t: 2 * wave(t), 0.0, lambda t: float(np.exp(0.7 * wave(t)))),
    "counts": counts,
}
SEASONAL = ("season", "seasonal variance")


def simulate(process: str, n: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return n histories (n, size), and of each many futures (n, F, H)."""
    rng, state, values = np.random.default_rng(seed), np.zeros((n, 1)), []
    for t in range(-BEFORE, size + HORIZON):
        if t == size:
            state = np.repeat(state, FUTURES, axis=1)
        state, value = PROCESSES[process](state, t, rng)
        values.append(value)
    history = np.concatenate(values[BEFORE : BEFORE + size], axis=1)
    return history, np.stack(values[BEFORE + size :], axis=2)


def forecasts(model: Any, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return quantiles of each step (n, H, 2, B), and of the sum over them (n, 2)."""
    y = pd.DataFrame(history.T).add_prefix("s")
    levels = sorted((1 + sign * band) / 2 for band in BANDS for sign in (-1, 1))
    model.fit(y)
    quantiles = model.predict_quantiles(HORIZON, levels=levels).to_numpy()
    quantiles = quantiles.reshape(HORIZON, len(history), -1).transpose(1, 0, 2)
    paths = model.sample(HORIZON, n_samples=PATHS, random_state=0).to_numpy()
    sums = paths.reshape(HORIZON, len(history), PATHS).sum(0)
    outer = len(BANDS)
    bands = np.stack([quantiles[..., outer - 1 :: -1], quantiles[..., outer:]], axis=2)
    return bands, np.quantile(sums, [0.1, 0.9], axis=1).T


def inside(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return 1 where values lie inside, 1/2 on a border, else 0."""
    closed, opened = (values >= low) & (values <= high), (values > low) & (values < high)
    return 0.5 * closed + 0.5 * opened


def layouts(model: str) -> list[tuple[str, int]]:
    """Return how series are handed to a model, and how many values they have."""
    alone = [("single", size) for size in SIZES]
    return alone + [("panel", size) for size in SIZES] * (model in GLOBAL)


def groups(layout: str, model: str, series: int) -> tuple[int, int]:
    """Return how many fits there are, and the series of each."""
    if layout == "panel":
        return PANELS.get(model, PANEL_OF_NETWORKS)
    return (series, 1) if model in GLOBAL else (1, series)


def cell(process: str, layout: str, size: int, model: str, series: int) -> dict[str, float]:
    """Fit and count: what the bands cover, the 80 % band of sums, and standard errors of both."""
    fits, together = groups(layout, model, series)
    history, futures = simulate(process, fits * together, size)
    options = {"horizon": HORIZON, "season_length": SEASON if process in SEASONAL else 1}
    began, held, sums = time.process_time(), [], []
    for first in range(0, fits * together, together):
        some = slice(first, first + together)
        seed = {"random_state": first} if model in NETWORKS else {}
        bands, total = forecasts(MODELS[model](**options, **seed), history[some])
        low, high = bands[:, None, :, 0], bands[:, None, :, 1]  # (n, 1, H, B)
        held.append(inside(futures[some, ..., None], low, high).mean((1, 2)))
        sums.append(inside(futures[some].sum(2), total[:, :1], total[:, 1:]).mean(1))
    return summary(np.concatenate(held), np.concatenate(sums), fits) | {
        "cpu_seconds": round(time.process_time() - began, 1),
        "series": fits * together,
    }


def summary(held: np.ndarray, sums: np.ndarray, fits: int) -> dict[str, float]:
    """Return means over series in per cent, and standard errors over fits, of one over series."""
    apart = fits if fits > 1 else len(held)
    columns = np.column_stack([held, sums]).reshape(apart, -1, len(BANDS) + 1).mean(1)
    error = columns.std(0, ddof=1) / np.sqrt(apart)
    names = [*(f"{100 * band:g} %" for band in BANDS), "sum 80 %"]
    means = dict(zip(names, 100 * columns.mean(0), strict=True))
    means |= {"se of 80 %": 100 * error[1], "se of sum": 100 * error[-1]}
    return {name: round(float(value), 1) for name, value in means.items()}


def main() -> None:
    """Count what the command line asks for and is not yet in the CSV, or print the table."""
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--processes", nargs="+", choices=PROCESSES, default=list(PROCESSES))
    parser.add_argument("--sizes", nargs="+", type=int, choices=SIZES, default=list(SIZES))
    parser.add_argument("--layouts", nargs="+", default=["single", "panel"])
    parser.add_argument("--series", type=int, default=SERIES, help="fitted alone")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="only print what was found before")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    commit = commit_of()
    for model in asked.models if not asked.table else ():
        for process in asked.processes:
            for layout, size in layouts(model):
                if size in asked.sizes and layout in asked.layouts:
                    values = (process, f"{layout} {size}", model, commit)
                    row = dict(zip(KEYS, values, strict=True))
                    record(asked.results, row | cell(process, layout, size, model, asked.series))
    print(table(asked.results))


def table(results: Path) -> str:
    """Return what 80 % bands hold of steps / of sums, newest rows, as Markdown."""
    rows = pd.read_csv(results, dtype={"commit": str}).drop_duplicates(KEYS[:3], keep="last")
    cells = rows["80 %"].map("{:.0f}".format) + " / " + rows["sum 80 %"].map("{:.0f}".format)
    found = rows.assign(cell=cells).pivot_table("cell", KEYS[:2], "model", aggfunc="first")
    series = [f"{layout} {size}" for layout in ("single", "panel") for size in SIZES]
    found = found.reindex(pd.MultiIndex.from_product([PROCESSES, series])).dropna(how="all")
    found = found[[model for model in MODELS if model in found]]
    lines = ["| process | series | " + " | ".join(found) + " |"]
    lines.append("|---" * (found.shape[1] + 2) + "|")
    lines += ["| " + " | ".join([*key, *row]) + " |" for key, row in found.fillna("").iterrows()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
