"""What a trained network answers: forecasts from its live stream, updates, other histories."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from forecast.data.panel import Panel
from forecast.engine import rollout, stream
from forecast.engine.batches import Windows, typical_spreads
from forecast.engine.model import Model
from forecast.engine.stream import Stream
from forecast.engine.sweep import phases_needed, sweep
from forecast.forecasters.neural.features import Features
from forecast.forecasters.neural.parameters import NeuralParameters
from forecast.forecasters.neural.recipe import Recipe
from forecast.forecasters.occlusion import Occluded
from forecast.networks.base import pick

ROLLOUT_ROWS = 8192  # rows of one rollout: more do not fit into the processor's caches


class LiveForecaster(NeuralParameters):
    """Forecast by a trained network; how it is trained is told by `NeuralForecaster` (abstract)."""

    model_: Model
    recipe_: Recipe
    features_: Features
    spreads_: np.ndarray
    stream_: Stream

    @property
    def point_is_mean(self) -> bool:
        """Whether the forecast is a mean."""
        return self.point == "mean"

    def _predict(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        return self._written(self.stream_, self._told(self.panel_, horizon, known), self.point)

    def _written(self, live: Stream, ahead: Tensor, point: str) -> np.ndarray:
        """Return the medians or means (n, H) that the network writes and reads again."""
        model, choose = self.model_, rollout.greedy(self.model_, point)
        with torch.inference_mode():
            parts = [rollout.rollout(model, *part, choose) for part in _parts(live, ahead)]
        return _joined(parts) if point == "mean" else model.support.round(_joined(parts))

    def _centered(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Read both off the head within the first block; quantiles beyond it are those of paths."""
        ahead = self._told(self.panel_, horizon, known)
        if horizon <= self.recipe_.stride:
            return self._one_block(self.stream_, ahead, levels)
        own = self._first_block(self.stream_, ahead, levels)[..., 1:]
        beyond = self._quantiles_of_paths(horizon, levels, known)[:, own.shape[1] :]
        quantiles = np.concatenate([own, beyond], 1)
        # a quantile of paths may lie between two whole numbers
        return self._written(self.stream_, ahead, "median"), self.model_.support.round(quantiles)

    def _one_block(
        self, live: Stream, ahead: Tensor, levels: tuple[float, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return median (n, r) and quantiles (n, r, Q) of one block."""
        whole = self.model_.support.round(self._first_block(live, ahead, levels))
        return whole[..., 0], whole[..., 1:]

    def _first_block(self, live: Stream, ahead: Tensor, levels: tuple[float, ...]) -> np.ndarray:
        """Return the steps of one block, (n, r, 1 + Q): the median, then the quantiles."""
        model, parts = self.model_, []
        with torch.inference_mode():
            for part in _parts(live, ahead[:, : self.recipe_.stride]):
                reading, params = rollout.first_block(model, *part)
                z = model.quantiles(params, (0.5, *levels), reading.typical_spread)
                parts.append(model.values(reading.scale, z))
        return _joined(parts)

    def _sample(
        self, horizon: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        # each part of a large panel draws from a generator of its own, so that a longer horizon
        # for one part does not move the draws of the next
        seed, paths = int(rng.integers(2**31)), []
        ahead = self._told(self.panel_, horizon, known)
        with torch.inference_mode():
            for k, part in enumerate(_parts(self.stream_, ahead, n_samples)):
                generator = torch.Generator().manual_seed(seed + k)
                paths.append(rollout.paths(self.model_, *part, n_samples, generator))
        return self.model_.support.round(_joined(paths))

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
            start = stream.encode_all(self.model_, self._windows(seen), phases=True)
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
            self.stream_ = stream.encode_all(self.model_, self._windows(panel), phases=True)

    def _apply(self, panel: Panel) -> None:
        self.features_ = dataclasses.replace(self.features_, static=self.static)
        self.spreads_ = typical_spreads(panel, panel.lengths)
        self.stream_ = stream.encode_all(self.model_, self._windows(panel))

    def _answer(self, asked: Occluded, horizon: int) -> np.ndarray:
        other = copy.copy(self)
        other.panel_, other.spreads_ = asked.panel, self.spreads_[asked.owners]
        live = stream.encode_all(self.model_, other._windows(asked.panel))
        live = live._replace(static=live.static.masked_fill(self._tensor(asked.static)[:, None], 0))
        ahead, own = other._told(asked.panel, horizon, asked.known), len(self.panel_.X_names)
        usual = self._tensor(self.features_.usual_calendar(self.panel_))
        ahead[self._tensor(asked.calendar), :, : ahead.shape[2] - own] = usual
        return other._written(live, ahead, self.point)

    # Used by these

    def _device(self) -> torch.device:
        return self.model_.noise_factor.device

    def _windows(self, panel: Panel, error_scales: np.ndarray | None = None) -> Windows:
        return self.features_.windows(panel, self.spreads_, self._device(), error_scales)

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


def _parts(live: Stream, ahead: Tensor, copies: int = 1) -> list[tuple[Stream, Tensor]]:
    """Return the rows of a stream and what is known of their future, as many as go together."""
    newest = live._replace(phases=live.phases[-1:])
    together = max(ROLLOUT_ROWS // copies, 1)
    if len(ahead) <= together:
        return [(newest, ahead)]
    rows = [slice(first, first + together) for first in range(0, len(ahead), together)]
    return [(pick(newest, some), ahead[some]) for some in rows]


def _joined(parts: list[Tensor]) -> np.ndarray:
    """Return what was forecast for the rows of a stream."""
    whole = parts[0] if len(parts) == 1 else torch.cat(parts)
    return whole.cpu().numpy().astype(np.float64)
