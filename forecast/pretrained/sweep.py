"""One pass over histories: where each ends, and what its past origins say of the forecast to come.

The weights never saw these histories, so every past origin is out of sample: its errors tell which
season to believe in and how wide a band must be, without a second fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from forecast.networks.base import State, state_map
from forecast.networks.heads.quantile import pinball
from forecast.pretrained.blocks import MEDIAN, moves, steps_for
from forecast.pretrained.calibration import Floats, normal_scores
from forecast.pretrained.network import LEVELS, PretrainedNetwork, Reading, places
from forecast.pretrained.reader import Outlook, read, unit_of

ORIGINS, STEPS = 16, 16  # past origins looked at, and steps ahead of each
NEIGHBOURS = 4  # past origins that are read out together
STEPS_AT_ONCE = 512  # of a forecast
FEWEST = 5  # values before an origin that counts
TRUST = 10.0  # a view that errs a tenth more than the best has 1 / e of its weight
NEWEST = 12  # values of every series that show what values a panel has of late
# Past origins that an assumption is worth: that these values help a series as they help all.
LIKE_PANEL = 8.0
FARTHEST = 10.0  # times the loss of the better: to err by more says no more


class View(NamedTuple):
    """The seasons that a history is read by; a second one of 0 is none.

    `prior` is its weight where nothing tells the views apart.
    """

    season: int
    second: int = 0
    prior: float = 1.0

    @property
    def longest(self) -> int:
        """The longer of the two seasons."""
        return max(self.season, self.second)


class Live(NamedTuple):
    """What the network remembers of B series, seen by V views: nothing in it is written to."""

    features: Tensor  # (B, V, D) after the newest value
    outlook: Outlook  # (B, V, J) each
    unit: tuple[Tensor, Tensor]  # (B, V) each: level and spread
    state: State  # (B, V, ...) each


class Sweep(NamedTuple):
    """What one pass over B histories tells."""

    live: Live
    weights: Tensor  # (B, V), adding up to 1: how far each view is to be believed
    behind: Tensor  # (B,) by how much more the panel errs than the views do; NaN: not known
    share: Tensor  # (B,) how far the panel is to be believed instead of the views
    scores: Tensor  # (B, K, h) normal scores of what came after past origins; NaN: not known


def sweep(
    network: PretrainedNetwork,
    values: Tensor,
    views: Sequence[View],
    horizon: int,
    floor: Tensor,
    newest: Tensor | None = None,
    back: int | None = None,
    pool: Floats | None = None,
    usual: float | None = None,
) -> Sweep:
    """Read histories once by every view, and forecast from their past origins.

    Parameters
    ----------
    network : PretrainedNetwork
    values : Tensor (B, N)
        Histories that end together; NaN is unobserved, also before a history begins.
    views : sequence of View
        V of them; the first needs no evidence.
    horizon : int
        Steps to judge by.
    floor : Tensor (B,)
        Nothing is forecast to be below.
    newest : Tensor (B,), optional
        How many of the values the recurrence absorbs; by default all.
    back : int, optional
        How many steps ago the earliest origin lies; by default the horizon, at least 24.
    pool : array (K, Q), optional
        What the panel says at each of the past origins, of any step: see `pooled`.
    usual : float, optional
        By how much more that errs in the whole panel; by default, these histories are it.
    """
    origins = past_origins(values.shape[1], back or farthest(horizon))
    steps = torch.from_numpy(judged(horizon))
    reading = _look(network, values, views, newest)
    truth = what_came(values, origins, steps)
    every = _to_judge(network, reading, origins, steps, ~truth.isnan().all(0))
    every = every.unflatten(0, (-1, len(views)))
    tables = every.maximum(floor[:, None, None, None, None]).unbind(1)
    weights = believed(tables, truth, values, views)
    table = mix(weights, tables)
    behind, share = torch.full((len(values),), torch.nan), torch.zeros(len(values))
    if pool is not None:
        said = torch.from_numpy(pool)[:, None].expand_as(table)
        behind = excess(_mean_loss(said, truth), _mean_loss(table, truth))
        share = panel_share(behind, truth, typical(behind) if usual is None else usual)
        table = blend(share, said, table)
    scores = torch.from_numpy(normal_scores(table.numpy(), truth.numpy()))
    return Sweep(_newest(reading, views), weights, behind, share, scores)


def farthest(horizon: int) -> int:
    """Return how many steps ago the earliest past origin lies."""
    return max(24, horizon)


def judged(horizon: int) -> np.ndarray:
    """Return the steps (h,) at which past forecasts are judged."""
    return spaced(horizon, STEPS)


def spaced(last: int, count: int) -> np.ndarray:
    """Return at most `count` whole numbers from 1 to `last`, evenly spread.

    Examples
    --------
    >>> spaced(3, 16).tolist(), spaced(48, 5).tolist()
    ([1, 2, 3], [1, 13, 24, 36, 48])
    """
    return np.unique(np.linspace(1, last, min(count, last)).round().astype(np.int64))


def past_origins(length: int, back: int) -> Tensor:
    """Return the steps (K,) of a history to forecast from once more, rising; 0 if it is shorter."""
    return (length - 1 - torch.from_numpy(steps_ago(back))).clamp(min=0)


def steps_ago(back: int) -> np.ndarray:
    """Return how many steps ago the past origins lie, (K,), the farthest first."""
    return spaced(back, ORIGINS)[::-1].copy()


def what_came(values: Tensor, origins: Tensor, steps: Tensor) -> Tensor:
    """Return the values (B, K, h) after the origins, NaN where not known or not to be counted.

    An origin counts if at least half of the history lies before it: a forecast from less is
    another task.
    """
    at, n = origins[:, None] + steps, values.shape[1]
    truth = values[:, at.clamp(max=n - 1)].where(at < n, torch.nan)
    seen = (~values.isnan()).cumsum(1)
    enough = (seen[:, -1:] / 2).clamp(min=FEWEST)
    return truth.where((seen[:, origins] >= enough)[..., None], torch.nan)


def _to_judge(
    network: PretrainedNetwork, reading: Reading, origins: Tensor, steps: Tensor, asked: Tensor
) -> Tensor:
    """Forecast (B, K, h, Q) from past origins (K,) the steps (h,) that are asked for (K, h).

    What lies farther ahead of the newer origins has not come yet: some neighbours at a time are
    read out as far as the first of them is asked. NaN is not forecast.
    """
    shape = len(reading.features), *asked.shape, len(LEVELS)
    found = torch.full(shape, torch.nan, dtype=torch.double)
    farthest = (asked * torch.arange(1, len(steps) + 1)).amax(1)  # (K,): of the steps
    for k in range(0, len(origins), NEIGHBOURS):
        some = slice(k, k + NEIGHBOURS)
        if reach := int(farthest[some].amax()):
            found[:, some, :reach] = network.forecast(reading, origins[some], steps[:reach])
    return found


def believed(
    tables: Sequence[Tensor], truth: Tensor, values: Tensor, views: Sequence[View]
) -> Tensor:
    """Return the weights (B, V) of the views by their losses L: prior e^(-TRUST (L / min L - 1)).

    Weighed and not chosen, because some origins are little evidence. A view whose season has not
    been seen twice is not heard.
    """
    count = (~values.isnan()).sum(1, keepdim=True)
    enough = count >= 2 * torch.tensor([view.longest for view in views])
    enough[:, 0] |= ~enough.any(1)
    losses = torch.stack([_mean_loss(table, truth) for table in tables], 1)  # (B, V)
    losses = losses.nan_to_num(nan=1.0).where(enough, torch.inf)
    excess = losses / losses.amin(1, keepdim=True).clamp(min=1e-30) - 1
    heard = torch.tensor([view.prior for view in views]) * torch.exp(-TRUST * excess)
    weights: Tensor = heard / heard.sum(1, keepdim=True)
    return weights


def pooled(values: Floats, ago: ArrayLike) -> Floats | None:
    """Return what values a panel had of late, so many steps ago: quantiles (K, Q).

    One short series of rare demand cannot know how such series go on; all of them show it. None
    where nothing was observed.

    Parameters
    ----------
    values : array (n, N)
        The newest values of all series, NaN where there is none.
    ago : array of int (K,)
        Steps before the last value; 0 is now.

    Examples
    --------
    >>> pooled(np.array([[5.0, 0.0, 1.0], [9.0, 2.0, 3.0]]), (0,))[0, [0, 7, 14]].round(2).tolist()
    [0.12, 2.5, 8.5]
    """
    if np.isnan(values).all():
        return None
    ends = values.shape[1] - np.asarray(ago)
    late = [values[:, max(end - NEWEST, 0) : max(end, 0)] for end in ends]
    return np.stack([np.quantile(_seen(part, values), LEVELS) for part in late])


def _seen(some: Floats, every: Floats) -> Floats:
    """Return the values that are there; where there are none, those of a longer time."""
    seen = some[~np.isnan(some)]
    return seen if len(seen) else every[~np.isnan(every)]


def excess(loss: Tensor, other: Tensor) -> Tensor:
    """Return by how much a loss is above another one, in units of the lower, at most tenfold.

    Examples
    --------
    >>> excess(torch.tensor([3.0, 1.0, 0.0]), torch.tensor([2.0, 2.0, 0.0])).tolist()
    [0.5, -1.0, 0.0]
    """
    lower = torch.minimum(loss, other).clamp(min=1e-30)
    return ((loss - other) / lower).clamp(-FARTHEST, FARTHEST)


def typical(behind: Tensor) -> float:
    """Return the median over a panel, 0 if nothing is known: a mean would be that of a few series.

    Examples
    --------
    >>> typical(torch.tensor([1.0, 3.0, 10.0, torch.nan]))
    3.0
    """
    return float(behind.nanmedian().nan_to_num())


def panel_share(behind: Tensor, truth: Tensor, usual: float) -> Tensor:
    """Return how far the panel is to be believed (B,): as if it were a view beside all others.

    By how much more it errs of a series is shrunken towards what is usual.
    """
    origins = (~truth.isnan()).any(2).sum(1)
    shrunken = (origins * behind.nan_to_num() + LIKE_PANEL * usual) / (origins + LIKE_PANEL)
    return torch.sigmoid(-TRUST * shrunken)


def blend(share: Tensor, said: Tensor, table: Tensor) -> Tensor:
    """Return the mean of two quantile functions (B, ..., Q), the share (B,) of the first given."""
    return table + share.view(-1, *[1] * (table.ndim - 1)) * (said - table)


def _mean_loss(table: Tensor, truth: Tensor) -> Tensor:
    """Return the mean pinball loss (B,) of quantiles (B, K, h, Q), NaN if nothing is known."""
    return pinball(table, truth, torch.tensor(LEVELS)).nanmean((1, 2))


def mix(weights: Tensor, tables: Sequence[Tensor]) -> Tensor:
    """Return the mean of quantile functions (B, ..., Q) by weights (B, V)."""
    if len(tables) == 1:
        return tables[0]
    shares = weights.T.reshape(len(tables), -1, *[1] * (tables[0].ndim - 1))
    return sum((w * table for w, table in zip(shares, tables, strict=True)), torch.zeros(()))


def look(
    network: PretrainedNetwork, values: Tensor, view: View, newest: Tensor | None = None
) -> Reading:
    """Read histories (B, N) by a view; the recurrence absorbs the newest (B,) of them."""
    return _look(network, values, (view,), newest)


def begin(
    network: PretrainedNetwork,
    values: Tensor,
    views: Sequence[View],
    newest: Tensor | None = None,
) -> Live:
    """Read histories (B, N) to their ends; the recurrence absorbs the newest (B,) of them."""
    return _newest(_look(network, values, views, newest), views)


def absorb(network: PretrainedNetwork, values: Tensor, views: Sequence[View], live: Live) -> Live:
    """Absorb the last of values (B, N): one call of the cell."""
    before = state_map(_as_rows, live.state)
    return _newest(_look(network, values, views, before=before), views)


def quantiles(
    network: PretrainedNetwork, values: Tensor, views: Sequence[View], live: Live, horizon: int
) -> Tensor:
    """Forecast what comes after histories (B, N): (B, V, horizon, Q) in double precision.

    Moved by what is said of means over blocks.
    """
    features, outlook = state_map(lambda part: _as_rows(part)[:, None], live[:2])
    past, state = read(*_rows(values, views)), state_map(_as_rows, live.state)
    reading = Reading(features, past, state, outlook)
    longest = max(steps_for(view.season, view.second, horizon, values.shape[1]) for view in views)
    newest, steps = torch.tensor([values.shape[1] - 1]), torch.arange(1, longest + 1)
    parts = [network.forecast(reading, newest, some)[:, 0] for some in steps.split(STEPS_AT_ONCE)]
    table = torch.cat(parts, 1).unflatten(0, (-1, len(views)))
    history, medians = values.numpy(), table[..., MEDIAN].numpy()
    moved = [
        moves(network, history, view.season, view.second, medians[:, v], horizon)
        for v, view in enumerate(views)
    ]
    return table[:, :, :horizon] + torch.from_numpy(np.stack(moved, 1))[..., None]


def next_quantiles(network: PretrainedNetwork, views: Sequence[View], live: Live) -> Tensor:
    """Forecast the next step alone, (B, V, 1, Q): no history is read again."""
    return network.forecast_next(*live[:3], _next_place(tuple(views)))


@lru_cache(maxsize=8)  # a stream of one asks for the same at every value
def _next_place(views: tuple[View, ...]) -> Tensor:
    season, second = _seasons(views, 1)
    found = places(season[:, None], second[:, None], torch.ones(1))  # (V, 1, 1, PLACES)
    return found.transpose(0, 1)


def _look(
    network: PretrainedNetwork,
    values: Tensor,
    views: Sequence[View],
    newest: Tensor | None = None,
    before: State | None = None,
) -> Reading:
    """Read histories (B, N) by all views at once: a row for each, those of a history together."""
    if newest is not None:
        newest = newest.repeat_interleave(len(views))
    return network.read(*_rows(values, views), newest, before)


def _rows(values: Tensor, views: Sequence[View]) -> tuple[Tensor, Tensor, Tensor]:
    """Return values (B V, N), and the seasons (B V,) by which each row is read."""
    rows = values[:, None].expand(-1, len(views), -1).flatten(0, 1)
    return rows, *_seasons(tuple(views), len(values))


@lru_cache(maxsize=8)
def _seasons(views: tuple[View, ...], n_series: int) -> tuple[Tensor, Tensor]:
    season, second = torch.tensor([view[:2] for view in views]).repeat(n_series, 1).unbind(1)
    return season, second


def _as_rows(part: Tensor) -> Tensor:
    return part.flatten(0, 1)  # (B, V, ...) -> (B V, ...)


def _newest(reading: Reading, views: Sequence[View]) -> Live:
    every = reading.features, reading.outlook, unit_of(reading.past, slice(-1, None))
    features, outlook, unit = state_map(lambda part: _by_view(part[:, -1], views), every)
    state = state_map(lambda part: _by_view(part, views), reading.state)
    return Live(features, outlook, unit, state)


def _by_view(part: Tensor, views: Sequence[View]) -> Tensor:
    return part.view(-1, len(views), *part.shape[1:])  # (B V, ...) -> (B, V, ...)
