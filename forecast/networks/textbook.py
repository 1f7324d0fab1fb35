"""Cells written from their equations, step by step: to be read, and to check the fast ones.

Elman, 1990: s_t = g1(U x_t + W s_{t-1} + b) and o_t = g2(V s_t + b_y). Hochreiter and
Schmidhuber, 1997, and Gers et al., 2000, for the LSTM. Two time conventions are in use: here,
as in most books, s_t has read x_t; elsewhere h_t = g(W_hh h_{t-1} + W_hx x_{t-1} + b) is what is
known *before* x_t. They are one model, shifted: h_t = s_{t-1}.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from forecast.networks.base import Network, State, where

ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "identity": lambda z: z}


def uniform(*shape: int) -> nn.Parameter:
    """Return a parameter drawn from U(-1/sqrt(n), 1/sqrt(n)), n the last axis."""
    bound = shape[-1] ** -0.5
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


class Elman(Network):
    """Elman's recurrent layer.

    Parameters
    ----------
    input_size, hidden_size : int
        m and n: U is n x m, W is n x n, b has n numbers.
    activation : {"tanh", "relu", "identity"}
        g1.
    bias : bool
        Whether there is a b.
    learn_initial_state : bool
        Learn s_0; otherwise it is zero.

    Examples
    --------
    >>> network = Elman(2, 3)
    >>> sum(p.numel() for p in network.parameters() if p.requires_grad)  # nm + n^2 + n
    18
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        activation: str = "tanh",
        bias: bool = True,
        learn_initial_state: bool = False,
    ) -> None:
        super().__init__()
        self.width = hidden_size
        self.g = ACTIVATIONS[activation]
        self.U = uniform(hidden_size, input_size)
        self.W = uniform(hidden_size, hidden_size)
        self.b = nn.Parameter(torch.zeros(hidden_size), requires_grad=bias)
        self.s0 = nn.Parameter(torch.zeros(hidden_size), requires_grad=learn_initial_state)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return s_0, (B, n)."""
        return self.s0.expand(batch_size, -1)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one step; features and state are one, s_t."""
        s = self.g(inputs @ self.U.T + state @ self.W.T + self.b)  # s_t = g1(U x_t + W s_{t-1} + b)
        return s, s

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read step after step."""
        return unroll(self, inputs, state, lengths)


class Gates(NamedTuple):
    """What an LSTM's gates do at one step, each (B, n)."""

    forget: Tensor
    input: Tensor
    candidate: Tensor
    output: Tensor


class LSTM(Network):
    """Long short-term memory.

    Parameters
    ----------
    input_size, hidden_size : int
        m and n: four times the weights of an Elman layer, 4 (n (m + n) + n).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.width = hidden_size
        self.Wf, self.Wi, self.Wc, self.Wo = (
            uniform(hidden_size, hidden_size + input_size) for _ in range(4)
        )
        self.bf, self.bi, self.bc, self.bo = (
            nn.Parameter(torch.zeros(hidden_size)) for _ in range(4)
        )

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return h_0 = 0 and C_0 = 0, (B, n) each."""
        zero = self.bf.new_zeros(batch_size, self.width)
        return zero, zero

    def gates(self, inputs: Tensor, state: State) -> Gates:
        """Return what the gates do with inputs (B, m) after a state (h, C)."""
        x = torch.cat([state[0], inputs], -1)  # [h_{t-1}, x_t]
        return Gates(
            forget=torch.sigmoid(x @ self.Wf.T + self.bf),  # f_t = sigma(W_f [h, x] + b_f)
            input=torch.sigmoid(x @ self.Wi.T + self.bi),  # i_t = sigma(W_i [h, x] + b_i)
            candidate=torch.tanh(x @ self.Wc.T + self.bc),  # C~_t = tanh(W_c [h, x] + b_c)
            output=torch.sigmoid(x @ self.Wo.T + self.bo),  # o_t = sigma(W_o [h, x] + b_o)
        )

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one step; the features are h_t."""
        f, i, candidate, o = self.gates(inputs, state)
        c = f * state[1] + i * candidate  # C_t = f_t C_{t-1} + i_t C~_t
        h = o * torch.tanh(c)  # h_t = o_t tanh(C_t)
        return h, (h, c)

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read step after step."""
        return unroll(self, inputs, state, lengths)


class Output(nn.Module):
    """The output layer o_t = g2(V s_t + b_y), apart from the state's activation.

    With g2 = tanh, as one article prints it, no forecast passes 1; regression wants identity.
    """

    def __init__(self, width: int, output_size: int, *, activation: str = "identity") -> None:
        super().__init__()
        self.g = ACTIVATIONS[activation]
        self.V = uniform(output_size, width)
        self.b = nn.Parameter(torch.zeros(output_size))

    def forward(self, features: Tensor) -> Tensor:
        """Return o_t for features (..., n)."""
        return self.g(features @ self.V.T + self.b)


def unroll(
    network: Network, inputs: Tensor, state: State, lengths: Tensor | None
) -> tuple[Tensor, State]:
    """Read step after step; a row that has ended keeps its state."""
    features = []
    for t in range(inputs.shape[1]):
        feature, after = network.advance(inputs[:, t], state)
        state = after if lengths is None else where(t < lengths, after, state)
        features.append(feature)
    return torch.stack(features, 1), state
