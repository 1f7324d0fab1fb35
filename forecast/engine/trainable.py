"""What the training loop asks of a model and of its batches."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any, Generic, Protocol, Self, TypeVar

from torch import Tensor, nn

from forecast.networks.base import State


class Rows(Protocol):
    """A batch: B rows, each a stretch of a series or of a unit."""

    @property
    def fresh(self) -> Tensor:
        """Which rows begin anew (B,): the others go on where theirs of the batch before ended."""

    def rows(self, some: slice) -> Self:
        """Return some of the rows."""

    def split(self, n_targets: int) -> Iterator[Self]:
        """Yield the rows in turn, so many that they have at most `n_targets` targets."""


B = TypeVar("B", bound=Rows)


class Trainable(nn.Module, abc.ABC, Generic[B]):
    """A model of E members, each with a loss of its own (abstract)."""

    @abc.abstractmethod
    def parts(self) -> Iterator[list[Tensor]]:
        """Yield the parameters that are clipped together: first of each member, then of others."""

    @abc.abstractmethod
    def losses(
        self,
        batch: B,
        *,
        min_observed: int,
        carried: State | None = None,
    ) -> tuple[Any, ...]:
        """Return losses (B, S, E, R), first, which of them count, and last the state after them.

        Parameters
        ----------
        batch
            What is read, and what is asked.
        min_observed
            Fewest observed values in a scale whose targets count.
        carried
            The state after the batch before, for the rows that are not `fresh`.
        """
