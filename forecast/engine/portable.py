"""A fitted model as two pure functions of flat tensors, for runtimes that know no Python.

    absorb:    value, covariates, state -> state,
    forecast:  known covariates, state -> point, quantiles.

The state is all that is remembered of B series: a stream, as saved files hold it, and the bounds
that a series has kept so far. A runtime keeps the tensors and hands them back; it need not know
what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from forecast.engine import rollout, stream
from forecast.engine.model import Model
from forecast.engine.stream import Stream
from forecast.networks.base import State, leaves, state_map


class Portable(NamedTuple):
    """What is remembered of B series.

    Attributes
    ----------
    live
        A stream of P phases.
    positive, whole
        (B,) bool: nothing below zero was seen; whole numbers only.
    """

    live: Stream
    positive: Tensor
    whole: Tensor


class Layout:
    """The order of a state's tensors; empty ones, of covariates that are not there, have no place.

    Parameters
    ----------
    model : Model
    example : Portable
        A state like all others, but for its values and B.
    """

    def __init__(self, model: Model, example: Portable) -> None:
        self.reader = model.reader
        self.like = self._packed(example)

    def named(self, state: Portable) -> dict[str, Tensor]:
        """Return the tensors of a state by the names that a graph has for them."""
        return {f"state_{i}": part for i, part in enumerate(self.flat(state))}

    def flat(self, state: Portable) -> list[Tensor]:
        """Return the tensors of a state."""
        return [part for part in leaves(self._packed(state)) if part[0].numel()]

    def restored(self, parts: Sequence[Tensor]) -> Portable:
        """Return the state of which these are the tensors."""
        given, B = iter(parts), parts[0].shape[0]

        def take(like: Tensor) -> Tensor:
            return next(given) if like[0].numel() else like.new_zeros(B, *like.shape[1:])

        packed, positive, whole = state_map(take, self.like)
        return Portable(stream.unpack(packed, self.reader), positive, whole)

    def _packed(self, state: Portable) -> State:
        return stream.pack(state.live, self.reader), state.positive, state.whole


class Standardise(nn.Module):
    """Scale raw covariates (..., C), the last ones of more columns, as the network reads them.

    Parameters
    ----------
    mean, spread : Tensor (C,)
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.double())
        self.register_buffer("spread", spread.double())

    def forward(self, raw: Tensor) -> Tensor:
        """Return (raw - mean) / spread, in single precision; the first columns as they are."""
        own = raw.shape[-1] - len(self.mean)
        before, covariates = raw.tensor_split([own], -1)
        return torch.cat([before, (covariates - self.mean) / self.spread], -1).float()


class Absorb(nn.Module):
    """Absorb one value of every series.

    Parameters
    ----------
    model : Model
    layout : Layout
    scale : Standardise
        Of all covariates.
    """

    def __init__(self, model: Model, layout: Layout, scale: Standardise) -> None:
        super().__init__()
        self.model, self.layout, self.scale = model, layout, scale

    def forward(self, value: Tensor, covariates: Tensor | None, *state: Tensor) -> list[Tensor]:
        """Return the state after values (B,), NaN = unobserved, with raw covariates (B, C)."""
        live, positive, whole = self.layout.restored(state)
        raw = value.new_zeros(value.shape[0], 0) if covariates is None else covariates
        live = stream.step(self.model, value[:, None], live, self.scale(raw)[:, None])
        positive = positive & ~(value < 0)
        whole = whole & ((value == value.floor()) | value.isnan())
        return self.layout.flat(Portable(live, positive, whole))


class Forecast(nn.Module):
    """Forecast the H steps after a state.

    Parameters
    ----------
    model : Model
    layout : Layout
    scale : Standardise
        Of the covariates whose future is known.
    horizon : int
        H.
    levels : sequence of float
        Increasing probabilities.
    point : {"median", "mean"}
    """

    side: Tensor

    def __init__(
        self,
        model: Model,
        layout: Layout,
        scale: Standardise,
        horizon: int,
        levels: Sequence[float],
        point: str,
    ) -> None:
        super().__init__()
        self.model, self.layout, self.scale, self.horizon = model, layout, scale, horizon
        self.levels, self.point = tuple(levels), point
        self.register_buffer("side", (torch.tensor(self.levels) - 0.5).sign().double())

    def forward(self, known: Tensor | None, *state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the point forecast (B, H) and the quantiles (B, r, Q) of the first block.

        What is `known` of the steps ahead is (B, H, K): the calendar, then raw covariates.
        """
        live, positive, whole = self.layout.restored(state)
        raw = self.side.new_zeros(positive.shape[0], self.horizon, 0) if known is None else known
        ahead, mean = self.scale(raw), self.point == "mean"
        points = rollout.rollout(self.model, live, ahead, rollout.greedy(self.model, self.point))
        points = points if mean else self._counted(points)
        quantiles = self._quantiles(live, ahead[:, : self.model.stride])
        flags = positive[:, None], whole[:, None]
        wider = (flag[..., None] for flag in flags)
        return held(points, *flags, mean=mean), held(quantiles, *wider)

    def _quantiles(self, live: Stream, block: Tensor) -> Tensor:
        """Return quantiles (B, r, Q), each on its side of the median."""
        reading, params = rollout.first_block(self.model, live, block)
        z = self.model.quantiles(params, (0.5, *self.levels), reading.typical_spread)
        read = self._counted(self.model.values(reading.scale, z))
        median, quantiles = read[..., :1], read[..., 1:]
        return median + ((quantiles - median) * self.side).clamp(min=0) * self.side

    def _counted(self, values: Tensor) -> Tensor:
        return values.round() if self.model.support.counts else values


def held(values: Tensor, positive: Tensor, whole: Tensor, *, mean: bool = False) -> Tensor:
    """Return the nearest values that the series can take; a mean has decimals.

    Examples
    --------
    >>> values, yes = torch.tensor([-3.4, 1.6]), torch.tensor(True)
    >>> held(values, yes, yes).tolist(), held(values, ~yes, ~yes).equal(values)
    ([0.0, 2.0], True)
    """
    values = values if mean else torch.where(whole, values.round(), values)
    return torch.where(positive, values.clamp(min=0), values)
