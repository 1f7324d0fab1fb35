"""A number for a sequence, or one at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from forecast._checks import short
from forecast.sequences.base import SequenceEstimator
from forecast.sequences.model import Head, ValueHead
from forecast.sequences.reading import Array


class SequenceRegressor(RegressorMixin, SequenceEstimator):
    """Read a number off a sequence: remaining life, a score, a total; by its squared error.

    Its parameters are those of `SequenceEstimator`.

    Examples
    --------
    The sum of a sequence, of whatever length:

    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=n) for n in rng.integers(3, 8, size=200)]
    >>> y = [one.sum() for one in X]
    >>> model = SequenceRegressor(cell="gru", hidden_size=16, max_epochs=10, random_state=0)
    >>> model.set_params(learning_rate=0.02).fit(X, y).predict(
    ...     [[1.0, 1.0, -1.0], [1.0, 0.5]]
    ... ).round(1)
    array([1. , 1.5])
    """

    def predict(self, X: Any) -> Any:
        """Return a number for every unit; with `each_step` for every step.

        Parameters
        ----------
        X
            Units in any form of `fit`.

        Returns
        -------
        An array (n,), or (n, T) for steps; a list of arrays (T,) if X is one; of a long frame a
        Series, indexed by unit, or by row.
        """
        return self._answers(X)

    def _check_labels(self, labels: Array) -> Array:
        try:
            return labels.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`y` must hold numbers, got {short(labels.tolist())}. For classes take a "
                "SequenceClassifier."
            ) from error

    def _head(self, targets: Array | None = None) -> Head:
        targets = np.zeros(1) if targets is None else targets
        return ValueHead(targets.mean(), targets.std() or 1.0)
