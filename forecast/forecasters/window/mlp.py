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

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> wave = pd.Series(np.sin(np.arange(200)))  # 2 pi is no whole number of steps
    >>> small = {"n_estimators": 1, "hidden_size": 8, "max_epochs": 2, "learning_rate": 0.01}
    >>> model = MLPForecaster(horizon=5, random_state=0, **small).fit(wave[:195])
    >>> float((model.predict() - wave[195:]).abs().mean()) < 0.1
    True
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
