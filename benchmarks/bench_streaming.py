"""What a new value and a backtest cost; paired medians, one thread. Results: README.md.

The histories are served in turn, a value each, so that whatever else the machine does meets all of
them alike: the ratio to the shortest is the median of the ratios of the rounds.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

from forecast import ForecastWarning, LSTMForecaster, MLPForecaster
from forecast.forecasters.neural.base import NeuralForecaster

ROUNDS = 100
HOURS = pd.date_range("1900-01-01", periods=1_000_000 + ROUNDS + 1, freq="h")


def fitted(
    kind: type[NeuralForecaster], seen: int, n_series: int, horizon: int = 24
) -> NeuralForecaster:
    """Return a forecaster that was fitted to 1,000 hours at most and has seen so many of them."""
    day = 5 * np.sin(np.arange(seen) * np.pi / 12)[:, None]
    noise = np.random.default_rng(0).normal(size=(seen, n_series))
    y = pd.DataFrame(day + noise, HOURS[:seen]).rename(columns=str)
    return kind(horizon=horizon, max_epochs=1, random_state=0).fit(y[-1000:]).apply(y)


def step(model: NeuralForecaster, seen: int, n_series: int) -> Callable[[int], object]:
    """Return the work of absorbing the k-th new hour, which is there, and forecasting the next."""
    columns = pd.Index([str(i) for i in range(n_series)])
    times = HOURS[seen : seen + ROUNDS + 1]
    come = pd.DataFrame(0.1, times, columns)
    hours = [come[k : k + 1] for k in range(len(come))]

    def work(k: int) -> object:
        return model.update(hours[k]).predict(1)

    return work


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds of the processor that some work takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def show(name: str, times: Sequence[float]) -> None:
    """Print the least and the median of some times."""
    print(f"{name:60}{1e3 * min(times):10.2f}{1e3 * statistics.median(times):10.2f} ms", flush=True)


def main() -> None:
    """Print one row per history, then one per backtest."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ForecastWarning)
    cases = [(100, 1), (10_000, 1), (1_000_000, 1), (1_000, 100)]
    for kind in (LSTMForecaster, MLPForecaster):
        works = [step(fitted(kind, *case), *case) for case in cases]
        for work in works:
            work(0)  # the first reads the history once more, for the other phases
        times = np.array(
            [[seconds(lambda: work(k)) for work in works] for k in range(1, ROUNDS)]  # noqa: B023
        )
        for (seen, n), own in zip(cases, times.T, strict=True):
            name = f"{kind.__name__}: update and predict(1), {n} x {seen:,}"
            show(f"{name} ({statistics.median(own / times[:, 0]):.2f} x)", own)
        y = pd.Series(np.sin(np.arange(6_000) * np.pi / 12), HOURS[:6_000])
        for n_origins, between in ((200, 24), (1000, 1)):
            origins = 6_000 - 24 - between * np.arange(n_origins)[::-1, None]
            model = kind(horizon=24, max_epochs=1, random_state=0).fit(y[: origins[0, 0]])
            own = [
                seconds(lambda: model.predict_at(y, origins=origins, horizon=24))  # noqa: B023
                for _ in range(7)
            ]
            show(f"{kind.__name__}: 24 steps from {n_origins:,} origins", own)


if __name__ == "__main__":
    main()
