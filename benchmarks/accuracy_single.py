"""One series at a time: named ones of statsmodels, and thirty drawn from the panels.

    python benchmarks/accuracy_single.py --part test
    python benchmarks/accuracy_single.py --part test --models Theta ETS ARIMA

Every model is fitted anew at eight origins, an eighth of the horizon apart. Errors are in units of
the seasonal naive forecast's at the same origins. Of a drawn series only what comes before the test
part of its set is used, at most 1,000 values; `--part validation` leaves out one more horizon of
every series. Results: `results/single.csv`.
"""

from __future__ import annotations

import functools
import itertools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from accuracy_pretrained import CLASSIC, SUITES, geometric
from suites import BANDS, Suite, main, newest

import forecast

RESULTS = Path(__file__).parent / "results" / "single.csv"
ORIGINS, DRAWN = 8, 30
LONGEST = 1000  # values of a drawn series: ARIMA takes minutes for more
PANELS = [suite for suite in SUITES if suite not in CLASSIC]


def single(data: str, horizon: int, season_length: int, **options: Any) -> Suite:
    """Return the suite of one series."""
    step = max(horizon // ORIGINS, 1)
    return Suite(data, horizon, season_length, ORIGINS, step, refit=True, **options)


def column(y: pd.DataFrame, name: str) -> pd.Series:
    """Return one series of a wide frame."""
    return y[name]


def before_test(y: pd.DataFrame, panel: Suite, series: Any) -> pd.Series:
    """Return the last values of one series before the test part of its panel."""
    y = panel.prepare(y) if panel.prepare else y
    one = y[y["unique_id"] == series].set_index("ds")["y"] if "unique_id" in y else y[series]
    return one.iloc[: -(panel.test or panel.horizon)].iloc[-LONGEST:]


def draw(n: int = DRAWN, seed: int = 0) -> list[Suite]:
    """Draw a series of each panel in turn until there are n, none twice, all that `serves`."""
    rng = np.random.default_rng(seed)
    load = functools.cache(forecast.load_dataset)
    found: dict[str, Suite] = {}
    for panel in itertools.cycle(PANELS):
        y = load(panel.data)
        ids = y["unique_id"].unique() if "unique_id" in y else y.columns
        series = ids[rng.integers(len(ids))]
        if serves(before_test(y, panel, series).to_numpy(float), panel):
            name = f"{panel.data}: {series}"
            prepare = partial(before_test, panel=panel, series=series)
            one = (panel.data, panel.horizon, panel.season_length)
            found[name] = single(*one, label=name, prepare=prepare)
        if len(found) == n:
            return list(found.values())


def serves(values: np.ndarray, panel: Suite) -> bool:
    """Tell whether two seasons and eight values precede every origin, and what follows moves."""
    scored = values[-3 * panel.horizon :]
    fewest = max(2 * panel.season_length, 8) + len(scored)
    return len(values) >= fewest and bool(np.nanmax(scored) > np.nanmin(scored))


def named() -> list[Suite]:
    """Return the series that come with statsmodels."""
    return [
        single("elnino", 24, 12),
        single("co2", 52, 52),
        single("sunspots", 22, 1),
        single("nile", 10, 1),
        *(
            single(
                "macrodata", 8, 4, label=f"macrodata: {name}", prepare=partial(column, name=name)
            )
            for name in forecast.load_dataset("macrodata")
        ),
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row per model: error in units of the seasonal naive, its worst series, coverage."""
    rows = rows.assign(ratio=rows["mase"] / rows["naive_mase"])
    bands = [f"coverage{band}{place}" for place in ("", "_first", "_last") for band in BANDS]
    found = {}
    for model, own in rows.groupby("model", sort=False):
        worst = own.loc[own["ratio"].idxmax()]
        errors = {"series": len(own), "mean": own["ratio"].mean()}
        errors |= {"geometric": geometric(own["ratio"]), "worst": worst["ratio"]}
        seconds = {"cpu_seconds": own["cpu_seconds"].sum()}
        found[model] = errors | {"which": worst["suite"]} | own[bands].mean().to_dict() | seconds
    return pd.DataFrame.from_dict(found, orient="index")


if __name__ == "__main__":
    suites = [*named(), *draw()]
    scored = newest(RESULTS, main(*suites, results=RESULTS, models=("pre-trained",)))
    print(table(scored[scored["suite"].isin([suite.name for suite in suites])]).round(3).T)
