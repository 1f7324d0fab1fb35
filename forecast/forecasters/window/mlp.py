"""The forecaster that reads a fixed window: the Markov side of the contrast."""

from __future__ import annotations

from forecast.forecasters.neural.base import NeuralForecaster
from forecast.forecasters.neural.recipe import window_recipe
from forecast.networks.base import Network
from forecast.networks.window import MLP


class MLPForecaster(NeuralForecaster):
    """Forecast from a fixed window with a multi-layer perceptron.

    The Markov model of order n = `context_length`: p(x_t | past) = p(x_t | x_{t-n} ... x_{t-1}).
    What happened before the window changes nothing.
    """

    _recipe = staticmethod(window_recipe)

    def _network(self, input_size: int) -> Network:
        return MLP(
            input_size,
            self.recipe_.hidden_size,
            num_layers=self.recipe_.num_layers,
            dropout=self.dropout,
            residual=self.residual,
        )
