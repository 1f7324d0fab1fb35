"""The forecasters that carry a latent state: RNN and LSTM."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar, Unpack

import numpy as np

from forecast._checks import one_of, positive_integer
from forecast.forecasters.neural.cold_start import ColdStartForecaster, Told
from forecast.forecasters.neural.recipe import recurrent_recipe
from forecast.networks.base import Network
from forecast.networks.conditioned import Described
from forecast.networks.initialisation import STARTS
from forecast.networks.recurrent import CELLS, Recurrent


class Recurrence(Told, total=False):
    """The parameters of every recurrent forecaster, to annotate those of subclasses."""

    initialisation: str
    initial_state: str
    truncation: int | None


class RecurrentForecaster(ColdStartForecaster, abc.ABC):
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
    **parameters
        Those of `ColdStartForecaster`.
    """

    _recipe = staticmethod(recurrent_recipe)

    def __init__(
        self,
        *,
        initialisation: str = "default",
        initial_state: str = "zero",
        truncation: int | None = None,
        **parameters: Unpack[Told],
    ) -> None:
        super().__init__(**parameters)
        self.initialisation = initialisation
        self.initial_state = initial_state
        self.truncation = truncation

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

    @property
    def _window(self) -> int | None:
        return self.context_length if self.truncation is None else self.truncation

    def _pieces(self, lengths: np.ndarray) -> int:
        if self.truncation is None:
            return 1
        stretch = int(lengths.max()) if self.context_length is None else self.context_length
        return -(-stretch // (self.recipe_.n_steps * self.recipe_.patch))

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
            make = Described
            options |= self._described
        network = make(input_size, self.recipe_.hidden_size, **options)
        STARTS[self.initialisation](network, self.recipe_.n_steps)
        return network


class LSTMForecaster(RecurrentForecaster):
    """Forecast with long short-term memory: gates decide what the state keeps.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> wave = pd.Series(np.sin(np.arange(200)))  # 2 pi is no whole number of steps
    >>> small = {"n_estimators": 1, "hidden_size": 8, "max_epochs": 2, "learning_rate": 0.01}
    >>> model = LSTMForecaster(horizon=5, random_state=0, **small).fit(wave[:195])
    >>> float((model.predict() - wave[195:]).abs().mean()) < 0.1
    True
    """

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

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> wave = pd.Series(np.sin(np.arange(200)))  # 2 pi is no whole number of steps
    >>> small = {"n_estimators": 1, "hidden_size": 8, "max_epochs": 2, "learning_rate": 0.01}
    >>> model = RNNForecaster(cell="gru", horizon=5, random_state=0, **small).fit(wave[:195])
    >>> float((model.predict() - wave[195:]).abs().mean()) < 0.1
    True
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
