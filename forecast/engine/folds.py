"""Hold out another block of time for each member of an ensemble.

Of a short series one block is too few errors, and it is the newest, from which there is most to
learn. With a block of its own for each member, all values teach the ensemble, and honest errors
exist for as many blocks as it has members (Barber et al., 2021, "Predictive inference with the
jackknife+"; Xu and Xie, 2021, "Conformal prediction interval for dynamic time-series").
"""

from __future__ import annotations

import torch
from torch import Tensor

from forecast.engine.batches import Windows
from forecast.engine.model import Model
from forecast.engine.reader import ReaderOutput
from forecast.engine.validation import Validation
from forecast.networks.base import stack


def in_training(blocks: Tensor, first: Tensor, n_steps: int, patch: int, block: int) -> Tensor:
    """Return which targets teach which member, (B, S, E, R), in windows that begin at `first` (B,).

    A value that is held out teaches nothing, nor does any that follows an origin whose next value
    is: from the same past a network would know them.

    Parameters
    ----------
    blocks : Tensor (E, 2)
        Where the block of each member begins and ends.
    first : Tensor (B,)
        Positions of windows.
    n_steps, patch, block : int
        S steps of P values each, R targets after each.

    Examples
    --------
    >>> in_training(torch.tensor([[2, 4], [4, 6]]), torch.tensor([0]), 3, 1, 2)[0, :, 0].tolist()
    [[True, False], [False, False], [False, False]]
    """
    places = first[:, None] + torch.arange(n_steps * patch + block, device=first.device)
    origins = slice(patch, n_steps * patch + 1, patch)
    places = places.unfold(1, block, 1)[:, origins, None]  # (B, S, 1, R)
    held = (places >= blocks[:, :1]) & (places < blocks[:, 1:])
    return ~(held | held[..., :1])


class Folds(Validation):
    """Judge each member by the block that its training does not see, of one series.

    Parameters
    ----------
    blocks : Tensor (E, 2)
        Where the block of each member begins and ends, the newest first; the other parameters are
        those of `Validation`.

    Attributes
    ----------
    folds : list of Validation
        One for each member, of the history up to the end of its block. What is said of the series
        as a whole is what the newest says.
    """

    def __init__(self, model: Model, windows: Windows, blocks: Tensor, *asked: int) -> None:
        self.folds = [
            Validation(model, windows.head(block[1:]), block[:1], *asked) for block in blocks
        ]
        vars(self).update(vars(self.folds[0]))
        self.blocks, self.ends = blocks, windows.lengths
        self.series = torch.cat([fold.series for fold in self.folds])
        self.naive_loss = sum(fold.naive_loss for fold in self.folds) / len(self.folds)
        self.independent = self.independent_if(0.5)

    def loss(self, model: Model) -> float:
        """Return the mean error of the members, each alone in its own block."""
        return sum(fold.loss(own) for own, fold in self._alone(model)) / len(self.folds)

    def independent_if(self, growth: float) -> float:
        """Return how many errors of a step are independent, of all blocks."""
        return sum(fold.independent_if(growth) for fold in self.folds)

    def _first_block(self, model: Model) -> tuple[ReaderOutput, Tensor, Tensor]:
        return stack([fold._first_block(own) for own, fold in self._alone(model)])

    def _alone(self, model: Model) -> list[tuple[Model, Validation]]:
        return [(model.alone(member), fold) for member, fold in enumerate(self.folds)]
