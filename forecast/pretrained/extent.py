"""How far back a forecast looks: what the reader sees, and what the recurrence absorbs of it.

Both begin at a multiple of `LATTICE` in the grid. So a stream, which absorbs value after value and
begins anew there, knows what a fresh reading knows; all series of a grid do so together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Steps = NDArray[np.int64]

LATTICE = 200  # steps: where a history is cut, a stream begins anew, and must rarely do so
# Values that the reader sees at least, where there are so many: training showed no more.
CONTEXT = 7 * LATTICE
# Values that the recurrence absorbs at least before the first origin that is judged. What lies
# farther back is in the templates and the scale; more values were seen to change no forecast.
WARM_UP = 300


def seen(begins: Steps, ends: Steps) -> Steps:
    """Return how many values of each series the reader sees, (n,).

    Parameters
    ----------
    begins, ends : array (n,)
        Where the series begin in the grid, and the steps after their ends.

    Examples
    --------
    >>> ends = np.array([1_100, 1_799, 1_800, 1_801, 2_000])
    >>> seen(np.zeros(5, int), ends).tolist()
    [1100, 1599, 1400, 1401, 1400]
    """
    return _since(begins, ends, CONTEXT)


def absorbed(begins: Steps, ends: Steps, back: int) -> Steps:
    """Return how many of them the recurrence absorbs, (n,).

    Parameters
    ----------
    begins, ends : array (n,)
    back : int
        How many steps before the newest value the earliest origin lies.

    Examples
    --------
    >>> ends = np.array([350, 599, 600, 700, 2_000])
    >>> for back in (48, 148):
    ...     print(absorbed(np.zeros(5, int), ends, back).tolist())
    [350, 599, 400, 500, 400]
    [350, 599, 600, 700, 600]
    """
    at_least = -(-(WARM_UP + back) // LATTICE) * LATTICE
    return np.minimum(_since(begins, ends, at_least), seen(begins, ends))


def _since(begins: Steps, ends: Steps, at_least: int) -> Steps:
    return ends - np.maximum((ends - at_least) // LATTICE * LATTICE, begins)
