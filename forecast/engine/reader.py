"""The reader stands between values and network: it owns scale, patches, lags and flags.

It is a machine of the same kind as a network: its state is its memory, the last M raw values and
the covariates beside the newest of them, and what it gives at step t depends on values up to and
including t alone. Values keep their own precision until they are scaled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor


class Scale(NamedTuple):
    """Level and spread of the last W observed values up to a step, in target units.

    `seen` tells how many values were observed. All three have one shape, (B, T).
    """

    level: Tensor
    spread: Tensor
    seen: Tensor

    def apply(self, values: Tensor) -> Tensor:
        """Return (values - level) / spread; values have trailing axes more than the scale."""
        axes = (...,) + (None,) * (values.dim() - self.level.dim())
        return (values - self.level[axes]) / self.spread[axes]

    def invert(self, z: Tensor) -> Tensor:
        """Return level + spread * z in the scale's precision."""
        axes = (...,) + (None,) * (z.dim() - self.level.dim())
        return self.level[axes] + self.spread[axes] * z.to(self.level)


class Memory(NamedTuple):
    """What the reader remembers of B series; NaN = unobserved."""

    values: Tensor  # (B, M) raw
    drivers: Tensor  # (B, V, C) covariates beside the newest V values


class Reading(NamedTuple):
    """What the reader gives at T steps."""

    inputs: Tensor  # (B, T, F) for the network
    scale: Scale  # (B, T) each
    templates: Tensor  # (B, T, R, J): last value, last seasons, both on the trend, mean; scaled
    unit: Tensor  # (B, T): the series' typical spread, scaled

    def newest(self) -> Reading:
        """Return the last step alone: templates (B, R, J), unit (B,); the scale stays (B, 1)."""
        scale = Scale(*(part[:, -1:] for part in self.scale))
        return Reading(self.inputs[:, -1], scale, self.templates[:, -1], self.unit[:, -1])


@dataclass(frozen=True)
class Reader:
    """Read raw values into network inputs, in a causal scale.

    At every step t the inputs are the last `window` values, expressed in the scale of t, their
    observed flags and, with `drift`, the change of level (in spreads) and the log ratio of
    spreads since the last patch.

    Parameters
    ----------
    patch : int
        P, values between two steps of the network.
    window : int
        Values shown at a step, at least P.
    block : int
        R, steps of a readout.
    scale_window : int
        W, observed values that make level and spread.
    lags : sequence of int
        Seasons whose last cycle is offered to the readout as a template.
    drift : bool
        Show how the scale moved since the last patch.
    trend : int
        K, how many of the newest values tell the trend along which the last value and the first
        lag's season are offered as templates too: whole seasons, an even number. 0: neither is.
    mean : bool
        Offer the mean of all values so far as a template: what a stationary series returns to, of
        which the last W values tell little.
    dtype : torch.dtype
        Precision of what the network sees.
    n_known, n_past : int
        Covariates beside the values: those whose future is known, then those that are only
        observed, each of which comes with a flag.
    driver_window : int
        V, how many of the newest values are shown with their covariates, at least P.

    Examples
    --------
    >>> reader = Reader(patch=1, window=2, block=1, scale_window=4)
    >>> values = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    >>> reading, memory = reader.absorb(values, reader.initial_state(1))
    >>> [round(level, 2) for level in reading.scale.level[0].tolist()]
    [1.0, 1.5, 2.0, 2.5]
    >>> [round(z, 2) for z in reading.inputs[0, -1].tolist()]  # values, flags, drift
    [0.45, 1.34, 1.0, 1.0, 0.45, 0.31]
    """

    patch: int
    window: int
    block: int
    scale_window: int
    lags: Sequence[int] = ()
    drift: bool = True
    dtype: torch.dtype = field(default=torch.float32)
    n_known: int = 0
    n_past: int = 0
    driver_window: int = 1
    trend: int = 0
    mean: bool = False

    @property
    def input_size(self) -> int:
        """F: values, flags and drift, then covariates and the flags of those only observed."""
        beside = self.driver_window * (self.n_drivers + self.n_past)
        return 2 * self.window + 2 * self.drift + beside

    @property
    def n_drivers(self) -> int:
        """C: covariates that are shown beside the values."""
        return self.n_known + self.n_past

    @property
    def n_templates(self) -> int:
        """J: the last value, one per seasonal lag, the first ones along the trend, the mean."""
        return 1 + len(self.lags) + self.n_trended + self.mean

    @property
    def n_trended(self) -> int:
        """How many of the first templates are offered along the trend too."""
        return len((1, *self.lags)[:2]) if self.trend else 0

    @property
    def aside(self) -> int:
        """Columns of the memory before its raw values, for what is older than they are.

        The last two are for gaps and constants longer than the memory: the spread to fall back on,
        and the last value seen before the others. Before them, if asked for, come the mean of all
        values before the others, and their number.
        """
        return 4 if self.mean else 2

    @property
    def memory(self) -> int:
        """M: what must be remembered from one call to the next, the columns aside among it."""
        scale = self.scale_window - 1 + (self.patch if self.drift else 1)
        return self.aside + max(self.window, scale, self.trend, *self.lags)

    def initial_state(self, batch_size: int, dtype: torch.dtype = torch.float32) -> Memory:
        """Return the memory before any value: all unobserved."""
        values = torch.full((batch_size, self.memory), torch.nan, dtype=dtype)
        beside = (batch_size, self.driver_window, self.n_drivers)
        return Memory(values, torch.full(beside, torch.nan, dtype=self.dtype))

    def absorb(
        self,
        values: Tensor,
        state: Memory,
        drivers: Tensor | None = None,
        *,
        every: int = 1,
        spread: Tensor | None = None,
    ) -> tuple[Reading, Memory]:
        """Read values (B, T), NaN = unobserved, at each step, or at each `every`-th one.

        Parameters
        ----------
        values, state : Tensor (B, T) and Memory
        drivers : Tensor (B, T, C), optional
            The covariates beside the values, scaled.
        every : int
            Read at steps every - 1, 2 every - 1, ...
        spread : Tensor (B, 1), optional
            A spread that holds for all steps: in a rollout that of the origin, because a
            spread fed by its own samples multiplies.
        """
        (B, T), M = values.shape, self.memory
        if drivers is None:
            drivers = state.drivers.new_full((B, T, self.n_drivers), torch.nan)
        past = torch.cat([state.values, values], 1)  # (B, M + T)
        beside = torch.cat([state.drivers, drivers], 1)  # (B, V + T, C)
        steps = torch.arange(M + every - 1, M + T, every, device=past.device)
        kept = self.aside + T
        fallback = past[:, self.aside - 2, None]
        older = [fallback, carried(past[:, self.aside - 1 : kept])[:, -1:]]
        if self.mean:
            so_far = mean_so_far(past[:, :2], past[:, 4:kept])
            older = [*(part[:, -1:] for part in so_far), *older]
        memory = torch.cat([*older, past[:, kept:]], 1)
        return self.at(past, beside, steps, spread), Memory(memory, beside[:, T:])

    def newest(self, memory: Memory) -> Reading:
        """Return the reading at the newest value of a memory."""
        newest = torch.tensor([self.memory - 1], device=memory.values.device)
        return self.at(*memory, newest).newest()

    def at(
        self, past: Tensor, drivers: Tensor, steps: Tensor, spread: Tensor | None = None
    ) -> Reading:
        """Read at chosen columns of raw values (B, N); each has M columns before it.

        `drivers` (B, N', C) end where the values end, and reach V columns before the first step.
        """
        templates = self._templates(past, steps)
        past, steps = past[:, self.aside - 2 :], steps - (self.aside - 2)
        # the scale of a step serves the drift of another, but for the first ones
        columns = torch.cat([steps - self.patch, steps]) if self.drift else steps
        columns, places = columns.unique(return_inverse=True)
        scales = scale_at(past[:, 1:], columns - 1, self.scale_window, past[:, :1])
        if spread is not None:
            scales = scales._replace(spread=spread.expand_as(scales.spread))
        moments = [Scale(*(one[:, some] for one in scales)) for some in places.split(len(steps))]
        scale = moments[-1]
        recent = steps[:, None] + torch.arange(1 - self.window, 1, device=steps.device)
        window = past[:, recent]  # (B, T, window)
        parts = [
            scale.apply(window).nan_to_num(0.0).to(self.dtype),
            (~window.isnan()).to(self.dtype),
        ]
        if self.drift:
            parts.append(drift(moments[0], scale).to(self.dtype))
        if self.n_drivers:
            parts.append(self._beside(drivers, steps + drivers.shape[1] - past.shape[1]))
        templates = scale.apply(templates).nan_to_num(0.0)
        # where the typical spread is not known, that of the scale is the best guess
        unit = (past[:, :1] / scale.spread).nan_to_num(1.0).clamp(max=10.0)
        return Reading(torch.cat(parts, -1), scale, templates.to(self.dtype), unit.to(self.dtype))

    def _beside(self, drivers: Tensor, steps: Tensor) -> Tensor:
        """Return the covariates of the newest V values at each step, and flags, (B, T, ...)."""
        recent = steps[:, None] + torch.arange(1 - self.driver_window, 1, device=steps.device)
        window = drivers[:, recent].to(self.dtype)  # (B, T, V, C)
        observed = ~window[..., self.n_known :].isnan()
        return torch.cat([window.nan_to_num(0.0), observed.to(window)], -1).flatten(2)

    def _templates(self, past: Tensor, steps: Tensor) -> Tensor:
        """Return what the mixture of step t + j is made of, (B, T, R, J), in target units."""
        ahead = torch.arange(self.block, device=steps.device)  # j - 1
        last = torch.zeros_like(ahead)
        back = torch.stack([last, *(lag - 1 - ahead % lag for lag in self.lags)], -1)  # (R, J)
        parts = [past[:, steps[:, None, None] - back]]
        if self.trend:
            some = slice(self.n_trended)
            distance = (1 + ahead[:, None] + back[:, some]).to(past)  # (R, J') steps to t + j
            # no further than was measured: beyond, mixtures may explode when they are iterated
            share = (distance / (self.trend / 2)).clamp(max=1.0)
            change = change_at(past, steps, self.trend)[..., None, None]
            parts.append(parts[0][..., some] + change * share)
        if self.mean:
            mean, _ = mean_so_far(past[:, :2], past[:, 4:])
            parts.append(mean[:, steps - 4, None, None].expand(-1, -1, self.block, -1))
        return torch.cat(parts, -1)


def drift(before: Scale, scale: Scale) -> Tensor:
    """Return how the scale moved, (B, T, 2): level in spreads, log ratio of spreads."""
    moved = torch.stack(
        [(scale.level - before.level) / scale.spread, (scale.spread / before.spread).log()], -1
    )
    # a first patch has nothing before it; jumps beyond 8 spreads say no more than "a jump"
    return moved.clamp(-8, 8) * (before.seen > 0)[..., None]


def scale_at(values: Tensor, steps: Tensor, width: int, fallback: Tensor | None = None) -> Scale:
    """Return level and spread of the last `width` values up to chosen columns, (B, T) each.

    `values` (B, N) have at least `width` columns up to the first of `steps` (T,). A window without
    any observed value has the level of the last one seen before it. A spread of zero is replaced by
    `fallback` (B, 1), where there is none by the level's size, or 1.
    """
    window = values.unfold(1, width, 1)[:, steps - width + 1]  # (B, T, W)
    observed = ~window.isnan()
    count = observed.sum(-1).to(values)
    present = count.clamp(min=1)
    level = torch.where(observed, window, 0.0).sum(-1) / present
    # deviations first: squares of raw values would cancel at high levels
    deviation = torch.where(observed, window - level[..., None], 0.0)
    variance = deviation.square().sum(-1) / present
    if (count == 0).any():
        before = carried(values).nan_to_num(0.0)[:, steps]
        level = torch.where(count > 0, level, before)
    flat = variance.sqrt() <= 64 * torch.finfo(values.dtype).eps * level.abs()
    size = torch.where(level == 0, 1.0, level.abs())
    if fallback is not None:
        size = torch.where(fallback > 0, fallback, size)
    # the root has no slope at zero: it must not be taken there, not even to be left out
    return Scale(level, torch.where(flat, size, torch.where(flat, 1.0, variance).sqrt()), count)


def change_at(values: Tensor, steps: Tensor, width: int) -> Tensor:
    """Return how far the halves of the last `width` values up to chosen columns lie apart, (B, T).

    The difference of their means, in which no season has a part if each half holds whole seasons;
    zero where a quarter of a half is missing.

    Examples
    --------
    >>> change_at(torch.tensor([[0.0, 1.0, 4.0, 5.0]]), torch.tensor([3]), 4)
    tensor([[4.]])
    """
    half = width // 2
    ends = torch.stack([steps - half, steps])  # (2, T)
    halves = values.unfold(1, half, 1)[:, ends - half + 1]  # (B, 2, T, half)
    count = (~halves.isnan()).sum(-1)
    old, new = (halves.nansum(-1) / count.clamp(min=1)).unbind(1)
    return torch.where(count.amin(1) > 0.75 * half, new - old, 0.0)


def mean_so_far(before: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and number of all values up to each column, (B, T) each.

    `before` (B, 2) holds both of what came before the first column; NaN is nothing.

    Examples
    --------
    >>> mean_so_far(torch.tensor([[4.0, 2.0]]), torch.tensor([[1.0, torch.nan, 7.0]]))
    (tensor([[3., 3., 4.]]), tensor([[3., 3., 4.]]))
    """
    mean, count = before.nan_to_num(0.0)[..., None].unbind(1)  # (B, 1)
    seen = ~values.isnan()
    count = count + seen.cumsum(1)
    away = torch.where(seen, values - mean, 0.0).cumsum(1)  # sums of raw values would cancel
    return mean + away / count.clamp(min=1), count


def carried(values: Tensor) -> Tensor:
    """Carry the last observed value forward, (B, T); NaN before the first."""
    columns = torch.arange(values.shape[1], device=values.device)
    last = torch.where(values.isnan(), 0, columns).cummax(1).values
    return values.gather(1, last)
