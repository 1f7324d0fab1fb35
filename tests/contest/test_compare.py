"""The contest: everybody is scored on the same steps, naive takes part, and the verdict is fair."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast._checks import ForecastWarning
from forecast.contest.compare import NAIVE, Comparison, compare, default_models
from forecast.data.synthetic import ar1, random_walk
from forecast.evaluation.metrics import evaluate
from forecast.forecasters.classical.ets import ETSForecaster
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.window.markov import MarkovForecaster
from forecast.forecasters.window.mlp import MLPForecaster

QUICK = {"Markov": MarkovForecaster(), "ETS": ETSForecaster()}


def monthly(length: int = 120) -> pd.Series:
    t = np.arange(length)
    values = 50 + 0.2 * t + 10 * np.sin(2 * np.pi * t / 12)
    values = values + np.random.default_rng(1).normal(size=length)
    return pd.Series(values, pd.date_range("2015-01", periods=length, freq="MS"), name="sales")


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(monthly(), 12, models=QUICK, n_windows=3)


def test_the_table_ranks_by_mase_and_naive_takes_part(comparison: Comparison) -> None:
    table = comparison.table
    assert set(table.index) == {*NAIVE, "Markov", "ETS"}
    columns = ["mase", "skill", "smape", "mae", "wql", "coverage0.8", "seconds"]
    assert table.columns.tolist() == columns
    assert table["mase"].is_monotonic_increasing and comparison.metric == "mase"
    assert comparison.winner == table.index[0]
    assert comparison.best_naive == table.index[table.index.isin(NAIVE)][0]
    assert (table["seconds"] > 0).all()
    best = table.loc[comparison.best_naive, "mase"]
    np.testing.assert_allclose(table["skill"], 1 - table["mase"] / best)
    assert table.loc[comparison.best_naive, "skill"] == 0


def test_the_scores_are_those_of_the_forecasts(comparison: Comparison) -> None:
    again = evaluate(comparison.forecasts, monthly(), 12, metrics=["mase", "smape", "mae"])
    again = again.loc[comparison.table.index]
    pd.testing.assert_frame_equal(again, comparison.table[["mase", "smape", "mae"]])
    steps = comparison.forecasts.groupby("model").size()
    assert (steps == 3 * 12).all()
    assert comparison.forecasts["cutoff"].nunique() == 3


def test_the_verdict_says_who_wins_and_by_how_much(comparison: Comparison) -> None:
    table, verdict = comparison.table, comparison.verdict
    assert verdict.startswith(
        f"{comparison.winner} wins with a MASE of {table['mase'].iloc[0]:.3g}"
    )
    assert f"{table['skill'].iloc[0]:.0%} below the best naive forecast" in verdict
    assert f"({comparison.best_naive}, " in verdict
    assert verdict.endswith("12 steps ahead, 3 origins).")
    assert repr(comparison).endswith(verdict) and "Markov" in repr(comparison)
    assert verdict in comparison._repr_html_() and "<table" in comparison._repr_html_()


def test_nobody_beats_a_walk_and_the_verdict_says_so() -> None:
    walk = compare(random_walk(200, seed=3), 1, models={}, n_windows=20)
    assert walk.winner in NAIVE
    assert walk.verdict.startswith(f"Nobody beats the {walk.best_naive} forecast by more than 1%")
    assert "1 step ahead, 20 origins" in walk.verdict


def test_series_that_end_apart_have_as_many_origins_as_were_asked_for() -> None:
    ends = [random_walk(size, seed=size).rename(size) for size in (40, 43, 50)]
    comparison = compare(ends, 3, models={}, n_windows=2, refit=2)
    assert comparison.verdict.endswith("3 steps ahead, 2 origins).")
    assert comparison._settings()["models are fitted"] == "at one origin in 2"


def test_without_a_season_there_is_no_seasonal_naive() -> None:
    assert "seasonal naive" not in default_models(1)
    assert "seasonal naive" not in compare(ar1(60, seed=0), 4, models={}).table.index
    assert list(default_models(12))[:3] == list(NAIVE)
    assert all(
        m.random_state == 5 for m in default_models(12, 5).values() if "max_epochs" in vars(m)
    )


def test_a_constant_history_is_ranked_by_mae() -> None:
    flat = compare(pd.Series(np.full(40, 3.0)), 4, models=QUICK)
    assert flat.metric == "mae" and "mase" not in flat.table
    assert "MAE" in flat.verdict
    assert (flat.table["mae"] < 1e-9).all()


def test_what_every_model_logs_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    y = pd.DataFrame({"a": np.arange(40.0), "b": [*np.arange(30.0), *[np.nan] * 10]})
    compare(y, 2, models=QUICK, n_windows=2, refit=True)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_constant_series_among_others_is_told() -> None:
    wide = pd.DataFrame({"busy": ar1(60, seed=0), "flat": 5.0})
    with pytest.warns(ForecastWarning, match=r"no error scale .* 'flat' .* left out of scaled"):
        assert compare(wide, 4, models={}).metric == "mase"


def test_an_own_model_needs_fit_and_predict_only() -> None:
    class Best:
        """Know the truth."""

        def fit(self, y: pd.Series) -> Any:
            self.end = len(y)
            return self

        def predict(self, horizon: int) -> pd.Series:
            return monthly()[self.end : self.end + horizon]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compare(monthly(), 6, models={"oracle": Best()}, n_windows=2)
    assert found.winner == "oracle" and found.table.loc["oracle", "mase"] == 0
    assert np.isnan(found.table.loc["oracle", "wql"])


def test_the_energy_score_asks_for_paths_those_who_draw_them(tmp_path: Path) -> None:
    found = compare(monthly(), 6, models=QUICK, n_windows=2, metrics=["energy_score", "mase"])
    assert found.metric == "energy_score" and "energy score" in found.verdict
    again = evaluate(found.forecasts, metrics=["energy_score"])["energy_score"]
    pd.testing.assert_series_equal(again.loc[found.table.index], found.table["energy_score"])
    found.report(tmp_path / "page.html")
    assert "energy score" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_models_of_the_caller_stay_as_they_were() -> None:
    model = MarkovForecaster(order=3)
    compare(monthly(), 4, models={"mine": model}, n_windows=1)
    assert model.get_params() == MarkovForecaster(order=3).get_params()
    assert not hasattr(model, "panel_")


def test_many_series_covariates_and_gap() -> None:
    frame = pd.DataFrame({"A": monthly(), "B": 1e3 * monthly()[::-1].to_numpy()})
    X = pd.DataFrame({"x": np.random.default_rng(0).normal(size=120)}, frame.index)
    found = compare(frame, 3, X=X, models={"Markov": MarkovForecaster()}, gap=2, refit=True)
    steps = found.forecasts["step"]
    assert (steps.min(), steps.max()) == (3, 5)
    assert "3 steps ahead" in found.verdict
    left, right = found.plot(series="B", best=1)
    assert left.get_ylabel() == "B" and right.get_xlabel().startswith("MASE")


def test_default_horizon_is_a_season() -> None:
    assert compare(monthly(), models={}).forecasts["step"].max() == 12
    assert compare(ar1(80, seed=0), models={}).forecasts["step"].max() == 8
    # four origins and as much again to learn from must fit into the series
    assert compare(ar1(60, seed=0), models={}).forecasts["step"].max() == 7
    with pytest.raises(ValueError, match="must not use the names of the naive forecasts"):
        compare(monthly(), models={"drift": MarkovForecaster()})
    with pytest.raises(ValueError, match="`horizon` must be a positive integer, got -3"):
        compare(monthly(), -3, models={})


class Broken(NaiveForecaster):
    """Refuse every history."""

    def _fit(self, panel: Any) -> None:
        raise RuntimeError("no luck")


def test_a_failing_contestant_does_not_cost_the_others_their_run() -> None:
    models = {"broken": Broken(), "Markov": MarkovForecaster()}
    with pytest.warns(ForecastWarning, match="broken is left out .* RuntimeError: no luck"):
        found = compare(monthly(), 4, models=models, n_windows=1)
    assert set(found.table.index) == {*NAIVE, "Markov"}
    assert found.failures == {"broken": "RuntimeError: no luck"}
    assert repr(found).endswith("broken has no forecast: RuntimeError: no luck")
    assert found.verdict in found._repr_html_() and "RuntimeError: no luck" in found._repr_html_()


def test_a_silent_contestant_is_left_out() -> None:
    class Silent(NaiveForecaster):
        def _expected(self, horizon: int, known: Any) -> Any:
            return np.full((1, horizon), np.nan)

    with pytest.warns(ForecastWarning, match="silent is left out .* for 2024-09-01 .* is missing"):
        found = compare(monthly(), 4, models={"silent": Silent()}, n_windows=1)
    assert "silent" not in found.table.index


def test_if_all_fail_the_first_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NaiveForecaster, "_fit", Broken._fit)
    with pytest.raises(ValueError, match="no model could .*; naive: RuntimeError: no luck"):
        compare(monthly(), 4, models={}, n_windows=1)
    with pytest.raises(ValueError, match="no naive forecast could be made: RuntimeError: no luck"):
        compare(monthly(), 4, models={"Markov": MarkovForecaster()}, n_windows=1)


def test_what_no_model_can_do_is_refused_at_once() -> None:
    with pytest.raises(
        ValueError, match="`n_windows`=4 windows of horizon=40.* at most n_windows=2 or"
    ):
        compare(monthly(), 40, models={"broken": Broken()})
    X = pd.DataFrame({"x": np.ones(119)}, monthly().index[:-1])
    with pytest.raises(ValueError, match="`X` must have a row for every time of `y`"):
        compare(monthly(), 4, X=X, models={})


def test_long_frames_may_call_their_columns_as_they_like() -> None:
    wide = pd.DataFrame({"A": monthly(), "B": 1e3 * monthly()[::-1].to_numpy()})
    long = wide.rename_axis("month").reset_index().melt("month", var_name="shop", value_name="n")
    columns = {"id_col": "shop", "time_col": "month", "target_col": "n"}
    found = compare(long, 3, models={"Markov": MarkovForecaster()}, **columns)
    same = compare(wide, 3, models={"Markov": MarkovForecaster()})
    pd.testing.assert_frame_equal(
        found.table.drop(columns="seconds"), same.table.drop(columns="seconds")
    )
    assert found.models["Markov"].id_col == "shop"
    own = compare(long, 3, models={"mine": MarkovForecaster(**columns)}, **columns)
    assert own.table.loc["mine", "mase"] == found.table.loc["Markov", "mase"]


def test_settings_and_models_are_kept(comparison: Comparison) -> None:
    assert comparison.settings == {
        "horizon": 12, "n_windows": 3, "step": None, "gap": 0, "refit": False, "random_state": 0,
    }  # fmt: skip
    assert list(comparison.models) == [*NAIVE, *QUICK] and comparison.failures == {}
    assert comparison.models["Markov"].horizon == 12


def test_progress_is_shown_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    compare(monthly(), 4, models={}, n_windows=1, verbose=1)
    assert capfd.readouterr().out == ""


def test_warnings_of_networks_are_left_to_the_verdict() -> None:
    small = MLPForecaster(hidden_size=4, max_epochs=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ForecastWarning)
        compare(random_walk(80, seed=0), 4, models={"MLP": small}, n_windows=1)


def test_the_plot_draws_forecasts_and_errors(comparison: Comparison) -> None:
    left, right = comparison.plot()
    ranked = [label.get_text() for label in right.get_yticklabels()]
    assert ranked == comparison.table.index.tolist()
    names = [text.get_text() for text in left.get_legend().get_texts()] if left.get_legend() else []
    assert len(left.get_lines()) >= 3 or len(names) >= 3


def test_the_default_contestants_all_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    from forecast.engine import training

    def brief(*given: Any) -> dict[str, Any]:
        models = default_models(*given)
        for model in models.values():
            if "max_epochs" in model.get_params():
                model.set_params(max_epochs=2)
        return models

    monkeypatch.setattr(training, "STEPS_PER_EPOCH", 1)
    monkeypatch.setattr("forecast.contest.compare.default_models", brief)
    found = compare(monthly(84), 12, n_windows=1)
    assert set(found.table.index) == set(default_models(12))
    assert isinstance(NaiveForecaster(), type(default_models(12)["naive"]))
    assert found.forecasts[["y_hat", "q0.1", "q0.9"]].notna().all(axis=None)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([NaiveForecaster()], r"`models` must map names to forecasters, got \[NaiveForecaster"),
        ({"drift 2": NaiveForecaster}, r"got the class NaiveForecaster as 'drift 2'. Call it"),
    ],
)
def test_models_of_another_kind_are_refused(models: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        compare(pd.Series(range(60)), 4, models=models)
