"""What forecasters share that can begin before the first value of a series."""

from __future__ import annotations

import abc
from typing import Any, Unpack

import numpy as np

from forecast._checks import one_of
from forecast.data.held_out import held_out_series
from forecast.data.panel import Panel
from forecast.forecasters.neural.base import NeuralForecaster
from forecast.forecasters.neural.parameters import Trained
from forecast.forecasters.neural.recipe import Recipe, cold_recipe
from forecast.networks.conditioned import WAYS


class Told(Trained, total=False):
    """The parameters of forecasters that static features may start, for those of subclasses."""

    static_to: str


class ColdStartForecaster(NeuralForecaster, abc.ABC):
    """The parent of forecasters whose state static features may start (abstract).

    Parameters
    ----------
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

    def __init__(self, *, static_to: str = "readout", **parameters: Unpack[Trained]) -> None:
        super().__init__(**parameters)
        self.static_to = static_to

    def _check_parameters(self) -> None:
        super()._check_parameters()
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
    def _described(self) -> dict[str, Any]:
        """The options of a `Described` network."""
        return {"to": self.static_to, **self.features_.static_sizes()}

    def _suited(self, recipe: Recipe, panel: Panel) -> Recipe:
        return cold_recipe(recipe, panel, self.horizon_) if self.starts_cold else recipe

    def _held_out(self, panel: Panel) -> np.ndarray:
        if self.starts_cold and panel.n_series > 1:
            return held_out_series(panel, self.validation_fraction)
        return super()._held_out(panel)
