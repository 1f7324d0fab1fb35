"""Peak memory of fitting a large panel: growth beyond the frame, in units of the frame's size."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

MODELS = {
    "MLP 2x128": (
        "MLPForecaster",
        {"hidden_size": 128, "num_layers": 2, "batch_size": 128, "n_estimators": 1},
    ),
    "LSTM 1x64": (
        "LSTMForecaster",
        {"hidden_size": 64, "num_layers": 1, "batch_size": 128, "n_estimators": 1},
    ),
}


def held(what: str) -> float:
    """Return the memory this process holds (VmRSS) or has held at most (VmHWM), in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) / 1024


def long(wide: pd.DataFrame) -> pd.DataFrame:
    """Return a wide frame as a long one, hourly."""
    length, n_series = wide.shape
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(n_series), length),
            "ds": np.tile(pd.date_range("2020-01-01", periods=length, freq="h"), n_series),
            "y": wide.to_numpy().T.ravel(),
        }
    )


def measure(name: str, n_series: int, length: int, layout: str) -> None:
    """Fit one epoch to random walks; print the growth of the peak and the seconds."""
    import forecast

    kind, options = MODELS[name]
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    small = pd.DataFrame(np.random.default_rng(0).normal(size=(length, 8)).cumsum(0))
    # what is loaded on first use is no cost of the data
    for warm_up in [small, long(small)] if layout == "long" else [small]:
        getattr(forecast, kind)(horizon=24, max_epochs=1, **options).fit(warm_up).predict()
    walks = np.random.default_rng(0).standard_normal((length, n_series), dtype=np.float32)
    frame = pd.DataFrame(np.cumsum(walks, axis=0, out=walks), copy=False)
    if layout == "long":
        frame = long(frame)
    raw = frame.memory_usage(index=False).sum() / 2**20
    # Linux forgets the peak, which making the frame had raised
    Path("/proc/self/clear_refs").write_text("5")
    before, began = held("VmRSS"), time.perf_counter()
    model = getattr(forecast, kind)(horizon=24, max_epochs=1, random_state=0, **options).fit(frame)
    seconds, fitted = time.perf_counter() - began, held("VmHWM")
    model.predict()
    predicted = held("VmHWM")
    print(
        f"{name}, {layout}: {n_series} x {length}, {raw:.0f} MB; fit +{fitted - before:.0f} MB "
        f"({(fitted - before) / raw:.1f} x), {seconds:.0f} s; predict +{predicted - fitted:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    else:
        for model in MODELS:
            for sizes in (["20000", "500", "wide"], ["20000", "500", "long"]):
                subprocess.run([sys.executable, __file__, model, *sizes], check=True)
        subprocess.run([sys.executable, __file__, "LSTM 1x64", "200000", "100", "wide"], check=True)
