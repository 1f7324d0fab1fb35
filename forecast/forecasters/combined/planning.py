"""Which forecasters to try: what each needs of the data, and how many seconds it takes.

The seconds are from constants, so that the same data and budget have the same members wherever the
machine is no slower than that of the constants. They were measured on one core of a busy server, on
M3, 127 single series of up to 1,500 values, and 25 panels, and rounded up. ARIMA's vary most: with
a season of 24 a fit took from .1 to 15 seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from forecast._checks import is_integer
from forecast.data.calendar import CANDIDATES as SEASONS
from forecast.data.panel import Panel
from forecast.forecasters.combined.trial import Trial
from forecast.forecasters.neural.pretrained import MANY
from forecast.forecasters.registry import CONTESTANTS

CALL = 6e-4  # seconds of a step of any forecast, however few series there are
READ = 1600  # values of a long series that are read, on average
LONGEST = 24  # steps of a season that is estimated; a longer one is smoothed beforehand
VIEWS = 3  # seasons by which the pre-trained network reads a history with dates, at most

# A single series has few errors to weigh by, and the pre-trained network leads there: its prior is
# that of a large panel times 1 + LONE / n.
LONE = 3.0
NETWORKS = ("pre-trained", "fine-tuned")


class Fit(NamedTuple):
    """What is fitted: so many series of so many values in all."""

    series: int
    values: int

    @classmethod
    def of(cls, lengths: np.ndarray) -> Fit:
        """Return the work of a fit to series of such lengths."""
        return cls(len(lengths), int(np.minimum(lengths, READ).sum()))


class Size(NamedTuple):
    """How much there is to do: a fit to all values, one to those before the trial, and the trial.

    Attributes
    ----------
    whole, before
        The two fits.
    season
        Steps of a season, as far as it is estimated.
    views
        By how many seasons the pre-trained network reads a history.
    origins
        Of the trial.
    absorbed
        Values that are known at its origins, in all.
    steps
        Steps of all forecasts there.
    horizon
        Steps of one of them.
    """

    whole: Fit
    before: Fit
    season: int
    views: int
    origins: int
    absorbed: int
    steps: int
    horizon: int

    @classmethod
    def of(cls, panel: Panel, trial: Trial | None, season_length: int) -> Size:
        """Return the size of the work on a panel."""
        whole, season = Fit.of(panel.lengths), season_length if season_length <= LONGEST else 1
        views = VIEWS
        if is_integer(panel.freq):  # the season of few series of whole-number steps is looked for
            views = 2 if panel.n_series >= MANY else 1 + len(SEASONS)
            views += 2 * (season_length == 7)  # taken for a week: with the year, and that alone
        if trial is None:
            return cls(whole, Fit(0, 0), season, views, 0, 0, 0, 0)
        ends = np.minimum(trial.ends, READ)
        sizes = len(ends), int(ends.sum()), ends.size * trial.steps, trial.steps
        return cls(whole, Fit.of(ends[0]), season, views, *sizes)


class Candidate(NamedTuple):
    """A forecaster that may become a member, by its label in the registry.

    Attributes
    ----------
    label
    prior
        Its weight before any error was seen, from validation parts: M3, panels, single series.
    fewest, cycles, values
        What a typical series must have: values, seasons; and all series together: values.
    fixed, series, season, value
        Seconds of a fit, of each series in it, of each step of their seasons, of each value.
    again, step
        Seconds of each value at an origin, of each step of a series.
    instead, options
        The candidate whose place it takes, and what it is told that this one is not.
    once
        Whether it holds the values of the trial back by itself: one fit serves trial and forecast.
    together
        How many series there must be.
    """

    label: str
    prior: float
    fewest: int
    cycles: int
    values: int
    fixed: float
    series: float
    season: float
    value: float
    again: float
    step: float
    instead: str = ""
    options: Mapping[str, Any] = MappingProxyType({})
    once: bool = False
    together: int = 1

    def seconds(self, size: Size) -> float:
        """Return how long all work on it is expected to take."""
        return self.trying(size) + self.fitting(size.whole, size)

    def trying(self, size: Size) -> float:
        """Return the seconds of the trial, and of the fit before it."""
        if size.origins == 0:
            return 0.0
        forecasts = CALL * size.horizon * size.origins + self.step * size.steps
        absorbing = self.again * self._views(size) * size.absorbed
        learning = self.fitting(size.before, size) - self.fixed * self.once
        return learning + absorbing + forecasts

    def fitting(self, fit: Fit, size: Size) -> float:
        """Return the seconds of one of the fits."""
        each = self.series + self.season * size.season
        return self.fixed + each * fit.series + self.value * self._views(size) * fit.values

    def _views(self, size: Size) -> int:
        return size.views if self.label in NETWORKS else 1

    def lacks(self, panel: Panel, season_length: int) -> str | None:
        """Return what the data lack for it, or None.

        Examples
        --------
        >>> import pandas as pd
        >>> from forecast.data.frames import read_frames
        >>> CANDIDATES[-1].lacks(read_frames(pd.Series(range(80))), season_length=1)
        'from 2,000 values on'
        """
        typical = float(np.median(panel.lengths))
        if typical < self.fewest:
            return f"from {self.fewest} values of a typical series on"
        if season_length > 1 and typical < self.cycles * season_length:
            return f"from {self.cycles} seasons of a typical series on"
        if panel.n_series < self.together:
            return f"from {self.together} series on"
        if len(panel.values) < self.values:
            return f"from {self.values:,} values on"
        return None

    def build(self, random_state: int | None) -> Any:
        """Return it, not fitted."""
        known = {one.label: one for one in CONTESTANTS}
        return known[self.instead or self.label].build(random_state).set_params(**self.options)


TUNED: dict[str, Any] = {
    "instead": "pre-trained",
    "options": {"fine_tune": 1},
    "once": True,
    "together": MANY,
}
CANDIDATES = (
    Candidate("seasonal naive", 0.1, 1, 0, 0, 0.0, 0.0, 0.0, 1e-6, 0.0, 2e-5),
    Candidate("drift", 0.5, 1, 0, 0, 0.0, 0.0, 0.0, 1e-6, 0.0, 2.5e-5),
    Candidate("pre-trained", 2.0, 1, 0, 0, 0.03, 0.0, 0.0, 1e-5, 5e-6, 1e-5),
    Candidate("fine-tuned", 2.0, 8, 0, 8000, 3.0, 0.0, 0.0, 1e-5, 5e-6, 1e-5, **TUNED),
    Candidate("Theta", 1.0, 8, 0, 0, 0.01, 5e-4, 0.0, 1e-5, 0.0, 3e-5),
    Candidate("Markov", 0.1, 72, 0, 0, 0.01, 0.01, 0.0, 1e-6, 0.0, 6e-5),
    Candidate("ETS", 0.1, 72, 3, 0, 0.02, 0.03, 6e-3, 5e-5, 0.0, 1e-4),
    Candidate("ARIMA", 2.0, 72, 3, 0, 0.05, 0.05, 0.3, 4e-4, 2e-5, 1e-4),
    Candidate("MLP", 2.0, 72, 3, 2000, 7.0, 0.0, 0.0, 4e-4, 0.0, 1e-5),
    Candidate("RNN", 1.0, 72, 3, 2000, 8.0, 0.0, 0.0, 4e-4, 0.0, 1e-5),
    Candidate("LSTM", 2.0, 72, 3, 2000, 6.0, 0.0, 0.0, 4e-4, 0.0, 1e-5),
)


def priors(labels: Iterable[str], n_series: int) -> np.ndarray:
    """Return the weights (M,) of candidates before any error of n series was seen.

    Examples
    --------
    >>> priors(["Theta", "pre-trained"], n_series=1).tolist()
    [1.0, 8.0]
    """
    known = {one.label: one.prior for one in CANDIDATES}
    for label in NETWORKS:
        known[label] *= 1 + LONE / n_series
    return np.array([known[label] for label in labels])


def in_order(size: Size) -> dict[str, Candidate]:
    """Return the candidates in the order in which they are thought of, by their labels.

    The seasonal naive forecast comes first, then those of the fewest seconds for their weight. What
    takes the place of another follows it.

    Examples
    --------
    >>> size = Size(
    ...     Fit(1, 60), Fit(1, 40), season=4, views=3, origins=0, absorbed=0, steps=0, horizon=0
    ... )
    >>> list(in_order(size))[:3]
    ['seasonal naive', 'drift', 'Theta']
    """
    naive, *others = CANDIDATES
    price = {one.label: one.seconds(size) / one.prior for one in others}
    ordered = [naive, *sorted(others, key=lambda one: price[one.instead or one.label])]
    return {one.label: one for one in ordered}


class Planned(NamedTuple):
    """A candidate, the seconds that it is expected to take, and why it is not tried, or None.

    If another is to take its place, it is tried only `unless` that one became a member.
    """

    candidate: Candidate
    seconds: float
    note: str | None
    unless: str = ""


def planned(panel: Panel, size: Size, season_length: int, budget: float) -> dict[str, Planned]:
    """Return what is tried of a panel in so many seconds, by labels, in order.

    The seasonal naive forecast always is. What another is to take the place of comes behind it.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames(pd.Series(range(60)))
    >>> plan = planned(panel, Size.of(panel, None, 1), season_length=1, budget=0.01)
    >>> plan["seasonal naive"].note, plan["Theta"].note, plan["ETS"].note
    (None, 'beyond the budget: 0.0111 s more', 'from 72 values of a typical series on')
    """
    left, plan = budget, dict[str, Planned]()
    for label, one in in_order(size).items():
        seconds, note = one.seconds(size), one.lacks(panel, season_length)
        other = plan.get(one.instead)
        more = seconds if other is None or other.note else seconds - other.seconds
        if not plan:
            note = None
        elif note is None and more > left:
            note = f"beyond the budget: {more:.3g} s more"
        if note is None:
            left -= more
        plan[label] = Planned(one, seconds, note)
        if note is None and other is not None:
            plan[one.instead] = plan.pop(one.instead)._replace(unless=label)
    return plan
