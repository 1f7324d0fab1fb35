"""Peak memory of fitting a large panel: growth beyond the frame, in units of the frame's size."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
import warnings

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


def peak() -> float:
    """Return the largest memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str, n_series: int, length: int) -> None:
    """Fit one epoch to random walks; print the growth of the peak and the seconds."""
    import forecast

    kind, options = MODELS[name]
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    small = pd.DataFrame(np.random.default_rng(0).normal(size=(length, 8)).cumsum(0))
    # what is loaded on first use is no cost of the data
    getattr(forecast, kind)(horizon=24, max_epochs=1, **options).fit(small).predict()
    walks = np.random.default_rng(0).standard_normal((length, n_series), dtype=np.float32)
    frame = pd.DataFrame(np.cumsum(walks, axis=0, out=walks), copy=False)
    raw = frame.memory_usage(index=False).sum() / 2**20
    before, began = peak(), time.perf_counter()
    model = getattr(forecast, kind)(horizon=24, max_epochs=1, random_state=0, **options).fit(frame)
    seconds, fitted = time.perf_counter() - began, peak()
    model.predict()
    print(
        f"{name}: {n_series} x {length}, {raw:.0f} MB; fit +{fitted - before:.0f} MB "
        f"({(fitted - before) / raw:.1f} x), {seconds:.0f} s; predict +{peak() - fitted:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1], *map(int, sys.argv[2:]))
    else:
        for model in MODELS:
            subprocess.run([sys.executable, __file__, model, "20000", "500"], check=True)
