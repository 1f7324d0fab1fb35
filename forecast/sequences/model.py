"""The model that is trained: reader, networks, readouts and head of sequence estimators.

One loss serves both shapes: a target per step, NaN where nothing is asked. Where a unit has one
label, it is asked at its last step alone.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from forecast.engine.trainable import Trainable
from forecast.networks.base import State, read_on, where
from forecast.networks.ensemble import Ensemble


class Batch(NamedTuple):
    """Stretches of B units, padded on the right.

    Attributes
    ----------
    values : Tensor (B, T, F)
        NaN where unobserved.
    targets : Tensor (B, T)
        NaN where nothing is asked, as in the padding.
    fresh : Tensor (B,)
        Whether a stretch begins its unit; the others go on where that of their row ended.
    """

    values: Tensor
    targets: Tensor
    fresh: Tensor

    def rows(self, some: slice) -> Batch:
        """Return some of the units."""
        return Batch(*(part[some] for part in self))

    def split(self, n_targets: int) -> Iterator[Batch]:
        """Yield the same stretches in turn, so many that they have at most `n_targets` steps."""
        rows = max(n_targets // self.targets.shape[1], 1)
        yield from map(Batch, *(part.split(rows) for part in self))


class Reader(nn.Module):
    """Stand between values and network: standardise, and tell what is missing.

    Parameters
    ----------
    mean, spread : Tensor (F,)
        Of every feature over all steps that were learned from.
    masked : bool
        Show beside every feature whether it was observed. A missing one reads as its mean.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, mean: Tensor, spread: Tensor, *, masked: bool) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.masked = masked

    @property
    def input_size(self) -> int:
        """Numbers per step that the network reads."""
        return len(self.mean) * (1 + self.masked)

    def forward(self, values: Tensor) -> Tensor:
        """Return inputs (B, T, F), or (B, T, 2 F) with the mask."""
        z = (values - self.mean) / self.spread
        seen = [(~z.isnan()).to(z)] if self.masked else []
        return torch.cat([z.nan_to_num(0.0), *seen], -1)


class Head(nn.Module, abc.ABC):
    """Say what the K outputs of a step mean."""

    n_outputs: int

    @abc.abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of outputs (B, T, E, K) at targets (B, T, E)."""

    @abc.abstractmethod
    def answer(self, outputs: Tensor) -> Tensor:
        """Return what the members (..., E, K) say together."""


class ValueHead(Head):
    """A number, by its squared error in spreads; the answer is the mean of the members.

    Parameters
    ----------
    mean, spread : float
        Of the targets.
    """

    n_outputs = 1
    mean: Tensor
    spread: Tensor

    def __init__(self, mean: float, spread: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64))
        self.register_buffer("spread", torch.tensor(spread, dtype=torch.float64))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return squared errors (B, T, E)."""
        z = ((targets - self.mean) / self.spread).to(outputs)
        return (outputs[..., 0] - z).square()

    def answer(self, outputs: Tensor) -> Tensor:
        """Return numbers (...)."""
        return outputs[..., 0].mean(-1) * self.spread + self.mean


class ClassHead(Head):
    """A class, by cross-entropy; the answer is the mean of the members' probabilities.

    Parameters
    ----------
    weights : Tensor (K,)
        How much a label of each class counts.
    """

    weights: Tensor

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights)
        self.n_outputs = len(weights)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return weighted cross-entropies (B, T, E)."""
        flat = outputs.flatten(0, 2), targets.long().flatten()
        losses = cross_entropy(*flat, weight=self.weights.to(outputs), reduction="none")
        return losses.reshape(targets.shape)

    def answer(self, outputs: Tensor) -> Tensor:
        """Return probabilities (..., K)."""
        return outputs.softmax(-1).mean(-2)


class SequenceModel(Trainable[Batch]):
    """Join reader, networks, readouts and head; it holds no state of any unit.

    Parameters
    ----------
    reader : Reader
    network : Ensemble
    head : Head
    """

    def __init__(self, reader: Reader, network: Ensemble, head: Head) -> None:
        super().__init__()
        self.reader, self.network, self.head = reader, network, head
        widths: list[Any] = [member.width for member in network.members]
        self.readouts = nn.ModuleList(nn.Linear(width, head.n_outputs) for width in widths)

    def forward(
        self, values: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return outputs (B, T, E, K) for values (B, T, F), and the state after them.

        With `lengths` (B,) the state is that of each row's own end.
        """
        inputs = self.reader(values).to(self.readouts[0].weight.dtype)
        if lengths is None:
            features, state = read_on(self.network, inputs, state)
        else:
            features, state = self.network.absorb(inputs, state, lengths)
        own = features.chunk(len(self.readouts), -1)
        pairs = zip(self.readouts, own, strict=True)
        return torch.stack([readout(part) for readout, part in pairs], -2), state

    def losses(
        self, batch: Batch, *, carried: State | None = None, **_: Any
    ) -> tuple[Tensor, Tensor, State]:
        """Return what `engine.training.train` asks for.

        Returns
        -------
        loss : Tensor (B, T, E, 1)
        asked : Tensor (B, T, 1, 1)
            Which steps count.
        state : State
        """
        state = self.network.initial_state(len(batch.fresh))
        state = state if carried is None else where(batch.fresh, state, carried)
        outputs, state = self(batch.values, state)
        asked = ~batch.targets.isnan()
        targets = batch.targets.nan_to_num(0.0)[..., None].expand(outputs.shape[:-1])
        return self.head.loss(outputs, targets)[..., None], asked[..., None, None], state

    def parts(self) -> Iterator[list[Tensor]]:
        """Yield the parameters of each member, which are clipped on their own."""
        for pair in zip(self.network.members, self.readouts, strict=True):
            yield [parameter for module in pair for parameter in module.parameters()]
