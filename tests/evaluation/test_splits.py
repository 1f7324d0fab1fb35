"""RollingOrigin: the same windows as backtest, as row positions that scikit-learn takes."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, check_cv, cross_val_score

from forecast import MarkovForecaster, NaiveForecaster
from forecast.evaluation.backtest import rolling_origins
from forecast.evaluation.splits import RollingOrigin

DAYS = pd.date_range("2024-01-01", periods=40, freq="D")


def long_frame(seed: int = 0) -> pd.DataFrame:
    """Three seasonal series that start and end at different days, rows shuffled."""
    rng = np.random.default_rng(seed)
    y = np.tile([1.0, 5.0, 3.0, 9.0], 10)
    parts = [
        pd.DataFrame({"unique_id": name, "ds": DAYS[low:high], "y": y[low:high]})
        for name, low, high in (("b", 0, 40), ("a", 5, 36), ("c", 10, 40))
    ]
    long = pd.concat(parts)
    long["y"] += rng.normal(0, 0.1, len(long))
    return long.sample(frac=1, random_state=seed).reset_index(drop=True)


def tables() -> dict[str, pd.Series | pd.DataFrame]:
    long = long_frame()
    series = pd.Series(np.arange(40.0), index=DAYS, name="s")
    return {
        "series": series,
        "unsorted series": series.sample(frac=1, random_state=0),
        "wide": pd.DataFrame({"a": series, "b": series + 1}),
        "long": long,
        "multi": long.set_index(["unique_id", "ds"])["y"],
    }


@pytest.mark.parametrize("kind", tables())
@pytest.mark.parametrize(("step", "gap"), [(None, 0), (2, 3)])
def test_windows_are_those_of_backtest(kind: str, step: int | None, gap: int) -> None:
    y = tables()[kind]
    splits = list(RollingOrigin(3, horizon=4, step=step, gap=gap).split(y))
    origins = list(rolling_origins(y, 4, n_windows=3, step=step, gap=gap))
    assert len(splits) == 3
    for (train, test), origin in zip(splits, origins, strict=True):
        assert y.iloc[train].equals(origin.history)
        per_series = 4 * (1 if kind == "wide" else origin.panel.n_series)
        assert len(test) == per_series
        assert not set(train) & set(test)
        if kind == "long":
            parts = y.iloc[test].groupby("unique_id")["ds"]
            cutoffs = pd.Series(origin.cutoffs, index=origin.panel.ids)
            for name, times in parts:
                assert times.min() == cutoffs[name] + pd.Timedelta(days=gap + 1)
                assert times.max() == cutoffs[name] + pd.Timedelta(days=gap + 4)


def test_a_series_is_split_as_time_series_split_does() -> None:
    y = tables()["series"]
    other = TimeSeriesSplit(3, test_size=4, gap=2).split(y)
    for one, two in zip(RollingOrigin(3, horizon=4, gap=2).split(y), other, strict=True):
        for mine, theirs in zip(one, two, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("kind", ["long", "multi", "wide"])
def test_a_search_over_a_panel_picks_the_planted_order(kind: str) -> None:
    y = long_frame()
    if kind == "multi":
        y = y.set_index(["unique_id", "ds"])["y"]
    elif kind == "wide":
        y = y.pivot_table(index="ds", columns="unique_id", values="y").iloc[10:36]
    search = GridSearchCV(
        MarkovForecaster(1), {"order": [1, 4]}, cv=RollingOrigin(2, horizon=4)
    ).fit(y)
    assert search.best_params_ == {"order": 4}


def test_covariates_are_split_with_the_target() -> None:
    y = long_frame()
    X = y[["unique_id", "ds"]].assign(price=np.arange(len(y)) % 7)
    scores = cross_val_score(MarkovForecaster(4), y, X, cv=RollingOrigin(2, horizon=3))
    assert np.isfinite(scores).all()
    with pytest.raises(ValueError, match="the rows of `y`, in the same order"):
        next(RollingOrigin().split(y, X.iloc[::-1]))


def test_scores_are_those_of_fitting_by_hand() -> None:
    y = long_frame()
    scores = cross_val_score(NaiveForecaster(), y, cv=RollingOrigin(2, horizon=3))
    by_hand = [
        NaiveForecaster().fit(y.iloc[train]).score(y.iloc[test])
        for train, test in RollingOrigin(2, horizon=3).split(y)
    ]
    np.testing.assert_array_equal(scores, by_hand)


def test_it_is_a_cross_validator_of_scikit_learn() -> None:
    cv = RollingOrigin(2, horizon=3)
    assert check_cv(cv) is cv
    assert cv.get_n_splits() == 2
    assert "n_windows=2" in repr(cv)
    assert "horizon=3" in repr(cv)
    search = clone(GridSearchCV(NaiveForecaster(), {"strategy": ["last"]}, cv=cv))
    assert vars(search.cv) == vars(cv) == vars(copy.deepcopy(cv))


@pytest.mark.parametrize(
    ("options", "y", "error", "message"),
    [
        ({"n_windows": 0}, "series", ValueError, "`n_windows` must be a positive integer, got 0"),
        ({"horizon": 1.5}, "series", TypeError, "`horizon` must be a positive integer"),
        (
            {"horizon": 8},
            "long",
            ValueError,
            "need more than 32 values, series 'c' has 30|series 'a'",
        ),
        ({}, "list", TypeError, "splits one table"),
    ],
)
def test_what_is_refused(options: dict, y: str, error: type[Exception], message: str) -> None:
    table = [tables()["series"]] if y == "list" else tables()[y]
    with pytest.raises(error, match=message):
        list(RollingOrigin(**options).split(table))
