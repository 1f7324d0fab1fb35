"""What many series cost, part by part: seconds, CPU seconds and peak memory of a run.

    python benchmarks/bench_partitions.py --series 20000 --length 100 --jobs 1 2

Generated months as a folder of parquet files, forecast without training twelve steps ahead with
nine quantiles into another folder. Every run is a process of its own. Its memory is looked at twice
a second (Linux): that of its largest process, and that of all together, in which pages that several
share count once. Results: docs/scale.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

ROWS_PER_FILE = 2_000_000
RUN = """
import sys
from forecast import Partitioned, PretrainedForecaster
data, output, jobs, size = sys.argv[1:]
model = PretrainedForecaster(horizon=12)
levels = [k / 10 for k in range(1, 10)]
parts = Partitioned(model, n_jobs=int(jobs), part_size=int(size))
parts.predict(data, levels=levels, output=output)
"""


def write(folder: Path, n_series: int, length: int) -> None:
    """Write random walks with a season of twelve months, some thousand series per file."""
    rng, months = np.random.default_rng(0), pd.date_range("2010", periods=length, freq="MS")
    wave = np.sin(2 * np.pi * np.arange(length) / 12)
    step = max(ROWS_PER_FILE // length, 1)
    for first in range(0, n_series, step):
        n = min(step, n_series - first)
        walks = 100 + rng.normal(size=(n, length)).cumsum(1) + 5 * rng.random((n, 1)) * wave
        ids = pd.Categorical.from_codes(
            np.repeat(np.arange(n), length), [f"series {first + k}" for k in range(n)]
        )
        rows = pd.DataFrame({"unique_id": ids.astype(str), "ds": np.tile(months, n)})
        rows.assign(y=walks.ravel()).to_parquet(folder / f"{first}.parquet", index=False)


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that it started, directly or not."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from family(int(child))


def megabytes(pid: int) -> float:
    """Return the memory of a process; of what it shares, its share."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def watched(run: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Wait for a run; return the most memory of one of its processes, and of all, in MB."""
    largest = together = 0.0
    while run.poll() is None:
        with contextlib.suppress(OSError):  # a process has just ended
            sizes = [megabytes(pid) for pid in family(run.pid)]
            largest, together = max(largest, *sizes), max(together, sum(sizes))
        time.sleep(0.5)
    return largest, together


def measured(data: Path, jobs: int, part_size: int) -> dict[str, float]:
    """Run once and return what it took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-c", RUN, str(data), output, str(jobs), str(part_size)]
        run = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
        largest, together = watched(run)
        assert run.returncode == 0
        seconds = time.perf_counter() - began
        rows = sum(len(pd.read_parquet(file)) for file in Path(output).glob("*.parquet"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(getattr(after, name) - getattr(before, name) for name in ("ru_utime", "ru_stime"))
    sizes = {"MB of the largest": largest, "MB together": together}
    return {"seconds": seconds, "CPU seconds": cpu, **sizes, "rows": rows}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=20_000)
    parser.add_argument("--length", type=int, default=100)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--part-size", type=int, default=200_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), asked.series, asked.length)
        found = {jobs: measured(Path(folder), jobs, asked.part_size) for jobs in asked.jobs}
    print(pd.DataFrame.from_dict(found, orient="index").rename_axis("jobs").round(1).to_string())
