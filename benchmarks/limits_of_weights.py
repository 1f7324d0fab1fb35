"""What other weights could gain: those of AutoForecaster beside weights known only afterwards.

    python benchmarks/limits_of_weights.py

On validation parts every member's forecast is kept and averaged anew: with the weights that turned
out best for a whole group of sets, for a set, or for each series, and with the best member of each
series. Errors are means over series of MASE, as the logarithm of their ratio to that of the weights
as they are. Rows are in `results/limits_of_weights.csv`; it takes half an hour of one core.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import accuracy_auto
import accuracy_m3
import accuracy_panels
import accuracy_single
import numpy as np
import pandas as pd
from accuracy_pretrained import CLASSIC
from suites import Suite

import forecast
from forecast.evaluation.backtest import rolling_origins
from forecast.evaluation.metrics import naive_scale
from forecast.forecasters.calibration import ahead
from forecast.forecasters.combined.blending import blend
from forecast.forecasters.combined.planning import NETWORKS

RESULTS = Path(__file__).parent / "results" / "limits_of_weights.csv"
DRAWN, SEED, SHORT = 560, 1, 40
ROUNDS, RATE = 1500, 4.0


class Case(NamedTuple):
    """What M members forecast of n series, H steps from one origin, in units of MASE.

    `parts` (M, n, H), `truth` (n, H) with NaN where nothing is known, `shares` (n, M).
    """

    group: str
    name: str
    labels: list[str]
    parts: np.ndarray
    truth: np.ndarray
    shares: np.ndarray

    def error(self, shares: np.ndarray) -> float:
        """Return the mean absolute error with some weights (n, M) or (M,)."""
        shares = np.broadcast_to(shares, self.shares.shape)
        return float(np.nanmean(np.abs(self.truth - blend(self.parts, shares, "mean"))))

    @property
    def network(self) -> int:
        """The place of the pre-trained network, or of the fine-tuned one."""
        return next(k for k, label in enumerate(self.labels) if label in NETWORKS)

    def under(self, labels: list[str]) -> np.ndarray:
        """Return the parts under some labels; the network stands in for who is no member."""
        places = [self.labels.index(one) if one in self.labels else self.network for one in labels]
        return self.parts[places]


def case(group: str, suite: Suite, y: Any) -> Case:
    """Let all members forecast the last values of a frame."""
    origin = next(rolling_origins(y, suite.horizon))
    model = forecast.AutoForecaster(horizon=suite.horizon).fit(origin.history)
    at = {"origins": origin.lengths[None], "horizon": suite.horizon}
    parts = np.stack([one.predict_at(y, **at)[0][0] for one in model.members_.values()])
    truth, _ = ahead(origin.panel, origin.lengths, suite.horizon)
    ends = enumerate(origin.lengths)
    pasts = [origin.panel.series(i)[:end] for i, end in ends]
    scale = np.array([naive_scale(past, suite.season_length) for past in pasts])[:, None]
    kept = (np.isfinite(scale) & (scale > 0))[:, 0]
    parts, truth, shares = parts[:, kept], truth[kept], model.weights_.to_numpy()[kept]
    return Case(
        group, suite.name, list(model.members_), parts / scale[kept], truth / scale[kept], shares
    )


def material() -> Iterator[tuple[str, Suite, Any]]:
    """Yield group, suite, and a frame whose last values are to be forecast."""
    for suite, y in drawn():
        yield "single series, drawn", suite, y
    for group, suites, backs, seasons, least in (
        ("single series, named", accuracy_single.named(), (2, 3, 4, 5), 2, 16),
        ("single series, named", CLASSIC, (1, 2, 3, 4), 2, 16),
        ("panels", accuracy_panels.SUITES, (1, 2), 0, 10),
        ("bundled sets", accuracy_auto.BUNDLED, (1, 2, 3), 0, 10),
        *((suite.name, (suite,), (1, 2), 0, 8) for suite in accuracy_m3.SUITES),
    ):
        for suite, back in itertools.product(suites, backs):
            y = replace(suite, test=back * suite.horizon).history("validation")
            y = long_enough(y, suite.horizon + seasons * suite.season_length + least)
            if len(y):
                yield group, suite, y


def drawn() -> Iterator[tuple[Suite, pd.Series]]:
    """Yield single series before the test part of their set, every third of them cut short."""
    known = {suite.name for suite in accuracy_single.draw()}
    suites = [suite for suite in accuracy_single.draw(DRAWN, SEED) if suite.name not in known]
    for i, suite in enumerate(suites):
        short = max(2 * suite.season_length + 8, SHORT) + suite.horizon
        y = suite.history("test")  # of a drawn series, this is what comes before it
        yield suite, y.iloc[-short:] if i % 3 == 0 else y


def long_enough(y: Any, least: int) -> Any:
    """Return the series of a frame that have so many values; none is a frame without rows."""
    if "unique_id" not in y:
        return y if len(y) >= least else y.iloc[:0]
    return y[y.groupby("unique_id")["ds"].transform("size") >= least]


def best_weights(parts: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the weights (G, M) of the least mean absolute error, by exponentiated gradients.

    Kivinen and Warmuth, 1997. `parts` (G, N, M), `truth` (G, N), NaN: not known.

    Examples
    --------
    >>> parts, truth = np.array([[[1.0, 3.0], [2.0, 4.0]]]), np.array([[1.5, 2.5]])
    >>> best_weights(parts, truth).round(2).tolist()
    [[0.75, 0.25]]
    """
    off = np.where(np.isnan(truth)[..., None], 0.0, truth[..., None] - parts)
    unit = np.abs(off).mean((1, 2), keepdims=True)
    off = off / np.where(unit > 0, unit, 1.0)
    logs = np.zeros((off.shape[0], off.shape[2]))
    best, least = np.full_like(logs, 1 / logs.shape[1]), np.full(len(logs), np.inf)
    for k in range(ROUNDS):
        weights = np.exp(logs - logs.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        error = np.einsum("gnm,gm->gn", off, weights)
        size = np.abs(error).mean(1)
        best = np.where((size < least)[:, None], weights, best)
        least = np.minimum(size, least)
        slope = np.einsum("gn,gnm->gm", np.sign(error), off) / off.shape[1]
        logs = logs - RATE / np.sqrt(k + 1) * slope
    return best


def flat(parts: np.ndarray) -> np.ndarray:
    """Return (M, n, H) as one group (1, n H, M)."""
    return parts.reshape(len(parts), -1).T[None]


def of_the_set(one: Case) -> np.ndarray:
    """Return the best weights (M,) of a set."""
    return best_weights(flat(one.parts), one.truth.reshape(1, -1))[0]


def of_each_series(one: Case) -> np.ndarray:
    """Return the best weights (n, M) of each series."""
    return best_weights(one.parts.transpose(1, 2, 0), one.truth)


def best_member(one: Case) -> np.ndarray:
    """Return weights (n, M) that are 1 for the best member of each series."""
    errors = np.nan_to_num(np.abs(one.truth - one.parts)).sum(2)  # (M, n)
    chosen: np.ndarray = np.eye(len(one.labels))[errors.argmin(0)]
    return chosen


def of_the_group(cases: list[Case]) -> tuple[list[str], np.ndarray]:
    """Return labels, and the best weights (M,) of a group, where every set counts alike."""
    labels = sorted({label for one in cases for label in one.labels})
    units = [one.error(one.shares) * one.truth.size for one in cases]
    pairs = [(c, unit) for c, unit in zip(cases, units, strict=True) if unit > 0]
    parts = np.concatenate([flat(c.under(labels) / unit) for c, unit in pairs], axis=1)
    truth = np.concatenate([c.truth.reshape(1, -1) / unit for c, unit in pairs], axis=1)
    return labels, best_weights(parts, truth)[0]


RULES: dict[str, Callable[[Case], np.ndarray]] = {
    "network alone": lambda one: np.eye(len(one.labels))[one.network],
    "all alike": lambda one: np.full(len(one.labels), 1 / len(one.labels)),
    "best for the set": of_the_set,
    "best member of each series": best_member,
    "best for each series": of_each_series,
}


def rows(cases: list[Case]) -> Iterator[dict[str, Any]]:
    """Yield for each case of a group the logarithms of its errors beside that of now."""
    labels, common = of_the_group(cases)
    print(cases[0].group, dict(zip(labels, common.round(2).tolist(), strict=True)), flush=True)
    for one in cases:
        now = one.error(one.shares)
        found = {name: one.error(rule(one)) for name, rule in RULES.items()}
        joint = blend(one.under(labels), np.tile(common, (len(one.truth), 1)), "mean")
        found["best for the group"] = float(np.nanmean(np.abs(one.truth - joint)))
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = {name: np.log(error / now) for name, error in found.items()}
        yield {"group": one.group, "set": one.name, "n_series": len(one.truth), "mase": now} | logs


def table(found: pd.DataFrame) -> pd.DataFrame:
    """Return means over sets with their standard errors, each set the mean of its origins."""
    names = [*RULES, "best for the group"]
    finite = found[np.isfinite(found[names]).all(axis=1)]
    sets = finite.groupby(["group", "set"], sort=False)[names].mean().groupby("group", sort=False)
    return sets.agg(["mean", "sem"]).round(3).assign(sets=sets.size())


if __name__ == "__main__":
    warnings.simplefilter("ignore", forecast.ForecastWarning)
    groups: dict[str, list[Case]] = {}
    for group, suite, y in material():
        groups.setdefault(group, []).append(case(group, suite, y))
    found = pd.DataFrame([row for cases in groups.values() for row in rows(cases)])
    found.round(4).to_csv(RESULTS, index=False)
    print(table(found).to_string())
