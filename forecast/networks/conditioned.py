"""Vector to sequence: a recurrent network that is told a vector beside what it reads.

The vector may be the context of an encoder or what is known of a series. Two ways are common: it
makes the initial state, as in Vinyals et al., 2015, "Show and tell: a neural image caption
generator", or it is an input of every step, as in Cho et al., 2014, "Learning phrase
representations using RNN encoder-decoder".
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from forecast.networks.base import Network, State, leaves
from forecast.networks.readout import embedded
from forecast.networks.recurrent import Recurrent

WAYS = ("initial_state", "every_step")


class Conditioned(Network):
    """A recurrent network that is told a vector c.

        "initial_state":  s_0 = tanh(V c + b),  s_i = g(s_{i-1}, x_i);
        "every_step":     s_0 = 0,              s_i = g(s_{i-1}, [x_i, c]).

    In the first way what is known of c must survive in the state, in the second it cannot be lost.

    Parameters
    ----------
    input_size, hidden_size : int
        F and D.
    vector_size : int, optional
        C, numbers in c; D if not given.
    to : {"initial_state", "every_step"}
        Where c goes.
    **options
        Those of `Recurrent`; a learned initial state is added to that of c.

    Examples
    --------
    >>> network = Conditioned(3, 8, vector_size=2, to="every_step")
    >>> feature, state = network.start(torch.zeros(4, 2))
    >>> features, _ = network.absorb(torch.zeros(4, 5, 3), state)
    >>> feature.shape, features.shape
    (torch.Size([4, 8]), torch.Size([4, 5, 8]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        vector_size: int | None = None,
        to: str = "initial_state",
        **options: Any,
    ) -> None:
        super().__init__()
        self.width, self.input_size, self.every_step = hidden_size, input_size, to == "every_step"
        self.vector_size = hidden_size if vector_size is None else vector_size
        beside = self.vector_size if self.every_step else 0
        self.body = Recurrent(input_size + beside, hidden_size, **options)
        if not self.every_step:
            self.opening = nn.Linear(self.vector_size, self.body.initial.numel())  # V, b

    def initial_state(self, batch_size: int) -> State:
        """Return the state of a vector of zeros."""
        return self.conditioned(self.body.initial.new_zeros(batch_size, self.vector_size))

    def conditioned(self, vector: Tensor) -> State:
        """Return the state before any input, from vectors (B, C)."""
        if self.every_step:
            return self.body.initial_state(len(vector)), vector
        learned = self.body.initial
        opened = self.opening(vector).tanh().unflatten(1, learned.shape)
        return self.body.arranged(learned + opened)

    def start(self, vector: Tensor) -> tuple[Tensor, State]:
        """Return features (B, D) and state before any input, from vectors (B, C).

        The features are the hidden state of the last layer: in the first way that of s_0, in the
        second that of s_1, after a start symbol of zeros.
        """
        state = self.conditioned(vector)
        if self.every_step:
            return self.advance(vector.new_zeros(len(vector), self.input_size), state)
        return leaves(state)[0][:, -1], state

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read inputs (B, T, F), with c beside each of them in the second way."""
        if not self.every_step:
            return self.body.absorb(inputs, state, lengths)
        own, vector = state
        both = torch.cat([inputs, self._beside(inputs, vector)], -1)
        features, own = self.body.absorb(both, own, lengths)
        return features, (own, vector)

    def _beside(self, inputs: Tensor, vector: Tensor) -> Tensor:
        return vector[:, None].expand(-1, inputs.shape[1], -1)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read the inputs of one step, (B, F)."""
        if not self.every_step:
            return self.body.advance(inputs, state)
        own, vector = state
        features, own = self.body.advance(torch.cat([inputs, vector], -1), own)
        return features, (own, vector)


class Described(Conditioned):
    """A recurrent network that is told the static features of a series.

        c = tanh(A r + sum_k E_k[code_k] + b),   r the real numbers, E_k embeddings of categories.

    Parameters
    ----------
    input_size, hidden_size : int
        F and D; c has D numbers.
    static_size : int
        Static features that are real numbers.
    categories : sequence of int
        Numbers of codes of the categories; code 0 is an unknown one.
    **options
        Those of `Conditioned`.

    Examples
    --------
    >>> network = Described(3, 8, static_size=1, categories=(4,)).eval()
    >>> h, c = network.state_of(torch.tensor([[0.5, 1.0], [0.5, 2.0]]))  # two categories
    >>> h.shape, bool((h[0] == h[1]).all())
    (torch.Size([2, 1, 8]), False)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        static_size: int = 0,
        categories: Sequence[int] = (),
        **options: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, **options)
        self.static_size = static_size
        if static_size:
            self.from_real = nn.Linear(static_size, hidden_size)
        self.from_category = nn.ModuleList(nn.Embedding(n, hidden_size) for n in categories)

    def state_of(self, static: Tensor) -> State:
        """Return the state before any input, from real numbers, then codes, (B, A).

        Where nothing is told (A = 0), it is that of a vector of zeros.
        """
        told = static.shape[-1] > 0
        return self.conditioned(self.vector(static)) if told else self.initial_state(len(static))

    def vector(self, static: Tensor) -> Tensor:
        """Return c (B, C), from real numbers, then codes, (B, A)."""
        real, codes = static.tensor_split([self.static_size], -1)
        told = embedded(self.from_category, codes, self.training)
        if self.static_size:
            told = told + self.from_real(real)
        return told.tanh()

    def recurrence(self, inputs: Tensor, static: Tensor) -> tuple[Recurrent, Tensor]:
        """Return the recurrent network alone, and all that it reads of series, (B, T, F or F + C).

        Its initial state is that of these series, on average.
        """
        vector = self.vector(static)
        if self.every_step:
            return self.body, torch.cat([inputs, self._beside(inputs, vector)], -1)
        body = copy.deepcopy(self.body)
        parts = [part.mean(0) for part in leaves(self.conditioned(vector))]
        body.initial.data.copy_(torch.stack(parts))
        return body, inputs
