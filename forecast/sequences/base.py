"""What both sequence estimators are: parameters, fit, answers for whole units, and streaming."""

from __future__ import annotations

import abc
from collections.abc import Callable
from os import PathLike
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from forecast.engine.training import seeded
from forecast.forecasters.neural.building import device_of
from forecast.networks.base import State, pick, stack
from forecast.networks.initialisation import STARTS
from forecast.sequences import learning, saving
from forecast.sequences.batches import Units, last_steps
from forecast.sequences.model import Head, SequenceModel
from forecast.sequences.parameters import SequenceParameters
from forecast.sequences.reading import (
    Array,
    Sequences,
    Stacked,
    is_table,
    read_array,
    read_frame,
    read_list,
)
from forecast.sequences.saving import Live


class SequenceEstimator(SequenceParameters, abc.ABC):
    """Learn from sequences, each of its own length (abstract).

    A network reads each unit step by step. Its answer is read off the last state, or with
    `each_step` off the state at every step, which depends on the steps so far and on none later.

    Its parameters are those of `SequenceParameters`.

    Attributes
    ----------
    model_ : torch.nn.Module
        Reader, networks, readouts and head, in double precision.
    history_ : DataFrame
        One row per epoch.
    n_inputs_ : int
        Features of a step, F.
    n_features_in_ : int
        As scikit-learn has it: of a table its width, else `n_inputs_`.
    """

    model_: SequenceModel
    history_: pd.DataFrame
    n_inputs_: int

    def __sklearn_tags__(self) -> Any:
        """Say what scikit-learn's tools may pass: arrays of three axes, and missing values."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = tags.input_tags.three_d_array = True
        return tags

    @abc.abstractmethod
    def _check_labels(self, labels: Array) -> Array:
        """Return labels as they are learned from, float64, NaN where there is none."""

    @abc.abstractmethod
    def _head(self, targets: Array | None = None) -> Head:
        """Return the head for the targets that are learned from; without any, a neutral one."""

    @property
    def _names(self) -> Array | None:
        """What the numbers of an answer are called, if it has several."""
        return None

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from sequences and their labels.

        Parameters
        ----------
        X
            Units as an array (n, T), whose rows are sequences of one feature, or (n, T, F); a list
            of arrays (T,) or (T, F), or of frames with a row per step, each of its own length; or a
            long frame with a row per unit and time. NaN is unobserved.
        y
            A label per unit: (n,); of a long frame a Series indexed by unit. With `each_step` one
            per step: (n, T), a list of arrays (T,), or a column beside the long frame, NaN where a
            step has no label.

        Returns
        -------
        The estimator itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter, X or y is not as described.
        """
        self._check_parameters()
        sequences = self._read(X, fit=True)
        form = sequences.form
        targets = self._check_labels(form.step_labels(y) if self.each_step else form.unit_labels(y))
        if np.isnan(targets).all():
            raise ValueError("`y` must have a label at one step at least, got none.")
        if np.isinf(targets).any():
            raise ValueError("`y` must be finite, NaN where there is no label, got an infinity.")
        self._learn(sequences, targets, check_random_state(self.random_state).randint(2**31 - 1))
        return self

    def _learn(self, sequences: Sequences, targets: Array, seed: int) -> None:
        classes = targets if is_classifier(self) and not self.each_step else None
        n, fraction = len(sequences.lengths), self.validation_fraction * self.early_stopping
        split = learning.held_out(n, fraction, seed, classes)
        asked = targets if self.each_step else last_steps(sequences, targets)
        reader, head = learning.reader_of(sequences.values), self._head(asked[~np.isnan(asked)])
        device = device_of(self.device)
        with seeded(seed):
            model = learning.build(self, reader, head).to(device)
            STARTS[self.initialisation](model.network, max(int(sequences.lengths.max()), 3))
            units = Units(sequences, asked, device)
            history = learning.train(self, model, units, *split, seed)
        self.model_, self.history_ = model, history
        self.live_: Live | None = None

    def update(self, X: Any) -> Any:
        """Read on, and return the answer at every new step: a stream of many units.

        Each unit goes on where it stood; the first update, or one with a new id, begins it. A step
        costs one call of the cell, whatever came before, and the answers are those for the whole
        sequence so far.

        Parameters
        ----------
        X
            New steps, in any form of `fit`. Units of a long frame are known by their ids, others
            by their places.

        Returns
        -------
        What the estimator says at each new step, in the form of X: of a classifier the
        probabilities.
        """
        check_is_fitted(self)
        sequences = self._read(X, table=False)
        before = self._live_state(sequences.form.units)
        units = self._units(sequences)
        batch = units.batch(units.every, torch.zeros_like(units.every), int(units.lengths.max()))
        ragged = bool((sequences.lengths != sequences.lengths[0]).any())
        with torch.inference_mode():
            outputs, after = self.model_(batch.values, before, units.lengths if ragged else None)
            inside = torch.arange(outputs.shape[1], device=outputs.device) < units.lengths[:, None]
            answers = self.model_.head.answer(outputs[inside]).cpu().numpy()
        self.live_ = self._followed(sequences.form.units, after)
        return sequences.form.of_steps(answers, self._names)

    def restart(self) -> Self:
        """Forget the units that `update` follows; what `fit` learned stays."""
        check_is_fitted(self)
        self.live_ = None
        return self

    def _live_state(self, units: pd.Index) -> State:
        """Return the states (B, ...) of units, at the start for those not yet followed."""
        initial = self.model_.network.initial_state(len(units))
        if self.live_ is None:
            return initial
        if self.live_.units.equals(units):
            return self.live_.state
        places = torch.tensor(self.live_.units.get_indexer(units))
        joined = stack([self.live_.state, self.model_.network.initial_state(1)])  # -1: the start
        return pick(joined, places % (len(self.live_.units) + 1))

    def _followed(self, units: pd.Index, state: State) -> Live:
        """Return all units that are followed after some of them have gone on."""
        if self.live_ is None or self.live_.units.equals(units):
            return Live(units, state)
        others = ~self.live_.units.isin(units)
        rest = pick(self.live_.state, torch.as_tensor(np.flatnonzero(others)))
        return Live(self.live_.units[others].append(units), stack([rest, state]))

    def _answers(self, X: Any, of: Callable[[Array], Array] = np.asarray) -> Any:
        """Return what the model says of whole sequences, or a function of it, in the form of X."""
        check_is_fitted(self)
        sequences = self._read(X)
        answers = self._answers_of(sequences)
        if self.each_step:
            return sequences.form.of_steps(of(answers), self._names)
        return sequences.form.of_units(of(answers[sequences.ends]), self._names)

    def _answers_of(self, sequences: Sequences) -> Array:
        """Return what the model says at every step, (N,) or (N, K)."""
        units = self._units(sequences)
        found: list[Any] = [None] * len(sequences.lengths)
        with torch.inference_mode():
            for chosen, batch in units.all(units.every):
                start = self.model_.network.initial_state(len(chosen))
                answers = self.model_.head.answer(self.model_(batch.values, start)[0]).cpu().numpy()
                for unit, answer in zip(chosen.tolist(), answers, strict=True):
                    found[unit] = answer[: sequences.lengths[unit]]
        return np.concatenate(found)

    def _units(self, sequences: Sequences) -> Units:
        nothing = np.full(len(sequences.values), np.nan)
        return Units(sequences, nothing, self.model_.reader.mean.device)

    def _read(self, X: Any, *, fit: bool = False, table: bool = True) -> Sequences:
        """Return sequences of the features of `fit`, or learn which these are.

        A table has its width as scikit-learn wants it, unless `table` is false.
        """
        names = None if fit else self._columns
        sequences = read_frame(X, self.id_col, self.time_col, names) or read_list(X, names)
        if sequences is None:
            if table and is_table(X) and (fit or self._fitted_to_table):
                X = validate_data(self, X, reset=fit, dtype=np.float64, ensure_all_finite=False)
            sequences = read_array(X)
        if fit:
            self._learn_features(sequences, X)
        elif sequences.values.shape[1] != self.n_inputs_:
            raise ValueError(
                f"`X` must have the features of `fit` at every step, {self.n_inputs_}, got "
                f"{sequences.values.shape[1]}."
            )
        elif np.isnan(sequences.values).any() and not self.model_.reader.masked:
            raise ValueError(
                "`X` must have no missing values, as it had none in `fit`. Fit with some that are "
                "NaN to learn what they mean, or fill them."
            )
        return sequences

    def _learn_features(self, sequences: Sequences, X: Any) -> None:
        self.n_inputs_ = sequences.values.shape[1]
        if isinstance(sequences.form, Stacked) and is_table(X):
            return  # `validate_data` has learned them
        self.n_features_in_ = self.n_inputs_
        self.__dict__.pop("feature_names_in_", None)
        if sequences.names is not None:
            self.feature_names_in_ = np.array(sequences.names, dtype=object)

    @property
    def _fitted_to_table(self) -> bool:
        return bool(self.n_inputs_ == 1 < self.n_features_in_)

    @property
    def _columns(self) -> Array | None:
        """The features of the frames that were fitted."""
        return None if self._fitted_to_table else getattr(self, "feature_names_in_", None)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted estimator to one file, which `forecast.load` reads."""
        saving.save(self, path)

    @classmethod
    def rebuild(cls, about: dict[str, Any], arrays: dict[str, Array]) -> Self:
        """Return the estimator of a file, for `forecast.load`."""
        return saving.rebuild(cls, about, arrays)
