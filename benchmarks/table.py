"""Print what `results/accuracy.csv` holds of a part as a table: means over seeds, newest commit.

The panels of `accuracy_panels.py` are left out: that script prints its own table. Seconds are those
of the processor, where they were recorded.
"""

from __future__ import annotations

import argparse

import pandas as pd
from accuracy_panels import PANELS
from suites import RESULTS, newest

SCORES = {"owa": "OWA", "smape": "sMAPE", "mase": "MASE", "wql": "wQL", "coverage0.8": "80 % band"}


def main() -> None:
    """Print one line per suite and model, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    asked = parser.parse_args()
    rows = newest(RESULTS, asked.part)
    rows = rows[~rows["suite"].isin({name for _, name, *_ in PANELS})]
    print("| suite | model | seeds |", " | ".join(SCORES.values()), "| MSE | seconds |")
    print("|" + "---|" * (len(SCORES) + 5))
    for (suite, model), own in rows.groupby(["suite", "model"], sort=False):
        cells = [_mean(own[name]) if name in own else "" for name in SCORES]
        mse = _mean(own["mse"]) if suite.startswith("exchange") else ""
        seconds = f"{own['cpu_seconds'].fillna(own['seconds']).mean():.0f}"
        print(f"| {suite} | {model} | {len(own)} | {' | '.join(cells)} | {mse} | {seconds} |")


def _mean(scores: pd.Series) -> str:
    """Return the mean, and between brackets the lowest and the highest of several."""
    if scores.isna().all():
        return ""
    text = f"{scores.mean():.3f}"
    return text if len(scores) == 1 else f"{text} ({scores.min():.3f} to {scores.max():.3f})"


if __name__ == "__main__":
    main()
