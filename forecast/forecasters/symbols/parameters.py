"""The parameters of every forecaster of symbols."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, TypedDict

from sklearn.base import BaseEstimator

from forecast.forecasters.parameters import SharedSignature


class SymbolCommon(TypedDict, total=False):
    """The parameters of every forecaster of symbols, for the signature of a subclass."""

    horizon: int | None
    end: Hashable
    min_count: int
    freq: Any
    id_col: str | Sequence[str]
    time_col: str
    target_col: str


class SymbolParameters(SharedSignature, BaseEstimator):
    """The constructor of every forecaster of symbols: it only stores.

    Parameters
    ----------
    horizon
        How many symbols `predict` and `sample` write at most when not told otherwise. None: 8; if
        there is an `end`, twice as many as the longest sequence has.
    end
        The symbol that ends a sequence: nothing follows it. None: sequences go on.
    min_count
        How often a symbol must occur to be known. With 2, those that occur once are learned as the
        unknown symbol, which then stands for all that `fit` never saw.
    freq, id_col, time_col, target_col
        As in every forecaster.
    """

    def __init__(
        self,
        *,
        horizon: int | None = None,
        end: Hashable = None,
        min_count: int = 1,
        freq: Any = None,
        id_col: str | Sequence[str] = "unique_id",
        time_col: str = "ds",
        target_col: str = "y",
    ) -> None:
        self.horizon = horizon
        self.end = end
        self.min_count = min_count
        self.freq = freq
        self.id_col = id_col
        self.time_col = time_col
        self.target_col = target_col
