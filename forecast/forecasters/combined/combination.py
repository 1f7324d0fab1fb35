"""The parent of forecasters that are made of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from forecast.data.panel import Panel
from forecast.forecasters.arrays import ForecasterTags
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.calibration import Calibration
from forecast.forecasters.combined.blending import MEDIAN, blend, carried
from forecast.forecasters.encoding import beneath
from forecast.forecasters.history import shaped
from forecast.forecasters.loading import rebuilt
from forecast.forecasters.occlusion import Occluded
from forecast.forecasters.saving import described
from forecast.pretrained.network import LEVELS


class Combination(BaseForecaster):
    """Forecast with the average of the members' quantile functions (abstract).

    A path is drawn by one member, as often as its weight says, and each of its values is carried
    over to the joint distribution at its level: paths keep how the steps of that member belong
    together, and have the quantiles of all.

    `update` lets every member absorb the new values. `apply` keeps the weights that all series have
    in common; a member that learns each series on its own is fitted to the others.

    Its parameters are those of `Parameters`, and `combine`.

    Attributes
    ----------
    members_ : dict
        The fitted members, by their names.
    shares_ : array (n, M)
        Their weights in each series, adding up to 1.
    common_ : array (M,)
        Their weights in a series of which nothing is known.
    width_ : Calibration or None
        How much the joint bands and paths are stretched.
    """

    tags = ForecasterTags(shift_equivariant=False, covariates=True)

    combine: str
    members_: dict[str, BaseForecaster]
    shares_: np.ndarray
    common_: np.ndarray
    width_: Calibration | None

    @property
    def reads_covariates(self) -> bool:
        """Whether those of any member do."""
        return any(one.reads_covariates for one in self.members_.values())

    @property
    def weights_(self) -> pd.DataFrame:
        """The weights: a row for each series, a column for each member."""
        return pd.DataFrame(self.shares_, self.panel_.ids, list(self.members_))

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        self.members_ = {name: one._continued(panel) for name, one in self.members_.items()}

    def _apply(self, panel: Panel) -> None:
        self.members_ = {name: self._applied(one, panel) for name, one in self.members_.items()}
        self.shares_ = np.tile(self.common_, (panel.n_series, 1))
        if self.width_ is not None:
            self.width_ = self.width_.borrowed(panel.n_series)

    def _applied(self, member: BaseForecaster, panel: Panel) -> BaseForecaster:
        if type(member)._apply is BaseForecaster._apply:
            return self._fitted(member, panel)
        return member._with_history(panel)

    def _answer(self, asked: Occluded, horizon: int) -> np.ndarray:
        found = np.stack([one._answered(asked, horizon) for one in self.members_.values()])
        return blend(found, self.shares_[asked.owners], self.combine)

    def _predict(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        return self._centered(horizon, (), known)[0]

    def _centered(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ask every member once."""
        members = self.members_.values()
        found = [one._median_and_quantiles(horizon, levels, known) for one in members]
        medians, quantiles = (self._blended(list(parts)) for parts in zip(*found, strict=True))
        return medians, self._widened(quantiles, medians)

    def _predict_at(
        self,
        panel: Panel,
        origins: np.ndarray,
        horizon: int,
        levels: tuple[float, ...],
        known: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Let every member forecast from all origins, in its own way."""
        asked = tuple(sorted({0.5, *levels}))
        members = self.members_.values()
        found = [one._from_origins(panel, origins, horizon, asked, known)[1] for one in members]
        joint = [self._blended(list(parts)) for parts in zip(*found, strict=True)]  # (n, H, Q)
        medians = [one[..., asked.index(0.5)] for one in joint]
        places = [asked.index(level) for level in levels]
        quantiles = [
            self._widened(one[..., places], median)
            for one, median in zip(joint, medians, strict=True)
        ]
        return np.stack(medians), np.stack(medians), np.stack(quantiles)

    def _sample(
        self, horizon: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        seeds = rng.integers(2**31, size=len(self.members_))
        who = self._drawn(rng.random((self.panel_.n_series, n_samples)))  # (n, S)
        # steps first: a longer horizon then goes on where a shorter one ends
        uniforms = rng.random((horizon, *who.shape)).transpose(1, 0, 2)  # (n, H, S)
        members = self.members_.values()
        own = [one._median_and_quantiles(horizon, LEVELS, known)[1] for one in members]
        joint = self._blended(own)  # (n, H, Q)
        paths = np.empty(uniforms.shape)
        for k, (member, seed) in enumerate(zip(members, seeds, strict=True)):
            drawn = member._paths(horizon, n_samples, known, np.random.default_rng(seed))
            read = carried(drawn, own[k], joint, uniforms)
            paths = np.where((who == k)[:, None], read, paths)
        return self._widened(paths, joint[..., MEDIAN]).transpose(0, 2, 1)

    def _drawn(self, uniforms: np.ndarray) -> np.ndarray:
        """Return the member of each path, as often as the weights say."""
        ends = self.shares_.cumsum(axis=1)[:, None, :-1]  # (n, 1, M - 1)
        drawn: np.ndarray = (uniforms[..., None] >= ends).sum(-1)
        return drawn

    def _blended(self, parts: list[np.ndarray]) -> np.ndarray:
        return blend(np.stack(parts), self.shares_, self.combine)

    def _widened(self, values: np.ndarray, median: np.ndarray) -> np.ndarray:
        return values if self.width_ is None else self.width_.stretch(values, median)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        told, arrays = {}, {"shares": self.shares_, "common": self.common_}
        for k, (name, member) in enumerate(self.members_.items()):
            told[name], learned = described(member)
            arrays |= {f"{k}/{part}": np.asarray(array) for part, array in learned.items()}
        return {"members": told, "width": self.width_ and self.width_.state()}, arrays

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.members_ = {
            name: rebuilt(about, beneath(arrays, f"{k}/"), panel)
            for k, (name, about) in enumerate(values["members"].items())
        }
        self.shares_ = shaped(arrays, "shares", panel.n_series, len(self.members_))
        self.common_ = shaped(arrays, "common", len(self.members_))
        for shares in (self.shares_, self.common_):
            if not ((shares >= 0).all() and np.allclose(shares.sum(-1), 1)):
                raise ValueError("the weights of the members do not add up to 1")
        self.width_ = Calibration.from_state(values["width"], panel.n_series)
