"""From flat sequences to padded batches: random ones to learn from, all of them to answer for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from forecast.sequences.model import Batch
from forecast.sequences.reading import Array, Sequences

STEPS_AT_ONCE = 2**16  # read in one go, padding included


class Units:
    """Sequences and their targets as tensors.

    Parameters
    ----------
    sequences : Sequences
    targets : ndarray (N,)
        NaN where nothing is asked.
    device : torch.device
    """

    def __init__(self, sequences: Sequences, targets: Array, device: torch.device) -> None:
        # copies: what users pass may be read-only, which torch knows nothing of
        self.values = torch.tensor(sequences.values, device=device)
        self.targets = torch.tensor(targets, device=device)
        self.lengths = torch.tensor(sequences.lengths, device=device)
        self.firsts = self.lengths.cumsum(0) - self.lengths

    @property
    def every(self) -> Tensor:
        """All units, by their places (n,)."""
        return torch.arange(len(self.lengths), device=self.lengths.device)

    def batch(self, units: Tensor, begun: Tensor, width: int) -> Batch:
        """Return `width` steps of some units, from their step `begun` on."""
        steps = begun[:, None] + torch.arange(width, device=self.values.device)
        outside = steps >= self.lengths[units][:, None]
        rows = (self.firsts[units][:, None] + steps).clamp(max=len(self.values) - 1)
        values = self.values[rows].masked_fill(outside[..., None], 0.0)
        targets = self.targets[rows].masked_fill(outside, torch.nan)
        return Batch(values, targets, begun == 0)

    def draw(
        self, chosen: Tensor, batch_size: int, truncation: int | None, generator: torch.Generator
    ) -> Iterator[Batch]:
        """Yield batches of units for ever, every unit equally often.

        With a `truncation` a row walks through its unit in stretches of so many steps, before it
        goes to the next one.
        """
        deck = _endless(chosen, generator)
        B = min(batch_size, len(chosen))
        units = torch.stack([next(deck) for _ in range(B)])
        begun = torch.zeros_like(units)
        while True:
            width = int((self.lengths[units] - begun).max())
            width = width if truncation is None else min(truncation, width)
            yield self.batch(units, begun, width)
            begun = begun + width
            for row in torch.nonzero(begun >= self.lengths[units]).flatten().tolist():
                units[row], begun[row] = next(deck), 0

    def all(self, chosen: Tensor) -> Iterator[tuple[Tensor, Batch]]:
        """Yield some units, whole and in batches of about equal length, and which these are."""
        by_length = chosen[self.lengths[chosen].argsort(stable=True)]
        for units in _fitting(by_length, self.lengths[by_length]):
            width = int(self.lengths[units].max())
            yield units, self.batch(units, torch.zeros_like(units), width)


def _endless(chosen: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield units in random order, all before any comes again."""
    while True:
        yield from chosen[torch.randperm(len(chosen), generator=generator).to(chosen.device)]


def _fitting(units: Tensor, lengths: Tensor) -> Iterator[Tensor]:
    """Split units of rising length, so that none of the padded batches is large."""
    first, steps = 0, lengths.tolist()
    for place in range(1, len(units) + 1):
        if place == len(units) or (place + 1 - first) * steps[place] > STEPS_AT_ONCE:
            yield units[first:place]
            first = place


def last_steps(sequences: Sequences, labels: Array) -> Array:
    """Return targets (N,) that ask for the labels (n,) at the last steps.

    Examples
    --------
    >>> from forecast.sequences.reading import read_list
    >>> last_steps(read_list([[1.0, 2.0], [3.0]]), np.array([0.0, 1.0]))
    array([nan,  0.,  1.])
    """
    targets = np.full(len(sequences.values), np.nan)
    targets[sequences.ends] = labels
    return targets
