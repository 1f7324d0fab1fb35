"""The forecasters that carry a latent state: RNN and LSTM (room 5)."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

from forecast._checks import one_of
from forecast.forecasters.neural import NeuralForecaster
from forecast.forecasters.recipe import recurrent_recipe
from forecast.networks.base import Network
from forecast.networks.recurrent import Recurrent


class RecurrentForecaster(NeuralForecaster, abc.ABC):
    """The parent of forecasters that carry a latent state (abstract)."""

    _recipe = staticmethod(recurrent_recipe)

    @property
    @abc.abstractmethod
    def _cell(self) -> str:
        """The recurrence."""

    def _network(self, input_size: int) -> Network:
        return Recurrent(
            input_size,
            self.recipe_.hidden_size,
            cell=self._cell,
            num_layers=self.recipe_.num_layers,
            dropout=self.dropout,
            residual=self.residual,
        )


class RNNForecaster(RecurrentForecaster):
    """Forecast with a recurrent network: h_t = f(h_{t-1}, x_t).

    Parameters
    ----------
    cell : {"tanh", "relu", "gru"}
        Elman's recurrence with either activation, or the gated recurrent unit.
    **parameters
        Those of `NeuralForecaster`.
    """

    cells: ClassVar = ("tanh", "relu", "gru")

    def __init__(self, *, cell: str = "tanh", **parameters: Any) -> None:
        super().__init__(**parameters)
        self.cell = cell

    @property
    def _cell(self) -> str:
        return self.cell

    def _check_parameters(self) -> None:
        super()._check_parameters()
        one_of("cell", self.cell, self.cells)


class LSTMForecaster(RecurrentForecaster):
    """Forecast with long short-term memory: gates decide what the state keeps."""

    _cell = "lstm"
