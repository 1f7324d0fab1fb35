"""The reader of fixed width: between raw values and a network that knows every season.

What it shows of a step is the same number of numbers for every season and horizon: the value in
the causal scale, what the last steps did to that scale, and the templates of the next step. All
of it is a function of y, not of its unit: a * y + b with a > 0 is read as y is.

It has no weights, so it computes with arrays: what a stream waits for is the number of calls, and
one of torch takes five times as long as one of numpy. Whoever learns gets tensors.

Letters: B series, N values, n origins, h steps ahead, J templates, m the season.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]
Bools = NDArray[np.bool_]

CYCLES = 8  # past seasons that make the longest mean shape
WEEKS = 3  # past second seasons that make the mean shape of the second season
AHEAD = 4  # steps ahead that the errors of a series without a season are looked at
RECENT = 3  # values at least, and a quarter of a season, that are recent
FAR = 20.0  # scaled values are cut here; farther ones are mistakes of the scale
LEAST = 1e-150  # spread: of nothing that is measured, and its square is a number still
ABSURD = 1e6  # so are errors of templates, in the spread of their step
TEMPLATES = 19
MARKS = 16
INPUTS = MARKS + 5 * TEMPLATES


class Past(NamedTuple):
    """What is known of B series at each of N steps from the values up to it, (B, N) each.

    `given` is NaN where a value is missing, `values` holds the newest observed one there; `slope`
    is the mean change per step since the first value, `drift` that between the last two groups of
    `half` values (whole seasons), NaN where fewer were seen; `recent` is the mean of the last few.
    `first` (how many steps come before the first value), `season`, `second` and `half` are (B, 1).
    """

    given: Floats
    values: Floats
    level: Floats
    spread: Floats
    wide: Floats
    mean: Floats
    recent: Floats
    drift: Floats
    slope: Floats
    low: Floats
    high: Floats
    seen: Floats
    first: Steps
    season: Steps
    second: Steps
    half: Steps


@np.errstate(over="ignore", invalid="ignore")  # beyond all measure: cut off later
def read(values: ArrayLike, season: ArrayLike, second: ArrayLike) -> Past:
    """Read values (B, N), NaN where unobserved, with seasons (B,) into what is known of them.

    Sums over windows are differences of running sums, so that the cost does not depend on the
    season. They are kept in double precision about the first observed value, which loses nothing
    as long as a series is not ten million times as wide as its last seasons.

    What is done to several numbers of a step is done to them in one call, and `np.array` joins them
    in a third of the time of `np.stack`: a stream feels both.
    """
    m, second = (np.asarray(part, np.int64)[:, None] for part in (season, second))
    given = np.asarray(values, np.float64)
    observed, steps = ~np.isnan(given), np.arange(given.shape[1])
    first = (~np.logical_or.accumulate(observed, 1)).sum(1, keepdims=True)
    centre = np.take_along_axis(given, np.minimum(first, len(steps) - 1), 1)
    centre = np.where(np.isnan(centre), 0.0, centre)
    x = np.where(observed, given - centre, 0.0)
    running = np.empty((3, *x.shape))  # sums of nothing, one, two
    running[0], running[1], running[2] = observed, x, x * x
    running.cumsum(-1, out=running)
    half = 4 + -4 % m  # whole seasons
    widths = np.array([np.maximum(2 * m, 8), np.maximum(m // 4, RECENT), half, 2 * half])
    late, few, newer, both = _windows(running, widths)
    (level, mean), (late_spread, wide) = _moments(np.array([late, running]).swapaxes(0, 1))
    # in a gap longer than the window, what was known before it goes on
    level, late_spread = fill(np.array([level, late_spread]), late[0] > 0)
    recent = fill((few[1] / np.maximum(few[0], 1))[None], few[0] > 0)[0]
    # a calm stretch is no reason to forget how wide the series has been
    least = 1e-13 * np.abs(centre) + LEAST  # of a constant, beyond rounding
    spread = np.maximum(np.maximum(late_spread, 0.02 * wide), least)
    filled = fill(x[None], observed)[0]
    slope = (filled - filled[:, :1]) / np.maximum(steps - first, 1)
    low, high = np.minimum.accumulate(filled, 1), np.maximum.accumulate(filled, 1)
    return Past(
        given, filled + centre, level + centre, spread, np.maximum(wide, least), mean + centre,
        recent + centre, _drift(newer, both - newer, half), slope, low + centre, high + centre,
        running[0], first, m, second, half,
    )  # fmt: skip


def _windows(running: Floats, widths: Steps) -> Floats:
    """Return sums of the last `widths` (W, B, 1) values from running ones (S, B, N): (W, S, B, N).

    Fewer at first.
    """
    before = np.arange(running.shape[2]) - widths
    then = np.where(before < 0, 0.0, _take(running, before[..., None])[..., 0])
    return (running[:, None] - then).swapaxes(0, 1)


def _moments(sums: Floats) -> tuple[Floats, Floats]:
    """Return means and standard deviations (...) from sums (3, ...) of one, value and square."""
    n = np.maximum(sums[0], 1)
    mean = sums[1] / n
    return mean, np.sqrt(np.maximum(sums[2] / n - mean * mean, LEAST**2))


def _drift(newer: Floats, older: Floats, half: Steps) -> Floats:
    """Return the change per step between two groups of `half` values, NaN if half are missing."""
    new, old = newer[1] / np.maximum(newer[0], 1), older[1] / np.maximum(older[0], 1)
    enough = np.minimum(newer[0], older[0]) > 0.5 * half
    return np.where(enough, (new - old) / half, np.nan)


def fill(values: Floats, observed: Bools) -> Floats:
    """Carry the newest of values (F, B, N) forward that are observed (B, N)."""
    if observed.all():
        return values
    newest = np.where(observed, np.arange(values.shape[-1]), 0)
    return _take(values, np.maximum.accumulate(newest, -1)[..., None])[..., 0]


def marks(past: Past, new: int) -> Tensor:
    """Return what the `new` last steps show beside their templates, (B, new, MARKS).

    Ties and bounds reached stand for what a count or a saturated series is known by: their zeros
    and whole numbers would not survive another unit.
    """
    since = slice(-new, None)
    given, values, level, spread = (part[:, since] for part in past[:4])
    low, high, seen, m = past.low[:, since], past.high[:, since], past.seen[:, since], past.season
    risen, widened, changed = _changes(past, new)
    shown = np.empty((len(m), new, MARKS), np.float32)
    for k, mark in enumerate((
        ((values - level) / spread).clip(-FAR, FAR), ~np.isnan(given),
        (risen / spread).clip(-8, 8), widened.clip(-8, 8), (changed / spread).clip(-8, 8),
        (changed == 0) & (seen > ~np.isnan(given)), values == low, values == high,
        np.arcsinh((level - low) / spread), np.arcsinh((high - level) / spread),
        np.log(past.wide[:, since] / spread), np.log1p(seen) / 4, np.log1p(seen / m),
        np.log(m) / 3, m == 1, np.log1p(past.second) / 3,
    )):  # fmt: skip
        shown[..., k] = mark
    return torch.from_numpy(shown)


def _changes(past: Past, new: int) -> Floats:
    """Return the changes of level, log spread and value at the `new` last steps, (3, B, new).

    At the first step there is none.
    """
    level, spread, values = (part[:, -new - 1 :] for part in (past.level, past.spread, past.values))
    tracks = np.array([level, np.log(spread), values])
    changes = np.zeros((3, len(level), new))
    changes[..., new + 1 - tracks.shape[2] :] = tracks[..., 1:] - tracks[..., :-1]
    return changes


def unit_of(past: Past, origins: ArrayLike | slice) -> tuple[Tensor, Tensor]:
    """Return the levels and the spreads (B, n) in which forecasts of some origins are given back.

    What never moved has no spread: it goes on as it is, to the last digit.
    """
    at = origins if isinstance(origins, slice) else np.asarray(origins)
    level, spread, low, high = (
        part[:, at] for part in (past.level, past.spread, past.low, past.high)
    )
    return torch.from_numpy(level), torch.from_numpy(np.where(high > low, spread, 0.0))


@np.errstate(all="ignore")  # beyond all measure, and the mean of nothing
def templates(past: Past, origins: ArrayLike, steps: ArrayLike) -> tuple[Tensor, Tensor]:
    """Return scaled templates (B, n, h, J), zero where there is none, and whether there is one.

    They are of the steps (h,), or (B, h), after the origins (n,).
    """
    at, ahead = np.asarray(origins), np.atleast_2d(np.asarray(steps))[:, None]
    level, spread = (part[:, at, None] for part in (past.level, past.spread))
    return _scaled(_say(past, at[None, :, None], ahead), level, spread)


def _scaled(said: Floats, level: Floats, spread: Floats) -> tuple[Tensor, Tensor]:
    """Return what templates say (J, ...) in the scale of their origins, and whether they do."""
    z = _last(((said - level) / spread).clip(-FAR, FAR))
    missing = np.isnan(z)
    z[missing] = 0.0
    return torch.from_numpy(z), torch.from_numpy(~missing)


def _last(parts: Floats) -> NDArray[np.float32]:
    """Return parts (J, ...) as (..., J) in single precision."""
    return parts.transpose(*range(1, parts.ndim), 0).astype(np.float32, "C")


def _say(past: Past, at: Steps, steps: Steps) -> Floats:
    """Return what the templates say, (J, B, n, h), NaN where there is none.

    `at` are origins (1, n, 1) or (B, n, 1), `steps` lie ahead, (1 or B, 1, h) or
    (B, n, 1).

    They are: the last value, it along the drift, along the damped drift, along the whole slope;
    the same phase of the last three seasons, the newest also along the drift; the mean so far; the
    shape of the last four seasons about their levels, in units and in their spreads, and of the
    last eight, along the drift; the same phase of the second season, and its mean shape; the mean
    of the recent values, as it is and, like the last value, along the mean change from this phase
    to that one over the last four seasons, and over the last second seasons.
    """
    p, m = past, past.season[:, :, None]
    # what a shape starts from comes first
    tracks = np.array([p.values, p.recent, p.level, p.spread, p.mean, p.slope, p.drift])
    now = _take(tracks, at)  # (7, B, n, 1)
    last, recent, level, spread, mean, slope, drift = now
    half = p.half[:, :, None]
    damped = -half * np.expm1(-steps / half)
    whole = _whole(steps, m)
    value, begin, known = _same_phase(p, m, at, steps - whole, CYCLES)
    count = known.cumsum(0)
    start = _take(tracks[:4], begin[:4])
    away = np.empty((4, 4, *value.shape[1:]))
    np.subtract(value[:4], start[:3], out=away[:3])
    np.multiply(away[2] / start[3], spread, out=away[3])
    shapes = np.where(known[:4], away, 0.0).sum(1) / count[3]
    levels = _take(tracks[2:3], begin)[0]
    longest = np.where(known, value - levels, 0.0).sum(0) / count[-1]
    along_last, along_recent, shape = now[:3] + shapes[:3]
    grown = np.where(whole > m, drift * (whole - m), 0.0)  # needs no drift within a season
    week, *weeks = _of_second(p, tracks[:3], now[:3], at, steps)
    said = np.empty((TEMPLATES, *value.shape[1:]))
    for k, one in enumerate((
        last, last + drift * steps, last + drift * damped, last + slope * steps,
        value[0], value[1], value[2], value[0] + drift * whole, mean,
        shape, level + shapes[3], level + longest + grown, week, weeks[2],
        recent, along_last + grown, along_recent + grown, *weeks[:2],
    )):  # fmt: skip
        said[k] = one
    return said


def _of_second(
    past: Past, tracks: Floats, now: Floats, at: Steps, steps: Steps
) -> Sequence[Floats | float]:
    """Return the same phase of the second season, and three levels along its mean shape."""
    m = past.second[:, :, None]
    if not (m > 1).any():
        return (np.nan,) * 4
    m_or_1 = np.maximum(m, 1)
    from_last = steps - _whole(steps, m_or_1)
    value, begin, known = _same_phase(past, m_or_1, at, from_last, WEEKS)
    away = np.where(known, value - _take(tracks, begin), 0.0)
    along = now + away.sum(1) / known.sum(0)
    return [np.where(m > 1, part, np.nan) for part in (value[0], *along)]


def _whole(steps: Steps, m: Steps) -> Steps:
    """Return the steps in the seasons that have begun so many steps ahead, (B, 1 or n, h)."""
    return steps + -steps % m


def _same_phase(
    past: Past, m: Steps, at: Steps, steps: Steps, count: int
) -> tuple[Floats, Steps, Bools]:
    """Look at a phase in the last `count` seasons of m (B, 1, 1) steps.

    It is given by its newest step, so many `steps` after the origins, none of them ahead.

    Returns the values (C, B, n, h), NaN where there is none; the step (C, B, n, 1) before each of
    these seasons, which may not be there; and whether value and step are.
    """
    ago = m * np.arange(count)[:, None, None, None]
    phase, begin = at + steps - ago, at - m - ago
    value = np.where(phase < 0, np.nan, _take(past.given[None], phase)[0])
    return value, begin, (begin >= past.first[..., None]) & ~np.isnan(value)


class Mistakes(NamedTuple):
    """How wrong the templates were up to each step, in the spread of that step.

    `newest` (B, N, J) is the value less what was said of it the step before. `told` (B, N, 3 J) is
    what a network is shown: the newest, cut at 8; and the logarithms of the mean absolute errors of
    late of what was said a step ahead, `near`, and a season ahead, without a season four steps,
    `far`.
    """

    newest: Tensor
    told: Tensor

    @property
    def near(self) -> Tensor:
        """Logarithms (B, N, J) of errors a step ahead."""
        return self.told[..., TEMPLATES : 2 * TEMPLATES]

    @property
    def far(self) -> Tensor:
        """Logarithms (B, N, J) of errors a season ahead."""
        return self.told[..., 2 * TEMPLATES :]


class Outlook(NamedTuple):
    """What is known after a step of the next: (B, N, J) each.

    What `templates` give of it, and how wrong the templates were so far.
    """

    shown: Tensor
    known: Tensor
    mistakes: Mistakes


@np.errstate(all="ignore")  # beyond all measure, and the mean of nothing
def look_back(past: Past, new: int) -> Outlook:
    """Compare the `new` last values with what the templates said of them before they came.

    Returns also what the templates say of the step after each: all is asked in one call, which a
    stream of single values feels.
    """
    p, n = past, past.values.shape[1]
    width = np.maximum(np.maximum(2 * p.season, p.second), 8)
    since = slice(max(n - new - int(width.max()), 0), n)
    at, season = np.arange(since.start, n), np.where(p.season > 1, p.season, AHEAD)
    before = at - season  # (B, n)
    origins, ahead = (np.empty((len(before), 2 * len(at) + 1), np.int64) for _ in range(2))
    split = len(at) + 1
    origins[:, 0], origins[:, 1:split], origins[:, split:] = at[0] - 1, at, before
    ahead[:, :split], ahead[:, split:] = 1, season
    said = _say(past, origins[..., None], ahead[..., None])[..., 0]  # (J, B, 2 n + 1)
    begun = np.array([origins[:, : split - 1], before]) >= p.first
    given = np.where(begun, p.given[:, since], np.nan)
    errors = np.empty((2, *said.shape[:2], len(at)))
    np.subtract(given[0], said[..., : split - 1], out=errors[0])
    np.subtract(given[1], said[..., split:], out=errors[1])
    # an error beyond all measure would leave nothing but rounding in the running sums
    most = ABSURD * p.spread[:, since]
    errors.clip(-most, most, out=errors)
    level, spread = p.level[:, -new:], p.spread[:, -new:]
    missing = np.isnan(errors)
    errors[missing] = 0.0
    newest = (errors[0, ..., -new:] / spread).clip(-FAR, FAR)
    near, far = np.log(_typical(np.abs(errors), ~missing, width, spread).astype(np.float32))
    told = np.array([newest.clip(-8, 8), near, far])
    shown = _last(newest), _last(told.reshape(-1, *newest.shape[1:]))
    mistakes = Mistakes(*map(torch.from_numpy, shown))
    return Outlook(*_scaled(said[..., split - new : split], level, spread), mistakes)


def _typical(sizes: Floats, known: Bools, width: Steps, spread: Floats) -> Floats:
    """Return the mean size of known errors over `width` steps, half an error of one spread added.

    Of sizes (2, J, B, n), at the last steps in their spread (B, new): (2, J, B, new).
    """
    n, new = sizes.shape[3], spread.shape[1]
    before = np.arange(n - new, n) - width  # (B, new): the newest step that counts no more
    # torch needs a tenth of the time of numpy
    sums = torch.from_numpy(np.array([known, sizes])).cumsum(-1).numpy()
    gone = _take(sums.reshape(-1, *sizes.shape[2:]), before[..., None])
    late = sums[..., -new:] - gone.reshape(*sums.shape[:-1], new) * (before >= 0)
    found: Floats = ((late[1] / spread + 0.5) / (late[0] + 0.5)).clip(1e-3, FAR)
    return found


def _take(tracks: Floats, index: Steps) -> Floats:
    """Return (F, ..., B, n, h) of tracks (F, B, N) at steps (..., 1 or B, n, h), or at the first.

    `take` lays the result out in that order. Two indices would put F last in memory, and what
    follows would read it piece by piece.
    """
    _, count, n = tracks.shape
    at = np.maximum(index, 0) + _starts(count, n)
    return tracks.reshape(len(tracks), -1).take(at, 1)


@lru_cache(maxsize=64)
def _starts(count: int, length: int) -> Steps:
    """Return where each of so many rows begins, (count, 1, 1): a stream asks for it again."""
    return np.arange(0, count * length, length)[:, None, None]
