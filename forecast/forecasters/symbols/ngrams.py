"""The Markov assumption for symbols: the next one depends on the last `order` ones only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from forecast._checks import positive_integer
from forecast.data.vocabulary import END, MISSING, OWN, START, as_inputs
from forecast.forecasters.history import shaped
from forecast.forecasters.symbols.base import BaseSymbolForecaster
from forecast.forecasters.symbols.parameters import SymbolCommon

_KEPT = 10_000_000  # probabilities that are kept for contexts that come again


class NGrams:
    """Count which symbol follows which context, and make probabilities of the counts.

    Contexts of `order` symbols are backed by those of one symbol less, and so on down to all
    symbols alike, as Witten and Bell, 1991, do it (method C; interpolated as in Chen and Goodman,
    1998, section 2.4):

        p(w | c) = (count(c w) + kinds(c) p(w | c')) / (count(c) + kinds(c)),

    where c' is c without its first symbol and kinds(c) says how many different symbols followed c.

    Parameters
    ----------
    grams : numpy.ndarray (K, order + 1)
        Contexts, each with what followed, all different.
    counts : numpy.ndarray (K,)
        How often each occurred.
    possible : numpy.ndarray (m,)
        Which symbols can come at all.

    Examples
    --------
    After "a" came "b" twice and "a" once; nothing else is possible:

    >>> possible = np.array([False, False, False, True, True])
    >>> ngrams = NGrams(np.array([[3, 4], [3, 3], [0, 3]]), np.array([2, 1, 1]), possible)
    >>> ngrams.probabilities((3,)).round(2)  # (1 + 2 / 2) / 5 and (2 + 2 / 2) / 5
    array([0. , 0. , 0. , 0.4, 0.6])
    """

    def __init__(self, grams: np.ndarray, counts: np.ndarray, possible: np.ndarray) -> None:
        self.grams, self.counts, self.possible = grams, counts, possible
        self.order = grams.shape[1] - 1
        self.followers: dict[tuple[int, ...], dict[int, int]] = {}
        for gram, count in zip(grams.tolist(), counts.tolist(), strict=True):
            *context, symbol = gram
            for first in range(self.order + 1):
                after = self.followers.setdefault(tuple(context[first:]), {})
                after[symbol] = after.get(symbol, 0) + count
        self._known: dict[tuple[int, ...], np.ndarray] = {}

    @classmethod
    def count(cls, sequences: Sequence[np.ndarray], order: int, possible: np.ndarray) -> NGrams:
        """Count the grams of sequences; a missing symbol counts as unknown, and is no follower."""
        rows = np.concatenate([windows(np.full(order, START), one) for one in sequences])
        followed = np.concatenate(sequences) != MISSING
        grams, counts = np.unique(rows[followed], axis=0, return_counts=True)
        return cls(grams, counts, possible)

    def probabilities(self, context: tuple[int, ...]) -> np.ndarray:
        """Return how probable each symbol is after a context, (m,)."""
        if context in self._known:
            return self._known[context]
        lower = self.probabilities(context[1:]) if context else self.possible / self.possible.sum()
        after = self.followers.get(context)
        if after is None:
            return lower
        kinds, total = len(after), sum(after.values())
        mixed = kinds * lower
        mixed[list(after)] += list(after.values())
        if len(self._known) * len(mixed) > _KEPT:
            self._known.clear()
        self._known[context] = mixed / (total + kinds)
        return self._known[context]


def windows(before: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return each symbol behind the ones that came before it, (T, order + 1).

    Examples
    --------
    >>> windows(np.array([0, 0]), np.array([3, -1, 4])).tolist()
    [[0, 0, 3], [0, 3, 2], [3, 2, 4]]
    """
    if not len(symbols):
        return np.empty((0, len(before) + 1), dtype=np.int64)
    read = np.concatenate((before, as_inputs(symbols)))
    return sliding_window_view(read, len(before) + 1)


class NGramForecaster(BaseSymbolForecaster):
    """Count what followed the last `order` symbols: the Markov chain beside `SymbolForecaster`.

    The counts are smoothed as `NGrams` says, so that a symbol that never followed a context has a
    probability too, and a symbol that was never seen at all.

    Parameters
    ----------
    order
        Symbols that the next one depends on; 0 counts the symbols alone.
    horizon, end, min_count, freq, id_col, time_col, target_col
        As in `SymbolForecaster`.

    Attributes
    ----------
    vocabulary_
        The symbols and their numbers.
    ngrams_
        What was counted.

    Examples
    --------
    >>> from forecast import load_dataset
    >>> model = NGramForecaster(order=1).fit(load_dataset("shop_clicks")[:-6])
    >>> model.predict_proba().round(2)[["leave", "pay", "view"]]
          leave   pay  view
    5995   0.16  0.56  0.27
    """

    def __init__(self, *, order: int = 2, **common: Unpack[SymbolCommon]) -> None:
        super().__init__(**common)
        self.order = order

    def _fit(self, sequences: Sequence[np.ndarray]) -> None:
        order = positive_integer("order", self.order, minimum=0)
        possible = np.arange(len(self.vocabulary_)) != START
        possible[END] = self.end is not None
        self.ngrams_ = NGrams.count(sequences, order, possible)

    def _begin(self, count: int) -> np.ndarray:
        return np.full((count, self.ngrams_.order), START)

    def _advance(self, symbols: np.ndarray, live: np.ndarray) -> np.ndarray:
        return np.concatenate((live, symbols[:, None]), axis=1)[:, 1:]

    def _log_probabilities(self, live: np.ndarray) -> np.ndarray:
        rows = [self.ngrams_.probabilities(tuple(context)) for context in live.tolist()]
        with np.errstate(divide="ignore"):
            return np.log(np.stack(rows))

    def _read(
        self, sequences: Sequence[np.ndarray], live: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray]:
        pairs = list(zip(live, sequences, strict=True))
        after = [np.concatenate((row, as_inputs(one)))[len(one) :] for row, one in pairs]
        return [self._score(row, one) for row, one in pairs], np.stack(after)

    def _score(self, before: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        rows = windows(before, symbols).tolist()
        chances = [self.ngrams_.probabilities(tuple(context))[next] for *context, next in rows]
        return np.where(symbols == MISSING, np.nan, np.log(chances))

    def _tile(self, live: np.ndarray, count: int) -> np.ndarray:
        return np.repeat(live, count, axis=0)

    def _possible(self) -> np.ndarray:
        return self.ngrams_.possible

    def _state(self) -> dict[str, np.ndarray]:
        ngrams = self.ngrams_
        arrays = {"grams": ngrams.grams, "counts": ngrams.counts, "possible": ngrams.possible}
        return arrays | {"live": self.live_}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        order, m = positive_integer("order", self.order, minimum=0), len(self.vocabulary_)
        counts, possible = arrays["counts"], shaped(arrays, "possible", m)
        grams = shaped(arrays, "grams", len(counts), order + 1)
        self.live_ = shaped(arrays, "live", len(self.ended_), order)
        kinds = {part.dtype for part in (grams, counts, self.live_)}
        if kinds != {np.dtype(np.int64)} or possible.dtype != np.bool_ or not (counts > 0).all():
            raise ValueError("the counts are none")
        if not all(((part >= 0) & (part < m)).all() for part in (grams, self.live_)):
            raise ValueError("there are no such symbols")
        if not (possible[OWN:].any() and possible[grams[:, -1]].all()):
            raise ValueError("symbols were counted that are not possible")
        self.ngrams_ = NGrams(grams, counts, possible)
