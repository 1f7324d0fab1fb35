"""Which forecasters to try: what each needs of the data, and how many seconds it takes.

The seconds are from constants, so that the same data and budget have the same members wherever the
machine is no slower than that of the constants. They were measured on one core of a server of 2023,
on M3, single series of up to 2,200 values, and generated panels, and rounded up.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from forecast.data.panel import Panel
from forecast.forecasters.combined.trial import Trial
from forecast.forecasters.registry import SPELLINGS

CALL = 6e-4  # seconds of a step of any forecast, however few series there are
READ = 1600  # values of a long series that are read, on average


class Size(NamedTuple):
    """How much there is to do: a fit to all values, one to those before the trial, and the trial.

    Attributes
    ----------
    fitted
        Values of both fits.
    origins
        Of the trial.
    absorbed
        Values that are known at its origins, in all.
    steps
        Steps of all forecasts there.
    horizon
        Steps of one of them.
    """

    fitted: int
    origins: int
    absorbed: int
    steps: int
    horizon: int

    @classmethod
    def of(cls, panel: Panel, trial: Trial | None) -> Size:
        """Return the size of the work on a panel."""
        values = int(np.minimum(panel.lengths, READ).sum())
        if trial is None:
            return cls(values, 0, 0, 0, 0)
        ends = np.minimum(trial.ends, READ)
        fitted, steps = values + int(ends[0].sum()), ends.size * trial.steps
        return cls(fitted, len(ends), int(ends.sum()), steps, trial.steps)


class Candidate(NamedTuple):
    """A forecaster that may become a member, by its label in the registry.

    Attributes
    ----------
    label
    prior
        Its weight before any error was seen, from validation parts: M3 and 126 single series.
    fewest, cycles, values
        What a typical series must have: values, seasons; and all series together: values.
    fixed, value, again, step
        Seconds of a fit, of each value in it, of each value at an origin, of each step of a series.
    """

    label: str
    prior: float
    fewest: int
    cycles: int
    values: int
    fixed: float
    value: float
    again: float
    step: float

    def seconds(self, size: Size) -> float:
        """Return how long all work on it is expected to take."""
        forecasts = CALL * size.horizon * size.origins + self.step * size.steps
        fits = self.fixed * (1 + (size.origins > 0)) + self.value * size.fitted
        return fits + self.again * size.absorbed + forecasts

    def lacks(self, panel: Panel, season_length: int) -> str | None:
        """Return what the data lack for it, or None.

        Examples
        --------
        >>> import pandas as pd
        >>> from forecast.data.frames import read_frames
        >>> CANDIDATES[-1].lacks(read_frames(pd.Series(range(80))), season_length=1)
        'from 1,000 values on'
        """
        typical = float(np.median(panel.lengths))
        if typical < self.fewest:
            return f"from {self.fewest} values of a typical series on"
        if season_length > 1 and typical < self.cycles * season_length:
            return f"from {self.cycles} seasons of a typical series on"
        if len(panel.values) < self.values:
            return f"from {self.values:,} values on"
        return None

    def build(self, random_state: int | None) -> Any:
        """Return it, not fitted."""
        return SPELLINGS[self.label.lower().replace(" ", "-")].build(random_state)


CANDIDATES = (
    Candidate("seasonal naive", 0.1, 1, 0, 0, 0.0, 2e-6, 0.0, 5e-5),
    Candidate("drift", 0.5, 1, 0, 0, 0.0, 2e-6, 0.0, 8e-5),
    Candidate("pre-trained", 2.0, 1, 0, 0, 0.05, 2.8e-5, 2.2e-5, 1e-5),
    Candidate("Theta", 1.0, 8, 0, 0, 0.01, 1e-5, 0.0, 1e-4),
    Candidate("Markov", 0.5, 72, 0, 0, 0.01, 3e-6, 0.0, 1e-4),
    Candidate("ETS", 0.5, 72, 3, 0, 0.05, 1.1e-3, 0.0, 1e-4),
    Candidate("ARIMA", 0.1, 72, 3, 0, 0.1, 2e-3, 1e-4, 1e-4),
    Candidate("MLP", 1.0, 72, 3, 500, 10.0, 2e-3, 0.0, 1e-4),
    Candidate("RNN", 1.0, 72, 3, 1000, 10.0, 3e-3, 0.0, 1e-4),
    Candidate("LSTM", 1.0, 72, 3, 1000, 12.0, 4e-3, 0.0, 1e-4),
)


def in_order(size: Size) -> dict[str, Candidate]:
    """Return the candidates in the order in which they are tried, by their labels.

    The seasonal naive forecast comes first, then those of the fewest seconds for their weight.

    Examples
    --------
    >>> list(in_order(Size(fitted=100, origins=12, absorbed=1000, steps=144, horizon=12)))[:3]
    ['seasonal naive', 'pre-trained', 'Theta']
    """
    naive, *others = CANDIDATES
    ordered = [naive, *sorted(others, key=lambda one: one.seconds(size) / one.prior)]
    return {one.label: one for one in ordered}
