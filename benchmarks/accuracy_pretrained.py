"""The pre-trained network on every catalogued set, without training, beside its rivals.

    python benchmarks/accuracy_pretrained.py --part test
    python benchmarks/accuracy_pretrained.py --part test --told
    python benchmarks/accuracy_pretrained.py --part test --told --models Theta ETS

Whole parts, one set of weights; of M4 yearly and the long sets Theta and ETS forecast evenly spread
samples. Every model's error is in units of that of the seasonal naive forecast of the same series.
Without `--told` a model has to find the season where time is whole numbers. Rows of
`results/accuracy.csv` that are there are not run again; the tables are of all of them.
"""

from __future__ import annotations

from functools import partial

import accuracy_carparts
import accuracy_load
import accuracy_m3
import accuracy_m4
import numpy as np
import pandas as pd
from suites import BANDS, RESULTS, TOLD, Suite, main, newest

MODEL = "pre-trained"
RIVALS = ("Theta", "ETS", "LSTM", "RNN", "MLP")


def first(y: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the first rows: what the protocol of a set uses."""
    return y.iloc[:n]


CLASSIC = (
    Suite("air_passengers", 24, 12),
    Suite("sunspots_monthly", 96, 1),
    Suite("melbourne_min_temp", 365, 365),
    Suite("aus_beer", 8, 4),
    Suite("wine_industry", 24, 12),
    Suite("wool_yarn", 8, 4),
    Suite("milk", 24, 12),
    Suite("us_gasoline", 52, 52),
    Suite("taxi_new_york", 336, 48),
    Suite("taylor_demand", 336, 48),
    Suite("lynx", 14, 1),
)
SUITES = (
    *accuracy_m3.SUITES,
    *accuracy_m4.SUITES,
    Suite("nn3", 18, 12),
    *accuracy_carparts.SUITES,
    *accuracy_load.SUITES,
    Suite("etth1", 96, 24, n_windows=30, test=2880, prepare=partial(first, n=14_400), sample=2),
    Suite("etth2", 96, 24, n_windows=30, test=2880, prepare=partial(first, n=14_400), sample=2),
    Suite("exchange_rate", 30, 1, n_windows=50, test=1517),
    Suite("national_illness", 24, 52, n_windows=8, test=193),
    *CLASSIC,
)


def relative(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row per set and model: means over seeds, errors in units of the seasonal naive.

    Rows that do not say how the seasonal naive forecast does are of whole sets: there it is what
    another whole row says. The classic series are one set, by geometric means of their errors.
    """
    rows = rows[rows["suite"].isin([suite.name for suite in SUITES])]
    whole = rows[rows["model"].isin([MODEL, MODEL + TOLD])].drop_duplicates("suite")
    whole = whole.set_index("suite")
    for score in ("mase", "wql"):
        naive = rows[f"naive_{score}"].fillna(rows["suite"].map(whole[f"naive_{score}"]))
        rows = rows.assign(**{f"relative_{score}": rows[score] / naive})
    classic = rows["suite"].isin([suite.name for suite in CLASSIC])
    rows = rows.assign(set=rows["suite"].mask(classic, "classic"))
    numbers = list(rows.select_dtypes("number").columns)
    one_each = rows.groupby(["set", "suite", "model"], sort=False)[numbers].mean()
    by = one_each.groupby(["set", "model"], sort=False)
    ratios = ["relative_mase", "relative_wql"]
    counts = ["n_series", "seconds", "cpu_seconds"]
    found = by.mean().assign(**by[counts].sum(min_count=1))
    return found.assign(**by[ratios].agg(geometric))


def geometric(values: pd.Series | pd.DataFrame) -> pd.Series | float:
    """Return the geometric mean, of each column.

    Examples
    --------
    >>> float(geometric(pd.Series([0.5, 2.0])))
    1.0
    """
    return np.exp(np.log(values).mean())


def table(rows: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return what a model did on every set, then geometric means of errors, means and sums."""
    own = rows.xs(model, level="model")
    bands = [f"coverage{band}{place}" for place in ("", "_first", "_last") for band in BANDS]
    columns = ["n_series", "mase", "naive_mase", "relative_mase", "wql", "relative_wql", *bands]
    own = own[[*columns, "cpu_seconds"]]
    means = {name: geometric(own[name]) for name in ("relative_mase", "relative_wql")}
    means |= own[bands].mean().to_dict() | own[["n_series", "cpu_seconds"]].sum().to_dict()
    own.loc["mean"] = pd.Series(means)
    return own


def beside(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return relative errors, sets by models, with geometric means: own, and of what all share."""
    errors = rows.reset_index().pivot_table(score, "set", "model", sort=False)
    errors = errors[[name for name in errors if name.removesuffix(TOLD) in (MODEL, *RIVALS)]]
    shared = geometric(errors.dropna())
    errors.loc["mean of its own"] = geometric(errors)
    errors.loc["mean of the shared"] = shared
    return errors


if __name__ == "__main__":
    scored = relative(newest(RESULTS, main(*SUITES, models=(MODEL,))))
    for one in (MODEL, MODEL + TOLD):
        if one in scored.index.get_level_values("model"):
            print(f"\n{one}\n{table(scored, one).round(3).to_string()}")
    for error in ("relative_mase", "relative_wql"):
        print(f"\n{error}\n{beside(scored, error).round(3).to_string()}")
