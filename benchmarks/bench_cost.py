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


def median_ms(work: Callable[[int], object], repeats: int = REPEATS) -> tuple[float, float, float]:
    """Return minimum, median and maximum milliseconds of `work(k)`, k = 0, 1, ..."""
    times = []
    for k in range(repeats):
        began = time.perf_counter()
        work(k)
        times.append(1e3 * (time.perf_counter() - began))
    return min(times), statistics.median(times), max(times)


def started(statement: str) -> Callable[[int], object]:
    """Return work that runs a statement in a fresh interpreter."""
    return lambda k: subprocess.run([sys.executable, "-c", statement], check=True)


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
