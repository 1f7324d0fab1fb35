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
from forecast.pretrained.loss import rolling_loss, seasonal_change
from forecast.pretrained.network import LEVELS, PretrainedNetwork
from forecast.pretrained.sweep import View, look, mix, spaced

STEPS_PER_EPOCH = 25
PEAK, WARMUP, CLIP = 1e-3, 20, 1.0  # rate, steps until it, largest norm of a gradient
KEEP = 0.95  # of the average of weights, per step
VALUES = 14_000  # values in a batch
ORIGINS, AHEAD = 12, 14  # origins per series, steps ahead of each
PATIENCE = 3  # epochs without a gain
JUDGES, JUDGED = 300, 2**17  # series at most that judge, and values that they read
UNHEARD = 0.01  # weight of a view below which nothing is learned for it


class Histories(NamedTuple):
    """What there is to learn from: histories, how they are looked at, how far ahead to forecast.

    `newest(rows, back)` returns the values (B, N) of some series without the `back` last ones, NaN
    before they begin; there are `n_series`. `weights` (V,) say how often each of the views is
    taken.
    """

    newest: Callable[[Tensor, int], Tensor]
    n_series: int
    views: Sequence[View]
    weights: np.ndarray
    horizon: int


def fine_tune(network: PretrainedNetwork, histories: Histories, epochs: int) -> PretrainedNetwork:
    """Return a network that has learned from histories; the given one, if none got better.

    The last `horizon` values of every series judge, forecast from before them; nothing learns from
    them. AdamW, its rate falling along a cosine, and an average of weights. The draws have a fixed
    seed: the same histories give the same network.
    """
    histories = heard(histories)
    learned_from = histories.newest(torch.zeros(1, dtype=torch.long), histories.horizon)
    if learned_from.shape[1] < 2:  # no value follows another before those that judge
        return network
    generator = np.random.default_rng(0)
    learner = copy.deepcopy(network).requires_grad_(True)
    optimiser = torch.optim.AdamW(learner.parameters(), PEAK, weight_decay=1e-2)
    average = copy.deepcopy(network)
    best, lowest, since = network, held_out_loss(network, histories), 0
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
        keep = min(KEEP, (1 + step) / (10 + step))
        for name, value in learner.state_dict().items():
            average.state_dict()[name].lerp_(value, 1 - keep)
        if (step + 1) % STEPS_PER_EPOCH == 0:
            found, since = held_out_loss(average, histories), since + 1
            if found < lowest:
                best, lowest, since = copy.deepcopy(average), found, 0
            if since == PATIENCE:
                break
    return halved(best)


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
    length = histories.newest(torch.arange(1), histories.horizon).shape[1]
    size = int(np.clip(VALUES // max(length, 1), 8, 64))
    rows = torch.from_numpy(generator.integers(histories.n_series, size=size))
    values = histories.newest(rows, histories.horizon)
    n = values.shape[1]
    origins = np.append(generator.integers(0, n - 1, ORIGINS), n - 2)
    steps = np.append(generator.integers(1, histories.horizon + 1, AHEAD), 1)
    with torch.autocast("cpu", torch.bfloat16):  # the recurrence in less time
        reading = look(network, values, view)
    reading = reading._replace(features=reading.features.float())
    asked = (torch.from_numpy(np.unique(part)) for part in (origins, steps))
    return rolling_loss(network, reading, values, *asked)


@torch.no_grad()
def held_out_loss(network: PretrainedNetwork, histories: Histories) -> float:
    """Return the mean loss of the last `horizon` values, forecast from before them by every view.

    Each series counts in its own mean seasonal change; of many series, some are looked at.
    """
    length = histories.newest(torch.arange(1), 0).shape[1]
    judges = spaced(histories.n_series, int(np.clip(JUDGED // length, 1, JUDGES))) - 1
    losses = []
    for some in torch.from_numpy(judges).split(max(VALUES // length, 1)):
        values = histories.newest(some, 0)
        before, after = values[:, : -histories.horizon], values[:, -histories.horizon :]
        newest, steps = torch.tensor([before.shape[1] - 1]), torch.arange(1, histories.horizon + 1)
        readings = [look(network, before, view) for view in histories.views]
        tables = [network.forecast(one, newest, steps)[:, 0] for one in readings]
        shares = torch.from_numpy(histories.weights).expand(len(some), -1)
        each = pinball(mix(shares, tables), after, torch.tensor(LEVELS)).nanmean(1)
        losses.append(each / torch.from_numpy(seasonal_change(readings[0].past)[:, -1]))
    return float(torch.cat(losses).nanmean())
