"""scikit-learn's whole estimator suite, unmodified."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from forecast.sequences.classifier import SequenceClassifier
from forecast.sequences.regressor import SequenceRegressor

ESTIMATORS = (SequenceRegressor, SequenceClassifier)
# Of the cells the quickest, and the start from which it learns in a few steps.
QUICK = {"cell": "tanh", "initialisation": "orthogonal", "hidden_size": 32}
BRIEF = {"max_epochs": 1, "learning_rate": 0.03}
AGAIN = {
    "check_classifier_data_not_an_array",
    "check_estimators_dtypes",
    "check_f_contiguous_array_estimator",
}


def once() -> Iterator[Any]:
    """Yield the checks of a classifier; slow are those that only change the kind of array."""
    for estimator, check in estimator_checks_generator(SequenceClassifier(**QUICK, **BRIEF)):
        again = "memmap" in str(check.keywords) or check.func.__name__ in AGAIN
        name = f"{check.func.__name__}{[*check.keywords.values()] or ''}"
        yield pytest.param(estimator, check, id=name, marks=[pytest.mark.slow] * again)


@pytest.mark.parametrize(("estimator", "check"), list(once()))
def test_scikit_learns_checks_pass(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([SequenceRegressor(**QUICK, **BRIEF)])
def test_scikit_learns_checks_of_regressors_pass(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([kind(max_epochs=6, learning_rate=0.03) for kind in ESTIMATORS])
def test_scikit_learns_checks_pass_with_gates(estimator: Any, check: Any) -> None:
    check(estimator)
