"""What is scored is what a suite says, and errors are in units of the same series' naive error."""

from __future__ import annotations

import accuracy_pretrained
import accuracy_single
import figure_pretrained
import numpy as np
import pandas as pd
import pytest
import suites
from suites import LEVELS, Suite, evenly, naive_errors, scores_of

from forecast import NaiveForecaster, backtest, load_dataset

NAIVE = NaiveForecaster("seasonal", season_length=12)


@pytest.fixture
def panel(monkeypatch):
    rng = np.random.default_rng(0)
    y = pd.DataFrame(
        {
            "unique_id": np.repeat(list("abcde"), 60),
            "ds": np.tile(np.arange(1, 61), 5),
            "y": rng.normal(size=300).cumsum(),
        }
    )
    monkeypatch.setattr(suites.forecast, "load_dataset", lambda name: y)
    naive_errors.cache_clear()
    yield y
    naive_errors.cache_clear()


def test_the_seasonal_naive_forecast_has_its_own_error_as_unit(panel):
    suite = Suite("toy", 6, 12, n_windows=2)
    for sample in (None, 2):
        row = suite.score(NAIVE, "validation", sample)
        assert row["mase"] == row["naive_mase"]
        assert row["wql"] == row["naive_wql"]
        assert row["n_series"] == (sample or 5)
    assert naive_errors(suite, "validation", None) != naive_errors(suite, "validation", 2)


def test_the_validation_part_ends_before_the_test_part(panel):
    y = Suite("toy", 6, 12, test=10).history("validation")
    assert y.groupby("unique_id")["ds"].max().eq(50).all()
    assert Suite("toy", 6, 12, test=10).history("test") is panel


def test_samples_are_spread_evenly(panel):
    assert evenly(panel, 2)["unique_id"].unique().tolist() == ["a", "d"]
    assert evenly(panel, None) is panel
    assert evenly(panel, 9)["unique_id"].nunique() == 5


def test_bands_are_judged_at_the_first_and_at_the_last_step_too(panel):
    table = backtest(NAIVE, panel, 6, n_windows=2, quantiles=LEVELS)
    table["y"] = table["q0.5"]
    table.loc[table["step"] == 1, "y"] = 1e6  # outside
    table.loc[(table["step"] == 6) & (table["unique_id"] == "a"), "y"] = table["q0.1"] - 1e-9
    scores = scores_of(table, panel, 12)
    assert scores["coverage0.5_first"] == scores["coverage0.9_first"] == 0
    assert (scores["coverage0.8_last"], scores["coverage0.9_last"]) == (0.8, 1)
    assert scores["coverage0.9"] == pytest.approx(5 / 6)


def test_sets_are_compared_by_ratios_and_the_classic_series_are_one_set():
    about = {"n_series": 1, "seconds": 1.0, "cpu_seconds": 1.0, "wql": 1.0, "naive_wql": 2.0}
    rows = pd.DataFrame(
        [
            {"suite": "nn3", "model": "pre-trained", "mase": 0.5, "naive_mase": 1.0} | about,
            {"suite": "nn3", "model": "Theta", "mase": 0.9, "naive_mase": 1.2} | about,
            {"suite": "nn3", "model": "LSTM", "mase": 0.6, "wql": 0.5},
            {"suite": "nn3", "model": "LSTM", "mase": 0.8, "wql": 0.5},
            {"suite": "lynx", "model": "pre-trained", "mase": 1.0, "naive_mase": 2.0} | about,
            {"suite": "milk", "model": "pre-trained", "mase": 4.0, "naive_mase": 2.0} | about,
            {"suite": "not of these", "model": "pre-trained", "mase": 9.0, "naive_mase": 1} | about,
        ]
    )
    found = accuracy_pretrained.relative(rows)
    ratios = found["relative_mase"].to_dict()
    assert ratios == pytest.approx(
        {
            ("nn3", "pre-trained"): 0.5,
            ("nn3", "Theta"): 0.75,
            ("nn3", "LSTM"): 0.7,
            ("classic", "pre-trained"): 1.0,
        }
    )
    assert found.loc[("nn3", "LSTM"), "relative_wql"] == pytest.approx(0.25)
    assert found.loc[("classic", "pre-trained"), "n_series"] == 2
    beside = accuracy_pretrained.beside(found, "relative_mase")
    assert beside.loc["mean of its own", "pre-trained"] == pytest.approx(np.sqrt(0.5))
    assert beside.loc["mean of the shared"].tolist() == pytest.approx([0.5, 0.75, 0.7])


def test_a_drawn_series_has_nothing_of_the_test_part(panel):
    suite = Suite("toy", 6, 12, test=10)
    one = accuracy_single.before_test(panel, suite, "b")
    assert one.index.tolist() == list(range(1, 51))
    pd.testing.assert_series_equal(one, panel.set_index(["unique_id", "ds"]).loc["b", "y"][:50])


def test_a_drawn_series_moves_where_it_is_scored():
    suite = Suite("toy", 2, 4)
    assert accuracy_single.serves(np.arange(14.0), suite)
    assert not accuracy_single.serves(np.arange(13.0), suite)
    assert not accuracy_single.serves(np.r_[np.arange(14.0), np.ones(6)], suite)


def test_the_named_series_are_whole():
    (nile,) = [suite for suite in accuracy_single.named() if suite.name == "nile"]
    pd.testing.assert_series_equal(nile.history("test"), load_dataset("nile"))
    assert len(nile.history("validation")) == 90


def test_the_figure_shows_the_sets_that_all_models_share(monkeypatch):
    monkeypatch.setattr(figure_pretrained, "FEWEST", 1)
    row = {"relative_mase": 0.5, "seconds": 9.0, "cpu_seconds": 4.0, "n_series": 8}
    rows = pd.DataFrame(
        {
            ("nn3", "pre-trained"): row,
            ("nn3", "Theta"): row | {"n_series": 2},
            ("nn3", "LSTM"): row | {"cpu_seconds": np.nan, "n_series": np.nan},
            ("lynx", "pre-trained"): row,
        }
    ).T.rename_axis(["set", "model"])
    found = figure_pretrained.points(rows)
    assert found["seconds"].to_dict() == {
        ("nn3", "pre-trained"): 0.5,
        ("nn3", "Theta"): 2.0,
        ("nn3", "LSTM"): 9 / 8,
    }
