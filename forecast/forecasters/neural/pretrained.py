"""A forecast without training: a recurrent network taught beforehand by generated series."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Unpack

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from forecast._checks import number_between, positive_integer
from forecast.data.panel import Panel
from forecast.engine.support import Support
from forecast.forecasters.arrays import ForecasterTags
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.calibration import origins
from forecast.forecasters.encoding import beneath
from forecast.forecasters.history import shaped
from forecast.forecasters.neural.drivers import Drivers
from forecast.forecasters.neural.effect import Effect, spreads
from forecast.forecasters.neural.views import candidates
from forecast.forecasters.occlusion import Occluded
from forecast.forecasters.parameters import Common
from forecast.networks.base import pick, stack
from forecast.pretrained import calibration, extent
from forecast.pretrained.blocks import steps_for
from forecast.pretrained.network import LEVELS
from forecast.pretrained.sweep import (
    NEIGHBOURS,
    NEWEST,
    STEPS,
    Live,
    Sweep,
    View,
    absorb,
    begin,
    blend,
    farthest,
    judged,
    mix,
    next_quantiles,
    pooled,
    quantiles,
    spaced,
    steps_ago,
    sweep,
    typical,
)
from forecast.pretrained.tuning import Histories, fine_tune, heard
from forecast.pretrained.weights import build_network, shipped_network

VALUES = 2**16  # values, or steps ahead, that are looked at in one call
REREAD = 8  # from so many new values on, reading everything anew is cheaper
MANY = 20  # series that together tell a season of whole-number steps, and what values there are
MEDIAN = LEVELS.index(0.5)


def read_of(panel: Panel, back: int | np.ndarray = 0) -> np.ndarray:
    """Return how many values of each series are read, (n,): the last 1,400 and a few before them.

    Parameters
    ----------
    panel
    back
        How many of the newest values, of each series (n,), are not looked at.
    """
    return extent.seen(panel.starts, panel.ends - back)


class PretrainedForecaster(BaseForecaster):
    """Forecast at once: `fit` reads the history and trains nothing.

    A recurrent network of two LSTM layers learned beforehand, from millions of generated series and
    no real one, what series have in common: level, trend, season, and how far to trust each
    (`docs/pretrained.md`). It reads the last 1,400 values of every series, and up to 199 before
    them, in the scale of its own past, of which the recurrence absorbs the newest (`extent`); and
    once more their means over seasons, which show where the level goes. Every past origin of the
    first pass is out of sample, so it also tells which seasons to believe in and how wide a band
    must be. There is no seed: the same history, the same forecast.

    Known covariates and `holidays` have a linear effect on the values, found by ridge regression of
    their changes; covariates in `past_only` are not used. `update` calls the cell once per value.

    Parameters
    ----------
    fine_tune
        Epochs, of 200 steps each, in which the readout goes on learning from the history itself:
        for large panels. The last values of every series judge, as many as calibration holds back;
        if it got no better on them, the network stays as it is. 0: none.
    holidays
        A country whose holidays, with the days before and after, have an effect, such as "DE" or
        "US-CA", or several. For days and longer steps: of hours it is the same all day long.
    horizon
        As in every forecaster, and how far past origins are judged.

    Attributes
    ----------
    network_ : torch.nn.Module
        Reader, recurrence, readout and head.
    views_ : tuple of (season, second season)
        What each history is read by.
    weights_ : array (n, V)
        How far each view is believed, by its past errors: quantile functions are averaged.
    pooled_ : array (Q,) or None
        Quantiles of the newest values of all series, if they are 20 or more, of counts with many
        zeros: one forecast more.
    shares_ : array (n,)
        How far that is believed instead, by its past errors.
    widths_ : array (n,)
        By how much the network's bands are widened.
    correlation_ : array (h,)
        Of the normal scores of a step and the next: what joins the steps of a path.
    lasting_ : float
        The share of their variance that stays the same along a path.
    effect_ : Effect or None
        The effect of X and of holidays.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.Series([10.0, 12.0, 15.0, 11.0] * 12)
    >>> PretrainedForecaster().fit(y).predict(4).round().tolist()
    [10.0, 12.0, 15.0, 11.0]
    """

    tags = ForecasterTags(covariates=True)
    pooled_: np.ndarray | None

    def __init__(
        self,
        *,
        fine_tune: int = 0,
        holidays: str | Sequence[str] | None = None,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.fine_tune = fine_tune
        self.holidays = holidays

    def _fit(self, panel: Panel) -> None:
        self.network_ = shipped_network()
        self.views_ = self._candidates(panel)
        self.drivers_ = Drivers(panel, self.holidays)
        X = self.drivers_.of(panel)
        self.effect_ = None if X is None else Effect.fit(panel, X, self.season_length_)
        back = None
        if positive_integer("fine_tune", self.fine_tune, minimum=0):
            n_origins, ahead, _ = origins(panel.lengths, self.horizon_)
            held = max(n_origins + ahead - 1, 0)
            histories = self._histories(panel, held)
            tuned = fine_tune(self.network_, histories, self.fine_tune)
            if tuned is not self.network_:  # only what is held back is out of sample
                self.network_, back = tuned, min(held, farthest(self.horizon_))
                self.views_ = tuple(histories.views)  # no other is learned for
        found = self._sweep(panel, back)
        scores = found.scores.numpy()
        self.common_width_ = calibration.common_width(scores)
        steps = judged(self.horizon_)
        self.correlation_, self.lasting_ = calibration.dependence(scores, steps)
        self._keep(found)

    def _apply(self, panel: Panel) -> None:
        if self.effect_ is not None:
            self.effect_ = self.effect_._replace(scale=spreads(panel))
        self._keep(self._sweep(panel))

    def _keep(self, found: Sweep) -> None:
        """Keep what belongs to the series, not to all of them."""
        self.live_, self.weights_ = found.live, found.weights.numpy()
        self.shares_ = found.share.numpy()
        self.widths_ = calibration.own_widths(found.scores.numpy(), self.common_width_)

    def _candidates(self, panel: Panel) -> tuple[View, ...]:
        """Return the views of a history, the one expected first."""
        told, many = self.season_length is not None, panel.n_series >= MANY
        seen = int(read_of(panel).max())
        return candidates(panel.freq, self.season_length_, seen, told=told, many=many)

    def _update(self, panel: Panel, added: np.ndarray) -> None:
        """Absorb new values: one step of the network per value, series and view.

        All is read anew where many values came, where more came to some series than to others, and
        where absorbing begins later now: after `extent.LATTICE` steps.
        """
        self.seen_ = panel
        if self.pooled_ is not None and (late := self._pooled([0])) is not None:
            self.pooled_ = late[-1]
        count = int(added.max())
        grown = self._absorbed() - self._absorbed(added)
        if count > REREAD or (grown != count).any():
            self.live_ = self._look()
            return
        for back in reversed(range(count)):
            self.live_ = self._advance(back)

    def _predict(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        return self._table(horizon, known)[..., MEDIAN]

    def _centered(
        self, horizon: int, levels: tuple[float, ...], known: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Read both off one table."""
        table = self._table(horizon, known)
        scores = self.widths_[:, None, None] * ndtri(np.array(levels))  # (n, 1, Q)
        return table[..., MEDIAN], calibration.icdf(table, scores)

    def _sample(
        self, horizon: int, n_samples: int, known: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        """Draw scores that belong together, and read the quantile functions there."""
        size = self.panel_.n_series, n_samples
        draws = (rng.standard_normal(size) for _ in range(horizon + 1))
        chain = calibration.chained(draws, self.correlation_, self.lasting_)
        scores = np.stack(list(chain), 1)  # (n, H, S)
        paths = calibration.icdf(self._table(horizon, known), scores * self.widths_[:, None, None])
        return paths.transpose(0, 2, 1)

    def _answer(self, asked: Occluded, horizon: int) -> np.ndarray:
        other = copy.copy(self)
        other.panel_ = other.seen_ = asked.panel
        other.weights_, other.shares_ = self.weights_[asked.owners], self.shares_[asked.owners]
        if self.effect_ is not None:
            other.effect_ = self.effect_._replace(scale=self.effect_.scale[asked.owners])
            other.drivers_ = self.drivers_.hidden(asked.calendar, self.effect_.center)
        other.live_ = other._look()
        return other._predict(horizon, asked.known)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        values = {"views": [list(view) for view in self.views_], "width": self.common_width_}
        values |= {"network": self.network_.shape, "lasting": self.lasting_}
        arrays = {name: getattr(self, f"{name}_") for name in ("weights", "widths", "correlation")}
        if self.effect_ is not None:
            arrays |= {f"effect/{name}": part for name, part in self.effect_._asdict().items()}
        if self.pooled_ is not None:
            arrays |= {"pooled": self.pooled_, "shares": self.shares_}
        network = self.network_.state_dict()
        return values, arrays | {f"network/{k}": v.half().numpy() for k, v in network.items()}

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.network_ = build_network(values["network"], beneath(arrays, "network/"))
        self.views_ = tuple(View(int(m), int(s), float(p)) for m, s, p in values["views"])
        self.common_width_ = number_between("width", values["width"], 0, np.inf, ends="left")
        self.lasting_ = number_between("lasting", values.get("lasting", 0.0), 0, 1, ends="left")
        n, effect = panel.n_series, beneath(arrays, "effect/")
        self.weights_ = shaped(arrays, "weights", n, len(self.views_))
        self.pooled_, self.shares_ = None, np.zeros(n)
        if "pooled" in arrays:
            self.pooled_ = shaped(arrays, "pooled", len(LEVELS))
            self.shares_ = shaped(arrays, "shares", n)
        self.widths_, self.correlation_ = shaped(arrays, "widths", n), arrays["correlation"]
        self.drivers_ = Drivers(panel, self.holidays)
        driven = panel.X is not None or self.holidays is not None
        self.effect_ = Effect(**effect) if driven else None
        self.seen_ = panel
        self.live_ = self._look()

    def _histories(self, panel: Panel, held: int) -> Histories:
        """Return what to learn from; some series, evenly spread, tell how often by which view."""
        self.seen_ = panel
        some = torch.from_numpy(spaced(panel.n_series, MANY) - 1)
        with torch.inference_mode():
            shares = self._judge(some).weights.mean(0).numpy()
        lengths = read_of(panel, held) + held  # what teaches is as long as any history

        def newest(rows: Tensor, back: int) -> Tensor:
            return self._last(rows, lengths[rows.numpy()] - back, back)

        return heard(Histories(newest, lengths, self.views_, shares, self.horizon_, held))

    # Some series at a time

    def _sweep(self, panel: Panel, back: int | None = None) -> Sweep:
        """Read every history to its end, and judge its past origins, up to `back` steps ago.

        Of many series of counts, some, evenly spread, tell how well the panel's newest values
        usually do. A panel of other values is not asked: where all series wander about one level
        it would be right in most of them, and slow to see that the level has changed.
        """
        self.seen_ = panel
        work = partial(self._judge, back=back)
        self.pooled_ = None
        late = None
        if panel.n_series >= MANY and Support.of(panel.values).counts:
            late = self._pooled([*steps_ago(back or farthest(self.horizon_)), 0])
        if late is not None:
            self.pooled_, work = late[-1], partial(work, pool=late[:-1])
            some = torch.from_numpy(spaced(panel.n_series, self._at_once(NEIGHBOURS * STEPS)) - 1)
            if len(some) < panel.n_series:
                with torch.inference_mode():
                    work = partial(work, usual=typical(work(some).behind))
        return self._together(work, NEIGHBOURS * STEPS)

    def _judge(self, rows: Tensor, **options: Any) -> Sweep:
        bounded = self.bounds_.positive & (self.target_transform_ is None) & (self.effect_ is None)
        floors = torch.from_numpy(np.where(bounded, 0.0, -np.inf))[rows]
        values, newest = self._history(rows)
        return sweep(self.network_, values, self.views_, self.horizon_, floors, newest, **options)

    def _pooled(self, ago: Sequence[int]) -> np.ndarray | None:
        """Return quantiles (K, Q) of the newest values of all series, so many steps ago."""
        rows = torch.arange(self.seen_.n_series)
        return pooled(self._newest(rows, most=max(ago) + NEWEST).numpy(), ago)

    def _look(self) -> Live:
        """Read every history to its end."""

        def read(rows: Tensor) -> Live:
            values, newest = self._history(rows)
            return begin(self.network_, values, self.views_, newest)

        return self._together(read)

    def _advance(self, back: int) -> Live:
        """Absorb the values that have `back` newer ones."""

        def read(rows: Tensor) -> Live:
            return absorb(self.network_, self._newest(rows, back), self.views_, self._of(rows))

        return self._together(read)

    def _table(self, horizon: int, known: np.ndarray | None) -> np.ndarray:
        """Return quantiles (n, H, Q) at the network's own levels, before they are widened."""
        weights = torch.from_numpy(self.weights_)
        shares = torch.from_numpy(self.shares_)
        said = None if self.pooled_ is None else torch.from_numpy(self.pooled_)

        def write(rows: Tensor) -> Tensor:
            network, views, live = self.network_, self.views_, self._of(rows)
            if horizon == 1:
                tables = next_quantiles(network, views, live)
            else:
                tables = quantiles(network, self._newest(rows), views, live, horizon)
            table = mix(weights[rows], tables.unbind(1))
            return table if said is None else blend(shares[rows], said, table)

        seen = int(read_of(self.seen_).max())
        steps = max(steps_for(*view[:2], horizon, seen) for view in self.views_)
        table: np.ndarray = self._together(write, steps).numpy()
        ahead = self.drivers_.ahead(self.seen_, horizon, known)
        if self.effect_ is not None and ahead is not None:
            table = table + self.effect_.of(ahead, self.effect_.scale[:, None])[..., None]
        return table

    def _together(self, work: Callable[[Tensor], Any], steps: int = 1) -> Any:
        """Do the work on some series at a time, alike lengths side by side; in their own order."""
        with torch.inference_mode():
            if self.seen_.n_series == 1:  # a stream of one is felt to the tenth of a millisecond
                return work(torch.arange(1))
            order = np.argsort(read_of(self.seen_), kind="stable")
            parts = [work(rows) for rows in torch.from_numpy(order).split(self._at_once(steps))]
            return pick(stack(parts), torch.from_numpy(np.argsort(order)))

    def _at_once(self, steps: int) -> int:
        """Return how many series are looked at in one call, each so many steps ahead."""
        longest = int(read_of(self.seen_).max())
        return max(VALUES // (len(self.views_) * (longest + 8 * steps)), 1)

    def _of(self, rows: Tensor) -> Live:
        """Return what is remembered of some series."""
        return self.live_ if self.seen_.n_series == 1 else pick(self.live_, rows)

    def _history(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is read of some histories (B, N), and how much of it is absorbed (B,)."""
        return self._newest(rows), torch.from_numpy(self._absorbed())[rows]

    def _absorbed(self, added: int | np.ndarray = 0) -> np.ndarray:
        """Return how many values of each series the recurrence absorbs (n,), without the added."""
        panel = self.seen_
        return extent.absorbed(panel.starts, panel.ends - added, farthest(self.horizon_))

    def _newest(
        self, rows: Tensor, back: int = 0, most: int = extent.CONTEXT + extent.LATTICE
    ) -> Tensor:
        """Return the last values of some histories (B, N), NaN before they begin."""
        lengths = read_of(self.seen_, back)[rows.numpy()].clip(max=most)
        return self._last(rows, lengths, back)

    def _last(self, rows: Tensor, lengths: np.ndarray, back: int) -> Tensor:
        """Return so many values of some histories (B, N), `back` steps ago, NaN before them."""
        panel, i, length = self.seen_, rows.numpy(), int(lengths.max())
        ago = np.arange(-length, 0)
        own = ago >= -lengths[:, None]
        if len(i) == panel.n_series and lengths.min() == length:
            newest = panel.newest(length + back)  # lays no history out
            values, X, _ = newest.map(lambda part: part[i, :length])
        else:
            at = np.where(own, panel.offsets[i + 1, None] - back + ago, 0)
            values, X = panel.values[at], None if panel.X is None else panel.X[at]
        values, places = values.astype(np.float64), panel.ends[i, None] - back + ago
        beside = self.drivers_.at(panel, np.maximum(places, 0), X)
        if self.effect_ is not None and beside is not None:
            values = values - self.effect_.of(beside, self.effect_.scale[i, None])
        return torch.from_numpy(np.where(own, values, np.nan))
