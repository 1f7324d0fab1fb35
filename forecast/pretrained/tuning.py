"""Teach the network a little more, by the series it is to forecast."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from forecast.networks.heads.quantile import pinball
from forecast.pretrained.loss import rolling_loss
from forecast.pretrained.network import LEVELS, PretrainedNetwork
from forecast.pretrained.sweep import View, look, mix, spaced, what_came

STEPS_PER_EPOCH = 25
PEAK, WARMUP, CLIP = 1e-3, 5, 1.0  # rate, steps until it, largest norm of a gradient
KEEP = 0.95  # of the average of weights, per step
# How far to go from the weights that know no series to those that know these: half of the way has
# most of the gain, and loses a fourth as much where there is none to be had.
WAY = 0.5
VALUES = 8_000  # values in a batch; twice as many taught no more in twice the time
ORIGINS, AHEAD = 12, 14  # origins per series, steps ahead of each
JUDGED = 2**15  # values that are read to judge
JUDGING = 4, 6  # origins, and steps ahead of each, that they judge by
CERTAIN = 2.0  # standard errors by which a network must be better
LARGEST = 1.0  # logarithm of a ratio of losses; one series must not judge alone
UNHEARD = 0.01  # weight of a view below which nothing is learned for it


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
    def taught(self) -> np.ndarray:
        """The series in which one value that teaches follows another."""
        return np.flatnonzero(self.lengths >= self.held + 2)


def fine_tune(network: PretrainedNetwork, histories: Histories, epochs: int) -> PretrainedNetwork:
    """Return a network that has learned from histories; the given one, if it got no better.

    The last `held` values of every series judge; nothing learns from them. It got better if the
    mean logarithm of its losses, as multiples of those of the given one, is below zero by more than
    two standard errors over the series: chance alone makes every other mean negative. One series
    has no standard error, and fewer than two that can judge teach nothing.

    AdamW, its rate falling along a cosine, and an average of weights, of which half of the way is
    gone (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022). The draws have a fixed
    seed: the same histories give the same network.
    """
    histories = heard(histories)
    if histories.held == 0 or len(histories.taught) == 0:
        return network
    before = held_out_losses(network, histories)
    if np.isfinite(before).sum() < 2:
        return network
    generator = np.random.default_rng(0)
    learner = copy.deepcopy(network).requires_grad_(True)
    optimiser = torch.optim.AdamW(learner.parameters(), PEAK, weight_decay=1e-2)
    average = copy.deepcopy(network)
    for step in range(epochs * STEPS_PER_EPOCH):
        share = step / (epochs * STEPS_PER_EPOCH)
        for group in optimiser.param_groups:
            rate = min(1, (step + 1) / WARMUP) * (1 + math.cos(math.pi * share)) / 2
            group["lr"] = PEAK * rate
        loss = draw_loss(learner, histories, generator)
        optimiser.zero_grad()
        loss.backward()
        if torch.nn.utils.clip_grad_norm_(learner.parameters(), CLIP).isfinite():
            optimiser.step()
        approach(average, learner, 1 - min(KEEP, (1 + step) / (10 + step)))
    other = approach(copy.deepcopy(network), average, WAY)
    found = change(held_out_losses(other, histories), before)
    return halved(other) if found < 0 else network


def approach(network: PretrainedNetwork, other: PretrainedNetwork, way: float) -> PretrainedNetwork:
    """Move the weights of a network towards those of another one, and return it."""
    goal = other.state_dict()
    for name, value in network.state_dict().items():
        value.lerp_(goal[name], way)
    return network


def change(losses: np.ndarray, before: np.ndarray) -> float:
    """Return the mean logarithm of the ratio of losses (B,), and two standard errors.

    Examples
    --------
    >>> round(change(np.array([0.8, 0.9, 0.7]), np.ones(3)), 3)
    -0.083
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(losses / before)
    ratio = ratio[~np.isnan(ratio)].clip(-LARGEST, LARGEST)
    if len(ratio) < 2:
        return 0.0
    return float(ratio.mean() + CERTAIN * ratio.std(ddof=1) / math.sqrt(len(ratio)))


def heard(histories: Histories) -> Histories:
    """Return the histories without the views that hardly count."""
    keep = np.flatnonzero(histories.weights >= UNHEARD)
    weights = histories.weights[keep]
    views = [histories.views[int(k)] for k in keep]
    return histories._replace(views=views, weights=weights / weights.sum())


def halved(network: PretrainedNetwork) -> PretrainedNetwork:
    """Return the network with weights of half precision, as files hold them."""
    other = copy.deepcopy(network)
    other.load_state_dict({name: value.half() for name, value in network.state_dict().items()})
    return other


def draw_loss(
    network: PretrainedNetwork, histories: Histories, generator: np.random.Generator
) -> Tensor:
    """Return the loss of some series, from random origins, at random steps ahead."""
    view = histories.views[generator.choice(len(histories.views), p=histories.weights)]
    size = int(np.clip(VALUES // (histories.lengths.max() - histories.held), 8, 64))
    rows = torch.from_numpy(generator.choice(histories.taught, size))
    values = histories.newest(rows, histories.held)
    n = values.shape[1]
    origins = np.append(generator.integers(0, n - 1, ORIGINS), n - 2)
    steps = np.append(generator.integers(1, histories.horizon + 1, AHEAD), 1)
    with torch.autocast("cpu", torch.bfloat16):  # the recurrence in less time
        reading = look(network, values, view)
    reading = reading._replace(features=reading.features.float())
    asked = (torch.from_numpy(np.unique(part)) for part in (origins, steps))
    return rolling_loss(network, reading, values, *asked)


@torch.no_grad()
def held_out_losses(network: PretrainedNetwork, histories: Histories) -> np.ndarray:
    """Return mean losses (B,) of the values that are held out, forecast from some of their origins.

    Of many series, some are looked at. NaN: nothing was observed there.
    """
    held, length = histories.held, int(histories.lengths.max())
    judges = spaced(len(histories.lengths), max(JUDGED // length, 1)) - 1
    steps = spaced(min(histories.horizon, (held + 1) // 2), JUDGING[1])
    ago = held + 1 - spaced(held - int(steps[-1]) + 1, JUDGING[0])  # steps before the last value
    losses = []
    for some in torch.from_numpy(judges).split(max(VALUES // length, 1)):
        values = histories.newest(some, 0)
        origins = (values.shape[1] - 1 - torch.from_numpy(ago)).clamp(min=0)
        readings = [look(network, values, view) for view in histories.views]
        tables = [network.forecast(one, origins, torch.from_numpy(steps)) for one in readings]
        shares = torch.from_numpy(histories.weights).expand(len(some), -1)
        truth = what_came(values, origins, torch.from_numpy(steps))
        each = pinball(mix(shares, tables), truth, torch.tensor(LEVELS))
        losses.append(each.nanmean((1, 2)))
    return torch.cat(losses).numpy()
