"""AutoForecaster within a budget: M3, 25 panels, single and bundled series, beside its members.

    python benchmarks/accuracy_auto.py --part test

All have the default budget. The single series are those of `accuracy_single.py`, here forecast from
their last origin; of bundled sets only the values to forecast are used, no covariates. How members
are weighed was chosen on validation parts. Errors are in units of the seasonal naive forecast's.
Rows of `results/auto.csv` that are there are not run again; the tables are of all of them.
`--models "auto, 100 s"` lets networks take part, `--models Theta ETS` shows other members alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import accuracy_m3
import accuracy_panels
import accuracy_single
import pandas as pd
from accuracy_pretrained import geometric
from suites import Suite, main, newest

AUTO = Path(__file__).parent / "results" / "auto.csv"
MODELS = ("auto", "pre-trained")
BANDS = ["coverage0.5", "coverage0.8", "coverage0.9"]


def bare(y: pd.Series | pd.DataFrame) -> pd.Series | pd.DataFrame:
    """Return a set without its covariates."""
    return y[["unique_id", "ds", "y"]] if "unique_id" in y else y


BUNDLED = tuple(
    Suite(data, horizon, season, prepare=bare)
    for data, horizon, season in (
        ("hotel_nights", 24, 12),
        ("museum_visitors", 28, 7),
        ("office_power", 168, 24),
        ("pump_failures", 14, 1),
        ("shop_sales", 13, 52),
        ("spare_parts", 12, 12),
    )
)


def single() -> tuple[Suite, ...]:
    """Return the suites of one series, forecast from their last origin; loads what they draw."""
    suites = (*accuracy_single.named(), *accuracy_single.draw())
    return tuple(
        replace(suite, n_windows=1, step=None, label=f"{suite.name}, last origin")
        for suite in suites
    )


def table(rows: pd.DataFrame, suites: tuple[Suite, ...]) -> pd.DataFrame:
    """Return a row for each model: its errors, and those of the first on the same suites.

    Errors are geometric means, and the worst; a suite counts if the seasonal naive forecast errs.
    """
    rows = rows[rows["suite"].isin([suite.name for suite in suites])]
    errors = rows.assign(ratio=rows["mase"] / rows["naive_mase"])
    errors = errors[errors["ratio"].between(0, float("inf"), inclusive="neither")]
    first = errors[errors["model"] == MODELS[0]].set_index("suite")["ratio"]
    errors = errors.assign(beside=errors["suite"].map(first))
    by = errors.groupby("model", sort=False)
    found = by["ratio"].agg(suites="size", geometric=geometric, worst="max")
    found = found.join(by["beside"].agg(geometric).rename(f"{MODELS[0]} there"))
    return found.join(by[BANDS].mean()).join(by["fit_seconds"].max().rename("longest fit"))


if __name__ == "__main__":
    groups = (accuracy_m3.SUITES, accuracy_panels.SUITES, single(), BUNDLED)
    suites = [suite for group in groups for suite in group]
    scored = newest(AUTO, main(*suites, results=AUTO, models=MODELS))
    for group in groups:
        print(f"\n{table(scored, group).round(3).to_string()}", flush=True)
