"""A history that grows step by step: what is new is kept aside, so that a step copies nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from forecast.data.frequency import extend_grid, following
from forecast.data.panel import Future, Panel, Parts, ranges

AHEAD = 64  # times that are made at once, beyond those asked for


@dataclass(eq=False)
class Steps:
    """Hold steps of n series in arrays with room for more.

    Several panels may share them, each knowing how many are its own. The second one that
    adds a step after the same one gets arrays of its own, so no panel ever changes.

    Parameters
    ----------
    parts
        Values (n, room), known covariates (n, room, K), past-only ones (n, room, C).
    used
        How many steps are taken.
    """

    parts: Parts
    used: int = 0

    @property
    def room(self) -> int:
        """How many steps there is room for."""
        return self.parts.values.shape[1]

    def write(self, count: int, new: Parts) -> Self:
        """Return steps that go on with new ones after the first `count`; maybe these."""
        total = count + new.values.shape[1]
        steps = self if count == self.used and total <= self.room else self._copy(count, total)

        def put(into: np.ndarray, part: np.ndarray) -> np.ndarray:
            into[:, count:total] = part
            return into

        steps.parts.map(put, new)
        steps.used = total
        return steps

    def _copy(self, count: int, total: int) -> Self:
        room = max(2 * total, 64)  # twice what is needed: a step costs the same on average

        def copy(part: np.ndarray) -> np.ndarray:
            wider = np.empty((len(part), room, *part.shape[2:]), part.dtype)
            wider[:, :count] = part[:, :count]
            return wider

        return type(self)(self.parts.map(copy))


class Growing(Panel):
    """A panel to which steps were added; its flat arrays are made when they are asked for.

    All its series end together.

    Attributes
    ----------
    base : Panel
        What it grew from.
    steps, count : Steps and int
        What came since, and how many of these steps are its own.
    last : pandas.Index
        Its last time alone.
    later, passed : pandas.Index and int
        Times that were made ahead, and how many of them it has reached.
    futures : dict
        What was asked for of them: a stream asks several times for the same steps.
    """

    base: Panel
    steps: Steps
    count: int
    last: pd.Index
    later: pd.Index
    passed: int
    futures: dict[int, Future]

    def __new__(cls, *args: Any, **fields: Any) -> Panel:  # type: ignore[misc]
        """Return a plain panel: `dataclasses.replace` has asked for the flat arrays."""
        return Panel(*args, **fields)

    @classmethod
    def after(cls, panel: Panel, new: Parts, times: pd.Index) -> Self:
        """Return a panel continued by steps (n, T) at these times (T,)."""
        base, steps, count, later, passed = panel, None, 0, times, len(times)
        if isinstance(panel, Growing):
            base, steps, count = panel._origin()
            later, passed = panel.later, panel.passed + len(times)
        steps = steps or Steps(base.newest(0))
        grown = object.__new__(cls)
        kept = ("starts", "ids", "X_names", "layout", "past_names")
        grown.__dict__.update({name: getattr(base, name) for name in kept})
        grown.__dict__.update(base=base, steps=steps.write(count, new), count=count + len(times))
        last = times if len(times) == 1 else times[-1:]
        grown.__dict__.update(last=last, later=later, passed=passed, futures={})
        return grown

    def __reduce__(self) -> Any:
        """Copy and pickle as a plain panel."""
        return Panel, tuple(getattr(self._whole, field.name) for field in fields(Panel))

    @property
    def values(self) -> np.ndarray:
        """All values, laid out."""
        return self._whole.values

    @property
    def grid(self) -> pd.Index:
        """The whole time axis."""
        return self._whole.grid

    @property
    def X(self) -> np.ndarray | None:
        """All known covariates, laid out."""
        return None if self.base.X is None else self._whole.X

    @property
    def past(self) -> np.ndarray | None:
        """All past-only covariates, laid out."""
        return None if self.base.past is None else self._whole.past

    @cached_property
    def offsets(self) -> np.ndarray:
        """Where the series begin in the laid out values, (n + 1,)."""
        return self.base.offsets + self.count * np.arange(self.n_series + 1)

    @property
    def dtype(self) -> np.dtype:
        """The type of the values."""
        return self.base.dtype

    @property
    def last_time(self) -> Any:
        """The last time of the grid."""
        return self.last[0]

    @property
    def in_step(self) -> bool:
        """True: that is what can grow."""
        return True

    def future(self, horizon: int) -> Future:
        """Return the times of the next `horizon` steps."""
        if horizon not in self.futures:
            if len(self.later) < self.passed + horizon:
                self.__dict__.update(later=self._made(horizon), passed=0)
            times = self.later[self.passed : self.passed + horizon]
            self.futures[horizon] = Future(times, np.zeros(self.n_series, dtype=np.int64))
        return self.futures[horizon]

    def _made(self, horizon: int) -> pd.Index:
        try:
            return following(self.last, horizon + AHEAD)
        except ValueError:  # the end of time is near
            return following(self.last, horizon)

    def newest(self, count: int) -> Parts:
        """Return the last `count` steps of every series."""
        some = slice(max(self.count - count, 0), self.count)
        own = self.steps.parts.map(lambda part: part[:, some])
        if count <= self.count:
            return own
        older = self.base.newest(count - self.count)
        return older.map(lambda *both: np.concatenate(both, 1), own)

    @cached_property
    def _whole(self) -> Panel:
        counts = np.full(self.n_series, self.count)
        new = self.newest(self.count).map(lambda part: part.reshape(-1, *part.shape[2:]))
        return lengthen(
            self.base, self.lengths, new, counts, extend_grid(self.base.grid, self.count)
        )

    def _origin(self) -> tuple[Panel, Steps | None, int]:
        """Return what to grow on from: the flat arrays, if somebody has asked for them."""
        if "_whole" in self.__dict__:
            return self._whole, None, 0
        return self.base, self.steps, self.count


def lengthen(
    panel: Panel, lengths: np.ndarray, new: Parts, added: np.ndarray, grid: pd.Index
) -> Panel:
    """Return a panel of longer series; between the old and the new steps they are unobserved.

    Parameters
    ----------
    panel
        n series.
    lengths
        How long they become, (n,).
    new, added
        The new last steps, flat, and how many each series has of them, (n,).
    grid
        The longer time axis.
    """
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    before = ranges(offsets[:-1], panel.lengths)
    after = ranges(offsets[1:] - added, added)

    def join(old: np.ndarray, part: np.ndarray) -> np.ndarray:
        dtype = np.result_type(old, part)
        whole = np.full((offsets[-1], *old.shape[1:]), np.nan, dtype)
        whole[before], whole[after] = old, part
        return whole

    parts = panel.parts.map(join, new)
    return replace(panel, offsets=offsets, grid=grid, **parts._asdict())
