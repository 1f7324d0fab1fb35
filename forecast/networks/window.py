"""The Markov side: a multi-layer perceptron that reads a fixed window and carries no state.

The window itself is the reader's: its last n values arrive as one input, all in the newest
scale, so that p(x_t | x_1 ... x_{t-1}) = p(x_t | x_{t-n} ... x_{t-1}).
"""

from __future__ import annotations

from torch import Tensor, nn

from forecast.networks.base import Network, State


class MLP(Network):
    """Multi-layer perceptron over the window that the reader shows at each step.

    Parameters
    ----------
    input_size : int
        F, numbers per step.
    hidden_size : int
        D, units per layer.
    num_layers : int
        Hidden layers.
    dropout : float
        Share of units silenced after each layer while training.
    residual : bool
        Add a layer's input to its output, from the second layer on.

    Examples
    --------
    >>> import torch
    >>> network = MLP(input_size=3, hidden_size=8)
    >>> features, state = network.absorb(torch.zeros(2, 5, 3), network.initial_state(2))
    >>> features.shape, state.shape
    (torch.Size([2, 5, 8]), torch.Size([2, 0]))
    """

    reach = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 2,
        dropout: float = 0.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.width = hidden_size
        self.residual = residual
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(nn.Linear(size, hidden_size) for size in sizes)
        self.dropout = nn.Dropout(dropout)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the empty state (B, 0): the window is kept by the reader."""
        return next(self.parameters()).new_zeros(batch_size, 0)

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read each step independently; the state stays empty."""
        features = inputs  # (B, T, F)
        for depth, layer in enumerate(self.layers):
            hidden = self.dropout(layer(features).relu())  # (B, T, D)
            features = hidden + features if self.residual and depth else hidden
        return features, state
