"""What columns are divided by where they are standardised: a deviation that is more than rounding.

Tenths have no exact binary form, so the mean of equal ones is off by a last digit, and they deviate
from it by 1e-17. Divided by that, the first other value would be 1e16 deviations away. A sum rounds
once per value: the mean of a million equal ones is off by a share of 1e-11.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64] | np.float64 | float

ROUNDING = 1e-12  # as a share of the mean: a deviation that is none
EPSILON = float(np.finfo(np.float64).eps)


def spread_or_one(spread: Floats, mean: Floats, count: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return standard deviations (...), 1 where they are no more than the rounding of means (...).

    `count` (...) says of how many values they are.

    Examples
    --------
    >>> tenths = np.full((3, 1), 0.1)
    >>> tenths.std(0) > 0, spread_or_one(tenths.std(0), tenths.mean(0), 3)
    (array([ True]), array([1.]))
    """
    rounding = np.maximum(ROUNDING, np.multiply(count, EPSILON))
    return np.where(spread > rounding * np.abs(mean), spread, 1.0)
