"""Score forecasters at their defaults on a suite: one row per (suite, part, model, seed, commit).

The `accuracy_*.py` scripts beside this file name the suites and call `main`. The validation part is
what comes before the test part; `--part test` is for figures that are reported, not for choosing.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from naive2 import naive2_scores

import forecast
from forecast.evaluation.metrics import owa

RESULTS = Path(__file__).parent / "results" / "accuracy.csv"
KEYS = ["suite", "part", "model", "seed", "commit"]
DECILES = [round(0.1 * k, 1) for k in range(1, 10)]
BANDS = (0.5, 0.8, 0.9)
LEVELS = sorted(
    {*DECILES, *(round((1 + sign * band) / 2, 3) for band in BANDS for sign in (-1, 1))}
)
MODELS: dict[str, Callable[..., Any]] = {
    "auto": forecast.AutoForecaster,
    "auto, 100 s": lambda **options: forecast.AutoForecaster(budget=100, **options),
    "pre-trained": forecast.PretrainedForecaster,
    "LSTM": forecast.LSTMForecaster,
    "RNN": forecast.RNNForecaster,
    "MLP": forecast.MLPForecaster,
    "Seq2Seq": forecast.Seq2SeqForecaster,
    "Markov": forecast.MarkovForecaster,
    "Theta": forecast.ThetaForecaster,
    "ETS": forecast.ETSForecaster,
    "ARIMA": forecast.ARIMAForecaster,
    "seasonal naive": lambda **options: forecast.NaiveForecaster("seasonal", **options),
    "naive": lambda **options: forecast.NaiveForecaster("last", **options),
}
NETWORKS = ("LSTM", "RNN", "MLP", "Seq2Seq")
SEEDED = (*NETWORKS, "auto, 100 s")
SLOW = ("Theta", "ETS", "ARIMA")  # fitted series by series
TOLD = ", season told"


@dataclass(frozen=True)
class Suite:
    """A data set and how it is scored.

    Parameters
    ----------
    data
        Its name in the catalogue.
    horizon, season_length
        Steps to forecast; the season of MASE.
    n_windows, step, refit
        Rolling origins of a part; steps between them, by default the horizon; whether a model is
        fitted anew at each.
    test
        Values of each series that are the test part. None: the horizon.
    owa
        Whether the score of the M4 competition is wanted.
    label
        The suite's name, if it is not the data set's.
    prepare
        What is made of the data set first.
    sample
        How many series, evenly spread, models forecast that are fitted one by one. None: all.
    """

    data: str
    horizon: int
    season_length: int
    n_windows: int = 1
    step: int | None = None
    refit: bool = False
    test: int | None = None
    owa: bool = False
    label: str = ""
    prepare: Callable[[Any], Any] | None = None
    sample: int | None = None

    @property
    def name(self) -> str:
        """The label, or else the data set."""
        return self.label or self.data

    def history(self, part: str) -> Any:
        """Return the frame whose last values are the part that is scored."""
        y = forecast.load_dataset(self.data)
        if self.prepare:
            y = self.prepare(y)
        if part == "test":
            return y
        cut = self.test or self.horizon
        if "unique_id" not in y:
            return y.iloc[:-cut]
        return y[y.groupby("unique_id").cumcount(ascending=False) >= cut]

    def score(self, model: Any, part: str, sample: int | None = None) -> dict[str, float]:
        """Fit, forecast and score, maybe only some of the series."""
        y = evenly(self.history(part), sample)
        began, cpu_began = time.perf_counter(), time.process_time()
        with clocked(type(model)) as fits:
            table = self.table(model, y, LEVELS)
        seconds = {
            "fit_seconds": sum(fits),
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu_began,
        }
        scores = scores_of(table, y, self.season_length) | naive_errors(self, part, sample)
        row = {k: round(v, 4) for k, v in scores.items()} | {
            k: round(v, 1) for k, v in seconds.items()
        }
        row["n_series"] = table["unique_id"].nunique()
        if self.owa:
            base = naive2_scores(y, self.horizon, self.season_length)
            row["owa"] = round(owa(scores["smape"], scores["mase"], *base), 4)
        return {name: row[name] for name in sorted(row) if np.isfinite(row[name])}

    def table(self, model: Any, y: Any, levels: list[float]) -> pd.DataFrame:
        """Return the forecast table over the suite's origins."""
        return forecast.backtest(
            model,
            y,
            self.horizon,
            n_windows=self.n_windows,
            step=self.step,
            refit=self.refit,
            quantiles=levels,
        )


@contextlib.contextmanager
def clocked(kind: type) -> Iterator[list[float]]:
    """Collect the CPU seconds of every fit of a class."""
    fit, seconds = kind.fit, []

    @functools.wraps(fit)
    def clocked_fit(*args: Any, **options: Any) -> Any:
        began = time.process_time()
        fitted = fit(*args, **options)
        seconds.append(time.process_time() - began)
        return fitted

    with mock.patch.object(kind, "fit", clocked_fit):
        yield seconds


@functools.cache
def naive_errors(suite: Suite, part: str, sample: int | None) -> dict[str, float]:
    """Return MASE and wQL of the seasonal naive forecast of the same series."""
    y = evenly(suite.history(part), sample)
    model = forecast.NaiveForecaster("seasonal", season_length=suite.season_length)
    table = suite.table(model, y, DECILES)
    scores = forecast.evaluate(table, y, suite.season_length, metrics=["mase", "wql"]).iloc[0]
    return {f"naive_{name}": float(score) for name, score in scores.items()}


def scores_of(table: pd.DataFrame, y: Any, season_length: int) -> dict[str, float]:
    """Return errors, and what bands hold over all steps, at the first and at the last."""
    others = [f"q{level}" for level in LEVELS if level not in DECILES]
    metrics = ["smape", "mase", "wql", "coverage", "mse"]
    deciles = table.drop(columns=others)
    found = forecast.evaluate(deciles, y, season_length, metrics=metrics).iloc[0].to_dict()
    bands = [f"coverage{band}" for band in BANDS]
    for place, step in (
        ("", None),
        ("_first", table["step"].min()),
        ("_last", table["step"].max()),
    ):
        rows = table if step is None else table[table["step"] == step]
        held = forecast.evaluate(rows, metrics=bands).iloc[0]
        found |= {f"{name}{place}": share for name, share in held.items()}
    return {name: float(score) for name, score in found.items()}


def evenly(y: Any, n: int | None) -> Any:
    """Return about n series of a long or a wide frame, evenly spread; None: all.

    Examples
    --------
    >>> evenly(pd.DataFrame({"a": [1], "b": [2], "c": [3]}), 2).columns.tolist()
    ['a', 'c']
    """
    if n is None or isinstance(y, pd.Series):
        return y
    ids = y["unique_id"].unique() if "unique_id" in y else y.columns
    ids = ids[:: -(-len(ids) // n)]
    return y[y["unique_id"].isin(ids)] if "unique_id" in y else y[ids]


def main(*suites: Suite, results: Path = RESULTS, models: tuple[str, ...] = ("LSTM",)) -> str:
    """Score what the command line asks for and is not yet in the CSV; return the part."""
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--part", choices=("validation", "test"), default="validation")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(models))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--suites", nargs="+", choices=[suite.name for suite in suites])
    parser.add_argument("--told", action="store_true", help="tell models the season of MASE")
    asked = parser.parse_args()
    commit = commit_of()
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    for suite in suites:
        if asked.suites and suite.name not in asked.suites:
            continue
        told = {"season_length": suite.season_length} if asked.told else {}
        for name in asked.models:
            for seed in asked.seeds if name in SEEDED else [0]:
                label = name + TOLD * asked.told
                key = dict(zip(KEYS, (suite.name, asked.part, label, seed, commit), strict=True))
                if not known(results, key):
                    options = told | ({"random_state": seed} if name in SEEDED else {})
                    model = MODELS[name](horizon=suite.horizon, **options)
                    sample = suite.sample if name in SLOW else None
                    record(results, key | suite.score(model, asked.part, sample))
    return asked.part


def record(path: Path, row: dict[str, Any]) -> None:
    """Print a row and add it to a CSV, whose columns may grow."""
    print(*(f"{name}={value}" for name, value in row.items()), flush=True)
    path.parent.mkdir(exist_ok=True)
    rows = [pd.read_csv(path, dtype={"commit": str})] if path.exists() else []
    pd.concat([*rows, pd.DataFrame([row])]).to_csv(path, index=False)


def newest(results: Path, part: str) -> pd.DataFrame:
    """Return the rows of a part, of each suite and model those of the newest commit."""
    rows = pd.read_csv(results, dtype={"commit": str})
    rows = rows[rows["part"] == part]
    last = rows.groupby(["suite", "model"], sort=False)["commit"].transform("last")
    return rows[rows["commit"] == last]


def known(results: Path, key: dict[str, Any]) -> bool:
    """Tell whether a CSV has the row of a key."""
    if not results.exists():
        return False
    rows = pd.read_csv(results, dtype={"commit": str})
    return bool((rows[KEYS] == pd.Series(key)).all(axis=1).any())


def commit_of() -> str:
    """Return the commit that is measured; a plus tells of changes that are not committed."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--", "forecast")
    return git("rev-parse", "--short=8", "HEAD") + ("+" if changed else "")
