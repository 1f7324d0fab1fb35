"""The forecasters that data and time allow, weighed by their past errors."""

from __future__ import annotations

import functools
import importlib
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
import pandas as pd

from forecast._checks import number_between, one_of, unsaid
from forecast.data.panel import Panel
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.calibration import Calibration, pool
from forecast.forecasters.combined.blending import WAYS, blend
from forecast.forecasters.combined.combination import Combination
from forecast.forecasters.combined.planning import CANDIDATES, Candidate, Size, planned, priors
from forecast.forecasters.combined.trial import Trial
from forecast.forecasters.combined.weighing import weigh
from forecast.forecasters.parameters import Common
from forecast.forecasters.progress import watched
from forecast.pretrained.weights import shipped_network

# As a share of the budget: what a slow machine may take.
MOST = 1.1
# The widths that members claim count as so many independent errors of the joint forecast.
CALIBRATED = 30.0
COLUMNS = ("expected", "seconds", "error", "weight", "note")


class AutoForecaster(Combination):
    """Combine the forecasters that the data and a budget of seconds allow.

    Each is fitted without the last values of up to 50 series and forecasts them from up to twelve
    past origins; then it is fitted to all. Only the fine-tuned network is fitted once, to all: no
    weight of it learns from the last values, but they tell whether it is better than before, the
    effect of X, and how wide bands are.

    The joint distribution is the mean of the quantile functions. The weights are inverse errors to
    the tenth power, those of a series leaning on what all series have in common, and these on a
    prior; a member of less than a twentieth is left out. The errors of the joint forecast at the
    same origins widen its bands.

    The cheapest for their worth come first: naive forecasts, the pre-trained network, Theta, then
    Markov, ARIMA and ETS, then LSTM, MLP and RNN, which need 2,000 values and 20 seconds and more.
    What each needs of the data, and how its seconds are foretold, stands in `docs/combining.md`;
    `table_` says what became of it.
    Where the machine is as fast as expected, the same data and budget have the same members.

    Parameters
    ----------
    budget
        Seconds of one core that `fit` may take, beside what is loaded once; the seasonal naive
        forecast is a member even if there is no time for any other.
    combine
        "mean" of the quantile functions, or "median", which one bad member does not move.
    random_state
        Seed of the networks that are trained.
    verbose
        1 shows a progress bar.
    calibration
        As in every forecaster. Bands are calibrated without it, too; it takes as long as all else.

    Attributes
    ----------
    table_ : DataFrame
        A row for each forecaster: seconds expected and used, error at past origins as a multiple
        of the naive member's, mean weight, and a note on why it is no member.
    weights_ : DataFrame
        A row for each series, a column for each member.
    members_ : dict
        The fitted members, by their names.

    Examples
    --------
    >>> y = pd.Series([1.5, 5.5, 2.5, 6.5] * 6, pd.date_range("2020", periods=24, freq="QS"))
    >>> model = AutoForecaster(budget=5, horizon=4).fit(y)
    >>> list(model.members_)
    ['seasonal naive', 'drift', 'Theta', 'pre-trained']
    >>> model.predict().round(1).tolist()
    [1.5, 5.5, 2.5, 6.5]
    """

    table_: pd.DataFrame

    def __init__(
        self,
        *,
        budget: float = 10.0,
        combine: str = "mean",
        random_state: int | None = None,
        verbose: int = 0,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.budget = budget
        self.combine = combine
        self.random_state = random_state
        self.verbose = verbose

    def _fit(self, panel: Panel) -> None:
        budget = number_between("budget", self.budget, 0, np.inf)
        one_of("combine", self.combine, WAYS)
        _load()
        clock = Clock(budget)
        trial = Trial.of(panel, self.horizon_)
        size = Size.of(panel, trial, self.season_length_)
        self.members_ = {}
        past: list[np.ndarray] = []
        rows: dict[str, list[Any]] = {}
        plan = planned(panel, size, self.season_length_, budget)
        for label, (one, expected, note, unless) in watched(plan, self.verbose):
            taken = f"{unless} instead" if unless in self.members_ else None
            note = taken or note or clock.refuses(expected)
            if note is None or not self.members_:
                late = functools.partial(clock.is_late, one, size)
                note = self._try(one, panel, trial, past, late)
            rows[label] = [expected, clock.lap(), np.nan, 0.0, note or ""]
        self.table_ = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))
        self._weigh(panel, trial, past)

    def _try(
        self,
        one: Candidate,
        panel: Panel,
        trial: Trial | None,
        past: list[np.ndarray],
        late: Callable[[], str | None],
    ) -> str | None:
        """Make a candidate a member, or return why it is none; keep its past forecasts."""
        model = one.build(self.random_state)
        try:
            with unsaid():  # one member's fault is not that of all
                if one.once:  # its trial takes less than to begin with the network as it is
                    model = self._fitted(model, panel)
                    found = _tried(self._applied, model, trial)
                else:
                    found = _tried(self._fitted, model, trial)
                    if found is not None and self.members_ and (note := late()):
                        return note
                    model = self._fitted(model, panel)
        except Exception as error:  # one member must not cost the forecast
            return f"failed: {type(error).__name__}: {error}"
        self.members_[one.label] = model
        if found is not None:
            past.append(found)
        return None

    def _weigh(self, panel: Panel, trial: Trial | None, past: list[np.ndarray]) -> None:
        """Learn weights from past forecasts, and the width of bands from those of all together."""
        prior = priors(self.members_, panel.n_series)
        self.common_, self.width_ = prior / prior.sum(), None
        self.shares_ = np.tile(self.common_, (panel.n_series, 1))
        if trial is not None:
            errors = np.stack([trial.errors(one) for one in past], axis=2)  # (t, K, M)
            own, self.common_ = weigh(errors, trial.independent, prior)
            self.shares_ = np.tile(self.common_, (panel.n_series, 1))
            self.shares_[trial.rows] = own
            scores = np.full((panel.n_series, *trial.truth.shape[1:]), np.nan)
            scores[trial.rows] = trial.relative(blend(np.stack(past), own, self.combine))
            self.width_ = careful(pool(scores, trial.apart))
            self.table_.loc[list(self.members_), "error"] = _beside_naive(errors)
        self.table_.loc[list(self.members_), "weight"] = self.shares_.mean(0)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        values, arrays = super()._state()
        return {**values, "table": self.table_}, arrays

    def _restore(self, panel: Panel, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        super()._restore(panel, values, arrays)
        self.table_ = values["table"]


@functools.cache
def _load() -> None:
    """Load libraries and weights, which happens once and is no work on a series."""
    for one in CANDIDATES:
        one.build(None)
    shipped_network()
    importlib.import_module("statsmodels.tsa.api")


def _tried(
    ready: Callable[[BaseForecaster, Panel], BaseForecaster],
    model: BaseForecaster,
    trial: Trial | None,
) -> np.ndarray | None:
    """Return what it would have forecast at past origins, (t, K, h, Q), made ready before them."""
    if trial is None:
        return None
    return trial.quantiles(ready(model, trial.panel.head(trial.ends[0])))


def _beside_naive(errors: np.ndarray) -> np.ndarray:
    """Return the errors (t, K, M) of all as multiples of the first member's, each series alike."""
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of what has no value, or no error
        sizes = np.nanmean(errors, axis=1)  # (t, M)
        mean = np.nanmean(sizes / sizes.mean(1, keepdims=True), axis=0)
        ratio: np.ndarray = mean / mean[0]
    return ratio


def careful(calibration: Calibration | None) -> Calibration | None:
    """Return a calibration that leans on 1, and narrows bands half as far, on the logarithm.

    The members have calibrated themselves: 30 independent errors say as much as these. And what
    comes is less like the past than the past was: on the validation parts of M3, bands that were
    narrowed in full held .76 of the values, and as they were .82.
    """
    if calibration is None:
        return None
    trust = calibration.independent / (calibration.independent + CALIBRATED)
    sides = math.sqrt(math.prod(calibration.sides))
    factor = calibration.scale * sides
    scale = factor ** np.where(factor < 1, trust / 2, trust) / sides
    return replace(calibration, scale=scale, growth=trust * calibration.growth)


class Clock:
    """What is left of a budget of seconds.

    They are seconds of the calling thread: what else the machine does must not change the members.
    """

    def __init__(self, budget: float) -> None:
        self.budget = budget
        self.start = self.before = time.thread_time()

    def refuses(self, seconds: float) -> str | None:
        """Return why so many seconds more cannot be spent, or None."""
        left = MOST * self.budget - (time.thread_time() - self.start)
        if seconds <= left:
            return None
        return f"no time left: {seconds:.3g} s more, and this machine is slower than planned"

    def is_late(self, one: Candidate, size: Size) -> str | None:
        """Return why a candidate that was tried cannot be fitted to all values, or None.

        If the trial took longer than expected, the rest will, the more so the more the trial tells.
        """
        rest = one.fitting(size.whole, size)
        took = time.thread_time() - self.before + rest
        return self.refuses(rest * max(took / one.seconds(size), 1.0))

    def lap(self) -> float:
        """Return the seconds since it was asked before."""
        before, self.before = self.before, time.thread_time()
        return self.before - before
