"""The reader of fixed width: between raw values and a network that knows every season.

What it shows of a step is the same number of numbers for every season and horizon: the value in
the causal scale, what the last steps did to that scale, and the templates of the next step. All
of it is a function of y, not of its unit: a * y + b with a > 0 is read as y is.

Letters: B series, N values, n origins, h steps ahead, J templates, m the season.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

CYCLES = 8  # past seasons that make the longest mean shape
WEEKS = 3  # past second seasons that make the mean shape of the second season
AHEAD = 4  # steps ahead that the errors of a series without a season are looked at
RECENT = 3  # values at least, and a quarter of a season, that are recent
FAR = 20.0  # scaled values are cut here; farther ones are mistakes of the scale
LEAST = 1e-30  # spread: a root of zero has no slope
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

    given: Tensor
    values: Tensor
    level: Tensor
    spread: Tensor
    wide: Tensor
    mean: Tensor
    recent: Tensor
    drift: Tensor
    slope: Tensor
    low: Tensor
    high: Tensor
    seen: Tensor
    first: Tensor
    season: Tensor
    second: Tensor
    half: Tensor


def read(values: Tensor, season: Tensor, second: Tensor) -> Past:
    """Read values (B, N), NaN where unobserved, with seasons (B,) into what is known of them.

    Sums over windows are differences of running sums, so that the cost does not depend on the
    season. They are kept in double precision about the first observed value, which loses nothing
    as long as a series is not ten million times as wide as its last seasons.

    A stream reads anew at every value and feels each call of torch: what is done to several numbers
    of a step is done to them in one.
    """
    season, second = season[:, None].long(), second[:, None].long()
    given = values.double()
    observed, steps = ~given.isnan(), torch.arange(values.shape[1], device=values.device)
    first = (observed.cumsum(1) == 0).sum(1, keepdim=True)
    centre = given.gather(1, first.clamp(max=len(steps) - 1)).nan_to_num()
    x = torch.where(observed, given - centre, 0.0)
    running = torch.stack([observed.double(), x, x.square()]).cumsum(-1)  # of nothing, one, two
    half = 4 + -4 % season  # whole seasons
    widths = [(2 * season).clamp(min=8), (season // 4).clamp(min=RECENT), half, 2 * half]
    late, few, newer, both = _windows(running, torch.stack(widths, 1)).unbind(2)
    means, deviations = _moments(torch.stack([late, running], 1))
    # in a gap longer than the window, what was known before it goes on
    level, late_spread = _fill(torch.stack([means[0], deviations[0]]), late[0] > 0).unbind()
    wide = deviations[1]
    recent = _fill(few[1] / few[0].clamp(min=1), few[0] > 0)
    # a calm stretch is no reason to forget how wide the series has been
    least = 1e-13 * centre.abs() + LEAST  # of a constant, beyond rounding
    spread = torch.maximum(torch.maximum(late_spread, 0.02 * wide), least)
    filled = _fill(x, observed)
    slope = (filled - filled[:, :1]) / (steps - first).clamp(min=1)
    low, high = filled.cummin(1).values, filled.cummax(1).values
    places = torch.stack([filled, level, means[1], recent, low, high]) + centre
    filled, level, mean, recent, low, high = places.unbind()
    return Past(
        given, filled, level, spread, torch.maximum(wide, least), mean, recent,
        _drift(newer, both - newer, half), slope, low, high, running[0],
        first, season, second, half,
    )  # fmt: skip


def _windows(running: Tensor, widths: Tensor) -> Tensor:
    """Return sums of the last `widths` (B, W, 1) values from running ones (S, B, N): (S, B, W, N).

    Fewer at first.
    """
    before = torch.arange(running.shape[2], device=running.device) - widths
    running = running[:, :, None].expand(-1, -1, widths.shape[1], -1)
    then = running.gather(3, before.clamp(min=0).expand_as(running))
    return running - then.masked_fill(before < 0, 0.0)


def _moments(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Return means and standard deviations (...) from sums (3, ...) of one, value and square."""
    n, total, squares = sums.unbind()
    n = n.clamp(min=1)
    mean = total / n
    return mean, (squares / n - mean.square()).clamp(min=LEAST**2).sqrt()


def _drift(newer: Tensor, older: Tensor, half: Tensor) -> Tensor:
    """Return the change per step between two groups of `half` values, NaN if half are missing."""
    n, total, _ = torch.stack([newer, older], 1).unbind()
    new, old = (total / n.clamp(min=1)).unbind()
    return torch.where((n > 0.5 * half).all(0), (new - old) / half, torch.nan)


def _fill(values: Tensor, observed: Tensor) -> Tensor:
    """Carry the newest of values (..., B, N) forward that are observed (B, N)."""
    steps = torch.arange(values.shape[-1], device=values.device)
    newest = torch.where(observed, steps, 0).cummax(-1).values
    return values.gather(-1, newest.expand_as(values))


def marks(past: Past, new: int) -> Tensor:
    """Return what the `new` last steps show beside their templates, (B, new, MARKS).

    Ties and bounds reached stand for what a count or a saturated series is known by: their zeros
    and whole numbers would not survive another unit.
    """
    p = Past(*(part[:, -(new + 1) :] for part in past))  # a change looks back one step
    z = ((p.values - p.level) / p.spread).clamp(-FAR, FAR)
    moved = (_change(torch.stack([p.values, p.level])) / p.spread).clamp(-8, 8)
    tie = (p.values[:, 1:] == p.values[:, :-1]) & (p.seen[:, :-1] > 0)
    sides = torch.stack([p.level - p.low, p.high - p.level]) / p.spread
    below, above = sides.asinh().unbind()
    season, second = p.season.expand_as(z), p.second.expand_as(z)
    shown = [
        z, ~p.given.isnan(), moved[1], _change(p.spread.log()).clamp(-8, 8), moved[0],
        torch.nn.functional.pad(tie, (1, 0)), p.values == p.low, p.values == p.high, below, above,
        (p.wide / p.spread).log(), p.seen.log1p() / 4, (p.seen / p.season).log1p(),
        season.log() / 3, season == 1, second.log1p() / 3,
    ]  # fmt: skip
    return torch.stack(shown, -1)[:, -new:].float()


def _change(values: Tensor) -> Tensor:
    """Return the change since the step before, zero at the first."""
    return torch.nn.functional.pad(values.diff(), (1, 0))


def unit_of(past: Past, origins: Tensor | slice) -> tuple[Tensor, Tensor]:
    """Return the levels and the spreads (B, n) in which forecasts of some origins are given back.

    What never moved has no spread: it goes on as it is, to the last digit.
    """
    level, spread, low, high = (
        part[:, origins] for part in (past.level, past.spread, past.low, past.high)
    )
    return level, spread.where(high > low, 0.0)


def templates(past: Past, origins: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Return scaled templates (B, n, h, J), zero where there is none, and whether there is one."""
    level, spread = (part[:, origins, None, None] for part in (past.level, past.spread))
    return _scaled(_say(past, origins[None, :, None], steps[None, None]), level, spread)


def _scaled(said: Tensor, level: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    known = ~said.isnan()
    z = ((said.where(known, level) - level) / spread).float()
    return z.clamp(-FAR, FAR), known


def _say(past: Past, at: Tensor, steps: Tensor) -> Tensor:
    """Return what the templates say, (B, n, h, J), NaN where there is none.

    `at` are origins (1, n, 1) or (B, n, 1), `steps` lie ahead, (1, 1, h) or (B, n, 1).

    They are: the last value, it along the drift, along the damped drift, along the whole slope;
    the same phase of the last three seasons, the newest also along the drift; the mean so far; the
    shape of the last four seasons about their levels, in units and in their spreads, and of the
    last eight, along the drift; the same phase of the second season, and its mean shape; the mean
    of the recent values, as it is and, like the last value, along the mean change from this phase
    to that one over the last four seasons, and over the last second seasons.
    """
    p, m, ahead = past, past.season[:, :, None], steps.double()
    # what a shape starts from comes first
    tracks = torch.stack([p.values, p.recent, p.level, p.spread, p.mean, p.slope, p.drift])
    now = _take(tracks, at)  # (7, B, n, 1)
    last, recent, level, spread, mean, slope, drift = now.unbind()
    half = p.half[:, :, None].double()
    damped = -half * torch.expm1(-ahead / half)
    whole = _whole(steps, m)
    value, begin, known = _same_phase(p, m, at, steps - whole, CYCLES)
    start = _take(tracks[:4], begin[..., :4])
    away = torch.where(known[..., :4], value[..., :4] - start[:3], 0.0)
    stretched = away[2] / start[3] * spread[..., None]
    shapes = _mean(torch.cat([away, stretched[None]]), known[..., :4])
    longest = _mean(torch.where(known, value - _take(p.level[None], begin)[0], 0.0), known)
    along_last, along_recent, shape = (now[:3] + shapes[:3]).unbind()
    grown = torch.where(whole > m, drift * (whole - m), 0.0)  # needs no drift within a season
    week, *weeks = _of_second(p, tracks[:3], now[:3], at, steps)
    found = [
        last, last + drift * ahead, last + drift * damped, last + slope * ahead,
        *value[..., :3].unbind(-1), value[..., 0] + drift * whole, mean,
        shape, level + shapes[3], level + longest + grown, week, weeks[2],
        recent, along_last + grown, along_recent + grown, *weeks[:2],
    ]  # fmt: skip
    return torch.stack(torch.broadcast_tensors(*found), -1)


def _of_second(
    past: Past, tracks: Tensor, now: Tensor, at: Tensor, steps: Tensor
) -> tuple[Tensor, ...]:
    """Return the same phase of the second season, and three levels along its mean shape."""
    m = past.second[:, :, None]
    if not (m > 1).any():
        return (now.new_full((), torch.nan),) * 4
    m_or_1 = m.clamp(min=1)
    from_last = steps - _whole(steps, m_or_1)
    value, begin, known = _same_phase(past, m_or_1, at, from_last, WEEKS)
    along = now + _mean(torch.where(known, value - _take(tracks, begin), 0.0), known)
    return tuple(torch.where(m > 1, part, torch.nan) for part in (value[..., 0], *along.unbind()))


def _whole(steps: Tensor, m: Tensor) -> Tensor:
    """Return the steps in the seasons that have begun so many steps ahead, (B, 1 or n, h)."""
    return steps + -steps % m


def _same_phase(
    past: Past, m: Tensor, at: Tensor, steps: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Look at a phase in the last `count` seasons of m (B, 1, 1) steps.

    It is given by its newest step, so many `steps` after the origins, none of them ahead.

    Returns the values (B, n, h, C), NaN where there is none; the step (B, n, 1, C) before each of
    these seasons, which may not be there; and whether value and step are.
    """
    ago = m[..., None] * torch.arange(count, device=m.device)
    phase = (at + steps)[..., None] - ago
    begin = (at - m)[..., None] - ago
    value = torch.where(phase < 0, torch.nan, _take(past.given[None], phase)[0])
    return value, begin, (begin >= past.first[..., None, None]) & ~value.isnan()


class Mistakes(NamedTuple):
    """How wrong the templates were up to each step, in the spread of that step: (B, N, J) each.

    `newest` is the value less what was said of it the step before; `near` and `far` are the mean
    absolute errors of late of what was said a step ahead and a season ahead, without a season four
    steps.
    """

    newest: Tensor
    near: Tensor
    far: Tensor


class Outlook(NamedTuple):
    """What is known after a step of the next: (B, N, J) each.

    What `templates` give of it, and how wrong the templates were so far.
    """

    shown: Tensor
    known: Tensor
    mistakes: Mistakes


def look_back(past: Past, new: int) -> Outlook:
    """Compare the `new` last values with what the templates said of them before they came.

    Returns also what the templates say of the step after each: all is asked in one call, which a
    stream of single values feels.
    """
    p, n = past, past.values.shape[1]
    width = torch.maximum(2 * p.season, p.second).clamp(min=8)
    since = slice(max(n - new - int(width.max()), 0), n)
    at = torch.arange(since.start, n, device=p.values.device)
    given, spread = p.given[:, since, None], p.spread[:, since, None]
    season = torch.where(p.season > 1, p.season, AHEAD)
    next_to = torch.cat([at[:1] - 1, at]).expand(len(p.values), -1)
    before = at - season  # (B, n)
    ahead = torch.cat([torch.ones_like(next_to), season.expand_as(before)], 1)
    said = _say(past, torch.cat([next_to, before], 1)[..., None], ahead[..., None])[:, :, 0]
    coming, came = said.tensor_split([next_to.shape[1]], 1)
    begun = torch.stack([next_to[:, :-1], before]) >= p.first
    errors = given - torch.stack([coming[:, :-1], came])  # (2, B, n, J)
    # an error beyond all measure would leave nothing but rounding in the running sums
    most = ABSURD * spread
    errors = torch.where(begun[..., None], errors, torch.nan).clamp(-most, most)
    newest = (_zero_if_nan(errors[0, :, -new:]) / spread[:, -new:]).clamp(-FAR, FAR).float()
    near, far = _typical(errors, width, spread)[:, :, -new:].unbind()
    level, spread = p.level[:, -new:, None], spread[:, -new:]
    return Outlook(*_scaled(coming[:, -new:], level, spread), Mistakes(newest, near, far))


def _typical(errors: Tensor, width: Tensor, spread: Tensor) -> Tensor:
    """Return the mean absolute error over `width` steps, half an error of one spread added.

    Of errors (2, B, n, J), in the spread (B, n, 1) of each step.
    """
    steps = torch.arange(errors.shape[2], device=errors.device)
    before = (steps - width)[..., None]  # the newest step that counts no more
    index = before.clamp(min=0).expand_as(errors)

    def late(values: Tensor) -> Tensor:
        total = values.cumsum(2)
        return total - total.gather(2, index).masked_fill(before < 0, 0.0)

    known = ~errors.isnan()
    n, total = late(known.float()), late(errors.where(known, 0.0).abs())
    return ((total / spread + 0.5) / (n + 0.5)).clamp(1e-3, FAR).float()


def _take(tracks: Tensor, index: Tensor) -> Tensor:
    """Return (F, B, ...) of tracks (F, B, N) at steps (1 or B, ...), the first for those before."""
    flat = index.clamp(min=0).flatten(1)
    found = tracks.gather(2, flat.expand(*tracks.shape[:2], -1))
    return found.view(*tracks.shape[:2], *index.shape[1:])


def _mean(parts: Tensor, known: Tensor) -> Tensor:
    """Return the mean over the last axis of what is known, NaN if nothing is; the rest is zero."""
    count = known.sum(-1)
    return torch.where(count > 0, parts.sum(-1) / count.clamp(min=1), torch.nan)


def _zero_if_nan(values: Tensor) -> Tensor:
    """Return values without NaN, so that none is in a product: its slope would be NaN, too."""
    return values.where(~values.isnan(), 0.0)
