"""The parameters of every forecaster that learns a network, and how they are checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, Unpack

import numpy as np
import pandas as pd

from forecast._checks import boolean, number_between, one_of, positive_integer, training_parameters
from forecast.engine import training
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.neural.recipe import Recipe
from forecast.forecasters.parameters import Common
from forecast.networks.ensemble import PRECISIONS
from forecast.networks.heads.registry import HEADS

# What a user may set of a recipe.
GIVEN = ("batch_size", "hidden_size", "num_layers", "n_estimators", "n_iter_no_change")


class Trained(Common, total=False):
    """The parameters of every network, to annotate the `**parameters` of subclasses."""

    context_length: int | None
    hidden_size: int | None
    num_layers: int | None
    dropout: float
    residual: bool
    head: str
    point: str
    calendar: bool
    holidays: str | Sequence[str] | None
    static: pd.DataFrame | str | None
    learning_rate: float
    weight_decay: float
    batch_size: int | None
    max_epochs: int
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int | None
    clip_norm: float | None
    clip_value: float | None
    n_estimators: int | None
    random_state: int | None
    device: str
    precision: str
    checkpoint: str | None
    verbose: int


class NeuralParameters(BaseForecaster):
    """The constructor of every forecaster that learns a network: it only stores.

    Parameters
    ----------
    horizon : int, optional
        Steps to train and validate for; any number can be predicted. Default: one season, at
        least 8, capped by the data.
    context_length : int, optional
        The order n of a window model; of a recurrent one the values per training window, that
        is the length of backpropagation through time. Default: by the recipe.
    hidden_size : int, optional
        Units per layer. Default: 32, for panels of 10,000 values and more 64.
    num_layers : int, optional
        Layers. Default: two where a long season is read in patches, else one.
    dropout : float
        Share of units silenced between layers while training.
    residual : bool
        Add each layer's input to its output, from the second layer on.
    head : str
        The distribution of a step, by its name in `networks.heads.registry.HEADS`: "quantile" (.1
        to .9), "normal", "student_t" (heavy tails), of counts "negative_binomial" and
        "zero_inflated", or a point ("mae", "mse", "huber") with the residuals of the validation
        part around it.
    point : {"median", "mean"}
        What `predict` returns, and reads back over horizons of several blocks.
    calendar : bool
        Show the readout the calendar of each step (hour, weekday, month, by frequency).
    holidays : str or list of str, optional
        A country whose holidays the calendar shows, such as "DE" or "US-CA", or several.
    static : DataFrame or "id", optional
        Static features: a frame with a row per series, named by its index or by the column
        `id_col`; numbers, or text for categories. A category that `fit` never saw counts as
        unknown, for which weights are learned too. "id" makes every series a category.
    learning_rate, weight_decay : float
        Of AdamW; the rate rises over a tenth of training and falls by a cosine.
    batch_size : int, optional
        Windows per step of the optimiser. Default: as many as hold a quarter of all values; of a
        window model on a single series of fewer than 500 values 64 at most.
    max_epochs : int
        Epochs of 50 steps each.
    early_stopping : bool
        Hold out the last part of time, judge every epoch by a rollout over it, stop when it
        does not improve for `n_iter_no_change` epochs, keep the best weights. Otherwise all
        values are trained on, and the width of intervals is calibrated on values seen in training,
        one factor for all series, so they may be too narrow.
    validation_fraction : float
        Share of each series that is held out; at least one horizon. Of a single series of fewer
        than 2,000 values each network of the ensemble leaves out another block of so many, the
        newest, the one before it, and so on, if there is room and each shows a value that counts.
    n_iter_no_change : int, optional
        Patience in epochs. Default: 10; on a single series of fewer than 500 values 5.
    clip_norm, clip_value : float, optional
        Bounds on the gradient: on its norm, and on each element.
    n_estimators : int, optional
        Networks that are trained side by side, each from its own random start; the forecast is the
        mean of their quantile functions. Default: three.
    random_state : int, optional
        Same seed, same bits. None draws a fresh one.
    device : str
        "auto" (CUDA, else the CPU) or a torch device.
    precision : {"float32", "bfloat16"}
        In what the network's products of matrices are computed while training. "bfloat16" is faster
        for layers of 64 units and more on processors that have it (AVX-512 or AMX with bfloat16),
        and slower on others.
    checkpoint : str, optional
        A file to which the forecaster is saved at every epoch that validates best so far, in one
        piece: what a training that was interrupted leaves for `load`. Its bands are those of
        training, without `calibration`. A clone has none, so that what is fitted in a search, a
        backtest or in parts leaves the file alone.
    verbose : int
        1 shows a progress bar.
    """

    def __init__(
        self,
        *,
        context_length: int | None = None,
        hidden_size: int | None = None,
        num_layers: int | None = None,
        dropout: float = 0.0,
        residual: bool = True,
        head: str = "quantile",
        point: str = "median",
        calendar: bool = True,
        holidays: str | Sequence[str] | None = None,
        static: pd.DataFrame | str | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        batch_size: int | None = None,
        max_epochs: int = 60,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        clip_norm: float | None = 1.0,
        clip_value: float | None = None,
        n_estimators: int | None = None,
        random_state: int | None = None,
        device: str = "auto",
        precision: str = "float32",
        checkpoint: str | None = None,
        verbose: int = 0,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.context_length = context_length
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.residual = residual
        self.head = head
        self.point = point
        self.calendar = calendar
        self.holidays = holidays
        self.static = static
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.n_estimators = n_estimators
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.checkpoint = checkpoint
        self.verbose = verbose

    def __sklearn_clone__(self) -> Self:
        other: Self = super().__sklearn_clone__()
        other.checkpoint = None  # one file holds one training
        return other

    def _settings(self, recipe: Recipe) -> training.Settings:
        """Return the settings of the training loop."""
        return training.Settings(
            learning_rate=self.learning_rate,
            max_epochs=self.max_epochs,
            n_iter_no_change=recipe.n_iter_no_change if self.early_stopping else None,
            weight_decay=self.weight_decay,
            clip_norm=self.clip_norm,
            clip_value=self.clip_value,
            min_observed=recipe.min_observed,
        )

    def _check_parameters(self) -> None:
        training_parameters(self, optional=GIVEN)
        for name in ("context_length", *GIVEN):
            if getattr(self, name) is not None:
                positive_integer(name, getattr(self, name))
        if self.random_state is not None:
            positive_integer("random_state", self.random_state, minimum=0)
        if self.clip_value is not None:
            number_between("clip_value", self.clip_value, 0, np.inf)
        for name in ("residual", "calendar"):
            boolean(name, getattr(self, name))
        if not isinstance(self.verbose, bool):
            positive_integer("verbose", self.verbose, minimum=0)
        if self.holidays is not None and not self.calendar:
            raise ValueError(
                "`holidays` belong to the calendar, got calendar=False. Leave `holidays` out, or "
                "set calendar=True."
            )
        one_of("head", self.head, HEADS)
        one_of("precision", self.precision, PRECISIONS)
        one_of("point", self.point, ("median", "mean"))
