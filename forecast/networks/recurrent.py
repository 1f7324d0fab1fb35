"""The latent side: stacks of recurrent layers that carry a state from step to step.

Elman, 1990, "Finding structure in time": s_t = g(U x_t + W s_{t-1} + b). Hochreiter and
Schmidhuber, 1997, "Long short-term memory", with the forget gate of Gers et al., 2000. Cho et
al., 2014, for the gated recurrent unit; Zhou et al., 2016, for the minimal one. What torch has
built in runs through its fused layers. `teaching/textbook.py` spells the equations out.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from forecast.networks.base import Cell, Network, State, leaves, state_map


class FusedLayer(Network):
    """One of torch's recurrent layers as a network: inherit from this and from that layer.

    A state is (h,), or (h, c) of an LSTM: (B, D) each.
    """

    def __init__(self, input_size: int, hidden_size: int, **options: str) -> None:
        super().__init__(input_size, hidden_size, batch_first=True, **options)
        self.width = hidden_size

    @property
    @abc.abstractmethod
    def n_parts(self) -> int:
        """How many tensors a state has."""

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        """Return zeros."""
        return (next(self.parameters()).new_zeros(batch_size, self.width),) * self.n_parts

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read inputs (B, T, F) in one call of torch."""
        # torch keeps the batch of a recurrent state second: (1, B, D)
        h, *c = (part[None].contiguous() for part in state)
        before = (h, *c) if c else h
        if lengths is None:
            hidden, after = self(inputs, before)
        else:
            packed = pack_padded_sequence(inputs, lengths.cpu(), True, enforce_sorted=False)
            packed, after = self(packed, before)
            hidden, _ = pad_packed_sequence(packed, True, total_length=inputs.shape[1])
        return hidden, tuple(part[0] for part in (after if c else (after,)))

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one step with torch's function of a cell, in a third of the time of the layer."""
        weights: Any = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
        after = self._cell(inputs, state, *weights)
        return after[0], after

    @abc.abstractmethod
    def _cell(self, inputs: Tensor, state: State, *weights: Tensor) -> tuple[Tensor, ...]:
        """Return the state after one step."""


class RNNLayer(FusedLayer, nn.RNN):
    """Elman's layer, with `nonlinearity` "tanh" or "relu"."""

    n_parts = 1

    def _cell(self, inputs: Tensor, state: State, *weights: Tensor) -> tuple[Tensor, ...]:
        cell = torch.rnn_tanh_cell if self.nonlinearity == "tanh" else torch.rnn_relu_cell
        return (cell(inputs, state[0], *weights),)


class GRULayer(FusedLayer, nn.GRU):
    """Gated recurrent units."""

    n_parts = 1

    def _cell(self, inputs: Tensor, state: State, *weights: Tensor) -> tuple[Tensor, ...]:
        return (torch.gru_cell(inputs, state[0], *weights),)


class LSTMLayer(FusedLayer, nn.LSTM):
    """Long short-term memory."""

    n_parts = 2

    def _cell(self, inputs: Tensor, state: State, *weights: Tensor) -> tuple[Tensor, ...]:
        return torch.lstm_cell(inputs, state, *weights)


class MGU(Cell):
    """Minimal gated units: one gate forgets and lets in.

        f_t = sigma(W_f x_t + U_f h_{t-1} + b_f),
        h~_t = tanh(W x_t + U (f_t h_{t-1}) + b),
        h_t = (1 - f_t) h_{t-1} + f_t h~_t.

    Zhou, Wu, Zhang and Zhou, 2016, "Minimal gated unit for recurrent neural networks": two thirds
    of the weights of a GRU. Where f_t is near 0 the state stays.

    Parameters
    ----------
    input_size, hidden_size : int
        F and D: 2 (D F + D^2 + D) weights.

    Examples
    --------
    >>> network = MGU(2, 3)
    >>> for weights in network.parameters():
    ...     _ = nn.init.zeros_(weights)
    >>> h, _ = network.advance(torch.zeros(1, 2), torch.ones(1, 3))  # f = 1 / 2, h~ = 0
    >>> h.tolist()
    [[0.5, 0.5, 0.5]]
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.width = hidden_size
        self.W = nn.Parameter(torch.empty(2 * hidden_size, input_size))  # W_f, W
        self.U = nn.Parameter(torch.empty(2 * hidden_size, hidden_size))  # U_f, U
        self.bf, self.b = (nn.Parameter(torch.empty(hidden_size)) for _ in range(2))
        for weights in self.parameters():  # as torch's own layers start
            nn.init.uniform_(weights, -(hidden_size**-0.5), hidden_size**-0.5)

    def recurrent_weights(self) -> Iterable[Tensor]:
        """Return U_f and U."""
        return (self.U,)

    def gate_biases(self) -> Iterable[tuple[list[Tensor], list[Tensor]]]:
        """Return b_f: there is a single gate, which lets in and forgets."""
        return [([self.bf], [])]

    def initial_state(self, batch_size: int) -> Tensor:
        """Return h_0 = 0, (B, D)."""
        return self.b.new_zeros(batch_size, self.width)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one step; features and state are h_t."""
        gate, candidate = (inputs @ self.W.T).chunk(2, -1)
        Uf, U = self.U.chunk(2)
        f = (gate + state @ Uf.T + self.bf).sigmoid()
        h = state.lerp((candidate + (f * state) @ U.T + self.b).tanh(), f)
        return h, h


# Every cell by its name: a callable that makes a layer of it from F and D. Any network will do that
# has a state of tensors (B, D).
CELLS: dict[str, Callable[[int, int], Network]] = {
    "tanh": RNNLayer,
    "relu": partial(RNNLayer, nonlinearity="relu"),
    "gru": GRULayer,
    "lstm": LSTMLayer,
    "mgu": MGU,
}


class Recurrent(Network):
    """Stack of recurrent layers; layer l reads the hidden states of layer l - 1.

    h_t^(l) = cell(h_t^(l-1), h_{t-1}^(l)) with h_t^(0) = x_t; the features are those of the
    last layer.

    Parameters
    ----------
    input_size : int
        F, numbers per step.
    hidden_size : int
        D, units per layer.
    cell : str
        The recurrence: a name of `CELLS`.
    num_layers : int
        Depth.
    dropout : float
        Share of units silenced between layers while training.
    residual : bool
        Add a layer's input to its output, from the second layer on.
    learn_initial_state : bool
        Learn h_0 (and c_0); otherwise they are zero.

    Examples
    --------
    >>> import torch
    >>> network = Recurrent(input_size=3, hidden_size=8, cell="lstm", num_layers=2)
    >>> features, (h, c) = network.absorb(torch.zeros(4, 5, 3), network.initial_state(4))
    >>> features.shape, h.shape, c.shape
    (torch.Size([4, 5, 8]), torch.Size([4, 2, 8]), torch.Size([4, 2, 8]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        cell: str = "lstm",
        num_layers: int = 1,
        dropout: float = 0.0,
        residual: bool = False,
        learn_initial_state: bool = False,
    ) -> None:
        super().__init__()
        self.width = hidden_size
        self.cell = cell
        self.residual = residual
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        layers = [CELLS[cell](size, hidden_size) for size in sizes]
        self.layers: Any = nn.ModuleList(layers)  # mypy knows no `absorb` of a ModuleList's items
        self.dropout = nn.Dropout(dropout)
        starts = [torch.cat(leaves(layer.initial_state(1))) for layer in layers]
        initial = torch.stack(starts, 1).detach()  # (tensors of a state, layers, D)
        self.initial = nn.Parameter(initial, requires_grad=learn_initial_state)

    def initial_state(self, batch_size: int) -> State:
        """Return the state of a cell, with a depth: (h,), for an LSTM (h, c), (B, layers, D)."""
        return self.arranged(self.initial.expand(batch_size, -1, -1, -1))

    def arranged(self, numbers: Tensor) -> State:
        """Return numbers (B, tensors of a state, layers, D) as a state."""
        parts = numbers.unbind(1)
        return parts[0] if isinstance(self.layers[0].initial_state(1), Tensor) else parts

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read inputs (B, T, F) layer by layer."""
        return self._climb(inputs, state, lambda layer, *read: layer.absorb(*read, lengths))

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read the inputs of one step, (B, F), layer by layer."""
        return self._climb(inputs, state, lambda layer, *read: layer.advance(*read))

    def _climb(self, inputs: Tensor, state: State, read: Any) -> tuple[Tensor, State]:
        features = inputs
        ends = []
        for depth, (layer, own) in enumerate(zip(self.layers, _of_layers(state), strict=True)):
            below = self.dropout(features) if depth and self.training else features
            hidden, after = read(layer, below, own)  # (B, D) or (B, T, D)
            features = hidden + features if self.residual and depth else hidden
            ends.append(after)
        return features, state_map(lambda *parts: torch.stack(parts, 1), *ends)


def _of_layers(state: State) -> Iterable[State]:
    """Return each layer's state, (B, D) each, from that of a stack, (B, layers, D) each."""
    if isinstance(state, Tensor):
        return state.unbind(1)
    return zip(*(part.unbind(1) for part in state), strict=True)
