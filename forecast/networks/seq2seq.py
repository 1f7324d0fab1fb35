"""Encoder and decoder: one network reads the past, another writes the future.

Sutskever, Vinyals and Le, 2014, "Sequence to sequence learning with neural networks"; Cho et al.,
2014, "Learning phrase representations using RNN encoder-decoder". With attention: Bahdanau, Cho and
Bengio, 2015, "Neural machine translation by jointly learning to align and translate".
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from forecast.networks.base import Cell, Network, State
from forecast.networks.recurrent import Recurrent


class Seq2Seq(Network):
    """An encoder reads what was observed, and hands its last state to a decoder.

        h_t = f(h_{t-1}, x_t)   up to the origin T,
        s_0 = h_T,   s_i = g(s_{i-1}, y_i)   over what has been written since.

    Two networks of one kind: f and g have weights of their own. The first block is read from h_T,
    later ones from the decoder's states.

    Parameters
    ----------
    input_size : int
        F, numbers per step, of observed values as of written ones.
    hidden_size : int
        D, units per layer.
    **options
        Those of `Recurrent`: cell, num_layers, dropout, residual.

    Examples
    --------
    >>> network = Seq2Seq(3, 8)
    >>> features, state = network.absorb(torch.zeros(4, 5, 3), network.initial_state(4))
    >>> writer, feature, state = network.begin(features[:, -1], state)
    >>> writer is network.decoder, feature.shape
    (True, torch.Size([4, 8]))
    """

    hands_over = True
    decoder: Network

    def __init__(self, input_size: int, hidden_size: int, **options: Any) -> None:
        super().__init__()
        self.width = hidden_size
        self.encoder = Recurrent(input_size, hidden_size, **options)
        self.decoder = self._decoder(input_size, **options)

    def _decoder(self, input_size: int, **options: Any) -> Network:
        return Recurrent(input_size, self.width, **options)

    def initial_state(self, batch_size: int) -> State:
        """Return the encoder's state before any input."""
        return self.encoder.initial_state(batch_size)

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read what was observed with the encoder."""
        return self.encoder.absorb(inputs, state, lengths)

    def begin(self, features: Tensor, state: State) -> tuple[Network, Tensor, State]:
        """Hand over to the decoder, which goes on from the encoder's last state."""
        return self.decoder, features, state


class AttentiveSeq2Seq(Seq2Seq):
    """An encoder and a decoder that looks back at each of the encoder's last L features.

    One last state is a bottleneck. The features are a memory instead, from which each step of the
    decoder takes what it needs. They are a part of the state, so an update has a constant cost.

    Parameters
    ----------
    input_size, hidden_size, **options
        As in `Seq2Seq`.
    memory : int
        L, steps of the encoder that can be looked at.

    Examples
    --------
    >>> network = AttentiveSeq2Seq(3, 8, memory=7)
    >>> features, state = network.absorb(torch.zeros(4, 5, 3), network.initial_state(4))
    >>> _, seen, there = state
    >>> seen.shape, there[0].tolist()  # two of the slots hold nothing yet
    (torch.Size([4, 7, 8]), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """

    decoder: AttentiveDecoder

    def __init__(
        self, input_size: int, hidden_size: int, *, memory: int = 64, **options: Any
    ) -> None:
        super().__init__(input_size, hidden_size, **options)
        self.memory = memory

    def _decoder(self, input_size: int, **options: Any) -> Network:
        return AttentiveDecoder(input_size, self.width, **options)

    def initial_state(self, batch_size: int) -> State:
        """Return the encoder's state, L empty slots (B, L, D), and that they are empty (B, L)."""
        slots = next(self.parameters()).new_zeros(batch_size, self.memory, self.width)
        return super().initial_state(batch_size), slots, slots[..., 0]

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read what was observed with the encoder, and keep its last L features."""
        own, seen, there = state
        features, own = self.encoder.absorb(inputs, own, lengths)
        B, T = features.shape[:2]
        ends = torch.full((B,), T) if lengths is None else lengths
        newest = ends.to(seen.device)[:, None] + torch.arange(self.memory, device=seen.device)
        seen = torch.cat([seen, features], 1).take_along_dim(newest[..., None], 1)
        there = torch.cat([there, there.new_ones(B, T)], 1).take_along_dim(newest, 1)
        return features, (own, seen, there)

    def begin(self, features: Tensor, state: State) -> tuple[Network, Tensor, State]:
        """Hand over to the decoder, which has looked at the memory once."""
        own, seen, there = state
        return self.decoder, *self.decoder.start(features, own, seen, there)


class AttentiveDecoder(Cell):
    """A recurrent network that reads, beside each input, what it looked up in a memory.

        e_ij = v tanh(W s_{i-1} + U h_j),   a_i = softmax over j of e_ij,   c_i = sum_j a_ij h_j,
        s_i = g(s_{i-1}, [y_i, c_i]).

    (Bahdanau et al., equations 5 to 7.) The features are tanh(M [s_i, c_{i+1}]): what is written
    next is read from where the decoder stands and from what it looks up there.

    A state is (state of g, c_{i+1}, h, U h, which h there are).

    Parameters
    ----------
    input_size, hidden_size : int
        F and D.
    **options
        Those of `Recurrent`.
    """

    def __init__(self, input_size: int, hidden_size: int, **options: Any) -> None:
        super().__init__()
        self.width = hidden_size
        self.body = Recurrent(input_size + hidden_size, hidden_size, **options)
        self.query = nn.Linear(hidden_size, hidden_size)  # W
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)  # U
        self.score = nn.Linear(hidden_size, 1, bias=False)  # v
        self.mix = nn.Linear(2 * hidden_size, hidden_size)  # M

    def initial_state(self, batch_size: int) -> State:
        """Return the state of a decoder whose memory is one empty slot."""
        slot = self.score.weight.new_zeros(batch_size, 1, self.width)
        own = self.body.initial_state(batch_size)
        return own, slot[:, 0], slot, slot, slot[..., 0]

    def start(
        self, features: Tensor, own: State, seen: Tensor, there: Tensor
    ) -> tuple[Tensor, State]:
        """Return features (B, D) and state at the origin, from what an encoder gave there."""
        return self._look(features, own, seen, self.key(seen), there)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read what was written, (B, F), beside what was looked up before it was."""
        own, context, *memory = state
        both = torch.cat([inputs, context], -1)
        hidden, own = self.body.absorb(both[:, None], own)  # whose gradient is one call too
        return self._look(hidden[:, 0], own, *memory)

    def _look(
        self, hidden: Tensor, own: State, seen: Tensor, keys: Tensor, there: Tensor
    ) -> tuple[Tensor, State]:
        context = self.weights(hidden, keys, there)[:, None] @ seen  # c_i = sum_j a_ij h_j
        features = self.mix(torch.cat([hidden, context[:, 0]], -1)).tanh()
        return features, (own, context[:, 0], seen, keys, there)

    def weights(self, hidden: Tensor, keys: Tensor, there: Tensor) -> Tensor:
        """Return the attention a_ij (B, L) of one step: it adds up to 1; empty slots have none."""
        scores = self.score((self.query(hidden)[:, None] + keys).tanh())[..., 0]  # e_ij
        # not minus infinity: where all slots are empty, the softmax would be 0 / 0
        scores = scores.masked_fill(there == 0, torch.finfo(scores.dtype).min)
        return scores.softmax(-1) * there
