"""One small training loop for the tasks of `tasks.py`, which are made fresh for every batch.

Forecasters learn from a panel by `engine/training.py`. Here there is no panel and no scale: a
network, a linear output, and as many batches as one likes. Experiments and notebooks share it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from forecast.networks.base import Network, State, absorb_in_pieces
from forecast.networks.seq2seq import Seq2Seq
from forecast.teaching.tasks import Task, Translation
from forecast.teaching.textbook import Output

Make = Callable[[np.random.Generator], Any]  # a Task, or for a Translator a Translation
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

    def answered(self, task: Task, truncation: int | None = None) -> tuple[Tensor, Tensor]:
        """Return outputs and targets where a target is given, flat."""
        inputs, targets, asked = as_tensors(task)
        return self(inputs, truncation)[asked], targets[asked]


class Translator(nn.Module):
    """An encoder, a decoder and a linear output on the decoder's features.

    Parameters
    ----------
    network : Seq2Seq
        Of any form.
    output_size : int
        q, numbers per step.

    Examples
    --------
    >>> from forecast.networks.seq2seq import AttentiveSeq2Seq
    >>> from forecast.teaching.tasks import reversal
    >>> task = reversal(4, 3, np.random.default_rng(0))
    >>> Translator(AttentiveSeq2Seq(4, 8, attention_length=3)).answered(task)[0].shape
    torch.Size([12])
    """

    def __init__(self, network: Seq2Seq, output_size: int = 1) -> None:
        super().__init__()
        self.network = network
        self.output = Output(network.width, output_size)

    def begin(self, task: Translation) -> tuple[Network, Tensor, State]:
        """Read the inputs; return the decoder, its features (B, D) and state at the origin."""
        inputs, lengths = torch.from_numpy(task.inputs).float(), torch.from_numpy(task.lengths)
        state = self.network.initial_state(len(inputs))
        features, state = self.network.absorb(inputs, state, lengths)
        return self.network.begin(features[torch.arange(len(inputs)), lengths - 1], state)

    def answered(self, task: Translation) -> tuple[Tensor, Tensor]:
        """Return outputs and targets where a target is given, flat."""
        decoder, first, state = self.begin(task)
        later, _ = decoder.absorb(torch.from_numpy(task.told).float(), state)
        outputs = self.output(torch.cat([first[:, None], later], 1))  # (B, m, q)
        targets = torch.from_numpy(task.targets.copy()).float()
        asked = targets.isfinite()
        return outputs[asked], targets[asked]

    @torch.no_grad()
    def attended(self, task: Translation) -> Tensor:
        """Return the attention a_ij, (B, m, L), of a network that has one."""
        decoder, _, state = self.begin(task)
        looks = [state.weights]
        for told in torch.from_numpy(task.told).float().unbind(1):
            _, state = decoder.advance(told, state)
            looks.append(state.weights)
        return torch.stack(looks, 1)


def fit_learner(
    learner: Learner | Translator,
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
    learner : Learner or Translator
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
    options = {} if truncation is None else {"truncation": truncation}
    for _ in range(steps):
        value = loss(*learner.answered(make(rng), **options))
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
def answers(learner: Learner | Translator, task: Any) -> tuple[Tensor, Tensor]:
    """Return outputs and targets where a target is given, flat."""
    return learner.answered(task)


def error(learner: Learner | Translator, task: Any) -> float:
    """Return the mean squared error, in variances of the target."""
    given, wanted = answers(learner, task)
    return float((given - wanted).square().mean() / wanted.var())


def accuracy(learner: Learner, task: Any) -> float:
    """Return how often the sign is right."""
    given, wanted = answers(learner, task)
    return float((given.sign() == wanted).float().mean())
