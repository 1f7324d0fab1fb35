"""The latent side: Elman, GRU and LSTM stacks that carry a state from step to step.

Elman, 1990, "Finding structure in time": s_t = g(U x_t + W s_{t-1} + b). Hochreiter and
Schmidhuber, 1997, "Long short-term memory", with the forget gate of Gers et al., 2000. Cho et
al., 2014, for the gated recurrent unit. `networks/textbook.py` spells the equations out; this
file runs the same recurrences through torch's fused layers.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from forecast.networks.base import Network, State

CELLS: dict[str, Callable[..., nn.RNNBase]] = {
    "tanh": lambda *sizes: nn.RNN(*sizes, nonlinearity="tanh", batch_first=True),
    "relu": lambda *sizes: nn.RNN(*sizes, nonlinearity="relu", batch_first=True),
    "gru": lambda *sizes: nn.GRU(*sizes, batch_first=True),
    "lstm": lambda *sizes: nn.LSTM(*sizes, batch_first=True),
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
    cell : {"tanh", "relu", "gru", "lstm"}
        The recurrence.
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
        self.layers = nn.ModuleList(CELLS[cell](size, hidden_size) for size in sizes)
        self.dropout = nn.Dropout(dropout)
        initial = torch.zeros(2 if cell == "lstm" else 1, num_layers, hidden_size)
        self.initial = nn.Parameter(initial, requires_grad=learn_initial_state)

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        """Return (h,), for an LSTM (h, c), each (B, layers, D)."""
        return tuple(part.expand(batch_size, -1, -1) for part in self.initial)

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read inputs (B, T, F) layer by layer."""
        features = inputs  # (B, T, F)
        ends = []
        for depth, layer in enumerate(self.layers):
            # torch keeps the batch of a recurrent state second: (1, B, D)
            before = tuple(part[:, depth][None].contiguous() for part in state)
            below = self.dropout(features) if depth else features
            hidden, after = run_layer(layer, below, before, lengths)  # (B, T, D)
            features = hidden + features if self.residual and depth else hidden
            ends.append(after)
        return features, tuple(
            torch.stack([end[part] for end in ends], 1) for part in range(len(state))
        )


def run_layer(
    layer: nn.Module, inputs: Tensor, state: tuple[Tensor, ...], lengths: Tensor | None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one torch layer; the states returned are (B, D), one per carrier (h, or h and c)."""
    given = state if len(state) == 2 else state[0]
    if lengths is None:
        hidden, after = layer(inputs, given)
    else:
        packed = pack_padded_sequence(inputs, lengths.cpu(), True, enforce_sorted=False)
        packed, after = layer(packed, given)
        hidden, _ = pad_packed_sequence(packed, True, total_length=inputs.shape[1])
    parts = after if len(state) == 2 else (after,)
    return hidden, tuple(part[0] for part in parts)
