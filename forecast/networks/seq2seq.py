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
        """Read observed values with the encoder."""
        return self.encoder.absorb(inputs, state, lengths)

    def begin(self, features: Tensor, state: State) -> tuple[Network, Tensor, State]:
        """Hand over to the decoder, which goes on from the encoder's last state."""
        return self.decoder, features, state


class AttentiveSeq2Seq(Seq2Seq):
    """An encoder and a decoder that looks back at each of the encoder's last L features.

    One last state is a bottleneck. Here each step of the decoder takes what it needs from the
    encoder's newest features. They are a part of the state, so an update has a constant cost.

    Parameters
    ----------
    input_size, hidden_size, **options
        As in `Seq2Seq`.
    attention_length : int
        L, how many of the encoder's newest features are attended to.

    Examples
    --------
    >>> network = AttentiveSeq2Seq(3, 8, attention_length=7)
    >>> features, state = network.absorb(torch.zeros(4, 5, 3), network.initial_state(4))
    >>> _, encoded, mask = state
    >>> encoded.shape, mask[0].tolist()  # two of the slots hold nothing yet
    (torch.Size([4, 7, 8]), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """

    decoder: AttentiveDecoder

    def __init__(
        self, input_size: int, hidden_size: int, *, attention_length: int = 64, **options: Any
    ) -> None:
        super().__init__(input_size, hidden_size, **options)
        self.attention_length = attention_length

    def _decoder(self, input_size: int, **options: Any) -> Network:
        return AttentiveDecoder(input_size, self.width, **options)

    def initial_state(self, batch_size: int) -> State:
        """Return the encoder's state, L empty slots (B, L, D), and their mask (B, L): zeros."""
        weights = next(self.parameters())
        slots = weights.new_zeros(batch_size, self.attention_length, self.width)
        return super().initial_state(batch_size), slots, slots[..., 0]

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read observed values with the encoder, and keep its last L features."""
        own, encoded, mask = state
        features, own = self.encoder.absorb(inputs, own, lengths)
        B, T = features.shape[:2]
        ends = torch.full((B,), T) if lengths is None else lengths
        slots = torch.arange(self.attention_length, device=mask.device)
        newest = ends.to(mask.device)[:, None] + slots  # (B, L), counted from the oldest slot
        encoded = torch.cat([encoded, features], 1).take_along_dim(newest[..., None], 1)
        mask = torch.cat([mask, mask.new_ones(B, T)], 1).take_along_dim(newest, 1)
        return features, (own, encoded, mask)

    def begin(self, features: Tensor, state: State) -> tuple[Network, Tensor, State]:
        """Hand over to the decoder, which has attended to the features once."""
        own, encoded, mask = state
        return self.decoder, *self.decoder.start(features, own, encoded, mask)


class AttentiveDecoder(Cell):
    """A recurrent network that attends to an encoder's features h_1 ... h_L at every step.

        e_ij = v tanh(W s_{i-1} + U h_j),   a_i = softmax over j of e_ij,   c_i = sum_j a_ij h_j,
        s_i = g(s_{i-1}, [y_i, c_i]).

    (Bahdanau et al., equations 5 to 7.) The features are tanh(M [s_i, c_{i+1}]): the context is
    computed from s_i as soon as it is known, because the block after step i is read from both.

    A state is (state of g, c_{i+1}, h, U h, mask): 1 in the mask where there is an h, 0 where not.

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
        """Return the state of a decoder that has one empty slot to attend to."""
        slot = self.score.weight.new_zeros(batch_size, 1, self.width)
        own = self.body.initial_state(batch_size)
        return own, slot[:, 0], slot, slot, slot[..., 0]

    def start(
        self, features: Tensor, own: State, encoded: Tensor, mask: Tensor
    ) -> tuple[Tensor, State]:
        """Return features (B, D) and state at the origin, from the encoder's there."""
        # the keys U h are computed once, for all steps of the decoder
        return self._attend(features, own, encoded, self.key(encoded), mask)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read a forecast value as inputs (B, F), with the context it was made from."""
        own, context, *attended = state
        hidden, own = self.body.advance(torch.cat([inputs, context], -1), own)
        return self._attend(hidden, own, *attended)

    def _attend(
        self, hidden: Tensor, own: State, encoded: Tensor, keys: Tensor, mask: Tensor
    ) -> tuple[Tensor, State]:
        context = self.weights(hidden, keys, mask)[:, None] @ encoded  # c_i = sum_j a_ij h_j
        features = self.mix(torch.cat([hidden, context[:, 0]], -1)).tanh()
        return features, (own, context[:, 0], encoded, keys, mask)

    def weights(self, hidden: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Return the attention a_ij (B, L) of one step: it adds up to 1; empty slots have none."""
        scores = self.score((self.query(hidden)[:, None] + keys).tanh())[..., 0]  # e_ij
        # not minus infinity: where all slots are empty, the softmax would be 0 / 0
        scores = scores.masked_fill(mask == 0, torch.finfo(scores.dtype).min)
        return scores.softmax(-1) * mask
