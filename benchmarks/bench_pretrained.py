"""What a forecast without training costs: CPU seconds, medians, one thread. Results: README.md."""

from __future__ import annotations

import resource
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from bench_cost import median_ms, started

from forecast import ForecastWarning, PretrainedForecaster

# what a user types after `python -c`
FIRST = """
import pandas as pd
from forecast import PretrainedForecaster
y = pd.read_csv({path!r}, index_col=0, parse_dates=True)["y"]
print(PretrainedForecaster().fit(y).predict(12))
"""


def cpu_seconds() -> float:
    """Return how long this process and those it waited for have computed."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def months(n_series: int, length: int) -> pd.DataFrame:
    """Return a wide frame of random walks with a season of twelve months."""
    rng = np.random.default_rng(0)
    walks = rng.normal(size=(length, n_series)).cumsum(0)
    waves = 5 * np.sin(2 * np.pi * (np.arange(length)[:, None] / 12 + rng.random(n_series)))
    return pd.DataFrame(100 + walks + waves, pd.date_range("2015", periods=length, freq="MS"))


def panel(y: pd.DataFrame) -> Callable[[int], object]:
    """Return fit and forecast of a panel, eighteen steps ahead."""
    return lambda k: PretrainedForecaster(horizon=18).fit(y).predict()


def streaming(seen: int) -> Callable[[int], object]:
    """Return `update` by one value and `predict` of one step after a history of `seen` months."""
    values = months(1, seen)[0]
    model = PretrainedForecaster().fit(values)
    times = pd.date_range(values.index[-1], periods=1000, freq="MS")[1:]

    def step(k: int) -> object:
        return model.update(pd.Series([100.0], times[k : k + 1])).predict(1)

    return step


def main() -> None:
    """Print one row per piece of work."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ForecastWarning)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.csv"
        months(1, 120)[0].rename_axis("ds").rename("y").to_csv(path)
        rows = {
            "new process: import torch": (started("import torch"), 5),
            "new process: CSV to printed forecast": (started(FIRST.format(path=str(path))), 5),
            "fit and forecast 1,000 x 120 months": (panel(months(1000, 120)), 3),
            "fit and forecast 10,000 x 120 months": (panel(months(10_000, 120)), 3),
            "update and predict(1) after 120": (streaming(120), 21),
            "update and predict(1) after 1,400": (streaming(1400), 21),
        }
        print(f"{'':38}{'min':>11}{'median':>11}{'max':>11}  ms of CPU")
        for name, (work, repeats) in rows.items():
            low, middle, high = median_ms(work, repeats, clock=cpu_seconds)
            print(f"{name:38}{low:11.1f}{middle:11.1f}{high:11.1f}", flush=True)


if __name__ == "__main__":
    main()
