"""AutoForecaster within a budget: M3, and 46 single series, beside its members.

    python benchmarks/accuracy_auto.py --part test --suites m3_yearly m3_quarterly ...
    python benchmarks/accuracy_auto.py --part test --models "auto, 1 s" pre-trained Theta ETS

The first has the default budget. The single series are those of `accuracy_single.py`, here forecast
from their last origin. How members are weighed was chosen on validation parts. Errors are in units
of the seasonal naive forecast's. Rows of `results/auto.csv` that are there are not run again; the
tables are of all of them, and of those of M3 in `results/accuracy.csv`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import accuracy_m3
import accuracy_single
import pandas as pd
from accuracy_pretrained import geometric
from suites import RESULTS, Suite, main, newest

AUTO = Path(__file__).parent / "results" / "auto.csv"
SINGLE = tuple(
    replace(suite, n_windows=1, step=None, label=f"{suite.name}, last origin")
    for suite in (*accuracy_single.named(), *accuracy_single.draw())
)
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
    part = main(*accuracy_m3.SUITES, *SINGLE, results=AUTO, models=("auto",))
    own, others = newest(AUTO, part), newest(RESULTS, part)
    m3 = pd.concat([own, others[others["model"] == "pre-trained"]])
    for rows, suites in ((m3, accuracy_m3.SUITES), (own, SINGLE)):
        print(f"\n{table(rows, suites).round(3).to_string()}")
