"""Symbols and the numbers that stand for them: states, events, words, intervals of values."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast._checks import positive_integer, short

START, END, UNKNOWN = 0, 1, 2  # what every vocabulary has
OWN = 3  # the number of the first symbol of its own
MISSING = -1  # stands for no symbol: the step is there, what happened is not known


class Vocabulary:
    """Number symbols: 0 is the start of a sequence, 1 its end, 2 a symbol that is not known.

    Parameters
    ----------
    symbols
        The symbols that are known, each once: words, numbers, or the intervals that `pandas.cut`
        makes. They get the numbers from 3 on.
    end
        The symbol that ends a sequence. None: no symbol does.

    Attributes
    ----------
    symbols : pandas.Index
        The known symbols without the end.
    names : list
        What stands for each number, m of them: "<start>", the end or "<end>", "<unknown>", and
        the symbols.

    Examples
    --------
    >>> words = Vocabulary(["wake", "work", "sleep"], end="sleep")
    >>> words.encode(["work", "nap", "sleep"]).tolist()
    [4, 2, 1]
    >>> words.decode([3, 4, 1]).tolist()
    ['wake', 'work', 'sleep']

    An interval is known by the values in it:

    >>> bins = Vocabulary(pd.interval_range(0, 30, periods=3))
    >>> bins.encode([5.0, 20.0, 31.0]).tolist(), bins.decode([4]).tolist()
    ([3, 4, 2], [Interval(10, 20, closed='right')])
    """

    def __init__(self, symbols: Iterable[Any], *, end: Hashable = None) -> None:
        index = pd.Index(symbols, tupleize_cols=False)
        self.end = end
        self.symbols = index[~_equal(index, end)]
        ended = "<end>" if end is None else end
        self.names = ["<start>", ended, "<unknown>", *self.symbols.tolist()]
        if len(set(self.names)) < len(self.names):
            raise ValueError(
                "`symbols` must name each symbol once, and none '<start>', '<end>' or "
                f"'<unknown>', got {short(index.tolist())}."
            )

    @classmethod
    def of(cls, values: pd.Series, *, min_count: int = 1, end: Hashable = None) -> Self:
        """Return the vocabulary of all symbols that occur, in rising order where they have one.

        Parameters
        ----------
        values
            Symbols, one after the other; a missing value is none. Categories keep their order.
        min_count
            How often a symbol must occur to be known. Rarer ones are learned as the unknown symbol.
        end
            As in `Vocabulary`.

        Raises
        ------
        ValueError
            If no symbol is known.

        Examples
        --------
        >>> Vocabulary.of(pd.Series(list("banana")), min_count=2).symbols.tolist()
        ['a', 'n']
        """
        counts = values.value_counts(sort=False)
        if not len(counts):
            raise ValueError(
                "there must be at least one symbol to learn, got none: no sequence has a value."
            )
        known = counts.index[counts >= positive_integer("min_count", min_count)]
        known = known[~_equal(known, "<unknown>")]
        if _equal(known, end).all():
            raise ValueError(
                f"a symbol must occur at least min_count={min_count} times to be known, and not be "
                f"the end, got {short(counts.to_dict())}. Give more symbols, or lower `min_count`."
            )
        if isinstance(values.dtype, pd.CategoricalDtype):
            return cls(values.cat.categories[values.cat.categories.isin(known)], end=end)
        return cls(_in_order(known), end=end)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Vocabulary({short(self.symbols.tolist())}, end={self.end!r})"

    def encode(self, values: Any) -> np.ndarray:
        """Return the number of each symbol, int64; -1 where a value is missing.

        Examples
        --------
        >>> Vocabulary(["off", "on"]).encode(["on", "up", None]).tolist()
        [4, 2, -1]
        """
        values = pd.Series(values, dtype=None if len(values) else object)
        places = self.symbols.get_indexer(pd.Index(values, tupleize_cols=False)).astype(np.int64)
        numbers = np.where(places < 0, UNKNOWN, places + OWN)
        numbers[_equal(values, self.end)] = END
        return np.where(values.isna(), MISSING, numbers)

    def decode(self, numbers: Any) -> np.ndarray:
        """Return the symbol of each number, None where it is -1; numbers alone keep their type.

        Examples
        --------
        >>> Vocabulary(["off", "on"]).decode([4, 2, -1]).tolist()
        ['on', '<unknown>', None]
        """
        numbers = np.asarray(numbers, dtype=np.int64)
        if self.symbols.dtype.kind in "iufb" and (numbers >= OWN).all():
            return self.symbols.to_numpy()[numbers - OWN]
        return _objects([*self.names, None])[numbers]

    def one_hot(self, numbers: Any) -> np.ndarray:
        """Return a row of zeros with a single one for each number, (..., m); for -1 none.

        Examples
        --------
        >>> Vocabulary(["a", "b"]).one_hot([4, -1]).tolist()
        [[0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0]]
        """
        return np.equal.outer(np.asarray(numbers), np.arange(len(self))).astype(np.float64)


def _in_order(symbols: pd.Index) -> pd.Index:
    """Return symbols in rising order, or as they came where they have none."""
    try:
        return symbols.sort_values()
    except TypeError:  # words beside numbers
        return symbols


def _equal(symbols: pd.Index | pd.Series, end: Hashable) -> npt.NDArray[np.bool_]:
    """Tell which symbols are the end; a missing one is not, where pandas leaves it open."""
    if end is None:
        return np.zeros(len(symbols), dtype=bool)
    return pd.Series(symbols == end).to_numpy(bool, na_value=False)


def _objects(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def as_inputs(numbers: np.ndarray) -> np.ndarray:
    """Return the numbers that a model reads: what is missing reads as unknown.

    Examples
    --------
    >>> as_inputs(np.array([3, -1])).tolist()
    [3, 2]
    """
    return np.where(numbers == MISSING, UNKNOWN, numbers)
