"""Training on sequences of symbols, each of its own length, and reading them on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecast.data.vocabulary import MISSING, START, as_inputs
from forecast.engine import training
from forecast.engine.trainable import Trainable
from forecast.engine.training import Epoch, Settings
from forecast.networks.base import State, pick, state_map
from forecast.networks.symbols import Live, SymbolNetwork

# Log-probabilities that are held at a time, for all symbols of the vocabulary.
_AT_ONCE = 4_000_000


class Batch(NamedTuple):
    """Pieces of sequences: what is read, and what comes next, (B, T); their lengths, (B,).

    Padding has no target: -1.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor

    @property
    def fresh(self) -> Tensor:
        """Which rows begin anew (B,): all do."""
        return torch.ones(len(self.inputs), dtype=torch.bool)

    def rows(self, some: slice) -> Batch:
        """Return some of the rows, as wide as the longest of them."""
        width = int(self.lengths[some].max())
        return Batch(self.inputs[some, :width], self.targets[some, :width], self.lengths[some])

    def split(self, n_targets: int) -> Iterator[Batch]:
        """Yield the rows in turn, so many that they have at most `n_targets` targets."""
        at_once = max(n_targets // self.targets.shape[1], 1)
        for first in range(0, len(self.inputs), at_once):
            yield self.rows(slice(first, first + at_once))


class Pieces:
    """Draw pieces of sequences so that every symbol is as likely to be a target as any other.

    A sequence of at most `context_length` symbols is one piece, and begins with the start symbol.
    A longer one is cut at random: the pieces at its ends may be shorter.

    Parameters
    ----------
    sequences : list of numpy.ndarray
        Numbers of symbols (T,), MISSING where one is not known; none is empty.
    context_length : int
        Symbols of a piece at most.

    Examples
    --------
    >>> pieces = Pieces([np.array([3, 4, 1])], context_length=5)
    >>> inputs, targets, lengths = next(pieces.batches(1, torch.Generator().manual_seed(0)))
    >>> inputs.tolist(), targets.tolist(), lengths.tolist()
    ([[0, 3, 4]], [[3, 4, 1]], [3])
    """

    def __init__(self, sequences: Sequence[np.ndarray], context_length: int) -> None:
        read = [np.concatenate(([START], one[:-1])) for one in sequences]
        self.inputs = torch.from_numpy(as_inputs(np.concatenate(read)))
        self.targets = torch.from_numpy(np.concatenate(sequences))
        self.lengths = torch.tensor([len(one) for one in sequences])
        self.offsets = self.lengths.cumsum(0) - self.lengths
        self.most = context_length
        # a symbol is in most of the T + most - 1 places at which a long sequence may be cut
        places = (self.lengths + self.most - 1) / self.most
        pieces = torch.where(self.lengths > self.most, places.round().long(), 1)
        self.rows = torch.arange(len(pieces)).repeat_interleave(pieces)

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """Yield batches for ever; all pieces are drawn before one is drawn again."""
        queue = self.rows[:0]
        while True:
            while len(queue) < batch_size:
                queue = torch.cat(
                    [queue, self.rows[torch.randperm(len(self), generator=generator)]]
                )
            yield self.cut(queue[:batch_size], generator)
            queue = queue[batch_size:]

    def __len__(self) -> int:
        return len(self.rows)

    def cut(self, rows: Tensor, generator: torch.Generator) -> Batch:
        """Return a piece of each of these sequences, (B,)."""
        batch_size, whole = len(rows), self.lengths[rows]
        cuts = torch.rand(batch_size, generator=generator) * (whole + self.most - 1)
        cuts = torch.where(whole > self.most, cuts.long() - self.most + 1, 0)
        first, stop = cuts.clamp(min=0), torch.minimum(cuts + self.most, whole)
        lengths = stop - first
        steps = torch.arange(int(lengths.max()))
        inside = steps < lengths[:, None]
        places = (self.offsets[rows] + first)[:, None] + torch.where(inside, steps, 0)
        return Batch(self.inputs[places], self.targets[places].where(inside, MISSING), lengths)


class TrainableSymbols(Trainable[Batch]):
    """A network of symbols as the training loop asks for it: one member, one step at a time.

    Examples
    --------
    >>> from forecast.networks.recurrent import Recurrent
    >>> trained = TrainableSymbols(SymbolNetwork(5, 3, Recurrent(3, 4, cell="tanh")))
    >>> pieces = Pieces([np.array([3, MISSING, 1])], context_length=5)
    >>> loss, counts, _ = trained.losses(pieces.cut(torch.tensor([0]), torch.Generator()))
    >>> loss.shape, counts.flatten().tolist()
    (torch.Size([1, 3, 1, 1]), [True, False, True])
    """

    def __init__(self, model: SymbolNetwork) -> None:
        super().__init__()
        self.model = model

    def parts(self) -> Iterator[list[Tensor]]:
        """Yield all weights: they are clipped together."""
        yield list(self.parameters())

    def losses(
        self, batch: Batch, *, min_observed: int = 0, carried: State | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Return losses in nats (B, T, 1, 1), which of them count, and the state after them."""
        state = self.model.network.initial_state(len(batch.inputs))
        features, state = self.model.absorb(batch.inputs, state, if_uneven(batch.lengths))
        losses = self.model.losses(features, batch.targets)
        return losses[..., None, None], (batch.targets != MISSING)[..., None, None], state


def train(
    model: SymbolNetwork,
    batches: Iterator[Batch],
    held_out: Sequence[np.ndarray],
    settings: Settings,
) -> Iterator[Epoch]:
    """Train in place; yield a record, in nats per symbol, after every epoch: see `training.train`.

    Without held-out sequences all epochs are trained, and the last weights kept.
    """
    return training.train(
        TrainableSymbols(model),
        batches,
        lambda trained: mean_loss(trained.model, held_out),
        settings,
    )


def if_uneven(lengths: Tensor) -> Tensor | None:
    """Return the lengths of rows; None where all are equal, and nothing is padded."""
    return None if (lengths == lengths[0]).all() else lengths


def mean_loss(model: SymbolNetwork, sequences: Sequence[np.ndarray]) -> float:
    """Return the cross-entropy of whole sequences, in nats per symbol; NaN if none is told."""
    if not sequences:
        return math.nan
    log_probabilities, _ = read(model, sequences, begin(model, len(sequences)))
    # pandas says NaN of no numbers, where numpy warns
    return -float(pd.Series(np.concatenate(log_probabilities)).mean())


@torch.no_grad()
def begin(model: SymbolNetwork, count: int) -> Live:
    """Return what so many sequences leave behind that have had the start symbol."""
    return model.begin(torch.full((count,), START))


@torch.no_grad()
def advance(model: SymbolNetwork, symbols: np.ndarray, live: Live) -> Live:
    """Read one symbol of every sequence, (n,)."""
    return model.advance(torch.from_numpy(as_inputs(symbols)), live)


@torch.no_grad()
def read(
    model: SymbolNetwork, sequences: Sequence[np.ndarray], live: Live
) -> tuple[list[np.ndarray], Live]:
    """Read what came of n sequences, each of its own length.

    Returns
    -------
    tuple
        The log-probability that each symbol had before it came (T,), NaN where it is missing; and
        what the sequences have left behind.
    """
    lengths = np.array([len(one) for one in sequences])
    found = [np.full(length, np.nan) for length in lengths]
    stretch = max(1, _AT_ONCE // (len(sequences) * len(model.possible)))
    for first in range(0, int(lengths.max(initial=0)), stretch):
        rows = np.flatnonzero(lengths > first).tolist()
        pieces = [sequences[i][first : first + stretch] for i in rows]
        log_probabilities, after = _read(model, pieces, pick(live, torch.tensor(rows)))
        live = put(live, rows, after)
        for i, part in zip(rows, log_probabilities, strict=True):
            found[i][first : first + len(part)] = part
    return found, live


def _read(
    model: SymbolNetwork, sequences: list[np.ndarray], live: Live
) -> tuple[list[np.ndarray], Live]:
    lengths = torch.tensor([len(one) for one in sequences])
    symbols = np.full((len(sequences), int(lengths.max())), MISSING)
    for padded, one in zip(symbols, sequences, strict=True):
        padded[: len(one)] = one
    features, state = model.absorb(
        torch.from_numpy(as_inputs(symbols)), live.state, if_uneven(lengths)
    )
    before = torch.cat([live.features[:, None], features[:, :-1]], 1)
    targets = torch.from_numpy(symbols)[..., None]
    chosen = model.log_probabilities(before).gather(-1, targets.clamp(min=0))
    chosen = chosen.masked_fill(targets == MISSING, torch.nan)[..., 0].double()
    parts = [row[: len(one)] for row, one in zip(chosen.numpy(), sequences, strict=True)]
    return parts, Live(features[torch.arange(len(lengths)), lengths - 1], state)


def put(live: Live, rows: list[int], new: Live) -> Live:
    """Return a copy in which some rows are replaced."""
    places = torch.tensor(rows)
    changed: Live = state_map(lambda old, part: old.index_copy(0, places, part), live, new)
    return changed
