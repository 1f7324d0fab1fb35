"""The contract of all networks: state in, state out.

Letters used in all shapes: B batch, T time, F input features, D feature width, H horizon,
S sample paths, Q quantile levels, K known covariates, J templates, P values read per recurrent
step (the patch), R values given per readout (the block), M values the reader keeps,
W values in the scale, E members of an ensemble.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

State: TypeAlias = Any  # a tensor, or a tuple of states; every tensor has the batch first


class Network(nn.Module, abc.ABC):
    """Turn inputs into features, one per step, and carry a state from step to step.

    A network stores no hidden state. `features[:, t]` has seen the inputs up to and including
    t and nothing later, so the state is a function of the past alone:
    h_t = f(x_1, ..., x_t).

    Attributes
    ----------
    width : int
        D, the width of the features.
    reach : int, optional
        Steps after which an input is forgotten; None where a state may hold it for ever.
    hands_over : bool
        Whether `begin` returns another network, a decoder, which is then trained by teacher
        forcing.
    """

    width: int
    reach: int | None = None
    hands_over: bool = False

    @abc.abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """Return the state before any input: tensors (B, ...) or tuples of them."""

    def state_of(self, static: Tensor) -> State:
        """Return the state before any input of series with static features (B, A).

        Here that of any series; a network that is told of them knows better.
        """
        return self.initial_state(len(static))

    @abc.abstractmethod
    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read inputs (B, T, F), T >= 1, into features (B, T, D) and the state after them.

        With `lengths` (B,), rows are padded on the right, features past a row's length mean
        nothing, and the returned state is that of each row's own end.
        """

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read the inputs of one step, (B, F) into (B, D); equals `absorb` with T = 1."""
        features, state = self.absorb(inputs[:, None], state)
        return features[:, 0], state

    def begin(self, features: Tensor, state: State) -> tuple[Network, Tensor, State]:
        """Return the network that forecasts after the origin, its features (B, D) and its state.

        Here the same network, which reads its own forecasts as it read observed values; where there
        is a decoder, that one.
        """
        return self, features, state


class Cell(Network):
    """A network that is defined by what it does at one step."""

    @abc.abstractmethod
    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read the inputs of one step, (B, F) into (B, D)."""

    def recurrent_weights(self) -> Iterable[Tensor]:
        """Return the matrices that lead from state to state, for `initialisation`."""
        return ()

    def gate_biases(self) -> Iterable[tuple[list[Tensor], list[Tensor]]]:
        """Return the bias terms of input and forget gate, layer by layer.

        A gate may have several terms, which are added (torch has two). The second list is empty
        where one gate both lets in and forgets, as in a GRU.
        """
        return ()

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read step by step; a row that has ended keeps its state."""
        features = []
        for t in range(inputs.shape[1]):
            feature, after = self.advance(inputs[:, t], state)
            state = after if lengths is None else where(t < lengths, after, state)
            features.append(feature)
        return torch.stack(features, 1), state


def read_on(network: Network, inputs: Tensor, state: State) -> tuple[Tensor, State]:
    """Return what `absorb` does; a single step is read as one, which costs a cell less."""
    if inputs.shape[1] > 1:
        return network.absorb(inputs, state)
    features, state = network.advance(inputs[:, 0], state)
    return features[:, None], state


def absorb_in_pieces(network: Network, inputs: Tensor, truncation: int | None = None) -> Tensor:
    """Return the features (B, T, D) of inputs (B, T, F), from the initial state on.

    With `truncation` the inputs are cut into pieces of so many steps: the state passes from piece
    to piece, the gradient does not (truncated backpropagation through time; Williams and Peng,
    1990).
    """
    state, features = network.initial_state(len(inputs)), []
    for k, piece in enumerate(inputs.split(truncation or inputs.shape[1], 1)):
        before = state_map(Tensor.detach, state) if k else state  # the first may be learned
        read, state = network.absorb(piece, before)
        features.append(read)
    return torch.cat(features, 1)


def state_map(function: Callable[..., Tensor], *states: State) -> State:
    """Apply a function to the tensors that stand at the same place of several states.

    Examples
    --------
    >>> h, c = torch.tensor([1.0]), torch.tensor([2.0])
    >>> state_map(lambda one, other: one + other, (h, c), (c, c))
    (tensor([3.]), tensor([4.]))
    """
    if isinstance(states[0], Tensor):
        return function(*states)
    parts = [state_map(function, *parts) for parts in zip(*states, strict=True)]
    named = hasattr(states[0], "_fields")  # a named tuple keeps its names
    return type(states[0])(*parts) if named else tuple(parts)


def leaves(state: State) -> list[Tensor]:
    """Return the tensors of a state, in the order of `state_map`."""
    if isinstance(state, Tensor):
        return [state]
    return [leaf for part in state for leaf in leaves(part)]


def tile(state: State, n_samples: int) -> State:
    """Repeat every row of a state: (B, ...) becomes (B * S, ...), copies side by side.

    Examples
    --------
    >>> tile(torch.tensor([[1.0], [2.0]]), 2).flatten().tolist()
    [1.0, 1.0, 2.0, 2.0]
    """
    if n_samples == 1:
        return state
    return state_map(lambda tensor: tensor.repeat_interleave(n_samples, 0), state)


def pick(state: State, rows: Tensor | slice) -> State:
    """Return the chosen rows of a state."""
    return state_map(lambda tensor: tensor[rows], state)


def stack(states: Sequence[State]) -> State:
    """Join states along the batch."""
    return state_map(lambda *tensors: torch.cat(tensors), *states)


def where(mask: Tensor, state: State, other: State) -> State:
    """Return the rows of `state` where `mask` (B,) is true, those of `other` elsewhere.

    Examples
    --------
    >>> old, new = torch.zeros(2, 1), torch.ones(2, 1)
    >>> where(torch.tensor([True, False]), new, old).flatten().tolist()
    [1.0, 0.0]
    """

    def choose(left: Tensor, right: Tensor) -> Tensor:
        return torch.where(mask.view(-1, *[1] * (left.dim() - 1)), left, right)

    return state_map(choose, state, other)
