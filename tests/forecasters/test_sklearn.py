"""scikit-learn's own tools, unmodified, on every forecaster."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    TimeSeriesSplit,
    cross_val_score,
    cross_validate,
)
from sklearn.preprocessing import FunctionTransformer, PowerTransformer
from sklearn.utils import estimator_checks

import forecast.forecasters
from forecast._checks import ForecastWarning
from forecast.evaluation.metrics import scorer
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.window.markov import MarkovForecaster
from forecast.forecasters.window.mlp import MLPForecaster
from tests.checks import concrete_subclasses

FORECASTERS = concrete_subclasses(forecast.forecasters, BaseForecaster)
# Quick is one that trains a network
DEAR = {kind for kind in FORECASTERS if {"max_epochs", "budget"} & {*kind().get_params()}}
DEAR -= {MLPForecaster}
# The checks of scikit-learn's suite that fit no array: the first argument here is a target in time.
PARAMETER_CHECKS = [
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]
LOG = FunctionTransformer(np.log, np.exp)


@pytest.fixture
def X(monthly: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"x": np.random.default_rng(0).normal(size=96)}, monthly.index)


@pytest.mark.parametrize("check", PARAMETER_CHECKS)
@pytest.mark.parametrize("kind", FORECASTERS, ids=lambda kind: kind.__name__)
@pytest.mark.mission("M43")
def test_scikit_learns_own_parameter_checks_pass(kind: type[BaseForecaster], check: str) -> None:
    function = getattr(estimator_checks, check, None)
    if function is None:
        pytest.skip(f"this scikit-learn has no {check}")
    function(kind.__name__, kind())


@pytest.mark.parametrize("kind", FORECASTERS, ids=lambda kind: kind.__name__)
@pytest.mark.mission("M43")
def test_every_parameter_is_in_the_signature_and_the_docstring(kind: type[Any]) -> None:
    names = set(kind().get_params(deep=False))
    common = {"horizon", "season_length", "freq", "target_transform", "id_col"}
    assert names >= common | {"time_col", "target_col"}
    text = "".join(base.__doc__ or "" for base in kind.__mro__ if "forecast." in base.__module__)
    assert [name for name in names if name not in text] == []


@pytest.mark.parametrize("kind", FORECASTERS, ids=lambda kind: kind.__name__)
def test_an_unknown_parameter_is_refused_by_the_class_that_was_called(kind: type[Any]) -> None:
    message = f"^{kind.__name__} has no parameter 'horizont'; it has .*horizon, "
    with pytest.raises(TypeError, match=message):
        kind(horizont=3)


@pytest.mark.parametrize("kind", FORECASTERS, ids=lambda kind: kind.__name__)
@pytest.mark.mission("M43")
def test_html_diagram_shows_the_forecaster(kind: type[BaseForecaster]) -> None:
    model = kind(horizon=7, target_transform=PowerTransformer())
    with config_context(display="diagram"):
        html = model._repr_html_()
    assert kind.__name__ in html and "PowerTransformer" in html
    with config_context(display="text", print_changed_only=True):
        assert repr(model) == f"{kind.__name__}(horizon=7, target_transform=PowerTransformer())"


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=[pytest.mark.slow] * (k in DEAR)) for k in FORECASTERS],
    ids=lambda kind: kind.__name__,
)
@pytest.mark.mission("M43")
@pytest.mark.usefixtures("little_effort")
def test_cross_validation_of_every_forecaster(
    kind: type[BaseForecaster], monthly: pd.Series
) -> None:
    small = {"max_epochs": 2, "hidden_size": 4, "n_estimators": 1, "random_state": 0, "budget": 1}
    model = kind(horizon=6)
    model.set_params(**{k: v for k, v in small.items() if k in model.get_params()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ForecastWarning)  # two epochs are no training
        scores = cross_val_score(model, monthly, cv=TimeSeriesSplit(2, test_size=6))
    assert scores.shape == (2,) and (scores < 0).all() and np.isfinite(scores).all()


@pytest.mark.parametrize(
    "options",
    [
        {"test_size": 12},
        {"test_size": 6, "gap": 5},
        {"test_size": 6, "max_train_size": 40},
        {"test_size": 6, "gap": 3, "max_train_size": 40},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "many", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["series", "wide"]
)
@pytest.mark.parametrize("known", [False, True], ids=["plain", "X"])
@pytest.mark.mission("M43")
def test_time_series_split_scores_equal_fits_by_hand(
    monthly: pd.Series,
    wide: pd.DataFrame,
    X: pd.DataFrame,
    options: dict[str, int],
    many: bool,
    known: bool,
) -> None:
    """What cross_val_score returns is the score of a forecaster fitted by hand on each part."""
    y, covariates = wide if many else monthly, X if known else None
    cv, model = TimeSeriesSplit(3, **options), MarkovForecaster(order=3)
    if known and options.get("gap"):  # scikit-learn hands over no X of the gap
        with pytest.raises(ValueError, match=r"`X` .* missing, the first at"):
            cross_val_score(model, y, covariates, cv=cv, error_score="raise")
        return
    scores = cross_val_score(model, y, covariates, cv=cv)
    by_hand = []
    for train, test in cv.split(y):
        own, later = (None, None) if not known else (X.iloc[train], X.iloc[test])
        by_hand.append(clone(model).fit(y.iloc[train], own).score(y.iloc[test], later))
    np.testing.assert_array_equal(scores, by_hand)


@pytest.mark.slow
@pytest.mark.mission("M43")
def test_two_processes_give_the_same_bits(wide: pd.DataFrame, X: pd.DataFrame) -> None:
    cv = TimeSeriesSplit(4, test_size=8)
    one, two = (
        cross_validate(MarkovForecaster(), wide, X, cv=cv, n_jobs=jobs, return_estimator=True)
        for jobs in (1, 2)
    )
    np.testing.assert_array_equal(one["test_score"], two["test_score"])
    for left, right in zip(one["estimator"], two["estimator"], strict=True):
        ahead = X.iloc[-8:].set_index(left.predict(8, _after(left, X)).index)
        pd.testing.assert_frame_equal(left.predict(8, ahead), right.predict(8, ahead))


def _after(model: BaseForecaster, X: pd.DataFrame) -> pd.DataFrame:
    index = pd.date_range(model.panel_.grid[-1], periods=9, freq="MS")[1:]
    return pd.DataFrame({"x": 0.0}, index)


@pytest.mark.mission("M43")
def test_grid_search_finds_the_planted_order() -> None:
    rng = np.random.default_rng(0)
    values = np.zeros(300)
    for t in range(6, 300):
        values[t] = 0.95 * values[t - 6] + rng.normal()
    y = pd.Series(values)
    search = GridSearchCV(
        MarkovForecaster(season_length=1),
        {"order": [1, 2, 6]},
        cv=TimeSeriesSplit(5, test_size=6),
    ).fit(y)
    assert search.best_params_ == {"order": 6}
    assert len(search.predict(4)) == 4


@pytest.mark.mission("M43")
def test_grid_search_with_a_transformer(monthly: pd.Series) -> None:
    """Growth by a factor: a drift on the logarithm wins, and the search finds it."""
    y = np.exp(0.05 * pd.Series(np.arange(96.0), monthly.index))
    search = GridSearchCV(
        NaiveForecaster(),
        {"strategy": ["last", "drift"], "target_transform": [None, LOG]},
        cv=TimeSeriesSplit(3, test_size=6),
    ).fit(y)
    assert search.best_params_ == {"strategy": "drift", "target_transform": LOG}
    np.testing.assert_allclose(search.predict(2), np.exp(0.05 * np.array([96, 97])), rtol=1e-9)
    nested = GridSearchCV(
        MarkovForecaster(order=2, target_transform=PowerTransformer()),
        {"target_transform__method": ["box-cox", "yeo-johnson"]},
        cv=TimeSeriesSplit(2, test_size=6),
    ).fit(monthly)
    assert set(nested.best_params_) == {"target_transform__method"}


def test_a_search_over_the_season_compares_errors_in_one_unit(monthly: pd.Series) -> None:
    """The last value is the same forecast whatever the season, so its score is."""
    search = GridSearchCV(
        NaiveForecaster(), {"season_length": [1, 12]}, cv=TimeSeriesSplit(3, test_size=6)
    ).fit(monthly)
    one, year = search.cv_results_["mean_test_score"]
    assert one == year


@pytest.mark.mission("M43")
def test_randomized_search_runs_over_a_forecaster(monthly: pd.Series, X: pd.DataFrame) -> None:
    search = RandomizedSearchCV(
        MarkovForecaster(regressor=HistGradientBoostingRegressor(max_iter=5)),
        {"order": range(1, 13), "regressor__max_depth": [2, 3]},
        n_iter=3,
        cv=TimeSeriesSplit(2, test_size=12),
        scoring=scorer("rmse"),
        random_state=0,
    ).fit(monthly, X)
    assert len(search.cv_results_["params"]) == 3 and search.best_score_ < 0
    ahead = pd.DataFrame({"x": 0.0}, pd.date_range("2023-01-01", periods=3, freq="MS"))
    assert len(search.best_estimator_.predict(3, ahead)) == 3


@pytest.mark.mission("M43")
def test_a_scoring_string_is_answered_with_the_remedy(monthly: pd.Series, X: pd.DataFrame) -> None:
    model = MarkovForecaster().fit(monthly[:90], X[:90])
    with pytest.raises(TypeError, match="leave `scoring` out"):
        get_scorer("r2")(model, monthly[90:], X[90:])


@pytest.mark.mission("M43")
def test_a_scoring_string_without_X_never_reaches_the_forecaster(
    monthly: pd.Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scikit-learn then calls scorer(estimator, y_test): its own scorer lacks an argument, and
    fails before it asks the estimator anything, so no sentence of ours can be said."""
    asked: list[str] = []
    model = MarkovForecaster().fit(monthly[:90])
    for name in ("predict", "score", "__sklearn_tags__"):
        monkeypatch.setattr(MarkovForecaster, name, lambda self, *_, name=name: asked.append(name))
    with pytest.raises(TypeError, match="y_true"):
        get_scorer("r2")(model, monthly[90:])
    assert asked == []


@pytest.mark.slow
@pytest.mark.mission("M43")
def test_grid_search_picks_the_planted_network() -> None:
    """A value answers the one 24 steps back, bent: a window of 8 or one unit cannot tell."""
    rng = np.random.default_rng(0)
    values = list(rng.uniform(-1, 1, 24))
    for _ in range(400):
        values.append(np.cos(3 * values[-24]) + 0.05 * rng.normal())
    model = MLPForecaster(
        horizon=8, season_length=1, random_state=0, max_epochs=8, learning_rate=1e-2
    )
    grid = {"hidden_size": [1, 32], "context_length": [8, 24]}
    cv = TimeSeriesSplit(2, test_size=24)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ForecastWarning)
        one, two = (
            GridSearchCV(model, grid, cv=cv, n_jobs=jobs).fit(pd.Series(values)) for jobs in (1, 2)
        )
    assert one.best_params_ == {"hidden_size": 32, "context_length": 24}
    scores = [search.cv_results_["mean_test_score"] for search in (one, two)]
    np.testing.assert_array_equal(*scores)
    pd.testing.assert_series_equal(one.predict(5), two.predict(5), check_exact=True)
