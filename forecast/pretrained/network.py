"""A network whose size depends on neither season nor horizon.

Reader of fixed width -> stacked LSTM -> readout shared by all steps -> quantiles. The recurrence
and the head are the package's own; the reader is in `reader.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from forecast.networks.base import State, read_on
from forecast.networks.heads.quantile import QuantileHead
from forecast.networks.recurrent import Recurrent
from forecast.pretrained.reader import (
    INPUTS,
    TEMPLATES,
    Mistakes,
    Outlook,
    Past,
    look_back,
    marks,
    read,
    templates,
    unit_of,
)

LEVELS = (0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.975)
PLACES = 8  # numbers that say how far ahead a step is
FARTHEST = 720  # steps ahead that training asks for at most
LONG = 8  # times the usual steps ahead; training asks one series in eleven for more


class Reading(NamedTuple):
    """Features (B, N, D) of the last N steps, and the past that they were read from."""

    features: Tensor
    past: Past
    state: State
    outlook: Outlook


class SharedReadout(nn.Module):
    """Read any step ahead from features, that step's templates, their past errors, its distance.

    The location is sum_i w_i (template_i + a e_i) + s c: templates weighed by a softmax over those
    that are there and the level, zero in scaled units, each corrected by a share a of its newest
    error e_i, and a free correction c. The unit s of that correction and of all widths is the
    error of the template that did best of late, so that what is calm about its season is read as
    finely as what is not; a template's logit falls with the logarithm of its own error. The
    features meet the first layer once per origin, not once per step.

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
        self.from_origin = nn.Linear(width + 3 * TEMPLATES, units)
        self.from_step = nn.Linear(2 * TEMPLATES + PLACES, units, bias=False)
        self.hidden = nn.Linear(units, units)
        self.n_params = n_params
        self.out = nn.Linear(units, TEMPLATES + 5 + n_params)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, features: Tensor, wrong: Mistakes, known: Tensor, shown: Tensor, place: Tensor
    ) -> Tensor:
        """Return parameters (B, n, h, n_params).

        Parameters
        ----------
        features : Tensor (B, n, D)
        wrong : Mistakes (B, n, J)
        known : Tensor (B, n, h, J)
            Whether a template is there.
        shown : Tensor (B, n, h, J)
            Templates in scaled units.
        place : Tensor (1 or B, 1 or n, h, PLACES)
        """
        newest, near, far = (part.unsqueeze(2) for part in (wrong.newest, wrong.near, wrong.far))
        origin = torch.cat([features, wrong.told], -1)
        step = torch.cat([shown, known.to(shown), place.expand(*shown.shape[:3], -1)], -1)
        mixed = self.from_origin(origin).unsqueeze(2) + self.from_step(step)
        numbers = self.out(nn.functional.gelu(self.hidden(nn.functional.gelu(mixed))))
        logits, level, trust_near, trust_far, share, width, params = numbers.split_with_sizes(
            [TEMPLATES, 1, 1, 1, 1, 1, self.n_params], -1
        )
        logits = logits - (0.5 + trust_near) * near - (0.5 + trust_far) * far
        # the level starts with a small weight: it is the template of last resort
        logits = torch.cat([torch.where(known, logits, -1e4), level - 3], -1)
        weights = logits.softmax(-1)[..., :TEMPLATES]
        corrected = shown + share * newest
        best = (0.5 * (near.amin(-1, True) + far.amin(-1, True))).exp()
        location = (weights * corrected).sum(-1, keepdim=True) + best * params[..., :1]
        return torch.cat([location, rescaled(params[..., 1:] + width, best)], -1)


def rescaled(params: Tensor, factor: Tensor) -> Tensor:
    """Return what gives `factor` times the head's widths: softplus(p' - c) = f softplus(p - c)."""
    steps = factor * nn.functional.softplus(params - QuantileHead.softplus_shift) + 1e-6
    return QuantileHead.softplus_shift + steps + (-(-steps).expm1()).log()


class PretrainedNetwork(nn.Module):
    """Reader, recurrence, readout and head as one.

    Parameters
    ----------
    width : int
        D, units per layer.
    depth : int
        Recurrent layers.
    tuned : bool
        Whether its readout learned from the series that it forecasts: it knows their steps better,
        and may have forgotten how to read means of them.

    Examples
    --------
    >>> network = PretrainedNetwork(width=8)
    >>> y, one = torch.arange(40.0).sin()[None], torch.ones(1)
    >>> network.quantiles(y, 6 * one, 0 * one, horizon=3).shape
    torch.Size([1, 3, 15])
    """

    def __init__(self, width: int = 128, depth: int = 2, tuned: bool = False) -> None:
        super().__init__()
        self.width, self.depth, self.tuned = width, depth, tuned
        self.recurrence = Recurrent(INPUTS, width, cell="lstm", num_layers=depth, residual=True)
        self.head = QuantileHead(LEVELS)
        self.readout = SharedReadout(width, self.head.n_params)

    @property
    def shape(self) -> dict[str, int]:
        """What the constructor was given."""
        return {"width": self.width, "depth": self.depth, "tuned": self.tuned}

    def read(
        self,
        values: Tensor,
        season: Tensor,
        second: Tensor,
        newest: Tensor | None = None,
        before: State | None = None,
    ) -> Reading:
        """Read values (B, N) with seasons (B,) into features of every step.

        A row begins with its first observed value: histories of unequal length end together.

        Parameters
        ----------
        values : Tensor (B, N)
        season, second : Tensor (B,)
        newest : Tensor (B,), optional
            How many values of each row are absorbed, the last ones; features are of the longest.
        before : state, optional
            That before the last value, which alone is absorbed: one cell call, equal to reading
            the whole row.
        """
        past, n = read(values, season, second), values.shape[1]
        if before is not None:
            inputs, outlook = self.inputs(past, 1)
            features, state = read_on(self.recurrence, inputs, before)
            return Reading(features, past, state, outlook)
        begun, new = torch.from_numpy(past.first[:, 0]), n
        if newest is not None:
            begun, new = torch.maximum(begun, n - newest), int(newest.max())
        inputs, outlook = self.inputs(past, new)
        features, state = self._absorb(inputs, (begun - (n - new)).clamp(min=0))
        return Reading(features, past, state, outlook)

    def inputs(self, past: Past, new: int) -> tuple[Tensor, Outlook]:
        """Return what the recurrence reads at the `new` last steps, (B, new, F), and the rest."""
        shown, known, wrong = outlook = look_back(past, new)
        inputs = torch.cat([marks(past, new), shown, known, wrong.told], -1)
        return inputs.to(self.readout.out.weight), outlook

    def _absorb(self, inputs: Tensor, lead: Tensor) -> tuple[Tensor, State]:
        """Absorb what comes after the first `lead` (B,) of the inputs (B, N, F)."""
        start = self.recurrence.initial_state(len(inputs))
        if not lead.any():
            return self.recurrence.absorb(inputs, start)
        n = inputs.shape[1]
        steps, skipped = torch.arange(n).to(lead), lead[:, None]
        begun = _at(inputs, (steps + skipped).clamp(max=n - 1))
        # backward through padded rows takes forty times as long; training needs no last state
        lengths = None if torch.is_grad_enabled() else (n - lead).clamp(min=1)
        features, state = self.recurrence.absorb(begun, start, lengths)
        return _at(features, (steps - skipped).clamp(min=0)), state

    def read_out(self, reading: Reading, origins: Tensor, steps: Tensor) -> Tensor:
        """Return parameters (B, n, h, n_params) for the steps after the origins (n,).

        The steps are (h,), or (B, h) if every row has its own.
        """
        shown, known = templates(reading.past, origins, steps)
        at = origins - reading.past.values.shape[1]  # one value absorbed has one step of features
        season, second = map(torch.from_numpy, (reading.past.season, reading.past.second))
        place = places(season, second, steps)
        features = reading.features[:, at]
        wrong = Mistakes(*(part[:, at] for part in reading.outlook.mistakes))
        return self.readout(features, wrong, known, shown.to(features), place.to(features))

    @torch.no_grad()
    def quantiles(
        self,
        values: Tensor,
        season: Tensor,
        second: Tensor,
        horizon: int,
        newest: Tensor | None = None,
    ) -> Tensor:
        """Forecast values (B, N), as in `read`: quantiles (B, horizon, Q) in their unit."""
        reading = self.read(values, season, second, newest)
        origin, steps = torch.tensor([values.shape[1] - 1]), torch.arange(1, horizon + 1)
        return self.forecast(reading, origin, steps)[:, 0]

    def forecast(self, reading: Reading, origins: Tensor, steps: Tensor) -> Tensor:
        """Return quantiles (B, n, h, Q) of the steps (h,) after the origins (n,), in double.

        Farther ahead than training often went, the median stays that of the same phase of the last
        season within it: what goes on from there was seen to be worse than none.
        """
        unit = unit_of(reading.past, origins)
        found = self._in_units(self.read_out(reading, origins, steps), *unit)
        season, second = map(torch.from_numpy, (reading.past.season, reading.past.second))
        nearer = within_training(season, second, steps)
        far = (nearer != steps).any(0)
        if far.any():
            held = self._in_units(self.read_out(reading, origins, nearer[:, far]), *unit)
            middle = self.head.middle
            found[:, :, far] += (held - found[:, :, far])[..., middle : middle + 1]
        return found

    def forecast_next(
        self, features: Tensor, outlook: Outlook, unit: Sequence[Tensor], place: Tensor
    ) -> Tensor:
        """Return quantiles (B, n, 1, Q) of the next step, as `forecast` does, from what was read.

        Parameters
        ----------
        features : Tensor (B, n, D)
        outlook : Outlook (B, n, J)
        unit : level and spread, Tensor (B, n) each
        place : Tensor (1 or B, 1 or n, 1, PLACES)
        """
        shown, known = (part[:, :, None] for part in outlook[:2])
        shown, place = shown.to(features), place.to(features)
        params = self.readout(features, outlook.mistakes, known, shown, place)
        return self._in_units(params, *unit)

    def _in_units(self, params: Tensor, level: Tensor, spread: Tensor) -> Tensor:
        scaled = self.head.quantiles(params).double()
        return level[..., None, None] + spread[..., None, None] * scaled


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Return values (B, N, F) at the steps (B, N)."""
    return values.gather(1, index[..., None].expand_as(values))


def usual(season: Tensor) -> Tensor:
    """Return how far ahead people ask: two seasons of short ones, one of long ones, 14 of none."""
    return torch.where(season > 1, (2 * season).clamp(16, 110), 14)


def within_training(season: Tensor, second: Tensor, steps: Tensor) -> Tensor:
    """Return the steps (h,) as far ahead as training often goes by seasons (B, 1): (B, h).

    A farther one becomes that of the same phase of the longer season which is farthest within; of a
    season that is longer than that, the farthest.

    Examples
    --------
    >>> season, second = torch.tensor([[1], [12], [144]]), torch.tensor([[0], [0], [1008]])
    >>> within_training(season, second, torch.tensor([100, 300, 800])).tolist()
    [[100, 112, 112], [100, 192, 188], [100, 300, 720]]
    """
    most = (LONG * usual(season)).where(second == 0, FARTHEST).clamp(max=FARTHEST)
    longer = torch.maximum(season, second)
    longer = longer.where(longer <= most, 1)
    beyond = (steps - most).clamp(min=0)
    return steps - (beyond + -beyond % longer)


def places(season: Tensor, second: Tensor, steps: Tensor) -> Tensor:
    """Say how far ahead steps are, in steps and in seasons (B, 1): (B, 1, h, PLACES).

    The steps are (h,) or (B, h).
    """
    j, m = steps.float(), season.float()
    cycles, weeks = j / m, j / second.clamp(min=1)
    there = (second > 0).float()
    said = [j.log().expand_as(cycles), cycles.log1p(), cycles.clamp(max=4).sqrt(),
            m.log().expand_as(cycles) / 3, (m == 1).float().expand_as(cycles),
            there.expand_as(cycles), weeks.log1p() * there, (cycles > 1).float()]  # fmt: skip
    return torch.stack(said, -1)[:, None]
