"""The parent of the forecasters that learn a network: how they are built, trained and saved.

The final classes, in `recurrent.py`, `seq2seq.py` and `window/mlp.py`, add the network and the
recipe of its sizes.
"""

from __future__ import annotations

import abc
import copy
import dataclasses
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from forecast._checks import ForecastWarning
from forecast.data.calendar import longer_seasons
from forecast.data.held_out import blocks_in_turn, validation_lengths
from forecast.data.panel import Panel
from forecast.engine import ranks, training
from forecast.engine.batches import Batch, Windows, typical_spreads
from forecast.engine.folds import Folds
from forecast.engine.model import Model
from forecast.engine.stream import encode_all
from forecast.engine.support import Support
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
from forecast.forecasters.neural.live import LiveForecaster
from forecast.forecasters.neural.parameters import GIVEN
from forecast.forecasters.neural.persistence import Learned
from forecast.forecasters.neural.recipe import Recipe, usable_seasons
from forecast.networks.base import Network, state_map
from forecast.networks.heads.registry import HEADS

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

    from forecast.forecasters.base import Frame


class NeuralForecaster(LiveForecaster, abc.ABC):
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
    history_: pd.DataFrame

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
        held_out, device, path = self._measure(panel), device_of(self.device), self.checkpoint
        with self._seeded(device, 0) as generator:
            self.model_ = self._build(panel).to(device)
            windows = self._weighed_windows(panel, held_out)
            judge = self._judge(windows, torch.as_tensor(held_out, device=windows.device))
            self.history_, batch = fitting.train(
                self.model_,
                self.recipe_,
                windows,
                judge,
                self._settings(self.recipe_),
                generator,
                ends=judge.ends if self.early_stopping else windows.lengths,
                pieces=self._pieces(panel.lengths),
                name=type(self).__name__ if self.verbose and ranks.rank() == 0 else None,
                keep=partial(self._keep, path, windows, judge) if path else None,
            )
            self._calibrate(judge)
            for trouble in self._troubles(batch, judge):
                warnings.warn(trouble, ForecastWarning, stacklevel=4)
        self.n_parameters_ = count_parameters(self.model_)
        self.stream_ = encode_all(self.model_, windows)

    def partial_fit(self, y: Frame | None = None, X: IntoDataFrame | None = None) -> Self:
        """Absorb new values as `update` does, and train on, from the weights as they are.

        One epoch of 50 steps, on windows of all that was seen: the learning rate rises and falls
        within it, and the mean of its weights is kept. Nothing is held out, so bands stay as wide
        as `fit` has made them, and points lean on naive forecasts as far. What fixes sizes and
        units (season, scale of `X`, static features) stays, too. All values count alike, whatever
        `sample_weight` told `fit`. Before `fit` this is `fit`.

        Parameters
        ----------
        y
            New values of the same kind and the same series as in `fit`. None: there are none, and
            what was seen is learned from once more.
        X
            Their covariates, if `fit` had X.

        Returns
        -------
        The forecaster itself; unchanged if anything fails. `history_` has a row more.
        """
        if y is not None and not self.__sklearn_is_fitted__():
            return self.fit(y, X)
        check_is_fitted(self)
        learner = copy.copy(self) if y is None else self._after(y, X)
        learner._train_on(learner._seen(learner.panel_))
        self.__dict__ = learner.__dict__
        return self

    def _train_on(self, panel: Panel) -> None:
        """Train for one epoch on a whole history."""
        self.model_ = copy.deepcopy(self.model_)
        windows, done = self._weighed_windows(panel, panel.lengths), len(self.history_)
        settings = dataclasses.replace(
            self._settings(self.recipe_), max_epochs=1, n_iter_no_change=None
        )
        with self._seeded(self._device(), done) as generator:
            epoch, _ = fitting.train(
                self.model_,
                self.recipe_,
                windows,
                None,
                settings,
                generator,
                ends=windows.lengths,
                pieces=self._pieces(panel.lengths),
                name=None,
                keep=None,
            )
        epochs = [self.history_, epoch.assign(epoch=done + 1)]
        self.history_ = pd.concat(epochs, ignore_index=True)
        self.stream_ = encode_all(self.model_, windows)

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

    # Used by these

    @contextmanager
    def _seeded(self, device: torch.device, done: int) -> Iterator[torch.Generator]:
        """Seed torch, which is as it was afterwards, for training that goes on after some epochs.

        Yields the generator that draws windows.
        """
        seed, sizes = self.random_state, self.recipe_
        seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed + done
        small = sizes.batch_size * sizes.n_steps * sizes.hidden_size < 32_000
        with training.seeded(), training.one_thread(small), ranks.joined(device):
            torch.manual_seed(seed := int(ranks.agreed(seed)))
            yield torch.Generator().manual_seed(seed)

    def _weighed_windows(self, panel: Panel, lengths: np.ndarray) -> Windows:
        """Return windows whose errors are weighed by what the first `lengths` (n,) values tell."""
        scales = fitting.error_scales(panel, lengths, self.season_length_, self.spreads_)
        return self._windows(panel, scales)

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

    def _measure(self, panel: Panel) -> np.ndarray:
        """Set what a panel tells before training; return where its held-out part begins, (n,)."""
        self.recipe_ = self._sizes(panel)
        held_out = self._held_out(panel)
        self.spreads_ = typical_spreads(panel, np.where(held_out > 0, held_out, panel.lengths))
        # transformed values are bounded by the inverse, if at all
        plain = self.target_transform_ is None
        self.support_ = Support.of(panel.values) if plain else Support()
        if HEADS[self.head](1).counts:
            self.support_ = Support.of_counts(panel.values)
        self.features_ = Features.fit(panel, *self._feature_options(), self.id_col)
        return held_out

    def _judge(self, windows: Windows, held_out: Tensor) -> Validation:
        """Return what judges the model by the values from `held_out` (n,) on."""
        # a window that the user has set is judged whole, however many steps it has
        context = 0 if self._window is None else self.recipe_.n_steps
        asked = self.horizon_, self.season_length_, context
        blocks = self._blocks(windows.panel, int(held_out[0]))
        if blocks is None:
            return Validation(self.model_, windows, held_out, *asked)
        own = torch.as_tensor(blocks, device=windows.device)
        return Folds(self.model_, windows, own, *asked)

    def _blocks(self, panel: Panel, first: int) -> np.ndarray | None:
        """Return the block that each member leaves out, (E, 2); None: all leave out the same."""
        members, fewest = self.recipe_.n_estimators, self.recipe_.scale_window
        if members == 1 or not self.early_stopping or self.recipe_.prior is not None:
            return None
        return blocks_in_turn(panel, first, members, fewest)

    def _calibrate(self, judge: Validation) -> None:
        """Learn how wide bands are, and those of each series where held-out values can tell it.

        Errors on values that were learned from tell which series were learned by heart.
        """
        by_series = self.calibration is None and self.early_stopping
        self.calibration_ = fitting.calibrate(self.model_, judge, by_series=by_series)

    def _troubles(self, batch: Batch, judge: Validation) -> Iterator[str]:
        """Yield what to warn of after training: its gradients, a naive forecast that is better."""
        model, name, asked = self.model_, type(self).__name__, self._window is not None
        norms = self.history_["gradient_norm"].tolist()
        for text in fitting.gradient_trouble(model, batch, norms, self.clip_norm, asked=asked):
            yield f"{name}: {text}"
        if self.early_stopping:
            error = judge.loss(model)
            yield from fitting.naive_is_better(error, judge.naive_loss, judge.horizons, name)

    def _keep(
        self, path: str, windows: Windows, judge: Validation, model: Model, history: pd.DataFrame
    ) -> None:
        """Write the forecaster to a file as it would be if training ended here."""
        kept = copy.copy(self)
        kept.model_, kept.history_ = copy.deepcopy(model), history
        kept._calibrate(judge)
        kept.stream_ = encode_all(kept.model_, windows)
        kept.save(path)

    def _untrained(self) -> Self:
        untrained = super()._untrained()
        untrained.checkpoint = None  # it learns from less than all values
        return untrained
