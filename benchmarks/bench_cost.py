"""What importing, streaming and forecasting cost; medians, one thread. Results: README.md."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from forecast import ForecastWarning, LSTMForecaster

REPEATS = 21


def median_ms(
    work: Callable[[int], object],
    repeats: int = REPEATS,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float, float]:
    """Return minimum, median and maximum milliseconds of `work(k)`, k = 0, 1, ..., by a clock."""
    times = []
    for k in range(repeats):
        began = clock()
        work(k)
        times.append(1e3 * (clock() - began))
    return min(times), statistics.median(times), max(times)


def started(statement: str) -> Callable[[int], object]:
    """Return work that runs a statement in a fresh interpreter; what it prints is not shown."""
    words = [sys.executable, "-c", statement]
    return lambda k: subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def streaming(seen: int) -> tuple[Callable[[int], object], Callable[[int], object]]:
    """Return `update` by one value and `predict` of one step after a history of `seen` values."""
    rng = np.random.default_rng(0)
    model = LSTMForecaster(horizon=8, season_length=1, max_epochs=1, random_state=0)
    model.fit(pd.Series(rng.normal(size=100).cumsum()))
    model.update(pd.Series(rng.normal(size=seen), range(100, 100 + seen)))
    model.update(pd.Series([0.1], [100 + seen]))  # the first small update warms up
    after = 101 + seen
    return (
        lambda k: model.update(pd.Series([0.1], [after + k])),
        lambda k: model.predict(1),
    )


def main() -> None:
    """Print one row per piece of work."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ForecastWarning)  # a random walk: of course naive is as good
    rows = {
        "start Python": started("pass"),
        "start Python, import forecast": started("import forecast"),
    }
    for seen in (100, 10_000, 1_000_000):
        update, predict = streaming(seen)
        rows[f"update by one value after {seen:,}"] = update
        rows[f"predict one step after {seen:,}"] = predict
    print(f"{'':38}{'min':>9}{'median':>9}{'max':>9}  ms")
    for name, work in rows.items():
        low, middle, high = median_ms(work, 7 if "Python" in name else REPEATS)
        print(f"{name:38}{low:9.2f}{middle:9.2f}{high:9.2f}")


if __name__ == "__main__":
    main()
