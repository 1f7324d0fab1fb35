"""The parent of the forecasters that learn a network: fit, predict and update.

The final classes, in `recurrent.py`, `seq2seq.py` and `window/mlp.py`, add the network and the
recipe of its sizes.
"""

from __future__ import annotations

import abc
import copy
import dataclasses
import itertools
import math
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecast._checks import ForecastWarning
from forecast.data.calendar import longer_seasons
from forecast.data.panel import Panel
from forecast.data.windows import validation_lengths
from forecast.engine import ranks, rollout, stream, training
from forecast.engine.batches import Windows, typical_spreads
from forecast.engine.model import Model
from forecast.engine.stream import Stream
from forecast.engine.support import Support
from forecast.engine.sweep import phases_needed, sweep
from forecast.engine.validation import Validation
from forecast.forecasters.arrays import ForecasterTags
from forecast.forecasters.neural import fitting, persistence
from forecast.forecasters.neural.building import (
    build_model,
    count_parameters,
    device_here,
    device_of,
)
from forecast.forecasters.neural.features import Features
from forecast.forecasters.neural.parameters import GIVEN, NeuralParameters
from forecast.forecasters.neural.persistence import Learned
from forecast.forecasters.neural.recipe import Recipe, usable_seasons
from forecast.forecasters.occlusion import Occluded
from forecast.networks.base import Network, pick, state_map
from forecast.networks.heads.registry import HEADS

ROLLOUT_ROWS = 8192  # rows of one rollout: more do not fit into the processor's caches


class NeuralForecaster(NeuralParameters, abc.ABC):
    """The parent of all forecasters that train a network (abstract).

    One network is trained over all series of a panel. Each value is read in the scale of its
    own recent past, each block of forecasts is a mixture of what was last seen of its season
    and a correction, and the whole distribution is learned.

    Its parameters are those of `NeuralParameters`.

    Attributes
    ----------
    model_ : torch.nn.Module
        Reader, network, readout and head.
    recipe_ : Recipe
        The sizes in use.
    features_ : Features
        Covariates, calendar and static features, scaled.
    support_ : Support
        The values that can be forecast: none below zero if the history reaches zero and never
        passes it; whole quantiles if it holds counts.
    history_ : pandas.DataFrame
        One row per epoch: losses in scaled units, rate, gradient norm, seconds.
    n_parameters_ : int
        Trained numbers.
    """

    tags = ForecasterTags(covariates=True, sample_weight=True)

    # To be written by a final class

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
        """The values of a training window, if the user has set them."""
        return self.context_length

    def _pieces(self, lengths: np.ndarray) -> int:
        """Return through how many consecutive training windows the state passes."""
        return 1

    def _held_out(self, panel: Panel) -> np.ndarray:
        """Return how many first values of each series are for training; the rest validates."""
        return validation_lengths(panel, self.validation_fraction, self.horizon_)

    # The methods of every forecaster, see `arrays.py`

    def _fit(self, panel: Panel) -> None:
        self._check_parameters()
        self.recipe_ = self._sizes(panel)
        held_out = self._held_out(panel)
        self.spreads_ = typical_spreads(panel, np.where(held_out > 0, held_out, panel.lengths))
        # transformed values are bounded by the inverse, if at all
        plain = self.target_transform_ is None
        self.support_ = Support.of(panel.values) if plain else Support()
        if HEADS[self.head](1).counts:
            self.support_ = Support.of_counts(panel.values)
        self.features_ = Features.fit(panel, *self._feature_options(), self.id_col)
        seed = self.random_state
        seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed
        sizes, device = self.recipe_, device_of(self.device)
        small = sizes.batch_size * sizes.n_steps * sizes.hidden_size < 32_000
        with torch.random.fork_rng(), training.one_thread(small), ranks.joined(device):
            torch.manual_seed(seed := int(ranks.agreed(seed)))
            self.model_ = self._build(panel).to(device)
            scales = fitting.error_scales(panel, held_out, self.season_length_, self.spreads_)
            windows = self._windows(panel, scales)
            self._train(windows, held_out, torch.Generator().manual_seed(seed))
        self.n_parameters_ = count_parameters(self.model_)
        self.stream_ = self._read_all(windows)

    @property
    def point_is_mean(self) -> bool:
        """Whether the forecast is a mean."""
        return self.point == "mean"

    def _predict(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        return self._written(self.stream_, self._told(self.panel_, horizon, known), self.point)

    def _written(self, live: Stream, ahead: Tensor, point: str) -> np.ndarray:
        """Return the medians or means (n, H) that the network writes and reads again."""
        choose = rollout.greedy(self.model_, point)

        def read(live: Stream, ahead: Tensor) -> Tensor:
            return rollout.rollout(self.model_, live, ahead, choose)

        values = self._write(live, ahead, read)
        return values if point == "mean" else self.model_.support.round(values)

    def _predict_quantiles(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> np.ndarray:
        """Return the head's own quantiles within the first block, those of paths beyond."""
        ahead = self._told(self.panel_, horizon, known)
        found = self._first_block(self.stream_, ahead, levels)[..., 1:]
        direct = found.shape[1]
        if horizon > direct:
            beyond = super()._predict_quantiles(horizon, levels, known)
            found = np.concatenate([found, beyond[:, direct:]], 1)
        return self.model_.support.round(found)  # a quantile of paths may lie between two of them

    def _centered(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Read both off one pass of the network, where one block reaches far enough."""
        ahead = self._told(self.panel_, horizon, known)
        if horizon > self.recipe_.stride:
            median = self._written(self.stream_, ahead, "median")
            return median, self._predict_quantiles(horizon, levels, known)
        return self._one_block(self.stream_, ahead, levels)

    def _one_block(
        self, live: Stream, ahead: Tensor, levels: tuple[float, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return median (n, r) and quantiles (n, r, Q) of one block."""
        whole = self.model_.support.round(self._first_block(live, ahead, levels))
        return whole[..., 0], whole[..., 1:]

    def _first_block(self, live: Stream, ahead: Tensor, levels: tuple[float, ...]) -> np.ndarray:
        """Return the steps of one block, (n, r, 1 + Q): the median, then the quantiles."""

        def read(live: Stream, ahead: Tensor) -> Tensor:
            block = ahead[:, : self.recipe_.stride]
            scale, raw = rollout.first_block(self.model_, live, block)
            return self.model_.values(scale, self.model_.quantiles(raw, (0.5, *levels)))

        return self._write(live, ahead, read)

    def _sample(
        self, horizon: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        # each part of a large panel draws from a generator of its own, so that a longer horizon
        # for one part does not move the draws of the next
        seeds = itertools.count(int(rng.integers(2**31)))

        def draw(live: Stream, ahead: Tensor) -> Tensor:
            generator = torch.Generator().manual_seed(next(seeds))
            return rollout.paths(self.model_, live, ahead, n_samples, generator)

        ahead = self._told(self.panel_, horizon, known)
        return self.model_.support.round(self._write(self.stream_, ahead, draw, n_samples))

    def _predict_at(
        self,
        panel: Panel,
        origins: np.ndarray,
        horizon: int,
        levels: tuple[float, ...],
        known: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read all values once, and write on from all origins at once."""
        new = origins - self.panel_.lengths  # (O, n)
        one_block = horizon <= self.recipe_.stride and not self.point_is_mean
        if (new != new[:, :1]).any() or (levels and not one_block):
            return super()._predict_at(panel, origins, horizon, levels, known)
        told = self._tensor(self.features_.rolling(panel, origins, horizon, known)).flatten(0, 1)
        points, quantiles, done = [], [], 0
        for live in self._streams(panel, new[:, 0].tolist(), horizon):
            ahead = told[done : done + len(live.features)]
            if levels:
                point, levelled = self._one_block(live, ahead, levels)
            else:
                point = self._written(live, ahead, self.point)
                levelled = np.empty((*point.shape, 0))
            points.append(point)
            quantiles.append(levelled)
            done += len(ahead)
        shape = (*origins.shape, horizon)
        point = np.concatenate(points).reshape(shape)
        return point, point, np.concatenate(quantiles).reshape(*shape, len(levels))

    def _streams(self, panel: Panel, moments: list[int], horizon: int) -> Iterator[Stream]:
        """Yield the streams after so many of the values that follow the history in a panel."""
        start, patch = self.stream_, self.recipe_.patch
        if len(start.phases) < patch and phases_needed(moments, patch) != [patch - 1]:
            seen = panel.head(self.panel_.lengths)
            start = self._read_all(self._windows(seen), phases=True)
        values, drivers = self._newest(panel, moments[-1])
        # a decoder begins from the state, and what is read back goes on from it
        alone = horizon <= self.recipe_.stride and not self.model_.network.hands_over
        return sweep(self.model_, values, start, drivers, moments, one_block=alone)

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        """Absorb new values: one step of the network per value and series.

        The first update reads the history once more, for the phases that `predict` never needs;
        so do new values that are more for some series than for others.
        """
        complete = len(self.stream_.phases) == self.recipe_.patch
        if complete and (added == added[0]).all():
            values, drivers = self._newest(panel, int(added[0]))
            with torch.inference_mode():
                _, self.stream_ = stream.absorb(self.model_, values, self.stream_, drivers)
        else:
            self.stream_ = self._read_all(self._windows(panel), phases=True)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        learned = Learned(self.model_, self.stream_, self.spreads_, self.history_)
        values, arrays = self.features_.state()
        values |= {"recipe": dataclasses.asdict(self.recipe_), "phases": len(self.stream_.phases)}
        values["support"] = list(self.support_)
        return values, persistence.to_arrays(learned) | arrays

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._check_parameters()
        self.recipe_ = persistence.restore_recipe(values["recipe"], self.n_estimators, len(arrays))
        self.support_ = Support(*values["support"])
        self.features_ = Features.restore(values, arrays, *self._feature_options())
        learned = persistence.from_arrays(
            arrays, lambda: self._build(panel), panel, self.features_, values["phases"]
        )
        device = device_here(self.device)
        self.model_ = learned.model.to(device)
        self.stream_ = state_map(lambda part: part.to(device), learned.live)
        self.spreads_, self.history_ = learned.spreads, learned.history
        self.n_parameters_ = count_parameters(self.model_)

    def _apply(self, panel: Panel) -> None:
        self.features_ = dataclasses.replace(self.features_, static=self.static)
        self.spreads_ = typical_spreads(panel, panel.lengths)
        self.stream_ = self._read_all(self._windows(panel))

    def _answer(self, asked: Occluded, horizon: int) -> np.ndarray:
        other = copy.copy(self)
        other.panel_, other.spreads_ = asked.panel, self.spreads_[asked.owners]
        live = other._read_all(other._windows(asked.panel))
        live = live._replace(static=live.static.masked_fill(self._tensor(asked.static)[:, None], 0))
        ahead, own = other._told(asked.panel, horizon, asked.known), len(self.panel_.X_names)
        usual = self._tensor(self.features_.usual_calendar(self.panel_))
        ahead[self._tensor(asked.calendar), :, : ahead.shape[2] - own] = usual
        return other._written(live, ahead, self.point)

    # Used by these

    def _feature_options(self) -> tuple[Any, Any, Any]:
        """Return the options of `Features`: frequency of the calendar, holidays, static."""
        return self.freq_ if self.calendar else None, self.holidays, self.static

    def _sizes(self, panel: Panel) -> Recipe:
        """Return the recipe for a panel; sizes that the user has set replace its own."""
        seasons = (self.season_length_, *longer_seasons(self.season_length_, panel.freq))
        seasons = usable_seasons(seasons, panel.lengths, self.horizon_)
        recipe = self._recipe(seasons, panel.lengths, self.horizon_, self._window)
        recipe = self._suited(recipe, panel)
        given = {name: getattr(self, name) for name in GIVEN if getattr(self, name) is not None}
        return dataclasses.replace(recipe, **given)

    def _suited(self, recipe: Recipe, panel: Panel) -> Recipe:
        """Return the recipe for what is asked of this forecaster beyond its class."""
        return recipe

    def _build(self, panel: Panel) -> Model:
        """Return the untrained model for a panel."""
        given = self.recipe_, panel, self.features_, self.support_
        return build_model(*given, self.head, self.precision, self._network)

    def _train(self, windows: Windows, held_out: np.ndarray, generator: torch.Generator) -> None:
        """Train the model, calibrate it, and warn if a naive forecast is better."""
        model, name, path = self.model_, type(self).__name__, self.checkpoint
        first = torch.as_tensor(held_out, device=windows.device)
        # a window that the user has set is judged whole, however many steps it has
        context = 0 if self._window is None else self.recipe_.n_steps
        judge = Validation(model, windows, first, self.horizon_, self.season_length_, context)
        self.history_, batch = fitting.train(
            model,
            self.recipe_,
            windows,
            judge,
            self._settings(self.recipe_.min_observed),
            generator,
            ends=first if self.early_stopping else windows.lengths,
            pieces=self._pieces(windows.lengths.numpy(force=True)),
            name=name if self.verbose and ranks.rank() == 0 else None,
            keep=partial(self._keep, path, windows, judge) if path else None,
        )
        norms, asked = self.history_["gradient_norm"].tolist(), self._window is not None
        trouble = fitting.gradient_trouble(model, batch, norms, self.clip_norm, asked=asked)
        if trouble is not None:
            warnings.warn(f"{name}: {trouble}", ForecastWarning, stacklevel=6)
        judge.calibrate(model)
        error = judge.loss(model) if self.early_stopping else math.nan
        horizons = float((windows.lengths - first).sum()) / self.horizon_
        trouble = fitting.naive_is_better(error, judge.naive_loss, horizons, name)
        if trouble is not None:
            warnings.warn(trouble, ForecastWarning, stacklevel=6)

    def _keep(
        self, path: str, windows: Windows, judge: Validation, model: Model, history: pd.DataFrame
    ) -> None:
        """Write the forecaster to a file as it would be if training ended here."""
        kept = copy.copy(self)
        kept.model_, kept.history_, kept.calibration_ = copy.deepcopy(model), history, None
        judge.calibrate(kept.model_)
        kept.stream_ = kept._read_all(windows)
        kept.save(path)

    def _untrained(self) -> Self:
        untrained = super()._untrained()
        untrained.checkpoint = None  # it learns from less than all values
        return untrained

    def _device(self) -> torch.device:
        return self.model_.noise_factor.device

    def _windows(self, panel: Panel, error_scales: np.ndarray | None = None) -> Windows:
        return self.features_.windows(panel, self.spreads_, self._device(), error_scales)

    def _read_all(self, windows: Windows, *, phases: bool = False) -> Stream:
        """Read every series to its end."""
        return stream.encode_all(self.model_, windows, phases=phases)

    def _newest(self, panel: Panel, count: int) -> tuple[Tensor, Tensor]:
        """Return the last values of every series and their covariates, as the model reads them."""
        newest = panel.newest(count)
        values = self._tensor(newest.values).double()
        return values, self._tensor(self.features_.beside(newest))

    def _told(self, panel: Panel, horizon: int, known: np.ndarray | None) -> Tensor:
        """Return what is known of the next steps, (n, H, K), as the model reads it."""
        return self._tensor(self.features_.ahead(panel, horizon, known))

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(array, device=self._device())

    def _write(self, live: Stream, ahead: Tensor, write: Any, copies: int = 1) -> np.ndarray:
        """Return what `write(stream, known)` forecasts for the rows of a stream, some at a time."""
        newest = live._replace(phases=live.phases[-1:])
        together = max(ROLLOUT_ROWS // copies, 1)
        if len(ahead) <= together:
            parts = [(newest, ahead)]
        else:
            rows = [slice(first, first + together) for first in range(0, len(ahead), together)]
            parts = [(pick(newest, some), ahead[some]) for some in rows]
        with torch.inference_mode():
            written = torch.cat([write(*part) for part in parts])
        return written.cpu().numpy().astype(np.float64)
