"""The forecasters of this package, each listed once: class, file, label in tables, options.

The exported names, the default contest, the models of the command line and the classes that a saved
file may name are read from here. A new forecaster is its own file, its import (for type checkers,
which read no tables) and its line.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from forecast.forecasters.classical.arima import ARIMAForecaster as ARIMAForecaster
    from forecast.forecasters.classical.ets import ETSForecaster as ETSForecaster
    from forecast.forecasters.classical.intermittent import CrostonForecaster as CrostonForecaster
    from forecast.forecasters.classical.median import MedianForecaster as MedianForecaster
    from forecast.forecasters.classical.naive import NaiveForecaster as NaiveForecaster
    from forecast.forecasters.classical.theta import ThetaForecaster as ThetaForecaster
    from forecast.forecasters.combined.auto import AutoForecaster as AutoForecaster
    from forecast.forecasters.combined.combined import CombinedForecaster as CombinedForecaster
    from forecast.forecasters.neural.pretrained import PretrainedForecaster as PretrainedForecaster
    from forecast.forecasters.neural.recurrent import LSTMForecaster as LSTMForecaster
    from forecast.forecasters.neural.recurrent import RNNForecaster as RNNForecaster
    from forecast.forecasters.neural.seq2seq import Seq2SeqForecaster as Seq2SeqForecaster
    from forecast.forecasters.symbols.ngrams import NGramForecaster as NGramForecaster
    from forecast.forecasters.symbols.recurrent import SymbolForecaster as SymbolForecaster
    from forecast.forecasters.window.markov import MarkovForecaster as MarkovForecaster
    from forecast.forecasters.window.mlp import MLPForecaster as MLPForecaster


class Contestant(NamedTuple):
    """A forecaster as it takes part in the default contest.

    Attributes
    ----------
    label : str
        Its name in tables; on the command line in lower case, with hyphens for spaces.
    forecaster : str
        Its class.
    file : str
        The module that defines it, inside its room.
    options : mapping
        Parameters that differ from the defaults.
    invited : bool
        Whether it takes part in the contest that nobody chose the contestants of.
    room : str
        Where its file is.
    """

    label: str
    forecaster: str
    file: str
    options: Mapping[str, Any] = MappingProxyType({})
    invited: bool = True
    room: str = "forecast.forecasters"

    @property
    def home(self) -> str:
        """The module that defines it."""
        return f"{self.room}.{self.file}"

    @property
    def spelling(self) -> str:
        """The name on the command line.

        Examples
        --------
        >>> CONTESTANTS[1].spelling
        'seasonal-naive'
        """
        return self.label.lower().replace(" ", "-")

    def build(self, random_state: int | None = None) -> Any:
        """Return the forecaster, not fitted; the seed is given to those that have one."""
        model = forecaster_class(self.forecaster)(**self.options)
        if "random_state" in model.get_params():
            model.set_params(random_state=random_state)
        return model


CROSTON = "classical.intermittent"
CONTESTANTS = (
    Contestant("naive", "NaiveForecaster", "classical.naive", {"strategy": "last"}),
    Contestant("seasonal naive", "NaiveForecaster", "classical.naive", {"strategy": "seasonal"}),
    Contestant("drift", "NaiveForecaster", "classical.naive", {"strategy": "drift"}),
    Contestant("pre-trained", "PretrainedForecaster", "neural.pretrained"),
    Contestant("ETS", "ETSForecaster", "classical.ets"),
    Contestant("Theta", "ThetaForecaster", "classical.theta"),
    Contestant("ARIMA", "ARIMAForecaster", "classical.arima"),
    Contestant("Markov", "MarkovForecaster", "window.markov"),
    Contestant("MLP", "MLPForecaster", "window.mlp"),
    Contestant("RNN", "RNNForecaster", "neural.recurrent"),
    Contestant("LSTM", "LSTMForecaster", "neural.recurrent"),
    Contestant("deep LSTM", "LSTMForecaster", "neural.recurrent", {"num_layers": 3}),
    Contestant("Seq2Seq", "Seq2SeqForecaster", "neural.seq2seq"),
    Contestant("median", "MedianForecaster", "classical.median", invited=False),
    Contestant("Croston", "CrostonForecaster", CROSTON, invited=False),
    Contestant("SBA", "CrostonForecaster", CROSTON, {"variant": "sba"}, invited=False),
    Contestant("TSB", "CrostonForecaster", CROSTON, {"variant": "tsb"}, invited=False),
    Contestant("auto", "AutoForecaster", "combined.auto", invited=False),
    Contestant("combined", "CombinedForecaster", "combined.combined", invited=False),
)
# Symbols have no size, so no contest with values can be held.
SYMBOLIC = (
    Contestant("symbols", "SymbolForecaster", "symbols.recurrent"),
    Contestant("n-grams", "NGramForecaster", "symbols.ngrams"),
)
# Sequences are answered for, not continued.
SEQUENTIAL = (
    Contestant(
        "sequence classifier", "SequenceClassifier", "classifier", room="forecast.sequences"
    ),
    Contestant("sequence regressor", "SequenceRegressor", "regressor", room="forecast.sequences"),
)
LISTED = CONTESTANTS + SYMBOLIC
# Class -> module. A saved file names a class, never a module to import.
HOMES = {one.forecaster: one.home for one in LISTED}
# Every class that a saved file may name.
CLASSES = HOMES | {one.forecaster: one.home for one in SEQUENTIAL}
SPELLINGS = {one.spelling: one for one in LISTED + SEQUENTIAL}
NAIVE = tuple(one.label for one in CONTESTANTS if one.forecaster == "NaiveForecaster")


def forecaster_class(name: str) -> type[Any]:
    """Return the class of a name out of `CLASSES`; its file is loaded only now.

    Examples
    --------
    >>> forecaster_class("NaiveForecaster")(strategy="drift")
    NaiveForecaster(strategy='drift')
    """
    cls: type[Any] = getattr(importlib.import_module(CLASSES[name]), name)
    return cls


def default_models(
    season_length: int | None = None, random_state: int | None = None
) -> dict[str, Any]:
    """Return the contestants, not fitted, by their labels.

    Parameters
    ----------
    season_length : int, optional
        Of 1, that is without a season, there is no seasonal naive forecast.
    random_state : int, optional
        Seed of those that have one.

    Examples
    --------
    >>> list(default_models(season_length=1))[:3]
    ['naive', 'drift', 'pre-trained']
    """
    models = {one.label: one.build(random_state) for one in CONTESTANTS if one.invited}
    if season_length == 1:
        del models["seasonal naive"]
    return models
