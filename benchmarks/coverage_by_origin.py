"""What bands of 80 % hold by when they were drawn: one macroeconomic series at a time, M3's years.

    python benchmarks/coverage_by_origin.py

The twelve series of statsmodels' macroeconomy are forecast eight quarters ahead from the third
quarter of every other year, each by models that are fitted anew; M3's years from one and two
horizons before their test part. What was held in the test parts is not measured here: it stands in
`results/auto.csv` and `results/accuracy.csv`. Rows are in `results/coverage_by_origin.csv`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import accuracy_m3
import accuracy_single
import pandas as pd
from limits_of_weights import long_enough
from suites import MODELS, Suite

import forecast

RESULTS = Path(__file__).parent / "results" / "coverage_by_origin.csv"
NAMES = ("auto", "pre-trained", "Theta", "ETS")
ORIGINS = 14
SHORTEST = 8  # values before an origin
BAND = [0.1, 0.5, 0.9]


def macroeconomy() -> tuple[Suite, ...]:
    """Return a suite of each series, with origins up to the test part, a horizon apart."""
    return tuple(
        replace(suite, n_windows=ORIGINS, step=suite.horizon)
        for suite in accuracy_single.named()
        if suite.data == "macrodata"
    )


def held(suite: Suite, y: Any, name: str) -> pd.DataFrame:
    """Return the origin of every forecast value, and whether the band holds what came."""
    table = suite.table(MODELS[name](horizon=suite.horizon), y, BAND)
    return pd.DataFrame(
        {"origin": table["cutoff"], "held": table["y"].between(table["q0.1"], table["q0.9"])}
    )


def by_years() -> Iterator[dict[str, Any]]:
    """Yield what the bands of the macroeconomy hold, a row for each model and year of origin."""
    for name in NAMES:
        parts = [held(suite, suite.history("validation"), name) for suite in macroeconomy()]
        found = pd.concat(parts)
        for year, own in found.groupby(found["origin"].dt.year)["held"]:
            yield {"set": "macroeconomy", "model": name, "origin": year, "held": own.mean()}


def by_horizons() -> Iterator[dict[str, Any]]:
    """Yield what the bands of M3's years hold, by how many values follow the origin."""
    yearly = next(suite for suite in accuracy_m3.SUITES if suite.name == "m3_yearly")
    for back in (1, 2):
        suite = replace(yearly, test=back * yearly.horizon)
        y = long_enough(suite.history("validation"), yearly.horizon + SHORTEST)
        for name in NAMES:
            share = held(suite, y, name)["held"].mean()
            origin = -(back + 1) * yearly.horizon
            yield {"set": yearly.name, "model": name, "origin": origin, "held": share}


if __name__ == "__main__":
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    found = pd.DataFrame([*by_years(), *by_horizons()])
    found.round(4).to_csv(RESULTS, index=False)
    for name, own in found.groupby("set", sort=False):
        print(f"\n{name}\n{own.pivot_table('held', 'origin', 'model').round(2)}")
