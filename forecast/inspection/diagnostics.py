"""Look inside a fitted network: where gradients go, what gates do, what states hold.

Stands above all rooms: the numbers come from `engine/states.py` and `engine/gradients.py`, the
pictures are drawn by `plots.py`. What needs no network is in `memory.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from forecast._checks import positive_integer, positive_integers, short
from forecast.data.covariates import held_plan
from forecast.engine import gradients, rollout, states, stream
from forecast.forecasters.arguments import steps_ahead
from forecast.forecasters.neural.base import NeuralForecaster
from forecast.forecasters.neural.pretrained import PretrainedForecaster
from forecast.inspection.reading import Inspected, along, place_in, windows_of
from forecast.networks.base import leaves
from forecast.networks.recurrent import Recurrent
from forecast.networks.seq2seq import AttentiveSeq2Seq
from forecast.pretrained.network import LEVELS
from forecast.pretrained.sweep import begin, mix, quantiles

if TYPE_CHECKING:
    from forecast.engine.reader import Reader

MOST_LAGS = 1000  # looked at when nothing else is asked for
MOST_MOVED = 100  # the same, of a pre-trained network: each is two forecasts
AT_ONCE = 2**15  # values of moved histories that are read in one call
MOVED = 0.01  # standard deviations by which values are moved, where a difference stands for a slope


def state_gradients(forecaster: Inspected, series: Any = None) -> pd.DataFrame:
    """Return how much the last state still depends on every state before it: |ds_t / ds_k|.

    The state is everything that the network carries: of an LSTM h and c, of a stack all layers.
    The norm is the spectral one, the most that a change of s_k can be stretched.

    Parameters
    ----------
    forecaster
        A fitted recurrent forecaster; its history is what the states have read.
    series
        Which one, by its id; None: the first. For an estimator of sequences the sequence itself, an
        array (T,) or (T, F), or a frame indexed by time.

    Returns
    -------
    DataFrame
        Indexed by the lag t - k in steps of the series; the recurrent steps lie P of them apart.
        `norm`, and `bound`: gamma^n after n recurrent steps, gamma = |W|_2 max|g'|, which holds
        for one layer of Elman cells and is NaN for others.

    Raises
    ------
    TypeError
        If the forecaster has no network, or one without a state.
    """
    network, inputs, _, patch = along(forecaster, series)
    norms = gradients.state_gradients(gradients.step_jacobians(network, inputs)).numpy()
    steps, gamma = np.arange(len(norms)), gradients.gamma(network)
    lags = pd.Index(steps * patch, name="lag")
    bound = np.full(len(norms), np.nan) if gamma is None else gamma**steps
    return pd.DataFrame({"norm": norms, "bound": bound}, lags)


def forecast_gradients(
    forecaster: Inspected,
    steps: Sequence[int] = (1,),
    *,
    lags: int | None = None,
    series: Any = None,
) -> pd.DataFrame:
    """Return how much the forecast of a step changes per unit of every past value.

    By automatic differentiation through everything: the moving scale, the templates, the network
    and the readout, and for later blocks the forecasts fed back. Of a pre-trained network these are
    central differences over a hundredth of the standard deviation, because its reader knows no
    derivative; how far it believes in each season, and in what the panel has of late, is held.

    Parameters
    ----------
    forecaster
        A fitted network, without `target_transform`.
    steps
        Steps ahead, each a column.
    lags
        How many of the newest values. Default: all but those that fill the reader's memory at
        the start, at most 1,000, of a pre-trained network 100.
    series
        Which one, by its id; None: the first.

    Returns
    -------
    DataFrame
        Indexed by lag, 1 is the newest value; a column per step. Without a unit: target units of
        the forecast per target units of the value.

    Raises
    ------
    ValueError
        If there is a `target_transform`, or no derivative: in a gap, at an outlier, or where the
        scale sees a constant.
    """
    place = place_in(forecaster, series)
    if forecaster.target_transform_ is not None:
        raise ValueError(
            "`target_transform` must be None for gradients in target units, got "
            f"{short(forecaster.target_transform)}. `effective_memory` takes any forecaster."
        )
    wanted = positive_integers("steps", steps)
    if isinstance(forecaster, PretrainedForecaster):
        lags = _looked_at(forecaster, place, lags, before=0, most=MOST_MOVED)
        slopes = _of_the_pretrained_one(forecaster, place, wanted, lags)
    else:
        before = cast("Reader", forecaster.model_.reader).n_values
        lags = _looked_at(forecaster, place, lags, before)
        slopes = _of_a_trained_one(forecaster, place, wanted, lags)
    table = pd.DataFrame(
        slopes,
        pd.RangeIndex(1, lags + 1, name="lag"),
        pd.Index(wanted, name="step"),
    )
    if table.isna().any(axis=None):
        raise ValueError(
            f"The forecast has no derivative with respect to the last {lags} values of "
            f"{forecaster.panel_.ids[place]!r}: there is a gap or an outlier, or the scale sees a "
            "constant. Fill gaps, or look at fewer `lags`."
        )
    return table


def _looked_at(
    forecaster: Inspected, place: int, lags: int | None, before: int, most: int = MOST_LAGS
) -> int:
    """Return how many values to look at, of those that have `before` others before them."""
    length = int(forecaster.panel_.lengths[place])
    found = positive_integer("lags", min(most, length - before) if lags is None else lags)
    if found > length - before:
        raise ValueError(
            f"`lags` must leave {before} values before them, which the reader remembers: "
            f"lags={found}, the series has {length}. Look at fewer, or give a longer history."
        )
    return found


def _of_a_trained_one(
    forecaster: NeuralForecaster, place: int, steps: list[int], lags: int
) -> np.ndarray:
    panel, horizon = forecaster.panel_, max(steps)
    ahead = forecaster.features_.ahead(panel, horizon, held_plan(panel, horizon))
    model = copy.deepcopy(forecaster.model_).cpu().eval()
    choose, known = rollout.greedy(model, forecaster.point), torch.as_tensor(ahead[[place]])
    windows = windows_of(forecaster)
    rows = list(gradients.forecast_gradients(model, windows, place, known, choose, lags))
    return torch.stack([rows[step - 1] for step in steps], 1).numpy()


def _of_the_pretrained_one(
    forecaster: PretrainedForecaster, place: int, steps: list[int], lags: int
) -> np.ndarray:
    """Return the slopes (lags, steps) of the median: differences, as its reader has no slopes."""
    network = copy.deepcopy(forecaster.network_).double()
    values, newest = forecaster._history(torch.tensor([place]))
    values = values.double()
    weights = torch.from_numpy(forecaster.weights_[[place]])
    views, at = forecaster.views_, torch.tensor(steps) - 1

    def medians(rows: torch.Tensor) -> torch.Tensor:
        live = begin(network, rows, views, newest.expand(len(rows)))
        tables = quantiles(network, rows, views, live, max(steps))[:, :, at]
        return mix(weights.expand(len(rows), -1), tables.unbind(1))[..., LEVELS.index(0.5)]

    size = MOVED * (float(values[~values.isnan()].std(correction=0)) or 1.0)
    moves = torch.eye(values.shape[1]).double().flip(0)[:lags] * size
    together = max(AT_ONCE // values.shape[1], 1)  # moved histories
    with torch.inference_mode():
        parts = [medians(values + some) - medians(values - some) for some in moves.split(together)]
    there = ~values[0].flip(0)[:lags, None].isnan()
    # what the panel has of late, and how far it is believed, is held
    own = 1 - float(forecaster.shares_[place])
    return (torch.cat(parts) * own / (2 * size)).where(there, torch.nan).numpy()


def gates(forecaster: Inspected, layer: int = 0, series: Any = None) -> pd.DataFrame:
    """Return what the gates of a fitted LSTM do along its history.

    Parameters
    ----------
    forecaster
        A fitted LSTM.
    layer
        Counted from 0, the one that reads the values.
    series
        As in `state_gradients`.

    Returns
    -------
    DataFrame
        Indexed by the time of the newest value that was read; columns (part, unit), where the
        parts are "forget", "input", "output" in (0, 1), "candidate" in (-1, 1), "cell", "hidden".

    Raises
    ------
    TypeError
        If the network has no LSTM cells.
    ValueError
        If there is no such layer.
    """
    network, inputs, times, _ = along(forecaster, series)
    if not isinstance(network, Recurrent) or network.cell != "lstm":
        raise TypeError(f"`forecaster` must be an LSTM to have gates, got {short(forecaster)}.")
    layer = positive_integer("layer", layer, minimum=0)
    if layer >= len(network.layers):
        raise ValueError(f"`layer` must be below {len(network.layers)} layers, got {layer}.")
    parts = states.lstm_gates(network, inputs, layer)
    frames = {name: pd.DataFrame(part.numpy(), times) for name, part in parts.items()}
    return pd.concat(frames, axis=1, names=["part", "unit"])


def attention(
    forecaster: NeuralForecaster, horizon: int | None = None, series: Any = None
) -> pd.DataFrame:
    """Return where a decoder looks while it forecasts: the attention a_ij, which adds up to 1.

    Of an ensemble that of the first member. Attention tells what was read, not what mattered: that
    tells `forecast_gradients`.

    Parameters
    ----------
    forecaster
        A fitted `Seq2SeqForecaster` with attention.
    horizon
        Steps ahead. None: `horizon_`.
    series
        Which one, by its id; None: the first.

    Returns
    -------
    DataFrame
        A row for each block that the decoder writes, by its first step; a column for each step of
        the encoder, by the time of the newest value that it read.

    Raises
    ------
    TypeError
        If the forecaster does not attend.

    Examples
    --------
    >>> from forecast import Seq2SeqForecaster, load_dataset
    >>> quick = {"max_epochs": 1, "n_estimators": 1, "hidden_size": 8, "random_state": 0}
    >>> model = Seq2SeqForecaster(attention=True, horizon=12, **quick)
    >>> weights = attention(model.fit(load_dataset("elnino")), horizon=24)
    >>> weights.index.tolist(), bool((weights.sum(axis=1).round(5) == 1).all())
    ([1, 7, 13, 19], True)
    """
    place = place_in(forecaster, series)
    pretrained = isinstance(forecaster, PretrainedForecaster)
    if pretrained or not isinstance(forecaster.model_.network.members[0], AttentiveSeq2Seq):
        raise TypeError(
            f"`forecaster` must attend, got {short(forecaster)}. Fit a "
            "Seq2SeqForecaster(attention=True)."
        )
    panel, steps = forecaster.panel_, steps_ahead(horizon, forecaster.horizon_)
    ahead = forecaster.features_.ahead(panel, steps, held_plan(panel, steps))
    model, windows = copy.deepcopy(forecaster.model_).cpu().eval(), windows_of(forecaster)
    row = torch.tensor([place])
    with torch.inference_mode():
        live = stream.encode(model, windows, row, windows.lengths[row])
        known, choose = torch.as_tensor(ahead[[place]]), rollout.greedy(model, forecaster.point)
        looks: list[Any] = []
        rollout.rollout(model, live, known, choose, on_block=looks.append)
    there = looks[0][0].mask[0] > 0
    weights = torch.stack([state.weights[0, there] for state, *_ in looks])
    own = panel.times(place)
    times = own[::-1][:: forecaster.recipe_.patch][: int(there.sum())][::-1]
    first = pd.RangeIndex(1, steps + 1, model.stride, name="step ahead")
    return pd.DataFrame(weights.numpy(), first, times.rename("time"))


def hidden_states(forecaster: Inspected, series: Any = None) -> pd.DataFrame:
    """Return the hidden state h of a fitted recurrent forecaster along its history.

    Parameters
    ----------
    forecaster
        A fitted recurrent forecaster.
    series
        As in `state_gradients`.

    Returns
    -------
    DataFrame
        Indexed by the time of the newest value that was read; columns (layer, unit).
    """
    network, inputs, times, _ = along(forecaster, series)
    h = leaves(states.states_along(network, inputs))[0][1:]  # (T, layers, D), without h_0
    names = pd.MultiIndex.from_product([range(n) for n in h.shape[1:]], names=["layer", "unit"])
    return pd.DataFrame(h.flatten(1).numpy(), times, names)


def principal_components(hidden: pd.DataFrame, n_components: int = 2) -> pd.DataFrame:
    """Return states in the directions in which they vary most.

    Parameters
    ----------
    hidden
        What `hidden_states` returns.
    n_components
        How many directions.

    Returns
    -------
    DataFrame
        A column per component, from 1; `attrs["explained"]` has the share of variance of each.
    """
    pca = PCA(n_components).fit(hidden.to_numpy())
    names = pd.RangeIndex(1, n_components + 1, name="component")
    table = pd.DataFrame(pca.transform(hidden.to_numpy()), hidden.index, names)
    table.attrs["explained"] = pca.explained_variance_ratio_.tolist()
    return table


def probe(hidden: pd.DataFrame, label: pd.Series, *, n_splits: int = 5) -> pd.DataFrame:
    """Ask what can be read off a state by a straight line: a linear probe.

    Each fold learns from the past and is scored on what comes next. Real-valued labels are
    regressed by ridge regression and scored by R²; all others (whole numbers, text, booleans) are
    classes for logistic regression, scored by accuracy. Alain and Bengio, 2016, "Understanding
    intermediate layers using linear classifier probes".

    Parameters
    ----------
    hidden
        What `hidden_states` returns.
    label
        What the state may know, indexed by time; every time of `hidden` must have one.
    n_splits
        Folds in time.

    Returns
    -------
    DataFrame
        A row per fold: `score`, and `chance`, the score of a guess from the past labels alone.

    Raises
    ------
    ValueError
        If a time has no label, or the first fold learns from a single class.

    Examples
    --------
    A state that goes up and down with the label:

    >>> wave = pd.DataFrame({"unit": [-1.0, 1.0] * 12})
    >>> probe(wave, wave["unit"] > 0, n_splits=2).to_dict("list")
    {'score': [1.0, 1.0], 'chance': [0.5, 0.5]}
    """
    known = label.reindex(hidden.index)
    if known.isna().any():
        raise ValueError(
            f"`label` must have a value at every time of the states, got none at "
            f"{known.index[known.isna()][0]}. Drop these rows of the states."
        )
    real, folds = pd.api.types.is_float_dtype(label.dtype), TimeSeriesSplit(n_splits)
    first = known.iloc[next(iter(folds.split(hidden)))[0]]
    if not real and first.nunique() < 2:
        raise ValueError(
            f"`label` must have two classes in the first fold, at {len(first)} times, got "
            f"{short(first.iloc[0])} alone. Take a longer history, or fewer splits."
        )
    reader = Ridge() if real else LogisticRegression(max_iter=1000)
    ignorant = DummyRegressor() if real else DummyClassifier()
    scores = {
        name: cross_val_score(
            make_pipeline(StandardScaler(), model),
            hidden.to_numpy(),
            known.astype(label.dtype).to_numpy(),
            cv=folds,
        )
        for name, model in (("score", reader), ("chance", ignorant))
    }
    return pd.DataFrame(scores, pd.RangeIndex(1, n_splits + 1, name="fold"))
