"""What bands of 80 % hold by when they were drawn: macroeconomic series, short ones, M3's years.

    python benchmarks/coverage_by_origin.py --models Theta ETS
    python benchmarks/coverage_by_origin.py --models MLP LSTM --sets short

The twelve series of statsmodels' macroeconomy are forecast eight quarters ahead from the third
quarter of every other year, each by models that are fitted anew; M3's years from one and two
horizons before their test part; short drawn ones from the last three, as far as they reach. What
was held in the test parts is not measured here: it stands in `results/auto.csv` and
`results/accuracy.csv`. Rows are in `results/coverage_by_origin.csv`.
"""

from __future__ import annotations

import argparse
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
DRAWN, SHORT, MARGIN = 90, 150, 4  # series; values of a short one; and before its first origin
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


def by_years(name: str) -> Iterator[dict[str, Any]]:
    """Yield what the bands of the macroeconomy hold, a row for each year of origin."""
    parts = [held(suite, suite.history("validation"), name) for suite in macroeconomy()]
    found = pd.concat(parts)
    for year, own in found.groupby(found["origin"].dt.year)["held"]:
        yield {"origin": year, "held": own.mean()}


def by_horizons(name: str) -> Iterator[dict[str, Any]]:
    """Yield what the bands of M3's years hold, by how many values follow the origin."""
    yearly = next(suite for suite in accuracy_m3.SUITES if suite.name == "m3_yearly")
    for back in (1, 2):
        suite = replace(yearly, test=back * yearly.horizon)
        y = long_enough(suite.history("validation"), yearly.horizon + SHORTEST)
        origin = -(back + 1) * yearly.horizon
        yield {"origin": origin, "held": held(suite, y, name)["held"].mean()}


def of_short(name: str) -> Iterator[dict[str, Any]]:
    """Yield what the bands of short series alone hold, by horizons from the origin to the end."""
    parts = []
    for suite in accuracy_single.draw(DRAWN):
        y = suite.history("validation")
        reach = len(y) - max(2 * suite.season_length, SHORTEST) - MARGIN
        if len(y) + suite.horizon <= SHORT and reach >= suite.horizon:
            rolled = replace(suite, n_windows=min(reach // suite.horizon, 3), step=suite.horizon)
            own = held(rolled, y, name).groupby("origin")["held"].mean().iloc[::-1]
            parts.append(own.reset_index(drop=True))
    found = pd.concat(parts, axis=1)
    for back, own in found.iterrows():
        error = own.std() / own.count() ** 0.5
        yield {"origin": -2 - back, "held": own.mean(), "se": error, "series": own.count()}


SETS = {"macroeconomy": by_years, "m3_yearly": by_horizons, "short": of_short}


def main() -> None:
    """Count what the command line asks for; print all that is known."""
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=NAMES)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    asked = parser.parse_args()
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    for kind in asked.sets:
        for name in asked.models:
            rows = pd.DataFrame({"set": kind, "model": name, **row} for row in SETS[kind](name))
            known = pd.read_csv(RESULTS)
            known = known[(known["set"] != kind) | (known["model"] != name)]
            pd.concat([known, rows.round(4)]).to_csv(RESULTS, index=False)
    for kind, own in pd.read_csv(RESULTS).groupby("set", sort=False):
        print(f"\n{kind}\n{own.pivot_table('held', 'origin', 'model').round(2)}")


if __name__ == "__main__":
    main()
