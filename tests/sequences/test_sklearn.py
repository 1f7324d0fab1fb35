"""scikit-learn's whole estimator suite, unmodified."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from forecast.sequences.classifier import SequenceClassifier
from forecast.sequences.regressor import SequenceRegressor

ESTIMATORS = (SequenceRegressor, SequenceClassifier)
# Of the cells the quickest, and the start from which it learns in a few steps.
QUICK = {"cell": "tanh", "initialisation": "orthogonal", "hidden_size": 32}
BRIEF = {"max_epochs": 1, "learning_rate": 0.03}


@parametrize_with_checks([SequenceClassifier(**QUICK, **BRIEF)])
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
