"""Cells written from their equations, step by step: to be read, and to check the fast ones.

Elman, 1990, "Finding structure in time"; Jordan, 1986, "Serial order"; Hochreiter and
Schmidhuber, 1997, "Long short-term memory", with the forget gate of Gers et al., 2000; Zhou, Wu,
Zhang and Zhou, 2016, "Minimal gated unit for recurrent neural networks". Vectors are columns in
the equations and rows in the code: U x_t is `inputs @ U.T`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from forecast.networks.base import Cell, Network, State

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": operator.pos,
}


def uniform(*shape: int) -> nn.Parameter:
    """Return a parameter drawn from U(-1/sqrt(n), 1/sqrt(n)), n the last axis."""
    bound = shape[-1] ** -0.5
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


class Elman(Cell):
    """Elman's recurrent layer, s_t = g1(U x_t + W s_{t-1} + b), and o_t = g2(V s_t + b_y) on it.

    Two time conventions are in use. In most books s_t has read x_t. In others
    h_t = g1(W_hh h_{t-1} + W_hx x_{t-1} + b) is what is known *before* x_t, and o_t its forecast.
    They are one model, shifted: h_t = s_{t-1}.

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
    lagged : bool
        The features are h_t, known before x_t, instead of s_t.

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
        lagged: bool = False,
    ) -> None:
        super().__init__()
        self.width = hidden_size
        self.lagged = lagged
        self.g = ACTIVATIONS[activation]
        self.U = uniform(hidden_size, input_size)
        self.W = uniform(hidden_size, hidden_size)
        self.b = nn.Parameter(torch.zeros(hidden_size), requires_grad=bias)
        self.s0 = nn.Parameter(torch.zeros(hidden_size), requires_grad=learn_initial_state)

    def recurrent_weights(self) -> Iterable[Tensor]:
        """Return W."""
        return (self.W,)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return s_0, (B, n)."""
        return self.s0.expand(batch_size, -1)

    @classmethod
    def from_torch(cls, layer: nn.RNN, depth: int = 0) -> Elman:
        """Return a layer of torch as a cell; the sum of its two biases becomes the cell's."""
        U, W, b = parts_of(layer, depth)
        cell = cls(U.shape[1], U.shape[0], activation=layer.nonlinearity)
        cell.U, cell.W, cell.b = nn.Parameter(U), nn.Parameter(W), nn.Parameter(b)
        return cell.to(W)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one step; the state is s_t."""
        s = self.g(inputs @ self.U.T + state @ self.W.T + self.b)  # s_t = g1(U x_t + W s_{t-1} + b)
        return (state if self.lagged else s), s  # h_t = s_{t-1}


class Jordan(Cell):
    """A layer that also reads its own last output, h_t = f(U x_t + W h_{t-1} + B y_{t-1} + b).

    The features are h_t and the output is y_t = V h_t + c, `network.output(features)`. Left to
    itself, the layer feeds back its own output. `teach` feeds back given ones instead.

    Parameters
    ----------
    input_size, hidden_size : int
        m and n: U is n x m, W is n x n.
    output_size : int
        q: B is n x q, V is q x n.
    activation : {"tanh", "relu", "identity"}
        f.

    Examples
    --------
    >>> network = Jordan(2, 3, output_size=1)
    >>> features, (h, y) = network.absorb(torch.zeros(4, 5, 2), network.initial_state(4))
    >>> h.shape, y.shape, torch.equal(network.output(features)[:, -1], y)
    (torch.Size([4, 3]), torch.Size([4, 1]), True)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        output_size: int = 1,
        activation: str = "tanh",
    ) -> None:
        super().__init__()
        self.width = hidden_size
        self.f = ACTIVATIONS[activation]
        self.U = uniform(hidden_size, input_size)
        self.W = uniform(hidden_size, hidden_size)
        self.B = uniform(hidden_size, output_size)
        self.b = nn.Parameter(torch.zeros(hidden_size))
        self.output = Output(hidden_size, output_size)

    def recurrent_weights(self) -> Iterable[Tensor]:
        """Return W."""
        return (self.W,)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return h_0 = 0, (B, n), and y_0 = 0, (B, q)."""
        n, q = self.B.shape
        return self.b.new_zeros(batch_size, n), self.b.new_zeros(batch_size, q)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one step, from a state (h_{t-1}, y_{t-1})."""
        h, y = state
        # h_t = f(U x_t + W h_{t-1} + B y_{t-1} + b)
        h = self.f(inputs @ self.U.T + h @ self.W.T + y @ self.B.T + self.b)
        return h, (h, self.output(h))  # y_t = V h_t + c

    def teach(self, inputs: Tensor, outputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read inputs (B, T, m) with the outputs (B, T, q) that should have come (teacher forcing).

        The output given for step t is read at step t + 1.
        """
        features = []
        for x, y in zip(inputs.unbind(1), outputs.unbind(1), strict=True):
            h, _ = self.advance(x, state)
            state = h, y
            features.append(h)
        return torch.stack(features, 1), state


class Stacked(Cell):
    """Layers of cells, each reading the one below.

    h_t^(l) = phi(W_hh^(l) h_{t-1}^(l) + W_hx^(l) h_t^(l-1) + b^(l)) with h_t^(0) = x_t; the
    features are those of the last layer, the state one state per layer.

    Parameters
    ----------
    input_size, hidden_size : int
        m and n; every layer has n units.
    num_layers : int
        Depth.
    cell : callable
        Makes a layer from its two sizes.

    Examples
    --------
    >>> network = Stacked(2, 3, num_layers=3, cell=LSTM)
    >>> len(network.initial_state(4))
    3
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 2,
        cell: Callable[[int, int], Network] = Elman,
    ) -> None:
        super().__init__()
        self.width = hidden_size
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        # to a type checker, what a ModuleList holds has no `advance`
        self.layers: Any = nn.ModuleList(cell(size, hidden_size) for size in sizes)

    def initial_state(self, batch_size: int) -> tuple[State, ...]:
        """Return one initial state per layer."""
        return tuple(layer.initial_state(batch_size) for layer in self.layers)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one step, layer after layer."""
        features, after = inputs, []  # h_t^(0) = x_t
        for layer, before in zip(self.layers, state, strict=True):
            features, own = layer.advance(features, before)  # h_t^(l) from h_t^(l-1), h_{t-1}^(l)
            after.append(own)
        return features, tuple(after)


class Gates(NamedTuple):
    """The gates of an LSTM, each (B, n) at one step and (B, T, n) over a series."""

    forget: Tensor
    input: Tensor
    candidate: Tensor
    output: Tensor


class LSTM(Cell):
    """Long short-term memory.

    Parameters
    ----------
    input_size, hidden_size : int
        m and n: four times the weights of an Elman layer, 4 (n (m + n) + n).

    Examples
    --------
    >>> network = LSTM(2, 3)
    >>> gates = network.trace(torch.zeros(4, 5, 2), network.initial_state(4))
    >>> gates.forget.shape
    torch.Size([4, 5, 3])
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

    def recurrent_weights(self) -> Iterable[Tensor]:
        """Return the first columns of each W [h, x]."""
        return [W[:, : self.width] for W in (self.Wf, self.Wi, self.Wc, self.Wo)]

    def gate_biases(self) -> Iterable[tuple[list[Tensor], list[Tensor]]]:
        """Return b_i and b_f."""
        return [([self.bi], [self.bf])]

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return h_0 = 0 and C_0 = 0, (B, n) each."""
        zero = self.bf.new_zeros(batch_size, self.width)
        return zero, zero

    @classmethod
    def from_torch(cls, layer: nn.LSTM, depth: int = 0) -> LSTM:
        """Return a layer of torch as a cell, which shows its gates."""
        U, W, b = parts_of(layer, depth)
        cell = cls(U.shape[1], len(U) // 4)
        blocks = zip(torch.cat([W, U], 1).chunk(4), b.chunk(4), strict=True)
        for gate, (weight, bias) in zip("ifco", blocks, strict=True):  # torch's order
            setattr(cell, f"W{gate}", nn.Parameter(weight))
            setattr(cell, f"b{gate}", nn.Parameter(bias))
        return cell

    def gates(self, inputs: Tensor, state: State) -> Gates:
        """Return the gates for inputs (B, m) after a state (h, C)."""
        x = torch.cat([state[0], inputs], -1)  # [h_{t-1}, x_t]
        return Gates(
            forget=torch.sigmoid(x @ self.Wf.T + self.bf),  # f_t = sigma(W_f [h, x] + b_f)
            input=torch.sigmoid(x @ self.Wi.T + self.bi),  # i_t = sigma(W_i [h, x] + b_i)
            candidate=torch.tanh(x @ self.Wc.T + self.bc),  # C~_t = tanh(W_c [h, x] + b_c)
            output=torch.sigmoid(x @ self.Wo.T + self.bo),  # o_t = sigma(W_o [h, x] + b_o)
        )

    @staticmethod
    def move(gates: Gates, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state (h_t, C_t) that the gates make of C_{t-1}."""
        c = gates.forget * cell + gates.input * gates.candidate  # C_t = f_t C_{t-1} + i_t C~_t
        return gates.output * torch.tanh(c), c  # h_t = o_t tanh(C_t)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one step; the features are h_t."""
        state = self.move(self.gates(inputs, state), state[1])
        return state[0], state

    def trace(self, inputs: Tensor, state: State) -> Gates:
        """Return the gates at every step of inputs (B, T, m)."""
        steps = []
        for x in inputs.unbind(1):
            steps.append(self.gates(x, state))
            state = self.move(steps[-1], state[1])
        return Gates(*(torch.stack(part, 1) for part in zip(*steps, strict=True)))


class MinimalGatedUnit(Cell):
    """Zhou's minimal gated unit (2016): the gate that forgets is the one that lets in.

    Parameters
    ----------
    input_size, hidden_size : int
        m and n: twice the weights of an Elman layer, 2 (n (m + n) + n).

    Examples
    --------
    >>> network = MinimalGatedUnit(2, 3)
    >>> sum(p.numel() for p in network.parameters())
    36
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.width = hidden_size
        self.Wf, self.W = (uniform(hidden_size, input_size) for _ in range(2))
        self.Uf, self.U = (uniform(hidden_size, hidden_size) for _ in range(2))
        self.bf, self.b = (nn.Parameter(torch.zeros(hidden_size)) for _ in range(2))

    def recurrent_weights(self) -> Iterable[Tensor]:
        """Return U_f and U."""
        return self.Uf, self.U

    def gate_biases(self) -> Iterable[tuple[list[Tensor], list[Tensor]]]:
        """Return b_f, of the only gate."""
        return [([self.bf], [])]

    def initial_state(self, batch_size: int) -> Tensor:
        """Return h_0 = 0, (B, n)."""
        return self.b.new_zeros(batch_size, self.width)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one step; the state is h_t."""
        # f_t = sigma(W_f x_t + U_f h_{t-1} + b_f)
        f = torch.sigmoid(inputs @ self.Wf.T + state @ self.Uf.T + self.bf)
        # h~_t = tanh(W x_t + U (f_t h_{t-1}) + b)
        candidate = torch.tanh(inputs @ self.W.T + (f * state) @ self.U.T + self.b)
        h = (1 - f) * state + f * candidate  # h_t = (1 - f_t) h_{t-1} + f_t h~_t
        return h, h


class Output(nn.Module):
    """The output layer o_t = g2(V s_t + b_y), apart from the state's activation.

    With g2 = tanh, as it is sometimes printed, no forecast passes 1; regression wants identity.
    """

    def __init__(self, width: int, output_size: int, *, activation: str = "identity") -> None:
        super().__init__()
        self.g = ACTIVATIONS[activation]
        self.V = uniform(output_size, width)
        self.b = nn.Parameter(torch.zeros(output_size))

    def forward(self, features: Tensor) -> Tensor:
        """Return o_t for features (..., n)."""
        return self.g(features @ self.V.T + self.b)


def parts_of(layer: nn.RNNBase, depth: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return copies of U, W and b of a layer of torch, the gates stacked along the first axis."""
    names = ["weight_ih", "weight_hh"] + ["bias_ih", "bias_hh"] * layer.bias
    U, W, *biases = (getattr(layer, f"{name}_l{depth}").detach().clone() for name in names)
    return U, W, sum(biases, start=W.new_zeros(len(W)))
