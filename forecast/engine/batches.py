"""Windows of a panel as tensors, gathered from its flat values by index arithmetic.

Panels hold series of unequal length one after another. A batch takes any windows of them in one
indexing operation, so nothing is padded to the longest series and nothing is copied beforehand.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecast.data.panel import Panel, forward_filled
from forecast.engine.reader import Memory, Reader
from forecast.engine.scale import Scale, at_steps
from forecast.networks.base import pick

SUM_EVERY = 64  # values between two running sums that are kept


class Batch(NamedTuple):
    """Windows of B series, read at T steps, of which S are origins: they forecast."""

    past: Memory  # M + T P values, covariates of the newest V + T P
    steps: range  # the T columns of `past.values` at which the network reads
    inputs: Tensor  # (B, T, F) what it is shown there
    scale: Scale  # (B, T) each
    origins: range  # which S of the steps forecast
    targets: Tensor  # (B, S, R) raw values after each origin
    known: Tensor  # (B, S, R, K)
    static: Tensor  # (B, A) of the series
    error_scale: Tensor  # (B,) what errors are divided by, in target units
    fresh: Tensor  # (B,) False where a window goes on from the same row of the batch before
    weights: Tensor | None = None  # (B, S, R) how much each target counts; None: all alike
    takeover: int | None = None  # the step, not the last, after which a decoder takes over
    in_training: Tensor | None = None  # (B, S, E, R) which targets teach which member; None: all

    def split(self, n_targets: int) -> Iterator[Batch]:
        """Yield the same windows in turn, so many that they have at most `n_targets` targets."""
        rows = max(n_targets // max(self.targets[0].numel(), 1), 1)
        if rows >= len(self.fresh):
            yield self
            return
        for first in range(0, len(self.fresh), rows):
            yield self.rows(slice(first, first + rows))

    def rows(self, some: slice) -> Batch:
        """Return some of the windows."""
        shared = ("steps", "origins", "takeover")
        parts = self._asdict().items()
        own = {k: pick(v, some) for k, v in parts if k not in shared and v is not None}
        return self._replace(**own)

    def at(self, origins: range) -> Batch:
        """Return the same windows with some of their steps, all of which forecast, as origins."""
        weights = None if self.weights is None else at_steps(self.weights, origins)
        in_training = None if self.in_training is None else at_steps(self.in_training, origins)
        targets, known = at_steps(self.targets, origins), at_steps(self.known, origins).contiguous()
        some = self._replace(origins=origins, targets=targets, known=known)
        return some._replace(weights=weights, in_training=in_training)


class Windows:
    """Gather windows of a panel.

    Parameters
    ----------
    panel : Panel
        n series on one grid.
    calendar : array (G, C)
        Calendar features on the panel's grid, maybe longer than it.
    drivers : array (N, C), optional
        Covariates observed at the times of the values, scaled; NaN = unobserved.
    n_known : int
        How many of them, the first ones, are known in the future too.
    static : array (n, A), optional
        Static features.
    spreads : array (n,)
        The spread of each series where its recent values do not vary, in target units.
    error_scales : array (n,), optional
        What the errors of each series are divided by while training, in target units, such as
        `seasonal_changes`. Default: `spreads`.
    device : torch.device
        Where values and covariates live.
    """

    def __init__(
        self,
        panel: Panel,
        calendar: np.ndarray,
        spreads: np.ndarray,
        device: torch.device,
        *,
        error_scales: np.ndarray | None = None,
        drivers: np.ndarray | None = None,
        n_known: int = 0,
        static: np.ndarray | None = None,
    ) -> None:
        self.panel = panel
        # pandas hands out read-only arrays, which torch warns about
        values = panel.values if panel.values.flags.writeable else panel.values.copy()
        self.values = torch.as_tensor(values, device=device)  # (N,)
        # as the panel's own values, but without gaps after the first value
        filled = forward_filled(values, panel.offsets) if np.isnan(values).any() else values
        self.filled = torch.as_tensor(filled, device=device)  # (N,)
        weights = panel.weights
        self.weights = None if weights is None else torch.as_tensor(weights, device=device)  # (N,)
        self.spreads = torch.as_tensor(spreads, dtype=torch.float64, device=device)  # (n,)
        self.error_scales = (
            self.spreads if error_scales is None else torch.as_tensor(error_scales, device=device)
        )
        self.offsets = torch.as_tensor(panel.offsets[:-1], device=device)  # (n,)
        self.lengths = torch.as_tensor(panel.lengths, device=device)  # (n,)
        self.starts = torch.as_tensor(panel.starts, device=device)  # (n,)
        self.calendar = torch.as_tensor(calendar, device=device)  # (G, C)
        covariates = np.empty((len(values), 0), np.float32) if drivers is None else drivers
        self.covariates = torch.as_tensor(covariates, device=device)  # (N, C)
        self.n_known = n_known
        static = np.empty((panel.n_series, 0), np.float32) if static is None else static
        self.static = torch.as_tensor(static, device=device)  # (n, A)
        self.device = device

    @property
    def n_series(self) -> int:
        """Number of series."""
        return len(self.lengths)

    def head(self, lengths: Tensor) -> Windows:
        """Return windows of the first values of each series, (n,), alone."""
        head = copy.copy(self)
        head.lengths = lengths
        return head

    def take(
        self,
        series: Tensor,
        first: Tensor,
        width: int,
        ends: Tensor,
        values: Tensor | None = None,
    ) -> Tensor:
        """Return `width` values (B, width), float64, of each series from position `first` on.

        What lies before a series or at and after `ends` (B,) is NaN. `values` (N,) may stand for
        the panel's own.
        """
        local = first[:, None] + torch.arange(width, device=self.device)
        chosen = (self.values if values is None else values)[self._flat(series, local)].double()
        return torch.where(_inside(local, ends), chosen, torch.nan)

    def counted(self, series: Tensor, first: Tensor, width: int, ends: Tensor) -> Tensor | None:
        """Return how much each value counts that `take` returns, (B, width); None: all alike."""
        if self.weights is None:
            return None
        return self.take(series, first, width, ends, self.weights).nan_to_num(0.0)

    def read(
        self, series: Tensor, first: Tensor, width: int, ends: Tensor, reader: Reader
    ) -> Memory:
        """Return the memory of a reader before local positions `first`, and `width` values more.

        The values are (B, M + width), the covariates (B, V + width, C).
        """
        M, V = reader.n_values, reader.driver_window
        begun = first - M
        values = self.take(series, begun, M + width, ends)
        drivers = self.drivers(series, first - V, V + width, ends)
        if reader.mean:
            mean, count = self.so_far(series, begun.clamp(min=0).minimum(ends)).unbind(1)
        else:
            mean = count = values.new_full((len(series),), torch.nan)
        last = self.take(series, begun - 1, 1, ends, self.filled)[:, 0]
        return Memory(values, drivers, mean, count, self.spreads[series], last)

    def so_far(self, series: Tensor, ends: Tensor) -> Tensor:
        """Return mean and number, (B, 2), of the values of each series before local positions."""
        sums, rows = self._sums
        blocks = ends // SUM_EVERY
        rest = self.take(series, blocks * SUM_EVERY, SUM_EVERY, ends)
        total, count = sums[rows[series] + blocks].unbind(1)
        count = count + (~rest.isnan()).sum(1)
        return torch.stack([(total + rest.nansum(1)) / count.clamp(min=1), count], 1)

    @cached_property
    def _sums(self) -> tuple[Tensor, Tensor]:
        sums, rows = sums_so_far(self.panel)
        return torch.as_tensor(sums, device=self.device), torch.as_tensor(rows, device=self.device)

    def known(self, series: Tensor, first: Tensor, width: int) -> Tensor:
        """Return known covariates (B, width, K): the calendar, then the user's own."""
        local = first[:, None] + torch.arange(width, device=self.device)
        grid = (self.starts[series][:, None] + local).clamp(0, max(len(self.calendar) - 1, 0))
        own = self._flat(series, local)
        return torch.cat([self.calendar[grid], self.covariates[own, : self.n_known]], -1)

    def drivers(self, series: Tensor, first: Tensor, width: int, ends: Tensor) -> Tensor:
        """Return the covariates at `width` values, (B, width, C); NaN outside, as `take`."""
        local = first[:, None] + torch.arange(width, device=self.device)
        covariates = self.covariates[self._flat(series, local)]
        return covariates.masked_fill(~_inside(local, ends)[..., None], torch.nan)

    def _flat(self, series: Tensor, local: Tensor) -> Tensor:
        """Return the flat positions of local ones (B, width), clipped to the arrays."""
        return (self.offsets[series][:, None] + local).clamp(0, len(self.values) - 1)

    def batch(
        self,
        series: Tensor,
        first: Tensor,
        ends: Tensor,
        *,
        n_steps: int,
        reader: Reader,
        lose: Callable[[Memory], Memory] = lambda past: past,
    ) -> Batch:
        """Return windows of `n_steps` patches from `first` on, all of whose steps are origins.

        What follows them is a view of each value once. `lose` may make gaps in what is read.
        """
        P, R, M = reader.patch, reader.block, reader.n_values
        T = n_steps * P
        past = lose(self.read(series, first, T, ends, reader))
        steps = range(M + P - 1, M + T, P)
        inputs, scale = reader.look(past, steps)
        blocks = slice(P, T + 1, P)  # values up to each origin
        targets = self.take(series, first, T + R, ends).unfold(1, R, 1)[:, blocks]
        known = self.known(series, first, T + R).unfold(1, R, 1)[:, blocks].transpose(2, 3)
        weights = self.counted(series, first, T + R, ends)
        weights = None if weights is None else weights.unfold(1, R, 1)[:, blocks]
        return Batch(
            past,
            steps,
            inputs,
            scale,
            range(n_steps),
            targets,
            known,
            self.static[series],
            self.error_scales[series],
            torch.ones(len(series), dtype=torch.bool, device=self.device),
            weights,
        )


def _inside(local: Tensor, ends: Tensor) -> Tensor:
    """Return the mask of local positions (B, width) inside their series, before its end."""
    return (local >= 0) & (local < ends[:, None])


def sums_so_far(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Return sums and numbers of the first values of each series, and where they begin.

    Rows (K, 2): of the first 0, 64, 128, ... values of the first series, then of the next; and the
    first row (n,) of each. Kept for every value they would take more memory than the panel.
    """
    each = panel.lengths // SUM_EVERY + 1
    rows = np.cumsum(each) - each
    sums = np.zeros((each.sum(), 2))
    for some, numbers, values in in_parts(panel, panel.lengths):
        seen = ~np.isnan(values)
        # pandas' running sums begin anew for each series, and lose no digits on the way
        both = pd.DataFrame({"sum": np.where(seen, values, 0.0), "number": seen.astype(float)})
        running = both.groupby(numbers).cumsum().to_numpy()
        begins = panel.offsets[some] - panel.offsets[some.start]
        k, rest = np.divmod(np.arange(1, len(values) + 1) - begins[numbers], SUM_EVERY)
        kept = rest == 0
        sums[rows[some][numbers[kept]] + k[kept]] = running[kept]
    return sums, rows


def typical_spreads(panel: Panel, lengths: np.ndarray) -> np.ndarray:
    """Return the standard deviation (n,) of the first values of each series; zero if they are flat.

    `lengths` (n,) says how many first values of each series are looked at.
    """
    spreads = np.empty(panel.n_series)
    for some, numbers, values in in_parts(panel, lengths):
        seen = ~np.isnan(values)
        numbers, values = numbers[seen], values[seen]
        n = some.stop - some.start
        count = np.maximum(np.bincount(numbers, minlength=n), 1)
        mean = np.bincount(numbers, values, minlength=n) / count
        deviation = values - mean[numbers]
        # rounding of the mean is no variation
        deviation[np.abs(deviation) <= 8 * np.finfo(np.float64).eps * np.abs(mean[numbers])] = 0.0
        spreads[some] = np.sqrt(np.bincount(numbers, deviation**2, minlength=n) / count)
    return spreads


def seasonal_changes(panel: Panel, lengths: np.ndarray, season_length: int) -> np.ndarray:
    """Return the mean absolute change of each series from one season to the next, (n,).

    The error scale of MASE (Hyndman and Koehler, 2006), over the first `lengths` (n,) values; NaN
    for a series in which no two values are a season apart.
    """
    changes = np.empty(panel.n_series)
    for some, numbers, values in in_parts(panel, lengths):
        change = np.abs(values[season_length:] - values[:-season_length])
        owner = numbers[season_length:]
        seen = (owner == numbers[:-season_length]) & ~np.isnan(change)
        n = some.stop - some.start
        count = np.bincount(owner[seen], minlength=n)
        with np.errstate(invalid="ignore"):
            changes[some] = np.bincount(owner[seen], change[seen], n) / count
    return changes


def in_parts(panel: Panel, lengths: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield some series at a time: which, and for their first values the series and the values."""
    for some in panel.blocks():
        first, own = panel.offsets[some.start], panel.lengths[some]
        values = panel.values[first : panel.offsets[some.stop]].astype(np.float64)
        numbers = np.repeat(np.arange(len(own)), own)
        places = np.arange(len(values)) - np.repeat(panel.offsets[some] - first, own)
        looked_at = places < np.repeat(lengths[some], own)
        yield some, numbers[looked_at], values[looked_at]
