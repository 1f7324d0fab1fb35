"""A network that reads symbols and says which may come next: embedding, recurrence, softmax.

Elman, 1990, "Finding structure in time"; Mikolov et al., 2010, "Recurrent neural network based
language model".
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from forecast.networks.base import Network, State, read_on


class Live(NamedTuple):
    """What n sequences have left behind: the features of their last symbols (n, D), the state."""

    features: Tensor
    state: State


class SymbolNetwork(nn.Module):
    """Turn the numbers of symbols into the log-probabilities of the next ones.

        h_t = cell(U onehot(w_t), h_{t-1}),   p(w_{t+1} = j | w_1 ... w_t) = softmax(V h_t + c)_j.

    U onehot(w) is the column of U that belongs to w, so it is looked up and never multiplied.

    Parameters
    ----------
    n_symbols : int
        m, the size of the vocabulary.
    embedding_size : int
        F, numbers per symbol: U has the shape (F, m).
    network : Network
        Reads F numbers per step.

    Examples
    --------
    >>> from forecast.networks.recurrent import Recurrent
    >>> _ = torch.manual_seed(0)
    >>> model = SymbolNetwork(5, 3, Recurrent(3, 4, cell="tanh"))
    >>> live = model.begin(torch.zeros(2, dtype=torch.long))
    >>> total = model.log_probabilities(live.features).exp().sum(-1)
    >>> torch.allclose(total, torch.ones(2))
    True
    """

    possible: Tensor

    def __init__(self, n_symbols: int, embedding_size: int, network: Network) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_symbols, embedding_size)
        self.network = network
        self.output = nn.Linear(network.width, n_symbols)
        self.register_buffer("possible", torch.ones(n_symbols, dtype=torch.bool))

    def begin(self, first: Tensor) -> Live:
        """Return what n sequences leave behind that have had one symbol, (n,)."""
        state = self.network.initial_state(len(first))
        return Live(*self.network.advance(self.embedding(first), state))

    def advance(self, symbols: Tensor, live: Live) -> Live:
        """Read one more symbol of every sequence, (n,)."""
        return Live(*self.network.advance(self.embedding(symbols), live.state))

    def absorb(
        self, symbols: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read symbols (B, T), padded on the right; see `Network.absorb`."""
        inputs = self.embedding(symbols)
        if lengths is None:
            return read_on(self.network, inputs, state)
        return self.network.absorb(inputs, state, lengths)

    def log_probabilities(self, features: Tensor) -> Tensor:
        """Return log softmax(V h + c), (..., m); impossible symbols have minus infinity.

        log softmax(z)_j = z_j - log sum_k exp z_k (Goodfellow, Bengio and Courville, 2016,
        equation 6.30), with the largest z taken off first (6.33), so that nothing overflows.
        """
        logits = self.output(features)
        return logits.masked_fill(~self.possible, -torch.inf).log_softmax(-1)

    def losses(self, features: Tensor, targets: Tensor) -> Tensor:
        """Return -log p(target) of each symbol (...), in nats; their mean is the cross-entropy.

        Targets below zero are padding, or symbols that are missing: 0.
        """
        log_probabilities = self.log_probabilities(features).flatten(0, -2)
        losses = nn.functional.nll_loss(
            log_probabilities, targets.flatten(), ignore_index=-1, reduction="none"
        )
        return losses.view_as(targets)

    @torch.no_grad()
    def let_unknown_be_average(self, counts: Tensor, unknown: int) -> None:
        """Give a symbol that was never read the mean embedding of those that were, (m,) times."""
        weights = counts.to(self.embedding.weight) / counts.sum()
        self.embedding.weight[unknown] = weights @ self.embedding.weight
