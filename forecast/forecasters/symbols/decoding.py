"""Write symbols one after the other: greedily, or sampled by what a model says of the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from forecast.data.vocabulary import END, MISSING, UNKNOWN

# Picks a symbol for each row of log-probabilities (n, m): numbers (n,).
Choose = Callable[[np.ndarray], np.ndarray]
Advance = Callable[[np.ndarray, Any], Any]
LogProbabilities = Callable[[Any], np.ndarray]


def greedy(log_probabilities: np.ndarray) -> np.ndarray:
    """Return the most probable symbol of each row, (n, m) to (n,), but for the unknown one.

    Examples
    --------
    >>> greedy(np.log([[0.1, 0.1, 0.5, 0.1, 0.2]])).tolist()
    [4]
    """
    return writable(log_probabilities).argmax(-1)


def sampled(rng: np.random.Generator, temperature: float = 1.0, top_k: int | None = None) -> Choose:
    """Return a function that samples a symbol for each row of log-probabilities.

    Parameters
    ----------
    rng
        Draws one number per row and call, so that more steps begin like fewer.
    temperature
        Probabilities are raised to the power 1 / temperature and rescaled: below 1 the probable
        symbols become more so, above 1 less.
    top_k
        Draw among the k most probable symbols only.

    Examples
    --------
    >>> rows = np.log(np.tile([0, 0, 0.2, 0.2, 0.6], (10_000, 1)) + 1e-300)
    >>> float((sampled(np.random.default_rng(0))(rows) == 4).mean().round(2))
    0.75
    >>> float((sampled(np.random.default_rng(0), temperature=0.5)(rows) == 4).mean().round(2))
    0.9
    >>> float((sampled(np.random.default_rng(0), top_k=1)(rows) == 4).mean())
    1.0
    """

    def draw(log_probabilities: np.ndarray) -> np.ndarray:
        rows = writable(log_probabilities)
        if top_k is not None and top_k < rows.shape[-1]:
            least = np.partition(rows, -top_k, axis=-1)[:, -top_k, None]
            rows = np.where(rows < least, -np.inf, rows)
        odds = np.exp((rows - rows.max(-1, keepdims=True)) / temperature)
        sums = odds.cumsum(-1)
        return (rng.random((len(rows), 1)) * sums[:, -1:] < sums).argmax(-1)

    return draw


def writable(log_probabilities: np.ndarray) -> np.ndarray:
    """Return log-probabilities without the unknown symbol, not rescaled."""
    rows = log_probabilities.copy()
    rows[..., UNKNOWN] = -np.inf
    return rows


def rollout(
    live: Any,
    ended: np.ndarray,
    choose: Choose,
    advance: Advance,
    log_probabilities: LogProbabilities,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Write symbols after n sequences, and read each before the next; without an end.

    Parameters
    ----------
    live
        What the sequences have left behind.
    ended
        Which of them have ended, (n,): nothing follows these.
    choose, advance, log_probabilities
        How to pick a symbol, read it, and ask for the next.

    Yields
    ------
    tuple
        Of each step the numbers of the symbols (n,), -1 after the end; and the log-probabilities
        from which they were chosen, (n, m).
    """
    while True:
        rows = log_probabilities(live)
        chosen = np.where(ended, MISSING, choose(rows))
        yield chosen, rows
        ended = ended | (chosen == END)
        live = advance(chosen, live)
