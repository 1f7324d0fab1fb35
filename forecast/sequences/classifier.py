"""A class for a sequence, or a label or alarm at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from forecast._checks import short
from forecast.sequences.base import SequenceEstimator
from forecast.sequences.model import ClassHead, Head
from forecast.sequences.parameters import Common
from forecast.sequences.reading import Array


class SequenceClassifier(ClassifierMixin, SequenceEstimator):
    """Read a class off a sequence, or with `each_step` a label or an alarm at every step.

    Parameters
    ----------
    class_weight : dict, "balanced", optional
        How much a label of each class counts; "balanced": inversely to how often it occurs.
        Probabilities then are those of the classes so weighted.
    **parameters
        Those of `SequenceEstimator`.

    Attributes
    ----------
    classes_ : ndarray (K,)
        The labels, sorted.

    Examples
    --------
    The sign of the first value, however long ago, at every step:

    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=n) for n in rng.integers(3, 8, size=200)]
    >>> y = [np.full(len(one), "up" if one[0] > 0 else "down") for one in X]
    >>> model = SequenceClassifier(each_step=True, hidden_size=8, max_epochs=6, random_state=0)
    >>> model.set_params(learning_rate=0.03).fit(X, y).predict([[1.0, -1.0, -1.0], [-1.0, 2.0]])
    [array(['up', 'up', 'up'], dtype='<U4'), array(['down', 'down'], dtype='<U4')]
    """

    classes_: Array

    def __init__(
        self,
        *,
        class_weight: Mapping[Any, float] | str | None = None,
        **parameters: Unpack[Common],
    ) -> None:
        super().__init__(**parameters)
        self.class_weight = class_weight

    def predict(self, X: Any) -> Any:
        """Return the likeliest class of every unit; with `each_step` of every step.

        Parameters
        ----------
        X
            Units in any form of `fit`.

        Returns
        -------
        An array (n,), or (n, T) for steps; a list of arrays (T,) if X is one; of a long frame a
        Series, indexed by unit, or by row.
        """
        return self._answers(X, self._likeliest)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of every class.

        Parameters
        ----------
        X
            Units in any form of `fit`.

        Returns
        -------
        As `predict`, with a last axis, or columns, for the K classes.
        """
        return self._answers(X)

    def _likeliest(self, probabilities: Array) -> Array:
        return self.classes_[probabilities.argmax(-1)]

    def _check_labels(self, labels: Array) -> Array:
        given = ~np.asarray(pd.isna(labels))
        seen = _of_one_kind(labels[given])
        check_classification_targets(seen)
        self.classes_, codes = np.unique(seen, return_inverse=True)
        targets = np.full(len(labels), np.nan)
        targets[given] = codes
        return targets

    def _head(self, targets: Array | None = None) -> Head:
        """Return a head whose weights are 1 on average over the targets."""
        if targets is None:
            return ClassHead(torch.ones(len(self.classes_), dtype=torch.float64))
        codes = targets.astype(int)
        weights = compute_class_weight(
            self.class_weight, classes=self.classes_, y=self.classes_[codes]
        )
        return ClassHead(torch.from_numpy(weights / weights[codes].mean()))

    @property
    def _names(self) -> Array | None:
        return self.classes_


def _of_one_kind(labels: Array) -> Array:
    """Return labels as words, or as what numpy makes of numbers; refuse both at once."""
    if labels.dtype != object:
        return labels
    word = np.array([isinstance(one, str) for one in labels], dtype=bool)
    if word.any() and not word.all():
        raise ValueError(
            f"`y` must hold words or numbers, not both, got {short(labels[word][0])} and "
            f"{short(labels[~word][0])}. Write all as words."
        )
    return labels if word.any() else pd.Series(labels).infer_objects().to_numpy()
