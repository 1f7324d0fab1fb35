"""The reader stands between values and network: it scales, and adds lags and the observed mask.

It is a machine of the same kind as a network: its state is a `Memory`, and what it returns at step
t depends on values up to and including t alone. So training, which reads whole windows at once,
and an update, which reads one value, see the same numbers. Raw values keep their own precision
until they are scaled: in float32 the differences of values near 1e8 would be lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from forecast.engine.scale import (
    Scale,
    at_steps,
    change_at,
    columns,
    drift,
    forward_fill,
    mean_so_far,
    newest_observed,
    scale_at,
    shifted,
    windows_at,
)


class Memory(NamedTuple):
    """What the reader knows of B series: the newest values, and a summary of all older ones.

    Everything is in target units, NaN = unobserved. The summary is of the values before the first
    of `values`. A recurrent network may read for ever, but its reader must not grow with the
    series: what a step needs of long ago (a mean, the last value before a gap) is kept as numbers.
    """

    values: Tensor  # (B, N) raw, N >= M
    drivers: Tensor  # (B, N', C) covariates of the newest N' >= V values
    mean: Tensor  # (B,) of the older values; NaN if the reader has no template of it
    n_observed: Tensor  # (B,) how many of the older values were observed; NaN as `mean`
    fallback_spread: Tensor  # (B,) spread to use where the values do not vary
    last: Tensor  # (B,) the last observed of the older values


class ReaderOutput(NamedTuple):
    """What network and readout need of T steps."""

    inputs: Tensor  # (B, T, F) for the network
    scale: Scale  # (B, T) each
    templates: Tensor  # (B, T, R, J): last value, last seasons, both on the trend, mean; scaled
    typical_spread: Tensor  # (B, T) of the whole series, in spreads of the step

    def newest(self) -> ReaderOutput:
        """Return the last step alone, without its axis; only the scale keeps it, (B, 1)."""
        scale = Scale(*(part[:, -1:] for part in self.scale))
        return ReaderOutput(
            self.inputs[:, -1], scale, self.templates[:, -1], self.typical_spread[:, -1]
        )


@dataclass(frozen=True)
class Reader:
    """Read raw values into network inputs, in a causal scale.

    At every step t the inputs are the last `window` values, expressed in the scale of t, their
    observed mask and, with `drift`, the change of level (in spreads) and the log ratio of
    spreads since the last patch.

    The scale is that of the last W values and not of the whole history, because a level that
    wanders would leave the range that the network has learned. It moves with every step; `drift`
    shows the network by how much, for else it could not compare the values of two steps.

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
    prior : (float, float), optional
        Level and spread of series without values yet, in target units; they give way to the values
        of a series one by one, as these come. By default a series speaks for itself from its first
        value on.
    dtype : torch.dtype
        Precision of what the network sees.
    n_known, n_past : int
        Covariates: those whose future is known, then those that are past-only, with their observed
        mask.
    driver_window : int
        V, how many of the newest values are shown with their covariates, at least P.

    Examples
    --------
    >>> reader = Reader(patch=1, window=2, block=1, scale_window=4)
    >>> values = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    >>> reading, memory = reader.absorb(values, reader.initial_state(1))
    >>> [round(level, 2) for level in reading.scale.level[0].tolist()]
    [1.0, 1.5, 2.0, 2.5]
    >>> [round(z, 2) for z in reading.inputs[0, -1].tolist()]  # values, mask, drift
    [0.45, 1.34, 1.0, 1.0, 0.45, 0.31]
    """

    patch: int
    window: int
    block: int
    scale_window: int
    lags: Sequence[int] = ()
    drift: bool = True
    dtype: torch.dtype = torch.float32
    n_known: int = 0
    n_past: int = 0
    driver_window: int = 1
    trend: int = 0
    mean: bool = False
    prior: tuple[float, float] | None = None

    @property
    def input_size(self) -> int:
        """F: values, their mask, the drift, covariates, and the mask of the past-only ones."""
        covariates = self.driver_window * (self.n_drivers + self.n_past)
        return 2 * self.window + 2 * self.drift + covariates

    @property
    def n_drivers(self) -> int:
        """C: covariates shown with the values."""
        return self.n_known + self.n_past

    @property
    def n_templates(self) -> int:
        """J: the last value, one per seasonal lag, the first ones along the trend, the mean."""
        return 1 + len(self.lags) + self.n_trended + self.mean

    @property
    def n_trended(self) -> int:
        """How many of the first templates have a second version along the trend."""
        return len((1, *self.lags)[:2]) if self.trend else 0

    @property
    def n_values(self) -> int:
        """M: raw values that a memory keeps between calls."""
        scale = self.scale_window - 1 + (self.patch if self.drift else 1)
        return max(self.window, scale, self.trend, *self.lags)

    def initial_state(self, batch_size: int, dtype: torch.dtype = torch.float32) -> Memory:
        """Return the memory before any value: all unobserved."""
        values = torch.full((batch_size, self.n_values), torch.nan, dtype=dtype)
        drivers = (batch_size, self.driver_window, self.n_drivers)
        older = values.new_full((4, batch_size), torch.nan)
        return Memory(values, torch.full(drivers, torch.nan, dtype=self.dtype), *older)

    @property
    def n_older(self) -> int:
        """Numbers that sum up older values: mean and count, if offered, spread, last value."""
        return 4 if self.mean else 2

    def pack(self, memory: Memory) -> Tensor:
        """Return all of a memory but its covariates as one table, as saved files hold it.

        The columns are mean and count if the reader offers the mean, fallback spread, last value,
        and the newest values: (B, 2 + N) or (B, 4 + N).
        """
        so_far = [memory.mean, memory.n_observed] if self.mean else []
        older = torch.stack([*so_far, memory.fallback_spread, memory.last], 1)
        return torch.cat([older, memory.values], 1)

    def unpack(self, table: Tensor, drivers: Tensor) -> Memory:
        """Return the memory from the table that `pack` returned."""
        older, values = table.tensor_split([self.n_older], 1)
        unknown = torch.full_like(older[:, :1], torch.nan).expand(-1, 4 - self.n_older)
        return Memory(values, drivers, *torch.cat([unknown, older], 1).unbind(1))

    def absorb(
        self,
        values: Tensor,
        state: Memory,
        drivers: Tensor | None = None,
        *,
        every: int = 1,
        spread: Tensor | None = None,
    ) -> tuple[ReaderOutput, Memory]:
        """Read values (B, T), NaN = unobserved, at each step, or at each `every`-th one.

        Parameters
        ----------
        values, state : Tensor (B, T) and Memory
        drivers : Tensor (B, T, C), optional
            The covariates at the times of the values, scaled.
        every : int
            Read at steps every - 1, 2 every - 1, ...; a divisor of the patch.
        spread : Tensor (B, 1), optional
            A spread that holds for all steps: in a rollout that of the origin. A spread computed
            from sampled values would widen the next samples, and so on without bound.
        """
        T, M = values.shape[1], self.n_values
        past = self.extend(state, values, drivers)
        steps = range(M + every - 1, M + T, every)
        return self.at(past, steps, spread), self.forget(past, T)

    def show(
        self, values: Tensor, state: Memory, drivers: Tensor | None = None
    ) -> tuple[Tensor, Memory]:
        """Return what `absorb` shows the network at each step, (B, T, F), and nothing else."""
        T, M = values.shape[1], self.n_values
        past = self.extend(state, values, drivers)
        return self.inputs(past, range(M, M + T)), self.forget(past, T)

    def extend(self, state: Memory, values: Tensor, drivers: Tensor | None) -> Memory:
        """Return a memory with values (B, T) more, and their covariates."""
        if drivers is None:
            drivers = state.drivers.new_full((*values.shape, self.n_drivers), torch.nan)
        return state._replace(
            values=torch.cat([state.values, values], 1),  # (B, M + T)
            drivers=torch.cat([state.drivers, drivers], 1),  # (B, V + T, C)
        )

    def remember(self, past: Memory, counts: Tensor) -> Memory:
        """Return the memories after the first `counts` (O,) of the values that made one longer.

        The values are (B, M + T); B rows for each count, one count after the other.
        """

        def windows(part: Tensor, width: int) -> Tensor:
            places = counts[:, None] + torch.arange(width, device=counts.device)
            return part[:, places].transpose(0, 1).flatten(0, 1)

        def after(before: Tensor, since: Tensor) -> Tensor:
            return torch.cat([before[:, None], since], 1)[:, counts].T.flatten()

        mean = n_observed = torch.full_like(past.values, torch.nan)
        if self.mean:
            mean, n_observed = mean_so_far(past.mean, past.n_observed, past.values)
        last = forward_fill(torch.cat([past.last[:, None], past.values], 1))[:, 1:]
        return Memory(
            windows(past.values, self.n_values),
            windows(past.drivers, self.driver_window),
            after(past.mean, mean),
            after(past.n_observed, n_observed),
            past.fallback_spread.repeat(len(counts)),
            after(past.last, last),
        )

    def forget(self, past: Memory, n_values: int) -> Memory:
        """Return a memory without its first values, which the summary of older ones takes in."""
        leaving, values = past.values.tensor_split([n_values], 1)
        last = newest_observed(past.last, leaving)
        past = past._replace(values=values, drivers=past.drivers[:, n_values:], last=last)
        if not self.mean or not n_values:
            return past
        mean, count = mean_so_far(past.mean, past.n_observed, leaving)
        return past._replace(mean=mean[:, -1], n_observed=count[:, -1])

    def show_one(
        self, values: Tensor, state: Memory, drivers: Tensor
    ) -> tuple[Tensor, Memory, Scale]:
        """Return what `show` does for one value (B, 1), and its scale, (B, 1) each."""
        past, newest = self.extend(state, values, drivers), range(self.n_values, self.n_values + 1)
        before, scale = self._moments(past, newest)
        return self._inputs(past, newest, before, scale), self.forget(past, 1), scale

    def newest(
        self, memory: Memory, block: int | None = None, scale: Scale | None = None
    ) -> ReaderOutput:
        """Return the reading at the newest value of a memory; its inputs are left out.

        Its templates are those of the next `block` steps; by default of R. The scale (B, 1) of that
        value need not be computed again if it is known.
        """
        newest = range(self.n_values - 1, self.n_values)
        scale, nothing = scale or self._scales(memory, newest), memory.drivers[:, :1, :0]
        return self.reading(memory, newest, scale, nothing, block).newest()

    def inputs(self, memory: Memory, steps: range) -> Tensor:
        """Return what the network is shown at chosen columns, (B, T, F): `at` without the rest."""
        return self._inputs(memory, steps, *self._moments(memory, steps))

    def at(self, memory: Memory, steps: range, spread: Tensor | None = None) -> ReaderOutput:
        """Read at chosen columns of the values (B, N), each with M columns up to and before it.

        The covariates (B, N', C) end where the values end; at each step V of them are shown.
        """
        inputs, scale = self.look(memory, steps, spread)
        return self.reading(memory, steps, scale, inputs)

    def look(
        self, memory: Memory, steps: range, spread: Tensor | None = None
    ) -> tuple[Tensor, Scale]:
        """Return what `at` shows the network, (B, T, F), and the scale, (B, T) each."""
        before, scale = self._moments(memory, steps, spread)
        return self._inputs(memory, steps, before, scale), scale

    def _moments(
        self, memory: Memory, steps: range, spread: Tensor | None = None
    ) -> tuple[Scale, Scale]:
        """Return the scale one patch before each step, if drift is shown, and that of the step."""
        if not self.drift:
            scale = self._scales(memory, steps, spread)
            return scale, scale
        # the scale of a step serves the drift of another, but for the first ones
        apart = self.patch if len(steps) == 1 else steps.step
        shared = self.patch // apart
        every = range(steps.start - self.patch, steps.stop, apart)
        scales = self._scales(memory, every, spread)
        before = Scale(*(one[:, :-shared] for one in scales))
        return before, Scale(*(one[:, shared:] for one in scales))

    def _scales(self, memory: Memory, steps: range, spread: Tensor | None = None) -> Scale:
        # the last older value stands before the others: a window without any value has its level
        padded = torch.cat([memory.last[:, None], memory.values], 1)
        fallback = memory.fallback_spread[:, None]
        scales = scale_at(padded, shifted(steps, 1), self.scale_window, fallback, self.prior)
        return scales if spread is None else scales._replace(spread=spread.expand_as(scales.spread))

    def _inputs(self, memory: Memory, steps: range, before: Scale, scale: Scale) -> Tensor:
        past, drivers = memory.values, memory.drivers
        window = windows_at(past, steps, self.window)  # (B, T, window)
        parts = [
            scale.apply(window).nan_to_num(0.0).to(self.dtype),
            (~window.isnan()).to(self.dtype),
        ]
        if self.drift:
            parts.append(drift(before, scale).to(self.dtype))
        if self.n_drivers:
            ahead = drivers.shape[1] - past.shape[1]
            parts.append(self._recent_covariates(drivers, shifted(steps, ahead)))
        return torch.cat(parts, -1)

    def reading(
        self,
        memory: Memory,
        steps: range,
        scale: Scale,
        inputs: Tensor,
        block: int | None = None,
    ) -> ReaderOutput:
        """Add what the readout needs at columns whose scale is known; by default of R steps."""
        templates = scale.apply(self._templates(memory, steps, block)).nan_to_num(0.0)
        # where the typical spread is not known, that of the scale is the best guess
        typical = memory.fallback_spread[:, None] / scale.spread
        typical = typical.nan_to_num(1.0).clamp(max=10.0)
        return ReaderOutput(inputs, scale, templates.to(self.dtype), typical.to(self.dtype))

    def _recent_covariates(self, drivers: Tensor, steps: range) -> Tensor:
        """Return covariates of the newest V values at each step, and their mask, (B, T, ...)."""
        window = windows_at(drivers, steps, self.driver_window)  # (B, T, C, V)
        window = window.transpose(2, 3).to(self.dtype)  # (B, T, V, C)
        observed_mask = ~window[..., self.n_known :].isnan()
        return torch.cat([window.nan_to_num(0.0), observed_mask.to(window)], -1).flatten(2)

    def _templates(self, memory: Memory, steps: range, block: int | None) -> Tensor:
        """Return the templates of each step t + j, (B, T, R, J), in target units."""
        past = memory.values
        back, share = (torch.as_tensor(part[:block], device=past.device) for part in self._seasons)
        parts = [past[:, columns(steps, past.device)[:, None, None] - back]]
        if self.trend:
            change = change_at(past, steps, self.trend)[..., None, None]
            parts.append(parts[0][..., : self.n_trended] + change * share.to(past))
        if self.mean:
            mean, _ = mean_so_far(memory.mean, memory.n_observed, past)
            parts.append(at_steps(mean, steps)[..., None, None].expand(-1, -1, len(back), -1))
        return torch.cat(parts, -1)

    @cached_property
    def _seasons(self) -> tuple[np.ndarray, np.ndarray]:
        """Return how far back from t the templates of t + j lie, (R, J), and shares of the trend.

        It is the newest value of the same season up to t, so that a block longer than the lag
        repeats the last cycle. The trend is followed no further than the distance it was measured
        over, (R, J'): beyond, mixtures may explode when they are iterated.
        """
        ahead = np.arange(self.block)  # j - 1
        last = np.zeros_like(ahead)
        back = np.stack([last, *(lag - 1 - ahead % lag for lag in self.lags)], -1)
        distance = 1 + ahead[:, None] + back[:, : self.n_trended]  # steps to t + j
        return back, np.minimum(distance / (self.trend / 2), 1.0)
