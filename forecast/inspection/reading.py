"""What a fitted network read of a series, value by value: where every look inside begins."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from forecast._checks import short
from forecast.engine import states
from forecast.forecasters.arguments import place_of
from forecast.forecasters.neural.base import NeuralForecaster
from forecast.forecasters.neural.pretrained import PretrainedForecaster
from forecast.pretrained.sweep import look
from forecast.sequences.base import SequenceEstimator

if TYPE_CHECKING:
    from forecast.engine.batches import Windows
    from forecast.networks.base import Network

Inspected = NeuralForecaster | PretrainedForecaster | SequenceEstimator


class Along(NamedTuple):
    """A network that carries a state, and what it read of one series.

    Attributes
    ----------
    network : Network
        A copy in double precision, of an ensemble the first member.
    inputs : Tensor (1, T, F)
        What it read.
    times : Index (T,)
        Of the newest value that each step has read.
    patch : int
        Values per step.
    """

    network: Network
    inputs: Tensor
    times: pd.Index
    patch: int


def along(forecaster: Inspected, series: Any) -> Along:
    """Return what a fitted forecaster with a state read of a series; None is the first.

    An estimator of sequences keeps none: it is given one, (T,) or (T, F), or indexed by time.
    """
    if isinstance(forecaster, SequenceEstimator):
        return _of_a_sequence(forecaster, series)
    place = place_in(forecaster, series)
    if isinstance(forecaster, PretrainedForecaster):
        return _by_the_view_believed(forecaster, place)
    members = forecaster.model_.network.members
    network = states.exact(cast("Network", members[0]))
    if not states.width(network):
        raise TypeError(
            f"`forecaster` must carry a state, got {short(forecaster)}, whose network has none. "
            "`effective_memory` takes any forecaster."
        )
    windows = windows_of(forecaster)
    inputs, steps = states.inputs_along(forecaster.model_, windows, place)
    network, inputs = states.recurrence(network, inputs, windows.static[[place]])
    times = forecaster.panel_.times(place)[steps.numpy()]
    return Along(network, inputs, times, forecaster.recipe_.patch)


def _of_a_sequence(estimator: SequenceEstimator, sequence: Any) -> Along:
    check_is_fitted(estimator)
    if sequence is None:
        raise TypeError(
            f"`series` must be a sequence for {short(estimator)} to read, an array (T,) or (T, F), "
            "got None."
        )
    read = estimator._read([np.asarray(sequence)])
    inputs = estimator.model_.reader(estimator._units(read).values[None]).cpu().double()
    indexed = isinstance(sequence, pd.Series | pd.DataFrame)
    times = sequence.index if indexed else pd.RangeIndex(inputs.shape[1])
    member = cast("Network", estimator.model_.network.members[0])
    return Along(states.exact(member), inputs, times, 1)


def place_in(forecaster: Inspected, series: Any) -> int:
    """Return the place of a series in the history of a fitted network."""
    if not isinstance(forecaster, Inspected):
        raise TypeError(
            f"`forecaster` must be a network to look inside, got {short(forecaster)}. "
            "`effective_memory` takes any forecaster."
        )
    check_is_fitted(forecaster)
    return place_of(series, forecaster.panel_)


def windows_of(forecaster: NeuralForecaster) -> Windows:
    """Return the history as a trained network sees it, on the CPU."""
    seen = forecaster._seen(forecaster.panel_)
    return forecaster.features_.windows(seen, forecaster.spreads_, torch.device("cpu"))


def _by_the_view_believed(forecaster: PretrainedForecaster, place: int) -> Along:
    """Return what the pre-trained network read by the view that counts most."""
    network = copy.deepcopy(forecaster.network_).double()
    values = forecaster._newest(torch.tensor([place]))
    view = forecaster.views_[int(forecaster.weights_[place].argmax())]
    begun = int((~values[0].isnan()).float().argmax())
    past = look(network, values, view).past
    inputs, _ = network.inputs(past, values.shape[1] - begun)
    times = forecaster.panel_.times(place)[-inputs.shape[1] :]
    return Along(network.recurrence, inputs, times, 1)
