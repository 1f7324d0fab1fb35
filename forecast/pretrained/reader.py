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
FAR = 20.0  # scaled values are cut here; farther ones are mistakes of the scale
ABSURD = 1e6  # so are errors of templates, in the spread of their step
TEMPLATES = 14
MARKS = 16
INPUTS = MARKS + 5 * TEMPLATES


class Past(NamedTuple):
    """What is known of B series at each of N steps from the values up to it, (B, N) each.

    `values` holds the newest observed value where one is missing; `slope` is the mean change per
    step since the first value, `drift` that between the last two groups of `half` values (whole
    seasons), NaN where fewer were seen. `season`, `second` and `half` are (B, 1).
    """

    values: Tensor
    observed: Tensor
    level: Tensor
    spread: Tensor
    wide: Tensor
    mean: Tensor
    drift: Tensor
    slope: Tensor
    low: Tensor
    high: Tensor
    seen: Tensor
    season: Tensor
    second: Tensor
    half: Tensor


def read(values: Tensor, season: Tensor, second: Tensor) -> Past:
    """Read values (B, N), NaN where unobserved, with seasons (B,) into what is known of them.

    Sums over windows are differences of running sums, so that the cost does not depend on the
    season. They are kept in double precision about the first observed value, which loses nothing
    as long as a series is not ten million times as wide as its last seasons.
    """
    season, second = season[:, None].long(), second[:, None].long()
    observed = ~values.isnan()
    first = observed.float().argmax(1, keepdim=True)
    centre = values.gather(1, first).nan_to_num().double()
    x = torch.where(observed, values.double() - centre, 0.0)
    count, total, squares = (_running(part) for part in (observed.double(), x, x.square()))
    width = (2 * season).clamp(min=8)
    n = _window(count, width)
    level = _window(total, width) / n.clamp(min=1)
    variance = (_window(squares, width) / n.clamp(min=1) - level.square()).clamp(min=0)
    # in a gap longer than the window, what was known before it goes on
    level, variance = (_fill(part, n > 0) for part in (level, variance))
    seen = count[:, 1:]
    mean = total[:, 1:] / seen.clamp(min=1)
    wide = (squares[:, 1:] / seen.clamp(min=1) - mean.square()).clamp(min=0).sqrt()
    # a calm stretch is no reason to forget how wide the series has been
    least = 1e-13 * centre.abs() + 1e-30  # of a constant, beyond rounding
    spread = torch.maximum(torch.maximum(variance.sqrt(), 0.02 * wide), least)
    wide = torch.maximum(wide, least)
    half = season * (-(-4 // season))
    filled = _fill(x, observed)
    steps = torch.arange(values.shape[1], device=values.device)
    slope = (filled - filled[:, :1]) / (steps - first).clamp(min=1)
    low = torch.where(observed, x, torch.inf).cummin(1).values.clamp(max=0)
    high = torch.where(observed, x, -torch.inf).cummax(1).values.clamp(min=0)
    return Past(
        filled + centre, observed, level + centre, spread, wide, mean + centre,
        _drift(count, total, half), slope, low + centre, high + centre, seen,
        season, second, half,
    )  # fmt: skip


def _running(values: Tensor) -> Tensor:
    """Return running sums with a zero before the first, (B, N + 1)."""
    return torch.nn.functional.pad(values.cumsum(1), (1, 0))


def _window(running: Tensor, width: Tensor, ago: Tensor | int = 0) -> Tensor:
    """Return sums of the `width` (B, 1) values up to `ago` steps before each step."""
    end = torch.arange(1, running.shape[1], device=running.device) - ago
    end = end.expand(len(running), -1)
    return running.gather(1, end.clamp(min=0)) - running.gather(1, (end - width).clamp(min=0))


def _drift(count: Tensor, total: Tensor, half: Tensor) -> Tensor:
    """Return the change per step between the last two groups of `half` values, else NaN."""
    n_new, n_old = _window(count, half), _window(count, half, half)
    new, old = _window(total, half) / n_new, _window(total, half, half) / n_old
    enough = (n_new > 0.5 * half) & (n_old > 0.5 * half)
    return torch.where(enough, (new - old) / half, torch.nan)


def _fill(values: Tensor, observed: Tensor) -> Tensor:
    """Carry the newest observed value forward."""
    steps = torch.arange(values.shape[1], device=values.device)
    newest = torch.where(observed, steps, 0).cummax(1).values
    return values.gather(1, newest)


def marks(past: Past, new: int) -> Tensor:
    """Return what the `new` last steps show beside their templates, (B, new, MARKS).

    Ties and bounds reached stand for what a count or a saturated series is known by: their zeros
    and whole numbers would not survive another unit.
    """
    p = Past(*(part[:, -(new + 1) :] for part in past))  # a change looks back one step
    z = ((p.values - p.level) / p.spread).clamp(-FAR, FAR)
    moved = _change(p.level) / p.spread
    tie = (p.values[:, 1:] == p.values[:, :-1]) & (p.seen[:, :-1] > 0)
    at_low, at_high = p.values == p.low, p.values == p.high
    below, above = (p.level - p.low) / p.spread, (p.high - p.level) / p.spread
    cycles = p.seen / p.season
    shown = [
        z, p.observed, moved.clamp(-8, 8), _change(p.spread.log()).clamp(-8, 8),
        (_change(p.values) / p.spread).clamp(-8, 8),
        torch.nn.functional.pad(tie, (1, 0)), at_low, at_high,
        below.asinh(), above.asinh(), (p.wide / p.spread).log(), p.seen.log1p() / 4,
        cycles.log1p(), p.season.log().expand_as(z) / 3, (p.season == 1).expand_as(z),
        p.second.log1p().expand_as(z) / 3,
    ]  # fmt: skip
    return torch.stack([part.float() for part in shown], -1)[:, -new:]


def _change(values: Tensor) -> Tensor:
    """Return the change since the step before, zero at the first."""
    return torch.nn.functional.pad(values[:, 1:] - values[:, :-1], (1, 0))


def templates(past: Past, origins: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Return scaled templates (B, n, h, J), zero where there is none, and whether there is one."""
    return _scaled(past, origins, _say(past, origins[None, :, None], steps[None, None]))


def _scaled(past: Past, origins: Tensor, said: Tensor) -> tuple[Tensor, Tensor]:
    level, spread = (part[:, origins, None, None] for part in (past.level, past.spread))
    z = ((said - level) / spread).float()
    known = ~z.isnan()
    return z.nan_to_num().clamp(-FAR, FAR), known


def _say(past: Past, at: Tensor, steps: Tensor) -> Tensor:
    """Return what the templates say, (B, n, h, J), NaN where there is none.

    `at` are origins (1, n, 1) or (B, n, 1), `steps` lie ahead, (1, 1, h) or (B, n, 1).

    They are: the last value, it along the drift, along the damped drift, along the whole slope;
    the same phase of the last three seasons, the newest also along the drift; the mean so far; the
    shape of the last four seasons about their levels, in units and in their spreads, and of the
    last eight, along the drift; the same phase of the second season, and its mean shape.
    """
    p, m, ahead = past, past.season[:, :, None], steps.double()
    k = -(-steps // m)  # (B, 1 or n, h)
    begun = p.seen > 0  # before the first value there is no level

    def now(values: Tensor) -> Tensor:
        origin = at[..., 0].clamp(min=0).expand(len(values), -1)
        return values.gather(1, origin)[..., None]  # (B, n, 1)

    last, drift = now(p.values), now(p.drift)
    half = p.half[:, :, None].double()
    damped = half * (1 - torch.exp(-ahead / half))
    phase = at + steps - m * k  # (B, n, h): the newest step of the phase, in the last season
    ago = torch.arange(CYCLES, device=steps.device)
    value = _take(p.values, p.observed, phase[..., None] - m[..., None] * ago)  # (B, n, h, C)
    begin = at[..., None] - m[..., None] * (ago + 1)  # (B, n, 1, C)
    away = value - _take(p.level, begun, begin)
    shape = _mean(away[..., :4])
    stretched = _mean((away / _take(p.spread, begun, begin))[..., :4]) * now(p.spread)
    m2 = past.second[:, :, None].clamp(min=1)
    weeks = torch.arange(WEEKS, device=steps.device)
    phase2 = at + steps - m2 * -(-steps // m2)
    value2 = _take(p.values, p.observed, phase2[..., None] - m2[..., None] * weeks)
    away2 = value2 - _take(p.level, begun, at[..., None] - m2[..., None] * (weeks + 1))
    there = torch.where(m2 > 1, 0.0, torch.nan)  # NaN: no second season, no template
    level = now(p.level)
    found = [
        last, last + drift * ahead, last + drift * damped, last + now(p.slope) * ahead,
        *value[..., :3].unbind(-1), value[..., 0] + drift * (m * k), now(p.mean),
        level + shape, level + stretched, level + _mean(away) + drift * (m * (k - 1)),
        value2[..., 0] + there, level + _mean(away2) + there,
    ]  # fmt: skip
    return torch.stack(torch.broadcast_tensors(*found), -1)


class Mistakes(NamedTuple):
    """How wrong the templates were up to each step, in the spread of that step: (B, N, J) each.

    `newest` is the value less what was said of it the step before; `near` and `far` are the mean
    absolute errors of late of what was said a step ahead and a season ahead.
    """

    newest: Tensor
    near: Tensor
    far: Tensor


def look_back(past: Past, new: int) -> tuple[Tensor, Tensor, Mistakes]:
    """Compare the `new` last values with what the templates said of them before they came.

    Returns also what the templates say of the step after each, as `templates` does, without the
    axis of steps: all is asked in one call, which a stream of single values feels.
    """
    p, n = past, past.values.shape[1]
    width = torch.maximum(2 * p.season, p.second).clamp(min=8)
    at = torch.arange(max(n - new - int(width.max()), 0), n, device=p.values.device)
    spread = p.spread[:, at, None]
    one = torch.ones_like(p.season)
    next_to = torch.cat([at[:1] - 1, at]).expand(len(p.values), -1)
    before = at - p.season  # (B, n)
    ahead = torch.cat([one.expand_as(next_to), p.season.expand_as(before)], 1)
    said = _say(past, torch.cat([next_to, before], 1)[..., None], ahead[..., None])[:, :, 0]
    coming, season = said.tensor_split([len(at) + 1], 1)
    # an error beyond all measure would leave nothing but rounding in the running sums
    most = ABSURD * spread
    step, season = (
        _errors(past, at, *pair).clamp(-most, most)
        for pair in ((next_to[:, :-1], coming[:, :-1]), (before, season))
    )
    newest = (step / spread).nan_to_num().clamp(-FAR, FAR).float()
    found = newest, *(_typical(part, width, spread) for part in (step, season))
    z, known = _scaled(past, at[-new:], coming[:, -new:, None])
    return z[:, :, 0], known[:, :, 0], Mistakes(*(part[:, -new:] for part in found))


def _errors(past: Past, at: Tensor, origin: Tensor, said: Tensor) -> Tensor:
    """Return the values at steps (n,) less what was `said` at the origins (B, n), (B, n, J)."""
    begun = past.seen.gather(1, origin.clamp(min=0)) > 0
    there = (origin >= 0) & begun & past.observed[:, at]
    return torch.where(there[..., None], past.values[:, at, None] - said, torch.nan)


def _typical(errors: Tensor, width: Tensor, spread: Tensor) -> Tensor:
    """Return the mean absolute error over `width` steps, half an error of one spread added."""
    steps = torch.arange(errors.shape[1], device=errors.device)
    before = steps - width  # the newest step that counts no more
    index = before.clamp(min=0)[..., None].expand_as(errors)

    def late(values: Tensor) -> Tensor:
        total = values.cumsum(1)
        return total - torch.where(before[..., None] >= 0, total.gather(1, index), 0.0)

    n, total = late((~errors.isnan()).float()), late(errors.abs().nan_to_num())
    return ((total / spread + 0.5) / (n + 0.5)).clamp(1e-3, FAR).float()


def _take(values: Tensor, known: Tensor, index: Tensor) -> Tensor:
    """Return values (B, N) at steps (B, ...), NaN before the first and where not known."""
    flat = index.flatten(1)
    inside = flat.clamp(min=0)
    there = known.gather(1, inside) & (flat >= 0)
    return torch.where(there, values.gather(1, inside), torch.nan).view(index.shape)


def _mean(values: Tensor) -> Tensor:
    """Return the mean of what is known over the last axis, NaN if nothing is."""
    known = ~values.isnan()
    return torch.where(known, values, 0.0).sum(-1) / known.sum(-1)
