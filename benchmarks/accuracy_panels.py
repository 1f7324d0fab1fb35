"""Twenty-five panels for which nothing was designed: parts, sums and cuts of catalogued sets.

Hourly to yearly, 1 to 1,428 series of 14 to 7,600 values, smooth and intermittent; the season may
be too long for the series. With `--models LSTM Theta ETS "seasonal naive"` it adds rows to
`results/accuracy.csv` and prints every error in units of the seasonal naive forecast's, with the
geometric mean over the panels that all models have forecast.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from suites import RESULTS, Suite, main, newest

BASE = "seasonal naive"


def some(y: pd.DataFrame, n: int, seed: int, last: int | None = None) -> pd.DataFrame:
    """Return n series of a long frame drawn at random, of each its last values."""
    ids = np.random.default_rng(seed).choice(y["unique_id"].unique(), n, replace=False)
    y = y[y["unique_id"].isin(ids)]
    return y if last is None else y[y.groupby("unique_id").cumcount(ascending=False) < last]


def sums(y: pd.DataFrame, k: int) -> pd.DataFrame:
    """Return sums of k values of each series of a long frame, the last ones whole."""
    back = y.groupby("unique_id").cumcount(ascending=False) // k
    sizes = y.groupby("unique_id")["y"].transform("size")
    y = y.assign(ds=sizes // k - back)
    return y[y["ds"] > 0].groupby(["unique_id", "ds"], as_index=False)["y"].sum(min_count=1)


def wide(y: Any, rule: str | None = None, last: int | None = None, how: str = "mean") -> Any:
    """Return a wide frame, resampled to whole periods, its last rows."""
    y = y.pivot_table("y", "ds", "unique_id") if "unique_id" in y else y
    y = y.astype(float)
    if rule:
        y = getattr(y.resample(rule), how)().iloc[1:-1]
    return y if last is None else y.iloc[-last:]


# data set, name, horizon, season, what is made of it
PANELS: list[tuple[str, str, int, int, Callable[[Any], Any]]] = [
    ("m3_monthly", "m3_monthly_12_series", 18, 12, partial(some, n=12, seed=0)),
    ("m3_monthly", "m3_monthly_12_others", 18, 12, partial(some, n=12, seed=7)),
    ("m3_monthly", "m3_monthly_50_series", 18, 12, partial(some, n=50, seed=8)),
    ("m3_monthly", "m3_monthly_as_quarters", 6, 4, partial(sums, k=3)),
    ("m3_quarterly", "m3_quarterly_12_series", 8, 4, partial(some, n=12, seed=0)),
    ("m3_quarterly", "m3_quarterly_12_others", 8, 4, partial(some, n=12, seed=7)),
    ("m3_quarterly", "m3_quarterly_50_series", 8, 4, partial(some, n=50, seed=8)),
    ("m3_yearly", "m3_yearly_15_series", 6, 1, partial(some, n=15, seed=7)),
    ("m3_yearly", "m3_yearly_50_series", 6, 1, partial(some, n=50, seed=8)),
    ("m4_hourly", "m4_hourly_10_short", 48, 24, partial(some, n=10, seed=0, last=400)),
    ("m4_hourly", "m4_hourly_15_series", 48, 24, partial(some, n=15, seed=1)),
    ("carparts", "carparts_60_series", 12, 12, partial(some, n=60, seed=0)),
    ("carparts", "carparts_as_quarters", 3, 4, lambda y: sums(some(y.fillna(0), 600, 0), 3)),
    ("nn3", "nn3", 18, 12, lambda y: y),
    ("pedestrian", "pedestrian_daily", 28, 7, partial(wide, rule="D")),
    ("pedestrian", "pedestrian_weekly", 8, 52, partial(wide, rule="W-SUN")),
    ("gefcom2012_load", "load_daily", 28, 7, partial(wide, rule="D")),
    ("gefcom2012_load", "load_400_days", 14, 7, partial(wide, rule="D", last=400)),
    ("gefcom2012_load", "load_weekly", 13, 52, partial(wide, rule="W-SUN")),
    ("etth2", "etth2_1500_hours", 24, 24, partial(wide, last=1500)),
    ("exchange_rate", "exchange_30_days", 30, 1, wide),
    ("exchange_rate", "exchange_weekly", 13, 1, partial(wide, rule="W-SUN", how="last")),
    ("national_illness", "illness", 24, 52, wide),
    ("us_gasoline", "gasoline", 52, 52, lambda y: y),
    ("macrodata", "macroeconomy", 8, 4, wide),
]
SUITES = tuple(
    Suite(data, horizon, season, label=name, prepare=prepare)
    for data, name, horizon, season, prepare in PANELS
)


def table(part: str) -> None:
    """Print the newest errors of the part that was asked for, relative to the seasonal naive."""
    rows = newest(RESULTS, part)
    rows = rows[rows["suite"].isin([name for _, name, *_ in PANELS])]
    for score in ("mase", "wql"):
        errors = rows.pivot_table(index="suite", columns="model", values=score, sort=False)
        ratio = errors.div(errors[BASE], axis=0).round(3)
        print(f"\n{score}\n{ratio.to_string()}")
        whole = ratio.dropna()
        print(f"geometric mean of {len(whole)}:", np.exp(np.log(whole).mean()).round(3).to_dict())
    print("\n80 % band", rows.groupby("model")["coverage0.8"].mean().round(3).to_dict())


if __name__ == "__main__":
    table(main(*SUITES))
