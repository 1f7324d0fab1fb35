"""Teach the network's readout a little more, by the series it is to forecast.

The recurrence stays as it is: what it makes of a history is read once, and serves every step of
learning and every judgement. Its own weights, taught too, took nine times as long and gained less.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from forecast.networks.heads.quantile import pinball
from forecast.pretrained.loss import rolling_loss
from forecast.pretrained.network import LEVELS, PretrainedNetwork, Reading
from forecast.pretrained.sweep import View, look, mix, spaced, what_came

STEPS_PER_EPOCH = 200
PEAK, WARMUP, CLIP = 2e-3, 5, 1.0  # rate, steps until it, largest norm of a gradient
KEEP = 0.95  # of the average of weights, per step
# How far to go from the weights that know no series to those that know these. Half of the way has
# most of the gain where little is taught, and loses a fourth as much where there is none to be had.
WAYS = 0.5, 1.0
READ = 2**18  # values that the recurrence absorbs to learn and to judge
WARM_UP = 100  # values that it absorbs before the earliest origin that teaches
SERIES = 32  # in a batch: few origins of many series say more than many of few
PAIRS, ORIGINS, AHEAD = 96, 12, 7  # series and origins, origins per series, steps ahead of each
JUDGING = 4, 6  # origins, and steps ahead of each, that they judge by
CERTAIN = 2.0  # standard errors by which a network must be better
LARGEST = 1.0  # logarithm of a ratio of losses; one series must not judge alone
UNHEARD = 0.01  # weight of a view below which nothing is learned for it


M = TypeVar("M", bound=nn.Module)


class Histories(NamedTuple):
    """What there is to learn from: histories, how they are looked at, how far ahead to forecast.

    `newest(rows, back)` returns the values (B, N) of some series without the `back` last ones, NaN
    before they begin; in all they have `lengths` (n,). The `held` last ones judge, those before
    them teach. `weights` (V,) say how often each of the views is taken.
    """

    newest: Callable[[Tensor, int], Tensor]
    lengths: np.ndarray
    views: Sequence[View]
    weights: np.ndarray
    horizon: int
    held: int

    @property
    def teaching(self) -> np.ndarray:
        """The series in which one value that teaches follows another."""
        return np.flatnonzero(self.lengths >= self.held + 2)


class Lesson(NamedTuple):
    """The values (B, N) of some series, and what the network reads in them by each of V views."""

    values: Tensor
    readings: list[Reading]


def fine_tune(network: PretrainedNetwork, histories: Histories, epochs: int) -> PretrainedNetwork:
    """Return a network that has learned from histories; the given one, if it got no better.

    The last `held` values of every series judge; nothing learns from them. It got better if the
    mean logarithm of its losses, as multiples of those of the given one, is below zero by more than
    two standard errors over the series: chance alone makes every other mean negative. Fewer than
    two series have no standard error, and teach nothing.

    Half of the way to what was learned is gone, or all of it, whichever is better there (Wortsman
    et al., "Robust fine-tuning of zero-shot models", 2022). The draws have a fixed seed: the same
    histories give the same network.
    """
    if histories.held == 0 or len(histories.teaching) < 2:
        return network
    lessons = studied(network, histories)
    before = held_out_losses(network, lessons, histories)
    if np.isfinite(before).sum() < 2:
        return network
    goal = learned(network, lessons, histories, epochs * STEPS_PER_EPOCH)
    others = [partway(network, goal, way) for way in WAYS]
    found = [change(held_out_losses(one, lessons, histories), before) for one in others]
    (mean, doubt), best = min(zip(found, others, strict=True), key=lambda one: one[0])
    return best if mean + doubt < 0 else network


@torch.no_grad()
def studied(network: PretrainedNetwork, histories: Histories) -> list[Lesson]:
    """Read series that teach, evenly spread, in the company of others at random."""
    teaching, length = histories.teaching, int(histories.lengths.max())
    rows = teaching[spaced(len(teaching), max(READ // absorbed(length, histories.held), 2)) - 1]
    rows = torch.from_numpy(np.random.default_rng(0).permutation(rows))
    return [_lesson(network, histories, some) for some in rows.split(SERIES)]


def _lesson(network: PretrainedNetwork, histories: Histories, rows: Tensor) -> Lesson:
    values = histories.newest(rows, 0)
    newest = torch.full((len(rows),), absorbed(values.shape[1], histories.held))
    return Lesson(values, [look(network, values, view, newest) for view in histories.views])


def earliest(length: int, held: int) -> int:
    """Return the first step that teaches: half of what teaches lies before it.

    A forecast from less is another task, here as where past origins judge.

    Examples
    --------
    >>> earliest(912, held=95), earliest(13, held=11)
    (408, 0)
    """
    return (length - held - 1) // 2


def absorbed(length: int, held: int) -> int:
    """Return how many of the values of a history the recurrence absorbs, the newest ones.

    Examples
    --------
    >>> absorbed(912, held=95), absorbed(120, held=29)
    (604, 120)
    """
    return length - max(earliest(length, held) - WARM_UP, 0)


def learned(
    network: PretrainedNetwork, lessons: Sequence[Lesson], histories: Histories, steps: int
) -> PretrainedNetwork:
    """Return the network with the average of what its readout's weights were while it learned.

    AdamW, its rate falling along a cosine.
    """
    generator = np.random.default_rng(0)
    learner, average = copy.deepcopy(network), copy.deepcopy(network)
    weights = list(learner.readout.requires_grad_(True).parameters())
    optimiser = torch.optim.AdamW(weights, PEAK, weight_decay=1e-2)
    for step in range(steps):
        for group in optimiser.param_groups:
            rate = min(1, (step + 1) / WARMUP) * (1 + math.cos(math.pi * step / steps)) / 2
            group["lr"] = PEAK * rate
        loss = draw_loss(learner, lessons, histories, generator)
        optimiser.zero_grad()
        loss.backward()
        if torch.nn.utils.clip_grad_norm_(weights, CLIP).isfinite():
            optimiser.step()
        approach(average.readout, learner.readout, 1 - min(KEEP, (1 + step) / (10 + step)))
    return average


@torch.no_grad()
def approach(module: M, other: M, way: float) -> M:
    """Move the weights of a module towards those of another one, and return it."""
    for own, goal in zip(module.parameters(), other.parameters(), strict=True):
        own.lerp_(goal, way)
    return module


def change(losses: np.ndarray, before: np.ndarray) -> tuple[float, float]:
    """Return the mean logarithm of the ratio of losses (B,), and two standard errors of it.

    Examples
    --------
    >>> mean, doubt = change(np.array([0.8, 0.9, 0.7]), np.ones(3))
    >>> print(f"{mean:.3f}, {doubt:.3f}")
    -0.228, 0.145
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(losses / before)
    ratio = ratio[~np.isnan(ratio)].clip(-LARGEST, LARGEST)
    if len(ratio) < 2:
        return 0.0, 0.0
    return float(ratio.mean()), CERTAIN * float(ratio.std(ddof=1)) / math.sqrt(len(ratio))


def heard(histories: Histories) -> Histories:
    """Return the histories without the views that hardly count.

    One stays if the seasons of all others are too long for some of the histories.
    """
    longest = np.array([view.longest for view in histories.views])
    twice = histories.lengths[:, None] >= 2 * longest  # (n, V), as in `believed`
    keep = histories.weights >= UNHEARD
    keep |= twice[~twice[:, keep].any(1)].any(0)
    weights = histories.weights[keep]
    views = [view for view, kept in zip(histories.views, keep, strict=True) if kept]
    return histories._replace(views=views, weights=weights / weights.sum())


def partway(network: PretrainedNetwork, goal: PretrainedNetwork, way: float) -> PretrainedNetwork:
    """Return a tuned network some way to a goal, its weights of half precision, as in files."""
    other = approach(copy.deepcopy(network), goal, way)
    other.load_state_dict({name: value.half() for name, value in other.state_dict().items()})
    other.tuned = True
    return other


def draw_loss(
    network: PretrainedNetwork,
    lessons: Sequence[Lesson],
    histories: Histories,
    generator: np.random.Generator,
) -> Tensor:
    """Return the loss of some series, from random late origins, at random steps ahead."""
    view = generator.choice(len(histories.views), p=histories.weights)
    values, readings = lessons[int(generator.integers(len(lessons)))]
    n, begin = values.shape[1] - histories.held, earliest(values.shape[1], histories.held)
    origins = generator.integers(begin, n - 1, min(PAIRS // len(values), ORIGINS))
    origins = np.append(origins, n - 2)
    steps = np.append(generator.integers(1, histories.horizon + 1, AHEAD), 1)
    asked = (torch.from_numpy(np.unique(part)) for part in (origins, steps))
    return rolling_loss(network, readings[view], values[:, :n], *asked)


@torch.no_grad()
def held_out_losses(
    network: PretrainedNetwork, lessons: Sequence[Lesson], histories: Histories
) -> np.ndarray:
    """Return mean losses (B,) of the values that are held out, forecast from some of their origins.

    NaN: nothing was observed there.
    """
    held, losses = histories.held, []
    steps = spaced(min(histories.horizon, (held + 1) // 2), JUDGING[1])
    ago = held + 1 - spaced(held - int(steps[-1]) + 1, JUDGING[0])  # steps before the last value
    for values, readings in lessons:
        origins = (values.shape[1] - 1 - torch.from_numpy(ago)).clamp(min=0)
        asked = origins, torch.from_numpy(steps)
        shares = torch.from_numpy(histories.weights).expand(len(values), -1)
        table = mix(shares, [network.forecast(one, *asked) for one in readings])
        each = pinball(table, what_came(values, *asked), torch.tensor(LEVELS))
        losses.append(each.nanmean((1, 2)))
    return torch.cat(losses).numpy()
