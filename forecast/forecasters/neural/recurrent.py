"""The forecasters that carry a latent state: RNN and LSTM."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar, Unpack

import numpy as np

from forecast._checks import one_of, positive_integer
from forecast.data.panel import Panel
from forecast.data.windows import held_out_series
from forecast.forecasters.neural.base import NeuralForecaster
from forecast.forecasters.neural.parameters import Trained
from forecast.forecasters.neural.recipe import Recipe, cold_recipe, recurrent_recipe
from forecast.networks.base import Network
from forecast.networks.conditioned import WAYS, Described
from forecast.networks.initialisation import STARTS
from forecast.networks.recurrent import CELLS, Recurrent


class Recurrence(Trained, total=False):
    """The parameters of every recurrent forecaster, to annotate those of subclasses."""

    initialisation: str
    initial_state: str
    truncation: int | None
    static_to: str


class RecurrentForecaster(NeuralForecaster, abc.ABC):
    """The parent of forecasters that carry a latent state (abstract).

    Parameters
    ----------
    initialisation : {"default", "orthogonal", "forget_bias", "chrono"}
        How recurrent weights start, which decides what can be learned from far back: orthogonal
        matrices from state to state; of LSTM and MGU also gates that start by keeping what is
        there, or that spread memories over the training window. Where there is nothing to change,
        `fit` raises a ValueError. See `forecast.networks.initialisation`.
    initial_state : {"zero", "learned"}
        The state before the first value.
    truncation : int, optional
        Values after which the gradient ends while the state is carried on (truncated
        backpropagation through time, Williams and Peng, 1990). Training then walks through
        stretches of `context_length` values, by default whole series, in windows of so many
        values, one step of the optimiser each, and a step costs what its window costs. Default:
        the state, too, ends with the window, and every window stands alone.
    static_to : {"readout", "initial_state", "every_step"}
        Where static features go: to the readout, or to the network, where they make its initial
        state or are an input of each of its steps. With the last two it learns to forecast series
        without a history too (cold start): give them to `apply`, as rows whose value is missing at
        the time after which forecasts begin. Until a series has as many values as its scale looks
        at, level and spread of all series stand in for them, so its own history takes over value by
        value. Whole series are held out to validate, every tenth if `validation_fraction` is .1.
    **parameters
        Those of `NeuralParameters`.
    """

    _recipe = staticmethod(recurrent_recipe)

    def __init__(
        self,
        *,
        initialisation: str = "default",
        initial_state: str = "zero",
        truncation: int | None = None,
        static_to: str = "readout",
        **parameters: Unpack[Trained],
    ) -> None:
        super().__init__(**parameters)
        self.initialisation = initialisation
        self.initial_state = initial_state
        self.truncation = truncation
        self.static_to = static_to

    @property
    @abc.abstractmethod
    def _cell(self) -> str:
        """The recurrence."""

    def _check_parameters(self) -> None:
        super()._check_parameters()
        one_of("initialisation", self.initialisation, tuple(STARTS))
        one_of("initial_state", self.initial_state, ("zero", "learned"))
        if self.truncation is not None:
            positive_integer("truncation", self.truncation)
        one_of("static_to", self.static_to, ("readout", *WAYS))
        if self.starts_cold and self.static is None:
            raise ValueError(
                f"`static_to` tells the network of static features, got {self.static_to!r} and "
                "static=None. Give `static` a frame with a row per series."
            )

    @property
    def starts_cold(self) -> bool:
        """Whether it forecasts series without a history."""
        return self.static_to in WAYS

    @property
    def _window(self) -> int | None:
        return self.context_length if self.truncation is None else self.truncation

    def _pieces(self, lengths: np.ndarray) -> int:
        if self.truncation is None:
            return 1
        stretch = int(lengths.max()) if self.context_length is None else self.context_length
        return -(-stretch // (self.recipe_.n_steps * self.recipe_.patch))

    def _suited(self, recipe: Recipe, panel: Panel) -> Recipe:
        return cold_recipe(recipe, panel, self.horizon_) if self.starts_cold else recipe

    def _held_out(self, panel: Panel) -> np.ndarray:
        if self.starts_cold and panel.n_series > 1:
            return held_out_series(panel, self.validation_fraction)
        return super()._held_out(panel)

    def _network(self, input_size: int) -> Network:
        options: dict[str, Any] = {
            "cell": self._cell,
            "num_layers": self.recipe_.num_layers,
            "dropout": self.dropout,
            "residual": self.residual,
            "learn_initial_state": self.initial_state == "learned",
        }
        make: Callable[..., Network] = Recurrent
        if self.starts_cold:
            make, told = Described, self.features_.static_sizes()
            options |= told | {"to": self.static_to}
        network = make(input_size, self.recipe_.hidden_size, **options)
        STARTS[self.initialisation](network, self.recipe_.n_steps)
        return network


class LSTMForecaster(RecurrentForecaster):
    """Forecast with long short-term memory: gates decide what the state keeps."""

    _cell = "lstm"


class RNNForecaster(RecurrentForecaster):
    """Forecast with a recurrent network: h_t = f(h_{t-1}, x_t).

    Parameters
    ----------
    cell : str
        The recurrence, of `cells`: "tanh" and "relu" are Elman's, "gru" and "mgu" have gates.
    **parameters
        Those of `RecurrentForecaster`.

    Attributes
    ----------
    cells : tuple of str
        All of `forecast.networks.recurrent.CELLS` but that of `LSTMForecaster`.
    """

    cells: ClassVar = tuple(cell for cell in CELLS if cell != LSTMForecaster._cell)

    def __init__(self, *, cell: str = "tanh", **parameters: Unpack[Recurrence]) -> None:
        super().__init__(**parameters)
        self.cell = cell

    @property
    def _cell(self) -> str:
        return self.cell

    def _check_parameters(self) -> None:
        super()._check_parameters()
        one_of("cell", self.cell, self.cells)
