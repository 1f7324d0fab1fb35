"""The third kind of memory: a causal dilated convolution, which sees a window of growing width.

Van den Oord et al., 2016, "WaveNet"; Bai et al., 2018, "An empirical evaluation of generic
convolutional and recurrent networks for sequence modeling". Layer l reads inputs that lie 2^l
steps apart, so the window doubles with each layer while the weights grow by one layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from forecast.networks.base import Network, State


class Convolution(Network):
    """Stack of causal convolutions.

    h_t^(l) = relu(sum_j W_j^(l) h_{t - j d}^(l-1) + b^(l)), j = 0 ... k - 1, with dilation
    d = 2^(l-1) and h_t^(0) = x_t, so that h_t sees x_{t - field + 1} ... x_t with
    field = 1 + (k - 1)(2^L - 1), without dilation 1 + (k - 1) L. What lies before the first
    input is zero.

    Parameters
    ----------
    input_size : int
        F, numbers per step.
    hidden_size : int
        D, channels per layer.
    kernel_size : int
        k, inputs that a layer reads.
    num_layers : int
        L.
    dilated : bool
        Double the distance between inputs from layer to layer; otherwise it stays 1.

    Examples
    --------
    >>> [Convolution(1, 4, num_layers=depth).reach for depth in (1, 2, 3, 8)]
    [2, 4, 8, 256]
    >>> network = Convolution(3, 4, num_layers=3)
    >>> features, window = network.absorb(torch.zeros(2, 5, 3), network.initial_state(2))
    >>> features.shape, window.shape
    (torch.Size([2, 5, 4]), torch.Size([2, 7, 3]))
    """

    reach: int

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        kernel_size: int = 2,
        num_layers: int = 4,
        dilated: bool = True,
    ) -> None:
        super().__init__()
        self.width = hidden_size
        dilations = [2**depth if dilated else 1 for depth in range(num_layers)]
        self.layers = nn.ModuleList(
            nn.Conv1d(hidden_size if depth else input_size, hidden_size, kernel_size, dilation=d)
            for depth, d in enumerate(dilations)
        )
        self.reach = 1 + (kernel_size - 1) * sum(dilations)
        self.input_size = input_size

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the window (B, field - 1, F), all zero."""
        like = next(self.parameters())
        return like.new_zeros(batch_size, self.reach - 1, self.input_size)

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read the inputs behind the window; the last of both are the next window."""
        seen = torch.cat([state, inputs], 1)  # (B, field - 1 + T, F)
        features = seen.mT  # torch's convolutions want the channels before the time
        for layer in self.layers:
            features = layer(features).relu()  # each takes (k - 1) d steps off the front
        ends = lengths if lengths is not None else torch.full((len(seen),), inputs.shape[1])
        steps = ends.to(seen.device)[:, None] + torch.arange(self.reach - 1, device=seen.device)
        return features.mT, seen.take_along_dim(steps[..., None], 1)  # (B, T, D), (B, field - 1, F)
