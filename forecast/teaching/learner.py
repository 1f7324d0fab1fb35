"""One small training loop for the tasks of `tasks.py`, which are made fresh for every batch.

Forecasters learn from a panel by `engine/training.py`. Here there is no panel and no scale: a
network, a linear output, and as many batches as one likes. Experiments and notebooks share it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from forecast.networks.base import Network, absorb_in_pieces
from forecast.teaching.tasks import Task
from forecast.teaching.textbook import Output

Make = Callable[[np.random.Generator], Task]
Loss = Callable[[Tensor, Tensor], Tensor]


class Learner(nn.Module):
    """A network and a linear output on its features.

    Parameters
    ----------
    network : Network
        Of any kind.
    output_size : int
        q, numbers per step.
    """

    def __init__(self, network: Network, output_size: int = 1) -> None:
        super().__init__()
        self.network = network
        self.output = Output(network.width, output_size)

    def forward(self, inputs: Tensor, truncation: int | None = None) -> Tensor:
        """Return outputs (B, T, q) for inputs (B, T, F); see `absorb_in_pieces`."""
        return self.output(absorb_in_pieces(self.network, inputs, truncation))


def fit_learner(
    learner: Learner,
    make: Make,
    *,
    steps: int,
    seed: int,
    learning_rate: float = 5e-3,
    truncation: int | None = None,
    clip_norm: float = 1.0,
    loss: Loss = nn.functional.mse_loss,
) -> list[float]:
    """Train in place on a fresh batch at each step; return the loss of every step.

    By Adam, clipped by norm, with a rate that falls as half a cosine.

    Parameters
    ----------
    learner : Learner
    make : callable
        Makes a batch from a generator of random numbers.
    steps : int
        Batches.
    seed : int
        Of the batches; the weights are drawn before, from torch's own generator.
    learning_rate : float
        At the first step.
    truncation : int, optional
        Steps after which a gradient ends.
    clip_norm : float
        The largest norm of a gradient; infinity does not clip.
    loss : callable
        Of outputs and targets, where there are targets.

    Examples
    --------
    >>> from forecast.teaching.tasks import latch
    >>> from forecast.networks.recurrent import Recurrent
    >>> _ = torch.manual_seed(0)
    >>> learner = Learner(Recurrent(1, 8, cell="tanh"))
    >>> make = lambda rng: latch(16, 20, rng)
    >>> losses = fit_learner(learner, make, steps=60, seed=0, learning_rate=0.02)
    >>> losses[0] > 0.8, losses[-1] < 0.5
    (True, True)
    """
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(learner.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses = []
    for _ in range(steps):
        inputs, targets, asked = as_tensors(make(rng))
        value = loss(learner(inputs, truncation)[asked], targets[asked])
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), clip_norm)
        optimizer.step()
        schedule.step()
        losses.append(value.detach())
    return torch.stack(losses).tolist()


def as_tensors(task: Task) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs, targets and the mask of given targets, in single precision."""
    inputs, targets = (torch.from_numpy(part).float() for part in task)
    return inputs, targets, targets.isfinite()


@torch.no_grad()
def answers(learner: Learner, task: Task) -> tuple[Tensor, Tensor]:
    """Return outputs and targets where a target is given, flat."""
    inputs, targets, asked = as_tensors(task)
    return learner(inputs)[asked], targets[asked]


def error(learner: Learner, task: Task) -> float:
    """Return the mean squared error, in variances of the target."""
    given, wanted = answers(learner, task)
    return float((given - wanted).square().mean() / wanted.var())


def accuracy(learner: Learner, task: Task) -> float:
    """Return how often the sign is right."""
    given, wanted = answers(learner, task)
    return float((given.sign() == wanted).float().mean())
