"""Time and memory of the classical forecasters where an order is long or series are many."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd


def minutes(length: int) -> pd.Series:
    """Return a daily wave, a random walk and noise, minute by minute."""
    rng, day = np.random.default_rng(0), 2 * np.pi / 1440
    values = 100 + 20 * np.sin(day * np.arange(length)) + rng.normal(size=length)
    times = pd.date_range("2023-01-01", periods=length, freq="min")
    return pd.Series(values + 0.02 * rng.normal(size=length).cumsum(), times)


def weeks(length: int, n_series: int) -> pd.DataFrame:
    """Return random walks around 100."""
    values = 100 + np.random.default_rng(0).normal(size=(length, n_series)).cumsum(axis=0)
    return pd.DataFrame(values, pd.date_range("2020-01-01", periods=length, freq="W"))


def held(what: str) -> float:
    """Return the memory this process holds (VmRSS) or has held at most (VmHWM), in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) / 1024


def measure(name: str, work: Callable[[], object]) -> None:
    """Print the seconds of a piece of work, and how far its memory rose above what was held."""
    Path("/proc/self/clear_refs").write_text("5")  # Linux forgets the peak
    before, began = held("VmRSS"), time.process_time()
    work()
    seconds = time.process_time() - began
    print(f"{name:40} {seconds:6.1f} s  +{held('VmHWM') - before:.0f} MB", flush=True)


def main(task: str) -> None:
    """Run one of the tasks, after all that is loaded on first use."""
    from forecast import MarkovForecaster, ThetaForecaster

    warnings.simplefilter("ignore")
    walks = weeks(60, 1000)
    for model in (MarkovForecaster(), ThetaForecaster()):
        model.fit(walks.iloc[:, :2]).predict_quantiles(2)
    if task == "weeks":
        model = MarkovForecaster()
        measure("Markov, 1,000 x 60 weeks, fit", lambda: model.fit(walks))
        measure("Markov, 1,000 x 60 weeks, quantiles", model.predict_quantiles)
        theta = ThetaForecaster()
        measure("Theta, 1,000 x 60 weeks, fit", lambda: theta.fit(walks))
        measure("Theta, 1,000 x 60 weeks, predict", theta.predict)
        measure("Theta, 1,000 x 60 weeks, quantiles", theta.predict_quantiles)
    else:
        y = minutes(int(task))
        measure(f"Markov, {len(y):,} minutes, fit", lambda: MarkovForecaster().fit(y))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        for task in ("weeks", "40000", "525600"):
            subprocess.run([sys.executable, __file__, task], check=True)
