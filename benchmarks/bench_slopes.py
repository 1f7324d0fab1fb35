"""What a million values more cost: CPU seconds and memory of each step of a forecast.

    python benchmarks/bench_slopes.py --values 100000 300000

Generated months, 100 per series, one thread. Each step is done for two numbers of values in
processes of their own, forked after the imports; the slope is the difference of the two costs over
that of the values, so that what a start costs is in neither. CPU seconds, because they do not
depend on what else a machine does, or only by its caches. Results: docs/scale.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from bench_partitions import write

from forecast import LSTMForecaster, PretrainedForecaster, ThetaForecaster, backtest
from forecast.data.frames import read_frames

LENGTH = 100
LEVELS = [k / 10 for k in range(1, 10)]


def steps(y: pd.DataFrame, folder: Path) -> dict[str, Callable[[], Any]]:
    """Return the steps by name; what one needs of another is made before."""
    last = y["ds"] == y["ds"].max()
    live = PretrainedForecaster(horizon=12).fit(y[~last])
    lstm = LSTMForecaster(horizon=12, max_epochs=1, n_estimators=1, random_state=0)
    return {
        "read a folder": lambda: read_frames(pd.read_parquet(folder)),
        "fit Theta, predict": lambda: ThetaForecaster(horizon=12).fit(y).predict(),
        "train an LSTM for an epoch": lambda: lstm.fit(y),
        "predict, pre-trained, nine quantiles": lambda: predicted(y),
        "backtest, pre-trained, ten origins": lambda: backtest(
            PretrainedForecaster(), y, 2, n_windows=10, step=1
        ),
        "update by a value, predict": lambda: live.update(y[last]).predict(1),
    }


def predicted(y: pd.DataFrame) -> pd.DataFrame:
    """Forecast a year with nine quantiles."""
    return PretrainedForecaster(horizon=12).fit(y).predict_quantiles(levels=LEVELS)


def cost(step: Callable[[], Any], told: Any) -> None:
    """Tell the CPU seconds of a step, and by how many MB it raised the peak."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    step()
    seconds = time.process_time() - began
    told.send((seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))


def forked(step: Callable[[], Any]) -> tuple[float, float]:
    """Return the cost of a step in a process of its own."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=cost, args=(step, there))
    process.start()
    found: tuple[float, float] = here.recv()
    process.join()
    return found


def rows(sizes: list[int]) -> Iterator[dict[str, Any]]:
    """Yield a row per step and size."""
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), size // LENGTH, LENGTH)
            y = pd.read_parquet(folder)
            for name, step in steps(y, Path(folder)).items():
                seconds, megabytes = forked(step)
                yield {"step": name, "values": size, "CPU seconds": seconds, "MB": megabytes}
                print(name, size, round(seconds, 2), round(megabytes), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, nargs=2, default=[100_000, 300_000])
    torch.set_num_threads(1)
    table = pd.DataFrame(rows(parser.parse_args().values)).set_index("step")
    first, second = (part for _, part in table.groupby("values"))
    slopes = (second - first).div(second["values"] - first["values"], axis=0) * 1e6
    print(slopes.drop(columns="values").add_suffix(" a million").round(1).to_string())
