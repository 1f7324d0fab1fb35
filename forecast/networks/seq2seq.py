"""Encoder and decoder: one network reads the past, another writes the future.

Sutskever, Vinyals and Le, 2014, "Sequence to sequence learning with neural networks"; Cho et al.,
2014, "Learning phrase representations using RNN encoder-decoder". With attention: Bahdanau, Cho and
Bengio, 2015, "Neural machine translation by jointly learning to align and translate".
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from forecast.networks.base import Cell, Network, State
from forecast.networks.conditioned import Conditioned
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
    encoder, decoder : callable
        Make the two, from the sizes and the options. An encoder may be told of static features, as
        a `Described` is; one that is told at every step wants a decoder that is, too: a
        `Conditioned`.
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

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        encoder: Callable[..., Network] = Recurrent,
        decoder: Callable[..., Network] = Recurrent,
        **options: Any,
    ) -> None:
        super().__init__()
        self.width = hidden_size
        self.encoder = encoder(input_size, hidden_size, **options)
        self.decoder = decoder(input_size, hidden_size, **options)

    def initial_state(self, batch_size: int) -> State:
        """Return the encoder's state before any input."""
        return self.encoder.initial_state(batch_size)

    def state_of(self, static: Tensor) -> State:
        """Return the encoder's state before any input of series with static features (B, A)."""
        return self.encoder.state_of(static)

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read observed values with the encoder."""
        return self.encoder.absorb(inputs, state, lengths)

    def begin(self, features: Tensor, state: State) -> tuple[Network, Tensor, State]:
        """Hand over to the decoder, which goes on from the encoder's last state."""
        return self.decoder, features, state


class RememberingSeq2Seq(Seq2Seq):
    """An encoder that keeps its last L features beside its state for a decoder (abstract).

    They are a part of the state, so an update has a constant cost.

    Parameters
    ----------
    input_size, hidden_size, **options
        As in `Seq2Seq`.
    attention_length : int
        L, how many of the encoder's newest features are kept.

    Examples
    --------
    >>> network = AttentiveSeq2Seq(3, 8, attention_length=7)
    >>> features, state = network.absorb(torch.zeros(4, 5, 3), network.initial_state(4))
    >>> _, encoded, mask = state
    >>> encoded.shape, mask[0].tolist()  # two of the slots hold nothing yet
    (torch.Size([4, 7, 8]), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, attention_length: int = 64, **options: Any
    ) -> None:
        super().__init__(input_size, hidden_size, **options)
        self.attention_length = attention_length

    def initial_state(self, batch_size: int) -> State:
        """Return the encoder's state, L empty slots (B, L, D), and their mask (B, L): zeros."""
        return super().initial_state(batch_size), *self._empty(batch_size)

    def state_of(self, static: Tensor) -> State:
        """Return what `initial_state` does, of series with static features (B, A)."""
        return super().state_of(static), *self._empty(len(static))

    def _empty(self, batch_size: int) -> tuple[Tensor, Tensor]:
        weights = next(self.parameters())
        slots = weights.new_zeros(batch_size, self.attention_length, self.width)
        return slots, slots[..., 0]

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read observed values with the encoder, and keep its last L features."""
        own, encoded, mask = state
        features, own = self.encoder.absorb(inputs, own, lengths)
        B, T = features.shape[:2]
        encoded = torch.cat([encoded, features], 1)
        mask = torch.cat([mask, mask.new_ones(B, T)], 1)
        if lengths is None:
            return features, (own, encoded[:, T:], mask[:, T:])
        slots = torch.arange(self.attention_length, device=mask.device)
        newest = lengths.to(mask.device)[:, None] + slots  # (B, L), counted from the oldest slot
        newest_encoded = encoded.take_along_dim(newest[..., None], 1)
        return features, (own, newest_encoded, mask.take_along_dim(newest, 1))

    @abc.abstractmethod
    def begin(self, features: Tensor, state: State) -> tuple[Network, Tensor, State]:
        """Hand over to the decoder, with what it needs of the features that were kept."""


class ContextSeq2Seq(RememberingSeq2Seq):
    """An encoder that hands over one vector c, the context, and nothing else.

        "last":         c = h_T;
        "transformed":  c = tanh(Q h_T + b);
        "all":          c = tanh(Q sum_j a_j h_j + b),   a = softmax over j of v tanh(U h_j).

    The decoder is a `Conditioned` network: c makes its initial state or is an input of each of its
    steps. The first block is read from what the decoder makes of c, so nothing passes it by.

    Parameters
    ----------
    input_size, hidden_size : int
        F and D.
    context : {"last", "transformed", "all"}
        What c is made of: the newest feature, or all of the newest L.
    context_to : {"initial_state", "every_step"}
        Where c goes.
    attention_length : int
        L, of "all".
    **options
        Those of `Recurrent`.

    Examples
    --------
    >>> network = ContextSeq2Seq(3, 8, context="all", context_to="every_step")
    >>> features, state = network.absorb(torch.zeros(4, 5, 3), network.initial_state(4))
    >>> writer, feature, (_, c) = network.begin(features[:, -1], state)
    >>> feature.shape, c.shape
    (torch.Size([4, 8]), torch.Size([4, 8]))
    """

    decoder: Conditioned

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        context: str = "transformed",
        context_to: str = "initial_state",
        attention_length: int = 64,
        **options: Any,
    ) -> None:
        kept = attention_length if context == "all" else 1
        decoder = partial(Conditioned, to=context_to)
        options |= {"attention_length": kept, "decoder": decoder}
        super().__init__(input_size, hidden_size, **options)
        self.context = CONTEXTS[context](hidden_size)

    def begin(self, features: Tensor, state: State) -> tuple[Network, Tensor, State]:
        """Hand over to the decoder, which is told the context."""
        _, encoded, mask = state
        return self.decoder, *self.decoder.start(self.context(encoded, mask))


class LastFeature(nn.Module):
    """c = h_T."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, encoded: Tensor, mask: Tensor) -> Tensor:
        """Return the context (B, D) from features (B, L, D) and their mask (B, L)."""
        return encoded[:, -1]


class TransformedFeature(nn.Module):
    """c = tanh(Q h_T + b)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transform = nn.Linear(width, width)  # Q, b

    def forward(self, encoded: Tensor, mask: Tensor) -> Tensor:
        """Return the context (B, D) from features (B, L, D) and their mask (B, L)."""
        return self.transform(encoded[:, -1]).tanh()


class PooledFeatures(nn.Module):
    """c = tanh(Q sum_j a_j h_j + b), a = softmax of v tanh(U h_j): attention without a question.

    Lin et al., 2017, "A structured self-attentive sentence embedding".
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.key = nn.Linear(width, width, bias=False)  # U
        self.score = nn.Linear(width, 1, bias=False)  # v
        self.transform = nn.Linear(width, width)  # Q, b

    def forward(self, encoded: Tensor, mask: Tensor) -> Tensor:
        """Return the context (B, D) from features (B, L, D) and their mask (B, L)."""
        weights = masked_softmax(self.score(self.key(encoded).tanh())[..., 0], mask)
        return self.transform((weights[:, None] @ encoded)[:, 0]).tanh()


CONTEXTS: dict[str, type[nn.Module]] = {
    "last": LastFeature,
    "transformed": TransformedFeature,
    "all": PooledFeatures,
}


class AttentiveSeq2Seq(RememberingSeq2Seq):
    """An encoder and a decoder that looks back at each of the encoder's last L features.

    One context is a bottleneck. Here each step of the decoder takes what it needs from the
    encoder's newest features.

    Its parameters are those of `RememberingSeq2Seq`.
    """

    decoder: AttentiveDecoder

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        decoder: Callable[..., Network] = Recurrent,
        **options: Any,
    ) -> None:
        attentive = partial(AttentiveDecoder, body=decoder)
        super().__init__(input_size, hidden_size, decoder=attentive, **options)

    def begin(self, features: Tensor, state: State) -> tuple[Network, Tensor, State]:
        """Hand over to the decoder, which has attended to the features once."""
        own, encoded, mask = state
        return self.decoder, *self.decoder.start(features, own, encoded, mask)


class Attending(NamedTuple):
    """The state of a decoder that attends."""

    own: State  # of g, s_i
    context: Tensor  # c_{i+1}, (B, D)
    weights: Tensor  # the attention a_{i+1} that made it, (B, L)
    encoded: Tensor  # h, (B, L, D)
    keys: Tensor  # U h, (B, L, D)
    mask: Tensor  # (B, L): 1 where there is an h, 0 where not


class AttentiveDecoder(Cell):
    """A recurrent network that attends to an encoder's features h_1 ... h_L at every step.

        e_ij = v tanh(W s_{i-1} + U h_j),   a_i = softmax over j of e_ij,   c_i = sum_j a_ij h_j,
        s_i = g(s_{i-1}, [y_i, c_i]).

    (Bahdanau et al., equations 5 to 7.) The features are tanh(M [s_i, c_{i+1}]): the context is
    computed from s_i as soon as it is known, because the block after step i is read from both. A
    state is an `Attending`.

    Parameters
    ----------
    input_size, hidden_size : int
        F and D.
    body : callable
        Makes g, from the sizes and the options.
    **options
        Those of `Recurrent`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        body: Callable[..., Network] = Recurrent,
        **options: Any,
    ) -> None:
        super().__init__()
        self.width = hidden_size
        self.body = body(input_size + hidden_size, hidden_size, **options)
        self.query = nn.Linear(hidden_size, hidden_size)  # W
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)  # U
        self.score = nn.Linear(hidden_size, 1, bias=False)  # v
        self.mix = nn.Linear(2 * hidden_size, hidden_size)  # M

    def initial_state(self, batch_size: int) -> State:
        """Return the state of a decoder that has one empty slot to attend to."""
        slot = self.score.weight.new_zeros(batch_size, 1, self.width)
        own = self.body.initial_state(batch_size)
        return Attending(own, slot[:, 0], slot[..., 0], slot, slot, slot[..., 0])

    def start(
        self, features: Tensor, own: State, encoded: Tensor, mask: Tensor
    ) -> tuple[Tensor, State]:
        """Return features (B, D) and state at the origin, from the encoder's there."""
        # the keys U h are computed once, for all steps of the decoder
        return self._attend(features, own, encoded, self.key(encoded), mask)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read a forecast value as inputs (B, F), with the context it was made from."""
        own, context, _, *attended = state
        both = torch.cat([inputs, context], -1)
        hidden, own = self.body.absorb(both[:, None], own)  # whose gradient is one call too
        return self._attend(hidden[:, 0], own, *attended)

    def _attend(
        self, hidden: Tensor, own: State, encoded: Tensor, keys: Tensor, mask: Tensor
    ) -> tuple[Tensor, State]:
        weights = self.weights(hidden, keys, mask)
        context = (weights[:, None] @ encoded)[:, 0]  # c_i = sum_j a_ij h_j
        features = self.mix(torch.cat([hidden, context], -1)).tanh()
        return features, Attending(own, context, weights, encoded, keys, mask)

    def weights(self, hidden: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Return the attention a_ij (B, L) of one step: it adds up to 1; empty slots have none."""
        scores = self.score((self.query(hidden)[:, None] + keys).tanh())[..., 0]  # e_ij
        return masked_softmax(scores, mask)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Return the softmax of scores (B, L) where the mask is 1, and 0 where it is 0.

    Examples
    --------
    >>> masked_softmax(torch.zeros(2, 3), torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])).tolist()
    [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]
    """
    # not minus infinity: where all slots are empty, the softmax would be 0 / 0
    scores = scores.masked_fill(mask == 0, torch.finfo(scores.dtype).min)
    return scores.softmax(-1) * mask
