"""The parameters of both sequence estimators."""

from __future__ import annotations

import abc
from typing import TypedDict

import numpy as np
from sklearn.base import BaseEstimator

from forecast._checks import boolean, one_of, positive_integer, training_parameters
from forecast.forecasters.parameters import SharedSignature
from forecast.networks.initialisation import STARTS
from forecast.networks.recurrent import CELLS

# Parameters that are whole numbers, at least 1.
COUNTS = "hidden_size num_layers batch_size n_estimators".split()


class Common(TypedDict, total=False):
    """The parameters of both, for the signature of one that has its own."""

    each_step: bool
    cell: str
    hidden_size: int
    num_layers: int
    dropout: float
    initialisation: str
    truncation: int | None
    learning_rate: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    clip_norm: float | None
    n_estimators: int
    random_state: int | np.random.RandomState | None
    device: str
    id_col: str
    time_col: str


class SequenceParameters(SharedSignature, BaseEstimator, abc.ABC):
    """The constructor of sequence estimators: it only stores.

    Parameters
    ----------
    each_step : bool
        Answer at every step rather than once for a unit.
    cell : str
        The recurrence, by its name in `forecast.networks.recurrent.CELLS`: "lstm", "gru", "mgu",
        "tanh" or "relu" (Elman's).
    hidden_size, num_layers : int
        Units per layer, and layers.
    dropout : float
        Share of units silenced between layers while training.
    initialisation : str
        How recurrent weights start, as in `RecurrentForecaster`: "default", "orthogonal",
        "forget_bias", or "chrono" for what must be kept over the length of the sequences.
    truncation : int, optional
        Steps after which the gradient ends while the state is carried on: for sequences of many
        thousand steps. Default: the gradient passes through whole sequences.
    learning_rate, weight_decay : float
        Of AdamW; the rate rises over a tenth of training and falls by a cosine.
    batch_size : int
        Units per step of the optimiser.
    max_epochs : int
        Epochs of 50 steps each.
    early_stopping : bool
        Hold out a part of the units, stop when their loss does not improve for
        `n_iter_no_change` epochs, keep the best weights. Too few units are all learned from.
    validation_fraction : float
        Share of the units that is held out.
    n_iter_no_change : int
        Patience in epochs.
    clip_norm : float, optional
        Bound on the norm of the gradient.
    n_estimators : int
        Networks that are trained side by side, each from its own random start; the answer is
        their mean.
    random_state : int, RandomState, optional
        Same seed, same bits. None draws a fresh one.
    device : str
        "auto" (CUDA, else the CPU) or a torch device.
    id_col, time_col : str
        The columns of a long frame that name unit and time; all others are features.
    """

    def __init__(
        self,
        *,
        each_step: bool = False,
        cell: str = "lstm",
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        initialisation: str = "default",
        truncation: int | None = None,
        learning_rate: float = 5e-3,
        weight_decay: float = 1e-2,
        batch_size: int = 32,
        max_epochs: int = 30,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 5,
        clip_norm: float | None = 1.0,
        n_estimators: int = 1,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        id_col: str = "unique_id",
        time_col: str = "ds",
    ) -> None:
        self.each_step = each_step
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.initialisation = initialisation
        self.truncation = truncation
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.clip_norm = clip_norm
        self.n_estimators = n_estimators
        self.random_state = random_state
        self.device = device
        self.id_col = id_col
        self.time_col = time_col

    def _check_parameters(self) -> None:
        training_parameters(self)
        for name in COUNTS:
            positive_integer(name, getattr(self, name))
        if self.truncation is not None:
            positive_integer("truncation", self.truncation)
        boolean("each_step", self.each_step)
        one_of("cell", self.cell, CELLS)
        one_of("initialisation", self.initialisation, STARTS)
