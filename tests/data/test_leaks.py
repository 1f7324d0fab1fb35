"""A known covariate that tells the target is named; what merely resembles it is not."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from forecast._checks import ForecastWarning
from forecast.data.frames import read_frames

DAYS = pd.date_range("2024-01-01", periods=60)
Y = pd.Series(np.random.default_rng(0).normal(size=60).cumsum(), DAYS, name="y")


@pytest.mark.parametrize(
    ("x", "ahead"),
    [
        (Y, ""),
        (100 * Y + 3, ""),
        ((1.19 * Y).round(2), ""),
        (Y.shift(-1).ffill(), " 1 step later"),
        (-Y.shift(-7).ffill(), " 7 steps later"),
    ],
)
def test_a_covariate_that_tells_the_target_is_named(x: pd.Series, ahead: str) -> None:
    X = pd.DataFrame({"fine": np.arange(60.0) ** 2, "told": x})
    if ahead:  # rows that are filled up are no copies: the future is known beyond the history
        X, y = X.iloc[:50], Y.iloc[:50]
    else:
        y = Y
    with pytest.warns(
        ForecastWarning, match=f"covariate 'told' is the target{ahead}: .* past_only"
    ):
        read_frames(y, X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_frames(y, X, past_only=["told"])


def test_the_target_may_be_the_rounded_one() -> None:
    with pytest.warns(ForecastWarning, match="covariate 'told' is the target: "):
        read_frames(Y.round(2), pd.DataFrame({"told": 1.19 * Y}))


def test_of_several_series_each_counts() -> None:
    long = pd.DataFrame({"unique_id": np.repeat(["a", "b"], 30), "ds": DAYS[:30].append(DAYS[:30]),
                         "y": Y.to_numpy()})  # fmt: skip
    X = long.rename(columns={"y": "told"})
    with pytest.warns(ForecastWarning, match="covariate 'told' is the target: "):
        read_frames(long, X)


@pytest.mark.parametrize(
    "x",
    [
        Y > 0,
        Y.round(0),
        (Y + 0.01 * np.sin(np.arange(60))).round(3),
        Y.shift(1).bfill(),
        Y + 0.01 * np.sin(np.arange(60)),
        Y**2,
    ],
    ids=str,
)
def test_what_only_resembles_the_target_is_no_leak(x: pd.Series) -> None:
    read_frames(Y, pd.DataFrame({"x": x.astype(float)}))


def test_straight_lines_are_no_leak() -> None:
    y = pd.Series(np.arange(60.0), DAYS)
    read_frames(y, pd.DataFrame({"trend": np.arange(60.0) * 2 + 1}, DAYS))
    read_frames((7.03 * y).round(1), pd.DataFrame({"trend": np.arange(60.0) * 2 + 1}, DAYS))
