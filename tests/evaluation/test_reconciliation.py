"""Reconciled forecasts add up, whatever kind they are of, and lose nothing by it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from forecast import (
    Hierarchy,
    NaiveForecaster,
    ThetaForecaster,
    backtest,
    evaluate,
    load_dataset,
    reconcile,
)
from forecast.evaluation.reconciliation import METHODS

COLUMNS = ["region", "unique_id"]
LEVELS = (0.1, 0.5, 0.9)


@cache
def shops() -> tuple[pd.DataFrame, Hierarchy, pd.DataFrame]:
    """Return the series of all nodes, what adds up to what, and past errors."""
    sales = load_dataset("shop_sales")[[*COLUMNS, "ds", "y"]]
    hierarchy = Hierarchy.of(sales, COLUMNS)
    y = hierarchy.add_up(sales)
    return y, hierarchy, backtest(drift(), y[:-16], 1, n_windows=30)


def drift() -> NaiveForecaster:
    return NaiveForecaster(strategy="drift")


def incoherence(wide: np.ndarray, hierarchy: Hierarchy) -> float:
    """Return by how much columns of all nodes fail to add up, at most."""
    n = hierarchy.n_sums
    return float(np.abs(wide[:, :n] - wide[:, n:] @ hierarchy.sums.T).max())


@cache
def missed_by_theta() -> pd.DataFrame:
    """Return past errors of another model."""
    return backtest(ThetaForecaster(), shops()[0][:-16], 1, n_windows=30)


@pytest.fixture
def tilted() -> pd.DataFrame:
    """Return forecasts that do not add up."""
    y, _, _ = shops()
    return drift().fit(y).predict(3) * np.linspace(0.9, 1.2, y.shape[1])


@pytest.mark.parametrize("method", METHODS)
def test_points_add_up_and_keep_their_frame(method, tilted):
    _, hierarchy, errors = shops()
    found = reconcile(tilted, hierarchy, method, errors=errors)
    assert incoherence(tilted.to_numpy(), hierarchy) > 1
    assert incoherence(found.to_numpy(), hierarchy) < 1e-8
    assert found.index.equals(tilted.index)
    assert found.columns.equals(tilted.columns)
    again = reconcile(found, hierarchy, method, errors=errors)
    np.testing.assert_allclose(again, found)


def test_bottom_up_keeps_the_parts(tilted):
    _, hierarchy, _ = shops()
    found = reconcile(tilted, hierarchy, "bottom_up")
    parts = hierarchy.nodes[hierarchy.n_sums :]
    pd.testing.assert_frame_equal(found[parts], tilted[parts])


@pytest.mark.parametrize("method", METHODS)
def test_paths_add_up(method):
    y, hierarchy, errors = shops()
    paths = drift().fit(y).sample(3, n_samples=20, random_state=0)
    found = reconcile(paths, hierarchy, method, errors=errors)
    for k in range(20):
        assert incoherence(found.xs(k, axis=1, level=-1).to_numpy(), hierarchy) < 1e-8


def test_paths_go_together_as_errors_did():
    y, hierarchy, _ = shops()
    rng = np.random.default_rng(0)
    paths = pd.DataFrame(
        rng.normal(50, 1, (1, len(hierarchy.nodes) * 500)),
        columns=pd.MultiIndex.from_product([hierarchy.nodes, range(500)]),
    )
    together = rng.normal(size=(40, 1)) + 0.1 * rng.normal(size=(40, len(hierarchy.nodes)))
    errors = pd.DataFrame(together, columns=hierarchy.nodes).rename_axis("ds").reset_index()
    errors = errors.melt("ds", var_name="unique_id", value_name="y_hat").assign(cutoff=0, y=0.0)
    spreads = [
        reconcile(paths, hierarchy, "bottom_up", errors=past)["total"].to_numpy().std()
        for past in (None, errors)
    ]
    np.testing.assert_allclose(spreads, [np.sqrt(12), 12], rtol=0.1)


def test_quantiles_lie_around_the_reconciled_median():
    y, hierarchy, errors = shops()
    bands = drift().fit(y).predict_quantiles(3, levels=LEVELS)
    found = reconcile(bands, hierarchy, errors=errors)
    median = found.xs(0.5, axis=1, level=-1)
    assert incoherence(median.to_numpy(), hierarchy) < 1e-8
    assert (found.xs(0.1, axis=1, level=-1) <= median).all(axis=None)
    assert (median <= found.xs(0.9, axis=1, level=-1)).all(axis=None)


def test_bands_of_forecasts_that_add_up_stay_as_they_are():
    y, hierarchy, errors = shops()  # a drift is linear: its forecasts and errors add up
    bands = NaiveForecaster().fit(y).predict_quantiles(3, levels=LEVELS)
    errors = backtest(NaiveForecaster(), y, 1, n_windows=30)
    np.testing.assert_allclose(reconcile(bands, hierarchy, errors=errors), bands)


def test_no_part_falls_below_zero_where_none_was():
    hierarchy = Hierarchy.of(pd.DataFrame({"s": ["A", "B"], "ds": 0, "y": 1.0}), ["s"])
    base = pd.DataFrame({"total": [1.0], "A": [0.5], "B": [4.0]})
    found = reconcile(base, hierarchy, "ols")
    assert found["A"].item() == 0
    assert found["total"].item() == found["B"].item()
    found = reconcile(base - 1, hierarchy, "ols")
    assert (found < 0).any(axis=None)


def test_a_table_is_scored_by_level_before_and_after():
    (y, hierarchy, _), errors = shops(), missed_by_theta()
    table = backtest(ThetaForecaster(), y, 4, n_windows=4, quantiles=LEVELS)
    both = pd.concat([table, reconcile(table, hierarchy, "wls", errors=errors)])
    both = both.assign(level=both["unique_id"].map(hierarchy.levels))
    scores = evaluate(both, y, 52, by=["level", "model"], metrics=["mase", "coverage"])
    assert scores.shape == (6, 2)
    assert scores.index.get_level_values(1).unique().tolist() == [
        "ThetaForecaster",
        "ThetaForecaster, wls",
    ]


def test_a_cutoff_knows_no_later_error():
    (y, hierarchy, _), errors = shops(), missed_by_theta()
    table = backtest(ThetaForecaster(), y[:-10], 4, n_windows=2)
    known = errors["ds"] <= table["cutoff"].min()
    later = errors.assign(y_hat=errors["y_hat"].where(known, 1e6))
    first = table["cutoff"] == table["cutoff"].min()
    found = [reconcile(table, hierarchy, errors=past)["y_hat"] for past in (errors, later)]
    np.testing.assert_array_equal(*(one[first] for one in found))
    assert not np.allclose(*(one[~first] for one in found))


def test_rows_may_come_in_any_order():
    (y, hierarchy, _), errors = shops(), missed_by_theta()
    table = backtest(ThetaForecaster(), y, 2, n_windows=2)
    mixed = table.sample(frac=1, random_state=0)
    found = reconcile(mixed, hierarchy, errors=errors).sort_index()
    pd.testing.assert_frame_equal(found, reconcile(table, hierarchy, errors=errors))


@pytest.mark.parametrize(
    ("spoil", "method", "fault"),
    [
        (lambda frame: frame.drop(columns="total"), "ols", "number for every node.*'total'"),
        (lambda frame: frame.assign(total=np.inf), "ols", "finite number .*'total'"),
        (lambda frame: frame.assign(moon=1.0), "ols", "nodes of the hierarchy, got 'moon'"),
        (lambda frame: frame, "mint", "`errors` must be given for method='mint'"),
        (lambda frame: frame, "best", "`method` must be one of"),
    ],
)
def test_what_cannot_be_reconciled_is_refused(spoil, method, fault, tilted):
    with pytest.raises(ValueError, match=fault):
        reconcile(spoil(tilted), shops()[1], method)


def test_actual_totals_that_are_no_sums_are_told(tilted):
    _, hierarchy, errors = shops()
    off = errors.assign(y=errors["y"].where(errors["unique_id"] != "city", errors["y"] - 30))
    with pytest.warns(UserWarning, match="values of 'city' .* by 30 on average"):
        reconcile(tilted, hierarchy, errors=off)
    rounded = errors.assign(y=errors["y"].round(-1))
    late = (errors["unique_id"] == hierarchy.nodes[-1]) & (errors["ds"] < errors["ds"].median())
    for past in (rounded, errors[~late]):
        reconcile(tilted, hierarchy, errors=past)
    with pytest.raises(ValueError, match=r"it lacks \['y'\]"):
        reconcile(tilted, hierarchy, errors=errors.drop(columns="y"))


def test_the_rounding_of_parts_that_cancel_out_is_not_told():
    flows = pd.DataFrame({"place": list("abc") * 2, "ds": [0] * 3 + [1] * 3})
    flows["y"] = [0.1, 0.2, -0.3, 0.7, 0.1, -0.8]
    hierarchy = Hierarchy.of(flows, ["place"])
    wide = pd.DataFrame(0.0, range(2), hierarchy.nodes).rename_axis("ds").reset_index()
    past = wide.melt("ds", var_name="unique_id", value_name="y").assign(cutoff=0, y_hat=1.0)
    parts = past["unique_id"] != "total"
    past.loc[parts, "y"] = flows.sort_values(["place", "ds"])["y"].to_numpy()
    reconcile(wide.drop(columns="ds"), hierarchy, "wls", errors=past)


def test_errors_of_two_models_are_not_mixed(tilted):
    errors = missed_by_theta()
    both = pd.concat([errors, errors.assign(model="other")])
    with pytest.raises(ValueError, match=r"got those of \['ThetaForecaster', 'other'\]"):
        reconcile(tilted, shops()[1], "mint", errors=both)


def test_quantiles_need_errors_and_a_median():
    y, hierarchy, errors = shops()
    model = drift().fit(y)
    with pytest.raises(ValueError, match="quantiles need `errors`"):
        reconcile(model.predict_quantiles(2), hierarchy, "ols")
    with pytest.raises(ValueError, match=r"quantiles need the median"):
        reconcile(model.predict_quantiles(2, levels=[0.1]), hierarchy, "ols", errors=errors)
    with pytest.raises(ValueError, match="quantiles by their levels"):
        reconcile(model.predict_interval(2), hierarchy, "ols", errors=errors)


def retail(seed: int, n: int = 260) -> pd.DataFrame:
    """Return counts of 2 regions, 4 stores, 16 items with common weeks and common shocks."""
    rng, rows = np.random.default_rng(seed), []
    days = pd.date_range("2024-01-01", periods=n, freq="D")

    def shocks(memory: float, size: float) -> np.ndarray:
        noise = pd.Series(rng.normal(0, size, n))
        return sum(memory**k * noise.shift(k, fill_value=0) for k in range(30)).to_numpy()

    week = rng.normal(0, 0.25, 7)
    for region in ("north", "south"):
        there = shocks(0.9, 0.05)
        for store in range(2):
            here = there + shocks(0.7, 0.08)
            for item in range(4):
                own = np.resize(week + rng.normal(0, 0.05, 7), n) + shocks(0.6, 0.05)
                y = rng.poisson(rng.uniform(2, 20) * np.exp(here + own)).astype(float)
                keys = {"region": region, "store": store, "item": item}
                rows.append(pd.DataFrame({**keys, "ds": days, "y": y}))
    return pd.concat(rows, ignore_index=True)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "most"), [("wls", 1.0), ("mint", 1.002)])
def test_total_and_parts_are_not_worse_over_ten_seeds(method, most):
    scores = []
    for seed in range(10):
        sales = retail(seed)
        hierarchy = Hierarchy.of(sales, ["region", "store", "item"])
        y = hierarchy.add_up(sales)
        errors = backtest(ThetaForecaster(), y[:-56], 1, n_windows=120)
        table = backtest(ThetaForecaster(), y, 7, n_windows=8, quantiles=LEVELS)
        both = pd.concat([table, reconcile(table, hierarchy, method, errors=errors)])
        both = both.assign(level=both["unique_id"].map(hierarchy.levels))
        scores.append(evaluate(both, y, 7, by=["level", "model"], metrics=["rmsse", "coverage"]))
    mean = pd.concat(scores).groupby(level=["level", "model"]).mean()
    after = mean.xs(f"ThetaForecaster, {method}", level="model")
    before = mean.xs("ThetaForecaster", level="model")
    assert (after["rmsse"] <= most * before["rmsse"])[["total", "item"]].all()
    assert after["coverage0.8"].between(0.74, 0.86).all()
