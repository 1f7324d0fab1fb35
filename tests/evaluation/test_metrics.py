from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

from forecast._checks import ForecastWarning
from forecast.data.frames import read_frames
from forecast.evaluation import metrics
from forecast.evaluation.metrics import evaluate
from tests.evaluation.toys import Last, history, table

PAIRS: list[tuple[Callable[..., float], Callable[..., float]]] = [
    (metrics.mae, sk.mean_absolute_error),
    (metrics.mse, sk.mean_squared_error),
    (metrics.rmse, sk.root_mean_squared_error),
    (metrics.mape, sk.mean_absolute_percentage_error),
    (metrics.r2, sk.r2_score),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda f: f.__name__)
@pytest.mark.mission("M44")
def test_metric_functions_equal_scikit_learn(ours, theirs):
    rng = np.random.default_rng(0)
    y, y_hat = rng.normal(3, 2, 1000), rng.normal(3, 2, 1000)
    assert ours(y, y_hat) == pytest.approx(theirs(y, y_hat), rel=1e-12)


@pytest.mark.parametrize("name", ["mae", "mse", "rmse", "mape", "r2"])
@pytest.mark.mission("M44")
def test_evaluate_equals_scikit_learn(name):
    frame = table(n_series=40, horizon=30)
    theirs = dict(zip(["mae", "mse", "rmse", "mape", "r2"], PAIRS, strict=True))[name][1]
    for by in ("model", "step", "unique_id", ["model", "step"]):
        expected = frame.groupby(by, sort=False)[["y", "y_hat"]].apply(
            lambda part: theirs(part["y"], part["y_hat"])
        )
        got = evaluate(frame, by=by, metrics=[name])[name]
        pd.testing.assert_series_equal(got, expected, check_names=False, rtol=1e-12)


@pytest.mark.mission("M44")
def test_quantile_losses_equal_scikit_learn():
    frame = table()
    one = frame[frame["model"] == "a"]
    losses = [sk.mean_pinball_loss(one["y"], one[f"q{q}"], alpha=q) for q in (0.1, 0.5, 0.9)]
    got = evaluate(one, metrics=["pinball", "wql", "coverage"]).loc["a"]
    assert got["pinball"] == pytest.approx(np.mean(losses), rel=1e-12)
    assert got["wql"] == pytest.approx(2 * np.mean(losses) / one["y"].abs().mean(), rel=1e-12)
    assert got["coverage0.8"] == metrics.coverage(one["y"], one["q0.1"], one["q0.9"])
    levels = [0.1, 0.5, 0.9]
    quantiles = one[[f"q{q}" for q in levels]]
    assert got["wql"] == pytest.approx(metrics.wql(one["y"], quantiles, levels), rel=1e-12)
    assert metrics.pinball(one["y"], one["q0.9"], 0.9) == pytest.approx(losses[2], rel=1e-12)


@pytest.mark.parametrize("season", [1, 7])
@pytest.mark.mission("M44")
def test_mase_of_naive_is_one_on_its_own_lag(season):
    x = np.random.default_rng(1).normal(size=60).cumsum()
    assert metrics.mase(x[season:], x[:-season], x, season) == pytest.approx(1, rel=1e-12)


def _official(frame: pd.DataFrame, past: pd.DataFrame, m: int) -> tuple[float, float]:
    """Return sMAPE and MASE by the formulae of M4, one series at a time."""
    smapes, mases = [], []
    for name, part in frame.groupby("unique_id"):
        y, f = part["y"].to_numpy(), part["y_hat"].to_numpy()
        x = past[name].dropna().to_numpy()
        smapes.append(200 / len(y) * sum(abs(y - f) / (abs(y) + abs(f))))
        scale = sum(abs(x[t] - x[t - m]) for t in range(m, len(x))) / (len(x) - m)
        mases.append(np.mean(abs(y - f)) / scale)
    return float(np.mean(smapes)), float(np.mean(mases))


@pytest.mark.parametrize("season", [1, 4, 12])
@pytest.mark.mission("M44")
def test_smape_and_mase_are_those_of_m4(season):
    frame, past = table(n_series=5), history(n_series=5)
    past.iloc[:6, 2] = np.nan  # series of unequal length
    frame = frame[(frame["unique_id"] != "s1") | (frame["step"] < 3)]  # and unequal horizon
    got = evaluate(frame, past, season)
    for model, part in frame.groupby("model"):
        wanted = _official(part, past, season)
        assert got.loc[model, ["smape", "mase"]].tolist() == pytest.approx(wanted, rel=1e-12)


def test_owa_is_the_ratio_of_means():
    assert metrics.owa(11.374, 1.536, 13.564, 1.912) == pytest.approx(0.821, abs=5e-4)


def test_skill_is_measured_against_the_best_naive():
    assert metrics.skill(0.5, [1.0, 2.0]) == 0.5
    assert metrics.skill(3.0, [2.0]) == -0.5
    assert metrics.skill(0.0, [0.0]) == 0
    assert metrics.skill(1.0, [0.0]) == float("-inf")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(-1e6, 1e6))
def test_smape_lies_between_0_and_200(values, forecast):
    assert 0 <= metrics.smape(values, [forecast] * len(values)) <= 200 + 1e-9


def test_missing_actual_values_do_not_count():
    frame = table()
    holes = frame["step"] == 2
    with_holes = frame.assign(y=frame["y"].where(~holes))
    pd.testing.assert_frame_equal(evaluate(with_holes), evaluate(frame[~holes]))
    assert metrics.mae([1.0, np.nan], [2.0, np.nan]) == 1


def test_r2_of_constant_values_follows_scikit_learn():
    frame = table(n_series=1).assign(y=2.0)
    frame.loc[frame["model"] == "a", "y_hat"] = 2.0
    assert evaluate(frame, metrics=["r2"])["r2"].tolist() == [1.0, 0.0]
    assert evaluate(frame, by=["model", "step"], metrics=["r2"])["r2"].isna().all()


def test_scale_looks_at_nothing_after_the_cutoff():
    frame, past = table(), history()
    later = pd.concat([past, past.set_axis(past.index + 20) * 1e6])
    pd.testing.assert_frame_equal(evaluate(frame, past, 4), evaluate(frame, later, 4))


def test_scale_belongs_to_the_cutoff():
    frame, past = table(n_series=1), history(n_series=1)
    early = frame.assign(cutoff=10)
    both = evaluate(pd.concat([early, frame]), past, 1, by=["cutoff"], metrics=["mase"])
    alone = evaluate(early, past.loc[:10], 1)["mase"].mean()
    assert both.loc[10, "mase"] == pytest.approx(alone, rel=1e-12)
    assert both.loc[20, "mase"] == pytest.approx(evaluate(frame, past, 1)["mase"].mean())


def test_scale_of_a_small_series_beside_a_huge_one():
    frame, past = table(n_series=2), history(n_series=2)
    past["s0"] *= 1e12
    alone = evaluate(frame[frame["unique_id"] == "s1"], past[["s1"]], 1)
    got = evaluate(frame, past, 1, by=["unique_id", "model"], metrics=["mase"])
    assert got.loc["s1", "mase"].tolist() == pytest.approx(alone["mase"].tolist(), rel=1e-12)


def test_constant_series_is_left_out_of_mase_with_a_warning():
    frame, past = table(), history()
    rest = evaluate(frame[frame["unique_id"] != "s1"], past, 1, metrics=["mase"])
    past["s1"] = 3.0
    with pytest.warns(ForecastWarning, match="series 's1'.*1 such case"):
        got = evaluate(frame, past, 1, metrics=["mase"])
    pd.testing.assert_frame_equal(got, rest)
    with pytest.warns(ForecastWarning, match="`history`"):
        assert np.isnan(metrics.mase([1], [2], [3, 3], 1))


def test_a_model_without_quantiles_scores_nan_beside_one_with():
    frame = table()
    columns = ["q0.1", "q0.5", "q0.9"]
    frame.loc[frame["model"] == "b", columns] = np.nan
    got = evaluate(frame, metrics=["wql", "coverage"])
    assert got.loc["a"].notna().all() and got.loc["b"].isna().all()


def test_history_may_be_a_panel_or_any_kind_of_table():
    frame, past = table(), history()
    long = past.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
    wide = evaluate(frame, past, 4)
    pd.testing.assert_frame_equal(evaluate(frame, read_frames(past), 4), wide)
    pd.testing.assert_frame_equal(evaluate(frame, long, 4), wide)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": ["mea"]}, "`metrics` must be one of 'mae'"),
        ({"metrics": ["mase"]}, "`mase` needs `history`"),
        ({"history": history(), "metrics": ["mase"]}, "`mase` needs `season_length`"),
        ({"by": []}, "`by` must name"),
        ({"by": "fold"}, r"lacks \['fold'\]"),
        ({"history": history(n_series=2), "season_length": 1}, "every unique_id.*'s2'"),
        ({"history": history(length=15), "season_length": 1}, "every cutoff.*20"),
    ],
)
def test_errors_say_what_is_wrong(change, message):
    with pytest.raises(ValueError, match=message):
        evaluate(table(), **change)


def test_the_table_comes_first_and_says_its_origins():
    with pytest.raises(TypeError, match="`table` must be a forecast table, .*got a Series"):
        evaluate(history()["s0"], table())
    for rows in (table(), table().filter(regex="^(?!path)")):
        with pytest.raises(ValueError, match=r"lacks \['cutoff'\]"):
            evaluate(rows.drop(columns="cutoff"), history(), 1)


def test_silence_is_no_forecast():
    frame = table()
    frame.loc[3, "y_hat"] = np.nan
    with pytest.raises(ValueError, match="1 of 24 are missing, the first from model 'a'"):
        evaluate(frame)
    with pytest.raises(ValueError, match="none of the 24 rows"):
        evaluate(frame.assign(y=np.nan))
    with pytest.raises(ValueError, match="`wql` needs quantile columns"):
        evaluate(frame.drop(columns=["q0.1", "q0.5", "q0.9"]), metrics=["wql"])


def test_arrays_must_match():
    y = pd.Series([1.0, 2.0])
    with pytest.raises(ValueError, match=r"same shape, got \(2,\) and \(3,\)"):
        metrics.mae([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="same index"):
        metrics.mae(y, y.set_axis([1, 2]))
    with pytest.raises(ValueError, match="no observed value"):
        metrics.mae([np.nan], [1.0])
    with pytest.raises(ValueError, match="one column per level"):
        metrics.wql([1.0], [[1.0, 2.0]], [0.5])


@pytest.mark.parametrize("metric", ["mase", "rmse", "wql", "r2"])
def test_scorer_in_a_search_of_scikit_learn(metric):
    y = pd.Series(np.arange(40.0), index=pd.date_range("2024-01-01", periods=40))
    search = GridSearchCV(
        Last(),
        {"shift": [-5.0, 2.5, 9.0]},
        scoring=metrics.scorer(metric),
        cv=TimeSeriesSplit(3, test_size=4),
        error_score="raise",
    ).fit(y)
    assert search.best_params_ == {"shift": 2.5}


def test_zeros_have_no_weighted_quantile_loss():
    """0 is no unit: not infinity, and no warning of numpy's."""
    frame = table()
    frame.loc[frame["unique_id"] == "s1", "y"] = 0.0
    losses = evaluate(frame, by=["unique_id"], metrics=["wql"])["wql"]
    assert losses.isna().to_dict() == {"s0": False, "s1": True, "s2": False}
    assert np.isnan(metrics.wql([0.0, 0.0], [[1.0], [2.0]], levels=[0.5]))


def test_scorer_skips_a_gap():
    y = pd.Series(np.arange(40.0))
    splits = TimeSeriesSplit(3, test_size=4, gap=2)
    scores = cross_val_score(Last(), y, cv=splits, scoring=metrics.scorer("mae"))
    assert scores.tolist() == [-4.5] * 3  # steps 3 to 6 of a line with slope 1


def _m4(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = os.environ.get("FORECAST_DATA")
    path = Path(folder or "") / f"{name}.parquet"
    if not folder or not path.exists():
        pytest.skip("FORECAST_DATA names no folder with this set")
    pytest.importorskip("pyarrow")
    frame = pd.read_parquet(path)
    train, test = frame[frame["split"] == "train"], frame[frame["split"] == "test"]
    ends = train.groupby("unique_id")["ds"].max()
    test = test.assign(cutoff=test["unique_id"].map(ends), model="naive")
    return train.drop(columns="split"), test.assign(step=test["ds"] - test["cutoff"])


@pytest.mark.parametrize(
    ("name", "season", "smape", "mase"),
    [("m4_hourly", 24, 13.912, 1.193), ("m4_yearly", 1, 16.342, 3.974)],
)
@pytest.mark.mission("M44")
def test_official_values_of_m4(name, season, smape, mase):
    train, test = _m4(name)
    source = test["cutoff"] - season + 1 + (test["step"] - 1) % season
    keys = pd.MultiIndex.from_arrays([test["unique_id"], source])
    values = train.set_index(["unique_id", "ds"])["y"].reindex(keys).to_numpy()
    got = evaluate(test.assign(y_hat=values), train, season, metrics=["smape", "mase"])
    assert got.loc["naive"].round(3).tolist() == [smape, mase]
