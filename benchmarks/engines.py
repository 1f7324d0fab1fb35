"""How much faster two workers of a local dask cluster are than one process, on two idle cores.

    python benchmarks/engines.py --series 20000 --length 60 --pairs 3

Generated months as a frame: a forecast of twelve steps with nine quantiles, and a backtest from ten
origins, without training. The cluster stands, and each worker has worked once, before time is
taken. One run in one process and one on the cluster make a pair; the ratio of their wall times is
shown for every pair. Needs dask and distributed. Results: docs/scale.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import dask
import joblib
import numpy as np
import pandas as pd
import torch
from distributed import Client, LocalCluster

from forecast import Partitioned, PretrainedForecaster

# dask's workers hand memory back at every chance (MALLOC_TRIM_THRESHOLD_), and get it anew page by
# page: that doubles the CPU seconds of this work.
dask.config.set({"distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1}})
LEVELS = [k / 10 for k in range(1, 10)]


def panel(n_series: int, length: int) -> pd.DataFrame:
    """Return random walks with a season of twelve months."""
    rng, months = np.random.default_rng(0), pd.date_range("2010", periods=length, freq="MS")
    wave = np.sin(2 * np.pi * np.arange(length) / 12)
    walks = 100 + rng.normal(size=(n_series, length)).cumsum(1) + 5 * wave
    ids = np.char.add("series ", np.arange(n_series).astype(str))
    times = {"unique_id": np.repeat(ids, length), "ds": np.tile(months, n_series)}
    return pd.DataFrame(times | {"y": walks.ravel()})


def seconds(work: Callable[[], pd.DataFrame]) -> float:
    """Return the wall time of one run."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(n_series: int, length: int, pairs: int) -> None:
    """Time pairs of runs, one after the other, and print them."""
    y, small = panel(n_series, length), panel(400, length)
    parts = Partitioned(PretrainedForecaster(horizon=12), part_size=n_series * length // 8)
    works: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "predict": lambda y: parts.predict(y, levels=LEVELS),
        "backtest": lambda y: parts.backtest(y, 12, n_windows=10, step=1),
    }
    torch.set_num_threads(1)  # one core, as each worker has
    rows = []
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with Client(cluster):
            for name, work in works.items():
                for pair in range(-1, pairs):  # the first warms up
                    table = small if pair < 0 else y
                    one = seconds(lambda: work(table))  # noqa: B023
                    with joblib.parallel_config(backend="dask", n_jobs=2):
                        two = seconds(lambda: work(table))  # noqa: B023
                    rows += [(name, pair, one, two, one / two)] * (pair >= 0)
    print(pd.DataFrame(rows, columns=["work", "pair", "one", "two", "ratio"]).round(2).to_string())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=20_000)
    parser.add_argument("--length", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=3)
    asked = parser.parse_args()
    main(asked.series, asked.length, asked.pairs)
