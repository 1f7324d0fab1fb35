"""The training loop: random windows, a loss at many of their steps, validation by rollout."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from forecast.engine import ranks
from forecast.engine.trainable import Rows, Trainable
from forecast.networks.base import State, pick, stack, state_map

STEPS_PER_EPOCH = 50  # windows are drawn, so an epoch has no natural length
TARGETS_AT_ONCE = 3 * 2**13  # of a batch: what they need of memory is no more than a panel does
TURN = threading.RLock()
EMA_DECAY = 0.98  # per step: the averaged weights are those of about the last epoch

B = TypeVar("B", bound=Rows)
M = TypeVar("M", bound=Trainable[Any])


@dataclass(frozen=True)
class Epoch:
    """What happened in one epoch."""

    epoch: int
    training_loss: float  # scaled units, of symbols nats
    validation_loss: float  # the same; NaN without a validation part
    learning_rate: float
    gradient_norm: float  # largest of a member, or of the head, before clipping
    seconds: float  # since training began


@dataclass(frozen=True)
class Settings:
    """How to train; the names are those of the forecasters' parameters."""

    learning_rate: float
    max_epochs: int
    n_iter_no_change: int | None  # None: no early stopping
    weight_decay: float
    clip_norm: float | None
    clip_value: float | None = None
    min_observed: int = 0  # fewest observed values in a scale whose targets count


def train(
    model: M,
    batches: Iterator[Rows],
    validate: Callable[[M], float],
    settings: Settings,
    on_gradients: Callable[[M], None] | None = None,
    on_best: Callable[[M], None] | None = None,
) -> Iterator[Epoch]:
    """Train a model in place; yield a record after every epoch and keep the best weights.

    Validated and kept are not the weights of a step but their exponential moving average over about
    an epoch (Polyak and Juditsky, 1992): they err less, and their losses can be compared from one
    epoch to the next. The members of an ensemble are trained together, each with a loss and a
    clipping of its own.

    Parameters
    ----------
    model : Trainable
    batches : iterator of Rows
        Windows, one batch per step of the optimiser. A window that goes on where that of its row
        in the batch before ended begins with the state left there, without its gradient (truncated
        backpropagation through time; Williams and Peng, 1990).
    validate : callable
        Given a model, returns the loss of its rollouts over the validation part, or NaN.
    settings : Settings
    on_gradients : callable, optional
        Called with the model after each backward pass, before clipping.
    on_best : callable, optional
        Called in the first process with the weights that would be kept if training ended here:
        after each epoch that validates best so far; without a validation part, after every one.

    Raises
    ------
    FloatingPointError
        If the loss is not finite.
    """
    descent = Descent(model, settings, on_gradients)
    averaged, total = descent.averaged, settings.max_epochs * STEPS_PER_EPOCH
    best, patience, began = math.inf, 0, time.perf_counter()
    kept = averaged.state_dict()  # the newest weights, unless those of an epoch validate best
    for epoch in range(settings.max_epochs):
        model.train()
        losses, norms = [], []
        for step in range(epoch * STEPS_PER_EPOCH, (epoch + 1) * STEPS_PER_EPOCH):
            rate = settings.learning_rate * schedule(step / total)
            loss, norm = descent.step(next(batches), rate)
            losses.append(loss)
            norms += norm
        training_loss = torch.stack(losses).mean().item()
        if not math.isfinite(training_loss):
            raise FloatingPointError(
                f"The training loss is {training_loss} in epoch {epoch + 1}: the updates "
                f"diverge. Lower `learning_rate` (now {settings.learning_rate}) or set "
                f"`clip_norm` (now {settings.clip_norm})."
            )
        loss_ahead = ranks.agreed(validate(averaged) if ranks.rank() == 0 else math.nan)
        gradient_norm = torch.stack(norms).max().item()
        yield Epoch(
            epoch + 1, training_loss, loss_ahead, rate, gradient_norm, time.perf_counter() - began
        )
        if on_best is not None and ranks.rank() == 0 and not loss_ahead >= best:
            on_best(averaged)
        if loss_ahead < best:
            best, kept, patience = loss_ahead, copy.deepcopy(averaged.state_dict()), 0
        elif math.isfinite(loss_ahead):
            patience += 1
        if settings.n_iter_no_change is not None and patience >= settings.n_iter_no_change:
            break
    model.load_state_dict(kept)
    model.zero_grad()
    model.eval()


class Descent(Generic[M]):
    """AdamW, step by step, and the moving average of the weights.

    Parameters
    ----------
    model, settings, on_gradients
        As in `train`.

    Attributes
    ----------
    averaged : Trainable
        The model with averaged weights.
    """

    def __init__(
        self, model: M, settings: Settings, on_gradients: Callable[[M], None] | None = None
    ) -> None:
        self.model, self.settings, self.on_gradients = model, settings, on_gradients
        decay, rate = settings.weight_decay, settings.learning_rate
        self.optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=decay, fused=True)
        self.averaged = copy.deepcopy(model).eval()
        # lists made once: torch's AveragedModel makes its own at every step, which takes longer
        # than the average itself
        self._weights, self._means = list(model.parameters()), list(self.averaged.parameters())
        self._average = get_ema_multi_avg_fn(EMA_DECAY)
        self._gradient = FlatGradient(model.parts())
        self._carried: State | None = None
        self._taken = 0

    def step(self, batch: Rows, rate: float) -> tuple[Tensor, list[Tensor]]:
        """Take a step; return the mean loss, and the norm of each part's gradient."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = batch.rows(ranks.own_rows(len(batch.fresh)))
        carried = None if batch.fresh.all() else self._carried
        self._gradient.whole.zero_()
        means, self._carried = backward(
            self.model, self._gradient, batch, self.settings.min_observed, carried
        )
        if self.on_gradients is not None:
            self.on_gradients(self.model)
        norm, value = self.settings.clip_norm, self.settings.clip_value
        norms = [clip(part, norm, value) for part in self._gradient.parts]
        self.optimizer.step()
        if self._taken:
            self._average(self._means, self._weights, self._taken)
        else:
            self.averaged.load_state_dict(self.model.state_dict())
        self._taken += 1
        return means.mean(), norms


class FlatGradient:
    """The gradients of all weights as views of one vector, so that a call serves them all.

    Calls are what a step of a small network costs. Weights that no loss has reached yet have no
    gradient: an optimiser leaves them alone, instead of letting them decay.

    Parameters
    ----------
    parts : iterable of list of Tensor
        The weights, part by part.

    Attributes
    ----------
    whole : Tensor (N,)
        Of all weights that are trained; zeros at first.
    parts : list of Tensor (N_k,)
        What each part has of it.

    Examples
    --------
    >>> layers = torch.nn.Linear(1, 1), torch.nn.Linear(2, 1, bias=False)
    >>> gradient = FlatGradient([list(layer.parameters()) for layer in layers])
    >>> layers[1](torch.tensor([3.0, 4.0])).backward()
    >>> gradient.gather()
    >>> gradient.whole, gradient.parts[1]
    (tensor([0., 0., 3., 4.]), tensor([3., 4.]))
    >>> layers[0].weight.grad is None
    True
    """

    def __init__(self, parts: Iterable[list[Tensor]]) -> None:
        trained = [[weights for weights in part if weights.requires_grad] for part in parts]
        every = [weights for part in trained for weights in part]
        for weights in every:
            weights.grad = None
        sizes = [sum(map(Tensor.numel, part)) for part in trained]
        self.whole = every[0].new_zeros(sum(sizes))
        self.parts = list(self.whole.split(sizes))
        slopes = self.whole.split([weights.numel() for weights in every])
        self._waiting = list(zip(every, slopes, strict=True))

    def gather(self) -> None:
        """Take over the gradients of weights that were reached for the first time."""
        waiting = []
        for weights, slope in self._waiting:
            if weights.grad is None:
                waiting.append((weights, slope))
            else:
                weights.grad = slope.view_as(weights).copy_(weights.grad)
        self._waiting = waiting


def backward(
    model: Trainable[B],
    gradient: FlatGradient,
    batch: B,
    min_observed: int,
    carried: State | None,
) -> tuple[Tensor, State]:
    """Add the gradient of each member's mean loss to that of all weights.

    Large batches go through in pieces, whose gradients add up: the memory of a step does not grow
    with the batch. So do the gradients of other ranks. Other parameters are those of
    `Trainable.losses`.

    Returns
    -------
    means : Tensor (E,)
        The mean losses.
    state : State
        After the windows, without its gradient.
    """
    totals, counts, states, done = [], [], [], 0
    for piece in batch.split(TARGETS_AT_ONCE):
        rows = slice(done, done := done + len(piece.fresh))
        before = None if carried is None else pick(carried, rows)
        loss, observed_mask, *_, state = model.losses(
            piece, min_observed=min_observed, carried=before
        )
        total = (loss * observed_mask).sum((0, 1, 3))
        total.sum().backward()  # no weights are shared: each has its own loss's gradient
        totals.append(total.detach())
        counts.append(observed_mask.sum() / observed_mask.shape[2])  # of each, or of all, members
        states.append(state_map(Tensor.detach, state))
    count, total = torch.stack(counts).sum().to(totals[0]), torch.stack(totals).sum(0)
    gradient.gather()
    ranks.add_up([gradient.whole, total, count])
    count = count.clamp(min=1)
    gradient.whole /= count
    return total / count, stack(states)


def _new_turn() -> None:
    """Let a process that was forked while another thread trained wait for no thread it lacks."""
    global TURN
    TURN = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which forks no processes
    os.register_at_fork(after_in_child=_new_turn)


@contextlib.contextmanager
def seeded(seed: int | None = None) -> Iterator[None]:
    """Seed torch, and give it back the random numbers it had.

    They belong to the whole process, as the number of its threads does: those who train or build at
    the same time take turns, or each would draw numbers of the other.
    """
    with TURN, torch.random.fork_rng():
        if seed is not None:
            torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def one_thread(when: bool) -> Iterator[None]:
    """Run torch on one thread, and give it back the threads it had.

    Small tensors gain nothing from a second thread, and lose most of their time waiting for it
    when another process holds the core.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if when else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def schedule(progress: float) -> float:
    """Return the share of the learning rate: a linear rise over a tenth, then half a cosine.

    Examples
    --------
    >>> [round(schedule(share), 2) for share in (0.0, 0.05, 0.1, 0.55, 1.0)]
    [0.01, 0.51, 1.0, 0.5, 0.0]
    """
    rise = 0.1
    if progress < rise:
        return 0.01 + 0.99 * progress / rise
    return 0.5 * (1 + math.cos(math.pi * (progress - rise) / (1 - rise)))


def clip(gradient: Tensor, norm: float | None, value: float | None) -> Tensor:
    """Clip a gradient (N,) in place: g <- max(-v, min(v, g)), then g <- min(1, c / |g|) g.

    Returns the norm before either.

    Examples
    --------
    >>> gradient = torch.tensor([3.0, 4.0])
    >>> clip(gradient, 1.0, None), gradient
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    before = size = torch.linalg.vector_norm(gradient)
    if value is not None:
        gradient.clamp_(-value, value)
        size = torch.linalg.vector_norm(gradient)
    if norm is not None:
        gradient *= (norm / (size + 1e-6)).clamp(max=1.0)
    return before
