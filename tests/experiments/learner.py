"""One training loop for all tasks that ask for memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from forecast.data.tasks import Task
from forecast.networks.base import Network, state_map
from forecast.networks.textbook import Output

Make = Callable[[np.random.Generator], Task]
Loss = Callable[[Tensor, Tensor], Tensor]


class Learner(nn.Module):
    """A network and a linear output on its features."""

    def __init__(self, network: Network, output_size: int = 1) -> None:
        super().__init__()
        self.network = network
        self.output = Output(network.width, output_size)

    def forward(self, inputs: Tensor, truncation: int | None = None) -> Tensor:
        """Return outputs (B, T, q); the gradient ends where a piece of the series begins."""
        state, features = self.network.initial_state(len(inputs)), []
        for piece in inputs.split(truncation or inputs.shape[1], 1):
            read, state = self.network.absorb(piece, state_map(Tensor.detach, state))
            features.append(read)
        return self.output(torch.cat(features, 1))


def as_tensors(task: Task) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs, targets and where there are targets."""
    inputs, targets = (torch.from_numpy(part).float() for part in task)
    return inputs, targets, targets.isfinite()


def train(
    learner: Learner,
    make: Make,
    *,
    steps: int,
    seed: int,
    learning_rate: float = 5e-3,
    truncation: int | None = None,
    loss: Loss = nn.functional.mse_loss,
) -> Learner:
    """Train on a fresh batch at each step: Adam, clipped by norm, a rate that falls as a cosine."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(learner.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        inputs, targets, asked = as_tensors(make(rng))
        value = loss(learner(inputs, truncation)[asked], targets[asked])
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return learner


@torch.no_grad()
def answers(learner: Learner, task: Task) -> tuple[Tensor, Tensor]:
    """Return outputs and targets, flat, where something was asked."""
    inputs, targets, asked = as_tensors(task)
    return learner(inputs)[asked], targets[asked]


def error(learner: Learner, task: Task) -> float:
    """Return the mean squared error, in variances of the target."""
    told, wanted = answers(learner, task)
    return float((told - wanted).square().mean() / wanted.var())


def accuracy(learner: Learner, task: Task) -> float:
    """Return how often the sign is right."""
    told, wanted = answers(learner, task)
    return float((told.sign() == wanted).float().mean())
