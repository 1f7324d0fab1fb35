"""Leave each ingredient of the default recipe out once: one LSTM, one seed, validation parts.

`python benchmarks/ablation.py` adds what is missing in `results/ablation.csv` and prints the table:
by how many per cent an error grows without the ingredient.
"""

from __future__ import annotations

import argparse
import contextlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
from suites import Suite, record

import forecast

RESULTS = Path(__file__).parent / "results" / "ablation.csv"
# the suite, and the score that it is judged by
SUITES = {
    "m4_hourly": (Suite("m4_hourly", 48, 24, owa=True), "owa"),
    "m3_quarterly": (Suite("m3_quarterly", 8, 4), "mase"),
    "m3_monthly": (Suite("m3_monthly", 18, 12), "mase"),
    "carparts": (Suite("carparts", 12, 12), "wql"),
}


def replaced(place: str, value: Any) -> Callable[[], Any]:
    """Return what replaces a name of the package for the time of one run."""
    return lambda: patch(f"forecast.{place}", value)


# What is left out: parameters, and a name of the package that is replaced.
LEFT_OUT: dict[str, tuple[dict[str, Any], Callable[[], Any]]] = {
    "nothing": ({}, contextlib.nullcontext),
    "averaged weights": ({}, replaced("engine.training.EMA_DECAY", 0.0)),
    "falling rate": ({}, replaced("engine.training.schedule", lambda progress: 1.0)),
    "the unit of MASE": ({}, replaced("engine.model.WEIGHT_RANGE", (1.0, 1.0))),
    "the ends of most series": ({}, replaced("data.held_out.MANY", 10**9)),
    "seasonal templates": (
        {},
        replaced("forecasters.neural.recipe.template_lags", lambda seasons, reach: ()),
    ),
    "several cycles": (
        {},
        replaced("forecasters.neural.recipe.template_lags", lambda seasons, reach: tuple(seasons)),
    ),
    "second layer": ({"num_layers": 1}, contextlib.nullcontext),
    "residual": ({"residual": False}, contextlib.nullcontext),
    "weight decay": ({"weight_decay": 0.0}, contextlib.nullcontext),
    "clipping": ({"clip_norm": None}, contextlib.nullcontext),
    "support": ({}, replaced("engine.support.REACHED", 2.0)),
    "half the epochs": ({"max_epochs": 30}, contextlib.nullcontext),
    "nothing; three networks": ({"n_estimators": 3}, contextlib.nullcontext),
    "nothing; five networks": ({"n_estimators": 5}, contextlib.nullcontext),
}
# The others have nothing of the kind: no patches, no zeros.
ONLY = {"second layer": "m4_hourly", "residual": "m4_hourly", "support": "carparts"}


def main() -> None:
    """Run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=list(SUITES))
    asked = parser.parse_args()
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    rows = pd.read_csv(RESULTS) if RESULTS.exists() else pd.DataFrame(columns=["suite", "without"])
    done = set(zip(rows["suite"], rows["without"], strict=True))
    for name in asked.suites:
        suite, _ = SUITES[name]
        for without, (parameters, change) in LEFT_OUT.items():
            if (name, without) in done or ONLY.get(without, name) != name:
                continue
            options: dict[str, Any] = {"n_estimators": 1, "random_state": 0} | parameters
            with change():
                scores = suite.score(
                    forecast.LSTMForecaster(horizon=suite.horizon, **options), "validation"
                )
            record(RESULTS, {"suite": name, "without": without} | scores)
    table = pd.read_csv(RESULTS).set_index(["without", "suite"])
    known = set(table.index.get_level_values("suite"))
    table = pd.DataFrame(
        {
            name: table[score].xs(name, level=1)
            for name, (_, score) in SUITES.items()
            if name in known
        }
    )
    growth = (100 * (table / table.loc["nothing"] - 1)).round(1)
    print(growth.reindex(list(LEFT_OUT)).to_string())


if __name__ == "__main__":
    main()
