"""The parent of the forecasters that learn a network: all parameters, the hops from fit to loss.

A final class, in `window.py` or `recurrent.py`, says which network it has.
"""

from __future__ import annotations

import abc
import dataclasses
import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any, Unpack, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecast._checks import (
    ForecastWarning,
    boolean,
    number_between,
    one_of,
    positive_integer,
    short,
)
from forecast.data.calendar import longer_seasons
from forecast.data.panel import Panel
from forecast.data.windows import validation_lengths
from forecast.engine import gradients, rollout, states, stream, training
from forecast.engine.batches import Batch, seasonal_changes, typical_spreads
from forecast.engine.model import Model
from forecast.engine.reader import Reader
from forecast.engine.stream import Stream
from forecast.engine.support import Support
from forecast.engine.validation import Validation
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.neural.features import Features
from forecast.forecasters.neural.recipe import Recipe, usable_seasons
from forecast.forecasters.parameters import Common
from forecast.networks.base import Network, State, leaves, pick, state_map
from forecast.networks.ensemble import Ensemble, EnsembleReadout
from forecast.networks.heads import Head, NormalHead, PointHead, QuantileHead
from forecast.networks.readout import Readout

HEADS = ("quantile", "normal", *PointHead.criteria)
ROWS = 8192  # rows of one rollout: more do not fit into the processor's caches
VALUES = 2**17  # values of histories read at once: their features take up to 1 kB each


class Trained(Common, total=False):
    """The parameters of every network, for the signature of a subclass that has its own."""

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
    n_iter_no_change: int
    clip_norm: float | None
    clip_value: float | None
    n_estimators: int
    random_state: int | None
    device: str
    verbose: int


class NeuralForecaster(BaseForecaster, abc.ABC):
    """The parent of all forecasters that train a network (abstract).

    One network is trained over all series of a panel. Each value is read in the scale of its
    own recent past, each block of forecasts is a mixture of what was last seen of its season
    and a correction, and the whole distribution is learned.

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
    head : {"quantile", "normal", "mae", "mse", "huber"}
        The distribution of a step: quantiles .1 to .9, a normal one, or a point with the
        residuals of the validation part around it.
    point : {"median", "mean"}
        What `predict` returns, and what is fed back over long horizons.
    calendar : bool
        Show the readout the calendar of each step (hour, weekday, month, by frequency).
    holidays : str or list of str, optional
        A country whose holidays the calendar shows, such as "DE" or "US-CA", or several.
    static : DataFrame or "id", optional
        What is always the same for a series: a frame with a row per series, named by its index or
        by the column `id_col`; numbers, or text for categories. A category that `fit` never saw is
        an unknown one, which has a learned meaning too. "id" makes every series a category.
    learning_rate, weight_decay : float
        Of AdamW; the rate rises over a tenth of training and falls by a cosine.
    batch_size : int, optional
        Windows per step of the optimiser. Default: as many as hold a quarter of all values.
    max_epochs : int
        Epochs of 50 steps each.
    early_stopping : bool
        Hold out the last part of time, judge every epoch by a rollout over it, stop when it
        does not improve for `n_iter_no_change` epochs, keep the best weights. Otherwise all
        values are trained on, and nothing held out tells how much too narrow the bands are.
    validation_fraction : float
        Share of each series that is held out; at least one horizon.
    n_iter_no_change : int
        Patience in epochs.
    clip_norm, clip_value : float, optional
        Bounds on the gradient: on its norm, and on each element.
    n_estimators : int
        Networks that are trained side by side, each from its own random start; the forecast is the
        mean of their quantile functions.
    random_state : int, optional
        Same seed, same bits. None draws a fresh one.
    device : str
        "auto" (CUDA, else the CPU) or a torch device.
    verbose : int
        1 shows a progress bar.
    season_length, freq, target_transform, id_col, time_col, target_col
        As in every forecaster.

    Attributes
    ----------
    model_ : torch.nn.Module
        Reader, network, readout and head.
    recipe_ : Recipe
        The sizes in use.
    features_ : Features
        What the network is told beside the values.
    support_ : Support
        What can be forecast: zero is not passed where it is reached and never was passed, and
        quantiles of counts are whole numbers.
    history_ : pandas.DataFrame
        One row per epoch: losses in scaled units, rate, gradient norm, seconds.
    n_parameters_ : int
        Trained numbers.
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
        n_iter_no_change: int = 10,
        clip_norm: float | None = 1.0,
        clip_value: float | None = None,
        n_estimators: int = 3,
        random_state: int | None = None,
        device: str = "auto",
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
        self.verbose = verbose

    # What a final class says

    @abc.abstractmethod
    def _network(self, input_size: int) -> Network:
        """Return a fresh network."""

    @staticmethod
    @abc.abstractmethod
    def _recipe(
        seasons: tuple[int, ...], lengths: np.ndarray, horizon: int, context_length: int | None
    ) -> Recipe:
        """Return the sizes for a panel."""

    @property
    def _window(self) -> int | None:
        """The values of a training window, if the user has said."""
        return self.context_length

    def _pieces(self, lengths: np.ndarray) -> int:
        """Return how many training windows in a row carry their state on."""
        return 1

    # What the base asks for

    def _fit(self, panel: Panel) -> None:
        self._check_parameters()
        seasons = (self.season_length_, *longer_seasons(self.season_length_, panel.freq))
        seasons = usable_seasons(seasons, panel.lengths, self.horizon_)
        recipe = self._recipe(seasons, panel.lengths, self.horizon_, self._window)
        given = {name: getattr(self, name) for name in ("batch_size", "hidden_size", "num_layers")}
        chosen = {name: value for name, value in given.items() if value is not None}
        self.recipe_ = dataclasses.replace(recipe, **chosen)
        held_out = validation_lengths(panel, self.validation_fraction, self.horizon_)
        self.spreads_ = typical_spreads(panel, held_out)
        # transformed values are bounded by the inverse, if at all
        plain = self.target_transform_ is None
        self.support_ = Support.of(panel.values) if plain else Support()
        self.features_ = Features.fit(panel, *self._beside(), self.id_col)
        seed = self.random_state
        seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed
        sizes = self.recipe_
        small = sizes.batch_size * sizes.n_steps * sizes.hidden_size < 32_000
        with torch.random.fork_rng(), training.one_thread(small):
            torch.manual_seed(seed)
            self.model_ = self._build(panel).to(_device(self.device))
            self._train(panel, held_out, torch.Generator().manual_seed(seed))
        self.n_parameters_ = _count(self.model_)
        self.stream_ = self._read_all(panel)

    def _predict(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        choose = rollout.greedy(self.model_, self.point)
        values = self._rollout(
            horizon, known, 1, lambda live, ahead: rollout.rollout(self.model_, live, ahead, choose)
        )
        return values if self.point == "mean" else self.model_.support.round(values)

    def _predict_quantiles(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> np.ndarray:
        """Return the head's own quantiles within the first block, those of paths beyond."""
        direct = min(horizon, self.recipe_.stride)

        def quantiles(live: Stream, ahead: Tensor) -> Tensor:
            scale, raw = rollout.first_block(self.model_, live, ahead[:, :direct])
            z = [self.model_.quantile(raw, level) for level in levels]
            return self.model_.values(scale, torch.stack(z, -1))  # (B, H, Q)

        found = self._rollout(horizon, known, 1, quantiles)
        if horizon > direct:
            beyond = super()._predict_quantiles(horizon, levels, known)
            found = np.concatenate([found, beyond[:, direct:]], 1)
        return self.model_.support.round(found)  # a quantile of paths may lie between two of them

    def _sample(
        self, horizon: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        # each part of a large panel draws from a generator of its own, so that a longer horizon
        # for one part does not move the draws of the next
        seeds = itertools.count(int(rng.integers(2**31)))

        def draw(live: Stream, ahead: Tensor) -> Tensor:
            generator = torch.Generator().manual_seed(next(seeds))
            return rollout.paths(self.model_, live, ahead, n_samples, generator)

        return self.model_.support.round(self._rollout(horizon, known, n_samples, draw))

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        """Absorb new values: one step of the network per value and series.

        The first update reads the history once more, for the phases that `predict` never needs;
        so do new values that are more for some series than for others.
        """
        complete = len(self.stream_.phases) == self.recipe_.patch
        if complete and (added == added[0]).all():
            count, device = int(added[0]), self._device()
            rows = panel.offsets[1:, None] + np.arange(-count, 0)
            values = torch.as_tensor(panel.values[rows], dtype=torch.float64, device=device)
            drivers = torch.as_tensor(self.features_.newest(panel, count), device=device)
            with torch.inference_mode():
                _, self.stream_ = stream.absorb(self.model_, values, self.stream_, drivers)
        else:
            self.stream_ = self._read_all(panel, phases=True)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        # A history that is read anew gives the same stream but for the last digits, so it is kept.
        live = stream.pack(self.stream_, self.model_.reader)
        tensors = self.model_.state_dict() | _named(live)
        arrays = {name: part.cpu().numpy() for name, part in tensors.items()}
        arrays |= {f"history.{name}": self.history_[name].to_numpy() for name in self.history_}
        arrays["spreads"] = self.spreads_
        values, more = self.features_.state()
        values |= {"recipe": dataclasses.asdict(self.recipe_), "phases": len(self.stream_.phases)}
        values["support"] = list(self.support_)
        return values, arrays | more

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Rebuild model and stream; what the file claims is held against its arrays first."""
        self._check_parameters()
        recipe = values["recipe"]
        self.recipe_ = Recipe(**{**recipe, "lags": tuple(recipe["lags"])})
        if self.recipe_.num_layers * self.n_estimators > len(arrays):
            raise ValueError(
                f"the weights of {self.n_estimators} x {self.recipe_.num_layers} layers are missing"
            )
        self.support_ = Support(*values["support"])
        self.features_ = Features.restore(values, arrays, *self._beside())
        with torch.device("meta"):  # shapes alone: they take no memory
            model = self._build(panel)
            weights = _fitting(model.state_dict(), arrays)
            same = self.features_.same(panel.ids)
            static = None if same is None else torch.empty(same.shape)
            live = stream.begin(model, panel.n_series, torch.float64, static)
            live = live._replace(phases=live.phases[-values["phases"] :])
            packed = stream.pack(live, model.reader)
            sizes = {"spreads": panel.n_series} | dict.fromkeys(
                ("X_mean", "X_spread"), model.reader.n_drivers
            )
            scales = {name: torch.empty(n, dtype=torch.float64) for name, n in sizes.items()}
        parts = _fitting(_named(packed) | scales, arrays)
        self.spreads_ = parts["spreads"].numpy()
        columns = [field.name for field in dataclasses.fields(training.Epoch)]
        self.history_ = pd.DataFrame({name: arrays[f"history.{name}"] for name in columns})
        with torch.random.fork_rng():
            self.model_ = self._build(panel)
        self.model_.load_state_dict(weights)
        device = _device_here(self.device)
        self.model_.to(device).eval()
        self.n_parameters_ = _count(self.model_)
        names = iter(_named(packed))
        packed = state_map(lambda _: parts[next(names)].to(device), packed)
        self.stream_ = stream.unpack(packed, self.model_.reader)

    def _apply(self, panel: Panel) -> None:
        self.spreads_ = typical_spreads(panel, panel.lengths)
        self.stream_ = self._read_all(panel)

    # Between the two

    def _beside(self) -> tuple[Any, Any, Any]:
        """Return what decides which features there are: frequency, holidays, static."""
        return self.freq_ if self.calendar else None, self.holidays, self.static

    def _check_parameters(self) -> None:
        for name in ("max_epochs", "n_iter_no_change", "n_estimators"):
            positive_integer(name, getattr(self, name))
        for name in ("context_length", "batch_size", "hidden_size", "num_layers"):
            if getattr(self, name) is not None:
                positive_integer(name, getattr(self, name))
        if self.random_state is not None:
            positive_integer("random_state", self.random_state, minimum=0)
        number_between("dropout", self.dropout, 0, 1, ends="left")
        number_between("validation_fraction", self.validation_fraction, 0, 1)
        number_between("learning_rate", self.learning_rate, 0, np.inf)
        number_between("weight_decay", self.weight_decay, 0, np.inf, ends="left")
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                number_between(name, getattr(self, name), 0, np.inf)
        for name in ("residual", "calendar", "early_stopping"):
            boolean(name, getattr(self, name))
        if not isinstance(self.verbose, bool):
            positive_integer("verbose", self.verbose, minimum=0)
        if self.holidays is not None and not self.calendar:
            raise ValueError(
                "`holidays` belong to the calendar, got calendar=False. Leave `holidays` out, or "
                "set calendar=True."
            )
        one_of("head", self.head, HEADS)
        one_of("point", self.point, ("median", "mean"))

    def _build(self, panel: Panel) -> Model:
        """Return the untrained model for a panel."""
        sizes = self.recipe_
        reader = Reader(
            patch=sizes.patch,
            window=sizes.window,
            block=sizes.block,
            scale_window=sizes.scale_window,
            lags=sizes.lags,
            drift=sizes.drift,
            n_known=len(panel.X_names),
            n_past=len(panel.past_names),
            driver_window=sizes.driver_window,
            trend=sizes.trend,
            mean=sizes.mean,
        )
        head = _head(self.head, sizes.block)
        networks = [self._network(reader.input_size) for _ in range(self.n_estimators)]
        readouts = [
            Readout(
                network.width,
                sizes.block,
                n_templates=reader.n_templates,
                raw_size=head.raw_size,
                n_rare=int(reader.mean),
                **self.features_.sizes(panel),
            )
            for network in networks
        ]
        members = Ensemble(networks), EnsembleReadout(readouts)
        return Model(reader, *members, head, sizes.stride, self.support_)

    def _train(self, panel: Panel, held_out: np.ndarray, generator: torch.Generator) -> None:
        """Train the model, judge it against naive forecasts, learn the paths' dependence."""
        model, sizes = self.model_, self.recipe_
        error_scales = seasonal_changes(panel, held_out, self.season_length_)
        error_scales = np.where(error_scales > 0, error_scales, self.spreads_)
        windows = self.features_.windows(panel, self.spreads_, self._device(), error_scales)
        first = torch.as_tensor(held_out, device=windows.device)
        # who asks for a long window wants to hear what a forecast gains by it
        context = 0 if self._window is None else sizes.n_steps
        judge = Validation(
            model.reader, windows, first, self.horizon_, self.season_length_, context
        )
        ends = first if self.early_stopping else windows.lengths
        settings = training.Settings(
            learning_rate=self.learning_rate,
            max_epochs=self.max_epochs,
            n_iter_no_change=self.n_iter_no_change if self.early_stopping else None,
            weight_decay=self.weight_decay,
            clip_norm=self.clip_norm,
            clip_value=self.clip_value,
            warm=sizes.warm,
            hide=0.1,
        )
        batches = windows.draw(
            sizes.batch_size,
            ends,
            n_steps=sizes.n_steps,
            reader=model.reader,
            generator=generator,
            pieces=self._pieces(panel.lengths),
        )
        validate = judge.loss if self.early_stopping else lambda model: math.nan
        epochs = training.train(model, batches, validate, settings, generator)
        self.history_ = pd.DataFrame([dataclasses.asdict(epoch) for epoch in self._watch(epochs)])
        self._warn_of_gradients(next(batches))
        judge.calibrate(model)
        error = validate(model)
        if error > judge.naive_loss + 1e-3:  # a constant is no reason to warn
            warnings.warn(
                f"On the validation part the trained {type(self).__name__} errs by {error:.3f} "
                f"spreads, a naive forecast by {judge.naive_loss:.3f}: NaiveForecaster may serve "
                "you better here.",
                ForecastWarning,
                stacklevel=4,
            )

    def _warn_of_gradients(self, batch: Batch) -> None:
        """Warn if gradients exploded, or vanish within the windows that the user asked for."""
        text = gradients.exploded(self.history_["gradient_norm"].tolist(), self.clip_norm)
        reader, first = self.model_.reader, cast(Network, self.model_.network.members[0])
        network = states.exact(first)
        if text is None and self._window is not None and states.width(network):
            inputs = reader.at(batch.past, batch.steps).inputs.cpu().double()
            text = gradients.vanished(gradients.backward_norms(network, inputs), reader.patch)
        if text is not None:
            warnings.warn(f"{type(self).__name__}: {text}", ForecastWarning, stacklevel=5)

    def _watch(self, epochs: Any) -> Any:
        """Show a progress bar over the epochs if asked to."""
        if not self.verbose:
            yield from epochs
            return
        from rich.console import Console
        from rich.progress import Progress

        # What a program prints may go into a file: progress is for the screen.
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task(type(self).__name__, total=self.max_epochs)
            for epoch in epochs:
                text = f"{type(self).__name__}, validation {epoch.validation_loss:.3f}"
                bar.update(task, advance=1, description=text)
                yield epoch

    def _device(self) -> torch.device:
        return next(self.model_.parameters()).device

    def _read_all(self, panel: Panel, *, phases: bool = False) -> Stream:
        """Read every series to its end."""
        windows = self.features_.windows(panel, self.spreads_, self._device())
        ends = windows.lengths
        rows = torch.arange(windows.n_series, device=windows.device)
        together = max(VALUES // int(ends.max()), 64)  # series read at once
        read = stream.encode_phases if phases else stream.encode
        with torch.inference_mode():
            parts = (read(self.model_, windows, some, ends[some]) for some in rows.split(together))
            return stream.gather(parts, len(rows))

    def _rollout(
        self, horizon: int, known: np.ndarray | None, copies: int, write: Any
    ) -> np.ndarray:
        """Run `write(stream, known)` over the series, some at a time."""
        ahead = torch.as_tensor(
            self.features_.ahead(self.panel_, horizon, known), device=self._device()
        )
        self.model_.eval()
        with torch.inference_mode():
            parts = [
                write(pick(self.stream_, rows), ahead[rows])
                for rows in torch.arange(len(ahead)).split(max(ROWS // copies, 1))
            ]
        return torch.cat(parts).cpu().numpy().astype(np.float64)


def _named(packed: State) -> dict[str, Tensor]:
    """Return the tensors of a packed stream under the names they are saved by."""
    return {f"stream.{i}": part for i, part in enumerate(leaves(packed))}


def _fitting(like: dict[str, Tensor], arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Return the arrays of these names as tensors, if they have these shapes and types."""
    found = {name: torch.from_numpy(arrays[name]) for name in like}
    for name, part in found.items():
        if (part.shape, part.dtype) != (like[name].shape, like[name].dtype):
            raise ValueError(f"{name!r} must have shape {tuple(like[name].shape)}")
    return found


def _count(model: Model) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _head(name: str, block: int) -> Head:
    if name == "quantile":
        return QuantileHead()
    return NormalHead() if name == "normal" else PointHead(name, block)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (AssertionError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"`device` must be 'auto' or a device of torch; {short(name)} is none, or is not here."
        ) from error


def _device_here(name: str) -> torch.device:
    """Return the device that a model was saved from, where it is missing that of "auto"."""
    try:
        return _device(name)
    except ValueError as error:
        warnings.warn(f"{error} The model is loaded as with 'auto'.", ForecastWarning, stacklevel=5)
        return _device("auto")
