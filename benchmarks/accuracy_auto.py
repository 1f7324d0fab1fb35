"""AutoForecaster within a budget: M3, 25 panels, and 46 single series, beside its members.

    python benchmarks/accuracy_auto.py --part test

M3 and the panels (`accuracy_panels.py`) have the default budget. The single series are those of
`accuracy_single.py`, here forecast from their last origin with a budget of one second. How members
are weighed was chosen on validation parts. Errors are in units of the seasonal naive forecast's.
Rows of `results/auto.csv` that are there are not run again; the tables are of all of them, and of
those of `results/accuracy.csv`. `--models Theta ETS` adds members.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import accuracy_m3
import accuracy_panels
import accuracy_single
import pandas as pd
from accuracy_pretrained import geometric
from suites import RESULTS, Suite, main, newest

AUTO = Path(__file__).parent / "results" / "auto.csv"
SINGLE = tuple(
    replace(suite, n_windows=1, step=None, label=f"{suite.name}, last origin")
    for suite in (*accuracy_single.named(), *accuracy_single.draw())
)
# What is run by default.
GROUPS = (
    (accuracy_m3.SUITES, ("auto",)),
    (SINGLE, ("auto, 1 s", "pre-trained")),
    (accuracy_panels.SUITES, ("auto", "pre-trained")),
)
MEMBERS = ("pre-trained", "Theta", "ETS")
BANDS = ["coverage0.5", "coverage0.8", "coverage0.9"]


def table(rows: pd.DataFrame, suites: tuple[Suite, ...]) -> pd.DataFrame:
    """Return a row for each model: geometric mean and worst of its errors, coverage, seconds.

    A suite counts if all models have forecast it, and if the seasonal naive forecast errs there.
    """
    rows = rows[rows["suite"].isin([suite.name for suite in suites])]
    naive = rows.groupby("suite")["naive_mase"].first()
    errors = rows.assign(ratio=rows["mase"] / rows["suite"].map(naive).astype(float))
    errors = errors[errors["ratio"].between(0, float("inf"), inclusive="neither")]
    shared = errors.groupby("suite")["model"].nunique()
    errors = errors[errors["suite"].isin(shared.index[shared == shared.max()])]
    by = errors.groupby("model", sort=False)
    found = by["ratio"].agg(suites="size", geometric=geometric, worst="max")
    return found.join(by[BANDS].mean()).join(by["cpu_seconds"].max().rename("longest"))


if __name__ == "__main__":
    for suites, models in GROUPS:
        part = main(*suites, results=AUTO, models=models)
        others = newest(RESULTS, part)
        rows = pd.concat([newest(AUTO, part), others[others["model"].isin(MEMBERS)]])
        rows = rows.drop_duplicates(["suite", "model"])
        print(f"\n{table(rows, suites).round(3).to_string()}", flush=True)
