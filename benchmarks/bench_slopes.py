"""What a million values more cost: CPU seconds and memory of each step of a forecast.

    python benchmarks/bench_slopes.py --values 100000 300000

Generated months, 100 per series, one thread. Each step is done for two numbers of values, in a
process of its own that prepares it first; the slope is the difference of the two costs over that of
the values, so that what a start costs is in neither. CPU seconds, because they do not depend on
what else a machine does, or only by its caches. Memory is the most that the process holds during
the step (Linux), its data included: what earlier work left free is not counted as a gain. Results:
docs/scale.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from bench_memory import held
from bench_partitions import write

from forecast import LSTMForecaster, PretrainedForecaster, ThetaForecaster, backtest
from forecast.data.frames import read_frames

LENGTH = 100
LEVELS = [k / 10 for k in range(1, 10)]


def read(folder: Path) -> Callable[[], Any]:
    """Prepare reading a folder."""
    return lambda: read_frames(pd.read_parquet(folder))


def theta(folder: Path) -> Callable[[], Any]:
    """Prepare fitting Theta and forecasting a year."""
    y = pd.read_parquet(folder)
    return lambda: ThetaForecaster(horizon=12).fit(y).predict()


def train(folder: Path) -> Callable[[], Any]:
    """Prepare an epoch of training."""
    model = LSTMForecaster(horizon=12, max_epochs=1, n_estimators=1, random_state=0)
    return partial(model.fit, pd.read_parquet(folder))


def predict(folder: Path) -> Callable[[], Any]:
    """Prepare forecasting a year with nine quantiles."""
    y = pd.read_parquet(folder)
    return lambda: PretrainedForecaster(horizon=12).fit(y).predict_quantiles(levels=LEVELS)


def score(folder: Path) -> Callable[[], Any]:
    """Prepare forecasts from ten origins."""
    y = pd.read_parquet(folder)
    return lambda: backtest(PretrainedForecaster(), y, 2, n_windows=10, step=1)


def update(folder: Path) -> Callable[[], Any]:
    """Prepare a value more of every series."""
    y = pd.read_parquet(folder)
    last = y["ds"] == y["ds"].max()
    live = PretrainedForecaster(horizon=12).fit(y[~last])
    return lambda: live.update(y[last]).predict(1)


STEPS = {
    "read a folder": read,
    "fit Theta, predict": theta,
    "train an LSTM for an epoch": train,
    "predict, pre-trained, nine quantiles": predict,
    "backtest, pre-trained, ten origins": score,
    "update by a value, predict": update,
}


def cost(name: str, folder: Path, told: Connection) -> None:
    """Tell the CPU seconds of a step, and the most MB held during it."""
    torch.set_num_threads(1)
    step = STEPS[name](folder)
    # Linux forgets the peak, which preparing the step had raised
    Path("/proc/self/clear_refs").write_text("5")
    began = time.process_time()
    step()
    told.send((time.process_time() - began, held("VmHWM")))


def measured(name: str, folder: Path) -> tuple[float, float]:
    """Return the cost of a step in a process of its own."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=cost, args=(name, folder, there))
    process.start()
    there.close()  # so that a process that fails is no endless wait
    found: tuple[float, float] = here.recv()
    process.join()
    return found


def rows(sizes: list[int]) -> Iterator[dict[str, Any]]:
    """Yield a row per step and size."""
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), size // LENGTH, LENGTH)
            for name in STEPS:
                seconds, megabytes = measured(name, Path(folder))
                yield {"step": name, "values": size, "CPU seconds": seconds, "MB": megabytes}
                print(name, size, round(seconds, 2), round(megabytes), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, nargs=2, default=[100_000, 300_000])
    table = pd.DataFrame(rows(parser.parse_args().values)).set_index("step")
    first, second = (part for _, part in table.groupby("values"))
    slopes = (second - first).div(second["values"] - first["values"], axis=0) * 1e6
    print(slopes.drop(columns="values").add_suffix(" a million").round(1).to_string())
