"""What the author of a forecaster of symbols writes: numbers of symbols in, probabilities out."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np

from forecast.data.vocabulary import Vocabulary


class SymbolModel(abc.ABC):
    """Learn from sequences, carry what they left behind, and say what may come next.

    Sequences are numbers of symbols (T,), -1 where one is missing. What n sequences left behind,
    `live`, is the author's own; no method changes it in place.

    Attributes
    ----------
    vocabulary_
        The symbols and their numbers, m of them; there before `_fit`.
    ended_
        Which sequences have ended, (n,).
    live_
        What they left behind.
    """

    vocabulary_: Vocabulary
    ended_: np.ndarray
    live_: Any

    @abc.abstractmethod
    def _fit(self, sequences: Sequence[np.ndarray]) -> None:
        """Learn from sequences; none is empty."""

    @abc.abstractmethod
    def _begin(self, count: int) -> Any:
        """Return what so many sequences leave behind that have not begun."""

    @abc.abstractmethod
    def _advance(self, symbols: np.ndarray, live: Any) -> Any:
        """Read one symbol of every sequence, (n,)."""

    @abc.abstractmethod
    def _log_probabilities(self, live: Any) -> np.ndarray:
        """Return the log-probabilities of what comes next, (n, m)."""

    @abc.abstractmethod
    def _read(self, sequences: Sequence[np.ndarray], live: Any) -> tuple[list[np.ndarray], Any]:
        """Read on; return the log-probability that each symbol had before it came, (T,) each."""

    @abc.abstractmethod
    def _tile(self, live: Any, count: int) -> Any:
        """Repeat what every sequence left behind, copies side by side."""

    @abc.abstractmethod
    def _possible(self) -> np.ndarray:
        """Return which symbols can come at all, (m,)."""

    @abc.abstractmethod
    def _state(self) -> dict[str, np.ndarray]:
        """Return what was learned, and `live_`, as arrays by name."""

    @abc.abstractmethod
    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take up what `_state` returned; `vocabulary_` and `ended_` are there."""
