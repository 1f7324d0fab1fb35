"""Tasks that ask for memory, made fresh for every batch: what must be kept, and for how long.

Each returns a `Task`: arrays whose targets are NaN where nothing is asked. With the right state
every task can be done without error; what is possible without memory is said with each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

PROFILE = np.array([0.12, 0.11, 0.12, 0.13, 0.17, 0.22, 0.13])  # of a week: what each day has


class Task(NamedTuple):
    """A batch: inputs (B, T, F) and targets (B, T, q), NaN where nothing is asked."""

    inputs: np.ndarray
    targets: np.ndarray


def adding(batch_size: int, length: int, rng: np.random.Generator) -> Task:
    """Make the adding problem: at the end, the sum of the two values that were marked.

    Inputs are values from U(0, 1) and a marker, once in each half. The mean, 1, is the best
    forecast without memory: a mean squared error of 1/6.

    Examples
    --------
    >>> task = adding(2, 6, np.random.default_rng(0))
    >>> values, markers = task.inputs[0].T
    >>> markers.tolist(), bool(values @ markers == task.targets[0, -1, 0])
    ([0.0, 1.0, 0.0, 0.0, 1.0, 0.0], True)

    References
    ----------
    Hochreiter and Schmidhuber, 1997, "Long short-term memory", experiment 4.
    """
    values, markers = rng.random((batch_size, length)), np.zeros((batch_size, length))
    rows, half = np.arange(batch_size), length // 2
    markers[rows, rng.integers(half, size=batch_size)] = 1
    markers[rows, rng.integers(half, length, size=batch_size)] = 1
    return Task(np.stack([values, markers], -1), _at_the_end((values * markers).sum(1), length))


def recall(batch_size: int, length: int, rng: np.random.Generator, *, within: int = 10) -> Task:
    """Make graded recall: at the end, the value that was marked among the first `within`.

    Inputs are values from U(-1, 1) and the marker. Without memory nothing beats 0, whose mean
    squared error is 1/3.

    Examples
    --------
    >>> task = recall(1, 20, np.random.default_rng(0))
    >>> values, markers = task.inputs[0].T
    >>> bool(markers[:10].sum() == 1), bool(values @ markers == task.targets[0, -1, 0])
    (True, True)
    """
    values, markers = rng.uniform(-1, 1, (batch_size, length)), np.zeros((batch_size, length))
    markers[np.arange(batch_size), rng.integers(within, size=batch_size)] = 1
    return Task(np.stack([values, markers], -1), _at_the_end((values * markers).sum(1), length))


def cue(batch_size: int, lag: int, rng: np.random.Generator, *, sigma: float = 0.5) -> Task:
    """Make the one-bit cue: +-1 at the first step, then noise; `lag` steps later, say which.

    Without memory the mean squared error is 1, the accuracy a half.

    Examples
    --------
    >>> task = cue(1, 3, np.random.default_rng(0))
    >>> task.inputs.shape, bool(task.inputs[0, 0, 0] == task.targets[0, 3, 0])
    ((1, 4, 1), True)
    """
    inputs = sigma * rng.standard_normal((batch_size, lag + 1))
    inputs[:, 0] = rng.choice([-1.0, 1.0], size=batch_size)
    return Task(inputs[..., None], _at_the_end(inputs[:, 0], lag + 1))


def latch(batch_size: int, length: int, rng: np.random.Generator, *, rate: float = 0.1) -> Task:
    """Make the latch: at every step, the sign of the last pulse, however long ago.

    A step has a pulse, +1 or -1, with probability `rate`; the first has one always. For windows
    see `latch_floor`.

    Examples
    --------
    >>> task = latch(1, 6, np.random.default_rng(3), rate=0.3)
    >>> task.inputs[0, :, 0].tolist(), task.targets[0, :, 0].tolist()
    ([1.0, -1.0, 0.0, 0.0, 1.0, 0.0], [1.0, -1.0, -1.0, -1.0, 1.0, 1.0])
    """
    pulse = rng.random((batch_size, length)) < rate
    pulse[:, 0] = True
    signs = rng.choice([-1.0, 1.0], size=(batch_size, length))
    last = np.maximum.accumulate(np.where(pulse, np.arange(length), 0), axis=1)
    return Task(
        np.where(pulse, signs, 0.0)[..., None], np.take_along_axis(signs, last, 1)[..., None]
    )


def latch_floor(rate: float, context_length: int) -> float:
    """Return the best accuracy at the latch from the newest `context_length` inputs.

    Examples
    --------
    >>> [round(latch_floor(0.05, n), 3) for n in (10, 20, 50)]
    [0.701, 0.821, 0.962]
    """
    return 1 - (1 - rate) ** context_length / 2


def copy_memory(
    batch_size: int, blanks: int, rng: np.random.Generator, *, n_symbols: int = 10
) -> Task:
    """Make the copy task: symbols, blanks, a delimiter, and then the symbols once more.

    Inputs and targets are one-hot over eight symbols, the blank (8) and the delimiter (9), in
    blanks + 2 n_symbols steps; the target is blank until the delimiter has come.

    Examples
    --------
    >>> task = copy_memory(1, 2, np.random.default_rng(0), n_symbols=3)
    >>> task.inputs[0].argmax(-1).tolist(), task.targets[0].argmax(-1).tolist()
    ([6, 5, 4, 8, 8, 9, 8, 8], [8, 8, 8, 8, 8, 6, 5, 4])

    References
    ----------
    Arjovsky, Shah and Bengio, 2016, "Unitary evolution recurrent neural networks".
    """
    symbols = rng.integers(8, size=(batch_size, n_symbols))
    shown = np.full((batch_size, blanks + 2 * n_symbols), 8)
    wanted = shown.copy()
    shown[:, :n_symbols] = wanted[:, -n_symbols:] = symbols
    shown[:, -n_symbols] = 9
    return Task(np.eye(10)[shown], np.eye(10)[wanted])


def copy_floor(blanks: int, n_symbols: int = 10) -> float:
    """Return the cross-entropy per step, in nats, of knowing when to answer but not what.

    Examples
    --------
    >>> round(copy_floor(100), 4)
    0.1733
    """
    return float(n_symbols * np.log(8) / (blanks + 2 * n_symbols))


def logistic(batch_size: int, step: int, rng: np.random.Generator) -> Task:
    """Make the chaotic map x -> 4 x (1 - x), to be forecast so many steps ahead at once.

    The answer is a curve with 2^(step - 1) humps, which wants depth rather than memory.

    Examples
    --------
    >>> x, y = logistic(1, 2, np.random.default_rng(0))
    >>> once = 4 * x * (1 - x)
    >>> bool(np.allclose(y, 4 * once * (1 - once)))
    True
    """
    x = rng.random((batch_size, 1, 1))
    y = x
    for _ in range(step):
        y = 4 * y * (1 - y)
    return Task(x, y)


class Translation(NamedTuple):
    """A batch of sequences of unequal lengths, and of answers of other lengths.

    Attributes
    ----------
    inputs : array (B, L, F)
        Padded on the right.
    lengths : array (B,)
        Of the inputs.
    told : array (B, m - 1, F)
        What a decoder is told at each step but the first, which comes before any.
    targets : array (B, m, q)
        NaN where nothing is asked.
    """

    inputs: np.ndarray
    lengths: np.ndarray
    told: np.ndarray
    targets: np.ndarray


def reversal(batch_size: int, length: int, rng: np.random.Generator) -> Translation:
    """Make the reversal: the same values from U(-1, 1), the last one first.

    Beside each value stands its position, one-hot; a decoder is told its own. One context must hold
    all values at once, attention looks each of them up.

    Examples
    --------
    >>> task = reversal(1, 3, np.random.default_rng(0))
    >>> bool((task.inputs[0, ::-1, 0] == task.targets[0, :, 0]).all()), task.told[0].tolist()
    (True, [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    """
    values = rng.uniform(-1, 1, (batch_size, length))
    lengths = np.full(batch_size, length)
    told = _with_positions(np.zeros((batch_size, length)), length)[:, :-1]
    return Translation(_with_positions(values, length), lengths, told, values[:, ::-1, None])


def template(
    batch_size: int, period: int, cycles: int, rng: np.random.Generator, *, sigma: float = 0.1
) -> Translation:
    """Make a season: a random template, repeated with noise; its next cycle is asked for.

    The best forecast is the mean of what was seen at the same place of each cycle, with a mean
    squared error of sigma^2 (1 + 1 / cycles). Positions in the cycle are told, one-hot.

    Examples
    --------
    >>> task = template(1, 2, 3, np.random.default_rng(0), sigma=0.0)
    >>> values = task.inputs[0, :, 0]
    >>> bool((values[:2] == values[4:]).all() and (values[:2] == task.targets[0, :, 0]).all())
    True
    """
    season = np.tile(rng.standard_normal((batch_size, period)), cycles + 1)
    values = season + sigma * rng.standard_normal(season.shape)
    past, ahead = values[:, :-period], values[:, -period:]
    lengths = np.full(batch_size, past.shape[1])
    told = _with_positions(np.zeros_like(ahead), period)[:, :-1]
    return Translation(_with_positions(past, period), lengths, told, ahead[..., None])


def weekly_sums(batch_size: int, rng: np.random.Generator) -> Translation:
    """Make sums of weeks from days: 14 to 42 values from U(0, 1) become 2 to 6, and an end.

    The answers of a step are the sum, in units of its standard deviation and from its mean, and
    whether it is the last.

    Examples
    --------
    >>> task = weekly_sums(3, np.random.default_rng(0))
    >>> task.inputs.shape, task.lengths.tolist(), (task.targets[..., 1] == 1).sum(1).tolist()
    ((3, 42, 1), [42, 35, 28], [1, 1, 1])
    """
    weeks = rng.integers(2, 7, batch_size)
    days = rng.random((batch_size, 42))
    days[np.arange(42) >= 7 * weeks[:, None]] = 0.0
    sums = (days.reshape(batch_size, 6, 7).sum(-1) - 3.5) / np.sqrt(7 / 12)
    last = np.arange(6) == weeks[:, None] - 1
    targets = np.stack([sums, last], -1)
    targets[np.arange(6) >= weeks[:, None]] = np.nan
    return Translation(days[..., None], 7 * weeks, np.zeros((batch_size, 5, 1)), targets)


def daily_values(batch_size: int, rng: np.random.Generator) -> Translation:
    """Make days from weeks: 2 to 6 sums, each spread over its seven days by one fixed profile.

    It is `weekly_sums` turned round. Sums are from N(0, 1); a decoder is told the weekday, one-hot.
    The answers of a step are the value of the day, in units of its standard deviation, and whether
    it is the last.

    Examples
    --------
    >>> task = daily_values(3, np.random.default_rng(0))
    >>> task.inputs.shape, task.lengths.tolist(), (task.targets[..., 1] == 1).sum(1).tolist()
    ((3, 6, 8), [6, 5, 4], [1, 1, 1])
    >>> week, spread = task.inputs[0, 0, 0], np.sqrt(np.mean(PROFILE**2))
    >>> bool(np.isclose(spread * task.targets[0, :7, 0].sum(), week))
    True
    """
    weeks = rng.integers(2, 7, batch_size)
    sums = rng.standard_normal((batch_size, 6))
    sums[np.arange(6) >= weeks[:, None]] = 0.0
    days = (sums[..., None] * PROFILE).reshape(batch_size, 42) / np.sqrt(np.mean(PROFILE**2))
    last = np.arange(42) == 7 * weeks[:, None] - 1
    targets = np.stack([days, last], -1)
    targets[np.arange(42) >= 7 * weeks[:, None]] = np.nan
    told = _with_positions(np.zeros_like(days), 7)[:, 1:]  # the weekday that is written next
    inputs = np.pad(sums[..., None], ((0, 0), (0, 0), (0, 7)))
    return Translation(inputs, weeks, told, targets)


def _with_positions(values: np.ndarray, period: int) -> np.ndarray:
    """Return values (B, T) with their positions in a period, one-hot, (B, T, 1 + period)."""
    positions = np.eye(period)[np.arange(values.shape[1]) % period]
    return np.concatenate(
        [values[..., None], np.broadcast_to(positions, (len(values), *positions.shape))], -1
    )


def _at_the_end(answers: np.ndarray, length: int) -> np.ndarray:
    targets = np.full((len(answers), length, 1), np.nan)
    targets[:, -1, 0] = answers
    return targets
