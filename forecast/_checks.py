"""Checks of arguments, how errors are worded, and how often something is told.

Each message names the argument, the requirement and what was got; where it is not obvious, the
remedy too.
"""

from __future__ import annotations

import logging
import math
import numbers
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class ForecastWarning(UserWarning):
    """Warn that a forecast can be made but may be worse than the user expects.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", ForecastWarning)  # or "error"
    ...     warnings.warn("the clocks change", ForecastWarning)
    """


class Once(logging.Filter):
    """Let each kind of line of a log through once: models read the same data again."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether no line of this kind, whatever it names, came before."""
        new = record.msg not in self.told
        self.told.add(record.msg)
        return new


@contextmanager
def told_once() -> Iterator[None]:
    """Log each kind of line once, warn of it once in the end, however many models are fitted."""
    log, once = logging.getLogger("forecast"), Once()
    log.addFilter(once)
    try:
        with warnings.catch_warnings(record=True) as told:
            yield
    finally:
        log.removeFilter(once)
        kinds: dict[str, warnings.WarningMessage] = {}
        for one in told:
            kinds.setdefault(re.sub(r"\d+", "", str(one.message)), one)
        for one in kinds.values():
            warnings.showwarning(one.message, one.category, one.filename, one.lineno)


@contextmanager
def unsaid() -> Iterator[None]:
    """Leave out what a model has to say, where something else says it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ForecastWarning)
        yield


def is_integer(value: Any) -> bool:
    """Tell whether a value is a true integer; booleans are not."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def positive_integer(name: str, value: Any, *, minimum: int = 1) -> int:
    """Return an integer argument of at least `minimum`.

    Raises
    ------
    TypeError
        If `value` is not an integer (booleans and 2.5 are not).
    ValueError
        If `value` is below `minimum`.

    Examples
    --------
    >>> positive_integer("horizon", 12)
    12
    >>> positive_integer("horizon", -3)
    Traceback (most recent call last):
    ...
    ValueError: `horizon` must be a positive integer, got -3.
    """
    wanted = "a positive integer" if minimum == 1 else f"an integer of at least {minimum}"
    if not is_integer(value):
        raise TypeError(f"`{name}` must be {wanted}, got {short(value)}.")
    if value < minimum:
        raise ValueError(f"`{name}` must be {wanted}, got {value}.")
    return int(value)


def positive_integers(name: str, values: Any) -> list[int]:
    """Return an argument that is a sequence of positive integers as a list.

    Raises
    ------
    TypeError, ValueError
        If it is no sequence, or one is no positive integer.

    Examples
    --------
    >>> positive_integers("steps", 3)
    Traceback (most recent call last):
    ...
    TypeError: `steps` must be positive integers such as [1, 3], got 3.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"`{name}` must be positive integers such as [1, 3], got {short(values)}.")
    return [positive_integer(name, value) for value in values]


def number_between(
    name: str, value: Any, low: float, high: float, *, ends: str = "neither"
) -> float:
    """Return a real argument between two bounds; `ends` says which of them are allowed themselves.

    Raises
    ------
    TypeError
        If `value` is not a real number.
    ValueError
        If it is outside of the interval.

    Examples
    --------
    >>> number_between("coverage", 0.9, 0, 1)
    0.9
    >>> number_between("dropout", 1.5, 0, 1, ends="left")
    Traceback (most recent call last):
    ...
    ValueError: `dropout` must be a number in [0, 1), got 1.5.
    """
    left, right = "[" if ends in ("left", "both") else "(", "]" if ends == "both" else ")"
    wanted = f"a number in {left}{low}, {'inf' if math.isinf(high) else high}{right}"
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be {wanted}, got {short(value)}.")
    number = float(value)
    above = number >= low if left == "[" else number > low
    below = number <= high if right == "]" else number < high
    if not (above and below):
        raise ValueError(f"`{name}` must be {wanted}, got {value}.")
    return number


def one_of(name: str, value: Any, known: Iterable[Any]) -> Any:
    """Return an argument that must be one of the known choices, of the same type too.

    Raises
    ------
    ValueError
        If it is none of them.

    Examples
    --------
    >>> one_of("strategy", "lst", ["last", "seasonal"])
    Traceback (most recent call last):
    ...
    ValueError: `strategy` must be one of 'last', 'seasonal', got 'lst'.
    """
    choices = list(known)
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"`{name}` must be one of {listed}, got {short(value)}.")
    return value


def boolean(name: str, value: Any) -> bool:
    """Return an argument that must be True or False: the text "no" would count as True.

    Raises
    ------
    TypeError
        If it is neither.

    Examples
    --------
    >>> boolean("residual", True)
    True
    >>> boolean("early_stopping", "no")
    Traceback (most recent call last):
    ...
    TypeError: `early_stopping` must be True or False, got 'no'.
    """
    # numpy's booleans are no subclass; its own name for them changed in version 2.
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        raise TypeError(f"`{name}` must be True or False, got {short(value)}.")
    return bool(value)


def training_parameters(estimator: Any, optional: Sequence[str] = ()) -> None:
    """Check the parameters of everything that the training loop teaches.

    Those named as `optional` may be None.

    Raises
    ------
    TypeError, ValueError
        If one of them is wrong; the message names it.
    """
    for name in ("max_epochs", "n_iter_no_change"):
        if name not in optional or getattr(estimator, name) is not None:
            positive_integer(name, getattr(estimator, name))
    number_between("dropout", estimator.dropout, 0, 1, ends="left")
    number_between("validation_fraction", estimator.validation_fraction, 0, 1)
    number_between("learning_rate", estimator.learning_rate, 0, math.inf)
    number_between("weight_decay", estimator.weight_decay, 0, math.inf, ends="left")
    if estimator.clip_norm is not None:
        number_between("clip_norm", estimator.clip_norm, 0, math.inf)
    boolean("early_stopping", estimator.early_stopping)


# What moves a cursor, reorders text, or has no place in XML: control characters, line separators,
# changes of direction, halves of surrogate pairs, and two that are no characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    r"""Return a text whose control characters are shown, as `repr` would, and do nothing.

    Examples
    --------
    >>> print(printable("\x1b[31mred, Größe"))
    \x1b[31mred, Größe
    """
    return _UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)


def short(value: Any) -> str:
    """Return a representation that fits into one line of a message.

    Examples
    --------
    >>> import numpy as np
    >>> short(np.int64(9)), short(np.zeros(3))
    ('9', 'a ndarray of shape (3,)')
    """
    if getattr(value, "shape", None) == ():  # a number of numpy's is shown as a plain one
        value = value.item()
    if hasattr(value, "shape"):
        return f"a {type(value).__name__} of shape {value.shape}"
    text = re.sub(r"\s*\n\s*", " ", repr(value))
    return text if len(text) <= 80 else text[:77] + "..."
