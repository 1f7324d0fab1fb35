"""Every record computes what its source says, and every table and figure takes it."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from forecast._checks import ForecastWarning
from forecast.cli import app
from forecast.contest.compare import compare
from forecast.evaluation.metrics import evaluate, scorer, wql
from forecast.evaluation.plots import plot_comparison, plot_error_by_step
from forecast.evaluation.registry import METRICS, Metric, column_named, columns_of, metric_named
from forecast.evaluation.scoring import energy_score
from forecast.forecasters.window.markov import MarkovForecaster
from tests.evaluation.toys import Last, history, table

WAVE = pd.Series(10 + 5 * np.sin(np.arange(60.0)) + np.arange(60) % 3)
FINITE = st.floats(-1e3, 1e3)


def rows(y, y_hat, quantiles=None):
    return pd.DataFrame(
        {"unique_id": "A", "model": "m", "cutoff": 0, "y": y, "y_hat": y_hat} | (quantiles or {})
    )


@pytest.mark.parametrize("season", [1, 4])
def test_rmsse_is_that_of_m5(season):
    frame, past = table(n_series=5), history(n_series=5)
    past.iloc[:6, 2] = np.nan  # series of unequal length
    got = evaluate(frame, past, season, metrics=["rmsse"])["rmsse"]
    for model, part in frame.groupby("model"):
        roots = []
        for name, one in part.groupby("unique_id"):
            x = past[name].dropna().to_numpy()
            scale = sum((x[t] - x[t - season]) ** 2 for t in range(season, len(x)))
            mean = sum((a - b) ** 2 for a, b in zip(one["y"], one["y_hat"], strict=True)) / len(one)
            roots.append((mean / (scale / (len(x) - season))) ** 0.5)
        assert got[model] == pytest.approx(sum(roots) / len(roots), rel=1e-12)


@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=9))
def test_bias_is_the_mean_signed_error(pairs):
    y, y_hat = zip(*pairs, strict=True)
    got = evaluate(rows(y, y_hat), metrics=["bias"]).loc["m", "bias"]
    assert got == pytest.approx(sum(b - a for a, b in pairs) / len(pairs), abs=1e-9)


@settings(max_examples=40)
@given(st.lists(st.tuples(FINITE, FINITE, st.floats(0, 1e3)), min_size=1, max_size=9))
def test_interval_score_is_that_of_gneiting_and_raftery(values):
    y, low, width = (np.array(column) for column in zip(*values, strict=True))
    high, wanted = low + width, []
    for a, lower, upper in zip(y, low, high, strict=True):
        fine = 2 / 0.2 * ((lower - a) * (a < lower) + (a - upper) * (a > upper))
        wanted.append(upper - lower + fine)
    frame = rows(y, low, {"q0.1": low, "q0.9": high})
    got = evaluate(frame, metrics=["interval_score"]).loc["m", "interval_score0.8"]
    assert got == pytest.approx(np.mean(wanted), rel=1e-9, abs=1e-9)


def test_crps_comes_near_the_integral_where_levels_are_many():
    levels = np.arange(1, 200) / 200
    quantiles = {f"q{level:.3f}": level for level in levels}  # of a uniform variable
    got = evaluate(rows([0.3], [0.5], quantiles), metrics=["crps"]).loc["m", "crps"]
    assert got == pytest.approx((0.3**3 + 0.7**3) / 3, abs=2e-3)  # integral of (F - 1{y <= x})^2


@settings(max_examples=40)
@given(st.lists(st.tuples(FINITE, FINITE, FINITE), min_size=1, max_size=9))
def test_crps_over_the_mean_size_is_the_weighted_quantile_loss(values):
    y, low, high = (np.array(column) for column in zip(*values, strict=True))
    y = np.where(np.abs(y) < 1, 1.0, y)
    frame = rows(y, low, {"q0.2": low, "q0.7": high})
    got = evaluate(frame, metrics=["crps", "wql"]).loc["m"]
    assert got["crps"] / np.abs(y).mean() == pytest.approx(got["wql"], rel=1e-9)
    assert got["wql"] == pytest.approx(wql(y, np.stack([low, high], 1), [0.2, 0.7]), rel=1e-9)
    by_level = [  # GluonTS: 2 sum(loss) / sum(|y|) of each level, then the mean over the levels
        2 * np.maximum(a * (y - q), (a - 1) * (y - q)).sum() / np.abs(y).sum()
        for a, q in ((0.2, low), (0.7, high))
    ]
    assert got["wql"] == pytest.approx(np.mean(by_level), rel=1e-9)


@pytest.mark.parametrize("by", ["model", "unique_id", ["model", "step"]])
def test_energy_score_is_that_of_gneiting_and_raftery(by):
    frame = pd.concat([table(), table().assign(cutoff=24, y=lambda rows: rows["y"] + 1)])
    frame.loc[frame["step"] == 2, "y"] = np.nan  # of what is known
    got = evaluate(frame, by=by, metrics=["energy_score"])["energy_score"]
    for group, part in frame.dropna().groupby(by, sort=False):
        windows = []
        for _, rows in part.groupby(["model", "unique_id", "cutoff"]):
            y, paths = rows["y"].to_numpy(), rows.filter(like="path").to_numpy().T
            far = [np.sqrt(((path - y) ** 2).sum()) for path in paths]
            apart = [
                np.sqrt(((one - other) ** 2).sum())
                for i, one in enumerate(paths)
                for j, other in enumerate(paths)
                if i != j
            ]
            windows.append(np.mean(far) - np.mean(apart) / 2)
        assert got[group] == pytest.approx(np.mean(windows), rel=1e-12)


def test_energy_score_tells_paths_from_shuffled_ones():
    rng = np.random.default_rng(0)
    actual, paths = rng.normal(size=(300, 8)).cumsum(1), rng.normal(size=(100, 8)).cumsum(1)
    shuffled = rng.permuted(paths, axis=0)  # every step the same distribution as before
    right, wrong = (np.mean([energy_score(y, X) for y in actual]) for X in (paths, shuffled))
    assert right < 0.97 * wrong


def test_energy_score_of_one_step_is_the_crps_of_the_paths():
    paths = np.linspace(0.001, 0.999, 500)[:, None]  # of a uniform variable
    expected = (0.3**3 + 0.7**3) / 3  # integral of (F - 1{y <= x})^2
    assert energy_score(np.array([0.3]), paths) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in ("mase", "wql", "energy_score")))
        for name in METRICS
    ],
)
def test_every_record_is_taken_by_every_table_and_figure(name):
    frame, past = table(), history()
    (column,) = columns_of([name], [0.8])
    assert evaluate(frame, past, 1, metrics=[name])[column].notna().all()
    ax = plot_error_by_step(frame, name, history=past, season_length=1, unit="MW")
    label = ax.get_ylabel()
    assert label.startswith(metric_named(column).label) and "{" not in label
    assert ("(MW)" in label) == METRICS[name].target_units
    assert np.isfinite(scorer(name)(Last().fit(WAVE[:50]), WAVE[50:]))
    found = compare(WAVE, 4, models={}, n_windows=2, metrics=[name, "mae"])
    losses = metric_named(found.metric).loss(found.table[found.metric])
    assert losses.is_monotonic_increasing and metric_named(found.metric).short in found.verdict
    scores = evaluate(frame, past, 1, metrics=[name])
    _, right = plot_comparison(frame, scores, past, metric=column, naive=["b"], unit="MW")
    assert right.get_xlabel() == label


def test_the_command_line_lists_and_takes_them(tmp_path):
    listed = CliRunner().invoke(app, ["metrics"], env={"COLUMNS": "200"})
    assert all(name in listed.stdout for name in METRICS)
    WAVE.rename("x").rename_axis("t").to_csv(path := tmp_path / "wave.csv")
    asked = [
        "--metrics",
        "rmsse, interval_score0.5, energy_score",
        "--horizon",
        "3",
        "--windows",
        "2",
    ]
    for command in (["compare", "--models", "naive"], ["backtest", "--model", "naive"]):
        done = CliRunner().invoke(app, [command[0], str(path), *command[1:], *asked])
        assert done.exit_code == 0
        assert "interval_score0.5" in done.stdout and "energy_score" in done.stdout
        assert "smape" not in done.stdout


@pytest.mark.parametrize("name", METRICS)
def test_what_a_record_says_it_needs_is_what_it_needs(name):
    frame = table()
    bare = frame.drop(columns=["q0.1", "q0.5", "q0.9"])
    few = frame.drop(columns=["path0", "path1", "path2", "path3"])
    for needed, data, past in (
        (METRICS[name].history, frame, None),
        (bool(METRICS[name].levels), bare, history()),
        (bool(METRICS[name].n_paths), few, history()),
    ):
        if needed:
            with pytest.raises(ValueError, match=f"`{name}` needs"):
                evaluate(data, past, 1, metrics=[name])
        else:
            evaluate(data, past, 1, metrics=[name])


def test_a_new_record_may_ask_for_the_error_scale_alone(monkeypatch):
    record = Metric(
        function=lambda rows: rows.mean_of_series((rows.y - rows.y_hat) / rows.scale),
        short="MSSE", label="scaled bias", help="Made up.", history=True,
    )  # fmt: skip
    monkeypatch.setitem(METRICS, "made_up", record)
    got = evaluate(table(), history(), 1, metrics=["made_up"])
    assert got["made_up"].notna().all()
    monkeypatch.setitem(METRICS, "made_up", Metric(**vars(record) | {"history": False}))
    with pytest.raises(ValueError, match="the error scale needs `history`"):
        evaluate(table(), metrics=["made_up"])


def test_the_scale_is_missed_once_and_where_it_was_asked_for():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        evaluate(table(), history() * 0 + 3, 1, metrics=["mase", "rmsse"])
    assert [one.category for one in caught] == [ForecastWarning]
    assert caught[0].filename == __file__


def test_one_interval_or_all():
    frame = table().assign(**{"q0.25": -1.0, "q0.75": 1.0})
    every = ["coverage0.8", "coverage0.5"]
    assert list(evaluate(frame, metrics=["coverage"])) == every
    assert list(evaluate(frame, metrics=["coverage0.5"])) == every[1:]
    with pytest.raises(ValueError, match=r"`coverage0.9` needs .* q0.05 and q0.95; .*\[0.8, 0.5\]"):
        evaluate(frame, metrics=["coverage0.9"])
    assert column_named("own column") is None and column_named("coverage0.5").best == 0.5


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ([], "`metrics` must hold at least one name"),
        ("mae", "`metrics` must hold at least one name, got 'mae'"),
        (["mea"], "`metrics` must be one of 'mae'"),
        ([abs], "`metrics` must be one of 'mae'.* got <built-in function abs>"),
        (["mae0.8"], "`metrics` must be one of 'mae'"),
        (["coverage0.9"], "`coverage0.9` needs quantile columns"),
    ],
)
def test_a_contest_refuses_what_it_cannot_score_at_once(metrics, message):
    with pytest.raises(ValueError, match=message):
        compare(WAVE, 4, models={}, metrics=metrics)


def test_a_constant_history_is_ranked_by_mae_in_place_of_any_scaled_error():
    flat = compare(pd.Series(np.full(40, 3.0)), 4, models={}, metrics=["rmsse", "bias"])
    assert flat.metric == "mae" and list(flat.table) == ["mae", "skill", "bias", "seconds"]


def test_a_verdict_names_the_best_value_where_it_is_not_zero():
    found = compare(WAVE, 4, models={"Markov": MarkovForecaster()}, n_windows=2, metrics=["r2"])
    assert found.winner == "Markov" and found.table["r2"].is_monotonic_decreasing
    assert found.verdict.startswith("Markov wins with a R² of")
    assert "nearer to 1 than the best naive forecast" in found.verdict
