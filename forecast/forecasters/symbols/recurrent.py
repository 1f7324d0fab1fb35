"""The latent side for symbols: a recurrent network with a softmax says what may come next."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import pandas as pd
import torch

from forecast._checks import one_of, positive_integer, training_parameters
from forecast.data.vocabulary import OWN, START, UNKNOWN, as_inputs
from forecast.engine import symbols
from forecast.engine.training import Settings, one_thread, seeded
from forecast.forecasters.arguments import optional
from forecast.forecasters.neural import persistence
from forecast.forecasters.neural.fitting import shown
from forecast.forecasters.symbols.base import BaseSymbolForecaster
from forecast.forecasters.symbols.parameters import SymbolCommon
from forecast.networks.base import leaves, tile
from forecast.networks.recurrent import CELLS, Recurrent
from forecast.networks.symbols import Live, SymbolNetwork

# From so many sequences on, whole ones are held out; of fewer, the end of each.
_MANY = 20
_WIDE = 256  # units of a layer from which a second thread is of use
_BATCH = 8, 64  # pieces


class SymbolForecaster(BaseSymbolForecaster):
    """Read symbols one by one with a recurrent network, and forecast which comes next.

    States of a machine, events, words, or values in intervals: each becomes a vector (an
    embedding), a recurrent network carries what has been to the next step, and a softmax turns its
    features into the probability of each symbol. Sequences begin with a start symbol and may end
    with an `end`; what was never seen is read as the unknown symbol. The equations are in
    `forecast.networks.symbols`.

    Parameters
    ----------
    cell
        The recurrence: a name of `networks.recurrent.CELLS`, such as "lstm", "gru" or "tanh".
    hidden_size, num_layers
        Units per layer, and layers.
    embedding_size
        Numbers per symbol. None: as many as symbols, at most `hidden_size`.
    dropout
        Share of units silenced between layers while training.
    context_length
        Symbols of a training piece at most: the length of backpropagation through time.
    learning_rate, weight_decay
        Of AdamW; the rate rises over a tenth of training and falls by a cosine.
    batch_size
        Pieces per step of the optimiser. None: as many as hold a quarter of all symbols, 8 to 64.
    max_epochs
        Epochs of 50 steps each.
    early_stopping
        Hold out a part, judge every epoch by its cross-entropy, stop when that does not improve for
        `n_iter_no_change` epochs, and keep the best weights. Held out are whole sequences drawn at
        random, or if there are fewer than 20, the end of each.
    validation_fraction
        Share of the sequences, or of each, that is held out.
    n_iter_no_change
        Patience in epochs.
    clip_norm
        The largest norm of the gradient, or None.
    random_state
        Same seed, same bits. None draws a fresh one.
    verbose
        1 shows a progress bar.
    horizon, end, min_count, freq, id_col, time_col, target_col
        As in every forecaster of symbols: see `SymbolParameters`.

    Attributes
    ----------
    vocabulary_
        The symbols and their numbers.
    model_
        Embedding, network and output.
    history_
        One row per epoch: losses in nats per symbol, learning rate, norm of the gradient, seconds.

    Examples
    --------
    What does one do yesterday? In 400 sentences "I yesterday" is followed by "went to school late",
    "ran", "ate" or "slept", with shares of .45, .25, .15 and .15:

    >>> late = "我 昨天 上学 迟到 了 e".split()
    >>> verbs = {"跑步": 100, "吃饭": 60, "睡觉": 60}
    >>> others = [f"我 昨天 {verb} 了 e".split() for verb, n in verbs.items() for _ in range(n)]
    >>> model = SymbolForecaster(
    ...     end="e", cell="tanh", max_epochs=6, early_stopping=False, random_state=0
    ... ).fit([late] * 180 + others)
    >>> begun = model.apply([["我", "昨天"]])
    >>> chances = begun.predict_proba()
    >>> bool((chances[["上学", "跑步", "吃饭"]] - [0.45, 0.25, 0.15]).abs().max(axis=None) < 0.02)
    True
    >>> begun.predict()  # symbol by symbol, until the end
    [['上学', '迟到', '了', 'e']]
    """

    def __init__(
        self,
        *,
        cell: str = "lstm",
        hidden_size: int = 32,
        num_layers: int = 1,
        embedding_size: int | None = None,
        dropout: float = 0.0,
        context_length: int = 100,
        learning_rate: float = 1e-2,
        weight_decay: float = 1e-2,
        batch_size: int | None = None,
        max_epochs: int = 60,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        clip_norm: float | None = 1.0,
        random_state: int | None = None,
        verbose: int = 0,
        **common: Unpack[SymbolCommon],
    ) -> None:
        super().__init__(**common)
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.embedding_size = embedding_size
        self.dropout = dropout
        self.context_length = context_length
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.clip_norm = clip_norm
        self.random_state = random_state
        self.verbose = verbose

    def _check_parameters(self) -> None:
        one_of("cell", self.cell, CELLS)
        training_parameters(self)
        for name in ("hidden_size", "num_layers", "context_length"):
            positive_integer(name, getattr(self, name))
        for name in ("batch_size", "embedding_size"):
            optional(name, getattr(self, name))
        if self.random_state is not None:
            positive_integer("random_state", self.random_state, minimum=0)
        if not isinstance(self.verbose, bool):
            positive_integer("verbose", self.verbose, minimum=0)

    def _build(self) -> SymbolNetwork:
        m = len(self.vocabulary_)
        embedding_size = self.embedding_size or min(m, self.hidden_size)
        options: dict[str, Any] = {"num_layers": self.num_layers, "dropout": self.dropout}
        network = Recurrent(embedding_size, self.hidden_size, cell=self.cell, **options)
        return SymbolNetwork(m, embedding_size, network)

    def _fit(self, sequences: Sequence[np.ndarray]) -> None:
        self._check_parameters()
        seed = self.random_state
        seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed
        fraction = self.validation_fraction if self.early_stopping else 0.0
        learned, held_out = split(sequences, fraction, seed)
        read = as_inputs(np.concatenate([one[:-1] for one in learned]))  # the last is a target only
        counts = np.bincount(read, minlength=len(self.vocabulary_))
        with seeded(seed), one_thread(self.hidden_size < _WIDE):
            self.model_ = self._build()
            self.model_.possible[:OWN] = torch.from_numpy(self._met(sequences))
            self.history_ = self._trained(learned, held_out, torch.Generator().manual_seed(seed))
        if counts.any() and not counts[UNKNOWN]:
            self.model_.let_unknown_be_average(torch.from_numpy(counts), UNKNOWN)

    def _met(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Return which of start, end and unknown symbol ever came: no other can come."""
        return np.isin(np.arange(OWN), np.concatenate(sequences)) & (np.arange(OWN) != START)

    def _trained(
        self,
        learned: Sequence[np.ndarray],
        held_out: Sequence[np.ndarray],
        generator: torch.Generator,
    ) -> pd.DataFrame:
        pieces = symbols.Pieces(learned, self.context_length)
        batch_size = self.batch_size or int(np.clip(len(pieces) // 4, *_BATCH))
        settings = Settings(
            learning_rate=self.learning_rate,
            max_epochs=self.max_epochs,
            n_iter_no_change=self.n_iter_no_change,
            weight_decay=self.weight_decay,
            clip_norm=self.clip_norm,
        )
        batches = pieces.batches(batch_size, generator)
        epochs = symbols.train(self.model_, batches, held_out, settings)
        if self.verbose:
            epochs = shown(epochs, type(self).__name__, self.max_epochs)
        return pd.DataFrame([dataclasses.asdict(epoch) for epoch in epochs])

    def _begin(self, count: int) -> Live:
        return symbols.begin(self.model_, count)

    def _advance(self, new: np.ndarray, live: Live) -> Live:
        return symbols.advance(self.model_, new, live)

    @torch.no_grad()
    def _log_probabilities(self, live: Live) -> np.ndarray:
        rows: np.ndarray = self.model_.log_probabilities(live.features).double().numpy()
        return rows

    def _read(self, sequences: Sequence[np.ndarray], live: Live) -> tuple[list[np.ndarray], Live]:
        return symbols.read(self.model_, sequences, live)

    def _tile(self, live: Live, count: int) -> Live:
        return Live(*tile(live, count))

    def _possible(self) -> np.ndarray:
        possible: np.ndarray = self.model_.possible.numpy()
        return possible

    def _state(self) -> dict[str, np.ndarray]:
        tensors = self.model_.state_dict() | persistence.named("live", self.live_)
        return persistence.saved(tensors, self.history_)

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self._check_parameters()
        if self.num_layers > len(arrays):
            raise ValueError(f"the weights of {self.num_layers} layers are missing")
        with torch.device("meta"):  # shapes alone: they take no memory
            like = self._build()
            begun = like.begin(torch.zeros(len(self.ended_), dtype=torch.long))
            weights = persistence.fitting(like.state_dict(), arrays)
        self.live_ = persistence.restored("live", begun, arrays)
        if not all(part.isfinite().all() for part in [*weights.values(), *leaves(self.live_)]):
            raise ValueError("weights must be finite")
        self.model_ = persistence.with_weights(self._build, weights)
        self.history_ = persistence.epochs(arrays)


def split(
    sequences: Sequence[np.ndarray], fraction: float, seed: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return what to learn from, and what to judge by: whole sequences, or the end of each.

    Examples
    --------
    >>> learned, held_out = split([np.arange(20)], 0.1, 0)
    >>> learned[0][-3:].tolist(), held_out[0].tolist()
    ([15, 16, 17], [18, 19])
    """
    if len(sequences) >= _MANY:
        order = np.random.default_rng(seed).permutation(len(sequences))
        count = min(round(fraction * len(order)), len(order) - 1)
        return [sequences[i] for i in order[count:]], [sequences[i] for i in order[:count]]
    cuts = [len(one) - int(fraction * len(one)) for one in sequences]
    pairs = list(zip(sequences, cuts, strict=True))
    later = [one[cut:] for one, cut in pairs if cut < len(one)]
    return [one[:cut] for one, cut in pairs], later
