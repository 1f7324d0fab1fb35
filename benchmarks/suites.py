"""Score forecasters at their defaults on a suite: one row per (suite, part, model, seed, commit).

The `accuracy_*.py` scripts beside this file name the suites and call `main`. The validation part is
what comes before the test part; `--part test` is for figures that are reported, not for choosing.
"""

from __future__ import annotations

import argparse
import subprocess
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from naive2 import naive2_scores

import forecast
from forecast.evaluation.metrics import owa

RESULTS = Path(__file__).parent / "results" / "accuracy.csv"
KEYS = ["suite", "part", "model", "seed", "commit"]
DECILES = [round(0.1 * k, 1) for k in range(1, 10)]
MODELS: dict[str, Callable[..., Any]] = {
    "LSTM": forecast.LSTMForecaster,
    "RNN": forecast.RNNForecaster,
    "MLP": forecast.MLPForecaster,
    "Theta": forecast.ThetaForecaster,
    "ETS": forecast.ETSForecaster,
    "seasonal naive": lambda **options: forecast.NaiveForecaster("seasonal", **options),
    "naive": lambda **options: forecast.NaiveForecaster("last", **options),
}
NETWORKS = ("LSTM", "RNN", "MLP")


@dataclass(frozen=True)
class Suite:
    """A data set and how it is scored.

    Parameters
    ----------
    data
        Its name in the catalogue.
    horizon, season_length
        Steps to forecast; the season of MASE.
    n_windows, step
        Rolling origins of a part, without refitting; steps between them, by default the horizon.
    test
        Values of each series that are the test part. None: the horizon.
    owa
        Whether the score of the M4 competition is wanted.
    standardise
        Values of each series whose mean and standard deviation are the units of the MSE; 0: none.
    label
        The suite's name, if it is not the data set's.
    prepare
        What is made of the data set first.
    """

    data: str
    horizon: int
    season_length: int
    n_windows: int = 1
    step: int | None = None
    test: int | None = None
    owa: bool = False
    standardise: int = 0
    label: str = ""
    prepare: Callable[[Any], Any] | None = None

    @property
    def name(self) -> str:
        """The data set, and the horizon where there are several."""
        if self.label:
            return self.label
        return f"{self.data}_{self.horizon}" if self.standardise else self.data

    def history(self, part: str) -> Any:
        """Return the frame whose last values are the part that is scored."""
        y = forecast.load_dataset(self.data)
        if self.prepare:
            y = self.prepare(y)
        if self.standardise:
            seen = y.iloc[: self.standardise]
            y = (y - seen.mean()) / seen.std(ddof=0)
        if part == "test":
            return y
        cut = self.test or self.horizon
        if "unique_id" not in y:
            return y.iloc[:-cut]
        return y[y.groupby("unique_id").cumcount(ascending=False) >= cut]

    def score(self, model: Any, part: str) -> dict[str, float]:
        """Fit, forecast and score."""
        y = self.history(part)
        began = time.perf_counter()
        table = forecast.backtest(
            model, y, self.horizon, n_windows=self.n_windows, step=self.step, quantiles=DECILES
        )
        seconds = time.perf_counter() - began
        metrics = ["smape", "mase", "wql", "coverage", "mse"]
        scores = forecast.evaluate(table, y, self.season_length, metrics=metrics).iloc[0]
        row = {**scores.round(4).to_dict(), "seconds": round(seconds, 1)}
        if self.owa:
            base = naive2_scores(y, self.horizon, self.season_length)
            row["owa"] = round(owa(scores["smape"], scores["mase"], *base), 4)
        return {name: row[name] for name in sorted(row) if np.isfinite(row[name])}


def main(*suites: Suite) -> None:
    """Score what the command line asks for and is not yet in the CSV."""
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--part", choices=("validation", "test"), default="validation")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["LSTM"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--suites", nargs="+", choices=[suite.name for suite in suites])
    asked = parser.parse_args()
    commit = _commit()
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    for suite in suites:
        if asked.suites and suite.name not in asked.suites:
            continue
        for name in asked.models:
            for seed in asked.seeds if name in NETWORKS else [0]:
                key = dict(zip(KEYS, (suite.name, asked.part, name, seed, commit), strict=True))
                if not _known(key):
                    options = {"random_state": seed} if name in NETWORKS else {}
                    model = MODELS[name](horizon=suite.horizon, **options)
                    record(RESULTS, key | suite.score(model, asked.part))


def record(path: Path, row: dict[str, Any]) -> None:
    """Print a row and add it to a CSV, whose columns may grow."""
    print(*(f"{name}={value}" for name, value in row.items()), flush=True)
    path.parent.mkdir(exist_ok=True)
    rows = [pd.read_csv(path)] if path.exists() else []
    pd.concat([*rows, pd.DataFrame([row])]).to_csv(path, index=False)


def _known(key: dict[str, Any]) -> bool:
    if not RESULTS.exists():
        return False
    rows = pd.read_csv(RESULTS, dtype={"commit": str})
    return bool((rows[KEYS] == pd.Series(key)).all(axis=1).any())


def _commit() -> str:
    """Return the commit that is measured; a plus tells of changes that are not committed."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--", "forecast")
    return git("rev-parse", "--short=8", "HEAD") + ("+" if changed else "")
