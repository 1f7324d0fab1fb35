"""Series of symbols with known entropies: Markov of no finite order, and with a far agreement.

Floors are in nats per symbol: the least mean of -log p(symbol | past).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast._checks import positive_integer

# Reber's grammar: from each state, the symbols that may come and the states they lead to.
REBER = [
    {"B": 1},
    {"T": 2, "P": 3},
    {"S": 2, "X": 4},
    {"T": 3, "V": 5},
    {"X": 3, "S": 6},
    {"P": 4, "V": 6},
    {"E": 7},
]


def even_process(length: int = 1000, *, seed: int) -> pd.Series:
    """Make zeros and ones in which every run of ones between zeros has an even length.

    In state A a fair coin gives 0, which stays in A, or 1, which leads to B; from B a 1 leads
    back to A. Which state it is can depend on ones arbitrarily far back, so that no window is
    enough; one bit of state is. `attrs["floor"]` is 2/3 log 2.

    Examples
    --------
    >>> "".join(map(str, even_process(20, seed=3)))
    '11000111100011001100'
    """
    length = positive_integer("length", length)
    rng = np.random.default_rng(seed)
    coins, second = rng.integers(2, size=length), rng.random() < 1 / 3  # B has a third of the time
    symbols = np.empty(length, dtype=int)
    for t, coin in enumerate(coins):
        symbols[t] = 1 if second else coin
        second = bool(symbols[t]) and not second
    series = pd.Series(symbols, index=pd.RangeIndex(1, length + 1), name="even_process")
    series.attrs["floor"] = 2 / 3 * np.log(2)
    return series


def even_process_floor(context_length: int) -> float:
    """Return the least log loss, in nats, on the even process from a window of symbols.

    A window with a 0 in it tells the state: after an even number of ones it is A, where the next
    symbol is a coin, else B, where it is a 1. Only a window of ones leaves the state open.

    Examples
    --------
    >>> [round(even_process_floor(n), 4) for n in (0, 1, 3, 5, 9, 50)]
    [0.6365, 0.6059, 0.534, 0.4981, 0.4711, 0.4621]
    """
    in_a, in_b = 2 / 3, 1 / 3  # the probabilities of a window of ones that ends in A, in B
    loss, zero = 0.0, in_a / 2  # the probability of 0 followed by a run of ones that ends in A
    for run in range(context_length):
        if run % 2 == 0:
            loss += zero * np.log(2)
            zero /= 2
        in_a, in_b = in_b, in_a / 2
    one = (in_a / 2 + in_b) / (in_a + in_b)
    return float(loss - (in_a + in_b) * (one * np.log(one) + (1 - one) * np.log(1 - one)))


def embedded_reber(*, min_length: int = 0, seed: int) -> str:
    """Make a string of the embedded Reber grammar: B, T or P, a Reber string, the same T or P, E.

    The last but one symbol repeats the second one, which no short window has seen. Strings of
    fewer than `min_length` symbols are drawn again.

    Examples
    --------
    >>> embedded_reber(seed=0), embedded_reber(min_length=20, seed=0)
    ('BPBPVPXTTTTVVEPE', 'BTBTXXVPXTTTTTTTVVETE')

    References
    ----------
    Reber, 1967; Hochreiter and Schmidhuber, 1997, "Long short-term memory", experiment 1.
    """
    rng = np.random.default_rng(seed)
    while True:
        agreed, inner, state = rng.choice(["T", "P"]), "", 0
        while state < len(REBER):
            symbol = rng.choice(list(REBER[state]))
            inner, state = inner + symbol, REBER[state][symbol]
        if len(inner) + 4 >= min_length:
            return f"B{agreed}{inner}{agreed}E"


def reber_choices(string: str) -> list[str]:
    """Return the symbols that were possible at each place of an embedded Reber string.

    All are equally likely, so that the floor of a string is the mean of log len(choices).

    Examples
    --------
    >>> reber_choices("BPBTXSEPE")
    ['B', 'TP', 'B', 'TP', 'SX', 'XS', 'E', 'P', 'E']
    """
    inner, state = [], 0
    for symbol in string[2:-2]:
        inner.append("".join(REBER[state]))
        state = REBER[state][symbol]
    return ["B", "TP", *inner, string[1], "E"]
