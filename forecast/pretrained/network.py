"""A network whose size depends on neither season nor horizon.

Reader of fixed width -> stacked LSTM -> readout shared by all steps -> quantiles. The recurrence
and the head are the package's own; the reader is in `reader.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from forecast.networks.base import State
from forecast.networks.heads.quantile import QuantileHead
from forecast.networks.recurrent import Recurrent
from forecast.pretrained.reader import INPUTS, TEMPLATES, Past, marks, read, templates

LEVELS = (0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.975)
PLACES = 8  # numbers that say how far ahead a step is


class Reading(NamedTuple):
    """Features (B, N, D) of every step, and the past that they were read from."""

    features: Tensor
    past: Past
    state: State


class SharedReadout(nn.Module):
    """Read any step ahead from features, that step's templates, and its distance.

    The location is sum_i w_i template_i + correction with weights from a softmax over the
    templates that are there and the level, zero in scaled units; widths share one factor, so that
    a series can be calm as a whole. The features meet the first layer once per origin, not once
    per step.

    Parameters
    ----------
    width : int
        D, the network's features.
    n_params : int
        Numbers that the head asks for.
    units : int
        Width of the two hidden layers.
    """

    def __init__(self, width: int, n_params: int, units: int = 128) -> None:
        super().__init__()
        self.from_features = nn.Linear(width, units)
        self.from_step = nn.Linear(2 * TEMPLATES + PLACES, units, bias=False)
        self.hidden = nn.Linear(units, units)
        self.out = nn.Linear(units, TEMPLATES + 1 + 1 + n_params)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor, known: Tensor, shown: Tensor, place: Tensor) -> Tensor:
        """Return parameters (B, n, h, n_params).

        Parameters
        ----------
        features : Tensor (B, n, D)
        known : Tensor (B, n, h, J)
            Whether a template is there.
        shown : Tensor (B, n, h, J)
            Templates in scaled units.
        place : Tensor (B, 1, h, PLACES)
        """
        step = torch.cat([shown, known.to(shown), place.expand(*shown.shape[:3], -1)], -1)
        mixed = self.from_features(features)[:, :, None] + self.from_step(step)
        numbers = self.out(nn.functional.gelu(self.hidden(nn.functional.gelu(mixed))))
        logits, width, params = numbers.tensor_split([TEMPLATES + 1, TEMPLATES + 2], -1)
        # the level starts with a small weight: it is the template of last resort
        level = logits[..., TEMPLATES:] - 3
        logits = torch.cat([logits[..., :TEMPLATES].masked_fill(~known, -1e4), level], -1)
        weights = logits.softmax(-1)[..., :TEMPLATES]
        location = (weights * shown).sum(-1, keepdim=True) + params[..., :1]
        return torch.cat([location, params[..., 1:] + width], -1)


class PretrainedNetwork(nn.Module):
    """Reader, recurrence, readout and head as one.

    Parameters
    ----------
    width : int
        D, units per layer.
    depth : int
        Recurrent layers.

    Examples
    --------
    >>> network = PretrainedNetwork(width=8)
    >>> y, one = torch.arange(40.0).sin()[None], torch.ones(1)
    >>> network.quantiles(y, 6 * one, 0 * one, horizon=3).shape
    torch.Size([1, 3, 15])
    """

    def __init__(self, width: int = 112, depth: int = 2) -> None:
        super().__init__()
        self.width, self.depth = width, depth
        self.recurrence = Recurrent(INPUTS, width, cell="lstm", num_layers=depth, residual=True)
        self.head = QuantileHead(LEVELS)
        self.readout = SharedReadout(width, self.head.n_params)

    def read(
        self, values: Tensor, season: Tensor, second: Tensor, before: State | None = None
    ) -> Reading:
        """Read values (B, N) with seasons (B,) into features of every step.

        A row begins with its first observed value: histories of unequal length end together.
        With the state `before` the last value, only that one is absorbed: one cell call, equal to
        reading the whole row.
        """
        past = read(values, season, second)
        new = values.shape[1] if before is None else 1
        steps = torch.arange(values.shape[1], device=values.device)[-new:]
        shown, known = templates(past, steps, steps.new_ones(1))
        inputs = torch.cat([marks(past)[:, -new:], shown[:, :, 0], known[:, :, 0]], -1)
        inputs = inputs.to(self.readout.out.weight)
        if before is None:
            features, state = self._absorb(inputs, (past.seen == 0).sum(1))
        else:
            features, state = self.recurrence.absorb(inputs, before)
        return Reading(features, past, state)

    def _absorb(self, inputs: Tensor, lead: Tensor) -> tuple[Tensor, State]:
        """Absorb what comes after the first `lead` (B,) of the inputs (B, N, F)."""
        start = self.recurrence.initial_state(len(inputs))
        if not lead.any():
            return self.recurrence.absorb(inputs, start)
        steps, lead, last = (
            torch.arange(inputs.shape[1]).to(lead),
            lead[:, None],
            len(inputs[0]) - 1,
        )
        begun = _at(inputs, (steps + lead).clamp(max=last))
        features, state = self.recurrence.absorb(begun, start, (last + 1 - lead[:, 0]).clamp(min=1))
        return _at(features, (steps - lead).clamp(min=0)), state

    def read_out(self, reading: Reading, origins: Tensor, steps: Tensor) -> Tensor:
        """Return parameters (B, n, h, n_params) for the steps (h,) after the origins (n,)."""
        shown, known = templates(reading.past, origins, steps)
        features = reading.features[:, origins - reading.past.values.shape[1]]
        place = places(reading.past, steps).to(features)
        return self.readout(features, known, shown.to(features), place)

    @torch.no_grad()
    def quantiles(self, values: Tensor, season: Tensor, second: Tensor, horizon: int) -> Tensor:
        """Forecast values (B, N): quantiles (B, horizon, Q) in the unit of the values."""
        reading = self.read(values, season, second)
        newest, steps = torch.tensor([values.shape[1] - 1]), torch.arange(1, horizon + 1)
        return self.forecast(reading, newest, steps)[:, 0]

    def forecast(self, reading: Reading, origins: Tensor, steps: Tensor) -> Tensor:
        """Return quantiles (B, n, h, Q) of the steps (h,) after the origins (n,), in double."""
        scaled = self.head.quantiles(self.read_out(reading, origins, steps)).double()
        level, spread = (
            p[:, origins, None, None] for p in (reading.past.level, reading.past.spread)
        )
        return level + spread * scaled


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Return values (B, N, F) at the steps (B, N)."""
    return values.gather(1, index[..., None].expand_as(values))


def places(past: Past, steps: Tensor) -> Tensor:
    """Say how far ahead steps (h,) are, in steps and in seasons: (B, 1, h, PLACES)."""
    j, m = steps.float(), past.season.float()
    cycles, weeks = j / m, j / past.second.clamp(min=1)
    there = (past.second > 0).float()
    said = [j.log().expand_as(cycles), cycles.log1p(), cycles.clamp(max=4).sqrt(),
            m.log().expand_as(cycles) / 3, (m == 1).float().expand_as(cycles),
            there.expand_as(cycles), weeks.log1p() * there, (cycles > 1).float()]  # fmt: skip
    return torch.stack(said, -1)[:, None]
