"""AutoForecaster within its default budget: M3 and 46 single series, beside its members.

    python benchmarks/accuracy_auto.py --part test
    python benchmarks/accuracy_auto.py --part test --models "auto, 1 s"

The figures of the others are those of `accuracy_pretrained.py` and `accuracy_single.py`. How it
weighs was chosen on validation parts. Errors are in units of the seasonal naive forecast's. Rows of
`results/auto.csv` that are there are not run again; the tables are of all of them.
"""

from __future__ import annotations

from pathlib import Path

import accuracy_m3
import accuracy_single
import pandas as pd
from accuracy_pretrained import geometric
from suites import RESULTS, main, newest

MODEL = "auto"
AUTO = Path(__file__).parent / "results" / "auto.csv"
SINGLE = (*accuracy_single.named(), *accuracy_single.draw())
BANDS = ["coverage0.5", "coverage0.8", "coverage0.9"]


def beside(suites: tuple, own: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return the newest rows of all models on some suites, errors in units of seasonal naive."""
    rows = pd.concat([own, others], ignore_index=True)
    rows = rows[rows["suite"].isin([suite.name for suite in suites])]
    naive = dict(zip(own["suite"], own["naive_mase"], strict=True))
    rows = rows[rows["suite"].isin(naive)]
    return rows.assign(ratio=rows["mase"] / rows["suite"].map(naive).astype(float))


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each model: geometric mean and worst of its errors, coverage, seconds."""
    by = rows.groupby("model", sort=False)
    found = by["ratio"].agg(suites="size", geometric=geometric, worst="max")
    longest = by["cpu_seconds"].max().rename("longest")
    return found.join(by[BANDS].mean()).join(longest)


if __name__ == "__main__":
    part = main(*accuracy_m3.SUITES, *SINGLE, results=AUTO, models=(MODEL,))
    own = newest(AUTO, part)
    m3 = beside(accuracy_m3.SUITES, own, newest(RESULTS, part))
    print(m3.pivot_table("mase", "suite", "model", sort=False).round(3).to_string())
    single = beside(SINGLE, own, newest(accuracy_single.RESULTS, part))
    for rows in (m3, single):
        print(f"\n{table(rows).round(3).to_string()}")
