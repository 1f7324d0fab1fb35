"""What importing, streaming and forecasting cost; medians, one thread. Results: README.md."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import torch

from forecast import ForecastWarning

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


def main() -> None:
    """Print one row per piece of work."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ForecastWarning)  # a random walk: of course naive is as good
    rows = {
        "start Python": started("pass"),
        "start Python, import forecast": started("import forecast"),
    }
    print(f"{'':38}{'min':>9}{'median':>9}{'max':>9}  ms")
    for name, work in rows.items():
        low, middle, high = median_ms(work, 7 if "Python" in name else REPEATS)
        print(f"{name:38}{low:9.2f}{middle:9.2f}{high:9.2f}")


if __name__ == "__main__":
    main()
