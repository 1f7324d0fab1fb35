"""The manners that all forecasters of symbols share: those of `BaseForecaster`, without numbers.

A symbol has no size, so there is no median, no interval and no error: a forecast is the
probability of each symbol, and the score the logarithm of what came.
"""

from __future__ import annotations

import copy
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from forecast._checks import number_between, positive_integer, short
from forecast.data.frames import restore, restore_columns
from forecast.data.symbols import as_numbers, is_bare, symbols_in
from forecast.data.vocabulary import Vocabulary
from forecast.forecasters import arguments
from forecast.forecasters.encoding import unfitted
from forecast.forecasters.symbols.decoding import greedy, sampled
from forecast.forecasters.symbols.framed import FramedSymbols, without_covariates
from forecast.forecasters.symbols.persistence import restore_from, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class BaseSymbolForecaster(FramedSymbols):
    """Forecast the next symbols of one sequence or many; the parent of those that do.

    Its parameters are those of `SymbolParameters`.

    Attributes
    ----------
    vocabulary_
        The symbols and their numbers.
    panel_
        The history, as numbers of symbols; None if `fit` was given sequences without times.
    ended_
        Which sequences have ended, (n,).
    horizon_
        The value in use.
    live_
        What the sequences have left behind.

    Examples
    --------
    >>> from forecast import NGramForecaster
    >>> model = NGramForecaster().fit([list("abcab"), list("bca")])
    >>> model.predict(3), model.sample(3, n_samples=1, random_state=0)
    ([['c', 'a', 'b'], ['b', 'c', 'a']], [[['c', 'a', 'b']], [['b', 'a', 'b']]])
    >>> model.predict_proba(1).round(2).to_numpy().tolist()  # unknown, a, b, c
    [[0.01, 0.06, 0.06, 0.88], [0.01, 0.06, 0.89, 0.04]]
    >>> round(model.score([list("abc")]), 2), round(model.perplexity([list("abc")]), 2)
    (-0.34, 1.41)
    >>> model.apply([["b"]]).predict(2), model.update([["c"], ["b"]]).predict(1)
    ([['c', 'a']], [['a'], ['c']])
    """

    def fit(self, y: Any, X: None = None) -> Self:
        """Learn which symbols follow which.

        If anything fails, or is interrupted, the forecaster stays what it was before.

        Parameters
        ----------
        y
            Symbols: a list of sequences, each of its own length, such as `[["a", "b"], ["b"]]`; or
            with times, any kind of table that `BaseForecaster.fit` takes. Symbols are words,
            numbers, or the intervals that `pandas.cut` makes of values. A missing one is read as
            unknown.
        X
            Not used: symbols have no covariates.

        Returns
        -------
        The forecaster itself.
        """
        horizon = arguments.optional("horizon", self.horizon)
        without_covariates(X)
        learner = copy.copy(self)
        learner.__dict__ = {k: value for k, value in vars(self).items() if not k.endswith("_")}
        symbols = symbols_in(y, **self._named_columns())
        learner.vocabulary_ = Vocabulary.of(symbols, min_count=self.min_count, end=self.end)
        sequences = learner._histories(y, self.freq)
        longest = max(map(len, sequences))
        learner.horizon_ = horizon or (8 if self.end is None else 2 * longest)
        learner._fit([one for one in sequences if len(one)])
        learner._begin_with(sequences)
        self.__dict__ = learner.__dict__
        return self

    def predict(self, horizon: int | None = None, X: None = None) -> Any:
        """Write the most probable next symbol, read it, and so on (greedy decoding).

        Parameters
        ----------
        horizon
            Symbols at most; writing stops behind the end. None: `horizon_`.
        X
            Not used.

        Returns
        -------
        The kind of table that `fit` was given, missing after the end; or a list of lists.
        """
        steps = self._steps(horizon, X)
        written = self._written(steps, 1, greedy)[:, 0]  # (n, H)
        if self.panel_ is None:
            return [self._cut(row) for row in written]
        return restore(self.panel_, self.vocabulary_.decode(written))

    def predict_proba(
        self,
        horizon: int = 1,
        X: None = None,
        *,
        n_samples: int = 200,
        random_state: int | np.random.Generator | None = None,
    ) -> Any:
        """Forecast the probability of each symbol at each of the next steps.

        Those of the first step are the model's own; those of later ones are the mean over what is
        possible before them, which is sampled.

        Parameters
        ----------
        horizon
            Steps ahead.
        X
            Not used.
        n_samples
            Paths to later steps.
        random_state
            A seed or generator; None draws differently every time.

        Returns
        -------
        The kind of table that `fit` was given with a column per symbol; or a frame indexed by
        sequence and step. What a row lacks to 1 is the probability that the sequence has ended.
        """
        steps = self._steps(horizon, X)
        count = positive_integer("n_samples", n_samples)
        chances, possible = self._chances(steps, count, random_state)
        labels = [self.vocabulary_.names[number] for number in possible]
        if self.panel_ is None:
            both = [range(len(chances)), range(1, steps + 1)]
            index = pd.MultiIndex.from_product(both, names=["sequence", "step"])
            return pd.DataFrame(chances.reshape(-1, len(labels)), index, pd.Index(labels))
        return restore_columns(self.panel_, chances, self.panel_.layout.labels("", labels))

    def sample(
        self,
        horizon: int | None = None,
        X: None = None,
        *,
        n_samples: int = 100,
        temperature: float = 1.0,
        top_k: int | None = None,
        random_state: int | np.random.Generator | None = None,
    ) -> Any:
        """Draw whole futures, symbol by symbol, each up to the end or the horizon.

        Parameters
        ----------
        horizon, X
            As in `predict`.
        n_samples
            Number of futures per sequence.
        temperature
            Below 1 what is probable becomes more so, above 1 less.
        top_k
            Draw among the k most probable symbols only.
        random_state
            A seed or generator; None draws differently every time.

        Returns
        -------
        A table with a column per path, as of every forecaster; or per sequence a list of lists.
        """
        steps, count = self._steps(horizon, X), positive_integer("n_samples", n_samples)
        degree = number_between("temperature", temperature, 0, np.inf)
        draw = sampled(
            np.random.default_rng(random_state), degree, arguments.optional("top_k", top_k)
        )
        written = self._written(steps, count, draw)  # (n, S, H)
        if self.panel_ is None:
            return [[self._cut(row) for row in rows] for rows in written]
        symbols = self.vocabulary_.decode(written.transpose(0, 2, 1))
        return restore_columns(
            self.panel_, symbols, self.panel_.layout.labels("path", range(count))
        )

    def update(self, y: Any, X: None = None) -> Self:
        """Absorb the symbols that came after the history; what `fit` learned stays.

        Parameters
        ----------
        y
            New symbols of the same kind and the same sequences as in `fit`.
        X
            Not used.

        Returns
        -------
        The forecaster itself; unchanged if anything fails.
        """
        check_is_fitted(self)
        without_covariates(X)
        panel, new = self._arrived(y)
        live, ended = self._after(new, self.live_, self.ended_)
        self.panel_, self.live_, self.ended_ = panel, live, ended
        return self

    def apply(self, y: Any, X: None = None) -> Self:
        """Return a forecaster that has learned what this one has, and has another history.

        Parameters
        ----------
        y
            The other history, of any kind that `fit` takes; `[[]]` is a sequence before its first
            symbol.
        X
            Not used.

        Returns
        -------
        Another forecaster.
        """
        check_is_fitted(self)
        without_covariates(X)
        other = copy.copy(self)
        other._begin_with(other._histories(y, self.freq))
        return other

    def score(self, y: Any, X: None = None) -> float:
        """Return the mean log-probability of symbols, in nats; greater is better, 0 the best.

        Parameters
        ----------
        y
            With times, what came after the history. Without, whole sequences, from their start on.
        X
            Not used.

        Returns
        -------
        Minus the cross-entropy. Minus infinity if a symbol came that cannot: see `min_count`.

        Raises
        ------
        ValueError
            If there is no symbol to score.
        """
        check_is_fitted(self)
        without_covariates(X)
        if is_bare(y):
            sequences, live = self._numbered(y), self._begin(len(y))
        else:
            sequences, live = self._arrived(y)[1], self.live_
        mean = float(pd.Series(np.concatenate(self._read(sequences, live)[0])).mean())
        if np.isnan(mean):
            raise ValueError(f"`y` must hold a symbol to be scored, got {short(y)}.")
        return mean

    def perplexity(self, y: Any) -> float:
        """Return exp(-score): among so many equally probable symbols one would guess as well."""
        return float(np.exp(-self.score(y)))

    def plot(
        self,
        horizon: int | None = None,
        X: None = None,
        *,
        series: Any = None,
        random_state: int | np.random.Generator | None = 0,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the end of a history, the probabilities of the next symbols, the greedy ones marked.

        Parameters
        ----------
        horizon, X
            As in `predict`.
        series
            Which one, by its id; None: the first.
        random_state
            Of the probabilities beyond the first step.
        ax
            Axes to draw on; None makes a new figure.

        Returns
        -------
        The Axes.

        Raises
        ------
        TypeError
            If the history has no times.
        """
        from forecast.evaluation.symbols import plot_symbols

        steps, panel = self._steps(horizon, X), self.panel_
        if panel is None:
            raise TypeError(
                "only symbols with times can be drawn: sequences were given without. Give `fit` or "
                "`apply` a Series."
            )
        i = arguments.place_of(series, panel)
        chances, possible = self._chances(steps, 200, random_state)
        future = panel.future(steps)
        times = future.times[future.first[i] : future.first[i] + steps]
        decode, written = self.vocabulary_.decode, self._written(steps, 1, greedy)[i, 0]
        return plot_symbols(
            pd.Series(decode(as_numbers(panel.series(i))), panel.times(i), name=panel.ids[i]),
            pd.DataFrame(chances[i], times, pd.Index(decode(possible), tupleize_cols=False)),
            pd.Series(decode(written), times),
            ax=ax,
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted forecaster to one file, which `forecast.load` reads."""
        save(self, path)

    @classmethod
    def rebuild(cls, about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Return the forecaster of a file that `save` wrote; `forecast.load` calls it."""
        forecaster = unfitted(cls, about)
        restore_from(forecaster, about, arrays)
        return forecaster
